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
use super::{legacy_zone, milliseconds, sqlite_file};
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
        frontend_origin: text(settings, "market.frontend_origin", "*"),
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
    let name = settings
        .text("market.timezone")
        .unwrap_or_else(|| "America/Chicago".to_owned());
    let zone = TimeZone::get(&name).unwrap_or_else(|_| {
        settings.mistake(format!("market.timezone: {name:?} is not a time zone"));
        TimeZone::UTC
    });
    let mut closed = Vec::new();
    for text in settings.text("market.closed_days").unwrap_or_default().split(',') {
        match (text.trim(), Day::parse(text.trim())) {
            ("", _) => {}
            (_, Ok(day)) => closed.push(day),
            (text, Err(_)) => settings.mistake(format!(
                "market.closed_days: {text:?} is not a day such as 2025-01-09; separate days by commas"
            )),
        }
    }
    Timetable {
        zone,
        calendar: Calendar::with_closed(closed),
    }
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
