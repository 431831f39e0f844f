//! Rules of the house that no compiler checks: who may depend on whom, and how files begin, end and are named.
//! Every rule is a test that lists all its breaches.
#![cfg(test)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A crate may depend on crates of lower layers alone.
const LAYERS: &[(&str, u32)] = &[
    ("argosy-kernel", 0),
    ("argosy-events", 1),
    ("argosy-broker", 2),
    ("argosy-store", 2),
    ("argosy-outbound", 2),
    ("argosy-runtime", 3),
    ("argosy-vendors", 3),
    ("argosy-shell", 3),
    ("argosy-orders", 5),
    ("argosy-chronicle", 5),
    ("argosy-gateway", 5),
    ("argosy-sandbox", 5),
    ("argosy", 6),
];

/// Stands beside the layers: whoever names it does so in its dev-dependencies.
const TESTKIT: &str = "argosy-testkit";
const TESTS: &str = "argosy-tests";

/// Foreign crates that only these may name.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("rdkafka", &["argosy-broker", TESTS]),
    ("sqlx", &["argosy-store", TESTS]),
    ("reqwest", &["argosy-outbound", "argosy", TESTS]),
];

/// Names that say nothing about what is inside.
const NAMES_REFUSED: &[&str] = &["common", "utils", "util", "types", "helpers", "misc"];

const FILE_LINES_MAX: usize = 600;
const MAIN_LINES_MAX: usize = 20;

#[test]
fn every_crate_depends_on_lower_layers_alone() {
    let layers: BTreeMap<&str, u32> = LAYERS.iter().copied().collect();
    let mut breaches = Vec::new();
    for edge in edges() {
        if !edge.to.starts_with("argosy") || edge.from == TESTS {
            continue;
        }
        let is_fine = match (layers.get(&*edge.from), layers.get(&*edge.to)) {
            (Some(from), Some(to)) => to < from,
            // The testkit is for tests, and stands on everything below the services.
            (Some(_), None) => edge.to == TESTKIT && edge.kind == "dev",
            (None, Some(to)) => edge.from == TESTKIT && *to < 5,
            (None, None) => false,
        };
        if !is_fine {
            breaches.push(format!("{} must not depend on {}", edge.from, edge.to));
        }
    }
    assert_none(&breaches);
}

#[test]
fn every_member_has_a_layer() {
    let known = |name: &str| {
        name == TESTKIT || name == TESTS || LAYERS.iter().any(|(layered, _)| *layered == name)
    };
    let breaches: Vec<String> = members()
        .into_iter()
        .map(|member| member.name)
        .filter(|name| !known(name))
        .map(|name| format!("{name} has no layer in tests/tidy.rs"))
        .collect();
    assert_none(&breaches);
}

#[test]
fn the_kernel_depends_on_nothing() {
    let breaches: Vec<String> = edges()
        .into_iter()
        .filter(|edge| edge.from == "argosy-kernel" && edge.kind != "dev")
        .map(|edge| format!("the kernel names {}", edge.to))
        .collect();
    assert_none(&breaches);
}

#[test]
fn foreign_crates_are_named_by_their_adapters_alone() {
    let wrappers: BTreeMap<&str, &[&str]> = WRAPPERS.iter().copied().collect();
    let breaches: Vec<String> = edges()
        .into_iter()
        .filter(|edge| {
            let allowed = wrappers.get(&*edge.to);
            edge.kind != "dev" && allowed.is_some_and(|allowed| !allowed.contains(&&*edge.from))
        })
        .map(|edge| format!("{} must not name {}", edge.from, edge.to))
        .collect();
    assert_none(&breaches);
}

#[test]
fn every_member_takes_the_workspace_lints_and_says_what_it_is() {
    let mut breaches = Vec::new();
    for member in members() {
        let manifest = read(&member.folder.join("Cargo.toml"));
        let manifest: toml::Table = manifest.parse().unwrap();
        let lints = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"));
        if lints.and_then(toml::Value::as_bool) != Some(true) {
            breaches.push(format!("{} lacks [lints] workspace = true", member.name));
        }
        if !member.folder.join("README.md").is_file() {
            breaches.push(format!("{} has no README.md", member.name));
        }
        let is_library = member.folder.starts_with(root().join("crates"));
        let lib = member.folder.join("src/lib.rs");
        if is_library && !read(&lib).contains("#![warn(missing_docs)]") {
            breaches.push(format!("{} lacks #![warn(missing_docs)]", member.name));
        }
    }
    assert_none(&breaches);
}

