//! Results of sensitivity studies.

use async_trait::async_trait;
use cutover_domain::lab::sensitivity::SensitivityResult;
use cutover_ports::StoreResult;
use cutover_ports::lab::SensitivityRepository;
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, known, pg_time};
use crate::types::PgJson;

const TABLE: &str = "sensitivity_results";

/// [`SensitivityRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgSensitivityRepository {
    db: Database,
}

impl PgSensitivityRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, simulation_id, analyzed_at, deltas_used, baseline_success, most_sensitive_dimension, dimensions,
/// created_at`.
fn result_from_row(row: &Row) -> StoreResult<SensitivityResult> {
    let mut columns = Columns::new(TABLE, row);
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
impl SensitivityRepository for PgSensitivityRepository {
    async fn insert(&self, result: &SensitivityResult) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO sensitivity_results (id, simulation_id, analyzed_at, deltas_used,
                baseline_success, most_sensitive_dimension, dimensions, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let analyzed_at = pg_time("sensitivity_results.analyzed_at", &result.analyzed_at)?;
        let created_at = pg_time("sensitivity_results.created_at", &result.created_at)?;
        let baseline_success = known("sensitivity_results.baseline_success", &result.baseline_success)?;
        let _held = self
            .db
            .keys
            .before_write(&[("simulation_runs", &result.simulation_id)])
            .await?;
        let lease = self.db.lease("sensitivity_results.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&result.id, Type::TEXT),
                    (&result.simulation_id, Type::TEXT),
                    (&analyzed_at, Type::TIMESTAMPTZ),
                    (&PgJson(result.deltas_used.clone()), Type::JSONB),
                    (&baseline_success, Type::FLOAT8),
                    (&result.most_sensitive_dimension, Type::TEXT),
                    (&PgJson(result.dimensions.clone()), Type::JSONB),
                    (&created_at, Type::TIMESTAMPTZ),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SensitivityResult>> {
        const SQL: &str = "SELECT id, simulation_id, analyzed_at, deltas_used, baseline_success,
                most_sensitive_dimension, dimensions, created_at
            FROM sensitivity_results WHERE id = $1";
        let lease = self.db.look_up("sensitivity_results.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(result_from_row).transpose()
    }

    async fn latest_by_simulation(&self, simulation_id: &str) -> StoreResult<Option<SensitivityResult>> {
        const SQL: &str = "SELECT id, simulation_id, analyzed_at, deltas_used, baseline_success,
                most_sensitive_dimension, dimensions, created_at
            FROM sensitivity_results WHERE simulation_id = $1 ORDER BY analyzed_at DESC, id LIMIT 1";
        let lease = self.db.lease("sensitivity_results.latest_by_simulation").await?;
        let row = lease.query_opt(SQL, &[(&simulation_id, Type::TEXT)]).await?;
        row.as_ref().map(result_from_row).transpose()
    }

    async fn delete_by_simulation(&self, simulation_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM sensitivity_results WHERE simulation_id = $1";
        let lease = self.db.lease("sensitivity_results.delete_by_simulation").await?;
        lease.execute(SQL, &[(&simulation_id, Type::TEXT)]).await
    }
}
