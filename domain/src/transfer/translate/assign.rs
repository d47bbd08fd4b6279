//! Values put into a column: its affinity first, then its type.

use super::clock::{self, Moment};
use super::meaning::{Place, Translator};
use super::tree::{Binary, Expr, Node};
use super::typed::{Class, Constant, Result, Typed, is_date, is_numeric, is_uuid, number_in};
use super::{ExprColumn, Untranslatable};
use crate::transfer::catalog::{Affinity, PgKind};
use crate::transfer::json_text;

/// Up to here doubles and integers are the same numbers.
const DOUBLE_EXACT: f64 = 9_007_199_254_740_992.0;

/// The value of an expression as SQLite stores it in `into`, in the type that `into` has in PostgreSQL.
pub(super) fn assigned(typed: Typed, into: &ExprColumn) -> Result<Typed> {
    let typed = constant_in(typed, into.affinity)?;
    let refused = |typed: &Typed| {
        Err(Untranslatable(format!(
            "it is {}, which {} does not hold as SQLite stores it",
            typed.class.words(),
            kind_words(into.kind)
        )))
    };
    let (class, nullable) = (typed.class, typed.nullable);
    let atom = |sql: String| Typed::atom(sql, class, nullable);
    if typed.class == Class::Null {
        return Ok(typed);
    }
    match into.kind {
        PgKind::Text | PgKind::Varchar(_) => {
            // A constant has been looked at; any other text could be a number, and then it is stored as one.
            if typed.class == Class::Text && (!is_numeric(into.affinity) || typed.constant.is_some()) {
                return Ok(typed);
            }
            if into.affinity == Affinity::Text && matches!(typed.class, Class::Integer { .. } | Class::Bool) {
                return typed.texted();
            }
            refused(&typed)
        }
        PgKind::Bytea if typed.class == Class::Blob => Ok(typed),
        PgKind::Bool if typed.class == Class::Bool && into.affinity != Affinity::Text => Ok(typed),
        PgKind::Bool => match typed.constant {
            Some(Constant::Integer(0)) => Ok(atom("FALSE".to_owned())),
            Some(Constant::Integer(1)) => Ok(atom("TRUE".to_owned())),
            _ => refused(&typed),
        },
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 if into.affinity != Affinity::Text => {
            let (low, high) = match into.kind {
                PgKind::Int2 => (i64::from(i16::MIN), i64::from(i16::MAX)),
                PgKind::Int4 => (i64::from(i32::MIN), i64::from(i32::MAX)),
                _ => (i64::MIN, i64::MAX),
            };
            let typed = typed.numeral();
            match (&typed.constant, typed.class) {
                (Some(Constant::Integer(n)), _) if !(low..=high).contains(n) => refused(&typed),
                (_, Class::Integer { .. }) if into.affinity != Affinity::Real => Ok(typed),
                _ => refused(&typed),
            }
        }
        PgKind::Float8 if into.affinity != Affinity::Text => {
            let typed = typed.numeral();
            match typed.class {
                // A whole number may be INTEGER or REAL where the column does not make it one of them.
                Class::Number if into.affinity == Affinity::Blob => refused(&typed),
                // A column of this affinity stores no negative zero.
                Class::Real { .. } | Class::Number
                    if into.affinity == Affinity::Real && typed.constant.is_none() =>
                {
                    Ok(atom(format!("{} + 0", typed.operand())))
                }
                Class::Real { .. } | Class::Number => Ok(typed),
                // REAL affinity makes a double of it as PostgreSQL does.
                Class::Integer { .. } if into.affinity == Affinity::Real => Ok(atom(typed.as_double())),
                Class::Integer { low, high, .. }
                    if low as f64 >= -DOUBLE_EXACT && high as f64 <= DOUBLE_EXACT =>
                {
                    Ok(atom(typed.as_double()))
                }
                _ => refused(&typed),
            }
        }
        PgKind::Numeric(None) if is_numeric(into.affinity) && into.affinity != Affinity::Real => {
            let typed = typed.numeral();
            match (&typed.constant, typed.class) {
                (Some(Constant::Real(n)), _) if n.is_finite() => Ok(atom(n.to_string())),
                (_, Class::Integer { .. } | Class::Decimal) => Ok(typed),
                _ => refused(&typed),
            }
        }
        PgKind::Date if typed.class == Class::Date => Ok(typed),
        PgKind::Uuid if typed.class == Class::Uuid => Ok(typed),
        _ => match &typed.constant {
            Some(Constant::Text(text)) => match text_constant(text, into.kind) {
                Some(sql) => Ok(atom(sql)),
                None => Err(Untranslatable(format!(
                    "its text is not of the form that {} has",
                    kind_words(into.kind)
                ))),
            },
            _ => refused(&typed),
        },
    }
}

