//! What callers see, and what is stored, when PostgreSQL is killed, frozen, slow or not there; and that all is well
//! again by itself afterwards.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail, and say why"
)]

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_domain::lab::synth_group::SynthGroup;
use cutover_domain::lab::synth_outcome::SynthOutcome;
use cutover_domain::relations::children_of;
use cutover_domain::stored::{Stored, StoredValue};
use cutover_domain::time::Timestamp;
use cutover_migrations::{Context, Target};
use cutover_ports::lab::LabRepositories;
use cutover_ports::{PageRequest, PortableRow, ReferredRows, StoreError, together};
use cutover_postgres::{Database, PgServer, PoolSettings};
use cutover_tests::postgres::{TcpOptions, TestDatabase, TestServer, TestServerOptions};
use cutover_tests::store::{lab_database, postgres_target};
use futures_util::TryStreamExt as _;
use futures_util::future::{join_all, join4, try_join_all};
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, NoTls};

/// Inserts that take their time: at once, or only when they are committed.
const SLOW_INSERTS: &str = "
    CREATE FUNCTION take_a_while() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT ON synth_groups FOR EACH ROW WHEN (NEW.name = 'slow')
        EXECUTE FUNCTION take_a_while();
    CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON synth_groups DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.name = 'slow to commit') EXECUTE FUNCTION take_a_while();";

/// Ends the sessions of the pool, as an administrator does.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'cutover'";

/// The lab's schema with the slow inserts, and a pool on it.
struct Bench {
    /// For tests that stop it; the others share one.
    server: Option<TestServer>,
    /// Theirs.
    _shared: Option<TestDatabase>,
    url: String,
    database: Database,
    lab: LabRepositories,
}

impl Bench {
    /// A database of its own on the server that all tests share.
    async fn shared(settings: PoolSettings) -> Self {
        let database = lab_database().await;
        let url = database.url();
        Self::on(None, Some(database), url, settings).await
    }

    /// A server of its own.
    async fn new(settings: PoolSettings) -> Self {
        let server = TestServer::start(TestServerOptions::default()).await;
        let url = server.url();
        let target = Target::Postgres(postgres_target(&url));
        cutover_migrations::up(&target, &Context::LAB, None)
            .await
            .unwrap();
        Self::on(Some(server), None, url, settings).await
    }

    async fn on(
        server: Option<TestServer>,
        shared: Option<TestDatabase>,
        url: String,
        settings: PoolSettings,
    ) -> Self {
        let database = Database::new(&PgServer::parse(&url).unwrap(), &settings).unwrap();
        let lab = cutover_postgres::lab::repositories(&database);
        let bench = Self {
            server,
            _shared: shared,
            url,
            database,
            lab,
        };
        bench.execute(SLOW_INSERTS).await;
        bench
    }

    /// A connection past the pool.
    async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    async fn execute(&self, sql: &str) {
        self.connect().await.batch_execute(sql).await.unwrap();
    }

    /// Has every connection of the pool open, so that an outage finds them there.
    async fn fill_pool(&self) {
        let page = PageRequest { limit: 1, offset: 0 };
        let reads = (0..self.database.status().size_max).map(|_| self.lab.synth_groups.list(page));
        for read in join_all(reads).await {
            read.unwrap();
        }
    }

    /// Starts an insert and comes back once the server is busy with it.
    async fn start_insert(&self, name: &'static str) -> tokio::task::JoinHandle<Result<(), StoreError>> {
        let groups = Arc::clone(&self.lab.synth_groups);
        let insert = tokio::spawn(async move { groups.insert(&group(name)).await });
        self.until_sleeping(1).await;
        insert
    }

    /// Starts a transaction (two inserts and a COMMIT) and comes back once the server is busy with it.
    async fn start_transaction(&self, name: &'static str) -> tokio::task::JoinHandle<Result<(), StoreError>> {
        let database = self.database.clone();
        let plant = tokio::spawn(async move {
            database
                .plant("synth_groups", "id", "grp_000000aa", &portable(name))
                .await
        });
        self.until_sleeping(1).await;
        plant
    }

