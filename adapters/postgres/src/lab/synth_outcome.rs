//! Outcomes of synths.

use std::collections::BTreeSet;

use async_trait::async_trait;
use cutover_domain::lab::analysis_run::Rates;
use cutover_domain::lab::synth_outcome::{OutcomeExtremes, OutcomeStatistics, SynthOutcome};
use cutover_ports::batch::last_of_each;
use cutover_ports::lab::SynthOutcomeRepository;
use cutover_ports::{Page, PageRequest, StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, known, opt_pg_json};

const TABLE: &str = "synth_outcomes";

/// How often outcomes are saved again: one that another writer stores at the same moment is met by its id before it is
/// met by the key that `ON CONFLICT` looks at. The next time it is seen.
const SAVE_ATTEMPTS: usize = 3;

/// [`SynthOutcomeRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgSynthOutcomeRepository {
    db: Database,
}

impl PgSynthOutcomeRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    /// Runs `sql`, which takes an array per column.
    async fn write_all<'a>(
        &self,
        operation: &'static str,
        sql: &'static str,
        outcomes: impl Iterator<Item = &'a SynthOutcome> + Send,
    ) -> StoreResult<()> {
        let mut arrays = Arrays::default();
        for outcome in outcomes {
            arrays.push(outcome)?;
        }
        let analyses: BTreeSet<&str> = arrays.analysis_id.iter().copied().collect();
        let parents: Vec<_> = analyses.into_iter().map(|id| ("analysis_runs", id)).collect();
        let _held = self.db.keys.before_write(&parents).await?;
        let lease = self.db.lease(operation).await?;
        lease
            .execute(
                sql,
                &[
                    (&arrays.id, Type::TEXT_ARRAY),
                    (&arrays.analysis_id, Type::TEXT_ARRAY),
                    (&arrays.synth_id, Type::TEXT_ARRAY),
                    (&arrays.did_not_try_rate, Type::FLOAT8_ARRAY),
                    (&arrays.failed_rate, Type::FLOAT8_ARRAY),
                    (&arrays.success_rate, Type::FLOAT8_ARRAY),
                    (&arrays.synth_attributes, Type::JSONB_ARRAY),
                ],
            )
            .await
            .map(drop)
    }
}

/// Outcomes column by column.
#[derive(Default)]
struct Arrays<'a> {
    id: Vec<Option<&'a str>>,
    analysis_id: Vec<&'a str>,
    synth_id: Vec<&'a str>,
    did_not_try_rate: Vec<f64>,
    failed_rate: Vec<f64>,
    success_rate: Vec<f64>,
    synth_attributes: Vec<Option<crate::types::PgJson>>,
}

impl<'a> Arrays<'a> {
    fn push(&mut self, outcome: &'a SynthOutcome) -> StoreResult<()> {
        self.id.push(outcome.id.as_deref());
        self.analysis_id.push(&outcome.analysis_id);
        self.synth_id.push(&outcome.synth_id);
        self.did_not_try_rate.push(known(
            "synth_outcomes.did_not_try_rate",
            &outcome.did_not_try_rate,
        )?);
        self.failed_rate
            .push(known("synth_outcomes.failed_rate", &outcome.failed_rate)?);
        self.success_rate
            .push(known("synth_outcomes.success_rate", &outcome.success_rate)?);
        self.synth_attributes
            .push(opt_pg_json(outcome.synth_attributes.as_ref()));
        Ok(())
    }
}

/// Reads `id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes`.
fn outcome_from_columns(columns: &mut Columns<'_>) -> StoreResult<SynthOutcome> {
    Ok(SynthOutcome {
        id: columns.opt_text()?,
        analysis_id: columns.text()?,
        synth_id: columns.text()?,
        did_not_try_rate: columns.real()?,
        failed_rate: columns.real()?,
        success_rate: columns.real()?,
        synth_attributes: columns.opt_json()?,
    })
}

fn outcome_from_row(row: &Row) -> StoreResult<SynthOutcome> {
    outcome_from_columns(&mut Columns::new(TABLE, row))
}

#[async_trait]
impl SynthOutcomeRepository for PgSynthOutcomeRepository {
    async fn insert(&self, outcomes: &[SynthOutcome]) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO synth_outcomes
            (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes
            FROM unnest($1, $2, $3, $4, $5, $6, $7) AS new
                (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)";
        self.write_all("synth_outcomes.insert", SQL, outcomes.iter())
            .await
    }

