//! The rule by which the versions of a record make its state: a function of the set of versions,
//! so that every order of arrival, and every repetition, gives the same. Shared by all stores.

/// What the rule needs to know of one accepted version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    /// The platform's number.
    pub(crate) number: u64,
    /// The hash of its content.
    pub(crate) hash: [u8; 32],
    /// Whether it takes the record back.
    pub(crate) void: bool,
    /// Whether it carries data.
    pub(crate) has_data: bool,
}

/// Which versions make the state, as positions in the slice that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    /// The one that decides what the record is now.
    pub(crate) head: usize,
    /// The one whose data it has, if any.
    pub(crate) data: Option<usize>,
}

/// Finds the state.
///
/// The highest version decides. A version that was sent with different contents is *disputed* and
/// does not count while there is an undisputed one, save where one of its contents is a `void`:
/// taking back is the safe reading. Among the contents of a disputed version the voids come first,
/// then the lowest hash. A `void` without data keeps the data of the highest version up to it.
pub(crate) fn state(versions: &[Version]) -> Option<State> {
    let head = standing(versions, |_| true)?;
    let decides = versions.get(head)?;
    let data = if decides.has_data {
        Some(head)
    } else if decides.void {
        standing(versions, |version| version.has_data && version.number <= decides.number)
    } else {
        None
    };
    Some(State { head, data })
}

/// The position of the version that stands for those that `counts` admits.
fn standing(versions: &[Version], counts: impl Fn(&Version) -> bool) -> Option<usize> {
    let disputed = |version: &Version| {
        versions.iter().any(|other| other.number == version.number && other.hash != version.hash)
    };
    let rank = |version: &Version| {
        let trusted = version.void || !disputed(version);
        (trusted, version.number, version.void, std::cmp::Reverse(version.hash))
    };
    let admitted = versions.iter().enumerate().filter(|(_, version)| counts(version));
    admitted.max_by_key(|(_, version)| rank(version)).map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsert(number: u64, hash: u8) -> Version {
        Version { number, hash: [hash; 32], void: false, has_data: true }
    }

    fn void(number: u64, hash: u8) -> Version {
        Version { number, hash: [hash; 32], void: true, has_data: false }
    }

    /// The state as (number, hash) of head and of data.
    fn outcome(versions: &[Version]) -> ((u64, u8), Option<(u64, u8)>) {
        let state = state(versions).unwrap();
        let name = |position: usize| (versions[position].number, versions[position].hash[0]);
        (name(state.head), state.data.map(name))
    }

    #[test]
    fn the_highest_version_decides() {
        assert_eq!(outcome(&[upsert(5, 1), upsert(4, 2)]), ((5, 1), Some((5, 1))));
    }

    #[test]
    fn a_void_without_data_keeps_the_data_of_the_highest_version_that_has_some() {
        let versions = [void(3, 9), upsert(1, 1), upsert(2, 2)];
        assert_eq!(outcome(&versions), ((3, 9), Some((2, 2))));
        assert_eq!(outcome(&[void(3, 9)]), ((3, 9), None));
    }

    #[test]
    fn a_disputed_version_gives_way_to_the_last_good_one() {
        let versions = [upsert(1, 7), upsert(2, 4), upsert(2, 3)];
        assert_eq!(outcome(&versions), ((1, 7), Some((1, 7))));
        assert_eq!(outcome(&[upsert(2, 4), upsert(2, 3)]), ((2, 3), Some((2, 3))));
    }

    #[test]
    fn a_disputed_version_with_a_void_takes_the_record_back() {
        let versions = [upsert(1, 7), upsert(2, 3), void(2, 4)];
        assert_eq!(outcome(&versions).0, (2, 4));
    }

    #[test]
    fn a_later_good_version_settles_a_dispute() {
        let versions = [upsert(2, 3), upsert(2, 4), upsert(3, 1)];
        assert_eq!(outcome(&versions), ((3, 1), Some((3, 1))));
    }

    proptest::proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            seeds in proptest::collection::hash_set((1_u64..4, 0_u8..3), 1..7),
            turn in 0_usize..6,
        ) {
            let make = |&(number, hash): &(u64, u8)| {
                if (u64::from(hash) + number).is_multiple_of(3) { void(number, hash) } else { upsert(number, hash) }
            };
            let versions: Vec<_> = seeds.iter().map(make).collect();
            let mut turned = versions.clone();
            turned.rotate_left(turn % versions.len());
            proptest::prop_assert_eq!(outcome(&versions), outcome(&turned));
            turned.reverse();
            proptest::prop_assert_eq!(outcome(&versions), outcome(&turned));
        }
    }
}
