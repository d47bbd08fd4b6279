//! Reads that one answer needs at once. An adapter sends those that go together over one connection, in as few turns as it can:
//! asked for one by one, each would cost a connection and a round trip of its own, which is most of what a lookup by key costs.
//!
//! The caller says so around the reads it waits for anyway ([`together`]); the repositories' methods stay as they are, and those of
//! different databases go their own ways.

use std::any::Any;
use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

thread_local! {
    /// The gathering whose reads this thread is polling.
    static CURRENT: RefCell<Option<Arc<Gathering>>> = const { RefCell::new(None) };
}

/// What an adapter keeps for the reads of one gathering on one of its databases.
pub trait Shared: Any + Send + Sync {
    /// All reads that can be asked for at this moment have been. Whether those that `turn` would wake are to be polled once more
    /// at once, which costs less than to wake it.
    fn all_asked(&self, turn: &Waker) -> bool;
}

/// What the adapters keep for one call of [`together`], by database.
#[derive(Default)]
struct Gathering(Mutex<Vec<(usize, Arc<dyn Shared>)>>);

/// Waits for `reads`, usually some that are joined. Those of them that are under way at the same time may share a connection; what
/// they give is the same as without this. Transactions keep to connections of their own. All of them have to be polled until they end, or
/// be dropped: one may do the work of others.
pub async fn together<T>(reads: impl Future<Output = T>) -> T {
    let gathering = Arc::new(Gathering::default());
    let mut reads = pin!(reads);
    poll_fn(|context| {
        loop {
            let entered = Entered::into(&gathering);
            let outcome = reads.as_mut().poll(context);
            drop(entered);
            if !gathering.all_asked(context.waker()) || outcome.is_ready() {
                return outcome;
            }
        }
    })
    .await
}

/// What the reads that are gathered now keep for the database that is known by `owner`, made when the first one asks; none
/// outside of [`together`].
pub fn shared<S: Shared>(owner: usize, make: impl FnOnce() -> S) -> Option<Arc<S>> {
    let gathering = CURRENT.with_borrow(Clone::clone)?;
    let mut kept = gathering.0.lock().unwrap_or_else(PoisonError::into_inner);
    let shared: Arc<dyn Any + Send + Sync> =
        if let Some((_, found)) = kept.iter().find(|(of, _)| *of == owner) {
            Arc::clone(found) as _
        } else {
            let made = Arc::new(make());
            kept.push((owner, Arc::clone(&made) as _));
            made
        };
    shared.downcast().ok()
}

impl Gathering {
    fn all_asked(&self, turn: &Waker) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let again = |again, (_, shared): &(usize, Arc<dyn Shared>)| shared.all_asked(turn) | again;
        kept.iter().fold(false, again)
    }
}

/// While it lives, the thread's reads are of a gathering.
struct Entered(Option<Arc<Gathering>>);

impl Entered {
    fn into(gathering: &Arc<Gathering>) -> Self {
        Self(CURRENT.replace(Some(Arc::clone(gathering))))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll};

    use super::*;

    #[derive(Default)]
    struct Counted {
        asked: AtomicUsize,
        sent: AtomicUsize,
    }

    impl Shared for Counted {
        fn all_asked(&self, _: &Waker) -> bool {
            self.sent
                .store(self.asked.load(Ordering::Relaxed), Ordering::Relaxed);
            false
        }
    }

    fn ask(owner: usize) -> Option<Arc<Counted>> {
        let shared = shared(owner, Counted::default)?;
        shared.asked.fetch_add(1, Ordering::Relaxed);
        Some(shared)
    }

    #[test]
    fn reads_of_one_database_meet_and_are_sent_when_all_are_known() {
        assert!(ask(1).is_none());
        let mut turns = 0;
        let reads = poll_fn(|_| {
            turns += 1;
            let (one, two) = (ask(1).unwrap(), ask(2).unwrap());
            assert!(Arc::ptr_eq(&one, &ask(1).unwrap()));
            assert_eq!(one.asked.load(Ordering::Relaxed), 2 * turns);
            // What was asked for in this turn is not sent before its end.
            assert_eq!(one.sent.load(Ordering::Relaxed), 2 * (turns - 1));
            if turns == 1 {
                Poll::Pending
            } else {
                Poll::Ready((one, two))
            }
        });
        let mut gathered = pin!(together(reads));
        let mut context = Context::from_waker(Waker::noop());
        assert!(gathered.as_mut().poll(&mut context).is_pending());
        // Between the turns other work of this thread is not of the gathering.
        assert!(ask(1).is_none());
        let Poll::Ready((one, two)) = gathered.as_mut().poll(&mut context) else {
            unreachable!("it is ready in its second turn")
        };
        assert_eq!(one.sent.load(Ordering::Relaxed), 4);
        assert_eq!(two.sent.load(Ordering::Relaxed), 2);
        assert!(ask(1).is_none());
    }

    #[test]
    fn a_gathering_in_another_has_what_it_shares_for_itself() {
        let mut context = Context::from_waker(Waker::noop());
        let outer = together(async {
            let before = ask(1).unwrap();
            let within = together(async { ask(1).unwrap() }).await;
            (before, within, ask(1).unwrap())
        });
        let Poll::Ready((before, within, after)) = pin!(outer).poll(&mut context) else {
            unreachable!("nothing in it waits")
        };
        assert!(Arc::ptr_eq(&before, &after));
        assert!(!Arc::ptr_eq(&before, &within));
    }
}
