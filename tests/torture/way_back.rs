//! The way back from a PostgreSQL that was changed meanwhile: every row and every value, or a word.

use cutover_tests::rusqlite::Connection;

use crate::program::Ended;
use crate::theme::Theme;

/// A file that was copied, and the database as somebody has changed it since.
async fn changed(file: &str, sql: &str) -> Theme {
    let theme = Theme::new(file);
    theme.command("copy", &[]).await.with(0, "copy");
    theme.client().await.batch_execute(sql).await.unwrap();
    theme
}

/// The way back with this exit code: what was said in JSON, and the file.
async fn back(theme: &Theme, code: i32, flags: &[&str]) -> (serde_json::Value, Connection) {
    let flags = [flags, &["--json"]].concat();
    let (ended, path) = theme.brought_back(&flags).await;
    let report = ended.with(code, "copy of the way back").json();
    (report, Connection::open(path).unwrap())
}

/// The rows of a question, values as SQL, one a line.
#[track_caller]
fn rows(file: &Connection, sql: &str) -> Vec<String> {
    let mut statement = file.prepare(sql).unwrap();
    let width = statement.column_count();
    let row = |row: &cutover_tests::rusqlite::Row<'_>| {
        let values = (0..width).map(|at| row.get::<_, Option<String>>(at).unwrap().unwrap_or_default());
        Ok(values.collect::<Vec<_>>().join("|"))
    };
    statement
        .query_map([], row)
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// The names of a list of the report, each with its reason.
fn listed(report: &serde_json::Value, list: &str) -> Vec<String> {
    let entries = report[list].as_array().unwrap().iter();
    let name = |entry: &serde_json::Value| match entry["name"].as_str() {
        Some(name) => format!(
            "{} {name}: {}",
            entry["kind"].as_str().unwrap(),
            entry["reason"].as_str().unwrap()
        ),
        None => format!(
            "{}.{}: {}",
            entry["table"].as_str().unwrap(),
            entry["constraint"].as_str().unwrap(),
            entry["reason"].as_str().unwrap()
        ),
    };
    entries.map(name).collect()
}

#[track_caller]
fn lists(report: &serde_json::Value, list: &str, start: &str, reason: &str) {
    let found = listed(report, list);
    assert!(
        found
            .iter()
            .any(|entry| entry.starts_with(start) && entry.contains(reason)),
        "{list} does not have {start} … {reason}: {found:#?}"
    );
}

#[track_caller]
fn says(ended: &Ended, words: &[&str]) {
    for word in words {
        assert!(
            ended.stderr.contains(word),
            "{word} is not said: {}",
            ended.stderr
        );
    }
}

#[tokio::test]
async fn numbers_that_are_written_there_are_those_that_sqlite_would_have_stored() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, price NUMERIC(10,2), new DECIMAL, any); CREATE INDEX pi ON p (price);
         INSERT INTO p VALUES (1, 9.99, NULL, 1), (2, 20, NULL, 9007199254740993), (3, 100.5, NULL, 2.5);
         CREATE TABLE c (id STRING PRIMARY KEY, n INTEGER); INSERT INTO c VALUES ('abc', 'n/a'), ('def', 'x');
         CREATE TABLE u (k TEXT PRIMARY KEY, s STRING DEFAULT 5 CHECK (length(s) < 9), r STRING REFERENCES u (k));
         CREATE INDEX lower_s ON u (lower(s)); INSERT INTO u VALUES ('a', 'n/a', 'a');",
        "INSERT INTO u VALUES ('7', '5', '7'); INSERT INTO u (k) VALUES ('b'); UPDATE p SET price = 12.50, new = 7.00, \"any\" = 3.0 WHERE id = 1; UPDATE p SET price = price * 1.10, new = -0.10 WHERE id = 2;
         INSERT INTO p VALUES (4, 7.00, 1e19, 0.5); INSERT INTO c VALUES ('12345', '-5'), ('1.5', '1e300'), ('12a', '')",
    )
    .await;
    let (report, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(
        rows(
            &file,
            "SELECT quote(id), quote(price), quote(new), quote(any) FROM p ORDER BY id"
        ),
        [
            "1|12.5|7|3",
            "2|22|-0.1|9007199254740993",
            "3|100.5|NULL|2.5",
            "4|7|1.0e+19|0.5"
        ]
    );
    assert_eq!(
        rows(&file, "SELECT quote(id) FROM p WHERE price < 15 ORDER BY id"),
        ["1", "4"]
    );
    assert_eq!(
        rows(&file, "SELECT quote(id), quote(n) FROM c ORDER BY typeof(id), id"),
        ["12345|-5", "1.5|1.0e+300", "'12a'|''", "'abc'|'n/a'", "'def'|'x'"]
    );
    assert_eq!(rows(&file, "SELECT quote(n) FROM c WHERE id = '12345'"), ["-5"]);
    assert_eq!(
        rows(&file, "SELECT quote(k), quote(s), quote(r) FROM u ORDER BY k"),
        ["'7'|5|7", "'a'|'n/a'|'a'", "'b'|5|NULL"]
    );
    assert_eq!(rows(&file, "PRAGMA integrity_check"), ["ok"]);
}

#[tokio::test]
async fn rows_in_quarantine_whose_table_is_gone() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, CAST(x'ff' AS TEXT));",
    );
    let quarantine = ["--on-reject".to_owned(), "quarantine".to_owned()];
    theme.command("copy", &quarantine).await.with(1, "copy");
    theme
        .client()
        .await
        .batch_execute("ALTER TABLE t RENAME TO other")
        .await
        .unwrap();
    let (refused, _) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "copy of what is gone"),
        &["1 row is in quarantine", "table t", "--exclude t"],
    );
    let (_, file) = back(&theme, 0, &["--exclude", "t"]).await;
    assert_eq!(rows(&file, "SELECT v FROM other"), ["a"]);
    theme
        .client()
        .await
        .batch_execute("ALTER TABLE other RENAME TO t")
        .await
        .unwrap();
    let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(rows(&file, "SELECT hex(v) FROM t ORDER BY id"), ["61", "FF"]);
}

#[tokio::test]
async fn a_copy_of_other_tables_leaves_what_is_in_quarantine() {
    let theme = Theme::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES (1, 'a'), (2, CAST(x'ff' AS TEXT));
         CREATE TABLE b (id INTEGER PRIMARY KEY, d DATE); INSERT INTO b VALUES (1, '2024-02-29')",
    );
    let of = |table: &str| ["--tables", table, "--on-reject", "quarantine"].map(str::to_owned);
    theme.command("copy", &of("a")).await.with(1, "copy of a");
    theme.command("copy", &of("b")).await.with(0, "copy of b");
    let (_, file) = back(&theme, 0, &["--verify"]).await;
    assert_eq!(rows(&file, "SELECT hex(v) FROM a ORDER BY id"), ["61", "FF"]);
    let kept = "SELECT string_agg(key, ', ') FROM cutover.quarantine";
    let kept = async || {
        theme
            .client()
            .await
            .query_one(kept, &[])
            .await
            .unwrap()
            .get::<_, Option<String>>(0)
    };
    theme
        .command("copy", &[&of("a")[..], &["--replace".to_owned()]].concat())
        .await
        .with(1, "a again");
    assert_eq!(kept().await.as_deref(), Some("id = 2"), "kept once");
    crate::theme::execute(&theme.file, "UPDATE a SET v = 'b' WHERE id = 2");
    theme
        .command("copy", &["--replace".to_owned()])
        .await
        .with(0, "mended");
    assert_eq!(kept().await, None);
    // The other direction.
    let sql = "INSERT INTO b VALUES (2, 'infinity')";
    theme.client().await.batch_execute(sql).await.unwrap();
    let parts = theme.beside("parts.db", "");
    let url = theme.url().await;
    let copy = async |flags: &[&str]| {
        theme
            .program(&[&["copy", &url, &parts, "--on-reject", "quarantine"], flags].concat())
            .await
    };
    copy(&["--tables", "b"]).await.with(1, "b");
    copy(&["--tables", "a"]).await.with(0, "a");
    let file = Connection::open(&parts).unwrap();
    let kept = "SELECT key, value_column FROM _cutover_quarantine WHERE table_name = 'b'";
    assert_eq!(rows(&file, kept), ["id = 2|id", "id = 2|d"]);
    copy(&["--tables", "b", "--replace"]).await.with(1, "b again");
    assert_eq!(rows(&file, kept).len(), 2, "kept once");
}

#[tokio::test]
async fn a_row_that_the_file_cannot_hold_is_named_by_its_key() {
    for (table, name) in [
        ("(k TEXT PRIMARY KEY COLLATE NOCASE, n, d DATE)", "k = \"x\""),
        (
            "(k TEXT COLLATE NOCASE PRIMARY KEY, n, d DATE) WITHOUT ROWID",
            "k = \"x\"",
        ),
        (
            "(k TEXT COLLATE RTRIM, n, d DATE, PRIMARY KEY (k DESC))",
            "k = \"x\"",
        ),
        (
            "(k TEXT COLLATE NOCASE, n, d DATE, PRIMARY KEY (n, k))",
            "n = 7, k = \"x\"",
        ),
        ("(k TEXT COLLATE NOCASE, n, d DATE, UNIQUE (k))", "k = \"x\""),
        ("(k, n INTEGER PRIMARY KEY DESC, d DATE)", "n = 7"),
    ] {
        let file = format!("CREATE TABLE a {table}; INSERT INTO a VALUES ('x', 7, '2024-02-29')");
        let theme = changed(&file, "UPDATE a SET d = 'infinity'").await;
        let refused = theme.bring_back_fails().await;
        let told = format!("a.d where {name}: ");
        assert!(refused.stdout.contains(&told), "{table}: {}", refused.stdout);
    }
}

#[tokio::test]
async fn rows_that_only_postgres_could_hold_are_told_when_the_file_is_copied_again() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p DECIMAL(10,2)); INSERT INTO t VALUES (1, 1.5), (2, 2);",
        "INSERT INTO t VALUES (3, 'NaN'), (4, 'NaN')",
    )
    .await;
    let (_, path) = theme.brought_back(&["--on-reject", "quarantine"]).await;
    std::fs::copy(&path, &theme.file).unwrap();
    let again = theme
        .command("copy", &["--replace".to_owned()])
        .await
        .with(0, "copy again");
    lists(
        &again.json(),
        "not_carried",
        "quarantine t",
        "2 rows that this file could not take, in its _cutover_quarantine",
    );
}

#[tokio::test]
async fn numbers_that_sqlite_would_have_changed() {
    for (sql, table, words) in [
        ("INSERT INTO c VALUES ('007', 1)", "c", "007"),
        ("INSERT INTO c VALUES ('12.0', 1)", "c", "12.0"),
        ("INSERT INTO c VALUES (' 5', 1)", "c", " 5"),
        ("INSERT INTO p VALUES (2, 10.0 / 3)", "p", "id = 2"),
        ("INSERT INTO p VALUES (2, 'NaN')", "p", "id = 2"),
    ] {
        let theme = changed(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, price NUMERIC(10,2)); INSERT INTO p VALUES (1, 9.99);
             CREATE TABLE c (id STRING PRIMARY KEY, n INTEGER); INSERT INTO c VALUES ('abc', 1);",
            sql,
        )
        .await;
        let (ended, path) = theme.brought_back(&[]).await;
        let ended = ended.with(1, sql);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains(table) && said.contains(words), "{sql}: {said}");
        assert!(
            !path.exists()
                || !rows(
                    &Connection::open(&path).unwrap(),
                    "SELECT name FROM sqlite_schema"
                )
                .contains(&"p".to_owned())
        );
        let (report, file) = back(&theme, 1, &["--on-reject", "quarantine"]).await;
        assert_eq!(report["tables"].as_array().unwrap().len(), 2);
        assert_eq!(
            rows(
                &file,
                "SELECT quote(id) FROM c UNION ALL SELECT quote(price) FROM p"
            ),
            ["'abc'", "9.99"],
            "{sql}"
        );
    }
}

#[tokio::test]
async fn a_table_that_was_divided_into_partitions() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, v); INSERT INTO p VALUES (1, 'a'), (2, x'00'); CREATE TABLE q (x); INSERT INTO q VALUES (1);",
        "ALTER TABLE p RENAME TO o; CREATE TABLE p (LIKE o) PARTITION BY RANGE (id);
         CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (2); CREATE TABLE p2 PARTITION OF p DEFAULT;
         INSERT INTO p SELECT * FROM o; DROP TABLE o;
         CREATE TABLE own (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE own1 PARTITION OF own DEFAULT;
         INSERT INTO own VALUES (7, 'b'); CREATE TABLE child (id bigint PRIMARY KEY, own bigint REFERENCES own); INSERT INTO child VALUES (1, 7)",
    )
    .await;
    let (report, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(report["not_carried"].as_array().unwrap().len(), 0, "{report}");
    assert_eq!(
        rows(&file, "SELECT quote(id), quote(v) FROM p ORDER BY 1"),
        ["1|'a'", "2|X'00'"]
    );
    assert_eq!(rows(&file, "SELECT quote(id), v FROM own"), ["7|b"]);
    let tables =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' ORDER BY 1";
    assert_eq!(rows(&file, tables), ["child", "own", "p", "q"]);
    theme.verified_back(&[]).await.with(0, "verify of the way back");
    // It is seen, and not only not spoken of.
    theme
        .client()
        .await
        .batch_execute("UPDATE p SET v = '\\x01' WHERE id = 2")
        .await
        .unwrap();
    let verified = theme
        .verified_back(&[])
        .await
        .with(1, "verify of a changed partition");
    assert!(verified.stdout.contains('p'), "{}", verified.stdout);
    // A copy does not load into it, nor make another table beside it.
    let refused = theme
        .command("copy", &["--replace".to_owned()])
        .await
        .with(4, "copy into partitions");
    says(&refused, &["partitioned table p"]);
    theme
        .command(
            "copy",
            &["--replace".to_owned(), "--exclude".to_owned(), "p".to_owned()],
        )
        .await
        .with(0, "copy of the rest");
}

