//! Foreign keys across databases: the one piece of routing that keeps their promises while routing is hybrid.

use std::sync::Arc;

use async_trait::async_trait;
use cutover_domain::relations::{self, OnDelete, RELATIONS, Relation};
use cutover_domain::stored::StoredValue;
use cutover_ports::{
    ForeignKeys, Held, KeyLock, KeyLocks, PortableRow, Reference, ReferredRows, StoreError, StoreResult,
};

use crate::config::{Backend, Repository};

/// The foreign keys of the repositories that run on `here`, seen from there.
pub(super) struct AcrossDatabases {
    here: Backend,
    repositories: Vec<Repository>,
    own: Arc<dyn ReferredRows>,
    other: Arc<dyn ReferredRows>,
    locks: Arc<dyn KeyLocks>,
}

impl AcrossDatabases {
    /// For those of a context's `repositories` that run on `here`, whose rows are `own`; the others' rows are `other`.
    /// Both sides, in every instance of the service, use the same `locks`.
    pub(super) fn new(
        here: Backend,
        repositories: Vec<Repository>,
        own: Arc<dyn ReferredRows>,
        other: Arc<dyn ReferredRows>,
        locks: Arc<dyn KeyLocks>,
    ) -> Self {
        Self {
            here,
            repositories,
            own,
            other,
            locks,
        }
    }

    fn lives_here(&self, table: &str) -> bool {
        let owner = |repository: &&Repository| repository.tables.contains(&table);
        self.repositories
            .iter()
            .find(owner)
            .is_some_and(|owner| owner.backend == self.here)
    }

    /// Copies the row `key` of `parent`, and first what that row itself refers to, into this database.
    async fn plant(&self, parent: &'static str, key_column: &'static str, key: &str) -> StoreResult<()> {
        // The parents still to look at, deepest last; the lab's tables refer to each other in a tree.
        let mut wanted = vec![(parent, key_column, key.to_owned())];
        let mut planted = Vec::new();
        while let Some((table, column, key)) = wanted.pop() {
            let row = self
                .other
                .row(table, column, &key)
                .await?
                .ok_or_else(|| StoreError::missing(table))?;
            for relation in RELATIONS.iter().filter(|r| r.child == table && r.parent != table) {
                let value = row
                    .iter()
                    .find(|(name, _)| name == relation.column)
                    .map(|(_, value)| value);
                if let Some(StoredValue::Text(key)) = value
                    && !self.lives_here(relation.parent)
                {
                    wanted.push((relation.parent, relation.parent_key, key.clone()));
                }
            }
            planted.push((table, column, key, row));
        }
        for (table, column, key, row) in planted.iter().rev() {
            self.plant_row(table, column, key, row)
                .await
                .map_err(|error| match error {
                    StoreError::Invalid { what, reason } => {
                        self.unfit(table, key, &format!("{what}: {reason}"))
                    }
                    other => other,
                })?;
        }
        Ok(())
    }

    /// Copies one row, in the place of a copy that is in its way.
    async fn plant_row(
        &self,
        table: &'static str,
        key_column: &'static str,
        key: &str,
        row: &PortableRow,
    ) -> StoreResult<()> {
        let unique = match self.own.plant(table, key_column, key, row).await {
            Err(StoreError::Conflict(unique)) => unique,
            done => return done,
        };
        // Somebody else was quicker.
        if self.own.exists(table, key_column, key).await? {
            return Ok(());
        }
        self.clear(table, key_column, row, &unique).await?;
        match self.own.plant(table, key_column, key, row).await {
            Err(StoreError::Conflict(unique)) => {
                let reason = format!("{unique}: a copy of another row has that value, and cannot go");
                Err(self.unfit(table, key, &reason))
            }
            done => done,
        }
    }

    /// Where another program has deleted a row and made it anew, a copy of the old one keeps the new one out. What deleting it
    /// promises is done here, and takes it away.
    async fn clear(
        &self,
        table: &'static str,
        key_column: &'static str,
        row: &PortableRow,
        unique: &str,
    ) -> StoreResult<()> {
        let text = |row: &PortableRow, column: &str| {
            row.iter().find_map(|(name, value)| match value {
                StoredValue::Text(text) if name == column => Some(text.clone()),
                _ => None,
            })
        };
        let relation = RELATIONS
            .iter()
            .find(|r| r.child == table && format!("{table}.{}", r.column) == unique);
        let Some((relation, value)) = relation.and_then(|r| Some((r, text(row, r.column)?))) else {
            return Ok(());
        };
        let old = self.own.row(table, relation.column, &value).await?;
        let Some(old) = old.and_then(|old| text(&old, key_column)) else {
            return Ok(());
        };
        if self.other.exists(table, key_column, &old).await? {
            return Ok(());
        }
        let children = relations::children_of(table).filter(|child| self.lives_here(child.child));
        let children: Vec<&'static Relation> = children.collect();
        self.own.release(&children, &old).await
    }

