//! Names: kept to the byte where PostgreSQL can, else given a new one that the report tells.

use crate::theme::Theme;

#[tokio::test]
async fn reserved_words() {
    let theme = Theme::new(
        r#"CREATE TABLE "select" ("from" INTEGER PRIMARY KEY, "where" TEXT NOT NULL DEFAULT 'x', "group" INTEGER, "user" TEXT, "order" TEXT CHECK ("order" <> ''));
         CREATE TABLE "table" ("primary" INTEGER PRIMARY KEY, "references" INTEGER REFERENCES "select" ("from") ON DELETE CASCADE, "check" TEXT UNIQUE);
         CREATE TABLE "user" ("end" TEXT, "limit" TEXT, PRIMARY KEY ("limit", "end")) WITHOUT ROWID;
         CREATE INDEX "index" ON "select" ("group", "user");
         INSERT INTO "select" VALUES (1, 'a', 1, 'u', 'o'); INSERT INTO "table" VALUES (1, 1, 'c'); INSERT INTO "user" VALUES ('e', 'l');"#,
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            r#"INSERT INTO "select" ("group") VALUES (2) RETURNING "from", "where""#,
            r#"INSERT INTO "select" ("order") VALUES ('')"#,
            r#"INSERT INTO "table" ("references") VALUES (99)"#,
            r#"DELETE FROM "select" WHERE "from" = 1"#,
            r#"SELECT count(*) FROM "table""#,
        ])
        .await;
}

/// PostgreSQL looks among its own tables first.
#[tokio::test]
async fn names_of_the_servers_own_tables() {
    let theme = Theme::new(
        "CREATE TABLE pg_class (id INTEGER PRIMARY KEY, relname TEXT UNIQUE); CREATE TABLE pg_views (id INTEGER PRIMARY KEY, c INTEGER REFERENCES pg_class);
         CREATE TABLE pg_class_ (x TEXT); CREATE INDEX pg_by_c ON pg_views (c); CREATE TABLE pgcrypto (x TEXT);
         INSERT INTO pg_class VALUES (1, 'mine'); INSERT INTO pg_views VALUES (5, 1); INSERT INTO pg_class_ VALUES ('y'); INSERT INTO pgcrypto VALUES ('z');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    for name in ["pg_class", "pg_views", "pg_class_"] {
        let target = copied.target(name);
        assert_ne!(target, name);
        assert_eq!(copied.renamed("table", name), target);
        let rows = copied.query(&format!("SELECT count(*) FROM \"{target}\"")).await;
        assert_eq!(rows, [[Some("1".to_owned())]]);
    }
    assert_eq!(copied.target("pgcrypto"), "pgcrypto");
}

#[tokio::test]
async fn punctuation_in_names() {
    let theme = Theme::new(
        "CREATE TABLE \"a b\" (\"c d\" INTEGER PRIMARY KEY, \"quo\"\"te\" TEXT, \"it's\" TEXT, \"new\nline\" TEXT, \"100%\" TEXT, \":x\" TEXT, \"a.b\" TEXT,
                               \"[x]\" TEXT, \"$1\" TEXT, \"1st\" TEXT, \"back\\slash\" TEXT, \"semi;colon\" TEXT, \"tab\there\" TEXT, \"?\" TEXT, \"--\" TEXT);
         CREATE TABLE \"x\"\";DROP TABLE y;--\" (\"%s\" TEXT UNIQUE, \"{}\" TEXT DEFAULT '{}');
         CREATE TABLE \"main.t\" (\"a\" TEXT); CREATE TABLE \"schema.table.x\" (\"b\" TEXT);
         CREATE INDEX \"in dex \"\"q\"\"\" ON \"a b\" (\"quo\"\"te\", \"new\nline\" DESC);
         INSERT INTO \"a b\" VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n');
         INSERT INTO \"x\"\";DROP TABLE y;--\" VALUES ('s', 'b'); INSERT INTO \"main.t\" VALUES ('1'); INSERT INTO \"schema.table.x\" VALUES ('2');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO \"a b\" (\"it's\") VALUES ('x') RETURNING \"c d\"",
            "SELECT \"$1\", \"back\\slash\" FROM \"a b\"",
        ])
        .await;
}

