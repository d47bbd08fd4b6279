//! Numbers of requests as the originals' framework reads them: as JSON has them, in texts, and true and false as 1 and 0.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::request::Mistakes;

/// The kind of a mistake and its words.
type Refusal = (&'static str, &'static str);

const NO_INTEGER: Refusal = (
    "int_parsing",
    "Input should be a valid integer, unable to parse string as an integer",
);
const TOO_LARGE: Refusal = (
    "int_parsing_size",
    "Unable to parse input string as an integer, exceeded maximum size",
);
const INFINITE: Refusal = ("finite_number", "Input should be a finite number");

/// The most digits that are read.
const DIGITS_MAX: usize = 4300;

/// A whole number in a range. One that no range bounds must have 64 bits.
pub(super) fn integer(
    value: &Value,
    at: &[Value],
    range: RangeInclusive<i64>,
    mistakes: &mut Mistakes,
) -> Option<i64> {
    let read = match value {
        Value::Number(number) => whole(number.as_str()),
        Value::Bool(flag) => Ok(i128::from(*flag)),
        Value::String(text) => whole_in(text),
        _ => Err(("int_type", "Input should be a valid integer")),
    };
    let number = match read {
        Ok(number) => number,
        Err((kind, message)) => {
            mistakes.add(kind, at, message, value, None);
            return None;
        }
    };
    let (least, most) = range.into_inner();
    if least > i64::MIN && number < i128::from(least) {
        let message = format!("Input should be greater than or equal to {least}");
        mistakes.add(
            "greater_than_equal",
            at,
            &message,
            value,
            Some(json!({ "ge": least })),
        );
        return None;
    }
    if most < i64::MAX && number > i128::from(most) {
        let message = format!("Input should be less than or equal to {most}");
        mistakes.add(
            "less_than_equal",
            at,
            &message,
            value,
            Some(json!({ "le": most })),
        );
        return None;
    }
    let number = i64::try_from(number).ok();
    if number.is_none() {
        mistakes.add(TOO_LARGE.0, at, TOO_LARGE.1, value, None);
    }
    number
}

/// A number; it may be infinite or none.
pub(super) fn real(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<f64> {
    let number = match value {
        Value::Number(number) => real_of(number.as_str()),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => {
            let number = real_in(text);
            if number.is_none() {
                let message = "Input should be a valid number, unable to parse string as a number";
                mistakes.add("float_parsing", at, message, value, None);
                return None;
            }
            number
        }
        _ => None,
    };
    if number.is_none() {
        mistakes.add("float_type", at, "Input should be a valid number", value, None);
    }
    number
}

/// A number that is one.
pub(super) fn finite(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<f64> {
    let number = real(value, at, mistakes)?;
    if number.is_finite() {
        return Some(number);
    }
    mistakes.add(INFINITE.0, at, INFINITE.1, value, None);
    None
}

/// A number from 0 to 1.
pub(super) fn fraction(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<f64> {
    let number = real(value, at, mistakes)?;
    if number.is_nan() || number > 1.0 {
        let message = "Input should be less than or equal to 1";
        mistakes.add("less_than_equal", at, message, value, Some(json!({ "le": 1.0 })));
        return None;
    }
    if number < 0.0 {
        let message = "Input should be greater than or equal to 0";
        mistakes.add(
            "greater_than_equal",
            at,
            message,
            value,
            Some(json!({ "ge": 0.0 })),
        );
        return None;
    }
    Some(number)
}

/// A truth value.
pub(super) fn flag(value: &Value, at: &[Value], mistakes: &mut Mistakes) -> Option<bool> {
    let unclear: Refusal = (
        "bool_parsing",
        "Input should be a valid boolean, unable to interpret input",
    );
    let no_flag: Refusal = ("bool_type", "Input should be a valid boolean");
    let read = match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) => match text.to_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
            "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
            _ => Err(unclear),
        },
        Value::Number(number) => match whole(number.as_str()) {
            Ok(1) => Ok(true),
            Ok(0) => Ok(false),
            Ok(number) if i64::try_from(number).is_ok() => Err(unclear),
            _ => Err(no_flag),
        },
        _ => Err(no_flag),
    };
    read.map_err(|(kind, message)| mistakes.add(kind, at, message, value, None))
        .ok()
}

