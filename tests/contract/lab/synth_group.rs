//! Contract cases of the synth groups.

use cutover_domain::lab::synth_group::{DEFAULT_GROUP_ID, SynthGroup};
use cutover_ports::{PageRequest, StoreError};
use cutover_tests::store::TestStore;

use super::at;

contract!(
    insert_then_get,
    get_of_an_unknown_group_is_none,
    a_taken_id_conflicts,
    ensure_keeps_what_is_there,
    the_list_is_newest_first_and_pages_never_overlap,
    delete_says_whether_there_was_one,
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
    assert_eq!(store.lab.synth_groups.get("grp_ffffffff").await.unwrap(), None);
    assert_eq!(
        store
            .lab
            .synth_groups
            .get("'; DROP TABLE synth_groups; --")
            .await
            .unwrap(),
        None
    );
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
