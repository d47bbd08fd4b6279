//! The whole suite over routings that split the repositories between the two databases.

use std::pin::Pin;

use cutover::config::{Backend, ContextRouting as _, LabRouting, MarketRouting};
use cutover_tests::store::TestStore;
use futures_util::FutureExt as _;

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
