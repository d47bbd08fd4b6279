//! The program `cutover`: configuration, command line, wiring, use cases, HTTP.

pub mod cli;
pub mod config;
pub mod exit;
pub mod guard;
pub mod http;
pub mod integrity;
pub mod jobs;
pub mod observe;
mod printable;
pub mod readiness;
pub mod startup;
pub mod status;
pub mod transfer;
pub mod usecase;
pub mod verification;
pub mod wiring;
