//! Lookups on the thread that asks: handing one to a thread that waits for work takes longer than it does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use cutover_ports::StoreResult;
use cutover_ports::together::Shared;
use rusqlite::Connection;

use crate::database::{Job, Session};
use crate::error::store_error;
use crate::lane::Lane;

/// Steps of SQLite's machine between two looks at the [`Allowance`]. A row by its key takes some twenty.
const STEPS: i32 = 1000;
/// Looks that what goes together on the asking thread may see: less than a millisecond, in which the thread does nothing else.
const LOOKS: u32 = 8;
/// The longest value that is read on the asking thread, in bytes: what holds a longer one takes its time to be read, and to be looked through.
const LONGEST: i32 = 64 * 1024;

/// How much longer a connection may work on what it does.
#[derive(Debug, Clone)]
pub(crate) struct Allowance(Arc<AtomicU32>);

impl Allowance {
    const WITHOUT_END: u32 = u32::MAX;

    /// Without end.
    pub(crate) fn endless() -> Self {
        Self(Arc::new(AtomicU32::new(Self::WITHOUT_END)))
    }

    /// Holds `connection` to it.
    pub(crate) fn bound(&self, connection: &Connection) -> StoreResult<()> {
        let left = self.clone();
        connection
            .progress_handler(STEPS, Some(move || left.spend()))
            .map_err(store_error)
    }

    /// Takes a look; whether nothing is left of it.
    fn spend(&self) -> bool {
        let left = self.0.load(Ordering::Relaxed);
        if left == Self::WITHOUT_END {
            return false;
        }
        let left = left.saturating_sub(1);
        self.0.store(left, Ordering::Relaxed);
        left == 0
    }

    fn set(&self, looks: u32) {
        self.0.store(looks, Ordering::Relaxed);
    }

    /// Whether there is an end to it.
    pub(crate) fn is_limited(&self) -> bool {
        self.0.load(Ordering::Relaxed) != Self::WITHOUT_END
    }
}

/// Reads that go together, handed over once all are known.
pub(crate) struct Bundle {
    readers: Arc<Lane<Job, Session>>,
    jobs: Mutex<Vec<Job>>,
}

impl Bundle {
    /// Reads for `readers`.
    pub(crate) fn of(readers: &Arc<Lane<Job, Session>>) -> Self {
        Self {
            readers: Arc::clone(readers),
            jobs: Mutex::default(),
        }
    }

