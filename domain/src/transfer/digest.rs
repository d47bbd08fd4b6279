//! Digests of rows that do not depend on their order, and what is collected while a table is scanned.
//!
//! A table is divided into buckets by a hash of each row's key (or of the whole row, where there is no key). Both sides put
//! equal keys into the same bucket whatever the order, the type or the collation in which their databases keep them, so each
//! side may be read in its own best order and in any number of parts. A bucket's digest is the number of its rows and the
//! sum of their hashes modulo 2²⁵⁶: a sum, because under exclusive-or a row and its double would cancel out.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::canonical::{Canonicaliser, Class, Form, Logical, Raw, Shown, is_null};
use crate::time::LegacyZone;

/// A table is divided into so many buckets.
pub const BUCKETS: usize = 4096;

/// Rows without regard to their order: how many, and the sum of their hashes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest {
    rows: u64,
    sum: [u64; 4],
}

impl Digest {
    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds the rows of another part.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.add(other.sum);
    }

    fn add_row(&mut self, hash: &[u8; 32]) {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        self.rows += 1;
        self.add(words);
    }

    /// Adds modulo 2²⁵⁶, the lowest word first.
    fn add(&mut self, words: [u64; 4]) {
        let mut carry = false;
        for (sum, word) in self.sum.iter_mut().zip(words) {
            let (partial, over) = sum.overflowing_add(word);
            let (total, over_again) = partial.overflowing_add(u64::from(carry));
            *sum = total;
            carry = over || over_again;
        }
    }
}

/// The sum, in 64 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum
            .iter()
            .rev()
            .try_for_each(|word| write!(f, "{word:016x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows, {self}", self.rows)
    }
}

/// What a table of a SQLite file holds in these columns, by storage class and bytes: the same as long as nobody changes a value of them.
/// What a later version of the schema adds is none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The columns.
    pub columns: Vec<String>,
    /// The digest of their rows, in 64 hexadecimal digits.
    pub digest: String,
}

/// The digest, a blank, and the columns as JSON.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.digest, serde_json::json!(self.columns))
    }
}

impl Content {
    /// Reads what [`Display`](fmt::Display) has written; none of what is something else, such as the digest of an earlier version.
    pub fn parse(text: &str) -> Option<Self> {
        let (digest, columns) = text.split_once(' ')?;
        Some(Self {
            columns: serde_json::from_str(columns).ok()?,
            digest: digest.to_owned(),
        })
    }
}

/// Half of a SHA-256: enough to tell rows and keys apart, and half the memory.
pub type Id = [u8; 16];

/// A row of a bucket that differs: its key and itself. A row without a key is its own.
pub type Entry = (Id, Id);

/// Rows by their keys that leave columns to the other side, which computes them.
pub type Left = HashMap<Id, Leaving>;

/// The rows of one key that leave columns to the other side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Which ones: a bit for each of [`RowShape::left`].
    columns: u64,
    /// How many rows; where they are looked for, how many are still to be found.
    pub rows: u64,
}

impl Leaving {
    fn add(&mut self, more: Self) {
        self.columns |= more.columns;
        self.rows += more.rows;
    }
}

/// Rows, equal ones once with their number: a table without a key may hold one row a million times.
#[derive(Debug, Default)]
pub struct Entries {
    rows: Vec<(Entry, u64)>,
    /// At so many rows it is worth looking for equal ones.
    full: usize,
}

impl Entries {
    /// Less is not worth the work.
    const FULL: usize = 1 << 16;

    pub(super) fn add(&mut self, entry: Entry) {
        self.rows.push((entry, 1));
        if self.rows.len() >= self.full.max(Self::FULL) {
            self.compact();
        }
    }

    /// Sorts, and makes one of equal rows.
    fn compact(&mut self) {
        self.rows.sort_unstable();
        self.rows.dedup_by(|next, kept| {
            let equal = next.0 == kept.0;
            if equal {
                kept.1 += next.1;
            }
            equal
        });
        self.full = 2 * self.rows.len();
    }

