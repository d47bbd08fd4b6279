//! Insights into the charts of simulations.

use async_trait::async_trait;
use cutover_domain::lab::chart_insight::SimulationInsight;
use cutover_ports::lab::ChartInsightRepository;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, pg_time};
use crate::types::PgJson;

const TABLE: &str = "chart_insights";

/// [`ChartInsightRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgChartInsightRepository {
    db: Database,
}

impl PgChartInsightRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, simulation_id, insight_type, response_json, created_at, updated_at`.
fn insight_from_row(row: &Row) -> StoreResult<SimulationInsight> {
    let mut columns = Columns::new(TABLE, row);
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
impl ChartInsightRepository for PgChartInsightRepository {
    async fn save(&self, insight: &SimulationInsight) -> StoreResult<SimulationInsight> {
        const SQL: &str =
            "INSERT INTO chart_insights (id, simulation_id, insight_type, response_json, created_at,
                updated_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (simulation_id, insight_type) DO UPDATE SET response_json = excluded.response_json,
                updated_at = excluded.updated_at
            RETURNING id, simulation_id, insight_type, response_json, created_at, updated_at";
        let created_at = pg_time("chart_insights.created_at", &insight.created_at)?;
        let updated_at = pg_time("chart_insights.updated_at", &insight.updated_at)?;
        let lease = self.db.lease("chart_insights.save").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&insight.id, Type::TEXT),
                    (&insight.simulation_id, Type::TEXT),
                    (&insight.insight_type, Type::TEXT),
                    (&PgJson(insight.response_json.clone()), Type::JSONB),
                    (&created_at, Type::TIMESTAMPTZ),
                    (&updated_at, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        rows.first().map_or_else(
            || Err(StoreError::Backend("chart_insights.save: no row".into())),
            insight_from_row,
        )
    }

    async fn get(&self, simulation_id: &str, insight_type: &str) -> StoreResult<Option<SimulationInsight>> {
        const SQL: &str = "SELECT id, simulation_id, insight_type, response_json, created_at, updated_at
            FROM chart_insights WHERE simulation_id = $1 AND insight_type = $2";
        let lease = self.db.look_up("chart_insights.get");
        let key = [
            (&simulation_id as _, Type::TEXT),
            (&insight_type as _, Type::TEXT),
        ];
        let row = lease.query_opt(SQL, &key).await?;
        row.as_ref().map(insight_from_row).transpose()
    }

    async fn list_by_simulation(&self, simulation_id: &str) -> StoreResult<Vec<SimulationInsight>> {
        const SQL: &str = "SELECT id, simulation_id, insight_type, response_json, created_at, updated_at
            FROM chart_insights WHERE simulation_id = $1 AND insight_type <> 'executive_summary'
            ORDER BY created_at, insight_type";
        let lease = self.db.lease("chart_insights.list_by_simulation").await?;
        let rows = lease.query(SQL, &[(&simulation_id, Type::TEXT)]).await?;
        rows.iter().map(insight_from_row).collect()
    }

    async fn delete(&self, simulation_id: &str, insight_type: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM chart_insights WHERE simulation_id = $1 AND insight_type = $2";
        let lease = self.db.lease("chart_insights.delete").await?;
        let key = [
            (&simulation_id as _, Type::TEXT),
            (&insight_type as _, Type::TEXT),
        ];
        Ok(lease.execute(SQL, &key).await? > 0)
    }

    async fn delete_by_simulation(&self, simulation_id: &str) -> StoreResult<u64> {
        const SQL: &str = "DELETE FROM chart_insights WHERE simulation_id = $1";
        let lease = self.db.lease("chart_insights.delete_by_simulation").await?;
        lease.execute(SQL, &[(&simulation_id, Type::TEXT)]).await
    }
}
