//! The PostgreSQL schema of what a target lacks: tables before the load, everything that is dearer while rows come (keys, indexes, checks,
//! foreign keys, identities) behind it, in steps that can each be the last before a crash.
//!
//! What has no equal in PostgreSQL is listed, never given another meaning.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::acting::{self, Deletes};
use super::blanks::Blank;
use super::catalog::{
    Action, Affinity, Catalog, Column, ColumnKind, Deferrable, Engine, ForeignKey, Generated, Identity,
    Index, IndexPart, Key, PgKind, Table,
};
use super::ddl;
use super::lock::Lock;
use super::name::{quoted, quoted_list};
use super::naming::Names;
use super::plan::{ColumnPlan, NotCarried, Plan, Renamed, TablePlan};
use super::rendering::Rendering;
use super::rows::RowBatch;
use super::survey::TableSurvey;
use super::translate::{self, Constant, ExprColumn};
use super::value::{StorageClass, Value};

/// An index of PostgreSQL has no more columns.
const INDEX_COLUMNS_MAX: usize = 32;

/// What a row of an index takes at most, beside its header.
const INDEX_ROW_MAX: usize = 2_696;

/// The schema of the tables that a copy makes.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// Statements that make the tables; they run as one with the note that the run has begun.
    pub tables: Vec<String>,
    /// What is made when the rows are there, in the order of its stages.
    pub steps: Vec<Step>,
    /// What is known to be weaker than in the source before anything runs.
    pub weakened: Vec<Weakened>,
    /// What may turn out weaker, or not be made, when it is made.
    pub uncertain: Vec<Weakened>,
}

/// A rule that holds in a weaker form than in the source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weakened {
    /// The table.
    pub table: String,
    /// The constraint, or what it is about.
    pub constraint: String,
    /// Its definition.
    pub sql: String,
    /// How many rows break it.
    pub rows: u64,
    /// The keys of the first ones.
    pub keys: Vec<String>,
    /// Why it is weaker, and what holds instead.
    pub reason: String,
}

impl Weakened {
    /// The constraint and its table. On the way back a constraint without a name is called what it says: that stands behind it anyway.
    pub fn name(&self) -> String {
        if self.constraint == self.sql {
            self.table.clone()
        } else {
            format!("{}.{}", self.table, self.constraint)
        }
    }
}

/// Something that is made when the rows are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is called in the notes of the run; no two steps are called alike.
    pub name: String,
    /// The table in the target.
    pub table: String,
    /// When it is its turn.
    pub stage: Stage,
    /// What is done.
    pub work: Work,
}

/// The steps of a table are made stage by stage. Which ones can be at work at the same time, their locks say ([`Stage::lock`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Indexes are built.
    Index,
    /// Indexes become primary keys and UNIQUE constraints.
    Key,
    /// Checks and foreign keys begin to watch new rows.
    Constraint,
    /// They are held against the rows that are there.
    Validation,
    /// Identities go on above the largest key.
    Identity,
}

impl Stage {
    /// How a step holds its table.
    pub fn lock(self) -> Lock {
        match self {
            Self::Index => Lock::Builds,
            Self::Validation => Lock::Changes,
            Self::Key | Self::Constraint | Self::Identity => Lock::Alone,
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Builds an index.
    Index {
        /// Its name.
        name: String,
        /// The statement.
        sql: String,
        /// The same over hashes, for a unique index over values that are too large for one: its statement.
        hashed: Option<String>,
        /// SQLite's definition.
        original: String,
        /// How many columns it has: what is sorted by more takes longer.
        width: u64,
    },
    /// Makes an index a key; nothing if the index could not be made as it was meant.
    Key {
        /// The index.
        index: String,
        /// The statement.
        sql: String,
    },
    /// Adds a constraint that only watches new rows.
    Constraint {
        /// Its name.
        name: String,
        /// Its definition.
        definition: String,
        /// The table that a foreign key points to. It is locked as well.
        parent: Option<String>,
    },
    /// Holds a constraint against all rows. If some break it they stay, and it goes on to watch new ones.
    Validation {
        /// Its name.
        name: String,
        /// Its definition.
        definition: String,
        /// The table that a foreign key points to. It is read as well.
        parent: Option<String>,
    },
    /// Sets what an identity gives out next.
    Identity {
        /// Its column.
        column: String,
        /// The next value; none if there is none left.
        next: Option<i64>,
    },
}

impl Work {
    /// The table that a foreign key points to.
    pub fn parent(&self) -> Option<&str> {
        match self {
            Self::Constraint { parent, .. } | Self::Validation { parent, .. } => parent.as_deref(),
            Self::Index { .. } | Self::Key { .. } | Self::Identity { .. } => None,
        }
    }
}

/// Makes the schema of the tables that the plan creates in PostgreSQL, and adds to the plan's lists what has no equal or another name.
/// Columns that PostgreSQL will compute leave the plan and the surveys. The error is a sentence for a person.
pub fn make(
    plan: &mut Plan,
    source: &Catalog,
    target: &Catalog,
    surveys: &mut [TableSurvey],
) -> Result<Schema, String> {
    let mut schema = Schema::default();
    for (table, survey) in plan.tables.iter_mut().zip(surveys.iter_mut()) {
        if table.is_made() {
            table.compute_columns(survey, &mut schema.weakened);
        }
    }
    let mut maker = Maker {
        schema_name: &target.schema,
        relations: plan.relations.clone(),
        schema,
        not_carried: Vec::new(),
        renamed: Vec::new(),
        keys: Vec::new(),
    };
    let made = || {
        plan.tables
            .iter()
            .zip(surveys.iter())
            .filter(|(table, _)| table.is_made())
    };
    for (table, _) in made() {
        let keys = table.source.primary_key.iter().chain(&table.source.uniques);
        let keys = keys.filter_map(|key| key.name.as_deref());
        let indexes = table.source.indexes.iter().map(|index| index.name.as_str());
        maker.relations.promise(keys.chain(indexes));
    }
    for (table, survey) in made() {
        table.check_width()?;
        maker.table(table, survey);
    }
    let deletes = Deletes::among(plan.tables.iter().map(|table| &table.source));
    for (table, _) in made() {
        maker.foreign_keys(table, plan, &deletes, source, target);
    }
    let Maker {
        mut schema,
        not_carried,
        renamed,
        ..
    } = maker;
    schema.steps.sort_by_key(|step| step.stage);
    plan.not_carried.extend(not_carried);
    plan.renamed.extend(renamed);
    Ok(schema)
}

struct Maker<'a> {
    schema_name: &'a str,
    relations: Names,
    schema: Schema,
    not_carried: Vec<NotCarried>,
    renamed: Vec<Renamed>,
    /// Per table in the target the sets of columns that are keys foreign keys can point to.
    keys: Vec<(String, HashSet<String>)>,
}

impl TablePlan {
    /// The plan of a column of the source, by a name that may differ by case; it may be one that the target computes.
    pub fn column_of(&self, name: &str) -> Option<&ColumnPlan> {
        let name = &self.source.column(name)?.name;
        let computed = self.computed.iter().map(|(_, plan, _)| plan);
        self.columns
            .iter()
            .chain(computed)
            .find(|plan| plan.source == *name)
    }

