//! What PostgreSQL's errors mean for a store.

use cutover_domain::relations;
use cutover_ports::StoreError;
use tokio_postgres::error::{DbError, SqlState};

/// Whether a lost connection leaves open what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing was written, or will be rolled back.
    None,
    /// A write that commits by itself, or a COMMIT.
    Commits,
}

/// The server cannot be reached, or ended the connection before anything was written.
pub(crate) fn unavailable(error: impl Into<cutover_ports::error::BoxError>) -> StoreError {
    StoreError::Unavailable(error.into())
}

/// Translates a driver error. `effect` tells what a lost connection means.
pub(crate) fn store_error(error: tokio_postgres::Error, effect: Effect) -> StoreError {
    match error.as_db_error() {
        Some(db) => match from_state(db, effect) {
            Some(known) => known,
            None => StoreError::Backend(said(db).into()),
        },
        None if error.is_closed() || is_io(&error) => match effect {
            Effect::None => StoreError::Unavailable(error.into()),
            Effect::Commits => StoreError::Indeterminate(error.into()),
        },
        None => match conversion(&error) {
            Some(reason) => StoreError::invalid("value", reason),
            None => StoreError::Backend(error.into()),
        },
    }
}

/// What the server says, for who has to mend it: the driver's own text leaves it out. The detail may hold values, as the message of a data
/// exception does (class 22).
fn said(db: &DbError) -> String {
    let code = db.code().code();
    let message = if code.starts_with("22") {
        "a data exception"
    } else {
        db.message()
    };
    format!("{message} (SQLSTATE {code})")
}

/// Whether the connection is gone, or about to be: the server says so, or says nothing any more.
pub(crate) fn is_lost_connection(error: &tokio_postgres::Error) -> bool {
    match error.as_db_error() {
        Some(db) => ends_session(db.code()),
        None => error.is_closed() || is_io(error),
    }
}

/// Whether the statement was refused before it ran, because what was prepared is not, or no longer, what would run:
/// the session is another one (a pooler), or a migration has changed the table since.
pub(crate) fn is_lost_statement(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| match *db.code() {
        SqlState::INVALID_SQL_STATEMENT_NAME => true,
        SqlState::FEATURE_NOT_SUPPORTED => db.routine() == Some("RevalidateCachedQuery"),
        _ => false,
    })
}

/// Whether the server undid the statement for the sake of others, and it would be met by what they have stored if it were run again.
pub(crate) fn has_yielded(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|db| {
        matches!(
            *db.code(),
            SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE
        )
    })
}

/// Of PostgreSQL 17 and later.
const TRANSACTION_TIMEOUT: &str = "25P04";

/// States after which the server closes the connection. Those of class 08 come from poolers.
fn ends_session(code: &SqlState) -> bool {
    matches!(
        *code,
        SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::DATABASE_DROPPED
            | SqlState::IDLE_SESSION_TIMEOUT
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
    ) || code.code() == TRANSACTION_TIMEOUT
        || code.code().starts_with("08")
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// A value that the driver could not encode for its column.
fn conversion(error: &tokio_postgres::Error) -> Option<String> {
    let text = error.to_string();
    text.starts_with("error serializing parameter")
        .then(|| std::error::Error::source(error).map_or(text, ToString::to_string))
}

fn from_state(db: &DbError, effect: Effect) -> Option<StoreError> {
    let table = db.table().unwrap_or("?");
    let code = db.code();
    Some(match *code {
        SqlState::UNIQUE_VIOLATION => StoreError::conflict(format!("{table}.{}", key_columns(db))),
        SqlState::FOREIGN_KEY_VIOLATION => foreign_key(db),
        SqlState::NOT_NULL_VIOLATION => StoreError::invalid(
            format!("{table}.{}", db.column().unwrap_or("?")),
            "a value is required",
        ),
        SqlState::CHECK_VIOLATION => {
            tracing::warn!(table, check = db.constraint(), "a row breaks a check");
            StoreError::broken_check()
        }
        // The session waited for us: nothing was under way.
        SqlState::IDLE_SESSION_TIMEOUT | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => {
            StoreError::Unavailable(db.clone().into())
        }
        // The server has undone what was under way.
        _ if code.code() == TRANSACTION_TIMEOUT => StoreError::Unavailable(db.clone().into()),
        _ if ends_session(code) => match effect {
            Effect::None => StoreError::Unavailable(db.clone().into()),
            Effect::Commits => StoreError::Indeterminate(db.clone().into()),
        },
        SqlState::QUERY_CANCELED
        | SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::OBJECT_IN_USE => StoreError::Unavailable(db.clone().into()),
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::READ_ONLY,
        SqlState::DISK_FULL => StoreError::NO_ROOM,
        // No slot, no memory.
        _ if code.code().starts_with("53") => StoreError::Unavailable(db.clone().into()),
        _ if code.code().starts_with("22") => StoreError::invalid("value", db.message()),
        _ => return None,
    })
}

/// The columns of `Key (a, b)=(…)`, which every language of the server writes alike.
fn key_columns(db: &DbError) -> String {
    let detail = db.detail().unwrap_or_default();
    detail
        .split_once(")=(")
        .and_then(|(before, _)| before.rsplit_once('('))
        .map_or_else(
            || db.constraint().unwrap_or("?").to_owned(),
            |(_, columns)| columns.replace(", ", ","),
        )
}

/// Constraints are named `<child>_<column>_fkey`. The server reports the table that the statement changed in the
/// message only, so a row that is still referred to is told from a missing parent by the detail's quoted table.
fn foreign_key(db: &DbError) -> StoreError {
    let constraint = db.constraint().unwrap_or("?");
    let Some(relation) = relations::by_constraint(constraint) else {
        return StoreError::missing(constraint);
    };
    let named = db
        .detail()
        .and_then(|detail| detail.rsplit('"').nth(1))
        .unwrap_or_default();
    if named == relation.child && relation.child != relation.parent {
        StoreError::conflict(format!("{}.{}", relation.child, relation.column))
    } else {
        StoreError::missing(relation.parent)
    }
}
