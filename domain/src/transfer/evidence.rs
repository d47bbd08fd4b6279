//! What the values of a column prove: the richest PostgreSQL type from which every one of them comes back byte for byte.
//!
//! An [`Evidence`] sees every value of a column once, before the target is touched, and must cost a small part of the load. So it
//! keeps no values, only which types are still possible, and stops looking closely at what a value has refuted. Evidence of parts of a table
//! is merged into what the whole would have given.

mod declared;
#[cfg(test)]
mod tests;

use super::blanks::{Blank, Blanks};
use super::catalog::{Affinity, Column, ColumnKind, Table, is_number};
use super::convert::{FIELD_BYTES_MAX, is_plain};
use super::json_text;
use super::numbers::exact;
use super::rendering::{
    Form, Moment, Precisions, Rendering, check_jsonb, decimal_returns, decimal_text_returns, lone_number,
    number_returns, read_moment, small_uuid,
};
use super::translate::{self, Constant, DefaultValue};
use super::value::Value;
use super::words::{counted, grouped};
use declared::Declared;

/// What else decides, beside the values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// `--keep-text`: a column of text stays text.
    pub keep_text: bool,
    /// A CHECK, an index expression or a generated column reads it: its values must stay what SQLite's expressions see.
    pub used_in_expressions: bool,
    /// It is part of a key, a UNIQUE constraint, an index or a foreign key: its type needs an equality, and one that tells the same
    /// values apart as SQLite's. That leaves out JSON, and decimals that are TEXT.
    pub in_key_with_others: bool,
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Type and way back.
    pub rendering: Rendering,
    /// What decided, for a person.
    pub why: String,
    /// Whether a value does not fit it: text with NUL or not UTF-8, or more than PostgreSQL's 1 GB.
    pub rejects_possible: bool,
}

/// What the values of a column prove.
#[derive(Debug, Clone)]
pub struct Evidence {
    declared: Declared,
    default: Option<Default>,
    /// The texts that are to become NULL, and prove nothing.
    blanks: Blanks,
    /// How many values are each of them.
    blank: [u64; Blank::ALL.len()],
    /// The one of them that the column's default gives.
    blank_default: Option<Blank>,
    /// NULL, INTEGER, REAL, TEXT, BLOB.
    classes: [u64; 5],
    /// The first value of each class, described.
    firsts: [Option<Box<str>>; 5],
    integers: Integers,
    reals: Reals,
    texts: Texts,
    blobs: Blobs,
}

/// What the column's default gives.
#[derive(Debug, Clone)]
struct Default {
    value: DefaultValue,
    weight: Weight,
    /// For a person.
    told: String,
}

/// What a default has a say in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Always one text: the type of texts.
    Text,
    /// A text that tells of now: how times are written, but not the type.
    Moment,
    /// Anything else: the type of a column without values.
    Alone,
}

/// A moment in seconds since 1970.
const SOME_EPOCH: i64 = 1_700_000_000;

impl Default {
    fn of(column: &Column) -> Option<Self> {
        let ColumnKind::Sqlite { affinity, .. } = column.kind else {
            return None;
        };
        let sql = column.default.as_deref()?;
        // A text that affinity makes a number of is none.
        let stays =
            |text: &String| affinity == Affinity::Text || !affinity.changes(Value::Text(text.as_bytes()));
        let text = |text| DefaultValue::Constant(Constant::Text(text));
        let (value, weight, told) = if let Some(example) = translate::default_example(sql).filter(stays) {
            let is_constant = translate::is_string(sql);
            let weight = if is_constant { Weight::Text } else { Weight::Moment };
            (text(example), weight, None)
        } else if translate::is_epoch(sql, affinity) {
            let value = DefaultValue::Constant(Constant::Integer(SOME_EPOCH));
            (value, Weight::Alone, Some("the seconds since 1970".to_owned()))
        } else if let Some(form) = translate::random_text(sql, affinity) {
            let told = format!("a random text of the form {form}");
            (text(form), Weight::Alone, Some(told))
        } else {
            let value = translate::default_value(sql, affinity)?;
            let is_text = matches!(value, DefaultValue::Constant(Constant::Text(_)));
            (value, if is_text { Weight::Text } else { Weight::Alone }, None)
        };
        let told = told.unwrap_or_else(|| value.value().describe());
        Some(Self { value, weight, told })
    }
}

