//! Reading requests: paths, queries and bodies checked against their schema, every mistake told at once in the form of
//! the original framework (`{type, loc, msg, input, ctx}`).

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value, json};

use super::error::{HttpError, Mistake};
use super::json_mistake;
use super::number::{flag, fraction, integer};

/// What a request's body says: JSON if it is called so, or called nothing by a client that is no browser, else a text, as which no
/// object is read. `null` is no body.
///
/// A page of another origin may send a body of another type without asking first; it must not be able to write.
#[derive(Debug)]
pub(super) struct Body(pub(super) Value);

/// The same where other parts of the request are told of first; that there is no body is for the reader to tell.
#[derive(Debug)]
pub(super) struct BodyAfterAll(pub(super) Option<Value>);

/// The same, if the request has a body.
#[derive(Debug)]
pub(super) struct OptionalBody(pub(super) Option<Value>);

/// The same where `null` is a body, one of the wrong kind: the versions of the original's framework differ in that.
#[derive(Debug)]
pub(super) struct BodyOrNull(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        let body = body_of(request, state).await?;
        let mut mistakes = Mistakes::default();
        let body = needed_body(not_null(body), &mut mistakes);
        mistakes.finish(body).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for BodyOrNull {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        let body = body_of(request, state).await?;
        let mut mistakes = Mistakes::default();
        let body = needed_body(body, &mut mistakes);
        mistakes.finish(body).map(Self)
    }
}

impl<S: Send + Sync> FromRequest<S> for BodyAfterAll {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        body_of(request, state).await.map(not_null).map(Self)
    }
}

/// A body of `null` is none.
fn not_null(body: Option<Value>) -> Option<Value> {
    body.filter(|value| !value.is_null())
}

fn needed_body<T>(body: Option<T>, mistakes: &mut Mistakes) -> Option<T> {
    if body.is_none() {
        mistakes.add("missing", &["body".into()], "Field required", &Value::Null, None);
    }
    body
}

impl<S: Send + Sync> FromRequest<S> for OptionalBody {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        body_of(request, state).await.map(not_null).map(Self)
    }
}

/// What a request's body says; `None` if it is empty.
async fn body_of<S: Send + Sync>(request: Request, state: &S) -> Result<Option<Value>, HttpError> {
    let headers = request.headers();
    let kind = headers.get(CONTENT_TYPE).filter(|kind| !kind.is_empty());
    let is_json = match kind {
        Some(kind) => is_json(&String::from_utf8_lossy(kind.as_bytes())),
        // A browser can be made to send a body without a type, and says for which page.
        None => !headers.contains_key(ORIGIN),
    };
    let bytes = Bytes::from_request(request, state)
        .await
        .map_err(|rejection| unread(rejection.status()))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if is_json {
        return json_of(&bytes).map(Some);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| HttpError::unreadable())?;
    Ok(Some(text.into()))
}

/// A body that cannot be had, in words of ours.
pub(super) fn unread(status: StatusCode) -> HttpError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let text = "The body is larger than this service accepts";
        return HttpError::Detail(status, text.to_owned());
    }
    HttpError::unreadable()
}

/// Whether a content type is `application/json`, or one that ends with `+json`.
fn is_json(kind: &str) -> bool {
    let name = kind.split(';').next().unwrap_or_default().trim();
    let name = name.to_ascii_lowercase();
    name.strip_prefix("application/")
        .is_some_and(|kind| kind == "json" || (kind.ends_with("+json") && !kind.contains('/')))
}

