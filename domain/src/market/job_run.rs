//! The jobs of a trading day: when they are due, and what is kept of each run.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::Checkpoint;
use super::calendar::{Calendar, Session};
use super::day::Day;
use crate::stored::Stored;
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// The jobs, by the names that the original gives them.
    Job {
        /// The model's prediction of the day.
        AiPredict = "ai_predict_0800",
        /// The price before the market opens.
        CapturePremarket = "capture_premarket",
        /// The price at the opening.
        CaptureOpen = "capture_open",
        /// The price at noon, Eastern.
        CaptureNoon = "capture_noon",
        /// The price at two in the afternoon, Eastern.
        CaptureTwoPm = "capture_2pm",
        /// The price at the close.
        CaptureClose = "capture_close",
        /// The end of what is older than it is to be kept.
        DailyCleanup = "daily_cleanup",
    }
}

text_enum! {
    /// Why a run began.
    Trigger {
        /// Its time had come.
        Cron = "cron",
        /// Somebody asked for it.
        Manual = "manual",
        /// The service started on a day whose prediction was missing.
        WarmUp = "warm_up",
        /// Its time had passed while nobody was there.
        CatchUp = "catch_up",
    }
}

text_enum! {
    /// How a run ended.
    Outcome {
        /// Done.
        Ok = "ok",
        /// The provider had nothing.
        NoData = "no_data",
        /// What the provider had cannot be a price.
        PriceRejected = "price_rejected",
        /// The day's prediction is locked.
        AlreadyLocked = "already_locked",
        /// Somebody else stored the day's predictions at the same moment.
        LostRace = "lost_race",
        /// It failed.
        Error = "error",
        /// It never ran: nobody was there at its time, and the policy does not make up for it.
        Missed = "missed",
    }
}

/// Rows that a run wrote or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowsWritten {
    /// Of `daily_predictions`.
    pub daily_predictions: u64,
    /// Of `price_logs`.
    pub price_logs: u64,
    /// Of `ai_predictions`.
    pub ai_predictions: u64,
}

/// The beginning of a run, which only one instance can make for a job and an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStart {
    /// Which job.
    pub job: Job,
    /// The instant that it is due; for a manual run, when it was asked for.
    pub scheduled_at: Timestamp,
    /// Why it runs.
    pub trigger: Trigger,
    /// The day that it is about.
    pub target_day: Day,
    /// When it really began.
    pub started_at: Timestamp,
    /// Who runs it.
    pub instance: String,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEnd {
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The price that was stored.
    pub price: Option<f64>,
    /// Whether that was a current quote in place of the one wanted.
    pub is_fallback: Option<bool>,
    /// What was written.
    pub rows: RowsWritten,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRun {
    /// The row's number.
    pub id: i64,
    /// Which job; an old name stays readable.
    pub job: Stored<Job>,
    /// The instant that it was due.
    pub scheduled_at: Stored<Timestamp>,
    /// Why it ran.
    pub trigger: Stored<Trigger>,
    /// The day that it was about.
    pub target_day: Stored<Day>,
    /// When it began.
    pub started_at: Stored<Timestamp>,
    /// When it ended; none while it runs.
    pub ended_at: Option<Stored<Timestamp>>,
    /// How it ended.
    pub outcome: Option<Stored<Outcome>>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The price that was stored.
    pub price: Option<Stored<f64>>,
    /// Whether that was a current quote in place of the one wanted.
    pub is_fallback: Option<Stored<bool>>,
    /// Rows of `daily_predictions` written.
    pub rows_daily_predictions: Stored<i64>,
    /// Rows of `price_logs` written.
    pub rows_price_logs: Stored<i64>,
    /// Rows of `ai_predictions` written.
    pub rows_ai_predictions: Stored<i64>,
    /// Who ran it.
    pub instance: String,
}

impl JobRun {
    /// How long it took, in seconds.
    pub fn seconds(&self) -> Option<f64> {
        let ended = self.ended_at.as_ref()?.known()?.as_micros();
        let started = self.started_at.known()?.as_micros();
        Some((ended - started) as f64 / 1e6)
    }
}

impl Job {
    /// Hour and minute of the wall clock at which it is due.
    pub fn time(self) -> (i8, i8) {
        match self {
            Self::AiPredict | Self::CapturePremarket => (8, 0),
            Self::CaptureOpen => (8, 30),
            Self::CaptureNoon => (12, 0),
            Self::CaptureTwoPm => (14, 0),
            Self::CaptureClose => (15, 0),
            Self::DailyCleanup => (0, 0),
        }
    }

    /// The moment whose price it captures.
    pub fn checkpoint(self) -> Option<Checkpoint> {
        match self {
            Self::CapturePremarket => Some(Checkpoint::PreMarket),
            Self::CaptureOpen => Some(Checkpoint::Open),
            Self::CaptureNoon => Some(Checkpoint::Noon),
            Self::CaptureTwoPm => Some(Checkpoint::TwoPm),
            Self::CaptureClose => Some(Checkpoint::Close),
            Self::AiPredict | Self::DailyCleanup => None,
        }
    }

    /// Whether it is due on that day. A market that closes at 13:00 Eastern has no price of 14:00.
    pub fn is_due_on(self, day: Day, calendar: &Calendar) -> bool {
        match (self, calendar.session(day)) {
            (Self::DailyCleanup, _) | (_, Session::Full) => true,
            (_, Session::Closed) => false,
            (job, Session::Half) => job != Self::CaptureTwoPm,
        }
    }

    /// The instant at which it is due on that day. A time that the clocks skip is taken as the one after the gap, one
    /// that they show twice as the first.
    pub fn instant_on(self, day: Day, zone: &TimeZone) -> Option<Timestamp> {
        let (hour, minute) = self.time();
        let wall: DateTime = day.date().at(hour, minute, 0, 0);
        let at = zone.to_ambiguous_timestamp(wall).compatible().ok()?;
        Timestamp::from_micros(at.as_microsecond()).ok()
    }
}

/// When jobs are due.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// The zone of the wall clock.
    pub zone: TimeZone,
    /// The days on which the market is open.
    pub calendar: Calendar,
}

