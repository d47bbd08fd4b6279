//! `cutover verify`: whether two databases hold the same values.
//!
//! A table is scanned once on both sides for the digests of its buckets. Only where those differ it is scanned again: for the rows
//! of the differing buckets, as many at a time as memory is set aside for, and once more for the first differing rows in full.
//! All scans of a side see one snapshot. Several tables and parts of a table are scanned at the same time; digests are sums, so
//! that those of the parts add up.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use cutover_domain::time::LegacyZones;
use cutover_domain::transfer::canonical::{Form, Nulls, Rendering, Utf16};
use cutover_domain::transfer::catalog::{Catalog, Column, Engine, Key, Storage, Table, TreeBound};
use cutover_domain::transfer::difference::{Columns, Counts, Details, Matched, TableReport, describe};
use cutover_domain::transfer::digest::{
    BUCKETS, Collector, Detail, Digest, Entries, Entry, Left, LeftColumn, RowReader, RowShape, Tally,
};
use cutover_domain::transfer::name::renamed_by_case;
use cutover_domain::transfer::words::counted;
use cutover_ports::transfer::{
    LedgerEntry, OwnNotes, Part, RenderedColumn, RowScan, ScanColumn, TransferError, TransferResult,
    VerifySide,
};
use futures_util::FutureExt as _;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::content;
use super::copy::refuse_unreadable;
use super::progress::{Phase, Progress, Work};
use super::unfinished::not_at_its_end;

/// So many rows of a side are held at once while differing buckets are looked at: 40 bytes each, and as much again while they grow.
const ROWS_AT_ONCE: u64 = 750_000;

/// A table is divided into so many parts for each scan that can run at once: some hold more rows than others.
const PARTS_OF_A_SCAN: usize = 8;

/// What to verify.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// These tables only, by their names in the source; all if there are none.
    pub tables: Vec<String>,
    /// Not these tables.
    pub exclude: Vec<String>,
    /// So many differing rows of a table are named, of each kind. All are counted.
    pub rows_named: usize,
    /// In which zones times without one are meant.
    pub zones: LegacyZones,
    /// So many tables, and parts of a table, are read at once.
    pub jobs: usize,
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
    let (mut our_notes, mut their_notes) = tokio::try_join!(source.own_notes(), target.own_notes())?;
    follow_renames(&mut our_notes, &ours);
    follow_renames(&mut their_notes, &theirs);
    check_names(options, &ours, &theirs)?;
    for (side, catalog) in [(source, &ours), (target, &theirs)] {
        refuse_unreadable(&side.describe(), catalog, |table| options.wants(table))?;
    }
    let names = Names::new((&ours, &our_notes), (&theirs, &their_notes));
    let run = Run {
        source,
        target,
        notes: (&our_notes, &their_notes),
        names: &names,
        options,
        progress: &progress,
        differing: Semaphore::new(1),
    };
    let pairs: Vec<(&Table, Option<&Table>)> = ours
        .tables
        .iter()
        .map(|table| (table, theirs.table(names.table(&table.name))))
        .collect();
    let met: HashSet<&str> = pairs
        .iter()
        .filter_map(|(_, other)| Some(other.as_ref()?.name.as_str()))
        .collect();
    let wanted = pairs.iter().filter(|(table, _)| options.wants(&table.name));
    // Made before they are waited for: a closure within the stream would bind this function to one task.
    let comparisons: Vec<_> = wanted
        .map(|(table, other)| run.table(table, *other).boxed())
        .collect();
    let mut report = VerifyReport {
        tables: stream::iter(comparisons)
            .buffered(options.jobs.max(1))
            .try_collect()
            .await?,
        ..VerifyReport::default()
    };
    let others = theirs
        .tables
        .iter()
        .filter(|table| !met.contains(table.name.as_str()));
    // What nobody wants may be what nobody here may read.
    for table in others.filter(|table| options.wants(&table.name)) {
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
        } else if rows > 0 {
            report.only_in_target.push((table.name.clone(), rows));
        }
    }
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// A verification at work.
struct Run<'a> {
    source: &'a dyn VerifySide,
    target: &'a dyn VerifySide,
    notes: (&'a OwnNotes, &'a OwnNotes),
    names: &'a Names<'a>,
    options: &'a VerifyOptions,
    progress: &'a Arc<dyn Progress>,
    /// One table at a time has its differing rows in memory.
    differing: Semaphore,
}

