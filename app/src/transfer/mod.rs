//! Moving data between databases, and proving that it arrived.

pub mod content;
pub mod copy;
mod graph;
pub mod inspect;
mod order;
pub mod progress;
pub mod sequence;
pub mod survey;
pub mod unfinished;
pub mod verify;
mod write;
