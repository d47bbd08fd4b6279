//! A SQLite file as a target.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cutover_domain::transfer::catalog::{Catalog, ColumnKind};
use cutover_domain::transfer::convert::{Converter, Reject};
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::rows::{Row, RowBatch, Value};
use cutover_domain::transfer::survey::{RowJudge, rejected_row};
use cutover_ports::transfer::{
    CopySession, LedgerEntry, Position, RunStart, TableLoader, TableProgress, TransferError, TransferResult,
    TransferTarget, UnfinishedRun, Weakened,
};
use rusqlite::config::DbConfig;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};

use super::{catalog, own_tables};

/// Committed at once.
const COMMIT_BYTES: u64 = 16 * 1024 * 1024;
/// How many offenders of a foreign key are named.
const NAMED_OFFENDERS: usize = 10;

/// A SQLite file that rows are copied into; made if it is missing.
#[derive(Debug, Clone)]
pub struct SqliteTarget {
    path: PathBuf,
    busy_timeout: Duration,
}

impl SqliteTarget {
    /// Opens the file when it is used.
    pub fn new(path: &Path, busy_timeout: Duration) -> Self {
        Self {
            path: path.to_owned(),
            busy_timeout,
        }
    }

    fn open(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // Rows that break a rule are kept and told, as in the other direction.
        connection.execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = FULL;
             PRAGMA temp_store = MEMORY; SELECT count(*) FROM sqlite_schema;",
        )?;
        Ok(connection)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let this = self.clone();
        let result =
            tokio::task::spawn_blocking(move || this.open().and_then(|connection| work(&connection)));
        self.told(result.await)
    }

    fn told<T>(&self, result: Result<rusqlite::Result<T>, tokio::task::JoinError>) -> TransferResult<T> {
        result
            .map_err(|_| TransferError::Failed("a writing thread has stopped".to_owned()))?
            .map_err(|error| self.error(&error))
    }

    fn error(&self, error: &rusqlite::Error) -> TransferError {
        let path = self.path.display();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => TransferError::Unreachable(format!(
                "cannot write {path}: it is locked by another program (waited {} s)",
                self.busy_timeout.as_secs_f64()
            )),
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::NotADatabase
                | ErrorCode::DatabaseCorrupt,
            ) => TransferError::Unreachable(format!("cannot write {path}: {error}")),
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => TransferError::Unreachable(format!(
                "cannot write {path}: {error}; make room and run the same command, it goes on from where it was"
            )),
            Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig) => {
                TransferError::Data(format!("{path} refused a row: {error}"))
            }
            _ => TransferError::Failed(format!("cannot write {path}: {error}")),
        }
    }
}

#[async_trait]
impl TransferTarget for SqliteTarget {
    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        self.run(catalog::read).await
    }

    async fn open(&self) -> TransferResult<Box<dyn CopySession>> {
        let lock = self.lock()?;
        let this = self.clone();
        let connection = self.told(tokio::task::spawn_blocking(move || this.open()).await)?;
        Ok(Box::new(SqliteSession {
            target: self.clone(),
            connection: Arc::new(Mutex::new(connection)),
            _lock: lock,
        }))
    }

    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>> {
        self.run(own_tables::ledger).await
    }

    async fn set_verified(&self, entry: &LedgerEntry) -> TransferResult<()> {
        let entry = entry.clone();
        self.run(move |connection| {
            connection.execute_batch(own_tables::TABLES)?;
            own_tables::set_verified(connection, &entry)
        })
        .await
    }
}

