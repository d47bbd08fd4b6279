//! A SQLite file as a target.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::catalog::{Catalog, Origin, Table};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::schema::{Schema, Step, Weakened};
use cutover_ports::transfer::{
    COUNTED_ROWS, Care, CopySession, LedgerEntry, LoadPart, RunStart, TableLoader, TableProgress,
    TransferError, TransferResult, TransferTarget, UnfinishedRun, seed_condition,
};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::oneshot::error::RecvError;

use super::connection::{Bracket, REHEARSAL, TRANSACTION, bracketed, is_about_a_row};
use super::load::{Into, SqliteLoader, is_rtree};
use super::make::{
    additions, as_it_will_be, broken_foreign_keys, complete, count_anew, is_by_definition, shape_file,
    tighten, wants_wal,
};
use super::open::{TEMPORARY_FOLDER, begin};
use super::{catalog, collations, own_tables, remade};
use crate::identity::{FileIdentity, side_file};

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
        // Rows that break a rule are kept and told, as in the other direction. What is sorted for an index does not have to fit into memory.
        connection.execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = FULL;
             PRAGMA temp_store = FILE; SELECT count(*) FROM sqlite_schema;",
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
        let result = begin(move || open().and_then(|connection| work(&connection)))?;
        self.told(result.await)
    }

    pub(super) fn told<T>(&self, result: Result<rusqlite::Result<T>, RecvError>) -> TransferResult<T> {
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
                "cannot write {path}: {error}; make room there, and for the temporary files of SQLite ({TEMPORARY_FOLDER}), and run the same command, \
                 it goes on from where it was"
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

    async fn catalog(&self, origin: Option<&Origin>) -> TransferResult<(Catalog, Vec<Table>)> {
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
            let to_come = origin.as_ref().and_then(as_it_will_be);
            let (tables, taken) = to_come
                .map(|to_come| (to_come.tables, to_come.taken))
                .unwrap_or_default();
            catalog.taken.extend(taken);
            Ok((catalog, tables))
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
        let connection = self.told(begin(open)?.await)?;
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

    async fn quarantined(&self) -> TransferResult<Vec<(String, u64)>> {
        self.run(own_tables::quarantined).await
    }

    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>> {
        self.run(own_tables::ledger).await
    }

    async fn account(&self, _: &str) -> TransferResult<Option<Account>> {
        // Several sources go into PostgreSQL only.
        Ok(None)
    }

    async fn set_told(&self) -> TransferResult<()> {
        self.run(own_tables::set_told).await
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
        // The same by whatever links the file is named.
        let place = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let path = side_file(&place, ".cutover-lock");
        let cannot = |error: std::io::Error| {
            TransferError::Unreachable(format!("cannot write beside {}: {error}", self.path.display()))
        };
        loop {
            let file = std::fs::File::create(&path).map_err(cannot)?;
            match file.try_lock() {
                // Another run may have removed the file between our opening and locking it: then it is no lock any more.
                Ok(()) if is_at(&file, &path) => return Ok(FileLock { _file: file, path }),
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

/// Whether an open file is the one that `path` names.
fn is_at(file: &std::fs::File, path: &Path) -> bool {
    let ours = file.metadata().map(|metadata| FileIdentity::of(&metadata));
    ours.is_ok_and(|ours| FileIdentity::at(path).is_ok_and(|there| there == ours))
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
        let result = begin(move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner)))?;
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

#[async_trait]
impl CopySession for SqliteSession {
    async fn open_run(&self) -> TransferResult<Option<UnfinishedRun>> {
        self.run(|connection| own_tables::open_run(connection)).await
    }

    async fn disturbed(&self, plan: &Plan) -> TransferResult<Vec<(String, u64, u64)>> {
        let tables = names(plan, |_| true);
        self.run(move |connection| {
            let mut disturbed = Vec::new();
            for table in tables {
                let sql = format!("SELECT count(*) FROM {} NOT INDEXED", quoted(&table));
                let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
                let rows = u64::try_from(rows).unwrap_or(0);
                let written = own_tables::progress(connection, &table)?.written;
                if rows != written {
                    disturbed.push((table, rows, written));
                }
            }
            Ok(disturbed)
        })
        .await
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
        let into = Into {
            target: self.target.clone(),
            connection: Arc::clone(&self.connection),
            undone: Arc::clone(&self.undone),
            bracket: self.bracket,
            care,
            is_rtree,
        };
        Ok(Box::new(SqliteLoader::new(
            into, plan, converter, duplicates, progress,
        )))
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
        let plans = plan.tables.clone();
        self.run(move |connection| broken_foreign_keys(connection, &tables, &plans))
            .await
    }

    async fn analyze(&self, _: &str) -> TransferResult<()> {
        // SQLite plans without figures unless somebody asks for them; where somebody has, the run's end does.
        Ok(())
    }

    async fn finish(
        &self,
        plan: &Plan,
        entries: &[LedgerEntry],
        _: &Account,
    ) -> TransferResult<Vec<Weakened>> {
        let tables = plan.tables.clone();
        let weakened = if let Some(origin) = plan.origin.clone() {
            let made = names(plan, is_by_definition);
            let bracket = self.bracket;
            self.run(move |connection| {
                bracketed(connection, bracket, |connection| {
                    let mut weakened = tighten(connection, &origin, &tables)?;
                    weakened.extend(complete(connection, &origin, &tables)?);
                    weakened.extend(broken_foreign_keys(connection, &made, &tables)?);
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
            .await?
        } else {
            self.run(move |connection| remade::broken_rules(connection, &tables))
                .await?
        };
        let statements: Vec<String> = entries.iter().map(own_tables::note_copied).collect();
        let bracket = self.bracket;
        self.run(move |connection| {
            bracketed(connection, bracket, |connection| {
                own_tables::forget_seeds(connection)?;
                let mut statements = statements.iter();
                statements.try_for_each(|statement| connection.execute_batch(statement))?;
                own_tables::finish_run(connection)
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
        // A run that an earlier version has begun may lack some of them.
        let mut statements = vec![own_tables::TABLES.to_owned()];
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
        statements.extend(own_tables::forget_run(
            plan.tables.iter().map(|table| table.target.as_str()),
        ));
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
