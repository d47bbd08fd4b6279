//! What comes of foreign keys that meet at a row: of which the order matters.
//!
//! SQLite begins with the key that is declared last, and asks what NO ACTION says when all have acted. PostgreSQL goes through them in the
//! order in which they were made, NO ACTION included.

use std::collections::{HashMap, HashSet};

use super::catalog::{Action, Deferrable, ForeignKey, Table};

/// What happens to a parent: what a key does then, and whether it is a delete.
type Event = (fn(&ForeignKey) -> Action, bool);

const EVENTS: [Event; 2] = [(|key| key.on_delete, true), (|key| key.on_update, false)];

/// The foreign keys of a table in the order in which PostgreSQL has to make them, by their places.
pub(super) fn order(table: &Table) -> Vec<usize> {
    let keys = &table.foreign_keys;
    let mut made: Vec<usize> = Vec::with_capacity(keys.len());
    for later in 0..keys.len() {
        let is_behind = |earlier: &usize| {
            let mut events = EVENTS.iter();
            events.any(|event| later_acts_first(&keys[*earlier], &keys[later], *event) == Some(true))
        };
        let at = made.iter().position(is_behind).unwrap_or(made.len());
        made.insert(at, later);
    }
    made
}

/// Why a key, made in this order, can be met otherwise in PostgreSQL; `has_digits` if one value of it can be written in several ways.
pub(super) fn told(
    table: &Table,
    made: &[usize],
    at: usize,
    deletes: &Deletes<'_>,
    has_digits: bool,
) -> Vec<String> {
    let key = &table.foreign_keys[at];
    let actions = [key.on_delete, key.on_update];
    let mut told = Vec::new();
    if is_other(table, made, at) {
        told.push(format!(
            "the table has several foreign keys to {}: SQLite has an order of its own for a DELETE and for an UPDATE there, and looks for \
             the parent of a default in the end; PostgreSQL has one order for both, and looks at once. A change there can leave other rows \
             behind, or be refused",
            key.parent
        ));
    }
    if let Some(deleted) = deletes.end_otherwise(table, key) {
        let when = if key.on_delete == Action::Restrict {
            "before the next, PostgreSQL all of them step by step. One of them can refuse a DELETE there that the other takes".to_owned()
        } else {
            format!(
                "and asks what still refers to {} when all is done; PostgreSQL asks before it goes on from the rows that went along, and can \
                 refuse a DELETE there that SQLite takes",
                key.parent
            )
        };
        told.push(format!(
            "a DELETE in {deleted} also reaches rows of {} by other keys: SQLite follows each key to its end {when}",
            table.name
        ));
    }
    if is_row_by_row(table, key) {
        told.push(
            "it refers to its own table: SQLite asks what RESTRICT says row by row, PostgreSQL when a statement has changed all its rows, and \
             takes one that deletes a row together with those that refer to it"
                .to_owned(),
        );
    }
    if actions.contains(&Action::SetDefault)
        && key.deferrable == Deferrable::Deferred
        && key.columns.iter().all(|name| has_default(table, name))
    {
        told.push(
            "it is deferred, but of a row that has its default already PostgreSQL asks at once whether the parent is there".to_owned(),
        );
    }
    if has_digits && !matches!(key.on_update, Action::NoAction | Action::Cascade) {
        told.push(
            "ON UPDATE acts in PostgreSQL where the number that it refers to is written with other digits (1.5 as 1.50, 0.0 as -0.0), which \
             is no change in SQLite"
                .to_owned(),
        );
    }
    told
}

/// Whether a key, made in this order, can leave other rows behind than in SQLite, for the sake of one that is made before it.
fn is_other(table: &Table, made: &[usize], key: usize) -> bool {
    let keys = &table.foreign_keys;
    let mut before = made.iter().take_while(|other| **other != key);
    before.any(|&first| {
        let (earlier, later) = (&keys[first.min(key)], &keys[first.max(key)]);
        EVENTS.iter().any(|event| {
            later_acts_first(earlier, later, *event).is_some_and(|wanted| wanted != (first > key))
                || looks_too_soon(table, &keys[first], &keys[key], *event)
        })
    })
}

/// Whether SQLite asks what a key of PostgreSQL says, and finds that one which acts behind it there has changed it.
pub(super) fn is_asked_too_late(table: &Table, key: usize) -> bool {
    let Some((one, behind)) = table.foreign_keys.get(key..).and_then(<[_]>::split_first) else {
        return false;
    };
    let is_late = |event: &Event| {
        let acts = |other: &ForeignKey| !matches!(event.0(other), Action::NoAction | Action::Restrict);
        event.0(one) == Action::NoAction && behind.iter().any(|other| acts(other) && meet(one, other, *event))
    };
    one.deferrable != Deferrable::Deferred && EVENTS.iter().any(is_late)
}

/// Whether the key that is declared later has to act first; none if it does not matter.
fn later_acts_first(earlier: &ForeignKey, later: &ForeignKey, event: Event) -> Option<bool> {
    let actions = (event.0(earlier), event.0(later));
    if !meet(earlier, later, event) || actions.0 == actions.1 {
        return None;
    }
    match actions {
        (Action::NoAction, Action::Restrict) | (Action::Restrict, Action::NoAction) => None,
        (_, Action::NoAction) => Some(false),
        _ => Some(true),
    }
}

