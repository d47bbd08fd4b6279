//! SPY-tracker's interface: its real file served, copied, verified, and served from PostgreSQL; on both databases the same
//! requests.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cutover_tests::postgres::TestDatabase;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::Answer;
use crate::program::{Place, Service};
use crate::world;

/// The file as its repository holds it: variant D, two days, three prices.
const SPY_FILE: &str = r#"
    CREATE TABLE daily_predictions (
        id INTEGER NOT NULL, date DATE NOT NULL, "preMarket" FLOAT, "predLow" FLOAT, "predHigh" FLOAT, bias VARCHAR,
        "volCtx" VARCHAR, "dayType" VARCHAR, "keyLevels" VARCHAR, notes VARCHAR, open FLOAT, noon FLOAT, "twoPM" FLOAT,
        close FLOAT, "realizedLow" FLOAT, "realizedHigh" FLOAT, "rangeHit" BOOLEAN, "absErrorToClose" FLOAT,
        created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), updated_at DATETIME, source VARCHAR DEFAULT 'manual',
        locked BOOLEAN DEFAULT 0, PRIMARY KEY (id));
    CREATE INDEX ix_daily_predictions_id ON daily_predictions (id);
    CREATE UNIQUE INDEX ix_daily_predictions_date ON daily_predictions (date);
    CREATE TABLE price_logs (
        id INTEGER NOT NULL, date DATE NOT NULL, checkpoint VARCHAR NOT NULL, price FLOAT NOT NULL,
        created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), PRIMARY KEY (id));
    CREATE INDEX ix_price_logs_id ON price_logs (id);
    CREATE INDEX ix_price_logs_date ON price_logs (date);
    CREATE INDEX ix_price_logs_checkpoint ON price_logs (checkpoint);
    CREATE TABLE ai_predictions (
        id INTEGER NOT NULL, date DATE NOT NULL, checkpoint VARCHAR NOT NULL, predicted_price FLOAT NOT NULL,
        confidence FLOAT NOT NULL, reasoning VARCHAR, market_context VARCHAR, actual_price FLOAT, prediction_error FLOAT,
        created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), updated_at DATETIME, PRIMARY KEY (id));
    CREATE INDEX ix_ai_predictions_id ON ai_predictions (id);
    CREATE INDEX ix_ai_predictions_date ON ai_predictions (date);
    CREATE INDEX ix_ai_predictions_checkpoint ON ai_predictions (checkpoint);
    INSERT INTO daily_predictions (id, date, "predLow", "predHigh", "keyLevels", created_at, updated_at, source) VALUES
        (1, '2025-01-02', 600.0, 610.0, '602.0,607.0', '2025-08-11 14:40:04', '2025-08-11 14:40:40', 'ai_simulation');
    INSERT INTO daily_predictions (id, date, "predLow", "predHigh", bias, "volCtx", "dayType", "keyLevels", notes, open, noon,
        "twoPM", "rangeHit", created_at, updated_at, source) VALUES
        (2, '2025-08-11', 580.5, 585.75, 'Up', 'Medium', 'Range', '580, 585', 'watch the open', 580.25, 582.75, 584.2, 0,
        '2025-08-11 17:07:51', '2025-08-11 17:25:49', 'ai_simulation');
    INSERT INTO price_logs (id, date, checkpoint, price, created_at) VALUES
        (1, '2025-08-11', 'open', 580.25, '2025-08-11 17:10:00'), (2, '2025-08-11', 'noon', 582.75, '2025-08-11 17:11:00'),
        (3, '2025-08-11', 'twoPM', 584.2, '2025-08-11 17:12:00');
"#;

/// Off: nothing happens by itself.
const QUIET: &str = "[market]\njobs_enabled = false\n";

pub(crate) fn spy_file(path: &Path) {
    world::file(path).execute_batch(SPY_FILE).unwrap();
}

/// What is asked of both databases.
const QUESTIONS: [&str; 12] = [
    "/market/healthz",
    "/market/day/2025-01-02",
    "/market/day/2025-08-11",
    "/market/day/2025-08-12",
    "/market/history",
    "/market/history?limit=-1&offset=-5",
    "/market/metrics",
    "/market/suggestions/2025-01-02",
    "/market/suggestions/2025-08-11/pl-data",
    "/market/ai/accuracy",
    "/market/accuracy/metrics?start_date=2025-01-01",
    "/market/admin/price-capture-status?days=-5",
];

async fn answers(service: &Service) -> Vec<String> {
    let mut answers = Vec::new();
    for question in QUESTIONS {
        let Answer { status, body, .. } = service.get(question).await;
        answers.push(format!(
            "{question} {status} {}",
            String::from_utf8(body).unwrap()
        ));
    }
    answers
}

