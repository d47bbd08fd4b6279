//! Beginning a new version: its four files in a source checkout.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::error::{MigrateError, Result};
use crate::history::Direction;
use crate::target::Dialect;

/// A version that was begun.
#[derive(Debug, Clone)]
pub struct Created {
    /// Its files.
    pub files: Vec<PathBuf>,
    /// What to add to the context's list of versions.
    pub entry: String,
}

/// Writes the up and down scripts of the next version, empty, for both dialects. `folder` is the `migrations` folder of
/// a source checkout. Nothing that exists is overwritten.
pub fn create(folder: &Path, context: &Context, name: &str) -> Result<Created> {
    let name = file_name(name)?;
    let number = next_number(folder, context)?;
    let mut files = Vec::new();
    for dialect in Dialect::ALL {
        for direction in [Direction::Up, Direction::Down] {
            let file = folder
                .join(context.name)
                .join(dialect.name())
                .join(format!("{number:04}_{name}.{}.sql", direction.name()));
            let text = match direction {
                Direction::Up => {
                    "-- Why, and what must hold. One transaction; write `-- no-transaction` as the very first line if it cannot be.\n"
                }
                Direction::Down => {
                    "-- Back to the version before. IF EXISTS, because this also undoes a run that was killed half-way.\n"
                }
            };
            let written = fs::File::create_new(&file).and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|error| {
                MigrateError::Failed(format!("{} cannot be written: {error}", file.display()))
            })?;
            files.push(file);
        }
    }
    Ok(Created {
        files,
        entry: format!("\"{number:04}\" \"{name}\""),
    })
}

fn file_name(name: &str) -> Result<String> {
    let name: String = name
        .trim()
        .chars()
        .map(|c| {
            if c == ' ' || c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if name.is_empty() || name.len() > 60 || !plain || name.starts_with('_') {
        return Err(MigrateError::Usage(format!(
            "{name:?} cannot be the name of a migration; use letters, digits and underscores, 60 at most"
        )));
    }
    Ok(name)
}

/// One above what the program has and what the folders hold.
fn next_number(folder: &Path, context: &Context) -> Result<i64> {
    let mut newest = context.head();
    for dialect in Dialect::ALL {
        let folder = folder.join(context.name).join(dialect.name());
        let entries = fs::read_dir(&folder).map_err(|error| {
            let hint = if error.kind() == ErrorKind::NotFound {
                "; name the `migrations` folder of a source checkout"
            } else {
                ""
            };
            MigrateError::Usage(format!("{} cannot be read: {error}{hint}", folder.display()))
        })?;
        for entry in entries.flatten() {
            let name = entry.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.split('_').next())
                .map(str::parse);
            if let Some(Ok(number)) = number {
                newest = newest.max(number);
            }
        }
    }
    Ok(newest + 1)
}
