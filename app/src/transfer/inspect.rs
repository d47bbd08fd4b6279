//! `cutover inspect`: what a database holds and what would become of it, from a look at every value. Nothing is written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_domain::transfer::back;
use cutover_domain::transfer::catalog::{Catalog, Column, ColumnKind, Engine, ForeignKey};
use cutover_domain::transfer::ddl;
use cutover_domain::transfer::evidence::Evidence;
use cutover_domain::transfer::plan::{ColumnPlan, NotCarried, Renamed, Scope, TablePlan, plan};
use cutover_domain::transfer::refusal::too_wide;
use cutover_domain::transfer::schema::{Stage, Weakened};
use cutover_domain::transfer::survey::{Oddities, RejectedRow, TableSurvey};
use cutover_domain::transfer::value::StorageClass;
use cutover_ports::transfer::{TransferError, TransferResult, TransferSource, TransferTarget};

use super::copy::{CopyOptions, Extent, OnReject, TableReport, copy, refuse_nothing, refuse_unreadable};
use super::graph::spread;
use super::progress::Progress;
use super::survey::{Answer, Question, SCANS, survey};
use super::unfinished::Half;

/// A database looked at.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Which one, for people.
    pub source: String,
    /// Its whole catalog.
    pub catalog: Catalog,
    /// What is wrong with the file as a whole, if anything is; the tables were read all the same.
    pub damage: Option<String>,
    /// Indexes that are damaged, which costs no row: a copy reads the tables, and makes them anew.
    pub damaged_indexes: Vec<String>,
    /// The copy into it that has not come to its end.
    pub unfinished: Option<Half>,
    /// Its tables.
    pub tables: Vec<InspectedTable>,
    /// What a copy into an empty PostgreSQL database, or into a new SQLite file, would leave out.
    pub not_carried: Vec<NotCarried>,
    /// What would hold in a weaker form there.
    pub weakened: Vec<Weakened>,
    /// What may hold in a weaker form there, or not at all.
    pub uncertain: Vec<Weakened>,
    /// What would have another name there.
    pub renamed: Vec<Renamed>,
    /// What a copy would come to.
    pub estimate: Estimate,
    /// Whether that copy is the way back, into a SQLite file.
    pub is_way_back: bool,
}

/// What a copy would come to, roughly.
#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    /// Bytes of the target's tables, without indexes.
    pub bytes: u64,
    /// How long the copy would take.
    pub time: Duration,
}

/// A table looked at.
#[derive(Debug, Clone)]
pub struct InspectedTable {
    /// Its name.
    pub name: String,
    /// Its name in PostgreSQL.
    pub target: String,
    /// Rows.
    pub rows: u64,
    /// Bytes of values.
    pub bytes: u64,
    /// The columns of its key, if it has one.
    pub key: Vec<String>,
    /// Its columns.
    pub columns: Vec<InspectedColumn>,
    /// Rows that PostgreSQL cannot hold as they are.
    pub rejected: u64,
    /// The first of them.
    pub rejects: Vec<RejectedRow>,
    /// What only a look at several rows tells.
    pub oddities: Oddities,
}

/// A column looked at.
#[derive(Debug, Clone)]
pub struct InspectedColumn {
    /// Its name.
    pub name: String,
    /// The declared type, as written.
    pub declared: String,
    /// Its name in PostgreSQL, if that differs.
    pub renamed: Option<String>,
    /// The column beside it for the storage class of each value.
    pub class_column: Option<String>,
    /// The storage classes of its values with their numbers, NULL included.
    pub classes: Vec<(StorageClass, u64)>,
    /// Some of the values: the first of each class, and the first of another form.
    pub examples: Vec<String>,
    /// The smallest and the largest integer.
    pub integers: Option<(i64, i64)>,
    /// The bytes of the longest text or blob.
    pub longest: usize,
    /// Texts with a NUL character, and texts that are not UTF-8.
    pub unfit_texts: (u64, u64),
    /// Texts that would be NULL, as asked for; they are not among the numbers above.
    pub texts_as_null: u64,
    /// The PostgreSQL type that a new table would get.
    pub chosen: String,
    /// How its values would be written back.
    pub rendering: String,
    /// The expression by which PostgreSQL would compute it.
    pub computed: Option<String>,
    /// What decided.
    pub why: String,
}

