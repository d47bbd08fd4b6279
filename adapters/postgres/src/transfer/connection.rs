//! Connections of a transfer: how they are set up, how statements on them are held together, and who has them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cutover_domain::transfer::name::quoted;
use cutover_ports::transfer::{TransferError, TransferResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::error::{connect_error, transfer_error};
use crate::PgServer;
use crate::connect::{ConnectError, ConnectFailure, SessionSettings};

pub(super) const APPLICATION: &str = "cutover copy";

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

/// What to do about a further connection that a transfer which has begun cannot have.
pub(super) const AGAIN: &str =
    "what is written stays, and when there is one, the same command goes on from where it was";

/// How long a server that takes no more connections is given to end those that were closed just now.
const FULL_PATIENCE: Duration = Duration::from_secs(1);
const FULL_POLL: Duration = Duration::from_millis(50);

/// What a person has set for their programs must not end the first statements, which lift it, either. No version takes a setting that it does
/// not know.
const UNLIMITED: &str =
    "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0";

/// Lifts every limit of time that the server's version knows, for the session, or for the transaction that is open.
pub(super) fn unlimited(transaction_only: bool) -> String {
    format!(
        "SELECT set_config(name, '0', {transaction_only}) FROM pg_settings WHERE name IN
             ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')"
    )
}

/// A connection of its own.
pub(super) async fn open(server: &PgServer, application: &str) -> Result<Client, ConnectError> {
    let mut session = SessionSettings {
        application_name: application.to_owned(),
        options: UNLIMITED.to_owned(),
    };
    let deadline = Instant::now() + FULL_PATIENCE;
    loop {
        // A large future, which all who wait for a transfer would hold.
        match Box::pin(server.open(&session)).await {
            // Perhaps for the settings: poolers take none.
            Err(error) if is_refused(&error) && !session.options.is_empty() => session.options.clear(),
            Err(error) if error.failure == ConnectFailure::Full && Instant::now() < deadline => {
                tokio::time::sleep(FULL_POLL).await;
            }
            opened => return opened.map(|(client, _driver)| client),
        }
    }
}

fn is_refused(error: &ConnectError) -> bool {
    matches!(error.failure, ConnectFailure::Pooler | ConnectFailure::Refused)
}

/// A connection for a transfer, whose default schema is `schema` if one is given.
pub(super) async fn connect(server: &PgServer, schema: Option<&str>) -> TransferResult<Client> {
    schema.map_or(Ok(()), check_schema)?;
    let client = open(server, APPLICATION).await;
    let client = client.map_err(|error| connect_error(&error))?;
    set_up(&client, schema).await?;
    Ok(client)
}

/// Makes a connection one for a transfer.
pub(super) async fn set_up(client: &Client, schema: Option<&str>) -> TransferResult<()> {
    let path = schema.map_or_else(String::new, |schema| {
        format!("; SET search_path TO {}", quoted(schema))
    });
    // What a person has set for their programs must neither end a long transfer nor change what is read and stored. Without row
    // security the server says so if it would hide rows. Connections that work side by side must not fail by what they read of each
    // other's notes; a snapshot is asked for where one is needed.
    run(
        client,
        &format!(
            "{}; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET row_security = off;
             SET default_transaction_isolation = 'read committed'; SET default_transaction_deferrable = off{path}",
            unlimited(false)
        ),
    )
    .await?;
    // A server that notices that nobody waits any more stops what it does, and the next run need not wait for a dead one's index. Not
    // every version and system can.
    drop(run(client, "SET client_connection_check_interval = '1s'").await);
    Ok(())
}

/// Refuses a pooler that gives a session to others between transactions (PgBouncer in transaction mode): the lock of a run, its
/// settings and its snapshot would be theirs too.
pub(super) async fn refuse_pooled(server: &PgServer) -> TransferResult<()> {
    let open = async || {
        let client = open(server, APPLICATION).await;
        client.map_err(|error| connect_error(&error))
    };
    let (one, other) = (open().await?, open().await?);
    let before = backend(&one).await?;
    // The session may be somebody else's.
    run(&other, &format!("BEGIN; {}", unlimited(true))).await?;
    let theirs = backend(&other).await?;
    // With theirs held by a transaction, a pooler has to give the first one another session; if it has none, it keeps it waiting.
    let after = timeout(server.connect_timeout(), backend(&one)).await;
    let after = after.ok().transpose()?;
    if before != theirs && after.is_some_and(|after| after == before) {
        return Ok(());
    }
    Err(TransferError::Refused(format!(
        "{} is a pooler that shares sessions between transactions (PgBouncer with pool_mode = transaction), through which no lock and no snapshot holds; \
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

/// How many connections can be at work at a time: as many as are asked for, or fewer where the server takes no more.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    all: Mutex<usize>,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            free: Arc::new(Semaphore::new(MOST_WORKERS)),
            all: Mutex::new(MOST_WORKERS),
        }
    }
}

/// More than anybody asks for.
const MOST_WORKERS: usize = 1_000;

impl Slots {
    pub(super) async fn take(&self) -> TransferResult<OwnedSemaphorePermit> {
        let slot = Arc::clone(&self.free).acquire_owned().await;
        slot.map_err(|_| TransferError::Failed("the copy has no connections any more".to_owned()))
    }

    /// How many connections are at work.
    pub(super) fn at_work(&self) -> usize {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.saturating_sub(self.free.available_permits())
    }

    /// The server takes no connection for this slot: from now on there are as many as others have. The only one stays.
    pub(super) fn give_up(&self, slot: OwnedSemaphorePermit) -> Option<OwnedSemaphorePermit> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        *all -= self.free.forget_permits(self.free.available_permits());
        if *all == 1 {
            return Some(slot);
        }
        slot.forget();
        *all -= 1;
        None
    }
}

/// A connection that loads or builds. Unless it is given back, it is closed: something may be under way on it.
pub(super) struct Worker {
    client: Arc<Client>,
    home: Option<Arc<Idle>>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Worker {
    /// One that holds `slot`; `home` is where it goes when it has done its work.
    pub(super) fn new(client: Arc<Client>, home: Arc<Idle>, slot: OwnedSemaphorePermit) -> Self {
        Self {
            client,
            home: Some(home),
            _slot: Some(slot),
        }
    }

    /// The connection of a session that has no other.
    pub(super) fn only(client: Arc<Client>) -> Self {
        Self {
            client,
            home: None,
            _slot: None,
        }
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
