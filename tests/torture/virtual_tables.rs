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
