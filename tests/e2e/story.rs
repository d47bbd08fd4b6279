//! The whole way of an old file: its schema on PostgreSQL, the copy, the proof, work over there, and back again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_migrations::Context;
use cutover_tests::lab_file::{LabFile, Oddity};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::types::ValueRef;
use cutover_tests::rusqlite::{self, Connection};
use cutover_tests::tokio_postgres::Client;
use serde_json::{Value, json};

use crate::program::Place;
use crate::world;

/// A file as a killed original leaves it: its last rows are in the WAL beside it only.
fn old_file(place: &Place, oddities: &[Oddity]) -> PathBuf {
    let elsewhere = tempfile::tempdir().unwrap();
    let made = elsewhere.path().join("lab.db");
    let connection = LabFile::SMALL.create(&made);
    for oddity in oddities {
        oddity.put(&connection);
    }
    let path = place.path("lab.db");
    std::fs::copy(&made, &path).unwrap();
    std::fs::copy(made.with_file_name("lab.db-wal"), place.path("lab.db-wal")).unwrap();
    assert!(
        std::fs::metadata(place.path("lab.db-wal")).unwrap().len() > 0,
        "rows lie in the WAL"
    );
    path
}

/// A JSON text with numbers by value and keys in order; of a key that comes twice, the last.
fn canonical_json(text: &str) -> String {
    fn number(text: &str) -> String {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (sign, mantissa) = mantissa
            .strip_prefix('-')
            .map_or(("", mantissa), |rest| ("-", rest));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0').trim_end_matches('0');
        if significant.is_empty() {
            return "0".to_owned();
        }
        let zeros = digits.len() - digits.trim_end_matches('0').len();
        let exponent = exponent.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap()
            + i64::try_from(zeros).unwrap();
        format!("{sign}{significant}e{exponent}")
    }
    fn canonical(value: &Value) -> String {
        match value {
            Value::Number(value) => number(&value.to_string()),
            Value::Array(items) => format!("{:?}", items.iter().map(canonical).collect::<Vec<_>>()),
            Value::Object(object) => {
                let sorted: BTreeMap<&String, String> = object
                    .iter()
                    .map(|(key, value)| (key, canonical(value)))
                    .collect();
                format!("{sorted:?}")
            }
            other => other.to_string(),
        }
    }
    // Deep documents are compared as they stand: PostgreSQL has nothing to change in brackets.
    serde_json::from_str(text).map_or_else(|_| text.replace(' ', ""), |value| canonical(&value))
}

/// A time as the original writes it, spelled out.
fn canonical_time(text: &str) -> String {
    let text = text.replace(' ', "T");
    let text = text.trim_end_matches("+00:00").trim_end_matches('Z');
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00"));
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{date}T{seconds}.{fraction:0<6}")
}

