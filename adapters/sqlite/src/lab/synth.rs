//! Synths.

use std::collections::HashMap;

use async_trait::async_trait;
use cutover_domain::json::Json;
use cutover_domain::lab::synth::{SortDirection, Synth, SynthListing, SynthSort, SynthSummary};
use cutover_domain::lab::synth_filter::SynthSearch;
use cutover_ports::lab::SynthRepository;
use cutover_ports::{Page, PageRequest, StoreResult};
use rusqlite::{params, params_from_iter};

use super::synth_filter;
use crate::Database;
use crate::instant::{newest_first, oldest_first};
use crate::row::{Columns, json_array, sql_time};

/// [`SynthRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteSynthRepository {
    db: Database,
}

impl SqliteSynthRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version`.
fn summary_from_row(columns: &mut Columns<'_>) -> StoreResult<SynthSummary> {
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

/// Reads a summary's columns, then `data`.
fn synth_from_row(columns: &mut Columns<'_>) -> StoreResult<Synth> {
    Ok(Synth {
        summary: summary_from_row(columns)?,
        data: columns.opt_json()?,
    })
}

/// The page of all synths and that of a group's, in one order.
macro_rules! pages_by {
    ($order:expr) => {
        (
            concat!(
                "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
                FROM synths ORDER BY ",
                $order,
                ", id LIMIT ?1 OFFSET ?2"
            ),
            concat!(
                "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
                FROM synths WHERE synth_group_id = ?1 ORDER BY ",
                $order,
                ", id LIMIT ?2 OFFSET ?3"
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
        (SynthSort::CreatedAt, Ascending) => {
            pages_by!(oldest_first!("created_at"))
        }
        (SynthSort::CreatedAt, Descending) => {
            pages_by!(newest_first!("created_at"))
        }
        (SynthSort::Version, Ascending) => pages_by!("version NULLS FIRST"),
        (SynthSort::Version, Descending) => pages_by!("version DESC NULLS LAST"),
    }
}

#[async_trait]
impl SynthRepository for SqliteSynthRepository {
    async fn save(&self, synth: &Synth) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO synths (id, synth_group_id, nome, descricao, link_photo, avatar_path,
                created_at, version, data)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (id) DO UPDATE SET synth_group_id = excluded.synth_group_id, nome = excluded.nome,
                descricao = excluded.descricao, link_photo = excluded.link_photo,
                avatar_path = excluded.avatar_path, version = excluded.version, data = excluded.data";
        let group = synth.summary.synth_group_id.as_deref();
        let parent = group.map(|id| ("synth_groups", id));
        let _held = self.db.keys.before_write(parent.as_slice()).await?;
        let Synth { summary, data } = synth.clone();
        self.db
            .write("synths.save", move |session| {
                let row = params![
                    summary.id,
                    summary.synth_group_id,
                    summary.nome,
                    summary.descricao,
                    summary.link_photo,
                    summary.avatar_path,
                    sql_time(&summary.created_at),
                    summary.version,
                    data.as_ref().map(Json::as_str),
                ];
                let parent = (
                    "synth_groups",
                    "id",
                    summary.synth_group_id.as_deref().unwrap_or_default(),
                );
                session.execute_referring(SQL, row, &[parent]).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<Synth>> {
        const SQL: &str =
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data
            FROM synths WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("synths.get", move |session| {
                session.query_opt(SQL, [&id], synth_from_row)
            })
            .await
    }

    async fn get_many(&self, ids: &[String]) -> StoreResult<Vec<Synth>> {
        const SQL: &str =
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version, data
            FROM synths WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id";
        let ids = json_array(ids);
        self.db
            .read("synths.get_many", move |session| {
                session.query(SQL, [ids], synth_from_row)
            })
            .await
    }

    async fn list(&self, listing: &SynthListing, page: PageRequest) -> StoreResult<Page<SynthSummary>> {
        const COUNT: &str = "SELECT count(*) FROM synths";
        const COUNT_OF_GROUP: &str = "SELECT count(*) FROM synths WHERE synth_group_id = ?1";
        let (all, of_group) = pages_in_order(listing.sort, listing.direction);
        let group = listing.synth_group_id.clone();
        self.db
            .read("synths.list", move |session| match group {
                Some(group) => session.page(of_group, COUNT_OF_GROUP, &[&group], page, summary_from_row),
                None => session.page(all, COUNT, &[], page, summary_from_row),
            })
            .await
    }

    async fn search(&self, search: &SynthSearch, page: PageRequest) -> StoreResult<Page<SynthSummary>> {
        let count = synth_filter::count(search);
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        let found = synth_filter::page(search, page.limit.into(), offset);
        self.db
            .read("synths.search", move |session| {
                let total = session.query_opt(&count.sql, params_from_iter(count.values), |columns| {
                    columns.count()
                })?;
                Ok(Page {
                    items: session.query(&found.sql, params_from_iter(found.values), summary_from_row)?,
                    total: total.unwrap_or(0),
                })
            })
            .await
    }

    async fn list_by_group(&self, synth_group_id: &str) -> StoreResult<Vec<SynthSummary>> {
        const SQL: &str = concat!(
            "SELECT id, synth_group_id, nome, descricao, link_photo, avatar_path, created_at, version
            FROM synths WHERE synth_group_id = ?1
            ORDER BY ",
            newest_first!("created_at"),
            ", id"
        );
        let group = synth_group_id.to_owned();
        self.db
            .read("synths.list_by_group", move |session| {
                session.query(SQL, [group], summary_from_row)
            })
            .await
    }

    async fn counts_by_group(&self, synth_group_ids: &[String]) -> StoreResult<HashMap<String, u64>> {
        const SQL: &str = "SELECT synth_group_id, count(*) FROM synths
            WHERE synth_group_id IN (SELECT value FROM json_each(?1)) GROUP BY synth_group_id";
        let ids = json_array(synth_group_ids);
        let counts = self
            .db
            .read("synths.counts_by_group", move |session| {
                session.query(SQL, [ids], |columns| Ok((columns.text()?, columns.count()?)))
            })
            .await?;
        Ok(counts.into_iter().collect())
    }

    async fn names_by_id(&self, ids: &[String]) -> StoreResult<HashMap<String, String>> {
        const SQL: &str = "SELECT id, nome FROM synths WHERE id IN (SELECT value FROM json_each(?1))";
        let ids = json_array(ids);
        let names = self
            .db
            .read("synths.names_by_id", move |session| {
                session.query(SQL, [ids], |columns| Ok((columns.text()?, columns.text()?)))
            })
            .await?;
        Ok(names.into_iter().collect())
    }

    async fn count(&self) -> StoreResult<u64> {
        const SQL: &str = "SELECT count(*) FROM synths";
        self.db
            .read("synths.count", |session| {
                Ok(session
                    .query_opt(SQL, [], |columns| columns.count())?
                    .unwrap_or(0))
            })
            .await
    }

    async fn update_avatar_path(&self, id: &str, avatar_path: &str) -> StoreResult<bool> {
        const SQL: &str = "UPDATE synths SET avatar_path = ?2 WHERE id = ?1";
        let row = [id.to_owned(), avatar_path.to_owned()];
        self.db
            .write("synths.update_avatar_path", move |session| {
                Ok(session.execute(SQL, row)? > 0)
            })
            .await
    }
}
