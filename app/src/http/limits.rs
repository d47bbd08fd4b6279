//! Bounds on requests: on what all bodies that are being read and answered take together, and on the time of each.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::error::Envelope;
use super::writer::STREAMED;

/// The bytes of all bodies at once. A parsed body takes several times its size.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// A body of at most so many bytes needs no room, so that ordinary requests never wait for those that announce much and send nothing. What
/// they take together is bounded by the number of connections: 32 MiB of 512.
const FREE: usize = 64 * 1024;
/// One permit stands for this many bytes.
const UNIT: usize = 1024;

/// The room for bodies.
#[derive(Debug, Clone)]
pub(super) struct Room {
    permits: Arc<Semaphore>,
    /// What one body may take at most.
    body_limit: usize,
}

impl Room {
    /// Room for several bodies of at most `body_limit` bytes each.
    pub(super) fn new(body_limit: usize) -> Self {
        let units = BYTES_MAX.max(body_limit).div_ceil(UNIT);
        Self {
            permits: Arc::new(Semaphore::new(units)),
            body_limit,
        }
    }

    /// How much room a request needs: what it says, or the most there may be if it does not say. A body that is not kept needs none.
    fn needed(&self, request: &Request) -> u32 {
        if is_streamed(request) {
            return 0;
        }
        let headers = request.headers();
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        let bytes = match length {
            // One that says too much is refused unread.
            Some(length) if length > self.body_limit || length <= FREE => 0,
            Some(length) => length,
            None if headers.contains_key(TRANSFER_ENCODING) => self.body_limit,
            None => 0,
        };
        u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
    }
}

/// Lets a request in once there is room for its body. How long it waits is part of the time that a request may take.
pub(super) async fn wait_for_room(State(room): State<Room>, request: Request, next: Next) -> Response {
    let needed = room.needed(&request);
    let permit = room.permits.acquire_many(needed).await;
    let response = next.run(request).await;
    drop(permit);
    response
}

/// Whether the body goes to the disk as it comes: it may be long, and its client slow.
fn is_streamed(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| STREAMED.contains(&path.as_str()))
}

/// Gives a request up that takes longer than `limit`, the time for its body included. For a body that goes to the disk as it comes, the
/// time counts from the last bytes that came.
pub(super) async fn in_time(State(limit): State<Duration>, request: Request, next: Next) -> Response {
    let envelope = Envelope::of(request.uri().path());
    let limit_ms = limit.as_millis();
    if is_streamed(&request) {
        let answer = while_it_comes(limit, request, next).await;
        return answer.unwrap_or_else(|| {
            envelope.timed_out(format!(
                "The request was given up {limit_ms} ms after its last bytes"
            ))
        });
    }
    let answer = timeout(limit, next.run(request)).await;
    answer.unwrap_or_else(|_| envelope.timed_out(format!("The request was given up after {limit_ms} ms")))
}

/// The answer, unless `limit` passes without another piece of the body; or without the answer, once the body is read.
async fn while_it_comes(limit: Duration, request: Request, next: Next) -> Option<Response> {
    let (came, mut coming) = watch::channel(());
    let request = request.map(|body| {
        let noted = body
            .into_data_stream()
            .inspect(move |_| came.send_modify(|()| ()));
        Body::from_stream(noted)
    });
    let mut answer = pin!(next.run(request));
    loop {
        let more = tokio::select! {
            answer = answer.as_mut() => return Some(answer),
            more = timeout(limit, coming.changed()) => more.ok()?,
        };
        if more.is_err() {
            return timeout(limit, answer).await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, value: &str) -> Request {
        Request::builder()
            .header(name, value)
            .body(Body::empty())
            .unwrap()
    }

    #[test]
    fn a_request_needs_the_room_that_it_says_or_all_that_it_may_take() {
        let room = Room::new(100_000);
        assert_eq!(room.needed(&Request::new(Body::empty())), 0);
        assert_eq!(room.needed(&request("content-length", "65536")), 0);
        assert_eq!(room.needed(&request("content-length", "65537")), 65);
        assert_eq!(room.needed(&request("content-length", "100000")), 98);
        assert_eq!(room.needed(&request("content-length", "100001")), 0);
        assert_eq!(room.needed(&request("transfer-encoding", "chunked")), 98);
        // The largest body that is allowed finds room.
        let huge = Room::new(1 << 30);
        let needed = huge.needed(&request("transfer-encoding", "chunked"));
        assert!(huge.permits.available_permits() >= needed as usize);
    }
}
