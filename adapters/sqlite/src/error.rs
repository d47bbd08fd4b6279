//! What SQLite's errors mean for a store.

use cutover_domain::relations;
use cutover_ports::StoreError;
use rusqlite::{ErrorCode, ffi};

/// The key of a foreign key violation before the session has found out which one it was: SQLite does not say.
const UNNAMED_FOREIGN_KEY: &str = "a row referred to";

/// Translates a driver error. Every SQLite statement is undone as a whole when it fails, so nothing was written.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return match error {
            rusqlite::Error::ToSqlConversionFailure(cause) => StoreError::invalid("value", cause.to_string()),
            // It quotes the statement, and what is logged is one line.
            rusqlite::Error::SqlInputError { msg, sql, .. } => {
                let words: Vec<&str> = sql.split_whitespace().collect();
                StoreError::Backend(format!("{msg} in {}", words.join(" ")).into())
            }
            other => StoreError::Backend(other.into()),
        };
    };
    let message = message.as_deref().unwrap_or_default();
    match (code.code, code.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            StoreError::Unavailable("the file is locked by another writer".into())
        }
        (ErrorCode::DiskFull, _) => StoreError::NO_ROOM,
        (ErrorCode::ReadOnly, _) => {
            StoreError::Unwritable("the file, or the folder that it lies in, is read-only")
        }
        (ErrorCode::CannotOpen | ErrorCode::SystemIoFailure, _) => StoreError::Unavailable(error.into()),
        (
            _,
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID,
        ) => StoreError::conflict(unique_key(message)),
        (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => StoreError::missing(UNNAMED_FOREIGN_KEY),
        (_, ffi::SQLITE_CONSTRAINT_NOTNULL) => {
            StoreError::invalid(after_colon(message), "a value is required")
        }
        (_, ffi::SQLITE_CONSTRAINT_CHECK) => {
            tracing::warn!(check = after_colon(message), "a row breaks a check");
            StoreError::broken_check()
        }
        (ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig, _) => {
            StoreError::invalid("value", message)
        }
        _ => StoreError::Backend(error.into()),
    }
}

fn after_colon(message: &str) -> &str {
    message.split_once(": ").map_or(message, |(_, rest)| rest)
}

/// `UNIQUE constraint failed: t.a, t.b` as `t.a,b`.
fn unique_key(message: &str) -> String {
    let mut columns = after_colon(message).split(", ");
    let first = columns.next().unwrap_or_default().to_owned();
    columns.fold(first, |key, column| {
        let name = column.rsplit_once('.').map_or(column, |(_, name)| name);
        format!("{key},{name}")
    })
}

/// Whether `error` says that a statement names a table or a column that is not there.
pub(crate) fn is_unknown_name(error: &StoreError) -> bool {
    let StoreError::Backend(cause) = error else {
        return false;
    };
    let cause = cause.to_string();
    cause.starts_with("no such column") || cause.starts_with("no such table")
}

/// Whether `error` is a foreign key violation that has no name yet.
pub(crate) fn is_unnamed_foreign_key(error: &StoreError) -> bool {
    matches!(error, StoreError::Missing(key) if key == UNNAMED_FOREIGN_KEY)
}

/// The children that may forbid a delete from `parent`, as a conflict's key.
pub(crate) fn restricting_children(parent: &str) -> impl Iterator<Item = &'static relations::Relation> {
    relations::children_of(parent).filter(|relation| relation.on_delete == relations::OnDelete::Refuse)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn a_statement_is_quoted_on_one_line() {
        let connection = Connection::open_in_memory().unwrap();
        let refused = connection.prepare("SELECT 1,\n    a\n LIMIT 1").unwrap_err();
        let error = store_error(refused);
        assert!(is_unknown_name(&error), "{error}");
        let told = error.to_string();
        assert!(
            told.ends_with("no such column: a in SELECT 1, a LIMIT 1"),
            "{told}"
        );
    }

    #[test]
    fn a_file_that_takes_no_writes_is_told_as_such() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (a); PRAGMA query_only = ON")
            .unwrap();
        let refused = connection.execute("INSERT INTO t VALUES (1)", []).unwrap_err();
        let told = store_error(refused).to_string();
        assert_eq!(
            told,
            "the database takes no writes: the file, or the folder that it lies in, is read-only"
        );
    }
}
