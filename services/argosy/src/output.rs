//! Data goes to stdout, talk to stderr. A reader that goes away (`| head`) is no failure.
//!
//! Invariant: what a human reads has no control characters but line ends, whatever was stored; JSON is as it is.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

impl Format {
    pub(crate) fn of(json: bool) -> Self {
        match json {
            true => Self::Json,
            false => Self::Text,
        }
    }

    /// Writes data: one JSON document, or what `text` makes of it.
    pub(crate) fn data<T: Serialize>(self, data: &T, text: impl FnOnce(&T) -> String) {
        match self {
            Self::Text => put(&text(data)),
            Self::Json => write_out(&to_json(data)),
        }
    }
}

fn to_json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("what we print has a JSON form")
}

/// Writes text to stdout, with a line end if it lacks one.
pub(crate) fn put(text: &str) {
    write_out(&lines(text));
}

fn write_out(text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    drop(write!(std::io::stdout().lock(), "{text}{end}"));
}

/// Tells the human something, on stderr.
pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{}", lines(text)));
}

/// A text for one cell or line: what would move the cursor, colour or reorder what is shown is written as an escape.
pub(crate) fn printable(text: &str) -> String {
    escaped(text, |_| false)
}

/// As [`printable`], over several lines.
fn lines(text: &str) -> String {
    escaped(text, |character| character == '\n')
}

fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_commanding(character) && !is_kept(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, line ends of Unicode, and those that reverse the order in which text is shown.
fn is_commanding(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A table without frames, wide enough for its content.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.iter().copied());
    table.add_rows(rows.into_iter().map(|cells| {
        let shown = cells.iter().map(|cell| printable(cell));
        shown.collect::<Vec<_>>()
    }));
    table
        .lines()
        // The style pads each cell on both sides.
        .map(|line| {
            line.strip_prefix(' ')
                .unwrap_or(&line)
                .trim_end()
                .to_owned()
                + "\n"
        })
        .collect()
}
