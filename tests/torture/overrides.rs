//! What no value tells of itself, told by `--type`: units of time, words for true and false, charsets, texts that stand for NULL.

use crate::theme::{Theme, hex};

const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";

fn some(row: &[&str]) -> Vec<Option<String>> {
    row.iter().map(|text| Some((*text).to_owned())).collect()
}

/// In SQL, for PostgreSQL.
fn utc(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US BC')")
}

#[tokio::test]
async fn numbers_that_are_times() {
    let theme = Theme::new(
        "CREATE TABLE p (at INTEGER PRIMARY KEY, what TEXT);
         CREATE TABLE t (id INTEGER PRIMARY KEY, s INTEGER NOT NULL DEFAULT 0, ms BIGINT UNIQUE, us DATETIME, naive TIMESTAMP,
             p INTEGER REFERENCES p (at), made INTEGER DEFAULT (strftime('%s', 'now')), later INTEGER DEFAULT (unixepoch() + 60));
         CREATE INDEX t_s ON t (s DESC);
         INSERT INTO p VALUES (0, 'the beginning'), (-1, 'before'), (1706696430, 'then');
         INSERT INTO t VALUES (1, 1706696430, 1706696430123, 1706696430123456, 1706696430, 1706696430, 1, 1), (2, 0, 0, 0, 0, 0, 2, NULL),
             (3, -1, -1, -1, -1, -1, NULL, 3), (4, 253402300800, 253402300799999, NULL, -62135596801, NULL, 4, 4),
             (5, 9224318015999, -210866803200000, 9223372036854775807, -210866803200, NULL, 5, 5), (6, 951782400, NULL, 1, NULL, NULL, 6, 6);",
    );
    let theme = theme.asking(&[
        "p.at=timestamptz from seconds",
        "t.s=timestamptz from seconds",
        "t.ms=timestamptz from milliseconds",
        "t.us=timestamptz from microseconds",
        "t.naive=timestamp from seconds",
        "t.p=timestamptz from seconds",
        "t.made=timestamptz from seconds",
        "t.later=timestamptz from seconds",
    ]);
    let copied = theme.equal().await;
    for column in ["s", "ms", "us", "p", "made", "later"] {
        copied.is("t", column, TIMESTAMPTZ);
    }
    copied.is("p", "at", TIMESTAMPTZ).is("t", "naive", TIMESTAMP);
    let shown = format!(
        "SELECT {}, {}, {}, naive::text, {} FROM t ORDER BY id",
        utc("s"),
        utc("ms"),
        utc("us"),
        utc("p")
    );
    let shown = copied.query(&shown).await;
    let then = "2024-01-31 10:20:30";
    let expected = [
        format!("{then}.000000 AD"),
        format!("{then}.123000 AD"),
        format!("{then}.123456 AD"),
        then.to_owned(),
        format!("{then}.000000 AD"),
    ];
    assert_eq!(shown[0], expected.map(Some));
    let before = "1969-12-31 23:59:59.000000 AD";
    assert_eq!(
        shown[2],
        some(&[
            before,
            "1969-12-31 23:59:59.999000 AD",
            "1969-12-31 23:59:59.999999 AD",
            "1969-12-31 23:59:59",
            before
        ])
    );
    assert_eq!(shown[3][0].as_deref(), Some("10000-01-01 00:00:00.000000 AD"));
    assert_eq!(shown[4][0].as_deref(), Some("294276-12-31 23:59:59.000000 AD"));
    assert_eq!(shown[4][3].as_deref(), Some("4714-11-24 00:00:00 BC"));
    copied.lists(&["p", "at", "INTEGER PRIMARY KEY"]);
    // What SQLite gives by default is the same here, or told.
    copied.lists(&["t.later", "unixepoch() + 60", "default"]);
    let sql = "INSERT INTO t (id) VALUES (7) RETURNING s = 'epoch', made BETWEEN now() - interval '9 s' AND now(), extract(microseconds FROM made) % 1000000 = 0, later";
    let given = copied.query(sql).await;
    assert_eq!(
        given,
        [vec![
            Some("t".to_owned()),
            Some("t".to_owned()),
            Some("t".to_owned()),
            None
        ]]
    );
    copied.query("DELETE FROM t WHERE id = 7").await;
    copied
        .is_verified_back()
        .await
        .finds(
            "t",
            &[
                "UPDATE t SET s = s + interval '1 microsecond' WHERE id = 1",
                "UPDATE t SET s = s - interval '1 second' WHERE id = 5",
                "UPDATE t SET ms = ms + interval '1 millisecond' WHERE id = 5",
                "UPDATE t SET us = NULL WHERE id = 6",
                "UPDATE t SET us = 'epoch' WHERE id = 4",
                "UPDATE t SET naive = 'infinity' WHERE id = 2",
                "UPDATE t SET p = NULL WHERE id = 2",
            ],
        )
        .await;
    // Keys hold, as they did.
    let twice = copied
        .client()
        .batch_execute("INSERT INTO t (id, ms) VALUES (8, 'epoch')")
        .await;
    assert!(twice.is_err(), "ms is unique");
    let orphan = copied
        .client()
        .batch_execute("INSERT INTO t (id, p) VALUES (8, '2000-01-01')")
        .await;
    assert!(orphan.is_err(), "p refers to p.at");
    copied
        .query("UPDATE t SET s = s + interval '1 millisecond' WHERE id = 1")
        .await;
    copied.is_refused_back(&["\"s\"", "id = 1", "no form"]).await;
}

