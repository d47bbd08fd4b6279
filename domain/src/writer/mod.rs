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

/// Whether the original reads `text` as a UUID: in braces or not, with or without `urn:uuid:`, 32 characters besides hyphens, and these a
/// hexadecimal number as Python reads one, which may have blanks around it, a sign, `0x`, and single `_` between its digits. A digit of
/// any script counts; std tells them from other numerals (`½`) no further than that.
pub fn is_uuid(text: &str) -> bool {
    let text = text.replace("urn:", "").replace("uuid:", "");
    let text = text.trim_matches(['{', '}']).replace('-', "");
    let number = text.trim();
    let number = number.strip_prefix('+').unwrap_or(number);
    let marked = number.strip_prefix("0x").or_else(|| number.strip_prefix("0X"));
    let digits = marked.map_or(number, |digits| digits.strip_prefix('_').unwrap_or(digits));
    let is_digit = |digit: char| digit.is_ascii_hexdigit() || (!digit.is_ascii() && digit.is_numeric());
    let are_digits = |digits: &str| !digits.is_empty() && digits.chars().all(is_digit);
    text.chars().count() == 32 && digits.split('_').all(are_digits)
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
            "0x000000-0000-4000-8000-000000000000",
            "0X_00000-0000-4000-8000-000000000000",
            "+1234567-89ab-cdef-0123-456789abcdef",
            "0_234567-89ab-cdef-0123-456789abcd_f",
            " 1234567-89ab-cdef-0123-456789abcde\u{a0}",
            "٠١٢٣٤٥٦٧-89ab-cdef-0123-456789abcde९",
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
            "éééééééééééééééééééééééééééééééé",
            "++234567-89ab-cdef-0123-456789abcdef",
            "+ 234567-89ab-cdef-0123-456789abcdef",
            "_1234567-89ab-cdef-0123-456789abcdef",
            "01234567-89ab-cdef-0123-456789abcde_",
            "0__34567-89ab-cdef-0123-456789abcdef",
            "0x0x4567-89ab-cdef-0123-456789abcdef",
            "                                ",
        ] {
            assert!(!is_uuid(other), "{other}");
        }
    }
}
