//! `/lab/experiments`.

use axum::Router;

use crate::http::App;

pub(super) fn router() -> Router<App> {
    Router::new()
}
