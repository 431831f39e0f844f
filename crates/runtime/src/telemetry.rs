//! Internal events of the runtime: each function emits its log line and its metric together.

use argosy_broker::{BrokerError, TopicPartition};
use argosy_kernel::{Epoch, MapFault, Parked, Waiting};
use argosy_store::{EffectId, LeftRunning, OwnerKey, StoreError};
use metrics::{counter, gauge};
use tracing::{error, info, warn};

pub(crate) fn assigned(partitions: &[TopicPartition]) {
    info!(event = "assigned", partitions = %list(partitions), "partitions assigned");
}

pub(crate) fn revoke_asked(partitions: &[TopicPartition]) {
    info!(event = "revoke_asked", partitions = %list(partitions), "partitions are to be given back");
}

pub(crate) fn let_go(revoke: u64) {
    info!(event = "let_go", revoke, "partitions given back");
}

pub(crate) fn membership_lost(partitions: &[TopicPartition], at_ms: i64) {
    counter!("argosy_memberships_lost_total").increment(1);
    warn!(event = "membership_lost", at_ms, partitions = %list(partitions), "membership lost: runs are dropped, nothing is committed");
}

pub(crate) fn owned(owner: &OwnerKey, epoch: Epoch) {
    info!(event = "owned", topic = %owner.topic, partition = owner.partition, epoch = epoch.0, "ownership taken");
}

pub(crate) fn not_owned(error: &str) {
    warn!(
        event = "not_owned",
        error, "ownership could not be taken yet; tried again"
    );
}

pub(crate) fn claim_taken_over(id: &EffectId, number: i64) {
    counter!("argosy_claims_taken_over_total").increment(1);
    info!(event = "claim_taken_over", source = %id.of.source, id = %id.of.event, name = %id.name, key = %id.key, number, "expired claim taken over");
}

pub(crate) fn map_ignored(partition: i32, reason: MapFault) {
    info!(
        event = "map_ignored",
        partition,
        ?reason,
        "commit metadata ignored: settled work above the frontier runs again"
    );
}

pub(crate) fn park_failed(error: &StoreError) {
    counter!("argosy_park_failures_total").increment(1);
    warn!(event = "park_failed", %error, "parked records could not be written or read; tried again");
}

/// Asked again within seconds; that the store is away is told by others.
pub(crate) fn plan_steps_unknown(error: &StoreError) {
    counter!("argosy_plan_steps_failures_total").increment(1);
    tracing::debug!(event = "plan_steps_unknown", %error, "the store did not say what operators ask for");
}

pub(crate) fn slots_unusable(error: &std::io::Error) {
    counter!("argosy_slots_failures_total").increment(1);
    warn!(event = "slots_unusable", %error, "what is running cannot be kept in worker.state_dir: a record that kills its process will not be found out");
}

pub(crate) fn slots_unreadable(path: &std::path::Path, bytes: usize) {
    warn!(event = "slots_unreadable", path = %path.display(), bytes, "a slots file is not of this build's form: ignored");
}

pub(crate) fn slots_torn(path: &std::path::Path, torn: usize) {
    warn!(event = "slots_torn", path = %path.display(), torn, "slots that were written in part are ignored");
}

pub(crate) fn left_running(left: &LeftRunning) {
    let alone = left.records.iter().filter(|record| record.alone).count();
    counter!("argosy_deaths_found_total").increment(1);
    warn!(event = "left_running", instance = %left.instance, records = left.records.len(), alone, "an instance died while these records ran: they will run alone");
}

pub(crate) fn left_not_told(error: &StoreError) {
    warn!(event = "left_not_told", %error, "the store could not be told what a dead instance was running; tried again before the group is joined");
}

pub(crate) fn suspects_kept(error: &StoreError) {
    info!(event = "suspects_kept", %error, "suspects that are settled could not be forgotten; the next owner does it");
}

