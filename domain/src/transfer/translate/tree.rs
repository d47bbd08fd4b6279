//! An expression of SQLite as a tree.

use super::Untranslatable;
use super::token::{Token, tokens};

/// How deep a tree and the parentheses of its text may nest. People write expressions of ten levels; the translation is
/// recursive.
const DEPTH_MAX: usize = 50;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expr {
    pub(super) node: Node,
    depth: usize,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    /// A name; in double quotes it is a string if no column has it.
    Name {
        name: String,
        double_quoted: bool,
    },
    /// `CURRENT_TIMESTAMP`, `CURRENT_DATE`, `CURRENT_TIME`, in upper case.
    Clock(String),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Like {
        not: bool,
        glob: bool,
        text: Box<Expr>,
        pattern: Box<Expr>,
        escape: Option<Box<Expr>>,
    },
    Between {
        not: bool,
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    In {
        not: bool,
        value: Box<Expr>,
        list: Vec<Expr>,
    },
    Case {
        base: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast(Box<Expr>, String),
    Collate(Box<Expr>, String),
    /// A function, its name in lower case.
    Call(String, Vec<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Minus,
    Plus,
    BitNot,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Is,
    IsNot,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    BitAnd,
    BitOr,
    ShiftLeft,
    ShiftRight,
    Concat,
}

impl Binary {
    /// Whether it is a comparison.
    pub(super) fn compares(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::Unequal
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
                | Self::Is
                | Self::IsNot
        )
    }

    /// As both databases write it, for those that both have.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Is => "IS NOT DISTINCT FROM",
            Self::IsNot => "IS DISTINCT FROM",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Concat => "||",
        }
    }
}

impl Expr {
    fn new(node: Node) -> Result<Self, Untranslatable> {
        let mut expr = Self { node, depth: 0 };
        expr.depth = 1 + expr.children().iter().map(|child| child.depth).max().unwrap_or(0);
        if expr.depth > DEPTH_MAX {
            return Err(too_deep());
        }
        Ok(expr)
    }

    /// The expressions it is made of.
    pub(super) fn children(&self) -> Vec<&Self> {
        match &self.node {
            Node::Null
            | Node::Integer(_)
            | Node::Real(_)
            | Node::Text(_)
            | Node::Blob(_)
            | Node::Name { .. }
            | Node::Clock(_) => vec![],
            Node::Unary(_, one) | Node::Cast(one, _) | Node::Collate(one, _) => vec![one],
            Node::Binary(_, one, other) => vec![one, other],
            Node::And(all) | Node::Or(all) | Node::Call(_, all) => all.iter().collect(),
            Node::Like {
                text,
                pattern,
                escape,
                ..
            } => {
                let mut all: Vec<&Self> = vec![text, pattern];
                all.extend(escape.as_deref());
                all
            }
            Node::Between { value, low, high, .. } => vec![value, low, high],
            Node::In { value, list, .. } => std::iter::once(&**value).chain(list).collect(),
            Node::Case {
                base,
                arms,
                otherwise,
            } => {
                let arms = arms.iter().flat_map(|(when, then)| [when, then]);
                let ends = base.as_deref().into_iter().chain(otherwise.as_deref());
                arms.chain(ends).collect()
            }
        }
    }

    /// Whether it compares or looks into text, if what it is made of is text.
    pub(super) fn may_need_collation(&self) -> bool {
        match &self.node {
            Node::Call(..) | Node::Like { .. } | Node::Between { .. } | Node::In { .. } => true,
            Node::Case { base, .. } => base.is_some(),
            Node::Binary(operator, ..) => operator.compares(),
            _ => false,
        }
    }

    /// Whether COLLATE is written anywhere in it.
    pub(super) fn collates(&self) -> bool {
        matches!(self.node, Node::Collate(..)) || self.children().iter().any(|child| child.collates())
    }
}

fn too_deep() -> Untranslatable {
    Untranslatable(format!("it nests deeper than {DEPTH_MAX} levels"))
}

