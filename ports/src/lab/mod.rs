//! The repositories of synth-lab, one file each.
