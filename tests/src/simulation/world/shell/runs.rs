//! Runs and their calls: each step's command is carried out, each answer finds its run, if that still lives.

use std::time::Duration;

use argosy_kernel::{Abort, At, Dispatch, Input, RunEnd};
use argosy_store::{ClaimAnswer, RecordedOutcome};
use argosy_testkit::{store, vendor};
use bytes::Bytes;

use crate::simulation::{
    event::{CallId, Event, Incoming, InstanceId, Left, Outgoing, Purpose, RunId},
    instance::{Call, CallStage, Connection, Handover},
    plan::{Point, RecordId},
    run::{Beginning, CallEnd, Command, Run, Signal, StoreSaid, outcome},
    world::World,
};

impl World {
    /// Starts the first run of a dispatch.
    pub(super) fn begin_handover(&mut self, id: InstanceId, dispatch: Dispatch<RecordId>) {
        let instance = self.instance(id);
        let number = instance.number();
        instance.handovers.insert(
            number,
            Handover {
                epoch: dispatch.epoch,
                rest: dispatch.records.into(),
                past: Vec::new(),
                alone: dispatch.alone,
                closed: false,
            },
        );
        self.begin_next(id, number);
    }

    /// Starts the next run of a hand-over; one that was closed meanwhile is answered for it.
    fn begin_next(&mut self, id: InstanceId, number: u64) {
        let instance = &mut self.instances[usize::from(id.0)];
        let Some(handover) = instance.handovers.get_mut(&number) else {
            return;
        };
        let (closed, epoch, alone) = (handover.closed, handover.epoch, handover.alone);
        let Some(next) = handover.rest.pop_front() else {
            instance.handovers.remove(&number);
            return;
        };
        if closed {
            instance.handovers.remove(&number);
            self.complete(id, next.at, dropped(false));
            return;
        }
        let beginning = Beginning {
            id: RunId(instance.number()),
            at: next.at,
            record: next.body,
            handover: number,
            attempts: next.attempts,
            is_mended: self.judge.is_mended(next.body),
            epoch,
            owner: self.owner_keys[&next.at.partition].clone(),
        };
        let (run, command) = Run::begin(beginning, &self.plan);
        self.coverage.runs += 1;
        let owned = self.is_owner(id, next.at);
        self.coverage.runs_without_ownership += u64::from(!owned);
        self.coverage.ran_alone += u64::from(alone);
        self.judge.begins(id, next.at, next.body, (owned, alone));
        let run_id = run.id;
        self.instance(id).runs.insert(run_id, run);
        if self.plan.killer == Some(next.body) && !self.judge.is_mended(next.body) {
            self.die_of_it(id);
            return;
        }
        self.obey(id, run_id, command);
    }

    fn is_owner(&self, id: InstanceId, at: At) -> bool {
        let instance = &self.instances[usize::from(id.0)];
        self.broker.group.owner(at.partition) == Some(instance.member.id())
    }

    /// A run hears something and goes on.
    pub(super) fn signal(&mut self, id: InstanceId, run: RunId, signal: Signal) {
        let now = self.now();
        let instance = &mut self.instances[usize::from(id.0)];
        if let Some(run) = instance.runs.get_mut(&run) {
            let run_id = run.id;
            let command = run.on(signal, &self.plan, now);
            self.obey(id, run_id, command);
        }
    }

    fn obey(&mut self, id: InstanceId, run: RunId, command: Command) {
        match command {
            Command::Nothing => {}
            Command::Sleep(pause) => {
                let at = self.now().plus(pause);
                self.agenda
                    .add(at, Event::Hears(id, Incoming::RunWoken(run)));
            }
            Command::Store(operation) => {
                self.ask_store(id, Purpose::Run(run), operation);
            }
            Command::Call { effect, number } => {
                let instance = self.instance(id);
                let call = CallId(instance.number());
                instance.calls.insert(
                    call,
                    Call {
                        run,
                        effect,
                        number,
                        stage: CallStage::Out,
                    },
                );
                self.send_call(id, call, effect);
                self.pass(Point::Sent, id);
            }
            Command::LookUp(effect) => self.send(id, Outgoing::LookUp { run, effect }),
            Command::End(end) => self.end_run(id, run, end),
        }
    }

    fn end_run(&mut self, id: InstanceId, run: RunId, end: RunEnd<Left>) {
        let Some(run) = self.instance(id).runs.remove(&run) else {
            return;
        };
        match end {
            RunEnd::Failed { .. } => self.coverage.attempts_failed += 1,
            RunEnd::Deferred { .. } => self.coverage.runs_deferred += 1,
            _ => {}
        }
        let goes_on = matches!(end, RunEnd::Done { emits: None } | RunEnd::Skipped(_));
        self.complete(id, run.at, end);
        let instance = self.instance(id);
        if goes_on {
            if let Some(handover) = instance.handovers.get_mut(&run.handover) {
                handover.past.push(run.at);
            }
            self.begin_next(id, run.handover);
        } else {
            instance.handovers.remove(&run.handover);
        }
    }