#[tokio::test]
async fn the_real_file_is_served_copied_verified_and_served_from_postgres() {
    let place = Place::new();
    place.write("cutover.toml", QUIET);
    spy_file(&place.path("spy.db"));
    let before = std::fs::read(place.path("spy.db")).unwrap();
    let database = TestDatabase::create().await;
    let url = database.url();

    // As it is, without a migration: what it lacks is none.
    let only = ["--sqlite", "spy.db"];
    let service = place.serve(&only).await;
    let as_it_is = answers(&service).await;
    let day = service.get("/market/day/2025-01-02").await.with(200).text();
    assert_eq!(
        day,
        r#"{"date":"2025-01-02","preMarket":null,"predLow":600.0,"predHigh":610.0,"source":"ai_simulation","locked":false,"bias":null,"volCtx":null,"dayType":null,"keyLevels":"602.0,607.0","notes":null,"open":null,"noon":null,"twoPM":null,"close":null,"realizedLow":null,"realizedHigh":null,"rangeHit":null,"absErrorToClose":null,"id":1,"created_at":"2025-08-11T14:40:04","updated_at":"2025-08-11T14:40:40"}"#
    );
    service.get("/market/scheduler/status").await.with(503);
    service.get("/market/ai/predictions/2025-08-11").await.with(501);
    service.stop().await;

    // Taken over, with a copy beside it; the answers stay.
    let up = place
        .run(["migrate", "up", "--sqlite", "spy.db", "--context", "market"])
        .await
        .with(0);
    assert!(up.stdout.contains("variant D"), "{up:?}");
    let backup = place
        .files()
        .into_iter()
        .find(|name| name.starts_with("spy.db.backup-"));
    let kept = world::sqlite_rows(
        &place.path(backup.unwrap()),
        "SELECT sum(\"predLow\"), sum(\"predHigh\") FROM daily_predictions",
    );
    assert_eq!(kept, ["1180.5|1195.75"]);
    assert_ne!(before, std::fs::read(place.path("spy.db")).unwrap());
    let check = place
        .run(["migrate", "check", "--sqlite", "spy.db", "--context", "market"])
        .await;
    assert_eq!(check.code, Some(0), "{check:?}");
    let service = place.serve(&only).await;
    assert_eq!(answers(&service).await, as_it_is);
    service.get("/market/scheduler/status").await.with(200);
    service.stop().await;

    // Copied and verified.
    place
        .run(["migrate", "up", "--postgres", &url, "--on", "postgres"])
        .await
        .with(0);
    place.run(["copy", "spy.db", &url]).await.with(0);
    place.run(["verify", "spy.db", &url]).await.with(0);

    // From PostgreSQL the same, but that its times name their zone.
    let service = place
        .serve(&[
            "--sqlite",
            "spy.db",
            "--postgres",
            &url,
            "--repository",
            "default=postgres",
        ])
        .await;
    let moved = answers(&service).await;
    let zoned: Vec<String> = as_it_is
        .iter()
        .map(|answer| {
            let times = ["14:40:04", "14:40:40", "17:07:51", "17:25:49"];
            times.iter().fold(answer.clone(), |answer, time| {
                answer.replace(&format!("2025-08-11T{time}\""), &format!("2025-08-11T{time}Z\""))
            })
        })
        .collect();
    assert_eq!(moved, zoned);
    // New rows get new numbers.
    let made = service
        .post("/market/prediction", &json!({"date": "2025-08-12"}))
        .await
        .with(200)
        .json();
    assert_eq!(made["id"], 3);
    service.stop().await;

    // And the way back: a file that the original reads as its own.
    place.run(["copy", &url, "back.db"]).await.with(0);
    place.run(["verify", &url, "back.db"]).await.with(0);
    let sql = "SELECT id, date, \"predLow\", \"rangeHit\", locked, created_at FROM daily_predictions WHERE id < 3 ORDER BY id";
    let original = world::sqlite_rows(&place.path("spy.db"), sql);
    assert_eq!(world::sqlite_rows(&place.path("back.db"), sql), original);
    assert_eq!(original[1], "2|2025-08-11|580.5|0|0|2025-08-11 17:07:51");
}

#[tokio::test]
async fn times_without_a_zone_are_meant_in_the_tables_own_whatever_the_file_is_called() {
    let place = Place::new();
    spy_file(&place.path("spy.db"));
    let database = TestDatabase::create().await;
    let url = database.url();
    let zone = [("CUTOVER_MARKET_LEGACY_TIMEZONE", "America/Chicago")];
    let run = async |arguments: &[&str]| place.run_in(arguments.iter().copied(), &zone).await.with(0);
    run(&["migrate", "up", "--postgres", &url, "--on", "postgres"]).await;
    run(&["copy", "spy.db", &url]).await;
    run(&["verify", "spy.db", &url]).await;
    let client = database.connect().await;
    let sql = "SELECT (created_at AT TIME ZONE 'UTC')::text FROM daily_predictions WHERE id = 2";
    let there: String = client.query_one(sql, &[]).await.unwrap().get(0);
    assert_eq!(there, "2025-08-11 22:07:51");
    run(&["copy", &url, "back.db"]).await;
    let sql = "SELECT created_at FROM daily_predictions WHERE id = 2";
    assert_eq!(
        world::sqlite_rows(&place.path("back.db"), sql),
        ["2025-08-11 17:07:51"]
    );
    let told = place.run(["verify", &url, "back.db"]).await.with(1).stdout;
    assert!(told.contains("created_at"), "in UTC they are other times: {told}");
}

