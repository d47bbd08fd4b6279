//! Instants: UTC, whole microseconds, the one time type of the domain.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

/// 0001-01-01T00:00:00Z, in microseconds since the epoch.
const MIN: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z.
const MAX: i64 = 253_402_300_799_999_999;

/// An instant in UTC, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text of an instant in JSON ([`Timestamp::json_text`]).
#[derive(Debug, Clone, Copy)]
pub struct JsonTime {
    text: [u8; 27],
    length: usize,
}

impl JsonTime {
    /// `2026-01-01T12:00:00.123456Z`.
    pub fn as_str(&self) -> &str {
        // They are ASCII.
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

/// Text that is not a time in any form the applications write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a date and time")]
pub struct TimeError(pub String);

/// The zone that a time without one is meant in, for one context (`legacy_timezone`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyZone(TimeZone);

impl LegacyZone {
    /// UTC, the default.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// An IANA name such as `America/Sao_Paulo`, or `UTC`.
    pub fn named(name: &str) -> Result<Self, TimeError> {
        TimeZone::get(name)
            .map(Self)
            .map_err(|_| TimeError(name.to_owned()))
    }

    /// The zone's rules, for readers of times other than [`Timestamp::parse`].
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.0
    }
}

/// The zone of each table's times without one, whichever file it is in.
#[derive(Debug, Clone)]
pub struct LegacyZones {
    of_tables: HashMap<&'static str, LegacyZone>,
    others: LegacyZone,
}

impl LegacyZones {
    /// The zones of tables, by their names in small letters, and that of all others.
    pub fn new(of_tables: impl IntoIterator<Item = (&'static str, LegacyZone)>, others: LegacyZone) -> Self {
        Self {
            of_tables: of_tables.into_iter().collect(),
            others,
        }
    }

    /// The zone of a table, however its name is capitalised.
    pub fn of(&self, table: &str) -> LegacyZone {
        let zone = self.of_tables.get(table.to_ascii_lowercase().as_str());
        zone.unwrap_or(&self.others).clone()
    }
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since the epoch. Years outside 0001..=9999 cannot be written as ISO text and are refused.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        if (MIN..=MAX).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(TimeError(micros.to_string()))
        }
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// So much later; as late as can be if that is beyond the year 9999.
    #[must_use]
    pub fn later_by(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(MAX))
    }

