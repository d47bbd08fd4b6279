//! What the header `Content-Disposition` of a part says, as the original's framework reads it.

/// The names in the header of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    /// Of the field.
    pub(super) name: String,
    /// Of the file; a part without one is a text.
    pub(super) filename: Option<String>,
}

impl Disposition {
    /// Reads the header's bytes; `None` if it does not name the field. Of a name that stands twice the last one counts.
    pub(super) fn read(header: &[u8]) -> Option<Self> {
        let (mut name, mut filename) = (None, None);
        for (key, value) in parameters(&latin1(header)) {
            match key.as_str() {
                "name" => name = Some(value),
                "filename" => filename = Some(value),
                _ => {}
            }
        }
        Some(Self {
            name: decoded(&name?),
            filename: filename.map(|name| decoded(without_folder(&name))),
        })
    }
}

/// Each byte as the character of its number.
pub(super) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A text whose characters are bytes: UTF-8 where they are that.
fn decoded(text: &str) -> String {
    let bytes = text
        .chars()
        .map(|character| u8::try_from(character).unwrap_or(b'?'));
    String::from_utf8(bytes.collect()).unwrap_or_else(|_| text.to_owned())
}

/// The parameters behind the first semicolon. One without a value has an empty one.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut rest = header.split_once(';').map(|(_, rest)| rest);
    let mut found = Vec::new();
    while let Some(text) = rest {
        let end = end_of_parameter(text);
        let (key, value) = text[..end].split_once('=').unwrap_or((&text[..end], ""));
        found.push((key.trim().to_ascii_lowercase(), unquoted(value.trim())));
        rest = text.get(end + 1..);
    }
    found
}

/// Where the next semicolon is that does not stand in quotes.
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
    // A quote that is never closed is none.
    if in_quotes {
        text.find(';').unwrap_or(text.len())
    } else {
        text.len()
    }
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
fn without_folder(name: &str) -> &str {
    let is_path = name.get(1..3) == Some(":\\") || name.starts_with("\\\\");
    if is_path {
        name.rsplit('\\').next().unwrap_or(name)
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
            (br#"attachment;NAME=file;FILENAME = "U""#, "file", Some("U")),
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
}
