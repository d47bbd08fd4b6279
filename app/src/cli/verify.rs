//! `cutover verify`: arguments, and the report for a person.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use clap::Args;
use cutover_domain::transfer::canonical::Shown;
use cutover_domain::transfer::difference::{RowReport, TableReport};
use cutover_domain::transfer::plan::Scope;
use cutover_domain::transfer::words::counted;
use cutover_migrations::Context;
use cutover_ports::transfer::TransferError;

use super::Output;
use super::places::{Choice, Places, busy_timeout, places, shared_out};
use crate::config::{Config, ContextConfig, DatabaseUrl};
use crate::exit::{CliError, Exit};
use crate::printable::one_line;
use crate::transfer::progress::{Progress, Silent, Terminal};
use crate::transfer::verify::{VerifyOptions, VerifyReport, ledger_entries, verify};
use crate::wiring::transfer::{Access, target, verify_side};

/// So many differing rows of a table are named, of each kind.
const ROWS_NAMED: usize = 100;
/// So many of them are printed for a person.
const ROWS_PRINTED: usize = 20;

/// What to compare.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct VerifyArgs {
    /// The source: a SQLite file, sqlite:… or postgres://… [default: the configured SQLite files]
    #[arg(value_name = "SRC")]
    pub(super) source: Option<String>,
    /// The target, likewise [default: the configured PostgreSQL database]
    #[arg(value_name = "DST")]
    pub(super) target: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Compare these tables only, by their names in the source
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(super) tables: Vec<String>,
    /// Leave these tables out
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(super) exclude: Vec<String>,
    /// The tables of this application only; may be given several times
    #[arg(long = "context", value_name = "NAME", value_parser = super::migrate::context, conflicts_with = "tables")]
    pub(super) contexts: Vec<Context>,
    /// The schema of the PostgreSQL side [default: the connection's]
    #[arg(long, value_name = "NAME")]
    pub(super) schema: Option<String>,
    /// How many tables, and parts of a large table, to read at once
    #[arg(long, short, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) jobs: u8,
    /// Show the values that differ, too; they may be private
    #[arg(long)]
    pub(super) show_values: bool,
    /// No progress on standard error
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// How many milliseconds to wait for a lock on a SQLite file [default: sqlite.busy_timeout_ms]
    #[arg(long, value_name = "MS")]
    pub(super) busy_timeout: Option<u64>,
}

/// What a comparison has found.
pub(super) struct Verified {
    headings: Vec<String>,
    report: VerifyReport,
    show_values: bool,
}

impl Verified {
    /// Compares, and notes in the targets what is equal.
    pub(super) async fn of(args: &VerifyArgs, config: &Config) -> Result<Self, CliError> {
        let mut report = VerifyReport::default();
        let mut headings = Vec::new();
        let mut only_in_target = Vec::new();
        let places = places(args.source.as_deref(), args.target.as_deref(), config)?;
        for (places, scope) in shared_out(places, args.choice(), config, &args.access(config)).await? {
            let (heading, one) = verify_one(args, places, scope, config).await?;
            headings.push(heading);
            report.tables.extend(one.tables);
            only_in_target.push(one.only_in_target);
            report.seconds += one.seconds;
        }
        // A table that another of the files holds is not only in the target.
        let in_all = |table: &&(String, u64)| only_in_target.iter().all(|others| others.contains(table));
        report.only_in_target = only_in_target
            .first()
            .map(|first| first.iter().filter(in_all).cloned().collect())
            .unwrap_or_default();
        Ok(Self {
            headings,
            report,
            show_values: args.show_values,
        })
    }

    /// Whether all is equal.
    pub(super) fn ok(&self) -> bool {
        self.report.ok()
    }

    /// A person's form.
    pub(super) fn text(&self) -> String {
        text(&self.headings.join("\n"), &self.report, self.show_values)
    }

    /// A machine's form.
    pub(super) fn document(&self) -> serde_json::Value {
        self.report.to_json(self.show_values)
    }
}

/// Compares, notes in the target what is equal, prints what was found, and says how to exit.
pub(super) async fn run(args: VerifyArgs, config: &Config) -> Result<Exit, CliError> {
    let verified = Verified::of(&args, config).await?;
    Output::from_flag(args.json).write(|| verified.text(), || verified.document())?;
    Ok(if verified.ok() { Exit::Done } else { Exit::Wrong })
}

/// Compares the configured databases for the running service: the report, without values.
pub(super) async fn verify_configured(config: &Config) -> Result<serde_json::Value, CliError> {
    let args = VerifyArgs {
        quiet: true,
        ..VerifyArgs::default()
    };
    Ok(Verified::of(&args, config).await?.document())
}

impl VerifyArgs {
    fn choice(&self) -> Choice<'_> {
        Choice {
            tables: &self.tables,
            exclude: &self.exclude,
            contexts: &self.contexts,
        }
    }

    fn access(&self, config: &Config) -> Access {
        Access {
            busy_timeout: busy_timeout(self.busy_timeout, config),
            schema: self.schema.clone(),
            jobs: usize::from(self.jobs),
        }
    }
}

