//! The neutral supplier contract: orders by draft and confirmation, found again by our reference.
//!
//! The contract is written down in `contracts/supplier/`. Invariant: a draft names our reference, so that whether it
//! happened can be asked; an order that the supplier already holds under it is ours and counts as drafted, and an answer
//! about any other order counts as none.

use std::sync::Arc;

use argosy_events::orders::v1::{Address, Money};
use argosy_outbound::{Call, Dependency, Lookup, Method, Read, Repeat, Request};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

mod answer;
mod body;
mod path;
mod problem;

pub use problem::{Code, Fault, Refusal, Verdict};

/// A supplier as this fleet knows it.
#[derive(Clone, Debug)]
pub struct Supplier {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its account.
    pub dependency: Dependency,
    /// What a second identical call does there.
    pub repeat: Repeat,
    /// It can be asked for orders by our reference and by its own id.
    pub has_lookup: bool,
}

/// An order to be drafted.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOrder {
    /// Our reference: the same for the same event and supplier, and no other's.
    pub external_order_id: String,
    /// What is ordered; at least one.
    pub items: Vec<Item>,
    /// Where it goes.
    pub ship_to: Option<Address>,
    /// What lets a supplier's books be compared with ours.
    pub metadata: Metadata,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Our line's id.
    pub line_ref: String,
    /// The supplier's stock keeping unit.
    pub supplier_sku: String,
    /// How many; at least 1.
    pub quantity: u32,
    /// The supplier refuses to charge more for one.
    pub max_unit_cost: Option<Money>,
}

/// Which of our events an order stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Metadata {
    /// The key of the event's aggregate.
    pub order: String,
    /// The event's place among those of its aggregate.
    pub sequence: i64,
}

/// A draft that the supplier holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The supplier's own id.
    pub order_id: String,
}

/// An order that the supplier has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The supplier's own id.
    pub order_id: String,
    /// Where it stands: any status but draft, rejected and cancelled.
    pub status: String,
}

impl Supplier {
    /// Drafts an order. Nothing is delivered or charged before it is confirmed.
    pub fn draft(&self, order: &NewOrder) -> Call<Verdict<Draft>> {
        let find = format!(
            "/v1/orders?external_order_id={}",
            path::encoded(&order.external_order_id)
        );
        let reference: Arc<str> = order.external_order_id.as_str().into();
        let sought = Arc::clone(&reference);
        Call {
            dependency: self.dependency.clone(),
            operation: "draft-order",
            repeat: self.repeat,
            cost: 1,
            request: post("/v1/orders".to_owned(), body::draft(order)),
            read: Read::new(move |response| answer::draft(response, &reference)),
            lookup: self.has_lookup.then(|| Lookup {
                request: get(find),
                read: Read::new(move |response| answer::found_draft(response, &sought)),
            }),
        }
    }

    /// Confirms a draft: from here on it is delivered and charged.
    pub fn confirm(&self, draft: &Draft) -> Call<Verdict<Confirmed>> {
        let order = format!("/v1/orders/{}", path::encoded(&draft.order_id));
        let (asked, sought) = (draft.clone(), draft.clone());
        Call {
            dependency: self.dependency.clone(),
            operation: "confirm-order",
            repeat: self.repeat,
            cost: 1,
            request: post(format!("{order}/confirm"), Bytes::from_static(b"{}")),
            read: Read::new(move |response| answer::confirmed(response, &asked)),
            lookup: self.has_lookup.then(|| Lookup {
                request: get(order),
                read: Read::new(move |response| answer::found_confirmed(response, &sought)),
            }),
        }
    }
}

fn post(path: String, body: Bytes) -> Request {
    let headers = vec![
        header("content-type", "application/json"),
        header("accept", "application/json"),
    ];
    Request {
        method: Method::Post,
        path,
        headers,
        body,
    }
}

fn get(path: String) -> Request {
    Request {
        method: Method::Get,
        path,
        headers: vec![header("accept", "application/json")],
        body: Bytes::new(),
    }
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