#[tokio::test]
async fn a_write_that_an_old_file_cannot_keep_is_refused_with_what_mends_it() {
    let place = Place::new();
    place.write("cutover.toml", QUIET);
    let (tables, _) = SPY_FILE.split_once("INSERT INTO").unwrap();
    let old = tables.replace(
        ", source VARCHAR DEFAULT 'manual',\n        locked BOOLEAN DEFAULT 0",
        "",
    );
    assert_ne!(old, tables);
    world::file(&place.path("spy.db")).execute_batch(&old).unwrap();
    let service = place.serve(&["--sqlite", "spy.db"]).await;
    let day = json!({"date": "2025-08-12", "predLow": 600.0, "predHigh": 610.0});
    let refusal = service.post("/market/prediction", &day).await.with(503).json();
    let text = "the SQLite file is of an older version, without daily_predictions.source; \
        run `cutover migrate up --on sqlite` first";
    assert_eq!(
        refusal,
        json!({"error": {"message": text, "type": "DatabaseUnavailable",
            "details": {"hint": "The log of the service says more"}}, "detail": text})
    );
    service.get("/market/day/2025-08-12").await.with(404);
    service.stop().await;
    place
        .run(["migrate", "up", "--sqlite", "spy.db", "--context", "market"])
        .await
        .with(0);
    let service = place.serve(&["--sqlite", "spy.db"]).await;
    service.post("/market/prediction", &day).await.with(200);
    service.stop().await;
}

/// The service on either database, and what to compare.
async fn on_both(test: impl AsyncFn(&Service) -> Vec<String>) {
    on_both_with("", test).await;
}

/// The same with rows in it that have no way in over HTTP.
async fn on_both_with(rows: &str, test: impl AsyncFn(&Service) -> Vec<String>) {
    let place = Place::new();
    place.write("cutover.toml", &format!("{QUIET}prices = 'prices.json'\n"));
    place.write("prices.json", PRICES);
    let service = place.serve(&["--sqlite", "spy.db"]).await;
    world::file(&place.path("spy.db")).execute_batch(rows).unwrap();
    let on_sqlite = test(&service).await;
    service.stop().await;
    let database = migrated(&place).await;
    let url = database.url();
    database.connect().await.batch_execute(rows).await.unwrap();
    let service = place.serve(&["--postgres", &url]).await;
    let on_postgres = test(&service).await;
    service.stop().await;
    assert_eq!(on_sqlite, on_postgres);
}

/// A database with the newest schemas, made by the program.
async fn migrated(place: &Place) -> TestDatabase {
    let database = TestDatabase::create().await;
    let url = database.url();
    place
        .run(["migrate", "up", "--postgres", &url, "--on", "postgres"])
        .await
        .with(0);
    database
}

const PRICES: &str = r#"{"bars": [
        {"date": "2025-08-14", "open": 578.0, "high": 583.0, "low": 577.0, "close": 580.0},
        {"date": "2025-08-15", "open": 580.5, "high": 584.0, "low": 579.0, "close": 581.9},
        {"date": "2025-08-16", "open": 580.5, "high": 584.0, "low": 579.0, "close": 581.9},
        {"date": "2025-08-18", "open": 10, "high": 60, "low": 9, "close": 40}],
    "prices": [
        {"date": "2025-08-15", "checkpoint": "noon", "price": 581.25},
        {"date": "2025-08-15", "checkpoint": "twoPM", "price": 581.5},
        {"date": "2025-08-16", "checkpoint": "noon", "price": 5.0}]}"#;

/// An answer without what no two runs have in common.
fn told(answer: &Answer) -> String {
    let mut value: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| answer.text().into());
    for key in ["created_at", "updated_at", "timestamp"] {
        if let Some(time) = value.get_mut(key).filter(|time| !time.is_null()) {
            *time = "then".into();
        }
    }
    format!("{} {value}", answer.status)
}

