//! The survey: every value of the source is looked at before the target is touched, in the way in which it will be loaded.

use std::collections::{BTreeMap, HashSet};

use super::blanks::Blanks;
use super::catalog::{Affinity, ColumnKind, Engine, PgKind, TreeBound};
use super::convert::Converter;
use super::evidence::Evidence;
use super::kept::keeps;
use super::outcome::{Normalised, Reject};
use super::plan::{ColumnPlan, TablePlan};
use super::rendering::Rendering;
use super::rows::{ContentSum, Fingerprint, Row, RowBatch};
use super::value::{StorageClass, Value};
use super::width::RowWidth;

/// How many rejects are named; all are counted.
pub const NAMED_REJECTS: usize = 20;

/// What a survey found in one table, or in a part of it.
#[derive(Debug, Clone, Default)]
pub struct TableSurvey {
    /// Rows.
    pub rows: u64,
    /// Bytes of text and blobs, and eight for every other value.
    pub bytes: u64,
    /// What tells whether the table has changed; the order in which its rows came plays no part.
    pub content: ContentSum,
    /// Rows that the target cannot hold.
    pub rejected: u64,
    /// The first of them.
    pub rejects: Vec<RejectedRow>,
    /// Rows whose key came before, by their place in the scan, ascending.
    pub duplicates: Vec<u64>,
    /// The largest rowid.
    pub max_rowid: Option<i64>,
    /// Places in the scan, about every half megabyte, with what lies between.
    pub marks: Vec<Mark>,
    columns: Vec<ColumnSurvey>,
}

/// A place in a scan of rows that are named by their rowid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The last row before it.
    pub rowid: i64,
    /// Rows since the mark before.
    pub rows: u64,
    /// Bytes since the mark before.
    pub bytes: u64,
}

#[derive(Debug, Clone, Default)]
struct ColumnSurvey {
    classes: [bool; 5],
    normalised: [u64; Normalised::ALL.len()],
    /// Of a column whose type is still to be chosen.
    evidence: Option<Evidence>,
}

/// A row that the target cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RejectedRow {
    /// The table.
    pub table: String,
    /// The column that decided; empty if it is about the whole row.
    pub column: String,
    /// The row: its key as `id = "x"`, or its rowid, or its place in the table.
    pub key: String,
    /// Why.
    pub reason: String,
}

/// What a look at several rows tells of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Oddities {
    /// Rows whose parents are missing, by foreign key.
    pub orphans: Vec<Offence>,
    /// Foreign keys of which nobody knows, because their parents are left out and not read.
    pub not_looked_at: Vec<String>,
    /// Rows whose keys differ by the case of letters only.
    pub alike: Vec<Offence>,
}

/// Rows that something can be said of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Offence {
    /// The foreign key, or the key.
    pub about: String,
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub first: Vec<String>,
}

impl TableSurvey {
    /// The storage classes of a column's values, NULL aside.
    pub fn classes_of(&self, column: usize) -> Vec<StorageClass> {
        let seen = self
            .columns
            .get(column)
            .map_or([false; 5], |column| match &column.evidence {
                Some(evidence) => {
                    let [null, integer, real, text, blob] = evidence.classes().map(|count| count > 0);
                    [null, integer, real, text || evidence.blank() > 0, blob]
                }
                None => column.classes,
            });
        StorageClass::ALL
            .into_iter()
            .zip(seen)
            .skip(1)
            .filter(|(_, seen)| *seen)
            .map(|(class, _)| class)
            .collect()
    }

    /// What the values of a column prove, if its type is still to be chosen.
    pub fn evidence(&self, column: usize) -> Option<&Evidence> {
        self.columns.get(column)?.evidence.as_ref()
    }

    /// Whether a column holds a NULL, or what becomes one.
    pub fn has_null(&self, column: usize) -> bool {
        let column = self.columns.get(column);
        column.is_some_and(|column| match &column.evidence {
            Some(evidence) => evidence.classes()[0] > 0 || evidence.blank() > 0,
            None => column.classes[0],
        })
    }

