//! PostgreSQL away: at the start, and killed under the running service.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cutover_tests::postgres::{TcpOptions, TestServer, TestServerOptions};
use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::program::{PATIENCE, Place};
use crate::service::wait_until;
use crate::world;

/// Every command that needs PostgreSQL.
fn commands(place: &Place, url: &str) -> Vec<Vec<String>> {
    let file = place.path("cutover.db").display().to_string();
    let commands: [&[&str]; 7] = [
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--postgres",
            url,
            "--repository",
            "default=postgres",
        ],
        &["migrate", "up", "--on", "postgres", "--postgres", url],
        &["migrate", "status", "--on", "postgres", "--postgres", url],
        &["copy", &file, url],
        &["copy", url, &file],
        &["verify", &file, url],
        &["status", "--postgres", url],
    ];
    commands
        .iter()
        .map(|command| command.iter().map(|&word| word.to_owned()).collect())
        .collect()
}

async fn all_end_with_three(url: &str) {
    let place = Place::new();
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    for arguments in commands(&place, url) {
        let ended = place.run(&arguments).await.with(3);
        assert!(
            ended.took < Duration::from_secs(5),
            "{arguments:?} took {:?}",
            ended.took
        );
        let said = ended.said();
        assert_eq!(said.len(), 1, "one line: {ended:?}");
        assert!(said[0].starts_with("cutover: "), "{said:?}");
        assert!(said[0].contains("127.0.0.1"), "it says where: {said:?}");
        assert!(!said[0].contains("hunter2"), "{said:?}");
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    // It is asked for findings, and this is one.
    let ended = place.run(["doctor", "--postgres", url]).await.with(3);
    assert!(ended.took < Duration::from_secs(5), "{:?}", ended.took);
    assert!(
        ended.stdout.contains("127.0.0.1") && !ended.stdout.contains("hunter2"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_refused_connection_is_one_clear_line_and_three() {
    // A port that nobody listens on: taken and given back.
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    all_end_with_three(&format!("postgres://u:hunter2@127.0.0.1:{port}/d")).await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    all_end_with_three(&format!("postgres://u:hunter2@127.0.0.1:{port}/d")).await;
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_as_such() {
    let server = TestServer::start(TestServerOptions {
        tcp: Some(TcpOptions {
            password: Some("right".to_owned()),
            ..TcpOptions::default()
        }),
        ..TestServerOptions::default()
    })
    .await;
    let place = Place::new();
    let (right, port) = (server.tcp_url(), server.tcp_port());
    for (url, part) in [
        (right.replace(":right@", ":hunter2@"), "password"),
        (
            format!("postgres://nobody:hunter2@127.0.0.1:{port}/postgres"),
            "nobody",
        ),
        (
            right
                .replace("/postgres", "/nowhere")
                .replacen("/nowhere:", "/postgres:", 1),
            "nowhere",
        ),
    ] {
        let url = url.replace("postgres:///", "postgres://");
        for command in [
            &["migrate", "up", "--on", "postgres"][..],
            &["serve", "--listen", "127.0.0.1:0"],
        ] {
            let arguments =
                command
                    .iter()
                    .copied()
                    .chain(["--postgres", &url, "--repository", "default=postgres"]);
            let ended = place.run(arguments).await.with(3);
            let said = ended.said();
            assert_eq!(said.len(), 1, "{ended:?}");
            assert!(said[0].contains(part), "{part} is missing in {said:?}");
            assert!(!said[0].contains("hunter2"), "{said:?}");
        }
    }
}

#[tokio::test]
async fn a_file_that_holds_something_else_is_not_taken_for_ours() {
    let place = Place::new();
    let theirs = "CREATE TABLE invoices (id INTEGER PRIMARY KEY)";
    world::file(&place.path("theirs.db"))
        .execute_batch(theirs)
        .unwrap();
    let refused = place.run(["serve", "--sqlite", "theirs.db"]).await.with(4);
    assert!(
        refused
            .stderr
            .contains("the SQLite file theirs.db holds something else and nothing of the lab's: is that the file you mean?"),
        "{}",
        refused.stderr
    );
}

/// What a start has begun in vain is no other's, and the next one goes on with it.
#[tokio::test]
async fn a_start_that_finds_no_room_says_so_and_the_next_one_makes_the_file() {
    let place = Place::new();
    // SQLite meets the limit as it meets a disk that takes no more.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" serve --listen 127.0.0.1:0";
    let ended = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_cutover")])
        .env_clear()
        .current_dir(place.path(""))
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(3), "{told}");
    let begun = "the SQLite file cutover.db: version 1 (initial) of the schema lab could not go up: the system cannot";
    assert!(told.contains(begun), "{told}");
    place.serve(&[]).await.stop().await;
}

#[tokio::test]
async fn a_damaged_file_ends_with_three_and_what_to_do() {
    let place = Place::new();
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    let mut bytes = std::fs::read(place.path("cutover.db")).unwrap();
    bytes[100..200].fill(0x5a);
    std::fs::write(place.path("cutover.db"), bytes).unwrap();
    for command in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate", "up", "--on", "sqlite"],
        &["migrate", "status", "--on", "sqlite"],
        &["status"],
        &["doctor"],
    ] {
        let ended = place.run(command).await.with(3);
        let told = ended.stdout + &ended.stderr;
        assert!(
            told.contains("cutover.db") && told.contains("restore a backup"),
            "{command:?}: {told}"
        );
    }
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_refused_with_the_command_that_makes_it() {
    let database = cutover_tests::postgres::TestDatabase::create().await;
    let place = Place::new();
    let url = database.url();
    let ended = place
        .run(["serve", "--listen", "127.0.0.1:0", "--postgres", &url])
        .await
        .with(4);
    assert!(
        ended.stderr.contains("cutover migrate up --on postgres"),
        "{}",
        ended.stderr
    );
    place.run(["migrate", "up", "--postgres", &url]).await.with(0);
    let service = place.serve(&["--postgres", &url]).await;
    service.get("/lab/experiments/list").await.with(200);
    service.stop().await;
}

/// The first server is silent, the second takes no writes, and the tables belong into a schema that only the URL names.
#[tokio::test]
async fn migrations_the_start_and_readiness_follow_the_url_as_the_pool_does() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = |settings: &[(&str, &str)]| {
        let settings = settings
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        TestServer::start(TestServerOptions {
            tcp: Some(TcpOptions::default()),
            settings: settings.collect(),
            ..TestServerOptions::default()
        })
    };
    let standby = start(&[("default_transaction_read_only", "on")]).await;
    let server = start(&[]).await;
    server.execute("CREATE SCHEMA app").await;
    let url = format!(
        "postgres://postgres@127.0.0.1:{},127.0.0.1:{},127.0.0.1:{}/postgres?target_session_attrs=read-write&options=-csearch_path%3Dapp",
        silent.local_addr().unwrap().port(),
        standby.tcp_port(),
        server.tcp_port()
    );
    let place = Place::new();
    let service = place.serve_on_postgres(&url).await;
    let ready = service.get("/readyz").await.with(200).json();
    assert_eq!(ready["databases"]["postgres"]["status"], "ok", "{ready}");
    let group = json!({"id": "grp_0000000a", "name": "n"});
    service.post("/lab/synth-groups", &group).await.with(201);
    service.stop().await;

    let client = server.connect().await;
    let stored = world::postgres_rows(&client, "SELECT id FROM app.synth_groups ORDER BY id").await;
    assert_eq!(stored, ["grp_00000001", "grp_0000000a"]);
    let elsewhere = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    for client in [client, standby.connect().await] {
        assert_eq!(world::postgres_rows(&client, elsewhere).await, ["0"]);
    }
}

#[tokio::test]
async fn a_database_that_takes_no_writes_says_so_until_it_takes_them_again() {
    let server = TestServer::start(TestServerOptions::default()).await;
    let place = Place::new();
    let service = place.serve_on_postgres(&server.url()).await;
    let group = json!({"id": "grp_0000000a", "name": "n"});
    let refused = async |reason: &str| {
        let answer = service.post("/lab/synth-groups", &group).await.with(503).json();
        let message = format!("The database takes no writes: {reason}");
        assert_eq!(
            answer,
            json!({"error": {"code": "DATABASE_ERROR", "message": message}})
        );
        service.get("/lab/synth-groups/list").await.with(200);
    };

    server
        .execute("ALTER SYSTEM SET default_transaction_read_only = on")
        .await;
    server.execute("SELECT pg_reload_conf()").await;
    let deadline = Instant::now() + PATIENCE;
    while service.get("/readyz").await.status == 200 {
        assert!(Instant::now() < deadline, "it stays ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let state = service.get("/readyz").await.with(503).json();
    let of_postgres = &state["databases"]["postgres"];
    assert_eq!(of_postgres["status"], "unwritable", "{state}");
    assert_eq!(of_postgres["category"], "unwritable", "{state}");
    let page = service.get("/").await.with(200).text();
    assert!(page.contains("takes no writes"), "{page}");
    refused("it is a standby, or its transactions are read-only").await;

    server
        .execute("ALTER SYSTEM RESET default_transaction_read_only")
        .await;
    server.execute("SELECT pg_reload_conf()").await;
    while service.get("/readyz").await.status != 200 {
        assert!(Instant::now() < deadline, "it does not get ready again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server
        .execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END$$;
             CREATE TRIGGER full_disk BEFORE INSERT ON synth_groups EXECUTE FUNCTION full_disk()",
        )
        .await;
    refused("there is no room left on its disk").await;
    server.execute("DROP TRIGGER full_disk ON synth_groups").await;
    service.post("/lab/synth-groups", &group).await.with(201);
    service.stop().await;
}

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Made,
    Unknown,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_the_service_it_costs_errors_only_while_it_is_away() {
    let mut server = TestServer::start(TestServerOptions {
        tcp: Some(TcpOptions::default()),
        ..TestServerOptions::default()
    })
    .await;
    let place = Place::new();
    let url = server.tcp_url();
    let service = place.serve_on_postgres(&url).await;

    // Eight clients write without a pause; what they are told is held against the database afterwards.
    let (next, stop, failed) = (AtomicU32::new(1), AtomicBool::new(false), AtomicU32::new(0));
    // When the first and the last of them were told that it is away.
    let told = Mutex::new(None::<(Instant, Instant)>);
    let client = async || {
        let mut fates = BTreeMap::new();
        while !stop.load(Ordering::Relaxed) {
            let id = format!("grp_{:08x}", 0x1000 + next.fetch_add(1, Ordering::Relaxed));
            let body = json!({"id": id, "name": format!("name of {id}"), "description": "d".repeat(500)})
                .to_string();
            let answer = service
                .try_ask("POST", "/lab/synth-groups", &body)
                .await
                .expect("the service itself stays up");
            let fate = match answer.status {
                201 => Fate::Made,
                503 => {
                    let away = "The database is not available, try again";
                    let unknown = "The database did not say whether this was done: look before trying again";
                    let says = |text| json!({"error": {"code": "DATABASE_ERROR", "message": text}});
                    assert!(
                        [says(away), says(unknown)].contains(&answer.json()),
                        "{}",
                        answer.text()
                    );
                    failed.fetch_add(1, Ordering::Relaxed);
                    let mut told = told.lock().unwrap();
                    let first = told.map_or_else(Instant::now, |(first, _)| first);
                    *told = Some((first, Instant::now()));
                    Fate::Unknown
                }
                status => panic!("{status} {}", answer.text()),
            };
            fates.insert(id, fate);
        }
        fates
    };
    let drama = async {
        wait_until(|| async { next.load(Ordering::Relaxed) > 100 }).await;
        let away = Instant::now();
        server.kill_9().await;
        wait_until(|| async { failed.load(Ordering::Relaxed) > 0 }).await;
        let asked = Instant::now();
        let unready = service.get("/readyz").await.with(503).json();
        assert_eq!(unready["status"], "unavailable");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        service.get("/healthz").await.with(200);
        service.get("/lab/synths/list").await.with(503);
        server.start_again().await;
        let back = Instant::now();
        wait_until(|| async { service.get("/readyz").await.status == 200 }).await;
        assert!(
            back.elapsed() < Duration::from_secs(2),
            "it took {:?} to come back",
            back.elapsed()
        );
        let before = next.load(Ordering::Relaxed);
        wait_until(|| async { next.load(Ordering::Relaxed) > before + 100 }).await;
        stop.store(true, Ordering::Relaxed);
        let (first, last) = told.lock().unwrap().unwrap();
        assert!(first >= away, "an error while it was there");
        let late = last.saturating_duration_since(back);
        assert!(
            late < Duration::from_secs(2),
            "still an error {late:?} after it was back"
        );
    };
    let (fates, ()) = tokio::join!(join_all((0..8).map(|_| client())), drama);
    let fates: BTreeMap<String, Fate> = fates.into_iter().flatten().collect();

    let client = server.connect().await;
    let sql = "SELECT id, name, length(description) FROM synth_groups WHERE id <> 'grp_00000001' ORDER BY id";
    let rows = world::postgres_rows(&client, sql).await;
    let stored: Vec<&str> = rows.iter().map(|row| row.split('|').next().unwrap()).collect();
    for (row, id) in rows.iter().zip(&stored) {
        assert_eq!(row, &format!("{id}|name of {id}|500"), "a row is whole");
        assert!(fates.contains_key(*id), "{id} was never asked for");
    }
    for (id, fate) in &fates {
        assert!(
            *fate == Fate::Unknown || stored.contains(&id.as_str()),
            "{id} was answered with 201 and is lost"
        );
    }
    assert!(!service.log().contains(" ERROR "), "{}", service.log());
    service.stop().await;
}

#[tokio::test]
async fn it_stops_cleanly_while_the_server_is_away() {
    let mut server = TestServer::start(TestServerOptions {
        tcp: Some(TcpOptions::default()),
        ..TestServerOptions::default()
    })
    .await;
    let place = Place::new();
    let url = server.tcp_url();
    let service = place.serve_on_postgres(&url).await;
    service.get("/lab/synths/list").await.with(200);
    server.kill_9().await;
    service.get("/lab/synths/list").await.with(503);
    let asked = Instant::now();
    service.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}
