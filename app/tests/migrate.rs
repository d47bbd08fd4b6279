//! `cutover migrate` as people and scripts run it: what it prints, and how it ends.
#![cfg(feature = "sqlite")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must fail")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn migrate(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cutover"))
        .current_dir(folder)
        .env_clear()
        .arg("migrate")
        .args(arguments)
        .output()
        .unwrap()
}

#[track_caller]
fn document(output: &Output, code: i32) -> Value {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output, code: i32, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(output.stdout, b"");
    let said = String::from_utf8_lossy(&output.stderr);
    for part in parts {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}

#[test]
fn up_and_down_with_json() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let went_up = document(&migrate(folder, &["up", "--json"]), 0);
    let database = &went_up["databases"][0];
    assert_eq!(went_up["ok"], true);
    assert_eq!(
        (&database["on"], &database["context"]),
        (&json!("sqlite"), &json!("lab"))
    );
    assert_eq!(database["version"], 2);
    assert_eq!(database["steps"][0]["name"], "initial");
    assert_eq!(database["adopted"], Value::Null);
    let seen = document(&migrate(folder, &["--json", "status"]), 0);
    assert_eq!(seen["databases"][0]["current"], 2);
    assert_eq!(seen["databases"][0]["versions"][1]["state"], "applied");
    let compared = document(&migrate(folder, &["check", "--json"]), 0);
    assert_eq!(compared["databases"][0]["differences"], json!([]));
    let went_down = document(&migrate(folder, &["down", "--json", "--to", "0"]), 0);
    assert_eq!(went_down["databases"][0]["version"], 0);
    let compared = document(&migrate(folder, &["check", "--json"]), 0);
    assert_eq!(compared["databases"][0]["version"], 0);
}

#[test]
fn every_refusal_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    refused(
        &migrate(folder, &["up", "--to", "9"]),
        2,
        &["no version 9", "1, 2"],
    );
    refused(&migrate(folder, &["up", "--context", "nosuch"]), 2, &["lab"]);
    refused(
        &migrate(folder, &["up", "--on", "oracle"]),
        2,
        &["sqlite or postgres"],
    );
    refused(
        &migrate(folder, &["down", "--to", "0", "--steps", "1"]),
        2,
        &["--steps"],
    );
    refused(&migrate(folder, &["check"]), 3, &["cutover.db"]);
    refused(&migrate(folder, &["sql", "up"]), 2, &["--on sqlite"]);
    refused(&migrate(folder, &["new", "x"]), 2, &["--context"]);
    refused(
        &migrate(folder, &["new", "x", "--context", "lab"]),
        2,
        &["migrations"],
    );
    assert!(!folder.join("cutover.db").exists());
    if cfg!(feature = "postgres") {
        refused(&migrate(folder, &["up", "--on", "postgres"]), 2, &["--postgres"]);
        // PostgreSQL goes first: nothing was changed.
        let url = "postgres://u:hunter2@127.0.0.1:1/d";
        let output = migrate(
            folder,
            &["up", "--postgres", url, "--repository", "default=sqlite"],
        );
        refused(&output, 3, &["127.0.0.1:1"]);
        assert!(!String::from_utf8_lossy(&output.stderr).contains("hunter2"));
        assert!(!folder.join("cutover.db").exists());
    }
}

#[test]
fn the_printed_sql_can_be_piped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (arguments, part) in [
        (vec!["sql", "up", "--on", "sqlite"], "CREATE TABLE experiments ("),
        (
            vec!["sql", "up", "--on", "postgres", "--from", "1"],
            "-- Version 2: growth_indexes, up.",
        ),
        (
            vec!["sql", "down", "--on", "postgres"],
            "-- Version 2: growth_indexes, down.",
        ),
        (
            vec!["sql", "down", "--on", "sqlite", "--to", "0"],
            "DROP TABLE IF EXISTS experiments;",
        ),
    ] {
        let output = migrate(folder, &arguments);
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(part) && text.ends_with("COMMIT;\n"), "{text}");
        assert_eq!(output.stderr, b"");
    }
    let backwards = ["sql", "up", "--on", "sqlite", "--from", "2", "--to", "1"];
    refused(&migrate(folder, &backwards), 2, &["version 1"]);
}
