//! Interview guides.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::lab::interview_guide::{InterviewGuide, InterviewGuideChange};
use cutover_domain::time::Timestamp;

use crate::StoreResult;

/// Interview guides (`interview_guide`), at most one for each experiment.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait InterviewGuideRepository: Send + Sync {
    /// Stores a new guide. An experiment that has one is `Conflict("interview_guide.experiment_id")`, one that does
    /// not exist `Missing("experiments")`.
    async fn insert(&self, guide: &InterviewGuide) -> StoreResult<()>;

    /// The experiment's guide, or `None`.
    async fn get(&self, experiment_id: &str) -> StoreResult<Option<InterviewGuide>>;

    /// Whether the experiment has a guide.
    async fn exists(&self, experiment_id: &str) -> StoreResult<bool>;

    /// Those of these experiments that have a guide.
    async fn exists_for(&self, experiment_ids: &[String]) -> StoreResult<HashSet<String>>;

    /// Changes the texts that `change` holds, and in any case the time of the last change; the guide as it is now, or
    /// `None`.
    async fn update(
        &self,
        experiment_id: &str,
        change: &InterviewGuideChange,
        updated_at: Timestamp,
    ) -> StoreResult<Option<InterviewGuide>>;

    /// Deletes the experiment's guide; `false` if there is none.
    async fn delete(&self, experiment_id: &str) -> StoreResult<bool>;
}
