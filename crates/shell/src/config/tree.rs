//! Everything that was written, as one tree in which each value knows its origin: the file first, then the
//! environment over it. Nothing is interpreted here but TOML's syntax and the variables' names.

use std::{collections::BTreeMap, ffi::OsString, ops::Range};

use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};

/// A configuration file larger than this is not a configuration file.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;
/// Nesting past this is refused: no key of ours is deeper than four.
const DEPTH_MAX: usize = 8;
const PREFIX: &str = "ARGOSY__";

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// From the environment: its type is what its reader expects.
    Raw(String),
    Text(String),
    Integer(i64),
    Flag(bool),
    List(Vec<Node>),
    Table(Table),
    /// A kind of value that no key of ours takes.
    Other(&'static str),
}

impl Value {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Raw(_) | Self::Text(_) => "text",
            Self::Integer(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a section",
            Self::Other(kind) => kind,
        }
    }
}

pub(crate) type Table = BTreeMap<String, Node>;

/// Parses a file's text; syntax faults are all collected, and what could be read is returned.
pub(crate) fn parse_file(path: &str, text: &str, faults: &mut Vec<Fault>) -> Table {
    let (document, errors) = DeTable::parse_recoverable(text);
    let source = Source {
        lines: Lines::new(text),
        path,
    };
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // Only what is a name for sure is shown: other faults may lie on a value.
        let key = text
            .get(span.clone())
            .filter(|_| error.message().contains("duplicate key"))
            .filter(|key| is_bare(key))
            .unwrap_or_default();
        faults.push(Fault {
            origin: source.origin(span),
            key: key.to_owned(),
            message: format!("not TOML: {}", error.message()),
        });
    }
    source.table(document.get_ref(), 0)
}

/// A key as it is written without quotes.
fn is_bare(key: &str) -> bool {
    !key.is_empty()
        && key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// Parses a TOML literal out of an environment variable; `None` if it is not one.
pub(crate) fn parse_literal(name: &str, text: &str) -> Option<Value> {
    let document = format!("value = {text}");
    let (table, errors) = DeTable::parse_recoverable(&document);
    if !errors.is_empty() || table.get_ref().len() != 1 {
        return None;
    }
    let source = Source {
        lines: Lines::new(&document),
        path: name,
    };
    let mut value = source
        .table(table.get_ref(), 0)
        .remove("value")
        .map(|node| node.value)?;
    adopt(&mut value, &Origin::Variable(name.to_owned()));
    Some(value)
}

/// Gives everything below a literal the variable as its origin.
fn adopt(value: &mut Value, origin: &Origin) {
    let below: Vec<&mut Node> = match value {
        Value::List(items) => items.iter_mut().collect(),
        Value::Table(table) => table.values_mut().collect(),
        _ => Vec::new(),
    };
    for node in below {
        node.origin = origin.clone();
        adopt(&mut node.value, origin);
    }
}

/// The variables that are text; one of ours that is not becomes a fault.
pub(crate) fn in_text(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    faults: &mut Vec<Fault>,
) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy().into_owned();
        match value.into_string() {
            Ok(value) => texts.push((name, value)),
            Err(_) if name.starts_with(PREFIX) => faults.push(Fault {
                origin: Origin::Variable(name),
                key: String::new(),
                message: "is not UTF-8: write text".to_owned(),
            }),
            Err(_) => {}
        }
    }
    texts
}

/// Lays `ARGOSY__SECTION__KEY` variables over the tree, in the order of their names.
pub(crate) fn overlay(
    tree: &mut Table,
    variables: impl IntoIterator<Item = (String, String)>,
    faults: &mut Vec<Fault>,
) {
    let ours: BTreeMap<String, String> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    for (name, value) in ours {
        let path: Vec<String> = name[PREFIX.len()..]
            .split("__")
            .map(str::to_ascii_lowercase)
            .collect();
        let message = if path.iter().any(String::is_empty) || path.len() > DEPTH_MAX {
            Some("names no key: write ARGOSY__SECTION__KEY".to_owned())
        } else {
            insert(tree, &path, &name, value).err()
        };
        if let Some(message) = message {
            faults.push(Fault {
                origin: Origin::Variable(name),
                key: String::new(),
                message,
            });
        }
    }
}

fn insert(tree: &mut Table, path: &[String], name: &str, value: String) -> Result<(), String> {
    let (segment, below) = path.split_first().expect("a path has a first segment");
    let key = spelled(tree, segment);
    let origin = Origin::Variable(name.to_owned());
    if below.is_empty() {
        let value = match value.trim_start().starts_with('{') {
            true => parse_literal(name, value.trim()).unwrap_or(Value::Raw(value)),
            false => Value::Raw(value),
        };
        tree.insert(key, Node { origin, value });
        return Ok(());
    }
    let node = tree.entry(key).or_insert_with(|| Node {
        origin,
        value: Value::Table(Table::new()),
    });
    let kind = node.value.kind();
    let Value::Table(table) = &mut node.value else {
        return Err(format!(
            "`{segment}` is {kind} already, not a section: remove one of the two"
        ));
    };
    insert(table, below, name, value)
}

/// The key as the file spells it: a variable's name has no room for a hyphen.
fn spelled(tree: &Table, segment: &str) -> String {
    tree.keys()
        .find(|key| key.replace('-', "_").eq_ignore_ascii_case(segment))
        .cloned()
        .unwrap_or_else(|| segment.to_owned())
}

struct Source<'a> {
    path: &'a str,
    lines: Lines,
}

impl Source<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        Origin::File {
            path: self.path.to_owned(),
            line: self.lines.line_of(span.start),
        }
    }

    fn table(&self, table: &DeTable<'_>, depth: usize) -> Table {
        table
            .iter()
            .map(|(key, value)| {
                let node = Node {
                    origin: self.origin(key.span()),
                    value: self.value(value.get_ref(), depth + 1),
                };
                (key.get_ref().to_string(), node)
            })
            .collect()
    }

    fn value(&self, value: &DeValue<'_>, depth: usize) -> Value {
        if depth > DEPTH_MAX {
            return Value::Other("nested too deeply");
        }
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number out of range"), Value::Integer),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Array(items) => Value::List(
                items
                    .iter()
                    .map(|item| Node {
                        origin: self.origin(item.span()),
                        value: self.value(item.get_ref(), depth + 1),
                    })
                    .collect(),
            ),
            DeValue::Table(table) => Value::Table(self.table(table, depth)),
            DeValue::Float(_) => Value::Other("a number with a fraction"),
            DeValue::Datetime(_) => Value::Other("a date"),
        }
    }
}

/// Byte offsets of line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(starts).collect())
    }

    fn line_of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}
