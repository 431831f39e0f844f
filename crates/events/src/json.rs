//! Reads JSON from outside, and says what is wrong with it in sentences of our own.
//!
//! Invariant: an error has the field's path and what is wanted there. What was found is never repeated, since it may be
//! personal, and neither is the parser's text, which is about our types and not about the sender's document. What is
//! asked as an [`Object`] is never read from a list by the places of its values.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_ignored::Path;
use serde_json::error::Category;

use crate::Invalid;

/// Longest path shown in an error.
const PATH_CHARS_MAX: usize = 200;

/// A value that is read from a JSON object alone. What derives `Deserialize` would take a list as well, each field from
/// its place in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Reads one whole document, which is an object; `whole` is its path in errors that belong to no field. Fields that
/// `T` does not know are its own matter.
///
/// # Errors
///
/// The first field that is not as it should be.
pub fn read<T: DeserializeOwned>(bytes: &[u8], whole: &str) -> Result<T, Invalid> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = object(&mut reader, whole)?;
    ended(&mut reader, whole)?;
    Ok(value)
}

/// As [`read`], and no field may be there that `T` would ignore.
///
/// # Errors
///
/// As for [`read`]; the first field that is unknown, at any depth.
pub fn read_strict<T: DeserializeOwned>(bytes: &[u8], whole: &str) -> Result<T, Invalid> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut unknown = None;
    let mut note = |path: Path<'_>| {
        unknown.get_or_insert_with(|| shown(&named(&path)));
    };
    let value = object(
        serde_ignored::Deserializer::new(&mut reader, &mut note),
        whole,
    )?;
    ended(&mut reader, whole)?;
    match unknown {
        Some(path) => Err(invalid(path, "is unknown here")),
        None => Ok(value),
    }
}

fn object<'de, T, D>(reader: D, whole: &str) -> Result<T, Invalid>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    let read: Result<Object<T>, _> = serde_path_to_error::deserialize(reader);
    match read {
        Ok(Object(value)) => Ok(value),
        Err(error) => Err(refused(whole, &error.path().to_string(), error.inner())),
    }
}

fn ended(
    reader: &mut serde_json::Deserializer<serde_json::de::SliceRead<'_>>,
    whole: &str,
) -> Result<(), Invalid> {
    reader.end().map_err(|error| invalid(whole, broken(&error)))
}

/// The path of a field, written as in errors.
fn named(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", named(parent)),
        Path::Map { parent, key } => match named(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => named(parent),
    }
}

fn invalid(path: impl Into<String>, message: impl Into<String>) -> Invalid {
    Invalid {
        path: path.into(),
        message: message.into(),
    }
}

fn refused(whole: &str, path: &str, error: &serde_json::Error) -> Invalid {
    if error.classify() != Category::Data {
        return invalid(whole, broken(error));
    }
    // A field whose name was not read to its end is told as `?`.
    let parent = shown(path.trim_end_matches('?').trim_end_matches('.'));
    let text = error.to_string();
    for (said, message) in [
        ("missing field `", "is missing"),
        ("duplicate field `", "is repeated"),
        ("unknown field `", "is unknown here"),
    ] {
        if let Some((field, _)) = text
            .strip_prefix(said)
            .and_then(|rest| rest.split_once('`'))
        {
            return invalid(child(&parent, &shown(field)), message);
        }
    }
    let path = match parent.is_empty() {
        true => whole.to_owned(),
        false => parent,
    };
    invalid(path, wanted(&text))
}

/// The path may or may not end with the field already.
fn child(parent: &str, field: &str) -> String {
    let ends_with_it = parent
        .strip_suffix(field)
        .is_some_and(|before| before.is_empty() || before.ends_with('.'));
    match (parent, ends_with_it) {
        ("", _) => field.to_owned(),
        (_, true) => parent.to_owned(),
        (_, false) => format!("{parent}.{field}"),
    }
}

/// Names are the sender's: bounded, and fit for a log.
fn shown(path: &str) -> String {
    path.chars()
        .filter(|char| !char.is_control())
        .take(PATH_CHARS_MAX)
        .collect()
}

/// What is no JSON document at all, and where.
fn broken(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = match error.classify() {
        Category::Eof => "ends too early",
        _ if text.starts_with("recursion limit") => "is nested too deeply",
        _ if text.starts_with("number out of range") => "has a number out of range",
        _ if text.starts_with("trailing characters") => "must be one JSON document",
        Category::Data | Category::Syntax | Category::Io => "is not JSON",
    };
    format!("{what} (line {}, column {})", error.line(), error.column())
}