    /// Keeps what an earlier look at the same rows has shown of columns whose types were chosen since.
    pub fn keep_evidence(&mut self, first: Self) {
        for (column, first) in self.columns.iter_mut().zip(first.columns) {
            column.evidence = first.evidence;
        }
    }

    /// Forgets a column that is left out.
    pub fn drop_column(&mut self, column: usize) {
        if column < self.columns.len() {
            self.columns.remove(column);
        }
    }

    /// Adds the part of the table that comes behind this one.
    pub fn append(&mut self, next: Self) {
        self.rows += next.rows;
        self.bytes += next.bytes;
        self.content.merge(next.content);
        self.rejected += next.rejected;
        let room = NAMED_REJECTS.saturating_sub(self.rejects.len());
        self.rejects.extend(next.rejects.into_iter().take(room));
        self.duplicates.extend(next.duplicates);
        self.max_rowid = self.max_rowid.max(next.max_rowid);
        self.marks.extend(next.marks);
        for (column, next) in self.columns.iter_mut().zip(next.columns) {
            for (seen, next) in column.classes.iter_mut().zip(next.classes) {
                *seen |= next;
            }
            for (count, next) in column.normalised.iter_mut().zip(next.normalised) {
                *count += next;
            }
            if let (Some(evidence), Some(next)) = (&mut column.evidence, &next.evidence) {
                evidence.merge(next);
            }
        }
    }

    /// The values stored in another spelling, by column and kind.
    pub fn normalised(&self, plan: &TablePlan) -> BTreeMap<String, BTreeMap<Normalised, u64>> {
        let counts = |column: &ColumnSurvey| -> BTreeMap<Normalised, u64> {
            Normalised::ALL
                .into_iter()
                .zip(column.normalised)
                .filter(|(_, count)| *count > 0)
                .collect()
        };
        let named = plan
            .columns
            .iter()
            .zip(&self.columns)
            .map(|(plan, column)| (plan.target.clone(), counts(column)));
        named.filter(|(_, counts)| !counts.is_empty()).collect()
    }
}

/// Judges rows as the target will, and writes them in its form.
#[derive(Debug)]
pub struct RowJudge {
    columns: Vec<JudgedColumn>,
    /// Fields of a row of binary COPY: one a column, and one for each class.
    fields: i16,
    /// None if every row fits a page.
    width: Option<RowWidth>,
    converter: Converter,
    engine: Engine,
    takes_stored_text: bool,
}

#[derive(Debug, Clone)]
struct JudgedColumn {
    /// None: to be decided by the values, or not for PostgreSQL.
    kind: Option<PgKind>,
    rendering: Option<Rendering>,
    blanks: Blanks,
    /// Of a column of SQLite: what it keeps of what it is given.
    keeping: Keeping,
    /// Whether an R-Tree keeps 32 bits of a number there.
    is_bound: bool,
    not_null: bool,
}

impl RowJudge {
    /// For the rows of a table.
    pub fn new(plan: &TablePlan, converter: Converter) -> Self {
        let columns = plan.columns.iter().map(|column| JudgedColumn {
            kind: match &column.kind {
                Some(ColumnKind::Postgres(kind)) => Some(kind.kind),
                Some(ColumnKind::Sqlite { .. }) | None => None,
            },
            rendering: column.rendering.clone(),
            blanks: column.blanks,
            keeping: Keeping::of(plan, column),
            is_bound: column.bound.is_some(),
            not_null: column.not_null,
        });
        let fields = plan.target_columns().len();
        Self {
            columns: columns.collect(),
            fields: i16::try_from(fields).unwrap_or(i16::MAX),
            width: RowWidth::of(plan),
            converter,
            engine: plan.engine,
            takes_stored_text: plan.takes_stored_text,
        }
    }

