//! SPY-tracker's repositories.

use cutover_domain::market::day::Day;
use cutover_domain::time::Timestamp;
use cutover_ports::{StoreError, StoreResult};

pub(crate) mod ai_prediction;
pub(crate) mod baseline_model;
pub(crate) mod daily_prediction;
pub(crate) mod job_run;
pub(crate) mod model_performance;

/// An instant of its own for each `seconds`; whole ones, as its SQLite files keep no others.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_754_928_000_000_000 + seconds * 1_000_000).unwrap()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// The write was refused because of this rule.
fn assert_invalid<T: std::fmt::Debug>(outcome: StoreResult<T>, what: &str) {
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, StoreError::Invalid { what: found, .. } if found == what),
        "not invalid by {what}: {error:?}"
    );
}

/// Numbers that a text form would lose digits of.
const DIGITS: f64 = 637.536_985_534_666_9;

/// A text that is hard on quoting and encodings.
const TEXT: &str = "602.0,607.0; ' \" \\ é 🦜\n--";
