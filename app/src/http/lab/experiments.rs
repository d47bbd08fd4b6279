//! `/lab/experiments`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::lab::analysis_run::{AnalysisConfig, AnalysisRun, Rates};
use cutover_domain::lab::experiment::{
    DESCRIPTION_MAX, ExperimentChange, HYPOTHESIS_MAX, NAME_MAX, ScorecardData, ScorecardDimension,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{PageOf, PageQuery};
use super::stored::{Document, Scalar, Time, opt};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Body, Fields, Key, Length, Mistakes, Parameters};
use crate::usecase::lab::experiments::{
    ExperimentDetail, Experiments, GuidedExperiment, Interview, ListedExperiment, NewExperiment,
};

const TAG: &str = "Lab: experiments";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list))
        .routes(routes!(detail, update, delete))
        .routes(routes!(update_scorecard))
}

fn use_case(app: &App) -> Experiments {
    Experiments::new(app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

/// An experiment to be made. Blanks around its texts are taken off.
#[derive(ToSchema)]
struct ExperimentToMake {
    /// Its name, which is not blank.
    #[schema(max_length = 100, pattern = r"\S")]
    name: String,
    /// What is expected, which is not blank.
    #[schema(max_length = 500, pattern = r"\S")]
    hypothesis: String,
    /// More about it.
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// Its scorecard.
    scorecard_data: Option<ScorecardData>,
}

/// The texts of an experiment that change; those that are missing stay.
#[derive(ToSchema)]
struct ExperimentTexts {
    /// Its name, which is not blank.
    #[schema(max_length = 100, pattern = r"\S")]
    name: Option<String>,
    /// What is expected, which is not blank.
    #[schema(max_length = 500, pattern = r"\S")]
    hypothesis: Option<String>,
    /// More about it.
    #[schema(max_length = 2000)]
    description: Option<String>,
}

/// An experiment.
#[derive(Serialize, ToSchema)]
struct Experiment {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// What is expected.
    hypothesis: String,
    /// More about it.
    description: Option<String>,
    /// Its scorecard.
    scorecard_data: Option<Document<ScorecardData>>,
    /// Whether it has a scorecard.
    has_scorecard: bool,
    /// Whether it has an interview guide.
    has_interview_guide: bool,
    /// When it was made.
    created_at: Time,
    /// When it was last changed.
    updated_at: Option<Time>,
}

/// An experiment as lists show it.
#[derive(Serialize, ToSchema)]
struct ExperimentSummary {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// What is expected.
    hypothesis: String,
    /// More about it.
    description: Option<String>,
    /// Whether it has a scorecard.
    has_scorecard: bool,
    /// Whether it has an analysis.
    has_analysis: bool,
    /// Whether it has an interview guide.
    has_interview_guide: bool,
    /// How many rounds of interviews it has.
    interview_count: u64,
    /// When it was made.
    created_at: Time,
    /// When it was last changed.
    updated_at: Option<Time>,
}

/// An experiment with its analysis and its interviews.
#[derive(Serialize, ToSchema)]
#[schema(as = ExperimentDetail)]
struct Detail {
    /// The experiment.
    #[serde(flatten)]
    experiment: Experiment,
    /// Its analysis.
    analysis: Option<AnalysisSummary>,
    /// Its newest hundred rounds of interviews.
    interviews: Vec<InterviewSummary>,
    /// How many are shown.
    interview_count: usize,
}

/// An analysis as its experiment shows it.
#[derive(Serialize, ToSchema)]
struct AnalysisSummary {
    /// Its id.
    id: String,
    /// The same.
    simulation_id: String,
    /// `pending`, `running`, `completed` or `failed`.
    status: Scalar,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
    /// How many synths it covered.
    total_synths: Option<Scalar>,
    /// Executions for each synth.
    n_executions: Option<Scalar>,
    /// How long it took.
    execution_time_seconds: Option<Scalar>,
    /// The rates over all synths.
    aggregated_outcomes: Option<Document<Rates>>,
}

/// A round of interviews as its experiment shows it.
#[derive(Serialize, ToSchema)]
struct InterviewSummary {
    /// Its id.
    exec_id: String,
    /// Its topic.
    topic_name: String,
    /// `pending`, `running`, `generating_summary`, `completed` or `failed`.
    status: Scalar,
    /// Interviews planned.
    synth_count: Scalar,
    /// How often both sides spoke in all its interviews.
    total_turns: i64,
    /// Whether there is a summary.
    has_summary: bool,
    /// Whether there is a PR/FAQ.
    has_prfaq: bool,
    /// What the interviewer was told besides.
    additional_context: Option<String>,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
}

impl From<GuidedExperiment> for Experiment {
    fn from(guided: GuidedExperiment) -> Self {
        let experiment = guided.experiment;
        let scorecard = experiment.scorecard();
        Self {
            has_scorecard: scorecard.is_some(),
            scorecard_data: Document::opt(scorecard),
            has_interview_guide: guided.has_interview_guide,
            created_at: Time::from(&experiment.created_at),
            updated_at: opt(experiment.updated_at.as_ref()),
            id: experiment.id,
            name: experiment.name,
            hypothesis: experiment.hypothesis,
            description: experiment.description,
        }
    }
}

impl From<ListedExperiment> for ExperimentSummary {
    fn from(listed: ListedExperiment) -> Self {
        let experiment = listed.experiment;
        Self {
            created_at: Time::from(&experiment.created_at),
            updated_at: opt(experiment.updated_at.as_ref()),
            id: experiment.id,
            name: experiment.name,
            hypothesis: experiment.hypothesis,
            description: experiment.description,
            has_scorecard: experiment.has_scorecard,
            has_analysis: listed.has_analysis,
            has_interview_guide: listed.has_interview_guide,
            interview_count: listed.interview_count,
        }
    }
}

impl From<ExperimentDetail> for Detail {
    fn from(detail: ExperimentDetail) -> Self {
        Self {
            experiment: detail.guided.into(),
            analysis: detail.analysis.map(AnalysisSummary::from),
            interview_count: detail.interviews.len(),
            interviews: detail
                .interviews
                .into_iter()
                .map(InterviewSummary::from)
                .collect(),
        }
    }
}

impl From<AnalysisRun> for AnalysisSummary {
    fn from(run: AnalysisRun) -> Self {
        let default = AnalysisConfig::default().n_executions;
        let n_executions = match Document::<AnalysisConfig>::read(&run.config) {
            Some(Document::Shaped(config)) => Some(config.n_executions.into()),
            Some(Document::Other(other)) => Scalar::of_value(other.get("n_executions")),
            None => Some(default.into()),
        };
        Self {
            simulation_id: run.id.clone(),
            status: Scalar::of_enum(&run.status),
            started_at: Time::from(&run.started_at),
            completed_at: opt(run.completed_at.as_ref()),
            total_synths: opt(run.total_synths.as_ref()),
            n_executions,
            execution_time_seconds: opt(run.execution_time_seconds.as_ref()),
            aggregated_outcomes: Document::opt(run.aggregated_outcomes.as_ref()),
            id: run.id,
        }
    }
}

impl From<Interview> for InterviewSummary {
    fn from(interview: Interview) -> Self {
        let execution = interview.execution;
        Self {
            status: Scalar::of_enum(&execution.status),
            synth_count: Scalar::from(&execution.synth_count),
            started_at: Time::from(&execution.started_at),
            completed_at: opt(execution.completed_at.as_ref()),
            exec_id: execution.exec_id,
            topic_name: execution.topic_name,
            total_turns: interview.total_turns,
            has_summary: interview.has_summary,
            has_prfaq: interview.has_prfaq,
            additional_context: execution.additional_context,
        }
    }
}

/// Make an experiment.
#[utoipa::path(
    post, path = "/experiments", tag = TAG, request_body = ExperimentToMake,
    responses((status = 201, body = Experiment), (status = 422, body = Failure))
)]
async fn create(
    State(app): State<App>,
    Body(body): Body,
) -> Result<(StatusCode, Json<Experiment>), HttpError> {
    let mut mistakes = Mistakes::default();
    let experiment = ExperimentToMake::read(&body, &mut mistakes);
    let experiment = mistakes.finish(experiment)?;
    let made = use_case(&app)
        .create(NewExperiment {
            name: experiment.name,
            hypothesis: experiment.hypothesis,
            description: experiment.description,
            scorecard: experiment.scorecard_data,
        })
        .await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

impl ExperimentToMake {
    fn read(body: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_body(body, mistakes)?;
        let name = fields.text("name", Length::at_most(NAME_MAX), mistakes);
        let hypothesis = fields.text("hypothesis", Length::at_most(HYPOTHESIS_MAX), mistakes);
        let description = fields.optional_text("description", Length::at_most(DESCRIPTION_MAX), mistakes);
        let scorecard_data = fields.present("scorecard_data").and_then(|value| {
            let fields = Fields::of(value, fields.at("scorecard_data"), mistakes)?;
            scorecard(&fields, mistakes)
        });
        Some(Self {
            name: name?,
            hypothesis: hypothesis?,
            description,
            scorecard_data,
        })
    }
}

impl ExperimentTexts {
    fn read(body: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_body(body, mistakes)?;
        Some(Self {
            name: fields.optional_text("name", Length::at_most(NAME_MAX), mistakes),
            hypothesis: fields.optional_text("hypothesis", Length::at_most(HYPOTHESIS_MAX), mistakes),
            description: fields.optional_text("description", Length::at_most(DESCRIPTION_MAX), mistakes),
        })
    }
}

/// The scorecard in `fields`; `None` if a mistake was found.
fn scorecard(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<ScorecardData> {
    let any = Length::default();
    let feature_name = fields.text("feature_name", any, mistakes);
    let scenario = if fields.has("scenario") {
        fields.text("scenario", any, mistakes)
    } else {
        Some("baseline".to_owned())
    };
    let description_text = fields.text("description_text", any, mistakes);
    let description_media_urls = fields.texts("description_media_urls", mistakes);
    let complexity = dimension(fields, "complexity", mistakes);
    let initial_effort = dimension(fields, "initial_effort", mistakes);
    let perceived_risk = dimension(fields, "perceived_risk", mistakes);
    let time_to_value = dimension(fields, "time_to_value", mistakes);
    let justification = fields.optional_text("justification", any, mistakes);
    let impact_hypotheses = fields.texts("impact_hypotheses", mistakes);
    Some(ScorecardData {
        feature_name: feature_name?,
        scenario: scenario?,
        description_text: description_text?,
        description_media_urls,
        complexity: complexity?,
        initial_effort: initial_effort?,
        perceived_risk: perceived_risk?,
        time_to_value: time_to_value?,
        justification,
        impact_hypotheses,
    })
}

fn dimension(fields: &Fields<'_>, name: &str, mistakes: &mut Mistakes) -> Option<ScorecardDimension> {
    let value = fields.required(name, mistakes)?;
    let fields = Fields::of(value, fields.at(name), mistakes)?;
    let score = fields.fraction("score", mistakes);
    let rules_applied = fields.texts("rules_applied", mistakes);
    let lower_bound = fields.optional_fraction("lower_bound", mistakes);
    let upper_bound = fields.optional_fraction("upper_bound", mistakes);
    Some(ScorecardDimension {
        score: score?,
        rules_applied,
        lower_bound,
        upper_bound,
    })
}

/// A page of experiments, newest first.
#[utoipa::path(
    get, path = "/experiments/list", tag = TAG, params(PageQuery),
    responses((status = 200, body = PageOf<ExperimentSummary>))
)]
async fn list(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<PageOf<ExperimentSummary>>, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageQuery::read(&parameters, &mut mistakes);
    let request = mistakes.finish(Some(request))?;
    let page = use_case(&app).list(request).await?;
    Ok(Json(PageOf::from_page(request, page)))
}

