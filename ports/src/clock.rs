//! Time and identity: made outside the stores, so that two stores agree and tests decide.

use cutover_domain::time::Timestamp;

/// Where the current time comes from.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Where new identifiers come from.
#[cfg_attr(feature = "mock", mockall::automock)]
pub trait Ids: Send + Sync {
    /// `count` random lower-case hexadecimal digits (at most 32).
    fn hex(&self, count: usize) -> String;
}
