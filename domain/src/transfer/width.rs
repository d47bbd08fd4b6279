//! How much of a page of PostgreSQL a row takes at least. A row does not go over a page; its long values do, to a place of their own.

use super::catalog::{ColumnKind, Engine, PgKind};
use super::plan::TablePlan;

/// Rows of less columns fit a page in any case: a number with what aligns it, a short text, or a pointer to a long one, takes at most 24 bytes.
const WIDE: usize = 336;
/// What a row may take in a page.
const ROW_BYTES_MAX: usize = 8_160;
/// A row's header, without what tells of its NULLs.
const HEADER: usize = 23;
/// Values of more bytes can be compressed, or kept elsewhere, with a pointer in the row: those that take more than 24 with their length.
const IN_ROW_MAX: usize = 23;
const POINTER: usize = 18;
/// Compression has no use for less, and leaves no less of more.
const COMPRESSED_FROM: usize = 32;
const COMPRESSED: usize = 12;

/// The rows of one table.
#[derive(Debug, Clone)]
pub(super) struct RowWidth {
    /// What the fields of a row are whose types are known, in the order of a COPY.
    kinds: Vec<PgKind>,
    /// At least so many columns the table has.
    columns: usize,
    /// Whether the columns lie in the order in which their values come, so that it is known what aligns them.
    is_in_order: bool,
}

impl RowWidth {
    /// None if every row fits.
    pub(super) fn of(plan: &TablePlan) -> Option<Self> {
        if plan.engine != Engine::Postgres || plan.target_columns().len() < WIDE {
            return None;
        }
        let kinds = plan.columns.iter().flat_map(|column| {
            let kind = match &column.kind {
                Some(ColumnKind::Postgres(kind)) => Some(kind.kind),
                Some(ColumnKind::Sqlite { .. }) | None => None,
            };
            let class = column.class_column.as_ref().map(|_| PgKind::Text);
            kind.into_iter().chain(class)
        });
        Some(Self {
            kinds: kinds.collect(),
            columns: plan.target_columns().len() + plan.computed.len(),
            is_in_order: plan.created,
        })
    }

    /// Whether a row fits, in the form of a binary COPY. It is told of a row only if it certainly does not: what compression leaves of a
    /// value, and what the server puts into columns that are not given, only the server can say.
    pub(super) fn fits(&self, row: &[u8]) -> bool {
        let has_null = Fields::of(row).any(|field| field.is_none());
        let nulls = if has_null { self.columns.div_ceil(8) } else { 0 };
        let mut end = aligned(HEADER + nulls, 8);
        for (kind, field) in self.kinds.iter().zip(Fields::of(row)) {
            let Some(field) = field else { continue };
            end = match stored(*kind, field) {
                Stored::Fixed { bytes, align } if self.is_in_order => aligned(end, align) + bytes,
                Stored::Fixed { bytes, .. } => end + bytes,
                Stored::Varying(bytes) => end + varying(bytes),
            };
        }
        aligned(end, 8) <= ROW_BYTES_MAX
    }
}

/// How a value lies in a row.
enum Stored {
    Fixed {
        bytes: usize,
        align: usize,
    },
    /// So many bytes at least, beside their length.
    Varying(usize),
}