/// Reads an expression.
pub(super) fn parse(sql: &str) -> Result<Expr, Untranslatable> {
    let mut parser = Parser {
        tokens: tokens(sql),
        at: 0,
        nesting: 0,
    };
    let expr = parser.expression(Power::Or)?;
    match parser.tokens.get(parser.at) {
        None => Ok(expr),
        Some(rest) => Err(unexpected(*rest)),
    }
}

/// How strongly operators bind, weakest first, as in SQLite's grammar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Power {
    Or,
    And,
    Not,
    Equality,
    Order,
    Bits,
    Sum,
    Product,
    Concat,
    Collate,
    Sign,
}

impl Power {
    /// The next stronger one: what may stand to the right of an operator that groups to the left.
    fn above(self) -> Self {
        match self {
            Self::Or => Self::And,
            Self::And => Self::Not,
            Self::Not => Self::Equality,
            Self::Equality => Self::Order,
            Self::Order => Self::Bits,
            Self::Bits => Self::Sum,
            Self::Sum => Self::Product,
            Self::Product => Self::Concat,
            Self::Concat => Self::Collate,
            Self::Collate | Self::Sign => Self::Sign,
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    nesting: usize,
}

/// Words that are never a name without quotes, of those that an expression can hold.
pub(super) const RESERVED: [&str; 22] = [
    "AND", "AS", "BETWEEN", "CASE", "COLLATE", "DISTINCT", "ELSE", "ESCAPE", "EXISTS", "FROM", "IN", "IS",
    "ISNULL", "NOT", "NOTNULL", "NULL", "OR", "SELECT", "THEN", "VALUES", "WHEN", "WHERE",
];

fn unexpected(token: Token<'_>) -> Untranslatable {
    Untranslatable(format!("it has {} where it was not expected", shown(token.text)))
}

/// Text of the expression in a message: whole if it is short.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl<'a> Parser<'a> {
    fn peek(&self, word: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is(word))
    }

