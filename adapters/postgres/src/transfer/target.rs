//! A PostgreSQL database as a target.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::catalog::{Catalog, ColumnKind, Engine, Origin, Table};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::name::quoted;
use cutover_domain::transfer::plan::{ColumnPlan, Plan, TablePlan};
use cutover_domain::transfer::schema::{Schema, Step, Weakened};
use cutover_domain::transfer::survey::RowJudge;
use cutover_ports::transfer::{
    COUNTED_ROWS, Care, CopySession, LedgerEntry, LoadPart, RunStart, TableLoader, TableProgress,
    TransferError, TransferResult, TransferTarget, UnfinishedRun, seed_condition,
};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

use super::connection::{
    self, AGAIN, Bracket, Idle, REHEARSAL, Slots, TRANSACTION, Worker, connect, refuse_pooled, run,
};
use super::error::{connect_error, transfer_error};
use super::load::{Into, PgLoader};
use super::removal::{self, Removal};
use super::{catalog, ledger, make, own_tables};
use crate::PgServer;
use crate::connect::ConnectFailure;

/// One copy at a time: held by its session.
const RUN_LOCK: i64 = 0x6375_746f_7665_7201;
/// Held shared by every connection that loads, so that a new run can wait for what a killed one left running.
const LOAD_LOCK: i64 = 0x6375_746f_7665_7202;
/// How long a new run waits for the server to notice that an old one is dead.
const LOCK_PATIENCE: Duration = Duration::from_secs(15);
const LOCK_POLL: Duration = Duration::from_millis(100);
/// The bits of `tgtype` for what a trigger watches.
const ON_INSERT: i16 = 1 << 2;
const ON_DELETE: i16 = 1 << 3;

const SETTINGS: &str = "SET lock_timeout = '60s'; SET DateStyle = ISO; SET synchronous_commit = on";

/// A commit waits for the disk: until it is there, PostgreSQL does not note with a row that it is committed, and each index that is built
/// asks about every row again (5 % of a copy). Expressions are not compiled, which takes longer than the checks of a copy save. Large values
/// are compressed with LZ4 where the server can and nobody has said otherwise: it takes a fraction of the time of `pglz`, and hardly more
/// space.
const WORKER_SETTINGS: &str = "SET synchronous_commit = on; SET jit = off;
    SELECT set_config('default_toast_compression', 'lz4', false) FROM pg_settings
    WHERE name = 'default_toast_compression' AND source = 'default' AND 'lz4' = ANY (enumvals)";

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PgTarget {
    server: PgServer,
    schema: Option<String>,
}

impl PgTarget {
    /// Connects when it is used. Tables are looked for and made in `schema`, or in the default schema of the connection.
    pub fn new(server: PgServer, schema: Option<String>) -> Self {
        Self { server, schema }
    }

    async fn connect(&self) -> TransferResult<Client> {
        let client = connect(&self.server, self.schema.as_deref()).await?;
        run(&client, SETTINGS).await?;
        Ok(client)
    }

    /// In which schema tables are looked for and made, and whether it is there.
    async fn find_schema(&self, client: &Client) -> TransferResult<(String, bool)> {
        if let Some(schema) = &self.schema {
            let sql = "SELECT count(*) > 0 FROM pg_namespace WHERE nspname = $1";
            let row = client.query_one(sql, &[schema]).await;
            if !row.map_err(|error| transfer_error(&error))?.get::<_, bool>(0) {
                return Ok((schema.clone(), false));
            }
        }
        Ok((catalog::default_schema(client).await?, true))
    }

