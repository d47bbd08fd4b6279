//! The service's life: a fresh directory, restarts, signals, ports.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::http::late_group;
use crate::program::Place;
use crate::world;

#[tokio::test]
async fn with_nothing_set_it_makes_a_file_and_keeps_what_it_is_told() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    assert!(place.path("cutover.db").exists());
    assert_eq!(
        service.get("/healthz").await.with(200).json(),
        json!({"status": "ok"})
    );
    assert_eq!(
        service.get("/readyz").await.with(200).json(),
        json!({"status": "ready", "databases": {"sqlite": {"status": "ok", "schemas": {
            "lab": {"version": 2, "head": 2}, "writer": {"version": 2, "head": 2}, "market": {"version": 3, "head": 3},
        }}}})
    );
    let told = json!({"id": "grp_0000abcd", "name": "  Grupo 🦜  ", "description": ""});
    let made = service.post("/lab/synth-groups", &told).await.with(201).json();
    let groups = service.get("/lab/synth-groups/list").await.with(200).text();
    service.stop().await;

    // Everything is in the one file: whoever copies it now has it all.
    assert_eq!(place.files(), ["cutover.db"]);

    let service = place.serve(&[]).await;
    assert_eq!(
        service.get("/lab/synth-groups/list").await.with(200).text(),
        groups
    );
    let mut again = service
        .get("/lab/synth-groups/grp_0000abcd")
        .await
        .with(200)
        .json();
    assert_eq!(again["synths"], json!([]));
    again.as_object_mut().unwrap().shift_remove("synths");
    assert_eq!(again.to_string(), made.to_string());
    assert_eq!(made["name"], "Grupo 🦜");
    service.stop().await;
}

#[tokio::test]
async fn an_interrupt_stops_it_as_well() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    service.signal("INT").await;
    let (code, log) = service.ended().await;
    assert_eq!(code, Some(0), "{log}");
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let place = Place::new();
    let service = place.serve(&["--log", "tower_http=debug,info"]).await;
    let bytes = late_group();
    // All but the last byte: the request is under way, and the service waits for the rest.
    let mut stream = TcpStream::connect(service.address()).await.unwrap();
    stream.write_all(&bytes[..bytes.len() - 1]).await.unwrap();
    wait_until(|| async { service.log().contains("started processing request") }).await;
    service.signal("TERM").await;
    wait_until(|| async { service.log().contains("stopping") }).await;
    stream.write_all(&bytes[bytes.len() - 1..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let (code, log) = service.ended().await;
    assert_eq!(code, Some(0), "{log}");
    let sql = "SELECT name FROM synth_groups WHERE id = 'grp_0000abcd'";
    assert_eq!(world::sqlite_value(&place.path("cutover.db"), sql), "late");
}

#[tokio::test]
async fn a_client_that_never_finishes_does_not_hold_up_the_end() {
    let place = Place::new();
    place.write("cutover.toml", "[server]\nshutdown_timeout_ms = 300\n");
    let service = place.serve(&[]).await;
    let mut stream = TcpStream::connect(service.address()).await.unwrap();
    stream
        .write_all(b"POST /lab/synth-groups HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
        .await
        .unwrap();
    service.get("/healthz").await.with(200);
    let log = service.stop().await;
    assert!(log.contains("did not finish in time"), "{log}");
    assert_eq!(place.files(), ["cutover.db", "cutover.toml"]);
}

#[tokio::test]
async fn a_taken_port_is_told_with_the_way_out() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = place.run(["serve", "--listen", &address]).await.with(2);
    let said = ended.said();
    assert_eq!(said.len(), 1, "{ended:?}");
    for part in ["cannot listen on", &address, "--listen"] {
        assert!(said[0].contains(part), "{part} is missing in {said:?}");
    }
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn killed_in_the_middle_it_starts_again_with_all_that_was_answered() {
    let place = Place::new();
    let service = place.serve(&[]).await;
    for number in 0..20 {
        let group = json!({"id": format!("grp_{number:08x}"), "name": "kept"});
        if number != 1 {
            service.post("/lab/synth-groups", &group).await.with(201);
        }
    }
    service.signal("KILL").await;
    service.ended().await;
    let service = place.serve(&[]).await;
    let listed = service.get("/lab/synth-groups/list").await.with(200).json();
    assert_eq!(listed["pagination"]["total"], 20, "{listed}");
    service.stop().await;
}

/// Polls until it holds.
pub(crate) async fn wait_until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    let polling = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(crate::program::PATIENCE, polling)
        .await
        .expect("it comes to hold");
}

#[tokio::test]
async fn a_script_that_was_edited_after_it_was_run_is_told_as_such() {
    let place = Place::new();
    place.serve(&[]).await.stop().await;
    world::file(&place.path("cutover.db"))
        .execute_batch("UPDATE _cutover_migrations_lab SET checksum = x'00' WHERE version = 2")
        .unwrap();
    let ended = place.run(["serve"]).await.with(4);
    let cause = "was edited after it was run; put its text back and write the change as a new version";
    assert!(ended.stderr.contains(cause), "{}", ended.stderr);
    assert!(!ended.stderr.contains("migrate up"), "{}", ended.stderr);
    let refused = place.run(["migrate", "up"]).await.with(4);
    assert!(refused.stderr.contains(cause), "{}", refused.stderr);
}
