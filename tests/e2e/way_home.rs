//! From PostgreSQL back to the files: nothing that was written there may seem to vanish, or be deleted by a copy.

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::{Connection, Result as SqliteResult};
use cutover_tests::store::lab_database;
use serde_json::{Value, json};

use crate::program::{Place, Service};
use crate::world;

/// The configuration: a file for all contexts or one for each, and where the repositories run.
fn configure(place: &Place, database: &TestDatabase, files: &str, routes: &str) {
    let url = database.url();
    place.write(
        "cutover.toml",
        &format!("{files}\n[postgres]\nurl = \"{url}\"\n[repositories]\n{routes}\n[server]\nlisten = \"127.0.0.1:0\"\n"),
    );
}

const ONE_FILE: &str = "[sqlite]\npath = \"app.db\"";
const ON_FILES: &str = "default = \"sqlite\"";
const ON_SERVER: &str = "default = \"postgres\"";

async fn an_experiment(service: &Service, name: &str) -> String {
    let body = json!({"name": name, "hypothesis": "h"});
    let made = service.post("/lab/experiments", &body).await.with(201).json();
    made["id"].as_str().unwrap().to_owned()
}

async fn experiments(service: &Service) -> Vec<String> {
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    let mut names: Vec<String> = listed["data"].as_array().unwrap().iter().map(name).collect();
    names.sort();
    names
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

/// One experiment, `first`, was copied to PostgreSQL and found equal, and is to be served there; its id.
async fn carried(place: &Place, database: &TestDatabase) -> String {
    configure(place, database, ONE_FILE, ON_FILES);
    let service = place.serve(&[]).await;
    let id = an_experiment(&service, "first").await;
    service.stop().await;
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    configure(place, database, ONE_FILE, ON_SERVER);
    id
}

/// A service that has moved to PostgreSQL with one experiment, `first`; its id.
async fn moved(place: &Place, database: &TestDatabase) -> String {
    let id = carried(place, database).await;
    place.serve(&[]).await.stop().await;
    id
}

#[tokio::test]
async fn without_writes_the_way_back_is_a_restart() {
    let (place, database) = (Place::new(), lab_database().await);
    moved(&place, &database).await;
    configure(&place, &database, ONE_FILE, ON_FILES);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["first"]);
    // And from there forward again, as always: what the file was given meanwhile is copied first.
    an_experiment(&service, "second").await;
    service.stop().await;
    place.serve(&[]).await.stop().await;
    place.run(["copy", "--replace"]).await.with(0);
    place.run(["verify"]).await.with(0);
    configure(&place, &database, ONE_FILE, ON_SERVER);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["first", "second"]);
    service.stop().await;
}

#[tokio::test]
async fn what_postgresql_could_not_hold_comes_home() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, ONE_FILE, ON_FILES);
    place.serve(&[]).await.stop().await;
    let groups = "SELECT id || ' ' || typeof(name) || ' ' || hex(name) || ' ' || typeof(created_at) FROM synth_groups ORDER BY id";
    let rows = |file: &str| -> Vec<String> {
        let file = Connection::open(place.path(file)).unwrap();
        let mut statement = file.prepare(groups).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<SqliteResult<_>>().unwrap()
    };
    Connection::open(place.path("app.db"))
        .unwrap()
        .execute_batch(
            "INSERT INTO synth_groups (id, name, created_at) VALUES ('grp_0000000a', 'a', '2026-01-01T00:00:00'),
               ('grp_0000000b', CAST(x'ff62' AS TEXT), '2026-01-01T00:00:00'), ('grp_0000000c', x'63', '2026-02-31')",
        )
        .unwrap();
    let before = rows("app.db");
    place.run(["copy", "--on-reject", "quarantine"]).await.with(1);
    place.run(["verify"]).await.with(1);
    let url = database.url();
    place.run(["copy", &url, "home.db"]).await.with(0);
    let home = rows("home.db");
    assert!(before.iter().all(|row| home.contains(row)), "{before:?} {home:?}");
    let verified = place.run(["verify", &url, "home.db"]).await.with(0);
    says(&verified.stdout, &["2 rows in quarantine in the source"]);
    Connection::open(place.path("home.db"))
        .unwrap()
        .execute_batch("DELETE FROM synth_groups WHERE id = 'grp_0000000b'")
        .unwrap();
    let missing = place.run(["verify", &url, "home.db"]).await.with(1);
    says(&missing.stdout, &["grp_0000000b"]);
}

