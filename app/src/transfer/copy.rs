//! `cutover copy`: survey, then load, then keys and constraints, in steps each of which can be the last before a crash.

use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_domain::time::LegacyZones;
use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::back;
use cutover_domain::transfer::catalog::{Catalog, Engine, Generated, Storage, Table};
use cutover_domain::transfer::outcome::Normalised;
use cutover_domain::transfer::plan::{NotCarried, Plan, Renamed, Scope, TablePlan, Wishes, plan};
use cutover_domain::transfer::refusal::{altered, refusal, unreadable};
use cutover_domain::transfer::rows::Fingerprint;
use cutover_domain::transfer::schema::Weakened;
use cutover_domain::transfer::survey::{RejectedRow, TableSurvey};
use cutover_domain::transfer::words::counted;
use cutover_ports::transfer::{
    COUNTED_ROWS, Care, CopySession, LedgerEntry, RunStart, TransferError, TransferResult, TransferSource,
    TransferTarget, UnfinishedRun,
};
use futures_util::FutureExt;
use futures_util::future::{Either, OptionFuture, select};
use tokio::sync::Notify;

use super::order::units;
use super::progress::Progress;
use super::survey::{Answer, Question, survey};
use super::write::Writer;

/// What becomes of rows that the target cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnReject {
    /// Nothing is written.
    Fail,
    /// They are kept apart with their exact bytes; everything else is written.
    Quarantine,
}

/// What is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Tables that the target lacks are made, and rows loaded.
    Whole,
    /// Tables are made and stay empty.
    SchemaOnly,
    /// Rows are loaded into tables that are there.
    DataOnly,
}

/// How to copy.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// What becomes of rejects.
    pub on_reject: OnReject,
    /// Whether rows in the way are deleted, and tables that an earlier copy has made are made anew.
    pub replace: bool,
    /// In which zones times without one are meant.
    pub zones: LegacyZones,
    /// Rows that a schema's migrations put in: a table, and the condition that tells such a row.
    pub seeds: Vec<(String, String)>,
    /// Which tables.
    pub scope: Scope,
    /// Which types instead of the proven ones.
    pub wishes: Wishes,
    /// What of them.
    pub extent: Extent,
    /// How many connections load and build at a time.
    pub jobs: usize,
    /// Whether it is all taken back in the end.
    pub rehearsal: bool,
}

/// Whose work a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// That of this run, and of those that it went on from.
    ThisRun,
    /// All of it that of another run of the same command: one that was killed before it could tell, or that this one waited for.
    Another,
}

/// What a copy did.
#[derive(Debug, Clone)]
pub struct CopyReport {
    /// The tables, in the order in which they were loaded.
    pub tables: Vec<TableReport>,
    /// What the source has and the target did not get.
    pub not_carried: Vec<NotCarried>,
    /// Rules that hold in a weaker form.
    pub weakened: Vec<Weakened>,
    /// What has another name.
    pub renamed: Vec<Renamed>,
    /// The first rejects of each table.
    pub rejects: Vec<RejectedRow>,
    /// Whether anything was written.
    pub written: bool,
    /// Whether rows were to be loaded; else rejects are rows that will not fit when they are.
    pub loading: bool,
    /// Whether it was taken back, as asked for.
    pub rehearsal: bool,
    /// Who has written it.
    pub author: Author,
    /// The time it took.
    pub elapsed: Duration,
}

/// What a copy did with one table.
#[derive(Debug, Clone)]
pub struct TableReport {
    /// Its name in the source.
    pub name: String,
    /// Its name in the target.
    pub target: String,
    /// Whether the target lacked it.
    pub created: bool,
    /// Columns that the target lacked.
    pub added: Vec<String>,
    /// Rows read.
    pub rows_read: u64,
    /// Rows written, by this run and the ones it went on from.
    pub rows_written: u64,
    /// Rows that the target cannot hold.
    pub rejected: u64,
    /// Values stored in another spelling, by column and kind.
    pub normalised: BTreeMap<String, BTreeMap<Normalised, u64>>,
    /// Bytes of values read.
    pub bytes: u64,
    /// The time its load took, all connections together.
    pub elapsed: Duration,
}

