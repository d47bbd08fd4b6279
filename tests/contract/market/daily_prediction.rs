//! Contract cases of the days and their prices.

use std::sync::Arc;

use cutover_domain::market::Checkpoint;
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayFields, DayPrices, PriceLog};
use cutover_domain::stored::Stored;
use cutover_ports::market::{DayOutcome, DayStored, Swept};
use cutover_tests::store::TestStore;

use super::{DIGITS, TEXT, assert_invalid, at, day};

contract!(
    replace_then_get,
    replacing_forgets_what_is_not_given,
    an_equal_payload_is_no_change,
    a_price_is_kept_and_logged_at_once,
    a_captured_price_derives_nothing,
    a_refused_change_leaves_nothing,
    recompute_needs_a_row,
    actuals_fill_what_is_missing,
    official_prices_are_logged_in_their_order,
    a_band_locks_the_day,
    pages_are_by_day,
    sweeping_deletes_both_ends,
    many_changes_of_a_new_day_are_all_kept,
    the_prediction_and_the_capture_of_the_same_moment_both_stay,
    the_ends_of_the_calendar_are_days,
);

fn band(low: f64, high: f64) -> DayFields {
    DayFields {
        pred_low: Some(low.into()),
        pred_high: Some(high.into()),
        ..DayFields::default()
    }
}

fn replace(fields: DayFields) -> DayChange {
    DayChange::Replace(Box::new(fields))
}

fn log(checkpoint: Checkpoint, price: f64) -> PriceLog {
    PriceLog { checkpoint, price }
}

async fn change(store: &TestStore, text: &str, change: DayChange, seconds: i64) -> DayStored {
    let days = &store.market.daily_predictions;
    match days.change(day(text), &change, at(seconds)).await.unwrap() {
        DayOutcome::Stored(stored) => *stored,
        other => panic!("{other:?}"),
    }
}

async fn get(store: &TestStore, text: &str) -> Option<DailyPrediction> {
    store.market.daily_predictions.get(day(text)).await.unwrap()
}

async fn replace_then_get(store: &TestStore) {
    let fields = DayFields {
        pre_market: Some((-1.5).into()),
        pred_low: Some(DIGITS.into()),
        pred_high: Some(1e300.into()),
        bias: Some(TEXT.to_owned()),
        vol_ctx: Some(String::new()),
        day_type: Some("Range".to_owned()),
        key_levels: Some(TEXT.to_owned()),
        notes: Some("x".repeat(100_000)),
        open: Some(0.1.into()),
        noon: Some(5e-324.into()),
        two_pm: Some(584.2.into()),
        close: Some(600.0.into()),
        realized_low: Some(0.0.into()),
        realized_high: Some((-0.5).into()),
        range_hit: None,
        abs_error_to_close: None,
        source: Some("manual".to_owned()),
        locked: Some(true.into()),
    };
    assert_eq!(get(store, "2025-08-11").await, None);
    let stored = change(store, "2025-08-11", replace(fields.clone()), 0).await;
    assert_eq!((stored.before, stored.logs), (None, vec![]));
    let row = stored.after;
    assert_eq!(row.day, Stored::Known(day("2025-08-11")));
    assert_eq!((&row.created_at, &row.updated_at), (&Some(at(0).into()), &None));
    // What was given, and what follows from it.
    let derived = DayFields {
        range_hit: Some(false.into()),
        abs_error_to_close: Some(f64::abs(600.0 - f64::midpoint(1e300, DIGITS)).into()),
        ..fields
    };
    assert_eq!(row.fields, derived);
    assert_eq!(get(store, "2025-08-11").await, Some(row));
    assert_eq!(get(store, "2025-08-12").await, None);
}

async fn replacing_forgets_what_is_not_given(store: &TestStore) {
    let full = DayFields {
        open: Some(1.0.into()),
        source: Some("ai".to_owned()),
        locked: Some(true.into()),
        ..band(1.0, 2.0)
    };
    let first = change(store, "2025-08-11", replace(full), 0).await.after;
    let second = change(store, "2025-08-11", replace(DayFields::default()), 5).await;
    assert_eq!(second.before, Some(first.clone()));
    assert_eq!(
        second.after.fields,
        DayFields::default(),
        "false becomes none as well"
    );
    assert_eq!(
        (second.after.id, second.after.created_at),
        (first.id, first.created_at)
    );
    assert_eq!(second.after.updated_at, Some(at(5).into()));
}

