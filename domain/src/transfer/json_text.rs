//! JSON text, judged before a database sees it: whether it is valid (RFC 8259, as SQLite's `json_valid` has it), whether
//! `jsonb` can hold it, and whether it comes back from there in the same spelling.

use super::outcome::Reject;

/// JSON is read by recursion on the server, whose stack is bounded; SQLite itself stops at 1,000 (2,000 before 3.42).
const DEPTH_MAX: usize = 3_000;
/// A string or a container of `jsonb` holds at most so many bytes.
const JSONB_PART_MAX: usize = 0x0fff_ffff;
/// `numeric` has at most so many digits behind the point,
const NUMERIC_SCALE_MAX: i64 = 16_383;
/// and its first digit stands at most at this power of ten.
const NUMERIC_POWER_MAX: i64 = 131_071;

/// A valid document.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Why `jsonb` cannot hold it.
    pub jsonb: Option<Reject>,
    /// Whether an object has a key twice: `jsonb` keeps the last.
    pub duplicate_keys: bool,
    /// Whether `jsonb` writes it otherwise: blanks, order of keys, escapes, numbers.
    pub respelled: bool,
    /// Whether it is nested deeper than the server reads, as `json` or as `jsonb`.
    pub too_deep: bool,
}

/// Judges a document; none if it is not JSON. `text` is UTF-8 (that is checked elsewhere).
pub fn judge(text: &[u8]) -> Option<Verdict> {
    let mut scanner = Scanner {
        text,
        at: 0,
        verdict: Verdict::default(),
        keys: Vec::new(),
        open: Vec::new(),
    };
    scanner.document()?;
    if text.len() > JSONB_PART_MAX {
        scanner.refuse(Reject::TooLarge);
    }
    Some(scanner.verdict)
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    verdict: Verdict,
    /// The keys of all open objects, outermost first.
    keys: Vec<Key<'a>>,
    /// The open containers: for an object where its keys begin, for an array none.
    open: Vec<Option<usize>>,
}

