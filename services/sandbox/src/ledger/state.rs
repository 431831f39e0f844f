//! One supplier's orders, and what its repeat class makes of a call. Pure: it is told the time.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    Answer, Change, Find, Found,
    memory::{Memory, Remembered},
};
use crate::{
    RepeatClass,
    draft_order::DraftOrder,
    order::{Order, OrderView, Status},
    receipt::{Effect, Operation, Receipt},
};

/// Orders kept per supplier; the oldest is forgotten, with its reference.
pub const ORDERS_KEPT_MAX: usize = 200_000;

/// Orders shown for one reference.
const FOUND_MAX: usize = 100;

/// What an accepted call leaves in its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) order_id: Arc<str>,
    pub(crate) our_reference: Arc<str>,
    pub(crate) aggregate_key: Option<Arc<str>>,
    pub(crate) sequence: Option<i64>,
    pub(crate) repeat: bool,
}

/// See the module page.
#[derive(Debug)]
pub(crate) struct Supplier {
    name: Arc<str>,
    class: RepeatClass,
    orders: HashMap<Arc<str>, Order>,
    by_reference: HashMap<Arc<str>, Vec<Arc<str>>>,
    oldest_first: VecDeque<Arc<str>>,
    memory: Memory,
    next: u64,
    warned: bool,
}

/// What the memory says of a call.
enum Recalled {
    /// Nothing: the call is new.
    New,
    /// It is the same call again.
    Same(Answer, Option<Accepted>),
    /// It cannot be taken.
    Refused(Answer),
}

impl Supplier {
    pub(crate) fn new(name: Arc<str>, class: RepeatClass) -> Self {
        Self {
            name,
            class,
            orders: HashMap::new(),
            by_reference: HashMap::new(),
            oldest_first: VecDeque::new(),
            memory: Memory::default(),
            next: 1,
            warned: false,
        }
    }

    /// Creates a draft, or recognises it.
    pub(crate) fn draft(
        &mut self,
        draft: &DraftOrder,
        change: &Change,
        now: i64,
    ) -> (Answer, Option<Accepted>) {
        if self.class == RepeatClass::Natural
            && let Some(known) = self
                .by_reference
                .get(&draft.our_reference)
                .and_then(|ids| ids.first())
        {
            let existing_order_id = Arc::clone(known);
            let accepted = self
                .orders
                .get(&existing_order_id)
                .map(|order| accepted(order, true));
            return (Answer::Duplicate { existing_order_id }, accepted);
        }
        match self.recalled(change, now) {
            Recalled::New => {}
            Recalled::Same(answer, accepted) => return (answer, accepted),
            Recalled::Refused(answer) => return (answer, None),
        }
        let order = Order {
            order_id: format!("{}-{}", self.name, self.next).into(),
            our_reference: Arc::clone(&draft.our_reference),
            aggregate_key: draft.aggregate_key.clone(),
            sequence: draft.sequence,
            drafted_at: now,
            confirmed_at: None,
        };
        self.next += 1;
        self.remember(change, &order.order_id, Status::Draft, now);
        let answer = Answer::Drafted(order.view());
        let accepted = accepted(&order, false);
        self.keep(order);
        (answer, Some(accepted))
    }

    /// Confirms an order, or recognises that it did.
    pub(crate) fn confirm(
        &mut self,
        order_id: &Arc<str>,
        change: &Change,
        now: i64,
    ) -> (Answer, Option<Accepted>) {
        match self.recalled(change, now) {
            Recalled::New => {}
            Recalled::Same(answer, accepted) => return (answer, accepted),
            Recalled::Refused(answer) => return (answer, None),
        }
        let Some(order) = self.orders.get_mut(order_id) else {
            return (Answer::NotFound, None);
        };
        if self.class == RepeatClass::Natural && order.confirmed_at.is_some() {
            return (Answer::Repeated(order.view()), Some(accepted(order, true)));
        }
        // Elsewhere a second confirmation happens again: the goods go out twice.
        order.confirmed_at = Some(now);
        let answer = Answer::Confirmed(order.view());
        let accepted = accepted(order, false);
        self.remember(change, order_id, Status::Accepted, now);
        (answer, Some(accepted))
    }

