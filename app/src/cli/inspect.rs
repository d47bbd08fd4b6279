//! `cutover inspect`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use cutover_domain::transfer::plan::{Scope, Wishes};
use cutover_domain::transfer::wish::TypeWish;
use cutover_domain::transfer::words::counted;
use indicatif::{HumanBytes, HumanDuration};
use serde_json::{Map, Value, json};

use super::copy::wanted_types;
use super::output::Output;
use super::places::{busy_timeout, configured_files, database};
use crate::config::{Config, DatabaseUrl};
use crate::exit::{CliError, Exit};
use crate::printable::one_line;
use crate::transfer::inspect::{InspectedColumn, InspectedTable, Inspection, inspect};
use crate::transfer::progress::{Progress, Silent, Terminal};
use crate::transfer::survey::Question;
use crate::wiring::{self, transfer::Access};

/// Look at every value of a database and say what would become of it; writes nothing
///
/// Of a SQLite file it is told what a new PostgreSQL database would have of it, of a PostgreSQL database what would come back into a SQLite
/// file. For the latter all rows are written to a temporary file, which needs as much room as that one would and is gone in the end.
#[derive(Debug, Clone, Args)]
pub(super) struct InspectArgs {
    /// A SQLite path, sqlite:… or postgres://… [default: the configured SQLite file]
    source: Option<String>,
    /// The schema of a PostgreSQL database [default: the connection's]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// These tables only
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tables: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    exclude: Vec<String>,
    /// The type of a column that would be made, as table.column=type (* for any table or column); more of it in: cutover copy --help
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = TypeWish::parse)]
    types: Vec<TypeWish>,
    /// A file of the same: TOML with lines "table.column" = "type"
    #[arg(long, value_name = "FILE")]
    types_file: Option<PathBuf>,
    /// Leave text as text, whatever its values look like
    #[arg(long)]
    keep_text: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// No progress; warnings are told
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// How many milliseconds to wait for a lock on a SQLite file [default: sqlite.busy_timeout_ms]
    #[arg(long, value_name = "MS")]
    busy_timeout: Option<u64>,
}

/// Looks and prints.
pub(super) async fn run(args: &InspectArgs, config: &Config) -> Result<Exit, CliError> {
    let files = configured_files(config);
    let url = match (&args.source, &files[..]) {
        (Some(source), _) => database(source)?,
        (None, [only]) => DatabaseUrl::Sqlite(only.clone()),
        (None, several) => {
            let names: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            let text = format!(
                "several SQLite files are configured; name one of {}",
                names.join(", ")
            );
            return Err(CliError::new(Exit::Usage, text));
        }
    };
    let access = Access {
        busy_timeout: busy_timeout(args.busy_timeout, config),
        schema: args.schema.clone(),
        jobs: 1,
    };
    let source = wiring::transfer::source(&url, &access).await?;
    let progress: Arc<dyn Progress> = if args.quiet {
        Arc::new(Silent)
    } else {
        Arc::new(Terminal::new())
    };
    let scope = Scope {
        tables: args.tables.clone(),
        exclude: args.exclude.clone(),
    };
    let question = Question {
        wishes: Wishes {
            keep_text: args.keep_text,
            types: wanted_types(&args.types, args.types_file.as_deref())?,
            ..Wishes::default()
        },
        zones: config.legacy_zones(),
    };
    let home = match &url {
        DatabaseUrl::Postgres(_) => Some(wiring::transfer::scratch(&access)?),
        DatabaseUrl::Sqlite(_) => None,
    };
    let inspection = inspect(&source, home.as_deref(), &scope, &question, &progress).await?;
    let wrong = inspection.damage.is_some()
        || inspection.unfinished.is_some()
        || inspection.tables.iter().any(|table| table.rejected > 0);
    Output::from_flag(args.json).write(|| text(&inspection), || document(&inspection, !wrong))?;
    Ok(if wrong { Exit::Wrong } else { Exit::Done })
}

