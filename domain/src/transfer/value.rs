//! Values by SQLite's storage classes.

use serde::Serialize;

use super::words::counted;

/// A value by SQLite's storage classes, in which all rows travel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double.
    Real(f64),
    /// Text as it is stored, which need not be UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A storage class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageClass {
    /// NULL.
    Null,
    /// INTEGER.
    Integer,
    /// REAL.
    Real,
    /// TEXT.
    Text,
    /// BLOB.
    Blob,
}

impl StorageClass {
    /// All of them, in this order wherever values are counted by class.
    pub const ALL: [Self; 5] = [Self::Null, Self::Integer, Self::Real, Self::Text, Self::Blob];

    /// As SQLite's `typeof` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Text => "text",
            Self::Blob => "blob",
        }
    }
}

impl Value<'_> {
    /// Its storage class.
    pub fn class(&self) -> StorageClass {
        match self {
            Self::Null => StorageClass::Null,
            Self::Integer(_) => StorageClass::Integer,
            Self::Real(_) => StorageClass::Real,
            Self::Text(_) => StorageClass::Text,
            Self::Blob(_) => StorageClass::Blob,
        }
    }

    /// For a message: numbers and readable text as they are, anything else by its class; long text is cut.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => format!("{number:?}"),
            Self::Text(bytes) => {
                let text = String::from_utf8_lossy(bytes);
                match text.char_indices().nth(60) {
                    Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
                    None => format!("{text:?}"),
                }
            }
            Self::Blob(bytes) => format!("a blob of {}", counted(bytes.len() as u64, "byte")),
        }
    }
}
