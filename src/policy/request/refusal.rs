//! On which grounds a correction or an erasure may be refused.
//!
//! Entries of a copy have grounds of their own, [`Reason`](super::Reason).

use super::super::words::words;
use super::{Matter, Regime};

words! {
    /// On which ground a correction or an erasure is refused.
    Refusal {
        /// Somebody else has made the entry, and is there to change it.
        MadeElsewhere = "made_elsewhere",
        /// It is not part of the record that decisions are made by.
        NotOfRecord = "not_of_record",
        /// The person may not have it anyway.
        NotOpen = "not_open",
        /// It is accurate and complete.
        Accurate = "accurate",
        /// The law knows no such right.
        NoSuchRight = "no_such_right",
        /// The law says for how long it has to be kept.
        MustKeep = "must_keep",
        /// It is needed for a claim, or a proceeding.
        Claims = "claims",
        /// It is still needed for what it was written for.
        StillNeeded = "still_needed",
    }
}

impl Refusal {
    /// The grounds on which something may be refused under a law; none where no ground is named there.
    pub fn of(matter: Matter, regime: &Regime) -> &'static [Self] {
        match (matter, regime) {
            (Matter::Amendment, Regime::Gdpr) => &[Self::Accurate],
            (Matter::Amendment, _) => {
                &[Self::MadeElsewhere, Self::NotOfRecord, Self::NotOpen, Self::Accurate]
            }
            (Matter::Erasure, Regime::Gdpr) => &[Self::MustKeep, Self::Claims, Self::StillNeeded],
            (Matter::Erasure, _) => &[Self::NoSuchRight, Self::MustKeep, Self::Claims],
            _ => &[],
        }
    }

    /// The paragraph of the law.
    pub const fn source(self, regime: &Regime) -> &'static str {
        match (self, regime) {
            (Self::MadeElsewhere, _) => "45 CFR 164.526(a)(2)(i)",
            (Self::NotOfRecord, _) => "45 CFR 164.526(a)(2)(ii)",
            (Self::NotOpen, _) => "45 CFR 164.526(a)(2)(iii)",
            (Self::Accurate, Regime::Gdpr) => "GDPR Art. 16",
            (Self::Accurate, _) => "45 CFR 164.526(a)(2)(iv)",
            (Self::NoSuchRight, _) => "45 CFR 164.522 to 164.528",
            (Self::MustKeep, Regime::Gdpr) => "GDPR Art. 17(3)(b) and (c)",
            (Self::MustKeep, _) => "the law of the state on how long records are kept",
            (Self::Claims, Regime::Gdpr) => "GDPR Art. 17(3)(e)",
            (Self::Claims, _) => "a duty to preserve evidence",
            (Self::StillNeeded, _) => "GDPR Art. 17(1)(a)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_which_ground_what_may_be_refused_is_a_table() {
        let told = |matter, regime: &str| -> Vec<_> {
            let regime = regime.parse().unwrap();
            Refusal::of(matter, &regime).iter().map(|one| one.source(&regime)).collect()
        };
        let federal = [
            "45 CFR 164.526(a)(2)(i)",
            "45 CFR 164.526(a)(2)(ii)",
            "45 CFR 164.526(a)(2)(iii)",
            "45 CFR 164.526(a)(2)(iv)",
        ];
        for regime in ["hipaa", "part2", "state:US-CA"] {
            assert_eq!(told(Matter::Amendment, regime), federal);
            assert_eq!(told(Matter::Erasure, regime)[0], "45 CFR 164.522 to 164.528");
        }
        assert_eq!(told(Matter::Amendment, "gdpr"), ["GDPR Art. 16"]);
        assert!(told(Matter::Erasure, "gdpr").iter().all(|one| one.starts_with("GDPR Art. 17(")));
        for matter in [Matter::Access, Matter::Portability, Matter::Accounting] {
            assert!(told(matter, "hipaa").is_empty(), "its entries have grounds, and no other");
        }
    }
}
