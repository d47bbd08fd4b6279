//! What the headers `Content-Type` and `Content-Disposition` say, as the original's framework reads them.

/// The names in the header of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    /// Of the field.
    pub(super) name: String,
    /// Of the file; a part without one is a text.
    pub(super) filename: Option<String>,
}

impl Disposition {
    /// Reads the header's bytes; `None` if it does not name the field.
    pub(super) fn read(header: &[u8]) -> Option<Self> {
        let parameters = Parameters::read(header);
        let filename = parameters.last("filename");
        Some(Self {
            name: decoded(&parameters.last("name")?),
            filename: filename.map(|name| decoded(without_folder(&name))),
        })
    }
}

/// Each byte as the character of its number.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// UTF-8 where the bytes are that, else each byte as a character.
pub(super) fn decoded(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| latin1(bytes), str::to_owned)
}

/// A header that is a word with parameters, such as a content type.
#[derive(Debug)]
pub(super) struct Parameters {
    /// The word, in small letters.
    pub(super) word: String,
    /// Their names, in small letters, and their values, as characters that are bytes.
    named: Vec<(String, String)>,
}

impl Parameters {
    /// Reads the header's bytes. A parameter without a value has an empty one.
    pub(super) fn read(header: &[u8]) -> Self {
        let header = latin1(header);
        let end = end_of_parameter(&header);
        let word = trimmed(&header[..end]).to_ascii_lowercase();
        let mut rest = header.get(end + 1..);
        let mut named = Vec::new();
        while let Some(text) = rest {
            let end = end_of_parameter(text);
            let (name, value) = text[..end].split_once('=').unwrap_or((&text[..end], ""));
            named.push((trimmed(name).to_ascii_lowercase(), unquoted(trimmed(value))));
            rest = text.get(end + 1..);
        }
        Self { word, named }
    }

    /// The bytes of a parameter; of one that stands twice the last counts.
    pub(super) fn last(&self, name: &str) -> Option<Vec<u8>> {
        let found = self.named.iter().rfind(|(other, _)| other == name);
        found.map(|(_, value)| {
            value
                .chars()
                .map(|byte| u8::try_from(byte).unwrap_or(b'?'))
                .collect()
        })
    }
}

/// Without the blanks around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Where the next semicolon is that does not stand in quotes; a quote that is never closed holds all that follows.
fn end_of_parameter(text: &str) -> usize {
    let mut in_quotes = false;
    let mut before = ' ';
    for (index, character) in text.char_indices() {
        match character {
            '"' if before != '\\' => in_quotes = !in_quotes,
            ';' if !in_quotes => return index,
            _ => {}
        }
        before = character;
    }
    text.len()
}

/// A value without its quotes; one that is not closed stays.
fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    match inner {
        Some(inner) => inner.replace("\\\\", "\\").replace("\\\"", "\""),
        None => value.to_owned(),
    }
}

/// The name alone, where an old browser sends the whole path of another system.
fn without_folder(name: &[u8]) -> &[u8] {
    let is_path = name.get(1..3) == Some(b":\\") || name.starts_with(b"\\\\");
    if is_path {
        name.rsplit(|byte| *byte == b'\\').next().unwrap_or(name)
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_many_spellings() {
        for (header, name, filename) in [
            (
                &br#"form-data; name="file"; filename="a.txt""#[..],
                "file",
                Some("a.txt"),
            ),
            (
                b"form-data; name=\"file\"; filename=\"caf\xe9.txt\"",
                "file",
                Some("caf\u{e9}.txt"),
            ),
            (
                "form-data; name=\"file\"; filename=\"café.txt\"".as_bytes(),
                "file",
                Some("café.txt"),
            ),
            (
                br#"form-data; name="file"; filename="unclosed"#,
                "file",
                Some("\"unclosed"),
            ),
            (br#"form-data; name="file"; filename"#, "file", Some("")),
            (
                br#"form-data; name=file; filename="unclosed; name=other"#,
                "file",
                Some("\"unclosed; name=other"),
            ),
            (br#"attachment;NAME=file;FILENAME = "U""#, "file", Some("U")),
            (
                b"form-data; name=\"file\"; filename=\"a\x01\n\x7f\xa0\"",
                "file",
                Some("a\u{1}\n\u{7f}\u{a0}"),
            ),
            (
                b"form-data; name=\"file\"; filename=\"\xe9:\\a.txt\"",
                "file",
                Some("a.txt"),
            ),
            (
                br#"form-data; name="file"; filename="a\"b;c""#,
                "file",
                Some("a\"b;c"),
            ),
            (
                br#"form-data; name="file"; filename="../../x""#,
                "file",
                Some("../../x"),
            ),
            (
                br#"form-data; name="file"; filename="C:\dir\a.txt""#,
                "file",
                Some("a.txt"),
            ),
            (
                br#"form-data; name="file"; filename="a"; filename="b""#,
                "file",
                Some("b"),
            ),
            (br#"form-data; name="file"; filename*=UTF-8''x"#, "file", None),
            (b"form-data; name='file'", "'file'", None),
        ] {
            let expected = Disposition {
                name: name.to_owned(),
                filename: filename.map(str::to_owned),
            };
            assert_eq!(Disposition::read(header), Some(expected), "{}", latin1(header));
        }
        for nameless in [&b"form-data"[..], b"", br#"form-data; filename="x""#] {
            assert_eq!(Disposition::read(nameless), None, "{}", latin1(nameless));
        }
    }

    #[test]
    fn content_types_come_in_many_spellings() {
        for (header, word, boundary) in [
            (
                "multipart/form-data; boundary=XbX",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "Multipart/Form-Data ; BOUNDARY=\"XbX\"",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "multipart/form-data;\tboundary= XbX ",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "multipart/form-data; boundary =XbX;",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "multipart/form-data;; boundary=XbX",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "multipart/form-data; foo; boundary=XbX",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "multipart/form-data; boundary=a; boundary=XbX",
                "multipart/form-data",
                Some("XbX"),
            ),
            (
                "multipart/form-data; x=\"a;b\"; boundary=XbX",
                "multipart/form-data",
                Some("XbX"),
            ),
            ("multipart/form-data; boundary=", "multipart/form-data", Some("")),
            ("multipart/form-data;", "multipart/form-data", None),
            (
                "multipart/form-data, boundary=XbX",
                "multipart/form-data, boundary=xbx",
                None,
            ),
            ("", "", None),
        ] {
            let read = Parameters::read(header.as_bytes());
            assert_eq!(read.word, word, "{header}");
            let boundary = boundary.map(|boundary| boundary.as_bytes().to_vec());
            assert_eq!(read.last("boundary"), boundary, "{header}");
        }
    }
}
