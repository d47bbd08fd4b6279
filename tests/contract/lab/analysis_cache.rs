//! Contract cases of the analysis cache.

use cutover_domain::json::Json;
use cutover_domain::lab::analysis_cache::{
    CLUSTERING_PREFIX, CacheEntry, EXECUTIVE_SUMMARY_KEY, INSIGHT_PREFIX,
};
use cutover_tests::store::TestStore;
use futures_util::future::try_join_all;

use super::analysis_run::stored_run;
use super::{assert_missing, at};

contract!(
    save_then_get,
    save_takes_the_place_of_what_is_there,
    save_stores_all_or_none,
    the_list_is_by_key,
    a_prefix_stands_for_itself,
    delete_says_whether_there_was_one,
    delete_all_says_how_many_there_were,
    saves_at_once_all_happen,
);

/// An entry with some result.
pub(super) fn entry(analysis_id: &str, cache_key: &str) -> CacheEntry {
    CacheEntry {
        analysis_id: analysis_id.to_owned(),
        cache_key: cache_key.to_owned(),
        data: Json::parse(r#"{"simulation_id": "x", "points": [1, 2.50, null], "título": "\u00e9"}"#)
            .unwrap(),
        params: None,
        computed_at: at(0).into(),
    }
}

async fn keys(store: &TestStore, analysis_id: &str, prefix: &str) -> Vec<String> {
    let entries = store.lab.analysis_cache.list(analysis_id, prefix).await.unwrap();
    entries.into_iter().map(|entry| entry.cache_key).collect()
}

async fn save_then_get(store: &TestStore) {
    let cache = &store.lab.analysis_cache;
    let run = stored_run(store, 1).await;
    let made = [
        CacheEntry {
            params: Some(Json::parse(r#"{"k": 3}"#).unwrap()),
            ..entry(&run.id, "clustering_k3")
        },
        CacheEntry {
            data: Json::parse("[]").unwrap(),
            params: Some(Json::parse("null").unwrap()),
            ..entry(&run.id, "")
        },
        entry(&run.id, &"é".repeat(50)),
    ];
    cache.save(&made).await.unwrap();
    for made in made {
        assert_eq!(cache.get(&run.id, &made.cache_key).await.unwrap(), Some(made));
    }
    assert_eq!(cache.get(&run.id, "elbow").await.unwrap(), None);
    assert_eq!(cache.get("ana_ffffffff", "clustering_k3").await.unwrap(), None);
    cache.save(&[]).await.unwrap();
}

async fn save_takes_the_place_of_what_is_there(store: &TestStore) {
    let cache = &store.lab.analysis_cache;
    let (run, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    let first = CacheEntry {
        params: Some(Json::parse("{}").unwrap()),
        ..entry(&run.id, "heatmap")
    };
    cache
        .save(&[first, entry(&run.id, "scatter"), entry(&other.id, "heatmap")])
        .await
        .unwrap();
    let second = |text: &str| CacheEntry {
        data: Json::parse(text).unwrap(),
        computed_at: at(9).into(),
        ..entry(&run.id, "heatmap")
    };
    // Of two at once the last one stays.
    cache
        .save(&[second(r#"{"n": 1}"#), second(r#"{"n": 2}"#)])
        .await
        .unwrap();
    let now = cache.list(&run.id, "").await.unwrap();
    assert_eq!(now, [second(r#"{"n": 2}"#), entry(&run.id, "scatter")]);
    assert_eq!(
        cache.get(&other.id, "heatmap").await.unwrap(),
        Some(entry(&other.id, "heatmap"))
    );
}

async fn save_stores_all_or_none(store: &TestStore) {
    let cache = &store.lab.analysis_cache;
    let run = stored_run(store, 1).await;
    let there = entry(&run.id, "m");
    cache.save(std::slice::from_ref(&there)).await.unwrap();
    let changed = CacheEntry {
        data: Json::parse("{}").unwrap(),
        ..there.clone()
    };
    let batch = [
        entry(&run.id, "a"),
        changed,
        entry("ana_ffffffff", "a"),
        entry(&run.id, "z"),
    ];
    assert_missing(cache.save(&batch).await, "analysis_runs");
    assert_eq!(cache.list(&run.id, "").await.unwrap(), [there]);
}

async fn the_list_is_by_key(store: &TestStore) {
    let (run, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    let made = ["elbow", "É", "Elbow", "a b", "_"].map(|key| entry(&run.id, key));
    store.lab.analysis_cache.save(&made).await.unwrap();
    store
        .lab
        .analysis_cache
        .save(&[entry(&other.id, "aaa")])
        .await
        .unwrap();
    assert_eq!(
        keys(store, &run.id, "").await,
        ["Elbow", "_", "a b", "elbow", "É"]
    );
    assert_eq!(keys(store, "ana_ffffffff", "").await, Vec::<String>::new());
}

async fn a_prefix_stands_for_itself(store: &TestStore) {
    let run = stored_run(store, 1).await;
    let all = [
        "clustering_k10",
        "clustering_k3",
        "clusteringxk3",
        "elbow",
        EXECUTIVE_SUMMARY_KEY,
        "insight_outliers",
        "insight_pdp",
        "INSIGHT_pdp",
        "insight",
        "insightX",
        "é%",
        "éa",
        "insight_\u{10ffff}",
        "\u{10ffff}",
    ];
    store
        .lab
        .analysis_cache
        .save(&all.map(|key| entry(&run.id, key)))
        .await
        .unwrap();
    assert_eq!(
        keys(store, &run.id, INSIGHT_PREFIX).await,
        ["insight_outliers", "insight_pdp", "insight_\u{10ffff}"]
    );
    assert_eq!(
        keys(store, &run.id, CLUSTERING_PREFIX).await,
        ["clustering_k10", "clustering_k3"]
    );
    assert_eq!(keys(store, &run.id, "é%").await, ["é%"]);
    assert_eq!(keys(store, &run.id, "%").await, Vec::<String>::new());
    assert_eq!(
        keys(store, &run.id, "insight_pdp_and_more").await,
        Vec::<String>::new()
    );
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    let cache = &store.lab.analysis_cache;
    let run = stored_run(store, 1).await;
    cache
        .save(&[entry(&run.id, "a"), entry(&run.id, "b")])
        .await
        .unwrap();
    assert!(cache.delete(&run.id, "a").await.unwrap());
    assert!(!cache.delete(&run.id, "a").await.unwrap());
    assert!(!cache.delete("ana_ffffffff", "b").await.unwrap());
    assert_eq!(keys(store, &run.id, "").await, ["b"]);
}

async fn delete_all_says_how_many_there_were(store: &TestStore) {
    let cache = &store.lab.analysis_cache;
    let (run, other) = (stored_run(store, 1).await, stored_run(store, 2).await);
    cache
        .save(&[entry(&run.id, "a"), entry(&run.id, "b"), entry(&other.id, "a")])
        .await
        .unwrap();
    assert_eq!(cache.delete_all(&run.id).await.unwrap(), 2);
    assert_eq!(cache.delete_all(&run.id).await.unwrap(), 0);
    assert_eq!(keys(store, &other.id, "").await, ["a"]);
}

async fn saves_at_once_all_happen(store: &TestStore) {
    let run = stored_run(store, 1).await;
    let forward: Vec<CacheEntry> = (0..20).map(|n| entry(&run.id, &format!("k{n:02}"))).collect();
    let backward: Vec<CacheEntry> = forward.iter().rev().cloned().collect();
    let saves = [&forward, &backward, &forward, &backward].map(|batch| store.lab.analysis_cache.save(batch));
    try_join_all(saves).await.unwrap();
    assert_eq!(store.lab.analysis_cache.list(&run.id, "").await.unwrap(), forward);
}
