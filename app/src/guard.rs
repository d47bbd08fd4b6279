//! The guard of routing: a mistyped route must never make data seem to vanish.

use std::collections::HashMap;
use std::time::Instant;

use cutover_domain::transfer::digest::Content;
use cutover_domain::transfer::words::{counted, grouped};
use cutover_ports::inventory::{ServedTable, TableRows};
use cutover_ports::transfer::LedgerEntry;

use crate::config::{Backend, Config, ContextConfig, DatabaseUrl, Repository};
use crate::exit::{CliError, Exit};
use crate::transfer::content;
use crate::transfer::unfinished::not_at_its_end;
use crate::wiring::inventory::{self, Counts, HalfCopied, Noted};
use crate::wiring::transfer::{self, Access, verify_side};

/// Whether a table's rows in SQLite are all in PostgreSQL, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// There is nothing to carry.
    Nothing,
    /// Copied and verified, and unchanged ever since.
    Verified,
    /// Copied and not verified since.
    CopiedOnly,
    /// Verified once, and the SQLite table has changed since.
    Changed,
    /// Never copied.
    Never,
}

impl Carried {
    /// What the ledger says of a table that holds `rows` now, by their number. Where routing `may_delete`, there can be fewer.
    fn of(rows: Option<&TableRows>, entry: Option<&LedgerEntry>, may_delete: bool) -> Self {
        let Some(rows) = rows.filter(|rows| rows.own() > 0) else {
            return Self::Nothing;
        };
        let Some(entry) = entry else { return Self::Never };
        if entry.verified_at.is_none() {
            return Self::CopiedOnly;
        }
        // Planted copies take rowids of their own.
        let same_rowid = rows.planted > 0 || entry.max_rowid.is_none() || entry.max_rowid == rows.max_rowid;
        let same_rows = entry.rows == rows.truth() && same_rowid;
        if same_rows || (may_delete && rows.truth() <= entry.rows && rows.max_rowid <= entry.max_rowid) {
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

/// What is known of the tables that a start asks about.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// What PostgreSQL notes of repositories that have run there.
    pub noted: &'a Noted,
    /// What it notes of copies and verifications.
    pub ledger: &'a [LedgerEntry],
    /// The rows of the SQLite files.
    pub sqlite: &'a Counts,
}

/// By table, whether its rows in SQLite are all in PostgreSQL.
pub type AllCarried = HashMap<&'static str, Carried>;

impl Held<'_> {
    fn rows(&self, table: &str) -> Option<&TableRows> {
        self.sqlite.get(table)
    }

    fn entry(&self, table: &str) -> Option<&LedgerEntry> {
        self.ledger.iter().find(|entry| entry.table == table)
    }

    /// Whether the tables of the repositories that `is_asked` for are carried. What neither number of rows nor rowid tells, a changed value, is
    /// found by reading the rows of what was verified.
    pub async fn carried(
        &self,
        config: &Config,
        is_asked: impl Fn(&Repository) -> bool,
    ) -> Result<AllCarried, CliError> {
        let mut carried = AllCarried::new();
        for context in config.contexts() {
            let is_split = context.uses(Backend::Sqlite) && context.uses(Backend::Postgres);
            let mut verified = HashMap::new();
            for repository in context
                .repositories
                .iter()
                .filter(|repository| is_asked(repository))
            {
                // While routing is split, a delete on PostgreSQL reaches the row in the file, and rows that refer to it.
                let may_delete =
                    is_split && repository.backend == Backend::Postgres && self.noted.names(repository);
                for table in repository.tables {
                    let (rows, entry) = (self.rows(table), self.entry(table));
                    let state = Carried::of(rows, entry, may_delete);
                    let digest = entry.and_then(|entry| entry.digest.as_deref());
                    if state == Carried::Verified
                        && !may_delete
                        && let Some(content) = digest.and_then(Content::parse)
                    {
                        verified.insert(*table, content);
                    }
                    carried.insert(*table, state);
                }
            }
            let changed = changed(config, &context, &verified).await?;
            carried.extend(changed.into_iter().map(|table| (table, Carried::Changed)));
        }
        Ok(carried)
    }
}

/// The tables of a context's file that do not hold any more what they held when they were `verified`.
async fn changed(
    config: &Config,
    context: &ContextConfig,
    verified: &HashMap<&'static str, Content>,
) -> Result<Vec<&'static str>, CliError> {
    if verified.is_empty() {
        return Ok(Vec::new());
    }
    let begun = Instant::now();
    let access = Access {
        busy_timeout: config.sqlite.busy_timeout,
        schema: None,
        jobs: 1,
    };
    let file = verify_side(&DatabaseUrl::Sqlite(context.sqlite_path.clone()), &access).await?;
    let (catalog, notes) = (file.catalog().await?, file.own_notes().await?);
    let mut changed = Vec::new();
    for (name, content) in verified {
        let held = match catalog.table(name) {
            Some(table) => content::read(file.as_ref(), table, &notes, &content.columns).await?,
            None => None,
        };
        if held.as_ref() != Some(content) {
            changed.push(*name);
        }
    }
    tracing::debug!(
        file = %context.sqlite_path.display(),
        tables = verified.len(),
        changed = changed.len(),
        seconds = begun.elapsed().as_secs_f64(),
        "read what was verified once more"
    );
    Ok(changed)
}