const NULL: usize = 0;
const INTEGER: usize = 1;
const REAL: usize = 2;
const TEXT: usize = 3;
const BLOB: usize = 4;

#[derive(Debug, Clone)]
struct Integers {
    min: i64,
    max: i64,
    /// Whether a double holds each.
    exact: bool,
}

/// What holds for all reals so far.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a type that may still be, independent of the others"
)]
struct Reals {
    number: bool,
    decimal: bool,
    /// At most 15 significant digits: what a double holds of any decimal. Looked at only if the declaration asks for decimals.
    short: bool,
    finite: bool,
}

#[derive(Debug, Clone)]
struct Texts {
    longest: usize,
    with_nul: u64,
    not_utf8: u64,
    shape: Shape,
    json: Json,
    /// Whether each comes back from `numeric`; looked at only if the declaration asks for decimals.
    decimal: bool,
    /// Whether SQLite would make a number of none; looked at only in columns that have such made.
    numberless: bool,
}

/// The one form of all texts.
#[derive(Debug, Clone, Default)]
struct Shape {
    /// The form of the first text, if it has one.
    layout: Option<Layout>,
    /// The texts of this form.
    fitting: u64,
    /// How all of them may have been written.
    precisions: Option<Precisions>,
    /// The first text of the form.
    example: Option<Box<str>>,
    /// The first text that is not of the form, or has not the precision of those before.
    misfit: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Uuid,
    Moment(Form),
}

/// What holds for all texts so far, as JSON.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a type that may still be, independent of the others"
)]
struct Json {
    /// `json` takes them (and, unless the column is declared so, they are objects and arrays).
    valid: bool,
    containers: bool,
    /// `jsonb` prints them as they are.
    jsonb: bool,
    /// None is a lone number as we would write an INTEGER or a REAL.
    numberless: bool,
    fitting: u64,
    misfit: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Blobs {
    longest: usize,
    /// Whether each has 16 bytes.
    uuids: bool,
}

impl Evidence {
    /// Nothing seen yet of a column of a table. One that the table's CHECKs want to be JSON is as good as declared so.
    pub fn in_table(column: &Column, table: &Table) -> Self {
        let mut evidence = Self::new(column);
        let mut checks = table.checks.iter();
        if evidence.declared == Declared::Other
            && checks.any(|check| translate::wants_json(&check.expression, &column.name))
        {
            evidence.declared = Declared::Json;
        }
        evidence
    }

    /// Nothing seen yet.
    pub fn new(column: &Column) -> Self {
        let declared = Declared::of(column);
        Self {
            declared,
            default: Default::of(column),
            blanks: Blanks::default(),
            blank: [0; Blank::ALL.len()],
            blank_default: None,
            classes: [0; 5],
            firsts: [const { None }; 5],
            integers: Integers {
                min: i64::MAX,
                max: i64::MIN,
                exact: true,
            },
            reals: Reals {
                number: true,
                decimal: true,
                short: declared == Declared::Decimal,
                finite: true,
            },
            texts: Texts {
                longest: 0,
                with_nul: 0,
                not_utf8: 0,
                shape: Shape::default(),
                json: Json {
                    valid: true,
                    containers: true,
                    jsonb: true,
                    numberless: true,
                    fitting: 0,
                    misfit: None,
                },
                decimal: declared == Declared::Decimal,
                numberless: makes_integers(column),
            },
            blobs: Blobs {
                longest: 0,
                uuids: true,
            },
        }
    }

    /// Of a column of numbers: whether all are REAL, or else INTEGER unless they have a fraction. None if they are neither.
    pub(super) fn only_reals(&self) -> Option<bool> {
        let [_, integers, reals, texts, blobs] = self.classes;
        let by_affinity = self.declared == Declared::Real;
        match (texts + blobs, integers) {
            (0, 0) if reals > 0 || by_affinity => Some(true),
            (0, _) if self.reals.decimal => Some(false),
            _ => None,
        }
    }

