//! A schema as data, and what differs between two of them.

use std::collections::{BTreeMap, BTreeSet};

/// The tables of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) tables: BTreeMap<String, Table>,
}

/// A table. Its columns have no order: everything addresses them by name, and old files have them in another one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: BTreeMap<String, Column>,
    /// Key, uniques, checks and foreign keys, by what they say in the database's normal form.
    pub(crate) constraints: BTreeMap<String, Constraint>,
    /// By name, what they say.
    pub(crate) indexes: BTreeMap<String, String>,
    /// What else makes it behave in its own way (`STRICT`).
    pub(crate) options: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// The type, with its collation.
    pub(crate) kind: String,
    pub(crate) not_null: bool,
    pub(crate) default: Option<String>,
    /// How it is computed, if it is.
    pub(crate) generated: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Constraint {
    /// Where names have a meaning: PostgreSQL reports a conflict by it.
    pub(crate) name: Option<String>,
    /// Whether all rows are known to keep it.
    pub(crate) validated: bool,
    /// Its columns, as far as they are known.
    pub(crate) columns: BTreeSet<String>,
}

/// Something that is not as the migrations make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The column, constraint or index, if it is not the table itself.
    pub object: Option<String>,
    /// What is wrong, in words.
    pub what: String,
}

/// What comparing the live schema with the migrations' found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// The version that the live schema was compared with.
    pub version: i64,
    /// What the migrations did not make so.
    pub differences: Vec<Difference>,
    /// Constraints that hold for new rows only, because a copy kept rows that break them.
    pub weakened: Vec<Difference>,
    /// What old files are known to have more, or less, and what nothing here minds.
    pub notes: Vec<Difference>,
}

/// What files of the original application may lack or have: not drift.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Legacy {
    /// Columns that may be missing.
    pub(crate) missing_columns: &'static [(&'static str, &'static str)],
    /// Columns that may lack their check.
    pub(crate) missing_checks: &'static [(&'static str, &'static str)],
    /// Indexes that may be there.
    pub(crate) extra_indexes: &'static [&'static str],
    /// Indexes that may be missing, because rows are in their way.
    pub(crate) missing_indexes: &'static [&'static str],
    /// Constraints that may be there: their tables, and what they say.
    pub(crate) extra_constraints: &'static [(&'static str, &'static str)],
    /// Columns that may be declared otherwise, with another type, default or NULL; `*` for all of a table.
    pub(crate) other_columns: &'static [(&'static str, &'static str)],
}

#[cfg(feature = "sqlite")]
impl Legacy {
    /// Old files are as new ones.
    pub(crate) const NONE: Self = Self {
        missing_columns: &[],
        missing_checks: &[],
        extra_indexes: &[],
        missing_indexes: &[],
        extra_constraints: &[],
        other_columns: &[],
    };
}

/// Compares what is there with what the migrations make up to the database's version. `head` is what they make in the
/// end: its tables must not be there early.
pub(crate) fn compare(expected: &Schema, head: &Schema, live: &Schema, legacy: Legacy) -> Drift {
    let mut drift = Drift::default();
    for (name, table) in &expected.tables {
        match live.tables.get(name) {
            Some(found) => TableComparison {
                name,
                legacy,
                drift: &mut drift,
            }
            .run(table, found),
            None => drift
                .differences
                .push(difference(name, None, "the table is missing")),
        }
    }
    for name in live
        .tables
        .keys()
        .filter(|name| !expected.tables.contains_key(*name))
    {
        if head.tables.contains_key(name) {
            let what = "the table is there although its version is not applied";
            drift.differences.push(difference(name, None, what));
        } else {
            drift.notes.push(difference(name, None, "an additional table"));
        }
    }
    drift
}

/// The expected tables that are not there, and of those that are, the columns: by their names alone, of which the database says when two
/// are the same.
#[cfg(feature = "sqlite")]
pub(crate) fn missing(
    expected: &Schema,
    live: &Schema,
    forgiven: &[(&str, &str)],
    same: impl Fn(&str, &str) -> bool,
) -> Vec<Difference> {
    let mut missing = Vec::new();
    for (name, table) in &expected.tables {
        let Some((_, found)) = live.tables.iter().find(|(other, _)| same(other, name)) else {
            missing.push(difference(name, None, "the table is missing"));
            continue;
        };
        let lacking = table.columns.keys().filter(|column| {
            !found.columns.keys().any(|other| same(other, column))
                && !forgiven.contains(&(name.as_str(), column.as_str()))
        });
        missing.extend(lacking.map(|column| difference(name, Some(column), "the column is missing")));
    }
    missing
}

fn difference(table: &str, object: Option<&str>, what: impl Into<String>) -> Difference {
    Difference {
        table: table.to_owned(),
        object: object.map(str::to_owned),
        what: what.into(),
    }
}

struct TableComparison<'a> {
    name: &'a str,
    legacy: Legacy,
    drift: &'a mut Drift,
}

