//! What each job does.

use cutover_domain::market::daily_prediction::{DayChange, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::market::job_run::{Job, Outcome, RowsWritten};
use cutover_domain::market::{Checkpoint, is_plausible_price};
use cutover_ports::market::PriceError;

use super::predictions::Stored;
use super::{Market, MarketError};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, or is worth knowing, in words.
    pub error: Option<String>,
    /// The price that was stored.
    pub price: Option<f64>,
    /// Whether that was a current quote in place of the one wanted.
    pub is_fallback: Option<bool>,
    /// What was written.
    pub rows: RowsWritten,
}

impl JobReport {
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            error: None,
            price: None,
            is_fallback: None,
            rows: RowsWritten::default(),
        }
    }

    /// That a run failed.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::because(Outcome::Error, error)
    }

    fn because(outcome: Outcome, error: impl Into<String>) -> Self {
        Self {
            error: Some(error.into()),
            ..Self::of(outcome)
        }
    }
}

/// Whether a current price may stand in for the one of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// The moment is now.
    Accepted,
    /// The moment is past.
    Refused,
}

impl Market {
    /// Does a job for a day. Whatever happens is the report's to tell.
    pub async fn perform(&self, job: Job, day: Day, fallback: Fallback) -> JobReport {
        let done = match (job, job.checkpoint()) {
            (_, Some(checkpoint)) => self.capture(checkpoint, day, fallback).await,
            (Job::AiPredict, _) => self.predict(day).await,
            _ => self.clean_up(day).await,
        };
        done.unwrap_or_else(|error| match error {
            MarketError::Prices(PriceError::NotConfigured) => {
                JobReport::because(Outcome::NoData, error.to_string())
            }
            other => JobReport::failed(other.to_string()),
        })
    }

    async fn capture(
        &self,
        checkpoint: Checkpoint,
        day: Day,
        fallback: Fallback,
    ) -> Result<JobReport, MarketError> {
        let symbol = &self.rules.symbol;
        let Some(quote) = self.prices.price(symbol, checkpoint, day).await? else {
            return Ok(JobReport::of(Outcome::NoData));
        };
        if quote.is_fallback && fallback == Fallback::Refused {
            let text = "the source has a current price only, and the moment is past";
            return Ok(JobReport::because(Outcome::NoData, text));
        }
        if !is_plausible_price(symbol, quote.price) {
            let text = format!("{} cannot be a price of {symbol}", quote.price);
            return Ok(JobReport::because(Outcome::PriceRejected, text));
        }
        let log = PriceLog {
            checkpoint,
            price: quote.price,
        };
        self.change(day, &DayChange::Capture(log)).await?;
        Ok(JobReport {
            price: Some(quote.price),
            is_fallback: Some(quote.is_fallback),
            rows: RowsWritten {
                daily_predictions: 1,
                price_logs: 1,
                ai_predictions: 0,
            },
            ..JobReport::of(Outcome::Ok)
        })
    }

    /// Predictions first, then the band: a run that ends between the two is completed by the next.
    async fn predict(&self, day: Day) -> Result<JobReport, MarketError> {
        let row = self.repositories.daily_predictions.get(day).await?;
        if row
            .as_ref()
            .is_some_and(|row| row.fields.locked == Some(true.into()))
        {
            return Ok(JobReport::of(Outcome::AlreadyLocked));
        }
        let pre_market = row.and_then(|row| row.fields.price(Checkpoint::PreMarket));
        let Some(stored) = self.forecast(day, pre_market).await? else {
            let text = "the price source has no daily bars before this day";
            return Ok(JobReport::because(Outcome::NoData, text));
        };
        let mut report = JobReport::of(match stored {
            Stored::New(_) | Stored::Known => Outcome::Ok,
            Stored::LostRace => Outcome::LostRace,
        });
        if let Stored::New(count) = stored {
            report.rows.ai_predictions = count;
        }
        match self.lock_band(day).await {
            Ok(_) => report.rows.daily_predictions = 1,
            Err(MarketError::Locked(_)) if stored != Stored::LostRace => {
                report.outcome = Outcome::AlreadyLocked;
            }
            Err(MarketError::Locked(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(report)
    }

    async fn clean_up(&self, day: Day) -> Result<JobReport, MarketError> {
        let Some(cutoff) = self
            .rules
            .retention_days
            .and_then(|days| day.plus_days(-i64::from(days)))
        else {
            let text = "everything is kept: market.jobs_retention_days is not set";
            return Ok(JobReport::because(Outcome::Ok, text));
        };
        let swept = self.repositories.daily_predictions.delete_before(cutoff).await?;
        Ok(JobReport {
            rows: RowsWritten {
                daily_predictions: swept.daily_predictions,
                price_logs: swept.price_logs,
                ai_predictions: self.repositories.ai_predictions.delete_before(cutoff).await?,
            },
            ..JobReport::of(Outcome::Ok)
        })
    }
}
