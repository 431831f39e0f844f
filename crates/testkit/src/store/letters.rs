//! Dead letters in the model: one row per dead record, one open step per letter, and what a park does to both.

use std::collections::BTreeSet;

use argosy_store::{
    AuditRow, DueStep, Letter, LetterId, LetterQuestion, LetterRow, LetterState, OwnerKey,
    PlanStepAnswer, PlanStepKind, StoreError, limits,
};

use super::tables::Tables;

/// A dead record and where it stands.
#[derive(Clone, Debug)]
pub(super) struct StoredLetter {
    pub(super) row: LetterRow,
    pub(super) state: LetterState,
    pub(super) deaths: u32,
}

/// A step, open until it is carried out.
#[derive(Clone, Debug)]
pub(super) struct StoredStep {
    pub(super) id: LetterId,
    pub(super) kind: PlanStepKind,
    pub(super) is_open: bool,
}

pub(super) fn project(tables: &mut Tables, rows: Vec<LetterRow>) -> Result<(), StoreError> {
    rows.iter().try_for_each(LetterRow::check)?;
    for row in rows {
        let deaths = match tables.letter(&row.id) {
            None => 1,
            Some(before) if row.is_newer_than(&before.row) => before.deaths + 1,
            Some(_) => continue,
        };
        tables.put_letter(StoredLetter {
            row,
            state: LetterState::Dead,
            deaths,
        });
    }
    Ok(())
}

pub(super) fn list(tables: &Tables, question: &LetterQuestion) -> Vec<Letter> {
    let mut letters: Vec<_> = tables
        .letters()
        .map(|stored| told(tables, stored))
        .filter(|letter| fits(letter, question))
        .collect();
    letters.sort_by_key(|letter| std::cmp::Reverse(letter.row.place()));
    letters.truncate(question.rows_max.min(limits::OPERATOR_ROWS_MAX) as usize);
    for letter in &mut letters {
        letter.row = letter.row.listed();
    }
    letters
}

pub(super) fn one(tables: &Tables, id: &LetterId) -> Option<Letter> {
    tables.letter(id).map(|stored| told(tables, stored))
}

fn told(tables: &Tables, stored: &StoredLetter) -> Letter {
    let id = &stored.row.id;
    Letter {
        row: stored.row.clone(),
        state: stored.state,
        deaths: stored.deaths,
        held: tables
            .holds(&id.owner())
            .any(|(_, offset)| offset == id.offset),
        open_step: tables.open_step(id).map(|(_, step)| step.kind),
    }
}

fn fits(letter: &Letter, question: &LetterQuestion) -> bool {
    let row = &letter.row;
    let text = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|it| it == is);
    text(&question.worker, &row.id.worker)
        && text(&question.topic, &row.id.topic)
        && text(&question.cause, &row.cause)
        && text(&question.fingerprint, &row.fingerprint)
        && question
            .correlation
            .as_deref()
            .is_none_or(|wanted| row.correlation.as_deref() == Some(wanted))
        && (question.key.is_none() || question.key == row.key)
        && question.state.is_none_or(|state| state == letter.state)
        && question.held.is_none_or(|held| held == letter.held)
        && question
            .after
            .as_ref()
            .is_none_or(|after| row.place() < *after)
}

pub(super) fn ask(
    tables: &mut Tables,
    at_ms: i64,
    id: LetterId,
    kind: PlanStepKind,
    actor: String,
) -> PlanStepAnswer {
    let answer = one(tables, &id).map_or(PlanStepAnswer::Unknown, |letter| letter.answer(kind));
    if let Some(subject) = answer.subject(&id) {
        tables.add_audit(AuditRow {
            at_ms,
            actor,
            action: kind.action().to_owned(),
            subject,
        });
    }
    if answer == PlanStepAnswer::Asked {
        tables.add_step(StoredStep {
            id,
            kind,
            is_open: true,
        });
    }
    answer
}

pub(super) fn due(tables: &Tables, owners: Vec<OwnerKey>, rows_max: u32) -> Vec<DueStep> {
    let owners: BTreeSet<OwnerKey> = owners.into_iter().collect();
    let mut of_owners: Vec<Vec<DueStep>> = owners
        .into_iter()
        .map(|owner| due_of(tables, &owner))
        .collect();
    of_owners.sort_by_key(|steps| steps.iter().map(|due| due.step).min());
    let mut all: Vec<DueStep> = of_owners
        .into_iter()
        .flat_map(|mut steps| {
            steps.sort_by_key(|due| due.offset);
            steps
        })
        .collect();
    all.truncate(rows_max.min(limits::DUE_STEPS_MAX) as usize);
    all
}

fn due_of(tables: &Tables, owner: &OwnerKey) -> Vec<DueStep> {
    let open = tables.open_steps();
    open.filter(|(_, step)| step.id.owner() == *owner)
        .filter_map(|(number, step)| {
            let row = &tables.letter(&step.id)?.row;
            Some(DueStep {
                step: number,
                owner: owner.clone(),
                kind: step.kind,
                offset: step.id.offset,
                key: row.key.clone(),
                bytes: row.bytes(),
            })
        })
        .collect()
}

/// Carries out a step of this owner, if it is open; whose it is.
pub(super) fn carry_out(
    tables: &mut Tables,
    owner: &OwnerKey,
    number: i64,
    fits: impl Fn(&StoredStep) -> bool,
) -> Option<LetterId> {
    let step = tables.step(number)?;
    if !step.is_open || step.id.owner() != *owner || !fits(step) {
        return None;
    }
    let id = step.id.clone();
    tables.close_step(number);
    Some(id)
}

/// Moves a letter, if there is one, to a state.
pub(super) fn mark(tables: &mut Tables, id: &LetterId, state: LetterState) {
    if let Some(stored) = tables.letter(id) {
        let stored = StoredLetter {
            state,
            ..stored.clone()
        };
        tables.put_letter(stored);
    }
}
