//! A source that a copy into it has not filled to its end: a half must not be taken for a whole.

use std::fmt;

use cutover_domain::transfer::plan::Scope;
use cutover_domain::transfer::words::counted;
use cutover_ports::transfer::{TransferError, TransferResult, TransferSource, UnfinishedRun};

/// So many tables are named.
const NAMED: usize = 5;

/// The beginning of what is said of a copy that has not come to its end; `into` is the database, or what of it is meant.
pub(crate) fn not_at_its_end(source: &str, into: &str) -> String {
    format!("a copy of {source} into {into} has not come to its end (it was interrupted, or still runs)")
}

/// What a source holds of a copy into it that has not come to its end.
#[derive(Debug, Clone)]
pub struct Half {
    from: String,
    into: String,
    tables: Vec<String>,
}

impl Half {
    /// That of a source, if it is about tables that are meant.
    pub async fn of(source: &dyn TransferSource, scope: &Scope) -> TransferResult<Option<Self>> {
        let Some(UnfinishedRun {
            source: from, tables, ..
        }) = source.unfinished().await?
        else {
            return Ok(None);
        };
        let catalog = source.catalog().await?;
        let there = catalog.tables.into_iter().map(|table| table.name);
        let meant = there.filter(|name| scope.includes(name) && tables.contains_key(name));
        let tables: Vec<String> = meant.collect();
        let into = source.describe();
        Ok((!tables.is_empty()).then_some(Self { from, into, tables }))
    }

    /// Refuses to copy from it.
    pub fn refusal(&self) -> TransferError {
        TransferError::Refused(self.to_string())
    }
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, into, tables } = self;
        let named = tables.get(..NAMED).unwrap_or(tables).join(", ");
        let others = match tables.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {} more", counted(more as u64, "table")),
        };
        write!(
            f,
            "{}, so that rows of {named}{others} may be missing there; finish it by its own command, leave these tables out (--exclude), or drop \
             them",
            not_at_its_end(from, into)
        )
    }
}