/// The mark that says of a text that it is UTF-8, as some editors put it before every text.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// A body as JSON.
fn json_of(bytes: &[u8]) -> Result<Value, HttpError> {
    let bytes = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|_| HttpError::unreadable())?;
    // What is no JSON is told as such, however much of it there is; reading it without keeping it takes no room.
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| no_json(&error, bytes))?;
    if values(bytes) > VALUES_MAX {
        let text = format!("The body has more than {VALUES_MAX} values");
        return Err(HttpError::Detail(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    serde_json::from_slice(bytes).map_err(|error| no_json(&error, bytes))
}

fn no_json(error: &serde_json::Error, bytes: &[u8]) -> HttpError {
    let told = std::str::from_utf8(bytes).ok().and_then(json_mistake::first);
    // What the original's reader would read has a place and words of this one.
    let (place, reason) = match told {
        Some((place, reason)) => (place, reason.to_owned()),
        None => (place(error, bytes), error.to_string()),
    };
    HttpError::Invalid(vec![mistake(
        "json_invalid",
        &["body".into(), place.into()],
        "JSON decode error",
        &json!({}),
        Some(json!({ "error": reason })),
    )])
}

/// How many bytes stand before the place that an error tells.
fn place(error: &serde_json::Error, bytes: &[u8]) -> usize {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(bytes.len())
}

/// The most values that a body may hold. A parsed value takes many times the room of its two or three bytes.
const VALUES_MAX: usize = 200_000;

/// How many values there are at most in a JSON text: one, and one for each sign that another may follow. Names of members
/// count as well, as they take room too.
fn values(json: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' | b':' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// What stands in a path in place of its names.
async fn named<T: DeserializeOwned + Send, S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
) -> Result<T, HttpError> {
    match Path::from_request_parts(parts, state).await {
        Ok(Path(named)) => Ok(named),
        Err(rejection) => Err(HttpError::Detail(rejection.status(), rejection.body_text())),
    }
}

/// A text in a path.
#[derive(Debug)]
pub(super) struct PathText(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        named(parts, state).await.map(Self)
    }
}

/// A key in a path. No stored key holds U+0000, which PostgreSQL could not even be asked about: a text that nobody stores stands in its
/// place.
#[derive(Debug)]
pub(super) struct Key(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        named(parts, state).await.map(|key: String| Self(askable(&key)))
    }
}

/// Two keys in a path.
#[derive(Debug)]
pub(super) struct Keys(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Keys {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        let (first, second): (String, String) = named(parts, state).await?;
        Ok(Self(askable(&first), askable(&second)))
    }
}

/// What stands for U+0000 in a text that stores are asked about. Nobody can know it, so no row has it.
static NUL: LazyLock<String> =
    LazyLock::new(|| format!("\u{FFFF}{:016x}", RandomState::new().hash_one("U+0000")));

/// A text that every store can be asked about.
fn askable(text: &str) -> String {
    text.replace('\0', &NUL)
}

/// The text as it was before it became askable.
pub(super) fn as_asked(text: &str) -> String {
    text.replace(NUL.as_str(), "\0")
}

/// The same for the texts in a value.
pub(super) fn value_as_asked(value: &Value) -> Value {
    match value {
        Value::String(text) => as_asked(text).into(),
        Value::Array(items) => items.iter().map(value_as_asked).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), value_as_asked(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A request's query parameters; of a repeated one, the last.
#[derive(Debug)]
pub(super) struct Parameters(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| HttpError::Detail(rejection.status(), rejection.body_text()))?;
        Ok(Self(pairs.into_iter().collect()))
    }
}

impl Parameters {
    /// Whether a parameter is this text, or missing.
    pub(super) fn is_or_missing(&self, name: &str, text: &str) -> bool {
        self.text(name).is_none_or(|found| found == text)
    }

    /// The text of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text that rows must have. As in `Key`, one with U+0000 names nothing: a text that nobody stores stands in its place.
    pub(super) fn wanted(&self, name: &str) -> Option<String> {
        self.text(name).map(askable)
    }

    /// A whole number in a range.
    pub(super) fn integer(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
        default: i64,
        mistakes: &mut Mistakes,
    ) -> i64 {
        let read = |text: &str| integer(&text.into(), &["query".into(), name.into()], range, mistakes);
        self.text(name).and_then(read).unwrap_or(default)
    }

    /// A truth value.
    pub(super) fn flag(&self, name: &str, default: bool, mistakes: &mut Mistakes) -> bool {
        let read = |text: &str| flag(&text.into(), &["query".into(), name.into()], mistakes);
        self.text(name).and_then(read).unwrap_or(default)
    }

    /// A number from 0 to 1.
    pub(super) fn fraction(&self, name: &str, default: f64, mistakes: &mut Mistakes) -> f64 {
        let read = |text: &str| fraction(&text.into(), &["query".into(), name.into()], mistakes);
        self.text(name).and_then(read).unwrap_or(default)
    }
}

