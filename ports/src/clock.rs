//! Time and identity: made outside the stores, so that two stores agree and tests decide.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use cutover_domain::time::Timestamp;

/// Where the current time comes from.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// How long it is since some moment, by a clock that nobody sets.
    fn steady(&self) -> Duration {
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGUN.elapsed()
    }
}

/// Where new identifiers come from.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Ids: Send + Sync {
    /// `count` random lower-case hexadecimal digits (at most 32).
    fn hex(&self, count: usize) -> String;
}
