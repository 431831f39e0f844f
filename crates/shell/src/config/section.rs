//! One section of the tree, read key by key with the type that each key has. A wrong value becomes a fault and the
//! default goes on, so that reading never stops at the first; what nobody asked for is a fault at `finish`.

use std::{cell::RefCell, net::SocketAddr, ops::RangeInclusive, time::Duration};

use serde::Serializer;

use super::{
    fault::{Fault, Origin, variable_of},
    secret::Secret,
    tree::{Node, Table, Value, parse_literal},
};

/// A file that holds a secret is not larger than this.
pub(crate) const SECRET_BYTES_MAX: usize = 64 << 10;
/// Items of one list.
const LIST_ITEMS_MAX: usize = 1_000;

/// Where all readers leave their faults.
#[derive(Debug, Default)]
pub(crate) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(crate) fn push(&self, origin: Origin, key: String, message: impl Into<String>) {
        self.0.borrow_mut().push(Fault {
            origin,
            key,
            message: message.into(),
        });
    }

    pub(crate) fn extend(&self, faults: Vec<Fault>) {
        self.0.borrow_mut().extend(faults);
    }

    pub(crate) fn into_inner(self) -> Vec<Fault> {
        self.0.into_inner()
    }
}

/// Reads the content of a file that holds a secret.
pub(crate) type ReadFile<'a> = &'a dyn Fn(&str) -> std::io::Result<Vec<u8>>;

/// A section that is being read.
pub(crate) struct Section<'a> {
    path: String,
    table: Table,
    origin: Option<Origin>,
    asked: Vec<&'static str>,
    faults: &'a Faults,
    read_file: ReadFile<'a>,
    secrets_in_file: bool,
}

impl<'a> Section<'a> {
    pub(crate) fn root(table: Table, faults: &'a Faults, read_file: ReadFile<'a>) -> Self {
        Self {
            path: String::new(),
            table,
            origin: None,
            asked: Vec::new(),
            faults,
            read_file,
            secrets_in_file: true,
        }
    }

    /// From here on a secret written in the file itself is a fault.
    pub(crate) fn refuse_secrets_in_file(&mut self) {
        self.secrets_in_file = false;
    }

    /// Was anything of it written?
    pub(crate) fn is_written(&self) -> bool {
        self.origin.is_some()
    }

