//! Option trades that fit a day's prediction, and what they would earn.

use super::Checkpoint;
use super::daily_prediction::DayFields;

/// The implied volatility that all suggestions assume.
const VOLATILITY: f64 = 0.15;
/// The share of days within the band from which on it is trusted.
const TRUSTED_RATE: f64 = 0.65;

/// How long a trade lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tenor {
    name: &'static str,
    days: f64,
    delta: f64,
    min_credit: f64,
    wing: f64,
    /// What to mind of a condor that lasts so long.
    condor: &'static str,
    /// And of a butterfly.
    butterfly: &'static str,
}

const TENORS: [Tenor; 3] = [
    Tenor {
        name: "0DTE",
        days: 1.0,
        delta: 0.12,
        min_credit: 0.30,
        wing: 5.0,
        condor: "Close when a quarter of the credit is earned, or twice the credit lost; from two in the afternoon on its \
            value turns fast",
        butterfly: "Be content with 10 to 15% of the credit, and soon: near the centre its value turns fast",
    },
    Tenor {
        name: "1W",
        days: 7.0,
        delta: 0.18,
        min_credit: 0.50,
        wing: 10.0,
        condor: "Close when a quarter to a half of the credit is earned; if a short strike is reached, think of rolling it on",
        butterfly: "Be content with 15 to 25% of the credit; make it a condor if the price breaks out early",
    },
    Tenor {
        name: "1M",
        days: 30.0,
        delta: 0.20,
        min_credit: 1.20,
        wing: 15.0,
        condor: "Close early, when 30 to 50% of the credit is earned; defend the side that is reached once half is lost",
        butterfly: "Be content with 20 to 30% of the credit; if the price keeps its course, think of moving the centre after it",
    },
];

/// What kind of trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Short strikes apart from each other.
    IronCondor,
    /// Short strikes in one.
    IronButterfly,
}

impl Strategy {
    /// As clients see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IronCondor => "Iron Condor",
            Self::IronButterfly => "Iron Butterfly",
        }
    }
}

/// The four strikes of a trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strikes {
    /// The put that is bought.
    pub put_long: f64,
    /// The put that is sold.
    pub put_short: f64,
    /// The call that is sold.
    pub call_short: f64,
    /// The call that is bought.
    pub call_long: f64,
}

/// A trade that fits the day.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// How long it lasts.
    pub tenor: &'static str,
    /// What kind it is.
    pub strategy: Strategy,
    /// The delta of the options sold; none for a butterfly.
    pub short_delta: Option<f64>,
    /// The delta of those bought.
    pub long_delta: Option<f64>,
    /// The least credit worth taking.
    pub min_credit: Option<f64>,
    /// How far the price is expected to move.
    pub expected_move: f64,
    /// How far the long strikes are from the short ones.
    pub wings: f64,
    /// The short strike of a butterfly.
    pub center: Option<f64>,
    /// The strikes.
    pub strikes: Strikes,
    /// What is received, and the most that can be earned.
    pub credit: f64,
    /// The most that can be lost.
    pub max_loss: f64,
    /// The price below which it loses.
    pub breakeven_lower: f64,
    /// The price above which it loses.
    pub breakeven_upper: f64,
    /// The profit to take.
    pub profit_target: f64,
    /// The loss to take.
    pub stop_loss: f64,
    /// Why it was chosen.
    pub rationale: String,
    /// What to mind when opening it.
    pub note: String,
    /// What to mind afterwards.
    pub management_notes: &'static str,
}

/// The price that a day's trades start from: its latest one, or the middle of the band; none if it has neither.
pub fn current_price(fields: &DayFields) -> Option<f64> {
    let latest = [
        Checkpoint::Close,
        Checkpoint::TwoPm,
        Checkpoint::Noon,
        Checkpoint::Open,
        Checkpoint::PreMarket,
    ];
    let not_zero = |price: &f64| *price != 0.0;
    latest
        .into_iter()
        .find_map(|checkpoint| fields.price(checkpoint).filter(not_zero))
        .or_else(|| middle(fields))
}

fn middle(fields: &DayFields) -> Option<f64> {
    match (fields.low(), fields.high()) {
        (Some(low), Some(high)) if low != 0.0 && high != 0.0 => Some(f64::midpoint(low, high)),
        _ => None,
    }
}

/// The trades for a day at a positive price, given the share of recent days within their bands.
pub fn suggestions(fields: &DayFields, price: f64, hit_rate: f64) -> Vec<Suggestion> {
    let condor = fields.bias.as_deref() == Some("Neutral") && hit_rate >= TRUSTED_RATE;
    TENORS
        .iter()
        .map(|tenor| {
            if condor {
                iron_condor(*tenor, price, hit_rate)
            } else {
                iron_butterfly(*tenor, fields, price, hit_rate)
            }
        })
        .collect()
}

/// The strike next to a price, in whole dollars; halves go to the even one, and there is no zero below zero.
fn strike(price: f64) -> f64 {
    price.round_ties_even() + 0.0
}

