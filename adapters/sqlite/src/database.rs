//! The file, the threads that own its connections, and the one place where statements run.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use cutover_domain::time::LegacyZone;
use cutover_ports::together::shared;
use cutover_ports::watch::Watch;
use cutover_ports::{ForeignKeys, KeysAcross, Page, PageRequest, StoreError, StoreResult};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, Params, Row, ToSql};
use tokio::sync::oneshot;

use crate::error::{is_unknown_name, is_unnamed_foreign_key, restricting_children, store_error};
use crate::identity::{FileIdentity, side_file};
use crate::lane::{Lane, LaneStatus, Queue};
use crate::lookup::{Allowance, Bundle, hand_over};
use crate::row::Columns;
use crate::synth_document;

/// How a file is opened.
#[derive(Debug, Clone)]
pub struct OpenSettings {
    /// Whether a missing file is made.
    pub create: bool,
    /// How long a statement waits for another process that writes.
    pub busy_timeout: Duration,
    /// Connections that read, at least one.
    pub readers: usize,
    /// The zone that times without one are meant in.
    pub legacy_zone: LegacyZone,
}

impl Default for OpenSettings {
    fn default() -> Self {
        Self {
            create: false,
            busy_timeout: Duration::from_secs(5),
            readers: 4,
            legacy_zone: LegacyZone::utc(),
        }
    }
}

/// Work for a connection.
pub(crate) struct Job {
    is_lookup: bool,
    work: Box<dyn FnOnce(&Session) + Send>,
}

/// A SQLite file as the repositories use it. Cloning shares the connections; they close with the last clone.
#[derive(Clone)]
pub struct Database {
    path: PathBuf,
    writer: Arc<Lane<Job, Session>>,
    readers: Arc<Lane<Job, Session>>,
    threads: Arc<Mutex<Threads>>,
    pub(crate) keys: KeysAcross,
}

/// The threads to wait for when closing.
#[derive(Default)]
struct Threads {
    readers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the file: one connection that writes, some that read, each on its own thread.
    pub fn open(path: &Path, settings: &OpenSettings) -> StoreResult<Self> {
        // The writer comes first: it makes the file and turns on WAL, which the readers need.
        let writer = Lane::over(vec![Session::open(path, settings, settings.create)?]);
        let mut sessions = Vec::new();
        for _ in 0..settings.readers.max(1) {
            let session = Session::open(path, settings, false)?;
            session
                .connection
                .pragma_update(None, "query_only", true)
                .map_err(store_error)?;
            sessions.push(session);
        }
        let count = sessions.len();
        let readers = Lane::over(sessions);
        let mut threads = Threads {
            writer: Some(spawn("sqlite-writer", writer.queue())?),
            readers: Vec::new(),
        };
        for _ in 0..count {
            threads.readers.push(spawn("sqlite-reader", readers.queue())?);
        }
        let threads = Arc::new(Mutex::new(threads));
        Ok(Self {
            path: path.to_owned(),
            writer: Arc::new(writer),
            readers: Arc::new(readers),
            threads,
            keys: KeysAcross::default(),
        })
    }

