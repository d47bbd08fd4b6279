//! Whether what the databases hold holds together: rows on both sides, references to rows that are not there, rules that rows break,
//! and when all was last copied and verified. Looked at now and then, kept, and shown by `/integrity`, the status page and the metrics.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cutover_domain::relations::{RELATIONS, Relation};
use cutover_domain::time::Timestamp;
use cutover_ports::clock::Clock;
use cutover_ports::integrity::{BrokenRule, Integrity, References};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use metrics::gauge;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::config::{Backend, Config, ContextConfig};
use crate::status::{self, RepositoryStatus, Status, TableStatus};
use crate::wiring::{Examiners, rules};

/// A report this old is made anew when somebody asks, if it did not take long to make.
const FRESH: Duration = Duration::from_secs(15);
/// Of the time, at most one part in so many goes into reports that nobody has ordered.
const SHARE: u32 = 10;
/// A report is made at least this often, for the metrics.
const EVERY: Duration = Duration::from_mins(5);
/// Keys looked up at once.
const KEYS: u32 = 5_000;
/// So many missing keys are named.
const NAMED: usize = 5;

/// What an examination found.
#[derive(Debug)]
pub struct Report {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Databases, repositories and tables.
    pub status: Status,
    /// References to rows that are not there.
    pub orphans: Vec<Orphans>,
    /// Rules that rows break.
    pub broken: Vec<Broken>,
}

/// Rows of a table that refer to rows which are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphans {
    /// The table's context.
    pub context: &'static str,
    /// Where the table is.
    pub backend: Backend,
    /// What refers to what.
    pub relation: &'static Relation,
    /// So many rows.
    pub rows: u64,
    /// The first of the keys that are missing.
    pub missing: Vec<String>,
}

/// A rule that rows of a database break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The table's context.
    pub context: &'static str,
    /// Where the table is.
    pub backend: Backend,
    /// Which rule, and how many rows.
    pub rule: BrokenRule,
}

