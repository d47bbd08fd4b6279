//! Where prices come from.

use std::sync::Arc;

use cutover_ports::market::PriceSource;

use super::WiringError;
use crate::config::PriceConfig;

/// The price source that is configured.
pub fn price_source(config: &PriceConfig) -> Result<Arc<dyn PriceSource>, WiringError> {
    Ok(match config {
        PriceConfig::None => Arc::new(cutover_prices::NoPrices),
        PriceConfig::File(path) => Arc::new(cutover_prices::FilePrices::new(path)),
        PriceConfig::Http(url, timeout) => {
            let prices = cutover_prices::HttpPrices::new(url, *timeout)
                .map_err(|error| WiringError::Configuration(format!("market.prices: {error}")))?;
            Arc::new(prices)
        }
    })
}