impl CopyReport {
    /// Tells what the run gave account of at its beginning: what it has made since is in the target by now, as if it always had been.
    fn keep_to(&mut self, account: &Account) {
        self.not_carried.clone_from(&account.not_carried);
        for table in &mut self.tables {
            table.added = account.added.get(&table.target).cloned().unwrap_or_default();
        }
    }

    /// Whether every row of the source is in the target, if rows were to be loaded.
    pub fn ok(&self) -> bool {
        self.written && (!self.loading || self.tables.iter().all(|table| table.rejected == 0))
    }
}

/// Copies from `source` to `target`.
pub async fn copy(
    source: Arc<dyn TransferSource>,
    target: &dyn TransferTarget,
    options: &CopyOptions,
    progress: Arc<dyn Progress>,
) -> TransferResult<CopyReport> {
    let mut options = options.clone();
    loop {
        match attempt(Arc::clone(&source), target, &options, Arc::clone(&progress)).await {
            // From the beginning, with their values instead. The next time it is another table, or none.
            Err(TransferError::Computed { table, message }) => {
                tracing::info!(table, message, "its generated columns become plain ones");
                options.wishes.not_computed.push((table, message));
            }
            outcome => return outcome,
        }
    }
}

async fn attempt(
    source: Arc<dyn TransferSource>,
    target: &dyn TransferTarget,
    options: &CopyOptions,
    progress: Arc<dyn Progress>,
) -> TransferResult<CopyReport> {
    let begun = Instant::now();
    let job = Job {
        source,
        session: target.open(options.rehearsal).await?,
        options,
        progress,
        target: target.describe(),
    };
    let unfinished = job.unfinished().await?;
    let mut report = match unfinished {
        // Whatever this command is instead, it is judged by what is there.
        Some(run) if run.is_finished => match job.run(target, Some(run)).await {
            Err(TransferError::Refused(_) | TransferError::Usage(_)) => job.run(target, None).await?,
            outcome => CopyReport {
                author: Author::Another,
                ..outcome?
            },
        },
        run => job.run(target, run).await?,
    };
    report.elapsed = begun.elapsed();
    Ok(report)
}

/// The target as the copy is planned against it.
struct Ground {
    catalog: Catalog,
    /// Tables of the catalog that are not there yet.
    absent: std::collections::HashSet<String>,
    /// Tables that are there, and are made anew if a run begins.
    dropped: Vec<String>,
    /// Tables that an unfinished run has made, as they are now.
    begun: Vec<Table>,
    /// Tables that an unfinished run has made without computed columns: it goes on as it began.
    not_computed: Vec<(String, String)>,
    /// Tables that an unfinished run has made and that are not there any more: it cannot go on.
    missing: Vec<String>,
}

impl Ground {
    /// Tables that an unfinished run has made count as not being there, so that the same command comes to the same plan; those that an
    /// earlier copy has made do if they are to be replaced.
    async fn new(
        target: &dyn TransferTarget,
        source: &Catalog,
        unfinished: Option<&UnfinishedRun>,
        options: &CopyOptions,
    ) -> TransferResult<Self> {
        let (mut catalog, to_come) = target.catalog(source.origin.as_ref()).await?;
        let of_run = |name: &String| unfinished.is_some_and(|run| run.made.contains(name));
        let replaced = |made_for: &Option<String>| {
            let made_for = made_for
                .as_ref()
                .filter(|_| options.replace && options.extent != Extent::DataOnly);
            made_for.is_some_and(|name| {
                options.scope.includes(name) && source.tables.iter().any(|table| table.name == *name)
            })
        };
        let dropped: Vec<String> = catalog
            .tables
            .iter()
            .filter(|table| table.storage != Storage::Partitioned)
            .filter(|table| of_run(&table.name) || replaced(&table.made_for))
            .map(|table| table.name.clone())
            .collect();
        let begun = catalog.tables.iter().filter(|table| of_run(&table.name));
        let begun: Vec<Table> = begun.cloned().collect();
        let not_computed = begun
            .iter()
            .filter_map(|made| {
                let from = source
                    .tables
                    .iter()
                    .find(|from| made.made_for.as_ref() == Some(&from.name))?;
                computes_nothing(from, made).then(|| (from.name.clone(), "so was seen before".to_owned()))
            })
            .collect();
        let there = |name: &String| catalog.tables.iter().any(|table| table.name == *name);
        let made = unfinished.into_iter().flat_map(|run| &run.made);
        let mut missing: Vec<String> = made.filter(|name| !there(name)).cloned().collect();
        missing.sort_unstable();
        catalog.tables.retain(|table| !dropped.contains(&table.name));
        Ok(Self {
            absent: catalog.foresee(to_come),
            catalog,
            dropped,
            begun,
            not_computed,
            missing,
        })
    }
}

