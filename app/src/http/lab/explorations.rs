//! `/lab/explorations`, and the explorations of an experiment.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use cutover_domain::lab::experiment::is_experiment_id;
use cutover_domain::lab::exploration as domain;
use cutover_domain::lab::exploration::{
    ExplorationConfig, ExplorationGoal, NodeCounts, ScenarioNode, ScenarioResults, ScorecardParams,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stored::{Document, Scalar, Time, opt};
use crate::http::App;
use crate::http::error::{Failure, HttpError};
use crate::http::json::Json;
use crate::http::request::{Body, Fields, Key, Mistakes, text_of_pattern};
use crate::usecase::lab::explorations::{Explorations, NewExploration, Tree};

const TAG: &str = "Lab: explorations";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(start))
        .routes(routes!(get))
        .routes(routes!(tree))
        .routes(routes!(winning_path))
        .routes(routes!(list_by_experiment))
}

fn use_case(app: &App) -> Explorations {
    Explorations::new(app.routing.lab(), Arc::clone(&app.clock), Arc::clone(&app.ids))
}

/// An exploration to be started.
#[derive(ToSchema)]
struct ExplorationToStart {
    /// The experiment, which has a scorecard and a completed analysis.
    #[schema(pattern = "^exp_[a-f0-9]{8}$")]
    experiment_id: String,
    /// The success rate to reach.
    #[schema(minimum = 0, maximum = 1)]
    goal_value: f64,
    /// Scenarios developed at a time.
    #[schema(required = false, minimum = 1, maximum = 10, default = 3)]
    beam_width: i64,
    /// The deepest scenario.
    #[schema(required = false, minimum = 1, maximum = 10, default = 5)]
    max_depth: i64,
    /// How often the language model may be asked.
    #[schema(required = false, minimum = 1, maximum = 100, default = 20)]
    max_llm_calls: i64,
    /// Executions for each synth.
    #[schema(required = false, minimum = 10, maximum = 1000, default = 100)]
    n_executions: i64,
    /// Makes the search repeatable.
    seed: Option<i64>,
}

/// A search.
#[derive(Serialize, ToSchema)]
struct Exploration {
    /// Its id.
    id: String,
    /// The experiment.
    experiment_id: String,
    /// The analysis that it starts from.
    baseline_analysis_id: String,
    /// What it is after.
    goal: Option<Document<ExplorationGoal>>,
    /// How it is carried out.
    config: Option<Document<ExplorationConfig>>,
    /// `running`, `goal_achieved`, `depth_limit_reached`, `cost_limit_reached` or `no_viable_paths`.
    status: Scalar,
    /// How deep the tree is.
    current_depth: Scalar,
    /// How many scenarios there are.
    total_nodes: Scalar,
    /// How often the language model was asked.
    total_llm_calls: Scalar,
    /// The best success rate so far.
    best_success_rate: Option<Scalar>,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
}

/// A search as its experiment shows it.
#[derive(Serialize, ToSchema)]
struct ExplorationSummary {
    /// Its id.
    id: String,
    /// `running`, `goal_achieved`, `depth_limit_reached`, `cost_limit_reached` or `no_viable_paths`.
    status: Scalar,
    /// The success rate to reach.
    goal_value: Option<Scalar>,
    /// The best success rate so far.
    best_success_rate: Option<Scalar>,
    /// How many scenarios there are.
    total_nodes: Scalar,
    /// When it was started.
    started_at: Time,
    /// When it ended.
    completed_at: Option<Time>,
}

/// A scenario of a search.
#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the keys are the application's own")]
struct Node {
    /// Its id.
    id: String,
    /// The search.
    exploration_id: String,
    /// The scenario that it came from; none for the root.
    parent_id: Option<String>,
    /// Steps from the root.
    depth: Scalar,
    /// What was done.
    action_applied: Option<String>,
    /// Of which kind it is.
    action_category: Option<String>,
    /// Why.
    rationale: Option<String>,
    /// What was done, in a few words.
    short_action: Option<String>,
    /// The scores afterwards.
    scorecard_params: Option<Document<ScorecardParams>>,
    /// What simulating it gave.
    simulation_results: Option<Document<ScenarioResults>>,
    /// How long that took.
    execution_time_seconds: Option<Scalar>,
    /// `active`, `dominated`, `winner` or `expansion_failed`.
    node_status: Scalar,
    /// When it was made.
    created_at: Time,
}

/// A search and its scenarios.
#[derive(Serialize, ToSchema)]
struct ExplorationTree {
    /// The search.
    exploration: Exploration,
    /// The scenarios, root first.
    nodes: Vec<Node>,
    /// How many of them stand how.
    node_count_by_status: NodeCountByStatus,
}

