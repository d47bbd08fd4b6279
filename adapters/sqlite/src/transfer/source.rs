//! A SQLite file as a source: one snapshot, read on threads of its own.

use std::collections::HashSet;
use std::ffi::c_int;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use cutover_domain::transfer::catalog::{Catalog, Storage, Table};
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::survey::{Oddities, Offence};
use cutover_ports::transfer::{
    Batches, Range, Scan, TransferError, TransferResult, TransferSource, UnfinishedRun,
};
use rusqlite::{Connection, ErrorCode};
use tokio::sync::mpsc;

use super::open::{Reader, SourceFile, begin, blocking, unindexed};
use super::pages::Pages;
use super::{catalog, collations, named, own_tables, scan};

/// Batches read ahead: enough to keep reader and writer busy, few enough to stay small.
const BATCHES_AHEAD: usize = 4;
/// What Linux calls the nice value: about a tenth of what others get that want the same processor.
#[cfg(target_os = "linux")]
const BEHIND: i32 = 10;
/// How long a scan waits for a connection that another one uses.
const POOL_PATIENCE: Duration = Duration::from_mins(10);

/// A snapshot of a SQLite file.
#[derive(Debug)]
pub struct SqliteSource {
    file: Arc<SourceFile>,
    pool: Arc<Pool>,
    /// The snapshot's pages, if a scan may read them itself.
    pages: Option<Pages>,
}

impl SqliteSource {
    /// Opens the file and begins a read transaction on `readers` connections, all on the same snapshot. That many scans and
    /// checks can run at once.
    pub async fn open(path: &Path, busy_timeout: Duration, readers: usize) -> TransferResult<Self> {
        let path = path.to_owned();
        blocking(move || {
            let file = SourceFile::new(&path, busy_timeout)?;
            let connections = file.snapshot(readers)?;
            let pages = connections.first().and_then(|connection| file.pages(connection));
            let pool = Pool {
                free: Mutex::new(connections),
                returned: Condvar::new(),
            };
            Ok(Self {
                file: Arc::new(file),
                pool: Arc::new(pool),
                pages,
            })
        })
        .await
    }

    /// Runs `work` on a thread of its own with one of the snapshot's connections, as soon as one is free.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let pool = Arc::clone(&self.pool);
        let result = begin(move || with_connection(pool, work))?;
        self.outcome(result.await.ok().flatten())
    }

    /// As [`Self::run`], by a thread that makes way for all others, where a thread can.
    async fn run_behind<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> TransferResult<T> {
        let pool = Arc::clone(&self.pool);
        let result = begin(move || {
            #[cfg(target_os = "linux")]
            rustix::process::setpriority_process(None, BEHIND).unwrap_or_default();
            with_connection(pool, work)
        })?;
        self.outcome(result.await.ok().flatten())
    }

    /// What came of work on a thread; none if it had no connection, or the thread stopped.
    fn outcome<T>(&self, result: Option<rusqlite::Result<T>>) -> TransferResult<T> {
        let result = result.ok_or_else(stopped)?;
        result.map_err(|error| self.file.error(&error))
    }
}

/// Does `work` with one of the connections as soon as one is free.
fn with_connection<T>(pool: Arc<Pool>, work: impl FnOnce(&Connection) -> T) -> Option<T> {
    let connection = pool.take()?;
    let result = work(&connection);
    pool.put(connection);
    // Whoever learns of the end may be the last one, and leaves no connection open.
    drop(pool);
    Some(result)
}

/// The connections that nobody uses.
#[derive(Debug)]
struct Pool {
    free: Mutex<Vec<Reader>>,
    returned: Condvar,
}

impl Pool {
    /// None if all connections stay in use: more scans at once than the snapshot was opened for.
    fn take(&self) -> Option<Reader> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .returned
            .wait_timeout_while(free, POOL_PATIENCE, |free| free.is_empty());
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        free.pop()
    }

    fn put(&self, connection: Reader) {
        self.free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        self.returned.notify_one();
    }
}

/// The error, and in which table it was met.
fn within(error: TransferError, table: &str) -> TransferError {
    match error {
        TransferError::Unreachable(text) => TransferError::Unreachable(format!(
            "{text} (while reading the table {table}, which --exclude leaves out)"
        )),
        other => other,
    }
}

fn stopped() -> TransferError {
    TransferError::Failed("the file is read by too many at once, or a reading thread has stopped".to_owned())
}

#[async_trait]
impl TransferSource for SqliteSource {
    fn describe(&self) -> String {
        self.file.path().display().to_string()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        self.run(catalog::read).await
    }

    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>> {
        self.run(own_tables::unfinished).await
    }

