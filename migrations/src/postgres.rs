//! Migrating a PostgreSQL database.

use std::time::Instant;

use sqlx::migrate::{Migrate, Migration};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Postgres, Row as _, TypeInfo, ValueRef};

use crate::connection::{Connection, Row, Value};
use crate::context::Context;
use crate::error::{MigrateError, Result};
use crate::history::{History, POSTGRES_OWN, POSTGRES_SCHEMA, Tables};
use crate::run::Holder;
use crate::schema::Schema;
use crate::target::{Dialect, Endpoint, PostgresTarget, TlsMode};

/// The first key of our advisory locks, the second says the context. Any number will do that nobody else uses.
const LOCK_CLASS: i64 = 1_131_770_928;

/// A connection. It is never given back to a pool: its locks go with it, whatever happens.
#[derive(Debug)]
pub(crate) struct PostgresDatabase {
    connection: PgConnection,
}

impl PostgresDatabase {
    /// Connects for work on the schema, which needs a session of its own.
    pub(crate) async fn open(target: &PostgresTarget) -> Result<Self> {
        let mut database = Self::connect(target).await?;
        database.refuse_pooled(target).await?;
        // Without row security the server says so if it would hide rows, which going down would lose.
        database
            .batch(
                "SET client_min_messages = warning; SET TimeZone = 'UTC'; SET default_transaction_isolation = 'read committed';
                 SET row_security = off",
            )
            .await?;
        // So that the server ends the work, and gives up the locks, of a program that was killed.
        let version = database
            .rows(
                "SELECT CAST(current_setting('server_version_num') AS bigint)",
                &[],
            )
            .await?;
        if version.first().and_then(|row| row.integer(0)) >= Some(140_000)
            && let Err(error) = database
                .batch("SET client_connection_check_interval = '1s'")
                .await
        {
            tracing::debug!(%error, "the server cannot watch the connection");
        }
        database.has_schema(target).await?;
        Ok(database)
    }

    /// Connects to look around, in one transaction that writes nothing and leaves nothing set: the session may be lent by a pooler. End it
    /// with [`looked`](Self::looked).
    pub(crate) async fn open_to_look(target: &PostgresTarget) -> Result<Self> {
        let mut database = Self::connect(target).await?;
        database
            .batch("BEGIN READ ONLY; SET LOCAL client_min_messages = warning; SET LOCAL TimeZone = 'UTC'")
            .await?;
        database.has_schema(target).await?;
        Ok(database)
    }

    /// Connects to the first server that can be had, each with a fair share of the time that is left.
    async fn connect(target: &PostgresTarget) -> Result<Self> {
        let settings = settings(&target.options)?;
        let deadline = Instant::now() + target.connect_timeout;
        let mut failures = Vec::new();
        let count = u32::try_from(target.endpoints.len()).unwrap_or(u32::MAX);
        for (endpoint, left) in target.endpoints.iter().zip((1..=count).rev()) {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            let connecting = Self::connect_to(endpoint, target, &settings);
            failures.push(match tokio::time::timeout(share, connecting).await {
                Ok(Ok(database)) => return Ok(database),
                Ok(Err(reason)) => format!("{endpoint} cannot be reached: {reason}"),
                Err(_) => format!("{endpoint} did not answer within {:.1} s", share.as_secs_f32()),
            });
        }
        Err(MigrateError::Unreachable(format!(
            "PostgreSQL at {}; check that the server runs, and the connection's settings",
            failures.join("; ")
        )))
    }

    async fn connect_to(
        endpoint: &Endpoint,
        target: &PostgresTarget,
        settings: &[(String, String)],
    ) -> std::result::Result<Self, String> {
        let mut connecting = options(endpoint, target);
        // PgBouncer refuses the parameter, though it is empty.
        if !settings.is_empty() {
            connecting = connecting.options(settings.iter().map(|(name, value)| (name, value)));
        }
        let connection = connecting.connect().await.map_err(|error| reason(&error))?;
        let mut database = Self { connection };
        if let Some(wanted) = target.writable {
            let shown = database.rows("SHOW transaction_read_only", &[]).await;
            let shown = shown.map_err(|error| error.to_string())?;
            let writable = shown.first().and_then(|row| row.text(0)) == Some("off");
            if writable != wanted {
                let what = if writable {
                    "takes writes"
                } else {
                    "takes no writes"
                };
                return Err(format!("it {what}, and target_session_attrs asks for another"));
            }
        }
        Ok(database)
    }

