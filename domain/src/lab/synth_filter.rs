//! The language in which synths are searched: the part of SQL's `SELECT … FROM synths WHERE …` that reads and compares,
//! parsed into a tree. No text of a search goes any further; adapters make statements of the tree, its values bound.
//!
//! ```text
//! query     = SELECT [ DISTINCT ] ( "*" | chosen { "," chosen } ) FROM synths [ [ AS ] name ] [ WHERE condition ]
//!             [ ORDER BY order { "," order } ]
//! chosen    = column [ AS its own name ]
//! order     = ( field | the number of a column among the chosen ) [ ASC | DESC ]
//! condition = condition OR condition | condition AND condition | NOT condition | "(" condition ")" | test
//! test      = field ( "=" | "==" | "<>" | "!=" | "<" | "<=" | ">" | ">=" ) value | literal ( … ) ( field | value )
//!           | number | TRUE | FALSE
//!           | field [ NOT ] LIKE text [ ESCAPE text ] | field [ NOT ] IN "(" [ value { "," value } ] ")"
//!           | field [ NOT ] BETWEEN value AND value | field IS [ NOT ] ( text | number )
//!           | ( field | data ) ( IS [ NOT ] NULL | ISNULL | NOTNULL | NOT NULL )
//! field     = column | json_extract "(" data "," path ")" | data "->>" path
//! column    = [ ( synths | its other name ) "." ] name, which like `synths` and `data` may stand in "…", `…` or […]
//! path      = a text such as '$.demografia.idade' or '$."a key"'
//! value     = literal | NULL
//! literal   = 'text' | "text", unless there is such a column | number | TRUE | FALSE
//! ```
//!
//! It means what it means in SQLite: a test of nothing is neither true nor false, nor is one against NULL, but for `IS`;
//! `LIKE` passes over the case of ASCII letters; numbers come before texts, but a column is compared with the text of a number
//! as SQLite writes it; `true` and `false` in a document are 1 and 0; texts are ordered by their bytes. Only these are mended,
//! for documents: an object or an array is like nothing where it is compared, and `LIKE` is for texts.

use std::cmp::Ordering;

use super::synth::{SortDirection, SynthSort};
use crate::stored::TextEnum as _;

/// The longest condition, in characters.
pub const CONDITION_MAX: usize = 1000;
/// The longest query.
pub const QUERY_MAX: usize = 10_000;
/// The most tests that a search may make.
pub const TESTS_MAX: usize = 100;
/// How deep parentheses and NOTs may stand within each other.
const DEPTH_MAX: usize = 30;

/// A search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SynthSearch {
    /// Which synths; without a condition all.
    pub condition: Option<Condition>,
    /// In which order; equal ones, and all without an order, the newest first.
    pub order: Vec<(Field, SortDirection)>,
    /// Which columns are wanted; without any all.
    pub columns: Vec<SynthSort>,
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// All of them hold.
    All(Vec<Condition>),
    /// One of them holds.
    Any(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// A field compares so with a value.
    Compare(Field, Operator, Literal),
    /// A field is a text of this pattern.
    Like(Field, Pattern),
    /// A field is nothing.
    IsNull(Field),
    /// It holds for all, or for none.
    Constant(bool),
    /// Neither true nor false.
    Unknown,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A column; all are texts.
    Column(SynthSort),
    /// What stands in the document under these keys, from the outside in. No key is empty, holds a quotation mark, a
    /// backslash or a control character, or could be the number of an item. Without any, the document, of which is only asked
    /// whether there is one.
    Data(Vec<String>),
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// They are equal.
    Equal,
    /// They are not.
    NotEqual,
    /// The first comes before the second.
    Less,
    /// The second does not come before the first.
    AtMost,
    /// The second comes before the first.
    Greater,
    /// The first does not come before the second.
    AtLeast,
}

/// A value that a field is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// A finite number. Columns are compared with the text that SQLite makes of it.
    Number(f64, String),
}

/// A pattern of LIKE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// With `%` for any characters and `_` for any one.
    pub text: String,
    /// The character before one of those that stands for itself; no letter.
    pub escape: Option<char>,
}

/// Why a search is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SearchError(String);

fn refuse<T>(reason: impl Into<String>) -> Result<T, SearchError> {
    Err(SearchError(reason.into()))
}

impl SynthSearch {
    /// The synths for which a condition holds.
    pub fn where_clause(text: &str) -> Result<Self, SearchError> {
        if text.chars().count() > CONDITION_MAX {
            return refuse(format!(
                "WHERE clause exceeds max length of {CONDITION_MAX} characters"
            ));
        }
        let mut parser = Parser::new(text)?;
        let condition = parser.condition(0)?;
        parser.end()?;
        Ok(Self {
            condition: Some(condition),
            ..Self::default()
        })
    }

