//! Statements that hold together.

use rusqlite::{Connection, ErrorCode};

/// How statements are held together: as a transaction, or within the one transaction of a rehearsal, which is never committed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket {
    pub(super) begin: &'static str,
    pub(super) commit: &'static str,
    pub(super) rollback: &'static str,
}

pub(super) const TRANSACTION: Bracket = Bracket {
    begin: "BEGIN IMMEDIATE",
    commit: "COMMIT",
    rollback: "ROLLBACK",
};

pub(super) const REHEARSAL: Bracket = Bracket {
    begin: "SAVEPOINT cutover",
    commit: "RELEASE cutover",
    rollback: "ROLLBACK TO cutover; RELEASE cutover",
};

/// Whether SQLite refuses a row, and nothing but it.
pub(super) fn is_about_a_row(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig)
    )
}

/// Runs `work` as one.
pub(super) fn bracketed<T>(
    connection: &Connection,
    bracket: Bracket,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch(bracket.begin)?;
    let outcome = work(connection).and_then(|done| connection.execute_batch(bracket.commit).map(|()| done));
    if outcome.is_err() && !connection.is_autocommit() {
        // The first error is the one to tell.
        drop(connection.execute_batch(bracket.rollback));
    }
    outcome
}

/// Writes to the schema itself, which is read anew then, by whoever else has the file open too.
pub(super) fn writing_schema(
    connection: &Connection,
    write: impl FnOnce() -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")?;
    let written = write().and_then(|()| {
        let version: i64 = connection.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
        connection.execute_batch(&format!("PRAGMA schema_version = {}", version + 1))
    });
    connection.execute_batch("PRAGMA writable_schema = RESET")?;
    written
}
