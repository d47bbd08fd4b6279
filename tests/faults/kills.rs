//! SIGKILL for the program, for PostgreSQL, or for both, at any moment of copies of five databases; the same command until it is done.
//!
//! What is there in the end must be what an undisturbed copy makes: every row once, every key, index, constraint and number to go on
//! from, and nothing left of a run. `CUTOVER_KILLS=300 cargo test -p cutover --test faults kills::` makes it long.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use cutover_tests::postgres::{TestServer, TestServerOptions};
use cutover_tests::rusqlite::Connection;
use cutover_tests::tokio_postgres::{Client, NoTls};
use tokio::process::{Child, Command};

use crate::bounded;
use crate::compare::{Contents, differences};
use crate::program::{Ended, shortened};
use crate::schemas::Random;

/// How long a run may take, and how long somebody waits for one that does not end.
const PATIENCE: Duration = Duration::from_mins(3);

const EVERY_DAY: u64 = 25;

fn kills() -> u64 {
    bounded("CUTOVER_KILLS", EVERY_DAY)
}

/// A database that is copied.
struct Case {
    name: &'static str,
    sql: &'static str,
    /// What is told of values by `--type`.
    told: &'static [&'static str],
    /// Rows that PostgreSQL cannot hold.
    rejected: usize,
}

const CASES: [Case; 6] = [
    Case {
        name: "many",
        sql: "",
        told: &[],
        rejected: 0,
    },
    Case {
        name: "large",
        sql: "CREATE TABLE \"large one\" (id INTEGER PRIMARY KEY AUTOINCREMENT, word TEXT NOT NULL, n INTEGER, r REAL, at DATETIME);
              INSERT INTO \"large one\" SELECT i * 3, 'word ' || i || ' é' || hex(i * 7919), i % 97, i / 7.0, datetime(1600000000 + i, 'unixepoch')
              FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 50000) SELECT i FROM r);
              CREATE INDEX by_word ON \"large one\" (word DESC); CREATE INDEX by_n ON \"large one\" (n, at) WHERE n > 3;
              CREATE UNIQUE INDEX once ON \"large one\" (at, id);
              UPDATE sqlite_sequence SET seq = 999999",
        told: &[],
        rejected: 0,
    },
    Case {
        name: "blobs",
        // More than is committed at once, and if there is time more than one part.
        sql: "CREATE TABLE files (id INTEGER PRIMARY KEY, name TEXT UNIQUE, body BLOB);
              INSERT INTO files SELECT i, 'file ' || i, randomblob(900000 + i)
              FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < :blobs) SELECT i FROM r)",
        told: &[],
        rejected: 0,
    },
    Case {
        name: "mixed",
        sql: "CREATE TABLE mixed (a TEXT, b, c NUMERIC, note TEXT);
              INSERT INTO mixed SELECT 'k' || (i % 500), CASE i % 5 WHEN 0 THEN i WHEN 1 THEN i || '' WHEN 2 THEN i / 2.0 WHEN 3 THEN x'31' END,
                  CASE i % 3 WHEN 0 THEN i ELSE i / 4.0 END, CASE WHEN i % 4000 = 7 THEN 'nul' || char(0) || i WHEN i % 4000 = 9 THEN CAST(x'ff41' AS TEXT) ELSE 'n' || (i % 10) END
              FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 20000) SELECT i FROM r);
              CREATE INDEX mixed_a ON mixed (a COLLATE NOCASE);
              CREATE TABLE beside (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO beside SELECT rowid, 'x' || rowid FROM mixed",
        told: &[],
        rejected: 10,
    },
    Case {
        name: "keys",
        sql: "CREATE TABLE customer (region TEXT, number INTEGER, name TEXT COLLATE NOCASE, parent INTEGER, PRIMARY KEY (region, number)) WITHOUT ROWID;
              CREATE TABLE orders (id INTEGER PRIMARY KEY, region TEXT, number INTEGER, previous INTEGER REFERENCES orders ON DELETE SET NULL, total DECIMAL(10,2) CHECK (total >= 0),
                  FOREIGN KEY (region, number) REFERENCES customer (region, number) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
              CREATE TABLE items (\"order\" INTEGER NOT NULL REFERENCES orders ON UPDATE CASCADE, line INTEGER, article TEXT, double AS (line * 2) STORED, PRIMARY KEY (line, \"order\"));
              INSERT INTO customer SELECT 'r' || (i % 7), i, 'Name ' || i, i / 2 FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 2000) SELECT i FROM r);
              INSERT INTO orders SELECT i, 'r' || (i % 7), i % 7 + 7 * (i % 280) + CASE i % 7 WHEN 0 THEN 7 ELSE 0 END, nullif(i - 1, 0), i / 4.0
                  FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 12000) SELECT i FROM r);
              INSERT INTO items (\"order\", line, article) SELECT o.id, l.n, 'art ' || (o.id % 50) FROM orders AS o, (SELECT 1 AS n UNION SELECT 2) AS l;
              INSERT INTO items (\"order\", line, article) VALUES (999999, 1, 'an orphan');
              CREATE UNIQUE INDEX one_of ON orders (region, number, id DESC); CREATE INDEX by_article ON items (lower(article))",
        told: &[],
        rejected: 0,
    },
    Case {
        name: "told",
        sql: "CREATE TABLE logins (at INTEGER PRIMARY KEY, who TEXT NOT NULL, ok CHAR(1) DEFAULT 'N', left DATETIME, both DATE);
              INSERT INTO logins SELECT 1600000000 + i, CAST(x'e9' || i AS TEXT), CASE i % 3 WHEN 0 THEN 'Y' ELSE 'N' END,
                  CASE i % 4 WHEN 0 THEN '' ELSE i * 1000 END, CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN '2024-02-29' WHEN 2 THEN '0000-00-00' ELSE '1999-12-31' END
              FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 30000) SELECT i FROM r);
              UPDATE logins SET both = '2024-02-29' WHERE both = '0000-00-00';
              UPDATE logins SET ok = 'maybe' WHERE at % 10000 = 7;
              CREATE INDEX by_who ON logins (who COLLATE NOCASE); CREATE INDEX by_left ON logins (left DESC)",
        told: &[
            "logins.at=timestamptz from seconds",
            "logins.who=text from windows-1252",
            "logins.ok=boolean from Y/N",
            "*.left=timestamp from milliseconds, empty as null",
            "*.both=date, empty as null, zero date as null",
        ],
        rejected: 3,
    },
];