/// How many scenarios stand how.
#[derive(Serialize, ToSchema)]
struct NodeCountByStatus {
    /// To be developed.
    active: u64,
    /// Given up for better ones.
    dominated: u64,
    /// At the goal.
    winner: u64,
    /// Failed to develop.
    expansion_failed: u64,
}

/// The way to the scenario that reached the goal.
#[derive(Serialize, ToSchema)]
struct WinningPath {
    /// The search.
    exploration_id: String,
    /// The scenario.
    winner_node_id: String,
    /// The way from the root.
    path: Vec<PathStep>,
    /// How much better the winner is than the root.
    total_improvement: f64,
}

/// One step of the way.
#[derive(Serialize, ToSchema)]
struct PathStep {
    /// Steps from the root.
    depth: Scalar,
    /// What was done.
    action: Option<String>,
    /// Of which kind it is.
    category: Option<String>,
    /// Why.
    rationale: Option<String>,
    /// The success rate; 0 where there is none.
    success_rate: f64,
    /// How much better than the step before; the root's own rate.
    delta_success_rate: f64,
}

impl From<domain::Exploration> for Exploration {
    fn from(exploration: domain::Exploration) -> Self {
        Self {
            goal: Document::read(&exploration.goal),
            config: Document::read(&exploration.config),
            status: Scalar::of_enum(&exploration.status),
            current_depth: Scalar::from(&exploration.current_depth),
            total_nodes: Scalar::from(&exploration.total_nodes),
            total_llm_calls: Scalar::from(&exploration.total_llm_calls),
            best_success_rate: opt(exploration.best_success_rate.as_ref()),
            started_at: Time::from(&exploration.started_at),
            completed_at: opt(exploration.completed_at.as_ref()),
            id: exploration.id,
            experiment_id: exploration.experiment_id,
            baseline_analysis_id: exploration.baseline_analysis_id,
        }
    }
}

impl From<domain::Exploration> for ExplorationSummary {
    fn from(exploration: domain::Exploration) -> Self {
        Self {
            goal_value: Scalar::of_fraction(exploration.goal.canonical().get("value")),
            status: Scalar::of_enum(&exploration.status),
            best_success_rate: opt(exploration.best_success_rate.as_ref()),
            total_nodes: Scalar::from(&exploration.total_nodes),
            started_at: Time::from(&exploration.started_at),
            completed_at: opt(exploration.completed_at.as_ref()),
            id: exploration.id,
        }
    }
}

impl From<ScenarioNode> for Node {
    fn from(node: ScenarioNode) -> Self {
        Self {
            depth: Scalar::from(&node.depth),
            scorecard_params: Document::read(&node.scorecard_params),
            simulation_results: Document::opt(node.simulation_results.as_ref()),
            execution_time_seconds: opt(node.execution_time_seconds.as_ref()),
            node_status: Scalar::of_enum(&node.node_status),
            created_at: Time::from(&node.created_at),
            id: node.id,
            exploration_id: node.exploration_id,
            parent_id: node.parent_id,
            action_applied: node.action_applied,
            action_category: node.action_category,
            rationale: node.rationale,
            short_action: node.short_action,
        }
    }
}

impl From<NodeCounts> for NodeCountByStatus {
    fn from(counts: NodeCounts) -> Self {
        Self {
            active: counts.active,
            dominated: counts.dominated,
            winner: counts.winner,
            expansion_failed: counts.expansion_failed,
        }
    }
}

impl From<Tree> for ExplorationTree {
    fn from(tree: Tree) -> Self {
        Self {
            exploration: tree.exploration.into(),
            nodes: tree.nodes.into_iter().map(Node::from).collect(),
            node_count_by_status: tree.counts.into(),
        }
    }
}

impl WinningPath {
    /// The way along `nodes`, root first; none without any.
    fn along(exploration_id: String, nodes: &[ScenarioNode]) -> Option<Self> {
        let rate = |node: &ScenarioNode| node.success_rate().filter(|rate| rate.is_finite()).unwrap_or(0.0);
        let (root, winner) = (nodes.first()?, nodes.last()?);
        // Before the root there was no success at all.
        let before = std::iter::once(0.0).chain(nodes.iter().map(rate));
        let steps = before.zip(nodes).map(|(before, node)| PathStep {
            depth: Scalar::from(&node.depth),
            action: node.action_applied.clone(),
            category: node.action_category.clone(),
            rationale: node.rationale.clone(),
            success_rate: rate(node),
            delta_success_rate: rate(node) - before,
        });
        Some(Self {
            exploration_id,
            winner_node_id: winner.id.clone(),
            path: steps.collect(),
            total_improvement: rate(winner) - rate(root),
        })
    }
}

