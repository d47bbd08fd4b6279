//! Contract cases on every adapter, fidelity, faults, end to end, benches; and the PostgreSQL they run on.
//!
//! This library holds what several test targets need: [`bouncer`] starts PgBouncer, [`lab_file`] makes files of the original application, [`postgres`] starts servers, [`store`] makes stores.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up must fail, and say why"
)]

#[cfg(feature = "sqlite")]
pub use rusqlite;
pub use tokio_postgres;

pub mod bouncer;
#[cfg(feature = "sqlite")]
pub mod lab_file;
pub mod postgres;
pub mod store;
