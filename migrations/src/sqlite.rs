//! Migrating a SQLite file.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::migrate::{Migrate, Migration};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row as _, Sqlite, TypeInfo, ValueRef};

use crate::adopt::{self, Original, Recognised};
use crate::connection::{Connection, Row, Value};
use crate::context::Context;
use crate::error::{MigrateError, Result};
use crate::history::{History, Tables};
use crate::run::{self, Down, Outcome, Rows, Status};
use crate::schema::{Drift, Legacy, Schema};
use crate::target::Dialect;

/// How long to wait for another program that migrates the same file, and for one that writes to it.
const LOCK_WAIT: Duration = Duration::from_mins(1);
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// What an opened file is for.
#[derive(Debug)]
pub(crate) enum Access {
    /// Only looking: the file stays as it is, byte for byte.
    Read,
    /// Changing its schema; a file that does not exist is made.
    Migrate(FileLock),
}

/// An opened file, and the lock that keeps other migrations of it away.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    connection: SqliteConnection,
    _lock: Option<FileLock>,
}

impl SqliteFile {
    pub(crate) async fn open(path: &Path, access: Access) -> Result<Self> {
        Self::open_file(path, access)
            .await
            .map_err(|error| error.context(&place(path)))
    }

    async fn open_file(path: &Path, access: Access) -> Result<Self> {
        if path.is_dir() {
            return Err(MigrateError::Unreachable("it is a folder".to_owned()));
        }
        // Absolute, or a file named `:memory:` would be none.
        let absolute = std::path::absolute(path)
            .map_err(|error| MigrateError::Unreachable(format!("it cannot be found: {error}")))?;
        let options = SqliteConnectOptions::new()
            .filename(absolute)
            // Dropping a table deletes its rows first, which with foreign keys on would reach into other tables.
            .foreign_keys(false)
            .busy_timeout(BUSY_WAIT);
        let (options, lock) = match access {
            Access::Read => (options.read_only(true), None),
            Access::Migrate(lock) => (options.create_if_missing(true), Some(lock)),
        };
        let mut file = Self {
            connection: options.connect().await.map_err(|error| failure(&error))?,
            _lock: lock,
        };
        // Opening reads nothing; a file that is no database shows here.
        file.rows("SELECT count(*) FROM sqlite_schema", &[]).await?;
        Ok(file)
    }

    /// Switches to a write-ahead log, as the original does. SQLite does not wait for that by itself.
    async fn use_write_ahead_log(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            match bound("PRAGMA journal_mode = WAL", &[])
                .execute(&mut self.connection)
                .await
            {
                Err(error) if matches!(code(&error), BUSY | LOCKED) && began.elapsed() < BUSY_WAIT => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                other => return other.map(drop).map_err(|error| failure(&error)),
            }
        }
    }

    /// A database in memory.
    pub(crate) async fn scratch() -> Result<Self> {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(false);
        Ok(Self {
            connection: options.connect().await.map_err(|error| failure(&error))?,
            _lock: None,
        })
    }

    /// Closes it, which also brings its write-ahead log into the file.
    pub(crate) async fn close(self) -> Result<()> {
        sqlx::Connection::close(self.connection)
            .await
            .map_err(|error| failure(&error))
    }
}

impl Connection for SqliteFile {
    const DIALECT: Dialect = Dialect::Sqlite;

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.connection
            .execute(AssertSqlSafe(sql.to_owned()))
            .await
            .map(drop)
            .map_err(|error| failure(&error))
    }

    async fn execute(&mut self, sql: &str, arguments: &[Value]) -> Result<()> {
        bound(sql, arguments)
            .execute(&mut self.connection)
            .await
            .map(drop)
            .map_err(|error| failure(&error))
    }

    async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>> {
        let rows = bound(sql, arguments)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| failure(&error))?;
        rows.iter().map(decode).collect()
    }

    async fn apply(&mut self, table: &str, migration: &Migration) -> Result<()> {
        self.connection
            .apply(table, migration)
            .await
            .map(drop)
            .map_err(migration_failure)
    }

    async fn revert(&mut self, table: &str, migration: &Migration) -> Result<()> {
        self.connection
            .revert(table, migration)
            .await
            .map(drop)
            .map_err(migration_failure)
    }

    async fn table_exists(&mut self, table: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = $1";
        let rows = self.rows(sql, &[Value::Text(table.to_owned())]).await?;
        Ok(!rows.is_empty())
    }

    async fn schema(&mut self) -> Result<Schema> {
        crate::sqlite_schema::read(self).await
    }

    async fn reference(&mut self, context: &Context, version: i64) -> Result<Schema> {
        made_by(context, version).await
    }
}