/// Whether a number of JSON is written as a whole one.
fn is_whole(json: &str) -> bool {
    !json.contains(['.', 'e', 'E'])
}

/// A number of JSON, if it is whole. Beyond 128 bits it is only large.
fn whole(json: &str) -> Result<i128, Refusal> {
    if is_whole(json) {
        return whole_in(json);
    }
    let number: f64 = json.parse().map_err(|_| NO_INTEGER)?;
    if !number.is_finite() {
        return Err(INFINITE);
    }
    if number.fract() != 0.0 {
        let message = "Input should be a valid integer, got a number with a fractional part";
        return Err(("int_from_float", message));
    }
    // The first beyond 64 bits.
    if number.abs() >= 9_223_372_036_854_775_808.0 {
        return Err(TOO_LARGE);
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded above")]
    let number = number as i128;
    Ok(number)
}

/// A text that is a whole number: digits that single underscores may part, behind them no fraction or one of zeros.
fn whole_in(text: &str) -> Result<i128, Refusal> {
    let text = text.trim();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match digits.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => digits,
        Some(_) => return Err(NO_INTEGER),
        None => digits,
    };
    let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    if !digits.split('_').all(is_group) {
        return Err(NO_INTEGER);
    }
    let digits = digits.replace('_', "");
    let digits = digits.trim_start_matches('0');
    if digits.len() > DIGITS_MAX {
        return Err(TOO_LARGE);
    }
    let number = if digits.is_empty() {
        0
    } else {
        digits.parse().unwrap_or(i128::MAX)
    };
    Ok(if is_negative { -number } else { number })
}

/// A number of JSON. A whole one that is too large is none, any other is infinite.
fn real_of(json: &str) -> Option<f64> {
    let number: f64 = json.parse().ok()?;
    (number.is_finite() || !is_whole(json)).then_some(number)
}

