//! Where a transfer reads from and writes to.

pub mod error;

pub use error::{TransferError, TransferResult};
