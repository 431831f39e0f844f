//! The byte form: read back whole, or not at all.

use proptest::prelude::*;

use super::*;

fn request() -> Request {
    Request {
        method: Method::Post,
        path: "/v1/a".to_owned(),
        headers: vec![("n".to_owned(), "v".to_owned())],
        body: Bytes::from_static(b"{}"),
    }
}

#[test]
fn the_layout_is_what_is_stored_already() {
    let bytes = request().encode().unwrap();
    assert_eq!(
        &bytes[..],
        b"\x01\x02\x00\x05/v1/a\x00\x01\x00\x01n\x00\x01v\x00\x00\x00\x02{}"
    );
}

#[test]
fn the_largest_request_is_read_back_and_one_byte_more_is_refused() {
    let with = |bytes| Request {
        body: vec![7; bytes].into(),
        ..request()
    };
    let overhead = request().encode().unwrap().len() - 2;
    let largest = with(REQUEST_BYTES_MAX - overhead);
    let bytes = largest.encode().unwrap();
    assert_eq!(bytes.len(), REQUEST_BYTES_MAX);
    assert_eq!(Request::decode(&bytes).unwrap(), largest);
    let failure = with(REQUEST_BYTES_MAX - overhead + 1).encode().unwrap_err();
    assert_eq!(failure.decision, crate::Decision::Dead(Death::Refused));
}

#[test]
fn torn_longer_and_foreign_bytes_are_errors() {
    let bytes = request().encode().unwrap();
    for end in 0..bytes.len() {
        Request::decode(&bytes.slice(..end)).unwrap_err();
    }
    Request::decode(&[&bytes[..], b"x"].concat().into()).unwrap_err();
    for (at, other) in [(0, 2), (1, 9), (3, 255), (10, 255), (19, 255)] {
        let mut bytes = bytes.to_vec();
        bytes[at] = other;
        let failure = Request::decode(&bytes.into()).unwrap_err();
        assert_eq!(
            failure.decision,
            crate::Decision::Dead(Death::Misconfigured),
            "{at}"
        );
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(
        path in "/\\PC{0,60}",
        headers in prop::collection::vec(("[a-z-]{1,20}", "\\PC{0,20}"), 0..5),
        body in prop::collection::vec(any::<u8>(), 0..200),
        number in 1_u8..5,
    ) {
        let request = Request { method: method_of(number).unwrap(), path, headers, body: body.into() };
        prop_assert_eq!(Request::decode(&request.encode().unwrap()).unwrap(), request);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(Request::decode(&bytes.into()));
    }
}
