//! What a copy tells a person: of several files, and of names that are no friends of a terminal.

use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::lab_database;

use crate::program::Place;
use crate::world;

#[tokio::test]
async fn a_file_that_does_not_fit_is_left_out_and_said_to_be() {
    let (place, database) = (Place::new(), lab_database().await);
    place.write(
        "cutover.toml",
        &format!(
            "[lab]\nsqlite_path = \"lab.db\"\n[writer]\nsqlite_path = \"writer.db\"\n[market]\nenabled = false\n[postgres]\nurl = \"{}\"\n",
            database.url()
        ),
    );
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    world::file(&place.path("lab.db"))
        .execute_batch("INSERT INTO synth_groups (id, name, created_at) VALUES ('grp_0000000a', 'n', '2026-01-01T12:00:00+00:00')")
        .unwrap();
    world::file(&place.path("writer.db"))
        .execute_batch(
            "INSERT INTO conversations (id, title, created_at, updated_at, position)
             VALUES ('fits', 't', '2026-01-01 12:00:00', '2026-01-01 12:00:00', 1),
                 ('does not', 'a' || char(0), '2026-01-01 12:00:00', '2026-01-01 12:00:00', 2)",
        )
        .unwrap();
    let ended = place.run(["copy", "--quiet"]).await.with(1);
    let said: Vec<&str> = ended.stdout.lines().collect();
    assert!(said.contains(&"synth_groups: 2 of 2 rows written"), "{said:?}");
    assert!(
        said.contains(&"conversations: 0 of 2 rows written, 1 rejected"),
        "{said:?}"
    );
    let [.., left_out, written] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(
        *left_out,
        "nothing of writer.db was written, because of 1 row that the target cannot hold; mend the source, or copy with --on-reject quarantine"
    );
    // Nothing lies in the quarantine, and there is something to mend before anything is proved.
    assert!(
        written.starts_with("2 rows in ") && written.ends_with(" s"),
        "{written}"
    );
    let client = database.connect().await;
    let kept = "SELECT (SELECT count(*) FROM conversations), (SELECT count(*) FROM synth_groups)";
    assert_eq!(world::postgres_rows(&client, kept).await, ["0|2"]);
}

#[tokio::test]
async fn a_copy_of_several_files_goes_on_where_it_was_interrupted() {
    const FILES: &str = "[lab]\nsqlite_path = \"lab.db\"\n[writer]\nsqlite_path = \"writer.db\"\n[market]\nsqlite_path = \"market.db\"";
    let (place, database) = (Place::new(), lab_database().await);
    let configuration = format!("{FILES}\n[postgres]\nurl = \"{}\"\n", database.url());
    place.write("cutover.toml", &configuration);
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    let lab = world::file(&place.path("lab.db"));
    lab.execute_batch(
        "INSERT INTO synth_groups (id, name, created_at) VALUES ('grp_0000000a', 'a' || char(0), '2026-01-01T12:00:00+00:00')",
    )
    .unwrap();
    let writer = world::file(&place.path("writer.db"));
    writer
        .execute_batch(
            "INSERT INTO conversations (id, title, created_at, updated_at, position)
             VALUES ('one', 't', '2026-01-01 12:00:00', '2026-01-01 12:00:00', 1)",
        )
        .unwrap();
    let quarantine = ["--quiet", "--on-reject", "quarantine"];
    let copy = async |arguments: &[&str]| place.run([&["copy"], arguments, &quarantine].concat()).await;
    copy(&["lab.db"]).await.with(1);
    copy(&["writer.db"]).await.with(0);
    // As a kill right before the end of the second file leaves it.
    let client = database.connect().await;
    let killed = "UPDATE cutover.copy_run SET finished_at = NULL; DELETE FROM cutover.ledger WHERE table_name IN (SELECT table_name FROM cutover.copy_table)";
    client.batch_execute(killed).await.unwrap();
    let other = copy(&["market.db"]).await.with(4).stderr;
    assert!(other.contains("a copy of writer.db into "), "{other}");
    assert!(
        other.contains("market.db is another source: finish that copy first"),
        "{other}"
    );

    let ended = copy(&["--verify"]).await.with(1).stdout;
    let passed = "lab.db: copied by an earlier run and passed over, 1 row in quarantine; ";
    assert!(ended.starts_with(passed), "{ended}");
    assert!(ended.contains("conversations: 1 of 1 row written"), "{ended}");
    assert!(
        ended.contains("daily_predictions: 0 of 0 rows written"),
        "{ended}"
    );
    let held = "SELECT (SELECT count(*) FROM synth_groups), (SELECT count(*) FROM conversations), (SELECT count(*) FROM cutover.quarantine),
                       (SELECT count(*) FROM cutover.copy_run WHERE finished_at IS NULL)";
    assert_eq!(world::postgres_rows(&client, held).await, ["1|1|1|0"]);

    // Nothing is left to be done: what is there is in the way, as behind any copy.
    let refused = copy(&[]).await.with(4).stderr;
    assert!(refused.contains("has rows already"), "{refused}");
    // A file that did not fit is mended, and copied alone.
    client
        .batch_execute(
            "DELETE FROM synth_groups; DELETE FROM cutover.ledger WHERE table_name = 'synth_groups'",
        )
        .await
        .unwrap();
    lab.execute_batch("UPDATE synth_groups SET name = 'b' WHERE id = 'grp_0000000a'")
        .unwrap();
    let report = copy(&["--json"]).await.with(0).json();
    let passed: Vec<&str> = report["copied_before"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["source"].as_str().unwrap())
        .collect();
    assert_eq!(passed, ["writer.db", "market.db"]);
    copy(&["--replace"]).await.with(0);
    place.run(["verify"]).await.with(0);
}

