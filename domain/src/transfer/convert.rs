//! Values between SQLite's storage classes and PostgreSQL's binary forms, both ways. The parsers are ours and strict: the
//! server's input functions, which take `now` for a time and `2` for true, never see a source's text.

use std::borrow::Cow;

use super::catalog::{NAME_BYTES_MAX, PgKind};
use super::json_text;
use super::numbers::{exact, narrow, single, whole};
use super::outcome::{Normalised, Outcome, Reject};
use super::rows::RowBatch;
use super::value::Value;
use crate::time::{LegacyZone, Timestamp};

/// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's time begins.
pub(super) const PG_EPOCH_MICROS: i64 = 946_684_800_000_000;
pub(super) const DAY_MICROS: i64 = 86_400_000_000;
/// A field of PostgreSQL is below 1 GiB; the rest is for the row around it.
pub(super) const FIELD_BYTES_MAX: usize = 0x3fff_0000;

/// How values become PostgreSQL's.
#[derive(Debug, Clone)]
pub struct Converter {
    /// The zone of times without one.
    pub zone: LegacyZone,
    /// Whether every value is known to convert (a survey of the same snapshot has shown it): then text and JSON are passed on
    /// without being looked at again.
    pub proven: bool,
}

impl Converter {
    /// Appends `value` as a field of a binary COPY: its length in four bytes, then its binary form. When it is refused, `out`
    /// may hold a part of it.
    pub fn encode(&self, kind: PgKind, value: Value<'_>, out: &mut Vec<u8>) -> Outcome {
        match (kind, value) {
            (_, Value::Null) => {
                put(out, &(-1_i32).to_be_bytes());
                Ok(None)
            }
            (PgKind::Name, Value::Text(text)) if text.len() > NAME_BYTES_MAX => Err(Reject::NameTooLong),
            (PgKind::Text | PgKind::Name, Value::Text(text)) => self.text(text, None, out),
            (PgKind::Varchar(limit), Value::Text(text)) => self.text(text, limit, out),
            (PgKind::Char(limit), Value::Text(text)) => {
                self.text(text, Some(limit), out)?;
                let is_full = characters(text) == usize::try_from(limit).unwrap_or(usize::MAX);
                Ok((!is_full || text.ends_with(b" ")).then_some(Normalised::BlankPadding))
            }
            (PgKind::Jsonb, Value::Text(text)) => self.json(text, &[1], out),
            (PgKind::Json, Value::Text(text)) => self.json(text, &[], out),
            (PgKind::Timestamptz(digits), Value::Text(text)) => self.timestamptz(text, digits, out),
            (PgKind::Int8, Value::Integer(number)) => field(out, &number.to_be_bytes()),
            (PgKind::Float8, Value::Real(number)) => field(out, &number.to_be_bytes()),
            (PgKind::Bytea, Value::Blob(bytes)) => field(out, bytes),
            (PgKind::Bool, Value::Integer(number @ (0 | 1))) => field(out, &[u8::from(number == 1)]),
            (PgKind::Bool, Value::Integer(_)) => Err(Reject::OutOfRange),
            (PgKind::Int4, Value::Integer(number)) => {
                narrow::<i32>(number).and_then(|n| field(out, &n.to_be_bytes()))
            }
            (PgKind::Int2, Value::Integer(number)) => {
                narrow::<i16>(number).and_then(|n| field(out, &n.to_be_bytes()))
            }
            // No integer has the sign of this zero.
            (PgKind::Int2 | PgKind::Int4 | PgKind::Int8, Value::Real(number))
                if number == 0.0 && number.is_sign_negative() =>
            {
                Err(Reject::Inexact)
            }
            (PgKind::Int2 | PgKind::Int4 | PgKind::Int8, Value::Real(number)) => {
                let number = whole(number)?;
                self.encode(kind, Value::Integer(number), out)?;
                Ok(Some(Normalised::RealAsInteger))
            }
            (PgKind::Float4, Value::Real(number)) => {
                single(number).and_then(|n| field(out, &n.to_be_bytes()))
            }
            (PgKind::Float4 | PgKind::Float8, Value::Integer(number)) => {
                self.encode(kind, Value::Real(exact(number)?), out)?;
                Ok(Some(Normalised::IntegerAsReal))
            }
            (PgKind::Numeric(modifier), value) => numeric(value, modifier, out),
            (PgKind::Jsonb, Value::Integer(_) | Value::Real(_)) => json_number(value, &[1], out),
            (PgKind::Json, Value::Integer(_) | Value::Real(_)) => json_number(value, &[], out),
            (PgKind::Timestamp(digits), Value::Text(text)) => timestamp(text, digits, out),
            (PgKind::Date, Value::Text(text)) => date(text, out),
            (PgKind::Time(digits), Value::Text(text)) => time_of_day(text, digits, out),
            (PgKind::Uuid, Value::Text(text)) => uuid(text, out),
            (PgKind::Uuid, Value::Blob(bytes)) if bytes.len() == 16 => {
                field(out, bytes)?;
                Ok(Some(Normalised::UuidSpelling))
            }
            (PgKind::Other, _) => Err(Reject::UnknownType),
            (
                PgKind::Text
                | PgKind::Name
                | PgKind::Varchar(_)
                | PgKind::Char(_)
                | PgKind::Json
                | PgKind::Jsonb
                | PgKind::Bytea
                | PgKind::Bool
                | PgKind::Int2
                | PgKind::Int4
                | PgKind::Int8
                | PgKind::Float4
                | PgKind::Float8
                | PgKind::Timestamptz(_)
                | PgKind::Timestamp(_)
                | PgKind::Date
                | PgKind::Time(_)
                | PgKind::Uuid,
                value,
            ) => Err(Reject::WrongClass(value.class())),
        }
    }

