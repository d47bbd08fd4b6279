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

use std::collections::HashMap;
use std::fs::{self, File};
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// How long a server may take to start or to stop; a start replays the WAL of a server that was killed.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a server that starts or stops.
const POLL: Duration = Duration::from_millis(5);
/// How long processes of a killed server may take to notice before they are killed as well.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(5);
/// On a server that was given, databases older than this belong to no running test.
const LEFTOVER_SECONDS: u64 = 6 * 3600;
/// The superuser of every cluster made here.
const SUPERUSER: &str = "postgres";

// --- databases -------------------------------------------------------------------------------------------------------

/// A database of its own in the cluster that this test binary shares. Dropped with the value.
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

    /// A copy of the template `key`, about 30 ms. The first caller of this test binary makes the template: `init` gets the URL of
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
        let statement = format!("CREATE DATABASE {name} TEMPLATE {template}");
        shared
            .administrate(&statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
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
    shared
        .administrate(&format!("CREATE DATABASE {name} TEMPLATE template0"))
        .await
        .expect("a new database");
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
    Own(Cluster),
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
            _ => Self::Own(Cluster::start(&TestServerOptions {
                durability: Durability::Fast,
                ..TestServerOptions::default()
            })),
        }
    }

    fn url(&self, database: &str) -> String {
        match self {
            Self::Own(cluster) => cluster.socket_url(database),
            Self::Given(url) => with_database(url, database),
        }
    }

    /// Runs a statement on the database that everything is created from.
    async fn administrate(&self, statement: &str) -> Result<(), tokio_postgres::Error> {
        let url = match self {
            Self::Own(cluster) => cluster.socket_url("postgres"),
            Self::Given(url) => url.clone(),
        };
        connect(&url).await?.batch_execute(statement).await
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

// --- servers ---------------------------------------------------------------------------------------------------------

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
        self.cluster().guard.as_ref().map(|guard| guard.postmaster)
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
            if cluster.guard.is_none() {
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

// --- clusters --------------------------------------------------------------------------------------------------------

/// A directory with a cluster in it, and its server while that runs. Everything here blocks.
#[derive(Debug)]
struct Cluster {
    directory: PathBuf,
    binaries: PathBuf,
    owner: Option<Owner>,
    settings: Vec<String>,
    tcp_port: Option<u16>,
    guard: Option<Guard>,
}

/// The shell process that holds the server, and the server.
#[derive(Debug)]
struct Guard {
    process: Child,
    postmaster: u32,
}

/// PostgreSQL refuses to run as root: then the cluster belongs to this user.
#[derive(Debug, Clone, Copy)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// `$1` is the cluster's directory, the rest the server's command line. On "stop" the data stays; in any other case, above all
/// when the pipe is closed because the test process has ended, nothing does.
const GUARD: &str = r#"directory=$1; shift
"$@" </dev/null & server=$!
echo $server
exec >/dev/null
read -r message
case $message in stop) kill -INT $server;; *) kill -QUIT $server;; esac 2>/dev/null
wait $server
case $message in stop) ;; *) rm -rf -- "$directory";; esac"#;

