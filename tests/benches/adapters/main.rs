//! What the adapters cost: each operation through a repository against the bare driver doing the same work (the same
//! statements, the same columns into the same entity) for the same asynchronous caller, with one task and with
//! sixteen. `cargo bench -p cutover-tests --bench adapters -- [SECONDS] [sqlite | postgres]`; the seconds are per row of
//! the table.
//!
//! The two sides take turns, round by round, so that whatever else the machine does hits both; a row shows the
//! medians over the rounds, and the ratio of them.
#![allow(missing_docs, reason = "a program, not a library")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench stops at the first thing that is wrong"
)]

mod bare_postgres;
mod bare_sqlite;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::{AnalysisRun, AnalysisStatus, Rates};
use cutover_domain::lab::experiment::{Experiment, ExperimentStatus};
use cutover_domain::lab::synth::{Synth, SynthListing, SynthSummary};
use cutover_domain::lab::synth_outcome::SynthOutcome;
use cutover_domain::time::Timestamp;
use cutover_ports::lab::LabRepositories;
use cutover_ports::{Page, PageRequest};
use cutover_tests::store::{TestFile, lab_database};

const SYNTHS: u64 = 2000;
const PAGE: PageRequest = PageRequest {
    limit: 50,
    offset: 200,
};
const BATCH: u64 = 500;
const ROUNDS: usize = 51;
const TASKS: [usize; 2] = [1, 16];
const RUN_ID: &str = "ana_00000001";

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The four operations, as the repositories and the bare drivers offer them to one task.
trait Side: Send + Sync + 'static {
    fn get(&self, id: String) -> Work<Option<Synth>>;
    fn page(&self) -> Work<Page<SynthSummary>>;
    fn insert(&self, experiment: Experiment) -> Work<()>;
    fn batch(&self, outcomes: Vec<SynthOutcome>) -> Work<()>;
}

struct Repositories(LabRepositories);

impl Side for Repositories {
    fn get(&self, id: String) -> Work<Option<Synth>> {
        let synths = Arc::clone(&self.0.synths);
        Box::pin(async move { synths.get(&id).await.unwrap() })
    }
    fn page(&self) -> Work<Page<SynthSummary>> {
        let synths = Arc::clone(&self.0.synths);
        Box::pin(async move { synths.list(&SynthListing::default(), PAGE).await.unwrap() })
    }
    fn insert(&self, experiment: Experiment) -> Work<()> {
        let experiments = Arc::clone(&self.0.experiments);
        Box::pin(async move { experiments.insert(&experiment).await.unwrap() })
    }
    fn batch(&self, outcomes: Vec<SynthOutcome>) -> Work<()> {
        let repository = Arc::clone(&self.0.synth_outcomes);
        Box::pin(async move { repository.insert(&outcomes).await.unwrap() })
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Get,
    Page,
    Insert,
    Batch,
}

const OPERATIONS: [(&str, Operation); 4] = [
    ("get by id", Operation::Get),
    ("page of 50", Operation::Page),
    ("insert", Operation::Insert),
    ("batch of 500", Operation::Batch),
];

/// Numbers that no two rows share.
static NEXT: AtomicU64 = AtomicU64::new(1);

async fn run_once(side: &dyn Side, operation: Operation) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    match operation {
        Operation::Get => {
            let id = synth_id(number.wrapping_mul(0x9E37_79B9) % SYNTHS);
            assert_eq!(side.get(id.clone()).await.unwrap().summary.id, id);
        }
        Operation::Page => assert_eq!(side.page().await.items.len(), 50),
        Operation::Insert => side.insert(experiment(number)).await,
        Operation::Batch => {
            let first = NEXT.fetch_add(BATCH, Ordering::Relaxed);
            side.batch((first..first + BATCH).map(outcome).collect()).await;
        }
    }
}