#[tokio::test]
async fn names_beyond_ascii() {
    let theme = Theme::new(
        "CREATE TABLE 表 (id INTEGER PRIMARY KEY, 名前 TEXT); CREATE TABLE \"😀\" (id INTEGER PRIMARY KEY, \"❤\" TEXT);
         CREATE TABLE \"caf\u{e9}\" (x TEXT, \"\u{e9}\" TEXT, \"e\u{301}\" TEXT); CREATE TABLE \"cafe\u{301}\" (x TEXT); CREATE TABLE \"CAF\u{c9}\" (x TEXT);
         INSERT INTO 表 VALUES (1, '一'); INSERT INTO \"😀\" VALUES (1, '二'); INSERT INTO \"caf\u{e9}\" VALUES ('nfc', 'a', 'b');
         INSERT INTO \"cafe\u{301}\" VALUES ('nfd'); INSERT INTO \"CAF\u{c9}\" VALUES ('capital');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "SELECT x FROM \"caf\u{e9}\"",
            "SELECT x FROM \"cafe\u{301}\"",
            "SELECT x FROM \"CAF\u{c9}\"",
            "INSERT INTO 表 (名前) VALUES ('x') RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn camel_case() {
    let theme = Theme::new(
        "CREATE TABLE UserAccounts (UserId INTEGER PRIMARY KEY, FirstName TEXT NOT NULL, createdAt TEXT);
         CREATE TABLE OrderItems (ID INTEGER PRIMARY KEY, userid INTEGER REFERENCES useraccounts (USERID));
         CREATE INDEX IX_FirstName ON useraccounts (firstname);
         INSERT INTO UserAccounts VALUES (1, 'A', 'x'); INSERT INTO OrderItems VALUES (1, 1);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    assert_eq!(copied.target("UserAccounts"), "UserAccounts");
    copied
        .behaves(&[
            r#"INSERT INTO "OrderItems" (userid) VALUES (2)"#,
            r#"INSERT INTO "OrderItems" (userid) VALUES (1) RETURNING "ID""#,
        ])
        .await;
}

#[tokio::test]
async fn names_that_folding_would_make_one() {
    let theme = Theme::new(
        "CREATE TABLE \"order-item\" (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE order_item (id INTEGER PRIMARY KEY, v TEXT);
         CREATE TABLE \"order item\" (id INTEGER PRIMARY KEY, v TEXT); CREATE TABLE \"orderItem\" (id INTEGER PRIMARY KEY, v TEXT);
         CREATE TABLE \"STRASSE\" (v TEXT); CREATE TABLE \"straße\" (v TEXT); CREATE TABLE \"ÄRGER\" (v TEXT); CREATE TABLE \"ärger\" (v TEXT);
         CREATE TABLE c (\"userId\" TEXT, user_id TEXT, \"user id\" TEXT, \"İd\" TEXT, \"id\" TEXT, \"É\" TEXT, \"é\" TEXT);
         INSERT INTO \"order-item\" VALUES (1, 'dash'); INSERT INTO order_item VALUES (1, 'underscore'); INSERT INTO \"order item\" VALUES (1, 'blank');
         INSERT INTO \"orderItem\" VALUES (1, 'camel'); INSERT INTO \"STRASSE\" VALUES ('SS'); INSERT INTO \"straße\" VALUES ('ß');
         INSERT INTO \"ÄRGER\" VALUES ('large'); INSERT INTO \"ärger\" VALUES ('small'); INSERT INTO c VALUES ('1', '2', '3', '4', '5', '6', '7');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "SELECT v FROM \"ÄRGER\"",
            "SELECT v FROM \"ärger\"",
            "SELECT \"userId\", user_id, \"user id\", \"É\", \"é\" FROM c",
        ])
        .await;
}

#[tokio::test]
async fn long_names_that_begin_alike() {
    let long = "a_name_that_is_longer_than_sixty_three_bytes_and_begins_like_its_neighbour";
    let wide = "ä".repeat(40);
    let theme = Theme::new(format!(
        "CREATE TABLE {long}_1 (id INTEGER PRIMARY KEY, {long}_x TEXT NOT NULL, {long}_y TEXT, \"{wide}a\" TEXT, \"{wide}b\" TEXT, UNIQUE ({long}_x, {long}_y));
         CREATE TABLE {long}_2 (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES {long}_1 (id) ON DELETE CASCADE);
         INSERT INTO {long}_1 VALUES (1, 'x1', 'y1', 'a', 'b'); INSERT INTO {long}_2 VALUES (5, 1), (6, 1);"
    ));
    let copied = theme.equal().await;
    let (first, second) = (format!("{long}_1"), format!("{long}_2"));
    assert_ne!(copied.target(&first), copied.target(&second));
    let (x, y) = (
        copied.target_column(&first, &format!("{long}_x")),
        copied.target_column(&first, &format!("{long}_y")),
    );
    for name in [&copied.target(&first), &copied.target(&second), &x, &y] {
        assert!(name.len() <= 63 && name.starts_with("a_name_that_is"), "{name}");
    }
    assert_ne!(x, y);
    // The old name stands beside the new one.
    let comment = copied
        .query(&format!(
            "SELECT obj_description('\"{}\"'::regclass)",
            copied.target(&first)
        ))
        .await;
    assert!(
        comment[0][0]
            .as_ref()
            .is_some_and(|comment| comment.contains(&first)),
        "{comment:?}"
    );
    assert!(
        copied.report.to_string().contains(&copied.target(&first)),
        "{}",
        copied.report
    );
}

#[tokio::test]
async fn long_index_names_and_names_alike_in_lower_case() {
    let long = "an_index_with_a_name_of_more_than_sixty_three_bytes_which_begins_like_another";
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT); CREATE TABLE other (a TEXT UNIQUE);
         CREATE INDEX {long}_1 ON t (a); CREATE UNIQUE INDEX {long}_2 ON t (b); CREATE INDEX t_pkey ON t (c); CREATE INDEX \"other_pkey\" ON other (a);
         CREATE INDEX other_a_key ON other (a); INSERT INTO t VALUES (1, 'a', 'b', 'c'); INSERT INTO other VALUES ('x');"
    ));
    let copied = theme.equal().await;
    let indexes = copied
        .query("SELECT count(*) FROM pg_indexes WHERE tablename = 't'")
        .await;
    assert_eq!(indexes, [[Some("4".to_owned())]]);
    copied
        .behaves(&[
            "INSERT INTO t (b) VALUES ('b')",
            "INSERT INTO t (b) VALUES ('other') RETURNING id",
        ])
        .await;
}

