//! The schema that a copy makes behaves as the one it was made from: the same INSERTs of the same values, on both sides, are taken or
//! refused alike, and the same rows come of them.
//!
//! Values are those of rows that are there, each side its own, mixed anew by SQL; so nothing here knows how a value is converted. Tables of
//! which the copy says that a rule holds in a weaker form are left out.
//!
//! `CUTOVER_ACCEPTANCE_SEEDS=5000 cargo test -p cutover --test faults acceptance::` makes it long; `CUTOVER_ACCEPTANCE_SEEDS_FROM=4711`
//! begins at another seed.

use std::collections::{BTreeMap, BTreeSet};

use cutover_tests::postgres::TestDatabase;
use cutover_tests::rusqlite::Connection;
use cutover_tests::tokio_postgres::Row;
use futures_util::StreamExt as _;
use serde_json::Value;

use crate::compare::{Contents, differences, identifier};
use crate::schemas::{Random, Wish, fill};
use crate::{bounded, first_seed, run};

const SEEDS: &str = "CUTOVER_ACCEPTANCE_SEEDS";
/// Copies at a time.
const AT_A_TIME: usize = 3;
/// INSERTs a table.
const INSERTS: i64 = 40;
/// The first key that is given to a new row.
const NEW: i64 = 1_000_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_inserted_is_met_as_before() {
    let seeds = first_seed(SEEDS)..first_seed(SEEDS) + bounded(SEEDS, 60);
    let outcomes: Vec<Outcome> = futures_util::stream::iter(seeds)
        .map(|seed| async move {
            let task = tokio::spawn(insert_on_both_sides(seed));
            task.await.unwrap_or_else(|panic| Outcome {
                wrong: vec![format!("seed {seed}: {panic}")],
                ..Outcome::default()
            })
        })
        .buffered(AT_A_TIME)
        .inspect(|outcome| outcome.wrong.iter().for_each(|what| eprintln!("{what}")))
        .collect()
        .await;
    let wrong: Vec<&String> = outcomes.iter().flat_map(|outcome| &outcome.wrong).collect();
    let first: Vec<&str> = wrong.iter().take(20).map(|what| what.as_str()).collect();
    assert!(
        wrong.is_empty(),
        "{} things are wrong:\n{}",
        wrong.len(),
        first.join("\n")
    );
    let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
    let (taken, refused) = (sum(|outcome| outcome.taken), sum(|outcome| outcome.refused));
    assert!(
        outcomes.len() < 60 || (taken > 100 && refused > 10),
        "{taken} rows were taken and {refused} refused: too few to say anything"
    );
}

const ACTIONS: [&str; 5] = ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"];

/// Foreign keys of every action, some of them deferred, one within its table, one of two columns.
fn families() -> Vec<String> {
    let mut sql = Vec::new();
    for (at, (delete, update)) in ACTIONS
        .iter()
        .flat_map(|delete| ACTIONS.map(|update| (*delete, update)))
        .enumerate()
    {
        let deferred = ["", " DEFERRABLE INITIALLY DEFERRED"][at % 2];
        sql.push(format!(
            "CREATE TABLE p{at} (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, v TEXT, w TEXT, UNIQUE (v, w));
             CREATE TABLE c{at} (id INTEGER PRIMARY KEY, u INTEGER DEFAULT 3 REFERENCES p{at} (u) ON DELETE {delete} ON UPDATE {update}{deferred},
                 v TEXT, w TEXT DEFAULT 'w2', c INTEGER REFERENCES c{at} ON DELETE {delete} ON UPDATE {update},
                 FOREIGN KEY (v, w) REFERENCES p{at} (v, w) ON DELETE {delete} ON UPDATE {update}{deferred});
             CREATE TABLE g{at} (id INTEGER PRIMARY KEY, c INTEGER NOT NULL DEFAULT 1 REFERENCES c{at} ON DELETE CASCADE ON UPDATE {update})"
        ));
        for n in 1..=5 {
            let parent = (n < 5).then_some(n);
            let value = |value: Option<i32>, quote: &str| {
                value.map_or("NULL".to_owned(), |n| format!("'{quote}{n}'"))
            };
            sql.push(format!("INSERT INTO p{at} VALUES ({n}, {n}, 'v{n}', 'w{n}')"));
            sql.push(format!(
                "INSERT INTO c{at} VALUES ({n}, {}, {}, 'w{n}', {})",
                parent.map_or("NULL".to_owned(), |n| n.to_string()),
                value(parent, "v"),
                parent
                    .filter(|n| *n > 1)
                    .map_or("NULL".to_owned(), |n| (n - 1).to_string())
            ));
            sql.push(format!("INSERT INTO g{at} VALUES ({n}, {n})"));
        }
    }
    sql
}

