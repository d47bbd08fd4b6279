//! The HTTP service: the original services' interfaces beneath `/lab`, `/writer` and `/market`, and health beside them.

mod client;
mod cross_origin;
mod docs;
mod error;
mod health;
mod integrity;
mod job_status;
mod json;
mod json_mistake;
mod json_writer;
mod lab;
mod limits;
mod market;
mod metrics;
mod number;
mod openapi;
mod ops;
mod page;
mod paths;
mod request;
mod schema;
mod serve;
mod writer;

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use cutover_domain::time::Timestamp;
use cutover_ports::clock::{Clock, Ids};
use tower::util::MapRequestLayer;
use tower::{Layer as _, ServiceBuilder};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::field::Empty;
use tracing::{Level, Span};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::cross_origin::{Origins, cross_origin};
use self::error::catch_panics;
use self::limits::{Most, Room, admit, in_time};
pub use self::market::MarketService;
use self::paths::Words;
pub use self::serve::serve;
pub use self::writer::keep_tidy;
use crate::config::{Config, OpsConfig};
use crate::integrity::Examinations;
use crate::observe::{Metrics, REQUEST_SPAN, RecentErrors};
use crate::readiness::Readiness;
use crate::verification::Verification;
use crate::wiring::{Databases, Routing};

/// What every handler has at hand. Cloning shares it, which happens for every request.
#[derive(Clone)]
pub struct App(Arc<AppParts>);

/// What [`App`] consists of.
pub struct AppParts {
    /// The repositories, where they run now.
    pub routing: Arc<Routing>,
    /// The databases beneath them, for health.
    pub databases: Databases,
    /// What is shown of the service itself.
    pub observed: Observed,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn Ids>,
    /// The folder of the synths' avatars.
    pub avatars: Arc<Path>,
    /// What the market needs besides its repositories.
    pub market: MarketService,
    /// The folder of the writer's uploaded files.
    pub uploads: Arc<Path>,
    /// The largest file that can be uploaded, in bytes.
    pub upload_limit: usize,
    /// The contexts that are served.
    pub contexts: Arc<[&'static str]>,
}

/// What is shown of the service itself.
#[derive(Debug, Clone)]
pub struct Observed {
    /// What was measured.
    pub metrics: Metrics,
    /// The errors of late.
    pub recent: RecentErrors,
    /// Whether it can do its work.
    pub readiness: Readiness,
    /// Whether what the databases hold holds together.
    pub examinations: Examinations,
    /// The verification on demand.
    pub verification: Verification,
    /// The configuration that it runs with.
    pub config: Arc<Config>,
    /// When it was started.
    pub started: Timestamp,
}

impl App {
    /// Of these parts.
    pub fn new(parts: AppParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = AppParts;

    fn deref(&self) -> &AppParts {
        &self.0
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for AppParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("databases", &self.databases)
            .finish_non_exhaustive()
    }
}

/// The operations of the service with these contexts, each with its description.
fn described(contexts: &[&str], ops: &OpsConfig) -> OpenApiRouter<App> {
    let mut router = openapi::root()
        .routes(routes!(page::page))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
        .routes(routes!(integrity::integrity))
        .nest("/ops", ops::router(ops));
    for (name, context, root) in [
        ("lab", lab::router(), Some(lab::root())),
        ("writer", writer::router(), Some(writer::root())),
        ("market", market::router(), None),
    ] {
        if contexts.contains(&name) {
            router = router.nest(&format!("/{name}"), context);
            if let Some(root) = root {
                // A nested `/` has no slash at its end, but a client that puts its path behind a base address sends one.
                router = router.route(&format!("/{name}/"), root);
            }
        }
    }
    router
}

/// The service's routes.
pub fn router(app: App) -> Router {
    let config = app.observed.config.server.clone();
    let described = described(&app.contexts, &app.observed.config.ops);
    let bounds = Bounds {
        origins: Origins::new(&app.market.frontend_origin),
        timeout: config.request_timeout,
        room: Room::new(Most {
            connections: config.connections_max,
            body: config.body_limit,
            upload: app.upload_limit,
        }),
    };
    let words = Words::of(described.get_openapi());
    let routes = openapi::describe(described)
        .fallback(error::unknown_path)
        .method_not_allowed_fallback(error::unknown_method)
        .with_state(app)
        .layer(
            // As one layer: each more is made anew for every request, with all that is beneath it.
            ServiceBuilder::new()
                .layer(MapRequestLayer::new(without_unusable_id))
                .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                .layer(
                    TraceLayer::new_for_http()
                        .make_span_with(request_span)
                        // An outage is no error of this service, and what failed has said more about it before.
                        .on_failure(DefaultOnFailure::new().level(Level::WARN)),
                )
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(from_fn_with_state(Arc::new(bounds), within_bounds))
                .layer(DefaultBodyLimit::max(config.body_limit)),
        );
    // A layer of the routes would come after the choice of one.
    let led = MapRequestLayer::new(move |request: Request| words.lead(request));
    Router::new().fallback_service(led.layer(routes))
}

/// What bounds every request.
#[derive(Debug)]
struct Bounds {
    origins: Origins,
    timeout: Duration,
    room: Room,
}

/// Answers a request within its bounds, whatever becomes of it.
async fn within_bounds(State(bounds): State<Arc<Bounds>>, request: Request, next: Next) -> Response {
    let timed = |request| {
        let of_work = Arc::clone(&bounds);
        let admitted = |request| async move { admit(&of_work.room, request, next).await };
        in_time(bounds.timeout, request, |request| catch_panics(request, admitted))
    };
    let shared = |request| cross_origin(&bounds.origins, request, timed);
    metrics::measure(request, shared).await
}

/// The name of the header with a request's id.
const REQUEST_ID: &str = "x-request-id";
/// The longest id that a client may give its request, in bytes: it is logged, kept and sent back.
const REQUEST_ID_MAX: usize = 128;

/// The request without the id that its client gave it, unless that is a short word: then it gets one of ours.
fn without_unusable_id(mut request: Request) -> Request {
    let is_usable =
        |id: &[u8]| (1..=REQUEST_ID_MAX).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    let id = request.headers().get(REQUEST_ID);
    if id.is_some_and(|id| !is_usable(id.as_bytes())) {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// A request's span: method, path without its query (which may hold private data), id, route.
fn request_span(request: &Request) -> Span {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    tracing::info_span!(
        REQUEST_SPAN,
        method = %request.method(),
        path = request.uri().path(),
        id = header(REQUEST_ID),
        traceparent = header("traceparent"),
        route = paths::route(request),
        status = Empty,
    )
}
