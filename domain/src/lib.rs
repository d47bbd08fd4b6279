//! Entities, values and rules of Cutover: no I/O, no async, no driver.
//!
//! - [`time`], [`json`], [`stored`]: values that all contexts share.
//! - [`lab`], [`writer`], [`market`]: the entities and rules of synth-lab, silmari-writer and SPY-tracker.
//! - [`secret`]: text that must not be shown.
//! - [`relations`]: which table refers to which.
//! - [`transfer`]: catalog, conversions, canonical values, reports.

pub mod json;
pub mod lab;
pub mod market;
pub mod relations;
pub mod secret;
pub mod stored;
pub mod time;
pub mod transfer;
pub mod writer;