/// Whether all generated columns of a table are plain ones in the table that was made for it.
fn computes_nothing(from: &Table, made: &Table) -> bool {
    let plain = |name: &String| {
        let mut columns = made.columns.iter();
        let column = columns.find(|column| {
            let made_for = column.made_for.as_ref();
            made_for.map_or(&column.name, |made_for| &made_for.column) == name
        });
        column.is_some_and(|column| column.generated == Generated::No)
    };
    let mut generated = from
        .columns
        .iter()
        .filter(|column| column.generated != Generated::No);
    generated.all(|column| plain(&column.name))
}

struct Job<'a> {
    source: Arc<dyn TransferSource>,
    session: Arc<dyn CopySession>,
    options: &'a CopyOptions,
    progress: Arc<dyn Progress>,
    /// For messages.
    target: String,
}

/// Why an unfinished run of the same source is none that this one goes on with.
const ASKED_OTHERWISE: &str = "was asked for something else (other tables or types, --schema-only, --data-only): give the same command again, \
                               which goes on with it";

/// Why a run cannot go on whose source is not what it was; `what` of it.
fn changed_source(what: &str) -> String {
    format!("its source has changed since ({what})")
}

/// A check of the file waits for the survey of its values so long.
const CHECK_PATIENCE: Duration = Duration::from_secs(2);