    /// Whether the copy makes this table in PostgreSQL from what it knows of SQLite's.
    fn is_made(&self) -> bool {
        self.created && self.engine == Engine::Postgres && self.definition.is_none()
    }

    pub(super) fn source_column(&self, plan: &ColumnPlan) -> Option<&Column> {
        self.source
            .columns
            .iter()
            .find(|column| column.name == plan.source)
    }

    /// Whether a column of several classes, and the class beside it, have the default that the column has in the source, which may be NULL.
    fn has_mixed_default(&self, plan: &ColumnPlan) -> bool {
        self.source_column(plan).is_some_and(|column| {
            let mut default = column.default.iter();
            default
                .all(|default| translate::is_null(default) || mixed_default(default, column, plan).is_some())
        })
    }

    /// The columns as expressions see them. One with values of several classes is none that an expression of PostgreSQL could speak of.
    fn expression_columns(&self, survey: &TableSurvey) -> Vec<ExprColumn> {
        let stored = self.columns.iter().enumerate();
        let stored = stored.map(|(at, plan)| (plan, survey.has_null(at)));
        // One with NULL in spite of its NOT NULL is not computed.
        let computed = self.computed.iter().map(|(_, plan, _)| (plan, false));
        let each = stored.chain(computed);
        each.filter_map(|(plan, has_null)| self.expression_column(plan, has_null))
            .collect()
    }

    fn expression_column(&self, plan: &ColumnPlan, has_null: bool) -> Option<ExprColumn> {
        let column = self.source_column(plan)?;
        let (ColumnKind::Postgres(kind), ColumnKind::Sqlite { affinity, .. }) =
            (plan.kind.as_ref()?, &column.kind)
        else {
            return None;
        };
        // Where the type does not tell what SQLite has, no expression over it can be given the same meaning; nor where it has no way
        // back, as it was asked for.
        let told_otherwise =
            |rendering: &Rendering| *rendering == Rendering::UuidBlob || rendering.is_asked();
        // A number that comes by default is one in SQLite, and in PostgreSQL the text that means it.
        let default = column.default.as_deref();
        let default = default.and_then(|default| translate::default_value(default, *affinity));
        let is_number = default
            .is_some_and(|given| matches!(given.value().class(), StorageClass::Integer | StorageClass::Real));
        let number_as_text = plan.rendering == Some(Rendering::TextNumber) && is_number;
        let untold = plan.class_column.is_some()
            || number_as_text
            || plan.rendering.as_ref().is_none_or(told_otherwise);
        let kind = if untold { PgKind::Other } else { kind.kind };
        Some(ExprColumn {
            source: plan.source.clone(),
            target: plan.target.clone(),
            kind,
            affinity: *affinity,
            collation: column.collation.clone(),
            not_null: column.not_null && !has_null,
            null_is_text: !plan.blanks.is_none(),
            computed: None,
        })
    }

    /// Takes out the columns that PostgreSQL can compute to the same values. What it cannot stays a column with values.
    fn compute_columns(&mut self, survey: &mut TableSurvey, weakened: &mut Vec<Weakened>) {
        let mut columns = self.expression_columns(survey);
        let source = self.source.columns.clone();
        let mut waiting: Vec<(usize, &Column, &String)> = source
            .iter()
            .enumerate()
            .filter_map(|(place, column)| match &column.generated {
                Generated::Stored(sql) | Generated::Virtual(sql) => Some((place, column, sql)),
                Generated::No => None,
            })
            .collect();
        while !waiting.is_empty() {
            // First those that are computed from no other one that waits; SQLite takes no circles.
            let on_another = |sql: &str| {
                let names = translate::names(sql);
                waiting
                    .iter()
                    .any(|(_, other, _)| names.iter().any(|name| name.eq_ignore_ascii_case(&other.name)))
            };
            let next = waiting
                .iter()
                .position(|(_, _, sql)| !on_another(sql))
                .unwrap_or(0);
            let (place, column, sql) = waiting.remove(next);
            let Some(at) = self.columns.iter().position(|plan| plan.source == column.name) else {
                continue;
            };
            match self.computed_column(at, column, sql, survey, &columns) {
                Ok((plan, expression)) => {
                    let same = columns.iter_mut().find(|other| other.source == column.name);
                    if let (Some(same), Some(into)) = (same, self.expression_column(&plan, survey.has_null(at))) {
                        *same = ExprColumn {
                            computed: plan.kind.as_ref().and_then(|kind| inlined(&expression, kind)),
                            ..into
                        };
                    }
                    self.columns.remove(at);
                    survey.drop_column(at);
                    self.computed.push((place, plan, expression));
                }
                Err(reason) => weakened.push(Weakened {
                    table: self.target.clone(),
                    constraint: column.name.clone(),
                    sql: format!("GENERATED ALWAYS AS ({sql})"),
                    reason: format!(
                        "made a plain column with the values it has, because {reason}. New rows may leave it NULL: the file computes it on the \
                         way back, and refuses a value that does not suit its row. ALTER TABLE {} DROP COLUMN {} before the way back \
                         leaves all of it to the file",
                        quoted(&self.target),
                        quoted(self.columns.get(at).map_or(&column.name, |plan| &plan.target))
                    ),
                    ..Weakened::default()
                }),
            }
        }
    }

