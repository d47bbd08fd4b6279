//! SQLite's functions.

use super::Untranslatable;
use super::meaning::{Place, Translator, choice};
use super::tree::{Binary, Expr, Node, shown};
use super::typed::{Class, Collation, Constant, Result, Typed, align, compare, lower, unified, upper};
use super::{clock, pattern};
use crate::transfer::catalog::PgKind;

/// Blobs of random bytes are cut from hashes of 32 bytes.
const RANDOM_BYTES_MAX: i64 = 32;

/// A call of a function.
pub(super) fn call(translator: &Translator<'_>, name: &str, arguments: &[Expr]) -> Result<Typed> {
    let unknown = || {
        Untranslatable(format!(
            "{}() with {} has no equal in PostgreSQL",
            shown(name),
            match arguments.len() {
                0 => "no arguments".to_owned(),
                1 => "one argument".to_owned(),
                n => format!("{n} arguments"),
            }
        ))
    };
    let typed = |at: usize| {
        arguments
            .get(at)
            .map_or_else(|| Err(unknown()), |one| translator.typed(one))
    };
    let all = || {
        arguments
            .iter()
            .map(|one| translator.typed(one))
            .collect::<Result<Vec<_>>>()
    };
    match (name, arguments.len()) {
        ("length", 1) => length(typed(0)?),
        ("octet_length", 1) => octet_length(&typed(0)?),
        ("lower" | "upper", 1) => {
            let argument = typed(0)?.texted()?;
            let fold = if name == "lower" { lower } else { upper };
            Ok(text(fold(&argument.sql), &[&argument]))
        }
        ("trim" | "ltrim" | "rtrim", 1) => trim(name, typed(0)?, Typed::text(" ")),
        ("trim" | "ltrim" | "rtrim", 2) => trim(name, typed(0)?, typed(1)?),
        ("substr" | "substring", 2) => substr(typed(0)?, &typed(1)?, None),
        ("substr" | "substring", 3) => substr(typed(0)?, &typed(1)?, Some(&typed(2)?)),
        ("instr", 2) => {
            let (one, other) = (typed(0)?, typed(1)?);
            if one.class == Class::Blob || other.class == Class::Blob {
                return Err(unknown());
            }
            instr(one, other)
        }
        ("replace", 3) => replace(typed(0)?, typed(1)?, typed(2)?),
        ("abs", 1) => abs(typed(0)?),
        ("round", 1) => round(&typed(0)?),
        ("round", 2) if matches!(arguments[1].node, Node::Integer(0)) => round(&typed(0)?),
        ("round", 2) => Err(Untranslatable(
            "PostgreSQL does not round a double to decimal places as SQLite does".to_owned(),
        )),
        ("coalesce", 2..) | ("ifnull", 2) => coalesce(all()?),
        ("nullif", 2) => nullif(translator, &arguments[0], &arguments[1]),
        ("iif" | "if", 2 | 3) => {
            let test = translator.truth(&arguments[0])?;
            let otherwise = if arguments.len() == 3 {
                typed(2)?
            } else {
                Typed::null()
            };
            choice(&[test], vec![typed(1)?.bare(), otherwise.bare()])
        }
        ("min" | "max", 2..) => extreme(translator, name, arguments),
        ("min" | "max" | "count" | "sum" | "total" | "avg" | "group_concat" | "string_agg", _) => {
            Err(Untranslatable(format!("{name}() is an aggregate function")))
        }
        ("typeof", 1) => {
            let argument = typed(0)?;
            let is_stored = matches!(arguments[0].node, Node::Name { .. });
            type_of(&argument, is_stored, translator.place)
        }
        ("hex", 1) => hex(&typed(0)?),
        ("unicode", 1) => unicode(typed(0)?),
        ("like", 2) => pattern::like(typed(1)?, typed(0)?, None),
        ("like", 3) => pattern::like(typed(1)?, typed(0)?, Some(&typed(2)?)),
        ("glob", 2) => pattern::glob(typed(1)?, typed(0)?),
        ("json_valid", 1) => json_valid(&typed(0)?),
        ("random", 0) if translator.place == Place::Default => Ok(Typed::atom(
            format!("('x' || encode({}, 'hex'))::bit(64)::bigint", random_bytes(8)),
            Class::BIGINT,
            false,
        )),
        ("randomblob", 1) if translator.place == Place::Default => match arguments[0].node {
            Node::Integer(n) if n <= RANDOM_BYTES_MAX => {
                Ok(Typed::atom(random_bytes(n.max(1)), Class::Blob, false))
            }
            _ => Err(Untranslatable(format!(
                "randomblob() of other than up to {RANDOM_BYTES_MAX} bytes has no equal in PostgreSQL"
            ))),
        },
        ("random" | "randomblob", _) => Err(Untranslatable(format!("{name}() is not the same each time"))),
        ("unixepoch" | "julianday", _) if translator.place == Place::Default => {
            clock::number(name, arguments)
        }
        ("date" | "time" | "datetime" | "julianday" | "strftime" | "unixepoch" | "timediff", _) => Err(
            Untranslatable(format!("{name}() reads times in more forms than PostgreSQL")),
        ),
        _ => Err(unknown()),
    }
}

