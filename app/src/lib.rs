//! The program `cutover`: configuration, command line, wiring, use cases, HTTP.

pub mod cli;
pub mod config;
pub mod wiring;