/// PostgreSQL looks for the parent of a default as soon as it is set, SQLite when all keys have acted: by then the row may be gone, or refer
/// to something else.
fn looks_too_soon(table: &Table, first: &ForeignKey, second: &ForeignKey, event: Event) -> bool {
    event.0(first) == Action::SetDefault
        && matches!(event.0(second), Action::Cascade | Action::SetNull)
        && meet(first, second, event)
        && first.columns.iter().any(|name| has_default(table, name))
}

fn has_default(table: &Table, name: &str) -> bool {
    table.column(name).is_some_and(|column| column.default.is_some())
}

/// Whether one key can change what the other acts on.
fn meet(one: &ForeignKey, other: &ForeignKey, event: Event) -> bool {
    let is_same = |name: &String| one.columns.iter().any(|own| own.eq_ignore_ascii_case(name));
    let deletes = event.1 && [event.0(one), event.0(other)].contains(&Action::Cascade);
    one.parent.eq_ignore_ascii_case(&other.parent) && (deletes || other.columns.iter().any(is_same))
}

/// Which rows a DELETE takes along, by ON DELETE CASCADE.
///
/// SQLite follows one foreign key to its end before the next, and asks what NO ACTION says when all is done. PostgreSQL goes in waves: it
/// acts by all keys to the rows that are deleted, and asks what NO ACTION says, before it looks at what refers to the rows that went along.
/// (`RI_FKey_cascade_del` leaves the triggers of what it deletes to the end of the queue.)
pub(super) struct Deletes<'a> {
    /// Of each table, whose rows go at once, whose in the first wave, and so on.
    waves: Vec<(&'a str, Vec<HashSet<String>>)>,
}

impl<'a> Deletes<'a> {
    pub(super) fn among(tables: impl Iterator<Item = &'a Table> + Clone) -> Self {
        let mut children: HashMap<String, Vec<String>> = HashMap::new();
        for table in tables.clone() {
            let cascades = table
                .foreign_keys
                .iter()
                .filter(|key| key.on_delete == Action::Cascade);
            for key in cascades {
                children
                    .entry(folded(&key.parent))
                    .or_default()
                    .push(folded(&table.name));
            }
        }
        let waves = tables.map(|table| {
            let mut waves = vec![HashSet::from([folded(&table.name)])];
            while let Some(last) = waves.last() {
                let next = last
                    .iter()
                    .filter_map(|name| children.get(name))
                    .flatten()
                    .cloned();
                let next: HashSet<String> = next.collect();
                // In a circle they come again and again.
                if next.is_empty() || waves.iter().filter(|wave| **wave == next).count() > 1 {
                    break;
                }
                waves.push(next);
            }
            (table.name.as_str(), waves)
        });
        Self {
            waves: waves.collect(),
        }
    }

    /// Why a key of PostgreSQL can be met otherwise in SQLite.
    pub(super) fn told_on_the_way_back(&self, table: &Table, key: &ForeignKey) -> Option<String> {
        if let Some(deleted) = self.end_otherwise(table, key) {
            return Some(format!(
                "made, but a DELETE in {deleted} also reaches rows of {} by other keys: PostgreSQL follows all keys step by step, SQLite each \
                 to its end before the next. One of them can refuse a DELETE there that the other takes",
                table.name
            ));
        }
        is_row_by_row(table, key).then(|| {
            "made, but SQLite asks what RESTRICT says row by row: it refuses a statement that deletes a row together with those that refer to it"
                .to_owned()
        })
    }

    /// A table whose DELETE can end otherwise in PostgreSQL than in SQLite for the sake of a key: both the row that the key refers to and the
    /// one that refers to it are reached.
    fn end_otherwise(&self, table: &Table, key: &ForeignKey) -> Option<&'a str> {
        let restricts = key.on_delete == Action::Restrict;
        if !restricts && (key.on_delete != Action::NoAction || key.deferrable == Deferrable::Deferred) {
            return None;
        }
        let parent = folded(&key.parent);
        let found = self.waves.iter().find(|(_, waves)| {
            let Some(asked) = waves.iter().position(|wave| wave.contains(&parent)) else {
                return false;
            };
            // What goes before anybody asks is in nobody's way, but for SQLite, which may ask RESTRICT first.
            let first = if restricts { 0 } else { asked };
            let others = || {
                table
                    .foreign_keys
                    .iter()
                    .filter(|other| lets_go(key, other))
                    .map(|other| folded(&other.parent))
            };
            let mut late = waves.iter().enumerate().skip(first);
            // Two keys to one row act in one wave: that is a matter of their order.
            late.any(|(at, wave)| {
                others().any(|other| wave.contains(&other) && (at != asked || other != parent))
            })
        });
        found.map(|(name, _)| *name)
    }
}

/// SQLite asks what RESTRICT says of each row, PostgreSQL when a statement has changed all its rows: those that refer may be among them.
fn is_row_by_row(table: &Table, key: &ForeignKey) -> bool {
    [key.on_delete, key.on_update].contains(&Action::Restrict) && key.parent.eq_ignore_ascii_case(&table.name)
}

/// Whether a row that refers to another by `key` no longer does when another key has acted.
fn lets_go(key: &ForeignKey, other: &ForeignKey) -> bool {
    let is_same = |name: &String| key.columns.iter().any(|own| own.eq_ignore_ascii_case(name));
    match other.on_delete {
        Action::Cascade => true,
        Action::SetNull | Action::SetDefault => other.columns.iter().any(is_same),
        Action::NoAction | Action::Restrict => false,
    }
}

fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}
