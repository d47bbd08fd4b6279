//! Values of requests as the original's framework reads them: numbers and truth values in several spellings, days also as
//! instants at midnight.

use axum::extract::{FromRequest, Request};
use cutover_domain::market::day::Day;
use serde_json::{Value, json};

use super::error::MarketHttpError;
use crate::http::request::{Body, Fields, Mistakes, Parameters};

/// What a request's body says; one that cannot be had is refused in the market's form.
#[derive(Debug)]
pub(super) struct MarketBody(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for MarketBody {
    type Rejection = MarketHttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MarketHttpError> {
        Ok(Self(Body::from_request(request, state).await?.0))
    }
}

/// A number; texts that read as one, and true and false, are numbers too.
fn number(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => {
            let number = text.trim().parse().ok();
            if number.is_none() {
                let message = "Input should be a valid number, unable to parse string as a number";
                mistakes.add("float_parsing", at, message, value, None);
                return None;
            }
            number
        }
        _ => None,
    };
    let Some(number) = number else {
        mistakes.add("float_type", at, "Input should be a valid number", value, None);
        return None;
    };
    if number.is_finite() {
        return Some(number);
    }
    let message = "Input should be a finite number";
    mistakes.add("finite_number", at, message, value, None);
    None
}

/// A number as every store keeps it: SQLite has no zero below zero.
fn to_store(number: Option<f64>) -> Option<f64> {
    number.map(|number| number + 0.0)
}

/// A truth value.
fn flag(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<bool> {
    let spelled = match value {
        Value::Bool(flag) => return Some(*flag),
        Value::String(text) => text.to_lowercase(),
        Value::Number(number) => number
            .as_f64()
            .map_or_else(String::new, |number| number.to_string()),
        _ => {
            mistakes.add("bool_type", at, "Input should be a valid boolean", value, None);
            return None;
        }
    };
    match spelled.as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Some(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Some(false),
        _ => {
            let message = "Input should be a valid boolean, unable to interpret input";
            mistakes.add("bool_parsing", at, message, value, None);
            None
        }
    }
}

/// Seconds of a day.
const DAY_SECONDS: i64 = 86_400;

/// Larger numbers than this are milliseconds.
const SECONDS_MAX: f64 = 2e10;

/// A day: as such, or as an instant at midnight.
fn day(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<Day> {
    let inexact = "Datetimes provided to dates should have zero time - e.g. be exact dates";
    let read = match value {
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => of_number(number),
            Err(_) => of_text(text.trim()),
        },
        Value::Number(number) => number.as_f64().map_or(DayRead::None, of_number),
        _ => {
            mistakes.add("date_type", at, "Input should be a valid date", value, None);
            return None;
        }
    };
    match read {
        DayRead::Day(day) => return Some(day),
        DayRead::Inexact => mistakes.add("date_from_datetime_inexact", at, inexact, value, None),
        DayRead::None => {
            let reason = "invalid date";
            let message = format!("Input should be a valid date or datetime, {reason}");
            let context = Some(json!({ "error": reason }));
            mistakes.add("date_from_datetime_parsing", at, &message, value, context);
        }
    }
    None
}

enum DayRead {
    Day(Day),
    Inexact,
    None,
}

fn of_number(number: f64) -> DayRead {
    let seconds = if number.abs() > SECONDS_MAX {
        number / 1000.0
    } else {
        number
    };
    // Beyond the calendar anyway.
    if !seconds.is_finite() || seconds.abs() > 1e12 {
        return DayRead::None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let whole = seconds.floor() as i64;
    if whole % DAY_SECONDS != 0 || seconds.fract() != 0.0 {
        return DayRead::Inexact;
    }
    Day::from_epoch_days(whole / DAY_SECONDS).map_or(DayRead::None, DayRead::Day)
}

fn of_text(text: &str) -> DayRead {
    if let Ok(day) = Day::parse(text) {
        return DayRead::Day(day);
    }
    let Some((date, rest)) = text.split_at_checked(10) else {
        return DayRead::None;
    };
    let time = rest.strip_prefix(['T', 't', ' ', '_']);
    match (Day::parse(date), time) {
        (Ok(day), Some(time)) if is_midnight(time) => DayRead::Day(day),
        (Ok(_), Some(time)) if time.len() >= 5 && time.as_bytes()[2] == b':' => DayRead::Inexact,
        _ => DayRead::None,
    }
}

/// `00:00`, `00:00:00`, with a fraction of zero, and any zone.
fn is_midnight(time: &str) -> bool {
    let Some(rest) = time.strip_prefix("00:00") else {
        return false;
    };
    let rest = rest.strip_prefix(":00").unwrap_or(rest);
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches('0'),
        None => rest,
    };
    matches!(rest, "" | "Z" | "z") || rest.starts_with(['+', '-'])
}

/// A day in a path.
pub(super) fn path_day(name: &str, text: &str, mistakes: &mut Mistakes) -> Option<Day> {
    day(&text.into(), &["path".into(), name.into()], mistakes)
}

/// Values of a body.
pub(super) trait BodyValues {
    /// A number that may be missing or null.
    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A number that must be there.
    fn number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A truth value that may be missing or null.
    fn optional_flag(&self, name: &str, mistakes: &mut Mistakes) -> Option<bool>;
    /// A day that must be there.
    fn day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day>;
}

impl BodyValues for Fields<'_> {
    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        to_store(number(self.present(name)?, &self.at(name), mistakes))
    }

    fn number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        to_store(number(self.required(name, mistakes)?, &self.at(name), mistakes))
    }

    fn optional_flag(&self, name: &str, mistakes: &mut Mistakes) -> Option<bool> {
        flag(self.present(name)?, &self.at(name), mistakes)
    }

    fn day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day> {
        day(self.required(name, mistakes)?, &self.at(name), mistakes)
    }
}

