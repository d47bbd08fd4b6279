//! What no value tells of itself, and somebody has to say: that a number is a time, which words mean true and false, in which charset a text
//! is stored.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use encoding_rs::Encoding;

use super::super::convert::PG_EPOCH_MICROS;
use super::super::name::in_quotes;
use super::super::outcome::Reject;
use super::super::value::Value;

/// The times that PostgreSQL holds, in microseconds since 2000: from 4714-11-24 BC to the end of the year 294276.
const PG_MICROS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// The unit of a time that is a number since 1970-01-01 00:00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As `unixepoch()` tells it.
    Seconds,
    /// As JavaScript's `Date.now()` tells it.
    Milliseconds,
    /// A thousandth of those.
    Microseconds,
}

/// The words for true and false.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthWords {
    yes: Word,
    no: Word,
}

/// A value that stands for true or for false.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Integer(i64),
    Text(Box<str>),
}

/// Longer texts are no words for true and false.
const WORD_BYTES_MAX: usize = 24;

/// A charset of one byte a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    name: &'static str,
    /// None of ISO 8859-1, where each byte is the character of its number; browsers read it as another one.
    encoding: Option<&'static Encoding>,
}

const ISO_8859_1: &str = "iso-8859-1";

/// The charsets that are read, by their names. Browsers mean others than their standards do by `iso-8859-9`, `iso-8859-11` and `koi8-u`.
pub(in crate::transfer) const CHARSETS: [&str; 27] = [
    "windows-1252",
    ISO_8859_1,
    "iso-8859-15",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "windows-874",
    "iso-8859-2",
    "iso-8859-3",
    "iso-8859-4",
    "iso-8859-5",
    "iso-8859-6",
    "iso-8859-7",
    "iso-8859-8",
    "iso-8859-10",
    "iso-8859-13",
    "iso-8859-14",
    "iso-8859-16",
    "koi8-r",
    "ibm866",
    "macintosh",
    "x-mac-cyrillic",
];

/// The numbers of a `numeric` that shows zeros behind the point which no number of SQLite has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimals {
    /// How many digits there may be, and how many of them behind the point.
    limits: Option<(u16, i16)>,
    /// Whether all are REAL, whole ones too; else a whole one is an INTEGER.
    reals: bool,
}

impl Decimals {
    /// Those of a type.
    pub(in crate::transfer) fn new(limits: Option<(u16, i16)>, reals: bool) -> Self {
        Self { limits, reals }
    }

    /// The type's name.
    pub(super) fn type_name(self) -> String {
        match self.limits {
            Some((precision, scale)) => format!("numeric({precision},{scale})"),
            None => "numeric".to_owned(),
        }
    }

    /// The limits of the type.
    pub(super) fn limits(self) -> Option<(u16, i16)> {
        self.limits
    }

    /// The digits of a value that comes back.
    pub(super) fn digits(self, value: Value<'_>) -> Result<String, Reject> {
        let digits = match value {
            Value::Integer(number) if !self.reals => number.to_string(),
            // The shortest digits that give this double back, without an exponent.
            Value::Real(number) if number.is_finite() => number.to_string(),
            Value::Real(_) => return Err(Reject::OutOfRange),
            other => return Err(Reject::WrongClass(other.class())),
        };
        let same = match (self.number(&digits), value) {
            (Some(Value::Integer(back)), Value::Integer(number)) => back == number,
            (Some(Value::Real(back)), Value::Real(number)) => back.to_bits() == number.to_bits(),
            _ => false,
        };
        if same { Ok(digits) } else { Err(Reject::Changed) }
    }

    /// The number that is written by these digits; none if it has more of them than a number of SQLite.
    pub(super) fn number(self, digits: &str) -> Option<Value<'static>> {
        let digits = match digits.split_once('.') {
            Some((whole, fraction)) if fraction.trim_end_matches('0').is_empty() => whole,
            Some(_) => digits.trim_end_matches('0'),
            None => digits,
        };
        if let Some(number) = digits.parse().ok().filter(|_| !self.reals) {
            return Some(Value::Integer(number));
        }
        let number: f64 = digits.parse().ok()?;
        // Zero has no sign in a decimal.
        let same = number.is_finite() && number.to_string() == digits && digits != "-0";
        same.then_some(Value::Real(number))
    }
}

