//! Logs: to standard error, as text or JSON, by a filter.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use super::output::{CliError, Exit};
use crate::config::LogConfig;

/// Starts logging. A second start in one process keeps the first.
pub(super) fn start(config: &LogConfig) -> Result<(), CliError> {
    let mut filter = EnvFilter::try_new(&config.filter)
        .map_err(|error| CliError::new(Exit::Usage, format!("log.filter {:?}: {error}", config.filter)))?;
    // More than this and the driver logs the values that it binds, which are private.
    if let Ok(quiet) = "tokio_postgres=info".parse() {
        filter = filter.add_directive(quiet);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = if config.json {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
    Ok(())
}