    /// A row of the other database of which this one cannot hold the copy that its keys need.
    fn unfit(&self, table: &str, key: &str, reason: &str) -> StoreError {
        let (here, there) = match self.here {
            Backend::Sqlite => ("SQLite", "PostgreSQL"),
            Backend::Postgres => ("PostgreSQL", "SQLite"),
        };
        StoreError::invalid(
            format!("{table} {key}"),
            format!(
                "what refers to this row of {there} cannot be written in {here}, which cannot hold a copy of it ({reason}); mend the row \
                 in {there} first"
            ),
        )
    }

    /// The relations to `parent` whose rows live in the other database.
    fn remote_children(&self, parent: &'static str) -> Vec<&'static Relation> {
        relations::children_of(parent)
            .filter(|relation| !self.lives_here(relation.child))
            .collect()
    }
}

#[async_trait]
impl ForeignKeys for AcrossDatabases {
    async fn hold(&self, written: &[Reference], deleted: &[Reference]) -> StoreResult<Held> {
        let lock = |reference: &Reference, exclusive| KeyLock {
            table: reference.parent,
            key: reference.key.clone(),
            exclusive,
        };
        let written = written.iter().filter(|row| !self.lives_here(row.parent));
        let deleted = deleted
            .iter()
            .filter(|row| !self.remote_children(row.parent).is_empty());
        let mut locks: Vec<_> = written.map(|row| lock(row, false)).collect();
        locks.extend(deleted.map(|row| lock(row, true)));
        if locks.is_empty() {
            return Ok(Held::default());
        }
        locks.sort_unstable();
        self.locks.lock(&locks).await
    }

    async fn before_write(&self, references: &[Reference]) -> StoreResult<()> {
        for Reference { parent, key } in references {
            if self.lives_here(parent) {
                continue;
            }
            let Some(column) = RELATIONS
                .iter()
                .find(|r| r.parent == *parent)
                .map(|r| r.parent_key)
            else {
                continue;
            };
            // The truth is asked every time: a copy here may be older than a delete there.
            if !self.other.exists(parent, column, key).await? {
                return Err(StoreError::missing(*parent));
            }
            if !self.own.exists(parent, column, key).await? {
                self.plant(parent, column, key).await?;
            }
        }
        Ok(())
    }

    async fn before_delete(&self, parent: &'static str, key: &str) -> StoreResult<()> {
        for relation in self.remote_children(parent) {
            // Asked of every relation, so that a database that does not answer stops the delete before its first half.
            let referred = self.other.exists(relation.child, relation.column, key).await?;
            if referred && relation.on_delete == OnDelete::Refuse {
                return Err(StoreError::conflict(format!(
                    "{}.{}",
                    relation.child, relation.column
                )));
            }
        }
        Ok(())
    }

    async fn after_delete(&self, parent: &'static str, key: &str) -> StoreResult<()> {
        self.other.release(&self.remote_children(parent), key).await
    }
}

#[cfg(test)]
mod tests {
    use cutover_ports::KeysAcross;
    use cutover_ports::foreign_keys::{MockKeyLocks, MockReferredRows};

    use super::*;
    use crate::config::{ContextRouting as _, LabRouting};

    fn on_sqlite(own: MockReferredRows, other: MockReferredRows) -> AcrossDatabases {
        let mut locks = MockKeyLocks::new();
        locks.expect_lock().returning(|_| Ok(Held::default()));
        locked_by(locks, own, other)
    }

    fn locked_by(locks: MockKeyLocks, own: MockReferredRows, other: MockReferredRows) -> AcrossDatabases {
        let routing = LabRouting::from_fn(|name| match name {
            "experiments" | "synth_groups" | "scorecards" => Backend::Sqlite,
            _ => Backend::Postgres,
        });
        AcrossDatabases::new(
            Backend::Sqlite,
            routing.repositories(),
            Arc::new(own),
            Arc::new(other),
            Arc::new(locks),
        )
    }

    fn reference(parent: &'static str) -> Reference {
        Reference {
            parent,
            key: "k".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_parent_in_the_same_database_is_left_to_it() {
        let links = on_sqlite(MockReferredRows::new(), MockReferredRows::new());
        links.before_write(&[reference("experiments")]).await.unwrap();
    }

    #[tokio::test]
    async fn what_no_key_across_databases_is_about_is_not_locked() {
        let mut locks = MockKeyLocks::new();
        locks.expect_lock().never();
        let links = locked_by(locks, MockReferredRows::new(), MockReferredRows::new());
        let (written, deleted) = (reference("experiments"), reference("chart_insights"));
        drop(links.hold(&[written], &[deleted]).await.unwrap());
    }

    #[tokio::test]
    async fn the_keys_of_a_write_and_a_delete_are_locked_at_once_and_in_order() {
        let mut locks = MockKeyLocks::new();
        locks.expect_lock().times(1).returning(|locks| {
            let told = locks.iter().map(|lock| (lock.table, lock.exclusive));
            assert_eq!(
                told.collect::<Vec<_>>(),
                [
                    ("analysis_runs", false),
                    ("experiments", true),
                    ("transcripts", false)
                ]
            );
            Ok(Held::default())
        });
        let links = locked_by(locks, MockReferredRows::new(), MockReferredRows::new());
        let written = [reference("transcripts"), reference("analysis_runs")];
        drop(links.hold(&written, &[reference("experiments")]).await.unwrap());
    }

    #[tokio::test]
    async fn a_parent_that_exists_nowhere_is_missing_although_a_copy_lies_here() {
        let mut other = MockReferredRows::new();
        other.expect_exists().times(1).returning(|_, _, _| Ok(false));
        let links = on_sqlite(MockReferredRows::new(), other);
        let error = links
            .before_write(&[reference("analysis_runs")])
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Missing(table) if table == "analysis_runs"));
    }

