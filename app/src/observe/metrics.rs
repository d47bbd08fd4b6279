//! Metrics: their names, and the recorder that keeps them for `/metrics` and the status page.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use cutover_ports::watch;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Requests answered, by `method`, `route` and `status`.
pub const REQUESTS: &str = "cutover_http_requests_total";
/// How long an answer took, by `method` and `route`.
pub const REQUEST_SECONDS: &str = "cutover_http_request_seconds";
/// Requests under way.
pub const REQUESTS_IN_FLIGHT: &str = "cutover_http_requests_in_flight";
/// Requests that were answered for their time, and whose work went on.
const ANSWERED_EARLY: &str = "cutover_http_requests_answered_early_total";

/// Upper bounds of the histograms' buckets, in seconds: a lookup in a file takes some tens of microseconds, and a request is given
/// up after thirty seconds.
const BUCKETS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];

/// Samples wait in memory until somebody asks or this long.
const UPKEEP: Duration = Duration::from_secs(5);

/// What was measured so far. Cloning shares it.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// The process's metrics; what is measured before the first call is lost.
    pub fn install() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| {
            let builder = PrometheusBuilder::new();
            // It only fails without buckets.
            let builder = builder
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
                .unwrap_or_else(|_| PrometheusBuilder::new());
            let recorder = builder.build_recorder();
            let handle = recorder.handle();
            if metrics::set_global_recorder(recorder).is_err() {
                tracing::warn!("another recorder keeps the metrics");
            }
            describe();
            handle
        });
        Self {
            handle: handle.clone(),
        }
    }

    /// Everything, in Prometheus's text format.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts samples into their buckets now and then; they would fill the memory of a service that nobody asks for metrics.
    pub async fn keep_up(self) {
        let mut interval = tokio::time::interval(UPKEEP);
        loop {
            interval.tick().await;
            let handle = self.handle.clone();
            // Some milliseconds of work, which no request should wait for.
            if let Err(error) = tokio::task::spawn_blocking(move || handle.run_upkeep()).await {
                tracing::warn!(%error, "metrics could not be kept up");
            }
        }
    }

    /// How long the repositories' calls took.
    pub fn latencies(&self) -> Vec<Latency> {
        latencies(&self.render())
    }
}

/// One request was answered.
pub fn request_answered(method: &'static str, route: String, status: u16, took: Duration) {
    histogram!(REQUEST_SECONDS, "method" => method, "route" => route.clone()).record(took);
    counter!(REQUESTS, "method" => method, "route" => route, "status" => status.to_string()).increment(1);
}

/// A request was answered before what it had begun came to its end.
pub fn answered_early() {
    counter!(ANSWERED_EARLY).increment(1);
}

/// Figures of the process itself.
pub fn sample_process() {
    gauge!("cutover_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    if let Some(bytes) = resident_memory() {
        gauge!("process_resident_memory_bytes").set(bytes);
    }
}

/// The process's memory, where the system tells it.
fn resident_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024.0)
}

/// What is looked up when somebody asks, or when the databases are examined.
const GAUGES: &[(&str, &str)] = &[
    ("cutover_pool_connections_max", "Connections that a pool may have"),
    ("cutover_pool_connections", "Connections that a pool has"),
    (
        "cutover_pool_connections_in_use",
        "Connections of a pool that are in use",
    ),
    (
        "cutover_pool_waiting",
        "Callers that wait for a connection of a pool",
    ),
    ("cutover_job_last_run_timestamp_seconds", "When a job ran last"),
    (
        "cutover_job_last_run_succeeded",
        "Whether a job's last run succeeded",
    ),
    (
        "cutover_integrity_checked_timestamp_seconds",
        "When the databases were examined last",
    ),
    ("cutover_integrity_seconds", "How long that examination took"),
    (
        "cutover_orphan_rows",
        "Rows that refer to a row that is not there",
    ),
    (
        "cutover_rule_breaking_rows",
        "Rows that break a rule of their columns",
    ),
    (
        "cutover_schema_version",
        "The version that a context's schema has",
    ),
    ("cutover_schema_head", "The newest version of a context's schema"),
    (
        "cutover_repository_on_postgres",
        "Whether a repository runs on PostgreSQL",
    ),
    ("cutover_table_rows", "Rows of a table"),
    (
        "cutover_table_copied_timestamp_seconds",
        "When a table was copied last",
    ),
    (
        "cutover_table_verified_timestamp_seconds",
        "When a table was verified last",
    ),
    (
        "cutover_table_carried_rows",
        "Rows that a table's last copy carried over",
    ),
];

fn describe() {
    describe_counter!(REQUESTS, "Requests answered");
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "Time until a request was answered"
    );
    describe_gauge!(REQUESTS_IN_FLIGHT, "Requests under way");
    describe_counter!(
        ANSWERED_EARLY,
        "Requests that were answered for their time, and whose work went on"
    );
    describe_histogram!(
        watch::STATEMENT_SECONDS,
        Unit::Seconds,
        "Time for which a repository's method had a connection"
    );
    describe_histogram!(
        watch::WAIT_SECONDS,
        Unit::Seconds,
        "Time for which a repository's method waited for a connection"
    );
    describe_counter!(
        watch::RETRIES,
        "Statements run once more, on a fresh connection or after a deadlock"
    );
    describe_counter!(watch::ERRORS, "Repositories' calls that failed");
    describe_gauge!("cutover_build_info", "The program's version; always 1");
    describe_gauge!("process_resident_memory_bytes", Unit::Bytes, "Resident memory");
    describe_counter!(
        "cutover_trace_spans_dropped_total",
        "Spans that no collector took"
    );
    for (name, text) in GAUGES {
        describe_gauge!(*name, *text);
    }
}

