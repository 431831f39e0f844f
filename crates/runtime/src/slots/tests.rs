//! What stands in a slots file, what the next start makes of it, and of anything else that it may find there.

use std::{path::PathBuf, sync::Arc};

use argosy_store::{FoundSuspect, LeftRecord, LeftRunning, OwnerKey, Store};
use argosy_testkit::store::SharedModelStore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    form::{self, Content, HEADER_BYTES, SLOT_BYTES},
    *,
};

const WORKER: &str = "orders";

fn record(offset: i64) -> LeftRecord {
    LeftRecord {
        topic: Arc::from("orders.v1"),
        partition: 3,
        offset,
        alone: offset % 2 == 1,
    }
}

struct Machine {
    folder: tempfile::TempDir,
    store: SharedModelStore,
    stop: CancellationToken,
}

impl Machine {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            store: SharedModelStore::new(),
            stop: CancellationToken::new(),
        }
    }

    async fn start(&self, instance: u128) -> Option<Slots> {
        prepare(Preparation {
            folder: self.folder.path(),
            worker: WORKER,
            instance: Uuid::from_u128(instance),
            slots: 4,
            store: &self.store,
            health: &Health::new(),
            stop: &self.stop,
        })
        .await
    }

    /// A process dies: its files are closed, and nothing is tidied up.
    fn kill(slots: Slots, running: Vec<Slot>) {
        for mut slot in running {
            drop(slot.0.take());
        }
        drop(slots);
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("{WORKER}-{number}.slots"))
    }

    fn read(&self, number: usize) -> Content {
        form::read(WORKER, &std::fs::read(self.file(number)).unwrap())
    }

    async fn suspects(&self) -> Vec<(i64, u32)> {
        let owner = OwnerKey {
            worker: Arc::from(WORKER),
            topic: Arc::from("orders.v1"),
            partition: 3,
        };
        let found = self.store.parked(owner).await.unwrap().suspects;
        let pairs = found.iter();
        pairs
            .map(|&FoundSuspect { offset, deaths }| (offset, deaths))
            .collect()
    }
}

