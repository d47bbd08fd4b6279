//! Where the server is and how to connect to it.

use std::collections::hash_map::RandomState;
use std::error::Error as _;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use cutover_domain::secret::Secret;
use cutover_ports::{StoreError, StoreResult};
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{SslMode as DriverSslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use crate::tls::SslMode;
pub use crate::url::{Endpoint, Host, UrlError};
use crate::url::{Parsed, parse};

/// A PostgreSQL database that can be connected to: hosts, user, password, TLS mode. Cloning is cheap. Neither its
/// `Debug` nor its `Display` shows the password.
#[derive(Clone)]
pub struct PgServer {
    parsed: Arc<Parsed>,
}

/// Why a connection did not come about, in kinds that call for different remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// Nobody answers at the address, or not in time.
    Unreachable,
    /// The connection cannot be encrypted as `sslmode` demands, or the server's certificate is not accepted.
    Tls,
    /// The server does not let this user in.
    Login,
    /// The server takes no more connections, at all or of this role or database.
    Full,
    /// The server answers and refuses for another reason: no such database, still starting.
    Refused,
    /// A pooler is in the way that does not take the parameters of a direct session.
    Pooler,
}

/// No connection came about.
#[derive(Debug, thiserror::Error)]
#[error("{server} cannot be reached: {reason}")]
pub struct ConnectError {
    /// The kind of the first failure.
    pub failure: ConnectFailure,
    server: String,
    reason: String,
}

