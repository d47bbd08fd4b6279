//! Contract cases of the runs of jobs.

use std::sync::Arc;

use cutover_domain::market::job_run::{Job, JobEnd, JobStart, Outcome, RowsWritten, Trigger};
use cutover_domain::stored::Stored;
use cutover_domain::time::Timestamp;
use cutover_ports::market::Claim;
use cutover_tests::store::TestStore;

use super::{DIGITS, TEXT, at, day};

contract!(
    claim_finish_then_list,
    an_instant_is_claimed_once,
    of_many_claims_one_wins,
    a_dead_run_is_taken_over,
    only_its_owner_ends_a_run_and_only_once,
    the_latest_instant_does_not_count_runs_by_hand,
    runs_are_listed_latest_first,
);

/// Before all runs: none of them is dead.
fn never() -> Timestamp {
    Timestamp::EPOCH
}

fn start(job: Job, seconds: i64) -> JobStart {
    JobStart {
        job,
        scheduled_at: at(seconds),
        trigger: Trigger::Cron,
        target_day: day("2025-08-11"),
        started_at: Timestamp::from_micros(at(seconds).as_micros() + 123_456).unwrap(),
        instance: "one".to_owned(),
    }
}

fn ok(seconds: i64) -> JobEnd {
    JobEnd {
        ended_at: at(seconds),
        outcome: Outcome::Ok,
        error: None,
        price: None,
        is_fallback: None,
        rows: RowsWritten::default(),
    }
}

async fn claim_finish_then_list(store: &TestStore) {
    let runs = &store.market.job_runs;
    let start = start(Job::CaptureNoon, 0);
    assert_eq!(runs.claim(&start, never()).await.unwrap(), Claim::Won);
    let running = &runs.list(None, 10).await.unwrap()[0];
    assert_eq!(
        (&running.ended_at, &running.outcome, running.seconds()),
        (&None, &None, None)
    );
    let end = JobEnd {
        outcome: Outcome::PriceRejected,
        error: Some(TEXT.to_owned()),
        price: Some(DIGITS),
        is_fallback: Some(true),
        rows: RowsWritten {
            daily_predictions: 1,
            price_logs: 2,
            ai_predictions: 4,
        },
        ..ok(2)
    };
    assert!(runs.finish(&start, &end).await.unwrap());
    let run = &runs.list(Some(Job::CaptureNoon), 10).await.unwrap()[0];
    assert_eq!(run.job, Stored::Known(Job::CaptureNoon));
    assert_eq!(run.scheduled_at, Stored::Known(start.scheduled_at));
    assert_eq!(run.trigger, Stored::Known(Trigger::Cron));
    assert_eq!(run.target_day, Stored::Known(day("2025-08-11")));
    assert_eq!(run.started_at, Stored::Known(start.started_at));
    assert_eq!(run.ended_at, Some(Stored::Known(at(2))));
    assert_eq!(run.outcome, Some(Stored::Known(Outcome::PriceRejected)));
    assert_eq!(
        (run.error.as_deref(), &run.price),
        (Some(TEXT), &Some(DIGITS.into()))
    );
    assert_eq!(run.is_fallback, Some(true.into()));
    assert_eq!(
        (
            &run.rows_daily_predictions,
            &run.rows_price_logs,
            &run.rows_ai_predictions
        ),
        (&1.into(), &2.into(), &4.into())
    );
    assert_eq!(run.instance, "one");
    assert!((run.seconds().unwrap() - 1.876_544).abs() < 1e-9);
}

async fn an_instant_is_claimed_once(store: &TestStore) {
    let runs = &store.market.job_runs;
    assert_eq!(
        runs.claim(&start(Job::CaptureNoon, 0), never()).await.unwrap(),
        Claim::Won
    );
    assert_eq!(
        runs.claim(&start(Job::CaptureNoon, 0), never()).await.unwrap(),
        Claim::Taken
    );
    assert_eq!(
        runs.claim(&start(Job::CaptureOpen, 0), never()).await.unwrap(),
        Claim::Won
    );
    assert_eq!(
        runs.claim(&start(Job::CaptureNoon, 1), never()).await.unwrap(),
        Claim::Won
    );
}

async fn of_many_claims_one_wins(store: &TestStore) {
    let claims = (0..20).map(|number| {
        let runs = Arc::clone(&store.market.job_runs);
        tokio::spawn(async move {
            let start = JobStart {
                instance: number.to_string(),
                ..start(Job::AiPredict, 0)
            };
            runs.claim(&start, never()).await.unwrap()
        })
    });
    let mut won = 0;
    for claim in claims.collect::<Vec<_>>() {
        won += usize::from(claim.await.unwrap() == Claim::Won);
    }
    assert_eq!(won, 1);
}

