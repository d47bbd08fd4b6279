//! `/lab/experiments/{id}/analysis` and `/lab/experiments/{id}/insights`.

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::lab::analysis_cache::{CacheEntry, ChartInsight, ExecutiveSummary, WritingStatus};
use cutover_domain::lab::analysis_run::{AnalysisConfig, AnalysisRun, AnalysisStatus, Rates};
use cutover_domain::lab::synth_outcome::{SynthAttributes, SynthOutcome};
use cutover_domain::stored::TextEnum as _;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{PageOf, limit, offset};
use super::stored::{Document, Scalar, Time, json_time, opt};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Key, Keys, Mistakes, Parameters};
use crate::http::schema::one_of;
use crate::usecase::lab::analyses::{Analyses, Insights};

const TAG: &str = "Lab: analyses";

/// The charts that something is written about.
const CHART_TYPES: [&str; 9] = [
    "try_vs_success",
    "distribution",
    "shap_summary",
    "pdp",
    "pca_scatter",
    "radar_comparison",
    "extreme_cases",
    "outliers",
    "dendrogram",
];

/// One of them.
struct ChartType;

impl utoipa::PartialSchema for ChartType {
    fn schema() -> RefOr<Schema> {
        one_of(CHART_TYPES)
    }
}

impl ToSchema for ChartType {}

/// Beneath `/lab/experiments`.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get, delete))
        .routes(routes!(outcomes))
        .routes(routes!(regions))
        .routes(routes!(interview_suggestions))
        .routes(routes!(analysis_insights, write_analysis_insight))
        .routes(routes!(insights))
        .routes(routes!(executive_summary))
        .routes(routes!(insight))
}

pub(super) fn use_case(app: &App) -> Analyses {
    Analyses::new(app.routing.lab())
}

/// An analysis.
#[derive(Serialize, ToSchema)]
struct Analysis {
    /// Its id.
    id: String,
    /// Its experiment.
    experiment_id: String,
    /// What it was asked to do.
    config: Option<Document<AnalysisConfig>>,
    /// `pending`, `running`, `completed` or `failed`.
    status: Scalar,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
    /// How many synths it covered.
    total_synths: Option<Scalar>,
    /// The rates over all synths.
    aggregated_outcomes: Option<Document<Rates>>,
    /// How long it took.
    execution_time_seconds: Option<Scalar>,
}

/// How one synth fared.
#[derive(Serialize, ToSchema)]
struct Outcome {
    /// Its id; outcomes of the legacy simulation have none.
    id: Option<String>,
    /// The synth, which may be gone.
    synth_id: String,
    /// The share of executions that it did not try.
    did_not_try_rate: Scalar,
    /// The share that it tried and failed.
    failed_rate: Scalar,
    /// The share that it succeeded in.
    success_rate: Scalar,
    /// What it was like.
    synth_attributes: Option<Document<SynthAttributes>>,
}

/// The regions of an analysis. Nothing computes them here: there are none.
#[derive(Default, Serialize, ToSchema)]
struct AnalysisRegions {
    /// The regions.
    regions: Vec<Value>,
}

/// Whom to interview. Nothing computes it here: there are no suggestions.
#[derive(Default, Serialize, ToSchema)]
struct InterviewSuggestions {
    /// The suggestions.
    suggestions: Vec<Value>,
}

/// What was written about an analysis as a whole. Nothing writes it here: there is nothing.
#[derive(Serialize, ToSchema)]
struct AnalysisInsights {
    /// The insights.
    insights: Vec<Value>,
    /// Now.
    generated_at: Time,
}

/// What was written about the charts of an analysis.
#[derive(Serialize, ToSchema)]
struct ExperimentInsights {
    /// The analysis.
    analysis_id: String,
    /// What was written about each chart; what cannot be read is left out.
    insights: Vec<ChartInsight>,
    /// The summary of all.
    executive_summary: Option<Document<ExecutiveSummary>>,
    /// How far the writing is.
    stats: InsightStats,
}

/// How far the writing about charts is.
#[derive(Serialize, ToSchema)]
struct InsightStats {
    /// How many charts there are.
    total_charts: usize,
    /// Written.
    completed_insights: usize,
    /// Begun.
    pending_insights: usize,
    /// Given up.
    failed_insights: usize,
}

impl From<AnalysisRun> for Analysis {
    fn from(run: AnalysisRun) -> Self {
        Self {
            config: Document::read(&run.config),
            status: Scalar::of_enum(&run.status),
            started_at: Time::from(&run.started_at),
            completed_at: opt(run.completed_at.as_ref()),
            total_synths: opt(run.total_synths.as_ref()),
            aggregated_outcomes: Document::opt(run.aggregated_outcomes.as_ref()),
            execution_time_seconds: opt(run.execution_time_seconds.as_ref()),
            id: run.id,
            experiment_id: run.experiment_id,
        }
    }
}