    /// What a query asks for.
    pub fn query(text: &str) -> Result<Self, SearchError> {
        let begins = |word: &str| word.eq_ignore_ascii_case("SELECT");
        if !super::stripped(text).get(..6).is_some_and(begins) {
            return refuse("Only SELECT queries are allowed");
        }
        if text.chars().count() > QUERY_MAX {
            return refuse(format!("it may have at most {QUERY_MAX} characters"));
        }
        let mut parser = Parser::new(text)?;
        let search = parser.query()?;
        parser.end()?;
        Ok(search)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A name or a keyword.
    Word(String),
    /// A name in quotation marks of names.
    Name(String),
    /// A name in double quotation marks, or a text where nothing has that name.
    NameOrText(String),
    Text(String),
    Number(f64, String),
    Sign(&'static str),
}

/// Longer ones before those that they begin with.
const SIGNS: [&str; 15] = [
    "->>", "<=", ">=", "<>", "!=", "==", "<", ">", "=", "(", ")", ",", "*", "-", ".",
];

fn tokens(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length;
        if let '\'' | '"' | '`' | '[' = first {
            let last = if first == '[' { ']' } else { first };
            let (value, taken) = quoted(rest, last)?;
            tokens.push(match first {
                '\'' => Token::Text(value),
                '"' => Token::NameOrText(value),
                _ => Token::Name(value),
            });
            length = taken;
        } else if begins_number(rest) {
            length = number_length(rest);
            let spelling = &rest[..length];
            match spelling.parse::<f64>() {
                Ok(number) if number.is_finite() => tokens.push(Token::Number(number, spelling.to_owned())),
                _ => return refuse(format!("{spelling} is not a number")),
            }
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            length = end.unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..length].to_owned()));
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            if rest.starts_with("--") {
                return refuse("comments are not part of a search");
            }
            tokens.push(Token::Sign(sign));
            length = sign.len();
        } else {
            return refuse(format!("{first:?} is not part of a search"));
        }
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn begins_number(text: &str) -> bool {
    let digits = text.strip_prefix('.').unwrap_or(text);
    digits.starts_with(|first: char| first.is_ascii_digit())
}

/// The text between quotation marks, and how many bytes that took. Two of them stand for one, but for brackets.
fn quoted(text: &str, mark: char) -> Result<(String, usize), SearchError> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character == '\0' {
            return refuse("a text must not contain the character U+0000");
        }
        if character == mark && (mark == ']' || characters.next_if(|(_, next)| *next == mark).is_none()) {
            return Ok((value, index + 1));
        }
        value.push(character);
    }
    refuse(format!("a text has no closing {mark}"))
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut length = 0;
    while let Some(byte) = bytes.get(length) {
        let exponent_sign = matches!(byte, b'+' | b'-') && matches!(bytes[length - 1], b'e' | b'E');
        // A letter behind a number belongs to it, so that `1x` is no number rather than two tokens.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || (length > 0 && exponent_sign) {
            length += 1;
        } else {
            break;
        }
    }
    length
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// What the table is called in this query.
    table: String,
    tests: usize,
}

/// One side of a comparison.
enum Operand {
    Field(Field),
    Literal(Literal),
}

impl Parser {
    fn new(text: &str) -> Result<Self, SearchError> {
        let tokens = tokens(text)?;
        Ok(Self {
            table: other_name(&tokens).unwrap_or(TABLE).to_owned(),
            tokens: tokens.into_iter().peekable(),
            tests: 0,
        })
    }