/// What somebody may do to a family: the same SQL for both.
fn change(random: &mut Random) -> String {
    let at = random.below(ACTIONS.len() * ACTIONS.len());
    let table = *random.pick(&["p", "c", "g"]);
    let mut number = |end: usize| random.below(end);
    let (id, other) = (number(7), number(7));
    match (number(5), table) {
        (0 | 1, _) => format!("DELETE FROM {table}{at} WHERE id = {id}"),
        (2, _) => format!("UPDATE {table}{at} SET id = {other} WHERE id = {id}"),
        (3, "p" | "c") => format!("UPDATE {table}{at} SET u = {other} WHERE id = {id}"),
        (4, "p" | "c") => format!("UPDATE {table}{at} SET v = 'v{other}', w = 'w{other}' WHERE id = {id}"),
        (_, "p") => format!("INSERT INTO p{at} VALUES ({id}, {other}, 'v{id}', 'w{other}')"),
        (_, "c") => format!("INSERT INTO c{at} (id, u, c) VALUES ({id}, {other}, {id})"),
        _ => format!("INSERT INTO g{at} (id) VALUES ({id})"),
    }
}

#[tokio::test]
async fn what_refers_to_rows_is_met_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let connection = Connection::open(here.join("source.db")).unwrap();
    connection.execute_batch(&families().join("; ")).unwrap();
    let database = TestDatabase::create().await;
    let url = database.url();
    let copied = run(here, &["copy", "source.db", &url, "--quiet", "--json"]).await;
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let client = database.connect().await;
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let mut random = Random(first_seed(SEEDS));
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..2_000 {
        let sql = change(&mut random);
        let ours = connection.execute_batch(&sql);
        let theirs = client.batch_execute(&sql).await;
        assert_eq!(
            ours.is_ok(),
            theirs.is_ok(),
            "{sql}: SQLite {ours:?}, PostgreSQL {theirs:?}"
        );
        if ours.is_ok() { taken += 1 } else { refused += 1 }
    }
    assert!(
        taken > 500 && refused > 200,
        "{taken} changes were taken and {refused} refused"
    );
    drop(connection);
    let back = run(here, &["copy", &url, "back.db", "--quiet", "--json"]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    let (ours, theirs) = (
        Contents::read(&here.join("source.db")),
        Contents::read(&here.join("back.db")),
    );
    assert_eq!(differences(&ours, &theirs), Vec::<String>::new());
}

/// Families in which several foreign keys of one table refer to one parent: those of a column with every pair of actions, then any.
fn rivals(random: &mut Random) -> Vec<String> {
    let pairs = ACTIONS.iter().flat_map(|one| ACTIONS.map(|other| [*one, other]));
    let of_pair = |actions: [&str; 2]| {
        actions.map(|action| format!("FOREIGN KEY (x) REFERENCES p ON DELETE {action} ON UPDATE {action}"))
    };
    let mut families: Vec<String> = pairs.map(|pair| of_pair(pair).join(", ")).collect();
    families.extend((0..35).map(|_| {
        let any = |_| {
            format!(
                "FOREIGN KEY ({}) REFERENCES p ON DELETE {} ON UPDATE {}{}",
                random.pick(&["x", "y"]),
                random.pick(&ACTIONS),
                random.pick(&ACTIONS),
                random.pick(&["", "", " DEFERRABLE INITIALLY DEFERRED"])
            )
        };
        (0..3).map(any).collect::<Vec<_>>().join(", ")
    }));
    families
}