/// Random bytes, at most 32: the hash of two random UUIDs, some of whose bits are not random themselves.
fn random_bytes(count: i64) -> String {
    format!("substr(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 1, {count})")
}

/// Text made from these.
fn text(sql: String, from: &[&Typed]) -> Typed {
    Typed {
        bytewise: from.iter().any(|one| one.bytewise),
        ..Typed::atom(sql, Class::Text, from.iter().any(|one| one.nullable))
    }
}

fn length(argument: Typed) -> Result<Typed> {
    let argument = if argument.class == Class::Blob {
        argument
    } else {
        argument.text_argument()?
    };
    Ok(Typed::atom(
        format!("length({})", argument.sql),
        Class::LENGTH,
        argument.nullable,
    ))
}

fn octet_length(argument: &Typed) -> Result<Typed> {
    if argument.class != Class::Blob {
        let reason = "octet_length of a text depends on the encoding of the file".to_owned();
        return Err(Untranslatable(reason));
    }
    Ok(Typed::atom(
        format!("octet_length({})", argument.sql),
        Class::LENGTH,
        argument.nullable,
    ))
}

fn trim(name: &str, subject: Typed, set: Typed) -> Result<Typed> {
    let (subject, set) = (subject.text_argument()?, set.texted()?);
    let function = if name == "trim" { "btrim" } else { name };
    let sql = format!("{function}({}, {})", subject.sql, set.sql);
    Ok(text(sql, &[&subject, &set]))
}

fn instr(subject: Typed, wanted: Typed) -> Result<Typed> {
    let (subject, wanted) = (subject.text_argument()?, wanted.texted()?);
    Ok(Typed::atom(
        format!("strpos({}, {})", subject.sql, wanted.sql),
        Class::LENGTH,
        subject.nullable || wanted.nullable,
    ))
}

fn replace(subject: Typed, from: Typed, to: Typed) -> Result<Typed> {
    let (subject, from, to) = (subject.text_argument()?, from.texted()?, to.texted()?);
    // With nothing to look for SQLite does not look at the replacement, PostgreSQL does.
    let something = matches!(&from.constant, Some(Constant::Text(from)) if !from.is_empty());
    if to.nullable && !something {
        return Err(Untranslatable(
            "replace() is given a replacement that may be NULL".to_owned(),
        ));
    }
    let sql = format!("replace({}, {}, {})", subject.sql, from.sql, to.sql);
    Ok(text(sql, &[&subject, &from, &to]))
}

fn unicode(argument: Typed) -> Result<Typed> {
    // SQLite reads U+FFFE and U+FFFF as the replacement character.
    let readable = format!(
        "translate({}, '\u{fffe}\u{ffff}', '\u{fffd}\u{fffd}')",
        argument.text_argument()?.sql
    );
    Ok(Typed::atom(
        format!("nullif(ascii({readable}), 0)"),
        Class::small(1, 0x0010_ffff),
        true,
    ))
}