impl Run<'_> {
    async fn table(&self, table: &Table, other: Option<&Table>) -> TransferResult<TableReport> {
        let mut report = match other {
            Some(other) => {
                let work = self.progress.begin(Phase::Verify, &table.name, None, 0);
                let work = work.into();
                let mut report = Pair::new(self, table, other, false).verify(&work).await?;
                if !report.equal() && self.keeps_apart(other) {
                    let mut whole = Pair::new(self, table, other, true).compare(&work).await?;
                    // A column that one side lacks is lacking in the quarantine as well.
                    whole.problems.extend(report.problems.iter().cloned());
                    report.with_quarantine = Some(Box::new(whole));
                }
                report
            }
            None => without_target(self.source, table).await?,
        };
        let half = |notes: &OwnNotes, table: Option<&Table>, side: &str| {
            let run = notes.unfinished.as_ref()?;
            let is_meant = table.is_some_and(|table| run.tables.contains_key(&table.name));
            is_meant.then(|| not_at_its_end(&run.source, side))
        };
        // Of a target that is half done, the differences tell; if there are none, it is not at its end all the same.
        if let Some(told) = half(self.notes.1, other, "the target") {
            report.notes.push(format!("{told}; finish it by its own command"));
        }
        if let Some(told) = half(self.notes.0, Some(table), "the source") {
            report.problems.push(format!(
                "{told}, so that rows may be missing there as well; finish it by its own command"
            ));
        }
        let count =
            |notes: &OwnNotes, table: &Table| notes.quarantined.get(&table.name).copied().unwrap_or(0);
        let ours = count(self.notes.0, table);
        if other.is_some() && self.come_home(table) {
            if ours > 0 {
                let rows = counted(ours, "row");
                report.notes.push(format!(
                    "{rows} in quarantine in the source, compared as what the table was to hold"
                ));
            }
        } else {
            note_quarantine(&mut report, "source", ours);
        }
        note_quarantine(
            &mut report,
            "target",
            other.map_or(0, |other| count(self.notes.1, other)),
        );
        Ok(report)
    }

    /// Whether the target, which a copy from SQLite has filled, could not hold some rows.
    fn keeps_apart(&self, other: &Table) -> bool {
        let is_forth = self.names.forth && other.columns.iter().any(|column| column.pg_type().is_some());
        is_forth && self.notes.1.quarantined.contains_key(&other.name)
    }

    /// Whether rows that the source could not hold go the way back with the table's own.
    fn come_home(&self, table: &Table) -> bool {
        let notes = self.notes.0;
        let name = &table.name;
        !self.names.forth && (notes.made.contains_key(name) || notes.quarantined.contains_key(name))
    }
}

/// Puts notes of what has another name by now, but only by the case of its letters, to that: the way back takes it for what it was.
fn follow_renames(notes: &mut OwnNotes, catalog: &Catalog) {
    let noted = notes
        .made
        .keys()
        .chain(notes.rendered.iter().map(|column| &column.table));
    let tables = renames(catalog.tables.iter().map(|table| &table.name), noted);
    for (was, now) in &tables {
        if let Some(original) = notes.made.remove(was) {
            notes.made.insert(now.clone(), original);
        }
    }
    let mut of_tables: HashMap<String, Vec<&mut RenderedColumn>> = HashMap::new();
    for column in &mut notes.rendered {
        if let Some(now) = tables.get(&column.table) {
            column.table.clone_from(now);
        }
        of_tables.entry(column.table.clone()).or_default().push(column);
    }
    for table in &catalog.tables {
        let mut noted = of_tables.remove(&table.name).unwrap_or_default();
        let names = noted
            .iter()
            .flat_map(|column| std::iter::once(&column.column).chain(&column.class_column));
        let columns = renames(table.columns.iter().map(|column| &column.name), names);
        for name in noted
            .iter_mut()
            .flat_map(|column| std::iter::once(&mut column.column).chain(&mut column.class_column))
        {
            if let Some(now) = columns.get(name) {
                name.clone_from(now);
            }
        }
    }
}