#[tokio::test]
async fn rows_that_are_elsewhere_end_it_unless_they_are_left_out() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE q (x); INSERT INTO q VALUES (1);",
        "ALTER TABLE p RENAME TO o; CREATE VIEW p AS SELECT * FROM o",
    )
    .await;
    let (refused, path) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "the way back"),
        &["p was a table and is a view", "--exclude p"],
    );
    assert!(!path.exists(), "a file that holds nothing stays");
    let (_, file) = back(&theme, 0, &["--exclude", "p"]).await;
    assert_eq!(rows(&file, "SELECT quote(id) FROM o"), ["1"]);
    let server = "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
        CREATE FOREIGN TABLE far (a text) SERVER files OPTIONS (filename '/dev/null')";
    if theme.client().await.batch_execute(server).await.is_ok() {
        let (refused, _) = theme.brought_back(&["--exclude", "p"]).await;
        says(
            &refused.with(4, "the way back"),
            &["foreign table far", "--exclude far"],
        );
        back(&theme, 0, &["--exclude", "p,far"]).await;
    }
}

#[tokio::test]
async fn a_column_that_was_renamed_or_dropped() {
    for (file, column) in [("n INT DEFAULT 5", "n"), ("n INT", "n"), ("n INT NOT NULL", "n")] {
        let theme = changed(
            &format!(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, {file}, m TEXT DEFAULT 'x'); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, NULL);
                 CREATE INDEX i ON t (\"n\"); CREATE INDEX j ON t (m); CREATE VIEW v AS SELECT \"n\" FROM t; CREATE VIEW w AS SELECT m FROM t;"
            ),
            "ALTER TABLE t RENAME n TO qty",
        )
        .await;
        let (report, file) = back(&theme, 1, &["--strict"]).await;
        lists(
            &report,
            "not_carried",
            &format!("column t.{column}"),
            "no such column any more",
        );
        assert_eq!(
            rows(&file, "SELECT quote(id), m, quote(qty) FROM t ORDER BY id"),
            ["1|a|1", "2||2"]
        );
        assert_eq!(
            rows(&file, "SELECT name FROM pragma_table_info('t')"),
            ["id", "m", "qty"]
        );
        // What stands on it is not made of something else, and is told.
        lists(&report, "weakened", "t.i: made as PostgreSQL has it", "qty");
        lists(&report, "weakened", "v.v: not made", "did not come");
        let others = "SELECT name FROM sqlite_schema WHERE type IN ('index', 'view') AND name NOT LIKE 'sqlite%' ORDER BY 1";
        assert_eq!(rows(&file, others), ["i", "j", "w"]);
        // PostgreSQL's own.
        assert_eq!(rows(&file, "SELECT name FROM pragma_index_info('i')"), ["qty"]);
        theme.verified_back(&[]).await.with(0, "verify of the way back");
    }
}

/// Rows that SQLite numbers are others than those that were meant.
#[tokio::test]
async fn a_key_that_is_gone_is_not_made_up_in_the_old_file() {
    for (sql, column) in [
        ("ALTER TABLE p RENAME id TO nr", "id"),
        ("ALTER TABLE p DROP id CASCADE", "id"),
        ("ALTER TABLE p RENAME n TO m", "n"),
    ] {
        let theme = changed(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, v, n INT NOT NULL); CREATE TABLE c (pid INTEGER REFERENCES p (id));
             INSERT INTO p VALUES (2, 'bob', 1), (3, 'eve', 2); INSERT INTO c VALUES (2)",
            sql,
        )
        .await;
        let (url, old) = (theme.url().await, theme.file.to_str().unwrap());
        let before = std::fs::read(old).unwrap();
        for flags in [&["--replace", "--dry-run"][..], &["--replace"]] {
            let refused = theme.program(&[&["copy", &url, old], flags].concat()).await;
            let remedy = format!("RENAME COLUMN … TO \"{column}\"");
            let words = [
                &format!("the column {column} of the table p"),
                &remedy,
                "a new file",
            ];
            says(&refused.with(4, sql), &words);
        }
        assert_eq!(std::fs::read(old).unwrap(), before, "{sql}");
        back(&theme, 0, &[]).await;
    }
}

/// A name that something else of an existing file has is no sign that it is there.
#[tokio::test]
async fn what_has_another_meaning_in_the_file_is_told() {
    let theme = changed(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES (1, 'x'); CREATE INDEX ix ON a (v); CREATE INDEX same ON a (v, id);
         CREATE VIEW vw AS SELECT id FROM a; CREATE TRIGGER tg AFTER INSERT ON a BEGIN UPDATE a SET v = 't' WHERE id = new.id; END",
        "SELECT 1",
    )
    .await;
    let url = theme.url().await;
    for (number, there) in [
        "CREATE TABLE o (q); CREATE INDEX ix ON o (q); CREATE VIEW vw AS SELECT 5; CREATE TRIGGER tg AFTER INSERT ON o BEGIN SELECT 1; END",
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); CREATE UNIQUE INDEX ix ON a (id, v); CREATE VIEW vw AS SELECT 5;
         CREATE INDEX same ON a(v,id); CREATE TRIGGER tg AFTER INSERT ON a BEGIN SELECT 1; END",
    ]
    .iter()
    .enumerate()
    {
        let path = theme.beside(&format!("there {number}.db"), "");
        let file = Connection::open(&path).unwrap();
        file.execute_batch(there).unwrap();
        let ended = theme.program(&["copy", &url, &path, "--strict", "--json"]).await;
        let report = ended.with(1, there).json();
        let weakened = report["weakened"].as_array().unwrap().iter();
        let weakened = weakened.map(|weak| weak["sql"].as_str().unwrap());
        assert_eq!(
            weakened.collect::<Vec<_>>(),
            [
                "CREATE INDEX ix ON a (v)",
                "CREATE VIEW vw AS SELECT id FROM a",
                "CREATE TRIGGER tg AFTER INSERT ON a BEGIN UPDATE a SET v = 't' WHERE id = new.id; END",
            ],
            "{report:#}"
        );
        for (name, kind) in [("a.ix", "index"), ("vw.vw", "view"), ("a.tg", "trigger")] {
            let reason = format!("the file has another {kind} of this name: CREATE ");
            lists(&report, "weakened", &format!("{name}: not made"), &reason);
        }
        let schema = "SELECT name FROM sqlite_schema WHERE name IN ('ix', 'vw', 'tg', 'same') ORDER BY 1";
        assert_eq!(rows(&file, schema), ["ix", "same", "tg", "vw"], "{there}");
    }
}

#[tokio::test]
async fn a_column_of_a_key_that_was_renamed() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT UNIQUE, v TEXT NOT NULL DEFAULT 'x' COLLATE NOCASE, CHECK (n > 0), CHECK (v <> ''));
         INSERT INTO t VALUES (1, 5, 'a'), (2, NULL, 'B');
         CREATE TABLE c (t INT REFERENCES t (n)); INSERT INTO c VALUES (5);",
        "ALTER TABLE t RENAME id TO key; ALTER TABLE t RENAME n TO qty",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    lists(&report, "not_carried", "column t.id", "no such column any more");
    lists(&report, "not_carried", "column t.n", "no such column any more");
    lists(
        &report,
        "not_carried",
        "check t.",
        "speaks of a column that is gone",
    );
    lists(
        &report,
        "weakened",
        "c.FOREIGN KEY (t) REFERENCES t (n)",
        "did not come with it",
    );
    assert_eq!(
        rows(&file, "SELECT quote(key), quote(qty), quote(v) FROM t ORDER BY 1"),
        ["1|5|'a'", "2|NULL|'B'"]
    );
    assert_eq!(
        rows(&file, "SELECT sql FROM sqlite_schema WHERE name = 't'"),
        [
            "CREATE TABLE t (v TEXT NOT NULL DEFAULT 'x' COLLATE NOCASE, \"key\" INTEGER NOT NULL, \"qty\" INTEGER, \
          CONSTRAINT \"t_pkey\" PRIMARY KEY (\"key\"), CONSTRAINT \"t_n_key\" UNIQUE (\"qty\"), CHECK (v <> ''))"
        ]
    );
    for refused in [
        "INSERT INTO t (key, v) VALUES (1, 1)",
        "INSERT INTO t (qty) VALUES (5)",
        "INSERT INTO t (v) VALUES ('')",
    ] {
        assert!(file.execute_batch(refused).is_err(), "{refused}");
    }
    theme.verified_back(&[]).await.with(0, "verify of the way back");
}

/// What SQLite's own DROP COLUMN does not do: a column of a UNIQUE constraint, of a CHECK, of what is computed from it.
#[tokio::test]
async fn a_column_that_was_dropped_takes_nothing_along_but_what_speaks_of_it() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
         CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT, pid INT REFERENCES p ON DELETE CASCADE, slug TEXT UNIQUE,
             name VARCHAR(20) COLLATE NOCASE UNIQUE, at DATETIME DEFAULT CURRENT_TIMESTAMP, g INT AS (n * 2) STORED, d TEXT,
             j TEXT AS (json_extract(d, '$.a')), CHECK (length(slug) < n) CONSTRAINT small CHECK (n < 100));
         INSERT INTO a (n, pid, slug, name, d) VALUES (21, 1, 's', 'Ann', '{\"a\":1}'), (22, 1, 't', 'Bob', '{}'); DELETE FROM a WHERE id = 2;
         CREATE TABLE w (a INT, b INT, c TEXT UNIQUE, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO w VALUES (1, 2, 'x');",
        "ALTER TABLE a DROP COLUMN slug; ALTER TABLE w DROP COLUMN c",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    assert_eq!(
        rows(&file, "SELECT sql FROM sqlite_schema WHERE name IN ('a', 'w') ORDER BY name"),
        [
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, n INT, pid INT REFERENCES p ON DELETE CASCADE,
             name VARCHAR(20) COLLATE NOCASE UNIQUE, at DATETIME DEFAULT CURRENT_TIMESTAMP, g INT AS (n * 2) STORED, d TEXT,
             j TEXT AS (json_extract(d, '$.a')), CONSTRAINT small CHECK (n < 100))",
            "CREATE TABLE w (a INT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID"
        ]
    );
    assert_eq!(
        rows(&file, "SELECT quote(id), quote(n), name, quote(g), j FROM a"),
        ["1|21|Ann|42|1"]
    );
    lists(&report, "not_carried", "column a.slug", "no such column any more");
    lists(
        &report,
        "not_carried",
        "check a.",
        "speaks of a column that is gone",
    );
    assert_eq!(report["not_carried"][0]["sql"], "slug TEXT UNIQUE", "{report}");
    assert_eq!(report["not_carried"].as_array().unwrap().len(), 3, "{report}");
    assert_eq!(report["weakened"].as_array().unwrap().len(), 0, "{report}");
    theme.verified_back(&[]).await.with(0, "verify of the way back");
    file.execute_batch("INSERT INTO a (n, pid) VALUES (1, 1)")
        .unwrap();
    assert_eq!(rows(&file, "SELECT quote(max(id)) FROM a"), ["3"]);
}

#[tokio::test]
async fn what_was_computed_from_a_column_that_is_gone_keeps_its_values() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d TEXT, k TEXT NOT NULL AS (json_extract(d, '$.k')) VIRTUAL, l TEXT AS (k || json_extract(d, '$.k')));
         INSERT INTO t (d) VALUES ('{\"k\":\"x\"}');",
        "ALTER TABLE t DROP COLUMN d",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    lists(
        &report,
        "not_carried",
        "generated column t.k",
        "what it is computed from is gone",
    );
    lists(
        &report,
        "not_carried",
        "generated column t.l",
        "what it is computed from is gone",
    );
    assert_eq!(
        rows(&file, "SELECT sql FROM sqlite_schema WHERE name = 't'"),
        ["CREATE TABLE t (id INTEGER PRIMARY KEY, k TEXT NOT NULL, l TEXT)"]
    );
    assert_eq!(rows(&file, "SELECT k, l FROM t"), ["x|xx"]);
    theme.verified_back(&[]).await.with(0, "verify of the way back");
}

