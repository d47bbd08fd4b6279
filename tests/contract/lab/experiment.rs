//! Contract cases of the experiments.

use cutover_domain::json::Json;
use cutover_domain::lab::experiment::{Experiment, ExperimentChange, ExperimentStatus};
use cutover_domain::stored::{Stored, StoredValue};
use cutover_ports::PageRequest;
use cutover_tests::store::TestStore;
use futures_util::future::try_join_all;

use super::{assert_conflict, at};

contract!(
    insert_then_get,
    a_taken_id_conflicts_even_with_a_deleted_owner,
    what_is_deleted_is_only_found,
    the_list_is_newest_first_and_pages_never_overlap,
    the_list_says_whether_there_is_a_scorecard,
    update_changes_what_it_names,
    update_scorecard_replaces_the_document,
    delete_says_whether_there_was_an_active_one,
    texts_that_are_too_long_are_refused_and_change_nothing,
    updates_at_once_all_happen,
);

/// An experiment that others can refer to.
pub(crate) fn experiment(id: &str, seconds: i64) -> Experiment {
    Experiment {
        id: id.to_owned(),
        name: "Botão de compra 😀".to_owned(),
        hypothesis: "Vende mais".to_owned(),
        description: None,
        scorecard_data: None,
        status: ExperimentStatus::Active.into(),
        created_at: at(seconds).into(),
        updated_at: None,
    }
}

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

async fn insert_then_get(store: &TestStore) {
    let experiments = &store.lab.experiments;
    let full = Experiment {
        name: "é".repeat(100),
        hypothesis: "😀".repeat(500),
        description: Some("ß".repeat(2000)),
        scorecard_data: Some(json(
            r#"{"k": ["é\u00e9", 1e2, 0.1, null, true, {"": []}], "big": 12345678901234567890123}"#,
        )),
        updated_at: Some(at(5).into()),
        ..experiment("exp_0000000a", 0)
    };
    let bare = Experiment {
        name: String::new(),
        hypothesis: " ".to_owned(),
        description: Some(String::new()),
        ..experiment("exp_0000000b", -1_800_000_000)
    };
    for made in [full, bare, experiment("no pattern ' at all", 3)] {
        experiments.insert(&made).await.unwrap();
        assert_eq!(experiments.get(&made.id).await.unwrap(), Some(made));
    }
    assert_eq!(experiments.get("exp_ffffffff").await.unwrap(), None);
    assert_eq!(experiments.get("").await.unwrap(), None);
}

async fn a_taken_id_conflicts_even_with_a_deleted_owner(store: &TestStore) {
    let experiments = &store.lab.experiments;
    let first = experiment("exp_0000000a", 0);
    experiments.insert(&first).await.unwrap();
    let second = Experiment {
        name: "another".to_owned(),
        ..experiment("exp_0000000a", 1)
    };
    assert_conflict(experiments.insert(&second).await, "experiments.id");
    assert_eq!(experiments.get("exp_0000000a").await.unwrap(), Some(first));
    experiments.delete("exp_0000000a", at(2)).await.unwrap();
    assert_conflict(experiments.insert(&second).await, "experiments.id");
}

async fn what_is_deleted_is_only_found(store: &TestStore) {
    let experiments = &store.lab.experiments;
    let made = experiment("exp_0000000a", 0);
    experiments.insert(&made).await.unwrap();
    assert!(experiments.delete("exp_0000000a", at(9)).await.unwrap());
    assert_eq!(experiments.get("exp_0000000a").await.unwrap(), None);
    let deleted = Experiment {
        status: ExperimentStatus::Deleted.into(),
        updated_at: Some(at(9).into()),
        ..made
    };
    assert_eq!(experiments.find("exp_0000000a").await.unwrap(), Some(deleted));
    assert_eq!(experiments.find("exp_ffffffff").await.unwrap(), None);
}

async fn the_list_is_newest_first_and_pages_never_overlap(store: &TestStore) {
    let experiments = &store.lab.experiments;
    // Two of the same instant: the id decides.
    for (id, seconds) in [
        ("exp_0000000c", 5),
        ("exp_0000000a", 5),
        ("exp_0000000b", 7),
        ("exp_0000000d", 1),
        ("exp_0000000e", 9),
    ] {
        experiments.insert(&experiment(id, seconds)).await.unwrap();
    }
    experiments.delete("exp_0000000e", at(10)).await.unwrap();
    let mut seen = Vec::new();
    for offset in [0, 2, 4] {
        let page = experiments.list(PageRequest { limit: 2, offset }).await.unwrap();
        assert_eq!(page.total, 4);
        seen.extend(page.items.into_iter().map(|experiment| experiment.id));
    }
    assert_eq!(
        seen,
        ["exp_0000000b", "exp_0000000a", "exp_0000000c", "exp_0000000d"]
    );
    let far = experiments
        .list(PageRequest {
            limit: 2,
            offset: u64::MAX,
        })
        .await
        .unwrap();
    assert_eq!((far.items.len(), far.total), (0, 4));
}

