//! Verification on real databases: every seeded change of one value is found and named, and equal copies are never reported.
//!
//! The copies compared here are made by plain INSERTs of this test, so that what is tested does not depend on `cutover copy`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    reason = "a test that cannot be set up must fail, and say why"
)]

mod verify_copied;
mod verify_made;
mod verify_model;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cutover::cli;
use cutover::exit::Exit;
use cutover::transfer::progress::Silent;
use cutover::transfer::verify::{VerifyOptions, VerifyReport, verify};
use cutover_domain::time::{LegacyZone, LegacyZones};
use cutover_domain::transfer::difference::{Counts, RowReport, TableReport};
use cutover_ports::transfer::{TransferError, TransferResult, VerifySide};
use cutover_postgres::PgServer;
use cutover_postgres::transfer::verify::VerifyDatabase;
use cutover_sqlite::transfer::verify::VerifyFile;
use cutover_tests::postgres::{TestDatabase, TestServer, TestServerOptions};
use cutover_tests::store::{TestFile, lab_database};
use serde_json::json;

use crate::verify_model::{Cell, Copies, Random, Side, TABLES};

fn options() -> VerifyOptions {
    VerifyOptions {
        tables: vec![],
        exclude: vec![],
        rows_named: 100,
        zones: LegacyZones::new([], LegacyZone::utc()),
        jobs: 2,
    }
}

async fn file(path: &Path) -> VerifyFile {
    VerifyFile::open(path, Duration::from_secs(1), 2).await.unwrap()
}

async fn database(database: &TestDatabase) -> VerifyDatabase {
    VerifyDatabase::open(&PgServer::parse(&database.url()).unwrap(), None, 2)
        .await
        .unwrap()
}

async fn schema_of(database: &TestDatabase, schema: &str) -> VerifyDatabase {
    VerifyDatabase::open(&PgServer::parse(&database.url()).unwrap(), Some(schema), 2)
        .await
        .unwrap()
}

async fn compare(
    source: &dyn VerifySide,
    target: &dyn VerifySide,
    options: &VerifyOptions,
) -> TransferResult<VerifyReport> {
    verify(source, target, options, Arc::new(Silent)).await
}

async fn compare_copies(copies: &Copies) -> VerifyReport {
    compare(
        &file(copies.path()).await,
        &database(&copies.database).await,
        &copies.options(),
    )
    .await
    .unwrap()
}

fn table<'a>(report: &'a VerifyReport, name: &str) -> &'a TableReport {
    report.tables.iter().find(|table| table.name == name).unwrap()
}

/// What was found, but for the digests and times of equal tables.
fn found(report: &VerifyReport) -> Vec<(String, Counts, Vec<String>)> {
    let wrong = report.tables.iter().filter(|table| !table.equal());
    let named = |kind: &str, rows: &[RowReport]| -> Vec<String> {
        let name = |row: &RowReport| {
            let key: Vec<String> = row
                .key
                .iter()
                .map(|(name, value)| format!("{name}={}", json!(value)))
                .collect();
            let columns: Vec<&str> = row.columns.iter().map(|cell| cell.column.as_str()).collect();
            format!("{kind} {} {}", key.join(","), columns.join(","))
        };
        rows.iter().map(name).collect()
    };
    let all = wrong.map(|table| {
        let mut rows = named("missing", &table.missing);
        rows.extend(named("extra", &table.extra));
        rows.extend(named("different", &table.different));
        rows.sort();
        (table.name.clone(), table.counts, rows)
    });
    all.collect()
}

#[tokio::test]
async fn equal_copies_are_never_reported() {
    for seed in 0..25 {
        let copies = Copies::make(seed, 60).await;
        let report = compare_copies(&copies).await;
        assert_eq!(found(&report), [], "seed {seed}");
        assert!(report.ok());
        assert_eq!(report.tables.len(), TABLES.len());
        for table in &report.tables {
            assert!(
                table.rows_source >= 60 && table.rows_source == table.rows_target,
                "{table:?}"
            );
            assert_eq!(table.digest.as_ref().map(String::len), Some(64));
            assert_eq!(table.notes, Vec::<String>::new());
        }
        // The other way round, and the file against itself.
        let there = file(copies.path()).await;
        let back = compare(&database(&copies.database).await, &there, &copies.options())
            .await
            .unwrap();
        assert_eq!(found(&back), [], "seed {seed}, back");
        let itself = compare(&there, &file(copies.path()).await, &options())
            .await
            .unwrap();
        assert_eq!(found(&itself), [], "seed {seed}, itself");
    }
}

