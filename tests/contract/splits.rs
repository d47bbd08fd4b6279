//! The whole suite over routings that split the repositories between the two databases.

use std::pin::Pin;
use std::sync::Arc;

use cutover::config::{Backend, ContextRouting as _, LabRouting, MarketRouting};
use cutover::wiring::Databases;
use cutover_domain::lab::analysis_run::{AnalysisRun, AnalysisStatus};
use cutover_domain::lab::exploration::ScenarioNode;
use cutover_domain::relations;
use cutover_domain::stored::StoredValue;
use cutover_migrations::Context;
use cutover_ports::lab::{LabRepositories, Replacement};
use cutover_ports::{ReferredRows, StoreError};
use cutover_tests::store::{self, TestStore};
use futures_util::FutureExt as _;
use futures_util::future::{join, join_all};

use crate::lab::analysis_run::{run, stored_run};
use crate::lab::experiment::experiment;
use crate::lab::exploration::{exploration, node};
use crate::lab::synth_outcome::outcome;
use crate::lab::{assert_conflict, assert_missing};

/// A case's name, and the case.
pub(crate) type Case = (
    &'static str,
    for<'a> fn(&'a TestStore) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
);

/// Every case of every repository.
const SUITES: &[&[Case]] = &[
    crate::lab::analysis_cache::CASES,
    crate::lab::analysis_run::CASES,
    crate::lab::chart_insight::CASES,
    crate::lab::experiment::CASES,
    crate::lab::experiment_document::CASES,
    crate::lab::exploration::CASES,
    crate::lab::interview_guide::CASES,
    crate::lab::prfaq::CASES,
    crate::lab::region_analysis::CASES,
    crate::lab::research_execution::CASES,
    crate::lab::scorecard::CASES,
    crate::lab::sensitivity::CASES,
    crate::lab::simulation::CASES,
    crate::lab::synth::CASES,
    crate::lab::synth_group::CASES,
    crate::lab::synth_outcome::CASES,
    crate::writer::conversation::CASES,
    crate::writer::file::CASES,
];

/// Every case of the market's repositories.
const MARKET: &[&[Case]] = &[
    crate::market::ai_prediction::CASES,
    crate::market::baseline_model::CASES,
    crate::market::daily_prediction::CASES,
    crate::market::job_run::CASES,
    crate::market::model_performance::CASES,
];

