//! Insights into the charts of simulations.

use async_trait::async_trait;
use cutover_domain::lab::chart_insight::SimulationInsight;

use crate::StoreResult;

/// Insights into the charts of simulations, and the summaries of all charts (`chart_insights`). A simulation has at
/// most one of each type; it need not exist, and may be an analysis run.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ChartInsightRepository: Send + Sync {
    /// Stores an insight, or its document and `updated_at` in the one of the same simulation and type; what is stored
    /// now: an insight that was there keeps its id and `created_at`. An id that another insight has is
    /// `Conflict("chart_insights.id")`.
    async fn save(&self, insight: &SimulationInsight) -> StoreResult<SimulationInsight>;

    /// The insight, or `None`.
    async fn get(&self, simulation_id: &str, insight_type: &str) -> StoreResult<Option<SimulationInsight>>;

    /// The simulation's insights without the executive summary, oldest first, then by type.
    async fn list_by_simulation(&self, simulation_id: &str) -> StoreResult<Vec<SimulationInsight>>;

    /// Deletes an insight; `false` if there is none.
    async fn delete(&self, simulation_id: &str, insight_type: &str) -> StoreResult<bool>;

    /// Deletes the simulation's insights and its executive summary; how many there were.
    async fn delete_by_simulation(&self, simulation_id: &str) -> StoreResult<u64>;
}
