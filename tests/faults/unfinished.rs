//! A source that a copy into it has not filled to its end is no source, in either direction, and nobody takes its half for a whole.

use std::path::Path;

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::Connection;

const FILE: &str =
    "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO a VALUES (1, 'one'), (2, 'two');
    CREATE TABLE b (id INTEGER PRIMARY KEY); INSERT INTO b VALUES (1);
    CREATE TABLE apart (id INTEGER PRIMARY KEY);";

fn execute(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

async fn with(directory: &Path, code: i32, arguments: &[&str]) -> String {
    let ended = crate::run(directory, arguments).await;
    let ended = ended.with(code, &format!("{arguments:?}"));
    ended.stdout + &ended.stderr
}

/// Neither copied, nor called equal, nor inspected without a word: `source`, into which a copy of `from` was interrupted. `other` holds the same.
async fn is_no_source(directory: &Path, source: &str, from: &str, other: &str) {
    let interrupted = format!("a copy of {from}");
    let says = |text: &str, parts: &[&str]| {
        for part in parts
            .iter()
            .chain(&[interrupted.as_str(), "has not come to its end"])
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    for flags in [
        &[][..],
        &["--verify", "--strict"],
        &["--dry-run"],
        &["--tables", "b"],
    ] {
        let arguments = [&["copy", source, "new.db", "--quiet"], flags].concat();
        let refused = with(directory, 4, &arguments).await;
        says(
            &refused,
            &[
                "b may be missing there",
                "finish it by its own command",
                "--exclude",
            ],
        );
        assert!(!directory.join("new.db").exists(), "{flags:?}");
    }
    let differs = with(directory, 1, &["verify", source, other, "--quiet"]).await;
    says(
        &differs,
        &["rows may be missing there as well", "NOT equal: 2 of 3 tables"],
    );
    let wrong = with(directory, 1, &["inspect", source, "--quiet"]).await;
    says(&wrong, &["unfinished: ", "rows of a, b may be missing there"]);
    // What the copy has nothing to do with.
    with(
        directory,
        0,
        &["copy", source, "new.db", "--exclude", "a,b", "--quiet"],
    )
    .await;
    with(directory, 0, &["verify", source, other, "--tables", "apart"]).await;
    with(directory, 0, &["inspect", source, "--tables", "apart", "--quiet"]).await;
    std::fs::remove_file(directory.join("new.db")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_copied_source_is_not_copied_on() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    execute(&directory.join("big.db"), FILE);
    let database = TestDatabase::create().await;
    let (url, client) = (database.url(), database.connect().await);
    with(directory, 0, &["copy", "big.db", &url, "--tables", "apart"]).await;
    with(directory, 0, &["copy", "big.db", &url, "--exclude", "apart"]).await;
    client
        .batch_execute(
            "UPDATE cutover.copy_run SET finished_at = NULL; UPDATE cutover.copy_part SET written = 0, position_rows = 0, done = false;
             TRUNCATE a",
        )
        .await
        .unwrap();
    let same = directory.join("same.db");
    execute(
        &same,
        &FILE.replace("INSERT INTO a VALUES (1, 'one'), (2, 'two')", "SELECT 1"),
    );
    is_no_source(directory, &url, "big.db", "same.db").await;
    // As a target it is compared as ever, and what is equal is no proof that the copy is done.
    let differs = with(directory, 1, &["verify", "big.db", &url]).await;
    for part in [
        "2 missing",
        "\"b\": 1 row, equal\n    a copy of big.db into the target has not come to its end",
    ] {
        assert!(differs.contains(part), "{part} is missing in: {differs}");
    }

    let done = "UPDATE cutover.copy_run SET finished_at = now(); INSERT INTO a VALUES (1, 'one'), (2, 'two')";
    client.batch_execute(done).await.unwrap();
    with(directory, 0, &["copy", &url, "back.db"]).await;
    execute(
        &directory.join("back.db"),
        "UPDATE _cutover_copy_run SET finished_at = NULL; DELETE FROM _cutover_progress WHERE table_name = 'apart'; DELETE FROM a",
    );
    is_no_source(directory, "back.db", "postgres://postgres@", "same.db").await;
}
