//! Small hostile SQLite files, one theme each, through the real program: there, verified, and back.
//!
//! A theme makes its file and says what becomes of it: *complete and equal*, *refused, with this list*, or *quarantined on
//! request*. [`theme::Theme`] runs the program; [`compare`] judges every value by storage class and bytes, and shares no code with the
//! transfer; [`schema`] asks PostgreSQL's catalog what became of each rule of the file. One module of themes per section of the
//! specification.
//!
//! A target of the crate `cutover`, because only there cargo builds the program beside it (`CARGO_BIN_EXE_cutover`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails where its preparation fails"
)]

mod affinity;
mod changed_target;
mod compare;
mod defaults;
mod files;
mod foreign_keys;
mod identifiers;
mod json;
mod keys;
mod numbers;
mod overrides;
mod program;
mod real_files;
mod samples;
mod schema;
mod schema_objects;
mod shape;
mod text_and_bytes;
mod theme;
mod times;
mod virtual_tables;
mod way_back;
