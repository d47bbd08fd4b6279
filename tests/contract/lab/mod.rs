//! The lab's repositories.

use cutover_domain::time::Timestamp;

pub(crate) mod synth_group;

/// An instant of its own for each `seconds`.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000 + seconds * 1_000_000 + 123_456).unwrap()
}
