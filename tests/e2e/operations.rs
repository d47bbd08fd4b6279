//! What the service shows of itself, and how it is steered.

use std::time::{Duration, Instant};

use cutover_tests::postgres::{TcpOptions, TestDatabase, TestServer, TestServerOptions};
use cutover_tests::store::lab_database;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::http::{Answer, request};
use crate::program::{Place, Service};
use crate::service::wait_until;
use crate::world;

const TOKEN: &str = "a-token-of-the-tests";

impl Service {
    async fn operate(&self, method: &str, path: &str, token: &str) -> Answer {
        let headers = format!("authorization: Bearer {token}\r\n");
        self.send(&request(method, path, &headers, b"")).await
    }
}

/// The value of a metric that is a whole number: of the line that starts with this.
fn metric(page: &str, start: &str) -> u64 {
    let line = page.lines().find(|line| line.starts_with(start));
    let line = line.unwrap_or_else(|| panic!("{start} is missing in:\n{page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn ops_is_closed_without_a_configured_token_and_without_the_right_one() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for (method, path) in [
        ("POST", "/ops/verify"),
        ("POST", "/ops/integrity"),
        ("GET", "/ops/routing"),
        ("GET", "/ops/jobs"),
        ("GET", "/ops/nothing"),
        ("DELETE", "/ops/verify"),
    ] {
        for token in ["", TOKEN] {
            let refused = service.operate(method, path, token).await.with(403);
            assert!(refused.text().contains("ops.token"), "{}", refused.text());
        }
    }
    service.stop().await;

    place.write("cutover.toml", &format!("[ops]\ntoken = \"{TOKEN}\"\n"));
    let service = place.serve(&[]).await;
    for token in [
        "",
        "a",
        "A-TOKEN-OF-THE-TESTS",
        "a-token-of-the-tests-and-more",
        "ü",
    ] {
        let refused = service.operate("POST", "/ops/integrity", token).await.with(401);
        assert!(
            refused.headers.contains("www-authenticate: bearer"),
            "{}",
            refused.headers
        );
        assert!(!refused.text().contains(TOKEN));
    }
    let basic = request(
        "POST",
        "/ops/integrity",
        &format!("authorization: Basic {TOKEN}\r\n"),
        b"",
    );
    service.send(&basic).await.with(401);
    service.ask("POST", "/ops/integrity", None).await.with(401);
    service.operate("GET", "/ops/nothing", TOKEN).await.with(404);
    service.operate("DELETE", "/ops/verify", TOKEN).await.with(405);
    let jobs = service.operate("GET", "/ops/jobs", TOKEN).await.with(200).json();
    assert!(jobs["jobs"].is_array(), "{jobs}");
    let routing = service
        .operate("GET", "/ops/routing", TOKEN)
        .await
        .with(200)
        .json();
    let synths = routing["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "synths");
    assert_eq!(
        synths.unwrap(),
        &json!({"context": "lab", "name": "synths", "backend": "sqlite", "tables": ["synths"]})
    );
    let log = service.stop().await;
    assert!(!log.contains(TOKEN), "{log}");
}

#[tokio::test]
async fn metrics_count_requests_statements_and_errors() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for _ in 0..3 {
        service.get("/lab/synths/list").await.with(200);
    }
    service.get("/lab/synths/no-such").await.with(404);
    service.get("/lab/no-such-path-41").await.with(404);
    let group = json!({"id": "grp_0000abcd", "name": "g"});
    service.post("/lab/synth-groups", &group).await.with(201);
    service.post("/lab/synth-groups", &group).await.with(409);
    service
        .send(&request("BREW", "/lab/synths/list", "", b""))
        .await
        .with(405);
    let answer = service.get("/metrics").await.with(200);
    assert!(
        answer.headers.contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.headers
    );
    let page = answer.text();
    let listed = r#"cutover_http_requests_total{method="GET",route="/lab/synths/list",status="200"}"#;
    assert_eq!(metric(&page, listed), 3);
    let unknown = r#"cutover_http_requests_total{method="GET",route="none",status="404"}"#;
    assert_eq!(metric(&page, unknown), 1);
    let statements = r#"cutover_statement_seconds_count{backend="sqlite",repository="synths",method="list"}"#;
    assert_eq!(metric(&page, statements), 3);
    let conflict = r#"cutover_store_errors_total{backend="sqlite",repository="synth_groups",method="insert",category="conflict"}"#;
    assert_eq!(metric(&page, conflict), 1);
    assert!(
        metric(
            &page,
            r#"cutover_pool_wait_seconds_count{backend="sqlite",pool="readers"}"#
        ) >= 4
    );
    let readers = page
        .lines()
        .find(|line| line.starts_with("cutover_pool_connections_max") && line.contains("readers"));
    assert!(readers.unwrap().ends_with(" 4"), "{readers:?}");
    // What a client makes up is no label.
    assert!(!page.contains("no-such") && !page.contains("BREW"), "{page}");
    // The examination after the start tells of the tables.
    wait_until(|| async {
        service
            .get("/metrics")
            .await
            .text()
            .contains("cutover_table_rows")
    })
    .await;
    let page = service.get("/metrics").await.text();
    assert_eq!(
        metric(&page, r#"cutover_schema_version{context="lab",backend="sqlite"}"#),
        2
    );
    assert!(metric(&page, "process_resident_memory_bytes") > 1_000_000);
    // Each family says what it is.
    for family in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = family.split(' ').next().unwrap();
        assert!(page.contains(&format!("# HELP {name} ")), "{name} has no HELP");
    }
    service.stop().await;
}

/// Whoever closes a descriptor of a file gives up all locks of its process on it. Another program, which then believes itself alone, takes
/// the WAL away when it leaves, and with it what the service writes from then on.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_look_at_the_file_leaves_the_service_its_locks() {
    use std::os::unix::fs::MetadataExt as _;

    let place = Place::new();
    place.write("cutover.toml", &format!("[ops]\ntoken = \"{TOKEN}\"\n"));
    let service = place.serve(&[]).await;
    let experiment = json!({"name": "n", "hypothesis": "h"});
    service.post("/lab/experiments", &experiment).await.with(201);
    service.get("/integrity").await.with(200);
    service.operate("POST", "/ops/integrity", TOKEN).await.with(200);
    for file in ["cutover.db", "cutover.db-shm"] {
        let inode = std::fs::metadata(place.path(file)).unwrap().ino();
        let locks = std::fs::read_to_string("/proc/locks").unwrap();
        assert!(locks.contains(&format!(":{inode} ")), "{file} in {locks}");
    }
}

