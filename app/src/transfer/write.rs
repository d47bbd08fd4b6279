//! What a copy writes, once it is known what: rows, then indexes, keys, constraints and identities, each noted with what it makes.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_domain::time::LegacyZones;
use cutover_domain::transfer::catalog::Engine;
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::schema::{Schema, Stage, Step, Weakened};
use cutover_domain::transfer::survey::{RejectedRow, TableSurvey};
use cutover_domain::transfer::words::{counted, grouped};
use cutover_ports::transfer::{
    Care, CopySession, LoadPart, Range, TableProgress, TransferError, TransferResult, TransferSource,
};
use futures_util::future::{BoxFuture, FutureExt, TryFutureExt};
use tokio::sync::mpsc;

use super::progress::{Phase, Progress, Work};
use super::spread::spread_heaviest;
use super::survey::scan;

/// A part of a table that is loaded by itself holds about this many bytes.
const PART_BYTES: u64 = 64 * 1024 * 1024;
/// A row in a column of an index takes about the time in which so many bytes are loaded.
const INDEXED_VALUE: u64 = 32;

/// Writes what was planned.
pub(super) struct Writer<'a> {
    pub(super) source: &'a Arc<dyn TransferSource>,
    pub(super) session: &'a Arc<dyn CopySession>,
    pub(super) progress: &'a Arc<dyn Progress>,
    /// How many connections load and build at a time.
    pub(super) jobs: usize,
    pub(super) plan: &'a Arc<Plan>,
    /// By table of the plan.
    pub(super) surveys: &'a [TableSurvey],
    pub(super) schema: &'a Schema,
    /// In which zones times without one are meant; none if the tables stay empty.
    pub(super) zones: Option<&'a LegacyZones>,
    /// Whether it is all taken back in the end.
    pub(super) rehearsal: bool,
    /// The tables whose rows were deleted before, as asked for.
    pub(super) replaced: &'a [String],
    /// How rows are met that the target refuses although they were judged to fit.
    pub(super) care: Care,
}

/// What was written.
#[derive(Default)]
pub(super) struct Written {
    /// By table of the plan.
    pub(super) tables: Vec<Loaded>,
    /// What holds in a weaker form, each with its step.
    pub(super) weakened: Vec<(usize, Weakened)>,
}

