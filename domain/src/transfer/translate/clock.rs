//! The time of now in defaults.
//!
//! SQLite's `now` is in UTC, in milliseconds, and the same within a statement: PostgreSQL's `statement_timestamp()`.

use super::Untranslatable;
use super::tree::{Binary, Expr, Node, shown};
use super::typed::{Class, Result, Typed, text_literal};
use crate::transfer::catalog::{Affinity, PgKind};

/// Milliseconds from the Julian epoch to 1970.
const JULIAN_MILLIS: i64 = 210_866_760_000_000;

/// Now, perhaps moved, as a text.
#[derive(Debug)]
pub(super) struct Moment {
    /// A timestamp without time zone in UTC.
    at: String,
    /// Whether it is now itself.
    unmoved: bool,
    /// strftime's format.
    format: String,
}

impl Moment {
    /// What an expression tells of now as text: `CURRENT_TIMESTAMP`, `datetime('now')`, `strftime(…, 'now') || 'Z'`. None if it
    /// is no such expression, an error if it is one that PostgreSQL cannot tell.
    pub(super) fn of(expr: &Expr) -> Option<Result<Self>> {
        match &expr.node {
            Node::Clock(name) => {
                let format = match name.as_str() {
                    "CURRENT_DATE" => "%Y-%m-%d",
                    "CURRENT_TIME" => "%H:%M:%S",
                    _ => "%Y-%m-%d %H:%M:%S",
                };
                Some(Self::moved(format, &[]))
            }
            Node::Call(name, arguments) => {
                let format = match (name.as_str(), arguments.first().map(|first| &first.node)) {
                    ("date", _) => "%Y-%m-%d",
                    ("time", _) => "%H:%M:%S",
                    ("datetime", _) => "%Y-%m-%d %H:%M:%S",
                    ("strftime", Some(Node::Text(format))) => {
                        return Some(Self::moved(format, &arguments[1..]));
                    }
                    _ => return None,
                };
                Some(Self::moved(format, arguments))
            }
            Node::Binary(Binary::Concat, left, right) => match &right.node {
                Node::Text(text) => Self::of(left).map(|moment| {
                    moment.map(|moment| Self {
                        format: format!("{}{}", moment.format, text.replace('%', "%%")),
                        ..moment
                    })
                }),
                _ => None,
            },
            _ => None,
        }
    }

    fn moved(format: &str, arguments: &[Expr]) -> Result<Self> {
        let mut moment = Self {
            at: "statement_timestamp() AT TIME ZONE 'UTC'".to_owned(),
            unmoved: true,
            format: format
                .replace("%F", "%Y-%m-%d")
                .replace("%T", "%H:%M:%S")
                .replace("%R", "%H:%M"),
        };
        for (at, argument) in arguments.iter().enumerate() {
            let Node::Text(text) = &argument.node else {
                return Err(not_now());
            };
            if at == 0 {
                if !text.eq_ignore_ascii_case("now") {
                    return Err(not_now());
                }
            } else {
                moment.at = modified(&moment.at, text)?;
                moment.unmoved = false;
            }
        }
        Ok(moment)
    }

    /// Whether it is now itself.
    pub(super) fn is_now(&self) -> bool {
        self.unmoved
    }

    /// Whether it is seconds since 1970.
    pub(super) fn is_epoch(&self) -> bool {
        self.format == "%s"
    }

    /// Whether no affinity makes a number of its text.
    pub(super) fn is_never_a_number(&self) -> bool {
        self.format.contains(':') || self.format.contains("%Y-%m")
    }

    /// Seconds since 1970.
    pub(super) fn epoch(&self) -> Typed {
        Typed::atom(format!("floor({})::bigint", self.seconds()), Class::BIGINT, false)
    }

    fn seconds(&self) -> String {
        if self.unmoved {
            "extract(epoch FROM statement_timestamp())".to_owned()
        } else {
            format!("extract(epoch FROM {})", self.at)
        }
    }

