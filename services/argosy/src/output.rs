//! Data goes to stdout, talk to stderr. A reader that goes away (`| head`) is no failure.

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
            Self::Json => put(&to_json(data)),
        }
    }
}

fn to_json(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("what we print has a JSON form")
}

/// Writes text to stdout, with a line end if it lacks one.
pub(crate) fn put(text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    drop(write!(std::io::stdout().lock(), "{text}{end}"));
}

/// Tells the human something, on stderr.
pub(crate) fn say(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// A table without frames, wide enough for its content.
pub(crate) fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.iter().copied());
    table.add_rows(rows);
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
