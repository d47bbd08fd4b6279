//! What SQLite tells only in the text of `CREATE TABLE`: checks, names of constraints, when a foreign key is checked,
//! expressions of generated columns, collations, AUTOINCREMENT.
//!
//! The text has been accepted by SQLite, so it is read for what is looked for and nothing is validated. Text that cannot be
//! followed (a schema damaged on purpose) yields less, never a panic.

use std::collections::HashSet;

use super::catalog::{Check, Deferrable};
use super::translate::token::{Token, tokens};

/// What a `CREATE TABLE` says beyond what the pragmas tell.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct TableDdl {
    /// CHECK constraints in order.
    pub checks: Vec<Check>,
    /// Foreign keys in order.
    pub foreign_keys: Vec<ForeignKeyDdl>,
    /// PRIMARY KEY and UNIQUE constraints that have a name: the name and the columns.
    pub named_keys: Vec<(String, Vec<String>)>,
    /// Columns with an expression.
    pub generated: Vec<(String, String)>,
    /// Columns with a collation.
    pub collations: Vec<(String, String)>,
    /// Whether the key is AUTOINCREMENT.
    pub autoincrement: bool,
}

/// A foreign key's name and timing.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKeyDdl {
    /// The constraint's name.
    pub name: Option<String>,
    /// When it is checked.
    pub deferrable: Deferrable,
}

/// Reads the text of a `CREATE TABLE`.
pub fn parse(sql: &str) -> TableDdl {
    let tokens = tokens(sql);
    let mut ddl = TableDdl::default();
    let Some(open) = tokens.iter().position(|token| token.is("(")) else {
        return ddl;
    };
    let close = matching(&tokens, open);
    for (from, to) in pieces(&tokens, open + 1, close) {
        definition(sql, &tokens[from..to], &mut ddl);
    }
    ddl
}

/// The condition of a partial index, from its `CREATE INDEX`.
pub fn predicate(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    let open = tokens.iter().position(|token| token.is("("))?;
    let close = matching(&tokens, open);
    let from = tokens.get(close + 1).filter(|token| token.is("WHERE"))?;
    sql.get(from.start + "WHERE".len()..)
        .map(|text| text.trim().to_owned())
}

/// The parts of an index as they are written in its `CREATE INDEX`, without collation and direction.
pub fn index_parts(sql: &str) -> Vec<String> {
    parts_of_index(sql, &["ASC", "DESC", "COLLATE"])
}

/// The parts of an index as they are compared: with their collations.
pub fn index_terms(sql: &str) -> Vec<String> {
    parts_of_index(sql, &["ASC", "DESC"])
}

fn parts_of_index(sql: &str, without: &[&str]) -> Vec<String> {
    let is_left_out = |token: &Token<'_>| without.iter().any(|word| token.is(word));
    let tokens = tokens(sql);
    let Some(open) = tokens.iter().position(|token| token.is("(")) else {
        return vec![];
    };
    let close = matching(&tokens, open);
    pieces(&tokens, open + 1, close)
        .into_iter()
        .map(|(from, mut to)| {
            loop {
                let last = |back: usize| {
                    to.checked_sub(back)
                        .filter(|at| *at > from)
                        .and_then(|at| tokens.get(at))
                };
                if last(1).is_some_and(|token| is_left_out(token) && !token.is("COLLATE")) {
                    to -= 1;
                } else if last(2).is_some_and(|token| is_left_out(token) && token.is("COLLATE")) {
                    to -= 2;
                } else {
                    break;
                }
            }
            text_of(sql, &tokens, from, to)
        })
        .collect()
}

/// Whether a constraint of a `CREATE TABLE` says what becomes of a row that breaks it, and that is not what becomes of it anyway.
pub fn resolves_conflicts(sql: &str) -> bool {
    tokens(sql).windows(3).any(|three| match three {
        [on, conflict, how] => on.is("ON") && conflict.is("CONFLICT") && !how.is("ABORT"),
        _ => false,
    })
}

/// SQLite's own collations. Any other belongs to the program that made a file.
pub const OWN_COLLATIONS: [&str; 3] = ["BINARY", "NOCASE", "RTRIM"];

/// Whether a collation is SQLite's own.
pub fn is_own_collation(collation: &str) -> bool {
    OWN_COLLATIONS
        .iter()
        .any(|own| own.eq_ignore_ascii_case(collation))
}

