//! Runs of the legacy simulation.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::simulation::{SimulationFilter, SimulationRun};
use cutover_ports::lab::SimulationRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::instant::newest_first;
use crate::row::{Columns, json_array, opt_sql_number, opt_sql_time, sql_enum, sql_time};

/// [`SimulationRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteSimulationRepository {
    db: Database,
}

impl SqliteSimulationRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, scorecard_id, scenario_id, config, status, started_at, completed_at, total_synths, aggregated_outcomes,
/// execution_time_seconds`.
fn run_from_row(columns: &mut Columns<'_>) -> StoreResult<SimulationRun> {
    Ok(SimulationRun {
        id: columns.text()?,
        scorecard_id: columns.text()?,
        scenario_id: columns.text()?,
        config: columns.json()?,
        status: columns.text_enum()?,
        started_at: columns.time()?,
        completed_at: columns.opt_time()?,
        total_synths: columns.opt_integer()?,
        aggregated_outcomes: columns.opt_json()?,
        execution_time_seconds: columns.opt_real()?,
    })
}

/// The statements of a list: one for the page, one for the length. The page's takes the limit and the offset as ?4
/// and ?5; of the conditions each has an index that also gives the order, where the database can see which apply.
macro_rules! list_sql {
    ($condition:literal) => {
        (
            concat!(
                "SELECT id, scorecard_id, scenario_id, config, status, started_at, completed_at, total_synths,
                    aggregated_outcomes, execution_time_seconds
                FROM simulation_runs WHERE ",
                $condition,
                concat!(" AND (?3 IS NULL OR scenario_id = ?3)
                ORDER BY ", newest_first!("started_at"), ", id LIMIT ?4 OFFSET ?5")
            ),
            concat!(
                "SELECT count(*) FROM simulation_runs WHERE ",
                $condition,
                " AND (?3 IS NULL OR scenario_id = ?3)"
            ),
        )
    };
}

#[async_trait]
impl SimulationRepository for SqliteSimulationRepository {
    async fn insert(&self, run: &SimulationRun) -> StoreResult<()> {
        const SQL: &str =
            "INSERT INTO simulation_runs (id, scorecard_id, scenario_id, config, status, started_at,
                completed_at, total_synths, aggregated_outcomes, execution_time_seconds)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let _held = self
            .db
            .keys
            .before_write(&[("feature_scorecards", &run.scorecard_id)])
            .await?;
        let new = run.clone();
        self.db
            .write("simulations.insert", move |session| {
                let row = params![
                    new.id,
                    new.scorecard_id,
                    new.scenario_id,
                    new.config.as_str(),
                    sql_enum(&new.status),
                    sql_time(&new.started_at),
                    opt_sql_time(new.completed_at.as_ref()),
                    opt_sql_number(new.total_synths.as_ref()),
                    new.aggregated_outcomes.as_ref().map(Json::as_str),
                    opt_sql_number(new.execution_time_seconds.as_ref()),
                ];
                let parent = ("feature_scorecards", "id", new.scorecard_id.as_str());
                session.execute_referring(SQL, row, &[parent]).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SimulationRun>> {
        const SQL: &str = "SELECT id, scorecard_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM simulation_runs WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("simulations.get", move |session| {
                session.query_opt(SQL, [&id], run_from_row)
            })
            .await
    }

    async fn update(&self, run: &SimulationRun) -> StoreResult<bool> {
        const SQL: &str = "UPDATE simulation_runs SET status = ?2, completed_at = ?3, total_synths = ?4,
                aggregated_outcomes = ?5, execution_time_seconds = ?6
            WHERE id = ?1";
        let run = run.clone();
        self.db
            .write("simulations.update", move |session| {
                let row = params![
                    run.id,
                    sql_enum(&run.status),
                    opt_sql_time(run.completed_at.as_ref()),
                    opt_sql_number(run.total_synths.as_ref()),
                    run.aggregated_outcomes.as_ref().map(Json::as_str),
                    opt_sql_number(run.execution_time_seconds.as_ref()),
                ];
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }

    async fn list(&self, filter: &SimulationFilter, page: PageRequest) -> StoreResult<Page<SimulationRun>> {
        let (sql, count) = match (&filter.scorecard_id, &filter.status) {
            (None, None) => list_sql!("true"),
            (Some(_), None) => list_sql!("scorecard_id = ?1"),
            (None, Some(_)) => list_sql!("status = ?2"),
            // The plus keeps the index on the status out: it would lead through more rows than that of the scorecard.
            (Some(_), Some(_)) => list_sql!("scorecard_id = ?1 AND +status = ?2"),
        };
        let filter = filter.clone();
        self.db
            .read("simulations.list", move |session| {
                let wanted = params![filter.scorecard_id, filter.status, filter.scenario_id];
                session.page(sql, count, wanted, page, run_from_row)
            })
            .await
    }

    async fn list_by_scorecards(
        &self,
        scorecard_ids: &[String],
        page: PageRequest,
    ) -> StoreResult<Page<SimulationRun>> {
        const SQL: &str = concat!(
            "SELECT id, scorecard_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM simulation_runs WHERE scorecard_id IN (SELECT value FROM json_each(?1))
            ORDER BY ",
            newest_first!("started_at"),
            ", id LIMIT ?2 OFFSET ?3"
        );
        const COUNT: &str = "SELECT count(*) FROM simulation_runs
            WHERE scorecard_id IN (SELECT value FROM json_each(?1))";
        let ids = json_array(scorecard_ids);
        self.db
            .read("simulations.list_by_scorecards", move |session| {
                session.page(SQL, COUNT, &[&ids], page, run_from_row)
            })
            .await
    }
}
