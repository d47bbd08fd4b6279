//! `/lab/simulation`: the legacy simulation's scorecards and runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::lab::scorecard::{FeatureDimension, FeatureScorecard, Identification, ScorecardDocument};
use cutover_domain::lab::simulation::{SimulationConfig, SimulationFilter, SimulationRates, SimulationRun};
use cutover_domain::lab::synth_outcome::{SynthAttributes, SynthOutcome};
use cutover_ports::{Page, PageRequest};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::page::{limit, offset};
use super::stored::{Document, Scalar, Time, json_time, opt};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Body, Fields, Key, Length, Mistakes, Parameters};
use crate::usecase::UseCaseError;
use crate::usecase::lab::scorecards::Scorecards;
use crate::usecase::lab::simulation::{Comparison, Simulations};

const TAG: &str = "Lab: simulation";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_scorecard, list_scorecards))
        .routes(routes!(scorecard))
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(outcomes))
        .routes(routes!(compare))
}

fn scorecards(app: &App) -> Scorecards {
    Scorecards::new(&app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

fn simulations(app: &App) -> Simulations {
    Simulations::new(&app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

/// A scorecard to be made.
#[derive(ToSchema)]
struct FeatureScorecardToMake {
    /// The feature.
    #[schema(min_length = 1)]
    feature_name: String,
    /// The scenario it is used in.
    #[schema(min_length = 1)]
    use_scenario: String,
    /// What the feature does.
    #[schema(min_length = 1)]
    description_text: String,
    /// Who judged it.
    #[schema(required = false)]
    evaluators: Vec<String>,
    /// Pictures of it.
    #[schema(required = false)]
    description_media_urls: Vec<String>,
    /// How hard it is to understand.
    complexity: Option<DimensionToMake>,
    /// What it takes to begin.
    initial_effort: Option<DimensionToMake>,
    /// What the user fears.
    perceived_risk: Option<DimensionToMake>,
    /// How long until it helps.
    time_to_value: Option<DimensionToMake>,
}

/// One dimension of a scorecard to be made; a missing one has the score 0.5.
#[derive(ToSchema)]
#[schema(as = FeatureDimension)]
struct DimensionToMake {
    /// How it scores.
    #[schema(minimum = 0, maximum = 1)]
    score: f64,
    /// The rules that led to the score.
    #[schema(required = false)]
    rules_applied: Vec<String>,
    /// How far below the score the truth may be.
    #[schema(required = false, minimum = 0, maximum = 1)]
    min_uncertainty: f64,
    /// How far above it, not less than the other.
    #[schema(required = false, minimum = 0, maximum = 1)]
    max_uncertainty: f64,
}

/// A scorecard.
#[derive(Serialize, ToSchema)]
#[schema(as = FeatureScorecard)]
struct ShownScorecard {
    /// Its id.
    id: String,
    /// The feature.
    feature_name: Option<String>,
    /// The scenario it is used in.
    use_scenario: Option<String>,
    /// What the feature does.
    description_text: Option<String>,
    /// How hard it is to understand.
    complexity_score: Option<Scalar>,
    /// What it takes to begin.
    initial_effort_score: Option<Scalar>,
    /// What the user fears.
    perceived_risk_score: Option<Scalar>,
    /// How long until it helps.
    time_to_value_score: Option<Scalar>,
    /// Why these scores.
    justification: Option<String>,
    /// What it may lead to.
    impact_hypotheses: Vec<String>,
    /// When it was made.
    created_at: Option<String>,
    /// When it was last changed.
    updated_at: Option<String>,
}

/// A page of scorecards.
#[derive(Serialize, ToSchema)]
struct ScorecardPage {
    /// Its scorecards.
    scorecards: Vec<ShownScorecard>,
    /// Those of all pages.
    total: u64,
    /// How many the page may have.
    limit: u32,
    /// How many come before it.
    offset: u64,
}

/// A run of the simulation.
#[derive(Serialize, ToSchema)]
struct Simulation {
    /// Its id.
    id: String,
    /// The scorecard it tries.
    scorecard_id: String,
    /// The scenario it plays.
    scenario_id: String,
    /// What it was asked to do.
    config: Option<Document<SimulationConfig>>,
    /// `pending`, `running`, `completed` or `failed`.
    status: Scalar,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
    /// How many synths it covered.
    total_synths: Option<Scalar>,
    /// The rates over all synths.
    aggregated_outcomes: Option<Document<SimulationRates>>,
    /// How long it took.
    execution_time_seconds: Option<Scalar>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
struct SimulationPage {
    /// Its runs.
    simulations: Vec<Simulation>,
    /// Those of all pages.
    total: u64,
    /// How many the page may have.
    limit: u32,
    /// How many come before it.
    offset: u64,
}

/// How one synth fared in a run.
#[derive(Serialize, ToSchema)]
struct SimulationOutcome {
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

/// A page of outcomes.
#[derive(Serialize, ToSchema)]
struct OutcomePage {
    /// Its outcomes.
    outcomes: Vec<SimulationOutcome>,
    /// Those of all pages.
    total: u64,
    /// How many the page may have.
    limit: u32,
    /// How many come before it.
    offset: u64,
}

/// Which runs are compared.
#[derive(ToSchema)]
struct SimulationsToCompare {
    /// Their ids.
    #[schema(min_items = 2, max_items = 5)]
    simulation_ids: Vec<String>,
}

/// Runs beside each other.
#[derive(Serialize, ToSchema)]
struct SimulationComparison {
    /// The runs.
    simulations: Vec<ComparedSimulation>,
    /// The regions that differ most between the scenarios, ten at most.
    most_affected_regions: Vec<ComparedRegion>,
}

/// A run beside others.
#[derive(Serialize, ToSchema)]
struct ComparedSimulation {
    /// Its id.
    id: String,
    /// The scenario it plays.
    scenario_id: String,
    /// The rates over all synths; empty while they are not known.
    aggregated_outcomes: Document<BTreeMap<String, f64>>,
}

/// A region that several scenarios have.
#[derive(Serialize, ToSchema)]
struct ComparedRegion {
    /// What its synths have in common.
    rule_text: String,
    /// The share of executions that they tried and failed, by scenario.
    #[schema(value_type = BTreeMap<String, f64>)]
    outcomes_by_scenario: Map<String, Value>,
}

impl From<&FeatureScorecard> for ShownScorecard {
    /// The document is the truth; one that is incomplete is shown as far as it goes.
    fn from(scorecard: &FeatureScorecard) -> Self {
        let document = scorecard.data.canonical();
        let text = |pointer: &str| {
            document
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let score = |pointer: &str| Scalar::of_fraction(document.pointer(pointer));
        let time = |pointer: &str| text(pointer).map(|time| json_time(&time));
        let hypotheses = document.get("impact_hypotheses").and_then(Value::as_array);
        let hypotheses = hypotheses.into_iter().flatten().filter_map(Value::as_str);
        Self {
            id: scorecard.id.clone(),
            feature_name: text("/identification/feature_name"),
            use_scenario: text("/identification/use_scenario"),
            description_text: text("/description_text"),
            complexity_score: score("/complexity/score"),
            initial_effort_score: score("/initial_effort/score"),
            perceived_risk_score: score("/perceived_risk/score"),
            time_to_value_score: score("/time_to_value/score"),
            justification: text("/justification"),
            impact_hypotheses: hypotheses.map(str::to_owned).collect(),
            created_at: time("/created_at"),
            updated_at: time("/updated_at"),
        }
    }
}

impl From<SimulationRun> for Simulation {
    fn from(run: SimulationRun) -> Self {
        Self {
            config: Document::read(&run.config),
            status: Scalar::of_enum(&run.status),
            started_at: Time::from(&run.started_at),
            completed_at: opt(run.completed_at.as_ref()),
            total_synths: opt(run.total_synths.as_ref()),
            aggregated_outcomes: Document::opt(run.aggregated_outcomes.as_ref()),
            execution_time_seconds: opt(run.execution_time_seconds.as_ref()),
            id: run.id,
            scorecard_id: run.scorecard_id,
            scenario_id: run.scenario_id,
        }
    }
}

impl From<SynthOutcome> for SimulationOutcome {
    fn from(outcome: SynthOutcome) -> Self {
        Self {
            did_not_try_rate: Scalar::from(&outcome.did_not_try_rate),
            failed_rate: Scalar::from(&outcome.failed_rate),
            success_rate: Scalar::from(&outcome.success_rate),
            synth_attributes: Document::opt(outcome.synth_attributes.as_ref()),
            synth_id: outcome.synth_id,
        }
    }
}

impl From<Comparison> for SimulationComparison {
    fn from(comparison: Comparison) -> Self {
        let runs = comparison.runs.into_iter().map(|run| ComparedSimulation {
            aggregated_outcomes: Document::opt(run.aggregated_outcomes.as_ref())
                .unwrap_or(Document::Shaped(BTreeMap::new())),
            id: run.id,
            scenario_id: run.scenario_id,
        });
        let regions = comparison.regions.into_iter().map(|region| {
            let rates = region.failed_by_scenario.into_iter();
            ComparedRegion {
                rule_text: region.rule_text,
                outcomes_by_scenario: rates.map(|(scenario, rate)| (scenario, rate.into())).collect(),
            }
        });
        Self {
            simulations: runs.collect(),
            most_affected_regions: regions.collect(),
        }
    }
}

/// Make a scorecard.
#[utoipa::path(
    post, path = "/simulation/scorecards", tag = TAG, request_body = FeatureScorecardToMake,
    responses((status = 201, body = ShownScorecard), (status = 422, body = Failure))
)]
async fn create_scorecard(
    State(app): State<App>,
    Body(body): Body,
) -> Result<(StatusCode, Json<ShownScorecard>), HttpError> {
    let mut mistakes = Mistakes::default();
    let wish = FeatureScorecardToMake::read(&body, &mut mistakes);
    let wish = mistakes.finish(wish)?;
    let made = scorecards(&app).create(wish.into()).await?;
    Ok((StatusCode::CREATED, Json(ShownScorecard::from(&made))))
}

impl FeatureScorecardToMake {
    fn read(body: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_body(body, mistakes)?;
        let feature_name = fields.text("feature_name", Length::default(), mistakes);
        let use_scenario = fields.text("use_scenario", Length::default(), mistakes);
        let description_text = fields.text("description_text", Length::default(), mistakes);
        let evaluators = fields.texts("evaluators", mistakes);
        let description_media_urls = fields.texts("description_media_urls", mistakes);
        let mut dimension = |name| {
            let value = fields.present(name)?;
            DimensionToMake::read(&Fields::of(value, fields.at(name), mistakes)?, mistakes)
        };
        Some(Self {
            complexity: dimension("complexity"),
            initial_effort: dimension("initial_effort"),
            perceived_risk: dimension("perceived_risk"),
            time_to_value: dimension("time_to_value"),
            feature_name: feature_name?,
            use_scenario: use_scenario?,
            description_text: description_text?,
            evaluators,
            description_media_urls,
        })
    }
}

impl DimensionToMake {
    fn read(fields: &Fields<'_>, mistakes: &mut Mistakes) -> Option<Self> {
        let score = fields.fraction("score", mistakes);
        let rules_applied = fields.texts("rules_applied", mistakes);
        let mut uncertainty = |name| {
            if fields.has(name) {
                fields.fraction(name, mistakes)
            } else {
                Some(0.0)
            }
        };
        Some(Self {
            min_uncertainty: uncertainty("min_uncertainty")?,
            max_uncertainty: uncertainty("max_uncertainty")?,
            score: score?,
            rules_applied,
        })
    }
}

impl From<FeatureScorecardToMake> for ScorecardDocument {
    fn from(wish: FeatureScorecardToMake) -> Self {
        let dimension = |wish: Option<DimensionToMake>| {
            wish.map_or_else(FeatureDimension::default, |wish| FeatureDimension {
                score: wish.score,
                rules_applied: wish.rules_applied,
                min_uncertainty: wish.min_uncertainty,
                max_uncertainty: wish.max_uncertainty,
            })
        };
        Self {
            id: String::new(),
            experiment_id: None,
            identification: Identification {
                feature_name: wish.feature_name,
                use_scenario: wish.use_scenario,
                created_at: None,
                evaluators: wish.evaluators,
            },
            description_text: wish.description_text,
            description_media_urls: wish.description_media_urls,
            complexity: dimension(wish.complexity),
            initial_effort: dimension(wish.initial_effort),
            perceived_risk: dimension(wish.perceived_risk),
            time_to_value: dimension(wish.time_to_value),
            justification: None,
            impact_hypotheses: Vec::new(),
            version: "1.0.0".to_owned(),
            created_at: String::new(),
            updated_at: None,
        }
    }
}

/// Which page, of at most `max`.
fn page(parameters: &Parameters, max: u32, default: u32) -> Result<PageRequest, HttpError> {
    let mut mistakes = Mistakes::default();
    let request = PageRequest {
        limit: limit(parameters, max, default, &mut mistakes),
        offset: offset(parameters, &mut mistakes),
    };
    mistakes.finish(Some(request))
}

/// A page of scorecards, newest first.
#[utoipa::path(
    get, path = "/simulation/scorecards", tag = TAG,
    params(
        ("limit" = Option<i32>, Query, minimum = 1, maximum = 100, description = "How many at most; 20 if missing."),
        ("offset" = Option<i64>, Query, minimum = 0, description = "How many come before the page."),
    ),
    responses((status = 200, body = ScorecardPage))
)]
async fn list_scorecards(
    State(app): State<App>,
    parameters: Parameters,
) -> Result<Json<ScorecardPage>, HttpError> {
    let request = page(&parameters, 100, 20)?;
    let page = scorecards(&app).list(request).await?;
    Ok(Json(ScorecardPage {
        scorecards: page.items.iter().map(ShownScorecard::from).collect(),
        total: page.total,
        limit: request.limit,
        offset: request.offset,
    }))
}

/// A scorecard.
#[utoipa::path(
    get, path = "/simulation/scorecards/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = ShownScorecard), (status = 404, body = Failure))
)]
async fn scorecard(State(app): State<App>, Key(id): Key) -> Result<Json<ShownScorecard>, HttpError> {
    Ok(Json(ShownScorecard::from(&scorecards(&app).get(&id).await?)))
}

/// A page of runs, the newest first.
#[utoipa::path(
    get, path = "/simulation/simulations", tag = TAG,
    params(
        ("scorecard_id" = Option<String>, Query, description = "Only runs of this scorecard."),
        ("scenario_id" = Option<String>, Query, description = "Only runs of this scenario."),
        ("status" = Option<String>, Query, description = "Only runs with this status."),
        ("limit" = Option<i32>, Query, minimum = 1, maximum = 100, description = "How many at most; 20 if missing."),
        ("offset" = Option<i64>, Query, minimum = 0, description = "How many come before the page."),
    ),
    responses((status = 200, body = SimulationPage))
)]
async fn list(State(app): State<App>, parameters: Parameters) -> Result<Json<SimulationPage>, HttpError> {
    let request = page(&parameters, 100, 20)?;
    let filter = SimulationFilter {
        scorecard_id: parameters.wanted("scorecard_id"),
        scenario_id: parameters.wanted("scenario_id"),
        status: parameters.wanted("status"),
    };
    let Page { items, total } = simulations(&app).list(filter, request).await?;
    Ok(Json(SimulationPage {
        simulations: items.into_iter().map(Simulation::from).collect(),
        total,
        limit: request.limit,
        offset: request.offset,
    }))
}

