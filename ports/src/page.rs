//! Pages of a list.

/// Which part of a list is wanted. The bounds on `limit` are the caller's interface, not the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many items.
    pub limit: u32,
    /// After skipping this many.
    pub offset: u64,
}

/// A part of a list, and how long the list is.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items, in the order of the method that returned them. Empty past the end.
    pub items: Vec<T>,
    /// The number of items in the whole list.
    pub total: u64,
}

impl<T> Page<T> {
    /// The same page with each item changed.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            total: self.total,
        }
    }
}

impl PageRequest {
    /// The first `limit` items.
    pub fn first(limit: u32) -> Self {
        Self { limit, offset: 0 }
    }

    /// Whether items follow this page in a list of `total`.
    pub fn has_next(&self, total: u64) -> bool {
        self.offset.saturating_add(u64::from(self.limit)) < total
    }
}