#[tokio::test]
async fn a_table_that_is_gone_takes_with_it_what_needs_it_and_nothing_else() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, z INT REFERENCES z (x)); CREATE TABLE z (x PRIMARY KEY); INSERT INTO t VALUES (1, NULL);
         CREATE VIEW above AS SELECT * FROM v; CREATE VIEW v AS SELECT id FROM t; CREATE VIEW u AS SELECT id, x FROM t, z;
         CREATE VIEW broken AS SELECT a FROM nowhere;
         CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO z VALUES (1); END;
         CREATE TRIGGER h AFTER DELETE ON t BEGIN UPDATE t SET id = id; END;
         PRAGMA user_version = 7;",
        "DROP TABLE z CASCADE",
    )
    .await;
    for (flags, is_told) in [(vec!["--strict"], true), (vec!["--tables", "t"], false)] {
        let code = i32::from(is_told);
        let (report, file) = back(&theme, code, &flags).await;
        let told = listed(&report, "not_carried")
            .iter()
            .any(|entry| entry.starts_with("table z: "));
        assert_eq!(told, is_told, "{report}");
        lists(&report, "weakened", "t.g: not made", "did not come");
        lists(&report, "weakened", "u.u: not made", "did not come");
        lists(
            &report,
            "weakened",
            "t.FOREIGN KEY (z) REFERENCES z (x)",
            "did not come",
        );
        let others = "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY 1";
        assert_eq!(rows(&file, others), ["above", "broken", "h", "v"]);
        assert_eq!(rows(&file, "SELECT quote(id) FROM above"), ["1"]);
        file.execute_batch("PRAGMA foreign_keys = OFF; INSERT INTO t (id) VALUES (5); DELETE FROM t")
            .unwrap();
    }
}

#[tokio::test]
async fn a_table_that_was_renamed() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, f BOOLEAN DEFAULT 1); INSERT INTO t VALUES (1, 0);",
        "ALTER TABLE t RENAME TO t2",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    lists(&report, "not_carried", "table t: ", "new table");
    assert_eq!(rows(&file, "SELECT quote(id), quote(f) FROM t2"), ["1|0"]);
}

/// A file takes names that differ by the case of letters for one: so what is called otherwise in that way only is what it was.
#[tokio::test]
async fn a_name_that_was_changed_by_its_case_only() {
    const FILE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT, u UUID, m); CREATE INDEX i ON t (at); CREATE VIEW v AS SELECT at FROM t;
         CREATE TABLE c (t INTEGER REFERENCES t (id)); CREATE TRIGGER g AFTER DELETE ON t BEGIN DELETE FROM c; END;
         INSERT INTO t VALUES (1, '2024-01-31T10:20Z', x'00112233445566778899aabbccddeeff', 'x'),
             (2, '2024-01-31T10:20Z', x'00112233445566778899aabbccddeeff', 1); INSERT INTO c VALUES (2)";
    for (sql, told) in [
        ("ALTER TABLE t RENAME TO \"T\"", vec!["note T"]),
        ("ALTER TABLE t RENAME at TO \"At\"", vec!["note t.At"]),
        ("ALTER TABLE t RENAME m TO \"M\"", vec!["note t.M"]),
        (
            "ALTER TABLE t RENAME m__class TO \"M__class\"; ALTER TABLE t RENAME u TO \"U\"; ALTER TABLE t RENAME TO \"T\"",
            vec!["note T", "note T.U"],
        ),
    ] {
        let theme = changed(FILE, sql).await;
        theme.command("verify", &[]).await.with(0, sql);
        let (report, file) = back(&theme, 1, &["--strict"]).await;
        let names = listed(&report, "not_carried");
        let names: Vec<&str> = names
            .iter()
            .filter_map(|entry| Some(entry.split_once(':')?.0))
            .collect();
        assert_eq!(names, told, "{report}");
        assert_eq!(report["weakened"].as_array().unwrap().len(), 0, "{report}");
        let schema = "SELECT sql FROM sqlite_schema WHERE name NOT GLOB '_cutover*' AND name NOT GLOB 'sqlite_*' ORDER BY name";
        let values = "SELECT quote(id), quote(at), quote(u), quote(m) FROM t ORDER BY id";
        let before = Connection::open(&theme.file).unwrap();
        for question in [schema, values] {
            assert_eq!(rows(&file, question), rows(&before, question), "{sql}");
        }
        theme.verified_back(&[]).await.with(0, sql);
        let old = theme.duplicate("old.db");
        let (url, old) = (theme.url().await, old.to_str().unwrap());
        theme
            .program(&["copy", &url, old, "--replace", "--verify"])
            .await
            .with(0, sql);
        assert_eq!(
            rows(&Connection::open(old).unwrap(), values),
            rows(&before, values),
            "{sql}"
        );
    }
    for sql in [
        "DROP TABLE t CASCADE; CREATE TABLE \"T\" (id bigint, at text, u uuid, m text)",
        "ALTER TABLE t DROP at; ALTER TABLE t ADD \"At\" text",
    ] {
        let theme = changed(FILE, sql).await;
        theme.command("verify", &[]).await.with(1, sql);
        let (refused, _) = theme.brought_back(&[]).await;
        says(
            &refused.with(4, sql),
            &["was made as timestamp with time zone and is text now"],
        );
    }
}

/// The classes of values that are gone tell of nothing.
#[tokio::test]
async fn a_column_of_several_classes_that_was_dropped_or_renamed() {
    for (sql, fate, columns) in [
        ("ALTER TABLE t DROP m", "it is left out", vec!["id", "n"]),
        (
            "ALTER TABLE t RENAME m TO m2",
            "comes along",
            vec!["id", "n", "m2", "m__class"],
        ),
    ] {
        let theme = changed(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, m, n); INSERT INTO t VALUES (1, 'x', 'y'), (2, 1, 2)",
            sql,
        )
        .await;
        let (report, file) = back(&theme, 1, &["--strict"]).await;
        lists(&report, "not_carried", "column t.m: ", "no such column any more");
        lists(&report, "not_carried", "note t.m__class: ", fate);
        assert_eq!(report["not_carried"].as_array().unwrap().len(), 2, "{report}");
        assert_eq!(rows(&file, "SELECT name FROM pragma_table_info('t')"), columns);
        assert_eq!(rows(&file, "SELECT quote(n) FROM t ORDER BY id"), ["'y'", "2"]);
        theme.verified_back(&[]).await.with(0, sql);
    }
}

#[tokio::test]
async fn a_table_that_was_moved_to_another_schema() {
    for change in [
        "CREATE SCHEMA other; ALTER TABLE t SET SCHEMA other",
        "ALTER SCHEMA public RENAME TO other; CREATE SCHEMA public",
    ] {
        let theme = Theme::new(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, f BOOLEAN, v TEXT); INSERT INTO t VALUES (1, 0, 'a'), (2, 1, CAST(x'ff' AS TEXT));",
        );
        let quarantine = ["--on-reject", "quarantine"].map(str::to_owned);
        theme.command("copy", &quarantine).await.with(1, "copy");
        let client = theme.client().await;
        client.batch_execute(change).await.unwrap();
        let (refused, _) = theme.brought_back(&["--schema", "other"]).await;
        let remedy = r#"ALTER TABLE "other"."t" SET SCHEMA "public""#;
        says(
            &refused.with(4, change),
            &["1 row is in quarantine", "schema public", remedy, "--exclude t"],
        );
        client.batch_execute(remedy).await.unwrap();
        let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
        let values = "SELECT quote(f), hex(v) FROM t ORDER BY id";
        assert_eq!(rows(&file, values), ["0|61", "1|FF"], "{change}");
        let without = "ALTER TABLE t SET SCHEMA other; DELETE FROM cutover.quarantine";
        client.batch_execute(without).await.unwrap();
        let (report, file) = back(&theme, 1, &["--strict", "--schema", "other"]).await;
        lists(&report, "not_carried", "table t: ", remedy);
        assert_eq!(rows(&file, values), ["0|61"], "{change}");
    }
}

#[tokio::test]
async fn what_is_in_the_way_in_the_target_is_named() {
    for (made, named) in [
        (
            "CREATE TABLE t (id bigint) PARTITION BY RANGE (id)",
            "partitioned table t",
        ),
        ("CREATE VIEW t AS SELECT 1 AS id", "view t"),
        ("CREATE MATERIALIZED VIEW t AS SELECT 1 AS id", "view t"),
    ] {
        let theme = Theme::new(
            "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE u (x); INSERT INTO u VALUES (1);",
        );
        theme.client().await.batch_execute(made).await.unwrap();
        for flags in [vec![], vec!["--data-only".to_owned()]] {
            let refused = theme.command("copy", &flags).await.with(4, made);
            says(&refused, &[named, "--schema", "--exclude"]);
        }
        let flags = ["--exclude", "t"].map(str::to_owned);
        theme.command("copy", &flags).await.with(0, "copy of the rest");
    }
}

#[tokio::test]
async fn the_rules_of_a_table_that_postgres_made() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);",
        "CREATE TABLE p (id int PRIMARY KEY);
         CREATE TABLE c (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pid int NOT NULL REFERENCES p ON DELETE CASCADE,
             n text NOT NULL UNIQUE DEFAULT 'it''s' CHECK (n <> ''), b boolean DEFAULT true, r float8 DEFAULT 1.5, z float8 DEFAULT '-0',
             at timestamptz DEFAULT now(), g int GENERATED ALWAYS AS (pid + 1) STORED, s serial, e bigint REFERENCES t);
         CREATE INDEX i ON c (pid DESC, n); CREATE UNIQUE INDEX u ON c (r); CREATE INDEX w ON c (lower(n)); CREATE INDEX y ON c (b) WHERE b;
         CREATE INDEX h ON c USING hash (n);
         INSERT INTO p VALUES (1); INSERT INTO c (pid) VALUES (1);
         ALTER TABLE t ADD COLUMN d int NOT NULL DEFAULT 7, ADD COLUMN l timestamptz DEFAULT now(), ADD COLUMN k int REFERENCES p,
             ADD COLUMN o int UNIQUE; CREATE INDEX later ON t (d)",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    assert_eq!(
        rows(
            &file,
            "SELECT quote(id), quote(pid), n, quote(b), quote(r), quote(g), quote(s) FROM c"
        ),
        ["1|1|it's|1|1.5|2|1"]
    );
    theme.verified_back(&[]).await.with(0, "verify of the way back");
    let names = |sql: &str| rows(&file, sql);
    assert_eq!(
        names("SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1"),
        ["i", "later", "u"]
    );
    assert_eq!(
        names(
            "SELECT name, \"notnull\", dflt_value FROM (SELECT name, CAST(\"notnull\" AS TEXT) AS \"notnull\", dflt_value FROM pragma_table_info('c'))"
        ),
        [
            "id|1|",
            "pid|1|",
            "n|1|'it''s'",
            "b|0|1",
            "r|0|1.5",
            "z|0|",
            "at|0|",
            "g|0|",
            "s|1|",
            "e|0|"
        ]
    );
    assert_eq!(
        names("SELECT name, dflt_value FROM pragma_table_info('t')"),
        ["id|", "d|7", "l|", "k|", "o|"]
    );
    file.execute_batch("PRAGMA foreign_keys = ON; INSERT INTO c (pid, n, s, r) VALUES (1, 'b', 1, 2)")
        .unwrap();
    for refused in [
        "INSERT INTO c (pid, n, s) VALUES (9, 'c', 1)",
        "INSERT INTO c (pid, n, s) VALUES (1, 'b', 1)",
        "INSERT INTO c (pid, n, s) VALUES (NULL, 'd', 1)",
        "INSERT INTO c (pid, n, s, r) VALUES (1, 'd', 1, 1.5)",
        "INSERT INTO c (pid, n, s, e) VALUES (1, 'd', 1, 99)",
    ] {
        assert!(file.execute_batch(refused).is_err(), "{refused}");
    }
    file.execute_batch("DELETE FROM p").unwrap();
    assert_eq!(names("SELECT quote(count(*)) FROM c"), ["0"]);
    for (start, reason) in [
        ("check c.c_n_check", "expression of PostgreSQL"),
        ("default c.z", "same form"),
        ("default c.at", "same form"),
        ("default c.s", "same form"),
        ("generated column c.g", "plain column"),
        ("index c.w", "mean the same"),
        ("index c.y", "mean the same"),
        ("index c.h", "mean the same"),
        ("default t.l", "same form"),
    ] {
        lists(&report, "not_carried", start, reason);
    }
    assert_eq!(report["not_carried"].as_array().unwrap().len(), 9, "{report}");
    assert_eq!(
        names("SELECT sql FROM sqlite_schema WHERE name = 't'"),
        [
            "CREATE TABLE t (id INTEGER PRIMARY KEY, \"d\" INTEGER NOT NULL DEFAULT 7, \"l\" TEXT, \"k\" INTEGER, \"o\" INTEGER, \
          CONSTRAINT \"t_o_key\" UNIQUE (\"o\"), \
          CONSTRAINT \"t_k_fkey\" FOREIGN KEY (\"k\") REFERENCES \"p\" (\"id\") ON DELETE NO ACTION ON UPDATE NO ACTION)"
        ]
    );
}

