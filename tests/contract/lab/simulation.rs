//! Contract cases of the legacy simulation's runs.

use std::sync::Arc;

use cutover::usecase::lab::simulation::{NewSimulation, SimulationOutcome, Simulations};
use cutover::wiring::{RandomIds, SystemClock};
use cutover_domain::json::Json;
use cutover_domain::lab::analysis_run::{AnalysisStatus, Rates};
use cutover_domain::lab::scorecard::FeatureScorecard;
use cutover_domain::lab::simulation::{
    SimulationConfig, SimulationFilter, SimulationRun, shadow_experiment_id, shadow_run_id,
};
use cutover_domain::stored::{Stored, StoredValue};
use cutover_ports::{PageRequest, StoreError};
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::experiment::experiment;
use super::scorecard::{scorecard, stored_scorecard};
use super::{assert_conflict, assert_missing, at};

contract!(
    insert_then_get,
    a_taken_id_conflicts,
    of_inserts_at_once_one_wins,
    a_run_needs_its_scorecard,
    a_status_outside_the_rule_is_refused,
    update_stores_how_far_a_run_is,
    the_list_is_newest_first_and_pages_never_overlap,
    every_filter_and_every_two_of_them,
    runs_of_several_scorecards_are_one_list,
    outcomes_are_kept_under_a_shadow_that_follows,
    an_experiments_simulations_are_those_of_its_scorecards,
);

