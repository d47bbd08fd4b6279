//! Repositories on different databases: what the configuration says, what the guard refuses, what crosses.

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::Connection;
use cutover_tests::store::lab_database;
use serde_json::{Value, json};

use crate::hostile::scorecard;
use crate::program::{Place, Service};
use crate::world;

fn configure(place: &Place, database: &TestDatabase, routes: &str) {
    let url = database.url();
    place.write(
        "cutover.toml",
        &format!("[sqlite]\npath = \"lab.db\"\n[postgres]\nurl = \"{url}\"\n[repositories]\n{routes}\n[server]\nlisten = \"127.0.0.1:0\"\n"),
    );
}

async fn counts(place: &Place, database: &TestDatabase, table: &str) -> (String, String) {
    let sql = format!("SELECT count(*) FROM {table}");
    let client = database.connect().await;
    (
        world::sqlite_value(&place.path("lab.db"), &sql),
        world::postgres_rows(&client, &sql).await.join("\n"),
    )
}

async fn an_experiment(service: &Service) -> String {
    let body = json!({"name": "n", "hypothesis": "h", "scorecard_data": scorecard("f")});
    let made = service.post("/lab/experiments", &body).await.with(201).json();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn experiments_on_postgresql_and_the_rest_in_the_file() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(
        &place,
        &database,
        "default = \"sqlite\"\nexperiments = \"postgres\"",
    );
    let service = place.serve(&[]).await;
    let ready = service.get("/readyz").await.with(200).json();
    assert_eq!(
        (
            &ready["databases"]["sqlite"]["status"],
            &ready["databases"]["postgres"]["status"]
        ),
        (&json!("ok"), &json!("ok"))
    );
    let id = an_experiment(&service).await;
    service
        .post("/lab/synth-groups", &json!({"name": "g"}))
        .await
        .with(201);
    assert_eq!(
        counts(&place, &database, "experiments").await,
        ("0".to_owned(), "1".to_owned())
    );
    assert_eq!(
        counts(&place, &database, "synth_groups").await,
        ("2".to_owned(), "1".to_owned())
    );
    assert_eq!(
        service
            .get(&format!("/lab/experiments/{id}"))
            .await
            .with(200)
            .json()["interview_count"],
        0
    );
    service.stop().await;
    // The same answers from where they are after a restart.
    let service = place.serve(&[]).await;
    service.get(&format!("/lab/experiments/{id}")).await.with(200);
    service.stop().await;
}

#[tokio::test]
async fn experiments_in_the_file_and_the_rest_on_postgresql() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(
        &place,
        &database,
        "default = \"postgres\"\nexperiments = \"sqlite\"",
    );
    let service = place.serve(&[]).await;
    an_experiment(&service).await;
    service
        .post("/lab/synth-groups", &json!({"name": "g"}))
        .await
        .with(201);
    assert_eq!(
        counts(&place, &database, "experiments").await,
        ("1".to_owned(), "0".to_owned())
    );
    assert_eq!(
        counts(&place, &database, "synth_groups").await,
        ("1".to_owned(), "2".to_owned())
    );
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["data"][0]["has_scorecard"], true);
    service.stop().await;
}

/// The children of an experiment in the other database are seen in its detail and in the list.
#[tokio::test]
async fn an_experiment_is_shown_with_what_lies_in_the_other_database() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(
        &place,
        &database,
        "default = \"postgres\"\nexperiments = \"sqlite\"",
    );
    let service = place.serve(&[]).await;
    let id = an_experiment(&service).await;
    let client = database.connect().await;
    let rows = format!(
        "INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('{id}', 'a copy', 'h', '2026-01-01Z');
         INSERT INTO analysis_runs (id, experiment_id, config, started_at) VALUES ('ana_1', '{id}', '{{\"n_executions\": 7}}', '2026-01-01Z');
         INSERT INTO research_executions (exec_id, experiment_id, topic_name, started_at, synth_count) VALUES ('batch_1', '{id}', 't', '2026-01-01Z', 1);
         INSERT INTO transcripts (exec_id, synth_id, synth_name, timestamp, turn_count) VALUES ('batch_1', 's', 'n', '2026-01-01Z', 3)"
    );
    client.batch_execute(&rows).await.unwrap();
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    let listed = &listed["data"][0];
    assert_eq!(
        [
            &listed["name"],
            &listed["has_analysis"],
            &listed["interview_count"]
        ],
        [&json!("n"), &json!(true), &json!(1)]
    );
    let detail = service
        .get(&format!("/lab/experiments/{id}"))
        .await
        .with(200)
        .json();
    assert_eq!(detail["analysis"]["n_executions"], 7);
    assert_eq!(detail["interviews"][0]["total_turns"], 3);
    service.stop().await;
}

