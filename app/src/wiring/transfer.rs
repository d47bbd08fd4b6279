//! The two ends of a transfer, from the URLs that name them.

use std::time::Duration;

use cutover_ports::transfer::{TransferError, TransferResult, VerifySide};

use crate::config::DatabaseUrl;

/// A database to be compared: one snapshot, never written.
pub async fn verify_side(url: &DatabaseUrl, busy_timeout: Duration) -> TransferResult<Box<dyn VerifySide>> {
    match url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => {
            let file = cutover_sqlite::transfer::verify::VerifyFile::open(path, busy_timeout).await?;
            Ok(Box::new(file))
        }
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => {
            let server = cutover_postgres::PgServer::parse(url.expose())
                .map_err(|error| TransferError::Usage(error.to_string()))?;
            Ok(Box::new(
                cutover_postgres::transfer::verify::VerifyDatabase::open(&server).await?,
            ))
        }
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        _ => {
            let _ = busy_timeout;
            Err(TransferError::Usage(
                "this build has no adapter for one of the two databases".to_owned(),
            ))
        }
    }
}
