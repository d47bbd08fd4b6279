//! Files with flipped bytes, cut files, and schemas with SQL that SQLite would not have written: looked at and copied, they end with a
//! clear error or succeed; they never end the program in a panic, and never keep it for ever.
//!
//! `CUTOVER_DAMAGE=5000 cargo test -p cutover --test faults damage::` makes it long; `CUTOVER_DAMAGE_FROM=4711` begins at another seed.

use std::panic::catch_unwind;
use std::path::Path;
use std::time::{Duration, Instant};

use cutover_domain::transfer::{ddl, translate};
use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::{Connection, params};
use futures_util::StreamExt as _;

use crate::program::Ended;
use crate::schemas::{Random, Wish, fill};
use crate::{bounded, first_seed, run};

const DAMAGE: &str = "CUTOVER_DAMAGE";
const AT_A_TIME: usize = 3;

/// What goes wrong with text.
const PIECES: [&str; 34] = [
    "'",
    "\"",
    "`",
    "[",
    "]",
    "(",
    ")",
    "((((((((((((((((((((",
    "--",
    "/*",
    "*/",
    ",",
    ";",
    "\0",
    "\u{feff}",
    "é",
    " AS (",
    " CHECK (",
    " CHECK ('",
    " DEFAULT ",
    " DEFAULT (",
    " GENERATED ALWAYS AS (",
    " COLLATE nowhere ",
    " REFERENCES ",
    " PRIMARY KEY ",
    " UNIQUE ",
    " CONSTRAINT ",
    " WITHOUT ROWID",
    " STRICT",
    "; DROP TABLE cutover.copy_run; --",
    " x'0",
    " 1e999999999999 ",
    " || ",
    " CASE WHEN ",
];

/// Changes a text in a few places.
fn mutated(random: &mut Random, text: &str) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let at = random.below(text.len() + 1);
        let until = (at + random.below(20)).min(text.len());
        match random.below(5) {
            0 => drop(text.drain(at..until)),
            1 => {
                let piece: Vec<char> = text[at..until].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, piece);
            }
            2 => text.truncate(at),
            _ => {
                let piece: Vec<char> = random.pick(&PIECES).chars().collect();
                text.splice(at..at, piece);
            }
        }
    }
    text.into_iter().collect()
}

/// Turns a few bytes of a file into others, or cuts it.
fn damaged(random: &mut Random, bytes: &mut Vec<u8>) {
    if random.chance(10) {
        bytes.truncate(random.below(bytes.len()));
        return;
    }
    for _ in 0..=random.below(12) {
        // The header, the schema, and the rest.
        let end = *random.pick(&[100, 4_096, bytes.len()]);
        let at = random.below(end.min(bytes.len()));
        bytes[at] = match random.below(3) {
            0 => bytes[at] ^ (1 << random.below(8)),
            1 => *random.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            _ => u8::try_from(random.below(256)).unwrap(),
        };
    }
}