/// What the scripts make up to a version.
async fn made_by(context: &Context, version: i64) -> Result<Schema> {
    let mut scratch = SqliteFile::scratch().await?;
    for step in context.versions.iter().filter(|step| step.number <= version) {
        scratch.batch(step.sqlite.up).await?;
    }
    let schema = scratch.schema().await?;
    scratch.close().await?;
    Ok(schema)
}

/// What all of them make.
pub(crate) async fn head(context: &Context) -> Result<Schema> {
    made_by(context, context.head()).await
}

/// Brings a file up; one of the original application's is taken over first.
pub(crate) async fn up(path: &Path, context: &Context, to: Option<i64>) -> Result<Outcome> {
    // Before anything is opened for writing: a typing mistake makes no file, and a file that is refused stays as it is.
    run::known_version(context, to.unwrap_or(0))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| {
            MigrateError::Unreachable(format!("the folder {} cannot be made: {error}", folder.display()))
        })?;
    }
    let lock = FileLock::acquire(path).await?;
    let recognised = if path.exists() {
        recognise(path, context).await?
    } else {
        None
    };
    let mut file = SqliteFile::open(path, Access::Migrate(lock)).await?;
    let adopted = match recognised {
        Some((original, version)) => {
            let adopted = adopt::adopt(&mut file, path, context, original, version).await;
            Some(adopted.map_err(|error| error.context(&place(path)))?)
        }
        None => None,
    };
    let place = |error: MigrateError| error.context(&place(path));
    file.use_write_ahead_log().await.map_err(place)?;
    let mut outcome = run::up(&mut file, context, to).await.map_err(place)?;
    file.close().await?;
    outcome.adopted = adopted;
    Ok(outcome)
}

/// What a file of the original application is that has no history yet.
async fn recognise(path: &Path, context: &Context) -> Result<Option<(&'static Original, String)>> {
    let Some(original) = Original::of(context) else {
        return Ok(None);
    };
    let mut file = SqliteFile::open(path, Access::Read).await?;
    let migrated = file
        .table_exists(&Tables::of(context, Dialect::Sqlite).history)
        .await?;
    let recognised = if migrated {
        Ok(Recognised::Nothing)
    } else {
        adopt::recognise(&mut file, context, original).await
    };
    file.close().await?;
    match recognised.map_err(|error| error.context(&place(path)))? {
        Recognised::Nothing => Ok(None),
        Recognised::Version(version) => Ok(Some((original, version))),
    }
}

/// Takes a file down.
pub(crate) async fn down(path: &Path, context: &Context, how_far: Down, rows: Rows) -> Result<Outcome> {
    exists(path)?;
    let lock = FileLock::acquire(path).await?;
    let mut file = SqliteFile::open(path, Access::Migrate(lock)).await?;
    let outcome = run::down(&mut file, context, how_far, rows).await;
    let outcome = outcome.map_err(|error| error.context(&place(path)))?;
    file.close().await?;
    Ok(outcome)
}

/// How a file stands; one that does not exist has nothing.
pub(crate) async fn status(path: &Path, context: &Context) -> Result<Status> {
    if !path.exists() {
        return Ok(run::status_of(context, &History::default(), Dialect::Sqlite));
    }
    let mut file = SqliteFile::open(path, Access::Read).await?;
    let mut status = run::status(&mut file, context).await?;
    status.running = is_being_migrated(path);
    if let Some(original) = Original::of(context).filter(|_| status.current == 0) {
        let recognised = adopt::recognise(&mut file, context, original).await;
        status.adoptable = matches!(recognised, Ok(Recognised::Version(_)));
        status.unadopted = match recognised {
            Ok(Recognised::Nothing) => None,
            Ok(Recognised::Version(version)) => Some(format!("{version}, which `up` will take over")),
            Err(error) => Some(error.to_string()),
        };
    }
    file.close().await?;
    Ok(status)
}

/// Compares a file's schema with what the scripts make.
pub(crate) async fn check(path: &Path, context: &Context) -> Result<Drift> {
    exists(path)?;
    let mut file = SqliteFile::open(path, Access::Read).await?;
    let drift = run::check(&mut file, context, legacy(context)).await?;
    file.close().await?;
    Ok(drift)
}

/// What old files of a context may lack or have.
pub(crate) fn legacy(context: &Context) -> Legacy {
    Original::of(context).map_or_else(Legacy::default, |original| original.legacy)
}

/// What a file has.
pub(crate) async fn live(path: &Path) -> Result<Schema> {
    exists(path)?;
    let mut file = SqliteFile::open(path, Access::Read).await?;
    let schema = file.schema().await?;
    file.close().await?;
    Ok(schema)
}

fn place(path: &Path) -> String {
    format!("the SQLite file {}", path.display())
}

