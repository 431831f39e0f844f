//! Configuration as a user meets it: what is read, what is refused, and what is said about it.

mod membership;
mod production;

use std::time::Duration;

use super::*;

const EXAMPLE: &str = include_str!("../../../../config.example.toml");
const STRONG: &str = "0123456789abcdef0123456789abcdef";

fn read(text: &str, variables: &[(&str, &str)], parts: &[Part]) -> Result<Config, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read("argosy.toml", text, variables, parts)
}

fn faults(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    match read(text, variables, &[]) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(error) => error.faults.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn assert_one_fault(text: &str, variables: &[(&str, &str)], begins: &str) {
    let faults = faults(text, variables);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with(begins), "{} / {begins}", faults[0]);
}

#[test]
fn nothing_written_gives_the_defaults() {
    let config = read("", &[], &[]).unwrap();
    assert_eq!(config.profile, Profile::Dev);
    assert_eq!(config.worker.commit_every, Duration::from_secs(1));
    assert!(config.sandbox.is_none() && config.store.url.is_none());
}

#[test]
fn the_example_is_valid_for_everything() {
    let all = [Part::Store, Part::Gateway, Part::Orders, Part::Sandbox];
    let config = read(EXAMPLE, &[], &all).unwrap();
    assert_eq!(config.orders.suppliers.len(), 2);
    assert_eq!(config.gateway.shopify.secrets().len(), 1);
}

#[test]
fn the_example_names_every_key_that_is_in_effect() {
    let shown = read(EXAMPLE, &[], &[]).unwrap().to_toml();
    let keys = shown.lines().filter_map(|line| line.split_once(" = "));
    for (key, _) in keys {
        let named = |line: &str| {
            line.trim_start_matches("# ")
                .starts_with(&format!("{key} = "))
        };
        assert!(EXAMPLE.lines().any(named), "{key} is not in the example");
    }
}

#[test]
fn what_is_commented_out_in_the_example_is_valid_too() {
    let secret = tempfile_with(STRONG);
    let text: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect::<String>()
        .replace("security = \"plaintext\"", "security = \"sasl_tls\"")
        .lines()
        .map(|line| match line.split_once("_file = ") {
            Some((key, _)) if key != "ca" => format!("{key}_file = {:?}\n", secret.path),
            _ => format!("{line}\n"),
        })
        .collect();
    read(&text, &[], &[Part::Store]).unwrap();
}

#[test]
fn all_faults_are_told_at_once_with_place_key_and_remedy() {
    let text = "profil = \"dev\"\n[gateway]\ndeadline_ms = \"soon\"\nlisten = \"here\"\n[worker]\nrunning_max = 0\n";
    let faults = faults(text, &[("ARGOSY__TELEMETRY__FORMAT", "xml")]);
    for expected in [
        "argosy.toml:1: profil: is no key: here stand",
        "argosy.toml:3: gateway.deadline_ms: must be a number, not text",
        "argosy.toml:4: gateway.listen: must be address:port, e.g. 127.0.0.1:8080",
        "argosy.toml:6: worker.running_max: must be a whole number from 1 to 10000",
        "ARGOSY__TELEMETRY__FORMAT: telemetry.format: must be one of: json, text",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(expected)),
            "{expected} is not among {faults:#?}"
        );
    }
    assert_eq!(faults.len(), 5);
}

#[test]
fn variables_win_over_the_file_and_are_read_by_the_type_of_their_key() {
    let text = "[broker]\nbootstrap = [\"a:1\"]\n[gateway]\noperator_token = \"from-the-file\"\n";
    let variables = [
        ("ARGOSY__BROKER__BOOTSTRAP", "b:1, c:2"),
        ("ARGOSY__GATEWAY__OPERATOR_TOKEN", "12345"),
        ("ARGOSY__GATEWAY__APPROVE_PLACED_ORDERS", "true"),
        ("ARGOSY__GATEWAY__DEADLINE_MS", "1_000"),
        ("ARGOSY_UNRELATED", "ignored"),
    ];
    let config = read(text, &variables, &[]).unwrap();
    assert_eq!(config.broker.bootstrap, ["b:1", "c:2"]);
    assert_eq!(config.gateway.operator_token.unwrap().expose(), "12345");
    assert!(config.gateway.approve_placed_orders);
    assert_eq!(config.gateway.deadline, Duration::from_secs(1));
}

