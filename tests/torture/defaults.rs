//! What a row gets that does not name a column: what it would have got from SQLite, by storage class and bytes.

use cutover_tests::rusqlite::Connection;

use crate::theme::Theme;

fn default_of(file: &Connection, table: &str, column: &str) -> Option<String> {
    let sql = "SELECT dflt_value FROM pragma_table_xinfo(?1) WHERE name = ?2";
    file.query_row(sql, [table, column], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn constants_in_columns_of_several_classes() {
    let theme = Theme::new(
        "CREATE TABLE v (id INTEGER PRIMARY KEY, k INTEGER NOT NULL DEFAULT 0, five INTEGER DEFAULT '5', half NUMERIC DEFAULT .5, whole NUMERIC DEFAULT 2.0,
             far REAL DEFAULT 1.5e10, r REAL DEFAULT 1, minus DEFAULT -0.0, digits TEXT DEFAULT 7, word DEFAULT 'it''s \\', empty DEFAULT '', bare INTEGER DEFAULT word,
             yes BOOLEAN DEFAULT TRUE, b DEFAULT x'00ff', bt DEFAULT 'in bytes', bi INTEGER DEFAULT 9, void INTEGER DEFAULT NULL, none DEFAULT (NULL), t TEXT);
         INSERT INTO v VALUES (1, 0, 1, 1, 1, 1, 1, 1, x'61', 1, 1, 1, 1, x'01', x'02', x'03', 1, 1, 'a'),
             (2, 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 'x', 1, 1, 'x', 'x', 'x', 'b');",
    );
    let copied = theme.equal().await;
    for column in [
        "k", "five", "half", "whole", "far", "r", "minus", "digits", "word", "empty", "bare", "yes", "b",
        "bt", "bi", "void", "none",
    ] {
        copied.is_mixed("v", column);
    }
    copied.lists_nothing();
    copied
        .behaves(&[
            "INSERT INTO v (t) VALUES ('c') RETURNING id",
            "INSERT INTO v DEFAULT VALUES RETURNING id",
        ])
        .await;
    copied.comes_back().await;
    let classes = copied
        .query("SELECT k__class, five__class, half__class, far__class, word__class, b__class, void__class FROM v WHERE id = 3")
        .await;
    let expected = ["integer", "integer", "real", "real", "text", "blob"].map(|class| Some(class.to_owned()));
    assert_eq!(classes, [[&expected[..], &[None]].concat()]);
    let back = copied.again().await;
    for (column, default) in [("k", "0"), ("five", "'5'"), ("b", "x'00ff'"), ("none", "NULL")] {
        assert_eq!(
            default_of(&back, "v", column).as_deref(),
            Some(default),
            "{column}"
        );
    }
}

#[tokio::test]
async fn null_where_the_class_is_left_to_its_default() {
    let theme = Theme::new(
        "CREATE TABLE v (id INTEGER PRIMARY KEY, k INTEGER DEFAULT 0, b DEFAULT x'00', u INTEGER DEFAULT 1 UNIQUE);
         INSERT INTO v VALUES (1, 0, x'01', 2), (2, 'x', 1, 'x');",
    );
    let copied = theme.equal().await;
    copied
        .lists_nothing()
        .behaves(&[
            "INSERT INTO v (k, b, u) VALUES (NULL, NULL, NULL) RETURNING id",
            "INSERT INTO v (u) VALUES (NULL) RETURNING id",
            "INSERT INTO v (k) VALUES (NULL) RETURNING id",
            "INSERT INTO v (k) VALUES (NULL) RETURNING id",
        ])
        .await;
    copied.comes_back().await;
    // A number in digits is an integer by the class of the default; what is none has no way back.
    copied.query("INSERT INTO v (k, u) VALUES ('12', NULL)").await;
    let k: String = copied
        .again()
        .await
        .query_row("SELECT quote(k) FROM v ORDER BY id DESC", [], |row| row.get(0))
        .unwrap();
    assert_eq!(k, "12");
    copied.query("INSERT INTO v (k, u) VALUES ('y', NULL)").await;
    copied.is_refused_back(&["\"k\""]).await;
}

#[tokio::test]
async fn other_defaults_in_columns_of_several_classes_are_told() {
    let theme = Theme::new(
        "CREATE TABLE v (id INTEGER PRIMARY KEY, at DEFAULT CURRENT_TIMESTAMP, chance DEFAULT (random()), sum DEFAULT (1 + 1), blob DEFAULT x'00');
         INSERT INTO v VALUES (1, 1, 1, 1, 1), (2, 'x', 'x', 'x', 'x');",
    );
    let copied = theme.equal().await;
    let left: Vec<&str> = copied.report["not_carried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect();
    assert_eq!(left, ["v.at", "v.chance", "v.sum", "v.blob"], "{}", copied.report);
    copied.lists(&["v.at", "CURRENT_TIMESTAMP", "values are of several classes"]);
}

#[tokio::test]
async fn set_default_over_value_and_class() {
    let theme = Theme::new(
        "CREATE TABLE p (k PRIMARY KEY); INSERT INTO p VALUES (0), ('x'), ('y');
         CREATE TABLE c (id INTEGER PRIMARY KEY, k DEFAULT 0 REFERENCES p (k) ON DELETE SET DEFAULT ON UPDATE SET DEFAULT);
         INSERT INTO c VALUES (1, 'x'), (2, 'y');",
    );
    let copied = theme.equal().await;
    assert!(!copied.is_listed(&["foreign key"]), "{}", copied.report);
    copied
        .behaves(&[
            "DELETE FROM p WHERE k = 'x'",
            "UPDATE p SET k = 'z' WHERE k = 'y'",
            "SELECT id FROM c WHERE k IS NOT NULL",
        ])
        .await;
    copied.comes_back().await;
}

#[tokio::test]
async fn a_number_decides_where_there_are_no_values() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c DATETIME NOT NULL DEFAULT 0, d DATE DEFAULT 19700101, half INTEGER DEFAULT 1.5, bits BOOLEAN DEFAULT 1,
             two BOOLEAN DEFAULT 2, key UUID DEFAULT 0, bytes INTEGER DEFAULT x'00', doc JSON DEFAULT 0, text TEXT DEFAULT 0, dec DECIMAL(5,2) DEFAULT 0.5,
             r REAL DEFAULT 0, blob BLOB DEFAULT 7, n INTEGER DEFAULT 3, plain DATETIME);
         CREATE TABLE nulls (id INTEGER PRIMARY KEY, c DATETIME DEFAULT 0); INSERT INTO nulls VALUES (1, NULL);",
    );
    let copied = theme.equal().await;
    copied
        .lists_nothing()
        .is("t", "c", "bigint")
        .is("t", "d", "bigint")
        .is("t", "half", "double precision")
        .is("t", "bits", "boolean")
        .is("t", "two", "bigint")
        .is("t", "key", "bigint")
        .is("t", "bytes", "bytea")
        .is("t", "doc", "json")
        .is("t", "text", "text")
        .is("t", "dec", "numeric")
        .is("t", "r", "double precision")
        .is("t", "blob", "bigint")
        .is("t", "n", "bigint")
        .is("t", "plain", "timestamp without time zone")
        .is("nulls", "c", "bigint");
    copied
        .behaves(&[
            "INSERT INTO t DEFAULT VALUES",
            "INSERT INTO nulls (id) VALUES (2)",
        ])
        .await;
    copied.comes_back().await;
    assert!(
        copied.inspection.to_string().contains("its default is 19700101"),
        "{}",
        copied.inspection
    );
}