#[tokio::test]
async fn days_are_written_read_and_derived() {
    on_both(async |service| {
        let mut all = Vec::new();
        let mut post = async |path: &str, body: Value| {
            let answer = service.post(path, &body).await;
            all.push(told(&answer));
            answer
        };
        let made = post(
            "/market/prediction",
            json!({"date": "2025-08-15T00:00:00", "predLow": "580.5", "predHigh": 585.75, "bias": "Up", "locked": "yes",
                "source": "ai", "unknown": 1, "notes": "' OR 1=1; --"}),
        )
        .await
        .with(200)
        .json();
        assert_eq!((&made["date"], &made["predLow"], &made["rangeHit"]), (&json!("2025-08-15"), &json!(580.5), &json!(false)));
        assert_eq!((&made["locked"], &made["updated_at"]), (&json!(true), &Value::Null));
        post("/market/log/close", json!({"date": "2025-08-15", "checkpoint": "ignored", "price": 585.75})).await.with(200);
        post("/market/capture/2025-08-15", json!({"checkpoint": "noon", "price": true})).await.with(200);
        let wiped = post("/market/prediction/2025-08-15", json!({"bias": "Down", "open": 5})).await.with(200).json();
        assert_eq!((&wiped["close"], &wiped["locked"], &wiped["rangeHit"], &wiped["bias"]), (&Value::Null, &Value::Null, &Value::Null, &json!("Down")));
        post("/market/recompute/2025-08-15", json!({})).await.with(200);
        let missing = post("/market/recompute/2025-08-20", json!({})).await.with(404).json();
        assert_eq!(
            missing["error"],
            json!({"message": "No prediction found for 2025-08-20", "type": "DataNotFoundException",
                "details": {"date": "2025-08-20", "action": "recompute"}})
        );
        let missing = service.get("/market/day/2025-08-20").await.with(404).json();
        assert_eq!(
            missing["error"],
            json!({"message": "No prediction data found for 2025-08-20", "type": "DataNotFoundException",
                "details": {"date": "2025-08-20", "hint": "Try entering a prediction for this date first"}})
        );
        // Checks of the schema come before those of the path.
        post("/market/log/midnight", json!({})).await.with(422);
        let wrong = post("/market/log/midnight", json!({"date": "2025-08-15", "checkpoint": "x", "price": 1})).await.with(400).json();
        assert_eq!((&wrong["error"]["message"], &wrong["detail"]), (&json!("Invalid checkpoint"), &json!("Invalid checkpoint")));
        let rule = post("/market/prediction", json!({"date": "2025-08-18", "predLow": -5, "predHigh": -10})).await.with(400).json();
        assert_eq!(rule["error"]["type"], "ValidationException");
        post("/market/prediction", json!({"predLow": {}, "locked": 7, "bias": 1, "close": "Infinity"})).await.with(422);
        post("/market/prediction/yesterday", json!([])).await.with(422);
        let below = post("/market/prediction", json!({"date": "2025-08-19", "preMarket": -0.0})).await.with(200);
        assert!(below.text().contains("\"preMarket\":0.0"), "{}", below.text());
        post("/market/prediction", json!({"date": "2025-08-18", "notes": "a\u{0}b"})).await.with(422);
        let no_price = service.get("/market/suggestions/2025-08-15").await.with(400).json();
        assert_eq!(
            no_price["error"],
            json!({"message": "Insufficient price data to generate suggestions", "type": "ValidationException",
                "details": {"date": "2025-08-15", "missing": "Need at least one price point or prediction range"}})
        );
        let no_day = service.get("/market/suggestions/2025-08-20").await.with(404).json();
        assert_eq!(no_day["error"]["details"]["hint"], "Create a prediction for this date first");
        for (path, status) in [
            ("/market/day/2025-08-19", 200),
            ("/market/day/2025-08-18", 404),
            ("/market/day/2025-02-30", 422),
            ("/market/day/%00", 422),
            ("/market/history?limit=x", 422),
            ("/market/history?limit=1&offset=99999999999999999999", 422),
            ("/market/nowhere", 404),
            ("/market/prediction", 405),
            ("/market/suggestions/2025-08-15", 400),
            ("/market/market-data/SPY", 501),
            ("/market/simulation/quick/5", 501),
            ("/market/ai/demo", 501),
            ("/market/docs", 307),
            ("/market/openapi.json", 307),
        ] {
            let answer = service.get(path).await.with(status);
            all.push(told(&answer));
        }
        all
    })
    .await;
}

#[tokio::test]
async fn what_is_computed_of_huge_prices_may_be_null_and_is_described_so() {
    on_both(async |service| {
        let description = service.get("/openapi.json").await.with(200).json();
        let null_is_described = |schema: &str, key: &str| {
            let schema = &description["components"]["schemas"][schema]["properties"][key];
            assert_eq!(schema["type"], json!(["number", "null"]), "{key}: {schema}");
        };
        let day = json!({"date": "2023-01-03", "close": 1.79e308, "predLow": 1.79e308, "predHigh": 1.79e308});
        service.post("/market/prediction", &day).await.with(200);
        let trades = service.get("/market/suggestions/2023-01-03").await.with(200);
        let curves = service
            .get("/market/suggestions/2023-01-03/pl-data")
            .await
            .with(200);
        let trade = "/market/pl/current/x?current_price=1e308&strategy_type=Iron%20Butterfly&put_long=1.7e308\
            &center_strike=-1.7e308&call_long=3&credit_received=1.7e308";
        let current = service.get(trade).await.with(200);
        let timestamp = current.json()["timestamp"].clone();
        assert!(timestamp.as_str().unwrap().ends_with("+00:00"), "{timestamp}");
        let mut nulls = 0;
        for (schema, values) in [
            ("MarketSuggestion", &trades.json()["suggestions"]),
            ("MarketProfitCurve", &curves.json()["pl_data"]),
            ("MarketProfitPoint", &curves.json()["pl_data"][0]["points"]),
            ("MarketCurrentProfit", &json!([current.json()])),
        ] {
            for value in values.as_array().unwrap() {
                for (key, _) in value
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(_, value)| value.is_null())
                {
                    if !["short_delta", "long_delta", "min_credit", "center_strike"].contains(&key.as_str()) {
                        null_is_described(schema, key);
                        nulls += 1;
                    }
                }
            }
        }
        assert!(
            nulls > 0,
            "{} {} {}",
            trades.text(),
            curves.text(),
            current.text()
        );
        vec![told(&trades), told(&curves), told(&current)]
    })
    .await;
}

#[tokio::test]
async fn captures_are_looked_at_up_to_the_ends_of_the_calendar() {
    on_both(async |service| {
        let day = json!({"date": "2025-08-15", "open": 600});
        service.post("/market/prediction", &day).await.with(200);
        let mut all = Vec::new();
        for (days, start, analyzed) in [
            ("100000000", "0001-01-01", 1),
            ("9223372036854775807", "0001-01-01", 1),
            ("-100000000", "9999-12-31", 0),
            ("-9223372036854775808", "9999-12-31", 0),
        ] {
            let path = format!("/market/admin/price-capture-status?days={days}");
            let status = service.get(&path).await.with(200).json();
            let period = &status["analysis_period"];
            assert_eq!(
                (&period["start_date"], &period["days_analyzed"]),
                (&json!(start), &json!(analyzed)),
                "{status}"
            );
            all.push(status.to_string());
        }
        all
    })
    .await;
}

