//! Which rows differ, and the report of a verification.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::canonical::Shown;
use super::digest::{Detail, Entries, Entry, Id};

/// What is said of a pair of tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableReport {
    /// The table in the source.
    pub name: String,
    /// The table in the target; none if there is none.
    pub target: Option<String>,
    /// Rows of the source.
    pub rows_source: u64,
    /// Rows of the target.
    pub rows_target: u64,
    /// The first rows that only the source has.
    pub missing: Vec<RowReport>,
    /// The first rows that only the target has.
    pub extra: Vec<RowReport>,
    /// The first rows whose values differ.
    pub different: Vec<RowReport>,
    /// How many of each there are.
    pub counts: Counts,
    /// What is wrong besides: no such table, a column on one side only that holds values.
    pub problems: Vec<String>,
    /// Why there was nothing to compare: one side has no such table, and the other one's has no rows.
    pub lack: Option<String>,
    /// What is worth knowing and not wrong besides.
    pub notes: Vec<String>,
    /// The same comparison with the rows that the target keeps in quarantine taken as rows of its table, if it differs without them.
    pub with_quarantine: Option<Box<TableReport>>,
    /// The digest of the rows, if both sides have the same.
    pub digest: Option<String>,
    /// Seconds it took.
    pub seconds: f64,
}