/// A run.
#[utoipa::path(
    get, path = "/simulation/simulations/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Simulation), (status = 404, body = Failure))
)]
async fn get(State(app): State<App>, Key(id): Key) -> Result<Json<Simulation>, HttpError> {
    Ok(Json(simulations(&app).get(&id).await?.into()))
}

/// A page of a run's outcomes, by synth.
#[utoipa::path(
    get, path = "/simulation/simulations/{id}/outcomes", tag = TAG,
    params(
        ("id" = String, Path),
        ("limit" = Option<i32>, Query, minimum = 1, maximum = 500, description = "How many at most; 100 if missing."),
        ("offset" = Option<i64>, Query, minimum = 0, description = "How many come before the page."),
    ),
    responses((status = 200, body = OutcomePage), (status = 404, body = Failure))
)]
async fn outcomes(
    State(app): State<App>,
    Key(id): Key,
    parameters: Parameters,
) -> Result<Json<OutcomePage>, HttpError> {
    let request = page(&parameters, 500, 100)?;
    let Page { items, total } = simulations(&app).outcomes(&id, request).await?;
    Ok(Json(OutcomePage {
        outcomes: items.into_iter().map(SimulationOutcome::from).collect(),
        total,
        limit: request.limit,
        offset: request.offset,
    }))
}