async fn deleting_a_group_lets_go_of_its_synths(routes: &str, synths_on_postgres: bool) {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, routes);
    let arguments: &[&str] = &["--accept-empty"];
    let service = place.serve(arguments).await;
    // Rows of synths where they are at home, and the group in both places: in one of them it is a planted copy.
    if synths_on_postgres {
        world::populate_database(&database).await;
    } else {
        world::populate_file(&place.path("lab.db"));
    }
    let group = service
        .get("/lab/synth-groups/grp_00000001")
        .await
        .with(200)
        .json();
    assert_eq!(group["synth_count"], 2, "{group}");
    let members: Vec<&Value> = group["synths"]
        .as_array()
        .unwrap()
        .iter()
        .map(|synth| &synth["id"])
        .collect();
    assert_eq!(members, ["bbb222", "aaa111"]);
    service
        .ask("DELETE", "/lab/synth-groups/grp_00000001", None)
        .await
        .with(204);
    service.get("/lab/synth-groups/grp_00000001").await.with(404);
    let listed = service.get("/lab/synths/list").await.with(200).json();
    let of_groups: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|synth| &synth["synth_group_id"])
        .collect();
    assert_eq!(of_groups, [&Value::Null; 3]);
    let filtered = service
        .get("/lab/synths/list?synth_group_id=grp_00000001")
        .await
        .with(200)
        .json();
    assert_eq!(filtered["pagination"]["total"], 0);
    service.stop().await;
}

#[tokio::test]
async fn a_group_in_the_file_and_its_synths_on_postgresql() {
    deleting_a_group_lets_go_of_its_synths("default = \"sqlite\"\nsynths = \"postgres\"", true).await;
}

#[tokio::test]
async fn a_group_on_postgresql_and_its_synths_in_the_file() {
    deleting_a_group_lets_go_of_its_synths("default = \"postgres\"\nsynths = \"sqlite\"", false).await;
}

#[tokio::test]
async fn uncopied_rows_are_not_made_to_vanish_by_a_route() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, "default = \"sqlite\"");
    let service = place.serve(&[]).await;
    let id = an_experiment(&service).await;
    service.stop().await;

    configure(
        &place,
        &database,
        "default = \"sqlite\"\nexperiments = \"postgres\"",
    );
    let before = std::fs::read(place.path("lab.db")).unwrap();
    let ended = place.run(["serve"]).await.with(4);
    for part in ["experiments", "cutover copy", "cutover verify", "--accept-empty"] {
        assert!(
            ended.stderr.contains(part),
            "{part} is missing in: {}",
            ended.stderr
        );
    }
    assert_eq!(
        std::fs::read(place.path("lab.db")).unwrap(),
        before,
        "a refused start writes nothing"
    );
    // Only what is routed away is refused.
    configure(&place, &database, "default = \"sqlite\"\nsynths = \"postgres\"");
    place.serve(&[]).await.stop().await;

    configure(
        &place,
        &database,
        "default = \"sqlite\"\nexperiments = \"postgres\"",
    );
    let service = place.serve(&["--accept-empty"]).await;
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 0);
    service.stop().await;

    // Routed back, everything is there again.
    configure(&place, &database, "default = \"sqlite\"");
    let service = place.serve(&[]).await;
    service.get(&format!("/lab/experiments/{id}")).await.with(200);
    service.stop().await;
}