    /// Closes the connections once what was asked of them is done; the last one brings the log into the file. What is
    /// asked later fails as unavailable.
    pub async fn close(&self) {
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let (readers, writer) = (Arc::clone(&self.readers), Arc::clone(&self.writer));
        let closing = tokio::task::spawn_blocking(move || {
            readers.close();
            let readers = threads
                .readers
                .into_iter()
                .map(JoinHandle::join)
                .filter(Result::is_err)
                .count();
            writer.close();
            let writer = threads
                .writer
                .map(JoinHandle::join)
                .is_some_and(|ended| ended.is_err());
            if readers > 0 || writer {
                tracing::warn!("a connection's thread ended by a panic");
            }
        });
        if let Err(error) = closing.await {
            tracing::warn!(%error, "closing the SQLite file");
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the connections that read are used at this moment.
    pub fn readers(&self) -> LaneStatus {
        self.readers.status()
    }

    /// How the connection that writes is used at this moment.
    pub fn writer(&self) -> LaneStatus {
        self.writer.status()
    }

    /// The same connections, for repositories some of whose parents or children live in the other database.
    #[must_use]
    pub fn with_foreign_keys(mut self, foreign_keys: Arc<dyn ForeignKeys>) -> Self {
        self.keys = KeysAcross::kept_by(foreign_keys);
        self
    }

    /// Runs `work` on a connection that reads. `operation` is `repository.method`, for traces.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Session) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (job, answer) = job("readers", operation, work);
        self.ask(job);
        answer.await.map_err(|_| stopped())?
    }

    /// As [`Database::read`], for `work` that finds a few rows by a key: done on the asking thread if it takes as short as expected, and
    /// begun anew on another if it does not, or fails.
    pub(crate) async fn look_up<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl Fn(&Session) -> StoreResult<T> + Clone + Send + 'static,
    ) -> StoreResult<T> {
        let again = work.clone();
        let (job, answer) = job("readers", operation, move |session| match work(session) {
            Err(_) if session.allowance.is_limited() => Ok(None),
            outcome => outcome.map(Some),
        });
        self.ask(Job {
            is_lookup: true,
            ..job
        });
        match answer.await.map_err(|_| stopped())?? {
            Some(found) => Ok(found),
            None => self.read(operation, again).await,
        }
    }

    /// Hands `job` over to those that read, or to the reads that it goes together with.
    fn ask(&self, job: Job) {
        match shared(Arc::as_ptr(&self.readers).addr(), || Bundle::of(&self.readers)) {
            Some(bundle) => bundle.push(job),
            None => {
                hand_over(&self.readers, vec![job]);
            }
        }
    }

    /// Runs `work`, which is one statement that writes and commits by itself. A file that is not where it was is not written: nobody
    /// would find it there.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Session) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (job, answer) = job("writer", operation, |session| {
            session.check_place()?;
            work(session)
        });
        self.writer.send([job]);
        answer.await.map_err(|_| stopped())?
    }

    /// Runs `work` in one transaction, which holds the file's write lock from its start.
    pub(crate) async fn atomic<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Session) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        self.write(operation, |session| session.atomic(work)).await
    }

    /// Whether a statement can run now, and what it writes would be found.
    pub async fn ping(&self) -> StoreResult<()> {
        self.read("ping", |session| {
            session.check_place()?;
            session.query_opt("SELECT 1", [], |_| Ok(())).map(|_| ())
        })
        .await
    }
}

/// `work` as a job for a thread of `pool`, and where its outcome arrives, unless the job is dropped or panics.
fn job<T: Send + 'static>(
    pool: &'static str,
    operation: &'static str,
    work: impl FnOnce(&Session) -> StoreResult<T> + Send + 'static,
) -> (Job, oneshot::Receiver<StoreResult<T>>) {
    let (answer, result) = oneshot::channel();
    let watch = Watch::begin("sqlite", operation);
    let work = move |session: &Session| {
        // What a caller has given up before it was begun is not done, for nobody would learn of it.
        if answer.is_closed() {
            return;
        }
        watch.start(Some(pool));
        let outcome = work(session);
        if let Err(error) = &outcome {
            watch.failed(error);
            tracing::debug!(operation, %error, "statement failed");
        }
        drop(watch);
        // A caller that went away meanwhile does not need the answer; the work is done all the same.
        answer.send(outcome).unwrap_or_default();
    };
    let job = Job {
        is_lookup: false,
        work: Box::new(work),
    };
    (job, result)
}

impl Job {
    pub(crate) fn is_lookup(&self) -> bool {
        self.is_lookup
    }

