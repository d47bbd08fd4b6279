//! The guard of routing: a mistyped route must never make data seem to vanish.

use cutover_domain::transfer::words::counted;
use cutover_ports::inventory::{ServedTable, TableRows};
use cutover_ports::transfer::LedgerEntry;

use crate::config::{Backend, Config, DatabaseUrl, Repository};
use crate::exit::{CliError, Exit};
use crate::wiring::inventory::{self, Counts, Served};
use crate::wiring::transfer;

/// Whether a table's rows in SQLite are all in PostgreSQL, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// There is nothing to carry.
    Nothing,
    /// Copied and verified, and the same number of rows ever since.
    Verified,
    /// Copied and not verified since.
    CopiedOnly,
    /// Verified once, and the SQLite table has changed since.
    Changed,
    /// Never copied.
    Never,
}

impl Carried {
    /// What the ledger says of a table that holds `rows` now.
    pub fn of(rows: Option<&TableRows>, entry: Option<&LedgerEntry>) -> Self {
        let Some(rows) = rows.filter(|rows| rows.own() > 0) else {
            return Self::Nothing;
        };
        let Some(entry) = entry else { return Self::Never };
        if entry.verified_at.is_none() {
            return Self::CopiedOnly;
        }
        // Planted copies take rowids of their own.
        let same_rowid = rows.planted > 0 || entry.max_rowid.is_none() || entry.max_rowid == rows.max_rowid;
        if entry.rows == rows.truth() && same_rowid {
            Self::Verified
        } else {
            Self::Changed
        }
    }

    /// For a person.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "empty",
            Self::Verified => "verified",
            Self::CopiedOnly => "copied, not verified",
            Self::Changed => "changed since it was verified",
            Self::Never => "not copied",
        }
    }
}

