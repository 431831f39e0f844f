//! The binary as a user meets it, without any server: help, configuration, and how it fails.
#![cfg(test)]

use std::process::{Command, Output};

const STRONG: &str = "0123456789abcdef0123456789abcdef";

/// Runs the binary in an empty folder with these variables alone.
fn argosy(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_argosy"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder.path())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_fails(arguments: &[&str], variables: &[(&str, &str)], code: i32, said: &[&str]) {
    let output = argosy(arguments, variables);
    assert_eq!(output.status.code(), Some(code), "{}", talk(&output));
    assert_eq!(out(&output), "", "a failure has no data");
    for said in said {
        assert!(talk(&output).contains(said), "{said}: {}", talk(&output));
    }
}

#[test]
fn every_command_explains_itself_with_examples() {
    let commands: &[&[&str]] = &[
        &["up"],
        &["worker"],
        &["gateway"],
        &["sandbox"],
        &["migrate"],
        &["topics"],
        &["publish"],
        &["timeline"],
        &["effects"],
        &["config"],
    ];
    for command in commands {
        let output = argosy(&[command, &["--help"][..]].concat(), &[]);
        assert!(output.status.success(), "{command:?}");
        assert!(out(&output).contains("Example"), "{command:?}");
    }
    for command in [
        ["topics", "plan"],
        ["topics", "apply"],
        ["effects", "show"],
        ["effects", "resolve"],
        ["config", "show"],
    ] {
        let output = argosy(&[&command[..], &["--help"][..]].concat(), &[]);
        assert!(output.status.success(), "{command:?}");
        assert!(out(&output).contains("--json"), "{command:?}");
    }
}

#[test]
fn help_documents_the_exit_codes() {
    let help = out(&argosy(&["--help"], &[]));
    assert!(
        help.contains("78  the configuration cannot be used"),
        "{help}"
    );
}

#[test]
fn an_unknown_command_or_worker_is_a_usage_error() {
    assert_fails(&["launch"], &[], 2, &["launch"]);
    assert_fails(&["worker", "pricing"], &[], 2, &["orders", "chronicle"]);
    assert_fails(&["worker"], &[], 2, &["NAME"]);
    assert_fails(
        &["worker", "orders", "chronicle", "orders"],
        &[],
        2,
        &["worker orders is named twice"],
    );
    assert_fails(
        &[
            "effects", "resolve", "--event", "e", "--worker", "w", "--name", "n", "--key", "k",
        ],
        &[],
        2,
        &["--happened", "--did-not-happen"],
    );
}

#[test]
fn config_show_redacts_secrets_and_reads_back() {
    let variables = [
        ("ARGOSY__GATEWAY__OPERATOR_TOKEN", STRONG),
        (
            "ARGOSY__STORE__URL",
            "postgres://argosy:hidden-word@127.0.0.1/argosy",
        ),
    ];
    for arguments in [&["config", "show"][..], &["config", "show", "--json"]] {
        let output = argosy(arguments, &variables);
        assert!(output.status.success(), "{}", talk(&output));
        let shown = out(&output);
        assert!(shown.contains("[redacted]"), "{shown}");
        assert!(
            !shown.contains(STRONG) && !shown.contains("hidden-word"),
            "{shown}"
        );
    }
    let json = out(&argosy(&["--json", "config", "show"], &variables));
    let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(shown["gateway"]["operator_token"], "[redacted]");
    assert_eq!(shown["worker"]["session_timeout_ms"], 20_000);
}

#[test]
fn a_bad_configuration_exits_78_and_names_every_fault() {
    let variables = [
        ("ARGOSY__GATEWAY__LISTEN", "everywhere"),
        ("ARGOSY__WORKER__RUNNING_MAX", "0"),
        ("ARGOSY__NOWHERE__KEY", STRONG),
    ];
    for command in [
        &["config", "show"][..],
        &["up"],
        &["worker", "orders"],
        &["gateway"],
        &["migrate"],
        &["topics", "plan"],
    ] {
        let output = argosy(command, &variables);
        assert_eq!(
            output.status.code(),
            Some(78),
            "{command:?}: {}",
            talk(&output)
        );
        for variable in [
            "ARGOSY__GATEWAY__LISTEN",
            "ARGOSY__WORKER__RUNNING_MAX",
            "ARGOSY__NOWHERE__KEY",
        ] {
            assert!(
                talk(&output).contains(variable),
                "{command:?}: {}",
                talk(&output)
            );
        }
        assert!(!talk(&output).contains(STRONG));
    }
}

