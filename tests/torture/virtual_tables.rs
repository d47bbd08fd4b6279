//! Virtual tables: their rows are data, their shadow tables are not.

use std::path::Path;

use cutover_tests::rusqlite::Connection;

use crate::schema;
use crate::theme::{Copied, Theme};

/// No shadow table became a table.
async fn no_shadows(copied: &Copied, shadows: &[&str]) {
    let tables = schema::tables(copied.client()).await;
    for shadow in shadows {
        assert!(!tables.iter().any(|table| table == shadow), "{tables:?}");
    }
}

#[tokio::test]
async fn full_text_search_5() {
    let theme = Theme::new(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'x');
         CREATE VIRTUAL TABLE docs USING fts5(title, body, tokenize = 'porter'); INSERT INTO docs (rowid, title, body) VALUES (1, 'one', 'the body'), (7, 'É', ''), (9, NULL, 'x');",
    );
    let copied = theme.equal().await;
    no_shadows(
        &copied,
        &[
            "docs_data",
            "docs_idx",
            "docs_content",
            "docs_docsize",
            "docs_config",
        ],
    )
    .await;
    let found = copied
        .query(&format!(
            "SELECT count(*) FROM \"{}\" WHERE body = 'the body'",
            copied.target("docs")
        ))
        .await;
    assert_eq!(found, [[Some("1".to_owned())]]);
}

#[tokio::test]
async fn full_text_search_4() {
    let theme = Theme::new(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY); CREATE VIRTUAL TABLE docs USING fts4(title, body);
         INSERT INTO docs (docid, title, body) VALUES (1, 'one', 'the body'), (7, 'two', 'more');",
    );
    let copied = theme.equal().await;
    no_shadows(
        &copied,
        &[
            "docs_segments",
            "docs_segdir",
            "docs_content",
            "docs_docsize",
            "docs_stat",
        ],
    )
    .await;
}

/// Only `content=` says that the texts are elsewhere; a column may have any name.
#[tokio::test]
async fn columns_that_are_named_like_options() {
    for columns in [
        "fts5(title, content)",
        "fts5(contents, 'content_rowid')",
        "fts4(content, b)",
        "fts4(\"content\", prefix=\"2\", languageid)",
        "fts3(content TEXT, b)",
    ] {
        let theme = Theme::new(format!(
            "CREATE VIRTUAL TABLE docs USING {columns}; INSERT INTO docs VALUES ('one', 'two'), ('three', NULL);"
        ));
        let copied = theme.equal().await;
        let rows = copied.query("SELECT count(*) FROM docs").await;
        assert_eq!(rows, [[Some("2".to_owned())]], "{columns}");
    }
}

