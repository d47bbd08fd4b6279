//! Times in text, read a second time: independent of [`crate::time::Timestamp::parse`], which the copy uses.

use jiff::civil;
use jiff::tz::AmbiguousOffset;

use crate::time::LegacyZone;

pub(super) const DAY_MICROS: i64 = 86_400_000_000;
const SECOND_MICROS: i64 = 1_000_000;

/// A date and time as it is written.
struct Reading {
    /// Days since 1970-01-01.
    days: i64,
    year: i16,
    month: i8,
    day: i8,
    /// Microseconds since midnight.
    micros: i64,
    /// Seconds east of Greenwich, if the text says so.
    offset: Option<i64>,
}

/// Microseconds since 1970-01-01T00:00:00Z; text without a zone is meant in `zone`.
pub(super) fn instant(text: &[u8], zone: &LegacyZone) -> Option<i64> {
    let at = Reading::of(text)?;
    if let Some(offset) = at.offset {
        return Some(at.local() - offset * SECOND_MICROS);
    }
    let second = at.micros / SECOND_MICROS;
    let unit = |n: i64| i8::try_from(n % 60).ok();
    let hour = i8::try_from(second / 3600).ok()?;
    let time = civil::Time::new(hour, unit(second / 60)?, unit(second)?, 0).ok()?;
    let local = civil::Date::new(at.year, at.month, at.day)
        .ok()?
        .to_datetime(time);
    // Only the offset is asked for: jiff's own instants end a day before the year 9999 does. A clock that shows a time twice
    // means the first, one that skips it has not gone forward yet.
    let offset = match zone.zone().to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
    };
    Some(at.local() - i64::from(offset.seconds()) * SECOND_MICROS)
}

/// Microseconds since 1970-01-01T00:00:00 of a clock that has no zone. UTC is the one zone that such a column can be given.
pub(super) fn date_time(text: &[u8]) -> Option<i64> {
    let at = Reading::of(text)?;
    matches!(at.offset, None | Some(0)).then(|| at.local())
}

/// Days since 1970-01-01 of exactly `YYYY-MM-DD`.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let (at, rest) = read_date(text)?;
    rest.is_empty().then_some(at.days)
}

/// Microseconds since midnight.
pub(super) fn time_of_day(text: &[u8]) -> Option<i64> {
    let (micros, rest) = read_clock(text)?;
    rest.is_empty().then_some(micros)
}

impl Reading {
    fn of(text: &[u8]) -> Option<Self> {
        let (date, rest) = read_date(text)?;
        let Some((separator, rest)) = rest.split_first() else {
            return Some(date);
        };
        if !matches!(separator, b'T' | b't' | b' ') {
            return None;
        }
        let (micros, rest) = read_clock(rest)?;
        // Sequelize and Ruby put a blank before the zone.
        let zone = rest.strip_prefix(b" ").filter(|zone| !zone.is_empty());
        Some(Self {
            micros,
            offset: read_offset(zone.unwrap_or(rest))?,
            ..date
        })
    }

    fn local(&self) -> i64 {
        self.days * DAY_MICROS + self.micros
    }
}

fn read_date(text: &[u8]) -> Option<(Reading, &[u8])> {
    /// Days of the year before each month, leap days aside.
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let (year, rest) = take(text, 4)?;
    let (month, rest) = take(rest.strip_prefix(b"-")?, 2)?;
    let (day, rest) = take(rest.strip_prefix(b"-")?, 2)?;
    if year == 0 {
        return None;
    }
    let leap = i64::from(year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
    let index = usize::try_from(month).ok()?.checked_sub(1)?;
    let (before, next) = (*BEFORE.get(index)?, *BEFORE.get(index + 1)?);
    let longest = next - before + if month == 2 { leap } else { 0 };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let past = year - 1;
    let years = past * 365 + past / 4 - past / 100 + past / 400;
    let days = years + before + day - 1 + if month > 2 { leap } else { 0 };
    // 719,162 days lie between 0001-01-01 and 1970-01-01.
    let reading = Reading {
        days: days - 719_162,
        year: i16::try_from(year).ok()?,
        month: i8::try_from(month).ok()?,
        day: i8::try_from(day).ok()?,
        micros: 0,
        offset: None,
    };
    Some((reading, rest))
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.fraction`; more than six digits of a fraction only if the others are zeros.
fn read_clock(text: &[u8]) -> Option<(i64, &[u8])> {
    let (hour, rest) = take(text, 2)?;
    let (minute, mut rest) = take(rest.strip_prefix(b":")?, 2)?;
    let (mut second, mut micros) = (0, 0);
    if let Some(after) = rest.strip_prefix(b":") {
        (second, rest) = take(after, 2)?;
        if let Some((b'.' | b',', after)) = rest.split_first() {
            let count = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, behind) = after.split_at(count);
            if !(1..=9).contains(&count) || digits.iter().skip(6).any(|digit| *digit != b'0') {
                return None;
            }
            let padded = digits.iter().chain(std::iter::repeat(&b'0')).take(6);
            micros = padded.fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
            rest = behind;
        }
    }
    let valid = hour < 24 && minute < 60 && second < 60;
    valid.then_some((
        ((hour * 60 + minute) * 60 + second) * SECOND_MICROS + micros,
        rest,
    ))
}

/// None: not an offset. Some of none: nothing is written.
#[expect(clippy::option_option, reason = "not readable and not written are two things")]
pub(super) fn read_offset(text: &[u8]) -> Option<Option<i64>> {
    let (sign, rest) = match text.split_first() {
        None => return Some(None),
        Some((b'Z' | b'z', rest)) => return rest.is_empty().then_some(Some(0)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return None,
    };
    let colon = rest.get(2) == Some(&b':');
    let (hours, mut rest) = take(rest, 2)?;
    let mut parts = [0; 2];
    for (at, part) in parts.iter_mut().enumerate() {
        if rest.is_empty() {
            break;
        }
        // Seconds exist only behind a colon.
        match (colon, at) {
            (true, _) => rest = rest.strip_prefix(b":")?,
            (false, 0) => {}
            (false, _) => return None,
        }
        (*part, rest) = take(rest, 2)?;
    }
    let [minutes, seconds] = parts;
    let valid = rest.is_empty() && hours < 24 && minutes < 60 && seconds < 60;
    valid.then_some(Some(sign * ((hours * 60 + minutes) * 60 + seconds)))
}

/// A number of exactly so many digits.
fn take(text: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(count)?;
    let number = digits.iter().try_fold(0_i64, |n, digit| {
        digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0'))
    })?;
    Some((number, rest))
}
