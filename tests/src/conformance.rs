//! The broker conformance suite: what the runtime relies on, asked of an adapter through the port alone.
//!
//! Each case has a topic and a group of its own. A case that fails does not stop the others.

mod admin;
mod churn;
mod commits;
mod faults;
mod foreign;
mod member;
mod membership;
mod producing;
mod reading;
mod world;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::suite::{Folder, Verdict, progress};

use self::world::World;

/// A case that is not through by then hangs.
const CASE_TIMEOUT: Duration = Duration::from_secs(180);

/// What the suite is asked to run.
#[derive(Clone, Debug)]
pub struct ConformanceSettings {
    /// Cases whose names hold one of these; all of them if empty.
    pub cases: Vec<String>,
    /// Where the broker's data and logs go.
    pub folder: Folder,
    /// The broker's port; its controller takes the one 100 above.
    pub port: u16,
}

/// What became of each case.
#[derive(Debug)]
pub struct Report {
    failed: Vec<&'static str>,
    held: usize,
    seconds: f64,
}

impl Verdict for Report {
    fn to_json(&self) -> Value {
        json!({
            "suite": "conformance",
            "broker": "kafka",
            "holds": self.exit_code() == 0,
            "held": self.held,
            "failed": self.failed,
            "seconds": self.seconds,
        })
    }

    fn exit_code(&self) -> u8 {
        match (self.failed.is_empty(), self.held) {
            (false, _) => 1,
            (true, 0) => 2,
            (true, _) => 0,
        }
    }
}

type Case = for<'a> fn(&'a World, &'static str) -> BoxFuture<'a, anyhow::Result<()>>;

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((stringify!($name), |world, name| Box::pin($module::$name(world, name)))),*]
    };
}

/// All cases; those that strike the broker come last.
const CASES: &[(&str, Case)] = cases![
    reading::a_lone_member_reads_every_record_as_it_was_written,
    reading::a_held_partition_waits_without_loss_while_others_go_on,
    reading::control_records_of_transactions_are_no_records,
    reading::a_topic_that_comes_later_is_found,
    producing::keys_go_to_the_partition_that_java_chooses,
    producing::acknowledged_records_keep_the_order_of_calls,
    producing::what_can_never_be_written_is_rejected_alone,
    commits::an_accepted_commit_is_read_back_with_its_metadata,
    commits::metadata_that_is_too_large_does_not_hide_its_siblings_success,
    commits::a_partition_that_is_not_ours_is_stale,
    commits::a_position_without_commit_is_none,
    foreign::metadata_that_is_not_text_does_not_kill_the_reader,
    foreign::a_header_name_that_is_not_text_does_not_kill_the_reader,
    membership::a_second_member_takes_its_share_and_the_first_reads_on,
    membership::a_revoke_waits_for_its_answer_and_commits_meanwhile_count,
    membership::a_third_member_that_joins_while_a_revoke_is_open_gets_its_share,
    membership::a_member_that_is_not_polled_loses_its_partitions,
    membership::a_member_that_is_lost_while_a_revoke_is_open_hears_of_it,
    membership::a_member_that_closes_hands_over_at_once,
    churn::twenty_joins_and_leaves_lose_repeat_and_reorder_nothing,
    admin::topics_are_created_listed_configured_and_grown,
    admin::what_cannot_be_done_to_a_topic_is_rejected,
    faults::a_restarted_broker_loses_nothing_that_was_acknowledged,
    faults::a_lone_member_is_assigned_again_after_every_restart_of_its_broker,
    faults::a_broker_that_is_away_is_unavailable_within_the_timeout,
];

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, _)| *name)
}

/// Starts a broker and runs the cases.
///
/// # Errors
///
/// If the broker cannot be started. What a case finds is in the report.
pub async fn run(settings: ConformanceSettings) -> anyhow::Result<Report> {
    let began = Instant::now();
    progress(&format!(
        "data and logs: {}",
        settings.folder.path().display()
    ));
    let world = World::start(settings.folder.path(), settings.port)?;
    let mut report = Report {
        failed: Vec::new(),
        held: 0,
        seconds: 0.0,
    };
    let is_asked = |name: &str| {
        settings.cases.is_empty() || settings.cases.iter().any(|part| name.contains(&**part))
    };
    for (name, case) in CASES.iter().filter(|(name, _)| is_asked(name)) {
        let case_began = Instant::now();
        let outcome = match timeout(CASE_TIMEOUT, case(&world, name)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("still running after {CASE_TIMEOUT:?}")),
        };
        let seconds = case_began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                report.held += 1;
                progress(&format!("ok     {seconds:6.1} s  {name}"));
            }
            Err(error) => {
                report.failed.push(name);
                progress(&format!("FAILED {seconds:6.1} s  {name}: {error:#}"));
            }
        }
    }
    report.seconds = began.elapsed().as_secs_f64();
    if report.failed.is_empty() {
        drop(world);
        settings.folder.remove()?;
    }
    Ok(report)
}
