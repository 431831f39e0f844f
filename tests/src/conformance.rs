//! The broker conformance suite: what the runtime relies on, asked of an adapter through the port alone.
//!
//! Each case has a topic and a group of its own, and must leave no client behind. A case that fails does not stop the
//! others. Where the group protocol matters, a case is named once and runs by each.

mod admin;
mod churn;
mod clients;
mod commits;
mod faults;
mod foreign;
mod member;
mod membership;
mod producing;
mod reading;
mod statics;
mod world;

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{
    protocol::Protocol,
    suite::{Folder, Verdict, progress},
};

use self::world::World;

/// A case that is not through by then hangs.
const CASE_TIMEOUT: Duration = Duration::from_secs(180);

/// What the suite is asked to run.
#[derive(Clone, Debug)]
pub struct ConformanceSettings {
    /// Cases whose names hold one of these; all of them if empty.
    pub cases: Vec<String>,
    /// The group protocol by which they run; each if `None`. Cases in which it does not matter run all the same.
    pub protocol: Option<Protocol>,
    /// Where the broker's data and logs go.
    pub folder: Folder,
    /// The broker's port; its controller takes the one 100 above.
    pub port: u16,
}

/// What became of each case.
#[derive(Debug)]
pub struct Report {
    failed: Vec<String>,
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

type Run = for<'a> fn(&'a World, &'a str) -> BoxFuture<'a, anyhow::Result<()>>;

/// By which group protocol a case runs.
#[derive(Clone, Copy)]
enum By {
    /// It does not matter.
    Any,
    /// Each.
    Each,
    /// This one alone: by the other it cannot hold, for this reason.
    Only(Protocol, &'static str),
}

struct Case {
    name: &'static str,
    by: By,
    run: Run,
}

macro_rules! cases {
    ($($by:expr => [$($module:ident::$name:ident),* $(,)?]),* $(,)?) => {
        &[$($(Case {
            name: stringify!($name),
            by: $by,
            run: |world, name| Box::pin($module::$name(world, name)),
        },)*)*]
    };
}

const NO_STATIC_MEMBERS: By = By::Only(
    Protocol::Classic,
    "the adapter joins static members by the classic protocol alone",
);

const BROKER_ASSIGNS: By = By::Only(
    Protocol::Consumer,
    "by the classic protocol the broker assigns nothing",
);

/// All cases; those that strike the broker come last.
const CASES: &[Case] = cases![
    By::Each => [
        reading::a_lone_member_reads_every_record_as_it_was_written,
        reading::a_held_partition_waits_without_loss_while_others_go_on,
    ],
    By::Any => [reading::control_records_of_transactions_are_no_records],
    By::Each => [reading::a_topic_that_comes_later_is_found],
    By::Any => [
        producing::keys_go_to_the_partition_that_java_chooses,
        producing::acknowledged_records_keep_the_order_of_calls,
        producing::what_can_never_be_written_is_rejected_alone,
    ],
    By::Each => [
        commits::an_accepted_commit_is_read_back_with_its_metadata,
        commits::metadata_that_is_too_large_does_not_hide_its_siblings_success,
        commits::a_partition_that_is_not_ours_is_stale,
        commits::a_position_without_commit_is_none,
    ],
    By::Any => [
        foreign::metadata_that_is_not_text_does_not_kill_the_reader,
        foreign::a_header_name_that_is_not_text_does_not_kill_the_reader,
    ],
    By::Each => [
        membership::a_second_member_takes_its_share_and_the_first_reads_on,
        membership::a_revoke_waits_for_its_answer_and_commits_meanwhile_count,
        membership::a_third_member_that_joins_while_a_revoke_is_open_gets_its_share,
        membership::a_member_that_is_not_polled_loses_its_partitions,
        membership::a_member_that_is_lost_while_a_revoke_is_open_hears_of_it,
        membership::a_member_that_closes_hands_over_at_once,
    ],
    BROKER_ASSIGNS => [membership::an_assignor_that_the_broker_does_not_have_is_fatal],
    NO_STATIC_MEMBERS => [
        statics::a_static_member_that_restarts_within_its_session_causes_no_rebalance,
        statics::a_second_process_with_the_same_instance_id_fences_the_first,
    ],
    By::Each => [churn::twenty_joins_and_leaves_lose_repeat_and_reorder_nothing],
    By::Any => [
        admin::topics_are_created_listed_configured_and_grown,
        admin::what_cannot_be_done_to_a_topic_is_rejected,
    ],
    By::Each => [
        faults::a_restarted_broker_loses_nothing_that_was_acknowledged,
        faults::a_lone_member_is_assigned_again_after_every_restart_of_its_broker,
    ],
    By::Any => [faults::a_broker_that_is_away_is_unavailable_within_the_timeout],
];

impl Case {
    /// Runs it; with its members all its clients must be gone.
    async fn run_cleanly(&self, world: &World, name: &str) -> anyhow::Result<()> {
        let clients = clients::count()?;
        (self.run)(world, name).await?;
        clients::no_more_than(clients).await
    }

    /// By which protocol it runs now, with the name that the report shows, or why it does not run by one.
    fn turns(&self, asked: Option<Protocol>) -> Vec<(Protocol, String, Result<(), &'static str>)> {
        let by = |protocol: Protocol| format!("{} [{}]", self.name, protocol.name());
        let protocols = Protocol::ALL.into_iter();
        match self.by {
            By::Any => vec![(Protocol::Classic, self.name.to_owned(), Ok(()))],
            By::Each => protocols
                .filter(|protocol| asked.is_none_or(|asked| asked == *protocol))
                .map(|protocol| (protocol, by(protocol), Ok(())))
                .collect(),
            By::Only(only, why) => protocols
                .filter(|protocol| asked.is_none_or(|asked| asked == *protocol))
                .map(|protocol| {
                    let can = if protocol == only { Ok(()) } else { Err(why) };
                    (protocol, by(protocol), can)
                })
                .collect(),
        }
    }
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
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
    let mut world = World::start(settings.folder.path(), settings.port)?;
    let mut report = Report {
        failed: Vec::new(),
        held: 0,
        seconds: 0.0,
    };
    let is_asked = |name: &str| {
        settings.cases.is_empty() || settings.cases.iter().any(|part| name.contains(&**part))
    };
    for case in CASES.iter().filter(|case| is_asked(case.name)) {
        for (protocol, shown, can) in case.turns(settings.protocol) {
            match can {
                Ok(()) => {
                    world.protocol = protocol;
                    report.take(case, &world, shown).await;
                }
                Err(why) => progress(&format!("--                {shown}: {why}")),
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

impl Report {
    /// Runs a case and takes down what became of it.
    async fn take(&mut self, case: &Case, world: &World, shown: String) {
        let began = Instant::now();
        // A topic's name, and a group's.
        let name = match case.by {
            By::Any => case.name.to_owned(),
            _ => format!("{}-{}", case.name, world.protocol.name()),
        };
        let outcome = match timeout(CASE_TIMEOUT, case.run_cleanly(world, &name)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow::anyhow!("still running after {CASE_TIMEOUT:?}")),
        };
        let seconds = began.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => {
                self.held += 1;
                progress(&format!("ok     {seconds:6.1} s  {shown}"));
            }
            Err(error) => {
                progress(&format!("FAILED {seconds:6.1} s  {shown}: {error:#}"));
                self.failed.push(shown);
            }
        }
    }
}
