//! `GET /metrics`, and what is measured of every request.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use metrics::gauge;
use tokio::time::timeout;
use tracing::Span;

use super::App;
use super::job_status;
use super::paths::route;
use crate::observe::metrics::{REQUESTS_IN_FLIGHT, request_answered, sample_process};

/// How long the runs of the jobs are waited for; whoever collects metrics waits some seconds in all.
const JOBS_PATIENCE: Duration = Duration::from_secs(1);

/// Everything that is measured.
///
/// In Prometheus's text format.
#[utoipa::path(
    get, path = "/metrics", tag = "Operations",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    sample_process();
    for pool in app.databases.pools() {
        let set = |name: &'static str, value: usize| {
            let file = pool.file.clone().unwrap_or_default();
            gauge!(name, "backend" => pool.backend.name(), "file" => file, "pool" => pool.name)
                .set(value as f64);
        };
        set("cutover_pool_connections_max", pool.size_max);
        set("cutover_pool_connections", pool.size);
        set("cutover_pool_connections_in_use", pool.in_use);
        set("cutover_pool_waiting", pool.waiting);
    }
    // What was known of the jobs stays where a database does not tell in time: just then somebody wants to see the rest.
    let jobs = timeout(JOBS_PATIENCE, job_status::statuses(&app)).await;
    for job in jobs.unwrap_or_else(|_| Ok(Vec::new())).unwrap_or_default() {
        let labels = [("context", job.context.to_owned()), ("job", job.name)];
        if let Some(at) = job.last_run {
            gauge!("cutover_job_last_run_timestamp_seconds", &labels).set(at.as_micros() as f64 / 1e6);
        }
        if let Some(succeeded) = job.succeeded {
            gauge!("cutover_job_last_run_succeeded", &labels).set(f64::from(u8::from(succeeded)));
        }
    }
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], app.observed.metrics.render()).into_response()
}

/// Requests under way; one less when this is dropped, also if the client went away.
struct InFlight;

impl InFlight {
    fn new() -> Self {
        gauge!(REQUESTS_IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(REQUESTS_IN_FLIGHT).decrement(1.0);
    }
}

/// Measures a request, and tells its span what became of it.
pub(super) async fn measure<F: Future<Output = Response>>(
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let begun = Instant::now();
    let in_flight = InFlight::new();
    let method = method_name(request.method());
    let route = route(&request).to_owned();
    let response = next(request).await;
    let status = response.status().as_u16();
    Span::current().record("status", status);
    request_answered(method, route, status, begun.elapsed());
    drop(in_flight);
    response
}

/// As with paths: whatever else a client calls its method is one label.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
