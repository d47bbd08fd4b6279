//! What copying and verifying need to know about databases and values.
//!
//! - [`catalog`]: what a database is made of, in one form for SQLite and PostgreSQL.
//! - [`name`]: names in SQL.
//! - [`ddl`]: what SQLite tells only in the text of `CREATE TABLE`.

pub mod catalog;
pub mod ddl;
pub mod name;