/// Zeros behind the point that the type shows are none of the number's.
#[tokio::test]
async fn decimals_of_so_many_digits() {
    let theme = Theme::new(
        "CREATE TABLE o (id INTEGER PRIMARY KEY, price INTEGER DEFAULT 5, r REAL, d DECIMAL(10,2), m);
         INSERT INTO o VALUES (1, 1, 2.5, 3, 1), (2, 20, 3.0, 4.5, 2), (3, NULL, -0.25, 6.25, NULL), (4, -7, 0.0, 0, 3);",
    );
    let theme = theme.asking(&[
        "o.price=numeric(10,2)",
        "o.r=numeric(12,3)",
        "o.d=numeric(10,2)",
        "o.m=numeric(4,1)",
    ]);
    let copied = theme.equal().await;
    copied
        .is("o", "price", "numeric(10,2)")
        .is("o", "r", "numeric(12,3)");
    let shown = copied
        .query("SELECT price::text, r::text, d::text, m::text FROM o WHERE id = 2")
        .await;
    assert_eq!(shown, [some(&["20.00", "3.000", "4.50", "2.0"])]);
    copied
        .behaves(&["INSERT INTO o (id) VALUES (9) RETURNING CASE price WHEN 5 THEN 'five' END"])
        .await;
    assert_eq!(copied.report["tables"][0]["normalised"], serde_json::json!({}));
    // What the type would round is no value of it; and 1 beside 1.0 is converted, and counted.
    let rounded = Theme::new(
        "CREATE TABLE o (id INTEGER PRIMARY KEY, p REAL); INSERT INTO o VALUES (1, 2.5), (2, 2.555);",
    );
    let rounded = rounded.asking(&["o.p=numeric(10,2)"]);
    let flags = rounded.flags().to_vec();
    let told = rounded.command("copy", &flags).await.with(1, "copy").json();
    assert_eq!(told["rejects"][0]["key"], "id = 2", "{told}");
    assert_eq!(
        told["rejects"][0]["reason"],
        "a number that the column's type would round"
    );
    let both = Theme::new(
        "CREATE TABLE o (id INTEGER PRIMARY KEY, p); INSERT INTO o VALUES (1, 1), (2, 1.0), (3, 2.5);",
    );
    let both = both.asking(&["o.p=numeric(10,2)"]);
    let flags = both.flags().to_vec();
    let told = both.command("copy", &flags).await.with(0, "copy").json();
    assert_eq!(
        told["tables"][0]["normalised"]["p"],
        serde_json::json!({"integer_as_decimal": 1, "real_as_decimal": 2})
    );
}

#[tokio::test]
async fn numbers_that_are_no_times() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s INTEGER, free);
         INSERT INTO t VALUES (1, 1706696430, 1), (2, 9224318016000, 2), (3, -210866803201, 3), (4, '2024-01-31', 4), (5, 1.5, 5), (6, x'31', 6),
             (7, 9223372036854775807, 7), (8, 8, '1706696430'), (9, 9, 1706696430.0), (10, NULL, NULL), (11, '', 11);",
    );
    let theme = theme.asking(&["t.s=timestamptz from seconds", "*.free=timestamp from seconds"]);
    let copied = theme
        .quarantined(
            9,
            &[
                "\"t\"",
                "\"s\"",
                "id = 2",
                "id = 7",
                "beyond the column's range",
                "id = 11",
                "\"free\"",
                "id = 8",
                "text where",
            ],
        )
        .await;
    copied.is("t", "s", TIMESTAMPTZ).is("t", "free", TIMESTAMP);
    let column = &copied.inspection["tables"][0]["columns"][1];
    assert_eq!(column["rendering"], "timestamptz from seconds");
    let why = "as asked for (timestamptz from seconds), 6 integers and 1 real and 2 texts and 1 blob";
    assert_eq!(column["why"], why);
}