#[tokio::test]
async fn every_changed_value_is_found_and_named() {
    let mut random = Random::new(7);
    let mut copies = Copies::make(1, 150).await;
    let mut changed = BTreeMap::new();
    for number in 0..130_usize {
        let side = if random.below(2) == 0 {
            Side::File
        } else {
            Side::Database
        };
        let name = TABLES[number % TABLES.len()].name;
        let (row, column, cell) = copies.random_change(name, &mut random);
        let what = format!("change {number}: {name}.{column} of row {row} on {side:?} to {cell:?}");
        *changed.entry(cell.kind()).or_insert(0) += 1;
        copies.change(side, name, row, column, &cell).await;
        let report = compare_copies(&copies).await;
        let found = found(&report);
        let counts = Counts {
            different: 1,
            ..Counts::default()
        };
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        assert_eq!(
            (found[0].0.as_str(), found[0].1),
            (name, counts),
            "{what}: {found:?}"
        );
        let expected: Vec<String> = copies
            .keys_of(name, row)
            .iter()
            .map(|key| format!("different {key} {column}"))
            .collect();
        assert!(
            matches!(found[0].2.as_slice(), [one] if expected.contains(one)),
            "{what}: {found:?}"
        );
        copies.restore(side).await;
    }
    assert!(changed.len() >= 12, "every type has been changed: {changed:?}");
    assert_eq!(found(&compare_copies(&copies).await), []);
}

#[tokio::test]
async fn changes_that_hide_well_are_found() {
    let mut copies = Copies::make(2, 40).await;
    let pairs = [
        ("x", Cell::Real(0.0), Cell::Real(-0.0)),
        ("x", Cell::Real(0.1), Cell::Real(0.1_f64.next_up())),
        ("x", Cell::Null, Cell::Real(0.0)),
        ("t", Cell::Text("a".into()), Cell::Text("a ".into())),
        ("t", Cell::Text(String::new()), Cell::Null),
        ("t", Cell::Text("\u{e9}".into()), Cell::Text("e\u{301}".into())),
        ("t", Cell::Text("Ä".into()), Cell::Text("ä".into())),
        ("b", Cell::Blob(vec![]), Cell::Null),
        ("b", Cell::Blob(vec![0]), Cell::Blob(vec![0, 0])),
        (
            "n",
            Cell::Integer(9_007_199_254_740_993),
            Cell::Integer(9_007_199_254_740_992),
        ),
        (
            "at",
            Cell::Instant(1_767_268_800_000_000),
            Cell::Instant(1_767_268_800_000_001),
        ),
        ("doc", Cell::Json("1.0".into()), Cell::Json("1".into())),
        ("doc", Cell::Json("null".into()), Cell::Null),
        (
            "doc",
            Cell::Json("{\"a\": 0.12345678901234567890123}".into()),
            Cell::Json("{\"a\": 0.12345678901234567890124}".into()),
        ),
        ("doc", Cell::Json("[1, 2]".into()), Cell::Json("[2, 1]".into())),
        ("doc", Cell::Json("\"a\"".into()), Cell::Json("\"a \"".into())),
        (
            "d",
            Cell::Decimal("12345678901234567890.1".into()),
            Cell::Decimal("12345678901234567890.2".into()),
        ),
        ("flag", Cell::Bool(false), Cell::Null),
    ];
    for (column, one, other) in &pairs {
        copies.change(Side::File, "item", 3, column, one).await;
        copies.change(Side::Database, "item", 3, column, one).await;
        assert_eq!(found(&compare_copies(&copies).await), [], "{column} {one:?}");
        copies.change(Side::Database, "item", 3, column, other).await;
        let expected = vec![format!("different {} {column}", copies.keys_of("item", 3)[0])];
        assert_eq!(
            found(&compare_copies(&copies).await)[0].2,
            expected,
            "{column} {one:?} {other:?}"
        );
        copies.change(Side::File, "item", 3, column, other).await;
        assert_eq!(found(&compare_copies(&copies).await), [], "{column} {other:?}");
    }
}