    /// A database of another encoding has no place for most characters, or takes all bytes for characters (SQL_ASCII); a standby takes
    /// nothing.
    async fn refuse_unfit(&self, client: &Client) -> TransferResult<()> {
        let sql =
            "SELECT current_setting('server_encoding'), current_setting('transaction_read_only') = 'on'";
        let row = client
            .query_one(sql, &[])
            .await
            .map_err(|error| transfer_error(&error))?;
        let (encoding, takes_nothing): (String, bool) = (row.get(0), row.get(1));
        let server = self.server.redacted();
        if encoding != "UTF8" {
            return Err(TransferError::Refused(format!(
                "the encoding of {server} is {encoding}, and SQLite's text is Unicode; make the database with ENCODING 'UTF8' TEMPLATE template0"
            )));
        }
        if takes_nothing {
            return Err(TransferError::Refused(format!(
                "{server} takes no writes: it is a standby, or default_transaction_read_only is on for this role or database; \
                 give the address of the primary, or turn that off"
            )));
        }
        Ok(())
    }
}

#[async_trait]
impl TransferTarget for PgTarget {
    fn describe(&self) -> String {
        self.server.redacted()
    }

    async fn catalog(&self, _: Option<&Origin>) -> TransferResult<(Catalog, Vec<Table>)> {
        let client = self.connect().await?;
        let catalog = match self.find_schema(&client).await? {
            (_, true) => catalog::read_with_origins(&client).await?,
            (schema, false) => Catalog {
                engine: Engine::Postgres,
                schema,
                tables: vec![],
                others: vec![],
                taken: vec![],
                origin: None,
            },
        };
        Ok((catalog, vec![]))
    }

    async fn open(&self, rehearsal: bool) -> TransferResult<Arc<dyn CopySession>> {
        refuse_pooled(&self.server).await?;
        let client = self.connect().await?;
        self.refuse_unfit(&client).await?;
        own_tables::refuse_strange(&client).await?;
        // A server that is called from its own address is on this machine.
        let sql = "SELECT clock_timestamp(), inet_client_addr() IS NOT DISTINCT FROM inet_server_addr()";
        let row = client.query_one(sql, &[]).await;
        let row = row.map_err(|error| transfer_error(&error))?;
        let (begun, is_here): (SystemTime, bool) = (row.get(0), row.get(1));
        let cores = std::thread::available_parallelism().ok().map(usize::from);
        lock(&client, RUN_LOCK).await?;
        lock(&client, LOAD_LOCK).await?;
        client
            .query("SELECT pg_advisory_unlock($1)", &[&LOAD_LOCK])
            .await
            .map_err(|error| transfer_error(&error))?;
        let (schema, _) = self.find_schema(&client).await?;
        if rehearsal {
            run(&client, "BEGIN").await?;
        }
        Ok(Arc::new(PgSession {
            target: self.clone(),
            idle: Arc::default(),
            slots: Slots::default(),
            client: Arc::new(client),
            begun,
            cores: cores.filter(|_| is_here),
            schema,
            bracket: if rehearsal { REHEARSAL } else { TRANSACTION },
            rehearsal,
            done: OnceCell::new(),
        }))
    }

    async fn quarantined(&self) -> TransferResult<Vec<(String, u64)>> {
        let client = self.connect().await?;
        let (schema, _) = self.find_schema(&client).await?;
        own_tables::quarantined(&client, &schema).await
    }

    async fn ledger(&self) -> TransferResult<Vec<LedgerEntry>> {
        ledger::read(&self.connect().await?).await
    }

    async fn account(&self, source: &str) -> TransferResult<Option<Account>> {
        let client = self.connect().await?;
        let (schema, _) = self.find_schema(&client).await?;
        own_tables::account(&client, &schema, source).await
    }

    async fn set_told(&self) -> TransferResult<()> {
        let client = self.connect().await?;
        if !own_tables::exist(&client).await? {
            return Ok(());
        }
        let (schema, _) = self.find_schema(&client).await?;
        run(&client, &own_tables::set_told(&schema)).await
    }

    async fn set_verified(&self, entries: &[LedgerEntry]) -> TransferResult<()> {
        let mut client = self.connect().await?;
        if let Some(tables) = own_tables::missing(&client).await? {
            run(&client, &format!("BEGIN; {tables}; COMMIT")).await?;
        }
        let transaction = client
            .transaction()
            .await
            .map_err(|error| transfer_error(&error))?;
        for entry in entries {
            ledger::set_verified(&transaction, entry).await?;
        }
        transaction.commit().await.map_err(|error| transfer_error(&error))
    }
}

