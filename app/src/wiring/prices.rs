//! Where prices come from.

use std::sync::Arc;

use cutover_ports::market::PriceSource;

use super::WiringError;
use crate::config::{MarketConfig, PriceConfig};

/// The price source that is configured.
pub fn price_source(market: &MarketConfig) -> Result<Arc<dyn PriceSource>, WiringError> {
    Ok(match &market.prices {
        PriceConfig::None => Arc::new(cutover_prices::NoPrices),
        PriceConfig::File(path) => Arc::new(cutover_prices::FilePrices::new(path)),
        PriceConfig::Http(service) => {
            let user = service.user.as_ref().map(|user| user.expose());
            let prices = cutover_prices::HttpPrices::new(&service.base, user, market.prices_timeout)
                .map_err(|error| WiringError::Configuration(format!("market.prices: {error}")))?;
            Arc::new(prices)
        }
    })
}