    /// Refuses a pooler that gives a session to others between transactions (PgBouncer in transaction mode): its lock would stay behind in
    /// a session that nobody ends.
    async fn refuse_pooled(&mut self, target: &PostgresTarget) -> Result<()> {
        let mut other = Self::connect(target).await?;
        let before = self.backend().await?;
        other.batch("BEGIN").await?;
        let theirs = other.backend().await?;
        // With theirs held by a transaction, a pooler has to give the first one another session; if it has none, it keeps it waiting.
        let after = tokio::time::timeout(target.connect_timeout, self.backend()).await;
        let is_own = before != theirs && after.is_ok_and(|after| after.is_ok_and(|after| after == before));
        other.batch("ROLLBACK").await?;
        other.close().await?;
        if is_own {
            return Ok(());
        }
        Err(MigrateError::Refused(format!(
            "PostgreSQL at {} is a pooler that shares sessions between transactions (PgBouncer with pool_mode = transaction), \
             through which no migration is safe; give the address of PostgreSQL itself, or of a pool with pool_mode = session",
            target.places()
        )))
    }

    /// Which process of the server answers.
    async fn backend(&mut self) -> Result<Option<i64>> {
        let rows = self.rows("SELECT CAST(pg_backend_pid() AS bigint)", &[]).await?;
        Ok(rows.first().and_then(|row| row.integer(0)))
    }

    async fn has_schema(&mut self, target: &PostgresTarget) -> Result<()> {
        let schema = self.rows("SELECT CAST(current_schema() AS text)", &[]).await?;
        if schema.first().and_then(|row| row.text(0)).is_none() {
            return Err(MigrateError::Refused(format!(
                "the connection to database {} has no default schema; make the schema that search_path names, set search_path for the role {1}, \
                 or GRANT USAGE ON SCHEMA public TO {1}",
                target.database, target.user
            )));
        }
        Ok(())
    }

    /// Connects for changing the schema.
    pub(crate) async fn open_locked(target: &PostgresTarget, context: &Context) -> Result<Self> {
        let mut database = Self::open(target).await?;
        database.lock(context, target).await?;
        Ok(database)
    }

    /// Waits until nobody else migrates this context here. The lock lasts as long as the connection.
    async fn lock(&mut self, context: &Context, target: &PostgresTarget) -> Result<()> {
        let milliseconds = target.lock_timeout.as_millis();
        self.batch(&format!("SET lock_timeout = {milliseconds}")).await?;
        let sql = "SELECT pg_advisory_lock(CAST($1 AS int), CAST($2 AS int))";
        let key = [Value::Integer(LOCK_CLASS), Value::Integer(lock_key(context))];
        let locked = self.execute(sql, &key).await;
        if locked.is_err()
            && let Ok(Some(holder)) = self.is_being_migrated(context).await
        {
            return Err(MigrateError::Unreachable(format!(
                "the schema {} is locked by another migration: {holder} has held the lock for too long; wait for it to end and run this \
                 again, or end it there: SELECT pg_terminate_backend({})",
                context.name, holder.process
            )));
        }
        locked
    }

    /// Who is migrating the context just now, if anybody is.
    pub(crate) async fn is_being_migrated(&mut self, context: &Context) -> Result<Option<Holder>> {
        let sql = "SELECT CAST(l.pid AS bigint), concat_ws(', ', nullif(a.application_name, ''), 'as ' || a.usename, \
                   'since ' || to_char(a.state_change, 'YYYY-MM-DD HH24:MI:SS \"UTC\"')) \
                   FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted \
                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                   AND CAST(l.classid AS bigint) = $1 AND CAST(l.objid AS bigint) = $2 AND l.objsubid = 2";
        let rows = self
            .rows(
                sql,
                &[Value::Integer(LOCK_CLASS), Value::Integer(lock_key(context))],
            )
            .await?;
        let holder = rows.first();
        Ok(holder.and_then(|row| {
            Some(Holder {
                process: row.integer(0)?,
                who: row.string(1),
            })
        }))
    }