fn iron_condor(tenor: Tenor, price: f64, hit_rate: f64) -> Suggestion {
    let year_share = f64::sqrt(tenor.days / 365.0);
    let distance = 2.5 * tenor.delta * VOLATILITY * year_share;
    let put_short = strike(price * (1.0 - distance));
    let call_short = strike(price * (1.0 + distance));
    let strikes = Strikes {
        put_long: put_short - tenor.wing,
        put_short,
        call_short,
        call_long: call_short + tenor.wing,
    };
    let credit = 0.30 * tenor.wing;
    let target = if tenor.name == "0DTE" { 0.25 } else { 0.40 };
    Suggestion {
        tenor: tenor.name,
        strategy: Strategy::IronCondor,
        short_delta: Some(tenor.delta),
        long_delta: Some(tenor.delta / 2.0),
        min_credit: Some(tenor.min_credit),
        expected_move: price * VOLATILITY * year_share,
        wings: tenor.wing,
        center: None,
        strikes,
        credit,
        max_loss: tenor.wing - credit,
        breakeven_lower: put_short - credit,
        breakeven_upper: call_short + credit,
        profit_target: target * credit,
        stop_loss: 2.0 * credit,
        rationale: format!(
            "Neutral bias, and {:.0}% of recent days stayed within their band",
            hit_rate * 100.0
        ),
        note: format!(
            "Buy the put at {:.0}, sell the put at {put_short:.0} and the call at {call_short:.0}, buy the call at {:.0}; \
             only for a credit of at least {:.2}",
            strikes.put_long, strikes.call_long, tenor.min_credit
        ),
        management_notes: tenor.condor,
    }
}

fn iron_butterfly(tenor: Tenor, fields: &DayFields, price: f64, hit_rate: f64) -> Suggestion {
    let expected_move = price * VOLATILITY * f64::sqrt(tenor.days / 365.0);
    let lean = match fields.bias.as_deref() {
        Some("Up") => 0.1 * expected_move,
        Some("Down") => -0.1 * expected_move,
        _ => 0.0,
    };
    let center = strike(middle(fields).unwrap_or(price) + lean);
    let wings = 0.75 * expected_move;
    let strikes = Strikes {
        put_long: strike(center - wings),
        put_short: center,
        call_short: center,
        call_long: strike(center + wings),
    };
    let credit = 0.40 * wings;
    let target = if tenor.name == "0DTE" { 0.15 } else { 0.25 };
    Suggestion {
        tenor: tenor.name,
        strategy: Strategy::IronButterfly,
        short_delta: None,
        long_delta: None,
        min_credit: None,
        expected_move,
        wings,
        center: Some(center),
        strikes,
        credit,
        max_loss: wings - credit,
        breakeven_lower: center - credit,
        breakeven_upper: center + credit,
        profit_target: target * credit,
        stop_loss: 1.5 * credit,
        rationale: format!(
            "{} bias, and {:.0}% of recent days stayed within their band; a condor takes a neutral bias and {:.0}%",
            fields.bias.as_deref().unwrap_or("None"),
            hit_rate * 100.0,
            TRUSTED_RATE * 100.0
        ),
        note: format!(
            "Sell put and call at the centre, {center:.0}; buy the wings, the put at {:.0} and the call at {:.0}",
            strikes.put_long, strikes.call_long
        ),
        management_notes: tenor.butterfly,
    }
}

/// What a trade is worth when the underlying ends at a price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfitPoint {
    /// The price.
    pub underlying: f64,
    /// All of it.
    pub total: f64,
    /// The puts.
    pub puts: f64,
    /// The calls.
    pub calls: f64,
}

impl Strikes {
    /// What the trade is worth at `price`, given what was received for it.
    pub fn profit(&self, price: f64, credit: f64) -> ProfitPoint {
        // Which zero `max` gives of two is left open, and zero less zero is to be zero.
        let above_zero = |value: f64| if value > 0.0 { value } else { 0.0 };
        let puts = above_zero(self.put_long - price) - above_zero(self.put_short - price);
        let calls = above_zero(price - self.call_long) - above_zero(price - self.call_short);
        ProfitPoint {
            underlying: price,
            total: credit + puts + calls,
            puts,
            calls,
        }
    }

    /// The curve from a little below the lowest strike to a little above the highest.
    pub fn curve(&self, credit: f64) -> Vec<ProfitPoint> {
        const POINTS: u32 = 50;
        let (first, last) = (self.put_long * 0.98, self.call_long * 1.02);
        let step = (last - first) / f64::from(POINTS - 1);
        (0..POINTS)
            .map(|number| self.profit(first + step * f64::from(number), credit))
            .collect()
    }

