//! The market's jobs in virtual time, on both databases: whole days, both changes of the clocks, several instances,
//! downtime, dead runs.
#![cfg(all(feature = "sqlite", feature = "postgres"))]
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation fails")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cutover::config::Backend;
use cutover::jobs::{CatchUp, JobSettings, Scheduler};
use cutover::usecase::market::MarketRules;
use cutover::wiring::{Databases, SystemClock, job_clock};
use cutover_domain::market::Checkpoint;
use cutover_domain::market::ai_prediction::one_per_checkpoint;
use cutover_domain::market::calendar::{Calendar, Session};
use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;
use cutover_domain::market::job_run::{Job, JobRun, JobStart, Outcome, Timetable, Trigger};
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::{LegacyZone, Timestamp};
use cutover_ports::clock::Clock;
use cutover_ports::market::{Claim, PriceError, PriceSource, Quote};
use cutover_tests::store::{TestStore, lab_database, pool};

/// A clock that somebody sets, and by how many microseconds a wrong one was mended.
struct VirtualClock(Mutex<Timestamp>, Mutex<i64>);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn steady(&self) -> Duration {
        let micros = self.now().as_micros() - *self.1.lock().unwrap();
        Duration::from_micros(u64::try_from(micros).unwrap())
    }
}

/// Prices that can be told from the day and the moment, unless a test says otherwise.
#[derive(Default)]
struct Prices {
    /// What is said instead; none for no price.
    instead: Mutex<BTreeMap<(String, &'static str), Option<Quote>>>,
    is_down: Mutex<bool>,
    /// Held by a test while no answer is to come.
    silence: tokio::sync::Mutex<()>,
    /// How long each answer takes, on this clock.
    delay: Mutex<Option<(Arc<VirtualClock>, Duration)>>,
}

impl Prices {
    fn take_time(&self) {
        if let Some((clock, delay)) = &*self.delay.lock().unwrap() {
            let mut now = clock.0.lock().unwrap();
            *now = later(*now, *delay);
        }
    }
}

fn later(instant: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(instant.as_micros() + i64::try_from(by.as_micros()).unwrap()).unwrap()
}

fn price(day: Day, checkpoint: Checkpoint) -> f64 {
    let moment = Checkpoint::ALL.iter().position(|one| *one == checkpoint).unwrap();
    600.0 + (day.epoch_days() % 100) as f64 + moment as f64 / 4.0
}

#[async_trait]
impl PriceSource for Prices {
    async fn price(
        &self,
        symbol: &str,
        checkpoint: Checkpoint,
        day: Day,
    ) -> Result<Option<Quote>, PriceError> {
        assert_eq!(symbol, "SPY");
        let _answering = self.silence.lock().await;
        self.take_time();
        if *self.is_down.lock().unwrap() {
            return Err(PriceError::Unreachable("down".to_owned()));
        }
        let instead = self.instead.lock().unwrap();
        Ok(match instead.get(&(day.to_string(), checkpoint.as_str())) {
            Some(said) => *said,
            None => Some(Quote {
                price: price(day, checkpoint),
                is_fallback: false,
            }),
        })
    }

    async fn bars(&self, _: &str, from: Day, to: Day) -> Result<Vec<DailyBar>, PriceError> {
        self.take_time();
        let days = (from.epoch_days()..=to.epoch_days()).map(|days| Day::from_epoch_days(days).unwrap());
        let open = days.filter(|day| Calendar::default().session(*day) != Session::Closed);
        Ok(open
            .map(|day| DailyBar {
                day,
                open: 600.0,
                high: 604.0,
                low: 596.0,
                close: 602.0,
            })
            .collect())
    }

