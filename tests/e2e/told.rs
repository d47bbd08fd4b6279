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
