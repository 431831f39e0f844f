//! docs/adding-a-worker.md says what is: each of its code blocks stands in a file of the tree, word for word.

use std::{fs, path::Path};

/// What the page quotes.
const QUOTED: &[&str] = &[
    "crates/events/src/catalogue.rs",
    "crates/events/src/payloads/orders.rs",
    "crates/events/tests/catalogue.rs",
    "crates/runtime/tests/adding_a_worker/main.rs",
    "crates/runtime/tests/adding_a_worker/office.rs",
    "crates/runtime/tests/adding_a_worker/vetting.rs",
    "proto/argosy/orders/v1/orders.proto",
    "services/argosy/src/commands/worker.rs",
];

/// The lines without the indentation that all of them share.
fn dedented(text: &str) -> String {
    let is_text = |line: &&str| !line.trim().is_empty();
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let shared = text.lines().filter(is_text).map(indentation).min();
    let lines = text
        .lines()
        .map(|line| line.get(shared.unwrap_or_default()..).unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether the block stands in the text, however deep it is indented there.
fn quotes(text: &str, block: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let windows = lines.windows(block.lines().count());
    windows.into_iter().any(|window| {
        window[0].contains(block.lines().next().unwrap_or_default())
            && dedented(&window.join("\n")) == block
    })
}

#[test]
fn every_code_block_of_the_page_stands_in_the_tree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let page = read("docs/adding-a-worker.md");
    let sources: Vec<String> = QUOTED.iter().map(|path| read(path)).collect();
    let parts: Vec<&str> = page.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    let mut blocks = 0;
    for part in fenced {
        let (language, block) = part.split_once('\n').unwrap();
        let block = dedented(block.trim_end());
        if ["console", "text"].contains(&language) {
            continue;
        }
        blocks += 1;
        assert!(
            sources.iter().any(|text| quotes(text, &block)),
            "docs/adding-a-worker.md: this stands in none of {QUOTED:?}; quote it as it is now:\n{block}"
        );
    }
    assert!(blocks >= 6, "the page has {blocks} blocks of code");
}

#[test]
fn a_block_that_differs_by_a_word_is_no_quote() {
    let text = "fn one() {\n    two(3);\n}\n";
    assert!(quotes(text, "two(3);"));
    assert!(quotes(text, "fn one() {\n    two(3);\n}"));
    assert!(!quotes(text, "two(4);"));
    assert!(!quotes(text, "fn one() {\n    two(3)\n}"));
}
