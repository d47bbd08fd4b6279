//! LIKE and GLOB.

use super::Untranslatable;
use super::typed::{Class, Constant, Result, Typed, lower, text_literal};

/// A step of a pattern.
#[derive(Debug, PartialEq)]
enum Step {
    /// Any text, the empty one too.
    Anything,
    /// One character.
    Any,
    /// This character.
    One(char),
    /// One character of (or not of) these ranges.
    Set { not: bool, ranges: Vec<(char, char)> },
}

/// `text LIKE pattern`: A to Z and a to z are alike, and there is no escape character unless one is named.
pub(super) fn like(text: Typed, pattern: Typed, escape: Option<&Typed>) -> Result<Typed> {
    let (text, pattern) = (text.texted()?, readable(pattern.texted()?)?);
    let nullable = text.nullable || pattern.nullable;
    let escape = match escape.map(|escape| &escape.constant) {
        None => None,
        Some(Some(Constant::Text(escape))) if escape.chars().count() == 1 => escape.chars().next(),
        _ => {
            return Err(Untranslatable(
                "ESCAPE is followed by no single character".to_owned(),
            ));
        }
    };
    let pattern = match &pattern.constant {
        Some(Constant::Text(pattern)) => {
            let steps = like_steps(&pattern.to_ascii_lowercase(), pattern, escape)?;
            like_pattern(&steps)
        }
        _ if escape.is_some() => {
            return Err(Untranslatable(
                "ESCAPE follows a pattern that is not a string".to_owned(),
            ));
        }
        _ if pattern.class == Class::Null => {
            return Ok(Typed::atom("NULL::boolean".to_owned(), Class::Bool, true));
        }
        _ => format!("{} ESCAPE ''", lower(&pattern.sql)),
    };
    let sql = format!("{} LIKE {pattern}", lower(&text.sql));
    Ok(Typed::compound(sql, Class::Bool, nullable))
}

/// SQLite reads U+FFFE and U+FFFF as the replacement character, wherever a pattern has or meets one of the three.
fn readable(pattern: Typed) -> Result<Typed> {
    match &pattern.constant {
        Some(Constant::Text(text)) if text.contains(['\u{fffd}', '\u{fffe}', '\u{ffff}']) => Err(
            Untranslatable("SQLite takes several characters for the replacement character".to_owned()),
        ),
        _ => Ok(pattern),
    }
}

/// The steps of a LIKE pattern: characters from `folded`, the escape character as it is in `written`.
fn like_steps(folded: &str, written: &str, escape: Option<char>) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut chars = folded.chars().zip(written.chars());
    while let Some((char, original)) = chars.next() {
        steps.push(if Some(original) == escape {
            match chars.next() {
                Some((char, _)) => Step::One(char),
                None => {
                    return Err(Untranslatable(
                        "a pattern ends with its escape character".to_owned(),
                    ));
                }
            }
        } else {
            match char {
                '%' => Step::Anything,
                '_' => Step::Any,
                char => Step::One(char),
            }
        });
    }
    Ok(steps)
}

/// The steps as a pattern of PostgreSQL's LIKE. Its default escape character is the backslash, which is not for us.
fn like_pattern(steps: &[Step]) -> String {
    let special = |step: &Step| matches!(step, Step::One('%' | '_'));
    let escape = steps.iter().any(special).then(|| {
        ['!', '^', '~', '#', '|']
            .into_iter()
            .find(|c| !steps.contains(&Step::One(*c)))
            .unwrap_or('!')
    });
    let mut pattern = String::new();
    for step in steps {
        match step {
            Step::Anything => pattern.push('%'),
            Step::Any | Step::Set { .. } => pattern.push('_'),
            Step::One(char) => {
                if special(step) || Some(*char) == escape {
                    pattern.extend(escape);
                }
                pattern.push(*char);
            }
        }
    }
    let escape = escape.map(String::from).unwrap_or_default();
    format!("{} ESCAPE '{escape}'", text_literal(&pattern))
}

/// `text GLOB pattern`, which minds case.
pub(super) fn glob(text: Typed, pattern: Typed) -> Result<Typed> {
    let (text, pattern) = (text.texted()?, readable(pattern.texted()?)?);
    let nullable = text.nullable || pattern.nullable;
    let Some(Constant::Text(pattern)) = &pattern.constant else {
        return Err(Untranslatable("the pattern of GLOB is not a string".to_owned()));
    };
    let steps = glob_steps(pattern)?;
    let operand = text.operand();
    let sql = if steps.iter().any(|step| matches!(step, Step::Set { .. })) {
        format!("{operand} COLLATE \"C\" ~ {}", text_literal(&regex(&steps)))
    } else {
        format!("{operand} LIKE {}", like_pattern(&steps))
    };
    Ok(Typed::compound(sql, Class::Bool, nullable))
}

fn glob_steps(pattern: &str) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(char) = chars.next() {
        steps.push(match char {
            '*' => Step::Anything,
            '?' => Step::Any,
            '[' => set(&mut chars).ok_or_else(|| {
                Untranslatable("a GLOB pattern opens a set that it does not close".to_owned())
            })?,
            char => Step::One(char),
        });
    }
    Ok(steps)
}

/// What stands in brackets, as SQLite reads it: a leading `]` is a member, so is a `-` that no character precedes or follows.
fn set(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Step> {
    let mut ranges = Vec::new();
    let mut char = chars.next()?;
    let not = char == '^';
    if not {
        char = chars.next()?;
    }
    if char == ']' {
        ranges.push((']', ']'));
        char = chars.next()?;
    }
    let mut before = None;
    while char != ']' {
        match (char, before, chars.peek()) {
            ('-', Some(low), Some(next)) if *next != ']' => {
                let high = chars.next()?;
                if high > low {
                    ranges.push((low, high));
                }
                before = None;
            }
            _ => {
                ranges.push((char, char));
                before = Some(char);
            }
        }
        char = chars.next()?;
    }
    Some(Step::Set { not, ranges })
}

/// The steps as a regular expression. In PostgreSQL's own flavour `.` takes a line feed too, and `$` is the very end.
fn regex(steps: &[Step]) -> String {
    let mut regex = "^".to_owned();
    for step in steps {
        match step {
            Step::Anything => regex.push_str(".*"),
            Step::Any => regex.push('.'),
            Step::One(char) => member(*char, &mut regex),
            Step::Set { not, ranges } => {
                regex.push_str(if *not { "[^" } else { "[" });
                for (low, high) in ranges {
                    // A single character that begins a range is part of it.
                    if low == high && ranges.iter().any(|(from, to)| from == low && to > high) {
                        continue;
                    }
                    member(*low, &mut regex);
                    if low != high {
                        regex.push('-');
                        member(*high, &mut regex);
                    }
                }
                regex.push(']');
            }
        }
    }
    regex.push('$');
    regex
}

fn member(char: char, regex: &mut String) {
    if char.is_ascii_punctuation() && char != '_' {
        regex.push('\\');
    }
    regex.push(char);
}
