//! The listener: one task per connection, and the only place where an answer can become a closed connection.
//!
//! hyper closes a connection whose service fails before it has written anything; a cut is exactly that failure.

use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderName, HeaderValue, Request, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use uuid::Uuid;

use crate::{
    SandboxError, Settings,
    app::{App, CALLS_MAX, ReceivedAt},
    call::Cut,
    clock,
    faults::Script,
    ledger::{Ledger, LedgerThread},
    router::router,
};

/// Connections open at once; the next one waits to be accepted.
const CONNECTIONS_MAX: usize = 10_000;
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Also how long a connection may idle: longer than callers keep theirs, so that they close first.
const HEAD_TIME_MAX: Duration = Duration::from_secs(120);
/// How long a connection may take to finish when the sandbox stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A sandbox that listens and is ready to run.
#[derive(Debug)]
pub struct Sandbox {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
    ledger: LedgerThread,
    failed: CancellationToken,
}

/// Binds and runs until `stop` is cancelled.
///
/// # Errors
///
/// As for [`Sandbox::bind`] and [`Sandbox::run`].
pub async fn serve(settings: Settings, stop: CancellationToken) -> Result<(), SandboxError> {
    Sandbox::bind(settings).await?.run(stop).await
}

impl Sandbox {
    /// Checks the settings, rebuilds the suppliers from the receipts, loads the fault file and listens.
    ///
    /// # Errors
    ///
    /// Wrong settings, an unusable receipts or fault file, an address that is taken.
    pub async fn bind(settings: Settings) -> Result<Self, SandboxError> {
        settings.check()?;
        let script = Script::default();
        load_faults(&script, &settings).await?;
        let listener = TcpListener::bind(settings.listen).await;
        let listen = |source| SandboxError::Listen {
            address: settings.listen,
            source,
        };
        let listener = listener.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let failed = CancellationToken::new();
        let (settings, started) = {
            let failed = failed.clone();
            // Reading the receipts back takes as long as the file is long.
            tokio::task::spawn_blocking(move || {
                let started = Ledger::start(&settings, failed);
                (settings, started)
            })
            .await
            .map_err(|_| SandboxError::Ledger)?
        };
        let (ledger, thread) = started?;
        let suppliers = settings.suppliers.into_iter();
        let suppliers: BTreeMap<_, _> = suppliers
            .map(|(name, supplier)| (name.into(), supplier))
            .collect();
        let app = App {
            suppliers,
            receipts: settings.receipts,
            ledger,
            script,
            calls: TaskTracker::new(),
            call_permits: Arc::new(Semaphore::new(CALLS_MAX)),
            stopping: CancellationToken::new(),
        };
        Ok(Self {
            listener,
            address,
            app: Arc::new(app),
            ledger: thread,
            failed,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is cancelled; then calls that wait out a scripted latency are cut, and the rest is finished.
    ///
    /// # Errors
    ///
    /// The receipts file could not be written.
    pub async fn run(self, stop: CancellationToken) -> Result<(), SandboxError> {
        let Self {
            listener,
            app,
            ledger,
            failed,
            ..
        } = self;
        let connections = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let router = router(Arc::clone(&app));
        loop {
            let next = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                (permit, listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                next = next => next,
                () = stop.cancelled() => break,
                () = failed.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let serving = connection(stream, router.clone(), app.stopping.clone());
                    connections.spawn(async move {
                        serving.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        app.stopping.cancel();
        connections.close();
        connections.wait().await;
        app.calls.close();
        app.calls.wait().await;
        // The ledger ends with its last handle.
        drop((router, app));
        let ended = tokio::task::spawn_blocking(move || ledger.join()).await;
        ended
            .map_err(|_| SandboxError::Ledger)?
            .map_err(|_| SandboxError::Ledger)?
    }
}

async fn load_faults(script: &Script, settings: &Settings) -> Result<(), SandboxError> {
    let Some(path) = &settings.faults else {
        return Ok(());
    };
    let wrong = |reason: String| SandboxError::FaultScript {
        path: path.clone(),
        reason,
    };
    let read = tokio::fs::read(path).await;
    let bytes = read.map_err(|source| SandboxError::FaultFile {
        path: path.clone(),
        source,
    })?;
    let rules = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let loaded = script.replace(rules);
    loaded.map_err(|error| wrong(format!("rule {}: {}", error.pointer, error.detail)))
}

async fn connection(stream: TcpStream, router: Router, stopping: CancellationToken) {
    // An answer is one small write; waiting to join it with a next one would only delay it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let service = service_fn(move |request| answer(router.clone(), request));
    let serving = server.serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match tokio::time::timeout(DRAIN_MAX, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers a request, or fails so that the connection is closed without an answer.
async fn answer(router: Router, request: Request<Incoming>) -> Result<Response<Body>, CutOff> {
    let request_id = request_id(&request);
    let mut request = request.map(Body::new);
    let received = ReceivedAt(clock::now_ns());
    request.extensions_mut().insert(received);
    let mut response = router.oneshot(request).await.unwrap_or_else(never);
    if response.extensions().get::<Cut>().is_some() {
        return Err(CutOff);
    }
    response.headers_mut().insert(REQUEST_ID, request_id);
    Ok(response)
}

/// The caller's, or a new one.
fn request_id(request: &Request<Incoming>) -> HeaderValue {
    let sent = request.headers().get(REQUEST_ID);
    let proper = sent.filter(|id| {
        let bytes = id.as_bytes();
        let is_visible = bytes.iter().all(u8::is_ascii_graphic);
        is_visible && (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len())
    });
    proper.cloned().unwrap_or_else(|| {
        let made = Uuid::new_v4().to_string();
        HeaderValue::from_str(&made).expect("a UUID is visible ASCII")
    })
}

fn never(never: Infallible) -> Response<Body> {
    match never {}
}

/// The fault script closed the connection.
#[derive(Debug, thiserror::Error)]
#[error("cut off by the fault script")]
struct CutOff;