impl From<ConnectError> for StoreError {
    fn from(error: ConnectError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// What a session is started with.
#[derive(Debug, Clone, Default)]
pub(crate) struct SessionSettings {
    pub(crate) application_name: String,
    /// `-c name=value …`; the URL's own come behind them and win.
    pub(crate) options: String,
}

/// An open connection and the task that drives it.
pub(crate) type Opened = (Client, JoinHandle<()>);

/// One address to try.
struct Attempt {
    endpoint: Endpoint,
    config: Config,
}

impl PgServer {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`, also with `postgresql://`,
    /// `postgresql+psycopg2://` or `postgresql+asyncpg://` in front.
    ///
    /// Several hosts (`a:1,b:2`), `hostaddr`, Unix sockets (`%2Frun%2Fpostgresql` or `?host=/run/postgresql`) and
    /// libpq's common parameters are understood; the error names the part that is not, and never quotes the URL.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        parse(url).map(|parsed| Self {
            parsed: Arc::new(parsed),
        })
    }

    /// The servers to try, in order; at least one.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.parsed.endpoints
    }

    /// The role to log in as.
    pub fn user(&self) -> &str {
        &self.parsed.user
    }

    /// Its password, if the URL has one.
    pub fn password(&self) -> Option<&Secret> {
        self.parsed.password.as_ref()
    }

    /// The database.
    pub fn database(&self) -> &str {
        &self.parsed.database
    }

    /// The TLS mode in force: `require` with a `sslrootcert` is `verify-ca`.
    pub fn ssl_mode(&self) -> SslMode {
        self.parsed.tls.mode()
    }

    /// The certificates to trust (PEM) in place of the system's.
    pub fn certificate_authorities(&self) -> Option<&[u8]> {
        self.parsed.tls.authorities()
    }

    /// The settings that a session starts with: the URL's `options`.
    pub fn options(&self) -> &str {
        self.parsed.config.get_options().unwrap_or_default()
    }

    /// Whether the URL's `target_session_attrs` wants a session that may write, or one that may not.
    pub fn writable(&self) -> Option<bool> {
        match self.parsed.config.get_target_session_attrs() {
            TargetSessionAttrs::ReadWrite => Some(true),
            TargetSessionAttrs::ReadOnly => Some(false),
            _ => None,
        }
    }

    /// How long connecting may take, all addresses together; at most 4 s.
    pub fn connect_timeout(&self) -> Duration {
        self.parsed.connect_timeout
    }

    /// The URL for people: without password and parameters.
    pub fn redacted(&self) -> String {
        let endpoints: Vec<String> = self.endpoints().iter().map(ToString::to_string).collect();
        format!(
            "postgres://{}@{}/{}",
            self.user(),
            endpoints.join(","),
            self.database()
        )
    }

    /// A connection of its own, outside any pool. It ends when the client is dropped.
    pub async fn connect(&self, application_name: &str) -> StoreResult<Client> {
        let session = SessionSettings {
            application_name: application_name.to_owned(),
            options: String::new(),
        };
        let (client, _driver) = self.open(&session).await?;
        Ok(client)
    }

    /// Opens a connection: every address is tried in turn, each with a fair share of the time that is left.
    pub(crate) async fn open(&self, session: &SessionSettings) -> Result<Opened, ConnectError> {
        let deadline = Instant::now() + self.connect_timeout();
        let mut failures = Failures::default();
        let attempts = self.attempts(session, deadline, &mut failures).await;
        let count = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        for (attempt, left) in attempts.iter().zip((1..=count).rev()) {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            let connecting = attempt.config.connect(self.connector());
            match timeout(share, connecting).await {
                Ok(Ok((client, connection))) => {
                    let driver = tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "connection ended");
                        }
                    });
                    return Ok((client, driver));
                }
                Ok(Err(error)) => {
                    let (failure, reason) = self.explain(&error);
                    failures.add(&attempt.endpoint, failure, reason);
                }
                Err(_) => {
                    let reason = format!("no answer within {:.1} s", share.as_secs_f64());
                    failures.add(&attempt.endpoint, ConnectFailure::Unreachable, reason);
                }
            }
        }
        Err(failures.into_error(self.redacted()))
    }

    /// What encrypts a connection to this server; also for cancelling.
    pub(crate) fn connector(&self) -> MakeRustlsConnect {
        self.parsed.tls.connector.clone()
    }

    /// Every address of every host, names looked up all at once.
    async fn attempts(
        &self,
        session: &SessionSettings,
        deadline: Instant,
        failures: &mut Failures,
    ) -> Vec<Attempt> {
        let mut base = self.parsed.config.clone();
        if base.get_application_name().is_none() {
            base.application_name(&session.application_name);
        }
        if !session.options.is_empty() {
            base.options(format!(
                "{} {}",
                session.options,
                base.get_options().unwrap_or_default()
            ));
        }
        let lookups = self
            .endpoints()
            .iter()
            .map(|endpoint| addresses(endpoint, deadline));
        let mut attempts = Vec::new();
        for (endpoint, addresses) in self.endpoints().iter().zip(join_all(lookups).await) {
            let mut config = base.clone();
            config.port(endpoint.port);
            match (&endpoint.host, addresses) {
                (Host::Unix(directory), _) => {
                    config.host_path(directory).ssl_mode(DriverSslMode::Disable);
                    attempts.push(Attempt {
                        endpoint: endpoint.clone(),
                        config,
                    });
                }
                (Host::Tcp { name, .. }, Ok(addresses)) => {
                    config.host(name).ssl_mode(self.parsed.tls.driver_mode());
                    attempts.extend(addresses.into_iter().map(|address| {
                        let mut config = config.clone();
                        config.hostaddr(address);
                        Attempt {
                            endpoint: endpoint.clone(),
                            config,
                        }
                    }));
                }
                (Host::Tcp { .. }, Err(reason)) => {
                    failures.add(endpoint, ConnectFailure::Unreachable, reason);
                }
            }
        }
        if self.parsed.shuffle {
            // Each hasher starts from keys of its own, which is as random as spreading load needs.
            attempts.sort_by_cached_key(|_| RandomState::new().build_hasher().finish());
        }
        attempts
    }

    /// The kind of a driver's error, and a reason for people.
    fn explain(&self, error: &tokio_postgres::Error) -> (ConnectFailure, String) {
        if let Some(db) = error.as_db_error() {
            let failure = match db.code() {
                code if code.code().starts_with("28") => ConnectFailure::Login,
                &SqlState::PROTOCOL_VIOLATION
                    if db.message().starts_with("unsupported startup parameter") =>
                {
                    return (
                        ConnectFailure::Pooler,
                        format!(
                            "a pooler such as PgBouncer refuses a direct session ({}); \
                             set postgres.prepared_statements = false",
                            db.message()
                        ),
                    );
                }
                &SqlState::TOO_MANY_CONNECTIONS => ConnectFailure::Full,
                _ => ConnectFailure::Refused,
            };
            return (failure, format!("the server says: {}", db.message()));
        }
        if let Some(tls) = tls_error(error) {
            return (ConnectFailure::Tls, crate::tls::explain(tls));
        }
        let cause = error
            .source()
            .map_or_else(|| error.to_string(), ToString::to_string);
        if cause == "server does not support TLS" {
            let reason = format!(
                "the server offers no TLS, and sslmode={} asks for it",
                self.ssl_mode().name()
            );
            return (ConnectFailure::Tls, reason);
        }
        let failure = if error.to_string().starts_with("error performing TLS handshake") {
            ConnectFailure::Tls
        } else {
            ConnectFailure::Unreachable
        };
        (failure, cause)
    }
}

