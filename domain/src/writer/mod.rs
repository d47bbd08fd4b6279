//! silmari-writer: conversations with their messages, and what is known of uploaded files.

pub mod conversation;
pub mod file;

/// `hex`, 32 hexadecimal digits, as the application writes a UUID.
pub fn uuid_text(hex: &str) -> String {
    let mut text = hex.to_owned();
    for at in [20, 16, 12, 8] {
        if text.is_char_boundary(at) && at < text.len() {
            text.insert(at, '-');
        }
    }
    text
}

/// Whether the original reads `text` as a UUID: 32 hexadecimal digits with hyphens anywhere or nowhere, in braces or not, with
/// or without `urn:uuid:`.
pub fn is_uuid(text: &str) -> bool {
    let text = text.replace("urn:", "").replace("uuid:", "");
    let digits = text.trim_matches(['{', '}']).replace('-', "");
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_stand_where_a_uuid_has_them() {
        let text = uuid_text("0123456789abcdef0123456789abcdef");
        assert_eq!(text, "01234567-89ab-cdef-0123-456789abcdef");
        assert!(is_uuid(&text));
        assert_eq!(uuid_text("short"), "short");
    }

    #[test]
    fn uuids_are_read_as_leniently_as_the_original_does() {
        for uuid in [
            "01234567-89ab-cdef-0123-456789abcdef",
            "0123456789ABCDEF0123456789ABCDEF",
            "{01234567-89ab-cdef-0123-456789abcdef}",
            "urn:uuid:01234567-89ab-cdef-0123-456789abcdef",
            "0-1-2-3456789abcdef0123456789abcdef-",
        ] {
            assert!(is_uuid(uuid), "{uuid}");
        }
        for other in [
            "",
            "not-a-uuid",
            "01234567-89ab-cdef-0123-456789abcde",
            "g1234567-89ab-cdef-0123-456789abcdef",
            "01234567-89ab-cdef-0123-456789abcdef0",
            "ééééééééééééééééé",
        ] {
            assert!(!is_uuid(other), "{other}");
        }
    }
}