/// Start an exploration at the scorecard and the analysis of an experiment. Nothing develops it here.
#[utoipa::path(
    post, path = "/explorations", tag = TAG, request_body = ExplorationToStart,
    responses(
        (status = 201, body = Exploration), (status = 404, body = Failure),
        (status = 422, body = Failure, description = "The experiment has no scorecard or no completed analysis."),
    )
)]
async fn start(
    State(app): State<App>,
    Body(body): Body,
) -> Result<(StatusCode, Json<Exploration>), HttpError> {
    let mut mistakes = Mistakes::default();
    let wish = ExplorationToStart::read(&body, &mut mistakes);
    let wish = mistakes.finish(wish)?;
    let new = NewExploration {
        experiment_id: wish.experiment_id,
        goal_value: wish.goal_value,
        config: ExplorationConfig {
            beam_width: wish.beam_width,
            max_depth: wish.max_depth,
            max_llm_calls: wish.max_llm_calls,
            n_executions: wish.n_executions,
            seed: wish.seed,
            ..ExplorationConfig::default()
        },
    };
    let started = use_case(&app).start(new).await?;
    Ok((StatusCode::CREATED, Json(started.into())))
}

impl ExplorationToStart {
    fn read(body: &Value, mistakes: &mut Mistakes) -> Option<Self> {
        let fields = Fields::of_body(body, mistakes)?;
        let experiment_id = fields.required("experiment_id", mistakes);
        let experiment_id = experiment_id.and_then(|id| {
            let (at, pattern) = (fields.at("experiment_id"), "^exp_[a-f0-9]{8}$");
            text_of_pattern(id, &at, pattern, is_experiment_id, mistakes)
        });
        let goal_value = fields.fraction("goal_value", mistakes);
        let default = ExplorationConfig::default();
        let beam_width = fields.integer("beam_width", 1..=10, default.beam_width, mistakes);
        let max_depth = fields.integer("max_depth", 1..=10, default.max_depth, mistakes);
        let max_llm_calls = fields.integer("max_llm_calls", 1..=100, default.max_llm_calls, mistakes);
        let n_executions = fields.integer("n_executions", 10..=1000, default.n_executions, mistakes);
        let seed = fields.optional_integer("seed", mistakes);
        Some(Self {
            experiment_id: experiment_id?,
            goal_value: goal_value?,
            beam_width: beam_width?,
            max_depth: max_depth?,
            max_llm_calls: max_llm_calls?,
            n_executions: n_executions?,
            seed,
        })
    }
}

/// A search.
#[utoipa::path(
    get, path = "/explorations/{id}", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Exploration), (status = 404, body = Failure))
)]
async fn get(State(app): State<App>, Key(id): Key) -> Result<Json<Exploration>, HttpError> {
    Ok(Json(use_case(&app).get(&id).await?.into()))
}

/// A search and its scenarios.
#[utoipa::path(
    get, path = "/explorations/{id}/tree", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = ExplorationTree), (status = 404, body = Failure))
)]
async fn tree(State(app): State<App>, Key(id): Key) -> Result<Json<ExplorationTree>, HttpError> {
    Ok(Json(use_case(&app).tree(&id).await?.into()))
}

/// The way to the scenario that reached the goal; `null` unless the search ended with that.
#[utoipa::path(
    get, path = "/explorations/{id}/winning-path", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Option<WinningPath>), (status = 404, body = Failure))
)]
async fn winning_path(State(app): State<App>, Key(id): Key) -> Result<Json<Option<WinningPath>>, HttpError> {
    let nodes = use_case(&app).winning_path(&id).await?;
    Ok(Json(WinningPath::along(id, &nodes)))
}

/// The explorations of an experiment, newest first.
#[utoipa::path(
    get, path = "/experiments/{id}/explorations", tag = TAG, params(("id" = String, Path)),
    responses((status = 200, body = Vec<ExplorationSummary>), (status = 404, body = Failure))
)]
async fn list_by_experiment(
    State(app): State<App>,
    Key(id): Key,
) -> Result<Json<Vec<ExplorationSummary>>, HttpError> {
    let explorations = use_case(&app).list_by_experiment(&id).await?;
    Ok(Json(
        explorations.into_iter().map(ExplorationSummary::from).collect(),
    ))
}
