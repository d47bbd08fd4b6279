//! Dates and times in the written forms that come back byte for byte.

use std::fmt;
use std::str::FromStr;

use super::super::convert::{DAY_MICROS, days, two};

const SECOND_MICROS: i64 = 1_000_000;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;

/// The longest text of a moment.
const LONGEST: usize = "2024-01-31 10:20:30.123456 +00:00".len();

/// What stands between date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Separator {
    /// `2024-01-31T10:20:30`
    T,
    /// `2024-01-31 10:20:30`
    Space,
}

/// How much of a time is written behind hours and minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Nothing.
    Minutes,
    /// `:SS`
    Seconds,
    /// `:SS.` and so many digits, one to six.
    Fixed(u8),
    /// `:SS.` and six digits, or no fraction if it is 0 (Python's `isoformat`).
    SixOrNone,
    /// `:SS`, and a fraction without zeros at its end if it is not 0.
    Trimmed,
}

/// A literal suffix that names a fixed offset from UTC: `Z`, `+00`, `+0000`, `-03:30`, perhaps with a blank before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone {
    text: [u8; 7],
    length: usize,
    minutes: i16,
}

/// The form of a text, without its precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transfer) enum Form {
    Date,
    Time,
    Timestamp(Separator),
    Timestamptz(Separator, Zone),
}

/// The precisions in which a text may have been written: `10:20:30` may be of seconds, and of six digits or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transfer) struct Precisions(u16);

/// A text that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transfer) struct Moment {
    pub(in crate::transfer) form: Form,
    pub(in crate::transfer) precisions: Precisions,
    /// Since 1970-01-01 in the text's own offset; a time of day since midnight.
    pub(in crate::transfer) micros: i64,
}

/// A written moment; the longest is `9999-12-31T23:59:59.999999+00:00`.
pub(in crate::transfer) struct Written {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Self::T => b'T',
            Self::Space => b' ',
        }
    }
}

impl Zone {
    /// None if it is no suffix that is known. PostgreSQL's own offsets end before 16 hours, and so do ours.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (sign, hours, minutes) = match text.strip_prefix(b" ").unwrap_or(text) {
            [b'Z'] => (1, 0, 0),
            [sign, h1, h2] => (of_sign(*sign)?, two(*h1, *h2)?, 0),
            [sign, h1, h2, m1, m2] | [sign, h1, h2, b':', m1, m2] => {
                (of_sign(*sign)?, two(*h1, *h2)?, two(*m1, *m2)?)
            }
            _ => return None,
        };
        (hours < 16 && minutes < 60).then_some(())?;
        let mut padded = [0; 7];
        padded.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            text: padded,
            length: text.len(),
            minutes: i16::try_from(sign * (hours * 60 + minutes)).ok()?,
        })
    }

    /// The suffix.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    /// The offset from UTC, east of it positive.
    pub(in crate::transfer) fn micros(self) -> i64 {
        i64::from(self.minutes) * MINUTE_MICROS
    }
}

fn of_sign(sign: u8) -> Option<i64> {
    match sign {
        b'+' => Some(1),
        b'-' => Some(-1),
        _ => None,
    }
}

impl Precisions {
    const NONE: Self = Self(0);

    /// In the order of choice. Where a column's values fit several, the first is taken: the one that leaves least open, but not
    /// `Seconds` before those that could also write a finer time of PostgreSQL, so that such a time has a way back.
    const CHOICE: [Precision; 10] = [
        Precision::Minutes,
        Precision::Fixed(1),
        Precision::Fixed(2),
        Precision::Fixed(3),
        Precision::Fixed(4),
        Precision::Fixed(5),
        Precision::Fixed(6),
        Precision::SixOrNone,
        Precision::Trimmed,
        Precision::Seconds,
    ];

    const fn with(self, precision: Precision) -> Self {
        Self(self.0 | Self::bit(precision))
    }