#[derive(Clone, Copy)]
struct Key<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Scanner<'a> {
    /// A loop with a stack of its own instead of recursion: the depth of a document is the document's choice.
    fn document(&mut self) -> Option<()> {
        self.blanks(0);
        loop {
            // At the beginning of a value.
            match self.next()? {
                b'{' => {
                    self.enter(Some(self.keys.len()));
                    self.blanks(0);
                    if self.peek() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.enter(None);
                    self.blanks(0);
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                b'"' => drop(self.string()?),
                b't' => self.word(b"rue")?,
                b'f' => self.word(b"alse")?,
                b'n' => self.word(b"ull")?,
                b'-' | b'0'..=b'9' => self.number()?,
                _ => return None,
            }
            if !self.after_value()? {
                return Some(());
            }
        }
    }

    /// Behind a value: closes what closes here. Whether another value follows.
    fn after_value(&mut self) -> Option<bool> {
        loop {
            self.blanks(0);
            let Some(&container) = self.open.last() else {
                return (self.at == self.text.len()).then_some(false);
            };
            match (self.next()?, container) {
                (b',', keys) => {
                    self.blanks(1);
                    if keys.is_some() {
                        self.key()?;
                    }
                    return Some(true);
                }
                (b'}', Some(from)) => {
                    self.close_object(from);
                    self.open.pop();
                }
                (b']', None) => drop(self.open.pop()),
                _ => return None,
            }
        }
    }

    fn enter(&mut self, keys: Option<usize>) {
        self.open.push(keys);
        if self.open.len() > DEPTH_MAX {
            self.verdict.too_deep = true;
            self.refuse(Reject::JsonDepth);
        }
    }

    fn key(&mut self) -> Option<()> {
        (self.next()? == b'"').then_some(())?;
        let key = self.string()?;
        self.keys.push(key);
        self.blanks(0);
        (self.next()? == b':').then_some(())?;
        self.blanks(1);
        Some(())
    }

    /// `jsonb` sorts keys by length, then by bytes. Keys in that order are seen to be distinct on the way.
    fn close_object(&mut self, from: usize) {
        let keys = &self.keys[from..];
        let decoded: Vec<Vec<u8>>;
        let escaped = keys.iter().any(|key| key.escaped);
        let mut names: Vec<&[u8]> = if escaped {
            decoded = keys.iter().map(|key| unescaped(key.raw)).collect();
            decoded.iter().map(Vec::as_slice).collect()
        } else {
            if keys.is_sorted_by(|a, b| (a.raw.len(), a.raw) < (b.raw.len(), b.raw)) {
                self.keys.truncate(from);
                return;
            }
            keys.iter().map(|key| key.raw).collect()
        };
        if !names.is_sorted_by(|a, b| (a.len(), *a) < (b.len(), *b)) {
            self.verdict.respelled = true;
            names.sort_unstable();
            self.verdict.duplicate_keys |= names.windows(2).any(|pair| pair[0] == pair[1]);
        }
        self.keys.truncate(from);
    }

    /// Behind the opening quote.
    fn string(&mut self) -> Option<Key<'a>> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += until_special(self.text.get(self.at..)?)?;
            match self.next()? {
                b'"' => {
                    let raw = self.text.get(start..self.at - 1)?;
                    return Some(Key { raw, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        match self.next()? {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {}
            b'/' => self.verdict.respelled = true,
            b'u' => match self.unit()? {
                0 => self.refuse(Reject::JsonNul),
                high @ 0xd800..=0xdbff => {
                    self.verdict.respelled = true;
                    let low = self.text.get(self.at..self.at + 2) == Some(b"\\u");
                    let before = self.at;
                    self.at += if low { 2 } else { 0 };
                    let second = if low { self.unit()? } else { high };
                    if !(0xdc00..=0xdfff).contains(&second) {
                        // What follows is looked at again, for itself.
                        self.at = before;
                        self.refuse(Reject::JsonSurrogate);
                    }
                }
                0xdc00..=0xdfff => self.refuse(Reject::JsonSurrogate),
                // The server writes control characters so, in lower case, and has short forms for five of them.
                unit @ 1..0x20 => {
                    let digits = self.text.get(self.at - 4..self.at)?;
                    let short = matches!(unit, 8 | 9 | 10 | 12 | 13);
                    self.verdict.respelled |= short || digits.iter().any(u8::is_ascii_uppercase);
                }
                _ => self.verdict.respelled = true,
            },
            _ => return None,
        }
        Some(())
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        hex(digits)
    }

    /// Behind its first character.
    fn number(&mut self) -> Option<()> {
        let start = self.at - 1;
        if self.text[start] == b'-' && !self.next()?.is_ascii_digit() {
            return None;
        }
        let whole_start = self.at - 1;
        let whole = if self.text[whole_start] == b'0' {
            1
        } else {
            1 + self.digits()
        };
        let mut fraction = 0;
        if self.peek() == Some(b'.') {
            self.at += 1;
            fraction = self.digits();
            (fraction > 0).then_some(())?;
        }
        let mantissa = &self.text[whole_start..self.at];
        let mut exponent = 0_i64;
        if let Some(b'e' | b'E') = self.peek() {
            self.verdict.respelled = true;
            self.at += 1;
            let negative = self.peek() == Some(b'-');
            if let Some(b'-' | b'+') = self.peek() {
                self.at += 1;
            }
            let from = self.at;
            (self.digits() > 0).then_some(())?;
            for digit in &self.text[from..self.at] {
                exponent = exponent
                    .saturating_mul(10)
                    .saturating_add(i64::from(digit - b'0'));
            }
            // Far beyond any limit below, and far from an overflow in what follows.
            exponent = exponent.min(1 << 40) * if negative { -1 } else { 1 };
        }
        let first = mantissa.iter().filter(|b| **b != b'.').position(|b| *b != b'0');
        // Minus zero has no sign there.
        self.verdict.respelled |= first.is_none() && self.text[start] == b'-';
        let places = |count: usize| i64::try_from(count).unwrap_or(i64::MAX >> 2);
        let power = first.map_or(0, |first| places(whole) - 1 - places(first) + exponent);
        if power > NUMERIC_POWER_MAX || places(fraction) - exponent > NUMERIC_SCALE_MAX {
            self.refuse(Reject::JsonNumber);
        }
        Some(())
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn word(&mut self, rest: &[u8]) -> Option<()> {
        self.text
            .get(self.at..)?
            .starts_with(rest)
            .then(|| self.at += rest.len())
    }

    /// Blanks; the server writes as many as `usual` here.
    fn blanks(&mut self, usual: usize) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.verdict.respelled |= count != usual || (count == 1 && rest.first() != Some(&b' '));
        self.at += count;
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn refuse(&mut self, reason: Reject) {
        self.verdict.jsonb.get_or_insert(reason);
    }
}

/// How many bytes of a string come before a quote, a backslash or a control character; eight are looked at in a step.
fn until_special(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // Sets the high bit of each byte below a limit; a byte above such a one may be marked in error, and the first never is.
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & (ONES << 7);
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let marks = quote | backslash | below(word, 0x20);
        if marks != 0 {
            return Some(at * 8 + usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0));
        }
    }
    Some(words.len() * 8 + rest.iter().position(special)?)
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| {
        Some(unit << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// The bytes that an escaped string means; a lone surrogate as its three bytes.
fn unescaped(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let letter = raw.get(at).copied().unwrap_or(b'\\');
        at += 1;
        match letter {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let mut code = raw.get(at..at + 4).and_then(hex).unwrap_or(0);
                at += 4;
                let low = raw.get(at..at + 6).filter(|next| next.starts_with(b"\\u"));
                let low = low
                    .and_then(|next| hex(&next[2..]))
                    .filter(|unit| (0xdc00..0xe000).contains(unit));
                if (0xd800..0xdc00).contains(&code)
                    && let Some(low) = low
                {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    at += 6;
                }
                match char::from_u32(code) {
                    Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => out.extend_from_slice(
                        &[0xed, 0xa0, 0x80].map(|b| b | u8::try_from(code & 0x3f).unwrap_or(0)),
                    ),
                }
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(text: &str) -> Verdict {
        judge(text.as_bytes()).unwrap_or_else(|| panic!("{text} is JSON"))
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "[1 2]",
            "1 2",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "1e+",
            "NaN",
            "Infinity",
            "nul",
            "nulll",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "'a'",
            "[1}",
            "{\"a\":1]",
            "]",
            "// c",
            "\u{feff}1",
            "1\0",
            "\"\\",
            "\"\\u00",
            "0x1F",
            "[[]",
            "{} {}",
        ] {
            assert_eq!(judge(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn what_comes_back_the_same_is_not_counted() {
        for text in [
            "null",
            "true",
            "[]",
            "{}",
            "1.0",
            "-1",
            "0.10",
            "\"é😀\\n\\u0001\\\\\\\"\"",
            r#"{"a": 1, "b": [1, {"z": ""}], "aa": null}"#,
        ] {
            assert_eq!(verdict(text), Verdict::default(), "{text}");
        }
        for text in [
            " 1",
            "[1,2]",
            r#"{"a":1}"#,
            r#"{"b": 1, "a": 2}"#,
            r#"{"aa": 1, "b": 2}"#,
            "1e2",
            "-0",
            "-0.0",
            r#""\/""#,
            r#""\u00e9""#,
            r#""\u000a""#,
            r#""\u001F""#,
            r#""\ud83d\ude00""#,
            "{ }",
            "[1,\n2]",
        ] {
            let verdict = verdict(text);
            assert!(
                verdict.respelled && verdict.jsonb.is_none() && !verdict.duplicate_keys,
                "{text}"
            );
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_is_named() {
        for (text, reason) in [
            (r#""a\u0000b""#, Reject::JsonNul),
            (r#"{"\u0000": 1}"#, Reject::JsonNul),
            (r#""\ud800""#, Reject::JsonSurrogate),
            (r#""\ud800x""#, Reject::JsonSurrogate),
            (r#""\ud800\ud800\udc00""#, Reject::JsonSurrogate),
            (r#""\udc00""#, Reject::JsonSurrogate),
            ("1e131072", Reject::JsonNumber),
            ("0.1e131073", Reject::JsonNumber),
            ("1e-16384", Reject::JsonNumber),
            ("1e99999999999999999999", Reject::JsonNumber),
        ] {
            assert_eq!(verdict(text).jsonb, Some(reason), "{text}");
        }
        for text in [
            "1e400",
            "1e131071",
            "0.1e131072",
            "1e-16383",
            r#""\\u0000""#,
            r#""\ud83d\ude00""#,
            "0e99999999999",
        ] {
            assert_eq!(verdict(text).jsonb, None, "{text}");
        }
    }

    #[test]
    fn doubled_keys_are_found_however_they_are_written() {
        for text in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": 1, "b": 0, "a": 2}"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#"[{"x": {"k": 1, "k": 1}}]"#,
            r#"{"é": 1, "\u00e9": 2}"#,
            r#"{"😀": 1, "\ud83d\ude00": 2}"#,
        ] {
            assert!(verdict(text).duplicate_keys, "{text}");
        }
        for text in [
            r#"{"a": {"a": 1}, "b": {"a": 2}}"#,
            r#"{"b": 1, "a": 2}"#,
            r#"{"\"": 1, "\\": 2}"#,
        ] {
            assert!(!verdict(text).duplicate_keys, "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(2_000) + &"]".repeat(2_000);
        assert_eq!(verdict(&deep).jsonb, None);
        let deeper = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(verdict(&deeper).jsonb, Some(Reject::JsonDepth));
    }

    proptest! {
        #[test]
        fn agrees_with_another_parser(text in r#"([\[\]{}:,"0-9.eE+\-]|true|null|"a"|"\\u00[0-9a-f]{2}"|\\ud8|[ \n]|é){0,24}"#) {
            prop_assert_eq!(judge(text.as_bytes()).is_some(), crate::json::Json::parse(text.as_str()).is_ok());
        }

        #[test]
        fn special_bytes_are_found_wherever_they_are(text in proptest::collection::vec(prop_oneof![any::<u8>(), 0x20_u8..0x24, 0x5b_u8..0x5e, 0x1e_u8..0x22], 0..40)) {
            let long_way = text.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(until_special(&text), long_way);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            judge(&bytes);
        }
    }
}
