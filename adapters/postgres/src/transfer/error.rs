//! What PostgreSQL's errors mean for a transfer.

use cutover_ports::transfer::TransferError;
use tokio_postgres::error::{DbError, SqlState};

use crate::connect::ConnectError;

/// What to do when PostgreSQL is there again: a copy is continued, and whatever only reads begins anew.
pub(super) const ONCE_MORE: &str = "run the same command again, a copy goes on from where it was";

/// Translates a driver error. Nothing of the row that caused it is repeated: a driver's text may hold values.
pub(crate) fn transfer_error(error: &tokio_postgres::Error) -> TransferError {
    let Some(db) = error.as_db_error() else {
        let cause = std::error::Error::source(error)
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        return TransferError::Unreachable(format!(
            "the connection to PostgreSQL was lost ({error}{cause}); {ONCE_MORE}"
        ));
    };
    // Not every error names its table, but one within a COPY says of which it is.
    let place = db.where_().and_then(|place| place.lines().next());
    let copied = place.and_then(|place| Some(place.strip_prefix("COPY ")?.rsplit_once(", line ")?.0));
    let table = db.table().or(copied).unwrap_or("?").to_owned();
    match *db.code() {
        // A rule of a domain is none of a table's: it goes with the type, and cannot be set aside.
        SqlState::CHECK_VIOLATION | SqlState::FOREIGN_KEY_VIOLATION
            if db.constraint().is_some() && db.datatype().is_none() =>
        {
            TransferError::Constraint {
                table,
                constraint: db.constraint().unwrap_or_default().to_owned(),
                message: db.message().to_owned(),
            }
        }
        // The hint is the server's for the owner of a table whose policies are for its owner, too.
        SqlState::INSUFFICIENT_PRIVILEGE
            if db
                .hint()
                .is_some_and(|hint| hint.contains("FORCE ROW LEVEL SECURITY")) =>
        {
            TransferError::Refused(format!(
                "PostgreSQL refused: {}, which is forced on the owner as well; run this as a superuser or as a role with BYPASSRLS, or lift it for \
                 the copy (ALTER TABLE … NO FORCE ROW LEVEL SECURITY)",
                db.message()
            ))
        }
        // What a policy hides, no grant shows. The message is in the server's language; its routine is not.
        SqlState::INSUFFICIENT_PRIVILEGE if db.routine() == Some("check_enable_rls") => {
            TransferError::Refused(format!(
                "PostgreSQL refused: {}, which would hide rows from this role; run this as the owner of the table, as a superuser or as a role \
                 with BYPASSRLS",
                db.message()
            ))
        }
        SqlState::INSUFFICIENT_PRIVILEGE => TransferError::Refused(format!(
            "PostgreSQL refused: {}; run this as the owner of the tables, or grant the role the right",
            db.message()
        )),
        SqlState::READ_ONLY_SQL_TRANSACTION => TransferError::Refused(format!(
            "PostgreSQL takes no writes ({}): it is a standby, or transactions are read-only (default_transaction_read_only)",
            db.message()
        )),
        // PgBouncer's own word, which the server has no code for.
        _ if db.message().contains("statement pooling mode") => TransferError::Refused(
            "PostgreSQL stands behind PgBouncer with pool_mode = statement, in which there are no transactions; set pool_mode = transaction \
             (for the service, with postgres.prepared_statements = false) or session, or give the address of PostgreSQL itself"
                .to_owned(),
        ),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
            TransferError::Unreachable(format!(
                "PostgreSQL went away ({}); {ONCE_MORE}",
                db.message()
            ))
        }
        // The server's troubles, not a row's: what it has to spare, locks, deadlocks, statements that somebody cancelled, its disks. Taken for
        // the object's, a disk that is full for a moment would leave an index out for good.
        SqlState::LOCK_NOT_AVAILABLE | SqlState::OBJECT_IN_USE => unable(db),
        _ if ["40", "53", "57", "58"]
            .iter()
            .any(|class| db.code().code().starts_with(class)) =>
        {
            unable(db)
        }
        // Data exceptions, broken keys, limits of the program: about a row, not about the server.
        _ if ["22", "23", "54"]
            .iter()
            .any(|class| db.code().code().starts_with(class)) =>
        {
            let constraint = db.constraint().map(|constraint| format!(" ({constraint})"));
            TransferError::Data {
                row: format!("a row of {table}"),
                message: db.message().to_owned() + &constraint.unwrap_or_default(),
            }
        }
        // Somebody's own function; which one, only the place tells.
        SqlState::RAISE_EXCEPTION => {
            let place = place.map(|place| format!(" ({place})"));
            TransferError::Failed(format!("PostgreSQL: {}{}", db.message(), place.unwrap_or_default()))
        }
        _ => TransferError::Failed(format!("PostgreSQL: {}{}", db.message(), detail(db))),
    }
}

/// Translates a driver error of reading the rows of a table, of which nothing was refused. A database without an encoding (`SQL_ASCII`) keeps
/// any bytes as text.
pub(super) fn reading_error(table: &str, error: &tokio_postgres::Error) -> TransferError {
    match error.as_db_error() {
        Some(db)
            if [
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                SqlState::UNTRANSLATABLE_CHARACTER,
            ]
            .contains(db.code()) =>
        {
            TransferError::Failed(format!(
                "cannot read the table {table} of PostgreSQL: it holds text that is not UTF-8 ({}), as a database in SQL_ASCII may; write it in \
                 UTF-8 (UPDATE … SET c = convert_from(c::bytea, 'LATIN1'), or what it is in), or leave the table out (--exclude)",
                db.message()
            ))
        }
        _ => transfer_error(error),
    }
}

fn unable(db: &DbError) -> TransferError {
    let hint = db.hint().map(|hint| format!(" ({})", hint.trim_end_matches('.')));
    TransferError::Unreachable(format!(
        "PostgreSQL cannot go on: {}{}{}; when it can, {ONCE_MORE}",
        db.message(),
        detail(db),
        hint.unwrap_or_default()
    ))
}

fn detail(db: &DbError) -> String {
    db.detail()
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default()
}

/// A server that could not be connected to.
pub(crate) fn connect_error(error: &ConnectError) -> TransferError {
    TransferError::Unreachable(format!("cannot connect to PostgreSQL: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_promises_no_more_than_a_copy_keeps() {
        let lost = transfer_error(&tokio_postgres::Error::__private_api_timeout());
        let TransferError::Unreachable(text) = lost else {
            panic!("{lost:?}");
        };
        assert!(
            text.ends_with("run the same command again, a copy goes on from where it was"),
            "{text}"
        );
    }
}