    pub(crate) fn is_key_written(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Says which of these keys are not written; asked before they are read.
    pub(crate) fn require(&self, keys: &[&str]) {
        for key in keys {
            if !self.is_key_written(key) {
                self.missing(key);
            }
        }
    }

    /// Where a key is written; to be asked before it is read.
    pub(crate) fn origin_of(&self, key: &str) -> Option<Origin> {
        self.table.get(key).map(|node| node.origin.clone())
    }

    fn path_of(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    /// A fault about a key of this section, at the place where the key was written.
    pub(crate) fn fault(&self, key: &str, origin: Option<Origin>, message: impl Into<String>) {
        self.faults.push(
            origin
                .or_else(|| self.origin.clone())
                .unwrap_or(Origin::Missing),
            self.path_of(key),
            message,
        );
    }

    /// A key that cannot stand beside what else is written.
    pub(crate) fn refuse(&mut self, key: &'static str, message: &str) {
        if let Some(node) = self.take(key) {
            self.fault(key, Some(node.origin), message);
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.asked.push(key);
        self.table.remove(key)
    }

    /// The text of a key.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        self.parsed(key, |text| Ok(text.to_owned()))
    }

    /// The text of a key, read into a type; the message says what is wrong and what to write.
    pub(crate) fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.take(key)?;
        let result = match &node.value {
            Value::Raw(text) | Value::Text(text) if text.trim().is_empty() => {
                Err("is empty: remove it or write a value".to_owned())
            }
            Value::Raw(text) | Value::Text(text) => parse(text.trim()),
            other => Err(format!("must be text, not {}", other.kind())),
        };
        result
            .map_err(|message| self.fault(key, Some(node.origin), message))
            .ok()
    }

    /// One of several names.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, all: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| {
            all.iter()
                .find(|(name, _)| *name == text)
                .map(|(_, value)| *value)
                .ok_or_else(|| {
                    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
                    format!("must be one of: {}", names.join(", "))
                })
        })
    }

    /// A number within bounds.
    pub(crate) fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let node = self.take(key)?;
        let number = match &node.value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Raw(text) => text.trim().replace('_', "").parse().ok(),
            other => {
                let message = format!("must be a number, not {}", other.kind());
                self.fault(key, Some(node.origin), message);
                return None;
            }
        };
        let within = number.filter(|number| range.contains(number));
        if within.is_none() {
            let message = format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            );
            self.fault(key, Some(node.origin), message);
        }
        within
    }

    /// A count or size within bounds; `default` if it is not written.
    pub(crate) fn size(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: usize,
    ) -> usize {
        self.number(key, range)
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(default)
    }

    /// A span of milliseconds within bounds; `default` if it is not written.
    pub(crate) fn millis(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        default: Duration,
    ) -> Duration {
        self.number(key, range)
            .map_or(default, Duration::from_millis)
    }

    /// True or false.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        let flag = match &node.value {
            Value::Flag(flag) => Some(*flag),
            Value::Raw(text) => text.trim().parse().ok(),
            _ => None,
        };
        if flag.is_none() {
            self.fault(key, Some(node.origin), "must be true or false");
        }
        flag
    }

    /// A list of texts; in a variable comma-separated, or as TOML writes it.
    pub(crate) fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let Node { origin, value } = self.take(key)?;
        let items = match list_items(&origin, value) {
            Ok(items) => items,
            Err(message) => {
                self.fault(key, Some(origin), message);
                return None;
            }
        };
        if items.iter().any(String::is_empty) {
            self.fault(key, Some(origin), "has an empty item: remove it");
            return None;
        }
        if items.len() > LIST_ITEMS_MAX {
            let message = format!("has {} items, at most {LIST_ITEMS_MAX}", items.len());
            self.fault(key, Some(origin), message);
            return None;
        }
        Some(items)
    }

    /// A secret, written in place or in the file that `<key>_file` names.
    pub(crate) fn secret(&mut self, key: &'static str, key_file: &'static str) -> Option<Secret> {
        let in_place = self.table.get(key).map(|node| node.origin.clone());
        let named = self.table.get(key_file).map(|node| node.origin.clone());
        if matches!(in_place, Some(Origin::File { .. })) && !self.secrets_in_file {
            let message = format!(
                "is a secret in a file, refused by the production profile: set {} or {key_file}",
                variable_of(&self.path_of(key))
            );
            self.fault(key, in_place.clone(), message);
        }
        if in_place.is_some() && named.is_some() {
            let message = format!("is set beside {key_file}: keep one of the two");
            self.fault(key, in_place, message);
            self.take(key);
            self.take(key_file);
            return None;
        }
        let direct = self.parsed(key, |text| printable(text).map_err(str::to_owned));
        let read_file = self.read_file;
        let from_file = self.parsed(key_file, |path| read_secret(read_file, path));
        direct.or(from_file)
    }

    /// A section below this one; an empty one if it is not written.
    pub(crate) fn section(&mut self, key: &'static str) -> Self {
        let node = self.take(key);
        self.below(key, node)
    }

    /// All sections below a key, by name.
    pub(crate) fn sections(&mut self, key: &'static str) -> Vec<(String, Self)> {
        let mut parent = self.section(key);
        std::mem::take(&mut parent.table)
            .into_iter()
            .filter_map(|(name, node)| {
                if is_name(&name) {
                    let section = parent.below(&name, Some(node));
                    return Some((name, section));
                }
                let message = "is no name: use lower-case letters, digits and `-`, at most 40";
                parent.fault(&name, Some(node.origin), message);
                None
            })
            .collect()
    }

    fn below(&self, key: &str, node: Option<Node>) -> Self {
        let origin = node.as_ref().map(|node| node.origin.clone());
        let table = match node.map(|node| node.value) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => {
                let message = format!("must be a section, not {}", other.kind());
                self.fault(key, origin.clone(), message);
                Table::new()
            }
        };
        Self {
            path: self.path_of(key),
            table,
            origin,
            asked: Vec::new(),
            faults: self.faults,
            read_file: self.read_file,
            secrets_in_file: self.secrets_in_file,
        }
    }

    /// Says that a key has to be written.
    pub(crate) fn missing(&self, key: &str) {
        let path = self.path_of(key);
        let message = format!(
            "is missing: write it in the file or set {}",
            variable_of(&path)
        );
        self.faults.push(
            self.origin.clone().unwrap_or(Origin::Missing),
            path,
            message,
        );
    }

    /// Ends the reading: what is left was never asked for.
    pub(crate) fn finish(mut self) {
        self.asked.sort_unstable();
        for (key, node) in std::mem::take(&mut self.table) {
            let message = format!("is no key: here stand {}", self.asked.join(", "));
            self.fault(&key, Some(node.origin), message);
        }
    }
}

fn list_items(origin: &Origin, value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Raw(text) if text.trim_start().starts_with('[') => {
            let name = origin.to_string();
            match parse_literal(&name, text.trim()) {
                Some(literal) => list_items(origin, literal),
                None => Err("is no TOML list: write [\"a\", \"b\"] or a,b".to_owned()),
            }
        }
        Value::Raw(text) if text.trim().is_empty() => Ok(Vec::new()),
        Value::Raw(text) => Ok(text.split(',').map(|item| item.trim().to_owned()).collect()),
        Value::List(items) => items
            .into_iter()
            .map(|item| match item.value {
                Value::Text(text) => Ok(text.trim().to_owned()),
                other => Err(format!(
                    "must be a list of texts, one item is {}",
                    other.kind()
                )),
            })
            .collect(),
        other => Err(format!("must be a list of texts, not {}", other.kind())),
    }
}

fn read_secret(read_file: ReadFile<'_>, path: &str) -> Result<Secret, String> {
    let bytes =
        read_file(path).map_err(|error| format!("names {path}, which cannot be read: {error}"))?;
    if bytes.len() > SECRET_BYTES_MAX {
        return Err(format!(
            "names {path}, which holds more than {SECRET_BYTES_MAX} bytes"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("names {path}, which is not UTF-8"))?;
    match text.trim() {
        "" => Err(format!("names {path}, which is empty")),
        secret => printable(secret).map_err(|fault| format!("names {path}, which {fault}")),
    }
}

/// No header can carry a line break, and none of ours is meant to be in a secret.
fn printable(secret: &str) -> Result<Secret, &'static str> {
    match secret.chars().any(char::is_control) {
        true => Err("has a line break or another control character: write the secret alone"),
        false => Ok(Secret::new(secret)),
    }
}

/// Reads `address:port`.
pub(crate) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be address:port, e.g. 127.0.0.1:8080".to_owned())
}

/// Writes a span as the file does: in milliseconds.
pub(crate) fn write_millis<S: Serializer>(
    span: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&name.len()) && name.chars().all(allowed)
}
