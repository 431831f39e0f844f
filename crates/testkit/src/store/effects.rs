//! Claims and outcomes in the model: the rules that every adapter must keep, written as plainly as they can be.

use std::{sync::Arc, time::Duration};

use argosy_store::{
    AuditRow, Claim, ClaimAnswer, EffectId, EffectRow, EventKey, OutcomeRow, RecordedOutcome,
    Resolution, Resolved, StoreError, limits,
};

use super::tables::{Standing, StoredEffect, Tables};

pub(super) fn recall(tables: &Tables, now: Duration, events: &[EventKey]) -> Vec<Vec<EffectRow>> {
    events
        .iter()
        .map(|event| {
            let first = EffectId {
                of: event.clone(),
                name: Arc::from(""),
                key: Arc::from(""),
            };
            tables
                .effects_from(first)
                .take_while(|(id, _)| id.of == *event)
                .map(|(id, effect)| effect.row(id, now))
                .collect()
        })
        .collect()
}

pub(super) fn of_event(
    tables: &Tables,
    now: Duration,
    source: &str,
    event: &str,
) -> Vec<EffectRow> {
    tables
        .effects()
        .filter(|(id, _)| &*id.of.source == source && &*id.of.event == event)
        .take(limits::OPERATOR_ROWS_MAX as usize)
        .map(|(id, effect)| effect.row(id, now))
        .collect()
}

pub(super) fn claim(
    tables: &mut Tables,
    now: Duration,
    claims: Vec<Claim>,
) -> Result<Vec<ClaimAnswer>, StoreError> {
    claims.iter().try_for_each(Claim::check)?;
    Ok(claims
        .into_iter()
        .map(|claim| claim_one(tables, now, claim))
        .collect())
}

fn claim_one(tables: &mut Tables, now: Duration, claim: Claim) -> ClaimAnswer {
    if tables.epoch(&claim.owner) != Some(claim.epoch) {
        return ClaimAnswer::Fenced;
    }
    let deadline = now + claim.hold.min(limits::HOLD_MAX);
    let granted = match tables.effect(&claim.id) {
        None => StoredEffect {
            // A row that was erased is claimed anew, past the number that was seen.
            number: claim.over.unwrap_or(0).max(0).saturating_add(1),
            run: claim.run,
            body_hash: claim.body_hash,
            operation: claim.operation,
            request: claim.request,
            standing: Standing::Open { deadline },
            first_claimed_at: now,
        },
        Some(found) if may_claim(found, &claim, now) => StoredEffect {
            number: found.number + 1,
            run: claim.run,
            standing: Standing::Open { deadline },
            ..found.clone()
        },
        Some(found) => return ClaimAnswer::Found(found.row(&claim.id, now)),
    };
    let answer = ClaimAnswer::Granted {
        number: granted.number,
        request: granted.request.clone(),
    };
    tables.put_effect(claim.id, granted);
    answer
}

/// A run refreshes its own open claim; another's is taken over only as it was seen, released or expired.
fn may_claim(found: &StoredEffect, claim: &Claim, now: Duration) -> bool {
    let as_seen = claim.over == Some(found.number);
    match &found.standing {
        Standing::Open { deadline } => found.run == claim.run || (as_seen && *deadline <= now),
        Standing::Released => as_seen,
        Standing::Succeeded(_) => false,
    }
}

pub(super) fn record(tables: &mut Tables, outcomes: Vec<OutcomeRow>) -> Result<(), StoreError> {
    outcomes.iter().try_for_each(OutcomeRow::check)?;
    for outcome in outcomes {
        let Some(found) = tables.effect(&outcome.id) else {
            continue;
        };
        let standing = match (&found.standing, outcome.outcome) {
            (Standing::Succeeded(_), _) => continue,
            (_, RecordedOutcome::Succeeded(answer)) => Standing::Succeeded(answer),
            (Standing::Open { .. }, RecordedOutcome::NotHappened)
                if found.number == outcome.number =>
            {
                Standing::Released
            }
            (_, RecordedOutcome::NotHappened) => continue,
        };
        let settled = StoredEffect {
            standing,
            ..found.clone()
        };
        tables.put_effect(outcome.id, settled);
    }
    Ok(())
}

pub(super) fn resolve(
    tables: &mut Tables,
    now: Duration,
    id: &EffectId,
    resolution: Resolution,
    actor: String,
) -> Result<Resolved, StoreError> {
    resolution.check()?;
    let Some(found) = tables.effect(id) else {
        return Ok(Resolved::Unknown);
    };
    let refused = match &found.standing {
        Standing::Succeeded(_) => true,
        Standing::Open { deadline } => *deadline > now,
        Standing::Released => false,
    };
    if refused {
        return Ok(Resolved::Refused(found.row(id, now)));
    }
    let subject = resolution.subject(id);
    let settled = StoredEffect {
        standing: match resolution {
            Resolution::Happened(answer) => Standing::Succeeded(answer),
            Resolution::DidNotHappen => Standing::Released,
        },
        ..found.clone()
    };
    let row = settled.row(id, now);
    tables.put_effect(id.clone(), settled);
    tables.add_audit(AuditRow {
        at_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        actor,
        action: Resolution::ACTION.to_owned(),
        subject,
    });
    Ok(Resolved::Now(row))
}
