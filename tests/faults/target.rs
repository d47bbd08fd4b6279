//! A target that refuses, runs full, goes away, is set up oddly, or is no session of its own: one clear sentence, the right exit code,
//! and nothing half-done that is not told.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use cutover::config::DatabaseUrl;
use cutover::wiring::transfer::{Access, source, target};
use cutover_domain::secret::Secret;
use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{Scope, plan};
use cutover_domain::transfer::schema::Schema;
use cutover_ports::transfer::{
    Care, LoadPart, Position, RunStart, Scan, TableLoader, TransferError, TransferSource,
};
use cutover_tests::bouncer::Bouncer;
use cutover_tests::postgres::{TestDatabase, TestServer, TestServerOptions};
use cutover_tests::rusqlite::Connection;
use cutover_tests::tokio_postgres::{self, Client, NoTls};

use crate::compare::{Contents, differences};
use crate::program::Ended;

const FILE: &str = r"
    CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT DEFAULT 'a\b''c', n INTEGER, at DATETIME, b BLOB);
    INSERT INTO t SELECT i, 'back\slash ''quote'' ' || i, i % 7, datetime(1600000000 + i, 'unixepoch'), x'00ff5c27'
    FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 20000) SELECT i FROM r);
    CREATE INDEX by_word ON t (word, n);
    CREATE TABLE u (id INTEGER PRIMARY KEY, t INTEGER REFERENCES t);
    INSERT INTO u SELECT id, id FROM t WHERE id < 100;";

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Connection::open(directory.path().join("source.db"))
            .unwrap()
            .execute_batch(&format!("BEGIN; {FILE}; COMMIT"))
            .unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        crate::run(self.directory.path(), arguments).await
    }

    async fn copy(&self, url: &str) -> Ended {
        self.run(&["copy", "source.db", url, "--quiet", "--json"]).await
    }

    /// Verified, brought back, and the same file.
    async fn is_whole(&self, url: &str) {
        self.run(&["verify", "source.db", url]).await.with(0, "verify");
        let back = self.path("back.db");
        std::fs::remove_file(&back).unwrap_or_default();
        self.run(&["copy", url, "back.db", "--quiet"])
            .await
            .with(0, "back");
        let (source, back) = (Contents::read(&self.path("source.db")), Contents::read(&back));
        assert_eq!(differences(&source, &back), [] as [String; 0]);
    }
}

/// Ended with this code, with one sentence that says all of `naming`, and which is all that the document has to say.
#[track_caller]
fn told(ended: &Ended, code: i32, naming: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{ended:?}");
    if !ended.stdout.is_empty() {
        let said = ended.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(ended.stderr.trim_end(), format!("cutover: {said}"));
    }
    for name in naming {
        assert!(ended.stderr.contains(name), "{name}: {ended:?}");
    }
}

