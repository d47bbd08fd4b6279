//! Reading a multipart body piece by piece, as the original's reader does (`docs/decisions/0012`).
//!
//! What has come and was not handed on yet is one piece of the body, a line of a part's head, and less than a delimiter.

use axum::body::{Body, BodyDataStream};
use axum::http::StatusCode;
use futures_util::StreamExt as _;
use futures_util::stream::Fuse;

use super::wrong;
use crate::http::error::HttpError;
use crate::http::request::unread;

/// The longest boundary.
const BOUNDARY_MAX: usize = 256;
/// The most headers of a part.
const HEADERS_MAX: usize = 8;
/// The longest line of a part's head, without its end.
const LINE_MAX: usize = 4_224;

/// A multipart body that is being read.
pub(super) struct Multipart {
    body: Fuse<BodyDataStream>,
    /// How many bytes of the body may still come.
    left: usize,
    /// What has come; before `at` it is read.
    buffer: Vec<u8>,
    at: usize,
    /// What stands between a part's content and what follows it, up to the boundary's end.
    delimiter: Vec<u8>,
    place: Place,
}

/// Where in the body the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first delimiter.
    Start,
    /// At the head of a part.
    Head,
    /// In the content of a part.
    Content,
    /// Behind the last delimiter, or at the end of a body without it.
    End,
}

/// The headers of a part that matter, as they were written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The last `Content-Disposition`.
    pub(super) disposition: Vec<u8>,
    /// The first `Content-Type`.
    pub(super) content_type: Option<Vec<u8>>,
}

/// What comes next in the content of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// These bytes, at least one.
    Bytes(&'a [u8]),
    /// Nothing: the part is whole.
    Whole,
    /// Nothing: the body ended before the part did.
    Cut,
}

impl Multipart {
    /// Of a body of at most `most` bytes.
    pub(super) fn new(body: Body, boundary: &[u8], most: usize) -> Result<Self, HttpError> {
        if boundary.len() > BOUNDARY_MAX {
            return Err(invalid());
        }
        Ok(Self {
            body: body.into_data_stream().fuse(),
            left: most,
            buffer: Vec::new(),
            at: 0,
            delimiter: [b"\r\n--", boundary].concat(),
            place: Place::Start,
        })
    }

    /// The head of the next part, once the content of the one before was read; `None` when the whole body was, or it ends in a head.
    pub(super) async fn part(&mut self) -> Result<Option<Head>, HttpError> {
        if self.place == Place::Start {
            self.place = self.first_delimiter().await?;
        }
        while self.place == Place::Content {
            self.piece().await?;
        }
        if self.place == Place::Head
            && let Some(head) = self.head().await?
        {
            self.place = Place::Content;
            return Ok(Some(head));
        }
        self.place = Place::End;
        // What stands behind the last delimiter is nothing.
        self.at = self.buffer.len();
        while self.more().await? {
            self.at = self.buffer.len();
        }
        Ok(None)
    }

