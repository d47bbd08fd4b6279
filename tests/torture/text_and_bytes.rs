//! Text and bytes: what PostgreSQL cannot hold is set apart with its exact bytes, everything else arrives untouched.

use std::path::Path;

use crate::theme::{Theme, execute, hex};

#[tokio::test]
async fn nul_in_text() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, n INTEGER, r REAL, b BLOB);
         INSERT INTO t VALUES (1, 'good', 1, 1.5, x'00'), (2, CAST(x'6100' AS TEXT), 2, -0.5, x''), (3, CAST(x'00' AS TEXT), NULL, 9e999, NULL),
             (4, CAST(x'610062' AS TEXT), 9223372036854775807, 0.1, x'ff00'), (5, '', 5, 5, NULL), (6, '\\0', 6, 6, NULL);",
    );
    let copied = theme.quarantined(3, &["\"t\"", "\"s\"", "NUL", "id = 2"]).await;
    copied.is("t", "s", "text").is("t", "b", "bytea");
}

#[tokio::test]
async fn nul_in_text_that_is_bytea_by_request() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT);
         INSERT INTO t VALUES (1, 'good'), (2, CAST(x'610062' AS TEXT)), (3, ''), (4, NULL), (5, CAST(x'ff' AS TEXT));",
    );
    // Inspect knows nothing of the request, and would end with 1.
    let theme = theme.with(&["--type", "t.s=bytea"]);
    let copied = theme
        .command("copy", &["--type".to_owned(), "t.s=bytea".to_owned()])
        .await
        .with(0, "copy");
    assert_eq!(copied.json()["ok"], true);
    let verified = theme.command("verify", &[]).await.with(0, "verify");
    assert_eq!(verified.json()["ok"], true);
}

#[tokio::test]
async fn text_that_is_not_utf_8() {
    let theme = Theme::new(
        "CREATE TABLE t (k TEXT PRIMARY KEY, s TEXT);
         INSERT INTO t VALUES ('good', 'ä'), ('latin1', CAST(x'e4f6fc' AS TEXT)), ('cut', CAST(x'61c3' AS TEXT)), ('ff', CAST(x'ff' AS TEXT)),
             ('middle', CAST(x'61ff62' AS TEXT)), (CAST(x'e9' AS TEXT), 'bad key'), ('continuation', CAST(x'80' AS TEXT));",
    );
    theme.quarantined(6, &["\"t\"", "\"s\"", "UTF-8", "latin1"]).await;
}

#[tokio::test]
async fn surrogates_overlong_forms_and_beyond_unicode() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT);
         INSERT INTO t VALUES (1, CAST(x'eda080' AS TEXT)), (2, CAST(x'edb080' AS TEXT)), (3, CAST(x'eda0bdedb880' AS TEXT)),
             (4, CAST(x'c080' AS TEXT)), (5, CAST(x'e080af' AS TEXT)), (6, CAST(x'f4908080' AS TEXT)), (7, CAST(x'f8888080' AS TEXT)),
             (8, CAST(x'f48fbfbf' AS TEXT)), (9, CAST(x'ee8080' AS TEXT)), (10, CAST(x'efbfbd' AS TEXT));",
    );
    theme.quarantined(7, &["\"t\"", "\"s\"", "UTF-8", "id = 3"]).await;
}

#[tokio::test]
async fn every_odd_character_that_is_one() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT UNIQUE);
         INSERT INTO t (s) VALUES ('😀'), ('👩‍👩‍👧‍👦'), (char(0xfeff) || 'bom'), ('é'), ('e' || char(0x301)), (char(0xffff)), (char(0xfffe)), (char(0x10ffff)),
             (char(1)), (char(0x7f)), (char(0x85)), (char(0x2028)), (char(0x202e) || 'rtl'), ('مرحبا'), (' x'), ('x '), ('x'), (char(9)), (char(13)),
             (char(10)), (char(13, 10)), (char(0xa0)), (char(0x200b)), ('ß'), ('SS'), ('İ'), ('i'), ('ǅ'), ('Ａ'), (char(0xe000)), (char(0x1b) || '[31m');",
    );
    let copied = theme.equal().await;
    copied.is("t", "s", "text").lists_nothing();
    copied
        .behaves(&[
            "SELECT s, length(s) FROM t ORDER BY id",
            "INSERT INTO t (s) VALUES ('é')",
            "INSERT INTO t (s) VALUES ('É')",
        ])
        .await;
}

