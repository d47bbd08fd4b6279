//! Shape: very wide tables, very empty ones.

use crate::theme::Theme;

fn columns(count: usize, kind: &str) -> String {
    let columns: Vec<String> = (1..=count).map(|number| format!("c{number} {kind}")).collect();
    columns.join(", ")
}

#[tokio::test]
async fn a_thousand_columns() {
    let numbers: Vec<String> = (1..=1000)
        .map(|number| (number * 37 % 1009).to_string())
        .collect();
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {}); INSERT INTO t VALUES (1, {});",
        columns(1000, "INTEGER"),
        numbers.join(", ")
    ));
    let copied = theme.equal().await;
    copied.is("t", "c1000", "bigint").lists_nothing();
}

#[tokio::test]
async fn a_row_that_no_page_holds() {
    let values = |seed: u32| -> String {
        let values: Vec<String> = (1..=1000_u32)
            .map(|number| format!("'{:040x}'", u128::from(number * seed) * 0x9e37_79b9_7f4a_7c15))
            .collect();
        values.join(", ")
    };
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {}); INSERT INTO t (id, c1) VALUES (1, 'small'); INSERT INTO t VALUES (7, {});
         INSERT INTO t (id, c1) VALUES (8, 'after');",
        columns(1000, "TEXT"),
        values(3)
    ));
    let before = theme.files();
    let refused = theme
        .command("copy", &[])
        .await
        .with(1, "copy of a row that is too wide");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains('t') && said.contains("id = 7"), "{said}");
    theme.untouched().await;
    let copied = theme
        .command("copy", &["--on-reject".to_owned(), "quarantine".to_owned()])
        .await
        .with(1, "copy that quarantines it")
        .json();
    assert_eq!(copied["tables"][0]["rejected"], 1, "{copied}");
    assert_eq!(copied["tables"][0]["rows_written"], 2, "{copied}");
    assert_eq!(before, theme.files());
}

/// Numbers are always kept in the row, and so are texts of fewer than 24 bytes.
#[tokio::test]
async fn rows_of_many_short_values() {
    let theme = Theme::new(format!(
        "CREATE TABLE \"numbers\" (id INTEGER PRIMARY KEY, {}); CREATE TABLE texts (id INTEGER PRIMARY KEY, {});
         INSERT INTO \"numbers\" VALUES (1, {}), (2, {}), (3, {}); INSERT INTO texts VALUES (1, {}), (2, {}), (3, {});",
        columns(1100, "INT"),
        columns(387, "TEXT"),
        vec!["7"; 1100].join(", "),
        // With a bit for each column, which tells whether it is NULL, 999 numbers are the most.
        [vec!["7"; 998].join(", "), vec!["NULL"; 102].join(", ")].join(", "),
        [vec!["7"; 999].join(", "), vec!["NULL"; 101].join(", ")].join(", "),
        vec!["'123456789012345678901'"; 387].join(", "),
        vec!["'12345678901234567890'"; 387].join(", "),
        vec!["'123456789012345678901234'"; 387].join(", "),
    ));
    let on_a_terminal = theme.program(&["inspect", theme.file.to_str().unwrap()]).await;
    let on_a_terminal = on_a_terminal.with(1, "inspect on a terminal").stdout;
    assert!(
        on_a_terminal.contains("    where id = 3: a row of more values"),
        "{on_a_terminal}"
    );
    let dry = theme.command("copy", &["--dry-run".to_owned()]).await;
    let dry = dry.with(1, "dry run").json();
    assert_eq!(dry["rejects"].as_array().unwrap().len(), 3, "{dry}");
    let copied = theme.quarantined(3, &["id = 1", "id = 3"]).await;
    let rejects: Vec<(&str, &str, &str)> = copied.report["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| {
            let text = |name: &str| reject[name].as_str().unwrap();
            (text("table"), text("key"), text("column"))
        })
        .collect();
    assert_eq!(
        rejects,
        [
            ("numbers", "id = 1", ""),
            ("numbers", "id = 3", ""),
            ("texts", "id = 1", "")
        ]
    );
}

