//! Foreign keys: added after the load with their actions, kept NOT VALID over orphans, listed where PostgreSQL has none.

use crate::theme::Theme;

#[tokio::test]
async fn two_tables_that_refer_to_each_other() {
    let theme = Theme::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id)); CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));
         INSERT INTO a VALUES (1, 2), (2, NULL); INSERT INTO b VALUES (1, 1), (2, 2);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO a (b) VALUES (99)",
            "INSERT INTO b (a) VALUES (99)",
            "INSERT INTO a (b) VALUES (1) RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn children_before_their_parents() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (id) ON DELETE CASCADE);
         INSERT INTO t VALUES (1, 5), (2, 1), (5, 5), (6, NULL);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO t (parent) VALUES (77)",
            "DELETE FROM t WHERE id = 5",
            "SELECT count(*) FROM t",
        ])
        .await;
}

#[tokio::test]
async fn the_child_table_comes_first() {
    let theme = Theme::new(
        "CREATE TABLE aaa (id INTEGER PRIMARY KEY, z INTEGER NOT NULL REFERENCES zzz (id), m TEXT REFERENCES mmm); CREATE TABLE mmm (k TEXT PRIMARY KEY);
         CREATE TABLE zzz (id INTEGER PRIMARY KEY); INSERT INTO zzz VALUES (1); INSERT INTO mmm VALUES ('k'); INSERT INTO aaa VALUES (1, 1, 'k'), (2, 1, NULL);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO aaa (z) VALUES (2)",
            "INSERT INTO aaa (z, m) VALUES (1, 'l')",
            "INSERT INTO aaa (z, m) VALUES (1, 'k') RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn orphans() {
    let theme = Theme::new(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent (id) ON DELETE CASCADE, v TEXT);
         INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (1, 1, 'good'), (2, 99, 'orphan'), (3, NULL, 'none'), (4, 100, 'orphan'), (5, 1, 'good');",
    );
    let copied = theme.equal().await;
    copied.lists(&["child"]);
    let weakened = copied.report["weakened"].to_string();
    assert!(
        weakened.contains("NOT VALID") && weakened.contains('2') && weakened.contains('4'),
        "{weakened}"
    );
    copied
        .behaves(&[
            "INSERT INTO child (parent) VALUES (98)",
            "INSERT INTO child (parent) VALUES (1) RETURNING id",
            "DELETE FROM parent WHERE id = 1",
            "SELECT id FROM child ORDER BY id",
        ])
        .await;
}

#[tokio::test]
async fn a_parent_column_that_is_not_unique() {
    let theme = Theme::new(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE parent (id INTEGER PRIMARY KEY, code TEXT); CREATE TABLE child (id INTEGER PRIMARY KEY, code TEXT REFERENCES parent (code));
         INSERT INTO parent VALUES (1, 'a'), (2, 'a'); INSERT INTO child VALUES (1, 'a'), (2, 'b');",
    );
    theme.equal().await.lists(&["child", "parent"]);
}

#[tokio::test]
async fn a_parent_that_does_not_exist() {
    let theme = Theme::new(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE child (id INTEGER PRIMARY KEY, a INTEGER REFERENCES nowhere (id), b INTEGER REFERENCES parent (no_column)); CREATE TABLE parent (id INTEGER PRIMARY KEY);
         INSERT INTO child VALUES (1, 1, 1), (2, NULL, NULL); INSERT INTO parent VALUES (1);",
    );
    theme
        .equal()
        .await
        .lists(&["child", "nowhere"])
        .lists(&["child", "parent"]);
}

#[tokio::test]
async fn every_action_and_deferral() {
    let theme = Theme::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, k TEXT UNIQUE); INSERT INTO p VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f'), (0, 'z');
         CREATE TABLE cascades (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE nulls (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) ON DELETE SET NULL ON UPDATE SET NULL);
         CREATE TABLE defaults (id INTEGER PRIMARY KEY, p INTEGER DEFAULT 0 REFERENCES p (id) ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
         CREATE TABLE restricts (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) ON DELETE RESTRICT ON UPDATE RESTRICT);
         CREATE TABLE no_action (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) ON DELETE NO ACTION ON UPDATE NO ACTION);
         CREATE TABLE later (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED, k TEXT REFERENCES p (k) DEFERRABLE INITIALLY IMMEDIATE);
         INSERT INTO cascades VALUES (1, 1); INSERT INTO nulls VALUES (1, 2); INSERT INTO defaults VALUES (1, 3); INSERT INTO restricts VALUES (1, 4);
         INSERT INTO no_action VALUES (1, 5); INSERT INTO later VALUES (1, 6, 'f');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    let deferred = copied.query("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'later'::regclass AND condeferrable AND condeferred").await;
    assert_eq!(deferred, [[Some("1".to_owned())]]);
    copied
        .behaves(&[
            "UPDATE p SET id = 11 WHERE id = 1",
            "SELECT p FROM cascades",
            "DELETE FROM p WHERE id = 11",
            "SELECT count(*) FROM cascades",
            "DELETE FROM p WHERE id = 2",
            "SELECT p FROM nulls",
            "DELETE FROM p WHERE id = 3",
            "SELECT p FROM defaults",
            "DELETE FROM p WHERE id = 4",
            "DELETE FROM p WHERE id = 5",
            "BEGIN",
            "INSERT INTO later VALUES (2, 77, 'f')",
            "INSERT INTO p VALUES (77, 'late')",
            "COMMIT",
            "SELECT p FROM later ORDER BY id",
            "INSERT INTO later VALUES (3, 78, 'f')",
        ])
        .await;
}