#[tokio::test]
async fn names_that_differ_by_case_only() {
    let theme = changed(
        "CREATE TABLE t (a INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);",
        "ALTER TABLE t ADD \"A\" int DEFAULT 7",
    )
    .await;
    let (refused, path) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "columns alike"),
        &["columns a and A of the table t"],
    );
    assert!(!path.exists());
    let sql = "ALTER TABLE t DROP \"A\"; CREATE TABLE \"Own\" (\"Id\" int, \"ID\" int); CREATE TABLE own (x int); CREATE TABLE nothing ()";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (refused, _) = theme.brought_back(&["--exclude", "nothing"]).await;
    says(&refused.with(4, "tables alike"), &["tables Own and own"]);
    let (refused, _) = theme.brought_back(&["--exclude", "nothing,own"]).await;
    says(
        &refused.with(4, "columns alike"),
        &["columns Id and ID of the table Own"],
    );
    let (refused, _) = theme.brought_back(&["--exclude", "Own,own"]).await;
    says(&refused.with(4, "no columns"), &["table nothing has no columns"]);
    back(&theme, 0, &["--exclude", "Own,nothing", "--strict"]).await;
}

#[tokio::test]
async fn a_null_that_sqlite_would_make_a_number_of() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 'a');",
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER id DROP IDENTITY; ALTER TABLE t ALTER id DROP NOT NULL;
         INSERT INTO t (id, v) VALUES (NULL, 'b')",
    )
    .await;
    let (report, _) = back(&theme, 1, &[]).await;
    let reject = &report["rejects"][0];
    assert_eq!(reject["column"], "id", "{report}");
    assert!(reject["reason"].as_str().unwrap().contains("NULL"), "{report}");
}

#[tokio::test]
async fn a_zero_with_a_sign() {
    let theme = changed(
        "CREATE TABLE s (id INTEGER PRIMARY KEY, r REAL) STRICT; INSERT INTO s VALUES (1, 1.5); CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);",
        "UPDATE s SET r = '-0'; CREATE TABLE n (z float8); INSERT INTO n VALUES ('-0')",
    )
    .await;
    let (_, file) = back(&theme, 0, &["--strict"]).await;
    for sql in ["SELECT z FROM n", "SELECT r FROM s"] {
        let number: f64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(number.to_bits(), (-0.0_f64).to_bits(), "{sql}");
    }
    theme.verified_back(&[]).await.with(0, "verify of the way back");
    let sql = "ALTER TABLE t ADD z float8 DEFAULT '-0'; ALTER TABLE s ADD z float8 DEFAULT '-0'";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (_, file) = back(&theme, 0, &[]).await;
    for sql in ["SELECT z FROM t", "SELECT z FROM s"] {
        let number: f64 = file.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(number.to_bits(), (-0.0_f64).to_bits(), "{sql}");
    }
    // A table that is there has its types while it is loaded.
    file.execute_batch("DELETE FROM s; DELETE FROM n; DELETE FROM t; DROP TABLE _cutover_copy_run")
        .unwrap();
    let url = theme.url().await;
    let path = file.path().unwrap().to_owned();
    let refused = theme
        .program(&["copy", &url, &path, "--json"])
        .await
        .with(1, "copy into tables that are there")
        .json();
    assert!(
        refused["rejects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|reject| reject["column"] == "z" && reject["key"] == "id = 1"),
        "{refused}"
    );
}

/// A table that got a column has its own text, and its values are what they were.
#[tokio::test]
async fn a_column_that_came_later_changes_no_other() {
    let theme = Theme::made("theme.db", |path| {
        let file = Connection::open(path).unwrap();
        // A text of digits in a column of numbers, as a file may have it whose schema was another one.
        file.execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n, r REAL); INSERT INTO t VALUES (1, '007', 1.5), (2, 8, NULL);
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'n,', 'n NUMERIC NOT NULL,');",
        )
        .unwrap();
    });
    theme.command("copy", &[]).await.with(0, "copy");
    theme
        .client()
        .await
        .batch_execute("ALTER TABLE t ADD later text DEFAULT 'x'")
        .await
        .unwrap();
    let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(
        rows(&file, "SELECT quote(n), later FROM t ORDER BY id"),
        ["'007'|x", "8|x"]
    );
    assert_eq!(
        rows(&file, "SELECT sql FROM sqlite_schema WHERE name = 't'"),
        ["CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC NOT NULL, r REAL, \"later\" TEXT DEFAULT 'x')"]
    );
}

/// A generated column keeps no other from coming back as it is.
#[tokio::test]
async fn values_that_their_column_would_change_beside_one_that_is_computed() {
    let mut before = Vec::new();
    let read = "SELECT quote(c), quote(d), quote(stored), quote(virtual), quote(empty) FROM t ORDER BY id";
    let theme = Theme::made("theme.db", |path| {
        let file = Connection::open(path).unwrap();
        file.execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, c , d, stored INT AS (d + 1) STORED UNIQUE, virtual TEXT AS (c || d), empty AS (c IS NULL) STORED);
             INSERT INTO t (c, d) VALUES (1.0, 1), ('5', 2), (x'35', 3), (5, '4'), (NULL, NULL);
             CREATE TABLE u (id INTEGER PRIMARY KEY, c INTEGER DEFAULT 1, empty AS (c IS NULL) STORED);
             INSERT INTO u (c) VALUES (1.5);
             CREATE TABLE w (id INTEGER PRIMARY KEY, c INT, five AS (c = '5') STORED); INSERT INTO w (c) VALUES (5), (6);
             PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'c ,', 'c INT,');",
        )
        .unwrap();
        before = rows(&file, read);
    });
    theme.command("copy", &[]).await.with(0, "copy");
    let client = theme.client().await;
    client
        .batch_execute("INSERT INTO u DEFAULT VALUES")
        .await
        .unwrap();
    let (_, file) = back(&theme, 0, &["--verify"]).await;
    assert_eq!(rows(&file, read), before);
    assert_eq!(
        rows(&file, "SELECT quote(c), quote(empty) FROM u ORDER BY id"),
        ["1.5|0", "1.0|0"]
    );
    assert_eq!(
        rows(&file, "SELECT quote(c), quote(five) FROM w ORDER BY id"),
        ["5|1", "6|0"]
    );
    assert_eq!(rows(&file, "SELECT quote(rowid) FROM t WHERE stored = 5"), ["4"]);
    assert_eq!(rows(&file, "PRAGMA quick_check(u)"), ["ok"]);
}

#[tokio::test]
async fn a_decimal_that_came_to_a_strict_table() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT; INSERT INTO t VALUES (1), (2);",
        "ALTER TABLE t ADD price numeric DEFAULT 1.5, ADD b bytea; UPDATE t SET price = 3, b = '\\x00' WHERE id = 2",
    )
    .await;
    let (_, file) = back(&theme, 0, &["--strict"]).await;
    assert_eq!(
        rows(&file, "SELECT quote(price), quote(b) FROM t ORDER BY id"),
        ["1.5|NULL", "3|X'00'"]
    );
    theme.verified_back(&[]).await.with(0, "verify of the way back");
}

#[tokio::test]
async fn rows_that_were_kept_apart_are_equal_when_they_are_home() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n REAL); INSERT INTO t VALUES (1, 'a', 1.5), (2, 'b' || char(0), -0.5), (3, NULL, 2.5);
         CREATE TABLE k (v); INSERT INTO k VALUES ('x'), (CAST(x'ff' AS TEXT)), ('x');",
    );
    let flags = ["--on-reject", "quarantine", "--type", "k.v=text"].map(str::to_owned);
    theme
        .command("copy", &flags)
        .await
        .with(1, "copy with quarantine");
    let (_, file) = back(&theme, 0, &["--verify"]).await;
    assert_eq!(rows(&file, "SELECT quote(count(*)) FROM t"), ["3"]);
    assert_eq!(rows(&file, "SELECT quote(count(*)) FROM k"), ["3"]);
    let verified = theme.verified_back(&[]).await.with(0, "verify of the way back");
    assert!(
        verified.stdout.contains("1 row in quarantine in the source"),
        "{}",
        verified.stdout
    );
    // One that is not as it was is found, and named by its key.
    file.execute_batch(
        "UPDATE t SET n = -0.25 WHERE id = 2; DELETE FROM k WHERE rowid = (SELECT max(rowid) FROM k)",
    )
    .unwrap();
    let verified = theme
        .verified_back(&["--json"])
        .await
        .with(1, "verify of a changed file")
        .json();
    let tables = verified["tables"].as_array().unwrap();
    let of = |name: &str| tables.iter().find(|table| table["name"] == name).unwrap();
    assert_eq!(of("t")["different"][0]["key"]["id"], 2, "{verified}");
    assert_eq!(of("k")["missing"].as_array().unwrap().len(), 1, "{verified}");
    // Mended under the same key, it is there twice.
    let sql = "INSERT INTO t (id, v) VALUES (2, 'b')";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (refused, path) = theme.brought_back(&[]).await;
    says(
        &refused.with(1, "the way back"),
        &["t where id = 2", "cutover.quarantine", "delete it there"],
    );
    assert!(!path.exists(), "what was taken back leaves a file");
    // Under another name its value would be lost.
    let sql = "DELETE FROM t WHERE id = 2; ALTER TABLE t RENAME n TO m";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (refused, _) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "the way back"),
        &["the row of t where id = 2", "column n", "cutover.quarantine"],
    );
}

#[tokio::test]
async fn nothing_is_not_equal() {
    let theme = Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);");
    theme.command("copy", &[]).await.with(0, "copy");
    let flags = ["--exclude", "t"].map(str::to_owned);
    let ended = theme.command("verify", &flags).await.with(2, "verify of nothing");
    says(&ended, &["no table is left to compare"]);
}

#[tokio::test]
async fn what_could_not_be_made_leaves_no_file() {
    let theme = Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY);");
    let (refused, path) = theme.brought_back(&[]).await;
    says(&refused.with(2, "the way back of nothing"), &["has no tables"]);
    assert!(!path.exists());
    let sql = "CREATE TABLE sqlite_own (id int); INSERT INTO sqlite_own VALUES (1)";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (refused, path) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "a name that SQLite keeps"),
        &["sqlite_own", "rename it"],
    );
    assert!(!path.exists());
}

/// A schema of the application that is called like Cutover's own: nothing is read from its tables, or written beside them.
#[tokio::test]
async fn a_schema_of_somebody_else_that_is_called_cutover() {
    let theme = Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);");
    let sql = "CREATE SCHEMA cutover; CREATE TABLE cutover.rendering (a int, b text); CREATE TABLE cutover.ledger (x int);
               CREATE TABLE cutover.other (x int); CREATE TABLE u (id bigint PRIMARY KEY); INSERT INTO u VALUES (1)";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (refused, path) = theme.brought_back(&["--verify"]).await;
    assert!(!path.exists());
    let (url, file) = (theme.url().await, theme.duplicate("other.db"));
    let into = file.to_str().unwrap();
    for ended in [
        refused,
        theme.inspected_back().await,
        theme.program(&["verify", &url, into]).await,
        theme.command("verify", &[]).await,
        theme.command("copy", &[]).await,
    ] {
        says(
            &ended.with(4, "with such a schema"),
            &["not Cutover's own (ledger, rendering)", "RENAME TO"],
        );
    }
    let sql = "DROP TABLE cutover.ledger, cutover.rendering";
    theme.client().await.batch_execute(sql).await.unwrap();
    let (came, _) = theme.brought_back(&["--verify"]).await;
    came.with(0, "the way back with other tables in it");
    theme
        .command("copy", &["--verify".to_owned()])
        .await
        .with(0, "copy");
}

/// The tables are in another schema than the one that was looked at.
#[tokio::test]
async fn a_schema_without_tables_beside_others() {
    let theme = Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY);");
    let sql = "CREATE SCHEMA app; CREATE TABLE app.t (id int); CREATE SCHEMA sales; CREATE TABLE sales.t (id int) PARTITION BY RANGE (id);
               CREATE SCHEMA nothing; CREATE TEMPORARY TABLE t (id int)";
    let client = theme.client().await;
    client.batch_execute(sql).await.unwrap();
    let (refused, _) = theme.brought_back(&[]).await;
    for ended in [refused, theme.inspected_back().await] {
        says(
            &ended.with(2, "the way back of nothing"),
            &[
                "has no tables in the schema public; there are some in app, sales",
                "--schema",
            ],
        );
    }
    let (came, _) = theme.brought_back(&["--schema", "app"]).await;
    came.with(0, "the way back of another schema");
}

#[tokio::test]
async fn rows_that_break_a_rule_of_the_file_are_told() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT NOT NULL, m INT, CONSTRAINT small CHECK (m < 10 -- more
           )); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);",
        "ALTER TABLE t ALTER n DROP NOT NULL; ALTER TABLE t DROP CONSTRAINT small; INSERT INTO t VALUES (3, NULL, 3), (4, 4, 40), (5, NULL, NULL)",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    assert_eq!(rows(&file, "SELECT quote(count(*)) FROM t"), ["5"]);
    let of = |constraint: &str| {
        let mut entries = report["weakened"].as_array().unwrap().iter();
        entries
            .find(|entry| entry["constraint"] == constraint)
            .unwrap_or_else(|| panic!("{report}"))
    };
    assert_eq!(
        (&of("n")["rows"], &of("n")["keys"][1]),
        (&2.into(), &"rowid 5".into()),
        "{report}"
    );
    assert_eq!(
        (&of("small")["rows"], &of("small")["keys"][0]),
        (&1.into(), &"rowid 4".into()),
        "{report}"
    );
    theme.verified_back(&[]).await.with(0, "verify of the way back");
}

