//! The world of one seed: instances, broker, store and vendor under one scheduler, and the judge who watches.
//!
//! Whatever is pending happens at a time that the seed draws; nothing else decides what comes next.

mod broker_side;
mod operator;
mod shell;
mod store_side;
mod troubles;
mod turns;
mod vendor_side;

use std::{collections::BTreeMap, time::Duration};

use argosy_kernel::{Partition, Time, TopicIndex};
use argosy_store::{LeftRunning, OwnerKey};
use argosy_testkit::{
    broker::{ModelBroker, group::Group, member::MemberId},
    clock::VirtualClock,
    random::Random,
    store::{ModelStore, Ticket},
    vendor::ModelVendor,
};

pub(crate) use self::vendor_side::reference;
use self::{operator::Operator, troubles::Triggers};
use super::{
    Meddle,
    action_log::{ActionLog, Line},
    agenda::Agenda,
    coverage::Coverage,
    event::{Event, InstanceId, Purpose},
    instance::Instance,
    judge::{Judge, Rule},
    plan::{Plan, RecordId, TROUBLED_FOR, Weather, When, topic_name},
};

/// Once the faults have stopped, everything settles within this time.
const SETTLES_WITHIN: Duration = Duration::from_secs(900);
/// Once everything has settled and the instances are asked to stop, they have left within this time.
const LEAVES_WITHIN: Duration = Duration::from_secs(60);
/// No seed needs more events than this; one that does runs in a circle.
const EVENTS_MAX: u64 = 400_000;

/// What the logs hold: inputs by their plan, outputs only as marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Input(RecordId),
    Output,
}

/// Where the outputs go.
pub(crate) const OUTPUT: Partition = Partition {
    topic: TopicIndex(u16::MAX),
    number: 0,
};

/// Where the seed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Faults strike.
    Troubled,
    /// No more faults; all settles until then.
    Calm(Time),
    /// All has settled; the instances leave until then.
    Stopping(Time),
    /// Nothing more to see.
    Over,
}

/// The world of one seed.
#[derive(Debug)]
pub(crate) struct World {
    plan: Plan,
    phase: Phase,
    clock: VirtualClock,
    agenda: Agenda<Event>,
    network: Random,
    weather: Weather,
    broker: ModelBroker<Value>,
    group_timer: Option<Time>,
    store: StoreSide,
    vendor: ModelVendor,
    instances: Vec<Instance>,
    members: BTreeMap<MemberId, InstanceId>,
    owner_keys: BTreeMap<Partition, OwnerKey>,
    published: usize,
    /// What dead processes left running, until the store is told.
    left: Vec<LeftRunning>,
    triggers: Triggers,
    operator: Operator,
    judge: Judge,
    coverage: Coverage,
    log: ActionLog,
    meddle: Option<Meddle>,
}

/// The store with its callers.
#[derive(Debug)]
struct StoreSide {
    model: ModelStore,
    is_up: bool,
    waiting: BTreeMap<Ticket, (InstanceId, Purpose)>,
    flush_due: bool,
}

impl World {
    /// The world at its beginning.
    pub(crate) fn new(plan: Plan, traced: bool, meddle: Option<Meddle>) -> Self {
        let mut partitions = plan.group.partitions.clone();
        let owner_keys = partitions
            .iter()
            .map(|partition| (*partition, owner_key(*partition)))
            .collect();
        partitions.push(OUTPUT);
        let mut vendor = ModelVendor::new(plan.random.fork(10));
        vendor.set_faults(plan.weather.vendor);
        let mut world = Self {
            phase: Phase::Troubled,
            clock: VirtualClock::new(),
            agenda: Agenda::new(),
            network: plan.random.fork(11),
            weather: plan.weather,
            broker: ModelBroker::new(&partitions, Group::new(plan.group.clone())),
            group_timer: None,
            store: StoreSide {
                model: ModelStore::new(),
                is_up: true,
                waiting: BTreeMap::new(),
                flush_due: false,
            },
            vendor,
            instances: Vec::new(),
            members: BTreeMap::new(),
            owner_keys,
            published: 0,
            left: Vec::new(),
            triggers: Triggers::new(&plan.troubles),
            operator: Operator::new(plan.random.fork(12)),
            judge: Judge::new(&plan),
            coverage: Coverage::default(),
            log: ActionLog::new(traced),
            meddle,
            plan,
        };
        world.schedule_beginning();
        world
    }