/// The collations that a statement names, each once.
pub fn collations(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    let mut names: Vec<String> = Vec::new();
    for (_, next) in pairs.filter(|(word, _)| word.is("COLLATE")) {
        let name = next.name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A `CREATE TABLE` of the same columns and keys that takes any value as it is: no NOT NULL, no CHECK, and no types, whose affinity would
/// make a number of a text. The rows of a file may break its own schema (`PRAGMA writable_schema`, constraints that were not checked, functions
/// that only the application has), and a table of this form gives them back all the same. Its indexes are the same, so that SQLite can read it
/// under the original text. None for what is no table of rows.
///
/// The type of a key that is the rowid stays. So do those of generated columns, whose values are made by them, and of the columns that their
/// expressions compare; a STRICT table with a generated column stays STRICT with all of them.
pub fn loosened(sql: &str) -> Option<String> {
    if !is_one_create(sql) || module(sql).is_some() {
        return None;
    }
    let tokens = tokens(sql);
    let open = tokens.iter().position(|token| token.is("("))?;
    let close = matching(&tokens, open);
    tokens.get(close)?;
    let pieces = pieces(&tokens, open + 1, close);
    let columns = pieces.iter().map(|(from, to)| &tokens[*from..*to]);
    let columns = columns.filter(|piece| !is_table_constraint(piece));
    let mut typed = HashSet::new();
    for piece in columns {
        for rule in column_rules(piece).iter().filter(|rule| rule.computes()) {
            typed.extend(piece.first().map(|name| name.name().to_ascii_lowercase()));
            if rule.compares() {
                typed.extend(rule.names());
            }
        }
    }
    let stays_strict = !typed.is_empty() && is_strict(sql);
    let key = primary_key(&tokens);
    let mut loose = String::with_capacity(sql.len());
    let mut copied = 0;
    let mut replace = |from: usize, to: usize, with: &str| {
        loose.push_str(sql.get(copied..from).unwrap_or_default());
        loose.push_str(with);
        copied = to;
    };
    for (from, to) in pieces {
        let piece = &tokens[from..to];
        let mut at = 0;
        if !is_table_constraint(piece) {
            let name = piece.first().map(Token::name).unwrap_or_default();
            let name = name.to_ascii_lowercase();
            let end = 1 + piece
                .iter()
                .skip(1)
                .position(begins_constraint)
                .unwrap_or(piece.len());
            let kind = piece
                .get(1..end)
                .unwrap_or_else(|| piece.get(1..).unwrap_or_default());
            let is_key = piece.iter().any(|token| token.is("PRIMARY")) || key.contains(&name);
            let is_rowid = is_key && matches!(kind, [one] if one.is("INTEGER"));
            if let (Some(first), Some(last)) = (kind.first(), kind.last())
                && !stays_strict
                && !typed.contains(&name)
                && !is_rowid
            {
                replace(first.start, last.end(), "");
            }
            at = end;
        }
        while let Some(token) = piece.get(at) {
            let next = piece.get(at + 1);
            if let Some(null) = next.filter(|next| token.is("NOT") && next.is("NULL")) {
                replace(token.start, null.start, "");
                at += 2;
            } else if let Some(group) = next.filter(|next| token.is("CHECK") && next.is("(")) {
                let end = matching(piece, at + 1);
                let last = piece.get(end)?;
                replace(group.start, last.start, "(1");
                at = end + 1;
            } else {
                at = if token.is("(") { matching(piece, at) } else { at } + 1;
            }
        }
    }
    if !stays_strict {
        let options = tokens.get(close + 1..).unwrap_or_default();
        if let (Some(first), true) = (options.first(), options.iter().any(|token| token.is("STRICT"))) {
            let clustered = options.iter().any(|token| token.is("WITHOUT"));
            replace(
                first.start,
                sql.len(),
                if clustered { "WITHOUT ROWID" } else { "" },
            );
        }
    }
    replace(sql.len(), sql.len(), "");
    Some(loose)
}

/// A table's text without some of its columns, and what went with them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Remainder {
    /// The text. Where it speaks of nothing that is gone it is as it was.
    pub sql: String,
    /// The columns that are gone, those that were computed from one among them, each with its definition.
    pub gone: Vec<(String, String)>,
    /// Columns that are no longer computed, each with the rule that computed it.
    pub plain: Vec<(String, String)>,
    /// Rules that spoke of what is gone: what they are, their names, and their definitions.
    pub rules: Vec<(&'static str, Option<String>, String)>,
}

/// The text of a `CREATE TABLE` without the columns `gone`. One that is computed from them stays if it `has_values`, and is computed no more.
pub fn without(sql: &str, gone: &[String], has_values: impl Fn(&str) -> bool) -> Option<Remainder> {
    let tokens = tokens(sql);
    let (open, close) = list_of(&tokens)?;
    let pieces: Vec<&[Token<'_>]> = pieces(&tokens, open + 1, close)
        .into_iter()
        .map(|(from, to)| &tokens[from..to])
        .collect();
    let mut names: Vec<String> = gone.to_vec();
    let computed_from = |piece: &[Token<'_>], names: &[String]| {
        let mut rules = column_rules(piece).into_iter();
        !is_table_constraint(piece) && rules.any(|rule| rule.computes() && rule.mentions(names))
    };
    // What is computed from a column that is computed.
    loop {
        let more = pieces.iter().filter(|piece| computed_from(piece, &names));
        let more = more.filter_map(|piece| piece.first().map(Token::name));
        let more: Vec<String> = more
            .filter(|name| !has_values(name) && !is_among(name, &names))
            .collect();
        if more.is_empty() {
            break;
        }
        names.extend(more);
    }
    let mut rest = Remainder::default();
    let mut list = String::new();
    let begin = tokens.get(open)?.end();
    let mut behind = begin;
    for piece in pieces {
        let (Some(first), Some(last)) = (piece.first(), piece.last()) else {
            continue;
        };
        let is_first = behind == begin;
        let separator = sql
            .get(behind..first.start)
            .filter(|_| is_first || !list.is_empty());
        behind = last.end();
        let rules = if is_table_constraint(piece) {
            table_rules(piece)
        } else if is_among(&first.name(), &names) {
            rest.gone
                .push((first.name(), text_of(sql, piece, 0, piece.len())));
            continue;
        } else {
            column_rules(piece)
        };
        let (lost, kept): (Vec<Rule<'_>>, Vec<Rule<'_>>) =
            rules.into_iter().partition(|rule| rule.mentions(&names));
        if kept.is_empty() && is_table_constraint(piece) {
            rest.lose(sql, piece, &lost);
            continue;
        }
        list.push_str(separator.unwrap_or_default());
        let mut from = 0;
        for rule in &lost {
            let kept = text_of(sql, piece, from, rule.from);
            list.push_str(&kept);
            if !kept.is_empty() {
                list.push(' ');
            }
            from = rule.to;
        }
        list.push_str(&text_of(sql, piece, from, piece.len()));
        list.truncate(list.trim_end().len());
        rest.lose(sql, piece, &lost);
    }
    rest.sql = [sql.get(..begin)?, &list, sql.get(behind..)?].concat();
    Some(rest)
}

impl Remainder {
    fn lose(&mut self, sql: &str, piece: &[Token<'_>], rules: &[Rule<'_>]) {
        for rule in rules {
            let text = text_of(sql, piece, rule.from, rule.to);
            if let (true, Some(column)) = (rule.computes(), piece.first()) {
                self.plain.push((column.name(), text));
            } else {
                self.rules.push((rule.kind, rule.name.clone(), text));
            }
        }
    }
}

/// A `CREATE TABLE` with more columns and constraints, behind the columns that it has.
pub fn with(sql: &str, more: &[String]) -> Option<String> {
    let tokens = tokens(sql);
    let (open, close) = list_of(&tokens)?;
    let pieces = pieces(&tokens, open + 1, close);
    let columns = pieces
        .iter()
        .take_while(|(from, to)| !is_table_constraint(&tokens[*from..*to]));
    let more = more.join(", ");
    let (at, more) = match (columns.last(), pieces.first()) {
        _ if more.is_empty() => return Some(sql.to_owned()),
        (Some((_, to)), _) => (tokens.get(to.checked_sub(1)?)?.end(), format!(", {more}")),
        (None, Some((from, _))) => (tokens.get(*from)?.start, format!("{more}, ")),
        (None, None) => (tokens.get(open)?.end(), more),
    };
    let (head, tail) = sql.split_at_checked(at)?;
    Some([head, &more, tail].concat())
}

/// Whether the definition of a column says more than its name and its type.
pub fn has_rules(definition: &str) -> bool {
    tokens(definition).iter().skip(1).any(begins_constraint)
}

/// The type that a column is declared with; empty if it has none.
pub fn declared(sql: &str, column: &str) -> Option<String> {
    let tokens = tokens(sql);
    let (open, close) = list_of(&tokens)?;
    let pieces = pieces(&tokens, open + 1, close).into_iter();
    let mut pieces = pieces.map(|(from, to)| &tokens[from..to]);
    let piece = pieces.find(|piece| {
        let name = piece.first().filter(|_| !is_table_constraint(piece));
        name.is_some_and(|name| name.name().eq_ignore_ascii_case(column))
    })?;
    let end = piece.iter().skip(1).position(begins_constraint);
    Some(text_of(sql, piece, 1, end.map_or(piece.len(), |end| end + 1)))
}

/// Whether a `CREATE TABLE` has a primary key.
pub fn has_primary_key(sql: &str) -> bool {
    let tokens = tokens(sql);
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    pairs
        .into_iter()
        .any(|(one, next)| one.is("PRIMARY") && next.is("KEY"))
}

/// The parentheses around the columns.
fn list_of(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let open = tokens.iter().position(|token| token.is("("))?;
    let close = matching(tokens, open);
    (close < tokens.len()).then_some((open, close))
}

fn is_among(name: &str, names: &[String]) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// A rule in a definition that may speak of other columns.
struct Rule<'t> {
    kind: &'static str,
    name: Option<String>,
    /// Its place among the definition's tokens.
    from: usize,
    to: usize,
    /// What it is about.
    about: &'t [Token<'t>],
}

impl Rule<'_> {
    fn mentions(&self, names: &[String]) -> bool {
        if !matches!(self.kind, "check" | "generated column") {
            return first_names(self.about).iter().any(|name| is_among(name, names));
        }
        self.names().any(|name| is_among(&name, names))
    }

    /// What may be names of columns in an expression, in small letters.
    fn names(&self) -> impl Iterator<Item = String> {
        let names = self.about.iter().enumerate().filter(|(at, token)| {
            let is_called = self.about.get(at + 1).is_some_and(|next| next.is("("));
            token.is_quoted_name() || (token.is_word() && !is_called)
        });
        names.map(|(_, token)| token.name().to_ascii_lowercase())
    }

    /// Whether it is what a generated column is computed by.
    fn computes(&self) -> bool {
        self.kind == "generated column"
    }

    /// Whether an expression may compare something, which is what the types of columns make a difference for. Whether something is NULL
    /// is no comparison.
    fn compares(&self) -> bool {
        self.about.iter().enumerate().any(|(at, token)| {
            let next = |by: usize, word: &str| self.about.get(at + by).is_some_and(|next| next.is(word));
            let asks_for_null = next(1, "NULL") || (next(1, "NOT") && next(2, "NULL"));
            token.text.starts_with(['=', '<', '>', '!'])
                || ["IN", "BETWEEN"].iter().any(|word| token.is(word))
                || (token.is("IS") && !asks_for_null)
                || (token.is("CASE") && !next(1, "WHEN"))
        })
    }
}

