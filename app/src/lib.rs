//! The program `cutover`: configuration, command line, wiring, use cases, HTTP.

pub mod cli;
pub mod config;
pub mod guard;
pub mod http;
pub mod jobs;
pub mod startup;
pub mod status;
pub mod transfer;
pub mod usecase;
pub mod wiring;
