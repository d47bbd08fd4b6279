//! What the running service shows of itself: metrics, traces, and the errors of late.

mod fields;
pub mod metrics;
pub mod recent;
pub mod traces;

pub use metrics::Metrics;
pub use recent::RecentErrors;
pub use traces::TraceExport;

/// The target of the spans that the adapters open around a repository's call.
const STATEMENT_TARGET: &str = "cutover::statement";
/// The name of a request's span.
pub const REQUEST_SPAN: &str = "request";