    const fn bit(precision: Precision) -> u16 {
        match precision {
            Precision::Minutes => 1,
            Precision::Seconds => 1 << 1,
            Precision::Fixed(digits) => 1 << (1 + if digits < 6 { digits } else { 6 }),
            Precision::SixOrNone => 1 << 8,
            Precision::Trimmed => 1 << 9,
        }
    }

    pub(in crate::transfer) fn contains(self, precision: Precision) -> bool {
        self.0 & Self::bit(precision) != 0
    }

    pub(in crate::transfer) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(in crate::transfer) fn choice(self) -> Option<Precision> {
        Self::CHOICE
            .into_iter()
            .find(|precision| self.contains(*precision))
    }
}

/// Reads a date, a time of day, or both, in one of the forms that [`write`] writes. Strict: the Gregorian calendar, years 0001 to
/// 9999, no 24:00, no leap second.
#[inline]
pub(in crate::transfer) fn read(text: &[u8]) -> Option<Moment> {
    if text.get(2) == Some(&b':') {
        let (micros, precisions, rest) = read_clock(text)?;
        return rest.is_empty().then_some(Moment {
            form: Form::Time,
            precisions,
            micros,
        });
    }
    let (date, rest) = text.split_at_checked(10)?;
    // Before the calendar is asked: most texts that are no dates end here.
    (date.get(4) == Some(&b'-') && date.get(7) == Some(&b'-')).then_some(())?;
    let day_micros = days(date)? * DAY_MICROS;
    let separator = match rest.first() {
        None => {
            return Some(Moment {
                form: Form::Date,
                precisions: Precisions::NONE,
                micros: day_micros,
            });
        }
        Some(b'T') => Separator::T,
        Some(b' ') => Separator::Space,
        Some(_) => return None,
    };
    let (micros, precisions, rest) = read_clock(rest.get(1..)?)?;
    let form = if rest.is_empty() {
        Form::Timestamp(separator)
    } else {
        Form::Timestamptz(separator, Zone::parse(rest)?)
    };
    Some(Moment {
        form,
        precisions,
        micros: day_micros + micros,
    })
}

/// The time of day at the beginning of a text, how it is written, and what is left.
fn read_clock(text: &[u8]) -> Option<(i64, Precisions, &[u8])> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else {
        return None;
    };
    let (hour, minute) = (two(*h1, *h2)?, two(*m1, *m2)?);
    (hour < 24 && minute < 60).then_some(())?;
    let micros = (hour * 60 + minute) * MINUTE_MICROS;
    let [b':', s1, s2, rest @ ..] = rest else {
        return Some((micros, Precisions::NONE.with(Precision::Minutes), rest));
    };
    let second = two(*s1, *s2)?;
    (second < 60).then_some(())?;
    let micros = micros + second * SECOND_MICROS;
    let [b'.', rest @ ..] = rest else {
        let whole = Precisions::NONE
            .with(Precision::Seconds)
            .with(Precision::SixOrNone)
            .with(Precision::Trimmed);
        return Some((micros, whole, rest));
    };
    let mut fraction = 0;
    let mut digits = 0_u8;
    let mut rest = rest;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        fraction = fraction * 10 + i64::from(digit - b'0');
        digits += 1;
        rest = behind;
        (digits <= 6).then_some(())?;
    }
    (digits > 0).then_some(())?;
    let mut precisions = Precisions::NONE.with(Precision::Fixed(digits));
    if digits == 6 && fraction != 0 {
        precisions = precisions.with(Precision::SixOrNone);
    }
    if fraction % 10 != 0 {
        precisions = precisions.with(Precision::Trimmed);
    }
    Some((micros + fraction * fraction_step(digits), precisions, rest))
}

/// The microseconds of one in the last of so many digits.
fn fraction_step(digits: u8) -> i64 {
    10_i64.pow(6_u32.saturating_sub(u32::from(digits)))
}

