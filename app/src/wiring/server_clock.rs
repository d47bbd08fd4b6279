//! The clock of a PostgreSQL server, for what its clients must agree on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cutover_domain::time::Timestamp;
use cutover_ports::clock::Clock;

use super::SystemClock;

/// How often the server is asked.
const INTERVAL: Duration = Duration::from_secs(30);
/// An answer that took longer tells the time too roughly.
const SLOW: Duration = Duration::from_secs(2);
/// A difference that is worth a word.
const SKEW: Duration = Duration::from_secs(5);

/// A PostgreSQL server's clock: read now and then, and carried on by how long that is ago, whatever this machine's clock says
/// meanwhile. Before it could be read, this machine's.
#[derive(Debug)]
pub(super) struct ServerClock {
    database: cutover_postgres::Database,
    read: Mutex<Option<(Timestamp, Instant)>>,
    differs: AtomicBool,
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let read = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.map_or_else(|| SystemClock.now(), |(time, at)| time.later_by(at.elapsed()))
    }
}

impl ServerClock {
    /// Reads the server's clock, and does so again every half minute until nobody uses it any more.
    pub(super) async fn start(database: cutover_postgres::Database) -> Arc<Self> {
        let clock = Arc::new(Self {
            database,
            read: Mutex::default(),
            differs: AtomicBool::new(false),
        });
        clock.read().await;
        let watched = Arc::downgrade(&clock);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL).await;
                let Some(clock) = watched.upgrade() else { return };
                clock.read().await;
            }
        });
        clock
    }

    async fn read(&self) {
        let asked = Instant::now();
        let time = match self.database.server_time().await {
            Ok(time) => time,
            Err(error) => return tracing::debug!(%error, "the server's clock cannot be read now"),
        };
        let took = asked.elapsed();
        if took > SLOW {
            return;
        }
        // It was read between the question and the answer.
        let now = time.later_by(took / 2);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
        let skew = Duration::from_micros(SystemClock.now().as_micros().abs_diff(now.as_micros()));
        let differs = skew > SKEW;
        if !self.differs.swap(differs, Ordering::Relaxed) && differs {
            let seconds = skew.as_secs();
            tracing::warn!(
                seconds,
                "this machine's clock differs from the PostgreSQL server's; jobs go by the server's, the rest does not: keep both \
                 in time by NTP"
            );
        }
    }
}
