//! silmari-writer's files: what the models of its own plan make. The plan knows one version, and tools of SQLAlchemy's that
//! keep a table of theirs in the file.

use super::{Legacy, Objects, Original};

/// Of the context `writer`.
pub(super) const ORIGINAL: (&str, Original) = (
    "writer",
    Original {
        name: "silmari-writer",
        legacy: Legacy {
            missing_columns: &[],
            missing_checks: &[("messages", "attachments")],
            extra_indexes: &[],
            ..Legacy::NONE
        },
        core: &["conversations", "file_metadata", "messages"],
        added_columns: &[],
        too_old: |_: &Objects| None,
        version: |_: &Objects| "a file of silmari-writer".to_owned(),
        broken: &[],
    },
);
