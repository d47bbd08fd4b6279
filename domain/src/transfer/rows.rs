//! Rows on their way from one database to another, many at a time and without an allocation per value.

use super::canonical::describe_sent;
use super::catalog::PgKind;
use super::outcome::Reject;
use super::value::Value;

#[derive(Debug, Clone, Copy)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Span),
    Blob(Span),
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

/// When a batch holds this many bytes it is full. One value may be larger than that.
pub const BATCH_BYTES: usize = 128 * 1024;
/// When a batch holds this many cells it is full.
const BATCH_CELLS: usize = 8 * 1024;

/// Rows of one table, in the order of the scan.
#[derive(Debug)]
pub struct RowBatch {
    columns: usize,
    first: u64,
    bytes: Vec<u8>,
    cells: Vec<Cell>,
    rowids: Vec<i64>,
    refused: Vec<Refused>,
    quarantined: bool,
}

/// A value that its source could not express by storage classes; its cell holds the raw bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The row within the batch.
    pub row: usize,
    /// The column within the row.
    pub column: usize,
    /// Why.
    pub reason: Reject,
}

impl RowBatch {
    /// An empty batch of rows of `columns` values; `first` is the number of rows that the scan gave before it.
    pub fn new(columns: usize, first: u64) -> Self {
        Self {
            columns,
            first,
            bytes: Vec::with_capacity(BATCH_BYTES + BATCH_BYTES / 4),
            cells: Vec::with_capacity(BATCH_CELLS + columns),
            rowids: Vec::new(),
            refused: Vec::new(),
            quarantined: false,
        }
    }

    /// Adds a value to the row being built.
    pub fn push(&mut self, value: Value<'_>) {
        match value {
            Value::Null => self.push_null(),
            Value::Integer(number) => self.push_integer(number),
            Value::Real(number) => self.push_real(number),
            Value::Text(bytes) => self.push_text(bytes),
            Value::Blob(bytes) => self.push_blob(bytes),
        }
    }

    /// Adds NULL to the row being built.
    pub fn push_null(&mut self) {
        self.cells.push(Cell::Null);
    }

    /// Adds an integer.
    pub fn push_integer(&mut self, value: i64) {
        self.cells.push(Cell::Integer(value));
    }

    /// Adds a real.
    pub fn push_real(&mut self, value: f64) {
        self.cells.push(Cell::Real(value));
    }

    /// Adds text.
    pub fn push_text(&mut self, bytes: &[u8]) {
        let span = self.keep(bytes);
        self.cells.push(Cell::Text(span));
    }

    /// Adds a blob.
    pub fn push_blob(&mut self, bytes: &[u8]) {
        let span = self.keep(bytes);
        self.cells.push(Cell::Blob(span));
    }

    /// Adds a value that cannot be expressed: its raw bytes, and why.
    pub fn push_refused(&mut self, bytes: &[u8], reason: Reject) {
        self.refuse(reason);
        self.push_blob(bytes);
    }

    /// Adds text that UTF-8 cannot express, as it is stored.
    pub fn push_refused_text(&mut self, bytes: &[u8]) {
        self.refuse(Reject::NotUtf8);
        self.push_text(bytes);
    }