/// Each column of a table and its type on PostgreSQL.
async fn column_types(client: &Client, table: &str) -> BTreeMap<String, String> {
    let sql = "SELECT column_name::text, data_type::text FROM information_schema.columns \
               WHERE table_schema = 'public' AND table_name = $1";
    let rows = client.query(sql, &[&table]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The rows of a table in a file, each as one text, sorted.
fn file_rows(file: &Connection, table: &str, columns: &BTreeMap<String, String>) -> Vec<String> {
    let names: Vec<String> = columns.keys().map(|name| quoted(name)).collect();
    let sql = format!("SELECT {} FROM {}", names.join(", "), quoted(table));
    let mut statement = file.prepare(&sql).unwrap();
    let cell = |value: ValueRef<'_>, kind: &str| match (value, kind) {
        (ValueRef::Null, _) => "∅".to_owned(),
        (ValueRef::Integer(number), "double precision") => format!("{:?}", number as f64),
        (ValueRef::Real(number), _) => format!("{number:?}"),
        (ValueRef::Integer(number), _) => number.to_string(),
        (ValueRef::Blob(bytes), _) => format!("{bytes:02x?}"),
        (ValueRef::Text(text), kind) => {
            let text = std::str::from_utf8(text).unwrap();
            match kind {
                "jsonb" => canonical_json(text),
                "timestamp with time zone" => canonical_time(text),
                _ => text.to_owned(),
            }
        }
    };
    let rows = statement.query_map([], |row| {
        let cells = columns.values().enumerate();
        let cells = cells.map(|(index, kind)| Ok(cell(row.get_ref(index)?, kind)));
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(" | "))
    });
    let mut rows: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

/// The rows of a table on PostgreSQL in the same form.
async fn database_rows(client: &Client, table: &str, columns: &BTreeMap<String, String>) -> Vec<String> {
    let names: Vec<String> = columns
        .iter()
        .map(|(name, kind)| match kind.as_str() {
            "timestamp with time zone" => {
                format!(
                    "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')",
                    quoted(name)
                )
            }
            "bytea" => format!("encode({}, 'hex')", quoted(name)),
            _ => format!("{}::text", quoted(name)),
        })
        .collect();
    let sql = format!("SELECT {} FROM {}", names.join(", "), quoted(table));
    let mut rows = Vec::new();
    for row in client.query(&sql, &[]).await.unwrap() {
        let cells = columns.values().enumerate().map(|(index, kind)| {
            let Some(text) = row.get::<_, Option<String>>(index) else {
                return "∅".to_owned();
            };
            match kind.as_str() {
                "jsonb" => canonical_json(&text),
                "double precision" => format!("{:?}", text.parse::<f64>().unwrap()),
                "bytea" => {
                    let bytes = (0..text.len())
                        .step_by(2)
                        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap());
                    format!("{:02x?}", bytes.collect::<Vec<_>>())
                }
                _ => text,
            }
        });
        rows.push(cells.collect::<Vec<_>>().join(" | "));
    }
    rows.sort();
    rows
}

/// Every value of every table of the file, against the database. Returns the number of rows compared.
async fn assert_equal(path: &Path, database: &TestDatabase) -> usize {
    let (file, client) = (Connection::open(path).unwrap(), database.connect().await);
    let tables = world::sqlite_rows(
        path,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cutover\\_%' ESCAPE '\\'",
    );
    assert!(tables.len() >= 17, "{tables:?}");
    let mut compared = 0;
    for table in &tables {
        let mut columns = column_types(&client, table).await;
        let in_file = format!(
            "SELECT name FROM pragma_table_info('{}')",
            table.replace('\'', "''")
        );
        let in_file = world::sqlite_rows(path, &in_file);
        for name in &in_file {
            assert!(columns.contains_key(name), "{table}.{name} is not on PostgreSQL");
        }
        columns.retain(|name, _| in_file.contains(name));
        let rows = file_rows(&file, table, &columns);
        assert_eq!(rows, database_rows(&client, table, &columns).await, "{table}");
        compared += rows.len();
    }
    compared
}

/// Everything of a file's schema that is the lab's.
fn schema(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT type || ' ' || name, coalesce(sql, '') FROM sqlite_schema \
               WHERE tbl_name NOT LIKE '\\_cutover\\_%' ESCAPE '\\' ORDER BY 1";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// What the scripts of the lab make of an empty file.
fn schema_of_scripts() -> Vec<(String, String)> {
    let connection = Connection::open_in_memory().unwrap();
    for version in Context::ALL.iter().flat_map(|context| context.versions) {
        connection.execute_batch(version.sqlite.up).unwrap();
    }
    schema(&connection)
}

#[track_caller]
fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("{value}"))
        .keys()
        .map(String::as_str)
        .collect()
}

fn configure(place: &Place, database: &TestDatabase, default: &str) {
    let url = database.url();
    place.write(
        "cutover.toml",
        &format!("[sqlite]\npath = \"lab.db\"\n[postgres]\nurl = \"{url}\"\n[repositories]\ndefault = \"{default}\"\n"),
    );
}