impl Writer<'_> {
    /// Writes it all, while `proven` goes on. Should that fail, or a row be refused, then nothing was written.
    pub(super) async fn write(
        &self,
        proven: impl Future<Output = TransferResult<()>>,
    ) -> TransferResult<Written> {
        let count = u64::try_from(self.schema.steps.len()).unwrap_or(0);
        let build: Arc<dyn Work> = self
            .progress
            .begin(Phase::Build, "keys, indexes and constraints", Some(count), 0)
            .into();
        let (whole, wholes) = mpsc::unbounded_channel();
        let writing = async {
            let mut written = self.load(&build).await.map_err(Failure::of_step)?;
            self.refuse_short(&written).map_err(Failure::of_all)?;
            let finish = self.finish(&build, &written, &whole);
            written.weakened.extend(finish.await.map_err(Failure::of_step)?);
            // The last table is whole.
            drop(whole);
            written.weakened.sort_by_key(|(step, _)| *step);
            Ok(written)
        };
        let proven = proven.map_err(Failure::of_all);
        let analysis = self.analyze(wholes).map_err(Failure::of_step);
        let outcome = tokio::try_join!(writing, analysis, proven);
        match outcome {
            Ok((written, (), ())) => Ok(written),
            Err(Failure { error, undo: false }) => Err(self.left(error)),
            Err(Failure { error, undo: true }) => Err(match self.session.undo(self.plan).await {
                Ok(()) => error.and(&self.taken_back()),
                Err(undo) => not_taken_back(error, &undo),
            }),
        }
    }

    /// What is left of a copy that was undone.
    fn taken_back(&self) -> String {
        let written = "what had been written was taken back";
        if self.replaced.is_empty() || self.rehearsal {
            return written.to_owned();
        }
        format!(
            "{written}, and the rows that --replace had deleted before are gone: those of {}",
            self.replaced.join(", ")
        )
    }

    /// The error of a writer whose work stays, and that is no mistake of the moment: those say that the copy goes on.
    pub(super) fn left(&self, error: TransferError) -> TransferError {
        match error {
            TransferError::Refused(_) | TransferError::Failed(_) if !self.rehearsal => error.and(
                "what is written stays, and the copy is unfinished: when that is mended, the same command goes on from where it was",
            ),
            other => other,
        }
    }

    /// Refuses a load that has come to its end without all rows that the survey has seen, written or kept apart, by this run or by those that
    /// it has gone on from: whatever the reason, its parts count as done, and nobody would ever look at them again.
    fn refuse_short(&self, written: &Written) -> TransferResult<()> {
        let loaded = self.plan.tables.iter().zip(self.surveys).zip(&written.tables);
        let mut loaded = loaded.filter(|_| self.zones.is_some());
        match loaded.find(|((_, survey), loaded)| loaded.written + loaded.rejected != survey.rows) {
            None => Ok(()),
            Some(((plan, survey), loaded)) => Err(TransferError::Failed(format!(
                "the table {} has {}, and {} came to be written; this is a mistake of Cutover. Copy again",
                plan.source.name,
                counted(survey.rows, "row"),
                grouped(loaded.written + loaded.rejected)
            ))),
        }
    }

    /// Loads all tables: those that are there one after the other, because their foreign keys watch; then those that are made, several
    /// parts at a time, and each one's indexes as soon as its rows are there. A connection with nothing else left to do makes the figures of
    /// tables of which nothing is left.
    async fn load(&self, build: &Arc<dyn Work>) -> TransferResult<Written> {
        let mut waiting = Waiting::new(self.steps(&[Stage::Index]), self.surveys);
        let mut loads = Vec::new();
        let (mut watched, mut free) = (Vec::new(), Vec::new());
        for (at, (plan, survey)) in self.plan.tables.iter().zip(self.surveys).enumerate() {
            let Some(zones) = self.zones else {
                free.extend(waiting.expect(at, 0));
                continue;
            };
            let units = units(at, plan, survey);
            free.extend(waiting.expect(at, units.len()));
            loads.push(Arc::new(self.table_load(plan, survey, &units, zones).await?));
            let bytes: u64 = units.iter().map(|unit| unit.part.bytes).sum();
            let weight = bytes.saturating_add(waiting.longest(at));
            let units = units.into_iter().map(|unit| Task::Load(unit, weight));
            if plan.created { &mut free } else { &mut watched }.extend(units);
        }
        let work = |task| self.task(&loads, build, task);
        // A file has one writer.
        let to_file = self
            .plan
            .tables
            .iter()
            .any(|table| table.engine == Engine::Sqlite);
        let jobs = if to_file { 1 } else { self.jobs };
        let figures = self.needs_figures();
        let mut at_hand = watched.len() + free.len();
        let mut then = |done: &Done| {
            let mut next = waiting.next(done);
            at_hand = at_hand.saturating_sub(1) + next.len();
            if figures && (1..jobs).contains(&at_hand) {
                let finished = waiting.finished().map(Task::Figures);
                next.extend(finished.inspect(|_| at_hand += 1));
            }
            next
        };
        let mut done = spread_heaviest(1, watched, |_| 0, work, &mut then).await?;
        done.extend(spread_heaviest(jobs, free, Task::weight, work, &mut then).await?);
        Ok(Written::of(done, self.plan.tables.len()))
    }

    fn task(
        &self,
        loads: &[Arc<TableLoad>],
        build: &Arc<dyn Work>,
        task: Task,
    ) -> BoxFuture<'static, TransferResult<Done>> {
        let session = Arc::clone(self.session);
        match task {
            Task::Figures(table) => {
                let name = self.plan.tables.get(table).map(|table| table.target.clone());
                let work = async move {
                    session.analyze(&name.unwrap_or_default()).await?;
                    Ok(Done {
                        table,
                        what: What::Analyzed,
                    })
                };
                work.boxed()
            }
            Task::Load(unit, _) => {
                let load = loads.get(unit.table).map(Arc::clone);
                let source = Arc::clone(self.source);
                let work = async move {
                    let begun = Instant::now();
                    let mut loaded = match load {
                        Some(load) => load.run(source.as_ref(), session.as_ref(), &unit).await?,
                        None => Loaded::default(),
                    };
                    loaded.elapsed = begun.elapsed();
                    Ok(Done {
                        table: unit.table,
                        what: What::Loaded(loaded),
                    })
                };
                work.boxed()
            }
            Task::Index(index) => {
                let (plan, build) = (Arc::clone(self.plan), Arc::clone(build));
                let work = async move {
                    let weakened = session.make(&index.step, &plan).await?;
                    build.advance(1, 0);
                    Ok(Done {
                        table: index.table,
                        what: What::Indexed(index.at, weakened),
                    })
                };
                work.boxed()
            }
        }
    }

    async fn table_load(
        &self,
        table: &TablePlan,
        survey: &TableSurvey,
        units: &[Unit],
        zones: &LegacyZones,
    ) -> TransferResult<TableLoad> {
        let mut done = 0;
        for unit in units {
            let progress = self.session.progress(&table.target, unit.part.number).await?;
            done += progress.position.rows;
        }
        let rows = Some(survey.rows);
        Ok(TableLoad {
            table: table.clone(),
            duplicates: survey.duplicates.clone(),
            converter: Converter {
                // The survey has seen these very rows: they are looked at again only where some are refused.
                proven: survey.rejected == 0,
                zone: zones.of(&table.source.name),
            },
            work: self.progress.begin(Phase::Load, &table.target, rows, done),
            care: self.care,
        })
    }

    /// By table of the plan, its steps of such stages, each with its number.
    fn steps(&self, stages: &[Stage]) -> Vec<Vec<(usize, Step)>> {
        let places = self.plan.tables.iter().enumerate();
        let places: HashMap<&str, usize> = places.map(|(at, table)| (table.target.as_str(), at)).collect();
        let mut of_tables = vec![Vec::new(); self.plan.tables.len()];
        let steps = self.schema.steps.iter().enumerate();
        for (at, step) in steps.filter(|(_, step)| stages.contains(&step.stage)) {
            let place = places.get(step.table.as_str());
            if let Some(of_table) = place.and_then(|place| of_tables.get_mut(*place)) {
                of_table.push((at, step.clone()));
            }
        }
        of_tables
    }

    /// Makes what locks more than one table, then what holds constraints against rows. Then a table is `whole`: nothing locks it any more,
    /// and its figures can be made if they are not.
    async fn finish(
        &self,
        build: &Arc<dyn Work>,
        written: &Written,
        whole: &mpsc::UnboundedSender<usize>,
    ) -> TransferResult<Vec<(usize, Weakened)>> {
        let mut weakened = Vec::new();
        for stage in [Stage::Key, Stage::Constraint] {
            let steps = self.schema.steps.iter().enumerate();
            for (at, step) in steps.filter(|(_, step)| step.stage == stage) {
                let made = self.session.make(step, self.plan).await?;
                weakened.extend(made.map(|weakened| (at, weakened)));
                build.advance(1, 0);
            }
        }
        let last = self.steps(&[Stage::Validation, Stage::Identity]);
        let tables = last.into_iter().zip(self.surveys).enumerate();
        let tables = tables.map(|(at, (steps, survey))| (at, survey.rows, steps));
        let work = |(at, _, steps): (usize, u64, Vec<(usize, Step)>)| {
            let (session, plan) = (Arc::clone(self.session), Arc::clone(self.plan));
            let is_analyzed = written.tables.get(at).is_some_and(|table| table.analyzed);
            let whole = (self.needs_figures() && !is_analyzed).then(|| whole.clone());
            let build = Arc::clone(build);
            async move {
                let mut weakened = Vec::new();
                // The steps of one table lock each other out.
                for (step_at, step) in &steps {
                    let made = session.make(step, &plan).await?;
                    weakened.extend(made.map(|weakened| (*step_at, weakened)));
                    build.advance(1, 0);
                }
                if let Some(whole) = whole {
                    // Nobody listens after an error.
                    whole.send(at).unwrap_or_default();
                }
                Ok(weakened)
            }
        };
        // The figures of those that are whole are made beside the one that takes longest: several at a time begin with it, one ends with it.
        let weight = |(_, rows, _): &(usize, u64, Vec<(usize, Step)>)| match self.jobs {
            1 => u64::MAX - rows,
            _ => *rows,
        };
        let made = spread_heaviest(self.jobs, tables.collect(), weight, work, |_| vec![]).await?;
        weakened.extend(made.into_iter().flatten());
        Ok(weakened)
    }

    /// Has the figures for the planner made of tables as they become whole, one after the other, beside the rest of the work.
    async fn analyze(&self, mut wholes: mpsc::UnboundedReceiver<usize>) -> TransferResult<()> {
        while let Some(at) = wholes.recv().await {
            if let Some(table) = self.plan.tables.get(at) {
                self.session.analyze(&table.target).await?;
            }
        }
        Ok(())
    }

    /// Whether the planner is to know of the rows: those that stay.
    fn needs_figures(&self) -> bool {
        self.zones.is_some() && !self.rehearsal
    }
}

