//! Traces: the spans of requests and of repositories' calls, sent to an OpenTelemetry collector as OTLP/HTTP in JSON.
//!
//! A page of our own instead of the official exporter, see docs/decisions/0008.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::fields::Fields;
use super::{REQUEST_SPAN, STATEMENT_TARGET};
use crate::config::{Collector, TracesConfig};

/// Spans that wait to be sent, at most: a collector that is away must not cost the service its memory.
const QUEUE: usize = 4_096;
/// Spans sent at once.
const BATCH: usize = 512;
/// How long a span waits for others.
const LINGER: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The layer that makes spans of ours spans of OpenTelemetry.
#[derive(Debug)]
pub struct Traces {
    queue: mpsc::Sender<Value>,
    share: f64,
}

/// The task that sends them.
#[derive(Debug)]
pub struct TraceExport {
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

/// Starts to send spans to the collector of `config`.
pub fn start(config: &TracesConfig) -> (Traces, TraceExport) {
    let (queue, spans) = mpsc::channel(QUEUE);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(export(config.clone(), spans, stopped));
    let share = f64::from(config.percent) / 100.0;
    (Traces { queue, share }, TraceExport { stop, task })
}

impl TraceExport {
    /// Sends what is left.
    pub async fn finish(self) {
        // It may have ended by itself, and then there is nobody to tell.
        self.stop.send(()).unwrap_or_default();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "sending traces ended early");
        }
    }
}

/// What is known of a span that is open.
struct Open {
    trace: String,
    id: String,
    parent: Option<String>,
    begun: SystemTime,
    fields: Fields,
}

impl Traces {
    /// The spans that this layer wants.
    pub fn wants(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && (metadata.name() == REQUEST_SPAN || metadata.target() == STATEMENT_TARGET)
    }

