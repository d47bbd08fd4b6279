//! Contract cases of the insights into the charts of simulations.

use cutover_domain::json::Json;
use cutover_domain::lab::chart_insight::{EXECUTIVE_SUMMARY, InsightContent, SimulationInsight};
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::{assert_conflict, at};

contract!(
    save_then_get,
    an_insight_keeps_its_id_and_its_first_time,
    a_taken_id_conflicts,
    saving_at_once_leaves_one,
    the_list_is_oldest_first_without_the_summary,
    a_summary_is_kept_beside_the_insights,
    delete_says_whether_there_was_one,
    all_of_a_simulation_go_at_once,
);

fn insight(id: &str, simulation_id: &str, insight_type: &str, seconds: i64) -> SimulationInsight {
    SimulationInsight {
        id: id.to_owned(),
        simulation_id: simulation_id.to_owned(),
        insight_type: insight_type.to_owned(),
        response_json: Json::parse(
            r#"{"simulation_id": "sim_a", "chart_type": "sankey", "caption": "cora\u00e7\u00e3o 😀",
                "evidence": ["x"], "confidence": 0.10, "generated_at": "2025-12-28T10:00:00"}"#,
        )
        .unwrap(),
        created_at: at(seconds).into(),
        updated_at: at(seconds).into(),
    }
}

async fn save_then_get(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    for made in [
        // Neither the simulation nor the analysis run exists.
        insight("ins_a", "sim_0000000a", "tornado", 0),
        insight("ins_b", "ana_0000000a", "tornado", 1),
        SimulationInsight {
            response_json: Json::parse("null").unwrap(),
            updated_at: at(60).into(),
            ..insight("ins_c", "", "é", 2)
        },
    ] {
        assert_eq!(insights.save(&made).await.unwrap(), made);
        let read = insights
            .get(&made.simulation_id, &made.insight_type)
            .await
            .unwrap();
        assert_eq!(read, Some(made));
    }
    assert_eq!(insights.get("sim_0000000a", "pdp").await.unwrap(), None);
    assert_eq!(insights.get("sim_0000000b", "tornado").await.unwrap(), None);
}

