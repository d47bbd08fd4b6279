//! `cutover.served`: which repositories the service has run on this database since it last ran them elsewhere, and what they have
//! written here. Nothing is prepared: the service asks through a pooler, too.

use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::schema::literal;
use cutover_ports::inventory::ServedTable;
use cutover_ports::transfer::{TransferError, TransferResult};
use postgres_types::Type;
use tokio_postgres::{Client, Row};

use super::connection;
use super::error::{connect_error, transfer_error};
use super::own_tables::noted;
use crate::PgServer;
use crate::database::ONLY_READS;

/// The notes of a database, and a connection to it.
#[derive(Debug)]
pub struct Notes {
    client: Client,
    can_be_made: bool,
    has_ledger: bool,
}

impl Notes {
    /// Those of the database that `server` names.
    pub async fn open(server: &PgServer) -> TransferResult<Self> {
        let client = connection::open(server, "cutover status").await;
        let client = client.map_err(|error| connect_error(&error))?;
        Ok(Self {
            can_be_made: is_there(&client, "cutover.served").await?,
            has_ledger: is_there(&client, "cutover.ledger").await?,
            client,
        })
    }

    /// The schema that the service's tables are in.
    pub async fn schema(&self) -> TransferResult<Option<String>> {
        let rows = ask(&self.client, "SELECT current_schema()::text").await?;
        Ok(rows.first().and_then(|row| row.get(0)))
    }

    /// The repositories that are noted; `None` if none can be, as `migrate up` was not run since there are such notes.
    pub async fn repositories(&self) -> TransferResult<Option<Vec<String>>> {
        if !self.can_be_made {
            return Ok(None);
        }
        let rows = ask(&self.client, "SELECT repository FROM cutover.served").await?;
        Ok(Some(rows.iter().map(|row| row.get(0)).collect()))
    }

    /// What is not noted yet of the repositories that run `here` from now on, and what is still noted of those that run `elsewhere`. Refused
    /// if that is anything and the database takes no writes: what is written once it does would be missed by the guards.
    pub async fn wanting<'n>(
        &self,
        here: &[&'n str],
        elsewhere: &[&'n str],
    ) -> TransferResult<(Vec<&'n str>, Vec<&'n str>)> {
        let Some(noted) = self.repositories().await? else {
            return Ok((Vec::new(), Vec::new()));
        };
        let is_noted = |name: &str| noted.iter().any(|noted| noted == name);
        let come: Vec<&str> = here.iter().copied().filter(|name| !is_noted(name)).collect();
        let gone: Vec<&str> = elsewhere.iter().copied().filter(|name| is_noted(name)).collect();
        if come.is_empty() && gone.is_empty() {
            return Ok((come, gone));
        }
        if ask(&self.client, ONLY_READS).await?.iter().any(|row| row.get(0)) {
            return Err(TransferError::Refused(
                "PostgreSQL takes no writes (it is a standby, or its transactions are read-only), so that it cannot be noted which repositories \
                 run there, and a later way back could leave rows behind; name the primary, or end default_transaction_read_only, for the first \
                 start with these routes"
                    .to_owned(),
            ));
        }
        Ok((come, gone))
    }

    /// Notes that `here` run on this database from now on, and `elsewhere` no longer do; if that can be noted.
    pub async fn note(&self, here: &[&str], elsewhere: &[&str]) -> TransferResult<()> {
        let (come, gone) = self.wanting(here, elsewhere).await?;
        for (sql, names) in [
            (
                "INSERT INTO cutover.served (repository) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
                come,
            ),
            ("DELETE FROM cutover.served WHERE repository = ANY ($1)", gone),
        ] {
            if !names.is_empty() {
                self.client
                    .query_typed(sql, &[(&names, Type::TEXT_ARRAY)])
                    .await
                    .map_err(|error| transfer_error(&error))?;
            }
        }
        Ok(())
    }

    /// The copy into the connection's default schema that has not come to its end, as far as this role may know: its source, and its tables.
    pub async fn unfinished(&self) -> TransferResult<Option<(String, Vec<String>)>> {
        const MAY_ASK: &str = "SELECT coalesce(has_table_privilege(to_regclass('cutover.copy_run'), 'SELECT')
            AND has_table_privilege(to_regclass('cutover.copy_table'), 'SELECT'), false)";
        const SQL: &str = "SELECT source, ARRAY(SELECT table_name FROM cutover.copy_table AS t WHERE t.schema_name = run.schema_name)
            FROM cutover.copy_run AS run WHERE finished_at IS NULL AND schema_name = current_schema()";
        if !ask(&self.client, MAY_ASK).await?.iter().any(|row| row.get(0)) {
            return Ok(None);
        }
        let runs = ask(&self.client, SQL).await?;
        let told = |run| Ok((noted(run, "copy_run", 0)?, noted(run, "copy_table", 1)?));
        runs.first().map(told).transpose()
    }