#[tokio::test]
async fn the_languages_of_rows() {
    let theme = Theme::new(
        "CREATE VIRTUAL TABLE docs USING fts4(body, languageid='the \"language\"'); INSERT INTO docs (body) VALUES ('none');
         INSERT INTO docs (body, \"the \"\"language\"\"\") VALUES ('x', 7), ('y', 3);",
    );
    theme
        .command("copy", &["--verify".to_owned()])
        .await
        .with(0, "copy");
    assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
    let languages: String = theme
        .opened_back()
        .query_row(
            "SELECT group_concat(body || \"the \"\"language\"\"\") FROM docs",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(languages, "none0,x7,y3");
}

/// By a tokenizer that only the application has: the rest of the file goes its way, and so does what such a table keeps for itself where
/// nothing else can be read of it.
#[tokio::test]
async fn full_text_tables_that_cannot_be_read() {
    let tokenizer = |path: &Path, module: &str, from: &str| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(&format!(
                "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'x');
                 CREATE VIRTUAL TABLE docs USING {module}; INSERT INTO docs (rowid, a, b) VALUES (5, 'some words', x'00ff');
                 PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET sql = replace(sql, '{from}', 'only_theirs') WHERE name = 'docs';"
            ))
            .unwrap();
    };
    for (module, from, table) in [
        ("fts4(a, b, tokenize=simple)", "simple", "docs_content"),
        (
            "fts4(a, b, compress=hex, uncompress=lower)",
            "lower",
            "docs_content",
        ),
        ("fts5(a, b, tokenize='ascii')", "ascii", "docs"),
    ] {
        let theme = Theme::made("theirs.db", |path| tokenizer(path, module, from));
        let copied = theme
            .command("copy", &["--verify".to_owned()])
            .await
            .with(0, "copy");
        assert_eq!(
            copied.json()["not_carried"][0]["name"],
            "docs",
            "{}",
            copied.stdout
        );
        let differences = theme.differences_of_back().await;
        let connection = theme.opened_back();
        if table == "docs" {
            assert!(!format!("{differences:?}").contains("plain"), "{differences:?}");
        } else {
            // All that it keeps is here, and so is the table, for the application to open.
            assert_eq!(differences, Vec::<String>::new());
            assert!(schema_of(&connection, "docs").contains("only_theirs"));
        }
        let sql = format!("SELECT concat_ws('|', p.v, d.rowid, d.*) FROM plain AS p, {table} AS d");
        let sql = sql.replace(
            "d.*",
            if table == "docs" {
                "a, hex(b)"
            } else {
                "c0a, hex(c1b)"
            },
        );
        let row: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        let expected = match from {
            // What `hex` has made of them: kept as they are stored.
            "lower" => "x|5|736F6D6520776F726473|30304646",
            _ => "x|5|some words|00FF",
        };
        assert_eq!(row, expected, "{module}");
    }
}

/// Over rows that are kept elsewhere: listed, and filled from them on the way back.
#[tokio::test]
async fn an_index_over_another_table() {
    let theme = Theme::new(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'words');
         CREATE VIRTUAL TABLE docs USING fts5(v, content='plain', content_rowid='id'); INSERT INTO docs (docs) VALUES ('rebuild');",
    );
    let told = theme
        .command("copy", &["--verify".to_owned()])
        .await
        .with(0, "copy")
        .json();
    let missing = &told["not_carried"][0];
    assert_eq!(
        (&missing["name"], &missing["reason"]),
        (&"docs".into(), &"it indexes rows that are kept elsewhere".into())
    );
    assert_eq!(told["tables"].as_array().unwrap().len(), 1, "{told}");
    let later = "INSERT INTO plain VALUES (2, 'more words')";
    theme.client().await.batch_execute(later).await.unwrap();
    let (came, _) = theme.brought_back(&["--strict"]).await;
    came.with(0, "the way back");
    assert_eq!(found(&theme.opened_back(), "docs", "words"), "1,2");
}

