//! No prices.

use async_trait::async_trait;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;
use cutover_ports::market::{PriceError, PriceSource, Quote};

/// The source of a configuration that names none.
#[derive(Debug, Clone, Copy)]
pub struct NoPrices;

#[async_trait]
impl PriceSource for NoPrices {
    async fn price(&self, _: &str, _: Checkpoint, _: Day) -> Result<Option<Quote>, PriceError> {
        Err(PriceError::NotConfigured)
    }

    async fn bars(&self, _: &str, _: Day, _: Day) -> Result<Vec<DailyBar>, PriceError> {
        Err(PriceError::NotConfigured)
    }

    fn is_configured(&self) -> bool {
        false
    }
}