    fn text(&self, text: &[u8], limit: Option<u32>, out: &mut Vec<u8>) -> Outcome {
        if !self.proven {
            check_text(text)?;
            if let Some(limit) = limit
                && text.len() > usize::try_from(limit).unwrap_or(usize::MAX)
                && characters(text) > usize::try_from(limit).unwrap_or(usize::MAX)
            {
                return Err(Reject::TooLong(limit));
            }
        }
        field(out, text)
    }

    fn json(&self, text: &[u8], version: &[u8], out: &mut Vec<u8>) -> Outcome {
        let mut normalised = None;
        if text.len() > FIELD_BYTES_MAX {
            return Err(Reject::TooLarge);
        }
        if !self.proven {
            check_text(text)?;
            let verdict = json_text::judge(text).ok_or(Reject::NotJson)?;
            if !version.is_empty() {
                if let Some(reason) = verdict.jsonb {
                    return Err(reason);
                }
                normalised = match (verdict.duplicate_keys, verdict.respelled) {
                    (true, _) => Some(Normalised::JsonDuplicateKeys),
                    (false, true) => Some(Normalised::JsonSpelling),
                    (false, false) => None,
                };
            }
        }
        put(out, &length(version.len() + text.len()));
        put(out, version);
        put(out, text);
        Ok(normalised)
    }

    fn timestamptz(&self, text: &[u8], digits: u8, out: &mut Vec<u8>) -> Outcome {
        let (micros, normalised) = if let Some(micros) = canonical_time(text) {
            (micros, None)
        } else {
            let text = std::str::from_utf8(text).map_err(|_| Reject::NotATime)?;
            let at = Timestamp::parse(&unblanked(text), &self.zone).map_err(|_| Reject::NotATime)?;
            let spelling = if has_zone(text) {
                Normalised::TimeSpelling
            } else {
                Normalised::NaiveTime
            };
            (at.as_micros(), Some(spelling))
        };
        fine_enough(micros, digits)?;
        field(out, &(micros - PG_EPOCH_MICROS).to_be_bytes())?;
        Ok(normalised)
    }
}

pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

pub(super) fn length(length: usize) -> [u8; 4] {
    i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes()
}

pub(super) fn field(out: &mut Vec<u8>, bytes: &[u8]) -> Outcome {
    if bytes.len() > FIELD_BYTES_MAX {
        return Err(Reject::TooLarge);
    }
    put(out, &length(bytes.len()));
    put(out, bytes);
    Ok(None)
}

/// Whether `text` can hold it: UTF-8 without NUL.
pub(super) fn check_text(text: &[u8]) -> Result<(), Reject> {
    if is_plain(text) {
        return Ok(());
    }
    if text.contains(&0) {
        return Err(Reject::NulInText);
    }
    simdutf8::basic::from_utf8(text)
        .map_err(|_| Reject::NotUtf8)
        .map(|_| ())
}

/// Whether all bytes are ASCII and none is NUL: the common case, told at several bytes a step.
pub(super) fn is_plain(text: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A byte that is not ASCII has its high bit set. If there is none, one less sets the high bit of a byte that is 0, or of one
    // above such a byte.
    let unusual = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        word | word.wrapping_sub(ONES)
    };
    let Some(last) = text.last_chunk::<8>() else {
        return text.iter().all(|byte| (1..0x80).contains(byte));
    };
    let (words, _) = text.as_chunks::<8>();
    // Blocks, so that a long text which is not plain is left early.
    let plain =
        |words: &[[u8; 8]]| words.iter().fold(0, |seen, word| seen | unusual(word)) & (ONES << 7) == 0;
    words.chunks(64).all(plain) && unusual(last) & (ONES << 7) == 0
}

fn json_number(value: Value<'_>, version: &[u8], out: &mut Vec<u8>) -> Outcome {
    let text = match value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) if number.is_finite() => format!("{number:?}"),
        _ => return Err(Reject::OutOfRange),
    };
    put(out, &length(version.len() + text.len()));
    put(out, version);
    put(out, text.as_bytes());
    Ok(Some(Normalised::NumberAsJson))
}

