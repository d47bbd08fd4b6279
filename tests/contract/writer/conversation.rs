//! Contract cases of the conversations and their messages.

use cutover_domain::stored::{Stored, StoredValue};
use cutover_domain::writer::conversation::{Conversation, Message, Role};
use cutover_ports::StoreError;
use cutover_ports::writer::{ConversationPlace, ConversationRepository, TITLES_MAX};
use cutover_tests::store::TestStore;
use futures_util::future::try_join_all;

use super::{assert_conflict, at, instant};

contract!(
    insert_then_get,
    get_of_an_unknown_conversation_is_none,
    messages_keep_the_order_in_which_they_were_stored,
    a_taken_id_conflicts_and_nothing_is_stored,
    a_taken_message_id_conflicts_and_nothing_is_stored,
    the_list_goes_by_insertion_and_pages_never_overlap,
    nobody_is_left_out_or_comes_twice_whatever_happens_between_two_pages,
    a_page_of_long_titles_is_short,
    a_change_of_the_title_moves_nothing_in_the_list,
    without_a_title_only_the_time_changes,
    update_replaces_the_messages,
    update_of_an_unknown_conversation_changes_nothing,
    a_message_of_another_conversation_cannot_be_taken,
    append_needs_a_conversation,
    delete_takes_the_messages_along,
    what_is_stored_at_once_is_all_stored,
    a_long_title_comes_once,
);

fn message(id: &str) -> Message {
    Message {
        id: id.to_owned(),
        role: Role::User.into(),
        content: "Olá é😀".to_owned(),
        created_at: at(5),
        attachments: Stored::Known(vec![]),
    }
}

fn conversation(id: &str, messages: &[&str]) -> Conversation {
    Conversation {
        id: id.to_owned(),
        title: "Título 😀".to_owned(),
        created_at: at(0),
        updated_at: at(1),
        messages: messages.iter().map(|id| message(id)).collect(),
    }
}

fn ids(conversation: &Conversation) -> Vec<&str> {
    conversation
        .messages
        .iter()
        .map(|message| message.id.as_str())
        .collect()
}

/// The whole list: ids and numbers of messages.
async fn listed(conversations: &dyn ConversationRepository) -> Vec<(String, u64)> {
    let page = conversations.list(None, 99).await.unwrap();
    assert_eq!(page.next, None);
    let items = page.items.into_iter();
    items.map(|item| (item.id, item.message_count)).collect()
}

/// The next ids of the list, `limit` of them, and where it goes on.
async fn some(
    conversations: &dyn ConversationRepository,
    after: Option<ConversationPlace>,
    limit: u32,
) -> (Vec<String>, Option<ConversationPlace>) {
    let page = conversations.list(after, limit).await.unwrap();
    (page.items.into_iter().map(|item| item.id).collect(), page.next)
}

/// The ids of the list, taken by `limit` at a time.
async fn by(conversations: &dyn ConversationRepository, limit: u32) -> Vec<String> {
    let (mut all, mut next) = some(conversations, None, limit).await;
    while next.is_some() {
        let more;
        (more, next) = some(conversations, next, limit).await;
        all.extend(more);
    }
    all
}

async fn insert_then_get(store: &TestStore) {
    let conversations = &store.writer.conversations;
    let mut full = conversation("00000000-0000-4000-8000-000000000001", &["z", "a"]);
    full.messages.push(Message {
        role: Role::System.into(),
        content: String::new(),
        created_at: None,
        attachments: Stored::Known(vec!["id1".to_owned(), "\"é\\😀".to_owned(), String::new()]),
        ..message("m")
    });
    full.messages.push(Message {
        role: Stored::Other(StoredValue::Text("tool".to_owned())),
        attachments: Stored::Other(StoredValue::Text("{\"a\": 1}".to_owned())),
        ..message("n")
    });
    let bare = Conversation {
        title: " ".to_owned(),
        created_at: None,
        updated_at: None,
        ..conversation("temp-id", &[])
    };
    for made in [full, bare] {
        conversations.insert(&made).await.unwrap();
        assert_eq!(conversations.get(&made.id).await.unwrap(), Some(made));
    }
}

