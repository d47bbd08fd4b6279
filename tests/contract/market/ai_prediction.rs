//! Contract cases of the models' predictions.

use cutover_domain::market::Checkpoint;
use cutover_domain::market::ai_prediction::{AiFields, AiPrediction, ScoredFilter, one_per_checkpoint};
use cutover_domain::market::daily_prediction::DayPrices;
use cutover_ports::{StoreError, StoreResult};
use cutover_tests::store::TestStore;

use super::{DIGITS, TEXT, assert_invalid, at, day};

contract!(
    insert_then_list,
    a_moment_has_one_prediction,
    a_confidence_is_a_probability,
    the_newest_come_first,
    actuals_are_told_once_unless_forced,
    scored_rows_are_filtered,
    sweeping_deletes_both_ends,
    a_new_store_has_no_duplicates,
);

fn prediction(text: &str, checkpoint: Checkpoint, price: f64) -> AiFields {
    AiFields {
        day: day(text).into(),
        checkpoint: checkpoint.into(),
        predicted_price: price.into(),
        confidence: 0.7.into(),
        reasoning: None,
        market_context: None,
        actual_price: None,
        prediction_error: None,
        interval_low: None,
        interval_high: None,
        interval_hit: None,
        source: None,
        model: None,
        prompt_version: None,
    }
}

fn four(text: &str) -> Vec<AiFields> {
    Checkpoint::PREDICTED
        .iter()
        .zip([1.0, 2.0, 3.0, 4.0])
        .map(|(checkpoint, price)| prediction(text, *checkpoint, price))
        .collect()
}

async fn rows(store: &TestStore, text: &str) -> Vec<AiPrediction> {
    store.market.ai_predictions.for_day(day(text)).await.unwrap()
}

async fn insert_then_list(store: &TestStore) {
    let full = AiFields {
        confidence: 1.0.into(),
        reasoning: Some(TEXT.to_owned()),
        market_context: Some(String::new()),
        actual_price: Some(DIGITS.into()),
        prediction_error: Some(0.0.into()),
        interval_low: Some((-1.0).into()),
        interval_high: Some(1e300.into()),
        interval_hit: Some(true.into()),
        source: Some("baseline".to_owned()),
        model: Some("baseline_statistical".to_owned()),
        prompt_version: Some("baseline_v1.0".to_owned()),
        ..prediction("2025-08-11", Checkpoint::Close, DIGITS)
    };
    let bare = prediction("2025-08-11", Checkpoint::Open, 1.5);
    let predictions = &store.market.ai_predictions;
    assert_eq!(rows(store, "2025-08-11").await, []);
    predictions
        .insert(&[full.clone(), bare.clone()], at(0))
        .await
        .unwrap();
    let stored = rows(store, "2025-08-11").await;
    let fields: Vec<&AiFields> = stored.iter().map(|row| &row.fields).collect();
    assert_eq!(fields, [&full, &bare]);
    assert_eq!(
        (&stored[0].created_at, &stored[0].updated_at),
        (&Some(at(0).into()), &None)
    );
    predictions.insert(&[], at(0)).await.unwrap();
}

fn assert_taken(inserted: &StoreResult<()>) {
    assert!(
        matches!(inserted, Err(StoreError::Conflict(key)) if key == "ai_predictions.date,checkpoint"),
        "{inserted:?}"
    );
}

async fn a_moment_has_one_prediction(store: &TestStore) {
    let predictions = &store.market.ai_predictions;
    predictions.insert(&four("2025-08-11"), at(0)).await.unwrap();
    let first = rows(store, "2025-08-11").await;
    let mixed = [
        prediction("2025-08-12", Checkpoint::Open, 9.0),
        prediction("2025-08-11", Checkpoint::Open, 9.0),
    ];
    assert_taken(&predictions.insert(&mixed, at(1)).await);
    assert_eq!(rows(store, "2025-08-11").await, first);
    assert_eq!(rows(store, "2025-08-12").await, [], "all or none");
    let twice = [
        prediction("2025-08-12", Checkpoint::Open, 9.0),
        prediction("2025-08-12", Checkpoint::Open, 8.0),
    ];
    assert_taken(&predictions.insert(&twice, at(1)).await);
    assert_eq!(rows(store, "2025-08-12").await, [], "all or none");
}