/// What is wanted, of the parser's text: its end is our own type's word, and all that is looked at there.
fn wanted(text: &str) -> &'static str {
    let text = text.rsplit_once(" at line ").map_or(text, |(text, _)| text);
    if text.contains("number too large") || text.contains("number too small") {
        return "is out of range";
    }
    if text.contains("invalid digit") || text.contains("untagged enum") {
        return "must be a whole number in range";
    }
    let asked = text.rsplit_once(", expected ").map_or("", |(_, end)| end);
    match asked {
        "u8" | "u16" | "u32" | "u64" | "usize" => {
            "must be a whole number, not negative and in range"
        }
        "i8" | "i16" | "i32" | "i64" => "must be a whole number in range",
        "a string" | "string" | "str" => "must be a text",
        "a boolean" => "must be true or false",
        "a sequence" | "an array" => "must be a list",
        _ if asked.starts_with("struct ") || asked.contains("object") || asked == "a map" => {
            "must be an object"
        }
        _ if asked.contains("one of") => "must be one of the documented names",
        _ => "must be of another type",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read is looked at")]
    struct Asked {
        name: String,
        lines: Vec<Line>,
        #[serde(default)]
        is_done: bool,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read is looked at")]
    struct Line {
        quantity: u32,
    }

    #[derive(Debug, Deserialize)]
    struct Basket {
        lines: Vec<Object<Line>>,
        gift: Option<Object<Line>>,
    }

    #[test]
    fn errors_have_the_fields_path_and_nothing_of_the_value_or_the_parser() {
        let cases = [
            ("", "body ends too early (line 1, column 0)"),
            ("{", "body ends too early (line 1, column 1)"),
            ("Jane", "body is not JSON (line 1, column 1)"),
            ("[]", "body must be an object"),
            ("\"Jane\"", "body must be an object"),
            ("{}", "name is missing"),
            (r#"{"name":1}"#, "name must be a text"),
            (r#"{"name":"a","name":"Jane"}"#, "name is repeated"),
            (r#"{"name":"a","Jane\u0000":1}"#, "Jane is unknown here"),
            (r#"{"name":"a","lines":{}}"#, "lines must be a list"),
            (
                r#"{"name":"a","lines":[{}]}"#,
                "lines[0].quantity is missing",
            ),
            (
                r#"{"name":"a","lines":[{"quantity":1,"quantity":2}]}"#,
                "lines[0].quantity is repeated",
            ),
            (
                r#"{"name":"a","lines":[{"quantity":"Jane, expected a boolean"}]}"#,
                "lines[0].quantity must be a whole number, not negative and in range",
            ),
            (
                r#"{"name":"a","lines":[],"is_done":"Jane"}"#,
                "is_done must be true or false",
            ),
            (
                r#"{"name":"a","lines":[]} {}"#,
                "body must be one JSON document (line 1, column 25)",
            ),
            (
                r#"{"name":1e400}"#,
                "body has a number out of range (line 1, column 13)",
            ),
        ];
        for (document, wanted) in cases {
            let error = read::<Asked>(document.as_bytes(), "body").unwrap_err();
            assert_eq!(error.to_string(), wanted, "{document}");
        }
        let long = format!(r#"{{"{}":1}}"#, "x".repeat(10_000));
        let error = read::<Asked>(long.as_bytes(), "body").unwrap_err();
        assert_eq!(error.path.len(), PATH_CHARS_MAX);
    }

    #[test]
    fn an_object_is_never_read_from_a_list_at_any_depth() {
        let deep = "[".repeat(100_000);
        for (document, wanted) in [
            (r#"[[{"quantity":1}],null]"#, "body must be an object"),
            ("[]", "body must be an object"),
            (&deep, "body must be an object"),
            (r#"{"lines":[[1]]}"#, "lines[0] must be an object"),
            (r#"{"lines":[null]}"#, "lines[0] must be an object"),
            (r#"{"lines":[],"gift":[1]}"#, "gift must be an object"),
        ] {
            let error = read::<Basket>(document.as_bytes(), "body").unwrap_err();
            assert_eq!(error.to_string(), wanted);
            let error = read_strict::<Basket>(document.as_bytes(), "body").unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
        let gone = br#"{"lines":[{"quantity":1}],"gift":null}"#;
        assert!(read::<Basket>(gone, "body").unwrap().gift.is_none());
    }

    #[test]
    fn what_would_be_ignored_is_refused_by_its_path_where_that_is_asked() {
        for (document, wanted) in [
            (r#"{"lines":[],"Gift":1}"#, "Gift is unknown here"),
            (r#"{"lines":[],"gift\u0000":null}"#, "gift is unknown here"),
            (
                r#"{"lines":[{"quantity":1},{"quantity":1,"sku":{"a":[1]}}]}"#,
                "lines[1].sku is unknown here",
            ),
            (
                r#"{"lines":[],"gift":{"quantity":1,"to":"Jane"}}"#,
                "gift.to is unknown here",
            ),
            (r#"{"x":1,"lines":{}}"#, "lines must be a list"),
            (
                r#"{"lines":[],"x":1} {}"#,
                "body must be one JSON document (line 1, column 20)",
            ),
        ] {
            let error = read_strict::<Basket>(document.as_bytes(), "body").unwrap_err();
            assert_eq!(error.to_string(), wanted, "{document}");
        }
        let newer = br#"{"lines":[{"quantity":1,"sku":"a"}],"to":"Jane"}"#;
        assert_eq!(read::<Basket>(newer, "body").unwrap().lines.len(), 1);
        let long = format!(r#"{{"lines":[],"{}":1}}"#, "x".repeat(10_000));
        let error = read_strict::<Basket>(long.as_bytes(), "body").unwrap_err();
        assert_eq!(error.path.len(), PATH_CHARS_MAX);
    }
}
