//! What an order tells the trial worker to do: the SKU of its first line.

use std::{fmt, str::FromStr};

use argosy_events::orders::v1::{Line, OrderApproved};

use super::suppliers::{Class, Patience};

/// More failures than any policy allows.
const FAILURES_MAX: u32 = 1_000;

/// A deed lasts no longer, ms.
const LAST_MS_MAX: u64 = 60_000;

/// See the module page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing: it is done at once.
    Done,
    /// One draft at the supplier of this class.
    Call(Class, Patience),
    /// It panics.
    Panic,
    /// It ends the process.
    Abort,
    /// It never ends, outside any call.
    NeverEnd,
    /// It fails so often in one process, and then is done.
    Fail(u32),
    /// It lasts so many milliseconds, outside any call, and then is done.
    Last(u64),
}

/// A SKU that tells nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the first line's sku is no deed: done, call:<class>:<patience>, panic, abort, never-end, fail:<times> or last:<ms>"
)]
pub struct UnknownDeed;

impl Deed {
    /// What this order tells.
    ///
    /// # Errors
    ///
    /// If it tells nothing.
    pub fn of(order: &OrderApproved) -> Result<Self, UnknownDeed> {
        order.lines.first().ok_or(UnknownDeed)?.sku.parse()
    }

    /// An order that tells this to the group.
    pub fn order(self, group: &str, key: &str) -> OrderApproved {
        OrderApproved {
            order_id: key.to_owned(),
            version: 1,
            shop: group.to_owned(),
            currency: "EUR".to_owned(),
            lines: vec![Line {
                line_id: "1".to_owned(),
                sku: self.to_string(),
                quantity: 1,
                ..Line::default()
            }],
            ..OrderApproved::default()
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Call(class, patience) => write!(f, "call:{}:{}", class.name(), patience.name()),
            Self::Panic => f.write_str("panic"),
            Self::Abort => f.write_str("abort"),
            Self::NeverEnd => f.write_str("never-end"),
            Self::Fail(times) => write!(f, "fail:{times}"),
            Self::Last(ms) => write!(f, "last:{ms}"),
        }
    }
}

impl FromStr for Deed {
    type Err = UnknownDeed;

    fn from_str(text: &str) -> Result<Self, UnknownDeed> {
        let mut words = text.split(':');
        let deed = match (words.next(), words.next(), words.next()) {
            (Some("done"), None, _) => Self::Done,
            (Some("panic"), None, _) => Self::Panic,
            (Some("abort"), None, _) => Self::Abort,
            (Some("never-end"), None, _) => Self::NeverEnd,
            (Some("fail"), Some(times), None) => {
                let times = times.parse().ok().filter(|times| *times <= FAILURES_MAX);
                Self::Fail(times.ok_or(UnknownDeed)?)
            }
            (Some("last"), Some(ms), None) => {
                let ms = ms.parse().ok().filter(|ms| *ms <= LAST_MS_MAX);
                Self::Last(ms.ok_or(UnknownDeed)?)
            }
            (Some("call"), Some(class), Some(patience)) => {
                let class = Class::named(class).ok_or(UnknownDeed)?;
                Self::Call(class, Patience::named(patience).ok_or(UnknownDeed)?)
            }
            _ => return Err(UnknownDeed),
        };
        words.next().map_or(Ok(deed), |_| Err(UnknownDeed))
    }
}

#[cfg(test)]
mod tests {
    use argosy_events::Payload;

    use super::{super::suppliers::CLASSES, *};

    #[test]
    fn an_order_tells_the_deed_that_it_was_made_of() {
        let calls = CLASSES.into_iter().flat_map(|class| {
            [Patience::Brisk, Patience::Patient].map(|patience| Deed::Call(class, patience))
        });
        let others = [
            Deed::Done,
            Deed::Panic,
            Deed::Abort,
            Deed::NeverEnd,
            Deed::Fail(3),
            Deed::Last(2_500),
        ];
        for deed in calls.chain(others) {
            let order = deed.order("group", "1");
            assert_eq!(order.check(), Ok(()), "{deed}");
            assert_eq!(Deed::of(&order), Ok(deed));
        }
    }

    #[test]
    fn what_tells_nothing_is_refused() {
        let refused = [
            "",
            "Done",
            "done:",
            "done:1",
            "fail",
            "fail:",
            "fail:-1",
            "fail:1:2",
            "fail:1001",
            "fail:99999999999",
            "last:",
            "last:60001",
            "last:1:1",
            "call",
            "call:natural",
            "call:natural:",
            "call:none:brisk",
            "call:natural:brisk:",
            "abort ",
            "pan\u{0}ic",
        ];
        for text in refused {
            assert_eq!(text.parse::<Deed>(), Err(UnknownDeed), "{text:?}");
        }
        assert_eq!(Deed::of(&OrderApproved::default()), Err(UnknownDeed));
    }
}
