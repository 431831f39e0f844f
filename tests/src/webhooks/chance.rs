//! A small seeded generator (SplitMix64) and what is drawn from it.

/// See the module page.
#[derive(Debug)]
pub(super) struct Chance {
    state: u64,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    pub(super) fn index(&mut self, length: usize) -> usize {
        let drawn = self.next() % length as u64;
        usize::try_from(drawn).expect("below a length")
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        all[self.index(N)]
    }

    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }

    /// An id between 2^53 and 2^63, odd, so that passing it through a float shows.
    pub(super) fn id(&mut self) -> i64 {
        let bits = (self.next() >> 1) | (1 << 53) | 1;
        i64::try_from(bits).expect("63 bits")
    }

    /// A time of the year 2026, with an offset.
    pub(super) fn time(&mut self) -> String {
        let (month, day) = (self.between(1, 12), self.between(1, 28));
        let (hour, minute, second) = (
            self.between(0, 23),
            self.between(0, 59),
            self.between(0, 59),
        );
        let offset = self.pick(["-05:00", "+00:00", "+05:30", "+09:00"]);
        format!("2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{offset}")
    }
}