    /// With texts that are to become NULL: the type is proven by the other values.
    #[must_use]
    pub fn without(mut self, blanks: Blanks) -> Self {
        self.blanks = blanks;
        let default = self
            .default
            .as_ref()
            .filter(|default| default.weight == Weight::Text);
        self.blank_default = default.and_then(|default| blanks.of(default.value.value()));
        if self.blank_default.is_some() {
            self.default = None;
        }
        self
    }

    /// Takes a value into account.
    #[inline]
    pub fn observe(&mut self, value: Value<'_>) {
        if !self.blanks.is_none()
            && let Some(blank) = self.blanks.of(value)
        {
            self.blank[blank.index()] += 1;
            return;
        }
        let class = match value {
            Value::Null => NULL,
            Value::Integer(number) => {
                self.integers.observe(number);
                INTEGER
            }
            Value::Real(number) => {
                self.reals.observe(number);
                REAL
            }
            Value::Text(text) => {
                self.texts
                    .observe(text, self.classes[TEXT] == 0, self.declared == Declared::Json);
                TEXT
            }
            Value::Blob(bytes) => {
                self.blobs.observe(bytes);
                BLOB
            }
        };
        self.classes[class] += 1;
        if self.classes[class] == 1 {
            self.firsts[class] = Some(value.describe().into());
        }
    }

    /// Takes into account what `other` has seen, after what this one has. Of columns that are declared differently only the values
    /// decide.
    pub fn merge(&mut self, other: &Self) {
        self.declared = self.declared.and(other.declared);
        self.integers.merge(&other.integers);
        self.reals.merge(other.reals);
        self.texts
            .merge(&other.texts, self.classes[TEXT], other.classes[TEXT]);
        self.blobs.merge(other.blobs);
        for (count, more) in self.classes.iter_mut().zip(other.classes) {
            *count += more;
        }
        for (count, more) in self.blank.iter_mut().zip(other.blank) {
            *count += more;
        }
        for (first, other) in self.firsts.iter_mut().zip(&other.firsts) {
            if first.is_none() {
                first.clone_from(other);
            }
        }
    }

    /// How many values are NULL, INTEGER, REAL, TEXT and BLOB; those that are to become NULL are none of them.
    pub fn classes(&self) -> [u64; 5] {
        self.classes
    }

    /// How many values are texts that are to become NULL.
    pub fn blank(&self) -> u64 {
        self.blank.iter().sum()
    }

    /// Of the texts that are to become NULL those that are there, or come by default. NULL comes back as the one if there is only one, and no
    /// NULL.
    pub fn blanks(&self) -> Blanks {
        let is_there = |blank: Blank| self.blank[blank.index()] > 0 || self.blank_default == Some(blank);
        let mut there = Blank::ALL.into_iter().filter(|blank| is_there(*blank));
        let back = match (there.next(), there.next()) {
            (Some(only), None) if self.classes[NULL] == 0 => Some(only),
            _ => None,
        };
        self.blanks.chosen(is_there, back)
    }

    /// The smallest and the largest INTEGER.
    pub fn integers(&self) -> Option<(i64, i64)> {
        (self.classes[INTEGER] > 0).then_some((self.integers.min, self.integers.max))
    }

    /// The bytes of the longest TEXT.
    pub fn longest_text(&self) -> usize {
        self.texts.longest
    }

    /// The bytes of the longest BLOB.
    pub fn longest_blob(&self) -> usize {
        self.blobs.longest
    }

    /// How many TEXT values hold a NUL character.
    pub fn texts_with_nul(&self) -> u64 {
        self.texts.with_nul
    }

    /// How many TEXT values are not UTF-8.
    pub fn texts_not_utf8(&self) -> u64 {
        self.texts.not_utf8
    }

    /// Some of the values: the first of each storage class, and the first text of another form than those before it.
    pub fn examples(&self) -> Vec<&str> {
        let firsts = self.firsts.iter().skip(1).flatten();
        let texts = &self.texts;
        let odd = texts.shape.misfit.iter().chain(&texts.json.misfit);
        let mut examples: Vec<&str> = Vec::new();
        for example in firsts.chain(odd).map(AsRef::as_ref) {
            if !examples.contains(&example) {
                examples.push(example);
            }
        }
        examples
    }

