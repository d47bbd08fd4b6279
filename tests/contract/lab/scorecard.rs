//! Contract cases of the scorecards.

use cutover_domain::json::Json;
use cutover_domain::lab::scorecard::FeatureScorecard;
use cutover_ports::PageRequest;
use cutover_tests::store::TestStore;

use super::experiment::experiment;
use super::simulation::simulation;
use super::{assert_conflict, assert_missing, at};

contract!(
    insert_then_get,
    a_taken_id_conflicts,
    an_experiment_must_exist_if_there_is_one,
    the_list_is_newest_first_and_pages_never_overlap,
    an_experiment_has_scorecards_of_its_own,
    update_replaces_the_document_and_nothing_else,
    delete_says_whether_there_was_one,
    a_scorecard_in_use_is_not_deleted,
);

/// A scorecard without an experiment.
pub(super) fn scorecard(id: &str, seconds: i64) -> FeatureScorecard {
    FeatureScorecard {
        id: id.to_owned(),
        experiment_id: None,
        data: Json::parse(format!(
            r#"{{"id": "{id}", "description_text": "avalia\u00e7\u00e3o 😀", "complexity": {{"score": 0.10}},
                "odd": [1e-7, 12345678901234567890, -0.0, "", null]}}"#
        ))
        .unwrap(),
        created_at: at(seconds).into(),
        updated_at: None,
    }
}

/// Stores a scorecard that others can refer to.
pub(super) async fn stored_scorecard(store: &TestStore, id: &str) -> FeatureScorecard {
    let made = scorecard(id, 0);
    store.lab.scorecards.insert(&made).await.unwrap();
    made
}

async fn insert_then_get(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    store
        .lab
        .experiments
        .insert(&experiment("exp_0000000a", 0))
        .await
        .unwrap();
    for made in [
        scorecard("Ab12cd34", 0),
        FeatureScorecard {
            experiment_id: Some("exp_0000000a".to_owned()),
            data: Json::parse("null").unwrap(),
            updated_at: Some(at(9).into()),
            ..scorecard("not a pattern é", 1)
        },
    ] {
        scorecards.insert(&made).await.unwrap();
        assert_eq!(scorecards.get(&made.id).await.unwrap(), Some(made));
    }
    assert_eq!(scorecards.get("ab12cd34").await.unwrap(), None);
    assert_eq!(scorecards.get("").await.unwrap(), None);
}

async fn a_taken_id_conflicts(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    let first = stored_scorecard(store, "aaaaaaaa").await;
    let second = FeatureScorecard {
        data: Json::parse("{}").unwrap(),
        ..scorecard("aaaaaaaa", 5)
    };
    assert_conflict(scorecards.insert(&second).await, "feature_scorecards.id");
    assert_eq!(scorecards.get("aaaaaaaa").await.unwrap(), Some(first));
}

async fn an_experiment_must_exist_if_there_is_one(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    let orphan = FeatureScorecard {
        experiment_id: Some("exp_ffffffff".to_owned()),
        ..scorecard("aaaaaaaa", 0)
    };
    assert_missing(scorecards.insert(&orphan).await, "experiments");
    assert_eq!(scorecards.get("aaaaaaaa").await.unwrap(), None);
    // One that was only taken out of sight is still there.
    let experiments = &store.lab.experiments;
    experiments.insert(&experiment("exp_ffffffff", 0)).await.unwrap();
    assert!(experiments.delete("exp_ffffffff", at(1)).await.unwrap());
    scorecards.insert(&orphan).await.unwrap();
    assert_eq!(scorecards.get("aaaaaaaa").await.unwrap(), Some(orphan));
}

async fn the_list_is_newest_first_and_pages_never_overlap(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    // Two of the same instant: the id decides.
    for (id, seconds) in [
        ("cccccccc", 5),
        ("aaaaaaaa", 5),
        ("bbbbbbbb", 7),
        ("dddddddd", 1),
        ("Zzzzzzzz", 5),
    ] {
        scorecards.insert(&scorecard(id, seconds)).await.unwrap();
    }
    let mut seen = Vec::new();
    for offset in [0, 2, 4, 6] {
        let page = scorecards.list(PageRequest { limit: 2, offset }).await.unwrap();
        assert_eq!(page.total, 5);
        seen.extend(page.items.into_iter().map(|scorecard| scorecard.id));
    }
    assert_eq!(seen, ["bbbbbbbb", "Zzzzzzzz", "aaaaaaaa", "cccccccc", "dddddddd"]);
}