/// What compression makes of texts, and whether they fit then, only the server tells, and not in which row.
#[tokio::test]
async fn rows_of_many_texts() {
    let short = |digit: char, length: usize| {
        let text = format!("'{}'", String::from(digit).repeat(length));
        vec![text; 460].join(", ")
    };
    let long = |seed: u32| -> String {
        let values: Vec<String> = (1..=460_u32)
            .map(|number| {
                format!(
                    "'{:040x}'",
                    u128::from(number * seed) * 0x9e37_79b9_7f4a_7c15_f39c_c060
                )
            })
            .collect();
        values.join(", ")
    };
    let theme = Theme::new(format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, {});
         INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i, {} FROM n;
         INSERT INTO t VALUES (41, {}), (77, {}), (78, {});
         INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 101 UNION ALL SELECT i + 1 FROM n WHERE i < 140) SELECT i, {} FROM n;",
        columns(460, "TEXT"),
        short('a', 15),
        long(3),
        long(7),
        short('d', 16),
        short('e', 15)
    ));
    let refused = theme
        .command("copy", &[])
        .await
        .with(1, "copy of rows that are too wide");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        said.contains("t where id = 41 was refused: row is too big") && said.contains("taken back"),
        "{said}"
    );
    theme.untouched().await;
    let copied = theme
        .command("copy", &["--on-reject".to_owned(), "quarantine".to_owned()])
        .await
        .with(1, "copy that quarantines them")
        .json();
    assert_eq!(copied["tables"][0]["rejected"], 2, "{copied}");
    assert_eq!(copied["tables"][0]["rows_written"], 81, "{copied}");
    let keys: Vec<&str> = copied["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| reject["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["id = 41", "id = 77"], "{copied}");
    let verified = theme
        .command("verify", &[])
        .await
        .with(1, "verify of a copy with rejects")
        .json();
    let missing = &verified["tables"][0]["missing"];
    assert_eq!(missing.to_string(), r#"[{"key":{"id":41}},{"key":{"id":77}}]"#);
    assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
}

#[tokio::test]
async fn two_thousand_columns() {
    let theme = Theme::new(format!(
        "CREATE TABLE wide ({}); INSERT INTO wide (c1, c2000) VALUES (1, 2); CREATE TABLE narrow (id INTEGER PRIMARY KEY); INSERT INTO narrow VALUES (1);",
        columns(2000, "INTEGER")
    ));
    let before = theme.files();
    let refused = theme.command("copy", &[]).await;
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(
        said.contains("wide") && said.contains("1600") | said.contains("1,600"),
        "{said}"
    );
    theme.inspect(&[]).await.with(4, "inspect");
    theme.untouched().await;
    // Without that table the rest goes.
    let copied = theme
        .command("copy", &["--exclude".to_owned(), "wide".to_owned()])
        .await
        .with(0, "copy of the rest")
        .json();
    assert_eq!(copied["tables"][0]["name"], "narrow", "{copied}");
    assert_eq!(before, theme.files());
}

/// Every column has its class beside it, which is known only when the values are.
#[tokio::test]
async fn nine_hundred_columns_of_several_classes() {
    let theme = Theme::new(format!(
        "CREATE TABLE t ({}); INSERT INTO t VALUES ({}), ({});",
        columns(900, ""),
        vec!["1"; 900].join(", "),
        vec!["'a'"; 900].join(", ")
    ));
    for ended in [theme.command("copy", &[]).await, theme.inspect(&[]).await] {
        let ended = ended.with(4, "a table that is too wide");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("would have 1800 columns"), "{said}");
    }
    theme.untouched().await;
}

#[tokio::test]
async fn nothing_and_next_to_nothing() {
    let theme = Theme::new(
        "CREATE TABLE empty (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b REAL, c BLOB, d, e BOOLEAN, f DATE, g DATETIME, h DECIMAL(10, 2), i VARCHAR(9), j JSON, k UUID);
         CREATE TABLE one (x); CREATE TABLE defaults (a INTEGER, b TEXT); CREATE TABLE nulls (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c, d BOOLEAN);
         INSERT INTO one VALUES (1); INSERT INTO defaults DEFAULT VALUES; INSERT INTO defaults DEFAULT VALUES; INSERT INTO nulls (id) VALUES (1), (2), (3);
         CREATE TABLE lone (id INTEGER PRIMARY KEY); INSERT INTO lone VALUES (NULL), (NULL);",
    );
    let copied = theme.equal().await;
    copied.lists_nothing();
    copied
        .is("empty", "a", "text")
        .is("empty", "b", "double precision")
        .is("empty", "c", "bytea")
        .is("nulls", "a", "text")
        .is("nulls", "b", "bigint");
    copied
        .behaves(&[
            "INSERT INTO empty (a) VALUES ('x') RETURNING id",
            "INSERT INTO lone DEFAULT VALUES",
            "SELECT id FROM lone ORDER BY id",
        ])
        .await;
}

#[tokio::test]
async fn an_empty_table_that_was_left_out() {
    let theme =
        Theme::new("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE x (a);");
    let only = ["--tables".to_owned(), "t".to_owned()];
    theme.command("copy", &only).await.with(0, "copy of a table");
    let verified = theme.on_a_terminal("verify", &[]).await.with(0, "verify");
    let lines: Vec<&str> = verified
        .stdout
        .lines()
        .filter(|line| line.contains("\"x\""))
        .collect();
    assert_eq!(
        lines,
        ["  \"x\": no rows, and the target has no such table"],
        "{}",
        verified.stdout
    );
    assert_eq!(
        verified.stdout.matches("no such table").count(),
        1,
        "{}",
        verified.stdout
    );
    assert!(
        verified.stdout.contains("equal: 1 row in 1 table, every value"),
        "{}",
        verified.stdout
    );
    let verified = theme.command("verify", &[]).await.with(0, "verify --json").json();
    assert_eq!(
        verified["tables"][1]["notes"][0], "the target has no such table",
        "{verified}"
    );
}
