//! What a copy writes, once it is known what: rows, then indexes, keys, constraints and identities, each noted with what it makes.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_domain::time::LegacyZones;
use cutover_domain::transfer::catalog::Engine;
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::schema::{Schema, Weakened};
use cutover_domain::transfer::survey::{RejectedRow, TableSurvey};
use cutover_domain::transfer::words::{counted, grouped};
use cutover_ports::transfer::{
    Care, CopySession, TableProgress, TransferError, TransferResult, TransferSource,
};
use futures_util::future::{BoxFuture, FutureExt, TryFutureExt};

use super::order::{self, Piece, Unit, order};
use super::progress::{Phase, Progress, Work};
use super::survey::scan;

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
    /// What holds in a weaker form, in the order of the schema's steps.
    pub(super) weakened: Vec<Weakened>,
}

impl Writer<'_> {
    /// Writes it all, while `proven` goes on. Should that fail, or a row be refused, then nothing was written.
    pub(super) async fn write(
        &self,
        proven: impl Future<Output = TransferResult<()>>,
    ) -> TransferResult<Written> {
        let writing = async {
            let written = self.work().await.map_err(Failure::of_step)?;
            self.refuse_short(&written).map_err(Failure::of_all)?;
            Ok(written)
        };
        let outcome = tokio::try_join!(writing, proven.map_err(Failure::of_all));
        match outcome {
            Ok((written, ())) => Ok(written),
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

    /// Loads all tables and makes what belongs to them, each piece as soon as what it needs is there.
    async fn work(&self) -> TransferResult<Written> {
        let count = u64::try_from(self.schema.steps.len()).unwrap_or(0);
        let build: Arc<dyn Work> = self
            .progress
            .begin(Phase::Build, "keys, indexes and constraints", Some(count), 0)
            .into();
        let (mut units, mut loads) = (Vec::new(), Vec::new());
        if let Some(zones) = self.zones {
            for (at, (plan, survey)) in self.plan.tables.iter().zip(self.surveys).enumerate() {
                let of_table = order::units(at, plan, survey);
                loads.push(Arc::new(self.table_load(plan, survey, &of_table, zones).await?));
                units.push(of_table);
            }
        }
        // The planner is to know of rows that stay.
        let has_figures = self.zones.is_some() && !self.rehearsal;
        let order = order(self.plan, self.surveys, self.schema, &units, has_figures);
        // A file has one writer.
        let mut tables = self.plan.tables.iter();
        let to_file = tables.any(|table| table.engine == Engine::Sqlite);
        let jobs = if to_file { 1 } else { self.jobs };
        let done = order.run(jobs, |piece| self.piece(piece, &loads, &build)).await?;
        Ok(Written::of(done, self.plan.tables.len()))
    }

    fn piece(
        &self,
        piece: Piece,
        loads: &[Arc<TableLoad>],
        build: &Arc<dyn Work>,
    ) -> BoxFuture<'static, TransferResult<Done>> {
        let session = Arc::clone(self.session);
        match piece {
            Piece::Load(unit) => {
                let (load, source) = (Arc::clone(&loads[unit.table]), Arc::clone(self.source));
                let work = async move {
                    let begun = Instant::now();
                    let mut loaded = load.run(source.as_ref(), session.as_ref(), &unit).await?;
                    loaded.elapsed = begun.elapsed();
                    Ok(Done::Loaded(unit.table, loaded))
                };
                work.boxed()
            }
            Piece::Make(at) => {
                let (step, plan) = (self.schema.steps[at].clone(), Arc::clone(self.plan));
                let build = Arc::clone(build);
                let work = async move {
                    let weakened = session.make(&step, &plan).await?;
                    build.advance(1, 0);
                    Ok(Done::Made(at, weakened))
                };
                work.boxed()
            }
            Piece::Figures(at) => {
                let table = self.plan.tables[at].target.clone();
                let work = async move {
                    session.analyze(&table).await?;
                    Ok(Done::Figured)
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
        let (mut written, mut weaker) = (Self::default(), Vec::new());
        written.tables.resize_with(tables, Loaded::default);
        for done in done {
            match done {
                Done::Loaded(at, loaded) => {
                    let table = &mut written.tables[at];
                    table.written += loaded.written;
                    table.rejected += loaded.rejected;
                    table.elapsed += loaded.elapsed;
                    table.refused.extend(loaded.refused);
                    table.computed.extend(loaded.computed);
                }
                Done::Made(at, weakened) => weaker.extend(weakened.map(|weakened| (at, weakened))),
                Done::Figured => {}
            }
        }
        weaker.sort_by_key(|(step, _)| *step);
        written.weakened = weaker.into_iter().map(|(_, weakened)| weakened).collect();
        written
    }
}

/// What came of a piece of the work.
enum Done {
    /// The table, and what became of its rows.
    Loaded(usize, Loaded),
    /// The step, and in which weaker form it holds, if it does.
    Made(usize, Option<Weakened>),
    Figured,
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
