//! The types of the columns that a target lacks, from what the survey has seen.
//!
//! Columns that foreign keys join get one type, or no foreign key could stand between them; columns that expressions of the schema speak of
//! stay what SQLite has, or the expression would speak of something else.

use std::collections::{HashMap, HashSet};

use super::catalog::{Catalog, ColumnKind, Engine, PgKind, PgType, Table};
use super::evidence::{Choice, Evidence, Rules};
use super::naming::Names;
use super::plan::{ColumnPlan, Plan, TablePlan, Wishes};
use super::rendering::Rendering;
use super::survey::TableSurvey;
use super::translate;

/// A column by its place: the table in the plan, the column in the table's plan.
type Place = (usize, usize);

impl Plan {
    /// Chooses the types of all columns that the target lacks. For each table it is told whether another survey is due, because values may
    /// not fit the types.
    pub fn choose_types(
        &mut self,
        source: &Catalog,
        surveys: &[TableSurvey],
        wishes: &Wishes,
    ) -> Result<Vec<bool>, String> {
        wishes.check(self)?;
        let joined = self.joined_columns(source);
        let rules = self.rules(wishes);
        let mut again = vec![false; self.tables.len()];
        for (at, (table, survey)) in self.tables.iter_mut().zip(surveys).enumerate() {
            for (place, column) in table.columns.iter_mut().enumerate() {
                let Some(evidence) = survey.evidence(place).filter(|_| column.kind.is_none()) else {
                    continue;
                };
                let own = rules_of(&rules, (at, place));
                let decision = match wishes.of(&table.source.name, &column.source) {
                    Some(kind) => wished(kind, evidence, own),
                    None => alike(evidence, own, joined.get(&(at, place)), surveys, &rules).into(),
                };
                again[at] |= decision.rejects_possible;
                column.kind = Some(ColumnKind::Postgres(decision.kind));
                column.rendering = decision.rendering;
                column.why = decision.why;
            }
            table.name_class_columns();
        }
        Ok(again)
    }

            let reason = wishes.why_not_computed(&table.source.name);
            table.not_computed = reason.map(str::to_owned);
    /// What to heed for each column of each table.
    fn rules(&self, wishes: &Wishes) -> Vec<Vec<Rules>> {
        let of_table = |table: &TablePlan| {
            let expressions = names_in_expressions(&table.source);
            let indexed = indexed_columns(&table.source);
            let of_column = |column: &ColumnPlan| {
                let name = column.source.to_ascii_lowercase();
                Rules {
                    keep_text: wishes.keep_text,
                    used_in_expressions: expressions.contains(&name),
                    in_key_with_others: indexed.contains(&name),
                }
            };
            table.columns.iter().map(of_column).collect()
        };
        self.tables.iter().map(of_table).collect()
    }

    /// For each column that foreign keys join with others: those others and itself.
    fn joined_columns(&self, source: &Catalog) -> HashMap<Place, Vec<Place>> {
        let mut groups: Vec<Vec<Place>> = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            for key in &table.source.foreign_keys {
                let Some(parent_at) = self.position_of(source, &key.parent) else {
                    continue;
                };
                for (child, parent) in key.columns.iter().zip(&key.parent_columns) {
                    let child = table.place_of(child);
                    let parent = self
                        .tables
                        .get(parent_at)
                        .and_then(|table| table.place_of(parent));
                    if let (Some(child), Some(parent)) = (child, parent) {
                        join(&mut groups, (at, child), (parent_at, parent));
                    }
                }
            }
        }
        let each = groups.into_iter().flat_map(|group| {
            let places = group.clone();
            places.into_iter().map(move |place| (place, group.clone()))
        });
        each.collect()
    }

    /// The place of a table of the source in the plan, by a name that may differ by case.
    pub(super) fn position_of(&self, source: &Catalog, table: &str) -> Option<usize> {
        let name = &source.table(table)?.name;
        self.tables.iter().position(|table| table.source.name == *name)
    }
}

fn join(groups: &mut Vec<Vec<Place>>, one: Place, other: Place) {
    let mut joined = vec![one, other];
    groups.retain(|group| {
        let meets = group.contains(&one) || group.contains(&other);
        if meets {
            joined.extend(group.iter().copied());
        }
        !meets
    });
    joined.sort_unstable();
    joined.dedup();
    groups.push(joined);
}

/// What a column becomes.
struct Decision {
    kind: PgType,
    rendering: Option<Rendering>,
    why: String,
    rejects_possible: bool,
}

impl From<Choice> for Decision {
    fn from(choice: Choice) -> Self {
        Self {
            kind: choice.rendering.pg_type(),
            rendering: Some(choice.rendering),
            why: choice.why,
            rejects_possible: choice.rejects_possible,
        }
    }
}