async fn tables(client: &Client) -> i64 {
    let sql = "SELECT count(*) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
               WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The database as `role` sees it.
fn as_role(url: &str, role: &str) -> String {
    url.replacen("postgres@", &format!("{role}@"), 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_rights_is_told_which_and_nothing_is_there() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    let client = server.connect().await;
    client
        .batch_execute(
            "CREATE ROLE weak LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;
             CREATE ROLE half LOGIN; GRANT CREATE ON SCHEMA public TO half;
             CREATE ROLE other LOGIN; GRANT CREATE ON DATABASE postgres TO other;
             CREATE ROLE reader LOGIN IN ROLE pg_read_all_data; ALTER ROLE reader SET default_transaction_read_only = on",
        )
        .await
        .unwrap();
    for (role, code, naming) in [
        ("weak", 4, "permission denied"),
        ("half", 4, "permission denied for database"),
        ("other", 4, "permission denied for schema public"),
        ("reader", 4, "takes no writes"),
        ("nobody", 3, "does not exist"),
    ] {
        let ended = place.copy(&as_role(&server.url(), role)).await;
        told(&ended, code, &[naming]);
        assert_eq!(tables(&client).await, 0, "{role}");
    }
    // Rights enough to look, not to write.
    client
        .batch_execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, word text, n bigint, at timestamp, b bytea); CREATE TABLE u (id bigint PRIMARY KEY, t bigint);
             GRANT SELECT ON t, u TO weak",
        )
        .await
        .unwrap();
    let url = as_role(&server.url(), "weak");
    let ended = place
        .run(&["copy", "source.db", &url, "--quiet", "--json", "--data-only"])
        .await;
    told(&ended, 4, &["permission denied", "run this as the owner"]);
    assert_eq!(tables(&client).await, 4, "two tables and their keys");
    let rows: i64 = client
        .query_one("SELECT count(*) FROM t", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_has_set_for_its_programs_neither_ends_nor_changes_a_copy() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    server
        .execute(
            "CREATE ROLE odd LOGIN; GRANT ALL ON SCHEMA public TO odd; GRANT CREATE ON DATABASE postgres TO odd;
             ALTER ROLE odd SET statement_timeout = '1ms'; ALTER ROLE odd SET idle_in_transaction_session_timeout = '30ms';
             ALTER ROLE odd SET lock_timeout = '1ms'; ALTER ROLE odd SET standard_conforming_strings = off;
             ALTER ROLE odd SET escape_string_warning = on; ALTER ROLE odd SET bytea_output = escape; ALTER ROLE odd SET extra_float_digits = -15;
             ALTER ROLE odd SET client_encoding = 'LATIN1'; ALTER ROLE odd SET DateStyle = 'German, DMY'; ALTER ROLE odd SET TimeZone = 'Asia/Kolkata';
             ALTER ROLE odd SET IntervalStyle = sql_standard; ALTER ROLE odd SET default_transaction_isolation = serializable;
             ALTER ROLE odd SET enable_seqscan = off; ALTER ROLE odd SET row_security = off; ALTER ROLE odd SET synchronous_commit = off;
             ALTER ROLE odd SET work_mem = '64kB'; ALTER ROLE odd SET default_transaction_deferrable = on;
             DO $$ BEGIN EXECUTE 'ALTER ROLE odd SET idle_session_timeout = ''30ms'''; EXCEPTION WHEN undefined_object THEN NULL; END $$;
             DO $$ BEGIN EXECUTE 'ALTER ROLE odd SET transaction_timeout = ''30ms'''; EXCEPTION WHEN undefined_object THEN NULL; END $$",
        )
        .await;
    let url = as_role(&server.url(), "odd");
    // Of transactions side by side the server undoes some if they are serializable: none that makes something is.
    server
        .execute(
            "CREATE SCHEMA watch; CREATE TABLE watch.levels (level text);
             CREATE FUNCTION watch.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
                 $$ BEGIN INSERT INTO watch.levels VALUES (current_setting('transaction_isolation')); END $$;
             CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch.note()",
        )
        .await;
    place.copy(&url).await.with(0, "odd settings");
    place.is_whole(&url).await;
    let levels = server.connect().await;
    let levels = levels.query("SELECT DISTINCT level FROM watch.levels", &[]).await;
    let levels: Vec<String> = levels.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(levels, ["read committed"]);
    // Into another schema, by somebody whose own is not there.
    server.execute("ALTER ROLE odd SET search_path = nowhere").await;
    let ended = place.copy(&url).await;
    assert!(matches!(ended.code, Some(1..=4)), "{ended:?}");
    assert!(ended.stderr.contains("schema"), "{ended:?}");
    let ended = place
        .run(&["copy", "source.db", &url, "--quiet", "--schema", "new one"])
        .await;
    ended.with(0, "a schema of its own");
}

/// Another connection than the one that holds the lock is needed, and one is enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_does_with_the_connections_that_it_gets() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    server
        .execute(
            "CREATE ROLE few LOGIN CONNECTION LIMIT 2; GRANT ALL ON SCHEMA public TO few; GRANT CREATE ON DATABASE postgres TO few;
             CREATE ROLE busy LOGIN CONNECTION LIMIT 3; GRANT ALL ON SCHEMA public TO busy; GRANT CREATE ON DATABASE postgres TO busy",
        )
        .await;
    let url = as_role(&server.url(), "few");
    let ended = place
        .run(&["copy", "source.db", &url, "--quiet", "--jobs", "4"])
        .await;
    ended.with(0, "two connections");
    let verify = ["verify", "source.db", &url, "--jobs", "1"];
    place.run(&verify).await.with(0, "verify");
    server
        .execute("DROP SCHEMA cutover CASCADE; DROP TABLE u, t")
        .await;
    // Somebody takes them away while it runs: what is told is that it had begun.
    let url = as_role(&server.url(), "busy");
    server
        .execute(
            "CREATE FUNCTION no_more() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
                 $$ BEGIN ALTER ROLE busy CONNECTION LIMIT 1; END $$;
             CREATE EVENT TRIGGER no_more ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION no_more()",
        )
        .await;
    let ended = place.copy(&url).await;
    told(
        &ended,
        3,
        &[
            "too many connections for role",
            "what is written stays",
            "the same command goes on",
        ],
    );
    assert!(!ended.stderr.contains("nothing was written"), "{ended:?}");
    server
        .execute("DROP EVENT TRIGGER no_more; ALTER ROLE busy CONNECTION LIMIT -1")
        .await;
    place.copy(&url).await.with(0, "the same command");
    place.is_whole(&url).await;
}

