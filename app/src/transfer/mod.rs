//! Moving data between databases, and proving that it arrived.

pub mod copy;
pub mod progress;
pub mod verify;
