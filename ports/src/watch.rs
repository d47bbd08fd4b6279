//! What every adapter tells of its work, once and in one form: how long a repository's method waited for a connection and had it,
//! what it ended with, and a span for traces.

use std::time::Instant;

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
    repository: &'static str,
    method: &'static str,
    asked: Instant,
    started: Option<Instant>,
    span: tracing::Span,
}

impl Watch {
    /// A connection is asked for; `operation` is `repository.method`.
    pub fn begin(backend: &'static str, operation: &'static str) -> Self {
        let (repository, method) = operation.split_once('.').unwrap_or(("database", operation));
        let span = tracing::debug_span!(
            target: "cutover::statement",
            "statement",
            backend,
            repository,
            method,
            error = tracing::field::Empty
        );
        Self {
            backend,
            repository,
            method,
            asked: Instant::now(),
            started: None,
            span,
        }
    }

    /// A connection is there: one of `pool`, or one that another method had from it.
    pub fn start(&mut self, pool: Option<&'static str>) {
        let now = Instant::now();
        if let Some(pool) = pool {
            metrics::histogram!(WAIT_SECONDS, "backend" => self.backend, "pool" => pool)
                .record(now.duration_since(self.asked));
        }
        self.started = Some(now);
    }

    /// A statement is run once more.
    pub fn retried(&self) {
        metrics::counter!(
            RETRIES,
            "backend" => self.backend,
            "repository" => self.repository,
            "method" => self.method
        )
        .increment(1);
    }

    /// The call ends with this.
    pub fn failed(&self, error: &StoreError) {
        let category = error.category();
        self.span.record("error", category);
        metrics::counter!(
            ERRORS,
            "backend" => self.backend,
            "repository" => self.repository,
            "method" => self.method,
            "category" => category
        )
        .increment(1);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(started) = self.started {
            metrics::histogram!(
                STATEMENT_SECONDS,
                "backend" => self.backend,
                "repository" => self.repository,
                "method" => self.method
            )
            .record(started.elapsed());
        }
    }
}
