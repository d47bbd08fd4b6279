//! The scheduler: runs the market's jobs at their instants, whoever else runs instances of the service beside this one.
//!
//! It holds no state that matters. Whose a run is, and what became of it, stands in the repository of runs; a fresh start
//! reads there what was missed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cutover_domain::market::day::Day;
use cutover_domain::market::job_run::{Job, JobEnd, JobStart, Outcome, RowsWritten, Trigger};
use cutover_domain::stored::TextEnum as _;
use cutover_domain::time::Timestamp;
use cutover_ports::clock::Clock;
use cutover_ports::market::{Claim, JobRunRepository, MarketRepositories, PriceSource};
use cutover_ports::{StoreError, StoreResult};
use futures_util::future::join_all;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::usecase::market::jobs::{Fallback, JobReport};
use crate::usecase::market::{Market, MarketRules};

/// How late a run may begin and still count as on time.
const GRACE: Duration = Duration::from_mins(1);
/// The scheduler looks around at least this often, for other instances may die and clocks be set.
const LOOK_AROUND: Duration = Duration::from_secs(30);
/// How much longer than a run may take it must be silent before another instance takes it over.
const DEAD_AFTER_TIMEOUT: Duration = Duration::from_mins(1);
/// So many runs by hand in one microsecond are told apart.
const MANUAL_CLAIMS: u64 = 100;

/// What is done about instants that passed while nobody was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are noted as missed.
    None,
    /// Of each job the latest is run, the others are noted as missed.
    Latest,
    /// All are run, oldest first.
    All,
}

impl CatchUp {
    /// By its name in the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "latest" => Some(Self::Latest),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

/// How jobs are run.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Whether they are run at their times; by hand they can be run anyway.
    pub enabled: bool,
    /// What is done about instants that passed.
    pub catch_up: CatchUp,
    /// How far back instants are looked for.
    pub catch_up_window: Duration,
    /// How long a run may take.
    pub timeout: Duration,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            catch_up: CatchUp::Latest,
            catch_up_window: Duration::from_hours(24),
            timeout: Duration::from_mins(5),
        }
    }
}

/// Gives the repositories as they are routed at this moment.
pub type Repositories = Arc<dyn Fn() -> MarketRepositories + Send + Sync>;

/// Runs the jobs.
pub struct Scheduler {
    repositories: Repositories,
    prices: Arc<dyn PriceSource>,
    clock: Arc<dyn Clock>,
    rules: Arc<MarketRules>,
    settings: JobSettings,
    instance: String,
    is_running: AtomicBool,
    seen: Mutex<Seen>,
    /// Until when, on the steady clock, no run is taken for dead.
    distrusted_until: Mutex<Duration>,
    /// Held while a job runs here: one run of it after the other.
    turns: HashMap<Job, Mutex<()>>,
    /// What runs because somebody asked for it.
    by_hand: TaskTracker,
}

impl std::fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scheduler")
            .field("instance", &self.instance)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What an instance has seen since it started.
#[derive(Default)]
struct Seen {
    /// Up to when the instants of each job are dealt with.
    dealt_with: HashMap<Job, Timestamp>,
    /// When it began to look around the last time, and when that was done: runs take their time.
    last_look: Option<(Timestamp, Timestamp)>,
    /// By how many microseconds the clock was ahead of the steady one.
    ahead: Option<i64>,
}

impl Seen {
    /// How far the clock was set back since the last look.
    fn set_back(&self, now: Timestamp) -> Option<Duration> {
        let (_, ended) = self.last_look?;
        let back = Duration::from_micros(u64::try_from(ended.as_micros() - now.as_micros()).ok()?);
        (back > GRACE).then_some(back)
    }

    /// Since when an instant that is due now is on time. What came while others ran is: the instance was there.
    fn on_time_since(&self, now: Timestamp) -> Timestamp {
        let latest = now.earlier_by(GRACE);
        match self.last_look {
            Some((began, ended)) if ended >= latest => began.min(latest),
            _ => latest,
        }
    }
}