#[test]
fn names_say_what_is_inside() {
    let mut breaches = Vec::new();
    for file in files_ending(".rs") {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap();
        if NAMES_REFUSED.contains(&stem) {
            breaches.push(format!("{} says nothing", shown(&file)));
        }
    }
    for member in members() {
        let last = member.name.trim_start_matches("argosy-");
        if NAMES_REFUSED.contains(&last) {
            breaches.push(format!("{} says nothing", member.name));
        }
    }
    assert_none(&breaches);
}

#[test]
fn every_file_begins_with_its_one_job_and_stays_short() {
    let mut breaches = Vec::new();
    for file in files_ending(".rs") {
        let text = read(&file);
        if !text.starts_with("//! ") {
            breaches.push(format!("{} does not begin with //!", shown(&file)));
        }
        let lines = text.lines().count();
        let is_main = file.ends_with("src/main.rs");
        let lines_max = if is_main {
            MAIN_LINES_MAX
        } else {
            FILE_LINES_MAX
        };
        if lines > lines_max {
            breaches.push(format!(
                "{} has {lines} lines, at most {lines_max}",
                shown(&file)
            ));
        }
    }
    assert_none(&breaches);
}

#[test]
fn no_test_is_switched_off_and_none_expects_a_panic() {
    // Split, so that this file does not find itself.
    let refused = [concat!("#[ig", "nore"), concat!("#[should", "_panic")];
    let mut breaches = Vec::new();
    for file in files_ending(".rs") {
        let text = read(&file);
        for attribute in refused
            .iter()
            .filter(|attribute| text.contains(**attribute))
        {
            breaches.push(format!("{} has {attribute}", shown(&file)));
        }
    }
    assert_none(&breaches);
}

#[test]
fn lint_settings_stand_where_they_are_known() {
    let known = [root().join("clippy.toml"), root().join("tests/clippy.toml")];
    let breaches: Vec<String> = files_ending("clippy.toml")
        .into_iter()
        .filter(|file| !known.contains(file))
        .map(|file| format!("{} replaces the root's silently", shown(&file)))
        .collect();
    assert_none(&breaches);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut breaches = Vec::new();
    for file in files_ending(".md") {
        let text = read(&file);
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().unwrap_or_default();
            let is_local = !path.is_empty() && !path.contains("://") && !path.contains(' ');
            if is_local && !file.parent().unwrap().join(path).exists() {
                breaches.push(format!("{} links to {target}", shown(&file)));
            }
        }
    }
    assert_none(&breaches);
}

#[test]
fn the_lists_of_this_file_and_of_deny_toml_agree() {
    let deny: toml::Table = read(&root().join("deny.toml")).parse().unwrap();
    let banned = deny["bans"]["deny"].as_array().unwrap();
    for (name, wrappers) in WRAPPERS {
        let entry = banned
            .iter()
            .find(|entry| entry["crate"].as_str() == Some(name))
            .unwrap();
        let listed: Vec<&str> = entry["wrappers"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(toml::Value::as_str)
            .collect();
        assert_eq!(&listed, wrappers, "{name}");
    }
}

struct Member {
    name: String,
    folder: PathBuf,
}

struct Edge {
    from: String,
    to: String,
    kind: String,
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn packages() -> Vec<Value> {
    metadata()["packages"].as_array().unwrap().clone()
}

fn members() -> Vec<Member> {
    packages()
        .iter()
        .map(|package| Member {
            name: package["name"].as_str().unwrap().to_owned(),
            folder: Path::new(package["manifest_path"].as_str().unwrap())
                .parent()
                .unwrap()
                .to_owned(),
        })
        .collect()
}

fn edges() -> Vec<Edge> {
    let mut edges = Vec::new();
    for package in packages() {
        for dependency in package["dependencies"].as_array().unwrap() {
            edges.push(Edge {
                from: package["name"].as_str().unwrap().to_owned(),
                to: dependency["name"].as_str().unwrap().to_owned(),
                kind: dependency["kind"].as_str().unwrap_or("normal").to_owned(),
            });
        }
    }
    edges
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// All files of ours with this ending; what is built and what is hidden is not ours.
fn files_ending(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let is_ours = !name.starts_with('.') && name != "target";
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if name.ends_with(ending) && is_ours {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", shown(path)))
}

fn shown(path: &Path) -> String {
    let root = root();
    path.strip_prefix(&root)
        .unwrap_or(path)
        .display()
        .to_string()
}

#[track_caller]
fn assert_none(breaches: &[String]) {
    assert!(breaches.is_empty(), "\n  {}\n", breaches.join("\n  "));
}
