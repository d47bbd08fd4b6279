//! `cutover verify`: whether two databases hold the same values.
//!
//! A table is scanned once on both sides for the digests of its buckets. Only where those differ it is scanned again: for the rows
//! of the differing buckets, as many at a time as memory is set aside for, and once more for the first differing rows in full.
//! All scans of a side see one snapshot.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::canonical::Form;
use cutover_domain::transfer::catalog::{Catalog, Column, Engine, Storage, Table};
use cutover_domain::transfer::difference::{Columns, Details, Matched, TableReport, describe, match_rows};
use cutover_domain::transfer::digest::{
    BUCKETS, Collector, Detail, Digest, Entry, RowReader, RowShape, Tally,
};
use cutover_ports::transfer::{
    LedgerEntry, OwnNotes, RowScan, ScanColumn, TransferError, TransferResult, VerifySide,
};
use serde_json::{Value, json};

use super::progress::{Phase, Progress, Work};

/// So many rows of a side are held at once while differing buckets are looked at: 32 bytes each.
const ROWS_AT_ONCE: u64 = 1_500_000;

/// What to verify.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// These tables only, by their names in the source; all if there are none.
    pub tables: Vec<String>,
    /// Not these tables.
    pub exclude: Vec<String>,
    /// So many differing rows of a table are named, of each kind. All are counted.
    pub rows_named: usize,
    /// The zone of times without one.
    pub zone: LegacyZone,
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    /// The tables of the source, and the named ones that only the target has.
    pub tables: Vec<TableReport>,
    /// Other tables that only the target has, with their rows. They are none of the source's, and no difference.
    pub only_in_target: Vec<(String, u64)>,
    /// Seconds it took.
    pub seconds: f64,
}

impl VerifyReport {
    /// Whether everything is equal.
    pub fn ok(&self) -> bool {
        self.tables.iter().all(TableReport::equal)
    }

    /// For a machine.
    pub fn to_json(&self, show_values: bool) -> Value {
        let tables: Vec<Value> = self
            .tables
            .iter()
            .map(|table| table.to_json(show_values))
            .collect();
        let others: Vec<Value> = self
            .only_in_target
            .iter()
            .map(|(name, rows)| json!({ "name": name, "rows": rows }))
            .collect();
        json!({ "ok": self.ok(), "tables": tables, "only_in_target": others, "seconds": self.seconds })
    }
}

