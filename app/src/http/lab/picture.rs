//! A picture as the original's framework sends a file: with what a client needs to keep it, and in part if it is asked for a part.

use std::io;
use std::path::Path;

use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A file's bytes, and when they were last changed.
pub(super) struct Picture {
    bytes: Vec<u8>,
    changed: Timestamp,
}

/// What is sent of a file.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    /// From one byte up to another.
    Bytes(usize, usize),
}

/// Why no part is sent.
#[derive(Debug, PartialEq, Eq)]
enum NoPart {
    /// In the words of the original's framework.
    Malformed(&'static str),
    BeyondEnd,
}

impl Picture {
    /// Reads a file. What is no ordinary one may have no end, or nobody who writes it.
    pub(super) async fn read(file: &Path) -> io::Result<Option<Self>> {
        let facts = tokio::fs::metadata(file).await?;
        if !facts.is_file() {
            return Ok(None);
        }
        let changed = facts.modified()?;
        Ok(Some(Self {
            bytes: tokio::fs::read(file).await?,
            changed: Timestamp::try_from(changed).unwrap_or(Timestamp::UNIX_EPOCH),
        }))
    }

    /// The answer to a request with these headers, under a name that a browser keeps it by.
    pub(super) fn answer(mut self, name: &str, asked: &HeaderMap) -> Response {
        let size = self.bytes.len();
        let tag = format!("\"{:x}-{size:x}\"", self.changed.as_microsecond());
        let changed = DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&self.changed)
            .unwrap_or_default();
        let wanted = asked.get(RANGE).filter(|_| {
            let only_if = asked.get(IF_RANGE);
            only_if.is_none_or(|known| known == tag.as_str() || known == changed.as_str())
        });
        let part = match wanted {
            Some(range) => part(&String::from_utf8_lossy(range.as_bytes()), size),
            None => Ok(Part::Whole),
        };
        let mut headers = HeaderMap::new();
        let mut tell = |header, value: &str| {
            // All of these are visible ASCII.
            headers.extend(HeaderValue::from_str(value).ok().map(|value| (header, value)));
        };
        tell(CONTENT_TYPE, "image/png");
        tell(CONTENT_DISPOSITION, &disposition(name));
        tell(ACCEPT_RANGES, "bytes");
        tell(LAST_MODIFIED, &changed);
        tell(ETAG, &tag);
        match part {
            Ok(Part::Whole) => (headers, self.bytes).into_response(),
            Ok(Part::Bytes(from, to)) => {
                tell(CONTENT_RANGE, &format!("bytes {from}-{}/{size}", to - 1));
                self.bytes.truncate(to);
                let bytes = self.bytes.split_off(from);
                (StatusCode::PARTIAL_CONTENT, headers, bytes).into_response()
            }
            Err(NoPart::Malformed(text)) => (StatusCode::BAD_REQUEST, text).into_response(),
            Err(NoPart::BeyondEnd) => {
                let sizes = [(CONTENT_RANGE, format!("bytes */{size}"))];
                (StatusCode::RANGE_NOT_SATISFIABLE, sizes).into_response()
            }
        }
    }
}

/// The name of a file that is to be kept, escaped where it needs to be.
fn disposition(name: &str) -> String {
    const ESCAPED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    let escaped = utf8_percent_encode(name, ESCAPED).to_string();
    if escaped == name {
        format!("attachment; filename=\"{name}\"")
    } else {
        format!("attachment; filename*=utf-8''{escaped}")
    }
}

/// Which part of so many bytes is asked for. Of several parts together all is sent.
fn part(range: &str, size: usize) -> Result<Part, NoPart> {
    let (unit, range) = range
        .split_once('=')
        .ok_or(NoPart::Malformed("Malformed range header."))?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Err(NoPart::Malformed("Only support bytes range"));
    }
    if range.contains(',') {
        return Ok(Part::Whole);
    }
    let none = NoPart::Malformed("Range header: range must be requested");
    let Some((from, to)) = range.trim().split_once('-') else {
        return Err(none);
    };
    // What is larger than any number is larger than the file.
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<usize>().unwrap_or(usize::MAX))
    };
    let (from, to) = match (number(from), number(to)) {
        (Some(from), Some(last)) if last < size => (from, last + 1),
        (Some(from), _) => (from, size),
        (None, Some(count)) => (size.saturating_sub(count), size),
        (None, None) => return Err(none),
    };
    if from >= size {
        return Err(NoPart::BeyondEnd);
    }
    if from > to {
        let text = "Range header: start must be less than end";
        return Err(NoPart::Malformed(text));
    }
    Ok(Part::Bytes(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_what_its_bounds_say() {
        for (range, expected) in [
            ("bytes=0-3", Ok(Part::Bytes(0, 4))),
            ("Bytes = 2-", Ok(Part::Bytes(2, 9))),
            ("bytes=-4", Ok(Part::Bytes(5, 9))),
            ("bytes=-99", Ok(Part::Bytes(0, 9))),
            ("bytes=8-99999999999999999999999", Ok(Part::Bytes(8, 9))),
            ("bytes=0-1,3-4", Ok(Part::Whole)),
            ("bytes=9-", Err(NoPart::BeyondEnd)),
            ("bytes=-0", Err(NoPart::BeyondEnd)),
            (
                "bytes=5-3",
                Err(NoPart::Malformed("Range header: start must be less than end")),
            ),
            (
                "bytes=-",
                Err(NoPart::Malformed("Range header: range must be requested")),
            ),
            ("lines=0-3", Err(NoPart::Malformed("Only support bytes range"))),
            ("bytes", Err(NoPart::Malformed("Malformed range header."))),
        ] {
            assert_eq!(part(range, 9), expected, "{range}");
        }
    }

    #[test]
    fn a_name_beyond_ascii_is_escaped() {
        assert_eq!(disposition("abc123.png"), "attachment; filename=\"abc123.png\"");
        assert_eq!(
            disposition("a \"é\".png"),
            "attachment; filename*=utf-8''a%20%22%C3%A9%22.png"
        );
    }
}
