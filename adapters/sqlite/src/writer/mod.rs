//! The writer's repositories on SQLite, one file each.

pub mod conversation;
pub mod file;

use std::sync::Arc;

use cutover_domain::stored::Stored;
use cutover_domain::time::Timestamp;
use cutover_ports::writer::WriterRepositories;
use rusqlite::types::Value;

use crate::Database;
use crate::row::sql_value;

/// Every repository of the writer on `db`.
pub fn repositories(db: &Database) -> WriterRepositories {
    WriterRepositories {
        conversations: Arc::new(conversation::SqliteConversationRepository::new(db.clone())),
        files: Arc::new(file::SqliteFileRepository::new(db.clone())),
    }
}

/// An instant in the text form of the original's own models.
fn sql_time(value: &Stored<Timestamp>) -> Value {
    match value {
        Stored::Known(time) => Value::Text(time.to_sqlalchemy()),
        Stored::Other(other) => sql_value(other),
    }
}

/// An optional instant.
fn opt_sql_time(value: Option<&Stored<Timestamp>>) -> Value {
    value.map_or(Value::Null, sql_time)
}