    /// Says of the value that was added last that it cannot be expressed, if it is such a text.
    pub fn refuse_last_if(&mut self, such: impl FnOnce(Value<'_>) -> bool, reason: Reject) {
        let Some(cell) = self.cells.pop() else { return };
        let refused = matches!(cell, Cell::Text(span) if such(Value::Text(self.bytes_of(span))));
        match cell {
            Cell::Text(span) if refused => {
                self.refuse(reason);
                self.cells.push(Cell::Blob(span));
            }
            cell => self.cells.push(cell),
        }
    }

    fn bytes_of(&self, span: Span) -> &[u8] {
        let start = usize::try_from(span.start).unwrap_or(usize::MAX);
        let length = usize::try_from(span.length).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(start..start.saturating_add(length));
        bytes.unwrap_or_default()
    }

    fn refuse(&mut self, reason: Reject) {
        let at = self.cells.len();
        self.refused.push(Refused {
            row: at / self.columns.max(1),
            column: at % self.columns.max(1),
            reason,
        });
    }

    /// Names the row that has just been built; a scan names all its rows or none.
    pub fn set_rowid(&mut self, rowid: i64) {
        self.rowids.push(rowid);
    }

    fn keep(&mut self, bytes: &[u8]) -> Span {
        // SQLite's and PostgreSQL's values are below 2 GiB, and a batch is full long before it holds two such.
        let start = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        Span { start, length }
    }

    /// Notes that the rows come from the source's quarantine.
    pub fn set_quarantined(&mut self) {
        self.quarantined = true;
    }

    /// Whether the rows come from the source's quarantine.
    pub fn is_quarantined(&self) -> bool {
        self.quarantined
    }

    /// Whether it is time for the next batch.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES || self.cells.len() >= BATCH_CELLS
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.cells.len() / self.columns.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The number of rows that the scan gave before this batch.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Bytes of text and blobs, and eight for every other value.
    pub fn size(&self) -> u64 {
        u64::try_from(self.bytes.len() + 8 * self.cells.len()).unwrap_or(u64::MAX)
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        // A table without columns does not exist in either database.
        self.cells
            .chunks_exact(self.columns.max(1))
            .enumerate()
            .map(|(at, cells)| Row {
                batch: self,
                cells,
                at,
            })
    }

    /// Whether the source could not express this value.
    pub fn refuses(&self, row: Row<'_>, column: usize) -> bool {
        self.refused
            .iter()
            .any(|refused| (refused.row, refused.column) == (row.at(), column))
    }

    /// The values that the source could not express, in order.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }
}

/// A row of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    batch: &'a RowBatch,
    cells: &'a [Cell],
    at: usize,
}

impl<'a> Row<'a> {
    /// The value of a column; NULL beyond the last.
    pub fn value(&self, column: usize) -> Value<'a> {
        match self.cells.get(column) {
            None | Some(Cell::Null) => Value::Null,
            Some(Cell::Integer(value)) => Value::Integer(*value),
            Some(Cell::Real(value)) => Value::Real(*value),
            Some(Cell::Text(span)) => Value::Text(self.bytes(*span)),
            Some(Cell::Blob(span)) => Value::Blob(self.bytes(*span)),
        }
    }

    /// A value for a message; one that its source could not express by what its bytes say, if they are printable or of this type of
    /// PostgreSQL.
    pub fn describe(&self, column: usize, kind: Option<PgKind>) -> String {
        match (self.value(column), kind) {
            (Value::Blob(bytes), kind) if self.batch.refuses(*self, column) => match kind {
                _ if is_printable(bytes) => Value::Text(bytes).describe(),
                Some(kind) => describe_sent(bytes, kind),
                None => Value::Blob(bytes).describe(),
            },
            (value, _) => value.describe(),
        }
    }

    /// All values.
    pub fn values(self) -> impl Iterator<Item = Value<'a>> {
        (0..self.cells.len()).map(move |column| self.value(column))
    }

    /// Its place within the batch.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Its place in the scan of the table, from 0.
    pub fn ordinal(&self) -> u64 {
        self.batch.first + u64::try_from(self.at).unwrap_or(u64::MAX)
    }

    /// Its rowid, if the scan names rows so.
    pub fn rowid(&self) -> Option<i64> {
        self.batch.rowids.get(self.at).copied()
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        self.batch.bytes_of(span)
    }
}

fn is_printable(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(char::is_control))
}