    /// So much earlier; as early as can be if that is before the year 1.
    #[must_use]
    pub fn earlier_by(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(MIN))
    }

    /// Reads every form that existing files hold: `T` or a blank between date and time, a fraction of up to six
    /// digits or none, `+00:00`, another offset, `Z`, or no zone at all (then `zone`), minutes only, a date only.
    ///
    /// Finer fractions than microseconds are refused rather than cut.
    pub fn parse(text: &str, zone: &LegacyZone) -> Result<Self, TimeError> {
        Self::parse_bytes(text.as_bytes(), zone).ok_or_else(|| TimeError(text.to_owned()))
    }

    fn parse_bytes(b: &[u8], zone: &LegacyZone) -> Option<Self> {
        let (date, rest) = b.split_at_checked(10)?;
        if date[4] != b'-' || date[7] != b'-' {
            return None;
        }
        let year = digits(&date[0..4])?;
        let month = digits(&date[5..7])?;
        let day = digits(&date[8..10])?;
        let date = civil::Date::new(
            i16::try_from(year).ok()?,
            i8::try_from(month).ok()?,
            i8::try_from(day).ok()?,
        )
        .ok()?;
        if year == 0 {
            return None;
        }
        let (clock, offset) = match rest.split_first() {
            None => ((0, 0, 0, 0), None),
            Some((b'T' | b't' | b' ', rest)) => parse_clock(rest)?,
            Some(_) => return None,
        };
        let (hour, minute, second, micros) = clock;
        let time = civil::Time::new(hour, minute, second, 0).ok()?;
        let local = date.to_datetime(time);
        // Between civil times, not through jiff's own instants: those end a day before the year 9999 does.
        let as_utc = local
            .duration_since(civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0))
            .as_secs();
        let seconds = match offset {
            Some(offset) => as_utc - offset,
            None if zone.0 == TimeZone::UTC => as_utc,
            None => zone.0.to_timestamp(local).ok()?.as_second(),
        };
        Self::from_micros(seconds.checked_mul(1_000_000)?.checked_add(i64::from(micros))?).ok()
    }

    /// The text the original applications write: `2026-01-01T12:00:00.123456+00:00`, always six digits, so that
    /// byte order is time order among values we write.
    pub fn to_iso(self) -> String {
        as_text(&self.digits(), "+00:00")
    }

    /// The text that SQLAlchemy writes into a file: `2026-01-01 12:00:00.123456`, in UTC.
    pub fn to_sqlalchemy(self) -> String {
        let text = self.to_iso();
        text.trim_end_matches("+00:00").replacen('T', " ", 1)
    }

    /// The text that SQLite's own clock writes, `2026-01-01 12:00:00`: whole seconds, no zone, meant in `zone`.
    pub fn to_naive(self, zone: &LegacyZone) -> String {
        // jiff's own instants end a day before the year 9999 does; that day is written in UTC.
        let local = jiff::Timestamp::from_microsecond(self.0)
            .ok()
            .filter(|_| zone.0 != TimeZone::UTC)
            .map(|at| zone.0.to_datetime(at));
        let dt = local.unwrap_or_else(|| self.civil().0);
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            dt.year(),
            dt.month(),
            dt.day(),
            dt.hour(),
            dt.minute(),
            dt.second()
        )
    }

    /// The JSON form of an instant whose store knows no zones: `2026-01-01T12:00:00`, in UTC, the fraction left out when
    /// it is zero.
    pub fn to_naive_json_text(self) -> String {
        let mut text = self.to_json_text();
        text.pop();
        text
    }

    /// The JSON form of the original HTTP interfaces: `…Z`, the fraction left out when it is zero.
    pub fn to_json_text(self) -> String {
        self.json_text().as_str().to_owned()
    }

    /// The same in a place of its own, for answers that are full of times.
    pub fn json_text(self) -> JsonTime {
        let digits = self.digits();
        let digits = digits.strip_suffix(b".000000").unwrap_or(&digits);
        let mut text = [b'Z'; 27];
        text[..digits.len()].copy_from_slice(digits);
        JsonTime {
            text,
            length: digits.len() + 1,
        }
    }

    /// `2026-01-01T12:00:00.123456`. Answers are full of times, and formatting them in the general way takes longer than all else that
    /// is done for a row.
    fn digits(self) -> [u8; 26] {
        let (dt, micros) = self.civil();
        let year = u32::from(dt.year().unsigned_abs());
        let micros = u32::try_from(micros).unwrap_or(0);
        let mut text = *b"0000-00-00T00:00:00.000000";
        for (place, pair) in [
            (0, year / 100),
            (2, year),
            (5, dt.month().unsigned_abs().into()),
            (8, dt.day().unsigned_abs().into()),
            (11, dt.hour().unsigned_abs().into()),
            (14, dt.minute().unsigned_abs().into()),
            (17, dt.second().unsigned_abs().into()),
            (20, micros / 10_000),
            (22, micros / 100),
            (24, micros),
        ] {
            text[place..place + 2].copy_from_slice(&PAIRS[pair as usize % 100]);
        }
        text
    }

    fn civil(self) -> (civil::DateTime, i64) {
        let seconds = self.0.div_euclid(1_000_000);
        let at = if let Ok(at) = jiff::Timestamp::from_second(seconds) {
            Offset::UTC.to_datetime(at)
        } else {
            // jiff's own instants end a day before the year 9999 does; civil times, whose sums take longer, do not.
            let epoch = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);
            let since = jiff::SignedDuration::from_secs(seconds);
            // The range is checked in `from_micros`, so the sum exists.
            epoch.checked_add(since).unwrap_or(epoch)
        };
        (at, self.0.rem_euclid(1_000_000))
    }
}

/// The numbers below a hundred, in two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [*b"00"; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

fn as_text(digits: &[u8], zone: &str) -> String {
    let mut text = String::with_capacity(digits.len() + zone.len());
    // They are ASCII.
    text.push_str(std::str::from_utf8(digits).unwrap_or_default());
    text.push_str(zone);
    text
}

type Clock = (i8, i8, i8, i32);

/// The time of day behind the separator, and the offset from UTC in seconds if the text names one.
fn parse_clock(b: &[u8]) -> Option<(Clock, Option<i64>)> {
    let hour = digits(b.get(0..2)?)?;
    if b.get(2) != Some(&b':') {
        return None;
    }
    let minute = digits(b.get(3..5)?)?;
    let mut rest = &b[5..];
    let (mut second, mut micros) = (0, 0);
    if let Some((b':', after)) = rest.split_first() {
        second = digits(after.get(0..2)?)?;
        rest = &after[2..];
        if let Some((b'.' | b',', after)) = rest.split_first() {
            let length = after.iter().take_while(|c| c.is_ascii_digit()).count();
            // More than six digits only if nothing is lost.
            if length == 0 || length > 9 || after[..length].iter().skip(6).any(|c| *c != b'0') {
                return None;
            }
            let kept = length.min(6);
            micros = digits(&after[..kept])? * 10_i32.pow(u32::try_from(6 - kept).ok()?);
            rest = &after[length..];
        }
    }
    let clock = (
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        micros,
    );
    if second > 59 {
        return None;
    }
    Some((clock, parse_offset(rest)?))
}