    fn word(&mut self, word: &str) -> bool {
        let is_word = |token: &Token| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word));
        self.tokens.next_if(is_word).is_some()
    }

    /// The same, which may stand in quotation marks.
    fn name(&mut self, name: &str) -> bool {
        self.tokens.next_if(|token| token.is_called(name)).is_some()
    }

    fn sign(&mut self, sign: &'static str) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn expect_word(&mut self, word: &str) -> Result<(), SearchError> {
        if self.word(word) {
            Ok(())
        } else {
            self.unexpected(word)
        }
    }

    fn expect_sign(&mut self, sign: &'static str) -> Result<(), SearchError> {
        if self.sign(sign) {
            Ok(())
        } else {
            self.unexpected(sign)
        }
    }

    fn unexpected<T>(&mut self, wanted: &str) -> Result<T, SearchError> {
        match self.tokens.next() {
            Some(Token::Word(found) | Token::Name(found) | Token::NameOrText(found)) => {
                refuse(format!("expected {wanted}, found {found}"))
            }
            Some(Token::Text(found)) => refuse(format!("expected {wanted}, found '{found}'")),
            Some(Token::Number(_, found)) => refuse(format!("expected {wanted}, found {found}")),
            Some(Token::Sign(found)) => refuse(format!("expected {wanted}, found {found}")),
            None => refuse(format!("expected {wanted} at the end")),
        }
    }

    fn end(&mut self) -> Result<(), SearchError> {
        match self.tokens.peek() {
            None => Ok(()),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("LIMIT") => {
                refuse("LIMIT is not part of a search; the parameters limit and offset choose the page")
            }
            Some(_) => self.unexpected("the end"),
        }
    }

    fn query(&mut self) -> Result<SynthSearch, SearchError> {
        self.expect_word("SELECT")?;
        let is_distinct = self.word("DISTINCT");
        let mut columns = Vec::new();
        if !self.sign("*") {
            loop {
                columns.push(self.chosen()?);
                if !self.sign(",") {
                    break;
                }
            }
        }
        if is_distinct && !columns.is_empty() && !columns.contains(&SynthSort::Id) {
            return refuse("DISTINCT is only understood with the column id, which makes every row another");
        }
        self.expect_word("FROM")?;
        if !self.name(TABLE) {
            return self.unexpected(TABLE);
        }
        if self.table != TABLE {
            self.word("AS");
            self.tokens.next();
        }
        let condition = if self.word("WHERE") {
            Some(self.condition(0)?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.word("ORDER") {
            self.expect_word("BY")?;
            loop {
                let field = self.ordered_by(&columns)?;
                looked_into(&field)?;
                let direction = if self.word("DESC") {
                    SortDirection::Descending
                } else {
                    self.word("ASC");
                    SortDirection::Ascending
                };
                order.push((field, direction));
                self.count_test()?;
                if !self.sign(",") {
                    break;
                }
            }
        }
        Ok(SynthSearch {
            condition,
            order,
            columns,
        })
    }

    /// A column, which may be given its own name once more.
    fn chosen(&mut self) -> Result<SynthSort, SearchError> {
        let column = self.column()?;
        if self.word("AS") && !self.name(column.as_str()) {
            return self.unexpected(&format!("{}, as the column is called", column.as_str()));
        }
        Ok(column)
    }

    /// A field, or the one that has this number among the chosen columns.
    fn ordered_by(&mut self, chosen: &[SynthSort]) -> Result<Field, SearchError> {
        let Some(Token::Number(_, number)) = self.tokens.next_if(|token| matches!(token, Token::Number(..)))
        else {
            return self.field();
        };
        let columns = if chosen.is_empty() { SynthSort::ALL } else { chosen };
        let index = number
            .parse::<usize>()
            .ok()
            .and_then(|number| number.checked_sub(1));
        match index.and_then(|index| columns.get(index)) {
            Some(column) => Ok(Field::Column(*column)),
            None => refuse(format!("there is no column {number} to order by")),
        }
    }

    fn count_test(&mut self) -> Result<(), SearchError> {
        self.tests += 1;
        if self.tests > TESTS_MAX {
            return refuse(format!("it may make at most {TESTS_MAX} tests"));
        }
        Ok(())
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, SearchError> {
        if depth > DEPTH_MAX {
            return refuse(format!("it may nest at most {DEPTH_MAX} deep"));
        }
        let mut any = vec![self.all(depth)?];
        while self.word("OR") {
            any.push(self.all(depth)?);
        }
        Ok(one_or(any, Condition::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, SearchError> {
        let mut all = vec![self.negated(depth)?];
        while self.word("AND") {
            all.push(self.negated(depth)?);
        }
        Ok(one_or(all, Condition::All))
    }

    fn negated(&mut self, depth: usize) -> Result<Condition, SearchError> {
        if depth > DEPTH_MAX {
            return refuse(format!("it may nest at most {DEPTH_MAX} deep"));
        }
        if self.word("NOT") {
            return Ok(not(self.negated(depth + 1)?));
        }
        if self.sign("(") {
            let condition = self.condition(depth + 1)?;
            self.expect_sign(")")?;
            return Ok(condition);
        }
        self.count_test()?;
        self.test()
    }

    fn test(&mut self) -> Result<Condition, SearchError> {
        let field = match self.operand()? {
            Operand::Field(field) => field,
            Operand::Literal(literal) => return self.test_of_literal(&literal),
        };
        if self.word("ISNULL") {
            return Ok(Condition::IsNull(field));
        }
        if self.word("NOTNULL") {
            return Ok(not(Condition::IsNull(field)));
        }
        if self.word("IS") {
            let negative = self.word("NOT");
            if self.word("NULL") {
                return Ok(negate_if(negative, Condition::IsNull(field)));
            }
            return self.is(field, negative);
        }
        let negative = self.word("NOT");
        if negative && self.word("NULL") {
            return Ok(not(Condition::IsNull(field)));
        }
        compared(&field)?;
        if !negative && let Some(operator) = self.operator() {
            return self.comparison(field, operator);
        }
        let test = if self.word("LIKE") {
            Condition::Like(field, self.pattern()?)
        } else if self.word("IN") {
            self.expect_sign("(")?;
            self.among(&field)?
        } else if self.word("BETWEEN") {
            let low = self.comparison(field.clone(), Operator::AtLeast)?;
            self.expect_word("AND")?;
            let high = self.comparison(field, Operator::AtMost)?;
            Condition::All(vec![low, high])
        } else {
            return self.unexpected("a comparison");
        };
        Ok(negate_if(negative, test))
    }

    /// Behind a literal, which may stand alone if it is a number.
    fn test_of_literal(&mut self, literal: &Literal) -> Result<Condition, SearchError> {
        let Some(operator) = self.operator() else {
            return match literal.as_number() {
                Some(number) => Ok(Condition::Constant(number != 0.0)),
                None => self.unexpected("a comparison"),
            };
        };
        if self.word("NULL") {
            return Ok(Condition::Unknown);
        }
        Ok(match self.operand()? {
            Operand::Literal(other) => Condition::Constant(operator.holds(literal.compared(&other))),
            Operand::Field(field) => {
                compared(&field)?;
                Condition::Compare(field, operator.turned(), literal.clone())
            }
        })
    }

    /// Behind IS, where nothing is a value like any other. Truth values stay out: there they ask what a field comes to as one.
    fn is(&mut self, field: Field, negative: bool) -> Result<Condition, SearchError> {
        compared(&field)?;
        let is_value =
            |token: &Token| token.is_text() || matches!(token, Token::Number(..) | Token::Sign("-"));
        if !self.tokens.peek().is_some_and(is_value) {
            return self.unexpected("NULL, a text in single quotation marks or a number");
        }
        self.count_test()?;
        let nothing = Condition::IsNull(field.clone());
        let literal = self.literal()?;
        Ok(if negative {
            Condition::Any(vec![
                nothing,
                Condition::Compare(field, Operator::NotEqual, literal),
            ])
        } else {
            Condition::All(vec![
                not(nothing),
                Condition::Compare(field, Operator::Equal, literal),
            ])
        })
    }

    /// Behind an operator.
    fn comparison(&mut self, field: Field, operator: Operator) -> Result<Condition, SearchError> {
        if self.word("NULL") {
            return Ok(Condition::Unknown);
        }
        Ok(Condition::Compare(field, operator, self.literal()?))
    }

    /// The values of a list, up to its end. Not even nothing is among none.
    fn among(&mut self, field: &Field) -> Result<Condition, SearchError> {
        if self.sign(")") {
            return Ok(Condition::Constant(false));
        }
        let mut any = Vec::new();
        loop {
            any.push(self.comparison(field.clone(), Operator::Equal)?);
            self.count_test()?;
            if !self.sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        Ok(one_or(any, Condition::Any))
    }

    fn pattern(&mut self) -> Result<Pattern, SearchError> {
        let Some(text) = self.text() else {
            return self.unexpected("a text in single quotation marks");
        };
        let mut escape = None;
        if self.word("ESCAPE") {
            let Some(mark) = self.text() else {
                return self.unexpected("one character in single quotation marks");
            };
            let mut characters = mark.chars();
            escape = characters.next().filter(|mark| !mark.is_alphabetic());
            if escape.is_none() || characters.next().is_some() {
                return refuse("ESCAPE takes one character that is no letter");
            }
        }
        let pattern = Pattern { text, escape };
        pattern.check()?;
        Ok(pattern)
    }

    /// A text, in marks of its own or in those of a name that nothing has.
    fn text(&mut self) -> Option<String> {
        match self.tokens.next_if(Token::is_text)? {
            Token::Text(text) | Token::NameOrText(text) => Some(text),
            Token::Word(_) | Token::Name(_) | Token::Number(..) | Token::Sign(_) => None,
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        const OPERATORS: [(&str, Operator); 8] = [
            ("=", Operator::Equal),
            ("==", Operator::Equal),
            ("<>", Operator::NotEqual),
            ("!=", Operator::NotEqual),
            ("<", Operator::Less),
            ("<=", Operator::AtMost),
            (">", Operator::Greater),
            (">=", Operator::AtLeast),
        ];
        OPERATORS
            .into_iter()
            .find_map(|(sign, operator)| self.sign(sign).then_some(operator))
    }

    fn operand(&mut self) -> Result<Operand, SearchError> {
        match self.tokens.peek() {
            Some(Token::Number(..) | Token::Sign("-")) => self.literal().map(Operand::Literal),
            // What a table is called is followed by a column.
            Some(token) if token.is_text() && !token.is_called(&self.table) => {
                self.literal().map(Operand::Literal)
            }
            Some(Token::Word(word)) if is_truth(word) => self.literal().map(Operand::Literal),
            _ => self.field().map(Operand::Field),
        }
    }

    fn literal(&mut self) -> Result<Literal, SearchError> {
        if self.sign("-") {
            return match self.tokens.next() {
                Some(Token::Number(number, spelling)) => {
                    let spelling = format!("-{spelling}");
                    Ok(Literal::Number(-number, text_of_number(-number, &spelling)))
                }
                _ => refuse("expected a number behind -"),
            };
        }
        if let Some(text) = self.text() {
            return Ok(Literal::Text(text));
        }
        match self
            .tokens
            .next_if(|token| matches!(token, Token::Number(..) | Token::Word(_)))
        {
            Some(Token::Number(number, spelling)) => {
                Ok(Literal::Number(number, text_of_number(number, &spelling)))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("TRUE") => {
                Ok(Literal::Number(1.0, "1".to_owned()))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("FALSE") => {
                Ok(Literal::Number(0.0, "0".to_owned()))
            }
            Some(Token::Word(word)) => refuse(format!(
                "expected a text in single quotation marks or a number, found {word}"
            )),
            _ => self.unexpected("a text in single quotation marks or a number"),
        }
    }

    fn field(&mut self) -> Result<Field, SearchError> {
        if self.word("json_extract") {
            self.expect_sign("(")?;
            self.table()?;
            if !self.name("data") {
                return self.unexpected("data");
            }
            self.expect_sign(",")?;
            let path = self.path()?;
            self.expect_sign(")")?;
            return Ok(Field::Data(path));
        }
        self.table()?;
        if self.name("data") {
            let path = if self.sign("->>") {
                self.path()?
            } else {
                Vec::new()
            };
            return Ok(Field::Data(path));
        }
        self.unqualified().map(Field::Column)
    }

    /// The table and a point, which may stand before its columns.
    fn table(&mut self) -> Result<(), SearchError> {
        let table = self.table.clone();
        if self.name(&table) {
            self.expect_sign(".")?;
        }
        Ok(())
    }

    fn column(&mut self) -> Result<SynthSort, SearchError> {
        self.table()?;
        self.unqualified()
    }

    fn unqualified(&mut self) -> Result<SynthSort, SearchError> {
        let token = self.tokens.next_if(|token| token.name().is_some());
        let Some(Token::Word(name) | Token::Name(name) | Token::NameOrText(name)) = token else {
            return self.unexpected("a column");
        };
        SynthSort::from_text(&name.to_ascii_lowercase()).map_or_else(
            || {
                refuse(format!(
                    "{name} is not a column of synths; json_extract(data, '$.…') looks into documents"
                ))
            },
            Ok,
        )
    }

    fn path(&mut self) -> Result<Vec<String>, SearchError> {
        match self.tokens.next_if(|token| matches!(token, Token::Text(_))) {
            Some(Token::Text(text)) => path(&text),
            _ => self.unexpected("a path such as '$.demografia.idade'"),
        }
    }
}

/// What is searched.
const TABLE: &str = "synths";
/// The words that may follow the table in SQL, and so give it no name.
const BEHIND_TABLE: [&str; 18] = [
    "WHERE",
    "ORDER",
    "GROUP",
    "HAVING",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "INDEXED",
    "NOT",
    "WINDOW",
];

/// The other name that a query gives the table, unless it is a column's.
fn other_name(tokens: &[Token]) -> Option<&str> {
    let is_word =
        |token: &Token, word: &str| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word));
    let from = tokens.iter().position(|token| is_word(token, "FROM"))?;
    let mut behind = tokens.get(from + 1..)?.iter();
    behind
        .next()?
        .name()
        .filter(|name| name.eq_ignore_ascii_case(TABLE))?;
    let mut next = behind.next()?;
    if is_word(next, "AS") {
        next = behind.next()?;
    } else if BEHIND_TABLE.iter().any(|word| is_word(next, word)) {
        return None;
    }
    next.name().filter(|name| !is_column(name))
}

/// Whether the table has a column of that name; the last three stand for a row's number in SQLite.
fn is_column(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SynthSort::from_text(&name).is_some() || ["data", "rowid", "oid", "_rowid_"].contains(&name.as_str())
}

impl Token {
    /// The name that it may be.
    fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Name(name) | Self::NameOrText(name) => Some(name),
            Self::Text(_) | Self::Number(..) | Self::Sign(_) => None,
        }
    }

    /// Whether it may be this name.
    fn is_called(&self, name: &str) -> bool {
        self.name().is_some_and(|found| found.eq_ignore_ascii_case(name))
    }

    /// Whether it is a text.
    fn is_text(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::NameOrText(name) => !is_column(name),
            Self::Word(_) | Self::Name(_) | Self::Number(..) | Self::Sign(_) => false,
        }
    }
}

fn is_truth(word: &str) -> bool {
    word.eq_ignore_ascii_case("TRUE") || word.eq_ignore_ascii_case("FALSE")
}

/// Times are stored in several forms, which a text does not compare with.
fn compared(field: &Field) -> Result<(), SearchError> {
    if *field == Field::Column(SynthSort::CreatedAt) {
        return refuse("created_at cannot be compared; ORDER BY created_at orders by it");
    }
    looked_into(field)
}

/// Whole documents are alike in one database and not in another.
fn looked_into(field: &Field) -> Result<(), SearchError> {
    match field {
        Field::Data(keys) if keys.is_empty() => {
            refuse("data is only tested for NULL; json_extract(data, '$.…') looks into it")
        }
        _ => Ok(()),
    }
}

/// The text that SQLite makes of a number in a statement where it stands beside a column of texts: a whole number of 64 bits in its
/// shortest spelling, any other with 15 digits.
fn text_of_number(number: f64, spelling: &str) -> String {
    let digits = spelling.strip_prefix('-').unwrap_or(spelling);
    if digits.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(whole) = spelling.parse::<i64>()
    {
        return whole.to_string();
    }
    if number == 0.0 {
        return "0.0".to_owned();
    }
    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let with_point = |text: &str| {
        let text = text.trim_end_matches('0');
        let zero = if text.ends_with('.') { "0" } else { "" };
        format!("{text}{zero}")
    };
    if (-4..=14).contains(&exponent) {
        let places = usize::try_from(14 - exponent).unwrap_or(0);
        let point = if places == 0 { "." } else { "" };
        return with_point(&format!("{number:.places$}{point}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", with_point(mantissa), exponent.abs())
}

fn path(text: &str) -> Result<Vec<String>, SearchError> {
    let wrong = || format!("{text} is not a path such as '$.demografia.idade'");
    let Some(mut rest) = text.strip_prefix('$') else {
        return refuse(wrong());
    };
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let Some(key) = rest.strip_prefix('.') else {
            return refuse(wrong());
        };
        let (key, behind) = match key.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(|| SearchError(wrong()))?,
            None => key.split_at(key.find(['.', '[', '"']).unwrap_or(key.len())),
        };
        let number = key.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if number || key.contains(|character: char| character.is_control() || character == '\\') {
            return refuse(wrong());
        }
        keys.push(key.to_owned());
        rest = behind;
    }
    if keys.is_empty() || keys.len() > DEPTH_MAX {
        return refuse(wrong());
    }
    Ok(keys)
}

fn one_or(mut conditions: Vec<Condition>, several: impl FnOnce(Vec<Condition>) -> Condition) -> Condition {
    match conditions.pop() {
        Some(only) if conditions.is_empty() => only,
        Some(last) => {
            conditions.push(last);
            several(conditions)
        }
        None => several(conditions),
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn negate_if(negative: bool, condition: Condition) -> Condition {
    if negative { not(condition) } else { condition }
}

impl Operator {
    /// How the second compares with the first.
    fn turned(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::NotEqual => Self::NotEqual,
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }

    /// Whether two values that compare so fulfil it.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }

    /// Whether a number compares so with a text, before which it always comes.
    pub fn holds_for_less(self) -> bool {
        matches!(self, Self::NotEqual | Self::Less | Self::AtMost)
    }

    /// Whether a text compares so with a number.
    pub fn holds_for_greater(self) -> bool {
        matches!(self, Self::NotEqual | Self::Greater | Self::AtLeast)
    }
}

impl Literal {
    /// The number, unless it is a text.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number, _) => Some(*number),
            Self::Text(_) => None,
        }
    }

    /// How SQLite compares two of them: numbers come before texts, and whole ones of 64 bits are compared exactly.
    fn compared(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(text), Self::Text(other)) => text.cmp(other),
            (Self::Text(_), Self::Number(..)) => Ordering::Greater,
            (Self::Number(..), Self::Text(_)) => Ordering::Less,
            (Self::Number(number, text), Self::Number(other, other_text)) => {
                match (text.parse::<i64>(), other_text.parse::<i64>()) {
                    (Ok(whole), Ok(other)) => whole.cmp(&other),
                    // They are finite.
                    _ => number.partial_cmp(other).unwrap_or(Ordering::Equal),
                }
            }
        }
    }

    /// As texts are compared with it.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(_, text) => text,
        }
    }
}

