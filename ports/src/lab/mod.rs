//! The repositories of synth-lab, one file each.

pub mod synth_group;

#[cfg(feature = "mock")]
pub use synth_group::MockSynthGroupRepository;
pub use synth_group::SynthGroupRepository;

use std::sync::Arc;

/// The lab's repositories, each on whatever backend routing chose for it.
#[derive(Clone)]
pub struct LabRepositories {
    /// Groups of synths.
    pub synth_groups: Arc<dyn SynthGroupRepository>,
}

impl std::fmt::Debug for LabRepositories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LabRepositories").finish_non_exhaustive()
    }
}
