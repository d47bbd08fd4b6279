//! Cutover's ports on PostgreSQL: deadpool and tokio-postgres, statements prepared and cached, one round trip per
//! method where SQL can do it.

mod batch;
mod combined;
mod company;
pub mod connect;
pub mod database;
pub mod diagnosis;
pub mod error;
mod foreign_keys;
mod integrity;
mod inventory;
pub mod lab;
pub mod market;
mod row;
mod session;
pub mod tls;
pub mod transfer;
pub mod types;
pub mod url;
pub mod writer;

pub use connect::PgServer;
pub use database::{Database, PoolSettings, PoolStatus};