    fn peek_second(&self, word: &str) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|token| token.is(word))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek(word);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<Token<'a>, Untranslatable> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token.ok_or_else(|| Untranslatable("it ends in the middle".to_owned()))
    }

    fn expect(&mut self, word: &str) -> Result<(), Untranslatable> {
        let token = self.next()?;
        if token.is(word) {
            Ok(())
        } else {
            Err(unexpected(token))
        }
    }

    /// An expression of operators that bind at least so strongly.
    fn expression(&mut self, power: Power) -> Result<Expr, Untranslatable> {
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(too_deep());
        }
        let mut left = self.operand()?;
        loop {
            let before = self.at;
            left = self.operator(left, power)?;
            if self.at == before {
                break;
            }
        }
        self.nesting -= 1;
        Ok(left)
    }

    /// `left` with the operator that follows, if that binds strongly enough.
    fn operator(&mut self, left: Expr, power: Power) -> Result<Expr, Untranslatable> {
        let Some(&token) = self.tokens.get(self.at) else {
            return Ok(left);
        };
        if let Some((operator, strength)) = binary(token) {
            if strength < power {
                return Ok(left);
            }
            self.at += 1;
            let right = self.expression(strength.above())?;
            return Expr::new(Node::Binary(operator, Box::new(left), Box::new(right)));
        }
        if token.is("AND") && power <= Power::And {
            self.at += 1;
            let right = self.expression(Power::Not)?;
            return Expr::new(Node::And(joined(left, right, |node| match node {
                Node::And(all) => Ok(all),
                other => Err(other),
            })));
        }
        if token.is("OR") && power <= Power::Or {
            self.at += 1;
            let right = self.expression(Power::And)?;
            return Expr::new(Node::Or(joined(left, right, |node| match node {
                Node::Or(all) => Ok(all),
                other => Err(other),
            })));
        }
        if token.is("COLLATE") && power <= Power::Collate {
            self.at += 1;
            let name = self.next()?.name();
            return Expr::new(Node::Collate(Box::new(left), name));
        }
        if token.is("->") || token.is("->>") {
            return Err(Untranslatable(format!(
                "{} has no equal for SQLite's typed JSON values",
                token.text
            )));
        }
        if power <= Power::Equality {
            return self.test(left);
        }
        Ok(left)
    }

    /// The tests that are words: IS, IN, LIKE, BETWEEN and their kin.
    fn test(&mut self, left: Expr) -> Result<Expr, Untranslatable> {
        if self.take("ISNULL") {
            return null_test(Binary::Is, left);
        }
        if self.take("NOTNULL") {
            return null_test(Binary::IsNot, left);
        }
        if self.take("IS") {
            let mut not = self.take("NOT");
            if self.peek("DISTINCT") && self.peek_second("FROM") {
                self.at += 2;
                not = !not;
            }
            let right = self.expression(Power::Order)?;
            let operator = if not { Binary::IsNot } else { Binary::Is };
            return Expr::new(Node::Binary(operator, Box::new(left), Box::new(right)));
        }
        let not = self.peek("NOT")
            && ["NULL", "LIKE", "GLOB", "IN", "BETWEEN", "MATCH", "REGEXP"]
                .iter()
                .any(|word| self.peek_second(word));
        self.at += usize::from(not);
        if not && self.take("NULL") {
            return null_test(Binary::IsNot, left);
        }
        if self.peek("MATCH") || self.peek("REGEXP") {
            let word = self.next()?.text.to_ascii_uppercase();
            return Err(Untranslatable(format!(
                "{word} means what the application that wrote it defines"
            )));
        }
        if self.peek("LIKE") || self.peek("GLOB") {
            let glob = self.next()?.is("GLOB");
            let pattern = self.expression(Power::Order)?;
            let escape = if self.take("ESCAPE") {
                Some(Box::new(self.expression(Power::Order)?))
            } else {
                None
            };
            return Expr::new(Node::Like {
                not,
                glob,
                text: Box::new(left),
                pattern: Box::new(pattern),
                escape,
            });
        }
        if self.take("BETWEEN") {
            let low = Box::new(self.expression(Power::Order)?);
            self.expect("AND")?;
            let high = Box::new(self.expression(Power::Order)?);
            return Expr::new(Node::Between {
                not,
                value: Box::new(left),
                low,
                high,
            });
        }
        if self.take("IN") {
            self.expect("(")?;
            if self.peek("SELECT") || self.peek("WITH") || self.peek("VALUES") {
                return Err(subquery());
            }
            return Expr::new(Node::In {
                not,
                value: Box::new(left),
                list: self.list()?,
            });
        }
        Ok(left)
    }

    /// What stands between operators.
    fn operand(&mut self) -> Result<Expr, Untranslatable> {
        let token = self.next()?;
        if token.is("(") {
            if self.peek("SELECT") || self.peek("WITH") || self.peek("VALUES") {
                return Err(subquery());
            }
            let inner = self.expression(Power::Or)?;
            if self.peek(",") {
                return Err(Untranslatable("it compares rows of values".to_owned()));
            }
            self.expect(")")?;
            return Ok(inner);
        }
        if token.is("NOT") {
            if self.peek("EXISTS") {
                return Err(subquery());
            }
            let inner = self.expression(Power::Not)?;
            return Expr::new(Node::Unary(Unary::Not, Box::new(inner)));
        }
        if token.is("-") {
            return self.negative();
        }
        if token.is("+") || token.is("~") {
            let operator = if token.is("+") { Unary::Plus } else { Unary::BitNot };
            let inner = self.expression(Power::Sign)?;
            return Expr::new(Node::Unary(operator, Box::new(inner)));
        }
        if token.is_number() {
            return Expr::new(number(token.text)?);
        }
        if token.is_blob() {
            return Expr::new(Node::Blob(blob(token.text)?));
        }
        if token.first() == b'\'' {
            return Expr::new(Node::Text(token.name()));
        }
        if token.is_quoted_name() || token.is_word() {
            return self.word(token);
        }
        Err(match token.first() {
            b'?' | b':' | b'@' | b'#' => Untranslatable("it has a parameter".to_owned()),
            _ => unexpected(token),
        })
    }

    /// A minus sign and what follows. Of a number it is a part: -9223372036854775808 is an integer, 9223372036854775808 is none.
    fn negative(&mut self) -> Result<Expr, Untranslatable> {
        if self
            .tokens
            .get(self.at)
            .is_some_and(|token| token.text == "9223372036854775808")
        {
            self.at += 1;
            return Expr::new(Node::Integer(i64::MIN));
        }
        let inner = self.expression(Power::Sign)?;
        match inner.node {
            Node::Integer(n) if n != i64::MIN => Expr::new(Node::Integer(-n)),
            Node::Real(n) => Expr::new(Node::Real(-n)),
            _ => Expr::new(Node::Unary(Unary::Minus, Box::new(inner))),
        }
    }

    /// A keyword with what belongs to it, a function, or a name.
    fn word(&mut self, token: Token<'a>) -> Result<Expr, Untranslatable> {
        if token.is("CASE") {
            return self.case();
        }
        if token.is("CAST") && self.take("(") {
            let inner = self.expression(Power::Or)?;
            self.expect("AS")?;
            let mut declared = String::new();
            let mut open = 0_usize;
            loop {
                let part = self.next()?;
                if part.is(")") && open == 0 {
                    break;
                }
                open = open + usize::from(part.is("(")) - usize::from(part.is(")"));
                declared.push_str(&part.name());
                declared.push(' ');
            }
            return Expr::new(Node::Cast(Box::new(inner), declared.trim_end().to_owned()));
        }
        if token.is("NULL") {
            return Expr::new(Node::Null);
        }
        if token.is("EXISTS") || token.is("SELECT") {
            return Err(subquery());
        }
        if token.is("RAISE") {
            return Err(Untranslatable("RAISE belongs to triggers".to_owned()));
        }
        if RESERVED.iter().any(|word| token.is(word)) {
            return Err(unexpected(token));
        }
        if ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"]
            .iter()
            .any(|word| token.is(word))
        {
            return Expr::new(Node::Clock(token.text.to_ascii_uppercase()));
        }
        if self.take("(") {
            let name = token.name().to_ascii_lowercase();
            if self.peek("DISTINCT") || self.peek("*") {
                return Err(Untranslatable(format!(
                    "{}() is an aggregate function",
                    shown(&name)
                )));
            }
            let arguments = self.list()?;
            if self.peek("FILTER") || self.peek("OVER") {
                return Err(Untranslatable(format!(
                    "{}() is an aggregate function",
                    shown(&name)
                )));
            }
            return Expr::new(Node::Call(name, arguments));
        }
        let mut last = token;
        while self.take(".") {
            last = self.next()?;
            if !last.is_quoted_name() && !last.is_word() {
                return Err(unexpected(last));
            }
        }
        Expr::new(Node::Name {
            name: last.name(),
            // Behind a dot it can only be a column.
            double_quoted: last.first() == b'"' && last.start == token.start,
        })
    }

    fn case(&mut self) -> Result<Expr, Untranslatable> {
        let base = if self.peek("WHEN") {
            None
        } else {
            Some(Box::new(self.expression(Power::Or)?))
        };
        let mut arms = Vec::new();
        while self.take("WHEN") {
            let when = self.expression(Power::Or)?;
            self.expect("THEN")?;
            arms.push((when, self.expression(Power::Or)?));
        }
        let otherwise = if self.take("ELSE") {
            Some(Box::new(self.expression(Power::Or)?))
        } else {
            None
        };
        self.expect("END")?;
        Expr::new(Node::Case {
            base,
            arms,
            otherwise,
        })
    }

    /// Expressions up to the closing parenthesis; the opening one is taken.
    fn list(&mut self) -> Result<Vec<Expr>, Untranslatable> {
        let mut list = Vec::new();
        if self.take(")") {
            return Ok(list);
        }
        loop {
            list.push(self.expression(Power::Or)?);
            let token = self.next()?;
            if token.is(")") {
                return Ok(list);
            }
            if !token.is(",") {
                return Err(unexpected(token));
            }
        }
    }
}

