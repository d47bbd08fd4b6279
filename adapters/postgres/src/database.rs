//! The pool, and the one place where statements run: prepared and cached (or not, for poolers), timed, translated.

use std::fmt;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cutover_domain::time::Timestamp;
use cutover_ports::together::shared;
use cutover_ports::watch::Watch;
use cutover_ports::{ForeignKeys, KeysAcross, Page, PageRequest, StoreError, StoreResult};
use deadpool::Runtime;
use deadpool::managed::{Manager as _, Metrics, PoolError, QueueMode, RecycleError, RecycleResult};
use futures_util::TryStreamExt;
use postgres_types::Type;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::RowStream;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::batch::{self, Batch, Batches, Outcome};
use crate::combined::{Encoded, Read};
use crate::company::{self, Company};
use crate::connect::{ConnectError, PgServer, SessionSettings};
use crate::error::{Effect, has_yielded, is_lost_connection, is_lost_statement, store_error, unavailable};
use crate::row::{Columns, Row};
use crate::session::Session;
use crate::types::{Bind, PgTime};

/// Whether a session takes no writes: that of a standby, or one whose transactions are read-only.
pub(crate) const ONLY_READS: &str =
    "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'";

/// How a pool behaves. Making a new connection is bounded by the server's own
/// [`connect_timeout`](PgServer::connect_timeout).
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections at most.
    pub size: usize,
    /// How long a caller waits for a connection, whether one becomes free or a new one is made.
    pub wait_timeout: Duration,
    /// How long a connection that was idle for a while may take to prove that it is alive.
    pub recycle_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// Off for poolers that hand a session to others between transactions (PgBouncer in transaction mode): then
    /// statements are not prepared, sessions have no settings of their own, and nothing is cancelled on the server.
    pub prepared_statements: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            size: 8,
            wait_timeout: Duration::from_secs(5),
            recycle_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(30),
            prepared_statements: true,
        }
    }
}

impl PoolSettings {
    /// What each session of the pool is started with. Without row security the server says so if it would hide rows.
    pub(crate) fn session(&self) -> SessionSettings {
        let options = if self.prepared_statements {
            format!(
                "-c statement_timeout={} -c idle_in_transaction_session_timeout={} -c default_transaction_isolation=read\\ committed -c row_security=off",
                self.statement_timeout.as_millis(),
                (self.statement_timeout + IDLE_IN_TRANSACTION).as_millis()
            )
        } else {
            String::new()
        };
        SessionSettings {
            application_name: "cutover".to_owned(),
            options,
        }
    }
}

/// How long a pool's connections are, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections at most.
    pub size_max: usize,
    /// Connections that are open.
    pub size: usize,
    /// Those of them that are on loan.
    pub in_use: usize,
    /// Callers that wait for one.
    pub waiting: usize,
}

/// The server gives a statement up first, which leaves no doubt about its outcome and the connection usable. We follow
/// this much later, for a server that does not answer at all.
const GRACE: Duration = Duration::from_millis(500);
/// The server ends a transaction that waits this much longer than a statement may for its next statement.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(30);
/// A connection idle for longer must prove that it is alive before it is lent: a network that went away says nothing.
const IDLE_UNPROVEN: Duration = Duration::from_secs(30);
/// How long we try to cancel a statement that nobody waits for any more.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);
/// What repositories promise is made for this isolation, whatever is the default of the role.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// How often a statement is run again that the server undid for the sake of others.
const YIELDS: usize = 5;

/// Makes the pool's connections.
#[derive(Debug)]
struct Manager {
    server: PgServer,
    session: SessionSettings,
}

impl deadpool::managed::Manager for Manager {
    type Type = Session;
    type Error = ConnectError;

    async fn create(&self) -> Result<Session, ConnectError> {
        // Boxed, for the futures of all methods would carry its size.
        let (client, driver) = Box::pin(self.server.open(&self.session)).await?;
        Ok(Session::new(client, driver))
    }

    async fn recycle(&self, session: &mut Session, metrics: &Metrics) -> RecycleResult<ConnectError> {
        if session.is_closed() {
            return Err(RecycleError::message("closed"));
        }
        if metrics.last_used() > IDLE_UNPROVEN {
            session
                .batch_execute("SELECT 1")
                .await
                .map_err(|error| RecycleError::message(error.to_string()))?;
        }
        Ok(())
    }
}

