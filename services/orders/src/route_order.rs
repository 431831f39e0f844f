//! Routes an approved order: a draft and a confirmation at each supplier of its lines.

use argosy_events::orders::v1::{
    Line, OrderApproved, OrderRefused, OrderRouted, order_refused::RefusedLine,
};
use argosy_outbound::Failure;
use argosy_runtime::{Context, Event, Handler, Needs, Outcome};
use argosy_vendors::supplier::{Item, Metadata, NewOrder, Refusal, Supplier, Verdict};

use crate::{Routing, reference::reference};

/// The handler of approved orders.
#[derive(Debug)]
pub struct RouteOrder {
    routing: Routing,
}

impl RouteOrder {
    /// With the suppliers that lines go to.
    pub fn new(routing: Routing) -> Self {
        Self { routing }
    }
}

impl Handler for RouteOrder {
    type Body = OrderApproved;

    fn needs(&self, order: &Event<OrderApproved>) -> Needs {
        let split = self.routing.split(&order.lines).unwrap_or_default();
        split
            .into_values()
            .map(|(supplier, _)| supplier.dependency.clone())
            .collect()
    }

    async fn handle(
        &self,
        order: Event<OrderApproved>,
        cx: &mut Context,
    ) -> Result<Outcome, Failure> {
        let split = match self.routing.split(&order.lines) {
            Ok(split) if !split.is_empty() => split,
            Ok(_) => {
                cx.emit(refused(&order, "the order has no lines", &[]));
                return Ok(Outcome::Done);
            }
            Err(unserved) => {
                let reason = "no supplier serves every line of the order";
                cx.emit(refused(&order, reason, &unserved));
                return Ok(Outcome::Done);
            }
        };
        for (name, (supplier, lines)) in split {
            match place(&order, name, supplier, &lines, cx).await? {
                Verdict::Taken(routed) => cx.emit(routed),
                // Other suppliers' lines are still theirs to send.
                Verdict::Refused(refusal) => cx.emit(refused_by(&order, name, &lines, &refusal)),
            }
        }
        Ok(Outcome::Done)
    }
}

/// A draft and its confirmation at one supplier.
async fn place(
    order: &Event<OrderApproved>,
    name: &str,
    supplier: &Supplier,
    lines: &[&Line],
    cx: &mut Context,
) -> Result<Verdict<OrderRouted>, Failure> {
    let new_order = new_order(order, supplier, lines);
    let drafting = supplier.draft(&new_order);
    let draft = match cx.effect("draft-order", name, drafting).await? {
        Verdict::Taken(draft) => draft,
        Verdict::Refused(refusal) => return Ok(Verdict::Refused(refusal)),
    };
    let confirming = supplier.confirm(&draft);
    let confirmed = match cx.effect("confirm-order", name, confirming).await? {
        Verdict::Taken(confirmed) => confirmed,
        Verdict::Refused(refusal) => return Ok(Verdict::Refused(refusal)),
    };
    Ok(Verdict::Taken(OrderRouted {
        order_id: order.order_id.clone(),
        version: order.version,
        shop: order.shop.clone(),
        supplier: name.to_owned(),
        supplier_order_id: confirmed.order_id,
        reference: new_order.external_order_id,
        line_ids: lines.iter().map(|line| line.line_id.clone()).collect(),
    }))
}

fn new_order(order: &Event<OrderApproved>, supplier: &Supplier, lines: &[&Line]) -> NewOrder {
    let envelope = &order.envelope;
    let items = lines.iter().map(|line| Item {
        line_ref: line.line_id.clone(),
        supplier_sku: line.sku.clone(),
        quantity: line.quantity,
        // What a buyer pays says nothing of what a supplier may ask.
        max_unit_cost: None,
    });
    NewOrder {
        external_order_id: reference(
            &order.order_id,
            &envelope.source,
            &envelope.id,
            &supplier.name,
        ),
        items: items.collect(),
        ship_to: order.shipping_address.clone(),
        metadata: Metadata {
            order: order.order_id.clone(),
            sequence: order.version,
        },
    }
}

/// What the supplier said of its lines; a line that it does not name stands with those that it does.
fn refused_by(
    order: &OrderApproved,
    supplier: &str,
    lines: &[&Line],
    refusal: &Refusal,
) -> OrderRefused {
    let is_told_which = lines.iter().any(|line| refusal.names(&line.line_id));
    let of_line = |line: &&Line| {
        let is_named = !is_told_which || refusal.names(&line.line_id);
        RefusedLine {
            line_id: line.line_id.clone(),
            sku: line.sku.clone(),
            reason: if is_named {
                refusal.code.to_string()
            } else {
                "the supplier refuses another line of the order".into()
            },
        }
    };
    OrderRefused {
        order_id: order.order_id.clone(),
        version: order.version,
        shop: order.shop.clone(),
        reason: format!("{supplier} refuses: {refusal}"),
        lines: lines.iter().map(of_line).collect(),
        supplier: supplier.to_owned(),
    }
}

fn refused(order: &OrderApproved, reason: &str, unserved: &[&Line]) -> OrderRefused {
    let lines = unserved.iter().map(|line| RefusedLine {
        line_id: line.line_id.clone(),
        sku: line.sku.clone(),
        reason: if line.sku.is_empty() {
            "the line has no SKU".into()
        } else {
            "no supplier serves this SKU".into()
        },
    });
    OrderRefused {
        order_id: order.order_id.clone(),
        version: order.version,
        shop: order.shop.clone(),
        reason: reason.into(),
        lines: lines.collect(),
        supplier: String::new(),
    }
}