async fn an_equal_payload_is_no_change(store: &TestStore) {
    change(store, "2025-08-11", replace(band(1.0, 2.0)), 0).await;
    let changed = change(store, "2025-08-11", replace(band(1.0, 2.0)), 5)
        .await
        .after;
    assert_eq!(changed.fields.locked, None, "the second time null is null");
    let again = change(store, "2025-08-11", replace(band(1.0, 2.0)), 9)
        .await
        .after;
    assert_eq!(again, changed);
    assert_eq!(again.updated_at, Some(at(5).into()));
}

async fn a_price_is_kept_and_logged_at_once(store: &TestStore) {
    change(store, "2025-08-11", replace(band(580.5, 585.75)), 0).await;
    let close = DayChange::Record(log(Checkpoint::Close, 585.75));
    let stored = change(store, "2025-08-11", close.clone(), 5).await;
    assert_eq!(stored.after.fields.range_hit, Some(true.into()));
    assert_eq!(stored.after.fields.abs_error_to_close, Some(2.625.into()));
    change(store, "2025-08-11", close, 6).await;
    change(
        store,
        "2025-08-12",
        DayChange::Record(log(Checkpoint::PreMarket, 1.0)),
        7,
    )
    .await;
    let days = &store.market.daily_predictions;
    let logs = days.logs(day("2025-08-11")).await.unwrap();
    assert_eq!(
        logs,
        [log(Checkpoint::Close, 585.75); 2],
        "each is logged, also the same again"
    );
    assert_eq!(days.count_logs_since(day("2025-08-11")).await.unwrap(), 3);
    assert_eq!(days.count_logs_since(day("2025-08-12")).await.unwrap(), 1);
    assert_eq!(days.count_logs_since(day("2025-08-13")).await.unwrap(), 0);
}

async fn a_captured_price_derives_nothing(store: &TestStore) {
    let captured = change(
        store,
        "2025-08-11",
        DayChange::Capture(log(Checkpoint::TwoPm, 584.2)),
        3,
    )
    .await;
    assert_eq!(captured.after.fields.two_pm, Some(584.2.into()));
    assert_eq!(captured.after.fields.range_hit, Some(false.into()));
    assert_eq!(captured.after.updated_at, Some(at(3).into()));
    change(store, "2025-08-12", replace(band(1.0, 2.0)), 0).await;
    let captured = change(
        store,
        "2025-08-12",
        DayChange::Capture(log(Checkpoint::Close, 1.5)),
        4,
    )
    .await;
    assert_eq!(captured.after.fields.abs_error_to_close, None);
    let derived = change(store, "2025-08-12", DayChange::Recompute, 5).await;
    assert_eq!(derived.after.fields.range_hit, Some(true.into()));
}

async fn a_refused_change_leaves_nothing(store: &TestStore) {
    let days = &store.market.daily_predictions;
    let first = change(store, "2025-08-11", replace(band(1.0, 2.0)), 0)
        .await
        .after;
    for (refused, rule) in [
        (replace(band(-5.0, -10.0)), "chk_positive_prices"),
        (replace(band(2.0, 1.0)), "chk_prediction_range"),
        (
            DayChange::Record(log(Checkpoint::Open, 0.0)),
            "chk_positive_prices",
        ),
        (
            DayChange::Record(log(Checkpoint::PreMarket, -1.0)),
            "chk_positive_price",
        ),
    ] {
        let what = format!("daily_predictions: {rule}");
        assert_invalid(days.change(day("2025-08-11"), &refused, at(9)).await, &what);
        assert_invalid(days.change(day("2025-08-12"), &refused, at(9)).await, &what);
    }
    assert_eq!(get(store, "2025-08-11").await, Some(first));
    assert_eq!(get(store, "2025-08-12").await, None);
    assert_eq!(days.count_logs_since(day("2025-01-01")).await.unwrap(), 0);
}

