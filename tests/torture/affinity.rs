//! Type affinity: what a column's declared type does not say about its values.

use crate::theme::Theme;

#[tokio::test]
async fn text_that_is_no_number_in_an_integer_column() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER);
         INSERT INTO t VALUES (1, 1), (2, 'abc'), (3, NULL), (4, '12abc'), (5, '0x1F'), (6, '1_000'), (7, '１２'), (8, ' 7 x'), (9, '');",
    );
    let copied = theme.equal().await;
    copied.is("t", "id", "bigint").is_mixed("t", "n");
}

#[tokio::test]
async fn numbers_that_a_text_column_made_text() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, v VARCHAR(20));
         INSERT INTO t VALUES (1, 7, 1.0), (2, '007', '+1'), (3, 1e100, '1.50'), (4, -0.0, ' 1'), (5, 9223372036854775807, '0x10');",
    );
    let copied = theme.equal().await;
    copied.is("t", "s", "text").is("t", "v", "text");
    copied.behaves(&["SELECT s, v FROM t ORDER BY id"]).await;
}

#[tokio::test]
async fn blobs_in_text_columns_next_to_equal_text() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mixed TEXT, blobs TEXT, texts TEXT);
         INSERT INTO t VALUES (1, 'abc', x'616263', 'abc'), (2, x'616263', x'', 'x''616263'''), (3, x'00ff', x'00', '\\x616263'),
                              (4, '', NULL, ''), (5, x'', x'ff', NULL);",
    );
    let copied = theme.equal().await;
    copied
        .is_mixed("t", "mixed")
        .is("t", "blobs", "bytea")
        .is("t", "texts", "text");
}

#[tokio::test]
async fn everything_but_blobs_in_blob_columns() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB, pure BLOB, texts BLOB);
         INSERT INTO t VALUES (1, 'text', x'01', 'a'), (2, 5, x'02', 'b'), (3, 1.5, NULL, 'c'), (4, x'0102', x'', ''), (5, '5', x'35', NULL);",
    );
    let copied = theme.equal().await;
    copied.is_mixed("t", "b").is("t", "pure", "bytea");
}

#[tokio::test]
async fn fractions_and_huge_reals_in_an_integer_column() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, reals INT);
         INSERT INTO t VALUES (1, 1, 0.5), (2, 1.5, 1e300), (3, 1e300, -2.25), (4, -0.25, 1e19), (5, 9223372036854775807, 0.1),
                              (6, 9007199254740993, 1.7976931348623157e308), (7, 9.3e18, NULL);",
    );
    let copied = theme.equal().await;
    let kind = copied.type_of("t", "n").map(str::to_owned);
    // Doubles would round 2^53 + 1.
    assert!(matches!(kind.as_deref(), Some("numeric" | "text")), "{kind:?}");
    copied.is_one_of("t", "reals", &["double precision", "numeric"]);
}

#[tokio::test]
async fn nothing_in_columns_of_every_type() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, dt DATETIME, i INTEGER, r REAL, b BOOLEAN, n NUMERIC, u UUID, j JSON);
         INSERT INTO t VALUES (1, '', '', '', '', '', '', '', ''),
             (2, '2024-01-31', '2024-01-31 10:20:30', 1, 1.5, 1, 2, '123e4567-e89b-12d3-a456-426614174000', '{}'),
             (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);",
    );
    let copied = theme.equal().await;
    for text in ["d", "dt", "u"] {
        copied.is("t", text, "text");
    }
    for mixed in ["i", "r", "b", "n"] {
        copied.is_mixed("t", mixed);
    }
    let nothing = copied
        .query("SELECT count(*) FROM t WHERE d = '' AND i = '' AND j::text = ''")
        .await;
    assert_eq!(nothing, [[Some("1".to_owned())]]);
}

#[tokio::test]
async fn four_values_that_look_alike_in_a_column_without_a_type() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE);
         INSERT INTO t VALUES (1, 1), (2, '1'), (3, x'31'), (4, 2.5), (5, '2.5'), (6, NULL), (7, NULL), (8, '1.0');
         CREATE TABLE every (x);
         INSERT INTO every VALUES (1), ('1'), (1.0), (x'31'), (1.0), (NULL), (''), (x'');",
    );
    let copied = theme.equal().await;
    copied.is_mixed("t", "x").is_mixed("every", "x");
}

#[tokio::test]
async fn decimals_with_more_digits_than_declared() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DECIMAL(5,2), n NUMERIC(10), whole DECIMAL(3,0));
         INSERT INTO t VALUES (1, 123456.789, 1.5, 1), (2, 1.005, 12345678901234567, 99999), (3, 0.1, -0.001, -5), (4, 100, NULL, 0),
                              (5, 1e-7, 2, 7);",
    );
    let copied = theme.equal().await;
    copied
        .is_one_of("t", "d", &["numeric", "double precision"])
        .is_one_of("t", "n", &["numeric"]);
    copied.is_one_of("t", "whole", &["numeric", "bigint"]);
    let values = copied
        .query("SELECT d::numeric::text FROM t WHERE id <= 3 ORDER BY id")
        .await;
    assert_eq!(
        values.concat(),
        ["123456.789", "1.005", "0.1"].map(|value| Some(value.to_owned()))
    );
}

