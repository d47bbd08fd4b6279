//! Contract cases of the interview guides.

use std::collections::HashSet;

use cutover_domain::lab::interview_guide::{InterviewGuide, InterviewGuideChange};
use cutover_tests::store::TestStore;

use super::experiment::experiment;
use super::{assert_conflict, assert_missing, at};

contract!(
    insert_then_get,
    an_experiment_has_one_guide,
    a_guide_needs_its_experiment,
    guides_are_known_by_their_experiments,
    update_changes_what_it_names_and_always_the_time,
    delete_says_whether_there_was_one,
    a_deleted_experiment_keeps_its_guide,
);

fn guide(experiment_id: &str) -> InterviewGuide {
    InterviewGuide {
        experiment_id: experiment_id.to_owned(),
        context_definition: Some("Contexto é\n😀".to_owned()),
        questions: Some(String::new()),
        context_examples: None,
        created_at: at(0).into(),
        updated_at: None,
    }
}

async fn with_experiments(store: &TestStore, ids: &[&str]) {
    for id in ids {
        store.lab.experiments.insert(&experiment(id, 0)).await.unwrap();
    }
}

async fn insert_then_get(store: &TestStore) {
    with_experiments(store, &["exp_0000000a", "exp_0000000b"]).await;
    let guides = &store.lab.interview_guides;
    let other = InterviewGuide {
        context_definition: None,
        questions: Some("?".repeat(100_000)),
        context_examples: Some("ß".to_owned()),
        updated_at: Some(at(-5).into()),
        ..guide("exp_0000000b")
    };
    for made in [guide("exp_0000000a"), other] {
        guides.insert(&made).await.unwrap();
        assert_eq!(guides.get(&made.experiment_id).await.unwrap(), Some(made));
    }
    assert_eq!(guides.get("exp_ffffffff").await.unwrap(), None);
    assert_eq!(guides.get("").await.unwrap(), None);
}

async fn an_experiment_has_one_guide(store: &TestStore) {
    with_experiments(store, &["exp_0000000a"]).await;
    let guides = &store.lab.interview_guides;
    guides.insert(&guide("exp_0000000a")).await.unwrap();
    let second = InterviewGuide {
        questions: Some("another".to_owned()),
        ..guide("exp_0000000a")
    };
    assert_conflict(guides.insert(&second).await, "interview_guide.experiment_id");
    assert_eq!(
        guides.get("exp_0000000a").await.unwrap(),
        Some(guide("exp_0000000a"))
    );
}

async fn a_guide_needs_its_experiment(store: &TestStore) {
    let guides = &store.lab.interview_guides;
    assert_missing(guides.insert(&guide("exp_ffffffff")).await, "experiments");
    assert_eq!(guides.get("exp_ffffffff").await.unwrap(), None);
}

async fn guides_are_known_by_their_experiments(store: &TestStore) {
    with_experiments(store, &["exp_0000000a", "exp_0000000b", "exp_0000000c"]).await;
    let guides = &store.lab.interview_guides;
    guides.insert(&guide("exp_0000000a")).await.unwrap();
    guides.insert(&guide("exp_0000000c")).await.unwrap();
    let ids = [
        "exp_0000000a",
        "exp_0000000b",
        "exp_ffffffff",
        "exp_0000000a",
        "é\"'",
    ]
    .map(str::to_owned);
    assert_eq!(
        guides.exists_for(&ids).await.unwrap(),
        HashSet::from(["exp_0000000a".to_owned()])
    );
    assert_eq!(guides.exists_for(&[]).await.unwrap(), HashSet::new());
    for id in &ids {
        assert_eq!(guides.exists(id).await.unwrap(), id == "exp_0000000a", "{id}");
    }
}

async fn update_changes_what_it_names_and_always_the_time(store: &TestStore) {
    with_experiments(store, &["exp_0000000a"]).await;
    let guides = &store.lab.interview_guides;
    guides.insert(&guide("exp_0000000a")).await.unwrap();
    let nothing = InterviewGuideChange::default();
    let touched = guides.update("exp_0000000a", &nothing, at(1)).await.unwrap();
    let mut expected = InterviewGuide {
        updated_at: Some(at(1).into()),
        ..guide("exp_0000000a")
    };
    assert_eq!(touched, Some(expected.clone()));
    let change = InterviewGuideChange {
        context_definition: Some(String::new()),
        context_examples: Some("novo".to_owned()),
        ..Default::default()
    };
    let changed = guides.update("exp_0000000a", &change, at(2)).await.unwrap();
    expected.context_definition = Some(String::new());
    expected.context_examples = Some("novo".to_owned());
    expected.updated_at = Some(at(2).into());
    assert_eq!(changed, Some(expected.clone()));
    assert_eq!(guides.get("exp_0000000a").await.unwrap(), Some(expected));
    assert_eq!(guides.update("exp_ffffffff", &change, at(2)).await.unwrap(), None);
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    with_experiments(store, &["exp_0000000a", "exp_0000000b"]).await;
    let guides = &store.lab.interview_guides;
    for id in ["exp_0000000a", "exp_0000000b"] {
        guides.insert(&guide(id)).await.unwrap();
    }
    assert!(guides.delete("exp_0000000a").await.unwrap());
    assert!(!guides.delete("exp_0000000a").await.unwrap());
    assert_eq!(guides.get("exp_0000000a").await.unwrap(), None);
    let other = guide("exp_0000000b");
    assert_eq!(guides.get("exp_0000000b").await.unwrap(), Some(other));
    guides.insert(&guide("exp_0000000a")).await.unwrap();
}

async fn a_deleted_experiment_keeps_its_guide(store: &TestStore) {
    with_experiments(store, &["exp_0000000a"]).await;
    let guides = &store.lab.interview_guides;
    guides.insert(&guide("exp_0000000a")).await.unwrap();
    assert!(store.lab.experiments.delete("exp_0000000a", at(1)).await.unwrap());
    assert_eq!(
        guides.get("exp_0000000a").await.unwrap(),
        Some(guide("exp_0000000a"))
    );
}
