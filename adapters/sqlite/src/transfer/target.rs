//! A SQLite file as a target.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_domain::transfer::back;
use cutover_domain::transfer::catalog::{
    Catalog, ColumnKind, Origin, OriginObject, PgKind, Table, TreeBound,
};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::outcome::Reject;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::rows::{Row, RowBatch};
use cutover_domain::transfer::schema::{Schema, Step, Weakened};
use cutover_domain::transfer::survey::{RejectedRow, RowJudge, rejected_row};
use cutover_domain::transfer::value::Value;
use cutover_ports::transfer::{
    COUNTED_ROWS, Care, CopySession, LedgerEntry, LoadPart, Position, RunStart, TableLoader, TableProgress,
    TransferError, TransferResult, TransferTarget, UnfinishedRun, seed_condition,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params_from_iter};

use super::bound::Bound;
use super::{catalog, collations, named, own_tables, remade};

/// Committed at once.
const COMMIT_BYTES: u64 = 16 * 1024 * 1024;
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

    /// A file of SQLite's own, which nobody else can see and which is gone when its copy ends.
    pub fn scratch(busy_timeout: Duration) -> Self {
        Self::new(Path::new(""), busy_timeout)
    }

    fn is_scratch(&self) -> bool {
        self.path.as_os_str().is_empty()
    }

    fn name(&self) -> String {
        if self.is_scratch() {
            "a SQLite file".to_owned()
        } else {
            self.path.display().to_string()
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
        collations::stand_in_for_all(&connection)?;
        Ok(connection)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        self.run_on(false, work).await
    }

    /// Runs `work` on the file, or on an empty database that is none of it.
    async fn run_on<T: Send + 'static>(
        &self,
        nothing: bool,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let this = self.clone();
        let open = move || {
            if nothing {
                Connection::open_in_memory()
            } else {
                this.open()
            }
        };
        let result = tokio::task::spawn_blocking(move || open().and_then(|connection| work(&connection)));
        self.told(result.await)
    }

    fn told<T>(&self, result: Result<rusqlite::Result<T>, tokio::task::JoinError>) -> TransferResult<T> {
        result
            .map_err(|_| TransferError::Failed("a writing thread has stopped".to_owned()))?
            .map_err(|error| self.error(&error))
    }

    fn error(&self, error: &rusqlite::Error) -> TransferError {
        let path = self.name();
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
            _ if is_about_a_row(error) => TransferError::Data {
                row: format!("a row for {path}"),
                message: error.to_string(),
            },
            _ => TransferError::Failed(format!("cannot write {path}: {error}")),
        }
    }
}

#[async_trait]
impl TransferTarget for SqliteTarget {
    fn describe(&self) -> String {
        self.name()
    }

    async fn catalog(&self, origin: Option<&Origin>) -> TransferResult<(Catalog, HashSet<String>)> {
        let origin = origin.cloned();
        let path = self.path.clone();
        // Looking must not leave an empty file behind.
        let missing = !path.exists();
        self.run_on(missing, move |connection| {
            // An empty file tells nothing of how it will store text.
            if let Some(origin) = &origin {
                shape_file(connection, &origin.settings, &["encoding"])?;
            }
            let mut catalog = catalog::read(connection)?;
            let mut absent = HashSet::new();
            for table in origin.iter().flat_map(as_it_will_be) {
                if catalog.table(&table.name).is_none() {
                    absent.insert(table.name.clone());
                    catalog.tables.push(table);
                }
            }
            Ok((catalog, absent))
        })
        .await
    }

    async fn open(&self, rehearsal: bool) -> TransferResult<Arc<dyn CopySession>> {
        let lock = if self.is_scratch() {
            None
        } else {
            Some(self.lock()?)
        };
        let this = self.clone();
        let made = !self.path.exists();
        let open = move || {
            let connection = this.open()?;
            if rehearsal {
                connection.execute_batch("BEGIN IMMEDIATE")?;
            }
            Ok(connection)
        };
        let connection = self.told(tokio::task::spawn_blocking(open).await)?;
        Ok(Arc::new(SqliteSession {
            target: self.clone(),
            connection: Arc::new(Mutex::new(connection)),
            undone: Arc::default(),
            bracket: if rehearsal { REHEARSAL } else { TRANSACTION },
            rehearsal,
            trace: made.then(|| Trace {
                path: self.path.clone(),
                spoilt: AtomicBool::new(false),
            }),
            _lock: lock,
        }))
    }

    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>> {
        self.run(own_tables::ledger).await
    }

