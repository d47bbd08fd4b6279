//! The survey before a copy: what goes where, every value looked at, types chosen, the schema made up. Nothing is written.

use std::sync::Arc;

use cutover_domain::time::LegacyZones;
use cutover_domain::transfer::catalog::{Catalog, Engine};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{Plan, TablePlan, Wishes};
use cutover_domain::transfer::schema::{self, Schema};
use cutover_domain::transfer::survey::{Surveyor, TableSurvey};
use cutover_domain::transfer::{back, bare};
use cutover_ports::transfer::{Position, Range, Scan, TransferError, TransferResult, TransferSource};

use super::graph::spread;
use super::progress::{Phase, Progress, Work};

/// So many scans at a time.
pub const SCANS: usize = 2;

/// What is looked at, and with which wishes.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which types instead of the proven ones.
    pub wishes: Wishes,
    /// In which zones times without one are meant.
    pub zones: LegacyZones,
}

/// What a survey has found.
#[derive(Debug)]
pub struct Answer {
    /// What goes where.
    pub plan: Plan,
    /// What was seen, by table of the plan.
    pub surveys: Vec<TableSurvey>,
    /// What is made in PostgreSQL.
    pub schema: Schema,
}

/// Surveys `source` for a copy into `target` by `plan`, whose types are chosen by what is seen.
pub async fn survey(
    source: &Arc<dyn TransferSource>,
    catalog: &Catalog,
    target: &Catalog,
    mut plan: Plan,
    question: &Question,
    progress: &Arc<dyn Progress>,
) -> TransferResult<Answer> {
    plan.note_blanks(&question.wishes);
    let all = vec![true; plan.tables.len()];
    let look = Look {
        source,
        question,
        progress,
    };
    let mut surveys: Vec<TableSurvey> = look.at(&plan, &all).await?.into_iter().flatten().collect();
    leave_out_what_is_empty(&mut plan, &mut surveys);
    let again = plan
        .choose_types(catalog, &surveys, &question.wishes)
        .map_err(TransferError::Usage)?;
    plan.not_carried.extend(bare::lost_rules(&plan));
    let schema = if target.engine == Engine::Postgres {
        schema::make(&mut plan, catalog, target, &mut surveys).map_err(TransferError::Refused)?
    } else {
        Schema {
            weakened: back::weakened(&plan, &surveys),
            ..Schema::default()
        }
    };
    // Values may not fit the types that were chosen: those tables are looked at once more, as they will be loaded.
    let once_more = look.at(&plan, &again).await?;
    for (survey, once_more) in surveys.iter_mut().zip(once_more) {
        if let Some(once_more) = once_more {
            let first = std::mem::replace(survey, once_more);
            survey.keep_evidence(first);
        }
    }
    Ok(Answer {
        plan,
        surveys,
        schema,
    })
}

fn leave_out_what_is_empty(plan: &mut Plan, surveys: &mut Vec<TableSurvey>) {
    for (table, survey) in plan.tables.iter_mut().zip(surveys.iter_mut()) {
        let left_out = table.leave_out_empty_columns(survey);
        plan.not_carried.extend(left_out);
    }
    let rows: Vec<u64> = surveys.iter().map(|survey| survey.rows).collect();
    let mut kept = plan.leave_out_empty_tables(&rows).into_iter();
    surveys.retain(|_| kept.next().unwrap_or(true));
}

struct Look<'a> {
    source: &'a Arc<dyn TransferSource>,
    question: &'a Question,
    progress: &'a Arc<dyn Progress>,
}

impl Look<'_> {
    /// Surveys the tables of the plan that are wanted, parts of large ones side by side.
    async fn at(&self, plan: &Plan, wanted: &[bool]) -> TransferResult<Vec<Option<TableSurvey>>> {
        let mut parts = Vec::new();
        for (at, (table, _)) in plan
            .tables
            .iter()
            .zip(wanted)
            .enumerate()
            .filter(|(_, (_, wanted))| **wanted)
        {
            // A key that the source does not guarantee is proven by one look at all rows.
            let ranges = if table.unproven_keys.is_empty() {
                self.source.ranges(&table.source).await?
            } else {
                vec![Range::default()]
            };
            let table = Arc::new(table.clone());
            let work: Arc<dyn Work> = self
                .progress
                .begin(Phase::Survey, &table.source.name, None, 0)
                .into();
            parts.extend(
                ranges
                    .into_iter()
                    .map(|range| (at, Arc::clone(&table), range, Arc::clone(&work))),
            );
        }
        let places: Vec<usize> = parts.iter().map(|(at, ..)| *at).collect();
        let found = spread(SCANS, parts, |(_, table, range, work)| {
            let source = Arc::clone(self.source);
            let converter = Converter {
                zone: self.question.zones.of(&table.source.name),
                proven: false,
            };
            async move { look_at_part(source.as_ref(), &table, range, converter, work.as_ref()).await }
        })
        .await?;
        let mut surveys: Vec<Option<TableSurvey>> = plan.tables.iter().map(|_| None).collect();
        for (at, part) in places.into_iter().zip(found) {
            match surveys.get_mut(at) {
                Some(Some(survey)) => survey.append(part),
                Some(empty) => *empty = Some(part),
                None => {}
            }
        }
        Ok(surveys)
    }
}

async fn look_at_part(
    source: &dyn TransferSource,
    table: &TablePlan,
    range: Range,
    converter: Converter,
    work: &dyn Work,
) -> TransferResult<TableSurvey> {
    let mut batches = source.scan(scan(table, range, Position::default())).await?;
    let mut surveyor = Surveyor::new(table, converter);
    while let Some(batch) = batches.next().await? {
        surveyor.add(&batch);
        work.advance(u64::try_from(batch.len()).unwrap_or(0), batch.size());
    }
    Ok(surveyor.finish())
}

/// The scan of a part of a table, from where an earlier one had come to.
pub(super) fn scan(plan: &TablePlan, range: Range, after: Position) -> Scan {
    Scan {
        table: plan.source.clone(),
        columns: plan.columns.iter().map(|column| column.source.clone()).collect(),
        after: Position {
            rowid: after.rowid.or(range.after),
            ..after
        },
        up_to: range.up_to,
    }
}