    /// The plan of a column that PostgreSQL computes, and its expression; the error is why it does not.
    fn computed_column(
        &self,
        at: usize,
        column: &Column,
        sql: &str,
        survey: &TableSurvey,
        columns: &[ExprColumn],
    ) -> Result<(ColumnPlan, String), String> {
        if let Some(said) = &self.not_computed {
            return Err(format!(
                "what PostgreSQL computes does not go with every row ({said})"
            ));
        }
        let has_null = survey.has_null(at);
        if column.not_null && has_null {
            return Err("rows have NULL there although it is NOT NULL".to_owned());
        }
        let computed = |plan: &ColumnPlan| match self.expression_column(plan, has_null) {
            Some(into) if into.null_is_text => Err("NULL stands for a text there, as asked for".to_owned()),
            Some(into) if into.kind != PgKind::Other => {
                translate::value(sql, columns, &into).map_err(|reason| reason.0)
            }
            _ => Err("its type does not tell what its values are".to_owned()),
        };
        let plan = self
            .columns
            .get(at)
            .ok_or_else(|| "it is no column of the target".to_owned())?;
        let outcome = computed(plan).map(|expression| (plan.clone(), expression));
        let has_no_type = matches!(
            column.kind,
            ColumnKind::Sqlite {
                affinity: Affinity::Blob,
                ..
            }
        );
        if outcome.is_ok() || !has_no_type || !survey.classes_of(at).is_empty() || !plan.blanks.is_none() {
            return outcome;
        }
        // Neither a declaration nor a value tells its type, so that its expression may.
        let kinds = [Rendering::Integer, Rendering::Real, Rendering::Blob];
        let mut chosen = kinds.into_iter().filter_map(|rendering| {
            let plan = ColumnPlan {
                kind: Some(ColumnKind::Postgres(rendering.pg_type())),
                rendering: Some(rendering),
                class_column: None,
                why: "what it is computed to".to_owned(),
                ..plan.clone()
            };
            let expression = computed(&plan).ok()?;
            Some((plan, expression))
        });
        chosen.next().map_or(outcome, Ok)
    }
}

/// What stands for a computed column in the expression of another one.
fn inlined(expression: &str, kind: &ColumnKind) -> Option<String> {
    let ColumnKind::Postgres(kind) = kind else {
        return None;
    };
    let value = format!("CAST(({expression}) AS {})", kind.name);
    let is_text = matches!(kind.kind, PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_));
    Some(if is_text {
        format!("({value} COLLATE \"C\")")
    } else {
        value
    })
}

/// Whether what a default gives would come back in another spelling: a time, in that of the column's other times.
fn respelt(default: &str, plan: &ColumnPlan) -> bool {
    let (Some(rendering), Some(example)) = (&plan.rendering, translate::default_example(default)) else {
        return false;
    };
    let is_time = matches!(
        rendering,
        Rendering::Date | Rendering::Time(_) | Rendering::Timestamp { .. } | Rendering::Timestamptz { .. }
    );
    is_time
        && rendering
            .encode(Value::Text(example.as_bytes()), &mut Vec::new())
            .is_err()
}

/// In what a number that a default gives in a column of doubles differs on the way back; an error if it does not come back at all.
fn double_default(default: &str, column: &Column, plan: &ColumnPlan) -> Result<Option<&'static str>, String> {
    let (ColumnKind::Sqlite { affinity, .. }, Some(rendering @ (Rendering::Real | Rendering::Number))) =
        (&column.kind, &plan.rendering)
    else {
        return Ok(None);
    };
    let given = translate::default_constant(default, *affinity);
    let number = match given {
        Some(Constant::Integer(number)) => number as f64,
        Some(Constant::Real(number)) => number,
        Some(Constant::Text(_)) | None => return Ok(None),
    };
    let mut batch = RowBatch::new(1, 0);
    rendering.decode(Some(&number.to_be_bytes()), None, &mut batch);
    if !batch.refused().is_empty() {
        return Err(format!(
            "a row that has it would not come back: the column has no form for {number:?}"
        ));
    }
    let comes_back_real = batch.rows().any(|row| matches!(row.value(0), Value::Real(_)));
    let is_integer = matches!(given, Some(Constant::Integer(_)));
    Ok((is_integer && comes_back_real)
        .then_some("what it gives is an INTEGER there, and comes back as a REAL, as the column's values are"))
}

/// The text that a default gives, if that becomes NULL.
fn blank_default(default: &str, plan: &ColumnPlan) -> Option<Blank> {
    let text = translate::default_example(default).filter(|_| translate::is_string(default))?;
    plan.blanks.of(Value::Text(text.as_bytes()))
}

/// A default in a column whose values somebody has told the meaning of.
fn asked_default(default: &str, into: &ExprColumn, rendering: Option<&Rendering>) -> Result<String, String> {
    let refused = || "what it gives is none of the values that the column was told to have".to_owned();
    let rendering = rendering.ok_or_else(refused)?;
    if translate::is_epoch_of_now(default, into.affinity)
        && let Some(now) = rendering.now()
    {
        return Ok(now.to_owned());
    }
    let constant = translate::default_constant(default, into.affinity).ok_or_else(refused)?;
    rendering.literal(constant.value()).ok_or_else(refused)
}

/// A default in a column that holds several classes as text or bytes, if it is a value that the column takes: as its rendering writes it, and
/// its class.
fn mixed_default(default: &str, column: &Column, plan: &ColumnPlan) -> Option<(String, &'static str)> {
    let ColumnKind::Sqlite { affinity, .. } = column.kind else {
        return None;
    };
    let rendering = plan.rendering.as_ref()?;
    let given = translate::default_value(default, affinity)?;
    let value = given.value();
    let mut fields = Vec::new();
    rendering.encode(value, &mut fields).ok()?;
    let (length, rest) = fields.split_first_chunk()?;
    let written = rest.get(..usize::try_from(i32::from_be_bytes(*length)).ok()?)?;
    let written = match rendering {
        Rendering::MixedBytea => translate::blob_literal(written),
        Rendering::JsonNumber => format!("{}::json", literal(std::str::from_utf8(written).ok()?)),
        _ => literal(std::str::from_utf8(written).ok()?),
    };
    Some((written, value.class().as_str()))
}

/// The column beside one of several classes. A row that leaves both to their defaults gets the class of that value.
fn class_definition(column: &Column, plan: &ColumnPlan, in_key: bool) -> Option<String> {
    let name = plan.class_column.as_ref()?;
    let default = column
        .default
        .as_deref()
        .filter(|default| blank_default(default, plan).is_none());
    let default = default.and_then(|default| mixed_default(default, column, plan));
    let default = default.map_or_else(String::new, |(_, class)| format!(" DEFAULT '{class}'"));
    let not_null = if in_key { " NOT NULL" } else { "" };
    Some(format!("{} text COLLATE \"C\"{default}{not_null}", quoted(name)))
}