/// Also where no file is there any more that could tell of rows.
#[tokio::test]
async fn a_half_copied_table_is_not_served() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, "default = \"sqlite\"");
    let service = place.serve(&[]).await;
    an_experiment(&service).await;
    service.stop().await;
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    let interrupted = "UPDATE cutover.copy_run SET finished_at = NULL; DELETE FROM cutover.copy_table WHERE table_name <> 'experiments'";
    database.connect().await.batch_execute(interrupted).await.unwrap();
    std::fs::rename(place.path("lab.db"), place.path("away.db")).unwrap();

    configure(
        &place,
        &database,
        "default = \"sqlite\"\nexperiments = \"postgres\"",
    );
    let told = place.run(["status"]).await.with(0).stdout;
    assert!(
        told.contains("a copy of lab.db into its tables has not come to its end"),
        "{told}"
    );
    let refused = place.run(["serve"]).await.with(4).stderr;
    for part in [
        "a copy of lab.db",
        "has not come to its end",
        "  - experiments: the PostgreSQL table experiments",
        "--accept-empty",
    ] {
        assert!(refused.contains(part), "{part} is missing in: {refused}");
    }
    // Of others nothing is missing.
    configure(&place, &database, "default = \"sqlite\"\nsynths = \"postgres\"");
    place.serve(&[]).await.stop().await;
}

#[tokio::test]
async fn a_half_copied_file_is_not_served() {
    let place = Place::new();
    let execute = |place: &Place, sql: &str| {
        let connection = Connection::open(place.path("cutover.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    place.serve(&[]).await.stop().await;
    execute(
        &place,
        "CREATE TABLE _cutover_copy_run (source TEXT NOT NULL, fingerprint TEXT NOT NULL, started_at INTEGER NOT NULL, finished_at INTEGER);
         CREATE TABLE _cutover_progress (table_name TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, made INTEGER NOT NULL);
         INSERT INTO _cutover_copy_run VALUES ('postgres://u@h/d', 'f', 1, NULL);
         INSERT INTO _cutover_progress VALUES ('experiments', 'f', 0)",
    );
    for command in ["serve", "doctor", "status"] {
        let code = match command {
            "serve" => 4,
            "doctor" => 1,
            _ => 0,
        };
        let ended = place.run([command]).await.with(code);
        let told = ended.stdout + &ended.stderr;
        for part in ["a copy of postgres://u@h/d", "has not come to its end"] {
            assert!(told.contains(part), "{command}: {part} is missing in: {told}");
        }
        let refusal = told.contains("  - experiments: the SQLite table experiments");
        assert_eq!(refusal, command != "status", "{command}: {told}");
    }
    place.serve(&["--accept-empty"]).await.stop().await;
    execute(&place, "UPDATE _cutover_copy_run SET finished_at = 2");
    place.serve(&[]).await.stop().await;
}

#[tokio::test]
async fn what_was_copied_and_verified_may_move() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, "default = \"sqlite\"");
    let service = place.serve(&[]).await;
    let id = an_experiment(&service).await;
    service.stop().await;
    configure(
        &place,
        &database,
        "default = \"sqlite\"\nexperiments = \"postgres\"",
    );
    place.run(["copy"]).await.with(0);
    // A copy that nobody has proved is not enough.
    let ended = place.run(["serve"]).await.with(4);
    assert!(ended.stderr.contains("cutover verify"), "{}", ended.stderr);
    place.run(["verify"]).await.with(0);
    let service = place.serve(&[]).await;
    service.get(&format!("/lab/experiments/{id}")).await.with(200);
    // Life goes on over there, and the next start does not mind.
    an_experiment(&service).await;
    service.stop().await;
    let service = place.serve(&[]).await;
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 2);
    service.stop().await;
}

