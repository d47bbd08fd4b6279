//! What the service costs and how it bears load: `cargo bench -p cutover --bench service -- [SECONDS] [sqlite | postgres]`.
//!
//! The real program, 64 connections that stay open, all on this machine, PostgreSQL by its socket. `GET` of an experiment is held against `GET /healthz`, and a
//! page of 50 synths over HTTP against the same page straight from the repository, asked for by 64 tasks. The sides take turns, so
//! that whatever else the machine does hits all of them; shown are the medians over the rounds, their ratios, the answers that were
//! errors, and the largest memory of the service. On PostgreSQL the server is then stopped and started under the same load.
//!
//! A target of the crate `cutover`, because only there cargo builds the program beside it.
#![allow(missing_docs, reason = "a program, not a library")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops at the first thing that is wrong, and prints what it measured"
)]

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cutover_migrations::{Context, Target};
use cutover_ports::PageRequest;
use cutover_ports::domain::lab::synth::SynthListing;
use cutover_ports::lab::LabRepositories;
use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::store::{TestFile, postgres_target};
use futures_util::future::join_all;
use mimalloc::MiMalloc;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// As the program's, for the side that asks the repository itself.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const CONNECTIONS: usize = 64;
const ROUNDS: usize = 9;
const SYNTHS: u32 = 2_000;
const EXPERIMENT: &str = "/lab/experiments/exp_00000001";
const PAGE: &str = "/lab/synths/list?limit=50&offset=200";

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds: f64 = arguments
        .iter()
        .find_map(|text| text.parse().ok())
        .unwrap_or(30.0);
    let wanted = |name: &str| {
        let mut names = arguments
            .iter()
            .filter(|text| ["sqlite", "postgres"].contains(&text.as_str()));
        names.clone().next().is_none() || names.any(|text| text == name)
    };
    let turn = Duration::from_secs_f64(seconds / (ROUNDS * 4) as f64);
    if wanted("sqlite") {
        sqlite(turn).await;
    }
    if wanted("postgres") {
        postgres(turn).await;
    }
}

async fn sqlite(turn: Duration) {
    let file = TestFile::with_lab_schema().await;
    file.raw().execute_batch(&rows("printf('%06x', n)", "")).unwrap();
    let path = file.path().display().to_string();
    let service = Service::start(file.path().parent().unwrap(), &["--sqlite", &path]).await;
    let lab = cutover_sqlite::lab::repositories(&cutover_tests::store::open(&file.path()));
    compare("SQLite", &service, &lab, turn, 0.4).await;
}

async fn postgres(turn: Duration) {
    let mut server = TestServer::start(TestServerOptions::default()).await;
    let target = Target::Postgres(postgres_target(&server.url()));
    for context in Context::ALL {
        cutover_migrations::up(&target, context, None).await.unwrap();
    }
    server.execute(&rows("lpad(to_hex(n), 6, '0')", "::jsonb")).await;
    let directory = tempfile::tempdir().unwrap();
    let url = server.url();
    let service = Service::start(directory.path(), &["--postgres", &url]).await;
    let pool = cutover_postgres::PoolSettings::default();
    let database =
        cutover_postgres::Database::new(&cutover_postgres::PgServer::parse(&url).unwrap(), &pool).unwrap();
    let lab = cutover_postgres::lab::repositories(&database);
    compare("PostgreSQL", &service, &lab, turn, 0.25).await;
    database.close();
    outage(&service, &mut server).await;
}

/// An experiment and the synths; `id` is the dialect's expression for six hexadecimal digits of `n`, `json` its cast.
fn rows(id: &str, json: &str) -> String {
    let data = r#"{"demografia": {"idade": 34, "genero_biologico": "feminino", "raca_etnia": "pardo",
        "localizacao": {"pais": "Brasil", "regiao": "Norte", "estado": "PA", "cidade": "Belém"},
        "escolaridade": "Superior completo", "renda_mensal": 4321.5, "ocupacao": "professora"},
        "observables": {"digital_literacy": 0.42, "motor_ability": 1.0, "domain_expertise": 0.33}}"#;
    format!(
        "INSERT INTO experiments (id, name, hypothesis, description, created_at)
           VALUES ('exp_00000001', 'Compra em um clique', 'Quem compra em um clique volta mais vezes', 'Um botão', '2026-01-01T12:00:00.123456+00:00');
         WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {SYNTHS})
         INSERT INTO synths (id, nome, descricao, avatar_path, created_at, version, data)
           SELECT {id}, 'Maria da Conceição', '34 anos, professora em Belém', 'output/synths/avatar/a.png',
                  '2026-01-01T12:00:00.123456+00:00', '2.3.0', '{data}'{json} FROM numbers;"
    )
}

