//! How things stand: which repository runs where, at which version each schema is, what each side holds, and what was
//! copied and verified.

use cutover_domain::time::Timestamp;
use cutover_migrations::State;
use cutover_ports::diagnosis::Purpose;
use cutover_ports::inventory::TableRows;
use cutover_ports::transfer::LedgerEntry;
use serde_json::{Value, json};

use crate::config::{Backend, Config, ContextConfig};
use crate::exit::CliError;
use crate::guard::{Carried, Held};
use crate::startup;
use crate::transfer::unfinished::not_at_its_end;
use crate::wiring::{
    MigrationTargets,
    inventory::{self, HalfCopied, Noted},
};

/// How things stand.
#[derive(Debug)]
pub struct Status {
    /// Each context in each configured database.
    pub databases: Vec<DatabaseStatus>,
    /// Each repository.
    pub repositories: Vec<RepositoryStatus>,
}

/// A context's schema in a database.
#[derive(Debug)]
pub struct DatabaseStatus {
    /// The context.
    pub context: &'static str,
    /// Which side.
    pub backend: Backend,
    /// Where it is, for people.
    pub location: String,
    /// Whether the SQLite file exists; a server always does.
    pub exists: bool,
    /// The schema's version, 0 for none.
    pub version: i64,
    /// The newest version.
    pub head: i64,
    /// What is to be said about it: an old file not yet taken over, an interrupted migration.
    pub remarks: Vec<String>,
}

/// A repository and its tables.
#[derive(Debug)]
pub struct RepositoryStatus {
    /// Its context.
    pub context: &'static str,
    /// Its name in the configuration.
    pub name: &'static str,
    /// Where it runs.
    pub backend: Backend,
    /// Its tables.
    pub tables: Vec<TableStatus>,
}

/// A table on both sides.
#[derive(Debug)]
pub struct TableStatus {
    /// Its name.
    pub name: &'static str,
    /// Rows in SQLite, if the table is there.
    pub sqlite: Option<TableRows>,
    /// Rows in PostgreSQL, if the table is there.
    pub postgres: Option<TableRows>,
    /// What the ledger knows.
    pub ledger: Option<LedgerEntry>,
    /// Whether the SQLite rows are known to be in PostgreSQL.
    pub carried: Carried,
}

/// Asks both databases; neither is changed.
pub async fn gather(config: &Config) -> Result<Status, CliError> {
    // First, because they wait for a locked file no longer than is configured.
    let sqlite = inventory::sqlite_counts(config).await?.unwrap_or_default();
    let mut databases = database_statuses(config).await?;
    startup::refuse_without_rights(config, Purpose::Looking).await?;
    let contexts = config.contexts();
    let postgres = inventory::postgres_counts(config).await?.unwrap_or_default();
    let ledger = inventory::postgres_ledger(config).await?;
    let noted = match &config.postgres {
        Some(postgres) => inventory::noted(&postgres.url, &contexts, |_, _| false).await?,
        None => Noted::default(),
    };
    let in_files = inventory::half_copied_files(config).await?;
    for half in noted.unfinished.iter().chain(&in_files) {
        tell_half_copied(&contexts, half, &mut databases);
    }
    let held = Held {
        noted: &noted,
        ledger: &ledger,
        sqlite: &sqlite,
    };
    let carried = held.carried(config, |_| true).await?;
    let table = |name: &'static str| TableStatus {
        name,
        sqlite: sqlite.get(name).copied(),
        postgres: postgres.get(name).copied(),
        ledger: ledger.iter().find(|entry| entry.table == name).cloned(),
        carried: carried.get(name).copied().unwrap_or(Carried::Nothing),
    };
    let mut repositories = Vec::new();
    for context in contexts {
        repositories.extend(context.repositories.iter().map(|repository| RepositoryStatus {
            context: context.schema.name,
            name: repository.name,
            backend: repository.backend,
            tables: repository.tables.iter().copied().map(table).collect(),
        }));
    }
    Ok(Status {
        databases,
        repositories,
    })
}

/// Tells of the copy into the contexts' tables there that has not come to its end.
fn tell_half_copied(contexts: &[ContextConfig], half: &HalfCopied, databases: &mut [DatabaseStatus]) {
    for context in half.contexts(contexts) {
        let repositories = context.repositories.iter();
        let mut tables = repositories.flat_map(|repository| repository.tables.iter());
        let mut databases = databases.iter_mut();
        let is_meant =
            |one: &&mut DatabaseStatus| one.context == context.schema.name && one.backend == half.backend();
        if let Some(database) = databases.find(is_meant)
            && tables.any(|table| half.has(table))
        {
            let told = not_at_its_end(&half.source, "its tables");
            database
                .remarks
                .push(format!("{told}; finish it by its own command"));
        }
    }
}

