//! Entities, values and rules of Cutover: no I/O, no async, no driver.
//!
//! - [`time`], [`json`], [`stored`]: values that all contexts share.
//! - [`lab`]: synth-lab's entities and rules.
//! - [`market`]: SPY-tracker's entities, rules and calendar.
//! - [`transfer`]: catalog, conversions, canonical values, reports.

pub mod json;
pub mod lab;
pub mod market;
pub mod relations;
pub mod stored;
pub mod time;
pub mod transfer;