#[tokio::test]
async fn words_for_true_and_false() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, tf TEXT NOT NULL DEFAULT 'f' CHECK (tf IN ('t', 'f')), yn CHAR(1), n INTEGER DEFAULT -1 CHECK (n <> 0), digits TEXT,
             odd, na VARCHAR DEFAULT 'maybe', g AS (tf = 't'));
         CREATE INDEX t_tf ON t (tf) WHERE yn IS NOT NULL; CREATE INDEX t_lower ON t (lower(yn));
         INSERT INTO t (id, tf, yn, n, digits, odd, na) VALUES (1, 't', 'Y', 1, '1', 1, 'n/a'), (2, 'f', 'N', -1, '0', 'no', 'it''s'), (3, 't', NULL, NULL, NULL, NULL, NULL),
             (4, 'f', 'Y', 1, '0', 1, 'n/a');",
    );
    let theme = theme.asking(&[
        "t.tf=boolean from t/f",
        "t.yn=boolean from Y/N",
        "t.n=boolean from 1/-1",
        "t.digits=boolean from '1'/'0'",
        "t.odd=boolean from 1/no",
        "t.na=boolean from 'it''s'/'n/a'",
    ]);
    let copied = theme.equal().await;
    for column in ["tf", "yn", "n", "digits", "odd", "na"] {
        copied.is("t", column, "boolean");
    }
    let shown = copied
        .query("SELECT tf, yn, n, digits, odd, na FROM t ORDER BY id")
        .await;
    assert_eq!(shown[0], some(&["t", "t", "t", "t", "t", "f"]));
    assert_eq!(shown[1], some(&["f", "f", "f", "f", "f", "t"]));
    copied
        .lists(&["t.na", "maybe"])
        .lists(&["check", "tf IN"])
        .lists(&["check", "n <> 0"]);
    copied.lists(&["g", "tf = 't'"]).lists(&["index", "t_lower"]);
    let index = "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%(tf) WHERE (yn IS NOT NULL)'";
    assert_eq!(copied.query(index).await, [some(&["1"])]);
    let given = copied
        .query("INSERT INTO t (id) VALUES (7) RETURNING tf, n, na")
        .await;
    assert_eq!(given, [vec![Some("f".to_owned()), Some("f".to_owned()), None]]);
    copied.query("DELETE FROM t WHERE id = 7").await;
    copied
        .is_verified_back()
        .await
        .finds(
            "t",
            &[
                "UPDATE t SET tf = NOT tf WHERE id = 1",
                "UPDATE t SET yn = FALSE WHERE id = 3",
                "UPDATE t SET n = NULL WHERE id = 2",
                "UPDATE t SET odd = NOT odd WHERE id = 2",
                "UPDATE t SET na = NOT na WHERE id = 4",
            ],
        )
        .await;
}

#[tokio::test]
async fn words_for_neither() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, tf TEXT, n);
         INSERT INTO t VALUES (1, 't', 1), (2, 'T', 1), (3, '', 1), (4, 'true', 1), (5, 't ', 1), (6, x'74', 1), (7, 'f', '1'), (8, 'f', 1.0),
             (9, 'f', 0), (10, 'f', -1), (11, 't' || char(0), 1);",
    );
    let theme = theme.asking(&["t.tf=boolean from t/f", "t.n=boolean from 1/-1"]);
    let naming = [
        "\"tf\"",
        "\"n\"",
        "id = 2",
        "id = 3",
        "id = 9",
        "neither for true nor for false",
    ];
    let copied = theme.quarantined(9, &naming).await;
    let shown = copied.query("SELECT id, tf, n FROM t ORDER BY id").await;
    assert_eq!(shown, [some(&["1", "t", "t"]), some(&["10", "f", "f"])]);
}