/// SQLite follows the foreign key that was declared last first.
#[tokio::test]
async fn several_foreign_keys_to_one_parent_act_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let connection = Connection::open(here.join("source.db")).unwrap();
    let families = rivals(&mut Random(first_seed(SEEDS)));
    for (at, keys) in families.iter().enumerate() {
        let keys = keys.replace("REFERENCES p", &format!("REFERENCES p{at}"));
        let sql = format!(
            "CREATE TABLE p{at} (id INTEGER PRIMARY KEY); INSERT INTO p{at} VALUES (0), (1), (2), (3);
             CREATE TABLE c{at} (id INTEGER PRIMARY KEY, x INTEGER DEFAULT 0, y INTEGER DEFAULT 2, {keys});
             INSERT INTO c{at} VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, NULL, 1), (5, 1, NULL), (6, 3, 3), (7, 0, 0)"
        );
        connection.execute_batch(&sql).unwrap();
    }
    let database = TestDatabase::create().await;
    let url = database.url();
    let copied = run(here, &["copy", "source.db", &url, "--quiet", "--json"]).await;
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let weakened = copied.json()["weakened"].to_string();
    let is_told = |at: usize| weakened.contains(&format!("\"c{at}\""));
    let told: Vec<&String> = (0..25)
        .filter(|at| is_told(*at))
        .map(|at| &families[at])
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|keys| keys.ends_with("SET DEFAULT")), "{told:?}");
    assert!(
        (25..families.len()).filter(|at| !is_told(*at)).count() > 10,
        "{weakened}"
    );
    let client = database.connect().await;
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    for at in (0..families.len()).filter(|at| !is_told(*at)) {
        for change in [
            "DELETE FROM p WHERE id = 1",
            "UPDATE p SET id = 5 WHERE id = 3",
            "DELETE FROM p WHERE id = 2",
            "UPDATE p SET id = 6 WHERE id = 1",
            "DELETE FROM p WHERE id IN (5, 6)",
            "DELETE FROM p WHERE id = 0",
        ] {
            let sql = change.replace(" p ", &format!(" p{at} "));
            let (ours, theirs) = (connection.execute_batch(&sql), client.batch_execute(&sql).await);
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "{sql} ({}): SQLite {ours:?}, PostgreSQL {theirs:?}",
                families[at]
            );
        }
    }
    drop(connection);
    let back = run(here, &["copy", &url, "back.db", "--quiet", "--json"]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    let (ours, theirs) = (
        Contents::read(&here.join("source.db")),
        Contents::read(&here.join("back.db")),
    );
    assert_eq!(differences(&ours, &theirs), Vec::<String>::new());
}

