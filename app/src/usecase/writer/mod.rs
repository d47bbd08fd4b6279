//! The writer's use cases.

pub mod conversations;
pub mod files;
