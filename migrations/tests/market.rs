//! Taking over SPY-tracker's files of every variant.
#![cfg(feature = "sqlite")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on must fail, and say why"
)]

use std::path::{Path, PathBuf};

use cutover_migrations::{Context, Down, Rows, Target, check, down, status, up};
use support::{contents, rows, sqlite3};

#[expect(dead_code, reason = "the lab's files are another test's")]
mod support;

const DAILY: &str = r#"id INTEGER NOT NULL, date DATE NOT NULL, "preMarket" FLOAT, "predLow" FLOAT, "predHigh" FLOAT, bias VARCHAR,
    "volCtx" VARCHAR, "dayType" VARCHAR, "keyLevels" VARCHAR, notes VARCHAR, open FLOAT, noon FLOAT, "twoPM" FLOAT, close FLOAT,
    "realizedLow" FLOAT, "realizedHigh" FLOAT, "rangeHit" BOOLEAN, "absErrorToClose" FLOAT,
    created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), updated_at DATETIME"#;

const AI: &str = "id INTEGER NOT NULL, date DATE NOT NULL, checkpoint VARCHAR NOT NULL, predicted_price FLOAT NOT NULL,
    confidence FLOAT NOT NULL, reasoning VARCHAR, market_context VARCHAR, actual_price FLOAT, prediction_error FLOAT,
    created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), updated_at DATETIME";

/// The SQL that makes a file of a variant, with a few rows.
fn spy_tracker(variant: char) -> String {
    let daily = match variant {
        'A' | 'B' => String::new(),
        'C' => ", source VARCHAR DEFAULT 'manual'".to_owned(),
        'E' => ", source TEXT DEFAULT 'manual', locked INTEGER DEFAULT 0".to_owned(),
        'H' => ", source VARCHAR, locked BOOLEAN".to_owned(),
        _ => ", source VARCHAR DEFAULT 'manual', locked BOOLEAN DEFAULT 0".to_owned(),
    };
    let mut sql = format!(
        "CREATE TABLE daily_predictions ({DAILY}{daily}, PRIMARY KEY (id));
        CREATE INDEX ix_daily_predictions_id ON daily_predictions (id);
        CREATE UNIQUE INDEX ix_daily_predictions_date ON daily_predictions (date);
        CREATE TABLE price_logs (id INTEGER NOT NULL, date DATE NOT NULL, checkpoint VARCHAR NOT NULL, price FLOAT NOT NULL,
            created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), PRIMARY KEY (id));
        CREATE INDEX ix_price_logs_id ON price_logs (id);
        CREATE INDEX ix_price_logs_date ON price_logs (date);
        CREATE INDEX ix_price_logs_checkpoint ON price_logs (checkpoint);
        INSERT INTO daily_predictions (date, \"predLow\", \"predHigh\", \"rangeHit\") VALUES ('2025-01-02', 600, 610, NULL),
            ('2025-08-11', 580.5, 585.75, 0);
        INSERT INTO price_logs (date, checkpoint, price) VALUES ('2025-08-11', 'open', 580.25);"
    );
    let more = match variant {
        'F' => ", interval_low REAL, interval_high REAL, interval_hit BOOLEAN, source VARCHAR, model VARCHAR",
        'G' => {
            ", interval_low REAL, interval_high REAL, interval_hit BOOLEAN, source VARCHAR, model VARCHAR, prompt_version VARCHAR"
        }
        'H' => {
            ", interval_low FLOAT, interval_high FLOAT, interval_hit BOOLEAN, source VARCHAR, model VARCHAR, prompt_version VARCHAR,
                CONSTRAINT uq_ai_prediction_date_checkpoint UNIQUE (date, checkpoint)"
        }
        _ => "",
    };
    if variant > 'A' {
        // The unnamed columns of the table's end come before its constraints.
        let (columns, constraint) = more
            .split_once(",\n                CONSTRAINT")
            .unwrap_or((more, ""));
        let constraint = if constraint.is_empty() {
            String::new()
        } else {
            format!(", CONSTRAINT{constraint}")
        };
        let tables = format!(
            "CREATE TABLE ai_predictions ({AI}{columns}, PRIMARY KEY (id){constraint});
            CREATE INDEX ix_ai_predictions_id ON ai_predictions (id);
            CREATE INDEX ix_ai_predictions_date ON ai_predictions (date);
            CREATE INDEX ix_ai_predictions_checkpoint ON ai_predictions (checkpoint);
            INSERT INTO ai_predictions (date, checkpoint, predicted_price, confidence)
                VALUES ('2025-08-11', 'open', 637.5369855346679, 0.7);"
        );
        sql += &tables;
    }
    if ('E'..'H').contains(&variant) {
        sql += "CREATE UNIQUE INDEX idx_ai_predictions_date_checkpoint ON ai_predictions (date, checkpoint);";
    }
    if ('F'..'H').contains(&variant) {
        // As a loose script makes them.
        sql += "CREATE TABLE baseline_models (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR UNIQUE NOT NULL, description VARCHAR,
                parameters VARCHAR, is_active BOOLEAN DEFAULT 1, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
                updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
            CREATE TABLE model_performance (id INTEGER PRIMARY KEY AUTOINCREMENT, date DATE NOT NULL, model_name VARCHAR NOT NULL,
                mae REAL, rmse REAL, hit_rate_1dollar REAL, interval_coverage REAL,
                created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
                UNIQUE (date, model_name));
            CREATE INDEX idx_model_performance_date ON model_performance (date);
            CREATE INDEX idx_model_performance_model ON model_performance (model_name);
            INSERT INTO baseline_models (name) VALUES ('gap');";
    }
    sql
}

