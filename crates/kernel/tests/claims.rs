//! What an existing claim allows: every row of the table.

use std::time::Duration;

use argosy_kernel::{
    Death,
    claims::{CLAIMED_RECHECK, Decision, Found, FoundState, Repeat, decide},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn found(state: FoundState) -> Found {
    Found {
        same_body: true,
        state,
    }
}

fn expired(age: Duration) -> Found {
    found(FoundState::Open {
        own: false,
        remaining: None,
        age,
    })
}

#[test]
fn a_recorded_success_is_returned_and_never_made_again() {
    for repeat in [Repeat::Natural, Repeat::Remembered(HOUR), Repeat::Never] {
        assert_eq!(
            decide(found(FoundState::Succeeded), repeat, true),
            Decision::Return
        );
    }
}

#[test]
fn what_is_known_not_to_have_happened_is_claimed_anew() {
    assert_eq!(
        decide(found(FoundState::Released), Repeat::Never, false),
        Decision::Claim
    );
}

#[test]
fn a_runs_own_claim_is_re_entered() {
    let own = found(FoundState::Open {
        own: true,
        remaining: None,
        age: HOUR,
    });
    assert_eq!(decide(own, Repeat::Never, false), Decision::Claim);
}

#[test]
fn another_runs_claim_is_waited_for_until_its_deadline_with_rechecks() {
    let open = |remaining| {
        found(FoundState::Open {
            own: false,
            remaining: Some(remaining),
            age: Duration::ZERO,
        })
    };
    let soon = Duration::from_millis(300);
    assert_eq!(
        decide(open(soon), Repeat::Natural, true),
        Decision::Wait(soon)
    );
    assert_eq!(
        decide(open(HOUR), Repeat::Natural, true),
        Decision::Wait(CLAIMED_RECHECK)
    );
}

#[test]
fn after_the_deadline_the_calls_repeat_class_decides() {
    let ambiguous = Decision::Dead(Death::Ambiguous);
    let young = Duration::from_secs(60);
    let cases = [
        (young, Repeat::Natural, false, Decision::Claim),
        (24 * HOUR, Repeat::Natural, false, Decision::Claim),
        (young, Repeat::Remembered(24 * HOUR), false, Decision::Claim),
        (
            23 * HOUR - young,
            Repeat::Remembered(24 * HOUR),
            true,
            Decision::Claim,
        ),
        (
            23 * HOUR,
            Repeat::Remembered(24 * HOUR),
            true,
            Decision::LookUp,
        ),
        (23 * HOUR, Repeat::Remembered(24 * HOUR), false, ambiguous),
        // A memory shorter than the margin is none.
        (
            Duration::ZERO,
            Repeat::Remembered(HOUR / 2),
            false,
            ambiguous,
        ),
        (young, Repeat::Never, true, Decision::LookUp),
        (young, Repeat::Never, false, ambiguous),
    ];
    for (age, repeat, has_lookup, expected) in cases {
        let seen = decide(expired(age), repeat, has_lookup);
        assert_eq!(seen, expected, "{age:?} {repeat:?} {has_lookup}");
    }
}

#[test]
fn one_identity_with_another_body_is_dead_whatever_was_recorded() {
    for state in [FoundState::Succeeded, FoundState::Released] {
        let found = Found {
            same_body: false,
            state,
        };
        let seen = decide(found, Repeat::Natural, true);
        assert_eq!(seen, Decision::Dead(Death::IdentityReused));
    }
}
