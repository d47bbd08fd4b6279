//! The language in which synths are searched: the part of SQL's `SELECT … FROM synths WHERE …` that reads and compares,
//! parsed into a tree. No text of a search goes any further; adapters make statements of the tree, its values bound.
//!
//! ```text
//! query     = SELECT ( "*" | column { "," column } ) FROM synths [ WHERE condition ] [ ORDER BY order { "," order } ]
//! order     = field [ ASC | DESC ]
//! condition = condition OR condition | condition AND condition | NOT condition | "(" condition ")" | test
//! test      = field ( "=" | "==" | "<>" | "!=" | "<" | "<=" | ">" | ">=" ) literal | literal ( … ) field
//!           | field [ NOT ] LIKE text [ ESCAPE text ] | field [ NOT ] IN "(" literal { "," literal } ")"
//!           | field [ NOT ] BETWEEN literal AND literal | field IS [ NOT ] NULL
//! field     = column | json_extract "(" data "," path ")" | data "->>" path
//! path      = a text such as '$.demografia.idade' or '$."a key"'
//! literal   = 'text' | number | TRUE | FALSE
//! ```
//!
//! It means what it means in SQLite: a test of nothing is neither true nor false; `LIKE` passes over the case of ASCII
//! letters; numbers come before texts; `true` and `false` in a document are 1 and 0; texts are ordered by their bytes. Only
//! these are mended, for documents: an object or an array is like nothing where it is compared, and `LIKE` is for texts.

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
}

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A column; all are texts.
    Column(SynthSort),
    /// What stands in the document under these keys, from the outside in. No key is empty, holds a quotation mark, a
    /// backslash or a control character, or could be the number of an item.
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
    /// A finite number. Columns are compared with its spelling.
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
        let mut parser = Parser::new(text, CONDITION_MAX)?;
        let condition = parser.condition(0)?;
        parser.end()?;
        Ok(Self {
            condition: Some(condition),
            ..Self::default()
        })
    }

    /// What a query asks for.
    pub fn query(text: &str) -> Result<Self, SearchError> {
        let mut parser = Parser::new(text, QUERY_MAX)?;
        let search = parser.query()?;
        parser.end()?;
        Ok(search)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A name or a keyword.
    Word(String),
    /// A name in double quotation marks.
    Name(String),
    Text(String),
    Number(f64, String),
    Sign(&'static str),
}

/// Longer ones before those that they begin with.
const SIGNS: [&str; 14] = [
    "->>", "<=", ">=", "<>", "!=", "==", "<", ">", "=", "(", ")", ",", "*", "-",
];

fn tokens(text: &str) -> Result<Vec<Token>, SearchError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length;
        if first == '\'' || first == '"' {
            let (value, taken) = quoted(rest, first)?;
            tokens.push(if first == '"' {
                Token::Name(value)
            } else {
                Token::Text(value)
            });
            length = taken;
        } else if first.is_ascii_digit() || first == '.' {
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

/// The text between quotation marks, of which two stand for one, and how many bytes that took.
fn quoted(text: &str, mark: char) -> Result<(String, usize), SearchError> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character == '\0' {
            return refuse("a text must not contain the character U+0000");
        }
        if character == mark && characters.next_if(|(_, next)| *next == mark).is_none() {
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
    tests: usize,
}

/// One side of a comparison.
enum Operand {
    Field(Field),
    Literal(Literal),
}

impl Parser {
    fn new(text: &str, max: usize) -> Result<Self, SearchError> {
        if text.chars().count() > max {
            return refuse(format!("it may have at most {max} characters"));
        }
        Ok(Self {
            tokens: tokens(text)?.into_iter().peekable(),
            tests: 0,
        })
    }

    fn word(&mut self, word: &str) -> bool {
        let is_word = |token: &Token| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word));
        self.tokens.next_if(is_word).is_some()
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
            Some(Token::Word(found) | Token::Name(found)) => {
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
        let mut columns = Vec::new();
        if !self.sign("*") {
            loop {
                columns.push(self.column()?);
                if !self.sign(",") {
                    break;
                }
            }
        }
        self.expect_word("FROM")?;
        self.expect_word("synths")?;
        let condition = if self.word("WHERE") {
            Some(self.condition(0)?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.word("ORDER") {
            self.expect_word("BY")?;
            loop {
                let field = self.field()?;
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
            Operand::Literal(literal) => {
                let Some(operator) = self.operator() else {
                    return self.unexpected("a comparison");
                };
                let field = self.compared_field()?;
                return Ok(Condition::Compare(field, operator.turned(), literal));
            }
        };
        if self.word("IS") {
            let negative = self.word("NOT");
            self.expect_word("NULL")?;
            return Ok(negate_if(negative, Condition::IsNull(field)));
        }
        compared(&field)?;
        if let Some(operator) = self.operator() {
            return Ok(Condition::Compare(field, operator, self.literal()?));
        }
        let negative = self.word("NOT");
        let test = if self.word("LIKE") {
            Condition::Like(field, self.pattern()?)
        } else if self.word("IN") {
            self.expect_sign("(")?;
            let mut any = Vec::new();
            loop {
                any.push(Condition::Compare(
                    field.clone(),
                    Operator::Equal,
                    self.literal()?,
                ));
                self.count_test()?;
                if !self.sign(",") {
                    break;
                }
            }
            self.expect_sign(")")?;
            one_or(any, Condition::Any)
        } else if self.word("BETWEEN") {
            let low = Condition::Compare(field.clone(), Operator::AtLeast, self.literal()?);
            self.expect_word("AND")?;
            let high = Condition::Compare(field, Operator::AtMost, self.literal()?);
            Condition::All(vec![low, high])
        } else {
            return self.unexpected("a comparison");
        };
        Ok(negate_if(negative, test))
    }

    fn pattern(&mut self) -> Result<Pattern, SearchError> {
        let Some(Token::Text(text)) = self.tokens.next_if(|token| matches!(token, Token::Text(_))) else {
            return self.unexpected("a text in single quotation marks");
        };
        let mut escape = None;
        if self.word("ESCAPE") {
            let Some(Token::Text(mark)) = self.tokens.next_if(|token| matches!(token, Token::Text(_))) else {
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
            Some(Token::Text(_) | Token::Number(..) | Token::Sign("-")) => {
                self.literal().map(Operand::Literal)
            }
            Some(Token::Word(word)) if is_truth(word) => self.literal().map(Operand::Literal),
            _ => self.field().map(Operand::Field),
        }
    }

    fn literal(&mut self) -> Result<Literal, SearchError> {
        if self.sign("-") {
            return match self.tokens.next() {
                Some(Token::Number(number, spelling)) => Ok(Literal::Number(-number, format!("-{spelling}"))),
                _ => refuse("expected a number behind -"),
            };
        }
        match self
            .tokens
            .next_if(|token| matches!(token, Token::Text(_) | Token::Number(..) | Token::Word(_)))
        {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Number(number, spelling)) => Ok(Literal::Number(number, spelling)),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("TRUE") => {
                Ok(Literal::Number(1.0, "1".to_owned()))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("FALSE") => {
                Ok(Literal::Number(0.0, "0".to_owned()))
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("NULL") => {
                refuse("nothing compares with NULL; IS NULL and IS NOT NULL test for it")
            }
            Some(Token::Word(word)) => refuse(format!(
                "expected a text in single quotation marks or a number, found {word}"
            )),
            _ => self.unexpected("a text in single quotation marks or a number"),
        }
    }

    fn compared_field(&mut self) -> Result<Field, SearchError> {
        let field = self.field()?;
        compared(&field)?;
        Ok(field)
    }

    fn field(&mut self) -> Result<Field, SearchError> {
        if self.word("json_extract") {
            self.expect_sign("(")?;
            self.expect_word("data")?;
            self.expect_sign(",")?;
            let path = self.path()?;
            self.expect_sign(")")?;
            return Ok(Field::Data(path));
        }
        if self.word("data") {
            self.expect_sign("->>")?;
            return Ok(Field::Data(self.path()?));
        }
        self.column().map(Field::Column)
    }

    fn column(&mut self) -> Result<SynthSort, SearchError> {
        let is_name = |token: &Token| matches!(token, Token::Word(_) | Token::Name(_));
        let Some(Token::Word(name) | Token::Name(name)) = self.tokens.next_if(is_name) else {
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

fn is_truth(word: &str) -> bool {
    word.eq_ignore_ascii_case("TRUE") || word.eq_ignore_ascii_case("FALSE")
}

/// Times are stored in several forms, which a text does not compare with.
fn compared(field: &Field) -> Result<(), SearchError> {
    if *field == Field::Column(SynthSort::CreatedAt) {
        return refuse("created_at cannot be compared; ORDER BY created_at orders by it");
    }
    Ok(())
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
            Condition::Compare(age.clone(), Operator::AtMost, number(-150.0, "-1.5e2"))
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
                "nome = NULL",
                "nothing compares with NULL; IS NULL and IS NOT NULL test for it",
            ),
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
        assert!(refused(&"x".repeat(1001)).contains("1000 characters"));
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
        assert!(SynthSearch::query("DELETE FROM synths").is_err());
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