#[tokio::test]
async fn missing_extra_doubled_and_swapped_rows_are_found() {
    let copies = Copies::make(3, 50).await;
    let run = async |sql: &str| copies.database.connect().await.batch_execute(sql).await.unwrap();

    run("DELETE FROM item WHERE id = 'item-7'; INSERT INTO item (id, t) VALUES ('item-x', 'new')").await;
    let counts = Counts {
        missing: 1,
        extra: 1,
        different: 0,
    };
    let rows = vec![
        r#"extra id="item-x" "#.to_owned(),
        r#"missing id="item-7" "#.to_owned(),
    ];
    assert_eq!(
        found(&compare_copies(&copies).await),
        [("item".to_owned(), counts, rows)]
    );
    copies.restore(Side::Database).await;

    // Two rows of one table exchange a value: every column still holds the same values.
    run("UPDATE item SET n = CASE id WHEN 'item-1' THEN 222 ELSE 111 END WHERE id IN ('item-1', 'item-2')")
        .await;
    copies.raw().execute_batch("UPDATE item SET n = CASE id WHEN 'item-1' THEN 111 ELSE 222 END WHERE id IN ('item-1', 'item-2')").unwrap();
    let rows = vec![
        r#"different id="item-1" n"#.to_owned(),
        r#"different id="item-2" n"#.to_owned(),
    ];
    assert_eq!(found(&compare_copies(&copies).await)[0].2, rows);
    copies.restore(Side::Database).await;
    copies.restore(Side::File).await;

    // A row twice, where there is no key; and twice on both sides, once each of two.
    run("INSERT INTO log SELECT * FROM log WHERE n = 5").await;
    let report = compare_copies(&copies).await;
    assert_eq!(
        table(&report, "log").counts,
        Counts {
            extra: 1,
            ..Counts::default()
        }
    );
    assert_eq!(table(&report, "log").extra[0].key[0].0, "ctid");
    assert_eq!(
        table(&report, "log").rows_target,
        table(&report, "log").rows_source + 1
    );
    copies
        .raw()
        .execute_batch("INSERT INTO log SELECT * FROM log WHERE n = 6")
        .unwrap();
    let report = compare_copies(&copies).await;
    assert_eq!(
        table(&report, "log").rows_target,
        table(&report, "log").rows_source
    );
    assert_eq!(
        table(&report, "log").counts,
        Counts {
            missing: 1,
            extra: 1,
            different: 0
        }
    );
    assert!(!report.ok());
}

#[tokio::test]
async fn all_rows_are_counted_and_the_first_ones_named() {
    let copies = Copies::make(4, 300).await;
    let sql = "UPDATE item SET t = coalesce(t, '') || '!'; DELETE FROM pair WHERE b < 'b3'";
    copies.database.connect().await.batch_execute(sql).await.unwrap();
    let options = VerifyOptions {
        rows_named: 10,
        ..copies.options()
    };
    let report = compare(
        &file(copies.path()).await,
        &database(&copies.database).await,
        &options,
    )
    .await
    .unwrap();
    assert_eq!(
        table(&report, "item").counts,
        Counts {
            different: 300,
            ..Counts::default()
        }
    );
    assert_eq!(table(&report, "item").different.len(), 10);
    let pair = table(&report, "pair");
    assert_eq!(pair.counts.missing, pair.rows_source - pair.rows_target);
    assert!(pair.counts.missing > 10 && pair.missing.len() == 10);
    let shown = table(&report, "item").to_json(true);
    let cell = &shown["different"][0]["values"]["t"];
    let text = |side: &str| cell[side].as_str().unwrap_or_default().to_owned();
    assert_eq!(format!("{}!", text("source")), text("target"));
    assert_eq!(
        table(&report, "item").to_json(false)["different"][0].get("values"),
        None,
        "values are private"
    );
}

