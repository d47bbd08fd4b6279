//! How good predictions were, as the original counts it.

use std::collections::BTreeMap;

use super::Checkpoint;
use super::ai_prediction::AiPrediction;
use super::daily_prediction::DailyPrediction;
use super::day::Day;
use crate::stored::{Stored, StoredValue, TextEnum};

/// The figures of the last days.
#[derive(Debug, Clone, PartialEq)]
pub struct DayMetrics {
    /// How many days.
    pub days: usize,
    /// The share of days whose close lay in the band.
    pub hit_rate: Option<f64>,
    /// The median distance of the close from the middle of the band.
    pub median_error: Option<f64>,
    /// What to do about the band.
    pub tip: &'static str,
    /// A to F, or `N/A`.
    pub grade: &'static str,
    /// Where it is going; none with fewer than ten days.
    pub trend: Option<&'static str>,
}

impl DayMetrics {
    /// Of the last days, the newest first.
    pub fn of(rows: &[DailyPrediction]) -> Self {
        if rows.is_empty() {
            return Self {
                days: 0,
                hit_rate: None,
                median_error: None,
                tip: "No predictions yet: enter a band for today and its figures will appear here.",
                grade: "N/A",
                trend: None,
            };
        }
        let rate = hit_share(rows);
        let errors = rows
            .iter()
            .filter_map(|row| known(row.fields.abs_error_to_close.as_ref()));
        Self {
            days: rows.len(),
            hit_rate: Some(rate),
            median_error: median(errors.collect()),
            tip: tip(rows.len(), rate),
            grade: grade(rate),
            trend: trend(rows),
        }
    }
}

/// The share of `rows` that were hit, those that are not decided included.
pub fn hit_share(rows: &[DailyPrediction]) -> f64 {
    let hits = rows
        .iter()
        .filter(|row| row.fields.range_hit == Some(Stored::Known(true)))
        .count();
    if rows.is_empty() {
        0.0
    } else {
        hits as f64 / rows.len() as f64
    }
}

fn known(value: Option<&Stored<f64>>) -> Option<f64> {
    value.and_then(Stored::known).copied()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len(), values.len() % 2) {
        (0, _) => None,
        (_, 0) => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

fn grade(rate: f64) -> &'static str {
    match rate {
        rate if rate >= 0.8 => "A",
        rate if rate >= 0.7 => "B",
        rate if rate >= 0.6 => "C",
        rate if rate >= 0.5 => "D",
        _ => "F",
    }
}

fn tip(days: usize, rate: f64) -> &'static str {
    if days < 5 {
        "Keep going: the figures need at least five days."
    } else if rate < 0.45 {
        "Widen the band by 15-20%."
    } else if rate < 0.55 {
        "Widen the band by 10%."
    } else if rate > 0.75 {
        "Tighten the band by 5-10%."
    } else {
        "The band is well calibrated."
    }
}

fn trend(rows: &[DailyPrediction]) -> Option<&'static str> {
    let (newest, before) = (rows.get(..5)?, rows.get(5..10)?);
    let change = hit_share(newest) - hit_share(before);
    Some(if change > 0.2 {
        "📈 Improving"
    } else if change < -0.2 {
        "📉 Declining"
    } else {
        "➡️ Stable"
    })
}

/// A prediction whose price is known.
#[derive(Debug, Clone)]
pub struct Scored<'a> {
    /// The row.
    pub row: &'a AiPrediction,
    /// How far it was off.
    pub error: f64,
}

/// The predictions among `rows` that can be scored, with their errors. The stored error counts where `prefer_stored`,
/// and is made up for where an old row has none.
pub fn scored(rows: &[AiPrediction], prefer_stored: bool) -> Vec<Scored<'_>> {
    rows.iter()
        .filter_map(|row| {
            let actual = known(row.fields.actual_price.as_ref())?;
            let stored = known(row.fields.prediction_error.as_ref()).filter(|_| prefer_stored);
            let error = stored.or_else(|| row.fields.error_against(actual))?;
            Some(Scored { row, error })
        })
        .collect()
}