    /// The type. Every value seen comes back from it, but for those that make [`Choice::rejects_possible`] true, and what the column's default
    /// gives does too.
    pub fn choose(&self, rules: Rules) -> Choice {
        let choice = self.by_values(rules);
        match &self.default {
            Some(default) if self.heeds(default.weight) => self.with_default(default, choice, rules),
            _ => choice,
        }
    }

    fn heeds(&self, weight: Weight) -> bool {
        let mut others = [INTEGER, REAL, BLOB]
            .into_iter()
            .chain((weight == Weight::Alone).then_some(TEXT));
        others.all(|class| self.classes[class] == 0)
    }

    /// A default of another form than the values' would be lost; if it is a text, the column is what holds both, and so is one without values
    /// whatever the default is. What it tells of now may be respelt, but not change the type.
    fn with_default(&self, default: &Default, choice: Choice, rules: Rules) -> Choice {
        let value = default.value.value();
        if choice.rendering.encode(value, &mut Vec::new()).is_ok() {
            return choice;
        }
        let mut both = self.clone();
        both.observe(value);
        let both = both.by_values(rules);
        let same = both.rendering.pg_type() == choice.rendering.pg_type();
        if same {
            return Choice {
                why: choice.why,
                ..both
            };
        }
        if default.weight != Weight::Moment {
            return Choice {
                why: format!("{}; its default is {}", choice.why, default.told),
                ..both
            };
        }
        choice
    }

    fn by_values(&self, rules: Rules) -> Choice {
        let (rendering, why) = self.decide(rules);
        let too_large = self.texts.longest > FIELD_BYTES_MAX || self.blobs.longest > FIELD_BYTES_MAX;
        let not_text = matches!(rendering, Rendering::Text | Rendering::TextNumber) && !self.texts_fit();
        Choice {
            rendering,
            why,
            rejects_possible: too_large || not_text,
        }
    }

    fn texts_fit(&self) -> bool {
        self.texts.with_nul == 0 && self.texts.not_utf8 == 0
    }

    fn decide(&self, rules: Rules) -> (Rendering, String) {
        let has = self.classes.map(|count| count > 0);
        let numbers = self.classes[INTEGER] + self.classes[REAL];
        match (has[INTEGER] || has[REAL], has[TEXT], has[BLOB]) {
            (false, false, false) => self.without_values(rules),
            (true, false, false) => match self.of_numbers(rules) {
                Some((rendering, why)) => (rendering, format!("{}{why}", self.counted())),
                None => (Rendering::MixedText, self.mixed()),
            },
            (false, true, false) => self.of_texts(rules),
            (true, true, false) if self.is_json_with_numbers(rules) => {
                (Rendering::JsonNumber, format!("{}, all JSON", self.counted()))
            }
            (_, true, false) if self.is_decimal(rules) => {
                (Rendering::Decimal, format!("{}, all decimals", self.counted()))
            }
            (false, false, true) => {
                let uuids = self.declared == Declared::Uuid && self.blobs.uuids && !rules.used_in_expressions;
                let blobs = counted(self.classes[BLOB], "blob");
                if uuids {
                    (
                        Rendering::UuidBlob,
                        format!("declared as UUID, {blobs} of 16 bytes"),
                    )
                } else {
                    (Rendering::Blob, blobs)
                }
            }
            (_, _, false) if numbers > 0 && self.texts_fit() => (Rendering::MixedText, self.mixed()),
            _ => (Rendering::MixedBytea, self.mixed()),
        }
    }

    fn without_values(&self, rules: Rules) -> (Rendering, String) {
        let declared = self.declared.rendering();
        let fits = match declared {
            Rendering::Date
            | Rendering::Time(_)
            | Rendering::Timestamp { .. }
            | Rendering::Timestamptz { .. }
            | Rendering::Uuid => !rules.keep_text && !rules.used_in_expressions,
            Rendering::Json => !rules.keep_text && !rules.used_in_expressions && !rules.in_key_with_others,
            _ => true,
        };
        let rendering = if fits && declared != Rendering::Text {
            declared
        } else {
            self.plain()
        };
        (rendering, "no values: by its declaration".to_owned())
    }