async fn database_statuses(config: &Config) -> Result<Vec<DatabaseStatus>, CliError> {
    let targets = MigrationTargets::from_config(config)?;
    let mut databases = Vec::new();
    let contexts = config.contexts();
    let both = |context| [(context, Backend::Sqlite), (context, Backend::Postgres)];
    for (context, backend) in contexts.iter().flat_map(both) {
        let Some(target) = targets.on(context, backend) else {
            continue;
        };
        let head = context.schema.head();
        let location = target.to_string();
        if backend == Backend::Sqlite && !context.sqlite_path.exists() {
            databases.push(DatabaseStatus {
                context: context.schema.name,
                backend,
                location,
                exists: false,
                version: 0,
                head,
                remarks: Vec::new(),
            });
            continue;
        }
        let status = cutover_migrations::status(&target, &context.schema).await?;
        let mut remarks: Vec<String> = status
            .unadopted
            .iter()
            .map(|what| format!("{what}, not yet taken over by `cutover migrate up`"))
            .collect();
        let odd = status
            .versions
            .iter()
            .filter(|version| !matches!(version.state, State::Applied | State::Pending));
        remarks.extend(odd.map(|version| {
            format!(
                "version {} {}: {}",
                version.version,
                version.name,
                version.state.name()
            )
        }));
        databases.push(DatabaseStatus {
            context: context.schema.name,
            backend,
            location,
            exists: true,
            version: status.current,
            head,
            remarks,
        });
    }
    Ok(databases)
}

impl Status {
    /// For a person.
    pub fn text(&self) -> String {
        let mut lines = Vec::new();
        for database in &self.databases {
            let state = if database.exists {
                format!("schema version {} of {}", database.version, database.head)
            } else {
                "no such file yet".to_owned()
            };
            lines.push(format!(
                "{:<7} {:<9} {}: {state}",
                database.context,
                database.backend.to_string(),
                database.location
            ));
            lines.extend(
                database
                    .remarks
                    .iter()
                    .map(|remark| format!("                  {remark}")),
            );
        }
        lines.push(String::new());
        let row = |cells: [&str; 7]| {
            let [context, repository, backend, table, sqlite, postgres, carried] = cells;
            format!(
                "{context:<7} {repository:<21} {backend:<9} {table:<21} {sqlite:>9} {postgres:>9}  {carried}"
            )
            .trim_end()
            .to_owned()
        };
        lines.push(row([
            "context",
            "repository",
            "runs on",
            "table",
            "sqlite",
            "postgres",
            "sqlite rows in postgres",
        ]));
        for repository in &self.repositories {
            for (index, table) in repository.tables.iter().enumerate() {
                let rows =
                    |rows: &Option<TableRows>| rows.map_or("-".to_owned(), |rows| rows.truth().to_string());
                let first = index == 0;
                lines.push(row([
                    if first { repository.context } else { "" },
                    if first { repository.name } else { "" },
                    &if first {
                        repository.backend.to_string()
                    } else {
                        String::new()
                    },
                    table.name,
                    &rows(&table.sqlite),
                    &rows(&table.postgres),
                    table.carried.describe(),
                ]));
            }
        }
        lines.join("\n")
    }

    /// For a machine.
    pub fn json(&self) -> Value {
        let databases = self.databases.iter().map(|database| {
            json!({
                "context": database.context,
                "backend": database.backend.to_string(),
                "location": database.location,
                "exists": database.exists,
                "schema_version": database.version,
                "schema_head": database.head,
                "remarks": database.remarks,
            })
        });
        let repositories = self.repositories.iter().map(|repository| {
            json!({
                "context": repository.context,
                "name": repository.name,
                "backend": repository.backend.to_string(),
                "tables": repository.tables.iter().map(TableStatus::json).collect::<Vec<_>>(),
            })
        });
        json!({ "databases": databases.collect::<Vec<_>>(), "repositories": repositories.collect::<Vec<_>>() })
    }
}

impl TableStatus {
    /// When its rows were last copied to PostgreSQL.
    pub fn copied_at(&self) -> Option<Timestamp> {
        Timestamp::from_micros(self.ledger.as_ref()?.copied_at?).ok()
    }

    /// When they were last found equal there.
    pub fn verified_at(&self) -> Option<Timestamp> {
        Timestamp::from_micros(self.ledger.as_ref()?.verified_at?).ok()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "rows_sqlite": self.sqlite.map(|rows| rows.truth()),
            "rows_postgres": self.postgres.map(|rows| rows.truth()),
            "copied_at": self.copied_at().map(Timestamp::to_json_text),
            "verified_at": self.verified_at().map(Timestamp::to_json_text),
            "sqlite_rows_in_postgres": self.carried.describe(),
        })
    }
}
