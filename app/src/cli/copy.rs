//! `cutover copy`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cutover_domain::time::LegacyZones;
use cutover_domain::transfer::outcome::Normalised;
use cutover_domain::transfer::plan::{Scope, Wishes};
use cutover_domain::transfer::wish::TypeWish;
use cutover_domain::transfer::words::{counted, grouped};
use serde_json::{Map, Value, json};

use super::Output;
use super::places::{Places, places};
use super::verify::{Verified, VerifyArgs};
use crate::config::Config;
use crate::exit::{CliError, Exit};
use crate::transfer::copy::{CopyOptions, CopyReport, Extent, OnReject, copy};
use crate::transfer::progress::{Progress, Silent, Terminal};
use crate::wiring::{self, transfer::Access};

/// Copy a database into another one
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct CopyArgs {
    /// Where to read: a SQLite file, sqlite:…, or postgres://… [default: the configured SQLite file]
    #[arg(value_name = "SRC", requires = "target")]
    source: Option<String>,
    /// Where to write [default: the configured PostgreSQL database]
    #[arg(value_name = "DST")]
    target: Option<String>,
    /// What becomes of rows that the target cannot hold
    #[arg(long, value_enum, default_value_t = OnReject::Fail, value_name = "HOW")]
    on_reject: OnReject,
    /// Delete what the target's tables hold, and make those anew that an earlier copy has made
    #[arg(long)]
    replace: bool,
    /// These tables only, by their names in the source
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude: Vec<String>,
    /// The schema of the PostgreSQL database; made if it is missing [default: the connection's]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// Make the tables and leave them empty
    #[arg(long, conflicts_with = "data_only")]
    schema_only: bool,
    /// Load rows into tables that are there; their types rule
    #[arg(long)]
    data_only: bool,
    /// Do everything, constraints included, and take it all back
    #[arg(long)]
    dry_run: bool,
    /// The type of a column that is made, as table.column=type (* for any table or column)
    ///
    /// Behind the type may stand what the values do not tell: "timestamptz from seconds" (or milliseconds, microseconds; timestamp, too) of
    /// numbers since 1970, "boolean from Y/N" (two values of the column, texts of digits in single quotes), "text from windows-1252" (or
    /// another charset of one byte a character); and behind it, or alone, ", empty as null" and ", zero date as null".
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = TypeWish::parse)]
    types: Vec<TypeWish>,
    /// A file of the same: TOML with lines "table.column" = "type"
    #[arg(long, value_name = "FILE")]
    types_file: Option<PathBuf>,
    /// Leave text as text, whatever its values look like
    #[arg(long)]
    keep_text: bool,
    /// How many connections load and build at a time
    #[arg(long, short, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
    /// Prove the copy equal behind it, as cutover verify does; then 0 means equal
    #[arg(long, conflicts_with_all = ["dry_run", "schema_only"])]
    verify: bool,
    /// End with 1 if something of the schema was not carried, or only in a weaker form
    #[arg(long)]
    strict: bool,
    /// How many milliseconds to wait for a lock on a SQLite file
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    busy_timeout: u64,
}

/// Runs it.
pub(super) async fn run(args: &CopyArgs, config: &Config) -> Result<Exit, CliError> {
    let mut report: Option<CopyReport> = None;
    for places in places(args.source.as_deref(), args.target.as_deref(), config)? {
        let one = copy_one(args, places, config.legacy_zones()).await?;
        report = Some(match report {
            Some(before) => together(before, one),
            None => one,
        });
    }
    let Some(report) = report else {
        return Ok(Exit::Done);
    };
    let verified = if args.verify && report.written {
        Some(Verified::of(&args.to_verify(), config).await?)
    } else {
        None
    };
    let weaker = args.strict && !(report.weakened.is_empty() && report.not_carried.is_empty());
    let equal = verified.as_ref().is_none_or(Verified::ok);
    let exit = if report.ok() && equal && !weaker {
        Exit::Done
    } else {
        Exit::Wrong
    };
    Output::from_flag(args.json).write(
        || match &verified {
            None => text(&report, Some(next_step(args))),
            Some(verified) => text(&report, None) + &verified.text(),
        },
        || {
            let mut document = document(&report, exit);
            if let Some(verified) = &verified {
                document["verified"] = verified.document();
            }
            document
        },
    )?;
    Ok(exit)
}