#[tokio::test]
async fn text_in_another_charset() {
    let all = hex(&(1..=u8::MAX).collect::<Vec<u8>>());
    let theme = Theme::new(format!(
        "CREATE TABLE p (name TEXT PRIMARY KEY COLLATE NOCASE);
         CREATE TABLE t (id INTEGER PRIMARY KEY, w TEXT DEFAULT 'none', l TEXT, c TEXT, p TEXT REFERENCES p (name), CHECK (length(w) > 0));
         CREATE UNIQUE INDEX t_w ON t (w);
         INSERT INTO p VALUES (CAST(x'e9' AS TEXT)), ('plain');
         INSERT INTO t VALUES (1, CAST(x'6e61ef7665208020939494' AS TEXT), CAST(x'e9809f' AS TEXT), CAST(x'cff0e8e2e5f2' AS TEXT), CAST(x'e9' AS TEXT)),
             (2, CAST(x'{all}' AS TEXT), CAST(x'{all}' AS TEXT), CAST(x'{all}' AS TEXT), NULL), (3, 'ASCII \\N \"q\"', '', NULL, 'plain'),
             (4, 'é in UTF-8', 'é', '🙂', NULL);"
    ));
    let theme = theme.asking(&[
        "*.name=text from windows-1252",
        "t.p=text from windows-1252",
        "t.w=text from windows-1252",
        "t.l=text from iso-8859-1",
        "t.c=text from windows-1251",
    ]);
    let copied = theme.equal().await;
    let shown = copied.query("SELECT w, l, c, p FROM t WHERE id = 1").await;
    assert_eq!(shown, [some(&["naïve € “””", "é\u{80}\u{9f}", "Привет", "é"])]);
    assert_eq!(
        copied.query("SELECT w, l FROM t WHERE id = 4").await,
        [some(&["Ã© in UTF-8", "Ã©"])]
    );
    copied.lists(&["check", "length(w) > 0"]);
    let given = copied.query("INSERT INTO t (id) VALUES (7) RETURNING w").await;
    assert_eq!(given, [some(&["none"])]);
    copied.query("DELETE FROM t WHERE id = 7").await;
    copied
        .is_verified_back()
        .await
        .finds(
            "t",
            &[
                "UPDATE t SET w = replace(w, '€', 'E') WHERE id = 1",
                "UPDATE t SET w = w || ' ' WHERE id = 3",
                "UPDATE t SET l = replace(l, E'\\u0080', '€') WHERE id = 1",
                "UPDATE t SET c = replace(c, 'П', 'п') WHERE id = 1",
                "UPDATE t SET c = '' WHERE id = 3",
                "UPDATE t SET p = NULL WHERE id = 1",
            ],
        )
        .await;
    copied.query("UPDATE t SET w = 'Ω' WHERE id = 1").await;
    copied.is_refused_back(&["\"w\"", "id = 1", "no form"]).await;
}

#[tokio::test]
async fn text_that_is_in_no_such_charset() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g TEXT);
         INSERT INTO t VALUES (1, CAST(x'c1' AS TEXT)), (2, CAST(x'61aa' AS TEXT)), (3, CAST(x'e9006f' AS TEXT)), (4, x'c1'), (5, ''), (6, NULL);",
    );
    let theme = theme.asking(&["t.g=text from windows-1253"]);
    let naming = [
        "\"g\"",
        "id = 2",
        "means nothing in the charset",
        "id = 3",
        "NUL",
        "id = 4",
        "blob where",
    ];
    let copied = theme.quarantined(3, &naming).await;
    assert_eq!(copied.query("SELECT g FROM t WHERE id = 1").await, [some(&["Α"])]);

    let theme =
        Theme::new("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (s TEXT); INSERT INTO t VALUES ('é')");
    let flags = ["--type", "t.s=text from windows-1252"].map(str::to_owned);
    let refused = theme
        .command("copy", &flags)
        .await
        .with(2, "copy of a file in UTF-16");
    assert!(refused.stderr.contains("UTF-16le"), "{}", refused.stderr);
    theme.untouched().await;
}