#[tokio::test]
async fn there_and_back_again() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    let file = old_file(&place, &Oddity::KEPT);
    let original = std::fs::read(&file).unwrap();
    configure(&place, &database, "sqlite");

    let migrated = place
        .run(["migrate", "up", "--on", "postgres", "--json"])
        .await
        .with(0)
        .json();
    assert_eq!(migrated["ok"], true);

    let copied = place.run(["copy", "--json"]).await.with(0).json();
    assert_eq!(
        keys(&copied),
        ["ok", "tables", "seconds", "not_carried", "weakened"]
    );
    assert_eq!(copied["ok"], true);
    for table in copied["tables"].as_array().unwrap() {
        let expected = [
            "name",
            "target",
            "columns_made",
            "rows_read",
            "rows_written",
            "rejected",
            "normalised",
            "bytes",
            "seconds",
        ];
        assert_eq!(keys(table), expected);
        assert_eq!(table["rows_read"], table["rows_written"], "{table}");
        assert_eq!(table["rejected"], 0, "{table}");
    }
    let weakened = copied["weakened"].to_string();
    for part in ["ana_00000006", "batch_missing", "exp_00000004"] {
        assert!(weakened.contains(part), "{part} is missing in {weakened}");
    }

    let verified = place.run(["verify", "--json"]).await.with(0).json();
    assert_eq!(verified["ok"], true);
    for table in verified["tables"].as_array().unwrap() {
        assert_eq!(table["equal"], true, "{table}");
        for key in [
            "name",
            "rows_source",
            "rows_target",
            "missing",
            "extra",
            "different",
        ] {
            assert!(table.get(key).is_some(), "{key} is missing in {table}");
        }
    }
    let status = place.run(["status", "--json"]).await.with(0).json();
    assert!(status.is_object());
    place.run(["status"]).await.with(0);
    for command in [&["inspect", "lab.db"][..], &["doctor"]] {
        let ended = place.run(command).await;
        assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
        assert!(
            place
                .run(command.iter().chain(&["--json"]))
                .await
                .json()
                .is_object()
        );
    }
    assert_eq!(std::fs::read(&file).unwrap(), original, "reading never writes");

    // A copy of the file, as the comparison by hand opens it for writing.
    let read = Place::new();
    for name in ["lab.db", "lab.db-wal"] {
        std::fs::copy(place.path(name), read.path(name)).unwrap();
    }
    let compared = assert_equal(&read.path("lab.db"), &database).await;
    assert!(compared > 900, "{compared}");

    work_over_there(&place, &database).await;
    and_back(&place, &database).await;
    assert_eq!(
        std::fs::read(&file).unwrap(),
        original,
        "the way back does not touch it"
    );
}

/// The service on PostgreSQL, where the file's rows are known to be.
async fn work_over_there(place: &Place, database: &TestDatabase) {
    configure(place, database, "postgres");
    let service = place.serve(&[]).await;
    let experiments = "/lab/experiments";
    let listed = service
        .get("/lab/experiments/list?limit=200")
        .await
        .with(200)
        .json();
    // Of twenty, two are deleted and two have a status of their own.
    assert_eq!(listed["pagination"]["total"], 16, "{listed}");
    let body = json!({"name": "Novo 🦜", "hypothesis": "h", "description": "\u{200b}"});
    service.post(experiments, &body).await.with(201);
    let detail = service
        .get("/lab/experiments/exp_00000001")
        .await
        .with(200)
        .json();
    assert_eq!(detail["interview_count"], 1, "{detail}");
    let rename = json!({"name": "renamed"}).to_string();
    service
        .ask("PUT", "/lab/experiments/exp_00000001", Some(&rename))
        .await
        .with(200);
    let card = crate::hostile::scorecard("new").to_string();
    service
        .ask("PUT", "/lab/experiments/exp_00000002/scorecard", Some(&card))
        .await
        .with(200);
    service
        .ask("DELETE", "/lab/experiments/exp_00000003", None)
        .await
        .with(204);
    service
        .post("/lab/synth-groups", &json!({"id": "grp_0000beef", "name": "g"}))
        .await
        .with(201);
    service.stop().await;
}