/// What is called otherwise by now, by the name that is noted.
fn renames<'a>(
    names: impl Iterator<Item = &'a String>,
    noted: impl Iterator<Item = &'a String>,
) -> HashMap<String, String> {
    let renamed = renamed_by_case(names.map(String::as_str), noted.map(String::as_str));
    renamed
        .into_iter()
        .map(|(now, was)| (was.to_owned(), now.to_owned()))
        .collect()
}

/// What the tables and columns that a copy has made in PostgreSQL are called in SQLite, and how their values come back there.
struct Names<'a> {
    /// What a made table of the source is called in the target.
    tables: HashMap<&'a str, &'a str>,
    /// The columns of a made table, by its name in the source.
    columns: HashMap<&'a str, Vec<&'a RenderedColumn>>,
    /// Whether the source is SQLite, and the target what was made.
    forth: bool,
    /// How the file stores text, if not in UTF-8.
    encoding: Option<Utf16>,
}

impl<'a> Names<'a> {
    fn new(ours: (&Catalog, &'a OwnNotes), theirs: (&Catalog, &'a OwnNotes)) -> Self {
        let (forth, notes) = match (ours.0.engine, theirs.0.engine) {
            (Engine::Sqlite, Engine::Postgres) => (true, Some(theirs.1)),
            (Engine::Postgres, Engine::Sqlite) => (false, Some(ours.1)),
            _ => (true, None),
        };
        let file = if forth { ours.0 } else { theirs.0 };
        let mut names = Self {
            tables: HashMap::new(),
            columns: HashMap::new(),
            forth,
            encoding: file.encoding().and_then(Utf16::named),
        };
        let Some(notes) = notes else { return names };
        // The name here, and the name there.
        let turned =
            |made: &'a str, original: &'a str| if forth { (original, made) } else { (made, original) };
        for (made, original) in &notes.made {
            let (here, there) = turned(made, original);
            names.tables.insert(here, there);
        }
        for column in &notes.rendered {
            let (here, there) = turned(&column.table, &column.source_table);
            names.tables.entry(here).or_insert(there);
            names.columns.entry(here).or_default().push(column);
        }
        names
    }

    /// What a table of the source is called in the target.
    fn table<'t>(&'t self, name: &'t str) -> &'t str {
        self.tables.get(name).copied().unwrap_or(name)
    }

    fn columns(&self, table: &str) -> &[&'a RenderedColumn] {
        self.columns.get(table).map_or(&[], Vec::as_slice)
    }
}