/// Looks at every value of `source`. Of PostgreSQL it is told what would come back to `home`, a SQLite file that nobody needs.
pub async fn inspect(
    source: &Arc<dyn TransferSource>,
    home: Option<&dyn TransferTarget>,
    scope: &Scope,
    question: &Question,
    progress: &Arc<dyn Progress>,
) -> TransferResult<Inspection> {
    let catalog = source.catalog().await?;
    if let Some(home) = home {
        return way_back(source, home, catalog, scope, question, progress).await;
    }
    let nothing = Catalog {
        engine: Engine::Postgres,
        schema: "public".to_owned(),
        tables: Vec::new(),
        others: Vec::new(),
        taken: vec![],
        origin: None,
    };
    let begun = Instant::now();
    refuse_unreadable(&source.describe(), &catalog, |table| scope.includes(table))?;
    let plan = plan(&catalog, &nothing, &HashSet::new(), scope).map_err(TransferError::Usage)?;
    refuse_nothing(source.as_ref(), &catalog, &plan).await?;
    if let Some(reason) = too_wide(&plan) {
        return Err(TransferError::Refused(reason));
    }
    // As a copy does it, so that the time it takes tells something of the copy's.
    let left_out = scope.left_out(&catalog);
    let (answer, checked) = tokio::join!(
        survey(source, &catalog, &nothing, plan, question, progress),
        source.check(&left_out)
    );
    let answer = answer?;
    let (damaged_indexes, damage) = match checked {
        Ok(indexes) => (indexes, None),
        Err(error) => (vec![], Some(error.to_string())),
    };
    let estimate = estimate(&answer, begun.elapsed());
    let planned = answer.plan.tables.iter().map(|plan| plan.source.clone());
    let oddities = spread(SCANS, planned, |mut table| {
        let source = Arc::clone(source);
        let is_unread = |key: &mut ForeignKey| {
            let mut names = left_out.iter();
            names.any(|name| name.eq_ignore_ascii_case(&key.parent))
        };
        let unread = table.foreign_keys.extract_if(.., is_unread);
        let not_looked_at = unread.map(|key| key.title()).collect();
        async move {
            let oddities = source.oddities(&table).await?;
            Ok(Oddities {
                not_looked_at,
                ..oddities
            })
        }
    })
    .await?;
    let planned = answer.plan.tables.iter().zip(&answer.surveys);
    let tables = planned.zip(oddities);
    let tables = tables.map(|((plan, survey), oddities)| table(plan, survey, oddities));
    let tables = tables.collect();
    Ok(Inspection {
        source: source.describe(),
        catalog,
        damage,
        damaged_indexes,
        unfinished: Half::of(source.as_ref(), scope).await?,
        tables,
        not_carried: answer.plan.not_carried,
        weakened: answer.schema.weakened,
        uncertain: answer.schema.uncertain,
        renamed: answer.plan.renamed,
        estimate,
        is_way_back: false,
    })
}

/// Goes the way back as a copy does, with every row, and takes it all back: what a file takes only SQLite can say.
async fn way_back(
    source: &Arc<dyn TransferSource>,
    home: &dyn TransferTarget,
    catalog: Catalog,
    scope: &Scope,
    question: &Question,
    progress: &Arc<dyn Progress>,
) -> TransferResult<Inspection> {
    let options = CopyOptions {
        on_reject: OnReject::Quarantine,
        replace: false,
        zones: question.zones.clone(),
        seeds: vec![],
        scope: scope.clone(),
        wishes: question.wishes.clone(),
        extent: Extent::Whole,
        jobs: 1,
        rehearsal: true,
    };
    let report = copy(Arc::clone(source), home, &options, Arc::clone(progress)).await?;
    let (mut ground, to_come) = home.catalog(catalog.origin.as_ref()).await?;
    let absent = ground.foresee(to_come);
    let mut plan = plan(&catalog, &ground, &absent, scope).map_err(TransferError::Usage)?;
    back::make(&mut plan, &catalog, &ground);
    let tables = report.tables.iter().filter_map(|told| {
        let table = plan.tables.iter().find(|table| table.source.name == told.name)?;
        Some(table_of_file(plan.text_of(table), table, told, &report.rejects))
    });
    Ok(Inspection {
        source: source.describe(),
        damage: None,
        damaged_indexes: vec![],
        unfinished: Half::of(source.as_ref(), scope).await?,
        tables: tables.collect(),
        not_carried: report.not_carried,
        weakened: report.weakened,
        uncertain: vec![],
        renamed: report.renamed,
        estimate: Estimate {
            bytes: report
                .tables
                .iter()
                .map(|table| table.bytes + 8 * table.rows_read)
                .sum(),
            time: report.elapsed,
        },
        is_way_back: true,
        catalog,
    })
}

