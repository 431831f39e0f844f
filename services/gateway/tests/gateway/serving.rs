//! A gateway on a socket: bounds of the connection, probes beside it, and its end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use argosy_broker::BrokerError;
use argosy_gateway::{Parts, serve};
use argosy_shell::probes::{Health, Readiness};
use argosy_testkit::store::SharedModelStore;
use axum::Router;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    broker::{Mood, Shared},
    edge::settings,
};

/// Longest wait for anything in these tests.
const SOON: Duration = Duration::from_secs(20);

struct Served {
    broker: Shared,
    health: Health,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<Result<(), String>>,
}

async fn served() -> Served {
    let (broker, health, stop) = (Shared::default(), Health::new(), CancellationToken::new());
    let parts = Parts {
        broker: Arc::new(broker.clone()),
        store: Arc::new(SharedModelStore::new()),
        health: health.clone(),
        probes: Router::new().route("/livez", axum::routing::get(async || "alive")),
    };
    let (tell, told) = oneshot::channel();
    let until = stop.clone();
    let served = TaskTracker::new().spawn(async move {
        let listening = |address| tell.send(address).expect("the test waits for it");
        serve(settings(), parts, listening, until)
            .await
            .map_err(|error| error.to_string())
    });
    let address = timeout(SOON, told)
        .await
        .expect("it listens soon")
        .expect("it listens");
    Served {
        broker,
        health,
        address,
        stop,
        served,
    }
}

impl Served {
    async fn send(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("it accepts");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        stream
    }

    async fn stopped(self) {
        self.stop.cancel();
        timeout(SOON, self.served)
            .await
            .expect("it ends soon")
            .expect("it does not panic")
            .expect("it ends well");
    }
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    timeout(SOON, stream.read_to_string(&mut text))
        .await
        .expect("it answers soon")
        .expect("an answer is text");
    text
}

const EVENT: &str = "POST /v1/events HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
    ce-id: a\r\nce-type: argosy.orders.v1.OrderPlaced\r\ncontent-length: 43\r\n\r\n\
    {\"orderId\":\"1\",\"shop\":\"s\",\"currency\":\"EUR\"}";

#[tokio::test]
async fn events_and_probes_are_served_on_one_address() {
    let served = served().await;
    let event = answer(served.send(EVENT).await).await;
    assert!(event.starts_with("HTTP/1.1 202 "), "{event}");
    let probe = answer(
        served
            .send("GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await,
    )
    .await;
    assert!(probe.ends_with("alive"), "{probe}");
    let timeouts = served.broker.0.timeouts.lock().unwrap().clone();
    assert_eq!(
        timeouts,
        [settings().deadline],
        "the producer gives up when the caller is answered"
    );
    served.stopped().await;
}

#[tokio::test]
async fn too_many_or_too_long_headers_are_refused() {
    let served = served().await;
    let many: String = (0..100).map(|n| format!("x-{n}: 1\r\n")).collect();
    let refused = answer(
        served
            .send(&format!("GET /livez HTTP/1.1\r\nhost: a\r\n{many}\r\n"))
            .await,
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
    let long = "x".repeat(70_000);
    let refused = answer(
        served
            .send(&format!(
                "GET /livez HTTP/1.1\r\nhost: a\r\nx-long: {long}\r\n\r\n"
            ))
            .await,
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
    served.stopped().await;
}

#[tokio::test]
async fn what_is_not_http_ends_the_connection_and_nothing_else() {
    let served = served().await;
    let refused = answer(served.send("\u{0}\u{1} nonsense\r\n\r\n").await).await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert!(
        answer(served.send(EVENT).await)
            .await
            .starts_with("HTTP/1.1 202 ")
    );
    served.stopped().await;
}

#[tokio::test]
async fn at_the_end_readiness_flips_first_and_requests_under_way_finish() {
    let served = served().await;
    served.broker.mood(Mood::Hangs);
    let under_way = served.send(EVENT).await;
    until(|| !served.broker.sent().is_empty()).await;
    served.stop.cancel();
    until(|| {
        let lines = served.health.readiness(Instant::now());
        lines
            .iter()
            .any(|line| line.name == "process" && line.readiness == Readiness::NotReady)
    })
    .await;
    let finished = answer(under_way).await;
    assert!(
        finished.starts_with("HTTP/1.1 503 "),
        "answered at its deadline, not cut off: {finished}"
    );
    served.stopped().await;
}

#[tokio::test]
async fn while_leaving_each_answer_is_its_connections_last() {
    let served = served().await;
    let mut stream = served.send("").await;
    served.stop.cancel();
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let last = answer(stream).await;
    assert!(last.to_lowercase().contains("connection: close"), "{last}");
    assert!(last.ends_with("alive"), "{last}");
    served.stopped().await;
}

#[tokio::test]
async fn a_gateway_whose_broker_is_away_is_not_ready() {
    let served = served().await;
    let intake = || {
        let lines = served.health.readiness(Instant::now());
        lines
            .iter()
            .find(|line| line.name == "intake")
            .map(|line| (line.readiness, line.detail.clone()))
    };
    let is = |wanted: Readiness| intake().is_some_and(|(found, _)| found == wanted);
    until(|| is(Readiness::Ok)).await;
    served.broker.mood(Mood::Fails(BrokerError::Unavailable(
        "BrokerTransportFailure (Local)".to_owned(),
    )));
    until(|| is(Readiness::NotReady)).await;
    let (_, told) = intake().expect("it was asked");
    assert_eq!(
        told, "the broker does not answer: see the log",
        "probes are open to anybody"
    );
    served.broker.mood(Mood::Acknowledges);
    until(|| is(Readiness::Ok)).await;
    served.stopped().await;
}

/// Looks again whenever other tasks have had a turn, until it holds.
async fn until(holds: impl Fn() -> bool + Send + Sync) {
    let look = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, look).await.expect("it comes to hold soon");
}