struct Folder {
    _directory: tempfile::TempDir,
    path: PathBuf,
    target: Target,
}

fn folder(sql: &str) -> Folder {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spy_tracker.db");
    sqlite3(&path, sql);
    Folder {
        target: Target::Sqlite { path: path.clone() },
        path,
        _directory: directory,
    }
}

fn assert_kept(before: &[(String, Vec<String>, Vec<String>)], path: &Path) {
    for (table, columns, kept) in before {
        assert_eq!(&rows(path, table, columns), kept, "{table}");
    }
}

#[tokio::test]
async fn files_of_every_variant_are_taken_over() {
    for (variant, recognised) in [
        ('A', "variant A"),
        ('B', "variant B"),
        ('C', "variant C"),
        ('D', "variant D or E"),
        ('E', "variant D or E"),
        ('F', "variant F"),
        ('G', "variant G or H"),
        ('H', "variant G or H"),
    ] {
        let file = folder(&spy_tracker(variant));
        let before = contents(&file.path);
        let waiting = status(&file.target, &Context::MARKET).await.unwrap();
        assert!(waiting.adoptable, "{variant}: {waiting:?}");
        let outcome = up(&file.target, &Context::MARKET, None).await.unwrap();
        let adopted = outcome.adopted.unwrap();
        assert!(
            adopted.recognised.ends_with(recognised),
            "{variant}: {}",
            adopted.recognised
        );
        assert_eq!(adopted.broken, Vec::<String>::new(), "{variant}");
        assert_eq!(outcome.version, 3);
        assert_kept(&before, &file.path);
        assert_kept(&before, &adopted.backup);
        let drift = check(&file.target, &Context::MARKET).await.unwrap();
        assert_eq!(drift.differences, [], "{variant}");
        let again = up(&file.target, &Context::MARKET, None).await.unwrap();
        assert!(again.adopted.is_none() && again.steps.is_empty(), "{variant}");
        // What came with later versions goes again; what was the file's own stays.
        down(&file.target, &Context::MARKET, Down::To(1), Rows::Keep)
            .await
            .unwrap();
        assert_kept(&before, &file.path);
    }
}

#[tokio::test]
async fn rows_that_break_rules_are_named_and_stay() {
    let broken = spy_tracker('D')
        + "INSERT INTO daily_predictions (id, date, \"predLow\", \"predHigh\", open) VALUES (7, '2025-08-12', 610, 600, -1);
        INSERT INTO price_logs (id, date, checkpoint, price) VALUES (9, '2025-08-12', 'open', 0);
        INSERT INTO ai_predictions (id, date, checkpoint, predicted_price, confidence) VALUES
            (8, '2025-08-11', 'open', 1, 7);";
    let file = folder(&broken);
    let before = contents(&file.path);
    let outcome = up(&file.target, &Context::MARKET, None).await.unwrap();
    let told = outcome.adopted.unwrap().broken;
    for (part, row) in [
        ("above 0", "rows 7"),
        ("predLow is not above predHigh", "rows 7"),
        ("price_logs: price", "rows 9"),
        ("confidence", "rows 8"),
        ("one for each date and checkpoint", "rows 1, 8"),
    ] {
        assert!(
            told.iter().any(|line| line.contains(part) && line.ends_with(row)),
            "{part} {row} is missing in {told:?}"
        );
    }
    assert_kept(&before, &file.path);
    assert_eq!(
        check(&file.target, &Context::MARKET).await.unwrap().differences,
        []
    );
}

#[tokio::test]
async fn a_file_with_other_tables_of_these_names_is_refused() {
    let file = folder(
        "CREATE TABLE daily_predictions (id INTEGER PRIMARY KEY, day TEXT); CREATE TABLE price_logs (id INTEGER)",
    );
    let before = std::fs::read(&file.path).unwrap();
    let error = up(&file.target, &Context::MARKET, None).await.unwrap_err();
    assert!(error.to_string().contains("SPY-tracker"), "{error}");
    assert_eq!(std::fs::read(&file.path).unwrap(), before);
}
