//! Regions of simulations.

use async_trait::async_trait;
use cutover_domain::lab::region_analysis::RegionAnalysis;

use crate::StoreResult;

/// Regions of simulations (`region_analyses`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait RegionAnalysisRepository: Send + Sync {
    /// Stores `regions` in place of all that the simulation has, all or nothing; of two replacements at once one is
    /// stored whole. An id that stands twice among them, or that another simulation's region has, is
    /// `Conflict("region_analyses.id")`, regions of a simulation that does not exist are `Missing("simulation_runs")`.
    async fn replace_for_simulation(
        &self,
        simulation_id: &str,
        regions: &[RegionAnalysis],
    ) -> StoreResult<()>;

    /// The simulation's regions, the one that failed most first, then by id.
    async fn list(&self, simulation_id: &str) -> StoreResult<Vec<RegionAnalysis>>;

    /// Deletes the simulation's regions; how many there were.
    async fn delete(&self, simulation_id: &str) -> StoreResult<u64>;
}
