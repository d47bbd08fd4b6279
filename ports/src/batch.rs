//! What every adapter does to a batch before it writes it.

use std::collections::BTreeMap;

/// Of several items with the same key the last one: what the batch itself would overwrite is not written, and so
/// cannot conflict. They come back in the order of their keys, so that two statements at once lock the same rows one
/// after the other, and not crosswise.
pub fn last_of_each<'a, T, K: Ord>(items: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let last: BTreeMap<K, &T> = items.iter().map(|item| (key(item), item)).collect();
    last.into_values().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_of_equals_stays_in_the_order_of_keys() {
        let items = [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("a", 5)];
        assert_eq!(
            super::last_of_each(&items, |(key, _)| *key),
            [&("a", 5), &("b", 3), &("c", 4)]
        );
    }
}