/// SQLite takes a table for a part of an index over it because of its name.
#[tokio::test]
async fn a_table_that_is_called_like_a_part_of_its_index() {
    for module in [
        "fts5(body, content='docs_content', content_rowid='id')",
        "fts4(body, content=\"docs_content\")",
        "fts5(body, content='')",
    ] {
        let theme = Theme::new(format!(
            "CREATE TABLE docs_content (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT INTO docs_content VALUES (1, 'a body');
             CREATE INDEX by_body ON docs_content (body); CREATE VIRTUAL TABLE docs USING {module}; INSERT INTO docs (rowid, body) VALUES (1, 'a body');"
        ));
        theme
            .command("copy", &["--verify".to_owned()])
            .await
            .with(0, "copy");
        assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
        theme.verify_back().await;
        let back = theme.opened_back();
        let row: String = back
            .query_row(
                "SELECT id || body FROM docs_content INDEXED BY by_body",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(
            (row.as_str(), found(&back, "docs", "body").as_str()),
            ("1a body", "1"),
            "{module}"
        );
    }
}

/// An index whose texts are nowhere, or where only the application can read them, is the tables that it is kept in.
#[tokio::test]
async fn an_index_that_nothing_can_fill() {
    const BROKEN: &str = "CREATE VIEW broken AS SELECT id, only_theirs(v) AS a, 'x' AS b FROM plain;";
    for (module, beside, parts) in [
        ("fts5(a, b, content='')", "", 4),
        ("fts5(a, b, content='', contentless_delete=1)", "", 4),
        ("fts5(a, b, content='', columnsize=0)", "", 3),
        ("fts4(a, b, content=\"\")", "", 4),
        ("fts4(a, b, content=\"\", matchinfo=fts3)", "", 3),
        ("fts5(a, b, content='broken', content_rowid='id')", BROKEN, 4),
        ("fts4(a, b, content=\"broken\")", BROKEN, 4),
        ("fts5(a, b, content='nowhere')", "", 4),
    ] {
        let theme = Theme::new(format!(
            "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'x'); {beside}
             CREATE VIRTUAL TABLE docs USING {module};
             INSERT INTO docs (rowid, a, b) VALUES (1, 'some words', 'É'), (7, 'more', 'words'), (9, 'none', 'none');"
        ));
        let told = theme
            .command("copy", &["--verify".to_owned()])
            .await
            .with(0, "copy")
            .json();
        let missing = told["not_carried"].as_array().unwrap();
        let missing = missing.iter().find(|entry| entry["name"] == "docs").unwrap();
        let reason = missing["reason"].as_str().unwrap();
        assert!(
            reason.contains("the tables of the index itself are copied"),
            "{reason}"
        );
        assert_eq!(
            told["tables"].as_array().unwrap().len(),
            1 + parts,
            "{module}: {told}"
        );
        let (came, _) = theme.brought_back(&["--strict"]).await;
        came.with(0, module);
        theme.verify_back().await;
        let back = theme.opened_back();
        for (word, rows) in [
            ("words", "1,7"),
            ("b:words", "7"),
            ("\"some words\"", "1"),
            ("none", "9"),
            ("absent", ""),
        ] {
            assert_eq!(found(&back, "docs", word), rows, "{word}: {module}");
        }
        // It goes on as well.
        back.execute_batch("INSERT INTO docs (rowid, a, b) VALUES (11, 'later', 'words')")
            .unwrap();
        assert_eq!(found(&back, "docs", "words"), "1,7,11", "{module}");
    }
}

/// Of a copy that has not taken the index along the way back says that it is empty.
#[tokio::test]
async fn an_index_that_came_without_its_tables() {
    let theme = Theme::new(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'x');
         CREATE VIRTUAL TABLE docs USING fts5(a, content=''); INSERT INTO docs (rowid, a) VALUES (1, 'words');",
    );
    theme.command("copy", &[]).await.with(0, "copy");
    let client = theme.client().await;
    for part in ["data", "idx", "docsize", "config"] {
        let forget = format!(
            "DROP TABLE docs_{part}; DELETE FROM cutover.source_object WHERE table_name = 'docs_{part}';
             DELETE FROM cutover.made_table WHERE table_name = 'docs_{part}'; DELETE FROM cutover.rendering WHERE table_name = 'docs_{part}'"
        );
        client.batch_execute(&forget).await.unwrap();
    }
    let (strict, _) = theme.brought_back(&["--strict"]).await;
    let said = strict.with(1, "a way back that leaves an index empty").stdout;
    assert!(
        said.contains("it is empty, and the application must fill it"),
        "{said}"
    );
}

/// What somebody has made on a table that a virtual one keeps its rows in is made when the rows are there.
#[tokio::test]
async fn what_stands_on_shadow_tables() {
    let theme = Theme::new(
        "CREATE VIRTUAL TABLE f USING fts5(name); CREATE VIRTUAL TABLE g USING fts4(name); CREATE VIRTUAL TABLE r USING rtree(id, low, high);
         INSERT INTO f VALUES ('rex'); INSERT INTO g VALUES ('rex'); INSERT INTO r VALUES (1, 2, 3); CREATE TABLE log (x);
         CREATE INDEX f_index ON f_content (c0); CREATE INDEX g_index ON g_content (c0name); CREATE INDEX r_index ON r_rowid (nodeno);
         CREATE TRIGGER f_trigger AFTER INSERT ON F_content BEGIN INSERT INTO log VALUES (new.id); END;
         CREATE TRIGGER g_trigger AFTER INSERT ON g_content BEGIN INSERT INTO log VALUES (new.docid); END;
         CREATE TRIGGER r_trigger AFTER INSERT ON r_rowid BEGIN INSERT INTO log VALUES (new.rowid); END;",
    );
    theme.command("copy", &[]).await.with(0, "copy");
    let (ended, back) = theme.brought_back(&["--strict"]).await;
    ended.with(0, "copy of the way back");
    let other = theme.beside("other.db", "");
    let ended = theme.copy_to(&other, &["--strict".to_owned()]).await;
    ended.with(0, "copy to a file");
    for path in [back.as_path(), Path::new(&other)] {
        let file = Connection::open(path).unwrap();
        let sql = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE name LIKE '_\\_%' ESCAPE '\\'
                   AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY name)";
        let made: String = file.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(
            made,
            "f_index,f_trigger,g_index,g_trigger,r_index,r_trigger",
            "{}",
            path.display()
        );
        let logged = || {
            let sql = "SELECT count(*) FROM log";
            file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(logged(), 0);
        file.execute_batch("INSERT INTO g VALUES ('tom'); INSERT INTO r VALUES (2, 3, 4)")
            .unwrap();
        assert_eq!(logged(), 2);
    }
}