    /// One more.
    pub(crate) fn push(&self, job: Job) {
        self.jobs().push(job);
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared for Bundle {
    fn all_asked(&self, _: &Waker) -> bool {
        let jobs = std::mem::take(&mut *self.jobs());
        !jobs.is_empty() && hand_over(&self.readers, jobs)
    }
}

/// Does `jobs` here if they are lookups and nothing has to be waited for, and is true then; else some reader will do them.
pub(crate) fn hand_over(readers: &Lane<Job, Session>, jobs: Vec<Job>) -> bool {
    if !jobs.iter().all(Job::is_lookup) {
        readers.send(jobs);
        return false;
    }
    let mut jobs = Some(jobs);
    let done = readers.with_spare(|session| {
        session.briefly(|| {
            for job in jobs.take().into_iter().flatten() {
                job.run(session);
            }
        })
    });
    if let Some(jobs) = jobs {
        readers.send(jobs);
    }
    done.unwrap_or(false)
}

impl Session {
    /// Does `work` in one transaction that only reads, within the [`Allowance`] and without long values, unless beginning it would mean to
    /// wait.
    fn briefly(&self, work: impl FnOnce()) -> bool {
        if !self.begin_without_waiting() {
            return false;
        }
        self.allowance.set(LOOKS);
        self.with_values_of(LONGEST, work);
        self.allowance.set(Allowance::WITHOUT_END);
        // A failure may have ended it already. Nothing was written.
        self.roll_back();
        true
    }

    /// Begins a transaction and has its view of the file, after which a read waits for nobody.
    fn begin_without_waiting(&self) -> bool {
        let begin = || {
            self.execute("BEGIN", [])?;
            self.query_opt("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()))
        };
        let begun = self.without_waiting(begin).is_ok();
        if !begun {
            self.roll_back();
        }
        begun
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll};
    use std::thread::{self, ThreadId};

    use cutover_ports::StoreError;
    use cutover_ports::together::together;

    use super::*;
    use crate::{Database, OpenSettings};

    fn database(readers: usize) -> (tempfile::TempDir, Database) {
        let directory = tempfile::tempdir().unwrap();
        let settings = OpenSettings {
            create: true,
            readers,
            ..OpenSettings::default()
        };
        let db = Database::open(&directory.path().join("test.db"), &settings).unwrap();
        (directory, db)
    }

    fn thread_of(session: &Session) -> StoreResult<ThreadId> {
        let sql = "SELECT count(*) FROM sqlite_schema";
        session.query_opt(sql, [], |columns| columns.count())?;
        Ok(thread::current().id())
    }

    fn all(session: &Session, numbers: u64) -> StoreResult<(u64, ThreadId)> {
        let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT count(*) FROM n";
        let count = session.query_opt(sql, [i64::try_from(numbers).unwrap()], |columns| columns.count())?;
        Ok((count.unwrap_or_default(), thread::current().id()))
    }

    /// The outcome of what ends when it is asked for once.
    fn at_once<T>(call: impl Future<Output = T>) -> T {
        match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => unreachable!("nothing has to be waited for"),
        }
    }

    #[test]
    fn a_lookup_is_done_when_it_is_asked_for() {
        let (_directory, db) = database(1);
        let here = thread::current().id();
        assert_eq!(at_once(db.look_up("test.here", thread_of)).unwrap(), here);
        let (one, other) = at_once(together(async {
            let other = async { db.look_up("test.other", thread_of).await };
            both(db.look_up("test.one", thread_of), other).await
        }));
        assert_eq!((one.unwrap(), other.unwrap()), (here, here));
        let status = db.readers();
        assert_eq!((status.connections, status.in_use, status.waiting), (1, 0, 0));
    }

    #[tokio::test]
    async fn what_takes_longer_than_a_lookup_is_done_by_a_reader() {
        let (_directory, db) = database(1);
        let here = thread::current().id();
        let (count, there) = db
            .look_up("test.long", |session| all(session, 100_000))
            .await
            .unwrap();
        assert_eq!(count, 100_000);
        assert_ne!(there, here);
        // What goes together with it is right, too, and the connection is as it was.
        let (long, short) = together(async {
            both(
                db.look_up("test.long", |session| all(session, 100_000)),
                db.look_up("test.short", |session| all(session, 10)),
            )
            .await
        })
        .await;
        assert_eq!((long.unwrap().0, short.unwrap().0), (100_000, 10));
        // A reader answers before it gives its connection back.
        while db.readers().in_use > 0 {
            tokio::task::yield_now().await;
        }
        let (count, there) = db
            .look_up("test.short", |session| all(session, 10))
            .await
            .unwrap();
        assert_eq!((count, there), (10, here));
        let read = db
            .read("test.read", |session| all(session, 100_000))
            .await
            .unwrap();
        assert_eq!(read.0, 100_000);
    }

    #[tokio::test]
    async fn a_long_value_is_read_by_a_reader() {
        let (_directory, db) = database(1);
        db.write("test.make", |session| {
            session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)", [])?;
            session.execute(
                "INSERT INTO t VALUES (1, printf('%.*c', 65536, 'x')), (2, printf('%.*c', 65537, 'x'))",
                [],
            )
        })
        .await
        .unwrap();
        let here = thread::current().id();
        for (id, length, is_here) in [(1, 65_536, true), (2, 65_537, false), (1, 65_536, true)] {
            while db.readers().in_use > 0 {
                tokio::task::yield_now().await;
            }
            let found = db.look_up("test.value", move |session| {
                let text =
                    session.query_opt("SELECT a FROM t WHERE id = ?1", [id], |columns| columns.text())?;
                Ok((text.unwrap_or_default().len(), thread::current().id()))
            });
            let (found, there) = found.await.unwrap();
            assert_eq!((found, there == here), (length, is_here), "{id}");
        }
    }

    #[tokio::test]
    async fn lookups_that_go_together_see_one_moment() {
        let (directory, db) = database(2);
        db.write("test.make", |session| {
            session.execute("CREATE TABLE t (a INTEGER)", [])
        })
        .await
        .unwrap();
        let path = directory.path().join("test.db");
        let count = |session: &Session| {
            let sql = "SELECT count(*) FROM t";
            session.query_opt(sql, [], |columns| columns.count())
        };
        let count_and_add = move |session: &Session| {
            let before = count(session)?;
            let other = Connection::open(&path).map_err(store_error)?;
            other
                .execute_batch("INSERT INTO t VALUES (1)")
                .map_err(store_error)?;
            Ok::<_, StoreError>(before)
        };
        let (before, after) = at_once(together(both(
            db.look_up("test.add", count_and_add),
            db.look_up("test.count", count),
        )));
        assert_eq!((before.unwrap(), after.unwrap()), (Some(0), Some(0)));
        assert_eq!(db.look_up("test.count", count).await.unwrap(), Some(1));
    }

    #[tokio::test]
    async fn without_a_spare_connection_it_is_done_in_its_turn() {
        let (_directory, db) = database(1);
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let begun = Arc::new(std::sync::Barrier::new(2));
        let there = Arc::clone(&begun);
        let busy = tokio::spawn({
            let db = db.clone();
            async move {
                db.read("test.busy", move |_| {
                    there.wait();
                    wait.recv().unwrap_or_default();
                    Ok(())
                })
                .await
            }
        });
        tokio::task::spawn_blocking(move || begun.wait()).await.unwrap();
        let mut lookup = pin!(db.look_up("test.late", thread_of));
        assert!(
            lookup
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(db.readers().waiting, 1);
        drop(go_on);
        assert_ne!(lookup.await.unwrap(), thread::current().id());
        busy.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_panic_leaves_the_connection_to_the_next() {
        let (_directory, db) = database(1);
        let panicking = |_: &Session| -> StoreResult<()> { panic!("a test") };
        let (bad, good) = together(both(
            db.look_up("test.panic", panicking),
            db.look_up("test.good", thread_of),
        ))
        .await;
        assert!(matches!(bad, Err(StoreError::Unavailable(_))));
        assert!(good.is_ok());
        assert!(at_once(db.look_up("test.next", thread_of)).is_ok());
        assert_eq!(db.readers().in_use, 0);
    }

    /// Both outcomes, polled in turn.
    async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
        tokio::join!(one, other)
    }
}
