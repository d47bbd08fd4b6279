//! JSON answers.

use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

use super::json_writer::JsonWriter;

/// A value that is answered as JSON.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

/// What a page takes, usually: one that grows while it is written is copied several times.
const BYTES_AT_FIRST: usize = 16 * 1024;

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut bytes = Vec::with_capacity(BYTES_AT_FIRST);
        if let Err(error) = self.0.serialize(JsonWriter(&mut bytes)) {
            tracing::error!(%error, "an answer cannot be written as JSON");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let kind = HeaderValue::from_static("application/json");
        ([(CONTENT_TYPE, kind)], Body::from(bytes)).into_response()
    }
}

/// Writes numbers as the originals do: those with a fraction or an exponent in the spelling of Python's floats.
pub(super) struct AsTheOriginals;

impl Formatter for AsTheOriginals {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: f64) -> io::Result<()> {
        // Here the shortest spelling is theirs too.
        if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
            return CompactFormatter.write_f64(writer, number);
        }
        writer.write_all(spelled(number).as_bytes())
    }

    fn write_number_str<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: &str) -> io::Result<()> {
        if number.contains(['.', 'e', 'E'])
            && let Some(number) = number.parse().ok().filter(|number: &f64| number.is_finite())
        {
            return self.write_f64(writer, number);
        }
        // Whole numbers have one zero.
        let number = if number == "-0" { "0" } else { number };
        writer.write_all(number.as_bytes())
    }
}

/// A number that is very small or very large: its digits, and an exponent of two digits at least.
fn spelled(number: f64) -> String {
    let text = format!("{number:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;
    use serde_json::{Value, json};

    use super::*;

    fn written(value: impl Serialize) -> String {
        let mut bytes = Vec::new();
        value.serialize(JsonWriter(&mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_are_spelled_as_in_python() {
        for (json, expected) in [
            ("1e1", "10.0"),
            ("0.00001", "1e-05"),
            ("1e-7", "1e-07"),
            ("-1.5E-10", "-1.5e-10"),
            ("0.0001", "0.0001"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("1.25e100", "1.25e+100"),
            ("5e-324", "5e-324"),
            ("-0.0", "-0.0"),
            ("0.10", "0.1"),
            ("-0", "0"),
            ("12345678901234567890", "12345678901234567890"),
            ("1e400", "1e+400"),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(written(&value), expected, "{json}");
            if let Some(number) = value.as_f64().filter(|_| json.contains(['.', 'e'])) {
                assert_eq!(written(number), expected, "{json}");
            }
        }
        let raw = RawValue::from_string("1e-7".to_owned()).unwrap();
        assert_eq!(written(json!({"a": [1, 0.5, "x"]})), r#"{"a":[1,0.5,"x"]}"#);
        assert_eq!(written(raw), "1e-7", "what is written already stays");
    }
}
