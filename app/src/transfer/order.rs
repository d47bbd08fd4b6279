//! In which order a copy is written: what waits for what, and what goes first of what can be done.

use std::cmp::Reverse;
use std::collections::HashMap;

use cutover_domain::transfer::catalog::Engine;
use cutover_domain::transfer::lock::Lock;
use cutover_domain::transfer::plan::{Plan, TablePlan};
use cutover_domain::transfer::schema::{Schema, Stage, Step, Work};
use cutover_domain::transfer::survey::TableSurvey;
use cutover_ports::transfer::{LoadPart, Range};

use super::graph::{Graph, Task};

/// A part of a table that is loaded by itself holds about this many bytes.
const PART_BYTES: u64 = 64 * 1024 * 1024;

// What else takes about the time in which so many bytes are loaded: a row in a column of an index, a row that a constraint is held against,
// and a value of those rows that figures are made of, of which there are so many at most.
const INDEXED_VALUE: u64 = 32;
const CHECKED_ROW: u64 = 16;
const FIGURED_VALUE: u64 = 64;
const FIGURED_ROWS: u64 = 30_000;

/// A piece of the work.
#[derive(Debug)]
pub(super) enum Piece {
    Load(Unit),
    /// A step of the schema.
    Make(usize),
    /// What the planner knows of a table of the plan.
    Figures(usize),
}

/// A part of a table to be loaded.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    /// Which table of the plan.
    pub(super) table: usize,
    pub(super) part: LoadPart,
    pub(super) range: Range,
}

/// The order of a copy whose rows are loaded in `units`, by table of the plan: first they, of the tables that are there one after the other,
/// because their foreign keys watch; then what belongs to a table, stage by stage.
pub(super) fn order(
    plan: &Plan,
    surveys: &[TableSurvey],
    schema: &Schema,
    units: &[Vec<Unit>],
    has_figures: bool,
) -> Graph<Piece> {
    let places = plan.tables.iter().enumerate();
    let mut order = Order {
        graph: Graph::default(),
        places: places.map(|(at, table)| (table.target.as_str(), at)).collect(),
        surveys,
        last: vec![vec![]; plan.tables.len()],
        parents: vec![vec![]; plan.tables.len()],
    };
    order.loads(plan, units);
    order.indexes(schema);
    if has_figures {
        order.figures(plan);
    }
    order.steps(schema, Stage::Key);
    order.constraints(schema);
    order.steps(schema, Stage::Validation);
    order.steps(schema, Stage::Identity);
    order.graph
}

struct Order<'a> {
    graph: Graph<Piece>,
    /// Where in the plan each table is.
    places: HashMap<&'a str, usize>,
    surveys: &'a [TableSurvey],
    /// By table of the plan, what its next step waits for.
    last: Vec<Vec<usize>>,
    /// By table of the plan, the places of those that its foreign keys point to.
    parents: Vec<Vec<usize>>,
}