/// Counts and rowids do not tell a changed value. Neither do planted rows, restarts or a file that is gone look like one.
#[tokio::test]
async fn a_row_that_was_changed_after_it_was_verified_does_not_vanish() {
    let (place, database) = (Place::new(), lab_database().await);
    let (on_file, on_server) = ("default = \"sqlite\"", "default = \"postgres\"");
    configure(&place, &database, on_file);
    let service = place.serve(&[]).await;
    let experiment = format!("/lab/experiments/{}", an_experiment(&service).await);
    let conversation = json!({"title": "first"});
    let made = service
        .post("/writer/api/conversations", &conversation)
        .await
        .with(201)
        .json();
    let conversation = format!("/writer/api/conversations/{}", made["id"].as_str().unwrap());
    let day = |low: i64| json!({"date": "2025-03-03", "predLow": low});
    service
        .post("/market/prediction/2025-03-03", &day(100))
        .await
        .with(200);
    service.stop().await;
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    let verified = std::fs::read(place.path("lab.db")).unwrap();

    let service = place.serve(&[]).await;
    let renamed = json!({"name": "renamed"}).to_string();
    service.ask("PUT", &experiment, Some(&renamed)).await.with(200);
    let titled = json!({"title": "second"}).to_string();
    service.ask("PUT", &conversation, Some(&titled)).await.with(200);
    service
        .post("/market/prediction/2025-03-03", &day(101))
        .await
        .with(200);
    service.stop().await;

    configure(&place, &database, on_server);
    let refused = place.run(["serve"]).await.with(4).stderr;
    let examined = place.run(["doctor"]).await.with(1).stdout;
    for table in ["experiments", "conversations", "daily_predictions"] {
        let told = format!("the SQLite table {table} in lab.db holds 1 row (changed since it was verified)");
        assert!(
            refused.contains(&told) && examined.contains(&told),
            "{refused}\n{examined}"
        );
    }
    assert!(
        refused.contains("`cutover copy` and `cutover verify` first"),
        "{refused}"
    );
    let status = place.run(["status"]).await.with(0).stdout;
    let changed = status
        .lines()
        .filter(|line| line.ends_with("changed since it was verified"));
    assert_eq!(changed.count(), 3, "{status}");

    // The way out is the usual one, and later starts mind neither the file as it was nor that it is gone.
    place.run(["copy", "--replace", "--replace-live"]).await.with(0);
    place.run(["verify"]).await.with(0);
    for _ in 0..2 {
        let service = place.serve(&[]).await;
        assert_eq!(service.get(&experiment).await.with(200).json()["name"], "renamed");
        service
            .ask("PUT", &experiment, Some(&json!({"name": "last"}).to_string()))
            .await
            .with(200);
        service.ask("PUT", &experiment, Some(&renamed)).await.with(200);
        service.stop().await;
    }
    // A later version of the schema is no change of what was verified.
    world::file(&place.path("lab.db"))
        .execute_batch("ALTER TABLE experiments ADD COLUMN later TEXT DEFAULT 'x'")
        .unwrap();
    place.serve(&[]).await.stop().await;
    // Somebody else writes to the file: that is no time for a copy.
    world::file(&place.path("lab.db"))
        .execute_batch("UPDATE experiments SET name = 'by another'")
        .unwrap();
    let refused = place.run(["serve"]).await.with(4).stderr;
    for part in [
        "run on PostgreSQL already",
        "table experiments in lab.db holds 1 row (changed",
        "move the file away",
    ] {
        assert!(refused.contains(part), "{part} is missing in: {refused}");
    }
    assert!(!refused.contains("`cutover copy`"), "{refused}");
    std::fs::remove_file(place.path("lab.db")).unwrap();
    place.serve(&[]).await.stop().await;
    // An older file in its place is not what was verified.
    std::fs::write(place.path("lab.db"), verified).unwrap();
    place.run(["serve"]).await.with(4);
}

/// What routing itself does to the file while it is split is no change of somebody's.
#[tokio::test]
async fn rows_planted_and_let_go_by_routing_are_no_changes() {
    let (place, database) = (Place::new(), lab_database().await);
    configure(&place, &database, "default = \"sqlite\"");
    let service = place.serve(&[]).await;
    let first = an_experiment(&service).await;
    service.stop().await;
    world::populate_file(&place.path("lab.db"));
    place.run(["copy"]).await.with(0);
    place.run(["verify"]).await.with(0);
    configure(
        &place,
        &database,
        "default = \"sqlite\"\nexperiments = \"postgres\"\nsynth_groups = \"postgres\"",
    );
    let service = place.serve(&[]).await;
    let second = an_experiment(&service).await;
    for id in [&first, &second] {
        let guide = json!({"context_definition": "c", "questions": "q", "context_examples": "e"});
        let path = format!("/lab/experiments/{id}/interview-guide");
        service.ask("PUT", &path, Some(&guide.to_string())).await;
    }
    service
        .ask("DELETE", "/lab/synth-groups/grp_00000001", None)
        .await
        .with(204);
    service.stop().await;
    let service = place.serve(&[]).await;
    let listed = service.get("/lab/experiments/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 2);
    service.stop().await;
}
