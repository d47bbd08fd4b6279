//! Work done several pieces at a time, each as soon as what it needs is there.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::future::Future;

use cutover_domain::transfer::lock::Lock;
use cutover_ports::transfer::{TransferError, TransferResult};
use tokio::task::JoinSet;

/// Does `work` on every item, `jobs` of them at a time, and returns what came of them in the order of the items. The first error ends it;
/// what is under way then is broken off.
pub(super) async fn spread<T, R, F>(
    jobs: usize,
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> F,
) -> TransferResult<Vec<R>>
where
    F: Future<Output = TransferResult<R>> + Send + 'static,
    R: Send + 'static,
{
    let mut graph = Graph::default();
    for item in items {
        graph.add(item, Task::default());
    }
    graph.run(jobs, work).await
}

/// What a piece of work has to do with others.
#[derive(Debug, Default)]
pub(super) struct Task {
    /// About how long it takes, in a unit that all have in common.
    pub(super) cost: u64,
    /// What must be done before: what [`Graph::add`] has called it.
    pub(super) after: Vec<usize>,
    /// The tables that it holds while it lasts, by their place.
    pub(super) locks: Vec<(usize, Lock)>,
    /// Whether it can be done beside the work of a single connection, on another.
    pub(super) beside: bool,
}

impl Task {
    fn goes_with(&self, other: &Self) -> bool {
        self.locks.iter().all(|(table, lock)| {
            let mut same = other.locks.iter().filter(|(held, _)| held == table);
            same.all(|(_, theirs)| lock.goes_with(*theirs))
        })
    }
}

/// Pieces of work, some of which wait for others.
#[derive(Debug)]
pub(super) struct Graph<T> {
    tasks: Vec<Task>,
    /// What is to be done, by task; none once somebody is at it.
    items: Vec<Option<T>>,
}

impl<T> Default for Graph<T> {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            items: Vec::new(),
        }
    }
}

impl<T> Graph<T> {
    /// Adds a piece of work, and tells what it is called by those that come after it.
    pub(super) fn add(&mut self, item: T, task: Task) -> usize {
        self.tasks.push(task);
        self.items.push(Some(item));
        self.tasks.len() - 1
    }

    /// Does `work` on every item, `jobs` of them at a time: of what can be done, first what has the longest way behind it, so that nobody is
    /// left with that alone in the end. What came of them is returned in the order of the items. The first error ends it; what is under way
    /// then is broken off.
    pub(super) async fn run<R, F>(mut self, jobs: usize, work: impl Fn(T) -> F) -> TransferResult<Vec<R>>
    where
        F: Future<Output = TransferResult<R>> + Send + 'static,
        R: Send + 'static,
    {
        let jobs = jobs.max(1);
        let (ways, followers) = (self.ways(), self.followers());
        let mut missing: Vec<usize> = self.tasks.iter().map(|task| task.after.len()).collect();
        let mut results: Vec<Option<R>> = self.tasks.iter().map(|_| None).collect();
        // What waits for nothing, first the longest way, of equals the first.
        let place = |at: usize| (Reverse(ways[at]), at);
        let ready = (0..missing.len()).filter(|at| missing[*at] == 0);
        let mut ready: BTreeSet<_> = ready.map(place).collect();
        let mut at_work: Vec<usize> = Vec::new();
        let mut running = JoinSet::new();
        loop {
            let next = ready.iter().find(|(_, at)| self.can_begin(*at, &at_work, jobs));
            if let Some(next) = next.copied() {
                ready.remove(&next);
                let (_, at) = next;
                if let Some(item) = self.items[at].take() {
                    let work = work(item);
                    at_work.push(at);
                    running.spawn(async move { Ok((at, work.await?)) });
                }
                continue;
            }
            let Some(done) = running.join_next().await else {
                return Ok(results.into_iter().flatten().collect());
            };
            let done: TransferResult<(usize, R)> = done.map_err(|error| {
                TransferError::Failed(format!("a part of the work was broken off: {error}"))
            })?;
            let (at, result) = done?;
            results[at] = Some(result);
            at_work.retain(|other| *other != at);
            for follower in &followers[at] {
                missing[*follower] -= 1;
                if missing[*follower] == 0 {
                    ready.insert(place(*follower));
                }
            }
        }
    }

    /// Whether there is a connection for a piece of work, and nothing at work that would keep it waiting.
    fn can_begin(&self, at: usize, at_work: &[usize], jobs: usize) -> bool {
        let task = &self.tasks[at];
        let mut others = at_work.iter().map(|at| &self.tasks[*at]);
        let is_free = match jobs {
            1 => others.clone().all(|other| other.beside != task.beside),
            _ => at_work.len() < jobs,
        };
        is_free && others.all(|other| task.goes_with(other))
    }

