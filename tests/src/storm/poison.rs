//! Poison in a storm: which orders are poison, what may be expected while keys are held, and what must be dead.
//!
//! Invariant: it is drawn from the seed alone, and judged by what was accepted and what an operator's commands say.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use argosy_broker::{
    Broker as _, Message, Producer,
    kafka::{Kafka, KafkaSettings},
};
use argosy_events::catalogue::ORDER_EVENTS;
use argosy_testkit::random::Random;

use super::{
    judge::{Accepted, OPERATIONS},
    load::{LoadSettings, event_id},
    receipts::Receipt,
};
use crate::{
    letters::Letter,
    poisoned_orders::{WAYS, Way},
};

/// Each order that ends its process takes four processes with it at most, and a process's partitions stand still for the
/// session timeout: so many a minute leave room for the storm's own faults.
const ENDING_A_MINUTE: f64 = 1.0;

const ACKNOWLEDGED_MAX: Duration = Duration::from_secs(8);

/// Told at most of each kind.
const TOLD_MAX: usize = 20;

/// Which of so many events are poison: this share of them, in all ways by turns, but for those that end their process.
pub(super) fn drawn(seed: u64, events: usize, percent: f64, minutes: f64) -> BTreeMap<usize, Way> {
    let mut random = Random::new(seed ^ 0x901_507);
    let mut drawn = BTreeMap::new();
    let wanted = (events as f64 * percent / 100.0).round() as usize;
    let wanted = wanted.min(events);
    let ending = (minutes * ENDING_A_MINUTE).ceil() as usize;
    let ending = ending.min(wanted / WAYS.len());
    // Evenly over the storm, or two of them would take each other's turns to run alone.
    for n in 0..ending {
        drawn.insert((events * (2 * n + 1)) / (2 * ending), Way::EndsProcess);
    }
    let others = [Way::Panics, Way::Invalid, Way::NeverEnds];
    let mut turns = others.into_iter().cycle();
    while drawn.len() < wanted {
        let number = random.index(events);
        if let (false, Some(way)) = (drawn.contains_key(&number), turns.next()) {
            drawn.insert(number, way);
        }
    }
    drawn
}

/// For what the gateway refuses.
pub(super) fn producer(settings: &LoadSettings) -> anyhow::Result<Option<Arc<dyn Producer>>> {
    if settings.poison.is_empty() {
        return Ok(None);
    }
    let broker = Kafka::new(KafkaSettings::new(&settings.bootstrap))?;
    Ok(Some(broker.producer("argosy-storm", ACKNOWLEDGED_MAX)?))
}

/// An order as the gateway would write it.
pub(super) fn message(source: &str, id: &str, order: &str, body: &str) -> Message {
    let headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", id),
        ("ce_source", source),
        ("ce_type", "argosy.orders.v1.OrderApproved"),
        ("ce_correlationid", order),
        ("content-type", "application/json"),
    ];
    Message {
        topic: ORDER_EVENTS.into(),
        partition: None,
        key: Some(order.to_owned().into()),
        value: Some(body.to_owned().into()),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned().into()))
            .collect(),
    }
}

/// The first poison of each key: what comes after it is held until it is released.
pub(super) fn firsts(accepted: &[Accepted]) -> HashMap<&str, i64> {
    let mut firsts: HashMap<&str, i64> = HashMap::new();
    for event in accepted.iter().filter(|event| event.poison.is_some()) {
        let first = firsts.entry(&event.key).or_insert(event.sequence);
        *first = event.sequence.min(*first);
    }
    firsts
}

/// Calls that must be applied: of all that is no poison, and is not held or no longer.
pub(super) fn calls_asked(accepted: &[Accepted], released: bool) -> usize {
    let firsts = firsts(accepted);
    let runs = |event: &&Accepted| {
        let first = firsts.get(&*event.key);
        event.poison.is_none() && (released || first.is_none_or(|first| event.sequence < *first))
    };
    let asked = accepted.iter().filter(runs);
    asked
        .map(|event| event.suppliers.len() * OPERATIONS.len())
        .sum()
}

/// What ran behind a dead record before it was released.
pub(super) fn ran_though_held(
    accepted: &[Accepted],
    receipts: &[Receipt],
    released_at: u64,
) -> Vec<String> {
    let firsts = firsts(accepted);
    let early = receipts.iter().filter(|receipt| {
        let first = firsts.get(&*receipt.aggregate_key);
        receipt.received_at < released_at && first.is_some_and(|first| receipt.sequence > *first)
    });
    early
        .take(TOLD_MAX)
        .map(|receipt| {
            format!(
                "order {} event {} ran though its key is held",
                receipt.aggregate_key, receipt.sequence
            )
        })
        .collect()
}

/// What is wrong with those that hold a key before anything is released: the first poison of each key does, and no other.
pub(super) fn wrong_holds(accepted: &[Accepted], held: &[Letter]) -> Vec<String> {
    let firsts = firsts(accepted);
    let wanted: Vec<String> = firsts
        .iter()
        .map(|(key, sequence)| event_id(key, *sequence))
        .collect();
    let missing = wanted
        .iter()
        .filter(|event| held.iter().all(|letter| letter.event != **event))
        .map(|event| format!("{event} is poison, and holds no key"));
    let strangers = held
        .iter()
        .filter(|letter| !wanted.contains(&letter.event))
        .map(|letter| format!("{} holds its key, dead of {}", letter.event, letter.cause));
    missing.chain(strangers).take(TOLD_MAX).collect()
}

