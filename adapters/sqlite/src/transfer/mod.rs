//! Transfer sources and sinks on SQLite.

pub mod catalog;
pub mod open;
pub mod verify;
