//! Scorecards of features.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::scorecard::FeatureScorecard;
use cutover_domain::time::Timestamp;
use cutover_ports::lab::ScorecardRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::instant::newest_first;
use crate::row::{Columns, opt_sql_time, sql_time};

const TABLE: &str = "feature_scorecards";

/// [`ScorecardRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteScorecardRepository {
    db: Database,
}

impl SqliteScorecardRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, experiment_id, data, created_at, updated_at`.
fn scorecard_from_row(columns: &mut Columns<'_>) -> StoreResult<FeatureScorecard> {
    Ok(FeatureScorecard {
        id: columns.text()?,
        experiment_id: columns.opt_text()?,
        data: columns.json()?,
        created_at: columns.time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl ScorecardRepository for SqliteScorecardRepository {
    async fn insert(&self, scorecard: &FeatureScorecard) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO feature_scorecards (id, experiment_id, data, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let parent = scorecard.experiment_id.as_deref().map(|id| ("experiments", id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let new = scorecard.clone();
        self.db
            .write("scorecards.insert", move |session| {
                let row = params![
                    new.id,
                    new.experiment_id,
                    new.data.as_str(),
                    sql_time(&new.created_at),
                    opt_sql_time(new.updated_at.as_ref()),
                ];
                let parent = new.experiment_id.as_deref().map(|id| ("experiments", "id", id));
                session.execute_referring(SQL, row, parent.as_slice()).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<FeatureScorecard>> {
        const SQL: &str = "SELECT id, experiment_id, data, created_at, updated_at
            FROM feature_scorecards WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("scorecards.get", move |session| {
                session.query_opt(SQL, [&id], scorecard_from_row)
            })
            .await
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<FeatureScorecard>> {
        const SQL: &str = concat!(
            "SELECT id, experiment_id, data, created_at, updated_at FROM feature_scorecards
            ORDER BY ",
            newest_first!("created_at"),
            ", id LIMIT ?1 OFFSET ?2"
        );
        const COUNT: &str = "SELECT count(*) FROM feature_scorecards";
        self.db
            .read("scorecards.list", move |session| {
                session.page(SQL, COUNT, &[], page, scorecard_from_row)
            })
            .await
    }

    async fn list_by_experiment(
        &self,
        experiment_id: &str,
        page: PageRequest,
    ) -> StoreResult<Page<FeatureScorecard>> {
        const SQL: &str = concat!(
            "SELECT id, experiment_id, data, created_at, updated_at FROM feature_scorecards
            WHERE experiment_id = ?1
            ORDER BY ",
            newest_first!("created_at"),
            ", id LIMIT ?2 OFFSET ?3"
        );
        const COUNT: &str = "SELECT count(*) FROM feature_scorecards WHERE experiment_id = ?1";
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("scorecards.list_by_experiment", move |session| {
                session.page(SQL, COUNT, &[&experiment_id], page, scorecard_from_row)
            })
            .await
    }

    async fn ids_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<String>> {
        const SQL: &str = "SELECT id FROM feature_scorecards WHERE experiment_id = ?1 ORDER BY id";
        let experiment_id = experiment_id.to_owned();
        self.db
            .read("scorecards.ids_by_experiment", move |session| {
                session.query(SQL, [experiment_id], |columns| columns.text())
            })
            .await
    }

    async fn update(&self, id: &str, data: &Json, updated_at: Timestamp) -> StoreResult<bool> {
        const SQL: &str = "UPDATE feature_scorecards SET data = ?2, updated_at = ?3 WHERE id = ?1";
        let row = [id.to_owned(), data.as_str().to_owned(), updated_at.to_iso()];
        self.db
            .write("scorecards.update", move |session| {
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM feature_scorecards WHERE id = ?1";
        let key = id.to_owned();
        let delete = self.db.write("scorecards.delete", move |session| {
            session.delete_referred(SQL, TABLE, &key)
        });
        self.db.keys.around_delete(TABLE, id, delete).await
    }
}