#[tokio::test]
async fn texts_that_stand_for_null_and_come_back() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE NOT NULL DEFAULT '', z DATETIME, n NUMERIC UNIQUE, yn TEXT, e INTEGER, s TEXT,
             w TEXT, CHECK (s IS NOT NULL), CHECK (id > 0), CHECK (coalesce(w, '') <> 'x'));
         CREATE INDEX t_z ON t (z) WHERE d <> '';
         INSERT INTO t VALUES (1, '2024-01-31', '2024-01-31 10:20:30', 1.5, 'Y', 1706696430, 'a', 'w'), (2, '', '0000-00-00 00:00:00', '', '', '', '', 'w'),
             (3, '0001-01-01', '2024-01-31 00:00:00', 3, 'N', 0, ' ', 'w');",
    );
    let theme = theme.asking(&[
        "t.d=date, empty as null",
        "t.z=empty as null, zero date as null",
        "t.n=empty as null",
        "t.yn=boolean from Y/N, empty as null",
        "t.e=timestamptz from seconds, empty as null",
        "t.s=text, empty as null",
        "t.w=empty as null",
    ]);
    let copied = theme.equal().await;
    copied
        .is("t", "d", "date")
        .is("t", "z", TIMESTAMP)
        .is("t", "n", "numeric");
    copied
        .is("t", "yn", "boolean")
        .is("t", "e", TIMESTAMPTZ)
        .is("t", "s", "text");
    copied.is("t", "w", "text");
    let nulls = copied
        .query("SELECT id FROM t WHERE num_nulls(d, z, n, yn, e, s) = 6")
        .await;
    assert_eq!(nulls, [some(&["2"])]);
    let nulls = copied
        .query("SELECT sum(num_nulls(d, z, n, yn, e, s, w)) FROM t")
        .await;
    assert_eq!(nulls, [some(&["6"])]);
    assert_eq!(
        copied.report["tables"][0]["normalised"],
        serde_json::json!({}),
        "NULL comes back as it was"
    );
    // What speaks of NULL, or of the text, is told.
    copied.lists(&["\"d\"", "NOT NULL"].map(|word| word.trim_matches('"')));
    copied
        .lists(&["check", "s IS NOT NULL"])
        .lists(&["index", "t_z"])
        .lists(&["UNIQUE (n)", "several rows"]);
    assert!(
        !copied.is_listed(&["check", "id > 0"]),
        "it has nothing to do with it"
    );
    assert!(
        !copied.is_listed(&["check", "coalesce(w"]),
        "nothing in w became NULL"
    );
    assert!(!copied.is_listed(&["DEFAULT"]), "{}", copied.report);
    let given = copied
        .query("INSERT INTO t (id, n, s) VALUES (7, 7, 'x') RETURNING d")
        .await;
    assert_eq!(given, [[None]]);
    let back = copied.again().await;
    let given: String = back
        .query_row("SELECT d FROM t WHERE id = 7", [], |row| row.get(0))
        .unwrap();
    assert_eq!(given, "");
    copied.query("DELETE FROM t WHERE id = 7").await;
    copied
        .is_verified_back()
        .await
        .finds(
            "t",
            &[
                "UPDATE t SET d = '2024-01-31' WHERE id = 2",
                "UPDATE t SET d = NULL WHERE id = 1",
                "UPDATE t SET z = NULL WHERE id = 3",
                "UPDATE t SET n = 0 WHERE id = 2",
                "UPDATE t SET yn = FALSE WHERE id = 2",
                "UPDATE t SET e = 'epoch' WHERE id = 2",
                "UPDATE t SET s = '' WHERE id = 2",
                "UPDATE t SET s = '' WHERE id = 3",
                "UPDATE t SET w = NULL WHERE id = 1",
            ],
        )
        .await;
    copied.query("UPDATE t SET s = '' WHERE id = 1").await;
    copied.is_refused_back(&["\"s\"", "id = 1", "no form"]).await;
}