/// A literal after the column's affinity.
pub(super) fn constant_in(typed: Typed, affinity: Affinity) -> Result<Typed> {
    let Some(constant) = typed.constant.clone() else {
        return Ok(typed);
    };
    let constant = match constant {
        Constant::Text(text) if is_numeric(affinity) => number_in(&text)?.unwrap_or(Constant::Text(text)),
        other => other,
    };
    Ok(match (constant, affinity) {
        (Constant::Integer(n), Affinity::Text) => Typed::text(&n.to_string()),
        (Constant::Integer(n), Affinity::Real) => Typed::real(n as f64),
        (Constant::Integer(n), _) => Typed::integer(n),
        (Constant::Real(n), Affinity::Text) => Typed::text(&real_text(n)?),
        (Constant::Real(n), Affinity::Integer | Affinity::Numeric)
            if n.fract() == 0.0 && n.abs() <= DOUBLE_EXACT =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole, and within the range of i64"
            )]
            Typed::integer(n as i64)
        }
        // -0.0 + 0.0 is 0.0: such a column stores no negative zero.
        (Constant::Real(n), Affinity::Real) => Typed::real(n + 0.0),
        (Constant::Real(n), _) => Typed::real(n),
        (Constant::Text(text), _) => Typed::text(&text),
    })
}

/// A real as SQLite writes it: fifteen digits.
fn real_text(n: f64) -> Result<String> {
    let text = format!("{n:?}");
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let plain = (1e-4..1e15).contains(&n.abs()) && !text.contains('e');
    if plain && digits <= 15 {
        Ok(text)
    } else {
        Err(Untranslatable(format!(
            "SQLite has a spelling of its own for the real {text}"
        )))
    }
}

fn kind_words(kind: PgKind) -> &'static str {
    match kind {
        PgKind::Bool => "a column of boolean",
        PgKind::Int2 | PgKind::Int4 | PgKind::Int8 => "a column of integers",
        PgKind::Float4 | PgKind::Float8 => "a column of doubles",
        PgKind::Numeric(_) => "a column of numeric",
        PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Char(_) => "a column of text",
        PgKind::Bytea => "a column of bytea",
        PgKind::Json | PgKind::Jsonb => "a column of JSON",
        PgKind::Timestamptz(_) | PgKind::Timestamp(_) => "a column of timestamps",
        PgKind::Date => "a column of dates",
        PgKind::Time(_) => "a column of times",
        PgKind::Uuid => "a column of UUIDs",
        PgKind::Other => "a column of this type",
    }
}

/// A text of exactly the form that a type has, as a literal of that type. The forms are ISO 8601, which no setting changes.
fn text_constant(text: &str, kind: PgKind) -> Option<String> {
    let name = match kind {
        PgKind::Date if is_date(text) => "date",
        PgKind::Uuid if is_uuid(text) => "uuid",
        PgKind::Time(digits) if is_clock(text, digits) => "time",
        PgKind::Timestamp(digits) if is_timestamp(text, digits) => "timestamp",
        PgKind::Timestamptz(digits) => {
            let local = ["Z", "+00:00", "+00"]
                .iter()
                .find_map(|zone| text.strip_suffix(zone))?;
            is_timestamp(local, digits).then_some("timestamptz")?
        }
        PgKind::Json => json_text::judge(text.as_bytes()).map(|_| "json")?,
        PgKind::Jsonb => json_text::judge(text.as_bytes())
            .filter(|verdict| verdict.jsonb.is_none())
            .map(|_| "jsonb")?,
        _ => return None,
    };
    Some(format!("{}::{name}", super::typed::text_literal(text)))
}

fn is_timestamp(text: &str, digits: u8) -> bool {
    let (Some(date), Some(separator), Some(clock)) = (text.get(..10), text.get(10..11), text.get(11..))
    else {
        return false;
    };
    is_date(date) && matches!(separator, " " | "T") && is_clock(clock, digits)
}

/// `HH:MM`, perhaps with seconds and a fraction of so many digits.
fn is_clock(text: &str, digits: u8) -> bool {
    let (clock, fraction) = text.split_once('.').map_or((text, None), |(c, f)| (c, Some(f)));
    let parts: Vec<&str> = clock.split(':').collect();
    let two = |part: &&str, below: u8| {
        part.len() == 2
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|n| n < below)
    };
    let fraction = fraction.is_none_or(|f| {
        parts.len() == 3
            && (1..=usize::from(digits)).contains(&f.len())
            && f.bytes().all(|b| b.is_ascii_digit())
    });
    match parts.as_slice() {
        [hour, minute] => two(hour, 24) && two(minute, 60) && fraction,
        [hour, minute, second] => two(hour, 24) && two(minute, 60) && two(second, 60) && fraction,
        _ => false,
    }
}