/// A run that others can refer to.
pub(super) fn simulation(id: &str, scorecard_id: &str, seconds: i64) -> SimulationRun {
    SimulationRun {
        id: id.to_owned(),
        scorecard_id: scorecard_id.to_owned(),
        scenario_id: "baseline".to_owned(),
        config: Json::parse(r#"{"n_synths": 3, "n_executions": 1, "sigma": 0.05, "seed": null}"#).unwrap(),
        status: AnalysisStatus::Running.into(),
        started_at: at(seconds).into(),
        completed_at: None,
        total_synths: None,
        aggregated_outcomes: None,
        execution_time_seconds: None,
    }
}

/// Stores a run and its scorecard.
pub(super) async fn stored_simulation(store: &TestStore, number: u32) -> SimulationRun {
    let scorecard = stored_scorecard(store, &format!("{number:08x}")).await;
    let run = simulation(&format!("sim_{number:08x}"), &scorecard.id, i64::from(number));
    store.lab.simulations.insert(&run).await.unwrap();
    run
}

async fn insert_then_get(store: &TestStore) {
    let simulations = &store.lab.simulations;
    stored_scorecard(store, "aaaaaaaa").await;
    let full = SimulationRun {
        scenario_id: "primeiro uso é".to_owned(),
        status: AnalysisStatus::Failed.into(),
        completed_at: Some(at(60).into()),
        total_synths: Some(i64::MIN.into()),
        aggregated_outcomes: Some(Json::parse(r#"{"did_not_try": 0.10, "failed": 1e-7, "x": {}}"#).unwrap()),
        execution_time_seconds: Some(f64::MAX.into()),
        ..simulation("sim_0000000a", "aaaaaaaa", 0)
    };
    let bare = SimulationRun {
        scenario_id: String::new(),
        config: Json::parse("[]").unwrap(),
        ..simulation("odd id", "aaaaaaaa", 1)
    };
    for made in [full, bare] {
        simulations.insert(&made).await.unwrap();
        assert_eq!(simulations.get(&made.id).await.unwrap(), Some(made));
    }
    assert_eq!(simulations.get("sim_ffffffff").await.unwrap(), None);
}

async fn a_taken_id_conflicts(store: &TestStore) {
    let simulations = &store.lab.simulations;
    let first = stored_simulation(store, 10).await;
    let second = SimulationRun {
        scenario_id: "crisis".to_owned(),
        ..first.clone()
    };
    assert_conflict(simulations.insert(&second).await, "simulation_runs.id");
    assert_eq!(simulations.get(&first.id).await.unwrap(), Some(first));
}

async fn of_inserts_at_once_one_wins(store: &TestStore) {
    stored_scorecard(store, "aaaaaaaa").await;
    let outcomes = join_all((0..8).map(|seconds| async move {
        let run = simulation("sim_0000000a", "aaaaaaaa", seconds);
        store.lab.simulations.insert(&run).await.map(|()| run)
    }))
    .await;
    let mut stored = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(run) => stored.push(run),
            other => assert_conflict(other, "simulation_runs.id"),
        }
    }
    assert_eq!(stored.len(), 1);
    assert_eq!(
        store.lab.simulations.get("sim_0000000a").await.unwrap(),
        stored.pop()
    );
}

async fn a_run_needs_its_scorecard(store: &TestStore) {
    let run = simulation("sim_0000000a", "ffffffff", 0);
    assert_missing(store.lab.simulations.insert(&run).await, "feature_scorecards");
    assert_eq!(store.lab.simulations.get(&run.id).await.unwrap(), None);
}

async fn a_status_outside_the_rule_is_refused(store: &TestStore) {
    let run = stored_simulation(store, 10).await;
    let odd = SimulationRun {
        status: Stored::Other(StoredValue::Text("paused".to_owned())),
        total_synths: Some(9.into()),
        ..run.clone()
    };
    let error = store.lab.simulations.update(&odd).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert_eq!(store.lab.simulations.get(&run.id).await.unwrap(), Some(run));
}

async fn update_stores_how_far_a_run_is(store: &TestStore) {
    let simulations = &store.lab.simulations;
    let begun = stored_simulation(store, 10).await;
    let other = stored_simulation(store, 11).await;
    let ended = SimulationRun {
        status: AnalysisStatus::Completed.into(),
        completed_at: Some(at(60).into()),
        total_synths: Some(3.into()),
        aggregated_outcomes: Some(
            Json::parse(r#"{"did_not_try": 0.25, "failed": 0.25, "success": 0.5}"#).unwrap(),
        ),
        execution_time_seconds: Some(0.1.into()),
        ..begun.clone()
    };
    // What was asked of the run does not change, whatever the value says.
    let told = SimulationRun {
        scorecard_id: "no such".to_owned(),
        scenario_id: "crisis".to_owned(),
        config: Json::parse("{}").unwrap(),
        started_at: at(99).into(),
        ..ended.clone()
    };
    assert!(simulations.update(&told).await.unwrap());
    assert_eq!(simulations.get(&begun.id).await.unwrap(), Some(ended));
    assert!(simulations.update(&begun).await.unwrap());
    assert_eq!(simulations.get(&begun.id).await.unwrap(), Some(begun));
    assert_eq!(simulations.get(&other.id).await.unwrap(), Some(other));
    let gone = simulation("sim_ffffffff", "0000000a", 0);
    assert!(!simulations.update(&gone).await.unwrap());
}

async fn the_list_is_newest_first_and_pages_never_overlap(store: &TestStore) {
    let simulations = &store.lab.simulations;
    stored_scorecard(store, "aaaaaaaa").await;
    for (id, seconds) in [
        ("sim_0000000c", 5),
        ("sim_0000000a", 5),
        ("sim_0000000b", 7),
        ("sim_0000000d", 1),
    ] {
        simulations
            .insert(&simulation(id, "aaaaaaaa", seconds))
            .await
            .unwrap();
    }
    let all = ["sim_0000000b", "sim_0000000a", "sim_0000000c", "sim_0000000d"];
    let scorecards = ["aaaaaaaa".to_owned()];
    let (mut seen, mut seen_by_scorecard) = (Vec::new(), Vec::new());
    for offset in [0, 2, 4] {
        let part = PageRequest { limit: 2, offset };
        let page = simulations
            .list(&SimulationFilter::default(), part)
            .await
            .unwrap();
        assert_eq!(page.total, 4);
        seen.extend(page.items.into_iter().map(|run| run.id));
        let page = simulations.list_by_scorecards(&scorecards, part).await.unwrap();
        assert_eq!(page.total, 4);
        seen_by_scorecard.extend(page.items.into_iter().map(|run| run.id));
    }
    assert_eq!(seen, all);
    assert_eq!(seen_by_scorecard, all);
}

async fn every_filter_and_every_two_of_them(store: &TestStore) {
    let simulations = &store.lab.simulations;
    for id in ["aaaaaaaa", "bbbbbbbb"] {
        stored_scorecard(store, id).await;
    }
    let mut all = Vec::new();
    for (number, scorecard) in (0..).zip(["aaaaaaaa", "bbbbbbbb"]) {
        for (scenario_number, scenario) in (0..).zip(["baseline", "crisis"]) {
            for (status_number, status) in (0..).zip(AnalysisStatus::ALL) {
                let seconds = 10 * (2 * number + scenario_number) + status_number;
                let run = SimulationRun {
                    scenario_id: scenario.to_owned(),
                    status: (*status).into(),
                    ..simulation(&format!("sim_{seconds:08}"), scorecard, seconds)
                };
                simulations.insert(&run).await.unwrap();
                all.push(run);
            }
        }
    }
    all.reverse();
    let some = |text: &str| Some(text.to_owned());
    for scorecard_id in [None, some("aaaaaaaa"), some("cccccccc")] {
        for scenario_id in [None, some("crisis"), some("")] {
            for status in [None, some("completed"), some("no such")] {
                let filter = SimulationFilter {
                    scorecard_id: scorecard_id.clone(),
                    scenario_id: scenario_id.clone(),
                    status: status.clone(),
                };
                let expected: Vec<SimulationRun> = all
                    .iter()
                    .filter(|run| scorecard_id.as_ref().is_none_or(|id| *id == run.scorecard_id))
                    .filter(|run| scenario_id.as_ref().is_none_or(|id| *id == run.scenario_id))
                    .filter(|run| {
                        status.as_deref().is_none_or(|wanted| {
                            wanted == "completed" && run.status == Stored::Known(AnalysisStatus::Completed)
                        })
                    })
                    .cloned()
                    .collect();
                let page = simulations.list(&filter, PageRequest::first(50)).await.unwrap();
                assert_eq!(page.total, expected.len() as u64, "{filter:?}");
                assert_eq!(page.items, expected, "{filter:?}");
            }
        }
    }
}

async fn runs_of_several_scorecards_are_one_list(store: &TestStore) {
    let simulations = &store.lab.simulations;
    let mut runs = Vec::new();
    for number in 1..=3 {
        runs.push(stored_simulation(store, number).await);
    }
    let second = simulation("sim_aaaaaaaa", &runs[0].scorecard_id, 60);
    simulations.insert(&second).await.unwrap();
    let wanted = [
        runs[1].scorecard_id.clone(),
        runs[0].scorecard_id.clone(),
        "'; --".to_owned(),
        runs[0].scorecard_id.clone(),
    ];
    let page = simulations
        .list_by_scorecards(&wanted, PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(page.total, 3);
    assert_eq!(page.items, [second, runs[1].clone(), runs[0].clone()]);
    let none = simulations
        .list_by_scorecards(&[], PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!((none.total, none.items.len()), (0, 0));
}

/// The use case over the repositories under test.
fn use_case(store: &TestStore) -> Simulations {
    Simulations::new(&store.lab, Arc::new(SystemClock), Arc::new(RandomIds))
}

fn outcome(synth_id: &str, success_rate: f64) -> SimulationOutcome {
    let attributes = r#"{"observables": {"digital_literacy": 0.10, "similar_tool_experience": 0.2,
        "motor_ability": 1, "time_availability": 0, "domain_expertise": 0.5},
        "latent_traits": {"capability_mean": 0.5, "trust_mean": 0.5, "friction_tolerance_mean": 0.5,
        "exploration_prob": 0.5}, "more": null}"#;
    SimulationOutcome {
        synth_id: synth_id.to_owned(),
        rates: Rates {
            did_not_try_rate: 0.0,
            failed_rate: 1.0 - success_rate,
            success_rate,
        },
        synth_attributes: Json::parse(attributes).unwrap(),
    }
}

async fn outcomes_are_kept_under_a_shadow_that_follows(store: &TestStore) {
    let simulations = use_case(store);
    stored_scorecard(store, "aaaaaaaa").await;
    let begun = simulations
        .start(NewSimulation {
            scorecard_id: "aaaaaaaa".to_owned(),
            scenario_id: "crisis".to_owned(),
            config: SimulationConfig {
                n_synths: 2,
                n_executions: 1,
                sigma: 0.05,
                seed: Some(7),
            },
        })
        .await
        .unwrap();
    // Several at once, before there is a shadow: all are stored, and the last one counts.
    let outcomes = [outcome("synth1", 0.25), outcome("SYNTH-2", 0.5)];
    for stored in join_all((0..4).map(|_| simulations.save_outcomes(&begun.id, &outcomes))).await {
        assert_eq!(stored.unwrap(), 2);
    }
    let again = [outcome("synth1", 0.75)];
    assert_eq!(simulations.save_outcomes(&begun.id, &again).await.unwrap(), 1);
    let page = simulations
        .outcomes(&begun.id, PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(page.total, 2);
    let seen: Vec<_> = page
        .items
        .iter()
        .map(|one| (one.synth_id.as_str(), one.success_rate.known().copied()))
        .collect();
    assert_eq!(seen, [("SYNTH-2", Some(0.5)), ("synth1", Some(0.75))]);
    assert_eq!(
        page.items[0].synth_attributes.as_ref(),
        Some(&outcomes[1].synth_attributes)
    );
    let shadow = store
        .lab
        .experiments
        .get(&shadow_experiment_id(&begun.id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(shadow.name, format!("Simulation {}", begun.id));
    let shadow_run = store
        .lab
        .analysis_runs
        .get(&shadow_run_id(&begun.id))
        .await
        .unwrap();
    assert_eq!(shadow_run, Some(begun.shadow_run()));
    let ended = SimulationRun {
        status: AnalysisStatus::Completed.into(),
        completed_at: Some(at(60).into()),
        total_synths: Some(2.into()),
        aggregated_outcomes: Some(
            Json::parse(r#"{"did_not_try": 0.0, "failed": 0.375, "success": 0.625}"#).unwrap(),
        ),
        execution_time_seconds: Some(0.5.into()),
        ..begun.clone()
    };
    simulations.record(&ended).await.unwrap();
    assert_eq!(simulations.get(&begun.id).await.unwrap(), ended);
    let shadow_run = store
        .lab
        .analysis_runs
        .get(&shadow_run_id(&begun.id))
        .await
        .unwrap();
    assert_eq!(shadow_run, Some(ended.shadow_run()));
}

async fn an_experiments_simulations_are_those_of_its_scorecards(store: &TestStore) {
    for id in ["exp_0000000a", "exp_0000000b"] {
        store.lab.experiments.insert(&experiment(id, 0)).await.unwrap();
    }
    for (id, owner) in [
        ("aaaaaaaa", "exp_0000000a"),
        ("bbbbbbbb", "exp_0000000b"),
        ("cccccccc", "exp_0000000a"),
    ] {
        let owned = FeatureScorecard {
            experiment_id: Some(owner.to_owned()),
            ..scorecard(id, 0)
        };
        store.lab.scorecards.insert(&owned).await.unwrap();
    }
    let runs = [
        simulation("sim_00000001", "aaaaaaaa", 1),
        simulation("sim_00000002", "bbbbbbbb", 2),
        simulation("sim_00000003", "cccccccc", 3),
    ];
    for run in &runs {
        store.lab.simulations.insert(run).await.unwrap();
    }
    let found = use_case(store)
        .list_by_experiment("exp_0000000a", PageRequest::first(10))
        .await
        .unwrap();
    assert_eq!(found.total, 2);
    assert_eq!(found.items, [runs[2].clone(), runs[0].clone()]);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use super::*;

    #[tokio::test]
    async fn rows_that_break_rules_are_read_and_listed() {
        let store = TestStore::sqlite().await;
        stored_scorecard(&store, "aaaaaaaa").await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO simulation_runs (id, scorecard_id, scenario_id, config, status, started_at, completed_at,
                total_synths, aggregated_outcomes, execution_time_seconds) VALUES
                (NULL, 'aaaaaaaa', 3, 'NaN', 'paused', '2026-01-01', 'soon', 'many', '{', x'00'),
                ('sim_b', 'aaaaaaaa', 'crisis', '{}', 'running', '2026-01-01 00:00:01', NULL, 2.5, NULL, 3);",
        )
        .unwrap();
        let simulations = &store.lab.simulations;
        let page = simulations
            .list(&SimulationFilter::default(), PageRequest::first(9))
            .await
            .unwrap();
        assert_eq!(page.total, 2);
        assert_eq!(page.items[0].id, "sim_b");
        assert_eq!(
            page.items[0].total_synths,
            Some(Stored::Other(StoredValue::Real(2.5)))
        );
        assert_eq!(page.items[0].execution_time_seconds, Some(Stored::Known(3.0)));
        let odd = &page.items[1];
        let text = |text: &str| StoredValue::Text(text.to_owned());
        assert_eq!(
            (odd.id.as_str(), odd.scenario_id.as_str(), odd.config.as_str()),
            ("", "3", "NaN")
        );
        assert_eq!(odd.status, Stored::Other(text("paused")));
        assert_eq!(odd.completed_at, Some(Stored::Other(text("soon"))));
        assert_eq!(odd.total_synths, Some(Stored::Other(text("many"))));
        assert_eq!(
            odd.execution_time_seconds,
            Some(Stored::Other(StoredValue::Blob(vec![0])))
        );
        assert_eq!(odd.rates(), None);
        let filter = SimulationFilter {
            status: Some("paused".to_owned()),
            ..SimulationFilter::default()
        };
        let page = simulations.list(&filter, PageRequest::first(9)).await.unwrap();
        assert_eq!(page.items, std::slice::from_ref(odd));
    }
    /// The original left its outcomes without ids and their run under way for ever.
    #[tokio::test]
    async fn outcomes_of_the_original_are_found_and_replaced() {
        let store = TestStore::sqlite().await;
        let run = stored_simulation(&store, 0xa).await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            r#"INSERT INTO experiments (id, name, hypothesis, created_at) VALUES
                ('exp_0000000a', 'Simulation sim_0000000a', 'Auto-generated from simulation', '2026-01-01 12:00:00');
            INSERT INTO analysis_runs (id, experiment_id, scenario_id, config, status, started_at) VALUES
                ('ana_0000000a', 'exp_0000000a', 'baseline', '{"n_synths": 3}', 'running', '2026-01-01 12:00:00');
            INSERT INTO synth_outcomes
                (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate, synth_attributes) VALUES
                (NULL, 'ana_0000000a', 'synth1', 0.5, 0.5, 0, '{}'), (NULL, 'ana_0000000a', 'synth2', 0, 0, 1, '{}');"#,
        )
        .unwrap();
        let simulations = use_case(&store);
        simulations
            .save_outcomes(&run.id, &[outcome("synth1", 0.75)])
            .await
            .unwrap();
        let page = simulations
            .outcomes(&run.id, PageRequest::first(9))
            .await
            .unwrap();
        let seen: Vec<_> = page
            .items
            .iter()
            .map(|one| {
                (
                    one.id.as_deref(),
                    one.synth_id.as_str(),
                    one.success_rate.known().copied(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                (Some("ana_0000000a_synth1"), "synth1", Some(0.75)),
                (None, "synth2", Some(1.0))
            ]
        );
        simulations
            .record(&SimulationRun {
                status: AnalysisStatus::Failed.into(),
                ..run.clone()
            })
            .await
            .unwrap();
        let shadow = store
            .lab
            .analysis_runs
            .get("ana_0000000a")
            .await
            .unwrap()
            .unwrap();
        assert_eq!(shadow.status, Stored::Known(AnalysisStatus::Failed));
    }
}