fn rules_of(rules: &[Vec<Rules>], (table, column): Place) -> Rules {
    let table = rules.get(table);
    table
        .and_then(|table| table.get(column))
        .copied()
        .unwrap_or_default()
}

/// The choice for a column, or for all that foreign keys join it with: by the values of all, and plain if an expression speaks of one of
/// them. Where those have no type in common each gets its own.
fn alike(
    evidence: &Evidence,
    own: Rules,
    joined: Option<&Vec<Place>>,
    surveys: &[TableSurvey],
    rules: &[Vec<Rules>],
) -> Choice {
    let alone = evidence.choose(own);
    let mut all: Option<Evidence> = None;
    let mut strictest = own;
    for place in joined.into_iter().flatten() {
        let Some(evidence) = surveys.get(place.0).and_then(|survey| survey.evidence(place.1)) else {
            continue;
        };
        strictest.used_in_expressions |= rules_of(rules, *place).used_in_expressions;
        match &mut all {
            Some(all) => all.merge(evidence),
            None => all = Some(evidence.clone()),
        }
    }
    match all.map(|all| all.choose(strictest)) {
        Some(together) if !together.rendering.has_class() => together,
        _ => alone,
    }
}

/// A type that somebody wants. Where it keeps the values exactly, it does; else they are converted, and what changes is counted.
fn wished(kind: &PgType, evidence: &Evidence, rules: Rules) -> Decision {
    let proven = evidence.choose(rules);
    let [_, integers, reals, texts, blobs] = evidence.classes();
    let only = |count: u64| count == integers + reals + texts + blobs;
    let exact = match kind.kind {
        wanted if proven.rendering.pg_type().kind == wanted => Some(proven.rendering.clone()),
        PgKind::Text if only(texts) => Some(Rendering::Text),
        PgKind::Text => Some(Rendering::MixedText),
        PgKind::Bytea if only(blobs) => Some(Rendering::Blob),
        PgKind::Bytea => Some(Rendering::MixedBytea),
        PgKind::Int8 if only(integers) => Some(Rendering::Integer),
        PgKind::Float8 if only(reals) => Some(Rendering::Real),
        PgKind::Json if only(texts) => Some(Rendering::Json),
        _ => None,
    };
    Decision {
        kind: kind.clone(),
        rendering: exact,
        why: "as asked for".to_owned(),
        rejects_possible: true,
    }
}

/// Names that CHECKs, generated columns, expressions of indexes and conditions of partial ones use, in lower case.
fn names_in_expressions(table: &Table) -> HashSet<String> {
    let generated = table.columns.iter().filter_map(|column| match &column.generated {
        super::catalog::Generated::No => None,
        super::catalog::Generated::Stored(sql) | super::catalog::Generated::Virtual(sql) => Some(sql),
    });
    let checks = table.checks.iter().map(|check| &check.expression);
    let parts = table.indexes.iter().flat_map(|index| {
        let expressions = index.parts.iter().filter_map(|part| part.expression.as_ref());
        expressions.chain(&index.predicate)
    });
    let all = generated.chain(checks).chain(parts);
    all.flat_map(|sql| translate::names(sql))
        .map(|name| name.to_ascii_lowercase())
        .collect()
}

/// Columns of keys, of foreign keys and of indexes, in lower case.
fn indexed_columns(table: &Table) -> HashSet<String> {
    let keys = table.primary_key.iter().chain(&table.uniques);
    let keys = keys.flat_map(|key| &key.columns);
    let foreign = table.foreign_keys.iter().flat_map(|key| &key.columns);
    let parts = table.indexes.iter().flat_map(|index| &index.parts);
    keys.chain(foreign)
        .chain(parts.filter_map(|part| part.column.as_ref()))
        .map(|name| name.to_ascii_lowercase())
        .collect()
}

impl TablePlan {
    /// The place of a column of the source, by a name that may differ by case.
    pub(super) fn place_of(&self, column: &str) -> Option<usize> {
        let name = &self.source.column(column)?.name;
        self.columns.iter().position(|column| column.source == *name)
    }

    /// Gives names to the columns for the classes of values.
    fn name_class_columns(&mut self) {
        if self.engine != Engine::Postgres {
            return;
        }
        let mut names = Names::of_columns();
        for column in &self.columns {
            names.give(&column.target);
        }
        let mixed = |column: &&mut ColumnPlan| {
            column.class_column.is_none() && column.rendering.as_ref().is_some_and(Rendering::has_class)
        };
        for column in self.columns.iter_mut().filter(mixed) {
            column.class_column = Some(names.give(&format!("{}__class", column.target)));
        }
    }
}