impl Pattern {
    /// The databases differ about an escape that nothing follows, and take long over many `%`.
    fn check(&self) -> Result<(), SearchError> {
        let mut characters = self.text.chars();
        while let Some(character) = characters.next() {
            if Some(character) == self.escape && characters.next().is_none() {
                return refuse("nothing follows the ESCAPE character at the end of the pattern");
            }
        }
        if self.text.matches('%').count() > 10 {
            return refuse("a pattern may hold % at most ten times");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Condition {
        SynthSearch::where_clause(text).unwrap().condition.unwrap()
    }

    fn refused(text: &str) -> String {
        SynthSearch::where_clause(text).unwrap_err().to_string()
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_both() {
        let [a, b, c] = ["id = 'a'", "nome = 'b'", "version = 'c'"].map(parsed);
        assert_eq!(
            parsed("id = 'a' OR NOT nome = 'b' AND version = 'c'"),
            Condition::Any(vec![a.clone(), Condition::All(vec![not(b.clone()), c.clone()])])
        );
        assert_eq!(
            parsed("(id = 'a' or nome == 'b') and 'c' = \"version\""),
            Condition::All(vec![Condition::Any(vec![a, b]), c])
        );
    }

    #[test]
    fn the_shapes_that_the_application_tells_its_users() {
        let age = Field::Data(vec!["demografia".to_owned(), "idade".to_owned()]);
        let number = |number: f64, text: &str| Literal::Number(number, text.to_owned());
        assert_eq!(
            parsed("json_extract(data, '$.demografia.idade') > 30"),
            Condition::Compare(age.clone(), Operator::Greater, number(30.0, "30"))
        );
        assert_eq!(
            parsed("-1.5e2 >= data->>'$.\"demografia\".idade'"),
            Condition::Compare(age.clone(), Operator::AtMost, number(-150.0, "-150.0"))
        );
        assert_eq!(
            parsed("descricao IS NOT NULL"),
            not(Condition::IsNull(Field::Column(SynthSort::Descricao)))
        );
        let search = SynthSearch::query(
            "select id, nome FROM synths WHERE nome NOT LIKE '%O''Brien\\_%' ESCAPE '\\' ORDER BY created_at DESC, nome",
        )
        .unwrap();
        let pattern = Pattern {
            text: "%O'Brien\\_%".to_owned(),
            escape: Some('\\'),
        };
        assert_eq!(
            search.condition,
            Some(not(Condition::Like(Field::Column(SynthSort::Nome), pattern)))
        );
        assert_eq!(search.columns, [SynthSort::Id, SynthSort::Nome]);
        assert_eq!(
            search.order,
            [
                (Field::Column(SynthSort::CreatedAt), SortDirection::Descending),
                (Field::Column(SynthSort::Nome), SortDirection::Ascending)
            ]
        );
        assert_eq!(
            SynthSearch::query("SELECT * FROM synths").unwrap(),
            SynthSearch::default()
        );
    }

    #[test]
    fn what_is_no_search_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "expected a column at the end"),
            ("nome", "expected a comparison at the end"),
            ("nome = 'a", "a text has no closing '"),
            ("nome = 'a'; DROP TABLE synths", "';' is not part of a search"),
            ("1 = nome = 2", "expected the end, found ="),
            ("'a'", "expected a comparison at the end"),
            (
                "nome = \"descricao\"",
                "expected a text in single quotation marks or a number, found descricao",
            ),
            (
                "nome = [Ana]",
                "expected a text in single quotation marks or a number, found Ana",
            ),
            ("nome = 'a' -- x", "comments are not part of a search"),
            ("nome = 'a' UNION SELECT 1", "expected the end, found UNION"),
            (
                "nome = (SELECT 1)",
                "expected a text in single quotation marks or a number, found (",
            ),
            (
                "nome = descricao",
                "expected a text in single quotation marks or a number, found descricao",
            ),
            (
                "secret = 'a'",
                "secret is not a column of synths; json_extract(data, '$.…') looks into documents",
            ),
            (
                "nome IS TRUE",
                "expected NULL, a text in single quotation marks or a number, found TRUE",
            ),
            (
                "nome IS descricao",
                "expected NULL, a text in single quotation marks or a number, found descricao",
            ),
            (
                "data = 'x'",
                "data is only tested for NULL; json_extract(data, '$.…') looks into it",
            ),
            (
                "other.nome = 'x'",
                "other is not a column of synths; json_extract(data, '$.…') looks into documents",
            ),
            ("synths = 'x'", "expected ., found ="),
            ("[nome = 'x'", "a text has no closing ]"),
            ("nome NOT = 'x'", "expected a comparison, found ="),
            (
                "created_at > '2026'",
                "created_at cannot be compared; ORDER BY created_at orders by it",
            ),
            (
                "json_extract(data, '$.a[0]') = 1",
                "$.a[0] is not a path such as '$.demografia.idade'",
            ),
            (
                "json_extract(data, '$.0') = 1",
                "$.0 is not a path such as '$.demografia.idade'",
            ),
            ("nome = 1x", "1x is not a number"),
            (
                "nome LIKE 'a!' ESCAPE '!'",
                "nothing follows the ESCAPE character at the end of the pattern",
            ),
        ] {
            assert_eq!(refused(text), reason, "{text}");
        }
        assert!(refused(&"(".repeat(500)).contains("nest"));
        assert!(refused(&"NOT ".repeat(200)).contains("nest"));
        assert_eq!(
            refused(&"x".repeat(1001)),
            "WHERE clause exceeds max length of 1000 characters"
        );
        assert!(
            SynthSearch::query(&format!(
                "SELECT * FROM synths WHERE id IN ('a'{})",
                ",'a'".repeat(200)
            ))
            .is_err()
        );
        assert!(
            SynthSearch::query("SELECT * FROM synths LIMIT 5")
                .unwrap_err()
                .to_string()
                .contains("limit and offset")
        );
        assert!(SynthSearch::query("SELECT * FROM sqlite_master").is_err());
        assert!(SynthSearch::query("SELECT * FROM synths ORDER BY data").is_err());
        for no_select in ["DELETE FROM synths", "; SELECT", "é", ""] {
            assert_eq!(
                SynthSearch::query(no_select).unwrap_err().to_string(),
                "Only SELECT queries are allowed"
            );
        }
        assert!(SynthSearch::query("\u{1c}select * from \"synths\"").is_err());
        assert!(SynthSearch::query(" select * from \"synths\"").is_ok());
    }

