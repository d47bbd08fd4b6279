//! Copies that go wrong in the midst: the cause is told, and what was there before is there again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutover::config::DatabaseUrl;
use cutover::transfer::copy::{CopyOptions, CopyReport, Extent, OnReject, copy};
use cutover::transfer::progress::Silent;
use cutover::wiring;
use cutover_domain::transfer::catalog::{Catalog, Table};
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::survey::Oddities;
use cutover_ports::transfer::{
    Batches, Range, Scan, TransferError, TransferResult, TransferSource, UnfinishedRun,
};
use cutover_tests::lab_file::{LabFile, Oddity};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::{TestFile, lab_database};
use rusqlite::types::Value;
use tokio::sync::Notify;

use crate::{access, assert_same, count, lab_file, options, postgres, run, sqlite, stored, texts};

/// What happens while rows are loaded.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Trouble {
    /// The rows of a table end early.
    Short,
    /// Damage is found when some rows are written and others are not.
    Damage,
    /// The source goes away as its rows begin.
    Lost,
}

/// A source with trouble when its rows are read for the second time, which is their load.
struct Troubled {
    source: Arc<dyn TransferSource>,
    trouble: Trouble,
    scans: Mutex<HashMap<String, usize>>,
    loading: Arc<Notify>,
}

#[async_trait]
impl TransferSource for Troubled {
    fn describe(&self) -> String {
        self.source.describe()
    }

    async fn catalog(&self) -> TransferResult<Catalog> {
        self.source.catalog().await
    }

    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>> {
        self.source.unfinished().await
    }

    async fn check(&self, left_out: &[String]) -> TransferResult<Vec<String>> {
        if self.trouble != Trouble::Damage {
            return self.source.check(left_out).await;
        }
        self.loading.notified().await;
        Err(TransferError::Unreachable("the file is corrupt".to_owned()))
    }

    async fn ranges(&self, _: &Table) -> TransferResult<Vec<Range>> {
        Ok(vec![Range::default()])
    }

    async fn oddities(&self, table: &Table) -> TransferResult<Oddities> {
        self.source.oddities(table).await
    }

    async fn scan(&self, scan: Scan) -> TransferResult<Box<dyn Batches>> {
        let name = scan.table.name.clone();
        let batches = self.source.scan(scan).await?;
        let mut scans = self.scans.lock().unwrap();
        let scans = scans.entry(name).or_default();
        *scans += 1;
        if *scans == 1 {
            return Ok(batches);
        }
        Ok(Box::new(TroubledBatches {
            batches,
            given: 0,
            trouble: self.trouble,
            loading: Arc::clone(&self.loading),
        }))
    }
}

struct TroubledBatches {
    batches: Box<dyn Batches>,
    given: usize,
    trouble: Trouble,
    loading: Arc<Notify>,
}

#[async_trait]
impl Batches for TroubledBatches {
    async fn next(&mut self) -> TransferResult<Option<RowBatch>> {
        self.given += 1;
        match self.trouble {
            Trouble::Lost => Err(TransferError::Unreachable("it is gone".to_owned())),
            _ if self.given == 1 => self.batches.next().await,
            Trouble::Short => Ok(None),
            Trouble::Damage => {
                self.loading.notify_one();
                std::future::pending().await
            }
        }
    }
}

/// Several batches of rows.
const ROWS: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO t SELECT i, hex(randomblob(40)) FROM n";

pub(super) fn file(sql: &str) -> TestFile {
    let file = TestFile::empty();
    file.raw().execute_batch(sql).unwrap();
    file
}

