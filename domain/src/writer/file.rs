//! What is known of uploaded files. Their bytes lie in a folder, each under its id.

use crate::stored::Stored;
use crate::time::Timestamp;

/// The types of content that can be uploaded. They are compared as they are written: another case is another type, and so is one
/// with parameters.
pub const UPLOAD_TYPES: [&str; 9] = [
    "application/json",
    "application/pdf",
    "audio/flac",
    "audio/mp3",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "text/plain",
];

/// What is known of an uploaded file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileMetadata {
    /// A UUID by the application's rule; any text in old files.
    pub id: String,
    /// As the client named it, folders and blanks included. No path on this machine is ever made of it.
    pub filename: String,
    /// Its type, as the client named it.
    pub content_type: String,
    /// Its length in bytes.
    pub size: Stored<i64>,
    /// When it was stored.
    pub created_at: Option<Stored<Timestamp>>,
}

/// The types of content that can be heard.
pub fn audio_types() -> impl Iterator<Item = &'static str> {
    UPLOAD_TYPES.into_iter().filter(|kind| kind.starts_with("audio/"))
}