impl Maker<'_> {
    fn qualified(&self, table: &str) -> String {
        format!("{}.{}", quoted(self.schema_name), quoted(table))
    }

    fn weaken(&mut self, table: &TablePlan, constraint: &str, sql: &str, reason: &str) {
        self.schema.weakened.push(Weakened {
            table: table.target.clone(),
            constraint: constraint.to_owned(),
            sql: sql.to_owned(),
            reason: reason.to_owned(),
            ..Weakened::default()
        });
    }

    fn leave_out(&mut self, kind: &'static str, name: String, sql: &str, reason: impl Into<String>) {
        self.not_carried.push(NotCarried {
            kind: kind.into(),
            name,
            sql: sql.to_owned(),
            reason: reason.into(),
        });
    }

    fn step(&mut self, table: &TablePlan, stage: Stage, name: String, work: Work) {
        self.schema.steps.push(Step {
            name,
            table: table.target.clone(),
            stage,
            work,
        });
    }

    fn table(&mut self, table: &TablePlan, survey: &TableSurvey) {
        let expressions = table.expression_columns(survey);
        let key = self.usable_primary_key(table, survey);
        let mut definitions = Vec::with_capacity(table.source.columns.len());
        for (place, column) in table.source.columns.iter().enumerate() {
            let computed = table.computed.iter().find(|(at, _, _)| *at == place);
            if let Some((_, plan, expression)) = computed {
                definitions.push(self.column(table, column, plan, Some(expression), column.not_null));
            } else if let Some(at) = table.columns.iter().position(|plan| plan.source == column.name)
                && let Some(plan) = table.columns.get(at)
            {
                let in_key = key.is_some_and(|key| key.columns.contains(&column.name));
                let not_null = self.not_null(table, column, plan, survey.has_null(at), in_key);
                definitions.push(self.column(table, column, plan, None, not_null));
                definitions.extend(class_definition(column, plan, in_key));
            }
        }
        let name = self.qualified(&table.target);
        self.schema
            .tables
            .push(format!("CREATE TABLE {name} ({})", definitions.join(", ")));
        self.comments(table);
        self.oddities(table);
        self.keys(table, survey, key, &expressions);
        for index in &table.source.indexes {
            self.index(table, survey, index, &expressions);
        }
        self.checks(table, &expressions);
        self.identity(table, survey);
    }

    /// Tells of an index over values that may be too large for it. Compression may save it, and whether it does only the server can say.
    fn doubt(
        &mut self,
        table: &TablePlan,
        survey: &TableSurvey,
        name: &str,
        (unique, parts, expressions): (bool, &[IndexPart], &[ExprColumn]),
        original: &str,
    ) {
        let longest = |column: &String| {
            let at = table.place_of(column)?;
            let kind = table.columns.get(at)?.kind.as_ref().and_then(kind_of)?;
            let is_long = matches!(
                kind,
                PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) | PgKind::Bytea
            );
            let evidence = survey.evidence(at).filter(|_| is_long)?;
            Some(evidence.longest_text().max(evidence.longest_blob()))
        };
        // An expression's values are taken to be as long as those that they are made of.
        let columns = parts
            .iter()
            .flat_map(|part| match (&part.column, &part.expression) {
                (Some(column), _) => vec![column.clone()],
                (None, Some(expression)) => match translate::index_part(expression, None, expressions) {
                    Ok(made) if made.may_be_long => translate::names(expression),
                    Ok(_) | Err(_) => vec![],
                },
                (None, None) => vec![],
            });
        let longest: Vec<usize> = columns.filter_map(|column| longest(&column)).collect();
        let bytes: usize = longest.iter().sum();
        if bytes + 4 * longest.len() + 8 * parts.len().saturating_sub(longest.len()) <= INDEX_ROW_MAX {
            return;
        }
        let together = if longest.len() > 1 { " together" } else { "" };
        let outcome = if unique {
            "it may be a unique index over hashes of the values, which no foreign key can refer to"
        } else {
            "it may not be made"
        };
        self.schema.uncertain.push(Weakened {
            table: table.target.clone(),
            constraint: name.to_owned(),
            sql: original.to_owned(),
            reason: format!(
                "values of up to {bytes} bytes{together}, and an index takes about 2700: {outcome}"
            ),
            ..Weakened::default()
        });
    }

    /// The primary key, unless rows have a NULL in it, as SQLite allows.
    fn usable_primary_key<'t>(&mut self, table: &'t TablePlan, survey: &TableSurvey) -> Option<&'t Key> {
        let key = table.source.primary_key.as_ref()?;
        let null = key.columns.iter().find(|name| {
            let place = table.place_of(name);
            place.is_some_and(|place| survey.has_null(place))
        });
        let Some(null) = null else { return Some(key) };
        let sql = format!("PRIMARY KEY ({})", key.columns.join(", "));
        let reason = format!("made a unique index, because rows have NULL in {null}");
        self.weaken(table, key.name.as_deref().unwrap_or("PRIMARY KEY"), &sql, &reason);
        None
    }

    fn not_null(
        &mut self,
        table: &TablePlan,
        column: &Column,
        plan: &ColumnPlan,
        has_null: bool,
        in_key: bool,
    ) -> bool {
        let reason = match (plan.blanks.is_none(), has_null) {
            (false, _) => "left out, because a text became NULL there, as asked for",
            (true, true) => "left out, because rows have NULL there all the same",
            (true, false) if column.generated != Generated::No => {
                "left out, because PostgreSQL does not compute the column, and new rows may leave it NULL"
            }
            (true, false) => return column.not_null || in_key,
        };
        if column.not_null {
            self.weaken(table, &column.name, "NOT NULL", reason);
        }
        false
    }

    /// A column's definition.
    fn column(
        &mut self,
        table: &TablePlan,
        column: &Column,
        plan: &ColumnPlan,
        computed: Option<&str>,
        not_null: bool,
    ) -> String {
        let Some(ColumnKind::Postgres(kind)) = &plan.kind else {
            return String::new();
        };
        let mut sql = format!("{} {}", quoted(&plan.target), kind.name);
        // The order and the equality of bytes, which are SQLite's.
        if matches!(kind.kind, PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_)) {
            sql.push_str(" COLLATE \"C\"");
        }
        if let Some(expression) = computed {
            let not_null = if not_null { " NOT NULL" } else { "" };
            return format!("{sql} GENERATED ALWAYS AS ({expression}) STORED{not_null}");
        }
        if column.identity != Identity::No && kind.kind == PgKind::Int8 {
            sql.push_str(" GENERATED BY DEFAULT AS IDENTITY");
            // Its sequence has a name among those of tables and indexes.
            let usual = format!("{}_{}_seq", table.target, plan.target);
            let name = self.relations.make_up(&usual);
            if name != usual {
                sql.push_str(&[" (SEQUENCE NAME ", &self.qualified(&name), ")"].concat());
            }
        } else if let Some(default) = &column.default
            && let Some(default) = self.default(table, column, plan, default)
        {
            sql = format!("{sql} DEFAULT {default}");
        }
        if not_null {
            sql.push_str(" NOT NULL");
        }
        sql
    }

    /// A column's default, if it has one there.
    fn default(
        &mut self,
        table: &TablePlan,
        column: &Column,
        plan: &ColumnPlan,
        default: &str,
    ) -> Option<String> {
        let what = || format!("DEFAULT {default}");
        if let Some(blank) = blank_default(default, plan) {
            // NULL is what a column without a default gets.
            if plan.blanks.back() != Some(blank) {
                self.weaken(
                    table,
                    &column.name,
                    &what(),
                    "what it gives is NULL, as asked for",
                );
            }
            return None;
        }
        let rendering = plan.rendering.as_ref();
        let is_asked = rendering.is_some_and(Rendering::is_asked);
        if translate::is_null(default) && (is_asked || plan.class_column.is_some()) {
            return None;
        }
        let in_doubles = double_default(default, column, plan);
        let into = table.expression_column(plan, false);
        let translated = match into {
            _ if plan.class_column.is_some() => mixed_default(default, column, plan)
                .map(|(value, _)| value)
                .ok_or_else(|| {
                    "the column's values are of several classes, and it is not known to be one of them"
                        .to_owned()
                }),
            Some(into) if is_asked => asked_default(default, &into, rendering),
            Some(_)
                if matches!(rendering, Some(Rendering::JsonNumber | Rendering::TextNumber))
                    && let Some((value, _)) = mixed_default(default, column, plan) =>
            {
                Ok(value)
            }
            Some(into) => in_doubles
                .clone()
                .and_then(|_| translate::default(default, &into).map_err(|reason| reason.0)),
            None => Err("its column's type does not tell what its values are".to_owned()),
        };
        match translated {
            Ok(translated) => {
                let respelt = respelt(default, plan).then_some(
                    "what it gives has the spelling of the column's values on the way back, not its own",
                );
                if let Some(reason) = respelt.or(in_doubles.ok().flatten()) {
                    self.weaken(table, &column.name, &what(), reason);
                }
                Some(translated)
            }
            Err(reason) => {
                let name = format!("{}.{}", table.source.name, column.name);
                self.leave_out("default", name, default, reason);
                None
            }
        }
    }

    /// Old names, where PostgreSQL has new ones.
    fn comments(&mut self, table: &TablePlan) {
        let name = self.qualified(&table.target);
        if table.target != table.source.name {
            let comment = literal(&format!("SQLite: {}", table.source.name));
            self.schema
                .tables
                .push(format!("COMMENT ON TABLE {name} IS {comment}"));
        }
        let computed = table.computed.iter().map(|(_, column, _)| column);
        for column in table.columns.iter().chain(computed) {
            if column.target != column.source {
                let comment = literal(&format!("SQLite: {}", column.source));
                let statement = format!("COMMENT ON COLUMN {name}.{} IS {comment}", quoted(&column.target));
                self.schema.tables.push(statement);
            }
        }
    }

    /// What a table has that is told and has no equal.
    fn oddities(&mut self, table: &TablePlan) {
        if table.source.module.is_some() {
            self.leave_out(
                "virtual table",
                table.source.name.clone(),
                &table.source.sql,
                "its rows are carried as an ordinary table; its searches have no equal",
            );
        }
        let mut collated: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for column in &table.source.columns {
            if let Some(collation) = &column.collation {
                collated.entry(collation).or_default().push(&column.name);
            }
        }
        for (collation, columns) in collated {
            let (them, over) = if columns.len() == 1 {
                ("this column by its", "it")
            } else {
                ("these columns by their", "them")
            };
            let also = if ddl::is_own_collation(collation) {
                format!("keys and indexes over {over} heed the collation")
            } else {
                "the collation belongs to the program that made the file".to_owned()
            };
            let reason = format!("PostgreSQL compares {them} bytes; {also}");
            self.weaken(
                table,
                &columns.join(", "),
                &format!("COLLATE {collation}"),
                &reason,
            );
        }
        if table.source.module.is_none() && ddl::resolves_conflicts(&table.source.sql) {
            self.weaken(
                table,
                "ON CONFLICT",
                &table.source.sql,
                "PostgreSQL refuses a row that breaks a constraint; name the resolution in the INSERT",
            );
        }
    }

    fn keys(
        &mut self,
        table: &TablePlan,
        survey: &TableSurvey,
        primary: Option<&Key>,
        expressions: &[ExprColumn],
    ) {
        let declared = table.source.primary_key.iter().map(|key| (key, true));
        let uniques = table.source.uniques.iter().map(|key| (key, false));
        for (key, is_primary) in declared.chain(uniques) {
            let usual = if is_primary {
                format!("{}_pkey", table.source.name)
            } else {
                format!("{}_{}_key", table.source.name, key.columns.join("_"))
            };
            let wanted = key.name.as_ref().unwrap_or(&usual);
            let name = self.relations.give(wanted);
            if key.name.is_some() {
                self.rename("constraint", table, wanted, &name);
            }
            let mut parts: Vec<IndexPart> = Vec::with_capacity(key.columns.len());
            for (column, collation) in key.columns.iter().zip(&key.collations) {
                let part = IndexPart {
                    column: Some(column.clone()),
                    expression: None,
                    descending: false,
                    collation: collation.clone(),
                };
                // No constraint of PostgreSQL has a column twice, and the second time says nothing.
                if !parts.contains(&part) {
                    parts.push(part);
                }
            }
            let word = if is_primary { "PRIMARY KEY" } else { "UNIQUE" };
            let original = format!("{word} ({})", key.columns.join(", "));
            let plain = match self.build(table, &name, true, &parts, None, &original, expressions) {
                Ok(plain) => plain,
                Err(reason) => {
                    let kind = if is_primary {
                        "primary key"
                    } else {
                        "unique constraint"
                    };
                    self.leave_out(kind, format!("{}.{wanted}", table.source.name), &original, reason);
                    continue;
                }
            };
            self.doubt(table, survey, &name, (true, &parts, expressions), &original);
            let usable = !is_primary || primary.is_some();
            let sqlites = |name: &Option<String>| name.as_deref().is_none_or(ddl::is_own_collation);
            if plain && key.collations.iter().all(sqlites) {
                self.keys
                    .push((table.target.clone(), target_names(table, &key.columns)));
            }
            if plain && usable {
                let sql = format!(
                    "ALTER TABLE {} ADD CONSTRAINT {} {word} USING INDEX {}",
                    self.qualified(&table.target),
                    quoted(&name),
                    quoted(&name)
                );
                let step_name = format!("key {name}");
                self.step(table, Stage::Key, step_name, Work::Key { index: name, sql });
            } else if usable {
                self.weaken(
                    table,
                    &name,
                    &original,
                    "made a unique index that heeds the collation, which no constraint can",
                );
            }
        }
    }

    fn index(&mut self, table: &TablePlan, survey: &TableSurvey, index: &Index, expressions: &[ExprColumn]) {
        let name = self.relations.give(&index.name);
        self.rename("index", table, &index.name, &name);
        let condition = match &index.predicate {
            None => None,
            Some(predicate) => match translate::condition(predicate, expressions) {
                Ok(condition) => Some(condition),
                Err(reason) => {
                    self.leave_out("index", index.name.clone(), &index.sql, reason.0);
                    return;
                }
            },
        };
        let condition = condition.as_deref();
        let plain = self.build(
            table,
            &name,
            index.unique,
            &index.parts,
            condition,
            &index.sql,
            expressions,
        );
        let plain = match plain {
            Ok(plain) => plain,
            Err(reason) => {
                self.leave_out("index", index.name.clone(), &index.sql, reason);
                return;
            }
        };
        self.doubt(
            table,
            survey,
            &name,
            (index.unique, &index.parts, expressions),
            &index.sql,
        );
        if plain && index.unique && condition.is_none() {
            let columns: Vec<String> = index
                .parts
                .iter()
                .filter_map(|part| part.column.clone())
                .collect();
            self.keys
                .push((table.target.clone(), target_names(table, &columns)));
        }
    }

    /// The step that builds an index. Told is whether it is one over columns and nothing else; the error is why it has no equal.
    #[expect(clippy::too_many_arguments, reason = "all that an index is")]
    fn build(
        &mut self,
        table: &TablePlan,
        name: &str,
        unique: bool,
        parts: &[IndexPart],
        condition: Option<&str>,
        original: &str,
        expressions: &[ExprColumn],
    ) -> Result<bool, String> {
        let mut plain = true;
        let mut list = Vec::new();
        let mut hashes = Vec::new();
        for part in parts {
            let made = index_part(table, part, expressions)?;
            plain &= made.plain;
            let order = if part.descending { " DESC" } else { "" };
            list.extend(made.sql.iter().map(|sql| format!("{sql}{order}")));
            hashes.extend(made.hashed);
        }
        if let Some(collation) = parts.iter().find_map(|part| {
            part.collation
                .as_deref()
                .filter(|name| !ddl::is_own_collation(name))
        }) {
            let reason = format!(
                "made over bytes, because the collation {collation} belongs to the program that made the file"
            );
            self.weaken(table, name, original, &reason);
        }
        if unique && parts.iter().any(|part| tells_apart(table, part)) {
            let reason = "1 and 1.0, which SQLite takes for the same, are two values here, for their classes are part of the key";
            self.weaken(table, name, original, reason);
        }
        if unique && parts.iter().any(|part| null_is_text(table, part.column.as_ref())) {
            let reason = "several rows may have NULL there, which stands for a text that SQLite takes once";
            self.weaken(table, name, original, reason);
        }
        if list.len() > INDEX_COLUMNS_MAX {
            return Err(format!(
                "it has {} columns in PostgreSQL, where a key or an index has {INDEX_COLUMNS_MAX} at most",
                list.len()
            ));
        }
        let word = if unique { "UNIQUE INDEX" } else { "INDEX" };
        let place = self.qualified(&table.target);
        let condition = condition.map_or_else(String::new, |condition| format!(" WHERE {condition}"));
        let statement = |list: &[String]| {
            format!(
                "CREATE {word} {} ON {place} ({}){condition}",
                quoted(name),
                list.join(", ")
            )
        };
        let work = Work::Index {
            name: name.to_owned(),
            sql: statement(&list),
            hashed: unique.then(|| statement(&hashes)),
            original: original.to_owned(),
            width: u64::try_from(list.len()).unwrap_or(u64::MAX),
        };
        self.step(table, Stage::Index, format!("index {name}"), work);
        Ok(plain)
    }

    fn checks(&mut self, table: &TablePlan, expressions: &[ExprColumn]) {
        let mut names = Names::with_taken(self.constraint_names(table));
        for check in &table.source.checks {
            let usual = format!("{}_check", table.source.name);
            let wanted = check.name.as_ref().unwrap_or(&usual);
            match translate::condition(&check.expression, expressions) {
                Ok(condition) => {
                    let name = names.give(wanted);
                    if check.name.is_some() {
                        self.rename("constraint", table, wanted, &name);
                    }
                    self.constraint(table, name, format!("CHECK ({condition})"), None);
                }
                Err(reason) => {
                    let sql = format!("CHECK ({})", check.expression);
                    self.leave_out("check", format!("{}.{wanted}", table.source.name), &sql, reason.0);
                }
            }
        }
    }

    /// The names that keys of a table have.
    fn constraint_names(&self, table: &TablePlan) -> Vec<String> {
        let of_table = self.schema.steps.iter().filter(|step| step.table == table.target);
        of_table
            .filter_map(|step| match &step.work {
                Work::Index { name, .. } | Work::Constraint { name, .. } => Some(name.clone()),
                Work::Key { .. } | Work::Validation { .. } | Work::Identity { .. } => None,
            })
            .collect()
    }

    fn constraint(&mut self, table: &TablePlan, name: String, definition: String, parent: Option<String>) {
        let add = Work::Constraint {
            name: name.clone(),
            definition: definition.clone(),
            parent: parent.clone(),
        };
        self.step(
            table,
            Stage::Constraint,
            format!("constraint {}.{name}", table.target),
            add,
        );
        let step_name = format!("validation {}.{name}", table.target);
        self.step(
            table,
            Stage::Validation,
            step_name,
            Work::Validation {
                name,
                definition,
                parent,
            },
        );
    }

    fn identity(&mut self, table: &TablePlan, survey: &TableSurvey) {
        let identity = table
            .source
            .columns
            .iter()
            .find(|column| column.identity != Identity::No);
        let Some(column) = identity.and_then(|column| table.place_of(&column.name)) else {
            return;
        };
        let Some(column) = table.columns.get(column) else {
            return;
        };
        let Some(ColumnKind::Postgres(kind)) = &column.kind else {
            return;
        };
        if kind.kind != PgKind::Int8 {
            let reason = format!(
                "a column of {} gives out no keys: rows need one of their own",
                kind.name
            );
            self.weaken(table, &column.target, "INTEGER PRIMARY KEY", &reason);
            return;
        }
        let last = survey.max_rowid.max(table.source.sequence).unwrap_or(0);
        let next = last.checked_add(1).map(|next| next.max(1));
        if next.is_none() {
            let never_again = identity.is_some_and(|from| from.identity == Identity::Autoincrement);
            let sqlite = if never_again {
                "so they do in SQLite"
            } else {
                "SQLite would look for a free one"
            };
            let reason =
                format!("no number is left behind the largest key: rows need a key of their own ({sqlite})");
            self.weaken(table, &column.target, "INTEGER PRIMARY KEY", &reason);
        }
        let work = Work::Identity {
            column: column.target.clone(),
            next,
        };
        self.step(table, Stage::Identity, format!("identity {}", table.target), work);
    }

    fn foreign_keys(
        &mut self,
        table: &TablePlan,
        plan: &Plan,
        deletes: &Deletes<'_>,
        source: &Catalog,
        target: &Catalog,
    ) {
        let order = acting::order(&table.source);
        for &at in &order {
            let key = &table.source.foreign_keys[at];
            let parent_columns = match key.parent_columns.as_slice() {
                [] => String::new(),
                columns => format!(" ({})", columns.join(", ")),
            };
            let original = format!(
                "FOREIGN KEY ({}) REFERENCES {}{parent_columns}",
                key.columns.join(", "),
                key.parent
            );
            let usual = format!("{}_{}_fkey", table.source.name, key.columns.join("_"));
            let wanted = key.name.as_ref().unwrap_or(&usual);
            match self.foreign_key(table, key, plan, source, target) {
                Ok((definition, parent)) => {
                    let name = Names::with_taken(self.constraint_names(table)).give(wanted);
                    if key.name.is_some() {
                        self.rename("constraint", table, wanted, &name);
                    }
                    if key.columns.iter().any(|column| null_is_text(table, Some(column))) {
                        let reason = "NULL refers to nothing, and stands for a text that SQLite looks for";
                        self.weaken(table, &name, &original, reason);
                    }
                    for reason in acting::told(&table.source, &order, at, deletes, has_digits(table, key)) {
                        self.weaken(table, &name, &definition, &reason);
                    }
                    self.constraint(table, name, definition, Some(parent));
                }
                Err(reason) => {
                    let name = format!("{}.{wanted}", table.source.name);
                    self.leave_out("foreign key", name, &original, reason);
                }
            }
        }
    }

    /// The definition of a foreign key, and the table that it points to.
    fn foreign_key(
        &self,
        table: &TablePlan,
        key: &ForeignKey,
        plan: &Plan,
        source: &Catalog,
        target: &Catalog,
    ) -> Result<(String, String), String> {
        let Some(original) = source.table(&key.parent) else {
            return Err(format!("there is no table {}", key.parent));
        };
        let parent = match plan
            .position_of(source, &key.parent)
            .and_then(|at| plan.tables.get(at))
        {
            Some(parent) => Some(Parent::of_plan(parent, key)),
            None => target
                .table(&key.parent)
                .map(|parent| Parent::of_target(parent, key)),
        };
        let parent = parent.ok_or_else(|| format!("the table {} is not copied", key.parent))?;
        if parent.columns.len() != key.columns.len() || key.columns.is_empty() {
            return Err(format!(
                "{} has no primary key, or no such columns, to refer to",
                key.parent
            ));
        }
        let mut columns = Vec::new();
        let mut referred = Vec::new();
        for (name, parent) in key.columns.iter().zip(&parent.columns) {
            let plan = table.place_of(name).and_then(|place| table.columns.get(place));
            let plan = plan.ok_or_else(|| format!("{name} is a computed column"))?;
            let kind = plan.kind.as_ref().and_then(kind_of);
            let rendering = plan.rendering.as_ref().filter(|rendering| rendering.is_asked());
            if kind != parent.kind
                || rendering != parent.asked.as_ref()
                || plan.class_column.is_some() != parent.class_column.is_some()
            {
                return Err(format!(
                    "{name} and what it refers to have values of different types"
                ));
            }
            let set_default = [key.on_delete, key.on_update].contains(&Action::SetDefault);
            if set_default && plan.class_column.is_some() && !table.has_mixed_default(plan) {
                return Err(format!(
                    "{name} has values of several classes, and no default for both"
                ));
            }
            columns.extend(
                std::iter::once(&plan.target)
                    .chain(&plan.class_column)
                    .map(String::as_str),
            );
            referred.extend(
                std::iter::once(&parent.name)
                    .chain(&parent.class_column)
                    .map(String::as_str),
            );
        }
        let parent_columns: HashSet<String> = referred.iter().map(|name| (*name).to_owned()).collect();
        let there = target.tables.iter().find(|table| table.name == parent.name);
        let is_key = match there {
            Some(there) => {
                there.is_unique(&referred.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            }
            None => self
                .keys
                .iter()
                .any(|(table, columns)| *table == parent.name && *columns == parent_columns),
        };
        if !is_key {
            // The key of one that is made may be one of a collation, of hashes, or of too many columns.
            let by_their_bytes = if there.is_none() && original.is_unique(&key.parent_columns) {
                " by their bytes"
            } else {
                ""
            };
            return Err(format!(
                "the columns of {} that it refers to are not unique there{by_their_bytes}",
                key.parent
            ));
        }
        let timing = match key.deferrable {
            Deferrable::No => "",
            Deferrable::Immediate => " DEFERRABLE",
            Deferrable::Deferred => " DEFERRABLE INITIALLY DEFERRED",
        };
        let definition = format!(
            "FOREIGN KEY ({}) REFERENCES {} ({}) ON UPDATE {} ON DELETE {}{timing}",
            quoted_list(columns),
            self.qualified(&parent.name),
            quoted_list(referred),
            key.on_update.as_sql(),
            key.on_delete.as_sql()
        );
        Ok((definition, parent.name))
    }

    fn rename(&mut self, kind: &'static str, table: &TablePlan, from: &str, to: &str) {
        if from != to {
            self.renamed.push(Renamed {
                kind,
                table: table.source.name.clone(),
                from: from.to_owned(),
                to: to.to_owned(),
            });
        }
    }
}

