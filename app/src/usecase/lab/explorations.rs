//! Explorations: their start, and their trees.

use std::sync::Arc;

use cutover_domain::json::Json;
use cutover_domain::json::JsonError;
use cutover_domain::lab::analysis_run::Rates;
use cutover_domain::lab::experiment::ScorecardData;
use cutover_domain::lab::exploration::{
    Exploration, ExplorationConfig, ExplorationGoal, ExplorationStatus, NodeCounts, NodeStatus, ScenarioNode,
    ScenarioResults, ScorecardParams,
};
use cutover_domain::stored::Stored;
use cutover_ports::clock::{Clock, Ids};
use cutover_ports::lab::LabRepositories;
use cutover_ports::{StoreError, together};
use futures_util::future::try_join;

use super::ID_ATTEMPTS;
use crate::usecase::UseCaseError;

/// What can be done with explorations.
#[derive(Clone)]
pub struct Explorations {
    lab: Arc<LabRepositories>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Explorations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explorations").finish_non_exhaustive()
    }
}

/// An exploration to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExploration {
    /// The experiment.
    pub experiment_id: String,
    /// The success rate to reach.
    pub goal_value: f64,
    /// How it is carried out.
    pub config: ExplorationConfig,
}

/// A search and its scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The search.
    pub exploration: Exploration,
    /// The scenarios, root first.
    pub nodes: Vec<ScenarioNode>,
    /// How many of them stand how.
    pub counts: NodeCounts,
}

impl Explorations {
    /// On these repositories.
    pub fn new(lab: Arc<LabRepositories>, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { lab, clock, ids }
    }

    /// Starts a search at the scorecard and the outcomes of the experiment's analysis. It ends at once if they are good
    /// enough. Search and root are stored together.
    pub async fn start(&self, new: NewExploration) -> Result<Exploration, UseCaseError> {
        let goal = ExplorationGoal::success_rate(new.goal_value);
        let invalid = |error: &dyn std::fmt::Display| UseCaseError::invalid("exploration", error.to_string());
        goal.check().map_err(|error| invalid(&error))?;
        new.config.check().map_err(|error| invalid(&error))?;
        let experiment = self
            .lab
            .experiments
            .get(&new.experiment_id)
            .await?
            .ok_or_else(|| UseCaseError::not_found("Experiment", &new.experiment_id))?;
        let scorecard = experiment
            .scorecard()
            .and_then(|document| document.canonical_view::<ScorecardData>().ok())
            .ok_or_else(|| {
                UseCaseError::invalid(
                    "experiment_id",
                    format!("Experiment {} has no scorecard data", experiment.id),
                )
            })?;
        let (baseline_analysis_id, rates) = self.baseline(&experiment.id).await?;

        let now = self.clock.now();
        let reached = goal.is_met_by(rates.success_rate);
        let mut exploration = Exploration {
            id: String::new(),
            experiment_id: experiment.id,
            baseline_analysis_id,
            goal: Json::of(&goal).map_err(|error| unwritable(&error))?,
            config: Json::of(&new.config).map_err(|error| unwritable(&error))?,
            status: if reached {
                ExplorationStatus::GoalAchieved
            } else {
                ExplorationStatus::Running
            }
            .into(),
            current_depth: 0.into(),
            total_nodes: 1.into(),
            total_llm_calls: 0.into(),
            best_success_rate: Some(rates.success_rate.into()),
            started_at: now.into(),
            completed_at: reached.then(|| now.into()),
        };
        let mut root = ScenarioNode {
            id: String::new(),
            exploration_id: String::new(),
            parent_id: None,
            depth: 0.into(),
            action_applied: None,
            action_category: None,
            rationale: None,
            short_action: None,
            scorecard_params: Json::of(&ScorecardParams {
                complexity: scorecard.complexity.score,
                initial_effort: scorecard.initial_effort.score,
                perceived_risk: scorecard.perceived_risk.score,
                time_to_value: scorecard.time_to_value.score,
            })
            .map_err(|error| unwritable(&error))?,
            simulation_results: Some(
                Json::of(&ScenarioResults {
                    success_rate: rates.success_rate,
                    fail_rate: rates.failed_rate,
                    did_not_try_rate: rates.did_not_try_rate,
                })
                .map_err(|error| unwritable(&error))?,
            ),
            execution_time_seconds: None,
            node_status: if reached {
                NodeStatus::Winner
            } else {
                NodeStatus::Active
            }
            .into(),
            created_at: now.into(),
        };
        for _ in 0..ID_ATTEMPTS {
            exploration.id = format!("expl_{}", self.ids.hex(8));
            root.id = format!("node_{}", self.ids.hex(8));
            root.exploration_id.clone_from(&exploration.id);
            match self.lab.explorations.start(&exploration, &root).await {
                Ok(()) => return Ok(exploration),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::conflict("explorations.id").into())
    }

    /// The experiment's completed analysis and its rates.
    async fn baseline(&self, experiment_id: &str) -> Result<(String, Rates), UseCaseError> {
        let missing = || {
            let message = format!("Experiment {experiment_id} has no completed baseline analysis");
            UseCaseError::invalid("experiment_id", message)
        };
        let id = self.lab.analysis_runs.latest_completed_id(experiment_id).await?;
        let id = id.ok_or_else(missing)?;
        let run = self.lab.analysis_runs.get(&id).await?.ok_or_else(missing)?;
        let rates: Rates = run
            .aggregated_outcomes
            .as_ref()
            .and_then(|outcomes| outcomes.canonical_view().ok())
            .filter(|rates: &Rates| rates.check().is_ok())
            .ok_or_else(missing)?;
        Ok((id, rates))
    }

    /// The search.
    pub async fn get(&self, id: &str) -> Result<Exploration, UseCaseError> {
        let exploration = self.lab.explorations.get(id).await?;
        exploration.ok_or_else(|| UseCaseError::not_found("Exploration", id))
    }

    /// The search and its scenarios.
    pub async fn tree(&self, id: &str) -> Result<Tree, UseCaseError> {
        let exploration = self.get(id).await?;
        let (nodes, counts) = together(try_join(
            self.lab.explorations.nodes(id),
            self.lab.explorations.node_counts(id),
        ))
        .await?;
        Ok(Tree {
            exploration,
            nodes,
            counts,
        })
    }

    /// The scenarios from the root to the winner; none unless the search has reached its goal.
    pub async fn winning_path(&self, id: &str) -> Result<Vec<ScenarioNode>, UseCaseError> {
        let exploration = self.get(id).await?;
        if exploration.status != Stored::Known(ExplorationStatus::GoalAchieved) {
            return Ok(Vec::new());
        }
        match self.lab.explorations.winner(id).await? {
            Some(winner) => Ok(self.lab.explorations.path_to(&winner.id).await?),
            None => Ok(Vec::new()),
        }
    }

    /// The searches of an experiment that is not deleted, newest first.
    pub async fn list_by_experiment(&self, experiment_id: &str) -> Result<Vec<Exploration>, UseCaseError> {
        let experiment = self.lab.experiments.get(experiment_id).await?;
        experiment.ok_or_else(|| UseCaseError::not_found("Experiment", experiment_id))?;
        Ok(self.lab.explorations.list_by_experiment(experiment_id).await?)
    }
}

fn unwritable(error: &JsonError) -> UseCaseError {
    UseCaseError::invalid("exploration", error.to_string())
}