/// The spelling that we and the original applications write, read without detours: `2026-01-01T12:00:00.123456+00:00`.
fn canonical_time(text: &[u8]) -> Option<i64> {
    let text: &[u8; 32] = text.try_into().ok()?;
    let shape = text[4] == b'-'
        && text[7] == b'-'
        && text[10] == b'T'
        && text[13] == b':'
        && text[16] == b':'
        && text[19] == b'.';
    if !shape || &text[26..] != b"+00:00" {
        return None;
    }
    let days = days(&text[..10])?;
    let (hour, minute) = (number(&text[11..13])?, number(&text[14..16])?);
    let (second, micros) = (number(&text[17..19])?, number(&text[20..26])?);
    (hour < 24 && minute < 60 && second < 60).then_some(())?;
    Some(days * DAY_MICROS + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// Days since 1970-01-01 of `YYYY-MM-DD`, by the algorithm that counts from March so that the leap day comes last.
pub(super) fn days(text: &[u8]) -> Option<i64> {
    let text: &[u8; 10] = text.try_into().ok()?;
    (text[4] == b'-' && text[7] == b'-').then_some(())?;
    let (century, year) = (two(text[0], text[1])?, two(text[2], text[3])?);
    let (year, month, day) = (
        century * 100 + year,
        two(text[5], text[6])?,
        two(text[8], text[9])?,
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    (year >= 1 && (1..=longest).contains(&day)).then_some(())?;
    let year = year - i64::from(month <= 2);
    let era = year / 400;
    let of_era = year % 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// The number of two digits.
pub(super) fn two(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from((tens - b'0') * 10 + (ones - b'0')))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |n, digit| {
        digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0'))
    })
}

/// Whether a text that has been read as a time names its zone.
fn has_zone(text: &str) -> bool {
    let clock = text.get(10..).unwrap_or_default();
    clock.contains(['+', '-', 'Z', 'z'])
}

/// A time without the blank that Sequelize and Ruby put before its zone.
fn unblanked(text: &str) -> Cow<'_, str> {
    match text.rsplit_once(' ') {
        Some((clock, zone)) if clock.len() > 10 && zone.starts_with(['+', '-', 'Z', 'z']) => {
            Cow::Owned([clock, zone].concat())
        }
        _ => Cow::Borrowed(text),
    }
}

/// How a text of a time says that it is UTC.
const UTC_SUFFIXES: [&str; 5] = ["+00:00", "+0000", "+00", "Z", "z"];

fn fine_enough(micros: i64, digits: u8) -> Result<(), Reject> {
    let step = 10_i64.pow(6 - u32::from(digits.min(6)));
    if micros % step == 0 {
        Ok(())
    } else {
        Err(Reject::TooFine)
    }
}

fn timestamp(text: &[u8], digits: u8, out: &mut Vec<u8>) -> Outcome {
    let text = std::str::from_utf8(text).map_err(|_| Reject::NotATime)?;
    if has_zone(text) && !UTC_SUFFIXES.iter().any(|suffix| text.ends_with(suffix)) {
        // Which of the two times is meant, this column cannot tell.
        return Err(Reject::NotATime);
    }
    let at = Timestamp::parse(&unblanked(text), &LegacyZone::utc()).map_err(|_| Reject::NotATime)?;
    fine_enough(at.as_micros(), digits)?;
    field(out, &(at.as_micros() - PG_EPOCH_MICROS).to_be_bytes())?;
    Ok((naive_text(at) != text).then_some(Normalised::TimeSpelling))
}

/// A time without its zone.
fn naive_text(at: Timestamp) -> String {
    let mut text = at.to_iso();
    text.truncate(26);
    text
}

fn date(text: &[u8], out: &mut Vec<u8>) -> Outcome {
    let days = days(text).ok_or(Reject::NotATime)? - PG_EPOCH_MICROS / DAY_MICROS;
    field(out, &narrow::<i32>(days)?.to_be_bytes())
}

fn time_of_day(text: &[u8], digits: u8, out: &mut Vec<u8>) -> Outcome {
    let text = std::str::from_utf8(text).map_err(|_| Reject::NotATime)?;
    if has_zone(&format!("          {text}")) {
        return Err(Reject::NotATime);
    }
    let on_a_day = format!("1970-01-01T{text}");
    let at = Timestamp::parse(&on_a_day, &LegacyZone::utc()).map_err(|_| Reject::NotATime)?;
    fine_enough(at.as_micros(), digits)?;
    field(out, &at.as_micros().to_be_bytes())?;
    Ok((naive_text(at) != on_a_day).then_some(Normalised::TimeSpelling))
}

fn uuid(text: &[u8], out: &mut Vec<u8>) -> Outcome {
    let dashed = uuid_bytes(text);
    let (bytes, respelled) = dashed.or_else(|| without_dashes(text)).ok_or(Reject::NotAUuid)?;
    field(out, &bytes)?;
    Ok(respelled.then_some(Normalised::UuidSpelling))
}

/// A UUID of 32 digits and nothing else, as Django writes it: always respelled.
fn without_dashes(text: &[u8]) -> Option<([u8; 16], bool)> {
    let digits: &[u8; 32] = text.try_into().ok()?;
    let mut dashed = [b'-'; 36];
    for (pair, at) in digits.chunks_exact(2).zip(UUID_DIGITS) {
        dashed.get_mut(at..at + 2)?.copy_from_slice(pair);
    }
    uuid_bytes(&dashed).map(|(bytes, _)| (bytes, true))
}

const CAPITAL: u8 = 0x10;
/// The value of each hexadecimal digit, with a mark for capitals; all bits of what is none.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        nibbles[b"0123456789abcdef"[value as usize] as usize] = value;
        if value > 9 {
            nibbles[b"0123456789ABCDEF"[value as usize] as usize] = CAPITAL | value;
        }
        value += 1;
    }
    nibbles
};

