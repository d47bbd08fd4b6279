//! What somebody has told of values that do not tell it themselves, read and carried out a second time.

use std::collections::HashMap;
use std::sync::LazyLock;

use encoding_rs::Encoding;

use super::Raw;
use crate::transfer::rendering::CHARSETS;

/// A value that stands for true or for false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// INTEGER.
    Integer(i64),
    /// TEXT, and how many bytes of it count.
    Text([u8; LONGEST_WORD], usize),
}

const LONGEST_WORD: usize = 24;

impl Word {
    /// Two words with a slash between them, texts in single quotes.
    pub(super) fn pair(note: &str) -> Option<(Self, Self)> {
        let (yes, rest) = Self::first(note.as_bytes())?;
        let (no, rest) = Self::first(rest.strip_prefix(b"/")?)?;
        (rest.is_empty() && yes != no).then_some((yes, no))
    }

    fn first(note: &[u8]) -> Option<(Self, &[u8])> {
        if note.first() != Some(&b'\'') {
            let end = note.iter().position(|byte| *byte == b'/').unwrap_or(note.len());
            let (digits, rest) = note.split_at(end);
            return Some((Self::Integer(super::rendering::integer(digits)?), rest));
        }
        let (mut bytes, mut length, mut at) = ([0; LONGEST_WORD], 0, 1);
        loop {
            match (note.get(at)?, note.get(at + 1)) {
                (b'\'', Some(b'\'')) => at += 2,
                (b'\'', _) => return Some((Self::Text(bytes, length), note.get(at + 1..)?)),
                _ => at += 1,
            }
            *bytes.get_mut(length)? = *note.get(at - 1)?;
            length += 1;
        }
    }

    pub(super) fn raw(&self) -> Raw<'_> {
        match self {
            Self::Integer(number) => Raw::Integer(*number),
            Self::Text(bytes, length) => Raw::Text(bytes.get(..*length).unwrap_or_default()),
        }
    }
}

/// The microseconds of a unit of time.
pub(super) fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "seconds" => 1_000_000,
        "milliseconds" => 1_000,
        "microseconds" => 1,
        _ => return None,
    })
}

/// The characters of the bytes from 128 on; those below are ASCII. NUL, which PostgreSQL has not, stands for a byte that means nothing.
pub type UpperHalf = &'static [char; 128];

/// What the bytes of a charset mean.
pub(super) fn upper_half(charset: &str) -> Option<UpperHalf> {
    static ALL: LazyLock<HashMap<&str, [char; 128]>> = LazyLock::new(|| {
        let of_charset = |name: &'static str| {
            let byte = |at: usize| u8::try_from(at + 128).unwrap_or(0);
            let half = std::array::from_fn(|at| match name {
                "iso-8859-1" => char::from(byte(at)),
                _ => meaning(name, byte(at)).unwrap_or('\0'),
            });
            (name, half)
        };
        CHARSETS.into_iter().map(of_charset).collect()
    });
    ALL.get(charset)
}

fn meaning(charset: &str, byte: u8) -> Option<char> {
    let stored = [byte];
    let encoding = Encoding::for_label(charset.as_bytes())?;
    let text = encoding.decode_without_bom_handling_and_without_replacement(&stored)?;
    text.chars().next()
}

/// Appends the bytes that a text is stored as; none if one of its characters has none.
pub(super) fn write_in_charset(half: UpperHalf, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for char in std::str::from_utf8(text).ok()?.chars() {
        let place = |c: char| half.iter().position(|one| *one == c && c != '\0');
        out.push(match u8::try_from(char) {
            Ok(ascii @ 1..=127) => ascii,
            _ => u8::try_from(place(char)? + 128).ok()?,
        });
    }
    Some(())
}

/// Texts of SQLite that are NULL in PostgreSQL, and the one that NULL comes back as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nulls {
    /// A bit for each.
    texts: u8,
    back: Option<&'static str>,
}

const TEXTS: [(&str, &str); 3] = [
    ("empty", ""),
    ("zero-date", "0000-00-00"),
    ("zero-datetime", "0000-00-00 00:00:00"),
];

impl Nulls {
    /// NULL is NULL.
    pub const NONE: Self = Self { texts: 0, back: None };

    /// From the words that a copy has noted before the rendering, and the rendering.
    pub fn of_note(note: &str) -> (Self, &str) {
        let Some((word, rest)) = note.split_once(' ') else {
            return (Self::NONE, note);
        };
        for (at, (name, text)) in TEXTS.into_iter().enumerate() {
            let back = word == format!("null-as-{name}");
            if back || word == format!("{name}-as-null") {
                let (mut nulls, rendering) = Self::of_note(rest);
                nulls.texts |= 1 << at;
                nulls.back = nulls.back.or(back.then_some(text));
                return (nulls, rendering);
            }
        }
        (Self::NONE, note)
    }

    /// Whether there is any.
    pub(super) fn any(self) -> bool {
        self.texts != 0
    }

    /// Whether this text is one.
    pub(super) fn has(self, text: &[u8]) -> bool {
        let mut each = TEXTS.into_iter().enumerate();
        each.any(|(at, (_, one))| self.texts & (1 << at) != 0 && one.as_bytes() == text)
    }

    pub(super) fn back(self) -> Option<&'static str> {
        self.back
    }
}