/// How many rows differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// In the source only.
    pub missing: u64,
    /// In the target only.
    pub extra: u64,
    /// In both, with other values.
    pub different: u64,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct RowReport {
    /// Its key by column; in a table without a key, where its database keeps it.
    pub key: Vec<(String, Shown)>,
    /// The columns that differ.
    pub columns: Vec<CellReport>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct CellReport {
    /// The column.
    pub column: String,
    /// The value of the source.
    pub source: Shown,
    /// The value of the target.
    pub target: Shown,
}

impl TableReport {
    /// Whether both sides hold the same.
    pub fn equal(&self) -> bool {
        self.counts == Counts::default() && self.problems.is_empty() && self.rows_source == self.rows_target
    }

    /// For a machine. Values are left out unless asked for: they may be private.
    pub fn to_json(&self, show_values: bool) -> Value {
        let rows =
            |rows: &[RowReport]| -> Vec<Value> { rows.iter().map(|row| row.to_json(show_values)).collect() };
        let notes: Vec<&String> = self.lack.iter().chain(&self.notes).collect();
        let mut report = json!({
            "name": self.name,
            "target": self.target,
            "rows_source": self.rows_source,
            "rows_target": self.rows_target,
            "equal": self.equal(),
            "missing": rows(&self.missing),
            "extra": rows(&self.extra),
            "different": rows(&self.different),
            "counts": self.counts,
            "problems": self.problems,
            "notes": notes,
            "digest": self.digest,
            "seconds": self.seconds,
        });
        if let Some(whole) = &self.with_quarantine {
            report["with_quarantine"] = json!({
                "equal": whole.equal(),
                "missing": rows(&whole.missing),
                "extra": rows(&whole.extra),
                "different": rows(&whole.different),
                "counts": whole.counts,
            });
        }
        report
    }
}

impl RowReport {
    fn to_json(&self, show_values: bool) -> Value {
        let key: Map<String, Value> = self
            .key
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mut row = Map::from_iter([("key".to_owned(), Value::Object(key))]);
        if !self.columns.is_empty() {
            let names: Vec<&str> = self.columns.iter().map(|cell| cell.column.as_str()).collect();
            row.insert("columns".to_owned(), json!(names));
        }
        if show_values && !self.columns.is_empty() {
            let values = self.columns.iter().map(|cell| {
                (
                    cell.column.clone(),
                    json!({ "source": cell.source, "target": cell.target }),
                )
            });
            row.insert("values".to_owned(), Value::Object(values.collect()));
        }
        Value::Object(row)
    }
}

/// Rows of differing buckets, matched: all are counted, the first ones kept.
#[derive(Debug, Default, PartialEq)]
pub struct Matched {
    /// How many there are.
    pub counts: Counts,
    /// Source rows whose key the target lacks.
    pub missing: Vec<Entry>,
    /// Target rows whose key the source lacks.
    pub extra: Vec<Entry>,
    /// Rows with the same key and other values: source and target.
    pub different: Vec<(Entry, Entry)>,
}

impl Matched {
    /// Adds the rows of more buckets, of each kind only as many as `room` has place for.
    ///
    /// Rows are matched by key. Keys may come more than once (doubled rows): equal rows are paired first, then what is left over,
    /// one with one.
    pub fn add(&mut self, source: Entries, target: Entries, room: usize) {
        let (source, target) = (source.into_sorted(), target.into_sorted());
        let (mut source, mut target) = (source.as_slice(), target.as_slice());
        while let Some(key) = [source.first(), target.first()]
            .into_iter()
            .flatten()
            .map(|(entry, _)| entry.0)
            .min()
        {
            let (ours, rest) = split_key(source, key);
            source = rest;
            let (theirs, rest) = split_key(target, key);
            target = rest;
            self.add_key(without_equal(ours, theirs), room);
        }
    }

    /// Rows of one key.
    fn add_key(&mut self, (ours, theirs): (Vec<Counted>, Vec<Counted>), room: usize) {
        let count = |rows: &[Counted]| rows.iter().map(|row| row.1).sum::<u64>();
        let (our_count, their_count) = (count(&ours), count(&theirs));
        let pairs = our_count.min(their_count);
        self.counts.different += pairs;
        self.counts.missing += our_count - pairs;
        self.counts.extra += their_count - pairs;
        let mut ours = ours.into_iter().flat_map(each);
        let mut theirs = theirs.into_iter().flat_map(each);
        // Rows that are paired but no longer named are passed over, for they are not alone.
        let mut paired = 0;
        while paired < pairs && self.different.len() < room {
            self.different.extend(ours.next().zip(theirs.next()));
            paired += 1;
        }
        let passed = usize::try_from(pairs - paired).unwrap_or(usize::MAX);
        let left = |kept: &[Entry]| room.saturating_sub(kept.len());
        self.missing.extend(ours.skip(passed).take(left(&self.missing)));
        self.extra.extend(theirs.skip(passed).take(left(&self.extra)));
    }
}

/// A row, and how often it is there.
type Counted = (Entry, u64);

fn each((entry, count): Counted) -> impl Iterator<Item = Entry> {
    std::iter::repeat_n(entry, usize::try_from(count).unwrap_or(usize::MAX))
}

fn split_key(entries: &[Counted], key: Id) -> (&[Counted], &[Counted]) {
    entries.split_at(entries.iter().take_while(|(entry, _)| entry.0 == key).count())
}

/// Two sorted lists without what they have in common.
fn without_equal(ours: &[Counted], theirs: &[Counted]) -> (Vec<Counted>, Vec<Counted>) {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    let (mut ours, mut theirs) = (ours, theirs);
    loop {
        match (ours.split_first(), theirs.split_first()) {
            (Some((a, rest)), Some((b, others))) if a.0 == b.0 => {
                let common = a.1.min(b.1);
                if a.1 > common {
                    one.push((a.0, a.1 - common));
                }
                if b.1 > common {
                    other.push((b.0, b.1 - common));
                }
                (ours, theirs) = (rest, others);
            }
            (Some((a, rest)), Some((b, _))) if a.0 < b.0 => {
                one.push(*a);
                ours = rest;
            }
            (_, Some((b, others))) => {
                other.push(*b);
                theirs = others;
            }
            (Some((a, rest)), None) => {
                one.push(*a);
                ours = rest;
            }
            (None, None) => return (one, other),
        }
    }
}

/// Details by the row they are of.
#[derive(Debug, Default)]
pub struct Details(HashMap<Entry, Vec<Detail>>);

impl Details {
    /// Of a scan's rows.
    pub fn new(rows: Vec<Detail>) -> Self {
        let mut details: HashMap<Entry, Vec<Detail>> = HashMap::new();
        for row in rows {
            details.entry(row.entry).or_default().push(row);
        }
        Self(details)
    }

    fn take(&mut self, entry: Entry) -> Option<Detail> {
        self.0.get_mut(&entry)?.pop()
    }
}

/// The compared columns of a table and its key among them.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The names in the source, in the order of a detail's cells.
    pub names: Vec<String>,
    /// The places of the key's columns.
    pub key: Vec<usize>,
    /// What the place of a row without a key is called in the source and in the target (`rowid`, `ctid`).
    pub places: (String, String),
}