/// Compares two databases, and notes in the target what is equal.
async fn verify_one(
    args: &VerifyArgs,
    Places { from, to }: Places,
    Scope { tables, exclude }: Scope,
    config: &Config,
) -> Result<(String, VerifyReport), CliError> {
    let access = args.access(config);
    let (ours, theirs) = tokio::try_join!(verify_side(&from, &access), verify_side(&to, &access))?;
    let options = VerifyOptions {
        tables,
        exclude,
        rows_named: ROWS_NAMED,
        zones: config.legacy_zones(),
        jobs: access.jobs,
    };
    let progress: Arc<dyn Progress> = if args.quiet {
        Arc::new(Silent)
    } else {
        Arc::new(Terminal::new())
    };
    let report = verify(ours.as_ref(), theirs.as_ref(), &options, progress).await?;
    let heading = format!("{} against {}", ours.describe(), theirs.describe());
    // A ledger is about a move. A SQLite file that no copy has written is somebody's own, and is only read.
    let noting = match (&from, &to) {
        (DatabaseUrl::Sqlite(_), DatabaseUrl::Postgres(_)) => true,
        (DatabaseUrl::Postgres(_), DatabaseUrl::Sqlite(_)) => theirs.own_notes().await?.ledger,
        _ => false,
    };
    let entries = if noting {
        let contexts = config.contexts();
        let served: HashSet<&str> = contexts.iter().flat_map(ContextConfig::tables).collect();
        ledger_entries(ours.as_ref(), &report, |table| served.contains(table)).await?
    } else {
        vec![]
    };
    // A snapshot of a file keeps others from writing it.
    drop((ours, theirs));
    if !entries.is_empty()
        && let Err(error) = target(&to, &access)?.set_verified(&entries).await
    {
        tracing::warn!("the tables are equal, but the target could not note it: {error}");
    }
    Ok((heading, report))
}

impl From<TransferError> for CliError {
    fn from(error: TransferError) -> Self {
        let exit = match &error {
            TransferError::Unreachable(_) => Exit::Unreachable,
            TransferError::Refused(_) => Exit::Refused,
            TransferError::Usage(_) => Exit::Usage,
            TransferError::Constraint { .. }
            | TransferError::Computed { .. }
            | TransferError::Data { .. }
            | TransferError::Failed(_) => Exit::Wrong,
        };
        Self::new(exit, one_line(&error.to_string()))
    }
}

/// The report for a person.
fn text(heading: &str, report: &VerifyReport, show_values: bool) -> String {
    let mut lines = Lines(format!("{heading}\n"));
    for table in &report.tables {
        lines.table(table, show_values);
    }
    for (name, rows) in &report.only_in_target {
        lines.add(format_args!(
            "  only in the target: {name:?}, {} (not compared)",
            counted(*rows, "row")
        ));
    }
    let rows: u64 = report.tables.iter().map(|table| table.rows_source).sum();
    let wrong = report.tables.iter().filter(|table| !table.equal()).count();
    let tables = report.tables.len();
    if wrong == 0 {
        let compared = report.tables.iter().filter(|table| table.lack.is_none()).count();
        lines.add(format_args!(
            "equal: {} in {}, every value ({:.1} s)",
            counted(rows, "row"),
            counted(compared as u64, "table"),
            report.seconds
        ));
    } else {
        lines.add(format_args!(
            "NOT equal: {wrong} of {} ({:.1} s)",
            counted(tables as u64, "table"),
            report.seconds
        ));
    }
    lines.0
}

struct Lines(String);

impl Lines {
    fn add(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        writeln!(self.0, "{line}").unwrap_or_default();
    }

    fn table(&mut self, table: &TableReport, show_values: bool) {
        if let Some(lack) = &table.lack {
            self.add(format_args!("  {:?}: no rows, and {lack}", table.name));
        } else if table.equal() {
            self.add(format_args!(
                "  {:?}: {}, equal",
                table.name,
                counted(table.rows_source, "row")
            ));
        } else {
            let counts = table.counts;
            self.add(format_args!(
                "  {:?}: {} against {}: {} missing, {} extra, {} different",
                table.name,
                counted(table.rows_source, "row"),
                table.rows_target,
                counts.missing,
                counts.extra,
                counts.different
            ));
        }
        for problem in &table.problems {
            self.add(format_args!("    ! {problem}"));
        }
        for note in &table.notes {
            self.add(format_args!("    {note}"));
        }
        self.differences("", table, show_values);
        if let Some(whole) = &table.with_quarantine {
            self.differences(" even with the quarantine", whole, show_values);
        }
    }

    fn differences(&mut self, when: &str, table: &TableReport, show_values: bool) {
        for (kind, rows, all) in [
            ("missing", &table.missing, table.counts.missing),
            ("extra", &table.extra, table.counts.extra),
            ("different", &table.different, table.counts.different),
        ] {
            self.rows(&format!("{kind}{when}"), rows, counts_of(all), show_values);
        }
    }

    fn rows(&mut self, kind: &str, rows: &[RowReport], all: usize, show_values: bool) {
        for row in rows.iter().take(ROWS_PRINTED) {
            let key: Vec<String> = row
                .key
                .iter()
                .map(|(name, value)| format!("{name}={}", escaped(value)))
                .collect();
            let columns: Vec<&str> = row.columns.iter().map(|cell| cell.column.as_str()).collect();
            let inside = if columns.is_empty() {
                String::new()
            } else {
                format!(" in {}", columns.join(", "))
            };
            self.add(format_args!("    {kind}: {}{inside}", key.join(", ")));
            if show_values {
                for cell in &row.columns {
                    let (source, target) = (escaped(&cell.source), escaped(&cell.target));
                    self.add(format_args!("      {}: {source} against {target}", cell.column));
                }
            }
        }
        let more = all.saturating_sub(rows.len().min(ROWS_PRINTED));
        if more > 0 {
            self.add(format_args!("    … and {more} more {kind}"));
        }
    }
}

fn counts_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// On one line, whatever it holds: a terminal is not to be told anything by a value.
fn escaped(value: &Shown) -> String {
    match value {
        Shown::Null => "NULL".to_owned(),
        Shown::Bool(value) => value.to_string(),
        Shown::Integer(number) => number.to_string(),
        Shown::Real(number) => format!("{number:?}"),
        Shown::Text(text) => format!("{text:?}"),
    }
}
