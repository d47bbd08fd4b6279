//! How good models were.

use async_trait::async_trait;
use cutover_domain::market::day::Day;
use cutover_domain::market::model_performance::{ModelPerformance, PerformanceFigures};
use cutover_domain::time::Timestamp;
use cutover_ports::market::ModelPerformanceRepository;
use cutover_ports::{StoreError, StoreResult};
use rusqlite::params;

use super::Table;
use crate::Database;
use crate::row::{Columns, opt_sql_number};

const TABLE: Table = Table {
    name: "model_performance",
    columns: &[
        "id",
        "date",
        "model_name",
        "mae",
        "rmse",
        "hit_rate_1dollar",
        "interval_coverage",
        "created_at",
        "updated_at",
    ],
};

/// [`ModelPerformanceRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteModelPerformanceRepository {
    db: Database,
}

impl SqliteModelPerformanceRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads a whole row, in the order of `TABLE`.
fn performance_from_row(columns: &mut Columns<'_>) -> StoreResult<ModelPerformance> {
    Ok(ModelPerformance {
        id: columns.integer()?.known().copied().unwrap_or_default(),
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
impl ModelPerformanceRepository for SqliteModelPerformanceRepository {
    async fn save(
        &self,
        day: Day,
        model_name: &str,
        figures: &PerformanceFigures,
        now: Timestamp,
    ) -> StoreResult<ModelPerformance> {
        // `updated_at` is given although a column's default may say otherwise: old files differ.
        const SQL: &str = "INSERT INTO model_performance (date, model_name, mae, rmse, hit_rate_1dollar, interval_coverage,
                created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL)
            ON CONFLICT (date, model_name) DO UPDATE SET mae = excluded.mae, rmse = excluded.rmse,
                hit_rate_1dollar = excluded.hit_rate_1dollar, interval_coverage = excluded.interval_coverage,
                updated_at = CASE WHEN (model_performance.mae, model_performance.rmse, model_performance.hit_rate_1dollar,
                        model_performance.interval_coverage)
                        IS (excluded.mae, excluded.rmse, excluded.hit_rate_1dollar, excluded.interval_coverage)
                    THEN model_performance.updated_at ELSE excluded.created_at END
            RETURNING id, date, model_name, mae, rmse, hit_rate_1dollar, interval_coverage, created_at, updated_at";
        let (model_name, figures) = (model_name.to_owned(), figures.clone());
        self.db
            .write("model_performance.save", move |session| {
                TABLE.whole(session)?;
                let saved = session.query_opt(
                    SQL,
                    params![
                        day.to_string(),
                        model_name,
                        opt_sql_number(figures.mae.as_ref()),
                        opt_sql_number(figures.rmse.as_ref()),
                        opt_sql_number(figures.hit_rate_1dollar.as_ref()),
                        opt_sql_number(figures.interval_coverage.as_ref()),
                        now.to_naive(session.zone()),
                    ],
                    performance_from_row,
                )?;
                saved.ok_or_else(|| StoreError::missing("model_performance"))
            })
            .await
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
            WHERE date >= ?1 AND date <= ?2 AND (?3 IS NULL OR model_name = ?3)
            ORDER BY date, model_name, id";
        self.db
            .read("model_performance.history", move |session| {
                let sql = TABLE.reading(session, SQL)?;
                session.query(
                    &sql,
                    params![from.to_string(), to.to_string(), model_name],
                    performance_from_row,
                )
            })
            .await
    }
}
