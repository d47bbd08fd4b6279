//! Experiments.

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::experiment::{Experiment, ExperimentChange, ExperimentSummary};
use cutover_domain::time::Timestamp;
use cutover_ports::lab::ExperimentRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_pg_json, opt_pg_time, pg_enum, pg_time};
use crate::types::{PgJson, PgTime};

const TABLE: &str = "experiments";

/// [`ExperimentRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgExperimentRepository {
    db: Database,
}

impl PgExperimentRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, name, hypothesis, description, scorecard_data, status, created_at, updated_at`.
fn experiment_from_row(row: &Row) -> StoreResult<Experiment> {
    let mut columns = Columns::new(TABLE, row);
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
fn summary_from_row(row: &Row) -> StoreResult<ExperimentSummary> {
    let mut columns = Columns::new(TABLE, row);
    Ok(ExperimentSummary {
        id: columns.text()?,
        name: columns.text()?,
        hypothesis: columns.text()?,
        description: columns.opt_text()?,
        has_scorecard: columns.get()?,
        created_at: columns.time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl ExperimentRepository for PgExperimentRepository {
    async fn insert(&self, experiment: &Experiment) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO experiments
            (id, name, hypothesis, description, scorecard_data, status, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let scorecard_data = opt_pg_json(experiment.scorecard_data.as_ref());
        let status = pg_enum("experiments.status", &experiment.status)?;
        let created_at = pg_time("experiments.created_at", &experiment.created_at)?;
        let updated_at = opt_pg_time("experiments.updated_at", experiment.updated_at.as_ref())?;
        let lease = self.db.lease("experiments.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&experiment.id, Type::TEXT),
                    (&experiment.name, Type::TEXT),
                    (&experiment.hypothesis, Type::TEXT),
                    (&experiment.description, Type::TEXT),
                    (&scorecard_data, Type::JSONB),
                    (&status, Type::TEXT),
                    (&created_at, Type::TIMESTAMPTZ),
                    (&updated_at, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(())
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Experiment>> {
        const SQL: &str =
            "SELECT id, name, hypothesis, description, scorecard_data, status, created_at, updated_at
            FROM experiments WHERE id = $1 AND status = 'active'";
        let lease = self.db.look_up("experiments.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(experiment_from_row).transpose()
    }

    async fn find(&self, id: &str) -> StoreResult<Option<Experiment>> {
        const SQL: &str =
            "SELECT id, name, hypothesis, description, scorecard_data, status, created_at, updated_at
            FROM experiments WHERE id = $1";
        let lease = self.db.look_up("experiments.find");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(experiment_from_row).transpose()
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<ExperimentSummary>> {
        const SQL: &str = "SELECT id, name, hypothesis, description,
                coalesce(scorecard_data <> 'null'::jsonb, false), created_at, updated_at
            FROM experiments WHERE status = 'active' ORDER BY created_at DESC, id LIMIT $1 OFFSET $2";
        const COUNT: &str = "SELECT count(*) FROM experiments WHERE status = 'active'";
        let lease = self.db.lease("experiments.list").await?;
        lease.page(SQL, COUNT, &[], page, summary_from_row).await
    }

    async fn update(
        &self,
        id: &str,
        change: &ExperimentChange,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Experiment>> {
        const SQL: &str = "UPDATE experiments SET name = coalesce($2, name),
                hypothesis = coalesce($3, hypothesis), description = coalesce($4, description), updated_at = $5
            WHERE id = $1 AND status = 'active'
            RETURNING id, name, hypothesis, description, scorecard_data, status, created_at, updated_at";
        let lease = self.db.lease("experiments.update").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&id, Type::TEXT),
                    (&change.name, Type::TEXT),
                    (&change.hypothesis, Type::TEXT),
                    (&change.description, Type::TEXT),
                    (&PgTime(updated_at), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        rows.first().map(experiment_from_row).transpose()
    }

    async fn update_scorecard(
        &self,
        id: &str,
        scorecard_data: &Json,
        updated_at: Timestamp,
    ) -> StoreResult<Option<Experiment>> {
        const SQL: &str = "UPDATE experiments SET scorecard_data = $2, updated_at = $3
            WHERE id = $1 AND status = 'active'
            RETURNING id, name, hypothesis, description, scorecard_data, status, created_at, updated_at";
        let lease = self.db.lease("experiments.update_scorecard").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&id, Type::TEXT),
                    (&PgJson(scorecard_data.clone()), Type::JSONB),
                    (&PgTime(updated_at), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        rows.first().map(experiment_from_row).transpose()
    }

    async fn delete(&self, id: &str, updated_at: Timestamp) -> StoreResult<bool> {
        const SQL: &str =
            "UPDATE experiments SET status = 'deleted', updated_at = $2 WHERE id = $1 AND status = 'active'";
        let lease = self.db.lease("experiments.delete").await?;
        let binds = [
            (&id as _, Type::TEXT),
            (&PgTime(updated_at) as _, Type::TIMESTAMPTZ),
        ];
        Ok(lease.execute(SQL, &binds).await? > 0)
    }
}
