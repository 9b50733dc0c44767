//! A small random generator whose numbers are the same everywhere (`SplitMix64`, Steele 2014).
//! Not for anything secret.

/// Numbers that follow from a seed.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    /// The numbers of one client of one practice.
    pub(super) fn new(seed: u64, number: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0xD129_0DDB_53C4_3E49) ^ number);
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.abs_diff(low).saturating_add(1);
        low.saturating_add_unsigned(self.next() % width)
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of a few texts.
    pub(super) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        self.one(from).copied().unwrap_or_default()
    }

    /// One of a few values; nothing where there are none.
    pub(super) fn one<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let index = self.next() % (from.len().max(1) as u64);
        usize::try_from(index).ok().and_then(|index| from.get(index))
    }

    /// 256 bits in hex, in the place of a digest of a file that does not exist.
    pub(super) fn digest(&mut self) -> String {
        let bytes: Vec<u8> = (0..4).flat_map(|_| self.next().to_be_bytes()).collect();
        hex::encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_their_bounds_and_reach_them() {
        let mut dice = Dice::new(1, 1);
        let seen: std::collections::BTreeSet<_> = (0..200).map(|_| dice.between(-2, 3)).collect();
        assert_eq!(seen, (-2..=3).collect());
    }
}
