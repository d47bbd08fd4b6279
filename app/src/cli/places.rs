//! Which databases a command is about: given, or configured.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use cutover_domain::transfer::plan::Scope;
use cutover_migrations::Context;

use crate::config::{Config, DatabaseUrl};
use crate::exit::{CliError, Exit};
use crate::wiring::transfer::{self, Access};

/// A source and a target.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Where to read.
    pub(super) from: DatabaseUrl,
    /// Where to write.
    pub(super) to: DatabaseUrl,
}

/// Which tables are meant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<'a> {
    /// These only.
    pub(super) tables: &'a [String],
    /// Not these.
    pub(super) exclude: &'a [String],
    /// Those of these applications only.
    pub(super) contexts: &'a [Context],
}

/// Shares out the chosen tables: of several sources each is asked for those that it has.
pub(super) async fn shared_out(
    places: Vec<Places>,
    choice: Choice<'_>,
    config: &Config,
    access: &Access,
) -> Result<Vec<(Places, Scope)>, CliError> {
    let Choice {
        tables,
        exclude,
        contexts,
    } = choice;
    let of_contexts = contexts.iter().map(|context| tables_of(*context, config));
    let of_contexts: Vec<Vec<String>> = of_contexts.collect::<Result<_, _>>()?;
    let is_all = tables.is_empty() && exclude.is_empty();
    if contexts.is_empty() && (places.len() == 1 || is_all) {
        let scope = Scope {
            tables: tables.to_vec(),
            exclude: exclude.to_vec(),
        };
        return Ok(places.into_iter().map(|places| (places, scope.clone())).collect());
    }
    let wanted = if contexts.is_empty() {
        tables.to_vec()
    } else {
        of_contexts.concat()
    };
    let mut shares = Vec::new();
    let (mut sources, mut found) = (Vec::new(), BTreeSet::new());
    for places in places {
        let source = transfer::source(&places.from, access).await?;
        let catalog = source.catalog().await?;
        let has = |name: &&String| catalog.tables.iter().any(|table| table.name == **name);
        let scope = Scope {
            tables: wanted.iter().filter(has).cloned().collect(),
            exclude: exclude.iter().filter(has).cloned().collect(),
        };
        sources.push(source.describe());
        found.extend(scope.tables.iter().chain(&scope.exclude).cloned());
        if wanted.is_empty() || !scope.tables.is_empty() {
            shares.push((places, scope));
        }
    }
    let sources = sources.join(", ");
    if let Some(name) = tables.iter().chain(exclude).find(|name| !found.contains(*name)) {
        return Err(CliError::new(
            Exit::Usage,
            format!(
                "there is no table {name:?} in {sources}; tables are named as they are there, capitals included"
            ),
        ));
    }
    let is_there = |tables: &[String]| tables.iter().any(|name| found.contains(name));
    let mut each = contexts.iter().zip(&of_contexts);
    if let Some((context, _)) = each.find(|(_, tables)| !is_there(tables)) {
        let text = format!("there is no table of the {} in {sources}", context.name);
        return Err(CliError::new(Exit::Usage, text));
    }
    Ok(shares)
}

/// The tables of an application.
fn tables_of(wanted: Context, config: &Config) -> Result<Vec<String>, CliError> {
    let name = wanted.name;
    let mut contexts = config.contexts().into_iter();
    let Some(context) = contexts.find(|context| context.schema.name == name) else {
        let text = format!("{name} is off in the configuration: turn it on with {name}.enabled = true");
        return Err(CliError::new(Exit::Usage, text));
    };
    Ok(context.tables().map(str::to_owned).collect())
}

/// Sources and targets, given or configured: then every SQLite file of a context that is there goes to PostgreSQL. A file alone goes
/// there, too.
pub(super) fn places(
    source: Option<&str>,
    target: Option<&str>,
    config: &Config,
) -> Result<Vec<Places>, CliError> {
    let given = source.map(database).transpose()?;
    if let (Some(from), Some(target)) = (&given, target) {
        let (from, to) = (from.clone(), database(target)?);
        return Ok(vec![Places { from, to }]);
    }
    if let Some(DatabaseUrl::Postgres(_)) = &given {
        return Err(CliError::new(
            Exit::Usage,
            "name the other database, too: only a SQLite file goes to the configured PostgreSQL database by itself",
        ));
    }
    let Some(postgres) = &config.postgres else {
        return Err(CliError::new(
            Exit::Usage,
            "no PostgreSQL database is configured: set DATABASE_URL or --postgres, or name the source and the target",
        ));
    };
    let place = |from| {
        let to = DatabaseUrl::Postgres(postgres.url.clone());
        Places { from, to }
    };
    if let Some(from) = given {
        return Ok(vec![place(from)]);
    }
    let files = configured_files(config).into_iter().map(DatabaseUrl::Sqlite);
    Ok(files.map(place).collect())
}

/// How long a locked file is waited for: as a flag says, in milliseconds, else as is configured.
pub(super) fn busy_timeout(flag: Option<u64>, config: &Config) -> Duration {
    flag.map_or(config.sqlite.busy_timeout, Duration::from_millis)
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