impl Report {
    /// Of no database, so that nothing is wrong.
    #[cfg(test)]
    pub(crate) fn of_nothing(at: Timestamp) -> Self {
        Self {
            at,
            took: Duration::ZERO,
            status: Status {
                databases: Vec::new(),
                repositories: Vec::new(),
            },
            orphans: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Whether nothing is wrong.
    pub fn ok(&self) -> bool {
        self.orphans.is_empty() && self.broken.is_empty() && !self.lacks_a_file()
    }

    /// Whether a repository runs on a file that is gone. Whoever had opened it before cannot write any more.
    pub fn lacks_a_file(&self) -> bool {
        let mut gone = self.status.databases.iter().filter(|database| !database.exists);
        gone.any(|database| {
            let is_on_it = |repository: &RepositoryStatus| {
                (repository.context, repository.backend) == (database.context, database.backend)
            };
            self.status.repositories.iter().any(is_on_it)
        })
    }

    /// The newest verification of any table.
    pub fn last_verification(&self) -> Option<Timestamp> {
        self.newest(|table| table.verified_at())
    }

    /// The newest copy of any table.
    pub fn last_copy(&self) -> Option<Timestamp> {
        self.newest(|table| table.copied_at())
    }

    fn newest(&self, time: impl Fn(&TableStatus) -> Option<Timestamp>) -> Option<Timestamp> {
        let tables = self
            .status
            .repositories
            .iter()
            .flat_map(|repository| &repository.tables);
        tables.filter_map(time).max()
    }

    /// For a machine.
    pub fn json(&self) -> Value {
        let orphans = self.orphans.iter().map(|orphans| {
            json!({
                "context": orphans.context,
                "backend": orphans.backend.name(),
                "table": orphans.relation.child,
                "column": orphans.relation.column,
                "parent": orphans.relation.parent,
                "rows": orphans.rows,
                "missing": orphans.missing,
            })
        });
        let broken = self.broken.iter().map(|broken| {
            json!({
                "context": broken.context,
                "backend": broken.backend.name(),
                "table": broken.rule.table,
                "rule": broken.rule.rule,
                "rows": broken.rule.rows,
            })
        });
        let mut report = json!({
            "ok": self.ok(),
            "checked_at": self.at.to_json_text(),
            "seconds": self.took.as_secs_f64(),
            "last_copy": self.last_copy().map(Timestamp::to_json_text),
            "last_verification": self.last_verification().map(Timestamp::to_json_text),
            "orphans": orphans.collect::<Vec<_>>(),
            "broken_rules": broken.collect::<Vec<_>>(),
        });
        if let (Some(report), Value::Object(status)) = (report.as_object_mut(), self.status.json()) {
            report.extend(status);
        }
        report
    }

    /// Puts the figures among the metrics.
    fn publish(&self) {
        let rows = |orphans: u64| orphans as f64;
        gauge!("cutover_integrity_checked_timestamp_seconds").set(seconds(self.at));
        gauge!("cutover_integrity_seconds").set(self.took.as_secs_f64());
        gauge!("cutover_orphan_rows").set(rows(self.orphans.iter().map(|orphans| orphans.rows).sum()));
        gauge!("cutover_rule_breaking_rows")
            .set(rows(self.broken.iter().map(|broken| broken.rule.rows).sum()));
        for database in &self.status.databases {
            let labels = [
                ("context", database.context),
                ("backend", database.backend.name()),
            ];
            gauge!("cutover_schema_version", &labels).set(database.version as f64);
            gauge!("cutover_schema_head", &labels).set(database.head as f64);
        }
        for repository in &self.status.repositories {
            let labels = [("context", repository.context), ("repository", repository.name)];
            let on_postgres = f64::from(u8::from(repository.backend == Backend::Postgres));
            gauge!("cutover_repository_on_postgres", &labels).set(on_postgres);
            for table in &repository.tables {
                let label = |backend: Backend| {
                    [
                        ("context", repository.context),
                        ("table", table.name),
                        ("backend", backend.name()),
                    ]
                };
                for (backend, counted) in [
                    (Backend::Sqlite, table.sqlite),
                    (Backend::Postgres, table.postgres),
                ] {
                    if let Some(counted) = counted {
                        gauge!("cutover_table_rows", &label(backend)).set(rows(counted.truth()));
                    }
                }
                let labels = [("context", repository.context), ("table", table.name)];
                if let Some(at) = table.copied_at() {
                    gauge!("cutover_table_copied_timestamp_seconds", &labels).set(seconds(at));
                }
                if let Some(at) = table.verified_at() {
                    gauge!("cutover_table_verified_timestamp_seconds", &labels).set(seconds(at));
                }
                if let Some(entry) = &table.ledger {
                    gauge!("cutover_table_carried_rows", &labels).set(rows(entry.rows));
                }
            }
        }
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.as_micros() as f64 / 1e6
}

/// What makes a report, or tells why there is none. It looks now and then whether the service is stopping.
type Examine = Arc<dyn Fn(Arc<AtomicBool>) -> BoxFuture<'static, Result<Report, String>> + Send + Sync>;
/// A report, or why there is none, for everybody who asked.
type Outcome = Result<Arc<Report>, String>;

/// The examinations of a running service: one at a time, the last one kept. Each goes on to its end, whether somebody waits for it or
/// not: what was found is there for whoever asks next. Cloning shares them.
#[derive(Clone)]
pub struct Examinations {
    examine: Examine,
    /// How long the end waits for one that is under way.
    patience: Duration,
    state: Arc<Mutex<Examined>>,
    closed: Arc<AtomicBool>,
}

#[derive(Default)]
struct Examined {
    last: Option<Last>,
    under_way: Option<UnderWay>,
}

struct Last {
    begun: Instant,
    report: Arc<Report>,
}

/// An examination that has begun, and may have ended.
#[derive(Clone)]
struct UnderWay {
    begun: Instant,
    outcome: Shared<BoxFuture<'static, Outcome>>,
    task: AbortHandle,
}

impl std::fmt::Debug for Examinations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Examinations").finish_non_exhaustive()
    }
}

impl Examinations {
    /// Of the databases of `config`. None is made yet.
    pub fn new(config: Arc<Config>, clock: Arc<dyn Clock>) -> Self {
        let patience = config.server.shutdown_timeout;
        let examine = move |closed| examine(Arc::clone(&config), clock.now(), closed).boxed();
        Self::by(Arc::new(examine), patience)
    }

