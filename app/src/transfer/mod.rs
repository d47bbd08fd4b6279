//! Moving data between databases, and proving that it arrived.

pub mod content;
pub mod copy;
pub mod inspect;
pub mod progress;
pub mod sequence;
mod spread;
pub mod survey;
pub mod unfinished;
pub mod verify;
mod write;
