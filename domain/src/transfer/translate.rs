//! SQLite's expressions as PostgreSQL's: of CHECK constraints, defaults, generated columns, indexes and their conditions.
//!
//! What comes out means the same for every row that both tables can hold, or nothing comes out but the reason. Both read much
//! of SQL alike and mean different things: truth, comparisons across types, case, division, functions of the same name. So
//! every expression is read into a tree and made anew from what it means, and what is not known to be equal is refused.
//!
//! One difference is left, and it is loud: where SQLite leaves 64-bit integers for rounded reals, or reals for infinity,
//! PostgreSQL refuses the row with an error.

mod assign;
mod clock;
mod function;
mod meaning;
mod pattern;
#[cfg(test)]
mod tests;
pub(super) mod token;
mod tree;
mod typed;

use self::meaning::{Place, Translator};
use super::catalog::{Affinity, PgKind};

/// A column of the made table as expressions see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExprColumn {
    /// Its name in SQLite.
    pub source: String,
    /// Its name in PostgreSQL.
    pub target: String,
    /// Its type in PostgreSQL. A column of text is made with COLLATE "C". [`PgKind::Other`] for a column whose type does not
    /// tell what its values are in SQLite, such as one of several storage classes or of UUIDs in blobs.
    pub kind: PgKind,
    /// SQLite's affinity.
    pub affinity: Affinity,
    /// SQLite's collation; none is BINARY.
    pub collation: Option<String>,
    /// Whether it refuses NULL in PostgreSQL.
    pub not_null: bool,
}

/// Why an expression has no equal: a clause that completes "not carried, because …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Untranslatable(pub String);

/// A CHECK or the condition of a partial index, as a boolean expression.
pub fn condition(sql: &str, columns: &[ExprColumn]) -> Result<String, Untranslatable> {
    let translator = Translator {
        columns,
        place: Place::Row,
    };
    Ok(translator.truth(&tree::parse(sql)?)?.sql)
}

/// A generated column's expression: the same value, in the type of the column `into`. It is immutable.
pub fn value(sql: &str, columns: &[ExprColumn], into: &ExprColumn) -> Result<String, Untranslatable> {
    let translator = Translator {
        columns,
        place: Place::Generated,
    };
    Ok(assign::assigned(translator.typed(&tree::parse(sql)?)?, into)?.sql)
}

/// An expression that an index is made of, in parentheses. It is immutable, and equal where SQLite's is.
pub fn index_part(sql: &str, columns: &[ExprColumn]) -> Result<String, Untranslatable> {
    let translator = Translator {
        columns,
        place: Place::Row,
    };
    let typed = translator.compared(&tree::parse(sql)?)?;
    if let typed::Class::Other(_) | typed::Class::Null = typed.class {
        return Err(Untranslatable(format!(
            "PostgreSQL does not order {} as SQLite does",
            typed.class.words()
        )));
    }
    Ok(format!("({})", typed::index_key(&typed)))
}

/// A default, as `pragma table_xinfo` tells it: the same value, in the type of the column `into`.
pub fn default(sql: &str, into: &ExprColumn) -> Result<String, Untranslatable> {
    // Behind DEFAULT not every operator can stand alone.
    Ok(assign::default(&tree::parse(sql)?, into)?.operand())
}

/// A text that a default gives: itself if it is one, or what it would tell of some moment if it tells of now. None of other defaults.
pub fn default_example(sql: &str) -> Option<String> {
    let expr = tree::parse(sql).ok()?;
    if let tree::Node::Text(text) = &expr.node {
        return Some(text.clone());
    }
    clock::Moment::of(&expr)?.ok()?.example()
}

/// The identifiers that an expression uses, in order, each once: its columns, and strings in double quotes that could be.
pub fn names(sql: &str) -> Vec<String> {
    let tokens = token::tokens(sql);
    let mut names: Vec<String> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let called = tokens.get(at + 1).is_some_and(|next| next.is("("));
        let word = token.is_word() && !called && !tree::RESERVED.iter().any(|reserved| token.is(reserved));
        let name = token.name();
        if (word || token.is_quoted_name()) && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}
