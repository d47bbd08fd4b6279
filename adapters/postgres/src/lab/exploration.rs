//! Explorations and their scenarios.

use async_trait::async_trait;
use cutover_domain::lab::exploration::{
    Exploration, ExplorationStep, NodeChange, NodeCounts, NodeStatus, ScenarioNode,
};
use cutover_domain::stored::{Stored, TextEnum};
use cutover_ports::batch::last_of_each;
use cutover_ports::lab::ExplorationRepository;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::database::Lease;
use crate::row::{Columns, Row, known, opt_known, opt_pg_json, opt_pg_time, pg_enum, pg_time};
use crate::types::{PgJson, PgTime};

const TABLE: &str = "explorations";
const NODES: &str = "scenario_nodes";

/// [`ExplorationRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgExplorationRepository {
    db: Database,
}

impl PgExplorationRepository {
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
        let lease = self.db.lease(operation).await?;
        let rows = lease.query(sql, &[(&key, Type::TEXT)]).await?;
        rows.iter().map(node_from_row).collect()
    }

    async fn one_node(
        &self,
        operation: &'static str,
        sql: &'static str,
        key: &str,
    ) -> StoreResult<Option<ScenarioNode>> {
        Ok(self.many_nodes(operation, sql, key).await?.into_iter().next())
    }
}

/// Reads `id, experiment_id, baseline_analysis_id, goal, config, status, current_depth, total_nodes, total_llm_calls,
/// best_success_rate, started_at, completed_at`.
fn exploration_from_row(row: &Row) -> StoreResult<Exploration> {
    let mut columns = Columns::new(TABLE, row);
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
    ($which:literal) => {
        concat!(
            "SELECT id, exploration_id, parent_id, depth, action_applied, action_category, rationale,
                short_action, scorecard_params, simulation_results, execution_time_seconds,
                node_status, created_at
            FROM scenario_nodes ",
            $which
        )
    };
}