type Pool = deadpool::managed::Pool<Manager>;
type Object = deadpool::managed::Object<Manager>;

/// A PostgreSQL database as the repositories use it. Cloning shares the pool.
///
/// The pool mends itself after an outage: connections that died are dropped when they are next wanted. A statement that
/// finds its connection dead is run once more on a fresh one where that cannot do anything twice: outside transactions,
/// if it only reads or was certainly not run.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
    pub(crate) keys: KeysAcross,
}

/// What leases need of their database.
#[derive(Debug)]
pub(crate) struct Shared {
    pool: Pool,
    settings: PoolSettings,
    batches: Arc<Batches>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("server", &self.shared.pool.manager().server)
            .field("pool", &self.status())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// A pool for `server`. Connects when first used.
    pub fn new(server: &PgServer, settings: &PoolSettings) -> StoreResult<Self> {
        let manager = Manager {
            server: server.clone(),
            session: settings.session(),
        };
        let pool = Pool::builder(manager)
            .max_size(settings.size)
            .recycle_timeout(Some(settings.recycle_timeout))
            // The connection used last is the one whose server process is warm.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Backend(error.into()))?;
        let shared = Shared {
            pool,
            settings: settings.clone(),
            batches: Arc::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            keys: KeysAcross::default(),
        })
    }

    /// The same server, through a pool of its own as large as this one.
    pub fn apart(&self) -> StoreResult<Self> {
        Self::new(&self.shared.pool.manager().server, &self.shared.settings)
    }

    /// How the pool is used at this moment.
    pub fn status(&self) -> PoolStatus {
        let status = self.shared.pool.status();
        PoolStatus {
            size_max: status.max_size,
            size: status.size,
            in_use: status.size.saturating_sub(status.available),
            waiting: status.waiting,
        }
    }

    /// The same pool, for repositories some of whose parents or children live in the other database.
    #[must_use]
    pub fn with_foreign_keys(mut self, foreign_keys: Arc<dyn ForeignKeys>) -> Self {
        self.keys = KeysAcross::kept_by(foreign_keys);
        self
    }

    /// For statements that commit one by one. `operation` is `repository.method`, for traces.
    pub(crate) async fn lease(&self, operation: &'static str) -> StoreResult<Lease> {
        let lease = self.lazy(operation, self.company());
        if lease.company.is_none() {
            lease.client().await?;
        }
        Ok(lease)
    }

    /// For a statement that finds few rows by a key: those of several requests may be sent together.
    pub(crate) fn look_up(&self, operation: &'static str) -> Lease {
        let mut lease = self.lazy(operation, self.company());
        lease.is_lookup = true;
        lease
    }

    /// The reads that go together now, if some do.
    fn company(&self) -> Option<Arc<Company>> {
        shared(Arc::as_ptr(&self.shared).addr(), Company::default)
    }

    /// Without a connection until one is needed.
    fn lazy(&self, operation: &'static str, company: Option<Arc<Company>>) -> Lease {
        Lease {
            operation,
            watch: Watch::begin("postgres", operation),
            shared: Arc::clone(&self.shared),
            loan: OnceCell::new(),
            company,
            is_lookup: false,
            in_transaction: false,
            effect: Effect::Commits,
        }
    }

    /// A connection with a transaction open on it; end it with [`Transaction::finish`].
    pub(crate) async fn begin(&self, operation: &'static str) -> StoreResult<Transaction> {
        let mut lease = self.lazy(operation, None);
        lease.effect = Effect::None;
        let settings = &self.shared.settings;
        if settings.prepared_statements {
            lease.batch(BEGIN, Effect::None).await?;
        } else {
            // The session is not ours to set up; this transaction is.
            let timeout = settings.statement_timeout.as_millis();
            let begin = format!("{BEGIN}; SET LOCAL statement_timeout = {timeout}");
            lease.batch(&begin, Effect::None).await?;
        }
        lease.in_transaction = true;
        Ok(Transaction { lease })
    }

    /// As [`Database::begin`], where nothing waits longer for a lock than a caller waits for a connection.
    pub(crate) async fn begin_impatient(&self, operation: &'static str) -> StoreResult<Transaction> {
        let transaction = self.begin(operation).await?;
        let patience = self.shared.settings.wait_timeout.as_millis().max(1);
        let limit = format!("SET LOCAL lock_timeout = {patience}");
        transaction.batch(&limit, Effect::None).await?;
        Ok(transaction)
    }

    /// Whether a session that the server grants now may do what the URL wants of it: write, unless that asks for one that only reads. That all
    /// connections of the pool are busy says nothing of that: then one is made for it.
    pub async fn ping(&self) -> StoreResult<bool> {
        let manager = self.shared.pool.manager();
        let pool = self.status();
        let only_reads: bool = if pool.waiting == 0 && pool.in_use < pool.size_max {
            let row = self.lease("ping").await?.query_one(ONLY_READS, &[]).await?;
            Columns::new("ping", &row).get()?
        } else {
            let session = manager.create().await?;
            let answer = session.query_typed(ONLY_READS, &[]).await;
            let answer = answer.map_err(|error| store_error(error, Effect::None))?;
            answer.iter().any(|row| row.get(0))
        };
        Ok(!only_reads || manager.server.writable() == Some(false))
    }

    /// What time it is by the server's clock.
    pub async fn server_time(&self) -> StoreResult<Timestamp> {
        let lease = self.lease("server_time").await?;
        let row = lease.query_one("SELECT clock_timestamp()", &[]).await?;
        Ok(Columns::new("clock_timestamp", &row).get::<PgTime>()?.0)
    }

    /// Closes the pool: waiting and later callers fail.
    pub fn close(&self) {
        self.shared.pool.close();
    }
}

