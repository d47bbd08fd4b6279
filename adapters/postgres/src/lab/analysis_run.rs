//! Analysis runs.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::lab::analysis_run::{AnalysisProgress, AnalysisRun};
use cutover_domain::stored::TextEnum;
use cutover_ports::lab::{AnalysisRunRepository, Replacement};
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, known, opt_pg_json, opt_pg_time, pg_enum, pg_time};
use crate::types::{PgJson, PgTime};

const TABLE: &str = "analysis_runs";

/// How often a replacement tries again when another one came in between.
const REPLACE_ATTEMPTS: usize = 5;

/// [`AnalysisRunRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgAnalysisRunRepository {
    db: Database,
}

impl PgAnalysisRunRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }

    /// Runs `sql`, which takes a whole row; the number of rows it stored.
    async fn store(&self, operation: &'static str, sql: &'static str, run: &AnalysisRun) -> StoreResult<u64> {
        let status = pg_enum("analysis_runs.status", &run.status)?;
        let started_at = pg_time("analysis_runs.started_at", &run.started_at)?;
        let completed_at = opt_pg_time("analysis_runs.completed_at", run.completed_at.as_ref())?;
        let total_synths = run
            .total_synths
            .as_ref()
            .map(|number| known("analysis_runs.total_synths", number))
            .transpose()?;
        let execution_time_seconds = run
            .execution_time_seconds
            .as_ref()
            .map(|number| known("analysis_runs.execution_time_seconds", number))
            .transpose()?;
        let lease = self.db.lease(operation).await?;
        lease
            .execute(
                sql,
                &[
                    (&run.id, Type::TEXT),
                    (&run.experiment_id, Type::TEXT),
                    (&run.scenario_id, Type::TEXT),
                    (&PgJson(run.config.clone()), Type::JSONB),
                    (&status, Type::TEXT),
                    (&started_at, Type::TIMESTAMPTZ),
                    (&completed_at, Type::TIMESTAMPTZ),
                    (&total_synths, Type::INT8),
                    (&opt_pg_json(run.aggregated_outcomes.as_ref()), Type::JSONB),
                    (&execution_time_seconds, Type::FLOAT8),
                ],
            )
            .await
    }

    /// Replaces the experiment's run unless it is running.
    async fn replace_here(&self, run: &AnalysisRun) -> StoreResult<Replacement> {
        // The count makes the insert wait for the delete. A run that is still running is not deleted, and keeps the
        // new one out.
        const SQL: &str = "WITH gone AS (
                DELETE FROM analysis_runs WHERE experiment_id = $2 AND status <> 'running' RETURNING id)
            INSERT INTO analysis_runs (id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds)
            SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
            WHERE (SELECT count(*) FROM gone) >= 0 AND NOT EXISTS (
                SELECT 1 FROM analysis_runs WHERE experiment_id = $2 AND status = 'running')";
        let mut outcome = self.store("analysis_runs.replace", SQL, run).await;
        for _ in 1..REPLACE_ATTEMPTS {
            // Another run was stored for the experiment since this statement began; now it is seen.
            match &outcome {
                Err(StoreError::Conflict(key)) if key == "analysis_runs.experiment_id" => {
                    outcome = self.store("analysis_runs.replace", SQL, run).await;
                }
                _ => break,
            }
        }
        Ok(match outcome? {
            0 => Replacement::Running,
            _ => Replacement::Stored,
        })
    }
}

