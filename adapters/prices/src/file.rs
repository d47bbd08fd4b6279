//! Prices from a file.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use cutover_domain::market::Checkpoint;
use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;
use cutover_domain::stored::TextEnum as _;
use cutover_ports::market::{PriceError, PriceSource, Quote};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use tokio::io::AsyncReadExt as _;

use crate::document::{BarDocument, BarsDocument, Object, PriceDocument, day};

/// A day of four prices takes some 300 bytes.
const BYTES_MAX: u64 = 16 << 20;

/// Prices from a JSON file, which is read anew each time: whoever replays days may change it meanwhile.
#[derive(Debug, Clone)]
pub struct FilePrices {
    path: PathBuf,
}

/// The file: prices of moments, and bars. A symbol that is left out means any. An entry that names no moment would never be found,
/// and nobody would know why: such a file cannot be read.
#[derive(Debug, Deserialize)]
struct Document {
    /// Of every entry that names none.
    symbol: Option<String>,
    #[serde(default)]
    prices: Vec<Object<Priced>>,
    #[serde(default)]
    bars: Vec<Object<BarDocument>>,
}

#[derive(Debug, Deserialize)]
struct Priced {
    symbol: Option<String>,
    #[serde(deserialize_with = "day")]
    date: Day,
    #[serde(deserialize_with = "checkpoint")]
    checkpoint: Checkpoint,
    price: Option<f64>,
    #[serde(default)]
    fallback: bool,
}

impl FilePrices {
    /// Prices from this file.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    async fn read(&self) -> Result<Document, PriceError> {
        let place = self.path.display();
        let cannot = |error: std::io::Error| PriceError::Unreachable(format!("{place}: {error}"));
        let found = tokio::fs::metadata(&self.path).await.map_err(cannot)?;
        // Others may never end, or never begin.
        if !found.is_file() || found.len() > BYTES_MAX {
            let bound = BYTES_MAX >> 20;
            return Err(PriceError::Unreadable(format!(
                "{place}: it must be an ordinary file of {bound} MiB at most"
            )));
        }
        let file = tokio::fs::File::open(&self.path).await.map_err(cannot)?;
        let mut text = Vec::new();
        file.take(BYTES_MAX)
            .read_to_end(&mut text)
            .await
            .map_err(cannot)?;
        serde_json::from_slice(&text)
            .map(|Object(document): Object<Document>| document.with_symbols())
            .map_err(|error| PriceError::Unreadable(format!("{place}: {error}")))
    }
}

impl Document {
    /// With the symbol of the whole in every entry that names none.
    fn with_symbols(mut self) -> Self {
        let of_prices = self.prices.iter_mut().map(|Object(price)| &mut price.symbol);
        let of_bars = self.bars.iter_mut().map(|Object(bar)| &mut bar.symbol);
        for symbol in of_prices.chain(of_bars) {
            if symbol.is_none() {
                symbol.clone_from(&self.symbol);
            }
        }
        self
    }
}

/// A moment of the day, by its name.
fn checkpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Checkpoint, D::Error> {
    let name = String::deserialize(deserializer)?;
    Checkpoint::from_text(&name).ok_or_else(|| D::Error::custom(format!("{name:?} is no checkpoint")))
}

fn is_of(symbol: Option<&str>, wanted: &str) -> bool {
    symbol.is_none_or(|symbol| symbol == wanted)
}

#[async_trait]
impl PriceSource for FilePrices {
    async fn price(
        &self,
        symbol: &str,
        checkpoint: Checkpoint,
        day: Day,
    ) -> Result<Option<Quote>, PriceError> {
        let document = self.read().await?;
        let found = document
            .prices
            .iter()
            .map(|Object(priced)| priced)
            .find(|priced| {
                is_of(priced.symbol.as_deref(), symbol)
                    && priced.date == day
                    && priced.checkpoint == checkpoint
            });
        if let Some(found) = found {
            return Ok(PriceDocument::new(found.price, found.fallback).quote());
        }
        // A day's first and last price stand in its bar.
        let bars = bars_of(document, symbol).between(day, day);
        let price = match checkpoint {
            Checkpoint::Open => bars.first().map(|bar| bar.open),
            Checkpoint::Close => bars.first().map(|bar| bar.close),
            _ => None,
        };
        Ok(price.map(|price| Quote {
            price,
            is_fallback: false,
        }))
    }

    async fn bars(&self, symbol: &str, from: Day, to: Day) -> Result<Vec<DailyBar>, PriceError> {
        Ok(bars_of(self.read().await?, symbol).between(from, to))
    }

    fn is_configured(&self) -> bool {
        true
    }
}

