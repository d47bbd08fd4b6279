//! The types of the columns that a target lacks, from what the survey has seen.
//!
//! Columns that foreign keys join get one type, or no foreign key could stand between them; columns that expressions of the schema speak of
//! stay what SQLite has, or the expression would speak of something else.

use std::collections::{HashMap, HashSet};

use super::blanks::{Blank, Blanks};
use super::catalog::{Catalog, ColumnKind, Engine, Identity, PgKind, PgType, Table};
use super::evidence::{Choice, Evidence, Rules};
use super::naming::Names;
use super::plan::{ColumnPlan, Plan, TablePlan, Wishes};
use super::rendering::{Decimals, Rendering};
use super::survey::TableSurvey;
use super::translate;
use super::width::RowWidth;
use super::wish::Wish;
use super::words::counted;

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
        wishes.check(self, source)?;
        let rules = self.rules(wishes);
        let joins = self.joined_columns(source);
        let several = joins.of_several_classes(self, surveys, &rules);
        let names = self.column_names();
        let mut again = vec![false; self.tables.len()];
        for (at, (table, survey)) in self.tables.iter_mut().zip(surveys).enumerate() {
            let is_undecided = table.columns.iter().any(|column| column.kind.is_none());
            for (place, column) in table.columns.iter_mut().enumerate() {
                let Some(evidence) = survey.evidence(place).filter(|_| column.kind.is_none()) else {
                    continue;
                };
                let own = rules_of(&rules, (at, place));
                let proven = || {
                    if let Some(rowid) = joins.rowid_of_all_empty((at, place), surveys) {
                        return of_rowid(evidence, own, rowid, &names);
                    }
                    let joined = joins.groups.get(&(at, place));
                    let several = several.contains(&(at, place));
                    alike(evidence, own, joined, several, surveys, &rules, &names)
                };
                let wish = wishes.of(&table.source.name, &column.source);
                let decision = match wish {
                    None => proven().into(),
                    Some(wish) => Decision::wished(wish, evidence, own, proven),
                };
                again[at] |= decision.rejects_possible;
                column.kind = Some(ColumnKind::Postgres(decision.kind));
                column.rendering = decision.rendering;
                column.blanks = decision.blanks;
                column.why = decision.why;
            }
            table.name_class_columns();
            // How much of a page a row takes is known by its types.
            again[at] |= is_undecided && RowWidth::of(table).is_some();
            let reason = wishes.why_not_computed(&table.source.name);
            table.not_computed = reason.map(str::to_owned);
        }
        Ok(again)
    }

    /// What each column of each table is called.
    fn column_names(&self) -> Vec<Vec<String>> {
        let of_table = |table: &TablePlan| {
            let columns = table.columns.iter();
            let name = |column: &ColumnPlan| format!("{}.{}", table.source.name, column.source);
            columns.map(name).collect()
        };
        self.tables.iter().map(of_table).collect()
    }

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

    /// Which columns foreign keys join.
    fn joined_columns(&self, source: &Catalog) -> Joins {
        let mut groups: Vec<Vec<Place>> = Vec::new();
        let mut parents = HashSet::new();
        let mut rowids = HashSet::new();
        for (at, table) in self.tables.iter().enumerate() {
            let identities = table
                .source
                .columns
                .iter()
                .filter(|column| column.identity != Identity::No);
            let identities = identities.filter_map(|column| table.place_of(&column.name));
            rowids.extend(identities.map(|place| (at, place)));
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
                        parents.insert((parent_at, parent));
                    }
                }
            }
        }
        let each = groups.into_iter().flat_map(|group| {
            let places = group.clone();
            places.into_iter().map(move |place| (place, group.clone()))
        });
        Joins {
            groups: each.collect(),
            parents,
            rowids,
        }
    }

    /// The place of a table of the source in the plan, by a name that may differ by case.
    pub(super) fn position_of(&self, source: &Catalog, table: &str) -> Option<usize> {
        let name = &source.table(table)?.name;
        self.tables.iter().position(|table| table.source.name == *name)
    }
}

/// The columns that foreign keys join.
struct Joins {
    /// For each of them: all that it is joined with, and itself.
    groups: HashMap<Place, Vec<Place>>,
    /// Those that are referred to.
    parents: HashSet<Place>,
    /// Those that can hold integers only.
    rowids: HashSet<Place>,
}

impl Joins {
    /// The rowid that a column is joined with, if none of them has a value: then it decides, for it can hold nothing else.
    fn rowid_of_all_empty(&self, place: Place, surveys: &[TableSurvey]) -> Option<Place> {
        let group = self.groups.get(&place)?;
        let is_empty = |place: &Place| {
            let evidence = surveys.get(place.0).and_then(|survey| survey.evidence(place.1));
            evidence.is_none_or(|evidence| evidence.counted().is_empty() && evidence.blank() == 0)
        };
        let rowid = group.iter().find(|place| self.rowids.contains(place))?;
        group.iter().all(is_empty).then_some(*rowid)
    }

