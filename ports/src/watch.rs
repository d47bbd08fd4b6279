//! What every adapter tells of its work, once and in one form: how long a repository's method waited for a connection and had it,
//! what it ended with, and a span for traces.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::Histogram;

use crate::StoreError;

/// How long a method of a repository had a connection, by `backend`, `repository` and `method`.
pub const STATEMENT_SECONDS: &str = "cutover_statement_seconds";
/// How long it waited for one, by `backend` and `pool`; methods that share one have waited once.
pub const WAIT_SECONDS: &str = "cutover_pool_wait_seconds";
/// Statements run once more, on a fresh connection or after a deadlock, by `backend`, `repository` and `method`.
pub const RETRIES: &str = "cutover_statement_retries_total";
/// What stores ended with other than success, by `backend`, `repository`, `method` and `category`.
pub const ERRORS: &str = "cutover_store_errors_total";

/// One call of a repository's method, from asking for a connection to giving it back.
#[derive(Debug)]
pub struct Watch {
    backend: &'static str,
    operation: &'static str,
    asked: Instant,
    started: OnceLock<Instant>,
    span: tracing::Span,
}

impl Watch {
    /// A connection is asked for; `operation` is `repository.method`.
    pub fn begin(backend: &'static str, operation: &'static str) -> Self {
        let span = tracing::debug_span!(
            target: "cutover::statement",
            "statement",
            backend,
            repository = parts(operation).0,
            method = parts(operation).1,
            error = tracing::field::Empty
        );
        Self {
            backend,
            operation,
            asked: Instant::now(),
            started: OnceLock::new(),
            span,
        }
    }

    /// A connection is there: one of `pool`, or one that another method had from it.
    pub fn start(&self, pool: Option<&'static str>) {
        let now = Instant::now();
        if let Some(pool) = pool {
            let waited = || metrics::histogram!(WAIT_SECONDS, "backend" => self.backend, "pool" => pool);
            record(self.backend, pool, waited, now - self.asked);
        }
        self.share(now);
    }

    /// What this call wants was sent by another, over that one's connection.
    pub fn share(&self, sent: Instant) {
        self.started.get_or_init(|| sent);
    }

    /// A statement is run once more.
    pub fn retried(&self) {
        let (repository, method) = parts(self.operation);
        metrics::counter!(
            RETRIES,
            "backend" => self.backend,
            "repository" => repository,
            "method" => method
        )
        .increment(1);
    }

    /// The call ends with this.
    pub fn failed(&self, error: &StoreError) {
        let category = error.category();
        let (repository, method) = parts(self.operation);
        self.span.record("error", category);
        metrics::counter!(
            ERRORS,
            "backend" => self.backend,
            "repository" => repository,
            "method" => method,
            "category" => category
        )
        .increment(1);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Some(started) = self.started.get() else { return };
        let taken = || {
            let (repository, method) = parts(self.operation);
            metrics::histogram!(
                STATEMENT_SECONDS,
                "backend" => self.backend,
                "repository" => repository,
                "method" => method
            )
        };
        record(self.backend, self.operation, taken, started.elapsed());
    }
}

/// The repository and the method of an operation.
fn parts(operation: &'static str) -> (&'static str, &'static str) {
    operation.split_once('.').unwrap_or(("database", operation))
}

/// Records `time` for `what` (a pool or an operation), in the histogram that `find` finds among all: that takes ten times as long as to
/// record, so each thread does it once. Texts are known by where they stand in the program.
fn record(backend: &'static str, what: &'static str, find: impl FnOnce() -> Histogram, time: Duration) {
    thread_local! {
        static FOUND: RefCell<HashMap<(*const u8, *const str), Histogram>> = RefCell::default();
    }
    let record = |found: &RefCell<HashMap<_, Histogram>>| {
        let mut found = found.borrow_mut();
        let series = (backend.as_ptr(), std::ptr::from_ref(what));
        found.entry(series).or_insert_with(find).record(time);
    };
    // What a thread does after its end is not measured.
    FOUND.try_with(record).unwrap_or_default();
}
