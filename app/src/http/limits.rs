//! Bounds on requests: on what all bodies that are being read and all answers that are being sent take together, on the uploads at once, and
//! on the time of each.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Method, StatusCode, Version, request, response};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use super::client::at_pace;
use super::error::{Envelope, HttpError};
use super::lab::SEARCH;
use super::paths::route;
use super::request::unread;
use super::writer::{STREAMED, upload_max};
use crate::observe::metrics::answered_early;

/// The bytes of all bodies at once, and those of all answers. A parsed body takes several times its size.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// A body or an answer of at most so many bytes needs no room, nor does the beginning of a longer body, so that ordinary requests never wait for
/// those that announce much and send nothing, or ask for much and take nothing. What they take together is bounded by the number of
/// connections: 32 MiB of 512.
const FREE: usize = 64 * 1024;
/// So many answers of a route are made at once: what they consist of has no room yet. More would wait for the databases as well.
const ANSWERS_AT_ONCE: usize = 16;
/// So many pieces of answers that are sent piece by piece: they are large.
const PIECES_AT_ONCE: usize = 4;
/// One permit stands for this many bytes.
const UNIT: usize = 1024;

/// What there may be at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Most {
    /// Connections.
    pub(super) connections: usize,
    /// Bytes of a body.
    pub(super) body: usize,
    /// Bytes of an uploaded file.
    pub(super) upload: usize,
}

/// The room for requests.
#[derive(Debug)]
pub(super) struct Room {
    bodies: Semaphore,
    answers: Answers,
    /// The turns of each route: where a database holds one up, the others go on.
    turns: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// One for each upload that there may be: half of the connections, so that others get in however long uploads take.
    uploads: Semaphore,
    most: Most,
}

impl Room {
    /// Room for several of the largest bodies.
    pub(super) fn new(most: Most) -> Self {
        Self {
            bodies: Semaphore::new(BYTES_MAX.max(most.body).div_ceil(UNIT)),
            answers: Answers {
                room: Arc::new(Semaphore::new(BYTES_MAX / UNIT)),
                turns: Arc::new(Semaphore::new(PIECES_AT_ONCE)),
            },
            turns: Mutex::default(),
            uploads: Semaphore::new(most.connections.div_ceil(2)),
            most,
        }
    }

    /// Whether a request says that its body is larger than it may be.
    fn is_too_large(&self, request: &Request) -> bool {
        let limit = if is_streamed(request) {
            upload_max(self.most.upload)
        } else {
            self.most.body
        };
        length(request).is_some_and(|length| length > limit)
    }

    /// The room for the answers of a request's route.
    fn answers(&self, request: &Request) -> Answers {
        let route = route(request);
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = match turns.get(route) {
            Some(turns) => turns,
            None => turns
                .entry(route.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(ANSWERS_AT_ONCE))),
        };
        Answers {
            turns: Arc::clone(turns),
            room: Arc::clone(&self.answers.room),
        }
    }

    /// The request with the beginning of its body at hand, and room for the body if it is a long one: all of what it says, once more of it is here
    /// than needs no room. One that is announced and does not come keeps no other from its room.
    async fn with_body(&self, request: Request) -> (Request, Option<SemaphorePermit<'_>>) {
        let needed = self.needed(&request);
        if needed == 0 {
            return (request, None);
        }
        let (parts, body) = request.into_parts();
        let mut coming = body.into_data_stream();
        let (mut here, mut length) = (Vec::new(), 0);
        while let Some(piece) = coming.next().await {
            let is_last = piece.is_err();
            length += piece.as_ref().map_or(0, Bytes::len);
            here.push(piece);
            if is_last || length > FREE {
                break;
            }
        }
        let place = if length > FREE {
            // It is never closed.
            self.bodies.acquire_many(needed).await.ok()
        } else {
            None
        };
        let body = Body::from_stream(stream::iter(here).chain(coming));
        (Request::from_parts(parts, body), place)
    }

    /// How much room a request needs: what it says, or the most there may be if it does not say. A body that is not kept needs none.
    fn needed(&self, request: &Request) -> u32 {
        if is_streamed(request) {
            return 0;
        }
        let bytes = match length(request) {
            Some(length) => length,
            None if request.headers().contains_key(TRANSFER_ENCODING) => self.most.body,
            None => 0,
        };
        units(bytes)
    }
}