/// A UUID with its four dashes, and whether it has capitals.
pub(super) fn uuid_bytes(text: &[u8]) -> Option<([u8; 16], bool)> {
    let text: &[u8; 36] = text.try_into().ok()?;
    let dashes = [8, 13, 18, 23].iter().all(|at| text[*at] == b'-');
    dashes.then_some(())?;
    let mut bytes = [0_u8; 16];
    let mut seen = 0;
    for (byte, at) in bytes.iter_mut().zip(UUID_DIGITS) {
        let (high, low) = (NIBBLES[usize::from(text[at])], NIBBLES[usize::from(text[at + 1])]);
        seen |= high | low;
        *byte = high << 4 | (low & 0xf);
    }
    (seen <= CAPITAL | 0xf).then_some((bytes, seen & CAPITAL != 0))
}

/// Where the digits of each byte begin.
const UUID_DIGITS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// How many characters a text has: every byte but those that go on with one begins one.
fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

fn numeric(value: Value<'_>, modifier: Option<(u16, i16)>, out: &mut Vec<u8>) -> Outcome {
    let (text, normalised) = match value {
        Value::Integer(number) => {
            let with_point = modifier.is_some_and(|(_, scale)| scale > 0);
            (
                number.to_string(),
                with_point.then_some(Normalised::IntegerAsDecimal),
            )
        }
        // The shortest digits that give this double back, without an exponent.
        Value::Real(number) if number.is_finite() => (number.to_string(), Some(Normalised::RealAsDecimal)),
        Value::Real(_) => return Err(Reject::OutOfRange),
        Value::Text(text) => {
            let text = std::str::from_utf8(text).map_err(|_| Reject::NotANumber)?;
            (text.to_owned(), Some(Normalised::TextAsDecimal))
        }
        Value::Null | Value::Blob(_) => return Err(Reject::WrongClass(value.class())),
    };
    put_decimal(&text, modifier, out)?;
    Ok(normalised)
}

/// A decimal, if the type takes it without rounding it.
pub(super) fn put_decimal(text: &str, limits: Option<(u16, i16)>, out: &mut Vec<u8>) -> Result<(), Reject> {
    let (negative, whole, fraction) = decimal_parts(text).ok_or(Reject::NotANumber)?;
    if let Some((precision, scale)) = limits {
        let scale = usize::try_from(scale).map_err(|_| Reject::UnknownType)?;
        if fraction.trim_end_matches('0').len() > scale {
            return Err(Reject::Inexact);
        }
        if whole.len() + scale > usize::from(precision) {
            return Err(Reject::OutOfRange);
        }
    }
    put_numeric(negative, whole, fraction, out)
}

/// The sign, and the digits before (without leading zeros) and behind the point.
pub(super) fn decimal_parts(text: &str) -> Option<(bool, &str, &str)> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, ""), |parts| parts);
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = !whole.is_empty() && digits_only(whole) && digits_only(fraction) && !rest.ends_with('.');
    shaped.then(|| (negative, whole.trim_start_matches('0'), fraction))
}

/// Digits in groups of four from the point: count, power of the first group, sign, digits to show, groups.
fn put_numeric(negative: bool, whole: &str, fraction: &str, out: &mut Vec<u8>) -> Result<(), Reject> {
    if whole.len() > 131_072 || fraction.len() > 16_383 {
        return Err(Reject::OutOfRange);
    }
    let head = (4 - whole.len() % 4) % 4;
    let tail = (4 - fraction.len() % 4) % 4;
    let digits = format!("{}{whole}{fraction}{}", &"000"[..head], &"000"[..tail]);
    let groups: Vec<i16> = digits
        .as_bytes()
        .chunks_exact(4)
        .filter_map(|four| i16::try_from(number(four)?).ok())
        .collect();
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let trailing = groups
        .iter()
        .rev()
        .take_while(|group| **group == 0)
        .count()
        .min(groups.len() - leading);
    let kept = &groups[leading..groups.len() - trailing];
    let whole_groups = i32::try_from(whole.len().div_ceil(4)).unwrap_or(i32::MAX);
    let weight = if kept.is_empty() {
        0
    } else {
        whole_groups - 1 - i32::try_from(leading).unwrap_or(0)
    };
    let small = |number: i32| i16::try_from(number).map_err(|_| Reject::OutOfRange);
    put(out, &length(8 + 2 * kept.len()));
    // The number of groups is read without a sign.
    let count = u16::try_from(kept.len()).map_err(|_| Reject::OutOfRange)?;
    put(out, &count.to_be_bytes());
    put(out, &small(weight)?.to_be_bytes());
    put(
        out,
        &if negative && !kept.is_empty() {
            0x4000_u16
        } else {
            0
        }
        .to_be_bytes(),
    );
    put(
        out,
        &small(i32::try_from(fraction.len()).unwrap_or(i32::MAX))?.to_be_bytes(),
    );
    for group in kept {
        put(out, &group.to_be_bytes());
    }
    Ok(())
}

