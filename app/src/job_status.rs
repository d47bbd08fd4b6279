//! The contexts' background jobs and their last runs, as `/ops/jobs` and the status page show them.

use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use serde_json::{Value, json};

use crate::http::App;

/// A job.
#[derive(Debug, Clone)]
pub struct JobStatus {
    /// The context it belongs to.
    pub context: &'static str,
    /// Its name.
    pub name: String,
    /// When it runs, for people.
    pub schedule: String,
    /// When it last ran.
    pub last_run: Option<Timestamp>,
    /// How that ended, in a word or a sentence.
    pub outcome: Option<String>,
    /// Whether that was well; `None` if it has not ended.
    pub succeeded: Option<bool>,
}

impl JobStatus {
    /// For a machine.
    pub fn json(&self) -> Value {
        json!({
            "context": self.context,
            "name": self.name,
            "schedule": self.schedule,
            "last_run": self.last_run.map(Timestamp::to_json_text),
            "outcome": self.outcome,
            "succeeded": self.succeeded,
        })
    }
}

/// Every job of every context. Neither the lab nor the writer has any.
#[expect(
    clippy::unused_async,
    reason = "the runs of a context that has jobs are in its store"
)]
pub async fn statuses(_: &App) -> StoreResult<Vec<JobStatus>> {
    Ok(Vec::new())
}