const DURABLE: &[&str] = &["fsync=on", "synchronous_commit=on", "full_page_writes=on"];
const FAST: &[&str] = &["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
const ALWAYS: &[&str] = &[
    "wal_level=minimal",
    "max_wal_senders=0",
    "shared_buffers=32MB",
    "max_wal_size=256MB",
    "max_connections=200",
    "autovacuum=off",
    "jit=off",
    "timezone=UTC",
    "log_checkpoints=off",
];

impl Cluster {
    fn start(options: &TestServerOptions) -> Self {
        let binaries = find_binaries();
        let owner = owner_instead_of_root();
        let directory = make_directory(owner);
        let mut cluster = Self {
            directory,
            binaries,
            owner,
            settings: Vec::new(),
            tcp_port: None,
            guard: None,
        };
        cluster.initialise();
        cluster.configure(options);
        // Between choosing a free port and listening on it another process may take it.
        for attempt in 1.. {
            cluster.tcp_port = options.tcp.as_ref().map(|_| free_port());
            match cluster.run() {
                Ok(()) => break,
                Err(log) if attempt < 5 && log.contains("Address already in use") => {}
                Err(log) => panic!("PostgreSQL did not start; its log:\n{log}"),
            }
        }
        cluster
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("server.log")).unwrap_or_default()
    }

    fn socket_url(&self, database: &str) -> String {
        let directory = percent_encoded(&self.directory.display().to_string());
        format!(
            "postgres://{SUPERUSER}@{directory}:{}/{database}",
            self.socket_port()
        )
    }

    /// The port names the socket's file as well.
    fn socket_port(&self) -> u16 {
        self.tcp_port.unwrap_or(5432)
    }

    fn initialise(&self) {
        // Production databases seldom sort by bytes. With such a default here, an ORDER BY that forgets its COLLATE "C" is
        // found out. Servers without ICU (or older than 15) take the plain locale.
        let linguistic = ["--locale-provider=icu", "--icu-locale=en-US"];
        let mut complaint = String::new();
        for collation in [&linguistic[..], &[]] {
            let output = self
                .command(&self.binaries.join("initdb"))
                .args([
                    "--username",
                    SUPERUSER,
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                ])
                .args(["--no-sync", "--wal-segsize=1", "--no-instructions"])
                .args(collation)
                .arg("--pgdata")
                .arg(self.data())
                .output()
                .unwrap_or_else(|error| {
                    panic!("initdb of {} cannot be run: {error}", self.binaries.display())
                });
            if output.status.success() {
                return;
            }
            complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        }
        panic!("initdb failed in {}: {complaint}", self.directory.display());
    }

    fn configure(&mut self, options: &TestServerOptions) {
        let durability = match options.durability {
            Durability::Durable => DURABLE,
            Durability::Fast => FAST,
        };
        self.settings
            .extend(durability.iter().chain(ALWAYS).map(|&setting| setting.to_owned()));
        let mut access = vec!["local all all trust".to_owned()];
        if let Some(tcp) = &options.tcp {
            let kind = match tcp.access {
                TcpAccess::Any => "host",
                TcpAccess::TlsOnly => "hostssl",
                TcpAccess::PlainOnly => "hostnossl",
            };
            let method = if tcp.password.is_some() {
                "scram-sha-256"
            } else {
                "trust"
            };
            access.push(format!("{kind} all all 127.0.0.1/32 {method}"));
            if let Some((certificate, key)) = &tcp.tls {
                self.adopt_file(certificate, "server.crt");
                self.adopt_file(key, "server.key");
                self.settings.push("ssl=on".to_owned());
            }
        }
        fs::write(self.data().join("pg_hba.conf"), access.join("\n") + "\n")
            .expect("pg_hba.conf can be written");
        self.settings.extend(
            options
                .settings
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
    }

    /// Copies a file into the data directory as PostgreSQL wants a key: its own, and unreadable for others.
    fn adopt_file(&self, from: &Path, name: &str) {
        let to = self.data().join(name);
        fs::copy(from, &to).unwrap_or_else(|error| panic!("{} cannot be copied: {error}", from.display()));
        fs::set_permissions(&to, fs::Permissions::from_mode(0o600))
            .expect("the copy can be closed to others");
        if let Some(owner) = self.owner {
            chown(&to, Some(owner.uid), Some(owner.gid)).expect("root can give the copy away");
        }
    }

    /// Starts the server and waits until it takes connections; else its log.
    fn run(&mut self) -> Result<(), String> {
        let log_path = self.directory.join("server.log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(log_path)
            .expect("the log can be opened");
        let mut command = self.command(Path::new("sh"));
        command
            .args(["-c", GUARD, "guard"])
            .arg(&self.directory)
            .arg(self.binaries.join("postgres"));
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.directory);
        command.args(["-p", &self.socket_port().to_string()]);
        let listen = if self.tcp_port.is_some() { "127.0.0.1" } else { "" };
        command.args(["-c", &format!("listen_addresses={listen}")]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        // A group of its own: Ctrl-C in a terminal ends the tests, and the guard then ends the server.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(log));
        let mut process = command.spawn().expect("sh can be run");
        let mut line = String::new();
        let output = process.stdout.take().expect("stdout is a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the guard says which process it holds");
        let postmaster = line
            .trim()
            .parse()
            .expect("the guard says which process it holds");
        self.guard = Some(Guard { process, postmaster });
        self.wait_until_ready(postmaster)
    }

    fn wait_until_ready(&mut self, postmaster: u32) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let status = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            let lines: Vec<&str> = status.lines().map(str::trim).collect();
            // The first line matters: a server that was killed leaves its own file, which says "ready" as well.
            if lines.first() == Some(&postmaster.to_string().as_str()) && lines.get(7) == Some(&"ready") {
                return Ok(());
            }
            if !is_alive(postmaster) {
                break;
            }
            thread::sleep(POLL);
        }
        self.stop();
        Err(self.log())
    }

    /// Ends the server in order and leaves the data.
    fn stop(&mut self) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        if let Some(mut pipe) = guard.process.stdin.take() {
            drop(pipe.write_all(b"stop\n"));
        }
        drop(guard.process.wait());
    }

    fn kill(&mut self) {
        let Some(guard) = &self.guard else { return };
        let postmaster = guard.postmaster;
        // Stopped first, so that it has no child that we do not see.
        signal("STOP", &[postmaster]);
        let children = children_of(postmaster);
        signal("KILL", &[postmaster]);
        let deadline = Instant::now() + ORPHAN_PATIENCE;
        while children.iter().any(|&child| is_alive(child)) {
            if Instant::now() > deadline {
                let left: Vec<u32> = children
                    .iter()
                    .copied()
                    .filter(|&child| is_alive(child))
                    .collect();
                signal("KILL", &left);
            }
            thread::sleep(POLL);
        }
        // The guard reaps the postmaster; before that its process id would look alive to the next one.
        self.stop();
    }

    /// A program that runs as the cluster's owner, in a place that everybody may enter.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
        if let Some(owner) = self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        match self.guard.take() {
            Some(mut guard) => {
                drop(guard.process.stdin.take());
                drop(guard.process.wait());
            }
            None => drop(fs::remove_dir_all(&self.directory)),
        }
    }
}