#[test]
fn a_variable_may_hold_toml() {
    let variables = [
        ("ARGOSY__BROKER__BOOTSTRAP", "[\"a:1\", \"b:2\"]"),
        (
            "ARGOSY__ORDERS__SUPPLIERS__ACME",
            "{ skus = [\"A-*\"], base_url = \"http://a/x\", repeat = \"never\" }",
        ),
    ];
    let config = read("", &variables, &[Part::Orders]).unwrap();
    assert_eq!(config.broker.bootstrap.len(), 2);
    assert_eq!(config.orders.suppliers["acme"].repeat, Repeat::Never);
}

#[test]
fn a_variable_reaches_a_supplier_whose_name_has_a_hyphen() {
    let text =
        "[orders.suppliers.acme-eu]\nskus = [\"A\"]\nbase_url = \"http://a\"\nrepeat = \"never\"\n";
    let variables = [("ARGOSY__ORDERS__SUPPLIERS__ACME_EU__TOKEN", "t")];
    let config = read(text, &variables, &[]).unwrap();
    assert!(config.orders.suppliers["acme-eu"].token.is_some());
}

#[test]
fn hostile_variables_are_faults_and_nothing_else() {
    for name in [
        "ARGOSY__",
        "ARGOSY____X",
        "ARGOSY__A__B__C__D__E__F__G__H__I",
    ] {
        assert_one_fault("", &[(name, "x")], name);
    }
    assert_one_fault(
        "profile = \"dev\"\n",
        &[("ARGOSY__PROFILE__X", "x")],
        "ARGOSY__PROFILE__X",
    );
    assert_one_fault(
        "",
        &[("ARGOSY__GATEWAY", "x")],
        "ARGOSY__GATEWAY: gateway: must be a section",
    );
    assert_one_fault(
        "",
        &[("ARGOSY__BROKER__BOOTSTRAP", "[\"a:1\"")],
        "ARGOSY__BROKER__BOOTSTRAP",
    );
    assert_one_fault(
        "",
        &[("ARGOSY__BROKER__BOOTSTRAP", "a:1,,b:2")],
        "ARGOSY__BROKER__BOOTSTRAP",
    );
    assert_one_fault(
        "",
        &[("ARGOSY__STORE__CONNECTIONS_MAX", "-1")],
        "ARGOSY__STORE__CONNECTIONS_MAX",
    );
    assert_one_fault(
        "",
        &[("ARGOSY__GATEWAY__OPERATOR_TOKEN", " ")],
        "ARGOSY__GATEWAY__OPERATOR_TOKEN",
    );
}

#[test]
fn wrong_types_truncated_and_duplicate_keys_are_faults() {
    assert_one_fault(
        "[gateway]\nlisten = 8080\n",
        &[],
        "argosy.toml:2: gateway.listen: must be text",
    );
    assert_one_fault(
        "gateway = 1\n",
        &[],
        "argosy.toml:1: gateway: must be a section",
    );
    assert_one_fault(
        "[worker]\nrunning_max = 1.5\n",
        &[],
        "argosy.toml:2: worker.running_max",
    );
    assert_one_fault(
        "[worker]\nrunning_max = 99999999999999999999\n",
        &[],
        "argosy.toml:2",
    );
    assert_one_fault(
        "[broker]\nbootstrap = [1]\n",
        &[],
        "argosy.toml:2: broker.bootstrap",
    );
    assert_one_fault(
        "[broker]\nbootstrap = []\n",
        &[],
        "argosy.toml:1: broker.bootstrap",
    );
    for text in [
        "[gateway]\nlisten = \"a",
        "[gateway]\n[gateway]\n",
        "profile = \"dev\"\nprofile = \"dev\"\n",
    ] {
        let faults = faults(text, &[]);
        assert!(
            faults.iter().any(|fault| fault.contains("not TOML")),
            "{faults:?}"
        );
    }
    let deep = format!("x = {}1{}", "[".repeat(2_000), "]".repeat(2_000));
    assert!(read(&deep, &[], &[]).is_err());
}

