//! `/lab/experiments/{id}/analysis/charts` and `…/clusters`: what the application has computed and kept. What it has not, or not with these
//! parameters, is not computed here.

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::lab::analysis_cache::{CLUSTERING_PREFIX, CacheEntry};
use cutover_domain::lab::analysis_run::AnalysisRun;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::analyses::{completed, use_case};
use super::stored::is_nothing;
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Key, Mistakes, Parameters};

const TAG: &str = "Lab: analyses";

/// Beneath `/lab/experiments`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(try_vs_success))
        .routes(routes!(distribution))
        .routes(routes!(failure_heatmap))
        .routes(routes!(scatter))
        .routes(routes!(clusters))
}

/// How often synths try and how often they succeed, as the application has computed it with its own parameters.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/charts/try-vs-success", tag = TAG,
    params(
        ("id" = String, Path),
        ("attempt_rate_threshold" = Option<f64>, Query, minimum = 0, maximum = 1, description = "0.5 if missing."),
        ("success_rate_threshold" = Option<f64>, Query, minimum = 0, maximum = 1, description = "0.5 if missing."),
    ),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 501, body = Failure, description = "It was not computed, or with other parameters."),
    )
)]
async fn try_vs_success(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let thresholds = ["attempt_rate_threshold", "success_rate_threshold"]
        .map(|name| parameters.fraction(name, 0.5, &mut mistakes));
    let [attempt, success] = mistakes.finish(Some(thresholds))?;
    let run = completed(&app, &id, "").await?;
    let is_kept = attempt.total_cmp(&0.5).is_eq() && success.total_cmp(&0.5).is_eq();
    kept(&app, &run, "try_vs_success", is_kept).await
}

/// How the outcomes are distributed over the synths, likewise.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/charts/distribution", tag = TAG,
    params(
        ("id" = String, Path),
        ("sort_by" = Option<String>, Query, description = "`success_rate` if missing."),
        ("order" = Option<String>, Query, description = "`desc` if missing."),
        ("limit" = Option<i32>, Query, minimum = 1, maximum = 1000, description = "50 if missing."),
    ),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 501, body = Failure, description = "It was not computed, or with other parameters."),
    )
)]
async fn distribution(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let limit = parameters.integer("limit", 1..=1000, 50, &mut mistakes);
    let limit = mistakes.finish(Some(limit))?;
    let run = completed(&app, &id, "").await?;
    let is_kept = limit == 50
        && parameters.is_or_missing("sort_by", "success_rate")
        && parameters.is_or_missing("order", "desc");
    kept(&app, &run, "distribution", is_kept).await
}

/// What the heatmap can show.
const METRICS: [&str; 3] = ["failed_rate", "success_rate", "did_not_try_rate"];

/// Where synths fail by two of their attributes, likewise.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/charts/failure-heatmap", tag = TAG,
    params(
        ("id" = String, Path),
        ("x_axis" = Option<String>, Query, description = "`digital_literacy` if missing."),
        ("y_axis" = Option<String>, Query, description = "`trust_mean` if missing."),
        ("bins" = Option<i32>, Query, minimum = 2, maximum = 20, description = "5 if missing."),
        ("metric" = Option<String>, Query, description = "`failed_rate` if missing, `success_rate` or `did_not_try_rate`."),
    ),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed, or there is no such metric."),
        (status = 501, body = Failure, description = "It was not computed, or with other parameters."),
    )
)]
async fn failure_heatmap(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let bins = parameters.integer("bins", 2..=20, 5, &mut mistakes);
    let bins = mistakes.finish(Some(bins))?;
    let run = completed(&app, &id, "").await?;
    if let Some(metric) = parameters
        .text("metric")
        .filter(|metric| !METRICS.contains(metric))
    {
        let metrics = METRICS.map(|metric| format!("'{metric}'")).join(", ");
        let message = format!("Invalid metric: {metric}. Must be one of [{metrics}]");
        return Err(HttpError::Detail(StatusCode::BAD_REQUEST, message));
    }
    let is_kept = bins == 5
        && parameters.is_or_missing("x_axis", "digital_literacy")
        && parameters.is_or_missing("y_axis", "trust_mean")
        && parameters.is_or_missing("metric", "failed_rate");
    kept(&app, &run, "heatmap", is_kept).await
}

/// How two attributes of the synths belong together, likewise.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/charts/scatter", tag = TAG,
    params(
        ("id" = String, Path),
        ("x_axis" = Option<String>, Query, description = "`capability_mean` if missing."),
        ("y_axis" = Option<String>, Query, description = "`success_rate` if missing."),
        ("show_trendline" = Option<bool>, Query, description = "What is kept has one anyway."),
    ),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 501, body = Failure, description = "It was not computed, or with other parameters."),
    )
)]
async fn scatter(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<Value>, HttpError> {
    let mut mistakes = Mistakes::default();
    let trendline = parameters.flag("show_trendline", true, &mut mistakes);
    mistakes.finish(Some(trendline))?;
    let run = completed(&app, &id, "").await?;
    let is_kept = parameters.is_or_missing("x_axis", "capability_mean")
        && parameters.is_or_missing("y_axis", "success_rate");
    kept(&app, &run, "scatter", is_kept).await
}

/// The clusters of the experiment's synths, as the application has computed them; of several numbers of clusters the first by its key.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/clusters", tag = TAG, params(("id" = String, Path)),
    responses(
        (status = 200, body = Value), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 501, body = Failure, description = "None were computed."),
    )
)]
async fn clusters(State(app): State<App>, Key(id): Key) -> Result<Json<Value>, HttpError> {
    let run = completed(&app, &id, "").await?;
    let kept = use_case(&app).kept_beginning(&run.id, CLUSTERING_PREFIX).await?;
    answer(kept.first())
}

/// What the application has kept under a key, if it is what is asked for.
async fn kept(app: &App, run: &AnalysisRun, key: &str, is_kept: bool) -> Result<Json<Value>, HttpError> {
    let found = if is_kept {
        use_case(app).kept(&run.id, key).await?
    } else {
        None
    };
    answer(found.as_ref())
}

/// A stored JSON `null` is nothing, and so is an empty object.
fn answer(found: Option<&CacheEntry>) -> Result<Json<Value>, HttpError> {
    let data = found.map(|entry| entry.data.canonical());
    data.filter(|data| !is_nothing(data)).map(Json).ok_or_else(|| {
        HttpError::not_implemented(
            "This is computed by the application, and it has kept nothing that answers this request; this service stores the results",
        )
    })
}
