//! Accepts connections, and ends in order: readiness first, then new connections, then requests under way.

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use argosy_broker::{Broker, BrokerError};
use argosy_shell::{
    config::Gateway,
    probes::{self, Health, ListenError, Readiness},
};
use argosy_store::Store;
use argosy_vendors::shopify::SecretError;
use axum::Router;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Api,
    connections::{CONNECTIONS_MAX, Connections},
    router,
    watch::watch,
};

/// How long new connections are still taken after readiness flipped, for those who have not looked yet.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

/// After the deadline of the last request, an answer has so long to be sent.
const LAST_ANSWER: Duration = Duration::from_secs(2);

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
        open_max: CONNECTIONS_MAX,
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