    fn of_numbers(&self, rules: Rules) -> Option<(Rendering, &'static str)> {
        if self.is_json_with_numbers(rules) {
            return Some((Rendering::JsonNumber, " in a column declared as JSON"));
        }
        if self.is_decimal(rules) {
            return Some((Rendering::DecimalNumber, " in a column declared as decimal"));
        }
        match (self.classes[INTEGER] > 0, self.classes[REAL] > 0) {
            (true, false) => {
                let bits = self.integers.min >= 0 && self.integers.max <= 1;
                Some(if self.declared == Declared::Boolean && bits {
                    (
                        Rendering::Boolean,
                        ", all 0 or 1, in a column declared as boolean",
                    )
                } else {
                    (Rendering::Integer, "")
                })
            }
            (false, _) if self.declared == Declared::Decimal => {
                Some((Rendering::Real, ", not all of them decimals of at most 15 digits"))
            }
            (false, _) => Some((Rendering::Real, "")),
            (true, true) if self.integers.exact && self.reals.number => {
                Some((Rendering::Number, ", which a double holds exactly"))
            }
            (true, true) => self.reals.decimal.then_some((
                Rendering::DecimalNumber,
                ", not all of which a double holds exactly",
            )),
        }
    }

    /// Whether the declaration asks for decimals and all values are.
    fn is_decimal(&self, rules: Rules) -> bool {
        let texts = self.classes[TEXT] == 0
            || (self.texts.decimal && !rules.used_in_expressions && !rules.in_key_with_others);
        self.declared == Declared::Decimal && self.reals.decimal && self.reals.short && texts
    }

    fn is_json_with_numbers(&self, rules: Rules) -> bool {
        let allowed = !rules.used_in_expressions && !rules.in_key_with_others;
        let json = &self.texts.json;
        self.declared == Declared::Json && allowed && json.valid && json.numberless && self.reals.finite
    }

    fn of_texts(&self, rules: Rules) -> (Rendering, String) {
        let count = self.classes[TEXT];
        let texts = counted(count, "text");
        if rules.used_in_expressions {
            return (self.plain(), format!("{texts}, read by an expression"));
        }
        if rules.keep_text {
            return (self.plain(), format!("{texts}, and text is kept"));
        }
        let shape = &self.texts.shape;
        let example = shape.example.as_deref().unwrap_or_default();
        if let Some(rendering) = self.shape_rendering() {
            return (rendering, format!("{texts} of the form {example}"));
        }
        let json = &self.texts.json;
        if json.valid && (json.containers || self.declared == Declared::Json) && !rules.in_key_with_others {
            return if json.jsonb {
                (Rendering::Jsonb, format!("{texts}, all JSON as jsonb writes it"))
            } else {
                (
                    Rendering::Json,
                    format!("{texts}, all JSON, not all as jsonb writes it"),
                )
            };
        }
        (self.plain(), self.why_text(&texts))
    }

    /// Texts as they are. A number that is written to them in PostgreSQL becomes one on the way back, where SQLite makes numbers of texts.
    fn plain(&self) -> Rendering {
        if self.texts.numberless {
            Rendering::TextNumber
        } else {
            Rendering::Text
        }
    }

    /// The rendering of texts that all have one form.
    fn shape_rendering(&self) -> Option<Rendering> {
        let shape = &self.texts.shape;
        (shape.fitting == self.classes[TEXT]).then_some(())?;
        let form = match shape.layout? {
            Layout::Uuid => return Some(Rendering::Uuid),
            Layout::Moment(form) => form,
        };
        let precision = shape.precisions.and_then(Precisions::choice);
        Some(match form {
            Form::Date => Rendering::Date,
            // `10:20` alone may be many things.
            Form::Time if self.declared != Declared::Time => return None,
            Form::Time => Rendering::Time(precision?),
            Form::Timestamp(separator) => Rendering::Timestamp {
                separator,
                precision: precision?,
            },
            Form::Timestamptz(separator, zone) => Rendering::Timestamptz {
                separator,
                precision: precision?,
                zone,
            },
        })
    }

