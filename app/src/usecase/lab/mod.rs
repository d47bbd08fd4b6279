//! The lab's use cases.

pub mod synth_groups;
pub mod synths;

/// How often a taken random id is replaced by another before giving up; two in a row are already a wonder.
const ID_ATTEMPTS: usize = 5;