    async fn set_verified(&self, entries: &[LedgerEntry]) -> TransferResult<()> {
        let entries = entries.to_vec();
        self.run(move |connection| {
            bracketed(connection, TRANSACTION, |connection| {
                connection.execute_batch(own_tables::TABLES)?;
                let mut entries = entries.iter();
                entries.try_for_each(|entry| own_tables::set_verified(connection, entry))
            })
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

/// How statements are held together: as a transaction, or within the one transaction of a rehearsal, which is never committed.
#[derive(Debug, Clone, Copy)]
struct Bracket {
    begin: &'static str,
    commit: &'static str,
    rollback: &'static str,
}

const TRANSACTION: Bracket = Bracket {
    begin: "BEGIN IMMEDIATE",
    commit: "COMMIT",
    rollback: "ROLLBACK",
};

const REHEARSAL: Bracket = Bracket {
    begin: "SAVEPOINT cutover",
    commit: "RELEASE cutover",
    rollback: "ROLLBACK TO cutover; RELEASE cutover",
};

/// The file that a run has made by opening it: it goes again if nothing was written to it, or if all that was is taken back.
struct Trace {
    path: PathBuf,
    spoilt: AtomicBool,
}

impl Drop for Trace {
    fn drop(&mut self) {
        let is_empty = || std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() == 0);
        if self.spoilt.load(Ordering::Relaxed) || is_empty() {
            std::fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

struct SqliteSession {
    target: SqliteTarget,
    /// Closed before the trace is looked for, and both before the lock is released.
    connection: Arc<Mutex<Connection>>,
    /// Whether the run was undone: a step of a load that was broken off may still wait for the connection.
    undone: Arc<AtomicBool>,
    bracket: Bracket,
    rehearsal: bool,
    trace: Option<Trace>,
    _lock: Option<FileLock>,
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

    /// Nothing of the run is in the file any more.
    fn spoil(&self) {
        if let Some(trace) = &self.trace {
            trace.spoilt.store(true, Ordering::Relaxed);
        }
    }

    async fn together(&self, statements: Vec<String>) -> TransferResult<()> {
        let bracket = self.bracket;
        self.run(move |connection| {
            bracketed(connection, bracket, |connection| {
                statements.iter().try_for_each(|statement| {
                    collations::stand_in(connection, statement)?;
                    connection.execute_batch(statement)
                })
            })
        })
        .await
    }
}

/// Whether SQLite refuses a row, and nothing but it.
fn is_about_a_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}

/// Runs `work` as one.
fn bracketed<T>(
    connection: &Connection,
    bracket: Bracket,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch(bracket.begin)?;
    let outcome = work(connection).and_then(|done| connection.execute_batch(bracket.commit).map(|()| done));
    if outcome.is_err() && !connection.is_autocommit() {
        // The first error is the one to tell.
        drop(connection.execute_batch(bracket.rollback));
    }
    outcome
}

/// The tables that an origin will make, as they are while rows are loaded: loose ones, where they can be read under their own text
/// afterwards. What cannot be made here (a module that is not there) is left out.
fn as_it_will_be(origin: &Origin) -> Vec<Table> {
    let Ok(connection) = Connection::open_in_memory() else {
        return vec![];
    };
    for object in origin.objects.iter().filter(|object| object.kind == "table") {
        if !ddl::is_one_create(&object.sql) || comes_with_its_index(origin, object) {
            continue;
        }
        let made = ddl::loosened(&object.sql)
            .filter(|loose| reads_as(&object.name, loose, &object.sql).is_ok())
            .unwrap_or_else(|| object.sql.clone());
        // One that cannot be made is none that will be.
        let make = || {
            collations::stand_in(&connection, &made)?;
            connection.execute_batch(&made)
        };
        drop(make());
    }
    catalog::read(&connection).map_or_else(|_| vec![], |catalog| catalog.tables)
}

/// Makes a table by one text and reads it by another, in a database of its own: both have the same columns and keys.
fn reads_as(name: &str, loose: &str, sql: &str) -> rusqlite::Result<()> {
    let connection = Connection::open_in_memory()?;
    collations::stand_in(&connection, sql)?;
    connection.execute_batch(loose)?;
    give_texts(&connection, &[(name.to_owned(), sql.to_owned())])
}

/// Writes to the schema itself, which is read anew then, by whoever else has the file open too.
fn writing_schema(
    connection: &Connection,
    write: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")?;
    let written = write().and_then(|()| {
        let version: i64 = connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        connection.execute_batch(&format!("PRAGMA schema_version = {}", version + 1))
    });
    connection.execute_batch("PRAGMA writable_schema = RESET")?;
    written
}

/// Gives tables the text that they are to be read by from now on.
fn give_texts(connection: &Connection, texts: &[(String, String)]) -> rusqlite::Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    writing_schema(connection, || {
        let sql = "UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1";
        let mut statement = connection.prepare(sql)?;
        let mut texts = texts.iter();
        texts.try_for_each(|(name, text)| statement.execute([name, text]).map(drop))
    })?;
    texts.iter().try_for_each(|(name, _)| {
        let sql = format!("SELECT * FROM {} LIMIT 0", quoted(name));
        connection.prepare(&sql).map(drop)
    })
}

/// Gives loose tables their own text back. Told is which tables could not be made by it.
fn tighten(
    connection: &Connection,
    origin: &Origin,
    tables: &[TablePlan],
) -> rusqlite::Result<Vec<Weakened>> {
    let mut texts = Vec::new();
    let mut weakened = Vec::new();
    for object in origin.objects.iter().filter(|object| object.kind == "table") {
        let Some(table) = tables.iter().find(|table| table.target == object.name) else {
            continue;
        };
        let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        let made: Option<String> = connection
            .query_row(sql, [&object.name], |row| row.get(0))
            .optional()?;
        let is_made = |text: &str| made.as_ref().is_none_or(|made| made == text);
        let is_loose = |text: &str| {
            let loose = ddl::loosened(text);
            loose.is_some_and(|loose| made.as_ref().is_some_and(|made| ddl::alike(&loose, made)))
        };
        let reason = match remade::text(origin, table) {
            Some(Ok(text)) if is_made(&text) => None,
            Some(Ok(text)) if is_loose(&text) => {
                texts.push((object.name.clone(), text));
                None
            }
            Some(Ok(_)) if is_by_definition(table) => Some("made by another text than its own".to_owned()),
            Some(Err(error)) => Some(format!(
                "made of the columns and keys that PostgreSQL has, because SQLite does not make it without what is gone there: {error}"
            )),
            _ if is_made(&object.sql) => None,
            _ => why_not(&object.sql).map(|reason| {
                format!("made of its columns and its key only, because SQLite does not make it: {reason}")
            }),
        };
        weakened.extend(reason.map(|reason| Weakened {
            table: object.name.clone(),
            constraint: object.name.clone(),
            sql: object.sql.clone(),
            reason,
            ..Weakened::default()
        }));
    }
    give_texts(connection, &texts)?;
    Ok(weakened)
}

/// Why a table cannot be made by its own text; none if it can.
fn why_not(sql: &str) -> Option<String> {
    let make = || {
        let connection = Connection::open_in_memory()?;
        collations::stand_in(&connection, sql)?;
        connection.execute_batch(sql)
    };
    make().err().map(|error: rusqlite::Error| error.to_string())
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
                let condition = seed_condition(&table.target, seeds).unwrap_or_else(|| "0".to_owned());
                let sql = format!(
                    "SELECT count(*) FROM (SELECT 1 FROM {} NOT INDEXED WHERE ({condition}) IS NOT TRUE LIMIT {COUNTED_ROWS})",
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

    async fn start(&self, plan: &Plan, _: &Schema, run: &RunStart) -> TransferResult<()> {
        if let Some(origin) = &plan.origin {
            let settings = origin.settings.clone();
            // A file that tells how it is vacuumed has its first page, and the size of all others.
            let names = ["encoding", "page_size", "auto_vacuum"];
            self.run(move |connection| shape_file(connection, &settings, &names))
                .await?;
        }
        let mut statements = vec![own_tables::TABLES.to_owned()];
        let existing = plan.tables.iter().filter(|table| !table.created);
        statements.extend(existing.filter_map(|table| {
            let condition = seed_condition(&table.target, &run.seeds)?;
            Some(own_tables::keep_seeds_of(&table.target, &condition))
        }));
        let dropped = run.dropped.iter();
        statements.extend(dropped.map(|table| format!("DROP TABLE IF EXISTS {}", quoted(table))));
        statements.extend(additions(plan)?);
        for table in plan.tables.iter().rev().filter(|table| !table.created) {
            let condition = if run.replace {
                Some("1".to_owned())
            } else {
                seed_condition(&table.target, &run.seeds).filter(|_| run.loads)
            };
            let delete = |condition| format!("DELETE FROM {} WHERE {condition}", quoted(&table.target));
            statements.extend(condition.map(delete));
        }
        if self
            .run(|connection| own_tables::notes_planted_rows(connection))
            .await?
        {
            statements.push(own_tables::forget_planted(plan));
        }
        statements.extend(own_tables::start_run(plan, run));
        self.together(statements).await.inspect_err(|_| self.spoil())
    }

    async fn progress(&self, table: &str, _: u32) -> TransferResult<TableProgress> {
        let table = table.to_owned();
        self.run(move |connection| own_tables::progress(connection, &table))
            .await
    }

    async fn load(
        &self,
        plan: &TablePlan,
        part: LoadPart,
        converter: Converter,
        duplicates: &[u64],
        care: Care,
    ) -> TransferResult<Box<dyn TableLoader>> {
        let progress = self.progress(&plan.target, part.number).await?;
        let table = plan.target.clone();
        let is_rtree = self.run(move |connection| is_rtree(connection, &table)).await?;
        let insert = insert(plan, |_| false);
        Ok(Box::new(SqliteLoader {
            target: self.target.clone(),
            connection: Arc::clone(&self.connection),
            undone: Arc::clone(&self.undone),
            work: Some(Box::new(LoadWork {
                insert,
                zone: converter.zone.clone(),
                judge: RowJudge::new(plan, converter),
                without_zone: without_zone(plan),
                plan: plan.clone(),
                duplicates: duplicates.to_vec(),
                progress,
                uncommitted: 0,
                bracket: self.bracket,
                open: false,
                care,
                kept: is_rtree.then(|| Kept::new(plan)),
                refused: Vec::new(),
                computed: vec![0; plan.columns.len()],
            })),
        }))
    }

    async fn make(&self, _: &Step, _: &Plan) -> TransferResult<Option<Weakened>> {
        // What a table of SQLite has is made with it, the rest when the run ends.
        Ok(None)
    }

    async fn relax(&self, table: &str, constraint: &str) -> TransferResult<()> {
        // None is in the way here: they are not enforced while rows are loaded.
        Err(TransferError::Failed(format!(
            "{table}: the constraint {constraint} cannot be set aside"
        )))
    }

    async fn restore(&self, plan: &Plan) -> TransferResult<Vec<Weakened>> {
        // Those that are still loose compare other values; they are looked at when they have their own text.
        let tables = names(plan, |table| !is_by_definition(table));
        self.run(move |connection| broken_foreign_keys(connection, &tables))
            .await
    }

    async fn analyze(&self, _: &str) -> TransferResult<()> {
        // SQLite plans without figures unless somebody asks for them; where somebody has, the run's end does.
        Ok(())
    }

    async fn finish(&self, plan: &Plan, entries: &[LedgerEntry]) -> TransferResult<Vec<Weakened>> {
        let mut weakened = Vec::new();
        if let Some(origin) = plan.origin.clone() {
            let tables = plan.tables.clone();
            let made = names(plan, is_by_definition);
            let bracket = self.bracket;
            weakened = self
                .run(move |connection| {
                    bracketed(connection, bracket, |connection| {
                        let mut weakened = tighten(connection, &origin, &tables)?;
                        weakened.extend(complete(connection, &origin, &tables)?);
                        weakened.extend(broken_foreign_keys(connection, &made)?);
                        weakened.extend(remade::broken_rules(connection, &tables)?);
                        for table in &made {
                            weakened.extend(collations::out_of_order(connection, table)?);
                        }
                        let mut settings = origin.settings.iter();
                        if let Some((_, figures)) = settings.find(|(name, _)| name == catalog::ANALYZED) {
                            weakened.extend(count_anew(connection, figures)?);
                        }
                        Ok(weakened)
                    })
                })
                .await?;
        }
        let mut statements: Vec<String> = entries.iter().map(own_tables::note_copied).collect();
        statements.push(
            "UPDATE _cutover_copy_run SET finished_at = unixepoch() * 1000000 WHERE finished_at IS NULL"
                .to_owned(),
        );
        let bracket = self.bracket;
        self.run(move |connection| {
            bracketed(connection, bracket, |connection| {
                own_tables::forget_seeds(connection)?;
                let mut statements = statements.iter();
                statements.try_for_each(|statement| connection.execute_batch(statement))
            })
        })
        .await?;
        if wants_wal(plan) {
            self.run(|connection| {
                // Not within a rehearsal's transaction.
                if connection.is_autocommit() {
                    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(weakened)
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
        let existing = names(plan, |table| !table.created);
        let (rehearsal, undone) = (self.rehearsal, Arc::clone(&self.undone));
        self.run(move |connection| {
            undone.store(true, Ordering::Relaxed);
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            if rehearsal {
                // That was all of it.
                return connection.execute_batch("BEGIN IMMEDIATE");
            }
            bracketed(connection, TRANSACTION, |connection| {
                let mut statements = statements.iter();
                statements.try_for_each(|statement| connection.execute_batch(statement))?;
                let mut existing = existing.iter();
                existing.try_for_each(|table| own_tables::put_seeds_back(connection, table))?;
                own_tables::forget_seeds(connection)
            })
        })
        .await
        .map(|()| self.spoil())
    }
}

/// The names of those tables of a plan.
fn names(plan: &Plan, those: impl Fn(&TablePlan) -> bool) -> Vec<String> {
    let tables = plan.tables.iter().filter(|table| those(table));
    tables.map(|table| table.target.clone()).collect()
}

/// Whether a table is made by what its origin knows of it.
fn is_by_definition(table: &TablePlan) -> bool {
    table.created && table.definition.is_some()
}

/// Gives a file that holds nothing yet the form that can only be given then: of its settings those of these names, in this order.
fn shape_file(
    connection: &Connection,
    settings: &[(String, String)],
    names: &[&str],
) -> rusqlite::Result<()> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    if pages > 0 || !connection.is_autocommit() {
        return Ok(());
    }
    for name in names {
        let value = settings.iter().find(|(setting, _)| setting == name);
        if let Some((_, value)) = value.filter(|(_, value)| is_word(value)) {
            connection.execute_batch(&format!("PRAGMA {name} = '{value}'"))?;
        }
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether all tables of rows that an origin has are copied.
fn is_whole(origin: &Origin, tables: &[TablePlan]) -> bool {
    let known = origin.objects.iter().filter(|object| object.kind == "table");
    let mut known = known.filter(|object| ddl::module(&object.sql).is_none());
    known.all(|object| tables.iter().any(|table| table.target == object.name))
}

/// Whether a file that is made comes from one in WAL mode, and is all of it.
fn wants_wal(plan: &Plan) -> bool {
    let is_wal = |(name, value): &(String, String)| name == "journal_mode" && value == "wal";
    let is_from_wal = |origin: &Origin| origin.settings.iter().any(is_wal) && is_whole(origin, &plan.tables);
    plan.tables.iter().all(|table| table.created) && plan.origin.as_ref().is_some_and(is_from_wal)
}

/// Makes what an origin has beside tables of rows: indexes, views, triggers, full-text indexes over other tables; and sets what
/// AUTOINCREMENT goes on from. `tables` are those that were copied.
fn complete(
    connection: &Connection,
    origin: &Origin,
    tables: &[TablePlan],
) -> rusqlite::Result<Vec<Weakened>> {
    let (mut weakened, mut unmade) = (Vec::new(), Vec::new());
    let planned: HashSet<&str> = tables.iter().map(|table| table.target.as_str()).collect();
    let has_all_columns = tables.iter().all(|table| table.gone.is_empty());
    let there = |kind: &str, name: &str| {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE type = ?1 AND name = ?2";
        connection.query_row(sql, [kind, name], |row| Ok(row.get::<_, i64>(0)? > 0))
    };
    let whole = is_whole(origin, tables);
    let (useless, with_rows) = if whole && has_all_columns {
        (HashSet::new(), vec![])
    } else {
        (remade::useless(connection, origin)?, as_it_will_be(origin))
    };
    // A column that is gone must not become a string because of its quotes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, has_all_columns)?;
    for object in &origin.objects {
        let is_virtual = object.kind == "table" && ddl::module(&object.sql).is_some();
        let wanted = match object.kind.as_str() {
            "index" | "trigger" => planned.contains(object.table.as_str()) || whole,
            // Tables of rows were made before; what is left are virtual ones that hold none of their own.
            "table" => is_virtual,
            _ => true,
        };
        // One with rows of its own was not copied.
        let wanted = wanted && !(is_virtual && with_rows.iter().any(|table| table.name == object.name));
        if !wanted || there(&object.kind, &object.name)? || !ddl::is_one_create(&object.sql) {
            continue;
        }
        let not_made = |reason: &str| Weakened {
            table: object.table.clone(),
            constraint: object.name.clone(),
            sql: object.sql.clone(),
            reason: format!("not made: {reason}"),
            ..Weakened::default()
        };
        if (is_virtual && !whole) || useless.contains(&object.name) {
            weakened.push(not_made(
                "it needs tables or columns of the file that did not come with it",
            ));
            continue;
        }
        if is_virtual && comes_with_its_index(origin, object) {
            unmade.push(object);
            continue;
        }
        collations::stand_in(connection, &object.sql)?;
        if let Err(error) = connection.execute_batch(&object.sql) {
            if is_virtual {
                unmade.push(object);
            } else {
                let (rows, keys) = if is_about_a_row(&error) {
                    doubles(connection, object)?
                } else {
                    (0, vec![])
                };
                weakened.push(Weakened {
                    rows,
                    keys,
                    ..not_made(&error.to_string())
                });
            }
        } else if is_virtual && let Some(reason) = why_empty(connection, object) {
            weakened.push(Weakened {
                reason: format!("it is empty, and the application must fill it: {reason}"),
                ..not_made("")
            });
        }
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, true)?;
    enter(connection, &unmade)?;
    weakened.extend(remade::dangling(connection, origin, tables)?);
    for (table, last) in &origin.sequences {
        if planned.contains(table.as_str()) && there("table", "sqlite_sequence")? {
            connection.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [table])?;
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)",
                rusqlite::params![table, last],
            )?;
        }
    }
    for (name, value) in origin.settings.iter().filter(|_| whole) {
        if matches!(name.as_str(), "user_version" | "application_id") && value.parse::<i32>().is_ok() {
            connection.execute_batch(&format!("PRAGMA {name} = {value}"))?;
        }
    }
    Ok(weakened)
}

/// The rows because of which a unique index cannot be made.
fn doubles(connection: &Connection, index: &OriginObject) -> rusqlite::Result<(u64, Vec<String>)> {
    let catalog = catalog::read(connection)?;
    match catalog.table(&index.table) {
        Some(table) => named::doubles(connection, table, &index.sql),
        None => Ok((0, vec![])),
    }
}

/// Whether the tables that a full-text index is kept in are tables of rows here: it is entered over them, and answers as it did.
fn comes_with_its_index(origin: &Origin, object: &OriginObject) -> bool {
    catalog::index_table(&object.name, &object.sql).is_some_and(|index| {
        let mut objects = origin.objects.iter();
        objects.any(|other| other.kind == "table" && other.name.eq_ignore_ascii_case(&index))
    })
}

/// Fills a full-text index that was made over other rows. Told is why that cannot be done.
fn why_empty(connection: &Connection, object: &OriginObject) -> Option<String> {
    let content = catalog::content_elsewhere(&object.sql)?;
    if content.is_empty() {
        return Some("its texts are kept nowhere".to_owned());
    }
    let name = quoted(&object.name);
    let rebuild = format!("INSERT INTO {name} ({name}) VALUES ('rebuild')");
    connection
        .execute_batch(&rebuild)
        .err()
        .map(|error| error.to_string())
}

/// Enters virtual tables in the schema that only the application's own modules and functions can open, as they were entered at their origin:
/// what they keep their rows in is there.
fn enter(connection: &Connection, tables: &[&OriginObject]) -> rusqlite::Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    writing_schema(connection, || {
        let sql =
            "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?1, ?1, 0, ?2)";
        let mut statement = connection.prepare(sql)?;
        let mut tables = tables.iter();
        tables.try_for_each(|table| statement.execute([&table.name, &table.sql]).map(drop))
    })
}

/// Makes the figures anew that SQLite's planner goes by, up to the table `figures`; the rows that they were made of may be others by now. Told is
/// why that cannot be done.
fn count_anew(connection: &Connection, figures: &str) -> rusqlite::Result<Option<Weakened>> {
    if let Err(error) = connection.execute_batch("ANALYZE") {
        return Ok(Some(Weakened {
            table: "sqlite_stat1".to_owned(),
            constraint: "sqlite_stat1".to_owned(),
            sql: "ANALYZE".to_owned(),
            reason: format!("not made: {error}"),
            ..Weakened::default()
        }));
    }
    if figures != "sqlite_stat4" {
        connection.execute_batch("DROP TABLE IF EXISTS sqlite_stat4")?;
    }
    let sql = "SELECT name FROM sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4')";
    let mut statement = connection.prepare(sql)?;
    let figures: Vec<String> = statement
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for table in figures {
        for own in own_tables::present(connection)? {
            connection.execute(&format!("DELETE FROM {table} WHERE tbl = ?1"), [own])?;
        }
    }
    Ok(None)
}

/// The statements that make what the target lacks; refused if a column of the source would be lost.
fn additions(plan: &Plan) -> TransferResult<Vec<String>> {
    let mut statements = Vec::new();
    // In the order in which they once were made.
    let objects = plan.origin.iter().flat_map(|origin| &origin.objects);
    let order: Vec<&str> = objects.map(|object| object.name.as_str()).collect();
    let mut tables: Vec<&TablePlan> = plan.tables.iter().collect();
    tables.sort_by_key(|table| order.iter().position(|name| *name == table.target));
    for table in tables {
        if !table.created {
            let name = quoted(&table.target);
            let columns = remade::added_columns(table);
            statements.extend(columns.map(|column| format!("ALTER TABLE {name} ADD COLUMN {column}")));
            continue;
        }
        let statement = statement(plan, table);
        if let Some(column) = remade::lost_column(table, &statement) {
            return Err(TransferError::Refused(format!(
                "the table {} would come back without its column {column}, for SQLite does not make it by its text without what is gone there; \
                 give it back the columns that PostgreSQL has no more, drop {column} as well, or leave the table out (--exclude {})",
                table.source.name, table.source.name
            )));
        }
        statements.push(statement);
    }
    Ok(statements)
}

/// The statement that makes a table.
fn statement(plan: &Plan, table: &TablePlan) -> String {
    let definition = table.definition.as_ref();
    if let Some(definition) = definition.filter(|sql| remade::is_altered(table) || ddl::is_one_create(sql)) {
        let text = plan
            .origin
            .as_ref()
            .and_then(|origin| remade::text(origin, table));
        match text {
            Some(Ok(text)) if text == *definition => loose_or(table, text),
            Some(Err(_)) => back::create_table(table),
            Some(Ok(_)) | None => definition.clone(),
        }
    } else {
        back::create_table(table)
    }
}

/// The loose form of a table's text, if the table can be read by that text afterwards.
fn loose_or(table: &TablePlan, text: String) -> String {
    let loose = ddl::loosened(&text).filter(|loose| reads_as(&table.target, loose, &text).is_ok());
    loose.unwrap_or(text)
}

/// The rows whose parents are missing, by foreign key.
fn broken_foreign_keys(connection: &Connection, tables: &[String]) -> rusqlite::Result<Vec<Weakened>> {
    let catalog = catalog::read(connection)?;
    let mut weakened: Vec<Weakened> = Vec::new();
    for table in tables {
        // One that was not made yet has no rows.
        let Some(found) = catalog.table(table) else {
            continue;
        };
        let mut statement = connection.prepare("SELECT rowid, fkid FROM pragma_foreign_key_check(?1)")?;
        let mut rows = statement.query([table])?;
        loop {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => break,
                // One that refers to no key cannot be checked, here as at its origin.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => break,
                Err(error) => return Err(error),
            };
            let number = usize::try_from(row.get::<_, i64>(1)?).unwrap_or(usize::MAX - 1);
            // Numbered from the last written to the first.
            let keys = found.foreign_keys.as_slice();
            let key = keys.len().checked_sub(number + 1).and_then(|at| keys.get(at));
            let sql = key.map_or_else(String::new, remade::foreign_key_text);
            let name = key
                .and_then(|key| key.name.clone())
                .unwrap_or_else(|| sql.clone());
            let known = weakened
                .iter()
                .position(|entry| entry.table == *table && entry.constraint == name);
            let at = known.unwrap_or(weakened.len());
            if known.is_none() {
                let rowid: Option<i64> = row.get(0)?;
                let keys = match key.filter(|_| rowid.is_none()) {
                    Some(key) => named::orphans(connection, found, key),
                    None => vec![],
                };
                let parent = key.filter(|key| catalog.table(&key.parent).is_none());
                weakened.push(Weakened {
                    table: table.clone(),
                    constraint: name,
                    sql,
                    rows: 0,
                    keys,
                    reason: match parent {
                        Some(key) => format!(
                            "rows break it, as they are in the source: there is no table {}",
                            key.parent
                        ),
                        None => {
                            "rows break it, as they are in the source: their parents are missing".to_owned()
                        }
                    },
                });
            }
            let Some(entry) = weakened.get_mut(at) else {
                continue;
            };
            entry.rows += 1;
            if entry.keys.len() < named::NAMED {
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
    undone: Arc<AtomicBool>,
    /// None after an error: the transaction is undone, and there is nothing to go on with.
    work: Option<Box<LoadWork>>,
}

struct LoadWork {
    insert: String,
    judge: RowJudge,
    /// The columns whose instants are written without a zone.
    without_zone: Vec<bool>,
    /// The zone that they are meant in.
    zone: LegacyZone,
    plan: TablePlan,
    duplicates: Vec<u64>,
    progress: TableProgress,
    uncommitted: u64,
    bracket: Bracket,
    open: bool,
    care: Care,
    /// For a table that may keep other values than it is given.
    kept: Option<Kept>,
    /// Rows that the file refused and that were kept apart.
    refused: Vec<RejectedRow>,
    /// By column of the plan in how many rows it was NULL, and the file computes another value.
    computed: Vec<u64>,
}

/// Why a step of a load ended.
enum Stopped {
    Sqlite(rusqlite::Error),
    /// A row that the file refuses, or the end of the whole run.
    Told(TransferError),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What became of a row.
enum Inserted {
    /// It is there; these columns of it were left to the file.
    AsComputed(Vec<usize>),
    /// Nothing of it is.
    Refused(Refusal),
}

/// What a row says of a column that the file computes: the value it is computed to.
const SAME: i64 = 1;
/// Nothing.
const LEFT: i64 = 2;

/// Why the file does not take a row as it is.
struct Refusal {
    /// Its place among the table's columns, if it is about one.
    column: Option<usize>,
    message: String,
}

/// The statements that find a row that is not kept as it was written, and take it away again. An R-Tree's numbers have 32 bits, and it
/// refuses none that have more. Bounds that it rounds are as good as what the application would have written there.
struct Kept {
    differs: String,
    delete: String,
    /// Which columns are bounds that it may round.
    bounds: Vec<bool>,
}

impl Kept {
    fn new(plan: &TablePlan) -> Self {
        let columns = plan.target_columns();
        let same: Vec<String> = columns
            .iter()
            .map(|column| format!("{} IS ?", quoted(column)))
            .collect();
        let (same, kept, table) = (same.join(", "), quoted_list(columns), quoted(&plan.target));
        Self {
            differs: format!("SELECT {same}, {kept} FROM {table} WHERE rowid = ?"),
            delete: format!("DELETE FROM {table} WHERE rowid = ?"),
            bounds: plan.columns.iter().map(|column| column.bound.is_some()).collect(),
        }
    }

    /// Takes the row that was written last away again if it is not as it was given.
    fn refuse_changed(
        &self,
        connection: &Connection,
        batch: &RowBatch,
        row: Row<'_>,
    ) -> rusqlite::Result<Option<Refusal>> {
        let rowid = connection.last_insert_rowid();
        let values = row.values().chain([Value::Integer(rowid)]).map(Bound);
        let mut statement = connection.prepare_cached(&self.differs)?;
        let changed = statement.query_row(params_from_iter(values), |same| {
            let width = row.values().count();
            for column in 0..width {
                // Text as a file stores it is no number, and no parameter to compare with.
                if batch.refuses(row, column) || same.get(column)? {
                    continue;
                }
                let is_bound = self.bounds.get(column) == Some(&true);
                match row.value(column) {
                    Value::Real(given)
                        if is_bound && TreeBound::is_rounded(given, same.get(width + column)?) => {}
                    _ => return Ok(Some(column)),
                }
            }
            Ok(None)
        })?;
        if changed.is_some() {
            connection.prepare_cached(&self.delete)?.execute([rowid])?;
        }
        Ok(changed.map(|column| Refusal {
            column: Some(column),
            message: "an R-Tree keeps numbers of 32 bits, and would make another one of this".to_owned(),
        }))
    }
}

/// Whether rows are kept in an R-Tree.
fn is_rtree(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let sql: Option<String> = connection.query_row(sql, [table], |row| row.get(0)).optional()?;
    let module = sql.and_then(|sql| ddl::module(&sql));
    Ok(module.is_some_and(|module| {
        ["rtree", "rtree_i32"]
            .iter()
            .any(|name| module.eq_ignore_ascii_case(name))
    }))
}

impl SqliteLoader {
    async fn run(
        &mut self,
        step: impl FnOnce(&mut LoadWork, &Connection) -> Result<(), Stopped> + Send + 'static,
    ) -> TransferResult<TableProgress> {
        let Some(mut work) = self.work.take() else {
            return Err(TransferError::Failed("this load has failed before".to_owned()));
        };
        let (connection, undone) = (Arc::clone(&self.connection), Arc::clone(&self.undone));
        let result = tokio::task::spawn_blocking(move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            if undone.load(Ordering::Relaxed) {
                return Err(Stopped::Told(TransferError::Failed(
                    "the copy was undone".to_owned(),
                )));
            }
            let outcome = step(&mut work, &connection);
            if outcome.is_err() && !connection.is_autocommit() {
                // The first error is the one to tell.
                drop(connection.execute_batch(work.bracket.rollback));
            }
            outcome.map(|()| work)
        });
        let result = match result.await {
            Ok(Err(Stopped::Told(error))) => return Err(error),
            Ok(Err(Stopped::Sqlite(error))) => Ok(Err(error)),
            Ok(Ok(work)) => Ok(Ok(work)),
            Err(stopped) => Err(stopped),
        };
        let work = self.target.told(result)?;
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
                work.commit(connection)?;
            }
            Ok(())
        };
        self.run(write).await.map(drop)
    }

    async fn finish(&mut self) -> TransferResult<TableProgress> {
        self.run(|work, connection| {
            work.begin(connection)?;
            work.progress.done = true;
            Ok(work.commit(connection)?)
        })
        .await
    }

    fn refused(&mut self) -> Vec<RejectedRow> {
        let work = self.work.as_mut();
        work.map(|work| std::mem::take(&mut work.refused))
            .unwrap_or_default()
    }

    fn computed(&self) -> Vec<(String, u64)> {
        let work = self.work.iter();
        let columns = work.flat_map(|work| work.plan.columns.iter().zip(&work.computed));
        let computed = columns.filter(|(_, rows)| **rows > 0);
        computed
            .map(|(column, rows)| (column.target.clone(), *rows))
            .collect()
    }
}

/// The statement that writes a row, and tells of each column that the file computes what the row says of it: that value ([`SAME`]), nothing
/// ([`LEFT`]), or another one. Text is handed on as a file stores it where `is_stored` says so: a cast is the one way to have SQLite take it as it is.
fn insert(plan: &TablePlan, is_stored: impl Fn(usize) -> bool) -> String {
    let columns = || plan.columns.iter().enumerate();
    let marks: Vec<String> = columns()
        .filter(|(_, column)| !column.is_compared)
        .map(|(at, _)| {
            let number = at + 1;
            if is_stored(at) {
                format!("CAST(?{number} AS TEXT)")
            } else {
                format!("?{number}")
            }
        })
        .collect();
    let compared: Vec<String> = columns()
        .filter(|(_, column)| column.is_compared)
        .map(|(at, column)| {
            let (name, number) = (quoted(&column.target), at + 1);
            format!(
                "CASE WHEN typeof({name}) = typeof(?{number}) AND {name} IS ?{number} COLLATE BINARY THEN {SAME} \
                 WHEN ?{number} IS NULL THEN {LEFT} ELSE 0 END"
            )
        })
        .collect();
    let returning = if compared.is_empty() {
        String::new()
    } else {
        format!(" RETURNING {}", compared.join(", "))
    };
    format!(
        "INSERT INTO {} ({}) VALUES ({}){returning}",
        quoted(&plan.target),
        quoted_list(plan.target_columns()),
        marks.join(", ")
    )
}

impl LoadWork {
    fn begin(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.open {
            connection.execute_batch(self.bracket.begin)?;
            self.open = true;
        }
        Ok(())
    }

    fn write(&mut self, connection: &Connection, batch: &RowBatch) -> Result<(), Stopped> {
        let mut statement = connection.prepare_cached(&self.insert)?;
        for row in batch.rows() {
            let refused = match self.duplicates.binary_search(&row.ordinal()) {
                Ok(_) => Some((self.plan.unproven_column(), Reject::DuplicateKey)),
                Err(_) => self.judge.judge(batch, row, &mut Vec::new(), |_, _| {}).err(),
            };
            match refused {
                None => match self.write_row(connection, &mut statement, batch, row)? {
                    None => self.progress.written += 1,
                    Some(refusal) => self.refuse(connection, batch, row, &refusal)?,
                },
                Some((column, reject)) => {
                    let named = rejected_row(&self.plan, row, column, reject);
                    self.quarantine(connection, batch, row, &named)?;
                }
            }
            self.progress.position = Position::behind(row);
        }
        self.progress.bytes += batch.size();
        self.uncommitted += batch.size();
        Ok(())
    }

    /// Writes a row, unless the file refuses it: then nothing of it is there.
    fn write_row(
        &mut self,
        connection: &Connection,
        statement: &mut rusqlite::Statement<'_>,
        batch: &RowBatch,
        row: Row<'_>,
    ) -> rusqlite::Result<Option<Refusal>> {
        let texts: Vec<Option<Vec<u8>>> = row
            .values()
            .zip(&self.without_zone)
            .map(|(value, without)| without.then(|| naive(value, &self.zone)).flatten())
            .collect();
        let outcome = if batch.refused().iter().any(|refused| refused.row == row.at()) {
            self.write_stored(connection, batch, row)
        } else {
            let values = row
                .values()
                .zip(&texts)
                .map(|(value, text)| Bound(text.as_deref().map_or(value, Value::Text)));
            self.insert_row(connection, statement, values, batch.is_quarantined())
        };
        match (outcome, &self.kept) {
            (Ok(Inserted::AsComputed(columns)), kept) => {
                for column in columns {
                    if let Some(rows) = self.computed.get_mut(column) {
                        *rows += 1;
                    }
                }
                match kept {
                    Some(kept) => kept.refuse_changed(connection, batch, row),
                    None => Ok(None),
                }
            }
            (Ok(Inserted::Refused(refusal)), _) => Ok(Some(refusal)),
            (Err(error), _) if is_about_a_row(&error) => Ok(Some(Refusal {
                column: None,
                message: error.to_string(),
            })),
            (Err(error), _) => Err(error),
        }
    }

    /// Inserts a row, unless the file computes another value than it has: then nothing of it is there. NULL leaves it to the file. What a row in
    /// quarantine has was computed by SQLite.
    fn insert_row<'v>(
        &self,
        connection: &Connection,
        statement: &mut rusqlite::Statement<'_>,
        values: impl Iterator<Item = Bound<'v>>,
        is_quarantined: bool,
    ) -> rusqlite::Result<Inserted> {
        let compared = self.plan.columns.iter().enumerate();
        let compared: Vec<usize> = compared
            .filter(|(_, column)| column.is_compared)
            .map(|(at, _)| at)
            .collect();
        if compared.is_empty() {
            let inserted = statement.execute(params_from_iter(values));
            return inserted.map(|_| Inserted::AsComputed(vec![]));
        }
        connection.execute_batch("SAVEPOINT computed")?;
        let inserted = statement.query_row(params_from_iter(values), |row| {
            let mut left = Vec::new();
            for (place, column) in compared.iter().enumerate().filter(|_| !is_quarantined) {
                match row.get::<_, i64>(place)? {
                    SAME => {}
                    LEFT => left.push(*column),
                    _ => return Ok(Inserted::Refused(self.other_value(*column))),
                }
            }
            Ok(Inserted::AsComputed(left))
        });
        let undo = match inserted {
            Ok(Inserted::AsComputed(_)) => "",
            Ok(Inserted::Refused(_)) | Err(_) => "ROLLBACK TO computed;",
        };
        connection.execute_batch(&format!("{undo} RELEASE computed"))?;
        inserted
    }

    fn other_value(&self, column: usize) -> Refusal {
        let name = self.plan.columns.get(column).map_or("", |column| &column.source);
        Refusal {
            column: Some(column),
            message: format!(
                "the file computes this column, and to another value; give it that value or NULL, or leave the column to the file \
                 altogether: ALTER TABLE {} DROP COLUMN {}",
                quoted(&self.plan.source.name),
                quoted(name)
            ),
        }
    }

    /// Keeps a row apart that the file refuses, or ends the load by its name.
    fn refuse(
        &mut self,
        connection: &Connection,
        batch: &RowBatch,
        row: Row<'_>,
        refusal: &Refusal,
    ) -> Result<(), Stopped> {
        let from_quarantine = if batch.is_quarantined() {
            "; the row is from cutover.quarantine of the source: if it was mended in the table meanwhile, delete it there"
        } else {
            ""
        };
        let column = refusal.column.and_then(|column| self.plan.columns.get(column));
        let named = RejectedRow {
            reason: format!("{}{from_quarantine}", refusal.message),
            // What SQLite says of several columns, or of the whole row, names them itself.
            column: column.map(|column| column.target.clone()).unwrap_or_default(),
            ..rejected_row(&self.plan, row, 0, Reject::Changed)
        };
        if self.care == Care::KeepingApart {
            self.quarantine(connection, batch, row, &named)?;
            self.refused.push(named);
            return Ok(());
        }
        let place = match refusal.column {
            Some(_) => format!("{}.{}", named.table, named.column),
            None => named.table,
        };
        Err(Stopped::Told(TransferError::Data {
            row: format!("{place} where {}", named.key),
            message: named.reason,
        }))
    }

    /// Writes a row with text that is handed on as a file stores it.
    fn write_stored(
        &self,
        connection: &Connection,
        batch: &RowBatch,
        row: Row<'_>,
    ) -> rusqlite::Result<Inserted> {
        let values = row.values().enumerate().map(|(column, value)| match value {
            Value::Text(bytes) if batch.refuses(row, column) => Bound(Value::Blob(bytes)),
            value => Bound(value),
        });
        let sql = insert(&self.plan, |column| batch.refuses(row, column));
        let mut statement = connection.prepare_cached(&sql)?;
        self.insert_row(connection, &mut statement, values, batch.is_quarantined())
    }

    fn quarantine(
        &mut self,
        connection: &Connection,
        batch: &RowBatch,
        row: Row<'_>,
        named: &RejectedRow,
    ) -> rusqlite::Result<()> {
        self.progress.rejected += 1;
        own_tables::quarantine(connection, &self.plan, batch, row, named)
    }

    fn commit(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        own_tables::set_progress(connection, &self.plan.target, &self.progress)?;
        connection.execute_batch(self.bracket.commit)?;
        self.uncommitted = 0;
        self.open = false;
        Ok(())
    }
}

/// Which columns of an instant are declared as what holds none of zones: programs that declare `DATETIME` write and read
/// SQLite's own form, and would take a zone for a mistake or for another time.
fn without_zone(plan: &TablePlan) -> Vec<bool> {
    let columns = plan.columns.iter().map(|column| {
        let from = plan.source.columns.iter().find(|from| from.name == column.source);
        // One that a copy has made knows how each of its values was written.
        let is_instant = from.is_some_and(|from| {
            from.made_for.is_none()
                && matches!(&from.kind, ColumnKind::Postgres(kind) if matches!(kind.kind, PgKind::Timestamptz(_)))
        });
        let is_naive = matches!(&column.kind, Some(ColumnKind::Sqlite { declared, .. })
            if ["DATETIME", "TIMESTAMP"].iter().any(|name| declared.eq_ignore_ascii_case(name)));
        is_instant && is_naive
    });
    columns.collect()
}

/// `2025-08-11T14:40:04.000000+00:00` as SQLite's own clock writes it in `zone`, `2025-08-11 14:40:04`; a fraction only if there is one.
fn naive(value: Value<'_>, zone: &LegacyZone) -> Option<Vec<u8>> {
    let Value::Text(text) = value else { return None };
    let (day, rest) = text.strip_suffix(b"+00:00")?.split_at_checked(10)?;
    let (time, fraction) = rest.strip_prefix(b"T")?.split_at_checked(8)?;
    let fraction = fraction.strip_prefix(b".000000").unwrap_or(fraction);
    let in_utc = [day, b" ", time, fraction].concat();
    if *zone == LegacyZone::utc() {
        return Some(in_utc);
    }
    let at = Timestamp::parse(str::from_utf8(text).ok()?, zone).ok()?;
    let mut local = at.to_naive(zone).into_bytes();
    local.extend_from_slice(fraction);
    let means = str::from_utf8(&local).ok()?;
    // Of an hour that comes twice only one can be meant by a text without a zone.
    if Timestamp::parse(means, zone) != Ok(at) {
        return Some([in_utc.as_slice(), b"+00:00"].concat());
    }
    Some(local)
}

#[cfg(test)]
mod tests {
    use cutover_domain::transfer::catalog::Affinity;
    use rusqlite::types::ValueRef;

    use super::*;

    #[test]
    fn a_time_without_a_zone_is_meant_in_the_zone_of_its_table() {
        let (utc_zone, chicago) = (LegacyZone::utc(), LegacyZone::named("America/Chicago").unwrap());
        for (instant, utc, local) in [
            (
                "2025-08-11T22:07:51.000000+00:00",
                "2025-08-11 22:07:51",
                "2025-08-11 17:07:51",
            ),
            (
                "2025-08-11T22:07:51.500000+00:00",
                "2025-08-11 22:07:51.500000",
                "2025-08-11 17:07:51.500000",
            ),
            // The hour that comes twice: without a zone its first half is meant.
            (
                "2025-11-02T06:30:00.000000+00:00",
                "2025-11-02 06:30:00",
                "2025-11-02 01:30:00",
            ),
            (
                "2025-11-02T07:30:00.000000+00:00",
                "2025-11-02 07:30:00",
                "2025-11-02 07:30:00+00:00",
            ),
        ] {
            let written = |zone| {
                naive(Value::Text(instant.as_bytes()), zone).map(|text| String::from_utf8(text).unwrap())
            };
            assert_eq!(written(&utc_zone).as_deref(), Some(utc));
            assert_eq!(written(&chicago).as_deref(), Some(local));
            let at = Timestamp::parse(instant, &chicago);
            assert_eq!(Timestamp::parse(local, &chicago), at);
        }
    }

    /// The domain says so, and SQLite decides.
    #[test]
    fn affinity_changes_what_it_is_said_to_change() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = "CREATE TABLE t (a TEXT, b NUMERIC, c INTEGER, d REAL, e BLOB)";
        connection.execute_batch(sql).unwrap();
        let columns = [
            ("a", Affinity::Text),
            ("b", Affinity::Numeric),
            ("c", Affinity::Integer),
            ("d", Affinity::Real),
            ("e", Affinity::Blob),
        ];
        let texts = [
            "",
            " ",
            "x",
            "5",
            "+5",
            "-",
            "+",
            ".",
            "5.",
            ".5",
            "-.5e1",
            "1e5",
            "1e",
            "1e+",
            "1E-2",
            " 7 ",
            "\t7\n",
            "7 x",
            "0x1F",
            "1_000",
            "inf",
            "NaN",
            "9223372036854775808",
            "1e400",
            "--5",
            "5 5",
            "1.2.3",
            "\u{a0}5",
            "5\u{b}\u{c}\r",
            "1.e3",
            ".e3",
            "e3",
            "00",
        ];
        let reals = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            1.5,
            1e18,
            1e19,
            -9_223_372_036_854_775_808.0,
            9_223_372_036_854_775_808.0,
            9_007_199_254_740_993.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            5e-324,
        ];
        let values = texts
            .iter()
            .map(|text| Value::Text(text.as_bytes()))
            .chain(reals.map(Value::Real))
            .chain([0, -1, i64::MIN, i64::MAX].map(Value::Integer))
            .chain([Value::Null, Value::Blob(b"5")]);
        for value in values {
            for (column, affinity) in columns {
                connection
                    .execute(&format!("INSERT INTO t ({column}) VALUES (?)"), [Bound(value)])
                    .unwrap();
                let kept = connection
                    .query_row(&format!("DELETE FROM t RETURNING {column}"), [], |row| {
                        Ok(match (value, row.get_ref(0)?) {
                            (Value::Real(one), ValueRef::Real(other)) => one.to_bits() == other.to_bits(),
                            (Value::Null, ValueRef::Null) => true,
                            (Value::Integer(one), ValueRef::Integer(other)) => one == other,
                            (Value::Text(one), ValueRef::Text(other))
                            | (Value::Blob(one), ValueRef::Blob(other)) => one == other,
                            _ => false,
                        })
                    })
                    .unwrap();
                assert_eq!(
                    affinity.changes(value),
                    !kept,
                    "{} in {affinity:?}",
                    value.describe()
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_sound_foreign_key() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY, k TEXT UNIQUE, n TEXT); INSERT INTO p VALUES (1, 'a', 'a');
                 CREATE TABLE no_key (n TEXT REFERENCES p (n)); INSERT INTO no_key VALUES ('b');
                 CREATE TABLE c (k TEXT REFERENCES p (k)); INSERT INTO c VALUES ('a'), ('b');",
            )
            .unwrap();
        let broken = |table: &str| broken_foreign_keys(&connection, &[table.to_owned()]);
        assert_eq!(broken("no_key").unwrap(), []);
        let rows: Vec<u64> = broken("c").unwrap().iter().map(|weak| weak.rows).collect();
        assert_eq!(rows, [1]);
        // The index that tells of the parent's keys is a table's page.
        writing_schema(&connection, || {
            let sql = "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'p') WHERE type = 'index'";
            connection.execute_batch(sql)
        })
        .unwrap();
        let error = broken("c").unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt));
    }

    /// A loose table takes what its own text would change or refuse, and is read by that text.
    #[test]
    fn a_loose_table_is_read_by_its_own_text() {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL UNIQUE, r REAL, s TEXT CHECK (s REGEXP 'x'), k COLLATE own, UNIQUE (k, n))";
        let connection = Connection::open_in_memory().unwrap();
        collations::stand_in(&connection, sql).unwrap();
        connection.execute_batch(&ddl::loosened(sql).unwrap()).unwrap();
        connection
            .execute_batch("INSERT INTO t VALUES (7, NULL, -0.0, 5, 'a'), (9, '5', 1, 1.0, 'b')")
            .unwrap();
        give_texts(&connection, &[("t".to_owned(), sql.to_owned())]).unwrap();
        let text: String = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 't'", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(text, sql);
        let classes: String = connection
            .query_row(
                "SELECT group_concat(typeof(n) || ' ' || typeof(s)) FROM t",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(classes, "null integer,text real");
        let next: i64 = connection
            .query_row("PRAGMA ignore_check_constraints = ON", [], |_| Ok(0))
            .or_else(|_| {
                connection.query_row("INSERT INTO t (n, k) VALUES (1, 'c') RETURNING id", [], |row| {
                    row.get(0)
                })
            })
            .unwrap();
        assert_eq!(next, 10);
        assert!(give_texts(&connection, &[("t".to_owned(), "CREATE TABLE t (".to_owned())]).is_err());
    }
}
