//! What came of each event, against what must: the suppliers' receipts, the projected state, and the dead letters.

use super::plan::{Case, End, Group, Must};
use crate::{bad_input::kcat::Written, grounds::Receipt};

/// What came of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) state: Option<String>,
    pub(super) applied: usize,
    pub(super) repeats: usize,
    /// Causes of its dead letters.
    pub(super) causes: Vec<String>,
}

impl Came {
    pub(super) fn of(
        group: &Group,
        case: &Case,
        state: Option<String>,
        receipts: &[Receipt],
        letters: &[Written],
    ) -> Self {
        let of_case = receipts
            .iter()
            .filter(|receipt| receipt.our_reference == case.event);
        let (applied, repeats): (Vec<_>, Vec<_>) =
            of_case.partition(|receipt| receipt.effect == "applied");
        let is_its = |letter: &&Written| {
            letter.header("ce_id") == Some(&*case.event)
                && letter.header("argosy.dlq.worker") == Some(&*group.name)
        };
        let cause = |letter: &Written| {
            letter
                .header("argosy.dlq.cause")
                .unwrap_or("none")
                .to_owned()
        };
        Self {
            state,
            applied: applied.len(),
            repeats: repeats.len(),
            causes: letters.iter().filter(is_its).map(cause).collect(),
        }
    }

    /// What is wrong with it.
    pub(super) fn faults(&self, must: Must) -> Vec<String> {
        let mut faults = Vec::new();
        let (state, causes): (_, &[&str]) = match must.end {
            End::Done => ("done", &[]),
            End::Ambiguous => ("dead", &["ambiguous"]),
        };
        if self.state.as_deref() != Some(state) {
            let found = self.state.as_deref().unwrap_or("unknown");
            faults.push(format!("is {found}, not {state}"));
        }
        if self.causes != causes {
            faults.push(format!(
                "has dead letters of causes {:?}, not {causes:?}",
                self.causes
            ));
        }
        if self.applied != must.applied {
            faults.push(format!(
                "was applied {} times, not {}",
                self.applied, must.applied
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial_worker::Class;

    fn receipt(reference: &str, effect: &str) -> Receipt {
        Receipt {
            received_at: 0,
            our_reference: reference.into(),
            order_id: "A-1".into(),
            effect: effect.into(),
        }
    }

    fn letter(event: &str, worker: &str) -> Written {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Written {
            partition: 0,
            offset: 0,
            key: None,
            value: None,
            headers: vec![
                header("ce_id", event),
                header("argosy.dlq.worker", worker),
                header("argosy.dlq.cause", "ambiguous"),
            ],
        }
    }

    #[test]
    fn what_came_of_an_event_is_counted_from_its_own_receipts_and_letters() {
        let group = super::super::plan::groups(1).swap_remove(0);
        let case = Case {
            class: Class::Blind,
            event: "e-1".into(),
            ..group.cases[0].clone()
        };
        let receipts = [
            receipt("e-1", "applied"),
            receipt("e-1", "repeat"),
            receipt("e-10", "applied"),
        ];
        let letters = [
            letter("e-1", &group.name),
            letter("e-1", "other"),
            letter("e-10", &group.name),
        ];
        let came = Came::of(&group, &case, Some("dead".into()), &receipts, &letters);
        let wanted = Came {
            state: Some("dead".into()),
            applied: 1,
            repeats: 1,
            causes: vec!["ambiguous".into()],
        };
        assert_eq!(came, wanted);
        let ambiguous = Must {
            end: End::Ambiguous,
            applied: 1,
        };
        assert_eq!(came.faults(ambiguous), Vec::<String>::new());
    }

    #[test]
    fn another_end_a_second_letter_and_a_second_call_are_seen() {
        let done = Must {
            end: End::Done,
            applied: 1,
        };
        let good = Came {
            state: Some("done".into()),
            applied: 1,
            ..Came::default()
        };
        assert_eq!(good.faults(done), Vec::<String>::new());
        for came in [
            Came {
                state: Some("dead".into()),
                ..good.clone()
            },
            Came {
                state: None,
                ..good.clone()
            },
            Came {
                applied: 2,
                ..good.clone()
            },
            Came {
                applied: 0,
                ..good.clone()
            },
            Came {
                causes: vec!["ambiguous".into()],
                ..good
            },
        ] {
            assert_eq!(came.faults(done).len(), 1, "{came:?}");
        }
        let dead = Came {
            state: Some("dead".into()),
            causes: vec!["ambiguous".into(), "ambiguous".into()],
            ..Came::default()
        };
        assert_eq!(
            dead.faults(Must {
                end: End::Ambiguous,
                applied: 0
            })
            .len(),
            1
        );
    }
}