#[test]
fn a_key_that_stands_twice_is_named() {
    for (text, wanted) in [
        (
            "[gateway]\nlisten = \"a\"\nlisten = \"b\"\n",
            "argosy.toml:3: listen: not TOML: duplicate key",
        ),
        (
            "profile = \"dev\"\nprofile = \"dev\"\n",
            "argosy.toml:2: profile: not TOML: duplicate key",
        ),
    ] {
        let faults = faults(text, &[]);
        assert!(faults.contains(&wanted.to_owned()), "{faults:?}");
    }
}

#[test]
fn a_secret_with_a_line_break_is_a_fault_of_its_key() {
    assert_one_fault(
        "[gateway]\noperator_token = \"one\\ntwo\"\n",
        &[],
        "argosy.toml:2: gateway.operator_token: has a line break",
    );
    assert_one_fault(
        "",
        &[("ARGOSY__GATEWAY__INTAKE_TOKEN", "one\ntwo")],
        "ARGOSY__GATEWAY__INTAKE_TOKEN: gateway.intake_token: has a line break",
    );
}

#[test]
fn a_store_url_without_a_usable_port_is_a_fault() {
    for url in [
        "postgres://a:b@c:notaport/x",
        "postgres://c:0/x",
        "postgres://c:70000",
        "postgres://c:5432,d:/x",
    ] {
        let text = format!("[store]\nurl = \"{url}\"\n");
        assert_one_fault(&text, &[], "argosy.toml:2: store.url: must be postgres://");
    }
    for url in [
        "postgres://a:b@[::1]:5432/x",
        "postgres://a:p:w@c,d:5433/x?y=z:1",
        "postgres:///x",
    ] {
        read(&format!("[store]\nurl = \"{url}\"\n"), &[], &[]).unwrap();
    }
}

#[test]
fn faults_never_show_a_value() {
    let text = format!(
        "[gateway]\noperator_token = [\"{STRONG}\"]\nx = \"{STRONG}\"\n[store]\nurl = \"{STRONG}\"\n"
    );
    let faults = faults(&text, &[("ARGOSY__BROKER__SECURITY", STRONG)]);
    assert_eq!(faults.len(), 4, "{faults:?}");
    assert!(!faults.concat().contains(STRONG));
}

#[test]
fn what_a_part_needs_is_asked_for_by_key_and_variable() {
    let error = read("", &[], &[Part::Store, Part::Orders])
        .unwrap_err()
        .to_string();
    assert!(error.contains("ARGOSY__STORE__URL"), "{error}");
    assert!(error.contains("[orders.suppliers.<name>]"), "{error}");
}

#[test]
fn a_supplier_says_all_that_is_missing_at_once() {
    let error = read("[orders.suppliers.acme]\nskus = []\n", &[], &[]).unwrap_err();
    let keys: Vec<&str> = error
        .faults
        .iter()
        .map(|fault| fault.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "orders.suppliers.acme.base_url",
            "orders.suppliers.acme.repeat",
            "orders.suppliers.acme.skus"
        ]
    );
}

#[test]
fn a_secret_is_read_from_the_file_that_its_key_names() {
    let file = tempfile_with(&format!("{STRONG}\n"));
    let variables = [("ARGOSY__GATEWAY__OPERATOR_TOKEN_FILE", file.path.as_str())];
    let config = read("", &variables, &[]).unwrap();
    assert_eq!(config.gateway.operator_token.unwrap().expose(), STRONG);
}

#[test]
fn unusable_secret_files_are_faults() {
    let empty = tempfile_with("\n");
    let large = tempfile_with(&"x".repeat(section::SECRET_BYTES_MAX + 1));
    for path in ["/nonexistent/secret", "/", &empty.path, &large.path] {
        assert_one_fault(
            "",
            &[("ARGOSY__STORE__URL_FILE", path)],
            "ARGOSY__STORE__URL_FILE: store.url_file: names ",
        );
    }
    let both = [
        ("ARGOSY__STORE__URL", "postgres://a/b"),
        ("ARGOSY__STORE__URL_FILE", "/x"),
    ];
    assert_one_fault(
        "",
        &both,
        "ARGOSY__STORE__URL: store.url: is set beside url_file",
    );
}

