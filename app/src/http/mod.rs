//! The HTTP service: the original services' interfaces beneath `/lab`, and health beside them.

mod docs;
mod error;
mod health;
mod lab;
mod market;
mod openapi;
mod request;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use cutover_ports::clock::{Clock, Ids};
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};
use tracing::{Level, Span};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use market::{JobOverview, JobRunRead, MarketService, job_overview};

use crate::config::ServerConfig;
use crate::wiring::{Databases, Routing};

/// What every handler has at hand.
#[derive(Clone)]
pub struct App {
    /// The repositories, where they run now.
    pub routing: Arc<Routing>,
    /// The databases beneath them, for health.
    pub databases: Databases,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub ids: Arc<dyn Ids>,
    /// The folder of the synths' avatars.
    pub avatars: Arc<Path>,
    /// What the market needs besides its repositories.
    pub market: MarketService,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("databases", &self.databases)
            .finish_non_exhaustive()
    }
}

/// The operations of the service, each with its description. The market's answer pages of this origin; none if it is off.
fn described(market: Option<&str>) -> OpenApiRouter<App> {
    let router = openapi::root()
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .nest("/lab", lab::router());
    match market {
        Some(frontend_origin) => router.nest("/market", market::router(frontend_origin)),
        None => router,
    }
}

/// The service's routes.
pub fn router(app: App, config: &ServerConfig) -> Router {
    let market = app.market.enabled.then_some(app.market.frontend_origin.as_str());
    openapi::describe(described(market))
        .fallback(error::unknown_path)
        .method_not_allowed_fallback(error::unknown_method)
        .with_state(app)
        .layer(DefaultBodyLimit::max(config.body_limit))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            config.request_timeout,
        ))
        .layer(CatchPanicLayer::new())
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(request_span)
                // An outage is no error of this service, and what failed has said more about it before.
                .on_failure(DefaultOnFailure::new().level(Level::WARN)),
        )
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
}

/// A request's span: method, path without its query (which may hold private data), id.
fn request_span(request: &axum::http::Request<axum::body::Body>) -> Span {
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    tracing::info_span!("request", method = %request.method(), path = request.uri().path(), id)
}

/// Serves until `stop` resolves, then lets requests in flight finish for at most `patience`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    patience: Duration,
) -> std::io::Result<()> {
    let stopping = Arc::new(tokio::sync::Notify::new());
    let stopped = Arc::clone(&stopping);
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        tracing::info!("stopping: requests in flight may finish");
        stopped.notify_one();
    });
    let deadline = async {
        stopping.notified().await;
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        result = serving => result,
        () = deadline => {
            tracing::warn!(?patience, "some requests did not finish in time");
            Ok(())
        }
    }
}