/// The directory of the programs `initdb` and `postgres`.
fn find_binaries() -> PathBuf {
    let has_both =
        |directory: &PathBuf| directory.join("initdb").is_file() && directory.join("postgres").is_file();
    if let Some(directory) = std::env::var_os("CUTOVER_POSTGRES_BIN").map(PathBuf::from) {
        assert!(
            has_both(&directory),
            "CUTOVER_POSTGRES_BIN is {}, which has no initdb and postgres; name the directory that has them",
            directory.display()
        );
        return directory;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut installed: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    installed.sort_by_key(|directory| std::cmp::Reverse(major_version(directory)));
    std::env::split_paths(&path).chain(installed).find(has_both).unwrap_or_else(|| {
        panic!(
            "no PostgreSQL server programs (initdb, postgres) on this machine: install them (apt-get install postgresql), \
             name their directory in CUTOVER_POSTGRES_BIN, or name a running server in CUTOVER_TEST_POSTGRES_URL"
        )
    })
}

/// 15 of `/usr/lib/postgresql/15/bin`.
fn major_version(directory: &Path) -> u32 {
    let version = directory.parent().and_then(Path::file_name);
    version.and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0)
}

/// The user `postgres`, or else `nobody`, if we are root.
fn owner_instead_of_root() -> Option<Owner> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").expect("/etc/passwd can be read");
    let owner = ["postgres", "nobody"].iter().find_map(|user| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
        let mut ids = line.split(':').skip(2);
        Some(Owner {
            uid: ids.next()?.parse().ok()?,
            gid: ids.next()?.parse().ok()?,
        })
    });
    Some(owner.expect("PostgreSQL does not run as root, and /etc/passwd names neither postgres nor nobody"))
}

/// A new directory that only the server's user may enter, with a path short enough for a socket (107 bytes).
fn make_directory(owner: Option<Owner>) -> PathBuf {
    let is_usable = |directory: &PathBuf| {
        let everybody_enters = |part: &Path| fs::metadata(part).is_ok_and(|part| part.mode() & 0o001 != 0);
        directory.as_os_str().len() <= 70 && directory.ancestors().all(everybody_enters)
    };
    let parent = Some(std::env::temp_dir())
        .filter(is_usable)
        .unwrap_or_else(|| PathBuf::from("/tmp"));
    let directory = tempfile::Builder::new().prefix("cutover-pg-").tempdir_in(&parent);
    let directory =
        directory.unwrap_or_else(|error| panic!("no directory below {}: {error}", parent.display()));
    let path = directory.keep();
    if let Some(owner) = owner {
        chown(&path, Some(owner.uid), Some(owner.gid)).expect("root can give the directory away");
    }
    path
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
    listener.local_addr().expect("a listener has an address").port()
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn signal(name: &str, processes: &[u32]) {
    let processes = processes.iter().map(u32::to_string);
    let script = r#"signal=$1; shift; kill -s "$signal" "$@" 2>/dev/null"#;
    drop(
        Command::new("sh")
            .args(["-c", script, "signal", name])
            .args(processes)
            .status(),
    );
}

/// State and parent of a process, from `/proc`.
fn process_state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; what is fixed follows the last of them.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// A process that has ended and waits to be reaped is not alive.
fn is_alive(process: u32) -> bool {
    process_state(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes
        .filter(|&process| process_state(process).is_some_and(|(_, of)| of == parent))
        .collect()
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
