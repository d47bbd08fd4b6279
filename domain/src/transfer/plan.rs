//! What goes where: the tables and columns of a source matched with those of a target.

use super::catalog::{Affinity, Catalog, Column, ColumnKind, Engine, Key, PgKind, PgType, Table};
use super::rows::StorageClass;
use super::survey::TableSurvey;

/// A copy, table by table.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tables in the order in which they are loaded: parents before children as far as foreign keys allow.
    pub tables: Vec<TablePlan>,
    /// What the source has and the copy leaves out.
    pub not_carried: Vec<NotCarried>,
}

/// One table.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// The table that is read.
    pub source: Table,
    /// The name of the table that is written.
    pub target: String,
    /// Which database that is.
    pub engine: Engine,
    /// The columns, in the order in which they are read.
    pub columns: Vec<ColumnPlan>,
    /// Whether the target lacks the table.
    pub created: bool,
    /// Keys of the target that the source does not guarantee, as places in `columns`.
    pub unproven_keys: Vec<Vec<usize>>,
}

/// One column.
#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Its name in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Its type in the target; none until the survey has seen the values of a column that the target lacks.
    pub kind: Option<ColumnKind>,
    /// Whether the target refuses NULL.
    pub not_null: bool,
    /// Whether the target lacks the column.
    pub added: bool,
}

/// Something that a copy leaves out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct NotCarried {
    /// What it is: `view`, `trigger`, `index`, …
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its SQL.
    pub sql: String,
    /// Why.
    pub reason: &'static str,
}

/// Matches the tables of `source` with those of `target`. The error is a sentence for a person.
pub fn plan(source: &Catalog, target: &Catalog) -> Result<Plan, String> {
    let mut not_carried: Vec<NotCarried> = source
        .others
        .iter()
        .map(|other| NotCarried {
            kind: other.kind.as_str(),
            name: other.name.clone(),
            sql: other.sql.clone(),
            reason: "only tables are copied",
        })
        .collect();
    let mut tables = Vec::with_capacity(source.tables.len());
    // The target's order comes first: its foreign keys are the ones that watch the load.
    for into in target.parents_first() {
        if let Some(from) = source.table(&into.name) {
            tables.push(matched(from, into, target.engine)?);
        }
    }
    for from in source.parents_first() {
        if !tables.iter().any(|plan| plan.source.name == from.name) {
            not_carried.extend(not_made(from));
            tables.push(created(from, target.engine));
        }
    }
    Ok(Plan { tables, not_carried })
}

fn matched(from: &Table, into: &Table, engine: Engine) -> Result<TablePlan, String> {
    let mut columns = Vec::with_capacity(from.columns.len());
    for column in &from.columns {
        match into.column(&column.name) {
            Some(found) if !found.writable() => {}
            Some(found) => columns.push(ColumnPlan {
                source: column.name.clone(),
                target: found.name.clone(),
                kind: Some(found.kind.clone()),
                not_null: found.not_null,
                added: false,
            }),
            None => columns.push(added(column, engine)),
        }
    }
    for column in &into.columns {
        let given = columns.iter().any(|plan| plan.target == column.name);
        let optional = !column.not_null || column.default.is_some() || !column.writable();
        if !given && !optional {
            return Err(format!(
                "{}.{} of the target needs a value and the source has no such column",
                into.name, column.name
            ));
        }
    }
    let place = |name: &String| columns.iter().position(|plan| plan.target == *name);
    let keys = into.primary_key.iter().chain(&into.uniques);
    let unproven_keys = keys
        .filter(|key| !guaranteed(key, from))
        .filter_map(|key| key.columns.iter().map(place).collect())
        .collect();
    Ok(TablePlan {
        source: from.clone(),
        target: into.name.clone(),
        engine,
        columns,
        created: false,
        unproven_keys,
    })
}