/// What a target's ledger is to note of the tables that are equal. Of those that are `served` from a file, also what they hold: a start
/// asks whether they still do.
pub async fn ledger_entries(
    source: &dyn VerifySide,
    report: &VerifyReport,
    is_served: impl Fn(&str) -> bool,
) -> TransferResult<Vec<LedgerEntry>> {
    let (catalog, notes) = (source.catalog().await?, source.own_notes().await?);
    let mut entries = Vec::new();
    for table in report.tables.iter().filter(|table| table.equal()) {
        let (Some(target), Some(digest)) = (&table.target, &table.digest) else {
            continue;
        };
        let found = catalog.table(&table.name);
        let alias = match found.map(|table| &table.storage) {
            Some(Storage::Rowid { alias }) => *alias,
            _ => None,
        };
        let max_rowid = match alias {
            Some(alias) => source.largest_rowid(&table.name, alias).await?,
            None => None,
        };
        let content = match found.filter(|table| catalog.engine == Engine::Sqlite && is_served(&table.name)) {
            Some(table) => {
                let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
                content::read(source, table, &notes, &columns).await?
            }
            None => None,
        };
        entries.push(LedgerEntry {
            table: target.clone(),
            source: source.describe(),
            // Of a table that was never copied here; a copy's own fingerprint stays.
            fingerprint: digest.clone(),
            rows: table.rows_source,
            max_rowid,
            digest: Some(content.map_or_else(|| digest.clone(), |content| content.to_string())),
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
        [ours, theirs].iter().any(|side| {
            side.tables.iter().any(|table| table.name == **name)
                || side.others.iter().any(|other| other.name == **name)
        })
    };
    let is_wanted = |side: &Catalog| side.tables.iter().any(|table| options.wants(&table.name));
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
        None if !is_wanted(ours) && (options.tables.is_empty() || !is_wanted(theirs)) => {
            Err(TransferError::Usage("no table is left to compare".to_owned()))
        }
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
    match side {
        "target" => report.counts.missing = rows,
        _ => report.counts.extra = rows,
    }
    if rows > 0 {
        report.problems.push(text);
    } else {
        report.lack = Some(text);
    }
}

fn note_quarantine(report: &mut TableReport, side: &str, rows: u64) {
    if rows > 0 {
        let with_it = report.with_quarantine.as_ref().map(|whole| {
            if whole.equal() {
                return "; with that it has every value of the source".to_owned();
            }
            let Counts {
                missing,
                extra,
                different,
            } = whole.counts;
            format!("; even with that {missing} missing, {extra} extra, {different} different")
        });
        let text = format!(
            "{} in quarantine in the {side}, which cannot hold what is there as it is{}",
            counted(rows, "row"),
            with_it.unwrap_or_default()
        );
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
    run: &'a Run<'a>,
    source: Side<'a>,
    target: Side<'a>,
    /// The columns that both have, by their names in the source.
    names: Vec<String>,
    key: Vec<usize>,
    /// Columns that one of them lacks.
    only_source: Vec<&'a Column>,
    only_target: Vec<&'a Column>,
    /// What was found wrong with the columns themselves.
    problems: Vec<String>,
    /// Whether numbers are compared as an R-Tree rounds them.
    rounds: bool,
    /// The columns that the target's file computes: a row may leave them to it.
    left: Vec<LeftColumn>,
    /// Whether what the target keeps in quarantine counts as rows of its table; columns that it computes are left out then.
    with_quarantine: bool,
}

/// One table of a pair.
struct Side<'a> {
    database: &'a dyn VerifySide,
    table: &'a Table,
    engine: Engine,
    columns: Vec<ScanColumn>,
    forms: Vec<Form>,
    /// The compared column that a column of the table is, or holds the classes of.
    places: HashMap<&'a str, usize>,
}

/// The note of a column whose type was asked for, and which has another name or texts that are NULL: it is compared by its type.
const BY_TYPE: &str = "type";

impl<'a> Pair<'a> {
    fn new(run: &'a Run<'a>, ours: &'a Table, theirs: &'a Table, with_quarantine: bool) -> Self {
        let mut pair = Self {
            run,
            source: Side::new(run.source, ours),
            target: Side::new(run.target, theirs),
            names: Vec::new(),
            key: Vec::new(),
            only_source: Vec::new(),
            only_target: Vec::new(),
            problems: Vec::new(),
            rounds: false,
            left: Vec::new(),
            with_quarantine,
        };
        let made = run.names.columns(&ours.name);
        for column in made {
            pair.add_made(column);
        }
        for column in &ours.columns {
            if pair.source.has(column) {
                continue;
            }
            match theirs
                .column(&column.name)
                .filter(|other| !pair.target.has(other))
            {
                Some(other) => {
                    let forms = pair.rounded(column, other);
                    let forms = forms.unwrap_or_else(|| Form::of_pair(&column.kind, &other.kind));
                    pair.add(column, other, forms);
                }
                None => pair.only_source.push(column),
            }
        }
        let only_target = theirs.columns.iter().filter(|column| !pair.target.has(column));
        pair.only_target = only_target.collect();
        if run.come_home(ours) {
            pair.left = pair.computed_at_home();
        }
        pair.key = pair.key_columns().unwrap_or_default();
        if pair.key.is_empty() && !pair.left.is_empty() {
            // The rest of a row has to tell which one it is.
            let is_left = |at: &usize| pair.left.iter().any(|left| left.at == *at);
            pair.key = (0..pair.names.len()).filter(|at| !is_left(at)).collect();
        }
        pair
    }

    /// The columns that the file computes. NULL leaves one to it that PostgreSQL has as a plain column.
    fn computed_at_home(&self) -> Vec<LeftColumn> {
        let computed = self
            .target
            .table
            .columns
            .iter()
            .filter(|column| !column.writable());
        let columns = computed.filter_map(|column| {
            let at = *self.target.places.get(column.name.as_str())?;
            let ours = self.source.table.column(self.names.get(at)?)?;
            Some(LeftColumn {
                at,
                by_null: ours.writable(),
            })
        });
        columns.collect()
    }

    /// A column that a copy has made. One that is gone, or no longer what it was, is left to be compared by its name and type.
    fn add_made(&mut self, noted: &RenderedColumn) {
        let forth = self.run.names.forth;
        let (stored, made) = if forth {
            (self.source.table, self.target.table)
        } else {
            (self.target.table, self.source.table)
        };
        if made.name != noted.table || stored.name != noted.source_table {
            return;
        }
        let named = |table: &'a Table, name: &str| table.columns.iter().find(|column| column.name == name);
        let (Some(original), Some(column)) =
            (named(stored, &noted.source_column), named(made, &noted.column))
        else {
            return;
        };
        if [original, column]
            .iter()
            .any(|column| self.source.has(column) || self.target.has(column))
        {
            return;
        }
        let class = noted.class_column.as_deref().map(|name| named(made, name));
        let (nulls, rendering) = Nulls::of_note(&noted.rendering);
        let forms = if rendering == BY_TYPE {
            Some(Form::of_pair(&original.kind, &column.kind))
        } else {
            Rendering::parse(rendering).and_then(|rendering| Form::of_rendering(rendering, &column.kind))
        };
        // A column of classes belongs to a mixed one, and to no other.
        let forms = forms.filter(|(_, form)| form.has_class() == matches!(class, Some(Some(_))));
        let forms = forms.map(|(stored, made)| (stored.with_nulls(nulls), made.with_nulls(nulls)));
        let Some((stored_form, made_form)) = forms else {
            self.problems.push(format!(
                "the column {:?} is noted in cutover.rendering as {:?}, which it no longer is, or which this version does not know",
                noted.column, noted.rendering
            ));
            return;
        };
        if let Some(class) = class.flatten() {
            let side = if forth { &mut self.target } else { &mut self.source };
            side.push_class(class);
        }
        if forth {
            self.add(original, column, (stored_form, made_form));
        } else {
            let is_real = made_form.rendering == Some(Rendering::Real);
            let forms = is_real.then(|| self.rounded(column, original)).flatten();
            self.add(column, original, forms.unwrap_or((made_form, stored_form)));
        }
    }

    /// The forms of doubles of PostgreSQL and of the bound of an R-Tree that they have come back into, which rounds them.
    fn rounded(&mut self, ours: &Column, theirs: &Column) -> Option<(Form, Form)> {
        let rendering = match self.target.table.bound(&theirs.name)? {
            TreeBound::Lower => Rendering::Lower,
            TreeBound::Upper => Rendering::Upper,
        };
        let (stored, made) = Form::of_rendering(rendering, &ours.kind)?;
        self.rounds = true;
        Some((made, stored))
    }

    fn add(&mut self, ours: &'a Column, theirs: &'a Column, (our_form, their_form): (Form, Form)) {
        if self.with_quarantine && !theirs.writable() {
            return;
        }
        self.names.push(ours.name.clone());
        self.source.push(ours, our_form);
        self.target.push(theirs, their_form);
    }

    /// The columns that tell rows apart best. Whether they really do is of no consequence for what is found, only for how it is
    /// told.
    fn key_columns(&self) -> Option<Vec<usize>> {
        let sides = [&self.target, &self.source];
        let strict = sides.map(|side| side.key(side.table.row_key()));
        let loose = sides.map(|side| side.key(side.table.primary_key.as_ref()));
        strict.into_iter().chain(loose).flatten().next()
    }

    async fn verify(&self, work: &Arc<dyn Work>) -> TransferResult<TableReport> {
        let begun = Instant::now();
        let mut report = self.compare(work).await?;
        self.look_at_lone_columns(&mut report).await?;
        report.problems.splice(0..0, self.problems.iter().cloned());
        report.seconds = begun.elapsed().as_secs_f64();
        Ok(report)
    }

    /// The rows, and nothing of the columns that only one side has.
    async fn compare(&self, work: &Arc<dyn Work>) -> TransferResult<TableReport> {
        let mut report = TableReport {
            name: self.source.table.name.clone(),
            target: Some(self.target.table.name.clone()),
            ..TableReport::default()
        };
        if self.names.is_empty() {
            report
                .problems
                .push("the two tables have no column in common".to_owned());
            return Ok(report);
        }
        let scans = Scans::new(self, work).await?;
        let planted = scans.our_planted.len() + scans.their_planted.len();
        if planted > 0 {
            report.notes.push(format!(
                "left out: {} planted for foreign keys across databases",
                counted(planted as u64, "row")
            ));
        }
        if self.rounds {
            let note = "bounds of an R-Tree are compared as it keeps them: in 32 bits, lower ones rounded down and upper ones up";
            report.notes.push(note.to_owned());
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
            // The semaphore is never closed.
            let _alone = self.run.differing.acquire().await.ok();
            let sizes = |at: usize| {
                [&ours, &theirs]
                    .map(|side| side.get(at).map_or(0, Digest::rows))
                    .into_iter()
                    .max()
            };
            let (matched, left) = scans.differences(&differing, |at| sizes(at).unwrap_or(0)).await?;
            report.counts = matched.counts;
            if left.rows > 0 {
                report.notes.push(format!(
                    "{} leave to the file what it computes ({})",
                    counted(left.rows, "row"),
                    self.left_names().join(", ")
                ));
            }
            if report.equal() {
                report.digest = Some(their_total.to_string());
            } else {
                scans.name_rows(&mut report, &matched, left.named).await?;
            }
        }
        Ok(report)
    }

    fn left_names(&self) -> Vec<&str> {
        let names = self.left.iter().filter_map(|left| self.names.get(left.at));
        names.map(String::as_str).collect()
    }

    /// Whether a column holds the classes of values that PostgreSQL has no more.
    fn tells_of_nothing(&self, side: &Side<'_>, column: &Column) -> bool {
        let noted = self.run.names.columns(&self.source.table.name);
        side.engine == Engine::Postgres
            && noted.iter().any(|noted| {
                noted.class_column.as_ref() == Some(&column.name)
                    && side.table.columns.iter().all(|there| there.name != noted.column)
            })
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
                    "the {lacking} has no column {:?}, which holds {}",
                    column.name,
                    counted(count, "value")
                );
                // A copy puts the rowids there.
                let is_order = side
                    .table
                    .order_column()
                    .is_some_and(|order| order.name == column.name);
                let filled = column.default.is_some() || !column.writable() || is_order;
                if count == 0 || (lacking == "source" && filled) || self.tells_of_nothing(side, column) {
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
            places: HashMap::new(),
        }
    }

    fn has(&self, column: &Column) -> bool {
        self.places.contains_key(column.name.as_str())
    }

    fn push(&mut self, column: &'a Column, form: Form) {
        let as_text = form.as_text(&column.kind);
        self.columns.push(ScanColumn {
            name: column.name.clone(),
            as_text,
        });
        self.places.insert(&column.name, self.forms.len());
        self.forms.push(form);
    }

    /// The column of the classes of the mixed column that comes next.
    fn push_class(&mut self, column: &'a Column) {
        self.columns.push(ScanColumn {
            name: column.name.clone(),
            as_text: true,
        });
        self.places.insert(&column.name, self.forms.len());
    }

    /// The places of a key's columns, if all of them are compared.
    fn key(&self, key: Option<&Key>) -> Option<Vec<usize>> {
        let place = |name: &String| self.places.get(name.as_str()).copied();
        let mut places: Vec<usize> = key?.columns.iter().map(place).collect::<Option<_>>()?;
        let mut met = HashSet::new();
        places.retain(|place| met.insert(*place));
        (!places.is_empty()).then_some(places)
    }

    /// The name that reaches where a row is kept.
    fn place(&self) -> Option<&'static str> {
        match (self.engine, &self.table.storage) {
            (Engine::Postgres, _) => Some("ctid"),
            (Engine::Sqlite, Storage::Rowid { alias }) => *alias,
            (Engine::Sqlite, Storage::Clustered | Storage::Partitioned) => None,
        }
    }
}

