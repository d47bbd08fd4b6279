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
    let mut items = items.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut done: Vec<(usize, R)> = Vec::new();
    loop {
        while running.len() < jobs.max(1) {
            let Some((at, item)) = items.next() else { break };
            let work = work(item);
            running.spawn(async move { Ok((at, work.await?)) });
        }
        let Some(result) = running.join_next().await else {
            break;
        };
        let result: TransferResult<(usize, R)> = result
            .map_err(|error| TransferError::Failed(format!("a part of the work was broken off: {error}")))?;
        done.push(result?);
    }
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
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
}
