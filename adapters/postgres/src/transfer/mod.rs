//! Transfer sources and sinks on PostgreSQL.

pub mod catalog;
mod connection;
pub mod error;
pub mod ledger;
mod load;
mod make;
mod own_tables;
mod removal;
pub mod served;
pub mod source;
pub mod target;
pub mod verify;

pub use source::PgSource;
pub use target::PgTarget;