/// Compares everything the source holds with the target.
pub async fn verify(
    source: &dyn VerifySide,
    target: &dyn VerifySide,
    options: &VerifyOptions,
    progress: Arc<dyn Progress>,
) -> TransferResult<VerifyReport> {
    let begun = Instant::now();
    let (ours, theirs) = tokio::try_join!(source.catalog(), target.catalog())?;
    let (our_notes, their_notes) = tokio::try_join!(source.own_notes(), target.own_notes())?;
    check_names(options, &ours, &theirs)?;
    let mut report = VerifyReport::default();
    for table in ours.tables.iter().filter(|table| options.wants(&table.name)) {
        let work: Arc<dyn Work> = progress.begin(Phase::Verify, &table.name, None, 0).into();
        let mut one = match theirs.table(&table.name) {
            Some(other) => {
                let pair = Pair::new(source, target, table, other, options);
                pair.verify(&our_notes, &their_notes, &work).await?
            }
            None => without_target(source, table).await?,
        };
        drop(work);
        let quarantined = [&our_notes, &their_notes].map(|notes| notes.quarantined.get(&table.name));
        note_quarantine(&mut one, quarantined.into_iter().flatten().sum());
        report.tables.push(one);
    }
    for table in theirs
        .tables
        .iter()
        .filter(|table| ours.table(&table.name).is_none())
    {
        let rows = target.count_rows(&table.name).await?;
        if options.tables.contains(&table.name) {
            let mut one = TableReport {
                name: table.name.clone(),
                target: Some(table.name.clone()),
                rows_target: rows,
                ..TableReport::default()
            };
            tell_lack(&mut one, "source", rows);
            report.tables.push(one);
        } else if options.wants(&table.name) && rows > 0 {
            report.only_in_target.push((table.name.clone(), rows));
        }
    }
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// What a target's ledger is to note of the tables that are equal.
pub async fn ledger_entries(
    source: &dyn VerifySide,
    report: &VerifyReport,
) -> TransferResult<Vec<LedgerEntry>> {
    let catalog = source.catalog().await?;
    let mut entries = Vec::new();
    for table in report.tables.iter().filter(|table| table.equal()) {
        let (Some(target), Some(digest)) = (&table.target, &table.digest) else {
            continue;
        };
        let alias = match catalog.table(&table.name).map(|table| &table.storage) {
            Some(Storage::Rowid { alias }) => *alias,
            _ => None,
        };
        let max_rowid = match alias {
            Some(alias) => source.largest_rowid(&table.name, alias).await?,
            None => None,
        };
        entries.push(LedgerEntry {
            table: target.clone(),
            source: source.describe(),
            // Of a table that was never copied here; a copy's own fingerprint stays.
            fingerprint: digest.clone(),
            rows: table.rows_source,
            max_rowid,
            digest: Some(digest.clone()),
            ..LedgerEntry::default()
        });
    }
    Ok(entries)
}

impl VerifyOptions {
    fn wants(&self, table: &str) -> bool {
        let among = |names: &[String]| names.iter().any(|name| name == table);
        (self.tables.is_empty() || among(&self.tables)) && !among(&self.exclude)
    }
}

/// A mistyped name must not look like an equal table.
fn check_names(options: &VerifyOptions, ours: &Catalog, theirs: &Catalog) -> TransferResult<()> {
    let known = |name: &&String| {
        [ours, theirs]
            .iter()
            .any(|side| side.tables.iter().any(|table| table.name == **name))
    };
    match options
        .tables
        .iter()
        .chain(&options.exclude)
        .find(|name| !known(name))
    {
        Some(name) => Err(TransferError::Usage(format!(
            "neither database has a table {name:?}; tables are named as in the source, capitals included"
        ))),
        None if ours.tables.is_empty() => Err(TransferError::Usage(
            "the source has no tables to compare".to_owned(),
        )),
        None => Ok(()),
    }
}

async fn without_target(source: &dyn VerifySide, table: &Table) -> TransferResult<TableReport> {
    let rows = source.count_rows(&table.name).await?;
    let mut report = TableReport {
        name: table.name.clone(),
        rows_source: rows,
        ..TableReport::default()
    };
    tell_lack(&mut report, "target", rows);
    Ok(report)
}

/// A table that one side lacks is no difference of values if the other one's has no rows.
fn tell_lack(report: &mut TableReport, side: &str, rows: u64) {
    let text = format!("the {side} has no such table");
    if rows > 0 {
        report.problems.push(text);
    } else {
        report.notes.push(text);
    }
}

fn note_quarantine(report: &mut TableReport, rows: u64) {
    if rows > 0 {
        let text = format!("{rows} rows are in quarantine in the target: it cannot hold them as they are");
        // A later, whole copy may have left the quarantine behind.
        if report.equal() {
            report.notes.push(text);
        } else {
            report.problems.push(text);
        }
    }
}

/// Two tables that are to hold the same rows.
struct Pair<'a> {
    source: Side<'a>,
    target: Side<'a>,
    /// The columns that both have, by their names in the source.
    names: Vec<String>,
    key: Vec<usize>,
    /// Columns that one of them lacks.
    only_source: Vec<&'a Column>,
    only_target: Vec<&'a Column>,
    options: &'a VerifyOptions,
}

/// One table of a pair.
struct Side<'a> {
    database: &'a dyn VerifySide,
    table: &'a Table,
    engine: Engine,
    columns: Vec<ScanColumn>,
    forms: Vec<Form>,
}

impl<'a> Pair<'a> {
    fn new(
        source: &'a dyn VerifySide,
        target: &'a dyn VerifySide,
        ours: &'a Table,
        theirs: &'a Table,
        options: &'a VerifyOptions,
    ) -> Self {
        let mut pair = Self {
            source: Side::new(source, ours),
            target: Side::new(target, theirs),
            names: Vec::new(),
            key: Vec::new(),
            only_source: Vec::new(),
            only_target: Vec::new(),
            options,
        };
        let mut met = HashSet::new();
        for column in &ours.columns {
            let Some(other) = theirs
                .column(&column.name)
                .filter(|other| met.insert(other.name.as_str()))
            else {
                pair.only_source.push(column);
                continue;
            };
            let (our_form, their_form) = Form::of_pair(&column.kind, &other.kind);
            pair.names.push(column.name.clone());
            pair.source.push(column, our_form);
            pair.target.push(other, their_form);
        }
        pair.only_target = theirs
            .columns
            .iter()
            .filter(|column| !met.contains(column.name.as_str()))
            .collect();
        pair.key = pair.key_columns().unwrap_or_default();
        pair
    }

    /// The columns that tell rows apart best. Whether they really do is of no consequence for what is found, only for how it is
    /// told.
    fn key_columns(&self) -> Option<Vec<usize>> {
        let (ours, theirs) = (self.source.table, self.target.table);
        let strict = [theirs.row_key(), ours.row_key()].into_iter().flatten();
        let loose = [&theirs.primary_key, &ours.primary_key].into_iter().flatten();
        let place = |name: &String| self.names.iter().position(|ours| ours.eq_ignore_ascii_case(name));
        let mut keys = strict
            .chain(loose)
            .map(|key| key.columns.iter().map(place).collect::<Option<Vec<usize>>>());
        keys.find_map(|key| key.filter(|columns| !columns.is_empty()))
    }