#[tokio::test]
async fn what_was_written_on_postgresql_is_not_left_behind() {
    let (place, database) = (Place::new(), lab_database().await);
    let id = moved(&place, &database).await;
    // A change of a row that was carried, and no new one: counts do not tell it.
    let service = place.serve(&[]).await;
    let rename = json!({"name": "renamed"}).to_string();
    service
        .ask("PUT", &format!("/lab/experiments/{id}"), Some(&rename))
        .await
        .with(200);
    service.stop().await;

    configure(&place, &database, ONE_FILE, ON_FILES);
    let before = std::fs::read(place.path("app.db")).unwrap();
    let refusal = [
        "experiments: the PostgreSQL table experiments holds 1 row (changed since it was last found equal to app.db)",
        "cutover copy postgres://",
        "cutover verify",
        "--accept-empty",
    ];
    says(&place.run(["serve"]).await.with(4).stderr, &refusal);
    let examined = place.run(["doctor"]).await.with(1).stdout;
    says(&examined.replace("\n              ", "\n"), &refusal);
    assert!(
        !examined.contains("synth_groups: the PostgreSQL table"),
        "{examined}"
    );
    // Nor may a copy delete it, whatever the routing says by now.
    let denied = place.run(["copy", "--replace"]).await.with(4);
    says(
        &denied.stderr,
        &["has run on the target", "experiments (1 row)", "--replace-live"],
    );
    // Not even where nothing is configured: it is noted in the database. Another schema of it is nobody's.
    let (elsewhere, file) = (Place::new(), place.path("app.db").display().to_string());
    let there = ["copy", &file, &database.url(), "--replace"];
    let denied = elsewhere.run(there).await.with(4);
    says(&denied.stderr, &["has run on the target", "experiments (1 row)"]);
    let staging = there.iter().chain(&["--schema", "staging", "--context", "lab"]);
    elsewhere.run(staging).await.with(0);
    assert_eq!(std::fs::read(place.path("app.db")).unwrap(), before);

    // The way home, as the runbook says it.
    let url = database.url();
    place.run(["copy", &url, "home.db"]).await.with(0);
    place.run(["verify", &url, "home.db"]).await.with(0);
    // A file that nobody put in its place is noticed.
    place.run(["verify"]).await.with(1);
    place.run(["serve"]).await.with(4);
    std::fs::rename(place.path("home.db"), place.path("app.db")).unwrap();
    place.run(["verify"]).await.with(0);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["renamed"]);
    service.stop().await;
}

