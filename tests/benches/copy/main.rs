//! `cargo bench -p cutover-tests --bench copy [-- MEGABYTES]`: a whole `cutover copy` of a generated SQLite file (200 MB if not
//! said otherwise) against PostgreSQL's own load of the same rows, and against pgloader where that is installed.
//!
//! PostgreSQL's own load is what `psql` does on one connection with the schema that the copy makes: the tables, binary
//! `COPY … FROM` files on the server, then indexes, keys and constraints; no ANALYZE, which the copy also does. Everything runs as a
//! process of its own on a server with PostgreSQL's default settings, one after the other in each round, and its database is dropped before the
//! next one is measured; ratios are medians of the rounds' ratios.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot run must fail, and prints what it measured"
)]

mod file;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cutover_tests::postgres::{TcpOptions, TestServer, TestServerOptions};
use cutover_tests::store::TestFile;

const ROUNDS: usize = 7;
/// What the harness sets to make tests quick, as PostgreSQL has it by default.
const DEFAULTS: [(&str, &str); 6] = [
    ("wal_level", "replica"),
    ("shared_buffers", "128MB"),
    ("max_wal_size", "1GB"),
    ("autovacuum", "on"),
    ("jit", "on"),
    ("dynamic_shared_memory_type", "posix"),
];

/// Everything that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    OwnLoad,
    Copy(u8),
    Verify(u8),
    Pgloader,
}

/// In the order of a round: a verification needs the copy before it.
const SUBJECTS: [Subject; 6] = [
    Subject::OwnLoad,
    Subject::Copy(1),
    Subject::Verify(1),
    Subject::Copy(2),
    Subject::Verify(2),
    Subject::Pgloader,
];

impl Subject {
    /// The database that it works on.
    fn database(self) -> String {
        match self {
            Self::OwnLoad => "own".to_owned(),
            Self::Copy(jobs) | Self::Verify(jobs) => format!("copy_{jobs}"),
            Self::Pgloader => "pgloader".to_owned(),
        }
    }

    fn name(self) -> String {
        match self {
            Self::OwnLoad => "PostgreSQL's own load".to_owned(),
            Self::Copy(jobs) => format!("cutover copy --jobs {jobs}"),
            Self::Verify(jobs) => format!("cutover verify --jobs {jobs}"),
            Self::Pgloader => "pgloader".to_owned(),
        }
    }
}

/// What a process took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    seconds: f64,
    peak_mib: f64,
}

struct Bench {
    file: TestFile,
    server: TestServer,
    cutover: PathBuf,
    /// The script of PostgreSQL's own load.
    script: PathBuf,
    megabytes: f64,
}

#[tokio::main]
async fn main() {
    let size = std::env::args().find_map(|argument| argument.parse().ok());
    let cutover = built();
    let file = TestFile::empty();
    file::create(&file.path(), size.unwrap_or(200));
    let bytes = std::fs::metadata(file.path()).expect("the file").len();
    let options = TestServerOptions {
        tcp: Some(TcpOptions::default()),
        settings: DEFAULTS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        ..TestServerOptions::default()
    };
    let server = TestServer::start(options).await;
    let script = server.directory().join("load.sql");
    let bench = Bench {
        file,
        server,
        cutover,
        script,
        megabytes: bytes as f64 / 1e6,
    };
    bench.print_versions();
    bench.export().await;

    let with_pgloader = output(Command::new("pgloader").arg("--version")).is_some();
    let subjects = SUBJECTS
        .into_iter()
        .filter(|subject| with_pgloader || *subject != Subject::Pgloader);
    let mut costs: Vec<(Subject, Vec<Option<Cost>>)> =
        subjects.map(|subject| (subject, Vec::new())).collect();
    for round in 1..=ROUNDS {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or("unknown").to_owned();
        let mut line = format!("round {round} (load {load}):");
        for (subject, costs) in &mut costs {
            let cost = bench.run(*subject).await;
            match cost {
                Some(cost) => write!(line, " {} {:.1} s,", subject.name(), cost.seconds),
                None => write!(line, " {} failed,", subject.name()),
            }
            .expect("a string takes it");
            costs.push(cost);
            // Autovacuum comes to whatever lies there, at the cost of whoever is measured next.
            if !matches!(subject, Subject::Copy(_)) {
                bench.drop(*subject).await;
            }
        }
        println!("{}", line.trim_end_matches(','));
    }
    bench.print_table(&costs);
    if !with_pgloader {
        println!("pgloader is not installed (apt-get install pgloader), and was left out");
    }
}