/// NULL and `''` in one column, or two texts: NULL comes back as NULL, and what is lost by it is counted.
#[tokio::test]
async fn texts_that_become_null_for_good() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, both TEXT DEFAULT '', n INTEGER, exact DATETIME);
         INSERT INTO t VALUES (1, '2024-01-31', '2024-01-31', 1, '2024-01-31 10:20'), (2, '', '', '', ''), (3, NULL, '0000-00-00', '', '2024-01-31 10:20:30.5'),
             (4, '', '0000-00-00 00:00:00', NULL, '2024-01-31T10:20:30+02:00'), (5, '2000-02-29', '', 7, '');",
    );
    let theme = theme.asking(&[
        "t.d=date, empty as null",
        "t.both=date, empty as null, zero date as null",
        "t.n=bigint, empty as null",
        "t.exact=timestamptz, empty as null",
    ]);
    let inspected = theme.inspect(&[]).await.with(0, "inspect").json();
    let columns = &inspected["tables"][0]["columns"];
    assert_eq!(columns[1]["rendering"], "empty-as-null date");
    assert_eq!(columns[1]["texts_as_null"], 2);
    assert_eq!(columns[1]["classes"], serde_json::json!({"null": 1, "text": 2}));
    let why = columns[1]["why"].as_str().unwrap();
    assert_eq!(
        why,
        "as asked for, 2 texts; 2 texts '' to NULL, which comes back as NULL"
    );
    assert_eq!(
        columns[2]["rendering"],
        "empty-as-null zero-date-as-null zero-datetime-as-null date"
    );
    assert_eq!(
        columns[4]["rendering"], "null-as-empty type",
        "the rest is of the type"
    );

    let flags: Vec<String> = theme.flags().to_vec();
    let copied = theme.command("copy", &flags).await.with(0, "copy").json();
    let normalised = serde_json::json!({
        "d": {"empty_as_null": 2},
        "both": {"empty_as_null": 2, "zero_date_as_null": 2},
        "n": {"empty_as_null": 2},
        "exact": {"time_spelling": 1, "naive_time": 2},
    });
    assert_eq!(copied["tables"][0]["normalised"], normalised);
    assert!(
        copied["weakened"].to_string().contains("what it gives is NULL"),
        "{copied}"
    );
    theme.command("verify", &[]).await.with(0, "verify");

    let client = theme.client().await;
    let nulls = "SELECT array_agg(id ORDER BY id) FILTER (WHERE d IS NULL), array_agg(id ORDER BY id) FILTER (WHERE \"both\" IS NULL),
                     array_agg(id ORDER BY id) FILTER (WHERE n IS NULL), array_agg(id ORDER BY id) FILTER (WHERE exact IS NULL) FROM t";
    let row = client.query_one(nulls, &[]).await.unwrap();
    let ids = |at: usize| row.get::<_, Vec<i64>>(at);
    assert_eq!(
        [ids(0), ids(1), ids(2), ids(3)],
        [vec![2, 3, 4], vec![2, 3, 4, 5], vec![2, 3, 4], vec![2, 5]]
    );
    for change in [
        "UPDATE t SET d = '2024-02-01' WHERE id = 1",
        "UPDATE t SET d = '2024-02-01' WHERE id = 3",
        "UPDATE t SET \"both\" = NULL WHERE id = 1",
        "UPDATE t SET n = 0 WHERE id = 2",
        "UPDATE t SET exact = exact + interval '1 microsecond' WHERE id = 3",
        "UPDATE t SET exact = 'epoch' WHERE id = 2",
        "UPDATE t SET exact = NULL WHERE id = 1",
    ] {
        let undo = format!("CREATE TABLE kept AS TABLE t; {change}");
        client.batch_execute(&undo).await.unwrap();
        theme.command("verify", &[]).await.with(1, change);
        let put_back = "DELETE FROM t; INSERT INTO t OVERRIDING SYSTEM VALUE TABLE kept; DROP TABLE kept";
        client.batch_execute(put_back).await.unwrap();
        theme
            .command("verify", &[])
            .await
            .with(0, "verify of what was put back");
    }
    let found = theme.differences_of_back().await;
    assert!(!found.is_empty(), "what became NULL for good does not come back");
    theme.verify_back().await;
    let back = theme.opened_back();
    let row: (Option<String>, Option<String>, Option<i64>, Option<String>) = back
        .query_row("SELECT d, both, n, exact FROM t WHERE id = 2", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    assert_eq!(row, (None, None, None, Some(String::new())));
}

/// The class stands beside NULL, too.
#[tokio::test]
async fn texts_that_stand_for_null_among_values_of_several_classes() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, m, b);
         INSERT INTO t VALUES (1, 1, x'00'), (2, '', ''), (3, 'x', x''), (4, 1.0, 'y'), (5, '', '');",
    );
    let theme = theme.asking(&["*.*=empty as null"]);
    let flags: Vec<String> = theme.flags().to_vec();
    theme.command("copy", &flags).await.with(0, "copy");
    theme.command("verify", &[]).await.with(0, "verify");
    let client = theme.client().await;
    let sql =
        "SELECT array_agg(id ORDER BY id) FILTER (WHERE m IS NULL AND b IS NULL), count(m), count(b) FROM t";
    let row = client.query_one(sql, &[]).await.unwrap();
    let found: (Vec<i64>, i64, i64) = (row.get(0), row.get(1), row.get(2));
    assert_eq!(found, (vec![2, 5], 3, 3));
    assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
    theme.verify_back().await;
    for change in [
        "UPDATE t SET m = '', m__class = 'text' WHERE id = 2",
        "UPDATE t SET m = NULL WHERE id = 3",
        "UPDATE t SET b = NULL WHERE id = 3",
    ] {
        client
            .batch_execute(&format!("BEGIN; CREATE TABLE kept AS TABLE t; {change}; COMMIT"))
            .await
            .unwrap();
        theme.command("verify", &[]).await.with(1, change);
        let put_back = "DELETE FROM t; INSERT INTO t OVERRIDING SYSTEM VALUE TABLE kept; DROP TABLE kept";
        client.batch_execute(put_back).await.unwrap();
    }
}