/// Why a writer has stopped.
struct Failure {
    error: TransferError,
    /// Whether nothing of what it has written may stay: rather all or nothing. Else it can be gone on with.
    undo: bool,
}

impl Failure {
    /// A step of the writing has failed. A row that the survey could not foresee is met as those that it did foresee.
    fn of_step(error: TransferError) -> Self {
        let undo = matches!(error, TransferError::Data { .. } | TransferError::Computed { .. });
        Self { error, undo }
    }

    /// What is written must not have been.
    fn of_all(error: TransferError) -> Self {
        Self { error, undo: true }
    }
}

/// The error of a writer whose work could not be undone. It stays the one that is told.
fn not_taken_back(error: TransferError, undo: &TransferError) -> TransferError {
    let error = match error {
        // What was written is in the way of another attempt.
        TransferError::Computed { .. } => TransferError::Failed(error.to_string()),
        other => other,
    };
    error.and(&format!(
        "what had been written could not be taken back ({undo}): when that is mended, copy with --replace, which deletes it"
    ))
}

impl Written {
    fn of(done: Vec<Done>, tables: usize) -> Self {
        let mut written = Self::default();
        written.tables.resize_with(tables, Loaded::default);
        for done in done {
            match (done.what, written.tables.get_mut(done.table)) {
                (What::Loaded(loaded), Some(table)) => {
                    table.written += loaded.written;
                    table.rejected += loaded.rejected;
                    table.elapsed += loaded.elapsed;
                    table.refused.extend(loaded.refused);
                    table.computed.extend(loaded.computed);
                }
                (What::Indexed(at, Some(one)), _) => written.weakened.push((at, one)),
                (What::Analyzed, Some(table)) => table.analyzed = true,
                (What::Loaded(_) | What::Indexed(..) | What::Analyzed, _) => {}
            }
        }
        written
    }
}