/// What the owner of a database has forbidden by an event trigger is refused, and what is written by then is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_trigger_forbids_is_refused() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    let forbid = |tag: &str| {
        format!(
            "DROP EVENT TRIGGER IF EXISTS \"no DDL\"; DROP FUNCTION IF EXISTS forbids;
             CREATE FUNCTION forbids() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'DDL is forbidden here'; END $$;
             CREATE EVENT TRIGGER \"no DDL\" ON ddl_command_start WHEN TAG IN ('{tag}') EXECUTE FUNCTION forbids()"
        )
    };
    let naming = ["DDL is forbidden here", "ALTER EVENT TRIGGER \"no DDL\" DISABLE"];
    server.execute(&forbid("CREATE TABLE")).await;
    let ended = place.copy(&server.url()).await;
    told(&ended, 4, &naming);
    told(&ended, 4, &["nothing was written"]);
    assert_eq!(tables(&server.connect().await).await, 0);
    server.execute(&forbid("ALTER TABLE")).await;
    let ended = place.copy(&server.url()).await;
    told(&ended, 4, &naming);
    told(&ended, 4, &["the copy is unfinished", "the same command goes on"]);
    server.execute("DROP EVENT TRIGGER \"no DDL\"").await;
    let ended = place.copy(&server.url()).await;
    ended.with(0, "the same command");
    place
        .run(&["verify", "source.db", &server.url()])
        .await
        .with(0, "verify");
}