/// An experiment with its analysis and its interviews.
#[utoipa::path(
    get, path = "/experiments/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Detail), (status = 404, body = Failure))
)]
async fn detail(State(app): State<App>, Key(id): Key) -> Result<Json<Detail>, HttpError> {
    Ok(Json(use_case(&app).detail(&id).await?.into()))
}

/// Change an experiment's texts.
#[utoipa::path(
    put, path = "/experiments/{id}", tag = TAG, params(("id" = String, Path)), request_body = ExperimentTexts,
    responses((status = 200, body = Experiment), (status = 404, body = Failure), (status = 422, body = Failure))
)]
async fn update(
    State(app): State<App>,
    Key(id): Key,
    Body(body): Body,
) -> Result<Json<Experiment>, HttpError> {
    let mut mistakes = Mistakes::default();
    let texts = ExperimentTexts::read(&body, &mut mistakes);
    let texts = mistakes.finish(texts)?;
    let change = ExperimentChange {
        name: texts.name,
        hypothesis: texts.hypothesis,
        description: texts.description,
    };
    Ok(Json(use_case(&app).update(&id, &change).await?.into()))
}

/// Replace an experiment's scorecard.
#[utoipa::path(
    put, path = "/experiments/{id}/scorecard", tag = TAG, params(("id" = String, Path)), request_body = ScorecardData,
    responses((status = 200, body = Experiment), (status = 404, body = Failure), (status = 422, body = Failure))
)]
async fn update_scorecard(
    State(app): State<App>,
    Key(id): Key,
    Body(body): Body,
) -> Result<Json<Experiment>, HttpError> {
    let mut mistakes = Mistakes::default();
    let fields = Fields::of_body(&body, &mut mistakes);
    let scorecard = fields.and_then(|fields| scorecard(&fields, &mut mistakes));
    let scorecard = mistakes.finish(scorecard)?;
    Ok(Json(
        use_case(&app).update_scorecard(&id, &scorecard).await?.into(),
    ))
}

/// Take an experiment out of sight; what belongs to it stays.
#[utoipa::path(
    delete, path = "/experiments/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Failure))
)]
async fn delete(State(app): State<App>, Key(id): Key) -> Result<StatusCode, HttpError> {
    use_case(&app).delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}
