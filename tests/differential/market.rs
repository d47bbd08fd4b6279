//! Calls on the market's repositories.

use cutover_domain::market::Checkpoint;
use cutover_domain::market::ai_prediction::{AiFields, AiPrediction, ScoredFilter};
use cutover_domain::market::baseline_model::{BaselineModel, BaselineModelFields};
use cutover_domain::market::daily_prediction::{DailyPrediction, DayChange, DayFields, DayPrices, PriceLog};
use cutover_domain::market::day::Day;
use cutover_domain::market::job_run::{Job, JobEnd, JobRun, JobStart, Outcome, RowsWritten, Trigger};
use cutover_domain::market::model_performance::{ModelPerformance, PerformanceFigures};
use cutover_domain::stored::{Stored, TextEnum};
use cutover_domain::time::Timestamp;
use cutover_ports::market::{DayOutcome, DayStored, MarketRepositories};

use super::{Errors, Pair};
use crate::random::Random;

/// Both answers to a call. The numbers of rows are each store's own: a refused insert uses some up on PostgreSQL.
macro_rules! both {
    ($pair:ident, $repository:ident . $method:ident ($($argument:expr),*)) => {
        both!($pair, $repository.$method($($argument),*), |answer| answer)
    };
    ($pair:ident, $repository:ident . $method:ident ($($argument:expr),*), $unnumbered:expr) => {{
        let (sqlite, postgres): (MarketRepositories, MarketRepositories) = $pair.market.clone();
        let sqlite = sqlite.$repository.$method($($argument),*).await.map($unnumbered);
        let postgres = postgres.$repository.$method($($argument),*).await.map($unnumbered);
        let call = concat!(stringify!($repository), ".", stringify!($method));
        let call = format!("{call}{:?}", ($(&$argument,)*));
        $pair.compare(&call, &sqlite, &postgres, Errors::Alike);
    }};
}

fn prediction(row: AiPrediction) -> AiPrediction {
    AiPrediction { id: 0, ..row }
}

fn predictions(rows: Vec<AiPrediction>) -> Vec<AiPrediction> {
    rows.into_iter().map(prediction).collect()
}

fn model(row: BaselineModel) -> BaselineModel {
    BaselineModel { id: 0, ..row }
}

fn day_row(row: DailyPrediction) -> DailyPrediction {
    DailyPrediction { id: 0, ..row }
}

fn day_rows(rows: Vec<DailyPrediction>) -> Vec<DailyPrediction> {
    rows.into_iter().map(day_row).collect()
}

fn outcome(outcome: DayOutcome) -> DayOutcome {
    match outcome {
        DayOutcome::Stored(stored) => DayOutcome::Stored(Box::new(DayStored {
            before: stored.before.map(day_row),
            after: day_row(stored.after),
            logs: stored.logs,
        })),
        other => other,
    }
}

fn runs(rows: Vec<JobRun>) -> Vec<JobRun> {
    rows.into_iter().map(|row| JobRun { id: 0, ..row }).collect()
}

fn performance(row: ModelPerformance) -> ModelPerformance {
    ModelPerformance { id: 0, ..row }
}

fn day(random: &mut Random) -> Day {
    let days = [
        "2025-08-11",
        "2025-08-12",
        "2025-08-13",
        "0001-01-01",
        "9999-12-31",
    ];
    Day::parse(random.one_of(&days)).unwrap()
}

/// An instant of a whole second: rows of the market's files hold no parts of one.
fn now(random: &mut Random) -> Timestamp {
    let micros = random.time().as_micros();
    Timestamp::from_micros(micros - micros.rem_euclid(1_000_000)).unwrap()
}

/// Mostly one that can be a price.
fn price(random: &mut Random) -> f64 {
    if random.once_in(12) {
        random.real()
    } else {
        500.0 + f64::from(random.below(20_000)) / 128.0
    }
}

fn opt_price(random: &mut Random) -> Option<Stored<f64>> {
    random.opt(|random| price(random).into())
}

fn opt_bool(random: &mut Random) -> Option<Stored<bool>> {
    random.opt(|random| random.once_in(2).into())
}

fn checkpoint(random: &mut Random) -> Checkpoint {
    random.one_of(Checkpoint::ALL)
}

