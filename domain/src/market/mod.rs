//! SPY-tracker: a band predicted for each trading day, the prices of the day, and how good the predictions were.

pub mod accuracy;
pub mod ai_prediction;
pub mod baseline_model;
pub mod calendar;
pub mod daily_prediction;
pub mod day;
pub mod forecast;
pub mod job_run;
pub mod model_performance;
pub mod suggestion;

use crate::text_enum;

text_enum! {
    /// The moments of a trading day at which a price is kept. The spelling minds upper and lower case.
    Checkpoint {
        /// Before the market opens.
        PreMarket = "preMarket",
        /// At the opening.
        Open = "open",
        /// At noon.
        Noon = "noon",
        /// At two in the afternoon.
        TwoPm = "twoPM",
        /// At the close.
        Close = "close",
    }
}

impl Checkpoint {
    /// The moments that are predicted, in the order of the day.
    pub const PREDICTED: [Self; 4] = [Self::Open, Self::Noon, Self::TwoPm, Self::Close];
}

/// Whether a price can be one of this symbol's; what a provider says is believed within these bounds only.
pub fn is_plausible_price(symbol: &str, price: f64) -> bool {
    if symbol == "SPY" {
        (50.0..=2000.0).contains(&price)
    } else {
        (1.0..=10_000.0).contains(&price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_believed_within_bounds() {
        for (symbol, price, plausible) in [
            ("SPY", 50.0, true),
            ("SPY", 2000.0, true),
            ("SPY", 49.99, false),
            ("SPY", 2000.01, false),
            ("SPY", f64::NAN, false),
            ("SPY", f64::INFINITY, false),
            ("QQQ", 1.0, true),
            ("QQQ", 10_000.0, true),
            ("QQQ", 0.5, false),
            ("QQQ", -5.0, false),
        ] {
            assert_eq!(is_plausible_price(symbol, price), plausible, "{symbol} {price}");
        }
    }
}
