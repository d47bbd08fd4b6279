//! What a copy refuses once it is planned, because what came of it would be taken for something else.

use std::collections::HashSet;
use std::hash::BuildHasher;

use super::catalog::{Catalog, Column, ColumnKind, Engine, Identity, OtherKind, Storage, Table};
use super::name::quoted;
use super::plan::{ColumnPlan, Plan, Scope, TablePlan};

/// Why a plan is not carried out, in a sentence for a person; none if it can be. Of the target's tables those named in `absent` are not there
/// yet.
pub fn refusal(
    plan: &Plan,
    source: &Catalog,
    target: &Catalog,
    absent: &HashSet<String, impl BuildHasher>,
    scope: &Scope,
) -> Option<String> {
    let refused = lost_rows(plan, source, scope);
    let refused = refused.or_else(|| {
        let mut tables = plan.tables.iter();
        match target.engine {
            Engine::Postgres => tables
                .find_map(|table| in_the_way(table, target))
                .or_else(|| too_wide(plan)),
            Engine::Sqlite => tables
                .find_map(|table| no_table_of_a_file(table).or_else(|| not_whole(table, target)))
                .or_else(|| alike(plan))
                .or_else(|| kept_for_another(plan, target, absent)),
        }
    });
    refused.or_else(|| plan.tables.iter().find_map(|table| needs_value(table, target)))
}

/// A table of which nobody can say what it is, among those that are wanted.
pub fn unreadable(source: &Catalog, wants: impl Fn(&str) -> bool) -> Option<String> {
    let mut others = source.others.iter();
    let other = others.find(|other| other.kind == OtherKind::Unreadable && wants(&other.name))?;
    Some(format!(
        "{}, or leave the table out (--exclude {})",
        other.why.as_deref().unwrap_or_default(),
        other.name
    ))
}

/// A table that cannot be made because it has too many columns, whatever their types.
pub fn too_wide(plan: &Plan) -> Option<String> {
    let mut made = plan.tables.iter().filter(|table| table.created);
    made.find_map(|table| table.check_width().err())
}

/// Which column of the tables that an unfinished run has made is not what it made: rows that come now would be none of its own.
pub fn altered(plan: &Plan, begun: &[Table]) -> Option<String> {
    plan.tables.iter().find_map(|table| {
        let there = begun.iter().find(|there| there.name == table.target)?;
        changed_column(table, there).or_else(|| strange_column(table, there))
    })
}

fn made_columns(table: &TablePlan) -> impl Iterator<Item = &ColumnPlan> {
    let computed = table.computed.iter().map(|(_, column, _)| column);
    table.columns.iter().chain(computed)
}

fn changed_column(table: &TablePlan, there: &Table) -> Option<String> {
    made_columns(table).find_map(|column| {
        let Some(found) = there.column(&column.target) else {
            return Some(format!(
                "the column {} of {}, which it had made, is not there any more",
                column.target, table.target
            ));
        };
        match (&column.kind, &found.kind) {
            (Some(ColumnKind::Postgres(made)), ColumnKind::Postgres(is)) if made.kind != is.kind => {
                Some(format!(
                    "the column {} of {}, which it had made as {}, is {} by now",
                    column.target, table.target, made.name, is.name
                ))
            }
            _ => None,
        }
    })
}

fn strange_column(table: &TablePlan, there: &Table) -> Option<String> {
    // What a file computes is no part of the plan, nor is all that a module shows.
    let mut stored = there
        .columns
        .iter()
        .filter(|column| column.writable() && there.module.is_none());
    let strange = stored.find(|column| !made_columns(table).any(|made| made.target == column.name))?;
    Some(format!(
        "the column {} of {} is none that it had made",
        strange.name, table.target
    ))
}

/// Rows that the source shows under a table's name, and that are none of a table here.
fn lost_rows(plan: &Plan, source: &Catalog, scope: &Scope) -> Option<String> {
    let objects = plan.origin.iter().flat_map(|origin| &origin.objects);
    let copied = |name: &str| plan.tables.iter().any(|table| table.target == name);
    let was_table: Vec<&str> = objects
        .filter(|object| object.kind == "table" && !copied(&object.name))
        .map(|object| object.name.as_str())
        .collect();
    let others = source.others.iter().filter(|other| scope.includes(&other.name));
    others.into_iter().find_map(|other| {
        let name = &other.name;
        match other.kind {
            OtherKind::ForeignTable => Some(format!(
                "the rows of the foreign table {name} are not in this database and are not copied; leave it out (--exclude {name})"
            )),
            OtherKind::View if source.engine == Engine::Postgres && was_table.contains(&name.as_str()) => {
                Some(format!(
                    "{name} was a table and is a view by now, whose rows are not copied; make it a table again, or leave it out \
                     (--exclude {name})"
                ))
            }
            OtherKind::Quarantine if source.engine == Engine::Postgres => Some(format!(
                "{}, or leave the table out (--exclude {name})",
                other.why.as_deref().unwrap_or_default()
            )),
            _ => None,
        }
    })
}

/// What has the name of a table in PostgreSQL and takes no rows of a copy: who made it would read it and not the table beside it.
fn in_the_way(table: &TablePlan, target: &Catalog) -> Option<String> {
    let name = &table.source.name;
    let found = if table.created {
        let mut others = target.others.iter();
        let other = others.find(|other| other.name == *name && other.kind.is_relation())?;
        other.kind.as_str()
    } else {
        let into = target.tables.iter().find(|into| into.name == table.target)?;
        (into.storage == Storage::Partitioned).then_some("partitioned table")?
    };
    Some(format!(
        "the target has a {found} {name}, which is in the way of the table; nothing was written. Drop or rename it, copy into another schema \
         (--schema), or leave the table out (--exclude)"
    ))
}

