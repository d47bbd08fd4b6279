//! JSON columns: the document as text, with a value on demand.

use serde_json::Value;

/// A valid JSON document, kept as the text it was given in.
///
/// Two documents are equal when their values are: key order and blanks do not matter, and neither does the spelling
/// of a number beyond its value as an exact decimal. PostgreSQL's `jsonb` keeps that and no more.
#[derive(Clone)]
pub struct Json(Box<str>);

/// Text that is not JSON.
#[derive(Debug, thiserror::Error)]
#[error("not valid JSON: {0}")]
pub struct JsonError(#[from] serde_json::Error);

impl Json {
    /// Checks `text` and keeps it.
    pub fn parse(text: impl Into<Box<str>>) -> Result<Self, JsonError> {
        let text = text.into();
        let mut check = serde_json::Deserializer::from_str(&text);
        check.disable_recursion_limit();
        serde::Deserialize::deserialize(&mut check).and_then(|_: serde::de::IgnoredAny| check.end())?;
        Ok(Self(text))
    }

    /// Keeps text that a database has vouched for (a `jsonb` value, a column checked by `json_valid`).
    pub fn from_trusted(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The document of a value, in the spelling of the original applications: `", "` and `": "` between the parts,
    /// and every character beyond ASCII escaped.
    pub fn from_value(value: &Value) -> Self {
        let mut text = String::new();
        write_python(value, true, &mut text);
        Self(text.into())
    }

    /// The document of something that has one.
    pub fn of(document: &impl serde::Serialize) -> Result<Self, JsonError> {
        Ok(Self::from_value(&serde_json::to_value(document)?))
    }

    /// As [`Json::from_value`], with characters beyond ASCII left as they are (transcripts are written so).
    pub fn from_value_raw_text(value: &Value) -> Self {
        let mut text = String::new();
        write_python(value, false, &mut text);
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value; `null` if the document nests deeper than the parser goes.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }

    /// The value in the one form that every database gives back: of keys that stand twice the last, keys in order, each
    /// number in one spelling. `jsonb` keeps neither the order of keys nor the spelling of numbers, so what a client is
    /// shown must not depend on them.
    pub fn canonical(&self) -> Value {
        canonical(self.value())
    }

    /// A typed view of [`Json::canonical`]: the same, whichever database the document comes from.
    pub fn canonical_view<T: serde::de::DeserializeOwned>(&self) -> Result<T, JsonError> {
        Ok(serde_json::from_value(self.canonical())?)
    }

    /// A typed view of the document, or why it has none.
    pub fn view<T: serde::de::DeserializeOwned>(&self) -> Result<T, JsonError> {
        Ok(serde_json::from_str(&self.0)?)
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || same(&self.value(), &other.value())
    }
}

impl std::fmt::Debug for Json {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => decimal(&a.to_string()) == decimal(&b.to_string()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

fn canonical(value: Value) -> Value {
    match value {
        Value::Number(number) => canonical_number(&number.to_string()),
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(
                members
                    .into_iter()
                    .map(|(key, value)| (key, canonical(value)))
                    .collect(),
            )
        }
        other => other,
    }
}

/// The most digits a whole number is written out with; larger ones are rounded like those with a point.
const WHOLE_DIGITS_MAX: usize = 40;

/// A number without a point (once its exponent is applied, as `jsonb` does) is written out whole, another one as the
/// nearest double, and one that no double comes near as its digits and exponent.
fn canonical_number(text: &str) -> Value {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let places = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let scale = i64::try_from(places).unwrap_or(i64::MAX).saturating_sub(exponent);
    let (negative, digits, power) = decimal(text);
    let sign = if negative { "-" } else { "" };
    let zeros = usize::try_from(power).unwrap_or(usize::MAX);
    let spelling = if scale <= 0 && digits.len().saturating_add(zeros) <= WHOLE_DIGITS_MAX {
        let digits = if digits.is_empty() { "0" } else { digits.as_str() };
        format!("{sign}{digits}{}", "0".repeat(zeros))
    } else {
        match text.parse::<f64>() {
            // A zero has no sign in `jsonb`; adding one without takes it away.
            Ok(number) if number.is_finite() => return Value::from(number + 0.0),
            _ => format!("{sign}{digits}e{power}"),
        }
    };
    serde_json::from_str(&spelling).unwrap_or(Value::Null)
}

/// A JSON number as (negative, digits without outer zeros, exponent): equal exactly when the numbers are.
fn decimal(text: &str) -> (bool, String, i64) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(i64::MAX / 2);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    let fraction = i64::try_from(fraction.len()).unwrap_or(i64::MAX / 4);
    let dropped = i64::try_from(digits.len() - kept.len()).unwrap_or(0);
    (
        negative,
        kept.to_owned(),
        exponent.saturating_sub(fraction).saturating_add(dropped),
    )
}

/// Writes `value` as Python's `json.dumps` does (the original applications are Python).
fn write_python(value: &Value, escape: bool, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(text, escape, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_python(item, escape, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (key, item)) in members.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_string(key, escape, out);
                out.push_str(": ");
                write_python(item, escape, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, escape: bool, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || (escape && !c.is_ascii()) => {
                let mut units = [0_u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    write!(out, "\\u{unit:04x}").unwrap_or_default();
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn documents_compare_by_value() {
        assert_eq!(
            json(r#"{"a": 1, "b": [1.50, "é"]}"#),
            json(r#"{"b":[15e-1,"\u00e9"],"a":1}"#)
        );
        assert_eq!(json("0"), json("-0.0"));
        assert_ne!(json("12345678901234567890123"), json("12345678901234567890124"));
        assert_ne!(json("[1,2]"), json("[2,1]"));
        assert_ne!(json("null"), json("{}"));
    }

    #[test]
    fn values_are_spelt_as_python_spells_them() {
        let value = json(r#"{"k":["é😀",1.0,null,true,"a\"\\\n\u0001\u007f"]}"#).value();
        assert_eq!(
            Json::from_value(&value).as_str(),
            "{\"k\": [\"\\u00e9\\ud83d\\ude00\", 1.0, null, true, \"a\\\"\\\\\\n\\u0001\u{7f}\"]}"
        );
        assert_eq!(
            Json::from_value_raw_text(&json("\"é\"").value()).as_str(),
            "\"é\""
        );
    }

    /// The second of each pair is what `jsonb` makes of the first.
    #[test]
    fn the_canonical_value_does_not_depend_on_what_jsonb_forgets() {
        for (stored, kept) in [
            (
                r#"{"b": 1, "aa": [2], "a": null, "b": 3}"#,
                r#"{"a": null, "b": 3, "aa": [2]}"#,
            ),
            (
                "[1e2, 1.0e1, -0, -0.0, 1.50, 1.5e3, 0e9]",
                "[100, 10, 0, 0.0, 1.50, 1500, 0]",
            ),
            (
                "[1e-7, 12345678901234567890123, 1E+30]",
                "[0.0000001, 12345678901234567890123, 1000000000000000000000000000000]",
            ),
            ("1e50", "100000000000000000000000000000000000000000000000000"),
        ] {
            assert_eq!(
                json(stored).canonical().to_string(),
                json(kept).canonical().to_string()
            );
        }
        let shown = json(r#"{"b": [1e2, 1.50, 0.1e400, -2E-400], "a": 1.0}"#).canonical();
        assert_eq!(shown.to_string(), r#"{"a":1.0,"b":[100,1.5,1e+399,0.0]}"#);
    }

    #[test]
    fn text_that_is_no_json_is_refused() {
        for text in ["", "NaN", "{", "[1,]", "{'a':1}", "1 2", "undefined"] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
    }
}
