//! Where a transfer reads from and writes to.

pub mod error;
pub mod source;
pub mod target;
pub mod verify;

pub use error::{TransferError, TransferResult};
pub use source::{Batches, Position, Range, Scan, TransferSource};
pub use target::{
    COUNTED_ROWS, Care, CopySession, LedgerEntry, LoadPart, QuarantinedRow, RunStart, TableLoader,
    TableProgress, TransferTarget, UnfinishedRun, seed_condition,
};
pub use verify::{OwnNotes, Part, RenderedColumn, RowScan, ScanColumn, VerifySide};
