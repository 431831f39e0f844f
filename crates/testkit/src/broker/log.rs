//! One partition's log: offsets only grow, some belong to markers that nobody is given, the oldest may be gone.

use std::collections::BTreeMap;

/// An idempotent producer's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u64);

/// The log of one partition.
#[derive(Debug)]
pub struct Log<V> {
    start: i64,
    entries: Vec<Option<V>>,
    newest: BTreeMap<ProducerId, (u64, i64)>,
}

impl<V> Default for Log<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Log<V> {
    /// An empty log.
    pub fn new() -> Self {
        Self {
            start: 0,
            entries: Vec::new(),
            newest: BTreeMap::new(),
        }
    }

    /// The oldest offset still there.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The offset that the next append gets.
    pub fn end(&self) -> i64 {
        self.entries.len() as i64
    }

    /// Appends.
    pub fn append(&mut self, value: V) -> i64 {
        self.entries.push(Some(value));
        self.end() - 1
    }

    /// Appends, unless this producer's newest append had this sequence: then its offset is answered again.
    pub fn append_once(&mut self, producer: ProducerId, sequence: u64, value: V) -> i64 {
        if let Some((newest, offset)) = self.newest.get(&producer)
            && *newest == sequence
        {
            return *offset;
        }
        let offset = self.append(value);
        self.newest.insert(producer, (sequence, offset));
        offset
    }

    /// Appends what consumers never see (a transaction's marker), or stands for a record compacted away.
    pub fn append_marker(&mut self) {
        self.entries.push(None);
    }

    /// Retention: everything below `start` goes.
    pub fn trim(&mut self, start: i64) {
        self.start = self.start.max(start.min(self.end()));
    }

    /// What stands at this offset; `None` for a marker, a trimmed or a future offset.
    pub fn at(&self, offset: i64) -> Option<&V> {
        if offset < self.start {
            return None;
        }
        self.entries.get(usize::try_from(offset).ok()?)?.as_ref()
    }

    /// Up to so many records from this offset on, with their offsets.
    pub fn read(&self, from: i64, records_max: usize) -> impl Iterator<Item = (i64, &V)> {
        let first = from.max(self.start).max(0);
        self.entries
            .iter()
            .enumerate()
            .skip(first as usize)
            .filter_map(|(at, entry)| Some((at as i64, entry.as_ref()?)))
            .take(records_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_sequence_is_appended_once() {
        let mut log = Log::new();
        let first = log.append_once(ProducerId(1), 7, "a");
        assert_eq!(log.append_once(ProducerId(1), 7, "a"), first);
        assert_ne!(log.append_once(ProducerId(2), 7, "a"), first);
        assert_eq!(log.end(), 2);
    }

    #[test]
    fn markers_and_trimmed_records_are_never_read() {
        let mut log = Log::new();
        log.append("a");
        log.append_marker();
        log.append("b");
        log.append("c");
        log.trim(1);
        let read: Vec<_> = log.read(0, 1).collect();
        assert_eq!(read, [(2, &"b")]);
        assert_eq!((log.start(), log.end(), log.at(0)), (1, 4, None));
    }
}
