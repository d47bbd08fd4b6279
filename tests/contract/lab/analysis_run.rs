//! Contract cases of the analysis runs.

use std::collections::HashMap;

use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::{AnalysisProgress, AnalysisRun, AnalysisStatus};
use cutover_domain::lab::exploration::{Exploration, ExplorationStatus, NodeStatus, ScenarioNode};
use cutover_ports::lab::Replacement;
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::analysis_cache::entry;
use super::experiment::experiment;
use super::synth_outcome::outcome;
use super::{assert_conflict, assert_missing, at};

contract!(
    insert_then_get,
    an_experiment_has_one_run,
    a_run_needs_its_experiment,
    replace_takes_the_place_of_the_last_run,
    replace_leaves_a_running_one_alone,
    a_replacement_that_fails_changes_nothing,
    of_replacements_at_once_one_wins,
    runs_are_found_by_their_experiments,
    update_sets_what_it_holds,
    delete_takes_outcomes_and_cache_along,
    an_exploration_holds_its_run,
    a_deleted_experiment_keeps_its_run,
    the_latest_completed_run_of_an_experiment,
    the_latest_completed_run_among_some,
);

/// A run that others can refer to.
pub(crate) fn run(id: &str, experiment_id: &str, status: AnalysisStatus) -> AnalysisRun {
    AnalysisRun {
        id: id.to_owned(),
        experiment_id: experiment_id.to_owned(),
        scenario_id: "baseline".to_owned(),
        config: Json::parse(r#"{"n_synths": 500, "sigma": 0.05, "seed": null}"#).unwrap(),
        status: status.into(),
        started_at: at(0).into(),
        completed_at: None,
        total_synths: None,
        aggregated_outcomes: None,
        execution_time_seconds: None,
    }
}

/// Stores an experiment, and a completed run of it, both with this number.
pub(crate) async fn stored_run(store: &TestStore, number: u32) -> AnalysisRun {
    let run = run(
        &format!("ana_{number:08x}"),
        &format!("exp_{number:08x}"),
        AnalysisStatus::Completed,
    );
    store
        .lab
        .experiments
        .insert(&experiment(&run.experiment_id, i64::from(number)))
        .await
        .unwrap();
    store.lab.analysis_runs.insert(&run).await.unwrap();
    run
}

async fn insert_then_get(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    for id in ["exp_0000000a", "exp_0000000b"] {
        store.lab.experiments.insert(&experiment(id, 0)).await.unwrap();
    }
    let full = AnalysisRun {
        scenario_id: "first-use é".to_owned(),
        completed_at: Some(at(60).into()),
        total_synths: Some(i64::MAX.into()),
        aggregated_outcomes: Some(Json::parse(r#"{"success_rate": 0.10, "failed_rate": 1e-7}"#).unwrap()),
        execution_time_seconds: Some(0.1.into()),
        ..run("ana_0000000a", "exp_0000000a", AnalysisStatus::Completed)
    };
    let bare = AnalysisRun {
        config: Json::parse("{}").unwrap(),
        ..run("ana_0000000b", "exp_0000000b", AnalysisStatus::Pending)
    };
    for made in [full, bare] {
        runs.insert(&made).await.unwrap();
        assert_eq!(runs.get(&made.id).await.unwrap(), Some(made.clone()));
        assert_eq!(
            runs.find_by_experiment(&made.experiment_id).await.unwrap(),
            Some(made)
        );
    }
    assert_eq!(runs.get("ana_ffffffff").await.unwrap(), None);
    assert_eq!(runs.find_by_experiment("exp_ffffffff").await.unwrap(), None);
}

async fn an_experiment_has_one_run(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let first = stored_run(store, 1).await;
    store
        .lab
        .experiments
        .insert(&experiment("exp_00000002", 0))
        .await
        .unwrap();
    let second = run("ana_0000000b", "exp_00000001", AnalysisStatus::Pending);
    assert_conflict(runs.insert(&second).await, "analysis_runs.experiment_id");
    let taken = run("ana_00000001", "exp_00000002", AnalysisStatus::Pending);
    assert_conflict(runs.insert(&taken).await, "analysis_runs.id");
    assert_eq!(runs.get("ana_00000001").await.unwrap(), Some(first));
    assert_eq!(runs.find_by_experiment("exp_00000002").await.unwrap(), None);
}

async fn a_run_needs_its_experiment(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let orphan = run("ana_0000000a", "exp_ffffffff", AnalysisStatus::Pending);
    assert_missing(runs.insert(&orphan).await, "experiments");
    assert_missing(runs.replace(&orphan).await, "experiments");
    assert_eq!(runs.get("ana_0000000a").await.unwrap(), None);
}

async fn replace_takes_the_place_of_the_last_run(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    store
        .lab
        .experiments
        .insert(&experiment("exp_0000000a", 0))
        .await
        .unwrap();
    let first = run("ana_0000000a", "exp_0000000a", AnalysisStatus::Completed);
    assert_eq!(runs.replace(&first).await.unwrap(), Replacement::Stored);
    let other = stored_run(store, 7).await;
    for id in [&first.id, &other.id] {
        store
            .lab
            .synth_outcomes
            .insert(&[outcome(id, "abc123", 0.5)])
            .await
            .unwrap();
        store
            .lab
            .analysis_cache
            .save(&[entry(id, "distribution")])
            .await
            .unwrap();
    }

    let second = run("ana_0000000b", "exp_0000000a", AnalysisStatus::Running);
    assert_eq!(runs.replace(&second).await.unwrap(), Replacement::Stored);
    assert_eq!(runs.get("ana_0000000a").await.unwrap(), None);
    assert_eq!(
        runs.find_by_experiment("exp_0000000a").await.unwrap(),
        Some(second)
    );
    assert_eq!(store.lab.synth_outcomes.count("ana_0000000a").await.unwrap(), 0);
    assert_eq!(
        store.lab.analysis_cache.list("ana_0000000a", "").await.unwrap(),
        []
    );
    // Another experiment's are left alone.
    assert_eq!(runs.get(&other.id).await.unwrap(), Some(other.clone()));
    assert_eq!(store.lab.synth_outcomes.count(&other.id).await.unwrap(), 1);
    assert_eq!(
        store.lab.analysis_cache.list(&other.id, "").await.unwrap(),
        [entry(&other.id, "distribution")]
    );
}

async fn replace_leaves_a_running_one_alone(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    store
        .lab
        .experiments
        .insert(&experiment("exp_0000000a", 0))
        .await
        .unwrap();
    let first = run("ana_0000000a", "exp_0000000a", AnalysisStatus::Running);
    runs.insert(&first).await.unwrap();
    store
        .lab
        .synth_outcomes
        .insert(&[outcome("ana_0000000a", "abc123", 0.5)])
        .await
        .unwrap();
    let second = run("ana_0000000b", "exp_0000000a", AnalysisStatus::Completed);
    assert_eq!(runs.replace(&second).await.unwrap(), Replacement::Running);
    assert_eq!(
        runs.find_by_experiment("exp_0000000a").await.unwrap(),
        Some(first)
    );
    assert_eq!(store.lab.synth_outcomes.count("ana_0000000a").await.unwrap(), 1);
}

async fn a_replacement_that_fails_changes_nothing(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let (first, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    store
        .lab
        .synth_outcomes
        .insert(&[outcome(&first.id, "abc123", 0.5)])
        .await
        .unwrap();
    // The id of another experiment's run.
    let taken = run(&other.id, &first.experiment_id, AnalysisStatus::Pending);
    assert_conflict(runs.replace(&taken).await, "analysis_runs.id");
    assert_eq!(
        runs.find_by_experiment(&first.experiment_id).await.unwrap(),
        Some(first.clone())
    );
    assert_eq!(runs.get(&other.id).await.unwrap(), Some(other));
    assert_eq!(store.lab.synth_outcomes.count(&first.id).await.unwrap(), 1);
}

async fn of_replacements_at_once_one_wins(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let old = stored_run(store, 1).await;
    let new: Vec<AnalysisRun> = (10..18)
        .map(|number| {
            run(
                &format!("ana_{number:08x}"),
                &old.experiment_id,
                AnalysisStatus::Running,
            )
        })
        .collect();
    let outcomes = join_all(new.iter().map(|run| runs.replace(run))).await;
    let mut winners = new
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| matches!(outcome, Ok(Replacement::Stored)));
    let (winner, _) = winners.next().unwrap();
    assert_eq!(winners.count(), 0, "{outcomes:?}");
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(
        runs.find_by_experiment(&old.experiment_id)
            .await
            .unwrap()
            .as_ref(),
        Some(winner)
    );
}

async fn runs_are_found_by_their_experiments(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let (first, second) = (stored_run(store, 1).await, stored_run(store, 2).await);
    stored_run(store, 3).await;
    let ids = [
        "exp_00000002",
        "exp_ffffffff",
        "exp_00000001",
        "exp_00000001",
        "'\",é",
    ]
    .map(str::to_owned);
    let expected: HashMap<_, _> = [first, second].map(|run| (run.experiment_id.clone(), run)).into();
    assert_eq!(runs.runs_by_experiments(&ids).await.unwrap(), expected);
    assert_eq!(runs.runs_by_experiments(&[]).await.unwrap(), HashMap::new());
}

async fn update_sets_what_it_holds(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    store
        .lab
        .experiments
        .insert(&experiment("exp_0000000a", 0))
        .await
        .unwrap();
    let made = run("ana_0000000a", "exp_0000000a", AnalysisStatus::Running);
    runs.insert(&made).await.unwrap();
    let other = stored_run(store, 2).await;

    let rates = Json::parse(r#"{"did_not_try_rate": 0.2, "failed_rate": 0.3, "success_rate": 0.5}"#).unwrap();
    let progress = AnalysisProgress {
        status: AnalysisStatus::Completed,
        completed_at: Some(at(9)),
        total_synths: Some(500),
        aggregated_outcomes: Some(rates.clone()),
        execution_time_seconds: Some(1.5),
    };
    let done = AnalysisRun {
        status: AnalysisStatus::Completed.into(),
        completed_at: Some(at(9).into()),
        total_synths: Some(500.into()),
        aggregated_outcomes: Some(rates),
        execution_time_seconds: Some(1.5.into()),
        ..made
    };
    assert_eq!(
        runs.update("ana_0000000a", &progress).await.unwrap(),
        Some(done.clone())
    );
    assert_eq!(runs.get("ana_0000000a").await.unwrap(), Some(done.clone()));
    let failed = AnalysisProgress::to(AnalysisStatus::Failed);
    let expected = AnalysisRun {
        status: AnalysisStatus::Failed.into(),
        ..done
    };
    assert_eq!(
        runs.update("ana_0000000a", &failed).await.unwrap(),
        Some(expected)
    );
    assert_eq!(runs.update("ana_ffffffff", &failed).await.unwrap(), None);
    assert_eq!(runs.get(&other.id).await.unwrap(), Some(other));
}

async fn delete_takes_outcomes_and_cache_along(store: &TestStore) {
    let (first, second) = (stored_run(store, 1).await, stored_run(store, 2).await);
    for id in [&first.id, &second.id] {
        let outcomes = [outcome(id, "abc123", 0.5), outcome(id, "abc124", 0.5)];
        store.lab.synth_outcomes.insert(&outcomes).await.unwrap();
        store
            .lab
            .analysis_cache
            .save(&[entry(id, "elbow")])
            .await
            .unwrap();
    }
    let runs = &store.lab.analysis_runs;
    assert!(runs.delete(&first.id).await.unwrap());
    assert!(!runs.delete(&first.id).await.unwrap());
    assert_eq!(runs.get(&first.id).await.unwrap(), None);
    assert_eq!(store.lab.synth_outcomes.count(&first.id).await.unwrap(), 0);
    assert_eq!(store.lab.analysis_cache.list(&first.id, "").await.unwrap(), []);
    assert_eq!(store.lab.synth_outcomes.count(&second.id).await.unwrap(), 2);

    assert!(runs.delete_by_experiment(&second.experiment_id).await.unwrap());
    assert!(!runs.delete_by_experiment(&second.experiment_id).await.unwrap());
    assert_eq!(store.lab.synth_outcomes.count(&second.id).await.unwrap(), 0);
    assert_eq!(store.lab.analysis_cache.list(&second.id, "").await.unwrap(), []);
}

async fn an_exploration_holds_its_run(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let held = stored_run(store, 1).await;
    store
        .lab
        .synth_outcomes
        .insert(&[outcome(&held.id, "abc123", 0.5)])
        .await
        .unwrap();
    let json = |text: &str| Json::parse(text).unwrap();
    let exploration = Exploration {
        id: "expl_0000000a".to_owned(),
        experiment_id: held.experiment_id.clone(),
        baseline_analysis_id: held.id.clone(),
        goal: json("{}"),
        config: json("{}"),
        status: ExplorationStatus::Running.into(),
        current_depth: 0.into(),
        total_nodes: 1.into(),
        total_llm_calls: 0.into(),
        best_success_rate: None,
        started_at: at(0).into(),
        completed_at: None,
    };
    let root = ScenarioNode {
        id: "node_0000000a".to_owned(),
        exploration_id: exploration.id.clone(),
        parent_id: None,
        depth: 0.into(),
        action_applied: None,
        action_category: None,
        rationale: None,
        short_action: None,
        scorecard_params: json("{}"),
        simulation_results: None,
        execution_time_seconds: None,
        node_status: NodeStatus::Active.into(),
        created_at: at(0).into(),
    };
    store.lab.explorations.start(&exploration, &root).await.unwrap();

    let key = "explorations.baseline_analysis_id";
    assert_conflict(runs.delete(&held.id).await, key);
    assert_conflict(runs.delete_by_experiment(&held.experiment_id).await, key);
    let next = run("ana_0000000b", &held.experiment_id, AnalysisStatus::Running);
    assert_conflict(runs.replace(&next).await, key);
    assert_eq!(
        runs.find_by_experiment(&held.experiment_id).await.unwrap(),
        Some(held.clone())
    );
    assert_eq!(store.lab.synth_outcomes.count(&held.id).await.unwrap(), 1);
}

async fn a_deleted_experiment_keeps_its_run(store: &TestStore) {
    let run = stored_run(store, 1).await;
    store
        .lab
        .experiments
        .delete(&run.experiment_id, at(1))
        .await
        .unwrap();
    let found = store
        .lab
        .analysis_runs
        .find_by_experiment(&run.experiment_id)
        .await
        .unwrap();
    assert_eq!(found, Some(run));
}

async fn the_latest_completed_run_of_an_experiment(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    let done = stored_run(store, 1).await;
    assert_eq!(
        runs.latest_completed_id(&done.experiment_id).await.unwrap(),
        Some(done.id.clone())
    );
    runs.update(&done.id, &AnalysisProgress::to(AnalysisStatus::Running))
        .await
        .unwrap();
    assert_eq!(runs.latest_completed_id(&done.experiment_id).await.unwrap(), None);
    assert_eq!(runs.latest_completed_id("exp_ffffffff").await.unwrap(), None);
}

async fn the_latest_completed_run_among_some(store: &TestStore) {
    let runs = &store.lab.analysis_runs;
    for number in 1..=5 {
        stored_run(store, number).await;
    }
    let completed = |at| AnalysisProgress {
        completed_at: Some(at),
        ..AnalysisProgress::to(AnalysisStatus::Completed)
    };
    runs.update("ana_00000001", &completed(at(5))).await.unwrap();
    runs.update("ana_00000002", &completed(at(7))).await.unwrap();
    runs.update("ana_00000003", &completed(at(7))).await.unwrap();
    let failed = AnalysisProgress {
        status: AnalysisStatus::Failed,
        ..completed(at(9))
    };
    runs.update("ana_00000004", &failed).await.unwrap();
    let among = async |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| format!("ana_0000000{id}")).collect();
        runs.latest_completed_among(&ids).await.unwrap()
    };
    assert_eq!(
        among(&["5", "4", "3", "2", "1", "f"]).await.as_deref(),
        Some("ana_00000002")
    );
    assert_eq!(among(&["1", "3"]).await.as_deref(), Some("ana_00000003"));
    assert_eq!(among(&["5", "1"]).await.as_deref(), Some("ana_00000001"));
    assert_eq!(among(&["5"]).await.as_deref(), Some("ana_00000005"));
    assert_eq!(among(&["4", "f"]).await, None);
    assert_eq!(among(&[]).await, None);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
            INSERT INTO analysis_runs (id, experiment_id, config, status, started_at, completed_at, total_synths,
                aggregated_outcomes, execution_time_seconds) VALUES
                ('ana_x', 'exp_gone', '{}', 'paused', '2026-01-01 12:00:00', 'soon', 'many', 'null', 'long'),
                (NULL, 'exp_null', 'not json', 'completed', '', NULL, NULL, NULL, 3);",
        )
        .unwrap();
        let runs = &store.lab.analysis_runs;
        let odd = runs.get("ana_x").await.unwrap().unwrap();
        let text = |text: &str| StoredValue::Text(text.to_owned());
        assert_eq!(odd.status, Stored::Other(text("paused")));
        assert_eq!(odd.completed_at, Some(Stored::Other(text("soon"))));
        assert_eq!(odd.total_synths, Some(Stored::Other(text("many"))));
        assert_eq!(odd.execution_time_seconds, Some(Stored::Other(text("long"))));
        assert_eq!(odd.aggregated_outcomes.unwrap().as_str(), "null");
        let nameless = runs.find_by_experiment("exp_null").await.unwrap().unwrap();
        assert_eq!((nameless.id.as_str(), nameless.config.as_str()), ("", "not json"));
        assert_eq!(nameless.execution_time_seconds, Some(Stored::Known(3.0)));
        assert!(runs.delete_by_experiment("exp_gone").await.unwrap());
    }
}