    /// Does it. The caller of one that panics learns of it, as its answer never comes; the others' are done.
    pub(crate) fn run(self, session: &Session) {
        if catch_unwind(AssertUnwindSafe(|| (self.work)(session))).is_err() {
            session.roll_back();
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the file is closed, or the work on it ended by a panic".into())
}

/// A thread that does a lane's jobs until the lane is closed.
fn spawn(name: &str, queue: Arc<Queue<Job, Session>>) -> StoreResult<JoinHandle<()>> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let mut done = None;
            while let Some((job, session)) = queue.next(done.take()) {
                job.run(&session);
                done = Some(session);
            }
        })
        .map_err(|error| StoreError::Unavailable(error.into()))
}

/// A connection, used by one thread at a time: statements are prepared once and kept.
pub(crate) struct Session {
    connection: Connection,
    zone: LegacyZone,
    busy_timeout: Duration,
    pub(crate) allowance: Allowance,
    /// Where the file was when it was opened, and its write-ahead log.
    places: Vec<(PathBuf, FileIdentity)>,
}

impl Session {
    fn open(path: &Path, settings: &OpenSettings, create: bool) -> StoreResult<Self> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        if create {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
        }
        let connection = Connection::open_with_flags(path, flags).map_err(store_error)?;
        connection
            .busy_timeout(settings.busy_timeout)
            .map_err(store_error)?;
        connection.set_prepared_statement_cache_capacity(256);
        // Else a statement is planned anew each time that its limit is bound, which takes longer than most take to run.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(store_error)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL;
                 PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
            )
            .map_err(store_error)?;
        synth_document::add_functions(&connection).map_err(store_error)?;
        let allowance = Allowance::endless();
        allowance.bound(&connection)?;
        let identity = FileIdentity::at(path).map_err(|error| StoreError::Unavailable(error.into()))?;
        let mut places = vec![(path.to_owned(), identity)];
        // Where `path` is a link, the log lies beside what it leads to.
        let log = side_file(Path::new(connection.path().unwrap_or_default()), "-wal");
        if let Ok(identity) = FileIdentity::at(&log) {
            places.push((log, identity));
        }
        Ok(Self {
            connection,
            zone: settings.legacy_zone.clone(),
            busy_timeout: settings.busy_timeout,
            allowance,
            places,
        })
    }

    /// On a connection that was opened elsewhere, to read facts that need no zone.
    pub(crate) fn on(connection: Connection) -> Self {
        Self {
            connection,
            zone: LegacyZone::utc(),
            busy_timeout: Duration::ZERO,
            allowance: Allowance::endless(),
            places: Vec::new(),
        }
    }

    /// Whether the paths still name what was opened there.
    fn check_place(&self) -> StoreResult<()> {
        let mut places = self.places.iter();
        let moved = places.find(|(path, identity)| FileIdentity::at(path).ok() != Some(*identity));
        let Some((path, _)) = moved else { return Ok(()) };
        let path = path.display();
        Err(StoreError::Unavailable(
            format!(
                "the file {path} was removed, or another was put in its place, while it was open; put it back, or stop what has it open"
            )
            .into(),
        ))
    }

    /// Rolls back what is open, if anything is.
    pub(crate) fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK", [])
        {
            tracing::error!(%error, "a transaction that was left open cannot be rolled back");
        }
    }

    /// Does `work`, which fails where it would wait for another process.
    pub(crate) fn without_waiting<T>(&self, work: impl FnOnce() -> StoreResult<T>) -> StoreResult<T> {
        self.connection
            .busy_timeout(Duration::ZERO)
            .map_err(store_error)?;
        let outcome = work();
        self.connection
            .busy_timeout(self.busy_timeout)
            .map_err(store_error)?;
        outcome
    }

    /// Does `work`, in which no value of more bytes can be read.
    pub(crate) fn with_values_of(&self, bytes: i32, work: impl FnOnce()) {
        let limit = Limit::SQLITE_LIMIT_LENGTH;
        let before = self.connection.set_limit(limit, bytes);
        work();
        if let Ok(before) = before {
            self.connection.set_limit(limit, before).unwrap_or_default();
        }
    }

    fn atomic<T>(&self, work: impl FnOnce(&Self) -> StoreResult<T>) -> StoreResult<T> {
        self.execute("BEGIN IMMEDIATE", [])?;
        let outcome = work(self).and_then(|value| self.execute("COMMIT", []).map(|_| value));
        if outcome.is_err() && !self.connection.is_autocommit() {
            self.execute("ROLLBACK", [])?;
        }
        outcome
    }

    /// All rows.
    pub(crate) fn query<T>(
        &self,
        sql: &str,
        params: impl Params,
        from_row: impl Fn(&mut Columns<'_>) -> StoreResult<T>,
    ) -> StoreResult<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        let mut rows = statement.query(params).map_err(store_error)?;
        let mut items = Vec::new();
        while let Some(row) = rows.next().map_err(store_error)? {
            items.push(self.read_row(row, &from_row)?);
        }
        Ok(items)
    }

    /// The first row, or none.
    pub(crate) fn query_opt<T>(
        &self,
        sql: &str,
        params: impl Params,
        from_row: impl Fn(&mut Columns<'_>) -> StoreResult<T>,
    ) -> StoreResult<Option<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        let writes = !statement.readonly();
        let mut rows = statement.query(params).map_err(store_error)?;
        let first = rows
            .next()
            .map_err(store_error)?
            .map(|row| self.read_row(row, &from_row))
            .transpose()?;
        // A statement that writes commits, and finds out about broken foreign keys, only at its end.
        while writes && rows.next().map_err(store_error)?.is_some() {}
        Ok(first)
    }

    /// A page and the length of the list, at one moment. `sql` takes the limit and the offset behind the parameters that it
    /// shares with `count`.
    pub(crate) fn page<T>(
        &self,
        sql: &str,
        count: &str,
        params: &[&dyn ToSql],
        page: PageRequest,
        from_row: impl Fn(&mut Columns<'_>) -> StoreResult<T>,
    ) -> StoreResult<Page<T>> {
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        let mut page_params = params.to_vec();
        page_params.push(&page.limit);
        page_params.push(&offset);
        let read = || {
            let items = self.query(sql, page_params.as_slice(), from_row)?;
            // A first page that is not full is the whole list.
            let total = if page.offset == 0 && items.len() < usize::try_from(page.limit).unwrap_or(usize::MAX)
            {
                items.len() as u64
            } else {
                let counted = self.query_opt(count, params, |columns| columns.count())?;
                counted.unwrap_or(0)
            };
            Ok(Page { items, total })
        };
        if !self.connection.is_autocommit() {
            return read();
        }
        self.execute("BEGIN", [])?;
        let outcome = read();
        // Nothing was written; and an error may have ended it already.
        let ended = if self.connection.is_autocommit() {
            Ok(0)
        } else {
            self.execute("ROLLBACK", [])
        };
        outcome.and_then(|page| ended.map(|_| page))
    }

    /// Runs a statement; the number of rows it changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> StoreResult<u64> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        let changed = statement.execute(params).map_err(store_error)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    /// As [`Session::execute`], for a statement that writes references to `parents` (table, key column, key): when
    /// one does not exist the error names it, which SQLite does not.
    pub(crate) fn execute_referring(
        &self,
        sql: &str,
        params: impl Params,
        parents: &[(&'static str, &'static str, &str)],
    ) -> StoreResult<u64> {
        self.execute(sql, params)
            .map_err(|error| self.name_parent(error, parents))
    }

    /// As [`Session::execute_referring`], once for each of `items`, with the statement looked up once.
    pub(crate) fn execute_each<'a, T, P: Params>(
        &self,
        sql: &str,
        items: &'a [T],
        row: impl Fn(&'a T) -> P,
        parent: impl Fn(&'a T) -> (&'static str, &'static str, &'a str),
    ) -> StoreResult<()> {
        let mut statement = self.connection.prepare_cached(sql).map_err(store_error)?;
        for item in items {
            statement
                .execute(row(item))
                .map_err(|error| self.name_parent(store_error(error), &[parent(item)]))?;
        }
        Ok(())
    }

    /// `error`, or if it says that some row referred to does not exist, which one of `parents` that is.
    pub(crate) fn name_parent(
        &self,
        error: StoreError,
        parents: &[(&'static str, &'static str, &str)],
    ) -> StoreError {
        if !is_unnamed_foreign_key(&error) {
            return error;
        }
        for (table, column, key) in parents {
            // Both names are constants of this program.
            let sql = format!("SELECT 1 FROM {table} WHERE {column} = ?1");
            if let Ok(None) = self.query_opt(&sql, [key], |_| Ok(())) {
                return StoreError::missing(*table);
            }
        }
        error
    }

    /// Deletes the rows of `parent` that `sql` selects by `key`: when a row that refers to them forbids it, the error
    /// names the referring column.
    pub(crate) fn delete_referred(&self, sql: &str, parent: &'static str, key: &str) -> StoreResult<u64> {
        self.execute(sql, [key]).map_err(|error| {
            if !is_unnamed_foreign_key(&error) {
                return error;
            }
            let found = restricting_children(parent).find(|child| {
                let sql = format!("SELECT 1 FROM {} WHERE {} = ?1", child.child, child.column);
                matches!(self.query_opt(&sql, [key], |_| Ok(())), Ok(Some(())))
            });
            let child = found.or_else(|| restricting_children(parent).next());
            child.map_or(error, |child| {
                StoreError::conflict(format!("{}.{}", child.child, child.column))
            })
        })
    }

    /// Whether the file has this table.
    pub(crate) fn has_table(&self, name: &str) -> StoreResult<bool> {
        let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
        Ok(self.query_opt(sql, [name], |_| Ok(()))?.is_some())
    }

    /// Whether the table has this column. Both names are constants of this program. Preparing a statement that reads the column
    /// tells, and a prepared one is kept, and made anew when the schema changes: methods ask this every time.
    pub(crate) fn has_column(&self, table: &str, column: &str) -> StoreResult<bool> {
        let sql = format!("SELECT \"{table}\".\"{column}\" FROM \"{table}\" LIMIT 0");
        match self.query_opt(&sql, [], |_| Ok(())) {
            Ok(_) => Ok(true),
            Err(error) if is_unknown_name(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The table's columns; none if there is no such table.
    pub(crate) fn columns(&self, table: &str) -> StoreResult<Vec<String>> {
        let sql = "SELECT name FROM pragma_table_info(?1)";
        self.query(sql, [table], |columns| columns.text())
    }

    /// The zone that times without one are meant in.
    pub(crate) fn zone(&self) -> &LegacyZone {
        &self.zone
    }

    fn read_row<T>(
        &self,
        row: &Row<'_>,
        from_row: impl Fn(&mut Columns<'_>) -> StoreResult<T>,
    ) -> StoreResult<T> {
        from_row(&mut Columns::new(row, &self.zone))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::Poll;

    use super::*;

    async fn database() -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().unwrap();
        let settings = OpenSettings {
            create: true,
            ..OpenSettings::default()
        };
        let db = Database::open(&directory.path().join("test.db"), &settings).unwrap();
        db.write("test.make", |session| {
            session.execute("CREATE TABLE t (a INTEGER UNIQUE, b TEXT)", [])
        })
        .await
        .unwrap();
        (directory, db)
    }

    async fn count(db: &Database) -> u64 {
        let rows = db.read("test.count", |session| {
            session.query_opt("SELECT count(*) FROM t", [], |columns| columns.count())
        });
        rows.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_file_that_is_not_where_it_was_is_not_written() {
        let (directory, db) = database().await;
        let (path, aside) = (
            directory.path().join("test.db"),
            directory.path().join("aside.db"),
        );
        let insert = async || {
            db.write("test.insert", |session| {
                session.execute("INSERT INTO t (b) VALUES ('x')", [])
            })
            .await
        };
        let is_refused = |outcome: StoreResult<u64>| {
            let Err(StoreError::Unavailable(reason)) = outcome else {
                return false;
            };
            reason.to_string().contains("another was put in its place")
        };
        insert().await.unwrap();
        std::fs::rename(&path, &aside).unwrap();
        assert!(is_refused(insert().await));
        assert!(is_refused(db.ping().await.map(|()| 0)));
        std::fs::write(&path, "").unwrap();
        assert!(is_refused(insert().await));
        std::fs::rename(&aside, &path).unwrap();
        insert().await.unwrap();
        db.ping().await.unwrap();
        assert_eq!(count(&db).await, 2);
    }

    /// What is committed lies in the log at first: without its name it would be gone with the process.
    #[tokio::test]
    async fn a_file_whose_log_was_taken_away_is_not_written() {
        let (directory, made) = database().await;
        made.close().await;
        let (path, link) = (directory.path().join("test.db"), directory.path().join("link.db"));
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let db = Database::open(&link, &OpenSettings::default()).unwrap();
        let insert = async || {
            let sql = "INSERT INTO t (b) VALUES ('x')";
            db.write("test.insert", |session| session.execute(sql, [])).await
        };
        insert().await.unwrap();
        let (log, aside) = (side_file(&path, "-wal"), directory.path().join("aside"));
        std::fs::rename(&log, &aside).unwrap();
        for refused in [insert().await.map(drop), db.ping().await] {
            let told = refused.unwrap_err().to_string();
            assert!(told.contains("test.db-wal was removed"), "{told}");
        }
        std::fs::rename(&aside, &log).unwrap();
        insert().await.unwrap();
        assert_eq!(count(&db).await, 2);
    }

    #[tokio::test]
    async fn a_panic_is_rolled_back_and_the_next_job_is_done() {
        let (_directory, db) = database().await;
        let panicking = db.atomic("test.panic", |session| -> StoreResult<()> {
            session.execute("INSERT INTO t (b) VALUES ('x')", [])?;
            panic!("a test");
        });
        assert!(matches!(panicking.await, Err(StoreError::Unavailable(_))));
        assert_eq!(count(&db).await, 0);
        db.write("test.next", |session| {
            session.execute("INSERT INTO t (b) VALUES ('y')", [])
        })
        .await
        .unwrap();
        assert_eq!(count(&db).await, 1);
    }

    #[tokio::test]
    async fn a_statement_that_gives_rows_back_is_run_to_its_end() {
        let (_directory, db) = database().await;
        let outcome = db
            .write("test.returning", |session| {
                session.query_opt(
                    "INSERT INTO t (a, b) VALUES (NULL, 'n') RETURNING b",
                    [],
                    |columns| columns.text(),
                )
            })
            .await
            .unwrap();
        assert_eq!(outcome.as_deref(), Some("n"));
        // SQLite finds the missing parent at the statement's end, behind the row that it gives back.
        let orphan = db.write("test.orphan", |session| {
            session.execute("CREATE TABLE c (a INTEGER REFERENCES t (a))", [])?;
            session.query_opt("INSERT INTO c (a) VALUES (42) RETURNING a", [], |columns| {
                columns.count()
            })
        });
        assert!(matches!(orphan.await, Err(StoreError::Missing(_))));
    }

    #[tokio::test]
    async fn a_column_is_there_as_soon_as_somebody_adds_it_and_gone_with_it() {
        let (directory, db) = database().await;
        let has = async |table: &'static str, column: &'static str| {
            let asked = db.read("test.has", move |session| session.has_column(table, column));
            asked.await.unwrap()
        };
        assert!(has("t", "b").await);
        assert!(!has("t", "c").await);
        assert!(!has("nothing", "a").await);
        // Another program changes the file under statements that are prepared.
        let other = Connection::open(directory.path().join("test.db")).unwrap();
        other
            .execute_batch("ALTER TABLE t ADD COLUMN c TEXT; ALTER TABLE t DROP COLUMN b")
            .unwrap();
        for _ in 0..8 {
            assert!(has("t", "c").await);
            assert!(!has("t", "b").await);
        }
    }

    #[tokio::test]
    async fn a_kept_statement_is_planned_once_whatever_is_bound() {
        let (_directory, db) = database().await;
        let plans = db.read("test.plans", |session| {
            let sql = "SELECT a FROM t WHERE a > ?1 ORDER BY a LIMIT ?2 OFFSET ?3";
            for limit in 1..10 {
                session.query(sql, [limit, limit, limit], |columns| columns.count())?;
            }
            let statement = session.connection.prepare_cached(sql).map_err(store_error)?;
            Ok(statement.get_status(rusqlite::StatementStatus::RePrepare))
        });
        assert_eq!(plans.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_page_knows_the_length_of_the_list_with_or_without_counting() {
        let (_directory, db) = database().await;
        db.write("test.fill", |session| {
            session.execute("INSERT INTO t (a) VALUES (1), (2), (3)", [])
        })
        .await
        .unwrap();
        for (limit, offset, items) in [(2, 0, 2), (3, 0, 3), (4, 0, 3), (2, 2, 1), (2, 3, 0), (0, 0, 0)] {
            let page = db.read("test.page", move |session| {
                let sql = "SELECT a FROM t ORDER BY a LIMIT ?1 OFFSET ?2";
                let request = PageRequest { limit, offset };
                session.page(sql, "SELECT count(*) FROM t", &[], request, |columns| {
                    columns.count()
                })
            });
            let page = page.await.unwrap();
            assert_eq!((page.items.len(), page.total), (items, 3), "{limit} {offset}");
        }
    }

    /// Begins a call.
    async fn begin<F: Future>(mut call: Pin<&mut F>) {
        poll_fn(|context| {
            assert!(call.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_given_up_before_it_is_begun_is_not_done() {
        let (_directory, db) = database().await;
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let mut busy = pin!(db.write("test.busy", move |_| {
            wait.recv().unwrap_or_default();
            Ok(())
        }));
        begin(busy.as_mut()).await;
        {
            let insert = |session: &Session| session.execute("INSERT INTO t (a) VALUES (7)", []);
            begin(pin!(db.write("test.late", insert))).await;
        }
        drop(go_on);
        busy.await.unwrap();
        // What is asked behind it is done after it.
        db.write("test.next", |_| Ok(())).await.unwrap();
        assert_eq!(count(&db).await, 0);
    }

    #[tokio::test]
    async fn a_page_and_its_length_are_of_one_moment() {
        let (directory, db) = database().await;
        db.write("test.fill", |session| {
            session.execute("INSERT INTO t (a) VALUES (1), (2), (3)", [])
        })
        .await
        .unwrap();
        let other = Connection::open(directory.path().join("test.db")).unwrap();
        let page = db.read("test.page", move |session| {
            let sql = "SELECT a FROM t ORDER BY a LIMIT ?1 OFFSET ?2";
            let request = PageRequest { limit: 1, offset: 0 };
            session.page(sql, "SELECT count(*) FROM t", &[], request, |columns| {
                other.execute_batch("INSERT INTO t (b) VALUES ('x')").unwrap();
                columns.count()
            })
        });
        assert_eq!(page.await.unwrap().total, 3);
        let later = db.read("test.later", |session| {
            session.query_opt("SELECT count(*) FROM t", [], |columns| columns.count())
        });
        assert_eq!(later.await.unwrap(), Some(4), "the transaction is over");
    }

    #[tokio::test]
    async fn what_was_asked_before_closing_is_done_and_later_work_is_refused() {
        let (_directory, db) = database().await;
        let writes: Vec<_> = (0..50)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    db.write("test.write", |session| {
                        session.execute("INSERT INTO t (b) VALUES ('x')", [])
                    })
                    .await
                })
            })
            .collect();
        for write in writes {
            assert_eq!(write.await.unwrap().unwrap(), 1);
        }
        let clone = db.clone();
        db.close().await;
        let refused = clone
            .write("test.late", |session| session.execute("DELETE FROM t", []))
            .await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
}