/// The rules that a file has lost are those of the whole command, whichever of its runs copied the file.
#[tokio::test]
async fn what_a_file_has_lost_is_told_when_it_is_passed_over() {
    let (place, database) = (Place::new(), lab_database().await);
    let files =
        "[lab]\nsqlite_path = \"lab.db\"\n[writer]\nsqlite_path = \"writer.db\"\n[market]\nenabled = false";
    let configuration = format!("{files}\n[postgres]\nurl = \"{}\"\n", database.url());
    place.write("cutover.toml", &configuration);
    place.run(["migrate", "up", "--on", "sqlite"]).await.with(0);
    world::file(&place.path("lab.db"))
        .execute_batch(
            "PRAGMA foreign_keys = OFF; ALTER TABLE interview_guide ADD later INTEGER NOT NULL DEFAULT 5;
             INSERT INTO interview_guide (experiment_id, created_at) VALUES ('exp_missing0', '2026-01-01T12:00:00+00:00')",
        )
        .unwrap();
    let strict = ["copy", "--quiet", "--json", "--strict"];
    let undisturbed = place.run(strict).await.with(1).json();
    assert_eq!(
        undisturbed["weakened"][0]["keys"][0], "exp_missing0",
        "{undisturbed:#}"
    );
    let left_out = undisturbed["not_carried"].to_string();
    assert!(left_out.contains("interview_guide.later"), "{undisturbed:#}");
    // As a kill right before the end of the second file leaves it.
    let killed = "UPDATE cutover.copy_run SET finished_at = NULL; DELETE FROM cutover.ledger WHERE table_name IN (SELECT table_name FROM cutover.copy_table)";
    let client = database.connect().await;
    client.batch_execute(killed).await.unwrap();
    let again = place.run(strict).await.with(1).json();
    assert_eq!(again["copied_before"][0]["source"], "lab.db", "{again:#}");
    for told in ["weakened", "not_carried"] {
        assert_eq!(again[told], undisturbed[told], "{told}");
    }
    client.batch_execute(killed).await.unwrap();
    let said = place.run(["copy", "--quiet"]).await.with(0).stdout;
    assert!(said.contains("\nweakened: interview_guide."), "{said}");
}

/// Neither server is asked.
#[tokio::test]
async fn a_copy_from_postgres_to_postgres_is_refused() {
    let place = Place::new();
    let servers = ["postgres://me@127.0.0.1:1/one", "postgres://me@127.0.0.1:1/other"];
    let refused = place.run(["copy", servers[0], servers[1]]).await.with(2);
    assert!(
        refused.stderr.contains("both PostgreSQL") && refused.stderr.contains("pg_dump"),
        "{}",
        refused.stderr
    );
    assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
}

#[tokio::test]
async fn a_hostile_name_moves_no_cursor() {
    let (place, database) = (Place::new(), TestDatabase::create().await);
    world::file(&place.path("source.db"))
        .execute_batch(
            "CREATE TABLE \"up\u{1b}[2A\rdone\" (a INTEGER); INSERT INTO \"up\u{1b}[2A\rdone\" VALUES (1)",
        )
        .unwrap();
    let file = place.path("source.db").display().to_string();
    let url = database.url();
    let copied = place.run(["copy", &file, &url]).await.with(0);
    // A second copy finds rows there, and names the table in its error.
    let refused = place.run(["copy", &file, &url]).await.with(4);
    let verified = place.run(["verify", &file, &url]).await.with(0);
    for (said, begins) in [
        (&copied.stderr, "copy up\\u{1b}[2A\\rdone: 1 of 1 rows"),
        (&copied.stdout, "up\\u{1b}[2A\\rdone: 1 of 1 row written"),
        (&verified.stderr, "verify up\\u{1b}[2A\\rdone: "),
    ] {
        assert!(said.lines().any(|line| line.starts_with(begins)), "{said}");
    }
    assert!(
        refused.stderr.contains("up\\u{1b}[2A\\rdone"),
        "{}",
        refused.stderr
    );
    for ended in [copied, refused, verified] {
        for said in [&ended.stdout, &ended.stderr] {
            assert!(!said.contains(['\u{1b}', '\r']), "{said:?}");
        }
    }
}

/// A new version of a schema stands with those of the application that it is for, which nobody can guess.
#[tokio::test]
async fn a_new_version_is_begun_for_the_application_that_is_named() {
    let place = Place::new();
    for dialect in ["sqlite", "postgres"] {
        let folder = place.path("migrations/writer").join(dialect);
        std::fs::create_dir_all(folder).unwrap();
    }
    let nobodys = place.run(["migrate", "new", "add_tags"]).await.with(2);
    assert!(nobodys.stderr.contains("--context"), "{}", nobodys.stderr);
    let made = place
        .run(["migrate", "new", "add_tags", "--context", "writer"])
        .await
        .with(0);
    let lines = made.stdout.lines();
    let files: Vec<&str> = lines
        .filter(|line| line.starts_with("migrations/writer/"))
        .collect();
    assert_eq!(files.len(), 4, "{}", made.stdout);
    for file in files {
        assert!(place.path(file).exists(), "{file}");
    }
}