/// Families of three tables that refer to one another, to themselves and to a fourth, declared in any order.
fn clans(random: &mut Random) -> Vec<Vec<String>> {
    let mut clan = |at: usize| {
        let mut tables = vec![format!("CREATE TABLE p{at} (id INTEGER PRIMARY KEY)")];
        let turn = random.below(CLAN.len());
        for place in 0..CLAN.len() {
            let place = (place + turn) % CLAN.len();
            let mut parents = vec!["p"];
            for (other, name) in CLAN.iter().enumerate().take(place + 1) {
                if random.chance(if other == place { 15 } else { 60 }) {
                    parents.insert(random.below(parents.len() + 1), name);
                }
            }
            let columns: Vec<String> = parents
                .iter()
                .map(|parent| format!("{parent}x INTEGER"))
                .collect();
            let keys = parents.iter().map(|parent| {
                format!(
                    "FOREIGN KEY ({parent}x) REFERENCES {parent}{at} ON DELETE {} ON UPDATE {}{}",
                    random.pick(&ACTIONS[..4]),
                    random.pick(&ACTIONS[..4]),
                    random.pick(&["", "", "", " DEFERRABLE INITIALLY DEFERRED"])
                )
            });
            let parts = columns.iter().cloned().chain(keys);
            let parts: Vec<String> = parts.collect();
            tables.push(format!(
                "CREATE TABLE {}{at} (id INTEGER PRIMARY KEY, {})",
                CLAN[place],
                parts.join(", ")
            ));
            for id in 0..6 {
                let mut number = || random.pick(&["0", "1", "2", "3", "NULL"]);
                let values: Vec<&str> = parents.iter().map(|_| *number()).collect();
                tables.push(format!(
                    "INSERT INTO {}{at} VALUES ({id}, {})",
                    CLAN[place],
                    values.join(", ")
                ));
            }
        }
        tables.push(format!("INSERT INTO p{at} VALUES (0), (1), (2), (3)"));
        tables
    };
    (0..200).map(&mut clan).collect()
}

const CLAN: [&str; 3] = ["a", "b", "c"];

/// SQLite follows one foreign key to its end before the next, PostgreSQL all of them step by step. Where that can be seen it is told.
#[tokio::test]
async fn tables_that_are_reached_by_several_ways_act_as_before() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let connection = Connection::open(here.join("source.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    let mut random = Random(first_seed(SEEDS));
    let clans = clans(&mut random);
    for tables in &clans {
        connection.execute_batch(&tables.join("; ")).unwrap();
    }
    let database = TestDatabase::create().await;
    let url = database.url();
    let copied = run(here, &["copy", "source.db", &url, "--quiet", "--json"]).await;
    assert_eq!(copied.code, Some(0), "{copied:?}");
    let weakened = copied.json()["weakened"].to_string();
    let is_told = |at: usize| {
        CLAN.iter()
            .any(|name| weakened.contains(&format!("\"{name}{at}\"")))
    };
    let alike: Vec<usize> = (0..clans.len()).filter(|at| !is_told(*at)).collect();
    assert!(alike.len() > clans.len() / 2, "{weakened}");
    let client = database.connect().await;
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let mut refused = 0;
    for at in alike {
        for _ in 0..12 {
            let table = random.pick(&["p", "p", "p", "a", "b", "c"]);
            let (id, other) = (random.below(5), random.below(5));
            let sql = match random.below(4) {
                0 => format!("DELETE FROM {table}{at} WHERE id = {id}"),
                1 => format!("DELETE FROM {table}{at} WHERE id IN ({id}, {other})"),
                2 => format!("DELETE FROM {table}{at} WHERE id >= {id}"),
                _ => format!("UPDATE {table}{at} SET id = {} WHERE id = {id}", other + 4),
            };
            let (ours, theirs) = (connection.execute_batch(&sql), client.batch_execute(&sql).await);
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "{sql} ({:#?}): SQLite {ours:?}, PostgreSQL {theirs:?}",
                clans[at]
            );
            refused += u32::from(ours.is_err());
        }
        for table in ["p", "a", "b", "c"] {
            let sql = format!("SELECT * FROM {table}{at} ORDER BY id");
            let mut statement = connection.prepare(&sql).unwrap();
            let columns = statement.column_count();
            let ours = statement.query_map([], |row| (0..columns).map(|at| row.get(at)).collect());
            let ours: Vec<Vec<Option<i64>>> = ours.unwrap().map(Result::unwrap).collect();
            let theirs = client.query(&sql, &[]).await.unwrap();
            let theirs = theirs
                .iter()
                .map(|row| (0..columns).map(|at| row.get(at)).collect());
            assert_eq!(
                ours,
                theirs.collect::<Vec<Vec<Option<i64>>>>(),
                "{table}{at} ({:#?})",
                clans[at]
            );
        }
    }
    assert!(refused > 200, "{refused} changes were refused");
}

