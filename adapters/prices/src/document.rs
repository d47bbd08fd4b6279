//! The JSON that both sources read.

use std::fmt;
use std::marker::PhantomData;

use cutover_domain::market::day::Day;
use cutover_domain::market::forecast::DailyBar;
use cutover_ports::market::Quote;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

/// What only an object stands for: by itself serde takes a list for the members in their order, too.
#[derive(Debug, Clone)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// The price of a moment; null if there is none.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PriceDocument {
    price: Option<f64>,
    #[serde(default)]
    fallback: bool,
}

/// Bars, in any order.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BarsDocument {
    bars: Vec<Object<BarDocument>>,
}

/// One bar.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BarDocument {
    /// Only a file may say it; left out it means any.
    pub(crate) symbol: Option<String>,
    #[serde(deserialize_with = "day")]
    date: Day,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
}

impl PriceDocument {
    pub(crate) fn new(price: Option<f64>, fallback: bool) -> Self {
        Self { price, fallback }
    }

    pub(crate) fn quote(&self) -> Option<Quote> {
        self.price.map(|price| Quote {
            price,
            is_fallback: self.fallback,
        })
    }
}

impl BarsDocument {
    pub(crate) fn of(bars: Vec<Object<BarDocument>>) -> Self {
        Self { bars }
    }

    /// Those from one day to another, oldest first.
    pub(crate) fn between(self, from: Day, to: Day) -> Vec<DailyBar> {
        let mut bars: Vec<DailyBar> = self.bars.into_iter().map(|Object(bar)| bar.bar()).collect();
        bars.retain(|bar| from <= bar.day && bar.day <= to);
        bars.sort_by_key(|bar| bar.day);
        bars
    }
}

impl BarDocument {
    fn bar(self) -> DailyBar {
        DailyBar {
            day: self.date,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
        }
    }
}

/// A day of the calendar, as a text.
pub(crate) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Day, D::Error> {
    let text = String::deserialize(deserializer)?;
    Day::parse(&text).map_err(D::Error::custom)
}
