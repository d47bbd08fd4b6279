//! What is known of uploaded files.

use std::collections::HashSet;

use async_trait::async_trait;
use cutover_domain::writer::file::FileMetadata;
use cutover_ports::StoreResult;
use cutover_ports::place::up_to_here;
use cutover_ports::writer::{FilePage, FileRepository};
use postgres_types::Type;

use crate::Database;
use crate::row::{Columns, Row, known, opt_pg_time};

const TABLE: &str = "file_metadata";

/// [`FileRepository`] on PostgreSQL.
#[derive(Debug, Clone)]
pub struct PgFileRepository {
    db: Database,
}

impl PgFileRepository {
    /// The repository on `db`.
    pub fn new(db: Database) -> Self {
        Self { db }
    }
}

/// Reads `id, filename, content_type, size, created_at`.
fn file_from_row(row: &Row) -> StoreResult<FileMetadata> {
    read_file(&mut Columns::new(TABLE, row))
}

fn read_file(columns: &mut Columns<'_>) -> StoreResult<FileMetadata> {
    Ok(FileMetadata {
        id: columns.text()?,
        filename: columns.text()?,
        content_type: columns.text()?,
        size: columns.integer()?,
        created_at: columns.opt_time()?,
    })
}

#[async_trait]
impl FileRepository for PgFileRepository {
    async fn insert(&self, file: &FileMetadata) -> StoreResult<()> {
        const SQL: &str = "INSERT INTO file_metadata (id, filename, content_type, size, created_at)
            VALUES ($1, $2, $3, $4, $5)";
        let size = known("file_metadata.size", &file.size)?;
        let created_at = opt_pg_time("file_metadata.created_at", file.created_at.as_ref())?;
        let lease = self.db.lease("files.insert").await?;
        lease
            .execute(
                SQL,
                &[
                    (&file.id, Type::TEXT),
                    (&file.filename, Type::TEXT),
                    (&file.content_type, Type::TEXT),
                    (&size, Type::INT8),
                    (&created_at, Type::TIMESTAMPTZ),
                ],
            )
            .await
            .map(drop)
    }

    async fn get(&self, id: &str) -> StoreResult<Option<FileMetadata>> {
        const SQL: &str =
            "SELECT id, filename, content_type, size, created_at FROM file_metadata WHERE id = $1";
        let lease = self.db.look_up("files.get");
        let row = lease.query_opt(SQL, &[(&id, Type::TEXT)]).await?;
        row.as_ref().map(file_from_row).transpose()
    }

    /// A place is the hexadecimal form of an id's bytes, as it is in SQLite.
    async fn list(&self, after: Option<String>, limit: u32) -> StoreResult<FilePage> {
        const FIRST: &str = "SELECT id, filename, content_type, size, created_at,
                upper(encode(convert_to(id, 'UTF8'), 'hex')) FROM file_metadata
            ORDER BY id LIMIT $1";
        const AFTER: &str = "SELECT id, filename, content_type, size, created_at,
                upper(encode(convert_to(id, 'UTF8'), 'hex')) FROM file_metadata
            WHERE id > convert_from(decode($2, 'hex'), 'UTF8') ORDER BY id LIMIT $1";
        let most = i64::from(limit);
        let lease = self.db.lease("files.list").await?;
        let rows = match after {
            None => lease.query(FIRST, &[(&most, Type::INT8)]).await?,
            Some(after) => {
                lease
                    .query(AFTER, &[(&most, Type::INT8), (&after, Type::TEXT)])
                    .await?
            }
        };
        let placed = |row: &Row| {
            let mut columns = Columns::new(TABLE, row);
            let file = read_file(&mut columns)?;
            Ok((columns.text()?, file))
        };
        let found: Vec<(String, FileMetadata)> = rows.iter().map(placed).collect::<StoreResult<_>>()?;
        let (files, next) = up_to_here(found, limit);
        Ok(FilePage { files, next })
    }

    async fn known(&self, ids: &[String]) -> StoreResult<HashSet<String>> {
        const SQL: &str = "SELECT id FROM file_metadata WHERE id = ANY($1)";
        let lease = self.db.lease("files.known").await?;
        let rows = lease.query(SQL, &[(&ids, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| Columns::new(TABLE, row).text()).collect()
    }

    async fn delete(&self, id: &str) -> StoreResult<bool> {
        const SQL: &str = "DELETE FROM file_metadata WHERE id = $1";
        let lease = self.db.lease("files.delete").await?;
        Ok(lease.execute(SQL, &[(&id, Type::TEXT)]).await? > 0)
    }
}