/// Reads `id, experiment_id, scenario_id, config, status, started_at, completed_at, total_synths,
/// aggregated_outcomes, execution_time_seconds`.
fn run_from_row(row: &Row) -> StoreResult<AnalysisRun> {
    let mut columns = Columns::new(TABLE, row);
    Ok(AnalysisRun {
        id: columns.text()?,
        experiment_id: columns.text()?,
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

#[async_trait]
impl AnalysisRunRepository for PgAnalysisRunRepository {
    async fn insert(&self, run: &AnalysisRun) -> StoreResult<()> {
        const SQL: &str =
            "INSERT INTO analysis_runs (id, experiment_id, scenario_id, config, status, started_at,
                completed_at, total_synths, aggregated_outcomes, execution_time_seconds)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &run.experiment_id)])
            .await?;
        self.store("analysis_runs.insert", SQL, run).await.map(drop)
    }

    async fn replace(&self, run: &AnalysisRun) -> StoreResult<Replacement> {
        if !self.db.keys.any() {
            return self.replace_here(run).await;
        }
        let old = self.find_by_experiment(&run.experiment_id).await?;
        let parent = ("experiments", run.experiment_id.as_str());
        let replaced = old.as_ref().map(|old| (TABLE, old.id.as_str()));
        let _held = self.db.keys.before_replace(&[parent], replaced).await?;
        let outcome = self.replace_here(run).await?;
        if let (Some((table, id)), Replacement::Stored) = (replaced, outcome) {
            self.db.keys.after_delete(table, id).await?;
        }
        Ok(outcome)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<AnalysisRun>> {
        const SQL: &str = "SELECT id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM analysis_runs WHERE id = $1";
        let lease = self.db.look_up("analysis_runs.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(run_from_row).transpose()
    }

    async fn find_by_experiment(&self, experiment_id: &str) -> StoreResult<Option<AnalysisRun>> {
        const SQL: &str = "SELECT id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM analysis_runs WHERE experiment_id = $1";
        let lease = self.db.look_up("analysis_runs.find_by_experiment");
        let row = lease.query_opt(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        row.as_ref().map(run_from_row).transpose()
    }

    async fn runs_by_experiments(
        &self,
        experiment_ids: &[String],
    ) -> StoreResult<HashMap<String, AnalysisRun>> {
        const SQL: &str = "SELECT id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM analysis_runs WHERE experiment_id = ANY ($1)";
        let lease = self.db.lease("analysis_runs.runs_by_experiments").await?;
        let rows = lease.query(SQL, &[(&experiment_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| run_from_row(row).map(|run| (run.experiment_id.clone(), run)))
            .collect()
    }

    async fn update(&self, id: &str, progress: &AnalysisProgress) -> StoreResult<Option<AnalysisRun>> {
        const SQL: &str = "UPDATE analysis_runs SET status = $2, completed_at = coalesce($3, completed_at),
                total_synths = coalesce($4, total_synths),
                aggregated_outcomes = coalesce($5, aggregated_outcomes),
                execution_time_seconds = coalesce($6, execution_time_seconds)
            WHERE id = $1
            RETURNING id, experiment_id, scenario_id, config, status, started_at, completed_at, total_synths,
                aggregated_outcomes, execution_time_seconds";
        let lease = self.db.lease("analysis_runs.update").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&id, Type::TEXT),
                    (&progress.status.as_str(), Type::TEXT),
                    (&progress.completed_at.map(PgTime), Type::TIMESTAMPTZ),
                    (&progress.total_synths, Type::INT8),
                    (&opt_pg_json(progress.aggregated_outcomes.as_ref()), Type::JSONB),
                    (&progress.execution_time_seconds, Type::FLOAT8),
                ],
            )
            .await?;
        rows.first().map(run_from_row).transpose()
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        // Its outcomes and its cache go by the foreign keys' ON DELETE CASCADE.
        const SQL: &str = "DELETE FROM analysis_runs WHERE id = $1";
        let delete = async {
            let lease = self.db.lease("analysis_runs.delete").await?;
            lease.execute(SQL, &[(&id, Type::TEXT)]).await
        };
        self.db.keys.around_delete(TABLE, id, delete).await
    }

    async fn delete_by_experiment(&self, experiment_id: &str) -> StoreResult<bool> {
        match self.find_by_experiment(experiment_id).await? {
            Some(run) => self.delete(&run.id).await,
            None => Ok(false),
        }
    }

    async fn latest_completed_id(&self, experiment_id: &str) -> StoreResult<Option<String>> {
        const SQL: &str = "SELECT id FROM analysis_runs WHERE experiment_id = $1 AND status = 'completed'
            ORDER BY started_at DESC, id LIMIT 1";
        let lease = self.db.lease("analysis_runs.latest_completed_id").await?;
        let row = lease.query_opt(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        row.as_ref()
            .map(|row| Columns::new(TABLE, row).text())
            .transpose()
    }

    async fn latest_completed_among(&self, ids: &[String]) -> StoreResult<Option<String>> {
        const SQL: &str = "SELECT id FROM analysis_runs WHERE id = ANY ($1) AND status = 'completed'
            ORDER BY completed_at DESC NULLS LAST, id LIMIT 1";
        let lease = self.db.lease("analysis_runs.latest_completed_among").await?;
        let row = lease.query_opt(SQL, &[(&ids, Type::TEXT_ARRAY)]).await?;
        row.as_ref()
            .map(|row| Columns::new(TABLE, row).text())
            .transpose()
    }
}