/// How long a request says that its body is.
fn length(request: &Request) -> Option<usize> {
    let length = request.headers().get(CONTENT_LENGTH)?;
    // A number with too many digits is a large one.
    let digits = length
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(digits.parse().unwrap_or(usize::MAX))
}

/// Why a head is none that this service understands, as far as the server beneath it does not look.
fn odd(request: &Request) -> Option<(StatusCode, &'static str)> {
    let headers = request.headers();
    if request.version() == Version::HTTP_11 && headers.get_all(HOST).iter().count() != 1 {
        return Some((StatusCode::BAD_REQUEST, "A request must name its host once"));
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_understood = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    let reason = "No transfer coding but chunked is understood";
    (!codings.all(is_understood)).then_some((StatusCode::NOT_IMPLEMENTED, reason))
}

/// The permits for so many bytes.
fn units(bytes: usize) -> u32 {
    let bytes = if bytes <= FREE { 0 } else { bytes };
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

/// The room for answers that wait for their clients to take them.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    room: Arc<Semaphore>,
    /// One for each that may be made at once, and has no room yet.
    turns: Arc<Semaphore>,
}

impl Answers {
    /// What `make` makes: bytes that keep their room until they are sent, and the rest. Where there is no room for them now they are made
    /// anew once there is, and whoever waits for that holds nothing.
    pub(super) async fn fit<T, E, F>(&self, mut make: impl FnMut() -> F) -> Result<(Bytes, T), E>
    where
        F: Future<Output = Result<(Bytes, T), E>>,
    {
        let mut place = None;
        loop {
            // It is never closed.
            let turn = self.turns.acquire().await.ok();
            let (bytes, rest) = make().await?;
            let length = bytes.len();
            if place.is_none() {
                place = self.place(length, false).await;
            }
            if let Some(place) = place.filter(|place| place.num_permits() >= answer_units(length) as usize) {
                return Ok((keep(bytes, place), rest));
            }
            drop((bytes, rest, turn));
            place = self.place(length, true).await;
        }
    }

    /// Room for an answer that cannot be made anew: now, or once there is some if it may wait.
    async fn place(&self, bytes: usize, may_wait: bool) -> Option<OwnedSemaphorePermit> {
        let (room, needed) = (Arc::clone(&self.room), answer_units(bytes));
        if may_wait {
            room.acquire_many_owned(needed).await.ok()
        } else {
            room.try_acquire_many_owned(needed).ok()
        }
    }
}

/// The permits for an answer: one that is larger than all the room there is takes all of it.
fn answer_units(bytes: usize) -> u32 {
    units(bytes).min(units(BYTES_MAX))
}

/// Bytes that have a place while they are there.
struct Placed {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Placed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn keep(bytes: Bytes, place: OwnedSemaphorePermit) -> Bytes {
    if place.num_permits() == 0 {
        return bytes;
    }
    Bytes::from_owner(Placed { bytes, _place: place })
}

/// Lets a request in once there is room for its body, and its answer out once there is room for that. How long it waits is part of the time
/// that a request may take.
pub(super) async fn admit(room: &Room, mut request: Request, next: Next) -> Response {
    let envelope = Envelope::of(request.uri().path());
    if let Some((status, text)) = odd(&request) {
        return envelope.refuse(HttpError::Detail(status, text.to_owned()));
    }
    // What has no path is told so.
    let has_path = request.extensions().get::<MatchedPath>().is_some();
    if has_path && room.is_too_large(&request) {
        return envelope.refuse(unread(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let upload = is_streamed(&request).then(|| room.uploads.try_acquire());
    if let Some(Err(_)) = upload {
        return envelope.refuse(HttpError::Detail(
            StatusCode::SERVICE_UNAVAILABLE,
            "There are too many uploads at once, try again".to_owned(),
        ));
    }
    request.extensions_mut().insert(room.answers.clone());
    let response = if request.method().is_safe() {
        let answers = room.answers(&request);
        let (parts, _) = request.into_parts();
        answers.fit(|| made(next.clone(), parts.clone())).await
    } else {
        let (request, place) = if has_path {
            room.with_body(request).await
        } else {
            (request, None)
        };
        match whole(next.run(request).await).await {
            // Those that wait hold an answer. If it is long because their body was, it has room beside that.
            Ok((bytes, parts)) => match room.answers.place(bytes.len(), place.is_some()).await {
                Some(place) => Ok((keep(bytes, place), parts)),
                None => Err(envelope.refuse(HttpError::Detail(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "This was done, but there is no room now for so large an answer: look before trying again".to_owned(),
                ))),
            },
            stream => stream,
        }
    };
    drop(upload);
    response.map_or_else(
        |other| other,
        |(bytes, parts)| Response::from_parts(parts, bytes.into()),
    )
}

/// What the next one in line answers.
async fn made(next: Next, parts: request::Parts) -> Result<(Bytes, response::Parts), Response> {
    whole(next.run(Request::from_parts(parts, Body::empty())).await).await
}

/// An answer's bytes and the rest of it; an error if they are still to be made.
async fn whole(response: Response) -> Result<(Bytes, response::Parts), Response> {
    if response.body().size_hint().exact().is_none() {
        return Err(response);
    }
    let (parts, body) = response.into_parts();
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => Ok((bytes, parts)),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be sent");
            Err(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

/// Whether the body goes to the disk as it comes: it may be long, and its client slow.
fn is_streamed(request: &Request) -> bool {
    request.method() == Method::POST && STREAMED.contains(&route(request))
}

/// Whether there is nothing that the request may leave half done.
fn only_reads(request: &Request) -> bool {
    request.method().is_safe() || route(request) == SEARCH
}

/// What requests have begun to change, which is done to its end whether anybody waits for it or not.
#[derive(Debug, Clone, Default)]
pub(super) struct Writes(pub(super) TaskTracker);

/// Gives a request up that takes longer than `limit`, the time for its body included. A body that goes to the disk as it comes may take
/// longer, as long as enough of it comes in that time. What has begun to change something goes on: of a write into two databases the second half
/// must come.
pub(super) async fn in_time<F>(limit: Duration, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let envelope = Envelope::of(request.uri().path());
    let late = format!("The request was given up after {} ms", limit.as_millis());
    if only_reads(&request) {
        let answer = timeout(limit, next(request)).await;
        return answer.unwrap_or_else(|_| envelope.timed_out(late));
    }
    let is_streamed = is_streamed(&request);
    let writes = request.extensions().get::<Writes>().cloned().unwrap_or_default();
    let (request, mut body) = watched(request);
    let mut answer = Box::pin(next(request));
    let answered = if is_streamed {
        while_it_comes(limit, answer.as_mut(), &mut body).await
    } else {
        timeout(limit, answer.as_mut()).await.map_err(|_| late)
    };
    answered.unwrap_or_else(|late| {
        if body.is_awaited() {
            return envelope.timed_out(late);
        }
        answered_early();
        tracing::warn!(
            ?limit,
            "the request is answered now, and what it has begun goes on"
        );
        let rest = async move {
            let status = answer.await.status().as_u16();
            tracing::warn!(
                status,
                "what the request had begun came to its end after it was answered"
            );
        };
        writes.0.spawn(rest.in_current_span());
        envelope.timed_out(format!(
            "{late}, and what it has begun goes on: look before trying again"
        ))
    })
}

/// What is known of a body from outside.
struct Watched {
    /// How many bytes came; closed once it came to its end.
    came: watch::Receiver<u64>,
    /// Whether its reader waits for more of it.
    awaited: Arc<AtomicBool>,
}

impl Watched {
    /// Whether the request waits for more of its body: then nothing was begun.
    fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }
}

/// A request with a body that tells how it is read.
fn watched(request: Request) -> (Request, Watched) {
    let (come, came) = watch::channel(0);
    let awaited = Arc::new(AtomicBool::new(false));
    let watched = Watched {
        came,
        awaited: Arc::clone(&awaited),
    };
    let request = request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let mut pieces = body.into_data_stream();
        Body::from_stream(stream::poll_fn(move |context| {
            let piece = pieces.poll_next_unpin(context);
            awaited.store(piece.is_pending(), Ordering::Relaxed);
            if let Poll::Ready(Some(Ok(piece))) = &piece {
                come.send_modify(|came| *came += piece.len() as u64);
            }
            piece
        }))
    });
    (request, watched)
}

/// The answer, unless too little of the body comes in any `limit`, or the answer does not once all of it came; then why there is none.
async fn while_it_comes(
    limit: Duration,
    mut answer: Pin<&mut (impl Future<Output = Response> + ?Sized)>,
    body: &mut Watched,
) -> Result<Response, String> {
    let (millis, least) = (limit.as_millis(), at_pace(limit));
    loop {
        let enough = *body.came.borrow_and_update() + least;
        let more = async { body.came.wait_for(|came| *came >= enough).await.is_ok() };
        let more = tokio::select! {
            answer = answer.as_mut() => return Ok(answer),
            more = timeout(limit, more) => more,
        };
        match more {
            Ok(true) => {}
            Ok(false) => break,
            Err(_) => {
                return Err(format!(
                    "The request was given up, as less than {least} bytes of it came in {millis} ms"
                ));
            }
        }
    }
    let late = format!("The request was given up {millis} ms after its last bytes");
    timeout(limit, answer).await.map_err(|_| late)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;
    use std::future::pending;
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    fn request(name: &str, value: &str) -> Request {
        Request::builder()
            .header(name, value)
            .body(Body::empty())
            .unwrap()
    }

    fn room(body_limit: usize) -> Room {
        Room::new(Most {
            connections: 4,
            body: body_limit,
            upload: 1_000_000,
        })
    }

    #[test]
    fn a_request_needs_the_room_that_it_says_or_all_that_it_may_take() {
        let small = room(100_000);
        assert_eq!(small.needed(&Request::new(Body::empty())), 0);
        assert_eq!(small.needed(&request("content-length", "65536")), 0);
        assert_eq!(small.needed(&request("content-length", "65537")), 65);
        assert_eq!(small.needed(&request("content-length", "100000")), 98);
        assert_eq!(small.needed(&request("transfer-encoding", "chunked")), 98);
        // The largest body that is allowed finds room.
        let huge = room(1 << 30);
        let needed = huge.needed(&request("transfer-encoding", "chunked"));
        assert!(huge.bodies.available_permits() >= needed as usize);
    }

    #[tokio::test]
    async fn a_body_takes_its_room_once_more_of_it_is_here_than_needs_none() {
        let room = room(100_000);
        let all = room.bodies.available_permits();
        let chunked = |body| {
            let mut request = request("transfer-encoding", "chunked");
            *request.body_mut() = body;
            request
        };
        let pieces = |length: usize| {
            let pieces = vec![Ok::<_, Infallible>(Bytes::from(vec![7; 1_000])); length / 1_000];
            stream::iter(pieces)
        };
        let read = async |request: Request| to_bytes(request.into_body(), usize::MAX).await.unwrap();
        let (short, place) = room.with_body(chunked(Body::from_stream(pieces(64_000)))).await;
        assert!(place.is_none());
        assert_eq!(read(short).await, vec![7; 64_000]);
        // One of which no more comes holds nothing.
        let silent = Body::from_stream(pieces(64_000).chain(stream::pending()));
        let mut silent = pin!(room.with_body(chunked(silent)));
        assert!(silent.as_mut().now_or_never().is_none());
        assert_eq!(room.bodies.available_permits(), all);
        let (long, place) = room.with_body(chunked(Body::from_stream(pieces(100_000)))).await;
        assert_eq!(place.map(|place| place.num_permits()), Some(98));
        assert_eq!(read(long).await, vec![7; 100_000]);
        assert_eq!(room.bodies.available_permits(), all);
    }

    #[test]
    fn a_request_may_say_how_large_it_is() {
        let room = room(100_000);
        for (length, is_too_large) in [
            ("100000", false),
            ("100001", true),
            ("99999999999999999999999", true),
            ("-1", false),
        ] {
            let request = request("content-length", length);
            assert_eq!(room.is_too_large(&request), is_too_large, "{length}");
        }
        assert!(!room.is_too_large(&request("transfer-encoding", "chunked")));
    }

    #[tokio::test]
    async fn a_large_answer_is_made_anew_once_there_is_room_for_it() {
        let answers = room(100_000).answers(&Request::new(Body::empty()));
        let left = || answers.room.available_permits() * UNIT;
        let made = Cell::new(0);
        let make = |length: usize| {
            let (answers, made) = (&answers, &made);
            answers.fit(move || {
                made.set(made.get() + 1);
                async move { Ok::<_, Infallible>((Bytes::from(vec![7; length]), made.get())) }
            })
        };
        let (small, _) = make(FREE).await.unwrap();
        assert_eq!(left(), BYTES_MAX);
        let (large, _) = make(BYTES_MAX / 2 + 1).await.unwrap();
        assert_eq!(left(), BYTES_MAX / 2 - UNIT);
        // It waits as long as a piece of the other one is there, and meanwhile the small ones do not.
        let mut waits = pin!(make(BYTES_MAX / 2));
        assert!(waits.as_mut().now_or_never().is_none());
        let rest = large.slice(10..);
        drop(large);
        assert!(waits.as_mut().now_or_never().is_none());
        make(FREE).await.unwrap();
        drop((rest, small));
        let (bytes, count) = waits.await.unwrap();
        assert_eq!((bytes.len(), count, made.get()), (BYTES_MAX / 2, 5, 5));
        assert_eq!(left(), BYTES_MAX / 2);
        drop(bytes);
        // One that is larger than all the room takes all of it.
        let (huge, _) = make(BYTES_MAX * 2).await.unwrap();
        assert_eq!((huge.len(), left()), (BYTES_MAX * 2, 0));
        assert!(answers.place(FREE + 1, false).await.is_none());
        drop(huge);
        assert_eq!(left(), BYTES_MAX);
    }

    #[tokio::test]
    async fn few_answers_of_a_route_are_made_at_once() {
        let room = room(100_000);
        let answers = room.answers(&Request::new(Body::empty()));
        let stuck = || answers.fit(pending::<Result<(Bytes, ()), Infallible>>);
        let mut others: Vec<_> = (0..=ANSWERS_AT_ONCE).map(|_| Box::pin(stuck())).collect();
        for other in &mut others {
            assert!(other.now_or_never().is_none());
        }
        let begun = ANSWERS_AT_ONCE - answers.turns.available_permits();
        assert_eq!(begun, ANSWERS_AT_ONCE);
        // Those that go into the pieces of others have turns of their own.
        assert_eq!(room.answers.turns.available_permits(), PIECES_AT_ONCE);
        drop(others);
        assert_eq!(answers.turns.available_permits(), ANSWERS_AT_ONCE);
    }
}
