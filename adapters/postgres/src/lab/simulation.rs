//! Runs of the legacy simulation.

use async_trait::async_trait;
use cutover_domain::lab::simulation::{SimulationFilter, SimulationRun};
use cutover_ports::lab::SimulationRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, known, opt_pg_json, opt_pg_time, pg_enum, pg_time};
use crate::types::{PgJson, PgTime};

const TABLE: &str = "simulation_runs";

/// [`SimulationRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgSimulationRepository {
    db: Database,
}

impl PgSimulationRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, scorecard_id, scenario_id, config, status, started_at, completed_at, total_synths, aggregated_outcomes,
/// execution_time_seconds`.
fn run_from_row(row: &Row) -> StoreResult<SimulationRun> {
    let mut columns = Columns::new(TABLE, row);
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

/// How far a run is, in PostgreSQL's types.
struct Progress {
    status: String,
    completed_at: Option<PgTime>,
    total_synths: Option<i64>,
    aggregated_outcomes: Option<PgJson>,
    execution_time_seconds: Option<f64>,
}

impl Progress {
    fn of(run: &SimulationRun) -> StoreResult<Self> {
        let number = |number| known("simulation_runs.total_synths", number);
        let seconds = |seconds| known("simulation_runs.execution_time_seconds", seconds);
        Ok(Self {
            status: pg_enum("simulation_runs.status", &run.status)?,
            completed_at: opt_pg_time("simulation_runs.completed_at", run.completed_at.as_ref())?,
            total_synths: run.total_synths.as_ref().map(number).transpose()?,
            aggregated_outcomes: opt_pg_json(run.aggregated_outcomes.as_ref()),
            execution_time_seconds: run.execution_time_seconds.as_ref().map(seconds).transpose()?,
        })
    }
}

/// The statements of a list: one for the page, one for the length. The page's takes the limit and the offset as $4
/// and $5; of the conditions each has an index that also gives the order, where the database can see which apply.
macro_rules! list_sql {
    ($condition:literal) => {
        (
            concat!(
                "SELECT id, scorecard_id, scenario_id, config, status, started_at, completed_at, total_synths,
                    aggregated_outcomes, execution_time_seconds
                FROM simulation_runs WHERE ",
                $condition,
                " AND ($3 IS NULL OR scenario_id = $3) ORDER BY started_at DESC, id LIMIT $4 OFFSET $5"
            ),
            concat!(
                "SELECT count(*) FROM simulation_runs WHERE ",
                $condition,
                " AND ($3 IS NULL OR scenario_id = $3)"
            ),
        )
    };
}

#[async_trait]
impl SimulationRepository for PgSimulationRepository {
    async fn insert(&self, run: &SimulationRun) -> StoreResult<()> {
        const SQL: &str =
            "INSERT INTO simulation_runs (id, scorecard_id, scenario_id, config, status, started_at,
                completed_at, total_synths, aggregated_outcomes, execution_time_seconds)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let progress = Progress::of(run)?;
        let started_at = pg_time("simulation_runs.started_at", &run.started_at)?;
        let _held = self
            .db
            .keys
            .before_write(&[("feature_scorecards", &run.scorecard_id)])
            .await?;
        let lease = self.db.lease("simulations.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&run.id, Type::TEXT),
                    (&run.scorecard_id, Type::TEXT),
                    (&run.scenario_id, Type::TEXT),
                    (&PgJson(run.config.clone()), Type::JSONB),
                    (&progress.status, Type::TEXT),
                    (&started_at, Type::TIMESTAMPTZ),
                    (&progress.completed_at, Type::TIMESTAMPTZ),
                    (&progress.total_synths, Type::INT8),
                    (&progress.aggregated_outcomes, Type::JSONB),
                    (&progress.execution_time_seconds, Type::FLOAT8),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SimulationRun>> {
        const SQL: &str = "SELECT id, scorecard_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM simulation_runs WHERE id = $1";
        let lease = self.db.look_up("simulations.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(run_from_row).transpose()
    }

    async fn update(&self, run: &SimulationRun) -> StoreResult<bool> {
        const SQL: &str = "UPDATE simulation_runs SET status = $2, completed_at = $3, total_synths = $4,
                aggregated_outcomes = $5, execution_time_seconds = $6
            WHERE id = $1";
        let progress = Progress::of(run)?;
        let lease = self.db.lease("simulations.update").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&run.id, Type::TEXT),
                    (&progress.status, Type::TEXT),
                    (&progress.completed_at, Type::TIMESTAMPTZ),
                    (&progress.total_synths, Type::INT8),
                    (&progress.aggregated_outcomes, Type::JSONB),
                    (&progress.execution_time_seconds, Type::FLOAT8),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn list(&self, filter: &SimulationFilter, page: PageRequest) -> StoreResult<Page<SimulationRun>> {
        let (sql, count) = match (&filter.scorecard_id, &filter.status) {
            (None, None) => list_sql!("true"),
            (Some(_), None) => list_sql!("scorecard_id = $1"),
            (None, Some(_)) => list_sql!("status = $2"),
            (Some(_), Some(_)) => list_sql!("scorecard_id = $1 AND status = $2"),
        };
        let lease = self.db.lease("simulations.list").await?;
        let wanted = [
            (&filter.scorecard_id as _, Type::TEXT),
            (&filter.status as _, Type::TEXT),
            (&filter.scenario_id as _, Type::TEXT),
        ];
        lease.page(sql, count, &wanted, page, run_from_row).await
    }

    async fn list_by_scorecards(
        &self,
        scorecard_ids: &[String],
        page: PageRequest,
    ) -> StoreResult<Page<SimulationRun>> {
        const SQL: &str = "SELECT id, scorecard_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM simulation_runs WHERE scorecard_id = ANY ($1)
            ORDER BY started_at DESC, id LIMIT $2 OFFSET $3";
        const COUNT: &str = "SELECT count(*) FROM simulation_runs WHERE scorecard_id = ANY ($1)";
        let lease = self.db.lease("simulations.list_by_scorecards").await?;
        let binds = [(&scorecard_ids as _, Type::TEXT_ARRAY)];
        lease.page(SQL, COUNT, &binds, page, run_from_row).await
    }
}