    async fn check(&self, left_out: &[String]) -> TransferResult<Vec<String>> {
        let left_out = left_out.to_vec();
        let work = move |connection: &Connection| damage(connection, &left_out);
        let damage = self.run_behind(work).await?;
        match (damage.tables.first(), damage.unread) {
            (None, None) => {
                let mut indexes = damage.indexes;
                // Of each index once, however many of its pages are damaged.
                let mut told = HashSet::new();
                indexes.retain(|line| told.insert(index_of(line).to_owned()));
                Ok(indexes)
            }
            (None, Some((table, error))) => Err(within(self.file.error(&error), &table)),
            (Some(first), _) => Err(TransferError::Unreachable(format!(
                "cannot read {}: the file is corrupt ({first}); restore it from a backup, or recover it with sqlite3's .recover",
                self.describe()
            ))),
        }
    }

    async fn ranges(&self, table: &Table) -> TransferResult<Vec<Range>> {
        let whole = vec![Range::default()];
        let Storage::Rowid { alias: Some(alias) } = table.storage else {
            return Ok(whole);
        };
        if table.module.is_some() {
            return Ok(whole);
        }
        // Each alone, SQLite finds at the end of the table; both at once it looks for in every row.
        let table_name = quoted(&table.name);
        let sql = format!(
            "SELECT (SELECT min({alias}) FROM {table_name} NOT INDEXED), (SELECT max({alias}) FROM {table_name} NOT INDEXED)"
        );
        let ends: (Option<i64>, Option<i64>) = self
            .run(move |connection| connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?))))
            .await
            .map_err(|error| within(error, &table.name))?;
        Ok(match ends {
            (Some(first), Some(last)) => ranges(first, last),
            _ => whole,
        })
    }

    async fn oddities(&self, table: &Table) -> TransferResult<Oddities> {
        let name = table.name.clone();
        let table = table.clone();
        self.run(move |connection| {
            Ok(Oddities {
                orphans: orphans(connection, &table)?,
                alike: alike_keys(connection, &table)?,
                ..Oddities::default()
            })
        })
        .await
        .map_err(|error| within(error, &name))
    }

    async fn scan(&self, scan: Scan) -> TransferResult<Box<dyn Batches>> {
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let (pool, file) = (Arc::clone(&self.pool), Arc::clone(&self.file));
        let pages = self.pages.clone();
        let table = scan.table.name.clone();
        // The thread ends by itself when the receiver goes away.
        let reading = begin(move || {
            let outcome = with_connection(pool, |connection| {
                let sender = sender.clone();
                scan::read(connection, pages.as_ref(), &scan, move |batch| {
                    sender.blocking_send(Ok(Some(batch))).is_ok()
                })
            });
            let end = match outcome {
                Some(Ok(())) => Ok(None),
                Some(Err(error)) => Err(within(file.error(&error), &scan.table.name)),
                None => Err(stopped()),
            };
            drop(file);
            // When the connection has been put back.
            sender.blocking_send(end).unwrap_or_default();
        })?;
        drop(reading);
        Ok(Box::new(SqliteBatches { receiver, table }))
    }
}

