//! What a person sees while rows move: bars on a terminal, plain lines otherwise. Always on standard error.

use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanFloatCount, MultiProgress, ProgressBar, ProgressStyle};

use crate::printable::one_line;

/// What is being done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its values are looked at.
    Survey,
    /// Its rows are loaded.
    Load,
    /// Its keys, indexes and constraints are made.
    Build,
    /// Its rows are compared.
    Verify,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Load => "copy",
            Self::Build => "build",
            Self::Verify => "verify",
        }
    }
}

/// Told what goes on.
pub trait Progress: Send + Sync {
    /// Work on a table begins. `rows` is its size where that is known (of [`Phase::Build`]: the steps), `done` how many of them an earlier
    /// run has done. The work ends when what is returned is dropped.
    fn begin(&self, phase: Phase, table: &str, rows: Option<u64>, done: u64) -> Box<dyn Work>;
}

/// Work under way.
pub trait Work: Send + Sync {
    /// More rows, and their bytes.
    fn advance(&self, rows: u64, bytes: u64);
}

/// Tells nobody.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Phase, _: &str, _: Option<u64>, _: u64) -> Box<dyn Work> {
        Box::new(Self)
    }
}

impl Work for Silent {
    fn advance(&self, _: u64, _: u64) {}
}

/// Between two plain lines about one table.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Bars on a terminal, lines otherwise.
#[derive(Debug)]
pub struct Terminal {
    bars: Option<MultiProgress>,
}

impl Terminal {
    /// For standard error as it is.
    pub fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal().then(MultiProgress::new),
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Terminal {
    fn begin(&self, phase: Phase, table: &str, rows: Option<u64>, done: u64) -> Box<dyn Work> {
        let table = one_line(table);
        let bar = self.bars.as_ref().map(|bars| {
            let template = match (phase, rows) {
                (Phase::Build, _) => "{prefix:>7} {wide_msg} {bar:24} {human_pos}/{human_len}",
                (_, Some(_)) => {
                    "{prefix:>7} {wide_msg} {bar:24} {human_pos}/{human_len} rows, {per_sec}, {eta} left"
                }
                (_, None) => "{prefix:>7} {wide_msg} {human_pos} rows, {per_sec}",
            };
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = bars.add(ProgressBar::new(rows.unwrap_or(0)).with_style(style));
            bar.set_prefix(phase.as_str());
            bar.set_message(table.clone());
            bar.set_position(done);
            bar.reset_eta();
            bar
        });
        let now = Instant::now();
        Box::new(Shown {
            bar,
            phase,
            table,
            total: rows,
            begun: now,
            so_far: Mutex::new(SoFar {
                rows: done,
                bytes: 0,
                told: now,
            }),
        })
    }
}

/// A bar, or what is told in lines.
#[derive(Debug)]
struct Shown {
    bar: Option<ProgressBar>,
    phase: Phase,
    table: String,
    total: Option<u64>,
    begun: Instant,
    so_far: Mutex<SoFar>,
}

#[derive(Debug, Clone, Copy)]
struct SoFar {
    rows: u64,
    bytes: u64,
    told: Instant,
}

impl Work for Shown {
    fn advance(&self, rows: u64, bytes: u64) {
        let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        so_far.rows += rows;
        so_far.bytes += bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(so_far.rows);
            if so_far.bytes > 0 {
                let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
                let rate = HumanFloatCount(so_far.bytes as f64 / seconds / 1e6);
                bar.set_message(format!(
                    "{} ({}, {rate} MB/s)",
                    self.table,
                    HumanBytes(so_far.bytes)
                ));
            }
        } else if so_far.told.elapsed() >= LINE_INTERVAL {
            so_far.told = Instant::now();
            self.line(*so_far, "");
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let so_far = *self.so_far.get_mut().unwrap_or_else(PoisonError::into_inner);
        if matches!(self.phase, Phase::Load | Phase::Verify) && so_far.rows > 0 {
            let whole = self.total.is_none_or(|total| so_far.rows >= total);
            self.line(so_far, if whole { ", done" } else { ", broken off" });
        }
    }
}

impl Shown {
    fn line(&self, so_far: SoFar, end: &str) {
        let of = self
            .total
            .map(|total| format!(" of {}", HumanCount(total)))
            .unwrap_or_default();
        let what = match self.phase {
            Phase::Build => "steps".to_owned(),
            Phase::Survey | Phase::Load | Phase::Verify => format!("rows, {}", HumanBytes(so_far.bytes)),
        };
        let text = format!(
            "{} {}: {}{of} {what}, {:.1} s{end}",
            self.phase.as_str(),
            self.table,
            HumanCount(so_far.rows),
            self.begun.elapsed().as_secs_f64()
        );
        // Nobody reads standard error: no reason to stop.
        writeln!(std::io::stderr(), "{text}").unwrap_or_default();
    }
}