    async fn verify(
        &self,
        our_notes: &OwnNotes,
        their_notes: &OwnNotes,
        progress: &Arc<dyn Work>,
    ) -> TransferResult<TableReport> {
        let begun = Instant::now();
        let mut report = TableReport {
            name: self.source.table.name.clone(),
            target: Some(self.target.table.name.clone()),
            ..TableReport::default()
        };
        self.look_at_lone_columns(&mut report).await?;
        if self.names.is_empty() {
            report
                .problems
                .push("the two tables have no column in common".to_owned());
            return Ok(report);
        }
        let told = Arc::clone(progress);
        let scans = Scans {
            pair: self,
            tally: Tally(Arc::new(move |rows, bytes| told.advance(rows, bytes))),
            our_planted: our_notes
                .planted
                .get(&self.source.table.name)
                .cloned()
                .unwrap_or_default(),
            their_planted: their_notes
                .planted
                .get(&self.target.table.name)
                .cloned()
                .unwrap_or_default(),
        };
        let planted = scans.our_planted.len() + scans.their_planted.len();
        if planted > 0 {
            report.notes.push(format!(
                "{planted} rows planted for foreign keys across databases are left out"
            ));
        }
        let (ours, theirs) = scans.digests().await?;
        let (our_total, their_total) = (total(&ours), total(&theirs));
        report.rows_source = our_total.rows();
        report.rows_target = their_total.rows();
        let differing: Vec<usize> = (0..BUCKETS)
            .filter(|at| ours.get(*at) != theirs.get(*at))
            .collect();
        if differing.is_empty() {
            report.digest = Some(our_total.to_string());
        } else {
            let sizes = |at: usize| {
                [&ours, &theirs]
                    .map(|side| side.get(at).map_or(0, Digest::rows))
                    .into_iter()
                    .max()
            };
            let matched = scans
                .differences(&mut report, &differing, |at| sizes(at).unwrap_or(0))
                .await?;
            scans.name_rows(&mut report, &matched).await?;
        }
        report.seconds = begun.elapsed().as_secs_f64();
        Ok(report)
    }

    /// A column on one side only is no difference as long as it holds nothing. Where it has a default, what it holds may be that
    /// and says nothing about the other side.
    async fn look_at_lone_columns(&self, report: &mut TableReport) -> TransferResult<()> {
        for (side, columns, lacking) in [
            (&self.source, &self.only_source, "target"),
            (&self.target, &self.only_target, "source"),
        ] {
            let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
            if names.is_empty() {
                continue;
            }
            let counts = side.database.count_values(&side.table.name, &names).await?;
            for (column, count) in columns.iter().zip(counts) {
                let text = format!(
                    "the {lacking} has no column {:?}, which holds {count} values",
                    column.name
                );
                let filled = column.default.is_some() || !column.writable();
                if count == 0 || (lacking == "source" && filled) {
                    report.notes.push(text);
                } else {
                    report.problems.push(text);
                }
            }
        }
        Ok(())
    }
}

impl<'a> Side<'a> {
    fn new(database: &'a dyn VerifySide, table: &'a Table) -> Self {
        let postgres = table.columns.iter().any(|column| column.pg_type().is_some());
        let engine = if postgres {
            Engine::Postgres
        } else {
            Engine::Sqlite
        };
        Self {
            database,
            table,
            engine,
            columns: Vec::new(),
            forms: Vec::new(),
        }
    }

    fn push(&mut self, column: &Column, form: Form) {
        let as_text = form.as_text(&column.kind);
        self.columns.push(ScanColumn {
            name: column.name.clone(),
            as_text,
        });
        self.forms.push(form);
    }

    /// The name that reaches where a row is kept.
    fn place(&self) -> Option<&'static str> {
        match (self.engine, &self.table.storage) {
            (Engine::Postgres, _) => Some("ctid"),
            (Engine::Sqlite, Storage::Rowid { alias }) => *alias,
            (Engine::Sqlite, Storage::Clustered) => None,
        }
    }

    async fn scan(&self, reader: RowReader, with_place: bool) -> TransferResult<Collector> {
        let scan = RowScan {
            table: self.table.name.clone(),
            columns: self.columns.clone(),
            place: self.place().filter(|_| with_place).map(str::to_owned),
        };
        Ok(self.database.scan(&scan, reader).await?.finish())
    }
}

/// The scans of a pair.
struct Scans<'a> {
    pair: &'a Pair<'a>,
    tally: Tally,
    our_planted: HashSet<String>,
    their_planted: HashSet<String>,
}