/// Rows whose parents are missing.
fn orphans(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<Offence>> {
    let mut orphans = Vec::new();
    for key in &table.foreign_keys {
        let (rows, first) = named::orphans(connection, table, key)?;
        if rows > 0 {
            orphans.push(Offence {
                about: key.title(),
                rows,
                first,
            });
        }
    }
    Ok(orphans)
}

/// Keys of one column whose texts differ by the case of A to Z only: two rows here, and to a program that folds case one.
fn alike_keys(connection: &Connection, table: &Table) -> rusqlite::Result<Vec<Offence>> {
    let mut alike = Vec::new();
    for key in table.primary_key.iter().chain(&table.uniques) {
        let [column] = key.columns.as_slice() else {
            continue;
        };
        let (name, column) = (quoted(&table.name), quoted(column));
        let how = unindexed(connection, &table.name)?;
        let sql = format!(
            "SELECT lower({column}), count(*) FROM main.{name} {how} WHERE typeof({column}) = 'text'
             GROUP BY 1 HAVING count(*) > 1 ORDER BY 1"
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut offence = Offence {
            about: key.columns.join(", "),
            rows: 0,
            first: vec![],
        };
        while let Some(row) = rows.next()? {
            offence.rows += u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
            if offence.first.len() < named::NAMED {
                let text = row.get_ref(0)?.as_bytes().unwrap_or_default();
                offence.first.push(String::from_utf8_lossy(text).into_owned());
            }
        }
        if offence.rows > 0 {
            alike.push(offence);
        }
    }
    Ok(alike)
}

/// A table is divided into so many ranges, if it may have this many rows.
const RANGES: i128 = 8;
const ROWS_DIVIDED: i128 = 100_000;

fn ranges(first: i64, last: i64) -> Vec<Range> {
    let span = i128::from(last) - i128::from(first);
    if span < ROWS_DIVIDED {
        return vec![Range::default()];
    }
    // Within the span, so within 64 bits.
    let end = |number: i128| i64::try_from(i128::from(first) + span * number / RANGES).unwrap_or(last);
    (0..RANGES)
        .map(|number| Range {
            after: (number > 0).then(|| end(number)),
            up_to: (number + 1 < RANGES).then(|| end(number + 1)),
        })
        .collect()
}

/// What a thread has read of a table. It tells of the end: a thread that is gone without a word has not come to it.
struct SqliteBatches {
    receiver: mpsc::Receiver<TransferResult<Option<RowBatch>>>,
    table: String,
}

#[async_trait]
impl Batches for SqliteBatches {
    async fn next(&mut self) -> TransferResult<Option<RowBatch>> {
        let told = self.receiver.recv().await;
        told.unwrap_or_else(|| Err(TransferError::cut_short(&self.table)))
    }
}

/// What `quick_check` finds wrong with the file.
#[derive(Debug, Default)]
struct Damage {
    /// What makes reading unsafe.
    tables: Vec<String>,
    /// Indexes that cannot be read, or disagree with their tables. Rows are read from the tables only, so that nothing is lost by it.
    indexes: Vec<String>,
    /// The first table that cannot be looked through at all, as one with functions of the application in it.
    unread: Option<(String, rusqlite::Error)>,
}

/// So many things a check may have to say of the file as a whole.
const COMPLAINTS: i64 = 1_000_000;

const ABOUT_VALUES: [&str; 6] = [
    "ok",
    "*** in database ",
    "NULL value in ",
    "NUMERIC value in ",
    "TEXT value in ",
    "non-",
];
const ABOUT_INDEXES: [&str; 2] = ["wrong # of entries in index ", "malformed inverted index "];

/// What is wrong with the file, but for what is left out of the copy. A virtual table's module has a say in the check, and that it cannot open
/// its table (for want of a tokenizer that only the application has) or finds its index wrong is no damage of what holds the rows: then it is
/// left out as well. A page of an index is missed by the file as a whole, which then knows no use of the pages below it; what the tables say of
/// themselves counts.
fn damage(connection: &Connection, left_out: &[String]) -> rusqlite::Result<Damage> {
    let whole = check_pages(connection);
    if whole.as_ref().is_ok_and(|damage| damage.tables.is_empty()) {
        return whole;
    }
    let sql = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type <> 'view'";
    let mut listed: Vec<(String, String)> = connection
        .prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    // Nobody can say anything of what is left out because nobody can read it.
    let is_listed = |name: &String| listed.iter().any(|(listed, _)| listed == name);
    let (before, is_whole) = (listed.len(), left_out.iter().all(is_listed));
    listed.retain(|(name, kind)| {
        let is_part = |whole: &String| {
            let rest = name.strip_prefix(whole.as_str());
            rest.is_some_and(|rest| rest.is_empty() || (kind == "shadow" && rest.starts_with('_')))
        };
        kind != "virtual" && !left_out.iter().any(is_part)
    });
    let is_partial = !is_whole || listed.len() < before;
    let mut damage = Damage::default();
    for (name, _) in listed {
        match check(connection, &format!("PRAGMA quick_check({})", quoted(&name))) {
            Ok(one) => {
                damage.tables.extend(one.tables);
                damage.indexes.extend(one.indexes);
            }
            Err(error) => damage.unread = damage.unread.or(Some((name, error))),
        }
    }
    let is_of_indexes = whole.as_ref().is_ok_and(|whole| {
        let mut lines = whole.tables.iter();
        !whole.indexes.is_empty() && lines.all(|line| line.ends_with(": never used"))
    });
    // What no table has is wrong with the file as a whole.
    if is_partial || is_of_indexes || damage.unread.is_some() {
        Ok(damage)
    } else {
        whole
    }
}

/// What is wrong with the file as a whole.
///
/// When the check is through with the pages, it looks at every row for values that break a NOT NULL or a type. Those are data, and surveyed:
/// there it is broken off, and takes half the time. It looks at a page once, or has something to say of it, so that it is through after so
/// many steps. Virtual tables come behind the rows.
fn check_pages(connection: &Connection) -> rusqlite::Result<Damage> {
    let sql = "SELECT page_count, EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND rootpage = 0) FROM pragma_page_count";
    let (pages, any_virtual): (i64, bool) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let steps = c_int::try_from(pages.saturating_add(2 * COMPLAINTS + 1000)).ok();
    if let Some(steps) = steps.filter(|_| !any_virtual) {
        connection.progress_handler(steps, Some(|| true))?;
    }
    let damage = check(connection, &format!("PRAGMA quick_check({COMPLAINTS})"));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    damage
}

/// What a check tells. It also tells of rows that break a NOT NULL or a type: those are data, and surveyed.
fn check(connection: &Connection, pragma: &str) -> rusqlite::Result<Damage> {
    let mut statement = connection.prepare(pragma)?;
    let mut rows = statement.query([])?;
    let mut damage = Damage::default();
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => break,
            // It stumbles over what it has just told of.
            Err(_) if !damage.tables.is_empty() => break,
            Err(error) => return Err(error),
        };
        let text = catalog::lossy_text(row, 0)?;
        for line in text.lines() {
            let begins = |starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
            if begins(&ABOUT_VALUES) || is_of_foreign_order(connection, line)? {
                continue;
            }
            let (line, is_index) = named_tree(connection, line)?;
            if is_index || begins(&ABOUT_INDEXES) {
                damage.indexes.push(line);
            } else if damage.tables.len() < 10 {
                damage.tables.push(line);
            }
        }
    }
    Ok(damage)
}

