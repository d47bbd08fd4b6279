//! Contract cases of the outcomes.

use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::Rates;
use cutover_domain::lab::synth_outcome::{OutcomeExtremes, SynthOutcome};
use cutover_ports::{Page, PageRequest};
use cutover_tests::store::TestStore;
use futures_util::future::try_join_all;

use super::analysis_run::stored_run;
use super::{assert_conflict, assert_missing};

contract!(
    insert_then_find,
    outcomes_without_ids_stand_side_by_side,
    insert_stores_all_or_none,
    an_outcome_needs_its_run,
    save_takes_the_place_of_what_is_there,
    of_several_for_the_same_synth_the_last_stays,
    save_stores_all_or_none,
    saves_at_once_all_happen,
    nothing_to_store_is_fine,
    a_whole_run_is_stored_at_once,
    the_list_is_by_synth_and_pages_never_overlap,
    the_runs_of_a_synth,
    statistics_are_means,
    extremes_are_by_success,
    delete_says_how_many_there_were,
);

/// An outcome as the analysis writes it.
pub(crate) fn outcome(analysis_id: &str, synth_id: &str, success_rate: f64) -> SynthOutcome {
    let rates = Rates {
        did_not_try_rate: 1.0 - success_rate,
        failed_rate: 0.0,
        success_rate,
    };
    let attributes =
        r#"{"observables": {"motor_ability": 0.10}, "latent_traits": {"trust_mean": 1}, "é": "\u00e9"}"#;
    SynthOutcome::of_analysis(
        analysis_id,
        synth_id,
        rates,
        Some(Json::parse(attributes).unwrap()),
    )
}

async fn all(store: &TestStore, analysis_id: &str) -> Vec<SynthOutcome> {
    store
        .lab
        .synth_outcomes
        .list(analysis_id, PageRequest::first(100))
        .await
        .unwrap()
        .items
}

async fn insert_then_find(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let run = stored_run(store, 1).await;
    let made = [
        outcome(&run.id, "abc123", 1.0 / 3.0),
        SynthOutcome {
            id: Some("out_0a1b2c3d".to_owned()),
            ..outcome(&run.id, "ABC_1 é", f64::MIN_POSITIVE)
        },
        SynthOutcome {
            id: Some(String::new()),
            synth_attributes: None,
            ..outcome(&run.id, "", -0.5)
        },
    ];
    outcomes.insert(&made).await.unwrap();
    for made in made {
        assert_eq!(
            outcomes.get(made.id.as_deref().unwrap()).await.unwrap(),
            Some(made.clone())
        );
        assert_eq!(outcomes.find(&run.id, &made.synth_id).await.unwrap(), Some(made));
    }
    assert_eq!(outcomes.get("out_ffffffff").await.unwrap(), None);
    assert_eq!(outcomes.find(&run.id, "zzzzzz").await.unwrap(), None);
    assert_eq!(outcomes.find("ana_ffffffff", "abc123").await.unwrap(), None);
}

async fn outcomes_without_ids_stand_side_by_side(store: &TestStore) {
    let run = stored_run(store, 1).await;
    let made = ["a", "b", "c"].map(|synth| SynthOutcome {
        id: None,
        ..outcome(&run.id, synth, 0.5)
    });
    store.lab.synth_outcomes.insert(&made).await.unwrap();
    assert_eq!(all(store, &run.id).await, made);
    let again = [SynthOutcome {
        id: None,
        ..outcome(&run.id, "b", 0.6)
    }];
    assert_conflict(
        store.lab.synth_outcomes.insert(&again).await,
        "synth_outcomes.analysis_id,synth_id",
    );
}

