//! Copies that are interrupted: the same command goes on from there, and nobody takes a half for a whole.

use std::path::Path;

use cutover::config::DatabaseUrl;
use cutover::transfer::copy::OnReject;
use cutover_ports::transfer::TransferError;
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::TestFile;
use rusqlite::types::Value;

use crate::copy_taken_back::{Trouble, file, troubled};
use crate::{options, postgres, run, sqlite, stored};

/// Breaks a copy off when its tables are made and their rows begin.
async fn interrupt(from: &DatabaseUrl, to: &DatabaseUrl) {
    let lost = troubled(from, to, Trouble::Lost, &options(OnReject::Fail)).await;
    assert!(matches!(lost, Err(TransferError::Unreachable(_))), "{lost:?}");
}

/// The application's part of a file's schema.
fn schema(path: &Path) -> Vec<Vec<Value>> {
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_cutover%' ESCAPE '\\' ORDER BY rowid";
    stored(path, sql)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_is_gone_on_with_makes_the_same_file() {
    let origin = file(
        "CREATE TABLE a (id integer primary key, t text unique, n int);
         CREATE TABLE b (id integer primary key, aid int references a (id), x blob);
         CREATE TABLE c (id integer primary key, n int not null);
         INSERT INTO a VALUES (1, 'one', 1); INSERT INTO b VALUES (1, 1, x'00'); INSERT INTO c VALUES (1, 1);",
    );
    let database = TestDatabase::create().await;
    let (home, there) = (sqlite(&origin.path()), postgres(&database.url()));
    assert!(run(&home, &there, &options(OnReject::Fail)).await.unwrap().ok());
    let later = "ALTER TABLE a ADD price numeric(8,2) DEFAULT 1.5, ADD flag boolean NOT NULL DEFAULT true;
                 ALTER TABLE b DROP x; CREATE TABLE newt (id int PRIMARY KEY, v text, n int, r text REFERENCES a (t));
                 CREATE INDEX by_n ON newt (n); INSERT INTO newt VALUES (1, '01', 1, 'one')";
    database.connect().await.batch_execute(later).await.unwrap();
    let (whole, resumed) = (TestFile::empty(), TestFile::empty());
    let undisturbed = run(&there, &sqlite(&whole.path()), &options(OnReject::Fail)).await;
    let back = sqlite(&resumed.path());
    interrupt(&there, &back).await;
    let report = run(&there, &back, &options(OnReject::Fail)).await.unwrap();
    assert_eq!(schema(&resumed.path()), schema(&whole.path()));
    assert!(
        schema(&resumed.path())
            .iter()
            .any(|object| format!("{object:?}").contains("\\\"flag\\\" INTEGER NOT NULL DEFAULT 1")),
        "{:?}",
        schema(&resumed.path())
    );
    let undisturbed = undisturbed.unwrap();
    assert_eq!(report.weakened, undisturbed.weakened);
    assert_eq!(report.not_carried, undisturbed.not_carried);
    for table in ["a", "b", "c", "newt"] {
        let rows = format!("SELECT * FROM {table}");
        assert_eq!(stored(&resumed.path(), &rows), stored(&whole.path(), &rows));
    }
}