    /// The most that the trade can lose, as a negative number.
    pub fn max_loss(&self, credit: f64) -> f64 {
        let width = f64::min(self.put_short - self.put_long, self.call_long - self.call_short);
        -f64::abs(width - credit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) -> bool {
        f64::abs(left - right) < 1e-9
    }

    fn day(bias: Option<&str>, low: f64, high: f64) -> DayFields {
        DayFields {
            bias: bias.map(str::to_owned),
            pred_low: Some(low.into()),
            pred_high: Some(high.into()),
            ..DayFields::default()
        }
    }

    #[test]
    fn the_price_is_the_latest_that_is_not_zero() {
        let mut fields = day(None, 600.0, 610.0);
        assert_eq!(current_price(&fields), Some(605.0));
        fields.pre_market = Some(601.0.into());
        fields.close = Some(0.0.into());
        assert_eq!(current_price(&fields), Some(601.0));
        fields.noon = Some(602.0.into());
        assert_eq!(current_price(&fields), Some(602.0));
        assert_eq!(current_price(&day(None, 0.0, 610.0)), None);
        assert_eq!(current_price(&DayFields::default()), None);
    }

    #[test]
    fn a_trusted_neutral_day_gets_condors() {
        let all = suggestions(&day(Some("Neutral"), 600.0, 610.0), 600.0, 0.65);
        let first = &all[0];
        assert_eq!(first.strategy, Strategy::IronCondor);
        // 600 · (1 ∓ 2.5 · .12 · .15 · √(1/365)) = 598.59 and 601.41
        assert_eq!(
            first.strikes,
            Strikes {
                put_long: 594.0,
                put_short: 599.0,
                call_short: 601.0,
                call_long: 606.0
            }
        );
        assert_eq!((first.credit, first.max_loss, first.center), (1.5, 3.5, None));
        assert!(near(first.profit_target, 0.375));
        assert_eq!(
            all.iter().map(|one| one.tenor).collect::<Vec<_>>(),
            ["0DTE", "1W", "1M"]
        );
        let doubted = suggestions(&day(Some("Neutral"), 600.0, 610.0), 600.0, 0.64);
        assert_eq!(doubted[0].strategy, Strategy::IronButterfly);
    }

    #[test]
    fn other_days_get_butterflies_that_lean_with_the_bias() {
        let center = |bias| {
            suggestions(&day(bias, 600.0, 611.0), 600.0, 1.0)[2]
                .center
                .unwrap()
        };
        // The middle is 605.5: halves are rounded to the even dollar.
        assert!(near(center(None), 606.0));
        assert!(near(center(Some("Up")), 608.0));
        assert!(near(center(Some("Down")), 603.0));
        let none = &suggestions(&day(None, 600.0, 611.0), 600.0, 1.0)[0];
        assert!(none.rationale.starts_with("None"));
        assert_eq!(none.min_credit, None);
    }

    #[test]
    fn texts_tell_the_strikes_the_rate_and_what_the_tenor_asks_for() {
        let condors = suggestions(&day(Some("Neutral"), 600.0, 610.0), 600.0, 0.65);
        let condor = &condors[0];
        assert_eq!(
            condor.note,
            "Buy the put at 594, sell the put at 599 and the call at 601, buy the call at 606; only for a credit of at \
             least 0.30"
        );
        assert!(condor.rationale.contains("65%"), "{}", condor.rationale);
        let butterflies = suggestions(&day(Some("Up"), 600.0, 611.0), 600.0, 0.5);
        let butterfly = &butterflies[2];
        assert_eq!(
            butterfly.note,
            "Sell put and call at the centre, 608; buy the wings, the put at 589 and the call at 627"
        );
        assert!(
            butterfly.rationale.starts_with("Up bias, and 50%"),
            "{}",
            butterfly.rationale
        );
        let mut advice: Vec<&str> = condors
            .iter()
            .chain(&butterflies)
            .map(|one| one.management_notes)
            .collect();
        advice.sort_unstable();
        advice.dedup();
        assert_eq!(advice.len(), 6);
    }

    #[test]
    fn no_zero_is_below_zero() {
        for bias in [None, Some("Down")] {
            let fields = DayFields {
                bias: bias.map(str::to_owned),
                ..DayFields::default()
            };
            for trade in suggestions(&fields, 0.01, 0.0) {
                let strikes = trade.strikes;
                for strike in [strikes.put_long, strikes.put_short, strikes.call_long] {
                    assert_eq!(strike.to_bits(), 0.0_f64.to_bits(), "{trade:?}");
                }
                for point in strikes.curve(trade.credit) {
                    assert!(point.underlying.is_sign_positive(), "{point:?}");
                    assert!(point.puts.is_sign_positive(), "{point:?}");
                }
            }
        }
    }

    #[test]
    fn profits_are_bounded_by_the_wings() {
        let strikes = Strikes {
            put_long: 590.0,
            put_short: 595.0,
            call_short: 605.0,
            call_long: 610.0,
        };
        assert!(near(strikes.profit(600.0, 1.5).total, 1.5));
        assert!(near(strikes.profit(500.0, 1.5).total, -3.5));
        assert!(near(strikes.profit(607.0, 1.5).calls, -2.0));
        assert!(near(strikes.max_loss(1.5), -3.5));
        let curve = strikes.curve(1.5);
        assert_eq!(curve.len(), 50);
        assert!((curve[49].underlying - 622.2).abs() < 1e-9);
    }
}