    /// Makes the schema of our own tables, and those that no context owns, if they are not there: CREATE … IF NOT EXISTS asks for
    /// rights that a role may lack although they exist.
    pub(crate) async fn create_own_schema(&mut self) -> Result<()> {
        let schema = "SELECT CAST(1 AS bigint) WHERE to_regnamespace('cutover') IS NOT NULL";
        if self.rows(schema, &[]).await?.is_empty() {
            self.batch(POSTGRES_SCHEMA).await?;
        }
        // The newest of them.
        if !self.table_exists("cutover.served").await? {
            self.batch(POSTGRES_OWN).await?;
        }
        Ok(())
    }

    /// Whoever may insert rows may also ask the sequences that their defaults ask: that is a right of its own, which default privileges
    /// on tables do not give.
    pub(crate) async fn share_sequences(&mut self, context: &Context) -> Result<()> {
        let sql = "SELECT CAST(t.relname AS text), CAST(s.oid::regclass AS text), \
                   CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE CAST(a.grantee::regrole AS text) END \
                   FROM pg_depend d JOIN pg_class s ON s.oid = d.objid JOIN pg_class t ON t.oid = d.refobjid, aclexplode(t.relacl) a \
                   WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND s.relkind = 'S' \
                   AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) \
                   AND a.privilege_type = 'INSERT' AND a.grantee <> s.relowner AND pg_has_role(s.relowner, 'USAGE') \
                   AND NOT EXISTS (SELECT FROM aclexplode(s.relacl) g WHERE g.grantee = a.grantee AND g.privilege_type = 'USAGE')";
        for row in self.rows(sql, &[]).await? {
            let (table, sequence, role) = (row.string(0), row.string(1), row.string(2));
            if context.makes(&table, Dialect::Postgres) {
                self.batch(&format!("GRANT USAGE ON SEQUENCE {sequence} TO {role}"))
                    .await?;
            }
        }
        Ok(())
    }

    /// Refuses a database that has tables of the schema and no history of them: what made them is unknown, and the scripts would
    /// stumble over them.
    pub(crate) async fn knows_its_tables(
        &mut self,
        target: &PostgresTarget,
        context: &Context,
        to: Option<i64>,
    ) -> Result<()> {
        let history = History::read(self, &Tables::of(context, Dialect::Postgres)).await?;
        let is_known = !history.applied.is_empty()
            || context.versions.iter().any(|version| {
                // What a killed run outside of a transaction left is its own.
                history.interrupted_up(version.number) && version.up(Dialect::Postgres).no_tx
            });
        if is_known {
            return Ok(());
        }
        let live = self.schema().await?;
        if live.tables.is_empty() {
            return Ok(());
        }
        let mut tables = self
            .reference(context, to.unwrap_or_else(|| context.head()))
            .await?
            .tables;
        tables.retain(|table, _| live.tables.contains_key(table));
        if tables.is_empty() {
            return Ok(());
        }
        let tables: Vec<String> = tables.into_keys().collect();
        let name = context.name;
        Err(MigrateError::Refused(format!(
            "the database {} has tables of the schema {name} without a history of migrations: {}; nothing of this schema was \
             changed. Copy the database to a file (`cutover copy postgres://… file.db`), take that over (`cutover migrate up \
             --on sqlite --sqlite file.db --context {name}`), and copy it into an empty database that `cutover migrate up` has prepared \
             (`cutover copy file.db postgres://…`)",
            target.database,
            tables.join(", ")
        )))
    }

    /// Ends what [`open_to_look`](Self::open_to_look) has begun; a pooler gives up a session that is left in a transaction.
    pub(crate) async fn looked(mut self) -> Result<()> {
        self.batch("ROLLBACK").await?;
        self.close().await
    }

    pub(crate) async fn close(self) -> Result<()> {
        sqlx::Connection::close(self.connection)
            .await
            .map_err(|error| failure(&error))
    }
}

