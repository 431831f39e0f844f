//! How a vendor treats a second identical call, as configuration writes it: `natural`, `remembered:24h`, `never`.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

/// No vendor is trusted to remember for longer.
const REMEMBERED_MAX: Duration = Duration::from_secs(90 * 24 * 3_600);

/// How a vendor treats a second identical call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// It changes nothing more.
    Natural,
    /// Its idempotency key is recognised for this long.
    Remembered(Duration),
    /// It would happen again.
    Never,
}

impl Repeat {
    /// Reads what configuration writes.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let unknown = "must be natural, never, or remembered:<n>s|m|h such as remembered:24h";
        match text.split_once(':') {
            None if text == "natural" => Ok(Self::Natural),
            None if text == "never" => Ok(Self::Never),
            Some(("remembered", span)) => match parse_span(span) {
                Some(span) if !span.is_zero() && span <= REMEMBERED_MAX => {
                    Ok(Self::Remembered(span))
                }
                Some(_) => Err("remembered must be from 1s to 2160h".to_owned()),
                None => Err(unknown.to_owned()),
            },
            _ => Err(unknown.to_owned()),
        }
    }
}

fn parse_span(text: &str) -> Option<Duration> {
    let number = text.trim_end_matches(['s', 'm', 'h']);
    let unit = match &text[number.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = is_plain.then(|| number.parse().ok())??;
    number.checked_mul(unit).map(Duration::from_secs)
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natural => f.write_str("natural"),
            Self::Remembered(span) => match span.as_secs() {
                seconds if seconds % 3_600 == 0 => write!(f, "remembered:{}h", seconds / 3_600),
                seconds if seconds % 60 == 0 => write!(f, "remembered:{}m", seconds / 60),
                seconds => write!(f, "remembered:{seconds}s"),
            },
            Self::Never => f.write_str("never"),
        }
    }
}

impl Serialize for Repeat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_class_reads_back_as_it_is_written() {
        for text in [
            "natural",
            "never",
            "remembered:24h",
            "remembered:90s",
            "remembered:90m",
        ] {
            assert_eq!(Repeat::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_repeat_class_is_refused() {
        for text in [
            "",
            "Natural",
            "remembered",
            "remembered:",
            "remembered:h",
            "remembered:0h",
            "remembered:24",
            "remembered:1hh",
            "remembered:-1h",
            "remembered:+1h",
            "remembered:2161h",
            "remembered:99999999999999999999h",
            "remembered:1ü",
            "never:1h",
        ] {
            assert!(Repeat::parse(text).is_err(), "{text}");
        }
    }
}
