//! Runs of the jobs.

use async_trait::async_trait;
use cutover_domain::market::job_run::{Job, JobEnd, JobRun, JobStart};
use cutover_domain::time::Timestamp;

use crate::StoreResult;

/// Whose run it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The caller's: nobody has it, or whoever had it died.
    Won,
    /// Somebody else runs it, or has run it.
    Taken,
}

/// Runs of the jobs (`job_runs`), one row for each job and instant. This is what keeps two instances from running a job
/// twice, and what tells afterwards what ran.
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait JobRunRepository: Send + Sync {
    /// Takes a job's instant, for exactly one caller. A run that has not ended, and began before `dead_before`, is taken
    /// over: whoever began it is gone.
    async fn claim(&self, start: &JobStart, dead_before: Timestamp) -> StoreResult<Claim>;

    /// Notes how a run ended; `false` if it is not this instance's, or has ended already.
    async fn finish(&self, start: &JobStart, end: &JobEnd) -> StoreResult<bool>;

    /// The latest instant of a job, not after `until`, that was taken because it was due; runs by hand and of a warm-up do not
    /// count. `None` if there is none.
    async fn latest_scheduled(&self, job: Job, until: Timestamp) -> StoreResult<Option<Timestamp>>;

    /// The instants whose run has not ended and began before `dead_before`; oldest first.
    async fn abandoned(&self, job: Job, dead_before: Timestamp) -> StoreResult<Vec<Timestamp>>;

    /// At most `limit` runs, of one job or of all, the latest instant first; of one instant the latest written first.
    async fn list(&self, job: Option<Job>, limit: u32) -> StoreResult<Vec<JobRun>>;
}
