//! The databases that can be migrated.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A database to migrate.
#[derive(Debug, Clone)]
pub enum Target {
    /// A SQLite file; `up` creates it if there is none.
    Sqlite {
        /// Where it is.
        path: PathBuf,
    },
    /// A PostgreSQL database, in the connection's default schema.
    Postgres(PostgresTarget),
}

/// How to reach a PostgreSQL database, directly and not through a pooler: migrations hold session locks.
#[derive(Clone)]
pub struct PostgresTarget {
    /// The servers to try, in this order; at least one.
    pub endpoints: Vec<Endpoint>,
    /// The role to log in as.
    pub user: String,
    /// Its password, if the server asks for one. Never shown.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// How far the connection is encrypted and the server is checked.
    pub tls: TlsMode,
    /// The certificates to trust, as PEM, in place of the system's.
    pub tls_ca_pem: Option<Vec<u8>>,
    /// The settings that a session starts with, as libpq's `options`: `-c name=value --name=value`.
    pub options: String,
    /// Whether the session has to be one that may write, or one that may not: other servers are passed over.
    pub writable: Option<bool>,
    /// How long connecting may take, all servers together, before they count as unreachable.
    pub connect_timeout: Duration,
    /// How long to wait for another migration, and for whoever uses a table that a script changes.
    pub lock_timeout: Duration,
}

/// Where a PostgreSQL server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A host name, an address, or the directory of a Unix socket (it begins with `/`).
    pub host: String,
    /// The port; also part of the socket's name.
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// `sslmode`, with libpq's meanings. Over a Unix socket nothing is encrypted in any mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, by a certificate of a trusted authority.
    VerifyCa,
    /// Encrypted, by a certificate of a trusted authority for this host.
    VerifyFull,
}

impl PostgresTarget {
    /// The servers, for a person.
    pub(crate) fn places(&self) -> String {
        let endpoints: Vec<String> = self.endpoints.iter().map(Endpoint::to_string).collect();
        endpoints.join(",")
    }
}

impl fmt::Debug for PostgresTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTarget")
            .field("endpoints", &self.endpoints)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The two kinds of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite's.
    Sqlite,
    /// PostgreSQL's.
    Postgres,
}

impl Dialect {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// As on the command line, and as the folder of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "the SQLite file {}", path.display()),
            Self::Postgres(target) => {
                write!(
                    f,
                    "the PostgreSQL database {} at {}",
                    target.database,
                    target.places()
                )
            }
        }
    }
}

impl Target {
    /// The SQL it speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}
