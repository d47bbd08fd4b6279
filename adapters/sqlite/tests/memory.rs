//! What SQLite may use of the memory. Its limit is the whole process's, so that this test has one of its own.

use std::time::Duration;

use cutover_ports::transfer::TransferSource as _;
use cutover_sqlite::transfer::SqliteSource;
use rusqlite::Connection;

/// Keys of 60 MB.
const KEYS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
                    SELECT printf('%05d', i) || hex(zeroblob(500)) FROM n";

#[tokio::test]
async fn keys_are_looked_at_in_less_memory_than_they_take() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA hard_heap_limit = 30000000;
             CREATE TABLE parent (k TEXT PRIMARY KEY); INSERT INTO parent {KEYS};
             INSERT INTO parent VALUES ('Ab'), ('aB');
             CREATE TABLE child (k TEXT REFERENCES parent); INSERT INTO child {KEYS} WHERE i % 100 = 0;
             INSERT INTO child VALUES ('ab');"
        ))
        .unwrap();
    drop(connection);
    let source = SqliteSource::open(&path, Duration::ZERO, 1).await.unwrap();
    let catalog = source.catalog().await.unwrap();
    let parent = source.oddities(catalog.table("parent").unwrap()).await.unwrap();
    let [alike] = parent.alike.as_slice() else {
        panic!("{parent:?}");
    };
    assert_eq!((alike.rows, alike.first.join(" ").as_str()), (2, "ab"));
    let child = source.oddities(catalog.table("child").unwrap()).await.unwrap();
    let [orphans] = child.orphans.as_slice() else {
        panic!("{child:?}");
    };
    assert_eq!((orphans.rows, orphans.first.join(" ").as_str()), (1, "rowid 601"));
}
