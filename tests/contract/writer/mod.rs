//! The writer's repositories.

use cutover_domain::stored::Stored;
use cutover_domain::time::Timestamp;
use cutover_ports::{StoreError, StoreResult};

pub(crate) mod conversation;
pub(crate) mod file;

/// An instant of its own for each `seconds`.
#[expect(clippy::unnecessary_wraps, reason = "the columns may be NULL")]
fn at(seconds: i64) -> Option<Stored<Timestamp>> {
    Some(instant(seconds).into())
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_767_268_800_000_000 + seconds * 1_000_000 + 123_456).unwrap()
}

/// The write was refused because of this key.
fn assert_conflict<T: std::fmt::Debug>(outcome: StoreResult<T>, key: &str) {
    let error = outcome.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict(found) if found == key),
        "not a conflict on {key}: {error:?}"
    );
}
