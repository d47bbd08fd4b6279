//! The pool, and the one place where statements run: prepared and cached (or not, for poolers), timed, translated.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cutover_ports::{ForeignKeys, Page, PageRequest, Reference, StoreError, StoreResult};
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use postgres_types::{ToSql, Type};
use tokio_postgres::{NoTls, Row};

use crate::connect::PgServer;
use crate::error::{Effect, store_error, unavailable};
use crate::row::Columns;

/// A bound value and its type. The type is named so that a statement can run without being prepared first.
pub type Bind<'a> = (&'a (dyn ToSql + Sync), Type);

/// How a pool behaves.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections at most.
    pub size: usize,
    /// How long a caller waits for a connection.
    pub wait_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// Off for poolers that hand a session to others between transactions (PgBouncer in transaction mode).
    pub prepared_statements: bool,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            size: 16,
            wait_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            prepared_statements: true,
        }
    }
}

/// A PostgreSQL database as the repositories use it. Cloning shares the pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    statement_timeout: Duration,
    prepared: bool,
    foreign_keys: Option<Arc<dyn ForeignKeys>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("pool", &self.pool.status())
            .finish_non_exhaustive()
    }
}

impl Database {
    /// A pool for `server`. Connects when first used.
    pub fn new(server: &PgServer, settings: &PoolSettings) -> StoreResult<Self> {
        let mut config = server.config.clone();
        config.application_name("cutover");
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycling))
            .max_size(settings.size)
            .wait_timeout(Some(settings.wait_timeout))
            .create_timeout(Some(settings.wait_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Backend(error.into()))?;
        Ok(Self {
            pool,
            statement_timeout: settings.statement_timeout,
            prepared: settings.prepared_statements,
            foreign_keys: None,
        })
    }

    /// The same pool, for repositories some of whose parents or children live in the other database.
    #[must_use]
    pub fn with_foreign_keys(mut self, foreign_keys: Arc<dyn ForeignKeys>) -> Self {
        self.foreign_keys = Some(foreign_keys);
        self
    }

    /// Whether some parents or children live in the other database.
    pub(crate) fn has_foreign_keys(&self) -> bool {
        self.foreign_keys.is_some()
    }

    /// See [`ForeignKeys::before_write`]; nothing to do unless routing is hybrid.
    pub(crate) async fn before_write(&self, references: &[(&'static str, &str)]) -> StoreResult<()> {
        let Some(foreign_keys) = &self.foreign_keys else {
            return Ok(());
        };
        let references: Vec<Reference> = references
            .iter()
            .map(|&(parent, key)| Reference {
                parent,
                key: key.to_owned(),
            })
            .collect();
        foreign_keys.before_write(&references).await
    }

    /// See [`ForeignKeys::before_delete`].
    pub(crate) async fn before_delete(&self, parent: &'static str, key: &str) -> StoreResult<()> {
        match &self.foreign_keys {
            Some(foreign_keys) => foreign_keys.before_delete(parent, key).await,
            None => Ok(()),
        }
    }

    /// See [`ForeignKeys::after_delete`].
    pub(crate) async fn after_delete(&self, parent: &'static str, key: &str) -> StoreResult<()> {
        match &self.foreign_keys {
            Some(foreign_keys) => foreign_keys.after_delete(parent, key).await,
            None => Ok(()),
        }
    }

    /// A connection for statements that commit one by one. `operation` is `repository.method`, for traces.
    pub(crate) async fn lease(&self, operation: &'static str) -> StoreResult<Lease> {
        let client = self.pool.get().await.map_err(pool_error)?;
        Ok(Lease {
            operation,
            client: Some(client),
            running: AtomicUsize::new(0),
            timeout: self.statement_timeout,
            prepared: self.prepared,
            effect: Effect::Commits,
        })
    }

    /// A connection with a transaction open on it; end it with [`Transaction::finish`].
    pub(crate) async fn begin(&self, operation: &'static str) -> StoreResult<Transaction> {
        let mut lease = self.lease(operation).await?;
        lease.effect = Effect::None;
        lease.batch("BEGIN", Effect::None).await?;
        // Until the end is confirmed the connection must not go back to the pool.
        lease.running.fetch_add(1, Ordering::Relaxed);
        Ok(Transaction { lease })
    }

    /// Whether a statement can run now.
    pub async fn ping(&self) -> StoreResult<()> {
        self.lease("ping").await?.batch("SELECT 1", Effect::None).await
    }

    /// Closes the pool: waiting and later callers fail.
    pub fn close(&self) {
        self.pool.close();
    }
}

fn pool_error(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => unavailable(error),
        PoolError::Timeout(_) => unavailable("no connection became free in time"),
        PoolError::Closed => unavailable("the pool is closed"),
        other => StoreError::Backend(other.into()),
    }
}

/// A connection on loan.
///
/// When a caller goes away in the middle of a statement, or a statement is given up, the connection is closed
/// instead of going back: whoever borrowed it next would wait behind that statement.
pub(crate) struct Lease {
    operation: &'static str,
    client: Option<Object>,
    /// Statements under way, and one for an open transaction.
    running: AtomicUsize,
    timeout: Duration,
    prepared: bool,
    effect: Effect,
}

