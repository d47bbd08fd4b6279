//! `cargo bench -p cutover-tests --bench copy`: our copy of a lab file (200 MB, or `COPY_BENCH_MB`) against PostgreSQL's own
//! `COPY … FROM 'file' (FORMAT binary)` of the same rows into the same schema, in the same run.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot run must fail, and prints what it measured"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover::config::{DatabaseUrl, Secret};
use cutover::transfer::copy::{CopyOptions, Extent, OnReject, copy};
use cutover::transfer::progress::Silent;
use cutover::wiring;
use cutover::wiring::transfer::Access;
use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::plan::{Scope, Wishes};
use cutover_migrations::{Context, Target};
use cutover_tests::lab_file::LabFile;
use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::store::{TestFile, postgres_target};

const ROUNDS: usize = 3;

#[tokio::main]
async fn main() {
    let megabytes: u32 = std::env::var("COPY_BENCH_MB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200);
    let file = TestFile::empty();
    let size = LabFile {
        experiments: 5 * megabytes,
        children: 30,
        synths: 100 * megabytes,
        sentences: 40,
    };
    drop(size.create(&file.path()));
    let bytes = std::fs::metadata(file.path()).expect("the file").len();
    println!("lab file: {:.0} MB", mb(bytes));

    let server = TestServer::start(TestServerOptions::default()).await;
    let admin = server.connect().await;
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (ours, theirs) = (format!("ours_{round}"), format!("theirs_{round}"));
        for name in [&ours, &theirs] {
            admin
                .batch_execute(&format!("CREATE DATABASE {name}"))
                .await
                .expect("a database");
            let target = Target::Postgres(postgres_target(&url(&server, name)));
            cutover_migrations::up(&target, &Context::LAB, None)
                .await
                .expect("the schema");
        }
        admin.batch_execute("CHECKPOINT").await.expect("a checkpoint");
        let (our_time, tables, phases) = copied(&file, &url(&server, &ours)).await;
        let files = exported(&server, &ours, &tables).await;
        admin.batch_execute("CHECKPOINT").await.expect("a checkpoint");
        let their_time = loaded(&server, &theirs, &files).await;
        let ratio = their_time.as_secs_f64() / our_time.as_secs_f64();
        println!(
            "round {round}: cutover {:.2} s ({:.0} MB/s; survey and rest {:.2} s, load {:.2} s), COPY FROM file {:.2} s: ratio {ratio:.2}",
            our_time.as_secs_f64(),
            mb(bytes) / our_time.as_secs_f64(),
            (our_time.saturating_sub(phases)).as_secs_f64(),
            phases.as_secs_f64(),
            their_time.as_secs_f64()
        );
        ratios.push(ratio);
        for name in [&ours, &theirs] {
            admin
                .batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))
                .await
                .expect("dropped");
        }
    }
    ratios.sort_by(f64::total_cmp);
    println!(
        "median ratio to COPY FROM file: {:.2} (target 0.5)",
        ratios[ROUNDS / 2]
    );
    println!(
        "peak memory of this process: {:.0} MiB (bound 256)",
        peak_memory_mib()
    );
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn url(server: &TestServer, database: &str) -> String {
    let own = server.url();
    let (start, _) = own
        .rsplit_once("/postgres")
        .expect("the URL names the database last");
    format!("{start}/{database}")
}

/// The time, the tables in the order of loading, and the part of the time that loads took.
async fn copied(file: &TestFile, url: &str) -> (Duration, Vec<String>, Duration) {
    let options = CopyOptions {
        on_reject: OnReject::Fail,
        replace: false,
        zone: LegacyZone::utc(),
        seeds: wiring::transfer::seeds(),
        scope: Scope::default(),
        wishes: Wishes::default(),
        extent: Extent::Whole,
        jobs: 1,
        rehearsal: false,
    };
    let begun = Instant::now();
    let access = Access {
        busy_timeout: Duration::from_secs(5),
        schema: None,
        jobs: 1,
    };
    let source = wiring::transfer::source(&DatabaseUrl::Sqlite(file.path()), &access)
        .await
        .expect("the source");
    let target =
        wiring::transfer::target(&DatabaseUrl::Postgres(Secret::new(url)), &access).expect("the target");
    let report = copy(source, target.as_ref(), &options, Arc::new(Silent))
        .await
        .expect("copied");
    let elapsed = begun.elapsed();
    assert!(report.ok() && report.weakened.is_empty());
    let loads = report.tables.iter().map(|table| table.elapsed).sum();
    (
        elapsed,
        report.tables.into_iter().map(|table| table.target).collect(),
        loads,
    )
}

/// The same rows as files of the server, by table.
async fn exported(server: &TestServer, database: &str, tables: &[String]) -> Vec<(String, String)> {
    let client = connect(&url(server, database)).await;
    let mut files = Vec::new();
    for table in tables {
        let file = format!("{}/{table}.copy", server.directory().display());
        client
            .batch_execute(&format!("COPY {table} TO '{file}' (FORMAT binary)"))
            .await
            .expect("exported");
        files.push((table.clone(), file));
    }
    files
}

async fn loaded(server: &TestServer, database: &str, files: &[(String, String)]) -> Duration {
    let client = connect(&url(server, database)).await;
    client
        .batch_execute("DELETE FROM synth_groups")
        .await
        .expect("the seed row goes");
    let begun = Instant::now();
    for (table, file) in files {
        client
            .batch_execute(&format!("COPY {table} FROM '{file}' (FORMAT binary)"))
            .await
            .expect("loaded");
    }
    begun.elapsed()
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);
    client
}

/// The most memory that the process ever had, as Linux counts it.
fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(f64::NAN);
    kib / 1024.0
}
