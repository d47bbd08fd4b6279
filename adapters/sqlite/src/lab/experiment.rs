//! Experiments.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::experiment::{Experiment, ExperimentChange, ExperimentSummary};
use cutover_domain::time::Timestamp;
use cutover_ports::lab::ExperimentRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::instant::newest_first;
use crate::row::{Columns, opt_sql_time, sql_enum, sql_time};

/// [`ExperimentRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteExperimentRepository {
    db: Database,
}

impl SqliteExperimentRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, name, hypothesis, description, scorecard_data, status, created_at, updated_at`.
fn experiment_from_row(columns: &mut Columns<'_>) -> StoreResult<Experiment> {
    Ok(Experiment {
        id: columns.text()?,
        name: columns.text()?,
        hypothesis: columns.text()?,
        description: columns.opt_text()?,
        scorecard_data: columns.opt_json()?,
        status: columns.text_enum()?,
        created_at: columns.time()?,
        updated_at: columns.opt_time()?,
    })
}

/// Reads `id, name, hypothesis, description, has_scorecard, created_at, updated_at`.
fn summary_from_row(columns: &mut Columns<'_>) -> StoreResult<ExperimentSummary> {
    Ok(ExperimentSummary {
        id: columns.text()?,
        name: columns.text()?,
        hypothesis: columns.text()?,
        description: columns.opt_text()?,
        has_scorecard: columns.count()? > 0,
        created_at: columns.time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl ExperimentRepository for SqliteExperimentRepository {
    async fn insert(&self, experiment: &Experiment) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO experiments
            (id, name, hypothesis, description, scorecard_data, status, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let new = experiment.clone();
        self.db
            .write("experiments.insert", move |session| {
                let row = params![
                    new.id,
                    new.name,
                    new.hypothesis,
                    new.description,
                    new.scorecard_data.as_ref().map(Json::as_str),
                    sql_enum(&new.status),
                    sql_time(&new.created_at),
                    opt_sql_time(new.updated_at.as_ref()),
                ];
                session.execute(SQL, row).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Experiment>> {
        const SQL: &str =
            "SELECT id, name, hypothesis, description, scorecard_data, status, created_at, updated_at
            FROM experiments WHERE id = ?1 AND status = 'active'";
        let id = id.to_owned();
        self.db
            .look_up("experiments.get", move |session| {
                session.query_opt(SQL, [&id], experiment_from_row)
            })
            .await
    }

    async fn find(&self, id: &str) -> StoreResult<Option<Experiment>> {
        const SQL: &str =
            "SELECT id, name, hypothesis, description, scorecard_data, status, created_at, updated_at
            FROM experiments WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("experiments.find", move |session| {
                session.query_opt(SQL, [&id], experiment_from_row)
            })
            .await
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<ExperimentSummary>> {
        // JSON `null` is no scorecard, and neither is the empty text that a file without the check may hold.
        const SQL: &str = concat!(
            "SELECT id, name, hypothesis, description,
                coalesce(trim(scorecard_data, ' ' || char(9, 10, 13)) NOT IN ('', 'null'), 0),
                created_at, updated_at
            FROM experiments WHERE status = 'active'
            ORDER BY ",
            newest_first!("created_at"),
            ", id LIMIT ?1 OFFSET ?2"
        );
        const COUNT: &str = "SELECT count(*) FROM experiments WHERE status = 'active'";
        self.db
            .read("experiments.list", move |session| {
                session.page(SQL, COUNT, &[], page, summary_from_row)
            })
            .await
    }

    async fn update(
        &self,
        id: &str,
        change: &ExperimentChange,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Experiment>> {
        const SQL: &str = "UPDATE experiments SET name = coalesce(?2, name),
                hypothesis = coalesce(?3, hypothesis), description = coalesce(?4, description), updated_at = ?5
            WHERE id = ?1 AND status = 'active'
            RETURNING id, name, hypothesis, description, scorecard_data, status, created_at, updated_at";
        let (id, change) = (id.to_owned(), change.clone());
        self.db
            .write("experiments.update", move |session| {
                let row = params![
                    id,
                    change.name,
                    change.hypothesis,
                    change.description,
                    updated_at.to_iso()
                ];
                session.query_opt(SQL, row, experiment_from_row)
            })
            .await
    }

    async fn update_scorecard(
        &self,
        id: &str,
        scorecard_data: &Json,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Experiment>> {
        const SQL: &str = "UPDATE experiments SET scorecard_data = ?2, updated_at = ?3
            WHERE id = ?1 AND status = 'active'
            RETURNING id, name, hypothesis, description, scorecard_data, status, created_at, updated_at";
        let (id, scorecard_data) = (id.to_owned(), scorecard_data.clone());
        self.db
            .write("experiments.update_scorecard", move |session| {
                let row = params![id, scorecard_data.as_str(), updated_at.to_iso()];
                session.query_opt(SQL, row, experiment_from_row)
            })
            .await
    }

    async fn delete(&self, id: &str, updated_at: Timestamp) -> StoreResult<bool> {
        const SQL: &str =
            "UPDATE experiments SET status = 'deleted', updated_at = ?2 WHERE id = ?1 AND status = 'active'";
        let id = id.to_owned();
        self.db
            .write("experiments.delete", move |session| {
                Ok(session.execute(SQL, params![id, updated_at.to_iso()])? > 0)
            })
            .await
    }
}