/// Rows that were found equal on PostgreSQL, and are gone before anything has run there.
#[tokio::test]
async fn tables_that_were_emptied_are_not_taken_for_those_that_were_copied() {
    let (place, database) = (Place::new(), lab_database().await);
    carried(&place, &database).await;
    let client = database.connect().await;
    client
        .batch_execute("TRUNCATE experiments CASCADE")
        .await
        .unwrap();
    let refused = place.run(["serve"]).await.with(4);
    says(
        &refused.stderr,
        &[
            "experiments: the PostgreSQL table experiments holds 0 rows, and 1 when it was found equal",
            "cutover copy",
            "--accept-empty",
        ],
    );
    // Going down forgets what had been copied, so that nobody passes it over.
    let down = [
        "migrate",
        "down",
        "--on",
        "postgres",
        "--to",
        "0",
        "--discard-data",
        "--context",
        "lab",
    ];
    place.run(down).await.with(0);
    place
        .run(["migrate", "up", "--on", "postgres", "--context", "lab"])
        .await
        .with(0);
    let status = place.run(["status", "--json"]).await.with(0).stdout;
    assert!(status.contains("not copied"), "{status}");
    assert!(!status.contains("\"verified\""), "{status}");
    says(
        &place.run(["serve"]).await.with(4).stderr,
        &["experiments in app.db holds 1 row (not copied)"],
    );
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["first"]);
    // What the service deletes there is gone for good, and no reason.
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    service
        .ask("DELETE", &format!("/lab/experiments/{id}"), None)
        .await
        .with(204);
    service.stop().await;
    client.batch_execute("DELETE FROM experiments").await.unwrap();
    place.serve(&[]).await.stop().await;
}

/// A change of the group that every schema starts with is somebody's, on both sides.
#[tokio::test]
async fn a_default_group_that_was_changed_is_a_row_as_any_other() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, ONE_FILE, ON_FILES);
    place.serve(&[]).await.stop().await;
    let rename = "UPDATE synth_groups SET description = 'Standard'";
    world::file(&place.path("app.db")).execute_batch(rename).unwrap();
    configure(&place, &database, ONE_FILE, ON_SERVER);
    let refused = place.run(["serve"]).await.with(4);
    says(
        &refused.stderr,
        &["the SQLite table synth_groups in app.db holds 1 row (not copied)"],
    );
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    place.serve(&[]).await.stop().await;
    configure(&place, &database, ONE_FILE, ON_FILES);
    let service = place.serve(&[]).await;
    let groups = service.get("/lab/synth-groups/list").await.with(200).json();
    assert_eq!(groups["data"][0]["description"], "Standard", "{groups}");
    service.stop().await;
}

#[tokio::test]
async fn a_copy_does_not_delete_what_the_service_runs_on() {
    let (place, database) = (Place::new(), lab_database().await);
    moved(&place, &database).await;
    let service = place.serve(&[]).await;
    an_experiment(&service, "second").await;
    let url = database.url();
    for command in [
        &["copy", "--replace"][..],
        &["copy", "app.db", &url, "--replace", "--tables", "experiments"],
        &["copy", "--replace", "--context", "lab"],
    ] {
        let denied = place.run(command).await.with(4);
        says(
            &denied.stderr,
            &[
                "the configuration runs",
                "experiments",
                "carry them",
                "--replace-live",
            ],
        );
    }
    assert_eq!(experiments(&service).await, ["first", "second"]);
    // Other tables are nobody's business, and taking it all back deletes nothing.
    world::file(&place.path("other.db"))
        .execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        .unwrap();
    for _ in 0..2 {
        place.run(["copy", "other.db", "--replace"]).await.with(0);
    }
    place.run(["copy", "--replace", "--dry-run"]).await.with(0);
    service.stop().await;
    // The other way round it is the file's rows.
    configure(&place, &database, ONE_FILE, "default = \"sqlite\"");
    let denied = place.run(["copy", &url, "app.db", "--replace"]).await.with(4);
    says(&denied.stderr, &["the configuration runs", "experiments"]);
    // Whoever means it can.
    place.run(["copy", "--replace", "--replace-live"]).await.with(0);
    let client = database.connect().await;
    let rows = world::postgres_rows(&client, "SELECT name FROM experiments").await;
    assert_eq!(rows, ["first"]);
}

