//! Numbers: exact decimals from text and from PostgreSQL's groups of four digits.

/// A decimal as it is written: digits before and after the point, and a power of ten.
#[derive(Debug, Clone, Copy)]
struct Written<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// The integer that a double is exactly. -0.0 is none, because no integer gives it back.
pub(super) fn whole(n: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if n.fract() != 0.0 || !(-LIMIT..LIMIT).contains(&n) || (n == 0.0 && n.is_sign_negative()) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a whole number in the range of i64"
    )]
    Some(n as i64)
}

/// The double that an integer is exactly.
pub(super) fn exact_double(n: i64) -> Option<f64> {
    let double = n as f64;
    (whole(double) == Some(n)).then_some(double)
}

/// Appends the value of a decimal in text: sign, power of the last digit, digits without outer zeros.
pub(super) fn write_text(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    match text {
        b"NaN" | b"Infinity" | b"-Infinity" => write_special(text, out),
        b"inf" => write_special(b"Infinity", out),
        b"-inf" => write_special(b"-Infinity", out),
        _ => read(text)?.write(false, out),
    }
    Some(())
}

/// Appends a number of a JSON document, of which the number of digits behind the point is a part: `jsonb` keeps 1.0 apart from
/// 1, and turns 1e2 into 100.
pub(super) fn write_with_scale(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    read(text).map(|number| number.write(true, out))
}

fn write_special(name: &[u8], out: &mut Vec<u8>) {
    out.push(3);
    out.extend_from_slice(name);
    out.push(0);
}