impl Order<'_> {
    fn loads(&mut self, plan: &Plan, units: &[Vec<Unit>]) {
        let mut watched = vec![];
        for ((table, units), last) in plan.tables.iter().zip(units).zip(&mut self.last) {
            let mut left: u64 = units.iter().map(|unit| unit.part.bytes).sum();
            for unit in units {
                let task = Task {
                    // As if they came one after the other: what follows waits for all of them.
                    cost: left,
                    after: if table.created { vec![] } else { watched.clone() },
                    locks: vec![(unit.table, Lock::Builds)],
                    beside: false,
                };
                left = left.saturating_sub(unit.part.bytes);
                last.push(self.graph.add(Piece::Load(unit.clone()), task));
            }
            if !table.created && !last.is_empty() {
                watched.clone_from(last);
            }
        }
    }

    /// Those of a table do not wait for each other.
    fn indexes(&mut self, schema: &Schema) {
        let mut built: HashMap<usize, Vec<usize>> = HashMap::new();
        for (at, step, table) in self.of_stage(schema, Stage::Index) {
            let index = self.step(at, step, table, vec![]);
            built.entry(table).or_default().push(index);
        }
        for (table, indexes) in built {
            self.last[table] = indexes;
        }
    }

    /// They wait for the indexes, which are figured too. Nothing waits for them.
    fn figures(&mut self, plan: &Plan) {
        for (at, (table, survey)) in plan.tables.iter().zip(self.surveys).enumerate() {
            let columns = u64::try_from(table.columns.len()).unwrap_or(u64::MAX);
            let task = Task {
                cost: survey
                    .rows
                    .min(FIGURED_ROWS)
                    .saturating_mul(FIGURED_VALUE)
                    .saturating_mul(columns),
                after: self.last[at].clone(),
                locks: vec![(at, Lock::Changes)],
                beside: table.engine == Engine::Postgres,
            };
            self.graph.add(Piece::Figures(at), task);
        }
    }

    /// The steps of a stage, those of a table one after the other.
    fn steps(&mut self, schema: &Schema, stage: Stage) {
        for (at, step, table) in self.of_stage(schema, stage) {
            self.last[table] = vec![self.step(at, step, table, vec![])];
        }
    }

    /// Foreign keys wait for the keys that they point to. PostgreSQL minds the keys to a table in the order in which they were made, which must
    /// not depend on whose rows were there first; the table with the longest way before it does not wait for others.
    fn constraints(&mut self, schema: &Schema) {
        let keyed = self.last.clone();
        let mut pointing: HashMap<usize, usize> = HashMap::new();
        let mut steps = self.of_stage(schema, Stage::Constraint);
        steps.sort_by_key(|(_, _, table)| Reverse(self.surveys[*table].bytes));
        for (at, step, table) in steps {
            let parent = step
                .work
                .parent()
                .and_then(|parent| self.places.get(parent))
                .copied();
            let mut also = vec![];
            if let Some(parent) = parent {
                also.clone_from(&keyed[parent]);
                also.extend(pointing.get(&parent));
                self.parents[table].push(parent);
            }
            let added = self.step(at, step, table, also);
            self.last[table] = vec![added];
            pointing.extend(parent.map(|parent| (parent, added)));
        }
    }

    /// The steps of a stage, each with its number and the place of its table.
    fn of_stage<'s>(&self, schema: &'s Schema, stage: Stage) -> Vec<(usize, &'s Step, usize)> {
        let steps = schema.steps.iter().enumerate();
        let steps = steps.filter(|(_, step)| step.stage == stage);
        steps
            .filter_map(|(at, step)| Some((at, step, *self.places.get(step.table.as_str())?)))
            .collect()
    }

    /// Adds a step of a table, which waits for the last ones of its table and for others.
    fn step(&mut self, at: usize, step: &Step, table: usize, mut after: Vec<usize>) -> usize {
        let rows = self.surveys[table].rows;
        after.extend(&self.last[table]);
        let mut locks = vec![(table, step.stage.lock())];
        let parent = step.work.parent().and_then(|parent| self.places.get(parent));
        match step.stage {
            Stage::Constraint => locks.extend(parent.map(|parent| (*parent, Lock::Alone))),
            Stage::Validation => locks.extend(parent.map(|parent| (*parent, Lock::Reads))),
            // It is proved by a row, which foreign keys watch.
            Stage::Identity => locks.extend(self.parents[table].iter().map(|parent| (*parent, Lock::Reads))),
            Stage::Index | Stage::Key => {}
        }
        let task = Task {
            cost: match &step.work {
                Work::Index { width, .. } => rows.saturating_mul(INDEXED_VALUE * width),
                Work::Validation { .. } => rows.saturating_mul(CHECKED_ROW),
                Work::Key { .. } | Work::Constraint { .. } | Work::Identity { .. } => 0,
            },
            after,
            locks,
            beside: false,
        };
        self.graph.add(Piece::Make(at), task)
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