#[tokio::test]
async fn the_tests_of_the_original_pass() {
    on_both(async |service| {
        let mut all = Vec::new();
        let post = async |path: &str| service.ask("POST", path, None).await;
        let empty = service.get("/market/admin/price-capture-status").await.with(200).json();
        assert_eq!(empty["capture_quality"], json!({"completeness_rate": 0.0, "days_with_complete_data": 0, "days_with_missing_data": 0}));
        let range = "/market/admin/refresh-official-prices-range?start_date=2025-08-15&end_date=2025-08-16&force=false";
        let done = post(range).await.with(200).json();
        assert_eq!((&done["total_dates"], &done["successful_updates"], &done["failed_updates"]), (&json!(2), &json!(2), &json!(0)));
        all.push(done.to_string());
        let none = post("/market/admin/refresh-official-prices/2025-08-17").await.with(404).json();
        let text = "No official price data available for SPY on 2025-08-17";
        assert_eq!(none, json!({"error": {"message": text, "type": "HTTPException", "details": {}}, "detail": text}));
        // There is a bar, and none of its prices can be one.
        let odd = post("/market/admin/refresh-official-prices/2025-08-18").await.with(200).json();
        assert_eq!((&odd["prices_updated"], &odd["total_updates"]), (&json!([]), &json!(0)));
        let failed = post("/market/admin/refresh-official-prices-range?start_date=2025-08-17&end_date=2025-08-17").await.with(200).json();
        assert_eq!(failed["results"], json!([{"date": "2025-08-17", "status": "failed", "error": text}]));
        let wrong = post("/market/admin/refresh-official-prices-range?start_date=2025-08-16&end_date=2025-08-15").await.with(400).json();
        assert!(wrong["detail"].as_str().unwrap().contains("start_date must be before or equal to end_date"));
        let large = post("/market/admin/refresh-official-prices-range?start_date=2025-01-01&end_date=2025-12-31").await.with(400).json();
        assert_eq!(large["detail"], "Date range too large. Maximum 90 days allowed, got 365 days");
        service.post("/market/prediction", &json!({"date": "2025-08-15", "open": 1, "close": 2})).await.with(200);
        let forced = post("/market/admin/refresh-official-prices/2025-08-15?force=true").await.with(200).json();
        assert_eq!((&forced["total_updates"], &forced["prices_updated"][1]), (&json!(4), &json!({"checkpoint": "close", "price": 581.9, "previous_price": 2.0})));
        all.push(forced.to_string());
        let day = service.get("/market/day/2025-08-15").await.with(200).json();
        assert_eq!((&day["open"], &day["close"]), (&json!(580.5), &json!(581.9)));
        let again = post("/market/admin/refresh-official-prices/2025-08-15").await.with(200).json();
        assert_eq!(again["total_updates"], 0);
        let metrics = service.get("/market/metrics").await.with(200).json();
        let keys: Vec<&String> = metrics.as_object().unwrap().keys().collect();
        let known = ["count_days", "rangeHit20", "medianAbsErr20", "calibration_tip", "trend", "accuracy_grade", "sample_data"];
        assert_eq!(keys, known);
        // What cannot be a price of the symbol is left out.
        assert_eq!(service.get("/market/day/2025-08-16").await.with(200).json()["noon"], Value::Null);
        all
    })
    .await;
}

#[tokio::test]
async fn predictions_are_held_against_what_the_day_says_now() {
    let rows = "INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence) VALUES
        ('2025-06-02', 'open', 600, 0.7), ('2025-06-02', 'noon', 601, 0.7)";
    on_both_with(rows, async |service| {
        let day = "/market/ai/predictions/2025-06-02";
        let log = async |price: f64| {
            let body = json!({"date": "2025-06-02", "checkpoint": "open", "price": price});
            service.post("/market/log/open", &body).await.with(200);
        };
        let first = |answer: &Value| {
            let first = &answer["predictions"][0];
            (first["actual_price"].clone(), first["prediction_error"].clone())
        };
        let before = service.get(day).await.with(200).json();
        assert_eq!(first(&before), (Value::Null, Value::Null));
        log(600.5).await;
        let known = service.get(day).await.with(200).json();
        assert_eq!(first(&known), (json!(600.5), json!(0.5)));
        log(610.0).await;
        let corrected = service.get(day).await.with(200).json();
        assert_eq!(first(&corrected), (json!(610.0), json!(10.0)));
        assert_eq!(
            corrected["accuracy_summary"],
            json!({"mean_absolute_error": 10.0, "accuracy_rate": 0.0, "predictions_with_actuals": 1, "total_predictions": 2})
        );
        // The row keeps what it was told first, and figures over many days are made of that.
        let figures = service.get("/market/ai/accuracy").await.with(200).json();
        assert_eq!(figures["overall_mae"], 0.5);
        let body = json!({"predLow": 599});
        service.post("/market/prediction/2025-06-02", &body).await.with(200);
        let cleared = service.get(day).await.with(200).json();
        assert_eq!(first(&cleared), (Value::Null, Value::Null));
        assert_eq!(cleared["accuracy_summary"], Value::Null);
        vec![known.to_string(), corrected.to_string(), cleared.to_string()]
    })
    .await;
}