    fn merge(&mut self, other: Self) {
        self.rows.extend(other.rows);
        if self.rows.len() >= self.full.max(Self::FULL) {
            self.compact();
        }
    }

    /// The rows in order, each once with its number.
    pub fn into_sorted(mut self) -> Vec<(Entry, u64)> {
        self.compact();
        self.rows
    }
}

/// What a scan collects.
#[derive(Debug)]
pub enum Collector {
    /// The digest of each bucket.
    Digests(Vec<Digest>),
    /// The rows of some buckets.
    Entries {
        /// For each bucket whether its rows are wanted.
        wanted: Vec<bool>,
        /// Their rows.
        entries: Entries,
        /// Those among them that leave columns to the other side.
        left: Left,
    },
    /// Some rows in full.
    Details {
        /// Which ones, and how many of them are still wanted (equal rows have equal entries).
        wanted: HashMap<Entry, u64>,
        /// The rows found.
        rows: Vec<Detail>,
    },
}

impl Collector {
    /// Collects the digest of each bucket.
    pub fn digests() -> Self {
        Self::Digests(vec![Digest::default(); BUCKETS])
    }

    /// With what was collected from another part of the table; none if that is of another kind.
    pub fn merged(mut self, other: Self) -> Option<Self> {
        match (&mut self, other) {
            (Self::Digests(all), Self::Digests(part)) => {
                for (digest, part) in all.iter_mut().zip(&part) {
                    digest.merge(part);
                }
            }
            (
                Self::Entries {
                    entries: all,
                    left: all_left,
                    ..
                },
                Self::Entries { entries, left, .. },
            ) => {
                all.merge(entries);
                for (key, rows) in left {
                    all_left.entry(key).or_default().add(rows);
                }
            }
            (Self::Details { rows: all, .. }, Self::Details { rows, .. }) => all.extend(rows),
            _ => return None,
        }
        Some(self)
    }
}

/// A row in full, for the report.
#[derive(Debug, Clone)]
pub struct Detail {
    /// Which row it is.
    pub entry: Entry,
    /// Where its database keeps it: SQLite's rowid, PostgreSQL's ctid; where there is neither, its number in the scan.
    pub place: String,
    /// Its values in the order of the compared columns: what they are compared by, and what a person is shown.
    pub cells: Vec<(Id, Shown)>,
    /// Whether only its values together, or where it is kept, tell it apart.
    pub is_keyless: bool,
}

/// Is told from time to time how many more rows have been read, and their bytes.
#[derive(Clone)]
pub struct Tally(pub Arc<dyn Fn(u64, u64) + Send + Sync>);

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tally")
    }
}

/// A tally is told of so many rows at once.
const TALLY_ROWS: u64 = 4096;

/// Takes the values of one side's rows, one after the other, and gives them to a collector.
#[derive(Debug)]
pub struct RowReader {
    forms: Vec<Form>,
    key: Vec<usize>,
    skipped: HashSet<Vec<u8>>,
    canonicaliser: Canonicaliser,
    collector: Collector,
    /// The canonical values of the row so far, and where each ends.
    row: Vec<u8>,
    ends: Vec<usize>,
    /// The class of the value that comes next, if that is one of a mixed column.
    class: Option<Class>,
    /// Which columns may be left to the other side, and which ones this row leaves.
    left: Vec<LeftColumn>,
    row_left: u64,
    /// The rows of the other side that leave columns to this one, if there are any.
    left_to_us: Option<Arc<Mutex<Left>>>,
    /// Empty if nothing but all its values tells the row apart.
    key_bytes: Vec<u8>,
    is_keyless: bool,
    shown: Vec<Shown>,
    place: Option<String>,
    /// Which one the row is of those that are read, from 1.
    number: u64,
    tally: Option<Tally>,
    /// Rows and bytes that the tally has not been told of.
    untold: (u64, u64),
}

