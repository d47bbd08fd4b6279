//! Contract cases on every adapter, fidelity, faults, end to end, benches; and the PostgreSQL they run on.
//!
//! This library holds what several test targets need: [`postgres`] starts servers, [`store`] makes stores.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up must fail, and say why"
)]

pub mod postgres;
pub mod store;