    /// What is in a table of the connection's default schema; `None` if there is no such table. `seeds` tells rows that its schema
    /// starts with.
    ///
    /// A row that was written since the ledger's entry has the number of a later transaction: that tells changed rows as well, and
    /// needs no note at any write.
    pub async fn table(&self, table: &str, seeds: &str) -> TransferResult<Option<ServedTable>> {
        let name = quoted(table);
        if !is_there(&self.client, &name).await? {
            return Ok(None);
        }
        refuse_hidden(&self.client, table).await?;
        let entry = if self.has_ledger {
            format!(
                "SELECT rows, xmin AS written FROM cutover.ledger WHERE schema_name = current_schema() AND table_name = {}",
                literal(table)
            )
        } else {
            "SELECT 0::bigint AS rows, NULL::xid AS written WHERE false".to_owned()
        };
        let sql = format!(
            "WITH entry AS ({entry}), held AS (
                 SELECT count(*) AS rows, count(*) FILTER (WHERE {seeds}) AS seeded,
                     count(*) FILTER (WHERE age(t.xmin) < (SELECT age(written) FROM entry)) AS newer FROM {name} AS t
             )
             SELECT rows - (SELECT count(*) FROM cutover.planted_rows WHERE table_name = {0}), seeded, newer, (SELECT rows FROM entry) FROM held",
            literal(table)
        );
        let rows = ask(&self.client, &sql).await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let table = |row: &Row| {
            Ok(ServedTable {
                rows: count(row.get(0)),
                seeded: count(row.get(1)),
                newer: count(row.get(2)),
                known: noted::<Option<i64>>(row, "ledger", 3)?.map(count),
            })
        };
        rows.first().map(table).transpose()
    }
}

async fn is_there(client: &Client, table: &str) -> TransferResult<bool> {
    let sql = format!("SELECT to_regclass({}) IS NOT NULL", literal(table));
    let rows = ask(client, &sql).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Refuses a table of which a policy hides rows. Asked, and not left to the setting `row_security`: the session may be a pooler's.
async fn refuse_hidden(client: &Client, table: &str) -> TransferResult<()> {
    let sql = format!(
        "SELECT quote_ident(current_user) WHERE row_security_active(to_regclass({}))",
        literal(&quoted(table))
    );
    let hidden = ask(client, &sql).await?;
    hidden.first().map_or(Ok(()), |row| {
        let role: &str = row.get(0);
        Err(TransferError::Refused(format!(
            "row-level security is active for {role} on {table}, and hides rows, so that nobody knows whether a way back would leave some \
             behind; ALTER ROLE {role} BYPASSRLS, or ALTER TABLE … DISABLE ROW LEVEL SECURITY"
        )))
    })
}

async fn ask(client: &Client, sql: &str) -> TransferResult<Vec<Row>> {
    client
        .query_typed(sql, &[])
        .await
        .map_err(|error| transfer_error(&error))
}