impl From<SynthOutcome> for Outcome {
    fn from(outcome: SynthOutcome) -> Self {
        Self {
            did_not_try_rate: Scalar::from(&outcome.did_not_try_rate),
            failed_rate: Scalar::from(&outcome.failed_rate),
            success_rate: Scalar::from(&outcome.success_rate),
            synth_attributes: Document::opt(outcome.synth_attributes.as_ref()),
            id: outcome.id,
            synth_id: outcome.synth_id,
        }
    }
}

impl From<Insights> for ExperimentInsights {
    fn from(found: Insights) -> Self {
        let insights: Vec<ChartInsight> = found
            .insights
            .iter()
            .filter_map(|entry| match chart_insight(entry)? {
                Document::Shaped(insight) => Some(insight),
                Document::Other(_) => None,
            })
            .collect();
        let count = |status| insights.iter().filter(|insight| insight.status == status).count();
        Self {
            analysis_id: found.analysis_id,
            executive_summary: found.executive_summary.as_ref().and_then(summary),
            stats: InsightStats {
                total_charts: CHART_TYPES.len(),
                completed_insights: count(WritingStatus::Completed),
                pending_insights: count(WritingStatus::Pending),
                failed_insights: count(WritingStatus::Failed),
            },
            insights,
        }
    }
}

fn chart_insight(entry: &CacheEntry) -> Option<Document<ChartInsight>> {
    Document::read(&entry.data).map(|document: Document<ChartInsight>| match document {
        Document::Shaped(insight) => Document::Shaped(ChartInsight {
            generation_timestamp: json_time(&insight.generation_timestamp),
            ..insight
        }),
        other @ Document::Other(_) => other,
    })
}

fn summary(entry: &CacheEntry) -> Option<Document<ExecutiveSummary>> {
    Document::read(&entry.data).map(|document: Document<ExecutiveSummary>| match document {
        Document::Shaped(summary) => Document::Shaped(ExecutiveSummary {
            generation_timestamp: json_time(&summary.generation_timestamp),
            ..summary
        }),
        other @ Document::Other(_) => other,
    })
}

/// An experiment's analysis.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Analysis), (status = 404, body = Failure))
)]
async fn get(State(app): State<App>, Key(id): Key) -> Result<Json<Analysis>, HttpError> {
    Ok(Json(use_case(&app).get(&id).await?.into()))
}

/// Delete an experiment's analysis with its outcomes and all that was computed from it.
#[utoipa::path(
    delete, path = "/experiments/{id}/analysis", tag = TAG, params(("id" = String, Path)),
    responses(
        (status = 204), (status = 404, body = Failure),
        (status = 409, body = Failure, description = "An exploration starts from it."),
    )
)]
async fn delete(State(app): State<App>, Key(id): Key) -> Result<StatusCode, HttpError> {
    use_case(&app).delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of the outcomes of an experiment's analysis, by synth.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/outcomes", tag = TAG,
    params(
        ("id" = String, Path),
        ("limit" = Option<i32>, Query, minimum = 1, maximum = 500, description = "How many at most; 50 if missing."),
        ("offset" = Option<i64>, Query, minimum = 0, description = "How many come before the page."),
    ),
    responses((status = 200, body = PageOf<Outcome>), (status = 404, body = Failure))
)]
async fn outcomes(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<PageOf<Outcome>>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = cutover_ports::PageRequest {
        limit: limit(&parameters, 500, 50, &mut mistakes),
        offset: offset(&parameters, &mut mistakes),
    };
    let request = mistakes.finish(Some(request))?;
    let page = use_case(&app).outcomes(&id, request).await?;
    Ok(Json(PageOf::from_page(request, page)))
}

/// The experiment's analysis, if it is completed, as `purpose` needs.
pub(super) async fn completed(app: &App, id: &str, purpose: &str) -> Result<AnalysisRun, HttpError> {
    let run = use_case(app).get(id).await?;
    let status = match run.status.known() {
        Some(AnalysisStatus::Completed) => return Ok(run),
        Some(status) => status.as_str(),
        None => "unknown",
    };
    let message = format!("Analysis must be completed{purpose} (status: {status})");
    Err(HttpError::Detail(StatusCode::BAD_REQUEST, message))
}