async fn get_of_an_unknown_conversation_is_none(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations.insert(&conversation("Id", &["m"])).await.unwrap();
    for other in ["id", "ID", "", "'; DROP TABLE conversations; --"] {
        assert_eq!(conversations.get(other).await.unwrap(), None, "{other}");
    }
}

async fn messages_keep_the_order_in_which_they_were_stored(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations
        .insert(&conversation("a", &["m2", "m1"]))
        .await
        .unwrap();
    conversations.insert(&conversation("b", &["x"])).await.unwrap();
    // Times that go back, are missing, or are the same do not matter.
    for (id, created_at) in [("m9", at(-100)), ("m0", None), ("m5", at(5)), ("m3", at(5))] {
        let message = Message {
            created_at,
            ..message(id)
        };
        conversations.append("a", &message).await.unwrap();
        conversations
            .append(
                "b",
                &Message {
                    id: format!("x{id}"),
                    ..message
                },
            )
            .await
            .unwrap();
    }
    let stored = conversations.get("a").await.unwrap().unwrap();
    assert_eq!(ids(&stored), ["m2", "m1", "m9", "m0", "m5", "m3"]);
    let stored = conversations.get("b").await.unwrap().unwrap();
    assert_eq!(ids(&stored), ["x", "xm9", "xm0", "xm5", "xm3"]);
    // Appending is not a change of the conversation.
    assert_eq!(stored.updated_at, at(1));
}

async fn a_taken_id_conflicts_and_nothing_is_stored(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations.insert(&conversation("a", &["m1"])).await.unwrap();
    let second = Conversation {
        title: "another".to_owned(),
        ..conversation("a", &["m2"])
    };
    assert_conflict(conversations.insert(&second).await, "conversations.id");
    assert_eq!(
        conversations.get("a").await.unwrap(),
        Some(conversation("a", &["m1"]))
    );
}

async fn a_taken_message_id_conflicts_and_nothing_is_stored(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations.insert(&conversation("a", &["m1"])).await.unwrap();
    let second = conversation("b", &["m2", "m1"]);
    assert_conflict(conversations.insert(&second).await, "messages.id");
    assert_conflict(
        conversations.insert(&conversation("b", &["m3", "m3"])).await,
        "messages.id",
    );
    assert_eq!(conversations.get("b").await.unwrap(), None);
    assert_conflict(conversations.append("a", &message("m1")).await, "messages.id");
    assert_eq!(listed(&**conversations).await, [("a".to_owned(), 1)]);
}

async fn the_list_goes_by_insertion_and_pages_never_overlap(store: &TestStore) {
    let conversations = &store.writer.conversations;
    for (id, created_at, messages) in [
        ("c", at(9), &["c1", "c2"][..]),
        ("a", at(0), &[]),
        ("not a uuid", None, &["n1"]),
        ("b", at(0), &[]),
    ] {
        let made = Conversation {
            created_at,
            ..conversation(id, messages)
        };
        conversations.insert(&made).await.unwrap();
    }
    let expected = [("c", 2), ("a", 0), ("not a uuid", 1), ("b", 0)];
    assert_eq!(
        listed(&**conversations).await,
        expected.map(|(id, count)| (id.to_owned(), count))
    );
    for limit in 1..5 {
        let seen = by(&**conversations, limit).await;
        assert_eq!(seen, ["c", "a", "not a uuid", "b"], "{limit} at a time");
    }
    assert_eq!(some(&**conversations, None, 0).await.0, [""; 0]);
    conversations.delete("a").await.unwrap();
    conversations.insert(&conversation("a", &[])).await.unwrap();
    let page = conversations.list(None, 9).await.unwrap();
    let seen: Vec<&str> = page.items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(seen, ["c", "not a uuid", "b", "a"]);
    assert_eq!(page.items[3].title, "Título 😀");
    assert_eq!(
        (&page.items[3].created_at, &page.items[3].updated_at),
        (&at(0), &at(1))
    );
}

