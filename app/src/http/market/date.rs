//! Days of requests as the original's framework reads them: as such, as instants at midnight, or as seconds since 1970.

use cutover_domain::market::day::Day;
use serde_json::{Value, json};

use crate::http::request::Mistakes;

/// Why a value is no day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoDay {
    /// It is another kind of value.
    Kind,
    /// It is an instant at another time of the day.
    Inexact,
    /// It cannot be read; why.
    Unreadable(&'static str),
    /// The calendar begins with the year 1.
    YearZero,
}

/// A day.
pub(super) fn day(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<Day> {
    let read = match value {
        Value::String(text) => of_text(text),
        Value::Number(number) => number
            .as_str()
            .parse()
            .map_err(|_| NoDay::Kind)
            .and_then(of_seconds),
        _ => Err(NoDay::Kind),
    };
    let mut add = |kind, message: &str, reason: Option<&str>| {
        let context = reason.map(|reason| json!({ "error": reason }));
        mistakes.add(kind, at, message, value, context);
    };
    match read {
        Ok(day) => return Some(day),
        Err(NoDay::Kind) => add("date_type", "Input should be a valid date", None),
        Err(NoDay::Inexact) => {
            let message = "Datetimes provided to dates should have zero time - e.g. be exact dates";
            add("date_from_datetime_inexact", message, None);
        }
        Err(NoDay::Unreadable(reason)) => {
            let message = format!("Input should be a valid date or datetime, {reason}");
            add("date_from_datetime_parsing", &message, Some(reason));
        }
        Err(NoDay::YearZero) => {
            let reason = "year 0 is out of range";
            let message = format!("Input should be a valid date in the format YYYY-MM-DD, {reason}");
            add("date_parsing", &message, Some(reason));
        }
    }
    None
}

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// Larger numbers than this are milliseconds.
const SECONDS_MAX: f64 = 2e10;

/// The first second of the year 10000.
const END: f64 = 253_402_300_800.0;
/// The first second of the year 0.
const BEGINNING: f64 = -62_167_219_200.0;

/// A day as the instant at which it begins, in seconds or milliseconds since 1970.
fn of_seconds(number: f64) -> Result<Day, NoDay> {
    let seconds = if number.abs() > SECONDS_MAX {
        number / 1000.0
    } else {
        number
    };
    if seconds.is_nan() {
        return Err(NoDay::Unreadable("NaN values not permitted"));
    }
    if seconds >= END {
        let reason = "dates after 9999 are not supported as unix timestamps";
        return Err(NoDay::Unreadable(reason));
    }
    if seconds < BEGINNING {
        let reason = "dates before 0000 are not supported as unix timestamps";
        return Err(NoDay::Unreadable(reason));
    }
    // Less than half a microsecond is nothing; the framework has it so for instants since 1970 only.
    let micros = if seconds < 0.0 {
        seconds.fract()
    } else {
        (seconds.fract() * 1e6).round() % 1e6
    };
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let whole = seconds.round() as i64;
    if micros != 0.0 || whole % DAY_SECONDS != 0 {
        return Err(NoDay::Inexact);
    }
    Day::from_epoch_days(whole / DAY_SECONDS).map_err(|_| NoDay::YearZero)
}

fn of_text(text: &str) -> Result<Day, NoDay> {
    match of_instant(text.as_bytes()) {
        // What cannot be read as an instant may be a number of seconds.
        Err(NoDay::Unreadable(reason)) => match seconds_in(text) {
            Some(seconds) => of_seconds(seconds),
            None => Err(NoDay::Unreadable(reason)),
        },
        read => read,
    }
}

/// Seconds in a text: digits, and some behind a point or none, of 64 bits.
fn seconds_in(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.parse::<i64>().is_err() || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    text.parse().ok()
}

/// A day, or an instant at its midnight in any zone.
fn of_instant(text: &[u8]) -> Result<Day, NoDay> {
    use NoDay::Unreadable;
    let too_short = Unreadable("input is too short");
    if text.len() < 10 {
        return Err(too_short);
    }
    let year = number(&text[..4], "invalid character in year")?;
    let separated = |at: usize| {
        (text[at] == b'-')
            .then_some(())
            .ok_or(Unreadable("invalid date separator, expected `-`"))
    };
    separated(4)?;
    let month = number(&text[5..7], "invalid character in month")?;
    separated(7)?;
    let date = number(&text[8..10], "invalid character in day")?;
    if !(1..=12).contains(&month) {
        return Err(Unreadable("month value is outside expected range of 1-12"));
    }
    // The year 4 has as long a February as the year 0, in which no day is.
    let some_year = if year == 0 { 4 } else { year };
    let part = |number: i16| i8::try_from(number).unwrap_or(0);
    let day = Day::new(some_year, part(month), part(date))
        .map_err(|_| Unreadable("day value is outside expected range"))?;
    let is_midnight = match text.get(10) {
        None => true,
        Some(b'T' | b't' | b' ' | b'_') => is_midnight(&text[11..])?,
        Some(_) => {
            let reason = "invalid datetime separator, expected `T`, `t`, `_` or space";
            return Err(Unreadable(reason));
        }
    };
    match (is_midnight, year) {
        (false, _) => Err(NoDay::Inexact),
        (true, 0) => Err(NoDay::YearZero),
        (true, _) => Ok(day),
    }
}

/// Whether a time of the day, which a zone may follow, is its beginning.
fn is_midnight(text: &[u8]) -> Result<bool, NoDay> {
    use NoDay::Unreadable;
    if text.len() < 5 {
        return Err(Unreadable("input is too short"));
    }
    let hour = number(&text[..2], "invalid character in hour")?;
    if text[2] != b':' {
        return Err(Unreadable("invalid time separator, expected `:`"));
    }
    let minute = number(&text[3..5], "invalid character in minute")?;
    if hour > 23 {
        return Err(Unreadable("hour value is outside expected range of 0-23"));
    }
    if minute > 59 {
        return Err(Unreadable("minute value is outside expected range of 0-59"));
    }
    let mut rest = &text[5..];
    let (mut second, mut has_fraction) = (0, false);
    if let Some(behind) = rest.strip_prefix(b":") {
        let wrong = "invalid character in second";
        second = number(behind.get(..2).ok_or(Unreadable(wrong))?, wrong)?;
        if second > 59 {
            return Err(Unreadable("second value is outside expected range of 0-59"));
        }
        rest = &behind[2..];
        if let Some((b'.' | b',', behind)) = rest.split_first() {
            let count = behind.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if count == 0 {
                return Err(Unreadable("second fraction digits missing after `.`"));
            }
            // What is less than a microsecond is nothing.
            has_fraction = behind[..count.min(6)].iter().any(|digit| *digit != b'0');
            rest = &behind[count..];
        }
    }
    check_zone(rest)?;
    Ok(hour == 0 && minute == 0 && second == 0 && !has_fraction)
}

/// Checks what stands behind a time: nothing, `Z`, or how far it is from UTC.
fn check_zone(text: &[u8]) -> Result<(), NoDay> {
    use NoDay::Unreadable;
    let minus = "\u{2212}".as_bytes();
    let rest = match text {
        [] => return Ok(()),
        [b'Z' | b'z', rest @ ..] => return nothing_behind(rest),
        [b'+' | b'-', rest @ ..] => rest,
        other => other
            .strip_prefix(minus)
            .ok_or(Unreadable("invalid timezone sign"))?,
    };
    let wrong = "invalid timezone hour";
    let hour = number(rest.get(..2).ok_or(Unreadable(wrong))?, wrong)?;
    let rest = &rest[2..];
    let rest = rest.strip_prefix(b":").unwrap_or(rest);
    let wrong = "invalid timezone minute";
    let minute = number(rest.get(..2).ok_or(Unreadable(wrong))?, wrong)?;
    if minute > 59 {
        let reason = "timezone minute value is outside expected range of 0-59";
        return Err(Unreadable(reason));
    }
    if hour > 23 {
        return Err(Unreadable("timezone offset must be less than 24 hours"));
    }
    nothing_behind(&rest[2..])
}

fn nothing_behind(rest: &[u8]) -> Result<(), NoDay> {
    let reason = "unexpected extra characters at the end of the input";
    rest.is_empty().then_some(()).ok_or(NoDay::Unreadable(reason))
}

/// The number that these digits are.
fn number(digits: &[u8], wrong: &'static str) -> Result<i16, NoDay> {
    digits.iter().try_fold(0, |number, digit| {
        if digit.is_ascii_digit() {
            Ok(number * 10 + i16::from(digit - b'0'))
        } else {
            Err(NoDay::Unreadable(wrong))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::HttpError;

    /// What is read, or the kind of the mistake and its reason.
    fn read(json: &str) -> Result<String, (String, Option<String>)> {
        let value = serde_json::from_str(json).unwrap();
        let mut mistakes = Mistakes::default();
        let day = day(&value, &[], &mut mistakes);
        mistakes.finish(day).map(|day| day.to_string()).map_err(|error| {
            let HttpError::Invalid(mistakes) = error else {
                return ("another error".to_owned(), None);
            };
            let reason = mistakes[0].ctx.as_ref().map(|ctx| ctx["error"].as_str().unwrap());
            (mistakes[0].kind.clone(), reason.map(str::to_owned))
        })
    }

    #[test]
    fn days_come_in_several_forms() {
        for (json, expected) in [
            (r#""2026-01-05""#, "2026-01-05"),
            (r#""0001-01-01""#, "0001-01-01"),
            (r#""9999-12-31""#, "9999-12-31"),
            (r#""2024-02-29""#, "2024-02-29"),
            (r#""2026-01-05T00:00:00""#, "2026-01-05"),
            (r#""2026-01-05 00:00""#, "2026-01-05"),
            (r#""2026-01-05_00:00:00""#, "2026-01-05"),
            (r#""2026-01-05t00:00:00.000z""#, "2026-01-05"),
            (r#""2026-01-05T00:00Z""#, "2026-01-05"),
            (r#""2026-01-05T00:00:00,000""#, "2026-01-05"),
            (r#""2026-01-05T00:00:00.0000000001""#, "2026-01-05"),
            (r#""2026-01-05T00:00:00-05:00""#, "2026-01-05"),
            (r#""2026-01-05T00:00:00+0000""#, "2026-01-05"),
            (r#""2026-01-05T00:00:00+23:59""#, "2026-01-05"),
            ("\"2026-01-05T00:00:00\u{2212}0100\"", "2026-01-05"),
            ("1755216000", "2025-08-15"),
            (r#""1755216000""#, "2025-08-15"),
            (r#""+1755216000.""#, "2025-08-15"),
            (r#""1755216000.00000001""#, "2025-08-15"),
            ("1755216000000", "2025-08-15"),
            ("1755215999.9999999", "2025-08-15"),
            ("864e2", "1970-01-02"),
            (r#""00000000""#, "1970-01-01"),
            ("-0.0", "1970-01-01"),
            ("-86400", "1969-12-31"),
            (r#""-86400.0""#, "1969-12-31"),
            ("253402214400000", "9999-12-31"),
            (r#""-62135596800000""#, "0001-01-01"),
        ] {
            assert_eq!(read(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn what_is_no_midnight_is_told_so() {
        for json in [
            r#""2026-01-05T01:00:00""#,
            r#""2026-01-05T00:00:00.000001""#,
            r#""0000-01-01T00:00:01""#,
            r#""20260105""#,
            r#""5""#,
            r#""1.5""#,
            "1755216001",
            "20000000001",
            "1735689600000.4",
            "-0.0000001",
            "253402300800",
            "-62167219200",
        ] {
            let kind = "date_from_datetime_inexact".to_owned();
            assert_eq!(read(json), Err((kind, None)), "{json}");
        }
        for json in ["true", "[]", "{}", "null"] {
            assert_eq!(read(json), Err(("date_type".to_owned(), None)), "{json}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_reason() {
        for (json, expected) in [
            (r#""""#, "input is too short"),
            (r#""today""#, "input is too short"),
            (r#""2026-1-5""#, "input is too short"),
            (r#""2026-01-05 ""#, "input is too short"),
            (r#""5 ""#, "input is too short"),
            (r#""1e-400""#, "input is too short"),
            (r#"".0""#, "input is too short"),
            (r#""++5""#, "input is too short"),
            (r#"" 2026-01-05""#, "invalid character in year"),
            (r#""é025-08-15é""#, "invalid character in year"),
            (r#""-999999999999999999999""#, "invalid character in year"),
            (r#""2026/01/05""#, "invalid date separator, expected `-`"),
            (r#""10000-01-01""#, "invalid date separator, expected `-`"),
            (r#""1735689600 ""#, "invalid date separator, expected `-`"),
            (r#""2026-W01-1""#, "invalid character in month"),
            (r#""2026-13-0a""#, "invalid character in day"),
            (r#""2026-13-01""#, "month value is outside expected range of 1-12"),
            (r#""0000-00-00""#, "month value is outside expected range of 1-12"),
            (r#""2026-02-30""#, "day value is outside expected range"),
            (
                r#""2026-01-051""#,
                "invalid datetime separator, expected `T`, `t`, `_` or space",
            ),
            (r#""2026-01-05T0a:00:61""#, "invalid character in hour"),
            (r#""2026-01-05T00.00.00""#, "invalid time separator, expected `:`"),
            (r#""2026-01-05T24:0a""#, "invalid character in minute"),
            (
                r#""2026-01-05T24:00:00""#,
                "hour value is outside expected range of 0-23",
            ),
            (
                r#""2026-01-05T00:60:00""#,
                "minute value is outside expected range of 0-59",
            ),
            (r#""2026-01-05T00:00:0""#, "invalid character in second"),
            (
                r#""2026-01-05T00:00:60""#,
                "second value is outside expected range of 0-59",
            ),
            (
                r#""2026-01-05T00:00:00.""#,
                "second fraction digits missing after `.`",
            ),
            (r#""2026-01-05T00:00 1""#, "invalid timezone sign"),
            (r#""2026-01-05T00:00:00+1""#, "invalid timezone hour"),
            (r#""2026-01-05T00:00:00+00""#, "invalid timezone minute"),
            (
                r#""2026-01-05T00:00:00+23:60""#,
                "timezone minute value is outside expected range of 0-59",
            ),
            (
                r#""2026-01-05T00:00:00-24:00""#,
                "timezone offset must be less than 24 hours",
            ),
            (
                r#""2026-01-05T00:00:00ZZ""#,
                "unexpected extra characters at the end of the input",
            ),
            ("1e300", "dates after 9999 are not supported as unix timestamps"),
            ("1e400", "dates after 9999 are not supported as unix timestamps"),
            (
                r#""1735689600000000000""#,
                "dates after 9999 are not supported as unix timestamps",
            ),
            ("-1e18", "dates before 0000 are not supported as unix timestamps"),
        ] {
            let kind = "date_from_datetime_parsing".to_owned();
            assert_eq!(read(json), Err((kind, Some(expected.to_owned()))), "{json}");
        }
        for json in [r#""0000-01-01""#, r#""0000-02-29T00:00:00""#, "-62135683200000"] {
            let reason = Some("year 0 is out of range".to_owned());
            assert_eq!(read(json), Err(("date_parsing".to_owned(), reason)), "{json}");
        }
    }
}