    /// Tells the pump that a run has ended; the news takes a moment.
    fn complete(&mut self, id: InstanceId, at: At, end: RunEnd<Left>) {
        self.judge.ends(id, at, &end);
        let moment = self
            .network
            .span(Duration::from_micros(20), Duration::from_millis(2));
        let arrives = self.in_order(id, Connection::Completions, moment);
        let input = Input::Finished { at, end };
        self.agenda
            .add(arrives, Event::Hears(id, Incoming::Completion(input)));
    }

    /// Drops a live run; one that has ended already closes its hand-over instead.
    pub(super) fn abort(&mut self, id: InstanceId, at: At, why: Abort) {
        match why {
            Abort::Deadline => self.coverage.deadlines += 1,
            Abort::Drain => self.coverage.drains_cut_by_budget += 1,
            Abort::Lost => {}
        }
        let instance = self.instance(id);
        match instance.run_at(at) {
            Some(run) => {
                let in_call = instance.runs[&run].in_call();
                self.end_run(id, run, dropped(in_call));
            }
            None => instance.close_handover_past(at),
        }
    }

    pub(super) fn hear_store_for_run(
        &mut self,
        id: InstanceId,
        run: RunId,
        answer: Option<store::Answer>,
    ) {
        let said = answer.and_then(|answer| match answer {
            store::Answer::Recalled(mut events) => events.pop().map(StoreSaid::Recalled),
            store::Answer::Claimed(mut answers) => answers
                .pop()
                .map(|answer| StoreSaid::Claimed(Box::new(answer))),
            store::Answer::Done => Some(StoreSaid::Recorded),
            _ => None,
        });
        let granted = matches!(
            &said,
            Some(StoreSaid::Claimed(answer)) if matches!(**answer, ClaimAnswer::Granted { .. })
        );
        self.signal(id, run, Signal::Store(said));
        if granted {
            self.pass(Point::Granted, id);
        }
    }

    /// The vendor's answer arrives; its outcome is recorded whether or not the run still lives.
    pub(super) fn hear_call(&mut self, id: InstanceId, call: CallId, answer: vendor::Answer) {
        self.pass(Point::Answered, id);
        if !self.instance(id).is_running() {
            self.hear(id, Incoming::CallAnswered(call, answer));
            return;
        }
        let instance = &mut self.instances[usize::from(id.0)];
        let Some(known) = instance.calls.get_mut(&call) else {
            return;
        };
        if known.stage != CallStage::Out {
            return;
        }
        self.judge.hears_answer(known.effect, self.clock.now());
        let (happened, recorded) = match answer {
            vendor::Answer::Happened => (true, RecordedOutcome::Succeeded(Bytes::new())),
            vendor::Answer::NotExecuted => (false, RecordedOutcome::NotHappened),
            vendor::Answer::Ambiguous | vendor::Answer::Nothing => {
                self.end_call(id, call, CallEnd::Ambiguous);
                return;
            }
        };
        known.stage = CallStage::Recording { happened };
        let operation = outcome(&self.plan, known.effect, known.number, recorded);
        self.ask_store(id, Purpose::Outcome(call), operation);
    }

    pub(super) fn hear_timeout(&mut self, id: InstanceId, call: CallId) {
        let known = self.instance(id).calls.get(&call);
        if known.is_some_and(|known| known.stage == CallStage::Out) {
            self.end_call(id, call, CallEnd::Ambiguous);
        }
    }

    pub(super) fn hear_recorded(&mut self, id: InstanceId, call: CallId, recorded: bool) {
        let Some(known) = self.instance(id).calls.get(&call).copied() else {
            return;
        };
        let end = match known.stage {
            CallStage::Recording { happened: true } if recorded => CallEnd::Happened,
            CallStage::Recording { happened: false } if recorded => CallEnd::NotExecuted,
            _ => CallEnd::Unrecorded,
        };
        self.end_call(id, call, end);
    }

    fn end_call(&mut self, id: InstanceId, call: CallId, end: CallEnd) {
        if let Some(call) = self.instance(id).calls.remove(&call) {
            self.signal(id, call.run, Signal::Call(end));
        }
    }
}

fn dropped(in_call: bool) -> RunEnd<Left> {
    RunEnd::Dropped {
        in_call,
        residue: Left::Fault,
    }
}