    fn why_text(&self, texts: &str) -> String {
        let shape = &self.texts.shape;
        let count = self.classes[TEXT];
        let misfits = count - shape.fitting;
        if let (Some(example), Some(misfit)) = (&shape.example, &shape.misfit) {
            return if misfits == 0 {
                format!("{texts} of the form {example}, but with fractions of different lengths: {misfit}")
            } else {
                let misfits = grouped(misfits);
                let are = if misfits == "1" { "is" } else { "are" };
                format!("{misfits} of {texts} {are} not of the form {example}: {misfit}")
            };
        }
        let json = &self.texts.json;
        match &json.misfit {
            Some(misfit) if json.fitting > 0 || self.declared == Declared::Json => {
                format!("{texts}, not all of them JSON: {misfit}")
            }
            _ => texts.to_owned(),
        }
    }

    /// `2 integers and 1 text`
    pub(super) fn counted(&self) -> String {
        let names = ["NULL", "integer", "real", "text", "blob"];
        let parts = names.into_iter().zip(self.classes).skip(1);
        let parts: Vec<String> = parts
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| counted(count, name))
            .collect();
        parts.join(" and ")
    }

    fn mixed(&self) -> String {
        let examples: Vec<&str> = self.firsts.iter().skip(1).flatten().map(AsRef::as_ref).collect();
        format!("{}: {}", self.counted(), examples.join(", "))
    }
}

impl Integers {
    #[inline]
    fn observe(&mut self, number: i64) {
        self.min = self.min.min(number);
        self.max = self.max.max(number);
        // A double holds every integer up to 2^53.
        if number.unsigned_abs() > 1 << 53 {
            self.exact &= exact(number).is_ok();
        }
    }

    fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.exact &= other.exact;
    }
}

impl Reals {
    #[inline]
    fn observe(&mut self, number: f64) {
        if self.number || self.decimal {
            self.number &= number_returns(number);
            self.decimal &= decimal_returns(number);
        }
        self.finite &= number.is_finite();
        if self.short {
            self.short = is_short(number);
        }
    }

    fn merge(&mut self, other: Self) {
        self.number &= other.number;
        self.decimal &= other.decimal;
        self.short &= other.short;
        self.finite &= other.finite;
    }
}

/// Whether SQLite makes an INTEGER of a text of digits in a column.
fn makes_integers(column: &Column) -> bool {
    matches!(
        column.kind,
        ColumnKind::Sqlite {
            affinity: Affinity::Integer | Affinity::Numeric,
            ..
        }
    )
}

/// Whether a double is the nearest to a decimal of at most 15 significant digits, of which at most 30 stand before and at most 30 behind the
/// point.
fn is_short(number: f64) -> bool {
    // Most amounts have few digits behind the point. An integer below 2^53 divided by a power of ten is the double nearest to that
    // decimal, because the division is rounded once.
    for scale in [1e2, 1e4] {
        let scaled = (number * scale).round();
        if scaled.abs() < 1e15 && (scaled / scale).to_bits() == number.to_bits() {
            return true;
        }
    }
    let text = number.abs().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let significant = match whole {
        "0" => fraction.trim_start_matches('0').len(),
        _ if fraction.is_empty() => whole.trim_end_matches('0').len(),
        _ => whole.len() + fraction.len(),
    };
    number.is_finite() && significant <= 15 && whole.len() <= 30 && fraction.len() <= 30
}

impl Texts {
    #[inline]
    fn observe(&mut self, text: &[u8], first: bool, declared_json: bool) {
        self.longest = self.longest.max(text.len());
        let fitted = (first || self.shape.layout.is_some()) && self.shape.observe(text, first);
        // What has a form is ASCII without NUL.
        let fits = fitted || self.check(text);
        if self.json.valid {
            self.json.observe(text, fits, declared_json);
        }
        if self.decimal {
            self.decimal = std::str::from_utf8(text).is_ok_and(decimal_text_returns);
        }
        if self.numberless {
            self.numberless = !is_number(text);
        }
    }

    #[inline]
    fn check(&mut self, text: &[u8]) -> bool {
        if is_plain(text) {
            return true;
        }
        let utf8 = simdutf8::basic::from_utf8(text).is_ok();
        let nul = text.contains(&0);
        self.not_utf8 += u64::from(!utf8);
        self.with_nul += u64::from(nul);
        utf8 && !nul
    }

