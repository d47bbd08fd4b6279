//! A directory with a cluster in it, its server, and the guard that holds the server. Everything here blocks.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Durability, TcpAccess, TestServerOptions};

/// How long a server may take to start or to stop; a start replays the WAL of a server that was killed.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks at a server that starts or stops.
const POLL: Duration = Duration::from_millis(5);
/// How long processes of a killed server may take to notice before they are killed as well.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(5);
/// The superuser of every cluster made here.
pub(super) const SUPERUSER: &str = "postgres";

/// A cluster, and its server while that runs.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) directory: PathBuf,
    binaries: PathBuf,
    owner: Option<Owner>,
    settings: Vec<String>,
    pub(super) tcp_port: Option<u16>,
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
    // In the cluster's directory, and so removed with it; in /dev/shm it would outlive a server that was killed.
    "dynamic_shared_memory_type=mmap",
    "timezone=UTC",
    "log_checkpoints=off",
];

impl Cluster {
    pub(super) fn start(options: &TestServerOptions) -> Self {
        let binaries = find_binaries();
        let owner = owner_instead_of_root();
        let directory = make_directory(options.durability, owner);
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

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.directory.join("server.log")).unwrap_or_default()
    }

    /// The process id of the server, while it runs.
    pub(super) fn postmaster(&self) -> Option<u32> {
        self.guard.as_ref().map(|guard| guard.postmaster)
    }

    /// How `CREATE DATABASE` copies fastest here: with nothing waiting for a disk, file by file.
    pub(super) fn copy_strategy(&self) -> &'static str {
        let version = self
            .command(&self.binaries.join("postgres"))
            .arg("--version")
            .output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
        let version = version.unwrap_or_default();
        let major = version
            .split([' ', '.'])
            .nth(2)
            .and_then(|major| major.parse::<u32>().ok());
        if major >= Some(15) {
            "STRATEGY file_copy"
        } else {
            ""
        }
    }

    pub(super) fn socket_url(&self, database: &str) -> String {
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
    pub(super) fn run(&mut self) -> Result<(), String> {
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
    pub(super) fn stop(&mut self) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        if let Some(mut pipe) = guard.process.stdin.take() {
            drop(pipe.write_all(b"stop\n"));
        }
        drop(guard.process.wait());
    }

    pub(super) fn kill(&mut self) {
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
fn make_directory(durability: Durability, owner: Option<Owner>) -> PathBuf {
    let is_usable = |directory: &PathBuf| {
        let everybody_enters = |part: &Path| fs::metadata(part).is_ok_and(|part| part.mode() & 0o001 != 0);
        directory.as_os_str().len() <= 70 && directory.ancestors().all(everybody_enters)
    };
    let memory = PathBuf::from("/dev/shm");
    let memory = (durability == Durability::Fast && has_room(&memory)).then_some(memory);
    let parents = memory
        .into_iter()
        .chain([std::env::temp_dir(), PathBuf::from("/tmp")]);
    let mut parents = parents.filter(is_usable);
    let made = parents.find_map(|parent| {
        tempfile::Builder::new()
            .prefix("cutover-pg-")
            .tempdir_in(parent)
            .ok()
    });
    let path = made
        .expect("a directory for PostgreSQL can be made in the system's temporary directory")
        .keep();
    if let Some(owner) = owner {
        chown(&path, Some(owner.uid), Some(owner.gid)).expect("root can give the directory away");
    }
    path
}

/// Whether a cluster may lie in memory. A database is 300 files, and a disk may need a millisecond to make one: 300 ms for
/// each test instead of 7 (measured).
fn has_room(memory: &Path) -> bool {
    const FREE_KIB_MIN: u64 = 2 << 20;
    const AVAILABLE_KIB_MIN: u64 = 4 << 20;
    let table = Command::new("df").arg("-Pk").arg(memory).output();
    let table = table
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let free = table
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = machine
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let available = available.and_then(|line| line.split_whitespace().next()?.parse().ok());
    free >= Some(FREE_KIB_MIN) && available >= Some(AVAILABLE_KIB_MIN)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
    listener.local_addr().expect("a listener has an address").port()
}

/// Everything but letters, digits and `-._~` as `%XX`.
pub(super) fn percent_encoded(text: &str) -> String {
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
