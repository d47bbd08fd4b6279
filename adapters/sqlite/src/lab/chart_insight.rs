//! Insights into the charts of simulations.

use async_trait::async_trait;
use cutover_domain::lab::chart_insight::SimulationInsight;
use cutover_ports::StoreResult;
use cutover_ports::lab::ChartInsightRepository;
use rusqlite::params;

use crate::Database;
use crate::instant::oldest_first;
use crate::row::{Columns, sql_time};

/// [`ChartInsightRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteChartInsightRepository {
    db: Database,
}

impl SqliteChartInsightRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, simulation_id, insight_type, response_json, created_at, updated_at`.
fn insight_from_row(columns: &mut Columns<'_>) -> StoreResult<SimulationInsight> {
    Ok(SimulationInsight {
        id: columns.text()?,
        simulation_id: columns.text()?,
        insight_type: columns.text()?,
        response_json: columns.json()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

#[async_trait]
impl ChartInsightRepository for SqliteChartInsightRepository {
    async fn save(&self, insight: &SimulationInsight) -> StoreResult<SimulationInsight> {
        const SQL: &str =
            "INSERT INTO chart_insights (id, simulation_id, insight_type, response_json, created_at,
                updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (simulation_id, insight_type) DO UPDATE SET response_json = excluded.response_json,
                updated_at = excluded.updated_at
            RETURNING id, simulation_id, insight_type, response_json, created_at, updated_at";
        let new = insight.clone();
        self.db
            .write("chart_insights.save", move |session| {
                let row = params![
                    new.id,
                    new.simulation_id,
                    new.insight_type,
                    new.response_json.as_str(),
                    sql_time(&new.created_at),
                    sql_time(&new.updated_at),
                ];
                Ok(session.query_opt(SQL, row, insight_from_row)?.unwrap_or(new))
            })
            .await
    }

    async fn get(&self, simulation_id: &str, insight_type: &str) -> StoreResult<Option<SimulationInsight>> {
        const SQL: &str = "SELECT id, simulation_id, insight_type, response_json, created_at, updated_at
            FROM chart_insights WHERE simulation_id = ?1 AND insight_type = ?2";
        let key = [simulation_id.to_owned(), insight_type.to_owned()];
        self.db
            .look_up("chart_insights.get", move |session| {
                session.query_opt(SQL, key.each_ref(), insight_from_row)
            })
            .await
    }

    async fn list_by_simulation(&self, simulation_id: &str) -> StoreResult<Vec<SimulationInsight>> {
        const SQL: &str = concat!(
            "SELECT id, simulation_id, insight_type, response_json, created_at, updated_at
            FROM chart_insights WHERE simulation_id = ?1 AND insight_type <> 'executive_summary'
            ORDER BY ",
            oldest_first!("created_at"),
            ", insight_type"
        );
        let simulation_id = simulation_id.to_owned();
        self.db
            .read("chart_insights.list_by_simulation", move |session| {
                session.query(SQL, [simulation_id], insight_from_row)
            })
            .await
    }

    async fn delete(&self, simulation_id: &str, insight_type: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM chart_insights WHERE simulation_id = ?1 AND insight_type = ?2";
        let key = [simulation_id.to_owned(), insight_type.to_owned()];
        self.db
            .write("chart_insights.delete", move |session| {
                Ok(session.execute(SQL, key)? > 0)
            })
            .await
    }

    async fn delete_by_simulation(&self, simulation_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM chart_insights WHERE simulation_id = ?1";
        let simulation_id = simulation_id.to_owned();
        self.db
            .write("chart_insights.delete_by_simulation", move |session| {
                session.execute(SQL, [simulation_id])
            })
            .await
    }
}