/// Puts the matched rows into the report, with names and columns.
pub fn describe(
    report: &mut TableReport,
    columns: &Columns,
    matched: &Matched,
    mut source: Details,
    mut target: Details,
) {
    for (ours, theirs) in &matched.different {
        if let (Some(ours), Some(theirs)) = (source.take(*ours), target.take(*theirs)) {
            report.different.push(columns.different(&ours, &theirs));
        }
    }
    let mut missing: Vec<Detail> = matched
        .missing
        .iter()
        .filter_map(|entry| source.take(*entry))
        .collect();
    let mut extra: Vec<Detail> = matched
        .extra
        .iter()
        .filter_map(|entry| target.take(*entry))
        .collect();
    pair_alike(report, columns, &mut missing, &mut extra);
    report
        .missing
        .extend(missing.iter().map(|row| columns.alone(row, &columns.places.0)));
    report
        .extra
        .extend(extra.iter().map(|row| columns.alone(row, &columns.places.1)));
}

/// Of rows without a key a changed value is a row missing and another one too many. Where such two agree in most of their columns
/// they are told as one row that differs.
fn pair_alike(
    report: &mut TableReport,
    columns: &Columns,
    missing: &mut Vec<Detail>,
    extra: &mut Vec<Detail>,
) {
    let alike = |one: &Detail, other: &Detail| {
        one.cells
            .iter()
            .zip(&other.cells)
            .filter(|(one, other)| one.0 == other.0)
            .count()
    };
    let mut alone = Vec::new();
    for ours in missing.drain(..) {
        let best = extra
            .iter()
            .enumerate()
            .filter(|(_, theirs)| ours.is_keyless && theirs.is_keyless)
            .map(|(at, theirs)| (at, alike(&ours, theirs)))
            .max_by_key(|(_, count)| *count);
        match best {
            Some((at, count)) if count > 0 && 2 * count >= ours.cells.len() => {
                let theirs = extra.swap_remove(at);
                report.different.push(columns.different(&ours, &theirs));
                report.counts.different += 1;
                report.counts.missing = report.counts.missing.saturating_sub(1);
                report.counts.extra = report.counts.extra.saturating_sub(1);
            }
            _ => alone.push(ours),
        }
    }
    *missing = alone;
}

impl Columns {
    fn different(&self, ours: &Detail, theirs: &Detail) -> RowReport {
        let cells = self.names.iter().zip(ours.cells.iter().zip(&theirs.cells));
        let columns = cells
            .filter(|(_, (one, other))| one.0 != other.0)
            .map(|(name, (one, other))| CellReport {
                column: name.clone(),
                source: one.1.clone(),
                target: other.1.clone(),
            });
        RowReport {
            columns: columns.collect(),
            ..self.alone(ours, &self.places.0)
        }
    }