async fn an_experiment_has_scorecards_of_its_own(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    for id in ["exp_0000000a", "exp_0000000b"] {
        store.lab.experiments.insert(&experiment(id, 0)).await.unwrap();
    }
    for (id, experiment, seconds) in [
        ("bbbbbbbb", Some("exp_0000000a"), 3),
        ("aaaaaaaa", Some("exp_0000000a"), 1),
        ("cccccccc", Some("exp_0000000b"), 2),
        ("dddddddd", None, 4),
    ] {
        let made = FeatureScorecard {
            experiment_id: experiment.map(str::to_owned),
            ..scorecard(id, seconds)
        };
        scorecards.insert(&made).await.unwrap();
    }
    let page = scorecards
        .list_by_experiment("exp_0000000a", PageRequest::first(1))
        .await
        .unwrap();
    assert_eq!((page.total, page.items[0].id.as_str()), (2, "bbbbbbbb"));
    let page = scorecards
        .list_by_experiment("exp_0000000a", PageRequest { limit: 5, offset: 1 })
        .await
        .unwrap();
    assert_eq!((page.total, page.items.len()), (2, 1));
    assert_eq!(page.items[0].id, "aaaaaaaa");
    assert_eq!(
        scorecards.ids_by_experiment("exp_0000000a").await.unwrap(),
        ["aaaaaaaa", "bbbbbbbb"]
    );
    assert_eq!(
        scorecards.ids_by_experiment("exp_ffffffff").await.unwrap(),
        [""; 0]
    );
}

async fn update_replaces_the_document_and_nothing_else(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    let made = stored_scorecard(store, "aaaaaaaa").await;
    let other = stored_scorecard(store, "bbbbbbbb").await;
    // The document may name an experiment that does not exist: the column does not follow it.
    let data = Json::parse(r#"{"experiment_id": "exp_ffffffff", "é": "\u0001"}"#).unwrap();
    assert!(scorecards.update("aaaaaaaa", &data, at(60)).await.unwrap());
    let expected = FeatureScorecard {
        data: data.clone(),
        updated_at: Some(at(60).into()),
        ..made
    };
    assert_eq!(scorecards.get("aaaaaaaa").await.unwrap(), Some(expected));
    assert_eq!(scorecards.get("bbbbbbbb").await.unwrap(), Some(other));
    assert!(!scorecards.update("cccccccc", &data, at(60)).await.unwrap());
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    stored_scorecard(store, "aaaaaaaa").await;
    let other = stored_scorecard(store, "bbbbbbbb").await;
    assert!(scorecards.delete("aaaaaaaa").await.unwrap());
    assert!(!scorecards.delete("aaaaaaaa").await.unwrap());
    assert_eq!(scorecards.get("aaaaaaaa").await.unwrap(), None);
    assert_eq!(scorecards.get("bbbbbbbb").await.unwrap(), Some(other));
}

async fn a_scorecard_in_use_is_not_deleted(store: &TestStore) {
    let scorecards = &store.lab.scorecards;
    let made = stored_scorecard(store, "aaaaaaaa").await;
    let run = simulation("sim_0000000a", "aaaaaaaa", 0);
    store.lab.simulations.insert(&run).await.unwrap();
    assert_conflict(
        scorecards.delete("aaaaaaaa").await,
        "simulation_runs.scorecard_id",
    );
    assert_eq!(scorecards.get("aaaaaaaa").await.unwrap(), Some(made));
    assert_eq!(store.lab.simulations.get(&run.id).await.unwrap(), Some(run));
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    #[tokio::test]
    async fn rows_that_break_rules_are_read_and_listed() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
            INSERT INTO feature_scorecards (id, experiment_id, data, created_at, updated_at) VALUES
                (NULL, 'exp_gone', '{broken', 'no time', 7),
                ('space', NULL, '{\"a\": 1, \"a\": 2}', '2026-01-01 12:00:05', NULL),
                ('naive', NULL, '{}', '2026-01-01T12:00:05.500000', NULL),
                ('zone', NULL, '{}', '2026-01-01T10:00:06.000001-02:00', NULL),
                ('whole', NULL, '{}', '2026-01-01T12:00:04+00:00', NULL);",
        )
        .unwrap();
        let scorecards = &store.lab.scorecards;
        let page = scorecards.list(PageRequest::first(10)).await.unwrap();
        let ids: Vec<&str> = page.items.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(ids, ["zone", "naive", "space", "whole", ""]);
        let odd = page.items.last().unwrap();
        assert_eq!(odd.experiment_id.as_deref(), Some("exp_gone"));
        assert_eq!(odd.data.as_str(), "{broken");
        assert!(odd.document().is_err());
        assert_eq!(
            odd.created_at,
            Stored::Other(StoredValue::Text("no time".to_owned()))
        );
        // The column's affinity made text of the number.
        assert_eq!(
            odd.updated_at,
            Some(Stored::Other(StoredValue::Text("7".to_owned())))
        );
        let twice = scorecards.get("space").await.unwrap().unwrap();
        assert_eq!(twice.data.as_str(), r#"{"a": 1, "a": 2}"#);
        assert_eq!(scorecards.ids_by_experiment("exp_gone").await.unwrap(), [""]);
    }
}
