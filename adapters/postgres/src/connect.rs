//! Where the server is and how to connect to it.

use std::fmt;
use std::time::Duration;

use cutover_ports::StoreError;
use tokio_postgres::{Client, Config, NoTls};

/// A PostgreSQL database that can be connected to: host, user, password, TLS mode.
#[derive(Clone)]
pub struct PgServer {
    pub(crate) config: Config,
}

/// A connection URL that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the PostgreSQL URL cannot be used: {0}")]
pub struct UrlError(pub String);

impl PgServer {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            UrlError(cause)
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(4));
        }
        Ok(Self { config })
    }

    /// A connection of its own, outside any pool. It ends when the client is dropped.
    pub async fn connect(&self, application_name: &str) -> Result<Client, StoreError> {
        let mut config = self.config.clone();
        config.application_name(application_name);
        let (client, connection) = config.connect(NoTls).await.map_err(crate::error::unavailable)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
        Ok(client)
    }
}

impl fmt::Debug for PgServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgServer")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .finish_non_exhaustive()
    }
}
