//! Where migrations run: the databases that a configuration names.

use std::time::Duration;

use cutover_migrations::Target;
#[cfg(feature = "sqlite")]
use cutover_migrations::{Dialect, Difference};

use super::WiringError;
use crate::config::{Backend, Config, ContextConfig};

/// The databases of a configuration as the migrations know them.
#[derive(Debug, Clone, Default)]
pub struct MigrationTargets {
    postgres: Option<Target>,
}

impl MigrationTargets {
    /// Every database that is configured.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "files are in the contexts")
    )]
    pub fn from_config(config: &Config) -> Result<Self, WiringError> {
        #[cfg(feature = "postgres")]
        if let Some(postgres) = &config.postgres {
            return Ok(Self {
                postgres: Some(postgres_target(postgres.url.expose())?),
            });
        }
        Ok(Self::default())
    }

    /// The same, connecting in no more than `limit`.
    #[must_use]
    pub fn connecting_within(mut self, limit: Duration) -> Self {
        if let Some(Target::Postgres(target)) = &mut self.postgres {
            target.connect_timeout = target.connect_timeout.min(limit);
        }
        self
    }

    /// The database of `context` of the kind `backend`.
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(unused_variables, reason = "all share the one PostgreSQL database")
    )]
    pub fn on(&self, context: &ContextConfig, backend: Backend) -> Option<Target> {
        match backend {
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => Some(Target::Sqlite {
                path: context.sqlite_path.clone(),
            }),
            #[cfg(not(feature = "sqlite"))]
            Backend::Sqlite => None,
            Backend::Postgres => self.postgres.clone(),
        }
    }
}

/// What is gone of a schema that its history says is there. A file is asked for the tables of those repositories that run on it.
#[cfg(feature = "sqlite")]
pub async fn missing_parts(
    target: &Target,
    context: &ContextConfig,
) -> cutover_migrations::Result<Vec<Difference>> {
    let mut missing = cutover_migrations::missing(target, &context.schema).await?;
    if target.dialect() == Dialect::Sqlite {
        let in_file: Vec<&str> = context.tables_on(Backend::Sqlite).collect();
        missing.retain(|part| in_file.contains(&part.table.as_str()));
    }
    Ok(missing)
}

/// The migrations' way to the PostgreSQL database of a URL: the servers that the pool would try, in the URL's order, with the
/// same settings.
#[cfg(feature = "postgres")]
pub fn postgres_target(url: &str) -> Result<Target, WiringError> {
    use cutover_migrations::{Endpoint, PostgresTarget, TlsMode};
    use cutover_postgres::connect::{Host, SslMode};

    let server = super::databases::pg_server(url)?;
    let tls = match server.ssl_mode() {
        SslMode::Disable => TlsMode::Disable,
        SslMode::Prefer => TlsMode::Prefer,
        SslMode::Require => TlsMode::Require,
        SslMode::VerifyCa => TlsMode::VerifyCa,
        SslMode::VerifyFull => TlsMode::VerifyFull,
    };
    let endpoints = server.endpoints().iter().map(|endpoint| Endpoint {
        host: match &endpoint.host {
            // The driver of migrations checks the certificate against what it connects to: where the name counts, it is looked up.
            Host::Tcp {
                address: Some(address),
                ..
            } if tls != TlsMode::VerifyFull => address.to_string(),
            Host::Tcp { name, .. } => name.clone(),
            Host::Unix(directory) => directory.display().to_string(),
        },
        port: endpoint.port,
    });
    Ok(Target::Postgres(PostgresTarget {
        endpoints: endpoints.collect(),
        user: server.user().to_owned(),
        password: server.password().map(|password| password.expose().to_owned()),
        database: server.database().to_owned(),
        tls,
        tls_ca_pem: server.certificate_authorities().map(<[u8]>::to_vec),
        options: server.options().to_owned(),
        writable: server.writable(),
        connect_timeout: server.connect_timeout(),
        lock_timeout: Duration::from_secs(30),
    }))
}