    fn by(examine: Examine, patience: Duration) -> Self {
        Self {
            examine,
            patience,
            state: Arc::default(),
            closed: Arc::default(),
        }
    }

    /// The last report, if there is one.
    pub fn last(&self) -> Option<Arc<Report>> {
        self.state().last.as_ref().map(|last| Arc::clone(&last.report))
    }

    fn state(&self) -> MutexGuard<'_, Examined> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A report that is recent, if need be the one that is under way; the error says why there is none.
    pub async fn recent(&self) -> Outcome {
        let under_way = {
            let mut state = self.state();
            if let Some(last) = &state.last
                && last.begun.elapsed() < FRESH.max(last.report.took * SHARE)
            {
                return Ok(Arc::clone(&last.report));
            }
            self.under_way(&mut state)?
        };
        under_way.outcome.await
    }

    /// A report that was begun after this was called. Who calls while one is made waits for the next, and all who wait share that.
    pub async fn fresh(&self) -> Outcome {
        let asked = Instant::now();
        loop {
            let under_way = self.under_way(&mut self.state())?;
            let outcome = under_way.outcome.await;
            if under_way.begun >= asked {
                return outcome;
            }
        }
    }

    /// The examination that is under way, or a new one.
    fn under_way(&self, state: &mut Examined) -> Result<UnderWay, String> {
        if let Some(under_way) = state.under_way.as_ref().filter(|one| !one.task.is_finished()) {
            return Ok(under_way.clone());
        }
        go_on(&self.closed)?;
        let begun = Instant::now();
        let task = tokio::spawn(self.clone().make(begun));
        let abort = task.abort_handle();
        let outcome = async { task.await.unwrap_or_else(|_| Err("it was broken off".to_owned())) };
        let under_way = UnderWay {
            begun,
            outcome: outcome.boxed().shared(),
            task: abort,
        };
        Ok(state.under_way.insert(under_way).clone())
    }

    async fn make(self, begun: Instant) -> Outcome {
        let report = Arc::new((self.examine)(Arc::clone(&self.closed)).await?);
        report.publish();
        self.state().last = Some(Last {
            begun,
            report: Arc::clone(&report),
        });
        Ok(report)
    }