/// What is equal in PostgreSQL must have been equal in SQLite.
#[tokio::test]
async fn references_between_columns_of_which_another_thing_was_told() {
    let theme = Theme::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, at INTEGER UNIQUE, name TEXT UNIQUE, yn TEXT UNIQUE);
         CREATE TABLE t (at INTEGER REFERENCES p (at), same INTEGER REFERENCES p (at), name TEXT REFERENCES p (name), yn TEXT REFERENCES p (yn));
         INSERT INTO p VALUES (1, 0, 'a', 'Y'), (2, 1000, CAST(x'c3a9' AS TEXT), 'N'), (3, NULL, 'b', NULL);
         INSERT INTO t VALUES (0, 1000, 'a', 'Y'), (1000, 0, 'b', 'N'), (NULL, NULL, NULL, NULL);",
    );
    let theme = theme.asking(&[
        "p.at=timestamptz from seconds",
        "t.at=timestamptz from milliseconds",
        "t.same=timestamptz from seconds",
        "t.name=text from windows-1252",
        "p.yn=boolean from Y/N",
        "t.yn=boolean from N/Y",
    ]);
    let copied = theme.equal().await;
    for column in ["at", "name", "yn"] {
        copied.lists(&[
            "foreign key",
            &format!("FOREIGN KEY ({column})"),
            "different types",
        ]);
    }
    let keys = copied
        .query("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'")
        .await;
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(
        keys[0][0].as_ref().unwrap().starts_with("FOREIGN KEY (same)"),
        "{keys:?}"
    );
}

/// A key cannot hold NULL, and a reference of NULL is none.
#[tokio::test]
async fn texts_that_become_null_in_keys() {
    let theme = Theme::new(
        "CREATE TABLE p (k TEXT NOT NULL PRIMARY KEY, what TEXT);
         CREATE TABLE t (id INTEGER PRIMARY KEY, p TEXT REFERENCES q (k), u DATE UNIQUE);
         CREATE TABLE q (k TEXT NOT NULL PRIMARY KEY);
         INSERT INTO p VALUES ('a', 'x'), ('', 'y'); INSERT INTO q VALUES ('a'), ('b');
         INSERT INTO t VALUES (1, 'a', '2024-01-31'), (2, '', '0000-00-00'), (3, '', '2000-02-29');",
    );
    let theme = theme.asking(&["*.*=empty as null, zero date as null"]);
    let copied = theme.equal().await;
    copied
        .lists(&["p", "PRIMARY KEY (k)", "rows have NULL in k"])
        .lists(&["p", "NOT NULL", "as asked for"]);
    copied
        .lists(&["t", "FOREIGN KEY (p)", "NULL refers to nothing"])
        .lists(&["t", "UNIQUE (u)", "several rows"]);
    copied.is("t", "u", "date");
    assert_eq!(
        copied.query("SELECT what FROM p WHERE k IS NULL").await,
        [some(&["y"])]
    );
    let orphan = copied
        .client()
        .batch_execute("UPDATE t SET p = 'c' WHERE id = 2")
        .await;
    assert!(orphan.is_err(), "p refers to q.k");
    copied
        .is_verified_back()
        .await
        .finds(
            "t",
            &[
                "UPDATE t SET p = 'b' WHERE id = 2",
                "UPDATE t SET p = NULL WHERE id = 1",
            ],
        )
        .await;
}

/// Rows that come later find the columns as they were told once.
#[tokio::test]
async fn rows_for_a_table_that_is_there() {
    let theme = Theme::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s INTEGER, tf TEXT, w TEXT, d DATE);
         INSERT INTO t VALUES (1, 1706696430, 't', CAST(x'e9' AS TEXT), ''), (2, NULL, 'f', 'x', '2024-01-31');",
    );
    let theme = theme.asking(&[
        "t.s=timestamptz from seconds",
        "t.tf=boolean from t/f",
        "t.w=text from windows-1252",
        "t.d=date, empty as null",
    ]);
    let flags: Vec<String> = theme.flags().to_vec();
    theme.command("copy", &flags).await.with(0, "copy");
    let again = ["--data-only", "--replace"].map(str::to_owned);
    theme
        .command("copy", &again)
        .await
        .with(0, "copy of the rows again");
    theme.command("verify", &[]).await.with(0, "verify");
    assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
    theme.verify_back().await;
    // A type is for a column that is made.
    let told = [
        "--data-only",
        "--replace",
        "--type",
        "t.s=timestamptz from milliseconds",
    ]
    .map(str::to_owned);
    let refused = theme
        .command("copy", &told)
        .await
        .with(2, "copy with a type for what is there");
    assert!(
        refused.stderr.contains("no column that is made"),
        "{}",
        refused.stderr
    );
    // What an older program would say of these.
    let client = theme.client().await;
    client
        .execute(
            "UPDATE cutover.rendering SET rendering = 'date from moons' WHERE column_name = 'd'",
            &[],
        )
        .await
        .unwrap();
    let verified = theme
        .command("verify", &[])
        .await
        .with(1, "verify of what is not known");
    assert!(verified.stdout.contains("date from moons"), "{}", verified.stdout);
    let back = theme.bring_back_fails().await;
    assert!(back.stderr.contains("date from moons"), "{}", back.stderr);
}

