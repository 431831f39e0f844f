//! CPU time of processes, from /proc.

use std::{fs, path::Path};

/// The kernel counts in ticks of a hundredth of a second (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// The process id on the first line of a file.
pub fn pid_in(file: &Path) -> Option<u32> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// CPU seconds (user and system) that a process has used so far.
pub fn seconds(pid: u32) -> Option<f64> {
    Some(Stat::of(pid)?.seconds)
}

/// The same, with those of its children that run.
pub fn seconds_with_children(pid: u32) -> Option<f64> {
    let own = seconds(pid)?;
    let entries = fs::read_dir("/proc").ok()?;
    let children = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Stat::of)
        .filter(|stat| stat.parent == pid)
        .map(|stat| stat.seconds);
    Some(own + children.sum::<f64>())
}

/// The fields of `/proc/<pid>/stat` that are read, by proc(5).
struct Stat {
    parent: u32,
    seconds: f64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field, a name in parentheses, may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            seconds: (ticks(11)? + ticks(12)?) / TICKS_PER_SECOND,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_passed_over() {
        let stat = Stat::parse("7 (a) b) S 3 1 1 0 -1 4 0 0 0 0 150 50 9 9 20 0 1").unwrap();
        assert_eq!(stat.parent, 3);
        assert!((stat.seconds - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_truncated_line_has_no_figures() {
        for text in ["", "7 (a", "7 (a) S", "7 (a) S 3 1 1 0"] {
            assert!(Stat::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn this_process_has_used_some() {
        assert!(seconds(std::process::id()).is_some());
        assert!(seconds_with_children(std::process::id()).is_some());
    }
}
