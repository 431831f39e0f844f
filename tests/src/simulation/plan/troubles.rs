//! The troubles of a seed: what strikes, and when: at a moment, or at the nth passing of a delicate point.

use std::time::Duration;

use argosy_kernel::Time;
use argosy_testkit::random::Random;

/// Faults strike within this time; records are published within it, too.
pub(crate) const TROUBLED_FOR: Duration = Duration::from_secs(40);

/// One trouble.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    pub(crate) when: When,
    pub(crate) kind: TroubleKind,
}

/// When it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// At a moment; whoever is meant is drawn then.
    At(Time),
    /// When any instance passes this point for the nth time; it is meant.
    Nth(Point, u32),
}

/// Where a process may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    /// Before any action of a pump.
    Action,
    /// Before an owner row is asked for.
    OwnerAsked,
    /// Before an owner row is asked for again, because a claim was refused by its epoch.
    OwnerAskedAgain,
    /// A claim is granted, nothing sent yet.
    Granted,
    /// The call is out.
    Sent,
    /// The vendor's answer is known, nothing recorded yet.
    Answered,
    /// Before a settlement's step is queued.
    Settled,
    /// Before a commit goes out.
    Commit,
    /// Before partitions are let go.
    LetGo,
    /// Before events or a letter are published.
    Publish,
}

/// How many points there are.
pub(crate) const POINTS: usize = 10;

/// What strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TroubleKind {
    /// The process stands still for so long.
    Freeze(Duration),
    /// The process is killed; another starts so much later.
    Crash(Duration),
    /// The process is asked to stop; another starts so much after it left.
    Shutdown(Duration),
    /// One more process starts.
    Join,
    /// The store is killed and comes back so much later.
    StoreRestart(Duration),
    /// The broker is killed and comes back so much later.
    BrokerRestart(Duration),
}

/// Draws the troubles of a seed.
pub(super) fn plan(draw: &mut Random) -> Vec<Trouble> {
    let count = draw.between(2, 9);
    (0..count)
        .map(|_| {
            let kind = plan_kind(draw);
            let when = match kind {
                TroubleKind::Freeze(_) | TroubleKind::Crash(_) if draw.chance(650) => {
                    plan_point(draw)
                }
                _ => When::At(Time(draw.span(Duration::from_millis(200), TROUBLED_FOR))),
            };
            Trouble { when, kind }
        })
        .collect()
}

fn plan_kind(draw: &mut Random) -> TroubleKind {
    let mut soon = |longest_ms: u64| Duration::from_millis(draw.between(50, longest_ms));
    let freeze = soon(24_000);
    let restart = soon(6_000);
    match draw.below(20) {
        0..7 => TroubleKind::Freeze(freeze),
        7..12 => TroubleKind::Crash(restart),
        12..14 => TroubleKind::Shutdown(restart),
        14..16 => TroubleKind::Join,
        16..18 => TroubleKind::StoreRestart(restart),
        _ => TroubleKind::BrokerRestart(restart),
    }
}

fn plan_point(draw: &mut Random) -> When {
    let (point, nth_max) = match draw.below(13) {
        0 | 1 => (Point::Action, 900),
        2 => (Point::OwnerAsked, 8),
        3 | 4 => (Point::Granted, 120),
        5 => (Point::Sent, 120),
        6 => (Point::Answered, 120),
        7 => (Point::Settled, 150),
        8 => (Point::Commit, 40),
        9 | 10 => (Point::LetGo, 4),
        11 => (Point::OwnerAskedAgain, 1),
        _ => (Point::Publish, 60),
    };
    When::Nth(point, draw.between(1, nth_max) as u32)
}