/// Refuses the start if a repository is routed to PostgreSQL while its SQLite tables hold rows that are not known to be
/// there, naming each table and the command that mends it.
pub fn refuse_uncopied(config: &Config, held: &Held<'_>, carried: &AllCarried) -> Result<(), CliError> {
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for context in config.contexts() {
        let file = context.sqlite_path.display();
        let on_postgres = |repository: &&Repository| repository.backend == Backend::Postgres;
        for repository in context.repositories.iter().filter(on_postgres) {
            let problems = if held.noted.names(repository) {
                &mut late
            } else {
                &mut early
            };
            for table in repository.tables {
                let carried = carried.get(table).copied().unwrap_or(Carried::Nothing);
                if !matches!(carried, Carried::Nothing | Carried::Verified) {
                    let count = held.rows(table).map_or(0, TableRows::truth);
                    problems.push(format!(
                        "  - {}: the SQLite table {table} in {file} holds {} ({})",
                        repository.name,
                        counted(count, "row"),
                        carried.describe()
                    ));
                }
            }
        }
    }
    let mut texts = Vec::new();
    if !early.is_empty() {
        texts.push(format!(
            "refused to start: repositories are routed to PostgreSQL, and rows of theirs in SQLite are not known to be there:\n{}\n\
             Run `cutover copy` and `cutover verify` first, or start with --accept-empty if those rows are not wanted.",
            early.join("\n")
        ));
    }
    if !late.is_empty() {
        texts.push(format!(
            "refused to start: repositories run on PostgreSQL already, and rows of theirs in SQLite are not known to be there:\n{}\n\
             Somebody has written to the file since it was found equal (an instance that was not stopped or still has the old routes, the \
             original application), or it was left behind with --accept-empty. Stop whoever writes there. A copy would now delete what PostgreSQL \
             was given since: `cutover verify --show-values` tells what differs; give what only the file has to the service by hand, then move \
             the file away, or start with --accept-empty if those rows are not wanted.",
            late.join("\n")
        ));
    }
    if texts.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Exit::Refused, texts.join("\n")))
}

/// Refuses the start if a repository is routed to PostgreSQL for the first time since it was copied there, and rows that were found equal
/// are not there any more.
pub fn refuse_emptied(config: &Config, held: &Held<'_>) -> Result<(), CliError> {
    let contexts = config.contexts();
    let repositories = contexts.iter().flat_map(|context| &context.repositories);
    let mut problems = Vec::new();
    for Repository { name, .. } in repositories.filter(|repository| repository.backend == Backend::Postgres) {
        for (table, there) in held.noted.tables(name) {
            let verified = held.entry(table).filter(|entry| entry.verified_at.is_some());
            if let Some(entry) = verified.filter(|entry| entry.rows > there.rows) {
                problems.push(format!(
                    "  - {name}: the PostgreSQL table {table} holds {}, and {} when it was found equal",
                    counted(there.rows, "row"),
                    grouped(entry.rows)
                ));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "refused to start: repositories are routed to PostgreSQL, and rows that were copied there are gone:\n{}\n\
             Copy these tables again (`cutover copy`; with --replace, which deletes what they have left) and prove them by `cutover verify`, or \
             start with --accept-empty if those rows are not wanted.",
            problems.join("\n")
        ),
    ))
}