    /// The columns whose values are of several classes because those of a column are that they refer to: a foreign key stands between both
    /// only if the class is beside each. That is so unless one of them loses more by it than the key: a rowid, or what an expression works on.
    fn of_several_classes(
        &self,
        plan: &Plan,
        surveys: &[TableSurvey],
        rules: &[Vec<Rules>],
    ) -> HashSet<Place> {
        let alone = |place: &Place| {
            let evidence = surveys.get(place.0).and_then(|survey| survey.evidence(place.1));
            evidence.is_some_and(|evidence| evidence.choose(rules_of(rules, *place)).rendering.has_class())
        };
        let bound = |place: &Place| {
            let table = plan.tables.get(place.0);
            let column = table.and_then(|table| table.source_column(table.columns.get(place.1)?));
            let is_rowid = column.is_none_or(|column| column.identity != Identity::No);
            is_rowid || (rules_of(rules, *place).used_in_expressions && !alone(place))
        };
        let groups = self.groups.iter().filter(|(_, group)| {
            let mut parents = group.iter().filter(|place| self.parents.contains(place));
            parents.any(alone) && !group.iter().any(bound)
        });
        groups.map(|(place, _)| *place).collect()
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
    blanks: Blanks,
    why: String,
    rejects_possible: bool,
}

impl Decision {
    /// What somebody wants, with the numbers of values that it is about.
    fn wished(wish: &Wish, evidence: &Evidence, rules: Rules, proven: impl Fn() -> Choice) -> Self {
        let mut decision = match (&wish.rendering, &wish.kind) {
            (Some(rendering), _) => Self {
                kind: rendering.pg_type(),
                rendering: Some(rendering.clone()),
                blanks: Blanks::default(),
                why: as_asked_for(&format!("as asked for ({rendering})"), evidence),
                rejects_possible: true,
            },
            (None, Some(kind)) => wished(kind, evidence, rules),
            (None, None) => proven().into(),
        };
        if !wish.blanks.is_none() {
            decision.heed_blanks(evidence);
        }
        decision
    }

    /// A look at the values as they will be loaded counts those that NULL does not give back.
    fn heed_blanks(&mut self, evidence: &Evidence) {
        self.blanks = evidence.blanks();
        let there = Blank::ALL.into_iter().filter(|blank| self.blanks.takes(*blank));
        let there: Vec<String> = there.map(|blank| format!("'{}'", blank.text())).collect();
        let texts = counted(evidence.blank(), "text");
        let what = match self.blanks.back() {
            _ if there.is_empty() => "nothing that becomes NULL".to_owned(),
            Some(blank) => format!("{texts} '{0}' to NULL, which comes back as '{0}'", blank.text()),
            None => format!(
                "{texts} {} to NULL, which comes back as NULL",
                there.join(" and ")
            ),
        };
        self.why = format!("{}; {what}", self.why);
        self.rejects_possible |= !self.blanks.is_none();
    }
}

/// `as asked for, 2 integers`
fn as_asked_for(asked: &str, evidence: &Evidence) -> String {
    match (evidence.counted(), evidence.texts_not_utf8()) {
        (none, _) if none.is_empty() => format!("{asked}, no values"),
        (counted, 0) => format!("{asked}, {counted}"),
        (counted, not_utf8) => format!("{asked}, {counted}, {not_utf8} of them not UTF-8"),
    }
}

impl From<Choice> for Decision {
    fn from(choice: Choice) -> Self {
        Self {
            kind: choice.rendering.pg_type(),
            rendering: Some(choice.rendering),
            blanks: Blanks::default(),
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
/// them. Where those have no type in common each gets its own, unless all are of `several` classes.
fn alike(
    evidence: &Evidence,
    own: Rules,
    joined: Option<&Vec<Place>>,
    several: bool,
    surveys: &[TableSurvey],
    rules: &[Vec<Rules>],
    names: &[Vec<String>],
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
        // What its own values say is more to the point.
        Some(together) if together.rendering == alone.rendering => alone,
        // The other's affinity makes no numbers.
        Some(together)
            if (&together.rendering, &alone.rendering) == (&Rendering::Text, &Rendering::TextNumber) =>
        {
            alone
        }
        Some(together) if several || !together.rendering.has_class() => {
            let needs_it = |place: &&Place| {
                let evidence = surveys.get(place.0).and_then(|survey| survey.evidence(place.1));
                evidence.is_some_and(|of| of.choose(rules_of(rules, **place)).rendering != alone.rendering)
            };
            let others = joined.into_iter().flatten().filter(needs_it);
            let others = others
                .filter_map(|place| names.get(place.0)?.get(place.1))
                .map(String::as_str);
            let others: Vec<&str> = others.collect();
            Choice {
                why: of_a_type_with(evidence, &others),
                ..together
            }
        }
        _ => alone,
    }
}

/// The choice for a column without values that is joined with such a rowid.
fn of_rowid(evidence: &Evidence, own: Rules, rowid: Place, names: &[Vec<String>]) -> Choice {
    let alone = evidence.choose(own);
    if alone.rendering == Rendering::Integer {
        return alone;
    }
    let name = names.get(rowid.0).and_then(|names| names.get(rowid.1));
    let others: Vec<&str> = name.into_iter().map(String::as_str).collect();
    Choice {
        rendering: Rendering::Integer,
        why: of_a_type_with(evidence, &others),
        ..alone
    }
}

/// `1 integer; of the type that unit.code needs, for foreign keys join them`
fn of_a_type_with(evidence: &Evidence, others: &[&str]) -> String {
    let own = evidence.counted();
    let own = if own.is_empty() { "no values" } else { &own };
    let others = match others {
        [] => "all of them need".to_owned(),
        [one] => format!("{one} needs"),
        [one, rest @ ..] => format!("{one} and {} need", counted(rest.len() as u64, "other")),
    };
    format!("{own}; of the type that {others}, for foreign keys join them")
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
        PgKind::Numeric(limits) => evidence
            .only_reals()
            .map(|reals| Rendering::Decimals(Decimals::new(limits, reals))),
        _ => None,
    };
    Decision {
        kind: kind.clone(),
        rendering: exact,
        blanks: Blanks::default(),
        why: as_asked_for("as asked for", evidence),
        rejects_possible: true,
    }
}

/// Names that CHECKs, generated columns, expressions of indexes and conditions of partial ones work on, in lower case.
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
    all.flat_map(|sql| translate::names_worked_on(sql))
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
