//! What somebody wants of a column that is made: `table.column=TYPE`, and what only somebody can know of its values.
//!
//! ```text
//! TYPE                     = a type: the values are kept exactly if it can be, else converted
//!      timestamptz from UNIT     timestamp from UNIT     boolean from TRUE/FALSE     text from CHARSET
//! behind it, or alone:       , empty as null     , zero date as null
//! ```

use super::blanks::{Blank, Blanks};
use super::catalog::{PgKind, PgType};
use super::name::in_quotes;
use super::rendering::{CHARSETS, Rendering};
use super::value::Value;

/// A wish for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeWish {
    /// The table's name in the source, or `*`.
    pub table: String,
    /// The column's name in the source, or `*`.
    pub column: String,
    /// What is wanted.
    pub wish: Wish,
}

/// What is wanted of a column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// The type; none if the values are to choose it.
    pub kind: Option<PgType>,
    /// How its values are to be read, where they do not tell.
    pub rendering: Option<Rendering>,
    /// The texts that are to become NULL.
    pub blanks: Blanks,
}

impl TypeWish {
    /// Reads `table.column=type`. A name with a dot in it stands in double quotes; `*` means any.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (place, wish) = text.rsplit_once('=').ok_or_else(|| mistake(text))?;
        Self::of(place, wish)
    }

    /// Reads `table.column` and what is wanted of it.
    pub fn of(place: &str, wish: &str) -> Result<Self, String> {
        let mistake = || mistake(&format!("{place}={wish}"));
        let (table, rest) = name_at_start(place).ok_or_else(mistake)?;
        let rest = rest.strip_prefix('.').ok_or_else(mistake)?;
        let column = match name_at_start(rest) {
            Some((column, "")) => column,
            _ => rest.to_owned(),
        };
        let wish = Wish::parse(wish)?;
        Ok(Self { table, column, wish })
    }
}

fn mistake(text: &str) -> String {
    format!("{text:?} is not of the form table.column=type")
}

impl Wish {
    fn parse(text: &str) -> Result<Self, String> {
        let mut wish = Self::default();
        for (at, part) in parts(text).into_iter().enumerate() {
            let words: Vec<&str> = part.split_whitespace().collect();
            match words.join(" ").to_ascii_lowercase().as_str() {
                "empty as null" => wish.blanks = wish.blanks.and(Blank::Empty),
                "zero date as null" => {
                    wish.blanks = wish.blanks.and(Blank::ZeroDate).and(Blank::ZeroDateTime);
                }
                _ if at == 0 => wish.read_type(part)?,
                other => {
                    return Err(format!(
                        "{other:?} cannot stand behind a type, as \"empty as null\" and \"zero date as null\" can"
                    ));
                }
            }
        }
        if let Some(Rendering::Truth(words)) = &wish.rendering
            && let Some(blank) = Blank::ALL.into_iter().find(|blank| {
                wish.blanks.takes(*blank) && words.truth(Value::Text(blank.text().as_bytes())).is_ok()
            })
        {
            return Err(format!(
                "'{}' cannot be both NULL and true or false",
                blank.text()
            ));
        }
        Ok(wish)
    }

    fn read_type(&mut self, text: &str) -> Result<(), String> {
        // Its bytes stand where they did.
        let source = text.to_ascii_lowercase().find(" from ");
        let Some((name, source)) = source.and_then(|at| text.split_at_checked(at)) else {
            self.kind = Some(known_type(text)?);
            return Ok(());
        };
        let (kind, source) = (
            known_type(name)?,
            source.get(" from ".len()..).unwrap_or_default().trim(),
        );
        let rendering = match kind.kind {
            PgKind::Timestamptz(_) | PgKind::Timestamp(_) => {
                let unit = source.to_ascii_lowercase().parse().map_err(|()| {
                    format!("{source:?} is no unit of time (seconds, milliseconds or microseconds, since 1970)")
                })?;
                if matches!(kind.kind, PgKind::Timestamptz(_)) {
                    Rendering::EpochTimestamptz(unit)
                } else {
                    Rendering::EpochTimestamp(unit)
                }
            }
            PgKind::Bool => Rendering::Truth(source.parse().map_err(|()| {
                format!(
                    "{source:?} is not one value for true and another one for false, such as t/f, 1/-1 or, for texts with \
                     blanks, slashes or digits, 'n/a'/'1' (of at most 24 bytes each)"
                )
            })?),
            PgKind::Text => Rendering::Charset(source.to_ascii_lowercase().parse().map_err(|()| {
                format!("{source:?} is no charset that is read ({})", CHARSETS.join(", "))
            })?),
            _ => {
                return Err(format!(
                    "{} is made from nothing else; there are timestamptz and timestamp (from seconds, milliseconds or \
                     microseconds), boolean (from t/f, or two other values) and text (from windows-1252, or another charset)",
                    kind.name
                ));
            }
        };
        self.kind = Some(rendering.pg_type());
        self.rendering = Some(rendering);
        Ok(())
    }
}

