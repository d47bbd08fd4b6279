//! Today's row, completed from the price source before it is shown.

use std::time::Duration;

use cutover_domain::market::day::Day;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::usecase::market::{Market, MarketError};

/// How long a request waits for another one that completes today's row.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a source that has failed is not asked again for today's row.
const LEFT_ALONE: Duration = Duration::from_secs(15);

/// When today's row was completed the last time, by any request.
#[derive(Debug, Default)]
pub struct Completed(Mutex<Option<Completion>>);

#[derive(Debug)]
struct Completion {
    began: Instant,
    /// When the price source had failed, if it had.
    failed: Option<Instant>,
}

impl Completed {
    /// Completes the row of `day` if that is today; that a price source fails is nobody's trouble here. One asks for all that wait for it,
    /// for a while, and a source that has failed is left alone for some time: whoever asks for another day waits behind those who wait
    /// here.
    pub(super) async fn complete(&self, market: &Market, day: Day) {
        if !market.is_to_complete(day) {
            return;
        }
        let asked = Instant::now();
        let Ok(mut last) = timeout(PATIENCE, self.0.lock()).await else {
            return;
        };
        let is_spared = last.as_ref().is_some_and(|last| {
            last.began >= asked || last.failed.is_some_and(|at| at.elapsed() < LEFT_ALONE)
        });
        if is_spared {
            return;
        }
        let began = Instant::now();
        let refreshed = market.refresh_actuals(day, false).await;
        if let Err(error) = &refreshed {
            tracing::warn!(%day, %error, "today's prices could not be completed");
        }
        let failed = matches!(refreshed, Err(MarketError::Prices(_))).then(Instant::now);
        *last = Some(Completion { began, failed });
    }
}