fn exists(path: &Path) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    Err(MigrateError::Unreachable(format!(
        "there is no SQLite file {}; check the path, or make it with `cutover migrate up`",
        path.display()
    )))
}

fn bound<'q>(
    sql: &str,
    arguments: &[Value],
) -> sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for argument in arguments {
        query = match argument {
            Value::Null => query.bind(None::<i64>),
            Value::Integer(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.clone()),
            Value::Bytes(value) => query.bind(value.clone()),
        };
    }
    query
}

fn decode(row: &SqliteRow) -> Result<Row> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let raw = row.try_get_raw(column).map_err(|error| failure(&error))?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match raw.type_info().name() {
                "INTEGER" | "BOOLEAN" => {
                    Value::Integer(row.try_get_unchecked(column).map_err(|error| failure(&error))?)
                }
                "BLOB" => Value::Bytes(row.try_get_unchecked(column).map_err(|error| failure(&error))?),
                _ => Value::Text(row.try_get_unchecked(column).map_err(|error| failure(&error))?),
            }
        };
        values.push(value);
    }
    Ok(Row(values))
}

/// A lock on a file beside the database: sqlx has none for SQLite, and SQLite's own covers one transaction only.
#[derive(Debug)]
pub(crate) struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    async fn acquire(database: &Path) -> Result<Self> {
        let path = lock_path(database);
        let began = Instant::now();
        loop {
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(|error| {
                    MigrateError::Unreachable(format!("{} cannot be opened: {error}", path.display()))
                })?;
            match file.try_lock() {
                // Whoever held the lock before removed the file; what is locked now may not be what others find.
                Ok(()) if is_still(&file, &path) => return Ok(Self { path, _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if began.elapsed() < LOCK_WAIT => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(MigrateError::Unreachable(format!(
                        "another migration of {} has been running for {} s; wait for it to end and run this again",
                        database.display(),
                        LOCK_WAIT.as_secs()
                    )));
                }
                Err(TryLockError::Error(error)) => {
                    return Err(MigrateError::Unreachable(format!(
                        "{} cannot be locked: {error}",
                        path.display()
                    )));
                }
            }
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Removed while it is still locked, see `acquire`. If that fails, an empty file stays behind and harms nobody.
        drop(std::fs::remove_file(&self.path));
    }
}

/// Whether someone is migrating the file just now.
pub(crate) fn is_being_migrated(database: &Path) -> bool {
    File::open(lock_path(database)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The same for every way to name the file.
fn lock_path(database: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(database)
        .unwrap_or_else(|_| database.to_owned())
        .into_os_string();
    name.push(".migrating");
    name.into()
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(opened), Ok(found)) => opened.dev() == found.dev() && opened.ino() == found.ino(),
        _ => false,
    }
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn is_still(_file: &File, path: &Path) -> bool {
    path.exists()
}

fn migration_failure(error: sqlx::migrate::MigrateError) -> MigrateError {
    match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => failure(&error),
        other => MigrateError::Failed(other.to_string()),
    }
}

const BUSY: i32 = 5;
const LOCKED: i32 = 6;

/// SQLite's code of an error, without what it says more; 0 for none.
fn code(error: &sqlx::Error) -> i32 {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.and_then(|code| code.parse::<i32>().ok()).unwrap_or(0) & 0xff
}

fn failure(error: &sqlx::Error) -> MigrateError {
    const READ_ONLY: i32 = 8;
    const INPUT_OUTPUT: i32 = 10;
    const CORRUPT: i32 = 11;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    const NO_DATABASE: i32 = 26;
    let sqlx::Error::Database(database) = error else {
        return MigrateError::Failed(error.to_string());
    };
    let message = database.message();
    match code(error) {
        BUSY | LOCKED => MigrateError::Unreachable(format!(
            "another program is writing to it ({message}); stop that program or try again"
        )),
        READ_ONLY => MigrateError::Unreachable(
            "it cannot be written to, and with a write-ahead log it cannot even be read then; check the rights on the \
             file and its folder"
                .to_owned(),
        ),
        INPUT_OUTPUT => MigrateError::Unreachable(format!(
            "the system cannot read or write it ({message}); check that it is an ordinary file, and its disk"
        )),
        CORRUPT => MigrateError::Unreachable(format!(
            "it is damaged ({message}); restore a backup, or save what can be read with sqlite3's .recover"
        )),
        FULL => MigrateError::Unreachable(format!(
            "there is no room for it ({message}); make room on its disk and run this again"
        )),
        CANNOT_OPEN => MigrateError::Unreachable(format!(
            "it cannot be opened ({message}); check the path and the rights on the file and its folder"
        )),
        NO_DATABASE => MigrateError::Unreachable("it is not a SQLite database, or it is encrypted".to_owned()),
        _ => MigrateError::Failed(message.to_owned()),
    }
}
