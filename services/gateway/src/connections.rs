//! Connections, each in a task of its own.
//!
//! Invariant: a new connection is never kept waiting by idle ones. When all places are taken, the one that has waited
//! longest for a request ends; one whose request is under way stays.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::telemetry;

/// Open connections.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;

/// A request's line and headers, together.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// What is read ahead of one connection.
const READ_BYTES_MAX: usize = 128 * 1_024;

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// Whoever connects has a request: its headers must be there by then.
const FIRST_HEAD_WITHIN: Duration = Duration::from_secs(5);

/// A later request's headers must be there by then; an idle connection ends then.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// An answer that is on its way when its connection must make room has so long.
const ROOM_WITHIN: Duration = Duration::from_millis(100);

/// Wait before connections are accepted again after a failure (too many open files).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// See the module page.
pub(crate) struct Connections {
    pub(crate) router: Router,
    pub(crate) tracker: TaskTracker,
    /// Open at once.
    pub(crate) open_max: usize,
    /// Every answer from now on is its connection's last.
    pub(crate) leaving: CancellationToken,
    /// No further request on any connection.
    pub(crate) closing: CancellationToken,
    /// Every connection ends now.
    pub(crate) gone: CancellationToken,
}

impl Connections {
    /// Accepts until dropped.
    pub(crate) async fn accept(&self, listener: TcpListener) {
        let (open, idle) = (Arc::new(Semaphore::new(self.open_max)), Idle::default());
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let permit = idle.room(&open).await;
                    self.serve(stream, permit, Place::new(idle.clone()));
                }
                Err(error) => {
                    telemetry::AcceptFailed { error: &error }.emit();
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, permit: OwnedSemaphorePermit, place: Place) {
        let (router, leaving) = (self.router.clone(), self.leaving.clone());
        let (closing, gone) = (self.closing.clone(), self.gone.clone());
        self.tracker.spawn(async move {
            gone.run_until_cancelled(connection(stream, router, leaving, closing, place))
                .await;
            drop(permit);
        });
    }
}

/// The connections that wait for a request, the longest first.
#[derive(Clone, Default)]
struct Idle(Arc<Waiting>);

#[derive(Default)]
struct Waiting {
    /// The number of the next one, and those that wait, with what ends them.
    waiting: Mutex<(u64, BTreeMap<u64, CancellationToken>)>,
    entered: Notify,
}

impl Idle {
    /// A place for one more connection, made if there is none.
    async fn room(&self, open: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        loop {
            let permit = Arc::clone(open).acquire_owned();
            let nobody_left = async {
                match self.end_longest() {
                    // One whose request came just then does not end: another makes room.
                    true => sleep(ROOM_WITHIN).await,
                    false => self.0.entered.notified().await,
                }
            };
            tokio::select! {
                biased;
                permit = permit => return permit.expect("nobody closes this semaphore"),
                () = nobody_left => {}
            }
        }
    }

    fn end_longest(&self) -> bool {
        let longest = self.with(|(_, waiting)| waiting.pop_first());
        longest.map(|(_, end)| end.cancel()).is_some()
    }

    fn enter(&self, end: &CancellationToken) -> u64 {
        let number = self.with(|(next, waiting)| {
            *next += 1;
            waiting.insert(*next, end.clone());
            *next
        });
        self.0.entered.notify_one();
        number
    }

    fn leave(&self, number: u64) {
        self.with(|(_, waiting)| waiting.remove(&number));
    }

    /// Nothing is awaited while the lock is held.
    fn with<T>(&self, act: impl FnOnce(&mut (u64, BTreeMap<u64, CancellationToken>)) -> T) -> T {
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        act(&mut waiting)
    }
}

/// One connection's place among all.
struct Place {
    idle: Idle,
    number: AtomicU64,
    is_busy: AtomicBool,
    /// It must make room.
    end: CancellationToken,
    /// Its first request has come.
    asked: CancellationToken,
}

impl Place {
    fn new(idle: Idle) -> Self {
        let end = CancellationToken::new();
        Self {
            number: AtomicU64::new(idle.enter(&end)),
            idle,
            is_busy: AtomicBool::new(false),
            end,
            asked: CancellationToken::new(),
        }
    }

    /// A request has come.
    fn ask(&self) {
        self.is_busy.store(true, Ordering::Relaxed);
        self.idle.leave(self.number.load(Ordering::Relaxed));
        self.asked.cancel();
    }