impl SqliteTarget {
    fn lock(&self) -> TransferResult<FileLock> {
        let mut path = self.path.clone().into_os_string();
        path.push(".cutover-lock");
        let path = PathBuf::from(path);
        let cannot = |error: std::io::Error| {
            TransferError::Unreachable(format!("cannot write beside {}: {error}", self.path.display()))
        };
        loop {
            let file = std::fs::File::create(&path).map_err(cannot)?;
            match file.try_lock() {
                // Another run may have removed the file between our opening and locking it: then it is no lock any more.
                Ok(()) if same_file(&file, &path) => return Ok(FileLock { _file: file, path }),
                Ok(()) => {}
                Err(std::fs::TryLockError::WouldBlock) => {
                    return Err(TransferError::Refused(format!(
                        "another copy into {} is running; wait for it to end, then try again",
                        self.path.display()
                    )));
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    }
}

#[cfg(unix)]
fn same_file(file: &std::fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (ours, there) = (file.metadata(), std::fs::metadata(path));
    matches!((ours, there), (Ok(ours), Ok(there)) if (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn same_file(_: &std::fs::File, path: &Path) -> bool {
    path.exists()
}

/// A lock on a file beside the target, which the system takes away when the process ends in whatever way. (The target itself cannot
/// be it: closing any handle of a file takes SQLite's own locks on it away.)
struct FileLock {
    _file: std::fs::File,
    path: PathBuf,
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Still locked while it goes. If it stays, it does no harm.
        std::fs::remove_file(&self.path).unwrap_or_default();
    }
}

struct SqliteSession {
    target: SqliteTarget,
    connection: Arc<Mutex<Connection>>,
    _lock: FileLock,
}

impl SqliteSession {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let connection = Arc::clone(&self.connection);
        let result = tokio::task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        self.target.told(result.await)
    }

    async fn together(&self, statements: Vec<String>) -> TransferResult<()> {
        self.run(move |connection| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for statement in statements {
                transaction.execute_batch(&statement)?;
            }
            transaction.commit()
        })
        .await
    }
}

#[async_trait]
impl CopySession for SqliteSession {
    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>> {
        self.run(|connection| own_tables::unfinished(connection)).await
    }

    async fn occupied(&self, plan: &Plan, seeds: &[(String, String)]) -> TransferResult<Vec<(String, u64)>> {
        let tables = plan.tables.iter().filter(|table| !table.created);
        let counts: Vec<(String, String)> = tables
            .map(|table| {
                let condition = seed_condition(&table.target, seeds);
                let sql = format!(
                    "SELECT count(*) FROM {} NOT INDEXED WHERE ({condition}) IS NOT TRUE",
                    quoted(&table.target)
                );
                (table.target.clone(), sql)
            })
            .collect();
        self.run(move |connection| {
            let mut occupied = Vec::new();
            for (table, sql) in counts {
                let count: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
                if count > 0 {
                    occupied.push((table, u64::try_from(count).unwrap_or(0)));
                }
            }
            Ok(occupied)
        })
        .await
    }

    async fn start(&self, plan: &Plan, run: &RunStart) -> TransferResult<()> {
        let mut statements = vec![own_tables::TABLES.to_owned()];
        statements.extend(additions(plan));
        for table in plan.tables.iter().rev().filter(|table| !table.created) {
            let condition = if run.replace {
                "1".to_owned()
            } else {
                seed_condition(&table.target, &run.seeds)
            };
            statements.push(format!("DELETE FROM {} WHERE {condition}", quoted(&table.target)));
        }
        if self
            .run(|connection| own_tables::notes_planted_rows(connection))
            .await?
        {
            statements.push(own_tables::forget_planted(plan));
        }
        statements.extend(own_tables::start_run(plan, run));
        self.together(statements).await
    }

    async fn progress(&self, table: &str) -> TransferResult<TableProgress> {
        let table = table.to_owned();
        self.run(move |connection| own_tables::progress(connection, &table))
            .await
    }

    async fn load(
        &self,
        plan: &TablePlan,
        converter: Converter,
        duplicates: &[u64],
    ) -> TransferResult<Box<dyn TableLoader>> {
        let progress = self.progress(&plan.target).await?;
        let marks = vec!["?"; plan.columns.len()].join(", ");
        let insert = format!(
            "INSERT INTO {} ({}) VALUES ({marks})",
            quoted(&plan.target),
            quoted_list(plan.target_columns())
        );
        Ok(Box::new(SqliteLoader {
            target: self.target.clone(),
            connection: Arc::clone(&self.connection),
            work: Some(Box::new(LoadWork {
                insert,
                judge: RowJudge::new(plan, converter),
                plan: plan.clone(),
                duplicates: duplicates.to_vec(),
                progress,
                uncommitted: 0,
                open: false,
            })),
        }))
    }

    async fn relax(&self, table: &str, constraint: &str) -> TransferResult<()> {
        // None is in the way here: they are not enforced while rows are loaded.
        Err(TransferError::Failed(format!(
            "{table}: the constraint {constraint} cannot be set aside"
        )))
    }

    async fn restore(&self, plan: &Plan) -> TransferResult<Vec<Weakened>> {
        let tables: Vec<String> = plan.tables.iter().map(|table| table.target.clone()).collect();
        self.run(move |connection| broken_foreign_keys(connection, &tables))
            .await
    }

    async fn finish(&self, entries: &[LedgerEntry]) -> TransferResult<()> {
        let mut statements: Vec<String> = entries.iter().map(own_tables::note_copied).collect();
        statements.push(
            "UPDATE _cutover_copy_run SET finished_at = unixepoch() * 1000000 WHERE finished_at IS NULL"
                .to_owned(),
        );
        self.together(statements).await
    }

    async fn undo(&self, plan: &Plan) -> TransferResult<()> {
        let mut statements = Vec::new();
        for table in plan.tables.iter().rev() {
            let name = quoted(&table.target);
            if table.created {
                statements.push(format!("DROP TABLE {name}"));
                continue;
            }
            statements.push(format!("DELETE FROM {name}"));
            let added = table.columns.iter().filter(|column| column.added);
            statements.extend(
                added.map(|column| format!("ALTER TABLE {name} DROP COLUMN {}", quoted(&column.target))),
            );
        }
        statements.push(own_tables::FORGET_RUN.to_owned());
        self.together(statements).await
    }
}

fn additions(plan: &Plan) -> Vec<String> {
    let mut statements = Vec::new();
    for table in &plan.tables {
        let name = quoted(&table.target);
        let columns = table
            .columns
            .iter()
            .filter(|column| column.added)
            .filter_map(|column| {
                let ColumnKind::Sqlite { declared, .. } = column.kind.as_ref()? else {
                    return None;
                };
                let not_null = if column.not_null { " NOT NULL" } else { "" };
                Some(format!("{} {declared}{not_null}", quoted(&column.target)))
            });
        if table.created {
            let mut parts: Vec<String> = columns.collect();
            if let Some(key) = table.source.row_key() {
                parts.push(format!("PRIMARY KEY ({})", quoted_list(&key.columns)));
            }
            statements.push(format!("CREATE TABLE {name} ({})", parts.join(", ")));
        } else {
            statements.extend(columns.map(|column| format!("ALTER TABLE {name} ADD COLUMN {column}")));
        }
    }
    statements
}

fn seed_condition(table: &str, seeds: &[(String, String)]) -> String {
    let conditions: Vec<String> = seeds
        .iter()
        .filter(|(seeded, _)| seeded == table)
        .map(|(_, condition)| format!("({condition})"))
        .collect();
    if conditions.is_empty() {
        "0".to_owned()
    } else {
        conditions.join(" OR ")
    }
}

/// The rows whose parents are missing, by foreign key.
fn broken_foreign_keys(connection: &Connection, tables: &[String]) -> rusqlite::Result<Vec<Weakened>> {
    let catalog = catalog::read(connection)?;
    let mut weakened: Vec<Weakened> = Vec::new();
    for table in tables {
        let found = catalog.table(table);
        let mut statement = connection.prepare("SELECT rowid, fkid FROM pragma_foreign_key_check(?1)")?;
        let mut rows = statement.query([table])?;
        while let Some(row) = rows.next()? {
            let number = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX - 1);
            // Numbered from the last written to the first.
            let keys = found
                .map(|table| table.foreign_keys.as_slice())
                .unwrap_or_default();
            let key = keys.len().checked_sub(number + 1).and_then(|at| keys.get(at));
            let sql = key.map_or_else(String::new, |key| {
                format!(
                    "FOREIGN KEY ({}) REFERENCES {} ({})",
                    key.columns.join(", "),
                    key.parent,
                    key.parent_columns.join(", ")
                )
            });
            let name = key
                .and_then(|key| key.name.clone())
                .unwrap_or_else(|| sql.clone());
            let known = weakened
                .iter()
                .position(|entry| entry.table == *table && entry.constraint == name);
            let at = known.unwrap_or(weakened.len());
            if known.is_none() {
                let table = table.clone();
                weakened.push(Weakened {
                    table,
                    constraint: name,
                    sql,
                    rows: 0,
                    keys: vec![],
                });
            }
            let Some(entry) = weakened.get_mut(at) else {
                continue;
            };
            entry.rows += 1;
            if entry.keys.len() < NAMED_OFFENDERS {
                let rowid: Option<i64> = row.get(0)?;
                entry.keys.extend(rowid.map(|rowid| format!("rowid {rowid}")));
            }
        }
    }
    Ok(weakened)
}

struct SqliteLoader {
    target: SqliteTarget,
    connection: Arc<Mutex<Connection>>,
    /// None after an error: the transaction is undone, and there is nothing to go on with.
    work: Option<Box<LoadWork>>,
}

struct LoadWork {
    insert: String,
    judge: RowJudge,
    plan: TablePlan,
    duplicates: Vec<u64>,
    progress: TableProgress,
    uncommitted: u64,
    open: bool,
}

impl SqliteLoader {
    async fn run(
        &mut self,
        step: impl FnOnce(&mut LoadWork, &Connection) -> rusqlite::Result<()> + Send + 'static,
    ) -> TransferResult<TableProgress> {
        let Some(mut work) = self.work.take() else {
            return Err(TransferError::Failed("this load has failed before".to_owned()));
        };
        let connection = Arc::clone(&self.connection);
        let result = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = step(&mut work, &connection);
            if outcome.is_err() && !connection.is_autocommit() {
                // The first error is the one to tell.
                drop(connection.execute_batch("ROLLBACK"));
            }
            outcome.map(|()| work)
        });
        let work = self.target.told(result.await)?;
        let progress = work.progress;
        self.work = Some(work);
        Ok(progress)
    }
}