/// Whether the source already refuses two rows that are alike in this key.
fn guaranteed(key: &Key, from: &Table) -> bool {
    let within = |other: &Key| {
        other.bytewise
            && other
                .columns
                .iter()
                .all(|name| key.columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
    };
    from.primary_key.iter().chain(&from.uniques).any(within)
}

fn created(from: &Table, engine: Engine) -> TablePlan {
    let mut columns: Vec<ColumnPlan> = from.columns.iter().map(|column| added(column, engine)).collect();
    for name in from
        .row_key()
        .map(|key| key.columns.as_slice())
        .unwrap_or_default()
    {
        for column in columns.iter_mut().filter(|column| column.source == *name) {
            column.not_null = true;
        }
    }
    TablePlan {
        source: from.clone(),
        target: from.name.clone(),
        engine,
        columns,
        created: true,
        unproven_keys: vec![],
    }
}

fn added(column: &Column, engine: Engine) -> ColumnPlan {
    let kind = match (&column.kind, engine) {
        (ColumnKind::Sqlite { .. }, Engine::Postgres) => None,
        (ColumnKind::Postgres(kind), Engine::Sqlite) => Some(sqlite_kind(kind.kind)),
        (kind, _) => Some(kind.clone()),
    };
    ColumnPlan {
        source: column.name.clone(),
        target: column.name.clone(),
        kind,
        not_null: false,
        added: true,
    }
}

/// What a table that is made does not get.
fn not_made(from: &Table) -> Vec<NotCarried> {
    let reason =
        "the table is not part of the target's schema and is made with its columns and primary key only";
    let indexes = from
        .indexes
        .iter()
        .map(|index| ("index", index.name.clone(), index.sql.clone()));
    let checks = from.checks.iter().map(|check| {
        (
            "check",
            check.name.clone().unwrap_or_else(|| from.name.clone()),
            check.expression.clone(),
        )
    });
    let foreign_keys = from.foreign_keys.iter().map(|key| {
        let sql = format!(
            "FOREIGN KEY ({}) REFERENCES {}",
            key.columns.join(", "),
            key.parent
        );
        (
            "foreign key",
            key.name.clone().unwrap_or_else(|| from.name.clone()),
            sql,
        )
    });
    indexes
        .chain(checks)
        .chain(foreign_keys)
        .map(|(kind, name, sql)| NotCarried {
            kind,
            name,
            sql,
            reason,
        })
        .collect()
}

/// The declaration whose affinity keeps the values of a PostgreSQL type as they come from there.
fn sqlite_kind(kind: PgKind) -> ColumnKind {
    let (declared, affinity) = match kind {
        PgKind::Bool | PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => ("INTEGER", Affinity::Integer),
        PgKind::Float4 | PgKind::Float8 => ("REAL", Affinity::Real),
        // A decimal may come as an integer, a real or text, and stays what it is.
        PgKind::Bytea | PgKind::Numeric(_) | PgKind::Other => ("BLOB", Affinity::Blob),
        PgKind::Text
        | PgKind::Varchar(_)
        | PgKind::Char(_)
        | PgKind::Json
        | PgKind::Jsonb
        | PgKind::Timestamptz(_)
        | PgKind::Timestamp(_)
        | PgKind::Date
        | PgKind::Time(_)
        | PgKind::Uuid => ("TEXT", Affinity::Text),
    };
    ColumnKind::Sqlite {
        declared: declared.to_owned(),
        affinity,
    }
}

impl Plan {
    /// Leaves out what would only be made to stay empty: tables without `rows` (one count per table) that a target with a schema of
    /// its own lacks. Says of each table whether it is still part of the plan.
    pub fn leave_out_empty_tables(&mut self, rows: &[u64]) -> Vec<bool> {
        let has_schema = self.tables.iter().any(|table| !table.created);
        let empty = |(table, rows): (&TablePlan, &u64)| has_schema && table.created && *rows == 0;
        let kept: Vec<bool> = self.tables.iter().zip(rows).map(|pair| !empty(pair)).collect();
        for (table, _) in self.tables.iter().zip(&kept).filter(|(_, kept)| !**kept) {
            self.not_carried.push(NotCarried {
                kind: "table",
                name: table.source.name.clone(),
                sql: table.source.sql.clone(),
                reason: "the target lacks it, and it has no rows",
            });
        }
        let mut next = kept.iter();
        self.tables.retain(|_| next.next().copied().unwrap_or(true));
        kept
    }
}

impl TablePlan {
    /// Leaves out columns that the table of the target lacks and in which no row has a value; they are returned. Another survey is
    /// due then, for this one counts them.
    pub fn leave_out_empty_columns(&mut self, survey: &TableSurvey) -> Vec<NotCarried> {
        if self.created {
            return vec![];
        }
        let mut left_out = vec![];
        let mut at = 0;
        let table = &self.source.name;
        self.columns.retain(|column| {
            let empty = column.added && survey.classes_of(at).is_empty();
            at += 1;
            if empty {
                left_out.push(NotCarried {
                    kind: "column",
                    name: format!("{table}.{}", column.source),
                    sql: String::new(),
                    reason: "the target lacks it, and no row has a value in it",
                });
            }
            !empty
        });
        left_out
    }

    /// Chooses the types of added columns from the classes of their values. Whether a column has values of several classes: those
    /// that are no text will be refused, which another survey has to count.
    pub fn choose_types(&mut self, survey: &TableSurvey) -> bool {
        let mut mixed = false;
        for (at, column) in self
            .columns
            .iter_mut()
            .enumerate()
            .filter(|(_, column)| column.kind.is_none())
        {
            let source = self
                .source
                .columns
                .iter()
                .find(|source| source.name == column.source);
            let affinity = match source.map(|source| &source.kind) {
                Some(ColumnKind::Sqlite { affinity, .. }) => *affinity,
                _ => Affinity::Text,
            };
            let (kind, several) = type_of_values(&survey.classes_of(at), affinity);
            mixed |= several;
            column.kind = Some(ColumnKind::Postgres(kind));
        }
        mixed
    }

    /// The names of the columns that are read.
    pub fn source_columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.source.as_str()).collect()
    }

    /// The names of the columns that are written.
    pub fn target_columns(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.target.as_str()).collect()
    }
}

fn type_of_values(classes: &[StorageClass], affinity: Affinity) -> (PgType, bool) {
    let (name, kind) = match (classes, affinity) {
        ([StorageClass::Integer], _) | ([], Affinity::Integer) => ("bigint", PgKind::Int8),
        ([StorageClass::Real], _) | ([], Affinity::Real) => ("double precision", PgKind::Float8),
        ([StorageClass::Blob], _) => ("bytea", PgKind::Bytea),
        _ => ("text", PgKind::Text),
    };
    (
        PgType {
            name: name.to_owned(),
            kind,
        },
        classes.len() > 1,
    )
}
