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
use super::value::Value;

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
    /// Whether NULL stands for a text of SQLite there: then no expression over it has an equal.
    pub null_is_text: bool,
    /// What PostgreSQL computes it by, in its type: what is computed there may not speak of another computed column.
    pub computed: Option<String>,
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

/// What an index is made of that is no column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedExpression {
    /// In parentheses.
    pub sql: String,
    /// Whether its values are texts or blobs, which may be too large for an index.
    pub may_be_long: bool,
}

/// An expression that an index is made of, under the collation that the index tells of it (none: BINARY). It is
/// immutable, and equal where SQLite's is.
pub fn index_part(
    sql: &str,
    collation: Option<&str>,
    columns: &[ExprColumn],
) -> Result<IndexedExpression, Untranslatable> {
    let translator = Translator {
        columns,
        place: Place::Row,
    };
    // Not the one that a column in it brings along, which counts in comparisons only.
    let collation = typed::Collation::of(collation.unwrap_or("BINARY"))?;
    let typed = typed::Typed {
        collation: Some((collation, true)),
        ..translator.typed(&tree::parse(sql)?)?
    };
    if let typed::Class::Other(_) | typed::Class::Null = typed.class {
        return Err(Untranslatable(format!(
            "PostgreSQL does not order {} as SQLite does",
            typed.class.words()
        )));
    }
    Ok(IndexedExpression {
        sql: format!("({})", typed::index_key(&typed)),
        may_be_long: matches!(typed.class, typed::Class::Text | typed::Class::Blob),
    })
}

/// A default, as `pragma table_xinfo` tells it: the same value, in the type of the column `into`.
pub fn default(sql: &str, into: &ExprColumn) -> Result<String, Untranslatable> {
    // Behind DEFAULT not every operator can stand alone.
    Ok(assign::default(&tree::parse(sql)?, into)?.operand())
}

/// A text that a default gives: itself if it is one, or what it would tell of some moment if it tells of now. None of other defaults.
pub fn default_example(sql: &str) -> Option<String> {
    let expr = tree::parse(sql).ok()?;
    string(&expr).or_else(|| clock::Moment::of(&expr)?.ok()?.example())
}

/// Whether a default is nothing but a string.
pub fn is_string(sql: &str) -> bool {
    tree::parse(sql).is_ok_and(|expr| string(&expr).is_some())
}

/// A number or a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
}

impl Constant {
    /// As a value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Integer(number) => Value::Integer(*number),
            Self::Real(number) => Value::Real(*number),
            Self::Text(text) => Value::Text(text.as_bytes()),
        }
    }
}

/// What a default stores in a column of this affinity, if it is a number or a text.
pub fn default_constant(sql: &str, affinity: Affinity) -> Option<Constant> {
    let expr = tree::parse(sql).ok()?;
    let translator = Translator {
        columns: &[],
        place: Place::Default,
    };
    let typed = match string(&expr) {
        Some(text) => typed::Typed::text(&text),
        None => translator.typed(&expr).ok()?,
    };
    assign::constant_in(typed, affinity).ok()?.constant
}

/// A value that a default stores.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// A number or a text.
    Constant(Constant),
    /// A blob.
    Blob(Vec<u8>),
}

