//! A verification on demand, in the running service: one at a time, in the background, the last result kept.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use cutover_domain::time::Timestamp;
use cutover_ports::clock::Clock;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// Compares the databases: the report, or why there is none.
type Comparison = Arc<dyn Fn() -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// The verification of a running service. Cloning shares it.
#[derive(Clone)]
pub struct Verification {
    compare: Comparison,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

/// Whether one could be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It runs.
    Now,
    /// Another one has not ended yet.
    RunsAlready,
}

enum State {
    Never,
    Running {
        since: Timestamp,
        task: Option<tokio::task::JoinHandle<()>>,
    },
    Ended {
        began: Timestamp,
        ended: Timestamp,
        outcome: Result<Value, String>,
    },
}

impl std::fmt::Debug for Verification {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verification").finish_non_exhaustive()
    }
}

impl Verification {
    /// By `compare`. None runs yet.
    pub fn new<F>(compare: impl Fn() -> F + Send + Sync + 'static, clock: Arc<dyn Clock>) -> Self
    where
        F: Future<Output = Result<Value, String>> + Send + 'static,
    {
        Self {
            compare: Arc::new(move || compare().boxed()),
            clock,
            state: Arc::new(Mutex::new(State::Never)),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one, unless one runs.
    pub fn start(&self) -> Started {
        let mut state = self.state();
        if matches!(*state, State::Running { .. }) {
            return Started::RunsAlready;
        }
        let since = self.clock.now();
        let this = self.clone();
        // It waits for the lock that is held here, and so ends after this has noted that it runs.
        let task = tokio::spawn(async move {
            let comparing = AssertUnwindSafe(async { (this.compare)().await });
            let outcome = comparing
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err("it ended by a panic".to_owned()));
            if let Err(problem) = &outcome {
                tracing::warn!(%problem, "the verification ended early");
            }
            let ended = this.clock.now();
            *this.state() = State::Ended {
                began: since,
                ended,
                outcome,
            };
        });
        *state = State::Running {
            since,
            task: Some(task),
        };
        Started::Now
    }

    /// Breaks off one that runs; it holds the files open.
    pub async fn close(&self) {
        let task = match &mut *self.state() {
            State::Running { task, .. } => task.take(),
            _ => None,
        };
        if let Some(task) = task {
            task.abort();
            // Its end is what is waited for, and that it was broken off is no news.
            task.await.unwrap_or_default();
        }
    }

    /// For a machine: whether one runs, else how the last one ended.
    pub fn json(&self) -> Value {
        match &*self.state() {
            State::Never => json!({ "state": "never" }),
            State::Running { since, .. } => json!({ "state": "running", "began_at": since.to_json_text() }),
            State::Ended {
                began,
                ended,
                outcome,
            } => {
                let mut document = json!({
                    "state": "ended",
                    "began_at": began.to_json_text(),
                    "ended_at": ended.to_json_text(),
                });
                match outcome {
                    Ok(report) => document["report"] = report.clone(),
                    Err(problem) => document["problem"] = problem.clone().into(),
                }
                document
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::SystemClock;

    /// Waits until none runs.
    async fn ended(verification: &Verification) -> Value {
        while verification.json()["state"] == "running" {
            tokio::task::yield_now().await;
        }
        verification.json()
    }

    #[tokio::test]
    async fn one_that_panics_has_ended_and_the_next_may_start() {
        let compare = || async { panic!("a fault of ours") };
        let verification = Verification::new(compare, Arc::new(SystemClock));
        for _ in 0..2 {
            assert_eq!(verification.start(), Started::Now);
            assert_eq!(verification.start(), Started::RunsAlready);
            assert_eq!(ended(&verification).await["problem"], "it ended by a panic");
        }
    }
}
