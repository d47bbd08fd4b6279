//! Cutover's schemas, up and down, for SQLite and PostgreSQL, and what runs them.
//!
//! sqlx's drivers and its bookkeeping, plus what that leaves to us: a lock on SQLite, checks before anything is run,
//! a note of what was begun, a comparison of the live schema with what the scripts make, and the adoption of files
//! that the original applications made.

mod connection;
mod context;
mod error;
mod history;
#[cfg(feature = "postgres")]
mod postgres;
mod run;
#[cfg(feature = "sqlite")]
mod sqlite;
mod target;

pub use context::{Context, Script, Version};
pub use error::{MigrateError, Result};
pub use history::Direction;
pub use run::{Outcome, Step};
pub use target::{Dialect, PostgresTarget, Target, TlsMode};

/// Brings a context's schema in a database to version `to`, or to the newest one. Twice is as good as once.
pub async fn up(target: &Target, context: &Context, to: Option<i64>) -> Result<Outcome> {
    match target {
        #[cfg(feature = "sqlite")]
        Target::Sqlite { path } => {
            let mut file = sqlite::SqliteFile::open(path, sqlite::Access::Migrate).await?;
            let outcome = run::up(&mut file, context, to).await?;
            file.close().await?;
            Ok(outcome)
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(target) => {
            let mut database = postgres::PostgresDatabase::open(target).await?;
            database.lock(context, target).await?;
            database.create_own_schema().await?;
            let outcome = run::up(&mut database, context, to).await?;
            database.close().await?;
            Ok(outcome)
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        other => Err(MigrateError::Usage(format!(
            "{other} cannot be migrated: this program was built without its driver"
        ))),
    }
}
