//! Models that predictions are compared with.

use async_trait::async_trait;
use cutover_domain::market::baseline_model::{BaselineModel, BaselineModelFields};
use cutover_domain::time::Timestamp;
use cutover_ports::market::BaselineModelRepository;
use cutover_ports::{StoreError, StoreResult};
use rusqlite::params;

use super::{Table, opt_sql_bool};
use crate::Database;
use crate::row::Columns;

const TABLE: Table = Table {
    name: "baseline_models",
    columns: &[
        "id",
        "name",
        "description",
        "parameters",
        "is_active",
        "created_at",
        "updated_at",
    ],
};

/// [`BaselineModelRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteBaselineModelRepository {
    db: Database,
}

impl SqliteBaselineModelRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads a whole row, in the order of `TABLE`.
fn model_from_row(columns: &mut Columns<'_>) -> StoreResult<BaselineModel> {
    Ok(BaselineModel {
        id: columns.integer()?.known().copied().unwrap_or_default(),
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
impl BaselineModelRepository for SqliteBaselineModelRepository {
    async fn save(
        &self,
        name: &str,
        fields: &BaselineModelFields,
        now: Timestamp,
    ) -> StoreResult<BaselineModel> {
        // `updated_at` is given although a column's default may say otherwise: old files differ.
        const SQL: &str = "INSERT INTO baseline_models (name, description, parameters, is_active, created_at, updated_at)
            VALUES (?1, ?2, ?3, ?4, ?5, NULL)
            ON CONFLICT (name) DO UPDATE SET description = excluded.description, parameters = excluded.parameters,
                is_active = excluded.is_active,
                updated_at = CASE WHEN (baseline_models.description, baseline_models.parameters, baseline_models.is_active)
                        IS (excluded.description, excluded.parameters, excluded.is_active)
                    THEN baseline_models.updated_at ELSE excluded.created_at END
            RETURNING id, name, description, parameters, is_active, created_at, updated_at";
        let (name, fields) = (name.to_owned(), fields.clone());
        self.db
            .write("baseline_models.save", move |session| {
                TABLE.whole(session)?;
                let saved = session.query_opt(
                    SQL,
                    params![
                        name,
                        fields.description,
                        fields.parameters,
                        opt_sql_bool(fields.is_active.as_ref()),
                        now.to_naive(session.zone()),
                    ],
                    model_from_row,
                )?;
                saved.ok_or_else(|| StoreError::missing("baseline_models"))
            })
            .await
    }

    async fn get(&self, name: &str) -> StoreResult<Option<BaselineModel>> {
        const SQL: &str = "SELECT id, name, description, parameters, is_active, created_at, updated_at
            FROM baseline_models WHERE name = ?1";
        let name = name.to_owned();
        self.db
            .look_up("baseline_models.get", move |session| {
                session.query_opt(&TABLE.reading(session, SQL)?, [&name], model_from_row)
            })
            .await
    }

    async fn list(&self) -> StoreResult<Vec<BaselineModel>> {
        const SQL: &str = "SELECT id, name, description, parameters, is_active, created_at, updated_at
            FROM baseline_models ORDER BY name, id";
        self.db
            .read("baseline_models.list", |session| {
                session.query(&TABLE.reading(session, SQL)?, [], model_from_row)
            })
            .await
    }
}
