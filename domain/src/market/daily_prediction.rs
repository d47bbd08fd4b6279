//! The prediction for a day, the prices of the day, and what may be done to them.

use super::Checkpoint;
use super::day::Day;
use crate::stored::Stored;
use crate::time::Timestamp;

/// A day's row, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct DailyPrediction {
    /// The row's number.
    pub id: i64,
    /// The day; at most one row has it.
    pub day: Stored<Day>,
    /// Everything that clients may set.
    pub fields: DayFields,
    /// When the row was made.
    pub created_at: Option<Stored<Timestamp>>,
    /// When a value of it last changed; none if none ever did.
    pub updated_at: Option<Stored<Timestamp>>,
}

/// What a day's row holds besides its day. Everything may be missing; texts are free.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DayFields {
    /// The price before the market opens.
    pub pre_market: Option<Stored<f64>>,
    /// The lower end of the predicted band.
    pub pred_low: Option<Stored<f64>>,
    /// Its upper end.
    pub pred_high: Option<Stored<f64>>,
    /// Where the day is thought to go; the application's own page says Up, Neutral or Down.
    pub bias: Option<String>,
    /// How volatile it is thought to be.
    pub vol_ctx: Option<String>,
    /// What kind of day it is thought to be.
    pub day_type: Option<String>,
    /// Levels to watch, in any notation.
    pub key_levels: Option<String>,
    /// Notes.
    pub notes: Option<String>,
    /// The price at the opening.
    pub open: Option<Stored<f64>>,
    /// The price at noon.
    pub noon: Option<Stored<f64>>,
    /// The price at two in the afternoon.
    pub two_pm: Option<Stored<f64>>,
    /// The price at the close.
    pub close: Option<Stored<f64>>,
    /// The day's lowest price.
    pub realized_low: Option<Stored<f64>>,
    /// The day's highest price.
    pub realized_high: Option<Stored<f64>>,
    /// Whether the close lay in the band.
    pub range_hit: Option<Stored<bool>>,
    /// How far the close was from the middle of the band.
    pub abs_error_to_close: Option<Stored<f64>>,
    /// Who made the prediction.
    pub source: Option<String>,
    /// Whether a model may no longer change it.
    pub locked: Option<Stored<bool>>,
}

/// A price that was seen. Logs are only ever added to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PriceLog {
    /// When in the day.
    pub checkpoint: Checkpoint,
    /// The price.
    pub price: f64,
}

/// The price of each predicted moment, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DayPrices {
    /// At the opening.
    pub open: Option<f64>,
    /// At noon.
    pub noon: Option<f64>,
    /// At two in the afternoon.
    pub two_pm: Option<f64>,
    /// At the close.
    pub close: Option<f64>,
}

/// What can happen to a day. Each happens wholly or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum DayChange {
    /// Every field becomes what is given, what is missing included.
    Replace(Box<DayFields>),
    /// A client tells a price.
    Record(PriceLog),
    /// A job saw a price. The outcome of the day is not derived from it: that is left to whoever completes the day.
    Capture(PriceLog),
    /// The outcome is derived anew from what the row holds.
    Recompute,
    /// Prices fill what is missing, or everything if `force`d; no logs.
    FillActuals {
        /// The prices.
        prices: DayPrices,
        /// Whether known prices are replaced.
        force: bool,
    },
    /// Official prices fill what is missing, or everything if `force`d; each is logged.
    Official {
        /// The prices.
        prices: DayPrices,
        /// Whether known prices are replaced.
        force: bool,
    },
    /// All four prices, logged nowhere.
    Backfill(DayPrices),
    /// A model's band, which locks the day; a locked day refuses it.
    Band {
        /// The lower end.
        low: f64,
        /// The upper end.
        high: f64,
    },
}

/// What a change does to a day.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The row becomes this one, new or changed or just as it was, and these logs are added.
    Write {
        /// The row's fields.
        fields: Box<DayFields>,
        /// When it last changed.
        updated_at: Option<Stored<Timestamp>>,
        /// What is logged.
        logs: Vec<PriceLog>,
    },
    /// There is no row, and this change makes none.
    Missing,
    /// The row is locked.
    Locked,
}

/// A rule of the store that a row would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{constraint}: {rule}")]
pub struct BrokenRule {
    /// The rule's name in the database.
    pub constraint: &'static str,
    /// The rule in words.
    pub rule: &'static str,
}

/// Prices are positive, where they are known. The price before the market and the realized ones have no rule.
pub const POSITIVE_PRICES: BrokenRule = BrokenRule {
    constraint: "chk_positive_prices",
    rule: "predLow, predHigh, open, noon, twoPM and close must be above 0",
};
/// The band is the right way up.
pub const PREDICTION_RANGE: BrokenRule = BrokenRule {
    constraint: "chk_prediction_range",
    rule: "predLow must not be above predHigh",
};
/// A logged price is positive.
pub const POSITIVE_PRICE: BrokenRule = BrokenRule {
    constraint: "chk_positive_price",
    rule: "price must be above 0",
};