fn substr(subject: Typed, from: &Typed, count: Option<&Typed>) -> Result<Typed> {
    // Of an empty blob SQLite's is NULL.
    let subject = subject.text_argument()?;
    let small = |argument: &Typed| match argument.class {
        Class::Integer { wide: true, .. } => format!("{}::integer", argument.closed()),
        _ => argument.sql.clone(),
    };
    let within = |argument: &Typed, least: i64| match argument.class {
        Class::Integer { low, high, .. } => low >= least && high <= i64::from(i32::MAX),
        _ => false,
    };
    let mut nullable = subject.nullable || from.nullable;
    let sql = match (&from.constant, count) {
        (Some(Constant::Integer(n)), None) if (-i64::from(i32::MAX)..0).contains(n) => {
            format!("right({}, {})", subject.sql, -n)
        }
        (_, None) if within(from, 1) => format!("substr({}, {})", subject.sql, small(from)),
        (_, Some(count)) if within(from, 1) && within(count, 0) => {
            nullable |= count.nullable;
            format!("substr({}, {}, {})", subject.sql, small(from), small(count))
        }
        _ => {
            return Err(Untranslatable(
                "substr() is given a place or a length that PostgreSQL would take otherwise".to_owned(),
            ));
        }
    };
    Ok(Typed {
        bytewise: subject.bytewise,
        ..Typed::atom(sql, Class::Text, nullable)
    })
}

fn abs(argument: Typed) -> Result<Typed> {
    let argument = argument.numeral();
    let class = match argument.class {
        Class::Null => return Ok(Typed::null()),
        Class::Integer { low, high, .. } => Class::Integer {
            low: 0,
            high: low.saturating_abs().max(high.saturating_abs()),
            wide: true,
        },
        class @ (Class::Real { .. } | Class::Number | Class::Decimal) => class,
        class => return Err(Untranslatable(format!("abs() is given {}", class.words()))),
    };
    let sql = match argument.class {
        Class::Integer { wide: false, .. } => format!("abs({}::bigint)", argument.closed()),
        _ => format!("abs({})", argument.sql),
    };
    Ok(Typed::atom(sql, class, argument.nullable))
}

/// Half away from zero, as a real; PostgreSQL's own takes the even neighbour.
fn round(argument: &Typed) -> Result<Typed> {
    let class = Class::Real { finite: false };
    match argument.class {
        Class::Null => Ok(Typed::null()),
        Class::Real { .. } | Class::Number => {
            let x = argument.operand();
            // From 2^52 on every double is whole. Zero is added because SQLite yields no negative zero.
            let sql = format!(
                "CASE WHEN abs({x}) > 4503599627370496 THEN {x} \
                 WHEN {x} < 0 THEN trunc({x} - 0.5) + 0 ELSE trunc({x} + 0.5) END"
            );
            Ok(Typed::atom(sql, class, argument.nullable))
        }
        class => Err(Untranslatable(format!("round() is given {}", class.words()))),
    }
}

fn coalesce(values: Vec<Typed>) -> Result<Typed> {
    let nullable = values.iter().all(|value| value.nullable);
    let bytewise = values.iter().any(|value| value.bytewise);
    let (class, values) = unified(values.into_iter().map(Typed::bare).collect())?;
    if class == Class::Null {
        return Ok(Typed::null());
    }
    let parts: Vec<String> = values.iter().map(|value| value.sql.clone()).collect();
    Ok(Typed {
        bytewise,
        ..Typed::atom(format!("coalesce({})", parts.join(", ")), class, nullable)
    })
}

/// The arguments of a function that compares them: their affinities do not count, their collations do.
fn compared(translator: &Translator<'_>, arguments: &[Expr]) -> Result<Vec<Typed>> {
    let values: Vec<Typed> = arguments
        .iter()
        .map(|one| translator.compared(one))
        .collect::<Result<_>>()?;
    let binary = |value: &Typed| {
        value
            .collation
            .is_none_or(|(collation, _)| collation == Collation::Binary)
    };
    if values.iter().any(|value| value.class == Class::Text) && !values.iter().all(binary) {
        return Err(Untranslatable(
            "a function compares text by a collation".to_owned(),
        ));
    }
    Ok(values.into_iter().map(Typed::bare).collect())
}

fn nullif(translator: &Translator<'_>, one: &Expr, other: &Expr) -> Result<Typed> {
    let arguments = [one.clone(), other.clone()];
    let values = compared(translator, &arguments)?;
    let [value, other] = values.as_slice() else {
        return Err(Untranslatable("nullif() takes two arguments".to_owned()));
    };
    if other.class == Class::Null || value.class == Class::Null {
        return Ok(value.clone());
    }
    let pair = align(value, other, false)?;
    // Of two types PostgreSQL's nullif yields the larger one.
    let one_type = matches!(
        (value.class, other.class),
        (Class::Integer { .. }, Class::Integer { .. })
            | (Class::Text, Class::Text)
            | (Class::Blob, Class::Blob)
    );
    if one_type && pair.left == value.operand() {
        return Ok(Typed {
            bytewise: value.bytewise,
            ..Typed::atom(
                format!("nullif({}, {})", pair.left, pair.right),
                value.class,
                true,
            )
        });
    }
    let test = compare(Binary::Equal, value, other)?;
    choice(&[test], vec![Typed::null(), value.clone()])
}