/// An instant, and what is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Run(Timestamp, Trigger),
    Missed(Timestamp),
}

impl Scheduler {
    /// A scheduler that calls itself `instance`, a name that no other one has.
    pub fn new(
        repositories: Repositories,
        prices: Arc<dyn PriceSource>,
        clock: Arc<dyn Clock>,
        rules: Arc<MarketRules>,
        settings: JobSettings,
        instance: String,
    ) -> Self {
        Self {
            repositories,
            prices,
            clock,
            rules,
            settings,
            instance,
            is_running: AtomicBool::new(false),
            seen: Mutex::default(),
            distrusted_until: Mutex::default(),
            turns: Job::ALL.iter().map(|job| (*job, Mutex::default())).collect(),
            by_hand: TaskTracker::new(),
        }
    }

    /// Whether jobs are run at their times.
    pub fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// When a job is due next.
    pub fn next_run(&self, job: Job) -> Option<Timestamp> {
        self.rules.timetable.next_after(job, self.clock.now())
    }

    /// Runs the jobs at their times until `stop`; what runs then, by hand too, is waited for.
    pub async fn run(&self, stop: CancellationToken) {
        if self.settings.enabled {
            self.run_at_their_times(&stop).await;
        }
        stop.cancelled().await;
        self.by_hand.close();
        self.by_hand.wait().await;
    }