    fn is_configured(&self) -> bool {
        true
    }
}

/// A store, a clock, prices, and instances of the scheduler.
struct World {
    store: TestStore,
    clock: Arc<VirtualClock>,
    prices: Arc<Prices>,
    settings: JobSettings,
    retention_days: Option<u32>,
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text, &LegacyZone::named("America/Chicago").unwrap()).unwrap()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

impl World {
    fn new(store: TestStore, now: &str) -> Self {
        Self {
            store,
            clock: Arc::new(VirtualClock(Mutex::new(at(now)), Mutex::default())),
            prices: Arc::new(Prices::default()),
            settings: JobSettings::default(),
            retention_days: None,
        }
    }

    /// The run of a job that `instance` has begun at its instant.
    async fn claim(&self, job: Job, instant: &str, instance: &str) -> JobStart {
        let start = JobStart {
            job,
            scheduled_at: at(instant),
            trigger: Trigger::Cron,
            target_day: day(&instant[..10]),
            started_at: at(instant),
            instance: instance.to_owned(),
        };
        let claim = self.store.market.job_runs.claim(&start, Timestamp::EPOCH).await;
        assert_eq!(claim.unwrap(), Claim::Won);
        start
    }

    fn instance(&self, name: &str) -> Scheduler {
        let market = self.store.market.clone();
        let timetable = Timetable {
            zone: jiff::tz::TimeZone::get("America/Chicago").unwrap(),
            calendar: Calendar::default(),
        };
        let rules = MarketRules {
            symbol: "SPY".to_owned(),
            timetable,
            retention_days: self.retention_days,
        };
        Scheduler::new(
            Arc::new(move || market.clone()),
            Arc::clone(&self.prices) as Arc<dyn PriceSource>,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::new(rules),
            self.settings.clone(),
            name.to_owned(),
        )
    }

    /// Time passes until `now`.
    fn set(&self, now: Timestamp) {
        *self.clock.0.lock().unwrap() = now;
    }

    /// Somebody sets the clock; no time passes.
    fn jump(&self, now: Timestamp) {
        *self.clock.1.lock().unwrap() += now.as_micros() - self.clock.now().as_micros();
        self.set(now);
    }

    /// Goes on in steps of half an hour; all instances look around at each, the first and the last included.
    async fn go_on(&self, until: &str, instances: &[&Scheduler]) {
        let until = at(until);
        loop {
            futures_util::future::join_all(instances.iter().map(|one| one.tick())).await;
            if self.clock.now() >= until {
                return;
            }
            self.set(later(self.clock.now(), Duration::from_mins(30)));
        }
    }

    /// Every run, oldest first, as `job instant outcome trigger`.
    async fn runs(&self) -> Vec<String> {
        let mut runs: Vec<JobRun> = self.store.market.job_runs.list(None, 1000).await.unwrap();
        runs.reverse();
        let mut lines: Vec<(Timestamp, &str, String)> = runs
            .iter()
            .map(|run| {
                let (job, instant) = (
                    run.job.known().unwrap().as_str(),
                    *run.scheduled_at.known().unwrap(),
                );
                let outcome = run
                    .outcome
                    .as_ref()
                    .map_or("running", |outcome| outcome.known().unwrap().as_str());
                let trigger = run.trigger.known().unwrap().as_str();
                (
                    instant,
                    job,
                    format!("{job} {} {outcome} {trigger}", instant.to_json_text()),
                )
            })
            .collect();
        lines.sort();
        lines.into_iter().map(|(.., line)| line).collect()
    }

    async fn run_of(&self, job: Job) -> JobRun {
        self.store
            .market
            .job_runs
            .list(Some(job), 1)
            .await
            .unwrap()
            .remove(0)
    }