fn bars_of(document: Document, symbol: &str) -> BarsDocument {
    let bars = document
        .bars
        .into_iter()
        .filter(|Object(bar)| is_of(bar.symbol.as_deref(), symbol));
    BarsDocument::of(bars.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_symbol_of_the_whole_file_is_that_of_its_entries() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.json");
        let text = r#"{"symbol": "QQQ", "prices": [
                {"date": "2025-08-15", "checkpoint": "noon", "price": 500},
                {"symbol": "SPY", "date": "2025-08-15", "checkpoint": "twoPM", "price": 600}],
            "bars": [{"date": "2025-08-15", "open": 1, "high": 2, "low": 0.5, "close": 1.5}]}"#;
        std::fs::write(&path, text).unwrap();
        let prices = FilePrices::new(&path);
        let (noon, two) = (Checkpoint::Noon, Checkpoint::TwoPm);
        for (symbol, checkpoint, price) in [
            ("SPY", noon, None),
            ("SPY", two, Some(600.0)),
            ("SPY", Checkpoint::Open, None),
            ("QQQ", noon, Some(500.0)),
            ("QQQ", two, None),
            ("QQQ", Checkpoint::Open, Some(1.0)),
        ] {
            let found = prices.price(symbol, checkpoint, of("2025-08-15")).await.unwrap();
            assert_eq!(found.map(|quote| quote.price), price, "{symbol} {checkpoint:?}");
        }
    }

    #[tokio::test]
    async fn what_may_never_end_is_no_file_of_prices() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.json");
        let large = std::fs::File::create(&path).unwrap();
        large.set_len(BYTES_MAX + 1).unwrap();
        for path in [path.as_path(), directory.path(), Path::new("/dev/zero")] {
            let told = FilePrices::new(path)
                .bars("SPY", of("2025-08-15"), of("2025-08-15"))
                .await;
            let told = told.unwrap_err().to_string();
            assert!(told.contains("ordinary file of 16 MiB at most"), "{told}");
        }
    }

    #[tokio::test]
    async fn prices_and_bars_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.json");
        let text = r#"{"prices": [
                {"date": "2025-08-15", "checkpoint": "noon", "price": 582.75, "fallback": true},
                {"symbol": "QQQ", "date": "2025-08-15", "checkpoint": "twoPM", "price": 1},
                {"date": "2025-08-15", "checkpoint": "close", "price": null}],
            "bars": [
                {"date": "2025-08-15", "open": 580.5, "high": 590, "low": 570, "close": 581.9},
                {"date": "2025-08-14", "open": 1, "high": 2, "low": 0.5, "close": 1.5}]}"#;
        std::fs::write(&path, text).unwrap();
        let prices = FilePrices::new(&path);
        let price = async |checkpoint| {
            prices
                .price("SPY", checkpoint, of("2025-08-15"))
                .await
                .unwrap()
                .map(|quote| (quote.price, quote.is_fallback))
        };
        assert_eq!(price(Checkpoint::Noon).await, Some((582.75, true)));
        assert_eq!(price(Checkpoint::Open).await, Some((580.5, false)));
        assert_eq!(
            price(Checkpoint::Close).await,
            None,
            "what is said to be none is none"
        );
        assert_eq!(price(Checkpoint::TwoPm).await, None, "another symbol's");
        assert_eq!(price(Checkpoint::PreMarket).await, None);
        let bars = prices
            .bars("SPY", of("2025-08-01"), of("2025-08-15"))
            .await
            .unwrap();
        let days: Vec<String> = bars.iter().map(|bar| bar.day.to_string()).collect();
        assert_eq!(days, ["2025-08-14", "2025-08-15"]);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_told_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.json");
        let prices = FilePrices::new(&path);
        let ask = || prices.bars("SPY", of("2025-08-01"), of("2025-08-15"));
        assert!(matches!(ask().await, Err(PriceError::Unreachable(text)) if text.contains("prices.json")));
        for text in [
            "{",
            "7",
            "[]",
            r#"{"bars": [{"date": "today", "open": 1, "high": 1, "low": 1, "close": 1}]}"#,
            r#"{"prices": [{"date": "2026-25-25", "checkpoint": "open", "price": 1}]}"#,
            r#"{"prices": [{"date": "2025-08-15", "checkpoint": "midnight", "price": 1}]}"#,
            r#"{"prices": [{"date": "2025-08-15", "checkpoint": "open", "price": "1"}]}"#,
            r#"{"prices": [[null, "2025-08-15", "open", 1, false]]}"#,
            r#"{"bars": [[null, "2025-08-15", 1, 1, 1, 1]]}"#,
        ] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(ask().await, Err(PriceError::Unreadable(_))), "{text}");
        }
    }
}