/// Runs `count` operations, spread over `sides` (one per task); how long that took.
async fn round(sides: &[Arc<dyn Side>], operation: Operation, count: usize) -> Duration {
    let start = Instant::now();
    let tasks: Vec<_> = sides
        .iter()
        .map(|side| {
            let (side, share) = (Arc::clone(side), count.div_ceil(sides.len()));
            tokio::spawn(async move {
                for _ in 0..share {
                    run_once(side.as_ref(), operation).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// One row of the table.
async fn compare(
    database: &str,
    name: &str,
    operation: Operation,
    ours: &[Arc<dyn Side>],
    bare: &[Arc<dyn Side>],
    seconds: f64,
) {
    let tasks = ours.len();
    // Warm both, and find out how many operations make a round.
    let mut count = tasks;
    loop {
        let time = round(bare, operation, count)
            .await
            .max(round(ours, operation, count).await);
        if time.as_secs_f64() * 2.0 * ROUNDS as f64 * 2.0 > seconds || count > 100_000 {
            break;
        }
        count *= 2;
    }
    let (mut our_times, mut bare_times) = (Vec::new(), Vec::new());
    for turn in 0..ROUNDS {
        if turn % 2 == 0 {
            our_times.push(round(ours, operation, count).await);
            bare_times.push(round(bare, operation, count).await);
        } else {
            bare_times.push(round(bare, operation, count).await);
            our_times.push(round(ours, operation, count).await);
        }
    }
    let rate = |time: Duration| count as f64 / time.as_secs_f64();
    let (ours, bare) = (rate(median(our_times)), rate(median(bare_times)));
    let (ratio, target) = (ours / bare, if tasks == 1 { 0.9 } else { 0.8 });
    let verdict = if ratio >= target { "" } else { "  below the target" };
    println!(
        "{database:<10} {name:<12} {tasks:>5} {ours:>11.0} {bare:>11.0} {ratio:>6.2} {target:>6.1}{verdict}"
    );
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(6.0);
    let wanted = |name: &str| {
        let mut names = arguments
            .iter()
            .filter(|text| ["sqlite", "postgres"].contains(&text.as_str()));
        names.clone().next().is_none() || names.any(|text| text == name)
    };
    println!(
        "{:<10} {:<12} {:>5} {:>11} {:>11} {:>6} {:>6}",
        "database", "operation", "tasks", "ours/s", "bare/s", "ratio", "target"
    );
    if wanted("sqlite") {
        sqlite(seconds).await;
    }
    if wanted("postgres") {
        postgres(seconds).await;
    }
}

async fn sqlite(seconds: f64) {
    let file = TestFile::with_lab_schema().await;
    let lab = cutover_sqlite::lab::repositories(&cutover_tests::store::open(&file.path()));
    fill(&lab).await;
    for tasks in TASKS {
        let bare = bare_sqlite::sides(&file.path(), tasks);
        compare_all("SQLite", &repositories(&lab, tasks), &bare, seconds).await;
    }
}

async fn postgres(seconds: f64) {
    let server = lab_database().await;
    let url = cutover_postgres::PgServer::parse(&server.url()).unwrap();
    let pool = cutover_postgres::PoolSettings::default();
    let lab = cutover_postgres::lab::repositories(&cutover_postgres::Database::new(&url, &pool).unwrap());
    fill(&lab).await;
    for tasks in TASKS {
        let bare = bare_postgres::sides(&server, tasks).await;
        compare_all("PostgreSQL", &repositories(&lab, tasks), &bare, seconds).await;
    }
}

fn repositories(lab: &LabRepositories, tasks: usize) -> Vec<Arc<dyn Side>> {
    (0..tasks)
        .map(|_| Arc::new(Repositories(lab.clone())) as Arc<dyn Side>)
        .collect()
}

async fn compare_all(database: &str, ours: &[Arc<dyn Side>], bare: &[Arc<dyn Side>], seconds: f64) {
    for (name, operation) in OPERATIONS {
        compare(database, name, operation, ours, bare, seconds).await;
    }
}

/// What the operations read and refer to.
async fn fill(lab: &LabRepositories) {
    for number in 0..SYNTHS {
        lab.synths.save(&synth(number)).await.unwrap();
    }
    let parent = Experiment {
        id: "exp_parent".to_owned(),
        ..experiment(0)
    };
    lab.experiments.insert(&parent).await.unwrap();
    let run = AnalysisRun {
        id: RUN_ID.to_owned(),
        experiment_id: parent.id,
        scenario_id: "baseline".to_owned(),
        config: Json::parse("{}").unwrap(),
        status: AnalysisStatus::Completed.into(),
        started_at: at(0).into(),
        completed_at: None,
        total_synths: None,
        aggregated_outcomes: None,
        execution_time_seconds: None,
    };
    lab.analysis_runs.insert(&run).await.unwrap();
}

fn at(number: u64) -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000 + i64::try_from(number).unwrap() * 1_000_003).unwrap()
}

fn synth_id(number: u64) -> String {
    format!("{number:06x}")
}

fn synth(number: u64) -> Synth {
    let text = r#"{"demografia": {"idade": 34, "genero_biologico": "feminino", "raca_etnia": "pardo",
        "localizacao": {"pais": "Brasil", "regiao": "Norte", "estado": "PA", "cidade": "Bel\u00e9m"},
        "escolaridade": "Superior completo", "renda_mensal": 4321.5, "ocupacao": "professora"},
        "psicografia": {"interesses": ["m\u00fasica", "culin\u00e1ria"], "contrato_cognitivo": {"tipo": "factual",
        "perfil_cognitivo": "responde em poucas palavras", "regras": ["ser breve", "n\u00e3o inventar"]}},
        "observables": {"digital_literacy": 0.42, "similar_tool_experience": 0.5, "motor_ability": 1.0,
        "time_availability": 0.7, "domain_expertise": 0.33}}"#;
    Synth {
        summary: SynthSummary {
            id: synth_id(number),
            synth_group_id: None,
            nome: "Maria da Conceição".to_owned(),
            descricao: Some("34 anos, professora em Belém".to_owned()),
            link_photo: None,
            avatar_path: Some(format!("output/synths/avatar/{number:06x}.png")),
            created_at: at(number).into(),
            version: Some("2.3.0".to_owned()),
        },
        data: Some(Json::parse(text).unwrap()),
    }
}

fn experiment(number: u64) -> Experiment {
    Experiment {
        id: format!("exp_{number:08x}"),
        name: "Compra em um clique".to_owned(),
        hypothesis: "Quem compra em um clique volta mais vezes".to_owned(),
        description: Some("Um botão ao lado do preço".to_owned()),
        scorecard_data: None,
        status: ExperimentStatus::Active.into(),
        created_at: at(number).into(),
        updated_at: None,
    }
}

fn outcome(number: u64) -> SynthOutcome {
    let rates = Rates {
        did_not_try_rate: 0.25,
        failed_rate: 0.35,
        success_rate: 0.4,
    };
    let attributes = r#"{"observables": {"digital_literacy": 0.42, "similar_tool_experience": 0.5, "motor_ability": 1.0,
        "time_availability": 0.7, "domain_expertise": 0.33}, "latent_traits": {"capability_mean": 0.5,
        "trust_mean": 0.4, "friction_tolerance_mean": 0.3, "exploration_prob": 0.2}}"#;
    SynthOutcome::of_analysis(
        RUN_ID,
        &format!("{number:08x}"),
        rates,
        Some(Json::from_trusted(attributes)),
    )
}
