//! The client of a connection: whether it is waited for, how slow it is, and for how long that is borne.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::time::{Sleep, sleep};

/// So many bytes a second a client has to send of a long body, and to take of a long answer.
const PACE: u64 = 1_024;
/// For so long a client may fall behind [`PACE`] when others want its place.
const PATIENCE_IN_CROWD: Duration = Duration::from_secs(2);
/// For so long a client may go on sending what nobody reads. Were it cut off at once, the answer that says why could be lost.
const LINGER: Duration = Duration::from_secs(2);

/// What a client has to move in this time.
pub(super) fn at_pace(time: Duration) -> u64 {
    PACE.saturating_mul(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)) / 1_000
}

/// So much is read at once. What a connection holds of a body grows with it, in several places on the way to the disk.
const READ_MAX: u64 = 16 * 1024 - 1;

/// What is known of a client.
#[derive(Debug)]
pub(super) struct Client {
    /// The bytes that came from it and went to it.
    moved: AtomicU64,
    /// Whether it is its turn: to send a request, or to take an answer.
    awaited: AtomicBool,
    /// Whether the body of its last request was not read to its end.
    unread: AtomicBool,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            moved: AtomicU64::new(0),
            awaited: AtomicBool::new(true),
            unread: AtomicBool::new(false),
        }
    }
}

