//! Contract cases of the synth groups.

use cutover_domain::lab::synth_group::{DEFAULT_GROUP_ID, SynthGroup};
use cutover_ports::{PageRequest, StoreError};
use cutover_tests::store::TestStore;
use futures_util::future::try_join_all;

use super::at;

contract!(
    insert_then_get,
    get_of_an_unknown_group_is_none,
    a_taken_id_conflicts,
    ensure_keeps_what_is_there,
    the_list_is_newest_first_and_pages_never_overlap,
    delete_says_whether_there_was_one,
    names_need_not_be_unique,
    of_groups_ensured_at_once_one_stays,
);

fn group(id: &str, seconds: i64) -> SynthGroup {
    SynthGroup {
        id: id.to_owned(),
        name: "Grupo de avaliação 😀".to_owned(),
        description: Some(String::new()),
        created_at: at(seconds).into(),
    }
}

async fn insert_then_get(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    for made in [
        group("grp_0000000a", 0),
        SynthGroup {
            description: None,
            ..group("grp_0000000b", 1)
        },
    ] {
        groups.insert(&made).await.unwrap();
        assert_eq!(groups.get(&made.id).await.unwrap(), Some(made));
    }
}

async fn get_of_an_unknown_group_is_none(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    let made = group("grp_0000000a", 0);
    groups.insert(&made).await.unwrap();
    for unknown in ["grp_ffffffff", "'; DROP TABLE synth_groups; --", "' OR '1' = '1"] {
        assert_eq!(groups.get(unknown).await.unwrap(), None);
    }
    // The table and its rows live.
    assert_eq!(groups.get(&made.id).await.unwrap(), Some(made));
}

async fn a_taken_id_conflicts(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    groups.insert(&group("grp_0000000a", 0)).await.unwrap();
    let second = SynthGroup {
        name: "another".to_owned(),
        ..group("grp_0000000a", 1)
    };
    let error = groups.insert(&second).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(key) if key == "synth_groups.id"),
        "{error:?}"
    );
    assert_eq!(
        groups.get("grp_0000000a").await.unwrap(),
        Some(group("grp_0000000a", 0))
    );
}

async fn ensure_keeps_what_is_there(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    groups.delete(DEFAULT_GROUP_ID).await.unwrap();
    let first = SynthGroup::default_group(at(0));
    assert_eq!(groups.ensure(&first).await.unwrap(), first);
    let second = SynthGroup {
        name: "another".to_owned(),
        ..SynthGroup::default_group(at(9))
    };
    assert_eq!(groups.ensure(&second).await.unwrap(), first);
    assert_eq!(groups.get(DEFAULT_GROUP_ID).await.unwrap(), Some(first));
}

async fn the_list_is_newest_first_and_pages_never_overlap(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    groups.delete(DEFAULT_GROUP_ID).await.unwrap();
    // Two of the same instant: the id decides.
    for (id, seconds) in [
        ("grp_0000000c", 5),
        ("grp_0000000a", 5),
        ("grp_0000000b", 7),
        ("grp_0000000d", 1),
    ] {
        groups.insert(&group(id, seconds)).await.unwrap();
    }
    let mut seen = Vec::new();
    for offset in [0, 2, 4] {
        let page = groups.list(PageRequest { limit: 2, offset }).await.unwrap();
        assert_eq!(page.total, 4);
        seen.extend(page.items.into_iter().map(|group| group.id));
    }
    assert_eq!(
        seen,
        ["grp_0000000b", "grp_0000000a", "grp_0000000c", "grp_0000000d"]
    );
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    groups.insert(&group("grp_0000000a", 0)).await.unwrap();
    assert!(groups.delete("grp_0000000a").await.unwrap());
    assert!(!groups.delete("grp_0000000a").await.unwrap());
    assert_eq!(groups.get("grp_0000000a").await.unwrap(), None);
}