    async fn run_at_their_times(&self, stop: &CancellationToken) {
        self.is_running.store(true, Ordering::Relaxed);
        while !stop.is_cancelled() {
            let pause = self.tick().await;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        self.is_running.store(false, Ordering::Relaxed);
    }

    /// How long nothing is due, if what was due at `looked` is dealt with.
    fn pause(&self, looked: Timestamp) -> Duration {
        let next = Job::ALL
            .iter()
            .filter_map(|job| self.rules.timetable.next_after(*job, looked))
            .min();
        let now = self.clock.now();
        let micros = next.map_or(i64::MAX, |next| next.as_micros() - now.as_micros());
        Duration::from_micros(micros.max(1_000).unsigned_abs()).min(LOOK_AROUND)
    }

    /// Does everything that is due now, and tells how long nothing is. What a store's outage prevents is due again the next time.
    pub async fn tick(&self) -> Duration {
        let mut seen = self.seen.lock().await;
        let now = self.clock.now();
        self.watch_clock(&mut seen, now).await;
        if let Some(back) = seen.set_back(now) {
            let seconds = back.as_secs();
            tracing::warn!(seconds, %now, "the clock was set back; jobs go on from the present time");
            *seen = Seen {
                ahead: seen.ahead,
                ..Seen::default()
            };
        }
        let on_time_since = seen.on_time_since(now);
        self.look_around(&mut seen.dealt_with, now, on_time_since).await;
        seen.last_look = Some((now, self.clock.now()));
        self.pause(now)
    }

    /// A clock that is set makes a run that is under way look old. For as long as one may be silent, none is taken for dead then.
    async fn watch_clock(&self, seen: &mut Seen, now: Timestamp) {
        let steady = self.clock.steady();
        let ahead = now.earlier_by(steady).as_micros();
        let was = seen.ahead.replace(ahead).unwrap_or(ahead);
        if Duration::from_micros(was.abs_diff(ahead)) > GRACE {
            *self.distrusted_until.lock().await = steady + self.silence();
        }
    }

    async fn look_around(
        &self,
        dealt_with: &mut HashMap<Job, Timestamp>,
        now: Timestamp,
        on_time_since: Timestamp,
    ) {
        if dealt_with.is_empty()
            && let Err(error) = self.warm_up(now).await
        {
            tracing::warn!(%error, "the warm-up could not look at today");
        }
        let known = if dealt_with.len() < Job::ALL.len() {
            match self.last_known(now).await {
                Ok(known) => known,
                Err(error) => {
                    tracing::warn!(%error, "the runs of the jobs cannot be read now");
                    return;
                }
            }
        } else {
            None
        };
        let since: Vec<(Job, Option<Timestamp>)> = Job::ALL
            .iter()
            .map(|job| (*job, dealt_with.get(job).copied()))
            .collect();
        let jobs = since
            .into_iter()
            .map(async |(job, since)| (job, self.deal_with(job, since, known, (on_time_since, now)).await));
        for (job, outcome) in join_all(jobs).await {
            match outcome {
                Ok(()) => {
                    dealt_with.insert(job, now);
                }
                Err(error) => {
                    tracing::warn!(job = job.as_str(), %error, "the job's runs cannot be dealt with now");
                }
            }
        }
    }

    /// When somebody last dealt with any job, because its instant was due or otherwise: since then, jobs that never ran could have.
    async fn last_known(&self, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let runs = (self.repositories)().job_runs;
        let latest = join_all(Job::ALL.iter().map(|job| runs.latest_scheduled(*job, now))).await;
        let latest: Vec<Option<Timestamp>> = latest.into_iter().collect::<StoreResult<_>>()?;
        // On its first day a service may have done no more than to warm up.
        let last = runs.list(None, 1).await?;
        let begun = last.first().and_then(|run| run.started_at.known().copied());
        Ok(latest
            .into_iter()
            .flatten()
            .chain(begun.filter(|begun| *begun <= now))
            .max())
    }

    /// What the original does when it starts: on a trading day after eight, the day's prediction is made if it is missing.
    async fn warm_up(&self, now: Timestamp) -> StoreResult<()> {
        let timetable = &self.rules.timetable;
        let today = timetable.today(now);
        let due = Some(Job::AiPredict)
            .filter(|job| job.is_due_on(today, &timetable.calendar))
            .and_then(|job| job.instant_on(today, &timetable.zone));
        let Some(due) = due.filter(|due| due.later_by(GRACE) < now) else {
            return Ok(());
        };
        let row = (self.repositories)().daily_predictions.get(today).await?;
        let is_made = row.is_some_and(|row| {
            row.fields.locked == Some(true.into()) && row.fields.source.as_deref() == Some("ai")
        });
        if is_made {
            return Ok(());
        }
        self.run_at(Job::AiPredict, due, Trigger::WarmUp).await
    }

    /// Deals with the instants of a job after `since`, or after the last one that anybody dealt with, until now; the second of the two
    /// times, and the first one says since when they are on time.
    async fn deal_with(
        &self,
        job: Job,
        since: Option<Timestamp>,
        known: Option<Timestamp>,
        (on_time_since, now): (Timestamp, Timestamp),
    ) -> StoreResult<()> {
        let runs = (self.repositories)().job_runs;
        let window = now.earlier_by(self.settings.catch_up_window);
        for abandoned in runs.abandoned(job, self.dead_before(now).await).await? {
            if self.settings.catch_up == CatchUp::None || abandoned < window {
                let gone = "the instance that ran it is gone";
                self.note(job, abandoned, Trigger::CatchUp, Outcome::Error, Some(gone), now)
                    .await?;
            } else {
                self.run_at(job, abandoned, Trigger::CatchUp).await?;
            }
        }
        let since = match since {
            Some(since) => since,
            // Nobody ever ran any: there is nothing to make up for.
            None => runs
                .latest_scheduled(job, now)
                .await?
                .or(known)
                .unwrap_or_else(|| now.earlier_by(GRACE)),
        };
        self.note_forgone(job, since, (window, now)).await?;
        let due = self.rules.timetable.due_between(job, since.max(window), now);
        for due in plan(&due, self.settings.catch_up, on_time_since) {
            match due {
                Due::Run(instant, trigger) => self.run_at(job, instant, trigger).await?,
                Due::Missed(instant) => {
                    self.note(job, instant, Trigger::Cron, Outcome::Missed, None, now)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Notes the instants after `since` that are too old to be made up for, all by one note for the last of them: a year away would be
    /// hundreds.
    async fn note_forgone(
        &self,
        job: Job,
        since: Timestamp,
        (window, now): (Timestamp, Timestamp),
    ) -> StoreResult<()> {
        let forgone = self.rules.timetable.due_between(job, since, window);
        let (Some(first), Some(last)) = (forgone.first(), forgone.last()) else {
            return Ok(());
        };
        let told = (first != last).then(|| {
            let (count, first, last) = (forgone.len(), first.to_json_text(), last.to_json_text());
            format!("{count} instants from {first} to {last}, longer ago than jobs_catch_up_hours")
        });
        self.note(job, *last, Trigger::Cron, Outcome::Missed, told.as_deref(), now)
            .await
    }

    /// Runs a job by hand, for today. Who asked for it may leave: it goes on to its end, and is noted.
    pub async fn trigger(self: &Arc<Self>, job: Job) -> StoreResult<JobReport> {
        let this = Arc::clone(self);
        let running = self.by_hand.spawn(async move { this.run_by_hand(job).await });
        running
            .await
            .unwrap_or_else(|ended| Ok(JobReport::failed(format!("the run did not end: {ended}"))))
    }

    async fn run_by_hand(&self, job: Job) -> StoreResult<JobReport> {
        let _turn = self.turn(job).await;
        let now = self.clock.now();
        let runs = (self.repositories)().job_runs;
        // Of two by hand in one microsecond the second is noted a microsecond later.
        for microseconds in 0..MANUAL_CLAIMS {
            let instant = now.later_by(Duration::from_micros(microseconds));
            let start = self.start(job, instant, Trigger::Manual);
            if runs.claim(&start, Timestamp::EPOCH).await? == Claim::Won {
                return self.perform(runs.as_ref(), &start, Fallback::Accepted).await;
            }
        }
        Err(StoreError::conflict("job_runs.scheduled_at"))
    }

    /// Runs a job for an instant, unless somebody else does or did.
    async fn run_at(&self, job: Job, instant: Timestamp, trigger: Trigger) -> StoreResult<()> {
        let _turn = self.turn(job).await;
        let now = self.clock.now();
        let start = self.start(job, instant, trigger);
        let runs = (self.repositories)().job_runs;
        if runs.claim(&start, self.dead_before(now).await).await? == Claim::Taken {
            return Ok(());
        }
        // What is said to be the price of now is not that of a while ago.
        let fallback = if trigger == Trigger::Cron && instant >= now.earlier_by(GRACE) {
            Fallback::Accepted
        } else {
            Fallback::Refused
        };
        self.perform(runs.as_ref(), &start, fallback).await.map(drop)
    }

    /// Notes what became of an instant without a run.
    async fn note(
        &self,
        job: Job,
        instant: Timestamp,
        trigger: Trigger,
        outcome: Outcome,
        error: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<()> {
        let start = self.start(job, instant, trigger);
        let runs = (self.repositories)().job_runs;
        if runs.claim(&start, self.dead_before(now).await).await? == Claim::Taken {
            return Ok(());
        }
        let end = JobEnd {
            ended_at: start.started_at,
            outcome,
            error: error.map(str::to_owned),
            price: None,
            is_fallback: None,
            rows: RowsWritten::default(),
        };
        tracing::warn!(job = job.as_str(), at = %instant, outcome = outcome.as_str(), "a job did not run");
        runs.finish(&start, &end).await.map(drop)
    }

    /// Waits until no other run of a job is under way here. A run begins to count as silent when it is claimed, so it is claimed after
    /// that.
    async fn turn(&self, job: Job) -> Option<MutexGuard<'_, ()>> {
        match self.turns.get(&job) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        }
    }

    async fn perform(
        &self,
        runs: &dyn JobRunRepository,
        start: &JobStart,
        fallback: Fallback,
    ) -> StoreResult<JobReport> {
        let market = Market::new(
            (self.repositories)(),
            Arc::clone(&self.prices),
            Arc::clone(&self.clock),
            Arc::clone(&self.rules),
        );
        let (job, day) = (start.job, start.target_day);
        // A task of its own, so that a panic is this run's and not the scheduler's.
        let mut running = tokio::spawn(async move { market.perform(job, day, fallback).await });
        let report = match tokio::time::timeout(self.settings.timeout, &mut running).await {
            Ok(Ok(report)) => report,
            Ok(Err(_)) => JobReport::failed("the run ended by a panic"),
            Err(_) => {
                running.abort();
                // A statement that is under way is not called back.
                JobReport::failed(format!(
                    "given up after {} s; what it was writing may have been written",
                    self.settings.timeout.as_secs()
                ))
            }
        };
        let end = JobEnd {
            ended_at: self.clock.now(),
            outcome: report.outcome,
            error: report.error.clone(),
            price: report.price,
            is_fallback: report.is_fallback,
            rows: report.rows,
        };
        let outcome = end.outcome.as_str();
        if end.outcome == Outcome::Error {
            let error = report.error.as_deref();
            tracing::error!(job = job.as_str(), %day, error, "a job failed");
        } else {
            tracing::info!(job = job.as_str(), %day, outcome, trigger = start.trigger.as_str(), "a job ran");
        }
        if !runs.finish(start, &end).await? {
            tracing::warn!(job = job.as_str(), %day, "another instance took the run over");
        }
        Ok(report)
    }

    fn start(&self, job: Job, instant: Timestamp, trigger: Trigger) -> JobStart {
        JobStart {
            job,
            scheduled_at: instant,
            trigger,
            target_day: Day::at(instant, &self.rules.timetable.zone),
            started_at: self.clock.now(),
            instance: self.instance.clone(),
        }
    }

    /// A run that began before this and has not ended never will.
    async fn dead_before(&self, now: Timestamp) -> Timestamp {
        if self.clock.steady() < *self.distrusted_until.lock().await {
            return Timestamp::EPOCH;
        }
        now.earlier_by(self.silence())
    }

    /// How long a run may be silent before it is taken for dead.
    fn silence(&self) -> Duration {
        self.settings.timeout + DEAD_AFTER_TIMEOUT
    }
}

/// What is to be done about due instants, oldest first.
fn plan(due: &[Timestamp], policy: CatchUp, on_time_since: Timestamp) -> Vec<Due> {
    let last = due.last().copied();
    due.iter()
        .map(|&instant| {
            let is_on_time = instant >= on_time_since;
            let is_run = is_on_time
                || match policy {
                    CatchUp::None => false,
                    CatchUp::Latest => Some(instant) == last,
                    CatchUp::All => true,
                };
            match (is_run, is_on_time) {
                (true, true) => Due::Run(instant, Trigger::Cron),
                (true, false) => Due::Run(instant, Trigger::CatchUp),
                (false, _) => Due::Missed(instant),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn what_is_late_is_run_or_missed_by_the_policy() {
        let due = [at(0), at(86_400), at(172_800)];
        let since = at(172_770);
        let on_time = Due::Run(at(172_800), Trigger::Cron);
        for policy in [CatchUp::None, CatchUp::Latest] {
            assert_eq!(
                plan(&due, policy, since),
                [Due::Missed(at(0)), Due::Missed(at(86_400)), on_time]
            );
        }
        let catch_up = |seconds| Due::Run(at(seconds), Trigger::CatchUp);
        assert_eq!(
            plan(&due, CatchUp::All, since),
            [catch_up(0), catch_up(86_400), on_time]
        );
        let late = at(179_940);
        assert_eq!(
            plan(&due[1..], CatchUp::Latest, late),
            [Due::Missed(at(86_400)), catch_up(172_800)]
        );
        assert_eq!(plan(&due[2..], CatchUp::None, late), [Due::Missed(at(172_800))]);
        assert_eq!(plan(&[], CatchUp::All, late), []);
    }
}
