//! Where the market context has its prices from: a service over HTTP, or a file, for tests and to replay days.
//!
//! Both speak of the same things in the same words; `docs/configuration.md` shows them.

mod document;
mod file;
mod http;
mod none;

pub use file::FilePrices;
pub use http::HttpPrices;
pub use none::NoPrices;