    #[tokio::test]
    async fn a_parent_is_planted_once_with_its_own_parents_first() {
        let (mut own, mut other) = (MockReferredRows::new(), MockReferredRows::new());
        other.expect_exists().returning(|_, _, _| Ok(true));
        own.expect_exists().returning(|_, _, _| Ok(false));
        other.expect_row().returning(|table, _, key| {
            let parent = if table == "transcripts" {
                ("exec_id", "e")
            } else {
                ("other", "")
            };
            Ok(Some(vec![
                ("key".to_owned(), StoredValue::Text(key.to_owned())),
                (parent.0.to_owned(), StoredValue::Text(parent.1.to_owned())),
            ]))
        });
        let mut order = mockall::Sequence::new();
        own.expect_plant()
            .times(1)
            .in_sequence(&mut order)
            .returning(|table, _, key, _| {
                assert_eq!((table, key), ("research_executions", "e"));
                Ok(())
            });
        own.expect_plant()
            .times(1)
            .in_sequence(&mut order)
            .returning(|table, _, _, _| {
                assert_eq!(table, "transcripts");
                Ok(())
            });
        on_sqlite(own, other)
            .plant("transcripts", "exec_id", "k")
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_child_there_forbids_a_delete_here() {
        let mut other = MockReferredRows::new();
        other
            .expect_exists()
            .withf(|table, column, key| [table, column, key] == ["simulation_runs", "scorecard_id", "s"])
            .times(1)
            .returning(|_, _, _| Ok(true));
        let error = on_sqlite(MockReferredRows::new(), other)
            .before_delete("feature_scorecards", "s")
            .await;
        assert!(matches!(error, Err(StoreError::Conflict(key)) if key == "simulation_runs.scorecard_id"));
    }

    #[tokio::test]
    async fn a_delete_does_not_begin_while_the_other_database_is_away() {
        let mut other = MockReferredRows::new();
        other
            .expect_exists()
            .returning(|_, _, _| Err(StoreError::Unavailable("away".into())));
        let keys = KeysAcross::kept_by(Arc::new(on_sqlite(MockReferredRows::new(), other)));
        let deleted = keys
            .around_delete("synth_groups", "grp_1", async { panic!("it began") })
            .await;
        assert!(matches!(deleted, Err(StoreError::Unavailable(_))), "{deleted:?}");
    }

    #[tokio::test]
    async fn a_delete_that_stopped_half_way_does_not_say_that_nothing_was_written() {
        let mut other = MockReferredRows::new();
        other.expect_exists().returning(|_, _, _| Ok(true));
        other
            .expect_release()
            .returning(|_, _| Err(StoreError::Unavailable("away".into())));
        let keys = KeysAcross::kept_by(Arc::new(on_sqlite(MockReferredRows::new(), other)));
        let deleted = keys.around_delete("synth_groups", "grp_1", async { Ok(1) }).await;
        assert!(
            matches!(deleted, Err(StoreError::Indeterminate(_))),
            "{deleted:?}"
        );
    }

    #[tokio::test]
    async fn deleting_nothing_here_changes_nothing_there() {
        let mut other = MockReferredRows::new();
        other.expect_exists().returning(|_, _, _| Ok(true));
        other.expect_release().never();
        let keys = KeysAcross::kept_by(Arc::new(on_sqlite(MockReferredRows::new(), other)));
        let deleted = keys.around_delete("synth_groups", "grp_1", async { Ok(0) });
        assert!(!deleted.await.unwrap());
    }

    #[tokio::test]
    async fn after_a_delete_here_the_children_there_are_released() {
        let mut other = MockReferredRows::new();
        other.expect_release().times(1).returning(|relations, key| {
            assert_eq!(key, "grp_1");
            assert_eq!(relations.iter().map(|r| r.child).collect::<Vec<_>>(), ["synths"]);
            Ok(())
        });
        on_sqlite(MockReferredRows::new(), other)
            .after_delete("synth_groups", "grp_1")
            .await
            .unwrap();
    }
}