impl DefaultValue {
    /// As a value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::Constant(constant) => constant.value(),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

/// The same, or a blob.
pub fn default_value(sql: &str, affinity: Affinity) -> Option<DefaultValue> {
    match tree::parse(sql).ok()?.node {
        tree::Node::Blob(bytes) => Some(DefaultValue::Blob(bytes)),
        _ => default_constant(sql, affinity).map(DefaultValue::Constant),
    }
}

/// Bytes as SQL of PostgreSQL.
pub fn blob_literal(bytes: &[u8]) -> String {
    typed::Typed::blob(bytes).sql
}

/// Whether a default is NULL, which is what a column without one gets.
pub fn is_null(sql: &str) -> bool {
    tree::parse(sql).is_ok_and(|expr| expr.node == tree::Node::Null)
}

/// Whether a default stores the seconds since 1970 of now, as an INTEGER, in a column of this affinity.
pub fn is_epoch_of_now(sql: &str, affinity: Affinity) -> bool {
    epoch(sql, affinity).is_some_and(|moment| moment.is_now())
}

/// The same, of now or of a moment that lies by so much before or behind it.
pub fn is_epoch(sql: &str, affinity: Affinity) -> bool {
    epoch(sql, affinity).is_some()
}

fn epoch(sql: &str, affinity: Affinity) -> Option<clock::Moment> {
    clock::epoch(&tree::parse(sql).ok()?, affinity)
}

/// What a default of random digits looks like in a column of this affinity, each digit as `a`, if PostgreSQL can give such texts.
pub fn random_text(sql: &str, affinity: Affinity) -> Option<String> {
    assign::random_text(&tree::parse(sql).ok()?, affinity)
}

/// The string that a default is; a lone name is one too, but for TRUE and FALSE.
fn string(expr: &tree::Expr) -> Option<String> {
    match &expr.node {
        tree::Node::Text(text) => Some(text.clone()),
        tree::Node::Name { name, double_quoted } => {
            let truth = ["TRUE", "FALSE"]
                .iter()
                .any(|word| name.eq_ignore_ascii_case(word));
            (*double_quoted || !truth).then(|| name.clone())
        }
        _ => None,
    }
}

/// The names of columns that an expression works on, as [`names`] gives them: not those of which it asks only whether they are NULL, or are
/// JSON.
pub fn names_worked_on(sql: &str) -> Vec<String> {
    let asked = asked(sql);
    let is_asked = |name: &String| asked.iter().any(|asked| asked.name.eq_ignore_ascii_case(name));
    names(sql)
        .into_iter()
        .filter(|name| !is_asked(name) || uses(sql, name) > asked_times(&asked, name))
        .collect()
}

/// Whether an expression asks if a column is JSON, and nothing else of it but whether it is NULL.
pub fn wants_json(sql: &str, column: &str) -> bool {
    let asked = asked(sql);
    let of_column = || {
        asked
            .iter()
            .filter(|asked| asked.name.eq_ignore_ascii_case(column))
    };
    of_column().any(|asked| asked.json) && uses(sql, column) == of_column().count()
}

/// A question about a column.
struct Asked {
    name: String,
    /// Whether it is JSON; else whether it is NULL.
    json: bool,
}

/// The questions `json_valid(column)` and `column IS NULL` with its kin that an expression asks, where they stand for themselves.
fn asked(sql: &str) -> Vec<Asked> {
    const BEFORE: [&str; 8] = ["(", ",", "AND", "OR", "NOT", "WHEN", "THEN", "ELSE"];
    let tokens = token::tokens(sql);
    let is = |at: Option<usize>, word: &str| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| token.is(word))
    };
    let mut asked = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if !token.is_word() && !token.is_quoted_name() {
            continue;
        }
        let next = |words: &[&str]| (1..).zip(words).all(|(by, word)| is(Some(at + by), word));
        let json = is(at.checked_sub(1), "(") && is(at.checked_sub(2), "json_valid") && next(&[")"]);
        let alone = at == 0 || BEFORE.iter().any(|word| is(at.checked_sub(1), word));
        let null = [
            &["IS", "NULL"][..],
            &["IS", "NOT", "NULL"],
            &["ISNULL"],
            &["NOTNULL"],
            &["NOT", "NULL"],
        ];
        if json || (alone && null.iter().any(|words| next(words))) {
            let name = token.name();
            asked.push(Asked { name, json });
        }
    }
    asked
}

fn asked_times(asked: &[Asked], name: &str) -> usize {
    asked
        .iter()
        .filter(|asked| asked.name.eq_ignore_ascii_case(name))
        .count()
}

/// How often an expression names a column.
fn uses(sql: &str, column: &str) -> usize {
    let tokens = token::tokens(sql);
    let named = tokens
        .iter()
        .filter(|token| token.is_word() || token.is_quoted_name());
    named
        .filter(|token| token.name().eq_ignore_ascii_case(column))
        .count()
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