impl fmt::Display for Decimals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.reals { "reals" } else { "numbers" })
    }
}

impl Charset {
    /// What stored bytes mean; none if a byte means nothing.
    fn meaning(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        match self.encoding {
            Some(encoding) => encoding.decode_without_bom_handling_and_without_replacement(bytes),
            None => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        }
    }

    /// The bytes that are stored for a text; none if it has a character that the charset has not.
    pub(super) fn stored(self, text: &str) -> Option<Cow<'_, [u8]>> {
        if text.is_ascii() {
            return Some(text.as_bytes().into());
        }
        match self.encoding {
            Some(encoding) => {
                let (bytes, _, replaced) = encoding.encode(text);
                (!replaced).then_some(bytes)
            }
            None => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        }
    }

    /// The text that stored bytes mean, if they are what is stored for it.
    pub(super) fn text(self, bytes: &[u8]) -> Result<Cow<'_, str>, Reject> {
        if let Some(text) = std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()) {
            return Ok(text.into());
        }
        let text = self.meaning(bytes).ok_or(Reject::NotInCharset)?;
        let returns = self.stored(&text).is_some_and(|stored| *stored == *bytes);
        if returns { Ok(text) } else { Err(Reject::Changed) }
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for Charset {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let name = CHARSETS.into_iter().find(|name| *name == text).ok_or(())?;
        let encoding = if name == ISO_8859_1 {
            None
        } else {
            Some(Encoding::for_label(name.as_bytes()).ok_or(())?)
        };
        Ok(Self { name, encoding })
    }
}

impl Unit {
    /// All of them, by their names.
    const ALL: [(Self, &'static str); 3] = [
        (Self::Seconds, "seconds"),
        (Self::Milliseconds, "milliseconds"),
        (Self::Microseconds, "microseconds"),
    ];

    fn micros(self) -> i128 {
        match self {
            Self::Seconds => 1_000_000,
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1,
        }
    }

    /// PostgreSQL's microseconds for a number of this unit.
    pub(super) fn to_pg(self, number: i64) -> Result<i64, Reject> {
        let micros = i128::from(number) * self.micros() - i128::from(PG_EPOCH_MICROS);
        let micros = i64::try_from(micros).ok();
        micros
            .filter(|micros| PG_MICROS.contains(micros))
            .ok_or(Reject::OutOfRange)
    }

    /// The number of this unit for PostgreSQL's microseconds; none if they are an infinity, or finer.
    pub(super) fn of_pg(self, micros: i64) -> Option<i64> {
        PG_MICROS.contains(&micros).then_some(())?;
        let micros = i128::from(micros) + i128::from(PG_EPOCH_MICROS);
        (micros % self.micros() == 0).then_some(())?;
        i64::try_from(micros / self.micros()).ok()
    }
}

impl TruthWords {
    /// What a value stands for.
    pub(in crate::transfer) fn truth(&self, value: Value<'_>) -> Result<bool, Reject> {
        if self.yes.is(value) {
            Ok(true)
        } else if self.no.is(value) {
            Ok(false)
        } else {
            Err(Reject::NoTruth)
        }
    }

    /// The value for true or for false.
    pub(super) fn word(&self, truth: bool) -> Value<'_> {
        match if truth { &self.yes } else { &self.no } {
            Word::Integer(number) => Value::Integer(*number),
            Word::Text(text) => Value::Text(text.as_bytes()),
        }
    }
}

