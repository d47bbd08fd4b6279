//! Values read from a file that may break the rule of their column.

/// A value as a database stores it, by SQLite's storage classes.
#[derive(Debug, Clone, PartialEq)]
pub enum StoredValue {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A double; never NaN, which SQLite stores as NULL.
    Real(f64),
    /// Text; bytes that are not UTF-8 are read as [`StoredValue::Blob`].
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A column's value: what its rule expects, or whatever an old file holds instead.
///
/// Old files are read as they are, so a row that breaks a rule stays readable, and the break shows on its field.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored<T> {
    /// The value keeps the rule.
    Known(T),
    /// The value breaks it.
    Other(StoredValue),
}

impl<T> Stored<T> {
    /// The value if it keeps the rule.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Other(_) => None,
        }
    }
}

impl<T> From<T> for Stored<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

/// An enumeration that is stored as text.
pub trait TextEnum: Sized + Copy {
    /// The stored text.
    fn as_str(self) -> &'static str;
    /// The value of a stored text, if it is one of the rule's.
    fn from_text(text: &str) -> Option<Self>;
}

/// Declares an enumeration stored as text: its variants and their stored spellings.
#[macro_export]
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $crate::stored::TextEnum for $name {
            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
            fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $name {
            /// Every value, in the order of the rule.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }
    };
}
