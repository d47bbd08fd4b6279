//! Expressions of PostgreSQL that are known to mean what an expression of SQLite means, and how they are compared.

pub(super) use super::Constant;
use super::tree::{Binary, real, shown};
use super::{ExprColumn, Untranslatable};
use crate::transfer::catalog::{Affinity, PgKind};
use crate::transfer::name::quoted;

/// Each step at most doubles or trebles its operands; what grows past this is not carried.
const SQL_MAX: usize = 1 << 20;
/// Up to here every integer is a double, and PostgreSQL's comparison of the two kinds is exact.
const DOUBLE_EXACT: i64 = 1 << 53;

const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";

pub(super) type Result<T> = std::result::Result<T, Untranslatable>;

/// What the values of an expression are: in SQLite a storage class, in PostgreSQL a type that holds just those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// NULL and nothing else.
    Null,
    /// Integers 0 and 1; boolean.
    Bool,
    /// Integers of this range; bigint if `wide`, else a smaller type.
    Integer { low: i64, high: i64, wide: bool },
    /// Reals; double precision. Infinity may be among them unless `finite`.
    Real { finite: bool },
    /// Integers and reals; double precision that holds each of them exactly.
    Number,
    /// Integers and reals; numeric that holds the shortest decimal of each real.
    Decimal,
    /// Text; text.
    Text,
    /// Blobs; bytea.
    Blob,
    /// Text `YYYY-MM-DD`; date.
    Date,
    /// Text of a UUID as PostgreSQL writes it; uuid.
    Uuid,
    /// Anything whose form in SQLite the type does not tell.
    Other(PgKind),
}

impl Class {
    pub(super) const BIGINT: Self = Self::Integer {
        low: i64::MIN,
        high: i64::MAX,
        wide: true,
    };

    /// Of texts and blobs, and places in them.
    pub(super) const LENGTH: Self = Self::Integer {
        low: 0,
        high: 1 << 30,
        wide: false,
    };

    /// Integers of a small range, in PostgreSQL `integer`.
    pub(super) fn small(low: i32, high: i32) -> Self {
        Self::Integer {
            low: low.into(),
            high: high.into(),
            wide: false,
        }
    }

    fn of(column: &ExprColumn) -> Self {
        // A TEXT column holds no number, so whatever is a number or a boolean in PostgreSQL is text in some form.
        let numbers = column.affinity != Affinity::Text;
        let small = |low: i16, high: i16| Self::small(low.into(), high.into());
        match column.kind {
            PgKind::Bool if numbers => Self::Bool,
            PgKind::Int2 if numbers => small(i16::MIN, i16::MAX),
            PgKind::Int4 if numbers => Self::small(i32::MIN, i32::MAX),
            PgKind::Int8 if numbers => Self::BIGINT,
            PgKind::Float8 if column.affinity == Affinity::Real => Self::Real { finite: false },
            PgKind::Float8 if numbers => Self::Number,
            // Without an affinity the digits of a numeric may have been text.
            PgKind::Numeric(None) if matches!(column.affinity, Affinity::Integer | Affinity::Numeric) => {
                Self::Decimal
            }
            PgKind::Text | PgKind::Varchar(_) => Self::Text,
            PgKind::Bytea => Self::Blob,
            PgKind::Date => Self::Date,
            PgKind::Uuid => Self::Uuid,
            kind => Self::Other(kind),
        }
    }

    /// In words of SQLite.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool => "a boolean",
            Self::Integer { .. } => "an integer",
            Self::Real { .. } => "a real",
            Self::Number => "a number",
            Self::Decimal => "a decimal number",
            Self::Text => "text",
            Self::Blob => "a blob",
            Self::Date => "a date",
            Self::Uuid => "a UUID",
            Self::Other(PgKind::Json | PgKind::Jsonb) => "JSON",
            Self::Other(PgKind::Timestamp(_) | PgKind::Timestamptz(_) | PgKind::Time(_)) => "a time",
            Self::Other(_) => "a value whose class or spelling its type does not tell",
        }
    }
}

/// SQLite's built-in collations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collation {
    Binary,
    NoCase,
    RightTrim,
}

impl Collation {
    pub(super) fn of(name: &str) -> Result<Self> {
        match name.to_ascii_uppercase().as_str() {
            "BINARY" => Ok(Self::Binary),
            "NOCASE" => Ok(Self::NoCase),
            "RTRIM" => Ok(Self::RightTrim),
            _ => Err(Untranslatable(format!(
                "the collation {} is the application's own",
                shown(name)
            ))),
        }
    }

