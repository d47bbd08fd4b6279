//! How good models were.

use async_trait::async_trait;
use cutover_domain::market::day::Day;
use cutover_domain::market::model_performance::{ModelPerformance, PerformanceFigures};
use cutover_domain::time::Timestamp;
use cutover_ports::market::ModelPerformanceRepository;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_known};
use crate::types::{PgDay, PgTime};

const TABLE: &str = "model_performance";

/// [`ModelPerformanceRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgModelPerformanceRepository {
    db: Database,
}

impl PgModelPerformanceRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads a whole row.
fn performance_from_row(row: &Row) -> StoreResult<ModelPerformance> {
    let mut columns = Columns::new(TABLE, row);
    Ok(ModelPerformance {
        id: columns.get()?,
        day: columns.day()?,
        model_name: columns.text()?,
        figures: PerformanceFigures {
            mae: columns.opt_real()?,
            rmse: columns.opt_real()?,
            hit_rate_1dollar: columns.opt_real()?,
            interval_coverage: columns.opt_real()?,
        },
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl ModelPerformanceRepository for PgModelPerformanceRepository {
    async fn save(
        &self,
        day: Day,
        model_name: &str,
        figures: &PerformanceFigures,
        now: Timestamp,
    ) -> StoreResult<ModelPerformance> {
        const SQL: &str = "INSERT INTO model_performance (date, model_name, mae, rmse, hit_rate_1dollar, interval_coverage,
                created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (date, model_name) DO UPDATE SET mae = excluded.mae, rmse = excluded.rmse,
                hit_rate_1dollar = excluded.hit_rate_1dollar, interval_coverage = excluded.interval_coverage,
                updated_at = CASE WHEN (model_performance.mae, model_performance.rmse, model_performance.hit_rate_1dollar,
                        model_performance.interval_coverage)
                        IS NOT DISTINCT FROM
                        (excluded.mae, excluded.rmse, excluded.hit_rate_1dollar, excluded.interval_coverage)
                    THEN model_performance.updated_at ELSE excluded.created_at END
            RETURNING id, date, model_name, mae, rmse, hit_rate_1dollar, interval_coverage, created_at, updated_at";
        let mae = opt_known("model_performance.mae", figures.mae.as_ref())?;
        let rmse = opt_known("model_performance.rmse", figures.rmse.as_ref())?;
        let hit_rate = opt_known(
            "model_performance.hit_rate_1dollar",
            figures.hit_rate_1dollar.as_ref(),
        )?;
        let coverage = opt_known(
            "model_performance.interval_coverage",
            figures.interval_coverage.as_ref(),
        )?;
        let lease = self.db.lease("model_performance.save").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&PgDay(day), Type::DATE),
                    (&model_name, Type::TEXT),
                    (&mae, Type::FLOAT8),
                    (&rmse, Type::FLOAT8),
                    (&hit_rate, Type::FLOAT8),
                    (&coverage, Type::FLOAT8),
                    (&PgTime(now), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        performance_from_row(rows.first().ok_or_else(|| StoreError::missing(TABLE))?)
    }

    async fn history(
        &self,
        from: Day,
        to: Day,
        model_name: Option<String>,
    ) -> StoreResult<Vec<ModelPerformance>> {
        const SQL: &str =
            "SELECT id, date, model_name, mae, rmse, hit_rate_1dollar, interval_coverage, created_at,
                updated_at
            FROM model_performance
            WHERE date >= $1 AND date <= $2 AND ($3::text IS NULL OR model_name = $3)
            ORDER BY date, model_name, id";
        let lease = self.db.lease("model_performance.history").await?;
        let rows = lease
            .query(
                SQL,
                &[
                    (&PgDay(from), Type::DATE),
                    (&PgDay(to), Type::DATE),
                    (&model_name, Type::TEXT),
                ],
            )
            .await?;
        rows.iter().map(performance_from_row).collect()
    }
}
