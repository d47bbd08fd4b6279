//! Groups of synths.

use async_trait::async_trait;
use cutover_domain::lab::synth_group::SynthGroup;
use cutover_ports::lab::SynthGroupRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, pg_time};

const TABLE: &str = "synth_groups";

/// [`SynthGroupRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgSynthGroupRepository {
    db: Database,
}

impl PgSynthGroupRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, name, description, created_at`.
fn group_from_row(row: &Row) -> StoreResult<SynthGroup> {
    let mut columns = Columns::new(TABLE, row);
    Ok(SynthGroup {
        id: columns.text()?,
        name: columns.text()?,
        description: columns.opt_text()?,
        created_at: columns.time()?,
    })
}

#[async_trait]
impl SynthGroupRepository for PgSynthGroupRepository {
    async fn ensure(&self, group: &SynthGroup) -> StoreResult<SynthGroup> {
        // The update changes nothing; it makes the statement give back the row that was there.
        const SQL: &str =
            "INSERT INTO synth_groups (id, name, description, created_at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING id, name, description, created_at";
        let created_at = pg_time("synth_groups.created_at", &group.created_at)?;
        let lease = self.db.lease("synth_groups.ensure").await?;
        let rows = lease
            .write(
                SQL,
                &[
                    (&group.id, Type::TEXT),
                    (&group.name, Type::TEXT),
                    (&group.description, Type::TEXT),
                    (&created_at, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        rows.first().map_or_else(|| Ok(group.clone()), group_from_row)
    }

    async fn insert(&self, group: &SynthGroup) -> StoreResult<()> {
        const SQL: &str =
            "INSERT INTO synth_groups (id, name, description, created_at) VALUES ($1, $2, $3, $4)";
        let created_at = pg_time("synth_groups.created_at", &group.created_at)?;
        let lease = self.db.lease("synth_groups.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&group.id, Type::TEXT),
                    (&group.name, Type::TEXT),
                    (&group.description, Type::TEXT),
                    (&created_at, Type::TIMESTAMPTZ),
                ],
            )
            .await?;
        Ok(())
    }

    async fn get(&self, id: &str) -> StoreResult<Option<SynthGroup>> {
        const SQL: &str = "SELECT id, name, description, created_at FROM synth_groups WHERE id = $1";
        let lease = self.db.look_up("synth_groups.get");
        lease
            .query_opt(SQL, &[(&id, Type::TEXT)])
            .await?
            .as_ref()
            .map(group_from_row)
            .transpose()
    }

    async fn list(&self, page: PageRequest) -> StoreResult<Page<SynthGroup>> {
        const SQL: &str = "SELECT id, name, description, created_at FROM synth_groups
            ORDER BY created_at DESC, id LIMIT $1 OFFSET $2";
        const COUNT: &str = "SELECT count(*) FROM synth_groups";
        self.db
            .lease("synth_groups.list")
            .await?
            .page(SQL, COUNT, &[], page, group_from_row)
            .await
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        // Its synths are let go by the foreign key's ON DELETE SET NULL.
        const SQL: &str = "DELETE FROM synth_groups WHERE id = $1";
        let delete = async {
            let lease = self.db.lease("synth_groups.delete").await?;
            lease.execute(SQL, &[(&id, Type::TEXT)]).await
        };
        self.db.keys.around_delete(TABLE, id, delete).await
    }
}
