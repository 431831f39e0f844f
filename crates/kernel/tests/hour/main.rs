//! An hour at 1,000 records a second while a dependency of half of all keys is down, on a simulated clock: the frontier
//! stays young, what the pump holds stays bounded, healthy keys do not notice, and in the end all is done in order.

mod shell;
mod store;

use shell::{Load, Shell};

/// Simulated seconds. All of it, since a leak shows itself only with time; without optimisation an hour takes minutes,
/// and then a twelfth of it has to do.
const OUTAGE_S: u64 = if cfg!(debug_assertions) { 300 } else { 3_600 };

const FRONTIER_AGE_MAX_MS: u64 = 60_000;

/// What waits in memory: half of the records of `park_after`, and as many again on their way.
const HELD_RECORDS_MAX: usize = 30_000;

/// Settled work that may run again after a kill.
const RERUN_AGE_MAX_MS: u64 = 2_000;

/// From its arrival to its end, for a record whose key waits for nothing.
const HEALTHY_MAX_MS: u64 = 500;

/// After the kill.
const CATCH_UP_S: u64 = 5;

#[test]
fn half_of_all_keys_wait_for_an_hour_and_nobody_else_does() {
    let load = Load {
        records_per_second: 1_000,
        keys: 24_000,
        partitions: 12,
    };
    let mut shell = Shell::new(load, 7);
    shell.run(10);
    shell.dependency_down();
    let keys_waiting = load.keys / 2;
    for second in 0..OUTAGE_S {
        if second == OUTAGE_S / 2 {
            shell.kill();
        }
        shell.run(1);
        let seen = shell.look();
        assert!(
            seen.frontier_age_ms < FRONTIER_AGE_MAX_MS,
            "second {second}: the frontier is {} ms old",
            seen.frontier_age_ms
        );
        assert!(
            seen.held_records <= HELD_RECORDS_MAX,
            "second {second}: {} records are held",
            seen.held_records
        );
        assert!(
            seen.parked_keys <= keys_waiting,
            "second {second}: {seen:?}"
        );
        assert!(
            seen.rerun_oldest_ms <= RERUN_AGE_MAX_MS,
            "second {second}: {seen:?}"
        );
        // What came while nobody was there is late.
        let is_catching_up =
            second.saturating_sub(OUTAGE_S / 2) < CATCH_UP_S && second >= OUTAGE_S / 2;
        assert!(
            is_catching_up || seen.healthy_slowest_ms <= HEALTHY_MAX_MS,
            "second {second}: a healthy record took {} ms",
            seen.healthy_slowest_ms
        );
    }
    assert!(shell.look().reruns > 0, "the kill met settled work");
    let waiting = shell.waiting();
    assert!(waiting as u64 >= OUTAGE_S * 400, "{waiting} records wait");
    shell.dependency_up();
    shell.stop_load();
    let mut seconds = 0;
    while shell.waiting() > 0 {
        shell.run(1);
        seconds += 1;
        assert!(seconds < OUTAGE_S, "{} still wait", shell.waiting());
    }
    shell.check_all_settled_in_order();
}