impl CopyArgs {
    /// The same places and tables, to be compared.
    fn to_verify(&self) -> VerifyArgs {
        VerifyArgs {
            source: self.source.clone(),
            target: self.target.clone(),
            tables: self.tables.clone(),
            exclude: self.exclude.clone(),
            schema: self.schema.clone(),
            jobs: self.jobs,
            quiet: self.quiet,
            busy_timeout: self.busy_timeout,
            ..VerifyArgs::default()
        }
    }
}

/// What to do when all is written.
fn next_step(args: &CopyArgs) -> &'static str {
    match extent(args) {
        Extent::SchemaOnly => "the rows come with cutover copy --data-only",
        Extent::Whole | Extent::DataOnly => "run cutover verify to prove them equal",
    }
}

/// The report on both.
fn together(mut report: CopyReport, other: CopyReport) -> CopyReport {
    report.tables.extend(other.tables);
    report.not_carried.extend(other.not_carried);
    report.weakened.extend(other.weakened);
    report.rejects.extend(other.rejects);
    report.written |= other.written;
    report.elapsed += other.elapsed;
    report
}

async fn copy_one(
    args: &CopyArgs,
    Places { from, to }: Places,
    zones: LegacyZones,
) -> Result<CopyReport, CliError> {
    if from == to {
        return Err(CliError::new(
            Exit::Usage,
            "source and target are the same database",
        ));
    }
    let jobs = if args.dry_run { 1 } else { usize::from(args.jobs) };
    let access = Access {
        busy_timeout: Duration::from_millis(args.busy_timeout),
        schema: args.schema.clone(),
        jobs,
    };
    let types = wanted_types(&args.types, args.types_file.as_deref())?;
    let source = wiring::transfer::source(&from, &access).await?;
    if !args.dry_run {
        wiring::transfer::prepare(&from, &to, source.as_ref()).await?;
    }
    let target = wiring::transfer::target(&to, &access)?;
    let options = CopyOptions {
        on_reject: args.on_reject,
        replace: args.replace,
        zones,
        seeds: wiring::transfer::seeds(),
        scope: Scope {
            tables: args.tables.clone(),
            exclude: args.exclude.clone(),
        },
        wishes: Wishes {
            keep_text: args.keep_text,
            types,
            ..Wishes::default()
        },
        extent: extent(args),
        jobs,
        rehearsal: args.dry_run,
    };
    let progress: Arc<dyn Progress> = if args.quiet {
        Arc::new(Silent)
    } else {
        Arc::new(Terminal::new())
    };
    Ok(copy(source, target.as_ref(), &options, progress).await?)
}

/// What is copied.
fn extent(args: &CopyArgs) -> Extent {
    match (args.schema_only, args.data_only) {
        (true, _) => Extent::SchemaOnly,
        (_, true) => Extent::DataOnly,
        _ => Extent::Whole,
    }
}

/// The types that are wanted, by flags and by a file.
pub(super) fn wanted_types(flags: &[TypeWish], file: Option<&Path>) -> Result<Vec<TypeWish>, CliError> {
    let mut types = flags.to_vec();
    if let Some(path) = file {
        types.extend(types_of_file(path)?);
    }
    Ok(types)
}

/// The types of a file with lines `"table.column" = "type"`.
fn types_of_file(path: &Path) -> Result<Vec<TypeWish>, CliError> {
    let mistake = |what: String| CliError::new(Exit::Usage, format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| mistake(error.to_string()))?;
    let lines: BTreeMap<String, String> =
        toml::from_str(&text).map_err(|error| mistake(error.message().to_owned()))?;
    let wishes = lines
        .iter()
        .map(|(column, kind)| TypeWish::of(column, kind).map_err(mistake));
    wishes.collect()
}

/// The machine's form.
fn document(report: &CopyReport, exit: Exit) -> Value {
    let tables: Vec<Value> = report
        .tables
        .iter()
        .map(|table| {
            json!({
                "name": table.name,
                "target": table.target,
                "rows_read": table.rows_read,
                "rows_written": table.rows_written,
                "rejected": table.rejected,
                "normalised": normalised(table),
                "bytes": table.bytes,
                "seconds": table.elapsed.as_secs_f64(),
            })
        })
        .collect();
    let weakened: Vec<Value> = report
        .weakened
        .iter()
        .map(|weak| {
            json!({"table": weak.table, "constraint": weak.constraint, "sql": weak.sql, "rows": weak.rows, "keys": weak.keys,
                   "reason": weak.reason})
        })
        .collect();
    let mut document = json!({
        "ok": exit == Exit::Done,
        "tables": tables,
        "seconds": report.elapsed.as_secs_f64(),
        "not_carried": report.not_carried,
        "weakened": weakened,
    });
    if !report.renamed.is_empty() {
        document["renamed"] = json!(report.renamed);
    }
    if report.rehearsal {
        document["dry_run"] = json!(true);
    }
    if !report.rejects.is_empty() {
        document["rejects"] = json!(report.rejects);
    }
    document
}

