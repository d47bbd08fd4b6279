//! What a copy tells a person.

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