/// Rows are told apart by these columns; values are read in these forms.
#[derive(Debug, Clone)]
pub struct RowShape {
    /// The form of each compared column.
    pub forms: Vec<Form>,
    /// The columns of the key by their places; none if rows are told apart by all their values.
    pub key: Vec<usize>,
    /// The columns that one side computes and the other may leave to it.
    pub left: Vec<LeftColumn>,
    /// The zone of times without one.
    pub zone: LegacyZone,
}

/// A column that one side computes and the other may leave to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftColumn {
    /// Its place.
    pub at: usize,
    /// Whether NULL says so.
    pub by_null: bool,
}

impl RowReader {
    /// Reads rows of `shape`; rows whose key (of one column) is among `skipped` do not count.
    pub fn new(shape: &RowShape, skipped: &HashSet<String>, collector: Collector) -> Self {
        let mut canonicaliser = Canonicaliser::new(shape.zone.clone());
        let mut keys = HashSet::new();
        if let [place] = shape.key.as_slice()
            && let Some(form) = shape.forms.get(*place)
        {
            // The keys are written down as text, which is how SQLite's side of the pair is read.
            let written = Form {
                postgres: None,
                rendering: None,
                ..*form
            };
            for key in skipped {
                let mut bytes = Vec::new();
                let raw = key.parse().map_or(Raw::Text(key.as_bytes()), Raw::Integer);
                let raw = if form.logical == Logical::Integer {
                    raw
                } else {
                    Raw::Text(key.as_bytes())
                };
                canonicaliser.write(&written, raw, &mut bytes);
                keys.insert(bytes);
            }
        }
        Self {
            forms: shape.forms.clone(),
            key: shape.key.clone(),
            skipped: keys,
            canonicaliser,
            collector,
            row: Vec::new(),
            ends: Vec::new(),
            class: None,
            left: shape.left.clone(),
            row_left: 0,
            left_to_us: None,
            key_bytes: Vec::new(),
            is_keyless: false,
            shown: Vec::new(),
            place: None,
            number: 1,
            tally: None,
            untold: (0, 0),
        }
    }

    /// Tells `tally` of the rows.
    #[must_use]
    pub fn with_tally(mut self, tally: Tally) -> Self {
        self.tally = Some(tally);
        self
    }

    /// Takes columns for NULL where rows of the other side have left them to this one. Readers of parts of a table share them: a row that one
    /// has found is no other's.
    #[must_use]
    pub fn with_left(mut self, left: Option<Arc<Mutex<Left>>>) -> Self {
        self.left_to_us = left;
        self
    }

    fn tell(&mut self) {
        let (rows, bytes) = std::mem::take(&mut self.untold);
        if let Some(tally) = &self.tally {
            (tally.0)(rows, bytes);
        }
    }

    /// Takes the row's next value.
    pub fn value(&mut self, raw: Raw<'_>) {
        let Some(form) = self.forms.get(self.ends.len()) else {
            return;
        };
        let raw = match (form.has_class(), self.class.take(), raw) {
            (true, None, class) => {
                self.class = Some(Class::of(class));
                return;
            }
            (_, Some(class), Raw::Postgres(bytes)) => Raw::Mixed(class, bytes),
            (_, _, raw) => raw,
        };
        let start = self.row.len();
        self.canonicaliser.write(form, raw, &mut self.row);
        if matches!(self.collector, Collector::Details { .. }) {
            self.shown
                .push(Shown::of(raw, *form, self.row.get(start..).unwrap_or_default()));
        }
        if is_null(self.row.get(start..).unwrap_or_default()) {
            self.leave(true);
        }
        self.ends.push(self.row.len());
    }

    /// Takes NULL for the row's next value, which is not known here: if the other side computes it, it is left to it.
    pub fn unknown_value(&mut self) {
        self.leave(false);
        self.value(Raw::Null);
    }

