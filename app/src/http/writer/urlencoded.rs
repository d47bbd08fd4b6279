//! Forms of the kind that holds no files, where a file is wanted: what stands in its place is told back.

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use percent_encoding::percent_decode;

use super::disposition::latin1;
use super::{FIELDS_MAX, TEXT_MAX, wrong};
use crate::http::error::HttpError;
use crate::http::request::{INPUT_MAX, unread};

/// So much of a field is kept: more than is told back, each byte written as three.
const KEPT: usize = 3 * (INPUT_MAX + 10);

/// A field that is being read.
#[derive(Default)]
struct Field {
    kept: Vec<u8>,
    length: usize,
}

/// The text of the field `name` in a body of at most `most` bytes; of several the last counts.
pub(super) async fn text(body: Body, name: &str, most: usize) -> Result<Option<String>, HttpError> {
    let (mut body, mut left) = (body.into_data_stream(), most);
    let (mut field, mut count, mut found) = (Field::default(), 0, None);
    while let Some(bytes) = body.next().await {
        let bytes = bytes.map_err(|_| HttpError::unreadable())?;
        let rest = left.checked_sub(bytes.len());
        left = rest.ok_or_else(|| unread(StatusCode::PAYLOAD_TOO_LARGE))?;
        for (index, run) in bytes.split(|byte| *byte == b'&').enumerate() {
            if index > 0 {
                field.end(name, &mut count, &mut found)?;
            }
            field.add(run)?;
        }
    }
    field.end(name, &mut count, &mut found)?;
    Ok(found)
}

impl Field {
    fn add(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        self.length += bytes.len();
        // The sign between name and text does not count.
        if self.length > TEXT_MAX + 1 {
            let text = format!("Field exceeded maximum size of {}KB.", TEXT_MAX / 1024);
            return Err(wrong(&text));
        }
        let room = (KEPT - self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        Ok(())
    }

    /// Ends the field, unless there is none between two signs, and begins another.
    fn end(&mut self, wanted: &str, count: &mut usize, found: &mut Option<String>) -> Result<(), HttpError> {
        if self.length == 0 {
            return Ok(());
        }
        *count += 1;
        if *count > FIELDS_MAX {
            return Err(wrong(&format!(
                "Too many fields. Maximum number of fields is {FIELDS_MAX}."
            )));
        }
        let mut halves = self.kept.splitn(2, |byte| *byte == b'=');
        let name = halves.next().map(decoded);
        if name.as_deref() == Some(wanted) {
            *found = Some(halves.next().map(decoded).unwrap_or_default());
        }
        self.kept.clear();
        self.length = 0;
        Ok(())
    }
}

/// What the signs stand for: UTF-8 where it is written in percents, else each byte as a character.
fn decoded(text: &[u8]) -> String {
    let text: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    text.chunk_by(|left, right| left.is_ascii() == right.is_ascii())
        .map(|run| {
            if run.is_ascii() {
                percent_decode(run).decode_utf8_lossy().into_owned()
            } else {
                latin1(run)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    async fn read(form: &[u8], at_once: usize) -> Result<Option<String>, HttpError> {
        let pieces: Vec<_> = form
            .chunks(at_once)
            .map(|piece| std::io::Result::Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        text(body, "file", 3 * 1024 * 1024).await
    }

    #[tokio::test]
    async fn the_text_of_a_field_is_found_however_it_comes() {
        for (form, expected) in [
            (&b""[..], None),
            (b"file", Some("")),
            (b"file=abc", Some("abc")),
            (b"&&file=abc&&other=x&", Some("abc")),
            (b"file=a&file=b=c", Some("b=c")),
            (b"f%69le=a+%2B%C3%A9%ff\xe9", Some("a +é\u{fffd}é")),
            (b"files=a&=b", None),
        ] {
            for at_once in [1, 3, 100] {
                let found = read(form, at_once).await.unwrap();
                assert_eq!(found.as_deref(), expected, "{}", latin1(form));
            }
        }
    }

    #[tokio::test]
    async fn fields_have_a_number_and_a_length() {
        for (form, told) in [
            (b"a&".repeat(1_000), None),
            (
                b"a&".repeat(1_001),
                Some("Too many fields. Maximum number of fields is 1000."),
            ),
            ([&b"a="[..], &vec![b'x'; 1_048_575]].concat(), None),
            (
                [&b"a="[..], &vec![b'x'; 1_048_576]].concat(),
                Some("Field exceeded maximum size of 1024KB."),
            ),
        ] {
            match (read(&form, 10_000).await, told) {
                (Ok(found), None) => assert_eq!(found, None),
                (Err(HttpError::Detail(_, text)), Some(told)) => assert_eq!(text, told),
                (other, _) => panic!("{other:?}"),
            }
        }
        let long = [&b"file="[..], &vec![b'x'; 20_000]].concat();
        assert!(read(&long, 10_000).await.unwrap().unwrap().len() > INPUT_MAX);
    }
}
