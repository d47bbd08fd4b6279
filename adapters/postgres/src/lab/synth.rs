//! Synths.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::lab::synth::{SortDirection, Synth, SynthListing, SynthSort, SynthSummary};
use cutover_domain::lab::synth_filter::SynthSearch;
use cutover_ports::lab::SynthRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use futures_util::try_join;
use postgres_types::Type;

use super::synth_filter;
use crate::Database;
use crate::row::{Columns, Row, opt_pg_json, pg_time};

const TABLE: &str = "synths";

/// [`SynthRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgSynthRepository {
    db: Database,
}

impl PgSynthRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version`.
fn summary_from_columns(columns: &mut Columns<'_>) -> StoreResult<SynthSummary> {
    Ok(SynthSummary {
        id: columns.text()?,
        synth_group_id: columns.opt_text()?,
        nome: columns.text()?,
        descricao: columns.opt_text()?,
        link_photo: columns.opt_text()?,
        avatar_path: columns.opt_text()?,
        created_at: columns.time()?,
        version: columns.opt_text()?,
    })
}

fn summary_from_row(row: &Row) -> StoreResult<SynthSummary> {
    summary_from_columns(&mut Columns::new(TABLE, row))
}

/// Reads a summary's columns, then `data`.
fn synth_from_row(row: &Row) -> StoreResult<Synth> {
    let mut columns = Columns::new(TABLE, row);
    Ok(Synth {
        summary: summary_from_columns(&mut columns)?,
        data: columns.opt_json()?,
    })
}

/// The page of all synths and that of a group's, in one order.
macro_rules! pages_by {
    ($order:literal) => {
        (
            concat!(
                "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
                FROM synths ORDER BY ",
                $order,
                ", id LIMIT $1 OFFSET $2"
            ),
            concat!(
                "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
                FROM synths WHERE synth_group_id = $1 ORDER BY ",
                $order,
                ", id LIMIT $2 OFFSET $3"
            ),
        )
    };
}

/// The two pages in the order wanted. No text from outside becomes SQL.
fn pages_in_order(sort: SynthSort, direction: SortDirection) -> (&'static str, &'static str) {
    use SortDirection::{Ascending, Descending};
    match (sort, direction) {
        (SynthSort::Id, Ascending) => pages_by!("id"),
        (SynthSort::Id, Descending) => pages_by!("id DESC"),
        (SynthSort::SynthGroupId, Ascending) => pages_by!("synth_group_id NULLS FIRST"),
        (SynthSort::SynthGroupId, Descending) => pages_by!("synth_group_id DESC NULLS LAST"),
        (SynthSort::Nome, Ascending) => pages_by!("nome"),
        (SynthSort::Nome, Descending) => pages_by!("nome DESC"),
        (SynthSort::Descricao, Ascending) => pages_by!("descricao NULLS FIRST"),
        (SynthSort::Descricao, Descending) => pages_by!("descricao DESC NULLS LAST"),
        (SynthSort::LinkPhoto, Ascending) => pages_by!("link_photo NULLS FIRST"),
        (SynthSort::LinkPhoto, Descending) => pages_by!("link_photo DESC NULLS LAST"),
        (SynthSort::AvatarPath, Ascending) => pages_by!("avatar_path NULLS FIRST"),
        (SynthSort::AvatarPath, Descending) => pages_by!("avatar_path DESC NULLS LAST"),
        (SynthSort::CreatedAt, Ascending) => pages_by!("created_at"),
        (SynthSort::CreatedAt, Descending) => pages_by!("created_at DESC"),
        (SynthSort::Version, Ascending) => pages_by!("version NULLS FIRST"),
        (SynthSort::Version, Descending) => pages_by!("version DESC NULLS LAST"),
    }
}

#[async_trait]
impl SynthRepository for PgSynthRepository {
    async fn save(&self, synth: &Synth) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO synths (id, synth_group_id, nome, descricao, link_photo, avatar_path,
                created_at, version, data)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            ON CONFLICT (id) DO UPDATE SET synth_group_id = excluded.synth_group_id, nome = excluded.nome,
                descricao = excluded.descricao, link_photo = excluded.link_photo,
                avatar_path = excluded.avatar_path, version = excluded.version, data = excluded.data";
        let Synth { summary, data } = synth;
        let parent = summary.synth_group_id.as_deref().map(|id| ("synth_groups", id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let created_at = pg_time("synths.created_at", &summary.created_at)?;
        let lease = self.db.lease("synths.save").await?;
        lease
            .execute(
                SQL,
                &[
                    (&summary.id, Type::TEXT),
                    (&summary.synth_group_id, Type::TEXT),
                    (&summary.nome, Type::TEXT),
                    (&summary.descricao, Type::TEXT),
                    (&summary.link_photo, Type::TEXT),
                    (&summary.avatar_path, Type::TEXT),
                    (&created_at, Type::TIMESTAMPTZ),
                    (&summary.version, Type::TEXT),
                    (&opt_pg_json(data.as_ref()), Type::JSONB),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Synth>> {
        const SQL: &str =
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data
            FROM synths WHERE id = $1";
        let lease = self.db.look_up("synths.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(synth_from_row).transpose()
    }

    async fn get_many(&self, ids: &[String]) -> StoreResult<Vec<Synth>> {
        const SQL: &str =
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data
            FROM synths WHERE id = ANY ($1) ORDER BY id";
        let lease = self.db.lease("synths.get_many").await?;
        let rows = lease.query(SQL, &[(&ids, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(synth_from_row).collect()
    }

    async fn list(&self, listing: &SynthListing, page: PageRequest) -> StoreResult<Page<SynthSummary>> {
        const COUNT: &str = "SELECT count(*) FROM synths";
        const COUNT_OF_GROUP: &str = "SELECT count(*) FROM synths WHERE synth_group_id = $1";
        let (all, of_group) = pages_in_order(listing.sort, listing.direction);
        let lease = self.db.lease("synths.list").await?;
        match &listing.synth_group_id {
            Some(group) => {
                let binds = [(group as _, Type::TEXT)];
                lease
                    .page(of_group, COUNT_OF_GROUP, &binds, page, summary_from_row)
                    .await
            }
            None => lease.page(all, COUNT, &[], page, summary_from_row).await,
        }
    }

    async fn search(&self, search: &SynthSearch, page: PageRequest) -> StoreResult<Page<SynthSummary>> {
        let count = synth_filter::count(search);
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        let found = synth_filter::page(search, page.limit.into(), offset);
        let (counts, items) = (count.binds(), found.binds());
        let lease = self.db.lease("synths.search").await?;
        let (totals, rows) = try_join!(
            lease.query_dynamic(&count.sql, &counts),
            lease.query_dynamic(&found.sql, &items),
        )?;
        let mut total = 0;
        for row in &totals {
            total = Columns::new(TABLE, row).count()?;
        }
        Ok(Page {
            items: rows.iter().map(summary_from_row).collect::<StoreResult<_>>()?,
            total,
        })
    }

    async fn list_by_group(&self, synth_group_id: &str) -> StoreResult<Vec<SynthSummary>> {
        const SQL: &str =
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
            FROM synths WHERE synth_group_id = $1 ORDER BY created_at DESC, id";
        let lease = self.db.lease("synths.list_by_group").await?;
        let rows = lease.query(SQL, &[(&synth_group_id, Type::TEXT)]).await?;
        rows.iter().map(summary_from_row).collect()
    }

    async fn counts_by_group(&self, synth_group_ids: &[String]) -> StoreResult<HashMap<String, u64>> {
        const SQL: &str = "SELECT synth_group_id, count(*) FROM synths
            WHERE synth_group_id = ANY ($1) GROUP BY synth_group_id";
        let lease = self.db.lease("synths.counts_by_group").await?;
        let rows = lease.query(SQL, &[(&synth_group_ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::new(TABLE, row);
                Ok((columns.text()?, columns.count()?))
            })
            .collect()
    }

    async fn names_by_id(&self, ids: &[String]) -> StoreResult<HashMap<String, String>> {
        const SQL: &str = "SELECT id, nome FROM synths WHERE id = ANY ($1)";
        let lease = self.db.lease("synths.names_by_id").await?;
        let rows = lease.query(SQL, &[(&ids, Type::TEXT_ARRAY)]).await?;
        rows.iter()
            .map(|row| {
                let mut columns = Columns::new(TABLE, row);
                Ok((columns.text()?, columns.text()?))
            })
            .collect()
    }

    async fn count(&self) -> StoreResult<u64> {
        const SQL: &str = "SELECT count(*) FROM synths";
        let row = self.db.lease("synths.count").await?.query_one(SQL, &[]).await?;
        Columns::new(TABLE, &row).count()
    }

    async fn update_avatar_path(&self, id: &str, avatar_path: &str) -> StoreResult<bool> {
        const SQL: &str = "UPDATE synths SET avatar_path = $2 WHERE id = $1";
        let lease = self.db.lease("synths.update_avatar_path").await?;
        let binds = [(&id as _, Type::TEXT), (&avatar_path as _, Type::TEXT)];
        Ok(lease.execute(SQL, &binds).await? > 0)
    }
}
