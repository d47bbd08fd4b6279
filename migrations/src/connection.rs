//! What the two databases have in common for migrating: rows of four kinds of values, and sqlx's bookkeeping.

use sqlx::migrate::Migration;

use crate::context::Context;
use crate::error::Result;
use crate::schema::Schema;
use crate::target::Dialect;

/// A value of our own tables or of a catalog. Queries cast to one of these four types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// A row, its columns in the order of the query.
#[derive(Debug, Clone)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    pub(crate) fn integer(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Value::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn text(&self, column: usize) -> Option<&str> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, column: usize) -> Option<&[u8]> {
        match self.0.get(column) {
            Some(Value::Bytes(value)) => Some(value),
            _ => None,
        }
    }

    /// A catalog's name or expression, which is never NULL.
    pub(crate) fn string(&self, column: usize) -> String {
        self.text(column).unwrap_or_default().to_owned()
    }
}

/// A connection to a database that is being migrated. Its futures are `Send`, because callers spawn.
pub(crate) trait Connection: Send {
    /// The SQL it speaks.
    const DIALECT: Dialect;

    /// Runs SQL of one or more statements, without arguments.
    fn batch(&mut self, sql: &str) -> impl Future<Output = Result<()>> + Send;

    /// Runs one statement; arguments are `$1`, `$2`, … in both dialects.
    fn execute(&mut self, sql: &str, arguments: &[Value]) -> impl Future<Output = Result<()>> + Send;

    /// Reads rows.
    fn rows(&mut self, sql: &str, arguments: &[Value]) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// Runs an up script and records it in the history table, in one transaction.
    fn apply(&mut self, table: &str, migration: &Migration) -> impl Future<Output = Result<()>> + Send;

    /// Runs a down script and takes its version out of the history table, in one transaction.
    fn revert(&mut self, table: &str, migration: &Migration) -> impl Future<Output = Result<()>> + Send;

    /// Whether a table of ours exists.
    fn table_exists(&mut self, table: &str) -> impl Future<Output = Result<bool>> + Send;

    /// The tables of the database, ours left out.
    fn schema(&mut self) -> impl Future<Output = Result<Schema>> + Send;

    /// The tables that the migrations up to `version` make, made somewhere else and thrown away again.
    fn reference(&mut self, context: &Context, version: i64) -> impl Future<Output = Result<Schema>> + Send;
}