async fn names_need_not_be_unique(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    let [a, b] = ["grp_0000000a", "grp_0000000b"].map(|id| SynthGroup {
        name: "the same".to_owned(),
        ..group(id, 0)
    });
    groups.insert(&a).await.unwrap();
    groups.insert(&b).await.unwrap();
    let stored = [groups.get(&a.id).await.unwrap(), groups.get(&b.id).await.unwrap()];
    let names = stored.map(|group| group.unwrap().name);
    assert_eq!(names, ["the same", "the same"]);
}

async fn of_groups_ensured_at_once_one_stays(store: &TestStore) {
    let groups = &store.lab.synth_groups;
    let wanted: Vec<SynthGroup> = (0..8).map(|seconds| group("grp_0000000a", seconds)).collect();
    let stored = try_join_all(wanted.iter().map(|group| groups.ensure(group)))
        .await
        .unwrap();
    let stays = groups.get("grp_0000000a").await.unwrap().unwrap();
    assert!(wanted.contains(&stays), "{stays:?}");
    assert!(stored.iter().all(|stored| *stored == stays), "{stored:?}");
}

/// Deletes a group that is not there, though the synth `old` names it; what the synth names then.
async fn group_of_a_synth_after_deleting_it(store: &TestStore) -> Option<String> {
    assert!(!store.lab.synth_groups.delete("grp_gone").await.unwrap());
    let synth = store.lab.synths.get("old").await.unwrap().unwrap();
    synth.summary.synth_group_id
}

/// A synth whose group is long gone.
const ORPHAN: &str = "INSERT INTO synths (id, synth_group_id, nome, created_at, version)
    VALUES ('old', 'grp_gone', 'n', '2026-01-01T12:00:00+00:00', '2.0.0')";

#[cfg(feature = "postgres")]
#[tokio::test]
async fn deleting_no_group_on_postgres_changes_no_synth() {
    let store = TestStore::postgres().await;
    let client = store.database().unwrap().connect().await;
    let without_keys = format!("SET session_replication_role = replica; {ORPHAN}");
    client.batch_execute(&without_keys).await.unwrap();
    let group = group_of_a_synth_after_deleting_it(&store).await;
    assert_eq!(group.as_deref(), Some("grp_gone"));
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    #[tokio::test]
    async fn deleting_no_group_changes_no_synth() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(&format!("PRAGMA foreign_keys = OFF; {ORPHAN}"))
            .unwrap();
        let group = group_of_a_synth_after_deleting_it(&store).await;
        assert_eq!(group.as_deref(), Some("grp_gone"));
    }

    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "DELETE FROM synth_groups;
            INSERT INTO synth_groups (id, name, description, created_at) VALUES
                ('grp_00000001', 'Default', '', '2026-01-01 12:00:00'),
                ('x', '', NULL, '2026-01-01T12:00:00.000001+00:00'),
                ('y', 'n', NULL, 'today?'),
                (NULL, 'n', NULL, '2026-01-01T12:00:00+01:00');",
        )
        .unwrap();
        let groups = &store.lab.synth_groups;
        let page = groups.list(PageRequest::first(10)).await.unwrap();
        let ids: Vec<&str> = page.items.iter().map(|group| group.id.as_str()).collect();
        assert_eq!((ids, page.total), (vec!["x", "grp_00000001", "", "y"], 4));
        let odd = StoredValue::Text("today?".to_owned());
        assert_eq!(
            groups.get("y").await.unwrap().unwrap().created_at,
            Stored::Other(odd)
        );
        let default = SynthGroup::default_group(at(0));
        let kept = groups.ensure(&default).await.unwrap();
        assert_eq!(
            kept.created_at.known().unwrap().to_iso(),
            "2026-01-01T12:00:00.000000+00:00"
        );
        assert_eq!(kept.description.as_deref(), Some(""));
        assert!(groups.delete("y").await.unwrap());
    }
}
