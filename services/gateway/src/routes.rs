//! The routes and what every request passes on its way to them.

use std::{fmt, sync::Arc, time::Duration};

use argosy_broker::Producer;
use argosy_shell::config::{Gateway, Secret};
use argosy_store::Store;
use argosy_vendors::shopify::{SecretError, WebhookSecrets};
use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    endpoints::{
        accept_event, dead_letter, dead_letters, effects, event_status, release_dead_letter,
        replay_dead_letter, resolve_effect, shopify_webhook, timeline,
    },
    intake::Intake,
    layers,
    problem::Problem,
};

/// The routes that take events in.
pub(crate) const INTAKES: [&str; 2] = [SHOPIFY, EVENTS];

const SHOPIFY: &str = "/webhooks/shopify";
const EVENTS: &str = "/v1/events";
const DEAD_LETTER: &str = "/v1/dead-letters/{worker}/{topic}/{partition}/{offset}";

/// What endpoints work with; clones share it.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    settings: Gateway,
    intake: Intake,
    store: Arc<dyn Store>,
    in_flight: Arc<Semaphore>,
    shopify: Option<WebhookSecrets>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// The producer's own message timeout must be the settings' deadline, so that nothing is written long after its
    /// request was answered.
    ///
    /// # Errors
    ///
    /// A webhook secret is empty.
    pub fn new(
        settings: Gateway,
        producer: Arc<dyn Producer>,
        store: Arc<dyn Store>,
    ) -> Result<Self, SecretError> {
        let in_flight = Arc::new(Semaphore::new(
            settings.in_flight_max.min(Semaphore::MAX_PERMITS),
        ));
        let exposed =
            |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let previous = exposed(&settings.shopify.secret_previous);
        let shopify = exposed(&settings.shopify.secret)
            .map(|current| WebhookSecrets::new(&current, previous.as_deref()))
            .transpose()?;
        Ok(Self(Arc::new(Inner {
            settings,
            intake: Intake::new(producer),
            store,
            in_flight,
            shopify,
        })))
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.0.intake
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    pub(crate) fn source(&self) -> &str {
        &self.0.settings.source
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.0.settings.deadline
    }

    pub(crate) fn body_bytes_max(&self) -> usize {
        self.0.settings.body_bytes_max
    }

    pub(crate) fn operator_token(&self) -> Option<&Secret> {
        self.0.settings.operator_token.as_ref()
    }

    pub(crate) fn intake_token(&self) -> Option<&Secret> {
        self.0.settings.intake_token.as_ref()
    }

    pub(crate) fn shopify_secrets(&self) -> Option<&WebhookSecrets> {
        self.0.shopify.as_ref()
    }

    pub(crate) fn approves_placed_orders(&self) -> bool {
        self.0.settings.approve_placed_orders
    }

    pub(crate) fn in_flight(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.in_flight)
    }
}

/// The routes, without probes.
pub fn router(api: Api) -> Router {
    let every_request = ServiceBuilder::new()
        .layer(from_fn(layers::measure))
        .layer(from_fn(layers::request_id))
        .layer(from_fn(layers::security_headers))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(api.clone(), layers::deadline))
        .layer(from_fn_with_state(api.clone(), layers::in_flight))
        .layer(DefaultBodyLimit::max(api.body_bytes_max()));
    Router::new()
        .route(SHOPIFY, post(shopify_webhook::endpoint))
        .route(EVENTS, post(accept_event::endpoint))
        .route("/v1/events/{id}", get(event_status::endpoint))
        .route("/v1/timelines/{correlation_id}", get(timeline::endpoint))
        .route("/v1/effects", get(effects::endpoint))
        .route("/v1/effects/resolve", post(resolve_effect::endpoint))
        .route("/v1/dead-letters", get(dead_letters::endpoint))
        .route(DEAD_LETTER, get(dead_letter::endpoint))
        .route(
            &format!("{DEAD_LETTER}/replay"),
            post(replay_dead_letter::endpoint),
        )
        .route(
            &format!("{DEAD_LETTER}/release"),
            post(release_dead_letter::endpoint),
        )
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("there is nothing at this address"))
        .layer(every_request)
        .with_state(api)
}
