//! Text of somebody else's on a person's terminal.

/// Text with names and SQL of somebody else's, for a terminal: what would move its cursor or set its colours is spelled out.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// The same as one line.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_moves_no_cursor() {
        assert_eq!(
            printable("a\u{1b}[2J\r é😀\n\tb\0"),
            "a\\u{1b}[2J\\r é😀\n\tb\\u{0}"
        );
        assert_eq!(one_line("a\nb"), "a\\nb");
    }
}
