//! Groups of synths.

use async_trait::async_trait;
use cutover_domain::lab::synth_group::SynthGroup;
use cutover_ports::lab::SynthGroupRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::params;

use crate::Database;
use crate::instant::newest_first;
use crate::row::{Columns, sql_time};

const TABLE: &str = "synth_groups";

/// [`SynthGroupRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteSynthGroupRepository {
    db: Database,
}

impl SqliteSynthGroupRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, name, description, created_at`.
fn group_from_row(columns: &mut Columns<'_>) -> StoreResult<SynthGroup> {
    Ok(SynthGroup {
        id: columns.text()?,
        name: columns.text()?,
        description: columns.opt_text()?,
        created_at: columns.time()?,
    })
}

#[async_trait]
impl SynthGroupRepository for SqliteSynthGroupRepository {
    async fn ensure(&self, group: &SynthGroup) -> StoreResult<SynthGroup> {
        // The update changes nothing; it makes the statement give back the row that was there.
        const SQL: &str =
            "INSERT INTO synth_groups (id, name, description, created_at) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING id, name, description, created_at";
        let group = group.clone();
        self.db
            .write("synth_groups.ensure", move |session| {
                let row = params![
                    group.id,
                    group.name,
                    group.description,
                    sql_time(&group.created_at)
                ];
                Ok(session.query_opt(SQL, row, group_from_row)?.unwrap_or(group))
            })
            .await
    }

    async fn insert(&self, group: &SynthGroup) -> StoreResult<()> {
        const SQL: &str =
            "INSERT INTO synth_groups (id, name, description, created_at) VALUES (?1, ?2, ?3, ?4)";
        let group = group.clone();
        self.db
            .write("synth_groups.insert", move |session| {
                let row = params![
                    group.id,
                    group.name,
                    group.description,
                    sql_time(&group.created_at)
                ];
                session.execute(SQL, row).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SynthGroup>> {
        const SQL: &str = "SELECT id, name, description, created_at FROM synth_groups WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("synth_groups.get", move |session| {
                session.query_opt(SQL, [&id], group_from_row)
            })
            .await
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<SynthGroup>> {
        // Times of several spellings stand in one column: `datetime` orders them by the second, the rest
        // by the fraction.
        const SQL: &str = concat!(
            "SELECT id, name, description, created_at FROM synth_groups
            ORDER BY ",
            newest_first!("created_at"),
            ", id LIMIT ?1 OFFSET ?2"
        );
        const COUNT: &str = "SELECT count(*) FROM synth_groups";
        self.db
            .read("synth_groups.list", move |session| {
                session.page(SQL, COUNT, &[], page, group_from_row)
            })
            .await
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        // Existing files say NO ACTION for `synths.synth_group_id`, where PostgreSQL says ON DELETE SET NULL: what the
        // reference promises is done here, in the same transaction.
        // Synths whose group is long gone, which only old files hold, stay as they are.
        const DETACH: &str = "UPDATE synths SET synth_group_id = NULL
            WHERE synth_group_id = ?1 AND EXISTS (SELECT 1 FROM synth_groups WHERE id = ?1)";
        const SQL: &str = "DELETE FROM synth_groups WHERE id = ?1";
        let key = id.to_owned();
        let delete = self.db.atomic("synth_groups.delete", move |session| {
            session.execute(DETACH, [&key])?;
            session.delete_referred(SQL, TABLE, &key)
        });
        self.db.keys.around_delete(TABLE, id, delete).await
    }
}
