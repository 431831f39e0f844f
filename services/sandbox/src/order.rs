//! A supplier's order: what the sandbox keeps of it, and how the contract shows it.

use std::sync::Arc;

use serde::Serialize;

use crate::clock;

/// What is kept of an order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) order_id: Arc<str>,
    pub(crate) our_reference: Arc<str>,
    pub(crate) aggregate_key: Option<Arc<str>>,
    pub(crate) sequence: Option<i64>,
    pub(crate) drafted_at: i64,
    pub(crate) confirmed_at: Option<i64>,
}

/// Where an order stands. The sandbox's orders go no further than this; the contract has more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Draft,
    Accepted,
}

/// An order as the contract shows it. `costs` is always null: the sandbox prices nothing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct OrderView {
    pub(crate) order_id: Arc<str>,
    pub(crate) external_order_id: Arc<str>,
    pub(crate) status: Status,
    pub(crate) shipments: [(); 0],
    pub(crate) costs: Option<()>,
    pub(crate) updated_at: String,
}

impl Order {
    /// As it stands now.
    pub(crate) fn view(&self) -> OrderView {
        match self.confirmed_at {
            None => self.view_at(Status::Draft, self.drafted_at),
            Some(at) => self.view_at(Status::Accepted, at),
        }
    }

    /// As it stood when a call was answered: a remembered answer does not move on with the order.
    pub(crate) fn view_at(&self, status: Status, at_ns: i64) -> OrderView {
        OrderView {
            order_id: Arc::clone(&self.order_id),
            external_order_id: Arc::clone(&self.our_reference),
            status,
            shipments: [],
            costs: None,
            updated_at: clock::rfc3339(at_ns),
        }
    }
}
