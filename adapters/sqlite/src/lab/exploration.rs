//! Explorations and their scenarios.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::exploration::{
    Exploration, ExplorationStep, NodeChange, NodeCounts, NodeStatus, ScenarioNode,
};
use cutover_domain::stored::{Stored, TextEnum};
use cutover_ports::lab::ExplorationRepository;
use cutover_ports::{StoreError, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::database::Session;
use crate::instant::{newest_first, oldest_first};
use crate::row::{Columns, opt_sql_number, opt_sql_time, sql_enum, sql_number, sql_time};

const TABLE: &str = "explorations";
const NODES: &str = "scenario_nodes";

/// [`ExplorationRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteExplorationRepository {
    db: Database,
}

impl SqliteExplorationRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    async fn many_nodes(
        &self,
        operation: &'static str,
        sql: &'static str,
        key: &str,
    ) -> StoreResult<Vec<ScenarioNode>> {
        let key = key.to_owned();
        self.db
            .read(operation, move |session| session.query(sql, [key], node_from_row))
            .await
    }

    async fn one_node(
        &self,
        operation: &'static str,
        sql: &'static str,
        key: &str,
    ) -> StoreResult<Option<ScenarioNode>> {
        let key = key.to_owned();
        self.db
            .read(operation, move |session| {
                session.query_opt(sql, [key], node_from_row)
            })
            .await
    }
}

/// Reads `id, experiment_id, baseline_analysis_id, goal, config, status, current_depth, total_nodes, total_llm_calls,
/// best_success_rate, started_at, completed_at`.
fn exploration_from_row(columns: &mut Columns<'_>) -> StoreResult<Exploration> {
    Ok(Exploration {
        id: columns.text()?,
        experiment_id: columns.text()?,
        baseline_analysis_id: columns.text()?,
        goal: columns.json()?,
        config: columns.json()?,
        status: columns.text_enum()?,
        current_depth: columns.integer()?,
        total_nodes: columns.integer()?,
        total_llm_calls: columns.integer()?,
        best_success_rate: columns.opt_real()?,
        started_at: columns.time()?,
        completed_at: columns.opt_time()?,
    })
}

/// Scenario nodes as [`node_from_row`] reads them; what follows says which, in which order.
macro_rules! nodes_sql {
    ($($which:tt)*) => {
        concat!(
            "SELECT id, exploration_id, parent_id, depth, action_applied, action_category, rationale,
                short_action, scorecard_params, simulation_results, execution_time_seconds,
                node_status, created_at
            FROM scenario_nodes ",
            $($which)*
        )
    };
}

/// Reads what `nodes_sql` selects.
fn node_from_row(columns: &mut Columns<'_>) -> StoreResult<ScenarioNode> {
    Ok(ScenarioNode {
        id: columns.text()?,
        exploration_id: columns.text()?,
        parent_id: columns.opt_text()?,
        depth: columns.integer()?,
        action_applied: columns.opt_text()?,
        action_category: columns.opt_text()?,
        rationale: columns.opt_text()?,
        short_action: columns.opt_text()?,
        scorecard_params: columns.json()?,
        simulation_results: columns.opt_json()?,
        execution_time_seconds: columns.opt_real()?,
        node_status: columns.text_enum()?,
        created_at: columns.time()?,
    })
}

fn insert_exploration(session: &Session, exploration: &Exploration) -> StoreResult<()> {
    const SQL: &str =
        "INSERT INTO explorations (id, experiment_id, baseline_analysis_id, goal, config, status,
            current_depth, total_nodes, total_llm_calls, best_success_rate, started_at, completed_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let row = params![
        exploration.id,
        exploration.experiment_id,
        exploration.baseline_analysis_id,
        exploration.goal.as_str(),
        exploration.config.as_str(),
        sql_enum(&exploration.status),
        sql_number(&exploration.current_depth),
        sql_number(&exploration.total_nodes),
        sql_number(&exploration.total_llm_calls),
        opt_sql_number(exploration.best_success_rate.as_ref()),
        sql_time(&exploration.started_at),
        opt_sql_time(exploration.completed_at.as_ref()),
    ];
    let parents = [
        ("experiments", "id", exploration.experiment_id.as_str()),
        ("analysis_runs", "id", exploration.baseline_analysis_id.as_str()),
    ];
    session.execute_referring(SQL, row, &parents).map(drop)
}

