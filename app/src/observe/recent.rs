//! The warnings and errors of late, for the status page.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use cutover_domain::time::Timestamp;
use cutover_ports::clock::Clock;
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::REQUEST_SPAN;
use super::fields::Fields;

/// So many are kept; an outage under load must not push out everything that led to it, nor fill the memory.
const KEPT: usize = 50;
/// So much of each is kept, in characters.
const LENGTH: usize = 500;

/// The last warnings and errors that were logged. Cloning shares them.
#[derive(Clone)]
pub struct RecentErrors {
    entries: Arc<Mutex<VecDeque<RecentError>>>,
    clock: Arc<dyn Clock>,
}

/// A warning or an error; the same one many times over is one with a count.
#[derive(Debug, Clone)]
pub struct RecentError {
    /// When it was last logged.
    pub at: Timestamp,
    /// Whether it is an error, rather than a warning.
    pub is_error: bool,
    /// What was logged: the message and its fields.
    pub text: String,
    /// The request it happened in: method and path.
    pub request: Option<String>,
    /// That request's id.
    pub request_id: Option<String>,
    /// How often it was logged.
    pub times: u64,
}

impl std::fmt::Debug for RecentErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecentErrors").finish_non_exhaustive()
    }
}

impl RecentErrors {
    /// None yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: Arc::default(),
            clock,
        }
    }

    /// The newest first.
    pub fn list(&self) -> Vec<RecentError> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.iter().rev().cloned().collect()
    }

    fn add(&self, mut new: RecentError) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |old: &RecentError| old.text == new.text && old.is_error == new.is_error;
        if let Some(old) = entries.iter().position(same).and_then(|at| entries.remove(at)) {
            new.times += old.times;
        } else if entries.len() == KEPT {
            entries.pop_front();
        }
        entries.push_back(new);
    }

    /// What this layer wants to see: warnings, errors, and the requests they happen in.
    pub fn wants(metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() {
            metadata.name() == REQUEST_SPAN
        } else {
            *metadata.level() <= Level::WARN
        }
    }
}

/// A request's span, as this layer remembers it.
struct Request(Fields);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RecentErrors {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(Request(fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut text = fields.get("message").unwrap_or_default().to_owned();
        for (name, value) in fields.named() {
            // Writing to a string cannot fail.
            write!(text, " {name}={value}").unwrap_or_default();
        }
        if let Some((end, _)) = text.char_indices().nth(LENGTH) {
            text.truncate(end);
            text.push('…');
        }
        let mut new = RecentError {
            at: self.clock.now(),
            is_error: *event.metadata().level() == Level::ERROR,
            text,
            request: None,
            request_id: None,
            times: 1,
        };
        let request = context.event_scope(event).into_iter().flatten().find_map(|span| {
            let extensions = span.extensions();
            extensions.get::<Request>().map(|request| request.0.clone())
        });
        if let Some(request) = request {
            let field = |name| request.get(name).unwrap_or_default();
            new.request = Some(format!("{} {}", field("method"), field("path")));
            new.request_id = request.get("id").map(str::to_owned);
        }
        self.add(new);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::wiring::SystemClock;

    fn recorded(log: impl FnOnce()) -> Vec<RecentError> {
        let errors = RecentErrors::new(Arc::new(SystemClock));
        let layer = errors.clone().with_filter(filter_fn(RecentErrors::wants));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        errors.list()
    }

    #[test]
    fn warnings_and_errors_are_kept_with_their_request_and_nothing_else_is() {
        let list = recorded(|| {
            tracing::info!("all is well");
            let span = tracing::info_span!("request", method = "GET", path = "/a", id = "r1");
            span.in_scope(|| tracing::warn!(category = "unavailable", "the store did not answer"));
            tracing::error!("alone");
        });
        assert_eq!(list.len(), 2, "{list:?}");
        assert_eq!(list[0].text, "alone");
        assert!(list[0].is_error && list[0].request.is_none());
        assert_eq!(list[1].text, "the store did not answer category=unavailable");
        assert_eq!(list[1].request.as_deref(), Some("GET /a"));
        assert_eq!(list[1].request_id.as_deref(), Some("r1"));
        assert!(!list[1].is_error);
    }

    #[test]
    fn the_same_again_is_counted_and_old_ones_go() {
        let list = recorded(|| {
            for number in 0..60 {
                tracing::warn!(number, "one of many");
            }
            for _ in 0..3 {
                tracing::warn!(number = 58, "one of many");
                tracing::warn!("{}", "é".repeat(1000));
            }
        });
        assert_eq!(list.len(), KEPT);
        assert_eq!(list[0].times, 3);
        assert_eq!(list[0].text.chars().count(), LENGTH + 1);
        assert_eq!(
            (list[1].text.as_str(), list[1].times),
            ("one of many number=58", 4)
        );
        assert_eq!(list[2].text, "one of many number=59");
    }
}