fn stored(kind: PgKind, field: &[u8]) -> Stored {
    let fixed = |bytes, align| Stored::Fixed { bytes, align };
    match kind {
        PgKind::Bool => fixed(1, 1),
        PgKind::Int2 => fixed(2, 2),
        PgKind::Int4 | PgKind::Float4 | PgKind::Date => fixed(4, 4),
        PgKind::Int8 | PgKind::Float8 | PgKind::Timestamptz(_) | PgKind::Timestamp(_) | PgKind::Time(_) => {
            fixed(8, 8)
        }
        PgKind::Uuid => fixed(16, 1),
        PgKind::Text | PgKind::Name | PgKind::Varchar(_) | PgKind::Bytea | PgKind::Json => {
            Stored::Varying(field.len())
        }
        // What is beyond its length is cut, if it is blanks.
        PgKind::Char(_) => Stored::Varying(field.trim_ascii_end().len()),
        // The digits by four, without noughts at either end, and two bytes for the rest.
        PgKind::Numeric(_) => {
            let (digits, _) = field.get(8..).unwrap_or_default().as_chunks::<2>();
            let is_nought = |digit: &&[u8; 2]| **digit == [0, 0];
            let leading = digits.iter().take_while(is_nought).count();
            let trailing = digits.iter().rev().take_while(is_nought).count();
            Stored::Varying(2 + 2 * digits.len().saturating_sub(leading + trailing))
        }
        // An empty object.
        PgKind::Jsonb => Stored::Varying(4),
        PgKind::Other => Stored::Varying(0),
    }
}

/// The least that so many bytes of varying length come to.
fn varying(bytes: usize) -> usize {
    match bytes {
        0..=IN_ROW_MAX => 1 + bytes,
        COMPRESSED_FROM.. => COMPRESSED,
        _ => POINTER,
    }
}

fn aligned(at: usize, to: usize) -> usize {
    at.next_multiple_of(to)
}

/// The fields of a row of binary COPY; None is NULL.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(row: &'a [u8]) -> Self {
        // Before them stands how many they are.
        Self(row.get(2..).unwrap_or_default())
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.0 = rest;
            return Some(None);
        };
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(kinds: &[PgKind], columns: usize, fields: &[Option<Vec<u8>>]) -> bool {
        let mut row = vec![0, 0];
        for field in fields {
            match field {
                None => row.extend((-1_i32).to_be_bytes()),
                Some(bytes) => {
                    row.extend(i32::try_from(bytes.len()).unwrap().to_be_bytes());
                    row.extend(bytes);
                }
            }
        }
        let width = RowWidth {
            kinds: kinds.to_vec(),
            columns,
            is_in_order: true,
        };
        width.fits(&row)
    }

    /// How many columns of this kind, with this value in each, fit.
    fn most(kind: PgKind, bytes: usize) -> usize {
        let fit = |count: &usize| fits(&vec![kind; *count], *count, &vec![Some(vec![7; bytes]); *count]);
        (1..=1_600).take_while(fit).last().unwrap()
    }

    #[test]
    fn as_many_values_fit_as_postgresql_takes() {
        assert_eq!(most(PgKind::Int8, 8), 1_017);
        assert_eq!(most(PgKind::Int4, 4), 1_600);
        assert_eq!(most(PgKind::Uuid, 16), 508);
        assert_eq!(most(PgKind::Text, 15), 508);
        assert_eq!(most(PgKind::Text, 20), 387);
        assert_eq!(most(PgKind::Text, 23), 339);
        assert_eq!(most(PgKind::Text, 24), 452);
        assert_eq!(most(PgKind::Bytea, 1_000), 678);
        // 1 and the like: two bytes beside one digit, and a length.
        assert_eq!(most(PgKind::Numeric(None), 10), 1_600);
    }

    #[test]
    fn numbers_are_aligned_and_nulls_are_noted() {
        let pairs = |count: usize| {
            let kinds = [PgKind::Bool, PgKind::Int8].repeat(count);
            let values = vec![[Some(vec![1]), Some(vec![0; 8])]; count].concat();
            (kinds, values)
        };
        let (kinds, values) = pairs(508);
        assert!(fits(&kinds, kinds.len(), &values));
        let (kinds, values) = pairs(509);
        assert!(!fits(&kinds, kinds.len(), &values));
        let (kinds, mut values) = (vec![PgKind::Int8; 1_017], vec![Some(vec![0; 8]); 1_017]);
        // To tell of one NULL takes the place of sixteen numbers.
        values[..15].fill(None);
        assert!(!fits(&kinds, kinds.len(), &values));
        values[15] = None;
        assert!(fits(&kinds, kinds.len(), &values));
    }
}
