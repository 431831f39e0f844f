//! A SKU pattern: text in which `*` stands for any characters, also none.

use std::fmt;

const PATTERN_CHARS_MAX: usize = 100;

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternFault {
    /// It would match only a line without a SKU.
    #[error("is empty; write `*` for every SKU")]
    Empty,
    /// Too long to be compared.
    #[error("has more than {PATTERN_CHARS_MAX} characters")]
    TooLong,
    /// White space at its ends or control characters: hardly meant.
    #[error("has control characters or space at its ends; take them out")]
    Blank,
}

/// See the module page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    /// `None` is a star; never two in a row.
    parts: Vec<Option<char>>,
}

/// Larger is more specific.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Specificity {
    is_exact: bool,
    chars: usize,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Result<Self, PatternFault> {
        if text.is_empty() {
            return Err(PatternFault::Empty);
        }
        if text.chars().count() > PATTERN_CHARS_MAX {
            return Err(PatternFault::TooLong);
        }
        if text.trim() != text || text.chars().any(char::is_control) {
            return Err(PatternFault::Blank);
        }
        let mut parts: Vec<Option<char>> = text.chars().map(|c| (c != '*').then_some(c)).collect();
        parts.dedup_by(|one, other| one.is_none() && other.is_none());
        Ok(Self { parts })
    }

    pub(super) fn specificity(&self) -> Specificity {
        let chars = self.parts.iter().flatten().count();
        Specificity {
            is_exact: chars == self.parts.len(),
            chars,
        }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<Option<char>> = text.chars().map(Some).collect();
        share_a_text(&self.parts, &text)
    }

    /// Whether some text matches both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        share_a_text(&self.parts, &other.parts)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts
            .iter()
            .try_for_each(|part| write!(f, "{}", part.unwrap_or('*')))
    }
}

/// Whether some text matches both patterns, row by row over how much of each is used up; a text is a pattern without
/// stars.
fn share_a_text(one: &[Option<char>], other: &[Option<char>]) -> bool {
    // row[j]: the first i parts of `one` and the first j of `other` share a text.
    let mut row = vec![false; other.len() + 1];
    row[0] = true;
    for (j, part) in other.iter().enumerate() {
        row[j + 1] = row[j] && part.is_none();
    }
    for part in one {
        let mut next = vec![false; other.len() + 1];
        next[0] = row[0] && part.is_none();
        for (j, against) in other.iter().enumerate() {
            next[j + 1] = match (part, against) {
                (None, None) => row[j] || row[j + 1] || next[j],
                // A star ends here, or takes one more of the other.
                (None, Some(_)) => row[j + 1] || next[j],
                (Some(_), None) => next[j] || row[j + 1],
                (Some(one), Some(other)) => row[j] && one == other,
            };
        }
        row = next;
    }
    row[other.len()]
}
