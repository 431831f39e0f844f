//! Statuses and `Retry-After`, in all their forms.

use bytes::Bytes;

use super::*;

fn response(status: u16, headers: &[(&str, &str)]) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Response {
        status,
        headers,
        body: Bytes::new(),
    }
}

#[test]
fn every_status_has_one_class() {
    for (status, class) in [
        (301, Class::Ambiguous),
        (303, Class::Ambiguous),
        (304, Class::Ambiguous),
        (400, Class::Permanent),
        (401, Class::Unauthorized),
        (402, Class::Quota),
        (403, Class::Unauthorized),
        (404, Class::Permanent),
        (407, Class::Unauthorized),
        (408, Class::Ambiguous),
        (409, Class::Conflict),
        (410, Class::Permanent),
        (412, Class::Conflict),
        (421, Class::NotExecuted(None)),
        (422, Class::Permanent),
        (425, Class::NotExecuted(None)),
        (429, Class::Throttled(None)),
        (500, Class::Ambiguous),
        (501, Class::Ambiguous),
        (502, Class::Ambiguous),
        (503, Class::NotExecuted(None)),
        (504, Class::Ambiguous),
        (524, Class::Ambiguous),
        (999, Class::Ambiguous),
        (100, Class::Ambiguous),
    ] {
        let failure = classify_status(&response(status, &[])).unwrap_err();
        assert_eq!((failure.class, failure.status), (Some(class), Some(status)));
    }
    for status in [200, 201, 202, 204, 299] {
        classify_status(&response(status, &[])).unwrap();
    }
}

#[test]
fn retry_after_is_read_in_seconds_and_as_a_date() {
    let date = ("date", "Sat, 21 Nov 2026 12:00:00 GMT");
    for (value, seconds) in [
        ("0", Some(0)),
        (" 7 ", Some(7)),
        ("3600", Some(3600)),
        ("3601", Some(3600)),
        ("99999999999999999999999", Some(3600)),
        ("Sat, 21 Nov 2026 12:00:30 GMT", Some(30)),
        ("Saturday, 21-Nov-26 12:00:30 GMT", Some(30)),
        ("Sat, 21 Nov 2026 11:00:00 GMT", Some(0)),
        ("Sat, 21 Nov 2099 11:00:00 GMT", Some(3600)),
        ("", None),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
    ] {
        let response = response(429, &[("retry-after", value), date]);
        assert_eq!(
            retry_after(&response),
            seconds.map(Duration::from_secs),
            "{value:?}"
        );
    }
}

#[test]
fn a_date_says_nothing_without_the_answers_own() {
    let later = ("retry-after", "Sat, 21 Nov 2026 12:00:30 GMT");
    assert_eq!(retry_after(&response(503, &[later])), None);
    assert_eq!(retry_after(&response(503, &[later, ("date", "now")])), None);
    assert_eq!(retry_after(&response(503, &[])), None);
}
