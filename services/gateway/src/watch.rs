//! Is the broker there? Without it the gateway can acknowledge nothing, so it is not ready.

use std::{sync::Arc, time::Duration};

use argosy_broker::Admin;
use argosy_shell::probes::{Health, Readiness};
use tokio_util::sync::CancellationToken;

use crate::telemetry;

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
                Err(error) => {
                    // Probes are open to anybody: what the client says is for the log.
                    telemetry::BrokerAway { error: &error }.emit();
                    let told = "the broker does not answer: see the log";
                    health.ready(INTAKE, Readiness::NotReady, told);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    stop.run_until_cancelled(look).await;
}
