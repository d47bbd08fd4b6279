//! Copies that go wrong in the midst: the cause is told, and what was there before is there again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cutover::transfer::copy::{CopyOptions, CopyReport, OnReject, copy};
use cutover::transfer::progress::Silent;
use cutover::wiring;
use cutover_domain::transfer::catalog::{Catalog, Table};
use cutover_domain::transfer::rows::RowBatch;
use cutover_domain::transfer::survey::Oddities;
use cutover_ports::transfer::{Batches, Range, Scan, TransferError, TransferResult, TransferSource};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::TestFile;
use tokio::sync::Notify;

use crate::{access, count, options, postgres, sqlite};

/// What happens while rows are loaded.
#[derive(Clone, Copy, PartialEq)]
enum Trouble {
    /// The rows of a table end early.
    Short,
    /// Damage is found when some rows are written and others are not.
    Damage,
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

    async fn check(&self) -> TransferResult<()> {
        if self.trouble != Trouble::Damage {
            return self.source.check().await;
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

fn file(sql: &str) -> TestFile {
    let file = TestFile::empty();
    file.raw().execute_batch(sql).unwrap();
    file
}

async fn troubled(
    file: &TestFile,
    to: &cutover::config::DatabaseUrl,
    trouble: Trouble,
    options: &CopyOptions,
) -> TransferResult<CopyReport> {
    let source = Troubled {
        source: wiring::transfer::source(&sqlite(&file.path()), &access()).await?,
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
    let (database, other) = (TestDatabase::create().await, TestFile::empty());
    for to in [postgres(&database.url()), sqlite(&other.path())] {
        let outcome = troubled(&file, &to, Trouble::Short, &options(OnReject::Fail)).await;
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
    for rehearsal in [false, true] {
        let (database, other) = (TestDatabase::create().await, TestFile::empty());
        let options = CopyOptions {
            rehearsal,
            jobs: 1,
            ..options(OnReject::Fail)
        };
        for to in [postgres(&database.url()), sqlite(&other.path())] {
            let outcome = troubled(&file, &to, Trouble::Damage, &options).await;
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