/// The most mistakes that are told of one request.
const MISTAKES_MAX: usize = 100;

/// The most parts and bytes of an input that are repeated to its sender.
pub(super) const INPUT_MAX: usize = 10_000;

/// The mistakes found so far in one request.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// What was read, unless there are any.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, HttpError> {
        // Nothing is read only where a mistake says why.
        read.filter(|_| self.0.is_empty())
            .ok_or(HttpError::Invalid(self.0))
    }

    pub(super) fn add(
        &mut self,
        kind: &str,
        at: &[Value],
        message: &str,
        input: &Value,
        context: Option<Value>,
    ) {
        // A body of nothing but mistakes must not become an answer many times its size.
        if self.0.len() < MISTAKES_MAX {
            self.0.push(mistake(kind, at, message, input, context));
        }
    }
}

impl From<Mistakes> for HttpError {
    fn from(mistakes: Mistakes) -> Self {
        Self::Invalid(mistakes.0)
    }
}

fn mistake(kind: &str, at: &[Value], message: &str, input: &Value, ctx: Option<Value>) -> Mistake {
    Mistake {
        kind: kind.to_owned(),
        loc: at.to_vec(),
        msg: message.to_owned(),
        input: if size(input, INPUT_MAX) <= INPUT_MAX {
            value_as_asked(input)
        } else {
            "(too large to repeat)".into()
        },
        ctx,
    }
}

/// About how large a value is; counting ends beyond `enough`.
fn size(value: &Value, enough: usize) -> usize {
    let sum = |sizes: &mut dyn Iterator<Item = &Value>, keys: usize| {
        let mut total = 1 + keys;
        for value in sizes {
            if total > enough {
                break;
            }
            total += size(value, enough - total);
        }
        total
    };
    match value {
        Value::String(text) => 1 + text.len(),
        Value::Array(items) => sum(&mut items.iter(), 0),
        Value::Object(members) => sum(&mut members.values(), members.keys().map(String::len).sum()),
        Value::Number(number) => number.as_str().len(),
        _ => 1,
    }
}

/// An object of a body and where it stands in it.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    whole: &'a Value,
    at: Vec<Value>,
}

/// The lengths a text may have, in code points.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Length {
    /// At least.
    pub(super) min: Option<usize>,
    /// At most.
    pub(super) max: Option<usize>,
}

impl Length {
    pub(super) fn at_most(max: usize) -> Self {
        Self {
            min: None,
            max: Some(max),
        }
    }

    pub(super) fn at_least(min: usize) -> Self {
        Self {
            min: Some(min),
            max: None,
        }
    }
}

impl<'a> Fields<'a> {
    /// The body as an object.
    pub(super) fn of_body(body: &'a Value, mistakes: &mut Mistakes) -> Option<Self> {
        Self::of(body, vec!["body".into()], mistakes)
    }

    /// A body that must be there as an object.
    pub(super) fn of_needed_body(body: &'a BodyAfterAll, mistakes: &mut Mistakes) -> Option<Self> {
        needed_body(body.0.as_ref(), mistakes).and_then(|body| Self::of_body(body, mistakes))
    }

    /// `value`, which stands at `at`, as an object.
    pub(super) fn of(value: &'a Value, at: Vec<Value>, mistakes: &mut Mistakes) -> Option<Self> {
        let Some(object) = value.as_object() else {
            let message = "Input should be a valid dictionary or object to extract fields from";
            mistakes.add("model_attributes_type", &at, message, value, None);
            return None;
        };
        Some(Self {
            object,
            whole: value,
            at,
        })
    }

    /// Where the field `name` stands.
    pub(super) fn at(&self, name: &str) -> Vec<Value> {
        let mut at = self.at.clone();
        at.push(name.into());
        at
    }

    /// Whether the field is there, null or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// A field that is there and not null.
    pub(super) fn present(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A field that must be there; null counts as there.
    pub(super) fn required(&self, name: &str, mistakes: &mut Mistakes) -> Option<&'a Value> {
        let value = self.object.get(name);
        if value.is_none() {
            mistakes.add("missing", &self.at(name), "Field required", self.whole, None);
        }
        value
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str, length: Length, mistakes: &mut Mistakes) -> Option<String> {
        let value = self.required(name, mistakes)?;
        text(value, &self.at(name), length, mistakes)
    }