/// The settings in libpq's `options`: words apart by spaces, a backslash takes the next character as it is.
fn settings(options: &str) -> Result<Vec<(String, String)>> {
    let mut words = vec![String::new()];
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match (character, words.last_mut()) {
            (space, _) if space.is_ascii_whitespace() => words.push(String::new()),
            ('\\', Some(word)) => word.extend(characters.next()),
            (other, Some(word)) => word.push(other),
            (_, None) => {}
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(setting), _) => Some(setting.to_owned()),
            (None, Some("")) => words.next(),
            (None, setting) => setting.map(str::to_owned),
        };
        let Some((name, value)) = setting.as_deref().and_then(|setting| setting.split_once('=')) else {
            return Err(MigrateError::Usage(
                "the options of the PostgreSQL URL can only be settings: -c name=value or --name=value, spaces and \
                 backslashes in a value behind a backslash"
                    .to_owned(),
            ));
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Built from our own settings only: sqlx logs what it does not know of a URL, passwords included.
fn options(endpoint: &Endpoint, target: &PostgresTarget) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&endpoint.host)
        .port(endpoint.port)
        .username(&target.user)
        .database(&target.database)
        .application_name("cutover migrate")
        .extra_float_digits(None)
        .ssl_mode(match target.tls {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    if let Some(password) = &target.password {
        options = options.password(password);
    }
    if let Some(pem) = &target.tls_ca_pem {
        options = options.ssl_root_cert_from_pem(pem.clone());
    }
    options.disable_statement_logging()
}

/// The same on every machine, and between 0 and 2³¹.
fn lock_key(context: &Context) -> i64 {
    context
        .name
        .bytes()
        .fold(0, |key, byte| (key * 31 + i64::from(byte)) & 0x7fff_ffff)
}

impl Connection for PostgresDatabase {
    const DIALECT: Dialect = Dialect::Postgres;

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.connection
            .execute(AssertSqlSafe(sql.to_owned()))
            .await
            .map(drop)
            .map_err(|error| failure(&error))
    }

    async fn execute(&mut self, sql: &str, arguments: &[Value]) -> Result<()> {
        bound(sql, arguments)
            .execute(&mut self.connection)
            .await
            .map(drop)
            .map_err(|error| failure(&error))
    }

    async fn rows(&mut self, sql: &str, arguments: &[Value]) -> Result<Vec<Row>> {
        let rows = bound(sql, arguments)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| failure(&error))?;
        rows.iter().map(decode).collect()
    }

    async fn apply(&mut self, table: &str, migration: &Migration) -> Result<()> {
        self.connection
            .apply(table, migration)
            .await
            .map(drop)
            .map_err(migration_failure)
    }

    async fn revert(&mut self, table: &str, migration: &Migration) -> Result<()> {
        self.connection
            .revert(table, migration)
            .await
            .map(drop)
            .map_err(migration_failure)
    }

    async fn table_exists(&mut self, table: &str) -> Result<bool> {
        let sql = "SELECT CAST(1 AS bigint) WHERE to_regclass($1) IS NOT NULL";
        let rows = self.rows(sql, &[Value::Text(table.to_owned())]).await?;
        Ok(!rows.is_empty())
    }

    async fn schema(&mut self) -> Result<Schema> {
        crate::postgres_schema::read(self).await
    }

    async fn reference(&mut self, context: &Context, version: i64) -> Result<Schema> {
        crate::postgres_schema::reference(self, context, version).await
    }
}

fn bound<'q>(
    sql: &str,
    arguments: &[Value],
) -> sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments> {
    // A statement with a name would stay in the session, which may be a pooler's.
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
    for argument in arguments {
        query = match argument {
            Value::Null => query.bind(None::<String>),
            Value::Integer(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.clone()),
            Value::Bytes(value) => query.bind(value.clone()),
        };
    }
    query
}

