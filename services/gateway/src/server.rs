//! Accepts connections, and ends in order: readiness first, then new connections, then requests under way.

use std::{convert::Infallible, fmt, net::SocketAddr, sync::Arc, time::Duration};

use argosy_broker::{Broker, BrokerError};
use argosy_shell::{
    config::Gateway,
    probes::{self, Health, ListenError, Readiness},
};
use argosy_store::Store;
use argosy_vendors::shopify::SecretError;
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
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use crate::{Api, router, telemetry, watch::watch};

/// Open connections.
const CONNECTIONS_MAX: usize = 4_096;

/// A request's line and headers, together.
const HEAD_BYTES_MAX: usize = 64 * 1_024;

/// What is read ahead of one connection.
const READ_BYTES_MAX: usize = 128 * 1_024;

/// Headers of a request.
const HEADERS_MAX: usize = 64;

/// A request's headers must be there by then; an idle connection ends then.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// How long new connections are still taken after readiness flipped, for those who have not looked yet.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

/// After the deadline of the last request, an answer has so long to be sent.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// Wait before connections are accepted again after a failure (too many open files).
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// What the gateway is built on.
#[derive(Clone)]
pub struct Parts {
    /// Takes the events.
    pub broker: Arc<dyn Broker>,
    /// Knows what happened.
    pub store: Arc<dyn Store>,
    /// Told whether events can be taken in.
    pub health: Health,
    /// Served beside the gateway's own routes.
    pub probes: Router,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Why the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is taken or not ours.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A webhook secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The address of the listener cannot be told.
    #[error("the gateway's address is not known: {0}")]
    Address(#[from] std::io::Error),
    /// The broker's clients cannot be made.
    #[error("the gateway cannot use the broker: {0}")]
    Broker(#[from] BrokerError),
}

/// Serves until `stop`, then drains. `listening` is told the address once connections are accepted.
///
/// # Errors
///
/// The address cannot be listened on, or the broker's clients cannot be made.
pub async fn serve(
    settings: Gateway,
    parts: Parts,
    listening: impl FnOnce(SocketAddr) + Send,
    stop: CancellationToken,
) -> Result<(), GatewayError> {
    let deadline = settings.deadline;
    let producer = parts.broker.producer("argosy-gateway", deadline)?;
    let admin = parts.broker.admin()?;
    let listener = probes::listen(settings.listen, "the gateway", "gateway.listen").await?;
    listening(listener.local_addr()?);

    let api = Api::new(settings, Arc::clone(&producer), parts.store)?;
    let router = router(api).merge(parts.probes);
    let (tracker, closing, gone) = (
        TaskTracker::new(),
        CancellationToken::new(),
        CancellationToken::new(),
    );
    parts.health.ready(
        "intake",
        Readiness::NotReady,
        "the broker was not asked yet",
    );
    tracker.spawn(watch(admin, parts.health.clone(), closing.clone()));

    let connections = Connections {
        leaving: stop.clone(),
        router,
        tracker: tracker.clone(),
        closing: closing.clone(),
        gone: gone.clone(),
    };
    let mut accepting = Box::pin(connections.accept(listener));
    tokio::select! {
        () = stop.cancelled() => parts.health.draining(),
        () = &mut accepting => {}
    }
    drop(tokio::time::timeout(LEAVE_AFTER, accepting).await);
    closing.cancel();
    tracker.close();
    if tokio::time::timeout(deadline + LAST_ANSWER, tracker.wait())
        .await
        .is_err()
    {
        gone.cancel();
        tracker.wait().await;
    }
    // Every request has had its answer: what is still in the queue belongs to none, and its callers know.
    drop(producer.flush(LAST_ANSWER).await);
    Ok(())
}

/// Connections, each in a task of its own.
struct Connections {
    router: Router,
    tracker: TaskTracker,
    /// Every answer from now on is its connection's last.
    leaving: CancellationToken,
    /// No further request on any connection.
    closing: CancellationToken,
    /// Every connection ends now.
    gone: CancellationToken,
}

impl Connections {
    /// Accepts until dropped.
    async fn accept(&self, listener: TcpListener) {
        let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let Ok(permit) = Arc::clone(&open).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => self.serve(stream, permit),
                Err(error) => {
                    telemetry::AcceptFailed { error: &error }.emit();
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, permit: OwnedSemaphorePermit) {
        let (router, leaving) = (self.router.clone(), self.leaving.clone());
        let (closing, gone) = (self.closing.clone(), self.gone.clone());
        self.tracker.spawn(async move {
            gone.run_until_cancelled(connection(stream, router, leaving, closing))
                .await;
            drop(permit);
        });
    }
}

/// Serves one connection. What breaks it is the peer's affair: nobody is left to be told.
async fn connection(
    stream: TcpStream,
    router: Router,
    leaving: CancellationToken,
    closing: CancellationToken,
) {
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request: Request<Incoming>| {
        answer(router.clone(), request, leaving.clone())
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
) -> Result<Response, Infallible> {
    let mut response = router.oneshot(request.map(Body::new)).await?;
    if leaving.is_cancelled() {
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