    /// Waits until `count` sessions of the pool are in `pg_sleep`.
    async fn until_sleeping(&self, count: i64) {
        let client = self.connect().await;
        let sql = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'cutover' AND wait_event = 'PgSleep'";
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let sleeping: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
            if sleeping == count {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{sleeping} statements are under way, not {count}"
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        self.connect().await.query_one(&sql, &[]).await.unwrap().get(0)
    }

    fn own_server(&mut self) -> &mut TestServer {
        self.server
            .as_mut()
            .expect("a test that stops its server has one")
    }

    async fn crash(&mut self) {
        self.own_server().kill_9().await;
    }

    /// The server is back, and the first call of every kind succeeds.
    async fn recover(&mut self) {
        self.own_server().start_again().await;
        let page = self
            .lab
            .synth_groups
            .list(PageRequest { limit: 10, offset: 0 })
            .await;
        assert_eq!(
            page.unwrap().total,
            1,
            "nothing half-written beside the default group"
        );
        assert_eq!(self.rows("cutover.planted_rows").await, 0, "nothing half-written");
        self.lab.synth_groups.insert(&group("after")).await.unwrap();
        assert_eq!(
            self.lab.synth_groups.get("grp_000000aa").await.unwrap(),
            Some(group("after"))
        );
    }
}

fn group(name: &str) -> SynthGroup {
    SynthGroup {
        id: "grp_000000aa".to_owned(),
        name: name.to_owned(),
        description: None,
        created_at: Timestamp::from_micros(1_700_000_000_000_000).unwrap().into(),
    }
}

fn portable(name: &str) -> PortableRow {
    let text = |text: &str| StoredValue::Text(text.to_owned());
    vec![
        ("id".to_owned(), text("grp_000000aa")),
        ("name".to_owned(), text(name)),
        ("created_at".to_owned(), text("2026-01-02T03:04:05.000006+00:00")),
    ]
}

#[track_caller]
fn unavailable<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Err(error @ StoreError::Unavailable(_)) => error.to_string(),
        other => panic!("{other:?} is not Unavailable"),
    }
}

