//! Why a text is no JSON, as the originals' reader of JSON puts it.

/// A place in a text, in bytes, and what is wrong there.
type Mistake = (usize, &'static str);

/// Deeper ones are not looked into.
const DEPTH_MAX: usize = 500;

/// How many characters stand before the first mistake of a text, and what it is; `None` if their reader would read it, or if it is nested too
/// deeply to tell.
pub(super) fn first(text: &str) -> Option<(usize, &'static str)> {
    let mut reader = Reader {
        text: text.as_bytes(),
        at: 0,
        depth: 0,
    };
    let Err(Some((at, reason))) = reader.whole() else {
        return None;
    };
    // What stands within a character is counted to its beginning.
    let before = text.char_indices().take_while(|(start, _)| *start < at).count();
    Some((before, reason))
}

/// What reading comes to: a mistake, or none that can be told.
type Read = Result<(), Option<Mistake>>;

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn wrong(&self, reason: &'static str) -> Read {
        Err(Some((self.at, reason)))
    }

    fn blanks(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn whole(&mut self) -> Read {
        self.blanks();
        self.value()?;
        self.blanks();
        if self.at < self.text.len() {
            return self.wrong("Extra data");
        }
        Ok(())
    }

    fn value(&mut self) -> Read {
        match self.next() {
            Some(b'"') => return self.string(),
            Some(b'{') => return self.nested(Self::members),
            Some(b'[') => return self.nested(Self::items),
            _ => {}
        }
        let rest = &self.text[self.at..];
        let words = ["null", "true", "false", "NaN", "Infinity", "-Infinity"];
        let word = words.into_iter().find(|word| rest.starts_with(word.as_bytes()));
        match word.map(str::len).or_else(|| number(rest)) {
            Some(length) => self.at += length,
            None => return self.wrong("Expecting value"),
        }
        Ok(())
    }

    /// Reads what stands in brackets.
    fn nested(&mut self, inner: impl Fn(&mut Self) -> Read) -> Read {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(None);
        }
        self.at += 1;
        self.blanks();
        inner(self)?;
        self.at += 1;
        self.depth -= 1;
        Ok(())
    }

    /// The members of an object, up to its end.
    fn members(&mut self) -> Read {
        if self.next() == Some(b'}') {
            return Ok(());
        }
        loop {
            if self.next() != Some(b'"') {
                return self.wrong("Expecting property name enclosed in double quotes");
            }
            self.string()?;
            self.blanks();
            if self.next() != Some(b':') {
                return self.wrong("Expecting ':' delimiter");
            }
            self.at += 1;
            self.blanks();
            self.value()?;
            if self.is_last(b'}')? {
                return Ok(());
            }
        }
    }

    /// The items of a list, up to its end.
    fn items(&mut self) -> Read {
        if self.next() == Some(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if self.is_last(b']')? {
                return Ok(());
            }
        }
    }

    /// Whether the end follows, and not a comma.
    fn is_last(&mut self, end: u8) -> Result<bool, Option<Mistake>> {
        self.blanks();
        match self.next() {
            Some(found) if found == end => Ok(true),
            Some(b',') => {
                self.at += 1;
                self.blanks();
                Ok(false)
            }
            _ => Err(Some((self.at, "Expecting ',' delimiter"))),
        }
    }

    fn string(&mut self) -> Read {
        let unterminated = Err(Some((self.at, "Unterminated string starting at")));
        self.at += 1;
        loop {
            match self.next() {
                None => return unterminated,
                Some(b'"') => break,
                Some(b'\\') => match self.text.get(self.at + 1) {
                    None => return unterminated,
                    Some(b'u') => {
                        let digits = self.text.get(self.at + 2..self.at + 6);
                        let is_whole = self.at + 6 < self.text.len();
                        if !is_whole || !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
                        {
                            self.at += 1;
                            return self.wrong("Invalid \\uXXXX escape");
                        }
                        self.at += 6;
                    }
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                    Some(_) => return self.wrong("Invalid \\escape"),
                },
                Some(..b' ') => return self.wrong("Invalid control character at"),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }
}

/// The length of the number that a text begins with.
fn number(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        text[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut length = usize::from(text.first() == Some(&b'-'));
    length += match text.get(length) {
        Some(b'0') => 1,
        Some(b'1'..=b'9') => digits(length),
        _ => return None,
    };
    if text.get(length) == Some(&b'.') {
        match digits(length + 1) {
            0 => {}
            count => length += 1 + count,
        }
    }
    if matches!(text.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        match text
            .get(length + 1 + sign)
            .map_or(0, |_| digits(length + 1 + sign))
        {
            0 => {}
            count => length += 1 + sign + count,
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_told_with_its_place() {
        for (text, at, reason) in [
            ("", 0, "Expecting value"),
            (" ", 1, "Expecting value"),
            ("nul", 0, "Expecting value"),
            ("-", 0, "Expecting value"),
            ("01", 1, "Extra data"),
            ("1.", 1, "Extra data"),
            ("1e+", 1, "Extra data"),
            ("1 2", 2, "Extra data"),
            ("[1,]", 3, "Expecting value"),
            ("[1 2]", 3, "Expecting ',' delimiter"),
            ("[", 1, "Expecting value"),
            ("{", 1, "Expecting property name enclosed in double quotes"),
            (
                r#"{"a":1,}"#,
                7,
                "Expecting property name enclosed in double quotes",
            ),
            ("{'a':1}", 1, "Expecting property name enclosed in double quotes"),
            (r#"{"a" 1}"#, 5, "Expecting ':' delimiter"),
            (r#"{"a":"#, 5, "Expecting value"),
            (r#"{"title":"x""#, 12, "Expecting ',' delimiter"),
            (r#"{"é": 1x}"#, 7, "Expecting ',' delimiter"),
            ("\n\n{\"title\":\n", 12, "Expecting value"),
            (r#"{"title":"x"#, 9, "Unterminated string starting at"),
            (r#"["\"#, 1, "Unterminated string starting at"),
            (r#"["\x"]"#, 2, r"Invalid \escape"),
            (r#"["\u12"]"#, 3, r"Invalid \uXXXX escape"),
            (r#"["\u123"#, 3, r"Invalid \uXXXX escape"),
            ("[\"a\nb\"]", 3, "Invalid control character at"),
        ] {
            assert_eq!(first(text), Some((at, reason)), "{text}");
        }
    }

    #[test]
    fn what_their_reader_reads_has_none() {
        for text in [
            "NaN",
            "-Infinity",
            r#"["\ud800", -0.5e+3, {}, []]"#,
            " {\"a\" : [ 1 , true ] } ",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(first(&deep), None);
    }
}