    /// Its text.
    pub(super) fn typed(&self) -> Result<Typed> {
        if self.is_epoch() {
            return self.epoch().texted();
        }
        let template = template(&self.format)?;
        let sql = format!("to_char({}, {})", self.at, text_literal(&template));
        Ok(Typed::atom(sql, Class::Text, false))
    }

    /// Its text, had it been some moment with a fraction in milliseconds that ends with a zero. None of formats beyond dates and times.
    pub(super) fn example(&self) -> Option<String> {
        let fields = [
            ("%Y", "2001"),
            ("%m", "02"),
            ("%d", "03"),
            ("%H", "04"),
            ("%M", "05"),
            ("%S", "06"),
            ("%f", "06.120"),
        ];
        let text = fields.iter().fold(self.format.clone(), |text, (field, digits)| {
            text.replace(field, digits)
        });
        (!text.contains('%')).then_some(text)
    }

    /// In a type for times, if the text is one that the type holds.
    pub(super) fn in_type(&self, kind: PgKind) -> Result<Option<Typed>> {
        let zoned = ["Z", "+00:00", "+00", "+0000"]
            .iter()
            .find_map(|zone| self.format.strip_suffix(zone));
        let local = zoned.unwrap_or(&self.format);
        let day = ["%Y-%m-%d ", "%Y-%m-%dT"]
            .iter()
            .find_map(|day| local.strip_prefix(day));
        let unit = |clock: &str| match clock {
            "%H:%M" => Some("minute"),
            "%H:%M:%S" => Some("second"),
            // Some fill the microseconds up, which SQLite's clock does not have.
            "%H:%M:%f" | "%H:%M:%f000" => Some("milliseconds"),
            _ => None,
        };
        let made = |sql: String| Ok(Some(Typed::atom(sql, Class::Other(kind), false)));
        let no_form = || {
            Err(Untranslatable(
                "the time of now is not in the form that its column has".to_owned(),
            ))
        };
        match kind {
            PgKind::Timestamptz(digits) => match day.and_then(unit) {
                Some(unit) if fits(unit, digits) && self.unmoved => {
                    made(format!("date_trunc('{unit}', statement_timestamp())"))
                }
                Some(unit) if fits(unit, digits) => {
                    made(format!("(date_trunc('{unit}', {}) AT TIME ZONE 'UTC')", self.at))
                }
                _ => no_form(),
            },
            PgKind::Timestamp(digits) => match day.and_then(unit) {
                Some(unit) if zoned.is_none() && fits(unit, digits) => {
                    made(format!("date_trunc('{unit}', {})", self.at))
                }
                _ => no_form(),
            },
            PgKind::Time(digits) => match unit(&self.format) {
                Some(unit) if fits(unit, digits) => made(format!("date_trunc('{unit}', {})::time", self.at)),
                _ => no_form(),
            },
            PgKind::Date if self.format == "%Y-%m-%d" => made(format!("({})::date", self.at)),
            PgKind::Date => no_form(),
            _ => Ok(None),
        }
    }
}

/// Whether the type keeps a fraction of this unit.
fn fits(unit: &str, digits: u8) -> bool {
    unit != "milliseconds" || digits >= 3
}

/// `unixepoch()` and `julianday()` of now.
pub(super) fn number(name: &str, arguments: &[Expr]) -> Result<Typed> {
    let subsecond = |argument: &Expr| matches!(&argument.node, Node::Text(text) if is_subsecond(text));
    let fraction = name == "unixepoch" && arguments.iter().any(subsecond);
    let arguments: Vec<Expr> = arguments.iter().filter(|one| !subsecond(one)).cloned().collect();
    let moment = Moment::moved("%s", &arguments)?;
    let real = Class::Real { finite: true };
    let millis = format!("floor({} * 1000)", moment.seconds());
    Ok(match name {
        "unixepoch" if !fraction => moment.epoch(),
        "unixepoch" => Typed::atom(format!("({millis} / 1000)::double precision"), real, false),
        _ => Typed::compound(
            format!("({millis} + {JULIAN_MILLIS})::double precision / 86400000"),
            real,
            false,
        ),
    })
}