#[expect(
    clippy::option_option,
    reason = "none: not an offset; some none: no offset written"
)]
fn parse_offset(b: &[u8]) -> Option<Option<i64>> {
    let (sign, rest) = match b.split_first() {
        None => return Some(None),
        Some((b'Z' | b'z', [])) => return Some(Some(0)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let (hours, minutes, seconds) = match rest.len() {
        2 => (digits(rest)?, 0, 0),
        4 => (digits(&rest[..2])?, digits(&rest[2..])?, 0),
        5 if rest[2] == b':' => (digits(&rest[..2])?, digits(&rest[3..])?, 0),
        8 if rest[2] == b':' && rest[5] == b':' => {
            (digits(&rest[..2])?, digits(&rest[3..5])?, digits(&rest[6..])?)
        }
        _ => return None,
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(Some(sign * i64::from(hours * 3600 + minutes * 60 + seconds)))
}

fn digits(b: &[u8]) -> Option<i32> {
    b.iter().try_fold(0_i32, |n, c| {
        c.is_ascii_digit().then(|| n * 10 + i32::from(c - b'0'))
    })
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> Option<String> {
        Timestamp::parse(text, &LegacyZone::utc())
            .ok()
            .map(Timestamp::to_iso)
    }

    #[test]
    fn every_form_of_the_reference_is_read() {
        for (text, iso) in [
            (
                "2026-01-01T12:00:00.123456+00:00",
                "2026-01-01T12:00:00.123456+00:00",
            ),
            ("2026-01-01T12:00:00+00:00", "2026-01-01T12:00:00.000000+00:00"),
            ("2026-01-01T12:00:00.123456", "2026-01-01T12:00:00.123456+00:00"),
            ("2026-01-01 12:00:00", "2026-01-01T12:00:00.000000+00:00"),
            ("2025-12-15T10:00:00Z", "2025-12-15T10:00:00.000000+00:00"),
            ("2025-12-15", "2025-12-15T00:00:00.000000+00:00"),
            ("2025-12-15T10:00", "2025-12-15T10:00:00.000000+00:00"),
            ("2025-12-15T10:00:00.5-03:00", "2025-12-15T13:00:00.500000+00:00"),
            (
                "2025-12-15T10:00:00.123456000+0530",
                "2025-12-15T04:30:00.123456+00:00",
            ),
            (
                "1969-12-31T23:59:59.999999+00:00",
                "1969-12-31T23:59:59.999999+00:00",
            ),
            ("9999-12-31 23:59:59", "9999-12-31T23:59:59.000000+00:00"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(iso), "{text}");
        }
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "2026-13-01",
            "2026-02-30",
            "2026-01-01T24:00:00",
            "2026-01-01T12:00:60",
            "0000-00-00",
            "2026-01-01T12:00:00.1234567",
            "2026-01-01T12:00:00 +00:00",
            "2026-01-01X12:00:00",
            "1767268800",
            "2026-01-01T12:00:00.",
            "２０２６-01-01",
            "2026-01-01T12:00:00+24:00",
            "10000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_without_zone_is_meant_in_the_legacy_zone() {
        let zone = LegacyZone::named("America/Sao_Paulo").unwrap();
        let at = Timestamp::parse("2026-01-01T12:00:00", &zone).unwrap();
        assert_eq!(at.to_iso(), "2026-01-01T15:00:00.000000+00:00");
        let at = Timestamp::parse("2026-01-01T12:00:00Z", &zone).unwrap();
        assert_eq!(at.to_iso(), "2026-01-01T12:00:00.000000+00:00");
    }

    #[test]
    fn the_http_form_leaves_out_a_zero_fraction() {
        let at = Timestamp::parse("2026-01-01 12:00:00", &LegacyZone::utc()).unwrap();
        assert_eq!(at.to_json_text(), "2026-01-01T12:00:00Z");
        let at = Timestamp::from_micros(at.as_micros() + 5).unwrap();
        assert_eq!(at.to_json_text(), "2026-01-01T12:00:00.000005Z");
    }

    #[test]
    fn a_text_without_zone_is_written_in_the_zone_it_is_read_in() {
        let at = Timestamp::parse("2026-07-01T17:00:00.9Z", &LegacyZone::utc()).unwrap();
        assert_eq!(at.to_naive(&LegacyZone::utc()), "2026-07-01 17:00:00");
        assert_eq!(at.to_naive_json_text(), "2026-07-01T17:00:00.900000");
        let chicago = LegacyZone::named("America/Chicago").unwrap();
        assert_eq!(at.to_naive(&chicago), "2026-07-01 12:00:00");
        assert_eq!(
            Timestamp::parse(&at.to_naive(&chicago), &chicago)
                .unwrap()
                .to_iso(),
            "2026-07-01T17:00:00.000000+00:00"
        );
    }

    proptest! {
        #[test]
        fn iso_text_comes_back(micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999) {
            let at = Timestamp::from_micros(micros).unwrap();
            prop_assert_eq!(Timestamp::parse(&at.to_iso(), &LegacyZone::utc()).unwrap(), at);
            prop_assert_eq!(Timestamp::parse(&at.to_json_text(), &LegacyZone::utc()).unwrap(), at);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _outcome = Timestamp::parse(&text, &LegacyZone::utc());
        }
    }
}