#[tokio::test]
async fn composite_keys_with_nulls() {
    let theme = Theme::new(
        "CREATE TABLE p (a TEXT, b INTEGER, PRIMARY KEY (a, b)); INSERT INTO p VALUES ('x', 1), ('x', 2);
         CREATE TABLE c (id INTEGER PRIMARY KEY, b INTEGER, a TEXT, FOREIGN KEY (a, b) REFERENCES p (a, b) ON UPDATE CASCADE, FOREIGN KEY (a, b) REFERENCES p);
         INSERT INTO c VALUES (1, 1, 'x'), (2, NULL, 'x'), (3, 1, NULL), (4, NULL, NULL), (5, NULL, 'nowhere');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO c (a, b) VALUES ('x', 3)",
            "INSERT INTO c (a, b) VALUES ('y', NULL) RETURNING id",
            "INSERT INTO c (a, b) VALUES ('x', 2) RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn text_that_refers_to_integers() {
    let theme = Theme::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT REFERENCES p (id)); INSERT INTO p VALUES (1), (2);
         INSERT INTO c VALUES (1, '1'), (2, 2), (3, NULL);",
    );
    let copied = theme.equal().await;
    copied.is("c", "p", "text").lists(&["c", "p"]);
}

/// A column that gets the type of another is told with its own values.
#[tokio::test]
async fn the_reason_of_a_type_that_another_column_needs() {
    let theme = Theme::new(
        "CREATE TABLE unit (code INTEGER_OR_TEXT PRIMARY KEY); INSERT INTO unit VALUES (1), ('DM');
         CREATE TABLE axis (u INTEGER_OR_TEXT REFERENCES unit (code)); INSERT INTO axis VALUES (1);",
    );
    let inspected = theme.inspect(&[]).await.with(0, "inspect").stdout;
    for told in [
        "1 integer and 1 text: 1, \\\"DM\\\"",
        "1 integer; of the type that unit.code needs, for foreign keys join them",
    ] {
        assert!(inspected.contains(told), "{told}: {inspected}");
    }
}

#[tokio::test]
async fn parents_without_a_column_and_in_another_case() {
    let theme = Theme::new(
        "CREATE TABLE Parent (Id INTEGER PRIMARY KEY, Code TEXT UNIQUE); CREATE TABLE Words (w TEXT PRIMARY KEY) WITHOUT ROWID;
         CREATE TABLE child (id INTEGER PRIMARY KEY, a INTEGER REFERENCES PARENT, b TEXT REFERENCES parent (CODE) ON DELETE SET NULL, w TEXT REFERENCES words);
         INSERT INTO Parent VALUES (1, 'x'); INSERT INTO Words VALUES ('w'); INSERT INTO child VALUES (1, 1, 'x', 'w');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO child (a) VALUES (2)",
            "INSERT INTO child (b) VALUES ('y')",
            "INSERT INTO child (w) VALUES ('v')",
            "INSERT INTO child (a, b, w) VALUES (1, 'x', 'w') RETURNING id",
        ])
        .await;
}

/// A key with NULL in it is a unique index in PostgreSQL, and one of a generated column is a constraint: rows can refer to both.
#[tokio::test]
async fn parents_whose_key_has_null_or_is_computed() {
    let theme = Theme::new(
        "CREATE TABLE comp (a INT, b TEXT, PRIMARY KEY (a, b)); CREATE TABLE twice (id INTEGER PRIMARY KEY, a INT, g INT AS (a * 2) STORED UNIQUE);
         CREATE TABLE c (id INTEGER PRIMARY KEY, a INT, b TEXT, g INT REFERENCES twice (G), FOREIGN KEY (a, b) REFERENCES comp (a, b));
         INSERT INTO comp VALUES (1, 'x'), (NULL, 'y'), (NULL, 'y'); INSERT INTO twice (id, a) VALUES (1, 4); INSERT INTO c VALUES (1, 1, 'x', 8);",
    );
    let copied = theme.equal().await;
    assert!(!copied.is_listed(&["foreign key"]), "{}", copied.report);
    copied
        .behaves(&[
            "INSERT INTO c (a, b) VALUES (1, 'y')",
            "INSERT INTO c (g) VALUES (4)",
            "DELETE FROM twice",
            "INSERT INTO c (a, b, g) VALUES (1, 'x', 8) RETURNING id",
        ])
        .await;
}

