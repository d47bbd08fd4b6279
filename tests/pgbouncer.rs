//! `prepared_statements = false` through a real PgBouncer that hands its sessions to others between transactions.
//!
//! The test is never skipped: without the program `pgbouncer` (Debian's package of that name; `tests/run` installs it)
//! it fails and says so.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must fail, and say why"
)]

use std::sync::Arc;
use std::time::Duration;

use cutover::wiring::SystemClock;
use cutover_domain::lab::synth_group::SynthGroup;
use cutover_domain::stored::StoredValue;
use cutover_domain::time::Timestamp;
use cutover_migrations::{Context, Down, MigrateError, Rows, Target};
use cutover_ports::diagnosis::Severity;
use cutover_ports::transfer::TransferError;
use cutover_ports::{KeyLock, KeyLocks, PageRequest, ReferredRows, StoreError};
use cutover_postgres::diagnosis::{Expectation, diagnose};
use cutover_postgres::transfer::verify::VerifyDatabase;
use cutover_postgres::{Database, PgServer, PoolSettings};
use cutover_tests::bouncer::Bouncer;
use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::store::postgres_target;

/// A pool on it, without prepared statements.
fn database(bouncer: &Bouncer, settings: &PoolSettings) -> Database {
    let settings = PoolSettings {
        prepared_statements: false,
        ..settings.clone()
    };
    Database::new(&PgServer::parse(&bouncer.url()).unwrap(), &settings).unwrap()
}

async fn server() -> TestServer {
    let server = TestServer::start(TestServerOptions::default()).await;
    let target = Target::Postgres(postgres_target(&server.url()));
    cutover_migrations::up(&target, &Context::LAB, None)
        .await
        .unwrap();
    server
}