fn running(content: Content) -> Vec<LeftRecord> {
    match content {
        Content::Running { left, torn: 0 } => left.records,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_runs_stands_in_the_file_and_what_ended_does_not() {
    let machine = Machine::new();
    let slots = machine.start(1).await.unwrap();
    let first = slots.occupy(&record(1));
    let second = slots.occupy(&record(2));
    assert_eq!(running(machine.read(0)), [record(1), record(2)]);
    drop(first);
    assert_eq!(running(machine.read(0)), [record(2)]);
    drop(second);
    assert!(running(machine.read(0)).is_empty());
}

#[tokio::test]
async fn a_killed_instance_is_told_of_by_the_next_start_and_once() {
    let machine = Machine::new();
    let slots = machine.start(1).await.unwrap();
    let live = vec![slots.occupy(&record(1)), slots.occupy(&record(2))];
    drop(slots.occupy(&record(7)));
    Machine::kill(slots, live);
    let slots = machine.start(2).await.unwrap();
    assert_eq!(machine.suspects().await, [(1, 1), (2, 0)]);
    assert!(running(machine.read(0)).is_empty());
    Machine::kill(slots, Vec::new());
    machine.start(3).await.unwrap();
    assert_eq!(machine.suspects().await, [(1, 1), (2, 0)]);
}

#[tokio::test]
async fn a_second_instance_has_a_file_of_its_own_and_tells_nothing_of_the_first() {
    let machine = Machine::new();
    let first = machine.start(1).await.unwrap();
    let live = vec![first.occupy(&record(1))];
    let second = machine.start(2).await.unwrap();
    let beside = vec![second.occupy(&record(2))];
    assert!(machine.suspects().await.is_empty());
    assert_eq!(running(machine.read(0)), [record(1)]);
    assert_eq!(running(machine.read(1)), [record(2)]);
    // Both die: whoever starts first tells of both.
    Machine::kill(first, live);
    Machine::kill(second, beside);
    machine.start(3).await.unwrap();
    assert_eq!(machine.suspects().await, [(1, 1), (2, 0)]);
    assert_eq!(std::fs::read(machine.file(1)).unwrap(), [0_u8; 0]);
}

#[tokio::test]
async fn more_runs_than_slots_and_names_that_do_not_fit_are_not_kept_and_harm_nobody() {
    let machine = Machine::new();
    let slots = machine.start(1).await.unwrap();
    let long = LeftRecord {
        topic: Arc::from("t".repeat(256)),
        ..record(9)
    };
    drop(slots.occupy(&long));
    let live: Vec<Slot> = (0..6).map(|offset| slots.occupy(&record(offset))).collect();
    assert_eq!(running(machine.read(0)).len(), 4);
    drop(live);
    assert!(running(machine.read(0)).is_empty());
    drop(Slots::none().occupy(&record(1)));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_costs_nothing_but_the_slots() {
    let machine = Machine::new();
    std::fs::write(machine.folder.path().join("file"), b"").unwrap();
    let folder = machine.folder.path().join("file");
    let health = Health::new();
    let slots = prepare(Preparation {
        folder: &folder,
        worker: WORKER,
        instance: Uuid::nil(),
        slots: 4,
        store: &machine.store,
        health: &health,
        stop: &machine.stop,
    });
    assert!(slots.await.unwrap().0.is_none());
}

#[tokio::test]
async fn whoever_is_stopped_before_the_store_was_told_leaves_the_file_as_it_was() {
    let machine = Machine::new();
    let slots = machine.start(1).await.unwrap();
    let live = vec![slots.occupy(&record(1))];
    Machine::kill(slots, live);
    let before = std::fs::read(machine.file(0)).unwrap();
    machine.stop.cancel();
    assert!(machine.start(2).await.is_none());
    assert_eq!(std::fs::read(machine.file(0)).unwrap(), before);
}

#[tokio::test]
async fn garbage_of_any_kind_is_passed_over() {
    let whole = {
        let mut bytes = form::header(Uuid::from_u128(1)).to_vec();
        bytes.extend(form::slot(&record(1)).unwrap());
        bytes.extend(form::slot(&record(2)).unwrap());
        bytes
    };
    let mut other_version = whole.clone();
    other_version[15] = 2;
    let mut oversized = whole.clone();
    oversized.resize(form::FILE_BYTES_MAX + 1, 0);
    let files: Vec<Vec<u8>> = vec![
        b"x".to_vec(),
        vec![0; 10_000],
        vec![0xff; 10_000],
        whole[..HEADER_BYTES - 1].to_vec(),
        other_version,
        oversized,
    ];
    for bytes in files {
        assert_eq!(form::read(WORKER, &bytes), Content::Unreadable);
        let machine = Machine::new();
        std::fs::write(machine.file(0), &bytes).unwrap();
        let slots = machine.start(2).await.unwrap();
        assert!(machine.suspects().await.is_empty());
        let live = slots.occupy(&record(5));
        assert_eq!(running(machine.read(0)), [record(5)], "and it is ours now");
        drop(live);
    }
}

#[test]
fn a_slot_that_is_torn_or_damaged_anywhere_is_passed_over_and_the_others_are_read() {
    let mut whole = form::header(Uuid::from_u128(1)).to_vec();
    whole.extend(form::slot(&record(1)).unwrap());
    whole.extend(form::slot(&record(2)).unwrap());
    for at in HEADER_BYTES..HEADER_BYTES + SLOT_BYTES {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let expected = LeftRunning {
            worker: Arc::from(WORKER),
            instance: Uuid::from_u128(1),
            records: vec![record(2)],
        };
        let read = form::read(WORKER, &damaged);
        let expected = Content::Running {
            left: expected,
            torn: 1,
        };
        assert_eq!(read, expected, "byte {at}");
    }
    let Content::Running { left, torn } = form::read(WORKER, &whole[..whole.len() - 1]) else {
        panic!("the header is whole");
    };
    assert_eq!((left.records, torn), (vec![record(1)], 1));
}

#[test]
fn one_worker_of_a_process_has_the_turn_at_a_time() {
    let turn = AloneTurn::default();
    let first = turn.take().expect("it is free");
    assert!(turn.take().is_none());
    drop(first);
    assert!(turn.take().is_some());
}
