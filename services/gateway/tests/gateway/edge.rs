//! A gateway under test: its settings, its fakes, and requests to it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use argosy_events::{Envelope, Payload, fleet::v1::TimelineBatch, orders::v1::OrderApproved};
use argosy_gateway::{Api, router};
use argosy_shell::config::{Gateway, Secret, Shopify};
use argosy_store::Store;
use argosy_testkit::store::SharedModelStore;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::Value;
use tower::ServiceExt;

use crate::broker::Shared;

pub(crate) const OPERATOR: &str = "operator-token-of-32-characters!";
pub(crate) const WEBHOOK_SECRET: &str = "webhook-secret-of-32-characters!";
pub(crate) const WEBHOOK_SECRET_OLD: &str = "webhook-secret-before-rotation!!";

pub(crate) fn settings() -> Gateway {
    Gateway {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        source: "argosy://gateway".to_owned(),
        deadline: Duration::from_millis(4_500),
        body_bytes_max: 64 * 1_024,
        in_flight_max: 8,
        operator_token: Some(Secret::new(OPERATOR)),
        intake_token: None,
        approve_placed_orders: true,
        shopify: Shopify {
            secret: Some(Secret::new(WEBHOOK_SECRET)),
            secret_previous: Some(Secret::new(WEBHOOK_SECRET_OLD)),
        },
    }
}

/// A gateway with a fake broker and a model store.
pub(crate) struct Edge {
    pub(crate) broker: Shared,
    pub(crate) store: Arc<SharedModelStore>,
    pub(crate) router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Edge {
    pub(crate) fn new() -> Self {
        Self::with(settings())
    }

    pub(crate) fn with(settings: Gateway) -> Self {
        let (broker, store) = (Shared::default(), Arc::new(SharedModelStore::new()));
        let known: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let router = router(
            Api::new(settings, Arc::new(broker.clone()), known).expect("the secrets are usable"),
        );
        Self {
            broker,
            store,
            router,
        }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("a router does not fail");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("an answer ends");
        let body = match bytes.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&bytes).expect("every answer is JSON"),
        };
        Answer {
            status,
            headers,
            body,
        }
    }

    pub(crate) async fn get(&self, address: &str) -> Answer {
        self.ask(
            Request::get(address)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    /// Nothing was handed to the broker.
    pub(crate) fn assert_nothing_sent(&self) {
        assert!(self.broker.sent().is_empty(), "{:?}", self.broker.sent());
    }

    /// The business events of all batches.
    pub(crate) fn events(&self) -> Vec<(Envelope, Option<String>, OrderApproved)> {
        let messages = self.broker.sent().into_iter().flatten();
        let business = messages.filter(|message| &*message.topic == "argosy.order-events.v1");
        business
            .map(|message| {
                let envelope =
                    Envelope::read(&message.headers, &message.topic, 0, 0).expect("an envelope");
                let key = message
                    .key
                    .map(|key| String::from_utf8(key.to_vec()).expect("a key is text"));
                let value = message.value.expect("an event has a value");
                // OrderPlaced and OrderApproved have the same fields.
                let body = OrderApproved::decode(envelope.content_type.as_deref(), &value)
                    .expect("a body");
                (envelope, key, body)
            })
            .collect()
    }

    /// The steps of all batches.
    pub(crate) fn steps(&self) -> Vec<TimelineBatch> {
        let messages = self.broker.sent().into_iter().flatten();
        let steps = messages.filter(|message| &*message.topic == "argosy.timelines.v1");
        steps
            .map(|step| {
                TimelineBatch::decode(None, &step.value.expect("a value")).expect("a batch")
            })
            .collect()
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, kind: &str) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(
            self.headers[header::CONTENT_TYPE],
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(
            self.body["type"],
            format!("urn:argosy:problem:{kind}"),
            "{self:?}"
        );
        assert_eq!(self.body["status"], status, "{self:?}");
        assert!(
            self.body["title"].is_string() && self.body["detail"].is_string(),
            "{self:?}"
        );
        assert_eq!(self.headers["x-content-type-options"], "nosniff");
        assert!(self.headers.contains_key("x-request-id"));
    }

    /// Neither what was sent nor what the libraries and the machines inside say.
    #[track_caller]
    pub(crate) fn assert_speaks_of_no_internals(&self) {
        let text = self.body.to_string();
        for inside in [
            "Jane",
            "10.0.0.7",
            "struct",
            "expected",
            "invalid type",
            "deserialize",
            "target type",
            "wire type",
            "protobuf message",
            "Protobuf",
            "MessageSize",
        ] {
            assert!(!text.contains(inside), "{inside}: {text}");
        }
    }

    /// A 400 that names the field.
    #[track_caller]
    pub(crate) fn assert_invalid(&self, path: &str) {
        self.assert_problem(400, "invalid");
        assert_eq!(self.body["path"], path, "{self:?}");
    }
}