    /// Appends the row to `out` in the form of a binary COPY (nothing for a SQLite target), or says which column refuses it; then
    /// `out` is as it was.
    pub fn judge(
        &self,
        batch: &RowBatch,
        row: Row<'_>,
        out: &mut Vec<u8>,
        mut note: impl FnMut(usize, Normalised),
    ) -> Result<(), (usize, Reject)> {
        let mut refused = batch.refused().iter().filter(|refused| refused.row == row.at());
        if let Some(refused) = refused.find(|refused| !self.takes(row.value(refused.column))) {
            return Err((refused.column, refused.reason));
        }
        let start = out.len();
        if self.engine == Engine::Postgres {
            out.extend_from_slice(&self.fields.to_be_bytes());
        }
        for (at, column) in self.columns.iter().enumerate() {
            match self.field(column, row.value(at), out) {
                Ok(None) => {}
                Ok(Some(normalised)) => note(at, normalised),
                Err(reject) => {
                    out.truncate(start);
                    return Err((at, reject));
                }
            }
        }
        if let Some(width) = &self.width
            && !width.fits(out.get(start..).unwrap_or_default())
        {
            out.truncate(start);
            return Err((0, Reject::RowTooWide));
        }
        Ok(())
    }

    /// Whether the target takes a value that the source could not express: text as a file stores it.
    fn takes(&self, value: Value<'_>) -> bool {
        self.takes_stored_text && matches!(value, Value::Text(_))
    }

    fn field(
        &self,
        column: &JudgedColumn,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Normalised>, Reject> {
        if column.not_null && value == Value::Null {
            return Err(Reject::NullNotAllowed);
        }
        if !column.blanks.is_none() && self.engine == Engine::Postgres && column.kind.is_some() {
            if let Some(blank) = column.blanks.of(value) {
                self.plain_field(column, Value::Null, out)?;
                return Ok(column.blanks.loss(blank));
            }
            // A NULL that comes back as a text is none.
            if value == Value::Null && column.blanks.back().is_some() {
                return Err(Reject::Changed);
            }
        }
        self.plain_field(column, value, out)
    }

    fn plain_field(
        &self,
        column: &JudgedColumn,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Normalised>, Reject> {
        match (self.engine, &column.rendering, column.kind) {
            (Engine::Postgres, Some(rendering), _) => rendering.encode(value, out).map(|()| None),
            (Engine::Postgres, None, Some(kind)) => self.converter.encode(kind, value, out),
            (Engine::Sqlite, ..) if !column.keeping.keeps(value) => Err(Reject::Changed),
            (Engine::Sqlite, ..) if column.is_bound && is_rounded(value) => {
                Ok(Some(Normalised::BoundOf32Bits))
            }
            // A column yet to be made waits for its type.
            _ => Ok(None),
        }
    }
}

/// What a column of SQLite is to keep of a value.
#[derive(Debug, Clone, Copy)]
enum Keeping {
    /// It keeps whatever comes, or is none of SQLite.
    All,
    /// Class and bytes: a rendering promises each value as it was, and another file has them.
    AsStored(Affinity),
    /// What a value of this type means.
    Meaning(Affinity, PgKind),
}

impl Keeping {
    fn of(plan: &TablePlan, column: &ColumnPlan) -> Self {
        let mut sources = plan.source.columns.iter();
        let source = sources.find(|source| source.name == column.source);
        let (Some(ColumnKind::Sqlite { affinity, .. }), Some(source)) = (&column.kind, source) else {
            return Self::All;
        };
        let is_rendered = source
            .made_for
            .as_ref()
            .is_some_and(|made| made.rendering.is_some());
        match &source.kind {
            _ if is_rendered => Self::AsStored(*affinity),
            // A table that the copy makes gets its types when the rows are there.
            _ if plan.created => Self::All,
            ColumnKind::Postgres(ty) => Self::Meaning(*affinity, ty.kind),
            ColumnKind::Sqlite { .. } => Self::AsStored(*affinity),
        }
    }

    fn keeps(self, value: Value<'_>) -> bool {
        match self {
            Self::All => true,
            Self::AsStored(affinity) => !affinity.changes(value),
            Self::Meaning(affinity, kind) => keeps(affinity, kind, value),
        }
    }
}

fn is_rounded(value: Value<'_>) -> bool {
    matches!(value, Value::Real(number) if TreeBound::rounds(number))
}

/// Surveys one table.
#[derive(Debug)]
pub struct Surveyor<'a> {
    plan: &'a TablePlan,
    judge: RowJudge,
    /// Whether there is anything to judge.
    judges: bool,
    keys: Vec<UnprovenKey>,
    row: Vec<u8>,
    found: TableSurvey,
}

/// The hashes of a key's values so far. Two hashes of 64 bits: two different keys that look alike would refuse a good row.
#[derive(Debug)]
struct UnprovenKey {
    columns: Vec<usize>,
    seen: HashSet<(Fingerprint, u64)>,
}

impl<'a> Surveyor<'a> {
    /// Begins.
    pub fn new(plan: &'a TablePlan, converter: Converter) -> Self {
        let keys = plan.unproven_keys.iter();
        let columns = plan.columns.iter().map(|column| {
            let undecided = column.kind.is_none() && plan.engine == Engine::Postgres;
            let source = plan
                .source
                .columns
                .iter()
                .find(|source| source.name == column.source);
            ColumnSurvey {
                evidence: source
                    .filter(|_| undecided)
                    .map(|source| Evidence::in_table(source, &plan.source).without(column.blanks)),
                ..ColumnSurvey::default()
            }
        });
        Self {
            plan,
            judge: RowJudge::new(plan, converter),
            judges: plan.columns.iter().any(|column| column.kind.is_some()) || !plan.unproven_keys.is_empty(),
            keys: keys
                .map(|columns| UnprovenKey {
                    columns: columns.clone(),
                    seen: HashSet::new(),
                })
                .collect(),
            row: Vec::new(),
            found: TableSurvey {
                columns: columns.collect(),
                ..TableSurvey::default()
            },
        }
    }