async fn nobody_is_left_out_or_comes_twice_whatever_happens_between_two_pages(store: &TestStore) {
    let conversations = &store.writer.conversations;
    for id in ["h", "g", "f", "e", "d", "c", "b", "a"] {
        conversations.insert(&conversation(id, &[])).await.unwrap();
    }
    let (first, next) = some(&**conversations, None, 3).await;
    assert_eq!(first, ["h", "g", "f"]);
    // Before the place, at it, and behind it.
    for id in ["h", "f", "d"] {
        conversations.delete(id).await.unwrap();
    }
    conversations.insert(&conversation("i", &["m"])).await.unwrap();
    for id in ["g", "c"] {
        let title = Some("changed".to_owned());
        conversations.update_title(id, title, instant(99)).await.unwrap();
    }
    let (second, next) = some(&**conversations, next, 3).await;
    assert_eq!(second, ["e", "c", "b"]);
    for id in ["g", "e", "c", "b"] {
        conversations.delete(id).await.unwrap();
    }
    let (third, next) = some(&**conversations, next, 3).await;
    assert_eq!((third, next), (vec!["a".to_owned(), "i".to_owned()], None));
}

async fn a_page_of_long_titles_is_short(store: &TestStore) {
    let conversations = &store.writer.conversations;
    // Characters of two bytes: titles of a third, of all and of three times what a page may have.
    let lengths = [1, 3, 1, 1, 1, 9, 1].map(|thirds| thirds * TITLES_MAX / 6);
    for (number, length) in lengths.into_iter().enumerate() {
        let made = Conversation {
            title: "é".repeat(length + 1),
            ..conversation(&number.to_string(), &["m"][..usize::from(number == 3)])
        };
        conversations.insert(&made).await.unwrap();
    }
    let (mut pages, mut next) = (Vec::new(), None);
    loop {
        let page = conversations.list(next, 99).await.unwrap();
        for item in &page.items {
            let number: usize = item.id.parse().unwrap();
            assert_eq!(item.title.chars().count(), lengths[number] + 1);
            assert_eq!(item.message_count, u64::from(number == 3));
        }
        pages.push(page.items.into_iter().map(|item| item.id).collect::<String>());
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["01", "234", "5", "6"]);
    assert_eq!(by(&**conversations, 2).await.concat(), "0123456");
}

async fn a_change_of_the_title_moves_nothing_in_the_list(store: &TestStore) {
    let conversations = &store.writer.conversations;
    for (id, messages) in [("a", &["m2", "m1"][..]), ("b", &[])] {
        conversations.insert(&conversation(id, messages)).await.unwrap();
    }
    let changed = conversations
        .update_title("a", Some("new".to_owned()), instant(77))
        .await
        .unwrap()
        .unwrap();
    let expected = Conversation {
        title: "new".to_owned(),
        updated_at: at(77),
        ..conversation("a", &["m2", "m1"])
    };
    assert_eq!(changed, expected);
    assert_eq!(conversations.get("a").await.unwrap(), Some(expected));
    let page = conversations.list(None, 9).await.unwrap();
    let titles: Vec<&str> = page.items.iter().map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["new", "Título 😀"]);
    assert_eq!(
        conversations
            .update_title("c", Some("t".to_owned()), instant(0))
            .await
            .unwrap(),
        None
    );
}

async fn without_a_title_only_the_time_changes(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations.insert(&conversation("a", &["m"])).await.unwrap();
    let changed = conversations
        .update_title("a", None, instant(2))
        .await
        .unwrap()
        .unwrap();
    let expected = Conversation {
        updated_at: at(2),
        ..conversation("a", &["m"])
    };
    assert_eq!(changed, expected);
}