/// The name of a constraint whose keyword is at this place, and where it begins.
fn named(tokens: &[Token<'_>], at: usize) -> (Option<String>, usize) {
    let begins = at
        .checked_sub(2)
        .filter(|at| tokens.get(*at).is_some_and(|token| token.is("CONSTRAINT")));
    match begins {
        Some(from) => (tokens.get(from + 1).map(Token::name), from),
        None => (None, at),
    }
}

/// The CHECKs of a column, and the rule that computes it.
fn column_rules<'t>(tokens: &'t [Token<'t>]) -> Vec<Rule<'t>> {
    let mut rules = Vec::new();
    let mut at = 1;
    while let Some(token) = tokens.get(at) {
        let group = tokens
            .get(at + 1)
            .filter(|next| next.is("("))
            .map(|_| matching(tokens, at + 1));
        let kind = match group {
            Some(_) if token.is("CHECK") => "check",
            Some(_) if token.is("AS") => "generated column",
            _ => "",
        };
        let Some(end) = group.filter(|_| !kind.is_empty()) else {
            at = if token.is("(") { matching(tokens, at) } else { at } + 1;
            continue;
        };
        let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is(word));
        let is_long = at > 2 && is(at - 1, "ALWAYS") && is(at - 2, "GENERATED");
        let (name, from) = named(tokens, if is_long && kind != "check" { at - 2 } else { at });
        let is_told = kind != "check" && (is(end + 1, "STORED") || is(end + 1, "VIRTUAL"));
        let to = (end + 1 + usize::from(is_told)).min(tokens.len());
        rules.push(Rule {
            kind,
            name,
            from,
            to,
            about: tokens.get(at + 2..end).unwrap_or_default(),
        });
        at = to;
    }
    rules
}

/// The constraints of a table that stand in one place: SQLite lets the comma between them be left out.
fn table_rules<'t>(tokens: &'t [Token<'t>]) -> Vec<Rule<'t>> {
    const KINDS: [(&str, &str); 4] = [
        ("PRIMARY", "primary key"),
        ("UNIQUE", "unique constraint"),
        ("CHECK", "check"),
        ("FOREIGN", "foreign key"),
    ];
    let mut rules: Vec<Rule<'t>> = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if let Some((_, kind)) = KINDS.iter().find(|(word, _)| token.is(word)) {
            let (name, from) = named(tokens, at);
            if let Some(before) = rules.last_mut() {
                before.to = from;
            }
            let open = tokens
                .iter()
                .skip(at)
                .position(|token| token.is("("))
                .map_or(tokens.len(), |on| at + on);
            rules.push(Rule {
                kind,
                name,
                from,
                to: tokens.len(),
                about: tokens.get(open + 1..matching(tokens, open)).unwrap_or_default(),
            });
            at = open;
        }
        at = if tokens.get(at).is_some_and(|token| token.is("(")) {
            matching(tokens, at)
        } else {
            at
        } + 1;
    }
    rules
}