fn update_exploration(session: &Session, exploration: &Exploration) -> StoreResult<bool> {
    const SQL: &str = "UPDATE explorations SET goal = ?2, config = ?3, status = ?4, current_depth = ?5,
            total_nodes = ?6, total_llm_calls = ?7, best_success_rate = ?8, completed_at = ?9
        WHERE id = ?1";
    let row = params![
        exploration.id,
        exploration.goal.as_str(),
        exploration.config.as_str(),
        sql_enum(&exploration.status),
        sql_number(&exploration.current_depth),
        sql_number(&exploration.total_nodes),
        sql_number(&exploration.total_llm_calls),
        opt_sql_number(exploration.best_success_rate.as_ref()),
        opt_sql_time(exploration.completed_at.as_ref()),
    ];
    Ok(session.execute(SQL, row)? > 0)
}

fn insert_node(session: &Session, node: &ScenarioNode) -> StoreResult<()> {
    const SQL: &str =
        "INSERT INTO scenario_nodes (id, exploration_id, parent_id, depth, action_applied, action_category,
            rationale, short_action, scorecard_params, simulation_results, execution_time_seconds, node_status,
            created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    let row = params![
        node.id,
        node.exploration_id,
        node.parent_id,
        sql_number(&node.depth),
        node.action_applied,
        node.action_category,
        node.rationale,
        node.short_action,
        node.scorecard_params.as_str(),
        node.simulation_results.as_ref().map(Json::as_str),
        opt_sql_number(node.execution_time_seconds.as_ref()),
        sql_enum(&node.node_status),
        sql_time(&node.created_at),
    ];
    let mut parents = vec![(TABLE, "id", node.exploration_id.as_str())];
    if let Some(parent) = &node.parent_id {
        parents.push((NODES, "id", parent));
    }
    session.execute_referring(SQL, row, &parents).map(drop)
}

#[async_trait]
impl ExplorationRepository for SqliteExplorationRepository {
    async fn start(&self, exploration: &Exploration, root: &ScenarioNode) -> StoreResult<()> {
        let _held = self
            .db
            .keys
            .before_write(&[
                ("experiments", &exploration.experiment_id),
                ("analysis_runs", &exploration.baseline_analysis_id),
            ])
            .await?;
        let (exploration, root) = (exploration.clone(), root.clone());
        self.db
            .atomic("explorations.start", move |session| {
                insert_exploration(session, &exploration)?;
                insert_node(session, &root)
            })
            .await
    }

