//! What Cutover needs from outside, as traits: the repositories of each context, the clock, ids, and the sources and
//! sinks of a transfer. The traits' documentation is their contract; the contract cases in `tests/` hold every
//! implementation to it.

pub mod batch;
pub mod clock;
pub mod diagnosis;
pub mod error;
pub mod foreign_keys;
pub mod integrity;
pub mod inventory;
pub mod lab;
pub mod market;
pub mod page;
pub mod place;
pub mod together;
pub mod transfer;
pub mod watch;
pub mod writer;

pub use cutover_domain as domain;
pub use error::{StoreError, StoreResult};
pub use foreign_keys::{
    ForeignKeys, Held, KeyLock, KeyLocks, KeysAcross, PortableRow, Reference, ReferredRows,
};
pub use page::{Page, PageRequest};
pub use together::together;