#[tokio::test]
async fn the_same_words_in_a_file() {
    let theme = Theme::new(
        "CREATE TABLE \"a.b\" (id INTEGER PRIMARY KEY, s INTEGER, \"t=f\" TEXT);
         INSERT INTO \"a.b\" VALUES (1, 1706696430, '='), (2, -1, 'no, not'), (3, '', NULL);",
    );
    let file = theme.beside(
        "types.toml",
        r#"
            "\"a.b\".s" = "timestamptz from seconds, empty as null"
            "*.t=f" = "boolean from '='/'no, not'"
        "#,
    );
    let flags = ["--types-file".to_owned(), file];
    let inspected = theme.inspect(&flags).await.with(0, "inspect").json();
    let columns = &inspected["tables"][0]["columns"];
    assert_eq!(columns[1]["type"], TIMESTAMPTZ);
    assert_eq!(columns[1]["rendering"], "null-as-empty timestamptz from seconds");
    assert_eq!(columns[2]["rendering"], "boolean from '='/'no, not'");
    theme.command("copy", &flags).await.with(0, "copy");
    theme.command("verify", &[]).await.with(0, "verify");
    assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
    theme.verify_back().await;
    let said_twice = [&flags[..], &["--type", "\"a.b\".s=text"].map(str::to_owned)].concat();
    let inspected = theme.inspect(&said_twice).await.with(0, "inspect").json();
    assert_eq!(
        inspected["tables"][0]["columns"][1]["type"], "text",
        "a flag's word counts"
    );
}

#[tokio::test]
async fn mistakes_are_told_with_the_words_that_can_be() {
    let theme = Theme::new("CREATE TABLE t (s INTEGER); INSERT INTO t VALUES (1)");
    for (wish, told) in [
        (
            "t.s=timestamptz from hours",
            "seconds, milliseconds or microseconds",
        ),
        ("t.s=timestamptz from", "timestamptz)"),
        ("t.s=boolean from t", "t/f, 1/-1"),
        ("t.s=boolean from 1/1", "t/f, 1/-1"),
        ("t.s=boolean from /", "t/f, 1/-1"),
        ("t.s=text from utf-7", "windows-1252, iso-8859-1"),
        ("t.s=date from seconds", "timestamptz and timestamp (from seconds"),
        (
            "t.s=date, blank as null",
            "\"empty as null\" and \"zero date as null\"",
        ),
        ("t.nothing=boolean from t/f", "t.nothing"),
    ] {
        for command in ["copy", "inspect"] {
            let flags = ["--type".to_owned(), wish.to_owned()];
            let ended = match command {
                "copy" => theme.command(command, &flags).await,
                _ => theme.inspect(&flags).await,
            };
            let ended = ended.with(2, wish);
            assert!(ended.stderr.contains(told), "{wish}: {}", ended.stderr);
        }
        let (column, wanted) = wish.split_once('=').unwrap();
        let file = theme.beside("types.toml", &format!("{column:?} = {wanted:?}"));
        let ended = theme
            .command("copy", &["--types-file".to_owned(), file])
            .await
            .with(2, wish);
        assert!(ended.stderr.contains(told), "{wish}: {}", ended.stderr);
    }
    for (second, told) in [
        (
            "\"t.s\" = \"date\"",
            "types.toml: line 3: not TOML: duplicate key",
        ),
        ("\"t.x\" = \"date from days\"", "types.toml: line 3: "),
        ("\"t.x\" = 1", "types.toml: line 3: not TOML: "),
    ] {
        let file = theme.beside("types.toml", &format!("# Types\n\"t.s\" = \"text\"\n{second}\n"));
        let flags = ["--types-file".to_owned(), file];
        let ended = theme.command("copy", &flags).await.with(2, second);
        assert!(ended.stderr.contains(told), "{second}: {}", ended.stderr);
    }
    theme.untouched().await;

    // There is nothing to be told of what a file stores.
    let file = theme.beside("other.db", "");
    let flags = ["--type", "t.s=timestamptz from seconds"].map(str::to_owned);
    let ended = theme.copy_to(&file, &flags).await.with(2, "copy to a file");
    assert!(ended.stderr.contains("made in PostgreSQL"), "{}", ended.stderr);
}
