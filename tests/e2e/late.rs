//! Requests that take longer than they may, and have begun to change something: they are answered, and what they have begun goes on.

use cutover_tests::rusqlite::Connection;
use cutover_tests::store::lab_database;
use futures_util::future::join_all;
use serde_json::json;

use crate::http::request;
use crate::program::{Place, Service};
use crate::service::wait_until;
use crate::world;

/// What is answered, of a limit of a second.
const LATE: &str =
    "The request was given up after 1000 ms, and what it has begun goes on: look before trying again";

/// Keeps others from writing into a file until it is dropped.
fn held(place: &Place, file: &str) -> Connection {
    let connection = world::file(&place.path(file));
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

/// Whether the log tells so many ends of what went on, with this status.
fn ends(service: &Service, status: u16, count: usize) -> bool {
    let log = service.log();
    let end = "what the request had begun came to its end after it was answered";
    let told = log.lines().filter(|line| line.contains(end));
    told.filter(|line| line.contains(&format!("status={status}")))
        .count()
        == count
}

#[tokio::test]
async fn a_write_that_takes_too_long_is_done_and_its_client_told_to_look() {
    let place = Place::new();
    place.write("cutover.toml", "[server]\nrequest_timeout_ms = 1000\n");
    let service = place.serve(&[]).await;
    let holder = held(&place, "cutover.db");
    let market = json!({"error": {"message": LATE, "type": "Timeout", "details": {}}, "detail": LATE});
    let asked = [
        (
            "/lab/synth-groups",
            r#"{"id": "grp_0000abcd", "name": "n"}"#,
            json!({"error": {"code": "TIMEOUT", "message": LATE}}),
        ),
        (
            "/writer/api/conversations",
            r#"{"title": "late"}"#,
            json!({ "detail": LATE }),
        ),
        ("/market/prediction", r#"{"date": "2024-01-02"}"#, market),
    ]
    .map(async |(path, body, told)| {
        let asked = request(
            "POST",
            path,
            "content-type: application/json\r\n",
            body.as_bytes(),
        );
        let answer = service.send(&asked).await.with(503);
        assert_eq!(answer.json(), told, "{path}");
    });
    // Together, so that nobody waits longer for the file than SQLite has patience.
    join_all(asked).await;
    // Nothing holds up who only reads.
    service.get("/lab/synth-groups/grp_0000abcd").await.with(404);
    drop(holder);
    wait_until(|| async { ends(&service, 201, 2) && ends(&service, 200, 1) }).await;
    service.get("/lab/synth-groups/grp_0000abcd").await.with(200);
    service.get("/market/day/2024-01-02").await.with(200);
    let titles = "SELECT title FROM conversations";
    assert_eq!(world::sqlite_rows(&place.path("cutover.db"), titles), ["late"]);
    let metrics = service.get("/metrics").await.text();
    assert!(
        metrics.contains("\ncutover_http_requests_answered_early_total 3\n"),
        "{metrics}"
    );
    service.stop().await;
}

#[tokio::test]
async fn the_second_half_of_a_delete_across_the_databases_comes_however_late() {
    let (place, database) = (Place::new(), lab_database().await);
    let file = place.path("lab.db");
    let config = format!(
        "[sqlite]\npath = \"lab.db\"\n[postgres]\nurl = \"{}\"\n[server]\nrequest_timeout_ms = 1000\n\
         [repositories]\ndefault = \"sqlite\"\nsynth_groups = \"postgres\"\n",
        database.url()
    );
    place.write("cutover.toml", &config);
    let service = place.serve(&[]).await;
    let group = json!({"id": "grp_0000abcd", "name": "n"});
    service.post("/lab/synth-groups", &group).await.with(201);
    world::file(&file)
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             INSERT INTO synths (id, nome, synth_group_id, created_at) VALUES ('aaaaaa', 'n', 'grp_0000abcd', '2026-01-01T12:00:00+00:00')",
        )
        .unwrap();
    let holder = held(&place, "lab.db");
    let answer = service
        .ask("DELETE", "/lab/synth-groups/grp_0000abcd", None)
        .await;
    let told = answer.with(503).json();
    assert_eq!(told, json!({"error": {"code": "TIMEOUT", "message": LATE}}));
    // Its first half is done.
    service.get("/lab/synth-groups/grp_0000abcd").await.with(404);
    let of_synth = "SELECT coalesce(synth_group_id, 'none') FROM synths";
    assert_eq!(world::sqlite_rows(&file, of_synth), ["grp_0000abcd"]);
    drop(holder);
    wait_until(|| async { ends(&service, 204, 1) }).await;
    assert_eq!(world::sqlite_rows(&file, of_synth), ["none"]);
    service.stop().await;
}
