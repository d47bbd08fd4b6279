//! `cutover inspect`: what a database holds and what would become of it, from a look at every value. Nothing is written.

use cutover_domain::time::LegacyZone;
use cutover_domain::transfer::catalog::{Catalog, Column, ColumnKind, Engine};
use cutover_domain::transfer::convert::Converter;
use cutover_domain::transfer::plan::{ColumnPlan, NotCarried, TablePlan, plan};
use cutover_domain::transfer::rows::StorageClass;
use cutover_domain::transfer::survey::{RejectedRow, TableSurvey};
use cutover_ports::transfer::{TransferError, TransferResult, TransferSource};

use super::copy::survey;
use super::progress::Progress;

/// A database looked at.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Which one, for people.
    pub source: String,
    /// What is wrong with the file as a whole, if anything is; the tables were read all the same.
    pub damage: Option<String>,
    /// Its tables.
    pub tables: Vec<InspectedTable>,
    /// What a copy into an empty PostgreSQL database would leave out.
    pub not_carried: Vec<NotCarried>,
}

/// A table looked at.
#[derive(Debug, Clone)]
pub struct InspectedTable {
    /// Its name.
    pub name: String,
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
    /// The storage classes of its values, NULL aside.
    pub classes: Vec<StorageClass>,
    /// The PostgreSQL type that a new table would get.
    pub chosen: String,
    /// What decided.
    pub why: String,
}

/// Looks at every value of `source`.
pub async fn inspect(
    source: &dyn TransferSource,
    zone: LegacyZone,
    progress: &dyn Progress,
) -> TransferResult<Inspection> {
    let catalog = source.catalog().await?;
    let nothing = Catalog {
        engine: Engine::Postgres,
        schema: "public".to_owned(),
        tables: Vec::new(),
        others: Vec::new(),
    };
    let mut plan = plan(&catalog, &nothing).map_err(TransferError::Usage)?;
    let damage = source.check().await.err().map(|error| error.to_string());
    let converter = Converter { zone, proven: false };
    let surveys = survey(source, &mut plan, &converter, progress).await?;
    let tables = plan
        .tables
        .iter()
        .zip(&surveys)
        .map(|(plan, survey)| table(plan, survey))
        .collect();
    Ok(Inspection {
        source: source.describe(),
        damage,
        tables,
        not_carried: plan.not_carried,
    })
}

fn table(plan: &TablePlan, survey: &TableSurvey) -> InspectedTable {
    let from = &plan.source;
    let columns = plan.columns.iter().enumerate().filter_map(|(at, planned)| {
        let column = from.columns.iter().find(|column| column.name == planned.source)?;
        Some(inspected(column, planned, survey.classes_of(at)))
    });
    InspectedTable {
        name: from.name.clone(),
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
    }
}

fn inspected(column: &Column, planned: &ColumnPlan, classes: Vec<StorageClass>) -> InspectedColumn {
    let declared = match &column.kind {
        ColumnKind::Sqlite { declared, .. } => declared.clone(),
        ColumnKind::Postgres(kind) => kind.name.clone(),
    };
    let chosen = match &planned.kind {
        Some(ColumnKind::Postgres(kind)) => kind.name.clone(),
        Some(ColumnKind::Sqlite { declared, .. }) => declared.clone(),
        None => "text".to_owned(),
    };
    let why = match classes.as_slice() {
        [] => "no values; by the declared type".to_owned(),
        [class] => format!("every value is {}", class_name(*class)),
        several => {
            let names: Vec<&str> = several.iter().map(|class| class_name(*class)).collect();
            format!("values are {}", names.join(" and "))
        }
    };
    InspectedColumn {
        name: column.name.clone(),
        declared,
        renamed: (planned.target != planned.source).then(|| planned.target.clone()),
        classes,
        chosen,
        why,
    }
}

/// A storage class as people say it.
pub fn class_name(class: StorageClass) -> &'static str {
    match class {
        StorageClass::Null => "NULL",
        StorageClass::Integer => "an integer",
        StorageClass::Real => "a real",
        StorageClass::Text => "text",
        StorageClass::Blob => "a blob",
    }
}