    /// By piece of work, how long it and what waits for it take at least.
    fn ways(&self) -> Vec<u64> {
        let mut ways = vec![0_u64; self.tasks.len()];
        for (at, task) in self.tasks.iter().enumerate().rev() {
            ways[at] = ways[at].saturating_add(task.cost);
            for before in &task.after {
                ways[*before] = ways[*before].max(ways[at]);
            }
        }
        ways
    }

    /// By piece of work, what waits for it.
    fn followers(&self) -> Vec<Vec<usize>> {
        let mut followers = vec![Vec::new(); self.tasks.len()];
        for (at, task) in self.tasks.iter().enumerate() {
            for before in &task.after {
                followers[*before].push(at);
            }
        }
        followers
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test]
    async fn results_come_in_order_and_the_first_error_ends_it() {
        let work = |n: u64| async move {
            tokio::time::sleep(std::time::Duration::from_millis(20 - 2 * n)).await;
            Ok(n * 10)
        };
        assert_eq!(
            spread(3, 0..8, work).await.unwrap(),
            [0, 10, 20, 30, 40, 50, 60, 70]
        );
        let fails = |n: u64| async move {
            if n == 1 {
                return Err(TransferError::Failed("no".to_owned()));
            }
            std::future::pending::<()>().await;
            Ok(())
        };
        assert!(spread(2, 0..8, fails).await.is_err());
    }

    /// What began and ended when, in the order of the run: each piece of work takes as many turns as it costs.
    async fn diary(jobs: usize, tasks: Vec<(&'static str, Task)>) -> Vec<String> {
        let diary = Arc::new(Mutex::new(Vec::new()));
        let mut graph = Graph::default();
        for (name, task) in tasks {
            graph.add((name, task.cost), task);
        }
        let work = |(name, cost): (&'static str, u64)| {
            let diary = Arc::clone(&diary);
            async move {
                diary.lock().unwrap().push(format!("+{name}"));
                for _ in 0..cost * 10 {
                    tokio::task::yield_now().await;
                }
                diary.lock().unwrap().push(format!("-{name}"));
                Ok(())
            }
        };
        graph.run(jobs, work).await.unwrap();
        let diary = diary.lock().unwrap();
        diary.clone()
    }

    fn task(cost: u64, after: &[usize], locks: &[(usize, Lock)]) -> Task {
        Task {
            cost,
            after: after.to_vec(),
            locks: locks.to_vec(),
            beside: false,
        }
    }

    #[tokio::test]
    async fn the_longest_way_is_first_and_each_waits_for_those_before_it() {
        let tasks = || {
            vec![
                ("small", task(4, &[], &[])),
                ("large", task(3, &[], &[])),
                ("index", task(5, &[1], &[])),
                ("key", task(1, &[0, 2], &[])),
            ]
        };
        assert_eq!(
            diary(2, tasks()).await,
            [
                "+large", "+small", "-large", "+index", "-small", "-index", "+key", "-key"
            ]
        );
        assert_eq!(
            diary(1, tasks()).await,
            [
                "+large", "-large", "+index", "-index", "+small", "-small", "+key", "-key"
            ]
        );
    }

    #[tokio::test]
    async fn what_would_wait_for_a_lock_does_not_keep_a_connection() {
        let tasks = vec![
            ("check", task(5, &[], &[(0, Lock::Changes)])),
            ("figures", task(4, &[], &[(0, Lock::Changes)])),
            ("child", task(3, &[], &[(1, Lock::Changes), (0, Lock::Reads)])),
            ("identity", task(2, &[], &[(0, Lock::Alone)])),
            ("other", task(1, &[], &[(2, Lock::Alone)])),
        ];
        assert_eq!(
            diary(2, tasks).await,
            [
                "+check",
                "+child",
                "-child",
                "+other",
                "-other",
                "-check",
                "+figures",
                "-figures",
                "+identity",
                "-identity"
            ]
        );
    }

    #[tokio::test]
    async fn a_single_connection_has_another_beside_it() {
        let beside = |cost| Task {
            beside: true,
            ..task(cost, &[], &[])
        };
        let tasks = || {
            vec![
                ("load", task(9, &[], &[])),
                ("index", task(2, &[0], &[])),
                ("figures", beside(3)),
                ("more", beside(1)),
            ]
        };
        assert_eq!(
            diary(1, tasks()).await,
            [
                "+load", "+figures", "-figures", "+more", "-more", "-load", "+index", "-index"
            ]
        );
        assert_eq!(diary(2, tasks()).await, diary(1, tasks()).await);
    }
}