impl Word {
    fn is(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Integer(word), Value::Integer(number)) => *word == number,
            (Self::Text(word), Value::Text(text)) => word.as_bytes() == text,
            _ => false,
        }
    }

    /// The word at the beginning of a text, and what comes behind it: in single quotes it is a TEXT, else an INTEGER if it is written as one.
    fn at_start(text: &str) -> Option<(Self, &str)> {
        if text.starts_with('\'') {
            return in_quotes(text, '\'').map(|(word, rest)| (Self::Text(word.into()), rest));
        }
        let end = text.find('/').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        let plain = !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '\'');
        let integer = word.parse().ok().filter(|n: &i64| n.to_string() == word);
        let word = integer.map_or_else(|| Self::Text(word.into()), Self::Integer);
        plain.then_some((word, rest))
    }

    fn is_short(&self) -> bool {
        match self {
            Self::Integer(_) => true,
            Self::Text(text) => text.len() <= WORD_BYTES_MAX && !text.contains('\0'),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Self::ALL.iter();
        let name = all.find(|(unit, _)| unit == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Unit {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut all = Self::ALL.into_iter();
        all.find(|(_, name)| *name == text)
            .map(|(unit, _)| unit)
            .ok_or(())
    }
}

impl fmt::Display for TruthWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.yes, self.no)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        }
    }
}

impl FromStr for TruthWords {
    type Err = ();

    /// `t/f`, `1/-1`, `'1'/''`
    fn from_str(text: &str) -> Result<Self, ()> {
        let (yes, rest) = Word::at_start(text).ok_or(())?;
        let rest = rest.strip_prefix('/').ok_or(())?;
        match Word::at_start(rest) {
            Some((no, "")) if yes != no && yes.is_short() && no.is_short() => Ok(Self { yes, no }),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_is_the_one_that_is_named() {
        for name in CHARSETS {
            let charset: Charset = name.parse().unwrap();
            assert_eq!(charset.to_string(), name);
            match charset.encoding {
                Some(encoding) => {
                    assert!(
                        encoding.is_single_byte() && encoding.is_ascii_compatible(),
                        "{name}"
                    );
                    assert!(encoding.name().eq_ignore_ascii_case(name), "{name}");
                }
                None => assert_eq!(name, "iso-8859-1"),
            }
        }
        for other in [
            "latin1",
            "ISO-8859-1",
            "iso-8859-9",
            "koi8-u",
            "utf-8",
            "utf-16le",
            "shift_jis",
            "",
        ] {
            assert_eq!(other.parse::<Charset>(), Err(()), "{other}");
        }
    }

    #[test]
    fn each_byte_means_what_the_standards_say() {
        for (charset, bytes, text) in [
            ("windows-1252", &b"na\xefve \x80 \x93q\x94"[..], "naïve € “q”"),
            ("iso-8859-1", b"\xe9 \x80 \xff", "é \u{80} ÿ"),
            ("iso-8859-15", b"\xa4", "€"),
            ("windows-1251", b"\xcf\xf0\xe8", "При"),
            ("koi8-r", b"\xf0\xd2\xc9", "При"),
            ("ibm866", b"\x8f\xe0\xa8", "При"),
            ("iso-8859-7", b"\xc1\xc2", "ΑΒ"),
        ] {
            let charset: Charset = charset.parse().unwrap();
            assert_eq!(charset.text(bytes), Ok(text.into()), "{charset}");
            assert_eq!(charset.stored(text).as_deref(), Some(bytes), "{charset}");
        }
        let greek: Charset = "windows-1253".parse().unwrap();
        assert_eq!(greek.text(b"\xaa"), Err(Reject::NotInCharset));
        let latin: Charset = "windows-1252".parse().unwrap();
        for unwritable in ["Ω", "🙂", "e\u{301}", "\u{fffd}", "\u{80}"] {
            assert_eq!(latin.stored(unwritable), None, "{unwritable}");
        }
    }

    #[test]
    fn every_byte_of_a_charset_returns_or_is_refused() {
        for name in CHARSETS {
            let charset: Charset = name.parse().unwrap();
            for byte in 0..=u8::MAX {
                let stored = [byte];
                let Ok(text) = charset.text(&stored) else { continue };
                assert_eq!(
                    charset.stored(&text).as_deref(),
                    Some(&stored[..]),
                    "{name} {byte:x}"
                );
                assert!(
                    byte >= 128 || *text == *char::from(byte).to_string(),
                    "{name} {byte:x}"
                );
            }
        }
    }
}
