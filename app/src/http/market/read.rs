//! Values of requests as the original's framework reads them: numbers and truth values in several spellings, days also as
//! instants at midnight.

use axum::extract::{FromRequest, Request};
use cutover_domain::market::day::Day;
use serde_json::Value;

use super::date::day;
use super::error::MarketHttpError;
use crate::http::number::{finite, flag};
use crate::http::request::{Body, BodyAfterAll, Fields, Mistakes, Parameters};

/// What a request's body says; one that cannot be had is refused in the market's form.
#[derive(Debug)]
pub(super) struct MarketBody(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for MarketBody {
    type Rejection = MarketHttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MarketHttpError> {
        Ok(Self(Body::from_request(request, state).await?.0))
    }
}

/// The same where the path is told of first.
#[derive(Debug)]
pub(super) struct MarketBodyAfterPath(pub(super) BodyAfterAll);

impl<S: Send + Sync> FromRequest<S> for MarketBodyAfterPath {
    type Rejection = MarketHttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, MarketHttpError> {
        Ok(Self(BodyAfterAll::from_request(request, state).await?))
    }
}

/// A number as every store keeps it: SQLite has no zero below zero.
fn to_store(number: Option<f64>) -> Option<f64> {
    number.map(|number| number + 0.0)
}

/// A day in a path.
pub(super) fn path_day(name: &str, text: &str, mistakes: &mut Mistakes) -> Option<Day> {
    day(&text.into(), &["path".into(), name.into()], mistakes)
}

/// Values of a body.
pub(super) trait BodyValues {
    /// A number that may be missing or null.
    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A number that must be there.
    fn number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A truth value that may be missing or null.
    fn optional_flag(&self, name: &str, mistakes: &mut Mistakes) -> Option<bool>;
    /// A day that must be there.
    fn day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day>;
}

impl BodyValues for Fields<'_> {
    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        to_store(finite(self.present(name)?, &self.at(name), mistakes))
    }

    fn number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        to_store(finite(self.required(name, mistakes)?, &self.at(name), mistakes))
    }

    fn optional_flag(&self, name: &str, mistakes: &mut Mistakes) -> Option<bool> {
        flag(self.present(name)?, &self.at(name), mistakes)
    }

    fn day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day> {
        day(self.required(name, mistakes)?, &self.at(name), mistakes)
    }
}

/// Values of a query.
pub(super) trait QueryValues {
    /// A whole number.
    fn whole(&self, name: &'static str, default: i64, mistakes: &mut Mistakes) -> i64;
    /// A number that must be there.
    fn needed_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A number that may be missing.
    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64>;
    /// A day that may be missing.
    fn optional_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day>;
    /// A day that must be there.
    fn needed_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day>;
    /// A text that must be there.
    fn needed_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<String>;
}

fn in_query(name: &str) -> [Value; 2] {
    ["query".into(), name.into()]
}

/// The text of a parameter that must be there.
fn needed<'a>(parameters: &'a Parameters, name: &str, mistakes: &mut Mistakes) -> Option<&'a str> {
    let text = parameters.text(name);
    if text.is_none() {
        mistakes.add("missing", &in_query(name), "Field required", &Value::Null, None);
    }
    text
}

impl QueryValues for Parameters {
    fn whole(&self, name: &'static str, default: i64, mistakes: &mut Mistakes) -> i64 {
        self.integer(name, i64::MIN..=i64::MAX, default, mistakes)
    }

    fn needed_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        finite(&needed(self, name, mistakes)?.into(), &in_query(name), mistakes)
    }

    fn optional_number(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        finite(&self.text(name)?.into(), &in_query(name), mistakes)
    }

    fn optional_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day> {
        day(&self.text(name)?.into(), &in_query(name), mistakes)
    }

    fn needed_day(&self, name: &str, mistakes: &mut Mistakes) -> Option<Day> {
        day(&needed(self, name, mistakes)?.into(), &in_query(name), mistakes)
    }

    fn needed_text(&self, name: &str, mistakes: &mut Mistakes) -> Option<String> {
        needed(self, name, mistakes).map(str::to_owned)
    }
}
