//! Keys and rowids: the next key is above every old one, and no key merges two rows.

use cutover_tests::rusqlite::Connection;

use crate::theme::Theme;

#[tokio::test]
async fn tables_without_rowid() {
    let theme = Theme::new(
        "CREATE TABLE words (w TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
         CREATE TABLE pairs (a TEXT, b INTEGER, c REAL, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
         CREATE TABLE numbers (id INTEGER PRIMARY KEY, x TEXT) WITHOUT ROWID;
         INSERT INTO words VALUES ('b', 1), ('a', 2), ('', 3), ('A', 4), ('ä', 5);
         INSERT INTO pairs VALUES ('x', 1, 0.5), ('x', 2, 1.5), ('y', 1, NULL); INSERT INTO numbers VALUES (5, 'five'), (-1, 'less');",
    );
    let copied = theme.equal().await;
    copied
        .behaves(&[
            "INSERT INTO words VALUES ('a', 9)",
            "INSERT INTO words VALUES (NULL, 9)",
            "INSERT INTO words VALUES ('c', 9)",
            "INSERT INTO pairs VALUES ('x', 2, 9)",
            "INSERT INTO pairs VALUES ('z', 2, 9)",
            "INSERT INTO numbers (x) VALUES ('no number')",
            "INSERT INTO numbers VALUES (6, 'six')",
        ])
        .await;
}

#[tokio::test]
async fn keys_in_another_order_than_the_columns() {
    let theme = Theme::new(
        "CREATE TABLE t (a INTEGER, b TEXT, c TEXT, d INTEGER, UNIQUE (b, d), UNIQUE (d, c, a), PRIMARY KEY (c, a));
         INSERT INTO t VALUES (1, 'b', 'c', 4), (1, 'b', 'd', 5), (2, 'x', 'c', 4), (3, NULL, 'c', 4), (4, NULL, 'c', 4);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO t VALUES (1, 'q', 'c', 9)",
            "INSERT INTO t VALUES (9, 'b', 'c', 4)",
            "INSERT INTO t VALUES (9, 'b', 'c', 6)",
            "INSERT INTO t VALUES (10, NULL, 'c', 4)",
        ])
        .await;
}

#[tokio::test]
async fn columns_that_are_twice_in_a_key() {
    let theme = Theme::new(
        "CREATE TABLE t (a INTEGER, b TEXT, UNIQUE (a, a)); CREATE TABLE u (a INTEGER NOT NULL, b TEXT NOT NULL, PRIMARY KEY (b, a, b));
         INSERT INTO t VALUES (1, 'b'), (2, 'b'), (NULL, 'x'), (NULL, 'x'); INSERT INTO u VALUES (1, 'b'), (2, 'b'), (1, 'c');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO t VALUES (1, 'q')",
            "INSERT INTO t VALUES (NULL, 'q')",
            "INSERT INTO u VALUES (2, 'b')",
            "INSERT INTO u VALUES (2, 'c')",
        ])
        .await;
}

#[tokio::test]
async fn no_key_and_rows_that_are_alike() {
    let theme = Theme::new(
        "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, NULL), (NULL, NULL), (2, 'y');
         CREATE TABLE names (rowid TEXT, oid TEXT, _rowid_ TEXT); INSERT INTO names VALUES ('a', 'b', 'c'), ('a', 'b', 'c');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO t VALUES (1, 'x')",
            "SELECT count(*) FROM t WHERE a = 1",
        ])
        .await;
}

#[tokio::test]
async fn integer_keys_that_are_negative_nought_and_wide() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
         INSERT INTO t VALUES (-5, 'a'), (0, 'b'), (3, 'c'), (5000000000, 'd'), (-9223372036854775808, 'e');
         CREATE TABLE negative (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO negative VALUES (-7, 'x');
         CREATE TABLE empty (id INTEGER PRIMARY KEY, v TEXT);
         CREATE TABLE late (v TEXT, id INTEGER NOT NULL, PRIMARY KEY (id)); INSERT INTO late VALUES ('a', 41);",
    );
    let copied = theme.equal().await;
    copied.is("t", "id", "bigint");
    copied
        .behaves(&[
            "INSERT INTO t (v) VALUES ('next') RETURNING id",
            "INSERT INTO t (v) VALUES ('one more') RETURNING id",
            "INSERT INTO empty (v) VALUES ('first') RETURNING id",
            "INSERT INTO late (v) VALUES ('b') RETURNING id",
            "INSERT INTO t (id, v) VALUES (3, 'taken')",
            "INSERT INTO t (id, v) VALUES (4, 'given') RETURNING id",
        ])
        .await;
    // SQLite goes on with -6 there; a key above every old one is all that is promised.
    let next = copied
        .query("INSERT INTO negative (v) VALUES ('y') RETURNING id > -7")
        .await;
    assert_eq!(next, [[Some("t".to_owned())]]);
}