/// Whether one value of a foreign key can be written in several ways, which PostgreSQL tells apart where it looks for changes.
fn has_digits(table: &TablePlan, key: &ForeignKey) -> bool {
    let kinds = key
        .columns
        .iter()
        .filter_map(|name| table.column_of(name)?.kind.as_ref());
    kinds
        .filter_map(kind_of)
        .any(|kind| matches!(kind, PgKind::Numeric(_) | PgKind::Float4 | PgKind::Float8))
}

/// A table that a foreign key points to, as it is in the target.
struct Parent {
    name: String,
    columns: Vec<ParentColumn>,
}

struct ParentColumn {
    name: String,
    kind: Option<PgKind>,
    /// What somebody has told of its values.
    asked: Option<Rendering>,
    class_column: Option<String>,
}

impl Parent {
    fn of_plan(parent: &TablePlan, key: &ForeignKey) -> Self {
        let column = |name: &String| {
            let plan = parent.column_of(name)?;
            Some(ParentColumn {
                name: plan.target.clone(),
                kind: plan.kind.as_ref().and_then(kind_of),
                asked: plan.rendering.clone().filter(Rendering::is_asked),
                class_column: plan.class_column.clone(),
            })
        };
        let columns: Option<Vec<_>> = key.parent_columns.iter().map(column).collect();
        Self {
            name: parent.target.clone(),
            columns: columns.unwrap_or_default(),
        }
    }