    /// The day has all of its prices, four predictions, and a locked band of them.
    async fn assert_complete(&self, text: &str) {
        let row = self
            .store
            .market
            .daily_predictions
            .get(day(text))
            .await
            .unwrap()
            .unwrap();
        for checkpoint in Checkpoint::ALL {
            assert_eq!(
                row.fields.price(*checkpoint),
                Some(price(day(text), *checkpoint)),
                "{text} {checkpoint:?}"
            );
        }
        assert_eq!(row.fields.source.as_deref(), Some("ai"));
        assert_eq!(row.fields.locked, Some(true.into()));
        let rows = self.store.market.ai_predictions.for_day(day(text)).await.unwrap();
        assert_eq!((rows.len(), one_per_checkpoint(&rows).len()), (4, 4));
        let predicted: Vec<f64> = rows
            .iter()
            .map(|row| *row.fields.predicted_price.known().unwrap())
            .collect();
        let low = predicted.iter().copied().reduce(f64::min);
        assert_eq!(row.fields.low(), low);
        let logs = self.store.market.daily_predictions.logs(day(text)).await.unwrap();
        assert_eq!(logs.len(), 5, "{text}: each price is logged once");
    }
}

/// The runs of a full trading day, all well, the opening at `hour` UTC of Chicago's eight o'clock.
fn full_day(date: &str, eight: u32) -> Vec<String> {
    let line = |job: &str, after: u32, minute: u32| {
        format!("{job} {date}T{:02}:{minute:02}:00Z ok cron", eight + after)
    };
    let midnight = eight - 8;
    vec![
        format!("daily_cleanup {date}T{midnight:02}:00:00Z ok cron"),
        line("ai_predict_0800", 0, 0),
        line("capture_premarket", 0, 0),
        line("capture_open", 0, 30),
        line("capture_noon", 4, 0),
        line("capture_2pm", 6, 0),
        line("capture_close", 7, 0),
    ]
}

fn cleanup(date: &str, hour: u32) -> String {
    format!("daily_cleanup {date}T{hour:02}:00:00Z ok cron")
}

async fn three_days_with_three_instances(store: TestStore) {
    let world = World::new(store, "2025-08-12T00:00:00");
    let (one, two, three) = (
        world.instance("one"),
        world.instance("two"),
        world.instance("three"),
    );
    world.go_on("2025-08-14T23:00:00", &[&one, &two, &three]).await;
    let expected = ["2025-08-12", "2025-08-13", "2025-08-14"]
        .map(|date| full_day(date, 13))
        .concat();
    assert_eq!(world.runs().await, expected);
    for date in ["2025-08-12", "2025-08-13", "2025-08-14"] {
        world.assert_complete(date).await;
    }
    let run = world.run_of(Job::CaptureClose).await;
    assert_eq!(
        run.price,
        Some(price(day("2025-08-14"), Checkpoint::Close).into())
    );
    assert_eq!((run.is_fallback, run.error), (Some(false.into()), None));
    assert_eq!(
        (run.rows_daily_predictions, run.rows_price_logs),
        (1.into(), 1.into())
    );
    assert_eq!(world.run_of(Job::AiPredict).await.rows_ai_predictions, 4.into());
}

async fn the_clocks_go_forward(store: TestStore) {
    let world = World::new(store, "2025-03-07T00:00:00");
    let one = world.instance("one");
    // The night to Sunday, 2025-03-09, has an hour less.
    world.go_on("2025-03-11T23:00:00", &[&one]).await;
    let expected = [
        full_day("2025-03-07", 14),
        vec![cleanup("2025-03-08", 6), cleanup("2025-03-09", 6)],
        full_day("2025-03-10", 13),
        full_day("2025-03-11", 13),
    ];
    assert_eq!(world.runs().await, expected.concat());
    world.assert_complete("2025-03-10").await;
}

async fn the_clocks_go_back(store: TestStore) {
    let world = World::new(store, "2025-10-31T00:00:00");
    let one = world.instance("one");
    // The night to Sunday, 2025-11-02, has an hour more.
    world.go_on("2025-11-03T23:00:00", &[&one]).await;
    let expected = [
        full_day("2025-10-31", 13),
        vec![cleanup("2025-11-01", 5), cleanup("2025-11-02", 5)],
        full_day("2025-11-03", 14),
    ];
    assert_eq!(world.runs().await, expected.concat());
    world.assert_complete("2025-11-03").await;
}

async fn holidays_have_no_runs_and_half_days_no_afternoon(store: TestStore) {
    let world = World::new(store, "2025-11-27T00:00:00");
    let one = world.instance("one");
    world.go_on("2025-11-28T23:00:00", &[&one]).await;
    let mut friday = full_day("2025-11-28", 14);
    friday.retain(|line| !line.starts_with("capture_2pm"));
    assert_eq!(
        world.runs().await,
        [vec![cleanup("2025-11-27", 6)], friday].concat()
    );
    let thanksgiving = world
        .store
        .market
        .daily_predictions
        .get(day("2025-11-27"))
        .await
        .unwrap();
    assert_eq!(thanksgiving, None);
}

async fn what_passed_meanwhile_is_made_up_for_by_the_policy(store: TestStore) {
    let mut world = World::new(store, "2025-08-12T00:00:00");
    world.settings.catch_up_window = Duration::from_hours(48);
    let before = world.instance("before");
    world.go_on("2025-08-12T09:00:00", &[&before]).await;
    // Down until Thursday morning.
    world.set(at("2025-08-14T07:00:00"));
    let after = world.instance("after");
    after.tick().await;
    after.tick().await;
    let missed: Vec<String> = world.runs().await.split_off(4);
    assert_eq!(
        missed,
        [
            "capture_noon 2025-08-12T17:00:00Z missed cron",
            "capture_2pm 2025-08-12T19:00:00Z missed cron",
            "capture_close 2025-08-12T20:00:00Z missed cron",
            "daily_cleanup 2025-08-13T05:00:00Z missed cron",
            "ai_predict_0800 2025-08-13T13:00:00Z ok catch_up",
            "capture_premarket 2025-08-13T13:00:00Z ok catch_up",
            "capture_open 2025-08-13T13:30:00Z ok catch_up",
            "capture_noon 2025-08-13T17:00:00Z ok catch_up",
            "capture_2pm 2025-08-13T19:00:00Z ok catch_up",
            "capture_close 2025-08-13T20:00:00Z ok catch_up",
            "daily_cleanup 2025-08-14T05:00:00Z ok catch_up",
        ]
    );
    world.assert_complete("2025-08-13").await;
}

/// Away for more than a year; each job tells of that by one note.
async fn what_is_too_old_to_make_up_for_is_noted_as_missed(store: TestStore) {
    let world = World::new(store, "2024-08-12T11:30:00");
    let before = world.instance("before");
    world.go_on("2024-08-12T12:00:00", &[&before]).await;
    world.set(at("2025-08-14T07:00:00"));
    let after = world.instance("after");
    after.tick().await;
    after.tick().await;
    let runs = world.store.market.job_runs.list(Some(Job::CaptureNoon), 10).await;
    let told: Vec<_> = runs
        .unwrap()
        .into_iter()
        .map(|run| {
            let instant = run.scheduled_at.known().unwrap().to_json_text();
            (instant, *run.outcome.unwrap().known().unwrap(), run.error)
        })
        .collect();
    let missed =
        "250 instants from 2024-08-13T17:00:00Z to 2025-08-12T17:00:00Z, longer ago than jobs_catch_up_hours";
    assert_eq!(
        told,
        [
            ("2025-08-13T17:00:00Z".to_owned(), Outcome::Ok, None),
            (
                "2025-08-12T17:00:00Z".to_owned(),
                Outcome::Missed,
                Some(missed.to_owned())
            ),
            ("2024-08-12T17:00:00Z".to_owned(), Outcome::Ok, None),
        ]
    );
    // Those of Tuesday after seven, of each job one; the others' first instants are of the day itself.
    let noted = world.runs().await;
    let noted = noted.iter().filter(|line| line.contains(" missed ")).count();
    assert_eq!(noted, Job::ALL.len());
}

async fn without_making_up_it_is_noted_as_missed(store: TestStore) {
    let mut world = World::new(store, "2025-08-12T11:30:00");
    world.settings.catch_up = CatchUp::None;
    let before = world.instance("before");
    world.go_on("2025-08-12T12:00:00", &[&before]).await;
    world.set(at("2025-08-13T12:20:00"));
    world.instance("after").tick().await;
    let mut runs = world.runs().await;
    runs.retain(|line| line.starts_with("capture_noon") || line.starts_with("ai_predict_0800"));
    assert_eq!(
        runs,
        [
            // A start after eight makes the day's prediction, whatever the policy.
            "ai_predict_0800 2025-08-12T13:00:00Z ok warm_up",
            "capture_noon 2025-08-12T17:00:00Z ok cron",
            "ai_predict_0800 2025-08-13T13:00:00Z ok warm_up",
            "capture_noon 2025-08-13T17:00:00Z missed cron",
        ]
    );
}

/// Starts ten seconds before noon, when the service of prices takes so long that the warm-up is still going on at noon.
async fn an_instant_that_passes_while_others_run_is_on_time(store: TestStore) {
    let mut store = Some(store);
    for (policy, delay) in [
        (CatchUp::None, Duration::from_secs(40)),
        // Longer than a run may be late.
        (CatchUp::None, Duration::from_secs(200)),
        (CatchUp::Latest, Duration::from_secs(200)),
    ] {
        let store = match store.take() {
            Some(store) => store,
            None => TestStore::sqlite().await,
        };
        let mut world = World::new(store, "2025-08-12T11:59:50");
        world.settings.catch_up = policy;
        *world.prices.delay.lock().unwrap() = Some((Arc::clone(&world.clock), delay));
        let one = world.instance("one");
        let pause = one.tick().await;
        assert!(world.clock.now() > at("2025-08-12T12:00:00"), "noon has passed");
        assert!(pause < Duration::from_secs(1), "it was due meanwhile: {pause:?}");
        world.set(later(world.clock.now(), pause));
        let pause = one.tick().await;
        assert_eq!(pause, Duration::from_secs(30), "nothing is due now");
        assert_eq!(
            world.runs().await,
            [
                "ai_predict_0800 2025-08-12T13:00:00Z ok warm_up",
                "capture_noon 2025-08-12T17:00:00Z ok cron",
            ],
            "{policy:?}, {delay:?}"
        );
    }
}

async fn a_clock_that_is_set_back_loses_no_instants(store: TestStore) {
    let world = World::new(store, "2025-08-11T07:30:00");
    let before = world.instance("before");
    world.go_on("2025-08-11T16:00:00", &[&before]).await;
    // It starts at half past twelve of Tuesday, and believes that it is Friday.
    world.set(at("2025-08-15T16:00:00"));
    let after = world.instance("after");
    after.tick().await;
    world.set(at("2025-08-12T12:30:00"));
    world.go_on("2025-08-12T16:00:00", &[&after]).await;
    let mut tuesday = world.runs().await;
    tuesday.retain(|line| line.contains(" 2025-08-12T"));
    assert_eq!(
        tuesday,
        [
            "daily_cleanup 2025-08-12T05:00:00Z ok catch_up",
            "ai_predict_0800 2025-08-12T13:00:00Z ok warm_up",
            "capture_premarket 2025-08-12T13:00:00Z ok catch_up",
            "capture_open 2025-08-12T13:30:00Z ok catch_up",
            "capture_noon 2025-08-12T17:00:00Z ok catch_up",
            "capture_2pm 2025-08-12T19:00:00Z ok cron",
            "capture_close 2025-08-12T20:00:00Z ok cron",
        ]
    );
}

async fn a_dead_run_that_is_too_old_to_make_up_for_has_failed(store: TestStore) {
    // A Friday, and the Monday after it.
    let world = World::new(store, "2025-08-15T15:00:00");
    let start = world
        .claim(Job::CaptureClose, "2025-08-15T15:00:00", "dead")
        .await;
    world.set(at("2025-08-18T07:00:00"));
    world.instance("heir").tick().await;
    let run = world.run_of(Job::CaptureClose).await;
    assert_eq!(run.scheduled_at, start.scheduled_at.into());
    assert_eq!(run.outcome, Some(Outcome::Error.into()));
    assert_eq!(run.ended_at, Some(at("2025-08-18T07:00:00").into()));
    assert_eq!(run.error.as_deref(), Some("the instance that ran it is gone"));
}

async fn a_dead_instances_run_is_taken_over(store: TestStore) {
    let world = World::new(store, "2025-08-12T12:00:00");
    world.claim(Job::CaptureNoon, "2025-08-12T12:00:00", "dead").await;
    let heir = world.instance("heir");
    heir.tick().await;
    assert_eq!(
        world.run_of(Job::CaptureNoon).await.instance,
        "dead",
        "it may still be running"
    );
    world.set(at("2025-08-12T12:10:00"));
    heir.tick().await;
    let run = world.run_of(Job::CaptureNoon).await;
    assert_eq!(
        (run.instance.as_str(), run.outcome),
        ("heir", Some(Outcome::Ok.into()))
    );
    let row = world
        .store
        .market
        .daily_predictions
        .get(day("2025-08-12"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        row.fields.price(Checkpoint::Noon),
        Some(price(day("2025-08-12"), Checkpoint::Noon))
    );
}

/// Its instance is at work while the clock jumps, back and forth.
async fn a_clock_that_is_set_makes_no_run_look_dead(store: TestStore) {
    let world = World::new(store, "2025-08-12T12:00:00");
    world
        .claim(Job::CaptureNoon, "2025-08-12T12:00:00", "at work")
        .await;
    let other = world.instance("other");
    other.tick().await;
    for moment in [
        "2025-08-12T13:00:10",
        "2025-08-12T11:00:20",
        "2025-08-12T12:10:30",
    ] {
        world.jump(at(moment));
        other.tick().await;
        let run = world.run_of(Job::CaptureNoon).await;
        assert_eq!(
            (run.instance.as_str(), run.outcome),
            ("at work", None),
            "{moment}"
        );
    }
    // By the steady clock, too, it is silent for too long.
    world.set(at("2025-08-12T12:17:00"));
    other.tick().await;
    let run = world.run_of(Job::CaptureNoon).await;
    assert_eq!(
        (run.instance.as_str(), run.outcome),
        ("other", Some(Outcome::Ok.into()))
    );
}

/// Whoever asked for a run may have gone. It is noted when it ends, and one that waits for another begins when that has ended.
async fn what_runs_by_hand_goes_on_when_nobody_waits(store: TestStore) {
    let world = World::new(store, "2025-08-12T06:00:00");
    let one = Arc::new(world.instance("one"));
    let silence = world.prices.silence.lock().await;
    for _ in 0..2 {
        let asked = one.trigger(Job::CaptureNoon);
        let answer = tokio::time::timeout(Duration::from_millis(200), asked).await;
        assert!(answer.is_err(), "no answer without a price: {answer:?}");
    }
    world.set(at("2025-08-12T06:04:00"));
    drop(silence);
    let all_ended = async {
        loop {
            let runs = world.runs().await;
            if runs.len() == 2 && runs.iter().all(|run| !run.contains("running")) {
                return runs;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let expected = [
        "capture_noon 2025-08-12T11:00:00Z ok manual",
        "capture_noon 2025-08-12T11:04:00Z ok manual",
    ];
    let ended = tokio::time::timeout(Duration::from_secs(20), all_ended).await;
    assert_eq!(ended.unwrap(), expected);
    // Nobody takes them for dead and runs them again.
    world.go_on("2025-08-12T07:34:00", &[&one]).await;
    assert_eq!(world.runs().await, expected);
}

async fn every_outcome_is_noted(store: TestStore) {
    let world = World::new(store, "2025-08-12T07:30:00");
    let say = |checkpoint: Checkpoint, quote: Option<(f64, bool)>| {
        let quote = quote.map(|(price, is_fallback)| Quote { price, is_fallback });
        let key = ("2025-08-12".to_owned(), checkpoint.as_str());
        world.prices.instead.lock().unwrap().insert(key, quote);
    };
    say(Checkpoint::PreMarket, Some((601.5, true)));
    say(Checkpoint::Open, None);
    say(Checkpoint::Noon, Some((5.0, false)));
    let one = world.instance("one");
    world.go_on("2025-08-12T12:00:00", &[&one]).await;
    *world.prices.is_down.lock().unwrap() = true;
    world.go_on("2025-08-12T14:00:00", &[&one]).await;
    *world.prices.is_down.lock().unwrap() = false;
    let one = Arc::new(one);
    // Two by hand at one instant are two runs.
    for _ in 0..2 {
        let again = one.trigger(Job::AiPredict).await.unwrap();
        assert_eq!(again.outcome, Outcome::AlreadyLocked);
    }
    assert_eq!(
        world.runs().await,
        [
            "ai_predict_0800 2025-08-12T13:00:00Z ok cron",
            "capture_premarket 2025-08-12T13:00:00Z ok cron",
            "capture_open 2025-08-12T13:30:00Z no_data cron",
            "capture_noon 2025-08-12T17:00:00Z price_rejected cron",
            "ai_predict_0800 2025-08-12T19:00:00Z already_locked manual",
            "capture_2pm 2025-08-12T19:00:00Z error cron",
            "ai_predict_0800 2025-08-12T19:00:00.000001Z already_locked manual",
        ]
    );
    assert_eq!(
        world.run_of(Job::CapturePremarket).await.is_fallback,
        Some(true.into())
    );
    assert!(
        world
            .run_of(Job::CaptureNoon)
            .await
            .error
            .unwrap()
            .contains("cannot be a price")
    );
    assert!(
        world
            .run_of(Job::CaptureTwoPm)
            .await
            .error
            .unwrap()
            .contains("down")
    );
    let row = world
        .store
        .market
        .daily_predictions
        .get(day("2025-08-12"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            row.fields.price(Checkpoint::Open),
            row.fields.price(Checkpoint::Noon)
        ),
        (None, None)
    );
}

async fn a_current_price_does_not_stand_in_for_a_past_one(store: TestStore) {
    let world = World::new(store, "2025-08-12T11:30:00");
    let before = world.instance("before");
    world.go_on("2025-08-12T12:00:00", &[&before]).await;
    let key = ("2025-08-12".to_owned(), "twoPM");
    let stale = Quote {
        price: 600.0,
        is_fallback: true,
    };
    world.prices.instead.lock().unwrap().insert(key, Some(stale));
    world.set(at("2025-08-12T14:30:00"));
    // Nobody ran this job before; the instance that is there knows that it was due.
    before.tick().await;
    let run = world.run_of(Job::CaptureTwoPm).await;
    assert_eq!((run.outcome, run.price), (Some(Outcome::NoData.into()), None));
}

async fn the_day_is_predicted_by_a_start_after_eight(store: TestStore) {
    let world = World::new(store, "2025-08-12T10:17:00");
    world.instance("one").tick().await;
    world.instance("two").tick().await;
    assert_eq!(
        world.runs().await,
        ["ai_predict_0800 2025-08-12T13:00:00Z ok warm_up"]
    );
    let world = World::new(world.store, "2025-08-16T10:17:00");
    world.instance("three").tick().await;
    assert!(
        world
            .store
            .market
            .ai_predictions
            .for_day(day("2025-08-16"))
            .await
            .unwrap()
            .is_empty(),
        "not on a Saturday"
    );
}

/// The file of the original has no runs: a restart on the first day finds nothing but the warm-up.
async fn what_passed_since_the_first_start_is_made_up_for(store: TestStore) {
    let mut world = World::new(store, "2025-08-12T10:17:00");
    world.settings.catch_up = CatchUp::None;
    world.instance("first").tick().await;
    world.set(at("2025-08-12T14:30:00"));
    world.instance("second").tick().await;
    assert_eq!(
        world.runs().await,
        [
            "ai_predict_0800 2025-08-12T13:00:00Z ok warm_up",
            // Not those before anybody was there.
            "capture_noon 2025-08-12T17:00:00Z missed cron",
            "capture_2pm 2025-08-12T19:00:00Z missed cron",
        ]
    );
}

async fn the_cleanup_keeps_what_it_is_told_to(store: TestStore) {
    let mut world = World::new(store, "2025-08-12T00:00:00");
    let one = world.instance("one");
    world.go_on("2025-08-12T15:00:00", &[&one]).await;
    world.retention_days = Some(30);
    // The thirtieth day is kept, the thirty-first is not.
    for (now, kept) in [("2025-09-10T23:30:00", true), ("2025-09-11T23:30:00", false)] {
        let world = World {
            store: world.store.clone(),
            clock: Arc::new(VirtualClock(Mutex::new(at(now)), Mutex::default())),
            prices: Arc::clone(&world.prices),
            settings: world.settings.clone(),
            retention_days: world.retention_days,
        };
        let next = format!("{}T00:00:00", day(&now[..10]).plus_days(1).unwrap());
        world.go_on(&next, &[&world.instance("two")]).await;
        let row = world
            .store
            .market
            .daily_predictions
            .get(day("2025-08-12"))
            .await
            .unwrap();
        assert_eq!(row.is_some(), kept, "{now}");
    }
    let run = world.run_of(Job::DailyCleanup).await;
    assert_eq!(
        (
            run.rows_daily_predictions,
            run.rows_price_logs,
            run.rows_ai_predictions
        ),
        (1.into(), 5.into(), 4.into())
    );
}

/// An instance whose own clock is wrong would take over what still runs, or use up the runs of days to come.
#[tokio::test]
async fn jobs_go_by_the_clock_of_the_server_that_their_runs_are_noted_on() {
    const AN_HOUR_AHEAD: &str = "CREATE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql
            AS $f$ SELECT pg_catalog.clock_timestamp() + interval '1 hour' $f$;
        DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database()); END $$";
    let database = lab_database().await;
    database
        .connect()
        .await
        .batch_execute(AN_HOUR_AHEAD)
        .await
        .unwrap();
    let databases = Databases {
        files: BTreeMap::new(),
        postgres: Some(pool(&database)),
    };
    for (backend, ahead) in [(Backend::Postgres, 3_600), (Backend::Sqlite, 0)] {
        let clock = job_clock(&databases, backend).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let skew = clock.now().as_micros() - SystemClock.now().as_micros();
        assert!(
            (skew - ahead * 1_000_000).abs() < 2_000_000,
            "{backend}: {skew} µs ahead"
        );
    }
}

macro_rules! on_both_databases {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $case() {
                super::$case(cutover_tests::store::TestStore::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $case() {
                super::$case(cutover_tests::store::TestStore::postgres().await).await;
            })+
        }
    };
}

on_both_databases!(
    three_days_with_three_instances,
    the_clocks_go_forward,
    the_clocks_go_back,
    holidays_have_no_runs_and_half_days_no_afternoon,
    what_passed_meanwhile_is_made_up_for_by_the_policy,
    what_is_too_old_to_make_up_for_is_noted_as_missed,
    without_making_up_it_is_noted_as_missed,
    an_instant_that_passes_while_others_run_is_on_time,
    a_clock_that_is_set_back_loses_no_instants,
    a_dead_run_that_is_too_old_to_make_up_for_has_failed,
    a_dead_instances_run_is_taken_over,
    a_clock_that_is_set_makes_no_run_look_dead,
    what_runs_by_hand_goes_on_when_nobody_waits,
    every_outcome_is_noted,
    a_current_price_does_not_stand_in_for_a_past_one,
    the_day_is_predicted_by_a_start_after_eight,
    what_passed_since_the_first_start_is_made_up_for,
    the_cleanup_keeps_what_it_is_told_to,
);