/// A default.
pub(super) fn default(expr: &Expr, into: &ExprColumn) -> Result<Typed> {
    let translator = Translator {
        columns: &[],
        place: Place::Default,
    };
    // A lone name is a string; TRUE and FALSE are numbers.
    if let Node::Name { name, double_quoted } = &expr.node {
        let truth = !double_quoted
            && ["TRUE", "FALSE"]
                .iter()
                .any(|word| name.eq_ignore_ascii_case(word));
        if !truth {
            if name.contains('\0') {
                return Err(Untranslatable("PostgreSQL has no text with a NUL".to_owned()));
            }
            return assigned(Typed::text(name), into);
        }
    }
    if let Some(moment) = Moment::of(expr) {
        let moment = moment?;
        if let Some(typed) = moment.in_type(into.kind)? {
            return Ok(typed);
        }
        if moment.is_epoch() && is_numeric(into.affinity) {
            return assigned(moment.epoch(), into);
        }
        if moment.is_never_a_number() && matches!(into.kind, PgKind::Text | PgKind::Varchar(_)) {
            return moment.typed();
        }
    }
    if let Some(moment) = clock::epoch(expr, into.affinity) {
        return assigned(moment.epoch(), into);
    }
    let typed = translator.typed(expr)?;
    if into.kind == PgKind::Uuid && form(expr).is_some_and(|form| is_uuid(&form)) {
        return Ok(Typed::atom(
            format!("{}::uuid", typed.closed()),
            Class::Uuid,
            false,
        ));
    }
    if into.kind == PgKind::Text && is_numeric(into.affinity) && random_text(expr, into.affinity).is_some() {
        return Ok(typed);
    }
    assigned(typed, into)
}

/// The form of a text that is put together from random digits, if a column of this affinity stores it as a text: one that begins with 32 of
/// them is a number there once in a million times.
pub(super) fn random_text(expr: &Expr, affinity: Affinity) -> Option<String> {
    let form = form(expr).filter(|_| !matches!(expr.node, Node::Text(_)))?;
    let is_text = match (first_digits(expr), first_string(expr)) {
        _ if !is_numeric(affinity) => true,
        (Some(digits), _) => digits >= 32,
        (None, Some(text)) => text.starts_with(|c: char| c.is_ascii_alphabetic()),
        (None, None) => false,
    };
    is_text.then_some(form)
}

/// How many random digits a text begins with.
fn first_digits(expr: &Expr) -> Option<usize> {
    match &expr.node {
        Node::Binary(Binary::Concat, one, _) => first_digits(one),
        Node::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
            ("hex", [_]) => Some(form(expr)?.len()),
            ("lower" | "upper", [one]) => first_digits(one),
            _ => None,
        },
        _ => None,
    }
}

/// The string that a text begins with.
fn first_string(expr: &Expr) -> Option<&str> {
    match &expr.node {
        Node::Binary(Binary::Concat, one, _) => first_string(one),
        Node::Call(name, arguments) if matches!(name.as_str(), "lower" | "upper") => {
            first_string(arguments.first()?)
        }
        Node::Text(text) => Some(text),
        _ => None,
    }
}

/// The form of a text that is put together from random digits and strings, each random digit as `a` (or `A`): whatever they
/// turn out to be, the text looks like this.
fn form(expr: &Expr) -> Option<String> {
    const DIGITS: &str = "0123456789abcdef";
    match &expr.node {
        Node::Text(text) => Some(text.clone()),
        Node::Binary(Binary::Concat, one, other) => Some(format!("{}{}", form(one)?, form(other)?)),
        Node::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
            ("lower", [one]) => Some(form(one)?.to_ascii_lowercase()),
            ("upper", [one]) => Some(form(one)?.to_ascii_uppercase()),
            ("hex", [one]) => match &one.node {
                Node::Call(name, count) if name == "randomblob" => match count.as_slice() {
                    [count] => match count.node {
                        Node::Integer(n @ 1..=32) => Some("A".repeat(usize::try_from(2 * n).ok()?)),
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            },
            ("substr" | "substring", [one, from]) => {
                let (text, from) = (form(one)?, position(from)?);
                text.get(from - 1..).map(str::to_owned)
            }
            ("substr" | "substring", [one, from, count]) => {
                let text = form(one)?;
                match (position(from), &count.node) {
                    (Some(from), Node::Integer(count)) => {
                        let end = (from - 1).checked_add(usize::try_from(*count).ok()?)?;
                        text.get(from - 1..end).map(str::to_owned)
                    }
                    // One of several digits, which one is left to chance.
                    (None, Node::Integer(1)) if text.chars().all(|c| DIGITS.contains(c)) => {
                        one_of(&text, from).then(|| "a".to_owned())
                    }
                    _ => None,
                }
            }
            _ => None,
        },
        _ => None,
    }
}

fn position(expr: &Expr) -> Option<usize> {
    match expr.node {
        Node::Integer(n) if n >= 1 => usize::try_from(n).ok(),
        _ => None,
    }
}

/// Whether the place is `… % n + 1` or `1 + … % n` within the text.
fn one_of(text: &str, place: &Expr) -> bool {
    let remainder = |expr: &Expr| match &expr.node {
        Node::Binary(Binary::Remainder, value, count) => {
            let positive = matches!(&value.node, Node::Call(name, _) if name == "abs");
            positive && position(count).is_some_and(|count| count <= text.len())
        }
        _ => false,
    };
    let one = |expr: &Expr| matches!(expr.node, Node::Integer(1));
    match &place.node {
        Node::Binary(Binary::Add, left, right) => {
            (remainder(left) && one(right)) || (one(left) && remainder(right))
        }
        _ => false,
    }
}
