//! When the market is open.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday};

use super::day::Day;

/// How long the market is open on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Not at all: a weekend or a holiday.
    Closed,
    /// Until 13:00 Eastern.
    Half,
    /// Until 16:00 Eastern.
    Full,
}

/// Days on which the exchange was closed by a decision of its own, beside its yearly holidays.
const CLOSED_ONCE: [(i16, i8, i8); 9] = [
    (2001, 9, 11),
    (2001, 9, 12),
    (2001, 9, 13),
    (2001, 9, 14),
    (2004, 6, 11),
    (2012, 10, 29),
    (2012, 10, 30),
    (2018, 12, 5),
    (2025, 1, 9),
];

/// The New York Stock Exchange's calendar: its yearly rules, and the days that somebody adds to them.
#[derive(Debug, Clone, Default)]
pub struct Calendar {
    closed: BTreeSet<Day>,
}

impl Calendar {
    /// With these days closed as well: what the exchange decides at short notice.
    pub fn with_closed(closed: impl IntoIterator<Item = Day>) -> Self {
        Self {
            closed: closed.into_iter().collect(),
        }
    }

    /// How long the market is open on that day.
    pub fn session(&self, day: Day) -> Session {
        let date = day.date();
        if self.closed.contains(&day) || is_weekend(date) || is_holiday(date) {
            Session::Closed
        } else if is_half_day(date) {
            Session::Half
        } else {
            Session::Full
        }
    }
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn is_holiday(date: Date) -> bool {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let monday = date.weekday() == Weekday::Monday;
    let friday = date.weekday() == Weekday::Friday;
    // A fixed holiday on a Sunday is kept on Monday, on a Saturday the Friday before.
    let observed =
        |m: i8, d: i8| month == m && (day == d || (monday && day == d + 1) || (friday && day == d - 1));
    CLOSED_ONCE.contains(&(year, month, day))
        // New Year's Day on a Saturday is not made up for: the books of the old year are open on that Friday.
        || (month == 1 && (day == 1 || (monday && day == 2)))
        || (year >= 1998 && month == 1 && monday && nth_of_its_kind(day) == 3)
        || (month == 2 && monday && nth_of_its_kind(day) == 3)
        || good_friday(year) == Some(date)
        || (month == 5 && monday && day > 24)
        || (year >= 2022 && observed(6, 19))
        || observed(7, 4)
        || (month == 9 && monday && day <= 7)
        || is_thanksgiving(date)
        || observed(12, 25)
}

fn is_half_day(date: Date) -> bool {
    let before_fourth = date.month() == 7 && date.day() == 3;
    let christmas_eve = date.month() == 12 && date.day() == 24;
    let after_thanksgiving = date.yesterday().is_ok_and(is_thanksgiving);
    before_fourth || christmas_eve || after_thanksgiving
}

/// Which Monday, Tuesday … of its month a day is.
fn nth_of_its_kind(day: i8) -> i8 {
    (day - 1) / 7 + 1
}

fn is_thanksgiving(date: Date) -> bool {
    date.month() == 11 && date.weekday() == Weekday::Thursday && nth_of_its_kind(date.day()) == 4
}

/// Two days before Easter, by the anonymous Gregorian rule, whose numbers have no names.
fn good_friday(year: i16) -> Option<Date> {
    let year = i32::from(year);
    let (golden, century, short) = (year % 19, year / 100, year % 100);
    let moon = (19 * golden + century - century / 4 - (century - (century + 8) / 25 + 1) / 3 + 15) % 30;
    let sunday = (32 + 2 * (century % 4) + 2 * (short / 4) - moon - short % 4) % 7;
    let from_march = moon + sunday - 7 * ((golden + 11 * moon + 22 * sunday) / 451) + 114;
    let month = i8::try_from(from_march / 31).ok()?;
    let day = i8::try_from(from_march % 31 + 1).ok()?;
    let easter = Date::new(i16::try_from(year).ok()?, month, day).ok()?;
    easter.yesterday().and_then(Date::yesterday).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(text: &str) -> Session {
        Calendar::default().session(Day::parse(text).unwrap())
    }

    #[test]
    fn the_exchanges_own_list_is_kept() {
        // As published for 2021 to 2027.
        let closed = [
            "2021-01-01",
            "2021-01-18",
            "2021-02-15",
            "2021-04-02",
            "2021-05-31",
            "2021-07-05",
            "2021-09-06",
            "2021-11-25",
            "2021-12-24",
            "2022-01-17",
            "2022-02-21",
            "2022-04-15",
            "2022-05-30",
            "2022-06-20",
            "2022-07-04",
            "2022-09-05",
            "2022-11-24",
            "2022-12-26",
            "2023-01-02",
            "2023-01-16",
            "2023-02-20",
            "2023-04-07",
            "2023-05-29",
            "2023-06-19",
            "2023-07-04",
            "2023-09-04",
            "2023-11-23",
            "2023-12-25",
            "2024-01-01",
            "2024-01-15",
            "2024-02-19",
            "2024-03-29",
            "2024-05-27",
            "2024-06-19",
            "2024-07-04",
            "2024-09-02",
            "2024-11-28",
            "2024-12-25",
            "2025-01-01",
            "2025-01-09",
            "2025-01-20",
            "2025-02-17",
            "2025-04-18",
            "2025-05-26",
            "2025-06-19",
            "2025-07-04",
            "2025-09-01",
            "2025-11-27",
            "2025-12-25",
            "2026-01-01",
            "2026-01-19",
            "2026-02-16",
            "2026-04-03",
            "2026-05-25",
            "2026-06-19",
            "2026-07-03",
            "2026-09-07",
            "2026-11-26",
            "2026-12-25",
            "2027-01-01",
            "2027-01-18",
            "2027-02-15",
            "2027-03-26",
            "2027-05-31",
            "2027-06-18",
            "2027-07-05",
            "2027-09-06",
            "2027-11-25",
            "2027-12-24",
        ];
        let half = [
            "2021-11-26",
            "2022-11-25",
            "2023-07-03",
            "2023-11-24",
            "2024-07-03",
            "2024-11-29",
            "2024-12-24",
            "2025-07-03",
            "2025-11-28",
            "2025-12-24",
            "2026-11-27",
            "2026-12-24",
            "2027-11-26",
        ];
        let mut day = Day::parse("2021-01-01").unwrap();
        while day < Day::parse("2028-01-01").unwrap() {
            let text = day.to_string();
            let expected = if closed.contains(&text.as_str()) || is_weekend(day.date()) {
                Session::Closed
            } else if half.contains(&text.as_str()) {
                Session::Half
            } else {
                Session::Full
            };
            assert_eq!(session(&text), expected, "{text}");
            day = day.plus_days(1).unwrap();
        }
    }

    #[test]
    fn days_can_be_added() {
        let day = Day::parse("2026-03-10").unwrap();
        assert_eq!(Calendar::default().session(day), Session::Full);
        assert_eq!(Calendar::with_closed([day]).session(day), Session::Closed);
    }
}
