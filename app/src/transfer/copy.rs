//! `cutover copy`: survey, then load, in steps each of which can be the last before a crash.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::convert::{Converter, Normalised};
use cutover_domain::transfer::plan::{NotCarried, Plan, TablePlan, plan};
use cutover_domain::transfer::rows::Fingerprint;
use cutover_domain::transfer::survey::{RejectedRow, Surveyor, TableSurvey};
use cutover_ports::transfer::{
    CopySession, LedgerEntry, Position, RunStart, Scan, TableProgress, TransferError, TransferResult,
    TransferSource, TransferTarget, UnfinishedRun, Weakened,
};

use super::progress::{Phase, Progress};

/// What becomes of rows that the target cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnReject {
    /// Nothing is written.
    Fail,
    /// They are kept apart with their exact bytes; everything else is written.
    Quarantine,
}

/// How to copy.
#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// What becomes of rejects.
    pub on_reject: OnReject,
    /// Whether rows in the way are deleted.
    pub replace: bool,
    /// The zone of times without one.
    pub zone: LegacyZone,
    /// Rows that a schema's migrations put in: a table, and the condition that tells such a row.
    pub seeds: Vec<(String, String)>,
}

/// What a copy did.
#[derive(Debug, Clone)]
pub struct CopyReport {
    /// The tables, in the order in which they were loaded.
    pub tables: Vec<TableReport>,
    /// What the source has and the target did not get.
    pub not_carried: Vec<NotCarried>,
    /// Constraints that old rows break.
    pub weakened: Vec<Weakened>,
    /// The first rejects of each table.
    pub rejects: Vec<RejectedRow>,
    /// Whether anything was written.
    pub written: bool,
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
    /// The time its load took.
    pub elapsed: Duration,
}

impl CopyReport {
    /// Whether every row of the source is in the target.
    pub fn ok(&self) -> bool {
        self.written && self.tables.iter().all(|table| table.rejected == 0)
    }
}

/// Copies everything from `source` to `target`.
pub async fn copy(
    source: &dyn TransferSource,
    target: &dyn TransferTarget,
    options: &CopyOptions,
    progress: Arc<dyn Progress>,
) -> TransferResult<CopyReport> {
    let begun = Instant::now();
    let job = Job {
        source,
        options,
        progress,
        converter: Converter {
            zone: options.zone.clone(),
            proven: false,
        },
    };
    let session = target.open().await?;
    let unfinished = session.unfinished().await?;
    let catalog = source.catalog().await?;
    let mut plan = plan(&catalog, &target.catalog().await?).map_err(TransferError::Usage)?;
    if plan.tables.is_empty() {
        return Err(TransferError::Usage(format!(
            "{} has no tables",
            source.describe()
        )));
    }
    if unfinished.is_none() {
        job.refuse_occupied(session.as_ref(), &plan, target).await?;
    }
    // The file is checked while its values are surveyed; both come before the target is touched.
    let (surveys, ()) = tokio::try_join!(
        survey(source, &mut plan, &job.converter, job.progress.as_ref()),
        source.check()
    )?;
    let rejects: Vec<RejectedRow> = surveys.iter().flat_map(|survey| survey.rejects.clone()).collect();
    let mut report = CopyReport {
        tables: plan
            .tables
            .iter()
            .zip(&surveys)
            .map(|(plan, survey)| table_report(plan, survey))
            .collect(),
        not_carried: plan.not_carried.clone(),
        weakened: vec![],
        rejects,
        written: false,
        elapsed: begun.elapsed(),
    };
    if options.on_reject == OnReject::Fail && surveys.iter().any(|survey| survey.rejected > 0) {
        session.restore(&plan).await?;
        return Ok(report);
    }
    let start = run_start(source, &plan, &surveys, options);
    job.begin_or_go_on(session.as_ref(), &plan, &start, unfinished.as_ref(), target)
        .await?;
    for ((table, survey), report) in plan.tables.iter().zip(&surveys).zip(&mut report.tables) {
        let begun = Instant::now();
        let loaded = match job.load(session.as_ref(), table, survey).await {
            // A row that the survey could not foresee: all or nothing, as for those that it did.
            Err(TransferError::Data(message)) => {
                session.undo(&plan).await?;
                return Err(TransferError::Data(format!(
                    "{message}; what had been written was taken back"
                )));
            }
            other => other?,
        };
        report.rows_written = loaded.written;
        report.elapsed = begun.elapsed();
    }
    report.weakened = session.restore(&plan).await?;
    session.finish(&entries(&start, &plan, &surveys)).await?;
    report.written = true;
    report.elapsed = begun.elapsed();
    Ok(report)
}

