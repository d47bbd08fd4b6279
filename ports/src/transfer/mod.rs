//! Where a transfer reads from and writes to.

pub mod error;
pub mod source;
pub mod target;
pub mod verify;

pub use error::{TransferError, TransferResult};
pub use source::{Batches, Position, Scan, TransferSource};
pub use target::{
    CopySession, LedgerEntry, QuarantinedRow, RunStart, TableLoader, TableProgress, TransferTarget,
    UnfinishedRun, Weakened,
};
pub use verify::{OwnNotes, Part, RenderedColumn, RowScan, ScanColumn, VerifySide};