fn number(value: Option<&Stored<f64>>) -> Option<f64> {
    value.and_then(Stored::known).copied()
}

impl DayPrices {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The price of a moment.
    pub fn get(&self, checkpoint: Checkpoint) -> Option<f64> {
        match checkpoint {
            Checkpoint::PreMarket => None,
            Checkpoint::Open => self.open,
            Checkpoint::Noon => self.noon,
            Checkpoint::TwoPm => self.two_pm,
            Checkpoint::Close => self.close,
        }
    }

    /// Those that a day with these fields takes: the ones that it lacks, or all if `force`d.
    #[must_use]
    pub fn taken_by(&self, fields: &DayFields, force: bool) -> Self {
        let mut taken = Self::default();
        for checkpoint in Checkpoint::PREDICTED {
            if force || fields.stored_price(checkpoint).is_none() {
                taken.set(checkpoint, self.get(checkpoint));
            }
        }
        taken
    }

    /// Sets the price of a predicted moment.
    pub fn set(&mut self, checkpoint: Checkpoint, price: Option<f64>) {
        match checkpoint {
            Checkpoint::PreMarket => {}
            Checkpoint::Open => self.open = price,
            Checkpoint::Noon => self.noon = price,
            Checkpoint::TwoPm => self.two_pm = price,
            Checkpoint::Close => self.close = price,
        }
    }
}

impl DayFields {
    /// The price of a moment, if it is a number.
    pub fn price(&self, checkpoint: Checkpoint) -> Option<f64> {
        number(self.stored_price(checkpoint))
    }

    /// The price of a moment, whatever is stored there.
    pub fn stored_price(&self, checkpoint: Checkpoint) -> Option<&Stored<f64>> {
        match checkpoint {
            Checkpoint::PreMarket => self.pre_market.as_ref(),
            Checkpoint::Open => self.open.as_ref(),
            Checkpoint::Noon => self.noon.as_ref(),
            Checkpoint::TwoPm => self.two_pm.as_ref(),
            Checkpoint::Close => self.close.as_ref(),
        }
    }

    fn set_price(&mut self, log: PriceLog) {
        let field = match log.checkpoint {
            Checkpoint::PreMarket => &mut self.pre_market,
            Checkpoint::Open => &mut self.open,
            Checkpoint::Noon => &mut self.noon,
            Checkpoint::TwoPm => &mut self.two_pm,
            Checkpoint::Close => &mut self.close,
        };
        *field = Some(log.price.into());
    }

    /// The lower end of the band, if it is a number.
    pub fn low(&self) -> Option<f64> {
        number(self.pred_low.as_ref())
    }

    /// The upper end.
    pub fn high(&self) -> Option<f64> {
        number(self.pred_high.as_ref())
    }

    /// Derives the outcome, once the close and the band are known; before that it stays as it is.
    fn derive(&mut self) {
        let (Some(close), Some(high), Some(low)) = (self.price(Checkpoint::Close), self.high(), self.low())
        else {
            return;
        };
        self.abs_error_to_close = Some(f64::abs(close - f64::midpoint(high, low)).into());
        self.range_hit = Some((low <= close && close <= high).into());
    }

    /// The rule that the row breaks, if it does. Old files hold rows that do; nothing new may.
    pub fn check(&self) -> Result<(), BrokenRule> {
        self.check_since(&Self::default())
    }

    /// The rule that the row breaks by what it holds other than `before`, if it does. What it broke already is left to whoever mends it.
    fn check_since(&self, before: &Self) -> Result<(), BrokenRule> {
        let prices = [
            (&self.pred_low, &before.pred_low),
            (&self.pred_high, &before.pred_high),
            (&self.open, &before.open),
            (&self.noon, &before.noon),
            (&self.two_pm, &before.two_pm),
            (&self.close, &before.close),
        ];
        let positive = |value: &Option<Stored<f64>>| number(value.as_ref()).is_none_or(|price| price > 0.0);
        if !prices
            .into_iter()
            .all(|(price, before)| price == before || positive(price))
        {
            return Err(POSITIVE_PRICES);
        }
        let is_band_new = (&self.pred_low, &self.pred_high) != (&before.pred_low, &before.pred_high);
        match (self.low(), self.high()) {
            (Some(low), Some(high)) if is_band_new && low > high => Err(PREDICTION_RANGE),
            _ => Ok(()),
        }
    }
}