/// What a connection takes on.
enum Task {
    /// A part of a table. It weighs what its whole table does, with the longest index, which waits for all parts: else that is left alone
    /// with one connection in the end.
    Load(Unit, u64),
    Index(Index),
    /// What the planner knows of a table of the plan.
    Figures(usize),
}

/// An index to be built.
struct Index {
    /// Which step of the schema it is.
    at: usize,
    step: Step,
    /// Which table of the plan it is on.
    table: usize,
    weight: u64,
}

impl Task {
    fn weight(&self) -> u64 {
        match self {
            Self::Load(_, weight) => *weight,
            Self::Index(index) => index.weight,
            Self::Figures(_) => 0,
        }
    }
}

/// What came of a task.
struct Done {
    table: usize,
    what: What,
}

enum What {
    Loaded(Loaded),
    /// The step, and in which weaker form it holds, if it does.
    Indexed(usize, Option<Weakened>),
    Analyzed,
}

/// What became of rows.
#[derive(Default)]
pub(super) struct Loaded {
    /// Rows written, by this run and the ones it went on from.
    pub(super) written: u64,
    /// Rows kept apart.
    pub(super) rejected: u64,
    /// The time it took, all connections together.
    pub(super) elapsed: Duration,
    /// Rows that the target refused although they were judged to fit.
    pub(super) refused: Vec<RejectedRow>,
    /// In how many rows a column was left to the target, which computes it.
    pub(super) computed: Vec<(String, u64)>,
    /// Whether the planner knows of the rows.
    analyzed: bool,
}