/// The rows that a full-text index finds.
fn found(connection: &Connection, table: &str, word: &str) -> String {
    let sql = format!("SELECT rowid FROM {table} WHERE {table} MATCH ?1 ORDER BY rowid");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([word], |row| row.get::<_, i64>(0)).unwrap();
    let rows: Vec<String> = rows.map(|row| row.unwrap().to_string()).collect();
    rows.join(",")
}

#[tokio::test]
async fn r_trees() {
    let theme = Theme::new(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY); CREATE VIRTUAL TABLE boxes USING rtree(id, minx, maxx, miny, maxy, +label TEXT);
         INSERT INTO boxes VALUES (1, 0.1, 1.5, -2.5, 3.25, 'a'), (2, 10, 20, 30, 40, 'b'), (9, -1e10, 1e10, 0, 0, NULL);",
    );
    let copied = theme.equal().await;
    no_shadows(&copied, &["boxes_node", "boxes_rowid", "boxes_parent"]).await;
    copied
        .is_one_of("boxes", "id", &["bigint"])
        .is_one_of("boxes", "minx", &["double precision"]);
}

/// An R-Tree keeps 32 bits of a number. What was written in PostgreSQL is rounded as the application would have had it rounded, counted and
/// compared so; what came from the file is exact.
#[tokio::test]
async fn bounds_that_an_r_tree_rounds() {
    let theme = Theme::new(
        "CREATE VIRTUAL TABLE r USING rtree(id, minx, maxx, miny, maxy, +weight REAL); INSERT INTO r VALUES (1, 0.1, 1.5, -2.5, 3.25, 0.1), (2, -1e10, 1e10, 0, 0, 1);",
    );
    theme
        .command("copy", &["--verify".to_owned()])
        .await
        .with(0, "copy");
    let rows = "(60, 0.1, 0.2, -0.2, -0.1, 0.7), (61, 16777217, 16777217, -16777217, -16777217, 1), (62, 3.5, 4, 1e-50, 1e-40, 2),
                (63, 1e38, 3e38, -3e38, -1.1e38, 3), (64, 52.520008, 52.5200081, 13.404954, 13.4049541, 4)";
    let insert = format!("INSERT INTO r VALUES {rows}");
    theme.client().await.batch_execute(&insert).await.unwrap();
    let (came, path) = theme.brought_back(&["--strict", "--json"]).await;
    let told = came.with(0, "the way back").json();
    assert_eq!(
        told["tables"][0]["normalised"]["minx"]["bound_of_32_bits"], 4,
        "{told}"
    );
    assert_eq!(told["tables"][0]["normalised"].get("weight"), None, "{told}");
    let all = |connection: &Connection| -> Vec<String> {
        let sql = "SELECT concat_ws(' ', id, format('%!.20g', minx), format('%!.20g', maxx), format('%!.20g', miny), format('%!.20g', maxy), weight) FROM r ORDER BY id";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let application = Connection::open(theme.duplicate("application")).unwrap();
    application.execute_batch(&insert).unwrap();
    assert_eq!(all(&Connection::open(path).unwrap()), all(&application));
    let verified = theme.verified_back(&["--json"]).await.with(0, "verify").json();
    let notes = verified["tables"][0]["notes"].to_string();
    assert!(
        notes.contains("bounds of an R-Tree are compared as it keeps them"),
        "{notes}"
    );
    // Another number of 32 bits is another one.
    theme
        .opened_back()
        .execute_batch("UPDATE r SET minx = 0.09999998 WHERE id = 60")
        .unwrap();
    theme.verified_back(&[]).await.with(1, "verify of another bound");
    let exact = "SELECT minx FROM r WHERE id = 1";
    let exact: f64 = application.query_row(exact, [], |row| row.get(0)).unwrap();
    let back: f64 = theme
        .opened_back()
        .query_row("SELECT minx FROM r WHERE id = 1", [], |row| row.get(0))
        .unwrap();
    assert_eq!(exact.to_bits(), back.to_bits());
}

/// What has no number of 32 bits beside it an R-Tree would make something else of, and say nothing; bounds in the wrong order it refuses.
#[tokio::test]
async fn what_an_r_tree_does_not_hold() {
    for (tree, change, column) in [
        ("rtree", "b = 1e300", "f.b"),
        ("rtree", "a = NULL", "f.a"),
        ("rtree_i32", "a = 0, b = 5000000000", "f.b"),
        ("rtree", "a = 3, b = 2", "f"),
    ] {
        let theme = Theme::new(format!(
            "CREATE VIRTUAL TABLE f USING {tree}(id, a, b); INSERT INTO f VALUES (1, 0, 1), (2, 1, 2), (3, -7, 7);"
        ));
        theme.command("copy", &[]).await.with(0, "copy");
        assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
        let change = format!("UPDATE f SET {change} WHERE id = 2");
        theme.client().await.batch_execute(&change).await.unwrap();
        let (refused, _) = theme.bring_back_partly(&[]).await;
        let named = format!("{column} where id = 2");
        assert!(refused.stderr.contains(&named), "{named}: {}", refused.stderr);
        let (told, back) = theme
            .bring_back_partly(&["--on-reject", "quarantine", "--json"])
            .await;
        let told = told.json();
        assert_eq!(told["rejects"][0]["key"], "id = 2", "{told}");
        let ids: String = Connection::open(back)
            .unwrap()
            .query_row("SELECT group_concat(id) FROM f", [], |row| row.get(0))
            .unwrap();
        assert_eq!(ids, "1,3");
    }
}

/// A virtual table is made with all of its columns, or not at all: said before there is a file, and by `inspect` too.
#[tokio::test]
async fn a_column_that_is_gone() {
    for (module, row, change, back) in [
        ("fts5(b, c)", "'q', 'w'", "DROP COLUMN c", "ADD COLUMN c text"),
        (
            "fts4(b, c)",
            "'q', 'w'",
            "RENAME COLUMN c TO d",
            "RENAME COLUMN d TO c",
        ),
        (
            "rtree(b, c, d)",
            "7, 0, 0.5",
            "DROP COLUMN c",
            "ADD COLUMN c double precision DEFAULT 0",
        ),
    ] {
        let theme = Theme::new(format!(
            "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'x');
             CREATE VIRTUAL TABLE ft USING {module}; INSERT INTO ft VALUES ({row});"
        ));
        theme.command("copy", &[]).await.with(0, "copy");
        let client = theme.client().await;
        client
            .batch_execute(&format!("ALTER TABLE ft {change}"))
            .await
            .unwrap();
        let (refused, path) = theme.brought_back(&[]).await;
        assert!(!path.exists());
        for ended in [refused, theme.inspected_back().await] {
            let said = ended.with(4, module).stderr;
            let named = "table ft has no column c any more";
            assert!(said.contains(named) && said.contains("--exclude ft"), "{said}");
        }
        let (without, path) = theme.brought_back(&["--exclude", "ft"]).await;
        without.with(0, "the way back without it");
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'ft%'";
        let made: i64 = Connection::open(path)
            .unwrap()
            .query_row(sql, [], |row| row.get(0))
            .unwrap();
        assert_eq!(made, 0, "{module}");
        client
            .batch_execute(&format!("ALTER TABLE ft {back}"))
            .await
            .unwrap();
        let (came, _) = theme.brought_back(&["--verify"]).await;
        came.with(0, "the way back with it");
    }
}

/// What a virtual table keeps its rows in is made with it, and no table of another kind can have its name: said before there is a file.
#[tokio::test]
async fn a_new_table_that_is_called_like_a_part_of_a_virtual_one() {
    for (module, row, part) in [
        ("fts5(b)", "'x'", "v_content"),
        ("fts4(b)", "'x'", "\"V_SegDir\""),
        ("rtree(id, a, b)", "1, 2, 3", "v_node"),
        ("fts5(w, content='plain', content_rowid='id')", "'x'", "v_data"),
    ] {
        let theme = Theme::new(format!(
            "CREATE TABLE plain (id INTEGER PRIMARY KEY, w TEXT); INSERT INTO plain VALUES (1, 'x');
             CREATE VIRTUAL TABLE v USING {module}; INSERT INTO v VALUES ({row});"
        ));
        theme.command("copy", &[]).await.with(0, "copy");
        let client = theme.client().await;
        client
            .batch_execute(&format!(
                "CREATE TABLE {part} (x int); INSERT INTO {part} VALUES (1)"
            ))
            .await
            .unwrap();
        let name = part.trim_matches('"');
        let (refused, path) = theme.brought_back(&[]).await;
        assert!(!path.exists());
        for ended in [refused, theme.inspected_back().await] {
            let said = ended.with(4, module).stderr;
            for words in [
                &format!("the table {name} has"),
                "virtual table v;",
                "rename it",
                &format!("--exclude {name}"),
            ] {
                assert!(said.contains(words), "{words}: {said}");
            }
        }
        let (without, _) = theme.brought_back(&["--exclude", name]).await;
        without.with(0, "the way back without it");
        // A file that has the virtual table refuses it as well.
        let url = theme.url().await;
        let into = path.to_str().unwrap();
        let again = theme.program(&["copy", &url, into, "--tables", name]).await;
        let said = again.with(4, "a copy into that file").stderr;
        assert!(said.contains("virtual table v;"), "{said}");
        if !module.contains("content=") {
            let (other, _) = theme.brought_back(&["--exclude", "v"]).await;
            other.with(0, "the way back without the virtual table");
        }
        client
            .batch_execute(&format!("ALTER TABLE {part} RENAME TO other"))
            .await
            .unwrap();
        let (came, _) = theme.brought_back(&["--verify"]).await;
        came.with(0, "the way back of a renamed one");
    }
}

/// What shows what others hold is made again, and shows it.
#[tokio::test]
async fn modules_that_hold_nothing() {
    let theme = Theme::new(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); CREATE VIRTUAL TABLE docs USING fts5(a); INSERT INTO docs VALUES ('some words');
         CREATE VIRTUAL TABLE docs4 USING fts4(a); INSERT INTO docs4 VALUES ('more');
         CREATE VIRTUAL TABLE words USING fts5vocab('docs', 'row'); CREATE VIRTUAL TABLE terms USING fts4aux(docs4);
         CREATE VIRTUAL TABLE tokens USING fts3tokenize; CREATE VIRTUAL TABLE pages USING dbstat;",
    );
    let told = theme
        .command("copy", &["--verify".to_owned()])
        .await
        .with(0, "copy")
        .json();
    for name in ["words", "terms", "tokens", "pages"] {
        let mut missing = told["not_carried"].as_array().unwrap().iter();
        let missing = missing.find(|entry| entry["name"] == name).unwrap();
        assert_eq!(
            missing["reason"],
            "it holds nothing of its own, and shows what is kept elsewhere"
        );
    }
    let (came, _) = theme.brought_back(&["--strict"]).await;
    came.with(0, "the way back");
    let words: String = theme
        .opened_back()
        .query_row("SELECT group_concat(term) FROM words", [], |row| row.get(0))
        .unwrap();
    assert_eq!(words, "some,words");
}

#[tokio::test]
async fn a_module_that_is_not_there() {
    let make = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE plain (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO plain VALUES (1, 'x'), (2, 'y');
                 PRAGMA writable_schema = ON;
                 INSERT INTO sqlite_schema VALUES ('table', 'alien', 'alien', 0, 'CREATE VIRTUAL TABLE alien USING spellfix1(word)');
                 PRAGMA writable_schema = OFF;",
            )
            .unwrap();
    };
    let theme = Theme::made("alien.db", make);
    theme.command("copy", &[]).await.with(0, "copy");
    assert_eq!(theme.differences_of_back().await, Vec::<String>::new());
    assert_eq!(
        schema_of(&theme.opened_back(), "alien"),
        "CREATE VIRTUAL TABLE alien USING spellfix1(word)"
    );
    let copied = Theme::made("alien.db", make).equal().await;
    copied.lists(&["alien", "spellfix1"]).is("plain", "v", "text");
}

fn schema_of(connection: &Connection, name: &str) -> String {
    let sql = "SELECT sql FROM sqlite_schema WHERE name = ?1";
    connection.query_row(sql, [name], |row| row.get(0)).unwrap()
}