/// The columns of a primary key that is no column's own, in lower case.
fn primary_key(tokens: &[Token<'_>]) -> Vec<String> {
    let begins = |three: &[Token<'_>]| three[0].is("PRIMARY") && three[1].is("KEY") && three[2].is("(");
    let Some(open) = tokens.windows(3).position(begins).map(|at| at + 2) else {
        return vec![];
    };
    let columns = tokens.get(open + 1..matching(tokens, open)).unwrap_or_default();
    let names = first_names(columns).into_iter();
    names.map(|name| name.to_ascii_lowercase()).collect()
}

/// Whether two texts are the same but for blanks and comments.
pub fn alike(one: &str, other: &str) -> bool {
    let (one, other) = (tokens(one), tokens(other));
    one.iter()
        .map(|token| token.text)
        .eq(other.iter().map(|token| token.text))
}

/// Whether a definition is no column's.
fn is_table_constraint(tokens: &[Token<'_>]) -> bool {
    const WORDS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
    let first = tokens.first();
    first.is_some_and(|first| WORDS.iter().any(|word| first.is(word)))
}

/// Whether a column's type ends before this.
fn begins_constraint(token: &Token<'_>) -> bool {
    const WORDS: [&str; 11] = [
        "CONSTRAINT",
        "PRIMARY",
        "NOT",
        "NULL",
        "UNIQUE",
        "CHECK",
        "DEFAULT",
        "COLLATE",
        "REFERENCES",
        "GENERATED",
        "AS",
    ];
    WORDS.iter().any(|word| token.is(word))
}

/// Whether a `CREATE TABLE` makes a STRICT table.
pub fn is_strict(sql: &str) -> bool {
    let tokens = tokens(sql);
    let open = tokens.iter().position(|token| token.is("("));
    let options = open.and_then(|open| tokens.get(matching(&tokens, open)..));
    options.is_some_and(|options| options.iter().any(|token| token.is("STRICT")))
}

/// Whether a text is one statement that makes something, and nothing behind it.
pub fn is_one_create(sql: &str) -> bool {
    let tokens = tokens(sql);
    tokens.first().is_some_and(|first| first.is("CREATE")) && !tokens.iter().any(|token| token.is(";"))
        // The bodies of triggers have statements within.
        || is_trigger(&tokens)
}

/// `CREATE TRIGGER … BEGIN …; END`: its statements end with the first END that stands alone behind a semicolon.
fn is_trigger(tokens: &[Token<'_>]) -> bool {
    let head: Vec<&Token<'_>> = tokens.iter().take(3).collect();
    let word = |at: usize, word: &str| head.get(at).is_some_and(|token| token.is(word));
    let temporary = word(1, "TEMP") || word(1, "TEMPORARY");
    let trigger = word(0, "CREATE") && word(1 + usize::from(temporary), "TRIGGER");
    let mut ends = tokens.windows(2).enumerate();
    let end = ends
        .find(|(_, pair)| pair[0].is(";") && pair[1].is("END"))
        .map(|(at, _)| at + 2);
    trigger && end == Some(tokens.len())
}

/// The module of a `CREATE VIRTUAL TABLE`.
pub fn module(sql: &str) -> Option<String> {
    let tokens = tokens(sql);
    let using = tokens.iter().position(|token| token.is("USING"))?;
    tokens.get(using + 1).map(Token::name)
}

/// The arguments of the module.
pub fn module_arguments(sql: &str) -> Vec<String> {
    let tokens = tokens(sql);
    let Some(using) = tokens.iter().position(|token| token.is("USING")) else {
        return vec![];
    };
    if tokens.get(using + 2).is_none_or(|token| !token.is("(")) {
        return vec![];
    }
    let close = matching(&tokens, using + 2);
    pieces(&tokens, using + 3, close)
        .into_iter()
        .map(|(from, to)| text_of(sql, &tokens, from, to))
        .collect()
}

/// The places between commas that stand in no parentheses.
fn pieces(tokens: &[Token<'_>], from: usize, to: usize) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut start = from;
    while start < to {
        let mut end = start;
        while end < to && !tokens[end].is(",") {
            end = if tokens[end].is("(") {
                matching(tokens, end)
            } else {
                end
            } + 1;
        }
        pieces.push((start, end.min(to)));
        start = end + 1;
    }
    pieces
}

/// The text from one token to before another one.
fn text_of(sql: &str, tokens: &[Token<'_>], from: usize, to: usize) -> String {
    let start = tokens.get(from).map_or(sql.len(), |token| token.start);
    let last = to.checked_sub(1).and_then(|last| tokens.get(last));
    let end = last.map_or(start, Token::end);
    sql.get(start..end).unwrap_or_default().to_owned()
}

/// One column with its constraints, or one or more table constraints (SQLite lets the comma between those be left out).
fn definition(sql: &str, tokens: &[Token<'_>], ddl: &mut TableDdl) {
    let (column, mut at) = match tokens.first() {
        Some(first) if !is_table_constraint(tokens) => (Some(first.name()), 1),
        _ => (None, 0),
    };
    let mut name: Option<String> = None;
    while let Some(token) = tokens.get(at) {
        let group = |from: usize| -> Option<usize> {
            tokens
                .get(from)
                .filter(|token| token.is("("))
                .map(|_| matching(tokens, from))
        };
        if token.is("CONSTRAINT") {
            name = tokens.get(at + 1).map(Token::name);
            at += 2;
            continue;
        }
        if token.is("CHECK")
            && let Some(end) = group(at + 1)
        {
            ddl.checks.push(Check {
                name: name.take(),
                expression: inside(sql, tokens, at + 1, end),
            });
            at = end + 1;
            continue;
        }
        if token.is("AS")
            && let (Some(end), Some(column)) = (group(at + 1), &column)
        {
            ddl.generated
                .push((column.clone(), inside(sql, tokens, at + 1, end)));
            at = end + 1;
            continue;
        }
        if token.is("COLLATE")
            && let (Some(collation), Some(column)) = (tokens.get(at + 1), &column)
        {
            ddl.collations.push((column.clone(), collation.name()));
        } else if token.is("AUTOINCREMENT") {
            ddl.autoincrement = true;
        } else if token.is("PRIMARY") || token.is("UNIQUE") {
            let list = at + 1 + usize::from(token.is("PRIMARY"));
            if let Some(name) = name.take() {
                let columns = match (&column, group(list)) {
                    (Some(column), _) => vec![column.clone()],
                    (None, Some(end)) => first_names(&tokens[list + 1..end]),
                    (None, None) => vec![],
                };
                ddl.named_keys.push((name, columns));
            }
        } else if token.is("REFERENCES") {
            ddl.foreign_keys.push(ForeignKeyDdl {
                name: name.take(),
                deferrable: Deferrable::No,
            });
        } else if token.is("DEFERRABLE")
            && let Some(key) = ddl.foreign_keys.last_mut()
        {
            let refused = at > 0 && tokens[at - 1].is("NOT");
            let deferred = tokens.get(at + 2).is_some_and(|token| token.is("DEFERRED"));
            key.deferrable = match (refused, deferred) {
                (true, _) => Deferrable::No,
                (false, true) => Deferrable::Deferred,
                (false, false) => Deferrable::Immediate,
            };
        }
        at = if token.is("(") { matching(tokens, at) } else { at } + 1;
    }
}

/// The text between a parenthesis and its match.
fn inside(sql: &str, tokens: &[Token<'_>], open: usize, close: usize) -> String {
    let from = tokens.get(open).map_or(0, |token| token.start + 1);
    let to = tokens.get(close).map_or(sql.len(), |token| token.start);
    sql.get(from..to).unwrap_or_default().trim().to_owned()
}

/// The first name of each part of a list.
fn first_names(tokens: &[Token<'_>]) -> Vec<String> {
    let parts = tokens.split(|token| token.is(","));
    parts.filter_map(|part| part.first().map(Token::name)).collect()
}

/// The index of the parenthesis that closes the one at `open`; the end if there is none.
fn matching(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at;
            }
        }
    }
    tokens.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_left_as_it_is_but_for_what_is_gone() {
        let sql = r#"CREATE TABLE "t" ( -- columns, all of them
             id INTEGER PRIMARY KEY AUTOINCREMENT, slug TEXT UNIQUE CHECK (slug <> ''), -- the slug
             n INT DEFAULT (1) CONSTRAINT few CHECK (n < length(slug)) NOT NULL, -- how many
             "na""me" TEXT COLLATE NOCASE CHECK (length("na""me") > 1 AND 'slug' <> ''),
             g INT GENERATED ALWAYS AS (n * 2) STORED,
             h TEXT AS (lower([SLUG])) VIRTUAL NOT NULL, i AS (h || 'x'),
             at DATETIME DEFAULT CURRENT_TIMESTAMP,
             UNIQUE (n, Slug COLLATE NOCASE) CONSTRAINT apart CHECK (slug(n) <> "slug") CHECK (n > 0),
             CONSTRAINT fk FOREIGN KEY (slug) REFERENCES other (slug), FOREIGN KEY (n) REFERENCES other (slug) ON DELETE SET NULL
           ) STRICT, WITHOUT ROWID"#;
        let gone = ["SLUG".to_owned()];
        let rest = without(sql, &gone, |_| false).unwrap();
        assert_eq!(
            rest.sql,
            r#"CREATE TABLE "t" ( -- columns, all of them
             id INTEGER PRIMARY KEY AUTOINCREMENT, -- the slug
             n INT DEFAULT (1) NOT NULL, -- how many
             "na""me" TEXT COLLATE NOCASE CHECK (length("na""me") > 1 AND 'slug' <> ''),
             g INT GENERATED ALWAYS AS (n * 2) STORED,
             at DATETIME DEFAULT CURRENT_TIMESTAMP,
             CHECK (n > 0), FOREIGN KEY (n) REFERENCES other (slug) ON DELETE SET NULL
           ) STRICT, WITHOUT ROWID"#
        );
        let names: Vec<_> = rest.gone.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["slug", "h", "i"]);
        assert_eq!(rest.gone[0].1, "slug TEXT UNIQUE CHECK (slug <> '')");
        assert_eq!(rest.plain, []);
        let rules: Vec<_> = rest
            .rules
            .iter()
            .map(|(kind, name, sql)| (*kind, name.as_deref(), sql.as_str()))
            .collect();
        assert_eq!(
            rules,
            [
                ("check", Some("few"), "CONSTRAINT few CHECK (n < length(slug))"),
                ("unique constraint", None, "UNIQUE (n, Slug COLLATE NOCASE)"),
                (
                    "check",
                    Some("apart"),
                    "CONSTRAINT apart CHECK (slug(n) <> \"slug\")"
                ),
                (
                    "foreign key",
                    Some("fk"),
                    "CONSTRAINT fk FOREIGN KEY (slug) REFERENCES other (slug)"
                ),
            ]
        );
        // One whose values are there is computed no more, and what is computed from it still is.
        let rest = without(sql, &gone, |name| name == "h").unwrap();
        assert!(
            rest.sql.contains("h TEXT NOT NULL, i AS (h || 'x'),"),
            "{}",
            rest.sql
        );
        assert_eq!(
            rest.plain,
            [("h".to_owned(), "AS (lower([SLUG])) VIRTUAL".to_owned())]
        );
        // Nothing gone, nothing changed.
        let same = "CREATE TABLE t( -- x\n a, b AS (a) , CHECK (a))";
        assert_eq!(without(same, &[], |_| false).unwrap().sql, same);
        assert_eq!(
            without("CREATE TABLE t(a, CHECK (a))", &["a".to_owned()], |_| true)
                .unwrap()
                .sql,
            "CREATE TABLE t()"
        );
        assert_eq!(without("CREATE TABLE t", &gone, |_| true), None);
    }

    #[test]
    fn a_declared_type_is_read() {
        let sql = r#"CREATE TABLE t(a, "b c" VARCHAR (3, 4) NOT NULL, c INT, UNIQUE (a))"#;
        for (column, kind) in [
            ("a", Some("")),
            ("B C", Some("VARCHAR (3, 4)")),
            ("c", Some("INT")),
            ("unique", None),
        ] {
            assert_eq!(declared(sql, column).as_deref(), kind);
        }
    }

    #[test]
    fn what_came_later_stands_behind_the_columns() {
        let more = ["b TEXT".to_owned(), "UNIQUE (b)".to_owned()];
        for (sql, expected) in [
            (
                "CREATE TABLE t(a INT -- last\n, CHECK (a))",
                "CREATE TABLE t(a INT, b TEXT, UNIQUE (b) -- last\n, CHECK (a))",
            ),
            (
                "CREATE TABLE t(a) STRICT",
                "CREATE TABLE t(a, b TEXT, UNIQUE (b)) STRICT",
            ),
            (
                "CREATE TABLE t(CHECK (1))",
                "CREATE TABLE t(b TEXT, UNIQUE (b), CHECK (1))",
            ),
            ("CREATE TABLE t( )", "CREATE TABLE t(b TEXT, UNIQUE (b) )"),
        ] {
            assert_eq!(with(sql, &more).as_deref(), Some(expected));
            assert_eq!(with(sql, &[]).as_deref(), Some(sql));
        }
        assert!(
            has_primary_key("CREATE TABLE t(a primary key)")
                && !has_primary_key("CREATE TABLE t(\"primary\" KEY)")
        );
    }

    #[test]
    fn what_the_pragmas_do_not_tell_is_read() {
        let ddl = parse(
            r#"CREATE TABLE "t (x" ( -- a comment with CHECK (1)
                 id INTEGER PRIMARY KEY AUTOINCREMENT,
                 "na""me" TEXT COLLATE nocase CONSTRAINT short CHECK (length("na""me") <= 3 AND x <> ')'),
                 [a b] TEXT GENERATED ALWAYS AS (id || ',') STORED /* , CHECK(2) */,
                 p INT DEFAULT (1 + (2)) REFERENCES q(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
                 r INT REFERENCES q NOT DEFERRABLE INITIALLY DEFERRED CHECK(r IN (1,2)),
                 CONSTRAINT pair UNIQUE (p COLLATE binary, "r" DESC)
                 CONSTRAINT fk FOREIGN KEY (p, r) REFERENCES s (a, b) DEFERRABLE,
                 CHECK (p > 0)
               ) STRICT"#,
        );
        let checks: Vec<_> = ddl
            .checks
            .iter()
            .map(|c| (c.name.as_deref(), c.expression.as_str()))
            .collect();
        assert_eq!(
            checks,
            [
                (Some("short"), r#"length("na""me") <= 3 AND x <> ')'"#),
                (None, "r IN (1,2)"),
                (None, "p > 0")
            ]
        );
        assert_eq!(ddl.generated, [("a b".to_owned(), "id || ','".to_owned())]);
        assert_eq!(ddl.collations, [("na\"me".to_owned(), "nocase".to_owned())]);
        assert!(ddl.autoincrement);
        assert_eq!(
            ddl.named_keys,
            [("pair".to_owned(), vec!["p".to_owned(), "r".to_owned()])]
        );
        let keys: Vec<_> = ddl
            .foreign_keys
            .iter()
            .map(|k| (k.name.as_deref(), k.deferrable))
            .collect();
        assert_eq!(
            keys,
            [
                (None, Deferrable::Deferred),
                (None, Deferrable::No),
                (Some("fk"), Deferrable::Immediate)
            ]
        );
    }

    #[test]
    fn a_loose_table_has_no_types_and_no_rules() {
        let loose = |sql| loosened(sql).unwrap_or_default();
        assert_eq!(
            loose(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, \"not null\" VARCHAR (3, 4) NOT NULL ON CONFLICT ABORT DEFAULT (not null) UNIQUE,
                 n NOT NULL, c TEXT CONSTRAINT x CHECK (c REGEXP 'a)') COLLATE NOCASE, CHECK (n > 0) CONSTRAINT y CHECK(1 + (2)),
                 f INT REFERENCES t NOT DEFERRABLE INITIALLY DEFERRED, PRIMARY KEY (n)) WITHOUT ROWID"
            ),
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \"not null\"  NULL ON CONFLICT ABORT DEFAULT (not null) UNIQUE,
                 n NULL, c  CONSTRAINT x CHECK (1) COLLATE NOCASE, CHECK (1) CONSTRAINT y CHECK(1),
                 f  REFERENCES t NOT DEFERRABLE INITIALLY DEFERRED, PRIMARY KEY (n)) WITHOUT ROWID"
        );
        assert_eq!(
            loose("CREATE TABLE t(a INTEGER, B INTEGER, PRIMARY KEY (b DESC))"),
            "CREATE TABLE t(a , B INTEGER, PRIMARY KEY (b DESC))"
        );
        assert_eq!(
            loose("CREATE TABLE t(a ANY NOT NULL) STRICT"),
            "CREATE TABLE t(a  NULL) "
        );
        assert_eq!(
            loose("CREATE TABLE t(a TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"),
            "CREATE TABLE t(a  PRIMARY KEY) WITHOUT ROWID"
        );
        // What is computed works on the types.
        assert_eq!(
            loose("CREATE TABLE t(a INT NOT NULL, b AS (a = '5')) STRICT"),
            "CREATE TABLE t(a INT NULL, b AS (a = '5')) STRICT"
        );
        assert_eq!(
            loose(
                "CREATE TABLE t(a INT, \"B\" REAL, c TEXT, d INT, e INT, f INT AS (b IN (a, 1)) STORED, g REAL AS (c || d), h TEXT AS (e IS NOT NULL))"
            ),
            "CREATE TABLE t(a INT, \"B\" REAL, c , d , e , f INT AS (b IN (a, 1)) STORED, g REAL AS (c || d), h TEXT AS (e IS NOT NULL))"
        );
        assert!(alike("CREATE TABLE t(a) /* b */ ", "CREATE  TABLE t(a)") && !alike("'a b'", "'a  b'"));
        assert_eq!(loosened("CREATE VIRTUAL TABLE f USING fts5(a)"), None);
        assert_eq!(loosened("CREATE TABLE t(a); DROP TABLE u"), None);
    }

    #[test]
    fn collations_and_resolutions_are_read() {
        let sql = "CREATE TABLE t(a COLLATE unicase, b COLLATE \"x y\" UNIQUE ON CONFLICT ABORT, c COLLATE unicase)";
        assert_eq!(collations(sql), ["unicase", "x y"]);
        assert!(!resolves_conflicts(sql));
        assert!(resolves_conflicts("CREATE TABLE t(a UNIQUE ON CONFLICT REPLACE)"));
    }

    #[test]
    fn the_condition_of_a_partial_index_is_read() {
        let sql = "CREATE UNIQUE INDEX \"i (\" ON t (a, lower(b)) WHERE a > (1) AND b <> 'where'";
        assert_eq!(predicate(sql).as_deref(), Some("a > (1) AND b <> 'where'"));
        assert_eq!(predicate("CREATE INDEX i ON t (a)"), None);
        assert_eq!(predicate(""), None);
    }

    #[test]
    fn parts_of_an_index_are_read() {
        let sql = "CREATE UNIQUE INDEX \"i (\" ON t (a COLLATE nocase DESC, lower(b, ','), \"c d\" ASC, e || 'x' COLLATE NOCASE) WHERE a";
        assert_eq!(index_parts(sql), ["a", "lower(b, ',')", "\"c d\"", "e || 'x'"]);
        let terms = [
            "a COLLATE nocase",
            "lower(b, ',')",
            "\"c d\"",
            "e || 'x' COLLATE NOCASE",
        ];
        assert_eq!(index_terms(sql), terms);
        assert_eq!(index_parts(""), Vec::<String>::new());
    }

    #[test]
    fn one_statement_is_told_from_more() {
        for sql in [
            "CREATE TABLE t (a DEFAULT ';')",
            "create view v AS SELECT 1",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE a SET b = CASE WHEN 1 THEN 2 END; DELETE FROM c; END",
            "CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END",
        ] {
            assert!(is_one_create(sql), "{sql}");
        }
        for sql in [
            "",
            "DROP TABLE t",
            "CREATE TABLE t (a); DROP TABLE u",
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END; DROP TABLE u",
            "CREATE TABLE trigger (a); ATTACH 'x' AS y; END",
        ] {
            assert!(!is_one_create(sql), "{sql}");
        }
    }

    #[test]
    fn a_virtual_tables_module_is_read() {
        let sql =
            "CREATE VIRTUAL TABLE \"using\" USING FTS5(a, b UNINDEXED, content='', tokenize = 'porter (x)')";
        assert_eq!(module(sql).as_deref(), Some("FTS5"));
        assert_eq!(
            module_arguments(sql),
            ["a", "b UNINDEXED", "content=''", "tokenize = 'porter (x)'"]
        );
        assert_eq!(
            module_arguments("CREATE VIRTUAL TABLE a USING dbstat"),
            Vec::<String>::new()
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(sql in r#"(CREATE TABLE|CHECK|AS|REFERENCES|[a-z é"'`\[\](),*/-]){0,40}"#) {
            parse(&sql);
            index_parts(&sql);
            module_arguments(&sql);
            loosened(&sql);
            without(&sql, &["a".to_owned()], |_| false);
            with(&sql, &["a".to_owned()]);
            collations(&sql);
        }
    }
}