#[test]
fn the_state_folder_has_a_default_and_is_no_file() {
    let config = read("", &[], &[]).unwrap();
    assert_eq!(config.worker.state_dir, Path::new("argosy-state"));
    let text = "[worker]\nstate_dir = \"/var/lib/argosy\"\n";
    let config = read(text, &[], &[]).unwrap();
    assert_eq!(config.worker.state_dir, Path::new("/var/lib/argosy"));
    let file = tempfile_with("");
    let long = format!("/{}", "d".repeat(4_000));
    for path in [file.path.as_str(), "", " ", "a\u{0}b", &long] {
        assert_one_fault(
            "",
            &[("ARGOSY__WORKER__STATE_DIR", path)],
            "ARGOSY__WORKER__STATE_DIR: worker.state_dir: ",
        );
    }
    for (value, begins) in [
        ("7", "argosy.toml:2: worker.state_dir: must be text"),
        ("[\"a\"]", "argosy.toml:2: worker.state_dir: must be text"),
    ] {
        assert_one_fault(&format!("[worker]\nstate_dir = {value}\n"), &[], begins);
    }
    let twice = "[worker]\nstate_dir = \"a\"\nstate_dir = \"b\"\n";
    assert!(read(twice, &[], &[]).is_err());
}

#[test]
fn sasl_is_complete_or_absent() {
    let error = read(
        "[broker]\nsecurity = \"sasl_tls\"\nusername = \"a\"\n",
        &[],
        &[],
    )
    .unwrap_err();
    assert_eq!(error.faults.len(), 2, "{error}");
    assert_one_fault(
        "[broker]\nusername = \"a\"\n",
        &[],
        "argosy.toml:1: broker.username: does nothing",
    );
}

#[test]
fn the_effective_configuration_reads_back_and_shows_no_secret() {
    let config = read(EXAMPLE, &[], &[]).unwrap();
    let shown = config.to_toml();
    let json = serde_json::to_string(&config).unwrap();
    for text in [&shown, &json, &format!("{config:?}")] {
        for secret in ["a-token-for", "a-secret-for", "acme-token", "argosy:argosy"] {
            assert!(!text.contains(secret), "{secret} is shown: {text}");
        }
    }
    let again = shown.replace(&format!("url = \"{REDACTED}\""), "url = \"postgres://a/b\"");
    let again = read(&again, &[], &[]).unwrap();
    assert_eq!((again.worker, again.probes), (config.worker, config.probes));
}

#[test]
fn a_named_file_must_be_there_and_the_default_one_need_not() {
    let error = Config::load(Some(Path::new("/nonexistent/argosy.toml")), [], &[]).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("\n  /nonexistent/argosy.toml: cannot be read: "),
        "{said}"
    );
    assert!(said.contains("name another file with --config"), "{said}");
    Config::load(None, [], &[]).unwrap();
}

#[test]
fn a_variable_of_ours_that_is_no_text_is_refused_and_a_foreign_one_ignored() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let load = |name: &str| {
        let value = OsString::from_vec(vec![0xff]);
        Config::load(None, [(OsString::from(name), value)], &[])
    };
    load("LS_COLORS").unwrap();
    let error = load("ARGOSY__STORE__URL").unwrap_err().to_string();
    assert!(
        error.contains("ARGOSY__STORE__URL: is not UTF-8"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_refused() {
    let large = tempfile_with(&"#".repeat(FILE_BYTES_MAX + 1));
    let error = Config::load(Some(Path::new(&large.path)), [], &[]).unwrap_err();
    assert!(error.to_string().contains("is larger than"), "{error}");
    let binary = tempfile_with("");
    std::fs::write(&binary.path, [0xff, 0xfe]).unwrap();
    let error = Config::load(Some(Path::new(&binary.path)), [], &[]).unwrap_err();
    assert!(error.to_string().contains("is not UTF-8"), "{error}");
}

struct TemporaryFile {
    path: String,
    _keep: tempfile::TempPath,
}

fn tempfile_with(content: &str) -> TemporaryFile {
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&path, content).unwrap();
    TemporaryFile {
        path: path.to_str().unwrap().to_owned(),
        _keep: path,
    }
}