#[tokio::test]
async fn what_cannot_be_read_is_named_with_what_it_is() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mx); INSERT INTO t VALUES (1, 1), (2, 'a');",
        "SELECT 1",
    )
    .await;
    let url = theme.url().await;
    let ended = theme
        .program(&["copy", &url, "x.db", "--schema", "nosuch"])
        .await
        .with(2, "no schema");
    says(&ended, &["no schema \"nosuch\""]);
    theme
        .client()
        .await
        .batch_execute("ALTER TABLE t RENAME mx__class TO c")
        .await
        .unwrap();
    let (refused, path) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "the way back"),
        &["t.mx holds values of several classes", "is gone"],
    );
    assert!(!path.exists());
}

#[tokio::test]
async fn what_a_file_makes_of_another_is_not_told_as_missing() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE u (x); CREATE VIEW v AS SELECT * FROM t;
         CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO u VALUES (1); END;",
    );
    let other = theme.beside("other.db", "");
    let flags = ["--strict", "--json"].map(str::to_owned);
    let report = theme
        .copy_to(&other, &flags)
        .await
        .with(0, "copy to a file")
        .json();
    assert_eq!(report["not_carried"].as_array().unwrap().len(), 0, "{report}");
    let file = Connection::open(&other).unwrap();
    let others = "SELECT name FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY 1";
    assert_eq!(rows(&file, others), ["g", "v"]);
    // Without a table that it needs, one is told.
    let part = theme.beside("part.db", "");
    let flags = ["--strict", "--json", "--exclude", "u"].map(str::to_owned);
    let report = theme
        .copy_to(&part, &flags)
        .await
        .with(1, "copy to a file")
        .json();
    lists(&report, "weakened", "t.g: not made", "did not come");
    assert_eq!(rows(&Connection::open(&part).unwrap(), others), ["v"]);
}

#[tokio::test]
async fn a_file_in_wal_mode_comes_back_in_it() {
    for (mode, expected) in [("WAL", "wal"), ("DELETE", "delete"), ("TRUNCATE", "delete")] {
        let theme = changed(
            &format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);"),
            "SELECT 1",
        )
        .await;
        let (rehearsed, path) = theme.brought_back(&["--dry-run"]).await;
        rehearsed.with(0, "a rehearsal of the way back");
        assert!(!path.exists(), "{mode}");
        let (ended, path) = theme.brought_back(&["--strict", "--verify"]).await;
        ended.with(0, "the way back");
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let beside = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let mut beside = beside.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        assert!(
            !beside.any(|other| other != name && other.starts_with(&name)),
            "{mode}"
        );
        let file = Connection::open(path).unwrap();
        assert_eq!(rows(&file, "PRAGMA journal_mode"), [expected], "{mode}");
    }
}

#[tokio::test]
async fn a_sequence_that_was_set() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES (7); CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO u VALUES (3);",
        "ALTER TABLE t ALTER id RESTART WITH 500",
    )
    .await;
    let (_, file) = back(&theme, 0, &["--strict"]).await;
    assert_eq!(
        rows(&file, "SELECT name, quote(seq) FROM sqlite_sequence ORDER BY 1"),
        ["t|499", "u|3"]
    );
    theme
        .client()
        .await
        .batch_execute("INSERT INTO t DEFAULT VALUES")
        .await
        .unwrap();
    let (_, file) = back(&theme, 0, &["--strict"]).await;
    assert_eq!(
        rows(&file, "SELECT name, quote(seq) FROM sqlite_sequence ORDER BY 1"),
        ["t|500", "u|3"]
    );
}

#[tokio::test]
async fn what_the_file_computes_is_what_postgres_has() {
    for storage in ["", " WITHOUT ROWID"] {
        let theme = changed(
            &format!(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, g INT AS (n * 2) STORED, h AS (n || 'x')){storage};
                 INSERT INTO t (id, n) VALUES (1, 1), (2, NULL), (3, 3);"
            ),
            "ALTER TABLE t ALTER g DROP EXPRESSION",
        )
        .await;
        let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
        assert_eq!(
            rows(&file, "SELECT quote(g), h FROM t ORDER BY id"),
            ["2|1x", "NULL|", "6|3x"]
        );
        theme
            .client()
            .await
            .batch_execute("UPDATE t SET g = 77 WHERE id = 2")
            .await
            .unwrap();
        let (refused, path) = theme.brought_back(&[]).await;
        says(
            &refused.with(1, "the way back"),
            &["t.g where id = 2", "computes this column"],
        );
        assert!(!path.exists());
        let (report, file) = back(&theme, 1, &["--on-reject", "quarantine"]).await;
        assert_eq!(report["tables"][0]["rejected"], 1, "{report}");
        assert_eq!(rows(&file, "SELECT quote(id) FROM t ORDER BY id"), ["1", "3"]);
    }
}

/// SQLite makes another letter of half a surrogate pair wherever it calculates: what it has computed of one is not asked of it again.
#[tokio::test]
async fn what_is_computed_of_half_a_letter_comes_home_from_quarantine() {
    let theme = Theme::new(
        "PRAGMA encoding = 'UTF-16le';
         CREATE TABLE t (id INTEGER PRIMARY KEY, v, g GENERATED ALWAYS AS (v || '!') VIRTUAL, CHECK (v IN (0, 1, 'a', NULL)));
         INSERT INTO t (id, v) VALUES (1, 'a'), (2, 1);
         PRAGMA ignore_check_constraints = ON; INSERT INTO t (id, v) VALUES (3, CAST(x'00d8' AS TEXT));",
    );
    theme.quarantined(1, &["\"t\"", "\"v\"", "id = 3"]).await;
}

/// The planner of the application has figures again, of the rows that are there now.
#[tokio::test]
async fn the_planners_figures_are_made_again() {
    let figures = |back: &Connection| -> String {
        let sql = "SELECT group_concat(tbl || ' ' || coalesce(idx, '') || ' ' || stat) FROM (SELECT * FROM sqlite_stat1 ORDER BY tbl)";
        back.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX by_a ON t (a); INSERT INTO t VALUES (1, 'x'), (2, 'x'); ANALYZE;",
    );
    let copied = theme.equal().await;
    copied
        .client()
        .batch_execute("INSERT INTO t VALUES (3, 'y'), (4, 'z')")
        .await
        .unwrap();
    assert_eq!(figures(&copied.again().await), "t by_a 4 2");
    for (analyze, tables) in [
        ("", ""),
        // As a SQLite without samples leaves it.
        ("ANALYZE; DROP TABLE sqlite_stat4;", "sqlite_stat1"),
        ("ANALYZE;", "sqlite_stat1 sqlite_stat4"),
    ] {
        let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX by_a ON t (a); INSERT INTO t VALUES (1, 'x');";
        let theme = Theme::new(format!("{sql} {analyze}"));
        let back = theme.equal().await.again().await;
        let sql = "SELECT coalesce(group_concat(name, ' ' ORDER BY name), '') FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
        let found: String = back.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, tables);
    }
}

/// The most memory that a run of the program had, in MiB; it must end with 0.
async fn peak_of(theme: &Theme, arguments: &[&str]) -> u64 {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_cutover"))
        .args(arguments)
        .env_clear()
        .current_dir(theme.file.parent().unwrap())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    let ended = loop {
        // Until it is over, and then nothing.
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = kib.map_or(peak, |kib| peak.max(kib / 1024));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    assert!(ended.success(), "{arguments:?}: {ended}");
    peak
}

/// There may be more of it than there is memory.
#[tokio::test]
async fn what_is_in_quarantine_is_read_as_it_comes() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (0, CAST(x'ff' AS TEXT));",
    );
    let quarantine = ["--on-reject".to_owned(), "quarantine".to_owned()];
    theme.command("copy", &quarantine).await.with(1, "copy");
    let more = r#"INSERT INTO cutover.quarantine
        SELECT schema_name, table_name, part, n, key, column_name, reason, columns, classes,
               ARRAY[convert_to(n::text, 'UTF8'), "values"[2] || convert_to(repeat('x', 100000), 'UTF8')], quarantined_at
        FROM cutover.quarantine, generate_series(1, 2000) AS n"#;
    theme.client().await.batch_execute(more).await.unwrap();
    let url = theme.url().await;
    let peaks = [
        peak_of(&theme, &["copy", &url, "back.db", "--quiet"]).await,
        peak_of(&theme, &["verify", &url, "back.db", "--quiet"]).await,
    ];
    assert!(peaks.iter().all(|peak| *peak < 150), "{peaks:?} MiB for 200 MB");
    let back = Connection::open(theme.file.with_file_name("back.db")).unwrap();
    assert_eq!(
        rows(
            &back,
            "SELECT count(*) || ' ' || sum(length(CAST(v AS BLOB))) FROM t"
        ),
        ["2001 200002001"]
    );
}

/// A table is Cutover's own by its name and its columns, not by the beginning of its name.
#[tokio::test]
async fn a_table_that_is_called_like_our_own() {
    let theme = Theme::new(
        "CREATE TABLE _cutover_mine (x INT); INSERT INTO _cutover_mine VALUES (1), (2); CREATE INDEX _cutover_by_x ON _cutover_mine (x);
         CREATE TABLE _cutover_probe (x); CREATE VIEW v AS SELECT x FROM _cutover_probe; CREATE TABLE gone (x);",
    );
    theme.equal().await;
    let theme = changed(
        "CREATE TABLE _cutover_ledger (id INTEGER PRIMARY KEY); INSERT INTO _cutover_ledger VALUES (7); CREATE TABLE t (x); INSERT INTO t VALUES (1);",
        "DROP TABLE IF EXISTS nothing",
    )
    .await;
    let there = theme.client().await;
    let row = there
        .query_one("SELECT id FROM _cutover_ledger", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, i64>(0), 7);
    let (refused, _) = theme.brought_back(&[]).await;
    says(
        &refused.with(4, "a name that is taken"),
        &["_cutover_ledger", "--exclude"],
    );
    let (_, file) = back(&theme, 0, &["--exclude", "_cutover_ledger"]).await;
    assert_eq!(rows(&file, "SELECT quote(x) FROM t"), ["1"]);
}

/// PostgreSQL does not compute what its expressions cannot say, and the application writes rows without it.
#[tokio::test]
async fn a_column_that_is_left_to_the_file() {
    let theme = Theme::new(
        "CREATE TABLE wf (id INTEGER PRIMARY KEY, workflow TEXT NOT NULL, name TEXT NOT NULL GENERATED ALWAYS AS (json_extract(workflow, '$.name')) VIRTUAL,
             size INT AS (json_array_length(workflow, '$.l')));
         CREATE TABLE k (d TEXT, s AS (json_extract(d, '$.s')));
         INSERT INTO wf (workflow) VALUES ('{\"name\":\"one\",\"l\":[1]}'), ('{\"name\":\"two\"}'); INSERT INTO k (d) VALUES ('{\"s\":1}');",
    );
    let report = theme.command("copy", &[]).await.with(0, "copy").json();
    lists(
        &report,
        "weakened",
        "wf.name: made a plain column",
        "ALTER TABLE \"wf\" DROP COLUMN \"name\"",
    );
    lists(&report, "weakened", "wf.name: left out", "may leave it NULL");
    let there = theme.client().await;
    let written = "INSERT INTO wf (workflow) VALUES ('{\"name\":\"three\",\"l\":[]}'), ('{\"name\":\"four\"}'); INSERT INTO k (d) VALUES ('{\"s\":\"x\"}')";
    there.batch_execute(written).await.unwrap();
    let (report, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(
        rows(&file, "SELECT name, quote(size) FROM wf ORDER BY id"),
        ["one|1", "two|NULL", "three|0", "four|NULL"]
    );
    assert_eq!(rows(&file, "SELECT quote(s) FROM k"), ["1", "'x'"]);
    let of = |name: &str| {
        let mut tables = report["tables"].as_array().unwrap().iter();
        tables.find(|table| table["name"] == name).unwrap()["normalised"].clone()
    };
    assert_eq!(of("wf")["name"]["computed"], 2, "{report}");
    assert_eq!(of("wf")["size"]["computed"], 1, "{report}");
    assert_eq!(of("k")["s"]["computed"], 1, "{report}");
    let verified = theme.verified_back(&[]).await.with(0, "verify of the way back");
    assert!(
        verified
            .stdout
            .contains("2 rows leave to the file what it computes (name, size)"),
        "{}",
        verified.stdout
    );
    // Everything else of such a row counts, and so does a value that is there.
    file.execute_batch("UPDATE wf SET workflow = '{\"name\":\"drei\",\"l\":[]}' WHERE id = 3")
        .unwrap();
    let verified = theme
        .verified_back(&["--json"])
        .await
        .with(1, "verify of a changed file")
        .json();
    assert_eq!(
        verified["tables"][1]["different"][0]["columns"],
        serde_json::json!(["workflow"]),
        "{verified}"
    );
    file.execute_batch("UPDATE wf SET workflow = '{\"name\":\"three\",\"l\":[]}' WHERE id = 3")
        .unwrap();
    there
        .batch_execute("UPDATE wf SET size = 7 WHERE id = 3")
        .await
        .unwrap();
    let verified = theme
        .verified_back(&["--json"])
        .await
        .with(1, "verify of another value")
        .json();
    assert_eq!(
        verified["tables"][1]["different"][0]["columns"],
        serde_json::json!(["size"]),
        "{verified}"
    );
    let (refused, _) = theme.brought_back(&[]).await;
    says(
        &refused.with(1, "another value"),
        &["wf.size where id = 3", "ALTER TABLE \"wf\" DROP COLUMN \"size\""],
    );
    there
        .batch_execute("ALTER TABLE wf DROP COLUMN size")
        .await
        .unwrap();
    let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(rows(&file, "SELECT quote(size) FROM wf WHERE id = 3"), ["0"]);
}

