//! `copy` on files as the original application left them, compared value by value by SQL of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation fails")]

mod copy_interrupted;
mod copy_taken_back;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cutover::config::DatabaseUrl;
use cutover::transfer::copy::{CopyOptions, CopyReport, Extent, OnReject, copy};
use cutover::transfer::progress::Silent;
use cutover::wiring;
use cutover::wiring::transfer::Access;
use cutover_domain::secret::Secret;
use cutover_domain::time::{LegacyZone, LegacyZones};
use cutover_domain::transfer::outcome::Normalised;
use cutover_domain::transfer::plan::{Scope, Wishes};
use cutover_ports::transfer::{TransferError, TransferResult};
use cutover_tests::lab_file::{LabFile, Oddity};
use cutover_tests::postgres::{TestDatabase, TestServer, TestServerOptions};
use cutover_tests::store::{TestFile, lab_database};
use rusqlite::types::Value;
use tokio_postgres::Client;

const BUSY: Duration = Duration::from_millis(300);

fn postgres(url: &str) -> DatabaseUrl {
    DatabaseUrl::Postgres(Secret::new(url))
}

fn sqlite(path: &Path) -> DatabaseUrl {
    DatabaseUrl::Sqlite(path.to_owned())
}

fn options(on_reject: OnReject) -> CopyOptions {
    CopyOptions {
        on_reject,
        replace: false,
        zones: LegacyZones::new([], LegacyZone::utc()),
        seeds: wiring::transfer::seeds(),
        scope: Scope::default(),
        wishes: Wishes::default(),
        extent: Extent::Whole,
        jobs: 2,
        rehearsal: false,
    }
}

fn access() -> Access {
    Access {
        busy_timeout: BUSY,
        schema: None,
        jobs: 2,
    }
}

async fn run(from: &DatabaseUrl, to: &DatabaseUrl, options: &CopyOptions) -> TransferResult<CopyReport> {
    let source = wiring::transfer::source(from, &access()).await?;
    wiring::transfer::prepare(from, to, source.as_ref(), &options.scope).await?;
    let target = wiring::transfer::target(to, &access())?;
    let report = copy(source, target.as_ref(), options, Arc::new(Silent)).await?;
    target.set_told().await?;
    Ok(report)
}

/// A file with these oddities, closed with its last changes in the WAL.
fn lab_file(size: LabFile, oddities: &[Oddity]) -> TestFile {
    let file = TestFile::empty();
    let connection = size.create(&file.path());
    connection
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0")
        .unwrap();
    for oddity in oddities {
        oddity.put(&connection);
    }
    connection
        .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .unwrap();
    file
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    name.into()
}