    fn leave(&mut self, by_null: bool) {
        let at = self.ends.len();
        let mut columns = self.left.iter().enumerate();
        let left = columns.find(|(_, column)| column.at == at && (column.by_null || !by_null));
        self.row_left |= left.map_or(0, |(bit, _)| bit_of(bit));
    }

    /// The columns that a row of the other side with this key has left to this one, if there is such a row that none has been found for.
    fn take_left(&self) -> Option<u64> {
        let left = self.left_to_us.as_ref()?;
        let key = half(&Sha256::digest(&self.key_bytes).into());
        let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
        let found = left.get_mut(&key).filter(|found| found.rows > 0)?;
        found.rows -= 1;
        Some(found.columns)
    }

    /// Makes NULL of what the other side's row of this key has left to this one.
    fn forget_left(&mut self) {
        let Some(columns) = self.take_left() else {
            return;
        };
        let left = self.left.iter().enumerate();
        let left: Vec<usize> = left
            .filter(|(bit, _)| columns & bit_of(*bit) != 0)
            .map(|(_, column)| column.at)
            .collect();
        let mut row = Vec::with_capacity(self.row.len());
        let mut from = 0;
        for (at, (end, form)) in self.ends.iter_mut().zip(&self.forms).enumerate() {
            if left.contains(&at) {
                self.canonicaliser.write(form, Raw::Null, &mut row);
            } else {
                row.extend_from_slice(self.row.get(from..*end).unwrap_or_default());
            }
            from = std::mem::replace(end, row.len());
        }
        self.row = row;
    }

    /// Takes where the row is kept.
    pub fn place(&mut self, place: String) {
        self.place = Some(place);
    }

    /// The row's value of a column, in its bytes.
    fn bytes_of(&self, at: usize) -> &[u8] {
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let from = before.copied().unwrap_or(0);
        let to = self.ends.get(at).copied().unwrap_or(from);
        self.row.get(from..to).unwrap_or_default()
    }

    /// What tells the row apart. Any number of rows may have NULL in a key, so that it tells nothing apart then. Where columns can be left to
    /// the other side, it is all others together.
    fn key(&mut self) {
        let mut key = std::mem::take(&mut self.key_bytes);
        key.clear();
        self.is_keyless = self.key.is_empty() || self.key.iter().any(|at| is_null(self.bytes_of(*at)));
        if !self.is_keyless {
            for at in &self.key {
                key.extend_from_slice(self.bytes_of(*at));
            }
        } else if !self.left.is_empty() {
            for at in (0..self.ends.len()).filter(|at| !self.left.iter().any(|left| left.at == *at)) {
                key.extend_from_slice(self.bytes_of(at));
            }
        }
        self.key_bytes = key;
    }

    /// Ends the row.
    pub fn end_row(&mut self) {
        self.key();
        if self.skipped.is_empty() || !self.skipped.contains(&self.key_bytes) {
            self.collect();
        }
        self.untold.0 += 1;
        self.untold.1 += u64::try_from(self.row.len()).unwrap_or(0);
        if self.untold.0 == TALLY_ROWS {
            self.tell();
        }
        self.row.clear();
        self.row_left = 0;
        self.ends.clear();
        self.shown.clear();
        self.place = None;
        self.number += 1;
    }

