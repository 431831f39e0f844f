//! The worker `vetting`: files each placed order with an office that vets orders, and approves or refuses the order by
//! what the office says. docs/adding-a-worker.md quotes it.

use argosy_events::orders::v1::{OrderApproved, OrderPlaced, OrderRefused};
use argosy_kernel::Death;
use argosy_outbound::Failure;
use argosy_runtime::{Context, Event, Handler, Needs, Outcome, Worker};

use crate::office::Office;

/// The worker, with its office.
pub(crate) fn worker(office: Office) -> Worker {
    Worker::new("vetting").on(VetOrder { office })
}

struct VetOrder {
    office: Office,
}

impl Handler for VetOrder {
    type Body = OrderPlaced;

    fn needs(&self, _: &Event<OrderPlaced>) -> Needs {
        Needs::from_iter([self.office.dependency.clone()])
    }

    async fn handle(
        &self,
        order: Event<OrderPlaced>,
        cx: &mut Context,
    ) -> Result<Outcome, Failure> {
        if order.lines.is_empty() {
            return Ok(Outcome::Skipped("the order has no lines"));
        }
        let Some(total) = &order.total else {
            let message = "total is missing: the office vets amounts, publish the order with one";
            return Err(Failure::dead(Death::Invalid, message));
        };
        let filing = self.office.file_case(&order.order_id, total);
        let case = cx.effect("file-case", &order.order_id, filing).await?;
        if case.is_risky {
            cx.emit(OrderRefused {
                order_id: order.order_id.clone(),
                version: order.version,
                shop: order.shop.clone(),
                reason: format!("the office finds it risky, case {}", case.case_id),
                ..OrderRefused::default()
            });
        } else {
            cx.emit(OrderApproved::from(order.body));
        }
        Ok(Outcome::Done)
    }
}
