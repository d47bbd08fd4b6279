//! Runs of the legacy simulation.

use async_trait::async_trait;
use cutover_domain::lab::simulation::{SimulationFilter, SimulationRun};

use crate::{Page, PageRequest, StoreResult};

/// Runs of the legacy simulation (`simulation_runs`). Their outcomes belong to another repository.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SimulationRepository: Send + Sync {
    /// Stores a new run. A taken id is `Conflict("simulation_runs.id")`, a scorecard that does not exist
    /// `Missing("feature_scorecards")`.
    async fn insert(&self, run: &SimulationRun) -> StoreResult<()>;

    /// The run, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<SimulationRun>>;

    /// Stores how far `run` is: its status, its end, its number of synths, its outcomes and how long it took, none of
    /// them included. Its scorecard, scenario, configuration and start stay as they are stored. `false` if there is
    /// no run with its id.
    async fn update(&self, run: &SimulationRun) -> StoreResult<bool>;

    /// The runs that `filter` lets through, the one started last first, then by id.
    async fn list(&self, filter: &SimulationFilter, page: PageRequest) -> StoreResult<Page<SimulationRun>>;

    /// The runs of any of these scorecards, in the same order.
    async fn list_by_scorecards(
        &self,
        scorecard_ids: &[String],
        page: PageRequest,
    ) -> StoreResult<Page<SimulationRun>>;
}