fn group(task: usize, number: usize) -> SynthGroup {
    SynthGroup {
        id: format!("grp_a{task:03x}{number:04x}"),
        name: format!("{task}/{number}"),
        description: None,
        created_at: Timestamp::from_micros(1_700_000_000_000_000).unwrap().into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_tasks_over_three_sessions() {
    let server = server().await;
    let bouncer = Bouncer::start(&server, "transaction", 3).await;
    let database = database(
        &bouncer,
        &PoolSettings {
            size: 10,
            ..Default::default()
        },
    );
    let groups = cutover_postgres::lab::repositories(&database).synth_groups;
    let tasks = (0..20).map(|task| {
        let (groups, database) = (Arc::clone(&groups), database.clone());
        tokio::spawn(async move {
            for number in 0..15 {
                let made = group(task, number);
                groups.insert(&made).await.unwrap();
                assert_eq!(groups.get(&made.id).await.unwrap(), Some(made.clone()));
                assert!(matches!(groups.insert(&made).await, Err(StoreError::Conflict(_))));
                let page = groups.list(PageRequest { limit: 5, offset: 0 }).await.unwrap();
                assert_eq!(page.items.len(), usize::try_from(page.total.min(5)).unwrap());
                // Two statements and a COMMIT on one session.
                let key = format!("grp_ffff{task:02x}{number:02x}");
                let row = vec![
                    ("id".to_owned(), StoredValue::Text(key.clone())),
                    ("name".to_owned(), StoredValue::Text("planted".to_owned())),
                    (
                        "created_at".to_owned(),
                        StoredValue::Text("2026-01-02T03:04:05.000006+00:00".to_owned()),
                    ),
                ];
                database.plant("synth_groups", "id", &key, &row).await.unwrap();
                if number % 3 == 0 {
                    assert!(groups.delete(&made.id).await.unwrap());
                }
            }
        })
    });
    for task in futures_util::future::join_all(tasks).await {
        task.unwrap();
    }
    let client = server.connect().await;
    let count = |sql: &'static str| async { client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) };
    // Beside the default group: 20 × 10 that were kept and 20 × 15 planted.
    assert_eq!(count("SELECT count(*) FROM synth_groups").await, 1 + 200 + 300);
    assert_eq!(count("SELECT count(*) FROM cutover.planted_rows").await, 300);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND backend_type = 'client backend'";
    assert!(count(sessions).await <= 3 + 1, "the sessions were shared");
}

/// Whoever comes from elsewhere sees the locks, waits for them for a bounded time, and has them once they are let go.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_locked_through_the_pooler_and_past_it() {
    let server = server().await;
    let bouncer = Bouncer::start(&server, "transaction", 6).await;
    let settings = PoolSettings {
        size: 4,
        wait_timeout: Duration::from_millis(300),
        ..Default::default()
    };
    let direct = Database::new(&PgServer::parse(&server.url()).unwrap(), &settings).unwrap();
    let pooled = database(&bouncer, &settings);
    let key = |key: &str, exclusive| KeyLock {
        table: "experiments",
        key: key.to_owned(),
        exclusive,
    };
    let (shared, alone) = ([key("a", false), key("b", false)], [key("b", true)]);
    for (one, other) in [(&direct, &pooled), (&pooled, &direct)] {
        let together = (
            one.lock(&shared).await.unwrap(),
            other.lock(&shared).await.unwrap(),
        );
        let refused = one.lock(&alone).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        one.lock(&[key("c", true)]).await.map(drop).unwrap();
        drop(together);
        let held = other.lock(&alone).await.unwrap();
        let refused = one.lock(&shared).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        // A caller that goes away while it waits holds nothing.
        let waiting = tokio::time::timeout(Duration::from_millis(100), one.lock(&alone)).await;
        assert!(waiting.is_err(), "{waiting:?}");
        drop(held);
        one.lock(&alone).await.map(drop).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_does_not_hurt_the_pooler() {
    let server = server().await;
    server
        .execute(
            "CREATE FUNCTION take_a_while() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(6); RETURN NEW; END $$;
            CREATE TRIGGER slow BEFORE INSERT ON synth_groups FOR EACH ROW WHEN (NEW.name = '0/1')
                EXECUTE FUNCTION take_a_while();",
        )
        .await;
    let bouncer = Bouncer::start(&server, "transaction", 3).await;
    let settings = PoolSettings {
        size: 4,
        statement_timeout: Duration::from_millis(1500),
        ..Default::default()
    };
    let database = database(&bouncer, &settings);
    let groups = cutover_postgres::lab::repositories(&database).synth_groups;
    for _ in 0..4 {
        // Nobody tells the server to stop here, so what became of it is not known.
        let late = groups.insert(&group(0, 1)).await;
        assert!(matches!(late, Err(StoreError::Indeterminate(_))), "{late:?}");
        groups.get("x").await.unwrap();
    }
    // In a transaction the server knows the limit, and the outcome is certain.
    let row = vec![
        ("id".to_owned(), StoredValue::Text("grp_000000ff".to_owned())),
        ("name".to_owned(), StoredValue::Text("0/1".to_owned())),
        (
            "created_at".to_owned(),
            StoredValue::Text("2026-01-02T03:04:05.000006+00:00".to_owned()),
        ),
    ];
    let planted = database.plant("synth_groups", "id", "grp_000000ff", &row).await;
    assert!(matches!(planted, Err(StoreError::Unavailable(_))), "{planted:?}");
    // And no setting of ours stays behind in a session that others get.
    let client = tokio_postgres::connect(&bouncer.url(), tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(client.1);
    for _ in 0..6 {
        let shown = client.0.simple_query("SHOW statement_timeout").await.unwrap();
        let text = format!("{shown:?}");
        assert!(!text.contains("1500ms"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_prepared_statements_on_the_refusal_says_what_to_do() {
    let server = server().await;
    let bouncer = Bouncer::start(&server, "transaction", 3).await;
    let database = Database::new(
        &PgServer::parse(&bouncer.url()).unwrap(),
        &PoolSettings::default(),
    )
    .unwrap();
    let error = database.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("set postgres.prepared_statements = false"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_refuses_settings_is_found_once_and_nothing_but_that() {
    let server = server().await;
    for mode in ["transaction", "session"] {
        let bouncer = Bouncer::start(&server, mode, 3).await;
        let expectation = Expectation {
            pool: &PoolSettings::default(),
            tables: &[],
        };
        let through = PgServer::parse(&bouncer.url()).unwrap();
        let findings = diagnose(&through, &expectation, &SystemClock).await;
        let problems = findings
            .iter()
            .filter(|finding| finding.severity >= Severity::Problem);
        let problems: Vec<&str> = problems.map(|finding| finding.text.as_str()).collect();
        assert_eq!(
            problems,
            [
                "a pooler such as PgBouncer stands before the server and refuses the settings of a direct session, but prepared statements are on"
            ]
        );
    }
}

/// What is read, too, needs one session from the first table to the last.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_through_a_shared_session_is_refused_as_what_it_is() {
    let server = server().await;
    let bouncer = Bouncer::start(&server, "transaction", 3).await;
    let through = PgServer::parse(&bouncer.url()).unwrap();
    let error = VerifyDatabase::open(&through, None, 1).await.err().unwrap();
    assert!(matches!(error, TransferError::Refused(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("no lock and no snapshot holds"), "{text}");
    assert!(!text.contains("copy"), "{text}");
}

/// The lock of a migration would stay behind in a session of the pooler's, and nobody could migrate any more.
#[tokio::test(flavor = "multi_thread")]
async fn migrations_want_the_server_itself() {
    let server = server().await;
    // With one session, a question on another connection would wait for ever.
    for (mode, sessions) in [("transaction", 3), ("transaction", 1), ("session", 3)] {
        let bouncer = Bouncer::start(&server, mode, sessions).await;
        let mut through = postgres_target(&bouncer.url());
        through.connect_timeout = Duration::from_secs(2);
        let through = Target::Postgres(through);
        let up = cutover_migrations::up(&through, &Context::WRITER, None).await;
        let down = cutover_migrations::down(&through, &Context::WRITER, Down::To(0), Rows::Keep).await;
        let check = cutover_migrations::check(&through, &Context::LAB).await;
        let outcomes = [up.map(drop), down.map(drop), check.map(drop)];
        if mode == "session" {
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
            continue;
        }
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert!(matches!(error, MigrateError::Refused(_)), "{error:?}");
            for part in [
                "pool_mode = transaction",
                "through which no migration is safe",
                "pool_mode = session",
            ] {
                assert!(error.to_string().contains(part), "{part} is missing in {error}");
            }
        }
        let client = server.connect().await;
        let left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
        assert_eq!(client.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 0);
    }
}
