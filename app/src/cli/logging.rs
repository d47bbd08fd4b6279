//! Logs: to standard error, as text or JSON, by a filter. The service also keeps its last errors, and sends traces if it is told where.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{Config, LogConfig};
use crate::exit::{CliError, Exit};
use crate::observe::traces::{self, TraceExport, Traces};
use crate::observe::{Metrics, RecentErrors};
use crate::wiring::SystemClock;

/// Starts logging. A second start in one process keeps the first.
pub(super) fn start(config: &LogConfig) -> Result<(), CliError> {
    init(tracing_subscriber::registry().with(writer(config)?));
    Ok(())
}

/// What the service shows of itself.
pub(super) struct Observers {
    pub(super) metrics: Metrics,
    pub(super) recent: RecentErrors,
    pub(super) traces: Option<TraceExport>,
}

/// Starts logging, and all that a service is watched by.
pub(super) fn start_service(config: &Config) -> Result<Observers, CliError> {
    let recent = RecentErrors::new(Arc::new(SystemClock));
    let (layer, traces) = config.traces.as_ref().map(traces::start).unzip();
    let wants = filter_fn(RecentErrors::wants).with_max_level_hint(LevelFilter::INFO);
    let mut layers = vec![writer(&config.log)?, recent.clone().with_filter(wants).boxed()];
    // Not as an option: the spans of statements would be made for a layer that is not there as well.
    if let Some(traces) = layer {
        let wants = filter_fn(Traces::wants).with_max_level_hint(LevelFilter::DEBUG);
        layers.push(traces.with_filter(wants).boxed());
    }
    init(tracing_subscriber::registry().with(layers));
    Ok(Observers {
        metrics: Metrics::install(),
        recent,
        traces,
    })
}

fn writer(config: &LogConfig) -> Result<Box<dyn Layer<Registry> + Send + Sync>, CliError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| CliError::new(Exit::Usage, format!("log.filter {:?}: {error}", config.filter)))?;
    // More than this and the driver logs the values that it binds, which are private.
    let bound = filter_fn(|of| *of.level() <= Level::INFO || !of.target().starts_with("tokio_postgres"))
        .with_max_level_hint(LevelFilter::TRACE);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let layer = if config.json {
        layer.json().boxed()
    } else {
        layer.boxed()
    };
    Ok(layer.with_filter(filter.and(bound)).boxed())
}

fn init(subscriber: impl SubscriberInitExt) {
    if let Err(error) = subscriber.try_init() {
        tracing::debug!(%error, "logging was started before");
    }
}
