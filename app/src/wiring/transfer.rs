//! The two ends of a transfer, from the URLs that name them.

use std::sync::Arc;
use std::time::Duration;

use cutover_domain::transfer::plan::Scope;
use cutover_migrations::{Context, Dialect, MigrateError};
use cutover_ports::transfer::{TransferError, TransferResult, TransferSource, TransferTarget, VerifySide};

use crate::config::{Backend, Config, ContextConfig, DatabaseUrl, is_same_file};

/// How a database of a transfer is opened.
#[derive(Debug, Clone)]
pub struct Access {
    /// How long a locked SQLite file is waited for.
    pub busy_timeout: Duration,
    /// The schema of a PostgreSQL database, if not the connection's own.
    pub schema: Option<String>,
    /// How many tables, or parts of them, are read at a time.
    pub jobs: usize,
}

/// A database to be copied from: one snapshot, never written.
#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(clippy::unused_async, reason = "this build has nothing to open")
)]
pub async fn source(url: &DatabaseUrl, access: &Access) -> TransferResult<Arc<dyn TransferSource>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => {
            // Beside the scans the whole file is checked.
            let readers = access.jobs.max(crate::transfer::survey::SCANS) + 1;
            let source =
                cutover_sqlite::transfer::SqliteSource::open(path, access.busy_timeout, readers).await?;
            Ok(Arc::new(source))
        }
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => {
            let server = server(url.expose())?;
            Ok(Arc::new(
                cutover_postgres::transfer::PgSource::open(server, access.schema.clone()).await?,
            ))
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(not_built(access.busy_timeout)),
    }
}

/// A database to be copied into.
pub fn target(url: &DatabaseUrl, access: &Access) -> TransferResult<Box<dyn TransferTarget>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => Ok(Box::new(cutover_sqlite::transfer::SqliteTarget::new(
            path,
            access.busy_timeout,
        ))),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => {
            let server = server(url.expose())?;
            Ok(Box::new(cutover_postgres::transfer::PgTarget::new(
                server,
                access.schema.clone(),
            )))
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(not_built(access.busy_timeout)),
    }
}

/// A SQLite file that is none: what is copied there is gone when the copy ends.
pub fn scratch(access: &Access) -> TransferResult<Box<dyn TransferTarget>> {
    #[cfg(feature = "sqlite")]
    let scratch = Box::new(cutover_sqlite::transfer::SqliteTarget::scratch(
        access.busy_timeout,
    ));
    #[cfg(feature = "sqlite")]
    return Ok(scratch);
    #[cfg(not(feature = "sqlite"))]
    Err(not_built(access.busy_timeout))
}

#[cfg(feature = "postgres")]
fn server(url: &str) -> TransferResult<cutover_postgres::PgServer> {
    cutover_postgres::PgServer::parse(url).map_err(|error| TransferError::Usage(error.to_string()))
}

#[cfg(not(all(feature = "sqlite", feature = "postgres")))]
fn not_built(_: Duration) -> TransferError {
    TransferError::Usage("this build has no adapter for one of the two databases".to_owned())
}

/// A database to be compared: one snapshot, never written.
pub async fn verify_side(url: &DatabaseUrl, access: &Access) -> TransferResult<Box<dyn VerifySide>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => Ok(Box::new(
            cutover_sqlite::transfer::verify::VerifyFile::open(path, access.busy_timeout, access.jobs)
                .await?,
        )),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => {
            let (server, schema) = (server(url.expose())?, access.schema.as_deref());
            Ok(Box::new(
                cutover_postgres::transfer::verify::VerifyDatabase::open(&server, schema, access.jobs)
                    .await?,
            ))
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(not_built(access.busy_timeout)),
    }
}

/// Which of a context's databases `url` names, if any.
pub fn backend_of(config: &Config, context: &ContextConfig, url: &DatabaseUrl) -> Option<Backend> {
    let is_same = match url {
        DatabaseUrl::Sqlite(path) => is_same_file(path, &context.sqlite_path),
        DatabaseUrl::Postgres(url) => {
            let mut configured = config.postgres.iter();
            configured.any(|configured| is_same_database(url.expose(), configured.url.expose()))
        }
    };
    is_same.then_some(match url {
        DatabaseUrl::Sqlite(_) => Backend::Sqlite,
        DatabaseUrl::Postgres(_) => Backend::Postgres,
    })
}

/// Whether two URLs name one database, whoever logs in.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "this build knows no PostgreSQL")
)]
fn is_same_database(one: &str, other: &str) -> bool {
    #[cfg(feature = "postgres")]
    if let (Ok(one), Ok(other)) = (server(one), server(other)) {
        let shared = one
            .endpoints()
            .iter()
            .any(|endpoint| other.endpoints().contains(endpoint));
        return shared && one.database() == other.database();
    }
    false
}

/// The rows that the contexts' migrations put in, by table.
pub fn seeds() -> Vec<(String, String)> {
    let seeds = Context::ALL.iter().flat_map(|context| context.seeds);
    seeds
        .map(|(table, condition)| ((*table).to_owned(), (*condition).to_owned()))
        .collect()
}

/// Whether a trigger of a SQLite file is made by the contexts' migrations, and so of no use where these have made the tables.
pub fn is_own_trigger(sql: &str) -> bool {
    Context::ALL
        .iter()
        .any(|context| context.says(sql, Dialect::Sqlite))
}

/// Makes the schemas of the contexts that the source holds, if their tables are wanted, in a SQLite file that is missing or has none of
/// their tables, so that what is written there is a file of the original applications again, with its history of migrations.
pub async fn prepare(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    source: &dyn TransferSource,
    scope: &Scope,
) -> TransferResult<()> {
    let (DatabaseUrl::Postgres(_), DatabaseUrl::Sqlite(path)) = (from, to) else {
        return Ok(());
    };
    let catalog = source.catalog().await?;
    let target = cutover_migrations::Target::Sqlite { path: path.clone() };
    for (context, tables) in CONTEXT_TABLES {
        if !tables
            .iter()
            .all(|name| catalog.table(name).is_some() && scope.includes(name))
        {
            continue;
        }
        let made = async {
            let status = cutover_migrations::status(&target, context).await?;
            if status.current == 0 && status.unadopted.is_none() {
                cutover_migrations::up(&target, context, None).await?;
            }
            Ok::<_, MigrateError>(())
        };
        made.await.map_err(|error| {
            let text = format!("cannot make the schema in {}: {error}", path.display());
            match error {
                MigrateError::Unreachable(_) => TransferError::Unreachable(text),
                _ => TransferError::Failed(text),
            }
        })?;
    }
    Ok(())
}

/// By which tables a source is known to hold a context.
const CONTEXT_TABLES: &[(Context, &[&str])] = &[
    (Context::LAB, &["experiments", "synth_groups", "synths"]),
    (Context::WRITER, &["conversations", "file_metadata", "messages"]),
    (
        Context::MARKET,
        &["ai_predictions", "daily_predictions", "price_logs"],
    ),
];
