//! What strikes, and when: drawn from the seed alone.

use std::time::Duration;

use argosy_testkit::random::Random;

/// The kinds of fault. Each is drawn before any is drawn anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// kill -9 a worker.
    KillWorker,
    /// SIGTERM a worker.
    StopWorker,
    /// SIGSTOP a worker for 20 s, then SIGCONT.
    FreezeWorker,
    /// kill -9 the broker, or restart it.
    Broker,
    /// kill -9 PostgreSQL, or restart it.
    Store,
    /// Start an extra worker, or stop it.
    ExtraWorker,
    /// kill -9 the gateway.
    KillGateway,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::KillWorker,
        Self::StopWorker,
        Self::FreezeWorker,
        Self::Broker,
        Self::Store,
        Self::ExtraWorker,
        Self::KillGateway,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::KillWorker => "kill_worker",
            Self::StopWorker => "stop_worker",
            Self::FreezeWorker => "freeze_worker",
            Self::Broker => "broker",
            Self::Store => "store",
            Self::ExtraWorker => "extra_worker",
            Self::KillGateway => "kill_gateway",
        }
    }
}

/// One strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    /// When, from the storm's beginning.
    pub at: Duration,
    /// What.
    pub kind: Kind,
    /// Which of the workers, if it strikes one.
    pub victim: usize,
    /// The hard way (kill -9) where there are two.
    pub hard: bool,
    /// How long what was killed or stopped stays down.
    pub down: Duration,
}

/// How long a frozen worker sleeps: past its session timeout.
pub const FREEZE: Duration = Duration::from_secs(20);

/// What is drawn before the bag is filled again. A freeze lies in it twice: only a thawed worker meets the fence, and
/// only if the freeze caught it between an outcome and the next claim, which are milliseconds.
fn bag(random: &mut Random) -> Vec<Kind> {
    let mut bag = Kind::ALL.to_vec();
    bag.push(Kind::FreezeWorker);
    random.shuffle(&mut bag);
    bag
}

/// The store stays away longest, so that the next fault finds work dammed up.
fn down(kind: Kind, random: &mut Random) -> Duration {
    let spread = if kind == Kind::Store { 5_500 } else { 1_500 };
    Duration::from_millis(500 + random.below(spread))
}

/// The strikes of a storm of this length, every 3 to 8 s.
pub fn strikes(seed: u64, length: Duration, workers: usize) -> Vec<Strike> {
    let mut random = Random::new(seed);
    let mut drawable: Vec<Kind> = Vec::new();
    let mut strikes = Vec::new();
    let mut at = Duration::from_secs(3);
    while at < length {
        if drawable.is_empty() {
            drawable = bag(&mut random);
        }
        let Some(kind) = drawable.pop() else { break };
        strikes.push(Strike {
            at,
            kind,
            victim: usize::try_from(random.below(workers as u64)).unwrap_or(0),
            hard: random.below(2) == 0,
            down: down(kind, &mut random),
        });
        at += Duration::from_millis(3_000 + random.below(5_001));
    }
    strikes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_minute_has_each_kind_at_least_once_and_five_have_each_three_times() {
        for seed in 0..200 {
            for (minutes, times) in [(1, 1), (5, 3)] {
                let strikes = strikes(seed, Duration::from_secs(60 * minutes), 3);
                for kind in Kind::ALL {
                    let struck = strikes.iter().filter(|strike| strike.kind == kind).count();
                    assert!(
                        struck >= times,
                        "seed {seed}, {minutes} min: {} struck {struck} times",
                        kind.name()
                    );
                }
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_strikes() {
        let length = Duration::from_secs(300);
        assert_eq!(strikes(7, length, 3), strikes(7, length, 3));
        assert_ne!(strikes(7, length, 3), strikes(8, length, 3));
    }
}
