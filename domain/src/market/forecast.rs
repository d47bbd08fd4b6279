//! The baseline predictor: the day's prices from the day before, without a model.

use super::Checkpoint;
use super::day::Day;

/// A day's prices as an exchange publishes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailyBar {
    /// The day.
    pub day: Day,
    /// The first price.
    pub open: f64,
    /// The highest.
    pub high: f64,
    /// The lowest.
    pub low: f64,
    /// The last.
    pub close: f64,
}

/// The price that is expected at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Forecast {
    /// The moment.
    pub checkpoint: Checkpoint,
    /// The price.
    pub price: f64,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// The lower end of the interval that the price should lie in.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// What a forecast starts from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis {
    /// The close of the day before.
    pub previous_close: f64,
    /// How far prices range in a day: the mean of the last fourteen true ranges.
    pub average_range: f64,
    /// The price before the market opens, if it is known.
    pub pre_market: Option<f64>,
}

/// The number of days whose ranges are averaged.
pub const RANGE_DAYS: usize = 14;

impl Basis {
    /// From the bars before the day, oldest first; `None` without any. With fewer than fourteen the average range is a
    /// hundredth of the close.
    pub fn from_bars(bars: &[DailyBar], pre_market: Option<f64>) -> Option<Self> {
        let previous_close = bars.last()?.close;
        let first = bars.len().saturating_sub(RANGE_DAYS);
        let ranges: Vec<f64> = (first..bars.len()).map(|at| true_range(bars, at)).collect();
        let average_range = if ranges.len() == RANGE_DAYS {
            ranges.iter().sum::<f64>() / ranges.len() as f64
        } else {
            previous_close * 0.01
        };
        Some(Self {
            previous_close,
            average_range,
            pre_market,
        })
    }

    /// The forecast of each predicted moment, in the order of the day.
    pub fn forecast(&self) -> [Forecast; 4] {
        let (last, range) = (self.previous_close, self.average_range);
        let open = self.pre_market.map_or(last, |price| last + 0.8 * (price - last));
        let noon = last + 1.2 * (open - last) + 0.2 * range;
        let two_pm = last + f64::midpoint(open - last, noon - last) + 0.1 * range;
        let mean = (open + noon + two_pm) / 3.0;
        let close = last + 0.7 * (mean - last) + 0.15 * range;
        let forecast = |checkpoint, price, step: f64| {
            let width = range * (0.5 + 0.1 * step);
            Forecast {
                checkpoint,
                price,
                confidence: 0.7 - 0.05 * step,
                low: price - width,
                high: price + width,
            }
        };
        [
            forecast(Checkpoint::Open, open, 0.0),
            forecast(Checkpoint::Noon, noon, 1.0),
            forecast(Checkpoint::TwoPm, two_pm, 2.0),
            forecast(Checkpoint::Close, close, 3.0),
        ]
    }
}

/// How far prices ranged, the step from the day before included.
fn true_range(bars: &[DailyBar], at: usize) -> f64 {
    let bar = bars[at];
    let range = bar.high - bar.low;
    match at.checked_sub(1).map(|before| bars[before].close) {
        Some(close) => range
            .max(f64::abs(bar.high - close))
            .max(f64::abs(bar.low - close)),
        None => range,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(number: i8, low: f64, high: f64, close: f64) -> DailyBar {
        DailyBar {
            day: Day::new(2025, 8, number).unwrap(),
            open: low,
            high,
            low,
            close,
        }
    }

    fn near(left: f64, right: f64) -> bool {
        f64::abs(left - right) < 1e-9
    }

    #[test]
    fn the_formulas_are_the_originals() {
        let basis = Basis {
            previous_close: 600.0,
            average_range: 10.0,
            pre_market: Some(605.0),
        };
        let forecast = basis.forecast();
        let prices = forecast.map(|one| one.price);
        // open 604, noon 600 + 4.8 + 2, two 600 + (4 + 6.8)/2 + 1, close 600 + .7·(5.733…) + 1.5
        let expected = [604.0, 606.8, 606.4, 600.0 + 0.7 * (17.2 / 3.0) + 1.5];
        for (price, expected) in prices.iter().zip(expected) {
            assert!(near(*price, expected), "{price} {expected}");
        }
        assert!(near(forecast[3].high - forecast[3].price, 8.0));
        assert!(near(forecast[1].confidence, 0.65));
        let without = Basis {
            pre_market: None,
            ..basis
        };
        assert!(near(without.forecast()[0].price, 600.0));
    }

    #[test]
    fn the_range_is_the_mean_of_fourteen_or_a_hundredth() {
        let bars: Vec<DailyBar> = (1..=14).map(|number| bar(number, 600.0, 604.0, 602.0)).collect();
        assert!(near(Basis::from_bars(&bars, None).unwrap().average_range, 4.0));
        assert!(near(
            Basis::from_bars(&bars[..13], None).unwrap().average_range,
            6.02
        ));
        let mut gap = bars;
        gap.push(bar(15, 612.0, 614.0, 613.0));
        // The last true range reaches from yesterday's close to today's high: 12.
        let expected = (13.0 * 4.0 + 12.0) / 14.0;
        assert!(near(
            Basis::from_bars(&gap, None).unwrap().average_range,
            expected
        ));
        assert_eq!(Basis::from_bars(&[], Some(1.0)), None);
    }
}
