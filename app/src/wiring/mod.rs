//! The composition root: the only place that names the adapters.

mod databases;
mod foreign_keys;

pub use databases::{Databases, WiringError};