    /// Looks at the next rows.
    pub fn add(&mut self, batch: &RowBatch) {
        let rows = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.found.rows += rows;
        self.found.bytes += batch.size();
        let mut last = None;
        for row in batch.rows() {
            last = row.rowid();
            self.found.content.add(row);
            for (column, value) in self.found.columns.iter_mut().zip(row.values()) {
                match &mut column.evidence {
                    Some(evidence) => evidence.observe(value),
                    None => column.classes[class_index(value.class())] = true,
                }
            }
            if self.judges || !batch.refused().is_empty() {
                self.judge(batch, row);
            }
        }
        if let Some(rowid) = last {
            self.found.max_rowid = self.found.max_rowid.max(Some(rowid));
            self.found.marks.push(Mark {
                rowid,
                rows,
                bytes: batch.size(),
            });
        }
    }

    fn judge(&mut self, batch: &RowBatch, row: Row<'_>) {
        self.row.clear();
        let columns = &mut self.found.columns;
        let note = |at: usize, normalised: Normalised| {
            if let Some(column) = columns.get_mut(at) {
                column.normalised[normalised_index(normalised)] += 1;
            }
        };
        let outcome = self
            .judge
            .judge(batch, row, &mut self.row, note)
            .and_then(|()| self.prove_keys(row));
        if let Err((column, reject)) = outcome {
            self.reject(row, column, reject);
        }
    }

    fn prove_keys(&mut self, row: Row<'_>) -> Result<(), (usize, Reject)> {
        for key in &mut self.keys {
            let Some(hash) = key_hash(row, &key.columns) else {
                continue;
            };
            if !key.seen.insert(hash) {
                self.found.duplicates.push(row.ordinal());
                return Err((key.columns.first().copied().unwrap_or(0), Reject::DuplicateKey));
            }
        }
        Ok(())
    }

    fn reject(&mut self, row: Row<'_>, column: usize, reject: Reject) {
        self.found.rejected += 1;
        if self.found.rejects.len() < NAMED_REJECTS {
            self.found
                .rejects
                .push(rejected_row(self.plan, row, column, reject));
        }
    }

