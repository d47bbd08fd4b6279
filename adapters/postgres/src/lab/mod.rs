//! The lab's repositories on PostgreSQL, one file each.

pub mod synth_group;

use std::sync::Arc;

use cutover_ports::lab::LabRepositories;

use crate::Database;

/// Every repository of the lab on `db`.
pub fn repositories(db: &Database) -> LabRepositories {
    LabRepositories {
        synth_groups: Arc::new(synth_group::PgSynthGroupRepository::new(db.clone())),
    }
}
