//! The way of jobs to the connections, which threads take to do them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

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

/// Jobs for one or more connections, first come, first served. Dropping it closes it.
pub(crate) struct Lane<J, C>(Arc<Queue<J, C>>);

/// A lane as its threads see it, as many as connections.
///
/// A channel whose receivers share a lock would wake two threads for each job: the one that gets it, and the one that
/// has waited for its turn to wait.
pub(crate) struct Queue<J, C> {
    state: Mutex<State<J, C>>,
    wake: Condvar,
}

struct State<J, C> {
    jobs: VecDeque<J>,
    /// Connections that nobody uses. The one that was used last is taken first: it has the most in its cache.
    free: Vec<C>,
    connections: usize,
    /// Threads that wait for a job, or for a connection to do it on.
    idle: usize,
    closed: bool,
}

impl<J, C> Lane<J, C> {
    /// Open, over these connections.
    pub(crate) fn over(connections: Vec<C>) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            connections: connections.len(),
            free: connections,
            idle: 0,
            closed: false,
        };
        Self(Arc::new(Queue {
            state: Mutex::new(state),
            wake: Condvar::new(),
        }))
    }

    /// The end that a thread takes jobs from.
    pub(crate) fn queue(&self) -> Arc<Queue<J, C>> {
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

    /// Does `work`, which does not panic, on a connection that nothing else waits for, on the asking thread; none if there is no such
    /// connection.
    pub(crate) fn with_spare<T>(&self, work: impl FnOnce(&C) -> T) -> Option<T> {
        let mut state = self.0.state();
        if state.closed || !state.jobs.is_empty() {
            return None;
        }
        let connection = state.free.pop()?;
        drop(state);
        let outcome = work(&connection);
        self.give_back(connection);
        Some(outcome)
    }

    fn give_back(&self, connection: C) {
        let mut state = self.0.state();
        if state.closed && state.jobs.is_empty() {
            state.connections -= 1;
            drop(state);
            // It may be the last, which takes its time to close.
            drop(connection);
            return;
        }
        state.free.push(connection);
        // If a job came meanwhile, its thread waits for a connection.
        let somebody_waits = !state.jobs.is_empty() && state.idle > 0;
        drop(state);
        if somebody_waits {
            self.0.wake.notify_one();
        }
    }

    /// How the connections are used at this moment.
    pub(crate) fn status(&self) -> LaneStatus {
        let state = self.0.state();
        LaneStatus {
            connections: state.connections,
            in_use: state.connections - state.free.len(),
            waiting: state.jobs.len(),
        }
    }

    /// Takes no more jobs; the threads end once those that are there are done.
    pub(crate) fn close(&self) {
        self.0.state().closed = true;
        self.0.wake.notify_all();
    }
}

impl<J, C> Drop for Lane<J, C> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<J, C> Queue<J, C> {
    /// Waits for a job, and for a connection to do it on; `done` is the one that the last was done on. None when there will be no
    /// more, and then the connections that are there are closed.
    pub(crate) fn next(&self, done: Option<C>) -> Option<(J, C)> {
        let mut has_yielded = false;
        let mut state = self.state();
        state.free.extend(done);
        loop {
            if state.jobs.is_empty() {
                if state.closed {
                    let closing = std::mem::take(&mut state.free);
                    state.connections -= closing.len();
                    drop(state);
                    drop(closing);
                    return None;
                }
            } else if let Some(connection) = state.free.pop() {
                let job = state.jobs.pop_front()?;
                return Some((job, connection));
            }
            if !has_yielded {
                // Under load whoever has the next job is about to run, and to be woken costs both more than to look again.
                has_yielded = true;
                drop(state);
                thread::yield_now();
                state = self.state();
                continue;
            }
            state.idle += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J, C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
