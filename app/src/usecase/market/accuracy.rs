//! How good the models' predictions were.

use cutover_domain::market::accuracy::{
    ErrorFigures, Scored, by_any_checkpoint, by_checkpoint, by_source, confidence_bucket, scored,
};
use cutover_domain::market::ai_prediction::{AiPrediction, ScoredFilter};
use cutover_domain::market::day::Day;

use super::{Market, MarketError};

/// How many distinct days the recent figures are of.
const RECENT_DAYS: usize = 5;

/// The figures of all predictions whose prices are known.
#[derive(Debug, Clone)]
pub struct Overview {
    /// All of them; none if there are none.
    pub all: Option<ErrorFigures>,
    /// By moment, whatever it is called.
    pub by_checkpoint: Vec<(String, ErrorFigures)>,
    /// By confidence: high, medium, low; empty ones left out.
    pub by_confidence: Vec<(&'static str, ErrorFigures)>,
}

/// The figures of some of them.
#[derive(Debug, Clone)]
pub struct Detailed {
    /// All of them.
    pub all: ErrorFigures,
    /// Their first day.
    pub from: Option<Day>,
    /// Their last.
    pub to: Option<Day>,
    /// How many days they are of.
    pub days: usize,
    /// By predicted moment.
    pub by_checkpoint: Vec<(&'static str, ErrorFigures)>,
    /// By source.
    pub by_source: Vec<(String, ErrorFigures)>,
    /// Of the last five days; none with fewer.
    pub recent: Option<ErrorFigures>,
}

impl Market {
    /// The figures by the errors that were stored.
    pub async fn accuracy(&self) -> Result<Overview, MarketError> {
        let rows = self
            .repositories
            .ai_predictions
            .scored(&ScoredFilter::default())
            .await?;
        let scored = scored(&rows, true);
        let of_bucket = |bucket: &'static str| {
            let of: Vec<&Scored<'_>> = scored
                .iter()
                .filter(|one| {
                    let confidence = one.row.fields.confidence.known();
                    confidence.is_some_and(|confidence| confidence_bucket(*confidence) == bucket)
                })
                .collect();
            Some((bucket, ErrorFigures::of(&of)?))
        };
        Ok(Overview {
            all: ErrorFigures::of(&scored.iter().collect::<Vec<_>>()),
            by_checkpoint: by_any_checkpoint(&scored),
            by_confidence: ["high", "medium", "low"]
                .into_iter()
                .filter_map(of_bucket)
                .collect(),
        })
    }

    /// The figures of the predictions that are meant, from their prices; none if there are none.
    pub async fn accuracy_of(&self, filter: &ScoredFilter) -> Result<Option<Detailed>, MarketError> {
        let rows = self.repositories.ai_predictions.scored(filter).await?;
        Ok(detailed(&rows))
    }
}

fn detailed(rows: &[AiPrediction]) -> Option<Detailed> {
    let scored = scored(rows, false);
    let all = ErrorFigures::of(&scored.iter().collect::<Vec<_>>())?;
    let mut days: Vec<Day> = scored.iter().filter_map(Scored::day).collect();
    days.sort_unstable();
    days.dedup();
    let recent = days.len().checked_sub(RECENT_DAYS).and_then(|skipped| {
        let first = days[skipped];
        let of: Vec<&Scored<'_>> = scored
            .iter()
            .filter(|one| one.day().is_some_and(|day| day >= first))
            .collect();
        ErrorFigures::of(&of)
    });
    Some(Detailed {
        all,
        from: days.first().copied(),
        to: days.last().copied(),
        days: days.len(),
        by_checkpoint: by_checkpoint(&scored),
        by_source: by_source(&scored),
        recent,
    })
}