/// A constraint that rows break is set aside, and they are loaded anew: nobody is told of them twice.
#[tokio::test]
async fn rows_that_are_loaded_anew_are_counted_once() {
    let theme = Theme::new(
        "CREATE TABLE p (k INT PRIMARY KEY); CREATE TABLE c (k INT REFERENCES p (k), l INT REFERENCES p (k));
         INSERT INTO c VALUES (1, NULL), (NULL, 2), (NULL, NULL);",
    );
    let ended = theme.copy_on_a_terminal(&["--schema-only"]).await;
    ended.with(0, "copy --schema-only");
    let ended = theme
        .copy_on_a_terminal(&["--data-only"])
        .await
        .with(0, "copy --data-only");
    assert!(ended.stderr.contains("copy c: 3 of 3 rows"), "{}", ended.stderr);
}

/// A row without a key is told by all that it has, and one with a key by that alone: other values may be nobody's business.
#[tokio::test]
async fn rows_without_a_key_that_have_no_parent() {
    let theme = Theme::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INT REFERENCES p, \"it's\" TEXT);
         INSERT INTO c VALUES (7, 'a'), (7, NULL);
         CREATE TABLE users (name TEXT PRIMARY KEY COLLATE NOCASE, password TEXT, p INT REFERENCES p); INSERT INTO users VALUES ('Bob', 'hunter2', 9);",
    );
    let report = theme.command("copy", &[]).await.with(0, "copy").json();
    assert_eq!(
        report["weakened"][2]["keys"],
        serde_json::json!(["p = 7, it's = NULL", "p = 7, it's = a"]),
        "{report}"
    );
    assert_eq!(
        report["weakened"][3]["keys"],
        serde_json::json!(["name = Bob"]),
        "{report}"
    );
}

/// What PostgreSQL's foreign keys do otherwise is told of each key by its own reason.
#[tokio::test]
async fn what_acts_otherwise_is_told() {
    let theme = Theme::new(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers ON DELETE CASCADE);
         CREATE TABLE items (id INTEGER PRIMARY KEY, \"order\" INTEGER REFERENCES orders ON DELETE CASCADE, customer INTEGER REFERENCES customers);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customers, \"order\" INTEGER REFERENCES orders);
         CREATE TABLE tree (id INTEGER PRIMARY KEY, above INTEGER REFERENCES tree ON DELETE RESTRICT);
         CREATE TABLE late (id INTEGER PRIMARY KEY, x INTEGER DEFAULT 1 REFERENCES customers ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE rates (rate DECIMAL(5,2) NOT NULL PRIMARY KEY);
         CREATE TABLE rated (id INTEGER PRIMARY KEY, rate DECIMAL(5,2) REFERENCES rates ON UPDATE SET NULL, same DECIMAL(5,2) REFERENCES rates);
         INSERT INTO customers VALUES (1), (2); INSERT INTO orders VALUES (1, 1); INSERT INTO items VALUES (1, 1, 1);
         INSERT INTO rates VALUES (1.5); INSERT INTO rated VALUES (1, 1.5, 1.5);",
    );
    let copied = theme.equal().await;
    let told = copied.report["weakened"].as_array().unwrap();
    let told: Vec<String> = told
        .iter()
        .map(|rule| {
            format!(
                "{} {}",
                rule["constraint"].as_str().unwrap(),
                rule["reason"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        (
            "items_customer_fkey",
            "a DELETE in customers also reaches rows of items by other keys",
        ),
        ("tree_above_fkey", "it refers to its own table"),
        ("late_x_fkey", "it is deferred"),
        ("rated_rate_fkey", "1.5 as 1.50"),
    ];
    for (constraint, reason) in expected {
        let is_it = |line: &&String| line.starts_with(constraint) && line.contains(reason);
        assert_eq!(told.iter().filter(is_it).count(), 1, "{constraint} in {told:#?}");
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[tokio::test]
async fn a_rowid_decides_where_nothing_has_a_value() {
    for child in ["parent", "parent TEXT", "parent ANY"] {
        let theme = Theme::new(format!(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE c (id INTEGER PRIMARY KEY, {child} REFERENCES p (id));"
        ));
        let copied = theme.equal().await;
        copied.lists_nothing();
        copied
            .behaves(&[
                "INSERT INTO p (v) VALUES ('x') RETURNING id",
                "INSERT INTO c (parent) VALUES (1) RETURNING id",
                "INSERT INTO c (parent) VALUES (2)",
            ])
            .await;
    }
}
