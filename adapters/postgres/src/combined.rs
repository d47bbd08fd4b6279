//! Statements that read, sent as one: each is a branch of a `UNION ALL`. The server goes through one statement faster than through
//! several, and wakes us once.

use std::error::Error;

use bytes::BytesMut;
use postgres_types::{IsNull, ToSql, Type};
use tokio_postgres::Statement;

use crate::row::Row;
use crate::types::Bind;

/// A statement that reads, with values of its own for its binds.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) sql: &'static str,
    pub(crate) binds: Vec<(Encoded, Type)>,
    /// Whether it finds few rows by a key.
    pub(crate) is_lookup: bool,
}

impl Read {
    /// None if a value has no form in its type, which the statement says better by itself.
    pub(crate) fn new(sql: &'static str, binds: &[Bind<'_>], is_lookup: bool) -> Option<Self> {
        let encoded = |(value, ty): &Bind<'_>| {
            let mut bytes = BytesMut::new();
            let is_null = matches!(value.to_sql_checked(ty, &mut bytes).ok()?, IsNull::Yes);
            Some((Encoded { bytes, is_null }, ty.clone()))
        };
        Some(Self {
            sql,
            binds: binds.iter().map(encoded).collect::<Option<_>>()?,
            is_lookup,
        })
    }

    /// Whether they differ by nothing but their values.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let types = self.binds.iter().map(|(_, ty)| ty);
        std::ptr::eq(self.sql, other.sql) && types.eq(other.binds.iter().map(|(_, ty)| ty))
    }
}

/// A value in the form that PostgreSQL reads.
#[derive(Debug)]
pub(crate) struct Encoded {
    bytes: BytesMut,
    is_null: bool,
}

impl ToSql for Encoded {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.is_null {
            return Ok(IsNull::Yes);
        }
        out.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(ty, out)
    }
}

/// A statement made of several, prepared.
#[derive(Debug)]
pub(crate) struct Combined {
    pub(crate) statement: Statement,
    /// What it was made of.
    parts: Vec<Statement>,
}

impl Combined {
    /// What was made of `parts`, prepared as `statement`.
    pub(crate) fn new(statement: Statement, parts: Vec<Statement>) -> Self {
        Self { statement, parts }
    }

    /// The rows of each of the statements.
    pub(crate) fn split(&self, rows: Vec<Row>) -> Result<Vec<Vec<Row>>, Box<dyn Error + Sync + Send>> {
        let mut all: Vec<Vec<Row>> = self.parts.iter().map(|_| Vec::new()).collect();
        for row in rows {
            let number = usize::try_from(row.try_get::<i32>(0)?)?;
            let (Some(part), Some(rows)) = (self.parts.get(number), all.get_mut(number)) else {
                return Err(format!("a row of statement {number} of {}", self.parts.len()).into());
            };
            rows.push(row.record(1, part)?);
        }
        Ok(all)
    }
}

/// The text of statements as one; the binds of each follow those of the one before. A row has the number of its statement and its
/// columns as a record: of their types the branches need not know anything.
pub(crate) fn text<'a>(parts: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    let mut before = 0;
    let branches = parts.into_iter().enumerate().map(|(number, (sql, binds))| {
        let sql = shifted(sql, before);
        before += binds;
        format!("SELECT {number}, part FROM ({sql}) AS part")
    });
    branches.collect::<Vec<_>>().join("\nUNION ALL ")
}

/// `sql` with the numbers of its binds raised by `by`. The program's own statements have `$` only there and in quotes.
fn shifted(sql: &str, by: usize) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut quote = None;
    let mut rest = sql;
    while let Some(at) = rest.find(['$', '\'', '"']) {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        let (mark, behind) = found.split_at(1);
        text.push_str(mark);
        rest = behind;
        match quote {
            Some(open) if open == mark => quote = None,
            Some(_) => {}
            None if mark == "$" => {
                let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
                let (number, behind) = behind.split_at(digits);
                match number.parse::<usize>() {
                    Ok(number) => text.push_str(&(number + by).to_string()),
                    Err(_) => text.push_str(number),
                }
                rest = behind;
            }
            None => quote = Some(mark),
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_branches_whose_binds_follow_one_another() {
        assert_eq!(
            text([
                ("SELECT a FROM t WHERE b = $1 LIMIT $2", 2),
                ("SELECT 1", 0),
                ("SELECT $1", 1)
            ]),
            "SELECT 0, part FROM (SELECT a FROM t WHERE b = $1 LIMIT $2) AS part\n\
            UNION ALL SELECT 1, part FROM (SELECT 1) AS part\n\
            UNION ALL SELECT 2, part FROM (SELECT $3) AS part"
        );
    }

    #[test]
    fn binds_are_renumbered_and_quoted_text_is_not() {
        assert_eq!(shifted("SELECT $1 + $12, $2", 3), "SELECT $4 + $15, $5");
        assert_eq!(
            shifted("a = '$1' OR \"$2\" = $1 OR b = 'it''s $3' OR c = $2", 1),
            "a = '$1' OR \"$2\" = $2 OR b = 'it''s $3' OR c = $3"
        );
        assert_eq!(shifted("é$1ü", 9), "é$10ü");
        assert_eq!(shifted("no binds", 9), "no binds");
    }
}
