//! Telemetry: log lines on stderr, metrics for `/metrics`. Installed once, by the binary.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, Telemetry};

mod json;

/// Boundaries of what is measured in seconds.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];
/// Boundaries of what is counted.
const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];
/// Histograms are folded this often, so that memory stays bounded when nobody scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Telemetry could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one; configuration checks it before.
    #[error("telemetry.filter is no filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else in this process has installed telemetry.
    #[error("telemetry is installed already")]
    Installed,
    /// The metrics' boundaries are refused: a bug.
    #[error("metrics cannot be built: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// What the process has measured; clones share it.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// In Prometheus' text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Folds histograms until `stop`.
    pub async fn upkeep(self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY))
            .await
            .is_some()
        {
            self.0.run_upkeep();
        }
    }
}

/// Installs logs and metrics. `process` says what runs here (`gateway`, `worker orders`) and stands in every line.
///
/// # Errors
///
/// See [`TelemetryError`].
pub fn install(telemetry: &Telemetry, process: &str) -> Result<Metrics, TelemetryError> {
    let filter = EnvFilter::try_new(&telemetry.filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    let installed = match telemetry.format {
        LogFormat::Json => registry.with(json::JsonLines::new(process)).try_init(),
        LogFormat::Text => registry
            .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
            .try_init(),
    };
    installed.map_err(|_| TelemetryError::Installed)?;
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &COUNTS)?
        .build_recorder();
    let metrics = Metrics(recorder.handle());
    metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::Installed)?;
    Ok(metrics)
}