fn prices(random: &mut Random) -> DayPrices {
    DayPrices {
        open: random.opt(price),
        noon: random.opt(price),
        two_pm: random.opt(price),
        close: random.opt(price),
    }
}

fn log(random: &mut Random) -> PriceLog {
    PriceLog {
        checkpoint: checkpoint(random),
        price: price(random),
    }
}

fn fields(random: &mut Random) -> DayFields {
    DayFields {
        pre_market: opt_price(random),
        pred_low: opt_price(random),
        pred_high: opt_price(random),
        bias: random.opt_text(),
        vol_ctx: random.opt_text(),
        day_type: random.opt_text(),
        key_levels: random.opt_text(),
        notes: random.opt_text(),
        open: opt_price(random),
        noon: opt_price(random),
        two_pm: opt_price(random),
        close: opt_price(random),
        realized_low: opt_price(random),
        realized_high: opt_price(random),
        range_hit: opt_bool(random),
        abs_error_to_close: opt_price(random),
        source: random.opt_text(),
        locked: opt_bool(random),
    }
}

fn change(random: &mut Random) -> DayChange {
    match random.below(8) {
        0 => DayChange::Replace(Box::new(fields(random))),
        1 => DayChange::Record(log(random)),
        2 => DayChange::Capture(log(random)),
        3 => DayChange::Recompute,
        4 => DayChange::FillActuals {
            prices: prices(random),
            force: random.once_in(2),
        },
        5 => DayChange::Official {
            prices: prices(random),
            force: random.once_in(2),
        },
        6 => DayChange::Backfill(prices(random)),
        _ => DayChange::Band {
            low: price(random),
            high: price(random),
        },
    }
}

fn ai_fields(random: &mut Random) -> AiFields {
    AiFields {
        day: day(random).into(),
        checkpoint: checkpoint(random).into(),
        predicted_price: price(random).into(),
        confidence: random.rate().into(),
        reasoning: random.opt_text(),
        market_context: random.opt_text(),
        actual_price: opt_price(random),
        prediction_error: opt_price(random),
        interval_low: opt_price(random),
        interval_high: opt_price(random),
        interval_hit: opt_bool(random),
        source: random.opt_text(),
        model: random.opt_text(),
        prompt_version: random.opt_text(),
    }
}

fn start(random: &mut Random) -> JobStart {
    JobStart {
        job: random.one_of(Job::ALL),
        scheduled_at: random.time(),
        trigger: random.one_of(Trigger::ALL),
        target_day: day(random),
        started_at: random.time(),
        instance: random.text(),
    }
}

fn end(random: &mut Random) -> JobEnd {
    JobEnd {
        ended_at: random.time(),
        outcome: random.one_of(Outcome::ALL),
        error: random.opt_text(),
        price: random.opt(price),
        is_fallback: random.opt(|random| random.once_in(2)),
        rows: RowsWritten {
            daily_predictions: u64::from(random.below(3)),
            price_logs: u64::from(random.below(3)),
            ai_predictions: u64::from(random.below(3)),
        },
    }
}

/// One call, whichever.
pub(crate) async fn any(pair: &mut Pair) {
    match pair.random.below(9) {
        0..4 => days(pair).await,
        4..6 => ai(pair).await,
        6..8 => jobs(pair).await,
        _ => models(pair).await,
    }
}

async fn days(pair: &mut Pair) {
    let random = &mut pair.random;
    let (day, now, limit) = (day(random), now(random), random.below(4));
    match random.below(16) {
        0..8 => {
            let change = change(random);
            both!(pair, daily_predictions.change(day, &change, now), outcome);
        }
        8 => both!(pair, daily_predictions.get(day), |row| row.map(day_row)),
        9 => {
            let offset = u64::from(random.below(3));
            both!(pair, daily_predictions.page(limit, offset), day_rows);
        }
        10 => both!(pair, daily_predictions.up_to(day, limit), day_rows),
        11 => both!(pair, daily_predictions.since(day, limit), day_rows),
        12 => both!(pair, daily_predictions.count_logs_since(day)),
        13 => both!(pair, daily_predictions.logs(day)),
        14 => both!(pair, daily_predictions.delete_after(day)),
        _ => both!(pair, daily_predictions.delete_before(day)),
    }
}