    fn of_target(parent: &Table, key: &ForeignKey) -> Self {
        let column = |name: &String| {
            let column = parent.column(name)?;
            let made_for = column.made_for.clone().unwrap_or_default();
            Some(ParentColumn {
                name: column.name.clone(),
                kind: kind_of(&column.kind),
                asked: made_for.rendering.filter(Rendering::is_asked),
                class_column: made_for.class_column,
            })
        };
        let columns: Option<Vec<_>> = key.parent_columns.iter().map(column).collect();
        Self {
            name: parent.name.clone(),
            columns: columns.unwrap_or_default(),
        }
    }
}

fn kind_of(kind: &ColumnKind) -> Option<PgKind> {
    match kind {
        ColumnKind::Postgres(kind) => Some(kind.kind),
        ColumnKind::Sqlite { .. } => None,
    }
}

/// One part of an index in PostgreSQL.
struct MadePart {
    /// What stands in the list: the column, or two of them where the class is part of the key.
    sql: Vec<String>,
    /// The same as hashes.
    hashed: Vec<String>,
    /// Whether it is a column, or one and its class, and nothing else.
    plain: bool,
}

/// Whether NULL stands for a text in a column.
fn null_is_text(table: &TablePlan, column: Option<&String>) -> bool {
    let mut columns = table.columns.iter();
    columns.any(|plan| Some(&plan.source) == column && !plan.blanks.is_none())
}

