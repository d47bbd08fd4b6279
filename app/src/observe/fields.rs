//! The fields of spans and events as text.

use std::fmt::Debug;

use tracing::field::{Field, Visit};

/// Fields by name, in the order in which they were recorded.
#[derive(Debug, Default, Clone)]
pub(super) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// What was recorded last under a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut newest_first = self.0.iter().rev();
        newest_first
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All but the message.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = self.0.iter().filter(|(name, _)| *name != "message");
        named.map(|(name, value)| (*name, value.as_str()))
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }
}
