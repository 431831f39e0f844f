//! The handler: does what its event tells it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argosy_events::orders::v1::{OrderApproved, OrderRouted};
use argosy_kernel::Death;
use argosy_outbound::Failure;
use argosy_runtime::{Context, Event, Handler, Needs, Outcome};
use argosy_vendors::supplier::Verdict;

use super::{
    deed::Deed,
    notes::{Notes, Seen},
    suppliers::{Class, Patience, draft, supplier},
};

/// See the module page.
#[derive(Debug)]
pub(super) struct Perform {
    group: &'static str,
    notes: Notes,
    /// Failures of this process by event.
    failed: Mutex<HashMap<Arc<str>, u32>>,
}

impl Perform {
    pub(super) fn new(group: &'static str, notes: Notes) -> Self {
        Self {
            group,
            notes,
            failed: Mutex::default(),
        }
    }

    fn fail(&self, event: &Arc<str>, times: u32) -> Result<(), Failure> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let before = failed.entry(Arc::clone(event)).or_default();
        if *before >= times {
            return Ok(());
        }
        *before += 1;
        Err(Failure::retry("told to fail"))
    }
}

impl Handler for Perform {
    type Body = OrderApproved;

    fn needs(&self, order: &Event<OrderApproved>) -> Needs {
        match Deed::of(order) {
            Ok(Deed::Call(class, patience)) if order.shop == self.group => {
                Needs::from_iter([supplier(class, patience).dependency])
            }
            _ => Needs::default(),
        }
    }

    async fn handle(
        &self,
        order: Event<OrderApproved>,
        cx: &mut Context,
    ) -> Result<Outcome, Failure> {
        if order.shop != self.group {
            return Ok(Outcome::Skipped("for another worker"));
        }
        let deed =
            Deed::of(&order).map_err(|error| Failure::dead(Death::Invalid, error.to_string()))?;
        let event = Arc::clone(&order.envelope.id);
        self.notes.write(Seen::Began, &event);
        match deed {
            Deed::Done => {}
            Deed::Call(class, patience) => call(&order, class, patience, cx).await?,
            Deed::Panic => panic!("told to panic"),
            Deed::Abort => std::process::abort(),
            Deed::NeverEnd => std::future::pending().await,
            Deed::Fail(times) => self.fail(&event, times)?,
            Deed::Last(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
        }
        self.notes.write(Seen::Done, &event);
        Ok(Outcome::Done)
    }
}

async fn call(
    order: &Event<OrderApproved>,
    class: Class,
    patience: Patience,
    cx: &mut Context,
) -> Result<(), Failure> {
    let reference = &*order.envelope.id;
    let calling = supplier(class, patience).draft(&draft(&order.order_id, reference));
    match cx.effect("draft-order", class.name(), calling).await? {
        Verdict::Taken(taken) => {
            cx.emit(OrderRouted {
                order_id: order.order_id.clone(),
                version: order.version,
                shop: order.shop.clone(),
                supplier: class.name().to_owned(),
                supplier_order_id: taken.order_id,
                reference: reference.to_owned(),
                line_ids: vec!["1".to_owned()],
            });
            Ok(())
        }
        Verdict::Refused(_) => Err(Failure::dead(
            Death::Refused,
            "the supplier refused the draft",
        )),
    }
}
