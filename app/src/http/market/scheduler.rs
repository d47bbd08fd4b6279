//! `/market/scheduler`.

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::market::job_run::{Job, JobRun, Outcome};
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::market::TimeForm;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::{MarketFailure, MarketHttpError};
use super::stored::{day, flag, number, text_enum, time};
use crate::http::App;
use crate::http::json::Json;
use crate::http::request::PathText;
use crate::http::schema::{JobId, StoredFlag, StoredNumber, StoredText};

const TAG: &str = "Market: jobs";

/// How many runs the status shows.
const RUNS_SHOWN: u32 = 50;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(trigger))
}

/// The jobs, when they are due next, and their last runs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobOverview {
    /// Whether this instance runs them at their times.
    pub(crate) scheduler_running: bool,
    /// The jobs, the one that is due first first.
    pub(crate) jobs: Vec<MarketJob>,
    /// The zone of the wall clock.
    pub(crate) timezone: String,
    /// How many jobs.
    pub(crate) total_jobs: usize,
    /// The last runs of all jobs, of any instance, the latest first.
    pub(crate) recent_runs: Vec<JobRunRead>,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MarketJob {
    /// Its id.
    pub(crate) id: &'static str,
    /// What it does.
    pub(crate) name: &'static str,
    /// When it is due next.
    pub(crate) next_run_time: Option<String>,
    /// When it is due.
    pub(crate) trigger: String,
    /// How many runs of it there may be at once.
    pub(crate) max_instances: u32,
}

/// A run of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobRunRead {
    /// The job.
    #[schema(value_type = StoredText)]
    pub(crate) job: Value,
    /// The instant that it was due; for a run by hand, when it was asked for.
    #[schema(value_type = StoredText)]
    pub(crate) scheduled_at: Value,
    /// When it began.
    #[schema(value_type = StoredText)]
    pub(crate) started_at: Value,
    /// When it ended; none while it runs.
    #[schema(value_type = StoredText)]
    pub(crate) ended_at: Value,
    /// How long it took.
    pub(crate) duration_seconds: Option<f64>,
    /// Why it ran: cron, manual, warm_up, catch_up.
    #[schema(value_type = StoredText)]
    pub(crate) trigger: Value,
    /// The day that it was about.
    #[schema(value_type = StoredText)]
    pub(crate) target_date: Value,
    /// How it ended: ok, no_data, price_rejected, already_locked, lost_race, error, missed.
    #[schema(value_type = StoredText)]
    pub(crate) outcome: Value,
    /// What went wrong, in words.
    pub(crate) error: Option<String>,
    /// The price that was stored.
    #[schema(value_type = StoredNumber)]
    pub(crate) price: Value,
    /// Whether that was a current quote in place of the one wanted.
    #[schema(value_type = StoredFlag)]
    pub(crate) is_fallback: Value,
    /// Rows written or deleted, by table.
    #[schema(value_type = Object)]
    pub(crate) rows_written: Value,
    /// The instance that ran it.
    pub(crate) instance: String,
}

impl From<JobRun> for JobRunRead {
    fn from(run: JobRun) -> Self {
        let at = |value| time(value, TimeForm::Utc);
        let count = |value: &cutover_domain::stored::Stored<i64>| value.known().copied();
        Self {
            duration_seconds: run.seconds(),
            job: text_enum(&run.job),
            scheduled_at: at(Some(&run.scheduled_at)),
            started_at: at(Some(&run.started_at)),
            ended_at: at(run.ended_at.as_ref()),
            trigger: text_enum(&run.trigger),
            target_date: day(&run.target_day),
            outcome: run.outcome.as_ref().map_or(Value::Null, text_enum),
            price: number(run.price.as_ref()),
            is_fallback: flag(run.is_fallback.as_ref()),
            rows_written: json!({
                "daily_predictions": count(&run.rows_daily_predictions),
                "price_logs": count(&run.rows_price_logs),
                "ai_predictions": count(&run.rows_ai_predictions),
            }),
            error: run.error,
            instance: run.instance,
        }
    }
}

fn name(job: Job) -> &'static str {
    match job {
        Job::AiPredict => "Predict the day",
        Job::CapturePremarket => "Capture the price before the market opens",
        Job::CaptureOpen => "Capture the price at the opening",
        Job::CaptureNoon => "Capture the price at noon",
        Job::CaptureTwoPm => "Capture the price at two in the afternoon",
        Job::CaptureClose => "Capture the price at the close",
        Job::DailyCleanup => "Delete what is older than it is to be kept",
    }
}

