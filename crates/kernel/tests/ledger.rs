//! The ledger against a naive model, and its map against damage, strangers and size.

use std::collections::BTreeMap;

use argosy_kernel::{
    MapFault, Offset,
    ledger::{Charge, ClearRange, Ledger, Map, MapIdentity},
};
use proptest::{collection::vec, prelude::*};

const OURS: MapIdentity<'static> = MapIdentity {
    group: "orders",
    topic: "orders.v1",
    partition: 3,
};

const BYTES_MAX: usize = 4_096;

/// A ledger that charged these offsets and cleared those.
fn ledger(
    charged: impl IntoIterator<Item = i64>,
    cleared: impl IntoIterator<Item = i64>,
) -> Ledger {
    let mut ledger = Ledger::new();
    for offset in charged {
        ledger.charge(Offset(offset));
    }
    for offset in cleared {
        ledger.clear(Offset(offset));
    }
    ledger
}

fn map_of(ledger: &Ledger) -> Option<Map> {
    ledger.map(Map::ranges_max(BYTES_MAX))
}

fn text_of(ledger: &Ledger) -> Option<String> {
    map_of(ledger)?.encode(OURS, BYTES_MAX)
}

#[test]
fn a_ledger_that_knows_nothing_has_no_frontier() {
    assert_eq!(Ledger::new().frontier(), None);
    assert_eq!(map_of(&Ledger::new()), None);
}

/// Scenario O1.
#[test]
fn the_frontier_is_the_lowest_pending_offset() {
    let mut ledger = ledger(5..10, [6, 7, 9]);
    assert_eq!(ledger.frontier(), Some(Offset(5)));
    assert!(ledger.clear(Offset(5)));
    assert_eq!(ledger.frontier(), Some(Offset(8)));
    assert!(ledger.clear(Offset(8)));
    assert_eq!(ledger.frontier(), Some(Offset(10)));
}

/// Scenario O6.
#[test]
fn gaps_are_passed_over() {
    let mut ledger = ledger([3, 7, 20], [3]);
    assert_eq!(ledger.frontier(), Some(Offset(7)));
    ledger.clear(Offset(7));
    ledger.clear(Offset(20));
    assert_eq!(ledger.frontier(), Some(Offset(21)));
}

#[test]
fn an_offset_is_charged_once() {
    let mut ledger = ledger([1, 2], [1]);
    assert_eq!(ledger.charge(Offset(1)), Charge::Repeated);
    assert_eq!(ledger.charge(Offset(2)), Charge::Repeated);
    assert_eq!(ledger.charge(Offset(3)), Charge::Pending);
    assert_eq!(
        (ledger.charged(), ledger.cleared(), ledger.pending()),
        (3, 1, 2)
    );
}

#[test]
fn what_was_never_charged_cannot_be_cleared() {
    let mut ledger = ledger([1], []);
    assert!(!ledger.clear(Offset(0)));
    assert!(!ledger.clear(Offset(2)));
    assert!(ledger.clear(Offset(1)));
    assert!(!ledger.clear(Offset(1)));
}

#[test]
fn below_the_committed_offset_everything_is_clear() {
    let mut ledger = ledger(0..4, []);
    ledger.start(Offset(2), None);
    assert_eq!(ledger.frontier(), Some(Offset(2)));
    assert!(!ledger.is_pending(Offset(1)));
    assert!(ledger.is_pending(Offset(2)));
    assert_eq!(ledger.charge(Offset(0)), Charge::Repeated);
}

#[test]
fn a_map_is_small_text_and_comes_back_as_it_went() {
    let sample = ledger(100..200, (110..150).chain([160]));
    let text = text_of(&sample).unwrap();
    assert!(text.is_ascii() && text.len() < 30, "{text}");
    let map = Map::decode(&text, OURS, Offset(100), BYTES_MAX).unwrap();
    let range = |start, end| ClearRange {
        start: Offset(start),
        end: Offset(end),
    };
    assert_eq!(map.clear(), [range(110, 150), range(160, 161)]);
    assert_eq!(map.base(), Offset(100));
}