async fn and_back(place: &Place, database: &TestDatabase) {
    let (url, back) = (database.url(), place.path("back.db"));
    let target = format!("sqlite:{}", back.display());
    let copied = place.run(["copy", &url, &target, "--json"]).await.with(0).json();
    assert_eq!(copied["ok"], true);
    place.run(["verify", &url, &target]).await.with(0);
    place.run(["verify", &target, &url]).await.with(0);
    assert_equal(&back, database).await;
    let name = world::sqlite_value(
        &back,
        "SELECT name || created_at FROM experiments WHERE id = 'exp_00000001'",
    );
    assert_eq!(name, "renamed2026-01-01T12:00:00.000000+00:00");
    // The two rows that broke a rule break it here as well.
    let checked = world::sqlite_rows(&back, "PRAGMA integrity_check");
    assert_eq!(checked, ["CHECK constraint failed in experiments"; 2]);
    // The column and the tables that somebody added come along; everything else is as the original made it.
    let added = [
        "assumption_log",
        "odd \"name",
        "sqlite_sequence",
        "idx_log_action",
    ];
    let found: Vec<_> = schema(&Connection::open(&back).unwrap())
        .into_iter()
        .filter(|(name, _)| !added.iter().any(|added| name.ends_with(added)))
        .map(|(name, sql)| {
            if name == "table experiments" {
                (name, String::new())
            } else {
                (name, sql)
            }
        })
        .collect();
    let expected: Vec<_> = schema_of_scripts()
        .into_iter()
        .map(|(name, sql)| {
            if name == "table experiments" {
                (name, String::new())
            } else {
                (name, sql)
            }
        })
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_file_without_additions_comes_back_with_exactly_the_originals_schema() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    let file = old_file(&place, &[Oddity::TimeForms, Oddity::OddJson]);
    let (url, back) = (database.url(), place.path("back.db"));
    let file = file.display().to_string();
    // Without a migration before it, the copy makes the schema that the file's rows need.
    place
        .run(["migrate", "up", "--on", "postgres", "--postgres", &url])
        .await
        .with(0);
    place.run(["copy", &file, &url]).await.with(0);
    place
        .run(["copy", &url, &back.display().to_string()])
        .await
        .with(0);
    place
        .run(["verify", &url, &back.display().to_string()])
        .await
        .with(0);
    assert_eq!(schema(&Connection::open(&back).unwrap()), schema_of_scripts());
    // And the service takes it as its own.
    let service = place.serve(&["--sqlite", "back.db"]).await;
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 18);
    let log = service.stop().await;
    assert!(!log.contains(" WARN "), "{log}");
}

