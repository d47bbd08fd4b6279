//! A target that somebody has changed between two copies: no value may be taken for another one.

use std::time::Duration;

use cutover_tests::rusqlite::Connection;
use serde_json::Value;

use crate::program::Ended;
use crate::theme::Theme;

/// A file of which the schema was copied, and what somebody has done to the tables since.
async fn made_and_changed(file: &str, change: &str) -> Theme {
    let theme = Theme::new(file);
    theme
        .command("copy", &["--schema-only".to_owned()])
        .await
        .with(0, "copy --schema-only");
    theme.client().await.batch_execute(change).await.unwrap();
    theme
}

/// The first column of the first row, as text.
async fn asked(theme: &Theme, sql: &str) -> String {
    theme.client().await.query_one(sql, &[]).await.unwrap().get(0)
}

/// The reasons of what was not carried of this name.
fn not_carried(report: &Value, name: &str) -> String {
    let entries = report["not_carried"].as_array().unwrap().iter();
    let reasons = entries.filter(|entry| entry["name"] == name);
    reasons.map(|entry| entry["reason"].as_str().unwrap()).collect()
}

const NUMBERS: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER, r REAL, d TEXT);
    INSERT INTO t VALUES (1, 5, 1.5, '2024-01-31 10:20:30.654321'), (2, 7, 2.5, '2024-02-29 00:00:00.000001')";

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_type_gets_values_by_that_type() {
    let changes = [
        ("ALTER TABLE t ALTER v TYPE double precision", "v", "5,7"),
        ("ALTER TABLE t ALTER v TYPE numeric", "v", "5,7"),
        ("ALTER TABLE t ALTER v TYPE integer", "v", "5,7"),
        (
            "ALTER TABLE t RENAME v TO x; ALTER TABLE t RENAME r TO v; ALTER TABLE t RENAME x TO r; ALTER TABLE t ALTER r TYPE numeric",
            "r",
            "1.5,2.5",
        ),
        // Another table of the same name, that somebody has made.
        (
            "DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY, v real, r real, d text)",
            "v",
            "5,7",
        ),
        (
            "DROP TABLE t; CREATE TABLE t (id bigint PRIMARY KEY, v numeric(3,1), r double precision, d varchar(40))",
            "v",
            "5.0,7.0",
        ),
    ];
    for (change, column, expected) in changes {
        let theme = made_and_changed(NUMBERS, change).await;
        let report = theme
            .command("copy", &["--data-only".to_owned()])
            .await
            .with(0, change)
            .json();
        let values = format!("SELECT string_agg({column}::text, ',' ORDER BY id) FROM t");
        assert_eq!(asked(&theme, &values).await, expected, "{change}");
        let said = not_carried(&report, &format!("t.{column}"));
        assert!(said.contains("was made as"), "{change}: {report:#}");
        theme.command("verify", &[]).await.with(0, change);
        // It was forgotten with the copy.
        theme
            .command(
                "copy",
                &[
                    "--data-only".to_owned(),
                    "--replace".to_owned(),
                    "--strict".to_owned(),
                ],
            )
            .await
            .with(0, change);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_would_round_or_cut_refuses_the_row() {
    for (change, column, reason) in [
        ("ALTER TABLE t ALTER r TYPE numeric(5, 0)", "r", "round"),
        ("ALTER TABLE t ALTER d TYPE timestamp(0)", "d", "fine"),
        ("ALTER TABLE t ALTER d TYPE varchar(3)", "d", "long"),
        ("ALTER TABLE t ALTER r TYPE bigint", "r", ""),
        ("ALTER TABLE t ALTER v TYPE money USING 0::money", "v", "money"),
        (
            "ALTER TABLE t ALTER v TYPE interval USING '1s'::interval",
            "v",
            "interval",
        ),
    ] {
        let theme = made_and_changed(NUMBERS, change).await;
        let report = theme
            .command("copy", &["--data-only".to_owned()])
            .await
            .with(1, change)
            .json();
        let first = &report["rejects"][0];
        assert_eq!(first["column"], column, "{change}: {report:#}");
        let said = first["reason"].as_str().unwrap();
        assert!(said.contains(reason), "{change}: {said}");
        assert_eq!(
            asked(&theme, "SELECT count(*)::text FROM t").await,
            "0",
            "{change}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_was_renamed_is_made_beside_it() {
    let theme = made_and_changed(NUMBERS, "ALTER TABLE t RENAME v TO w").await;
    let copied = theme.copy_on_a_terminal(&["--data-only"]).await.with(0, "copy");
    assert!(copied.stdout.contains("the column v"), "{}", copied.stdout);
    let sql = "SELECT string_agg(v::text || coalesce(w::text, '-'), ',' ORDER BY id) FROM t";
    assert_eq!(asked(&theme, sql).await, "5-,7-");
}

/// What is not carried, by kind and name.
fn left_out(report: &Value) -> Vec<String> {
    let entries = report["not_carried"].as_array().unwrap().iter();
    let told = entries.map(|entry| {
        let reason = entry["reason"].as_str().unwrap();
        assert!(reason.contains("the table was there"), "{report:#}");
        format!(
            "{} {}",
            entry["kind"].as_str().unwrap(),
            entry["name"].as_str().unwrap()
        )
    });
    let mut told: Vec<String> = told.collect();
    told.sort_unstable();
    told
}

const RULES: &str = "CREATE TABLE p (k TEXT PRIMARY KEY);
    CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT, n INT NOT NULL DEFAULT 3 CHECK (n > 0) UNIQUE, c TEXT COLLATE NOCASE REFERENCES p,
        g INT AS (n + 1) STORED, free INT);
    CREATE INDEX over_c ON a (c);
    CREATE INDEX some ON a (v) WHERE n > 5;
    CREATE INDEX over_v ON a (v);
    INSERT INTO p VALUES ('k');
    INSERT INTO a (id, v, n, c, free) VALUES (1, 'x', 5, 'k', 7)";

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_made_in_a_table_that_is_there_tells_which_rules_it_lost() {
    for flags in [&[][..], &["--data-only"]] {
        let theme = Theme::new(RULES);
        let tables = "CREATE TABLE p (k text PRIMARY KEY); CREATE TABLE a (id bigint PRIMARY KEY, v text)";
        theme.client().await.batch_execute(tables).await.unwrap();
        let flags: Vec<String> = flags
            .iter()
            .chain(&["--strict"])
            .map(|flag| (*flag).to_owned())
            .collect();
        let copied = theme
            .command("copy", &flags)
            .await
            .with(1, "copy --strict")
            .json();
        let told = [
            "check a.check",
            "collation a.c",
            "default a.n",
            "foreign key a.c",
            "generated column a.g",
            "index a.over_c",
            "index a.some",
            "not null a.n",
            "unique constraint a.n",
        ];
        assert_eq!(left_out(&copied), told, "{copied:#}");
        let made = copied["tables"].as_array().unwrap().iter();
        let made = made.map(|table| (table["name"].as_str().unwrap(), table["columns_made"].to_string()));
        let mut made: Vec<(&str, String)> = made.collect();
        made.sort_unstable();
        let columns = r#"["n","c","g","free"]"#.to_owned();
        assert_eq!(made, [("a", columns), ("p", "[]".to_owned())], "{copied:#}");
        let row = "SELECT concat_ws(' ', id, v, n, c, g, free) FROM a";
        assert_eq!(asked(&theme, row).await, "1 x 5 k 6 7");
        theme.command("verify", &[]).await.with(0, "verify");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_made_in_a_table_of_a_file_tells_which_rules_it_lost() {
    let theme = Theme::new(RULES);
    theme.command("copy", &[]).await.with(0, "copy");
    let later = "ALTER TABLE a ADD later int NOT NULL DEFAULT 4 CONSTRAINT few CHECK (later < 9); CREATE INDEX over_later ON a (later)";
    theme.client().await.batch_execute(later).await.unwrap();
    let there = theme.beside("there.db", "");
    let tables = "CREATE TABLE p (k TEXT PRIMARY KEY); CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)";
    Connection::open(&there).unwrap().execute_batch(tables).unwrap();
    let url = theme.url().await;
    let back = theme.program(&["copy", &url, &there, "--strict", "--json"]).await;
    let told = [
        "check a.few",
        "default a.later",
        "definition a.c",
        "definition a.g",
        "definition a.n",
        "index a.over_later",
        "not null a.later",
    ];
    let back = back.with(1, "the way back").json();
    assert_eq!(left_out(&back), told, "{back:#}");
    let definition = back["not_carried"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["name"] == "a.n");
    let definition = definition.unwrap()["sql"].as_str().unwrap();
    assert_eq!(definition, "n INT NOT NULL DEFAULT 3 CHECK (n > 0) UNIQUE");
    let row = "SELECT concat_ws(' ', id, v, n, c, g, free, later) FROM a";
    let row: String = Connection::open(&there)
        .unwrap()
        .query_row(row, [], |row| row.get(0))
        .unwrap();
    assert_eq!(row, "1 x 5 k 6 7 4");
    theme.program(&["verify", &url, &there]).await.with(0, "verify");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_column_that_was_made_in_a_table_that_is_there_comes_back_into_a_new_file() {
    let theme = Theme::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT, m, d DATETIME, b BOOLEAN);
         INSERT INTO a VALUES (1, 'x', 1, '2024-01-31T10:20:30Z', 1), (2, 'y', 'z', '2024-01-31T10:20:30Z', 0), (3, NULL, 1.0, NULL, NULL),
             (4, NULL, '1', NULL, NULL)",
    );
    let table = "CREATE TABLE a (id bigint PRIMARY KEY, v text)";
    theme.client().await.batch_execute(table).await.unwrap();
    let flags = ["--strict", "--verify"].map(str::to_owned);
    theme.command("copy", &flags).await.with(0, "copy");
    let (copied, file) = theme.brought_back(&["--verify"]).await;
    copied.with(0, "the way back");
    let values =
        "SELECT group_concat(concat_ws(' ', typeof(m), quote(m), typeof(b), d), ', ' ORDER BY id) FROM a";
    let values: String = Connection::open(&file)
        .unwrap()
        .query_row(values, [], |row| row.get(0))
        .unwrap();
    assert_eq!(
        values,
        "integer 1 integer 2024-01-31T10:20:30Z, text 'z' integer 2024-01-31T10:20:30Z, real 1.0 null, text '1' null"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_before_the_zone_is_another_spelling_of_the_same_time() {
    let file = "CREATE TABLE e (id INTEGER PRIMARY KEY, a, b);
        INSERT INTO e VALUES (1, '2024-01-31 10:20:30.123 +00:00', '2024-01-31 10:20:30.123 +00:00'), (2, '2024-01-31 10:20:30 Z', '2024-01-31 10:20:30 Z'),
            (3, '2024-01-31 10:20:30 +0000', '2024-01-31 10:20:30 +0000'), (4, '2024-01-31 10:20 +00', '2024-01-31T10:20 +00'),
            (5, '2024-01-31 10:20:30 -03:30', '2024-01-31 10:20:30+00'), (6, '2024-01-31T10:20:30Z', '2024-01-31 10:20:30')";
    let made = "CREATE TABLE e (id bigint PRIMARY KEY, a timestamptz, b timestamp)";
    let types = ["--type", "e.a=timestamptz", "--type", "e.b=timestamp"].map(str::to_owned);
    for (made, flags) in [(made, &[][..]), ("", &types)] {
        let theme = Theme::new(file);
        theme.client().await.batch_execute(made).await.unwrap();
        let copied = theme.command("copy", flags).await.with(0, "copy").json();
        let normalised = &copied["tables"][0]["normalised"];
        assert_eq!(normalised["a"]["time_spelling"], 6, "{copied:#}");
        assert_eq!(normalised["b"]["time_spelling"], 6, "{copied:#}");
        let times = "SELECT string_agg(concat_ws(' ', a AT TIME ZONE 'UTC', b), ', ' ORDER BY id) FROM e";
        assert_eq!(
            asked(&theme, times).await,
            "2024-01-31 10:20:30.123 2024-01-31 10:20:30.123, 2024-01-31 10:20:30 2024-01-31 10:20:30, \
             2024-01-31 10:20:30 2024-01-31 10:20:30, 2024-01-31 10:20:00 2024-01-31 10:20:00, \
             2024-01-31 13:50:30 2024-01-31 10:20:30, 2024-01-31 10:20:30 2024-01-31 10:20:30"
        );
        theme.command("verify", &[]).await.with(0, "verify");
        theme.brought_back(&["--verify"]).await.0.with(0, "the way back");
    }
    // Which of the two times is meant a column without a zone cannot tell.
    for time in [
        "2024-01-31 10:20:30 -03:30",
        "2024-01-31 10:20:30  Z",
        "2024-01-31 Z",
        "2024-01-31 10:20:30 ",
    ] {
        let theme = Theme::new(format!(
            "CREATE TABLE e (a); INSERT INTO e VALUES ('{time}'), ('2024-01-31 10:20')"
        ));
        let flags = ["--type", "e.a=timestamp"].map(str::to_owned);
        let refused = theme.command("copy", &flags).await.with(1, time).json();
        assert_eq!(refused["rejects"][0]["column"], "a", "{refused:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_key_to_a_table_that_is_there_is_made() {
    let file = "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT);
        CREATE TABLE b (id INTEGER PRIMARY KEY, aid INT REFERENCES a (id) ON DELETE CASCADE);
        INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (1, 1), (2, NULL)";
    for column in [
        "id bigint PRIMARY KEY",
        "id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "id bigint NOT NULL UNIQUE",
    ] {
        let theme = Theme::new(file);
        let made = format!("CREATE TABLE a ({column}, v text)");
        theme.client().await.batch_execute(&made).await.unwrap();
        let flags = ["--strict", "--verify"].map(str::to_owned);
        theme.command("copy", &flags).await.with(0, column);
        let key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'b'::regclass AND contype = 'f' AND convalidated";
        assert_eq!(
            asked(&theme, key).await,
            "FOREIGN KEY (aid) REFERENCES a(id) ON DELETE CASCADE"
        );
    }
    for (column, reason) in [
        (
            "id bigint",
            "the columns of a that it refers to are not unique there",
        ),
        (
            "id text PRIMARY KEY",
            "aid and what it refers to have values of different types",
        ),
        ("id bigint UNIQUE DEFERRABLE", "deferrable unique constraint"),
    ] {
        let theme = Theme::new(file.replace("INSERT INTO a VALUES (1, 'x')", "SELECT 1"));
        let made = format!("CREATE TABLE a ({column}, v text)");
        theme.client().await.batch_execute(&made).await.unwrap();
        let report = theme
            .command("copy", &["--strict".to_owned()])
            .await
            .with(1, column)
            .json();
        let told = if column.ends_with("DEFERRABLE") {
            report["weakened"][0]["reason"].as_str().unwrap().to_owned()
        } else {
            not_carried(&report, "b.b_aid_fkey")
        };
        assert!(
            told.contains(reason) && !told.contains("by their bytes"),
            "{column}: {report:#}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_breaks_a_check_of_a_table_of_a_file_that_is_there_is_told() {
    let theme = Theme::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, n INT, j TEXT); INSERT INTO a VALUES (1, 5, '[1]'), (2, 6, '[]')",
    );
    theme
        .command("copy", &["--keep-text".to_owned()])
        .await
        .with(0, "copy");
    let later = "INSERT INTO a VALUES (3, -1, '[2]'), (4, 7, '[3, 4]'), (5, 8, 'x'), (6, NULL, NULL)";
    theme.client().await.batch_execute(later).await.unwrap();
    let url = theme.url().await;
    let there = theme.beside("there.db", "");
    let table = "CREATE TABLE a (id INTEGER PRIMARY KEY, n INT CONSTRAINT above CHECK (n > 0), j TEXT CHECK (json_array_length(j) < 2))";
    Connection::open(&there).unwrap().execute_batch(table).unwrap();
    for flags in [&["--data-only"][..], &["--replace"]] {
        let arguments = [&["copy", &url, &there, "--json", "--strict", "--verify"], flags].concat();
        let copied = theme.program(&arguments).await.with(1, "copy --strict").json();
        let weakened = copied["weakened"].as_array().unwrap().iter();
        let told = weakened.map(|rule| format!("{} {} {}", rule["table"], rule["sql"], rule["keys"]));
        let mut told: Vec<String> = told.collect();
        told.sort_unstable();
        let expected = [
            r#""a" "CHECK (json_array_length(j) < 2)" ["rowid 4","rowid 5"]"#,
            r#""a" "CHECK (n > 0)" ["rowid 3"]"#,
        ];
        assert_eq!(told, expected, "{copied:#}");
        assert_eq!(copied["tables"][0]["rows_written"], 6, "{copied:#}");
        assert_eq!(copied["verified"]["ok"], true, "{copied:#}");
    }
    // A file that keeps to them has nothing to tell.
    let mended = "UPDATE a SET n = 1, j = '[]' WHERE id IN (3, 4, 5)";
    theme.client().await.batch_execute(mended).await.unwrap();
    let arguments = ["copy", &url, &there, "--replace", "--strict", "--verify"];
    theme.program(&arguments).await.with(0, "copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_taken_back_says_which_rows_it_had_replaced() {
    let theme = Theme::new(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'X');
         CREATE TABLE b (id INTEGER PRIMARY KEY); INSERT INTO b VALUES (1)",
    );
    let there = "CREATE TABLE a (id bigint PRIMARY KEY, v text); INSERT INTO a VALUES (9, 'old'); CREATE UNIQUE INDEX ON a (lower(v))";
    theme.client().await.batch_execute(there).await.unwrap();
    let ends_with = |refused: &Ended, text: &str| {
        assert!(refused.stderr.trim_end().ends_with(text), "{}", refused.stderr);
    };
    let refused = theme
        .copy_on_a_terminal(&["--replace", "--dry-run"])
        .await
        .with(1, "a rehearsal");
    ends_with(&refused, "what had been written was taken back");
    assert_eq!(asked(&theme, "SELECT string_agg(v, ',') FROM a").await, "old");
    let refused = theme
        .copy_on_a_terminal(&["--replace"])
        .await
        .with(1, "copy --replace");
    let gone = "what had been written was taken back, and the rows that --replace had deleted before are gone: those of a";
    ends_with(&refused, gone);
    assert_eq!(asked(&theme, "SELECT count(*)::text FROM a").await, "0");
    let refused = theme.copy_on_a_terminal(&[]).await.with(1, "copy");
    ends_with(&refused, "what had been written was taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_too_long_for_a_name_is_a_reject() {
    let (longest, longer, wide) = ("n".repeat(63), "n".repeat(64), "é".repeat(32));
    let theme = Theme::new(format!(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO a VALUES (1, '{longest}'), (2, '{longer}'), (3, '{wide}'), (4, NULL)"
    ));
    let table = "CREATE TABLE a (id bigint PRIMARY KEY, n name)";
    theme.client().await.batch_execute(table).await.unwrap();
    let refused = theme.command("copy", &[]).await.with(1, "copy").json();
    let rejects = refused["rejects"].as_array().unwrap().iter();
    let rejects: Vec<String> = rejects
        .map(|row| format!("{} {} {}", row["column"], row["key"], row["reason"]))
        .collect();
    let reason = r#""n" "id = 2" "text longer than the 63 bytes of a name""#;
    assert_eq!(
        rejects,
        [reason.to_owned(), reason.replace('2', "3")],
        "{refused:#}"
    );
    let flags = ["--on-reject", "quarantine"].map(str::to_owned);
    theme
        .command("copy", &flags)
        .await
        .with(1, "copy that quarantines rejects");
    let names = "SELECT string_agg(id || coalesce(n::text, ''), ',' ORDER BY id) FROM a";
    assert_eq!(asked(&theme, names).await, format!("1{longest},4"));
    let (copied, _) = theme.brought_back(&["--verify"]).await;
    copied.with(0, "the way back");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_whose_table_is_gone_says_so_and_starts_again() {
    for change in [
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO t9",
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
    ] {
        let theme = Theme::new(NUMBERS);
        theme.command("copy", &[]).await.with(0, "copy");
        // As a kill right before the end leaves it.
        let unfinished = format!("UPDATE cutover.copy_run SET finished_at = NULL; {change}");
        theme.client().await.batch_execute(&unfinished).await.unwrap();
        let refused = theme.command("copy", &[]).await.with(4, change);
        assert!(
            refused.stderr.contains("the table t, which it had made"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
        theme
            .command("copy", &["--replace".to_owned()])
            .await
            .with(0, change);
        theme.command("verify", &[]).await.with(0, change);
    }
}

/// What a resumed copy would leave among the rows that it goes on to write.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_whose_rows_were_changed_says_so_and_starts_again() {
    let unfinished = "UPDATE cutover.copy_run SET finished_at = NULL";
    for (change, told) in [
        ("INSERT INTO t (id) VALUES (9)", "3 rows, and 2 were written"),
        ("DELETE FROM t WHERE id = 1", "1 rows, and 2 were written"),
        // As a kill before its first row leaves it.
        (
            "UPDATE cutover.copy_part SET written = 0",
            "2 rows, and 0 were written",
        ),
    ] {
        // What a copy makes beside the columns of the file is no change of anybody's.
        let theme = Theme::new(format!(
            "{NUMBERS}; CREATE TABLE m (id INTEGER PRIMARY KEY, x, s AS (id + 1) STORED, v AS (id || 'a'));
             INSERT INTO m (id, x) VALUES (1, 'a'), (2, 5)"
        ));
        theme.command("copy", &[]).await.with(0, "copy");
        let sql = format!("{unfinished}; {change}");
        theme.client().await.batch_execute(&sql).await.unwrap();
        let refused = theme.command("copy", &[]).await.with(4, change);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
        let replace = ["--replace".to_owned()];
        theme.command("copy", &replace).await.with(0, change);
        theme.command("verify", &[]).await.with(0, change);
        theme.client().await.batch_execute(unfinished).await.unwrap();
        theme.command("copy", &[]).await.with(0, "nobody has changed it");

        let (copied, file) = theme.brought_back(&[]).await;
        copied.with(0, "the way back");
        let url = theme.url().await;
        let again = async |change: &str, flags: &[&str]| {
            let back = Connection::open(&file).unwrap();
            let sql = format!("UPDATE _cutover_copy_run SET finished_at = NULL; {change}");
            back.execute_batch(&sql).unwrap();
            let arguments = [&["copy", &url, file.to_str().unwrap()], flags].concat();
            theme.program(&arguments).await
        };
        again("", &[]).await.with(0, "nobody has changed it");
        let change = change.replace("cutover.copy_part", "_cutover_progress");
        let refused = again(&change, &[]).await.with(4, &change);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        again("", &["--replace"]).await.with(0, &change);
        theme.verified_back(&[]).await.with(0, &change);
    }
}

/// The bits of an integer would be a double there.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_whose_columns_were_changed_says_so_and_starts_again() {
    for (change, told) in [
        (
            "ALTER TABLE t ALTER v TYPE double precision",
            "the column v of t, which it had made as bigint, is double precision by now",
        ),
        (
            "ALTER TABLE t RENAME v TO w",
            "the column v of t, which it had made, is not there any more",
        ),
        (
            "ALTER TABLE t ADD w integer DEFAULT 7",
            "the column w of t is none that it had made",
        ),
    ] {
        let theme = Theme::new(NUMBERS);
        theme.command("copy", &[]).await.with(0, "copy");
        // As a kill before the first row leaves it.
        let unfinished = format!(
            "UPDATE cutover.copy_run SET finished_at = NULL; TRUNCATE t; {change};
             UPDATE cutover.copy_part SET position_rows = 0, position_rowid = NULL, written = 0, done = false"
        );
        theme.client().await.batch_execute(&unfinished).await.unwrap();
        let refused = theme.command("copy", &[]).await.with(4, change);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
        assert_eq!(asked(&theme, "SELECT count(*)::text FROM t").await, "0");
        let replace = ["--replace".to_owned()];
        theme.command("copy", &replace).await.with(0, change);
        theme.command("verify", &[]).await.with(0, change);
    }
}

/// On the way back what the file computes, and the order of its rows, are none that somebody has added.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_way_back_whose_columns_were_changed_says_so_and_starts_again() {
    let theme = Theme::new(format!(
        "{NUMBERS}; CREATE TABLE m (a TEXT, x, s AS (a || 1) STORED, v AS (a || 'a')); INSERT INTO m (a, x) VALUES (1, 'a'), (2, 5);
         CREATE VIRTUAL TABLE f USING fts5 (a, b UNINDEXED); INSERT INTO f VALUES ('one', 2);
         CREATE VIRTUAL TABLE r USING rtree (id, x0, x1, +note); INSERT INTO r VALUES (1, 2, 3, 'n')"
    ));
    theme.command("copy", &[]).await.with(0, "copy");
    let more = "ALTER TABLE t ADD later int NOT NULL DEFAULT 4; ALTER TABLE m DROP x; CREATE TABLE new (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id + 1) STORED)";
    theme.client().await.batch_execute(more).await.unwrap();
    let (copied, file) = theme.brought_back(&[]).await;
    copied.with(0, "the way back");
    let url = theme.url().await;
    let again = async |change: &str, flags: &[&str]| {
        let unfinished = format!("UPDATE _cutover_copy_run SET finished_at = NULL; {change}");
        Connection::open(&file)
            .unwrap()
            .execute_batch(&unfinished)
            .unwrap();
        let arguments = [&["copy", &url, file.to_str().unwrap()], flags].concat();
        theme.program(&arguments).await
    };
    again("", &[]).await.with(0, "nobody has changed it");
    let refused = again("ALTER TABLE t ADD w INTEGER DEFAULT 7", &[])
        .await
        .with(4, "another column");
    let told = "the column w of t is none that it had made";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    again("", &["--replace"]).await.with(0, "from the beginning");
    theme.verified_back(&[]).await.with(0, "verify");
}

/// What differs is the command and not the source.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_tells_other_flags_from_another_source() {
    let file = format!("{NUMBERS}; CREATE TABLE u (a TEXT); INSERT INTO u VALUES ('5')");
    let theme = Theme::new(file);
    let unfinished = "UPDATE cutover.copy_run SET finished_at = NULL";
    let of = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect::<Vec<_>>();
    theme
        .command("copy", &of(&["--tables", "t"]))
        .await
        .with(0, "copy");
    theme.client().await.batch_execute(unfinished).await.unwrap();
    for flags in [
        &["--tables", "t", "--keep-text"][..],
        &["--tables", "t", "--type", "t.v=numeric"],
        &["--tables", "u"],
    ] {
        let refused = theme.command("copy", &of(flags)).await.with(4, "other flags");
        let told = refused.stderr;
        assert!(
            told.contains("was asked for something else") && !told.contains("changed"),
            "{flags:?}: {told}"
        );
    }
    // Nobody would know any more that t is not whole.
    for flags in [
        &["--replace", "--tables", "u"][..],
        &["--replace", "--exclude", "t"],
    ] {
        let refused = theme.command("copy", &of(flags)).await.with(4, "another table");
        assert!(refused.stderr.contains("not whole (t)"), "{}", refused.stderr);
        assert_eq!(asked(&theme, "SELECT count(*)::text FROM t").await, "2");
    }
    theme
        .command("copy", &of(&["--tables", "t"]))
        .await
        .with(0, "the same command");
    theme
        .command("copy", &of(&["--replace", "--tables", "u"]))
        .await
        .with(0, "t is whole");
    theme.command("verify", &[]).await.with(0, "both");
}

/// A kill between the last commit and the report.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_whose_end_nobody_was_told_is_told_again() {
    let theme = Theme::new(NUMBERS);
    let rejects = "copy of tables with rows";
    let first = theme.command("copy", &[]).await.with(0, "copy").json();
    theme.command("copy", &[]).await.with(4, rejects);
    let untold = "UPDATE cutover.copy_run SET finished_at = 'infinity'";
    theme.client().await.batch_execute(untold).await.unwrap();
    let again = theme.command("copy", &[]).await.with(0, "copy again").json();
    for key in ["name", "rows_read", "rows_written", "bytes"] {
        assert_eq!(again["tables"][0][key], first["tables"][0][key], "{again}");
    }
    let by_another = |told: &Value| told["by_another_run"].as_bool();
    assert_eq!(
        (by_another(&first), by_another(&again)),
        (None, Some(true)),
        "{again}"
    );
    theme.command("copy", &[]).await.with(4, rejects);
    theme.command("verify", &[]).await.with(0, "verify");

    // Any other command finds tables that have rows.
    theme.client().await.batch_execute(untold).await.unwrap();
    let types = ["--type", "t.v=numeric"].map(str::to_owned);
    let refused = theme.command("copy", &types).await.with(4, rejects);
    assert!(refused.stderr.contains("has rows already"), "{}", refused.stderr);
    let change = format!("{untold}; DELETE FROM t WHERE id = 1");
    theme.client().await.batch_execute(&change).await.unwrap();
    let refused = theme.command("copy", &[]).await.with(4, rejects);
    assert!(refused.stderr.contains("has rows already"), "{}", refused.stderr);

    let (copied, file) = theme.brought_back(&[]).await;
    copied.with(0, "the way back");
    let url = theme.url().await;
    let arguments = ["copy", &url, file.to_str().unwrap()];
    theme.program(&arguments).await.with(4, rejects);
    let untold = "UPDATE _cutover_copy_run SET finished_at = 9223372036854775807";
    Connection::open(&file).unwrap().execute_batch(untold).unwrap();
    let again = theme.program(&arguments).await.with(0, "the way back again");
    let by_another = "another run of the same command has copied all of it";
    assert!(again.stdout.contains(by_another), "{}", again.stdout);
    theme.program(&arguments).await.with(4, rejects);
}

/// What ended while a command waited is what it was to do; what ended before it began is in its way.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_waited_for_an_equal_one_says_that_it_is_done() {
    const RUN_LOCK: i64 = 0x6375_746f_7665_7201;
    const WAITS: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND query LIKE '%pg_try_advisory_lock%'";
    let theme = Theme::new(NUMBERS);
    theme.command("copy", &[]).await.with(0, "copy");
    let client = theme.client().await;
    for (meanwhile, code) in [
        ("UPDATE cutover.copy_run SET finished_at = now()", 0),
        ("SELECT 1", 4),
        (
            "UPDATE cutover.copy_run SET finished_at = now(); INSERT INTO t (id) VALUES (3)",
            4,
        ),
    ] {
        client
            .execute("SELECT pg_advisory_lock($1)", &[&RUN_LOCK])
            .await
            .unwrap();
        let other = async {
            while client.query_one(WAITS, &[]).await.unwrap().get::<_, i64>(0) == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            client.batch_execute(meanwhile).await.unwrap();
            client
                .execute("SELECT pg_advisory_unlock($1)", &[&RUN_LOCK])
                .await
                .unwrap();
        };
        let (ended, ()) = tokio::join!(theme.command("copy", &[]), other);
        let ended = ended.with(code, meanwhile);
        if code == 0 {
            let told = ended.json();
            assert_eq!(told["by_another_run"], true, "{told}");
            assert_eq!(told["tables"][0]["rows_written"], 2, "{told}");
        } else {
            assert!(ended.stderr.contains("has rows already"), "{}", ended.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_others_are_no_place_for_tables() {
    let theme = Theme::new(NUMBERS);
    for (name, reason) in [
        ("cutover", "own notes"),
        ("information_schema", "PostgreSQL's own"),
        ("pg_x", "begins with pg_"),
        ("", "is empty"),
        (&"x".repeat(64), "longer than"),
    ] {
        let flags = ["--schema".to_owned(), name.to_owned()];
        let refused = theme.command("copy", &flags).await.with(2, name);
        assert!(refused.stderr.contains(reason), "{name}: {}", refused.stderr);
        theme.command("verify", &flags).await.with(2, name);
    }
}

/// What the rerun would make, or note for the way back, is not what the killed run has made.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_whose_source_has_another_schema_says_what_and_starts_again() {
    let objects = "CREATE VIEW old AS SELECT v FROM t; CREATE INDEX by_v ON t (v); CREATE TRIGGER noted AFTER INSERT ON t BEGIN SELECT 1; END";
    for (change, told) in [
        ("CREATE VIEW new AS SELECT id FROM t", "view new"),
        ("CREATE INDEX by_id ON t (id, v)", "index by_id"),
        (
            "CREATE TRIGGER later AFTER UPDATE ON t BEGIN SELECT 1; END",
            "trigger later",
        ),
        (
            "DROP VIEW old; DROP INDEX by_v; DROP TRIGGER noted",
            "index by_v, trigger noted, view old",
        ),
        ("DROP VIEW old; CREATE VIEW old AS SELECT r FROM t", "view old"),
    ] {
        let theme = Theme::new(format!("{NUMBERS}; {objects}"));
        theme.command("copy", &[]).await.with(0, "copy");
        let unfinished = "UPDATE cutover.copy_run SET finished_at = NULL";
        theme.client().await.batch_execute(unfinished).await.unwrap();
        Connection::open(&theme.file)
            .unwrap()
            .execute_batch(change)
            .unwrap();
        let refused = theme.command("copy", &[]).await.with(4, change);
        let told = format!("its source has changed since ({told})");
        assert!(refused.stderr.contains(&told), "{}", refused.stderr);
        let replace = ["--replace".to_owned()];
        theme.command("copy", &replace).await.with(0, change);
        let (copied, file) = theme.brought_back(&[]).await;
        copied.with(0, "the way back");
        let schema = "SELECT group_concat(sql ORDER BY type, name) FROM sqlite_schema WHERE tbl_name NOT LIKE '\\_cutover%' ESCAPE '\\'";
        let schema = |file: &std::path::Path| -> String {
            Connection::open(file)
                .unwrap()
                .query_row(schema, [], |row| row.get(0))
                .unwrap()
        };
        assert_eq!(schema(&file), schema(&theme.file), "{change}");
    }
}

/// Of a command's document what does not depend on when it ran.
fn lasting(mut report: Value) -> Value {
    report["seconds"] = Value::Null;
    for table in report["tables"].as_array_mut().unwrap() {
        table["seconds"] = Value::Null;
    }
    report
}

/// What the rerun finds in the target, the killed run has made there.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_copy_tells_what_an_undisturbed_one_does() {
    let theme = Theme::new(RULES);
    let client = theme.client().await;
    let tables = "CREATE TABLE p (k text PRIMARY KEY); CREATE TABLE a (id bigint PRIMARY KEY, v text CHECK (v <> 'x'))";
    client.batch_execute(tables).await.unwrap();
    let strict = ["--data-only", "--strict"].map(str::to_owned);
    let undisturbed = theme.command("copy", &strict).await;
    let undisturbed = lasting(undisturbed.with(1, "copy --strict").json());
    assert!(!left_out(&undisturbed).is_empty(), "{undisturbed:#}");
    assert_eq!(undisturbed["weakened"][0]["constraint"], "a_v_check");
    assert_eq!(undisturbed["weakened"][0]["keys"][0], "1");
    for killed in [
        // As a kill before the first row leaves it.
        "TRUNCATE a, p; DELETE FROM cutover.copy_step; ALTER TABLE a DROP CONSTRAINT a_v_check, ADD CHECK (v <> 'x');
         UPDATE cutover.copy_part SET position_rows = 0, position_rowid = NULL, written = 0, done = false",
        // One right before the end, and one before that, when the constraint is there and not yet known to be broken.
        "",
        "DELETE FROM cutover.copy_step; INSERT INTO cutover.dropped_constraint VALUES ('public', 'a', 'a_v_check', 'CHECK ((v <> ''x''::text))')",
    ] {
        let unfinished = format!("UPDATE cutover.copy_run SET finished_at = NULL; {killed}");
        client.batch_execute(&unfinished).await.unwrap();
        let again = theme.command("copy", &strict).await.with(1, killed).json();
        assert_eq!(lasting(again), undisturbed, "{killed}");
    }
    let not_valid = "SELECT string_agg(conname, ',') FROM pg_constraint WHERE NOT convalidated";
    assert_eq!(asked(&theme, not_valid).await, "a_v_check");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_way_back_tells_what_an_undisturbed_one_does() {
    let theme = Theme::new(RULES);
    theme.command("copy", &[]).await.with(0, "copy");
    let later = "ALTER TABLE a ADD later int NOT NULL DEFAULT 4; CREATE INDEX over_later ON a (later)";
    theme.client().await.batch_execute(later).await.unwrap();
    let there = theme.beside("there.db", "");
    let file = Connection::open(&there).unwrap();
    let tables = "CREATE TABLE p (k TEXT PRIMARY KEY); CREATE TABLE a (id INTEGER PRIMARY KEY, v TEXT)";
    file.execute_batch(tables).unwrap();
    let url = theme.url().await;
    let arguments = ["copy", &url, &there, "--strict", "--json"];
    let undisturbed = theme.program(&arguments).await;
    let undisturbed = lasting(undisturbed.with(1, "copy --strict").json());
    let made = undisturbed["tables"].to_string();
    assert!(made.contains(r#""columns_made":["n","c","#), "{undisturbed:#}");
    assert!(!left_out(&undisturbed).is_empty(), "{undisturbed:#}");
    // As a kill before the first row leaves it.
    file.execute_batch(
        "UPDATE _cutover_copy_run SET finished_at = NULL; DELETE FROM a; DELETE FROM p;
         UPDATE _cutover_progress SET position_rows = 0, position_rowid = NULL, written = 0, done = 0",
    )
    .unwrap();
    let again = theme.program(&arguments).await.with(1, "again").json();
    assert_eq!(lasting(again), undisturbed);
}

/// A file's own columns keep what they are given by their affinity: what that would change is told by its row, before anything is written.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_a_column_of_the_file_would_change_are_rejects() {
    let theme = Theme::new("CREATE TABLE other (x)");
    let rows = "CREATE TABLE t (id int PRIMARY KEY, total numeric, code text, big bigint, d float8, j jsonb);
        INSERT INTO t VALUES (1, 1.50, 'x', 5, 2, '5'), (2, 12345678901234567.89, 'x', 5, 2, '5'), (3, 1, '007', 5, 2, '5'),
            (4, 1, 'x', 9007199254740993, 2, '5'), (5, 1, 'x', 5, '-0', '5'), (6, 1, 'x', 5, 2, '1.0')";
    theme.client().await.batch_execute(rows).await.unwrap();
    let url = theme.url().await;
    let there = theme.beside("there.db", "");
    let table =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, total DECIMAL, code INTEGER, big REAL, d NUMERIC, j JSON)";
    let file = Connection::open(&there).unwrap();
    file.execute_batch(table).unwrap();
    let refused = theme.program(&["copy", &url, &there]).await.with(1, "copy");
    assert!(
        refused.stdout.contains("t.total where id = 2"),
        "{}",
        refused.stdout
    );
    let kept = "SELECT coalesce(group_concat(id || ' ' || quote(total) || ' ' || typeof(big) || ' ' || quote(d) || ' ' || quote(j)), '') FROM t";
    let kept = || file.query_row(kept, [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(kept(), "");
    theme
        .program(&["copy", &url, &there, "--on-reject", "quarantine"])
        .await
        .with(1, "with a quarantine");
    assert_eq!(kept(), "1 1.5 real 2 5");
    let apart = "SELECT group_concat(key || ' ' || column_name, '; ') FROM (SELECT * FROM _cutover_quarantine ORDER BY key)";
    let apart: String = file.query_row(apart, [], |row| row.get(0)).unwrap();
    for (key, column) in [(2, "total"), (3, "code"), (4, "big"), (5, "d"), (6, "j")] {
        assert!(apart.contains(&format!("{key} {column}")), "{apart}");
    }
    let verified = theme.program(&["verify", &url, &there]).await.with(1, "verify");
    let told = "5 missing, 0 extra, 0 different";
    assert!(verified.stdout.contains(told), "{}", verified.stdout);
}

/// What both compute must be the same, or the row is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_postgres_computes_to_something_else_is_told() {
    let file = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT GENERATED ALWAYS AS (a || 'x') STORED); INSERT INTO t (id, a) VALUES (1, 'q'), (2, NULL)";
    for (change, remedy, is_told) in [
        (
            "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b text GENERATED ALWAYS AS (a || 'y') STORED",
            "have PostgreSQL compute what the file does",
            true,
        ),
        (
            "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b text GENERATED ALWAYS AS (a || 'x') STORED",
            "",
            false,
        ),
        ("UPDATE t SET a = 'z'", "", false),
    ] {
        let theme = Theme::new(file);
        theme.command("copy", &[]).await.with(0, "copy");
        theme.client().await.batch_execute(change).await.unwrap();
        let (url, into) = (theme.url().await, theme.beside("into.db", ""));
        std::fs::remove_file(&into).unwrap_or_default();
        let ended = theme
            .program(&["copy", &url, &into, "--strict"])
            .await
            .with(i32::from(is_told), change);
        assert!(ended.stderr.contains(remedy), "{}", ended.stderr);
        if !is_told {
            theme.program(&["verify", &url, &into]).await.with(0, change);
        }
    }
}

/// The old file again, after the application has developed its tables in PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_there_is_told_what_is_gone_in_postgres() {
    let theme = Theme::new(
        "CREATE TABLE s (id INTEGER PRIMARY KEY, t TEXT NOT NULL, d TEXT DEFAULT 'q', p REAL) STRICT; INSERT INTO s VALUES (1, 'a', 'x', 2.5);
         CREATE TABLE gone (x); INSERT INTO gone VALUES (1)",
    );
    theme.command("copy", &[]).await.with(0, "copy");
    let change = "ALTER TABLE s DROP COLUMN d, DROP COLUMN p, ADD COLUMN n numeric(8, 2) DEFAULT 2.50; DROP TABLE gone";
    theme.client().await.batch_execute(change).await.unwrap();
    let (url, old) = (theme.url().await, theme.duplicate("old.db").display().to_string());
    let report = theme
        .program(&["copy", &url, &old, "--replace", "--strict", "--json"])
        .await
        .with(1, "copy --strict")
        .json();
    assert!(
        not_carried(&report, "s.d").contains("its default, or NULL"),
        "{report:#}"
    );
    assert!(
        not_carried(&report, "s.p").contains("no such column any more"),
        "{report:#}"
    );
    assert!(
        not_carried(&report, "gone").contains("keeps its own as it is"),
        "{report:#}"
    );
    let rows: String = Connection::open(&old)
        .unwrap()
        .query_row(
            "SELECT quote(t) || quote(d) || quote(p) || quote(n) || (SELECT count(*) FROM gone) FROM s",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(rows, "'a''q'NULL'2.50'1");
}
