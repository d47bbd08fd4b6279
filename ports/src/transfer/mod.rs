//! Where a transfer reads from and writes to.
