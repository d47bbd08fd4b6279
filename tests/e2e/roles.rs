//! The guide's two roles, and what `doctor` says where a start is refused.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::rusqlite::Connection;
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

    for (spoil, mend, parts) in [
        (
            "REVOKE INSERT ON cutover.served FROM cutover_service",
            "GRANT INSERT ON cutover.served TO cutover_service",
            &[
                "cutover_service may not INSERT on cutover.served",
                "GRANT INSERT ON cutover.served TO cutover_service",
            ][..],
        ),
        (
            "REVOKE ALL ON cutover.planted_rows FROM cutover_service",
            "GRANT ALL ON cutover.planted_rows TO cutover_service",
            &["GRANT SELECT, INSERT, DELETE ON cutover.planted_rows TO cutover_service"],
        ),
        (
            "ALTER TABLE synths ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE synths DISABLE ROW LEVEL SECURITY",
            &["row-level security is active for cutover_service on synths"],
        ),
        (
            "ALTER ROLE cutover_service SET search_path = nope",
            "ALTER ROLE cutover_service RESET search_path",
            &[
                "no default schema",
                "GRANT USAGE ON SCHEMA public TO cutover_service",
            ],
        ),
    ] {
        server.execute(spoil).await;
        both(parts).await;
        server.execute(mend).await;
        doctor(&place, &service).await.with(0);
    }

    server.execute("DROP SCHEMA cutover CASCADE").await;
    both(&["the lab's schema on postgres is at version 0 of 2"]).await;
}

#[tokio::test]
async fn status_without_a_right_is_refused_with_the_grant() {
    let place = Place::new();
    let (server, owner, service) = as_in_the_guide(&place).await;
    // With something in the ledger, which a copy makes.
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    place.run(["copy", "--postgres", &owner]).await.with(0);
    for table in ["synths", "cutover.planted_rows", "cutover.ledger"] {
        server
            .execute(&format!("REVOKE SELECT ON {table} FROM cutover_service"))
            .await;
        let denied = place.run(["status", "--postgres", &service]).await.with(4);
        says(
            &denied.stderr,
            &[&format!("GRANT SELECT ON {table} TO cutover_service")],
        );
        refused_start(&place, &service).await;
        let examined = doctor(&place, &service).await.with(1);
        says(
            &examined.stdout,
            &[&format!("GRANT SELECT ON {table} TO cutover_service")],
        );
        server
            .execute(&format!("GRANT SELECT ON {table} TO cutover_service"))
            .await;
    }
    place.run(["status", "--postgres", &service]).await.with(0);
}

/// What a policy hides is neither counted as if there were nothing, nor left behind on a way back, nor lost on the way down.
#[tokio::test]
async fn rows_that_a_policy_hides_are_not_taken_for_none() {
    let place = Place::new();
    let (server, owner, service) = as_in_the_guide(&place).await;
    let start = ["--postgres", &service, "--repository", "default=postgres"];
    let running = place.serve(&start).await;
    let experiment = json!({"name": "n", "hypothesis": "h"});
    running.post("/lab/experiments", &experiment).await.with(201);
    let hide = "ALTER TABLE experiments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY";
    server.execute(hide).await;
    running.get("/lab/experiments/list").await.with(500);
    running.stop().await;
    let active = "row-level security is active for cutover_service on experiments";
    let back = ["serve", "--listen", "127.0.0.1:0", "--postgres", &service];
    let refused = place
        .run(back.iter().chain(&["--repository", "default=sqlite"]))
        .await
        .with(4);
    let shown = place.run(["status", "--postgres", &service]).await.with(4);
    for ended in [refused, shown] {
        says(&ended.stderr, &[active, "ALTER ROLE cutover_service BYPASSRLS"]);
    }
    let down = [
        "migrate",
        "down",
        "--on",
        "postgres",
        "--to",
        "0",
        "--context",
        "lab",
    ];
    let down = place
        .run(down.iter().chain(&["--postgres", &owner]))
        .await
        .with(4);
    says(
        &down.stderr,
        &["row-level security", "\"experiments\"", "BYPASSRLS"],
    );
}