#[tokio::test]
async fn what_postgresql_cannot_hold_is_named_and_nothing_is_written() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    let file = old_file(&place, &Oddity::REJECTED);
    let original = std::fs::read(&file).unwrap();
    configure(&place, &database, "sqlite");
    place.run(["migrate", "up", "--on", "postgres"]).await.with(0);
    let failed = place.run(["copy"]).await.with(1);
    for place in [
        ("experiments", "name", "exp_0000000a"),
        ("experiments", "hypothesis", "exp_0000000b"),
        ("analysis_runs", "total_synths", "ana_0000000c"),
        ("synths", "created_at", "s0000d"),
        ("synths", "data", "s0000e"),
        ("explorations", "goal", "expl_0000000f"),
        ("experiment_documents", "id", "NULL"),
    ] {
        let named = |line: &str| line.contains(place.0) && line.contains(place.1) && line.contains(place.2);
        assert!(
            failed.stdout.lines().any(named),
            "{place:?} is not named in:\n{}",
            failed.stdout
        );
    }
    let client = database.connect().await;
    let filled = "SELECT (SELECT count(*) FROM experiments) + (SELECT count(*) FROM synths) + (SELECT count(*) FROM transcripts)";
    assert_eq!(world::postgres_rows(&client, filled).await, ["0"]);
    // Nothing is known to be there, so nothing may be served from there.
    configure(&place, &database, "postgres");
    place.run(["serve", "--listen", "127.0.0.1:0"]).await.with(4);

    let quarantined = place
        .run(["copy", "--on-reject", "quarantine", "--json"])
        .await
        .with(1)
        .json();
    assert_eq!(quarantined["ok"], false);
    let rejected: i64 = quarantined["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|table| table["rejected"].as_i64().unwrap())
        .sum();
    assert_eq!(rejected, 7);
    let kept = "SELECT count(*) FROM cutover.quarantine";
    assert_eq!(world::postgres_rows(&client, kept).await, ["7"]);
    let bytes =
        "SELECT count(*) FROM cutover.quarantine, unnest(\"values\") v WHERE v IN ('\\x610062', '\\x61ff')";
    assert_eq!(world::postgres_rows(&client, bytes).await, ["2"]);
    assert_eq!(
        world::postgres_rows(&client, "SELECT count(*) FROM experiments").await,
        ["18"]
    );
    place.run(["verify"]).await.with(1);
    assert_eq!(std::fs::read(&file).unwrap(), original);
}

#[tokio::test]
async fn every_command_ends_as_scripts_expect() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    let file = old_file(&place, &[]).display().to_string();
    let url = database.url();
    place.write("text.db", "this is no database, only a text of some length\n");
    place
        .run(["migrate", "up", "--on", "postgres", "--postgres", &url])
        .await
        .with(0);
    place.run(["copy", &file, &url, "--json"]).await.with(0);
    for (arguments, code) in [
        // Usage.
        (vec!["copy", &file], 2),
        (vec!["copy"], 2),
        (vec!["verify"], 2),
        (vec!["copy", &file, &file], 2),
        (vec!["copy", &file, &url, "--on-reject", "ignore"], 2),
        (
            vec![
                "migrate",
                "up",
                "--to",
                "99",
                "--on",
                "postgres",
                "--postgres",
                &url,
            ],
            2,
        ),
        // Nothing there.
        (vec!["copy", "nowhere.db", &url], 3),
        (vec!["verify", "nowhere.db", &url], 3),
        (vec!["verify", &file, "nowhere.db"], 3),
        // To protect data: rows in the target, rows under a schema that would go.
        (vec!["copy", &file, &url], 4),
        (
            vec![
                "migrate",
                "down",
                "--to",
                "0",
                "--on",
                "postgres",
                "--postgres",
                &url,
            ],
            4,
        ),
        // Equal, still.
        (vec!["verify", &file, &url], 0),
        (
            vec!["migrate", "check", "--on", "postgres", "--postgres", &url],
            0,
        ),
        (
            vec!["migrate", "status", "--on", "postgres", "--postgres", &url],
            0,
        ),
    ] {
        let ended = place.run(&arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        let complained = ended
            .stderr
            .lines()
            .any(|line| line.starts_with("cutover: ") || line.starts_with("error: "));
        assert_eq!(complained, code != 0, "{arguments:?}: {ended:?}");
    }
    for arguments in [["copy", "text.db", &url], ["verify", "text.db", &url]] {
        let ended = place.run(arguments).await;
        assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
        assert!(ended.stderr.contains("text.db"), "{ended:?}");
    }
    assert!(
        !place.path("nowhere.db").exists(),
        "a name that was mistyped makes no file"
    );

    let client = database.connect().await;
    client
        .batch_execute(
            "UPDATE experiments SET name = name || '!' WHERE id = 'exp_00000007'; DROP INDEX idx_synths_nome",
        )
        .await
        .unwrap();
    let found = place.run(["verify", &file, &url, "--json"]).await.with(1).json();
    assert_eq!(found["ok"], false);
    let wrong: Vec<&Value> = found["tables"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|table| table["equal"] == false)
        .collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!(
        wrong[0]["different"],
        json!([{"key": {"id": "exp_00000007"}, "columns": ["name"]}])
    );
    let drift = place
        .run(["migrate", "check", "--on", "postgres", "--postgres", &url])
        .await
        .with(1);
    assert!(drift.stdout.contains("idx_synths_nome"), "{}", drift.stdout);
}

