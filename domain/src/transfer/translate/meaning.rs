//! What an expression means: node by node, the SQL of PostgreSQL that yields the same.

use super::clock::Moment;
use super::tree::{Binary, Expr, Node, Unary, shown};
use super::typed::{Class, Collation, Constant, Result, Typed, align, compare, is_numeric, unified};
use super::{ExprColumn, Untranslatable, function, pattern};
use crate::transfer::catalog::Affinity;

/// Translates expressions over columns.
pub(super) struct Translator<'a> {
    pub(super) columns: &'a [ExprColumn],
    pub(super) place: Place,
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a CHECK or an index.
    Row,
    /// In a generated column. PostgreSQL 15 calculates constants there before it knows their collation, and refuses to.
    Generated,
    /// In a default, the one whose value may differ each time.
    Default,
}

impl Translator<'_> {
    /// The meaning of an expression.
    pub(super) fn typed(&self, expr: &Expr) -> Result<Typed> {
        self.meaning(expr)?.bounded()
    }

    fn meaning(&self, expr: &Expr) -> Result<Typed> {
        if self.place == Place::Default
            && let Some(moment) = Moment::of(expr)
        {
            return moment?.typed();
        }
        if self.place == Place::Generated
            && ((expr.may_need_collation() && !self.has_column(expr)) || self.is_decided(expr))
        {
            return Err(Untranslatable("it calculates with constants alone".to_owned()));
        }
        match &expr.node {
            Node::Null => Ok(Typed::null()),
            Node::Integer(n) => Ok(Typed::integer(*n)),
            Node::Real(n) => Ok(Typed::real(*n)),
            Node::Text(text) => literal(text),
            Node::Blob(bytes) => Ok(Typed::blob(bytes)),
            Node::Name { name, double_quoted } => self.name(name, *double_quoted),
            Node::Clock(name) => Err(Untranslatable(format!("{name} is not the same each time"))),
            Node::Unary(operator, operand) => self.unary(*operator, operand),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right),
            Node::And(all) => self.joined(all, " AND "),
            Node::Or(all) => self.joined(all, " OR "),
            Node::Like {
                not,
                glob,
                text,
                pattern,
                escape,
            } => {
                let text = self.typed(text)?;
                let pattern = self.typed(pattern)?;
                let escape = escape.as_deref().map(|escape| self.typed(escape)).transpose()?;
                let test = if *glob {
                    pattern::glob(text, pattern)?
                } else {
                    pattern::like(text, pattern, escape.as_ref())?
                };
                Ok(if *not { negated(&test) } else { test })
            }
            Node::Between {
                not,
                value,
                low,
                high,
            } => {
                let test = self.between(value, low, high)?;
                Ok(if *not { negated(&test) } else { test })
            }
            Node::In { not, value, list } => {
                let test = self.within(value, list)?;
                Ok(if *not { negated(&test) } else { test })
            }
            Node::Case {
                base,
                arms,
                otherwise,
            } => self.case(base.as_deref(), arms, otherwise.as_deref()),
            Node::Cast(operand, declared) => self.cast(operand, declared),
            Node::Collate(operand, name) => {
                let operand = self.typed(operand)?;
                // Of two, the outer one counts.
                Ok(Typed {
                    collation: Some((Collation::of(name)?, true)),
                    ..operand
                })
            }
            Node::Call(name, arguments) => function::call(self, name, arguments),
        }
    }

    /// As a condition.
    pub(super) fn truth(&self, expr: &Expr) -> Result<Typed> {
        self.typed(expr)?.truth()
    }

    fn name(&self, name: &str, double_quoted: bool) -> Result<Typed> {
        if let Some(column) = self.column(name) {
            return Typed::column(column);
        }
        if double_quoted {
            return literal(name);
        }
        match name.to_ascii_uppercase().as_str() {
            "TRUE" => Ok(Typed::integer(1)),
            "FALSE" => Ok(Typed::integer(0)),
            "ROWID" | "_ROWID_" | "OID" => Err(Untranslatable("PostgreSQL has no rowid".to_owned())),
            _ => Err(Untranslatable(format!(
                "{} is no column that is carried",
                shown(name)
            ))),
        }
    }

    fn column(&self, name: &str) -> Option<&ExprColumn> {
        let exactly = self.columns.iter().find(|column| column.source == name);
        exactly.or_else(|| {
            self.columns
                .iter()
                .find(|column| column.source.eq_ignore_ascii_case(name))
        })
    }

    /// Whether a choice is made by constants, so that PostgreSQL calculates with what is chosen.
    fn is_decided(&self, expr: &Expr) -> bool {
        let decided_by = |test: &Expr| !self.has_column(test);
        match &expr.node {
            Node::Case { base: None, arms, .. } => arms.iter().any(|(when, _)| decided_by(when)),
            Node::Call(name, arguments) => match (name.as_str(), arguments.as_slice()) {
                ("coalesce" | "ifnull", [first @ .., _]) => first.iter().any(decided_by),
                ("iif" | "if", [test, ..]) => decided_by(test),
                _ => false,
            },
            _ => false,
        }
    }

    fn has_column(&self, expr: &Expr) -> bool {
        match &expr.node {
            Node::Name { name, .. } => self.column(name).is_some(),
            _ => expr.children().iter().any(|child| self.has_column(child)),
        }
    }

    /// TRUE or FALSE without quotes, where no column is called so.
    fn truth_word(&self, expr: &Expr) -> Option<bool> {
        match &expr.node {
            Node::Name {
                name,
                double_quoted: false,
            } if self.column(name).is_none() => match name.to_ascii_uppercase().as_str() {
                "TRUE" => Some(true),
                "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    fn joined(&self, all: &[Expr], word: &str) -> Result<Typed> {
        let truths: Vec<Typed> = all.iter().map(|one| self.truth(one)).collect::<Result<_>>()?;
        let nullable = truths.iter().any(|truth| truth.nullable);
        let parts: Vec<String> = truths.iter().map(Typed::operand).collect();
        Ok(Typed::compound(parts.join(word), Class::Bool, nullable))
    }

    fn unary(&self, operator: Unary, operand: &Expr) -> Result<Typed> {
        if operator == Unary::Not {
            return Ok(negated(&self.truth(operand)?));
        }
        let typed = self.typed(operand)?;
        if operator == Unary::Plus {
            // It only takes the affinity away.
            return Ok(Typed {
                affinity: None,
                ..typed
            });
        }
        let typed = typed.numeral();
        let class = match (typed.class, operator) {
            (Class::Null, _) => return Ok(Typed::null()),
            (Class::Integer { high: i64::MIN, .. }, Unary::Minus) => return Err(beyond_64_bits()),
            (Class::Integer { low, high, .. }, Unary::Minus) => Class::Integer {
                low: high.saturating_neg(),
                high: low.saturating_neg(),
                wide: true,
            },
            (Class::Integer { .. }, _) => Class::BIGINT,
            (class @ (Class::Real { .. } | Class::Number | Class::Decimal), Unary::Minus) => class,
            (class, _) => {
                return Err(Untranslatable(format!("{} is used as a number", class.words())));
            }
        };
        let sign = match (operator, class) {
            // SQLite subtracts it from 0, which makes no negative zero.
            (Unary::Minus, Class::Real { .. } | Class::Number) if typed.constant.is_none() => "0 - ",
            (Unary::Minus, _) => "-",
            _ => "~",
        };
        let (cast, nullable) = (widened(&typed, class), typed.nullable);
        Ok(Typed::compound(format!("{sign}{cast}"), class, nullable))
    }

    fn binary(&self, operator: Binary, left: &Expr, right: &Expr) -> Result<Typed> {
        if matches!(operator, Binary::Is | Binary::IsNot)
            && let Some(word) = self.truth_word(right)
        {
            let truth = self.truth(left)?;
            let not = if operator == Binary::IsNot { "NOT " } else { "" };
            let word = if word { "TRUE" } else { "FALSE" };
            return Ok(Typed::compound(
                format!("{} IS {not}{word}", truth.operand()),
                Class::Bool,
                false,
            ));
        }
        match operator {
            operator if operator.compares() => {
                compare(operator, &self.compared(left)?, &self.compared(right)?)
            }
            Binary::Concat => {
                let (one, other) = (self.typed(left)?.texted()?, self.typed(right)?.texted()?);
                if let (Some(Constant::Text(one)), Some(Constant::Text(other))) =
                    (&one.constant, &other.constant)
                {
                    return Ok(Typed::text(&format!("{one}{other}")));
                }
                let sql = format!("{} || {}", one.operand(), other.operand());
                let nullable = one.nullable || other.nullable;
                Ok(Typed {
                    bytewise: one.bytewise || other.bytewise,
                    ..Typed::compound(sql, Class::Text, nullable)
                })
            }
            _ => arithmetic(operator, &self.number(left)?, &self.number(right)?),
        }
    }

    /// An operand of a comparison. A COLLATE inside of it would count too, which is followed no further than to its top.
    pub(super) fn compared(&self, expr: &Expr) -> Result<Typed> {
        let typed = self.typed(expr)?;
        let written = typed.collation.is_some_and(|(_, written)| written);
        if typed.class == Class::Text && !written && expr.collates() {
            return Err(Untranslatable(
                "COLLATE stands inside of what is compared".to_owned(),
            ));
        }
        Ok(typed)
    }

    fn number(&self, expr: &Expr) -> Result<Typed> {
        if let Some(epoch) = self.epoch(expr) {
            return Ok(epoch);
        }
        let typed = self.typed(expr)?.numeral();
        match typed.class {
            Class::Null | Class::Integer { .. } | Class::Real { .. } | Class::Number => Ok(typed),
            class => Err(Untranslatable(format!("it calculates with {}", class.words()))),
        }
    }

    /// Seconds since 1970, which strftime yields as text.
    fn epoch(&self, expr: &Expr) -> Option<Typed> {
        let moment = Moment::of(expr).filter(|_| self.place == Place::Default)?.ok()?;
        moment.is_epoch().then(|| moment.epoch())
    }

    fn between(&self, value: &Expr, low: &Expr, high: &Expr) -> Result<Typed> {
        let (value, low, high) = (self.compared(value)?, self.compared(low)?, self.compared(high)?);
        let (from, to) = (
            compare(Binary::GreaterOrEqual, &value, &low)?,
            compare(Binary::LessOrEqual, &value, &high)?,
        );
        let nullable = from.nullable || to.nullable;
        if ![&value, &low, &high].iter().any(|part| part.class == Class::Null) {
            let (one, other) = (align(&value, &low, true)?, align(&value, &high, true)?);
            let constant = matches!(value.constant, Some(Constant::Text(_)));
            if one.left == other.left && !constant {
                let sql = format!("{} BETWEEN {} AND {}", one.left, one.right, other.right);
                return Ok(Typed::compound(sql, Class::Bool, nullable));
            }
        }
        let sql = format!("{} AND {}", from.operand(), to.operand());
        Ok(Typed::compound(sql, Class::Bool, nullable))
    }

    fn within(&self, value: &Expr, list: &[Expr]) -> Result<Typed> {
        if list.is_empty() {
            return Ok(Typed::atom("FALSE".to_owned(), Class::Bool, false));
        }
        let value = self.compared(value)?;
        if let [alone] = list
            && alone.collates()
        {
            // SQLite reads it as a comparison if it is a constant, and then its collation counts.
            return match &alone.node {
                Node::Collate(constant, _)
                    if constant.children().is_empty() && !self.has_column(constant) =>
                {
                    let alone = Typed {
                        affinity: None,
                        ..self.compared(alone)?
                    };
                    compare(Binary::Equal, &value, &alone)
                }
                _ => Err(Untranslatable(
                    "COLLATE stands inside of a list of one".to_owned(),
                )),
            };
        }
        // What is in the list has neither affinity nor collation here, not even if it is a column.
        let list: Vec<Typed> = list
            .iter()
            .map(|one| Ok(self.compared(one)?.bare()))
            .collect::<Result<_>>()?;
        if value.class == Class::Null {
            return Ok(Typed::atom("NULL::boolean".to_owned(), Class::Bool, true));
        }
        let mut nullable = value.nullable;
        let mut left = None;
        let mut items = Vec::with_capacity(list.len());
        let mut tests = Vec::with_capacity(list.len());
        let mut one_left = !matches!(value.constant, Some(Constant::Text(_)));
        for item in &list {
            let test = compare(Binary::Equal, &value, item)?;
            nullable |= test.nullable;
            tests.push(test.operand());
            if item.class == Class::Null {
                items.push("NULL".to_owned());
                continue;
            }
            let pair = align(&value, item, false)?;
            one_left &= *left.get_or_insert_with(|| pair.left.clone()) == pair.left;
            items.push(pair.right);
        }
        let sql = match left {
            Some(left) if one_left => format!("{left} IN ({})", items.join(", ")),
            _ => tests.join(" OR "),
        };
        Ok(Typed::compound(sql, Class::Bool, nullable))
    }

    fn case(&self, base: Option<&Expr>, arms: &[(Expr, Expr)], otherwise: Option<&Expr>) -> Result<Typed> {
        let base = base.map(|base| self.compared(base)).transpose()?;
        let mut tests = Vec::with_capacity(arms.len());
        let mut values = Vec::with_capacity(arms.len() + 1);
        for (when, then) in arms {
            tests.push(match &base {
                Some(base) => compare(Binary::Equal, base, &self.compared(when)?)?,
                None => self.truth(when)?,
            });
            values.push(self.typed(then)?.bare());
        }
        values.push(match otherwise {
            Some(otherwise) => self.typed(otherwise)?.bare(),
            None => Typed::null(),
        });
        choice(&tests, values)
    }

    fn cast(&self, operand: &Expr, declared: &str) -> Result<Typed> {
        let affinity = Affinity::of(declared);
        let typed = match self.epoch(operand) {
            Some(epoch) if is_numeric(affinity) => epoch,
            _ => self.typed(operand)?,
        };
        let collation = typed.collation;
        let made = cast(typed, affinity)?;
        Ok(Typed {
            affinity: Some(affinity),
            collation,
            ..made
        })
    }
}

fn literal(text: &str) -> Result<Typed> {
    if text.contains('\0') {
        return Err(Untranslatable("PostgreSQL has no text with a NUL".to_owned()));
    }
    Ok(Typed::text(text))
}

fn negated(truth: &Typed) -> Typed {
    Typed::compound(format!("NOT {}", truth.operand()), Class::Bool, truth.nullable)
}

/// `CASE WHEN test THEN value …`, with one value more than tests.
pub(super) fn choice(tests: &[Typed], values: Vec<Typed>) -> Result<Typed> {
    let nullable = values.iter().any(|value| value.nullable);
    let bytewise = values.iter().any(|value| value.bytewise);
    let (class, values) = unified(values)?;
    if class == Class::Null {
        return Ok(Typed::null());
    }
    let mut sql = "CASE".to_owned();
    for (test, value) in tests.iter().zip(&values) {
        sql = format!("{sql} WHEN {} THEN {}", test.sql, value.sql);
    }
    if let Some(otherwise) = values.get(tests.len()).filter(|value| value.class != Class::Null) {
        sql = format!("{sql} ELSE {}", otherwise.sql);
    }
    Ok(Typed {
        bytewise,
        ..Typed::atom(format!("{sql} END"), class, nullable)
    })
}

fn cast(typed: Typed, affinity: Affinity) -> Result<Typed> {
    let refused = |typed: &Typed, name: &str| {
        Untranslatable(format!(
            "PostgreSQL does not cast {} to {name} as SQLite does",
            typed.class.words()
        ))
    };
    if typed.class == Class::Null {
        return Ok(Typed::null());
    }
    match affinity {
        Affinity::Text => typed.texted(),
        Affinity::Blob if typed.class == Class::Blob => Ok(typed),
        Affinity::Blob => Err(refused(&typed, "BLOB")),
        Affinity::Integer => {
            let typed = typed.numeral();
            match typed.class {
                Class::Integer { .. } => Ok(typed),
                // Beyond its range SQLite takes the nearest integer that there is.
                Class::Real { .. } | Class::Number => {
                    let x = typed.operand();
                    let sql = format!(
                        "CASE WHEN {x} >= 9223372036854775807 THEN 9223372036854775807 \
                         WHEN {x} <= -9223372036854775808 THEN '-9223372036854775808'::bigint \
                         ELSE trunc({x})::bigint END"
                    );
                    Ok(Typed::atom(sql, Class::BIGINT, typed.nullable))
                }
                _ => Err(refused(&typed, "INTEGER")),
            }
        }
        Affinity::Real => {
            let typed = typed.numeral();
            match typed.class {
                Class::Integer { .. } => Ok(Typed::atom(
                    typed.as_double(),
                    Class::Real { finite: true },
                    typed.nullable,
                )),
                Class::Real { .. } => Ok(typed),
                Class::Number => Ok(Typed {
                    class: Class::Real { finite: false },
                    constant: None,
                    ..typed
                }),
                _ => Err(refused(&typed, "REAL")),
            }
        }
        Affinity::Numeric => {
            let typed = typed.numeral();
            match typed.class {
                Class::Integer { .. } | Class::Real { .. } | Class::Number | Class::Decimal => Ok(typed),
                _ => Err(refused(&typed, "NUMERIC")),
            }
        }
    }
}

/// An operand of integer arithmetic whose result is `class`: PostgreSQL calculates in the type of its operands.
fn widened(typed: &Typed, class: Class) -> String {
    match (class, typed.class) {
        (Class::Integer { wide: true, .. }, Class::Integer { wide: false, .. }) => {
            format!("{}::bigint", typed.closed())
        }
        _ => typed.closed(),
    }
}

/// Calculates. Beyond 64 bits SQLite goes on with rounded reals and PostgreSQL refuses the row: an error, never another value.
pub(super) fn arithmetic(operator: Binary, left: &Typed, right: &Typed) -> Result<Typed> {
    if left.class == Class::Null || right.class == Class::Null {
        return Ok(Typed::null());
    }
    let nullable = left.nullable || right.nullable;
    if let (
        Class::Integer { low, high, .. },
        Class::Integer {
            low: other_low,
            high: other_high,
            ..
        },
    ) = (left.class, right.class)
    {
        return integers(operator, left, right, (low, high), (other_low, other_high));
    }
    if !matches!(
        operator,
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide
    ) {
        return Err(Untranslatable(format!("it takes {} of reals", operator.sign())));
    }
    // With a real on one side SQLite calculates in reals; two numbers that may both be integers it may not.
    let real = |side: &Typed| matches!(side.class, Class::Real { .. });
    if !real(left) && !real(right) {
        return Err(Untranslatable(
            "it calculates with a column that holds integers and reals".to_owned(),
        ));
    }
    let finite = |side: &Typed| matches!(side.class, Class::Real { finite: true } | Class::Integer { .. });
    let nonzero = |side: &Typed| {
        side.constant.is_some() && finite(side) && !matches!(side.constant, Some(Constant::Integer(0)))
    };
    let never_nan = match operator {
        Binary::Multiply => (finite(left) && finite(right)) || nonzero(left) || nonzero(right),
        _ => finite(left) || finite(right),
    };
    let divisor = if operator == Binary::Divide && !nonzero(right) {
        format!("nullif({}, 0)", right.as_double())
    } else {
        right.as_double()
    };
    let sql = format!("{} {} {divisor}", left.as_double(), operator.sign());
    let class = Class::Real { finite: false };
    let nullable = nullable || !never_nan || (operator == Binary::Divide && !nonzero(right));
    // What is not a number is NULL in SQLite.
    Ok(if never_nan {
        Typed::compound(sql, class, nullable)
    } else {
        Typed::atom(format!("nullif({sql}, 'NaN')"), class, true)
    })
}

fn beyond_64_bits() -> Untranslatable {
    Untranslatable("it calculates a number beyond 64 bits, which SQLite rounds".to_owned())
}

fn integers(
    operator: Binary,
    left: &Typed,
    right: &Typed,
    (low, high): (i64, i64),
    (other_low, other_high): (i64, i64),
) -> Result<Typed> {
    let constant = match right.constant {
        Some(Constant::Integer(n)) => Some(n),
        _ => None,
    };
    let mut nullable = left.nullable || right.nullable;
    let mut divisor = right.operand();
    let corners = |calculate: fn(i128, i128) -> i128| -> Result<(i64, i64)> {
        let all = [
            (low, other_low),
            (low, other_high),
            (high, other_low),
            (high, other_high),
        ];
        let all = all.map(|(one, other)| calculate(one.into(), other.into()));
        let (least, most) = all.iter().fold((all[0], all[0]), |(least, most), one| {
            (least.min(*one), most.max(*one))
        });
        // PostgreSQL calculates constants beforehand, even those that no row asks for.
        if least > i64::MAX.into() || most < i64::MIN.into() {
            return Err(beyond_64_bits());
        }
        let clamped = |n: i128| i64::try_from(n.clamp(i64::MIN.into(), i64::MAX.into()));
        Ok((
            clamped(least).unwrap_or(i64::MIN),
            clamped(most).unwrap_or(i64::MAX),
        ))
    };
    let (low, high) = match operator {
        Binary::Add => corners(|one, other| one + other)?,
        Binary::Subtract => corners(|one, other| one - other)?,
        Binary::Multiply => corners(|one, other| one * other)?,
        Binary::Divide | Binary::Remainder => {
            // SQLite's NULL is PostgreSQL's error.
            if constant.is_none_or(|n| n == 0) {
                divisor = format!("nullif({divisor}, 0)");
                nullable = true;
            }
            match constant {
                Some(n) if n > 0 && operator == Binary::Remainder => {
                    (if low < 0 { 1 - n } else { 0 }, if high > 0 { n - 1 } else { 0 })
                }
                Some(n) if n > 0 => (low / n, high / n),
                _ => (i64::MIN, i64::MAX),
            }
        }
        Binary::BitAnd | Binary::BitOr => (i64::MIN, i64::MAX),
        Binary::ShiftLeft | Binary::ShiftRight => {
            // SQLite shifts by more than 63 bits and backwards too.
            if constant.is_none_or(|n| !(0..64).contains(&n)) {
                return Err(Untranslatable(
                    "it shifts by a number of bits that is not known".to_owned(),
                ));
            }
            (i64::MIN, i64::MAX)
        }
        _ => {
            return Err(Untranslatable(format!(
                "it takes {} of integers",
                operator.sign()
            )));
        }
    };
    let class = Class::Integer {
        low,
        high,
        wide: true,
    };
    let shift = matches!(operator, Binary::ShiftLeft | Binary::ShiftRight);
    let wide = |side: &Typed| matches!(side.class, Class::Integer { wide: true, .. });
    let left = if wide(left) || (wide(right) && !shift) {
        left.operand()
    } else {
        widened(left, class)
    };
    Ok(Typed::compound(
        format!("{left} {} {divisor}", operator.sign()),
        class,
        nullable,
    ))
}