    fn alone(&self, row: &Detail, place: &str) -> RowReport {
        let named = self
            .key
            .iter()
            .filter_map(|at| Some((self.names.get(*at)?.clone(), row.cells.get(*at)?.1.clone())));
        let mut key: Vec<(String, Shown)> = named.collect();
        if row.is_keyless {
            key.clear();
            let at = row.place.parse();
            let at = at.map_or_else(|_| Shown::Text(row.place.clone()), Shown::Integer);
            key.push((place.to_owned(), at));
        }
        RowReport {
            key,
            columns: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: u8, row: u8) -> Entry {
        ([key; 16], [row; 16])
    }

    fn entries(rows: &[(u8, u8)]) -> Entries {
        let mut entries = Entries::default();
        for (key, row) in rows {
            entries.add(entry(*key, *row));
        }
        entries
    }

    #[test]
    fn rows_are_matched_by_key_and_counted_as_often_as_they_come() {
        let ours = [(5, 1), (1, 1), (2, 2), (3, 3), (3, 3), (4, 1), (4, 2)];
        let theirs = [(1, 1), (2, 9), (3, 3), (4, 2), (4, 3), (4, 4), (6, 1)];
        let mut matched = Matched::default();
        matched.add(entries(&ours), entries(&theirs), 100);
        assert_eq!(matched.missing, [entry(3, 3), entry(5, 1)]);
        assert_eq!(matched.extra, [entry(4, 4), entry(6, 1)]);
        assert_eq!(
            matched.different,
            [(entry(2, 2), entry(2, 9)), (entry(4, 1), entry(4, 3))]
        );
        let counts = Counts {
            missing: 2,
            extra: 2,
            different: 2,
        };
        assert_eq!(matched.counts, counts);
        // With room for one of each kind the same are counted.
        let mut matched = Matched::default();
        matched.add(entries(&ours), entries(&theirs), 1);
        assert_eq!(matched.counts, counts);
        assert_eq!(matched.missing, [entry(3, 3)]);
        assert_eq!(
            matched.extra,
            [entry(4, 4)],
            "the third row of key 4, not the one that is paired"
        );
        assert_eq!(matched.different, [(entry(2, 2), entry(2, 9))]);
    }

    #[test]
    fn one_row_many_times_takes_the_place_of_one() {
        let (mut ours, mut theirs) = (Entries::default(), Entries::default());
        for _ in 0..300_000 {
            ours.add(entry(1, 1));
            theirs.add(entry(1, 1));
        }
        ours.add(entry(2, 2));
        theirs.add(entry(1, 1));
        let mut matched = Matched::default();
        matched.add(ours, theirs, 100);
        assert_eq!(
            (matched.missing, matched.extra),
            (vec![entry(2, 2)], vec![entry(1, 1)])
        );
        assert_eq!(matched.different, []);
    }

    fn detail(row: u8, cells: &[u8]) -> Detail {
        Detail {
            entry: entry(row, row),
            place: row.to_string(),
            cells: cells
                .iter()
                .map(|n| ([*n; 16], Shown::Integer(i64::from(*n))))
                .collect(),
            is_keyless: true,
        }
    }

    #[test]
    fn without_a_key_rows_that_are_alike_are_one_row_that_differs() {
        let columns = Columns {
            names: vec!["a".to_owned(), "b".to_owned(), "c".to_owned()],
            key: vec![],
            places: ("rowid".to_owned(), "ctid".to_owned()),
        };
        let mut report = TableReport {
            counts: Counts {
                missing: 2,
                extra: 2,
                different: 0,
            },
            ..TableReport::default()
        };
        let matched = Matched {
            missing: vec![entry(1, 1), entry(2, 2)],
            extra: vec![entry(3, 3), entry(4, 4)],
            ..Matched::default()
        };
        let source = Details::new(vec![detail(1, &[1, 2, 3]), detail(2, &[7, 8, 9])]);
        let target = Details::new(vec![detail(3, &[4, 4, 4]), detail(4, &[1, 2, 4])]);
        describe(&mut report, &columns, &matched, source, target);
        assert_eq!(
            report.counts,
            Counts {
                missing: 1,
                extra: 1,
                different: 1
            }
        );
        assert_eq!(report.different[0].key, [("rowid".to_owned(), Shown::Integer(1))]);
        assert_eq!(report.different[0].columns[0].column, "c");
        assert_eq!(report.missing[0].key, [("rowid".to_owned(), Shown::Integer(2))]);
        assert_eq!(report.extra[0].key, [("ctid".to_owned(), Shown::Integer(3))]);
        let json = report.to_json(false);
        assert_eq!(
            json["different"][0],
            json!({"key": {"rowid": 1}, "columns": ["c"]})
        );
        assert_eq!(
            report.to_json(true)["different"][0]["values"]["c"],
            json!({"source": 3, "target": 4})
        );
    }
}
