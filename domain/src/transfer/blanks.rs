//! Texts that stand for NULL where somebody says so: `''`, and the zero dates of MySQL.

use std::fmt;

use super::outcome::Normalised;
use super::value::Value;

/// A text that may stand for NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blank {
    /// `''`
    Empty,
    /// `0000-00-00`
    ZeroDate,
    /// `0000-00-00 00:00:00`
    ZeroDateTime,
}

/// Which texts become NULL in a column, and what NULL comes back as. Kept in the target before the column's rendering, as words:
/// `empty-as-null`, or `null-as-empty` where NULL is `''` and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blanks {
    taken: [bool; Blank::ALL.len()],
    back: Option<Blank>,
}

impl Blank {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Empty, Self::ZeroDate, Self::ZeroDateTime];

    /// The text.
    pub fn text(self) -> &'static str {
        match self {
            Self::Empty => "",
            Self::ZeroDate => "0000-00-00",
            Self::ZeroDateTime => "0000-00-00 00:00:00",
        }
    }

    /// The one that a value is.
    #[inline]
    pub fn of(value: Value<'_>) -> Option<Self> {
        let Value::Text(text) = value else { return None };
        match text.first() {
            None => Some(Self::Empty),
            Some(b'0') => Self::ALL
                .into_iter()
                .find(|blank| blank.text().as_bytes() == text),
            Some(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::ZeroDate => "zero-date",
            Self::ZeroDateTime => "zero-datetime",
        }
    }

    pub(super) fn index(self) -> usize {
        match self {
            Self::Empty => 0,
            Self::ZeroDate => 1,
            Self::ZeroDateTime => 2,
        }
    }

    /// What becomes of it if NULL comes back as NULL.
    fn normalised(self) -> Normalised {
        match self {
            Self::Empty => Normalised::EmptyAsNull,
            Self::ZeroDate | Self::ZeroDateTime => Normalised::ZeroDateAsNull,
        }
    }
}

impl Blanks {
    /// With this one too.
    #[must_use]
    pub fn and(mut self, blank: Blank) -> Self {
        self.taken[blank.index()] = true;
        self
    }

    /// Those of which `keep` is true, of which NULL comes back as `back`.
    pub(super) fn chosen(self, keep: impl Fn(Blank) -> bool, back: Option<Blank>) -> Self {
        let taken = Blank::ALL.map(|blank| self.takes(blank) && keep(blank));
        Self { taken, back }
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self.taken == [false; Blank::ALL.len()]
    }

    /// Whether this one becomes NULL.
    pub fn takes(self, blank: Blank) -> bool {
        self.taken[blank.index()]
    }

    /// The one of them that a value is.
    #[inline]
    pub fn of(self, value: Value<'_>) -> Option<Blank> {
        Blank::of(value).filter(|blank| self.takes(*blank))
    }

    /// What NULL comes back as, if not as NULL.
    pub fn back(self) -> Option<Blank> {
        self.back
    }

    /// What a value that becomes NULL loses by it.
    pub(super) fn loss(self, blank: Blank) -> Option<Normalised> {
        self.back.is_none().then(|| blank.normalised())
    }

    /// Reads the words at the beginning of a note; what comes behind them is the rendering.
    pub fn at_start(note: &str) -> (Self, &str) {
        let mut blanks = Self::default();
        let mut rest = note;
        while let Some((word, behind)) = rest.split_once(' ') {
            let as_null = |blank: &Blank| word.strip_suffix("-as-null") == Some(blank.name());
            let back = |blank: &Blank| word.strip_prefix("null-as-") == Some(blank.name());
            if let Some(blank) = Blank::ALL.into_iter().find(back) {
                blanks = Self {
                    back: Some(blank),
                    ..blanks.and(blank)
                };
            } else if let Some(blank) = Blank::ALL.into_iter().find(as_null) {
                blanks = blanks.and(blank);
            } else {
                break;
            }
            rest = behind;
        }
        (blanks, rest)
    }
}

/// The words of a note, each with a blank behind it.
impl fmt::Display for Blanks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(back) = self.back {
            return write!(f, "null-as-{} ", back.name());
        }
        let mut taken = Blank::ALL.into_iter().filter(|blank| self.takes(*blank));
        taken.try_for_each(|blank| write!(f, "{}-as-null ", blank.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_note_return() {
        let all = Blanks::default().and(Blank::Empty).and(Blank::ZeroDate);
        let one = all.chosen(|blank| blank == Blank::ZeroDate, Some(Blank::ZeroDate));
        for (blanks, words) in [
            (Blanks::default(), ""),
            (all, "empty-as-null zero-date-as-null "),
            (one, "null-as-zero-date "),
        ] {
            assert_eq!(blanks.to_string(), words);
            let note = format!("{words}timestamp T seconds");
            assert_eq!(Blanks::at_start(&note), (blanks, "timestamp T seconds"));
        }
        // What is not known is left to be an unknown rendering.
        let unknown = "null-as-dash date";
        assert_eq!(Blanks::at_start(unknown), (Blanks::default(), unknown));
        assert_eq!(
            Blanks::at_start("empty-as-null"),
            (Blanks::default(), "empty-as-null")
        );
    }

    #[test]
    fn only_these_texts_are_blank() {
        for blank in Blank::ALL {
            assert_eq!(Blank::of(Value::Text(blank.text().as_bytes())), Some(blank));
            assert_eq!(
                Blanks::default()
                    .and(blank)
                    .of(Value::Text(blank.text().as_bytes())),
                Some(blank)
            );
            assert_eq!(Blanks::default().of(Value::Text(blank.text().as_bytes())), None);
        }
        for other in [
            Value::Null,
            Value::Integer(0),
            Value::Blob(b""),
            Value::Text(b" "),
            Value::Text(b"\0"),
            Value::Text(b"0"),
            Value::Text(b"0000-00-00T00:00:00"),
            Value::Text(b"0000-00-00 "),
        ] {
            assert_eq!(Blank::of(other), None, "{other:?}");
        }
    }
}
