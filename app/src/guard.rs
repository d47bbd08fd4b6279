//! The guard of routing: a mistyped route must never make data seem to vanish.

use cutover_domain::transfer::words::counted;
use cutover_ports::inventory::TableRows;
use cutover_ports::transfer::LedgerEntry;

use crate::config::{Backend, Config, Repository};
use crate::exit::{CliError, Exit};
use crate::wiring::inventory::Counts;

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