async fn insert_stores_all_or_none(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let run = stored_run(store, 1).await;
    let there = outcome(&run.id, "m", 0.5);
    outcomes.insert(std::slice::from_ref(&there)).await.unwrap();

    let clash = [
        outcome(&run.id, "a", 0.1),
        SynthOutcome {
            id: None,
            ..outcome(&run.id, "m", 0.2)
        },
        outcome(&run.id, "z", 0.3),
    ];
    assert_conflict(
        outcomes.insert(&clash).await,
        "synth_outcomes.analysis_id,synth_id",
    );
    let twice = [
        SynthOutcome {
            id: None,
            ..outcome(&run.id, "a", 0.1)
        },
        SynthOutcome {
            id: None,
            ..outcome(&run.id, "a", 0.2)
        },
    ];
    assert_conflict(
        outcomes.insert(&twice).await,
        "synth_outcomes.analysis_id,synth_id",
    );
    let taken = [
        outcome(&run.id, "a", 0.1),
        SynthOutcome {
            id: there.id.clone(),
            ..outcome(&run.id, "b", 0.2)
        },
    ];
    assert_conflict(outcomes.insert(&taken).await, "synth_outcomes.id");
    let orphan = [outcome(&run.id, "a", 0.1), outcome("ana_ffffffff", "a", 0.2)];
    assert_missing(outcomes.insert(&orphan).await, "analysis_runs");
    assert_eq!(all(store, &run.id).await, [there]);
}

async fn an_outcome_needs_its_run(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let orphan = [outcome("ana_ffffffff", "abc123", 0.5)];
    assert_missing(outcomes.insert(&orphan).await, "analysis_runs");
    assert_missing(outcomes.save(&orphan).await, "analysis_runs");
    assert_eq!(outcomes.count("ana_ffffffff").await.unwrap(), 0);
}

