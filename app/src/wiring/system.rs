//! The machine's clock and randomness.

use std::sync::Arc;

use cutover_domain::time::Timestamp;
use cutover_ports::clock::{Clock, Ids};

use super::Databases;
#[cfg(feature = "postgres")]
use super::server_clock::ServerClock;
use crate::config::Backend;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // The year 9999 is the last that a timestamp holds.
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or(Timestamp::EPOCH)
    }
}

/// The clock of jobs whose runs are noted on `backend`. Instances that share a database go by the one clock that they have in common:
/// a run belongs to whoever claims it, and is taken over if it takes too long.
#[cfg_attr(
    not(feature = "postgres"),
    expect(unused_variables, reason = "there is only this machine's clock")
)]
pub async fn job_clock(databases: &Databases, backend: Backend) -> Arc<dyn Clock> {
    #[cfg(feature = "postgres")]
    if let (Backend::Postgres, Some(database)) = (backend, &databases.postgres) {
        return ServerClock::start(database.clone()).await;
    }
    Arc::new(SystemClock)
}

/// Random identifiers.
#[derive(Debug, Clone, Copy)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn hex(&self, count: usize) -> String {
        let mut text = uuid::Uuid::new_v4().simple().to_string();
        // Two digits of a version 4 UUID are not random; they stand behind the first twelve.
        text.truncate(count);
        text
    }
}