#[tokio::test]
async fn the_largest_integer_as_a_key() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (9223372036854775807, 'last');",
    );
    let copied = theme.equal().await;
    copied.is("t", "id", "bigint").lists(&["t", "id"]);
}

#[tokio::test]
async fn autoincrement_beyond_what_is_there() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO t VALUES (1, 'a'), (10, 'b'), (100, 'c'); DELETE FROM t WHERE id = 100;
         CREATE TABLE emptied (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); INSERT INTO emptied VALUES (50, 'x'); DELETE FROM emptied;
         CREATE TABLE fresh (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO t (v) VALUES ('x') RETURNING id",
            "INSERT INTO emptied (v) VALUES ('x') RETURNING id",
            "INSERT INTO fresh (v) VALUES ('x') RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn nulls_in_primary_keys() {
    let theme = Theme::new(
        "CREATE TABLE one (k TEXT PRIMARY KEY, v TEXT); INSERT INTO one VALUES (NULL, 'a'), (NULL, 'b'), ('x', 'c');
         CREATE TABLE two (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (a, b)); INSERT INTO two VALUES ('x', NULL, '1'), ('x', NULL, '2'), ('x', 1, '3');",
    );
    let copied = theme.equal().await;
    copied.lists(&["one"]).lists(&["two"]);
    copied
        .behaves(&[
            "INSERT INTO one VALUES ('x', 'again')",
            "INSERT INTO one VALUES (NULL, 'd')",
            "INSERT INTO two VALUES ('x', 1, 'again')",
            "INSERT INTO two VALUES ('x', NULL, '4')",
        ])
        .await;
}

#[tokio::test]
async fn a_key_of_four_classes() {
    let theme = Theme::new(
        "CREATE TABLE t (k PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'integer'), ('1', 'text'), (1.5, 'real'), (x'31', 'blob'), ('1.5', 'text too');
         CREATE TABLE u (a TEXT, b, UNIQUE (a, b)); INSERT INTO u VALUES ('x', 1), ('x', '1'), ('x', x'31'), ('x', NULL), ('x', NULL);",
    );
    let copied = theme.equal().await;
    copied.is_mixed("t", "k").is_mixed("u", "b");
    let four = copied.query("SELECT count(*) FROM t").await;
    assert_eq!(four, [[Some("5".to_owned())]]);
}

#[tokio::test]
async fn uniques_that_are_blind_to_the_case_of_ascii() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT UNIQUE COLLATE NOCASE, name TEXT);
         CREATE UNIQUE INDEX names ON t (name COLLATE NOCASE);
         CREATE TABLE k (w TEXT COLLATE NOCASE PRIMARY KEY);
         INSERT INTO t (email, name) VALUES ('É', 'É'), ('é', 'é'), ('ABC', 'ABC'), ('İ', 'x'), ('i', 'y'), (NULL, NULL), (NULL, NULL);
         INSERT INTO k VALUES ('É'), ('é'), ('Abc');",
    );
    let copied = theme.equal().await;
    copied
        .behaves(&[
            "INSERT INTO t (email) VALUES ('abc')",
            "INSERT INTO t (name) VALUES ('aBC')",
            "INSERT INTO t (email) VALUES ('É')",
            "INSERT INTO t (email, name) VALUES ('ê', 'Ê') RETURNING id",
            "INSERT INTO k VALUES ('aBC')",
            "INSERT INTO k VALUES ('ABCD')",
            "INSERT INTO t (email) VALUES (NULL) RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn null_in_a_column_that_refuses_it() {
    let make = |path: &std::path::Path| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n INTEGER); INSERT INTO t VALUES (1, 'a', 1), (2, NULL, 2), (3, 'c', NULL), (4, '', 0);
                 PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL, n INTEGER NOT NULL DEFAULT 7)' WHERE name = 't';
                 PRAGMA writable_schema = OFF;",
            )
            .unwrap();
    };
    let theme = Theme::made("old.db", make);
    let copied = theme.equal().await;
    copied.lists(&["t", "v"]).lists(&["t", "n"]);
}

