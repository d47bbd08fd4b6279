//! PostgreSQL for tests, never skipped and never left behind.
//!
//! - [`TestDatabase`]: an empty (or migrated) database of its own in a cluster that all tests of a binary share.
//! - [`TestServer`]: a whole cluster of its own, for tests that kill it, speak TLS to it or change its settings.
//!
//! Clusters are made with the PostgreSQL programs of this machine: those of `CUTOVER_POSTGRES_BIN` if it is set, of the
//! `PATH`, or the newest below `/usr/lib/postgresql`. They listen on a Unix socket in their own directory, so that any
//! number of test binaries run side by side. With `CUTOVER_TEST_POSTGRES_URL` set, databases are made on that server
//! instead (a superuser, no TLS); a [`TestServer`] is still a cluster of its own.
//!
//! A server lives as long as its *guard*, a small shell process that waits on a pipe from us. However the test process
//! ends, the pipe closes, and the guard stops the server and removes its directory.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot have its PostgreSQL must fail, and say why"
)]

mod cluster;

use std::collections::HashMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use self::cluster::{Cluster, SUPERUSER, percent_encoded};

/// On a server that was given, databases older than this belong to no running test.
const LEFTOVER_SECONDS: u64 = 6 * 3600;

/// A database of its own in the cluster that this test binary shares. Dropped with the value, which ends the connections to it:
/// keep the value as long as the test runs (`TestDatabase::create().await.connect().await` is a closed connection).
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// A new, empty database.
    ///
    /// # Panics
    /// If there is no PostgreSQL to make it on.
    pub async fn create() -> Self {
        Self::create_like("template0").await
    }

    /// A copy of the template `key`, some 10 ms. The first caller of this test binary makes the template: `init` gets the URL of
    /// an empty database and fills it (by migrations, say); what it leaves there, every later caller starts with.
    ///
    /// # Panics
    /// If there is no PostgreSQL to make it on, or `init` panics.
    pub async fn create_from_template<Init, Done>(key: &str, init: Init) -> Self
    where
        Init: FnOnce(String) -> Done,
        Done: Future<Output = ()>,
    {
        static TEMPLATES: Mutex<Option<HashMap<String, Arc<OnceCell<String>>>>> = Mutex::new(None);
        let template = {
            let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(
                templates
                    .get_or_insert_default()
                    .entry(key.to_owned())
                    .or_default(),
            )
        };
        let template = template.get_or_init(|| make_template(init)).await;
        Self::create_like(template).await
    }

    async fn create_like(template: &str) -> Self {
        let shared = shared().await;
        let name = new_database_name();
        shared.copy_database(template, &name).await;
        Self {
            url: shared.url(&name),
            name,
        }
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A `postgres://` URL that `tokio_postgres` takes as it is; the host may be a socket directory (`%2Ftmp%2F…`).
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// A new connection, driven by a task of the current runtime.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn connect(&self) -> Client {
        connect(&self.url)
            .await
            .expect("the test database takes connections")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let Some(shared) = SHARED.get() else { return };
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread of its own, as the test's runtime may be the one that is blocked here.
        let dropping = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(shared.administrate(&statement)).is_ok())
        });
        // Our own cluster is removed whole when the process ends; a server that was given would keep the database.
        if matches!(shared, Shared::Given(_)) {
            drop(dropping.join());
        }
    }
}

/// Makes the database that others are copied from, and shuts it.
async fn make_template<Init, Done>(init: Init) -> String
where
    Init: FnOnce(String) -> Done,
    Done: Future<Output = ()>,
{
    let shared = shared().await;
    let name = new_database_name();
    shared.copy_database("template0", &name).await;
    init(shared.url(&name)).await;
    // A database that somebody is connected to cannot be copied, and `init` may leave a pool behind.
    let seal = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    shared
        .administrate(&seal)
        .await
        .expect("the template can be shut");
    let evict = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    shared
        .administrate(&evict)
        .await
        .expect("the template can be emptied of connections");
    name
}

/// `cutover_test_<seconds>_<process>_<number>`: unique, needs no quotes, and tells its age.
fn new_database_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("cutover_test_{}_{}_{number}", seconds_now(), std::process::id())
}

fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_secs()
}

/// The server of this test binary.
static SHARED: OnceLock<Shared> = OnceLock::new();

#[derive(Debug)]
enum Shared {
    /// And how it copies a database.
    Own(Cluster, &'static str),
    Given(String),
}

/// Starts it if nobody has; off the runtime's threads, as it takes most of a second.
async fn shared() -> &'static Shared {
    static SWEPT: OnceCell<()> = OnceCell::const_new();
    let shared = on_blocking_thread(|| SHARED.get_or_init(Shared::start)).await;
    if let Shared::Given(_) = shared {
        SWEPT.get_or_init(|| shared.sweep()).await;
    }
    shared
}