    fn collect(&mut self) {
        self.forget_left();
        let hash: [u8; 32] = Sha256::digest(&self.row).into();
        let bucket = self.bucket(&hash);
        let key = &self.key_bytes;
        let entry = || {
            let row = half(&hash);
            let key = if key.is_empty() {
                row
            } else {
                half(&Sha256::digest(key).into())
            };
            (key, row)
        };
        match &mut self.collector {
            Collector::Digests(digests) => {
                if let Some(digest) = digests.get_mut(bucket) {
                    digest.add_row(&hash);
                }
            }
            Collector::Entries {
                wanted,
                entries,
                left,
            } => {
                if wanted.get(bucket) == Some(&true) {
                    let entry = entry();
                    entries.add(entry);
                    if self.row_left != 0 {
                        left.entry(entry.0).or_default().add(Leaving {
                            columns: self.row_left,
                            rows: 1,
                        });
                    }
                }
            }
            Collector::Details { wanted, rows } => {
                let entry = entry();
                let Some(count) = wanted.get_mut(&entry).filter(|count| **count > 0) else {
                    return;
                };
                *count -= 1;
                let mut from = 0;
                let ids = self.ends.iter().map(|end| {
                    let id = half(&Sha256::digest(self.row.get(from..*end).unwrap_or_default()).into());
                    from = *end;
                    id
                });
                let cells = ids.zip(self.shown.drain(..)).collect();
                rows.push(Detail {
                    entry,
                    place: self.place.take().unwrap_or_else(|| self.number.to_string()),
                    cells,
                    is_keyless: self.is_keyless,
                });
            }
        }
    }

    fn bucket(&self, hash: &[u8; 32]) -> usize {
        let number = if self.key_bytes.is_empty() {
            u64::from(u16::from_le_bytes([hash[30], hash[31]]))
        } else {
            // Fixed keys: both sides, and later scans, agree.
            let mut hasher = DefaultHasher::new();
            hasher.write(&self.key_bytes);
            hasher.finish()
        };
        usize::try_from(number % BUCKETS as u64).unwrap_or(0)
    }

    /// What was collected.
    pub fn finish(mut self) -> Collector {
        self.tell();
        self.collector
    }
}

/// More columns than there are bits are not left to anybody.
fn bit_of(number: usize) -> u64 {
    u32::try_from(number)
        .ok()
        .and_then(|number| 1_u64.checked_shl(number))
        .unwrap_or(0)
}