#[tokio::test]
async fn a_table_without_a_name() {
    let theme = Theme::new(
        "CREATE TABLE \"\" (\"\" INTEGER PRIMARY KEY, \" \" TEXT); INSERT INTO \"\" VALUES (1, 'x'), (7, 'y');
         CREATE TABLE t (\"\" TEXT); INSERT INTO t VALUES ('z');",
    );
    let copied = theme.equal().await;
    assert_ne!(copied.target(""), "");
    assert_ne!(copied.target_column("t", ""), "");
}

#[tokio::test]
async fn names_of_postgresqls_own() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, xmin TEXT, ctid INTEGER, tableoid TEXT, cmax TEXT NOT NULL, cmin TEXT, xmax TEXT, xmin_ TEXT, oid TEXT);
         CREATE TABLE information_schema (x TEXT);
         INSERT INTO t VALUES (1, 'a', 2, 'c', 'd', 'e', 'f', 'g', 'h');",
    );
    let copied = theme.equal().await;
    for column in ["xmin", "ctid", "tableoid", "cmax", "cmin", "xmax"] {
        assert_ne!(copied.target_column("t", column), column);
    }
    assert_eq!(copied.target_column("t", "oid"), "oid");
    assert_ne!(copied.target_column("t", "xmin"), "xmin_", "that name is taken");
    assert!(
        copied.inspection.to_string().contains("xmin"),
        "{}",
        copied.inspection
    );
}

#[tokio::test]
async fn constraint_names_that_come_twice() {
    let theme = Theme::new(
        "CREATE TABLE a (id INTEGER CONSTRAINT pk PRIMARY KEY, x TEXT CONSTRAINT uq UNIQUE, n INTEGER CONSTRAINT ck CHECK (n > 0), CONSTRAINT ck CHECK (n < 100));
         CREATE TABLE b (id INTEGER CONSTRAINT pk PRIMARY KEY, x TEXT CONSTRAINT uq UNIQUE, n INTEGER CONSTRAINT ck CHECK (n > 10),
                         a INTEGER CONSTRAINT fk REFERENCES a (id));
         CREATE TABLE c (k TEXT CONSTRAINT pk PRIMARY KEY, a INTEGER CONSTRAINT fk REFERENCES a (id), x TEXT);
         CREATE INDEX uq ON c (x); CREATE INDEX a_pkey ON c (a);
         INSERT INTO a VALUES (1, 'x', 5); INSERT INTO b VALUES (1, 'x', 50, 1); INSERT INTO c VALUES ('k', 1, 'x');",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO a (n) VALUES (100)",
            "INSERT INTO a (n) VALUES (0)",
            "INSERT INTO a (x) VALUES ('x')",
            "INSERT INTO b (n) VALUES (5)",
            "INSERT INTO b (a) VALUES (9)",
            "INSERT INTO b (x) VALUES ('x')",
            "INSERT INTO c VALUES ('k', NULL, NULL)",
            "INSERT INTO c VALUES ('l', 9, NULL)",
            "INSERT INTO b (n, a) VALUES (11, 1) RETURNING id",
        ])
        .await;
}
