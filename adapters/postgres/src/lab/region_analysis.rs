//! Regions of simulations.

use async_trait::async_trait;
use cutover_domain::lab::region_analysis::RegionAnalysis;
use cutover_ports::StoreResult;
use cutover_ports::lab::RegionAnalysisRepository;
use postgres_types::Type;

use crate::Database;
use crate::database::Lease;
use crate::row::{Columns, Row, known};
use crate::types::PgJson;

const TABLE: &str = "region_analyses";
const DELETE: &str = "DELETE FROM region_analyses WHERE simulation_id = $1";

/// [`RegionAnalysisRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgRegionAnalysisRepository {
    db: Database,
}

impl PgRegionAnalysisRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, rules, rule_text, synth_count, synth_percentage, did_not_try_rate, failed_rate, success_rate,
/// failure_delta`.
fn region_from_row(row: &Row) -> StoreResult<RegionAnalysis> {
    let mut columns = Columns::new(TABLE, row);
    Ok(RegionAnalysis {
        id: columns.text()?,
        rules: columns.json()?,
        rule_text: columns.text()?,
        synth_count: columns.integer()?,
        synth_percentage: columns.real()?,
        did_not_try_rate: columns.real()?,
        failed_rate: columns.real()?,
        success_rate: columns.real()?,
        failure_delta: columns.real()?,
    })
}

/// Regions column by column.
#[derive(Default)]
struct Arrays<'a> {
    id: Vec<&'a str>,
    rules: Vec<PgJson>,
    rule_text: Vec<&'a str>,
    synth_count: Vec<i64>,
    synth_percentage: Vec<f64>,
    did_not_try_rate: Vec<f64>,
    failed_rate: Vec<f64>,
    success_rate: Vec<f64>,
    failure_delta: Vec<f64>,
}

impl<'a> Arrays<'a> {
    fn push(&mut self, region: &'a RegionAnalysis) -> StoreResult<()> {
        self.id.push(&region.id);
        self.rules.push(PgJson(region.rules.clone()));
        self.rule_text.push(&region.rule_text);
        self.synth_count
            .push(known("region_analyses.synth_count", &region.synth_count)?);
        for (column, what, value) in [
            (
                &mut self.synth_percentage,
                "region_analyses.synth_percentage",
                &region.synth_percentage,
            ),
            (
                &mut self.did_not_try_rate,
                "region_analyses.did_not_try_rate",
                &region.did_not_try_rate,
            ),
            (
                &mut self.failed_rate,
                "region_analyses.failed_rate",
                &region.failed_rate,
            ),
            (
                &mut self.success_rate,
                "region_analyses.success_rate",
                &region.success_rate,
            ),
            (
                &mut self.failure_delta,
                "region_analyses.failure_delta",
                &region.failure_delta,
            ),
        ] {
            column.push(known(what, value)?);
        }
        Ok(())
    }
}

/// Replaces the simulation's regions, inside a transaction.
async fn replace(lease: &Lease, simulation_id: &str, arrays: &Arrays<'_>) -> StoreResult<()> {
    // Two replacements at once would each delete what was there before and both store theirs. The lock is a statement
    // of its own, so that the delete sees what was committed until it was given.
    const LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('region_analyses:' || $1, 0)) IS NULL";
    const INSERT: &str = "INSERT INTO region_analyses (id, simulation_id, rules, rule_text, synth_count,
            synth_percentage, did_not_try_rate, failed_rate, success_rate, failure_delta)
        SELECT id, $1, rules, rule_text, synth_count, synth_percentage, did_not_try_rate, failed_rate,
            success_rate, failure_delta
        FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) AS new (id, rules, rule_text, synth_count,
            synth_percentage, did_not_try_rate, failed_rate, success_rate, failure_delta)";
    let simulation = (&simulation_id as _, Type::TEXT);
    lease.query(LOCK, std::slice::from_ref(&simulation)).await?;
    lease.execute(DELETE, std::slice::from_ref(&simulation)).await?;
    lease
        .execute(
            INSERT,
            &[
                simulation,
                (&arrays.id, Type::TEXT_ARRAY),
                (&arrays.rules, Type::JSONB_ARRAY),
                (&arrays.rule_text, Type::TEXT_ARRAY),
                (&arrays.synth_count, Type::INT8_ARRAY),
                (&arrays.synth_percentage, Type::FLOAT8_ARRAY),
                (&arrays.did_not_try_rate, Type::FLOAT8_ARRAY),
                (&arrays.failed_rate, Type::FLOAT8_ARRAY),
                (&arrays.success_rate, Type::FLOAT8_ARRAY),
                (&arrays.failure_delta, Type::FLOAT8_ARRAY),
            ],
        )
        .await
        .map(drop)
}

#[async_trait]
impl RegionAnalysisRepository for PgRegionAnalysisRepository {
    async fn replace_for_simulation(
        &self,
        simulation_id: &str,
        regions: &[RegionAnalysis],
    ) -> StoreResult<()> {
        let mut arrays = Arrays::default();
        for region in regions {
            arrays.push(region)?;
        }
        let parent = (!regions.is_empty()).then_some(("simulation_runs", simulation_id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let transaction = self.db.begin("region_analyses.replace_for_simulation").await?;
        let work = replace(&transaction, simulation_id, &arrays).await;
        transaction.finish(work).await
    }

    async fn list(&self, simulation_id: &str) -> StoreResult<Vec<RegionAnalysis>> {
        const SQL: &str = "SELECT id, rules, rule_text, synth_count, synth_percentage, did_not_try_rate,
                failed_rate, success_rate, failure_delta
            FROM region_analyses WHERE simulation_id = $1 ORDER BY failed_rate DESC, id";
        let lease = self.db.lease("region_analyses.list").await?;
        let rows = lease.query(SQL, &[(&simulation_id, Type::TEXT)]).await?;
        rows.iter().map(region_from_row).collect()
    }

    async fn delete(&self, simulation_id: &str) -> StoreResult<u64> {
        let lease = self.db.lease("region_analyses.delete").await?;
        lease.execute(DELETE, &[(&simulation_id, Type::TEXT)]).await
    }
}