/// No application has its tables in a schema that PostgreSQL or Cutover keeps for itself, however it comes to be the default one.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_schema_that_is_none_is_refused_in_both_directions() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    server.execute("CREATE SCHEMA cutover").await;
    for schema in ["pg_temp", "pg_catalog", "information_schema", "cutover"] {
        server
            .execute(&format!("ALTER ROLE postgres SET search_path = {schema}"))
            .await;
        let ended = place.copy(&server.url()).await;
        let name = if schema == "pg_temp" {
            "the schema \"pg_temp_"
        } else {
            schema
        };
        told(&ended, 2, &[name, "give another one (--schema)"]);
        for arguments in [
            &["copy", &server.url(), "back.db", "--quiet", "--json"][..],
            &["verify", "source.db", &server.url(), "--json", "--quiet"],
        ] {
            told(
                &place.run(arguments).await,
                2,
                &[name, "give another one (--schema)"],
            );
        }
        let made = "SELECT count(*) FROM pg_class WHERE relname = 't'";
        let made: i64 = server.connect().await.query_one(made, &[]).await.unwrap().get(0);
        assert_eq!(made, 0, "{schema}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_sqlite_keeps_for_itself_does_not_come_back() {
    let place = Place::new();
    let database = TestDatabase::create().await;
    let (url, client) = (database.url(), database.connect().await);
    let named = "CREATE TABLE \"SQLite_foo\" (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)";
    client.batch_execute(named).await.unwrap();
    for arguments in [
        &["copy", &url, "back.db", "--quiet", "--json"][..],
        &["inspect", &url, "--quiet", "--json"],
    ] {
        let ended = place.run(arguments).await;
        told(&ended, 4, &["SQLite_foo", "rename it", "--exclude SQLite_foo"]);
        let without = [arguments, &["--exclude", "SQLite_foo"]].concat();
        place.run(&without).await.with(0, "without it");
    }
}

/// What a policy hides from a role would be missing without a word.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_role_may_not_see_are_not_left_out() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    place.copy(&server.url()).await.with(0, "copy");
    server
        .execute(
            "CREATE ROLE half_blind LOGIN; GRANT USAGE ON SCHEMA public, cutover TO half_blind; GRANT SELECT ON ALL TABLES IN SCHEMA public, cutover TO half_blind;
             ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY most ON t USING (id <> 7)",
        )
        .await;
    let url = as_role(&server.url(), "half_blind");
    for arguments in [
        &["copy", &url, "back.db", "--quiet", "--json"][..],
        &["inspect", &url, "--quiet", "--json"],
        &["verify", "source.db", &url, "--quiet", "--json"],
        &["verify", &url, "source.db", "--quiet", "--json"],
    ] {
        let ended = place.run(arguments).await;
        let naming = [
            "row-level security",
            "table \"t\"",
            "as the owner of the table",
            "BYPASSRLS",
        ];
        told(&ended, 4, &naming);
        assert!(!ended.stderr.contains("grant the role"), "{ended:?}");
    }
    place.is_whole(&server.url()).await;
    // Its owner is one of those from whom they are hidden.
    server
        .execute("GRANT CREATE ON SCHEMA public TO half_blind; ALTER TABLE t OWNER TO half_blind; ALTER TABLE t FORCE ROW LEVEL SECURITY")
        .await;
    let naming = [
        "table \"t\"",
        "a superuser",
        "BYPASSRLS",
        "NO FORCE ROW LEVEL SECURITY",
    ];
    for arguments in [
        &["copy", &url, "new.db", "--quiet", "--json"][..],
        &["verify", &url, "source.db", "--quiet", "--json"],
    ] {
        let ended = place.run(arguments).await;
        told(&ended, 4, &naming);
        assert!(!ended.stderr.contains("as the owner of the tables"), "{ended:?}");
    }
}

/// A trigger of the target may do with rows what it likes, and the server would still say that they were written.
#[tokio::test(flavor = "multi_thread")]
async fn rows_are_not_loaded_through_triggers() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    let (url, client) = (server.url(), server.connect().await);
    let make = ["copy", "source.db", &url, "--quiet", "--schema-only"];
    place.run(&make).await.with(0, "schema");
    client
        .batch_execute(
            "CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF new.id % 2 = 0 THEN RETURN NULL; END IF; RETURN new; END';
             CREATE TRIGGER \"half of them\" BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION drops();
             CREATE TRIGGER harmless BEFORE UPDATE ON u FOR EACH ROW EXECUTE FUNCTION drops()",
        )
        .await
        .unwrap();
    let ended = place
        .run(&["copy", "source.db", &url, "--quiet", "--json", "--data-only"])
        .await;
    told(
        &ended,
        4,
        &[
            "the table t ",
            "half of them",
            "ALTER TABLE \"public\".\"t\" DISABLE TRIGGER \"half of them\"",
        ],
    );
    client
        .batch_execute("ALTER TABLE \"public\".\"t\" DISABLE TRIGGER \"half of them\"")
        .await
        .unwrap();
    place
        .run(&["copy", "source.db", &url, "--quiet", "--data-only"])
        .await
        .with(0, "without the trigger");
    place.run(&["verify", "source.db", &url]).await.with(0, "verify");
}