#[tokio::test]
async fn seconds_since_1970_decide_where_there_are_no_values() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a DATETIME NOT NULL DEFAULT (unixepoch()), b DATETIME DEFAULT (strftime('%s', 'now')),
             c TIMESTAMP DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)), d DATE DEFAULT (unixepoch('now', '+1 day')), e DEFAULT (unixepoch()),
             f DATETIME DEFAULT (datetime('now')));",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    for column in ["a", "b", "c", "d", "e"] {
        copied.is("t", column, "bigint");
    }
    copied.is("t", "f", "timestamp without time zone");
    copied.query("INSERT INTO t DEFAULT VALUES").await;
    let count: i64 = copied
        .again()
        .await
        .query_row(
            "SELECT count(*) FROM t WHERE typeof(a) || typeof(b) || typeof(c) || typeof(d) || typeof(e) = 'integerintegerintegerintegerinteger'
             AND abs(a - unixepoch()) < 60 AND abs(b - a) < 2 AND abs(c - a) < 2 AND abs(d - a - 86400) < 2 AND abs(e - a) < 2",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(count, 1);
}

/// 32 digits are a text: as a UUID they would come back with dashes.
#[tokio::test]
async fn a_uuid_without_dashes_where_there_are_no_values() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a UUID NOT NULL DEFAULT (lower(hex(randomblob(16)))), b TEXT_UUID DEFAULT (hex(randomblob(16))),
             c GUID DEFAULT ('id-' || hex(randomblob(4))),
             d UUID DEFAULT (lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))));",
    );
    let copied = theme.equal().await;
    copied
        .lists_nothing()
        .is("t", "a", "text")
        .is("t", "b", "text")
        .is("t", "c", "text")
        .is("t", "d", "uuid");
    copied
        .query("INSERT INTO t (id) SELECT generate_series(1, 50)")
        .await;
    let back = copied.again().await;
    let count: i64 = back
        .query_row(
            "SELECT count(DISTINCT a) FROM t WHERE typeof(a) = 'text' AND length(a) = 32 AND a NOT GLOB '*[^0-9a-f]*'
             AND length(b) = 32 AND b NOT GLOB '*[^0-9A-F]*' AND c GLOB 'id-????????' AND length(d) = 36",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(count, 50);
}

