//! Names in SQL.

use std::collections::{HashMap, HashSet};

/// A name as a quoted identifier of both dialects: the only way in which a name read from a database becomes SQL text.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names as a list of quoted identifiers.
pub fn quoted_list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| quoted(name.as_ref())).collect();
    names.join(", ")
}

/// What was noted under a name that is not there any more and is there under one that differs by the case of ASCII letters only, which is
/// the same to SQLite: by the name that it has now the one that was noted. Where there are several of either nobody can say which is which.
pub fn renamed_by_case<'n>(
    names: impl IntoIterator<Item = &'n str>,
    noted: impl IntoIterator<Item = &'n str>,
) -> HashMap<&'n str, &'n str> {
    let names: HashSet<&str> = names.into_iter().collect();
    let noted: HashSet<&str> = noted.into_iter().collect();
    let new = folded(names.difference(&noted));
    let gone = folded(noted.difference(&names));
    let pairs = new
        .iter()
        .filter_map(|(folded, new)| match (&new[..], &gone.get(folded)?[..]) {
            ([now], [was]) => Some((*now, *was)),
            _ => None,
        });
    pairs.collect()
}

/// Names by what SQLite takes them for.
fn folded<'a, 'n: 'a>(names: impl Iterator<Item = &'a &'n str>) -> HashMap<String, Vec<&'n str>> {
    let mut alike: HashMap<String, Vec<&str>> = HashMap::new();
    for name in names {
        alike.entry(name.to_ascii_lowercase()).or_default().push(name);
    }
    alike
}

/// What stands in quotes at the beginning of a text, doubled ones within it taken for one, and what comes behind it.
pub(super) fn in_quotes(text: &str, quote: char) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut rest = text.strip_prefix(quote)?;
    loop {
        let (part, behind) = rest.split_once(quote)?;
        inner.push_str(part);
        match behind.strip_prefix(quote) {
            Some(more) => {
                inner.push(quote);
                rest = more;
            }
            None => return Some((inner, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted(r#"a"; DROP TABLE b; --"#), r#""a""; DROP TABLE b; --""#);
        assert_eq!(quoted_list(["a b", "c\""]), r#""a b", "c""""#);
    }

    #[test]
    fn a_name_of_another_case_is_the_one_that_is_gone() {
        let found = renamed_by_case(["T", "u", "U", "Ab", "aB", "É"], ["t", "u", "ab", "é"]);
        assert_eq!(found, HashMap::from([("T", "t")]));
    }
}