#[tokio::test]
async fn tables_and_columns_on_one_side_are_told() {
    let made = TestFile::empty();
    made.raw()
        .execute_batch(
            "CREATE TABLE gone (a); INSERT INTO gone VALUES (1), (2);
             CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, empty TEXT, full TEXT);
             INSERT INTO t VALUES (1, 'x', NULL, NULL), (2, 'y', NULL, 'z');
             CREATE TABLE u (id INTEGER PRIMARY KEY); INSERT INTO u VALUES (1)",
        )
        .unwrap();
    let there = TestDatabase::create().await;
    let client = there.connect().await;
    client
        .batch_execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, a text, made text DEFAULT 'd', more text);
             INSERT INTO t (id, a) VALUES (1, 'x'), (2, 'y');
             CREATE TABLE u (id bigint PRIMARY KEY, more text); INSERT INTO u VALUES (1, 'm');
             CREATE TABLE other (a int); INSERT INTO other VALUES (1), (2), (3); CREATE TABLE blank (a int)",
        )
        .await
        .unwrap();
    let report = compare(&file(&made.path()).await, &database(&there).await, &options())
        .await
        .unwrap();
    assert_eq!(table(&report, "gone").problems, ["the target has no such table"]);
    assert_eq!(table(&report, "gone").rows_source, 2);
    assert_eq!(
        table(&report, "t").problems,
        ["the target has no column \"full\", which holds 1 value"]
    );
    let notes = [
        "the target has no column \"empty\", which holds 0 values",
        "the source has no column \"made\", which holds 2 values",
        "the source has no column \"more\", which holds 0 values",
    ];
    assert_eq!(table(&report, "t").notes, notes);
    assert_eq!(
        table(&report, "u").problems,
        ["the source has no column \"more\", which holds 1 value"]
    );
    assert_eq!(report.only_in_target, [("other".to_owned(), 3)]);
    let all = report.to_json(false);
    assert_eq!(all["ok"], json!(false));
    assert_eq!(all["tables"][1]["equal"], json!(false));

    let one = |tables: &[&str]| VerifyOptions {
        tables: tables.iter().map(ToString::to_string).collect(),
        ..options()
    };
    let report = compare(
        &file(&made.path()).await,
        &database(&there).await,
        &one(&["other"]),
    )
    .await
    .unwrap();
    assert_eq!(report.tables[0].problems, ["the source has no such table"]);
    let error = compare(&file(&made.path()).await, &database(&there).await, &one(&["tt"]))
        .await
        .unwrap_err();
    assert!(
        matches!(&error, TransferError::Usage(text) if text.contains("\"tt\"")),
        "{error}"
    );
}

#[tokio::test]
async fn what_has_no_place_in_the_other_database_is_different_and_no_panic() {
    let made = TestFile::empty();
    made.raw()
        .execute_batch(
            r#"CREATE TABLE "odd""; DROP TABLE x; --" (id INTEGER PRIMARY KEY, "at me" TEXT, n INTEGER, doc TEXT, t TEXT);
               INSERT INTO "odd""; DROP TABLE x; --" VALUES
                 (1, 'yesterday', 1, '{}', 'a'), (2, '2026-01-01', 'oops', '{}', 'a'), (3, '2026-01-01', 1, '{"a":', 'a'),
                 (4, '2026-01-01', 1, '{}', CAST(x'61ff' AS TEXT)), (5, '2026-01-01', 1, '{}', x'61'), (6, '2026-01-01', 1, '{}', 'a');
               INSERT INTO "odd""; DROP TABLE x; --" VALUES (7, '2026-01-01', 1, '{}', 'a' || char(0) || 'b')"#,
        )
        .unwrap();
    let there = TestDatabase::create().await;
    let sql = r#"CREATE TABLE "odd""; DROP TABLE x; --" (id bigint PRIMARY KEY, "at me" timestamptz, n bigint, doc jsonb, t text);
        INSERT INTO "odd""; DROP TABLE x; --" SELECT n, '2026-01-01Z', 1, '{}', 'a' FROM generate_series(1, 7) AS n"#;
    there.connect().await.batch_execute(sql).await.unwrap();
    let report = compare(&file(&made.path()).await, &database(&there).await, &options())
        .await
        .unwrap();
    let rows = ["1 at me", "2 n", "3 doc", "4 t", "5 t", "7 t"].map(|row| format!("different id={row}"));
    assert_eq!(found(&report)[0].2, rows);
}