fn subquery() -> Untranslatable {
    Untranslatable("it has a subquery".to_owned())
}

fn null_test(operator: Binary, left: Expr) -> Result<Expr, Untranslatable> {
    Expr::new(Node::Binary(
        operator,
        Box::new(left),
        Box::new(Expr::new(Node::Null)?),
    ))
}

/// Chains of AND and OR are one node, or a long one would be a deep tree.
fn joined(left: Expr, right: Expr, open: impl Fn(Node) -> Result<Vec<Expr>, Node>) -> Vec<Expr> {
    let depth = left.depth;
    let mut all = open(left.node).unwrap_or_else(|node| vec![Expr { node, depth }]);
    all.push(right);
    all
}

fn binary(token: Token<'_>) -> Option<(Binary, Power)> {
    Some(match token.text {
        "=" | "==" => (Binary::Equal, Power::Equality),
        "<>" | "!=" => (Binary::Unequal, Power::Equality),
        "<" => (Binary::Less, Power::Order),
        "<=" => (Binary::LessOrEqual, Power::Order),
        ">" => (Binary::Greater, Power::Order),
        ">=" => (Binary::GreaterOrEqual, Power::Order),
        "&" => (Binary::BitAnd, Power::Bits),
        "|" => (Binary::BitOr, Power::Bits),
        "<<" => (Binary::ShiftLeft, Power::Bits),
        ">>" => (Binary::ShiftRight, Power::Bits),
        "+" => (Binary::Add, Power::Sum),
        "-" => (Binary::Subtract, Power::Sum),
        "*" => (Binary::Multiply, Power::Product),
        "/" => (Binary::Divide, Power::Product),
        "%" => (Binary::Remainder, Power::Product),
        "||" => (Binary::Concat, Power::Concat),
        _ => return None,
    })
}