impl Client {
    /// Resolves once it is waited for and has been slower than [`PACE`].
    pub(super) async fn dawdles(&self) {
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            sleep(PATIENCE_IN_CROWD).await;
            let moved = self.moved.load(Ordering::Relaxed) - before;
            if self.awaited.load(Ordering::Relaxed) && moved < at_pace(PATIENCE_IN_CROWD) {
                return;
            }
        }
    }

    /// Whether the body of its last request was not read to its end.
    pub(super) fn left_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    fn moved(&self, bytes: usize) {
        self.moved.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A body, whose pieces tell whose turn it is.
#[derive(Debug)]
pub(super) struct Piecewise<B> {
    body: B,
    client: Arc<Client>,
    is_request: bool,
}

impl<B: Body> Piecewise<B> {
    /// The body of a request, which is worked on from now on.
    pub(super) fn of_request(body: B, client: Arc<Client>) -> Self {
        client.awaited.store(false, Ordering::Relaxed);
        client.unread.store(!body.is_end_stream(), Ordering::Relaxed);
        Self {
            body,
            client,
            is_request: true,
        }
    }

    /// The body of an answer, which the client has to take from now on.
    pub(super) fn of_answer(body: B, client: Arc<Client>) -> Self {
        client.awaited.store(true, Ordering::Relaxed);
        Self {
            body,
            client,
            is_request: false,
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Piecewise<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        // What is missing of a request is to come from the client, what is missing of an answer from us.
        let awaited = polled.is_pending() == self.is_request;
        self.client.awaited.store(awaited, Ordering::Relaxed);
        if self.is_request && (matches!(polled, Poll::Ready(None)) || self.body.is_end_stream()) {
            self.client.unread.store(false, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The way to a client. It fails when the client takes too little of what is written: one that does not read its answer would hold it,
/// and its connection, for ever.
#[derive(Debug)]
pub(super) struct Line<S> {
    stream: Take<S>,
    patience: Duration,
    client: Arc<Client>,
    /// Runs while a write waits.
    late: Option<Pin<Box<Sleep>>>,
    /// What was taken since it runs.
    taken: u64,
    /// Runs once everything is written.
    linger: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead> Line<S> {
    pub(super) fn new(patience: Duration, stream: S, client: Arc<Client>) -> Self {
        Self {
            stream: stream.take(READ_MAX),
            patience,
            client,
            late: None,
            taken: 0,
            linger: None,
        }
    }

    /// The outcome of a write, which may wait only for so long. Bytes that are taken give more time if they are not too few.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
        bytes: impl Fn(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(outcome) = outcome {
            let bytes = outcome.as_ref().map_or(0, bytes);
            self.client.moved(bytes);
            self.taken += bytes as u64;
            if self.taken >= at_pace(self.patience) {
                self.late = None;
            }
            return Poll::Ready(outcome);
        }
        let patience = self.patience;
        let late = self.late.get_or_insert_with(|| {
            self.taken = 0;
            Box::pin(sleep(patience))
        });
        late.as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        self.stream.set_limit(READ_MAX);
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.client.moved(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(self.stream.get_mut()).poll_write(context, bytes);
        self.bounded(context, outcome, |written| *written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(self.stream.get_mut()).poll_write_vectored(context, parts);
        self.bounded(context, outcome, |written| *written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(self.stream.get_mut()).poll_flush(context);
        let outcome = self.bounded(context, outcome, |()| 0);
        if outcome.is_ready() {
            // Everything is taken, and nothing late any more.
            self.late = None;
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            let outcome = Pin::new(this.stream.get_mut()).poll_shutdown(context);
            let outcome = ready!(this.bounded(context, outcome, |()| 0));
            if outcome.is_err() || !this.client.left_unread() {
                return Poll::Ready(outcome);
            }
        }
        let linger = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut forgotten = [0; 4_096];
        while linger.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut forgotten);
            let read = ready!(Pin::new(this.stream.get_mut()).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    /// A line through which at most 64 bytes are on their way, and its other end.
    fn line() -> (Line<DuplexStream>, DuplexStream, Arc<Client>) {
        let client = Arc::new(Client::default());
        let (ours, theirs) = duplex(64);
        (Line::new(PATIENCE, ours, Arc::clone(&client)), theirs, client)
    }

    #[tokio::test]
    async fn a_write_that_waits_is_given_up_only_when_too_little_is_taken() {
        let (mut ours, mut theirs, _) = line();
        let begun = Instant::now();
        let writing = tokio::spawn(async move {
            ours.write_all(&[7; 4_096]).await.unwrap();
            ours.flush().await.unwrap();
            // However long nothing is written, nobody is late with it.
            sleep(PATIENCE * 2).await;
            ours.write_all(&[7; 256]).await
        });
        // All of it takes longer than the patience, and enough of it does not.
        for _ in 0..64 {
            sleep(PATIENCE / 40).await;
            theirs.read_exact(&mut [0; 64]).await.unwrap();
        }
        assert!(begun.elapsed() > PATIENCE);
        sleep(PATIENCE * 5 / 2).await;
        theirs.read_exact(&mut [0; 256]).await.unwrap();
        writing.await.unwrap().unwrap();

        let (mut ours, mut theirs, _) = line();
        let begun = Instant::now();
        let trickle = async {
            loop {
                sleep(PATIENCE / 10).await;
                theirs.read_exact(&mut [0; 32]).await.unwrap();
            }
        };
        let error = tokio::select! {
            written = ours.write_all(&[7; 4_096]) => written.unwrap_err(),
            () = trickle => unreachable!(),
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= PATIENCE);
    }

    /// A body of which no more comes.
    struct Silence;

    impl Body for Silence {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn only_a_client_that_is_waited_for_dawdles() {
        let dawdles = async |client: &Client| {
            let patience = PATIENCE_IN_CROWD * 3 / 2;
            timeout(patience, client.dawdles()).await.is_ok()
        };
        let (mut ours, mut theirs, client) = line();
        assert!(dawdles(&client).await);
        let mut body = Piecewise::of_request(Silence, Arc::clone(&client));
        assert!(!dawdles(&client).await);
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut body).poll_frame(&mut context).is_pending());
        assert!(dawdles(&client).await);
        // What comes fast enough is waited for.
        let sending = tokio::spawn(async move { theirs.write_all(&[7; 6_400]).await });
        let reading = async {
            for _ in 0..100 {
                sleep(PATIENCE_IN_CROWD * 2 / 100).await;
                ours.read_exact(&mut [0; 64]).await.unwrap();
            }
        };
        let (dawdled, ()) = tokio::join!(dawdles(&client), reading);
        assert!(!dawdled);
        sending.await.unwrap().unwrap();
        let mut body = Piecewise::of_answer(Silence, Arc::clone(&client));
        assert!(Pin::new(&mut body).poll_frame(&mut context).is_pending());
        assert!(!dawdles(&client).await, "it waits for us");
    }

    #[tokio::test]
    async fn what_nobody_read_is_taken_from_the_line_before_it_is_closed() {
        let (mut ours, mut theirs, client) = line();
        drop(Piecewise::of_request(Silence, client));
        let sending = tokio::spawn(async move {
            theirs.write_all(&[7; 4_096]).await.unwrap();
            let mut answer = Vec::new();
            theirs.read_to_end(&mut answer).await.unwrap();
            answer
        });
        ours.write_all(b"answer").await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(sending.await.unwrap(), b"answer");
    }
}