impl Timetable {
    /// No week is without a trading day, and no holiday season without one in this many days.
    const LOOK_AHEAD_DAYS: i64 = 15;

    /// The first instant after `after` at which `job` is due.
    pub fn next_after(&self, job: Job, after: Timestamp) -> Option<Timestamp> {
        let first = Day::at(after, &self.zone);
        (0..Self::LOOK_AHEAD_DAYS)
            .filter_map(|days| first.plus_days(days))
            .filter(|day| job.is_due_on(*day, &self.calendar))
            .filter_map(|day| job.instant_on(day, &self.zone))
            .find(|instant| *instant > after)
    }

    /// The instants after `after` and not after `until` at which `job` was due, oldest first. How far they reach back
    /// is bounded by the caller.
    pub fn due_between(&self, job: Job, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let mut due = Vec::new();
        let mut last = after;
        while let Some(next) = self.next_after(job, last).filter(|next| *next <= until) {
            due.push(next);
            last = next;
        }
        due
    }

    /// The day that it is now.
    pub fn today(&self, now: Timestamp) -> Day {
        Day::at(now, &self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::LegacyZone;

    fn timetable() -> Timetable {
        Timetable {
            zone: TimeZone::get("America/Chicago").unwrap(),
            calendar: Calendar::default(),
        }
    }

    fn utc(text: &str) -> Timestamp {
        Timestamp::parse(text, &LegacyZone::utc()).unwrap()
    }

    fn due(job: Job, from: &str, to: &str) -> Vec<String> {
        let due = timetable().due_between(job, utc(from), utc(to));
        due.into_iter().map(Timestamp::to_json_text).collect()
    }

    #[test]
    fn trading_jobs_run_monday_to_friday() {
        // 2025-08-15 is a Friday.
        assert_eq!(
            due(Job::AiPredict, "2025-08-14T20:00:00Z", "2025-08-19T20:00:00Z"),
            [
                "2025-08-15T13:00:00Z",
                "2025-08-18T13:00:00Z",
                "2025-08-19T13:00:00Z"
            ]
        );
        assert_eq!(
            due(Job::CaptureOpen, "2025-08-29T20:00:00Z", "2025-09-02T20:00:00Z"),
            ["2025-09-02T13:30:00Z"],
            "Labor Day is skipped"
        );
    }

    #[test]
    fn the_wall_clock_counts_over_both_changes() {
        assert_eq!(
            due(
                Job::CapturePremarket,
                "2025-03-07T00:00:00Z",
                "2025-03-10T23:00:00Z"
            ),
            ["2025-03-07T14:00:00Z", "2025-03-10T13:00:00Z"]
        );
        assert_eq!(
            due(
                Job::CapturePremarket,
                "2025-10-31T00:00:00Z",
                "2025-11-03T23:00:00Z"
            ),
            ["2025-10-31T13:00:00Z", "2025-11-03T14:00:00Z"]
        );
        assert_eq!(
            due(Job::DailyCleanup, "2025-03-08T12:00:00Z", "2025-03-11T12:00:00Z"),
            [
                "2025-03-09T06:00:00Z",
                "2025-03-10T05:00:00Z",
                "2025-03-11T05:00:00Z"
            ],
            "no midnight is skipped in spring"
        );
        assert_eq!(
            due(Job::DailyCleanup, "2025-11-01T12:00:00Z", "2025-11-03T12:00:00Z"),
            ["2025-11-02T05:00:00Z", "2025-11-03T06:00:00Z"]
        );
    }

    #[test]
    fn half_days_have_no_afternoon() {
        let half = Day::parse("2025-11-28").unwrap();
        let calendar = Calendar::default();
        assert!(!Job::CaptureTwoPm.is_due_on(half, &calendar));
        assert!(Job::CaptureClose.is_due_on(half, &calendar));
        assert!(Job::DailyCleanup.is_due_on(Day::parse("2025-12-25").unwrap(), &calendar));
    }

    #[test]
    fn a_time_that_the_clocks_skip_is_the_one_after_the_gap() {
        // A zone whose spring change skips midnight.
        let zone = TimeZone::get("America/Santiago").unwrap();
        let day = Day::parse("2025-09-07").unwrap();
        let at = Job::DailyCleanup.instant_on(day, &zone).unwrap();
        assert_eq!(at.to_json_text(), "2025-09-07T04:00:00Z");
    }

    #[test]
    fn the_next_instant_is_after_the_last() {
        let timetable = timetable();
        let at = utc("2025-08-15T13:00:00Z");
        assert_eq!(
            timetable.next_after(Job::AiPredict, at),
            Some(utc("2025-08-18T13:00:00Z"))
        );
        assert_eq!(
            timetable.today(utc("2025-08-15T04:59:59Z")).to_string(),
            "2025-08-14"
        );
    }
}
