//! Numbers: bounds, doubles to the last bit, booleans that are none.

use crate::theme::Theme;

#[tokio::test]
async fn integers_at_every_bound() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
         INSERT INTO t (n) VALUES (0), (-1), (2147483647), (2147483648), (-2147483648), (-2147483649), (4294967295), (4294967296),
             (9007199254740992), (9007199254740993), (-9007199254740993), (4611686018427387904), (9223372036854775807),
             (-9223372036854775808), (9223372036854775806);",
    );
    let copied = theme.equal().await;
    copied.is("t", "n", "bigint").lists_nothing();
    copied
        .behaves(&["SELECT n FROM t ORDER BY n", "SELECT min(n), max(n) FROM t"])
        .await;
}

#[tokio::test]
async fn doubles_with_seventeen_digits_and_beyond_integers() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL);
         INSERT INTO t (r) VALUES (2147483648.0), (9223372036854775808.0), (-9223372036854775808.0), (1e19), (0.1), (0.30000000000000004),
             (3.141592653589793), (0.3333333333333333), (2.2250738585072011e-308), (123456789012345680.0), (9007199254740993.0), (1e22), (1e23),
             (5e-324), (1.0), (100.0), (-7.0);",
    );
    let copied = theme.equal().await;
    copied.is("t", "r", "double precision").lists_nothing();
}

#[tokio::test]
async fn infinities_denormals_and_zeros_with_a_sign() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, r REAL, x);
         INSERT INTO t (r, x) VALUES (9e999, 9e999), (-9e999, -9e999), (9e999 - 9e999, 9e999 - 9e999), (4.9e-324, 4.9e-324), (-4.9e-324, -4.9e-324),
             (1.7976931348623157e308, 1.7976931348623157e308), (-1.7976931348623157e308, 2.2250738585072014e-308),
             (0.0, 0.0), (-0.0, -0.0), (2.2250738585072009e-308, 0.1);",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "r", "double precision")
        .is("t", "x", "double precision");
    let infinite = copied
        .query("SELECT count(*) FROM t WHERE r IN ('Infinity', '-Infinity') AND r IS NOT NULL")
        .await;
    assert_eq!(infinite, [[Some("2".to_owned())]]);
}

#[tokio::test]
async fn the_same_doubles_under_every_name() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a FLOAT, b DOUBLE, c REAL, d NUMERIC, e DECIMAL, f DOUBLE PRECISION, g FLOAT(24));
         INSERT INTO t SELECT NULL, v, v, v, v, v, v, v FROM
             (SELECT 0.1 AS v UNION ALL SELECT 1.1 UNION ALL SELECT 1e100 UNION ALL SELECT 16777217.5 UNION ALL SELECT 1.0000000000000002);",
    );
    let copied = theme.equal().await;
    for column in ["a", "b", "c", "f", "g"] {
        copied.is("t", column, "double precision");
    }
    copied
        .is_one_of("t", "d", &["double precision", "numeric"])
        .is_one_of("t", "e", &["double precision", "numeric"]);
}

#[tokio::test]
async fn booleans_and_their_defaults() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a BOOLEAN NOT NULL DEFAULT 0, b BOOL DEFAULT 1, c BOOLEAN DEFAULT TRUE, d BOOLEAN,
                         e BOOLEAN DEFAULT FALSE CHECK (e IN (0, 1)), f BOOLEAN DEFAULT NULL, g BOOLEAN DEFAULT '1');
         INSERT INTO t VALUES (1, 0, 1, 1, 0, 0, NULL, 1), (2, 1, 0, NULL, NULL, 1, 1, 0);",
    );
    let copied = theme.equal().await;
    for column in ["a", "b", "c", "d", "e", "f", "g"] {
        copied.is("t", column, "boolean");
    }
    copied.lists_nothing();
    let columns = ["a", "b", "c", "d", "e", "f", "g"]
        .map(|column| format!("CAST({column} AS integer)"))
        .join(", ");
    copied
        .behaves(&[
            "INSERT INTO t (d) VALUES (NULL) RETURNING id",
            &format!("SELECT {columns} FROM t ORDER BY id"),
            "INSERT INTO t (a) VALUES (NULL)",
        ])
        .await;
}

#[tokio::test]
async fn booleans_that_are_none() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mixed BOOLEAN, whole BOOLEAN DEFAULT 1, texts BOOLEAN, halves BOOLEAN);
         INSERT INTO t VALUES (1, 0, 0, 't', 0), (2, 1, 1, 'true', 1), (3, 't', 2, 'F', 0.5), (4, 'true', -1, 'yes', NULL), (5, 'F', NULL, 'no', 1),
             (6, 'yes', 1, '', 0), (7, 2, 1, 'on', 0), (8, -1, 1, NULL, 0), (9, '', 0, 'FALSE', 0), (10, 0.5, 0, 'f', 1);",
    );
    let copied = theme.equal().await;
    copied
        .is_mixed("t", "mixed")
        .is_one_of("t", "whole", &["bigint", "smallint", "integer"])
        .is("t", "texts", "text");
    let halves = copied.type_of("t", "halves").map(str::to_owned);
    assert!(
        matches!(halves.as_deref(), Some("numeric" | "double precision" | "text")),
        "{halves:?}"
    );
    copied
        .behaves(&[
            "SELECT whole FROM t ORDER BY id",
            "INSERT INTO t (texts) VALUES ('x') RETURNING id, whole",
        ])
        .await;
}