/// Values of a query.
pub(super) trait QueryValues {
    /// A whole number.
    fn whole(&self, name: &'static str, default: i64, mistakes: &mut Mistakes) -> i64;
    /// A number that must be there.
    fn needed_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A number that may be missing.
    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A truth value; false when missing.
    fn flag(&self, name: &str, mistakes: &mut Mistakes) -> bool;
    /// A day that may be missing.
    fn optional_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day>;
    /// A day that must be there.
    fn needed_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day>;
    /// A text that must be there.
    fn needed_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<String>;
}

fn in_query(name: &str) -> [Value; 2] {
    ["query".into(), name.into()]
}

/// The text of a parameter that must be there.
fn needed<'a>(parameters: &'a Parameters, name: &str, mistakes: &mut Mistakes) -> Option<&'a str> {
    let text = parameters.text(name);
    if text.is_none() {
        mistakes.add("missing", &in_query(name), "Field required", &Value::Null, None);
    }
    text
}

impl QueryValues for Parameters {
    fn whole(&self, name: &'static str, default: i64, mistakes: &mut Mistakes) -> i64 {
        self.integer(name, i64::MIN..=i64::MAX, default, mistakes)
    }

    fn needed_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        number(&needed(self, name, mistakes)?.into(), &in_query(name), mistakes)
    }

    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        number(&self.text(name)?.into(), &in_query(name), mistakes)
    }

    fn flag(&self, name: &str, mistakes: &mut Mistakes) -> bool {
        self.text(name)
            .and_then(|text| flag(&text.into(), &in_query(name), mistakes))
            .unwrap_or(false)
    }

    fn optional_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day> {
        day(&self.text(name)?.into(), &in_query(name), mistakes)
    }

    fn needed_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day> {
        day(&needed(self, name, mistakes)?.into(), &in_query(name), mistakes)
    }

    fn needed_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<String> {
        needed(self, name, mistakes).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &Value) -> Result<String, Vec<String>> {
        let mut mistakes = Mistakes::default();
        let day = day(value, &[], &mut mistakes);
        mistakes
            .finish(day)
            .map(|day| day.to_string())
            .map_err(|error| match error {
                crate::http::error::HttpError::Invalid(mistakes) => {
                    mistakes.into_iter().map(|mistake| mistake.kind).collect()
                }
                _ => Vec::new(),
            })
    }

    #[test]
    fn days_come_in_several_forms() {
        for value in [
            json!("2025-08-15"),
            json!("2025-08-15T00:00:00"),
            json!("2025-08-15 00:00"),
            json!("2025-08-15T00:00:00.000Z"),
            json!("2025-08-15T00:00:00-05:00"),
            json!(1_755_216_000),
            json!("1755216000"),
            json!(1_755_216_000_000_i64),
        ] {
            assert_eq!(read(&value).as_deref(), Ok("2025-08-15"), "{value}");
        }
        for (value, kind) in [
            (json!("2025-08-15T00:00:01"), "date_from_datetime_inexact"),
            (json!(1_755_216_001), "date_from_datetime_inexact"),
            (json!("2025-02-30"), "date_from_datetime_parsing"),
            (json!("today"), "date_from_datetime_parsing"),
            (json!("é025-08-15é"), "date_from_datetime_parsing"),
            (json!("NaN"), "date_from_datetime_parsing"),
            (json!(1e300), "date_from_datetime_parsing"),
            (json!(true), "date_type"),
            (json!([]), "date_type"),
        ] {
            assert_eq!(read(&value), Err(vec![kind.to_owned()]), "{value}");
        }
    }

    #[test]
    fn truth_and_numbers_have_several_spellings() {
        let mut mistakes = Mistakes::default();
        for (value, truth) in [
            (json!("YES"), true),
            (json!(1), true),
            (json!(0.0), false),
            (json!("off"), false),
        ] {
            assert_eq!(flag(&value, &[], &mut mistakes), Some(truth), "{value}");
        }
        assert_eq!(number(&json!(" 1.5 "), &[], &mut mistakes), Some(1.5));
        assert_eq!(number(&json!(true), &[], &mut mistakes), Some(1.0));
        assert!(mistakes.finish(Some(())).is_ok());
        for value in [
            json!("Infinity"),
            json!("nan"),
            json!("1e999"),
            json!("x"),
            json!({}),
        ] {
            let mut mistakes = Mistakes::default();
            assert_eq!(number(&value, &[], &mut mistakes), None, "{value}");
            assert!(mistakes.finish(Some(())).is_err(), "{value}");
        }
        let mut mistakes = Mistakes::default();
        assert_eq!(flag(&json!(2), &[], &mut mistakes), None);
    }
}
