//! Which databases a command is about: given, or configured.

use std::path::PathBuf;

use cutover_domain::time::LegacyZone;

use crate::config::{Config, DatabaseUrl};
use crate::exit::{CliError, Exit};

/// A source, a target, and the zone that times without one are meant in.
pub(super) struct Places {
    /// Where to read.
    pub(super) from: DatabaseUrl,
    /// Where to write.
    pub(super) to: DatabaseUrl,
    /// The zone of the context that is configured for the SQLite file among them.
    pub(super) zone: LegacyZone,
}

/// Sources and targets, given or configured: then every SQLite file of a context that is there goes to PostgreSQL.
pub(super) fn places(
    source: Option<&str>,
    target: Option<&str>,
    config: &Config,
) -> Result<Vec<Places>, CliError> {
    if let (Some(source), Some(target)) = (source, target) {
        let (from, to) = (database(source)?, database(target)?);
        let zone = zone_of(&[&from, &to], config)?;
        return Ok(vec![Places { from, to, zone }]);
    }
    let Some(postgres) = &config.postgres else {
        return Err(CliError::new(
            Exit::Usage,
            "no PostgreSQL database is configured: set DATABASE_URL or --postgres, or name the source and the target",
        ));
    };
    let place = |path| {
        let from = DatabaseUrl::Sqlite(path);
        let zone = zone_of(&[&from], config)?;
        let to = DatabaseUrl::Postgres(postgres.url.clone());
        Ok(Places { from, to, zone })
    };
    configured_files(config).into_iter().map(place).collect()
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

/// The zone of the contexts whose file is among `places`; the lab's if it is nobody's.
pub(super) fn zone_of(places: &[&DatabaseUrl], config: &Config) -> Result<LegacyZone, CliError> {
    let mut contexts = config.contexts();
    contexts.retain(|context| places.contains(&&DatabaseUrl::Sqlite(context.sqlite_path.clone())));
    let Some(first) = contexts.first() else {
        return Ok(config.lab.legacy_zone.clone());
    };
    let Some(other) = contexts
        .iter()
        .find(|context| context.legacy_zone != first.legacy_zone)
    else {
        return Ok(first.legacy_zone.clone());
    };
    let (one, other, path) = (first.schema.name, other.schema.name, first.sqlite_path.display());
    Err(CliError::new(
        Exit::Usage,
        format!(
            "{one} and {other} share the SQLite file {path}, and their times without a zone are meant in different ones, so they \
             cannot be converted together: give one of them a file of its own ({other}.sqlite_path)"
        ),
    ))
}
