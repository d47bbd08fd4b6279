//! Connections: how many there may be, how long they may be still, and how they end.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

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
                () = asked => {}
                () = stopping.cancelled() => {}
            }
        };
        let conversation = converse(stream, router.clone(), config.idle_timeout, leave);
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

    /// A place. While there is none, connections are asked to leave, one after another: an idle one does so at once, and the
    /// others after their answer.
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
/// it has asked already.
async fn converse(stream: TcpStream, router: Router, idle: Duration, leave: impl Future<Output = ()>) {
    // An answer goes out when it is complete, not when the client has acknowledged the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection delays what is sent");
    }
    let stream = TokioIo::new(Taken::within(idle, stream));
    let service = service_fn(move |request| router.clone().call(with_plain_path(request)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            // Counts from the end of the answer before, so that it bounds idleness too.
            .header_read_timeout(idle)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(stream, service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leave => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// A stream that fails when its other end takes nothing of what is written for too long: a client that does not read its answer
/// would hold it, and its connection, for ever.
struct Taken<S> {
    stream: S,
    patience: Duration,
    /// Runs while a write waits.
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> Taken<S> {
    fn within(patience: Duration, stream: S) -> Self {
        Self {
            stream,
            patience,
            late: None,
        }
    }

    /// The outcome of a write, which may wait only for so long.
    fn bounded<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.late = None;
            return outcome;
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(patience)));
        late.as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.bounded(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn a_write_that_waits_is_given_up_only_when_nothing_is_taken() {
        let (ours, mut theirs) = duplex(4);
        let mut ours = Taken::within(PATIENCE, ours);
        let begun = Instant::now();
        let writing = tokio::spawn(async move { ours.write_all(&[7; 64]).await });
        // All of it takes longer than the patience, and nothing of it does.
        for _ in 0..16 {
            sleep(PATIENCE / 10).await;
            theirs.read_exact(&mut [0; 4]).await.unwrap();
        }
        writing.await.unwrap().unwrap();
        assert!(begun.elapsed() > PATIENCE);

        let (ours, _theirs) = duplex(4);
        let mut ours = Taken::within(PATIENCE, ours);
        let begun = Instant::now();
        let error = ours.write_all(&[7; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
    }
}