#[tokio::test]
async fn large_and_deep_values_are_compared() {
    let made = TestFile::empty();
    let there = TestDatabase::create().await;
    let deep = |core: &str| format!("{}{core}{}", "[".repeat(2_000), "]".repeat(2_000));
    let long = "\u{1f600}x".repeat(2_000_000);
    made.raw()
        .execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, doc TEXT, long TEXT)")
        .unwrap();
    made.raw()
        .execute(
            "INSERT INTO t VALUES (1, ?1, ?2), (2, NULL, '')",
            (&deep("1e1"), &long),
        )
        .unwrap();
    let client = there.connect().await;
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY, doc jsonb, long text)")
        .await
        .unwrap();
    client
        .execute(
            "INSERT INTO t VALUES (1, $1::text::jsonb, $2), (2, NULL, '')",
            &[&deep("10"), &long],
        )
        .await
        .unwrap();
    let report = compare(&file(&made.path()).await, &database(&there).await, &options())
        .await
        .unwrap();
    assert_eq!(found(&report), []);
    client
        .execute(
            "UPDATE t SET doc = $1::text::jsonb, long = long || ' ' WHERE id = 1",
            &[&deep("11")],
        )
        .await
        .unwrap();
    let report = compare(&file(&made.path()).await, &database(&there).await, &options())
        .await
        .unwrap();
    assert_eq!(found(&report)[0].2, ["different id=1 doc,long"]);
    assert!(
        table(&report, "t").to_json(true).to_string().len() < 5_000,
        "values are cut in reports"
    );
}