/// Which row of the file a row without a key is, its other values tell, NULL among them; equal ones are found as often as they are there.
#[tokio::test]
async fn what_is_left_to_the_file_by_rows_without_a_key() {
    let theme = Theme::new(
        "CREATE TABLE t (a TEXT, b INTEGER, g INTEGER GENERATED ALWAYS AS (b IS NULL));
         INSERT INTO t (a) VALUES ('x'), (CAST(x'ff41' AS TEXT)), ('z');
         CREATE TABLE k (id TEXT PRIMARY KEY, a TEXT, g INTEGER AS (a IS NOT NULL) STORED);
         INSERT INTO k (id, a) VALUES (NULL, CAST(x'ff41' AS TEXT)), (NULL, 'a'), ('i', CAST(x'ff41' AS TEXT)), ('j', 'j');
         CREATE TABLE w (d TEXT, n INTEGER, s AS (json_extract(d, '$.s'))); INSERT INTO w (d) VALUES ('{\"s\":1}'), ('{\"s\":2}');",
    );
    let apart = ["--on-reject".to_owned(), "quarantine".to_owned()];
    let report = theme.command("copy", &apart).await.json();
    assert_eq!(report["tables"].as_array().unwrap().len(), 3, "{report}");
    let there = theme.client().await;
    let again = "INSERT INTO w (d) VALUES ('{\"s\":1}'), ('{\"s\":1}'), ('{\"s\":3}')";
    there.batch_execute(again).await.unwrap();
    let (_, file) = back(&theme, 0, &["--strict"]).await;
    assert_eq!(rows(&file, "SELECT quote(g) FROM t"), ["1", "1", "1"]);
    let verified = theme.verified_back(&[]).await.with(0, "verify of the way back");
    let note = "3 rows leave to the file what it computes (s)";
    assert!(verified.stdout.contains(note), "{}", verified.stdout);
    // Everything else of such rows counts.
    for (change, told) in [
        ("UPDATE t SET b = 1 WHERE a = 'z'", "\"t\""),
        ("UPDATE k SET a = 'b' WHERE id IS NULL AND a <> 'a'", "\"k\""),
        ("DELETE FROM w WHERE s = 3", "\"w\""),
        ("INSERT INTO w (d) VALUES ('{\"s\":2}')", "\"w\""),
    ] {
        file.execute_batch(&format!("BEGIN; {change}; COMMIT")).unwrap();
        let verified = theme.verified_back(&[]).await.with(1, change);
        assert!(verified.stdout.contains(told), "{}", verified.stdout);
    }
}

/// A type that pads with blanks, or cuts, gives other texts than were noted; one that only sets a limit does not.
#[tokio::test]
async fn a_text_of_another_type() {
    let file = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT, mixed);
         INSERT INTO t VALUES (1, 'ab', 1), (2, 'cd', 'x'), (3, NULL, 2.5);";
    let values = ["'ab'|1", "'cd'|'x'", "NULL|2.5"];
    let sql = "SELECT quote(code), quote(mixed) FROM t ORDER BY id";
    for (column, kind) in [
        ("code", "character(20)"),
        ("mixed", "character(20)"),
        ("code", "name"),
        ("mixed", "name"),
    ] {
        let theme = changed(file, &format!("ALTER TABLE t ALTER {column} TYPE {kind}")).await;
        let (refused, path) = theme.brought_back(&[]).await;
        let inspected = theme.inspected_back().await;
        let is_now = format!("t.{column} was made as text and is {kind} now");
        for ended in [refused, inspected] {
            says(&ended.with(4, column), &[&is_now, "TYPE text"]);
        }
        assert!(!path.exists());
        let mended = format!("ALTER TABLE t ALTER {column} TYPE text");
        theme.client().await.batch_execute(&mended).await.unwrap();
        let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
        assert_eq!(rows(&file, sql), values);
    }
    let limited = "ALTER TABLE t ALTER code TYPE varchar(9), ALTER mixed TYPE varchar(9)";
    let theme = changed(file, limited).await;
    theme.inspected_back().await.with(0, "inspect");
    let (_, file) = back(&theme, 0, &["--strict", "--verify"]).await;
    assert_eq!(rows(&file, sql), values);
    theme.verified_back(&[]).await.with(0, "verify of the way back");
}

/// What SQLite does not make without its key is made of what PostgreSQL has: values keep the form of their declared types, those that come later
/// as well.
#[tokio::test]
async fn a_table_that_has_lost_its_key_keeps_its_types() {
    let theme = changed(
        "CREATE TABLE made (a TEXT, b, n VARCHAR(9) COLLATE NOCASE DEFAULT 5, r REAL, PRIMARY KEY (a, b)) WITHOUT ROWID;
         INSERT INTO made VALUES ('007', 1, '1', 1.5);
         CREATE TABLE strict (a ANY, b INT PRIMARY KEY, c INT) STRICT, WITHOUT ROWID; INSERT INTO strict VALUES ('1', 1, 1), (2, 2, 2);",
        "DROP TABLE made; CREATE TABLE made (a text PRIMARY KEY, z jsonb, n text, r double precision);
         INSERT INTO made VALUES ('007', '{}', '08', 2), ('x', NULL, NULL, 0.5); ALTER TABLE strict DROP COLUMN b",
    )
    .await;
    let (report, file) = back(&theme, 0, &["--verify"]).await;
    lists(
        &report,
        "weakened",
        "made.made: ",
        "made of the columns and keys that PostgreSQL has",
    );
    let made = "SELECT sql FROM sqlite_schema WHERE name IN ('made', 'strict') ORDER BY name";
    assert_eq!(
        rows(&file, made),
        [
            "CREATE TABLE \"made\" (\"a\" TEXT NOT NULL, \"z\" TEXT, \"n\" VARCHAR(9), \"r\" REAL, CONSTRAINT \"made_pkey\" PRIMARY KEY (\"a\"))",
            "CREATE TABLE \"strict\" (\"a\" , \"c\" INT)"
        ]
    );
    file.execute_batch("INSERT INTO made (a, n, r) VALUES (8, 9, 10)")
        .unwrap();
    assert_eq!(
        rows(&file, "SELECT quote(a), quote(n), quote(r) FROM made ORDER BY a"),
        ["'007'|'08'|2.0", "'8'|'9'|10.0", "'x'|NULL|0.5"]
    );
    assert_eq!(
        rows(&file, "SELECT quote(a) FROM strict ORDER BY c"),
        ["'1'", "2"]
    );
}

/// What has no name is told by what it says, once.
#[tokio::test]
async fn a_rule_without_a_name_is_told_once() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id));
         PRAGMA foreign_keys = OFF; INSERT INTO c VALUES (1, 7)",
        "SELECT 1",
    )
    .await;
    let inspected = theme.inspected_back().await.with(0, "inspect");
    let (copied, _) = theme.brought_back(&[]).await;
    for ended in [inspected, copied] {
        let told = "weakened: c FOREIGN KEY (p) REFERENCES p (id)";
        assert!(ended.stdout.contains(told), "{}", ended.stdout);
        assert_eq!(ended.stdout.matches("FOREIGN KEY").count(), 1, "{}", ended.stdout);
    }
}

/// A row that was kept apart has no value of what PostgreSQL computes.
#[tokio::test]
async fn what_is_computed_of_a_row_in_quarantine_is_the_files() {
    let theme = Theme::new(
        "CREATE TABLE m (id INTEGER PRIMARY KEY, type TEXT, story INTEGER GENERATED ALWAYS AS (type IS 'story'), n INTEGER);
         INSERT INTO m (id, type, n) VALUES (1, 'story', 1), (2, NULL, 2), (3, CAST(x'610062' AS TEXT), 3);",
    );
    let flags = ["--on-reject", "quarantine"].map(str::to_owned);
    theme.command("copy", &flags).await.with(1, "copy");
    let (_, file) = back(&theme, 0, &["--verify"]).await;
    assert_eq!(
        rows(&file, "SELECT quote(story) FROM m ORDER BY id"),
        ["1", "0", "0"]
    );
    file.execute_batch("UPDATE m SET n = 4 WHERE id = 3").unwrap();
    let verified = theme
        .verified_back(&["--json"])
        .await
        .with(1, "verify of a changed file")
        .json();
    assert_eq!(
        verified["tables"][0]["different"][0]["columns"],
        serde_json::json!(["n"]),
        "{verified}"
    );
}

#[tokio::test]
async fn what_is_computed_from_what_is_computed() {
    let theme = Theme::new(
        "CREATE TABLE t (c AS (b + 1), d TEXT COLLATE NOCASE AS (e || '!'), a INT, b INT AS (a * 2), s TEXT, e TEXT AS (lower(s)) STORED, f AS (b > 4));
         INSERT INTO t (a, s) VALUES (1, 'X'), (NULL, NULL), (3, 'y');
         CREATE TABLE empty (d TEXT, big AS (length(d) > 3), half AS (length(d) / 2.0));",
    );
    let copied = theme.equal().await;
    let computed =
        "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attgenerated = 's'";
    assert_eq!(
        copied.query(computed).await,
        [[Some("b big c d e f half".to_owned())]]
    );
    copied
        .behaves(&[
            "INSERT INTO t (a, s) VALUES (7, 'Z')",
            "INSERT INTO empty (d) VALUES ('abcde')",
        ])
        .await
        .comes_back()
        .await;
}

/// What would come back is told by the way back itself.
#[tokio::test]
async fn inspect_of_a_database_is_a_look_at_the_way_back() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name VARCHAR(20) COLLATE NOCASE UNIQUE, at DATETIME DEFAULT CURRENT_TIMESTAMP, x, price DECIMAL(10,2),
             g AS (json_extract(name, '$')));
         INSERT INTO p (name, x, price) VALUES ('\"a\"', 1, 1.5), ('2', '1', 2), ('3', x'31', 3); CREATE INDEX ni ON p (name) WHERE x IS NOT NULL;
         CREATE VIEW v AS SELECT id FROM p;",
        "INSERT INTO p (name) VALUES ('4')",
    )
    .await;
    let url = theme.url().await;
    let inspected = theme
        .program(&["inspect", &url, "--json"])
        .await
        .with(0, "inspect");
    let told = inspected.json();
    assert_eq!(told["not_carried"].as_array().unwrap().len(), 0, "{told}");
    assert_eq!(told["weakened"].as_array().unwrap().len(), 0, "{told}");
    let columns = told["tables"][0]["columns"].as_array().unwrap();
    let kinds: Vec<&str> = columns
        .iter()
        .map(|column| column["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["INTEGER", "VARCHAR(20)", "DATETIME", "", "DECIMAL(10,2)", ""]
    );
    assert_eq!(
        (&told["tables"][0]["rows"], &told["tables"][0]["rejected"]),
        (&4.into(), &0.into())
    );
    let seen = theme
        .program(&["inspect", &url])
        .await
        .with(0, "inspect for a person")
        .stdout;
    assert!(
        seen.contains("in a SQLite file about") && !seen.contains("not carried"),
        "{seen}"
    );
    // What the copy refuses, lists and leaves out, it tells as the copy does.
    let there = theme.client().await;
    let sql = "ALTER TABLE p DROP COLUMN at; INSERT INTO p (id, price) VALUES (9, 'NaN'); UPDATE p SET g = 'other' WHERE id = 2";
    there.batch_execute(sql).await.unwrap();
    let told = theme
        .program(&["inspect", &url, "--json"])
        .await
        .with(1, "inspect of rejects")
        .json();
    lists(&told, "not_carried", "column p.at", "no such column any more");
    let rejects = told["tables"][0]["rejects"].as_array().unwrap();
    let keys: Vec<&str> = rejects
        .iter()
        .map(|reject| reject["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["id = 9", "id = 2"], "{told}");
    let (report, _) = back(&theme, 1, &["--on-reject", "quarantine"]).await;
    assert_eq!(report["not_carried"], told["not_carried"]);
    assert_eq!(report["weakened"], told["weakened"]);
    there
        .batch_execute("ALTER TABLE p RENAME TO o; CREATE VIEW p AS SELECT 1 AS id")
        .await
        .unwrap();
    let refused = theme
        .program(&["inspect", &url])
        .await
        .with(4, "inspect of what is refused");
    says(&refused, &["p was a table and is a view"]);
    let beside = std::fs::read_dir(theme.file.parent().unwrap()).unwrap().count();
    assert_eq!(beside, 1, "it leaves files behind");
}

#[tokio::test]
async fn rows_that_break_a_unique_index_are_named() {
    let theme = changed(
        "CREATE TABLE j (id INTEGER PRIMARY KEY, d TEXT); CREATE UNIQUE INDEX ju ON j (json_extract(d, '$.k') COLLATE NOCASE DESC) WHERE d IS NOT NULL;
         INSERT INTO j VALUES (1, '{\"k\":1}'), (2, '{}');
         CREATE TABLE m (id INTEGER PRIMARY KEY, v UNIQUE); INSERT INTO m VALUES (1, 1), (2, 'a');",
        "INSERT INTO j VALUES (3, '{\"k\":1.0}'), (4, '{\"k\":2}'), (5, '{}'), (6, NULL); INSERT INTO m VALUES (4, '1.0', 'real')",
    )
    .await;
    let (refused, _) = theme.brought_back(&[]).await;
    says(
        &refused.with(1, "the way back"),
        &["m where id = 4", "UNIQUE constraint failed: m.v"],
    );
    let (report, file) = back(&theme, 1, &["--on-reject", "quarantine"]).await;
    assert_eq!(report["rejects"][0]["column"], "", "{report}");
    let broken = &report["weakened"][0];
    assert_eq!(
        (&broken["constraint"], &broken["rows"]),
        (&"ju".into(), &2.into()),
        "{report}"
    );
    assert_eq!(
        broken["keys"],
        serde_json::json!(["rowid 1", "rowid 3"]),
        "{report}"
    );
    assert_eq!(rows(&file, "SELECT quote(count(*)) FROM j"), ["6"]);
}

/// A database that was never a file: what SQLite has no place for is told.
#[tokio::test]
async fn what_only_postgres_has_is_listed() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE DOMAIN needed AS int NOT NULL; CREATE DOMAIN greeting AS text DEFAULT 'hello' CHECK (length(value) < 10);
         CREATE TABLE dom (n needed, g greeting, own greeting DEFAULT 'own'); INSERT INTO dom (n) VALUES (1);
         CREATE TABLE lo (o oid); INSERT INTO lo VALUES (lo_from_bytea(0, 'bytes'));
         CREATE TABLE par (v text); CREATE TABLE chi (w int) INHERITS (par); INSERT INTO chi VALUES ('a', 1);
         CREATE TABLE plain (id int); CREATE RULE kept AS ON DELETE TO plain DO INSTEAD NOTHING; CREATE POLICY few ON plain USING (id > 3);
         CREATE SEQUENCE lonely",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    for (start, reason) in [
        ("check dom.g", "the domain greeting"),
        ("check dom.own", "the domain greeting"),
        ("large objects lo.o", "lo_export"),
        ("inheritance par", "the rows of chi as well"),
        ("rule plain.kept", "only tables are copied"),
        ("policy plain.few", "reads and writes all of it"),
        ("sequence lonely", "none but those of its keys"),
    ] {
        lists(&report, "not_carried", start, reason);
    }
    assert_eq!(report["not_carried"].as_array().unwrap().len(), 7, "{report}");
    assert_eq!(
        rows(
            &file,
            "SELECT name, \"notnull\" || '', dflt_value FROM pragma_table_info('dom')"
        ),
        ["n|1|", "g|0|'hello'", "own|0|'own'"]
    );
    let (report, _) = back(&theme, 1, &["--strict", "--exclude", "dom,lo,par,plain"]).await;
    assert_eq!(listed(&report, "not_carried").len(), 1, "{report}");
}

