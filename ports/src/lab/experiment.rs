//! Experiments.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::experiment::{Experiment, ExperimentChange, ExperimentSummary};
use cutover_domain::time::Timestamp;

use crate::{Page, PageRequest, StoreResult};

/// Experiments (`experiments`). Deleting one changes its status only: every method but [`find`](Self::find) passes
/// over an experiment whose status is not `active`.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ExperimentRepository: Send + Sync {
    /// Stores a new experiment. A taken id is `Conflict("experiments.id")`, whatever the status of its owner.
    async fn insert(&self, experiment: &Experiment) -> StoreResult<()>;

    /// The active experiment, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<Experiment>>;

    /// The experiment whatever its status, or `None`.
    async fn find(&self, id: &str) -> StoreResult<Option<Experiment>>;

    /// The active ones, newest first, then by id.
    async fn list(&self, page: PageRequest) -> StoreResult<Page<ExperimentSummary>>;

    /// Changes the texts that `change` names and sets `updated_at`; the experiment as it is now, or `None` if no
    /// active one has this id. A change without texts sets `updated_at` only.
    async fn update(
        &self,
        id: &str,
        change: &ExperimentChange,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Experiment>>;

    /// Replaces the scorecard and sets `updated_at`; the experiment as it is now, or `None` if no active one has this
    /// id.
    async fn update_scorecard(
        &self,
        id: &str,
        scorecard_data: &Json,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Experiment>>;

    /// Takes an active experiment out of sight and sets `updated_at`; what belongs to it stays. `false` if no active
    /// one has this id.
    async fn delete(&self, id: &str, updated_at: Timestamp) -> StoreResult<bool>;
}
