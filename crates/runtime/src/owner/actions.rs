//! Carries out what the pump asks for: one arm per action, nothing decided here.

use std::{sync::Arc, time::Duration};

use argosy_broker::Position;
use argosy_events::fleet::v1::State;
use argosy_kernel::{
    Action, Assignment, At, Committed, Dispatch, Input, ParkedState, Partition, Settle, Waiting,
};
use argosy_store::{OwnerKey, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::{Live, Owner, intake::FOREIGN};
use crate::{
    delivered::{Body, Residue},
    run::{self, Stop},
    telemetry,
    timeline::{Steps, entry},
};

impl Owner {
    pub(super) fn act(
        &mut self,
        action: Action<Body, Residue>,
        takes: &mut Vec<(Partition, Assignment)>,
    ) {
        match action {
            Action::TakeOwner {
                partition,
                assignment,
            } => takes.push((partition, assignment)),
            Action::Run(dispatch) => self.start(dispatch),
            Action::Abort { at, .. } => {
                if let Some(live) = self.live.get(&at) {
                    live.stop.abort.cancel();
                }
            }
            Action::Publish { at, body, emits } => self.publish(at, body, emits),
            Action::DeadLetter {
                at,
                body,
                cause,
                attempts,
                residue,
            } => {
                self.write_dead_letter(at, body, cause, attempts, residue.as_ref());
            }
            Action::Waits {
                body,
                cause,
                wait,
                parked,
                ..
            } => self.tell_wait(&body, &cause, wait, parked),
            Action::Settled {
                at,
                body,
                settle,
                step,
            } => {
                self.first_failures.remove(&at);
                telemetry::settled(match settle {
                    Settle::Done => "done",
                    Settle::Skipped(_) => "skipped",
                    Settle::Dead(_) => "dead",
                });
                let told = (settle != Settle::Skipped(FOREIGN)).then(|| {
                    let (state, step) = Steps::settled(settle);
                    entry(self.parts.worker.name(), &body, state, vec![step])
                });
                self.parts.shop.timelines.settled(step, told);
            }
            Action::Commit { commit, offsets } => {
                let mut positions = Vec::with_capacity(offsets.len());
                for (partition, offset, metadata) in offsets {
                    let of = self.name(partition);
                    positions.push(Position {
                        of,
                        offset,
                        metadata,
                    });
                }
                self.parts.consumer.commit(commit, positions);
            }
            Action::HoldIntake(partition) => {
                let of = self.name(partition);
                self.parts.consumer.hold(&of);
            }
            Action::ResumeIntake(partition) => {
                let of = self.name(partition);
                self.parts.consumer.resume(&of);
            }
            Action::LetGo(revoke) => {
                telemetry::let_go(revoke.0);
                self.parts.consumer.let_go(revoke);
            }
            Action::MapIgnored { partition, reason } => {
                telemetry::map_ignored(partition.number, reason)
            }
            Action::Park(write) => self.park(write),
            Action::LoadParked(load) => self.load_parked(load),
            Action::ForgetSuspects { partition, offsets } => {
                self.forget_suspects(partition, &offsets);
            }
            Action::Leave => self.left = true,
        }
    }

    fn tell_wait(&self, body: &Body, cause: &Waiting, wait: Duration, parked: bool) {
        let steps = vec![Steps::waited(cause, wait, parked)];
        let told = entry(self.parts.worker.name(), body, State::Waiting, steps);
        self.parts.shop.timelines.tell(told);
    }

    fn start(&mut self, dispatch: Dispatch<Body>) {
        let Some(first) = dispatch.records.first() else {
            return;
        };
        let gate = self
            .gates
            .get(&first.at.partition)
            .cloned()
            .unwrap_or_else(closed);
        let stop = Stop {
            abort: CancellationToken::new(),
            gate,
        };
        let since = self.clock.now();
        let together: Arc<[At]> = dispatch.records.iter().map(|record| record.at).collect();
        for at in together.iter() {
            let live = Live {
                stop: stop.clone(),
                since,
                together: Arc::clone(&together),
            };
            self.live.insert(*at, live);
        }
        let running = run::dispatch(Arc::clone(&self.parts.shop), dispatch, stop);
        self.parts.tracker.spawn_on(running, &self.parts.handlers);
    }

    /// Takes the owner rows and reads the committed positions of all these partitions, off this task.
    pub(super) fn take_owners(&self, takes: Vec<(Partition, Assignment)>) {
        let names: Vec<_> = takes
            .iter()
            .map(|(partition, _)| self.name(*partition))
            .collect();
        let owners: Vec<_> = takes
            .iter()
            .map(|(partition, _)| self.owner_key(*partition))
            .collect();
        let committed = self.parts.consumer.committed(names);
        let store = Arc::clone(&self.parts.store);
        let inbox = self.parts.shop.inbox.clone();
        let instance = self.parts.instance;
        let taking = async move {
            // The owner rows first: a position read before them could still be moved by the former owner.
            let epochs = store
                .take_owners(instance, owners.clone())
                .await
                .map_err(|error| error.to_string());
            let answer = match epochs {
                Ok(epochs) => committed
                    .await
                    .map(|positions| (epochs, positions))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            let answer = match answer {
                // The position before what is parked: what is clear by the one is at least in the other.
                Ok((epochs, positions)) => parked(&*store, &owners)
                    .await
                    .map(|parked| (epochs, positions, parked))
                    .map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            match answer {
                Ok((epochs, positions, parked)) => {
                    let answers = takes
                        .into_iter()
                        .zip(owners)
                        .zip(epochs.into_iter().zip(positions))
                        .zip(parked);
                    for ((((partition, assignment), owner), (epoch, position)), parked) in answers {
                        telemetry::owned(&owner, epoch);
                        let committed = position.map(|position| Committed {
                            offset: position.offset,
                            metadata: position.metadata.unwrap_or_default(),
                        });
                        inbox.tell(Input::Owned {
                            partition,
                            assignment,
                            epoch,
                            committed,
                            parked,
                        });
                    }
                }
                Err(error) => {
                    telemetry::not_owned(&error);
                    for (partition, assignment) in takes {
                        let cause = Waiting::Dependency("store".into());
                        inbox.tell(Input::NotOwned {
                            partition,
                            assignment,
                            cause,
                        });
                    }
                }
            }
        };
        self.parts.tracker.spawn_on(taking, &self.parts.handlers);
    }
}

/// What waits of these partitions.
async fn parked(store: &dyn Store, owners: &[OwnerKey]) -> Result<Vec<ParkedState>, StoreError> {
    let found = owners.iter().map(|owner| store.parked(owner.clone()));
    let found = futures_util::future::try_join_all(found).await?;
    Ok(found.into_iter().map(ParkedState::from).collect())
}

/// The gate of a partition that is not assigned: nothing further starts.
fn closed() -> CancellationToken {
    let gate = CancellationToken::new();
    gate.cancel();
    gate
}