    fn folded_text(self, text: &str) -> String {
        match self {
            Self::Binary => text.to_owned(),
            Self::NoCase => text.to_ascii_lowercase(),
            Self::RightTrim => text.trim_end_matches(' ').to_owned(),
        }
    }

    /// Text that is bytewise equal (and ordered) where `sql` is by this collation.
    fn folded(self, typed: &Typed) -> String {
        match (self, &typed.constant) {
            (Self::Binary, _) => typed.sql.clone(),
            (_, Some(Constant::Text(text))) => text_literal(&self.folded_text(text)),
            (Self::NoCase, _) => lower(&typed.sql),
            (Self::RightTrim, _) => format!("rtrim({}, ' ')", typed.sql),
        }
    }
}

/// Text with A to Z as a to z and nothing else changed, as SQLite's `lower` has it.
pub(super) fn lower(sql: &str) -> String {
    format!("translate({sql}, '{UPPER}', '{LOWER}')")
}

/// The same upwards.
pub(super) fn upper(sql: &str) -> String {
    format!("translate({sql}, '{LOWER}', '{UPPER}')")
}

/// An expression of PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    /// Its SQL.
    pub(super) sql: String,
    /// Whether the SQL needs no parentheses wherever it stands.
    pub(super) atom: bool,
    pub(super) class: Class,
    pub(super) nullable: bool,
    /// SQLite's, if it has one: columns and casts do.
    pub(super) affinity: Option<Affinity>,
    /// SQLite's, if it has one, and whether it is written (or comes from a column).
    pub(super) collation: Option<(Collation, bool)>,
    pub(super) constant: Option<Constant>,
    /// Whether its text takes PostgreSQL's collation "C" from a column.
    pub(super) bytewise: bool,
}

impl Typed {
    /// SQL that needs no parentheses: a function call, a keyword, a literal.
    pub(super) fn atom(sql: String, class: Class, nullable: bool) -> Self {
        Self {
            sql,
            atom: true,
            class,
            nullable,
            affinity: None,
            collation: None,
            constant: None,
            bytewise: false,
        }
    }

    /// SQL of operators.
    pub(super) fn compound(sql: String, class: Class, nullable: bool) -> Self {
        Self {
            atom: false,
            ..Self::atom(sql, class, nullable)
        }
    }

    pub(super) fn null() -> Self {
        Self::atom("NULL".to_owned(), Class::Null, true)
    }

    pub(super) fn integer(n: i64) -> Self {
        // PostgreSQL reads the sign apart from the number, which would be too large.
        let sql = if n == i64::MIN {
            format!("'{n}'::bigint")
        } else {
            n.to_string()
        };
        let class = Class::Integer {
            low: n,
            high: n,
            wide: i32::try_from(n).is_err(),
        };
        Self {
            atom: n >= 0 || n == i64::MIN,
            constant: Some(Constant::Integer(n)),
            ..Self::atom(sql, class, false)
        }
    }

    pub(super) fn real(n: f64) -> Self {
        let class = Class::Real {
            finite: n.is_finite() && n != 0.0,
        };
        Self {
            constant: Some(Constant::Real(n)),
            ..Self::atom(format!("'{}'::double precision", real_digits(n)), class, false)
        }
    }

    pub(super) fn text(text: &str) -> Self {
        Self {
            constant: Some(Constant::Text(text.to_owned())),
            ..Self::atom(text_literal(text), Class::Text, false)
        }
    }

    pub(super) fn blob(bytes: &[u8]) -> Self {
        let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits: String = nibbles
            .filter_map(|nibble| char::from_digit(nibble.into(), 16))
            .collect();
        Self::atom(format!("decode('{digits}', 'hex')"), Class::Blob, false)
    }

    pub(super) fn column(column: &ExprColumn) -> Result<Self> {
        if column.null_is_text {
            return Err(Untranslatable(format!(
                "NULL stands for a text in {}, as asked for",
                shown(&column.source)
            )));
        }
        let collation = Collation::of(column.collation.as_deref().unwrap_or("BINARY"))?;
        let sql = column.computed.clone().unwrap_or_else(|| quoted(&column.target));
        let column = Self {
            affinity: Some(column.affinity),
            collation: Some((collation, false)),
            bytewise: true,
            ..Self::atom(sql, Class::of(column), !column.not_null)
        };
        column.bounded()
    }