impl Job<'_> {
    /// Copies, or goes on with an unfinished run.
    async fn run(
        &self,
        target: &dyn TransferTarget,
        unfinished: Option<UnfinishedRun>,
    ) -> TransferResult<CopyReport> {
        let unfinished = unfinished.as_ref();
        let catalog = self.source.catalog().await?;
        let ground = Ground::new(target, &catalog, unfinished, self.options).await?;
        let plan = self.plan(&catalog, &ground, unfinished).await?;
        let question = self.question(&ground);
        let surveyed = Notify::new();
        let survey = pin!(survey(
            &self.source,
            &catalog,
            &ground.catalog,
            plan,
            &question,
            &self.progress
        ));
        let left_out = self.options.scope.left_out(&catalog);
        let check = pin!(self.check(&left_out, &surveyed));
        let (answer, check) = match select(survey, check).await {
            Either::Left((answer, check)) => (answer?, Some(check)),
            Either::Right((checked, survey)) => {
                checked?;
                (survey.await?, None)
            }
        };
        surveyed.notify_one();
        let mut report = self.report(&answer);
        let start = self.run_start(&answer, &catalog, ground.dropped.clone());
        // The check goes on beside a load that can be taken back without a trace.
        let is_fresh = unfinished.is_none()
            && start.dropped.is_empty()
            && answer.plan.tables.iter().all(|table| table.created);
        let refused = self.refuses(&answer.surveys);
        let mut check = OptionFuture::from(check);
        if refused || !is_fresh {
            (&mut check).await.transpose()?;
            check = None.into();
        }
        if refused {
            self.session.restore(&answer.plan).await?;
            return Ok(report);
        }
        let account = self.begin_or_go_on(&answer, &start, unfinished, &ground).await?;
        report.keep_to(account);
        let check = check.map(|checked| checked.unwrap_or(Ok(())));
        let is_noted = unfinished.is_some_and(|run| run.is_finished);
        self.write(answer, &start, account, check, is_noted, &mut report)
            .await?;
        Ok(report)
    }

    /// Whether the source can be trusted. While it is surveyed both processors of a small machine are busy, and while its rows are loaded
    /// they are not always; but a damaged file may keep a survey for ever.
    async fn check(&self, left_out: &[String], surveyed: &Notify) -> TransferResult<()> {
        tokio::time::timeout(CHECK_PATIENCE, surveyed.notified())
            .await
            .unwrap_or_default();
        for index in self.source.check(left_out).await? {
            tracing::warn!(
                "{}: {index}; rows are read from the tables, where they all are, and the index is made anew in the target",
                self.source.describe()
            );
        }
        Ok(())
    }

    /// The run that did not come to its end, if there is one; or one that did, of which nobody was told, if this may be the same command.
    async fn unfinished(&self) -> TransferResult<Option<UnfinishedRun>> {
        let unfinished = self.session.open_run().await?;
        let may_be_same = |run: &UnfinishedRun| {
            run.source == self.source.describe() && !self.options.replace && !self.options.rehearsal
        };
        let unfinished = unfinished.filter(|run| !run.is_finished || may_be_same(run));
        match &unfinished {
            Some(run) if self.options.rehearsal && !self.options.replace => {
                Err(TransferError::Refused(format!(
                    "a copy of {} into {} was interrupted; finish it by the same command before a --dry-run, or add --replace",
                    run.source, self.target
                )))
            }
            _ => Ok(unfinished),
        }
    }

    /// What goes where, as far as names tell, unless it can be refused before every value is looked at.
    async fn plan(
        &self,
        catalog: &Catalog,
        ground: &Ground,
        unfinished: Option<&UnfinishedRun>,
    ) -> TransferResult<Plan> {
        if let Some((run, table)) = unfinished.zip(ground.missing.first())
            && !self.options.replace
        {
            let why = format!("the table {table}, which it had made, is not there any more");
            return Err(self.interrupted(run, &why));
        }
        let scope = &self.options.scope;
        refuse_unreadable(&self.source.describe(), catalog, |table| scope.includes(table))?;
        let mut plan = plan(catalog, &ground.catalog, &ground.absent, scope).map_err(TransferError::Usage)?;
        if let Some(reason) = refusal(&plan, catalog, &ground.catalog, &ground.absent, scope) {
            return Err(TransferError::Refused(reason));
        }
        back::make(&mut plan, catalog, &ground.catalog);
        self.refuse_to_forget(&plan, ground, unfinished)?;
        self.refuse_early(catalog, &plan, unfinished).await?;
        Ok(plan)
    }

    /// What the survey is to find out.
    fn question(&self, ground: &Ground) -> Question {
        let mut wishes = self.options.wishes.clone();
        wishes.not_computed.extend(ground.not_computed.iter().cloned());
        Question {
            wishes,
            zones: self.options.zones.clone(),
        }
    }

    /// Whether rows that do not fit keep the others from being written.
    fn refuses(&self, surveys: &[TableSurvey]) -> bool {
        self.options.extent != Extent::SchemaOnly
            && self.options.on_reject == OnReject::Fail
            && surveys.iter().any(|survey| survey.rejected > 0)
    }

    /// A run forgets the one before it: nobody would know any more that other tables of an unfinished one are not whole.
    fn refuse_to_forget(
        &self,
        plan: &Plan,
        ground: &Ground,
        unfinished: Option<&UnfinishedRun>,
    ) -> TransferResult<()> {
        let Some(run) = unfinished.filter(|run| self.options.replace && !run.is_finished) else {
            return Ok(());
        };
        let is_meant = |table: &String| plan.tables.iter().any(|planned| planned.target == *table);
        let others = run
            .tables
            .keys()
            .filter(|table| !is_meant(table) && !ground.missing.contains(table));
        let mut others: Vec<&str> = others.map(String::as_str).collect();
        others.sort_unstable();
        if others.is_empty() {
            return Ok(());
        }
        Err(TransferError::Refused(format!(
            "a copy of {} into {} was interrupted, and other tables than these are not whole ({}): finish it by its own command, copy those \
             tables along, or drop them first",
            run.source,
            self.target,
            others.join(", ")
        )))
    }

    /// What can be refused before every value is looked at.
    async fn refuse_early(
        &self,
        catalog: &Catalog,
        plan: &Plan,
        unfinished: Option<&UnfinishedRun>,
    ) -> TransferResult<()> {
        refuse_nothing(self.source.as_ref(), catalog, plan).await?;
        let missing = plan.tables.iter().find(|table| table.created);
        if let Some(table) = missing.filter(|_| self.options.extent == Extent::DataOnly) {
            // What an unfinished run has made counts as missing: it is not whole.
            if let Some(run) = unfinished.filter(|run| run.made.contains(&table.target))
                && !self.options.replace
            {
                return Err(self.interrupted(run, ASKED_OTHERWISE));
            }
            return Err(TransferError::Usage(format!(
                "the target has no table {}; make it first (--schema-only), or copy without --data-only",
                table.source.name
            )));
        }
        if unfinished.is_none() && !self.options.replace {
            self.refuse_occupied(plan).await?;
        }
        Ok(())
    }

    async fn refuse_occupied(&self, plan: &Plan) -> TransferResult<()> {
        let occupied = self.session.occupied(plan, &self.options.seeds).await?;
        let Some((table, rows)) = occupied.first() else {
            return Ok(());
        };
        // Whatever a dead run of another source left behind is put right, even when this run goes no further.
        self.session.restore(plan).await?;
        let others = match occupied.len() as u64 {
            1 => String::new(),
            count => format!(", as {} more", counted(count - 1, "table")),
        };
        let at_least = if *rows < COUNTED_ROWS { "" } else { "at least " };
        Err(TransferError::Refused(format!(
            "the table {table} of {} has rows already ({at_least}{}){others}; nothing was written. Empty what is in the way, or copy with \
             --replace, which deletes it",
            self.target,
            counted(*rows, "row")
        )))
    }

    /// Starts a run, or goes on with the one that did not come to its end if it was about the same source and what it made is still there
    /// as it left it. Returned is what the run gave account of at its beginning.
    async fn begin_or_go_on<'a>(
        &self,
        answer: &Answer,
        start: &'a RunStart,
        unfinished: Option<&'a UnfinishedRun>,
        ground: &Ground,
    ) -> TransferResult<&'a Account> {
        let session = &self.session;
        let plan = &answer.plan;
        let Some(run) = unfinished else {
            session.start(plan, &answer.schema, start).await?;
            return Ok(&start.account);
        };
        let account = run.account.as_ref().unwrap_or(&start.account);
        let is_same =
            run.fingerprint == start.fingerprint && ground.missing.is_empty() && !self.options.rehearsal;
        let changed = if is_same {
            self.changed(plan, ground, account, &start.account).await?
        } else {
            None
        };
        if is_same && changed.is_none() {
            // Of one at its end no row is to come.
            if !run.is_finished {
                session.refuse_triggers(plan).await?;
            }
            return Ok(account);
        }
        session.restore(plan).await?;
        if self.options.replace {
            session.start(plan, &answer.schema, start).await?;
            return Ok(&start.account);
        }
        if let Some(why) = changed {
            return Err(self.interrupted(run, &why));
        }
        let is_changed = |table: &&String| {
            run.tables
                .get(*table)
                .is_some_and(|seen| start.tables.get(*table) != Some(seen))
        };
        let mut changed: Vec<&str> = start
            .tables
            .keys()
            .filter(is_changed)
            .map(String::as_str)
            .collect();
        changed.sort_unstable();
        let why = if run.source != start.source {
            format!(
                "{} is another source: finish that copy first, by its own command",
                start.source
            )
        } else if changed.is_empty() {
            ASKED_OTHERWISE.to_owned()
        } else {
            changed_source(&changed.join(", "))
        };
        Err(self.interrupted(run, &why))
    }

    /// What somebody has done to the tables of an unfinished run, or to the schema that they were made of: then it cannot go on.
    async fn changed(
        &self,
        plan: &Plan,
        ground: &Ground,
        before: &Account,
        now: &Account,
    ) -> TransferResult<Option<String>> {
        let objects = before.changed_objects(now);
        if !objects.is_empty() {
            return Ok(Some(changed_source(&objects.join(", "))));
        }
        if let Some(altered) = altered(plan, &ground.begun) {
            return Ok(Some(altered));
        }
        let disturbed = self.session.disturbed(plan).await?;
        Ok(disturbed.first().map(|(table, rows, written)| {
            format!("somebody has changed {table} since: it has {rows} rows, and {written} were written")
        }))
    }

    /// Loads the rows, builds what belongs to the tables and notes in the ledger that it is done, unless that `is_noted`; all of which
    /// `report` is told.
    async fn write(
        &self,
        answer: Answer,
        start: &RunStart,
        account: &Account,
        check: impl Future<Output = TransferResult<()>>,
        is_noted: bool,
        report: &mut CopyReport,
    ) -> TransferResult<()> {
        let plan = Arc::new(answer.plan);
        let loads = self.options.extent != Extent::SchemaOnly;
        let replaced = replaced(&plan, start);
        let writer = Writer {
            source: &self.source,
            session: &self.session,
            progress: &self.progress,
            jobs: self.options.jobs,
            plan: &plan,
            surveys: &answer.surveys,
            schema: &answer.schema,
            zones: loads.then_some(&self.options.zones),
            rehearsal: self.options.rehearsal,
            replaced: &replaced,
            care: match self.options.on_reject {
                OnReject::Fail => Care::Naming,
                OnReject::Quarantine => Care::KeepingApart,
            },
        };
        let written = writer.write(check).await?;
        for (table, loaded) in report.tables.iter_mut().zip(written.tables) {
            table.rows_written = loaded.written;
            table.rejected = table.rejected.max(loaded.rejected);
            table.elapsed = loaded.elapsed;
            report.rejects.extend(loaded.refused);
            for (column, rows) in loaded.computed {
                let kinds = table.normalised.entry(column).or_default();
                *kinds.entry(Normalised::Computed).or_default() += rows;
            }
        }
        report.weakened.extend(written.weakened);
        let left = |error| writer.left(error);
        let restored = self.session.restore(&plan).await.map_err(left)?;
        report.weakened.extend(restored);
        let entries = if loads && !is_noted {
            entries(start, &plan, &answer.surveys)
        } else {
            vec![]
        };
        let account = Account {
            weakened: report.weakened.clone(),
            ..account.clone()
        };
        let finished = self.session.finish(&plan, &entries, &account).await;
        let finished = finished.map_err(left)?;
        report.weakened.extend(finished);
        report.written = true;
        Ok(())
    }

    /// The refusal of what does not go on with an unfinished run, and does not replace it either.
    fn interrupted(&self, run: &UnfinishedRun, why: &str) -> TransferError {
        TransferError::Refused(format!(
            "a copy of {} into {} was interrupted, and {why}; copy with --replace to start from the beginning, which deletes what was copied",
            run.source, self.target
        ))
    }

    fn report(&self, answer: &Answer) -> CopyReport {
        let tables = answer.plan.tables.iter().zip(&answer.surveys);
        CopyReport {
            tables: tables.map(|(plan, survey)| table_report(plan, survey)).collect(),
            not_carried: answer.plan.not_carried.clone(),
            weakened: answer.schema.weakened.clone(),
            renamed: answer.plan.renamed.clone(),
            rejects: answer
                .surveys
                .iter()
                .flat_map(|survey| survey.rejects.clone())
                .collect(),
            written: false,
            loading: self.options.extent != Extent::SchemaOnly,
            rehearsal: self.options.rehearsal,
            author: Author::ThisRun,
            elapsed: Duration::ZERO,
        }
    }

    /// What a run is known by. What a run that is gone on with was asked to do must be the same as well.
    fn run_start(&self, answer: &Answer, catalog: &Catalog, dropped: Vec<String>) -> RunStart {
        let mut whole = Fingerprint::default();
        match self.options.extent {
            // It would go on with a run that loads rows, load none, and note it as finished.
            Extent::SchemaOnly => whole.add_bytes(b"schema only"),
            // The same, where all tables are there; and where not, rows alone are refused.
            Extent::Whole | Extent::DataOnly => {}
        }
        let mut tables = HashMap::new();
        let mut parts = HashMap::new();
        // By name: what the first run has made changes the order of loading in the next.
        let mut named: Vec<(&TablePlan, &TableSurvey)> =
            answer.plan.tables.iter().zip(&answer.surveys).collect();
        named.sort_by(|(a, _), (b, _)| a.target.cmp(&b.target));
        for (plan, survey) in named {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add_bytes(&survey.content.to_bytes());
            fingerprint.add_bytes(&survey.rows.to_le_bytes());
            for column in &plan.columns {
                fingerprint.add_bytes(column.source.as_bytes());
            }
            // What is made of the rows is no matter of the source, but of the run.
            for column in &plan.columns {
                whole.add_bytes(column.note().as_bytes());
            }
            whole.add_bytes(&survey.rejected.to_le_bytes());
            whole.add_bytes(plan.target.as_bytes());
            whole.add_bytes(fingerprint.to_string().as_bytes());
            tables.insert(plan.target.clone(), fingerprint.to_string());
            let units = units(0, plan, survey).len();
            parts.insert(plan.target.clone(), u32::try_from(units).unwrap_or(u32::MAX));
        }
        let origin = catalog.origin.clone();
        let origin = origin.filter(|_| catalog.engine == Engine::Sqlite);
        RunStart {
            account: Account::of(&answer.plan, origin.as_ref()),
            source: self.source.describe(),
            fingerprint: whole.to_string(),
            tables,
            parts,
            replace: self.options.replace,
            dropped,
            origin,
            seeds: self.options.seeds.clone(),
            loads: self.options.extent != Extent::SchemaOnly,
        }
    }
}

