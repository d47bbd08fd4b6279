//! Contract cases of the regions.

use cutover_domain::json::Json;
use cutover_domain::lab::region_analysis::RegionAnalysis;
use cutover_ports::StoreError;
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::simulation::stored_simulation;
use super::{assert_conflict, assert_missing};

contract!(
    replace_then_list,
    the_one_that_failed_most_comes_first,
    replace_takes_the_place_of_what_was_there,
    a_replacement_that_fails_changes_nothing,
    regions_need_their_simulation,
    of_replacements_at_once_one_is_stored_whole,
    delete_says_how_many_there_were,
);

fn region(id: &str, failed_rate: f64) -> RegionAnalysis {
    RegionAnalysis {
        id: id.to_owned(),
        rules: Json::parse(r#"[{"attribute": "trust_mean", "operator": "<=", "threshold": 0.4}]"#).unwrap(),
        rule_text: "confiança <= 0.4 😀".to_owned(),
        synth_count: 7.into(),
        synth_percentage: 12.5.into(),
        did_not_try_rate: 0.1.into(),
        failed_rate: failed_rate.into(),
        success_rate: (0.9 - failed_rate).into(),
        failure_delta: (-0.0).into(),
    }
}

fn ids(regions: &[RegionAnalysis]) -> Vec<&str> {
    regions.iter().map(|region| region.id.as_str()).collect()
}

async fn replace_then_list(store: &TestStore) {
    let regions = &store.lab.region_analyses;
    let run = stored_simulation(store, 1).await;
    let made = [
        region("region_0000000a", 0.75),
        RegionAnalysis {
            rules: Json::parse("null").unwrap(),
            rule_text: String::new(),
            synth_count: i64::MAX.into(),
            synth_percentage: f64::MAX.into(),
            did_not_try_rate: (-1.0).into(),
            success_rate: 1e-300.into(),
            ..region("odd", 0.5)
        },
    ];
    regions.replace_for_simulation(&run.id, &made).await.unwrap();
    assert_eq!(regions.list(&run.id).await.unwrap(), made);
    assert_eq!(regions.list("sim_ffffffff").await.unwrap(), []);
}

async fn the_one_that_failed_most_comes_first(store: &TestStore) {
    let regions = &store.lab.region_analyses;
    let run = stored_simulation(store, 1).await;
    let made = [
        region("region_c", 0.5),
        region("region_a", 0.5),
        region("region_b", 0.75),
        region("region_d", 0.0),
    ];
    regions.replace_for_simulation(&run.id, &made).await.unwrap();
    let stored = regions.list(&run.id).await.unwrap();
    assert_eq!(ids(&stored), ["region_b", "region_a", "region_c", "region_d"]);
}

async fn replace_takes_the_place_of_what_was_there(store: &TestStore) {
    let regions = &store.lab.region_analyses;
    let run = stored_simulation(store, 1).await;
    let other = stored_simulation(store, 2).await;
    let first = [region("region_a", 0.75), region("region_b", 0.5)];
    let others = [region("region_z", 0.5)];
    regions.replace_for_simulation(&run.id, &first).await.unwrap();
    regions.replace_for_simulation(&other.id, &others).await.unwrap();
    // One of the ids stays in use.
    let second = [region("region_b", 0.25)];
    regions.replace_for_simulation(&run.id, &second).await.unwrap();
    assert_eq!(regions.list(&run.id).await.unwrap(), second);
    assert_eq!(regions.list(&other.id).await.unwrap(), others);
    regions.replace_for_simulation(&run.id, &[]).await.unwrap();
    assert_eq!(regions.list(&run.id).await.unwrap(), []);
    assert_eq!(regions.list(&other.id).await.unwrap(), others);
}

async fn a_replacement_that_fails_changes_nothing(store: &TestStore) {
    let regions = &store.lab.region_analyses;
    let run = stored_simulation(store, 1).await;
    let other = stored_simulation(store, 2).await;
    let first = [region("region_a", 0.75)];
    regions.replace_for_simulation(&run.id, &first).await.unwrap();
    regions
        .replace_for_simulation(&other.id, &[region("region_z", 0.5)])
        .await
        .unwrap();
    let twice = [region("region_b", 0.5), region("region_b", 0.25)];
    let taken = [region("region_b", 0.5), region("region_z", 0.25)];
    for refused in [twice, taken] {
        assert_conflict(
            regions.replace_for_simulation(&run.id, &refused).await,
            "region_analyses.id",
        );
    }
    let not_a_number = RegionAnalysis {
        failed_rate: cutover_domain::stored::Stored::Other(cutover_domain::stored::StoredValue::Null),
        ..region("region_c", 0.0)
    };
    let error = regions
        .replace_for_simulation(&run.id, &[region("region_b", 0.5), not_a_number])
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Invalid { .. }), "{error:?}");
    assert_eq!(regions.list(&run.id).await.unwrap(), first);
    assert_eq!(ids(&regions.list(&other.id).await.unwrap()), ["region_z"]);
}

