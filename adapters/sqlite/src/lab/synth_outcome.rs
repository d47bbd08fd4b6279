//! Outcomes of synths.

use std::collections::BTreeSet;

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::Rates;
use cutover_domain::lab::synth_outcome::{OutcomeExtremes, OutcomeStatistics, SynthOutcome};
use cutover_ports::batch::last_of_each;
use cutover_ports::lab::SynthOutcomeRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::row::{Columns, sql_number};

/// [`SynthOutcomeRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteSynthOutcomeRepository {
    db: Database,
}

impl SqliteSynthOutcomeRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    /// Runs `sql`, which takes a whole row, for each outcome, in one transaction.
    async fn write_all(
        &self,
        operation: &'static str,
        sql: &'static str,
        outcomes: &[SynthOutcome],
    ) -> StoreResult<()> {
        let analyses: BTreeSet<&str> = outcomes
            .iter()
            .map(|outcome| outcome.analysis_id.as_str())
            .collect();
        let parents: Vec<_> = analyses.into_iter().map(|id| ("analysis_runs", id)).collect();
        let _held = self.db.keys.before_write(&parents).await?;
        let outcomes = outcomes.to_vec();
        self.db
            .atomic(operation, move |session| {
                session.execute_each(
                    sql,
                    &outcomes,
                    |outcome| {
                        (
                            outcome.id.as_deref(),
                            outcome.analysis_id.as_str(),
                            outcome.synth_id.as_str(),
                            sql_number(&outcome.did_not_try_rate),
                            sql_number(&outcome.failed_rate),
                            sql_number(&outcome.success_rate),
                            outcome.synth_attributes.as_ref().map(Json::as_str),
                        )
                    },
                    |outcome| ("analysis_runs", "id", outcome.analysis_id.as_str()),
                )
            })
            .await
    }
}

/// Reads `id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes`.
fn outcome_from_row(columns: &mut Columns<'_>) -> StoreResult<SynthOutcome> {
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

#[async_trait]
impl SynthOutcomeRepository for SqliteSynthOutcomeRepository {
    async fn insert(&self, outcomes: &[SynthOutcome]) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO synth_outcomes
            (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.write_all("synth_outcomes.insert", SQL, outcomes).await
    }

    async fn save(&self, outcomes: &[SynthOutcome]) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO synth_outcomes
            (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (analysis_id, synth_id) DO UPDATE SET id = excluded.id,
                did_not_try_rate = excluded.did_not_try_rate, failed_rate = excluded.failed_rate,
                success_rate = excluded.success_rate, synth_attributes = excluded.synth_attributes";
        let last: Vec<SynthOutcome> =
            last_of_each(outcomes, |outcome| (&outcome.analysis_id, &outcome.synth_id))
                .into_iter()
                .cloned()
                .collect();
        self.write_all("synth_outcomes.save", SQL, &last).await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SynthOutcome>> {
        const SQL: &str = "SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM synth_outcomes WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("synth_outcomes.get", move |session| {
                session.query_opt(SQL, [&id], outcome_from_row)
            })
            .await
    }

    async fn find(&self, analysis_id: &str, synth_id: &str) -> StoreResult<Option<SynthOutcome>> {
        const SQL: &str = "SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM synth_outcomes WHERE analysis_id = ?1 AND synth_id = ?2";
        let key = [analysis_id.to_owned(), synth_id.to_owned()];
        self.db
            .look_up("synth_outcomes.find", move |session| {
                session.query_opt(SQL, key.each_ref(), outcome_from_row)
            })
            .await
    }

    async fn list(&self, analysis_id: &str, page: PageRequest) -> StoreResult<Page<SynthOutcome>> {
        const SQL: &str = "SELECT id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM synth_outcomes WHERE analysis_id = ?1 ORDER BY synth_id LIMIT ?2 OFFSET ?3";
        const COUNT: &str = "SELECT count(*) FROM synth_outcomes WHERE analysis_id = ?1";
        let analysis_id = analysis_id.to_owned();
        self.db
            .read("synth_outcomes.list", move |session| {
                session.page(SQL, COUNT, &[&analysis_id], page, outcome_from_row)
            })
            .await
    }

    async fn analyses_of_synth(&self, synth_id: &str) -> StoreResult<Vec<String>> {
        const SQL: &str = "SELECT analysis_id FROM synth_outcomes WHERE synth_id = ?1 ORDER BY analysis_id";
        let synth_id = synth_id.to_owned();
        self.db
            .read("synth_outcomes.analyses_of_synth", move |session| {
                session.query(SQL, [synth_id], |columns| columns.text())
            })
            .await
    }

    async fn count(&self, analysis_id: &str) -> StoreResult<u64> {
        const SQL: &str = "SELECT count(*) FROM synth_outcomes WHERE analysis_id = ?1";
        let analysis_id = analysis_id.to_owned();
        self.db
            .read("synth_outcomes.count", move |session| {
                Ok(session
                    .query_opt(SQL, [analysis_id], |columns| columns.count())?
                    .unwrap_or(0))
            })
            .await
    }

    async fn statistics(&self, analysis_id: &str) -> StoreResult<Option<OutcomeStatistics>> {
        const SQL: &str = "SELECT avg(did_not_try_rate), avg(failed_rate), avg(success_rate), count(*)
            FROM synth_outcomes WHERE analysis_id = ?1";
        let analysis_id = analysis_id.to_owned();
        self.db
            .read("synth_outcomes.statistics", move |session| {
                let means = session.query_opt(SQL, [analysis_id], |columns| {
                    Ok((
                        columns.real()?,
                        columns.real()?,
                        columns.real()?,
                        columns.count()?,
                    ))
                })?;
                // Without rows the means are NULL.
                Ok(means.and_then(|(did_not_try, failed, success, synth_count)| {
                    let means = Rates {
                        did_not_try_rate: *did_not_try.known()?,
                        failed_rate: *failed.known()?,
                        success_rate: *success.known()?,
                    };
                    Some(OutcomeStatistics { means, synth_count })
                }))
            })
            .await
    }

    async fn extremes(&self, analysis_id: &str, count: u32) -> StoreResult<OutcomeExtremes> {
        // One statement, so that both ends are of the same moment.
        const SQL: &str = "SELECT is_best, id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                synth_attributes
            FROM (SELECT 1 AS is_best, id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                    synth_attributes
                FROM synth_outcomes WHERE analysis_id = ?1 ORDER BY success_rate DESC, synth_id LIMIT ?2)
            UNION ALL
            SELECT is_best, id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes
            FROM (SELECT 0 AS is_best, id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate,
                    synth_attributes
                FROM synth_outcomes WHERE analysis_id = ?1 ORDER BY success_rate, synth_id LIMIT ?2)";
        let analysis_id = analysis_id.to_owned();
        self.db
            .read("synth_outcomes.extremes", move |session| {
                let rows = session.query(SQL, params![analysis_id, count], |columns| {
                    Ok((columns.count()? > 0, outcome_from_row(columns)?))
                })?;
                Ok(split_ends(rows))
            })
            .await
    }

    async fn delete(&self, analysis_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM synth_outcomes WHERE analysis_id = ?1";
        let analysis_id = analysis_id.to_owned();
        self.db
            .write("synth_outcomes.delete", move |session| {
                session.execute(SQL, [analysis_id])
            })
            .await
    }
}

fn split_ends(rows: Vec<(bool, SynthOutcome)>) -> OutcomeExtremes {
    let mut ends = OutcomeExtremes::default();
    for (is_best, outcome) in rows {
        if is_best { &mut ends.best } else { &mut ends.worst }.push(outcome);
    }
    ends
}
