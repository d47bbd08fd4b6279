//! What a person sees while rows move: bars on a terminal, plain lines otherwise. Always on standard error.

use std::io::{IsTerminal, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is being done to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its values are looked at.
    Survey,
    /// Its rows are loaded.
    Load,
    /// Its rows are compared.
    Verify,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Survey => "survey",
            Self::Load => "copy",
            Self::Verify => "verify",
        }
    }
}

/// Told what goes on.
pub trait Progress: Send + Sync {
    /// A table begins. `rows` is its size where that is known, `done` how many of them an earlier run has done.
    fn begin(&self, phase: Phase, table: &str, rows: Option<u64>, done: u64);
    /// More rows, and their bytes.
    fn advance(&self, rows: u64, bytes: u64);
    /// The table is done.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Phase, _: &str, _: Option<u64>, _: u64) {}
    fn advance(&self, _: u64, _: u64) {}
    fn end(&self) {}
}

/// Between two plain lines about one table.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Bars on a terminal, lines otherwise.
#[derive(Debug)]
pub struct Terminal {
    bars: bool,
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    bar: ProgressBar,
    phase: Phase,
    table: String,
    total: Option<u64>,
    rows: u64,
    bytes: u64,
    begun: Instant,
    told: Instant,
}

impl Terminal {
    /// For standard error as it is.
    pub fn new() -> Self {
        Self {
            bars: std::io::stderr().is_terminal(),
            current: Mutex::new(None),
        }
    }

    fn with(&self, change: impl FnOnce(&mut Option<Current>)) {
        change(&mut self.current.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for Terminal {
    fn begin(&self, phase: Phase, table: &str, rows: Option<u64>, done: u64) {
        let bar = if self.bars {
            let template = if rows.is_some() {
                "{prefix:>7} {wide_msg} {bar:24} {human_pos}/{human_len} rows, {per_sec}, {eta} left"
            } else {
                "{prefix:>7} {wide_msg} {human_pos} rows, {per_sec}"
            };
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::with_draw_target(rows, ProgressDrawTarget::stderr()).with_style(style);
            bar.set_prefix(phase.as_str());
            bar.set_message(table.to_owned());
            bar.set_position(done);
            bar.reset_eta();
            bar
        } else {
            ProgressBar::hidden()
        };
        let now = Instant::now();
        let table = table.to_owned();
        self.with(|current| {
            *current = Some(Current {
                bar,
                phase,
                table,
                total: rows,
                rows: done,
                bytes: 0,
                begun: now,
                told: now,
            });
        });
    }

    fn advance(&self, rows: u64, bytes: u64) {
        self.with(|current| {
            let Some(current) = current else { return };
            current.rows += rows;
            current.bytes += bytes;
            current.bar.set_position(current.rows);
            current
                .bar
                .set_message(format!("{} ({})", current.table, HumanBytes(current.bytes)));
            if !self.bars && current.told.elapsed() >= LINE_INTERVAL {
                current.told = Instant::now();
                line(current, "");
            }
        });
    }

    fn end(&self) {
        self.with(|current| {
            let Some(current) = current.take() else { return };
            current.bar.finish_and_clear();
            if current.phase != Phase::Survey && current.rows > 0 {
                line(&current, ", done");
            }
        });
    }
}

fn line(current: &Current, end: &str) {
    let of = current
        .total
        .map(|total| format!(" of {}", HumanCount(total)))
        .unwrap_or_default();
    let text = format!(
        "{} {}: {}{of} rows, {}, {:.1} s{end}",
        current.phase.as_str(),
        current.table,
        HumanCount(current.rows),
        HumanBytes(current.bytes),
        current.begun.elapsed().as_secs_f64()
    );
    // Nobody reads standard error: no reason to stop.
    writeln!(std::io::stderr(), "{text}").unwrap_or_default();
}