/// What waits for the rows of each table of the plan.
struct Waiting {
    tables: Vec<Pending>,
}

struct Pending {
    /// Indexes that wait for rows.
    indexes: Vec<Index>,
    /// Parts yet to be loaded, and indexes yet to be built.
    unfinished: usize,
    /// Whether somebody was told that none is left.
    told: bool,
}

impl Waiting {
    fn new(indexes: Vec<Vec<(usize, Step)>>, surveys: &[TableSurvey]) -> Self {
        let tables = indexes.into_iter().zip(surveys).enumerate();
        let tables = tables.map(|(table, (indexes, survey))| {
            let indexes = indexes.into_iter().map(|(at, step)| Index {
                at,
                weight: survey.rows.saturating_mul(INDEXED_VALUE * step.work.width()),
                step,
                table,
            });
            let indexes: Vec<Index> = indexes.collect();
            Pending {
                unfinished: indexes.len(),
                indexes,
                told: false,
            }
        });
        Self {
            tables: tables.collect(),
        }
    }

    /// So many parts of a table will be loaded. Without any, its indexes need not wait.
    fn expect(&mut self, table: usize, parts: usize) -> Vec<Task> {
        let Some(pending) = self.tables.get_mut(table) else {
            return vec![];
        };
        pending.unfinished += parts;
        pending.ready()
    }

    /// The weight of the index of a table that takes longest.
    fn longest(&self, table: usize) -> u64 {
        let indexes = self
            .tables
            .get(table)
            .into_iter()
            .flat_map(|table| &table.indexes);
        indexes.map(|index| index.weight).max().unwrap_or(0)
    }

    /// What can be done after this.
    fn next(&mut self, done: &Done) -> Vec<Task> {
        let Some(pending) = self.tables.get_mut(done.table) else {
            return vec![];
        };
        if matches!(done.what, What::Analyzed) {
            return vec![];
        }
        pending.unfinished = pending.unfinished.saturating_sub(1);
        pending.ready()
    }

    /// The tables of which nothing is left, each once.
    fn finished(&mut self) -> impl Iterator<Item = usize> {
        let tables = self.tables.iter_mut().enumerate();
        let finished = tables.filter(|(_, table)| table.unfinished == 0 && !table.told);
        finished.map(|(at, table)| {
            table.told = true;
            at
        })
    }
}

impl Pending {
    fn ready(&mut self) -> Vec<Task> {
        // What is unfinished beside them are parts.
        if self.unfinished > self.indexes.len() {
            return vec![];
        }
        let indexes = std::mem::take(&mut self.indexes);
        indexes.into_iter().map(Task::Index).collect()
    }
}

/// A part of a table to be loaded.
#[derive(Clone)]
pub(super) struct Unit {
    table: usize,
    part: LoadPart,
    range: Range,
}

