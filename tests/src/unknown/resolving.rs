//! An operator's word on every effect that ended ambiguous, by the fleet's own command: in the direction that the
//! supplier's books show; then the event is published again.

use std::time::Duration;

use argosy_store::{EffectState, Store as _};
use serde_json::json;

use super::plan::{Case, End, Group};
use crate::grounds::{Grounds, Receipt, until};

const DONE_WITHIN: Duration = Duration::from_secs(60);
const EFFECT: &str = "draft-order";
const AUDIT_ROWS_MAX: u32 = 1_000;

/// What was resolved, and what was wrong with it.
#[derive(Debug, Default)]
pub(super) struct Resolutions {
    pub(super) happened: usize,
    pub(super) did_not_happen: usize,
    pub(super) violations: Vec<String>,
}

/// Resolves all ambiguous events of a group.
pub(super) async fn resolve(grounds: &Grounds, group: &Group) -> anyhow::Result<Resolutions> {
    let mut resolutions = Resolutions::default();
    for case in group
        .cases
        .iter()
        .filter(|case| case.must.end == End::Ambiguous)
    {
        let receipts = of_case(grounds, case)?;
        let answer = receipts.first().map(|receipt| {
            let answer = json!({ "taken": { "order_id": receipt.order_id } });
            answer.to_string()
        });
        match answer {
            Some(_) => resolutions.happened += 1,
            None => resolutions.did_not_happen += 1,
        }
        let wrong = resolve_one(grounds, group, case, answer.as_deref()).await?;
        let wrong = wrong.into_iter();
        resolutions
            .violations
            .extend(wrong.map(|what| format!("{}: {what}", case.event)));
    }
    Ok(resolutions)
}

async fn resolve_one(
    grounds: &Grounds,
    group: &Group,
    case: &Case,
    answer: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    let before = grounds.effect(&group.name, &case.event).await?;
    let claims = before.as_ref().map_or(0, |row| row.number);
    if !before.is_some_and(|row| row.state == EffectState::Open(None)) {
        wrong.push("its effect is not open past its deadline".to_owned());
    }
    let (succeeded, said) = say(grounds, group, case, answer)?;
    if !succeeded {
        wrong.push(format!("could not be resolved: {said}"));
        return Ok(wrong);
    }
    // What happened cannot be taken back; that it did not may still be corrected, until it is called again.
    if answer.is_some() {
        let (succeeded, said) = say(grounds, group, case, None)?;
        if succeeded {
            wrong.push(format!("what happened was taken back: {said}"));
        }
    }
    let after = grounds
        .effect(&group.name, &case.event)
        .await?
        .map(|row| row.state);
    let is_right = match (&after, answer) {
        (Some(EffectState::Succeeded(kept)), Some(answer)) => kept == answer.as_bytes(),
        (Some(EffectState::Released), None) => true,
        _ => false,
    };
    if !is_right {
        wrong.push(format!("stands as {after:?} after it was resolved"));
    }
    let receipts = of_case(grounds, case)?.len();
    let order = group.deed(case).order(&group.name, &case.key);
    grounds.publish(&case.event, &order).await?;
    until(
        "the event is done when it runs again",
        DONE_WITHIN,
        async || {
            let state = grounds.state(&group.name, &case.event).await?;
            Ok((state.as_deref() == Some("done")).then_some(()))
        },
    )
    .await
    .unwrap_or_else(|error| wrong.push(format!("{error:#}")));
    let calls = of_case(grounds, case)?.len() - receipts;
    let wanted = usize::from(answer.is_none());
    if calls != wanted {
        wrong.push(format!("running again it made {calls} calls, not {wanted}"));
    }
    let row = grounds.effect(&group.name, &case.event).await?;
    let new_claims = row.map_or(0, |row| row.number) - claims;
    if usize::try_from(new_claims) != Ok(wanted) {
        wrong.push(format!(
            "running again it was claimed {new_claims} times, not {wanted}"
        ));
    }
    Ok(wrong)
}

/// `argosy effects resolve`; `None` is that it did not happen.
fn say(
    grounds: &Grounds,
    group: &Group,
    case: &Case,
    answer: Option<&str>,
) -> anyhow::Result<(bool, String)> {
    let key = case.class.name();
    let mut arguments = vec![
        "effects",
        "resolve",
        "--worker",
        &group.name,
        "--event",
        &case.event,
        "--source",
        grounds.source(),
        "--name",
        EFFECT,
        "--key",
        key,
        "--actor",
        &case.event,
    ];
    match answer {
        Some(answer) => arguments.extend(["--happened", answer]),
        None => arguments.push("--did-not-happen"),
    }
    grounds.argosy(&arguments)
}

/// What is wrong with the audit: one row for each that was resolved, and no other.
pub(super) async fn audit_faults(
    grounds: &Grounds,
    groups: &[Group],
) -> anyhow::Result<Vec<String>> {
    let mut rows = grounds.store().audit(AUDIT_ROWS_MAX).await?;
    let mut wrong = Vec::new();
    for group in groups {
        for case in group
            .cases
            .iter()
            .filter(|case| case.must.end == End::Ambiguous)
        {
            let subject = json!({
                "worker": group.name, "source": grounds.source(), "event": case.event,
                "name": EFFECT, "key": case.class.name(), "happened": case.must.applied == 1,
            });
            let before = rows.len();
            rows.retain(|row| {
                row.subject != subject || row.action != "effects.resolve" || row.actor != case.event
            });
            if before - rows.len() != 1 {
                wrong.push(format!(
                    "{}: {} audit rows",
                    case.event,
                    before - rows.len()
                ));
            }
        }
    }
    let others = rows
        .iter()
        .map(|row| format!("audit: {} {}", row.action, row.subject));
    wrong.extend(others);
    Ok(wrong)
}

fn of_case(grounds: &Grounds, case: &Case) -> anyhow::Result<Vec<Receipt>> {
    let mut receipts = grounds.receipts()?;
    receipts.retain(|receipt| receipt.our_reference == case.event);
    Ok(receipts)
}
