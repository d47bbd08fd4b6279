//! Contract cases of the models' figures.

use cutover_domain::market::model_performance::PerformanceFigures;
use cutover_tests::store::TestStore;

use super::{DIGITS, at, day};

contract!(save_then_list, saving_again_replaces, a_history_has_both_its_ends);

async fn save_then_list(store: &TestStore) {
    let figures = PerformanceFigures {
        mae: Some(DIGITS.into()),
        rmse: Some(0.0.into()),
        hit_rate_1dollar: None,
        interval_coverage: Some(1.0.into()),
    };
    let performance = &store.market.model_performance;
    let saved = performance
        .save(day("2025-08-11"), "llm", &figures, at(0))
        .await
        .unwrap();
    assert_eq!((saved.model_name.as_str(), &saved.figures), ("llm", &figures));
    assert_eq!(
        (&saved.created_at, &saved.updated_at),
        (&Some(at(0).into()), &None)
    );
    let listed = performance
        .history(day("2025-08-11"), day("2025-08-11"), None)
        .await
        .unwrap();
    assert_eq!(listed, [saved]);
}

async fn saving_again_replaces(store: &TestStore) {
    let performance = &store.market.model_performance;
    let none = PerformanceFigures::default();
    let first = performance
        .save(day("2025-08-11"), "llm", &none, at(0))
        .await
        .unwrap();
    assert_eq!(
        performance
            .save(day("2025-08-11"), "llm", &none, at(3))
            .await
            .unwrap(),
        first
    );
    let some = PerformanceFigures {
        mae: Some(1.5.into()),
        ..none
    };
    let second = performance
        .save(day("2025-08-11"), "llm", &some, at(5))
        .await
        .unwrap();
    assert_eq!((second.id, &second.figures), (first.id, &some));
    assert_eq!(second.updated_at, Some(at(5).into()));
}

async fn a_history_has_both_its_ends(store: &TestStore) {
    let performance = &store.market.model_performance;
    for text in ["2025-08-13", "2025-08-10", "2025-08-12", "2025-08-11"] {
        for model in ["llm", "baseline"] {
            performance
                .save(day(text), model, &PerformanceFigures::default(), at(0))
                .await
                .unwrap();
        }
    }
    let found = async |model: Option<&str>| {
        let rows = performance
            .history(day("2025-08-11"), day("2025-08-12"), model.map(str::to_owned))
            .await
            .unwrap();
        rows.iter()
            .map(|row| format!("{} {}", row.day.known().unwrap(), row.model_name))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(None).await,
        [
            "2025-08-11 baseline",
            "2025-08-11 llm",
            "2025-08-12 baseline",
            "2025-08-12 llm"
        ]
    );
    assert_eq!(found(Some("llm")).await, ["2025-08-11 llm", "2025-08-12 llm"]);
}
