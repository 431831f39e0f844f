//! How a lane and a record's headers stand in a row.

use argosy_kernel::{LaneKey, Offset};
use bytes::{Buf, BufMut, Bytes};
use sqlx::Error;

use super::identity::{EventHash, bytes_hash};

/// A letter for its kind, then the key.
pub(super) fn encoded(lane: &LaneKey) -> Vec<u8> {
    match lane {
        LaneKey::Key(key) => [b"k".as_slice(), key].concat(),
        LaneKey::Keyless(offset) => [b"o".as_slice(), &offset.0.to_be_bytes()].concat(),
        LaneKey::Whole => b"w".to_vec(),
    }
}

/// What `encoded` was given.
pub(super) fn decoded(bytes: &[u8]) -> Result<LaneKey, Error> {
    match bytes.split_first() {
        Some((b'k', key)) => Ok(LaneKey::Key(key.into())),
        Some((b'o', offset)) => {
            let offset = offset.try_into().map_err(|_| unreadable("lane"))?;
            Ok(LaneKey::Keyless(Offset(i64::from_be_bytes(offset))))
        }
        Some((b'w', [])) => Ok(LaneKey::Whole),
        _ => Err(unreadable("lane")),
    }
}

/// Keys may be longer than an index takes.
pub(super) fn hash(lane: &LaneKey) -> EventHash {
    bytes_hash(&encoded(lane))
}

/// Each name and value with its length before it.
pub(super) fn packed(headers: &[(String, Bytes)]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (name, value) in headers {
        put(&mut packed, name.as_bytes());
        put(&mut packed, value);
    }
    packed
}

/// What `packed` was given.
pub(super) fn unpacked(packed: Vec<u8>) -> Result<Vec<(String, Bytes)>, Error> {
    let mut rest = Bytes::from(packed);
    let mut headers = Vec::new();
    while rest.has_remaining() {
        let name = String::from_utf8(take(&mut rest)?.into()).map_err(|_| unreadable("header"))?;
        headers.push((name, take(&mut rest)?));
    }
    Ok(headers)
}

fn put(packed: &mut Vec<u8>, value: &[u8]) {
    packed.put_u64(value.len() as u64);
    packed.put_slice(value);
}

fn take(rest: &mut Bytes) -> Result<Bytes, Error> {
    let length = rest.try_get_u64().map_err(|_| unreadable("header"))?;
    match usize::try_from(length) {
        Ok(length) if length <= rest.remaining() => Ok(rest.split_to(length)),
        _ => Err(unreadable("header")),
    }
}

fn unreadable(what: &str) -> Error {
    Error::Decode(format!("a parked row's {what} is not as it was written").into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lanes_come_back_and_differ() {
        let lanes = [
            LaneKey::Key(Vec::new().into()),
            LaneKey::Key(b"k"[..].into()),
            LaneKey::Keyless(Offset(-1)),
            LaneKey::Keyless(Offset(i64::MAX)),
            LaneKey::Whole,
        ];
        for lane in &lanes {
            assert_eq!(decoded(&encoded(lane)).expect("it was encoded"), *lane);
        }
        for garbage in [&b""[..], b"x", b"o123", b"ww"] {
            assert!(decoded(garbage).is_err());
        }
    }

    proptest! {
        #[test]
        fn headers_come_back(headers: Vec<(String, Vec<u8>)>) {
            let headers: Vec<_> = headers
                .into_iter()
                .map(|(name, value)| (name, Bytes::from(value)))
                .collect();
            prop_assert_eq!(unpacked(packed(&headers)).expect("they were packed"), headers);
        }

        #[test]
        fn garbage_is_refused_or_read_and_never_a_panic(bytes: Vec<u8>) {
            drop(unpacked(bytes));
        }
    }
}