    /// A text that may be missing or null.
    pub(super) fn optional_text(
        &self,
        name: &str,
        length: Length,
        mistakes: &mut Mistakes,
    ) -> Option<String> {
        text(self.present(name)?, &self.at(name), length, mistakes)
    }

    /// A list of texts; empty when missing.
    pub(super) fn texts(&self, name: &str, mistakes: &mut Mistakes) -> Vec<String> {
        let Some(value) = self.object.get(name) else {
            return Vec::new();
        };
        let at = self.at(name);
        let Some(items) = value.as_array() else {
            mistakes.add("list_type", &at, "Input should be a valid list", value, None);
            return Vec::new();
        };
        let place = |index: usize| at.iter().cloned().chain([index.into()]).collect::<Vec<_>>();
        items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| text(item, &place(index), Length::default(), mistakes))
            .collect()
    }

    /// A whole number in a range; `default` if it is missing.
    pub(super) fn integer(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
        default: i64,
        mistakes: &mut Mistakes,
    ) -> Option<i64> {
        let Some(value) = self.object.get(name) else {
            return Some(default);
        };
        integer(value, &self.at(name), range, mistakes)
    }

    /// A whole number that may be missing or null.
    pub(super) fn optional_integer(&self, name: &str, mistakes: &mut Mistakes) -> Option<i64> {
        integer(self.present(name)?, &self.at(name), i64::MIN..=i64::MAX, mistakes)
    }

    /// A number from 0 to 1 that must be there.
    pub(super) fn fraction(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        let value = self.required(name, mistakes)?;
        fraction(value, &self.at(name), mistakes)
    }

    /// A number from 0 to 1 that may be missing or null.
    pub(super) fn optional_fraction(&self, name: &str, mistakes: &mut Mistakes) -> Option<f64> {
        fraction(self.present(name)?, &self.at(name), mistakes)
    }
}

fn text(value: &Value, at: &[Value], length: Length, mistakes: &mut Mistakes) -> Option<String> {
    let Some(text) = value.as_str() else {
        mistakes.add("string_type", at, "Input should be a valid string", value, None);
        return None;
    };
    if text.contains('\0') {
        let message = "Value error, text must not contain the character U+0000";
        mistakes.add("value_error", at, message, value, None);
    }
    let characters = text.chars().count();
    if let Some(min) = length.min.filter(|min| characters < *min) {
        let message = format!("String should have at least {min} character{}", plural(min));
        mistakes.add(
            "string_too_short",
            at,
            &message,
            value,
            Some(json!({ "min_length": min })),
        );
    }
    if let Some(max) = length.max.filter(|max| characters > *max) {
        let message = format!("String should have at most {max} character{}", plural(max));
        mistakes.add(
            "string_too_long",
            at,
            &message,
            value,
            Some(json!({ "max_length": max })),
        );
    }
    Some(text.to_owned())
}

/// A text of a pattern, which `fits` knows.
pub(super) fn text_of_pattern(
    value: &Value,
    at: &[Value],
    pattern: &str,
    fits: impl Fn(&str) -> bool,
    mistakes: &mut Mistakes,
) -> Option<String> {
    let Some(text) = value.as_str() else {
        mistakes.add("string_type", at, "Input should be a valid string", value, None);
        return None;
    };
    if !fits(text) {
        let message = format!("String should match pattern '{pattern}'");
        let context = Some(json!({ "pattern": pattern }));
        mistakes.add("string_pattern_mismatch", at, &message, value, context);
        return None;
    }
    Some(text.to_owned())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_its_type_says() {
        for json in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "  application/json ;",
            "application/vnd.api+json",
            "application/+json",
        ] {
            assert!(is_json(json), "{json}");
        }
        for other in [
            "text/plain",
            "text/json",
            "application/jsonx",
            "application/ json",
            "application/x+json+y",
            "application/a/b+json",
            "application",
            "json",
            "/",
        ] {
            assert!(!is_json(other), "{other}");
        }
    }
}