    #[test]
    fn a_name_may_stand_in_marks_and_behind_its_table() {
        let plain = parsed("nome = 'a'");
        for same in [
            "\"nome\" = 'a'",
            "`NOME` = 'a'",
            "[nome] = 'a'",
            "synths.nome = 'a'",
            "\"synths\" . [nome] = 'a'",
        ] {
            assert_eq!(parsed(same), plain, "{same}");
        }
        let plain = parsed("json_extract(data, '$.a') IS NULL");
        for same in [
            "json_extract(synths.data, '$.a') ISNULL",
            "synths.\"data\" ->> '$.a' is null",
        ] {
            assert_eq!(parsed(same), plain, "{same}");
        }
    }

    #[test]
    fn a_name_that_nothing_has_is_a_text_in_double_marks() {
        for (text, same) in [
            ("nome = \"Ana\"", "nome = 'Ana'"),
            ("\"Ana\" <> nome", "nome <> 'Ana'"),
            ("nome IN (\"a\", \"b\"\"c\")", "nome IN ('a', 'b\"c')"),
            ("nome LIKE \"a!%\" ESCAPE \"!\"", "nome LIKE 'a!%' ESCAPE '!'"),
            ("nome IS \"Ana\"", "nome IS 'Ana'"),
        ] {
            assert_eq!(parsed(text), parsed(same), "{text}");
        }
    }