/// A number as SQLite reads it: an integer if it is written as one and fits 64 bits, else a real.
fn number(text: &str) -> Result<Node, Untranslatable> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    if let Some(digits) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        // Sixteen digits are the bits of an integer, sign included.
        return u64::from_str_radix(digits, 16)
            .map(|bits| Node::Integer(bits.cast_signed()))
            .map_err(|_| Untranslatable(format!("{} is no number", shown(text))));
    }
    if plain.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(n) = plain.parse()
    {
        return Ok(Node::Integer(n));
    }
    real(&plain).map(Node::Real).ok_or_else(|| {
        Untranslatable(format!(
            "SQLite may read {} as one of several doubles",
            shown(text)
        ))
    })
}

/// A real that SQLite and Rust surely read as the same double: few digits and a small power of ten, a whole number of up to 19
/// digits, or so large that it is infinite.
pub(super) fn real(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches(['+', '-', '0']);
    let power = exponent - i64::try_from(fraction.len()).ok()?;
    let plain = digits.len() <= 15 && (-22..=22).contains(&power);
    let integer = digits.len() <= 19 && power == 0;
    let infinite = value.is_infinite() && power > 400 && digits.len() <= 19;
    (plain || integer || infinite).then_some(value)
}

fn blob(text: &str) -> Result<Vec<u8>, Untranslatable> {
    let broken = || Untranslatable(format!("{} is no blob", shown(text)));
    let digits = text.get(2..text.len().saturating_sub(1)).ok_or_else(broken)?;
    let nibbles: Option<Vec<u32>> = digits.chars().map(|c| c.to_digit(16)).collect();
    let nibbles = nibbles.filter(|n| n.len() % 2 == 0).ok_or_else(broken)?;
    let bytes = nibbles.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]));
    bytes.collect::<Result<_, _>>().map_err(|_| broken())
}