#[track_caller]
fn indeterminate<T: std::fmt::Debug>(result: &Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Indeterminate(_))), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_an_insert_is_under_way() {
    let mut bench = Bench::new(PoolSettings::default()).await;
    let insert = bench.start_insert("slow").await;
    bench.crash().await;
    indeterminate(&insert.await.unwrap());
    bench.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_transaction() {
    let mut bench = Bench::new(PoolSettings::default()).await;
    let transaction = bench.start_transaction("slow").await;
    bench.crash().await;
    unavailable(transaction.await.unwrap());
    bench.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_committing() {
    let mut bench = Bench::new(PoolSettings::default()).await;
    let transaction = bench.start_transaction("slow to commit").await;
    bench.crash().await;
    indeterminate(&transaction.await.unwrap());
    bench.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_pool_of_dead_connections_mends_itself() {
    let mut bench = Bench::new(PoolSettings {
        size: 8,
        ..Default::default()
    })
    .await;
    bench.fill_pool().await;
    assert_eq!(bench.database.status().size, 8);
    bench.crash().await;
    let started = Instant::now();
    let down = unavailable(bench.lab.synth_groups.get("x").await);
    assert!(down.contains("cannot be reached"), "{down}");
    unavailable(bench.lab.synth_groups.insert(&group("x")).await);
    unavailable(
        bench
            .database
            .plant("synth_groups", "id", "grp_000000aa", &portable("x"))
            .await,
    );
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "a dead server is noticed at once"
    );
    bench.recover().await;
    bench.fill_pool().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_between_two_calls_is_not_noticed() {
    let mut bench = Bench::new(PoolSettings {
        size: 4,
        ..Default::default()
    })
    .await;
    bench.fill_pool().await;
    bench.own_server().stop().await;
    bench.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_ended_by_an_administrator_are_replaced() {
    let bench = Bench::shared(PoolSettings {
        size: 4,
        ..Default::default()
    })
    .await;
    bench.lab.synth_groups.insert(&group("there")).await.unwrap();
    for _ in 0..20 {
        bench.fill_pool().await;
        bench.execute(END_SESSIONS).await;
        let reads = (0..8).map(|_| bench.lab.synth_groups.get("grp_000000aa"));
        for read in join_all(reads).await {
            assert_eq!(read.unwrap(), Some(group("there")));
        }
    }
}

/// A read that finds its connection dead goes on over a fresh one, and so does a transaction that begins there.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_begins_on_a_fresh_connection() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        ..Default::default()
    })
    .await;
    let other = bench.connect().await;
    let relations: Vec<_> = children_of("synth_groups").collect();
    for number in 0..30 {
        bench.fill_pool().await;
        other.batch_execute(END_SESSIONS).await.unwrap();
        bench.database.release(&relations, "grp_000000aa").await.unwrap();
        // One that is given up on its way there leaves nothing open for the next.
        bench.fill_pool().await;
        other
            .batch_execute(&END_SESSIONS.replace("(pid)", "(pid, 10000)"))
            .await
            .unwrap();
        let given_up = bench.database.release(&relations, "grp_000000aa");
        timeout(Duration::from_millis(number), given_up).await.ok();
        let next = SynthGroup {
            id: format!("grp_0000cc{number:02}"),
            ..group("next")
        };
        bench.fill_pool().await;
        bench.lab.synth_groups.insert(&next).await.unwrap();
        let sql = "SELECT 1 FROM synth_groups WHERE id = $1";
        assert_eq!(other.query(sql, &[&next.id]).await.unwrap().len(), 1, "{number}");
    }
}

/// The other transaction has what the save needs and asks for what the save has; only the save looks for deadlocks, and is undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_a_deadlock_undid_happens_all_the_same() {
    let bench = Bench::shared(PoolSettings::default()).await;
    bench
        .execute(
            "ALTER TABLE synth_outcomes DROP CONSTRAINT synth_outcomes_analysis_id_fkey;
            INSERT INTO synth_outcomes (id, analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate)
            VALUES ('1', 'run', 'a', 0, 0, 0), ('2', 'run', 'b', 0, 0, 0)",
        )
        .await;
    let outcomes = Arc::clone(&bench.lab.synth_outcomes);
    let saved = ["a", "b"].map(|synth| SynthOutcome {
        id: Some(format!("{synth} saved")),
        analysis_id: "run".to_owned(),
        synth_id: synth.to_owned(),
        did_not_try_rate: Stored::Known(0.25),
        failed_rate: Stored::Known(0.25),
        success_rate: Stored::Known(0.5),
        synth_attributes: None,
    });
    let watch = bench.connect().await;
    for _ in 0..2 {
        let mut other = bench.connect().await;
        let other = other.transaction().await.unwrap();
        other
            .batch_execute(
                "SET LOCAL deadlock_timeout = '1h'; UPDATE synth_outcomes SET id = 'theirs' WHERE synth_id = 'b'",
            )
            .await
            .unwrap();
        let save = tokio::spawn({
            let (outcomes, saved) = (Arc::clone(&outcomes), saved.clone());
            async move { outcomes.save(&saved).await }
        });
        let waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'cutover' AND wait_event_type = 'Lock')";
        while !watch.query_one(waits, &[]).await.unwrap().get::<_, bool>(0) {
            sleep(Duration::from_millis(10)).await;
        }
        other
            .batch_execute("UPDATE synth_outcomes SET id = 'also theirs' WHERE synth_id = 'a'")
            .await
            .unwrap();
        other.commit().await.unwrap();
        save.await.unwrap().unwrap();
        for outcome in &saved {
            let id = outcome.id.as_deref().unwrap();
            assert_eq!(outcomes.get(id).await.unwrap().as_ref(), Some(outcome));
        }
    }
    assert_eq!(bench.rows("synth_outcomes").await, 2);
}

/// One connection serves all that an answer needs at once, also when it turns out to be dead; transactions have their own.
#[tokio::test(flavor = "multi_thread")]
async fn reads_that_go_together_share_a_connection() {
    let bench = Bench::shared(PoolSettings::default()).await;
    let groups = &bench.lab.synth_groups;
    groups.insert(&group("there")).await.unwrap();
    for _ in 0..3 {
        let reads = ["grp_000000aa", "x", "grp_000000aa", "y"].map(|id| groups.get(id));
        let found = together(try_join_all(reads)).await.unwrap();
        assert_eq!(found, [Some(group("there")), None, Some(group("there")), None]);
        assert_eq!(bench.database.status().size, 1);
        assert_eq!(bench.database.status().in_use, 0);
        bench.execute(END_SESSIONS).await;
    }
    // A transaction must not meet a session that has yet to end.
    let ended = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'cutover')";
    let watch = bench.connect().await;
    while !watch.query_one(ended, &[]).await.unwrap().get::<_, bool>(0) {
        sleep(Duration::from_millis(10)).await;
    }
    bench.execute("DELETE FROM synth_groups").await;
    let row = portable("planted");
    let transaction = bench.database.plant("synth_groups", "id", "grp_000000aa", &row);
    let (found, planted, absent) = together(futures_util::future::join3(
        groups.get("x"),
        transaction,
        groups.get("y"),
    ))
    .await;
    planted.unwrap();
    assert_eq!((found.unwrap(), absent.unwrap()), (None, None));
    assert_eq!(bench.database.status().size, 2);
    assert_eq!(bench.rows("synth_groups").await, 1);
}

