//! The context SPY-tracker: its file, its prices, its jobs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_domain::market::calendar::Calendar;
use cutover_domain::market::day::Day;
use cutover_domain::market::job_run::Timetable;
use cutover_domain::time::LegacyZone;
use jiff::tz::TimeZone;

use super::prices::PriceConfig;
use super::routing::{Backend, MarketRouting, routing_from};
use super::settings::Settings;
use super::{legacy_zone, milliseconds, no_zone, sqlite_file};
use crate::jobs::{CatchUp, JobSettings};

/// The context SPY-tracker.
#[derive(Debug, Clone)]
pub struct MarketConfig {
    /// Whether it is served, migrated and copied.
    pub enabled: bool,
    /// Its SQLite file.
    pub sqlite_path: PathBuf,
    /// The name that its health tells.
    pub app_name: String,
    /// Where its web page comes from, or `*`.
    pub frontend_origin: String,
    /// The symbol that is tracked.
    pub symbol: String,
    /// When jobs are due: the wall clock, and the days on which the market is open.
    pub timetable: Timetable,
    /// Where prices come from.
    pub prices: PriceConfig,
    /// How long a service of prices may take to answer.
    pub prices_timeout: Duration,
    /// How jobs are run.
    pub jobs: JobSettings,
    /// How many days the cleanup keeps; none: all.
    pub retention_days: Option<u32>,
    /// The zone that times without one are meant in.
    pub legacy_zone: LegacyZone,
    /// That zone's name.
    pub legacy_timezone: String,
    /// Which repository runs where.
    pub routing: MarketRouting,
}

pub(super) fn market_from(settings: &mut Settings, sqlite_path: &Path, backend: Backend) -> MarketConfig {
    let (legacy_timezone, legacy_zone) = legacy_zone(settings, "market.legacy_timezone");
    let text = |settings: &mut Settings, key, default: &str| {
        settings.text(key).unwrap_or_else(|| default.to_owned())
    };
    let expected = "the http:// or https:// URL of a service, without a query, or the path of a file";
    let prices = settings
        .parsed("market.prices", expected, PriceConfig::parse)
        .unwrap_or(PriceConfig::None);
    let retention_days = settings
        .is_set("market.jobs_retention_days")
        .then(|| settings.number("market.jobs_retention_days", 1..=36_500, 30));
    // Without prices and with nothing to delete there is nothing to do, and nothing is noted either.
    let has_work = prices != PriceConfig::None || retention_days.is_some();
    MarketConfig {
        enabled: settings.flag("market.enabled", true),
        sqlite_path: sqlite_file(settings, "market.sqlite_path").unwrap_or_else(|| sqlite_path.to_owned()),
        app_name: text(settings, "market.app_name", "SPY TA Tracker"),
        frontend_origin: settings
            .parsed(
                "market.frontend_origin",
                "\"*\" or an origin such as \"https://spy.example\", without a path",
                origin,
            )
            .unwrap_or_else(|| "*".to_owned()),
        symbol: text(settings, "market.symbol", "SPY"),
        timetable: timetable(settings),
        prices,
        prices_timeout: milliseconds(settings, "market.prices_timeout_ms", 10_000),
        jobs: jobs(settings, has_work),
        retention_days,
        legacy_zone,
        legacy_timezone,
        routing: routing_from(settings, backend),
    }
}

fn timetable(settings: &mut Settings) -> Timetable {
    let zone = |name: &str| TimeZone::get(name).map_err(|_| no_zone(name));
    let named = settings.checked("market.timezone", zone);
    let zone = named.or_else(|| zone("America/Chicago").ok());
    let closed = settings.checked("market.closed_days", |text| {
        let days = text.split(',').map(str::trim).filter(|day| !day.is_empty());
        closed_days(days)
    });
    Timetable {
        zone: zone.unwrap_or(TimeZone::UTC),
        calendar: Calendar::with_closed(closed.unwrap_or_default()),
    }
}

fn closed_days<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Day>, String> {
    let (mut days, mut wrong) = (Vec::new(), Vec::new());
    for text in texts {
        match Day::parse(text) {
            Ok(day) => days.push(day),
            Err(_) => wrong.push(format!("{text:?}")),
        }
    }
    if wrong.is_empty() {
        return Ok(days);
    }
    let wrong = wrong.join(" and ");
    Err(format!(
        "has {wrong}, and days are written as 2025-01-09; separate them by commas"
    ))
}

/// An origin as browsers send it, so that it can be equal to theirs; or `*`.
fn origin(text: &str) -> Option<String> {
    let is_origin = text.split_once("://").is_some_and(|(scheme, host)| {
        let is_name = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic());
        is_name(scheme) && is_name(host) && !host.contains(['/', '?', '#', '@', ','])
    });
    (text == "*" || is_origin).then(|| text.to_owned())
}

fn jobs(settings: &mut Settings, has_work: bool) -> JobSettings {
    let default = JobSettings::default();
    let hours = settings.number("market.jobs_catch_up_hours", 0..=8_760, 24);
    JobSettings {
        enabled: settings.flag("market.jobs_enabled", has_work),
        catch_up: settings
            .parsed(
                "market.jobs_catch_up",
                "\"none\", \"latest\" or \"all\"",
                CatchUp::from_name,
            )
            .unwrap_or(default.catch_up),
        catch_up_window: Duration::from_hours(u64::from(hours)),
        timeout: milliseconds(settings, "market.jobs_timeout_ms", 300_000),
    }
}
