//! Probes over HTTP: `/livez`, `/readyz`, `/startupz` (each with `?verbose`) and `/metrics`.
//!
//! A probe answers from memory: it never asks a broker, a store or a vendor, so it is as fast when they are down.

use std::{fmt::Write, net::SocketAddr};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::telemetry::Metrics;

mod health;

pub use health::{Asked, HEARTBEAT_AGE_MAX, Health, Line, Readiness};

/// An address cannot be listened on; `source()` keeps why.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen} for {what}; set another address with {key}")]
pub struct ListenError {
    listen: SocketAddr,
    what: &'static str,
    key: &'static str,
    source: std::io::Error,
}

/// Binds an address, or says which key to change.
///
/// # Errors
///
/// The address is in use or not ours.
pub async fn listen(
    listen: SocketAddr,
    what: &'static str,
    key: &'static str,
) -> Result<TcpListener, ListenError> {
    TcpListener::bind(listen)
        .await
        .map_err(|source| ListenError {
            listen,
            what,
            key,
            source,
        })
}

/// The routes, to be served alone or merged into another router.
pub fn router(health: Health, metrics: Metrics) -> Router {
    let probes = Router::new()
        .route("/livez", get(livez))
        .route("/healthz", get(livez))
        .route("/readyz", get(readyz))
        .route("/startupz", get(startupz))
        .with_state(health);
    let metrics = Router::new()
        .route("/metrics", get(render_metrics))
        .with_state(metrics);
    probes.merge(metrics)
}

/// Serves the routes until `stop`.
///
/// # Errors
///
/// The listener broke.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    axum::serve(listener, router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

async fn livez(State(health): State<Health>, uri: Uri) -> Response {
    answer("livez", &health.live(Instant::now()), &uri)
}

async fn readyz(State(health): State<Health>, uri: Uri) -> Response {
    answer("readyz", &health.readiness(Instant::now()), &uri)
}

async fn startupz(State(health): State<Health>, uri: Uri) -> Response {
    answer("startupz", &health.startup(), &uri)
}

async fn render_metrics(State(metrics): State<Metrics>) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], metrics.render()).into_response()
}

/// All lines if asked for, else only those that are not as they should be.
fn answer(probe: &str, lines: &[Line], uri: &Uri) -> Response {
    let is_verbose = uri
        .query()
        .is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    let fails = |line: &&Line| line.readiness == Readiness::NotReady;
    let status = match lines.iter().find(fails) {
        Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        None => StatusCode::OK,
    };
    let mut body = String::new();
    for line in lines.iter().filter(|line| is_verbose || fails(line)) {
        let (mark, word) = match line.readiness {
            Readiness::Ok => ('+', "ok"),
            Readiness::Degraded => ('~', "degraded"),
            Readiness::NotReady => ('-', "failed"),
        };
        let age = line.age.map_or_else(String::new, |age| {
            format!(" for {:.1} s", age.as_secs_f64())
        });
        writeln!(body, "[{mark}]{} {word}{age}: {}", line.name, line.detail)
            .expect("writing to a String does not fail");
    }
    let word = if status == StatusCode::OK {
        "passed"
    } else {
        "failed"
    };
    writeln!(body, "{probe} check {word}").expect("writing to a String does not fail");
    (status, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn body(response: Response) -> (StatusCode, String) {
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16)
            .await
            .unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn probe(lines: Vec<Line>, uri: &'static str) -> (StatusCode, String) {
        body(answer("probe", &lines, &Uri::from_static(uri))).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_heart_that_stops_for_thirty_seconds_fails_livez() {
        let health = Health::new();
        health.heartbeat("pump");
        tokio::time::advance(HEARTBEAT_AGE_MAX).await;
        let (status, _) = probe(health.live(Instant::now()), "/livez").await;
        assert_eq!(status, StatusCode::OK);
        tokio::time::advance(Duration::from_millis(1)).await;
        let (status, text) = probe(health.live(Instant::now()), "/livez").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            text.starts_with("[-]pump failed for 30.0 s: last turn\n"),
            "{text}"
        );
        health.retire("pump");
        let (status, _) = probe(health.live(Instant::now()), "/livez").await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_is_away_degrades_readiness_and_never_liveness() {
        let health = Health::new();
        health.heartbeat("pump");
        health.ready("broker", Readiness::Degraded, "no broker answers");
        tokio::time::advance(Duration::from_secs(5)).await;
        health.ready("broker", Readiness::Degraded, "no broker answers yet");
        let (status, text) = probe(health.readiness(Instant::now()), "/readyz?verbose").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            text,
            "[~]broker degraded for 5.0 s: no broker answers yet\nprobe check passed\n"
        );
        let (status, _) = probe(health.live(Instant::now()), "/livez").await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_ready_is_named_without_being_asked_to_be_verbose() {
        let health = Health::new();
        health.ready("broker", Readiness::Ok, "reachable");
        health.ask_ready("store", || {
            (Readiness::NotReady, "schema is old".to_owned())
        });
        let (status, text) = probe(health.readiness(Instant::now()), "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text, "[-]store failed: schema is old\nprobe check failed\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_draining_process_is_alive_and_not_ready() {
        let health = Health::new();
        health.started();
        health.draining();
        let (ready, _) = probe(health.readiness(Instant::now()), "/readyz").await;
        let (live, _) = probe(health.live(Instant::now()), "/livez").await;
        assert_eq!(
            (ready, live),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_is_started_once_it_says_so() {
        let health = Health::new();
        let (before, _) = probe(health.startup(), "/startupz").await;
        health.started();
        let (after, _) = probe(health.startup(), "/startupz?verbose").await;
        assert_eq!(
            (before, after),
            (StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK)
        );
    }
}
