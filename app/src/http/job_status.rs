//! The contexts' background jobs and their last runs, as `/ops/jobs` and the status page show them.

use cutover_domain::market::job_run::{Job, Outcome};
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use serde_json::{Value, json};

use super::App;

/// A job.
#[derive(Debug, Clone)]
pub(super) struct JobStatus {
    /// The context it belongs to.
    pub(super) context: &'static str,
    /// Its name.
    pub(super) name: String,
    /// When it runs, for people.
    pub(super) schedule: String,
    /// When it last ran.
    pub(super) last_run: Option<Timestamp>,
    /// How that ended, in a word or a sentence.
    pub(super) outcome: Option<String>,
    /// Whether that was well; `None` if it has not ended.
    pub(super) succeeded: Option<bool>,
}

impl JobStatus {
    /// For a machine.
    pub(super) fn json(&self) -> Value {
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
pub(super) async fn statuses(app: &App) -> StoreResult<Vec<JobStatus>> {
    if app.market.scheduler.is_none() {
        return Ok(Vec::new());
    }
    let runs = app.routing.market().job_runs;
    let mut statuses = Vec::with_capacity(Job::ALL.len());
    for job in Job::ALL {
        let last = runs.list(Some(*job), 1).await?.into_iter().next();
        let outcome = last.as_ref().and_then(|run| run.outcome.as_ref());
        let (hour, minute) = job.time();
        statuses.push(JobStatus {
            context: "market",
            name: job.as_str().to_owned(),
            schedule: format!(
                "{hour:02}:{minute:02} in {}",
                app.market.rules.timetable.zone.iana_name().unwrap_or("UTC")
            ),
            last_run: last.as_ref().and_then(|run| run.started_at.known().copied()),
            outcome: outcome.map(|outcome| {
                outcome
                    .known()
                    .map_or_else(|| "unknown".to_owned(), |known| known.as_str().to_owned())
            }),
            succeeded: outcome.map(|outcome| outcome.known() != Some(&Outcome::Error)),
        });
    }
    Ok(statuses)
}