fn make(case: &Case, path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; BEGIN")
        .unwrap();
    if case.sql.is_empty() {
        for number in 0..25 {
            let sql = format!(
                "CREATE TABLE \"table {number}\" (id INTEGER PRIMARY KEY, t TEXT UNIQUE, up INTEGER REFERENCES \"table {}\");
                 INSERT INTO \"table {number}\" SELECT i, 't' || i, i FROM (WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 50) SELECT i FROM r);
                 CREATE INDEX \"index {number}\" ON \"table {number}\" (up, t DESC)",
                (number + 1) % 25
            );
            connection.execute_batch(&sql).unwrap();
        }
    } else {
        let blobs = if kills() > EVERY_DAY { "90" } else { "45" };
        connection
            .execute_batch(&case.sql.replace(":blobs", blobs))
            .unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

/// A database and everything that is done to it.
struct World {
    directory: tempfile::TempDir,
    server: TestServer,
    random: Random,
    told: &'static [&'static str],
}

impl World {
    async fn new(case: &Case, seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        make(case, &directory.path().join("source.db"));
        Self {
            directory,
            server: TestServer::start(TestServerOptions::default()).await,
            random: Random(seed),
            told: case.told,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn url(&self, database: &str) -> String {
        let url = self.server.url();
        format!("{}/{database}", url.strip_suffix("/postgres").unwrap())
    }

    async fn anew(&self, database: &str) {
        self.server
            .execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))
            .await;
        self.server
            .execute(&format!("CREATE DATABASE {database} TEMPLATE template0"))
            .await;
    }

    async fn client(&self, database: &str) -> Client {
        let (client, connection) = cutover_tests::tokio_postgres::connect(&self.url(database), NoTls)
            .await
            .unwrap();
        tokio::spawn(async move { drop(connection.await) });
        client
    }

    fn spawn(&self, arguments: &[String]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_cutover"))
            .args(arguments)
            .env_clear()
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    }

    fn there(&self, database: &str, flags: &[&str]) -> Vec<String> {
        let url = self.url(database);
        let arguments = [
            "copy",
            "source.db",
            &url,
            "--quiet",
            "--json",
            "--on-reject",
            "quarantine",
        ];
        let told = self.told.iter().flat_map(|wish| ["--type", wish]);
        let flags = flags.iter().copied().chain(told);
        arguments.into_iter().chain(flags).map(str::to_owned).collect()
    }

    fn back(&self, database: &str) -> Vec<String> {
        ["copy", &self.url(database), "back.db", "--quiet", "--json"]
            .map(str::to_owned)
            .into()
    }

    /// Kills something while `child` runs, after at most `longest`. Returns how the child ended, if it did by itself.
    async fn kill(&mut self, mut child: Child, longest: Duration, with_server: bool) -> Option<Ended> {
        let share = u32::try_from(self.random.below(110)).unwrap();
        tokio::time::sleep(longest * share / 100).await;
        match self.random.below(if with_server { 4 } else { 1 }) {
            0 | 1 => child.start_kill().unwrap_or_default(),
            2 => {
                self.server.kill_9().await;
                let ended = ended(child).await;
                self.server.start_again().await;
                return Some(ended);
            }
            _ => {
                child.start_kill().unwrap_or_default();
                self.server.kill_9().await;
                self.server.start_again().await;
            }
        }
        let ended = ended(child).await;
        ended.code.is_some().then_some(ended)
    }

    /// The same command until it is done.
    async fn finish(&self, arguments: &[String], code: i32) {
        let ended = ended(self.spawn(arguments)).await;
        // Killed between the last commit and its own end, a copy is done, and the next one finds its rows.
        if ended.code == Some(4) && arguments[1] == "source.db" {
            let url = &arguments[2];
            let client = self.client(url.rsplit('/').next().unwrap()).await;
            let sql = "SELECT count(*) FROM cutover.copy_run WHERE finished_at IS NULL";
            let unfinished: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
            assert_eq!(unfinished, 0, "{}", ended.stderr);
            assert!(ended.stderr.contains("has rows already"), "{}", ended.stderr);
            return;
        }
        ended.with(code, &format!("{arguments:?}"));
    }
}

async fn ended(child: Child) -> Ended {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("the program does not end"))
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended = Ended {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    assert!(!ended.stderr.contains("panicked"), "{}", shortened(&ended.stderr));
    ended
}

/// Everything that a database holds, read by SQL of the test's own: two undisturbed copies of a file have the same picture.
async fn picture(client: &Client) -> Vec<String> {
    let mut lines = Vec::new();
    let queries = [
        "SELECT concat_ws(' ', 'column', attrelid::regclass, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
             pg_get_expr(d.adbin, d.adrelid))
         FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = attrelid LEFT JOIN pg_attrdef AS d ON d.adrelid = attrelid AND d.adnum = attnum
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped",
        "SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated) FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace",
        "SELECT concat_ws(' ', 'index', indexdef, indisvalid) FROM pg_indexes JOIN pg_index ON indexrelid = (quote_ident(schemaname) || '.' || quote_ident(indexname))::regclass
         WHERE schemaname = 'public'",
        "SELECT concat_ws(' ', 'relation', relkind, relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
        "SELECT concat_ws(' ', 'made', m) FROM cutover.made_table AS m",
        "SELECT concat_ws(' ', 'rendering', m) FROM cutover.rendering AS m",
        "SELECT concat_ws(' ', 'object', kind, name, md5(sql)) FROM cutover.source_object",
        "SELECT concat_ws(' ', 'set apart', table_name, position, column_name, md5(\"values\"::text)) FROM cutover.quarantine",
        "SELECT concat_ws(' ', 'ledger', table_name, fingerprint, rows) FROM cutover.ledger",
        "SELECT concat_ws(' ', 'out of the way', d) FROM cutover.dropped_constraint AS d",
        "SELECT concat_ws(' ', 'run', finished_at IS NOT NULL) FROM cutover.copy_run",
    ];
    for query in queries {
        let rows = client.query(query, &[]).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    let tables = "SELECT quote_ident(relname), relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S')";
    for row in client.query(tables, &[]).await.unwrap() {
        let (table, kind): (String, String) = (row.get(0), row.get(1));
        let sql = if kind == "S" {
            format!("SELECT concat_ws(' ', last_value + is_called::int) FROM public.{table}")
        } else {
            format!(
                "SELECT concat_ws(' ', count(*), md5(string_agg(line, '' ORDER BY line COLLATE \"C\"))) FROM (SELECT md5(t::text) AS line FROM public.{table} AS t) AS l"
            )
        };
        let held: String = client.query_one(&sql, &[]).await.unwrap().get(0);
        lines.push(format!("{table} holds {held}"));
    }
    lines.sort();
    lines
}

fn assert_same(expected: &[String], found: &[String], what: &str) {
    let missing: Vec<_> = expected.iter().filter(|line| !found.contains(line)).collect();
    let extra: Vec<_> = found.iter().filter(|line| !expected.contains(line)).collect();
    assert!(
        missing.is_empty() && extra.is_empty(),
        "{what}: missing {missing:#?}, too many {extra:#?}"
    );
    assert_eq!(expected.len(), found.len(), "{what}");
}

async fn copies_under_fire(case: &Case, kills: u64, seed: u64) {
    let mut world = World::new(case, seed).await;
    let source = Contents::read(&world.path("source.db"));
    let code = i32::from(case.rejected > 0);
    world.anew("reference").await;
    let begun = Instant::now();
    ended(world.spawn(&world.there("reference", &[])))
        .await
        .with(code, case.name);
    let longest = begun.elapsed();
    let expected = picture(&world.client("reference").await).await;
    let apart = expected
        .iter()
        .filter(|line| line.starts_with("set apart"))
        .count();
    assert_eq!(apart, case.rejected, "{}", case.name);
    assert!(expected.contains(&"run t".to_owned()));

    // Three fifths there, one over rows that are replaced, one back.
    world.anew("killed").await;
    let there = world.there("killed", &[]);
    let replace = world.there("killed", &["--replace"]);
    for (arguments, share) in [(&there, 3), (&replace, 1)] {
        for number in 0..(kills * share).div_ceil(5) {
            let child = world.spawn(arguments);
            let Some(ended) = world.kill(child, longest, true).await else {
                continue;
            };
            let what = format!("{} {number}: {ended:?}", case.name);
            match ended.code {
                Some(3) => assert!(
                    ended.stderr.contains("the same command") || ended.stderr.contains("cannot connect"),
                    "{what}"
                ),
                // Done before the shot: the rest of them are for another one.
                Some(done) if done == code || done == 4 => {
                    assert_same(&expected, &picture(&world.client("killed").await).await, &what);
                    if *arguments == there {
                        world.anew("killed").await;
                    }
                }
                _ => panic!("{what}"),
            }
        }
        world.finish(arguments, code).await;
        assert_same(
            &expected,
            &picture(&world.client("killed").await).await,
            case.name,
        );
    }
    let back = world.back("killed");
    for number in 0..kills.div_ceil(5) {
        let child = world.spawn(&back);
        if let Some(ended) = world.kill(child, longest, false).await {
            assert!(
                matches!(ended.code, Some(0 | 4)),
                "{} back {number}: {ended:?}",
                case.name
            );
        }
    }
    let last = ended(world.spawn(&back)).await;
    assert!(
        last.code == Some(0) || (last.code == Some(4) && last.stderr.contains("has rows already")),
        "{}: {last:?}",
        case.name
    );
    let returned = Contents::read(&world.path("back.db"));
    let found = differences(&source, &returned);
    assert!(
        found.is_empty(),
        "{}: {:#?}",
        case.name,
        &found[..found.len().min(10)]
    );
    let left: Vec<String> = std::fs::read_dir(world.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !matches!(name.as_str(), "source.db" | "back.db"))
        .collect();
    assert!(left.is_empty(), "{}: {left:?}", case.name);
}

/// A fifth of the kills.
async fn no_kill_loses_doubles_or_changes_a_row(number: usize) {
    let seed = bounded("CUTOVER_KILLS_SEED", 1) * 100 + u64::try_from(number).unwrap();
    copies_under_fire(&CASES[number], kills().div_ceil(5), seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tables_survive_kills() {
    no_kill_loses_doubles_or_changes_a_row(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_survives_kills() {
    no_kill_loses_doubles_or_changes_a_row(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_survive_kills() {
    no_kill_loses_doubles_or_changes_a_row(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_told_of_values_survives_kills() {
    no_kill_loses_doubles_or_changes_a_row(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_columns_and_rows_set_apart_survive_kills() {
    no_kill_loses_doubles_or_changes_a_row(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_several_columns_survive_kills() {
    no_kill_loses_doubles_or_changes_a_row(4).await;
}

/// Waits until the copy into `database` has come to `condition`.
async fn come_to(world: &World, database: &str, condition: &str) {
    let client = world.client(database).await;
    let begun = Instant::now();
    loop {
        assert!(
            begun.elapsed() < PATIENCE,
            "the copy does not come to {condition}"
        );
        let sql = "SELECT to_regclass('cutover.copy_part') IS NOT NULL";
        if client.query_one(sql, &[]).await.unwrap().get(0) {
            let sql = format!("SELECT {condition}");
            if client.query_one(&sql, &[]).await.unwrap().get(0) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_indexes_and_constraints_are_all_there_after_a_kill_among_them() {
    let mut world = World::new(&CASES[4], 7).await;
    world.anew("reference").await;
    ended(world.spawn(&world.there("reference", &[])))
        .await
        .with(0, "undisturbed");
    let expected = picture(&world.client("reference").await).await;
    let steps: i64 = world
        .client("reference")
        .await
        .query_one("SELECT count(*) FROM cutover.copy_step", &[])
        .await
        .unwrap()
        .get(0);
    assert!(steps > 8, "{steps}");
    world.anew("killed").await;
    let arguments = world.there("killed", &[]);
    for at in [0, steps / 4, steps / 2, steps - 2] {
        let mut child = world.spawn(&arguments);
        let condition = format!(
            "(SELECT count(*) FROM cutover.copy_step) >= {at} AND (SELECT bool_and(done) FROM cutover.copy_part)"
        );
        come_to(&world, "killed", &condition).await;
        if at == steps / 2 {
            world.server.kill_9().await;
            let ended = ended(child).await;
            assert!(matches!(ended.code, Some(3 | 0)), "{ended:?}");
            world.server.start_again().await;
        } else {
            child.kill().await.unwrap();
        }
    }
    world.finish(&arguments, 0).await;
    assert_same(
        &expected,
        &picture(&world.client("killed").await).await,
        "among the steps",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_no_harm_and_a_changed_source_is_refused() {
    let world = World::new(&CASES[1], 8).await;
    world.anew("two").await;
    let arguments = world.there("two", &[]);
    let (one, other) = tokio::join!(ended(world.spawn(&arguments)), ended(world.spawn(&arguments)));
    assert_eq!([one.code, other.code], [Some(0), Some(0)], "{one:?} {other:?}");
    let by_another = [&one, &other]
        .into_iter()
        .filter(|ended| ended.stdout.contains("\"by_another_run\":true"));
    // The other one finds all done.
    assert_eq!(by_another.count(), 1, "{one:?} {other:?}");
    world.anew("reference").await;
    ended(world.spawn(&world.there("reference", &[])))
        .await
        .with(0, "undisturbed");
    let expected = picture(&world.client("reference").await).await;
    assert_same(
        &expected,
        &picture(&world.client("two").await).await,
        "two at once",
    );

    world.anew("changed").await;
    let arguments = world.there("changed", &[]);
    let mut child = world.spawn(&arguments);
    come_to(&world, "changed", "true").await;
    child.kill().await.unwrap();
    let change = "UPDATE \"large one\" SET word = 'changed' WHERE id = 300";
    Connection::open(world.path("source.db"))
        .unwrap()
        .execute_batch(change)
        .unwrap();
    let refused = ended(world.spawn(&arguments)).await.with(4, "a changed source");
    assert!(
        refused.stderr.contains("large one") && refused.stderr.contains("--replace"),
        "{}",
        refused.stderr
    );
    let replace = world.there("changed", &["--replace"]);
    ended(world.spawn(&replace)).await.with(0, "replaced");
    let client = world.client("changed").await;
    let sql = "SELECT count(*), count(*) FILTER (WHERE word = 'changed') FROM \"large one\"";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (50_000, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_a_dead_run_has_begun_does_not_hold_up_the_next() {
    let world = World::new(&CASES[4], 9).await;
    world.anew("slow").await;
    let client = world.client("slow").await;
    client
        .batch_execute(
            "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); END $$;
             CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION slow()",
        )
        .await
        .unwrap();
    let arguments = world.there("slow", &[]);
    let mut child = world.spawn(&arguments);
    let at_work = "EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'cutover copy' AND query LIKE '%CREATE%INDEX%' AND wait_event = 'PgSleep')";
    come_to(&world, "slow", at_work).await;
    child.kill().await.unwrap();
    client
        .batch_execute("DROP EVENT TRIGGER slow; DROP FUNCTION slow")
        .await
        .unwrap();
    world.finish(&arguments, 0).await;
}