#[async_trait]
impl TableLoader for SqliteLoader {
    async fn write(&mut self, batch: RowBatch) -> TransferResult<()> {
        let write = move |work: &mut LoadWork, connection: &Connection| {
            work.begin(connection)?;
            work.write(connection, &batch)?;
            if work.uncommitted >= COMMIT_BYTES {
                work.commit(connection)
            } else {
                Ok(())
            }
        };
        self.run(write).await.map(drop)
    }

    async fn finish(&mut self) -> TransferResult<TableProgress> {
        self.run(|work, connection| {
            work.begin(connection)?;
            work.progress.done = true;
            work.commit(connection)
        })
        .await
    }
}

impl LoadWork {
    fn begin(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.open {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            self.open = true;
        }
        Ok(())
    }

    fn write(&mut self, connection: &Connection, batch: &RowBatch) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(&self.insert)?;
        for row in batch.rows() {
            let refused = match self.duplicates.binary_search(&row.ordinal()) {
                Ok(_) => Some((
                    self.plan
                        .unproven_keys
                        .iter()
                        .flatten()
                        .next()
                        .copied()
                        .unwrap_or(0),
                    Reject::DuplicateKey,
                )),
                Err(_) => self.judge.judge(batch, row, &mut Vec::new(), |_, _| {}).err(),
            };
            match refused {
                None => {
                    statement.execute(params_from_iter(row.values().map(Bound)))?;
                    self.progress.written += 1;
                }
                Some((column, reject)) => {
                    self.quarantine(connection, row, column, reject)?;
                    self.progress.rejected += 1;
                }
            }
            self.progress.position = Position {
                rows: row.ordinal() + 1,
                rowid: row.rowid(),
            };
        }
        self.progress.bytes += batch.size();
        self.uncommitted += batch.size();
        Ok(())
    }

    fn quarantine(
        &self,
        connection: &Connection,
        row: Row<'_>,
        column: usize,
        reject: Reject,
    ) -> rusqlite::Result<()> {
        let named = rejected_row(&self.plan, row, column, reject);
        own_tables::quarantine(connection, &self.plan, row, &named)
    }

    fn commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        own_tables::set_progress(connection, &self.plan.target, &self.progress)?;
        connection.execute_batch("COMMIT")?;
        self.uncommitted = 0;
        self.open = false;
        Ok(())
    }
}

/// A value as a parameter: text by its bytes, whatever they are.
pub(super) struct Bound<'a>(pub(super) Value<'a>);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(value),
            Value::Real(value) => ValueRef::Real(value),
            Value::Text(bytes) => ValueRef::Text(bytes),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