impl DayChange {
    /// What the change does to `row`, or to a day that has none, at the instant `now`.
    pub fn apply(&self, row: Option<&DailyPrediction>, now: Timestamp) -> Result<Effect, BrokenRule> {
        let mut fields = row.map_or_else(DayFields::default, |row| row.fields.clone());
        // The original program stores a new row before it fills these in, so they count as changes of it.
        let mut counts_as_change = false;
        let mut logs = Vec::new();
        match self {
            Self::Replace(given) => {
                fields = (**given).clone();
                fields.derive();
            }
            Self::Record(log) => {
                fields.set_price(*log);
                fields.derive();
                logs.push(*log);
            }
            Self::Capture(log) => {
                fields.set_price(*log);
                logs.push(*log);
                counts_as_change = true;
            }
            Self::Recompute => {
                if row.is_none() {
                    return Ok(Effect::Missing);
                }
                fields.derive();
            }
            Self::FillActuals { prices, .. } if prices.is_empty() => {
                if row.is_none() {
                    return Ok(Effect::Missing);
                }
            }
            Self::FillActuals { prices, force } => {
                fields.fill(prices, *force);
                counts_as_change = true;
            }
            Self::Official { prices, force } => {
                logs = fields.fill(prices, *force);
                fields.derive();
                counts_as_change = !logs.is_empty();
            }
            Self::Backfill(prices) => {
                fields.fill(prices, true);
                fields.derive();
            }
            Self::Band { low, high } => {
                if fields.locked == Some(true.into()) {
                    return Ok(Effect::Locked);
                }
                fields.pred_low = Some((*low).into());
                fields.pred_high = Some((*high).into());
                fields.source = Some("ai".to_owned());
                fields.locked = Some(true.into());
            }
        }
        if row.is_none() {
            // A new row knows whether it is locked and hit; an existing one may be told to forget it.
            fields.range_hit.get_or_insert(false.into());
            fields.locked.get_or_insert(false.into());
        }
        match row {
            None => fields.check()?,
            Some(row) => fields.check_since(&row.fields)?,
        }
        if logs.iter().any(|log| log.price.is_nan() || log.price <= 0.0) {
            return Err(POSITIVE_PRICE);
        }
        let updated_at = match row {
            None if counts_as_change => Some(now.into()),
            None => None,
            Some(row) if row.fields == fields => row.updated_at.clone(),
            Some(_) => Some(now.into()),
        };
        Ok(Effect::Write {
            fields: Box::new(fields),
            updated_at,
            logs,
        })
    }
}

impl DayFields {
    /// Sets the prices that are known and wanted; which these were, in the order in which the original logs them.
    fn fill(&mut self, prices: &DayPrices, force: bool) -> Vec<PriceLog> {
        let order = [
            Checkpoint::Open,
            Checkpoint::Close,
            Checkpoint::Noon,
            Checkpoint::TwoPm,
        ];
        let taken = prices.taken_by(self, force);
        let mut set = Vec::new();
        for checkpoint in order {
            if let Some(price) = taken.get(checkpoint) {
                let log = PriceLog { checkpoint, price };
                self.set_price(log);
                set.push(log);
            }
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_754_928_000_000_000).unwrap()
    }

    fn row(fields: DayFields) -> DailyPrediction {
        DailyPrediction {
            id: 1,
            day: Day::parse("2025-08-11").unwrap().into(),
            fields,
            created_at: Some(Timestamp::EPOCH.into()),
            updated_at: None,
        }
    }

    fn band(low: f64, high: f64) -> DayFields {
        DayFields {
            pred_low: Some(low.into()),
            pred_high: Some(high.into()),
            ..DayFields::default()
        }
    }

    fn log(checkpoint: Checkpoint, price: f64) -> PriceLog {
        PriceLog { checkpoint, price }
    }