    /// The next piece of the part's content.
    pub(super) async fn piece(&mut self) -> Result<Piece<'_>, HttpError> {
        let length = loop {
            let rest = self.rest();
            let length = content(rest, &self.delimiter);
            if length > 0 {
                break length;
            }
            let next = match rest.strip_prefix(&*self.delimiter) {
                Some([b'\r', b'\n', ..]) => Some(Place::Head),
                Some([b'-', b'-', ..]) => Some(Place::End),
                Some([b' ' | b'\t', ..]) => {
                    self.at += self.delimiter.len();
                    self.place = self.behind_blanks().await?;
                    return Ok(match self.place {
                        Place::Head => Piece::Whole,
                        _ => Piece::Cut,
                    });
                }
                _ => None,
            };
            if let Some(next) = next {
                self.at += self.delimiter.len() + 2;
                self.place = next;
                return Ok(Piece::Whole);
            }
            if !self.more().await? {
                self.place = Place::End;
                return Ok(Piece::Cut);
            }
        };
        let start = self.at;
        self.at += length;
        Ok(Piece::Bytes(&self.buffer[start..self.at]))
    }

    /// Reads the delimiter that everything begins with.
    async fn first_delimiter(&mut self) -> Result<Place, HttpError> {
        self.fill(1).await?;
        if let [b'\r' | b'\n', ..] = self.rest() {
            // Behind an empty line everything up to a hyphen is passed over.
            while !self.rest().contains(&b'-') {
                self.at = self.buffer.len();
                if !self.more().await? {
                    return Ok(Place::End);
                }
            }
            let before = self.rest().iter().take_while(|byte| **byte != b'-');
            self.at += before.count();
        }
        let length = self.delimiter.len();
        self.fill(length).await?;
        let rest = self.rest();
        let came = rest.len().min(length - 2);
        if rest[..came] != self.delimiter[2..][..came] {
            return Err(invalid());
        }
        let place = match &rest[came..] {
            [b'\r', b'\n', ..] => Place::Head,
            [b'-', b'-', ..] | [] | [b'\r' | b'-'] => Place::End,
            _ => return Err(invalid()),
        };
        self.at += length.min(rest.len());
        Ok(place)
    }

    /// Behind a delimiter there may be blanks, and then the end of its line must follow.
    async fn behind_blanks(&mut self) -> Result<Place, HttpError> {
        loop {
            match self.rest() {
                [b' ' | b'\t', ..] => self.at += 1,
                [b'\r', b'\n', ..] => {
                    self.at += 2;
                    return Ok(Place::Head);
                }
                [] | [b'\r'] => {
                    if !self.more().await? {
                        return Ok(Place::End);
                    }
                }
                _ => return Err(invalid()),
            }
        }
    }

    /// The headers up to the empty line; `None` if the body ends before.
    async fn head(&mut self) -> Result<Option<Head>, HttpError> {
        let (mut head, mut count) = (Head::default(), 0);
        loop {
            let Some(line) = self.line().await? else {
                return Ok(None);
            };
            if line.is_empty() {
                return Ok(Some(head));
            }
            count += 1;
            let Some((name, value)) = header(&line).filter(|_| count <= HEADERS_MAX) else {
                return Err(invalid());
            };
            if name.eq_ignore_ascii_case(b"content-disposition") {
                head.disposition = value.to_vec();
            } else if name.eq_ignore_ascii_case(b"content-type") {
                head.content_type.get_or_insert_with(|| value.to_vec());
            }
        }
    }

    /// The next line of a head, without its end; `None` if the body ends before.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let mut seen = 0;
        loop {
            let rest = self.rest();
            let end = rest[seen..].iter().position(|byte| *byte == b'\r');
            let length = end.map_or(rest.len(), |end| seen + end);
            if length > LINE_MAX {
                return Err(invalid());
            }
            if end.is_some() && self.fill(length + 2).await? {
                let rest = self.rest();
                if rest[length + 1] != b'\n' {
                    return Err(invalid());
                }
                let line = rest[..length].to_vec();
                self.at += length + 2;
                return Ok(Some(line));
            }
            if !self.more().await? {
                let name = self.rest().split(|byte| *byte == b':').next();
                let is_begun = length == 0 || name.is_some_and(is_token);
                return if is_begun { Ok(None) } else { Err(invalid()) };
            }
            seen = length;
        }
    }

    /// What has come and is not read yet.
    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Waits for `length` bytes; whether so many came.
    async fn fill(&mut self, length: usize) -> Result<bool, HttpError> {
        while self.rest().len() < length {
            if !self.more().await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for more of the body; whether there was more.
    async fn more(&mut self) -> Result<bool, HttpError> {
        let Some(bytes) = self.body.next().await else {
            return Ok(false);
        };
        let bytes = bytes.map_err(|_| HttpError::unreadable())?;
        let left = self.left.checked_sub(bytes.len());
        self.left = left.ok_or_else(|| unread(StatusCode::PAYLOAD_TOO_LARGE))?;
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(&bytes);
        Ok(true)
    }
}

/// How many of the bytes are content, whatever comes behind them. A delimiter holds no other CR, so that nothing is looked at more than twice.
fn content(bytes: &[u8], delimiter: &[u8]) -> usize {
    let mut from = 0;
    while let Some(next) = bytes[from..].iter().position(|byte| *byte == b'\r') {
        from += next;
        if may_end(&bytes[from..], delimiter) {
            return from;
        }
        from += 1;
    }
    bytes.len()
}

/// Whether a part ends here, or may, once more has come. A line that only begins with the boundary is content.
fn may_end(bytes: &[u8], delimiter: &[u8]) -> bool {
    match bytes.strip_prefix(delimiter) {
        None => delimiter.starts_with(bytes),
        Some(behind) => matches!(
            behind,
            [] | [b'\r' | b'-'] | [b'\r', b'\n', ..] | [b'-', b'-', ..] | [b' ' | b'\t', ..]
        ),
    }
}

/// The name and the value of a header; `None` if it is none.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let blanks = value.iter().take_while(|byte| **byte == b' ').count();
    (!name.is_empty() && is_token(name)).then(|| (name, &value[blanks..]))
}