#[tokio::test]
async fn null_is_what_a_column_without_a_default_gets() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, yn TEXT DEFAULT NULL, several INTEGER DEFAULT NULL, bytes DEFAULT (NULL));
         INSERT INTO t VALUES (1, 'Y', 1, x'00'), (2, 'N', 'x', 1);",
    )
    .asking(&["t.yn=boolean from Y/N"]);
    let copied = theme.equal().await;
    copied
        .lists_nothing()
        .is_mixed("t", "several")
        .is_mixed("t", "bytes")
        .behaves(&["INSERT INTO t DEFAULT VALUES"])
        .await;
    copied.comes_back().await;
}

/// A default may be a number that the column's values do not show: what comes back of it is told.
#[tokio::test]
async fn a_default_that_is_another_number_than_the_values() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, touch NOT NULL DEFAULT 0, price REAL DEFAULT 0, both DEFAULT 0, nought DEFAULT -0.0);
         INSERT INTO t VALUES (1, 0.25, 0.5, 1, 1), (2, 1.5, 2.5, 0.5, 2.5);",
    );
    let copied = theme.equal().await;
    assert!(copied.is_listed(&[
        "t",
        "touch",
        "DEFAULT 0",
        "is an INTEGER there, and comes back as a REAL"
    ]));
    assert!(copied.is_listed(&["t.nought", "has no form for -0.0"]));
    assert!(!copied.is_listed(&["price", "DEFAULT"]) && !copied.is_listed(&["both", "DEFAULT"]));
    let insert = "INSERT INTO t (id) VALUES (3)";
    copied.client().batch_execute(insert).await.unwrap();
    let back: String = copied
        .again()
        .await
        .query_row(
            "SELECT typeof(touch) || typeof(price) || typeof(both) || typeof(nought) FROM t WHERE id = 3",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(back, "realrealintegernull");
}

/// A column whose texts are none of a number's, in SQLite with a number by default: expressions over it would take that for a text.
#[tokio::test]
async fn a_number_by_default_among_texts() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c STRING DEFAULT 5 CHECK (typeof(c) = 'text' OR id < 9));
         CREATE TABLE u (id INTEGER PRIMARY KEY, c STRING DEFAULT NULL CHECK (c > '!'));
         CREATE UNIQUE INDEX t_numbers ON t (c) WHERE typeof(c) = 'integer';
         INSERT INTO t VALUES (1, 'abc'); INSERT INTO u VALUES (1, 'abc');",
    );
    let copied = theme.equal().await;
    let told = copied.report["not_carried"].as_array().unwrap();
    let told: Vec<&str> = told.iter().map(|lost| lost["name"].as_str().unwrap()).collect();
    assert_eq!(told, ["t_numbers", "t.t_check"]);
    copied
        .behaves(&[
            "INSERT INTO u (c) VALUES (' ')",
            "INSERT INTO u (c) VALUES ('b') RETURNING id",
        ])
        .await;
}
