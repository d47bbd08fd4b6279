//! `cutover status`.

use clap::Args;

use super::output::Output;
use crate::config::Config;
use crate::exit::{CliError, Exit};
use crate::status;

/// Show which repository runs where, schema versions, rows on both sides, and what was copied and verified
#[derive(Debug, Clone, Args)]
pub(super) struct StatusArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Asks and prints; changes nothing.
pub(super) async fn run(args: &StatusArgs, config: &Config) -> Result<Exit, CliError> {
    let status = status::gather(config).await?;
    Output::from_flag(args.json).write(|| status.text(), || status.json())?;
    Ok(Exit::Done)
}