/// Cutover's own tables in a SQLite file.
pub const OWN_TABLES: [&str; 6] = [
    "_cutover_copy_run",
    "_cutover_progress",
    "_cutover_account",
    "_cutover_quarantine",
    "_cutover_ledger",
    "_cutover_planted_rows",
];

/// No name in a SQLite file begins so but SQLite's own.
const KEPT_PREFIX: &str = "sqlite_";

fn no_table_of_a_file(table: &TablePlan) -> Option<String> {
    if OWN_TABLES
        .iter()
        .any(|own| table.target.eq_ignore_ascii_case(own))
    {
        return Some(format!(
            "the table {} has the name of one that Cutover keeps in a file for itself; rename it, or leave it out (--exclude)",
            table.source.name
        ));
    }
    let starts = table.target.get(..KEPT_PREFIX.len());
    if table.created && starts.is_some_and(|starts| starts.eq_ignore_ascii_case(KEPT_PREFIX)) {
        return Some(format!(
            "the table {} begins with {KEPT_PREFIX}, which SQLite keeps for itself; rename it, or leave it out (--exclude {})",
            table.source.name, table.source.name
        ));
    }
    table.columns.is_empty().then(|| {
        format!(
            "the table {} has no columns, and SQLite has no such tables; leave it out (--exclude)",
            table.source.name
        )
    })
}

/// A virtual table is made with the columns of its own text, or not at all.
fn not_whole(table: &TablePlan, target: &Catalog) -> Option<String> {
    let into = target.tables.iter().find(|into| into.name == table.target)?;
    let module = into.module.as_ref().filter(|_| table.created)?;
    let column = table.gone.first()?;
    let name = &table.source.name;
    Some(format!(
        "PostgreSQL's table {name} has no column {column} any more, without which the virtual table ({module}) that it came from cannot be \
         made; give it back (ALTER TABLE … ADD COLUMN, or RENAME COLUMN where it has another name), or leave the table out (--exclude {name})"
    ))
}

/// A new table that is called like one in which a virtual table keeps its rows.
fn kept_for_another(
    plan: &Plan,
    target: &Catalog,
    absent: &HashSet<String, impl BuildHasher>,
) -> Option<String> {
    let mut made = plan.tables.iter().filter(|table| table.created);
    made.find_map(|table| {
        let mut taken = target.taken.iter();
        let name = taken.find(|name| name.eq_ignore_ascii_case(&table.target))?;
        // SQLite knows by the last underscore whose it is.
        let (owner, _) = name.rsplit_once('_')?;
        // One with rows of its own may be left out.
        let is_left_out = absent.contains(owner) && plan.tables.iter().all(|other| other.target != owner);
        let name = &table.source.name;
        (!is_left_out).then(|| {
            format!(
                "the table {name} has the name of one in which SQLite keeps the rows of the virtual table {owner}; rename it, or leave it out \
                 (--exclude {name})"
            )
        })
    })
}

/// A column of a table that is there which takes no row without a value, or makes a number of its own for each.
fn needs_value(table: &TablePlan, target: &Catalog) -> Option<String> {
    let into = target.tables.iter().find(|into| into.name == table.target)?;
    let is_given = |column: &Column| table.columns.iter().any(|plan| plan.target == column.name);
    let mut lacking = into
        .columns
        .iter()
        .filter(|column| !table.created && column.writable() && !is_given(column));
    let is_numbered = |column: &Column| table.engine == Engine::Sqlite && column.identity != Identity::No;
    let column =
        lacking.find(|column| is_numbered(column) || (column.not_null && column.default.is_none()))?;
    let (name, from) = (&column.name, &table.source.name);
    let why = if is_numbered(column) {
        "SQLite would number the rows anew, and what refers to them would find others"
    } else {
        "it takes no NULL and has no default"
    };
    let remedy = match table.engine {
        Engine::Sqlite => "copy into a new file",
        Engine::Postgres => "give it a default",
    };
    Some(format!(
        "the column {name} of the table {} of the target needs a value, and {from} of the source has no such column: {why}. Give the column \
         back there if it was dropped, or its name if it was renamed (ALTER TABLE {} RENAME COLUMN … TO {}), or {remedy}, or leave the table \
         out (--exclude {from})",
        table.target,
        quoted(from),
        quoted(name)
    ))
}

/// Names that differ by the case of letters are one to SQLite.
fn alike(plan: &Plan) -> Option<String> {
    let tables = plan
        .tables
        .iter()
        .map(|table| (&table.target, &table.source.name));
    if let Some((one, other)) = first_alike(tables) {
        return Some(format!(
            "the tables {one} and {other} differ by the case of letters only, and SQLite takes them for one; rename one in PostgreSQL, or \
             leave it out (--exclude)"
        ));
    }
    plan.tables.iter().find_map(|table| {
        let columns = table.columns.iter().map(|column| (&column.target, &column.source));
        let (one, other) = first_alike(columns)?;
        Some(format!(
            "the columns {one} and {other} of the table {} differ by the case of letters only, and SQLite takes them for one; rename one in \
             PostgreSQL, or leave the table out (--exclude)",
            table.source.name
        ))
    })
}

/// The first two whose names in the target are one to SQLite.
fn first_alike<'a>(mut names: impl Iterator<Item = (&'a String, &'a String)>) -> Option<(&'a str, &'a str)> {
    let mut met: Vec<(String, &str)> = Vec::new();
    names.find_map(|(target, source)| {
        let folded = target.to_ascii_lowercase();
        let before = met.iter().find(|(name, _)| *name == folded).map(|(_, of)| *of);
        met.push((folded, source));
        before.map(|before| (before, source.as_str()))
    })
}
