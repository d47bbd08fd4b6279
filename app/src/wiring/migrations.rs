//! Where migrations run: the databases that a configuration names.

use cutover_migrations::Target;

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

/// The migrations' way to the PostgreSQL database of a URL.
#[cfg(feature = "postgres")]
pub fn postgres_target(url: &str) -> Result<Target, WiringError> {
    use cutover_migrations::{PostgresTarget, TlsMode};
    use cutover_postgres::connect::{Host, SslMode};

    let server = cutover_postgres::PgServer::parse(url)
        .map_err(|error| WiringError::Configuration(error.to_string()))?;
    let endpoint = server
        .endpoints()
        .first()
        .ok_or_else(|| WiringError::Configuration("the PostgreSQL URL names no host".to_owned()))?;
    Ok(Target::Postgres(PostgresTarget {
        host: match &endpoint.host {
            Host::Tcp { name, .. } => name.clone(),
            Host::Unix(directory) => directory.display().to_string(),
        },
        port: endpoint.port,
        user: server.user().to_owned(),
        password: server.password().map(|password| password.expose().to_owned()),
        database: server.database().to_owned(),
        tls: match server.ssl_mode() {
            SslMode::Disable => TlsMode::Disable,
            SslMode::Prefer => TlsMode::Prefer,
            SslMode::Require => TlsMode::Require,
            SslMode::VerifyCa => TlsMode::VerifyCa,
            SslMode::VerifyFull => TlsMode::VerifyFull,
        },
        tls_ca_pem: server.certificate_authorities().map(<[u8]>::to_vec),
        connect_timeout: server.connect_timeout(),
        lock_timeout: std::time::Duration::from_secs(30),
    }))
}