    /// As an operand of an operator.
    pub(super) fn operand(&self) -> String {
        if self.atom || self.constant.is_some() {
            self.sql.clone()
        } else {
            format!("({})", self.sql)
        }
    }

    /// Where a negative number needs parentheses too: under a cast or another sign.
    pub(super) fn closed(&self) -> String {
        if self.atom {
            self.sql.clone()
        } else {
            format!("({})", self.sql)
        }
    }

    /// Without affinity and collation: what an expression is to a function, or behind IN.
    pub(super) fn bare(self) -> Self {
        Self {
            affinity: None,
            collation: None,
            ..self
        }
    }

    /// Refused if it has grown out of all proportion.
    pub(super) fn bounded(self) -> Result<Self> {
        if self.sql.len() > SQL_MAX {
            return Err(Untranslatable("it would be too long in PostgreSQL".to_owned()));
        }
        Ok(self)
    }

    /// Its truth: in SQLite every number but zero is true.
    pub(super) fn truth(&self) -> Result<Self> {
        if let Some(constant) = &self.constant {
            let truth = match constant {
                Constant::Integer(n) => *n != 0,
                Constant::Real(n) => *n != 0.0,
                Constant::Text(_) => return Err(self.refused("as a condition")),
            };
            return Ok(Self::atom(truth.to_string().to_uppercase(), Class::Bool, false));
        }
        match self.class {
            Class::Bool => Ok(self.clone()),
            Class::Null => Ok(Self::atom("NULL::boolean".to_owned(), Class::Bool, true)),
            Class::Integer { .. } | Class::Real { .. } | Class::Number | Class::Decimal => Ok(
                Self::compound(format!("{} <> 0", self.operand()), Class::Bool, self.nullable),
            ),
            _ => Err(self.refused("as a condition")),
        }
    }

    /// A boolean as the number that it is in SQLite; everything else as it is.
    pub(super) fn numeral(self) -> Self {
        match self.class {
            Class::Bool => Self {
                affinity: self.affinity,
                ..Self::atom(
                    format!("{}::integer", self.closed()),
                    Class::small(0, 1),
                    self.nullable,
                )
            },
            _ => self,
        }
    }

    /// The text that SQLite makes of it.
    pub(super) fn texted(self) -> Result<Self> {
        let this = self.numeral();
        match (&this.constant, this.class) {
            (_, Class::Text) => Ok(this),
            (_, Class::Null) => Ok(Self::atom("NULL::text".to_owned(), Class::Text, true)),
            (Some(Constant::Integer(n)), _) => Ok(Self::text(&n.to_string())),
            (_, Class::Integer { .. }) => Ok(Self::atom(
                format!("{}::text", this.closed()),
                Class::Text,
                this.nullable,
            )),
            _ => Err(this.refused("as text")),
        }
    }

    /// As an argument whose type PostgreSQL must not guess.
    pub(super) fn text_argument(self) -> Result<Self> {
        let this = self.texted()?;
        let sql = if this.constant.is_some() {
            format!("{}::text", this.sql)
        } else {
            this.sql.clone()
        };
        Ok(Self { sql, ..this })
    }

    /// As double precision, where that is exact or what SQLite does itself.
    pub(super) fn as_double(&self) -> String {
        match (&self.constant, self.class) {
            (_, Class::Real { .. } | Class::Number) => self.operand(),
            _ => format!("{}::double precision", self.closed()),
        }
    }

    fn refused(&self, how: &str) -> Untranslatable {
        let name = match &self.constant {
            None if self.sql.starts_with('"') && self.affinity.is_some() => {
                format!("{}, {},", shown(&self.sql), self.class.words())
            }
            _ => self.class.words().to_owned(),
        };
        Untranslatable(format!("{name} is used {how}"))
    }
}

/// A string that means the same whatever `standard_conforming_strings` is.
pub(super) fn text_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

fn real_digits(n: f64) -> String {
    if n.is_infinite() {
        format!("{}Infinity", if n < 0.0 { "-" } else { "" })
    } else {
        format!("{n:?}")
    }
}