/// As the server sees it; the rows go to those who asked for them, in the order that each asked for. What one of them cannot have is no
/// matter of the others.
#[tokio::test(flavor = "multi_thread")]
async fn reads_that_go_together_are_one_statement() {
    let bench = Bench::shared(PoolSettings::default()).await;
    let (groups, outcomes) = (&bench.lab.synth_groups, &bench.lab.synth_outcomes);
    bench
        .execute(
            "ALTER TABLE synth_outcomes DROP CONSTRAINT synth_outcomes_analysis_id_fkey;
            DELETE FROM synth_groups;
            INSERT INTO synth_groups (id, name, created_at)
                VALUES ('grp_00000001', 'one', '2026-01-01Z'), ('grp_00000002', 'two', '2026-01-02Z');
            INSERT INTO synth_outcomes (analysis_id, synth_id, did_not_try_rate, failed_rate, success_rate)
                SELECT 'run', n::text, 0, 0.75, 0.25 FROM generate_series(1, 9) AS n",
        )
        .await;
    let reads = async || {
        let (page, all, count, none) = together(join4(
            outcomes.list("run", PageRequest { limit: 3, offset: 2 }),
            groups.list(PageRequest { limit: 9, offset: 0 }),
            outcomes.count("run"),
            groups.get("grp_0000000z"),
        ))
        .await;
        let page = page.map(|page| (page.total, page.items));
        let all = all.map(|page| page.items.into_iter().map(|group| group.name).collect::<Vec<_>>());
        (page, all, count, none)
    };
    let is_outcome = |outcome: &SynthOutcome, synth: &str| {
        outcome.synth_id == synth && outcome.id.is_none() && outcome.failed_rate == Stored::Known(0.75)
    };
    for _ in 0..3 {
        let (page, all, count, none) = reads().await;
        let (total, items) = page.unwrap();
        assert_eq!((total, count.unwrap(), none.unwrap()), (9, 9, None));
        assert_eq!(all.unwrap(), ["two", "one"]);
        assert!(
            items.len() == 3
                && ["3", "4", "5"]
                    .iter()
                    .zip(&items)
                    .all(|(synth, item)| is_outcome(item, synth)),
            "{items:?}"
        );
        let sent = "SELECT query FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'cutover'";
        let sent = bench.connect().await.query(sent, &[]).await.unwrap();
        let sent: Vec<String> = sent.iter().map(|row| row.get(0)).collect();
        assert!(
            sent.len() == 1
                && sent[0].starts_with("SELECT 0, part FROM ")
                && sent[0].contains("UNION ALL SELECT 5, part FROM "),
            "{sent:?}"
        );
    }
    bench.execute("ALTER TABLE synth_groups RENAME TO gone").await;
    let (page, all, count, none) = reads().await;
    assert_eq!((page.unwrap().0, count.unwrap()), (9, 9));
    assert!(format!("{:?}", all.unwrap_err()).contains("synth_groups"));
    assert!(format!("{:?}", none.unwrap_err()).contains("synth_groups"));
}

