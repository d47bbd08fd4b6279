//! Raw settings by key, from every place that can give one, and the mistakes found while reading them.

use std::collections::BTreeMap;
use std::str::FromStr;

use toml::{Table, Value};

/// Every mistake in the configuration, told at once.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used:\n{}", .0.iter().map(|m| format!("  - {m}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError(pub Vec<String>);

struct Setting {
    value: Value,
    origin: String,
}

/// What is wrong with a text in TOML, and where. The error's own form quotes the line, which may hold a password.
pub fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    format!("line {}: not TOML: {}", line_at(text, at), error.message())
}

/// The number of the line that the byte `at` stands in, from 1.
pub fn line_at(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Settings by dotted key. A later layer replaces an earlier one; what nobody asks for is a mistake.
#[derive(Default)]
pub(super) struct Settings {
    known: Vec<String>,
    values: BTreeMap<String, Setting>,
    mistakes: Vec<String>,
}

impl Settings {
    /// The tables of a configuration file.
    pub(super) fn add_file(&mut self, name: &str, text: &str) {
        match text.parse::<Table>() {
            Ok(table) => self.add_table("", &table, name),
            Err(error) => {
                self.mistakes.push(format!("{name}, {}", not_toml(text, &error)));
            }
        }
    }

    fn add_table(&mut self, prefix: &str, table: &Table, origin: &str) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            match value {
                Value::Table(table) => self.add_table(&key, table, origin),
                value => self.add(&key, value.clone(), origin),
            }
        }
    }

    /// One setting; `origin` says where it was given, for messages.
    pub(super) fn add(&mut self, key: &str, value: Value, origin: &str) {
        self.values.insert(
            key.to_owned(),
            Setting {
                value,
                origin: origin.to_owned(),
            },
        );
    }

    /// A mistake found elsewhere.
    pub(super) fn mistake(&mut self, text: String) {
        self.mistakes.push(text);
    }

    /// Whether anybody gave this setting.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Takes a setting; what `read` says of a wrong one follows its key and its place.
    fn take<T>(&mut self, key: &str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        self.known.push(key.to_owned());
        let Setting { value, origin } = self.values.remove(key)?;
        let read = match &value {
            // No path, no name and no URL can have one, and some of those who take them would stop reading there.
            Value::String(text) if text.contains('\0') => Err("must not have a NUL in it".to_owned()),
            value => read(value),
        };
        read.map_err(|reason| self.mistakes.push(format!("{key} (from {origin}) {reason}")))
            .ok()
    }

    /// Text for people and for paths: one line, and not blank.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let is_told = |text: &str| !text.trim().is_empty() && !text.contains(char::is_control);
        self.parsed(key, "a line of text in quotes that is not blank", |text| {
            is_told(text).then(|| text.to_owned())
        })
    }

    /// Text that `read` understands; its error says what is wrong with it, behind the key.
    pub(super) fn checked<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.take(key, |value| {
            read(
                value
                    .as_str()
                    .ok_or_else(|| "must be text in quotes".to_owned())?,
            )
        })
    }

    /// Text that `read` understands; `expected` describes it. The text is not shown: it may hold a password.
    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.take(key, |value| {
            value.as_str().and_then(read).ok_or_else(|| must_be(expected))
        })
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        let read = |value: &Value| value.as_bool().or_else(|| bool::from_str(value.as_str()?).ok());
        self.take(key, |value| read(value).ok_or_else(|| must_be("true or false")))
            .unwrap_or(default)
    }

    /// A whole number in `range`.
    pub(super) fn number(&mut self, key: &str, range: std::ops::RangeInclusive<u32>, default: u32) -> u32 {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let read = |value: &Value| {
            let number = value.as_integer().or_else(|| value.as_str()?.parse().ok())?;
            u32::try_from(number).ok().filter(|number| range.contains(number))
        };
        self.take(key, |value| read(value).ok_or_else(|| must_be(&expected)))
            .unwrap_or(default)
    }

    /// Every mistake, those of settings that nobody knows included.
    pub(super) fn finish(mut self) -> Result<(), ConfigError> {
        for (key, setting) in &self.values {
            let near = self.known.iter().min_by_key(|known| distance(known, key));
            let hint = near
                .filter(|near| distance(near, key) <= 3)
                .map_or_else(String::new, |near| format!(" (did you mean {near}?)"));
            self.mistakes
                .push(format!("{key} (from {}) is not a setting{hint}", setting.origin));
        }
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(ConfigError(self.mistakes))
        }
    }
}

fn must_be(expected: &str) -> String {
    format!("must be {expected}")
}

/// How many single-character changes turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let above = row[j + 1];
            let changed = diagonal + usize::from(from != *to);
            row[j + 1] = changed.min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