#[tokio::test]
async fn an_old_file_is_served_as_it_is_and_taken_over_when_asked() {
    let place = Place::new();
    let oddities: Vec<Oddity> = Oddity::KEPT
        .into_iter()
        .filter(|oddity| *oddity != Oddity::NoDefaultGroup)
        .collect();
    let file = old_file(&place, &oddities);
    let service = place.serve(&["--sqlite", "lab.db"]).await;
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 16);
    service.get("/lab/experiments/exp_00000001").await.with(200);
    service.get("/lab/synths/s00001").await.with(200);
    let log = service.stop().await;
    assert!(
        log.contains("cutover migrate up"),
        "it says what could be done:\n{log}"
    );

    let before = schema(&Connection::open(&file).unwrap());
    let taken = place
        .run(["migrate", "up", "--sqlite", "lab.db", "--json"])
        .await
        .with(0)
        .json();
    let backup = taken["databases"][0]["adopted"]["backup"]
        .as_str()
        .unwrap()
        .to_owned();
    let backup = place.path(backup);
    assert_eq!(schema(&Connection::open(&backup).unwrap()), before);
    place
        .run(["verify", &backup.display().to_string(), "lab.db"])
        .await
        .with(0);
    let service = place.serve(&["--sqlite", "lab.db"]).await;
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 16);
    let log = service.stop().await;
    assert!(!log.contains(" WARN "), "{log}");
}

#[tokio::test]
async fn a_file_that_is_too_old_or_somebody_elses_is_not_served() {
    let place = Place::new();
    Connection::open(place.path("v6.db"))
        .unwrap()
        .execute_batch("CREATE TABLE experiments (id TEXT PRIMARY KEY, name TEXT); INSERT INTO experiments VALUES ('exp_1', 'n')")
        .unwrap();
    Connection::open(place.path("other.db"))
        .unwrap()
        .execute_batch("CREATE TABLE albums (id INTEGER PRIMARY KEY, title TEXT)")
        .unwrap();
    place.write("text.db", "this is no database, only a text of some length, and it is a long one, longer than a header of SQLite would be\n");
    for (name, code) in [("v6.db", 4), ("other.db", 4), ("text.db", 3)] {
        let before = std::fs::read(place.path(name)).unwrap();
        let ended = place
            .run(["serve", "--listen", "127.0.0.1:0", "--sqlite", name])
            .await
            .with(code);
        assert!(!ended.said().is_empty(), "{name}: {ended:?}");
        assert_eq!(
            std::fs::read(place.path(name)).unwrap(),
            before,
            "{name} stays as it is"
        );
    }
}

/// What a newcomer waits for. The numbers are printed (`--nocapture`); the bounds are those that were promised.
#[tokio::test]
async fn a_fresh_schema_and_a_start_take_no_time() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    let url = database.url();
    let migrated = place
        .run(["migrate", "up", "--on", "postgres", "--postgres", &url])
        .await
        .with(0);
    let begun = std::time::Instant::now();
    let service = place.serve(&["--postgres", &url]).await;
    service.get("/readyz").await.with(200);
    let started = begun.elapsed();
    service.stop().await;
    println!(
        "a fresh schema took {:?}, a start until ready {started:?}",
        migrated.took
    );
    assert!(migrated.took.as_secs() < 30 && started.as_secs() < 5);
}
