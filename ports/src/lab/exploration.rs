//! Explorations and their scenarios.

use async_trait::async_trait;
use cutover_domain::lab::exploration::{Exploration, ExplorationStep, NodeChange, NodeCounts, ScenarioNode};

use crate::StoreResult;

/// Searches (`explorations`) and their trees of scenarios (`scenario_nodes`).
#[cfg_attr(feature = "mock", mockall::automock)]
#[async_trait]
pub trait ExplorationRepository: Send + Sync {
    /// Stores a new search and its root together, or neither. A taken id is `Conflict("explorations.id")` or
    /// `Conflict("scenario_nodes.id")`; an experiment or a run that does not exist is `Missing("experiments")` or
    /// `Missing("analysis_runs")`.
    async fn start(&self, exploration: &Exploration, root: &ScenarioNode) -> StoreResult<()>;

    /// Stores the new scenarios of an iteration, the new standing of old and new ones, and the search as it is
    /// afterwards, all or nothing. A search that does not exist is `Missing("explorations")`; a parent, or a scenario
    /// whose standing is to change, that does not exist in this search `Missing("scenario_nodes")`; a taken id
    /// `Conflict("scenario_nodes.id")`.
    async fn advance(&self, step: &ExplorationStep) -> StoreResult<()>;

    /// The search, or `None`.
    async fn get(&self, id: &str) -> StoreResult<Option<Exploration>>;

    /// The experiment's searches, newest first, then by id.
    async fn list_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<Exploration>>;

    /// Overwrites all of the search but its id, its experiment, its run and its start; `false` if there is none.
    async fn update(&self, exploration: &Exploration) -> StoreResult<bool>;

    /// Stores a new scenario. A taken id is `Conflict("scenario_nodes.id")`; a search or a parent that does not exist
    /// is `Missing("explorations")` or `Missing("scenario_nodes")`.
    async fn insert_node(&self, node: &ScenarioNode) -> StoreResult<()>;

    /// The scenario, or `None`.
    async fn get_node(&self, id: &str) -> StoreResult<Option<ScenarioNode>>;

    /// Changes what `change` holds; `false` if there is no such scenario.
    async fn update_node(&self, id: &str, change: &NodeChange) -> StoreResult<bool>;

    /// The search's scenarios from the root on: by depth, then oldest first, then by id.
    async fn nodes(&self, exploration_id: &str) -> StoreResult<Vec<ScenarioNode>>;

    /// The scenarios to be developed: the deepest first, then oldest first, then by id.
    async fn frontier(&self, exploration_id: &str) -> StoreResult<Vec<ScenarioNode>>;

    /// The scenario of depth 0, or `None`; of several the oldest, of equals the first by id.
    async fn root(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>>;

    /// The scenario that won, or `None`; of several the least deep, then the oldest, then the first by id.
    async fn winner(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>>;

    /// The scenario and all that it came from, root first; nothing if there is no such scenario. Parents that go round
    /// in a circle are each listed once.
    async fn path_to(&self, node_id: &str) -> StoreResult<Vec<ScenarioNode>>;

    /// The scenarios that came from this one directly, oldest first, then by id.
    async fn children(&self, node_id: &str) -> StoreResult<Vec<ScenarioNode>>;

    /// How many scenarios of the search stand how.
    async fn node_counts(&self, exploration_id: &str) -> StoreResult<NodeCounts>;

    /// The simulated scenario with the highest success rate, or `None`; of equals the least deep, then the oldest, then
    /// the first by id.
    async fn best_node(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>>;
}