impl Lease {
    /// All rows.
    pub(crate) async fn query(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Vec<Row>> {
        self.run(sql, binds, Effect::None).await
    }

    /// The row, or none.
    pub(crate) async fn query_opt(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Option<Row>> {
        Ok(self.query(sql, binds).await?.into_iter().next())
    }

    /// The one row that the statement always gives.
    pub(crate) async fn query_one(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Row> {
        self.query_opt(sql, binds)
            .await?
            .ok_or_else(|| StoreError::Backend(format!("{}: no row", self.operation).into()))
    }

    /// The rows that a statement which writes gives back.
    pub(crate) async fn write(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<Vec<Row>> {
        self.run(sql, binds, self.effect).await
    }

    /// Runs a statement that writes; the number of rows it changed.
    pub(crate) async fn execute(&self, sql: &'static str, binds: &[Bind<'_>]) -> StoreResult<u64> {
        let client = self.client()?;
        if !self.prepared {
            return self.bounded(self.effect, client.execute_typed(sql, binds)).await;
        }
        let statement = self.statement(sql, binds).await?;
        let values: Vec<&(dyn ToSql + Sync)> = binds.iter().map(|(value, _)| *value).collect();
        self.bounded(self.effect, client.execute(&statement, &values))
            .await
    }

    /// A page and the length of the list, asked for at once: both statements are on their way before the first
    /// answer is back. `sql` takes the limit and the offset behind the binds that it shares with `count`.
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
        let (total, rows) =
            futures_util::try_join!(self.query_one(count, binds), self.query(sql, &page_binds))?;
        Ok(Page {
            items: rows.iter().map(from_row).collect::<StoreResult<_>>()?,
            total: Columns::new("count", &total).count()?,
        })
    }

    /// Rows of a statement made of the domain's names: not prepared, for there are many of its kind.
    pub(crate) async fn query_dynamic(&self, sql: &str, binds: &[Bind<'_>]) -> StoreResult<Vec<Row>> {
        self.bounded(self.effect, self.client()?.query_typed(sql, binds))
            .await
    }

    async fn run(&self, sql: &'static str, binds: &[Bind<'_>], effect: Effect) -> StoreResult<Vec<Row>> {
        let client = self.client()?;
        if !self.prepared {
            return self.bounded(effect, client.query_typed(sql, binds)).await;
        }
        let statement = self.statement(sql, binds).await?;
        let values: Vec<&(dyn ToSql + Sync)> = binds.iter().map(|(value, _)| *value).collect();
        self.bounded(effect, client.query(&statement, &values)).await
    }

    async fn statement(
        &self,
        sql: &'static str,
        binds: &[Bind<'_>],
    ) -> StoreResult<tokio_postgres::Statement> {
        let types: Vec<Type> = binds.iter().map(|(_, ty)| ty.clone()).collect();
        // Nothing has run yet when preparing fails.
        self.bounded(Effect::None, self.client()?.prepare_typed_cached(sql, &types))
            .await
    }

    async fn batch(&self, sql: &'static str, effect: Effect) -> StoreResult<()> {
        self.bounded(effect, self.client()?.batch_execute(sql)).await
    }

    fn client(&self) -> StoreResult<&Object> {
        self.client
            .as_ref()
            .ok_or_else(|| StoreError::Backend("the connection was given back".into()))
    }

    /// Waits for `statement`, but not for ever.
    async fn bounded<T>(
        &self,
        effect: Effect,
        statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> StoreResult<T> {
        self.running.fetch_add(1, Ordering::Relaxed);
        let outcome = tokio::time::timeout(self.timeout, statement).await;
        match outcome {
            Ok(result) => {
                self.running.fetch_sub(1, Ordering::Relaxed);
                result.map_err(|error| {
                    tracing::debug!(operation = self.operation, %error, "statement failed");
                    store_error(error, effect)
                })
            }
            // The count stays: the connection is closed when the lease ends.
            Err(_) => {
                let late = format!("{}: no answer within {:?}", self.operation, self.timeout).into();
                Err(match effect {
                    Effect::None => StoreError::Unavailable(late),
                    Effect::Commits => StoreError::Indeterminate(late),
                })
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if *self.running.get_mut() > 0
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

/// An open transaction. Dropped without [`finish`](Transaction::finish), its connection is closed, which rolls back.
pub(crate) struct Transaction {
    lease: Lease,
}

impl std::ops::Deref for Transaction {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

impl Transaction {
    /// Commits if the work succeeded, rolls back if it failed, and hands its result on.
    pub(crate) async fn finish<T>(self, work: StoreResult<T>) -> StoreResult<T> {
        let ended = match &work {
            Ok(_) => self.lease.batch("COMMIT", Effect::Commits).await,
            Err(_) => self.lease.batch("ROLLBACK", Effect::None).await,
        };
        if ended.is_ok() {
            self.lease.running.fetch_sub(1, Ordering::Relaxed);
        }
        match (work, ended) {
            (Ok(value), Ok(())) => Ok(value),
            (Ok(_), Err(error)) | (Err(error), _) => Err(error),
        }
    }
}