impl Shared {
    fn start() -> Self {
        match std::env::var("CUTOVER_TEST_POSTGRES_URL") {
            Ok(url) if !url.is_empty() => Self::Given(url),
            _ => {
                let options = TestServerOptions {
                    durability: Durability::Fast,
                    ..TestServerOptions::default()
                };
                let cluster = Cluster::start(&options);
                let strategy = cluster.copy_strategy();
                Self::Own(cluster, strategy)
            }
        }
    }

    fn url(&self, database: &str) -> String {
        match self {
            Self::Own(cluster, _) => cluster.socket_url(database),
            Self::Given(url) => with_database(url, database),
        }
    }

    /// Runs a statement on the database that everything is created from.
    async fn administrate(&self, statement: &str) -> Result<(), tokio_postgres::Error> {
        let url = match self {
            Self::Own(cluster, _) => cluster.socket_url("postgres"),
            Self::Given(url) => url.clone(),
        };
        connect(&url).await?.batch_execute(statement).await
    }

    async fn copy_database(&self, template: &str, name: &str) {
        let strategy = match self {
            Self::Own(_, strategy) => strategy,
            Self::Given(_) => "",
        };
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template} {strategy}");
        self.administrate(&statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }

    /// Drops what killed test runs left on a server that was given.
    async fn sweep(&self) {
        let Self::Given(url) = self else { return };
        let client = connect(url)
            .await
            .expect("CUTOVER_TEST_POSTGRES_URL names a server that takes connections");
        let sql = "SELECT datname FROM pg_database WHERE datname ~ '^cutover_test_[0-9]+_[0-9]+_[0-9]+$'";
        for row in client.query(sql, &[]).await.expect("the list of databases") {
            let name: String = row.get(0);
            if is_leftover(&name, seconds_now()) {
                // Another run may be sweeping too, or still use it; then it is not ours to drop.
                drop(
                    client
                        .batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))
                        .await,
                );
            }
        }
    }
}

fn is_leftover(name: &str, now: u64) -> bool {
    let made = name
        .strip_prefix("cutover_test_")
        .and_then(|rest| rest.split('_').next()?.parse().ok());
    made.is_some_and(|made: u64| made + LEFTOVER_SECONDS < now)
}

/// The same URL for another database of the server.
fn with_database(url: &str, database: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let (before, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let end = before[host..].find('/').map_or(before.len(), |at| host + at);
    format!("{}/{database}{query}", &before[..end])
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move { drop(connection.await) });
    Ok(client)
}

/// Runs what blocks; a panic in it is the caller's.
async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// What a [`TestServer`] promises about commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// As a production server: what was committed survives [`TestServer::kill_9`].
    #[default]
    Durable,
    /// Nothing waits for the disk, and a killed server loses its last commits.
    Fast,
}

/// Who may connect over TCP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TcpAccess {
    /// With TLS and without.
    #[default]
    Any,
    /// A connection in clear is refused.
    TlsOnly,
    /// A connection with TLS is refused.
    PlainOnly,
}

/// A listener on 127.0.0.1, beside the Unix socket.
#[derive(Debug, Clone, Default)]
pub struct TcpOptions {
    /// The server's certificate chain and its key (PEM); without them it knows no TLS. Both are copied.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Which connections are let in.
    pub access: TcpAccess,
    /// The superuser's password, asked for over TCP (SCRAM). Without one everybody is let in.
    pub password: Option<String>,
}

/// How a [`TestServer`] is set up. The default is a durable server on a Unix socket only.
#[derive(Debug, Clone, Default)]
pub struct TestServerOptions {
    /// What a commit means.
    pub durability: Durability,
    /// The listener, if there is to be one.
    pub tcp: Option<TcpOptions>,
    /// Further settings by name, as in `postgresql.conf`: `("statement_timeout", "500ms")`. They win over ours.
    pub settings: Vec<(String, String)>,
}

/// A cluster of its own. Stopped and removed with the value, or when the process ends.
#[derive(Debug)]
pub struct TestServer {
    cluster: Option<Cluster>,
    password: Option<String>,
}

impl TestServer {
    /// Makes a cluster and starts it, about a second.
    ///
    /// # Panics
    /// If there are no PostgreSQL programs, or they fail.
    pub async fn start(options: TestServerOptions) -> Self {
        let password = options.tcp.as_ref().and_then(|tcp| tcp.password.clone());
        let cluster = on_blocking_thread(move || Cluster::start(&options)).await;
        let server = Self {
            cluster: Some(cluster),
            password,
        };
        if let Some(password) = &server.password {
            let literal = password.replace('\'', "''");
            server
                .execute(&format!("ALTER ROLE {SUPERUSER} PASSWORD '{literal}'"))
                .await;
        }
        server
    }

