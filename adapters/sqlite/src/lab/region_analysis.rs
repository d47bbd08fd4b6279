//! Regions of simulations.

use async_trait::async_trait;
use cutover_domain::lab::region_analysis::RegionAnalysis;
use cutover_ports::StoreResult;
use cutover_ports::lab::RegionAnalysisRepository;
use rusqlite::params;

use crate::Database;
use crate::row::{Columns, sql_number};

/// [`RegionAnalysisRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteRegionAnalysisRepository {
    db: Database,
}

impl SqliteRegionAnalysisRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

const DELETE: &str = "DELETE FROM region_analyses WHERE simulation_id = ?1";

/// Reads `id, rules, rule_text, synth_count, synth_percentage, did_not_try_rate, failed_rate, success_rate,
/// failure_delta`.
fn region_from_row(columns: &mut Columns<'_>) -> StoreResult<RegionAnalysis> {
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

#[async_trait]
impl RegionAnalysisRepository for SqliteRegionAnalysisRepository {
    async fn replace_for_simulation(
        &self,
        simulation_id: &str,
        regions: &[RegionAnalysis],
    ) -> StoreResult<()> {
        const INSERT: &str = "INSERT INTO region_analyses (id, simulation_id, rules, rule_text, synth_count,
                synth_percentage, did_not_try_rate, failed_rate, success_rate, failure_delta)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let parent = (!regions.is_empty()).then_some(("simulation_runs", simulation_id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let (simulation_id, regions) = (simulation_id.to_owned(), regions.to_vec());
        self.db
            .atomic("region_analyses.replace_for_simulation", move |session| {
                session.execute(DELETE, [&simulation_id])?;
                for region in &regions {
                    let row = params![
                        region.id,
                        simulation_id,
                        region.rules.as_str(),
                        region.rule_text,
                        sql_number(&region.synth_count),
                        sql_number(&region.synth_percentage),
                        sql_number(&region.did_not_try_rate),
                        sql_number(&region.failed_rate),
                        sql_number(&region.success_rate),
                        sql_number(&region.failure_delta),
                    ];
                    session.execute_referring(INSERT, row, &[("simulation_runs", "id", &simulation_id)])?;
                }
                Ok(())
            })
            .await
    }

    async fn list(&self, simulation_id: &str) -> StoreResult<Vec<RegionAnalysis>> {
        const SQL: &str = "SELECT id, rules, rule_text, synth_count, synth_percentage, did_not_try_rate,
                failed_rate, success_rate, failure_delta
            FROM region_analyses WHERE simulation_id = ?1 ORDER BY failed_rate DESC, id";
        let simulation_id = simulation_id.to_owned();
        self.db
            .read("region_analyses.list", move |session| {
                session.query(SQL, [simulation_id], region_from_row)
            })
            .await
    }

    async fn delete(&self, simulation_id: &str) -> StoreResult<u64> {
        let simulation_id = simulation_id.to_owned();
        self.db
            .write("region_analyses.delete", move |session| {
                session.execute(DELETE, [simulation_id])
            })
            .await
    }
}
