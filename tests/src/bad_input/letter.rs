//! What a dead letter must be: its record byte for byte, with KIP-1191's headers and ours, each once.

use super::{
    ORDERS,
    kcat::{Raw, Written},
};

/// The death that a letter must tell of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death<'a> {
    pub(crate) worker: &'a str,
    pub(crate) cause: &'a str,
    pub(crate) attempts: u32,
}

/// What is ours and is not compared by value: each must be there.
const OURS: [&str; 6] = [
    "argosy.dlq.fingerprint",
    "argosy.dlq.first-failure-ms",
    "argosy.dlq.last-failure-ms",
    "argosy.dlq.build",
    "argosy.dlq.epoch",
    "__dlq.errors.message",
];

/// The letter's headers by value.
fn expected(death: Death<'_>, record: &Written) -> [(&'static str, String); 8] {
    let Death {
        worker,
        cause,
        attempts,
    } = death;
    [
        ("__dlq.errors.topic", ORDERS.into()),
        ("__dlq.errors.partition", record.partition.to_string()),
        ("__dlq.errors.offset", record.offset.to_string()),
        ("__dlq.errors.group", worker.into()),
        ("__dlq.errors.delivery.count", attempts.to_string()),
        ("argosy.dlq.worker", worker.into()),
        ("argosy.dlq.cause", cause.into()),
        ("argosy.dlq.attempts", attempts.to_string()),
    ]
}

/// What is wrong with the letter of what was written, which was found at its place; empty if nothing is.
pub(crate) fn faults(
    raw: &Raw,
    death: Death<'_>,
    record: &Written,
    letter: &Written,
) -> Vec<String> {
    let mut faults = Vec::new();
    if letter.key != raw.key {
        faults.push("the key is not byte-identical".to_string());
    }
    if letter.value != raw.value {
        faults.push("the value is not byte-identical".to_string());
    }
    let expected = expected(death, record);
    for name in expected.iter().map(|(name, _)| *name).chain(OURS) {
        match letter.times(name) {
            1 if letter.header(name) == Some("") => faults.push(format!("header {name} is empty")),
            1 => {}
            times => faults.push(format!("header {name} is there {times} times")),
        }
    }
    for (name, wanted) in &expected {
        let found = letter.header(name).unwrap_or("nothing");
        if found != wanted {
            faults.push(format!("header {name} says {found}, not {wanted}"));
        }
    }
    let reserved =
        |name: &str| OURS.contains(&name) || expected.iter().any(|(ours, _)| *ours == name);
    faults.extend(lost_headers(raw, letter, reserved));
    faults
}

/// The record's own headers must be there; under another name, if theirs is ours.
fn lost_headers(record: &Raw, letter: &Written, reserved: impl Fn(&str) -> bool) -> Vec<String> {
    let is_lost = |(name, value): &&(String, Vec<u8>)| {
        let kept = if reserved(name) {
            format!("argosy.earlier.{name}")
        } else {
            name.clone()
        };
        // Printed as text, so that only what is text can be compared.
        std::str::from_utf8(value).is_ok_and(|value| letter.header(&kept) != Some(value))
    };
    record
        .headers
        .iter()
        .filter(is_lost)
        .map(|(name, _)| format!("header {name} of the record is not kept"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        super::cases::{self, Case},
        *,
    };

    const DEATH: Death<'_> = Death {
        worker: "orders",
        cause: "undecodable",
        attempts: 1,
    };

    /// A case, its record at partition 3, offset 17, and the letter that it should become.
    fn whole() -> (Case, Written, Written) {
        let case = cases::all().swap_remove(0);
        let record = Written {
            partition: 3,
            offset: 17,
            key: case.record.key.clone(),
            value: case.record.value.clone(),
            headers: Vec::new(),
        };
        let mut letter = Written {
            partition: 0,
            offset: 0,
            ..record.clone()
        };
        for (name, value) in &case.record.headers {
            let value = String::from_utf8(value.clone()).unwrap();
            letter.headers.push((name.clone(), value));
        }
        for (name, value) in expected(DEATH, &record) {
            letter.headers.push((name.into(), value));
        }
        for name in OURS {
            letter.headers.push((name.into(), "x".into()));
        }
        (case, record, letter)
    }

    #[test]
    fn a_letter_as_it_should_be_has_no_fault() {
        let (case, record, letter) = whole();
        assert_eq!(
            faults(&case.record, DEATH, &record, &letter),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_header_is_missed_and_each_wrong_value_of_it_is_seen() {
        let (case, record, letter) = whole();
        for index in 0..letter.headers.len() {
            let name = &letter.headers[index].0;
            let mut without = letter.clone();
            without.headers.remove(index);
            let mut twice = letter.clone();
            twice.headers.push(letter.headers[index].clone());
            let mut empty = letter.clone();
            empty.headers[index].1.clear();
            let is_own = case.record.headers.iter().any(|(own, _)| own == name);
            assert!(
                !faults(&case.record, DEATH, &record, &without).is_empty(),
                "{name}"
            );
            assert!(
                !faults(&case.record, DEATH, &record, &empty).is_empty(),
                "{name}"
            );
            assert_eq!(
                faults(&case.record, DEATH, &record, &twice).is_empty(),
                is_own,
                "{name}"
            );
            if !OURS.contains(&&**name) {
                let mut other = letter.clone();
                other.headers[index].1 = "other".into();
                assert!(
                    !faults(&case.record, DEATH, &record, &other).is_empty(),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn a_key_or_value_that_is_not_the_records_is_seen() {
        let (case, record, letter) = whole();
        let keyless = Written {
            key: None,
            ..letter.clone()
        };
        let changed = Written {
            value: None,
            ..letter
        };
        assert_eq!(faults(&case.record, DEATH, &record, &keyless).len(), 1);
        assert_eq!(faults(&case.record, DEATH, &record, &changed).len(), 1);
    }
}