async fn lock(client: &Client, key: i64) -> TransferResult<()> {
    let begun = tokio::time::Instant::now();
    loop {
        let row = client
            .query_one("SELECT pg_try_advisory_lock($1)", &[&key])
            .await
            .map_err(|error| transfer_error(&error))?;
        if row.get(0) {
            return Ok(());
        }
        if begun.elapsed() > LOCK_PATIENCE {
            return Err(TransferError::Refused(
                "another copy into this database is running; wait for it to end, then try again".to_owned(),
            ));
        }
        tokio::time::sleep(LOCK_POLL).await;
    }
}

struct PgSession {
    target: PgTarget,
    idle: Arc<Idle>,
    slots: Slots,
    /// Holds the lock; runs everything but the loads, and in a rehearsal those too.
    client: Arc<Client>,
    /// When it began to wait for the lock, by the server's clock.
    begun: SystemTime,
    /// How many processors the server shares with this program; none if it has its own.
    cores: Option<usize>,
    schema: String,
    bracket: Bracket,
    rehearsal: bool,
    /// The steps that earlier runs of the same copy have done, read when the first is due.
    done: OnceCell<HashMap<String, Option<Weakened>>>,
}

impl PgSession {
    /// Refuses tables whose triggers could change, drop or double the rows that are loaded into them.
    async fn refuse_changers(&self, tables: &[&TablePlan], written: &str) -> TransferResult<()> {
        let Some((table, trigger)) = self.trigger(tables, ON_INSERT).await? else {
            return Ok(());
        };
        Err(TransferError::Refused(format!(
            "the table {table} of the target has the trigger {trigger}, which could change or drop rows as they are loaded; {written}. \
             Disable it for the copy (ALTER TABLE {} DISABLE TRIGGER {})",
            self.table(&table),
            quoted(&trigger)
        )))
    }

    /// Refuses tables whose triggers could keep rows that a removal deletes, or do something else because of it.
    async fn refuse_keepers(&self, plan: &Plan, removal: &Removal) -> TransferResult<()> {
        if !removal.is_watched() {
            return Ok(());
        }
        let Some((table, trigger)) = self.trigger(&existing(plan), ON_DELETE).await? else {
            return Ok(());
        };
        Err(TransferError::Refused(format!(
            "the table {table} of the target has the trigger {trigger}, which could keep rows that are deleted; disable it for the copy \
             (ALTER TABLE {} DISABLE TRIGGER {})",
            self.table(&table),
            quoted(&trigger)
        )))
    }

    /// The first trigger of tables: its table, and its name.
    async fn trigger(&self, tables: &[&TablePlan], event: i16) -> TransferResult<Option<(String, String)>> {
        const SQL: &str = "SELECT c.relname::text, t.tgname::text FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
            WHERE c.relnamespace = to_regnamespace(quote_ident($1)) AND c.relname = ANY ($2)
              AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & $3 <> 0
            ORDER BY 1, 2 LIMIT 1";
        let tables: Vec<&str> = tables.iter().map(|table| table.target.as_str()).collect();
        let found = self.client.query_opt(SQL, &[&self.schema, &tables, &event]).await;
        let found = found.map_err(|error| transfer_error(&error))?;
        Ok(found.map(|row| (row.get(0), row.get(1))))
    }

    /// Takes rows out of the plan's tables that were there before: those that a condition tells. `dropped` are tables that go first.
    async fn removal(
        &self,
        plan: &Plan,
        dropped: &[&str],
        condition: impl Fn(&TablePlan) -> Option<String>,
    ) -> TransferResult<Removal> {
        let existing = existing(plan);
        let rows = existing
            .iter()
            .filter_map(|table| Some((table.target.as_str(), condition(table)?)));
        let rows: Vec<(&str, String)> = rows.collect();
        let among = plan.tables.iter().map(|table| table.target.as_str());
        let among: Vec<&str> = among.chain(dropped.iter().copied()).collect();
        Removal::of(&self.client, &self.schema, &rows, &among).await
    }

