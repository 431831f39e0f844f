//! How a worker joins its group: defaults, both protocols, and keys that do not belong together.

use super::*;

fn membership(text: &str) -> Membership {
    let text = format!("[worker]\n{text}");
    read(&text, &[], &[]).unwrap().worker.membership
}

#[test]
fn the_classic_protocol_without_a_name_is_the_default() {
    let default = Membership::Classic {
        session_timeout: Duration::from_secs(20),
        instance_id: None,
    };
    assert_eq!(membership(""), default);
    assert_eq!(membership("group_protocol = \"classic\"\n"), default);
}

#[test]
fn each_protocol_takes_its_own_keys() {
    assert_eq!(
        membership("session_timeout_ms = 8000\ninstance_id = \"orders-0.eu_1\"\n"),
        Membership::Classic {
            session_timeout: Duration::from_secs(8),
            instance_id: Some("orders-0.eu_1".to_owned()),
        }
    );
    assert_eq!(
        membership("group_protocol = \"consumer\"\n"),
        Membership::Consumer {
            remote_assignor: None
        }
    );
    assert_eq!(
        membership("group_protocol = \"consumer\"\nremote_assignor = \"range\"\n"),
        Membership::Consumer {
            remote_assignor: Some("range".to_owned())
        }
    );
}

#[test]
fn what_is_in_effect_can_be_read_again() {
    for text in [
        "",
        "instance_id = \"orders-0\"\n",
        "group_protocol = \"consumer\"\n",
        "group_protocol = \"consumer\"\nremote_assignor = \"uniform\"\n",
    ] {
        let config = read(&format!("[worker]\n{text}"), &[], &[]).unwrap();
        let shown = config.to_toml();
        let again = read(&shown, &[], &[]).unwrap();
        assert_eq!(again.worker, config.worker, "{shown}");
    }
}

#[test]
fn a_name_beside_the_consumer_protocol_names_both_keys_and_the_remedy() {
    let text = "[worker]\ninstance_id = \"orders-0\"\ngroup_protocol = \"consumer\"\n";
    let found = faults(text, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("argosy.toml:2: worker.instance_id: "),
        "{found:?}"
    );
    for part in [
        "worker.group_protocol = \"consumer\"",
        "remove worker.instance_id",
        "set worker.group_protocol = \"classic\"",
    ] {
        assert!(found[0].contains(part), "{part}: {found:?}");
    }
    // Wherever each of them comes from.
    let both = [
        ("ARGOSY__WORKER__GROUP_PROTOCOL", "consumer"),
        ("ARGOSY__WORKER__INSTANCE_ID", "orders-0"),
    ];
    assert_one_fault(
        "",
        &both,
        "ARGOSY__WORKER__INSTANCE_ID: worker.instance_id: cannot be set beside",
    );
}

#[test]
fn keys_of_the_other_protocol_are_faults() {
    assert_one_fault(
        "[worker]\nsession_timeout_ms = 8000\ngroup_protocol = \"consumer\"\n",
        &[],
        "argosy.toml:2: worker.session_timeout_ms: does nothing with",
    );
    assert_one_fault(
        "[worker]\nremote_assignor = \"range\"\n",
        &[],
        "argosy.toml:2: worker.remote_assignor: does nothing with",
    );
}

#[test]
fn wrong_values_are_faults() {
    for (line, begins) in [
        (
            "group_protocol = \"eager\"",
            "worker.group_protocol: must be one of: classic, consumer",
        ),
        (
            "group_protocol = \"Consumer\"",
            "worker.group_protocol: must be one of",
        ),
        (
            "group_protocol = true",
            "worker.group_protocol: must be text",
        ),
        ("group_protocol = \"\"", "worker.group_protocol: is empty"),
        ("instance_id = 7", "worker.instance_id: must be text"),
        ("instance_id = \" \"", "worker.instance_id: is empty"),
        (
            "instance_id = \"a b\"",
            "worker.instance_id: must be 1 to 249",
        ),
        (
            "instance_id = \"..\"",
            "worker.instance_id: must be 1 to 249",
        ),
        (
            "instance_id = \"a\\u0000\"",
            "worker.instance_id: must be 1 to 249",
        ),
        (
            "instance_id = \"ö\"",
            "worker.instance_id: must be 1 to 249",
        ),
        (
            "group_protocol = \"consumer\"\nremote_assignor = \"a/b\"",
            "worker.remote_assignor: must be 1 to 249",
        ),
    ] {
        let text = format!("[worker]\n{line}\n");
        let found = faults(&text, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(begins), "{begins}: {found:?}");
    }
    let long = format!("[worker]\ninstance_id = \"{}\"\n", "x".repeat(250));
    assert_one_fault(&long, &[], "argosy.toml:2: worker.instance_id: must be 1");
    let twice = "[worker]\ngroup_protocol = \"classic\"\ngroup_protocol = \"consumer\"\n";
    let found = faults(twice, &[]);
    assert!(
        found.iter().any(|fault| fault.contains("duplicate key")),
        "{found:?}"
    );
    // A protocol that is unknown has no keys that could be wrong.
    assert_one_fault(
        "[worker]\ngroup_protocol = \"x\"\nremote_assignor = \"range\"\ninstance_id = \"a\"\n",
        &[],
        "argosy.toml:2: worker.group_protocol",
    );
}