/// Every value of a column as the original wrote it, in order of the key given.
fn stored(path: &Path, sql: &str) -> Vec<Vec<Value>> {
    let connection =
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let width = statement.column_count();
    let rows = statement
        .query_map([], |row| (0..width).map(|at| row.get(at)).collect())
        .unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

async fn texts(client: &Client, sql: &str) -> Vec<Option<String>> {
    client
        .query(sql, &[])
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect()
}

async fn count(client: &Client, table: &str) -> i64 {
    client
        .query_one(&format!("SELECT count(*) FROM {table}"), &[])
        .await
        .unwrap()
        .get(0)
}

/// Bytes as PostgreSQL's `encode(…, 'hex')` writes them.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// Compares a whole table: what PostgreSQL holds, written by its own means as SQLite would hold it, row by row. Times must be in the
/// application's usual spelling, JSON is compared by PostgreSQL.
async fn assert_same(path: &Path, client: &Client, table: &str, key: &str) {
    let columns: Vec<(String, String)> = client
        .query(
            "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
            &[&table],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let in_file = stored(path, &format!("SELECT name FROM pragma_table_info('{table}')"));
    let in_file: Vec<String> = in_file.into_iter().map(|row| format!("{:?}", row[0])).collect();
    assert!(!in_file.is_empty(), "{table}");
    for (column, kind) in columns
        .iter()
        .filter(|(column, _)| in_file.contains(&format!("{:?}", Value::Text(column.clone()))))
    {
        let rows = stored(
            path,
            &format!("SELECT \"{column}\" FROM \"{table}\" ORDER BY {key}"),
        );
        let shown = match kind.as_str() {
            "timestamp with time zone" => {
                format!("to_char(\"{column}\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')")
            }
            "double precision" => format!("encode(float8send(\"{column}\"), 'hex')"),
            "bytea" => format!("encode(\"{column}\", 'hex')"),
            _ => format!("\"{column}\"::text"),
        };
        let there = texts(client, &format!("SELECT {shown} FROM \"{table}\" ORDER BY {key}")).await;
        assert_eq!(rows.len(), there.len(), "{table}.{column}");
        for (here, there) in rows.iter().zip(&there) {
            let expected = match &here[0] {
                Value::Null => None,
                Value::Integer(number) => Some(number.to_string()),
                Value::Real(number) => Some(format!("{:016x}", number.to_bits())),
                Value::Text(text) if kind == "jsonb" => {
                    let same: bool = client
                        .query_one("SELECT $1::text::jsonb = $2::text::jsonb", &[text, there])
                        .await
                        .unwrap()
                        .get(0);
                    assert!(same, "{table}.{column}: {text} {there:?}");
                    there.clone()
                }
                Value::Text(text) if kind == "timestamp with time zone" => {
                    let naive = text.trim_end_matches("+00:00").replace(' ', "T");
                    Some(if naive.contains('.') {
                        naive
                    } else {
                        format!("{naive}.000000")
                    })
                }
                Value::Text(text) => Some(text.clone()),
                Value::Blob(bytes) => Some(hex(bytes)),
            };
            assert_eq!(*there, expected, "{table}.{column}");
        }
    }
}

const KEYS: [(&str, &str); 17] = [
    ("experiments", "id"),
    ("analysis_runs", "id"),
    ("synth_outcomes", "analysis_id, synth_id"),
    ("synth_groups", "id"),
    ("synths", "id"),
    ("research_executions", "exec_id"),
    ("transcripts", "exec_id, synth_id"),
    ("interview_guide", "experiment_id"),
    ("feature_scorecards", "id"),
    ("simulation_runs", "id"),
    ("region_analyses", "id"),
    ("sensitivity_results", "id"),
    ("chart_insights", "id"),
    ("analysis_cache", "analysis_id, cache_key"),
    ("explorations", "id"),
    ("scenario_nodes", "id"),
    ("experiment_documents", "id"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_original_arrives_value_by_value_and_comes_back() {
    let file = lab_file(LabFile::SMALL, &[]);
    let database = lab_database().await;
    let report = run(
        &sqlite(&file.path()),
        &postgres(&database.url()),
        &options(OnReject::Fail),
    )
    .await
    .unwrap();
    assert!(report.ok());
    assert_eq!(report.weakened, []);
    let client = database.connect().await;
    for (table, key) in KEYS {
        assert_same(&file.path(), &client, table, key).await;
        let of = report.tables.iter().find(|report| report.name == table).unwrap();
        assert_eq!((of.rows_read, of.rejected), (of.rows_written, 0), "{table}");
        assert!(of.rows_read > 0, "{table}");
    }

    let back = TestFile::empty();
    let report = run(
        &postgres(&database.url()),
        &sqlite(&back.path()),
        &options(OnReject::Fail),
    )
    .await
    .unwrap();
    assert!(report.ok() && report.weakened.is_empty(), "{report:?}");
    for (table, key) in KEYS {
        assert_same(&back.path(), &client, table, key).await;
    }
    assert_eq!(
        stored(
            &back.path(),
            "SELECT typeof(total_synths), typeof(execution_time_seconds) FROM analysis_runs LIMIT 1"
        ),
        [[Value::Text("integer".to_owned()), Value::Text("real".to_owned())]]
    );
    assert_eq!(
        stored(&back.path(), "SELECT created_at FROM experiments ORDER BY id"),
        stored(&file.path(), "SELECT created_at FROM experiments ORDER BY id")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_oddity_that_postgres_can_hold_is_kept_and_told() {
    let file = lab_file(LabFile::SMALL, &Oddity::KEPT);
    let before = (
        std::fs::read(file.path()).unwrap(),
        std::fs::read(with_suffix(&file.path(), "-wal")).unwrap(),
    );
    assert!(!before.1.is_empty(), "the oddities are in the WAL only");
    let database = lab_database().await;
    let report = run(
        &sqlite(&file.path()),
        &postgres(&database.url()),
        &options(OnReject::Fail),
    )
    .await
    .unwrap();
    let after = (
        std::fs::read(file.path()).unwrap(),
        std::fs::read(with_suffix(&file.path(), "-wal")).unwrap(),
    );
    assert!(before == after, "the source was written");
    assert!(report.ok(), "{report:?}");

    let client = database.connect().await;
    for (table, key) in KEYS.into_iter().filter(|(table, _)| *table != "experiments") {
        assert_same(&file.path(), &client, table, key).await;
    }
    assert_eq!(
        texts(
            &client,
            "SELECT concat_ws(' ', id, created_at AT TIME ZONE 'UTC', updated_at AT TIME ZONE 'UTC') FROM experiments
             WHERE id <= 'exp_00000003' ORDER BY id",
        )
        .await
        .into_iter()
        .flatten()
        .collect::<Vec<_>>(),
        [
            "exp_00000001 2026-01-01 12:00:00 2026-01-01 12:00:00.5",
            "exp_00000002 2025-12-15 10:00:00 2025-12-15 00:00:00",
            "exp_00000003 2026-01-01 12:00:00 9999-12-31 23:59:59.999999",
        ]
    );
    assert_eq!(count(&client, "experiments WHERE status = 'archived'").await, 2);
    assert_eq!(
        count(&client, "experiments WHERE note = 'n' || substr(id, 12)").await,
        5,
        "exp_…1, 3, 5, 7, 9"
    );
    assert_eq!(
        count(&client, "synth_groups WHERE id = 'grp_00000001'").await,
        0,
        "the seed row is the migration's"
    );
    assert_eq!(
        texts(
            &client,
            "SELECT concat_ws('|', id, encode(data, 'hex'), weight, action) FROM assumption_log ORDER BY id"
        )
        .await,
        [
            Some("7|00ff|0.1|create".to_owned()),
            Some("9|1e+300|é".to_owned())
        ]
    );
    assert_eq!(count(&client, "\"odd \"\"name\" WHERE c = 'x'").await, 2);
    let deep: String = client
        .query_one(
            "SELECT scorecard_data::text FROM experiments WHERE id = 'exp_00000009'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(deep.matches('[').count(), 901);

    let experiments = report
        .tables
        .iter()
        .find(|table| table.name == "experiments")
        .unwrap();
    assert_eq!(experiments.normalised["created_at"][&Normalised::NaiveTime], 1);
    assert_eq!(experiments.normalised["created_at"][&Normalised::TimeSpelling], 2);
    assert_eq!(
        experiments.normalised["scorecard_data"][&Normalised::JsonDuplicateKeys],
        1
    );
    assert_eq!(experiments.added, ["note"]);
    let weak: Vec<_> = report
        .weakened
        .iter()
        .map(|weak| (weak.table.as_str(), weak.rows, weak.keys.join(";")))
        .collect();
    assert_eq!(
        weak,
        [
            ("analysis_runs", 1, "ana_00000006".to_owned()),
            ("experiments", 2, "exp_00000004;exp_00000005".to_owned()),
            ("transcripts", 1, "batch_missing, s00001".to_owned()),
        ]
    );
    assert_eq!(
        texts(
            &client,
            "SELECT conrelid::regclass::text FROM pg_constraint WHERE NOT convalidated ORDER BY 1"
        )
        .await,
        [
            Some("analysis_runs".to_owned()),
            Some("experiments".to_owned()),
            Some("transcripts".to_owned())
        ]
    );
    // A table that the schema does not know is made with all that it has.
    assert_eq!(
        texts(
            &client,
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_log_action'"
        )
        .await,
        [Some(
            "CREATE INDEX idx_log_action ON public.assumption_log USING btree (action)".to_owned()
        )]
    );
    assert_eq!(count(&client, "cutover.dropped_constraint").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reject_of_any_kind_leaves_the_target_as_it_was() {
    for (oddity, place) in [
        (
            Oddity::NulInName,
            ("experiments", "name", "id = \"exp_0000000a\""),
        ),
        (
            Oddity::NotUtf8,
            ("experiments", "hypothesis", "id = \"exp_0000000b\""),
        ),
        (
            Oddity::TextInNumber,
            ("analysis_runs", "total_synths", "id = \"ana_0000000c\""),
        ),
        (Oddity::NoTime, ("synths", "created_at", "id = \"s0000d\"")),
        (Oddity::JsonNul, ("synths", "data", "id = \"s0000e\"")),
        (
            Oddity::BrokenJson,
            ("explorations", "goal", "id = \"expl_0000000f\""),
        ),
        (
            Oddity::NullKey,
            (
                "experiment_documents",
                "id",
                "experiment_id = \"exp_00000010\", document_type = \"prfaq\"",
            ),
        ),
    ] {
        let file = lab_file(LabFile::SMALL, &[oddity]);
        let database = lab_database().await;
        let report = run(
            &sqlite(&file.path()),
            &postgres(&database.url()),
            &options(OnReject::Fail),
        )
        .await
        .unwrap();
        assert!(!report.ok() && !report.written);
        let named: Vec<_> = report
            .rejects
            .iter()
            .map(|row| (row.table.as_str(), row.column.as_str(), row.key.as_str()))
            .collect();
        assert_eq!(named, [place], "{oddity:?}");
        let client = database.connect().await;
        for (table, _) in KEYS {
            let expected = i64::from(table == "synth_groups");
            assert_eq!(count(&client, table).await, expected, "{oddity:?} {table}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_keeps_the_exact_bytes_and_everything_else_is_written() {
    let file = lab_file(LabFile::SMALL, &Oddity::REJECTED);
    let database = lab_database().await;
    let report = run(
        &sqlite(&file.path()),
        &postgres(&database.url()),
        &options(OnReject::Quarantine),
    )
    .await
    .unwrap();
    assert!(report.written && !report.ok());
    let client = database.connect().await;
    let rows = client
        .query("SELECT table_name, column_name, columns, classes, \"values\" FROM cutover.quarantine ORDER BY 1, 2, key", &[])
        .await
        .unwrap();
    let places: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [
        ("analysis_runs", "total_synths"),
        ("experiment_documents", "id"),
        ("experiments", "hypothesis"),
        ("experiments", "name"),
        ("explorations", "goal"),
        ("synths", "created_at"),
        ("synths", "data"),
    ];
    assert_eq!(
        places,
        expected.map(|(table, column)| (table.to_owned(), column.to_owned()))
    );
    for row in &rows {
        let (table, columns): (String, Vec<String>) = (row.get(0), row.get(2));
        let (classes, values): (Vec<String>, Vec<Option<Vec<u8>>>) = (row.get(3), row.get(4));
        let id = values[0]
            .as_ref()
            .map(|id| String::from_utf8(id.clone()).unwrap());
        let condition = id.map_or("id IS NULL".to_owned(), |id| format!("id = '{id}'"));
        for ((column, class), value) in columns.iter().zip(&classes).zip(&values) {
            let sql = format!(
                "SELECT typeof(\"{column}\"), hex(\"{column}\"), \"{column}\" FROM {table} WHERE {condition}"
            );
            let connection = rusqlite::Connection::open(file.path()).unwrap();
            let (kind, hex, real): (String, String, Option<f64>) = connection
                .query_row(&sql, [], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get::<_, f64>(2).ok()))
                })
                .unwrap();
            assert_eq!(*class, kind, "{table}.{column}");
            let expected = match (kind.as_str(), real) {
                ("null", _) => None,
                ("real", Some(number)) => Some(number.to_be_bytes().to_vec()),
                _ => Some(
                    (0..hex.len())
                        .step_by(2)
                        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                        .collect(),
                ),
            };
            assert_eq!(*value, expected, "{table}.{column}");
        }
    }
    assert_eq!(count(&client, "experiments").await, 18);
    assert_eq!(count(&client, "synths").await, 98);
    let weak: Vec<&str> = report.weakened.iter().map(|weak| weak.table.as_str()).collect();
    assert!(
        weak.contains(&"analysis_runs"),
        "children of quarantined rows stay: {weak:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_the_target_are_never_touched_unasked() {
    let file = lab_file(LabFile::SMALL, &[]);
    let database = lab_database().await;
    let client = database.connect().await;
    client
        .batch_execute("INSERT INTO experiments (id, name, hypothesis, status, created_at) VALUES ('exp_mine', 'n', 'h', 'active', now())")
        .await
        .unwrap();
    let mut options = options(OnReject::Fail);
    let refused = run(&sqlite(&file.path()), &postgres(&database.url()), &options).await;
    let Err(TransferError::Refused(message)) = refused else {
        panic!("{refused:?}")
    };
    assert!(
        message.contains("experiments") && message.contains("--replace"),
        "{message}"
    );
    assert_eq!(count(&client, "experiments").await, 1);
    options.replace = true;
    assert!(
        run(&sqlite(&file.path()), &postgres(&database.url()), &options)
            .await
            .unwrap()
            .ok()
    );
    assert_same(&file.path(), &client, "experiments", "id").await;
    options.replace = false;
    assert!(matches!(
        run(&sqlite(&file.path()), &postgres(&database.url()), &options).await,
        Err(TransferError::Refused(_))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_the_way_are_not_all_counted_and_that_is_said() {
    let file = TestFile::empty();
    let table = "CREATE TABLE t (id INTEGER PRIMARY KEY)";
    file.raw()
        .execute_batch(&format!("{table}; INSERT INTO t VALUES (1)"))
        .unwrap();
    let (database, other) = (TestDatabase::create().await, TestFile::empty());
    let client = database.connect().await;
    client
        .batch_execute(&format!(
            "{table}; INSERT INTO t SELECT n FROM generate_series(1, 100001) AS n"
        ))
        .await
        .unwrap();
    other
        .raw()
        .execute_batch(&format!(
            "{table}; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001) INSERT INTO t SELECT i FROM n"
        ))
        .unwrap();
    for (to, in_postgres) in [(postgres(&database.url()), true), (sqlite(&other.path()), false)] {
        let refused = async || match run(&sqlite(&file.path()), &to, &options(OnReject::Fail)).await {
            Err(TransferError::Refused(text)) => text,
            outcome => panic!("{outcome:?}"),
        };
        let text = refused().await;
        assert!(
            text.contains("has rows already (at least 100,000 rows);"),
            "{text}"
        );
        let few = "DELETE FROM t WHERE id > 99999";
        if in_postgres {
            client.batch_execute(few).await.unwrap();
        } else {
            other.raw().execute_batch(few).unwrap();
        }
        let text = refused().await;
        assert!(text.contains("has rows already (99,999 rows);"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_new_table_is_written_as_seen_by_all() {
    let file = TestFile::empty();
    let sql = "CREATE TABLE large (id INTEGER PRIMARY KEY, t TEXT);
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
               INSERT INTO large SELECT i, hex(randomblob(60)) FROM n;
               CREATE TABLE small (id INTEGER PRIMARY KEY, t TEXT);
               INSERT INTO small SELECT * FROM large LIMIT 1000";
    rusqlite::Connection::open(file.path())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    assert!(run(&from, &to, &options(OnReject::Fail)).await.unwrap().ok());
    for (table, frozen) in [("large", true), ("small", false)] {
        let sql = format!("SELECT id, t FROM {table} ORDER BY id");
        let there: Vec<Vec<Value>> = client
            .query(&sql, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| vec![Value::Integer(row.get(0)), Value::Text(row.get(1))])
            .collect();
        assert!(there == stored(&file.path(), &sql), "{table}");
        let sql = "SELECT relpages, relallvisible FROM pg_class WHERE relname = $1";
        let row = client.query_one(sql, &[&table]).await.unwrap();
        let (pages, visible): (i32, i32) = (row.get(0), row.get(1));
        // A page that the server has touched for reasons of its own is no matter.
        let is_visible = visible > 0 && visible >= pages - pages / 10;
        assert_eq!(is_visible, frozen, "{table}: {visible} of {pages} pages");
    }
}

/// Not a test of its own: a process that copies, to be killed. The parent gives source and target in the environment.
#[tokio::test(flavor = "multi_thread")]
async fn child_that_copies() {
    let (Ok(source), Ok(target)) = (std::env::var("CHILD_SOURCE"), std::env::var("CHILD_TARGET")) else {
        return;
    };
    let target = DatabaseUrl::from_argument(&target).unwrap();
    run(
        &DatabaseUrl::from_argument(&source).unwrap(),
        &target,
        &options(OnReject::Fail),
    )
    .await
    .unwrap();
}

fn child(source: &str, target: &str) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_copies", "--nocapture"])
        .env("CHILD_SOURCE", source)
        .env("CHILD_TARGET", target)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Big enough for several commits.
const LARGE: LabFile = LabFile {
    experiments: 300,
    children: 60,
    synths: 30_000,
    sentences: 40,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_copy_goes_on() {
    let file = lab_file(LARGE, &[Oddity::Orphans, Oddity::ChildBeforeParent]);
    let database = lab_database().await;
    let client = database.connect().await;
    let path = file.path();
    for wait in [400, 900, 1_500, 2_200] {
        let mut child = child(path.to_str().unwrap(), &database.url());
        tokio::time::sleep(Duration::from_millis(wait)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let outcome = run(
        &sqlite(&path),
        &postgres(&database.url()),
        &options(OnReject::Fail),
    )
    .await;
    match &outcome {
        Ok(report) => assert!(report.ok()),
        // The last of the killed ones may have come to its end.
        Err(error) => assert!(matches!(error, TransferError::Refused(_)), "{error}"),
    }
    for (table, key) in KEYS {
        if !matches!(table, "synths" | "transcripts" | "scenario_nodes") {
            assert_same(&path, &client, table, key).await;
        }
        let rows = stored(&path, &format!("SELECT count(*) FROM {table}"));
        assert_eq!(rows, [[Value::Integer(count(&client, table).await)]], "{table}");
    }
    assert_eq!(count(&client, "cutover.dropped_constraint").await, 0);
    assert_eq!(
        count(
            &client,
            "pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
        )
        .await,
        {
            // Kept until it was asked: the database goes with it, connections or not.
            let untouched = lab_database().await;
            let fresh = untouched.connect().await;
            count(
                &fresh,
                "pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace",
            )
            .await
        }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changed_meanwhile_is_not_mixed_in() {
    let file = lab_file(LARGE, &[]);
    let path = file.path();
    let database = lab_database().await;
    let client = database.connect().await;
    let mut child = child(path.to_str().unwrap(), &database.url());
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun: bool = client
            .query_one("SELECT to_regclass('cutover.copy_part') IS NOT NULL", &[])
            .await
            .unwrap()
            .get(0);
        if begun && count(&client, "cutover.copy_part WHERE done").await > 0 {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    file.raw()
        .execute_batch("UPDATE synths SET nome = 'x' WHERE id = 's00001'")
        .unwrap();
    let mut options = options(OnReject::Fail);
    let outcome = run(&sqlite(&path), &postgres(&database.url()), &options).await;
    let Err(TransferError::Refused(message)) = outcome else {
        panic!("{outcome:?}")
    };
    assert!(
        message.contains("(synths)") && message.contains("--replace"),
        "{message}"
    );
    options.replace = true;
    assert!(
        run(&sqlite(&path), &postgres(&database.url()), &options)
            .await
            .unwrap()
            .ok()
    );
    assert_eq!(count(&client, "synths WHERE nome = 'x'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_at_once_do_not_harm_each_other() {
    let file = lab_file(LARGE, &[]);
    let database = lab_database().await;
    let (from, to) = (sqlite(&file.path()), postgres(&database.url()));
    let (first, second) = {
        let fail = options(OnReject::Fail);
        tokio::join!(run(&from, &to, &fail), run(&from, &to, &fail))
    };
    // The other one finds all done: by a copy of whose end it cannot know yet that anybody was told, or by one that was.
    let done = |outcome: &TransferResult<CopyReport>| outcome.as_ref().is_ok_and(CopyReport::ok);
    let refused = |outcome: &TransferResult<CopyReport>| matches!(outcome, Err(TransferError::Refused(_)));
    let outcomes = [&first, &second];
    assert!(outcomes.into_iter().any(done), "{first:?} {second:?}");
    assert!(
        outcomes.into_iter().all(|one| done(one) || refused(one)),
        "{first:?} {second:?}"
    );
    assert_eq!(count(&database.connect().await, "synths").await, 30_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_told_and_the_copy_goes_on() {
    let file = lab_file(LARGE, &[]);
    let mut server = TestServer::start(TestServerOptions::default()).await;
    let target = cutover_migrations::Target::Postgres(cutover_tests::store::postgres_target(&server.url()));
    cutover_migrations::up(&target, &cutover_migrations::Context::LAB, None)
        .await
        .unwrap();
    let url = server.url();
    let (from, to) = (sqlite(&file.path()), postgres(&url));
    let copying = tokio::spawn({
        let (from, to) = (from.clone(), to.clone());
        async move { run(&from, &to, &options(OnReject::Fail)).await }
    });
    let client = server.connect().await;
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let begun: bool = client
            .query_one("SELECT to_regclass('cutover.copy_part') IS NOT NULL", &[])
            .await
            .unwrap()
            .get(0);
        if begun && count(&client, "cutover.copy_part WHERE done").await > 0 {
            break;
        }
    }
    server.kill_9().await;
    let outcome = copying.await.unwrap();
    assert!(
        matches!(outcome, Err(TransferError::Unreachable(_))),
        "{outcome:?}"
    );
    server.start_again().await;
    assert!(run(&from, &to, &options(OnReject::Fail)).await.unwrap().ok());
    let client = server.connect().await;
    assert_same(&file.path(), &client, "experiments", "id").await;
    assert_eq!(count(&client, "synths").await, 30_000);
    assert_eq!(count(&client, "transcripts").await, 18_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_whole_database_is_named() {
    let database = TestDatabase::create().await;
    let whole = lab_file(LabFile::SMALL, &[]);
    whole
        .raw()
        .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    let bytes = std::fs::read(whole.path()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut corrupt = bytes.clone();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'experiments'";
    let page: u32 = whole.raw().query_row(sql, [], |row| row.get(0)).unwrap();
    let end = 4096 * page as usize;
    corrupt[end - 4096..end].fill(0xab);
    let locked = write("locked.db", &bytes);
    let holder = rusqlite::Connection::open(&locked).unwrap();
    holder
        .execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE")
        .unwrap();
    for (path, what) in [
        (directory.path().join("missing.db"), "no such file"),
        (write("zero #%?.db", b""), "empty"),
        (
            write("text.db", b"hello, this is no database"),
            "not a SQLite database",
        ),
        (write("cut.db", &bytes[..bytes.len() * 6 / 10]), "cut"),
        (write("corrupt.db", &corrupt), "corrupt"),
        (locked, "locked"),
        (directory.path().to_owned(), "directory"),
    ] {
        let outcome = run(
            &sqlite(&path),
            &postgres(&database.url()),
            &options(OnReject::Fail),
        )
        .await;
        let Err(TransferError::Unreachable(message)) = outcome else {
            panic!("{what}: {outcome:?}")
        };
        assert!(
            message.contains(what) && message.contains(path.to_str().unwrap()),
            "{message}"
        );
    }
    assert!(!directory.path().join("missing.db").exists());
}

/// As many locks as a server has that was set up for 20 connections of 10 locks each: some hundred.
#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_of_many_tables_keeps_no_locks() {
    let settings = [("max_locks_per_transaction", "10"), ("max_connections", "20")];
    let server = TestServer::start(TestServerOptions {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..TestServerOptions::default()
    })
    .await;
    for table in 0..100 {
        let columns: Vec<String> = (0..10).map(|column| format!("c{column} bigint UNIQUE")).collect();
        let sql = format!(
            "CREATE TABLE t{table} ({}); INSERT INTO t{table} (c0) VALUES ({table})",
            columns.join(", ")
        );
        server.execute(&sql).await;
    }
    let file = TestFile::empty();
    let outcome = run(
        &postgres(&server.url()),
        &sqlite(&file.path()),
        &options(OnReject::Fail),
    )
    .await;
    assert!(outcome.unwrap().ok());
    for table in [0, 57, 99] {
        let rows = stored(&file.path(), &format!("SELECT c0, c9 FROM t{table}"));
        assert_eq!(rows, [[Value::Integer(table), Value::Null]], "t{table}");
    }
}
