//! The guide's two roles, and what `doctor` says where a start is refused.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::tokio_postgres::Client;
use serde_json::json;

use crate::program::{Ended, Place};
use crate::world;

const ROLES: &str = include_str!("../../docker/init/01-roles.sql");

/// A database with the documented roles, migrated by the owner; its URLs for the owner and the service.
async fn as_in_the_guide(place: &Place) -> (TestServer, String, String) {
    let server = TestServer::start(TestServerOptions::default()).await;
    server.execute(ROLES).await;
    let [owner, service] = ["cutover_owner", "cutover_service"]
        .map(|role| server.url().replace("postgres@", &format!("{role}@")));
    place
        .run(["migrate", "up", "--on", "postgres", "--postgres", &owner])
        .await
        .with(0);
    (server, owner, service)
}

async fn doctor(place: &Place, url: &str) -> Ended {
    place
        .run(["doctor", "--postgres", url, "--repository", "default=postgres"])
        .await
}

async fn refused_start(place: &Place, url: &str) -> Ended {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--postgres", url];
    place
        .run(arguments.iter().chain(&["--repository", "default=postgres"]))
        .await
        .with(4)
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn the_service_creates_in_every_context_and_the_owner_does_the_rest() {
    let place = Place::new();
    let (server, owner, service) = as_in_the_guide(&place).await;
    let running = place
        .serve(&["--postgres", &service, "--repository", "default=postgres"])
        .await;
    let experiment = json!({"name": "n", "hypothesis": "h"});
    running.post("/lab/experiments", &experiment).await.with(201);
    let group = json!({"name": "g"});
    running.post("/lab/synth-groups", &group).await.with(201);
    let conversation = json!({"title": "t"});
    running
        .post("/writer/api/conversations", &conversation)
        .await
        .with(201);
    let day = json!({"date": "2024-01-02", "preMarket": 1, "open": 2});
    running.post("/market/prediction", &day).await.with(200);
    let price = json!({"date": "2024-01-02", "checkpoint": "open", "price": 5});
    running.post("/market/log/open", &price).await.with(200);
    let log = running.stop().await;
    assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");
    let client = server.connect().await;
    let made = "SELECT (SELECT count(*) FROM experiments), (SELECT count(*) FROM conversations), (SELECT count(*) FROM price_logs),
        (SELECT count(*) FROM cutover.served)";
    assert_eq!(world::postgres_rows(&client, made).await, ["1|1|1|23"]);

    // Least rights are no reason to worry.
    let examined = doctor(&place, &service).await.with(0);
    says(
        &examined.stdout,
        &[
            "ok          rights: may not make tables",
            "nothing is in the way of cutover serve",
        ],
    );
    let warnings: Vec<&str> = examined
        .stdout
        .lines()
        .filter(|line| line.contains("warning  "))
        .collect();
    assert!(
        warnings
            .iter()
            .all(|line| line.contains("cutover.db does not exist yet")),
        "{warnings:?}"
    );

    // What only the owner can do is refused, with the way out.
    world::file(&place.path("other.db"))
        .execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
        .unwrap();
    for command in [
        &["migrate", "up", "--on", "postgres"][..],
        &["migrate", "check", "--on", "postgres"],
        &["copy", "other.db"],
    ] {
        let denied = place
            .run(command.iter().chain(&["--postgres", &service]))
            .await
            .with(4);
        says(&denied.stderr, &["permission denied", "run this as the owner"]);
        place
            .run(command.iter().chain(&["--postgres", &owner]))
            .await
            .with(0);
    }
    let checked = place
        .run(["migrate", "check", "--on", "postgres", "--postgres", &owner])
        .await;
    let notes: Vec<&str> = checked
        .stdout
        .lines()
        .filter(|line| line.contains("note: "))
        .collect();
    assert_eq!(
        notes, ["  note: t: an additional table"; 3],
        "the contexts know each other"
    );
}

#[tokio::test]
async fn doctor_finds_what_a_start_is_refused_for() {
    let place = Place::new();
    let (server, owner, service) = as_in_the_guide(&place).await;
    let migrate = async |arguments: &[&str]| {
        let there = ["--on", "postgres", "--postgres", &owner];
        let all = ["migrate"].iter().chain(arguments).chain(&there);
        place.run(all).await.with(0);
    };
    let both = async |parts: &[&str]| {
        says(&refused_start(&place, &service).await.stderr, parts);
        let examined = doctor(&place, &service).await.with(1);
        says(&examined.stdout, parts);
        says(&examined.stdout, &["cutover serve would end with 4"]);
    };

    migrate(&["down", "--context", "lab", "--steps", "1"]).await;
    both(&[
        "the lab's schema on postgres is at version 1 of 2",
        "cutover migrate up --on postgres",
    ])
    .await;
    migrate(&["up"]).await;

    // The roles as they were once documented, on a database that was migrated then.
    server
        .execute("REVOKE USAGE ON ALL SEQUENCES IN SCHEMA public FROM cutover_service")
        .await;
    both(&[
        "conversations_position_seq, messages_position_seq",
        "cutover migrate up --on postgres as the owner",
    ])
    .await;
    migrate(&["up"]).await;
    doctor(&place, &service).await.with(0);

    server.execute("DROP SCHEMA cutover CASCADE").await;
    both(&["the lab's schema on postgres is at version 0 of 2"]).await;
}

#[tokio::test]
async fn a_directory_that_takes_no_files_is_found() {
    let place = Place::new();
    place.run(["migrate", "up"]).await.with(0);
    let database = place.path("cutover.db");
    let directory = database.parent().unwrap();
    // `nobody` if we are root, whom no permission stops.
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let user = is_root.then_some(65_534);
    let allow = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    allow(&database, 0o666);
    allow(directory, 0o555);
    place
        .run_by(user, ["serve", "--listen", "127.0.0.1:0"])
        .await
        .with(3);
    let examined = place.run_by(user, ["doctor"]).await.with(3);
    says(
        &examined.stdout,
        &["problem     writable: no file can be made in "],
    );
    let absent = place
        .run_by(user, ["doctor", "--sqlite", "absent.db"])
        .await
        .with(1);
    says(
        &absent.stdout,
        &["problem     file: absent.db does not exist yet, and no file can be made"],
    );
    allow(directory, 0o755);
}

/// The second key of the lock of a context's migrations.
fn lock_key(context: &str) -> u32 {
    context.bytes().fold(0, |key: u32, byte| {
        (key.wrapping_mul(31).wrapping_add(byte.into())) & 0x7fff_ffff
    })
}

/// Locks the migrations of these contexts, as a pooler does that keeps a session; returns the server's process.
async fn lock(client: &Client, contexts: &[&str]) -> i32 {
    for context in contexts {
        let sql = format!("SELECT pg_advisory_lock(1131770928, {})", lock_key(context));
        client.batch_execute(&sql).await.unwrap();
    }
    client
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0)
}

#[tokio::test]
async fn a_lock_that_was_left_behind_is_told_with_who_holds_it() {
    let place = Place::new();
    let (server, _, service) = as_in_the_guide(&place).await;
    let holder = server.connect().await;
    let process = lock(&holder, &["lab", "writer", "market"]).await;
    let held = format!("process {process} of the server");
    let examined = doctor(&place, &service).await.with(0);
    says(
        &examined.stdout,
        &[
            "warning     start: the writer's schema is locked by a migration",
            &held,
            &format!("SELECT pg_terminate_backend({process})"),
        ],
    );
    let status = ["migrate", "status", "--on", "postgres", "--postgres", &service];
    says(
        &place.run(status).await.with(0).stdout,
        &["a migration is running just now", &held],
    );
    // A start says what it waits for, and waits once.
    let begun = std::time::Instant::now();
    let running = place
        .serve(&["--postgres", &service, "--repository", "default=postgres"])
        .await;
    assert!(begun.elapsed().as_secs() < 9, "{:?}", begun.elapsed());
    let log = running.stop().await;
    says(
        &log,
        &[
            "waiting for at most 5 s: the lab's schema is locked by a migration",
            &held,
        ],
    );
}