/// The way back: adds a field of a binary COPY to `batch` as the value that SQLite stores for it. What has no such form
/// is added as refused, with its raw bytes.
pub fn decode(kind: PgKind, raw: Option<&[u8]>, batch: &mut RowBatch) {
    let Some(raw) = raw else { return batch.push_null() };
    if decode_known(kind, raw, batch).is_none() {
        let reason = if kind == PgKind::Other {
            Reject::UnknownType
        } else {
            Reject::NoForm
        };
        batch.push_refused(raw, reason);
    }
}

fn decode_known(kind: PgKind, raw: &[u8], batch: &mut RowBatch) -> Option<()> {
    match kind {
        PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Char(_) | PgKind::Json => {
            batch.push_text(raw);
        }
        PgKind::Jsonb => batch.push_text(raw.strip_prefix(&[1])?),
        PgKind::Bytea => batch.push_blob(raw),
        PgKind::Bool => match raw {
            [flag @ (0 | 1)] => batch.push_integer(i64::from(*flag)),
            _ => return None,
        },
        PgKind::Int2 => batch.push_integer(i64::from(i16::from_be_bytes(raw.try_into().ok()?))),
        PgKind::Int4 => batch.push_integer(i64::from(i32::from_be_bytes(raw.try_into().ok()?))),
        PgKind::Int8 => batch.push_integer(i64::from_be_bytes(raw.try_into().ok()?)),
        // SQLite stores NaN as NULL.
        PgKind::Float4 => batch.push_real(f64::from(
            Some(f32::from_be_bytes(raw.try_into().ok()?)).filter(|n| !n.is_nan())?,
        )),
        PgKind::Float8 => {
            batch.push_real(Some(f64::from_be_bytes(raw.try_into().ok()?)).filter(|n| !n.is_nan())?);
        }
        PgKind::Numeric(_) => push_decimal(&decimal_text(raw)?, batch),
        PgKind::Timestamptz(_) => batch.push_text(instant(raw)?.to_iso().as_bytes()),
        PgKind::Timestamp(_) => batch.push_text(naive_text(instant(raw)?).as_bytes()),
        PgKind::Date => {
            let days = i64::from(i32::from_be_bytes(raw.try_into().ok()?)) + PG_EPOCH_MICROS / DAY_MICROS;
            let at = Timestamp::from_micros(days.checked_mul(DAY_MICROS)?).ok()?;
            batch.push_text(at.to_iso().get(..10)?.as_bytes());
        }
        PgKind::Time(_) => {
            let micros = i64::from_be_bytes(raw.try_into().ok()?);
            // 24:00:00 is a time there.
            let at = Timestamp::from_micros(Some(micros).filter(|micros| (0..DAY_MICROS).contains(micros))?)
                .ok()?;
            batch.push_text(at.to_iso().get(11..26)?.as_bytes());
        }
        PgKind::Uuid => batch.push_text(&uuid_text(raw)?),
        PgKind::Other => return None,
    }
    Some(())
}

/// None for infinity and years that text of four digits cannot write.
fn instant(raw: &[u8]) -> Option<Timestamp> {
    let micros = i64::from_be_bytes(raw.try_into().ok()?);
    Timestamp::from_micros(micros.checked_add(PG_EPOCH_MICROS)?).ok()
}

pub(super) fn uuid_text(raw: &[u8]) -> Option<[u8; 36]> {
    let bytes: &[u8; 16] = raw.try_into().ok()?;
    let mut text = [b'-'; 36];
    for (byte, at) in bytes.iter().zip(UUID_DIGITS) {
        text[at] = b"0123456789abcdef"[usize::from(byte >> 4)];
        text[at + 1] = b"0123456789abcdef"[usize::from(byte & 0xf)];
    }
    Some(text)
}

/// An integer if it is one, a real if that shows the same digits, else text.
pub(super) fn push_decimal(text: &str, batch: &mut RowBatch) {
    if let Ok(number) = text.parse::<i64>() {
        batch.push_integer(number);
        return;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number.to_string() == text => batch.push_real(number),
        _ => batch.push_text(text.as_bytes()),
    }
}