/// A fingerprint of bytes and values in their order: two with the same one were the same by storage class and bytes, but for chance (one in
/// 2⁶⁴ or so). It tells whether a source has changed, and is no defence against someone who wants it to seem unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Default for Fingerprint {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Fingerprint {
    /// Adds the values of a row.
    fn add_row(&mut self, row: Row<'_>) {
        for cell in row.cells {
            match *cell {
                Cell::Null => self.mix(0, 1),
                Cell::Integer(value) => self.mix(value.cast_unsigned(), 2),
                Cell::Real(value) => self.mix(value.to_bits(), 3),
                Cell::Text(span) => {
                    self.mix(u64::from(span.length), 4);
                    self.add_bytes(row.bytes(span));
                }
                Cell::Blob(span) => {
                    self.mix(u64::from(span.length), 5);
                    self.add_bytes(row.bytes(span));
                }
            }
        }
    }

    /// Adds bytes.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let (pairs, rest) = bytes.as_chunks::<16>();
        for pair in pairs {
            self.mix_pair(pair, 6);
        }
        let mut last = [0_u8; 16];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.mix_pair(&last, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    }

    fn mix_pair(&mut self, pair: &[u8; 16], salt: u64) {
        let (words, _) = pair.as_chunks();
        if let [word, other] = words {
            self.mix_both(u64::from_le_bytes(*word), u64::from_le_bytes(*other), salt);
        }
    }

    fn mix(&mut self, word: u64, salt: u64) {
        self.mix_both(word, 0, salt);
    }

    /// A multiplication to 128 bits, folded: every bit of the input reaches every bit of the state.
    fn mix_both(&mut self, word: u64, other: u64, salt: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(other ^ 0xa076_1d64_78bd_642f ^ (salt << 1));
        let bytes = product.to_le_bytes();
        let (halves, _) = bytes.as_chunks::<8>();
        // The state is added back, so that a product of zero does not forget what came before.
        self.0 = halves.iter().fold(self.0.rotate_left(23), |state, half| {
            state ^ u64::from_le_bytes(*half)
        });
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The sum of the fingerprints of rows, each with its rowid, or with its place where it has none: parts of a table can be read in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContentSum(u64);

impl ContentSum {
    /// Adds a row.
    pub fn add(&mut self, row: Row<'_>) {
        let place = row.rowid().map_or(row.ordinal(), i64::cast_unsigned);
        let mut fingerprint = Fingerprint::default();
        fingerprint.mix(place, 7);
        fingerprint.add_row(row);
        self.0 = self.0.wrapping_add(fingerprint.0);
    }

    /// Adds another part.
    pub fn merge(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// For a fingerprint of more than the rows.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(values: &[Value<'_>]) -> RowBatch {
        let mut batch = RowBatch::new(values.len(), 10);
        for value in values {
            batch.push(*value);
        }
        batch
    }

    #[test]
    fn a_batch_gives_back_what_it_was_given() {
        let values = [
            Value::Null,
            Value::Integer(-1),
            Value::Real(-0.0),
            Value::Text(b"a\0"),
            Value::Blob(b""),
        ];
        let batch = batch(&values);
        assert_eq!(batch.len(), 1);
        let row = batch.rows().next().unwrap();
        assert_eq!(row.values().collect::<Vec<_>>(), values);
        assert_eq!(row.ordinal(), 10);
        assert_eq!(row.value(9), Value::Null);
    }

    #[test]
    fn one_changed_bit_changes_the_sum() {
        let of = |values: &[Value<'_>]| {
            let mut sum = ContentSum::default();
            batch(values).rows().for_each(|row| sum.add(row));
            sum
        };
        let all = [
            of(&[Value::Null]),
            of(&[Value::Integer(0)]),
            of(&[Value::Real(0.0)]),
            of(&[Value::Real(-0.0)]),
            of(&[Value::Text(b"")]),
            of(&[Value::Blob(b"")]),
            of(&[Value::Text(b"a")]),
            of(&[Value::Text(b"a\0")]),
            of(&[Value::Text(b"a"), Value::Text(b"b")]),
            of(&[Value::Text(b"ab"), Value::Text(b"")]),
            of(&[Value::Text(b"aaaaaaaab")]),
            of(&[Value::Text(b"aaaaaaaac")]),
            of(&[Value::Text(b"aaaaaaaabbbbbbbb")]),
            of(&[Value::Text(b"bbbbbbbbaaaaaaaa")]),
            of(&[Value::Text(b"aaaaaaaabbbbbbbb\0")]),
            of(&[Value::Text(b"aaaaaaaabbbbbbbc")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
    }
}