/// Nor are those that an interrupted copy has yet to load, whether it has made the table or found it.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_does_not_go_on_through_triggers() {
    let place = Place::new();
    for flags in [&[][..], &["--data-only"]] {
        let database = TestDatabase::create().await;
        let (url, client) = (database.url(), database.connect().await);
        if !flags.is_empty() {
            let make = ["copy", "source.db", &url, "--quiet", "--schema-only"];
            place.run(&make).await.with(0, "schema");
        }
        let copy = [&["copy", "source.db", &url, "--quiet", "--json"], flags].concat();
        place.run(&copy).await.with(0, "copy");
        // As a kill before the first row leaves it.
        let made_since = "UPDATE cutover.copy_run SET finished_at = NULL; TRUNCATE t, u;
             UPDATE cutover.copy_part SET position_rows = 0, position_rowid = NULL, written = 0, done = false;
             CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER since BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION drops()";
        client.batch_execute(made_since).await.unwrap();
        let refused = place.run(&copy).await;
        let naming = [
            "the table t ",
            "the trigger since",
            "ALTER TABLE \"public\".\"t\" DISABLE TRIGGER \"since\"",
        ];
        told(&refused, 4, &naming);
        client.batch_execute("DROP TRIGGER since ON t").await.unwrap();
        place.run(&copy).await.with(0, "without the trigger");
        place.run(&["verify", "source.db", &url]).await.with(0, "verify");
    }
}

