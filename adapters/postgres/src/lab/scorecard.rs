//! Scorecards of features.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::scorecard::FeatureScorecard;
use cutover_domain::time::Timestamp;
use cutover_ports::lab::ScorecardRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_pg_time, pg_time};
use crate::types::{PgJson, PgTime};

const TABLE: &str = "feature_scorecards";

/// [`ScorecardRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgScorecardRepository {
    db: Database,
}

impl PgScorecardRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, experiment_id, data, created_at, updated_at`.
fn scorecard_from_row(row: &Row) -> StoreResult<FeatureScorecard> {
    let mut columns = Columns::new(TABLE, row);
    Ok(FeatureScorecard {
        id: columns.text()?,
        experiment_id: columns.opt_text()?,
        data: columns.json()?,
        created_at: columns.time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl ScorecardRepository for PgScorecardRepository {
    async fn insert(&self, scorecard: &FeatureScorecard) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO feature_scorecards (id, experiment_id, data, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5)";
        let created_at = pg_time("feature_scorecards.created_at", &scorecard.created_at)?;
        let updated_at = opt_pg_time("feature_scorecards.updated_at", scorecard.updated_at.as_ref())?;
        let parent = scorecard.experiment_id.as_deref().map(|id| ("experiments", id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let lease = self.db.lease("scorecards.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&scorecard.id, Type::TEXT),
                    (&scorecard.experiment_id, Type::TEXT),
                    (&PgJson(scorecard.data.clone()), Type::JSONB),
                    (&created_at, Type::TIMESTAMPTZ),
                    (&updated_at, Type::TIMESTAMPTZ),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<FeatureScorecard>> {
        const SQL: &str = "SELECT id, experiment_id, data, created_at, updated_at
            FROM feature_scorecards WHERE id = $1";
        let lease = self.db.look_up("scorecards.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(scorecard_from_row).transpose()
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<FeatureScorecard>> {
        const SQL: &str = "SELECT id, experiment_id, data, created_at, updated_at FROM feature_scorecards
            ORDER BY created_at DESC, id LIMIT $1 OFFSET $2";
        const COUNT: &str = "SELECT count(*) FROM feature_scorecards";
        let lease = self.db.lease("scorecards.list").await?;
        lease.page(SQL, COUNT, &[], page, scorecard_from_row).await
    }

    async fn list_by_experiment(
        &self,
        experiment_id: &str,
        page: PageRequest,
    ) -> StoreResult<Page<FeatureScorecard>> {
        const SQL: &str = "SELECT id, experiment_id, data, created_at, updated_at FROM feature_scorecards
            WHERE experiment_id = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3";
        const COUNT: &str = "SELECT count(*) FROM feature_scorecards WHERE experiment_id = $1";
        let lease = self.db.lease("scorecards.list_by_experiment").await?;
        let binds = [(&experiment_id as _, Type::TEXT)];
        lease.page(SQL, COUNT, &binds, page, scorecard_from_row).await
    }

    async fn ids_by_experiment(&self, experiment_id: &str) -> StoreResult<Vec<String>> {
        const SQL: &str = "SELECT id FROM feature_scorecards WHERE experiment_id = $1 ORDER BY id";
        let lease = self.db.lease("scorecards.ids_by_experiment").await?;
        let rows = lease.query(SQL, &[(&experiment_id, Type::TEXT)]).await?;
        rows.iter().map(|row| Columns::new(TABLE, row).text()).collect()
    }

    async fn update(&self, id: &str, data: &Json, updated_at: Timestamp) -> StoreResult<bool> {
        const SQL: &str = "UPDATE feature_scorecards SET data = $2, updated_at = $3 WHERE id = $1";
        let lease = self.db.lease("scorecards.update").await?;
        let changed = lease
            .execute(
                SQL,
                &[
                    (&id, Type::TEXT),
                    (&PgJson(data.clone()), Type::JSONB),
                    (&PgTime(updated_at), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM feature_scorecards WHERE id = $1";
        let delete = async {
            let lease = self.db.lease("scorecards.delete").await?;
            lease.execute(SQL, &[(&id, Type::TEXT)]).await
        };
        self.db.keys.around_delete(TABLE, id, delete).await
    }
}