    /// Lets everything happen until nothing more is to be seen.
    pub(crate) fn run(&mut self) {
        while self.phase != Phase::Over && !self.judge.has_ruled() {
            let Some((at, event)) = self.agenda.next() else {
                let open = self.judge.describe_open();
                self.judge.rule(Rule::AllSettles, || {
                    format!("nothing more will ever happen; {open}")
                });
                break;
            };
            self.clock.advance_to(at);
            self.coverage.events += 1;
            self.happen(event);
            self.check_limits();
        }
    }

    /// What came of it.
    pub(crate) fn into_parts(self) -> (Judge, Coverage, ActionLog) {
        (self.judge, self.coverage, self.log)
    }

    fn schedule_beginning(&mut self) {
        for _ in 0..self.plan.instances {
            let within = self
                .network
                .span(Duration::ZERO, Duration::from_millis(800));
            self.agenda.add(Time(within), Event::Start);
        }
        self.agenda.add(Time::default(), Event::PublishNext);
        self.agenda
            .add(Time(Duration::from_secs(10)), Event::Retention);
        self.agenda.add(Time(TROUBLED_FOR), Event::Calm);
        if self.plan.pump.parking.is_some() {
            self.agenda.add(Time::default(), Event::Operate);
        }
        for trouble in self.plan.troubles.clone() {
            if let When::At(at) = trouble.when {
                self.agenda.add(at, Event::Trouble(trouble));
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::PublishNext => self.publish_next(),
            Event::Retention => self.delete_old_records(),
            Event::Trouble(trouble) => self.strike(trouble.kind, None),
            Event::Calm => self.calm_down(),
            Event::Operate => self.operate(),
            Event::Project(letter) => self.project(letter),
            Event::Start => self.start_instance(),
            Event::Thaw(instance) => self.thaw(instance),
            Event::StoreReturns => self.return_store(),
            Event::BrokerReturns => self.return_broker(),
            Event::StoreFlush => self.flush_store(),
            Event::GroupTimer => self.expire_members(),
            Event::Arrives(from, outgoing) => self.arrive(from, outgoing),
            Event::Hears(instance, incoming) => self.hear(instance, incoming),
        }
    }

    /// The faults stop: from here on everything must settle.
    fn calm_down(&mut self) {
        if self.published < self.plan.records.len() {
            let later = self.now().plus(Duration::from_secs(2));
            self.agenda.add(later, Event::Calm);
            return;
        }
        self.note("the faults stop", self.published as i64);
        self.weather = Weather::CALM;
        self.vendor.set_faults(Weather::CALM.vendor);
        self.triggers = Triggers::new(&[]);
        self.operator.calm_down(self.clock.now());
        self.phase = Phase::Calm(self.now().plus(SETTLES_WITHIN));
        if self.instances.iter().all(Instance::is_gone) {
            self.agenda.add(self.now(), Event::Start);
        }
    }

    /// Has everything come to rest, or can it not any more?
    fn check_limits(&mut self) {
        let now = self.now();
        match self.phase {
            Phase::Calm(_) if self.judge.is_at_rest() && self.operator_is_at_rest() => {
                self.judge.all_settled(&self.vendor, &self.plan);
                self.phase = Phase::Stopping(now.plus(LEAVES_WITHIN));
                self.stop_everybody();
            }
            Phase::Stopping(_) if self.instances.iter().all(Instance::is_gone) => {
                self.judge.all_left();
                self.phase = Phase::Over;
            }
            Phase::Calm(until) if until < now => {
                let open = self.judge.describe_open();
                self.judge.rule(Rule::AllSettles, || open);
            }
            Phase::Stopping(until) if until < now => self.judge.rule(Rule::AllLeave, || {
                "an instance did not leave in time".into()
            }),
            _ if self.coverage.events > EVENTS_MAX => self.judge.rule(Rule::AllSettles, || {
                "more events than any seed needs".into()
            }),
            _ => {}
        }
    }

    /// Are the instances asked to leave for good?
    fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Over)
    }

    fn now(&self) -> Time {
        self.clock.now()
    }

    /// Writes a line about the world.
    fn note(&mut self, verb: &'static str, number: i64) {
        self.log.add(Line {
            at: self.clock.now(),
            instance: None,
            verb,
            partition: None,
            number,
        });
    }

    /// Writes a line about an instance.
    fn note_of(&mut self, instance: InstanceId, verb: &'static str, number: i64) {
        self.log.add(Line {
            at: self.clock.now(),
            instance: Some(instance),
            verb,
            partition: None,
            number,
        });
    }

    fn instance(&mut self, id: InstanceId) -> &mut Instance {
        &mut self.instances[usize::from(id.0)]
    }
}

fn owner_key(partition: Partition) -> OwnerKey {
    OwnerKey {
        worker: super::plan::WORKER.into(),
        topic: topic_name(u64::from(partition.topic.0)).into(),
        partition: partition.number,
    }
}