    /// Makes a report now and then, for the metrics.
    pub async fn keep_up(self) {
        while !self.closed.load(Ordering::Relaxed) {
            let report = self.recent().await;
            // One that was broken off because the service stops is no trouble.
            if let Err(problem) = report
                && !self.closed.load(Ordering::Relaxed)
            {
                tracing::warn!(%problem, "the databases could not be examined");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Breaks off the examination that is under way, and lets no other begin: a file is only closed whole when nobody reads it. What is
    /// under way ends with its statement; that one is waited for as long as requests are.
    pub async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        let Some(under_way) = self.state().under_way.take() else {
            return;
        };
        let patience = self.patience;
        if tokio::time::timeout(patience, under_way.outcome).await.is_err() {
            tracing::warn!(?patience, "an examination of the databases did not end in time");
            under_way.task.abort();
        }
    }
}

/// Looks at all that `config` names.
async fn examine(config: Arc<Config>, at: Timestamp, closed: Arc<AtomicBool>) -> Result<Report, String> {
    let begun = Instant::now();
    let status = status::gather(&config).await.map_err(|error| error.to_string())?;
    let examiners = Examiners::open(&config)
        .await
        .map_err(|error| error.to_string())?;
    let contexts = config.contexts();
    let orphans = find_orphans(&contexts, &examiners, &closed).await?;
    let broken = find_broken(&contexts, &examiners, &closed).await?;
    Ok(Report {
        at,
        took: begun.elapsed(),
        status,
        orphans,
        broken,
    })
}

/// An error once the service is stopping.
fn go_on(closed: &AtomicBool) -> Result<(), String> {
    if closed.load(Ordering::Relaxed) {
        return Err("the service is stopping".to_owned());
    }
    Ok(())
}

/// References whose row is not where its repository runs. What stands in the database that a repository does not run on is not looked
/// at: it is a copy, planted or left behind.
async fn find_orphans(
    contexts: &[ContextConfig],
    examiners: &Examiners,
    closed: &AtomicBool,
) -> Result<Vec<Orphans>, String> {
    let home = |table: &str| {
        contexts.iter().find_map(|context| {
            let mut repositories = context.repositories.iter();
            let repository = repositories.find(|repository| repository.tables.contains(&table))?;
            Some((context, repository.backend))
        })
    };
    let mut found = Vec::new();
    for relation in RELATIONS {
        let (Some((context, backend)), Some((_, parents))) = (home(relation.child), home(relation.parent))
        else {
            continue;
        };
        let (Some(children), Some(parents)) =
            (examiners.on(context, backend), examiners.on(context, parents))
        else {
            continue;
        };
        let (rows, missing) = orphans_of(relation, children.as_ref(), parents.as_ref(), closed)
            .await
            .map_err(|error| format!("{}.{}: {error}", relation.child, relation.column))?;
        if rows > 0 {
            found.push(Orphans {
                context: context.schema.name,
                backend,
                relation,
                rows,
                missing,
            });
        }
    }
    Ok(found)
}

/// How many rows refer to nothing, and the first keys of which there is no row.
async fn orphans_of(
    relation: &'static Relation,
    children: &dyn Integrity,
    parents: &dyn Integrity,
    closed: &AtomicBool,
) -> Result<(u64, Vec<String>), String> {
    let (mut rows, mut named) = (0, Vec::new());
    let mut after: Option<String> = None;
    loop {
        go_on(closed)?;
        let refer = async |limit| children.references(relation, after.clone(), limit).await;
        let References { keys, next } = refer(KEYS).await.map_err(|error| error.to_string())?;
        let mut orphans = without_parent(relation, parents, keys).await?;
        if !orphans.is_empty() {
            // The two databases are not read at one moment: a parent may have gone in between, and its children with it. So both are asked
            // once more; there may be keys now that were not there before.
            let suspects: HashSet<String> = orphans.into_iter().map(|(key, _)| key).collect();
            let mut again = refer(2 * KEYS).await.map_err(|error| error.to_string())?.keys;
            again.retain(|(key, _)| suspects.contains(key));
            orphans = without_parent(relation, parents, again).await?;
        }
        rows += orphans.iter().map(|(_, rows)| rows).sum::<u64>();
        for (key, _) in orphans {
            if named.len() < NAMED && !named.contains(&key) {
                named.push(key);
            }
        }
        if next.is_none() {
            return Ok((rows, named));
        }
        after = next;
    }
}

/// Those of the keys, each with the number of its rows, that no parent has.
async fn without_parent(
    relation: &'static Relation,
    parents: &dyn Integrity,
    mut found: Vec<(String, u64)>,
) -> Result<Vec<(String, u64)>, String> {
    if found.is_empty() {
        return Ok(found);
    }
    let keys: Vec<String> = found.iter().map(|(key, _)| key.clone()).collect();
    let missing = parents.missing(relation, &keys).await;
    let missing: HashSet<String> = missing.map_err(|error| error.to_string())?.into_iter().collect();
    found.retain(|(key, _)| missing.contains(key));
    Ok(found)
}

async fn find_broken(
    contexts: &[ContextConfig],
    examiners: &Examiners,
    closed: &AtomicBool,
) -> Result<Vec<Broken>, String> {
    let mut found = Vec::new();
    for context in contexts {
        let tables: Vec<&'static str> = context.tables().collect();
        let rules = rules(context).await.map_err(|error| error.to_string())?;
        for backend in [Backend::Sqlite, Backend::Postgres] {
            let Some(examiner) = examiners.on(context, backend) else {
                continue;
            };
            go_on(closed)?;
            let broken = examiner
                .broken_rules(&tables, &rules)
                .await
                .map_err(|error| error.to_string())?;
            found.extend(broken.into_iter().map(|rule| Broken {
                context: context.schema.name,
                backend,
                rule,
            }));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use cutover_ports::integrity::MockIntegrity;
    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    fn page(keys: Vec<(String, u64)>, next: Option<&str>) -> References {
        let next = next.map(str::to_owned);
        References { keys, next }
    }

    #[tokio::test]
    async fn references_are_followed_to_the_last_chunk_and_only_some_keys_are_named() {
        let relation = &RELATIONS[0];
        let mut children = MockIntegrity::new();
        children
            .expect_references()
            .withf(|_, after, limit| after.is_none() && *limit >= KEYS)
            .returning(|_, _, _| Ok(page(vec![("a".to_owned(), 2), ("b".to_owned(), 3)], Some("62"))));
        children
            .expect_references()
            .withf(|_, after, _| after.as_deref() == Some("62"))
            .returning(|_, _, _| {
                let keys = (0..9).map(|number| (format!("c{number}"), 10));
                Ok(page(keys.collect(), Some("6338")))
            });
        children
            .expect_references()
            .withf(|_, after, _| after.as_deref() == Some("6338"))
            .returning(|_, _, _| Ok(page(Vec::new(), None)));
        let mut parents = MockIntegrity::new();
        parents
            .expect_missing()
            .returning(|_, keys| Ok(keys.iter().filter(|key| *key != "a").cloned().collect()));
        let closed = AtomicBool::new(false);
        let (rows, missing) = orphans_of(relation, &children, &parents, &closed).await.unwrap();
        assert_eq!(rows, 3 + 90);
        assert_eq!(missing, ["b", "c0", "c1", "c2", "c3"]);
    }

    #[tokio::test]
    async fn a_key_in_two_storage_classes_is_counted_twice_and_named_once() {
        let relation = &RELATIONS[0];
        let mut children = MockIntegrity::new();
        children.expect_references().returning(|_, _, _| {
            let keys = [("1", 2), ("2", 1), ("1", 3)];
            Ok(page(keys.map(|(key, rows)| (key.to_owned(), rows)).into(), None))
        });
        let mut parents = MockIntegrity::new();
        parents.expect_missing().returning(|_, keys| Ok(keys.to_vec()));
        let closed = AtomicBool::new(false);
        let found = orphans_of(relation, &children, &parents, &closed).await;
        assert_eq!(found, Ok((6, vec!["1".to_owned(), "2".to_owned()])));
    }

    /// `gone` is deleted with its children between the looks, `late` is stored after the first, and `orphan` has none.
    #[tokio::test]
    async fn what_changes_between_two_looks_is_no_orphan() {
        let (mut children, mut parents) = (MockIntegrity::new(), MockIntegrity::new());
        let looks = [&["gone", "late", "orphan"][..], &["late", "orphan"]];
        let mut looks = looks.into_iter();
        children.expect_references().times(2).returning(move |_, _, _| {
            let keys = looks.next().unwrap().iter();
            Ok(page(keys.map(|key| ((*key).to_owned(), 2)).collect(), None))
        });
        let mut is_late = true;
        parents.expect_missing().times(2).returning(move |_, keys| {
            let is_stored = !std::mem::take(&mut is_late);
            let mut missing = keys.to_vec();
            missing.retain(|key| key != "late" || !is_stored);
            Ok(missing)
        });
        let closed = AtomicBool::new(false);
        let found = orphans_of(&RELATIONS[0], &children, &parents, &closed).await;
        assert_eq!(found, Ok((2, vec!["orphan".to_owned()])));
    }

    const PATIENCE: Duration = Duration::from_millis(50);

    /// Examinations that end when they are told to, and how many were begun. Each tells its number as the time at which it began.
    fn examinations_by_hand() -> (Examinations, Arc<Notify>, Arc<AtomicU32>) {
        let (end, begun) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let (told, count) = (Arc::clone(&end), Arc::clone(&begun));
        let examine = move |_| {
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let told = Arc::clone(&told);
            async move {
                told.notified().await;
                report_at(number)
            }
            .boxed()
        };
        (Examinations::by(Arc::new(examine), PATIENCE), end, begun)
    }

    /// The second one fails.
    fn report_at(number: u32) -> Result<Report, String> {
        if number == 2 {
            return Err("the second one fails".to_owned());
        }
        Ok(Report::of_nothing(Timestamp::from_micros(number.into()).unwrap()))
    }

    /// The number of the examination that a report is of.
    fn number(outcome: Outcome) -> Result<i64, String> {
        outcome.map(|report| report.at.as_micros())
    }

    #[tokio::test]
    async fn a_report_that_nobody_has_the_patience_for_is_made_once_and_kept() {
        let (examinations, end, begun) = examinations_by_hand();
        for _ in 0..3 {
            let given_up = timeout(Duration::from_millis(10), examinations.recent()).await;
            assert!(given_up.is_err());
            let given_up = timeout(Duration::from_millis(10), examinations.fresh()).await;
            assert!(given_up.is_err());
        }
        assert!(examinations.last().is_none());
        end.notify_one();
        while examinations.last().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(number(examinations.recent().await), Ok(1));
        assert_eq!(begun.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn who_waits_has_the_report_that_is_under_way_and_who_wants_a_fresh_one_the_next() {
        let (examinations, end, begun) = examinations_by_hand();
        let ending = async {
            tokio::task::yield_now().await;
            end.notify_one();
            while begun.load(Ordering::Relaxed) < 2 {
                tokio::task::yield_now().await;
            }
            end.notify_one();
        };
        let (first, second) = (examinations.recent(), examinations.recent());
        let (fresh, too) = (examinations.fresh(), examinations.fresh());
        let (first, second, fresh, too, ()) = tokio::join!(first, second, fresh, too, ending);
        assert_eq!([number(first), number(second)], [Ok(1), Ok(1)]);
        let failed = Err("the second one fails".to_owned());
        assert_eq!([number(fresh), number(too)], [failed.clone(), failed]);
        // What has failed takes nothing away, and the next one may begin.
        assert_eq!(number(examinations.recent().await), Ok(1));
        end.notify_one();
        assert_eq!(number(examinations.fresh().await), Ok(3));
    }

    #[tokio::test]
    async fn one_that_panics_has_ended_and_the_next_may_begin() {
        let examine: Examine = Arc::new(|_| async { panic!("a fault of ours") }.boxed());
        let examinations = Examinations::by(examine, PATIENCE);
        for _ in 0..2 {
            assert_eq!(
                number(examinations.fresh().await),
                Err("it was broken off".to_owned())
            );
        }
    }

    #[tokio::test]
    async fn the_end_waits_for_an_examination_as_long_as_for_requests_and_breaks_it_off() {
        let (examinations, _end, _) = examinations_by_hand();
        let waiting = tokio::spawn({
            let examinations = examinations.clone();
            async move { examinations.fresh().await }
        });
        tokio::task::yield_now().await;
        let begun = Instant::now();
        examinations.close().await;
        assert!(begun.elapsed() >= PATIENCE, "{:?}", begun.elapsed());
        assert_eq!(
            number(waiting.await.unwrap()),
            Err("it was broken off".to_owned())
        );
        let refused = number(examinations.fresh().await);
        assert_eq!(refused, Err("the service is stopping".to_owned()));
    }

    #[tokio::test]
    async fn an_examination_ends_between_two_chunks_when_the_service_stops() {
        let closed = Arc::new(AtomicBool::new(false));
        let mut children = MockIntegrity::new();
        let stop = Arc::clone(&closed);
        children
            .expect_references()
            .times(2)
            .returning(move |_, after, _| {
                stop.store(after.is_some(), Ordering::Relaxed);
                Ok(page(vec![("a".to_owned(), 1)], Some("61")))
            });
        let mut parents = MockIntegrity::new();
        parents.expect_missing().returning(|_, _| Ok(Vec::new()));
        let ended = orphans_of(&RELATIONS[0], &children, &parents, &closed).await;
        assert_eq!(ended, Err("the service is stopping".to_owned()));
    }
}