async fn ai(pair: &mut Pair) {
    let random = &mut pair.random;
    let (day, now) = (day(random), now(random));
    match random.below(12) {
        0..5 => {
            let new = random.some(2, ai_fields);
            both!(pair, ai_predictions.insert(&new, now));
        }
        5 => both!(pair, ai_predictions.for_day(day), predictions),
        6..8 => {
            let (prices, force) = (prices(random), random.once_in(2));
            both!(pair, ai_predictions.set_actuals(day, &prices, force, now));
        }
        8 => {
            let filter = ScoredFilter {
                from: random.once_in(3).then_some(day),
                to: random.once_in(3).then_some(day),
                source: random.once_in(3).then(|| random.text()),
                checkpoint: random.once_in(3).then(|| checkpoint(random).as_str().to_owned()),
            };
            both!(pair, ai_predictions.scored(&filter), predictions);
        }
        9 => both!(pair, ai_predictions.delete_after(day)),
        10 => both!(pair, ai_predictions.delete_before(day)),
        _ => {
            both!(pair, ai_predictions.duplicates());
            both!(pair, ai_predictions.remove_duplicates());
        }
    }
}

async fn jobs(pair: &mut Pair) {
    let random = &mut pair.random;
    let (start, before) = (start(random), random.time());
    let job = start.job;
    match random.below(8) {
        0..4 => {
            both!(pair, job_runs.claim(&start, before));
            let end = end(&mut pair.random);
            if pair.random.once_in(2) {
                both!(pair, job_runs.finish(&start, &end));
            }
        }
        4 => {
            let end = end(random);
            both!(pair, job_runs.finish(&start, &end));
        }
        5 => both!(pair, job_runs.latest_scheduled(job, before)),
        6 => both!(pair, job_runs.abandoned(job, before)),
        _ => {
            let (job, limit) = (random.opt(|_| job), random.below(4));
            both!(pair, job_runs.list(job, limit), runs);
        }
    }
}

async fn models(pair: &mut Pair) {
    let random = &mut pair.random;
    let (name, now) = (random.id("mod_"), now(random));
    match random.below(6) {
        0 | 1 => {
            let fields = BaselineModelFields {
                description: random.opt_text(),
                parameters: random.opt_text(),
                is_active: opt_bool(random),
            };
            both!(pair, baseline_models.save(&name, &fields, now), model);
        }
        2 => both!(pair, baseline_models.get(&name), |row| row.map(model)),
        3 => both!(pair, baseline_models.list(), |rows| rows
            .into_iter()
            .map(model)
            .collect::<Vec<_>>()),
        4 => {
            let figures = PerformanceFigures {
                mae: opt_price(random),
                rmse: opt_price(random),
                hit_rate_1dollar: opt_price(random),
                interval_coverage: opt_price(random),
            };
            let day = day(random);
            both!(
                pair,
                model_performance.save(day, &name, &figures, now),
                performance
            );
        }
        _ => {
            let (from, to) = (day(random), day(random));
            let name = random.opt(|_| name);
            history(pair, from, to, name).await;
        }
    }
}

async fn history(pair: &mut Pair, from: Day, to: Day, name: Option<String>) {
    both!(pair, model_performance.history(from, to, name.clone()), |rows| {
        rows.into_iter().map(performance).collect::<Vec<_>>()
    });
}

/// Everything that is stored, at the end.
pub(crate) async fn read_all(pair: &mut Pair) {
    both!(pair, daily_predictions.page(u32::MAX, 0), day_rows);
    both!(pair, job_runs.list(None::<Job>, u32::MAX), runs);
    both!(pair, ai_predictions.scored(&ScoredFilter::default()), predictions);
    both!(pair, baseline_models.list(), |rows| rows
        .into_iter()
        .map(model)
        .collect::<Vec<_>>());
    let ends = ["0001-01-01", "9999-12-31"].map(|day| Day::parse(day).unwrap());
    history(pair, ends[0], ends[1], None).await;
    for day in ["2025-08-11", "2025-08-12", "2025-08-13"].map(|day| Day::parse(day).unwrap()) {
        both!(pair, ai_predictions.for_day(day), predictions);
        both!(pair, daily_predictions.logs(day));
    }
}
