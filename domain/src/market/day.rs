//! Calendar days.

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// A day of the calendar, from 0001-01-01 to 9999-12-31.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(civil::Date);

/// Text or numbers that name no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a day of the calendar")]
pub struct DayError(pub String);

impl Day {
    /// The first day.
    pub const MIN: Self = Self(civil::Date::constant(1, 1, 1));
    /// The last day.
    pub const MAX: Self = Self(civil::Date::constant(9999, 12, 31));
    const EPOCH: civil::Date = civil::Date::constant(1970, 1, 1);

    /// The day of that year, month and day of the month.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, DayError> {
        civil::Date::new(year, month, day)
            .ok()
            .and_then(Self::in_range)
            .ok_or_else(|| DayError(format!("{year}-{month}-{day}")))
    }

    fn in_range(date: civil::Date) -> Option<Self> {
        (1..=9999).contains(&date.year()).then_some(Self(date))
    }

    /// Reads `2025-08-11`, and nothing else.
    pub fn parse(text: &str) -> Result<Self, DayError> {
        let wrong = || DayError(text.to_owned());
        let b = text.as_bytes();
        if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
            return Err(wrong());
        }
        let number = |from: usize, to: usize| -> Option<i16> {
            b[from..to].iter().try_fold(0_i16, |n, c| {
                c.is_ascii_digit().then(|| n * 10 + i16::from(c - b'0'))
            })
        };
        let (year, month, day) = (
            number(0, 4).ok_or_else(wrong)?,
            number(5, 7).ok_or_else(wrong)?,
            number(8, 10).ok_or_else(wrong)?,
        );
        let part = |n: i16| i8::try_from(n).map_err(|_| wrong());
        Self::new(year, part(month)?, part(day)?).map_err(|_| wrong())
    }

    /// From days since 1970-01-01.
    pub fn from_epoch_days(days: i64) -> Result<Self, DayError> {
        let wrong = || DayError(format!("{days} days since 1970-01-01"));
        let span = i32::try_from(days)
            .ok()
            .and_then(|days| jiff::Span::new().try_days(days).ok())
            .ok_or_else(wrong)?;
        Self::EPOCH
            .checked_add(span)
            .ok()
            .and_then(Self::in_range)
            .ok_or_else(wrong)
    }

    /// Days since 1970-01-01.
    pub fn epoch_days(self) -> i64 {
        self.0.duration_since(Self::EPOCH).as_hours() / 24
    }

    /// The day `days` later, or earlier; `None` beyond the calendar.
    pub fn plus_days(self, days: i64) -> Option<Self> {
        Self::from_epoch_days(self.epoch_days().checked_add(days)?).ok()
    }

    /// The day that it is at an instant in a zone.
    pub fn at(instant: Timestamp, zone: &TimeZone) -> Self {
        let at =
            jiff::Timestamp::from_microsecond(instant.as_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        // The ends of an instant's range, seen from a zone, may lie a day beyond the calendar.
        Self::in_range(zone.to_datetime(at).date()).unwrap_or(Self(Self::EPOCH))
    }

    /// The civil date.
    pub fn date(self) -> civil::Date {
        self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0.year(),
            self.0.month(),
            self.0.day()
        )
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_read_and_written() {
        for text in ["2025-08-11", "0001-01-01", "9999-12-31", "2024-02-29"] {
            assert_eq!(Day::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "2025-8-11",
            "2025-02-29",
            "0000-01-01",
            "2025-13-01",
            "2025-08-11 ",
            "٢٠٢٥-01-01",
            "2025/08/11",
        ] {
            assert!(Day::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_calendar_ends() {
        let last = Day::parse("9999-12-31").unwrap();
        assert_eq!(last.plus_days(1), None);
        assert_eq!(last.plus_days(i64::MAX), None);
        assert_eq!(Day::parse("0001-01-01").unwrap().plus_days(-1), None);
    }

    #[test]
    fn the_day_depends_on_the_zone() {
        let chicago = TimeZone::get("America/Chicago").unwrap();
        let instant = Timestamp::from_micros(1_754_884_800_000_000).unwrap();
        assert_eq!(Day::at(instant, &TimeZone::UTC).to_string(), "2025-08-11");
        assert_eq!(Day::at(instant, &chicago).to_string(), "2025-08-10");
    }

    proptest! {
        #[test]
        fn numbers_come_back(days in -719_162_i64..=2_932_896) {
            let day = Day::from_epoch_days(days).unwrap();
            prop_assert_eq!(day.epoch_days(), days);
            prop_assert_eq!(Day::parse(&day.to_string()).unwrap(), day);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _outcome = Day::parse(&text);
        }
    }
}