async fn update_replaces_the_messages(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations
        .insert(&conversation("a", &["m1", "m2", "m3"]))
        .await
        .unwrap();
    conversations.insert(&conversation("b", &["x1"])).await.unwrap();
    let changed = Conversation {
        title: "new".to_owned(),
        updated_at: at(9),
        ..conversation("a", &["m3", "m4", "m1"])
    };
    assert!(conversations.update(&changed).await.unwrap());
    assert_eq!(conversations.get("a").await.unwrap(), Some(changed));
    assert!(conversations.update(&conversation("a", &[])).await.unwrap());
    assert_eq!(
        conversations.get("a").await.unwrap(),
        Some(conversation("a", &[]))
    );
    assert_eq!(
        conversations.get("b").await.unwrap(),
        Some(conversation("b", &["x1"]))
    );
}

async fn update_of_an_unknown_conversation_changes_nothing(store: &TestStore) {
    let conversations = &store.writer.conversations;
    assert!(!conversations.update(&conversation("a", &["m"])).await.unwrap());
    assert_eq!(listed(&**conversations).await, []);
    conversations.insert(&conversation("b", &["m"])).await.unwrap();
}

async fn a_message_of_another_conversation_cannot_be_taken(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations.insert(&conversation("a", &["m1"])).await.unwrap();
    conversations.insert(&conversation("b", &["m2"])).await.unwrap();
    let taking = conversation("b", &["m3", "m1"]);
    assert_conflict(conversations.update(&taking).await, "messages.id");
    for (id, messages) in [("a", ["m1"]), ("b", ["m2"])] {
        let stored = conversations.get(id).await.unwrap().unwrap();
        assert_eq!(stored, conversation(id, &messages));
    }
}

async fn append_needs_a_conversation(store: &TestStore) {
    let conversations = &store.writer.conversations;
    let error = conversations.append("a", &message("m")).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Missing(table) if table == "conversations"),
        "{error:?}"
    );
    conversations.insert(&conversation("a", &[])).await.unwrap();
    conversations.append("a", &message("m")).await.unwrap();
}

async fn delete_takes_the_messages_along(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations
        .insert(&conversation("a", &["m1", "m2"]))
        .await
        .unwrap();
    conversations.insert(&conversation("b", &["x1"])).await.unwrap();
    assert!(conversations.delete("a").await.unwrap());
    assert!(!conversations.delete("a").await.unwrap());
    assert_eq!(conversations.get("a").await.unwrap(), None);
    // Their ids are free again.
    conversations
        .insert(&conversation("c", &["m1", "m2"]))
        .await
        .unwrap();
    assert_eq!(
        conversations.get("b").await.unwrap(),
        Some(conversation("b", &["x1"]))
    );
}

async fn what_is_stored_at_once_is_all_stored(store: &TestStore) {
    let conversations = &store.writer.conversations;
    conversations.insert(&conversation("first", &[])).await.unwrap();
    let made: Vec<Conversation> = (0..8).map(|n| conversation(&format!("c{n}"), &[])).collect();
    try_join_all(made.iter().map(|made| conversations.insert(made)))
        .await
        .unwrap();
    let messages: Vec<Message> = (0..8).map(|n| message(&format!("m{n}"))).collect();
    try_join_all(messages.iter().map(|message| conversations.append("c0", message)))
        .await
        .unwrap();
    conversations.append("c0", &message("last")).await.unwrap();
    conversations.insert(&conversation("last", &[])).await.unwrap();
    let all = listed(&**conversations).await;
    assert_eq!(all.len(), 10);
    assert_eq!((all[0].0.as_str(), all[9].0.as_str()), ("first", "last"));
    let stored = conversations.get("c0").await.unwrap().unwrap();
    assert_eq!(stored.messages.len(), 9);
    assert_eq!(stored.messages[8].id, "last");
}

