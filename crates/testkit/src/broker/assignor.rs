//! The cooperative-sticky assignor: members keep what they own up to their share; what must move is given to nobody
//! until its owner has let it go.

use std::collections::{BTreeMap, BTreeSet};

use argosy_kernel::Partition;

use super::member::MemberId;

/// Who gets what in this round, given what each owns now.
pub fn assign(
    partitions: &[Partition],
    owned: &BTreeMap<MemberId, BTreeSet<Partition>>,
) -> BTreeMap<MemberId, BTreeSet<Partition>> {
    let mut assigned: BTreeMap<MemberId, BTreeSet<Partition>> = owned
        .keys()
        .map(|member| (*member, BTreeSet::new()))
        .collect();
    if assigned.is_empty() {
        return assigned;
    }
    let share = partitions.len() / assigned.len();
    let mut with_one_more = partitions.len() % assigned.len();
    for (member, owns) in owned {
        let quota = if owns.len() > share && with_one_more > 0 {
            with_one_more -= 1;
            share + 1
        } else {
            share
        };
        let keeps = owns.iter().copied().take(quota);
        assigned.entry(*member).or_default().extend(keeps);
    }
    let held: BTreeSet<Partition> = owned.values().flatten().copied().collect();
    let mut targets: BTreeMap<MemberId, usize> = assigned
        .iter()
        .map(|(member, keeps)| (*member, keeps.len()))
        .collect();
    let kept: BTreeSet<Partition> = assigned.values().flatten().copied().collect();
    for partition in partitions.iter().filter(|at| !kept.contains(at)) {
        let Some((member, load)) = targets.iter_mut().min_by_key(|(_, load)| **load) else {
            break;
        };
        *load += 1;
        if !held.contains(partition) {
            assigned.entry(*member).or_default().insert(*partition);
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use argosy_kernel::TopicIndex;

    use super::*;

    fn partitions(count: i32) -> Vec<Partition> {
        (0..count)
            .map(|number| Partition {
                topic: TopicIndex(0),
                number,
            })
            .collect()
    }

    #[test]
    fn a_partition_that_moves_is_given_to_nobody_until_it_is_let_go() {
        let all = partitions(4);
        let mut owned = BTreeMap::from([
            (MemberId(1), all.iter().copied().collect()),
            (MemberId(2), BTreeSet::new()),
        ]);
        let first = assign(&all, &owned);
        assert_eq!(first[&MemberId(1)].len(), 2);
        assert!(first[&MemberId(2)].is_empty());
        owned.insert(MemberId(1), first[&MemberId(1)].clone());
        let second = assign(&all, &owned);
        assert_eq!(second[&MemberId(1)], first[&MemberId(1)]);
        assert_eq!(second[&MemberId(2)].len(), 2);
    }

    #[test]
    fn free_partitions_are_shared_evenly() {
        let all = partitions(5);
        let owned = BTreeMap::from([
            (MemberId(1), BTreeSet::new()),
            (MemberId(2), BTreeSet::new()),
        ]);
        let assigned = assign(&all, &owned);
        let mut sizes: Vec<_> = assigned.values().map(BTreeSet::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 3]);
    }
}
