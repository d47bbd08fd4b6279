//! What a model predicted for the moments of a day.

use super::Checkpoint;
use super::daily_prediction::BrokenRule;
use super::day::Day;
use crate::stored::Stored;
use crate::time::Timestamp;

/// A model's prediction, as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct AiPrediction {
    /// The row's number.
    pub id: i64,
    /// What was predicted.
    pub fields: AiFields,
    /// When it was stored.
    pub created_at: Option<Stored<Timestamp>>,
    /// When a value of it last changed; none if none ever did.
    pub updated_at: Option<Stored<Timestamp>>,
}

/// A prediction of one price.
#[derive(Debug, Clone, PartialEq)]
pub struct AiFields {
    /// The day.
    pub day: Stored<Day>,
    /// The moment; one row for each, except in old files.
    pub checkpoint: Stored<Checkpoint>,
    /// The price.
    pub predicted_price: Stored<f64>,
    /// How sure the model is, 0 to 1.
    pub confidence: Stored<f64>,
    /// Why.
    pub reasoning: Option<String>,
    /// What the market was like.
    pub market_context: Option<String>,
    /// What the price became.
    pub actual_price: Option<Stored<f64>>,
    /// How far the prediction was from it.
    pub prediction_error: Option<Stored<f64>>,
    /// The lower end of the 68 % band.
    pub interval_low: Option<Stored<f64>>,
    /// Its upper end.
    pub interval_high: Option<Stored<f64>>,
    /// Whether the price lay in it; nothing sets it.
    pub interval_hit: Option<Stored<bool>>,
    /// What made it: `llm`, `baseline`, `emergency`.
    pub source: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// Which version of the question.
    pub prompt_version: Option<String>,
}

/// The confidence is a probability.
pub const CONFIDENCE_RANGE: BrokenRule = BrokenRule {
    constraint: "chk_confidence_range",
    rule: "confidence must be from 0 to 1",
};

impl AiFields {
    /// The rule that the row breaks, if it does.
    pub fn check(&self) -> Result<(), BrokenRule> {
        match self.confidence.known() {
            Some(confidence) if !(0.0..=1.0).contains(confidence) => Err(CONFIDENCE_RANGE),
            _ => Ok(()),
        }
    }

    /// How far a price is from the predicted one.
    pub fn error_against(&self, actual: f64) -> Option<f64> {
        self.predicted_price
            .known()
            .map(|predicted| f64::abs(predicted - actual))
    }
}

/// The newest row of each predicted moment, in the order of the day; `rows` come newest first.
pub fn one_per_checkpoint(rows: &[AiPrediction]) -> Vec<&AiPrediction> {
    Checkpoint::PREDICTED
        .iter()
        .filter_map(|checkpoint| {
            rows.iter()
                .find(|row| row.fields.checkpoint.known() == Some(checkpoint))
        })
        .collect()
}

/// Which scored predictions are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScoredFilter {
    /// From this day on.
    pub from: Option<Day>,
    /// Up to this day.
    pub to: Option<Day>,
    /// Of this source.
    pub source: Option<String>,
    /// Of this moment, whatever it is called.
    pub checkpoint: Option<String>,
}

/// Predictions of one moment of one day of which there should be one.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicateGroup {
    /// The day, as it is stored.
    pub day: String,
    /// The moment, as it is stored.
    pub checkpoint: String,
    /// The rows' numbers, ascending.
    pub ids: Vec<i64>,
    /// When the first was stored, as far as that is known.
    pub first_created: Option<Timestamp>,
    /// When the last was stored.
    pub last_created: Option<Timestamp>,
}

impl DuplicateGroup {
    /// Of rows of one moment of one day (day, moment, number, time), in the order of their numbers; `None` of none.
    pub fn of(rows: &[(String, String, i64, Option<Stored<Timestamp>>)]) -> Option<Self> {
        let (day, checkpoint, ..) = rows.first()?;
        let times = || rows.iter().filter_map(|row| row.3.as_ref()?.known().copied());
        Some(Self {
            day: day.clone(),
            checkpoint: checkpoint.clone(),
            ids: rows.iter().map(|row| row.2).collect(),
            first_created: times().min(),
            last_created: times().max(),
        })
    }
}

/// What an old file holds twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DuplicateAnalysis {
    /// How many predictions there are.
    pub total: u64,
    /// How many moments of days they are of.
    pub distinct: u64,
    /// Those that have several, the newest day first, then by moment.
    pub groups: Vec<DuplicateGroup>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, checkpoint: Checkpoint) -> AiPrediction {
        AiPrediction {
            id,
            fields: AiFields {
                day: Day::parse("2025-08-11").unwrap().into(),
                checkpoint: checkpoint.into(),
                predicted_price: 637.536_985_534_666_9.into(),
                confidence: 0.7.into(),
                reasoning: None,
                market_context: None,
                actual_price: None,
                prediction_error: None,
                interval_low: None,
                interval_high: None,
                interval_hit: None,
                source: None,
                model: None,
                prompt_version: None,
            },
            created_at: None,
            updated_at: None,
        }
    }

    #[test]
    fn the_first_of_each_moment_is_kept_in_the_order_of_the_day() {
        let rows = [
            row(4, Checkpoint::Close),
            row(3, Checkpoint::Open),
            row(2, Checkpoint::Open),
            row(1, Checkpoint::PreMarket),
        ];
        let ids: Vec<i64> = one_per_checkpoint(&rows).iter().map(|row| row.id).collect();
        assert_eq!(ids, [3, 4]);
    }

    #[test]
    fn a_confidence_is_a_probability() {
        let mut fields = row(1, Checkpoint::Open).fields;
        assert_eq!(fields.check(), Ok(()));
        for confidence in [-0.1, 1.1, f64::NAN] {
            fields.confidence = confidence.into();
            assert_eq!(fields.check(), Err(CONFIDENCE_RANGE));
        }
        assert_eq!(fields.error_against(630.0), Some(637.536_985_534_666_9 - 630.0));
    }
}