/// The encoding is read by other builds: it may only change together with its version.
#[test]
fn the_encoding_is_the_one_that_was_deployed() {
    let sample = ledger(100..200, (110..150).chain([160]));
    assert_eq!(text_of(&sample).as_deref(), Some("a1.IJaF-mQKKAoB"));
}

#[test]
fn a_clear_partition_needs_no_map() {
    assert_eq!(text_of(&ledger(0..10, 0..10)), None);
    assert_eq!(text_of(&ledger(0..10, 0..5)), None);
}

/// Scenario O10.
#[test]
fn a_million_records_of_any_spread_never_break_the_encoder() {
    let spreads: [fn(i64) -> bool; 4] = [
        |_| true,
        |offset| offset % 2 == 0,
        |offset| offset % 97 < 3,
        |offset| offset > 999_990,
    ];
    for clear in spreads {
        let sample = ledger(0..1_000_000, (1..1_000_000).filter(|&offset| clear(offset)));
        if let Some(text) = text_of(&sample) {
            assert!(text.len() <= BYTES_MAX);
            Map::decode(&text, OURS, Offset(0), BYTES_MAX).unwrap();
        }
    }
}

/// Scenario O11.
#[test]
fn a_map_is_as_long_as_the_limit_allows_and_never_longer() {
    let mut seen = Vec::new();
    for records in (2_900..3_100).step_by(2) {
        let sample = ledger(0..records, (1..records).step_by(2));
        seen.push(text_of(&sample).map(|text| text.len()));
    }
    assert!(
        seen.iter().flatten().all(|&length| length <= BYTES_MAX),
        "{seen:?}"
    );
    let longest = seen.iter().flatten().max();
    assert!(
        longest.is_some_and(|&length| length > BYTES_MAX - 8),
        "{longest:?}"
    );
    assert!(seen.contains(&None));
}

#[test]
fn a_map_of_another_group_topic_partition_or_offset_is_refused() {
    let text = text_of(&ledger(0..4, [2])).unwrap();
    let refused = |identity, committed| Map::decode(&text, identity, Offset(committed), BYTES_MAX);
    let cases = [
        MapIdentity {
            group: "other",
            ..OURS
        },
        MapIdentity {
            topic: "other",
            ..OURS
        },
        MapIdentity {
            partition: 4,
            ..OURS
        },
        // Moving a letter from one name to the other is another identity as well.
        MapIdentity {
            group: "order",
            topic: "sorders.v1",
            ..OURS
        },
    ];
    for identity in cases {
        assert_eq!(refused(identity, 0), Err(MapFault::Checksum));
    }
    assert_eq!(refused(OURS, 1), Err(MapFault::Base));
    assert!(refused(OURS, 0).is_ok());
}

#[test]
fn a_map_is_refused_with_any_character_changed_or_cut_off() {
    let text = text_of(&ledger(0..400, (10..390).step_by(3))).unwrap();
    for place in 0..text.len() {
        assert!(Map::decode(&text[..place], OURS, Offset(0), BYTES_MAX).is_err());
        let mut bytes = text.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(
            Map::decode(&changed, OURS, Offset(0), BYTES_MAX).is_err(),
            "{place}"
        );
    }
    assert!(Map::decode(&format!("{text}A"), OURS, Offset(0), BYTES_MAX).is_err());
    assert!(Map::decode(&text.repeat(2), OURS, Offset(0), BYTES_MAX).is_err());
}

#[test]
fn a_map_longer_than_the_limit_is_not_even_read() {
    let text = text_of(&ledger(0..400, (10..390).step_by(3))).unwrap();
    let limit = text.len() - 1;
    assert_eq!(
        Map::decode(&text, OURS, Offset(0), limit),
        Err(MapFault::TooLong)
    );
}

fn lowest_pending(naive: &BTreeMap<i64, bool>) -> Option<i64> {
    let pending = naive.iter().find(|(_, clear)| !**clear);
    pending.map(|(offset, _)| *offset)
}

