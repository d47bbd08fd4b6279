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

/// An R-Tree keeps 32 bits of a number, and says nothing of the rest; bounds in the wrong order it refuses.
#[tokio::test]
async fn what_an_r_tree_does_not_hold() {
    for (tree, change, column) in [
        ("rtree", "a = 1.6, b = 2.5", "f.a"),
        ("rtree", "b = 16777217", "f.b"),
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
    let copied = Theme::made("alien.db", make).equal().await;
    copied.lists(&["alien", "spellfix1"]).is("plain", "v", "text");
}