pub(super) async fn troubled(
    from: &DatabaseUrl,
    to: &DatabaseUrl,
    trouble: Trouble,
    options: &CopyOptions,
) -> TransferResult<CopyReport> {
    let source = Troubled {
        source: wiring::transfer::source(from, &access()).await?,
        trouble,
        scans: Mutex::default(),
        loading: Arc::default(),
    };
    let target = wiring::transfer::target(to, &access())?;
    copy(Arc::new(source), target.as_ref(), options, Arc::new(Silent)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_whose_rows_end_early_is_no_copy() {
    let file = file(ROWS);
    let from = sqlite(&file.path());
    let (database, other) = (TestDatabase::create().await, TestFile::empty());
    for to in [postgres(&database.url()), sqlite(&other.path())] {
        let outcome = troubled(&from, &to, Trouble::Short, &options(OnReject::Fail)).await;
        let Err(TransferError::Failed(text)) = outcome else {
            panic!("{outcome:?}")
        };
        assert!(
            text.contains("the table t has 5,000 rows")
                && text.ends_with("what had been written was taken back"),
            "{text}"
        );
    }
    let client = database.connect().await;
    assert_eq!(count(&client, "pg_class WHERE relname = 't'").await, 0);
    assert_eq!(count(&client, "cutover.copy_run").await, 0);
    assert!(!other.path().exists(), "what was taken back leaves a file");
}

/// The load has a transaction open then, on the one connection to a file.
#[tokio::test(flavor = "multi_thread")]
async fn damage_that_is_found_while_rows_are_loaded_is_told_and_nothing_stays() {
    let file = file(ROWS);
    let from = sqlite(&file.path());
    for rehearsal in [false, true] {
        let (database, other) = (TestDatabase::create().await, TestFile::empty());
        let options = CopyOptions {
            rehearsal,
            jobs: 1,
            ..options(OnReject::Fail)
        };
        for to in [postgres(&database.url()), sqlite(&other.path())] {
            let outcome = troubled(&from, &to, Trouble::Damage, &options).await;
            let Err(TransferError::Unreachable(text)) = outcome else {
                panic!("{outcome:?}")
            };
            assert_eq!(text, "the file is corrupt; what had been written was taken back");
        }
        let client = database.connect().await;
        assert_eq!(count(&client, "pg_class WHERE relname = 't'").await, 0);
        assert!(!other.path().exists(), "what was taken back leaves a file");
    }
}

/// A file with two experiments of one name, which an index of the target does not take: no survey can know.
fn refused_file() -> TestFile {
    let file = lab_file(LabFile::SMALL, &[Oddity::NoDefaultGroup]);
    let sql = "UPDATE experiments SET name = 'twice' WHERE id IN ('exp_00000001', 'exp_00000002')";
    file.raw().execute_batch(sql).unwrap();
    file
}

const REFUSING: &str = "CREATE UNIQUE INDEX one_of_a_name ON experiments (lower(name))";

#[track_caller]
fn taken_back(outcome: &TransferResult<CopyReport>) {
    assert!(
        matches!(outcome, Err(TransferError::Data { row, message })
            if row.contains("experiments") && message.contains("; what had been written was taken back")),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_some_tables_is_taken_back_from_between_the_others() {
    let file = refused_file();
    let database = lab_database().await;
    let client = database.connect().await;
    let others =
        "INSERT INTO research_executions (exec_id, topic_name, started_at) VALUES ('batch_mine', 't', now())";
    client
        .batch_execute(&format!("{REFUSING}; {others}"))
        .await
        .unwrap();
    let mut options = options(OnReject::Fail);
    options.scope.tables = vec!["experiments".to_owned()];
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    taken_back(&run(&from, &to, &options).await);
    assert_eq!(count(&client, "experiments").await, 0);
    assert_eq!(count(&client, "research_executions").await, 1);
    assert_eq!(count(&client, "cutover.copy_run").await, 0);
    // A trigger could keep what has to be deleted.
    client
        .batch_execute(
            "CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER keeper BEFORE DELETE ON experiments FOR EACH ROW EXECUTE FUNCTION keeps()",
        )
        .await
        .unwrap();
    options.replace = true;
    let refused = run(&from, &to, &options).await;
    assert!(
        matches!(&refused, Err(TransferError::Refused(text)) if text.contains("DISABLE TRIGGER \"keeper\"")),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_others_refer_to_are_replaced_with_these_or_not_at_all() {
    let file = lab_file(LabFile::SMALL, &[]);
    let database = lab_database().await;
    let client = database.connect().await;
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    let mut options = options(OnReject::Fail);
    assert!(run(&from, &to, &options).await.unwrap().ok());
    let children = [
        "analysis_runs",
        "research_executions",
        "interview_guide",
        "experiment_documents",
    ];
    let counts = async || {
        let mut counts = vec![count(&client, "experiments").await];
        for table in children {
            counts.push(count(&client, &format!("{table} WHERE experiment_id IS NOT NULL")).await);
        }
        counts
    };
    let before = counts().await;
    assert!(before.iter().all(|rows| *rows > 0), "{before:?}");
    options.replace = true;
    options.scope.tables = vec!["experiments".to_owned()];
    let refused = run(&from, &to, &options).await;
    let Err(TransferError::Refused(text)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        text.contains("rows that refer to rows of experiments") && text.ends_with("nothing was written"),
        "{text}"
    );
    assert_eq!(counts().await, before);
    // Where none refers to them they can be.
    let sql = "SELECT format('TRUNCATE %s CASCADE;', conrelid::regclass) FROM pg_constraint
               WHERE confrelid = 'experiments'::regclass AND conrelid <> 'research_executions'::regclass";
    let alone: String = texts(&client, sql).await.into_iter().flatten().collect();
    let kept = "UPDATE research_executions SET experiment_id = NULL; UPDATE experiments SET name = 'old'";
    client.batch_execute(&format!("{alone} {kept}")).await.unwrap();
    let executions = count(&client, "research_executions").await;
    assert!(run(&from, &to, &options).await.unwrap().ok());
    assert_same(&file.path(), &client, "experiments", "id").await;
    assert_eq!(count(&client, "research_executions").await, executions);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_another_one_refers_to_is_not_made_anew_without_it() {
    let file = file(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2);
         CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t); INSERT INTO u VALUES (1, 1);",
    );
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    let mut options = options(OnReject::Fail);
    assert!(run(&from, &to, &options).await.unwrap().ok());
    options.replace = true;
    options.scope.tables = vec!["t".to_owned()];
    let refused = run(&from, &to, &options).await;
    assert!(
        matches!(&refused, Err(TransferError::Refused(text))
            if text.starts_with("the table t cannot be made anew, because u refers to it; nothing was written")),
        "{refused:?}"
    );
    assert_eq!((count(&client, "t").await, count(&client, "u").await), (2, 1));
    options.scope.tables = vec!["t".to_owned(), "u".to_owned()];
    assert!(run(&from, &to, &options).await.unwrap().ok());
}

/// A seed row as it is, in either database.
const SEED: &str = "SELECT id, name, description, created_at FROM synth_groups WHERE id = 'grp_00000001'";

#[tokio::test(flavor = "multi_thread")]
async fn seed_rows_are_there_again_in_postgres() {
    let file = refused_file();
    let database = lab_database().await;
    let client = database.connect().await;
    client.batch_execute(REFUSING).await.unwrap();
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    let seed = async || -> Option<String> {
        let sql = format!("SELECT seed::text FROM ({SEED}) AS seed");
        client.query_opt(&sql, &[]).await.unwrap().map(|row| row.get(0))
    };
    let before = seed().await;
    assert!(before.is_some());
    let mut options = options(OnReject::Fail);
    taken_back(&run(&from, &to, &options).await);
    assert_eq!(seed().await, before);
    // Taken back by a run that goes on with another one, or replaces it.
    for replace in [false, true] {
        options.replace = false;
        let lost = troubled(&from, &to, Trouble::Lost, &options).await;
        assert!(matches!(lost, Err(TransferError::Unreachable(_))), "{lost:?}");
        assert_eq!(seed().await, None, "it is in the way of the rows that come");
        options.replace = replace;
        taken_back(&run(&from, &to, &options).await);
        assert_eq!(seed().await, before, "{replace}");
    }
    options.replace = false;
    assert_eq!(count(&client, "cutover.seed_row").await, 0);
    // The schema alone needs no room for rows.
    options.extent = Extent::SchemaOnly;
    assert!(run(&from, &to, &options).await.unwrap().ok());
    assert_eq!(seed().await, before);
    // And when the rows have come it is gone for good.
    options.extent = Extent::Whole;
    client.batch_execute("DROP INDEX one_of_a_name").await.unwrap();
    assert!(run(&from, &to, &options).await.unwrap().ok());
    assert_eq!(seed().await, None);
    assert_eq!(count(&client, "cutover.seed_row").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn seed_rows_are_there_again_in_a_file() {
    let file = refused_file();
    let other = TestFile::with_lab_schema().await;
    other.raw().execute_batch(REFUSING).unwrap();
    let (from, to) = (sqlite(&file.path()), sqlite(&other.path()));
    let seed = || stored(&other.path(), SEED);
    let before = seed();
    assert_eq!(before.len(), 1);
    let mut options = options(OnReject::Fail);
    taken_back(&run(&from, &to, &options).await);
    assert_eq!(seed(), before);
    for replace in [false, true] {
        options.replace = false;
        let lost = troubled(&from, &to, Trouble::Lost, &options).await;
        assert!(matches!(lost, Err(TransferError::Unreachable(_))), "{lost:?}");
        assert_eq!(seed().len(), 0, "it is in the way of the rows that come");
        // As if an earlier version had begun it.
        other.raw().execute_batch("DROP TABLE _cutover_account").unwrap();
        options.replace = replace;
        taken_back(&run(&from, &to, &options).await);
        assert_eq!(seed(), before, "{replace}");
    }
    options.replace = false;
    let kept = "SELECT name FROM sqlite_schema WHERE name LIKE '\\_cutover\\_seeds%' ESCAPE '\\'";
    assert_eq!(stored(&other.path(), kept), [] as [Vec<Value>; 0]);
    other.raw().execute_batch("DROP INDEX one_of_a_name").unwrap();
    assert!(run(&from, &to, &options).await.unwrap().ok());
    assert_eq!(seed().len(), 0);
    assert_eq!(stored(&other.path(), kept), [] as [Vec<Value>; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_run_is_gone_on_with_by_what_it_was_asked_for() {
    let file = file(ROWS);
    for to_file in [false, true] {
        let (database, other) = (TestDatabase::create().await, TestFile::empty());
        let (from, to) = (
            sqlite(&file.path()),
            if to_file {
                sqlite(&other.path())
            } else {
                postgres(&database.url())
            },
        );
        let with = |extent| CopyOptions {
            extent,
            ..options(OnReject::Fail)
        };
        // Tables that are made, then tables that are there.
        for (begun, others) in [
            (Extent::Whole, &[Extent::SchemaOnly, Extent::DataOnly][..]),
            (Extent::DataOnly, &[Extent::SchemaOnly]),
        ] {
            let lost = troubled(&from, &to, Trouble::Lost, &with(begun)).await;
            assert!(matches!(lost, Err(TransferError::Unreachable(_))), "{lost:?}");
            for other in others {
                let refused = run(&from, &to, &with(*other)).await;
                assert!(
                    matches!(&refused, Err(TransferError::Refused(text))
                        if text.contains("was asked for something else") && text.contains("--replace")),
                    "{begun:?} {other:?}: {refused:?}"
                );
            }
            assert!(run(&from, &to, &with(begun)).await.unwrap().ok());
            let empty = "DELETE FROM t";
            if to_file {
                assert_eq!(
                    stored(&other.path(), "SELECT count(*) FROM t"),
                    [[Value::Integer(5000)]]
                );
                other.raw().execute_batch(empty).unwrap();
            } else {
                let client = database.connect().await;
                assert_eq!(count(&client, "t").await, 5000);
                client.batch_execute(empty).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_half_made_is_finished_before_rows_come() {
    let file = file(ROWS);
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    let with = |extent| CopyOptions {
        extent,
        ..options(OnReject::Fail)
    };
    assert!(run(&from, &to, &with(Extent::SchemaOnly)).await.unwrap().ok());
    let unfinished = "UPDATE cutover.copy_run SET finished_at = NULL";
    client.batch_execute(unfinished).await.unwrap();
    for other in [Extent::Whole, Extent::DataOnly] {
        let refused = run(&from, &to, &with(other)).await;
        assert!(
            matches!(&refused, Err(TransferError::Refused(text)) if text.contains("was asked for something else")),
            "{other:?}: {refused:?}"
        );
    }
    assert!(run(&from, &to, &with(Extent::SchemaOnly)).await.unwrap().ok());
    assert!(run(&from, &to, &with(Extent::DataOnly)).await.unwrap().ok());
    assert_eq!(count(&client, "t").await, 5000);
}

#[tokio::test]
async fn notes_that_a_person_has_altered_are_told_on_the_way_back() {
    let file = TestFile::empty();
    file.raw()
        .execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT); INSERT INTO t VALUES (1, '2026-01-01')",
        )
        .unwrap();
    let database = TestDatabase::create().await;
    let (there, back) = (postgres(&database.url()), TestFile::empty());
    run(&sqlite(&file.path()), &there, &options(OnReject::Fail))
        .await
        .unwrap();
    let client = database.connect().await;
    for (change, told) in [
        (
            "ALTER TABLE cutover.rendering ALTER rendering DROP NOT NULL; UPDATE cutover.rendering SET rendering = NULL",
            "cutover.rendering has an entry for t.",
        ),
        (
            "ALTER TABLE cutover.rendering ALTER source_column TYPE bytea USING source_column::bytea,
                 ALTER rendering SET DEFAULT 'text'; UPDATE cutover.rendering SET rendering = 'text'",
            "cutover.rendering has in its column source_column NULL, or a value of another type",
        ),
        (
            "ALTER TABLE cutover.source_object ALTER sql DROP NOT NULL; UPDATE cutover.source_object SET sql = NULL;
             DELETE FROM cutover.rendering",
            "cutover.source_object has in its column sql NULL",
        ),
    ] {
        client.batch_execute(change).await.unwrap();
        let error = run(&there, &sqlite(&back.path()), &options(OnReject::Fail)).await;
        let error = error.map(|_| ()).unwrap_err().to_string();
        assert!(error.starts_with(told), "{change}: {error}");
    }
}
