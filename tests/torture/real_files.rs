//! What files of other programs taught: each theme is the smallest file that has what one of them has.

use crate::theme::{Theme, execute};

#[tokio::test]
async fn a_check_with_a_function_of_the_application() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, slug VARCHAR(50) NOT NULL UNIQUE, n SMALLINT UNSIGNED NOT NULL CHECK (n >= 0));
         INSERT INTO t (slug, n) VALUES ('s1', 1), ('s2', 2);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = substr(sql, 1, length(sql) - 1) || ', CONSTRAINT rx CHECK (slug REGEXP ''^s''))' WHERE name = 't';",
    );
    let copied = theme.equal().await;
    copied.lists(&["check", "t.rx", "REGEXP"]);
    let back = copied.brought_back["weakened"].to_string();
    assert_eq!(back, "[]");
}

#[tokio::test]
async fn values_that_their_declared_types_would_change() {
    let make = |path: &std::path::Path| {
        execute(
            path,
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c, d); CREATE TABLE s (id INTEGER PRIMARY KEY, a, b, c, d);
             INSERT INTO t VALUES (1, '5', '7.0', 1.0, -0.0), (2, ' 1e3 ', 8.0, 2, 0.0), (3, 'x', x'31', '3', 1.5);
             INSERT INTO s SELECT * FROM t;
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = 'CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, b NUMERIC, c TEXT, d REAL)' WHERE name = 't';
             UPDATE sqlite_schema SET sql = 'CREATE TABLE s (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b ANY, c INT, d REAL) STRICT' WHERE name = 's';",
        );
    };
    let copied = Theme::made("changed.db", make).equal().await;
    copied.is_mixed("t", "b").is_mixed("s", "c");
}

#[tokio::test]
async fn a_generated_column_beyond_all_doubles() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, square REAL AS (r * r) STORED, n TEXT, upper TEXT AS (upper(n)));
         CREATE TABLE u (id INTEGER PRIMARY KEY, r REAL, small REAL AS (r * r)); CREATE TABLE v (a INTEGER, twice INTEGER AS (a * 2) STORED);
         INSERT INTO t (r, n) VALUES (1.5, 'a'), (1e200, 'b'); INSERT INTO u (r) VALUES (1e-200); INSERT INTO v (a) VALUES (3);",
    );
    let copied = theme.equal().await;
    copied
        .lists(&["t", "square", "overflow"])
        .lists(&["u", "small", "underflow"]);
    let computed = "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE is_generated = 'ALWAYS'";
    assert_eq!(copied.query(computed).await, [[Some("v.twice".to_owned())]]);
}

#[tokio::test]
async fn a_zero_with_a_sign_among_reals() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL); INSERT INTO t VALUES (1, 1.5), (2, 2.5);",
    );
    let copied = theme.equal().await;
    copied.query("UPDATE t SET r = '-0' WHERE id = 1").await;
    let zero: f64 = copied
        .again()
        .await
        .query_row("SELECT r FROM t WHERE id = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(zero.to_bits(), (-0.0_f64).to_bits());
}

#[tokio::test]
async fn a_zero_with_a_sign_among_numbers() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n); INSERT INTO t VALUES (1, 1), (2, 2.5);",
    );
    let copied = theme.equal().await;
    copied.is("t", "n", "double precision");
    copied.query("UPDATE t SET n = '-0' WHERE id = 1").await;
    copied.is_refused_back(&["\"t\"", "\"n\"", "id = 1"]).await;
}

#[tokio::test]
async fn a_wide_table_in_utf_16() {
    let names: Vec<String> = (1..=1300).map(|number| format!("c{number}")).collect();
    let sql = format!(
        "PRAGMA encoding = 'UTF-16be'; CREATE TABLE t ({});
         INSERT INTO t (c1, c500, c501, c999, c1000, c1300) VALUES ('é', x'00e9', 1, 1.5, '😀', 'end'), (1, 'a', x'', '', NULL, '😀');",
        names.join(", ")
    );
    let copied = Theme::new(sql).equal().await;
    copied.is_mixed("t", "c1").is("t", "c1300", "text");
}

#[tokio::test]
async fn a_chosen_type_under_a_new_name() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, xmin TEXT, b TEXT);
         INSERT INTO t VALUES (1, '2024-01-31T10:20:30.000000+00:00', 'x'), (2, NULL, 'y');",
    );
    let theme = theme.with(&["--type", "t.xmin=timestamptz", "--type", "t.b=varchar(9)"]);
    let copied = theme.equal().await;
    assert_eq!(copied.target_column("t", "xmin"), "xmin_");
    copied.is("t", "b", "character varying(9)").lists_nothing();
}
