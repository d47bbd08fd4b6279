//! Lookups of several requests, sent as one statement. While some are under way, others that come wait for them to end and go together:
//! the more there are, the less each of them costs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::combined::Read;
use crate::row::Row;

/// Batches under way before others wait for them.
const UNDER_WAY: usize = 2;
/// Requests whose lookups are one statement, at most. Always a power of two, so that few statements are made of each lookup.
const TOGETHER: usize = 8;
/// How long a request waits for those under way before it goes by itself: one of them is slow.
const PATIENCE: Duration = Duration::from_millis(10);

/// What became of reads that were to be sent with others.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// Their rows, and when they were sent.
    Rows(T, Instant),
    /// The server did not answer all of them in time.
    Unavailable(String),
    /// They cannot go together, or went wrong together: each has to run by itself.
    Alone,
}

impl Outcome<Vec<Vec<Row>>> {
    /// What became of those whose rows `cut` takes from those that nobody has taken yet, if they are there.
    pub(crate) fn share<T>(&mut self, cut: impl FnOnce(&mut Vec<Vec<Row>>) -> Option<T>) -> Outcome<T> {
        match self {
            Self::Rows(rows, sent) => cut(rows).map_or(Outcome::Alone, |rows| Outcome::Rows(rows, *sent)),
            Self::Unavailable(reason) => Outcome::Unavailable(reason.clone()),
            Self::Alone => Outcome::Alone,
        }
    }

    /// What became of the first of them that nobody has taken yet.
    pub(crate) fn next(&mut self) -> Outcome<Vec<Row>> {
        self.share(|rows| (!rows.is_empty()).then(|| rows.remove(0)))
    }
}

/// The lookups of a database.
#[derive(Debug, Default)]
pub(crate) struct Batches(Mutex<Standing>);

#[derive(Debug, Default)]
struct Standing {
    under_way: usize,
    /// In the order in which they came.
    waiting: VecDeque<Party>,
    /// How many have come.
    came: u64,
}

/// The lookups of one request, which waits for them.
#[derive(Debug)]
struct Party {
    number: u64,
    reads: Vec<Read>,
    tell: oneshot::Sender<Turn>,
}

/// What a request that wants lookups has to do.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Go on with the rows of each of them.
    Take(Outcome<Vec<Vec<Row>>>),
    /// Send these.
    Lead(Batch),
}

/// Lookups that are to be sent by the request that has it, whose own are the first, and its place among those under way, which goes to
/// the next when it is dropped.
#[derive(Debug)]
pub(crate) struct Batch {
    batches: Arc<Batches>,
    /// Of all requests, each of which has as many as the first.
    reads: Vec<Read>,
    own: usize,
    others: Vec<oneshot::Sender<Turn>>,
}