/// Figures of a set of scored predictions.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorFigures {
    /// How many.
    pub count: usize,
    /// The mean absolute error.
    pub mae: f64,
    /// The root of the mean squared error.
    pub rmse: f64,
    /// The share within a dollar.
    pub within_1: f64,
    /// The share within two.
    pub within_2: f64,
    /// The share of prices that lay in the predicted interval, of the rows that have one.
    pub interval_coverage: Option<f64>,
    /// The mean confidence.
    pub confidence: Option<f64>,
}

impl ErrorFigures {
    /// Of these; `None` of none.
    pub fn of(rows: &[&Scored<'_>]) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let count = rows.len() as f64;
        let share = |limit: f64| rows.iter().filter(|row| row.error <= limit).count() as f64 / count;
        let covered: Vec<bool> = rows.iter().filter_map(|row| row.is_covered()).collect();
        let confidences: Vec<f64> = rows
            .iter()
            .filter_map(|row| row.row.fields.confidence.known().copied())
            .collect();
        Some(Self {
            count: rows.len(),
            mae: rows.iter().map(|row| row.error).sum::<f64>() / count,
            rmse: f64::sqrt(rows.iter().map(|row| row.error * row.error).sum::<f64>() / count),
            within_1: share(1.0),
            within_2: share(2.0),
            interval_coverage: (!covered.is_empty())
                .then(|| covered.iter().filter(|hit| **hit).count() as f64 / covered.len() as f64),
            confidence: (!confidences.is_empty())
                .then(|| confidences.iter().sum::<f64>() / confidences.len() as f64),
        })
    }
}

impl Scored<'_> {
    /// Whether the price lay in the predicted interval; `None` without one.
    fn is_covered(&self) -> Option<bool> {
        let fields = &self.row.fields;
        let actual = known(fields.actual_price.as_ref())?;
        let (low, high) = (
            known(fields.interval_low.as_ref())?,
            known(fields.interval_high.as_ref())?,
        );
        Some(low <= actual && actual <= high)
    }

    /// The day.
    pub fn day(&self) -> Option<Day> {
        self.row.fields.day.known().copied()
    }
}