    fn table(&self, name: &str) -> String {
        format!("{}.{}", quoted(&self.schema), quoted(name))
    }

    /// What sets a table's sequences above what was copied: new rows must not be given old numbers.
    async fn sequences(&self, name: &str) -> TransferResult<Vec<String>> {
        const SQL: &str = "SELECT attname::text, pg_get_serial_sequence($1, attname::text)
            FROM pg_attribute
            WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
                AND pg_get_serial_sequence($1, attname::text) IS NOT NULL";
        let table = self.table(name);
        let rows = self
            .client
            .query(SQL, &[&table])
            .await
            .map_err(|error| transfer_error(&error))?;
        let set = rows.iter().map(|row| {
            let (column, sequence): (String, String) = (row.get(0), row.get(1));
            let (column, literal) = (quoted(&column), cutover_domain::transfer::schema::literal(&sequence));
            // One that is beyond all rows stays where it is: what it gives next may have been given by nobody.
            format!(
                "SELECT setval({literal}, max({column})) FROM {table} HAVING max({column}) >= (SELECT last_value FROM {sequence})"
            )
        });
        Ok(set.collect())
    }

    /// Runs statements as one.
    async fn together(&self, statements: &[String]) -> TransferResult<()> {
        make::together(&self.client, self.bracket, statements).await
    }

    /// A connection to work beside this one: one that has done its work, or a new one.
    async fn worker(&self) -> TransferResult<Worker> {
        if self.rehearsal {
            return Ok(Worker::only(Arc::clone(&self.client)));
        }
        loop {
            let slot = self.slots.take().await?;
            if let Some(client) = self.idle.take() {
                return Ok(Worker::new(client, Arc::clone(&self.idle), slot));
            }
            let error = match connection::open(&self.target.server, connection::APPLICATION).await {
                Ok(client) => {
                    self.set_up(&client).await?;
                    return Ok(Worker::new(Arc::new(client), Arc::clone(&self.idle), slot));
                }
                Err(error) => error,
            };
            let told = connect_error(&error).and(AGAIN);
            if error.failure != ConnectFailure::Full {
                return Err(told);
            }
            // Then with those that are at work, or have been meanwhile.
            if let Some(slot) = self.slots.give_up(slot) {
                let client = self.idle.take().ok_or(told)?;
                return Ok(Worker::new(client, Arc::clone(&self.idle), slot));
            }
        }
    }

    /// Makes a connection one that works beside this one.
    async fn set_up(&self, client: &Client) -> TransferResult<()> {
        connection::set_up(client, self.target.schema.as_deref()).await?;
        run(client, &format!("{SETTINGS}; {WORKER_SETTINGS}")).await?;
        let lock = client.query("SELECT pg_advisory_lock_shared($1)", &[&LOAD_LOCK]);
        lock.await.map(drop).map_err(|error| transfer_error(&error))
    }

    /// Columns that tables of the target lack.
    fn additions(&self, plan: &Plan) -> Vec<String> {
        let mut statements = Vec::new();
        for table in plan.tables.iter().filter(|table| !table.created) {
            let name = self.table(&table.target);
            for (column, ty) in table.columns.iter().filter_map(added_column) {
                statements.push(format!(
                    "ALTER TABLE {name} ADD COLUMN {} {ty}",
                    quoted(&column.target)
                ));
                statements.extend(
                    column
                        .class_column
                        .iter()
                        .map(|class| format!("ALTER TABLE {name} ADD COLUMN {} text", quoted(class))),
                );
            }
        }
        statements
    }

