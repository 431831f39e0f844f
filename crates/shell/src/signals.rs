//! Signals: the first one drains, the second one ends the process, and no drain is longer than [`SHUTDOWN_MAX`].

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// A drain that takes longer is cut off.
pub const SHUTDOWN_MAX: Duration = Duration::from_secs(50);

/// SIGTERM and SIGINT, listened to from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// The operating system has no room for the handler.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Cancels `stop` at the first signal and then answers why the drain must be cut off. Dropped as soon as the
    /// process is drained, which is how it ends as a rule. A `stop` that something else cancelled starts the
    /// drain's limit just the same.
    pub async fn supervise(mut self, stop: CancellationToken) -> Exit {
        tokio::select! {
            () = self.next() => {
                tracing::info!("signal received: draining; a second one ends the process at once");
                stop.cancel();
            }
            () = stop.cancelled() => {}
        }
        tokio::select! {
            () = self.next() => Exit::Interrupted,
            () = tokio::time::sleep(SHUTDOWN_MAX) => Exit::Overran,
        }
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
