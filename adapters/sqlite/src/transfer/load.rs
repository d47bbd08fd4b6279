//! Rows into a table, a few megabytes a transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_domain::transfer::catalog::{ColumnKind, PgKind, TreeBound};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::name::{quoted, quoted_list};
use cutover_domain::transfer::outcome::Reject;
use cutover_domain::transfer::plan::{ColumnPlan, TablePlan};
use cutover_domain::transfer::rows::{Row, RowBatch};
use cutover_domain::transfer::survey::{RejectedRow, RowJudge, rejected_row};
use cutover_domain::transfer::value::Value;
use cutover_ports::transfer::{Care, Position, TableLoader, TableProgress, TransferError, TransferResult};
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::bound::Bound;
use super::connection::{Bracket, is_about_a_row};
use super::open::begin;
use super::own_tables;
use super::target::SqliteTarget;

/// Committed at once.
const COMMIT_BYTES: u64 = 16 * 1024 * 1024;

/// What a row says of a column that the file computes: the value it is computed to.
const SAME: i64 = 1;
/// Nothing.
const LEFT: i64 = 2;

/// What rows are loaded into, and how.
pub(super) struct Into {
    pub(super) target: SqliteTarget,
    pub(super) connection: Arc<Mutex<Connection>>,
    /// Whether the run was undone meanwhile.
    pub(super) undone: Arc<AtomicBool>,
    pub(super) bracket: Bracket,
    pub(super) care: Care,
    /// Whether the table may keep other values than it is given.
    pub(super) is_rtree: bool,
}

/// The load of a table.
pub(super) struct SqliteLoader {
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
pub(super) fn is_rtree(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
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
    /// Goes on from `progress`.
    pub(super) fn new(
        into: Into,
        plan: &TablePlan,
        converter: Converter,
        duplicates: &[u64],
        progress: TableProgress,
    ) -> Self {
        let work = LoadWork {
            insert: insert(plan, |_| false),
            zone: converter.zone.clone(),
            judge: RowJudge::new(plan, converter),
            without_zone: without_zone(plan),
            plan: plan.clone(),
            duplicates: duplicates.to_vec(),
            progress,
            uncommitted: 0,
            bracket: into.bracket,
            open: false,
            care: into.care,
            kept: into.is_rtree.then(|| Kept::new(plan)),
            refused: Vec::new(),
            computed: vec![0; plan.columns.len()],
        };
        Self {
            target: into.target,
            connection: into.connection,
            undone: into.undone,
            work: Some(Box::new(work)),
        }
    }

    async fn run(
        &mut self,
        step: impl FnOnce(&mut LoadWork, &Connection) -> Result<(), Stopped> + Send + 'static,
    ) -> TransferResult<TableProgress> {
        let Some(mut work) = self.work.take() else {
            return Err(TransferError::Failed("this load has failed before".to_owned()));
        };
        let (connection, undone) = (Arc::clone(&self.connection), Arc::clone(&self.undone));
        let result = begin(move || {
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
        })?;
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
            let left = if is_computed(plan, column) {
                String::new()
            } else {
                format!("WHEN ?{number} IS NULL THEN {LEFT} ")
            };
            format!(
                "CASE WHEN typeof({name}) = typeof(?{number}) AND {name} IS ?{number} COLLATE BINARY THEN {SAME} {left}ELSE 0 END"
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

/// Whether the source computes a column, too.
fn is_computed(plan: &TablePlan, column: &ColumnPlan) -> bool {
    let mut sources = plan.source.columns.iter();
    sources.any(|source| source.name == column.source && !source.writable())
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
        let planned = self.plan.columns.get(column);
        let remedy = if planned.is_some_and(|column| is_computed(&self.plan, column)) {
            "have PostgreSQL compute what the file does"
        } else {
            "give it that value or NULL"
        };
        Refusal {
            column: Some(column),
            message: format!(
                "the file computes this column, and to another value; {remedy}, or leave the column to the file altogether: \
                 ALTER TABLE {} DROP COLUMN {}",
                quoted(&self.plan.source.name),
                quoted(planned.map_or("", |column| &column.source))
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
}