/// Compare two to five runs by scenario.
#[utoipa::path(
    post, path = "/simulation/simulations/compare", tag = TAG, request_body = SimulationsToCompare,
    responses(
        (status = 200, body = SimulationComparison), (status = 422, body = Failure),
        (status = 400, body = Failure, description = "One of the runs does not exist."),
    )
)]
async fn compare(State(app): State<App>, Body(body): Body) -> Result<Json<SimulationComparison>, HttpError> {
    let mut mistakes = Mistakes::default();
    let wish = SimulationsToCompare::read(&body, &mut mistakes);
    let wish = mistakes.finish(wish)?;
    let comparison = simulations(&app).compare(&wish.simulation_ids).await;
    let comparison = comparison.map_err(|error| match error {
        UseCaseError::NotFound(message) => HttpError::Detail(StatusCode::BAD_REQUEST, message),
        other => other.into(),
    })?;
    Ok(Json(comparison.into()))
}

impl SimulationsToCompare {
    fn read(body: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_body(body, mistakes)?;
        let value = fields.required("simulation_ids", mistakes)?;
        let simulation_ids = fields.texts("simulation_ids", mistakes);
        let count = simulation_ids.len();
        let at = fields.at("simulation_ids");
        if value.as_array().is_none_or(|items| items.len() > count) {
            // What is wrong with the items is told already.
        } else if count < 2 {
            let message = format!("List should have at least 2 items after validation, not {count}");
            let context = json!({ "field_type": "List", "min_length": 2, "actual_length": count });
            mistakes.add("too_short", &at, &message, value, Some(context));
        } else if count > 5 {
            let message = format!("List should have at most 5 items after validation, not {count}");
            let context = json!({ "field_type": "List", "max_length": 5, "actual_length": count });
            mistakes.add("too_long", &at, &message, value, Some(context));
        }
        Some(Self { simulation_ids })
    }
}