/// How long a repository's calls on a backend took.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    /// `sqlite` or `postgres`.
    pub backend: String,
    /// The repository.
    pub repository: String,
    /// How many calls there were.
    pub calls: u64,
    /// Seconds of an average call.
    pub mean: f64,
    /// So many seconds at most were taken by half of the calls.
    pub median: f64,
    /// And by 95 in 100.
    pub p95: f64,
}

/// Sums the histograms of the repositories' methods in a page of metrics.
fn latencies(page: &str) -> Vec<Latency> {
    #[derive(Default)]
    struct Sum {
        calls: u64,
        seconds: f64,
        /// Calls up to each bound, in the bounds' order, which is that of the page.
        buckets: Vec<(f64, u64)>,
    }
    let mut sums: BTreeMap<(String, String), Sum> = BTreeMap::new();
    for line in page.lines() {
        let Some((kind, rest)) = line
            .strip_prefix(watch::STATEMENT_SECONDS)
            .and_then(|rest| rest.split_once('{'))
        else {
            continue;
        };
        let Some((labels, value)) = rest.rsplit_once("} ") else {
            continue;
        };
        // No label of this metric has a quote or a comma in it.
        let label = |name: &str| {
            let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(known, _)| *known == name)?;
            Some(found.1.trim_matches('"').to_owned())
        };
        let (Some(backend), Some(repository)) = (label("backend"), label("repository")) else {
            continue;
        };
        let sum = sums.entry((repository, backend)).or_default();
        match kind {
            "_sum" => sum.seconds += value.parse::<f64>().unwrap_or(0.0),
            "_count" => sum.calls += value.parse::<u64>().unwrap_or(0),
            "_bucket" => {
                let bound = label("le")
                    .and_then(|bound| bound.parse().ok())
                    .unwrap_or(f64::INFINITY);
                let count = value.parse().unwrap_or(0);
                match sum
                    .buckets
                    .iter_mut()
                    .find(|(known, _)| known.total_cmp(&bound).is_eq())
                {
                    Some((_, sum)) => *sum += count,
                    None => sum.buckets.push((bound, count)),
                }
            }
            _ => {}
        }
    }
    sums.into_iter()
        .filter(|(_, sum)| sum.calls > 0)
        .map(|((repository, backend), sum)| {
            let quantile = |share: f64| {
                let wanted = sum.calls as f64 * share;
                let found = sum.buckets.iter().find(|(_, count)| *count as f64 >= wanted);
                found.map_or(f64::INFINITY, |(bound, _)| *bound)
            };
            Latency {
                mean: sum.seconds / sum.calls as f64,
                median: quantile(0.5),
                p95: quantile(0.95),
                calls: sum.calls,
                backend,
                repository,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_summed_over_the_methods_of_a_repository() {
        let page = r#"# TYPE cutover_statement_seconds histogram
cutover_statement_seconds_bucket{backend="sqlite",repository="synths",method="get",le="0.001"} 9
cutover_statement_seconds_bucket{backend="sqlite",repository="synths",method="get",le="0.01"} 10
cutover_statement_seconds_bucket{backend="sqlite",repository="synths",method="get",le="+Inf"} 10
cutover_statement_seconds_sum{backend="sqlite",repository="synths",method="get"} 0.25
cutover_statement_seconds_count{backend="sqlite",repository="synths",method="get"} 10
cutover_statement_seconds_bucket{backend="sqlite",repository="synths",method="list",le="0.001"} 0
cutover_statement_seconds_bucket{backend="sqlite",repository="synths",method="list",le="0.01"} 9
cutover_statement_seconds_bucket{backend="sqlite",repository="synths",method="list",le="+Inf"} 10
cutover_statement_seconds_sum{backend="sqlite",repository="synths",method="list"} 0.75
cutover_statement_seconds_count{backend="sqlite",repository="synths",method="list"} 10
cutover_pool_wait_seconds_count{backend="sqlite",pool="readers"} 20
"#;
        let expected = Latency {
            backend: "sqlite".to_owned(),
            repository: "synths".to_owned(),
            calls: 20,
            mean: 0.05,
            median: 0.01,
            p95: 0.01,
        };
        assert_eq!(latencies(page), [expected]);
        assert_eq!(latencies(""), []);
    }

    #[test]
    fn what_is_recorded_is_rendered_with_its_labels() {
        let metrics = Metrics::install();
        request_answered(
            "GET",
            "/a \"quoted\" route".to_owned(),
            200,
            Duration::from_millis(3),
        );
        sample_process();
        let page = metrics.render();
        for part in [
            r#"cutover_http_requests_total{method="GET",route="/a \"quoted\" route",status="200"} 1"#,
            r#"cutover_http_request_seconds_bucket{method="GET",route="/a \"quoted\" route",le="0.005"} 1"#,
            "process_resident_memory_bytes ",
        ] {
            assert!(page.contains(part), "{part} is missing in:\n{page}");
        }
    }
}
