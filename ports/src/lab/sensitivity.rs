//! Results of sensitivity studies.

use async_trait::async_trait;
use cutover_domain::lab::sensitivity::SensitivityResult;

use crate::StoreResult;

/// Results of sensitivity studies (`sensitivity_results`). A simulation may have several.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait SensitivityRepository: Send + Sync {
    /// Stores a new result. A taken id is `Conflict("sensitivity_results.id")`, a simulation that does not exist
    /// `Missing("simulation_runs")`.
    async fn insert(&self, result: &SensitivityResult) -> StoreResult<()>;

    /// The result, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<SensitivityResult>>;

    /// The simulation's result that was analyzed last, of equals the first by id; `None` if it has none.
    async fn latest_by_simulation(&self, simulation_id: &str) -> StoreResult<Option<SensitivityResult>>;

    /// Deletes the simulation's results; how many there were.
    async fn delete_by_simulation(&self, simulation_id: &str) -> StoreResult<u64>;
}
