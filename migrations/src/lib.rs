//! Cutover's schemas, up and down, for SQLite and PostgreSQL, and what runs them.
//!
//! sqlx's drivers and its bookkeeping, plus what that leaves to us: a lock on SQLite, checks before anything is run,
//! a note of what was begun, a comparison of the live schema with what the scripts make, and the adoption of files
//! that the original applications made.

#[cfg(feature = "sqlite")]
mod adopt;
mod connection;
mod context;
mod create;
mod error;
#[cfg(feature = "sqlite")]
mod expression;
mod history;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_schema;
mod run;
mod schema;
mod script;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_schema;
mod target;

pub use context::{Context, Script, Version};
pub use create::{Created, create};
pub use error::{MigrateError, Result};
pub use history::Direction;
pub use run::{Adopted, Down, Holder, Outcome, Rows, State, Status, Step, VersionStatus};
pub use schema::{Difference, Drift};
pub use script::sql;
pub use target::{Dialect, Endpoint, PostgresTarget, Target, TlsMode};

/// Brings a context's schema in a database to version `to`, or to the newest one. Twice is as good as once.
///
/// A SQLite file of the original application that was never migrated is recognised, copied beside itself and taken
/// over first.
pub async fn up(target: &Target, context: &Context, to: Option<i64>) -> Result<Outcome> {
    match target {
        #[cfg(feature = "sqlite")]
        Target::Sqlite { path } => sqlite::up(path, context, to).await,
        #[cfg(feature = "postgres")]
        Target::Postgres(target) => {
            let mut database = postgres::PostgresDatabase::open_locked(target, context).await?;
            database.knows_its_tables(target, context, to).await?;
            database.create_own_schema().await?;
            let outcome = run::up(&mut database, context, to).await?;
            database.share_sequences(context).await?;
            database.close().await?;
            Ok(outcome)
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        other => Err(not_built(other)),
    }
}

/// Takes versions back, the newest first. Refused if that loses rows, unless they are to be discarded.
pub async fn down(target: &Target, context: &Context, how_far: Down, rows: Rows) -> Result<Outcome> {
    match target {
        #[cfg(feature = "sqlite")]
        Target::Sqlite { path } => sqlite::down(path, context, how_far, rows).await,
        #[cfg(feature = "postgres")]
        Target::Postgres(target) => {
            let mut database = postgres::PostgresDatabase::open_locked(target, context).await?;
            let outcome = run::down(&mut database, context, how_far, rows).await?;
            database.close().await?;
            Ok(outcome)
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        other => Err(not_built(other)),
    }
}

/// How a context's schema stands in a database. Changes nothing.
pub async fn status(target: &Target, context: &Context) -> Result<Status> {
    match target {
        #[cfg(feature = "sqlite")]
        Target::Sqlite { path } => sqlite::status(path, context).await,
        #[cfg(feature = "postgres")]
        Target::Postgres(target) => {
            let mut database = postgres::PostgresDatabase::open_to_look(target).await?;
            let mut status = run::status(&mut database, context).await?;
            status.holder = database.is_being_migrated(context).await?;
            status.running = status.holder.is_some();
            database.looked().await?;
            Ok(status)
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        other => Err(not_built(other)),
    }
}

/// Compares the live schema with what the scripts make, by meaning. Changes nothing, leaves nothing.
pub async fn check(target: &Target, context: &Context) -> Result<Drift> {
    match target {
        #[cfg(feature = "sqlite")]
        Target::Sqlite { path } => sqlite::check(path, context).await,
        #[cfg(feature = "postgres")]
        Target::Postgres(target) => {
            let mut database = postgres::PostgresDatabase::open(target).await?;
            let drift = run::check(&mut database, context, schema::Legacy::default()).await?;
            database.close().await?;
            Ok(drift)
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        other => Err(not_built(other)),
    }
}

/// Tables of the newest schema that are not in the database, and columns that those there lack, but for those that an old file may. Both
/// databases have the same names, and SQLite tells them here: so any role can ask, while [`check`] makes tables to compare with.
#[cfg(feature = "sqlite")]
pub async fn missing(target: &Target, context: &Context) -> Result<Vec<Difference>> {
    let head = sqlite::head(context).await?;
    match target {
        Target::Sqlite { path } => {
            let live = sqlite::live(path).await?;
            let forgiven = sqlite::legacy(context).missing_columns;
            Ok(schema::missing(&head, &live, forgiven, str::eq_ignore_ascii_case))
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(target) => {
            let mut database = postgres::PostgresDatabase::open_to_look(target).await?;
            let live = postgres_schema::read(&mut database).await?;
            database.looked().await?;
            Ok(schema::missing(&head, &live, &[], |name, other| name == other))
        }
        #[cfg(not(feature = "postgres"))]
        other => Err(not_built(other)),
    }
}

/// Whether a SQLite file is not there, or has no tables but those that migrations keep for themselves.
#[cfg(feature = "sqlite")]
pub async fn is_empty(path: &std::path::Path) -> Result<bool> {
    Ok(!path.exists() || sqlite::live(path).await?.tables.is_empty())
}

/// The checks of the newest schema's tables on SQLite: the table and the condition of each. A file of the original application is
/// served as it was made, and may have been made with fewer.
#[cfg(feature = "sqlite")]
pub async fn sqlite_checks(context: &Context) -> Result<Vec<(String, String)>> {
    let schema = sqlite::head(context).await?;
    let mut checks = Vec::new();
    for (name, table) in schema.tables {
        let conditions = table.constraints.into_keys().filter_map(|text| {
            let inner = text.strip_prefix("CHECK (")?.strip_suffix(')')?;
            Some((name.clone(), inner.to_owned()))
        });
        checks.extend(conditions);
    }
    Ok(checks)
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn not_built(target: &Target) -> MigrateError {
    MigrateError::Usage(format!(
        "{target} cannot be migrated: this program was built without its driver"
    ))
}
