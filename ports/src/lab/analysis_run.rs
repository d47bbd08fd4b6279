//! Analysis runs.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::lab::analysis_run::{AnalysisProgress, AnalysisRun};

use crate::StoreResult;

/// What became of a run that was to take the place of its experiment's last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It is stored, and the last one is gone.
    Stored,
    /// The last one is still running; nothing was changed.
    Running,
}

/// Analysis runs (`analysis_runs`), at most one for each experiment. Experiments that were deleted keep theirs.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait AnalysisRunRepository: Send + Sync {
    /// Stores a new run. A taken id is `Conflict("analysis_runs.id")`, an experiment that has a run already
    /// `Conflict("analysis_runs.experiment_id")`, an experiment that does not exist `Missing("experiments")`.
    async fn insert(&self, run: &AnalysisRun) -> StoreResult<()>;

    /// Stores a run, which has an id of its own, in place of the one that its experiment has, if any; that one goes
    /// with its outcomes and its cache, as by [`delete`](Self::delete). All or nothing. A run whose status is
    /// `running` is not replaced.
    async fn replace(&self, run: &AnalysisRun) -> StoreResult<Replacement>;

    /// The run, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<AnalysisRun>>;

    /// The experiment's run, or `None`.
    async fn find_by_experiment(&self, experiment_id: &str) -> StoreResult<Option<AnalysisRun>>;

    /// The runs of these experiments by experiment; those without a run are absent.
    async fn runs_by_experiments(
        &self,
        experiment_ids: &[String],
    ) -> StoreResult<HashMap<String, AnalysisRun>>;

    /// Sets the status and what else `progress` holds; the run as it is now, or `None`. Which status may follow which
    /// is not checked here.
    async fn update(&self, id: &str, progress: &AnalysisProgress) -> StoreResult<Option<AnalysisRun>>;

    /// Deletes the run with its outcomes and its cache; `false` if there is none. While an exploration starts from
    /// it, nothing is deleted: `Conflict("explorations.baseline_analysis_id")`.
    async fn delete(&self, id: &str) -> StoreResult<bool>;

    /// Deletes the experiment's run, as [`delete`](Self::delete).
    async fn delete_by_experiment(&self, experiment_id: &str) -> StoreResult<bool>;

    /// The id of the experiment's completed run that was started last, or `None`.
    async fn latest_completed_id(&self, experiment_id: &str) -> StoreResult<Option<String>>;

    /// Of these runs the completed one that was completed last (one without a time comes after all others; of equals
    /// the first by id), or `None`.
    async fn latest_completed_among(&self, ids: &[String]) -> StoreResult<Option<String>>;
}