    #[test]
    fn what_is_the_same_for_all_is_known_before() {
        for (text, holds) in [
            ("1=1", true),
            ("1", true),
            ("0.0", false),
            ("TRUE", true),
            ("'a' = \"a\"", true),
            ("'b' < 'a'", false),
            ("5 < '1'", true),
            ("'1' = 1", false),
            ("1.0 == 1", true),
            ("9223372036854775807 = 9223372036854775806", false),
            ("-1 < 0", true),
            ("nome IN ()", false),
        ] {
            assert_eq!(parsed(text), Condition::Constant(holds), "{text}");
        }
        assert_eq!(parsed("1 = NULL"), Condition::Unknown);
        assert_eq!(parsed("nome NOT IN ()"), not(Condition::Constant(false)));
    }

    #[test]
    fn a_query_may_name_its_table_and_number_its_columns() {
        let plain = SynthSearch::query(
            "SELECT id, nome FROM synths WHERE nome = 'a' AND json_extract(data, '$.a') = 1 ORDER BY nome DESC, id",
        );
        for same in [
            "SELECT s.id, s.nome FROM synths s WHERE s.nome = 'a' AND json_extract(s.data, '$.a') = 1 ORDER BY s.nome DESC, s.id",
            "SELECT \"S\".id, nome FROM synths AS s WHERE \"S\".nome = \"a\" AND s.data->>'$.a' = 1 ORDER BY 2 DESC, 1",
            "SELECT DISTINCT id AS id, nome AS \"NOME\" FROM synths WHERE nome = 'a' AND data->>'$.a' = 1 ORDER BY 2 DESC, 1",
        ] {
            assert_eq!(SynthSearch::query(same), plain, "{same}");
        }
        let third = SynthSearch::query("SELECT * FROM synths ORDER BY 3").unwrap();
        assert_eq!(
            third.order,
            [(Field::Column(SynthSort::Nome), SortDirection::Ascending)]
        );
        for (query, reason) in [
            (
                "SELECT s.id FROM synths",
                "s is not a column of synths; json_extract(data, '$.…') looks into documents",
            ),
            (
                "SELECT synths.id FROM synths s",
                "synths is not a column of synths; json_extract(data, '$.…') looks into documents",
            ),
            ("SELECT * FROM synths nome", "expected the end, found nome"),
            ("SELECT * FROM synths, synths", "expected the end, found ,"),
            ("SELECT * FROM synths JOIN x", "expected the end, found JOIN"),
            (
                "SELECT nome AS id FROM synths",
                "expected nome, as the column is called, found id",
            ),
            (
                "SELECT DISTINCT nome FROM synths",
                "DISTINCT is only understood with the column id, which makes every row another",
            ),
            (
                "SELECT * FROM synths ORDER BY 0",
                "there is no column 0 to order by",
            ),
            (
                "SELECT * FROM synths ORDER BY 9",
                "there is no column 9 to order by",
            ),
            (
                "SELECT id FROM synths ORDER BY 1.0",
                "there is no column 1.0 to order by",
            ),
        ] {
            assert_eq!(
                SynthSearch::query(query).unwrap_err().to_string(),
                reason,
                "{query}"
            );
        }
    }