    /// Where a span belongs: beneath its parent here, or beneath the caller's, or nowhere. `None` if it is not to be recorded.
    fn place<S>(&self, parent: Option<&SpanRef<'_, S>>, fields: &Fields) -> Option<(String, Option<String>)>
    where
        S: for<'a> LookupSpan<'a>,
    {
        if let Some(parent) = parent {
            let extensions = parent.extensions();
            let parent = extensions.get::<Open>()?;
            return Some((parent.trace.clone(), Some(parent.id.clone())));
        }
        if let Some(caller) = fields.get("traceparent").and_then(Caller::parse) {
            return caller.sampled.then_some((caller.trace, Some(caller.span)));
        }
        let trace = uuid::Uuid::new_v4();
        // Its last digits are random.
        let chance = f64::from(u32::from_be_bytes(
            trace.into_bytes()[12..].try_into().unwrap_or_default(),
        ));
        (chance < self.share * (f64::from(u32::MAX) + 1.0)).then(|| (trace.simple().to_string(), None))
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let Some((trace, parent)) = self.place(span.parent().as_ref(), &fields) else {
            return;
        };
        let mut own = uuid::Uuid::new_v4().simple().to_string();
        // From the second half: a digit of the first is not random.
        own.drain(..16);
        span.extensions_mut().insert(Open {
            trace,
            id: own,
            parent,
            begun: SystemTime::now(),
            fields,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(open) = span.extensions_mut().get_mut::<Open>()
        {
            values.record(&mut open.fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else {
            return;
        };
        let is_request = span.name() == REQUEST_SPAN;
        if self.queue.try_send(open.to_json(is_request)).is_err() {
            metrics::counter!("cutover_trace_spans_dropped_total").increment(1);
        }
    }
}

impl Open {
    /// The span as OTLP has it; it ends now.
    fn to_json(&self, is_request: bool) -> Value {
        let field = |name| self.fields.get(name).unwrap_or_default();
        let (name, kind, failed) = if is_request {
            let failed = field("status").starts_with('5');
            (format!("{} {}", field("method"), field("route")), 2, failed)
        } else {
            let failed = !field("error").is_empty();
            (format!("{}.{}", field("repository"), field("method")), 3, failed)
        };
        let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let attributes: Vec<Value> = if is_request {
            vec![
                attribute("http.request.method", field("method")),
                attribute("http.route", field("route")),
                attribute("url.path", field("path")),
                attribute("http.response.status_code", field("status")),
                attribute("http.request.header.x-request-id", field("id")),
            ]
        } else {
            let system = match field("backend") {
                "postgres" => "postgresql",
                other => other,
            };
            vec![
                attribute("db.system.name", system),
                attribute("db.collection.name", field("repository")),
                attribute("db.operation.name", field("method")),
                attribute("error.type", field("error")),
            ]
        };
        let told = attributes
            .into_iter()
            .filter(|one| one["value"]["stringValue"] != "");
        let nanoseconds = |time: SystemTime| {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            since.as_nanos().to_string()
        };
        json!({
            "traceId": self.trace,
            "spanId": self.id,
            "parentSpanId": self.parent.as_deref().unwrap_or_default(),
            "name": name,
            "kind": kind,
            "startTimeUnixNano": nanoseconds(self.begun),
            "endTimeUnixNano": nanoseconds(SystemTime::now()),
            "attributes": told.collect::<Vec<_>>(),
            "status": if failed { json!({ "code": 2 }) } else { json!({}) },
        })
    }
}

/// A caller's `traceparent` header, as the W3C's Trace Context describes it.
#[derive(Debug, PartialEq)]
struct Caller {
    trace: String,
    span: String,
    sampled: bool,
}

impl Caller {
    fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hexadecimal = |text: &str, length: usize| {
            text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let named = |text: &str, length| hexadecimal(text, length) && text.bytes().any(|byte| byte != b'0');
        let known = hexadecimal(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        if !(known && named(trace, 32) && named(span, 16) && hexadecimal(flags, 2)) {
            return None;
        }
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self {
            trace: trace.to_owned(),
            span: span.to_owned(),
            sampled,
        })
    }
}

/// Sends batches until told to stop, and then what is left.
async fn export(config: TracesConfig, mut spans: mpsc::Receiver<Value>, mut stopped: oneshot::Receiver<()>) {
    let config = Arc::new(config);
    let mut away = false;
    loop {
        let mut batch = Vec::new();
        let stopping = tokio::select! {
            _ = &mut stopped => true,
            _ = spans.recv_many(&mut batch, BATCH) => false,
        };
        if stopping {
            spans.close();
            while let Some(span) = spans.recv().await {
                batch.push(span);
            }
        } else if batch.len() < BATCH {
            // Others will come soon, and one request for all of them is enough.
            tokio::select! {
                _ = &mut stopped => {
                    spans.close();
                    while let Some(span) = spans.recv().await {
                        batch.push(span);
                    }
                    send(&config, &batch, &mut away).await;
                    return;
                }
                () = tokio::time::sleep(LINGER) => {
                    while batch.len() < QUEUE
                        && let Ok(span) = spans.try_recv()
                    {
                        batch.push(span);
                    }
                }
            }
        }
        if !batch.is_empty() {
            send(&config, &batch, &mut away).await;
        }
        if stopping {
            return;
        }
    }
}

/// Sends one batch. A collector that is away is told of once, and its spans are lost.
async fn send(config: &TracesConfig, batch: &[Value], away: &mut bool) {
    let body = json!({
        "resourceSpans": [{
            "resource": { "attributes": [
                { "key": "service.name", "value": { "stringValue": config.service_name } },
                { "key": "service.version", "value": { "stringValue": env!("CARGO_PKG_VERSION") } },
            ] },
            "scopeSpans": [{ "scope": { "name": "cutover" }, "spans": batch }],
        }]
    });
    let posted = tokio::time::timeout(PATIENCE, post(&config.endpoint, &body.to_string())).await;
    let problem = match posted {
        Ok(Ok(status)) if (200..300).contains(&status) => None,
        Ok(Ok(status)) => Some(format!("it answers with {status}")),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(format!("no answer within {PATIENCE:?}")),
    };
    if let Some(problem) = problem {
        metrics::counter!("cutover_trace_spans_dropped_total").increment(batch.len() as u64);
        if !*away {
            tracing::warn!(collector = %config.endpoint, %problem, "traces cannot be sent");
        }
        *away = true;
    } else {
        if *away {
            tracing::info!(collector = %config.endpoint, "traces are sent again");
        }
        *away = false;
    }
}

/// Posts JSON on a connection of its own; the answer's status.
async fn post(collector: &Collector, body: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect(&collector.authority).await?;
    let Collector { authority, path } = collector;
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await?;
    // `HTTP/1.1 200`; the rest says nothing more that is of use.
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    let status = std::str::from_utf8(&line[9..])
        .ok()
        .and_then(|status| status.parse().ok());
    status.ok_or_else(|| std::io::Error::other("it does not speak HTTP"))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn spans(share: f64, work: impl FnOnce()) -> Vec<Value> {
        let (queue, mut received) = mpsc::channel(100);
        let layer = Traces { queue, share }.with_filter(filter_fn(Traces::wants));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        std::iter::from_fn(|| received.try_recv().ok()).collect()
    }

    fn request(traceparent: &str) {
        let span = tracing::info_span!(
            "request",
            method = "GET",
            path = "/a/1",
            route = "/a/{id}",
            id = "r1",
            traceparent,
            status = tracing::field::Empty
        );
        span.in_scope(|| {
            drop(cutover_ports::watch::Watch::begin("postgres", "synths.get"));
            tracing::info_span!("somebody else's").in_scope(|| {});
        });
        span.record("status", 503);
    }

    #[test]
    fn a_request_and_its_statement_are_one_trace_beneath_the_callers() {
        let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let spans = spans(0.0, || request(caller));
        let [statement, request] = &spans[..] else {
            panic!("two spans: {spans:?}")
        };
        assert_eq!(request["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(request["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(request["name"], "GET /a/{id}");
        assert_eq!(request["status"]["code"], 2);
        assert_eq!(statement["traceId"], request["traceId"]);
        assert_eq!(statement["parentSpanId"], request["spanId"]);
        assert_eq!(statement["name"], "synths.get");
        let system = json!({ "key": "db.system.name", "value": { "stringValue": "postgresql" } });
        assert!(
            statement["attributes"].as_array().unwrap().contains(&system),
            "{statement}"
        );
        assert_eq!(statement["spanId"].as_str().unwrap().len(), 16);
    }

    #[test]
    fn what_is_not_sampled_is_not_sent() {
        assert_eq!(spans(1.0, || request("")).len(), 2);
        assert_eq!(spans(0.0, || request("")).len(), 0);
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        assert_eq!(spans(1.0, || request(unsampled)).len(), 0);
    }

    #[test]
    fn only_a_well_formed_caller_is_believed() {
        for wrong in [
            "",
            "00-0-0-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-\"}",
        ] {
            assert_eq!(Caller::parse(wrong), None, "{wrong}");
        }
        let newer = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert!(Caller::parse(newer).unwrap().sampled);
    }

    #[tokio::test]
    async fn batches_reach_the_collector_and_the_last_one_before_the_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = TracesConfig {
            endpoint: Collector::parse(&format!("http://{address}")).unwrap(),
            service_name: "s".to_owned(),
            percent: 100,
        };
        let (traces, export) = start(&config);
        traces.queue.send(json!({ "name": "one" })).await.unwrap();
        let collector = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            while !text.ends_with(b"}]}]}]}") {
                let mut some = [0; 4096];
                let read = stream.read(&mut some).await.unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&text));
                text.extend_from_slice(&some[..read]);
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                .await
                .unwrap();
            String::from_utf8(text).unwrap()
        });
        export.finish().await;
        let text = collector.await.unwrap();
        assert!(text.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{text}");
        assert!(text.contains(r#""spans":[{"name":"one"}]"#), "{text}");
    }
}
