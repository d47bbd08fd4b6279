//! Connections of a transfer: how they are set up, how statements on them are held together, and who has them.

use std::sync::{Arc, Mutex, PoisonError};

use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{TransferError, TransferResult};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::{connect_error, transfer_error};
use crate::PgServer;

const APPLICATION: &str = "cutover copy";

/// How statements are held together: as a transaction, or within the one transaction of a rehearsal, which is rolled back in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bracket {
    pub(super) begin: &'static str,
    pub(super) commit: &'static str,
    pub(super) rollback: &'static str,
}

pub(super) const TRANSACTION: Bracket = Bracket {
    begin: "BEGIN",
    commit: "COMMIT",
    rollback: "ROLLBACK",
};

pub(super) const REHEARSAL: Bracket = Bracket {
    begin: "SAVEPOINT cutover",
    commit: "RELEASE SAVEPOINT cutover",
    rollback: "ROLLBACK TO SAVEPOINT cutover; RELEASE SAVEPOINT cutover",
};

/// Names with more bytes are cut off by PostgreSQL.
const NAME_MAX: usize = 63;

/// Refuses names of schemas that no application's tables are in.
pub(super) fn check_schema(name: &str) -> TransferResult<()> {
    let why = match name {
        "" => "is empty",
        "cutover" => "is where Cutover keeps its own notes",
        "information_schema" => "is PostgreSQL's own",
        name if name.starts_with("pg_") => "begins with pg_, which PostgreSQL keeps for itself",
        name if name.len() > NAME_MAX => "is longer than the 63 bytes that PostgreSQL takes",
        _ => return Ok(()),
    };
    Err(TransferError::Usage(format!(
        "no tables can be copied from or into the schema {name:?}: its name {why}; give another one (--schema)"
    )))
}

/// How values are printed of types that are read as text, whatever a server or a person has set.
pub(super) const PRINTED: &str = "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET bytea_output = 'hex';
    SET extra_float_digits = 1; SET lc_monetary = 'C'";

/// A connection for a transfer, whose default schema is `schema` if one is given.
pub(super) async fn connect(server: &PgServer, schema: Option<&str>) -> TransferResult<Client> {
    schema.map_or(Ok(()), check_schema)?;
    let client = server
        .connect(APPLICATION)
        .await
        .map_err(|error| connect_error(&error))?;
    let path = schema.map_or_else(String::new, |schema| {
        format!("; SET search_path TO {}", quoted(schema))
    });
    // What a person has set for their programs must neither end a long transfer nor change what is read and stored. Not every
    // version knows every limit. Without row security the server says so if it would hide rows. Connections that work side by side must
    // not fail by what they read of each other's notes; a snapshot is asked for where one is needed.
    run(
        &client,
        &format!(
            "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN
                 ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout');
             SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET row_security = off;
             SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off{path}"
        ),
    )
    .await?;
    // A server that notices that nobody waits any more stops what it does, and the next run need not wait for a dead one's index. Not
    // every version and system can.
    drop(run(&client, "SET client_connection_check_interval = '1s'").await);
    Ok(client)
}

/// Refuses a pooler that gives a session to others between transactions (PgBouncer in transaction mode): the lock of a run, its
/// settings and its snapshot would be theirs too.
pub(super) async fn refuse_pooled(server: &PgServer) -> TransferResult<()> {
    let open = async || {
        let client = server.connect(APPLICATION).await;
        client.map_err(|error| connect_error(&error))
    };
    let (one, other) = (open().await?, open().await?);
    let before = backend(&one).await?;
    run(&other, "BEGIN").await?;
    let theirs = backend(&other).await?;
    // With theirs held by a transaction, a pooler has to give the first one another session.
    if before != theirs && before == backend(&one).await? {
        return Ok(());
    }
    Err(TransferError::Refused(format!(
        "{} is a pooler that shares sessions between transactions (PgBouncer with pool_mode = transaction), through which no copy is safe; \
         give the address of PostgreSQL itself, or of a pool with pool_mode = session",
        server.redacted()
    )))
}

/// Which process of the server answers; without a prepared statement, which a pooler may not know.
async fn backend(client: &Client) -> TransferResult<Option<String>> {
    let messages = client
        .simple_query("SELECT pg_backend_pid()")
        .await
        .map_err(|error| transfer_error(&error))?;
    Ok(messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}

pub(super) async fn run(client: &Client, sql: &str) -> TransferResult<()> {
    client
        .batch_execute(sql)
        .await
        .map_err(|error| transfer_error(&error))
}

/// Connections that have done what they were opened for.
#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Vec<Arc<Client>>>);

impl Idle {
    pub(super) fn take(&self) -> Option<Arc<Client>> {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|client| !client.is_closed());
        idle.pop()
    }

    /// Nothing is under way on the connection any more.
    pub(super) fn put(&self, client: Arc<Client>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(client);
    }
}

/// A connection that loads or builds. Unless it is given back, it is closed: something may be under way on it.
pub(super) struct Worker {
    client: Arc<Client>,
    home: Option<Arc<Idle>>,
}

impl Worker {
    /// `home` is where it goes when it has done its work.
    pub(super) fn new(client: Arc<Client>, home: Option<Arc<Idle>>) -> Self {
        Self { client, home }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Nothing is under way on it any more.
    pub(super) fn give_back(&self) {
        if let Some(home) = &self.home {
            home.put(Arc::clone(&self.client));
        }
    }
}