/// Writes a moment, as [`read`] reads it; none if this form has no such text. `precision` says nothing of a date.
pub(in crate::transfer) fn write(form: Form, precision: Precision, micros: i64) -> Option<Written> {
    let mut out = Written {
        bytes: [0; LONGEST],
        length: 0,
    };
    match form {
        Form::Date => out.date(micros)?,
        Form::Time => {
            (0..DAY_MICROS).contains(&micros).then_some(())?;
            out.clock(precision, micros)?;
        }
        Form::Timestamp(separator) | Form::Timestamptz(separator, _) => {
            out.date(micros)?;
            out.push([separator.byte()]);
            out.clock(precision, micros.rem_euclid(DAY_MICROS))?;
        }
    }
    if let Form::Timestamptz(_, zone) = form {
        out.push_slice(zone.as_bytes());
    }
    Some(out)
}

impl Written {
    pub(in crate::transfer) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        self.push_slice(&bytes);
    }

    #[inline]
    fn push_slice(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn date(&mut self, micros: i64) -> Option<()> {
        let (year, month, day) = civil(micros.div_euclid(DAY_MICROS))?;
        let ([y1, y2], [y3, y4]) = (digits(year / 100), digits(year % 100));
        let ([m1, m2], [d1, d2]) = (digits(month), digits(day));
        self.push([y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2]);
        Some(())
    }

    fn clock(&mut self, precision: Precision, micros: i64) -> Option<()> {
        let (minutes, rest) = (micros / MINUTE_MICROS, micros % MINUTE_MICROS);
        let (seconds, fraction) = (rest / SECOND_MICROS, rest % SECOND_MICROS);
        let ([h1, h2], [m1, m2]) = (digits(minutes / 60), digits(minutes % 60));
        self.push([h1, h2, b':', m1, m2]);
        let shown = match precision {
            Precision::Minutes => return (rest == 0).then_some(()),
            Precision::Seconds => 0,
            Precision::Fixed(digits) => digits.min(6),
            Precision::SixOrNone => {
                if fraction == 0 {
                    0
                } else {
                    6
                }
            }
            Precision::Trimmed => {
                let fits = |digits: &u8| fraction % fraction_step(*digits) == 0;
                (0..6).find(fits).unwrap_or(6)
            }
        };
        (fraction % fraction_step(shown) == 0).then_some(())?;
        let [s1, s2] = digits(seconds);
        self.push([b':', s1, s2]);
        if shown > 0 {
            let ([f1, f2], [f3, f4]) = (digits(fraction / 10_000), digits(fraction / 100 % 100));
            let [f5, f6] = digits(fraction % 100);
            let text = [b'.', f1, f2, f3, f4, f5, f6];
            self.push_slice(text.get(..=usize::from(shown)).unwrap_or_default());
        }
        Some(())
    }
}

/// The two digits of a number below 100.
fn digits(number: i64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or(0);
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

/// Year, month and day of the days since 1970-01-01: the way back of [`days`].
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    let days = days.checked_add(719_468)?;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (1..=9999).contains(&year).then_some((year, month, day))
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::T => "T",
            Self::Space => "space",
        })
    }
}

impl FromStr for Separator {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "T" => Ok(Self::T),
            "space" => Ok(Self::Space),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Minutes => "minutes",
            Self::Seconds => "seconds",
            Self::Fixed(digits) => return write!(f, "fixed{digits}"),
            Self::SixOrNone => "six-or-none",
            Self::Trimmed => "trimmed",
        })
    }
}

impl FromStr for Precision {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "minutes" => Ok(Self::Minutes),
            "seconds" => Ok(Self::Seconds),
            "six-or-none" => Ok(Self::SixOrNone),
            "trimmed" => Ok(Self::Trimmed),
            _ => match text.strip_prefix("fixed").map(str::as_bytes) {
                Some([digit @ b'1'..=b'6']) => Ok(Self::Fixed(digit - b'0')),
                _ => Err(()),
            },
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A blank would end the word that it is noted as.
        let text = std::str::from_utf8(self.as_bytes()).unwrap_or_default();
        f.write_str(&text.replace(' ', "_"))
    }
}

impl FromStr for Zone {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let text = match text.strip_prefix('_') {
            Some(offset) => format!(" {offset}"),
            None => text.to_owned(),
        };
        Self::parse(text.as_bytes()).ok_or(())
    }
}
