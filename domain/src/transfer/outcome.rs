//! What converting a value comes to.

use std::fmt;

use serde::Serialize;

use super::catalog::NAME_BYTES_MAX;
use super::value::StorageClass;

/// Why the target cannot hold a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reject {
    /// A NUL character in text.
    NulInText,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Text longer than the column's limit.
    TooLong(u32),
    /// Text with more bytes than the type `name` takes.
    NameTooLong,
    /// More bytes than the target takes.
    TooLarge,
    /// A storage class that the column's type has no place for.
    WrongClass(StorageClass),
    /// A number beyond the column's range.
    OutOfRange,
    /// A number that the column's type holds only approximately.
    Inexact,
    /// Text that is not a number.
    NotANumber,
    /// Text that is not a time in any form that is read.
    NotATime,
    /// A time finer than the column keeps.
    TooFine,
    /// Text that is not a UUID.
    NotAUuid,
    /// Text that is not JSON.
    NotJson,
    /// `\u0000` in a JSON string.
    JsonNul,
    /// Half a surrogate pair in a JSON string.
    JsonSurrogate,
    /// A JSON number beyond `numeric`.
    JsonNumber,
    /// A JSON document nested deeper than the server reads.
    JsonDepth,
    /// NULL where the column refuses it.
    NullNotAllowed,
    /// So many values in a row that no page of PostgreSQL holds it, even with the large ones kept elsewhere.
    RowTooWide,
    /// A row with the same key came before.
    DuplicateKey,
    /// The column's type is none that values are converted to.
    UnknownType,
    /// A value of PostgreSQL that SQLite has no form for (NaN, infinity, a time before year 1 or after 9999).
    NoForm,
    /// A number of PostgreSQL that SQLite would make another one of: with zeros before it, or more digits than a double has.
    OtherNumber,
    /// A value that the column's type would give back in another form.
    Changed,
    /// A value that stands neither for true nor for false.
    NoTruth,
    /// Text with a byte that means nothing in the column's charset.
    NotInCharset,
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NulInText => "text with a NUL character",
            Self::NotUtf8 => "text that is not UTF-8",
            Self::TooLong(limit) => return write!(f, "text longer than {limit} characters"),
            Self::NameTooLong => return write!(f, "text longer than the {NAME_BYTES_MAX} bytes of a name"),
            Self::TooLarge => "a value larger than the database holds",
            Self::WrongClass(class) => {
                return write!(
                    f,
                    "{} where the column's type has no place for it",
                    class.as_str()
                );
            }
            Self::OutOfRange => "a number beyond the column's range",
            Self::Inexact => "a number that the column's type would round",
            Self::NotANumber => "text that is not a number",
            Self::NotATime => "text that is not a time",
            Self::TooFine => "a time finer than the column keeps",
            Self::NotAUuid => "text that is not a UUID",
            Self::NotJson => "text that is not valid JSON",
            Self::JsonNul => "JSON with \\u0000 in a string",
            Self::JsonSurrogate => "JSON with half a surrogate pair in a string",
            Self::JsonNumber => "JSON with a number beyond the range of numeric",
            Self::JsonDepth => "JSON nested too deep",
            Self::RowTooWide => "a row of more values than a page of PostgreSQL holds",
            Self::NullNotAllowed => "NULL where the column refuses it",
            Self::DuplicateKey => "a key that an earlier row has",
            Self::UnknownType => "a column type that values are not converted to",
            Self::NoForm => "a value that SQLite has no form for",
            Self::OtherNumber => "a number of which SQLite would not keep every digit",
            Self::Changed => "a value that the column's type would give back in another form",
            Self::NotInCharset => "text with a byte that means nothing in the charset named",
            Self::NoTruth => "a value that was named neither for true nor for false",
        };
        f.write_str(text)
    }
}

/// In what another spelling a value is stored, with the same meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalised {
    /// A time written otherwise than `2026-01-01T12:00:00.123456+00:00`.
    TimeSpelling,
    /// A time without a zone, given the legacy zone.
    NaiveTime,
    /// JSON that `jsonb` writes otherwise: blanks, order of keys, escapes, numbers.
    JsonSpelling,
    /// JSON with a key twice, of which `jsonb` keeps the last.
    JsonDuplicateKeys,
    /// A number in a JSON column.
    NumberAsJson,
    /// An integer in a column of doubles.
    IntegerAsReal,
    /// A double without a fraction in a column of integers.
    RealAsInteger,
    /// An integer in a column of decimals that shows digits behind the point.
    IntegerAsDecimal,
    /// A double in a column of decimals.
    RealAsDecimal,
    /// Text in a column of decimals.
    TextAsDecimal,
    /// Text of another length than its `character(n)`, which fills it up with blanks, or with blanks at its end.
    BlankPadding,
    /// A UUID in capitals or as a blob.
    UuidSpelling,
    /// `''` as NULL, as asked for.
    EmptyAsNull,
    /// A zero date as NULL, as asked for.
    ZeroDateAsNull,
    /// A bound of an R-Tree, which keeps 32 bits of a number: the next one on its side.
    BoundOf32Bits,
    /// NULL in a column that the file computes, and PostgreSQL does not: the value that it is computed to.
    Computed,
}

impl Normalised {
    /// All kinds, in order.
    pub const ALL: [Self; 16] = [
        Self::TimeSpelling,
        Self::NaiveTime,
        Self::JsonSpelling,
        Self::JsonDuplicateKeys,
        Self::NumberAsJson,
        Self::IntegerAsReal,
        Self::RealAsInteger,
        Self::IntegerAsDecimal,
        Self::RealAsDecimal,
        Self::TextAsDecimal,
        Self::BlankPadding,
        Self::UuidSpelling,
        Self::EmptyAsNull,
        Self::ZeroDateAsNull,
        Self::BoundOf32Bits,
        Self::Computed,
    ];

    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimeSpelling => "time_spelling",
            Self::NaiveTime => "naive_time",
            Self::JsonSpelling => "json_spelling",
            Self::JsonDuplicateKeys => "json_duplicate_keys",
            Self::NumberAsJson => "number_as_json",
            Self::IntegerAsReal => "integer_as_real",
            Self::RealAsInteger => "real_as_integer",
            Self::IntegerAsDecimal => "integer_as_decimal",
            Self::RealAsDecimal => "real_as_decimal",
            Self::TextAsDecimal => "text_as_decimal",
            Self::BlankPadding => "blank_padding",
            Self::UuidSpelling => "uuid_spelling",
            Self::EmptyAsNull => "empty_as_null",
            Self::ZeroDateAsNull => "zero_date_as_null",
            Self::BoundOf32Bits => "bound_of_32_bits",
            Self::Computed => "computed",
        }
    }
}

/// What became of a value: the same, another spelling, or refused.
pub type Outcome = Result<Option<Normalised>, Reject>;