impl Shared {
    /// A connection from the pool.
    pub(crate) async fn loan(self: &Arc<Self>) -> StoreResult<Arc<Loan>> {
        Ok(Arc::new(Loan {
            client: Some(self.connection().await?),
            shared: Arc::clone(self),
            replacement: OnceCell::new(),
            running: AtomicUsize::new(0),
            spoilt: AtomicBool::new(false),
        }))
    }

    async fn connection(&self) -> StoreResult<Object> {
        let limit = self.settings.wait_timeout;
        match timeout(limit, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(PoolError::Backend(error))) => Err(error.into()),
            Ok(Err(PoolError::Closed)) => Err(unavailable("the connection pool is closed")),
            Ok(Err(error)) => Err(StoreError::Backend(error.into())),
            Err(_) => {
                let size = self.settings.size;
                Err(unavailable(format!(
                    "all {size} connections of the pool were busy for {limit:?}"
                )))
            }
        }
    }
}

/// A connection on loan.
///
/// When a caller goes away in the middle of a statement, or a statement is given up, the connection is closed
/// instead of going back: whoever borrowed it next would wait behind that statement.
pub(crate) struct Loan {
    shared: Arc<Shared>,
    /// Only empty once the loan ends.
    client: Option<Object>,
    /// Made when that one turned out to be dead; it goes to the pool in its place.
    replacement: OnceCell<Session>,
    /// Statements under way.
    running: AtomicUsize,
    /// Whether the session is not fit for others.
    spoilt: AtomicBool,
}

impl Loan {
    fn connection(&self) -> StoreResult<Connection<'_>> {
        let session = self.replacement.get().or(self.client.as_deref());
        let session = session.ok_or_else(|| StoreError::Backend("the connection was given back".into()))?;
        Ok(Connection { loan: self, session })
    }
}

/// The session of a loan that a statement runs on.
#[derive(Clone, Copy)]
struct Connection<'a> {
    loan: &'a Loan,
    session: &'a Session,
}

impl Deref for Connection<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

/// The use of a connection by one method: its own, or one that the reads of an answer share.
pub(crate) struct Lease {
    operation: &'static str,
    watch: Watch,
    shared: Arc<Shared>,
    /// Once a statement needs one.
    loan: OnceCell<Arc<Loan>>,
    /// Those who share a connection, and whose reads may be sent together.
    company: Option<Arc<Company>>,
    /// Whether it finds few rows by a key.
    is_lookup: bool,
    in_transaction: bool,
    /// Of statements that write.
    effect: Effect,
}

/// A statement that failed.
struct Failure {
    error: StoreError,
    repeat: Repeat,
}

/// Whether a statement may be run once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Never,
    /// Others were in its way, and it was undone for them: a deadlock. Only a transaction of its own can be run again.
    Here,
    /// It was certainly not run, or only read, and a fresh connection may do better.
    Elsewhere,
}

impl Failure {
    /// For good.
    fn of(error: StoreError) -> Self {
        Self {
            error,
            repeat: Repeat::Never,
        }
    }