#[tokio::test]
async fn integrity_comes_to_an_end_whatever_a_key_holds() {
    let place = Place::new();
    place.serve(&[]).await.stop().await;
    world::file(&place.path("cutover.db"))
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO research_executions (exec_id, experiment_id, topic_name, started_at) VALUES
               ('b1', CAST(x'ff' AS TEXT), 't', '2026-01-01T00:00:00'), ('b2', x'ff00', 't', '2026-01-01T00:00:00');
             INSERT INTO file_metadata (id, filename, content_type, size) VALUES
               (CAST(x'ff00' AS TEXT), 'n', 't', 1), (x'ff00', 'n', 't', 1), ('a', 'n', 't', 1);",
        )
        .unwrap();
    let service = place.serve(&[]).await;
    let report = service.get("/integrity").await.with(200).json();
    assert_eq!(
        report["orphans"],
        json!([{
            "context": "lab", "backend": "sqlite", "table": "research_executions", "column": "experiment_id",
            "parent": "experiments", "rows": 2, "missing": ["\u{FFFD}", "\u{FFFD}\0"],
        }])
    );
    let files = service.get("/writer/integrity").await.with(200).json();
    assert_eq!(
        files["missing"]["names"],
        json!(["a", "\u{FFFD}\0", "\u{FFFD}\0"])
    );
    service.stop().await;
}