    fn written(
        change: &DayChange,
        row: Option<&DailyPrediction>,
    ) -> (DayFields, Option<Stored<Timestamp>>, Vec<PriceLog>) {
        match change.apply(row, now()).unwrap() {
            Effect::Write {
                fields,
                updated_at,
                logs,
            } => (*fields, updated_at, logs),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_row_is_neither_hit_nor_locked_and_an_old_one_may_forget() {
        let replace = DayChange::Replace(Box::new(band(600.0, 610.0)));
        let (fields, updated_at, logs) = written(&replace, None);
        assert_eq!(fields.range_hit, Some(false.into()));
        assert_eq!(fields.locked, Some(false.into()));
        assert_eq!((updated_at, logs), (None, vec![]));
        let (fields, updated_at, _) = written(&replace, Some(&row(fields)));
        assert_eq!((fields.range_hit, fields.locked), (None, None));
        assert_eq!(updated_at, Some(now().into()));
    }

    #[test]
    fn nothing_changed_is_no_change() {
        let replace = DayChange::Replace(Box::new(band(600.0, 610.0)));
        let stored = row(band(600.0, 610.0));
        assert_eq!(written(&replace, Some(&stored)).1, None);
        assert_eq!(written(&DayChange::Recompute, Some(&stored)).1, None);
    }

    #[test]
    fn the_outcome_is_derived_when_close_and_band_are_known() {
        let close = DayChange::Record(log(Checkpoint::Close, 585.75));
        let (fields, _, logs) = written(&close, Some(&row(band(580.5, 585.75))));
        assert_eq!(fields.range_hit, Some(true.into()));
        assert_eq!(fields.abs_error_to_close, Some(2.625.into()));
        assert_eq!(logs, [log(Checkpoint::Close, 585.75)]);
        let (fields, ..) = written(&close, None);
        assert_eq!(
            (fields.range_hit, fields.abs_error_to_close),
            (Some(false.into()), None)
        );
        // A job's price leaves the outcome as it was.
        let (fields, updated_at, _) = written(&DayChange::Capture(log(Checkpoint::Close, 585.0)), None);
        assert_eq!(fields.abs_error_to_close, None);
        assert_eq!(updated_at, Some(now().into()));
    }

    #[test]
    fn what_is_known_is_filled_in_only_by_force() {
        let prices = DayPrices {
            open: Some(1.5),
            close: Some(2.5),
            ..DayPrices::default()
        };
        let stored = row(DayFields {
            open: Some(9.0.into()),
            ..DayFields::default()
        });
        let official = |force| DayChange::Official { prices, force };
        let (fields, _, logs) = written(&official(false), Some(&stored));
        assert_eq!(
            (fields.price(Checkpoint::Open), logs),
            (Some(9.0), vec![log(Checkpoint::Close, 2.5)])
        );
        let (fields, _, logs) = written(&official(true), Some(&stored));
        assert_eq!(fields.price(Checkpoint::Open), Some(1.5));
        assert_eq!(logs, [log(Checkpoint::Open, 1.5), log(Checkpoint::Close, 2.5)]);
        let nothing = DayChange::FillActuals {
            prices: DayPrices::default(),
            force: true,
        };
        assert_eq!(nothing.apply(None, now()), Ok(Effect::Missing));
        assert_eq!(DayChange::Recompute.apply(None, now()), Ok(Effect::Missing));
    }

    #[test]
    fn a_band_locks_the_day_once() {
        let change = DayChange::Band { low: 1.0, high: 2.0 };
        let (fields, updated_at, _) = written(&change, None);
        assert_eq!((fields.source.as_deref(), updated_at), (Some("ai"), None));
        assert_eq!(change.apply(Some(&row(fields)), now()), Ok(Effect::Locked));
    }

    #[test]
    fn nothing_new_breaks_a_rule() {
        let replace = |fields| DayChange::Replace(Box::new(fields)).apply(None, now());
        assert_eq!(replace(band(-5.0, 1.0)), Err(POSITIVE_PRICES));
        assert_eq!(replace(band(0.0, 1.0)), Err(POSITIVE_PRICES));
        assert_eq!(replace(band(2.0, 1.0)), Err(PREDICTION_RANGE));
        assert!(replace(band(1.0, 1.0)).is_ok());
        let capture = DayChange::Capture(log(Checkpoint::PreMarket, -1.0));
        assert_eq!(capture.apply(None, now()), Err(POSITIVE_PRICE));
        let premarket = DayFields {
            pre_market: Some((-1.0).into()),
            ..DayFields::default()
        };
        assert!(replace(premarket).is_ok());
    }

    #[test]
    fn a_change_answers_for_what_it_changes() {
        let broken = row(DayFields {
            open: Some((-1.0).into()),
            ..band(600.0, 500.0)
        });
        let result = |change: DayChange| change.apply(Some(&broken), now()).map(drop);
        assert_eq!(result(DayChange::Record(log(Checkpoint::Close, 550.0))), Ok(()));
        assert_eq!(result(DayChange::Capture(log(Checkpoint::Noon, 550.0))), Ok(()));
        assert_eq!(result(DayChange::Recompute), Ok(()));
        let noted = DayFields {
            notes: Some("upside down".to_owned()),
            ..broken.fields.clone()
        };
        assert_eq!(result(DayChange::Replace(Box::new(noted.clone()))), Ok(()));
        assert_eq!(noted.check(), Err(POSITIVE_PRICES));
        // Another value that breaks the rule is no better, and one end of a band is a change of the band.
        let open = DayChange::Record(log(Checkpoint::Open, -2.0));
        assert_eq!(result(open), Err(POSITIVE_PRICES));
        let raised = DayFields {
            pred_high: Some(550.0.into()),
            ..broken.fields.clone()
        };
        let replace = DayChange::Replace(Box::new(raised));
        assert_eq!(result(replace), Err(PREDICTION_RANGE));
        assert_eq!(result(DayChange::Band { low: 1.0, high: 2.0 }), Ok(()));
    }
}
