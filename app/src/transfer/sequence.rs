//! Several sources that are copied by one command: what earlier runs of it have done.

use cutover_domain::transfer::account::Account;
use cutover_domain::transfer::plan::{Scope, TablePlan, plan};
use cutover_ports::transfer::{
    Position, Range, TransferError, TransferResult, TransferSource, TransferTarget,
};

use super::survey::scan;

/// A source that an earlier run of the same command has copied.
#[derive(Debug)]
pub struct Passed {
    /// The source.
    pub source: String,
    /// How many of its rows are in quarantine.
    pub quarantined: u64,
    /// What its copy gave account of.
    pub account: Account,
}

/// Whether all tables of a source that are meant have been copied from it.
pub async fn copied_before(
    source: &dyn TransferSource,
    target: &dyn TransferTarget,
    scope: &Scope,
) -> TransferResult<Option<Passed>> {
    let catalog = source.catalog().await?;
    let (mut into, to_come) = target.catalog(catalog.origin.as_ref()).await?;
    let absent = into.foresee(to_come);
    let plan = plan(&catalog, &into, &absent, scope).map_err(TransferError::Usage)?;
    let ledger = target.ledger().await?;
    let from = source.describe();
    let is_noted = |table: &TablePlan| {
        let mut entries = ledger.iter().filter(|entry| entry.table == table.target);
        entries.any(|entry| entry.source == from && entry.copied_at.is_some())
    };
    if !plan.tables.iter().any(is_noted) {
        return Ok(None);
    }
    for table in plan.tables.iter().filter(|table| !is_noted(table)) {
        // A copy leaves out what the target lacks and would stay empty.
        if !table.created || has_rows(source, table).await? {
            return Ok(None);
        }
    }
    let kept = target.quarantined().await?.into_iter();
    let kept = kept.filter(|(name, _)| plan.tables.iter().any(|table| table.target == *name));
    Ok(Some(Passed {
        quarantined: kept.map(|(_, rows)| rows).sum(),
        account: target.account(&from).await?.unwrap_or_default(),
        source: from,
    }))
}

async fn has_rows(source: &dyn TransferSource, table: &TablePlan) -> TransferResult<bool> {
    let all = scan(table, Range::default(), Position::default());
    Ok(source.scan(all).await?.next().await?.is_some())
}