/// A person's form. Writing to a string cannot fail.
fn text(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |what: std::fmt::Arguments<'_>| writeln!(text, "{what}").unwrap_or_default();
    let rows: u64 = inspection.tables.iter().map(|table| table.rows).sum();
    let time = match inspection.estimate.time {
        short if short < Duration::from_secs(1) => "less than a second".to_owned(),
        time => format!("about {}", HumanDuration(time)),
    };
    line(format_args!(
        "{}: {}, {}; in {} about {}, copied in {time}",
        inspection.source,
        counted(inspection.tables.len() as u64, "table"),
        counted(rows, "row"),
        if inspection.is_way_back {
            "a SQLite file"
        } else {
            "PostgreSQL"
        },
        HumanBytes(inspection.estimate.bytes),
    ));
    if let Some(damage) = &inspection.damage {
        line(format_args!("damaged: {damage}"));
    }
    for index in &inspection.damaged_indexes {
        line(format_args!(
            "damaged index, read past and made anew by a copy: {index}"
        ));
    }
    if let Some(half) = &inspection.unfinished {
        line(format_args!("unfinished: {half}"));
    }
    for table in &inspection.tables {
        let key = if table.key.is_empty() {
            "no primary key".to_owned()
        } else {
            format!("key {}", one_line(&table.key.join(", ")))
        };
        line(format_args!(
            "\n{}  {}, {}, {key}",
            one_line(&table.name),
            counted(table.rows, "row"),
            HumanBytes(table.bytes)
        ));
        for column in &table.columns {
            column_lines(column, &mut line);
        }
        rejects(table, &mut line);
        for orphan in &table.oddities.orphans {
            line(format_args!(
                "  {} without a parent, {}: {}",
                counted(orphan.rows, "row"),
                orphan.about,
                orphan.first.join(", ")
            ));
        }
        for key in &table.oddities.not_looked_at {
            line(format_args!(
                "  rows without a parent, {key}: not looked for, as the parent is left out"
            ));
        }
        for alike in &table.oddities.alike {
            line(format_args!(
                "  {} whose {} differs by the case of letters only: {}",
                counted(alike.rows, "row"),
                alike.about,
                alike.first.join(", ")
            ));
        }
    }
    for renamed in &inspection.renamed {
        line(format_args!(
            "\nrenamed: the {} {:?} of {} would be called {:?}",
            renamed.kind, renamed.from, renamed.table, renamed.to
        ));
    }
    for weak in &inspection.weakened {
        let broken = match weak.rows {
            0 => String::new(),
            rows => format!("; {}: {}", counted(rows, "row"), weak.keys.join("; ")),
        };
        line(format_args!(
            "\nweakened: {} {}\n  {}{broken}",
            weak.name(),
            weak.sql,
            weak.reason
        ));
    }
    for uncertain in &inspection.uncertain {
        line(format_args!(
            "\nuncertain: {}.{} {}\n  {}",
            uncertain.table, uncertain.constraint, uncertain.sql, uncertain.reason
        ));
    }
    for left in &inspection.not_carried {
        line(format_args!(
            "\nnot carried: {} {} ({})\n  {}",
            left.kind, left.name, left.reason, left.sql
        ));
    }
    text
}

fn column_lines(column: &InspectedColumn, line: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    let none_if_empty = |kind: &str| {
        if kind.is_empty() {
            "(no type)".to_owned()
        } else {
            one_line(kind)
        }
    };
    let declared = none_if_empty(&column.declared);
    let computed = column
        .computed
        .as_ref()
        .map_or_else(String::new, |expression| format!(", computed by {expression}"));
    let (name, chosen) = (one_line(&column.name), none_if_empty(&column.chosen));
    line(format_args!(
        "  {name:<28} {declared:<14} -> {chosen:<17} {}{computed}",
        column.why
    ));
    let (with_nul, not_utf8) = column.unfit_texts;
    if with_nul + not_utf8 > 0 {
        line(format_args!(
            "  {:<28} {} with a NUL character, {not_utf8} not UTF-8",
            "",
            counted(with_nul, "text")
        ));
    }
}

fn rejects(table: &InspectedTable, line: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    if table.rejected > 0 {
        line(format_args!("  not fitting: {}", counted(table.rejected, "row")));
    }
    for reject in &table.rejects {
        let column = match reject.column.as_str() {
            "" => String::new(),
            column => format!("{column} "),
        };
        line(format_args!(
            "    {column}where {}: {}",
            reject.key, reject.reason
        ));
    }
}

/// The machine's form.
fn document(inspection: &Inspection, ok: bool) -> Value {
    let tables = inspection.tables.iter().map(|table| {
        let columns = table.columns.iter().map(|column| {
            let classes: Map<String, Value> = column
                .classes
                .iter()
                .map(|(class, count)| (class.as_str().to_owned(), json!(count)))
                .collect();
            json!({
                "name": column.name,
                "declared": column.declared,
                "target": column.renamed.as_ref().unwrap_or(&column.name),
                "class_column": column.class_column,
                "classes": classes,
                "examples": column.examples,
                "integers": column.integers,
                "longest": column.longest,
                "texts_with_nul": column.unfit_texts.0,
                "texts_not_utf8": column.unfit_texts.1,
                "texts_as_null": column.texts_as_null,
                "type": column.chosen,
                "rendering": column.rendering,
                "computed": column.computed,
                "why": column.why,
            })
        });
        json!({
            "name": table.name,
            "target": table.target,
            "rows": table.rows,
            "bytes": table.bytes,
            "key": table.key,
            "columns": columns.collect::<Vec<_>>(),
            "rejected": table.rejected,
            "rejects": table.rejects,
            "orphans": table.oddities.orphans,
            "foreign_keys_not_looked_at": table.oddities.not_looked_at,
            "alike_keys": table.oddities.alike,
        })
    });
    json!({
        "ok": ok,
        "source": inspection.source,
        "damage": inspection.damage,
        "damaged_indexes": inspection.damaged_indexes,
        "unfinished": inspection.unfinished.as_ref().map(ToString::to_string),
        "tables": tables.collect::<Vec<_>>(),
        "not_carried": inspection.not_carried,
        "weakened": inspection.weakened,
        "uncertain": inspection.uncertain,
        "renamed": inspection.renamed,
        "estimate": {"bytes": inspection.estimate.bytes, "seconds": inspection.estimate.time.as_secs_f64()},
        "catalog": inspection.catalog,
    })
}