fn half(hash: &[u8; 32]) -> Id {
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: Form = Form {
        logical: Logical::Text,
        postgres: None,
        rendering: None,
        nulls: super::super::canonical::Nulls::NONE,
    };

    fn shape(key: &[usize]) -> RowShape {
        RowShape {
            forms: vec![TEXT, TEXT],
            key: key.to_vec(),
            left: vec![],
            zone: LegacyZone::utc(),
        }
    }

    #[test]
    fn a_content_is_read_as_it_was_written() {
        let content = Content {
            columns: vec!["id".to_owned(), "a, \"b\" c".to_owned()],
            digest: Digest::default().to_string(),
        };
        assert_eq!(Content::parse(&content.to_string()), Some(content));
        // What an earlier version has noted.
        assert_eq!(Content::parse(&Digest::default().to_string()), None);
    }

    fn digests(shape: &RowShape, skipped: &HashSet<String>, rows: &[(&str, &str)]) -> Vec<Digest> {
        let mut reader = RowReader::new(shape, skipped, Collector::digests());
        for (one, two) in rows {
            reader.value(Raw::Text(one.as_bytes()));
            reader.value(Raw::Text(two.as_bytes()));
            reader.end_row();
        }
        match reader.finish() {
            Collector::Digests(digests) => digests,
            other => panic!("{other:?}"),
        }
    }

    fn total(rows: &[(&str, &str)]) -> Digest {
        let mut total = Digest::default();
        for digest in digests(&shape(&[]), &HashSet::new(), rows) {
            total.merge(&digest);
        }
        total
    }

    #[test]
    fn the_order_does_not_count_and_everything_else_does() {
        let rows = [("a", "1"), ("b", "2"), ("c", "3")];
        let mut turned = rows;
        turned.reverse();
        assert_eq!(total(&rows), total(&turned));
        for other in [
            vec![("a", "1"), ("b", "2")],
            vec![("a", "1"), ("b", "2"), ("c", "3"), ("c", "3")],
            vec![("a", "2"), ("b", "1"), ("c", "3")],
            vec![("a1", ""), ("b", "2"), ("c", "3")],
            vec![("a", "1"), ("b", "2"), ("c", "3 ")],
        ] {
            assert_ne!(total(&rows), total(&other), "{other:?}");
        }
    }

    #[test]
    fn what_is_left_to_the_other_side_is_its_own_affair() {
        let left = |by_null| RowShape {
            left: vec![LeftColumn { at: 1, by_null }],
            ..shape(&[0])
        };
        let read = |shape: &RowShape, rows: &[(&str, Option<&str>)], left: Left| {
            let collector = Collector::Entries {
                wanted: vec![true; BUCKETS],
                entries: Entries::default(),
                left: Left::default(),
            };
            let mut reader =
                RowReader::new(shape, &HashSet::new(), collector).with_left(Some(Arc::new(Mutex::new(left))));
            for (one, two) in rows {
                reader.value(Raw::Text(one.as_bytes()));
                reader.value(two.map_or(Raw::Null, |two| Raw::Text(two.as_bytes())));
                reader.end_row();
            }
            match reader.finish() {
                Collector::Entries { entries, left, .. } => (entries.into_sorted(), left),
                other => panic!("{other:?}"),
            }
        };
        let (ours, of_ours) = read(
            &left(true),
            &[("a", None), ("b", Some("2")), ("c", None)],
            Left::default(),
        );
        assert_eq!(of_ours.len(), 2);
        let theirs = [("a", Some("1")), ("b", Some("2")), ("c", None)];
        assert_eq!(read(&left(false), &theirs, of_ours.clone()).0, ours);
        let other = [("a", Some("1")), ("b", Some("3")), ("c", None)];
        assert_ne!(read(&left(false), &other, of_ours).0, ours);
        // Where NULL is a value, nothing is left to anybody.
        assert_eq!(
            read(&left(false), &[("a", None)], Left::default()).1,
            Left::default()
        );
    }

    #[test]
    fn doubles_do_not_cancel_out() {
        let one = total(&[("a", "1")]);
        let mut twice = one;
        twice.merge(&one);
        assert_eq!(twice, total(&[("a", "1"), ("a", "1")]));
        assert_ne!(total(&[("a", "1"), ("a", "1")]), total(&[("b", "1"), ("b", "1")]));
    }

    #[test]
    fn a_key_decides_the_bucket() {
        let of = |rows: &[(&str, &str)]| {
            let digests = digests(&shape(&[0]), &HashSet::new(), rows);
            digests.iter().position(|digest| digest.rows() > 0)
        };
        assert_eq!(of(&[("a", "1")]), of(&[("a", "2")]));
        assert_ne!(of(&[("a", "1")]), of(&[("b", "1")]));
    }

    #[test]
    fn rows_to_be_skipped_do_not_count() {
        let skipped = HashSet::from(["b".to_owned()]);
        let with = digests(&shape(&[0]), &skipped, &[("a", "1"), ("b", "2")]);
        assert_eq!(with, digests(&shape(&[0]), &HashSet::new(), &[("a", "1")]));
    }

    #[test]
    fn the_sum_carries() {
        let mut digest = Digest {
            rows: 0,
            sum: [u64::MAX; 4],
        };
        digest.add([1, 0, 0, 0]);
        assert_eq!(digest.sum, [0; 4]);
        digest.add([u64::MAX, 7, 0, 0]);
        digest.add([1, u64::MAX, 0, 0]);
        assert_eq!(digest.sum, [0, 7, 1, 0]);
        assert_eq!(digest.to_string(), format!("{:032x}{:016x}{:016x}", 1, 7, 0));
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same(rows in proptest::collection::vec(("[ab]{0,2}", "[ab]{0,2}"), 0..12), turn in 0_usize..12) {
            let rows: Vec<_> = rows.iter().map(|(one, two)| (one.as_str(), two.as_str())).collect();
            let mut turned = rows.clone();
            turned.rotate_left(turn.min(rows.len()));
            prop_assert_eq!(total(&rows), total(&turned));
        }
    }
}