async fn recompute_needs_a_row(store: &TestStore) {
    let days = &store.market.daily_predictions;
    let outcome = days.change(day("2025-08-11"), &DayChange::Recompute, at(0)).await;
    assert_eq!(outcome.unwrap(), DayOutcome::Missing);
    assert_eq!(get(store, "2025-08-11").await, None);
}

async fn actuals_fill_what_is_missing(store: &TestStore) {
    let days = &store.market.daily_predictions;
    let nothing = DayChange::FillActuals {
        prices: DayPrices::default(),
        force: true,
    };
    let outcome = days.change(day("2025-08-11"), &nothing, at(0)).await.unwrap();
    assert_eq!(outcome, DayOutcome::Missing, "no row is made of nothing");
    let fill = |open, force| DayChange::FillActuals {
        prices: DayPrices {
            open: Some(open),
            ..DayPrices::default()
        },
        force,
    };
    let made = change(store, "2025-08-11", fill(1.0, false), 1).await;
    assert_eq!(made.after.updated_at, Some(at(1).into()));
    assert_eq!(made.logs, []);
    let kept = change(store, "2025-08-11", fill(2.0, false), 2).await.after;
    assert_eq!(kept, made.after);
    let forced = change(store, "2025-08-11", fill(2.0, true), 3).await.after;
    assert_eq!(forced.fields.open, Some(2.0.into()));
}

async fn official_prices_are_logged_in_their_order(store: &TestStore) {
    let prices = DayPrices {
        open: Some(580.5),
        noon: Some(581.0),
        two_pm: Some(581.5),
        close: Some(581.9),
    };
    change(
        store,
        "2025-08-11",
        DayChange::Capture(log(Checkpoint::Noon, 9.0)),
        0,
    )
    .await;
    change(
        store,
        "2025-08-11",
        DayChange::Official { prices, force: false },
        1,
    )
    .await;
    let forced = change(
        store,
        "2025-08-11",
        DayChange::Official { prices, force: true },
        2,
    )
    .await;
    assert_eq!(forced.before.unwrap().fields.noon, Some(9.0.into()));
    let logs = store
        .market
        .daily_predictions
        .logs(day("2025-08-11"))
        .await
        .unwrap();
    let expected = [
        log(Checkpoint::Noon, 9.0),
        log(Checkpoint::Open, 580.5),
        log(Checkpoint::Close, 581.9),
        log(Checkpoint::TwoPm, 581.5),
        log(Checkpoint::Open, 580.5),
        log(Checkpoint::Close, 581.9),
        log(Checkpoint::Noon, 581.0),
        log(Checkpoint::TwoPm, 581.5),
    ];
    assert_eq!(logs, expected);
}

async fn a_band_locks_the_day(store: &TestStore) {
    let band = |low| DayChange::Band { low, high: 9.0 };
    let locked = change(store, "2025-08-11", band(1.0), 0).await.after;
    assert_eq!(locked.fields.source.as_deref(), Some("ai"));
    assert_eq!(locked.fields.locked, Some(true.into()));
    let days = &store.market.daily_predictions;
    let again = days.change(day("2025-08-11"), &band(2.0), at(5)).await.unwrap();
    assert_eq!(again, DayOutcome::Locked);
    assert_eq!(get(store, "2025-08-11").await, Some(locked));
}

async fn pages_are_by_day(store: &TestStore) {
    for text in [
        "2025-08-11",
        "0001-01-01",
        "9999-12-31",
        "2025-08-13",
        "2025-08-12",
    ] {
        change(store, text, replace(band(1.0, 2.0)), 0).await;
    }
    let days = &store.market.daily_predictions;
    let texts = |rows: Vec<DailyPrediction>| -> Vec<String> {
        rows.iter()
            .map(|row| row.day.known().unwrap().to_string())
            .collect()
    };
    let first = texts(days.page(2, 0).await.unwrap());
    assert_eq!(first, ["9999-12-31", "2025-08-13"]);
    assert_eq!(texts(days.page(2, 4).await.unwrap()), ["0001-01-01"]);
    assert_eq!(days.page(2, 5).await.unwrap(), []);
    assert_eq!(days.page(0, 0).await.unwrap(), []);
    assert_eq!(days.page(10, u64::MAX).await.unwrap(), []);
    let up_to = texts(days.up_to(day("2025-08-12"), 2).await.unwrap());
    assert_eq!(up_to, ["2025-08-12", "2025-08-11"]);
    let since = texts(days.since(day("2025-08-12"), 2).await.unwrap());
    assert_eq!(since, ["9999-12-31", "2025-08-13"]);
}