/// The scans of a pair.
struct Scans<'a> {
    pair: &'a Pair<'a>,
    tally: Tally,
    our_parts: Vec<Part>,
    their_parts: Vec<Part>,
    our_planted: HashSet<String>,
    their_planted: HashSet<String>,
    /// Whether the source keeps rows apart that the target is to hold.
    sends_quarantine: bool,
}

impl<'a> Scans<'a> {
    async fn new(pair: &'a Pair<'a>, work: &Arc<dyn Work>) -> TransferResult<Self> {
        let run = pair.run;
        let (source, target) = (&pair.source, &pair.target);
        // A single scan at a time may as well be a whole one.
        let count = if run.options.jobs > 1 {
            PARTS_OF_A_SCAN * run.options.jobs
        } else {
            1
        };
        let (our_parts, their_parts) = tokio::try_join!(
            source.database.parts(source.table, count),
            target.database.parts(target.table, count)
        )?;
        let planted =
            |notes: &OwnNotes, table: &Table| notes.planted.get(&table.name).cloned().unwrap_or_default();
        let has_quarantine = run.notes.0.quarantined.contains_key(&source.table.name);
        let told = Arc::clone(work);
        Ok(Self {
            pair,
            tally: Tally(Arc::new(move |rows, bytes| told.advance(rows, bytes))),
            our_parts,
            their_parts,
            our_planted: planted(run.notes.0, source.table),
            their_planted: planted(run.notes.1, target.table),
            sends_quarantine: has_quarantine && run.come_home(source.table),
        })
    }