pub(crate) fn timeline_write_failed(error: &BrokerError) {
    counter!("argosy_timeline_write_failures_total").increment(1);
    warn!(event = "timeline_write_failed", %error, "timeline batch not acknowledged; sent again");
}

pub(crate) fn intake(is_open: bool) {
    gauge!("argosy_intake_waits_for_timelines").set(if is_open { 0.0 } else { 1.0 });
    if is_open {
        info!(
            event = "intake_open",
            "timelines are acknowledged again: records are taken in"
        );
    } else {
        warn!(
            event = "intake_waits",
            "too much of the timelines waits for the broker: no more records are taken in"
        );
    }
}

/// What of a partition waits in the store now.
pub(crate) fn parked(worker: &'static str, of: &TopicPartition, parked: Parked) {
    let labels = [
        ("worker", worker.to_owned()),
        ("topic", of.topic.to_string()),
        ("partition", of.partition.to_string()),
    ];
    gauge!("argosy_parked_keys", &labels).set(parked.keys as f64);
    gauge!("argosy_parked_bytes", &labels).set(parked.bytes as f64);
}

/// How many partitions take no more records in, for one cause.
pub(crate) fn intakes_held(worker: &'static str, cause: &'static str, partitions: usize) {
    gauge!("argosy_intake_held", "worker" => worker, "cause" => cause).set(partitions as f64);
}

pub(crate) fn intake_held(of: &TopicPartition, cause: &Waiting) {
    warn!(event = "intake_held", topic = %of.topic, partition = of.partition, %cause, "no more records of this partition are taken in");
}

pub(crate) fn intake_goes_on(of: &TopicPartition) {
    info!(event = "intake_goes_on", topic = %of.topic, partition = of.partition, "records of this partition are taken in again");
}

pub(crate) fn emit_write_failed(errors: &str) {
    counter!("argosy_emit_write_failures_total").increment(1);
    warn!(
        event = "emit_write_failed",
        errors, "emitted events not acknowledged; sent again"
    );
}

pub(crate) fn dead_letter_written(cause: &'static str, topic: &str, partition: i32, offset: i64) {
    counter!("argosy_dead_letters_total", "cause" => cause).increment(1);
    warn!(
        event = "dead_letter",
        cause, topic, partition, offset, "record is dead"
    );
}

pub(crate) fn dead_letter_write_failed(error: &BrokerError) {
    counter!("argosy_dead_letter_write_failures_total").increment(1);
    warn!(event = "dead_letter_write_failed", %error, "dead letter not acknowledged; sent again");
}

pub(crate) fn run_failed(source: &str, id: &str, decision: &str, message: &str) {
    counter!("argosy_runs_failed_total").increment(1);
    info!(
        event = "run_failed",
        source,
        id,
        decision,
        error = message,
        "run failed"
    );
}

pub(crate) fn handler_panicked(source: &str, id: &str) {
    counter!("argosy_handler_panics_total").increment(1);
    error!(
        event = "handler_panicked",
        source, id, "handler panicked: an attempt is spent"
    );
}

pub(crate) fn settled(outcome: &'static str) {
    counter!("argosy_records_settled_total", "outcome" => outcome).increment(1);
}

pub(crate) fn broker_fault(error: &BrokerError) {
    counter!("argosy_broker_faults_total").increment(1);
    warn!(event = "broker_fault", %error, "the broker's client reports a fault");
}

fn list(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions
        .iter()
        .map(|at| format!("{}/{}", at.topic, at.partition))
        .collect();
    names.join(" ")
}

/// A dead letter could not be handled; it stays on its topic, and nothing is written of it.
pub(crate) fn letter_not_written(cause: &'static str, letter: &argosy_broker::Delivery) {
    counter!("argosy_dead_letters_unhandled_total", "cause" => cause).increment(1);
    error!(
        event = "letter_unhandled",
        cause,
        partition = letter.from.partition,
        offset = letter.offset,
        "a dead letter cannot be handled: it stays on its topic, and is not written there again"
    );
}