/// Whether values of a part of a key are told apart that SQLite takes for the same: integers and whole reals, which no other affinity leaves
/// side by side.
fn tells_apart(table: &TablePlan, part: &IndexPart) -> bool {
    let plan = table
        .columns
        .iter()
        .find(|column| Some(&column.source) == part.column.as_ref());
    let column = plan
        .filter(|plan| plan.class_column.is_some())
        .and_then(|plan| table.source_column(plan));
    column.is_some_and(|column| {
        matches!(
            column.kind,
            ColumnKind::Sqlite {
                affinity: Affinity::Blob,
                ..
            }
        )
    })
}

fn index_part(table: &TablePlan, part: &IndexPart, expressions: &[ExprColumn]) -> Result<MadePart, String> {
    let made = |sql: String, hashed: String, plain: bool| MadePart {
        sql: vec![sql],
        hashed: vec![hashed],
        plain,
    };
    let Some(name) = &part.column else {
        let Some(expression) = &part.expression else {
            return Err("it is over the rowid, which is no column".to_owned());
        };
        let expression = translate::index_part(expression, part.collation.as_deref(), expressions);
        let expression = expression.map_err(|reason| reason.0)?;
        let hashed = if expression.may_be_long {
            md5(&expression.sql)
        } else {
            expression.sql.clone()
        };
        return Ok(made(expression.sql, hashed, false));
    };
    let computed = || {
        let mut computed = table.computed.iter().map(|(_, column, _)| column);
        computed.find(|column| column.source == *name)
    };
    let plan = table.columns.iter().find(|column| column.source == *name);
    let plan = plan
        .or_else(computed)
        .ok_or_else(|| format!("{name} is no column of the target"))?;
    let column = quoted(&plan.target);
    let kind = plan.kind.as_ref().and_then(kind_of);
    if let Some(class) = &plan.class_column {
        if part.collation.is_some() {
            return Err(format!("{name} has values of several classes and a collation"));
        }
        return Ok(MadePart {
            hashed: vec![hash(&column, kind), quoted(class)],
            sql: vec![column, quoted(class)],
            plain: true,
        });
    }
    let textual = matches!(kind, Some(PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_)));
    match part.collation.as_deref().filter(|_| textual) {
        Some(collation) if collation.eq_ignore_ascii_case("NOCASE") => {
            let sql = format!("(translate({column}, '{UPPER}', '{LOWER}'))");
            Ok(made(sql.clone(), hash(&sql, kind), false))
        }
        Some(collation) if collation.eq_ignore_ascii_case("RTRIM") => {
            let sql = format!("(rtrim({column}, ' '))");
            Ok(made(sql.clone(), hash(&sql, kind), false))
        }
        // Of any other collation: what is the same by its bytes is the same by that.
        None | Some(_) => Ok(made(column.clone(), hash(&column, kind), true)),
    }
}

/// NOCASE folds these and no others.
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";

/// What stands for a value that may be too large for an index.
fn hash(sql: &str, kind: Option<PgKind>) -> String {
    match kind {
        Some(PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) | PgKind::Bytea) => md5(sql),
        _ => sql.to_owned(),
    }
}

fn md5(sql: &str) -> String {
    format!("(md5({sql}))")
}

fn target_names(table: &TablePlan, columns: &[String]) -> HashSet<String> {
    let columns = columns.iter().filter_map(|name| table.column_of(name));
    columns
        .flat_map(|column| std::iter::once(&column.target).chain(&column.class_column))
        .cloned()
        .collect()
}

/// A string literal: quotes doubled, and backslashes safe under any setting.
pub fn literal(text: &str) -> String {
    format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