/// Refuses the start if a repository is routed to where a copy into its tables has not come to its end.
pub fn refuse_half_copied(contexts: &[ContextConfig], copied: &HalfCopied) -> Result<(), CliError> {
    let (database, into) = match &copied.file {
        Some(file) => ("SQLite", format!("their tables in {}", file.display())),
        None => ("PostgreSQL", "their tables there".to_owned()),
    };
    let repositories = copied
        .contexts(contexts)
        .flat_map(|context| &context.repositories);
    let there = repositories.filter(|repository| repository.backend == copied.backend());
    let served = there.flat_map(|repository| repository.tables.iter().map(|table| (repository.name, *table)));
    let half = served.filter(|(_, table)| copied.has(table));
    let half: Vec<String> = half
        .map(|(repository, table)| format!("  - {repository}: the {database} table {table}"))
        .collect();
    if half.is_empty() {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Refused,
        format!(
            "refused to start: repositories are routed to {database}, and {}:\n{}\n\
             Finish it by its own command and prove it by `cutover verify`, or start with --accept-empty if the rows that may be missing are not \
             wanted.",
            not_at_its_end(&copied.source, &into),
            half.join("\n")
        ),
    ))
}

/// Refuses the start if a repository is routed to SQLite while PostgreSQL, where it has run, holds rows that are not known to be in the
/// file, naming each table and the way home.
pub fn refuse_left_behind(config: &Config, noted: &Noted, carried: &AllCarried) -> Result<(), CliError> {
    let mut problems = Vec::new();
    let (contexts, mut files) = (config.contexts(), Vec::new());
    for context in &contexts {
        let file = context.sqlite_path.display();
        let in_file = |repository: &&Repository| repository.backend == Backend::Sqlite;
        for Repository { name, .. } in context.repositories.iter().filter(in_file) {
            for (table, held) in noted.tables(name) {
                let carried = carried.get(table).copied().unwrap_or(Carried::Nothing);
                if let Some(why) = not_home(*held, carried) {
                    files.push(&context.sqlite_path);
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
    let of_files = contexts
        .iter()
        .filter(|context| files.contains(&&context.sqlite_path));
    let stayed = of_files
        .flat_map(|context| &context.repositories)
        .find(|repository| !noted.names(repository));
    let way_home = match stayed {
        None => {
            "Carry them home first (`cutover copy postgres://… home.db`, the runbook's step 5), put the file in its place and prove it by \
             `cutover verify`"
                .to_owned()
        }
        // PostgreSQL's rows of it are old: a file made of them would lose what was written since.
        Some(Repository { name, .. }) => format!(
            "Others have never left the file ({name} is one), so put no other file in its place: carry the moved repositories' tables home \
             into it, and these only, as the runbook's step 6 does, and prove them by `cutover verify --tables …`"
        ),
    };
    Err(CliError::new(
        Exit::Refused,
        format!(
            "refused to start: repositories are routed to SQLite that have run on PostgreSQL, and their rows there are not known to be \
             in the file:\n{}\n{way_home}, or start with --accept-empty if those rows are not wanted.",
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
    let contexts = config.contexts();
    for context in &contexts {
        let backend = transfer::backend_of(config, context, target);
        let replaced = |repository: &&Repository| repository.tables.iter().any(|table| are_copied(table));
        for repository in context.repositories.iter().filter(replaced) {
            if Some(repository.backend) == backend {
                routed.push(repository.name);
            }
            repositories.push(repository.name);
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
    let is_replaced = |repository: &Repository, is_noted| is_noted && repositories.contains(&repository.name);
    let noted = inventory::noted(url, &contexts, is_replaced).await?;
    let tables = noted.served.iter().flat_map(|served| &served.tables);
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
        let of =
            |rows: TableRows, entry: Option<LedgerEntry>| Carried::of(Some(&rows), entry.as_ref(), false);
        assert_eq!(Carried::of(None, None, false), Carried::Nothing);
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
        let after = |rows| Carried::of(Some(&rows), Some(&entry(5, true)), true);
        assert_eq!(after(rows(4, 0, 0)), Carried::Verified, "routing has deleted one");
        assert_eq!(after(moved), Carried::Changed);
    }
}
