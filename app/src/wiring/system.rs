//! The machine's clock and randomness.

use cutover_domain::time::Timestamp;
use cutover_ports::clock::{Clock, Ids};

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // The year 9999 is the last that a timestamp holds.
        Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or(Timestamp::EPOCH)
    }
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