async fn regions_need_their_simulation(store: &TestStore) {
    let regions = &store.lab.region_analyses;
    assert_missing(
        regions
            .replace_for_simulation("sim_ffffffff", &[region("region_a", 0.5)])
            .await,
        "simulation_runs",
    );
    // None of no simulation is what there is already.
    regions.replace_for_simulation("sim_ffffffff", &[]).await.unwrap();
    assert_eq!(regions.list("sim_ffffffff").await.unwrap(), []);
}

async fn of_replacements_at_once_one_is_stored_whole(store: &TestStore) {
    let run = &stored_simulation(store, 1).await.id;
    let tried: Vec<[RegionAnalysis; 3]> = (0..8)
        .map(|n| [0.75, 0.5, 0.25].map(|rate| region(&format!("region_{n}_{rate}"), rate)))
        .collect();
    join_all(tried.iter().map(|regions| async move {
        store
            .lab
            .region_analyses
            .replace_for_simulation(run, regions)
            .await
            .unwrap();
    }))
    .await;
    let stored = store.lab.region_analyses.list(run).await.unwrap();
    assert!(
        tried.iter().any(|regions| *regions == *stored),
        "parts of several: {:?}",
        ids(&stored)
    );
}

async fn delete_says_how_many_there_were(store: &TestStore) {
    let regions = &store.lab.region_analyses;
    let run = stored_simulation(store, 1).await;
    let other = stored_simulation(store, 2).await;
    let others = [region("region_z", 0.5)];
    regions.replace_for_simulation(&other.id, &others).await.unwrap();
    regions
        .replace_for_simulation(&run.id, &[region("region_a", 0.75), region("region_b", 0.5)])
        .await
        .unwrap();
    assert_eq!(regions.delete(&run.id).await.unwrap(), 2);
    assert_eq!(regions.delete(&run.id).await.unwrap(), 0);
    assert_eq!(regions.list(&run.id).await.unwrap(), []);
    assert_eq!(regions.list(&other.id).await.unwrap(), others);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let run = stored_simulation(&store, 1).await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO region_analyses (id, simulation_id, rules, rule_text, synth_count, synth_percentage,
                did_not_try_rate, failed_rate, success_rate, failure_delta) VALUES
                (NULL, 'sim_00000001', '', x'ff', 'few', 101, 1, 0.25, 0, 0),
                (NULL, 'sim_00000001', '{}', 'r', 1.5, '50%', 1, 0.5, 0, -2);",
        )
        .unwrap();
        let stored = store.lab.region_analyses.list(&run.id).await.unwrap();
        assert_eq!(stored.len(), 2);
        assert_eq!(stored[0].synth_count, Stored::Other(StoredValue::Real(1.5)));
        assert_eq!(
            stored[0].synth_percentage,
            Stored::Other(StoredValue::Text("50%".to_owned()))
        );
        assert!(stored[0].check().is_err() && stored[0].rules().is_err());
        assert_eq!(stored[1].rule_text, "\u{fffd}");
        assert_eq!(stored[1].synth_percentage, Stored::Known(101.0));
        assert!(stored[1].rules().is_err());
        assert_eq!(store.lab.region_analyses.delete(&run.id).await.unwrap(), 2);
    }
}