#[tokio::test]
async fn rows_of_the_lab_are_told_apart_by_their_natural_keys() {
    let made = TestFile::with_lab_schema().await;
    made.raw()
        .execute_batch(
            r#"PRAGMA foreign_keys = OFF;
            DELETE FROM synth_groups; INSERT INTO synth_groups VALUES ('grp_1', 'Padrão', '', '2026-01-01 12:00:00');
            INSERT INTO research_executions (exec_id, topic_name, started_at) VALUES ('e1', 't', '2026-01-01T12:00:00.5');
            INSERT INTO transcripts (id, exec_id, synth_id, synth_name, timestamp, messages) VALUES
              (NULL, 'e1', 's1', 'A', '2026-01-01T12:00:00', '[{"text": "oi \ud83d\ude00"}]'),
              (NULL, 'e1', 's2', 'B', '2026-01-01T12:00:00', '[{"text": "ol\u00e1"}]')"#,
        )
        .unwrap();
    let before = std::fs::read(made.path()).unwrap();
    let there = lab_database().await;
    let client = there.connect().await;
    let sql = r#"DELETE FROM synth_groups; INSERT INTO synth_groups VALUES ('grp_1', 'Padrão', '', '2026-01-01 15:00:00Z');
        INSERT INTO research_executions (exec_id, topic_name, started_at) VALUES ('e1', 't', '2026-01-01T15:00:00.5Z');
        INSERT INTO transcripts (exec_id, synth_id, synth_name, timestamp, messages) VALUES
          ('e1', 's2', 'B', '2026-01-01T15:00:00Z', '[{"text": "olá"}]'),
          ('e1', 's1', 'A', '2026-01-01T15:00:00Z', '[{"text": "oi 😀"}]')"#;
    client.batch_execute(sql).await.unwrap();
    let local = VerifyOptions {
        zones: LegacyZones::new([], LegacyZone::named("America/Sao_Paulo").unwrap()),
        ..options()
    };
    let report = compare(&file(&made.path()).await, &database(&there).await, &local)
        .await
        .unwrap();
    assert_eq!(found(&report), []);
    assert_eq!(table(&report, "transcripts").rows_source, 2);

    client
        .batch_execute("UPDATE transcripts SET messages = '[{\"text\": \"oi 😁\"}]' WHERE synth_id = 's1'")
        .await
        .unwrap();
    let report = compare(&file(&made.path()).await, &database(&there).await, &local)
        .await
        .unwrap();
    let rows = vec![r#"different exec_id="e1",synth_id="s1" messages"#.to_owned()];
    assert_eq!(
        found(&report),
        [(
            "transcripts".to_owned(),
            Counts {
                different: 1,
                ..Counts::default()
            },
            rows
        )]
    );
    // In another zone every time without one is another instant.
    let report = compare(&file(&made.path()).await, &database(&there).await, &options())
        .await
        .unwrap();
    assert_eq!(found(&report).len(), 3);
    assert_eq!(
        std::fs::read(made.path()).unwrap(),
        before,
        "reading never writes"
    );
}

#[tokio::test]
async fn planted_rows_are_left_out_and_quarantined_ones_named() {
    let made = TestFile::empty();
    made.raw()
        .execute_batch(
            "CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT); INSERT INTO t VALUES ('1', 'x'), ('2', 'y')",
        )
        .unwrap();
    let there = TestDatabase::create().await;
    let client = there.connect().await;
    let sql = "CREATE SCHEMA cutover; CREATE TABLE cutover.planted_rows (table_name text, key text);
        INSERT INTO cutover.planted_rows VALUES ('t', 'p'), ('u', '1');
        CREATE TABLE t (id text PRIMARY KEY, a text); INSERT INTO t VALUES ('1', 'x'), ('2', 'y'), ('p', 'planted')";
    client.batch_execute(sql).await.unwrap();
    let report = compare(&file(&made.path()).await, &database(&there).await, &options())
        .await
        .unwrap();
    assert_eq!(found(&report), []);
    assert_eq!(
        table(&report, "t").notes,
        ["left out: 1 row planted for foreign keys across databases"]
    );

    let sql = "CREATE TABLE cutover.quarantine
            (schema_name text, table_name text, key text, columns text[], classes text[], values bytea[]);
        INSERT INTO cutover.quarantine SELECT schema, 't', 'id = 2', '{id,a}', '{text,text}', ARRAY['2', 'y']::bytea[]
          FROM unnest(ARRAY['public', 'other']) AS schema;
        DELETE FROM t WHERE id = '2'";
    client.batch_execute(sql).await.unwrap();
    let verified = async || {
        let report = compare(&file(&made.path()).await, &database(&there).await, &options())
            .await
            .unwrap();
        assert_eq!(found(&report)[0].2, [r#"missing id="2" "#]);
        table(&report, "t").clone()
    };
    let kept = "1 row in quarantine in the target, which cannot hold what is there as it is";
    let report = verified().await;
    assert_eq!(
        report.problems,
        [format!("{kept}; with that it has every value of the source")]
    );
    assert!(report.with_quarantine.unwrap().equal());

    // A value that somebody changed there is found like any other.
    let sql = "UPDATE cutover.quarantine SET values = ARRAY['2', 'Y']::bytea[]";
    client.batch_execute(sql).await.unwrap();
    let report = verified().await;
    assert_eq!(
        report.problems,
        [format!("{kept}; even with that 0 missing, 0 extra, 1 different")]
    );
    let with_it = report.with_quarantine.unwrap();
    assert_eq!(
        with_it.to_json(true)["different"],
        json!([{ "key": { "id": "2" }, "columns": ["a"], "values": { "a": { "source": "y", "target": "Y" } } }])
    );

    // Nor is it whole without a column that the target lacks.
    let sql = "UPDATE cutover.quarantine SET values = ARRAY['2', 'y']::bytea[]";
    client.batch_execute(sql).await.unwrap();
    assert!(verified().await.with_quarantine.unwrap().equal());
    made.raw()
        .execute_batch("ALTER TABLE t ADD b TEXT DEFAULT 'z'")
        .unwrap();
    assert!(!verified().await.with_quarantine.unwrap().equal());
}

#[tokio::test]
async fn a_table_that_is_left_out_need_not_be_readable() {
    let made = TestFile::empty();
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)";
    made.raw().execute_batch(sql).unwrap();
    let server = TestServer::start(TestServerOptions::default()).await;
    server
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE audit_log (id bigint);
             CREATE ROLE half LOGIN; GRANT SELECT ON t TO half",
        )
        .await;
    let url = server.url().replacen("postgres@", "half@", 1);
    let target = async || {
        let server = PgServer::parse(&url).unwrap();
        VerifyDatabase::open(&server, None, 2).await.unwrap()
    };
    let without = VerifyOptions {
        exclude: vec!["audit_log".to_owned()],
        ..options()
    };
    let ours = file(&made.path()).await;
    let report = compare(&ours, &target().await, &without).await.unwrap();
    assert_eq!(found(&report), []);
    assert_eq!((report.tables.len(), report.only_in_target), (1, vec![]));
    let refused = compare(&ours, &target().await, &options()).await;
    assert!(
        matches!(&refused, Err(TransferError::Refused(message)) if message.contains("permission denied for table audit_log")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_snapshot_does_not_see_later_changes() {
    let copies = Copies::make(5, 30).await;
    let (ours, theirs) = (file(copies.path()).await, database(&copies.database).await);
    // PostgreSQL's snapshot begins with its first query.
    theirs.catalog().await.unwrap();
    copies
        .database
        .connect()
        .await
        .batch_execute("DELETE FROM item; DROP TABLE IF EXISTS nothing")
        .await
        .unwrap();
    assert_eq!(
        found(&compare(&ours, &theirs, &copies.options()).await.unwrap()),
        []
    );
    assert_eq!(table(&compare_copies(&copies).await, "item").counts.missing, 30);
}

#[tokio::test]
async fn the_command_says_how_it_ended() {
    let copies = Copies::make(6, 20).await;
    let run = async |source: &str, target: &str, flags: &[&str]| {
        let args = ["cutover", "verify", source, target]
            .into_iter()
            .chain(flags.iter().copied())
            .map(OsString::from);
        cli::run(args, copies.environment()).await
    };
    let (path, url) = (copies.path().to_str().unwrap().to_owned(), copies.database.url());
    assert_eq!(run(&path, &url, &["--json"]).await, Exit::Done);
    assert_eq!(run(&url, &path, &[]).await, Exit::Done);
    assert_eq!(run(&path, &url, &["--tables", "item,nosuch"]).await, Exit::Usage);
    assert_eq!(
        run("/no/such/file.db", &url, &["--json"]).await,
        Exit::Unreachable
    );
    copies
        .database
        .connect()
        .await
        .batch_execute("DELETE FROM log")
        .await
        .unwrap();
    assert_eq!(run(&path, &url, &["--json", "--show-values"]).await, Exit::Wrong);
    assert_eq!(run(&path, &url, &["--exclude", "log"]).await, Exit::Done);
}

#[tokio::test]
async fn what_is_equal_is_noted_in_the_target_and_a_file_is_only_read() {
    let copies = Copies::make(8, 20).await;
    let (path, url) = (copies.path().to_str().unwrap().to_owned(), copies.database.url());
    let run = async |source: &str, target: &str| {
        let args = ["cutover", "verify", source, target, "--json", "--quiet"].map(OsString::from);
        cli::run(args, copies.environment()).await
    };
    let client = copies.database.connect().await;
    client.batch_execute("DELETE FROM log").await.unwrap();
    let before = std::fs::read(copies.path()).unwrap();
    assert_eq!(run(&url, &path).await, Exit::Wrong);
    assert_eq!(run(&path, &url).await, Exit::Wrong);
    assert_eq!(std::fs::read(copies.path()).unwrap(), before);
    let sql = "SELECT table_name, rows, max_rowid, length(digest), verified_at > now() - interval '1 minute', source FROM cutover.ledger
               ORDER BY table_name";
    let rows = client.query(sql, &[]).await.unwrap();
    let noted: Vec<(String, i64, i64, i32, bool, String)> = rows
        .iter()
        .map(|row| {
            (
                row.get(0),
                row.get(1),
                row.get(2),
                row.get(3),
                row.get(4),
                row.get(5),
            )
        })
        .collect();
    let expected = ["item", "nat", "pair"].map(|name| (name.to_owned(), 20, 20, 64, true, path.clone()));
    assert_eq!(noted, expected, "not the table that differs");
}