/// The index that a line is about: `index by_w: Tree 4 …`, `wrong # of entries in index by_w`.
fn index_of(line: &str) -> &str {
    match line.strip_prefix("index ") {
        Some(rest) => rest.split(": Tree ").next().unwrap_or(rest),
        None => line.rsplit_once(" index ").map_or(line, |(_, name)| name),
    }
}

/// Whether a line complains about the order of a key whose collation only the program that made the file has: it is not the stand-in's.
fn is_of_foreign_order(connection: &Connection, line: &str) -> rusqlite::Result<bool> {
    match line.strip_prefix("row not in PRIMARY KEY order for ") {
        Some(table) => Ok(!collations::out_of_order(connection, table)?.is_empty()),
        None => Ok(false),
    }
}

/// `Tree 5 page 9: …` speaks of the table or index whose root is page 5: the line with its name, and whether it is an index. What holds the rows
/// of a table without rowids is a table.
fn named_tree(connection: &Connection, line: &str) -> rusqlite::Result<(String, bool)> {
    let root = line
        .strip_prefix("Tree ")
        .and_then(|rest| rest.split(' ').next()?.parse::<i64>().ok());
    let mut statement =
        connection.prepare_cached("SELECT type, name FROM sqlite_schema WHERE rootpage = ?1")?;
    let mut named = statement.query([root])?;
    let Some(row) = named.next()? else {
        return Ok((line.to_owned(), false));
    };
    let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
    Ok((format!("{kind} {name}: {line}"), kind == "index"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_is_gone_is_no_end_of_its_table() {
        let (sender, receiver) = mpsc::channel(1);
        let mut batches = SqliteBatches {
            receiver,
            table: "t".to_owned(),
        };
        sender.send(Ok(Some(RowBatch::new(1, 0)))).await.unwrap();
        drop(sender);
        assert!(matches!(batches.next().await, Ok(Some(_))));
        let stopped = batches.next().await.map(|_| "batch");
        assert!(
            matches!(&stopped, Err(TransferError::Failed(text)) if text.contains("the table t ")),
            "{stopped:?}"
        );
    }

    /// As where the system grants the runtime no thread.
    #[test]
    fn reading_takes_no_thread_of_the_runtime() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.db");
        let made = Connection::open(&path).unwrap();
        made.execute_batch("CREATE TABLE t (a)").unwrap();
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).enable_time().build().unwrap();
        runtime.block_on(async {
            let (sender, held) = std::sync::mpsc::channel::<()>();
            drop(tokio::task::spawn_blocking(move || held.recv()));
            let read = async {
                let source = SqliteSource::open(&path, Duration::ZERO, 1).await?;
                source.catalog().await
            };
            let catalog = tokio::time::timeout(Duration::from_secs(10), read).await;
            drop(sender);
            assert_eq!(catalog.unwrap().unwrap().tables.len(), 1);
        });
    }

    #[test]
    fn ranges_are_the_whole_table_without_gap_or_overlap() {
        for (first, last) in [(0, 5), (1, 1_000_000), (-3, 999_999), (i64::MIN, i64::MAX)] {
            let ranges = ranges(first, last);
            assert_eq!(ranges[0].after, None);
            assert_eq!(ranges[ranges.len() - 1].up_to, None);
            for pair in ranges.windows(2) {
                assert_eq!(pair[0].up_to, pair[1].after);
                assert!(pair[0].up_to.is_some_and(|end| (first..last).contains(&end)));
            }
        }
    }
}