#[tokio::test]
async fn text_that_looks_like_syntax() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT);
         INSERT INTO t (s) VALUES ('\N'), ('\.'), ('\'), ('\\'), (char(9)), ('a' || char(13, 10) || 'b'), (''''), ('"'), ('$$'), ('$1'), ('%s'), ('%'),
             (':x'), ('?'), ('; DROP TABLE t; --'), ('/* */'), ('\x41'), ('E''\n'''), ('NULL'), ('null'), ('{}'), ('{1,2}'), ('(1,2)'), ('a,b'),
             ('"a""b"'), ('\u0041'), ('&amp;'), ('0x41'), ('x''41'''), ('true'), ('1e5'), ('`'), ('[x]');"#,
    );
    let copied = theme.equal().await;
    copied.is("t", "s", "text");
    copied.behaves(&["SELECT s FROM t ORDER BY id"]).await;
}

#[tokio::test]
async fn nothing_null_and_blanks_side_by_side() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, b BLOB, x);
         INSERT INTO t VALUES (1, '', x'', ''), (2, NULL, NULL, NULL), (3, ' ', x'20', x''), (4, '  ', x'00', ' '), (5, char(9), x'2020', x'20');",
    );
    let copied = theme.equal().await;
    copied
        .is("t", "s", "text")
        .is("t", "b", "bytea")
        .is_mixed("t", "x");
    copied
        .behaves(&[
            "SELECT count(*) FROM t WHERE s = ''",
            "SELECT count(*) FROM t WHERE s IS NULL",
            "SELECT s FROM t ORDER BY id",
        ])
        .await;
}

#[tokio::test]
async fn ten_megabytes_in_one_value() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT);
         INSERT INTO t VALUES (1, 'small'), (2, replace(hex(zeroblob(5 * 1024 * 1024)), '0', 'x')),
             (3, replace(hex(zeroblob(1280 * 1024)), '0', '😀')), (4, 'after');",
    );
    let copied = theme.equal().await;
    let lengths = copied
        .query("SELECT length(s), octet_length(s) FROM t WHERE id IN (2, 3) ORDER BY id")
        .await;
    assert_eq!(
        lengths.concat(),
        ["10485760", "10485760", "2621440", "10485760"].map(|number| Some(number.to_owned()))
    );
}

#[tokio::test]
async fn bytes_of_every_kind() {
    let every = hex(&(0..=255).collect::<Vec<u8>>());
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB);
         INSERT INTO t VALUES (1, x'{every}'), (2, x''), (3, NULL), (4, randomblob(1024 * 1024)), (5, CAST('text' AS BLOB)), (6, x'1f8b0800'),
             (7, x'5c783431'), (8, zeroblob(3)), (9, x'5c');"
    ));
    let copied = theme.equal().await;
    copied.is("t", "b", "bytea").lists_nothing();
    copied
        .behaves(&["SELECT b FROM t WHERE id <> 4 ORDER BY id"])
        .await;
}

const WIDE: &str = "
    CREATE TABLE \"größe\" (id INTEGER PRIMARY KEY, \"naïve 表\" TEXT, \"😀\" VARCHAR(5) DEFAULT 'ä😀');
    INSERT INTO \"größe\" VALUES (1, 'plain', 'x'), (2, '😀', 'é'), (3, 'e' || char(0x301), '表'), (4, '', NULL), (5, char(0x10ffff), char(0xe000)),
        (6, char(0xfeff), char(0xfffe));
    CREATE INDEX \"índice\" ON \"größe\" (\"naïve 表\");";

async fn utf_16(encoding: &str) {
    let theme = Theme::new(format!("PRAGMA encoding = '{encoding}'; {WIDE}"));
    let copied = theme.equal().await;
    copied.is("größe", "naïve 表", "text").lists_nothing();
    copied
        .behaves(&["INSERT INTO \"größe\" (\"naïve 表\") VALUES ('ö') RETURNING id, \"😀\""])
        .await;
}

#[tokio::test]
async fn a_file_in_utf_16_little_endian() {
    utf_16("UTF-16le").await;
}

#[tokio::test]
async fn a_file_in_utf_16_big_endian() {
    utf_16("UTF-16be").await;
}

#[tokio::test]
async fn half_pairs_in_a_file_in_utf_16() {
    let make = |path: &Path| {
        execute(
            path,
            "PRAGMA encoding = 'UTF-16le';
             CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, other TEXT);
             INSERT INTO t VALUES (1, 'good 😀', 'a'), (2, CAST(x'410000d84200' AS TEXT), 'ä'), (3, CAST(x'00dc' AS TEXT), 'b'),
                 (4, CAST(x'00d800dc' AS TEXT), 'a whole pair'), (5, CAST(x'00d8' AS TEXT), 'c'), (6, CAST(x'410000004200' AS TEXT), 'a NUL');",
        );
    };
    let theme = Theme::made("wide.db", make);
    theme.quarantined(4, &["\"t\"", "\"s\"", "id = 2"]).await;
}