/// The notes on a table that somebody has dropped are no obstacle to making it again.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_were_dropped_by_hand_are_made_again() {
    let place = Place::new();
    let database = TestDatabase::create().await;
    let (url, client) = (database.url(), database.connect().await);
    place.copy(&url).await.with(0, "copy");
    for drop in [
        "DROP TABLE u, t",
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    ] {
        client.batch_execute(drop).await.unwrap();
        place.copy(&url).await.with(0, drop);
        place.is_whole(&url).await;
    }
    client.batch_execute("DROP TABLE u").await.unwrap();
    place
        .run(&["copy", "source.db", &url, "--quiet", "--replace"])
        .await
        .with(0, "replace");
    place.is_whole(&url).await;
    client
        .batch_execute("ALTER TABLE u RENAME TO aside")
        .await
        .unwrap();
    place
        .run(&["copy", "source.db", &url, "--quiet", "--tables", "u"])
        .await
        .with(0, "one of them");
    place.run(&["verify", "source.db", &url]).await.with(0, "verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_connections_are_told_and_the_same_command_goes_on() {
    let place = Place::new();
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let url = database.url();
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name = 'cutover copy' AND datname = current_database() AND (NOT $1 OR query ILIKE 'COPY%')";
    for of_loads in [true, false] {
        let copying = tokio::spawn({
            let (directory, url) = (place.directory.path().to_owned(), url.clone());
            async move { crate::run(&directory, &["copy", "source.db", &url, "--quiet", "--json"]).await }
        });
        loop {
            let dropped: i64 = client.query_one(sql, &[&of_loads]).await.unwrap().get(0);
            if dropped > 0 || copying.is_finished() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ended = copying.await.unwrap();
        // Faster than the shot, it is done.
        if ended.code == Some(0) {
            break;
        }
        told(&ended, 3, &["PostgreSQL"]);
    }
    let last = place.copy(&url).await;
    assert!(
        last.code == Some(0) || last.stderr.contains("has rows already"),
        "{last:?}"
    );
    place.is_whole(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_is_told_and_no_index_is_left_out_for_it() {
    let place = Place::new();
    let settings = [
        ("maintenance_work_mem", "1MB"),
        ("temp_file_limit", "64kB"),
        ("max_parallel_maintenance_workers", "0"),
    ];
    let server = TestServer::start(TestServerOptions {
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..TestServerOptions::default()
    })
    .await;
    server
        .execute("CREATE ROLE small LOGIN; GRANT ALL ON SCHEMA public TO small; GRANT CREATE ON DATABASE postgres TO small")
        .await;
    let url = as_role(&server.url(), "small");
    let ended = place.copy(&url).await;
    told(&ended, 3, &["temp_file_limit", "the same command"]);
    server.execute("ALTER ROLE small SET temp_file_limit = -1").await;
    let ended = place.copy(&url).await.with(0, "with room");
    assert_eq!(ended.json()["weakened"], serde_json::json!([]));
    let indexes = "SELECT count(*) FROM pg_indexes WHERE indexname = 'by_word'";
    let count: i64 = server
        .connect()
        .await
        .query_one(indexes, &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(count, 1);
    place.is_whole(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_holds_is_waited_for_and_then_told() {
    let place = Place::new();
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    let url = database.url();
    place.copy(&url).await.with(0, "once");
    client
        .batch_execute("BEGIN; LOCK TABLE u IN ACCESS SHARE MODE")
        .await
        .unwrap();
    let waiting = tokio::spawn({
        let (directory, url) = (place.directory.path().to_owned(), url.clone());
        async move {
            crate::run(
                &directory,
                &["copy", "source.db", &url, "--quiet", "--json", "--replace"],
            )
            .await
        }
    });
    let blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    loop {
        let count: i64 = client.query_one(blocked, &[]).await.unwrap().get(0);
        if count > 0 {
            break;
        }
        assert!(!waiting.is_finished(), "{:?}", waiting.await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Cancelled by somebody: the old rows are all there, and the same command goes on.
    let other = database.connect().await;
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    other.batch_execute(cancel).await.unwrap();
    told(
        &waiting.await.unwrap(),
        3,
        &["canceling statement", "the same command"],
    );
    client.batch_execute("COMMIT").await.unwrap();
    place.is_whole(&url).await;
    place
        .run(&["copy", "source.db", &url, "--quiet", "--json", "--replace"])
        .await
        .with(0, "replaced");
    place.is_whole(&url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_encoding_is_refused_before_anything_is_made() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    let client = server.connect().await;
    for (name, encoding) in [("western", "LATIN1"), ("bytes", "SQL_ASCII")] {
        let make = format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0"
        );
        client.batch_execute(&make).await.unwrap();
        let url = format!("{}{name}", server.url().trim_end_matches("postgres"));
        told(&place.copy(&url).await, 4, &[encoding, "ENCODING 'UTF8'"]);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(async move { drop(connection.await) });
        assert_eq!(tables(&client).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf_8_is_told_with_its_table() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    let client = server.connect().await;
    let make =
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0";
    client.batch_execute(make).await.unwrap();
    let url = format!("{}bytes", server.url().trim_end_matches("postgres"));
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
        .batch_execute(
            r"CREATE TABLE sound (a text); CREATE TABLE words (a text); INSERT INTO words VALUES (E'caf\351')",
        )
        .await
        .unwrap();
    Connection::open(place.path("words.db"))
        .unwrap()
        .execute_batch("CREATE TABLE words (a TEXT)")
        .unwrap();
    let told_of = ["cannot read the table words", "SQL_ASCII", "convert_from"];
    for arguments in [
        &["verify", "words.db", &url, "--json"][..],
        &["copy", &url, "back.db", "--quiet"],
    ] {
        let ended = place.run(arguments).await;
        told(&ended, 1, &told_of);
        assert!(!ended.stderr.contains("refused"), "{ended:?}");
    }
    assert!(!place.path("back.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_sessions_is_refused() {
    let place = Place::new();
    let server = TestServer::start(TestServerOptions::default()).await;
    let client = server.connect().await;
    // With a single session it can only keep the others waiting.
    let single = Bouncer::start(&server, "transaction", 1).await;
    let bouncer = Bouncer::start(&server, "transaction", 3).await;
    for bouncer in [&single, &bouncer] {
        let ended = place.copy(&bouncer.url()).await;
        told(&ended, 4, &["PgBouncer", "pool_mode = session"]);
        assert_eq!(tables(&client).await, 0);
    }
    drop(single);
    place.copy(&server.url()).await.with(0, "to the server itself");
    let back = ["copy", &bouncer.url(), "back.db", "--quiet"];
    told(&place.run(&back).await, 4, &["PgBouncer"]);
    assert!(!place.path("back.db").exists());
    let verify = ["verify", "source.db", &bouncer.url(), "--json"];
    told(&place.run(&verify).await, 4, &["PgBouncer"]);
    drop(bouncer);
    let bouncer = Bouncer::start(&server, "session", 20).await;
    let verify = ["verify", "source.db", &bouncer.url()];
    place.run(&verify).await.with(0, "through a pool of sessions");
}

/// Reads the table `u` into `loader`, all of it.
async fn load(source: &dyn TransferSource, scan: &Scan, loader: &mut dyn TableLoader) {
    let mut batches = source.scan(scan.clone()).await.unwrap();
    while let Some(batch) = batches.next().await.unwrap() {
        loader.write(batch).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_has_lost_its_lock_doubles_no_row() {
    let place = Place::new();
    let database = TestDatabase::create().await;
    let client = database.connect().await;
    client
        .batch_execute("CREATE TABLE u (id bigint, t bigint)")
        .await
        .unwrap();
    let access = Access {
        busy_timeout: Duration::from_secs(1),
        schema: None,
        jobs: 2,
    };
    let from = source(&DatabaseUrl::Sqlite(place.path("source.db")), &access)
        .await
        .unwrap();
    let to = target(&DatabaseUrl::Postgres(Secret::new(database.url())), &access).unwrap();
    let (there, _) = to.catalog(None).await.unwrap();
    let scope = Scope {
        tables: vec!["u".to_owned()],
        ..Scope::default()
    };
    let plan = plan(&from.catalog().await.unwrap(), &there, &HashSet::new(), &scope).unwrap();
    let table = &plan.tables[0];
    let converter = Converter {
        zone: LegacyZone::utc(),
        proven: false,
    };
    let scan = Scan {
        table: table.source.clone(),
        columns: table.columns.iter().map(|column| column.source.clone()).collect(),
        after: Position::default(),
        up_to: None,
    };

    let first = to.open(false).await.unwrap();
    let run = RunStart {
        source: "source.db".to_owned(),
        fingerprint: "the same".to_owned(),
        tables: HashMap::new(),
        parts: HashMap::new(),
        replace: false,
        dropped: vec![],
        origin: None,
        seeds: vec![],
        loads: true,
        account: Account::default(),
    };
    first.start(&plan, &Schema::default(), &run).await.unwrap();
    // A firewall, say, forgets a connection that says nothing for long, and with it goes the lock.
    let drop_lock = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    client.batch_execute(drop_lock).await.unwrap();
    let second = to.open(false).await.unwrap();
    let part = LoadPart {
        number: 0,
        is_whole: true,
        bytes: 0,
    };
    let mut one = first
        .load(table, part, converter.clone(), &[], Care::None)
        .await
        .unwrap();
    let mut other = second
        .load(table, part, converter, &[], Care::None)
        .await
        .unwrap();
    load(from.as_ref(), &scan, one.as_mut()).await;
    load(from.as_ref(), &scan, other.as_mut()).await;
    assert_eq!(one.finish().await.unwrap().written, 99);
    let refused = other.finish().await;
    assert!(matches!(refused, Err(TransferError::Refused(_))), "{refused:?}");
    let rows: i64 = client
        .query_one("SELECT count(*) FROM u", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(rows, 99);
}
