//! Is the broker there? Without it the gateway can acknowledge nothing, so it is not ready.

use std::{sync::Arc, time::Duration};

use argosy_broker::Admin;
use argosy_shell::probes::{Health, Readiness};
use tokio_util::sync::CancellationToken;

/// From one look to the next.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The broker has so long to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The check's name in probes.
const INTAKE: &str = "intake";

/// Looks until `stop`.
pub(crate) async fn watch(admin: Arc<dyn Admin>, health: Health, stop: CancellationToken) {
    let look = async {
        loop {
            match admin.ping(ANSWER_MAX).await {
                Ok(()) => health.ready(INTAKE, Readiness::Ok, "the broker answers"),
                Err(error) => health.ready(INTAKE, Readiness::NotReady, error.to_string()),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    stop.run_until_cancelled(look).await;
}