struct Job<'a> {
    source: &'a dyn TransferSource,
    options: &'a CopyOptions,
    progress: Arc<dyn Progress>,
    converter: Converter,
}

impl Job<'_> {
    async fn refuse_occupied(
        &self,
        session: &dyn CopySession,
        plan: &Plan,
        target: &dyn TransferTarget,
    ) -> TransferResult<()> {
        if self.options.replace {
            return Ok(());
        }
        let occupied = session.occupied(plan, &self.options.seeds).await?;
        let Some((table, rows)) = occupied.first() else {
            return Ok(());
        };
        // Whatever a dead run of another source left behind is put right, even when this run goes no further.
        session.restore(plan).await?;
        let others = match occupied.len() {
            1 => String::new(),
            count => format!(" and {} more tables", count - 1),
        };
        Err(TransferError::Refused(format!(
            "the table {table} of {} has rows already ({rows}{others}); nothing was written. Empty it, or copy with --replace, which \
             deletes what is there",
            target.describe()
        )))
    }

    /// Starts a run, or goes on with the one that did not come to its end if it was about the same source.
    async fn begin_or_go_on(
        &self,
        session: &dyn CopySession,
        plan: &Plan,
        start: &RunStart,
        unfinished: Option<&UnfinishedRun>,
        target: &dyn TransferTarget,
    ) -> TransferResult<()> {
        let Some(run) = unfinished else {
            return session.start(plan, start).await;
        };
        if run.fingerprint == start.fingerprint {
            return Ok(());
        }
        session.restore(plan).await?;
        if self.options.replace {
            return session.start(plan, start).await;
        }
        let changed = start
            .tables
            .iter()
            .filter(|(table, fingerprint)| run.tables.get(*table) != Some(*fingerprint));
        let mut changed: Vec<&str> = changed.map(|(table, _)| table.as_str()).collect();
        changed.sort_unstable();
        let what = if changed.is_empty() {
            "other options".to_owned()
        } else {
            changed.join(", ")
        };
        Err(TransferError::Refused(format!(
            "a copy into {} was interrupted, and its source was not as {} is now ({what}); copy with --replace to start from the \
             beginning, which deletes what was copied",
            target.describe(),
            self.source.describe()
        )))
    }

    /// Loads a table; a constraint that refuses rows is set aside and the rest of the step done again.
    async fn load(
        &self,
        session: &dyn CopySession,
        plan: &TablePlan,
        survey: &TableSurvey,
    ) -> TransferResult<TableProgress> {
        loop {
            let at = session.progress(&plan.target).await?;
            if at.done {
                return Ok(at);
            }
            match self.load_from(session, plan, survey, at).await {
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

    async fn load_from(
        &self,
        session: &dyn CopySession,
        plan: &TablePlan,
        survey: &TableSurvey,
        at: TableProgress,
    ) -> TransferResult<TableProgress> {
        self.progress
            .begin(Phase::Load, &plan.target, Some(survey.rows), at.position.rows);
        // The survey has seen these very rows: they are looked at again only where some are refused.
        let converter = Converter {
            proven: survey.rejected == 0,
            ..self.converter.clone()
        };
        let mut loader = session.load(plan, converter, &survey.duplicates).await?;
        let mut batches = self.source.scan(scan(plan, at.position)).await?;
        while let Some(batch) = batches.next().await? {
            let (rows, bytes) = (u64::try_from(batch.len()).unwrap_or(0), batch.size());
            loader.write(batch).await?;
            self.progress.advance(rows, bytes);
        }
        let done = loader.finish().await?;
        self.progress.end();
        Ok(done)
    }
}

/// Looks at every value of the plan's tables, and chooses the types of columns that the target lacks.
pub(super) async fn survey(
    source: &dyn TransferSource,
    plan: &mut Plan,
    converter: &Converter,
    progress: &dyn Progress,
) -> TransferResult<Vec<TableSurvey>> {
    let mut surveys = Vec::with_capacity(plan.tables.len());
    for table in &mut plan.tables {
        let mut survey = survey_table(source, table, converter, progress).await?;
        let left_out = table.leave_out_empty_columns(&survey);
        plan.not_carried.extend(left_out.iter().cloned());
        if table.choose_types(&survey) || !left_out.is_empty() {
            survey = survey_table(source, table, converter, progress).await?;
        }
        surveys.push(survey);
    }
    let rows: Vec<u64> = surveys.iter().map(|survey| survey.rows).collect();
    let kept = plan.leave_out_empty_tables(&rows);
    let mut kept = kept.into_iter();
    surveys.retain(|_| kept.next().unwrap_or(true));
    Ok(surveys)
}

async fn survey_table(
    source: &dyn TransferSource,
    plan: &TablePlan,
    converter: &Converter,
    progress: &dyn Progress,
) -> TransferResult<TableSurvey> {
    progress.begin(Phase::Survey, &plan.source.name, None, 0);
    let mut batches = source.scan(scan(plan, Position::default())).await?;
    let mut surveyor = Surveyor::new(plan, converter.clone());
    while let Some(batch) = batches.next().await? {
        surveyor.add(&batch);
        progress.advance(u64::try_from(batch.len()).unwrap_or(0), batch.size());
    }
    progress.end();
    Ok(surveyor.finish())
}

fn scan(plan: &TablePlan, after: Position) -> Scan {
    Scan {
        table: plan.source.clone(),
        columns: plan.columns.iter().map(|column| column.source.clone()).collect(),
        after,
    }
}

fn table_report(plan: &TablePlan, survey: &TableSurvey) -> TableReport {
    let added = plan.columns.iter().filter(|column| column.added && !plan.created);
    TableReport {
        name: plan.source.name.clone(),
        target: plan.target.clone(),
        created: plan.created,
        added: added.map(|column| column.target.clone()).collect(),
        rows_read: survey.rows,
        rows_written: 0,
        rejected: survey.rejected,
        normalised: survey.normalised(plan),
        bytes: survey.bytes,
        elapsed: Duration::ZERO,
    }
}

fn run_start(
    source: &dyn TransferSource,
    plan: &Plan,
    surveys: &[TableSurvey],
    options: &CopyOptions,
) -> RunStart {
    let mut whole = Fingerprint::default();
    let mut tables = HashMap::new();
    // By name: what the first run has made changes the order of loading in the next.
    let mut named: Vec<(&TablePlan, &TableSurvey)> = plan.tables.iter().zip(surveys).collect();
    named.sort_by(|(a, _), (b, _)| a.target.cmp(&b.target));
    for (plan, survey) in named {
        // What a run that is gone on with was asked to do must be the same as well.
        let mut fingerprint = survey.fingerprint;
        for column in &plan.columns {
            fingerprint.add_bytes(column.source.as_bytes());
        }
        fingerprint.add_bytes(&survey.rows.to_le_bytes());
        fingerprint.add_bytes(&survey.rejected.to_le_bytes());
        whole.add_bytes(plan.target.as_bytes());
        whole.add_bytes(fingerprint.to_string().as_bytes());
        tables.insert(plan.target.clone(), fingerprint.to_string());
    }
    RunStart {
        source: source.describe(),
        fingerprint: whole.to_string(),
        tables,
        replace: options.replace,
        seeds: options.seeds.clone(),
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