/// The other way round than in the suites themselves.
#[tokio::test]
async fn every_other_repository_of_the_market_on_postgres() {
    let mut next = Backend::Postgres;
    let routing = MarketRouting::from_fn(|_| {
        next = other(next);
        next
    });
    let mut failed = Vec::new();
    for (name, case) in MARKET.iter().copied().flatten() {
        let store = TestStore::market_routed(&routing).await;
        let run = std::panic::AssertUnwindSafe(case(&store)).catch_unwind();
        if run.await.is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

/// Every second repository on PostgreSQL.
pub(crate) fn alternating() -> LabRouting {
    let mut next = Backend::Sqlite;
    LabRouting::from_fn(|_| {
        next = other(next);
        next
    })
}

fn other(backend: Backend) -> Backend {
    match backend {
        Backend::Sqlite => Backend::Postgres,
        Backend::Postgres => Backend::Sqlite,
    }
}

/// Runs every case with `routing`, each on a fresh store, and says which ones failed.
async fn run_all(routing: LabRouting) {
    let mut failed = Vec::new();
    for (name, case) in SUITES.iter().copied().flatten() {
        let store = TestStore::routed(&routing).await;
        if std::panic::AssertUnwindSafe(case(&store))
            .catch_unwind()
            .await
            .is_err()
        {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "with {routing:?}: {failed:?}");
}

#[tokio::test]
async fn experiments_alone_on_postgres() {
    run_all(LabRouting {
        experiments: Backend::Postgres,
        ..LabRouting::all(Backend::Sqlite)
    })
    .await;
}

#[tokio::test]
async fn experiments_alone_on_sqlite() {
    run_all(LabRouting {
        experiments: Backend::Sqlite,
        ..LabRouting::all(Backend::Postgres)
    })
    .await;
}

/// A routing from sixteen bits.
fn from_bits(mut bits: u64) -> LabRouting {
    LabRouting::from_fn(|_| {
        let postgres = bits & 1 == 1;
        bits >>= 1;
        if postgres {
            Backend::Postgres
        } else {
            Backend::Sqlite
        }
    })
}

/// Ten splits, the same every time: the multiples of a constant with well mixed bits.
macro_rules! splits {
    ($($name:ident = $n:literal),+) => {
        $(#[tokio::test]
        async fn $name() {
            run_all(from_bits($n * 0x9E37_79B1_u64 >> 16)).await;
        })+
    };
}

splits!(
    split_1 = 1,
    split_2 = 2,
    split_3 = 3,
    split_4 = 4,
    split_5 = 5,
    split_6 = 6,
    split_7 = 7,
    split_8 = 8,
    split_9 = 9,
    split_10 = 10
);

/// Rows that refer to a parent that is nowhere, as old files hold them, and a parent that was never copied.
const LEFT_OVER: &str = "INSERT INTO synths (id, synth_group_id, nome, created_at) VALUES ('old', 'gone', 'n', '2026-01-01T12:00:00+00:00');
    INSERT INTO synth_outcomes (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate)
        VALUES ('out_1', 'gone', 'old', 0.5, 0.25, 0.25);
    INSERT INTO feature_scorecards (id, data, created_at) VALUES ('gone', '{}', '2026-01-01T12:00:00+00:00')";
const LEFT_OVER_NOW: &str = "SELECT (SELECT count(*) FROM synths WHERE synth_group_id = 'gone'),
    (SELECT count(*) FROM synth_outcomes WHERE analysis_id = 'gone'), (SELECT count(*) FROM feature_scorecards WHERE id = 'gone')";

/// Deletes parents that are not there, where they would be.
async fn delete_nothing(store: &TestStore) {
    assert!(!store.lab.synth_groups.delete("gone").await.unwrap());
    assert!(!store.lab.analysis_runs.delete("gone").await.unwrap());
    assert!(!store.lab.scorecards.delete("gone").await.unwrap());
}

/// Parents on `parents`, and what refers to them on the other side.
fn parents_on(parents: Backend) -> LabRouting {
    LabRouting {
        synth_groups: parents,
        analysis_runs: parents,
        scorecards: parents,
        ..LabRouting::all(other(parents))
    }
}

#[tokio::test]
async fn deleting_nothing_on_postgres_changes_nothing_in_the_file() {
    let store = TestStore::routed(&parents_on(Backend::Postgres)).await;
    let raw = store.file().unwrap().raw();
    raw.execute_batch(&format!("PRAGMA foreign_keys = OFF; {LEFT_OVER}"))
        .unwrap();
    delete_nothing(&store).await;
    let left = raw.query_row(LEFT_OVER_NOW, [], |row| {
        Ok([row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?])
    });
    assert_eq!(left.unwrap(), [1, 1, 1]);
}

#[tokio::test]
async fn deleting_nothing_in_the_file_changes_nothing_on_postgres() {
    let store = TestStore::routed(&parents_on(Backend::Sqlite)).await;
    let client = store.database().unwrap().connect().await;
    let without_keys = format!("SET session_replication_role = replica; {LEFT_OVER}");
    client.batch_execute(&without_keys).await.unwrap();
    delete_nothing(&store).await;
    let left = client.query_one(LEFT_OVER_NOW, &[]).await.unwrap();
    assert_eq!([left.get(0), left.get(1), left.get::<_, i64>(2)], [1, 1, 1]);
}

/// Plants a copy of a scorecard, and deletes its truth while a row of here, made by `refer`, refers to the copy.
async fn release_what_is_referred_to<F: Future<Output = ()>>(
    rows: &dyn ReferredRows,
    refer: impl FnOnce() -> F,
) {
    let text = |name: &str, value: &str| (name.to_owned(), StoredValue::Text(value.to_owned()));
    let row = vec![
        text("id", "card"),
        text("data", "{}"),
        text("created_at", "2026-01-01T12:00:00+00:00"),
    ];
    rows.plant("feature_scorecards", "id", "card", &row)
        .await
        .unwrap();
    refer().await;
    let relations: Vec<_> = relations::children_of("feature_scorecards").collect();
    rows.release(&relations, "card").await.unwrap();
    assert!(rows.exists("feature_scorecards", "id", "card").await.unwrap());
}

const REFERRING: &str =
    "INSERT INTO simulation_runs (id, scorecard_id, scenario_id, config, status, started_at)
    VALUES ('sim', 'card', 's', '{}', 'pending', '2026-01-01T12:00:00+00:00')";

#[tokio::test]
async fn a_copy_that_stays_on_postgres_is_still_known_as_one() {
    let database = store::lab_database().await;
    let client = database.connect().await;
    release_what_is_referred_to(&store::pool(&database), || async {
        client.batch_execute(REFERRING).await.unwrap();
    })
    .await;
    let noted = "SELECT table_name, key FROM cutover.planted_rows";
    let noted = client.query_one(noted, &[]).await.unwrap();
    assert_eq!(
        (noted.get::<_, &str>(0), noted.get::<_, &str>(1)),
        ("feature_scorecards", "card")
    );
}

#[tokio::test]
async fn a_copy_that_stays_in_the_file_is_still_known_as_one() {
    let file = store::TestFile::with_lab_schema().await;
    let raw = file.raw();
    release_what_is_referred_to(&store::open(&file.path()), || async {
        raw.execute_batch(REFERRING).unwrap();
    })
    .await;
    let noted = "SELECT table_name || ' ' || key FROM _cutover_planted_rows";
    let noted: String = raw.query_row(noted, [], |row| row.get(0)).unwrap();
    assert_eq!(noted, "feature_scorecards card");
}

/// A row of an old file that PostgreSQL cannot hold keeps out what would refer to it there, and is named.
#[tokio::test]
async fn a_parent_that_postgres_cannot_hold_is_named() {
    let routing = LabRouting {
        experiments: Backend::Sqlite,
        ..LabRouting::all(Backend::Postgres)
    };
    let store = TestStore::routed(&routing).await;
    let experiment = experiment("exp_00000001", 1);
    store.lab.experiments.insert(&experiment).await.unwrap();
    let file = store.file().unwrap().raw();
    // An old file's tables know no checks.
    file.execute_batch("PRAGMA ignore_check_constraints = on")
        .unwrap();
    for (name, reason) in [
        (
            "replace(hex(zeroblob(101)), '00', 'é')",
            "experiments: CHECK ((char_length(name) <= 100))",
        ),
        (
            "'a' || char(0)",
            "experiments.name: it holds the character U+0000",
        ),
        (
            "x'ff00'",
            "experiments.name: it is bytes, or text that is not UTF-8, and the column's type is text",
        ),
    ] {
        file.execute(&format!("UPDATE experiments SET name = {name}"), [])
            .unwrap();
        let refused = store
            .lab
            .analysis_runs
            .insert(&run("ana_00000001", &experiment.id, AnalysisStatus::Pending))
            .await
            .unwrap_err();
        let StoreError::Invalid { what, reason: told } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(what, "experiments exp_00000001");
        let expected = format!(
            "what refers to this row of SQLite cannot be written in PostgreSQL, which cannot hold a copy of it ({reason}); mend the row in \
             SQLite first"
        );
        assert_eq!(told, expected);
    }
}

/// Another program deletes a run, whose copy lies where its outcomes are, and makes one for the same experiment.
async fn made_anew(runs: Backend) {
    let routing = LabRouting {
        analysis_runs: runs,
        experiments: runs,
        ..LabRouting::all(other(runs))
    };
    let store = TestStore::routed(&routing).await;
    let old = stored_run(&store, 1).await;
    let of_old = outcome(&old.id, "syn_1", 0.5);
    let outcomes = &store.lab.synth_outcomes;
    outcomes.insert(std::slice::from_ref(&of_old)).await.unwrap();
    let anew = "UPDATE analysis_runs SET id = 'ana_anew'";
    match runs {
        Backend::Sqlite => store.file().unwrap().raw().execute_batch(anew).unwrap(),
        Backend::Postgres => {
            let client = store.database().unwrap().connect().await;
            client.batch_execute(anew).await.unwrap();
        }
    }
    let of_new = outcome("ana_anew", "syn_1", 0.25);
    outcomes.insert(std::slice::from_ref(&of_new)).await.unwrap();
    assert_eq!(outcomes.find("ana_anew", "syn_1").await.unwrap(), Some(of_new));
    // What the delete promised to those of the old one.
    assert_eq!(outcomes.find(&old.id, "syn_1").await.unwrap(), None);
    let late = outcomes.insert(&[outcome(&old.id, "syn_2", 0.5)]).await;
    assert_missing(late, "analysis_runs");
    // There is one copy, and it is known as one.
    let noted = match runs {
        Backend::Sqlite => {
            let client = store.database().unwrap().connect().await;
            let sql = "SELECT string_agg(id, ' ') FROM analysis_runs JOIN cutover.planted_rows ON key = id";
            client.query_one(sql, &[]).await.unwrap().get::<_, String>(0)
        }
        Backend::Postgres => {
            let raw = store.file().unwrap().raw();
            let sql =
                "SELECT group_concat(id, ' ') FROM analysis_runs JOIN _cutover_planted_rows ON key = id";
            raw.query_row(sql, [], |row| row.get(0)).unwrap()
        }
    };
    assert_eq!(noted, "ana_anew");
}

#[tokio::test]
async fn a_run_made_anew_in_the_file_takes_the_place_of_its_copy_on_postgres() {
    made_anew(Backend::Sqlite).await;
}

#[tokio::test]
async fn a_run_made_anew_on_postgres_takes_the_place_of_its_copy_in_the_file() {
    made_anew(Backend::Postgres).await;
}

/// Searches apart from the runs that they start from.
fn searches_on(searches: Backend) -> LabRouting {
    LabRouting {
        explorations: searches,
        ..LabRouting::all(other(searches))
    }
}

/// The lab of one more instance of the service on the databases of `store`.
fn another_instance(store: &TestStore, routing: &LabRouting) -> LabRepositories {
    let file = store::open(&store.file().unwrap().path());
    let databases = Databases {
        files: [(Context::LAB.name, file)].into(),
        postgres: Some(store::pool(store.database().unwrap())),
    };
    databases.lab_repositories(routing).unwrap()
}

/// In each round one instance deletes or replaces a run while searches are started from it by two.
async fn race(searches: Backend) {
    const ROUNDS: u32 = 20;
    const STARTS: u32 = 6;
    let routing = searches_on(searches);
    let store = TestStore::routed(&routing).await;
    let instances = [store.lab.clone(), another_instance(&store, &routing)];
    for round in 0..ROUNDS {
        let run = stored_run(&store, round).await;
        let starts = (0..STARTS).map(|start| {
            let number = round * STARTS + start;
            let id = format!("expl_{number:08x}");
            let root = ScenarioNode {
                id: format!("node_{number:08x}"),
                exploration_id: id.clone(),
                ..node(0, None, 0)
            };
            let searches = Arc::clone(&instances[number as usize % 2].explorations);
            async move { searches.start(&exploration(&id, round, 0), &root).await }
        });
        let runs = &instances[1].analysis_runs;
        let successor = AnalysisRun {
            id: format!("ana_next{round:04x}"),
            ..run.clone()
        };
        let removal = async {
            if round % 2 == 0 {
                runs.delete(&run.id).await
            } else {
                let replaced = runs.replace(&successor).await;
                replaced.map(|outcome| outcome == Replacement::Stored)
            }
        };
        let (started, removed) = join(join_all(starts), removal).await;
        let is_there = runs.get(&run.id).await.unwrap().is_some();
        assert_eq!(is_there, removed.is_err(), "round {round}: {removed:?}");
        match removed {
            Ok(removed) => assert!(removed, "round {round}"),
            Err(error) => assert_conflict(Err::<(), _>(error), "explorations.baseline_analysis_id"),
        }
        for outcome in started {
            if is_there {
                outcome.unwrap();
            } else {
                assert_missing(outcome, "analysis_runs");
            }
        }
        let left = instances[0].explorations.list_by_experiment(&run.experiment_id);
        let expected = if is_there { STARTS as usize } else { 0 };
        assert_eq!(left.await.unwrap().len(), expected, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_the_file_does_not_vanish_under_a_search_on_postgres() {
    race(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_postgres_does_not_vanish_under_a_search_in_the_file() {
    race(Backend::Sqlite).await;
}

/// Locks take connections of their own: many writes at once do not wait for connections that the others hold.
#[tokio::test]
async fn more_writes_at_once_than_connections_all_succeed() {
    let store = TestStore::routed(&searches_on(Backend::Postgres)).await;
    stored_run(&store, 1).await;
    let starts = (0..32).map(|number| {
        let id = format!("expl_{number:08x}");
        let root = ScenarioNode {
            id: format!("node_{number:08x}"),
            exploration_id: id.clone(),
            ..node(0, None, 0)
        };
        let searches = &store.lab.explorations;
        async move { searches.start(&exploration(&id, 1, 0), &root).await }
    });
    for outcome in join_all(starts).await {
        outcome.unwrap();
    }
}