/// One side of the comparison.
#[derive(Debug, Clone, Copy)]
enum Side {
    Http(&'static str),
    Repository,
}

async fn compare(database: &str, service: &Service, lab: &LabRepositories, turn: Duration, target: f64) {
    let sides = [
        Side::Http("/healthz"),
        Side::Http(EXPERIMENT),
        Side::Http(PAGE),
        Side::Repository,
    ];
    let mut rates: [Vec<f64>; 4] = Default::default();
    let mut errors = 0;
    // The first round warms everything and does not count.
    for round in 0..=ROUNDS {
        for (side, rates) in sides.iter().zip(&mut rates) {
            let (answers, bad, took) = match side {
                Side::Http(path) => load(&service.address, path, turn).await,
                Side::Repository => repository(lab, turn).await,
            };
            errors += bad;
            if round > 0 {
                rates.push(answers as f64 / took.as_secs_f64());
            }
        }
    }
    let [health, experiment, page, repository] = rates.map(median);
    println!("{database}, {CONNECTIONS} connections, answers per second:");
    println!("  GET /healthz             {health:>9.0}");
    told("GET an experiment", experiment, experiment / health, target);
    println!("  50 synths, repository    {repository:>9.0}");
    told("50 synths over HTTP", page, page / repository, 0.5);
    println!("  errors                   {errors:>9}{}", verdict(errors == 0));
    let memory = service.memory();
    println!(
        "  memory, MiB              {memory:>9.0}  (below 150){}",
        verdict(memory < 150.0)
    );
}

fn told(what: &str, rate: f64, ratio: f64, target: f64) {
    println!(
        "  {what:<24} {rate:>9.0}  ratio {ratio:.2} (at least {target}){}",
        verdict(ratio >= target)
    );
}

fn verdict(met: bool) -> &'static str {
    if met { "" } else { "  NOT MET" }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Everybody asks for `path` for as long as `turn`: the answers, those that were errors, and the time it took. All clients are on
/// one thread, which takes as little from the service as can be.
async fn load(address: &str, path: &'static str, turn: Duration) -> (u64, u64, Duration) {
    let address = address.to_owned();
    let clients = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let begun = Instant::now();
        let client = async || {
            let mut client = Client::connect(&address).await;
            let request = request(path);
            let (mut answers, mut errors) = (0, 0);
            while begun.elapsed() < turn {
                match client.ask(&request).await {
                    Ok(200) => answers += 1,
                    _ => errors += 1,
                }
            }
            (answers, errors)
        };
        let counts = runtime
            .unwrap()
            .block_on(join_all((0..CONNECTIONS).map(|_| client())));
        let sum = counts
            .iter()
            .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
        (sum.0, sum.1, begun.elapsed())
    };
    tokio::task::spawn_blocking(clients).await.unwrap()
}

/// As many tasks ask the repository itself.
async fn repository(lab: &LabRepositories, turn: Duration) -> (u64, u64, Duration) {
    let begun = Instant::now();
    let tasks = (0..CONNECTIONS).map(|_| {
        let synths = std::sync::Arc::clone(&lab.synths);
        tokio::spawn(async move {
            let page = PageRequest {
                limit: 50,
                offset: 200,
            };
            let mut answers = 0;
            while begun.elapsed() < turn {
                assert_eq!(
                    synths
                        .list(&SynthListing::default(), page)
                        .await
                        .unwrap()
                        .items
                        .len(),
                    50
                );
                answers += 1;
            }
            answers
        })
    });
    let answers = join_all(tasks).await.into_iter().map(Result::unwrap).sum();
    (answers, 0, begun.elapsed())
}

/// PostgreSQL is stopped and started under load. Errors may come while it is away and until it has been back for two seconds.
async fn outage(service: &Service, server: &mut TestServer) {
    let stop = AtomicBool::new(false);
    let begun = Instant::now();
    let client = async || {
        let mut client = Client::connect(&service.address).await;
        let mut bad = Vec::new();
        let mut answers = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            match client.ask(&request(EXPERIMENT)).await {
                Ok(200) => answers += 1,
                Ok(status) => bad.push((begun.elapsed(), status)),
                Err(error) => hung_up(&error),
            }
        }
        (answers, bad)
    };
    let drama = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let away = begun.elapsed();
        server.stop().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.start_again().await;
        let back = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(5)).await;
        stop.store(true, Ordering::Relaxed);
        (away, back)
    };
    let (clients, (away, back)) = tokio::join!(join_all((0..CONNECTIONS).map(|_| client())), drama);
    let answers: u64 = clients.iter().map(|(answers, _)| answers).sum();
    let bad: Vec<(Duration, u16)> = clients.into_iter().flat_map(|(_, bad)| bad).collect();
    let early = bad.iter().filter(|(at, _)| *at < away).count();
    let last = bad.iter().map(|(at, _)| *at).max().unwrap_or(away);
    let recovered = last.saturating_sub(back);
    let other = bad.iter().filter(|(_, status)| *status != 503).count();
    println!("PostgreSQL stopped for 3 s under load:");
    println!("  good answers             {answers:>9}");
    println!("  503 while it was away    {:>9}", bad.len());
    println!(
        "  errors before, others    {:>9}{}",
        early + other,
        verdict(early + other == 0)
    );
    let met = recovered < Duration::from_secs(2);
    println!(
        "  last error after return  {:>7.2} s  (below 2){}",
        recovered.as_secs_f64(),
        verdict(met)
    );
}

/// The service itself stays up, or the bench has nothing to measure.
fn hung_up(error: &std::io::Error) {
    println!("  the service hung up: {error}  NOT MET");
    std::process::exit(1);
}

fn request(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A connection that is kept.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: vec![0; 64 * 1024],
        }
    }

    /// The answer's status, once all of it is here.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<u16> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            let answer = &self.buffer[..filled];
            let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let text = std::str::from_utf8(&answer[..head]).map_err(std::io::Error::other)?;
            let length = text
                .split("\r\n")
                .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok())
                .unwrap_or(0);
            if filled >= head + 4 + length {
                return text[9..12].parse().map_err(std::io::Error::other);
            }
        }
    }
}

/// The program, serving. Killed with the value.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    async fn start(directory: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cutover"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env_clear()
            .current_dir(directory)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next_line().await.unwrap().expect("the service starts");
            if let Some((_, address)) = line.split_once(" serving address=") {
                break address.to_owned();
            }
        };
        // Somebody has to read on, or the service would wait to log.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    /// The most memory that it ever had, in MiB.
    fn memory(&self) -> f64 {
        let pid = self.child.id().expect("the service runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}