/// Keys that mean more in PostgreSQL are made for what they mean in both, or not at all if SQLite's would do something else.
#[tokio::test]
async fn what_a_key_means_beyond_sqlites_is_listed() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE TABLE a (id int, x int, n int UNIQUE NULLS NOT DISTINCT, m int UNIQUE DEFERRABLE,
                         e int, EXCLUDE (e WITH =), PRIMARY KEY (id, x));
         INSERT INTO a VALUES (1, 1, NULL, 1), (2, 2, 2, 2);
         CREATE TABLE some_set (id int PRIMARY KEY, a int, x int, FOREIGN KEY (a, x) REFERENCES a ON DELETE SET NULL (x));
         INSERT INTO some_set VALUES (1, 1, 1);
         CREATE TABLE whole (id int PRIMARY KEY, a int, x int, one int REFERENCES whole MATCH FULL, FOREIGN KEY (a, x) REFERENCES a MATCH FULL);
         INSERT INTO whole VALUES (1, 2, 2)",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    for (start, reason) in [
        ("key a.a_n_key", "any number of rows that have NULL there"),
        ("key a.a_m_key", "not at the end of the statement"),
        ("key a.a_e_excl", "a plain index"),
        (
            "foreign key some_set.some_set_a_x_fkey",
            "would set all of its columns",
        ),
        (
            "key whole.whole_a_x_fkey",
            "takes any row that has NULL in one of the columns",
        ),
    ] {
        lists(&report, "not_carried", start, reason);
    }
    assert_eq!(report["not_carried"].as_array().unwrap().len(), 5, "{report}");
    let sql = "FOREIGN KEY (a, x) REFERENCES a(id, x) ON DELETE SET NULL (x)";
    assert!(report.to_string().contains(sql), "{report}");
    let refers = |table: &str| {
        rows(
            &file,
            &format!("SELECT \"from\" FROM pragma_foreign_key_list('{table}') ORDER BY 1"),
        )
    };
    assert_eq!(refers("some_set"), [] as [&str; 0]);
    assert_eq!(refers("whole"), ["a", "one", "x"]);
    let unique = "SELECT count(*) || '' FROM pragma_index_list('a') WHERE \"unique\"";
    assert_eq!(rows(&file, unique), ["3"]);
}

/// Which of several foreign keys to one parent acts first is decided by when it was made, in the file as in PostgreSQL.
#[tokio::test]
async fn foreign_keys_to_one_parent_act_in_the_same_order() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1), (2), (3);
         CREATE TABLE refuses (id int PRIMARY KEY, a int REFERENCES users ON DELETE RESTRICT, b int REFERENCES users ON DELETE CASCADE);
         CREATE TABLE deletes (id int PRIMARY KEY, b int REFERENCES users ON DELETE CASCADE, a int REFERENCES users ON DELETE RESTRICT);
         INSERT INTO refuses VALUES (1, 1, 1); INSERT INTO deletes VALUES (2, 2, 2);",
    )
    .await;
    let (_, file) = back(&theme, 0, &["--strict"]).await;
    file.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let client = theme.client().await;
    for (id, is_done) in [(1, false), (2, true)] {
        let sql = format!("DELETE FROM users WHERE id = {id}");
        assert_eq!(client.batch_execute(&sql).await.is_ok(), is_done, "{sql}");
        assert_eq!(file.execute_batch(&sql).is_ok(), is_done, "{sql} in the file");
    }
    assert_eq!(rows(&file, "SELECT count(*) || '' FROM deletes"), ["0"]);
    // What NO ACTION says is asked last in a file.
    let sql = "CREATE TABLE asks (id int PRIMARY KEY, a int REFERENCES users, b int REFERENCES users ON DELETE CASCADE);
               CREATE TABLE asks_last (id int PRIMARY KEY, b int REFERENCES users ON DELETE CASCADE, a int REFERENCES users);
               INSERT INTO asks VALUES (3, 3, 3)";
    client.batch_execute(sql).await.unwrap();
    client
        .batch_execute("DELETE FROM users WHERE id = 3")
        .await
        .unwrap_err();
    let (report, _) = back(&theme, 1, &["--strict"]).await;
    lists(&report, "not_carried", "key asks.asks_a_fkey", "have acted");
    assert_eq!(listed(&report, "not_carried").len(), 1, "{report}");
}

/// PostgreSQL acts by all keys step by step, SQLite follows each to its end.
#[tokio::test]
async fn rows_that_are_reached_by_several_ways_are_told() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE groups (id int PRIMARY KEY, \"user\" int REFERENCES users ON DELETE CASCADE);
         CREATE TABLE members (id int PRIMARY KEY, \"group\" int REFERENCES groups ON DELETE CASCADE, \"user\" int REFERENCES users);
         CREATE TABLE tree (id int PRIMARY KEY, above int REFERENCES tree ON DELETE RESTRICT);
         INSERT INTO users VALUES (1); INSERT INTO groups VALUES (1, 1); INSERT INTO members VALUES (1, 1, 1);
         INSERT INTO tree VALUES (1, NULL), (2, 1);",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    lists(
        &report,
        "not_carried",
        "key members.members_user_fkey",
        "a DELETE in users also reaches rows of members",
    );
    lists(&report, "not_carried", "key tree.tree_above_fkey", "row by row");
    assert_eq!(listed(&report, "not_carried").len(), 2, "{report}");
    file.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let client = theme.client().await;
    for (sql, there, here) in [
        ("DELETE FROM users", false, true),
        ("DELETE FROM tree", true, false),
    ] {
        assert_eq!(client.batch_execute(sql).await.is_ok(), there, "{sql}");
        assert_eq!(file.execute_batch(sql).is_ok(), here, "{sql} in the file");
    }
}

/// SQLite compares what PostgreSQL prints, so that its keys take more.
#[tokio::test]
async fn keys_over_values_that_only_postgres_finds_equal() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE DOMAIN code AS char(3);
         CREATE TABLE c (id code PRIMARY KEY); INSERT INTO c VALUES ('a');
         CREATE TABLE j (id int PRIMARY KEY, v jsonb UNIQUE, n numeric, w numeric(5), t text UNIQUE); CREATE UNIQUE INDEX by_n ON j (n, id);
         CREATE UNIQUE INDEX by_w ON j (w); CREATE INDEX by_v ON j (v);
         INSERT INTO j VALUES (1, '[1.0]', 1.50, 1, 'x');",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    lists(&report, "weakened", "c.c_pkey", "blanks at their end");
    lists(&report, "weakened", "j.j_v_key", "[1] and [1.0]");
    lists(&report, "weakened", "j.by_n", "1.5 and 1.50");
    lists(&report, "weakened", "j.n", "CAST");
    assert_eq!(listed(&report, "weakened").len(), 4, "{report}");
    file.execute_batch("INSERT INTO c VALUES ('a'); INSERT INTO j (id, v) VALUES (2, '[1]')")
        .unwrap();
}

/// The file gives no number that PostgreSQL has given, or would not give.
#[tokio::test]
async fn numbers_go_on_in_a_file_where_a_sequence_was() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE TABLE far (id int GENERATED BY DEFAULT AS IDENTITY (START 100 INCREMENT 5) PRIMARY KEY, v text); INSERT INTO far (v) VALUES ('a');
         CREATE TABLE unused (id bigint GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY, v text);
         CREATE TABLE again (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text); ALTER TABLE again ALTER id RESTART WITH 40;
         CREATE TABLE gone (other serial, id serial PRIMARY KEY, v text); INSERT INTO gone (v) VALUES ('a'), ('b'); DELETE FROM gone WHERE id = 2;
         CREATE TABLE down (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY, v text);
         CREATE TABLE kept (id serial PRIMARY KEY); ALTER SEQUENCE kept_id_seq INCREMENT 2 MINVALUE -5 MAXVALUE 99 CYCLE;
         CREATE TABLE small (id smallint GENERATED ALWAYS AS IDENTITY (MINVALUE 0 START 1) PRIMARY KEY);
         CREATE SEQUENCE shared; CREATE TABLE foreigner (id int PRIMARY KEY DEFAULT nextval('shared'), v text)",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict", "--verify"]).await;
    lists(&report, "not_carried", "identity down.id", "they go up");
    let sequences = report["not_carried"].as_array().unwrap().iter();
    let sequences = sequences.filter(|entry| entry["kind"] == "sequence" && entry["name"] != "shared");
    let odd: Vec<String> = sequences
        .map(|entry| format!("{}: {}", entry["name"], entry["sql"]).replace('"', ""))
        .collect();
    assert_eq!(
        odd,
        [
            "down.id: INCREMENT BY -1",
            "far.id: INCREMENT BY 5",
            "kept.id: INCREMENT BY 2 MINVALUE -5 MAXVALUE 99 CYCLE",
            "small.id: MINVALUE 0",
        ]
    );
    lists(
        &report,
        "not_carried",
        "default foreigner.id",
        "no value that SQLite",
    );
    lists(
        &report,
        "not_carried",
        "default gone.other",
        "no value that SQLite",
    );
    for (table, next) in [("far", 105), ("unused", 7), ("again", 40), ("gone", 3)] {
        let sql = format!("INSERT INTO {table} (v) VALUES ('next') RETURNING id || ''");
        let sql = sql.replace("gone (v) VALUES (", "gone (other, v) VALUES (0, ");
        assert_eq!(rows(&file, &sql), [next.to_string()], "{table}");
    }
}

