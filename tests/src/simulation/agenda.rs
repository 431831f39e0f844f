//! What is yet to happen, in the order of its time; equal times in the order of scheduling, so that nothing is left to chance.

use std::{cmp::Reverse, collections::BinaryHeap};

use argosy_kernel::Time;

/// Pending events. The heap holds only keys: events are larger and stay where they are.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Reverse<(Time, u64, usize)>>,
    events: Vec<Option<E>>,
    free: Vec<usize>,
    scheduled: u64,
}

impl<E> Agenda<E> {
    /// Nothing to happen.
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            scheduled: 0,
        }
    }

    /// Schedules an event.
    pub(crate) fn add(&mut self, at: Time, event: E) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.events[slot] = Some(event);
                slot
            }
            None => {
                self.events.push(Some(event));
                self.events.len() - 1
            }
        };
        self.heap.push(Reverse((at, self.scheduled, slot)));
        self.scheduled += 1;
    }

    /// The next event and its time.
    pub(crate) fn next(&mut self) -> Option<(Time, E)> {
        let Reverse((at, _, slot)) = self.heap.pop()?;
        self.free.push(slot);
        let event = self.events[slot].take()?;
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_scheduled() {
        let mut agenda = Agenda::new();
        let at = |seconds| Time(Duration::from_secs(seconds));
        agenda.add(at(2), "b");
        agenda.add(at(1), "a");
        agenda.add(at(2), "c");
        let order: Vec<_> = std::iter::from_fn(|| agenda.next())
            .map(|(_, event)| event)
            .collect();
        assert_eq!(order, ["a", "b", "c"]);
    }
}
