//! Random schemas with random values: copied, verified, brought back, and compared by `typeof` and bytes.
//!
//! `CUTOVER_RANDOM_SEEDS=5000 cargo test -p cutover --test faults random::` makes it long; `CUTOVER_RANDOM_SEEDS_FROM=4711` begins at
//! another seed.

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::Connection;
use futures_util::StreamExt as _;

use crate::compare::{Contents, differences};
use crate::schemas::{Wish, fill};
use crate::{bounded, first_seed, run};

const SEEDS: &str = "CUTOVER_RANDOM_SEEDS";
/// Copies at a time.
const AT_A_TIME: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn any_file_comes_back_bit_for_bit() {
    let seeds = first_seed(SEEDS)..first_seed(SEEDS) + bounded(SEEDS, 40);
    let mut wrong: Vec<String> = futures_util::stream::iter(seeds)
        .map(|seed| async move {
            tokio::spawn(there_and_back(seed))
                .await
                .unwrap_or_else(|panic| vec![format!("seed {seed}: {panic}")])
        })
        .buffered(AT_A_TIME)
        // A long run tells at once (with --nocapture).
        .inspect(|wrong| wrong.iter().for_each(|what| eprintln!("{what}")))
        .concat()
        .await;
    let count = wrong.len();
    wrong.truncate(20);
    assert!(count == 0, "{count} things are wrong:\n{}", wrong.join("\n"));
}

/// What is wrong with a seed.
async fn there_and_back(seed: u64) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let path = here.join("source.db");
    let script = {
        let connection = Connection::open(&path).unwrap();
        fill(
            &connection,
            seed,
            Wish {
                rejects: seed % 4 == 3,
                rows: 60,
            },
        )
    };
    let source = Contents::read(&path);
    let before = std::fs::read(&path).unwrap();
    let database = TestDatabase::create().await;
    let url = database.url();
    let mut wrong = Vec::new();
    let mut fail = |what: String| wrong.push(format!("seed {seed}: {what}\n{script}"));

    let arguments = [
        "copy",
        "source.db",
        &url,
        "--quiet",
        "--json",
        "--on-reject",
        "quarantine",
    ];
    let copied = run(here, &arguments).await;
    if std::fs::read(&path).unwrap() != before {
        fail("the source was written".to_owned());
    }
    // What a generated column makes of a blob can be no text either.
    let spoilt = spoilt_rows(&source);
    match copied.code {
        Some(0) => {
            let verified = run(here, &["verify", "source.db", &url, "--json"]).await;
            if verified.code != Some(0) {
                fail(format!("verify: {verified:?}"));
            }
        }
        Some(1) if spoilt > 0 => {
            let report = copied.json();
            let tables = report["tables"].as_array().unwrap();
            let rejected = tables.iter().map(|table| table["rejected"].as_u64().unwrap());
            let rejected: u64 = rejected.sum();
            if rejected == 0 || rejected > spoilt {
                fail(format!(
                    "{rejected} rows were set apart, {spoilt} are spoilt: {report}"
                ));
            }
        }
        _ => {
            fail(format!("copy: {copied:?}"));
            return wrong;
        }
    }
    let back = run(here, &["copy", &url, "back.db", "--quiet", "--json"]).await;
    if back.code != Some(0) {
        fail(format!("back: {back:?}"));
        return wrong;
    }
    let found = differences(&source, &Contents::read(&here.join("back.db")));
    if !found.is_empty() {
        fail(found.join("\n"));
    }
    wrong
}

/// Rows with text that PostgreSQL cannot hold as text.
fn spoilt_rows(source: &Contents) -> u64 {
    let spoilt = |cell: &crate::compare::Cell| match cell {
        crate::compare::Cell::Text(text) => text.contains(&0) || std::str::from_utf8(text).is_err(),
        _ => false,
    };
    let rows = source.tables.values().flat_map(|table| &table.rows);
    rows.filter(|(row, _)| row.iter().any(spoilt))
        .map(|(_, times)| u64::try_from(*times).unwrap())
        .sum()
}