/// Text as the number that an affinity makes of it; none if it does not look like one, and an error where that is not sure.
pub(super) fn number_in(text: &str) -> Result<Option<Constant>> {
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let looks = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && trimmed.parse::<f64>().is_ok();
    if !looks {
        return Ok(None);
    }
    if let Ok(n) = trimmed.parse() {
        return Ok(Some(Constant::Integer(n)));
    }
    let value = real(trimmed).filter(|n| n.is_finite());
    value.map(|n| Some(Constant::Real(n))).ok_or_else(|| {
        Untranslatable(format!(
            "SQLite may read '{}' as one of several doubles",
            shown(text)
        ))
    })
}

/// Both sides of a comparison, ready to be compared in PostgreSQL.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) left: String,
    pub(super) right: String,
    pub(super) nullable: bool,
}

/// Whether an affinity is one of numbers.
pub(super) fn is_numeric(affinity: Affinity) -> bool {
    !matches!(affinity, Affinity::Text | Affinity::Blob)
}

/// Makes the sides of a comparison alike, as SQLite does before it compares; `ordered` if more than equality counts.
pub(super) fn align(left: &Typed, right: &Typed, ordered: bool) -> Result<Pair> {
    let collation = collation(left, right);
    let (one, other) = (affine(left, right)?, affine(right, left)?);
    let nullable = one.nullable || other.nullable;
    let (left, right) = same_class(one, other, collation, ordered)?;
    Ok(Pair {
        left,
        right,
        nullable,
    })
}

/// The collation of a comparison: a written one first, then that of a column, the left one first.
fn collation(left: &Typed, right: &Typed) -> Collation {
    [left, right]
        .iter()
        .find_map(|side| side.collation.filter(|(_, written)| *written))
        .or(left.collation)
        .or(right.collation)
        .map_or(Collation::Binary, |(collation, _)| collation)
}

/// One side of a comparison after SQLite has applied the affinity that the other side (or both) asks for.
fn affine(this: &Typed, that: &Typed) -> Result<Typed> {
    let numbers = [this, that]
        .iter()
        .any(|side| side.affinity.is_some_and(is_numeric));
    if numbers && this.class == Class::Text {
        return match &this.constant {
            Some(Constant::Text(text)) => Ok(match number_in(text)? {
                Some(Constant::Integer(n)) => Typed::integer(n),
                Some(Constant::Real(n)) => Typed::real(n),
                _ => this.clone(),
            }),
            // Text that is a number is none in such a column.
            None if this.affinity.is_some_and(is_numeric) => Ok(this.clone()),
            _ => Err(Untranslatable(
                "text is compared with a column of numeric affinity, which makes numbers of some texts"
                    .to_owned(),
            )),
        };
    }
    let becomes_text = that.affinity == Some(Affinity::Text) && this.affinity.is_none();
    if becomes_text && !matches!(this.class, Class::Blob | Class::Date | Class::Null) {
        return this.clone().texted();
    }
    Ok(this.clone())
}

