//! Contract cases of what is known of uploaded files.

use cutover_domain::writer::file::FileMetadata;
use cutover_tests::store::TestStore;

use super::{assert_conflict, at};

contract!(
    insert_then_get,
    get_of_an_unknown_file_is_none,
    a_taken_id_conflicts_and_changes_nothing,
    the_list_goes_by_id_and_on_behind_one,
    known_tells_which_of_many_are_files,
    delete_says_whether_there_was_one,
);

fn file(id: &str) -> FileMetadata {
    FileMetadata {
        id: id.to_owned(),
        filename: "../../etc/pass wd é😀.txt".to_owned(),
        content_type: "text/plain".to_owned(),
        size: 16.into(),
        created_at: at(0),
    }
}

async fn insert_then_get(store: &TestStore) {
    let files = &store.writer.files;
    for made in [
        file("00000000-0000-4000-8000-000000000001"),
        FileMetadata {
            created_at: None,
            size: (1_i64 << 40).into(),
            ..file("test-id")
        },
        FileMetadata {
            filename: String::new(),
            size: (-1).into(),
            ..file("")
        },
    ] {
        files.insert(&made).await.unwrap();
        assert_eq!(files.get(&made.id).await.unwrap(), Some(made));
    }
}

async fn get_of_an_unknown_file_is_none(store: &TestStore) {
    let files = &store.writer.files;
    files.insert(&file("Id")).await.unwrap();
    for other in ["id", "ID", "Id ", "", "'; DROP TABLE file_metadata; --"] {
        assert_eq!(files.get(other).await.unwrap(), None, "{other}");
    }
}

async fn a_taken_id_conflicts_and_changes_nothing(store: &TestStore) {
    let files = &store.writer.files;
    files.insert(&file("a")).await.unwrap();
    let second = FileMetadata {
        filename: "another".to_owned(),
        ..file("a")
    };
    assert_conflict(files.insert(&second).await, "file_metadata.id");
    assert_eq!(files.get("a").await.unwrap(), Some(file("a")));
}

async fn the_list_goes_by_id_and_on_behind_one(store: &TestStore) {
    let files = &store.writer.files;
    for id in ["b", "é", "B", "a", "_"] {
        files.insert(&file(id)).await.unwrap();
    }
    let (mut seen, mut after): (Vec<String>, Option<String>) = (Vec::new(), None);
    loop {
        let page = files.list(after, 2).await.unwrap();
        assert!(page.files.len() <= 2);
        seen.extend(page.files.into_iter().map(|file| file.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["B", "_", "a", "b", "é"]);
    assert_eq!(files.list(None, 0).await.unwrap().files, []);
}

async fn known_tells_which_of_many_are_files(store: &TestStore) {
    let files = &store.writer.files;
    for id in ["a", "b"] {
        files.insert(&file(id)).await.unwrap();
    }
    let mut ids: Vec<String> = (0..3000).map(|number| format!("n{number}")).collect();
    ids.extend(["a".to_owned(), "b".to_owned(), "a".to_owned(), "A".to_owned()]);
    let mut known: Vec<String> = files.known(&ids).await.unwrap().into_iter().collect();
    known.sort();
    assert_eq!(known, ["a", "b"]);
    assert!(files.known(&[]).await.unwrap().is_empty());
}

async fn delete_says_whether_there_was_one(store: &TestStore) {
    let files = &store.writer.files;
    files.insert(&file("a")).await.unwrap();
    files.insert(&file("b")).await.unwrap();
    assert!(files.delete("a").await.unwrap());
    assert!(!files.delete("a").await.unwrap());
    assert_eq!(files.get("a").await.unwrap(), None);
    assert_eq!(files.get("b").await.unwrap(), Some(file("b")));
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "INSERT INTO file_metadata (id, filename, content_type, size, created_at) VALUES
                ('a', 'n', 't', 'many', 'today?'), ('b', 'n', 't', 1, '2026-01-01 12:00:00');
            INSERT INTO file_metadata (id, filename, content_type, size) VALUES ('c', 'n', 't', 1);",
        )
        .unwrap();
        let files = store.writer.files.list(None, 10).await.unwrap().files;
        let odd = |text: &str| StoredValue::Text(text.to_owned());
        assert_eq!(files[0].size, Stored::Other(odd("many")));
        assert_eq!(files[0].created_at, Some(Stored::Other(odd("today?"))));
        let whole = files[1].created_at.as_ref().unwrap().known().unwrap();
        assert_eq!(whole.to_sqlalchemy(), "2026-01-01 12:00:00.000000");
        // What SQLite's default gave.
        assert!(files[2].created_at.as_ref().unwrap().known().is_some());
    }

    #[tokio::test]
    async fn the_list_goes_on_behind_ids_that_are_no_text() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        let ids = [
            "'a'",
            "x'ff00'",
            "x'ff01'",
            "cast(x'ff00' as text)",
            "cast(x'ff01' as text)",
            "'z'",
        ];
        for id in ids {
            raw.execute_batch(&format!(
                "INSERT INTO file_metadata (id, filename, content_type, size) VALUES ({id}, {id}, 't', 1)"
            ))
            .unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        for _ in 0..=ids.len() {
            let page = store.writer.files.list(after, 1).await.unwrap();
            seen.extend(page.files.into_iter().map(|file| file.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let lossy = ["\u{FFFD}\0", "\u{FFFD}\u{1}"];
        assert_eq!(seen, [["a", "z"], lossy, lossy].concat());
    }

    #[tokio::test]
    async fn times_are_written_as_the_original_writes_them() {
        let store = TestStore::sqlite().await;
        store.writer.files.insert(&file("a")).await.unwrap();
        let raw = store.file().unwrap().raw();
        let text: String = raw
            .query_row("SELECT created_at FROM file_metadata", [], |row| row.get(0))
            .unwrap();
        assert_eq!(text, "2026-01-01 12:00:00.123456");
    }
}