/// A text that is a number; single underscores may stand within it.
fn real_in(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_parted = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    if is_parted && text.contains('_') {
        return text.replace('_', "").parse().ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::HttpError;

    /// What is read, or the kind of the mistake.
    fn read<T>(
        json: &str,
        reader: impl Fn(&Value, &[Value], &mut Mistakes) -> Option<T>,
    ) -> Result<T, String> {
        let value = serde_json::from_str(json).unwrap();
        let mut mistakes = Mistakes::default();
        let read = reader(&value, &[], &mut mistakes);
        mistakes.finish(read).map_err(|error| match error {
            HttpError::Invalid(mistakes) => mistakes[0].kind.clone(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn whole_numbers_have_many_spellings() {
        let any = |value: &Value, at: &[Value], mistakes: &mut Mistakes| {
            integer(value, at, i64::MIN..=i64::MAX, mistakes)
        };
        for (json, expected) in [
            ("5", 5),
            ("5.0", 5),
            ("1e1", 10),
            ("1.0E2", 100),
            ("-0.0", 0),
            ("1e-400", 0),
            ("true", 1),
            ("9223372036854775807", i64::MAX),
            ("9007199254740993.0", 9_007_199_254_740_992),
            (r#"" 5 ""#, 5),
            (r#""+5""#, 5),
            (r#""-5.0""#, -5),
            (r#""5.00""#, 5),
            (r#""1_000.0""#, 1000),
            (r#""00_5""#, 5),
            (r#""-0""#, 0),
        ] {
            assert_eq!(read(json, any), Ok(expected), "{json}");
        }
        for (json, kind) in [
            ("5.5", "int_from_float"),
            ("1e400", "finite_number"),
            ("1e19", "int_parsing_size"),
            ("9223372036854775808", "int_parsing_size"),
            ("null", "int_type"),
            ("[]", "int_type"),
            (r#""5.""#, "int_parsing"),
            (r#"".0""#, "int_parsing"),
            (r#""1__0""#, "int_parsing"),
            (r#""_1""#, "int_parsing"),
            (r#""1_""#, "int_parsing"),
            (r#""1.0_0""#, "int_parsing"),
            (r#""1e3""#, "int_parsing"),
            (r#""5.5""#, "int_parsing"),
            (r#""--5""#, "int_parsing"),
            (r#""+ 5""#, "int_parsing"),
            (r#""٥""#, "int_parsing"),
            (r#""""#, "int_parsing"),
        ] {
            assert_eq!(read(json, any), Err(kind.to_owned()), "{json}");
        }
        let long = format!("\"{}\"", "1".repeat(DIGITS_MAX + 1));
        assert_eq!(read(&long, any), Err("int_parsing_size".to_owned()));
    }

    #[test]
    fn a_range_is_what_a_large_number_breaks_first() {
        let some =
            |value: &Value, at: &[Value], mistakes: &mut Mistakes| integer(value, at, 1..=10, mistakes);
        for (json, kind) in [
            ("11", "less_than_equal"),
            ("99999999999999999999", "less_than_equal"),
            (
                r#""99999999999999999999999999999999999999999999""#,
                "less_than_equal",
            ),
            (r#""-99999999999999999999.0""#, "greater_than_equal"),
            ("-0.0", "greater_than_equal"),
            ("1e19", "int_parsing_size"),
        ] {
            assert_eq!(read(json, some), Err(kind.to_owned()), "{json}");
        }
        assert_eq!(read(r#""1_0.0""#, some), Ok(10));
    }

    #[test]
    fn numbers_have_many_spellings() {
        for (json, expected) in [
            ("true", 1.0),
            (r#"" 1.5 ""#, 1.5),
            (r#""1_000.0""#, 1000.0),
            (r#""1_e1""#, 10.0),
            (r#""5.""#, 5.0),
            (r#"".5""#, 0.5),
            ("123456789012345678901234567890", 1.234_567_890_123_456_8e29),
            ("1e400", f64::INFINITY),
            (r#""-inf""#, f64::NEG_INFINITY),
        ] {
            assert_eq!(
                read(json, real).map(f64::to_bits),
                Ok(f64::to_bits(expected)),
                "{json}"
            );
        }
        let long = "1".repeat(400);
        for (json, kind) in [
            (r#""1__0""#, "float_parsing"),
            (r#""_1""#, "float_parsing"),
            (r#""1_""#, "float_parsing"),
            (r#""5,0""#, "float_parsing"),
            (r#""""#, "float_parsing"),
            ("null", "float_type"),
            ("{}", "float_type"),
            (&long, "float_type"),
        ] {
            assert_eq!(read(json, real), Err(kind.to_owned()), "{json}");
        }
        for json in ["1e400", r#""Infinity""#, r#""nan""#, r#""1e999""#] {
            assert_eq!(read(json, finite), Err("finite_number".to_owned()), "{json}");
        }
        for (json, kind) in [
            ("1.0000000000000002", "less_than_equal"),
            (r#""nan""#, "less_than_equal"),
            (r#""inf""#, "less_than_equal"),
            ("-1", "greater_than_equal"),
            (r#""-inf""#, "greater_than_equal"),
        ] {
            assert_eq!(read(json, fraction), Err(kind.to_owned()), "{json}");
        }
        assert_eq!(read(r#""0.2_5""#, fraction), Ok(0.25));
    }

    #[test]
    fn truth_has_several_spellings() {
        for (json, expected) in [
            ("true", true),
            (r#""YES""#, true),
            ("1", true),
            ("1e0", true),
            ("0.0", false),
            ("-0.0", false),
            (r#""off""#, false),
        ] {
            assert_eq!(read(json, flag), Ok(expected), "{json}");
        }
        for (json, kind) in [
            ("2", "bool_parsing"),
            ("2.0", "bool_parsing"),
            ("1e1", "bool_parsing"),
            (r#""1.0""#, "bool_parsing"),
            (r#"" true""#, "bool_parsing"),
            (r#""""#, "bool_parsing"),
            ("3.5", "bool_type"),
            ("9223372036854775808", "bool_type"),
            ("1e19", "bool_type"),
            ("1e400", "bool_type"),
            ("null", "bool_type"),
            ("[]", "bool_type"),
        ] {
            assert_eq!(read(json, flag), Err(kind.to_owned()), "{json}");
        }
    }
}