    /// What came of statements: where an event trigger of the database has raised the error, it is refused by its name.
    async fn explained<T>(&self, outcome: TransferResult<T>) -> TransferResult<T> {
        const SQL: &str = "SELECT quote_ident(t.evtname) FROM pg_event_trigger AS t JOIN pg_proc AS p ON p.oid = t.evtfoid
            WHERE t.evtenabled IN ('O', 'A') AND position(quote_ident(p.proname) || '(' IN $1) > 0 ORDER BY 1 LIMIT 1";
        let Err(TransferError::Failed(text)) = &outcome else {
            return outcome;
        };
        let Ok(Some(row)) = self.client.query_opt(SQL, &[text]).await else {
            return outcome;
        };
        let trigger: String = row.get(0);
        Err(TransferError::Refused(format!(
            "the event trigger {trigger} of the database forbids it: {text}; disable it for the copy (ALTER EVENT TRIGGER {trigger} DISABLE)"
        )))
    }

    /// The first table that cannot be made for what it is to compute: not even where nothing else is in its way.
    async fn uncomputed(&self, plan: &Plan, schema: &Schema) -> Option<TransferError> {
        for table in plan.tables.iter().filter(|table| !table.computed.is_empty()) {
            let start = format!("CREATE TABLE {} (", self.table(&table.target));
            let statement = schema
                .tables
                .iter()
                .find(|statement| statement.starts_with(&start))?;
            let columns = statement.strip_prefix(&start)?;
            let alone = format!("CREATE TEMPORARY TABLE {} ({columns}", quoted(&table.target));
            run(&self.client, self.bracket.begin).await.ok()?;
            let made = run(&self.client, &alone).await;
            run(&self.client, self.bracket.rollback).await.ok()?;
            if let Err(TransferError::Failed(message)) = made {
                let table = table.source.name.clone();
                return Some(TransferError::Computed { table, message });
            }
        }
        None
    }

    fn drop_tables(&self, tables: &[&str]) -> Option<String> {
        let names: Vec<String> = tables.iter().map(|table| self.table(table)).collect();
        (!names.is_empty()).then(|| format!("DROP TABLE IF EXISTS {}", names.join(", ")))
    }
}

fn added_column(column: &ColumnPlan) -> Option<(&ColumnPlan, &str)> {
    match column.kind.as_ref().filter(|_| column.added)? {
        ColumnKind::Postgres(kind) => Some((column, kind.name.as_str())),
        ColumnKind::Sqlite { .. } => None,
    }
}

fn existing(plan: &Plan) -> Vec<&TablePlan> {
    plan.tables.iter().filter(|table| !table.created).collect()
}

#[async_trait]
impl CopySession for PgSession {
    async fn open_run(&self) -> TransferResult<Option<UnfinishedRun>> {
        own_tables::open_run(&self.client, &self.schema, Some(self.begun)).await
    }

    async fn disturbed(&self, plan: &Plan) -> TransferResult<Vec<(String, u64, u64)>> {
        let mut disturbed = Vec::new();
        for table in &plan.tables {
            let sql = format!(
                "SELECT (SELECT count(*) FROM {}), coalesce(sum(written), 0)::bigint FROM cutover.copy_part
                 WHERE schema_name = $1 AND table_name = $2",
                self.table(&table.target)
            );
            let row = self.client.query_one(&sql, &[&self.schema, &table.target]).await;
            let row = row.map_err(|error| transfer_error(&error))?;
            let [rows, written] = [0, 1].map(|at| u64::try_from(row.get::<_, i64>(at)).unwrap_or(0));
            if rows != written {
                disturbed.push((table.target.clone(), rows, written));
            }
        }
        Ok(disturbed)
    }