    /// The database `postgres` over the Unix socket, as superuser, without a password.
    #[must_use]
    pub fn url(&self) -> String {
        self.cluster().socket_url("postgres")
    }

    /// The database `postgres` over TCP, as superuser, with the password if there is one.
    ///
    /// # Panics
    /// If the server was started without a listener.
    #[must_use]
    pub fn tcp_url(&self) -> String {
        let secret = self
            .password
            .as_ref()
            .map(|password| format!(":{}", percent_encoded(password)));
        format!(
            "postgres://{SUPERUSER}{}@127.0.0.1:{}/postgres",
            secret.unwrap_or_default(),
            self.tcp_port()
        )
    }

    /// The port on 127.0.0.1; it stays the same after [`TestServer::start_again`].
    ///
    /// # Panics
    /// If the server was started without a listener.
    #[must_use]
    pub fn tcp_port(&self) -> u16 {
        self.cluster()
            .tcp_port
            .expect("a server that was started with `tcp`")
    }

    /// The process id of the postmaster, while the server runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.cluster().postmaster()
    }

    /// Where the cluster lies: the data in `data`, the sockets beside it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.cluster().directory
    }

    /// What the server has written to its log since it was made.
    #[must_use]
    pub fn log(&self) -> String {
        self.cluster().log()
    }

    /// A new connection over the socket, driven by a task of the current runtime.
    ///
    /// # Panics
    /// If the server does not answer.
    pub async fn connect(&self) -> Client {
        connect(&self.url())
            .await
            .unwrap_or_else(|error| panic!("{error:?}; its log:\n{}", self.log()))
    }

    /// Runs statements on the database `postgres`, as superuser, on a connection of their own.
    ///
    /// # Panics
    /// If one fails.
    pub async fn execute(&self, sql: &str) {
        self.connect()
            .await
            .batch_execute(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Kills the postmaster with SIGKILL and waits until no process of the server is left. Does nothing if it does not run.
    pub async fn kill_9(&mut self) {
        self.with_cluster(Cluster::kill).await;
    }

    /// Stops the server in order: open transactions are rolled back, everything committed is on disk.
    pub async fn stop(&mut self) {
        self.with_cluster(Cluster::stop).await;
    }

    /// Starts it again on the same data, socket and port, after [`TestServer::kill_9`] or [`TestServer::stop`].
    ///
    /// # Panics
    /// If it does not come up.
    pub async fn start_again(&mut self) {
        self.with_cluster(|cluster| {
            if cluster.postmaster().is_none() {
                cluster
                    .run()
                    .unwrap_or_else(|log| panic!("PostgreSQL did not start again; its log:\n{log}"));
            }
        })
        .await;
    }

    fn cluster(&self) -> &Cluster {
        self.cluster
            .as_ref()
            .expect("the cluster is only away while it is being changed")
    }

    async fn with_cluster(&mut self, change: impl FnOnce(&mut Cluster) + Send + 'static) {
        let mut cluster = self
            .cluster
            .take()
            .expect("the cluster is only away while it is being changed");
        let changed = on_blocking_thread(move || {
            change(&mut cluster);
            cluster
        });
        self.cluster = Some(changed.await);
    }
}

#[cfg(test)]
mod tests {
    use super::{is_leftover, percent_encoded, with_database};

    #[test]
    fn a_url_gets_another_database() {
        let cases = [
            (
                "postgres://u:p@h:5432/old?sslmode=disable",
                "postgres://u:p@h:5432/new?sslmode=disable",
            ),
            ("postgres://u@h", "postgres://u@h/new"),
            ("postgresql://h?host=/tmp/x", "postgresql://h/new?host=/tmp/x"),
            ("postgres://u@%2Ftmp%2Fx/old", "postgres://u@%2Ftmp%2Fx/new"),
        ];
        for (given, expected) in cases {
            assert_eq!(with_database(given, "new"), expected);
        }
    }

    #[test]
    fn only_old_databases_of_tests_are_leftovers() {
        assert!(is_leftover("cutover_test_1000_7_0", 1_000_000));
        assert!(!is_leftover("cutover_test_999999_7_0", 1_000_000));
        assert!(!is_leftover("cutover_test_x_7_0", 1_000_000));
        assert!(!is_leftover("production", 1_000_000));
    }

    #[test]
    fn a_socket_directory_is_a_host() {
        assert_eq!(percent_encoded("/tmp/cutover-pg-a_1"), "%2Ftmp%2Fcutover-pg-a_1");
    }
}
