//! Reads that go together: they share a connection, and those that can be asked for at the same moment are one statement.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Poll, Waker};

use cutover_ports::StoreResult;
use cutover_ports::together;

use crate::batch::Outcome;
use crate::combined::Read;
use crate::database::{Loan, Shared};
use crate::row::Row;

/// The reads that go together on one database. All of them are known before the first one is sent.
#[derive(Debug, Default)]
pub(crate) struct Company(Mutex<Standing>);

/// How far a company is.
#[derive(Debug, Default)]
struct Standing {
    /// What those have who have a connection.
    loan: Weak<Loan>,
    /// Whether one of them is fetching it from the pool.
    is_fetching: bool,
    /// Who waits for that one, and how many they are.
    waiting: Vec<Waker>,
    unserved: usize,
    /// Those who wait for their rows, in the order in which they asked.
    seats: Vec<Seat>,
    /// How many have asked.
    asked: usize,
    /// Whether nobody else asks in this turn: the first of them who comes sends what nobody has sent yet.
    all_asked: bool,
}

/// One who waits for rows.
#[derive(Debug)]
struct Seat {
    number: usize,
    waker: Waker,
    /// Until it is sent.
    read: Option<Read>,
    /// Once there is one.
    outcome: Option<Outcome<Vec<Row>>>,
    /// Whether it knows that there is something to do for it.
    is_told: bool,
}

/// What one who asked has to do.
#[derive(Debug)]
pub(crate) enum Turn<'a> {
    /// Go on with this.
    Take(Outcome<Vec<Row>>),
    /// Send these, one's own before the others'.
    Lead(Lead<'a>),
}

impl together::Shared for Company {
    fn all_asked(&self, turn: &Waker) -> bool {
        self.standing().all_asked(turn)
    }
}

impl Standing {
    fn all_asked(&mut self, turn: &Waker) -> bool {
        // Who waits for a connection that is there now has usually taken it by the end of the turn in which it came: all are polled
        // in one. Only others are woken, for another turn would be a good part of what a lookup costs.
        if !self.is_fetching && self.unserved > 0 {
            self.wake();
        }
        let mut again = false;
        for seat in &mut self.seats {
            self.all_asked |= seat.read.is_some();
            let has_to_come = seat.read.is_some() || seat.outcome.is_some();
            if !has_to_come || std::mem::replace(&mut seat.is_told, true) {
                continue;
            }
            if seat.waker.will_wake(turn) {
                again = true;
            } else {
                seat.waker.wake_by_ref();
            }
        }
        again
    }

    fn wake(&mut self) {
        // Who was dropped while it waited is not counted any longer.
        self.unserved = 0;
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }

    fn seat(&mut self, number: usize) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.number == number)
    }
}

impl Company {
    /// The connection that others have now, or one from the pool, and whether it is the latter.
    pub(crate) async fn loan(&self, shared: &Arc<Shared>) -> StoreResult<(Arc<Loan>, bool)> {
        if let Some(loan) = self.others().await {
            return Ok((loan, false));
        }
        let fetching = Fetching(self);
        let loan = shared.loan().await?;
        self.standing().loan = Arc::downgrade(&loan);
        drop(fetching);
        Ok((loan, true))
    }

    /// The connection that others have, once they have it; none if it is for the caller to fetch one.
    async fn others(&self) -> Option<Arc<Loan>> {
        let mut has_waited = false;
        poll_fn(|context| {
            let mut standing = self.standing();
            let loan = standing.loan.upgrade();
            if loan.is_none() && standing.is_fetching {
                standing.unserved += usize::from(!has_waited);
                has_waited = true;
                if !standing
                    .waiting
                    .iter()
                    .any(|waker| waker.will_wake(context.waker()))
                {
                    standing.waiting.push(context.waker().clone());
                }
                return Poll::Pending;
            }
            standing.unserved = standing.unserved.saturating_sub(usize::from(has_waited));
            standing.is_fetching |= loan.is_none();
            Poll::Ready(loan)
        })
        .await
    }

    /// Asks for the rows of `read`.
    pub(crate) async fn ask(&self, read: Read) -> Turn<'_> {
        let mut read = Some(read);
        let mut seated: Option<Seated<'_>> = None;
        poll_fn(|context| {
            let mut standing = self.standing();
            let Some(Seated { number, .. }) = seated else {
                let number = standing.asked;
                standing.asked += 1;
                standing.seats.push(Seat {
                    number,
                    waker: context.waker().clone(),
                    read: read.take(),
                    outcome: None,
                    is_told: false,
                });
                seated = Some(Seated {
                    company: self,
                    number,
                });
                return Poll::Pending;
            };
            let is_to_lead = standing.all_asked;
            let Some(seat) = standing.seat(number) else {
                return Poll::Ready(Turn::Take(Outcome::Alone));
            };
            if let Some(outcome) = seat.outcome.take() {
                return Poll::Ready(Turn::Take(outcome));
            }
            seat.waker.clone_from(context.waker());
            if !is_to_lead || seat.read.is_none() {
                return Poll::Pending;
            }
            standing.all_asked = false;
            // One's own is the first of them.
            standing.seats.sort_by_key(|seat| seat.number != number);
            let unsent = standing.seats.iter_mut();
            let reads = unsent.filter_map(|seat| Some((seat.number, seat.read.take()?)));
            let (seats, reads) = reads.unzip();
            Poll::Ready(Turn::Lead(Lead {
                company: self,
                reads,
                seats,
            }))
        })
        .await
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, a connection is fetched for a company; its end is seen by the others whether there is one or not.
struct Fetching<'a>(&'a Company);

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        let mut standing = self.0.standing();
        standing.is_fetching = false;
        if standing.loan.strong_count() == 0 {
            standing.wake();
        }
    }
}

/// While it lives, one waits for rows.
struct Seated<'a> {
    company: &'a Company,
    number: usize,
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        let mut standing = self.company.standing();
        standing.seats.retain(|seat| seat.number != self.number);
    }
}

/// Reads to be sent by one for all. Those that it leaves without an outcome run alone.
#[derive(Debug)]
pub(crate) struct Lead<'a> {
    company: &'a Company,
    pub(crate) reads: Vec<Read>,
    seats: Vec<usize>,
}

impl Lead<'_> {
    /// Hands every other one what became of its read, and the leader what became of its own.
    pub(crate) fn end(mut self, mut outcome: Outcome<Vec<Vec<Row>>>) -> Outcome<Vec<Row>> {
        let own = outcome.next();
        self.hand_out(|| outcome.next());
        own
    }

    /// To all but the leader, who has the first seat.
    fn hand_out(&mut self, mut next: impl FnMut() -> Outcome<Vec<Row>>) {
        let mut standing = self.company.standing();
        for number in self.seats.drain(..).skip(1) {
            let outcome = next();
            if let Some(seat) = standing.seat(number) {
                seat.outcome = Some(outcome);
                seat.is_told = false;
            }
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.hand_out(|| Outcome::Alone);
    }
}
