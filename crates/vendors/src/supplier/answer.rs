//! What a supplier's answers mean.
//!
//! Invariant: a good status whose body is not what the contract says is ambiguous; only the contract's own words make
//! an order drafted, confirmed, or found, and only of the order that was asked about.

use argosy_events::{
    Invalid,
    json::{self, Object},
};
use argosy_kernel::Death;
use argosy_outbound::{
    Class, Decision, Failure, Response, classified, classify_status, unreadable,
};
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{
    Confirmed, Draft,
    problem::{Code, Problem, Refusal, Verdict},
};

/// Longest id that a supplier may give an order, in characters.
const ORDER_ID_CHARS_MAX: usize = 255;

/// An order, as far as it is used.
#[derive(Deserialize)]
struct Order {
    order_id: String,
    external_order_id: String,
    status: Status,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Draft,
    Received,
    Accepted,
    Rejected,
    Shipped,
    Delivered,
    Cancelled,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Object<Order>>,
    next_cursor: Option<IgnoredAny>,
}

/// 201, 200 (a repeat that the supplier remembers), or 409 `duplicate_order` (a repeat that it recognises).
pub(super) fn draft(response: &Response, reference: &str) -> Result<Verdict<Draft>, Failure> {
    let problem = match classify_status(response) {
        Ok(()) => {
            let order = under_reference(body(response)?, reference, response)?;
            return drafted(order.order_id, response);
        }
        Err(_) => Problem::read(response),
    };
    match (problem.code(), &problem.existing_order_id) {
        (Code::DuplicateOrder, Some(existing)) if response.status == 409 => {
            drafted(existing.clone(), response)
        }
        _ => problem.verdict(response),
    }
}

fn drafted(id: String, response: &Response) -> Result<Verdict<Draft>, Failure> {
    let order_id = order_id(id, response)?;
    Ok(Verdict::Taken(Draft { order_id }))
}

/// 200, also for a repeat.
pub(super) fn confirmed(response: &Response, draft: &Draft) -> Result<Verdict<Confirmed>, Failure> {
    if classify_status(response).is_err() {
        return Problem::read(response).verdict(response);
    }
    taken(body(response)?, draft, response)?
        .ok_or_else(|| unreadable(response, "a confirmed order is still shown as a draft"))
}

/// Orders under our reference: none, one, or a matter for a human.
pub(super) fn found_draft(
    response: &Response,
    reference: &str,
) -> Result<Option<Verdict<Draft>>, Failure> {
    if classify_status(response).is_err() {
        return Err(lookup_failure(response));
    }
    let Page { items, next_cursor } = body(response)?;
    if next_cursor.is_some() {
        // Whether ours is among the rest is not known.
        let message = "the orders under our reference are more than one page";
        return Err(unreadable(response, message));
    }
    let mut orders = items
        .into_iter()
        .map(|Object(order)| under_reference(order, reference, response))
        .collect::<Result<Vec<_>, _>>()?;
    if orders.len() > 1 {
        let message = format!(
            "{} orders stand under our reference; cancel all but one and resolve the effect",
            orders.len()
        );
        let failure = classified(Class::Permanent, response.status, message);
        return Err(failure.with_decision(Decision::Dead(Death::Ambiguous)));
    }
    orders
        .pop()
        .map(|order| drafted(order.order_id, response))
        .transpose()
}

/// Whether an order is past its draft.
pub(super) fn found_confirmed(
    response: &Response,
    draft: &Draft,
) -> Result<Option<Verdict<Confirmed>>, Failure> {
    if classify_status(response).is_err() {
        return Err(lookup_failure(response));
    }
    taken(body(response)?, draft, response)
}

/// The order, if it is the one that has our reference.
fn under_reference(order: Order, reference: &str, response: &Response) -> Result<Order, Failure> {
    if order.external_order_id != reference {
        let message = "the supplier answers with an order of another external_order_id";
        return Err(unreadable(response, message));
    }
    Ok(order)
}

/// The order that was drafted, if the supplier has taken it; `None` while it is a draft.
fn taken(
    order: Order,
    draft: &Draft,
    response: &Response,
) -> Result<Option<Verdict<Confirmed>>, Failure> {
    if order.order_id != draft.order_id {
        let message = "the supplier answers with an order of another order_id";
        return Err(unreadable(response, message));
    }
    let status = match order.status {
        Status::Draft => return Ok(None),
        Status::Rejected | Status::Cancelled => {
            return Ok(Some(Verdict::Refused(Refusal::new(Code::OrderClosed))));
        }
        Status::Received => "received",
        Status::Accepted => "accepted",
        Status::Shipped => "shipped",
        Status::Delivered => "delivered",
    };
    Ok(Some(Verdict::Taken(Confirmed {
        order_id: order.order_id,
        status: status.to_owned(),
    })))
}

/// A refusal to look up says nothing of the effect: that stays unknown.
fn lookup_failure(response: &Response) -> Failure {
    let failure = Problem::read(response).failure(response);
    match failure.class {
        Some(Class::Permanent) => failure.with_decision(Decision::Dead(Death::Ambiguous)),
        _ => failure,
    }
}

/// An id that can stand in a path.
fn order_id(id: String, response: &Response) -> Result<String, Failure> {
    let is_usable = !matches!(&*id, "" | "." | "..")
        && id.chars().count() <= ORDER_ID_CHARS_MAX
        && !id.chars().any(char::is_control);
    if !is_usable {
        return Err(unreadable(
            response,
            "the supplier's order_id is empty, too long or no plain text",
        ));
    }
    Ok(id)
}

fn body<T: DeserializeOwned>(response: &Response) -> Result<T, Failure> {
    json::read(&response.body, "body").map_err(|Invalid { path, message }| {
        let message = format!("the answer is not what the contract says: {path} {message}");
        unreadable(response, message)
    })
}