async fn the_list_says_whether_there_is_a_scorecard(store: &TestStore) {
    let experiments = &store.lab.experiments;
    let made = [
        Experiment {
            scorecard_data: Some(json(r#"{"feature_name": "x"}"#)),
            ..experiment("exp_0000000a", 3)
        },
        Experiment {
            scorecard_data: Some(json(" null ")),
            ..experiment("exp_0000000b", 2)
        },
        Experiment {
            description: Some(String::new()),
            updated_at: Some(at(8).into()),
            ..experiment("exp_0000000c", 1)
        },
    ];
    for experiment in &made {
        experiments.insert(experiment).await.unwrap();
    }
    let page = experiments.list(PageRequest::first(10)).await.unwrap();
    let flags: Vec<bool> = page.items.iter().map(|item| item.has_scorecard).collect();
    assert_eq!(flags, [true, false, false]);
    for (item, made) in page.items.iter().zip(&made) {
        assert_eq!(
            (&item.id, &item.name, &item.hypothesis),
            (&made.id, &made.name, &made.hypothesis)
        );
        assert_eq!(item.description, made.description);
        assert_eq!(
            (&item.created_at, &item.updated_at),
            (&made.created_at, &made.updated_at)
        );
        assert_eq!(item.has_scorecard, made.scorecard().is_some());
    }
}

async fn update_changes_what_it_names(store: &TestStore) {
    let experiments = &store.lab.experiments;
    let made = Experiment {
        scorecard_data: Some(json("{}")),
        ..experiment("exp_0000000a", 0)
    };
    experiments.insert(&made).await.unwrap();
    experiments.insert(&experiment("exp_0000000b", 0)).await.unwrap();
    let change = ExperimentChange {
        name: Some("ação".to_owned()),
        description: Some(String::new()),
        ..Default::default()
    };
    let changed = Experiment {
        name: "ação".to_owned(),
        description: Some(String::new()),
        updated_at: Some(at(3).into()),
        ..made
    };
    assert_eq!(
        experiments.update("exp_0000000a", &change, at(3)).await.unwrap(),
        Some(changed.clone())
    );
    assert_eq!(
        experiments.get("exp_0000000a").await.unwrap(),
        Some(changed.clone())
    );
    assert_eq!(
        experiments.get("exp_0000000b").await.unwrap(),
        Some(experiment("exp_0000000b", 0))
    );

    let touched = Experiment {
        updated_at: Some(at(4).into()),
        ..changed
    };
    let nothing = ExperimentChange::default();
    assert_eq!(
        experiments.update("exp_0000000a", &nothing, at(4)).await.unwrap(),
        Some(touched)
    );

    assert_eq!(
        experiments.update("exp_ffffffff", &change, at(5)).await.unwrap(),
        None
    );
    experiments.delete("exp_0000000b", at(5)).await.unwrap();
    assert_eq!(
        experiments.update("exp_0000000b", &change, at(6)).await.unwrap(),
        None
    );
    let deleted = experiments.find("exp_0000000b").await.unwrap().unwrap();
    assert_eq!(
        (deleted.name, deleted.updated_at),
        (experiment("", 0).name, Some(at(5).into()))
    );
}

async fn update_scorecard_replaces_the_document(store: &TestStore) {
    let experiments = &store.lab.experiments;
    let made = Experiment {
        scorecard_data: Some(json(r#"{"old": 1}"#)),
        ..experiment("exp_0000000a", 0)
    };
    experiments.insert(&made).await.unwrap();
    let document = json(r#"{"feature_name": "Ünï", "complexity": {"score": 0.30, "lower_bound": null}}"#);
    let changed = Experiment {
        scorecard_data: Some(document.clone()),
        updated_at: Some(at(1).into()),
        ..made
    };
    let answer = experiments
        .update_scorecard("exp_0000000a", &document, at(1))
        .await
        .unwrap();
    assert_eq!(answer, Some(changed.clone()));
    assert_eq!(experiments.get("exp_0000000a").await.unwrap(), Some(changed));
    assert_eq!(
        experiments
            .update_scorecard("exp_ffffffff", &document, at(2))
            .await
            .unwrap(),
        None
    );
    experiments.delete("exp_0000000a", at(3)).await.unwrap();
    assert_eq!(
        experiments
            .update_scorecard("exp_0000000a", &document, at(4))
            .await
            .unwrap(),
        None
    );
}

async fn delete_says_whether_there_was_an_active_one(store: &TestStore) {
    let experiments = &store.lab.experiments;
    experiments.insert(&experiment("exp_0000000a", 0)).await.unwrap();
    assert!(experiments.delete("exp_0000000a", at(1)).await.unwrap());
    assert!(!experiments.delete("exp_0000000a", at(2)).await.unwrap());
    assert!(!experiments.delete("exp_ffffffff", at(2)).await.unwrap());
    let deleted = experiments.find("exp_0000000a").await.unwrap().unwrap();
    assert_eq!(deleted.updated_at, Some(at(1).into()));
}

async fn texts_that_are_too_long_are_refused_and_change_nothing(store: &TestStore) {
    let experiments = &store.lab.experiments;
    // The same words from both databases, without the name of a constraint.
    let told = "row cannot be stored: a rule of its table forbids what it would hold";
    let long = Experiment {
        name: "é".repeat(101),
        ..experiment("exp_0000000a", 0)
    };
    let error = experiments.insert(&long).await.unwrap_err();
    assert_eq!(error.to_string(), told);
    assert_eq!(experiments.find("exp_0000000a").await.unwrap(), None);

    let made = experiment("exp_0000000b", 0);
    experiments.insert(&made).await.unwrap();
    let change = ExperimentChange {
        name: Some("fine".to_owned()),
        description: Some("x".repeat(2001)),
        ..Default::default()
    };
    let error = experiments
        .update("exp_0000000b", &change, at(1))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), told);
    assert_eq!(experiments.get("exp_0000000b").await.unwrap(), Some(made));

    let unknown = Stored::Other(StoredValue::Text("archived".to_owned()));
    let error = experiments
        .insert(&Experiment {
            status: unknown,
            ..experiment("exp_0000000c", 0)
        })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), told);
}

async fn updates_at_once_all_happen(store: &TestStore) {
    let experiments = &store.lab.experiments;
    experiments.insert(&experiment("exp_0000000a", 0)).await.unwrap();
    let changes = [
        ExperimentChange {
            name: Some("a".to_owned()),
            ..Default::default()
        },
        ExperimentChange {
            hypothesis: Some("b".to_owned()),
            ..Default::default()
        },
        ExperimentChange {
            description: Some("c".to_owned()),
            ..Default::default()
        },
    ];
    let updates = changes
        .iter()
        .map(|change| experiments.update("exp_0000000a", change, at(1)));
    try_join_all(updates).await.unwrap();
    let after = experiments.get("exp_0000000a").await.unwrap().unwrap();
    assert_eq!(
        (
            after.name.as_str(),
            after.hypothesis.as_str(),
            after.description.as_deref()
        ),
        ("a", "b", Some("c"))
    );
}

#[cfg(feature = "sqlite")]
mod old_files {
    use super::*;

    /// Rows that only other programs write: every spelling of a time, a status outside the check, a broken document.
    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO experiments (id, name, hypothesis, scorecard_data, status, created_at, updated_at) VALUES
                ('exp_test1', 'n', 'h', 'null', 'active', '2026-01-01 12:00:00', '2026-01-02'),
                ('exp_b', 'n', 'h', '', 'active', '2026-01-01T12:00:00.500000+00:00', NULL),
                ('exp_c', 'n', 'h', '{}', 'active', '2026-01-01T09:00:01-03:00', 'soon'),
                ('exp_d', 'n', 'h', '{bad', 'active', 'never', x'ff00'),
                ('exp_e', 'n', 'h', NULL, 'archived', '2026-01-01T12:00:00Z', NULL);",
        )
        .unwrap();
        let experiments = &store.lab.experiments;
        let page = experiments.list(PageRequest::first(10)).await.unwrap();
        let seen: Vec<(&str, bool)> = page
            .items
            .iter()
            .map(|item| (item.id.as_str(), item.has_scorecard))
            .collect();
        assert_eq!(
            seen,
            [
                ("exp_c", true),
                ("exp_b", false),
                ("exp_test1", false),
                ("exp_d", true)
            ]
        );
        assert_eq!(page.total, 4);

        let first = experiments.get("exp_test1").await.unwrap().unwrap();
        assert_eq!(first.scorecard(), None);
        assert_eq!(
            first.created_at.known().unwrap().to_iso(),
            "2026-01-01T12:00:00.000000+00:00"
        );
        let broken = experiments.get("exp_d").await.unwrap().unwrap();
        assert_eq!(
            broken.created_at,
            Stored::Other(StoredValue::Text("never".to_owned()))
        );
        assert_eq!(
            broken.updated_at,
            Some(Stored::Other(StoredValue::Blob(vec![0xff, 0])))
        );
        assert_eq!(broken.scorecard_data.unwrap().as_str(), "{bad");
        assert_eq!(experiments.get("exp_e").await.unwrap(), None);
        let archived = experiments.find("exp_e").await.unwrap().unwrap();
        assert_eq!(
            archived.status,
            Stored::Other(StoredValue::Text("archived".to_owned()))
        );

        // What is not touched stays as it was, letter by letter.
        let change = ExperimentChange {
            name: Some("new".to_owned()),
            ..Default::default()
        };
        experiments
            .update("exp_test1", &change, at(0))
            .await
            .unwrap()
            .unwrap();
        let row: (String, String, String) = raw
            .query_row(
                "SELECT name, created_at, updated_at FROM experiments WHERE id = 'exp_test1'",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        assert_eq!(
            row,
            ("new".to_owned(), "2026-01-01 12:00:00".to_owned(), at(0).to_iso())
        );
    }
}
