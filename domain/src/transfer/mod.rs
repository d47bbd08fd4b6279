//! What copying and verifying need to know about databases and values.
//!
//! - [`catalog`]: what a database is made of, in one form for SQLite and PostgreSQL.
//! - [`plan`], [`survey`]: what goes where, and whether it can.
//! - [`rows`]: rows on their way.
//! - [`convert`], [`json_text`]: values from one database's form to the other's.
//! - [`name`]: names in SQL.
//! - [`canonical`], [`digest`], [`difference`]: whether two databases hold the same, apart from how they came to.
//! - [`ddl`]: what SQLite tells only in the text of `CREATE TABLE`.
//! - [`translate`]: SQLite's expressions as PostgreSQL's.

pub mod canonical;
pub mod catalog;
pub mod convert;
pub mod ddl;
pub mod difference;
pub mod digest;
pub mod json_text;
pub mod name;
pub mod plan;
pub mod rows;
pub mod survey;
pub mod translate;
