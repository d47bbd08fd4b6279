//! The way of jobs to the threads that own connections.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use cutover_ports::together::Shared;

/// How the connections of a lane are used, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneStatus {
    /// Connections, all of them open.
    pub connections: usize,
    /// Those of them at work.
    pub in_use: usize,
    /// Jobs that wait for one.
    pub waiting: usize,
}

/// Jobs for one or more threads, first come, first served. Dropping it closes it.
pub(crate) struct Lane<J>(Arc<Queue<J>>);

/// A lane as its threads see it.
///
/// A channel whose receivers share a lock would wake two threads for each job: the one that gets it, and the one that
/// has waited for its turn to wait.
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    wake: Condvar,
}

struct State<J> {
    jobs: VecDeque<J>,
    /// Threads that take jobs.
    threads: usize,
    /// Threads that wait for a job.
    idle: usize,
    closed: bool,
}

impl<J> Lane<J> {
    /// Open, without threads yet.
    pub(crate) fn new() -> Self {
        let state = State {
            jobs: VecDeque::new(),
            threads: 0,
            idle: 0,
            closed: false,
        };
        Self(Arc::new(Queue {
            state: Mutex::new(state),
            wake: Condvar::new(),
        }))
    }

    /// The end that one more thread takes jobs from.
    pub(crate) fn queue(&self) -> Arc<Queue<J>> {
        self.0.state().threads += 1;
        Arc::clone(&self.0)
    }

    /// Hands over jobs, for one thread to begin with: waking one takes longer than most jobs do. If the lane is closed, they are
    /// dropped.
    pub(crate) fn send(&self, jobs: impl IntoIterator<Item = J>) {
        let mut state = self.0.state();
        if state.closed {
            return;
        }
        state.jobs.extend(jobs);
        let somebody_waits = state.idle > 0;
        drop(state);
        if somebody_waits {
            self.0.wake.notify_one();
        }
    }

    /// How the threads are used at this moment.
    pub(crate) fn status(&self) -> LaneStatus {
        let state = self.0.state();
        LaneStatus {
            connections: state.threads,
            in_use: state.threads - state.idle,
            waiting: state.jobs.len(),
        }
    }

    /// Takes no more jobs; the threads end once those that are there are done.
    pub(crate) fn close(&self) {
        self.0.state().closed = true;
        self.0.wake.notify_all();
    }
}

impl<J> Drop for Lane<J> {
    fn drop(&mut self) {
        self.close();
    }
}

/// Jobs that go together, handed over once all are known.
pub(crate) struct Bundle<J> {
    lane: Arc<Lane<J>>,
    jobs: Mutex<Vec<J>>,
}

impl<J> Bundle<J> {
    /// Jobs for `lane`.
    pub(crate) fn for_lane(lane: &Arc<Lane<J>>) -> Self {
        Self {
            lane: Arc::clone(lane),
            jobs: Mutex::default(),
        }
    }

    /// One more job.
    pub(crate) fn push(&self, job: J) {
        self.jobs().push(job);
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<J>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J: Send + 'static> Shared for Bundle<J> {
    fn all_asked(&self, _: &Waker) -> bool {
        let jobs = std::mem::take(&mut *self.jobs());
        if !jobs.is_empty() {
            self.lane.send(jobs);
        }
        false
    }
}

impl<J> Queue<J> {
    /// Waits for a job; none when there will be no more.
    pub(crate) fn next(&self) -> Option<J> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
