//! Analysis runs.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::{AnalysisProgress, AnalysisRun, AnalysisStatus};
use cutover_domain::stored::{Stored, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::StoreResult;
use cutover_ports::lab::{AnalysisRunRepository, Replacement};
use rusqlite::params;

use crate::Database;
use crate::database::Session;
use crate::instant::newest_first;
use crate::row::{Columns, json_array, opt_sql_number, opt_sql_time, sql_enum, sql_time};

const TABLE: &str = "analysis_runs";

/// [`AnalysisRunRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteAnalysisRunRepository {
    db: Database,
}

impl SqliteAnalysisRunRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, experiment_id, scenario_id, config, status, started_at, completed_at, total_synths,
/// aggregated_outcomes, execution_time_seconds`.
fn run_from_row(columns: &mut Columns<'_>) -> StoreResult<AnalysisRun> {
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

fn insert(session: &Session, run: &AnalysisRun) -> StoreResult<()> {
    const SQL: &str = "INSERT INTO analysis_runs (id, experiment_id, scenario_id, config, status, started_at,
            completed_at, total_synths, aggregated_outcomes, execution_time_seconds)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    let row = params![
        run.id,
        run.experiment_id,
        run.scenario_id,
        run.config.as_str(),
        sql_enum(&run.status),
        sql_time(&run.started_at),
        opt_sql_time(run.completed_at.as_ref()),
        opt_sql_number(run.total_synths.as_ref()),
        run.aggregated_outcomes.as_ref().map(Json::as_str),
        opt_sql_number(run.execution_time_seconds.as_ref()),
    ];
    session
        .execute_referring(SQL, row, &[("experiments", "id", &run.experiment_id)])
        .map(drop)
}

#[async_trait]
impl AnalysisRunRepository for SqliteAnalysisRunRepository {
    async fn insert(&self, run: &AnalysisRun) -> StoreResult<()> {
        let _held = self
            .db
            .keys
            .before_write(&[("experiments", &run.experiment_id)])
            .await?;
        let run = run.clone();
        self.db
            .write("analysis_runs.insert", move |session| insert(session, &run))
            .await
    }

    async fn replace(&self, run: &AnalysisRun) -> StoreResult<Replacement> {
        const OLD: &str = "SELECT id, status FROM analysis_runs WHERE experiment_id = ?1";
        const DELETE: &str = "DELETE FROM analysis_runs WHERE id = ?1";
        let routed_apart = if self.db.keys.any() {
            self.find_by_experiment(&run.experiment_id).await?
        } else {
            None
        };
        let parent = ("experiments", run.experiment_id.as_str());
        let old = routed_apart.as_ref().map(|old| (TABLE, old.id.as_str()));
        let _held = self.db.keys.before_replace(&[parent], old).await?;
        let run = run.clone();
        let replaced = self
            .db
            .atomic("analysis_runs.replace", move |session| {
                let old: Option<(String, Stored<AnalysisStatus>)> =
                    session.query_opt(OLD, [&run.experiment_id], |columns| {
                        Ok((columns.text()?, columns.text_enum()?))
                    })?;
                if let Some((id, status)) = old {
                    if status == Stored::Known(AnalysisStatus::Running) {
                        return Ok(Replacement::Running);
                    }
                    session.delete_referred(DELETE, TABLE, &id)?;
                }
                insert(session, &run)?;
                Ok(Replacement::Stored)
            })
            .await?;
        if let (Some((table, id)), Replacement::Stored) = (old, replaced) {
            self.db.keys.after_delete(table, id).await?;
        }
        Ok(replaced)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<AnalysisRun>> {
        const SQL: &str = "SELECT id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM analysis_runs WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("analysis_runs.get", move |session| {
                session.query_opt(SQL, [&id], run_from_row)
            })
            .await
    }

    async fn find_by_experiment(&self, experiment_id: &str) -> StoreResult<Option<AnalysisRun>> {
        const SQL: &str = "SELECT id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM analysis_runs WHERE experiment_id = ?1";
        let experiment_id = experiment_id.to_owned();
        self.db
            .look_up("analysis_runs.find_by_experiment", move |session| {
                session.query_opt(SQL, [&experiment_id], run_from_row)
            })
            .await
    }

    async fn runs_by_experiments(
        &self,
        experiment_ids: &[String],
    ) -> StoreResult<HashMap<String, AnalysisRun>> {
        const SQL: &str = "SELECT id, experiment_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds
            FROM analysis_runs WHERE experiment_id IN (SELECT value FROM json_each(?1))";
        let ids = json_array(experiment_ids);
        let runs = self
            .db
            .read("analysis_runs.runs_by_experiments", move |session| {
                session.query(SQL, [ids], run_from_row)
            })
            .await?;
        Ok(runs
            .into_iter()
            .map(|run| (run.experiment_id.clone(), run))
            .collect())
    }

    async fn update(&self, id: &str, progress: &AnalysisProgress) -> StoreResult<Option<AnalysisRun>> {
        const SQL: &str = "UPDATE analysis_runs SET status = ?2, completed_at = coalesce(?3, completed_at),
                total_synths = coalesce(?4, total_synths),
                aggregated_outcomes = coalesce(?5, aggregated_outcomes),
                execution_time_seconds = coalesce(?6, execution_time_seconds)
            WHERE id = ?1
            RETURNING id, experiment_id, scenario_id, config, status, started_at, completed_at, total_synths,
                aggregated_outcomes, execution_time_seconds";
        let (id, progress) = (id.to_owned(), progress.clone());
        self.db
            .write("analysis_runs.update", move |session| {
                let row = params![
                    id,
                    progress.status.as_str(),
                    progress.completed_at.map(Timestamp::to_iso),
                    progress.total_synths,
                    progress.aggregated_outcomes.as_ref().map(Json::as_str),
                    progress.execution_time_seconds,
                ];
                session.query_opt(SQL, row, run_from_row)
            })
            .await
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM analysis_runs WHERE id = ?1";
        let key = id.to_owned();
        let delete = self.db.write("analysis_runs.delete", move |session| {
            session.delete_referred(SQL, TABLE, &key)
        });
        self.db.keys.around_delete(TABLE, id, delete).await
    }

    async fn delete_by_experiment(&self, experiment_id: &str) -> StoreResult<bool> {
        match self.find_by_experiment(experiment_id).await? {
            Some(run) => self.delete(&run.id).await,
            None => Ok(false),
        }
    }

    async fn latest_completed_id(&self, experiment_id: &str) -> StoreResult<Option<String>> {
        const SQL: &str = concat!(
            "SELECT id FROM analysis_runs WHERE experiment_id = ?1 AND status = 'completed'
            ORDER BY ",
            newest_first!("started_at"),
            ", id LIMIT 1"
        );
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("analysis_runs.latest_completed_id", move |session| {
                session.query_opt(SQL, [experiment_id], |columns| columns.text())
            })
            .await
    }

    async fn latest_completed_among(&self, ids: &[String]) -> StoreResult<Option<String>> {
        // The plus keeps the index on the status out: it would lead through every completed run.
        const SQL: &str = concat!(
            "SELECT id FROM analysis_runs
            WHERE id IN (SELECT value FROM json_each(?1)) AND +status = 'completed'
            ORDER BY ",
            newest_first!("completed_at"),
            ", id LIMIT 1"
        );
        let ids = json_array(ids);
        self.db
            .read("analysis_runs.latest_completed_among", move |session| {
                session.query_opt(SQL, [ids], |columns| columns.text())
            })
            .await
    }
}