/// Whether a header's name may hold this.
fn is_token(name: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    name.iter().all(fits)
}

fn invalid() -> HttpError {
    wrong("Invalid multipart data.")
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    /// The parts of a body that comes in pieces of so many bytes: type and content, and whether the last one was cut; or why it is no form.
    async fn read(body: &[u8], at_once: usize) -> Result<Vec<(String, String)>, String> {
        let pieces: Vec<_> = body
            .chunks(at_once)
            .map(|piece| std::io::Result::Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        parts(body).await.map_err(|error| match error {
            HttpError::Detail(status, text) => format!("{} {text}", status.as_u16()),
            other => panic!("{other:?}"),
        })
    }

    async fn parts(body: Body) -> Result<Vec<(String, String)>, HttpError> {
        let mut multipart = Multipart::new(body, b"XbX", 100_000)?;
        let mut parts = Vec::new();
        while let Some(head) = multipart.part().await? {
            let mut content = Vec::new();
            loop {
                match multipart.piece().await? {
                    Piece::Bytes(bytes) => {
                        assert!(!bytes.is_empty());
                        content.extend_from_slice(bytes);
                    }
                    Piece::Whole => break,
                    Piece::Cut => {
                        content.extend_from_slice(b" (cut)");
                        break;
                    }
                }
            }
            let kind = String::from_utf8(head.content_type.unwrap_or_default()).unwrap();
            parts.push((kind, String::from_utf8(content).unwrap()));
        }
        Ok(parts)
    }

    /// Reads the body in pieces of several lengths, which must make no difference.
    async fn contents(body: &str) -> Result<Vec<String>, String> {
        let whole = read(body.as_bytes(), body.len().max(1)).await;
        for at_once in 1..body.len().min(20) {
            assert_eq!(read(body.as_bytes(), at_once).await, whole, "{at_once} {body:?}");
        }
        whole.map(|parts| parts.into_iter().map(|(_, content)| content).collect())
    }

    #[tokio::test]
    async fn a_part_ends_at_its_boundary_and_nowhere_else() {
        for content in [
            "",
            "hello",
            "\r",
            "\r\n",
            "\r\n--XbXtra line\r\nmore",
            "\r\n--XbX-\r\n--XbX\r-\r\n--Xb",
            "\r\r\n--XbX\r",
            "\n--XbX\n--XbX--\n",
            "--XbX--",
            "\r\n--XbX_\r\n--XbX_",
        ] {
            for end in ["\r\n--XbX--", "\r\n--XbX--\r\nwhat follows\r\n--XbX\r\n"] {
                let body = format!("--XbX\r\nA: b\r\n\r\n{content}{end}");
                assert_eq!(contents(&body).await.unwrap(), [content], "{body:?}");
            }
            for blanks in ["", " ", "\t \t"] {
                let body = format!("--XbX\r\n\r\n{content}\r\n--XbX{blanks}\r\n\r\n2\r\n--XbX--");
                assert_eq!(contents(&body).await.unwrap(), [content, "2"], "{body:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_body_may_end_anywhere() {
        let body = "--XbX\r\nA: b\r\n\r\n1\r\n--XbX \r\nA: b\r\n\r\n2\r\n--XbX--";
        let first = body.find("1\r").unwrap() + "1\r\n--XbX \r\n".len();
        let second = body.find("2\r").unwrap();
        for length in 0..body.len() {
            let read = contents(&body[..length]).await.unwrap();
            match read.len() {
                0 => assert!(length < body.find('1').unwrap()),
                1 => assert_eq!(read[0] == "1", length >= first, "{length} {read:?}"),
                _ => {
                    assert_eq!(read[0], "1");
                    assert!(
                        length >= second && read[1].ends_with(" (cut)"),
                        "{length} {read:?}"
                    );
                }
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        let told = Err("400 Invalid multipart data.".to_owned());
        let (eight, nine) = ("A: b\r\n".repeat(8), "A: b\r\n".repeat(9));
        let longest = format!("Name:{}\r\n", "x".repeat(LINE_MAX - 5));
        for (start, is_form) in [
            ("--XbX\r\nA: b\r\n", true),
            ("\r\n--XbX\r\nA: b\r\n", true),
            ("\nanything--XbX\r\n", true),
            ("before\r\n--XbX\r\n", false),
            ("\r\na-b\r\n--XbX\r\n", false),
            ("--XbY\r\n", false),
            ("--XbX \r\n", false),
            ("--XbX\r--XbX\r\n", false),
            ("--XbX-\r\n", false),
            ("--XbX\n", false),
            ("--XbX\r\nA: b\n\r\n", true),
            ("--XbX\r\nA: b\r\r\n", false),
            ("--XbX\r\nA : b\r\n", false),
            ("--XbX\r\nA\r\n", false),
            ("--XbX\r\n: b\r\n", false),
            ("--XbX\r\n\r: b\r\n", false),
            (&format!("--XbX\r\n{eight}"), true),
            (&format!("--XbX\r\n{nine}"), false),
            (&format!("--XbX\r\n{longest}"), true),
            (&format!("--XbX\r\n {longest}"), false),
            (&format!("--XbX\r\nA{longest}"), false),
        ] {
            let body = format!("{start}\r\nx\r\n--XbX--");
            let expected = if is_form {
                Ok(vec!["x".to_owned()])
            } else {
                told.clone()
            };
            assert_eq!(contents(&body).await, expected, "{body:?}");
        }
        for behind in ["x", " x", " \rx", "\t--"] {
            let body = format!("--XbX\r\n\r\nx\r\n--XbX {behind}\r\n--XbX--");
            assert_eq!(contents(&body).await, told, "{body:?}");
        }
        assert_eq!(contents("--XbX\r\nA b").await, told);
        assert!(Multipart::new(Body::empty(), &[b'x'; 256], 1).is_ok());
        assert!(Multipart::new(Body::empty(), &[b'x'; 257], 1).is_err());
    }

    #[tokio::test]
    async fn of_two_headers_the_first_type_counts_and_the_last_disposition() {
        let body = "--XbX\r\nContent-Type:  a \r\ncontent-type: b\r\nContent-Disposition: c\r\nCONTENT-DISPOSITION: \td\r\n\r\n";
        let mut multipart = Multipart::new(Body::from(body), b"XbX", 1_000).unwrap();
        let expected = Head {
            disposition: b"\td".to_vec(),
            content_type: Some(b"a ".to_vec()),
        };
        assert_eq!(multipart.part().await.unwrap(), Some(expected));
    }

    #[tokio::test]
    async fn little_is_held_and_nothing_is_read_often() {
        // Lines that begin as the delimiter does, a head that does not end, and blanks behind a delimiter.
        for (start, again) in [
            ("--XbX\r\n\r\n", "\r\n--XbY"),
            ("--XbX\r\n\r\n", "\r"),
            ("--XbX\r\nA:", "x"),
            ("\r\n", "x"),
            ("--XbX\r\n\r\n\r\n--XbX", " "),
        ] {
            let body = [start, &again.repeat(90_000 / again.len())].concat();
            let pieces: Vec<_> = body
                .bytes()
                .map(|byte| std::io::Result::Ok(Bytes::from(vec![byte])))
                .collect();
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            let mut multipart = Multipart::new(body, b"XbX", 100_000).unwrap();
            let mut most = 0;
            while let Ok(Some(_)) = multipart.part().await {
                while let Ok(Piece::Bytes(_)) = multipart.piece().await {
                    most = most.max(multipart.buffer.len());
                }
            }
            most = most.max(multipart.buffer.len());
            assert!(most <= LINE_MAX + 2, "{start:?} {again:?}: {most}");
        }
        let long = read(&vec![b'\r'; 100_001], 1_000).await;
        assert_eq!(
            long.unwrap_err(),
            "413 The body is larger than this service accepts"
        );
    }
}
