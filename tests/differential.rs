//! One random sequence of calls on every repository, made on SQLite and on PostgreSQL step by step: both
//! must give the same values and the same errors.
//!
//! A difference is reported with its seed and step, and the same seed makes the same sequence again.
//! `CUTOVER_DIFFERENTIAL_STEPS` sets the steps of each sequence (700 without it) and `CUTOVER_DIFFERENTIAL_SEEDS` the
//! seeds, as one number or as a range: `CUTOVER_DIFFERENTIAL_SEEDS=1..200 CUTOVER_DIFFERENTIAL_STEPS=5000 cargo test
//! -p cutover-tests --test differential`.
//!
//! What the two are known to differ in is left out: NUL in text and what `jsonb` cannot hold, which PostgreSQL refuses;
//! values that break a column's type, which only a file can hold; NaN, which SQLite makes NULL; which of several
//! taken keys, or of several mistakes in one batch, is named; the numbers of the market's rows, and
//! parts of a second in their times.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what cannot be made or set up fails the test"
)]

#[path = "differential/calls.rs"]
mod calls;
#[path = "differential/market.rs"]
mod market;
#[path = "differential/random.rs"]
mod random;
#[path = "differential/writer.rs"]
mod writer;

use std::fmt::Debug;
use std::ops::Range;

use cutover_ports::lab::LabRepositories;
use cutover_ports::market::MarketRepositories;
use cutover_ports::writer::WriterRepositories;
use cutover_ports::{StoreError, StoreResult};
use cutover_tests::store::TestStore;
use random::Random;

/// The same repositories twice, and where the sequence is.
struct Pair {
    sqlite: LabRepositories,
    postgres: LabRepositories,
    /// The writer's, on SQLite and on PostgreSQL.
    writer: (WriterRepositories, WriterRepositories),
    /// The market's.
    market: (MarketRepositories, MarketRepositories),
    random: Random,
    seed: u64,
    step: usize,
    /// Calls that succeeded, so that a sequence of mere refusals does not pass for a proof.
    succeeded: usize,
}

/// How closely two outcomes must agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errors {
    /// To the variant and its key.
    Alike,
    /// To the variant: the row has several keys, and either side may name another one that is taken.
    Variant,
    /// Both are errors.
    Any,
}

impl Pair {
    /// Fails the test unless both outcomes are the same.
    fn compare<T: PartialEq + Debug>(
        &mut self,
        call: &str,
        sqlite: &StoreResult<T>,
        postgres: &StoreResult<T>,
        errors: Errors,
    ) {
        let same = match (sqlite, postgres) {
            (Ok(sqlite), Ok(postgres)) => sqlite == postgres,
            (Err(sqlite), Err(postgres)) => match errors {
                Errors::Alike => kind(sqlite) == kind(postgres),
                Errors::Variant => sqlite.category() == postgres.category(),
                Errors::Any => true,
            },
            _ => false,
        };
        assert!(
            same,
            "seed {}, step {}: {call}\n  SQLite:     {sqlite:?}\n  PostgreSQL: {postgres:?}",
            self.seed, self.step
        );
        self.succeeded += usize::from(sqlite.is_ok());
    }
}

/// What callers decide by.
fn kind(error: &StoreError) -> (&'static str, &str) {
    let key = match error {
        StoreError::Conflict(key) | StoreError::Missing(key) => key.as_str(),
        _ => "",
    };
    (error.category(), key)
}

fn setting<T>(name: &str, default: T, parse: impl Fn(&str) -> Option<T>) -> T {
    match std::env::var(name) {
        Ok(text) => parse(&text).unwrap_or_else(|| panic!("{name} cannot be {text:?}")),
        Err(_) => default,
    }
}

fn seeds() -> Range<u64> {
    setting("CUTOVER_DIFFERENTIAL_SEEDS", 1..5, |text| {
        match text.split_once("..") {
            Some((first, end)) => Some(first.parse().ok()?..end.parse().ok()?),
            None => text.parse().ok().map(|seed| seed..seed + 1),
        }
    })
}

#[tokio::test]
async fn both_databases_answer_alike() {
    let steps = setting("CUTOVER_DIFFERENTIAL_STEPS", 700, |text| text.parse().ok());
    for seed in seeds() {
        let (sqlite, postgres) = (TestStore::sqlite().await, TestStore::postgres().await);
        let mut pair = Pair {
            sqlite: sqlite.lab.clone(),
            postgres: postgres.lab.clone(),
            writer: (sqlite.writer.clone(), postgres.writer.clone()),
            market: (sqlite.market.clone(), postgres.market.clone()),
            random: Random::new(seed),
            seed,
            step: 0,
            succeeded: 0,
        };
        calls::populate(&mut pair).await;
        while pair.step < steps {
            pair.step += 1;
            match pair.random.below(8) {
                0 => writer::any(&mut pair).await,
                1 | 2 => market::any(&mut pair).await,
                _ => calls::any(&mut pair).await,
            }
        }
        calls::read_all(&mut pair).await;
        writer::read_all(&mut pair).await;
        market::read_all(&mut pair).await;
        assert!(
            pair.succeeded > steps / 2,
            "seed {seed}: only {} calls succeeded",
            pair.succeeded
        );
        println!("seed {seed}: {steps} steps, {} calls succeeded", pair.succeeded);
    }
}
