//! The contexts' background jobs and their last runs, as `/ops/jobs` and the status page show them.

use cutover_domain::market::job_run::{Job, JobRun, Outcome};
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::market::JobRunRepository;
use cutover_ports::{StoreResult, together};
use futures_util::future::try_join_all;
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
    let last = last_runs(runs.as_ref()).await?;
    let zone = app.market.rules.timetable.zone.iana_name().unwrap_or("UTC");
    let statuses = Job::ALL.iter().zip(last);
    Ok(statuses
        .map(|(job, last)| status(*job, last.as_ref(), zone))
        .collect())
}

/// The last run of each job, in the order of the jobs. All are asked for together.
async fn last_runs(runs: &dyn JobRunRepository) -> StoreResult<Vec<Option<JobRun>>> {
    let last = |job: &Job| {
        let job = *job;
        async move { Ok(runs.list(Some(job), 1).await?.into_iter().next()) }
    };
    together(try_join_all(Job::ALL.iter().map(last))).await
}

fn status(job: Job, last: Option<&JobRun>, zone: &str) -> JobStatus {
    let outcome = last.and_then(|run| run.outcome.as_ref());
    let (hour, minute) = job.time();
    JobStatus {
        context: "market",
        name: job.as_str().to_owned(),
        schedule: format!("{hour:02}:{minute:02} in {zone}"),
        last_run: last.and_then(|run| run.started_at.known().copied()),
        outcome: outcome.map(|outcome| {
            outcome
                .known()
                .map_or_else(|| "unknown".to_owned(), |known| known.as_str().to_owned())
        }),
        succeeded: outcome.map(|outcome| outcome.known() != Some(&Outcome::Error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use cutover_domain::market::day::Day;
    use cutover_domain::market::job_run::Trigger;
    use cutover_domain::stored::Stored;
    use cutover_ports::market::MockJobRunRepository;
    use cutover_ports::together::{Shared, shared};

    use super::*;

    fn run(job: Job, outcome: Outcome) -> JobRun {
        let at = Stored::Known(Timestamp::EPOCH);
        JobRun {
            id: 1,
            job: Stored::Known(job),
            scheduled_at: at.clone(),
            trigger: Stored::Known(Trigger::Cron),
            target_day: Stored::Known(Day::parse("2026-01-02").unwrap()),
            started_at: at,
            ended_at: None,
            outcome: Some(Stored::Known(outcome)),
            error: None,
            price: None,
            is_fallback: None,
            rows_daily_predictions: Stored::Known(0),
            rows_price_logs: Stored::Known(0),
            rows_ai_predictions: Stored::Known(0),
            instance: "i".to_owned(),
        }
    }

    /// How many reads were asked for before they were sent, each time.
    struct Sent {
        asked: AtomicUsize,
        sent: Arc<Mutex<Vec<usize>>>,
    }

    impl Shared for Sent {
        fn all_asked(&self, _: &Waker) -> bool {
            self.sent
                .lock()
                .unwrap()
                .push(self.asked.swap(0, Ordering::Relaxed));
            false
        }
    }

    #[tokio::test]
    async fn the_last_runs_of_all_jobs_are_asked_for_together() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&sent);
        let mut runs = MockJobRunRepository::new();
        runs.expect_list().returning(move |job, limit| {
            let gathered = shared(1, || Sent {
                asked: AtomicUsize::new(0),
                sent: Arc::clone(&log),
            });
            gathered
                .expect("a read that goes together with others")
                .asked
                .fetch_add(1, Ordering::Relaxed);
            assert_eq!(limit, 1);
            Ok(match job {
                Some(Job::CaptureOpen) => vec![run(Job::CaptureOpen, Outcome::Error)],
                Some(Job::DailyCleanup) => vec![run(Job::DailyCleanup, Outcome::Ok)],
                _ => Vec::new(),
            })
        });
        let last = last_runs(&runs).await.unwrap();
        assert_eq!(*sent.lock().unwrap(), [Job::ALL.len()]);
        let statuses = Job::ALL.iter().zip(&last);
        let have_run: Vec<_> = statuses
            .map(|(job, last)| status(*job, last.as_ref(), "UTC"))
            .filter_map(|job| Some((job.name, job.outcome?, job.succeeded?)))
            .collect();
        let expected = [("capture_open", "error", false), ("daily_cleanup", "ok", true)];
        assert_eq!(
            have_run,
            expected.map(|(name, outcome, ok)| (name.to_owned(), outcome.to_owned(), ok))
        );
    }
}