async fn a_long_title_comes_once(store: &TestStore) {
    let conversations = &store.writer.conversations;
    let names: Vec<String> = (0..200).map(|n| format!("m{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let long = Conversation {
        title: "é".repeat(500_000),
        ..conversation("a", &names)
    };
    conversations.insert(&long).await.unwrap();
    assert!(conversations.get("a").await.unwrap().unwrap() == long);
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_tests::store::{TestFile, open};

    use super::*;

    #[tokio::test]
    async fn attachments_that_are_null_read_as_none_and_odd_ones_as_they_are() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "INSERT INTO conversations (id, title) VALUES ('a', 't');
            INSERT INTO messages (id, conversation_id, role, content, attachments) VALUES
                ('z', 'a', 'user', 'c', NULL), ('y', 'a', 'User', 'c', 'null'), ('x', 'a', 'user', 'c', '[1]');",
        )
        .unwrap();
        let conversations = &store.writer.conversations;
        conversations.append("a", &message("w")).await.unwrap();
        let stored = conversations.get("a").await.unwrap().unwrap();
        // Rows that another program wrote stand where they came.
        assert_eq!(ids(&stored), ["z", "y", "x", "w"]);
        assert_eq!(stored.messages[0].attachments, Stored::Known(vec![]));
        assert_eq!(stored.messages[1].attachments, Stored::Known(vec![]));
        let odd = StoredValue::Text("[1]".to_owned());
        assert_eq!(stored.messages[2].attachments, Stored::Other(odd));
        let odd = StoredValue::Text("User".to_owned());
        assert_eq!(stored.messages[1].role, Stored::Other(odd));
        // SQLite's default has whole seconds.
        assert!(stored.created_at.unwrap().known().is_some());
    }

    #[tokio::test]
    async fn deleting_no_conversation_changes_no_message() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA foreign_keys = OFF;
            INSERT INTO messages (id, conversation_id, role, content) VALUES ('m', 'gone', 'user', 'c');",
        )
        .unwrap();
        assert!(!store.writer.conversations.delete("gone").await.unwrap());
        let count: i64 = raw
            .query_row("SELECT count(*) FROM messages", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 1);
    }

    #[tokio::test]
    async fn a_file_that_was_never_taken_over_keeps_its_order() {
        let file = TestFile::empty();
        file.raw()
            .execute_batch(
                "CREATE TABLE conversations (id VARCHAR NOT NULL, title VARCHAR NOT NULL, created_at DATETIME DEFAULT (CURRENT_TIMESTAMP), updated_at DATETIME, PRIMARY KEY (id));
                CREATE TABLE messages (id VARCHAR NOT NULL, conversation_id VARCHAR NOT NULL, role VARCHAR NOT NULL, content TEXT NOT NULL, created_at DATETIME, attachments JSON, PRIMARY KEY (id), FOREIGN KEY(conversation_id) REFERENCES conversations (id));
                INSERT INTO conversations VALUES ('z', 'first', NULL, NULL), ('a', 'second', NULL, NULL);
                INSERT INTO messages VALUES ('m9', 'z', 'user', 'c', NULL, NULL), ('m1', 'z', 'user', 'c', NULL, NULL);",
            )
            .unwrap();
        let writer = cutover_sqlite::writer::repositories(&open(&file.path()));
        let conversations = &writer.conversations;
        conversations
            .insert(&conversation("m", &["m5", "m4"]))
            .await
            .unwrap();
        conversations.append("z", &message("m0")).await.unwrap();
        let stored = conversations.get("z").await.unwrap().unwrap();
        assert_eq!(ids(&stored), ["m9", "m1", "m0"]);
        let expected = [("z", 3), ("a", 0), ("m", 2)];
        assert_eq!(
            listed(&**conversations).await,
            expected.map(|(id, count)| (id.to_owned(), count))
        );
        let (first, next) = some(&**conversations, None, 1).await;
        assert_eq!(first, ["z"]);
        assert!(conversations.delete("z").await.unwrap());
        assert_eq!(some(&**conversations, next, 9).await.0, ["a", "m"]);
    }

    #[tokio::test]
    async fn the_list_goes_on_where_positions_are_missing_the_same_or_no_numbers() {
        let store = TestStore::sqlite().await;
        let raw = store.file().unwrap().raw();
        // Without the trigger, as in a file that a copy has made.
        raw.execute_batch(
            "DROP TRIGGER conversations_position;
            INSERT INTO conversations (rowid, id, title, position) VALUES
                (1, 'c', 't', NULL), (2, 'd', 't', 3), (3, 'b', 't', NULL), (4, 'a', 't', 3), (5, 'z', 't', 4),
                (6, 'y', 't', 'text'), (7, 'x', 't', NULL), (8, CAST(x'F8' AS TEXT), 't', 4), (9, 'v', 't', 4), (10, 'w', 't', x'00'),
                (11, 'e', 't', 4.5), (12, 'k', 't', -9223372036854775808), (13, 'l', 't', NULL), (14, 'n', 't', 'text');",
        )
        .unwrap();
        let conversations = &store.writer.conversations;
        let order = [
            "k", "c", "d", "b", "a", "z", "\u{fffd}", "v", "e", "x", "l", "y", "n", "w",
        ];
        for limit in 1..16 {
            assert_eq!(by(&**conversations, limit).await, order, "{limit} at a time");
        }
        let mut places = Vec::new();
        for shown in 1..14 {
            places.push(some(&**conversations, None, shown).await.1);
        }
        // Those that were shown may be gone when the list goes on.
        for (place, shown) in places.into_iter().zip(1..) {
            raw.execute(
                "DELETE FROM conversations WHERE id = iif(?1 = char(65533), CAST(x'F8' AS TEXT), ?1)",
                [order[shown - 1]],
            )
            .unwrap();
            assert_eq!(some(&**conversations, place, 99).await.0, order[shown..]);
        }
    }
}