fn normalised(table: &crate::transfer::copy::TableReport) -> Value {
    let columns = table.normalised.iter().map(|(column, kinds)| {
        let kinds: Map<String, Value> = kinds
            .iter()
            .map(|(kind, count)| (kind.as_str().to_owned(), json!(count)))
            .collect();
        (column.clone(), Value::Object(kinds))
    });
    Value::Object(columns.collect())
}

/// A person's form; `next` is what to do when all is written. Writing to a string cannot fail.
fn text(report: &CopyReport, next: Option<&str>) -> String {
    let mut text = String::new();
    let mut line = |what: std::fmt::Arguments<'_>| writeln!(text, "{what}").unwrap_or_default();
    for table in &report.tables {
        let made = if table.created && report.written {
            ", made in the target"
        } else {
            ""
        };
        let rejected = match (table.rejected, report.loading) {
            (0, _) => String::new(),
            (rows, true) => format!(", {} rejected", grouped(rows)),
            (rows, false) => format!(", {} not fitting", grouped(rows)),
        };
        line(format_args!(
            "{}: {} of {} written{rejected}{made}",
            table.target,
            grouped(table.rows_written),
            counted(table.rows_read, "row")
        ));
        for column in &table.added {
            line(format_args!("  the column {column} was made in the target"));
        }
        for (column, kinds) in &table.normalised {
            for (kind, count) in kinds {
                let how = match kind {
                    Normalised::EmptyAsNull | Normalised::ZeroDateAsNull => "as NULL",
                    Normalised::BoundOf32Bits => "in 32 bits",
                    _ => "in another spelling",
                };
                line(format_args!(
                    "  {column}: {count} stored {how} ({})",
                    kind.as_str()
                ));
            }
        }
    }
    for renamed in &report.renamed {
        line(format_args!(
            "renamed: the {} {:?} of {} is called {:?}",
            renamed.kind, renamed.from, renamed.table, renamed.to
        ));
    }
    for weak in &report.weakened {
        let broken = if weak.rows > 0 {
            format!("; {}: {}", counted(weak.rows, "row"), weak.keys.join("; "))
        } else {
            String::new()
        };
        // On the way back a constraint without a name is called what it says.
        let name = if weak.constraint == weak.sql {
            String::new()
        } else {
            format!(".{}", weak.constraint)
        };
        line(format_args!(
            "weakened: {}{name} {}: {}{broken}",
            weak.table, weak.sql, weak.reason
        ));
    }
    for left in &report.not_carried {
        let sql = match left.sql.as_str() {
            "" => String::new(),
            sql => format!(": {sql}"),
        };
        line(format_args!(
            "not carried: {} {} ({}){sql}",
            left.kind, left.name, left.reason
        ));
    }
    for reject in &report.rejects {
        let how = if report.loading { "rejected" } else { "not fitting" };
        let column = match reject.column.as_str() {
            "" => String::new(),
            column => format!(".{column}"),
        };
        line(format_args!(
            "{how}: {}{column} where {}: {}",
            reject.table, reject.key, reject.reason
        ));
    }
    let rejected: u64 = report.tables.iter().map(|table| table.rejected).sum();
    let rows: u64 = report.tables.iter().map(|table| table.rows_written).sum();
    let (rows, refused) = (counted(rows, "row"), counted(rejected, "row"));
    let seconds = report.elapsed.as_secs_f64();
    if report.rehearsal && report.written {
        line(format_args!(
            "{rows} in {seconds:.1} s, and all of it taken back (--dry-run); {refused} not fitting"
        ));
    } else if !report.written {
        line(format_args!(
            "nothing was written, because of {refused} that the target cannot hold; mend the source, or copy with --on-reject quarantine"
        ));
    } else if rejected > 0 && report.loading {
        line(format_args!(
            "{rows} in {seconds:.1} s; {refused} kept in the quarantine (cutover.quarantine, in a file _cutover_quarantine)"
        ));
    } else {
        if rejected > 0 {
            line(format_args!(
                "{refused} will not fit when rows are loaded; mend the source, or load with --on-reject quarantine"
            ));
        }
        let next = next.map_or_else(String::new, |next| format!("; {next}"));
        line(format_args!("{rows} in {seconds:.1} s{next}"));
    }
    text
}
