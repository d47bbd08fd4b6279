//! What a column's declared type asks for. It never overrules the values: it decides between types that all of them fit, and the
//! type of a column without any.

use super::super::catalog::{Affinity, Column, ColumnKind};
use super::super::rendering::{Precision, Rendering, Separator, Zone};

/// A declared type, by what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declared {
    Boolean,
    Integer,
    Real,
    Decimal,
    Date,
    Timestamp,
    Timestamptz,
    Time,
    Json,
    Uuid,
    Blob,
    /// Text, nothing, or anything else.
    Other,
}

impl Declared {
    pub(super) fn of(column: &Column) -> Self {
        match &column.kind {
            ColumnKind::Sqlite { declared, affinity } => Self::of_words(declared, *affinity),
            ColumnKind::Postgres(_) => Self::Other,
        }
    }

    fn of_words(declared: &str, affinity: Affinity) -> Self {
        let upper = declared.to_ascii_uppercase();
        let words: Vec<&str> = upper
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
        let with_zone = words.ends_with(&["WITH", "TIME", "ZONE"]);
        let moment = has(&["DATETIME", "DATETIME2", "SMALLDATETIME", "TIMESTAMP"]);
        if has(&["BOOL", "BOOLEAN"]) {
            Self::Boolean
        } else if has(&["JSON", "JSONB"]) {
            Self::Json
        } else if has(&["UUID", "GUID", "UNIQUEIDENTIFIER"]) {
            Self::Uuid
        } else if has(&["TIMESTAMPTZ", "DATETIMEOFFSET"]) || (moment && with_zone) {
            Self::Timestamptz
        } else if moment {
            Self::Timestamp
        } else if has(&["DATE"]) {
            Self::Date
        } else if has(&["TIME"]) && !with_zone {
            Self::Time
        } else if affinity == Affinity::Numeric && has(&DECIMALS) {
            Self::Decimal
        } else {
            match affinity {
                Affinity::Integer => Self::Integer,
                Affinity::Real => Self::Real,
                Affinity::Blob if !words.is_empty() => Self::Blob,
                Affinity::Text | Affinity::Numeric | Affinity::Blob => Self::Other,
            }
        }
    }

    /// Of columns that must get one type.
    pub(super) fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Other }
    }

    /// The rendering of a column without values.
    pub(super) fn rendering(self) -> Rendering {
        let (separator, precision) = (Separator::Space, Precision::SixOrNone);
        match self {
            Self::Boolean => Rendering::Boolean,
            Self::Integer => Rendering::Integer,
            Self::Real => Rendering::Real,
            Self::Decimal => Rendering::DecimalNumber,
            Self::Date => Rendering::Date,
            Self::Timestamp => Rendering::Timestamp { separator, precision },
            Self::Timestamptz => match Zone::parse(b"+00:00") {
                Some(zone) => Rendering::Timestamptz {
                    separator,
                    precision,
                    zone,
                },
                None => Rendering::Text,
            },
            Self::Time => Rendering::Time(precision),
            Self::Json => Rendering::Json,
            Self::Uuid => Rendering::Uuid,
            Self::Blob => Rendering::Blob,
            Self::Other => Rendering::Text,
        }
    }
}

/// Names of exact numbers, in the databases that SQLite's schemas are written after.
const DECIMALS: [&str; 8] = [
    "DECIMAL",
    "NUMERIC",
    "DEC",
    "FIXED",
    "NUMBER",
    "MONEY",
    "SMALLMONEY",
    "CURRENCY",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_word_by_word() {
        for (declared, is) in [
            ("bool", Declared::Boolean),
            ("Boolean NOT", Declared::Boolean),
            ("BOOLEANISH", Declared::Other),
            ("TINYINT(1)", Declared::Integer),
            ("FLOATING POINT", Declared::Integer),
            ("DOUBLE PRECISION", Declared::Real),
            ("DECIMAL(5,2)", Declared::Decimal),
            ("numeric", Declared::Decimal),
            ("MONEY", Declared::Decimal),
            ("DECIMAL INT", Declared::Integer),
            ("DATE", Declared::Date),
            ("datetime", Declared::Timestamp),
            ("DATETIME2(7)", Declared::Timestamp),
            ("TIMESTAMP WITHOUT TIME ZONE", Declared::Timestamp),
            ("TIMESTAMP(3) WITH TIME ZONE", Declared::Timestamptz),
            ("timestamptz", Declared::Timestamptz),
            ("TIME", Declared::Time),
            ("TIME(0) WITHOUT TIME ZONE", Declared::Time),
            ("TIME WITH TIME ZONE", Declared::Other),
            ("JSON", Declared::Json),
            ("json_text", Declared::Json),
            ("uniqueidentifier", Declared::Uuid),
            ("BLOB", Declared::Blob),
            ("", Declared::Other),
            ("VARCHAR(36)", Declared::Other),
            ("STRING", Declared::Other),
        ] {
            assert_eq!(
                Declared::of_words(declared, Affinity::of(declared)),
                is,
                "{declared}"
            );
        }
    }
}
