//! Lists that are gone through by places, whatever their keys hold.

/// What was found of a list, each with its place: the items, and the place behind which to go on, if `limit` was the reason to stop.
pub fn up_to_here<P, T>(found: impl IntoIterator<Item = (P, T)>, limit: u32) -> (Vec<T>, Option<P>) {
    let (mut places, items): (Vec<P>, Vec<T>) = found.into_iter().unzip();
    let is_full = items.len() == limit as usize;
    (items, places.pop().filter(|_| is_full))
}

#[cfg(test)]
mod tests {
    use super::up_to_here;

    #[test]
    fn a_full_page_has_a_next_one() {
        let found = [("61".to_owned(), 'a'), ("62".to_owned(), 'b')];
        assert_eq!(up_to_here(found.clone(), 3), (vec!['a', 'b'], None));
        assert_eq!(up_to_here(found, 2), (vec!['a', 'b'], Some("62".to_owned())));
        assert_eq!(up_to_here::<String, char>([], 0), (vec![], None));
    }
}