impl From<TableProgress> for Loaded {
    fn from(progress: TableProgress) -> Self {
        Self {
            written: progress.written,
            rejected: progress.rejected,
            ..Self::default()
        }
    }
}

/// The load of one table.
struct TableLoad {
    table: TablePlan,
    duplicates: Vec<u64>,
    converter: Converter,
    work: Box<dyn Work>,
    /// How the target's refusals are met once there was one.
    care: Care,
}

impl TableLoad {
    /// Loads a part; a constraint that refuses rows is set aside and the rest of the step done again. So it is if the target refuses a row
    /// for itself, with more care.
    async fn run(
        &self,
        source: &dyn TransferSource,
        session: &dyn CopySession,
        unit: &Unit,
    ) -> TransferResult<Loaded> {
        let mut care = Care::None;
        let mut told = 0;
        loop {
            let at = session.progress(&self.table.target, unit.part.number).await?;
            if at.done {
                return Ok(Loaded::from(at));
            }
            told = at.position.rows.max(told);
            match self.run_from(source, session, unit, (at, &mut told), care).await {
                // What is computed may be what is refused: SQLite knows infinity where PostgreSQL has an overflow.
                Err(TransferError::Data { message, .. }) if !self.table.computed.is_empty() => {
                    let table = self.table.source.name.clone();
                    return Err(TransferError::Computed { table, message });
                }
                Err(TransferError::Data { .. }) if care == Care::None => care = self.care,
                Err(TransferError::Constraint {
                    table,
                    constraint,
                    message,
                }) => {
                    tracing::info!(
                        table,
                        constraint,
                        message,
                        "a constraint is set aside while rows are loaded"
                    );
                    session.relax(&table, &constraint).await?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Loads a part from a place on. Rows before the place that was `told` are those of an attempt before this one.
    async fn run_from(
        &self,
        source: &dyn TransferSource,
        session: &dyn CopySession,
        unit: &Unit,
        (at, told): (TableProgress, &mut u64),
        care: Care,
    ) -> TransferResult<Loaded> {
        let (converter, duplicates) = (self.converter.clone(), &self.duplicates);
        let mut loader = session
            .load(&self.table, unit.part, converter, duplicates, care)
            .await?;
        let mut batches = source.scan(scan(&self.table, unit.range, at.position)).await?;
        let mut rows = at.position.rows;
        while let Some(batch) = batches.next().await? {
            rows += u64::try_from(batch.len()).unwrap_or(0);
            let bytes = batch.size();
            loader.write(batch).await?;
            if rows > *told {
                self.work.advance(rows - *told, bytes);
                *told = rows;
            }
        }
        let progress = loader.finish().await?;
        Ok(Loaded {
            refused: loader.refused(),
            computed: loader.computed(),
            ..Loaded::from(progress)
        })
    }
}

/// The parts in which a table is loaded: the same ones each time, for the same rows.
pub(super) fn units(table: usize, plan: &TablePlan, survey: &TableSurvey) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut unit = Unit {
        table,
        part: LoadPart {
            number: 0,
            is_whole: false,
            bytes: 0,
        },
        range: Range::default(),
    };
    let divided = plan.created && plan.unproven_keys.is_empty() && plan.engine == Engine::Postgres;
    let marks = if divided { survey.marks.as_slice() } else { &[] };
    for (at, mark) in marks.iter().enumerate() {
        unit.part.bytes += mark.bytes;
        if unit.part.bytes >= PART_BYTES && at + 1 < marks.len() {
            unit.range.up_to = Some(mark.rowid);
            let next = Unit {
                table,
                part: LoadPart {
                    number: unit.part.number + 1,
                    bytes: 0,
                    ..unit.part
                },
                range: Range {
                    after: Some(mark.rowid),
                    up_to: None,
                },
            };
            units.push(std::mem::replace(&mut unit, next));
        }
    }
    if marks.is_empty() {
        unit.part.bytes = survey.bytes;
    }
    unit.part.is_whole = plan.created && units.is_empty();
    units.push(unit);
    units
}