async fn sweeping_deletes_both_ends(store: &TestStore) {
    let days = &store.market.daily_predictions;
    for text in ["2025-08-10", "2025-08-11", "2025-08-12"] {
        change(store, text, DayChange::Capture(log(Checkpoint::Open, 1.0)), 0).await;
    }
    assert_eq!(days.delete_after(day("2025-08-11")).await.unwrap(), 1);
    assert_eq!(days.delete_after(day("2025-08-11")).await.unwrap(), 0);
    assert_eq!(
        days.count_logs_since(day("2025-08-12")).await.unwrap(),
        1,
        "its logs stay"
    );
    let swept = days.delete_before(day("2025-08-11")).await.unwrap();
    assert_eq!(
        swept,
        Swept {
            daily_predictions: 1,
            price_logs: 1
        }
    );
    assert_eq!(
        days.delete_before(day("2025-08-11")).await.unwrap(),
        Swept::default()
    );
    assert!(get(store, "2025-08-11").await.is_some());
}

async fn many_changes_of_a_new_day_are_all_kept(store: &TestStore) {
    let writers = (0..16).map(|number| {
        let days = Arc::clone(&store.market.daily_predictions);
        let checkpoint = Checkpoint::ALL[number % 5];
        tokio::spawn(async move {
            let change = DayChange::Record(log(checkpoint, 1.5));
            days.change(day("2025-08-11"), &change, at(0)).await
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap().unwrap();
    }
    let row = get(store, "2025-08-11").await.unwrap();
    for checkpoint in Checkpoint::ALL {
        assert_eq!(row.fields.price(*checkpoint), Some(1.5), "{checkpoint:?}");
    }
    let logs = store
        .market
        .daily_predictions
        .logs(day("2025-08-11"))
        .await
        .unwrap();
    assert_eq!(logs.len(), 16);
}

async fn the_prediction_and_the_capture_of_the_same_moment_both_stay(store: &TestStore) {
    let days = &store.market.daily_predictions;
    let capture = DayChange::Capture(log(Checkpoint::PreMarket, 600.0));
    let band = DayChange::Band { low: 1.0, high: 2.0 };
    for text in ["2025-08-11", "2025-08-12", "2025-08-13", "2025-08-14"] {
        let (captured, locked) = tokio::join!(
            days.change(day(text), &capture, at(0)),
            days.change(day(text), &band, at(0))
        );
        captured.unwrap();
        locked.unwrap();
        let row = get(store, text).await.unwrap();
        assert_eq!(row.fields.pre_market, Some(600.0.into()));
        assert_eq!(row.fields.locked, Some(true.into()));
    }
}

async fn the_ends_of_the_calendar_are_days(store: &TestStore) {
    for text in ["0001-01-01", "9999-12-31"] {
        let row = change(store, text, replace(DayFields::default()), 0).await.after;
        assert_eq!(row.day, Stored::Known(day(text)));
        assert_eq!(get(store, text).await, Some(row));
    }
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::StoredValue;

    use super::*;

    #[tokio::test]
    async fn values_that_break_their_rule_stay_readable_and_written() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
            INSERT INTO daily_predictions (id, date, \"predLow\", \"predHigh\", \"preMarket\", open, \"rangeHit\", locked, created_at)
                VALUES (7, '2025-08-11', 610, 600, 'high', -1, 2, 'yes', '2025-08-11 14:40:04'),
                    (8, 'someday', NULL, NULL, 9e999, NULL, NULL, NULL, 'then');",
        )
        .unwrap();
        let row = get(&store, "2025-08-11").await.unwrap();
        assert_eq!((row.id, row.fields.low()), (7, Some(610.0)));
        let text = |text: &str| Stored::Other(StoredValue::Text(text.to_owned()));
        assert_eq!(
            row.fields.pre_market,
            Some(Stored::Other(StoredValue::Text("high".to_owned())))
        );
        assert_eq!(row.fields.range_hit, Some(Stored::Other(StoredValue::Integer(2))));
        assert_eq!(
            row.created_at.unwrap().known().unwrap().to_json_text(),
            "2025-08-11T14:40:04Z"
        );
        let days = &store.market.daily_predictions;
        let all = days.page(10, 0).await.unwrap();
        assert_eq!(all[0].day, text("someday"));
        assert_eq!(all[0].fields.pre_market, Some(f64::INFINITY.into()));
        assert_eq!(
            all[0].created_at,
            Some(Stored::Other(StoredValue::Text("then".to_owned())))
        );
        // It can be changed, but not into something else that breaks a rule; and be mended.
        let logged = change(
            &store,
            "2025-08-11",
            DayChange::Record(log(Checkpoint::Close, 607.0)),
            0,
        )
        .await;
        assert_eq!(logged.after.fields.range_hit, Some(false.into()));
        assert_eq!(logged.after.fields.abs_error_to_close, Some(2.0.into()));
        assert_eq!(
            (
                logged.after.fields.low(),
                logged.after.fields.price(Checkpoint::Open)
            ),
            (Some(610.0), Some(-1.0))
        );
        for (refused, rule) in [
            (
                DayChange::Record(log(Checkpoint::Open, -2.0)),
                "chk_positive_prices",
            ),
            (replace(band(611.0, 600.0)), "chk_prediction_range"),
        ] {
            let refused = days.change(day("2025-08-11"), &refused, at(0)).await;
            assert_invalid(refused, &format!("daily_predictions: {rule}"));
        }
        let mended = change(&store, "2025-08-11", replace(band(1.0, 2.0)), 0).await;
        assert_eq!(mended.after.fields, band(1.0, 2.0));
    }

    #[tokio::test]
    async fn times_are_written_as_the_original_reads_them() {
        let store = TestStore::sqlite().await;
        change(
            &store,
            "2025-08-11",
            DayChange::Capture(log(Checkpoint::Open, 1.0)),
            5,
        )
        .await;
        let raw = store.file().unwrap().raw();
        let texts: (String, String, String) = raw
            .query_row(
                "SELECT d.created_at, d.updated_at, p.created_at FROM daily_predictions d JOIN price_logs p USING (date)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .unwrap();
        let text = "2025-08-11 16:00:05".to_owned();
        assert_eq!(texts, (text.clone(), text.clone(), text));
    }
}

#[cfg(feature = "postgres")]
mod carried_rows {
    use super::*;

    #[tokio::test]
    async fn a_row_that_breaks_a_check_changes_only_together_with_what_breaks_it() {
        let store = TestStore::postgres().await;
        let client = store.database().unwrap().connect().await;
        let carried = "ALTER TABLE daily_predictions DROP CONSTRAINT chk_prediction_range;
            INSERT INTO daily_predictions (date, \"predLow\", \"predHigh\") VALUES ('2025-08-11', 600, 500);
            ALTER TABLE daily_predictions ADD CONSTRAINT chk_prediction_range CHECK (\"predLow\" <= \"predHigh\") NOT VALID";
        client.batch_execute(carried).await.unwrap();
        let days = &store.market.daily_predictions;
        let close = DayChange::Record(log(Checkpoint::Close, 550.0));
        let refused = days.change(day("2025-08-11"), &close, at(0)).await;
        assert_invalid(refused, "daily_predictions: chk_prediction_range");
        assert_eq!(days.count_logs_since(day("2025-01-01")).await.unwrap(), 0);
        change(&store, "2025-08-11", DayChange::Recompute, 0).await;
        let mended = change(
            &store,
            "2025-08-11",
            DayChange::Band {
                low: 500.0,
                high: 600.0,
            },
            0,
        )
        .await;
        assert_eq!(mended.after.fields.high(), Some(600.0));
    }
}