/// The digits of a `numeric`; none for NaN, the infinities, and bytes that are none.
pub(super) fn decimal_text(raw: &[u8]) -> Option<String> {
    use std::fmt::Write as _;
    let (head, groups) = raw.split_at_checked(8)?;
    let word = |at: usize| Some(i16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    let (weight, sign, scale) = (
        word(2)?,
        word(4)?.cast_unsigned(),
        usize::try_from(word(6)?).ok()?,
    );
    let negative = match sign {
        0 => false,
        0x4000 => true,
        _ => return None,
    };
    let (groups, rest) = groups.as_chunks::<2>();
    let whole = rest.is_empty() && usize::from(word(0)?.cast_unsigned()) == groups.len();
    let four_digits = |group: &[u8; 2]| (0..10_000).contains(&i16::from_be_bytes(*group));
    // Zero has neither groups nor a sign.
    if !whole || !groups.iter().all(four_digits) || negative && groups.is_empty() {
        return None;
    }
    let group = |power: i32| -> i16 {
        let at = usize::try_from(i32::from(weight) - power);
        at.ok()
            .and_then(|at| groups.get(at))
            .map_or(0, |group| i16::from_be_bytes(*group))
    };
    let mut text = String::new();
    for power in (0..=i32::from(weight).max(0)).rev() {
        write!(text, "{:04}", group(power)).ok()?;
    }
    let kept = text.trim_start_matches('0').len().max(1);
    let mut text = text.split_off(text.len() - kept);
    if scale > 0 {
        text.push('.');
        let point = text.len();
        for power in 1..=i32::try_from(scale.div_ceil(4)).ok()? {
            write!(text, "{:04}", group(-power)).ok()?;
        }
        text.truncate(point + scale);
    }
    if negative {
        text.insert(0, '-');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::value::StorageClass;
    use super::*;

    fn converter() -> Converter {
        Converter {
            zone: LegacyZone::utc(),
            proven: false,
        }
    }

    fn encode(kind: PgKind, value: Value<'_>) -> Result<(Vec<u8>, Option<Normalised>), Reject> {
        let mut out = Vec::new();
        let normalised = converter().encode(kind, value, &mut out)?;
        let length = i32::from_be_bytes(out[..4].try_into().unwrap());
        assert_eq!(usize::try_from(length).unwrap_or(0), out.len() - 4);
        Ok((out.split_off(4), normalised))
    }

    /// There and back.
    fn returned<R>(kind: PgKind, value: Value<'_>, check: impl FnOnce(Value<'_>) -> R) -> R {
        let (bytes, _) =
            encode(kind, value).unwrap_or_else(|reject| panic!("{kind:?} {}: {reject}", value.describe()));
        let mut batch = RowBatch::new(1, 0);
        decode(kind, Some(&bytes), &mut batch);
        assert_eq!(batch.refused(), []);
        check(batch.rows().next().unwrap().value(0))
    }

    const KINDS: [PgKind; 20] = [
        PgKind::Bool,
        PgKind::Int2,
        PgKind::Int4,
        PgKind::Int8,
        PgKind::Float4,
        PgKind::Float8,
        PgKind::Numeric(None),
        PgKind::Numeric(Some((5, 2))),
        PgKind::Text,
        PgKind::Varchar(Some(3)),
        PgKind::Char(3),
        PgKind::Bytea,
        PgKind::Json,
        PgKind::Jsonb,
        PgKind::Timestamptz(6),
        PgKind::Timestamp(3),
        PgKind::Date,
        PgKind::Time(6),
        PgKind::Uuid,
        PgKind::Other,
    ];

    #[test]
    fn text_that_is_filled_up_with_blanks_is_told() {
        let padded = Some(Normalised::BlankPadding);
        for (text, normalised) in [
            ("abc", None),
            ("äöü", None),
            ("ab", padded),
            ("", padded),
            ("ab ", padded),
        ] {
            let (_, told) = encode(PgKind::Char(3), Value::Text(text.as_bytes())).unwrap();
            assert_eq!(told, normalised, "{text}");
        }
    }

    #[test]
    fn times_become_instants_and_what_changed_is_told() {
        for (text, iso, normalised) in [
            (
                "2026-01-01T12:00:00.123456+00:00",
                "2026-01-01T12:00:00.123456+00:00",
                None,
            ),
            (
                "2026-01-01T12:00:00+00:00",
                "2026-01-01T12:00:00.000000+00:00",
                Some(Normalised::TimeSpelling),
            ),
            (
                "2026-01-01T12:00:00Z",
                "2026-01-01T12:00:00.000000+00:00",
                Some(Normalised::TimeSpelling),
            ),
            (
                "2026-01-01 12:00:00",
                "2026-01-01T12:00:00.000000+00:00",
                Some(Normalised::NaiveTime),
            ),
            (
                "2024-02-29",
                "2024-02-29T00:00:00.000000+00:00",
                Some(Normalised::NaiveTime),
            ),
            (
                "2026-01-01T12:00:00.5-03:00",
                "2026-01-01T15:00:00.500000+00:00",
                Some(Normalised::TimeSpelling),
            ),
            (
                "0001-01-01T00:00:00.000000+00:00",
                "0001-01-01T00:00:00.000000+00:00",
                None,
            ),
            (
                "9999-12-31T23:59:59.999999+00:00",
                "9999-12-31T23:59:59.999999+00:00",
                None,
            ),
        ] {
            let kind = PgKind::Timestamptz(6);
            let (_, told) = encode(kind, Value::Text(text.as_bytes())).unwrap();
            assert_eq!(told, normalised, "{text}");
            returned(kind, Value::Text(text.as_bytes()), |back| {
                assert_eq!(back, Value::Text(iso.as_bytes()));
            });
        }
        let words = [
            "now",
            "today",
            "infinity",
            "epoch",
            "",
            "0000-00-00",
            "2023-02-29T00:00:00.000000+00:00",
            "20240131",
            "24:00",
        ];
        for text in words {
            assert_eq!(
                encode(PgKind::Timestamptz(6), Value::Text(text.as_bytes())),
                Err(Reject::NotATime),
                "{text}"
            );
        }
        assert_eq!(
            encode(
                PgKind::Timestamptz(3),
                Value::Text(b"2026-01-01T12:00:00.123456Z")
            ),
            Err(Reject::TooFine)
        );
        assert_eq!(
            encode(PgKind::Timestamp(6), Value::Text(b"2026-01-01T12:00:00+02:00")),
            Err(Reject::NotATime)
        );
    }

    #[test]
    fn each_reject_has_its_reason() {
        let text = |bytes: &'static [u8]| Value::Text(bytes);
        for (kind, value, reason) in [
            (PgKind::Text, text(b"a\0b"), Reject::NulInText),
            (PgKind::Text, text(b"\xff"), Reject::NotUtf8),
            (PgKind::Text, text(b"\xed\xa0\x80"), Reject::NotUtf8),
            (
                PgKind::Text,
                Value::Blob(b"abc"),
                Reject::WrongClass(StorageClass::Blob),
            ),
            (
                PgKind::Text,
                Value::Integer(1),
                Reject::WrongClass(StorageClass::Integer),
            ),
            (
                PgKind::Varchar(Some(3)),
                text("éééé".as_bytes()),
                Reject::TooLong(3),
            ),
            (PgKind::Int8, text(b"12"), Reject::WrongClass(StorageClass::Text)),
            (PgKind::Int8, Value::Real(1.5), Reject::Inexact),
            (PgKind::Int8, Value::Real(9.3e18), Reject::OutOfRange),
            (PgKind::Int4, Value::Integer(1 << 31), Reject::OutOfRange),
            (PgKind::Float8, Value::Integer((1 << 53) + 1), Reject::Inexact),
            (PgKind::Float8, Value::Integer(i64::MAX), Reject::Inexact),
            (PgKind::Float4, Value::Real(0.1), Reject::Inexact),
            (PgKind::Bool, Value::Integer(2), Reject::OutOfRange),
            (
                PgKind::Bool,
                text(b"true"),
                Reject::WrongClass(StorageClass::Text),
            ),
            (PgKind::Numeric(Some((5, 2))), Value::Real(1.005), Reject::Inexact),
            (
                PgKind::Numeric(Some((5, 2))),
                Value::Integer(1000),
                Reject::OutOfRange,
            ),
            (PgKind::Numeric(None), text(b"1_000"), Reject::NotANumber),
            (PgKind::Numeric(None), text(b""), Reject::NotANumber),
            (PgKind::Jsonb, text(b"{\"a\": \"\\u0000\"}"), Reject::JsonNul),
            (PgKind::Jsonb, text(b"NaN"), Reject::NotJson),
            (PgKind::Jsonb, Value::Real(f64::INFINITY), Reject::OutOfRange),
            (PgKind::Date, text(b"2024-01-31T00:00"), Reject::NotATime),
            (
                PgKind::Uuid,
                text(b"0d6e4079-e367-4e11-a42f-97a4-6cf9b9c"),
                Reject::NotAUuid,
            ),
            (PgKind::Other, text(b"x"), Reject::UnknownType),
        ] {
            assert_eq!(encode(kind, value), Err(reason), "{kind:?} {}", value.describe());
        }
        assert!(
            encode(PgKind::Json, text(b"{\"a\": \"\\u0000\"}")).is_ok(),
            "json keeps it as text"
        );
    }

    #[test]
    fn decimals_keep_their_digits() {
        for (text, shown) in [
            ("0", "0"),
            ("-0.00", "0.00"),
            ("1", "1"),
            ("10000", "10000"),
            ("9999.99990", "9999.99990"),
            ("-0.00001", "-0.00001"),
            (
                "123456789012345678901234567890.5",
                "123456789012345678901234567890.5",
            ),
            ("00012.3400", "12.3400"),
        ] {
            let (bytes, _) = encode(PgKind::Numeric(None), Value::Text(text.as_bytes())).unwrap();
            assert_eq!(decimal_text(&bytes).as_deref(), Some(shown), "{text}");
        }
        assert_eq!(decimal_text(&[0, 0, 0, 0, 0xc0, 0, 0, 0]), None, "NaN");
    }

    #[test]
    fn what_sqlite_has_no_form_for_is_refused_with_its_bytes() {
        let mut batch = RowBatch::new(3, 0);
        decode(PgKind::Float8, Some(&f64::NAN.to_be_bytes()), &mut batch);
        decode(PgKind::Timestamptz(6), Some(&i64::MAX.to_be_bytes()), &mut batch);
        decode(PgKind::Date, Some(&i32::MIN.to_be_bytes()), &mut batch);
        let places: Vec<_> = batch
            .refused()
            .iter()
            .map(|refused| (refused.row, refused.column))
            .collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2)]);
        assert_eq!(
            batch.rows().next().unwrap().value(1),
            Value::Blob(&i64::MAX.to_be_bytes())
        );
    }

    proptest! {
        #[test]
        fn plain_text_is_told_at_any_length(mut text in proptest::collection::vec(1_u8..0x80, 0..1_100), at: proptest::sample::Index, odd: u8) {
            prop_assert!(is_plain(&text));
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = odd;
                prop_assert_eq!(is_plain(&text), (1..0x80).contains(&odd));
            }
            let long_way = !text.contains(&0) && std::str::from_utf8(&text).is_ok();
            prop_assert_eq!(check_text(&text).is_ok(), long_way);
        }

        #[test]
        fn integers_return(number: i64) {
            for kind in [PgKind::Int8, PgKind::Numeric(None)] {
                returned(kind, Value::Integer(number), |back| assert_eq!(back, Value::Integer(number)));
            }
        }

        #[test]
        fn doubles_return_bit_for_bit(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(!number.is_nan());
            returned(PgKind::Float8, Value::Real(number), |back| match back {
                Value::Real(back) => assert_eq!(back.to_bits(), bits),
                other => panic!("{other:?}"),
            });
        }

        #[test]
        fn finite_doubles_return_from_decimals(number in -1e18_f64..1e18) {
            returned(PgKind::Numeric(None), Value::Real(number), |back| {
                let same = match back { Value::Real(back) => back.to_bits() == number.to_bits(), Value::Integer(back) => (back as f64).to_bits() == number.to_bits(), _ => false };
                assert!(same, "{number} {back:?}");
            });
        }

        #[test]
        fn text_returns_byte_for_byte(text in "\\PC*") {
            for kind in [PgKind::Text, PgKind::Varchar(None)] {
                returned(kind, Value::Text(text.as_bytes()), |back| assert_eq!(back, Value::Text(text.as_bytes())));
            }
        }

        #[test]
        fn instants_return(micros in -62_135_596_800_000_000_i64..=253_402_300_799_999_999) {
            let text = Timestamp::from_micros(micros).unwrap().to_iso();
            prop_assert_eq!(canonical_time(text.as_bytes()), Some(micros));
            let value = Value::Text(text.as_bytes());
            returned(PgKind::Timestamptz(6), value, |back| assert_eq!(back, value));
            let naive = Value::Text(&text.as_bytes()[..26]);
            returned(PgKind::Timestamp(6), naive, |back| assert_eq!(back, naive));
            let date = Value::Text(&text.as_bytes()[..10]);
            returned(PgKind::Date, date, |back| assert_eq!(back, date));
            let time = Value::Text(&text.as_bytes()[11..26]);
            returned(PgKind::Time(6), time, |back| assert_eq!(back, time));
        }

        #[test]
        fn the_short_way_reads_times_as_the_long_way(text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{6}\\+00:00") {
            let long = Timestamp::parse(&text, &LegacyZone::utc()).ok().map(Timestamp::as_micros);
            prop_assert_eq!(canonical_time(text.as_bytes()), long);
        }

        #[test]
        fn uuids_return(bytes: [u8; 16]) {
            let text = uuid_text(&bytes).unwrap();
            let value = Value::Text(&text);
            returned(PgKind::Uuid, value, |back| assert_eq!(back, value));
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40), number: i64, real: f64) {
            for kind in KINDS {
                for value in [Value::Text(&bytes), Value::Blob(&bytes), Value::Integer(number), Value::Real(real), Value::Null] {
                    let _outcome = converter().encode(kind, value, &mut Vec::new());
                }
                decode(kind, Some(&bytes), &mut RowBatch::new(1, 0));
            }
        }

        #[test]
        fn no_text_that_looks_like_a_value_panics(text in "[-+.:0-9eETZ ]{0,36}") {
            for kind in KINDS {
                let _outcome = converter().encode(kind, Value::Text(text.as_bytes()), &mut Vec::new());
            }
        }
    }
}
