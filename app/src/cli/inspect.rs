//! `cutover inspect`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::copy::{configured_files, zone_of};
use super::output::{CliError, Exit, Output};
use crate::config::{Config, DatabaseUrl};
use crate::transfer::inspect::{InspectedTable, Inspection, class_name, inspect};
use crate::transfer::progress::{Progress, Silent, Terminal};
use crate::wiring;

/// Look at every value of a database and say what would become of it; writes nothing
#[derive(Debug, Clone, Args)]
pub(super) struct InspectArgs {
    /// A SQLite path, sqlite:… or postgres://… [default: the configured SQLite file]
    source: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long, short)]
    quiet: bool,
    /// How long to wait for a locked file, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    busy_timeout: u64,
}

/// Looks and prints.
pub(super) async fn run(args: &InspectArgs, config: &Config) -> Result<Exit, CliError> {
    let files = configured_files(config);
    let url = match (&args.source, &files[..]) {
        (Some(source), _) => DatabaseUrl::from_argument(source),
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
    let source = wiring::transfer::source(&url, Duration::from_millis(args.busy_timeout)).await?;
    let progress: Box<dyn Progress> = if args.quiet {
        Box::new(Silent)
    } else {
        Box::new(Terminal::new())
    };
    let inspection = inspect(source.as_ref(), zone_of(&[&url], config)?, progress.as_ref()).await?;
    let wrong = inspection.damage.is_some() || inspection.tables.iter().any(|table| table.rejected > 0);
    Output::from_flag(args.json).write(|| text(&inspection), || document(&inspection, !wrong));
    Ok(if wrong { Exit::Wrong } else { Exit::Done })
}

/// A person's form. Writing to a string cannot fail.
fn text(inspection: &Inspection) -> String {
    let mut text = String::new();
    let mut line = |what: std::fmt::Arguments<'_>| writeln!(text, "{what}").unwrap_or_default();
    line(format_args!(
        "{}: {} tables",
        inspection.source,
        inspection.tables.len()
    ));
    if let Some(damage) = &inspection.damage {
        line(format_args!("damaged: {damage}"));
    }
    for table in &inspection.tables {
        let key = if table.key.is_empty() {
            "no primary key".to_owned()
        } else {
            format!("key {}", table.key.join(", "))
        };
        line(format_args!(
            "\n{}  {} rows, {} bytes, {key}",
            table.name, table.rows, table.bytes
        ));
        for column in &table.columns {
            let renamed = column
                .renamed
                .as_ref()
                .map_or_else(String::new, |name| format!(", named {name:?}"));
            let declared = if column.declared.is_empty() {
                "(no type)"
            } else {
                &column.declared
            };
            line(format_args!(
                "  {:<28} {declared:<14} -> {:<17} {}{renamed}",
                column.name, column.chosen, column.why
            ));
        }
        rejects(table, &mut line);
    }
    for left in &inspection.not_carried {
        line(format_args!(
            "\nnot carried: {} {} ({})\n  {}",
            left.kind, left.name, left.reason, left.sql
        ));
    }
    text
}

fn rejects(table: &InspectedTable, line: &mut impl FnMut(std::fmt::Arguments<'_>)) {
    if table.rejected > 0 {
        line(format_args!("  {} rows do not fit:", table.rejected));
    }
    for reject in &table.rejects {
        line(format_args!(
            "    {} where {}: {}",
            reject.column, reject.key, reject.reason
        ));
    }
}

/// The machine's form.
fn document(inspection: &Inspection, ok: bool) -> Value {
    let tables = inspection.tables.iter().map(|table| {
        let columns = table.columns.iter().map(|column| {
            json!({
                "name": column.name,
                "declared": column.declared,
                "target": column.renamed.as_ref().unwrap_or(&column.name),
                "classes": column.classes.iter().map(|class| class_name(*class)).collect::<Vec<_>>(),
                "type": column.chosen,
                "why": column.why,
            })
        });
        json!({
            "name": table.name,
            "rows": table.rows,
            "bytes": table.bytes,
            "key": table.key,
            "columns": columns.collect::<Vec<_>>(),
            "rejected": table.rejected,
            "rejects": table.rejects,
        })
    });
    json!({
        "ok": ok,
        "source": inspection.source,
        "damage": inspection.damage,
        "tables": tables.collect::<Vec<_>>(),
        "not_carried": inspection.not_carried,
    })
}