fn table_of_file(
    text: Option<&str>,
    plan: &TablePlan,
    told: &TableReport,
    rejects: &[RejectedRow],
) -> InspectedTable {
    let columns = plan.source.columns.iter().map(|column| {
        let planned = plan.columns.iter().find(|planned| planned.source == column.name);
        let home = column
            .made_for
            .as_ref()
            .map_or(&column.name, |made_for| &made_for.column);
        let home = planned.map_or(home, |planned| &planned.target);
        let is_computed = planned.is_none_or(|planned| planned.is_compared);
        InspectedColumn {
            name: column.name.clone(),
            declared: column
                .pg_type()
                .map_or_else(String::new, |kind| kind.name.clone()),
            renamed: (*home != column.name).then(|| home.clone()),
            class_column: None,
            classes: vec![],
            examples: vec![],
            integers: None,
            longest: 0,
            unfit_texts: (0, 0),
            texts_as_null: 0,
            chosen: text
                .and_then(|text| ddl::declared(text, home))
                .unwrap_or_default(),
            rendering: column
                .made_for
                .as_ref()
                .and_then(|made_for| made_for.rendering.as_ref())
                .map_or_else(String::new, ToString::to_string),
            computed: is_computed.then(|| "the file".to_owned()),
            why: match planned.and_then(|planned| back::compared_otherwise(plan, planned)) {
                Some(otherwise) => format!("by its type here; {otherwise}"),
                None if column.made_for.is_some() => "as it came".to_owned(),
                None => "by its type here".to_owned(),
            },
        }
    });
    InspectedTable {
        name: told.name.clone(),
        target: told.target.clone(),
        rows: told.rows_read,
        bytes: told.bytes,
        key: plan
            .source
            .primary_key
            .as_ref()
            .map(|key| key.columns.clone())
            .unwrap_or_default(),
        columns: columns.collect(),
        rejected: told.rejected,
        rejects: rejects
            .iter()
            .filter(|reject| reject.table == told.target)
            .cloned()
            .collect(),
        oddities: Oddities::default(),
    }
}

/// A row of PostgreSQL takes about 28 bytes beside its values, and as much in each index. A copy takes some six times as long as a look at
/// all values here (five or six in the benchmark of the copy), or as a disk that takes 100 MB a second: the longer of the two.
fn estimate(answer: &Answer, looked: Duration) -> Estimate {
    const ROW: u64 = 28;
    let mut indexes: HashMap<&str, u64> = HashMap::new();
    for step in answer
        .schema
        .steps
        .iter()
        .filter(|step| step.stage == Stage::Index)
    {
        *indexes.entry(&step.table).or_default() += 1;
    }
    let tables = answer.plan.tables.iter().zip(&answer.surveys);
    let tables = tables.map(|(plan, survey)| {
        let indexes = indexes.get(plan.target.as_str()).unwrap_or(&0);
        survey.bytes + ROW * survey.rows * (1 + indexes)
    });
    let bytes = tables.sum();
    let written = Duration::from_secs_f64(bytes as f64 / 100e6);
    Estimate {
        bytes,
        time: written.max(looked * 6),
    }
}

fn table(plan: &TablePlan, survey: &TableSurvey, oddities: Oddities) -> InspectedTable {
    let from = &plan.source;
    let columns = from.columns.iter().filter_map(|column| {
        let at = plan
            .columns
            .iter()
            .position(|planned| planned.source == column.name);
        if let Some(at) = at {
            return Some(inspected(column, plan.columns.get(at)?, Some((survey, at)), None));
        }
        let (_, planned, expression) = plan
            .computed
            .iter()
            .find(|(_, planned, _)| planned.source == column.name)?;
        Some(inspected(column, planned, None, Some(expression)))
    });
    InspectedTable {
        name: from.name.clone(),
        target: plan.target.clone(),
        rows: survey.rows,
        bytes: survey.bytes,
        key: from
            .primary_key
            .as_ref()
            .map(|key| key.columns.clone())
            .unwrap_or_default(),
        columns: columns.collect(),
        rejected: survey.rejected,
        rejects: survey.rejects.clone(),
        oddities,
    }
}

fn inspected(
    column: &Column,
    planned: &ColumnPlan,
    seen: Option<(&TableSurvey, usize)>,
    computed: Option<&String>,
) -> InspectedColumn {
    let declared = match &column.kind {
        ColumnKind::Sqlite { declared, .. } => declared.clone(),
        ColumnKind::Postgres(kind) => kind.name.clone(),
    };
    let chosen = match &planned.kind {
        Some(ColumnKind::Postgres(kind)) => kind.name.clone(),
        Some(ColumnKind::Sqlite { declared, .. }) => declared.clone(),
        None => "text".to_owned(),
    };
    let evidence = seen.and_then(|(survey, at)| survey.evidence(at));
    let counts = evidence.map(|evidence| StorageClass::ALL.into_iter().zip(evidence.classes()));
    InspectedColumn {
        name: column.name.clone(),
        declared,
        renamed: (planned.target != planned.source).then(|| planned.target.clone()),
        class_column: planned.class_column.clone(),
        classes: counts.map_or_else(Vec::new, |counts| {
            counts.filter(|(_, count)| *count > 0).collect()
        }),
        examples: evidence.map_or_else(Vec::new, |evidence| {
            evidence.examples().into_iter().map(str::to_owned).collect()
        }),
        integers: evidence.and_then(Evidence::integers),
        longest: evidence.map_or(0, |evidence| evidence.longest_text().max(evidence.longest_blob())),
        unfit_texts: evidence.map_or((0, 0), |evidence| {
            (evidence.texts_with_nul(), evidence.texts_not_utf8())
        }),
        texts_as_null: evidence.map_or(0, Evidence::blank),
        chosen,
        rendering: if planned.has_no_note() {
            String::new()
        } else {
            planned.note()
        },
        computed: computed.cloned(),
        why: planned.why.clone(),
    }
}