/// The program as it is released, built if it is not.
fn built() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--quiet", "-p", "cutover"]);
    // What cargo tells this program about its own package would count as another environment, and everything be built anew.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            build.env_remove(&*name);
        }
    }
    let status = build.status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cutover can be built"
    );
    // Beside target/release/deps, where this program is.
    let own = std::env::current_exe().expect("the path of this program");
    let release = own.parent().and_then(Path::parent).expect("target/release");
    release.join("cutover")
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Bench {
    fn print_versions(&self) {
        let lines = [
            output(Command::new(&self.cutover).arg("--version")),
            output(Command::new("psql").arg("--version")),
            output(Command::new("pgloader").arg("--version")),
        ];
        let lines = lines.iter().flatten().filter_map(|text| text.lines().next());
        let lines: Vec<&str> = lines.collect();
        let cores = thread::available_parallelism().map_or(0, usize::from);
        println!(
            "{}; {cores} cores; a file of {:.0} MB",
            lines.join("; "),
            self.megabytes
        );
    }

    fn url(&self, database: &str) -> String {
        let url = self.server.tcp_url();
        let (start, _) = url.rsplit_once('/').expect("the URL names the database last");
        format!("{start}/{database}")
    }

    /// Copies once, and writes the script that loads the same rows into the same schema.
    async fn export(&self) {
        self.run(Subject::Copy(1)).await;
        let url = self.url("copy_1");
        let section = |section: &str| {
            let section = format!("--section={section}");
            let dump = output(Command::new("pg_dump").args(["--exclude-schema=cutover", &section, &url]));
            dump.expect("pg_dump runs")
        };
        let client = connect(&url).await;
        let sql =
            "SELECT format('public.%I', tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
        let mut script = section("pre-data");
        for row in client.query(sql, &[]).await.expect("the tables") {
            let table: String = row.get(0);
            let file = self.server.directory().join(format!("{table}.copy"));
            let copy = |way: &str| format!("COPY {table} {way} '{}' (FORMAT binary);\n", file.display());
            client.batch_execute(&copy("TO")).await.expect("exported");
            script += &copy("FROM");
        }
        script += &section("post-data");
        std::fs::write(&self.script, script).expect("the script");
        self.drop(Subject::Copy(1)).await;
    }

    /// Runs one of them, on a new database where it needs one. None if pgloader gives up, as it does on large files for want of memory.
    async fn run(&self, subject: Subject) -> Option<Cost> {
        let file = self.file.path();
        let database = subject.database();
        let url = self.url(&database);
        let mut command = match subject {
            Subject::OwnLoad => {
                let mut command = Command::new("psql");
                command
                    .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"])
                    .arg(&self.script)
                    .arg(&url);
                command
            }
            Subject::Copy(jobs) | Subject::Verify(jobs) => {
                let name = if matches!(subject, Subject::Copy(_)) {
                    "copy"
                } else {
                    "verify"
                };
                let mut command = Command::new(&self.cutover);
                command
                    .arg(name)
                    .arg(&file)
                    .arg(&url)
                    .args(["--quiet", "--jobs", &jobs.to_string()]);
                command
            }
            Subject::Pgloader => {
                let mut command = Command::new("pgloader");
                command
                    .arg("--root-dir")
                    .arg(self.server.directory().join("pgloader"));
                command
                    .arg(&file)
                    .arg(url.replace("postgres://", "postgresql://") + "?sslmode=disable");
                command
            }
        };
        if !matches!(subject, Subject::Verify(_)) {
            self.server.execute(&format!("CREATE DATABASE {database}")).await;
        }
        self.server.execute("CHECKPOINT").await;
        let (cost, status) = measured(&mut command);
        let failed = !status.success();
        assert!(
            !failed || subject == Subject::Pgloader,
            "{command:?} ends with {status}"
        );
        (!failed).then_some(cost)
    }

    async fn drop(&self, subject: Subject) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", subject.database());
        self.server.execute(&drop).await;
    }

    fn print_table(&self, costs: &[(Subject, Vec<Option<Cost>>)]) {
        let rounds = |wanted: Subject| {
            let costs = costs.iter().filter(move |(subject, _)| *subject == wanted);
            costs.flat_map(|(_, costs)| costs)
        };
        // Of the rounds in which both came to an end: what the machine does otherwise changes from round to round.
        let faster = |ours: Subject, than: Subject| {
            let pairs = rounds(than).zip(rounds(ours));
            median(pairs.filter_map(|(than, ours)| Some((*than)?.seconds / (*ours)?.seconds)))
        };
        println!(
            "{:26} {:>8} {:>6} {:>10} {:>9}",
            "medians of the rounds", "seconds", "MB/s", "own load=1", "peak MiB"
        );
        for (subject, costs) in costs {
            let of = |figure: fn(&Cost) -> f64| median(costs.iter().flatten().map(figure));
            let (Some(taken), Some(ratio), Some(peak)) = (
                of(|cost| cost.seconds),
                faster(*subject, Subject::OwnLoad),
                of(|cost| cost.peak_mib),
            ) else {
                println!("{:26} failed in every round", subject.name());
                continue;
            };
            println!(
                "{:26} {taken:8.2} {:6.1} {ratio:10.2} {peak:9.0}",
                subject.name(),
                self.megabytes / taken,
            );
        }
        let ratios = [
            (
                "copy --jobs 1 to PostgreSQL's own load",
                Subject::OwnLoad,
                Subject::Copy(1),
                0.9,
            ),
            (
                "copy --jobs 2 to PostgreSQL's own load",
                Subject::OwnLoad,
                Subject::Copy(2),
                1.3,
            ),
            (
                "copy --jobs 2 to pgloader",
                Subject::Pgloader,
                Subject::Copy(2),
                3.0,
            ),
            (
                "verify --jobs 1 to copy --jobs 1",
                Subject::Copy(1),
                Subject::Verify(1),
                1.0,
            ),
            (
                "verify --jobs 2 to copy --jobs 2",
                Subject::Copy(2),
                Subject::Verify(2),
                1.0,
            ),
        ];
        for (what, other, ours, target) in ratios {
            if let Some(ratio) = faster(ours, other) {
                println!("{what}: {ratio:.2} times as fast (target {target})");
            }
        }
        println!("the peak of the copy and of verify is to stay below 256 MiB");
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Runs a process to its end. Its peak of memory is what Linux told last.
fn measured(command: &mut Command) -> (Cost, ExitStatus) {
    let begun = Instant::now();
    let mut process = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the process starts");
    let mut peak = 0.0;
    let status = loop {
        if let Some(status) = process.try_wait().expect("the process is ours") {
            break status;
        }
        peak = peak_mib(process.id()).unwrap_or(peak);
        thread::sleep(Duration::from_millis(5));
    };
    let seconds = begun.elapsed().as_secs_f64();
    let cost = Cost {
        seconds,
        peak_mib: peak,
    };
    (cost, status)
}

fn peak_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);
    client
}