async fn a_dead_run_is_taken_over(store: &TestStore) {
    let runs = &store.market.job_runs;
    let dead = start(Job::CaptureNoon, 0);
    runs.claim(&dead, never()).await.unwrap();
    let heir = JobStart {
        instance: "two".to_owned(),
        trigger: Trigger::CatchUp,
        started_at: at(100),
        ..dead.clone()
    };
    // Not before its time is over.
    assert_eq!(runs.claim(&heir, dead.started_at).await.unwrap(), Claim::Taken);
    let found = async |dead_before| runs.abandoned(Job::CaptureNoon, dead_before).await.unwrap();
    assert_eq!(found(dead.started_at).await, []);
    assert_eq!(found(at(50)).await, [at(0)]);
    assert_eq!(runs.claim(&heir, at(50)).await.unwrap(), Claim::Won);
    assert!(
        !runs.finish(&dead, &ok(101)).await.unwrap(),
        "it is not the dead one's any more"
    );
    assert!(runs.finish(&heir, &ok(102)).await.unwrap());
    assert_eq!(
        runs.claim(&dead, at(1000)).await.unwrap(),
        Claim::Taken,
        "what has ended is not dead"
    );
    let all = runs.list(None, 10).await.unwrap();
    assert_eq!((all.len(), all[0].instance.as_str()), (1, "two"));
}

async fn only_its_owner_ends_a_run_and_only_once(store: &TestStore) {
    let runs = &store.market.job_runs;
    let mine = start(Job::DailyCleanup, 0);
    assert!(!runs.finish(&mine, &ok(1)).await.unwrap(), "there is none");
    runs.claim(&mine, never()).await.unwrap();
    let others = JobStart {
        instance: "two".to_owned(),
        ..mine.clone()
    };
    assert!(!runs.finish(&others, &ok(1)).await.unwrap());
    assert!(runs.finish(&mine, &ok(1)).await.unwrap());
    assert!(!runs.finish(&mine, &ok(2)).await.unwrap());
}

async fn the_latest_instant_does_not_count_runs_by_hand(store: &TestStore) {
    let runs = &store.market.job_runs;
    let latest = async |until| runs.latest_scheduled(Job::CaptureNoon, at(until)).await.unwrap();
    assert_eq!(latest(100).await, None);
    for seconds in [5, 9, 7] {
        runs.claim(&start(Job::CaptureNoon, seconds), never())
            .await
            .unwrap();
    }
    let by_hand = JobStart {
        trigger: Trigger::Manual,
        ..start(Job::CaptureNoon, 20)
    };
    runs.claim(&by_hand, never()).await.unwrap();
    let warm_up = JobStart {
        trigger: Trigger::WarmUp,
        ..start(Job::CaptureNoon, 25)
    };
    runs.claim(&warm_up, never()).await.unwrap();
    runs.claim(&start(Job::CaptureOpen, 30), never()).await.unwrap();
    assert_eq!(latest(100).await, Some(at(9)));
    assert_eq!(latest(9).await, Some(at(9)));
    assert_eq!(latest(8).await, Some(at(7)), "a wrong clock may have run others");
}

async fn runs_are_listed_latest_first(store: &TestStore) {
    let runs = &store.market.job_runs;
    for (job, seconds) in [
        (Job::CaptureNoon, 5),
        (Job::CaptureOpen, 9),
        (Job::CaptureNoon, 7),
        (Job::CaptureOpen, 7),
    ] {
        runs.claim(&start(job, seconds), never()).await.unwrap();
    }
    let listed = async |job, limit| {
        let runs = runs.list(job, limit).await.unwrap();
        runs.iter()
            .map(|run| (*run.job.known().unwrap(), *run.scheduled_at.known().unwrap()))
            .collect::<Vec<_>>()
    };
    let all = [
        (Job::CaptureOpen, at(9)),
        (Job::CaptureOpen, at(7)),
        (Job::CaptureNoon, at(7)),
        (Job::CaptureNoon, at(5)),
    ];
    assert_eq!(listed(None, 10).await, all);
    assert_eq!(listed(None, 2).await, all[..2]);
    assert_eq!(listed(Some(Job::CaptureNoon), 10).await, all[2..]);
}