fn same_class(left: Typed, right: Typed, collation: Collation, ordered: bool) -> Result<(String, String)> {
    let plain = |left: &Typed, right: &Typed| Ok((left.operand(), right.operand()));
    match (left.class, right.class) {
        (Class::Bool, Class::Bool)
        | (Class::Integer { .. }, Class::Integer { .. })
        | (Class::Blob, Class::Blob)
        | (Class::Date, Class::Date)
        | (Class::Uuid, Class::Uuid) => plain(&left, &right),
        (Class::Bool, _) if bit(&right).is_some() => Ok((left.operand(), truth_word(&right))),
        (_, Class::Bool) if bit(&left).is_some() => Ok((truth_word(&left), right.operand())),
        (Class::Bool, _) => same_class(left.numeral(), right, collation, ordered),
        (_, Class::Bool) => same_class(left, right.numeral(), collation, ordered),
        // PostgreSQL gives a bare decimal the type of the other side.
        (Class::Real { .. } | Class::Number, Class::Real { .. } | Class::Number) => {
            let bare = |side: &Typed, that: &Typed| match side.constant {
                Some(Constant::Real(n)) if n.is_finite() && that.constant.is_none() => format!("{n:?}"),
                _ => side.operand(),
            };
            Ok((bare(&left, &right), bare(&right, &left)))
        }
        (Class::Integer { low, high, .. }, Class::Real { .. } | Class::Number | Class::Decimal)
        | (Class::Real { .. } | Class::Number | Class::Decimal, Class::Integer { low, high, .. })
            if low >= -DOUBLE_EXACT && high <= DOUBLE_EXACT =>
        {
            plain(&left, &right)
        }
        (Class::Integer { .. } | Class::Decimal, Class::Real { .. }) if decimal(&right).is_some() => {
            Ok((left.operand(), decimal(&right).unwrap_or_default()))
        }
        (Class::Real { .. }, Class::Integer { .. } | Class::Decimal) if decimal(&left).is_some() => {
            Ok((decimal(&left).unwrap_or_default(), right.operand()))
        }
        (Class::Text, Class::Text) => {
            let (mut one, other) = (collation.folded(&left), collation.folded(&right));
            if collation == Collation::Binary {
                (one, _) = plain(&left, &right)?;
            }
            let other = if collation == Collation::Binary {
                right.operand()
            } else {
                other
            };
            if ordered && !left.bytewise && !right.bytewise {
                one = format!("{one} COLLATE \"C\"");
            }
            Ok((one, other))
        }
        (Class::Date, Class::Text) if let Some(date) = date_literal(&right) => Ok((left.operand(), date)),
        (Class::Text, Class::Date) if let Some(date) = date_literal(&left) => Ok((date, right.operand())),
        (Class::Uuid, Class::Text) if let Some(uuid) = uuid_literal(&right) => Ok((left.operand(), uuid)),
        (Class::Text, Class::Uuid) if let Some(uuid) = uuid_literal(&left) => Ok((uuid, right.operand())),
        (Class::Other(_), Class::Other(_)) => Err(left.refused("in a comparison")),
        (one, other) => Err(Untranslatable(format!(
            "{} is compared with {}",
            one.words(),
            other.words()
        ))),
    }
}

fn bit(typed: &Typed) -> Option<bool> {
    match typed.constant {
        Some(Constant::Integer(0)) => Some(false),
        Some(Constant::Integer(1)) => Some(true),
        _ => None,
    }
}

fn truth_word(typed: &Typed) -> String {
    if bit(typed) == Some(true) { "TRUE" } else { "FALSE" }.to_owned()
}

/// A real literal as a decimal that lies on the same side of every integer and of the shortest decimal of every real.
fn decimal(typed: &Typed) -> Option<String> {
    match typed.constant {
        Some(Constant::Real(n)) if n.abs() < 9_007_199_254_740_992.0 => {
            Some(if n == 0.0 { "0".to_owned() } else { n.to_string() })
        }
        _ => None,
    }
}

/// A text literal as a date, if it is one that PostgreSQL writes in the same way.
pub(super) fn date_literal(typed: &Typed) -> Option<String> {
    let Some(Constant::Text(text)) = &typed.constant else {
        return None;
    };
    is_date(text).then(|| format!("'{text}'::date"))
}

/// Exactly `YYYY-MM-DD`, a day that exists, year 1 or later.
pub(super) fn is_date(text: &str) -> bool {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shaped && !text.starts_with("0000") && text.parse::<jiff::civil::Date>().is_ok()
}

/// A text literal as a UUID, if it is one that PostgreSQL writes in the same way.
fn uuid_literal(typed: &Typed) -> Option<String> {
    let Some(Constant::Text(text)) = &typed.constant else {
        return None;
    };
    is_uuid(text).then(|| format!("'{text}'::uuid"))
}