/// One asks it for all, and whoever wants another day is not kept by those who wait.
#[tokio::test]
async fn a_price_service_that_does_not_answer_keeps_nobody_from_another_day() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (asked, address) = (Arc::new(AtomicUsize::new(0)), silent.local_addr().unwrap());
    let counted = Arc::clone(&asked);
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok(connection) = silent.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            held.push(connection);
        }
    });
    let place = Place::new();
    let patience = "prices_timeout_ms = 20_000";
    place.write(
        "cutover.toml",
        &format!("{QUIET}{patience}\nprices = 'http://{address}/p'\n"),
    );
    let service = place.serve(&["--sqlite", "spy.db"]).await;
    let zone = jiff::tz::TimeZone::get("America/Chicago").unwrap();
    let today = jiff::Timestamp::now().to_zoned(zone).date();
    let today = format!("/market/day/{today}");
    {
        let all_of_today = join_all((0..20).map(|_| service.get(&today)));
        let another_day = async {
            while asked.load(Ordering::Relaxed) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            service.get("/market/day/2025-01-02").await.with(404);
        };
        tokio::select! {
            biased;
            () = another_day => {}
            _ = all_of_today => panic!("the price service has answered"),
        }
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "for all of them at once");
    service.stop().await;
    holding.abort();
}

#[tokio::test]
async fn predictions_are_answered_where_they_cannot_be_told_the_prices() {
    let place = Place::new();
    place.write("cutover.toml", &format!("{QUIET}prices = 'prices.json'\n"));
    let prices = r#"{"prices": [{"date": "2025-06-02", "checkpoint": "open", "price": 602.0},
        {"date": "2025-06-02", "checkpoint": "noon", "price": 604.0}]}"#;
    place.write("prices.json", prices);
    let database = migrated(&place).await;
    let url = database.url();
    let client = database.connect().await;
    let carried = "ALTER TABLE ai_predictions DROP CONSTRAINT chk_confidence_range;
        INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence) VALUES
            ('2025-06-02', 'open', 600, 70), ('2025-06-02', 'noon', 601, 0.7);
        ALTER TABLE ai_predictions ADD CONSTRAINT chk_confidence_range
            CHECK (confidence >= 0 AND confidence <= 1) NOT VALID;
        INSERT INTO daily_predictions (date, open, noon) VALUES ('2025-06-02', 601, 603)";
    client.batch_execute(carried).await.unwrap();
    let told = async || {
        let sql = "SELECT checkpoint FROM ai_predictions WHERE actual_price IS NOT NULL";
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    let only = ["--postgres", &url];
    let service = place.serve(&only).await;
    let path = "/market/ai/predictions/2025-06-02";
    let answer = service.get(path).await.with(200).json();
    let errors = |answer: &Value| {
        let error = |place: usize| answer["predictions"][place]["prediction_error"].clone();
        (error(0), error(1))
    };
    assert_eq!(errors(&answer), (json!(1.0), json!(2.0)));
    // The one that breaks a check of its table keeps the other from nothing.
    assert_eq!(told().await, ["noon"]);
    let refresh = "/market/admin/refresh-actuals-intraday/2025-06-02?force=true";
    let filled = service.ask("POST", refresh, None).await.with(200).json();
    assert_eq!(filled["filled"]["noon"], json!(604.0));
    let answer = service.get(path).await.with(200).json();
    assert_eq!(errors(&answer), (json!(2.0), json!(3.0)));
    assert_eq!(told().await, ["noon"]);
    service.stop().await;

    let name = database.name();
    let read_only = format!(
        "UPDATE ai_predictions SET actual_price = NULL WHERE checkpoint = 'noon';
        ALTER DATABASE {name} SET default_transaction_read_only = on"
    );
    client.batch_execute(&read_only).await.unwrap();
    let service = place.serve(&only).await;
    let answer = service.get(path).await.with(200).json();
    assert_eq!(errors(&answer), (json!(2.0), json!(3.0)));
    assert_eq!(told().await, <[&str; 0]>::default());
    let log = service.stop().await;
    let said = log
        .matches("the predictions could not be told their real prices")
        .count();
    assert_eq!(said, 1, "{log}");
}

#[tokio::test]
async fn a_day_that_breaks_a_rule_can_be_changed_in_a_file() {
    let place = Place::new();
    place.write("cutover.toml", &format!("{QUIET}prices = 'prices.json'\n"));
    let noon = r#"{"prices": [{"date": "2025-01-02", "checkpoint": "noon", "price": 545.0}]}"#;
    place.write("prices.json", noon);
    spy_file(&place.path("spy.db"));
    let broken = r#"UPDATE daily_predictions SET "predHigh" = 500 WHERE id = 1"#;
    world::file(&place.path("spy.db")).execute_batch(broken).unwrap();
    let service = place.serve(&["--sqlite", "spy.db"]).await;
    let price = |checkpoint: &str, price: f64| json!({"date": "2025-01-02", "checkpoint": checkpoint, "price": price});
    service
        .post("/market/log/close", &price("close", 540.0))
        .await
        .with(200);
    service
        .post("/market/capture/2025-01-02", &price("open", 541.0))
        .await
        .with(200);
    for path in ["admin/refresh-actuals-intraday", "recompute"] {
        let path = format!("/market/{path}/2025-01-02");
        service.ask("POST", &path, None).await.with(200);
    }
    let day = service.get("/market/day/2025-01-02").await.with(200).json();
    assert_eq!(
        (&day["predLow"], &day["predHigh"], &day["open"], &day["noon"]),
        (&json!(600.0), &json!(500.0), &json!(541.0), &json!(545.0))
    );
    assert_eq!(
        (&day["absErrorToClose"], &day["rangeHit"]),
        (&json!(10.0), &json!(false))
    );
    // Another band that is upside down is none.
    let worse = json!({"predLow": 600, "predHigh": 510});
    service
        .post("/market/prediction/2025-01-02", &worse)
        .await
        .with(400);
    service.stop().await;

    let database = migrated(&place).await;
    let url = database.url();
    place.run(["copy", "spy.db", &url]).await.with(0);
    let service = place.serve(&["--postgres", &url]).await;
    let text = "predLow must not be above predHigh";
    let refused = service
        .post("/market/log/close", &price("close", 550.0))
        .await
        .with(400)
        .json();
    assert_eq!(
        refused,
        json!({"error": {"message": text, "type": "ValidationException",
            "details": {"rule": "daily_predictions: chk_prediction_range"}}, "detail": text})
    );
    let mended = json!({"predLow": 500, "predHigh": 600, "close": 550});
    service
        .post("/market/prediction/2025-01-02", &mended)
        .await
        .with(200);
    service.stop().await;
}