/// What a run by hand says that it did.
fn action(job: Job) -> &'static str {
    match job {
        Job::AiPredict => "generated AI predictions",
        Job::CapturePremarket => "captured premarket price",
        Job::CaptureOpen => "captured open price",
        Job::CaptureNoon => "captured noon price",
        Job::CaptureTwoPm => "captured 2PM price",
        Job::CaptureClose => "captured close price",
        Job::DailyCleanup => "cleaned up",
    }
}

fn trigger_text(job: Job) -> String {
    let (hour, minute) = job.time();
    let days = if job == Job::DailyCleanup { "*" } else { "mon-fri" };
    format!("cron[month='*', day='*', day_of_week='{days}', hour='{hour}', minute='{minute}']")
}

/// An instant on the wall clock of the jobs.
fn on_the_wall(app: &App, at: Timestamp) -> Option<String> {
    let zone = app.market.rules.timetable.zone.clone();
    let zoned = jiff::Timestamp::from_microsecond(at.as_micros())
        .ok()?
        .to_zoned(zone);
    Some(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

pub(super) async fn overview(app: &App, runs_max: u32) -> StoreResult<JobOverview> {
    let scheduler = app.market.scheduler.as_deref();
    let mut jobs: Vec<(Option<Timestamp>, Job)> = Job::ALL
        .iter()
        .map(|job| (scheduler.and_then(|scheduler| scheduler.next_run(*job)), *job))
        .collect();
    jobs.sort_by_key(|(next, _)| *next);
    let runs = match scheduler {
        Some(_) => app.routing.market().job_runs.list(None, runs_max).await?,
        None => Vec::new(),
    };
    Ok(JobOverview {
        scheduler_running: scheduler.is_some_and(crate::jobs::Scheduler::is_running),
        total_jobs: jobs.len(),
        jobs: jobs
            .into_iter()
            .map(|(next, job)| MarketJob {
                id: job.as_str(),
                name: name(job),
                next_run_time: next.and_then(|next| on_the_wall(app, next)),
                trigger: trigger_text(job),
                max_instances: 1,
            })
            .collect(),
        timezone: app
            .market
            .rules
            .timetable
            .zone
            .iana_name()
            .unwrap_or("UTC")
            .to_owned(),
        recent_runs: runs.into_iter().map(Into::into).collect(),
    })
}

/// The jobs, when they are due next, and their last runs.
#[utoipa::path(
    get, path = "/scheduler/status", tag = TAG,
    responses(
        (status = 200, body = JobOverview),
        (status = 503, body = MarketFailure, description = "There is no scheduler: the schema is too old to note runs.")
    )
)]
async fn status(State(app): State<App>) -> Result<Json<JobOverview>, MarketHttpError> {
    if app.market.scheduler.is_none() {
        return Err(no_scheduler());
    }
    Ok(Json(overview(&app, RUNS_SHOWN).await?))
}

fn no_scheduler() -> MarketHttpError {
    MarketHttpError::plain(
        StatusCode::SERVICE_UNAVAILABLE,
        "Scheduler not available: the market's schema is too old to note its runs; run `cutover migrate up`",
    )
}

/// What was done.
#[derive(Serialize, ToSchema)]
struct MarketTriggered {
    /// `success`, or `error` for a job that is not run by hand.
    status: &'static str,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'static str>,
    /// What it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

/// Run a job now, for today.
///
/// A success says that it ran, not that there was a price: the status shows what became of it.
#[utoipa::path(
    post, path = "/scheduler/trigger/{job_id}", tag = TAG,
    params(("job_id" = inline(JobId), Path, description = "The job's id.")),
    responses(
        (status = 200, body = MarketTriggered),
        (status = 404, body = MarketFailure),
        (status = 500, body = MarketFailure, description = "The job ran and failed, for want of a price service for example; the original answers so too."),
    )
)]
async fn trigger(
    State(app): State<App>,
    PathText(id): PathText,
) -> Result<Json<MarketTriggered>, MarketHttpError> {
    let scheduler = app.market.scheduler.as_ref().ok_or_else(no_scheduler)?;
    let job = Job::from_text(&id)
        .ok_or_else(|| MarketHttpError::plain(StatusCode::NOT_FOUND, format!("Job {id} not found")))?;
    if job == Job::DailyCleanup {
        return Ok(Json(MarketTriggered {
            status: "error",
            job: None,
            action: None,
            message: Some("Unknown job: daily_cleanup"),
        }));
    }
    let report = scheduler.trigger(job).await?;
    if report.outcome == Outcome::Error {
        let text = report.error.unwrap_or_default();
        return Err(MarketHttpError::plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Job execution failed: {text}"),
        ));
    }
    Ok(Json(MarketTriggered {
        status: "success",
        job: Some(job.as_str()),
        action: Some(action(job)),
        message: None,
    }))
}