    /// What was found.
    pub fn finish(self) -> TableSurvey {
        self.found
    }
}

/// None if a part is NULL: such rows are never alike.
fn key_hash(row: Row<'_>, columns: &[usize]) -> Option<(Fingerprint, u64)> {
    let mut hash = Fingerprint::default();
    let mut length = 0;
    for column in columns {
        let value = row.value(*column);
        // 1 and 1.0 are one key to both databases; the same bytes as numbers of two kinds, as a text and as a blob are several.
        let value = match value {
            Value::Real(number) => super::numbers::whole(number).map_or(value, Value::Integer),
            other => other,
        };
        hash.add_bytes(value.class().as_str().as_bytes());
        match value {
            Value::Null => return None,
            Value::Integer(number) => hash.add_bytes(&number.to_le_bytes()),
            Value::Real(number) => hash.add_bytes(&number.to_le_bytes()),
            Value::Text(bytes) | Value::Blob(bytes) => {
                length += u64::try_from(bytes.len()).unwrap_or(0);
                hash.add_bytes(bytes);
            }
        }
    }
    Some((hash, length))
}

/// A row for a message.
pub fn rejected_row(plan: &TablePlan, row: Row<'_>, column: usize, reject: Reject) -> RejectedRow {
    RejectedRow {
        table: plan.target.clone(),
        column: plan
            .columns
            .get(column)
            .filter(|_| reject != Reject::RowTooWide)
            .map(|column| column.target.clone())
            .unwrap_or_default(),
        key: key_text(plan, row),
        reason: match (reject, type_of(plan, column)) {
            (Reject::UnknownType, Some(name)) => format!("{reject}: {name}"),
            _ => reject.to_string(),
        },
    }
}

/// PostgreSQL's type of a column, on whichever side it is.
fn type_of(plan: &TablePlan, column: usize) -> Option<&str> {
    let column = plan.columns.get(column)?;
    let source = plan
        .source
        .columns
        .iter()
        .find(|source| source.name == column.source);
    match (source.and_then(|source| source.pg_type()), column.kind.as_ref()) {
        (Some(kind), _) | (None, Some(ColumnKind::Postgres(kind))) => Some(&kind.name),
        _ => None,
    }
}

/// The row's first key without NULL, by the source or, if it has none, by the target; else its rowid; else its place in the table.
pub fn key_text(plan: &TablePlan, row: Row<'_>) -> String {
    let place = |name: &String| plan.columns.iter().position(|column| column.source == *name);
    let text = |places: Vec<usize>| -> Option<String> {
        let parts = places.into_iter().map(|at| {
            let name = &plan.columns.get(at)?.source;
            let kind = plan.source.columns.iter().find(|column| column.name == *name);
            let kind = kind.and_then(|column| column.pg_type()).map(|kind| kind.kind);
            (row.value(at) != Value::Null).then(|| format!("{name} = {}", row.describe(at, kind)))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(", "))
    };
    let keys = plan.source.primary_key.iter().chain(&plan.source.uniques);
    let keys = keys.filter_map(|key| key.columns.iter().map(place).collect());
    let mut keys = keys.chain(plan.unproven_keys.iter().cloned());
    keys.find_map(text).unwrap_or_else(|| match row.rowid() {
        Some(rowid) => format!("rowid {rowid}"),
        None => format!("row {}", row.ordinal() + 1),
    })
}

fn class_index(class: StorageClass) -> usize {
    match class {
        StorageClass::Null => 0,
        StorageClass::Integer => 1,
        StorageClass::Real => 2,
        StorageClass::Text => 3,
        StorageClass::Blob => 4,
    }
}

fn normalised_index(kind: Normalised) -> usize {
    Normalised::ALL
        .iter()
        .position(|other| *other == kind)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_alike_if_both_databases_say_so() {
        let values = [
            Value::Integer(1),
            Value::Real(f64::from_bits(1)),
            Value::Text(b"1"),
            Value::Blob(b"1"),
            Value::Real(1.5),
            Value::Text(&[1, 0, 0, 0, 0, 0, 0, 0]),
            Value::Null,
            Value::Null,
            Value::Real(1.0),
            Value::Real(-0.0),
            Value::Integer(0),
        ];
        let mut batch = RowBatch::new(1, 0);
        for value in values {
            batch.push(value);
        }
        let mut seen = HashSet::new();
        let again = batch
            .rows()
            .filter(|row| key_hash(*row, &[0]).is_some_and(|hash| !seen.insert(hash)));
        let again: Vec<usize> = again.map(|row| row.at()).collect();
        assert_eq!(again, [8, 10], "1.0 after 1, and 0 after -0.0");
    }
}