#[tokio::test]
async fn integrity_names_orphans_and_broken_rules_and_counts_rows() {
    let place = Place::new();
    place.write("cutover.toml", &format!("[ops]\ntoken = \"{TOKEN}\"\n"));
    let service = place.serve(&[]).await;
    let whole = service.get("/integrity").await.with(200).json();
    assert_eq!(whole["ok"], true, "{whole}");
    assert_eq!(whole["last_verification"], Value::Null);
    world::populate_file(&place.path("cutover.db"));
    // As a program without foreign keys, and one that does not know the rules, would leave them.
    world::file(&place.path("cutover.db"))
        .execute_batch(
            "PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;
             UPDATE synths SET synth_group_id = 'grp_gone' WHERE id IN ('aaa111', 'bbb222');
             UPDATE synths SET data = '{broken' WHERE id = 'ccc333';
             INSERT INTO experiments (id, name, hypothesis, status, created_at)
               VALUES ('exp_1', 'n', 'h', 'lost', '2026-01-01T00:00:00+00:00');",
        )
        .unwrap();
    // What is recent is kept; whoever may steer can have it anew.
    assert_eq!(
        service.get("/integrity").await.with(200).json()["checked_at"],
        whole["checked_at"]
    );
    let report = service
        .operate("POST", "/ops/integrity", TOKEN)
        .await
        .with(200)
        .json();
    assert_eq!(report["ok"], false);
    assert_eq!(
        report["orphans"],
        json!([{
            "context": "lab", "backend": "sqlite", "table": "synths", "column": "synth_group_id", "parent": "synth_groups",
            "rows": 2, "missing": ["grp_gone"],
        }])
    );
    let broken = report["broken_rules"].as_array().unwrap();
    let of = |table: &str| broken.iter().find(|one| one["table"] == table).unwrap();
    assert_eq!(broken.len(), 2, "{broken:?}");
    assert_eq!(of("synths")["rows"], 1);
    assert!(
        of("synths")["rule"].as_str().unwrap().contains("json_valid"),
        "{broken:?}"
    );
    assert!(
        of("experiments")["rule"].as_str().unwrap().contains("'deleted'"),
        "{broken:?}"
    );
    let synths = report["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "synths");
    assert_eq!(synths.unwrap()["tables"][0]["rows_sqlite"], 3);
    let page = service.get("/metrics").await.text();
    assert_eq!(metric(&page, "cutover_orphan_rows"), 2);
    assert_eq!(metric(&page, "cutover_rule_breaking_rows"), 2);
    assert_eq!(
        metric(
            &page,
            r#"cutover_table_rows{context="lab",table="synths",backend="sqlite"}"#
        ),
        3
    );
    service.stop().await;
    // It closed the file whole although it had been read beside the service.
    assert_eq!(place.files(), ["cutover.db", "cutover.toml"]);
}

#[tokio::test]
async fn references_across_the_databases_are_followed_and_a_verification_can_be_ordered() {
    let (place, database) = (Place::new(), lab_database().await);
    let url = database.url();
    place
        .run(["migrate", "up", "--context", "writer", "--postgres", &url])
        .await
        .with(0);
    place.write(
        "cutover.toml",
        &format!(
            "[sqlite]\npath = \"lab.db\"\n[postgres]\nurl = \"{url}\"\n[ops]\ntoken = \"{TOKEN}\"\n\
             [repositories]\ndefault = \"sqlite\"\nsynths = \"postgres\"\n"
        ),
    );
    let service = place.serve(&["--accept-empty"]).await;
    let client = database.connect().await;
    // The group that they refer to is here, but here it is only a copy: its truth is the file.
    client
        .batch_execute(
            "INSERT INTO synth_groups (id, name, created_at) VALUES ('grp_00000002', 'left behind', '2026-01-01Z');
             INSERT INTO synths (id, synth_group_id, nome, created_at) VALUES
               ('aaa111', 'grp_00000001', 'Ana', '2026-01-01Z'), ('bbb222', 'grp_00000002', 'Bruno', '2026-01-01Z');",
        )
        .await
        .unwrap();
    let report = service
        .operate("POST", "/ops/integrity", TOKEN)
        .await
        .with(200)
        .json();
    assert_eq!(
        report["orphans"],
        json!([{
            "context": "lab", "backend": "postgres", "table": "synths", "column": "synth_group_id", "parent": "synth_groups",
            "rows": 1, "missing": ["grp_00000002"],
        }])
    );

    assert_eq!(
        service
            .operate("GET", "/ops/verify", TOKEN)
            .await
            .with(200)
            .json(),
        json!({"state": "never"})
    );
    service.operate("POST", "/ops/verify", TOKEN).await.with(202);
    let state = async || {
        service
            .operate("GET", "/ops/verify", TOKEN)
            .await
            .with(200)
            .json()
    };
    wait_until(|| async { state().await["state"] == "ended" }).await;
    let ended = state().await;
    assert_eq!(ended["report"]["ok"], false, "{ended}");
    let tables = ended["report"]["tables"].as_array().unwrap();
    let synths = tables.iter().find(|table| table["name"] == "synths").unwrap();
    assert_eq!(
        (&synths["rows_source"], &synths["rows_target"]),
        (&json!(0), &json!(2))
    );
    // What was equal is noted, and shown.
    let report = service
        .operate("POST", "/ops/integrity", TOKEN)
        .await
        .with(200)
        .json();
    assert!(report["last_verification"].is_string(), "{report}");
    service.stop().await;
}

#[tokio::test]
async fn a_verification_needs_two_databases() {
    let place = Place::new();
    place.write("cutover.toml", &format!("[ops]\ntoken = \"{TOKEN}\"\n"));
    let refused = async |service: Service, text: &str| {
        let answer = service.operate("POST", "/ops/verify", TOKEN).await.with(409);
        assert_eq!(answer.json(), json!({ "detail": text }));
        let state = service.operate("GET", "/ops/verify", TOKEN).await.with(200);
        assert_eq!(state.json(), json!({"state": "never"}));
        service.stop().await;
    };
    let service = place.serve(&[]).await;
    let text = "there is nothing to compare with: no PostgreSQL database is configured";
    refused(service, text).await;
    std::fs::remove_file(place.path("cutover.db")).unwrap();
    let database = TestDatabase::create().await;
    let service = place.serve_on_postgres(&database.url()).await;
    let text = "there is nothing to compare with: the SQLite file is not there";
    refused(service, text).await;
}

#[tokio::test]
async fn readiness_tells_of_each_database_and_of_a_schema_that_is_behind() {
    let (place, database) = (Place::new(), lab_database().await);
    let url = database.url();
    place.run(["migrate", "up", "--postgres", &url]).await.with(0);
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    let arguments = ["--postgres", &url, "--repository", "default=postgres"];
    let service = place.serve(&arguments).await;
    let ready = service.get("/readyz").await.with(200).json();
    assert_eq!(ready["status"], "ready");
    // The file that nothing runs on is not asked.
    assert_eq!(ready["databases"]["sqlite"], Value::Null, "{ready}");
    assert_eq!(
        ready["databases"]["postgres"]["schemas"]["lab"],
        json!({"version": 2, "head": 2})
    );
    service.stop().await;

    // A newer program would find this; here the schema goes back under a running one, which sees it within seconds.
    let service = place.serve(&arguments).await;
    place
        .run([
            "migrate",
            "down",
            "--steps",
            "1",
            "--context",
            "lab",
            "--on",
            "postgres",
            "--postgres",
            &url,
        ])
        .await
        .with(0);
    let begun = Instant::now();
    wait_until(|| async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        service.get("/readyz").await.status == 503
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(20));
    let behind = service.get("/readyz").await.with(503).json();
    assert_eq!(behind["databases"]["postgres"]["status"], "behind", "{behind}");
    assert_eq!(
        behind["databases"]["postgres"]["schemas"]["lab"],
        json!({"version": 1, "head": 2})
    );
    service.get("/healthz").await.with(200);
    service.stop().await;
}

#[tokio::test]
async fn a_database_that_is_silent_makes_it_unready_in_bounded_time() {
    let server = TestServer::start(TestServerOptions {
        tcp: Some(TcpOptions::default()),
        ..TestServerOptions::default()
    })
    .await;
    let place = Place::new();
    let url = server.tcp_url();
    let service = place.serve_on_postgres(&url).await;
    service.get("/readyz").await.with(200);
    // Frozen: connections stay open and nobody answers.
    let pid = server.pid().unwrap();
    freeze(pid, "STOP").await;
    let asked = Instant::now();
    service.get("/readyz").await.with(503);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    // The page is there all the same.
    let page = service.get("/").await.with(200).text();
    assert!(page.contains("not ready"), "{page}");
    freeze(pid, "CONT").await;
    wait_until(|| async { service.get("/readyz").await.status == 200 }).await;
    service.stop().await;
}

#[tokio::test]
async fn a_busy_pool_makes_it_neither_unready_nor_unseen() {
    let (place, database) = (Place::new(), lab_database().await);
    place.write(
        "cutover.toml",
        "[postgres]\npool_size = 2\nwait_timeout_ms = 20000\n",
    );
    let service = place.serve(&["--postgres", &database.url()]).await;
    let job = r#"cutover_job_last_run_succeeded{context="market",job="daily_cleanup"}"#;
    // What is under way is looked at once in a transaction, and not again.
    let (client, watcher) = (database.connect().await, database.connect().await);
    let sql = "INSERT INTO job_runs (job, scheduled_at, triggered_by, target_date, started_at, ended_at, outcome, instance)
        VALUES ('daily_cleanup', now(), 'manual', current_date, now(), now(), 'ok', 'i')";
    client.batch_execute(sql).await.unwrap();
    assert_eq!(metric(&service.get("/metrics").await.with(200).text(), job), 1);
    let locked = "BEGIN; LOCK TABLE experiments IN ACCESS EXCLUSIVE MODE";
    client.batch_execute(locked).await.unwrap();
    let (first, second, looks) = tokio::join!(
        service.get("/lab/experiments/list"),
        service.get("/lab/experiments/list"),
        async {
            let both = || async {
                let sql = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
                watcher.query(sql, &[]).await.unwrap().len() == 2
            };
            wait_until(both).await;
            let asked = Instant::now();
            let ready = service.get("/readyz").await.with(200).json();
            let page = service.get("/metrics").await.with(200).text();
            let took = asked.elapsed();
            client.batch_execute("ROLLBACK").await.unwrap();
            (ready, page, took)
        }
    );
    let (ready, page, took) = looks;
    assert_eq!(ready["databases"]["postgres"]["status"], "ok");
    // What was known of the jobs is still told.
    assert_eq!(metric(&page, job), 1);
    assert!(took < Duration::from_secs(5), "{took:?}");
    first.with(200);
    second.with(200);
    service.stop().await;
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_well() {
    let place = Place::new();
    place.write("cutover.toml", &format!("[ops]\ntoken = \"{TOKEN}\"\n"));
    let service = place.serve(&[]).await;
    let look = async || {
        service
            .operate("POST", "/ops/integrity", TOKEN)
            .await
            .with(200)
            .json()
    };
    assert_eq!(look().await["ok"], true);
    for end in ["", "-wal", "-shm"] {
        let file = place.path(format!("cutover.db{end}"));
        std::fs::rename(&file, file.with_extension(format!("gone{end}"))).unwrap_or_default();
    }
    let report = look().await;
    assert_eq!(report["databases"][0]["exists"], false);
    assert_eq!(report["ok"], false);
    service.stop().await;
}

/// Stops or continues a server and all its processes.
async fn freeze(pid: u32, signal: &str) {
    let script = format!("kill -{signal} {pid} $(ps -o pid= --ppid {pid})");
    let sent = tokio::process::Command::new("sh").args(["-c", &script]).status();
    sent.await.unwrap();
}

#[tokio::test]
async fn a_failure_is_logged_with_its_requests_id_and_shown_escaped() {
    let mut server = TestServer::start(TestServerOptions {
        tcp: Some(TcpOptions::default()),
        ..TestServerOptions::default()
    })
    .await;
    let place = Place::new();
    let url = server.tcp_url();
    place.write("cutover.toml", "[log]\njson = true\n");
    let service = place.serve_on_postgres(&url).await;
    let client = service.get("/integrity").await.with(200);
    assert!(client.headers.contains("x-request-id: "), "{}", client.headers);
    server.kill_9().await;
    let bytes = request(
        "GET",
        "/lab/synths/%3Cb%3E?secret=hunter2",
        "x-request-id: <i>mine</i>\r\n",
        b"",
    );
    let answer = service.send(&bytes).await.with(503);
    assert!(
        answer.headers.contains("x-request-id: <i>mine</i>"),
        "{}",
        answer.headers
    );
    let page = service.get("/").await.with(200);
    assert!(page.text().contains("&lt;i&gt;mine&lt;/i&gt;"), "{}", page.text());
    assert!(!page.text().contains("<i>mine"), "{}", page.text());
    assert!(!page.text().contains("hunter2"));
    // The last report is shown, with the word that it is not up to date.
    assert!(
        page.text().contains("not up to date") || page.text().contains("Looked at"),
        "{}",
        page.text()
    );
    let log = service.stop().await;
    let line = log
        .lines()
        .find(|line| line.contains("the store did not answer"))
        .unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["span"]["id"], "<i>mine</i>", "{line}");
    assert_eq!(line["span"]["path"], "/lab/synths/%3Cb%3E");
    assert_eq!(line["span"]["route"], "/lab/synths/{id}");
    assert_eq!(line["fields"]["category"], "unavailable");
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn traces_of_a_request_reach_the_collector_before_the_service_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = tokio::spawn(async move {
        let mut spans = Vec::new();
        while spans.len() < 2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let body = loop {
                let mut some = [0; 4096];
                let read = stream.read(&mut some).await.unwrap();
                assert!(read > 0);
                text.extend_from_slice(&some[..read]);
                let Some(head) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                if let Ok(body) = serde_json::from_slice::<Value>(&text[head + 4..]) {
                    break body;
                }
            };
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                .await
                .unwrap();
            let scope = &body["resourceSpans"][0];
            assert_eq!(
                scope["resource"]["attributes"][0]["value"]["stringValue"],
                "the-service"
            );
            spans.extend(scope["scopeSpans"][0]["spans"].as_array().unwrap().clone());
        }
        spans
    });
    let place = Place::new();
    place.write(
        "cutover.toml",
        &format!("[traces]\nendpoint = \"{endpoint}\"\nservice_name = \"the-service\"\npercent = 0\n"),
    );
    let service = place.serve(&[]).await;
    let caller = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    service
        .send(&request("GET", "/lab/synths/list", caller, b""))
        .await
        .with(200);
    service.get("/lab/synths/list").await.with(200);
    service.stop().await;
    let spans = tokio::time::timeout(Duration::from_secs(20), collector)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(spans.len(), 2, "only what the caller has sampled: {spans:?}");
    for span in &spans {
        assert_eq!(span["traceId"], "0af7651916cd43dd8448eb211c80319c");
    }
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    assert_eq!(named("GET /lab/synths/list")["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(
        named("synths.list")["parentSpanId"],
        named("GET /lab/synths/list")["spanId"]
    );
}