/// Lower-case hexadecimal digits with dashes.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// A comparison, as a boolean.
pub(super) fn compare(operator: Binary, left: &Typed, right: &Typed) -> Result<Typed> {
    let is = matches!(operator, Binary::Is | Binary::IsNot);
    let not = matches!(operator, Binary::Unequal | Binary::IsNot);
    if left.class == Class::Null || right.class == Class::Null {
        let other = if left.class == Class::Null { right } else { left };
        if !is {
            return Ok(Typed::atom("NULL::boolean".to_owned(), Class::Bool, true));
        }
        let test = if not { "IS NOT NULL" } else { "IS NULL" };
        return Ok(Typed::compound(
            format!("{} {test}", other.operand()),
            Class::Bool,
            false,
        ));
    }
    let equality = is || matches!(operator, Binary::Equal | Binary::Unequal);
    // `flag = 1` is the flag itself.
    for (flag, literal) in [(left, right), (right, left)] {
        let literal = affine(literal, flag);
        if flag.class == Class::Bool
            && equality
            && let Some(bit) = literal.ok().as_ref().and_then(bit)
        {
            let (positive, operand) = (bit != not, flag.operand());
            return Ok(match (is, positive) {
                (true, _) => Typed::compound(
                    format!(
                        "{operand} IS {}{}",
                        if not { "NOT " } else { "" },
                        if bit { "TRUE" } else { "FALSE" }
                    ),
                    Class::Bool,
                    false,
                ),
                (false, true) => flag.clone().bare(),
                (false, false) => Typed::compound(format!("NOT {operand}"), Class::Bool, flag.nullable),
            });
        }
    }
    // PostgreSQL cannot always tell the collation of two strings.
    if let (Some(Constant::Text(one)), Some(Constant::Text(other))) = (&left.constant, &right.constant) {
        let collation = collation(left, right);
        let order = collation.folded_text(one).cmp(&collation.folded_text(other));
        let holds = match operator {
            Binary::Equal | Binary::Is => order.is_eq(),
            Binary::Unequal | Binary::IsNot => order.is_ne(),
            Binary::Less => order.is_lt(),
            Binary::LessOrEqual => order.is_le(),
            Binary::Greater => order.is_gt(),
            _ => order.is_ge(),
        };
        // A cast may have given them an affinity, but only to text.
        if ![left, right]
            .iter()
            .any(|side| side.affinity.is_some_and(is_numeric))
        {
            let word = if holds { "TRUE" } else { "FALSE" };
            return Ok(Typed::atom(word.to_owned(), Class::Bool, false));
        }
    }
    let pair = align(left, right, !equality)?;
    Ok(Typed::compound(
        format!("{} {} {}", pair.left, operator.sign(), pair.right),
        Class::Bool,
        pair.nullable && !is,
    ))
}

/// The value by whose bytes its text is told apart and ordered under its collation: what an index is made of.
pub(super) fn index_key(typed: &Typed) -> String {
    match (typed.class, typed.collation) {
        (Class::Text, _) if typed.constant.is_some() => format!("{}::text", typed.sql),
        (Class::Text, collation) if !typed.bytewise => {
            let collation = collation.map_or(Collation::Binary, |(collation, _)| collation);
            let sql = match collation {
                Collation::Binary => typed.operand(),
                _ => collation.folded(typed),
            };
            format!("{sql} COLLATE \"C\"")
        }
        (Class::Text, Some((collation, _))) => collation.folded(typed),
        _ => typed.sql.clone(),
    }
}

/// Values of which one is chosen, made one type: the class, and each value's SQL.
pub(super) fn unified(values: Vec<Typed>) -> Result<(Class, Vec<Typed>)> {
    let classes: Vec<Class> = values
        .iter()
        .map(|v| v.class)
        .filter(|c| *c != Class::Null)
        .collect();
    let Some(&first) = classes.first() else {
        return Ok((Class::Null, values));
    };
    if classes.iter().all(|class| *class == Class::Bool) {
        return Ok((Class::Bool, values));
    }
    if classes.contains(&Class::Bool) {
        return unified(values.into_iter().map(Typed::numeral).collect());
    }
    let mut class = first;
    for other in classes {
        class = match (class, other) {
            (
                Class::Integer { low, high, wide },
                Class::Integer {
                    low: l,
                    high: h,
                    wide: w,
                },
            ) => Class::Integer {
                low: low.min(l),
                high: high.max(h),
                wide: wide || w,
            },
            (Class::Real { finite }, Class::Real { finite: f }) => Class::Real { finite: finite && f },
            (Class::Real { .. } | Class::Number, Class::Real { .. } | Class::Number) => Class::Number,
            (Class::Real { .. } | Class::Number, Class::Integer { low, high, .. })
            | (Class::Integer { low, high, .. }, Class::Real { .. } | Class::Number)
                if low >= -DOUBLE_EXACT && high <= DOUBLE_EXACT =>
            {
                Class::Number
            }
            (Class::Other(_), _) => {
                return Err(Untranslatable(format!("{} is used as a value", class.words())));
            }
            (one, other) if one == other => one,
            (one, other) => {
                return Err(Untranslatable(format!(
                    "it is sometimes {} and sometimes {}",
                    one.words(),
                    other.words()
                )));
            }
        };
    }
    Ok((class, values))
}