/// The moment whose seconds since 1970 this is, and is stored as an INTEGER in a column of this affinity.
pub(super) fn epoch(expr: &Expr, affinity: Affinity) -> Option<Moment> {
    let numeric = !matches!(affinity, Affinity::Text | Affinity::Real);
    match &expr.node {
        Node::Cast(operand, declared) => {
            let cast = Affinity::of(declared);
            let integer = matches!(cast, Affinity::Integer | Affinity::Numeric);
            (integer && numeric).then(|| epoch(operand, cast))?
        }
        Node::Call(name, arguments) if name == "unixepoch" => {
            numeric.then(|| Moment::moved("%s", arguments).ok())?
        }
        _ => {
            let integer = matches!(affinity, Affinity::Integer | Affinity::Numeric);
            let moment = Moment::of(expr).and_then(Result::ok);
            moment.filter(|moment| integer && moment.is_epoch())
        }
    }
}

fn is_subsecond(text: &str) -> bool {
    ["subsec", "subsecond"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

fn not_now() -> Untranslatable {
    Untranslatable("it takes the date of something other than now".to_owned())
}

/// A timestamp after a modifier whose effect is the same in both: whole days, hours, minutes, seconds, and starts.
fn modified(at: &str, modifier: &str) -> Result<String> {
    let refused = || {
        Untranslatable(format!(
            "the modifier '{}' has no equal in PostgreSQL",
            shown(modifier)
        ))
    };
    let lower = modifier.to_ascii_lowercase();
    if let Some(unit) = lower.strip_prefix("start of ") {
        return match unit {
            "day" | "month" | "year" => Ok(format!("date_trunc('{unit}', {at})")),
            _ => Err(refused()),
        };
    }
    let (count, unit) = lower.split_once(' ').ok_or_else(refused)?;
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let digits = count.trim_start_matches(['+', '-']);
    let plain = count.len() - digits.len() <= 1 && (1..=6).contains(&digits.len());
    if !plain
        || !digits.bytes().all(|b| b.is_ascii_digit())
        || !["day", "hour", "minute", "second"].contains(&unit)
    {
        return Err(refused());
    }
    Ok(format!("({at}) + interval '{count} {unit}'"))
}

/// strftime's format as a template of `to_char`.
fn template(format: &str) -> Result<String> {
    let mut template = String::new();
    let mut chars = format.chars();
    let mut quoted = false;
    let mut field_before = false;
    while let Some(char) = chars.next() {
        let field = match (char, if char == '%' { chars.next() } else { None }) {
            ('%', Some('Y')) => "YYYY",
            ('%', Some('m')) => "MM",
            ('%', Some('d')) => "DD",
            ('%', Some('H')) => "HH24",
            ('%', Some('M')) => "MI",
            ('%', Some('S')) => "SS",
            ('%', Some('f')) => "SS.MS",
            ('%', Some('j')) => "DDD",
            ('%', Some('%')) | (_, None) if char != '"' && char != '\\' => {
                if char == '%' && !format.contains("%%") {
                    return Err(Untranslatable("a format ends with %".to_owned()));
                }
                // Letters are fields unless they are quoted.
                let plain = matches!(char, '-' | ':' | '/' | ' ');
                if quoted == plain {
                    template.push('"');
                    quoted = !plain;
                }
                template.push(char);
                field_before = false;
                continue;
            }
            ('%', other) => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(Untranslatable(format!(
                    "the format %{other} has no equal in PostgreSQL"
                )));
            }
            _ => {
                return Err(Untranslatable(format!("a format holds the character {char}")));
            }
        };
        if quoted {
            template.push('"');
            quoted = false;
        } else if field_before {
            // Or two fields could read as a third: DD and DD as DDD and D.
            template.push_str("\"\"");
        }
        template.push_str(field);
        field_before = true;
    }
    if quoted {
        template.push('"');
    }
    Ok(template)
}