    /// Both sides at once.
    async fn both(
        &self,
        ours: impl Fn() -> Collector,
        theirs: impl Fn() -> Collector,
        with_place: bool,
        left: &Left,
    ) -> TransferResult<(Collector, Collector)> {
        tokio::try_join!(self.ours(ours, with_place), self.theirs(theirs, with_place, left))
    }

    async fn ours(&self, collector: impl Fn() -> Collector, with_place: bool) -> TransferResult<Collector> {
        let source = &self.pair.source;
        let shape = self.shape(source);
        let reader = || RowReader::new(&shape, &self.our_planted, collector()).with_tally(self.tally.clone());
        let read = self.side(source, &self.our_parts, with_place, reader).await?;
        if self.sends_quarantine {
            return self
                .with_quarantine(read, collector(), source, &self.pair.target)
                .await;
        }
        Ok(read)
    }

    /// With what one side keeps apart, which are SQLite's values, as the file's side has them.
    async fn with_quarantine(
        &self,
        read: Collector,
        collector: Collector,
        keeper: &Side<'_>,
        file: &Side<'_>,
    ) -> TransferResult<Collector> {
        let columns: Vec<String> = file.columns.iter().map(|column| column.name.clone()).collect();
        let reader = RowReader::new(&self.shape(file), &HashSet::new(), collector);
        let encoding = self.pair.run.names.encoding;
        let apart = keeper
            .database
            .quarantined(&keeper.table.name, &columns, encoding, reader);
        read.merged(apart.await?.finish()).ok_or_else(mixed_up)
    }