/// The runbook's step 6: what had moved alone goes home into the file, and then everything goes over together.
#[tokio::test]
async fn the_last_switch_takes_what_moved_before() {
    let (place, database) = (Place::new(), lab_database().await);
    let split = "default = \"sqlite\"\nexperiments = \"postgres\"";
    configure(&place, &database, ONE_FILE, ON_FILES);
    let service = place.serve(&[]).await;
    an_experiment(&service, "first").await;
    service.stop().await;
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    configure(&place, &database, ONE_FILE, split);
    let service = place.serve(&[]).await;
    an_experiment(&service, "second").await;
    service
        .post("/lab/synth-groups", &json!({"name": "g"}))
        .await
        .with(201);
    service.stop().await;
    // Life goes on, in both databases, whatever was copied when.
    place.serve(&[]).await.stop().await;

    let url = database.url();
    place.run(["copy", &url, "home.db"]).await.with(0);
    place.run(["verify", &url, "home.db"]).await.with(0);
    place.run(["copy", "--replace"]).await.with(4);
    configure(&place, &database, ONE_FILE, ON_FILES);
    place.run(["copy", "--replace"]).await.with(4);
    // Another file in its place would lose the group.
    let refused = place.run(["serve"]).await.with(4).stderr;
    says(
        &refused,
        &[
            "Others have never left the file",
            "put no other file in its place",
            "step 6",
        ],
    );
    assert!(!refused.contains("home.db"), "{refused}");
    let home = "ATTACH 'home.db' AS home; BEGIN IMMEDIATE; DELETE FROM experiments;
        INSERT INTO experiments SELECT * FROM home.experiments; COMMIT";
    let home = home.replace("home.db", &place.path("home.db").display().to_string());
    world::file(&place.path("app.db")).execute_batch(&home).unwrap();
    place.run(["verify", "--tables", "experiments"]).await.with(0);
    place.run(["copy", "--replace"]).await.with(0);
    place.run(["verify"]).await.with(0);
    configure(&place, &database, ONE_FILE, ON_SERVER);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["first", "second"]);
    let groups = service.get("/lab/synth-groups/list").await.with(200).json();
    assert_eq!(groups["pagination"]["total"], 2, "{groups}");
    service.stop().await;
}

#[tokio::test]
async fn each_context_goes_home_to_its_own_file() {
    const FILES: &str = "[lab]\nsqlite_path = \"lab.db\"\n[writer]\nsqlite_path = \"writer.db\"\n[market]\nsqlite_path = \"market.db\"";
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, FILES, ON_FILES);
    let conversations = "/writer/api/conversations";
    let day = |open: i64| json!({"date": "2024-01-02", "preMarket": 1, "open": open});
    let service = place.serve(&[]).await;
    an_experiment(&service, "first").await;
    service
        .post(conversations, &json!({"title": "first"}))
        .await
        .with(201);
    service.post("/market/prediction", &day(1)).await.with(200);
    service.stop().await;
    // Tables are looked for in the file that has them, and a trigger of our own is nothing that is lost.
    place.run(["copy", "--strict"]).await.with(0);
    place
        .run(["copy", "--replace", "--tables", "conversations,messages"])
        .await
        .with(0);
    place
        .run(["verify", "--tables", "experiments,conversations"])
        .await
        .with(0);
    let unknown = place
        .run(["copy", "--replace", "--tables", "conversation"])
        .await
        .with(2);
    says(
        &unknown.stderr,
        &["no table \"conversation\"", "lab.db", "writer.db", "market.db"],
    );
    place.run(["verify"]).await.with(0);
    configure(&place, &database, FILES, ON_SERVER);
    let service = place.serve(&[]).await;
    an_experiment(&service, "second").await;
    service
        .post(conversations, &json!({"title": "second"}))
        .await
        .with(201);
    service.post("/market/prediction", &day(2)).await.with(200);
    service.stop().await;

    // One file that holds everything is none for each.
    configure(&place, &database, FILES, ON_FILES);
    let refused = place.run(["serve"]).await.with(4);
    says(&refused.stderr, &["lab.db", "writer.db", "market.db"]);
    let url = database.url();
    for context in ["lab", "writer", "market"] {
        let home = format!("{context}-home.db");
        place
            .run(["copy", &url, &home, "--context", context])
            .await
            .with(0);
        place
            .run(["verify", &url, &home, "--context", context])
            .await
            .with(0);
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('experiments', 'conversations', 'price_logs')";
        assert_eq!(
            world::sqlite_value(&place.path(&home), tables),
            "1",
            "{home} holds one context"
        );
        std::fs::rename(place.path(&home), place.path(format!("{context}.db"))).unwrap();
        if context == "lab" {
            let refused = place.run(["serve"]).await.with(4);
            says(
                &refused.stderr,
                &["conversations: the PostgreSQL table", "writer.db"],
            );
        }
    }
    place.run(["verify"]).await.with(0);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["first", "second"]);
    let listed = service.get(conversations).await.with(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    let day = service.get("/market/day/2024-01-02").await.with(200).json();
    assert_eq!(day["open"], 2.0, "{day}");
    service.stop().await;
}

