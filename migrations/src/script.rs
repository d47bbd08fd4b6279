//! What `up` and `down` would run, as text for `psql` and `sqlite3`.

use std::fmt::Write;

use crate::context::{Context, Version};
use crate::error::{MigrateError, Result};
use crate::history::{Direction, POSTGRES_OWN, POSTGRES_SCHEMA, Tables};
use crate::run::known_version;
use crate::target::Dialect;

/// The SQL that brings a database from version `from` to version `to`, its history included. Nothing is connected to,
/// so nothing is checked either: whoever runs it sees to it that the database is at `from`.
pub fn sql(context: &Context, dialect: Dialect, from: i64, to: i64) -> Result<String> {
    let (from, to) = (known_version(context, from)?, known_version(context, to)?);
    let tables = Tables::of(context, dialect);
    let direction = if from <= to {
        Direction::Up
    } else {
        Direction::Down
    };
    let mut text = format!(
        "-- The schema {} for {}, {} from version {from} to version {to}.\n-- Run it with {}\n",
        context.name,
        dialect.name(),
        direction.name(),
        match dialect {
            Dialect::Sqlite => "sqlite3 -bail FILE, so that it stops at the first error.",
            Dialect::Postgres => "psql -v ON_ERROR_STOP=1, so that it stops at the first error.",
        }
    );
    if dialect == Dialect::Sqlite {
        // Dropping a table with foreign keys on would delete rows elsewhere.
        text.push_str("PRAGMA foreign_keys = OFF;\n");
    }
    text.push_str("BEGIN;\n");
    if dialect == Dialect::Postgres {
        text.push_str(POSTGRES_SCHEMA);
        text.push_str(POSTGRES_OWN);
    }
    text.push_str(&tables.create(dialect));
    let (low, high) = (from.min(to), from.max(to));
    let mut versions: Vec<&Version> = context
        .versions
        .iter()
        .filter(|version| version.number > low && version.number <= high)
        .collect();
    if direction == Direction::Down {
        versions.reverse();
    }
    for version in versions {
        add(&mut text, &tables, version, dialect, direction)
            .map_err(|error| MigrateError::Failed(error.to_string()))?;
    }
    text.push_str("COMMIT;\n");
    Ok(text)
}

fn add(
    text: &mut String,
    tables: &Tables,
    version: &Version,
    dialect: Dialect,
    direction: Direction,
) -> std::fmt::Result {
    let script = match direction {
        Direction::Up => version.script(dialect).up,
        Direction::Down => version.script(dialect).down,
    };
    let alone = script.starts_with("-- no-transaction");
    writeln!(
        text,
        "\n-- Version {}: {}, {}.",
        version.number,
        version.name,
        direction.name()
    )?;
    if alone {
        text.push_str("COMMIT;\n");
    }
    text.push_str(script.trim_end());
    text.push('\n');
    if alone {
        text.push_str("BEGIN;\n");
    }
    match direction {
        Direction::Up => text.push_str(&tables.baseline(version, dialect, "up")),
        Direction::Down => {
            writeln!(
                text,
                "DELETE FROM {} WHERE version = {};",
                tables.history, version.number
            )?;
            text.push_str(&tables.ran(version, dialect, "down"));
        }
    }
    Ok(())
}

/// Bytes as a literal.
pub(crate) fn literal(bytes: &[u8], dialect: Dialect) -> String {
    let hex = bytes
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    match dialect {
        Dialect::Sqlite => format!("X'{hex}'"),
        Dialect::Postgres => format!("CAST('\\x{hex}' AS bytea)"),
    }
}