async fn a_confidence_is_a_probability(store: &TestStore) {
    let wrong = AiFields {
        confidence: 1.01.into(),
        ..prediction("2025-08-11", Checkpoint::Open, 1.0)
    };
    let refused = store.market.ai_predictions.insert(&[wrong], at(0)).await;
    assert_invalid(refused, "ai_predictions: chk_confidence_range");
}

async fn the_newest_come_first(store: &TestStore) {
    let predictions = &store.market.ai_predictions;
    let open = prediction("2025-08-11", Checkpoint::Open, 1.0);
    predictions.insert(&[open], at(0)).await.unwrap();
    let later = [
        prediction("2025-08-11", Checkpoint::Close, 2.0),
        prediction("2025-08-11", Checkpoint::PreMarket, 2.0),
    ];
    predictions.insert(&later, at(5)).await.unwrap();
    let stored = rows(store, "2025-08-11").await;
    let order: Vec<Checkpoint> = stored
        .iter()
        .map(|row| *row.fields.checkpoint.known().unwrap())
        .collect();
    assert_eq!(
        order,
        [Checkpoint::Close, Checkpoint::PreMarket, Checkpoint::Open]
    );
    let kept: Vec<f64> = one_per_checkpoint(&stored)
        .iter()
        .map(|row| *row.fields.predicted_price.known().unwrap())
        .collect();
    assert_eq!(kept, [1.0, 2.0]);
}

async fn actuals_are_told_once_unless_forced(store: &TestStore) {
    let predictions = &store.market.ai_predictions;
    predictions.insert(&four("2025-08-11"), at(0)).await.unwrap();
    predictions.insert(&four("2025-08-12"), at(0)).await.unwrap();
    let prices = |open, close| DayPrices {
        open: Some(open),
        close: Some(close),
        ..DayPrices::default()
    };
    let set = async |prices: DayPrices, force, seconds| {
        predictions
            .set_actuals(day("2025-08-11"), &prices, force, at(seconds))
            .await
            .unwrap()
    };
    assert_eq!(set(prices(1.25, 3.5), false, 5).await, 2);
    assert_eq!(set(prices(9.0, 9.0), false, 6).await, 0);
    let stored = rows(store, "2025-08-11").await;
    assert_eq!(stored[0].fields.actual_price, Some(1.25.into()));
    assert_eq!(stored[0].fields.prediction_error, Some(0.25.into()));
    assert_eq!(stored[0].updated_at, Some(at(5).into()));
    assert_eq!(
        (&stored[1].fields.actual_price, &stored[1].updated_at),
        (&None, &None)
    );
    assert_eq!(stored[3].fields.prediction_error, Some(0.5.into()));
    assert_eq!(
        set(prices(1.25, 4.5), true, 7).await,
        1,
        "what is the same is no change"
    );
    assert_eq!(set(DayPrices::default(), true, 8).await, 0);
    let other = rows(store, "2025-08-12").await;
    assert!(other.iter().all(|row| row.fields.actual_price.is_none()));
}

