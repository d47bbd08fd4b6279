//! Cutover's ports on SQLite: rusqlite on threads of its own, one that writes and some that read.

pub mod database;
pub mod diagnosis;
pub mod error;
mod foreign_keys;
mod identity;
mod instant;
mod integrity;
mod inventory;
pub mod lab;
mod lane;
mod lookup;
pub mod market;
pub mod row;
mod synth_document;
pub mod transfer;
pub mod writer;

pub use database::{Database, OpenSettings};
pub use lane::LaneStatus;