    async fn occupied(&self, plan: &Plan, seeds: &[(String, String)]) -> TransferResult<Vec<(String, u64)>> {
        let mut occupied = Vec::new();
        for table in existing(plan) {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM {} WHERE ({}) IS NOT TRUE LIMIT {COUNTED_ROWS}) AS rows",
                self.table(&table.target),
                seed_condition(&table.target, seeds).unwrap_or_else(|| "false".to_owned())
            );
            let row = self.client.query_one(&sql, &[]).await;
            let count: i64 = row.map_err(|error| transfer_error(&error))?.get(0);
            if count > 0 {
                occupied.push((table.target.clone(), u64::try_from(count).unwrap_or(0)));
            }
        }
        Ok(occupied)
    }

    async fn start(&self, plan: &Plan, schema: &Schema, run: &RunStart) -> TransferResult<()> {
        self.refuse_changers(&existing(plan), "nothing was written")
            .await?;
        let dropped: Vec<&str> = run.dropped.iter().map(String::as_str).collect();
        removal::refuse_held(&self.client, &self.schema, &dropped).await?;
        let condition = |table: &TablePlan| {
            if run.replace {
                Some(removal::ALL.to_owned())
            } else {
                seed_condition(&table.target, &run.seeds).filter(|_| run.loads)
            }
        };
        let removal = self.removal(plan, &dropped, condition).await?;
        let not_written = |error: TransferError| match error {
            TransferError::Refused(_) => error.and("nothing was written"),
            other => other,
        };
        self.refuse_keepers(plan, &removal).await.map_err(not_written)?;
        let mut statements: Vec<String> = own_tables::missing(&self.client).await?.into_iter().collect();
        let (_, there) = self.target.find_schema(&self.client).await?;
        if !there {
            statements.push(format!("CREATE SCHEMA {}", quoted(&self.schema)));
        }
        statements.extend(self.drop_tables(&dropped));
        // Of a table that is made there may be notes although it was not there: somebody has dropped it.
        let made = plan.tables.iter().filter(|table| table.created);
        let forgotten = dropped.into_iter().chain(made.map(|table| table.target.as_str()));
        statements.extend(own_tables::forget_made(&self.schema, forgotten));
        statements.extend(schema.tables.iter().cloned());
        let kept = existing(plan).into_iter().filter_map(|table| {
            let condition = seed_condition(&table.target, &run.seeds)?;
            Some(own_tables::keep_seeds_of(&self.schema, &table.target, &condition))
        });
        let kept: Vec<String> = kept.collect();
        if !kept.is_empty() && !own_tables::has(&self.client, "seed_row").await? {
            statements.push(own_tables::SEEDS.to_owned());
        }
        statements.extend(kept);
        statements.extend(self.additions(plan));
        statements.extend(removal.statement.clone());
        if own_tables::notes_planted_rows(&self.client).await? {
            statements.push(own_tables::forget_planted(plan));
        }
        statements.extend(own_tables::note_made(&self.schema, plan, run.origin.as_ref()));
        statements.extend(own_tables::start_run(&self.schema, plan, run));
        let made = removal.together(&self.client, self.bracket, &statements).await;
        match self.explained(made).await {
            Err(error @ TransferError::Failed(_)) => {
                Err(self.uncomputed(plan, schema).await.unwrap_or(error))
            }
            outcome => outcome.map_err(not_written),
        }
    }

    async fn refuse_triggers(&self, plan: &Plan) -> TransferResult<()> {
        let tables: Vec<&TablePlan> = plan.tables.iter().collect();
        self.refuse_changers(&tables, "what was written before stays")
            .await
    }

    async fn progress(&self, table: &str, part: u32) -> TransferResult<TableProgress> {
        own_tables::progress(&self.client, &self.schema, table, part).await
    }

    async fn load(
        &self,
        plan: &TablePlan,
        part: LoadPart,
        converter: Converter,
        duplicates: &[u64],
        care: Care,
    ) -> TransferResult<Box<dyn TableLoader>> {
        let into = Into {
            worker: self.worker().await?,
            bracket: self.bracket,
            schema: self.schema.clone(),
            part,
            care,
        };
        let loader = PgLoader::new(into, plan, RowJudge::new(plan, converter), duplicates).await?;
        Ok(Box::new(loader))
    }

    async fn make(&self, step: &Step, plan: &Plan) -> TransferResult<Option<Weakened>> {
        let done = self
            .done
            .get_or_try_init(|| own_tables::steps(&self.client, &self.schema))
            .await?;
        if let Some(weakened) = done.get(&step.name) {
            return Ok(weakened.clone());
        }
        let worker = self.worker().await?;
        let place = make::Place {
            client: worker.client(),
            bracket: self.bracket,
            schema: &self.schema,
            helpers: self.cores.map(|cores| cores.saturating_sub(self.slots.at_work())),
        };
        let weakened = self.explained(place.make(step, plan).await).await?;
        worker.give_back();
        Ok(weakened)
    }

    async fn relax(&self, table: &str, constraint: &str) -> TransferResult<()> {
        let note = own_tables::note_dropped(&self.schema, table, constraint);
        let drop = format!(
            "ALTER TABLE {} DROP CONSTRAINT {}",
            self.table(table),
            quoted(constraint)
        );
        self.explained(self.together(&[note, drop]).await).await
    }

    async fn restore(&self, plan: &Plan) -> TransferResult<Vec<Weakened>> {
        if !own_tables::exist(&self.client).await? {
            return Ok(vec![]);
        }
        let place = make::Place {
            client: &self.client,
            bracket: self.bracket,
            schema: &self.schema,
            helpers: None,
        };
        for dropped in own_tables::dropped(&self.client, &self.schema).await? {
            self.explained(place.put_back(&dropped, plan).await).await?;
        }
        own_tables::put_back(&self.client, &self.schema).await
    }

    async fn analyze(&self, table: &str) -> TransferResult<()> {
        let sql = format!("ANALYZE {}", self.table(table));
        let worker = self.worker().await?;
        make::together(worker.client(), self.bracket, &[make::UNHURRIED.to_owned(), sql]).await?;
        worker.give_back();
        Ok(())
    }

    async fn finish(
        &self,
        _: &Plan,
        entries: &[LedgerEntry],
        account: &Account,
    ) -> TransferResult<Vec<Weakened>> {
        let mut statements: Vec<String> = own_tables::missing(&self.client).await?.into_iter().collect();
        let note = |entry| ledger::note_copied(&self.schema, entry);
        statements.extend(entries.iter().map(note));
        for entry in entries {
            statements.extend(self.sequences(&entry.table).await?);
        }
        if own_tables::has(&self.client, "seed_row").await? {
            statements.push(own_tables::forget_seeds(&self.schema));
        }
        statements.extend(own_tables::note_account(&self.schema, account));
        statements.push(own_tables::finish_run(&self.schema));
        self.together(&statements).await?;
        Ok(vec![])
    }

    async fn undo(&self, plan: &Plan) -> TransferResult<()> {
        if self.rehearsal {
            // All of it is one transaction, and a load that was broken off may have ended that.
            return run(&self.client, "ROLLBACK; BEGIN").await;
        }
        let created = plan.tables.iter().filter(|table| table.created);
        let created: Vec<&str> = created.map(|table| table.target.as_str()).collect();
        let all = |_: &TablePlan| Some(removal::ALL.to_owned());
        let removal = self.removal(plan, &created, all).await?;
        self.refuse_keepers(plan, &removal).await?;
        let mut statements: Vec<String> = own_tables::missing(&self.client).await?.into_iter().collect();
        // They may refer to the others.
        statements.extend(self.drop_tables(&created));
        statements.extend(removal.statement.clone());
        statements.extend(own_tables::forget_made(&self.schema, created.into_iter()));
        for table in existing(plan) {
            let name = self.table(&table.target);
            for column in table.columns.iter().filter(|column| column.added) {
                let names = std::iter::once(&column.target).chain(&column.class_column);
                statements
                    .extend(names.map(|column| format!("ALTER TABLE {name} DROP COLUMN {}", quoted(column))));
            }
        }
        if own_tables::has(&self.client, "seed_row").await? {
            let tables = existing(plan).into_iter().map(|table| &table.target);
            statements.extend(tables.map(|table| own_tables::put_seeds_back(&self.schema, table)));
            statements.push(own_tables::forget_seeds(&self.schema));
        }
        statements.push(own_tables::forget_account(&self.schema));
        let tables = plan.tables.iter().map(|table| table.target.as_str());
        statements.extend(own_tables::forget_run(&self.schema, tables));
        removal.together(&self.client, self.bracket, &statements).await?;
        self.restore(plan).await.map(drop)
    }
}