impl Scans<'_> {
    /// Both sides at once.
    async fn both(
        &self,
        ours: Collector,
        theirs: Collector,
        with_place: bool,
    ) -> TransferResult<(Collector, Collector)> {
        let reader = |side: &Side<'_>, skipped: &HashSet<String>, collector| {
            let shape = RowShape {
                forms: side.forms.clone(),
                key: self.pair.key.clone(),
                zone: self.pair.options.zone.clone(),
            };
            RowReader::new(&shape, skipped, collector)
        };
        let (source, target) = (&self.pair.source, &self.pair.target);
        tokio::try_join!(
            source.scan(
                reader(source, &self.our_planted, ours).with_tally(self.tally.clone()),
                with_place
            ),
            target.scan(reader(target, &self.their_planted, theirs), with_place)
        )
    }

    async fn digests(&self) -> TransferResult<(Vec<Digest>, Vec<Digest>)> {
        match self
            .both(Collector::digests(), Collector::digests(), false)
            .await?
        {
            (Collector::Digests(ours), Collector::Digests(theirs)) => Ok((ours, theirs)),
            _ => Err(mixed_up()),
        }
    }

    /// Counts the rows that differ, and picks the first ones of each kind.
    async fn differences(
        &self,
        report: &mut TableReport,
        differing: &[usize],
        size: impl Fn(usize) -> u64,
    ) -> TransferResult<Matched> {
        let mut picked = Matched::default();
        let mut buckets = differing.iter().copied().peekable();
        while buckets.peek().is_some() {
            let mut wanted = vec![false; BUCKETS];
            let mut rows = 0;
            // At least one bucket, however large.
            while let Some(at) = buckets.next_if(|at| rows == 0 || rows + size(*at) <= ROWS_AT_ONCE) {
                rows += size(at);
                wanted[at] = true;
            }
            let collector = || Collector::Entries {
                wanted: wanted.clone(),
                entries: Vec::new(),
            };
            let (Collector::Entries { entries: ours, .. }, Collector::Entries { entries: theirs, .. }) =
                self.both(collector(), collector(), false).await?
            else {
                return Err(mixed_up());
            };
            let matched = match_rows(ours, theirs);
            let count = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
            report.counts.missing += count(matched.missing.len());
            report.counts.extra += count(matched.extra.len());
            report.counts.different += count(matched.different.len());
            let room = |picked: usize| self.pair.options.rows_named.saturating_sub(picked);
            picked
                .missing
                .extend(matched.missing.into_iter().take(room(picked.missing.len())));
            picked
                .extra
                .extend(matched.extra.into_iter().take(room(picked.extra.len())));
            picked
                .different
                .extend(matched.different.into_iter().take(room(picked.different.len())));
        }
        Ok(picked)
    }

    /// Fetches the picked rows and puts them into the report.
    async fn name_rows(&self, report: &mut TableReport, matched: &Matched) -> TransferResult<()> {
        let wanted = |entries: &mut dyn Iterator<Item = Entry>| {
            let mut wanted: HashMap<Entry, u64> = HashMap::new();
            entries.for_each(|entry| *wanted.entry(entry).or_default() += 1);
            Collector::Details {
                wanted,
                rows: Vec::new(),
            }
        };
        let ours = wanted(
            &mut matched
                .missing
                .iter()
                .copied()
                .chain(matched.different.iter().map(|pair| pair.0)),
        );
        let theirs = wanted(
            &mut matched
                .extra
                .iter()
                .copied()
                .chain(matched.different.iter().map(|pair| pair.1)),
        );
        let rows = |collector| -> TransferResult<Vec<Detail>> {
            match collector {
                Collector::Details { rows, .. } => Ok(rows),
                _ => Err(mixed_up()),
            }
        };
        let with_place = self.pair.key.is_empty();
        let (ours, theirs) = self.both(ours, theirs, with_place).await?;
        let place = |side: &Side<'_>| side.place().unwrap_or("row").to_owned();
        let columns = Columns {
            names: self.pair.names.clone(),
            key: self.pair.key.clone(),
            places: (place(&self.pair.source), place(&self.pair.target)),
        };
        describe(
            report,
            &columns,
            matched,
            Details::new(rows(ours)?),
            Details::new(rows(theirs)?),
        );
        Ok(())
    }
}

/// A side gave back another collector than it was given.
fn mixed_up() -> TransferError {
    TransferError::Failed(
        "a scan gave back what it was not asked for; this is a mistake of Cutover".to_owned(),
    )
}

fn total(digests: &[Digest]) -> Digest {
    digests.iter().fold(Digest::default(), |mut total, digest| {
        total.merge(digest);
        total
    })
}