impl Batches {
    /// Joins those who want lookups.
    pub(crate) async fn join(self: &Arc<Self>, reads: Vec<Read>) -> Turn {
        let (number, mut turn) = {
            let mut standing = self.standing();
            if standing.under_way < UNDER_WAY {
                standing.under_way += 1;
                drop(standing);
                return Turn::Lead(Batch::new(self, reads));
            }
            standing.came += 1;
            let (tell, turn) = oneshot::channel();
            let number = standing.came;
            standing.waiting.push_back(Party { number, reads, tell });
            (number, turn)
        };
        if let Ok(turn) = timeout(PATIENCE, &mut turn).await {
            return turn.unwrap_or(Turn::Take(Outcome::Alone));
        }
        let own = {
            let mut standing = self.standing();
            let at = standing.waiting.iter().position(|party| party.number == number);
            let own = at.and_then(|at| standing.waiting.remove(at));
            standing.under_way += usize::from(own.is_some());
            own
        };
        match own {
            Some(party) => Turn::Lead(Batch::new(self, party.reads)),
            // They are under way.
            None => turn.await.unwrap_or(Turn::Take(Outcome::Alone)),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    /// The next one who waits and still wants to know.
    fn next(&mut self) -> Option<Party> {
        std::iter::from_fn(|| self.waiting.pop_front()).find(|party| !party.tell.is_closed())
    }
}

impl Batch {
    fn new(batches: &Arc<Batches>, reads: Vec<Read>) -> Self {
        Self {
            batches: Arc::clone(batches),
            own: reads.len(),
            reads,
            others: Vec::new(),
        }
    }

    /// What is to be sent now: one's own, and what others want of the same kind who have come until now.
    pub(crate) fn board(&mut self) -> &[Read] {
        let batches = Arc::clone(&self.batches);
        let mut standing = batches.standing();
        standing.waiting.retain(|party| !party.tell.is_closed());
        let there = standing
            .waiting
            .iter()
            .filter(|party| self.is_like(party))
            .count();
        let requests = 1 << (there + 1).min(TOGETHER).ilog2();
        for party in std::mem::take(&mut standing.waiting) {
            if self.others.len() + 1 < requests && self.is_like(&party) {
                self.reads.extend(party.reads);
                self.others.push(party.tell);
            } else {
                standing.waiting.push_back(party);
            }
        }
        &self.reads
    }

    /// Whether a request wants the same, of other keys.
    fn is_like(&self, party: &Party) -> bool {
        let mut pairs = self.reads.iter().zip(&party.reads);
        party.reads.len() == self.own && pairs.all(|(one, other)| one.is_like(other))
    }

    /// Hands every other one what became of all, and the leader its own.
    pub(crate) fn end(mut self, mut outcome: Outcome<Vec<Vec<Row>>>) -> Outcome<Vec<Vec<Row>>> {
        let count = self.own;
        let mut next = || outcome.share(|rows| (count <= rows.len()).then(|| rows.drain(..count).collect()));
        let own = next();
        for other in self.others.drain(..) {
            // Who has gone wants no rows.
            other.send(Turn::Take(next())).unwrap_or_default();
        }
        own
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let next = {
            let mut standing = self.batches.standing();
            let next = if standing.under_way > UNDER_WAY {
                None
            } else {
                standing.next()
            };
            standing.under_way -= usize::from(next.is_none());
            next
        };
        if let Some(party) = next {
            // If it has gone meanwhile, what it does not take is dropped, and the place is the next one's.
            drop(
                party
                    .tell
                    .send(Turn::Lead(Batch::new(&self.batches, party.reads))),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "SELECT 1";
    const OTHER: &str = "SELECT 2";

    fn reads(sql: &'static str) -> Vec<Read> {
        vec![Read::new(sql, &[], true).unwrap()]
    }

    fn standing(batches: &Batches) -> (usize, usize) {
        let standing = batches.standing();
        (standing.under_way, standing.waiting.len())
    }

    async fn lead(batches: &Arc<Batches>, sql: &'static str) -> Batch {
        match batches.join(reads(sql)).await {
            Turn::Lead(batch) => batch,
            Turn::Take(outcome) => panic!("{outcome:?}"),
        }
    }

    /// Those who wait, once they do.
    async fn wait(
        batches: &Arc<Batches>,
        sql: &'static str,
        count: usize,
    ) -> Vec<tokio::task::JoinHandle<Turn>> {
        let before = standing(batches).1;
        let tasks = (0..count).map(|_| {
            let batches = Arc::clone(batches);
            tokio::spawn(async move { batches.join(reads(sql)).await })
        });
        let tasks = tasks.collect();
        while standing(batches).1 < before + count {
            tokio::task::yield_now().await;
        }
        tasks
    }

    #[tokio::test]
    async fn who_waits_goes_with_those_who_want_the_same() {
        let batches = Arc::default();
        let (mut first, second) = (lead(&batches, ONE).await, lead(&batches, OTHER).await);
        let mut alike = wait(&batches, ONE, 4).await;
        let others = wait(&batches, OTHER, 1).await;
        alike.extend(wait(&batches, ONE, 2).await);
        // Of six four go; who has gone away is none of them.
        let gone = alike.remove(0);
        gone.abort();
        gone.await.unwrap_err();
        assert_eq!(
            first
                .board()
                .iter()
                .filter(|read| std::ptr::eq(read.sql, ONE))
                .count(),
            4
        );
        assert_eq!(standing(&batches), (2, 3));
        let own = first.end(Outcome::Unavailable("away".into()));
        assert!(matches!(own, Outcome::Unavailable(reason) if reason == "away"));
        for task in alike.drain(..3) {
            let turn = task.await.unwrap();
            assert!(matches!(turn, Turn::Take(Outcome::Unavailable(reason)) if reason == "away"));
        }
        // The place is the next one's.
        let Turn::Lead(mut next) = others.into_iter().next().unwrap().await.unwrap() else {
            panic!("it has come first of those who are left");
        };
        assert_eq!(next.board().len(), 1);
        drop((second, next));
        for task in alike {
            assert!(matches!(task.await.unwrap(), Turn::Lead(_)));
        }
        assert_eq!(standing(&batches), (0, 0));
    }

    #[tokio::test]
    async fn who_has_waited_for_long_goes_by_itself() {
        let batches = Arc::default();
        let under_way = [lead(&batches, ONE).await, lead(&batches, ONE).await];
        let late = lead(&batches, ONE).await;
        assert_eq!(standing(&batches), (3, 0));
        let waiting = wait(&batches, ONE, 1).await;
        // The place is one too many, so nobody gets it.
        drop(late);
        assert_eq!(standing(&batches), (2, 1));
        drop(under_way);
        for task in waiting {
            assert!(matches!(task.await.unwrap(), Turn::Lead(_)));
        }
        assert_eq!(standing(&batches), (0, 0));
    }

    #[tokio::test]
    async fn whose_leader_goes_away_runs_alone() {
        let batches = Arc::default();
        let (mut first, second) = (lead(&batches, ONE).await, lead(&batches, ONE).await);
        let waiting = wait(&batches, ONE, 1).await;
        assert_eq!(first.board().len(), 2);
        drop(first);
        for task in waiting {
            assert!(matches!(task.await.unwrap(), Turn::Take(Outcome::Alone)));
        }
        drop(second);
        assert_eq!(standing(&batches), (0, 0));
    }
}