#[test]
fn what_a_process_needs_is_asked_for_before_it_starts() {
    assert_fails(
        &["up"],
        &[],
        78,
        &["ARGOSY__STORE__URL", "[orders.suppliers.<name>]"],
    );
    assert_fails(
        &["worker", "orders"],
        &[],
        78,
        &["ARGOSY__STORE__URL", "[orders.suppliers.<name>]"],
    );
    assert_fails(&["worker", "chronicle"], &[], 78, &["ARGOSY__STORE__URL"]);
    assert_fails(&["gateway"], &[], 78, &["ARGOSY__STORE__URL"]);
    assert_fails(&["migrate"], &[], 78, &["ARGOSY__STORE__URL"]);
    assert_fails(&["sandbox"], &[], 78, &["[sandbox.suppliers.<name>]"]);
    assert_fails(
        &["effects", "show", "--event", "e"],
        &[],
        78,
        &["ARGOSY__GATEWAY__OPERATOR_TOKEN"],
    );
}

#[test]
fn a_configuration_file_that_cannot_be_read_is_named_with_the_remedy() {
    for file in ["/nonexistent", "/"] {
        let said = [&*format!("{file}: cannot be read: "), "--config"];
        assert_fails(&["config", "show", "--config", file], &[], 78, &said);
    }
}

#[test]
fn production_refuses_the_sandbox_and_a_missing_operator_token() {
    let production = [
        ("ARGOSY__PROFILE", "production"),
        ("ARGOSY__SANDBOX__SUPPLIERS__ACME__REPEAT", "natural"),
        ("ARGOSY__SANDBOX__SUPPLIERS__ACME__TOKEN", STRONG),
    ];
    assert_fails(
        &["sandbox"],
        &production,
        78,
        &["sandbox: the sandbox invents answers"],
    );
    assert_fails(
        &["config", "show"],
        &production[..1],
        78,
        &["ARGOSY__GATEWAY__OPERATOR_TOKEN"],
    );
}

#[test]
fn a_store_url_that_is_none_exits_78_without_showing_it() {
    let variables = [("ARGOSY__STORE__URL", "mysql://root:hidden-word@localhost/x")];
    let output = argosy(&["migrate"], &variables);
    assert_eq!(output.status.code(), Some(78), "{}", talk(&output));
    assert!(!talk(&output).contains("hidden-word"));
}

#[test]
fn a_gateway_that_is_not_there_is_named_with_the_remedy() {
    // Port 1 is nobody's.
    let away = ["--gateway", "http://127.0.0.1:1"];
    let timeline = [&["timeline", "some-id"][..], &away].concat();
    assert_fails(
        &timeline,
        &[],
        69,
        &[
            "cannot reach the gateway at http://127.0.0.1:1",
            "--gateway",
        ],
    );
    let effects = [&["effects", "show", "--event", "e"][..], &away].concat();
    let token = [("ARGOSY__GATEWAY__OPERATOR_TOKEN", STRONG)];
    let output = argosy(&effects, &token);
    assert_eq!(output.status.code(), Some(69), "{}", talk(&output));
    assert!(!talk(&output).contains(STRONG));
    assert_fails(
        &["timeline", "x", "--gateway", "ftp://a"],
        &[],
        2,
        &["--gateway must be http"],
    );
}

#[test]
fn publish_refuses_what_is_no_json_or_not_there() {
    let publish = ["publish", "--type", "argosy.orders.v1.OrderApproved"];
    assert_fails(
        &[&publish[..], &["none.json"]].concat(),
        &[],
        3,
        &["cannot read none.json"],
    );
    assert_fails(
        &[&publish[..], &["/"]].concat(),
        &[],
        1,
        &["cannot read /: ", "or - for stdin"],
    );
    assert_fails(&[&publish[..], &["-"]].concat(), &[], 1, &["- is no JSON"]);
}
