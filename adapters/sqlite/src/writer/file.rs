//! What is known of uploaded files.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::writer::file::FileMetadata;
use cutover_ports::StoreResult;
use cutover_ports::place::up_to_here;
use cutover_ports::writer::{FilePage, FileRepository};
use rusqlite::params;

use super::opt_sql_time;
use crate::Database;
use crate::row::{Columns, json_array, sql_number};

/// [`FileRepository`] on SQLite.
#[derive(Debug, Clone)]
pub struct SqliteFileRepository {
    db: Database,
}

impl SqliteFileRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, filename, content_type, size, created_at`.
fn file_from_row(columns: &mut Columns<'_>) -> StoreResult<FileMetadata> {
    Ok(FileMetadata {
        id: columns.text()?,
        filename: columns.text()?,
        content_type: columns.text()?,
        size: columns.integer()?,
        created_at: columns.opt_time()?,
    })
}

#[async_trait]
impl FileRepository for SqliteFileRepository {
    async fn insert(&self, file: &FileMetadata) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO file_metadata (id, filename, content_type, size, created_at)
            VALUES (?1, ?2, ?3, ?4, ?5)";
        let file = file.clone();
        self.db
            .write("files.insert", move |session| {
                let row = params![
                    file.id,
                    file.filename,
                    file.content_type,
                    sql_number(&file.size),
                    opt_sql_time(file.created_at.as_ref()),
                ];
                session.execute(SQL, row).map(drop)
            })
            .await
    }

    async fn get(&self, id: &str) -> StoreResult<Option<FileMetadata>> {
        const SQL: &str =
            "SELECT id, filename, content_type, size, created_at FROM file_metadata WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .look_up("files.get", move |session| {
                session.query_opt(SQL, [&id], file_from_row)
            })
            .await
    }

    /// A place is the hexadecimal form of an id's bytes, which also names one that is no UTF-8, behind an `x` where it is no text.
    async fn list(&self, after: Option<String>, limit: u32) -> StoreResult<FilePage> {
        const FIRST: &str = "SELECT id, filename, content_type, size, created_at,
                iif(typeof(id) = 'blob', 'x', '') || hex(id) FROM file_metadata
            ORDER BY id LIMIT ?1";
        const AFTER_TEXT: &str = "SELECT id, filename, content_type, size, created_at,
                iif(typeof(id) = 'blob', 'x', '') || hex(id) FROM file_metadata
            WHERE id > CAST(unhex(?2) AS TEXT) ORDER BY id LIMIT ?1";
        const AFTER_BYTES: &str = "SELECT id, filename, content_type, size, created_at,
                iif(typeof(id) = 'blob', 'x', '') || hex(id) FROM file_metadata
            WHERE id > unhex(?2) ORDER BY id LIMIT ?1";
        let placed = |columns: &mut Columns<'_>| {
            let file = file_from_row(columns)?;
            Ok((columns.text()?, file))
        };
        let found = self
            .db
            .read("files.list", move |session| match after.as_deref() {
                None => session.query(FIRST, [limit], placed),
                Some(after) => match after.strip_prefix('x') {
                    None => session.query(AFTER_TEXT, params![limit, after], placed),
                    Some(bytes) => session.query(AFTER_BYTES, params![limit, bytes], placed),
                },
            })
            .await?;
        let (files, next) = up_to_here(found, limit);
        Ok(FilePage { files, next })
    }

    async fn known(&self, ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str = "SELECT id FROM file_metadata WHERE id IN (SELECT value FROM json_each(?1))";
        let ids = json_array(ids);
        let known = self
            .db
            .read("files.known", move |session| {
                session.query(SQL, [ids], |columns| columns.text())
            })
            .await?;
        Ok(known.into_iter().collect())
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM file_metadata WHERE id = ?1";
        let id = id.to_owned();
        self.db
            .write("files.delete", move |session| Ok(session.execute(SQL, [id])? > 0))
            .await
    }
}
