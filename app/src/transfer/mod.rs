//! Moving data between databases, and proving that it arrived.

pub mod verify;
