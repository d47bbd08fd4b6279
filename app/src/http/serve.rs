//! Connections: how many there may be, how long they may be still, and how they end.

use std::convert::Infallible;
use std::io;
use std::panic::resume_unwind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::client::{Client, Line, Piecewise};
use super::limits::Writes;
use super::paths::with_plain_path;
use crate::config::ServerConfig;

/// What of a request's head, or of an answer that is not yet taken, is kept for a connection.
const BUFFER_MAX: usize = 64 * 1024;
/// How long to wait after the system refused a connection, for want of file descriptors as a rule.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);
/// How long the connection that was asked to leave has before the next one is asked.
const PAUSE_IN_CROWD: Duration = Duration::from_millis(50);

/// Serves until `stop` resolves, then lets requests in flight finish for as long as `config` allows.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send,
    config: &ServerConfig,
) {
    let door = Door {
        listener,
        places: Arc::new(Semaphore::new(config.connections_max)),
        crowd: Arc::new(Notify::new()),
    };
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let mut stop = pin!(stop);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut stop => break,
            next = door.next() => next,
        };
        // It stands in the queue from now on, so that the queue is in the order of arrival, not in that in which tasks come to run.
        let mut asked = Box::pin(Arc::clone(&door.crowd).notified_owned());
        asked.as_mut().enable();
        let stopping = stopping.clone();
        let leave = async move {
            tokio::select! {
                () = asked => Leave::Crowd,
                () = stopping.cancelled() => Leave::Stop,
            }
        };
        let writes = connections.clone();
        let conversation = converse(stream, router.clone(), writes, config.idle_timeout, leave);
        connections.spawn(async move {
            conversation.await;
            drop(place);
        });
    }
    // Whoever comes now is refused by the system, and goes elsewhere.
    drop(door);
    tracing::info!("stopping: requests in flight may finish");
    stopping.cancel();
    connections.close();
    let patience = config.shutdown_timeout;
    if timeout(patience, connections.wait()).await.is_err() {
        tracing::warn!(?patience, "some requests did not finish in time");
    }
}

/// Why a connection is asked to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Others want its place.
    Crowd,
    /// The service stops.
    Stop,
}

/// Where connections come in.
struct Door {
    listener: TcpListener,
    /// One for each connection that there may be.
    places: Arc<Semaphore>,
    /// Connections wait here to be asked to leave, the one that came first in front.
    crowd: Arc<Notify>,
}

impl Door {
    /// The next connection, once there is a place for it.
    async fn next(&self) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (stream, self.place().await),
                Err(error) if is_of_one_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "no connection can be accepted");
                    // One that leaves gives its descriptor back.
                    self.crowd.notify_one();
                    sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }

    /// A place. While there is none, connections are asked to leave, one after another: an idle one does so at once, one whose client is
    /// slow soon, and the others after their answer.
    async fn place(&self) -> OwnedSemaphorePermit {
        let mut pause = Duration::ZERO;
        loop {
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(place)) = timeout(pause, place).await {
                // Where nobody was left to be asked, the next one to come must not be.
                self.crowd.notified().now_or_never();
                return place;
            }
            self.crowd.notify_one();
            pause = PAUSE_IN_CROWD;
        }
    }
}

/// Whether accepting failed because the client was gone again.
fn is_of_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Answers what one client asks, until it leaves, is still for longer than `idle`, or `leave` resolves: then it is answered what
/// it has asked already, in a crowd only as long as it is not too slow for that. What it has begun to change is done to its end among the
/// `writes`, whether it waits for that or not.
async fn converse(
    stream: TcpStream,
    router: Router,
    writes: TaskTracker,
    idle: Duration,
    leave: impl Future<Output = Leave>,
) {
    // An answer goes out when it is complete, not when the client has acknowledged the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection delays what is sent");
    }
    let client = Arc::new(Client::default());
    let stream = TokioIo::new(Line::new(idle, stream, Arc::clone(&client)));
    let service = service_fn(|request| answer(router.clone(), &writes, Arc::clone(&client), request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            // Counts from the end of the answer before, so that it bounds idleness too.
            .header_read_timeout(idle)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(stream, service)
    );
    let leave = tokio::select! {
        ended = connection.as_mut() => return broke_off(ended),
        leave = leave => leave,
    };
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection.as_mut() => broke_off(ended),
        () = client.dawdles(), if leave == Leave::Crowd => {
            tracing::debug!("a connection makes room for another, as its client is slow");
        }
    }
}

fn broke_off(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// Answers a request of this client.
async fn answer(
    mut router: Router,
    writes: &TaskTracker,
    client: Arc<Client>,
    request: Request<Incoming>,
) -> Result<Response<Piecewise<Body>>, Infallible> {
    let mut request = with_plain_path(request).map(|body| Piecewise::of_request(body, Arc::clone(&client)));
    let response = if request.method().is_safe() {
        router.call(request).await?
    } else {
        // A client that goes away must not leave one of two databases changed and the other one not.
        request.extensions_mut().insert(Writes(writes.clone()));
        let answer = writes.spawn(router.call(request));
        answer
            .await
            .unwrap_or_else(|error| resume_unwind(error.into_panic()))?
    };
    if client.left_unread() {
        // Where nobody has read the body to its end the connection is closed, unless the rest has come already. Only when the server has
        // looked for that does its answer say so.
        yield_now().await;
    }
    Ok(response.map(|body| Piecewise::of_answer(body, client)))
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Of a write into two databases the second half must come.
    #[tokio::test]
    async fn what_a_client_that_goes_away_has_begun_is_done_to_its_end() {
        let (begun, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let handler = {
            let (begun, done) = (Arc::clone(&begun), Arc::clone(&done));
            || async move {
                begun.notify_one();
                sleep(Duration::from_millis(300)).await;
                done.notify_one();
            }
        };
        let router = Router::new()
            .route("/write", post(handler.clone()))
            .route("/read", get(handler));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = ServerConfig {
            listen: address,
            connections_max: 2,
            idle_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::ZERO,
            body_limit: 0,
        };
        let serving =
            tokio::spawn(async move { serve(listener, router, std::future::pending(), &config).await });
        let goes_away = async |request: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("{request} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            begun.notified().await;
            drop(stream);
            timeout(Duration::from_secs(2), done.notified()).await.is_ok()
        };
        assert!(goes_away("POST /write").await);
        // Nobody needs what was to be read.
        assert!(!goes_away("GET /read").await);
        serving.abort();
    }
}
