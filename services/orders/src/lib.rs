//! The worker `orders`: sends the lines of an approved order to their suppliers.
//!
//! # Behaviour
//!
//! * Lines go to suppliers by SKU patterns ([`Routing`]). An order with a line that no supplier serves, or without
//!   lines, is refused as a whole with `OrderRefused`, which names the lines; nothing is sent to anybody.
//! * Each supplier of an order gets one draft and one confirmation, effects keyed by the supplier's name, in the order
//!   of the suppliers' names; `OrderRouted` says so per supplier.
//! * Our reference at a supplier is the same for the same event, and another for another event of the same order.
//! * A supplier's own refusal (out of stock, address invalid) is final: `OrderRefused` names its lines, and the lines
//!   of other suppliers are sent all the same. A refusal that says our request is wrong is a dead event.
#![warn(missing_docs)]

mod reference;
mod route_order;
mod routing;

pub use route_order::RouteOrder;
pub use routing::{PatternFault, Route, Routing, RoutingFault, RoutingFaults};

use argosy_runtime::Worker;

/// The worker's name, and its consumer group.
pub const NAME: &str = "orders";

/// The worker, with its suppliers.
pub fn worker(routing: Routing) -> Worker {
    Worker::new(NAME).on(RouteOrder::new(routing))
}