    #[test]
    fn nothing_is_a_value_behind_is_alone() {
        let nothing = Condition::IsNull(Field::Column(SynthSort::Nome));
        for present in ["nome NOTNULL", "nome NOT NULL", "nome IS NOT NULL"] {
            assert_eq!(parsed(present), not(nothing.clone()), "{present}");
        }
        assert_eq!(
            parsed("nome IS 'a'"),
            Condition::All(vec![not(nothing.clone()), parsed("nome = 'a'")])
        );
        assert_eq!(
            parsed("nome IS NOT -1"),
            Condition::Any(vec![nothing, parsed("nome <> -1")])
        );
        assert_eq!(parsed("nome <> NULL"), Condition::Unknown);
        assert_eq!(
            parsed("nome NOT IN ('a', NULL)"),
            not(Condition::Any(vec![parsed("nome = 'a'"), Condition::Unknown]))
        );
        assert_eq!(
            parsed("data IS NOT NULL"),
            not(Condition::IsNull(Field::Data(Vec::new())))
        );
    }

    #[test]
    fn a_column_is_compared_with_the_text_that_sqlite_makes_of_a_number() {
        for (spelling, text) in [
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("5e-1", "0.5"),
            ("1e2", "100.0"),
            ("007", "7"),
            ("000.10", "0.1"),
            ("0e0", "0.0"),
            ("-0", "0"),
            ("-0.0", "0.0"),
            ("-.5", "-0.5"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", "9.22337203685478e+18"),
            ("-9223372036854775809", "-9.22337203685478e+18"),
            ("1e14", "100000000000000.0"),
            ("123456789012345.67", "123456789012346.0"),
            ("999999999999999.9", "1.0e+15"),
            ("1e20", "1.0e+20"),
            ("1e-4", "0.0001"),
            ("0.00012345", "0.00012345"),
            ("2.5e-5", "2.5e-05"),
            ("0.1234567890123456789", "0.123456789012346"),
            ("1.7976931348623157e308", "1.79769313486232e+308"),
            ("1e-300", "1.0e-300"),
        ] {
            let Condition::Compare(_, _, literal) = parsed(&format!("nome = {spelling}")) else {
                panic!("{spelling} is compared");
            };
            assert_eq!(literal.as_text(), text, "{spelling}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[a-z'\"$.,()<>=!%_0-9e+ \\-é;*]{0,60}", any in ".{0,60}") {
            for text in [&text, &any] {
                drop(SynthSearch::where_clause(text));
                drop(SynthSearch::query(&format!("SELECT * FROM synths WHERE {text}")));
            }
        }

        #[test]
        fn a_quoted_text_is_the_text(text in "[^\\x00]{0,40}") {
            let quoted = text.replace('\'', "''");
            let condition = parsed(&format!("nome = '{quoted}'"));
            prop_assert_eq!(condition, Condition::Compare(Field::Column(SynthSort::Nome), Operator::Equal, Literal::Text(text)));
        }
    }
}
