//! SQLite's SQL as tokens.
//!
//! The text has been accepted by SQLite, so nothing is validated: text that cannot be followed yields odd tokens, never a
//! panic.

/// A word, a name or a string with its quotes, a number, a blob, or a sign.
#[derive(Debug, Clone, Copy)]
pub(in crate::transfer) struct Token<'a> {
    /// As written.
    pub(in crate::transfer) text: &'a str,
    /// Where it begins.
    pub(in crate::transfer) start: usize,
}

/// Signs of more than one character, longer ones first.
const SIGNS: [&str; 10] = ["->>", "->", "||", "<<", ">>", "<=", ">=", "==", "!=", "<>"];

impl Token<'_> {
    /// Whether it is this keyword or sign; quoted names are neither.
    pub(in crate::transfer) fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    /// The name or the string it writes, without its quotes.
    pub(in crate::transfer) fn name(&self) -> String {
        let mut chars = self.text.chars();
        match chars.next() {
            Some('[') => {
                let inner = chars.as_str();
                inner.strip_suffix(']').unwrap_or(inner).to_owned()
            }
            Some(quote @ ('"' | '`' | '\'')) => {
                let inner = chars.as_str();
                let inner = inner.strip_suffix(quote).unwrap_or(inner);
                inner.replace(&format!("{quote}{quote}"), &quote.to_string())
            }
            _ => self.text.to_owned(),
        }
    }

    /// Where it ends.
    pub(in crate::transfer) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// What begins it.
    pub(super) fn first(&self) -> u8 {
        self.text.as_bytes().first().copied().unwrap_or_default()
    }

    /// Whether it is a word without quotes: a keyword or a name.
    pub(in crate::transfer) fn is_word(&self) -> bool {
        is_word(self.first()) && !self.first().is_ascii_digit() && !self.is_blob()
    }

    /// Whether it is a name in quotes; a string in single quotes is none.
    pub(in crate::transfer) fn is_quoted_name(&self) -> bool {
        matches!(self.first(), b'"' | b'`' | b'[')
    }

    /// Whether it is a number.
    pub(super) fn is_number(&self) -> bool {
        self.first().is_ascii_digit() || (self.first() == b'.' && self.text.len() > 1)
    }

    /// Whether it is `x'…'`.
    pub(super) fn is_blob(&self) -> bool {
        matches!(self.first(), b'x' | b'X') && self.text.as_bytes().get(1) == Some(&b'\'')
    }
}

/// All tokens; blanks and comments are left out.
pub(in crate::transfer) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let bytes = sql.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        let next = bytes.get(at + 1).copied().unwrap_or_default();
        at = match byte {
            b'-' if next == b'-' => {
                at = end_of(bytes, at, |rest| rest.first() == Some(&b'\n'), 1);
                continue;
            }
            b'/' if next == b'*' => {
                at = end_of(bytes, at + 2, |rest| rest.starts_with(b"*/"), 2);
                continue;
            }
            b'[' => end_of(bytes, at, |rest| rest.first() == Some(&b']'), 1),
            b'"' | b'`' | b'\'' => end_of_quoted(bytes, at, byte),
            b'x' | b'X' if next == b'\'' => end_of_quoted(bytes, at + 1, b'\''),
            byte if byte.is_ascii_digit() || (byte == b'.' && next.is_ascii_digit()) => {
                end_of_number(bytes, at)
            }
            byte if is_word(byte) => end_of_word(bytes, at),
            byte if byte.is_ascii_whitespace() => {
                at += 1;
                continue;
            }
            _ => {
                let sign = SIGNS.iter().find(|sign| bytes[at..].starts_with(sign.as_bytes()));
                at + sign.map_or(1, |sign| sign.len())
            }
        };
        tokens.push(Token {
            text: sql.get(start..at).unwrap_or_default(),
            start,
        });
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn end_of_word(bytes: &[u8], from: usize) -> usize {
    end_of(bytes, from, |rest| rest.first().is_some_and(|b| !is_word(*b)), 0)
}

/// Behind digits, fraction and exponent, or hexadecimal digits; what sticks to them is taken along.
fn end_of_number(bytes: &[u8], from: usize) -> usize {
    let mut at = end_of_word(bytes, from);
    if bytes.get(at) == Some(&b'.') {
        at = end_of_word(bytes, at + 1);
    }
    let hexadecimal = bytes[from..].starts_with(b"0x") || bytes[from..].starts_with(b"0X");
    let exponent = matches!(bytes.get(at.wrapping_sub(1)), Some(b'e' | b'E')) && !hexadecimal;
    let signed =
        matches!(bytes.get(at), Some(b'+' | b'-')) && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    if exponent && signed {
        end_of_word(bytes, at + 1)
    } else {
        at
    }
}

/// Where `found` first holds at or after `from`, and `length` further; the end if it never does.
fn end_of(bytes: &[u8], from: usize, found: impl Fn(&[u8]) -> bool, length: usize) -> usize {
    (from..bytes.len())
        .find(|at| found(&bytes[*at..]))
        .map_or(bytes.len(), |at| at + length)
}

/// Behind the closing quote; a doubled quote is part of the name.
fn end_of_quoted(bytes: &[u8], open: usize, quote: u8) -> usize {
    let mut at = open + 1;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == quote {
            if bytes.get(at) != Some(&quote) {
                return at;
            }
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_falls_into_its_tokens() {
        let sql = "a->>'$.b' <> -1.5e-3+0x1F --no\n|| x'00' /* no */ [c d] \"e\"\"f\" .5 5. 1e5e";
        let texts: Vec<_> = tokens(sql).iter().map(|token| token.text).collect();
        assert_eq!(
            texts,
            [
                "a",
                "->>",
                "'$.b'",
                "<>",
                "-",
                "1.5e-3",
                "+",
                "0x1F",
                "||",
                "x'00'",
                "[c d]",
                "\"e\"\"f\"",
                ".5",
                "5.",
                "1e5e"
            ]
        );
        let texts: Vec<_> = tokens("0x1e+1 'open").iter().map(|token| token.text).collect();
        assert_eq!(texts, ["0x1e", "+", "1", "'open"]);
    }
}