    /// It was answered.
    fn rest(&self) {
        self.is_busy.store(false, Ordering::Relaxed);
        self.number
            .store(self.idle.enter(&self.end), Ordering::Relaxed);
    }

    /// Resolves if no request comes.
    async fn silent(&self) {
        if timeout(FIRST_HEAD_WITHIN, self.asked.cancelled())
            .await
            .is_ok()
        {
            pending().await
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.idle.leave(self.number.load(Ordering::Relaxed));
    }
}

/// Serves one connection. What breaks it is the peer's affair: nobody is left to be told.
async fn connection(
    stream: TcpStream,
    router: Router,
    leaving: CancellationToken,
    closing: CancellationToken,
    place: Place,
) {
    drop(stream.set_nodelay(true));
    let place = Arc::new(place);
    let asked = Arc::clone(&place);
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), request, leaving.clone(), Arc::clone(&asked))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(READ_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => return drop(ended),
        () = place.silent() => return,
        () = place.end.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let ended = timeout(ROOM_WITHIN, &mut connection).await;
            // A request that came just now is answered, within its deadline.
            if ended.is_ok() || !place.is_busy.load(Ordering::Relaxed) {
                return;
            }
        }
        () = closing.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

/// While leaving, each answer says that it is its connection's last: a caller that keeps connections open is never
/// cut off between two requests.
async fn answer(
    router: Router,
    request: Request<Incoming>,
    leaving: CancellationToken,
    place: Arc<Place>,
) -> Result<Response, Infallible> {
    place.ask();
    let mut response = router.oneshot(request.map(Body::new)).await?;
    place.rest();
    if leaving.is_cancelled() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::Instant,
    };

    use super::*;

    /// Longest wait for anything here.
    const SOON: Duration = Duration::from_secs(20);

    const ALIVE: &str = "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    async fn served(open_max: usize, finish: Arc<Notify>, begun: Arc<Notify>) -> SocketAddr {
        let slow = move || async move {
            begun.notify_one();
            finish.notified().await;
            "finished"
        };
        let router = Router::new()
            .route("/livez", get(async || "alive"))
            .route("/slow", get(slow));
        let tracker = TaskTracker::new();
        let connections = Connections {
            router,
            tracker: tracker.clone(),
            open_max,
            leaving: CancellationToken::new(),
            closing: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tracker.spawn(async move { connections.accept(listener).await });
        address
    }

    async fn said(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        // A connection that was ended with something unread is reset: what was said until then counts.
        let _ended = timeout(SOON, stream.read_to_end(&mut text)).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    async fn send(address: SocketAddr, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn idle_connections_make_room_and_requests_under_way_stay() {
        let (finish, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let address = served(3, Arc::clone(&finish), Arc::clone(&begun)).await;
        let slow = "GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let under_way = send(address, slow).await;
        timeout(SOON, begun.notified()).await.unwrap();
        let idle = send(address, "").await;
        let torn = send(address, "GET /livez HTT").await;
        let mut kept = Vec::new();
        for _ in 0..20 {
            kept.push(send(address, "").await);
            let began = Instant::now();
            assert!(said(send(address, ALIVE).await).await.ends_with("alive"));
            assert!(began.elapsed() < FIRST_HEAD_WITHIN);
        }
        assert_eq!((said(idle).await, said(torn).await), Default::default());
        finish.notify_one();
        assert!(said(under_way).await.ends_with("finished"));
    }

    #[tokio::test]
    async fn when_all_are_busy_the_next_is_served_once_one_has_its_answer() {
        let (finish, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let address = served(1, Arc::clone(&finish), Arc::clone(&begun)).await;
        let kept = send(address, "GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
        timeout(SOON, begun.notified()).await.unwrap();
        let next = send(address, ALIVE).await;
        finish.notify_one();
        assert!(said(next).await.ends_with("alive"));
        assert!(said(kept).await.ends_with("finished"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_ends_long_before_one_between_two() {
        let address = served(8, Arc::default(), Arc::default()).await;
        let began = Instant::now();
        assert_eq!(said(send(address, "GET /liv").await).await, "");
        assert_eq!(began.elapsed().as_secs(), FIRST_HEAD_WITHIN.as_secs());
    }
}