impl TableComparison<'_> {
    fn run(mut self, expected: &Table, found: &Table) {
        if expected.options != found.options {
            let what = format!("the table is {:?}, not {:?}", found.options, expected.options);
            self.drift.differences.push(difference(self.name, None, what));
        }
        self.columns(expected, found);
        self.constraints(expected, found);
        self.indexes(expected, found);
    }

    fn differs(&mut self, object: &str, what: impl Into<String>) {
        self.drift
            .differences
            .push(difference(self.name, Some(object), what));
    }

    fn notes(&mut self, object: &str, what: impl Into<String>) {
        self.drift.notes.push(difference(self.name, Some(object), what));
    }

    fn columns(&mut self, expected: &Table, found: &Table) {
        for (name, column) in &expected.columns {
            match found.columns.get(name) {
                Some(other) => self.column(name, column, other),
                None if self.legacy.missing_columns.contains(&(self.name, name.as_str())) => {
                    self.notes(name, "the column is missing, as in some old files");
                }
                None => self.differs(name, "the column is missing"),
            }
        }
        for (name, column) in &found.columns {
            if expected.columns.contains_key(name) {
                continue;
            }
            if column.not_null && column.default.is_none() && column.generated.is_none() {
                self.differs(
                    name,
                    "an additional column that must be given a value, so nothing can be inserted",
                );
            } else {
                self.notes(name, "an additional column");
            }
        }
    }

    fn column(&mut self, name: &str, expected: &Column, found: &Column) {
        let others = self.legacy.other_columns;
        if expected != found && (others.contains(&(self.name, name)) || others.contains(&(self.name, "*"))) {
            self.notes(name, "the column is declared otherwise, as in some old files");
            return;
        }
        if expected.kind != found.kind {
            self.differs(name, format!("the type is {}, not {}", found.kind, expected.kind));
        }
        if expected.not_null != found.not_null {
            let what = if expected.not_null {
                "NULL is allowed"
            } else {
                "NULL is not allowed"
            };
            self.differs(name, what);
        }
        if expected.default != found.default {
            let spelled = |default: &Option<String>| default.clone().unwrap_or_else(|| "none".to_owned());
            let what = format!(
                "the default is {}, not {}",
                spelled(&found.default),
                spelled(&expected.default)
            );
            self.differs(name, what);
        }
        if expected.generated != found.generated {
            self.differs(name, "the column is computed in another way");
        }
    }

    fn constraints(&mut self, expected: &Table, found: &Table) {
        for (text, constraint) in &expected.constraints {
            match found.constraints.get(text) {
                Some(other) if other.name != constraint.name => {
                    let spelled = |name: &Option<String>| name.clone().unwrap_or_default();
                    let what = format!(
                        "is named {}, not {}",
                        spelled(&other.name),
                        spelled(&constraint.name)
                    );
                    self.differs(text, what);
                }
                Some(other) if !other.validated => {
                    let what = "holds for new rows only (NOT VALID): older rows break it";
                    self.drift.weakened.push(difference(self.name, Some(text), what));
                }
                Some(_) => {}
                None if self.may_lack(text, constraint) => {
                    self.notes(text, "the constraint is missing, as in some old files");
                }
                None => self.differs(text, "the constraint is missing"),
            }
        }
        for (text, constraint) in &found.constraints {
            if expected.constraints.contains_key(text) {
                continue;
            }
            let foreign = constraint
                .columns
                .iter()
                .any(|column| !expected.columns.contains_key(column));
            if foreign {
                self.notes(text, "an additional constraint on an additional column");
            } else if self
                .legacy
                .extra_constraints
                .contains(&(self.name, text.as_str()))
            {
                self.notes(text, "an additional constraint, as in some old files");
            } else {
                self.differs(text, "an additional constraint");
            }
        }
    }

    /// A check is forgiven, or a constraint of a column whose absence is.
    fn may_lack(&self, text: &str, constraint: &Constraint) -> bool {
        let on = |allowed: &[(&str, &str)]| {
            allowed
                .iter()
                .any(|(table, column)| *table == self.name && constraint.columns.contains(*column))
        };
        text.starts_with("CHECK") && on(self.legacy.missing_checks)
    }

    fn indexes(&mut self, expected: &Table, found: &Table) {
        for (name, text) in &expected.indexes {
            match found.indexes.get(name) {
                Some(other) if other != text => {
                    self.differs(name, format!("the index is {other}, not {text}"));
                }
                Some(_) => {}
                None if self.legacy.missing_indexes.contains(&name.as_str()) => {
                    self.notes(
                        name,
                        "the index is missing, as rows of an old file are in its way",
                    );
                }
                None => self.differs(name, "the index is missing"),
            }
        }
        for (name, text) in &found.indexes {
            if expected.indexes.contains_key(name) {
                continue;
            }
            if self.legacy.extra_indexes.contains(&name.as_str()) {
                self.notes(name, "an additional index, as in some old files");
            } else {
                self.differs(name, format!("an additional index: {text}"));
            }
        }
    }
}

/// A name for SQL text, whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