    /// Why statements that failed together would fail one by one as well, each after the same time; none if they may do better.
    fn of_all(&self) -> Option<String> {
        match (&self.error, self.repeat) {
            (StoreError::Unavailable(reason), Repeat::Never) => Some(reason.to_string()),
            _ => None,
        }
    }

    /// What becomes of all that failed together.
    fn outcome<T>(&self) -> Outcome<T> {
        self.of_all().map_or(Outcome::Alone, Outcome::Unavailable)
    }
}

impl Lease {
    /// All rows.
    pub(crate) async fn query(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Vec<Row>> {
        self.run(sql, binds, Effect::None).await.map(|(rows, _)| rows)
    }

    /// The row, or none.
    pub(crate) async fn query_opt(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Option<Row>> {
        Ok(self.query(sql, binds).await?.into_iter().next())
    }

    /// The one row that the statement always gives.
    pub(crate) async fn query_one(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Row> {
        self.query_opt(sql, binds).await?.ok_or_else(|| self.no_row())
    }

    /// The rows that a statement which writes gives back.
    pub(crate) async fn write(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Vec<Row>> {
        self.run(sql, binds, self.effect).await.map(|(rows, _)| rows)
    }

    /// Runs a statement that writes; the number of rows it changed.
    pub(crate) async fn execute(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<u64> {
        self.run(sql, binds, self.effect)
            .await
            .map(|(_, changed)| changed)
    }

    /// A page and the length of the list, asked for at once. `sql` takes the limit and the offset behind the binds that it shares with `count`.
    pub(crate) async fn page<T>(
        &self,
        sql: &'static str,
        count: &'static str,
        binds: &[Bind<'_>],
        page: PageRequest,
        from_row: impl Fn(&Row) -> StoreResult<T>,
    ) -> StoreResult<Page<T>> {
        let limit = i64::from(page.limit);
        let offset = i64::try_from(page.offset).unwrap_or(i64::MAX);
        let mut page_binds = binds.to_vec();
        page_binds.push((&limit, Type::INT8));
        page_binds.push((&offset, Type::INT8));
        let (total, rows) = match Box::pin(self.both((count, binds), (sql, &page_binds))).await {
            Some(rows) => rows?,
            None => futures_util::try_join!(self.query(count, binds), self.query(sql, &page_binds))?,
        };
        let total = total.first().ok_or_else(|| self.no_row())?;
        Ok(Page {
            items: rows.iter().map(from_row).collect::<StoreResult<_>>()?,
            total: Columns::new("count", total).count()?,
        })
    }

    /// The rows of two statements that are sent as one, unless they are of a company or cannot go together.
    async fn both(
        &self,
        one: (&'static str, &[Bind<'_>]),
        other: (&'static str, &[Bind<'_>]),
    ) -> Option<StoreResult<(Vec<Row>, Vec<Row>)>> {
        let is_by_itself = self.company.is_none() && !self.in_transaction;
        if !is_by_itself || !self.shared.settings.prepared_statements {
            return None;
        }
        let reads = [
            Read::new(one.0, one.1, false)?,
            Read::new(other.0, other.1, false)?,
        ];
        match self.run_together(&reads).await {
            Ok(rows) => {
                let [one, other] = <[_; 2]>::try_from(rows).ok()?;
                Some(Ok((one, other)))
            }
            Err(failure) => {
                failure.of_all()?;
                self.watch.failed(&failure.error);
                Some(Err(failure.error))
            }
        }
    }

    fn no_row(&self) -> StoreError {
        StoreError::Backend(format!("{}: no row", self.operation).into())
    }

    /// Rows of a statement made of the domain's names: not prepared, for there are many of its kind.
    pub(crate) async fn query_dynamic(&self, sql: &str, binds: &[Bind<'_>]) -> StoreResult<Vec<Row>> {
        let mut client = self.client().await?;
        let mut yielded = 0;
        loop {
            match self.run_unprepared(client, sql, binds, self.effect).await {
                Ok((rows, _)) => return Ok(rows),
                Err(failure) => client = self.again(client, failure, &mut yielded).await?,
            }
        }
    }

    /// The rows of a statement and the number of rows it changed.
    async fn run(
        &self,
        sql: &'static str,
        binds: &[Bind<'_>],
        effect: Effect,
    ) -> StoreResult<(Vec<Row>, u64)> {
        // A place among the batches is kept until the statement has run.
        let (outcome, _place) = match self.shareable(sql, binds, effect) {
            Some(read) => self.ask(read).await,
            None => (Outcome::Alone, None),
        };
        match outcome {
            Outcome::Rows(rows, sent) => {
                self.watch.share(sent);
                return Ok((rows, 0));
            }
            Outcome::Unavailable(reason) => {
                let error = unavailable(reason);
                self.watch.failed(&error);
                return Err(error);
            }
            Outcome::Alone => {}
        }
        let mut client = self.client().await?;
        let mut yielded = 0;
        loop {
            match self.run_on(client, sql, binds, effect).await {
                Ok(outcome) => return Ok(outcome),
                Err(failure) => client = self.again(client, failure, &mut yielded).await?,
            }
        }
    }

    /// A statement in the form in which it can be sent with others, if it may.
    fn shareable(&self, sql: &'static str, binds: &[Bind<'_>], effect: Effect) -> Option<Read> {
        let with_others = self.is_lookup || self.company.is_some();
        if effect == Effect::None && with_others && self.shared.settings.prepared_statements {
            Read::new(sql, binds, self.is_lookup)
        } else {
            None
        }
    }

    /// Has a read sent with others. If it is to run alone, it keeps its place among the batches until it has.
    async fn ask(&self, read: Read) -> (Outcome<Vec<Row>>, Option<Batch>) {
        let Some(company) = &self.company else {
            let (mut outcome, place) = Box::pin(self.join(vec![read])).await;
            return (outcome.next(), place);
        };
        let mut lead = match company.ask(read).await {
            company::Turn::Take(outcome) => return (outcome, None),
            company::Turn::Lead(lead) => lead,
        };
        let (outcome, place) = if lead.reads.iter().all(|read| read.is_lookup) {
            Box::pin(self.join(std::mem::take(&mut lead.reads))).await
        } else if lead.reads.len() > 1 {
            (Box::pin(self.send(&lead.reads)).await, None)
        } else {
            (Outcome::Alone, None)
        };
        (lead.end(outcome), place)
    }

    /// Has lookups sent with those of other requests.
    async fn join(&self, reads: Vec<Read>) -> (Outcome<Vec<Vec<Row>>>, Option<Batch>) {
        let mut batch = match self.shared.batches.join(reads).await {
            batch::Turn::Take(outcome) => return (outcome, None),
            batch::Turn::Lead(batch) => batch,
        };
        // Who comes while the connection is waited for goes with it.
        if let Err(error) = self.loan().await {
            return (Failure::of(error).outcome(), None);
        }
        let reads = batch.board();
        if reads.len() == 1 {
            return (Outcome::Alone, Some(batch));
        }
        let outcome = self.send(reads).await;
        (batch.end(outcome), None)
    }

    /// Sends reads as one statement.
    async fn send(&self, reads: &[Read]) -> Outcome<Vec<Vec<Row>>> {
        let sent = Instant::now();
        match self.run_together(reads).await {
            Ok(rows) => Outcome::Rows(rows, sent),
            Err(failure) => failure.outcome(),
        }
    }

    async fn run_together(&self, reads: &[Read]) -> Result<Vec<Vec<Row>>, Failure> {
        let client = self.loan().await.map_err(Failure::of)?;
        let combined = match client.combined(reads) {
            Some(known) => known,
            None => self.bounded(client, Effect::None, client.combine(reads)).await?,
        };
        let values: Vec<&Encoded> = reads
            .iter()
            .flat_map(|read| read.binds.iter().map(|(value, _)| value))
            .collect();
        let answer = pin!(collect(client.query_raw(&combined.statement, values)));
        let (rows, _) = self.bounded(client, Effect::None, answer).await?;
        combined
            .split(rows)
            .map_err(|error| Failure::of(StoreError::Backend(error)))
    }

    async fn run_on(
        &self,
        client: Connection<'_>,
        sql: &'static str,
        binds: &[Bind<'_>],
        effect: Effect,
    ) -> Result<(Vec<Row>, u64), Failure> {
        // What is boxed here is large and rarely needed, and the future of every method would carry its size.
        if !self.shared.settings.prepared_statements {
            return Box::pin(self.run_unprepared(client, sql, binds, effect)).await;
        }
        let statement = match client.prepared(sql, binds.iter().map(|(_, ty)| ty)) {
            Some(known) => known,
            // Nothing has run yet when preparing fails.
            None => Box::pin(self.bounded(client, Effect::None, client.prepare(sql, binds))).await?,
        };
        let values = binds.iter().map(|(value, _)| *value);
        // Pinned here, as a future that is handed on is kept once more by everyone on the way.
        self.bounded(
            client,
            effect,
            pin!(collect(client.query_raw(&statement, values))),
        )
        .await
    }

    async fn run_unprepared(
        &self,
        client: Connection<'_>,
        sql: &str,
        binds: &[Bind<'_>],
        effect: Effect,
    ) -> Result<(Vec<Row>, u64), Failure> {
        let rows = collect(client.query_typed_raw(sql, binds.iter().cloned()));
        self.bounded(client, effect, rows).await
    }

    async fn batch(&self, sql: &str, effect: Effect) -> StoreResult<()> {
        let mut client = self.client().await?;
        let mut yielded = 0;
        loop {
            match self.bounded(client, effect, client.batch_execute(sql)).await {
                Ok(()) => return Ok(()),
                Err(failure) => client = self.again(client, failure, &mut yielded).await?,
            }
        }
    }

    /// Where a statement that failed on `client` is to be run again, having yielded to others `yielded` times: there, or on a fresh
    /// connection, once per lease; else the error.
    async fn again<'a>(
        &'a self,
        client: Connection<'a>,
        failure: Failure,
        yielded: &mut usize,
    ) -> StoreResult<Connection<'a>> {
        let loan = client.loan;
        let is_replacement = loan
            .replacement
            .get()
            .is_some_and(|fresh| std::ptr::eq(fresh, client.session));
        let may_repeat = match failure.repeat {
            Repeat::Never => false,
            Repeat::Here => *yielded < YIELDS,
            Repeat::Elsewhere => !is_replacement,
        };
        if !may_repeat || self.in_transaction {
            self.watch.failed(&failure.error);
            return Err(failure.error);
        }
        self.watch.retried();
        tracing::debug!(operation = self.operation, error = %failure.error, "trying again");
        if failure.repeat == Repeat::Here {
            *yielded += 1;
            return Ok(client);
        }
        // Statements of one lease may run side by side; they share the replacement. It is not asked of the pool, where
        // everyone might wait for a replacement while holding the last dead connections.
        let manager = self.shared.pool.manager();
        let fresh = loan.replacement.get_or_try_init(|| manager.create()).await;
        match fresh {
            Ok(session) => {
                // What spoilt the other one is no fault of this one, which goes to the pool in its place.
                loan.spoilt.store(false, Ordering::Relaxed);
                Ok(Connection { loan, session })
            }
            Err(error) => {
                let error = error.into();
                self.watch.failed(&error);
                Err(error)
            }
        }
    }

    /// The connection, from the pool if there is none yet.
    async fn client(&self) -> StoreResult<Connection<'_>> {
        self.loan().await.inspect_err(|error| self.watch.failed(error))
    }

    /// As [`Lease::client`], with nobody told that there is none.
    async fn loan(&self) -> StoreResult<Connection<'_>> {
        let fetch = || async {
            let (loan, is_from_pool) = match &self.company {
                Some(company) => company.loan(&self.shared).await?,
                None => (self.shared.loan().await?, true),
            };
            self.watch.start(is_from_pool.then_some("connections"));
            StoreResult::Ok(loan)
        };
        self.loan.get_or_try_init(fetch).await?.connection()
    }

    /// Waits for `statement`, but not for ever.
    async fn bounded<T>(
        &self,
        client: Connection<'_>,
        effect: Effect,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        if client.is_closed() {
            let error = unavailable("the connection was lost before the statement was sent");
            return Err(Failure {
                error,
                repeat: Repeat::Elsewhere,
            });
        }
        let settings = &self.shared.settings;
        let limit = if settings.prepared_statements {
            settings.statement_timeout + GRACE
        } else {
            settings.statement_timeout
        };
        client.loan.running.fetch_add(1, Ordering::Relaxed);
        let Ok(result) = timeout(limit, statement).await else {
            // The count stays: the connection is closed when the lease ends.
            let late = format!("{}: no answer within {limit:?}", self.operation).into();
            let error = match effect {
                Effect::None => StoreError::Unavailable(late),
                Effect::Commits => StoreError::Indeterminate(late),
            };
            return Err(Failure::of(error));
        };
        client.loan.running.fetch_sub(1, Ordering::Relaxed);
        result.map_err(|error| self.failure(client.loan, error, effect))
    }

    fn failure(&self, loan: &Loan, error: tokio_postgres::Error, effect: Effect) -> Failure {
        tracing::debug!(operation = self.operation, %error, "statement failed");
        let not_run = is_lost_statement(&error);
        let lost = is_lost_connection(&error);
        if not_run || lost || self.in_transaction {
            loan.spoilt.store(true, Ordering::Relaxed);
        }
        let repeat = if not_run || (lost && effect == Effect::None) {
            Repeat::Elsewhere
        } else if has_yielded(&error) {
            Repeat::Here
        } else {
            Repeat::Never
        };
        Failure {
            repeat,
            error: store_error(error, effect),
        }
    }
}

/// Everything that a statement gives, to its end.
async fn collect(
    stream: impl Future<Output = Result<RowStream, tokio_postgres::Error>>,
) -> Result<(Vec<Row>, u64), tokio_postgres::Error> {
    let mut stream = pin!(stream.await?);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(Row::new(row));
    }
    Ok((rows, stream.rows_affected().unwrap_or(0)))
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (true, Some(loan)) = (self.in_transaction, self.loan.get()) {
            loan.spoilt.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(mut client) = self.client.take() else {
            return;
        };
        if let Some(fresh) = self.replacement.take() {
            *client = fresh;
        }
        let unfinished = *self.running.get_mut() > 0;
        if !(unfinished || *self.spoilt.get_mut()) {
            return;
        }
        let client = Object::take(client);
        // A server only notices that its client is gone when it has rows to send, so the statement is cancelled too;
        // not through a pooler, where the session may serve somebody else by now (and PgBouncer 1.18 crashes).
        if unfinished && self.shared.settings.prepared_statements && !client.is_closed() {
            let connector = self.shared.pool.manager().server.connector();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(cancel(client, connector));
            }
        }
    }
}

/// Cancels what runs on `client`, and closes it then: while it is open its server process is nobody else's.
async fn cancel(client: Session, connector: MakeRustlsConnect) {
    match timeout(CANCEL_TIMEOUT, client.cancel_token().cancel_query(connector)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a statement could not be cancelled"),
        Err(_) => tracing::debug!("a statement could not be cancelled in time"),
    }
}

/// An open transaction. Dropped without [`finish`](Transaction::finish), its connection is closed, which rolls back.
pub(crate) struct Transaction {
    lease: Lease,
}

impl Deref for Transaction {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl Transaction {
    /// Commits if the work succeeded, rolls back if it failed, and hands its result on.
    pub(crate) async fn finish<T>(mut self, work: StoreResult<T>) -> StoreResult<T> {
        let spoilt = self
            .lease
            .loan
            .get()
            .is_some_and(|loan| loan.spoilt.load(Ordering::Relaxed));
        let ended = match &work {
            // After a failed statement the server answers COMMIT by rolling back, and calls that a success.
            Ok(_) if spoilt => Err(StoreError::Backend(
                format!(
                    "{}: a statement of the transaction failed, nothing was written",
                    self.lease.operation
                )
                .into(),
            )),
            Ok(_) => self.lease.batch("COMMIT", Effect::Commits).await,
            Err(_) => self.lease.batch("ROLLBACK", Effect::None).await,
        };
        // After a rollback the session is as good as new, unless it is dead, which recycling notices.
        if ended.is_ok() {
            self.lease.in_transaction = false;
            if let Some(loan) = self.lease.loan.get() {
                loan.spoilt.store(false, Ordering::Relaxed);
            }
        }
        match (work, ended) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use cutover_ports::lab::SynthGroupRepository;

    use super::*;
    use crate::lab::synth_group::PgSynthGroupRepository;

    /// Every call allocates and moves its future: some kilobytes would cost more than a lookup by key.
    #[tokio::test]
    async fn the_futures_of_methods_stay_small() {
        let server = PgServer::parse("postgres://u@h/d").unwrap();
        let groups = PgSynthGroupRepository::new(Database::new(&server, &PoolSettings::default()).unwrap());
        let get = size_of_val(&*groups.get("x"));
        assert!(get < 3072, "{get} bytes");
    }
}