/// A source of which no table is copied: the path is wrong, or the schema, or the choice of tables.
pub(super) async fn refuse_nothing(
    source: &dyn TransferSource,
    catalog: &Catalog,
    plan: &Plan,
) -> TransferResult<()> {
    if !plan.tables.is_empty() {
        return Ok(());
    }
    let why = if catalog.tables.is_empty() {
        let beside = source.schemas_beside().await?;
        if beside.is_empty() {
            String::new()
        } else {
            format!(
                " in the schema {}; there are some in {}: name the one that is meant by --schema",
                catalog.schema,
                beside.join(", ")
            )
        }
    } else {
        " but those that were left out".to_owned()
    };
    Err(TransferError::Usage(format!(
        "{} has no tables{why}",
        source.describe()
    )))
}

/// A table that is wanted, and of which nobody can say what it is.
pub(super) fn refuse_unreadable(
    place: &str,
    catalog: &Catalog,
    wants: impl Fn(&str) -> bool,
) -> TransferResult<()> {
    match unreadable(catalog, wants) {
        Some(reason) => Err(TransferError::Unreachable(format!(
            "cannot read {place}: {reason}"
        ))),
        None => Ok(()),
    }
}

/// The tables that a run has deleted the rows of, or made anew.
fn replaced(plan: &Plan, start: &RunStart) -> Vec<String> {
    let there = plan.tables.iter().filter(|table| !table.created);
    let there = there.map(|table| &table.target).chain(&start.dropped);
    there.filter(|_| start.replace).cloned().collect()
}

fn table_report(plan: &TablePlan, survey: &TableSurvey) -> TableReport {
    TableReport {
        name: plan.source.name.clone(),
        target: plan.target.clone(),
        created: plan.created,
        added: plan.columns_made(),
        rows_read: survey.rows,
        rows_written: 0,
        rejected: survey.rejected,
        normalised: survey.normalised(plan),
        bytes: survey.bytes,
        elapsed: Duration::ZERO,
    }
}

fn entries(start: &RunStart, plan: &Plan, surveys: &[TableSurvey]) -> Vec<LedgerEntry> {
    let entry = |(plan, survey): (&TablePlan, &TableSurvey)| LedgerEntry {
        table: plan.target.clone(),
        source: start.source.clone(),
        fingerprint: start.tables.get(&plan.target).cloned().unwrap_or_default(),
        rows: survey.rows,
        max_rowid: survey.max_rowid,
        ..LedgerEntry::default()
    };
    plan.tables.iter().zip(surveys).map(entry).collect()
}
