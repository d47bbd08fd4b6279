//! A PgBouncer for tests, never skipped: without the program `pgbouncer` (Debian's package of that name; `tests/run` installs it) a test
//! that starts one fails and says so.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot have its PgBouncer must fail, and say why"
)]

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::postgres::TestServer;

/// A PgBouncer in front of a server. It ends with the value, or with the
/// test's process: its standard input is a pipe that closes then.
#[derive(Debug)]
pub struct Bouncer {
    guard: Child,
    directory: tempfile::TempDir,
}

/// `$@` is PgBouncer's command line.
const GUARD: &str = r#""$@" </dev/null & bouncer=$!; read -r _; kill -TERM $bouncer; wait $bouncer"#;

impl Bouncer {
    /// One that shares its sessions by `pool_mode` (`transaction`, `session`), so many of them at most.
    pub async fn start(server: &TestServer, pool_mode: &str, sessions: usize) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("cutover-bouncer")
            .tempdir_in("/tmp")
            .unwrap();
        let path = directory.path();
        let sockets = server.directory().display().to_string();
        let port = server
            .url()
            .parse::<tokio_postgres::Config>()
            .unwrap()
            .get_ports()[0];
        let ini = format!(
            "[databases]\n* = host={sockets} port={port}\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n\
             unix_socket_dir = {0}\nauth_type = any\nauth_file =\npool_mode = {pool_mode}\ndefault_pool_size = {sessions}\n\
             max_client_conn = 100\nlogfile = {0}/log\npidfile = {0}/pid\n",
            path.display()
        );
        let ini = ini.replace("* = ", "postgres = user=postgres ");
        std::fs::File::create(path.join("pgbouncer.ini"))
            .unwrap()
            .write_all(ini.as_bytes())
            .unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();

        let mut command = Command::new("sh");
        command
            .args(["-c", GUARD, "guard"])
            .arg(program())
            .arg("-q")
            .arg(path.join("pgbouncer.ini"));
        // It refuses to be root, like PostgreSQL: it becomes whoever the server is.
        let owner = std::fs::metadata(server.directory()).unwrap();
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            for entry in [path.to_owned(), path.join("pgbouncer.ini")] {
                chown(entry, Some(owner.uid()), Some(owner.gid())).unwrap();
            }
            command.uid(owner.uid()).gid(owner.gid());
        }
        let guard = command
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let bouncer = Self { guard, directory };
        // The socket is there before anyone listens on it.
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio_postgres::connect(&bouncer.url(), tokio_postgres::NoTls)
            .await
            .is_err()
        {
            assert!(
                Instant::now() < deadline,
                "PgBouncer does not start; its log:\n{}",
                bouncer.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bouncer
    }

    /// The database `postgres` through it, as superuser.
    #[must_use]
    pub fn url(&self) -> String {
        let directory = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{directory}:6432/postgres")
    }

    /// What it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().unwrap();
    }
}

/// The program, looked for where Debian puts it as well.
fn program() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path
        .split(':')
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"])
        .map(|directory| Path::new(directory).join("pgbouncer"))
        .find(|program| program.is_file());
    found.expect("THIS TEST NEEDS PgBouncer AND DID NOT RUN: install it (apt-get install pgbouncer), or run tests/run, which does")
}
