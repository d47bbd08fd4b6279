//! JSON: the text is the truth, and no parser stands between it and the other side.

use crate::theme::Theme;

#[tokio::test]
async fn documents_whose_spelling_matters() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON);
         INSERT INTO t (doc) VALUES ('{"b": 1, "a": 2}'), ('{"a":2,"b":1}'), ('{ "x" : 1.0 }'), ('{"x":1}'), ('{"x":1.00e2}'), ('"\u00e9"'), ('"é"'),
             ('"\/"'), ('[1, 2,3 ]'), (' {} '), ('{"payload":"eyJ=","sig":"abc"}'), (NULL), ('{"a":' || char(10) || '1}'), ('-0'), ('[1E5]');"#,
    );
    let copied = theme.equal().await;
    copied.is("t", "doc", "json");
    let documents = copied
        .query("SELECT doc::text FROM t WHERE id <= 2 ORDER BY id")
        .await;
    assert_eq!(
        documents.concat(),
        [r#"{"b": 1, "a": 2}"#, r#"{"a":2,"b":1}"#].map(|text| Some(text.to_owned()))
    );
}

#[tokio::test]
async fn keys_that_come_twice() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON);
         INSERT INTO t (doc) VALUES ('{"a":1,"a":2}'), ('{"a":{"b":1,"b":1}}'), ('{"":1,"":2}');"#,
    );
    theme.equal().await.is("t", "doc", "json");
}

#[tokio::test]
async fn text_that_is_no_json_in_a_json_column() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON);
         INSERT INTO t (doc) VALUES ('{"a":1}'), (''), ('undefined'), ('{"a":1,}'), ('{a:1}'), ('NaN'), ('{"a":'), ('{"a":1} x'), ('[01]'), ('"\x41"'),
             ('''single'''), ('[1,]'), ('+1x'), ('Infinity'), ('nul'), ('{"a" 1}');"#,
    );
    theme.equal().await.is("t", "doc", "text");
}

#[tokio::test]
async fn escapes_that_jsonb_refuses() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON);
         INSERT INTO t (doc) VALUES ('"\u0000"'), ('{"\u0000":1}'), ('"\ud800"'), ('"\udc00x"'), ('"\ud83d\ude00"'), ('"\ud800\ud800"'), ('"a\u0000b"');"#,
    );
    theme.equal().await.is_one_of("t", "doc", &["json", "text"]);
}

#[tokio::test]
async fn numbers_beyond_doubles() {
    let theme = Theme::new(format!(
        r"CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON);
         INSERT INTO t (doc) VALUES ('[1e400]'), ('[{}]'), ('[1e-400]'), ('[0.100000000000000000000000000001]'), ('[9223372036854775808]'),
             ('[-0.0]'), ('[1e999999999]'), ('[9007199254740993]');",
        "1234567890".repeat(10)
    ));
    theme.equal().await.is("t", "doc", "json");
}

#[tokio::test]
async fn two_thousand_levels() {
    let (arrays, objects) = (
        format!("{}{}", "[".repeat(2_000), "]".repeat(2_000)),
        format!("{}1{}", r#"{"a":"#.repeat(2_000), "}".repeat(2_000)),
    );
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON); INSERT INTO t (doc) VALUES ('{arrays}'), ('{objects}'), ('[]');"
    ));
    theme.equal().await.is_one_of("t", "doc", &["json", "text"]);
}

#[tokio::test]
async fn a_hundred_thousand_levels_stop_nobody() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON); INSERT INTO t (doc) VALUES ('{deep}'), ('{{\"a\": 1}}');"
    ));
    theme.equal().await.is_one_of("t", "doc", &["json", "text"]);
}

#[tokio::test]
async fn scalars_at_the_top() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, doc JSON, texts JSON_TEXT);
         INSERT INTO t (doc, texts) VALUES ('null', 'null'), (NULL, NULL), ('true', 'true'), ('42', '42'), ('"s"', '"s"'), (42, '42.0'), (1.5, '1e3'),
             ('false', '"null"');"#,
    );
    let copied = theme.equal().await;
    let nulls = copied.query("SELECT count(*) FROM t WHERE doc IS NULL").await;
    assert_eq!(nulls, [[Some("1".to_owned())]]);
    copied.is_one_of("t", "texts", &["json", "text"]);
}

#[tokio::test]
async fn jsonb_blobs_alone_and_among_text() {
    let theme = Theme::new(
        r#"CREATE TABLE t (id INTEGER PRIMARY KEY, alone JSON, mixed JSON);
         INSERT INTO t (alone, mixed) VALUES (jsonb('{"a":[1,2.5,"x"]}'), '{"a":1}'), (jsonb('null'), jsonb('{"a":1}')), (NULL, x'00'),
             (jsonb('[]'), 'no json');"#,
    );
    theme
        .equal()
        .await
        .is("t", "alone", "bytea")
        .is_mixed("t", "mixed");
}