#[tokio::test]
async fn text_longer_than_declared_and_with_trailing_blanks() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(3), c CHAR(5), n NCHAR(2), f CHARACTER(1));
         INSERT INTO t VALUES (1, 'abcdefgh', 'ab', 'ä', ''), (2, 'ab ', 'ab   ', '  ', ' '), (3, '', 'abcdefghij  ', '😀😀😀', 'xy');",
    );
    let copied = theme.equal().await;
    for column in ["v", "c", "n", "f"] {
        copied.is("t", column, "text");
    }
    copied
        .behaves(&[
            "SELECT v, c, length(v), length(c) FROM t ORDER BY id",
            "SELECT count(*) FROM t WHERE c = 'ab'",
        ])
        .await;
}

#[tokio::test]
async fn wide_integers_in_narrow_types() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TINYINT, b SMALLINT, c INT2, d MEDIUMINT, e INT, f UNSIGNED BIG INT, g INT8, h TINYINT(1));
         INSERT INTO t VALUES (1, 9223372036854775807, -9223372036854775808, 65536, 2147483648, -2147483649, 9223372036854775807, 0, 1),
                              (2, 1, 1, 1, 1, 1, 1, 1, 255);",
    );
    let copied = theme.equal().await;
    for column in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        copied.is("t", column, "bigint");
    }
}

#[tokio::test]
async fn declared_types_of_postgresql_that_hold_anything() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a uuid, b inet, c bit(3), d money, e interval, f xml, g int4range, h jsonb, i text[],
                         j serial, k bytea, l timestamptz, m citext, n tsvector, o oid, p \"char\", q name, r hstore, s varchar[]);
         INSERT INTO t VALUES (1, 'no uuid', 'no address', '12', '$ 5', 'soon', '<', '[1,', '{', '{a,', 's', 'text', 'never', 'X', 'a b', 'o',
                               'long', 'n', 'a=>', '{'),
             (2, 'x', '10.0.0.1/33', 101, 5, 1, '<a/>', '[1,2)', '{}', '{}', 7, x'00', 5, 'x', '', 1, 'c', '', '', '{}');",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "a", "text")
        .is("t", "b", "text")
        .is("t", "f", "text")
        .is("t", "g", "text");
    copied
        .is("t", "i", "text")
        .is("t", "n", "text")
        .is("t", "m", "text")
        .is("t", "c", "bigint")
        .is_mixed("t", "j");
}

#[tokio::test]
async fn uuids_as_text_in_capitals_and_as_bytes() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, small UUID, large UUID, bytes UUID, bare UUID, short UUID, declared varchar(36), mixed UUID);
         INSERT INTO t VALUES
             (1, '123e4567-e89b-12d3-a456-426614174000', '123E4567-E89B-12D3-A456-426614174000', x'123e4567e89b12d3a456426614174000',
              '123e4567e89b12d3a456426614174000', x'0102', '123e4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174000'),
             (2, '00000000-0000-0000-0000-000000000000', '123E4567-E89B-12D3-A456-426614174001', x'00000000000000000000000000000000',
              '{123e4567-e89b-12d3-a456-426614174000}', x'', 'ffffffff-ffff-ffff-ffff-ffffffffffff', x'123e4567e89b12d3a456426614174000');",
    );
    let copied = theme.equal().await;
    copied
        .is_one_of("t", "small", &["uuid"])
        .is_one_of("t", "bytes", &["uuid", "bytea"]);
    copied
        .is("t", "large", "text")
        .is("t", "bare", "text")
        .is("t", "short", "bytea")
        .is_one_of("t", "declared", &["uuid", "text"]);
}

#[tokio::test]
async fn odd_type_names_have_an_affinity_too() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a FLOATING POINT, b STRING, c \"TYPE WITH 'quotes'\", d [brackets], e DOUBLE PRECISION,
                         f LONG TEXT VARYING (1, 2), g `back ticks`, h POINT, i ANY, j \"\");
         INSERT INTO t VALUES (1, 1.5, '007', 'x', 1, 1, 'x', 5, 3, 'a', 1), (2, '2', '1e3', '8', 1.5, '2', 9, '6', '4.0', 2, '1');",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "e", "double precision")
        .is("t", "f", "text")
        .is("t", "h", "bigint");
}

#[tokio::test]
async fn one_needle_in_two_thousand_rows() {
    let theme = Theme::new(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER);
         WITH RECURSIVE i(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM i WHERE k < 2000)
             INSERT INTO t SELECT k, CASE k WHEN 1234 THEN 'oops' ELSE k * 7 END FROM i;",
    );
    let copied = theme.equal().await;
    copied.is_mixed("t", "n");
    let needle = copied.query("SELECT k, n FROM t WHERE n__class = 'text'").await;
    assert_eq!(needle, [[Some("1234".to_owned()), Some("oops".to_owned())]]);
    assert!(
        copied.inspection.to_string().contains("text"),
        "inspect says why: {}",
        copied.inspection
    );
}
