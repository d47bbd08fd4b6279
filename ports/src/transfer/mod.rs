//! Where a transfer reads from and writes to.

pub mod error;
pub mod verify;

pub use error::{TransferError, TransferResult};
pub use verify::{OwnNotes, RowScan, ScanColumn, VerifySide};