/// PostgreSQL says that the parents are there: the file must not say that they never were.
#[tokio::test]
async fn parents_that_only_the_file_misses() {
    let theme = changed(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, d REAL); INSERT INTO p VALUES (1, 0.5), (2, 1.5);
         CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p (id)); INSERT INTO c VALUES (1, 1), (2, 2), (3, 9);
         CREATE TABLE d (id INTEGER PRIMARY KEY, p INT REFERENCES p (id)); INSERT INTO d VALUES (1, 1), (2, 2);",
        "UPDATE p SET d = 'nan' WHERE id = 1;
         CREATE TABLE np (k numeric PRIMARY KEY); CREATE TABLE nc (id int PRIMARY KEY, k numeric REFERENCES np); INSERT INTO np VALUES (1.00), (2);
         INSERT INTO nc VALUES (1, 1.0), (2, 2);
         CREATE TABLE hp (k varchar(9) PRIMARY KEY); CREATE TABLE hc (k char(5) REFERENCES hp); INSERT INTO hp VALUES ('abc'); INSERT INTO hc VALUES ('abc')",
    )
    .await;
    let (report, _) = back(&theme, 1, &["--on-reject", "quarantine"]).await;
    let keys = |constraint: &str| {
        let mut entries = report["weakened"].as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["constraint"] == constraint);
        entry.unwrap_or_else(|| panic!("{constraint}: {report}"))["keys"].clone()
    };
    lists(
        &report,
        "weakened",
        "c.FOREIGN KEY (p)",
        "as they are in the source: their parents are missing",
    );
    for table in ["d.FOREIGN KEY (p)", "nc.nc_k_fkey", "hc.hc_k_fkey"] {
        lists(
            &report,
            "weakened",
            table,
            "in PostgreSQL they have their parents",
        );
    }
    assert_eq!(keys("nc_k_fkey"), serde_json::json!(["rowid 1"]));
    assert_eq!(keys("hc_k_fkey"), serde_json::json!(["rowid 1"]));
}

/// Every value is there as it was, and SQLite makes something else of some.
#[tokio::test]
async fn types_that_sqlite_orders_in_another_way() {
    let theme = changed(
        "CREATE TABLE old (x DECIMAL, y TEXT); INSERT INTO old VALUES (1.5, 'a');",
        "CREATE TABLE m (a numeric(10,2), whole numeric(10), b numeric, span interval, t text); INSERT INTO m VALUES (9.50, 7, 1.5, '1 mon', 'x'), (10.25, 8, 2, '3 days', 'y')",
    )
    .await;
    let (report, file) = back(&theme, 1, &["--strict"]).await;
    lists(&report, "weakened", "m.a", "CAST(\"a\" AS REAL)");
    lists(&report, "weakened", "m.span", "as text");
    assert_eq!(listed(&report, "weakened").len(), 2, "{report}");
    assert_eq!(
        rows(&file, "SELECT a || '' FROM m ORDER BY CAST(a AS REAL)"),
        ["9.50", "10.25"]
    );
    let inspected = theme.inspected_back().await.with(0, "inspect");
    assert!(
        inspected
            .stdout
            .contains("by its type here; each decimal keeps its digits"),
        "{}",
        inspected.stdout
    );
}

/// A key is told by what it is in PostgreSQL, where SQLite has no form for it.
#[tokio::test]
async fn a_reject_that_is_a_key() {
    let theme = changed(
        "CREATE TABLE old (x INT)",
        "CREATE TABLE k (a date PRIMARY KEY, b int); INSERT INTO k VALUES ('infinity', 1), ('2024-01-31', 2)",
    )
    .await;
    let (report, _) = back(&theme, 1, &["--on-reject", "quarantine"]).await;
    assert_eq!(report["rejects"][0]["key"], "a = infinity", "{report}");
}

/// An error in one row hides none of the others.
#[tokio::test]
async fn a_check_that_cannot_be_evaluated_for_every_row() {
    let check = "CHECK (json_array_length(p) < 3)";
    let theme = changed(
        &format!(
            "CREATE TABLE d (id INTEGER PRIMARY KEY, p JSON, {check}); INSERT INTO d VALUES (1, '[1]');
             CREATE TABLE w (k TEXT PRIMARY KEY, p JSON, {check}) WITHOUT ROWID; INSERT INTO w VALUES ('a', '[1]');"
        ),
        "INSERT INTO d VALUES (2, '[1,2,3,4]'), (3, 'x'), (4, NULL), (5, '[]'); INSERT INTO w VALUES ('b', 'x'), ('c', '[1,2,3]')",
    )
    .await;
    let (report, _) = back(&theme, 1, &["--strict"]).await;
    let keys: Vec<_> = report["weakened"]
        .as_array()
        .unwrap()
        .iter()
        .map(|weak| &weak["keys"])
        .collect();
    let expected = [
        serde_json::json!(["rowid 2", "rowid 3"]),
        serde_json::json!(["k = 'b'", "k = 'c'"]),
    ];
    assert_eq!(keys, expected.iter().collect::<Vec<_>>(), "{report}");
    lists(&report, "weakened", &format!("d.{check}"), "SQLite cannot say");
}

#[tokio::test]
async fn orphans_without_a_rowid_are_named_by_their_key() {
    let theme = Theme::new(
        "CREATE TABLE p (a TEXT, b TEXT COLLATE NOCASE, PRIMARY KEY (a, b)); INSERT INTO p VALUES ('1', 'x');
         CREATE TABLE c (k TEXT, n INT, a INT, b TEXT, \"o'k\" INT REFERENCES nowhere, PRIMARY KEY (k, n), FOREIGN KEY (a, b) REFERENCES p) WITHOUT ROWID;
         INSERT INTO c VALUES ('it''s', 1, 1, 'X', NULL), ('b', 2, 2, 'x', NULL), ('c', 3, NULL, 'x', 5), ('d', 4, 1, 'y', NULL);",
    );
    let inspected = theme.inspect(&[]).await.with(0, "inspect").json();
    let mut tables = inspected["tables"].as_array().unwrap().iter();
    let orphans = &tables.find(|table| table["name"] == "c").unwrap()["orphans"];
    let first = |at: usize| orphans[at]["first"].clone();
    let (of_nowhere, of_p) = if orphans[0]["about"] == "(a, b) REFERENCES p" {
        (1, 0)
    } else {
        (0, 1)
    };
    assert_eq!(
        first(of_p),
        serde_json::json!(["k = 'b', n = 2", "k = 'd', n = 4"]),
        "{orphans}"
    );
    assert_eq!(
        first(of_nowhere),
        serde_json::json!(["k = 'c', n = 3"]),
        "{orphans}"
    );
    theme.command("copy", &[]).await.with(0, "copy");
    let (report, _) = back(&theme, 1, &["--strict"]).await;
    let of = |constraint: &str| {
        let mut entries = report["weakened"].as_array().unwrap().iter();
        entries
            .find(|entry| entry["constraint"] == constraint)
            .unwrap_or_else(|| panic!("{report}"))
            .clone()
    };
    let broken = of("FOREIGN KEY (a, b) REFERENCES p (a, b)");
    assert_eq!(
        broken["keys"],
        serde_json::json!(["k = 'b', n = 2", "k = 'd', n = 4"]),
        "{report}"
    );
    let broken = of("FOREIGN KEY (o'k) REFERENCES nowhere");
    assert!(
        broken["reason"]
            .as_str()
            .unwrap()
            .contains("there is no table nowhere"),
        "{report}"
    );
}

#[tokio::test]
async fn a_key_over_more_columns_than_an_index_has() {
    let columns: Vec<String> = (0..33).map(|at| format!("c{at}")).collect();
    let list = columns.join(", ");
    let theme = Theme::new(format!(
        "CREATE TABLE t ({list}, v, PRIMARY KEY ({list})); INSERT INTO t (c0, v) VALUES (1, 1); CREATE INDEX i ON t ({list}); CREATE INDEX j ON t ({});",
        columns[1..].join(", ")
    ));
    let inspected = theme.inspect(&[]).await.with(0, "inspect").json();
    lists(&inspected, "not_carried", "primary key t.t_pkey", "33 columns");
    lists(&inspected, "not_carried", "index i", "33 columns");
    assert_eq!(
        inspected["not_carried"].as_array().unwrap().len(),
        2,
        "{inspected}"
    );
    let copied = theme.equal().await;
    let indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'";
    assert_eq!(copied.query(indexes).await, [[Some("j".to_owned())]]);
}

/// Types that Cutover does not read otherwise come as PostgreSQL prints them.
#[tokio::test]
async fn what_is_printed_comes_as_text() {
    let theme = changed(
        "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE TABLE s (id INTEGER PRIMARY KEY) STRICT; INSERT INTO s VALUES (1);",
        "CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN feeling AS mood; ALTER TABLE t ADD m mood DEFAULT 'sad', ADD f feeling, ADD a int[], ADD i interval,
             ADD c money, ADD o oid, ADD ip inet, ADD at timestamptz[], ADD b bytea[], ADD r int4range, ADD n float8[]; ALTER TABLE s ADD a text[];
         DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET intervalstyle = ''sql_standard''', current_database());
             EXECUTE format('ALTER DATABASE %I SET bytea_output = ''escape''', current_database());
         END $$;
         UPDATE t SET f = 'it''s ok', a = '{1,NULL}', i = '1 mon 2 days 03:04:05.5', c = 12.5, o = 4000000000, ip = '::1',
             at = ARRAY['2024-01-31 10:00:00+02'::timestamptz], b = ARRAY['\\x00ff'::bytea], r = '[1,5)', n = '{0.1,NaN}' WHERE id = 2;
         UPDATE s SET a = '{x,\"y z\"}'; CREATE TABLE own (id int PRIMARY KEY, m mood NOT NULL); INSERT INTO own VALUES (1, 'sad')",
    )
    .await;
    let (_, file) = back(&theme, 1, &["--strict", "--verify"]).await;
    assert_eq!(
        rows(
            &file,
            "SELECT m, f, a, i, c, o, ip, at, b, r, n FROM t ORDER BY id"
        ),
        [
            "sad||||||||||",
            "sad|it's ok|{1,NULL}|1 mon 2 days 03:04:05.5|$12.50|4000000000|::1/128|{\"2024-01-31 08:00:00+00\"}|{\"\\\\x00ff\"}|[1,5)|{0.1,NaN}"
        ]
    );
    assert_eq!(rows(&file, "SELECT a, typeof(a) FROM s"), ["{x,\"y z\"}|text"]);
    assert_eq!(rows(&file, "SELECT m FROM own"), ["sad"]);
}

#[tokio::test]
async fn small_things_that_are_told() {
    let theme = Theme::made("theme.db", |path| {
        let file = Connection::open(path).unwrap();
        file.execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, \"new
line\" INT, b BLOB); INSERT INTO t (b) VALUES (x'00'); CREATE TABLE u (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO u VALUES (3);
             CREATE TABLE p (k INT); CREATE TABLE c (k INT REFERENCES p (k));
             CREATE TABLE low (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO low VALUES (500);
             CREATE TABLE none (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO none VALUES (5); DELETE FROM sqlite_sequence WHERE name = 'none';
             INSERT INTO sqlite_sequence VALUES ('t', 7), ('gone', 1); UPDATE sqlite_sequence SET seq = '5x' WHERE name = 'u';
             UPDATE sqlite_sequence SET seq = 100 WHERE name = 'low';",
        )
        .unwrap();
    });
    let report = theme.command("copy", &[]).await.with(0, "copy").json();
    lists(&report, "not_carried", "sequence gone", "no such table");
    lists(&report, "not_carried", "sequence t", "2 rows");
    lists(&report, "not_carried", "sequence u", "no integer");
    lists(
        &report,
        "not_carried",
        "sequence low",
        "has 100 for it, below its largest key 500",
    );
    lists(
        &report,
        "not_carried",
        "sequence none",
        "has nothing for it, below its largest key 5",
    );
    let next = "INSERT INTO low DEFAULT VALUES RETURNING id";
    let given: i64 = theme.client().await.query_one(next, &[]).await.unwrap().get(0);
    let file = Connection::open(theme.duplicate("used")).unwrap();
    assert_eq!(
        rows(&file, "INSERT INTO low DEFAULT VALUES RETURNING CAST(id AS TEXT)"),
        [given.to_string()]
    );
    let key = report["not_carried"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["kind"] == "foreign key")
        .unwrap();
    assert!(
        key["reason"].as_str().unwrap().ends_with("are not unique there"),
        "{key}"
    );
    let file = theme.file.to_str().unwrap();
    let seen = theme.program(&["inspect", file]).await.with(0, "inspect").stdout;
    assert!(
        seen.contains("\n  new\\nline ") && !seen.contains("1 bytes"),
        "{seen}"
    );
    // A table that is not there is a table of missing rows.
    let there = theme.client().await;
    there.batch_execute("DROP TABLE t").await.unwrap();
    let flags = ["--tables", "t"].map(str::to_owned);
    let verified = theme.command("verify", &flags).await.with(1, "verify").json();
    assert_eq!(verified["tables"][0]["counts"]["missing"], 1, "{verified}");
    // A deferred constraint that refuses rows as they are committed is no business of somebody who wants to hear nothing.
    there
        .batch_execute(
            "TRUNCATE u; CREATE TABLE parent (id bigint PRIMARY KEY);
             ALTER TABLE u ADD FOREIGN KEY (id) REFERENCES parent DEFERRABLE INITIALLY DEFERRED",
        )
        .await
        .unwrap();
    let url = theme.url().await;
    let quiet = theme
        .program(&["copy", file, &url, "--data-only", "--tables", "u", "--quiet"])
        .await
        .with(0, "a quiet copy");
    assert_eq!(quiet.stderr, "");
    there.batch_execute("TRUNCATE u").await.unwrap();
    let loud = theme
        .program(&["copy", file, &url, "--data-only", "--tables", "u"])
        .await
        .with(0, "a copy");
    assert!(
        !loud.stderr.contains("no transaction") && loud.stderr.contains("set aside"),
        "{}",
        loud.stderr
    );
}