    fn merge(&mut self, other: &Self, count: u64, other_count: u64) {
        self.longest = self.longest.max(other.longest);
        self.with_nul += other.with_nul;
        self.not_utf8 += other.not_utf8;
        if count == 0 {
            self.shape = other.shape.clone();
        } else if other_count > 0 {
            self.shape.merge(&other.shape);
        }
        self.json.merge(&other.json);
        self.decimal &= other.decimal;
        self.numberless &= other.numberless;
    }
}

impl Shape {
    /// Whether the text has the form of the first.
    fn observe(&mut self, text: &[u8], first: bool) -> bool {
        if first {
            let layout = read_layout(text);
            self.layout = layout.map(|(layout, _)| layout);
            self.precisions = layout.and_then(|(_, precisions)| precisions);
            if layout.is_some() {
                self.example = Some(String::from_utf8_lossy(text).into());
                self.fitting = 1;
            }
            return layout.is_some();
        }
        let fits = match self.layout {
            None => return false,
            Some(Layout::Uuid) => small_uuid(text).is_some(),
            Some(Layout::Moment(form)) => match read_moment(text) {
                Some(moment) if moment.form == form => {
                    self.narrow(Some(moment.precisions), text);
                    true
                }
                _ => false,
            },
        };
        if fits {
            self.fitting += 1;
        } else if self.misfit.is_none() {
            self.misfit = Some(Value::Text(text).describe().into());
        }
        fits
    }

    /// Leaves the precisions that these have too; remembers the text that leaves none.
    fn narrow(&mut self, precisions: Option<Precisions>, text: &[u8]) {
        if let (Some(before), Some(these)) = (self.precisions, precisions) {
            let both = before.and(these);
            if both.choice().is_none() && before.choice().is_some() && self.misfit.is_none() {
                self.misfit = Some(Value::Text(text).describe().into());
            }
            self.precisions = Some(both);
        }
    }

    /// Both have seen a text.
    fn merge(&mut self, other: &Self) {
        if self.layout == other.layout {
            self.fitting += other.fitting;
            let example = other.example.as_deref().unwrap_or_default();
            self.narrow(other.precisions, example.as_bytes());
        }
        if self.misfit.is_none() {
            let odd = if self.layout == other.layout {
                other.misfit.as_ref()
            } else {
                other.example.as_ref().or(other.misfit.as_ref())
            };
            self.misfit = odd.cloned();
        }
    }
}

fn read_layout(text: &[u8]) -> Option<(Layout, Option<Precisions>)> {
    if small_uuid(text).is_some() {
        return Some((Layout::Uuid, None));
    }
    let Moment { form, precisions, .. } = read_moment(text)?;
    Some((Layout::Moment(form), Some(precisions)))
}

impl Json {
    fn observe(&mut self, text: &[u8], fits: bool, declared: bool) {
        let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let first = text.iter().find(|byte| !blank(byte));
        let container = matches!(first, Some(b'{' | b'['));
        let verdict = (fits && (container || declared))
            .then(|| json_text::judge(text))
            .flatten()
            .filter(|verdict| !verdict.too_deep);
        let Some(verdict) = verdict else {
            self.valid = false;
            self.misfit = Some(Value::Text(text).describe().into());
            return;
        };
        self.fitting += 1;
        self.containers &= container;
        self.jsonb &= check_jsonb(text, verdict).is_ok();
        self.numberless &= container || lone_number(text).is_none();
    }

    fn merge(&mut self, other: &Self) {
        self.valid &= other.valid;
        self.containers &= other.containers;
        self.jsonb &= other.jsonb;
        self.numberless &= other.numberless;
        self.fitting += other.fitting;
        if self.misfit.is_none() {
            self.misfit.clone_from(&other.misfit);
        }
    }
}

impl Blobs {
    #[inline]
    fn observe(&mut self, bytes: &[u8]) {
        self.longest = self.longest.max(bytes.len());
        self.uuids &= bytes.len() == 16;
    }

    fn merge(&mut self, other: Self) {
        self.longest = self.longest.max(other.longest);
        self.uuids &= other.uuids;
    }
}
