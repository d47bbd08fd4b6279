//! Migrating PostgreSQL databases. SQLite files are migrated in the tests of `migrations/` itself.
#![cfg(feature = "postgres")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail, and say why"
)]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cutover_migrations::{
    Context, Dialect, Direction, Down, Drift, Endpoint, MigrateError, Rows, Script, State, Target, Version,
    check, down, sql, status, up,
};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::store::postgres_target;

struct Lab {
    database: TestDatabase,
    target: Target,
}

async fn empty() -> Lab {
    let database = TestDatabase::create().await;
    let target = Target::Postgres(postgres_target(&database.url()));
    Lab { database, target }
}

async fn migrated() -> Lab {
    let lab = empty().await;
    up(&lab.target, &Context::LAB, None).await.unwrap();
    lab
}

impl Lab {
    async fn run(&self, sql: &str) {
        let client = self.database.connect().await;
        if let Err(error) = client.batch_execute(sql).await {
            panic!("{sql}: {error:?}");
        }
    }

    /// The first column of every row, as text.
    async fn column(&self, sql: &str) -> Vec<String> {
        let client = self.database.connect().await;
        let rows = client.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Everything that exists, by the eyes of the catalogs.
    async fn objects(&self) -> Vec<String> {
        self.column(
            "SELECT format('%s.%s %s', n.nspname, c.relname, c.relkind) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1",
        )
        .await
    }

    async fn drift(&self) -> Drift {
        check(&self.target, &Context::LAB).await.unwrap()
    }

    /// Runs SQL with the program that people run it with.
    fn psql(&self, sql: &str) {
        let mut program = Command::new("psql")
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &self.database.url()])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program psql must be installed (Debian: apt-get install postgresql-client)");
        program.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = program.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[track_caller]
fn no_drift(drift: &Drift, version: i64) {
    assert_eq!(drift.differences, [], "at version {version}");
    assert_eq!((drift.version, &drift.weakened[..]), (version, &[][..]));
}

async fn states(target: &Target, context: &Context) -> Vec<State> {
    let status = status(target, context).await.unwrap();
    status.versions.iter().map(|version| version.state).collect()
}

// --- up and down -----------------------------------------------------------------------------------------------------

#[tokio::test]
async fn up_makes_the_schema_and_once_is_enough() {
    let lab = empty().await;
    assert_eq!(states(&lab.target, &Context::LAB).await, [State::Pending; 2]);
    let began = Instant::now();
    let first = up(&lab.target, &Context::LAB, None).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(
        first.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [1, 2]
    );
    assert!(first.steps.iter().all(|step| step.direction == Direction::Up));
    assert!(
        up(&lab.target, &Context::LAB, None)
            .await
            .unwrap()
            .steps
            .is_empty()
    );
    assert_eq!(states(&lab.target, &Context::LAB).await, [State::Applied; 2]);
    let groups =
        "SELECT concat_ws('|', id, name, description, created_at AT TIME ZONE 'UTC') FROM synth_groups";
    assert_eq!(
        lab.column(groups).await,
        ["grp_00000001|Default|Grupo padrão para synths sem grupo específico|2026-01-01 00:00:00"]
    );
    let runs = "SELECT concat_ws('|', version, name, direction, outcome) FROM cutover.migrations_lab_runs ORDER BY run";
    assert_eq!(
        lab.column(runs).await,
        ["1|initial|up|done", "2|growth_indexes|up|done"]
    );
}

#[tokio::test]
async fn tables_without_a_history_are_named_and_stay_as_they_are() {
    for (context, table) in [
        (Context::LAB, "analysis_cache"),
        (Context::WRITER, "conversations"),
        (Context::MARKET, "ai_predictions"),
    ] {
        let lab = empty().await;
        lab.run("CREATE TABLE of_somebody_else (id bigint)").await;
        // Other tables are in nobody's way.
        up(&lab.target, &context, None).await.unwrap();
        lab.run("DROP SCHEMA cutover CASCADE").await;
        let before = lab.objects().await;
        let error = up(&lab.target, &context, None).await.unwrap_err();
        assert!(matches!(error, MigrateError::Refused(_)), "{error}");
        let said = error.to_string();
        let named = format!(
            "has tables of the schema {} without a history of migrations: {table}, ",
            context.name
        );
        assert!(said.contains(&named), "{said}");
        assert!(!said.contains("of_somebody_else"), "{said}");
        assert_eq!(lab.objects().await, before);
    }
}

#[tokio::test]
async fn the_schema_is_the_labs_with_richer_types() {
    let lab = migrated().await;
    let tables = "SELECT CAST(count(*) AS text) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(lab.column(tables).await, ["18"]);
    let types = "SELECT DISTINCT format_type(atttypid, atttypmod) || coalesce(' ' || CAST(collname AS text), '') FROM pg_attribute a \
                 LEFT JOIN pg_collation l ON l.oid = attcollation \
                 JOIN pg_class c ON c.oid = attrelid WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
                 AND attnum > 0 ORDER BY 1";
    assert_eq!(
        lab.column(types).await,
        [
            "bigint",
            "double precision",
            "jsonb",
            "text C",
            "timestamp with time zone"
        ]
    );
    let actions =
        "SELECT format('%s %s', conname, confdeltype) FROM pg_constraint WHERE contype = 'f' ORDER BY 1";
    assert_eq!(
        lab.column(actions).await,
        [
            "analysis_cache_analysis_id_fkey c",
            "analysis_runs_experiment_id_fkey c",
            "experiment_documents_experiment_id_fkey c",
            "explorations_baseline_analysis_id_fkey a",
            "explorations_experiment_id_fkey a",
            "feature_scorecards_experiment_id_fkey a",
            "interview_guide_experiment_id_fkey c",
            "region_analyses_simulation_id_fkey a",
            "research_executions_experiment_id_fkey n",
            "scenario_nodes_exploration_id_fkey c",
            "scenario_nodes_parent_id_fkey a",
            "sensitivity_results_simulation_id_fkey a",
            "simulation_runs_scorecard_id_fkey a",
            "synth_outcomes_analysis_id_fkey c",
            "synths_synth_group_id_fkey n",
            "transcripts_exec_id_fkey c",
        ]
    );
    // Keys that old files do not have may be missing here too, and any number of times.
    lab.run(
        "INSERT INTO research_executions (exec_id, topic_name, started_at) VALUES ('e', 't', now());
         INSERT INTO transcripts (exec_id, synth_id, synth_name, timestamp) VALUES ('e', 'a', '', now()), ('e', 'b', '', now())",
    )
    .await;
    let client = lab.database.connect().await;
    for (id, fits) in [
        ("expl_0123abcd", true),
        ("expl_0123ABCD", false),
        ("expl_0123abcde", false),
        ("xpl_0123abcd", false),
    ] {
        let sql = "INSERT INTO explorations (id, experiment_id, baseline_analysis_id, goal, config, started_at) \
                   VALUES ($1, 'no', 'no', '{}', '{}', now())";
        let error = client.execute(sql, &[&id]).await.unwrap_err();
        let constraint = error.as_db_error().unwrap().constraint().unwrap().to_owned();
        assert_eq!(constraint == "explorations_id_check", !fits, "{id}: {constraint}");
    }
}

#[tokio::test]
async fn every_version_goes_up_and_down_again() {
    let lab = empty().await;
    for version in [1, 2] {
        up(&lab.target, &Context::LAB, Some(version)).await.unwrap();
        no_drift(&lab.drift().await, version);
    }
    let head = lab.objects().await;
    lab.run("CREATE TABLE mine (a int); INSERT INTO mine VALUES (1), (2)")
        .await;
    for version in [1, 0] {
        let outcome = down(&lab.target, &Context::LAB, Down::Steps(1), Rows::Keep)
            .await
            .unwrap();
        assert_eq!((outcome.version, outcome.steps.len()), (version, 1));
        no_drift(&lab.drift().await, version);
    }
    let left = "SELECT CAST(tablename AS text) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(lab.column(left).await, ["mine"]);
    assert_eq!(
        lab.column("SELECT CAST(a AS text) FROM mine ORDER BY 1").await,
        ["1", "2"]
    );
    lab.run("DROP TABLE mine").await;
    up(&lab.target, &Context::LAB, None).await.unwrap();
    assert_eq!(lab.objects().await, head);
}

#[tokio::test]
async fn conversations_and_messages_are_numbered_from_where_the_old_ones_end() {
    let lab = empty().await;
    up(&lab.target, &Context::WRITER, Some(1)).await.unwrap();
    let first = lab.objects().await;
    lab.run(
        "INSERT INTO conversations (id, title, created_at) VALUES
            ('d', 't', '2026-01-02'), ('c', 't', '2026-01-01'), ('b', 't', NULL), ('a', 't', '2026-01-01');
        INSERT INTO messages (id, conversation_id, role, content, created_at) VALUES
            ('m1', 'a', 'user', 'c', '2026-01-02'), ('m2', 'a', 'user', 'c', NULL)",
    )
    .await;
    up(&lab.target, &Context::WRITER, None).await.unwrap();
    lab.run(
        "INSERT INTO conversations (id, title) VALUES ('0', 't');
        INSERT INTO messages (id, conversation_id, role, content) VALUES ('m0', '0', 'user', 'c')",
    )
    .await;
    let numbered = |table: &str| format!("SELECT concat(position, id) FROM {table} ORDER BY position, id");
    let conversations = lab.column(&numbered("conversations")).await;
    assert_eq!(conversations, ["1b", "2a", "3c", "4d", "50"]);
    let messages = lab.column(&numbered("messages")).await;
    assert_eq!(messages, ["1m2", "2m1", "3m0"]);
    let drift = check(&lab.target, &Context::WRITER).await.unwrap();
    no_drift(&drift, 2);
    down(&lab.target, &Context::WRITER, Down::Steps(1), Rows::Discard)
        .await
        .unwrap();
    assert_eq!(lab.objects().await, first);
    // And up again, with rows and without.
    up(&lab.target, &Context::WRITER, None).await.unwrap();
    lab.run("DELETE FROM conversations WHERE id <> '0'").await;
    down(&lab.target, &Context::WRITER, Down::Steps(1), Rows::Discard)
        .await
        .unwrap();
    lab.run("DELETE FROM conversations").await;
    up(&lab.target, &Context::WRITER, None).await.unwrap();
    lab.run("INSERT INTO conversations (id, title) VALUES ('z', 't')")
        .await;
    assert_eq!(lab.column(&numbered("conversations")).await, ["1z"]);
}

#[tokio::test]
async fn down_keeps_rows_unless_told_otherwise() {
    let lab = migrated().await;
    lab.run(
        "INSERT INTO experiments (id, name, hypothesis, created_at) VALUES ('exp_00000001', 'n', 'h', now())",
    )
    .await;
    let error = down(&lab.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap_err();
    assert!(matches!(error, MigrateError::Refused(_)));
    assert!(error.to_string().contains("experiments (1)"), "{error}");
    assert_eq!(states(&lab.target, &Context::LAB).await, [State::Applied; 2]);
    lab.run("CREATE VIEW mine AS SELECT id FROM experiments").await;
    let error = down(&lab.target, &Context::LAB, Down::To(0), Rows::Discard)
        .await
        .unwrap_err();
    assert!(
        matches!(error, MigrateError::Refused(_)),
        "a view stands in the way: {error}"
    );
    assert_eq!(lab.column("SELECT id FROM mine").await, ["exp_00000001"]);
    lab.run("DROP VIEW mine; CREATE TABLE mine (e text REFERENCES experiments)")
        .await;
    let error = down(&lab.target, &Context::LAB, Down::To(0), Rows::Discard)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("mine"), "{error}");
    lab.run("DROP TABLE mine").await;
    down(&lab.target, &Context::LAB, Down::To(0), Rows::Discard)
        .await
        .unwrap();
    no_drift(&lab.drift().await, 0);
}

#[tokio::test]
async fn runs_at_once_wait_for_each_other() {
    let lab = empty().await;
    let runs: Vec<_> = (0..6)
        .map(|_| {
            let target = lab.target.clone();
            tokio::spawn(async move { up(&target, &Context::LAB, None).await.unwrap().steps.len() })
        })
        .collect();
    let mut scripts = Vec::new();
    for run in runs {
        scripts.push(run.await.unwrap());
    }
    scripts.sort_unstable();
    assert_eq!(scripts, [0, 0, 0, 0, 0, 2]);
}

#[tokio::test]
async fn the_printed_sql_does_what_up_and_down_do() {
    let (printed, run) = (empty().await, migrated().await);
    printed.psql(&sql(&Context::LAB, Dialect::Postgres, 0, 2).unwrap());
    assert_eq!(printed.objects().await, run.objects().await);
    no_drift(&printed.drift().await, 2);
    assert!(
        up(&printed.target, &Context::LAB, None)
            .await
            .unwrap()
            .steps
            .is_empty()
    );
    printed.psql(&sql(&Context::LAB, Dialect::Postgres, 2, 1).unwrap());
    no_drift(&printed.drift().await, 1);
    printed.psql(&sql(&Context::LAB, Dialect::Postgres, 1, 2).unwrap());
    down(&printed.target, &Context::LAB, Down::To(0), Rows::Keep)
        .await
        .unwrap();
    no_drift(&printed.drift().await, 0);
    printed.psql(&sql(&Context::LAB, Dialect::Postgres, 0, 1).unwrap());
    printed.psql(&sql(&Context::LAB, Dialect::Postgres, 1, 0).unwrap());
    no_drift(&printed.drift().await, 0);
}

// --- edited, killed, unreachable -------------------------------------------------------------------------------------

/// A schema of three versions whose second one has this script.
fn three(second: &'static str) -> Context {
    let version = |number, name, up, down| Version {
        number,
        name,
        sqlite: Script { up, down },
        postgres: Script { up, down },
    };
    let versions = vec![
        version(1, "one", "CREATE TABLE one (a int);", "DROP TABLE IF EXISTS one;"),
        version(
            2,
            "two",
            second,
            "DROP TABLE IF EXISTS two; DROP TABLE IF EXISTS half;",
        ),
        version(
            3,
            "three",
            "CREATE TABLE three (a int);",
            "DROP TABLE IF EXISTS three;",
        ),
    ];
    Context {
        name: "test",
        versions: versions.leak(),
        seeds: &[],
        legacy: false,
    }
}

const QUICK: &str = "CREATE TABLE two (a int);";
const SLOW: &str = "CREATE TABLE two (a int); SELECT pg_sleep(600);";
/// Keeps the first half of its work when it is killed.
const SLOW_ALONE: &str = "-- no-transaction\nBEGIN; CREATE TABLE half (a int); COMMIT; SELECT pg_sleep(600);";
const QUICK_ALONE: &str =
    "-- no-transaction\nBEGIN; CREATE TABLE half (a int); COMMIT; CREATE TABLE two (a int);";

#[tokio::test]
async fn an_edited_script_is_refused() {
    let lab = empty().await;
    up(&lab.target, &three(QUICK), Some(2)).await.unwrap();
    let mut edited_down = three(QUICK);
    let mut versions = edited_down.versions.to_vec();
    versions[1].postgres.down = "DROP TABLE two;";
    edited_down.versions = versions.leak();
    let edited_up = three("CREATE TABLE two (a bigint);");
    for (context, file) in [(edited_up, "0002_two.up.sql"), (edited_down, "0002_two.down.sql")] {
        for error in [
            up(&lab.target, &context, None).await.unwrap_err(),
            down(&lab.target, &context, Down::Steps(1), Rows::Keep)
                .await
                .unwrap_err(),
        ] {
            assert!(matches!(error, MigrateError::Refused(_)), "{error}");
            assert!(error.to_string().contains(file), "{error}");
        }
        assert_eq!(
            states(&lab.target, &context).await,
            [State::Applied, State::Edited, State::Pending]
        );
    }
    assert_eq!(up(&lab.target, &three(QUICK), None).await.unwrap().version, 3);
}

/// Where transactions are serializable by default, the server may undo one for what others have read.
#[tokio::test]
async fn the_isolation_that_a_database_has_for_its_programs_is_not_that_of_scripts() {
    let lab = empty().await;
    lab.run(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$",
    )
    .await;
    let script = "CREATE TABLE two AS SELECT current_setting('transaction_isolation') AS level;";
    up(&lab.target, &three(script), None).await.unwrap();
    assert_eq!(lab.column("SELECT level FROM two").await, ["read committed"]);
}

#[tokio::test]
async fn a_failing_script_leaves_nothing_and_says_why() {
    let lab = empty().await;
    let error = up(&lab.target, &three("CREATE TABLE two (a int); SELECT 1/0;"), None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "version 2 (two) of the schema test could not go up: division by zero"
    );
    let mut seen = status(&lab.target, &three(QUICK)).await.unwrap();
    // The server takes its time to notice that the connection is gone, and the lock with it.
    for _ in 0..200 {
        if !seen.running {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen = status(&lab.target, &three(QUICK)).await.unwrap();
    }
    assert!(!seen.running, "a failed run holds no lock");
    assert_eq!((seen.current, seen.versions[1].state), (1, State::Failed));
    assert_eq!(up(&lab.target, &three(QUICK), None).await.unwrap().version, 3);
}

/// What the killed child runs. Without the variables it does nothing.
#[tokio::test]
async fn child() {
    let (Ok(url), Ok(script)) = (
        std::env::var("CUTOVER_TEST_CHILD_URL"),
        std::env::var("CUTOVER_TEST_CHILD_SCRIPT"),
    ) else {
        return;
    };
    let target = Target::Postgres(postgres_target(&url));
    up(&target, &three(script.leak()), None).await.unwrap();
}

/// Starts a migration in another process and kills it in the middle of its second version.
async fn killed_half_way(lab: &Lab, script: &'static str) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("CUTOVER_TEST_CHILD_URL", lab.database.url())
        .env("CUTOVER_TEST_CHILD_SCRIPT", script)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let context = three(script);
    let sleeping = "SELECT CAST(pid AS text) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    for attempt in 0.. {
        assert!(attempt < 600, "the second version never began");
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !lab.column(sleeping).await.is_empty() {
            break;
        }
    }
    let seen = status(&lab.target, &context).await.unwrap();
    assert!(seen.running, "while it runs, it is shown as running");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        states(&lab.target, &context).await,
        [State::Applied, State::Interrupted, State::Pending]
    );
}

