//! What copying and verifying need to know about databases and values.
//!
//! - [`catalog`]: what a database is made of, in one form for SQLite and PostgreSQL.
//! - [`wish`], [`blanks`]: what somebody says of values that do not tell it themselves.
//! - [`plan`], [`survey`]: what goes where, and whether it can.
//! - [`types`], [`schema`], [`translate`], [`naming`]: what is made in a target that lacks it; [`lock`]: what of it at the same time.
//! - [`value`], [`rows`]: values, and rows of them on their way.
//! - [`convert`], [`json_text`]: values from one database's form to the other's; [`outcome`]: what that comes to.
//! - [`rendering`], [`evidence`]: the type that a column's values prove, and how each comes back byte for byte.
//! - [`name`]: names in SQL.
//! - [`canonical`], [`digest`], [`difference`]: whether two databases hold the same, apart from how they came to.
//! - [`words`]: numbers in sentences.
//! - [`bare`]: what columns lose that are made in a table that is there.
//! - [`back`]: what PostgreSQL's own tables become in a SQLite file.
//! - [`refusal`]: what a copy refuses once it is planned; [`account`]: what it keeps of its report for the run that
//!   goes on with it.
//! - [`ddl`]: what SQLite tells only in the text of `CREATE TABLE`.
//! - [`translate`]: SQLite's expressions as PostgreSQL's.

pub mod account;
mod acting;
pub mod back;
pub mod bare;
pub mod blanks;
pub mod canonical;
pub mod catalog;
pub mod convert;
pub mod ddl;
pub mod difference;
pub mod digest;
pub mod evidence;
pub mod json_text;
mod kept;
pub mod lock;
pub mod name;
pub mod naming;
mod numbers;
pub mod outcome;
pub mod plan;
pub mod refusal;
pub mod rendering;
pub mod rows;
pub mod schema;
pub mod survey;
pub mod translate;
pub mod types;
pub mod value;
mod width;
pub mod wish;
pub mod words;
