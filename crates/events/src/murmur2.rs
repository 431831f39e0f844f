//! Where a key goes: the hash of Kafka's Java client, so that every producer puts a key into the same partition.

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;
const R: u32 = 24;

/// Kafka's variant of 32-bit MurmurHash2, as the Java client has it.
pub fn murmur2(key: &[u8]) -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the hash is defined on 32 bits; keys are far shorter"
    )]
    let mut hash = SEED ^ key.len() as u32;
    let (blocks, tail) = key.as_chunks::<4>();
    for block in blocks {
        let mut k = u32::from_le_bytes(*block).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (index, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^= hash >> 15;
    hash.cast_signed()
}

/// The partition of a key. A topic has at least one partition; fewer count as one.
pub fn partition_for(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::{murmur2, partition_for};

    #[test]
    fn hashes_are_those_of_the_java_client() {
        let vectors: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key.as_bytes()), hash, "{key}");
        }
    }

    #[test]
    fn a_partition_is_never_negative_nor_beyond_the_last() {
        for n in 0..10_000_u32 {
            let partition = partition_for(n.to_string().as_bytes(), 12);
            assert!((0..12).contains(&partition));
        }
        assert_eq!(partition_for(b"x", 0), 0);
    }
}