/// The end of what lies below the lowest pending offset.
fn over(naive: &BTreeMap<i64, bool>) -> Option<i64> {
    let lowest = lowest_pending(naive).unwrap_or(i64::MAX);
    let below = naive.range(..lowest).next_back();
    below.map(|(offset, _)| offset + 1)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Charged = clear + pending, and the frontier never passes a pending offset.
    #[test]
    fn the_ledger_agrees_with_a_naive_one(
        steps in vec((any::<bool>(), 0_i64..60), 1..200),
        start in proptest::option::of((0_usize..200, 0_i64..60)),
    ) {
        let mut ledger = Ledger::new();
        // Every charged offset, and whether it is clear.
        let mut naive: BTreeMap<i64, bool> = BTreeMap::new();
        let mut floor = None;
        for (index, (charge, offset)) in steps.into_iter().enumerate() {
            if let Some((_, committed)) = start.filter(|(at, _)| *at == index) {
                ledger.start(Offset(committed), None);
                for (_, clear) in naive.range_mut(..committed) {
                    *clear = true;
                }
                floor = floor.max(Some(committed)).max(over(&naive));
            }
            if charge {
                let known = naive.contains_key(&offset) || floor.is_some_and(|floor| offset < floor);
                prop_assert_eq!(ledger.charge(Offset(offset)) == Charge::Repeated, known);
                if !known {
                    naive.insert(offset, false);
                }
            } else {
                let pending = naive.get(&offset) == Some(&false);
                prop_assert_eq!(ledger.clear(Offset(offset)), pending);
                naive.entry(offset).and_modify(|clear| *clear = true);
            }
            floor = floor.max(over(&naive));
            let lowest = lowest_pending(&naive);
            prop_assert_eq!(ledger.frontier(), lowest.or(floor).map(Offset));
            prop_assert_eq!(ledger.charged(), naive.len() as u64);
            prop_assert_eq!(ledger.pending(), naive.values().filter(|clear| !**clear).count() as u64);
            prop_assert_eq!(ledger.charged(), ledger.cleared() + ledger.pending());
        }
    }

    #[test]
    fn a_restored_ledger_holds_clear_exactly_what_the_map_was_made_of(
        gaps in vec((1_i64..4, any::<bool>()), 1..300),
        base in 0_i64..1_000_000_000_000,
    ) {
        let mut offset = base;
        let mut original = Ledger::new();
        let mut records = vec![(base, false)];
        for (gap, clear) in gaps {
            offset += gap;
            records.push((offset, clear));
        }
        for &(offset, _) in &records {
            original.charge(Offset(offset));
        }
        for &(offset, _) in records.iter().filter(|(_, clear)| *clear) {
            original.clear(Offset(offset));
        }
        let text = text_of(&original);
        let any_clear = records.iter().any(|(_, clear)| *clear);
        prop_assert_eq!(text.is_some(), any_clear);
        let map = text.map(|text| Map::decode(&text, OURS, Offset(base), BYTES_MAX).unwrap());
        prop_assert!(map == map_of(&original));

        let mut restored = Ledger::new();
        restored.start(Offset(base), map);
        for (offset, clear) in records {
            let expected = if clear { Charge::Restored } else { Charge::Pending };
            prop_assert_eq!(restored.charge(Offset(offset)), expected);
        }
        prop_assert_eq!(restored.frontier(), original.frontier());
        prop_assert_eq!(text_of(&restored), text_of(&original));
    }

    #[test]
    fn no_text_breaks_the_decoder(text in ".{0,200}", committed: i64) {
        prop_assert!(Map::decode(&text, OURS, Offset(committed), BYTES_MAX).is_err());
        let prefixed = format!("a1.{text}");
        prop_assert!(Map::decode(&prefixed, OURS, Offset(committed), BYTES_MAX).is_err());
    }

    #[test]
    fn no_garbled_map_breaks_the_decoder(text in "a1\\.[A-Za-z0-9_-]{0,200}", committed: i64) {
        prop_assert!(Map::decode(&text, OURS, Offset(committed), BYTES_MAX).is_err());
    }
}