    async fn advance(&self, step: &ExplorationStep) -> StoreResult<()> {
        const SET_STATUS: &str =
            "UPDATE scenario_nodes SET node_status = ?3 WHERE id = ?1 AND exploration_id = ?2";
        let mut step = step.clone();
        // A parent must be there before its children are.
        step.new_nodes
            .sort_by_key(|node| node.depth.known().copied().unwrap_or(i64::MAX));
        self.db
            .atomic("explorations.advance", move |session| {
                if !update_exploration(session, &step.exploration)? {
                    return Err(StoreError::missing(TABLE));
                }
                for node in &step.new_nodes {
                    insert_node(session, node)?;
                }
                for (id, status) in &step.node_statuses {
                    let row = params![id, step.exploration.id, status.as_str()];
                    if session.execute(SET_STATUS, row)? == 0 {
                        return Err(StoreError::missing(NODES));
                    }
                }
                Ok(())
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Exploration>> {
        const SQL: &str =
            "SELECT id, experiment_id, baseline_analysis_id, goal, config, status, current_depth,
                total_nodes, total_llm_calls, best_success_rate, started_at, completed_at
            FROM explorations WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("explorations.get", move |session| {
                session.query_opt(SQL, [&id], exploration_from_row)
            })
            .await
    }

    async fn list_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<Exploration>> {
        const SQL: &str = concat!(
            "SELECT id, experiment_id, baseline_analysis_id, goal, config, status, current_depth,
                total_nodes, total_llm_calls, best_success_rate, started_at, completed_at
            FROM explorations WHERE experiment_id = ?1
            ORDER BY ",
            newest_first!("started_at"),
            ", id"
        );
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("explorations.list_by_experiment", move |session| {
                session.query(SQL, [experiment_id], exploration_from_row)
            })
            .await
    }

    async fn update(&self, exploration: &Exploration) -> StoreResult<bool> {
        let exploration = exploration.clone();
        self.db
            .write("explorations.update", move |session| {
                update_exploration(session, &exploration)
            })
            .await
    }

    async fn insert_node(&self, node: &ScenarioNode) -> StoreResult<()> {
        let node = node.clone();
        self.db
            .write("explorations.insert_node", move |session| {
                insert_node(session, &node)
            })
            .await
    }

    async fn get_node(&self, id: &str) -> StoreResult<Option<ScenarioNode>> {
        const SQL: &str = nodes_sql!("WHERE id = ?1");
        self.one_node("explorations.get_node", SQL, id).await
    }

    async fn update_node(&self, id: &str, change: &NodeChange) -> StoreResult<bool> {
        const SQL: &str = "UPDATE scenario_nodes SET scorecard_params = coalesce(?2, scorecard_params),
                simulation_results = coalesce(?3, simulation_results),
                execution_time_seconds = coalesce(?4, execution_time_seconds),
                node_status = coalesce(?5, node_status)
            WHERE id = ?1";
        let (id, change) = (id.to_owned(), change.clone());
        self.db
            .write("explorations.update_node", move |session| {
                let row = params![
                    id,
                    change.scorecard_params.as_ref().map(Json::as_str),
                    change.simulation_results.as_ref().map(Json::as_str),
                    change.execution_time_seconds,
                    change.node_status.map(TextEnum::as_str),
                ];
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }

    async fn nodes(&self, exploration_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = ?1
            ORDER BY depth, ",
            oldest_first!("created_at"),
            ", id"
        );
        self.many_nodes("explorations.nodes", SQL, exploration_id).await
    }

    async fn frontier(&self, exploration_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = ?1 AND node_status = 'active'
            ORDER BY depth DESC, ",
            oldest_first!("created_at"),
            ", id"
        );
        self.many_nodes("explorations.frontier", SQL, exploration_id)
            .await
    }

    async fn root(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = ?1 AND depth = 0
            ORDER BY ",
            oldest_first!("created_at"),
            ", id LIMIT 1"
        );
        self.one_node("explorations.root", SQL, exploration_id).await
    }

    async fn winner(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = ?1 AND node_status = 'winner'
            ORDER BY depth, ",
            oldest_first!("created_at"),
            ", id LIMIT 1"
        );
        self.one_node("explorations.winner", SQL, exploration_id).await
    }

    async fn path_to(&self, node_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        // UNION, which drops rows seen before, ends a circle of parents.
        const SQL: &str = concat!("WITH RECURSIVE path (id, parent_id) AS (
                SELECT id, parent_id FROM scenario_nodes WHERE id = ?1
                UNION SELECT up.id, up.parent_id FROM scenario_nodes AS up JOIN path ON up.id = path.parent_id)
            ", nodes_sql!("WHERE id IN (SELECT id FROM path)
            ORDER BY depth, ", oldest_first!("created_at"), ", id"));
        self.many_nodes("explorations.path_to", SQL, node_id).await
    }

    async fn children(&self, node_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE parent_id = ?1
            ORDER BY ",
            oldest_first!("created_at"),
            ", id"
        );
        self.many_nodes("explorations.children", SQL, node_id).await
    }

    async fn node_counts(&self, exploration_id: &str) -> StoreResult<NodeCounts> {
        const SQL: &str = "SELECT node_status, count(*) FROM scenario_nodes
            WHERE exploration_id = ?1 GROUP BY node_status";
        let exploration_id = exploration_id.to_owned();
        let found = self
            .db
            .read("explorations.node_counts", move |session| {
                session.query(SQL, [exploration_id], |columns| {
                    Ok((columns.text_enum::<NodeStatus>()?, columns.count()?))
                })
            })
            .await?;
        let mut counts = NodeCounts::default();
        for (status, count) in found {
            if let Stored::Known(status) = status {
                counts.set(status, count);
            }
        }
        Ok(counts)
    }

    async fn best_node(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>> {
        // Files whose checks were never run may hold text that is no JSON, which the functions would fail on.
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = ?1 AND CASE WHEN json_valid(simulation_results)
                THEN json_type(simulation_results, '$.success_rate') IN ('integer', 'real') END
            ORDER BY json_extract(simulation_results, '$.success_rate') DESC, depth, ",
            oldest_first!("created_at"),
            ", id
            LIMIT 1"
        );
        self.one_node("explorations.best_node", SQL, exploration_id).await
    }
}
