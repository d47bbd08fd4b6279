//! The copy under faults and random input, by the real program.
//!
//! - [`random`]: random schemas with random values, there, verified and back, bit for bit.
//! - [`acceptance`]: the same INSERTs into a random schema and into the one that was made of it.
//! - [`kills`]: the program and PostgreSQL killed at any moment; the same command until it is done.
//! - [`target`]: a target that refuses, runs full, goes away or is no real session.
//! - [`unfinished`]: sources that a copy into them has not filled to its end.
//! - [`damage`]: files with flipped bytes and schemas with broken SQL.
//!
//! Each is bounded for every day, and runs as long as an environment variable says; `docs/testing.md` lists them.
//!
//! A target of the crate `cutover`, because only there cargo builds the program beside it (`CARGO_BIN_EXE_cutover`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where its preparation fails"
)]

use std::ffi::OsStr;
use std::path::Path;

mod acceptance;
// The judge of what two files differ in, and the runs of the program, are those of the torture.
#[path = "../torture/compare.rs"]
mod compare;
mod damage;
mod kills;
#[path = "../torture/program.rs"]
mod program;
mod random;
mod schemas;
mod target;
mod unfinished;

/// Runs the program in `directory`.
async fn run(directory: &Path, arguments: &[&str]) -> program::Ended {
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    program::run(directory, None, &arguments).await
}

/// How many, if nobody asks for more: `name` in the environment does.
fn bounded(name: &str, every_day: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
        Err(_) => every_day,
    }
}

/// The first seed: `name` in the environment, to see one again.
fn first_seed(name: &str) -> u64 {
    bounded(&format!("{name}_FROM"), 0)
}