/// Refuses the start if a repository is routed to PostgreSQL while its SQLite tables hold rows that are not known to be
/// there, naming each table and the command that mends it.
pub fn refuse_uncopied(config: &Config, sqlite: &Counts, ledger: &[LedgerEntry]) -> Result<(), CliError> {
    let contexts = config.contexts();
    let mut problems = Vec::new();
    for context in &contexts {
        let file = context.sqlite_path.display();
        let on_postgres = |repository: &&Repository| repository.backend == Backend::Postgres;
        for Repository { name, tables, .. } in context.repositories.iter().filter(on_postgres) {
            for table in *tables {
                let rows = sqlite.get(table);
                let carried = Carried::of(rows, ledger.iter().find(|entry| entry.table == *table));
                if !matches!(carried, Carried::Nothing | Carried::Verified) {
                    let count = rows.map_or(0, TableRows::truth);
                    problems.push(format!(
                        "  - {name}: the SQLite table {table} in {file} holds {} ({})",
                        counted(count, "row"),
                        carried.describe()
                    ));
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "refused to start: repositories are routed to PostgreSQL, and rows of theirs in SQLite are not known to be there:\n{}\n\
             Run `cutover copy` and `cutover verify` first, or start with --accept-empty if those rows are not wanted.",
            problems.join("\n")
        ),
    ))
}

/// Refuses the start if a repository is routed to SQLite while PostgreSQL, where it has run, holds rows that are not known to be in the
/// file, naming each table and the way home.
pub fn refuse_left_behind(
    config: &Config,
    sqlite: &Counts,
    served: &[Served],
    ledger: &[LedgerEntry],
) -> Result<(), CliError> {
    let mut problems = Vec::new();
    for context in config.contexts() {
        let file = context.sqlite_path.display();
        let in_file = |repository: &&Repository| repository.backend == Backend::Sqlite;
        for Repository { name, .. } in context.repositories.iter().filter(in_file) {
            let tables = served.iter().filter(|served| served.repository == *name);
            for (table, held) in tables.flat_map(|served| &served.tables) {
                let entry = ledger.iter().find(|entry| entry.table == *table);
                if let Some(why) = not_home(*held, Carried::of(sqlite.get(table), entry)) {
                    problems.push(format!(
                        "  - {name}: the PostgreSQL table {table} holds {} ({why} {file})",
                        counted(held.rows, "row")
                    ));
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "refused to start: repositories are routed to SQLite that have run on PostgreSQL, and their rows there are not known to be \
             in the file:\n{}\n\
             Carry them home first (`cutover copy postgres://… home.db`, the runbook's step 5), put the file in its place and prove \
             it by `cutover verify`, or start with --accept-empty if those rows are not wanted.",
            problems.join("\n")
        ),
    ))
}

/// Why the rows of a table that has run on PostgreSQL are not known to be in its SQLite file, of which the ledger says `carried`.
fn not_home(held: ServedTable, carried: Carried) -> Option<&'static str> {
    if !held.is_unchanged() {
        return Some(match held.known {
            Some(_) => "changed since it was last found equal to",
            None => "never compared with",
        });
    }
    let nothing = held.rows <= held.seeded;
    let is_home = nothing || matches!(carried, Carried::Verified | Carried::CopiedOnly);
    (!is_home).then_some("found equal once, but not to what is now in")
}

/// Refuses a copy that would delete what the service runs on: tables `are_copied` whose repositories the configuration routes to the
/// copy's target, or that have run there and are not known to be elsewhere. The latter is noted there, whatever the configuration says.
pub async fn refuse_replacing(
    config: &Config,
    target: &DatabaseUrl,
    schema: Option<&str>,
    are_copied: impl Fn(&str) -> bool,
) -> Result<(), CliError> {
    let mut repositories = Vec::new();
    let mut routed = Vec::new();
    for context in config.contexts() {
        let backend = transfer::backend_of(config, &context, target);
        let replaced = |repository: &&Repository| repository.tables.iter().any(|table| are_copied(table));
        for repository in context.repositories.iter().filter(replaced) {
            if Some(repository.backend) == backend {
                routed.push(repository.name);
            }
            repositories.push(*repository);
        }
    }
    // Another schema of the database is none of the service's.
    if let (DatabaseUrl::Postgres(url), Some(schema), false) = (target, schema, repositories.is_empty())
        && inventory::default_schema(url).await?.as_deref() != Some(schema)
    {
        return Ok(());
    }
    if !routed.is_empty() {
        return Err(CliError::new(
            Exit::Refused,
            format!(
                "refused to replace: the configuration runs {} on the target, so the rows there are the application's, and --replace \
                 would delete them. Stop the service, carry them to the source (the runbook's steps 5 and 6), prove it by `cutover verify` \
                 and route them there first; or add --replace-live if they are not wanted.",
                routed.join(", ")
            ),
        ));
    }
    let DatabaseUrl::Postgres(url) = target else {
        return Ok(());
    };
    if repositories.is_empty() {
        return Ok(());
    }
    let served = inventory::served(url, &repositories).await?.unwrap_or_default();
    let tables = served.iter().flat_map(|served| &served.tables);
    let changed: Vec<String> = tables
        .filter(|(table, held)| are_copied(table) && !held.is_unchanged())
        .map(|(table, held)| format!("{table} ({})", counted(held.rows, "row")))
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "refused to replace: the service has run on the target and written there since it was last found equal to a file, and \
             --replace would delete that: {}. Carry it home first (the runbook's steps 5 and 6) and prove it by `cutover verify`; or add \
             --replace-live if those rows are not wanted.",
            changed.join(", ")
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: u64, planted: u64, seeded: u64) -> TableRows {
        TableRows {
            rows,
            planted,
            seeded,
            max_rowid: Some(9),
        }
    }

    fn entry(rows: u64, verified: bool) -> LedgerEntry {
        LedgerEntry {
            rows,
            max_rowid: Some(9),
            verified_at: verified.then_some(1),
            ..LedgerEntry::default()
        }
    }

    #[test]
    fn rows_are_home_if_postgresql_has_nothing_newer_and_the_file_is_the_one_that_was_compared() {
        let equal = ServedTable {
            rows: 5,
            known: Some(5),
            ..ServedTable::default()
        };
        assert_eq!(not_home(equal, Carried::Verified), None);
        assert_eq!(not_home(equal, Carried::CopiedOnly), None);
        assert!(not_home(equal, Carried::Changed).is_some_and(|why| why.contains("not to what is now in")));
        assert!(
            not_home(equal, Carried::Nothing).is_some(),
            "another file, and an empty one"
        );
        let written = ServedTable { newer: 1, ..equal };
        assert!(not_home(written, Carried::Verified).is_some_and(|why| why.contains("changed since")));
        let fresh = ServedTable {
            rows: 1,
            ..ServedTable::default()
        };
        assert!(not_home(fresh, Carried::Never).is_some_and(|why| why.contains("never compared")));
        assert_eq!(not_home(ServedTable { seeded: 1, ..fresh }, Carried::Never), None);
    }

    #[test]
    fn only_verified_and_unchanged_rows_count_as_carried() {
        let of = |rows: TableRows, entry: Option<LedgerEntry>| Carried::of(Some(&rows), entry.as_ref());
        assert_eq!(Carried::of(None, None), Carried::Nothing);
        assert_eq!(of(rows(1, 0, 1), None), Carried::Nothing);
        assert_eq!(of(rows(3, 3, 0), None), Carried::Nothing);
        assert_eq!(of(rows(2, 0, 1), None), Carried::Never);
        assert_eq!(of(rows(5, 0, 0), Some(entry(5, false))), Carried::CopiedOnly);
        assert_eq!(of(rows(5, 0, 0), Some(entry(5, true))), Carried::Verified);
        assert_eq!(of(rows(6, 1, 0), Some(entry(5, true))), Carried::Verified);
        assert_eq!(of(rows(6, 0, 0), Some(entry(5, true))), Carried::Changed);
        let moved = TableRows {
            max_rowid: Some(10),
            ..rows(5, 0, 0)
        };
        assert_eq!(of(moved, Some(entry(5, true))), Carried::Changed);
    }
}