/// A file whose schema somebody has written by hand.
fn rewrite_schema(random: &mut Random, path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA writable_schema = ON").unwrap();
    let objects: Vec<(i64, String)> = connection
        .prepare("SELECT rowid, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for _ in 0..=random.below(2) {
        let (rowid, sql) = random.pick(&objects);
        let sql = mutated(random, sql);
        // A file of its own making may refuse even this.
        let column = if random.chance(90) { "sql" } else { "name" };
        let update = format!("UPDATE sqlite_schema SET {column} = ?2 WHERE rowid = ?1");
        drop(connection.execute(&update, params![rowid, sql]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_damaged_file_ends_in_a_panic_or_never() {
    let seeds = first_seed(DAMAGE)..first_seed(DAMAGE) + bounded(DAMAGE, 40);
    let mut wrong: Vec<String> = futures_util::stream::iter(seeds)
        .map(|seed| async move {
            tokio::spawn(looked_at_and_copied(seed))
                .await
                .unwrap_or_else(|panic| vec![format!("seed {seed}: {panic}")])
        })
        .buffered(AT_A_TIME)
        // A long run tells at once (with --nocapture).
        .inspect(|wrong| wrong.iter().for_each(|what| eprintln!("{what}")))
        .concat()
        .await;
    let count = wrong.len();
    wrong.truncate(20);
    assert!(count == 0, "{count} things are wrong:\n{}", wrong.join("\n"));
}

async fn looked_at_and_copied(seed: u64) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let path = here.join("source.db");
    let mut random = Random(seed ^ 0xdead_beef);
    {
        let connection = Connection::open(&path).unwrap();
        fill(
            &connection,
            seed / 2,
            Wish {
                rejects: false,
                rows: 20,
            },
        );
    }
    if seed.is_multiple_of(2) {
        let mut bytes = std::fs::read(&path).unwrap();
        damaged(&mut random, &mut bytes);
        std::fs::write(&path, bytes).unwrap();
    } else {
        rewrite_schema(&mut random, &path);
    }
    let before = std::fs::read(&path).unwrap();
    let database = TestDatabase::create().await;
    let url = database.url();
    let mut wrong = Vec::new();
    let inspect = run(here, &["inspect", "source.db", "--json"]).await;
    let copy = [
        "copy",
        "source.db",
        &url,
        "--quiet",
        "--json",
        "--on-reject",
        "quarantine",
    ];
    let copied = run(here, &copy).await;
    for (what, ended) in [("inspect", &inspect), ("copy", &copied)] {
        if let Some(complaint) = complaint(ended) {
            wrong.push(format!("seed {seed}: {what} {complaint}: {ended:?}"));
        }
    }
    if copied.code == Some(0) {
        let verified = run(here, &["verify", "source.db", &url, "--json"]).await;
        if verified.code != Some(0) {
            wrong.push(format!("seed {seed}: verify {verified:?}"));
        }
        let back = run(here, &["copy", &url, "back.db", "--quiet", "--json"]).await;
        // What a generated column compares is loaded with its type, whose affinity a text may have escaped by a schema that was rewritten.
        let refused = back.code == Some(1) && back.stdout.contains("would give back in another form");
        if back.code != Some(0) && !refused {
            wrong.push(format!("seed {seed}: back {back:?}"));
        }
    }
    if std::fs::read(&path).unwrap() != before {
        wrong.push(format!("seed {seed}: the source was written"));
    }
    wrong
}

/// What is wrong with how a run ended.
fn complaint(ended: &Ended) -> Option<&'static str> {
    match ended.code {
        Some(0 | 1) if !ended.stdout.is_empty() => None,
        Some(1..=4) if ended.stderr.trim().is_empty() => Some("says nothing"),
        Some(1..=4) if sentences(&ended.stderr) != 1 => Some("says more or less than one sentence"),
        Some(1..=4) if ended.stderr.contains("mistake of Cutover") => Some("finds itself wrong"),
        Some(1..=4) => None,
        _ => Some("ends oddly"),
    }
}

/// What is said beside warnings.
fn sentences(stderr: &str) -> usize {
    let lines = stderr.trim_end().lines();
    lines.filter(|line| !line.contains(" WARN ")).count()
}

/// The readers of SQL alone, which is fast: they take any text.
#[test]
fn the_readers_of_sql_take_any_text() {
    let connection = Connection::open_in_memory().unwrap();
    let mut random = Random(bounded("CUTOVER_DAMAGE_FROM", 0));
    let rounds = bounded(DAMAGE, 40) * 50;
    let mut statements: Vec<String> = Vec::new();
    for seed in 0..8 {
        let connection = Connection::open_in_memory().unwrap();
        let script = fill(
            &connection,
            seed,
            Wish {
                rejects: false,
                rows: 0,
            },
        );
        statements.extend(script.split(";\n").map(str::to_owned));
    }
    drop(connection);
    for _ in 0..rounds {
        let statement = random.pick(&statements).clone();
        let sql = mutated(&mut random, &statement);
        let begun = Instant::now();
        let read = catch_unwind(|| {
            let table = ddl::parse(&sql);
            for check in &table.checks {
                drop(translate::condition(&check.expression, &[]));
                translate::names(&check.expression);
            }
            for (_, expression) in &table.generated {
                drop(translate::index_part(expression, None, &[]));
            }
            for part in ddl::index_parts(&sql) {
                drop(translate::index_part(&part, None, &[]));
            }
            ddl::predicate(&sql);
            ddl::module_arguments(&sql);
            ddl::loosened(&sql);
            ddl::collations(&sql);
            // Neither is it one statement in the end if it was two.
            drop(translate::condition(&sql, &[]));
            ddl::is_one_create(&sql)
        });
        assert!(read.is_ok(), "{sql:?}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{sql:?}");
    }
}
