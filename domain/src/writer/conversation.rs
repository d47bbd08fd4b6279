//! Conversations and their messages.

use crate::json::Json;
use crate::stored::{Stored, StoredValue};
use crate::text_enum;
use crate::time::Timestamp;

text_enum! {
    /// Who says a message.
    Role {
        /// A person.
        User = "user",
        /// The model.
        Assistant = "assistant",
        /// The application.
        System = "system",
    }
}

/// A conversation with its messages, in the order in which they were stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// A UUID by the application's rule; any text in old files.
    pub id: String,
    /// Not empty, by the application's rule; a blank one is.
    pub title: String,
    /// When it was made.
    pub created_at: Option<Stored<Timestamp>>,
    /// When it was changed last.
    pub updated_at: Option<Stored<Timestamp>>,
    /// What was said.
    pub messages: Vec<Message>,
}

/// What lists show of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationSummary {
    /// As [`Conversation::id`].
    pub id: String,
    /// As [`Conversation::title`].
    pub title: String,
    /// When it was made.
    pub created_at: Option<Stored<Timestamp>>,
    /// When it was changed last.
    pub updated_at: Option<Stored<Timestamp>>,
    /// How many messages it has.
    pub message_count: u64,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// A UUID by the application's rule; any text in old files.
    pub id: String,
    /// Who says it.
    pub role: Stored<Role>,
    /// What is said; may be empty.
    pub content: String,
    /// When it was said.
    pub created_at: Option<Stored<Timestamp>>,
    /// Names of things that come with it; nobody checks them against the files.
    pub attachments: Stored<Vec<String>>,
}

/// Attachments as they are stored. NULL, of which rows by other programs are full, is none, and so is JSON `null`; a document
/// that is no list of texts stays as it is.
pub fn read_attachments(stored: Option<&Json>) -> Stored<Vec<String>> {
    let Some(json) = stored else {
        return Stored::Known(Vec::new());
    };
    match json.view::<Option<Vec<String>>>() {
        Ok(texts) => Stored::Known(texts.unwrap_or_default()),
        Err(_) => Stored::Other(StoredValue::Text(json.as_str().to_owned())),
    }
}

/// How attachments are stored; `None` is NULL. What is no document cannot be.
pub fn stored_attachments(attachments: &Stored<Vec<String>>) -> Result<Option<Json>, StoredValue> {
    match attachments {
        Stored::Known(texts) => Ok(Some(Json::from_value(&texts.as_slice().into()))),
        Stored::Other(StoredValue::Null) => Ok(None),
        Stored::Other(StoredValue::Text(text)) => Json::parse(text.as_str())
            .map(Some)
            .map_err(|_| StoredValue::Text(text.clone())),
        Stored::Other(other) => Err(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_read_whatever_stands_there() {
        let read = |text: &str| read_attachments(Some(&Json::from_trusted(text)));
        let known = |texts: &[&str]| Stored::Known(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(read_attachments(None), known(&[]));
        assert_eq!(read("null"), known(&[]));
        assert_eq!(read("[]"), known(&[]));
        assert_eq!(read(r#"["id1", "\u00e9"]"#), known(&["id1", "é"]));
        for odd in ["[1]", "{}", "\"a\"", "[null]", "no json"] {
            assert_eq!(read(odd), Stored::Other(StoredValue::Text(odd.to_owned())));
        }
    }

    #[test]
    fn attachments_come_back_as_they_were() {
        for attachments in [
            Stored::Known(vec![]),
            Stored::Known(vec!["file-id-1".to_owned(), "\"😀\u{0}".to_owned()]),
            Stored::Other(StoredValue::Text("{\"a\": 1}".to_owned())),
        ] {
            let stored = stored_attachments(&attachments).unwrap();
            assert_eq!(read_attachments(stored.as_ref()), attachments);
        }
        assert!(stored_attachments(&Stored::Other(StoredValue::Text("no json".to_owned()))).is_err());
        assert!(stored_attachments(&Stored::Other(StoredValue::Integer(1))).is_err());
    }
}