/// Each gets what it asked for, however many there are, whoever of them goes away, and whatever one of them cannot have.
#[tokio::test(flavor = "multi_thread")]
async fn lookups_of_many_requests_are_one_statement() {
    let bench = Bench::shared(PoolSettings::default()).await;
    bench
        .execute(
            "INSERT INTO synth_groups (id, name, created_at)
                SELECT 'grp_' || n, 'name ' || n, '2026-01-01Z' FROM generate_series(0, 19) AS n;
            INSERT INTO experiments (id, name, hypothesis, created_at)
                SELECT 'exp_' || n, 'name ' || n, '', '2026-01-01Z' FROM generate_series(0, 19) AS n",
        )
        .await;
    let requests = (0..2_000_u32).map(|n| {
        let (groups, experiments) = (
            Arc::clone(&bench.lab.synth_groups),
            Arc::clone(&bench.lab.experiments),
        );
        tokio::spawn(async move {
            let name = |n: u32| (n < 20).then(|| format!("name {n}"));
            let (group, experiment) = (n % 23, n % 29);
            let (group_id, experiment_id) = (format!("grp_{group}"), format!("exp_{experiment}"));
            match n % 40 {
                // PostgreSQL has no such text.
                0 => assert!(groups.get("\0").await.is_err()),
                1 => drop(timeout(Duration::from_micros(n.into()), groups.get(&group_id)).await),
                2..20 => {
                    let found = groups.get(&group_id).await.unwrap();
                    assert_eq!(found.map(|group| group.name), name(group));
                }
                _ => {
                    let (found, one, none, other) = together(join4(
                        groups.get(&group_id),
                        experiments.get(&experiment_id),
                        groups.get("x"),
                        experiments.get(&experiment_id),
                    ))
                    .await;
                    assert_eq!(found.unwrap().map(|group| group.name), name(group));
                    let one = one.unwrap();
                    assert_eq!(one.as_ref().map(|one| one.name.clone()), name(experiment));
                    assert_eq!((none.unwrap(), other.unwrap()), (None, one));
                }
            }
        })
    });
    let requests: Vec<_> = requests.collect();
    let watch = bench.connect().await;
    let seen = "SELECT EXISTS (SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'SELECT 0, part FROM %UNION ALL SELECT 4, part FROM %')";
    let mut is_seen = false;
    while !is_seen && !requests.iter().all(tokio::task::JoinHandle::is_finished) {
        is_seen = watch.query_one(seen, &[]).await.unwrap().get(0);
    }
    for request in requests {
        request.await.unwrap();
    }
    assert!(is_seen, "no request has its lookups sent with another's");
}

