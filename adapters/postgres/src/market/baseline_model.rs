//! Models that predictions are compared with.

use async_trait::async_trait;
use cutover_domain::market::baseline_model::{BaselineModel, BaselineModelFields};
use cutover_domain::time::Timestamp;
use cutover_ports::market::BaselineModelRepository;
use cutover_ports::{StoreError, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, opt_known};
use crate::types::PgTime;

const TABLE: &str = "baseline_models";

/// [`BaselineModelRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgBaselineModelRepository {
    db: Database,
}

impl PgBaselineModelRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads a whole row.
fn model_from_row(row: &Row) -> StoreResult<BaselineModel> {
    let mut columns = Columns::new(TABLE, row);
    Ok(BaselineModel {
        id: columns.get()?,
        name: columns.text()?,
        fields: BaselineModelFields {
            description: columns.opt_text()?,
            parameters: columns.opt_text()?,
            is_active: columns.opt_bool()?,
        },
        created_at: columns.opt_time()?,
        updated_at: columns.opt_time()?,
    })
}

#[async_trait]
impl BaselineModelRepository for PgBaselineModelRepository {
    async fn save(
        &self,
        name: &str,
        fields: &BaselineModelFields,
        now: Timestamp,
    ) -> StoreResult<BaselineModel> {
        const SQL: &str = "INSERT INTO baseline_models (name, description, parameters, is_active, created_at)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name) DO UPDATE SET description = excluded.description, parameters = excluded.parameters,
                is_active = excluded.is_active,
                updated_at = CASE WHEN (baseline_models.description, baseline_models.parameters, baseline_models.is_active)
                        IS NOT DISTINCT FROM (excluded.description, excluded.parameters, excluded.is_active)
                    THEN baseline_models.updated_at ELSE excluded.created_at END
            RETURNING id, name, description, parameters, is_active, created_at, updated_at";
        let is_active = opt_known("baseline_models.is_active", fields.is_active.as_ref())?;
        let lease = self.db.lease("baseline_models.save").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&name, Type::TEXT),
                    (&fields.description, Type::TEXT),
                    (&fields.parameters, Type::TEXT),
                    (&is_active, Type::BOOL),
                    (&PgTime(now), Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        model_from_row(rows.first().ok_or_else(|| StoreError::missing(TABLE))?)
    }

    async fn get(&self, name: &str) -> StoreResult<Option<BaselineModel>> {
        const SQL: &str = "SELECT id, name, description, parameters, is_active, created_at, updated_at
            FROM baseline_models WHERE name = $1";
        let lease = self.db.look_up("baseline_models.get");
        let row = lease.query_opt(SQL, &[(&name, Type::TEXT)]).await?;
        row.as_ref().map(model_from_row).transpose()
    }

    async fn list(&self) -> StoreResult<Vec<BaselineModel>> {
        const SQL: &str = "SELECT id, name, description, parameters, is_active, created_at, updated_at
            FROM baseline_models ORDER BY name, id";
        let lease = self.db.lease("baseline_models.list").await?;
        let rows = lease.query(SQL, &[]).await?;
        rows.iter().map(model_from_row).collect()
    }
}
