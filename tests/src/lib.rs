//! Contract cases on every adapter, fidelity, faults, end to end, benches; and the PostgreSQL they run on.

pub mod postgres;
