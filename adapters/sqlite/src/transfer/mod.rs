//! Transfer sources and sinks on SQLite.

mod bound;
pub mod catalog;
mod collations;
mod connection;
mod load;
mod make;
mod named;
pub mod open;
mod own_tables;
mod pages;
mod remade;
mod scan;
pub mod source;
pub mod target;
pub mod verify;

pub use source::SqliteSource;
pub use target::SqliteTarget;