/// What is wrong with the dead in the end: each poison is, of its cause, and nobody else; nothing is held.
pub(super) fn wrong_deaths(accepted: &[Accepted], letters: &[Letter]) -> Vec<String> {
    let mut poison: HashMap<String, (Way, bool)> = accepted
        .iter()
        .filter_map(|event| {
            let way = event.poison?;
            Some((event_id(&event.key, event.sequence), (way, false)))
        })
        .collect();
    let mut wrong = Vec::new();
    for letter in letters {
        let Letter {
            event,
            state,
            cause,
            is_held,
            ..
        } = letter;
        match poison.get_mut(event) {
            None => wrong.push(format!("{event} is {state} of {cause}, and is no poison")),
            Some((way, is_found)) => {
                *is_found = true;
                if cause != way.cause() || state != "dead" || *is_held {
                    wrong.push(format!(
                        "{event} ({}) is {state} of {cause}, held: {is_held}",
                        way.name()
                    ));
                }
            }
        }
    }
    let alive = poison.into_iter().filter(|(_, (_, is_found))| !is_found);
    wrong.extend(alive.map(|(event, (way, _))| format!("{event} ({}) is not dead", way.name())));
    wrong.truncate(TOLD_MAX);
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(key: &str, sequence: i64, poison: Option<Way>) -> Accepted {
        Accepted {
            key: key.into(),
            sequence,
            suppliers: vec!["a".into()],
            at: 0,
            poison,
        }
    }

    fn letter(event: &str, cause: &str, is_held: bool) -> Letter {
        Letter {
            id: String::new(),
            event: event.into(),
            state: "dead".into(),
            cause: cause.into(),
            deaths: 1,
            is_held,
            is_asked: false,
        }
    }

    fn story() -> Vec<Accepted> {
        vec![
            accepted("k", 1, None),
            accepted("k", 2, Some(Way::Panics)),
            accepted("k", 3, None),
            accepted("k", 4, Some(Way::Invalid)),
            accepted("l", 1, None),
        ]
    }

    #[test]
    fn a_percent_of_the_events_is_poison_in_every_way_and_the_same_seed_draws_the_same() {
        for seed in 0..20 {
            for (events, minutes) in [(4_000, 1.0), (20_000, 5.0)] {
                let poison = drawn(seed, events, 1.0, minutes);
                assert_eq!(poison.len(), events / 100);
                assert!(WAYS.iter().all(|way| poison.values().any(|one| one == way)));
                let ending = poison.values().filter(|way| **way == Way::EndsProcess);
                assert_eq!(ending.count(), minutes as usize);
                assert_eq!(poison, drawn(seed, events, 1.0, minutes));
            }
        }
        assert!(drawn(1, 4_000, 0.0, 1.0).is_empty() && drawn(1, 0, 1.0, 1.0).is_empty());
        assert_eq!(drawn(1, 10, 100.0, 1.0).len(), 10);
    }

    #[test]
    fn what_is_behind_the_first_poison_of_its_key_is_asked_only_when_it_is_released() {
        assert_eq!(calls_asked(&story(), false), 2 * OPERATIONS.len());
        assert_eq!(calls_asked(&story(), true), 3 * OPERATIONS.len());
    }

    #[test]
    fn only_the_first_poison_of_a_key_holds_it() {
        let right = [letter("k-2", "panicked", true)];
        assert_eq!(wrong_holds(&story(), &right), Vec::<String>::new());
        assert_eq!(wrong_holds(&story(), &[]).len(), 1);
        let both = [right[0].clone(), letter("k-4", "invalid", true)];
        assert_eq!(wrong_holds(&story(), &both).len(), 1);
    }

    #[test]
    fn who_lives_though_poison_is_dead_though_none_or_died_of_another_cause_is_named() {
        let right = vec![
            letter("k-2", "panicked", false),
            letter("k-4", "invalid", false),
        ];
        assert_eq!(wrong_deaths(&story(), &right), Vec::<String>::new());
        for wrong in [
            right[..1].to_vec(),
            [right.clone(), vec![letter("l-1", "crashed", false)]].concat(),
            vec![right[0].clone(), letter("k-4", "crashed", false)],
            vec![right[0].clone(), letter("k-4", "invalid", true)],
        ] {
            assert_eq!(wrong_deaths(&story(), &wrong).len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn what_ran_behind_a_dead_record_before_its_release_is_seen() {
        let receipt = |sequence: i64, at: u64| Receipt {
            received_at: at,
            answered_at: at,
            vendor: "a".into(),
            operation: "draft".into(),
            idempotency_key: None,
            our_reference: None,
            aggregate_key: "k".into(),
            sequence,
            effect: "applied".into(),
        };
        let fine = [receipt(1, 5), receipt(3, 11)];
        assert_eq!(ran_though_held(&story(), &fine, 10), Vec::<String>::new());
        assert_eq!(ran_though_held(&story(), &[receipt(3, 9)], 10).len(), 1);
    }
}