/// The regions where synths fail. Nothing computes them here.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/regions", tag = TAG,
    params(
        ("id" = String, Path),
        ("min_failure_rate" = Option<f64>, Query, minimum = 0, maximum = 1, description = "How much of a region fails at least; 0.3 if missing."),
    ),
    responses(
        (status = 200, body = AnalysisRegions), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
    )
)]
async fn regions(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<AnalysisRegions>, HttpError> {
    let mut mistakes = Mistakes::default();
    let least = parameters.fraction("min_failure_rate", 0.3, &mut mistakes);
    mistakes.finish(Some(least))?;
    completed(&app, &id, " to analyze regions").await?;
    Ok(Json(AnalysisRegions::default()))
}

/// Whom to interview. Nothing computes it here.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/interview-suggestions", tag = TAG,
    params(
        ("id" = String, Path),
        ("max_suggestions" = Option<i32>, Query, minimum = 1, maximum = 20, description = "How many at most; 5 if missing."),
    ),
    responses(
        (status = 200, body = InterviewSuggestions), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "The analysis is not completed."),
    )
)]
async fn interview_suggestions(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<InterviewSuggestions>, HttpError> {
    let mut mistakes = Mistakes::default();
    let most = parameters.integer("max_suggestions", 1..=20, 5, &mut mistakes);
    mistakes.finish(Some(most))?;
    completed(&app, &id, " for interview suggestions").await?;
    Ok(Json(InterviewSuggestions::default()))
}

/// What was written about an analysis as a whole. Nothing writes it here.
#[utoipa::path(
    get, path = "/experiments/{id}/analysis/insights", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = AnalysisInsights), (status = 404, body = Failure))
)]
async fn analysis_insights(
    State(app): State<App>,
    Key(id): Key,
) -> Result<Json<AnalysisInsights>, HttpError> {
    use_case(&app).get(&id).await?;
    Ok(Json(AnalysisInsights {
        insights: Vec::new(),
        generated_at: Time::of(app.clock.now()),
    }))
}

/// Have something written about an analysis: not done by this service.
#[utoipa::path(
    post, path = "/experiments/{id}/analysis/insights", tag = TAG, params(("id" = String, Path)),
    responses(
        (status = 400, body = Failure, description = "The analysis is not completed."),
        (status = 404, body = Failure), (status = 501, body = Failure),
    )
)]
async fn write_analysis_insight(State(app): State<App>, Key(id): Key) -> Result<(), HttpError> {
    completed(&app, &id, " to generate insights").await?;
    Err(HttpError::not_implemented(
        "Writing insights needs a language model",
    ))
}

/// What was written about the charts of an experiment's analysis.
#[utoipa::path(
    get, path = "/experiments/{id}/insights", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = ExperimentInsights), (status = 404, body = Failure))
)]
async fn insights(State(app): State<App>, Key(id): Key) -> Result<Json<ExperimentInsights>, HttpError> {
    Ok(Json(use_case(&app).insights(&id).await?.into()))
}

/// A stored JSON `null` is nothing.
fn nothing_written(id: &str) -> HttpError {
    HttpError::Detail(
        StatusCode::NOT_FOUND,
        format!("Nothing is written about experiment {id}"),
    )
}

/// The summary of all that was written about the charts.
#[utoipa::path(
    get, path = "/experiments/{id}/insights/executive-summary", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Document<ExecutiveSummary>), (status = 404, body = Failure))
)]
async fn executive_summary(
    State(app): State<App>,
    Key(id): Key,
) -> Result<Json<Document<ExecutiveSummary>>, HttpError> {
    let entry = use_case(&app).executive_summary(&id).await?;
    summary(&entry).map(Json).ok_or_else(|| nothing_written(&id))
}

/// What was written about one chart.
#[utoipa::path(
    get, path = "/experiments/{id}/insights/{chart_type}", tag = TAG,
    params(("id" = String, Path), ("chart_type" = inline(ChartType), Path)),
    responses(
        (status = 200, body = Document<ChartInsight>), (status = 404, body = Failure),
        (status = 400, body = Failure, description = "There is no such chart."),
    )
)]
async fn insight(
    State(app): State<App>,
    Keys(id, chart_type): Keys,
) -> Result<Json<Document<ChartInsight>>, HttpError> {
    if !CHART_TYPES.contains(&chart_type.as_str()) {
        let message = format!("Invalid chart_type. Must be one of: {}", CHART_TYPES.join(", "));
        return Err(HttpError::Detail(StatusCode::BAD_REQUEST, message));
    }
    let entry = use_case(&app).insight(&id, &chart_type).await?;
    chart_insight(&entry)
        .map(Json)
        .ok_or_else(|| nothing_written(&id))
}
