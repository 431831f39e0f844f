//! How a vendor treats a second identical call, as configuration writes it: `natural`, `remembered:24h`, `never`.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

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
        let unknown =
            || "must be natural, never, or remembered:<hours>h such as remembered:24h".to_owned();
        match text.split_once(':') {
            None if text == "natural" => Ok(Self::Natural),
            None if text == "never" => Ok(Self::Never),
            Some(("remembered", span)) => {
                let hours = span
                    .strip_suffix('h')
                    .and_then(|hours| hours.parse::<u64>().ok());
                match hours {
                    // An hour is kept back as margin, so one alone would be no memory at all.
                    Some(hours @ 2..=8_760) => {
                        Ok(Self::Remembered(Duration::from_secs(hours * 3_600)))
                    }
                    Some(_) => Err("remembered must be from 2h to 8760h".to_owned()),
                    None => Err(unknown()),
                }
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Repeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natural => f.write_str("natural"),
            Self::Remembered(span) => write!(f, "remembered:{}h", span.as_secs() / 3_600),
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
        for text in ["natural", "never", "remembered:24h"] {
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
            "remembered:1h",
            "remembered:24",
            "remembered:9999999h",
            "never:1h",
        ] {
            assert!(Repeat::parse(text).is_err(), "{text}");
        }
    }
}
