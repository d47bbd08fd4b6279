//! Results of sensitivity studies.

use async_trait::async_trait;
use cutover_domain::lab::sensitivity::SensitivityResult;
use cutover_ports::StoreResult;
use cutover_ports::lab::SensitivityRepository;
use rusqlite::params;

use crate::Database;
use crate::instant::newest_first;
use crate::row::{Columns, sql_number, sql_time};

/// [`SensitivityRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteSensitivityRepository {
    db: Database,
}

impl SqliteSensitivityRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, simulation_id, analyzed_at, deltas_used, baseline_success, most_sensitive_dimension, dimensions,
/// created_at`.
fn result_from_row(columns: &mut Columns<'_>) -> StoreResult<SensitivityResult> {
    Ok(SensitivityResult {
        id: columns.text()?,
        simulation_id: columns.text()?,
        analyzed_at: columns.time()?,
        deltas_used: columns.json()?,
        baseline_success: columns.real()?,
        most_sensitive_dimension: columns.text()?,
        dimensions: columns.json()?,
        created_at: columns.time()?,
    })
}

#[async_trait]
impl SensitivityRepository for SqliteSensitivityRepository {
    async fn insert(&self, result: &SensitivityResult) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO sensitivity_results (id, simulation_id, analyzed_at, deltas_used,
                baseline_success, most_sensitive_dimension, dimensions, created_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let _held = self
            .db
            .keys
            .before_write(&[("simulation_runs", &result.simulation_id)])
            .await?;
        let new = result.clone();
        self.db
            .write("sensitivity_results.insert", move |session| {
                let row = params![
                    new.id,
                    new.simulation_id,
                    sql_time(&new.analyzed_at),
                    new.deltas_used.as_str(),
                    sql_number(&new.baseline_success),
                    new.most_sensitive_dimension,
                    new.dimensions.as_str(),
                    sql_time(&new.created_at),
                ];
                let parent = ("simulation_runs", "id", new.simulation_id.as_str());
                session.execute_referring(SQL, row, &[parent]).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SensitivityResult>> {
        const SQL: &str = "SELECT id, simulation_id, analyzed_at, deltas_used, baseline_success,
                most_sensitive_dimension, dimensions, created_at
            FROM sensitivity_results WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("sensitivity_results.get", move |session| {
                session.query_opt(SQL, [&id], result_from_row)
            })
            .await
    }

    async fn latest_by_simulation(&self, simulation_id: &str) -> StoreResult<Option<SensitivityResult>> {
        const SQL: &str = concat!(
            "SELECT id, simulation_id, analyzed_at, deltas_used, baseline_success,
                most_sensitive_dimension, dimensions, created_at
            FROM sensitivity_results WHERE simulation_id = ?1
            ORDER BY ",
            newest_first!("analyzed_at"),
            ", id LIMIT 1"
        );
        let simulation_id = simulation_id.to_owned();
        self.db
            .read("sensitivity_results.latest_by_simulation", move |session| {
                session.query_opt(SQL, [simulation_id], result_from_row)
            })
            .await
    }

    async fn delete_by_simulation(&self, simulation_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM sensitivity_results WHERE simulation_id = ?1";
        let simulation_id = simulation_id.to_owned();
        self.db
            .write("sensitivity_results.delete_by_simulation", move |session| {
                session.execute(SQL, [simulation_id])
            })
            .await
    }
}