#[derive(Debug, Default)]
struct Outcome {
    wrong: Vec<String>,
    taken: u64,
    refused: u64,
}

/// A table whose rows are named by an INTEGER PRIMARY KEY, on both sides.
struct Table {
    name: String,
    target: String,
    key: String,
    key_target: String,
    /// The other columns that can be written: the name in SQLite, and in PostgreSQL that of the value and of its class.
    columns: Vec<(String, Vec<String>)>,
    /// Those without which a row is not the same at another moment.
    of_the_moment: BTreeSet<String>,
}

async fn insert_on_both_sides(seed: u64) -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let wish = Wish {
        rejects: false,
        rows: 12,
    };
    let script = fill(&Connection::open(here.join("source.db")).unwrap(), seed, wish);
    let database = TestDatabase::create().await;
    let url = database.url();
    let mut outcome = Outcome::default();
    let copied = run(here, &["copy", "source.db", &url, "--quiet", "--json"]).await;
    if copied.code != Some(0) {
        // Generated columns may make what is no text; that is another test's.
        return outcome;
    }
    let report = copied.json();
    let listed = |list: &str| report[list].as_array().unwrap().clone();
    let (weakened, not_carried) = (listed("weakened"), listed("not_carried"));
    let is_weaker = |table: &Table| {
        let of_table = |item: &Value| {
            [&table.name, &table.target]
                .iter()
                .any(|name| item["table"] == ***name)
        };
        let lost = |item: &Value| {
            let (name, sql) = (item["name"].as_str().unwrap(), item["sql"].as_str().unwrap());
            let is_rule = match item["kind"].as_str().unwrap() {
                "view" | "trigger" => false,
                "index" => sql.contains("UNIQUE"),
                _ => true,
            };
            is_rule && (name.starts_with(&table.name) || sql.contains(&identifier(&table.name)))
        };
        weakened.iter().any(of_table) || not_carried.iter().any(lost)
    };
    let client = database.connect().await;
    let sql =
        "SELECT source_table, source_column, table_name, column_name, class_column FROM cutover.rendering";
    let notes = client.query(sql, &[]).await.unwrap();
    let connection = Connection::open(here.join("source.db")).unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let mut random = Random(seed);
    for table in tables(&connection, &notes) {
        if is_weaker(&table) {
            continue;
        }
        let sql = format!(
            "SELECT {} FROM {}",
            identifier(&table.key),
            identifier(&table.name)
        );
        let keys: Vec<i64> = connection
            .prepare(&sql)
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        if keys.is_empty() {
            continue;
        }
        for at in 0..INSERTS {
            let (here, there) = table.insert(&mut random, &keys, NEW + at);
            let ours = connection.execute_batch(&here);
            let theirs = client.batch_execute(&there).await;
            match (&ours, &theirs) {
                (Ok(()), Ok(())) => outcome.taken += 1,
                (Err(_), Err(_)) => outcome.refused += 1,
                _ => {
                    outcome.wrong.push(format!(
                        "seed {seed}: SQLite {ours:?}, PostgreSQL {:?}\n{here}\n{there}\n{script}",
                        theirs.as_ref().map_err(ToString::to_string)
                    ));
                    return outcome;
                }
            }
        }
    }
    let back = run(here, &["copy", &url, "back.db", "--quiet", "--json"]).await;
    if back.code != Some(0) {
        outcome
            .wrong
            .push(format!("seed {seed}: back: {back:?}\n{script}"));
        return outcome;
    }
    drop(connection);
    let found = differences(
        &Contents::read(&here.join("source.db")),
        &Contents::read(&here.join("back.db")),
    );
    // The numbers that AUTOINCREMENT gives next are PostgreSQL's, which does not heed keys that were given.
    let found: Vec<String> = found
        .into_iter()
        .filter(|what| !what.contains("sequence"))
        .collect();
    if !found.is_empty() {
        outcome
            .wrong
            .push(format!("seed {seed}: {}\n{script}", found.join("\n")));
    }
    outcome
}