    async fn theirs(
        &self,
        collector: impl Fn() -> Collector,
        with_place: bool,
        left: &Left,
    ) -> TransferResult<Collector> {
        let target = &self.pair.target;
        let shape = self.shape(target);
        let left = (!left.is_empty()).then(|| Arc::new(Mutex::new(left.clone())));
        let reader = || RowReader::new(&shape, &self.their_planted, collector()).with_left(left.clone());
        let read = self.side(target, &self.their_parts, with_place, reader).await?;
        if self.pair.with_quarantine {
            return self
                .with_quarantine(read, collector(), target, &self.pair.source)
                .await;
        }
        Ok(read)
    }

    fn shape(&self, side: &Side<'_>) -> RowShape {
        RowShape {
            forms: side.forms.clone(),
            key: self.pair.key.clone(),
            left: self.pair.left.clone(),
            zone: self.pair.run.options.zones.of(&self.pair.source.table.name),
        }
    }

    /// The parts of one side, as many at once as there are jobs, and what was collected from them all.
    async fn side(
        &self,
        side: &Side<'_>,
        parts: &[Part],
        with_place: bool,
        reader: impl Fn() -> RowReader,
    ) -> TransferResult<Collector> {
        let place = side.place().filter(|_| with_place).map(str::to_owned);
        let scans = parts.iter().map(|part| RowScan {
            table: side.table.name.clone(),
            columns: side.columns.clone(),
            place: place.clone(),
            part: *part,
        });
        let database = side.database;
        let scans: Vec<_> = scans
            .map(|scan| {
                let reader = reader();
                async move { database.scan(&scan, reader).await }.boxed()
            })
            .collect();
        let mut scanned = stream::iter(scans).buffer_unordered(self.pair.run.options.jobs.max(1));
        let mut all: Option<Collector> = None;
        while let Some(read) = scanned.try_next().await? {
            let part = read.finish();
            all = Some(match all {
                None => part,
                Some(all) => all.merged(part).ok_or_else(mixed_up)?,
            });
        }
        // There is at least one part.
        all.ok_or_else(mixed_up)
    }

