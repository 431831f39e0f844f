//! Text as PostgreSQL can hold it: reversible, and the text itself unless it has a NUL or a backslash.

use std::{borrow::Cow, sync::Arc};

/// A NUL becomes `\0`, a backslash `\\`.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', '\\']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\\', "\\\\").replace('\0', "\\0"))
}

/// What `escape` was given.
pub(super) fn unescape(text: String) -> String {
    if !text.contains('\\') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('0') => plain.push('\0'),
                Some(escaped) => plain.push(escaped),
                None => plain.push('\\'),
            },
            letter => plain.push(letter),
        }
    }
    plain
}

/// `unescape`, shared.
pub(super) fn shared(text: String) -> Arc<str> {
    Arc::from(unescape(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_kept_as_it_is() {
        assert!(matches!(
            escape("gid://shopify/Order/1 é"),
            Cow::Borrowed(_)
        ));
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_is_kept_without_nul(text in "[\\\\0\u{0}aé\u{10FFFF}]{0,12}") {
            let escaped = escape(&text).into_owned();
            prop_assert!(!escaped.contains('\0'));
            prop_assert_eq!(unescape(escaped), text);
        }
    }
}