#[tokio::test]
async fn keys_too_long_for_an_index() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE, w TEXT, b BLOB); CREATE INDEX on_w ON t (w); CREATE UNIQUE INDEX on_b ON t (b);
         INSERT INTO t VALUES (1, hex(randomblob(5000)), hex(randomblob(5000)), randomblob(10000)),
             (2, hex(randomblob(5000)), hex(randomblob(5000)), randomblob(10000)), (3, 'short', 'short', x'00');",
    );
    let copied = theme.equal().await;
    let rows = copied.query("SELECT count(*) FROM t").await;
    assert_eq!(rows, [[Some("3".to_owned())]]);
}

/// Anything can be written there by hand, and SQLite takes it for a number.
#[tokio::test]
async fn last_keys_that_are_no_integers() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); CREATE TABLE r (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
         INSERT INTO t VALUES (2, 'a'); INSERT INTO r VALUES (2, 'a');
         UPDATE sqlite_sequence SET seq = '77' WHERE name = 't'; UPDATE sqlite_sequence SET seq = 80.5 WHERE name = 'r';",
    );
    let copied = theme.equal().await;
    copied
        .behaves(&[
            "INSERT INTO t (v) VALUES ('b') RETURNING id",
            "INSERT INTO r (v) VALUES ('b') RETURNING id",
        ])
        .await;
}

/// SQLite looks for a free number only where it may give one twice.
#[tokio::test]
async fn no_number_left() {
    let theme = Theme::new(
        "CREATE TABLE never (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT); CREATE TABLE again (id INTEGER PRIMARY KEY, v TEXT);
         INSERT INTO never VALUES (9223372036854775807, 'last'); INSERT INTO again VALUES (9223372036854775807, 'last');",
    );
    let copied = theme.equal().await;
    copied
        .lists(&["never", "so they do in SQLite"])
        .lists(&["again", "SQLite would look for a free one"])
        .behaves(&["INSERT INTO never (v) VALUES ('x')"])
        .await;
}

/// On the way back, a row is refused that is no other one in PostgreSQL: SQLite takes a number in two spellings for one.
#[tokio::test]
async fn a_key_that_is_given_twice_on_the_way_back() {
    let theme = Theme::new(
        "CREATE TABLE k (id INTEGER PRIMARY KEY, q UNIQUE); INSERT INTO k VALUES (1, 1), (2, 'x'), (3, 2.5);",
    );
    theme.command("copy", &[]).await.with(0, "copy");
    let change = "UPDATE k SET q = '1.0', q__class = 'real' WHERE id = 2";
    theme.client().await.batch_execute(change).await.unwrap();
    let (refused, _) = theme.bring_back_partly(&[]).await;
    assert!(
        refused.stderr.contains("k where id = 2") && refused.stderr.contains("UNIQUE"),
        "{}",
        refused.stderr
    );
    let (told, back) = theme
        .bring_back_partly(&["--on-reject", "quarantine", "--json"])
        .await;
    let told = told.json();
    assert_eq!(told["tables"][0]["rejected"], 1, "{told}");
    assert_eq!(told["rejects"][0]["key"], "id = 2", "{told}");
    let ids: String = Connection::open(back)
        .unwrap()
        .query_row(
            "SELECT group_concat(id) || ' ' || (SELECT group_concat(key) FROM _cutover_quarantine) FROM k",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(ids, "1,3 id = 2,id = 2");
}

/// PostgreSQL keeps what gives out a table's keys under a name of its own, which another table or an index may have.
#[tokio::test]
async fn tables_and_indexes_named_like_sequences() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE t_id_seq (id INTEGER PRIMARY KEY); CREATE TABLE u (id INTEGER PRIMARY KEY);
         CREATE INDEX u_id_seq ON t (v); CREATE UNIQUE INDEX t_id_seq_id_seq ON u (id);
         INSERT INTO t VALUES (5, 'x'); INSERT INTO t_id_seq VALUES (7); INSERT INTO u VALUES (9);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    assert_eq!(copied.report.get("renamed"), None, "{}", copied.report);
    copied
        .behaves(&[
            "INSERT INTO t (v) VALUES ('y') RETURNING id",
            "INSERT INTO t_id_seq DEFAULT VALUES RETURNING id",
            "INSERT INTO u DEFAULT VALUES RETURNING id",
        ])
        .await;
}