/// Where the rows of one table cannot be had, others can.
#[tokio::test(flavor = "multi_thread")]
async fn slow_lookups_do_not_hold_up_others() {
    let bench = Bench::shared(PoolSettings::default()).await;
    let mut other = bench.connect().await;
    let lock = other.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE experiments").await.unwrap();
    let slow = (0..4).map(|_| {
        let experiments = Arc::clone(&bench.lab.experiments);
        tokio::spawn(async move { experiments.get("x").await })
    });
    let slow: Vec<_> = slow.collect();
    sleep(Duration::from_millis(100)).await;
    let reads = (0..20).map(|_| bench.lab.synth_groups.get("x"));
    let begun = Instant::now();
    assert_eq!(try_join_all(reads).await.unwrap(), vec![None; 20]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(slow.iter().all(|read| !read.is_finished()));
    lock.commit().await.unwrap();
    for read in slow {
        assert_eq!(read.await.unwrap().unwrap(), None);
    }
}

/// Where transactions are serializable by default, the server may undo one for what others have read.
#[tokio::test(flavor = "multi_thread")]
async fn the_isolation_that_a_database_has_for_its_programs_is_not_the_pools() {
    let bench = Bench::shared(PoolSettings::default()).await;
    bench
        .execute(
            "CREATE TABLE levels (level text);
             CREATE FUNCTION note_level() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO levels VALUES (current_setting('transaction_isolation')); RETURN NEW; END $$;
             CREATE TRIGGER level BEFORE INSERT ON synth_groups FOR EACH ROW EXECUTE FUNCTION note_level();
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$",
        )
        .await;
    bench.lab.synth_groups.insert(&group("one")).await.unwrap();
    // A session that is not set up: then the transaction is.
    let settings = PoolSettings {
        prepared_statements: false,
        ..Default::default()
    };
    let unset = Database::new(&PgServer::parse(&bench.url).unwrap(), &settings).unwrap();
    let row = vec![
        ("id".to_owned(), StoredValue::Text("grp_000000ff".to_owned())),
        ("name".to_owned(), StoredValue::Text("two".to_owned())),
        (
            "created_at".to_owned(),
            StoredValue::Text("2026-01-02T03:04:05.000006+00:00".to_owned()),
        ),
    ];
    unset
        .plant("synth_groups", "id", "grp_000000ff", &row)
        .await
        .unwrap();
    let client = bench.connect().await;
    let levels = client.query("SELECT level FROM levels", &[]).await.unwrap();
    let levels: Vec<&str> = levels.iter().map(|row| row.get(0)).collect();
    assert_eq!(levels, ["read committed"; 2]);
}

/// Not once for each of them.
#[tokio::test(flavor = "multi_thread")]
async fn reads_that_go_together_are_given_up_together() {
    let settings = PoolSettings {
        statement_timeout: Duration::from_millis(800),
        ..Default::default()
    };
    let bench = Bench::shared(settings).await;
    let mut other = bench.connect().await;
    let reads = || ["x", "y", "z"].map(|id| bench.lab.synth_groups.get(id));
    assert_eq!(together(try_join_all(reads())).await.unwrap(), [None, None, None]);
    let lock = other.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE synth_groups").await.unwrap();
    let started = Instant::now();
    for read in together(join_all(reads())).await {
        let error = unavailable(read);
        assert!(error.contains("statement timeout"), "{error}");
    }
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "{:?}",
        started.elapsed()
    );
    lock.commit().await.unwrap();
    assert_eq!(together(try_join_all(reads())).await.unwrap(), [None, None, None]);
    assert_eq!(bench.database.status().size, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_go_together_wait_for_one_connection() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        ..Default::default()
    })
    .await;
    let insert = bench.start_insert("slow").await;
    // As one future that polls them all, and as some that are polled when they are woken themselves.
    let reads = || ["w", "x", "y", "z"].map(|id| bench.lab.synth_groups.get(id));
    let as_one = together(try_join_all(reads()));
    let one_by_one = together(FuturesUnordered::from_iter(reads()).try_collect::<Vec<_>>());
    let free = async {
        // Each company sends one of its reads for the connection.
        while bench.database.status().waiting < 2 {
            sleep(Duration::from_millis(10)).await;
        }
        sleep(Duration::from_millis(50)).await;
        assert_eq!(bench.database.status().waiting, 2);
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        bench.execute(cancel).await;
        insert.await.unwrap().unwrap_err()
    };
    let limit = Duration::from_secs(4);
    let (as_one, one_by_one, _) = timeout(limit, async { tokio::join!(as_one, one_by_one, free) })
        .await
        .unwrap();
    assert_eq!(as_one.unwrap(), vec![None; 4]);
    assert_eq!(one_by_one.unwrap(), vec![None; 4]);
    assert_eq!(bench.database.status().in_use, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_go_together_give_up_waiting() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        wait_timeout: Duration::from_millis(200),
        ..Default::default()
    })
    .await;
    let _insert = bench.start_insert("slow").await;
    let reads = || ["w", "x", "y"].map(|id| bench.lab.synth_groups.get(id));
    let error = together(try_join_all(reads())).await.map(|_| ());
    assert!(unavailable(error).contains("busy"));
    // One has waited in vain; the others try for themselves.
    for outcome in together(join_all(reads())).await {
        assert!(unavailable(outcome.map(|_| ())).contains("busy"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_under_a_prepared_statement_is_not_noticed() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        ..Default::default()
    })
    .await;
    bench.lab.synth_groups.insert(&group("there")).await.unwrap();
    assert_eq!(
        bench.lab.synth_groups.get("grp_000000aa").await.unwrap(),
        Some(group("there"))
    );
    // The statement's columns have other types now, which PostgreSQL does not let a prepared one have.
    bench
        .execute("DROP TRIGGER slow ON synth_groups; DROP TRIGGER slow_commit ON synth_groups")
        .await;
    bench
        .execute("ALTER TABLE synth_groups ALTER COLUMN name TYPE varchar(300)")
        .await;
    assert_eq!(
        bench.lab.synth_groups.get("grp_000000aa").await.unwrap(),
        Some(group("there"))
    );
    assert_eq!(
        bench.lab.synth_groups.ensure(&group("new")).await.unwrap(),
        group("there")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_is_given_up() {
    let settings = PoolSettings {
        size: 1,
        statement_timeout: Duration::from_millis(400),
        ..Default::default()
    };
    let bench = Bench::shared(settings).await;
    let started = Instant::now();
    let error = unavailable(bench.start_insert("slow").await.await.unwrap());
    assert!(error.contains("statement timeout"), "{error}");
    unavailable(bench.start_transaction("slow").await.await.unwrap());
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    // The server gave it up itself, so the connection is as good as new.
    bench.lab.synth_groups.insert(&group("quick")).await.unwrap();
    assert_eq!(bench.database.status().size, 1);
    bench.until_sleeping(0).await;
    assert_eq!(bench.rows("synth_groups").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_session_is_given_up() {
    let settings = PoolSettings {
        size: 1,
        statement_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    let bench = Bench::new(settings).await;
    for is_read in [true, false] {
        // Prepared while all was well: preparing writes nothing, so it would leave no doubt.
        bench.lab.synth_groups.ensure(&group("there")).await.unwrap();
        bench.lab.synth_groups.get("x").await.unwrap();
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cutover'";
        let rows = bench.connect().await.query(sql, &[]).await.unwrap();
        let pid: i32 = rows.last().unwrap().get(0);
        signal("-STOP", pid);
        let started = Instant::now();
        if is_read {
            unavailable(bench.lab.synth_groups.get("x").await);
        } else {
            indeterminate(&bench.lab.synth_groups.ensure(&group("frozen")).await);
        }
        assert!(started.elapsed() < Duration::from_secs(2));
        // Nobody waits for that session again.
        bench.database.ping().await.unwrap();
        signal("-CONT", pid);
        // It finds itself cancelled or closed, and goes.
        let deadline = Instant::now() + Duration::from_secs(5);
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        let client = bench.connect().await;
        while client.query_one(&sql, &[]).await.unwrap().get::<_, i64>(0) > 0 {
            assert!(Instant::now() < deadline, "the session is still there");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// `pid` is a session of a server that the test has started.
fn signal(signal: &str, pid: i32) {
    let status = Command::new("kill")
        .args([signal, &pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_pool_is_unavailable_in_time() {
    let settings = PoolSettings {
        size: 2,
        wait_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    let bench = Bench::shared(settings).await;
    let mut busy = Vec::new();
    for number in 1..=2 {
        let database = bench.database.clone();
        let key = if number == 1 {
            "grp_000000aa"
        } else {
            "grp_000000bb"
        };
        let row: PortableRow = portable("slow")
            .into_iter()
            .map(|(column, value)| {
                if column == "id" {
                    (column, StoredValue::Text(key.to_owned()))
                } else {
                    (column, value)
                }
            })
            .collect();
        busy.push(tokio::spawn(async move {
            database.plant("synth_groups", "id", key, &row).await
        }));
    }
    bench.until_sleeping(2).await;
    let status = bench.database.status();
    assert_eq!(
        (status.size_max, status.size, status.in_use, status.waiting),
        (2, 2, 2, 0)
    );
    let started = Instant::now();
    let error = unavailable(bench.lab.synth_groups.get("x").await);
    assert!(
        error.contains("all 2 connections of the pool were busy for 300ms"),
        "{error}"
    );
    let waited = started.elapsed();
    assert!(
        waited >= Duration::from_millis(300) && waited < Duration::from_secs(1),
        "{waited:?}"
    );
    for task in busy {
        task.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_delays_nobody() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        ..Default::default()
    })
    .await;
    for in_transaction in [false, true] {
        let work = if in_transaction {
            bench.start_transaction("slow").await
        } else {
            bench.start_insert("slow").await
        };
        work.abort();
        let started = Instant::now();
        assert_eq!(bench.lab.synth_groups.get("grp_000000aa").await.unwrap(), None);
        assert!(
            started.elapsed() < Duration::from_secs(1),
            "{:?}",
            started.elapsed()
        );
        // What it asked for is not done behind its back either.
        bench.until_sleeping(0).await;
        assert_eq!(bench.rows("synth_groups").await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_left_open_never_returns_to_the_pool() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        ..Default::default()
    })
    .await;
    // Dropped at every point of the way: after the first poll, the second, and so on, until it goes through.
    for polls in 1_u64.. {
        let key = "grp_000000aa";
        let row = portable("left open");
        let mut plant = Box::pin(bench.database.plant("synth_groups", "id", key, &row));
        let mut seen = 0;
        let outcome = std::future::poll_fn(|context| {
            seen += 1;
            match plant.as_mut().poll(context) {
                std::task::Poll::Ready(result) => std::task::Poll::Ready(Some(result)),
                std::task::Poll::Pending if seen == polls => std::task::Poll::Ready(None),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await;
        drop(plant);
        let finished = outcome.is_some();
        if let Some(result) = outcome {
            result.unwrap();
        }
        // The next borrower's insert commits by itself, which it would not inside a foreign transaction.
        let other = SynthGroup {
            id: format!("grp_1000{polls:04x}"),
            ..group("next")
        };
        bench.lab.synth_groups.insert(&other).await.unwrap();
        let sql = "SELECT 1 FROM synth_groups WHERE id = $1";
        let seen = bench.connect().await.query(sql, &[&other.id]).await.unwrap();
        assert_eq!(seen.len(), 1, "after {polls} polls");
        if finished {
            assert!(polls > 3, "it was interrupted in several places");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_told_within_five_seconds() {
    let started = Instant::now();
    let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused_port = refusing.local_addr().unwrap().port();
    drop(refusing);
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let urls = [
        (
            format!("postgres://me:sesame@127.0.0.1:{refused_port}/d"),
            "refused",
        ),
        (
            format!("postgres://me:sesame@127.0.0.1:{silent_port}/d"),
            "no answer within 4.0 s",
        ),
        (
            format!("postgres://me:sesame@127.0.0.1:{silent_port},127.0.0.1:{silent_port}/d"),
            "no answer within 2.0 s",
        ),
        // Reserved for documentation: no such network, or nobody answers.
        ("postgres://me:sesame@192.0.2.1/d".to_owned(), "192.0.2.1:5432"),
        (
            "postgres://me:sesame@no-such-host.invalid/d".to_owned(),
            "the name cannot be resolved",
        ),
        (
            "postgres://me:sesame@%2Fno%2Fsuch%2Fdirectory/d".to_owned(),
            "No such file",
        ),
    ];
    let attempts = urls.map(|(url, reason)| async move {
        let started = Instant::now();
        let database = Database::new(&PgServer::parse(&url).unwrap(), &PoolSettings::default()).unwrap();
        let result = timeout(Duration::from_secs(6), database.ping())
            .await
            .expect("an answer in time");
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{url}: {:?}",
            started.elapsed()
        );
        let shown = format!("{result:?} {database:?}");
        let error = unavailable(result);
        assert!(error.contains(reason), "{error}");
        assert!(!shown.contains("sesame") && !error.contains("sesame"), "{shown}");
    });
    join_all(attempts).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    held.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_takes_over() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let options = TestServerOptions {
        tcp: Some(TcpOptions::default()),
        ..Default::default()
    };
    let server = TestServer::start(options).await;
    let url = format!(
        "postgres://postgres@no-such-host.invalid,127.0.0.1:{silent_port},127.0.0.1:{}/postgres",
        server.tcp_port()
    );
    let database = Database::new(&PgServer::parse(&url).unwrap(), &PoolSettings::default()).unwrap();
    let started = Instant::now();
    database.ping().await.unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    // Migrations go the same way.
    let target = cutover::wiring::postgres_target(&url).unwrap();
    cutover_migrations::up(&target, &Context::LAB, None)
        .await
        .unwrap();
    let status = cutover_migrations::status(&target, &Context::LAB).await.unwrap();
    assert!(status.is_ready(), "{status:?}");
    let made = server.connect().await;
    let made = made.query("SELECT id FROM synth_groups", &[]).await.unwrap();
    assert_eq!(made.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_is_not_committed_over() {
    let bench = Bench::shared(PoolSettings {
        size: 1,
        ..Default::default()
    })
    .await;
    bench
        .execute("ALTER TABLE synth_groups ADD CONSTRAINT no_x CHECK (name <> 'x')")
        .await;
    let refused = bench
        .database
        .plant("synth_groups", "id", "grp_000000aa", &portable("x"))
        .await;
    assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
    // The session was rolled back and serves the next.
    assert_eq!(bench.database.status().size, 1);
    bench.lab.synth_groups.insert(&group("fine")).await.unwrap();
    assert_eq!(bench.rows("cutover.planted_rows").await, 0);
}