/// The figures of each predicted moment that occurs, in the order of the day.
pub fn by_checkpoint(rows: &[Scored<'_>]) -> Vec<(&'static str, ErrorFigures)> {
    Checkpoint::PREDICTED
        .iter()
        .filter_map(|checkpoint| {
            let of: Vec<&Scored<'_>> = rows
                .iter()
                .filter(|row| row.row.fields.checkpoint.known() == Some(checkpoint))
                .collect();
            Some((checkpoint.as_str(), ErrorFigures::of(&of)?))
        })
        .collect()
}

/// The figures of each moment that occurs, whatever it is called: the predicted ones in the order of the day, then the others by
/// name.
pub fn by_any_checkpoint(rows: &[Scored<'_>]) -> Vec<(String, ErrorFigures)> {
    let mut named: BTreeMap<(usize, String), Vec<&Scored<'_>>> = BTreeMap::new();
    for row in rows {
        let checkpoint = &row.row.fields.checkpoint;
        let place = Checkpoint::PREDICTED
            .iter()
            .position(|predicted| checkpoint.known() == Some(predicted));
        let key = (
            place.unwrap_or(Checkpoint::PREDICTED.len()),
            checkpoint_name(checkpoint),
        );
        named.entry(key).or_default().push(row);
    }
    named
        .into_iter()
        .filter_map(|((_, name), rows)| Some((name, ErrorFigures::of(&rows)?)))
        .collect()
}

fn checkpoint_name(checkpoint: &Stored<Checkpoint>) -> String {
    match checkpoint {
        Stored::Known(checkpoint) => checkpoint.as_str().to_owned(),
        Stored::Other(StoredValue::Text(text)) => text.clone(),
        Stored::Other(StoredValue::Integer(number)) => number.to_string(),
        Stored::Other(StoredValue::Real(number)) => number.to_string(),
        Stored::Other(StoredValue::Blob(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Stored::Other(StoredValue::Null) => "null".to_owned(),
    }
}

/// The figures of each source that occurs, by name; an empty one is none.
pub fn by_source(rows: &[Scored<'_>]) -> Vec<(String, ErrorFigures)> {
    let mut sources: BTreeMap<&str, Vec<&Scored<'_>>> = BTreeMap::new();
    for row in rows {
        if let Some(source) = row.row.fields.source.as_ref().filter(|source| !source.is_empty()) {
            sources.entry(source).or_default().push(row);
        }
    }
    sources
        .into_iter()
        .filter_map(|(source, rows)| Some((source.to_owned(), ErrorFigures::of(&rows)?)))
        .collect()
}

/// How sure a model was: high, medium or low.
pub fn confidence_bucket(confidence: f64) -> &'static str {
    if confidence >= 0.7 {
        "high"
    } else if confidence >= 0.5 {
        "medium"
    } else {
        "low"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::ai_prediction::AiFields;
    use crate::market::daily_prediction::DayFields;
    use crate::time::Timestamp;

    fn days(hits: &[bool]) -> Vec<DailyPrediction> {
        (0_i64..)
            .zip(hits)
            .map(|(number, hit)| DailyPrediction {
                id: number,
                day: Day::from_epoch_days(20_000 - number).unwrap().into(),
                fields: DayFields {
                    range_hit: Some((*hit).into()),
                    abs_error_to_close: Some((number as f64).into()),
                    ..DayFields::default()
                },
                created_at: Some(Timestamp::EPOCH.into()),
                updated_at: None,
            })
            .collect()
    }

    fn prediction(checkpoint: Stored<Checkpoint>, source: &str) -> AiPrediction {
        AiPrediction {
            id: 1,
            fields: AiFields {
                day: Day::from_epoch_days(20_000).unwrap().into(),
                checkpoint,
                predicted_price: 600.0.into(),
                confidence: 0.7.into(),
                reasoning: None,
                market_context: None,
                actual_price: Some(601.0.into()),
                prediction_error: None,
                interval_low: None,
                interval_high: None,
                interval_hit: None,
                source: Some(source.to_owned()),
                model: None,
                prompt_version: None,
            },
            created_at: None,
            updated_at: None,
        }
    }

    #[test]
    fn every_moment_counts_and_an_empty_source_is_none() {
        let other = Stored::Other(StoredValue::Text("PREMARKET".to_owned()));
        let rows = [
            prediction(other, ""),
            prediction(Checkpoint::PreMarket.into(), "llm"),
            prediction(Checkpoint::Close.into(), ""),
            prediction(Checkpoint::Noon.into(), "llm"),
            prediction(Checkpoint::Noon.into(), ""),
        ];
        let scored = scored(&rows, true);
        let named = by_any_checkpoint(&scored);
        let counts: Vec<(&str, usize)> = named.iter().map(|(name, of)| (name.as_str(), of.count)).collect();
        assert_eq!(
            counts,
            [("noon", 2), ("close", 1), ("PREMARKET", 1), ("preMarket", 1)]
        );
        let predicted: Vec<&str> = by_checkpoint(&scored).iter().map(|(name, _)| *name).collect();
        assert_eq!(predicted, ["noon", "close"]);
        let sources = by_source(&scored);
        assert_eq!(
            (sources.len(), sources[0].0.as_str(), sources[0].1.count),
            (1, "llm", 2)
        );
    }

    #[test]
    fn grade_trend_and_tip_follow_the_rate() {
        let none = DayMetrics::of(&[]);
        assert_eq!((none.days, none.grade, none.trend), (0, "N/A", None));
        let four = DayMetrics::of(&days(&[true, true, false, false]));
        assert_eq!(
            (four.hit_rate, four.median_error, four.grade),
            (Some(0.5), Some(1.5), "D")
        );
        assert!(four.tip.starts_with("Keep going"));
        // 0.8 − 0.6 is a little more than 0.2, and 1.0 − 0.8 a little less.
        let (t, f) = (true, false);
        assert_eq!(
            DayMetrics::of(&days(&[t, t, t, t, f, t, t, t, f, f])).trend,
            Some("📈 Improving")
        );
        assert_eq!(
            DayMetrics::of(&days(&[t, t, t, t, t, t, t, t, t, f])).trend,
            Some("➡️ Stable")
        );
        assert_eq!(
            DayMetrics::of(&days(&[f, f, f, f, f, t, t, t, t, t])).trend,
            Some("📉 Declining")
        );
        assert_eq!(DayMetrics::of(&days(&[t; 9])).trend, None);
        assert_eq!(DayMetrics::of(&days(&[t; 9])).grade, "A");
    }
}