fn decode(row: &PgRow) -> Result<Row> {
    let mut values = Vec::with_capacity(row.len());
    for column in 0..row.len() {
        let raw = row.try_get_raw(column).map_err(|error| failure(&error))?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            match raw.type_info().name() {
                "INT8" => row.try_get(column).map(Value::Integer),
                "INT4" => row
                    .try_get::<i32, _>(column)
                    .map(|value| Value::Integer(value.into())),
                "BYTEA" => row.try_get(column).map(Value::Bytes),
                _ => row.try_get_unchecked(column).map(Value::Text),
            }
            .map_err(|error| failure(&error))?
        };
        values.push(value);
    }
    Ok(Row(values))
}

fn migration_failure(error: sqlx::migrate::MigrateError) -> MigrateError {
    match error {
        sqlx::migrate::MigrateError::Execute(error)
        | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => failure(&error),
        other => MigrateError::Failed(other.to_string()),
    }
}

/// The server's sentence, without the line of its own source code that sqlx adds.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    }
}

/// Whether a policy would hide rows. The message is in the server's language; its routine is not.
fn hides_rows(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    let postgres = database.and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    postgres.and_then(PgDatabaseError::routine) == Some("check_enable_rls")
}

fn failure(error: &sqlx::Error) -> MigrateError {
    let message = reason(error);
    let code = match error {
        sqlx::Error::Database(database) => database.code().unwrap_or_default().into_owned(),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            return MigrateError::Unreachable(format!(
                "the connection to PostgreSQL was lost ({message}); look at `cutover migrate status` and run this again"
            ));
        }
        _ => return MigrateError::Failed(message),
    };
    match code.as_str() {
        // query_canceled, transaction_timeout.
        "57014" | "25P04" => MigrateError::Unreachable(format!(
            "PostgreSQL gave a statement up ({message}); if that is the role's or the database's statement_timeout or transaction_timeout, raise it"
        )),
        // PgBouncer's own word, which the server has no code for.
        _ if message.contains("statement pooling mode") => MigrateError::Refused(
            "PostgreSQL stands behind PgBouncer with pool_mode = statement, in which there are no transactions; set pool_mode = transaction \
             (for the service, with postgres.prepared_statements = false) or session, or give the address of PostgreSQL itself"
                .to_owned(),
        ),
        // lock_not_available: our advisory lock, or a table that another session is using.
        "55P03" => MigrateError::Unreachable(
            "another migration, or another session that uses the tables, has held its lock for too long; wait for it \
             to end and run this again"
                .to_owned(),
        ),
        // admin_shutdown, crash_shutdown, cannot_connect_now.
        "57P01" | "57P02" | "57P03" => MigrateError::Unreachable(format!("PostgreSQL is stopping or starting: {message}")),
        // dependent_objects_still_exist.
        "2BP01" => MigrateError::Refused(format!(
            "{message}, such as a view or a table that is not of this schema; drop it first if it is not needed"
        )),
        // read_only_sql_transaction.
        "25006" => MigrateError::Refused(format!(
            "PostgreSQL takes no writes ({message}): it is a standby, or transactions are read-only (default_transaction_read_only); give the \
             address of the primary, or turn that off"
        )),
        // What a policy hides, no grant shows.
        "42501" if hides_rows(error) => MigrateError::Refused(format!(
            "{message}, which would hide rows from this role; run this as a superuser or as a role with BYPASSRLS"
        )),
        "42501" => MigrateError::Refused(format!(
            "{message}; run this as the owner of the tables, or grant the role the right"
        )),
        _ => MigrateError::Failed(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_url_are_settings() {
        let pairs = |options: &str| -> Vec<String> {
            let settings = settings(options).unwrap();
            settings
                .iter()
                .map(|(name, value)| format!("{name}|{value}"))
                .collect()
        };
        assert!(pairs(" ").is_empty());
        assert_eq!(
            pairs(r"-csearch_path=app  -c geqo=off --lock-timeout=5s -c a.b=x\ =\\y"),
            ["search_path|app", "geqo|off", "lock_timeout|5s", r"a.b|x =\y"]
        );
        for wrong in ["-d 5", "-c", "-c geqo", "search_path=app", "--"] {
            assert!(matches!(settings(wrong), Err(MigrateError::Usage(_))), "{wrong}");
        }
    }
}
