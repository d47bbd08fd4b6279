//! What a copy gives account of, kept for the run that goes on with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalog::Origin;
use super::plan::{NotCarried, Plan};
use super::rows::Fingerprint;
use super::schema::Weakened;

/// What a run tells of what it made and left out: whoever goes on with it finds that in the target, and could not tell it from what was there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Columns that the target lacked, by their table there.
    pub added: BTreeMap<String, Vec<String>>,
    /// What was left out.
    pub not_carried: Vec<NotCarried>,
    /// Rules that hold in a weaker form: known when the run is at its end.
    pub weakened: Vec<Weakened>,
    /// What of the source's schema belongs to the tables that are made: the fingerprint of each text, by kind and name.
    pub objects: BTreeMap<String, String>,
}

impl Account {
    /// What a plan has to tell before any row is written.
    pub fn of(plan: &Plan, origin: Option<&Origin>) -> Self {
        let added = plan
            .tables
            .iter()
            .map(|table| (table.target.clone(), table.columns_made()));
        let objects = origin.into_iter().flat_map(|origin| plan.objects_of_made(origin));
        let objects = objects.map(|(_, object)| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add_bytes(object.sql.as_bytes());
            (
                format!("{} {}", object.kind, object.name),
                fingerprint.to_string(),
            )
        });
        Self {
            added: added.filter(|(_, columns)| !columns.is_empty()).collect(),
            not_carried: plan.not_carried.clone(),
            weakened: vec![],
            objects: objects.collect(),
        }
    }

    /// What of the source's schema is new, gone or another one by now.
    pub fn changed_objects(&self, now: &Self) -> Vec<String> {
        let names = self.objects.keys().chain(now.objects.keys());
        let changed = names.filter(|name| self.objects.get(*name) != now.objects.get(*name));
        let mut changed: Vec<String> = changed.cloned().collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}