async fn save_takes_the_place_of_what_is_there(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let (run, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    let untouched = outcome(&other.id, "a", 0.9);
    let first = [
        SynthOutcome {
            id: None,
            ..outcome(&run.id, "a", 0.1)
        },
        outcome(&run.id, "b", 0.1),
        untouched.clone(),
    ];
    outcomes.save(&first).await.unwrap();
    let second = [
        outcome(&run.id, "a", 0.2),
        SynthOutcome {
            synth_attributes: None,
            ..outcome(&run.id, "b", 0.3)
        },
        outcome(&run.id, "c", 0.4),
    ];
    // The second time each has the id that is already its own.
    for _ in 0..2 {
        outcomes.save(&second).await.unwrap();
        assert_eq!(all(store, &run.id).await, second);
    }
    assert_eq!(all(store, &other.id).await, [untouched]);
}

async fn of_several_for_the_same_synth_the_last_stays(store: &TestStore) {
    let run = stored_run(store, 1).await;
    let several = [
        outcome(&run.id, "b", 0.1),
        outcome(&run.id, "a", 0.2),
        outcome(&run.id, "b", 0.3),
    ];
    store.lab.synth_outcomes.save(&several).await.unwrap();
    assert_eq!(
        all(store, &run.id).await,
        [outcome(&run.id, "a", 0.2), outcome(&run.id, "b", 0.3)]
    );
}

async fn save_stores_all_or_none(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let run = stored_run(store, 1).await;
    let there = [outcome(&run.id, "a", 0.1), outcome(&run.id, "b", 0.1)];
    outcomes.save(&there).await.unwrap();
    // The id of another synth's outcome, once for a new row and once for one that is there.
    for synth in ["c", "b"] {
        let stolen = SynthOutcome {
            id: there[0].id.clone(),
            ..outcome(&run.id, synth, 0.9)
        };
        let batch = [outcome(&run.id, "d", 0.9), stolen];
        assert_conflict(outcomes.save(&batch).await, "synth_outcomes.id");
        assert_eq!(all(store, &run.id).await, there);
    }
    let orphan = [outcome(&run.id, "a", 0.9), outcome("ana_ffffffff", "a", 0.9)];
    assert_missing(outcomes.save(&orphan).await, "analysis_runs");
    assert_eq!(all(store, &run.id).await, there);
}

async fn saves_at_once_all_happen(store: &TestStore) {
    let run = stored_run(store, 1).await;
    let forward: Vec<SynthOutcome> = (0..50)
        .map(|n| outcome(&run.id, &format!("s{n:02}"), 0.5))
        .collect();
    let backward: Vec<SynthOutcome> = forward.iter().rev().cloned().collect();
    let saves = [&forward, &backward, &forward, &backward].map(|batch| store.lab.synth_outcomes.save(batch));
    try_join_all(saves).await.unwrap();
    assert_eq!(all(store, &run.id).await, forward);
}

async fn nothing_to_store_is_fine(store: &TestStore) {
    store.lab.synth_outcomes.insert(&[]).await.unwrap();
    store.lab.synth_outcomes.save(&[]).await.unwrap();
}

async fn a_whole_run_is_stored_at_once(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let run = stored_run(store, 1).await;
    let made: Vec<SynthOutcome> = (0..3000)
        .map(|n| outcome(&run.id, &format!("{n:06}"), f64::from(n) / 3000.0))
        .collect();
    outcomes.insert(&made).await.unwrap();
    assert_eq!(outcomes.count(&run.id).await.unwrap(), 3000);
    outcomes.save(&made).await.unwrap();
    let page = outcomes
        .list(
            &run.id,
            PageRequest {
                limit: 10_000,
                offset: 0,
            },
        )
        .await
        .unwrap();
    assert_eq!(
        page,
        Page {
            items: made,
            total: 3000
        }
    );
}

async fn the_list_is_by_synth_and_pages_never_overlap(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let (run, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    // By bytes: capitals first, accents last.
    let synths = ["é", "b", "B", "a", "_"];
    let made: Vec<SynthOutcome> = synths.map(|synth| outcome(&run.id, synth, 0.5)).into();
    outcomes.insert(&made).await.unwrap();
    outcomes.insert(&[outcome(&other.id, "a", 0.5)]).await.unwrap();
    let mut seen = Vec::new();
    for offset in [0, 2, 4, 6] {
        let page = outcomes
            .list(&run.id, PageRequest { limit: 2, offset })
            .await
            .unwrap();
        assert_eq!(page.total, 5);
        seen.extend(page.items.into_iter().map(|outcome| outcome.synth_id));
    }
    assert_eq!(seen, ["B", "_", "a", "b", "é"]);
    let none = outcomes
        .list("ana_ffffffff", PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(
        none,
        Page {
            items: vec![],
            total: 0
        }
    );
}

async fn the_runs_of_a_synth(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    for number in [3, 1, 2] {
        let run = stored_run(store, number).await;
        let synths: &[&str] = if number == 2 { &["b"] } else { &["a", "b"] };
        let made: Vec<SynthOutcome> = synths.iter().map(|synth| outcome(&run.id, synth, 0.5)).collect();
        outcomes.insert(&made).await.unwrap();
    }
    assert_eq!(
        outcomes.analyses_of_synth("a").await.unwrap(),
        ["ana_00000001", "ana_00000003"]
    );
    assert_eq!(
        outcomes.analyses_of_synth("z").await.unwrap(),
        Vec::<String>::new()
    );
}

async fn statistics_are_means(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let run = stored_run(store, 1).await;
    assert_eq!(outcomes.statistics(&run.id).await.unwrap(), None);
    let made = [0.1, 0.2, 0.6].map(|rate| outcome(&run.id, &format!("s{rate}"), rate));
    outcomes.insert(&made).await.unwrap();
    let statistics = outcomes.statistics(&run.id).await.unwrap().unwrap();
    assert_eq!(statistics.synth_count, 3);
    // The two databases add up in different ways.
    assert!(
        (statistics.means.success_rate - 0.3).abs() < 1e-12,
        "{statistics:?}"
    );
    assert!(
        (statistics.means.did_not_try_rate - 0.7).abs() < 1e-12,
        "{statistics:?}"
    );
    assert!(statistics.means.failed_rate.abs() < 1e-12, "{statistics:?}");
}

async fn extremes_are_by_success(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let run = stored_run(store, 1).await;
    assert_eq!(
        outcomes.extremes(&run.id, 5).await.unwrap(),
        OutcomeExtremes::default()
    );
    let [a, b, c, d] =
        [("a", 0.5), ("b", 0.9), ("c", 0.5), ("d", 0.1)].map(|(synth, rate)| outcome(&run.id, synth, rate));
    outcomes
        .insert(&[d.clone(), c.clone(), b.clone(), a.clone()])
        .await
        .unwrap();
    let ends = outcomes.extremes(&run.id, 2).await.unwrap();
    assert_eq!(
        ends,
        OutcomeExtremes {
            best: vec![b.clone(), a.clone()],
            worst: vec![d.clone(), a.clone()]
        }
    );
    // With fewer outcomes than asked for, all stand at both ends.
    let ends = outcomes.extremes(&run.id, 50).await.unwrap();
    let (best, worst) = (vec![b.clone(), a.clone(), c.clone(), d.clone()], vec![d, a, c, b]);
    assert_eq!(ends, OutcomeExtremes { best, worst });
    assert_eq!(
        outcomes.extremes(&run.id, 0).await.unwrap(),
        OutcomeExtremes::default()
    );
}

async fn delete_says_how_many_there_were(store: &TestStore) {
    let outcomes = &store.lab.synth_outcomes;
    let (run, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    for id in [&run.id, &other.id] {
        outcomes
            .insert(&["a", "b"].map(|synth| outcome(id, synth, 0.5)))
            .await
            .unwrap();
    }
    assert_eq!(outcomes.delete(&run.id).await.unwrap(), 2);
    assert_eq!(outcomes.delete(&run.id).await.unwrap(), 0);
    assert_eq!(outcomes.count(&run.id).await.unwrap(), 0);
    assert_eq!(outcomes.count(&other.id).await.unwrap(), 2);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let run = stored_run(&store, 1).await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO synth_outcomes
                (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes) VALUES
                (NULL, 'ana_00000001', 'a', 'none', 0, 1, NULL),
                (NULL, 'ana_00000001', 'b', 0.5, x'00', 2.5, '{'),
                (7, 'ana_00000001', 'c', 1e999, -1, '0.25', '[]');",
        )
        .unwrap();
        let seen = all(&store, &run.id).await;
        assert_eq!(seen.len(), 3);
        assert_eq!((seen[0].id.as_deref(), seen[2].id.as_deref()), (None, Some("7")));
        assert_eq!(
            seen[0].did_not_try_rate,
            Stored::Other(StoredValue::Text("none".to_owned()))
        );
        assert_eq!(seen[0].success_rate, Stored::Known(1.0));
        assert_eq!(seen[0].synth_attributes, None);
        assert_eq!(seen[1].failed_rate, Stored::Other(StoredValue::Blob(vec![0])));
        assert_eq!(seen[1].synth_attributes.as_ref().unwrap().as_str(), "{");
        assert_eq!(seen[2].did_not_try_rate, Stored::Known(f64::INFINITY));
        // REAL affinity makes a number of text that is one.
        assert_eq!(seen[2].success_rate, Stored::Known(0.25));
        let ends = store.lab.synth_outcomes.extremes(&run.id, 1).await.unwrap();
        assert_eq!(
            (ends.best[0].synth_id.as_str(), ends.worst[0].synth_id.as_str()),
            ("b", "c")
        );
        assert_eq!(
            store
                .lab
                .synth_outcomes
                .statistics(&run.id)
                .await
                .unwrap()
                .unwrap()
                .synth_count,
            3
        );
        assert_eq!(store.lab.synth_outcomes.delete(&run.id).await.unwrap(), 3);
    }
}
