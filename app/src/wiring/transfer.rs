//! The two ends of a transfer, from the URLs that name them.

use std::time::Duration;

use cutover_migrations::Context;
use cutover_ports::transfer::{TransferError, TransferResult, TransferSource, TransferTarget, VerifySide};

use crate::config::DatabaseUrl;

/// How many scans of a SQLite source can run at once: the survey beside the check of the file.
#[cfg(feature = "sqlite")]
const READERS: usize = 2;

/// A database to be copied from: one snapshot, never written.
#[cfg_attr(
    not(feature = "postgres"),
    expect(clippy::unused_async, reason = "a file needs no waiting for")
)]
pub async fn source(url: &DatabaseUrl, busy_timeout: Duration) -> TransferResult<Box<dyn TransferSource>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => Ok(Box::new(cutover_sqlite::transfer::SqliteSource::open(
            path,
            busy_timeout,
            READERS,
        )?)),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => Ok(Box::new(
            cutover_postgres::transfer::PgSource::open(server(url.expose())?).await?,
        )),
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(not_built(busy_timeout)),
    }
}

/// A database to be copied into.
pub fn target(url: &DatabaseUrl, busy_timeout: Duration) -> TransferResult<Box<dyn TransferTarget>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => Ok(Box::new(cutover_sqlite::transfer::SqliteTarget::new(
            path,
            busy_timeout,
        ))),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => Ok(Box::new(cutover_postgres::transfer::PgTarget::new(server(
            url.expose(),
        )?))),
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(not_built(busy_timeout)),
    }
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
pub async fn verify_side(url: &DatabaseUrl, busy_timeout: Duration) -> TransferResult<Box<dyn VerifySide>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => {
            let file = cutover_sqlite::transfer::verify::VerifyFile::open(path, busy_timeout).await?;
            Ok(Box::new(file))
        }
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => Ok(Box::new(
            cutover_postgres::transfer::verify::VerifyDatabase::open(&server(url.expose())?).await?,
        )),
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => Err(not_built(busy_timeout)),
    }
}

/// The rows that the contexts' migrations put in, by table.
pub fn seeds() -> Vec<(String, String)> {
    let seeds = Context::ALL.iter().flat_map(|context| context.seeds);
    seeds
        .map(|(table, condition)| ((*table).to_owned(), (*condition).to_owned()))
        .collect()
}

/// Makes the schemas of the contexts that the source holds in a SQLite file that is missing or has no tables, so that what is
/// written there is a file of the original applications again.
pub async fn prepare(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    source: &dyn TransferSource,
) -> TransferResult<()> {
    let (DatabaseUrl::Postgres(_), DatabaseUrl::Sqlite(path)) = (from, to) else {
        return Ok(());
    };
    let fresh = std::fs::metadata(path).map_or(true, |metadata| metadata.len() == 0);
    let catalog = source.catalog().await?;
    if !fresh {
        return Ok(());
    }
    let target = cutover_migrations::Target::Sqlite { path: path.clone() };
    for (context, tables) in CONTEXT_TABLES {
        if !tables.iter().all(|name| catalog.table(name).is_some()) {
            continue;
        }
        cutover_migrations::up(&target, context, None)
            .await
            .map_err(|error| {
                TransferError::Failed(format!("cannot make the schema in {}: {error}", path.display()))
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