    async fn save(&self, outcomes: &[SynthOutcome]) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO synth_outcomes
            (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes
            FROM unnest($1, $2, $3, $4, $5, $6, $7) AS new
                (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            ON CONFLICT (analysis_id, synth_id) DO UPDATE SET id = excluded.id,
                did_not_try_rate = excluded.did_not_try_rate, failed_rate = excluded.failed_rate,
                success_rate = excluded.success_rate, synth_attributes = excluded.synth_attributes";
        let last = last_of_each(outcomes, |outcome| (&outcome.analysis_id, &outcome.synth_id));
        let save = || self.write_all("synth_outcomes.save", SQL, last.iter().copied());
        let mut outcome = save().await;
        for _ in 1..SAVE_ATTEMPTS {
            match &outcome {
                Err(StoreError::Conflict(key)) if key == "synth_outcomes.id" => outcome = save().await,
                _ => break,
            }
        }
        outcome
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SynthOutcome>> {
        const SQL: &str = "SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM synth_outcomes WHERE id = $1";
        let lease = self.db.look_up("synth_outcomes.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(outcome_from_row).transpose()
    }

    async fn find(&self, analysis_id: &str, synth_id: &str) -> StoreResult<Option<SynthOutcome>> {
        const SQL: &str = "SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM synth_outcomes WHERE analysis_id = $1 AND synth_id = $2";
        let lease = self.db.look_up("synth_outcomes.find");
        let row = lease
            .query_opt(SQL, &[(&analysis_id, Type::TEXT), (&synth_id, Type::TEXT)])
            .await?;
        row.as_ref().map(outcome_from_row).transpose()
    }

    async fn list(&self, analysis_id: &str, page: PageRequest) -> StoreResult<Page<SynthOutcome>> {
        const SQL: &str = "SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM synth_outcomes WHERE analysis_id = $1 ORDER BY synth_id LIMIT $2 OFFSET $3";
        const COUNT: &str = "SELECT count(*) FROM synth_outcomes WHERE analysis_id = $1";
        let lease = self.db.lease("synth_outcomes.list").await?;
        lease
            .page(SQL, COUNT, &[(&analysis_id, Type::TEXT)], page, outcome_from_row)
            .await
    }

    async fn analyses_of_synth(&self, synth_id: &str) -> StoreResult<Vec<String>> {
        const SQL: &str = "SELECT analysis_id FROM synth_outcomes WHERE synth_id = $1 ORDER BY analysis_id";
        let lease = self.db.lease("synth_outcomes.analyses_of_synth").await?;
        let rows = lease.query(SQL, &[(&synth_id, Type::TEXT)]).await?;
        rows.iter().map(|row| Columns::new(TABLE, row).text()).collect()
    }

    async fn count(&self, analysis_id: &str) -> StoreResult<u64> {
        const SQL: &str = "SELECT count(*) FROM synth_outcomes WHERE analysis_id = $1";
        let lease = self.db.lease("synth_outcomes.count").await?;
        let row = lease.query_one(SQL, &[(&analysis_id, Type::TEXT)]).await?;
        Columns::new(TABLE, &row).count()
    }

    async fn statistics(&self, analysis_id: &str) -> StoreResult<Option<OutcomeStatistics>> {
        const SQL: &str = "SELECT avg(did_not_try_rate), avg(failed_rate), avg(success_rate), count(*)
            FROM synth_outcomes WHERE analysis_id = $1";
        let lease = self.db.lease("synth_outcomes.statistics").await?;
        let row = lease.query_one(SQL, &[(&analysis_id, Type::TEXT)]).await?;
        let mut columns = Columns::new(TABLE, &row);
        // Without rows the means are NULL.
        let (did_not_try, failed, success) = (columns.get()?, columns.get()?, columns.get()?);
        let (Some(did_not_try_rate), Some(failed_rate), Some(success_rate)) = (did_not_try, failed, success)
        else {
            return Ok(None);
        };
        let means = Rates {
            did_not_try_rate,
            failed_rate,
            success_rate,
        };
        Ok(Some(OutcomeStatistics {
            means,
            synth_count: columns.count()?,
        }))
    }

    async fn extremes(&self, analysis_id: &str, count: u32) -> StoreResult<OutcomeExtremes> {
        // One statement, so that both ends are of the same moment.
        const SQL: &str = "(SELECT true, id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                    synth_attributes
                FROM synth_outcomes WHERE analysis_id = $1 ORDER BY success_rate DESC, synth_id LIMIT $2)
            UNION ALL
            (SELECT false, id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes
                FROM synth_outcomes WHERE analysis_id = $1 ORDER BY success_rate, synth_id LIMIT $2)";
        let count = i64::from(count);
        let lease = self.db.lease("synth_outcomes.extremes").await?;
        let rows = lease
            .query(SQL, &[(&analysis_id, Type::TEXT), (&count, Type::INT8)])
            .await?;
        let mut ends = OutcomeExtremes::default();
        for row in &rows {
            let mut columns = Columns::new(TABLE, row);
            let is_best: bool = columns.get()?;
            let outcome = outcome_from_columns(&mut columns)?;
            if is_best { &mut ends.best } else { &mut ends.worst }.push(outcome);
        }
        Ok(ends)
    }

    async fn delete(&self, analysis_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM synth_outcomes WHERE analysis_id = $1";
        let lease = self.db.lease("synth_outcomes.delete").await?;
        lease.execute(SQL, &[(&analysis_id, Type::TEXT)]).await
    }
}
