//! The command as people run it: the real program, real files, a real server, HTTP over a socket.
//!
//! A target of the crate `cutover`, because only there cargo builds the program beside it (`CARGO_BIN_EXE_cutover`).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails where its preparation fails"
)]

mod configuration;
mod connections;
mod described;
mod hostile;
mod http;
mod interface;
mod late;
mod market;
mod operations;
mod outage;
mod page;
mod pooler;
mod program;
mod refusals;
mod roles;
mod routing;
mod service;
mod story;
mod together;
mod told;
mod way_home;
mod world;
mod writer;