/// A UNIQUE over an expression holds as one over a column does, were its values too large for an index.
#[tokio::test]
async fn a_unique_expression_of_values_too_wide_for_an_index() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, u TEXT, n INTEGER); CREATE UNIQUE INDEX low ON t (lower(u));
         CREATE UNIQUE INDEX both ON t (trim(u), n % 2); CREATE INDEX cut ON t (substr(u, 2)); CREATE INDEX chars ON t (length(u));
         INSERT INTO t (u, n) VALUES (hex(randomblob(3000)), 1), ('B', 2);",
    );
    let copied = theme.equal().await;
    let uncertain = copied.inspection["uncertain"].as_array().unwrap();
    let uncertain: Vec<_> = uncertain
        .iter()
        .map(|entry| entry["constraint"].as_str().unwrap())
        .collect();
    assert_eq!(uncertain, ["both", "cut", "low"]);
    for name in ["low", "both"] {
        assert!(
            copied.is_listed(&[name, "made a unique index over hashes of the values"]),
            "{name}"
        );
    }
    assert!(copied.is_listed(&["cut", "not made"]) && !copied.is_listed(&["chars"]));
    copied
        .behaves(&[
            "INSERT INTO t (u, n) SELECT lower(u), 3 FROM t WHERE id = 1",
            "INSERT INTO t (u, n) VALUES ('b', 4)",
            "INSERT INTO t (u, n) VALUES (' B ', 6)",
            "INSERT INTO t (u, n) VALUES ('b ', 3) RETURNING id",
        ])
        .await;
}

/// Which values compression makes small enough for an index only the server can say: it is told beforehand that some may not be.
#[tokio::test]
async fn keys_of_values_too_wide_for_an_index() {
    let hex = |length: usize, seed: u64| -> String {
        let mut random = seed;
        let mut digit = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            format!("{:02x}", random >> 56)
        };
        (0..length).map(|_| digit()).collect()
    };
    let theme = Theme::new(format!(
        "CREATE TABLE t (name TEXT PRIMARY KEY, b BLOB, x BLOB, y BLOB, fits BLOB UNIQUE); CREATE TABLE u (id INTEGER PRIMARY KEY, t TEXT REFERENCES t);
         CREATE INDEX wide ON t (b); CREATE INDEX two ON t (x, y); CREATE INDEX narrow ON t (y);
         INSERT INTO t VALUES ('{}', x'{}', x'{1}', x'{}', x'{}'); INSERT INTO u VALUES (1, NULL);",
        "a".repeat(500_000),
        hex(9_000, 1),
        hex(2_000, 2),
        hex(2_692, 3),
    ));
    let on_a_terminal = theme.program(&["inspect", theme.file.to_str().unwrap()]).await;
    let on_a_terminal = on_a_terminal.with(0, "inspect on a terminal").stdout;
    assert!(
        on_a_terminal.contains("uncertain: t.wide CREATE INDEX wide ON t (b)"),
        "{on_a_terminal}"
    );
    let copied = theme.equal().await;
    let uncertain: Vec<(&str, &str)> = copied.inspection["uncertain"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["constraint"].as_str().unwrap(),
                entry["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        uncertain,
        [
            (
                "t_pkey",
                "values of up to 500000 bytes, and an index takes about 2700: it may be a unique index over hashes of the values, which no \
                 foreign key can refer to"
            ),
            (
                "two",
                "values of up to 11000 bytes together, and an index takes about 2700: it may not be made"
            ),
            (
                "wide",
                "values of up to 9000 bytes, and an index takes about 2700: it may not be made"
            ),
        ]
    );
    assert!(copied.is_listed(&["wide", "not made"]) && !copied.is_listed(&["t_fits_key"]));
}