/// A file that is carried home in two turns is one that both applications are served from, as one that came in one turn is.
#[tokio::test]
async fn two_contexts_come_home_into_one_file_one_after_the_other() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, ONE_FILE, ON_FILES);
    let conversations = "/writer/api/conversations";
    let service = place.serve(&[]).await;
    service
        .post(conversations, &json!({"title": "first"}))
        .await
        .with(201);
    let day = json!({"date": "2024-01-02", "preMarket": 1, "open": 2});
    service.post("/market/prediction", &day).await.with(200);
    service.stop().await;
    place.run(["copy"]).await.with(0);
    let url = database.url();
    for context in ["writer", "market"] {
        for command in ["copy", "verify"] {
            place
                .run([command, &url, "two.db", "--context", context])
                .await
                .with(0);
        }
    }
    let both = ["--context", "writer", "--context", "market"];
    for command in ["copy", "verify"] {
        place
            .run([&[command, &url, "one-turn.db"][..], &both].concat())
            .await
            .with(0);
    }
    for file in ["two.db", "one-turn.db"] {
        let versions = ["writer", "market"].map(|context| {
            let sql = format!("SELECT max(version) FROM _cutover_migrations_{context}");
            world::sqlite_value(&place.path(file), &sql)
        });
        assert_eq!(versions, ["2", "3"], "{file}");
        let lab = "SELECT count(*) FROM sqlite_schema WHERE name = 'experiments'";
        assert_eq!(world::sqlite_value(&place.path(file), lab), "0", "{file}");
    }
    let absent = [
        "verify",
        "two.db",
        &url,
        "--context",
        "writer",
        "--context",
        "lab",
    ];
    let absent = place.run(absent).await.with(2);
    says(&absent.stderr, &["there is no table of the lab in", "two.db"]);
    configure(&place, &database, "[sqlite]\npath = \"two.db\"", ON_FILES);
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    place.run(["migrate", "check", "--on", "sqlite"]).await.with(0);
    let service = place.serve(&[]).await;
    let listed = service.get(conversations).await.with(200).json();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let day = service.get("/market/day/2024-01-02").await.with(200).json();
    assert_eq!(day["open"], 2.0, "{day}");
    service.stop().await;
}

/// A restored backup is compared with the running database: that says nothing about the file.
#[tokio::test]
async fn comparing_two_servers_databases_notes_nothing() {
    let (place, database, restored) = (Place::new(), lab_database().await, lab_database().await);
    moved(&place, &database).await;
    place.run(["copy", "app.db", &restored.url()]).await.with(0);
    let noted =
        "SELECT table_name, source, rows, max_rowid, digest, verified_at FROM cutover.ledger ORDER BY 1";
    let client = database.connect().await;
    let before = world::postgres_rows(&client, noted).await;
    place
        .run(["verify", &restored.url(), &database.url()])
        .await
        .with(0);
    assert_eq!(world::postgres_rows(&client, noted).await, before);
    let service = place.serve(&[]).await;
    assert_eq!(experiments(&service).await, ["first"]);
    service.stop().await;
}