    async fn digests(&self) -> TransferResult<(Vec<Digest>, Vec<Digest>)> {
        match self
            .both(Collector::digests, Collector::digests, false, &Left::default())
            .await?
        {
            (Collector::Digests(ours), Collector::Digests(theirs)) => Ok((ours, theirs)),
            _ => Err(mixed_up()),
        }
    }

    /// Counts the rows that differ, and picks the first ones of each kind.
    async fn differences(
        &self,
        differing: &[usize],
        size: impl Fn(usize) -> u64,
    ) -> TransferResult<(Matched, LeftRows)> {
        let mut matched = Matched::default();
        let mut left_rows = LeftRows::default();
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
                entries: Entries::default(),
                left: Left::default(),
            };
            let (ours, theirs, left) = if self.pair.left.is_empty() {
                let left = Left::default();
                let (ours, theirs) = self.both(collector, collector, false, &left).await?;
                (ours, theirs, left)
            } else {
                // What rows of the one have left is no business of the other's.
                let mut ours = self.ours(collector, false).await?;
                let left = match &mut ours {
                    Collector::Entries { left, .. } => std::mem::take(left),
                    Collector::Digests(_) | Collector::Details { .. } => Left::default(),
                };
                let theirs = self.theirs(collector, false, &left).await?;
                (ours, theirs, left)
            };
            let (Collector::Entries { entries: ours, .. }, Collector::Entries { entries: theirs, .. }) =
                (ours, theirs)
            else {
                return Err(mixed_up());
            };
            matched.add(ours, theirs, self.pair.run.options.rows_named);
            left_rows.add(&left, &matched);
        }
        Ok((matched, left_rows))
    }

    /// Fetches the picked rows and puts them into the report.
    async fn name_rows(&self, report: &mut TableReport, matched: &Matched, left: Left) -> TransferResult<()> {
        let wanted = |entries: &mut dyn Iterator<Item = Entry>| {
            let mut wanted: HashMap<Entry, u64> = HashMap::new();
            entries.for_each(|entry| *wanted.entry(entry).or_default() += 1);
            move || Collector::Details {
                wanted: wanted.clone(),
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
        // Where a row is kept is its name if it has no key, or NULL in it.
        let (ours, theirs) = self.both(ours, theirs, true, &left).await?;
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

/// Rows that leave columns to the file.
#[derive(Default)]
struct LeftRows {
    rows: u64,
    /// Those among them that are to be named.
    named: Left,
}

impl LeftRows {
    fn add(&mut self, left: &Left, matched: &Matched) {
        self.rows += left.values().map(|leaving| leaving.rows).sum::<u64>();
        let different = matched.different.iter().map(|(ours, _)| ours.0);
        let named = different.chain(matched.extra.iter().map(|entry| entry.0));
        self.named
            .extend(named.filter_map(|key| Some((key, *left.get(&key)?))));
    }
}

/// A side gave back another collector than it was given.
pub(super) fn mixed_up() -> TransferError {
    TransferError::Failed(
        "a scan gave back what it was not asked for; this is a mistake of Cutover".to_owned(),
    )
}

pub(super) fn total(digests: &[Digest]) -> Digest {
    digests.iter().fold(Digest::default(), |mut total, digest| {
        total.merge(digest);
        total
    })
}
