//! Which of a table's foreign keys to one parent acts first.
//!
//! SQLite begins with the key that is declared last, and asks what NO ACTION says when all have acted. PostgreSQL goes through them in the
//! order in which they were made, NO ACTION included.

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

/// Whether a key, made in this order, can leave other rows behind than in SQLite, for the sake of one that is made before it.
pub(super) fn is_other(table: &Table, made: &[usize], key: usize) -> bool {
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
    let has_default = |name: &String| table.column(name).is_some_and(|column| column.default.is_some());
    event.0(first) == Action::SetDefault
        && matches!(event.0(second), Action::Cascade | Action::SetNull)
        && meet(first, second, event)
        && first.columns.iter().any(has_default)
}

/// Whether one key can change what the other acts on.
fn meet(one: &ForeignKey, other: &ForeignKey, event: Event) -> bool {
    let is_same = |name: &String| one.columns.iter().any(|own| own.eq_ignore_ascii_case(name));
    let deletes = event.1 && [event.0(one), event.0(other)].contains(&Action::Cascade);
    one.parent.eq_ignore_ascii_case(&other.parent) && (deletes || other.columns.iter().any(is_same))
}