#[tokio::test]
async fn a_column_that_somebody_renamed_is_found() {
    let place = Place::new();
    let (server, owner, service) = as_in_the_guide(&place).await;
    server.execute("CREATE INDEX by_name ON experiments (name)").await;
    let examined = doctor(&place, &owner).await.with(0);
    says(
        &examined.stdout,
        &["warning     schema: the lab's schema is not as migrations make it: experiments.by_name"],
    );
    says(
        &examined.stdout,
        &["ok          schema: the writer's is as migrations make it"],
    );
    server
        .execute("ALTER TABLE experiments RENAME COLUMN hypothesis TO guess")
        .await;
    for url in [&owner, &service] {
        let examined = doctor(&place, url).await.with(1);
        says(
            &examined.stdout,
            &["problem     schema: parts of the lab's schema are missing: experiments.hypothesis"],
        );
    }
    server.execute("ALTER TABLE synths RENAME TO synx").await;
    let refused = refused_start(&place, &service).await;
    says(
        &refused.stderr,
        &[
            "cannot be served",
            "experiments.hypothesis (the column is missing), synths (the table is missing)",
        ],
    );
}

#[tokio::test]
async fn what_is_gone_of_a_file_is_found() {
    let place = Place::new();
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    let file = Connection::open(place.path("cutover.db")).unwrap();
    // What some old files lack, what somebody has added, and what is another name to nobody.
    file.execute_batch(
        "ALTER TABLE research_executions DROP COLUMN additional_context;
         ALTER TABLE synths ADD COLUMN note; CREATE TABLE more (x); ALTER TABLE synths RENAME COLUMN nome TO Nome",
    )
    .unwrap();
    place.serve(&[]).await.stop().await;
    file.execute_batch("DROP TABLE messages; ALTER TABLE experiments RENAME COLUMN hypothesis TO hyp")
        .unwrap();
    let examined = place.run(["doctor"]).await.with(1);
    says(
        &examined.stdout,
        &[
            "problem     schema: parts of the lab's schema are missing: experiments.hypothesis (the column is missing)\n",
            "problem     schema: parts of the writer's schema are missing: messages (the table is missing)\n",
            "→ see `cutover migrate check --on sqlite`, and put back what somebody has changed, or a backup",
            "ok          schema: the market's is as migrations make it",
        ],
    );
    assert!(!examined.stdout.contains("migrate up"), "{}", examined.stdout);
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let refused = place.run(serve).await.with(4);
    says(
        &refused.stderr,
        &[
            "the lab's schema in the SQLite file cutover.db cannot be served",
            "not all of it is there: experiments.hypothesis (the column is missing); see `cutover migrate check",
        ],
    );
    // Nobody is asked for what does not run there.
    place.write("cutover.toml", "[lab]\nenabled = false");
    let refused = place.run(serve).await.with(4);
    says(
        &refused.stderr,
        &["the writer's schema", "messages (the table is missing)"],
    );
    let (_server, _, service) = as_in_the_guide(&place).await;
    let moved = ["--postgres", &service, "--repository", "conversations=postgres"];
    place.serve(&moved).await.stop().await;
}

/// What is written once such a database takes writes would be missed by the guards of the way back.
#[tokio::test]
async fn a_first_start_wants_to_be_noted() {
    let place = Place::new();
    let (server, _, service) = as_in_the_guide(&place).await;
    let client = server.connect().await;
    let read_only = "ALTER DATABASE postgres SET default_transaction_read_only = on";
    let writable = "ALTER DATABASE postgres RESET default_transaction_read_only";
    client.batch_execute(read_only).await.unwrap();
    let refused = refused_start(&place, &service).await;
    says(
        &refused.stderr,
        &["PostgreSQL takes no writes", "which repositories run there"],
    );
    says(
        &doctor(&place, &service).await.with(1).stdout,
        &["PostgreSQL takes no writes"],
    );
    client.batch_execute(writable).await.unwrap();
    let start = ["--postgres", &service, "--repository", "default=postgres"];
    place.serve(&start).await.stop().await;
    // Later ones have nothing to note.
    client.batch_execute(read_only).await.unwrap();
    let running = place.serve(&start).await;
    running.get("/lab/experiments/list").await.with(200);
    running.stop().await;
    let back = ["serve", "--listen", "127.0.0.1:0", "--postgres", &service];
    let back = back.iter().chain(&["--repository", "default=sqlite"]);
    says(
        &place.run(back).await.with(4).stderr,
        &["PostgreSQL takes no writes"],
    );
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_not_migrated() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    server
        .execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
        .await;
    let migrate = ["migrate", "up", "--on", "postgres", "--postgres", &server.url()];
    says(
        &place.run(migrate).await.with(4).stderr,
        &[
            "PostgreSQL takes no writes",
            "default_transaction_read_only",
            "the address of the primary",
        ],
    );
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
