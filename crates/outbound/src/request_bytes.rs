//! The one byte form of a request, as claims store it and repeats send it, also from a newer build.
//!
//! Invariant: decoding what was encoded gives the same request, and whatever else is decoded is an error, never a
//! panic and never a half-read request. All lengths are big-endian.

use bytes::{BufMut, Bytes, BytesMut};

use argosy_kernel::Death;

use crate::{Failure, Method, Request};

/// An encoded request may have this many bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The first byte of every encoded request. Another layout is another number; old numbers stay readable.
const LAYOUT: u8 = 1;

impl Request {
    /// The request's bytes: layout, method, path, headers, body.
    ///
    /// # Errors
    ///
    /// Dead, cause `refused`, if they would be more than [`REQUEST_BYTES_MAX`].
    pub fn encode(&self) -> Result<Bytes, Failure> {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| 4 + name.len() + value.len())
            .sum();
        let total = 10 + self.path.len() + headers + self.body.len();
        if total > REQUEST_BYTES_MAX {
            return Err(Failure::dead(
                Death::Refused,
                format!(
                    "a request has {total} bytes, more than the {REQUEST_BYTES_MAX} that a claim stores; split the order"
                ),
            ));
        }
        let mut bytes = BytesMut::with_capacity(total);
        bytes.put_u8(LAYOUT);
        bytes.put_u8(method_number(self.method));
        put_text(&mut bytes, &self.path);
        bytes.put_u16(length(self.headers.len()));
        for (name, value) in &self.headers {
            put_text(&mut bytes, name);
            put_text(&mut bytes, value);
        }
        bytes.put_u32(u32::try_from(self.body.len()).expect("the total was checked"));
        bytes.put_slice(&self.body);
        Ok(bytes.freeze())
    }

    /// Reads back what [`Request::encode`] wrote.
    ///
    /// # Errors
    ///
    /// Dead, cause `misconfigured`, if the bytes are not an encoded request: another build's, or damaged.
    pub fn decode(bytes: &Bytes) -> Result<Self, Failure> {
        read(&mut bytes.clone()).ok_or_else(|| {
            Failure::dead(
                Death::Misconfigured,
                format!(
                    "a stored request of {} bytes cannot be read by this build; run the build that claimed it, or resolve the effect",
                    bytes.len()
                ),
            )
        })
    }
}

fn read(rest: &mut Bytes) -> Option<Request> {
    if take(rest, 1)?[0] != LAYOUT {
        return None;
    }
    let method = method_of(take(rest, 1)?[0])?;
    let path = take_text(rest)?;
    let count = take_u16(rest)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        headers.push((take_text(rest)?, take_text(rest)?));
    }
    let body_bytes = u32::from_be_bytes(take(rest, 4)?.as_ref().try_into().ok()?);
    let body = take(rest, usize::try_from(body_bytes).ok()?)?;
    rest.is_empty().then_some(Request {
        method,
        path,
        headers,
        body,
    })
}

fn take(rest: &mut Bytes, count: usize) -> Option<Bytes> {
    (rest.len() >= count).then(|| rest.split_to(count))
}

fn take_u16(rest: &mut Bytes) -> Option<u16> {
    Some(u16::from_be_bytes(take(rest, 2)?.as_ref().try_into().ok()?))
}

fn take_text(rest: &mut Bytes) -> Option<String> {
    let count = take_u16(rest)?;
    String::from_utf8(take(rest, count.into())?.to_vec()).ok()
}

fn put_text(bytes: &mut BytesMut, text: &str) {
    bytes.put_u16(length(text.len()));
    bytes.put_slice(text.as_bytes());
}

fn length(count: usize) -> u16 {
    u16::try_from(count).expect("the total was checked to be at most 64 KiB, with its own overhead")
}

fn method_number(method: Method) -> u8 {
    match method {
        Method::Get => 1,
        Method::Post => 2,
        Method::Put => 3,
        Method::Delete => 4,
    }
}

fn method_of(number: u8) -> Option<Method> {
    match number {
        1 => Some(Method::Get),
        2 => Some(Method::Post),
        3 => Some(Method::Put),
        4 => Some(Method::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