fn known_type(name: &str) -> Result<PgType, String> {
    PgType::parse(name).ok_or_else(|| {
        format!("{:?} is no type that values are converted to (boolean, smallint, integer, bigint, real, double precision, \
                 numeric, text, varchar, bytea, json, jsonb, uuid, date, time, timestamp, timestamptz)", name.trim())
    })
}

/// What stands between commas that are neither in parentheses nor in single quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted) = (0_usize, false);
    let outside = |c: char| {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0 && !quoted
    };
    text.split(outside).map(str::trim).collect()
}

/// A name at the beginning of a text, quoted or up to the first dot, and what comes behind it.
fn name_at_start(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return in_quotes(text, '"');
    }
    let end = text.find('.').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    (!name.is_empty()).then(|| (name.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_for_a_type_is_read() {
        let read = |text| {
            TypeWish::parse(text).map(|wish| (wish.table, wish.column, wish.wish.kind.map(|kind| kind.name)))
        };
        let wish = |table: &str, column: &str, kind: &str| {
            Ok((table.to_owned(), column.to_owned(), Some(kind.to_owned())))
        };
        assert_eq!(read("t.c=text"), wish("t", "c", "text"));
        assert_eq!(
            read("*.created_at= timestamptz"),
            wish("*", "created_at", "timestamp with time zone")
        );
        assert_eq!(
            read("\"a.b\".\"c \"\"d\"=numeric(10,2)"),
            wish("a.b", "c \"d", "numeric(10,2)")
        );
        assert_eq!(read("t.a=b=varchar(3)"), wish("t", "a=b", "character varying(3)"));
        assert_eq!(
            read("t.c=Timestamptz FROM Seconds"),
            wish("t", "c", "timestamp with time zone")
        );
        for wrong in [
            "t.c",
            "c=text",
            "=text",
            "t.c=money",
            "\"t.c=text",
            "t.c=",
            "t.c=text,",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    /// As the note of a column that has such values would be.
    fn read(text: &str) -> Result<String, String> {
        let wish = Wish::parse(text)?;
        let rendering = wish.rendering.map(|rendering| rendering.to_string());
        let kind = wish.kind.map(|kind| kind.name);
        Ok(format!(
            "{}{}",
            wish.blanks,
            rendering.or(kind).unwrap_or_default()
        ))
    }

    #[test]
    fn what_values_do_not_tell_is_read() {
        for (text, note) in [
            ("timestamptz from seconds", "timestamptz from seconds"),
            (" timestamp  from  milliseconds ", "timestamp from milliseconds"),
            (
                "timestamp with time zone from microseconds",
                "timestamptz from microseconds",
            ),
            ("boolean from t/f", "boolean from 't'/'f'"),
            ("bool FROM Y/N", "boolean from 'Y'/'N'"),
            ("boolean from 1/-1", "boolean from 1/-1"),
            ("boolean from '1'/'0'", "boolean from '1'/'0'"),
            ("boolean from 01/+1", "boolean from '01'/'+1'"),
            ("boolean from 'it''s, so'/''", "boolean from 'it''s, so'/''"),
            ("boolean from from /to", ""),
            ("numeric(10, 2), empty as null", "empty-as-null numeric(10,2)"),
            (
                "date , Empty  As NULL, zero date as null",
                "empty-as-null zero-date-as-null zero-datetime-as-null date",
            ),
            ("empty as null", "empty-as-null "),
            (
                "boolean from y/n, empty as null",
                "empty-as-null boolean from 'y'/'n'",
            ),
        ] {
            if note.is_empty() {
                assert!(read(text).is_err(), "{text}");
            } else {
                assert_eq!(read(text).as_deref(), Ok(note), "{text}");
            }
        }
    }

    #[test]
    fn a_mistake_is_told_with_the_words_that_can_be() {
        for (text, told) in [
            ("timestamptz from hours", "seconds, milliseconds or microseconds"),
            ("timestamptz from", "no type"),
            ("timestamp from ", "no type"),
            ("bigint from seconds", "timestamptz and timestamp"),
            ("money from seconds", "timestamptz)"),
            ("text from utf-8", "(windows-1252, iso-8859-1, "),
            ("text from latin1", "iso-8859-1"),
            ("varchar from windows-1252", "text (from windows-1252"),
            ("boolean from t", "t/f, 1/-1"),
            ("boolean from t/t", "t/f, 1/-1"),
            ("boolean from t/f/x", "t/f, 1/-1"),
            ("boolean from /f", "t/f, 1/-1"),
            ("boolean from 'a/b", "t/f, 1/-1"),
            ("boolean from 'a'b/c", "t/f, 1/-1"),
            ("boolean from on it/off", "t/f, 1/-1"),
            ("boolean from t/abcdefghijklmnopqrstuvwxyz", "24 bytes"),
            ("boolean from ''/x, empty as null", "both NULL"),
            (
                "date, nothing as null",
                "\"empty as null\" and \"zero date as null\"",
            ),
            ("empty as null, date", "cannot stand behind"),
            ("date empty as null", "no type"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
