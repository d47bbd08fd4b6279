//! Work done several pieces at a time.

use std::future::Future;

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
    let items = items.into_iter().enumerate().collect();
    let numbered = |(at, item)| {
        let work = work(item);
        async move { Ok((at, work.await?)) }
    };
    let mut done: Vec<(usize, R)> = spread_heaviest(jobs, items, |_| 0, numbered, |_| vec![]).await?;
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// As [`spread`], the heaviest of what waits first, so that nobody is left with it alone in the end; what `then` makes of a result waits
/// with the others. Results come as they were had.
pub(super) async fn spread_heaviest<T, R, F>(
    jobs: usize,
    mut waiting: Vec<T>,
    weight: impl Fn(&T) -> u64,
    work: impl Fn(T) -> F,
    mut then: impl FnMut(&R) -> Vec<T>,
) -> TransferResult<Vec<R>>
where
    F: Future<Output = TransferResult<R>> + Send + 'static,
    R: Send + 'static,
{
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    loop {
        while running.len() < jobs.max(1) {
            // Of equals the first.
            let heaviest = (0..waiting.len())
                .rev()
                .max_by_key(|at| waiting.get(*at).map(&weight));
            let Some(heaviest) = heaviest else { break };
            running.spawn(work(waiting.remove(heaviest)));
        }
        let Some(result) = running.join_next().await else {
            return Ok(done);
        };
        let result: TransferResult<R> = result
            .map_err(|error| TransferError::Failed(format!("a part of the work was broken off: {error}")))?;
        let result = result?;
        waiting.extend(then(&result));
        done.push(result);
    }
}

#[cfg(test)]
mod tests {
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

    #[tokio::test]
    async fn the_heaviest_is_first_and_what_follows_waits_with_the_others() {
        let done = spread_heaviest(
            1,
            vec![3_u64, 9, 5, 9],
            |n| *n,
            |n| async move { Ok(n) },
            |n| if *n == 5 { vec![4, 10] } else { vec![] },
        );
        assert_eq!(done.await.unwrap(), [9, 9, 5, 10, 4, 3]);
    }
}
