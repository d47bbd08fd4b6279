//! What the configured databases hold, asked without changing them.

use std::collections::HashMap;

use cutover_domain::lab::synth_group::DEFAULT_GROUP_ID;
use cutover_ports::inventory::{Inventory, SeedRow, TableRows};
use cutover_ports::transfer::LedgerEntry;

use super::WiringError;
use crate::config::{Config, ContextConfig};

/// The rows that the contexts' schemas start with.
const SEEDS: &[SeedRow] = &[SeedRow {
    table: "synth_groups",
    key_column: "id",
    key: DEFAULT_GROUP_ID,
}];

/// Rows by table.
pub type Counts = HashMap<&'static str, TableRows>;

/// The rows of these contexts' tables.
async fn count(
    inventory: &dyn Inventory,
    contexts: &[ContextConfig],
    database: String,
) -> Result<Counts, WiringError> {
    let tables: Vec<&'static str> = contexts.iter().flat_map(ContextConfig::tables).collect();
    inventory
        .count(&tables, SEEDS)
        .await
        .map_err(|source| WiringError::Store { database, source })
}

/// Every context's rows in its SQLite file; `None` if there is no such file. The files are opened strictly to read.
#[cfg_attr(
    not(feature = "sqlite"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn sqlite_counts(config: &Config) -> Result<Option<Counts>, WiringError> {
    #[cfg(feature = "sqlite")]
    {
        let mut counts = None;
        for context in config.contexts() {
            let path = &context.sqlite_path;
            if !path.exists() {
                continue;
            }
            let database = format!("the SQLite file {}", path.display());
            let file = cutover_sqlite::transfer::open::SourceFile::new(path, config.sqlite.busy_timeout)
                .map_err(|error| WiringError::Unreachable(error.to_string()))?;
            let counted = count(&file, std::slice::from_ref(&context), database).await?;
            counts.get_or_insert_with(Counts::new).extend(counted);
        }
        Ok(counts)
    }
    #[cfg(not(feature = "sqlite"))]
    Ok(None)
}

/// Every context's rows in the configured PostgreSQL database; `None` if none is configured.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn postgres_counts(config: &Config) -> Result<Option<Counts>, WiringError> {
    #[cfg(feature = "postgres")]
    if config.postgres.is_some() {
        let database = super::databases::open_postgres(config)?;
        return count(&database, &config.contexts(), "PostgreSQL".to_owned())
            .await
            .map(Some);
    }
    Ok(None)
}

/// What is known about the tables copied into the configured PostgreSQL database.
#[cfg_attr(
    not(feature = "postgres"),
    expect(
        unused_variables,
        clippy::unused_async,
        reason = "this build has nothing to ask"
    )
)]
pub async fn postgres_ledger(config: &Config) -> Result<Vec<LedgerEntry>, WiringError> {
    #[cfg(feature = "postgres")]
    if let Some(postgres) = &config.postgres {
        let server = cutover_postgres::PgServer::parse(postgres.url.expose())
            .map_err(|error| WiringError::Configuration(error.to_string()))?;
        let client = server
            .connect("cutover status")
            .await
            .map_err(|source| WiringError::Store {
                database: "PostgreSQL".to_owned(),
                source,
            })?;
        return cutover_postgres::transfer::ledger::read(&client)
            .await
            .map_err(|error| WiringError::Unreachable(error.to_string()));
    }
    Ok(Vec::new())
}
