//! Which databases a command is about: given, or configured.

use std::path::PathBuf;

use crate::config::{Config, DatabaseUrl};
use crate::exit::{CliError, Exit};

/// A source and a target.
pub(super) struct Places {
    /// Where to read.
    pub(super) from: DatabaseUrl,
    /// Where to write.
    pub(super) to: DatabaseUrl,
}

/// Sources and targets, given or configured: then every SQLite file of a context that is there goes to PostgreSQL.
pub(super) fn places(
    source: Option<&str>,
    target: Option<&str>,
    config: &Config,
) -> Result<Vec<Places>, CliError> {
    if let (Some(source), Some(target)) = (source, target) {
        let (from, to) = (database(source)?, database(target)?);
        return Ok(vec![Places { from, to }]);
    }
    let Some(postgres) = &config.postgres else {
        return Err(CliError::new(
            Exit::Usage,
            "no PostgreSQL database is configured: set DATABASE_URL or --postgres, or name the source and the target",
        ));
    };
    let place = |path| {
        let from = DatabaseUrl::Sqlite(path);
        let to = DatabaseUrl::Postgres(postgres.url.clone());
        Places { from, to }
    };
    Ok(configured_files(config).into_iter().map(place).collect())
}

/// The database that an argument names.
pub(super) fn database(argument: &str) -> Result<DatabaseUrl, CliError> {
    DatabaseUrl::from_argument(argument).map_err(|reason| CliError::new(Exit::Usage, reason))
}

/// The SQLite files of the contexts that are there; if none is, the first one's, for the error to name.
pub(super) fn configured_files(config: &Config) -> Vec<PathBuf> {
    let mut files = config.sqlite_files();
    if files.iter().any(|path| path.exists()) {
        files.retain(|path| path.exists());
    } else {
        files.truncate(1);
    }
    files
}