/// The addresses of an endpoint; for a socket none are needed.
async fn addresses(endpoint: &Endpoint, deadline: Instant) -> Result<Vec<IpAddr>, String> {
    let Host::Tcp { name, address } = &endpoint.host else {
        return Ok(Vec::new());
    };
    if let Some(address) = address {
        return Ok(vec![*address]);
    }
    // Half of the time, so that some is left for the hosts whose names are known.
    let half = Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2;
    match timeout_at(half, tokio::net::lookup_host((name.as_str(), endpoint.port))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for socket in found {
                if !addresses.contains(&socket.ip()) {
                    addresses.push(socket.ip());
                }
            }
            Ok(addresses)
        }
        Ok(Err(error)) => Err(format!("the name cannot be resolved: {error}")),
        Err(_) => Err("the name cannot be resolved in time".to_owned()),
    }
}

/// The rustls error in an error's chain, which the driver has wrapped in an `io::Error`.
fn tls_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.get_ref().and_then(|inner| inner.downcast_ref());
        }
        next = error.source();
    }
    None
}

/// What went wrong, address by address.
#[derive(Default)]
struct Failures(Vec<(String, ConnectFailure, String)>);

impl Failures {
    fn add(&mut self, endpoint: &Endpoint, failure: ConnectFailure, reason: String) {
        let failed = (endpoint.to_string(), failure, reason);
        // The addresses of one name mostly fail alike.
        if !self.0.contains(&failed) {
            self.0.push(failed);
        }
    }

    fn into_error(self, server: String) -> ConnectError {
        let failure = self
            .0
            .first()
            .map_or(ConnectFailure::Unreachable, |(_, failure, _)| *failure);
        let reason = match self.0.as_slice() {
            [(_, _, reason)] => reason.clone(),
            [] => "the name has no address".to_owned(),
            several => {
                let reasons: Vec<String> = several
                    .iter()
                    .map(|(endpoint, _, reason)| format!("{endpoint}: {reason}"))
                    .collect();
                reasons.join("; ")
            }
        };
        ConnectError {
            failure,
            server,
            reason,
        }
    }
}

impl fmt::Debug for PgServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgServer")
            .field("server", &self.redacted())
            .field("ssl_mode", &self.ssl_mode())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for PgServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_shows_the_password() {
        let server = PgServer::parse("postgres://me:sesame@a:1,[::1]/lab?sslmode=require&user=you").unwrap();
        assert_eq!(server.to_string(), "postgres://you@a:1,[::1]:5432/lab");
        assert!(format!("{server:?} {:?}", server.password()).contains("(hidden)"));
        assert!(!format!("{server:?} {server} {:?}", server.password()).contains("sesame"));
        assert_eq!(server.password().map(Secret::expose), Some("sesame"));
    }
}