async fn scored_rows_are_filtered(store: &TestStore) {
    let predictions = &store.market.ai_predictions;
    for (text, source) in [
        ("2025-08-11", None),
        ("2025-08-12", Some("llm")),
        ("2025-08-13", Some("baseline")),
    ] {
        let rows: Vec<AiFields> = four(text)
            .into_iter()
            .map(|fields| AiFields {
                source: source.map(str::to_owned),
                ..fields
            })
            .collect();
        predictions.insert(&rows, at(0)).await.unwrap();
        let prices = DayPrices {
            open: Some(1.0),
            noon: Some(2.0),
            ..DayPrices::default()
        };
        predictions
            .set_actuals(day(text), &prices, false, at(1))
            .await
            .unwrap();
    }
    let found = async |filter: ScoredFilter| {
        let rows = predictions.scored(&filter).await.unwrap();
        rows.iter()
            .map(|row| {
                format!(
                    "{} {:?}",
                    row.fields.day.known().unwrap(),
                    row.fields.checkpoint.known().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(found(ScoredFilter::default()).await.len(), 6);
    let from_to = ScoredFilter {
        from: Some(day("2025-08-12")),
        to: Some(day("2025-08-12")),
        ..ScoredFilter::default()
    };
    assert_eq!(found(from_to).await, ["2025-08-12 Open", "2025-08-12 Noon"]);
    let source = ScoredFilter {
        source: Some("baseline".to_owned()),
        checkpoint: Some("noon".to_owned()),
        ..ScoredFilter::default()
    };
    assert_eq!(found(source).await, ["2025-08-13 Noon"]);
    let hostile = ScoredFilter {
        source: Some("' OR 1=1 --".to_owned()),
        ..ScoredFilter::default()
    };
    assert_eq!(found(hostile).await, Vec::<String>::new());
}

async fn sweeping_deletes_both_ends(store: &TestStore) {
    let predictions = &store.market.ai_predictions;
    for text in ["2025-08-10", "2025-08-11", "2025-08-12"] {
        predictions.insert(&four(text), at(0)).await.unwrap();
    }
    assert_eq!(predictions.delete_after(day("2025-08-11")).await.unwrap(), 4);
    assert_eq!(predictions.delete_before(day("2025-08-11")).await.unwrap(), 4);
    assert_eq!(predictions.delete_before(day("2025-08-11")).await.unwrap(), 0);
    assert_eq!(rows(store, "2025-08-11").await.len(), 4);
}

async fn a_new_store_has_no_duplicates(store: &TestStore) {
    let predictions = &store.market.ai_predictions;
    predictions.insert(&four("2025-08-11"), at(0)).await.unwrap();
    let analysis = predictions.duplicates().await.unwrap();
    assert_eq!(
        (analysis.total, analysis.distinct, analysis.groups.len()),
        (4, 4, 0)
    );
    assert_eq!(predictions.remove_duplicates().await.unwrap(), 0);
    assert_eq!(rows(store, "2025-08-11").await.len(), 4);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use super::*;

    #[tokio::test]
    async fn duplicates_are_told_and_the_highest_number_stays() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "DROP INDEX uq_ai_prediction_date_checkpoint;
            INSERT INTO ai_predictions (id, date, checkpoint, predicted_price, confidence, created_at) VALUES
                (1, '2025-08-11', 'open', 1, 0.5, '2025-08-11 12:00:09'),
                (2, '2025-08-11', 'open', 2, 0.5, NULL),
                (3, '2025-08-12', 'noon', 3, 0.5, '2025-08-12 12:00:00'),
                (4, '2025-08-12', 'noon', 4, 0.5, '2025-08-12 12:00:00'),
                (5, '2025-08-12', 'close', 5, 0.5, '2025-08-12 12:00:00');",
        )
        .unwrap();
        let predictions = &store.market.ai_predictions;
        let ids: Vec<i64> = rows(&store, "2025-08-11")
            .await
            .iter()
            .map(|row| row.id)
            .collect();
        assert_eq!(ids, [1, 2], "without a time is last");
        let analysis = predictions.duplicates().await.unwrap();
        assert_eq!((analysis.total, analysis.distinct), (5, 3));
        let groups: Vec<(&str, &str, &[i64])> = analysis
            .groups
            .iter()
            .map(|group| {
                (
                    group.day.as_str(),
                    group.checkpoint.as_str(),
                    group.ids.as_slice(),
                )
            })
            .collect();
        assert_eq!(
            groups,
            [
                ("2025-08-12", "noon", [3, 4].as_slice()),
                ("2025-08-11", "open", [1, 2].as_slice())
            ]
        );
        // Also without the index no third one comes in.
        let third = prediction("2025-08-11", Checkpoint::Open, 9.0);
        assert_taken(&predictions.insert(&[third], at(0)).await);
        assert_eq!(predictions.remove_duplicates().await.unwrap(), 2);
        assert_eq!(predictions.duplicates().await.unwrap().groups, []);
        let ids: Vec<i64> = rows(&store, "2025-08-12")
            .await
            .iter()
            .map(|row| row.id)
            .collect();
        assert_eq!(ids, [4, 5]);
        let second = "INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence) VALUES ('2025-08-11', 'open', 1, 1)";
        let refused = raw.execute(second, []).unwrap_err().to_string();
        assert_eq!(
            refused,
            "UNIQUE constraint failed: ai_predictions.date, ai_predictions.checkpoint"
        );
    }

    /// Variant C: no locks; eleven columns of predictions, or none at all; no tables of models.
    #[tokio::test]
    async fn what_an_older_file_lacks_is_none_and_is_not_written_to() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "DROP TABLE ai_predictions; DROP TABLE model_performance; DROP TABLE baseline_models;
            CREATE TABLE ai_predictions (id INTEGER NOT NULL PRIMARY KEY, date DATE NOT NULL, checkpoint VARCHAR NOT NULL,
                predicted_price FLOAT NOT NULL, confidence FLOAT NOT NULL, reasoning VARCHAR, market_context VARCHAR,
                actual_price FLOAT, prediction_error FLOAT, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
                updated_at DATETIME);
            INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence, reasoning, actual_price)
                VALUES ('2025-08-11', 'open', 637.5369855346679, 0.5, 'because', 637);
            ALTER TABLE daily_predictions DROP COLUMN locked;
            INSERT INTO daily_predictions (date, \"predLow\", source) VALUES ('2025-08-11', 580.5, 'manual');",
        )
        .unwrap();
        let stored = rows(&store, "2025-08-11").await;
        assert_eq!(stored[0].fields.predicted_price, 637.536_985_534_667_9.into());
        assert_eq!(
            (&stored[0].fields.reasoning, &stored[0].fields.model),
            (&Some("because".to_owned()), &None)
        );
        let predictions = &store.market.ai_predictions;
        assert_eq!(
            predictions.scored(&ScoredFilter::default()).await.unwrap().len(),
            1
        );
        assert_eq!(predictions.duplicates().await.unwrap().total, 1);
        let refused = predictions.insert(&four("2025-08-12"), at(0)).await.unwrap_err();
        assert!(refused.to_string().contains("cutover migrate up"), "{refused}");
        let row = store
            .market
            .daily_predictions
            .get(day("2025-08-11"))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((row.fields.low(), row.fields.locked), (Some(580.5), None));
        raw.execute_batch("DROP TABLE ai_predictions").unwrap();
        assert_eq!(rows(&store, "2025-08-11").await, []);
        assert_eq!(predictions.duplicates().await.unwrap().total, 0);
        assert_eq!(predictions.delete_before(day("2025-08-12")).await.unwrap(), 0);
        assert_eq!(
            predictions
                .set_actuals(
                    day("2025-08-11"),
                    &DayPrices {
                        open: Some(1.0),
                        ..DayPrices::default()
                    },
                    true,
                    at(0)
                )
                .await
                .unwrap(),
            0
        );
        assert_eq!(store.market.baseline_models.list().await.unwrap(), []);
        assert_eq!(
            store
                .market
                .model_performance
                .history(day("2025-01-01"), day("2026-01-01"), None)
                .await
                .unwrap(),
            []
        );
    }
}