/// The tables that can be compared.
fn tables(connection: &Connection, notes: &[Row]) -> Vec<Table> {
    let mut made: BTreeMap<String, (String, BTreeMap<String, Vec<String>>)> = BTreeMap::new();
    for note in notes {
        let (target, column): (String, String) = (note.get(2), note.get(3));
        let class: Option<String> = note.get(4);
        let table = made
            .entry(note.get(0))
            .or_insert_with(|| (target, BTreeMap::new()));
        table
            .1
            .insert(note.get(1), std::iter::once(column).chain(class).collect());
    }
    let mut tables = Vec::new();
    for (name, (target, mut columns)) in made {
        let sql = "SELECT name, type, pk, dflt_value FROM pragma_table_xinfo(?1) WHERE hidden = 0";
        let described: Vec<(String, String, i64, Option<String>)> = connection
            .prepare(sql)
            .unwrap()
            .query_map([&name], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let keys: Vec<_> = described.iter().filter(|(_, _, pk, _)| *pk > 0).collect();
        let [(key, declared, ..)] = keys.as_slice() else {
            continue;
        };
        let clustered = "SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main'";
        let clustered: bool = connection
            .query_row(clustered, [&name], |row| row.get(0))
            .unwrap();
        if clustered || !declared.eq_ignore_ascii_case("INTEGER") {
            continue;
        }
        let Some(key_target) = columns.remove(key).and_then(|names| names.first().cloned()) else {
            continue;
        };
        let moving = |sql: &str| {
            ["now", "current", "random", "epoch"]
                .iter()
                .any(|word| sql.to_lowercase().contains(word))
        };
        let of_the_moment = described
            .iter()
            .filter(|(.., default)| default.as_deref().is_some_and(moving));
        let of_the_moment = of_the_moment.map(|(name, ..)| name.clone()).collect();
        columns.retain(|column, _| described.iter().any(|(name, ..)| name == column));
        tables.push(Table {
            key: key.clone(),
            key_target,
            columns: columns.into_iter().collect(),
            of_the_moment,
            name,
            target,
        });
    }
    tables
}

impl Table {
    /// A row of values of others, for SQLite and for PostgreSQL. Some columns are left to their defaults.
    fn insert(&self, random: &mut Random, keys: &[i64], new: i64) -> (String, String) {
        let donors: Vec<i64> = (0..3).map(|_| *random.pick(keys)).collect();
        let (mut here, mut there) = ([vec![], vec![]], [vec![], vec![]]);
        for (column, targets) in &self.columns {
            if random.chance(25) && !self.of_the_moment.contains(column) {
                continue;
            }
            let donor = random.below(donors.len());
            here[0].push(identifier(column));
            here[1].push(format!("d{donor}.{}", identifier(column)));
            for target in targets {
                there[0].push(identifier(target));
                there[1].push(format!("d{donor}.{}", identifier(target)));
            }
        }
        let statement = |table: &str, key: &str, [columns, values]: [Vec<String>; 2]| {
            let from = (0..donors.len()).map(|at| format!("{table} AS d{at}"));
            let chosen = donors
                .iter()
                .enumerate()
                .map(|(at, donor)| format!("d{at}.{} = {donor}", identifier(key)));
            format!(
                "INSERT INTO {table} ({}) SELECT {} FROM {} WHERE {}",
                std::iter::once(identifier(key))
                    .chain(columns)
                    .collect::<Vec<_>>()
                    .join(", "),
                std::iter::once(new.to_string())
                    .chain(values)
                    .collect::<Vec<_>>()
                    .join(", "),
                from.collect::<Vec<_>>().join(", "),
                chosen.collect::<Vec<_>>().join(" AND ")
            )
        };
        (
            statement(&identifier(&self.name), &self.key, here),
            statement(
                &format!("public.{}", identifier(&self.target)),
                &self.key_target,
                there,
            ),
        )
    }
}