/// Reads `[+-]digits[.digits][e[+-]digits]`.
fn read(text: &[u8]) -> Option<Written<'_>> {
    let (negative, rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let (whole, rest) = split_digits(rest);
    let (fraction, rest) = match rest.split_first() {
        Some((b'.', rest)) => split_digits(rest),
        _ => (&b""[..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest.split_first() {
        None => 0,
        Some((b'e' | b'E', rest)) => exponent(rest)?,
        Some(_) => return None,
    };
    Some(Written {
        negative,
        whole,
        fraction,
        exponent,
    })
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Saturates far beyond what any database holds.
fn exponent(text: &[u8]) -> Option<i64> {
    const LIMIT: i64 = 1_000_000_000_000;
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits
        .iter()
        .fold(0_i64, |n, digit| (n * 10 + i64::from(digit - b'0')).min(LIMIT));
    Some(if negative { -size } else { size })
}

impl Written<'_> {
    fn write(self, with_scale: bool, out: &mut Vec<u8>) {
        let behind = i64::try_from(self.fraction.len()).unwrap_or(i64::MAX / 2);
        if with_scale {
            let scale = behind.saturating_sub(self.exponent).max(0);
            out.extend_from_slice(&scale.to_le_bytes());
        }
        let (whole, fraction) = (after_zeros(self.whole), before_zeros(self.fraction));
        // Zeros next to the point are outer ones if nothing else stands on the other side of it.
        let fraction = if whole.is_empty() {
            after_zeros(fraction)
        } else {
            fraction
        };
        let (whole, dropped_whole) = if fraction.is_empty() {
            let kept = before_zeros(whole);
            (kept, whole.len() - kept.len())
        } else {
            (whole, 0)
        };
        let kept = whole.len() + fraction.len();
        if kept == 0 {
            // Zero has no sign in an exact decimal.
            out.push(0);
            return;
        }
        let dropped = self.fraction.len() - before_zeros(self.fraction).len() + dropped_whole;
        let dropped = i64::try_from(dropped).unwrap_or(i64::MAX / 2);
        let power = self.exponent.saturating_sub(behind).saturating_add(dropped);
        out.push(if self.negative { 2 } else { 1 });
        out.extend_from_slice(&power.to_le_bytes());
        super::put_length(out, kept);
        out.extend_from_slice(whole);
        out.extend_from_slice(fraction);
    }
}

fn after_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.get(zeros..).unwrap_or_default()
}

fn before_zeros(digits: &[u8]) -> &[u8] {
    let kept = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last + 1);
    digits.get(..kept).unwrap_or_default()
}

/// What the words before the digits of a `numeric` say of its value.
struct Head {
    weight: i64,
    sign: u16,
}

const NEGATIVE: u16 = 0x4000;

fn split_postgres(raw: &[u8]) -> Option<(Head, Vec<u8>)> {
    let (head, groups) = raw.split_at_checked(8)?;
    let word = |at: usize| Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    let (groups, rest) = groups.as_chunks::<2>();
    if usize::from(word(0)?) != groups.len() || !rest.is_empty() {
        return None;
    }
    let mut digits = Vec::with_capacity(groups.len() * 4);
    for group in groups {
        let group = u16::from_be_bytes(*group);
        for unit in [1000, 100, 10, 1] {
            let digit = u8::try_from(group / unit % 10).ok()?;
            digits.push(b'0' + digit);
        }
        if group > 9999 {
            return None;
        }
    }
    let head = Head {
        weight: i64::from(word(2)?.cast_signed()),
        sign: word(4)?,
    };
    Some((head, digits))
}

/// Appends the value of a `numeric` in its binary form, as [`write_text`] does for text.
pub(super) fn write_postgres(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (head, digits) = split_postgres(raw)?;
    match head.sign {
        0 | NEGATIVE => {}
        0xc000 => return write_text(b"NaN", out),
        0xd000 => return write_text(b"Infinity", out),
        0xf000 => return write_text(b"-Infinity", out),
        _ => return None,
    }
    let groups = i64::try_from(digits.len() / 4).unwrap_or(0);
    let number = Written {
        negative: head.sign == NEGATIVE,
        whole: &digits,
        fraction: b"",
        exponent: (head.weight + 1 - groups) * 4,
    };
    number.write(false, out);
    Some(())
}

/// Appends the digits of a `numeric` as PostgreSQL prints it; none if it is no number (NaN, an infinity).
pub(super) fn write_printed(raw: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (head, groups) = raw.split_at_checked(8)?;
    let word = |at: usize| Some(u16::from_be_bytes([*head.get(at)?, *head.get(at + 1)?]));
    let groups = groups.as_chunks::<2>().0;
    // Four digits each; those that are not sent are zeros.
    let group = |at: i64| {
        let sent = usize::try_from(at).ok().and_then(|at| groups.get(at));
        sent.map_or(0, |group| u16::from_be_bytes(*group))
    };
    let digit = |group: u16, power: u32| b'0' + u8::try_from(group / 10_u16.pow(power) % 10).unwrap_or(0);
    match word(4)? {
        0 => {}
        NEGATIVE => out.push(b'-'),
        _ => return None,
    }
    let weight = i64::from(word(2)?.cast_signed());
    let begin = out.len();
    for at in 0..=weight {
        for power in (0..4).rev() {
            let digit = digit(group(at), power);
            if digit != b'0' || out.len() > begin {
                out.push(digit);
            }
        }
    }
    if out.len() == begin {
        out.push(b'0');
    }
    let scale = i64::from(word(6)?);
    if scale > 0 {
        out.push(b'.');
    }
    let powers = [3, 2, 1, 0].into_iter().cycle();
    for (place, power) in (0..scale).zip(powers) {
        out.push(digit(group(weight + 1 + place / 4), power));
    }
    Some(())
}

/// A `numeric` in words, for a report.
pub(super) fn text_of_postgres(raw: &[u8]) -> Option<String> {
    let mut digits = Vec::new();
    if write_printed(raw, &mut digits).is_some() {
        return String::from_utf8(digits).ok();
    }
    match split_postgres(raw)?.0.sign {
        0xc000 => Some("NaN".to_owned()),
        0xd000 => Some("Infinity".to_owned()),
        0xf000 => Some("-Infinity".to_owned()),
        _ => None,
    }
}