/// Reads what `nodes_sql` selects.
fn node_from_row(row: &Row) -> StoreResult<ScenarioNode> {
    let mut columns = Columns::new(NODES, row);
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

async fn insert_exploration(lease: &Lease, exploration: &Exploration) -> StoreResult<()> {
    const SQL: &str =
        "INSERT INTO explorations (id, experiment_id, baseline_analysis_id, goal, config, status,
            current_depth, total_nodes, total_llm_calls, best_success_rate, started_at, completed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let status = pg_enum("explorations.status", &exploration.status)?;
    let current_depth = known("explorations.current_depth", &exploration.current_depth)?;
    let total_nodes = known("explorations.total_nodes", &exploration.total_nodes)?;
    let total_llm_calls = known("explorations.total_llm_calls", &exploration.total_llm_calls)?;
    let best_success_rate = opt_known(
        "explorations.best_success_rate",
        exploration.best_success_rate.as_ref(),
    )?;
    let started_at = pg_time("explorations.started_at", &exploration.started_at)?;
    let completed_at = opt_pg_time("explorations.completed_at", exploration.completed_at.as_ref())?;
    lease
        .execute(
            SQL,
            &[
                (&exploration.id, Type::TEXT),
                (&exploration.experiment_id, Type::TEXT),
                (&exploration.baseline_analysis_id, Type::TEXT),
                (&PgJson(exploration.goal.clone()), Type::JSONB),
                (&PgJson(exploration.config.clone()), Type::JSONB),
                (&status, Type::TEXT),
                (&current_depth, Type::INT8),
                (&total_nodes, Type::INT8),
                (&total_llm_calls, Type::INT8),
                (&best_success_rate, Type::FLOAT8),
                (&started_at, Type::TIMESTAMPTZ),
                (&completed_at, Type::TIMESTAMPTZ),
            ],
        )
        .await
        .map(drop)
}

async fn update_exploration(lease: &Lease, exploration: &Exploration) -> StoreResult<bool> {
    const SQL: &str = "UPDATE explorations SET goal = $2, config = $3, status = $4, current_depth = $5,
            total_nodes = $6, total_llm_calls = $7, best_success_rate = $8, completed_at = $9
        WHERE id = $1";
    let status = pg_enum("explorations.status", &exploration.status)?;
    let current_depth = known("explorations.current_depth", &exploration.current_depth)?;
    let total_nodes = known("explorations.total_nodes", &exploration.total_nodes)?;
    let total_llm_calls = known("explorations.total_llm_calls", &exploration.total_llm_calls)?;
    let best_success_rate = opt_known(
        "explorations.best_success_rate",
        exploration.best_success_rate.as_ref(),
    )?;
    let completed_at = opt_pg_time("explorations.completed_at", exploration.completed_at.as_ref())?;
    let changed = lease
        .execute(
            SQL,
            &[
                (&exploration.id, Type::TEXT),
                (&PgJson(exploration.goal.clone()), Type::JSONB),
                (&PgJson(exploration.config.clone()), Type::JSONB),
                (&status, Type::TEXT),
                (&current_depth, Type::INT8),
                (&total_nodes, Type::INT8),
                (&total_llm_calls, Type::INT8),
                (&best_success_rate, Type::FLOAT8),
                (&completed_at, Type::TIMESTAMPTZ),
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Scenarios column by column.
#[derive(Default)]
struct NodeArrays<'a> {
    id: Vec<&'a str>,
    exploration_id: Vec<&'a str>,
    parent_id: Vec<Option<&'a str>>,
    depth: Vec<i64>,
    action_applied: Vec<Option<&'a str>>,
    action_category: Vec<Option<&'a str>>,
    rationale: Vec<Option<&'a str>>,
    short_action: Vec<Option<&'a str>>,
    scorecard_params: Vec<PgJson>,
    simulation_results: Vec<Option<PgJson>>,
    execution_time_seconds: Vec<Option<f64>>,
    node_status: Vec<String>,
    created_at: Vec<PgTime>,
}

impl<'a> NodeArrays<'a> {
    fn push(&mut self, node: &'a ScenarioNode) -> StoreResult<()> {
        self.id.push(&node.id);
        self.exploration_id.push(&node.exploration_id);
        self.parent_id.push(node.parent_id.as_deref());
        self.depth.push(known("scenario_nodes.depth", &node.depth)?);
        self.action_applied.push(node.action_applied.as_deref());
        self.action_category.push(node.action_category.as_deref());
        self.rationale.push(node.rationale.as_deref());
        self.short_action.push(node.short_action.as_deref());
        self.scorecard_params.push(PgJson(node.scorecard_params.clone()));
        self.simulation_results
            .push(opt_pg_json(node.simulation_results.as_ref()));
        self.execution_time_seconds.push(opt_known(
            "scenario_nodes.execution_time_seconds",
            node.execution_time_seconds.as_ref(),
        )?);
        self.node_status
            .push(pg_enum("scenario_nodes.node_status", &node.node_status)?);
        self.created_at
            .push(pg_time("scenario_nodes.created_at", &node.created_at)?);
        Ok(())
    }
}

async fn insert_nodes(lease: &Lease, nodes: &[ScenarioNode]) -> StoreResult<()> {
    const SQL: &str =
        "INSERT INTO scenario_nodes (id, exploration_id, parent_id, depth, action_applied, action_category,
            rationale, short_action, scorecard_params, simulation_results, execution_time_seconds, node_status,
            created_at)
        SELECT id, exploration_id, parent_id, depth, action_applied, action_category, rationale, short_action,
            scorecard_params, simulation_results, execution_time_seconds, node_status, created_at
        FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) AS new
            (id, exploration_id, parent_id, depth, action_applied, action_category, rationale, short_action,
            scorecard_params, simulation_results, execution_time_seconds, node_status, created_at)";
    let mut arrays = NodeArrays::default();
    for node in nodes {
        arrays.push(node)?;
    }
    lease
        .execute(
            SQL,
            &[
                (&arrays.id, Type::TEXT_ARRAY),
                (&arrays.exploration_id, Type::TEXT_ARRAY),
                (&arrays.parent_id, Type::TEXT_ARRAY),
                (&arrays.depth, Type::INT8_ARRAY),
                (&arrays.action_applied, Type::TEXT_ARRAY),
                (&arrays.action_category, Type::TEXT_ARRAY),
                (&arrays.rationale, Type::TEXT_ARRAY),
                (&arrays.short_action, Type::TEXT_ARRAY),
                (&arrays.scorecard_params, Type::JSONB_ARRAY),
                (&arrays.simulation_results, Type::JSONB_ARRAY),
                (&arrays.execution_time_seconds, Type::FLOAT8_ARRAY),
                (&arrays.node_status, Type::TEXT_ARRAY),
                (&arrays.created_at, Type::TIMESTAMPTZ_ARRAY),
            ],
        )
        .await
        .map(drop)
}

async fn set_node_statuses(
    lease: &Lease,
    exploration_id: &str,
    statuses: &[(String, NodeStatus)],
) -> StoreResult<()> {
    const SQL: &str = "UPDATE scenario_nodes SET node_status = new.node_status
        FROM unnest($2, $3) AS new (id, node_status)
        WHERE scenario_nodes.id = new.id AND exploration_id = $1";
    let last = last_of_each(statuses, |(id, _)| id);
    let ids: Vec<&str> = last.iter().map(|(id, _)| id.as_str()).collect();
    let texts: Vec<&str> = last.iter().map(|(_, status)| status.as_str()).collect();
    let changed = lease
        .execute(
            SQL,
            &[
                (&exploration_id, Type::TEXT),
                (&ids, Type::TEXT_ARRAY),
                (&texts, Type::TEXT_ARRAY),
            ],
        )
        .await?;
    if usize::try_from(changed) == Ok(ids.len()) {
        Ok(())
    } else {
        Err(StoreError::missing(NODES))
    }
}

async fn start(lease: &Lease, exploration: &Exploration, root: &ScenarioNode) -> StoreResult<()> {
    insert_exploration(lease, exploration).await?;
    insert_nodes(lease, std::slice::from_ref(root)).await
}

async fn advance(lease: &Lease, step: &ExplorationStep) -> StoreResult<()> {
    if !update_exploration(lease, &step.exploration).await? {
        return Err(StoreError::missing(TABLE));
    }
    if !step.new_nodes.is_empty() {
        insert_nodes(lease, &step.new_nodes).await?;
    }
    if !step.node_statuses.is_empty() {
        set_node_statuses(lease, &step.exploration.id, &step.node_statuses).await?;
    }
    Ok(())
}

#[async_trait]
impl ExplorationRepository for PgExplorationRepository {
    async fn start(&self, exploration: &Exploration, root: &ScenarioNode) -> StoreResult<()> {
        let _held = self
            .db
            .keys
            .before_write(&[
                ("experiments", &exploration.experiment_id),
                ("analysis_runs", &exploration.baseline_analysis_id),
            ])
            .await?;
        let transaction = self.db.begin("explorations.start").await?;
        let work = start(&transaction, exploration, root).await;
        transaction.finish(work).await
    }

    async fn advance(&self, step: &ExplorationStep) -> StoreResult<()> {
        let transaction = self.db.begin("explorations.advance").await?;
        let work = advance(&transaction, step).await;
        transaction.finish(work).await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Exploration>> {
        const SQL: &str =
            "SELECT id, experiment_id, baseline_analysis_id, goal, config, status, current_depth,
                total_nodes, total_llm_calls, best_success_rate, started_at, completed_at
            FROM explorations WHERE id = $1";
        let lease = self.db.look_up("explorations.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(exploration_from_row).transpose()
    }

    async fn list_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<Exploration>> {
        const SQL: &str =
            "SELECT id, experiment_id, baseline_analysis_id, goal, config, status, current_depth,
                total_nodes, total_llm_calls, best_success_rate, started_at, completed_at
            FROM explorations WHERE experiment_id = $1 ORDER BY started_at DESC, id";
        let lease = self.db.lease("explorations.list_by_experiment").await?;
        let rows = lease.query(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        rows.iter().map(exploration_from_row).collect()
    }

    async fn update(&self, exploration: &Exploration) -> StoreResult<bool> {
        let lease = self.db.lease("explorations.update").await?;
        update_exploration(&lease, exploration).await
    }

    async fn insert_node(&self, node: &ScenarioNode) -> StoreResult<()> {
        let lease = self.db.lease("explorations.insert_node").await?;
        insert_nodes(&lease, std::slice::from_ref(node)).await
    }

    async fn get_node(&self, id: &str) -> StoreResult<Option<ScenarioNode>> {
        const SQL: &str = nodes_sql!("WHERE id = $1");
        self.one_node("explorations.get_node", SQL, id).await
    }

    async fn update_node(&self, id: &str, change: &NodeChange) -> StoreResult<bool> {
        const SQL: &str = "UPDATE scenario_nodes SET scorecard_params = coalesce($2, scorecard_params),
                simulation_results = coalesce($3, simulation_results),
                execution_time_seconds = coalesce($4, execution_time_seconds),
                node_status = coalesce($5, node_status)
            WHERE id = $1";
        let lease = self.db.lease("explorations.update_node").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&id, Type::TEXT),
                    (&opt_pg_json(change.scorecard_params.as_ref()), Type::JSONB),
                    (&opt_pg_json(change.simulation_results.as_ref()), Type::JSONB),
                    (&change.execution_time_seconds, Type::FLOAT8),
                    (&change.node_status.map(TextEnum::as_str), Type::TEXT),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn nodes(&self, exploration_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        const SQL: &str = nodes_sql!("WHERE exploration_id = $1 ORDER BY depth, created_at, id");
        self.many_nodes("explorations.nodes", SQL, exploration_id).await
    }

    async fn frontier(&self, exploration_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = $1 AND node_status = 'active'
            ORDER BY depth DESC, created_at, id"
        );
        self.many_nodes("explorations.frontier", SQL, exploration_id)
            .await
    }

    async fn root(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>> {
        const SQL: &str =
            nodes_sql!("WHERE exploration_id = $1 AND depth = 0 ORDER BY created_at, id LIMIT 1");
        self.one_node("explorations.root", SQL, exploration_id).await
    }

    async fn winner(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>> {
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = $1 AND node_status = 'winner'
            ORDER BY depth, created_at, id LIMIT 1"
        );
        self.one_node("explorations.winner", SQL, exploration_id).await
    }

    async fn path_to(&self, node_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        // UNION, which drops rows seen before, ends a circle of parents.
        const SQL: &str = concat!("WITH RECURSIVE path (id, parent_id) AS (
                SELECT id, parent_id FROM scenario_nodes WHERE id = $1
                UNION SELECT up.id, up.parent_id FROM scenario_nodes AS up JOIN path ON up.id = path.parent_id)
            ", nodes_sql!("WHERE id IN (SELECT id FROM path) ORDER BY depth, created_at, id"));
        self.many_nodes("explorations.path_to", SQL, node_id).await
    }

    async fn children(&self, node_id: &str) -> StoreResult<Vec<ScenarioNode>> {
        const SQL: &str = nodes_sql!("WHERE parent_id = $1 ORDER BY created_at, id");
        self.many_nodes("explorations.children", SQL, node_id).await
    }

    async fn node_counts(&self, exploration_id: &str) -> StoreResult<NodeCounts> {
        const SQL: &str = "SELECT node_status, count(*) FROM scenario_nodes
            WHERE exploration_id = $1 GROUP BY node_status";
        let lease = self.db.lease("explorations.node_counts").await?;
        let rows = lease.query(SQL, &[(&exploration_id, Type::TEXT)]).await?;
        let mut counts = NodeCounts::default();
        for row in &rows {
            let mut columns = Columns::new(NODES, row);
            let status = columns.text_enum()?;
            let count = columns.count()?;
            if let Stored::Known(status) = status {
                counts.set(status, count);
            }
        }
        Ok(counts)
    }

    async fn best_node(&self, exploration_id: &str) -> StoreResult<Option<ScenarioNode>> {
        // jsonb orders numbers by their value.
        const SQL: &str = nodes_sql!(
            "WHERE exploration_id = $1 AND jsonb_typeof(simulation_results -> 'success_rate') = 'number'
            ORDER BY simulation_results -> 'success_rate' DESC, depth, created_at, id LIMIT 1"
        );
        self.one_node("explorations.best_node", SQL, exploration_id).await
    }
}