/// `min` and `max` of several values: NULL if any is NULL, where `least` and `greatest` pass over it.
fn extreme(translator: &Translator<'_>, name: &str, arguments: &[Expr]) -> Result<Typed> {
    let values = compared(translator, arguments)?;
    if values.iter().any(|value| value.class == Class::Null) {
        return Ok(Typed::null());
    }
    let nullable: Vec<String> = values
        .iter()
        .filter(|value| value.nullable)
        .map(|value| format!("{} IS NULL", value.operand()))
        .collect();
    let bytewise = values.iter().any(|value| value.bytewise);
    let (class, values) = unified(values)?;
    if class == Class::Date || class == Class::Uuid || class == Class::Decimal {
        return Err(Untranslatable(format!("{name}() is given {}", class.words())));
    }
    let parts: Vec<String> = values
        .iter()
        .map(|value| {
            if class == Class::Text && !bytewise {
                format!("{} COLLATE \"C\"", value.operand())
            } else {
                value.sql.clone()
            }
        })
        .collect();
    let function = if name == "min" { "least" } else { "greatest" };
    let mut sql = format!("{function}({})", parts.join(", "));
    if !nullable.is_empty() {
        sql = format!("CASE WHEN NOT ({}) THEN {sql} END", nullable.join(" OR "));
    }
    Ok(Typed {
        bytewise,
        ..Typed::atom(sql, class, !nullable.is_empty())
    })
}

/// A value that `is_stored` has the class that its column says.
fn type_of(argument: &Typed, is_stored: bool, place: Place) -> Result<Typed> {
    if matches!(argument.class, Class::Integer { wide: true, .. })
        && argument.constant.is_none()
        && !is_stored
    {
        return Err(Untranslatable(
            "typeof() is given a result that may leave 64 bits, and be a real then".to_owned(),
        ));
    }
    let name = match argument.class {
        Class::Null => return Ok(Typed::text("null")),
        Class::Bool | Class::Integer { .. } => "integer",
        Class::Real { .. } => "real",
        Class::Text
        | Class::Date
        | Class::Uuid
        | Class::Other(PgKind::Timestamp(_) | PgKind::Timestamptz(_) | PgKind::Time(_)) => "text",
        Class::Blob => "blob",
        class => {
            return Err(Untranslatable(format!(
                "typeof() is given {}, which may be of several classes in SQLite",
                class.words()
            )));
        }
    };
    // A constant where a column was would be one of those that generated columns cannot have.
    if !argument.nullable && place != Place::Generated {
        return Ok(Typed::text(name));
    }
    Ok(Typed::atom(
        format!(
            "CASE WHEN {} IS NULL THEN 'null' ELSE '{name}' END",
            argument.operand()
        ),
        Class::Text,
        false,
    ))
}

fn hex(argument: &Typed) -> Result<Typed> {
    if argument.class != Class::Blob {
        return Err(Untranslatable(format!(
            "hex() is given {}",
            argument.class.words()
        )));
    }
    let digits = format!("translate(encode({}, 'hex'), 'abcdef', 'ABCDEF')", argument.sql);
    let sql = if argument.nullable {
        format!("coalesce({digits}, '')")
    } else {
        digits
    };
    Ok(Typed::atom(sql, Class::Text, false))
}

/// A JSON column holds nothing else.
fn json_valid(argument: &Typed) -> Result<Typed> {
    match argument.class {
        Class::Null => Ok(Typed::null()),
        Class::Other(PgKind::Json | PgKind::Jsonb) if argument.nullable => Ok(Typed::compound(
            format!("{} IS NOT NULL OR NULL", argument.operand()),
            Class::Bool,
            true,
        )),
        Class::Other(PgKind::Json | PgKind::Jsonb) => Ok(Typed::atom("TRUE".to_owned(), Class::Bool, false)),
        _ => Err(Untranslatable(
            "json_valid() of text needs a test that PostgreSQL has since version 16 only".to_owned(),
        )),
    }
}