#[tokio::test]
async fn a_killed_run_is_shown_and_goes_on() {
    let lab = empty().await;
    killed_half_way(&lab, SLOW).await;
    // The server notices by itself that nobody waits for its work any more.
    let outcome = up(&lab.target, &three(QUICK), None).await.unwrap();
    assert_eq!(
        outcome.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [2, 3]
    );
    assert_eq!(states(&lab.target, &three(QUICK)).await, [State::Applied; 3]);
    assert_eq!(check(&lab.target, &three(QUICK)).await.unwrap().differences, []);
}

#[tokio::test]
async fn a_killed_run_is_undone() {
    let lab = empty().await;
    killed_half_way(&lab, SLOW).await;
    let outcome = down(&lab.target, &three(QUICK), Down::Steps(1), Rows::Keep)
        .await
        .unwrap();
    assert_eq!(
        outcome.steps.iter().map(|step| step.version).collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(
        states(&lab.target, &three(QUICK)).await,
        [State::Applied, State::Pending, State::Pending]
    );
}

#[tokio::test]
async fn a_run_that_was_killed_outside_of_a_transaction_goes_on_or_is_undone() {
    let half = "SELECT CAST(tablename AS text) FROM pg_tables WHERE tablename = 'half'";
    for undone in [true, false] {
        let lab = empty().await;
        killed_half_way(&lab, SLOW_ALONE).await;
        assert_eq!(lab.column(half).await, ["half"], "half of it is there");
        if undone {
            down(&lab.target, &three(QUICK_ALONE), Down::To(1), Rows::Keep)
                .await
                .unwrap();
            assert_eq!(lab.column(half).await, Vec::<String>::new());
        } else {
            up(&lab.target, &three(QUICK_ALONE), None).await.unwrap();
            assert_eq!(
                states(&lab.target, &three(QUICK_ALONE)).await,
                [State::Applied; 3]
            );
        }
    }
}

#[tokio::test]
async fn a_table_that_somebody_uses_is_not_waited_for_forever() {
    let lab = empty().await;
    up(&lab.target, &Context::LAB, Some(1)).await.unwrap();
    let client = lab.database.connect().await;
    client
        .batch_execute("BEGIN; LOCK TABLE experiments")
        .await
        .unwrap();
    let mut hasty = postgres_target(&lab.database.url());
    hasty.lock_timeout = Duration::from_millis(200);
    let hasty = Target::Postgres(hasty);
    let error = up(&hasty, &Context::LAB, None).await.unwrap_err();
    assert!(matches!(error, MigrateError::Unreachable(_)));
    assert!(
        error.to_string().contains("has held its lock for too long"),
        "{error}"
    );
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(up(&hasty, &Context::LAB, None).await.unwrap().steps.len(), 1);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_told_in_time_and_without_the_password() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let lab = empty().await;
    let reachable = postgres_target(&lab.database.url());
    let mut targets = Vec::new();
    for (host, port) in [
        ("127.0.0.1", silent.local_addr().unwrap().port()),
        ("127.0.0.1", closed),
        ("/nowhere", 5432),
    ] {
        let mut target = reachable.clone();
        target.endpoints = vec![Endpoint {
            host: host.to_owned(),
            port,
        }];
        targets.push(target);
    }
    for change in [
        |target: &mut cutover_migrations::PostgresTarget| target.database = "nosuch".to_owned(),
        |target: &mut cutover_migrations::PostgresTarget| target.user = "nosuch".to_owned(),
    ] {
        let mut target = reachable.clone();
        change(&mut target);
        targets.push(target);
    }
    for mut target in targets {
        target.password = Some("hunter2".to_owned());
        target.connect_timeout = Duration::from_secs(2);
        let began = Instant::now();
        let error = up(&Target::Postgres(target.clone()), &Context::LAB, None)
            .await
            .unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(matches!(error, MigrateError::Unreachable(_)), "{error}");
        assert!(error.to_string().contains(&target.endpoints[0].host), "{error}");
        for shown in [error.to_string(), format!("{error:?}"), format!("{target:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

// --- drift -----------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn drift_is_found_whatever_it_is() {
    let changes = [
        (
            "DROP TABLE region_analyses",
            "region_analyses",
            "the table is missing",
        ),
        (
            "ALTER TABLE synths DROP COLUMN descricao",
            "descricao",
            "the column is missing",
        ),
        (
            "ALTER TABLE synths ALTER descricao TYPE varchar(20)",
            "descricao",
            "character varying(20)",
        ),
        (
            "ALTER TABLE synths ALTER descricao TYPE text COLLATE \"POSIX\"",
            "descricao",
            "COLLATE POSIX",
        ),
        (
            "ALTER TABLE synths ALTER descricao SET NOT NULL",
            "descricao",
            "NULL is not allowed",
        ),
        (
            "ALTER TABLE synths ALTER nome DROP NOT NULL",
            "nome",
            "NULL is allowed",
        ),
        (
            "ALTER TABLE synths ALTER version SET DEFAULT '3'",
            "version",
            "the default is '3'::text",
        ),
        (
            "ALTER TABLE synths ALTER version DROP DEFAULT",
            "version",
            "the default is none",
        ),
        (
            "ALTER TABLE synths ADD extra int NOT NULL",
            "extra",
            "nothing can be inserted",
        ),
        (
            "ALTER TABLE synths ENABLE ROW LEVEL SECURITY",
            "synths",
            "row security",
        ),
        (
            "ALTER TABLE synths DROP CONSTRAINT synths_pkey CASCADE",
            "PRIMARY KEY (id)",
            "missing",
        ),
        (
            "ALTER TABLE synths RENAME CONSTRAINT synths_pkey TO pk",
            "PRIMARY KEY (id)",
            "is named pk, not synths_pkey",
        ),
        (
            "ALTER TABLE synths DROP CONSTRAINT synths_synth_group_id_fkey",
            "FOREIGN KEY (synth_group_id)",
            "missing",
        ),
        (
            "ALTER TABLE synths DROP CONSTRAINT synths_synth_group_id_fkey; \
             ALTER TABLE synths ADD CONSTRAINT synths_synth_group_id_fkey FOREIGN KEY (synth_group_id) REFERENCES synth_groups",
            "FOREIGN KEY (synth_group_id) REFERENCES synth_groups(id)",
            "additional constraint",
        ),
        (
            "ALTER TABLE experiments DROP CONSTRAINT experiments_name_check",
            "char_length(name) <= 100",
            "missing",
        ),
        (
            "ALTER TABLE experiments ADD CHECK (name <> '')",
            "name <> ''",
            "additional constraint",
        ),
        (
            "ALTER TABLE experiments ADD UNIQUE (name)",
            "UNIQUE (name)",
            "additional constraint",
        ),
        (
            "DROP INDEX idx_synths_created_at; CREATE INDEX idx_synths_created_at ON synths (created_at)",
            "idx_synths_created_at",
            "DESC",
        ),
        (
            "DROP INDEX idx_synths_nome; CREATE INDEX idx_synths_nome ON synths (nome) WHERE nome > 'a'",
            "idx_synths_nome",
            "WHERE",
        ),
        (
            "DROP INDEX idx_synths_nome",
            "idx_synths_nome",
            "the index is missing",
        ),
        (
            "CREATE INDEX more ON synths (lower(nome))",
            "more",
            "additional index",
        ),
    ];
    for (change, object, what) in changes {
        let lab = cutover_tests::store::lab_database().await;
        let target = Target::Postgres(postgres_target(&lab.url()));
        lab.connect().await.batch_execute(change).await.unwrap();
        let drift = check(&target, &Context::LAB).await.unwrap();
        let found = drift.differences.iter().any(|difference| {
            let on = difference.object.as_ref().unwrap_or(&difference.table);
            on.contains(object) && difference.what.contains(what)
        });
        assert!(found, "{change}: {:?}", drift.differences);
    }
}

#[tokio::test]
async fn what_a_copy_leaves_is_no_drift() {
    let lab = migrated().await;
    // The other contexts' tables stand beside the lab's.
    for context in Context::ALL {
        up(&lab.target, context, None).await.unwrap();
    }
    lab.run(
        "CREATE TABLE assumption_log (id text);
         ALTER TABLE synths ADD COLUMN more text;
         ALTER TABLE synths ADD CONSTRAINT more_check CHECK (more <> '');
         ALTER TABLE synths DROP CONSTRAINT synths_synth_group_id_fkey;
         INSERT INTO synths (id, synth_group_id, nome, created_at) VALUES ('abc123', 'gone', 'n', now());
         ALTER TABLE synths ADD CONSTRAINT synths_synth_group_id_fkey FOREIGN KEY (synth_group_id)
             REFERENCES synth_groups (id) ON DELETE SET NULL NOT VALID",
    )
    .await;
    let drift = lab.drift().await;
    assert_eq!(drift.differences, []);
    assert_eq!(drift.weakened.len(), 1);
    assert_eq!(
        drift.weakened[0].object.as_deref(),
        Some("FOREIGN KEY (synth_group_id) REFERENCES synth_groups(id) ON DELETE SET NULL")
    );
    let notes: Vec<&str> = drift.notes.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(
        notes,
        [
            "an additional column",
            "an additional constraint on an additional column",
            "an additional table"
        ]
    );
}

#[tokio::test]
async fn looking_needs_few_rights_and_leaves_nothing() {
    let lab = migrated().await;
    let objects = lab.objects().await;
    let role = format!("reader_of_{}", lab.database.name());
    lab.run(&format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA cutover TO {role};
         GRANT SELECT ON ALL TABLES IN SCHEMA cutover, public TO {role}"
    ))
    .await;
    let mut target = postgres_target(&lab.database.url());
    target.user.clone_from(&role);
    let target = Target::Postgres(target);
    assert_eq!(states(&target, &Context::LAB).await, [State::Applied; 2]);
    no_drift(&check(&target, &Context::LAB).await.unwrap(), 2);
    let error = down(&target, &Context::LAB, Down::To(1), Rows::Keep)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
    assert_eq!(lab.objects().await, objects);
    lab.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}
