//! Which messages are event bodies: their types, topics, keys and checks.
//!
//! Invariant: a body that passes its check has a key that a lane can be named by, and nothing in it is unbounded.

mod check;
mod fleet;
mod orders;

/// Makes a generated message a [`crate::Payload`].
macro_rules! payload {
    ($body:ty, $type:literal, $topic:expr, $key:expr, $check:path) => {
        impl $crate::Payload for $body {
            const TYPE: &'static str = $type;
            const TOPIC: &'static str = $topic;

            fn key(&self) -> String {
                let key: fn(&Self) -> String = $key;
                key(self)
            }

            fn check(&self) -> Result<(), $crate::Invalid> {
                $check(self)
            }

            fn decode(
                content_type: Option<&str>,
                bytes: &[u8],
            ) -> Result<Self, $crate::PayloadError> {
                $crate::codec::decode(content_type, bytes, $crate::codec::UnknownFields::Ignored)
            }

            fn encode(&self) -> bytes::Bytes {
                $crate::codec::encode(self)
            }

            fn body_hash(&self) -> [u8; 32] {
                $crate::codec::hash(self)
            }
        }
    };
}

use payload;
