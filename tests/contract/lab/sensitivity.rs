//! Contract cases of the sensitivity results.

use cutover_domain::json::Json;
use cutover_domain::lab::sensitivity::SensitivityResult;
use cutover_tests::store::TestStore;

use super::simulation::stored_simulation;
use super::{assert_conflict, assert_missing, at};

contract!(
    insert_then_get,
    a_taken_id_conflicts,
    a_result_needs_its_simulation,
    the_latest_is_the_one_analyzed_last,
    delete_says_how_many_there_were,
);

fn result(id: &str, simulation_id: &str, seconds: i64) -> SensitivityResult {
    SensitivityResult {
        id: id.to_owned(),
        simulation_id: simulation_id.to_owned(),
        analyzed_at: at(seconds).into(),
        deltas_used: Json::parse("[-0.10, 0.05, 1e-7]").unwrap(),
        baseline_success: 0.1.into(),
        most_sensitive_dimension: "complexity é".to_owned(),
        dimensions: Json::parse(r#"[{"dimension": "complexity", "rank": 1}]"#).unwrap(),
        created_at: at(seconds + 1).into(),
    }
}

async fn insert_then_get(store: &TestStore) {
    let results = &store.lab.sensitivity_results;
    let run = stored_simulation(store, 1).await;
    for made in [
        result("sens_00000000000a", &run.id, 0),
        SensitivityResult {
            deltas_used: Json::parse("null").unwrap(),
            baseline_success: (-1.5).into(),
            most_sensitive_dimension: String::new(),
            ..result("odd", &run.id, -1)
        },
    ] {
        results.insert(&made).await.unwrap();
        assert_eq!(results.get(&made.id).await.unwrap(), Some(made));
    }
    assert_eq!(results.get("sens_ffffffffffff").await.unwrap(), None);
}

async fn a_taken_id_conflicts(store: &TestStore) {
    let results = &store.lab.sensitivity_results;
    let run = stored_simulation(store, 1).await;
    let first = result("sens_a", &run.id, 0);
    results.insert(&first).await.unwrap();
    assert_conflict(
        results.insert(&result("sens_a", &run.id, 5)).await,
        "sensitivity_results.id",
    );
    assert_eq!(results.get("sens_a").await.unwrap(), Some(first));
}

async fn a_result_needs_its_simulation(store: &TestStore) {
    let results = &store.lab.sensitivity_results;
    let orphan = result("sens_a", "sim_ffffffff", 0);
    assert_missing(results.insert(&orphan).await, "simulation_runs");
    assert_eq!(results.get("sens_a").await.unwrap(), None);
}

async fn the_latest_is_the_one_analyzed_last(store: &TestStore) {
    let results = &store.lab.sensitivity_results;
    let run = stored_simulation(store, 1).await;
    let other = stored_simulation(store, 2).await;
    assert_eq!(results.latest_by_simulation(&run.id).await.unwrap(), None);
    for (id, simulation, seconds) in [
        ("sens_c", &run.id, 5),
        ("sens_b", &run.id, 5),
        ("sens_a", &run.id, 1),
        ("sens_z", &other.id, 9),
    ] {
        results.insert(&result(id, simulation, seconds)).await.unwrap();
    }
    assert_eq!(
        results.latest_by_simulation(&run.id).await.unwrap(),
        Some(result("sens_b", &run.id, 5))
    );
}

async fn delete_says_how_many_there_were(store: &TestStore) {
    let results = &store.lab.sensitivity_results;
    let run = stored_simulation(store, 1).await;
    let other = stored_simulation(store, 2).await;
    for (id, simulation) in [("sens_a", &run.id), ("sens_b", &run.id), ("sens_z", &other.id)] {
        results.insert(&result(id, simulation, 0)).await.unwrap();
    }
    assert_eq!(results.delete_by_simulation(&run.id).await.unwrap(), 2);
    assert_eq!(results.delete_by_simulation(&run.id).await.unwrap(), 0);
    assert_eq!(results.latest_by_simulation(&run.id).await.unwrap(), None);
    let kept = result("sens_z", &other.id, 0);
    assert_eq!(results.get("sens_z").await.unwrap(), Some(kept));
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    /// A study's time without a zone is UTC, and the default of `created_at` writes a blank where others write a `T`.
    #[tokio::test]
    async fn times_of_every_spelling_are_read_and_compared() {
        let store = TestStore::sqlite().await;
        let run = stored_simulation(&store, 1).await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO sensitivity_results (id, simulation_id, analyzed_at, deltas_used, baseline_success,
                most_sensitive_dimension, dimensions) VALUES
                ('sens_a', 'sim_00000001', '2026-01-01 12:00:02', '[]', 'high', 'risk', '[NaN]'),
                ('sens_b', 'sim_00000001', '2026-01-01T12:00:01.5', '[]', 1, 'risk', '[]'),
                ('sens_c', 'sim_00000001', 'yesterday', '[]', 0, 'risk', '[]');",
        )
        .unwrap();
        let latest = store
            .lab
            .sensitivity_results
            .latest_by_simulation(&run.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(latest.id, "sens_a");
        assert_eq!(
            latest.analyzed_at.known().unwrap().to_iso(),
            "2026-01-01T12:00:02.000000+00:00"
        );
        assert!(latest.created_at.known().is_some());
        assert_eq!(
            latest.baseline_success,
            Stored::Other(StoredValue::Text("high".to_owned()))
        );
        assert!(latest.check().is_err() && latest.dimensions().is_err());
    }
}
