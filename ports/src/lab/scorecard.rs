//! Scorecards of features.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::scorecard::FeatureScorecard;
use cutover_domain::time::Timestamp;

use crate::{Page, PageRequest, StoreResult};

/// Scorecards of features (`feature_scorecards`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ScorecardRepository: Send + Sync {
    /// Stores a new scorecard. A taken id is `Conflict("feature_scorecards.id")`, an experiment that does not exist
    /// `Missing("experiments")`.
    async fn insert(&self, scorecard: &FeatureScorecard) -> StoreResult<()>;

    /// The scorecard, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<FeatureScorecard>>;

    /// Newest first, then by id.
    async fn list(&self, page: PageRequest) -> StoreResult<Page<FeatureScorecard>>;

    /// Those of the experiment, newest first, then by id.
    async fn list_by_experiment(
        &self,
        experiment_id: &str,
        page: PageRequest,
    ) -> StoreResult<Page<FeatureScorecard>>;

    /// The ids of all scorecards of the experiment, in order.
    async fn ids_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<String>>;

    /// Replaces the document and sets `updated_at`; the experiment that the scorecard is found by stays, whatever the
    /// document says. `false` if there is none.
    async fn update(&self, id: &str, data: &Json, updated_at: Timestamp) -> StoreResult<bool>;

    /// Deletes the scorecard; `false` if there is none. While a simulation uses it, nothing is deleted:
    /// `Conflict("simulation_runs.scorecard_id")`.
    async fn delete(&self, id: &str) -> StoreResult<bool>;
}