#[tokio::test]
async fn a_refresh_tells_what_it_filled_in() {
    on_both(async |service| {
        let day = json!({"date": "2025-08-15", "open": 600});
        service.post("/market/prediction", &day).await.with(200);
        let refresh = async |query: &str| {
            let path = format!("/market/admin/refresh-actuals-intraday/2025-08-15{query}");
            let answer = service.ask("POST", &path, None).await.with(200).json();
            answer["filled"].clone()
        };
        let none = json!({"open": null, "noon": null, "twoPM": null, "close": null});
        let all = json!({"open": 580.5, "noon": 581.25, "twoPM": 581.5, "close": 581.9});
        let mut missing = all.clone();
        missing["open"] = Value::Null;
        assert_eq!(refresh("").await, missing);
        assert_eq!(refresh("").await, none);
        assert_eq!(refresh("?force=true").await, all);
        vec![]
    })
    .await;
}

#[tokio::test]
async fn figures_know_every_moment_and_no_empty_source() {
    let rows = "INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence, actual_price, prediction_error, source)
        VALUES ('2025-06-02', 'PREMARKET', 600, 0.7, 601, 1, ''), ('2025-06-02', 'noon', 600, 0.5, 603, 3, NULL)";
    on_both_with(rows, async |service| {
        let all = service.get("/market/ai/accuracy").await.with(200);
        let moments = &all.json()["checkpoint_performance"];
        let names: Vec<&String> = moments.as_object().unwrap().keys().collect();
        assert_eq!(names, ["noon", "PREMARKET"]);
        assert_eq!(moments["PREMARKET"]["mean_absolute_error"], 1.0);
        let metrics = service.get("/market/accuracy/metrics").await.with(200);
        let figures = &metrics.json()["metrics"];
        assert_eq!(figures["source_metrics"], json!({}));
        let moments: Vec<&String> = figures["checkpoint_metrics"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(moments, ["noon"]);
        // An empty text asks for nothing in particular, and is told back.
        let path = "/market/accuracy/metrics?checkpoint=&model_name=";
        let unfiltered = service.get(path).await.with(200);
        assert_eq!(unfiltered.json()["metrics"], metrics.json()["metrics"]);
        assert_eq!(unfiltered.json()["filters"]["model_name"], "");
        vec![told(&all), told(&metrics), told(&unfiltered)]
    })
    .await;
}

#[tokio::test]
async fn mistakes_are_told_as_by_the_originals_framework() {
    on_both(async |service| {
        let none = json!({"type": "missing", "loc": ["body"], "msg": "Field required", "input": null});
        for path in [
            "/market/prediction",
            "/market/prediction/2025-06-02",
            "/market/capture/2025-06-02",
            "/market/log/open",
            "/lab/synth-groups",
        ] {
            let refusal = service.ask("POST", path, Some("null")).await.with(422).json();
            assert_eq!(refusal, json!({"detail": [none]}), "{path}");
        }
        for (method, path) in [
            ("GET", "/market/ai/predictions/abc"),
            ("POST", "/market/ai/predict/abc"),
            ("POST", "/market/admin/refresh-official-prices/abc"),
            ("POST", "/market/admin/refresh-actuals-intraday/x"),
        ] {
            let refusal = service.ask(method, path, None).await.with(422).json();
            assert_eq!(
                refusal["detail"][0]["loc"],
                json!(["path", "target_date"]),
                "{path}"
            );
        }
        vec![]
    })
    .await;
}

#[tokio::test]
async fn odd_prices_have_the_originals_trades() {
    on_both(async |service| {
        let below = json!({"date": "2024-01-02", "preMarket": -3});
        service.post("/market/prediction", &below).await.with(200);
        let none = service
            .get("/market/suggestions/2024-01-02/pl-data")
            .await
            .with(200);
        assert_eq!(none.text(), r#"{"date":"2024-01-02","pl_data":[]}"#);
        let why = service
            .get("/market/suggestions/2024-01-02")
            .await
            .with(200)
            .json();
        assert!(why["message"].is_string());
        let tiny = json!({"date": "2024-01-03", "close": 0.01});
        service.post("/market/prediction", &tiny).await.with(200);
        let trades = service.get("/market/suggestions/2024-01-03").await.with(200);
        let curves = service
            .get("/market/suggestions/2024-01-03/pl-data")
            .await
            .with(200);
        assert!(
            trades.text().contains(r#""put_long_strike":0.0"#),
            "{}",
            trades.text()
        );
        for answer in [&trades, &curves] {
            assert!(!answer.text().contains("-0.0,"), "{}", answer.text());
        }
        vec![told(&trades), told(&curves)]
    })
    .await;
}

#[tokio::test]
async fn duplicates_are_shown_and_removed_once() {
    let place = Place::new();
    place.write("cutover.toml", QUIET);
    spy_file(&place.path("spy.db"));
    let rows = "INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence, created_at) VALUES
        ('2025-05-01', 'open', 600, 0.7, '2025-05-01 11:00:00'), ('2025-05-01', 'open', 601, 0.7, '2025-05-01 12:00:00.250000')";
    world::file(&place.path("spy.db")).execute_batch(rows).unwrap();
    let service = place.serve(&["--sqlite", "spy.db"]).await;
    let found = service
        .get("/market/admin/analyze-ai-prediction-duplicates")
        .await
        .with(200)
        .json();
    let group = &found["analysis"]["duplicate_groups"][0];
    assert_eq!(
        (&group["first_created"], &group["last_created"]),
        (
            &json!("2025-05-01 11:00:00"),
            &json!("2025-05-01 12:00:00.250000")
        )
    );
    let fix = async || {
        let path = "/market/admin/fix-duplicate-ai-predictions";
        service.ask("POST", path, None).await.with(200).json()
    };
    assert_eq!(fix().await["deleted_records"], 1);
    let again = fix().await;
    let keys: Vec<&String> = again.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["status", "message", "analysis"]);
    service.stop().await;
}

#[tokio::test]
async fn a_database_without_a_history_is_refused_with_what_to_do_and_that_works() {
    let place = Place::new();
    spy_file(&place.path("spy.db"));
    let old = TestDatabase::create().await;
    place.run(["copy", "spy.db", &old.url()]).await.with(0);
    let up = ["migrate", "up", "--on", "postgres", "--context", "market"];
    let refused = place
        .run([&up[..], &["--postgres", &old.url()]].concat())
        .await
        .with(4);
    for part in [
        "without a history of migrations: ai_predictions, daily_predictions, price_logs;",
        "nothing of this schema was changed",
        "`cutover migrate up --on sqlite --sqlite file.db --context market`",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {refused:?}");
    }
    let client = old.connect().await;
    let own = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'migrations_market%'";
    assert_eq!(world::postgres_rows(&client, own).await, ["0"]);

    place.run(["copy", &old.url(), "file.db"]).await.with(0);
    // As it is printed, and where the database is the configured one.
    let (_, advice) = refused.stderr.split_once("`cutover migrate up").unwrap();
    let (advice, _) = advice.split_once('`').unwrap();
    let taken_over: Vec<&str> = ["migrate", "up"]
        .into_iter()
        .chain(advice.split_whitespace())
        .collect();
    place
        .run_in(taken_over, &[("DATABASE_URL", &old.url())])
        .await
        .with(0);
    let new = TestDatabase::create().await;
    place
        .run([&up[..], &["--postgres", &new.url()]].concat())
        .await
        .with(0);
    place.run(["copy", "file.db", &new.url()]).await.with(0);
    let check = ["migrate", "check", "--on", "postgres", "--context", "market"];
    place
        .run([&check[..], &["--postgres", &new.url()]].concat())
        .await
        .with(0);
    let rows = "SELECT count(*), sum(\"predLow\") FROM daily_predictions";
    assert_eq!(
        world::postgres_rows(&new.connect().await, rows).await,
        ["2|1180.5"]
    );
}

#[tokio::test]
async fn jobs_are_run_by_hand_and_shown() {
    on_both(async |service| {
        let trigger = async |job: &str| {
            service
                .ask("POST", &format!("/market/scheduler/trigger/{job}"), None)
                .await
        };
        let done = trigger("capture_noon").await.with(200).json();
        assert_eq!(
            done,
            json!({"status": "success", "job": "capture_noon", "action": "captured noon price"})
        );
        assert_eq!(trigger("daily_cleanup").await.with(200).json()["status"], "error");
        trigger("ai_predict_0830").await.with(404);
        trigger("ai_predict_0800").await.with(200);
        let status = service.get("/market/scheduler/status").await.with(200).json();
        assert_eq!(
            (
                &status["total_jobs"],
                &status["timezone"],
                &status["scheduler_running"]
            ),
            (&json!(7), &json!("America/Chicago"), &json!(false))
        );
        let runs = status["recent_runs"].as_array().unwrap();
        let jobs: Vec<&Value> = runs.iter().map(|run| &run["job"]).collect();
        assert_eq!(jobs, ["ai_predict_0800", "capture_noon"]);
        assert_eq!(
            (&runs[1]["outcome"], &runs[1]["trigger"]),
            (&json!("no_data"), &json!("manual"))
        );
        let next: Vec<&str> = status["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["next_run_time"].as_str().unwrap())
            .collect();
        assert!(
            next.iter()
                .all(|next| next.ends_with("-06:00") || next.ends_with("-05:00")),
            "{next:?}"
        );
        vec![]
    })
    .await;
}
