//! SPY-tracker's files. The program only ever adds tables; its loose scripts add columns, always at the end.

use super::{Legacy, Objects, Original, has_column};

/// Of the context `market`.
pub(super) const ORIGINAL: (&str, Original) = (
    "market",
    Original {
        name: "SPY-tracker",
        legacy: Legacy {
            // The program knows none of the checks: they are its migration's wish for new databases.
            missing_checks: &[
                ("daily_predictions", "predLow"),
                ("daily_predictions", "predHigh"),
                ("daily_predictions", "open"),
                ("daily_predictions", "noon"),
                ("daily_predictions", "twoPM"),
                ("daily_predictions", "close"),
                ("price_logs", "price"),
                ("ai_predictions", "confidence"),
            ],
            // Of its scripts.
            extra_indexes: &[
                "idx_ai_predictions_date_checkpoint",
                "idx_model_performance_date",
                "idx_model_performance_model",
            ],
            missing_indexes: &["uq_ai_prediction_date_checkpoint"],
            extra_constraints: &[("ai_predictions", "UNIQUE (date, checkpoint)")],
            other_columns: &[
                ("daily_predictions", "source"),
                ("daily_predictions", "locked"),
                ("ai_predictions", "interval_low"),
                ("ai_predictions", "interval_high"),
                ("ai_predictions", "interval_hit"),
                ("ai_predictions", "source"),
                ("ai_predictions", "model"),
                ("ai_predictions", "prompt_version"),
                ("baseline_models", "*"),
                ("model_performance", "*"),
            ],
            ..Legacy::NONE
        },
        core: &["daily_predictions", "price_logs"],
        added_columns: &[
            ("daily_predictions", "source", "VARCHAR"),
            ("daily_predictions", "locked", "BOOLEAN"),
            ("ai_predictions", "interval_low", "FLOAT"),
            ("ai_predictions", "interval_high", "FLOAT"),
            ("ai_predictions", "interval_hit", "BOOLEAN"),
            ("ai_predictions", "source", "VARCHAR"),
            ("ai_predictions", "model", "VARCHAR"),
            ("ai_predictions", "prompt_version", "VARCHAR"),
        ],
        too_old: |_: &Objects| None,
        version: version_of,
        broken: &[
            (
                "daily_predictions",
                "predLow, predHigh, open, noon, twoPM and close are above 0",
                "\"predLow\" <= 0 OR \"predHigh\" <= 0 OR open <= 0 OR noon <= 0 OR \"twoPM\" <= 0 OR close <= 0",
            ),
            (
                "daily_predictions",
                "predLow is not above predHigh",
                "\"predLow\" > \"predHigh\"",
            ),
            ("price_logs", "price is above 0", "price <= 0"),
            (
                "ai_predictions",
                "confidence is from 0 to 1",
                "confidence < 0 OR confidence > 1",
            ),
            (
                "ai_predictions",
                "there is one for each date and checkpoint",
                "(date, checkpoint) IN (SELECT date, checkpoint FROM ai_predictions GROUP BY date, checkpoint \
                 HAVING count(*) > 1)",
            ),
        ],
    },
);

/// Which of the variants A to H it is: each has something that the one before has not.
fn version_of(found: &Objects) -> String {
    let has = |table: &str| found.contains_key(table);
    let column = |table: &str, column: &str| has_column(found, table, column);
    let variant = if column("ai_predictions", "prompt_version") {
        "G or H"
    } else if column("ai_predictions", "interval_low") || has("model_performance") {
        "F"
    } else if column("daily_predictions", "locked") {
        "D or E"
    } else if column("daily_predictions", "source") {
        "C"
    } else if has("ai_predictions") {
        "B"
    } else {
        "A"
    };
    format!("a SPY-tracker file of variant {variant}")
}
