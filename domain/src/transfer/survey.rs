//! The survey: every value of the source is looked at before the target is touched, in the way in which it will be loaded.

use std::collections::{BTreeMap, HashSet};

use super::catalog::{ColumnKind, Engine, Key, PgKind};
use super::convert::{Converter, Normalised, Reject};
use super::plan::TablePlan;
use super::rows::{Fingerprint, Row, RowBatch, StorageClass, Value};

/// How many rejects are named; all are counted.
pub const NAMED_REJECTS: usize = 20;

/// What a survey found in one table.
#[derive(Debug, Clone, Default)]
pub struct TableSurvey {
    /// Rows.
    pub rows: u64,
    /// Bytes of text and blobs, and eight for every other value.
    pub bytes: u64,
    /// What tells whether the table has changed.
    pub fingerprint: Fingerprint,
    /// Rows that the target cannot hold.
    pub rejected: u64,
    /// The first of them.
    pub rejects: Vec<RejectedRow>,
    /// Rows whose key came before, by their place in the scan, ascending.
    pub duplicates: Vec<u64>,
    /// The largest rowid.
    pub max_rowid: Option<i64>,
    columns: Vec<ColumnSurvey>,
}

#[derive(Debug, Clone, Default)]
struct ColumnSurvey {
    classes: [bool; 5],
    normalised: [u64; Normalised::ALL.len()],
}

/// A row that the target cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RejectedRow {
    /// The table.
    pub table: String,
    /// The column that decided.
    pub column: String,
    /// The row: its key as `id = "x"`, or its rowid, or its place in the table.
    pub key: String,
    /// Why.
    pub reason: String,
}

impl TableSurvey {
    /// The storage classes of a column's values, NULL aside.
    pub fn classes_of(&self, column: usize) -> Vec<StorageClass> {
        const CLASSES: [StorageClass; 5] = [
            StorageClass::Null,
            StorageClass::Integer,
            StorageClass::Real,
            StorageClass::Text,
            StorageClass::Blob,
        ];
        let seen = self
            .columns
            .get(column)
            .map(|column| column.classes)
            .unwrap_or_default();
        CLASSES
            .into_iter()
            .zip(seen)
            .skip(1)
            .filter(|(_, seen)| *seen)
            .map(|(class, _)| class)
            .collect()
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
    converter: Converter,
    engine: Engine,
}

#[derive(Debug, Clone, Copy)]
struct JudgedColumn {
    /// None: to be decided by the values, or not for PostgreSQL.
    kind: Option<PgKind>,
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
            not_null: column.not_null,
        });
        Self {
            columns: columns.collect(),
            converter,
            engine: plan.engine,
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
        if let Some(refused) = batch.refused().iter().find(|refused| refused.row == row.at()) {
            return Err((refused.column, refused.reason));
        }
        let start = out.len();
        if self.engine == Engine::Postgres {
            out.extend_from_slice(
                &i16::try_from(self.columns.len())
                    .unwrap_or(i16::MAX)
                    .to_be_bytes(),
            );
        }
        for (at, column) in self.columns.iter().enumerate() {
            match self.field(*column, row.value(at), out) {
                Ok(None) => {}
                Ok(Some(normalised)) => note(at, normalised),
                Err(reject) => {
                    out.truncate(start);
                    return Err((at, reject));
                }
            }
        }
        Ok(())
    }

    fn field(
        &self,
        column: JudgedColumn,
        value: Value<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Normalised>, Reject> {
        if column.not_null && value == Value::Null {
            return Err(Reject::NullNotAllowed);
        }
        match (self.engine, column.kind, value) {
            (Engine::Postgres, Some(kind), value) => self.converter.encode(kind, value, out),
            // A column yet to be made: text is judged, anything else waits for the column's type.
            (Engine::Postgres, None, Value::Text(_)) => self.converter.encode(PgKind::Text, value, out),
            _ => Ok(None),
        }
    }
}

/// Surveys one table.
#[derive(Debug)]
pub struct Surveyor<'a> {
    plan: &'a TablePlan,
    judge: RowJudge,
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
        Self {
            plan,
            judge: RowJudge::new(plan, converter),
            keys: keys
                .map(|columns| UnprovenKey {
                    columns: columns.clone(),
                    seen: HashSet::new(),
                })
                .collect(),
            row: Vec::new(),
            found: TableSurvey {
                columns: vec![ColumnSurvey::default(); plan.columns.len()],
                ..TableSurvey::default()
            },
        }
    }

    /// Looks at the next rows.
    pub fn add(&mut self, batch: &RowBatch) {
        self.found.rows += u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.found.bytes += batch.size();
        self.found.fingerprint.add(batch);
        for row in batch.rows() {
            self.found.max_rowid = self.found.max_rowid.max(row.rowid());
            self.row.clear();
            let columns = &mut self.found.columns;
            for (column, value) in columns.iter_mut().zip(row.values()) {
                column.classes[class_index(value.class())] = true;
            }
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
        match row.value(*column) {
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
            .map(|column| column.target.clone())
            .unwrap_or_default(),
        key: key_text(plan, row),
        reason: reject.to_string(),
    }
}

/// The row's first key without NULL; else its rowid; else its place in the table.
pub fn key_text(plan: &TablePlan, row: Row<'_>) -> String {
    let text = |key: &Key| -> Option<String> {
        let parts = key.columns.iter().map(|name| {
            let at = plan.columns.iter().position(|column| column.source == *name)?;
            let value = row.value(at);
            (value != Value::Null).then(|| format!("{name} = {}", value.describe()))
        });
        Some(parts.collect::<Option<Vec<_>>>()?.join(", "))
    };
    let mut keys = plan.source.primary_key.iter().chain(&plan.source.uniques);
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