async fn an_insight_keeps_its_id_and_its_first_time(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    let first = insight("ins_a", "sim_a", "pdp", 0);
    insights.save(&first).await.unwrap();
    let again = SimulationInsight {
        response_json: Json::parse(r#"{"summary": "novo"}"#).unwrap(),
        ..insight("ins_b", "sim_a", "pdp", 60)
    };
    let expected = SimulationInsight {
        id: "ins_a".to_owned(),
        created_at: at(0).into(),
        ..again.clone()
    };
    assert_eq!(insights.save(&again).await.unwrap(), expected);
    assert_eq!(
        insights.get("sim_a", "pdp").await.unwrap(),
        Some(expected.clone())
    );
    // The same once more, now under its own id.
    assert_eq!(insights.save(&expected).await.unwrap(), expected);
    assert_eq!(insights.list_by_simulation("sim_a").await.unwrap(), [expected]);
}

async fn a_taken_id_conflicts(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    let first = insight("ins_a", "sim_a", "pdp", 0);
    insights.save(&first).await.unwrap();
    for other in [
        insight("ins_a", "sim_a", "outliers", 1),
        insight("ins_a", "sim_b", "pdp", 1),
    ] {
        assert_conflict(insights.save(&other).await, "chart_insights.id");
        assert_eq!(
            insights
                .get(&other.simulation_id, &other.insight_type)
                .await
                .unwrap(),
            None
        );
    }
    assert_eq!(insights.get("sim_a", "pdp").await.unwrap(), Some(first));
}

async fn saving_at_once_leaves_one(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    let saved = join_all((0..8).map(|n| async move {
        let made = insight(&format!("ins_{n}"), "sim_a", "pdp", n);
        store.lab.chart_insights.save(&made).await.unwrap().id
    }))
    .await;
    let stored = insights.list_by_simulation("sim_a").await.unwrap();
    assert_eq!(stored.len(), 1);
    assert!(saved.iter().all(|id| *id == stored[0].id), "{saved:?}");
}

async fn the_list_is_oldest_first_without_the_summary(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    for (id, kind, seconds) in [
        ("ins_a", "pdp", 5),
        ("ins_b", "outliers", 5),
        ("ins_c", "tornado", 1),
        ("ins_d", EXECUTIVE_SUMMARY, 3),
        ("ins_e", "executive_summary_2", 9),
    ] {
        insights.save(&insight(id, "sim_a", kind, seconds)).await.unwrap();
    }
    insights.save(&insight("ins_z", "sim_b", "pdp", 0)).await.unwrap();
    let stored = insights.list_by_simulation("sim_a").await.unwrap();
    let kinds: Vec<&str> = stored.iter().map(|one| one.insight_type.as_str()).collect();
    assert_eq!(kinds, ["tornado", "outliers", "pdp", "executive_summary_2"]);
    assert_eq!(stored[1], insight("ins_b", "sim_a", "outliers", 5));
    assert_eq!(insights.list_by_simulation("sim_c").await.unwrap(), []);
}

async fn a_summary_is_kept_beside_the_insights(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    for (id, text, seconds) in [("ins_a", "a primeira", 0), ("ins_b", "a segunda é melhor", 60)] {
        let summary = SimulationInsight::summary(id.to_owned(), "sim_a", text, at(seconds));
        insights.save(&summary).await.unwrap();
    }
    let stored = insights.get("sim_a", EXECUTIVE_SUMMARY).await.unwrap().unwrap();
    assert_eq!(
        (stored.id.as_str(), stored.created_at.known()),
        ("ins_a", Some(&at(0)))
    );
    let InsightContent::Summary(summary) = stored.content() else {
        panic!("{stored:?}");
    };
    assert_eq!(summary.executive_summary, "a segunda é melhor");
    assert_eq!(insights.list_by_simulation("sim_a").await.unwrap(), []);
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    let other = insight("ins_b", "sim_a", "outliers", 0);
    insights.save(&insight("ins_a", "sim_a", "pdp", 0)).await.unwrap();
    insights.save(&other).await.unwrap();
    assert!(insights.delete("sim_a", "pdp").await.unwrap());
    assert!(!insights.delete("sim_a", "pdp").await.unwrap());
    assert_eq!(insights.list_by_simulation("sim_a").await.unwrap(), [other]);
}

async fn all_of_a_simulation_go_at_once(store: &TestStore) {
    let insights = &store.lab.chart_insights;
    for (id, simulation, kind) in [
        ("ins_a", "sim_a", "pdp"),
        ("ins_b", "sim_a", EXECUTIVE_SUMMARY),
        ("ins_c", "sim_b", "pdp"),
    ] {
        insights.save(&insight(id, simulation, kind, 0)).await.unwrap();
    }
    assert_eq!(insights.delete_by_simulation("sim_a").await.unwrap(), 2);
    assert_eq!(insights.delete_by_simulation("sim_a").await.unwrap(), 0);
    assert_eq!(insights.get("sim_a", EXECUTIVE_SUMMARY).await.unwrap(), None);
    let other = insight("ins_c", "sim_b", "pdp", 0);
    assert_eq!(insights.get("sim_b", "pdp").await.unwrap(), Some(other));
}

#[cfg(feature = "sqlite")]
mod old_files {
    use super::*;

    /// The defaults of the columns write a blank where the application writes a `T`.
    #[tokio::test]
    async fn both_shapes_and_every_spelling_of_time_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            r#"PRAGMA ignore_check_constraints = ON;
            INSERT INTO chart_insights (id, simulation_id, insight_type, response_json, created_at) VALUES
                ('ins_a', 'sim_a', 'sankey', '{"simulation_id": "sim_a", "chart_type": "sankey", "caption": "c",
                    "evidence": [], "confidence": 0.5}', '2025-12-28T10:00:00+00:00'),
                ('ins_b', 'sim_a', 'tornado', 'none', '2025-12-28 09:59:59'),
                (NULL, 'sim_a', 'executive_summary', '{"executive_summary": "tudo", "generated_at": null}',
                    '2025-12-28T10:00:00');"#,
        )
        .unwrap();
        let insights = &store.lab.chart_insights;
        let stored = insights.list_by_simulation("sim_a").await.unwrap();
        let kinds: Vec<&str> = stored.iter().map(|one| one.insight_type.as_str()).collect();
        assert_eq!(kinds, ["tornado", "sankey"]);
        assert_eq!(stored[0].response_json.as_str(), "none");
        assert!(matches!(stored[0].content(), InsightContent::Other(_)));
        assert!(
            matches!(stored[1].content(), InsightContent::Caption(caption) if caption.confidence == Some(0.5))
        );
        assert!(stored[1].updated_at.known().is_some());
        let summary = insights.get("sim_a", EXECUTIVE_SUMMARY).await.unwrap().unwrap();
        assert!(
            matches!(summary.content(), InsightContent::Summary(text) if text.executive_summary == "tudo")
        );
        // One without an id can be written again.
        let again = SimulationInsight::summary("ins_z".to_owned(), "sim_a", "novo", at(0));
        assert_eq!(
            insights.save(&again).await.unwrap().response_json,
            again.response_json
        );
        assert_eq!(insights.delete_by_simulation("sim_a").await.unwrap(), 3);
    }
}