#[cfg(feature = "postgres")]
mod old_databases {
    use super::*;

    #[tokio::test]
    async fn rows_of_a_program_that_knows_of_no_positions_stand_where_they_came() {
        let store = TestStore::postgres().await;
        let client = store.database().unwrap().connect().await;
        let conversations = &store.writer.conversations;
        let others = async |id: &str| {
            let sql = format!(
                "INSERT INTO conversations (id, title) VALUES ('{id}', 't');
                INSERT INTO messages (id, conversation_id, role, content) VALUES ('m{id}', 'z', 'user', 'c')"
            );
            client.batch_execute(&sql).await.unwrap();
        };
        conversations
            .insert(&conversation("z", &["m9", "m1"]))
            .await
            .unwrap();
        others("y").await;
        conversations.insert(&conversation("x", &[])).await.unwrap();
        conversations.append("z", &message("m0")).await.unwrap();
        others("w").await;
        conversations.insert(&conversation("a", &[])).await.unwrap();
        assert_eq!(by(&**conversations, 2).await, ["z", "y", "x", "w", "a"]);
        let stored = conversations.get("z").await.unwrap().unwrap();
        assert_eq!(ids(&stored), ["m9", "m1", "my", "m0", "mw"]);
    }

    #[tokio::test]
    async fn the_list_goes_on_where_positions_are_missing_or_the_same() {
        let store = TestStore::postgres().await;
        let client = store.database().unwrap().connect().await;
        client
            .batch_execute(
                "INSERT INTO conversations (id, title, created_at, position) VALUES
                    ('l', 't', '2026-01-02', NULL), ('k', 't', '2026-01-02', NULL), ('j', 't', '2026-01-01', NULL),
                    ('n', 't', NULL, NULL), ('m', 't', NULL, NULL), ('f', 't', '2026-01-02', 7), ('g', 't', '2026-01-01', 7),
                    ('i', 't', NULL, 7), ('h', 't', NULL, 7), ('z', 't', now(), -9223372036854775808), ('y', 't', now(), 0)",
            )
            .await
            .unwrap();
        let conversations = &store.writer.conversations;
        let order = ["z", "y", "h", "i", "g", "f", "m", "n", "j", "k", "l"];
        for limit in 1..13 {
            assert_eq!(by(&**conversations, limit).await, order, "{limit} at a time");
        }
        let mut places = Vec::new();
        for shown in 1..11 {
            places.push(some(&**conversations, None, shown).await.1);
        }
        // Those that were shown may be gone when the list goes on.
        for (place, shown) in places.into_iter().zip(1..) {
            conversations.delete(order[shown - 1]).await.unwrap();
            assert_eq!(some(&**conversations, place, 99).await.0, order[shown..]);
        }
    }
}