    /// Orders by their id or our reference. Without lookup nothing is found by reference.
    pub(crate) fn find(&self, find: &Find) -> Found {
        let orders: Vec<&Order> = match find {
            Find::Id(order_id) => self.orders.get(order_id).into_iter().collect(),
            Find::Reference(reference) => {
                let ids = self.by_reference.get(reference);
                let ids = ids.map(Vec::as_slice).unwrap_or_default();
                ids.iter()
                    .take(FOUND_MAX)
                    .filter_map(|id| self.orders.get(id))
                    .collect()
            }
        };
        Found {
            aggregate_key: orders.first().and_then(|order| order.aggregate_key.clone()),
            orders: orders.into_iter().map(Order::view).collect(),
        }
    }

    /// Takes a receipt of an earlier life.
    pub(crate) fn replay(&mut self, receipt: &Receipt) {
        if receipt.effect == Effect::Repeat {
            return;
        }
        let status = match receipt.operation {
            Operation::Draft => Status::Draft,
            Operation::Confirm => Status::Accepted,
            Operation::Lookup => return,
        };
        if status == Status::Draft {
            let number = receipt
                .order_id
                .rsplit('-')
                .next()
                .and_then(|number| number.parse::<u64>().ok());
            self.next = self.next.max(number.unwrap_or(0).saturating_add(1));
            self.keep(Order {
                order_id: Arc::clone(&receipt.order_id),
                our_reference: Arc::clone(&receipt.our_reference),
                aggregate_key: receipt.aggregate_key.clone(),
                sequence: receipt.sequence,
                drafted_at: receipt.applied_at,
                confirmed_at: None,
            });
        } else if let Some(order) = self.orders.get_mut(&receipt.order_id) {
            order.confirmed_at = Some(receipt.applied_at);
        }
        if let (RepeatClass::Remembered(_), Some(key)) = (self.class, &receipt.idempotency_key) {
            let call = Remembered {
                fingerprint: Arc::clone(&receipt.fingerprint),
                order_id: Arc::clone(&receipt.order_id),
                status,
                applied_at: receipt.applied_at,
            };
            self.memory.keep(Arc::clone(key), call);
        }
    }

    fn recalled(&mut self, change: &Change, now: i64) -> Recalled {
        let RepeatClass::Remembered(time) = self.class else {
            return Recalled::New;
        };
        let Some(key) = &change.idempotency_key else {
            return Recalled::Refused(Answer::KeyRequired);
        };
        let Some(known) = self.memory.recall(key, time, now) else {
            return Recalled::New;
        };
        if known.fingerprint != change.fingerprint {
            return Recalled::Refused(Answer::Mismatch);
        }
        let Some(order) = self.orders.get(&known.order_id) else {
            return Recalled::New;
        };
        let view: OrderView = order.view_at(known.status, known.applied_at);
        Recalled::Same(Answer::Repeated(view), Some(accepted(order, true)))
    }

    fn remember(&mut self, change: &Change, order_id: &Arc<str>, status: Status, now: i64) {
        if let (RepeatClass::Remembered(_), Some(key)) = (self.class, &change.idempotency_key) {
            let call = Remembered {
                fingerprint: Arc::clone(&change.fingerprint),
                order_id: Arc::clone(order_id),
                status,
                applied_at: now,
            };
            self.memory.keep(Arc::clone(key), call);
        }
    }

    fn keep(&mut self, order: Order) {
        if self.orders.len() >= ORDERS_KEPT_MAX
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            if !self.warned {
                tracing::warn!(vendor = %self.name, orders = ORDERS_KEPT_MAX, "the oldest orders are being forgotten");
                self.warned = true;
            }
            self.forget(&oldest);
        }
        let id = &order.order_id;
        let ids = self.by_reference.entry(Arc::clone(&order.our_reference));
        ids.or_default().push(Arc::clone(id));
        self.oldest_first.push_back(Arc::clone(id));
        self.orders.insert(Arc::clone(id), order);
    }

    fn forget(&mut self, order_id: &str) {
        let Some(order) = self.orders.remove(order_id) else {
            return;
        };
        if let Some(ids) = self.by_reference.get_mut(&order.our_reference) {
            ids.retain(|id| &**id != order_id);
            if ids.is_empty() {
                self.by_reference.remove(&order.our_reference);
            }
        }
    }
}

fn accepted(order: &Order, repeat: bool) -> Accepted {
    Accepted {
        order_id: Arc::clone(&order.order_id),
        our_reference: Arc::clone(&order.our_reference),
        aggregate_key: order.aggregate_key.clone(),
        sequence: order.sequence,
        repeat,
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
