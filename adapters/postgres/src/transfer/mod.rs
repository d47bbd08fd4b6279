//! Transfer sources and sinks on PostgreSQL.

pub mod catalog;
pub mod error;
pub mod verify;
