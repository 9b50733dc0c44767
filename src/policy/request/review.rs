//! What of a copy somebody has to look at first, and what they may decide.
//!
//! Nothing comes to review but what the law lets a practice withhold after looking at it (45 CFR
//! 164.524(a)(2)(v) and (a)(3)); everything else is released. To hold back a whole record until
//! somebody has approved it would be information blocking (45 CFR 171).

use jiff::Timestamp;

use super::super::item::{Ground, Item, NoteClass, Status};
use super::super::words::words;

words! {
    /// Why an entry is looked at before it is given.
    Trigger {
        /// It may reveal who gave it under a promise of confidentiality.
        ConfidentialSource = "confidential_source",
        /// A professional has said that it endangers life or physical safety.
        Endangers = "endangers_life",
        /// It is about another person.
        OtherPerson = "harms_another",
        /// Somebody who acts for the patient asks, and a professional has said that it would harm.
        Representative = "harm_by_representative",
        /// It is withheld, and nobody has said on which ground.
        Unstated = "unstated",
    }
}

words! {
    /// What is decided on an entry.
    Outcome {
        /// It is given.
        Release = "release",
        /// It is given without some passages.
        Redact = "redact",
        /// It is not given.
        Deny = "deny",
    }
}

words! {
    /// On which ground an entry, or a part of it, may be withheld after a review.
    Reason {
        /// It would reveal who gave it under a promise of confidentiality.
        ConfidentialSource = "confidential_source",
        /// It is likely to endanger life or physical safety.
        Endangers = "endangers_life",
        /// It is about another person, and likely to harm them substantially.
        OtherPerson = "harms_another",
        /// In the hands of whoever acts for the patient it is likely to harm substantially.
        Representative = "harm_by_representative",
    }
}

impl Reason {
    /// Whether the person may have a denial reviewed by another professional.
    pub const fn is_reviewable(self) -> bool {
        !matches!(self, Self::ConfidentialSource)
    }

    /// Whether a licensed professional has to judge.
    pub const fn needs_professional(self) -> bool {
        self.is_reviewable()
    }

    /// Whether it counts only where somebody asks who acts for the patient.
    pub const fn is_against_another(self) -> bool {
        matches!(self, Self::Representative)
    }

    /// The paragraph of the law.
    pub const fn source(self) -> &'static str {
        match self {
            Self::ConfidentialSource => "45 CFR 164.524(a)(2)(v)",
            Self::Endangers => "45 CFR 164.524(a)(3)(i)",
            Self::OtherPerson => "45 CFR 164.524(a)(3)(ii)",
            Self::Representative => "45 CFR 164.524(a)(3)(iii)",
        }
    }
}

impl Trigger {
    /// Why an entry is looked at before it is given to the patient, or to somebody who acts for
    /// them; nothing of one that is given, or withheld, without a look.
    pub fn of(item: &Item, by_another: bool, at: Timestamp) -> Option<Self> {
        let is_apart = item.is_psychotherapy()
            || item.is_sud_counseling()
            || item.note == Some(NoteClass::Supervision);
        if is_apart || !item.of_record || item.status != Status::Final {
            return None;
        }
        let withheld = item.withheld.filter(|one| one.until.is_none_or(|until| at < until));
        match withheld.map(|one| one.ground) {
            // Compiled for proceedings: there is nothing to be judged (164.524(a)(1)(ii)).
            Some(Ground::Litigation) => return None,
            Some(Ground::ConfidentialSource) => return Some(Self::ConfidentialSource),
            Some(Ground::Endangers) => return Some(Self::Endangers),
            Some(Ground::HarmsAnother) => return Some(Self::OtherPerson),
            Some(Ground::HarmByRepresentative) if by_another => return Some(Self::Representative),
            Some(Ground::HarmByRepresentative | Ground::Unstated) => return Some(Self::Unstated),
            None => {}
        }
        if by_another && item.withheld_from_proxies {
            return Some(Self::Representative);
        }
        item.redacted.then_some(Self::OtherPerson)
    }

    /// The ground that it suggests.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::ConfidentialSource => Some(Reason::ConfidentialSource),
            Self::Endangers => Some(Reason::Endangers),
            Self::OtherPerson => Some(Reason::OtherPerson),
            Self::Representative => Some(Reason::Representative),
            Self::Unstated => None,
        }
    }

    /// Whether a licensed professional has to judge, whatever they decide.
    pub const fn needs_professional(self) -> bool {
        !matches!(self, Self::ConfidentialSource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Kind;
    use crate::policy::{Labels, NoteClass, Withheld};

    fn note() -> Item {
        let labels = Labels::read(&[]);
        Item { note: Some(NoteClass::Progress), ..Item::new(Kind::SessionNote, labels) }
    }

    fn held(ground: Ground) -> Item {
        Item { withheld: Some(Withheld { ground, until: None }), ..note() }
    }

    #[test]
    fn what_comes_to_review_is_a_table() {
        let draft = Item { status: Status::Draft, ..held(Ground::Endangers) };
        let apart = Item { note: Some(NoteClass::Psychotherapy), ..held(Ground::Endangers) };
        let office = Item { of_record: false, ..held(Ground::Endangers) };
        let spans = Item { redacted: true, ..note() };
        let theirs = Item { withheld_from_proxies: true, ..note() };
        for (item, own, by_another) in [
            (note(), None, None),
            (
                held(Ground::ConfidentialSource),
                Some("confidential_source"),
                Some("confidential_source"),
            ),
            (held(Ground::Endangers), Some("endangers_life"), Some("endangers_life")),
            (held(Ground::HarmsAnother), Some("harms_another"), Some("harms_another")),
            (held(Ground::HarmByRepresentative), Some("unstated"), Some("harm_by_representative")),
            (held(Ground::Unstated), Some("unstated"), Some("unstated")),
            (held(Ground::Litigation), None, None),
            (spans, Some("harms_another"), Some("harms_another")),
            (theirs, None, Some("harm_by_representative")),
            (draft, None, None),
            (apart, None, None),
            (office, None, None),
        ] {
            let at = Timestamp::UNIX_EPOCH;
            let found = [false, true].map(|other| Trigger::of(&item, other, at));
            assert_eq!(found.map(|one| one.map(Trigger::as_str)), [own, by_another], "{item:?}");
        }
    }

    #[test]
    fn a_decision_to_withhold_that_is_over_is_none() {
        let until = Some(Timestamp::from_second(100).unwrap());
        let item = Item { withheld: Some(Withheld { ground: Ground::Endangers, until }), ..note() };
        let at = |second| Trigger::of(&item, false, Timestamp::from_second(second).unwrap());
        assert_eq!((at(99), at(100)), (Some(Trigger::Endangers), None));
    }

    #[test]
    fn every_trigger_has_a_ground_of_the_same_name_or_none() {
        for trigger in Trigger::ALL {
            let named = trigger.as_str().parse::<Reason>().ok();
            assert_eq!(trigger.reason(), named);
            assert!(
                named.is_none_or(|one| one.needs_professional() == trigger.needs_professional())
            );
        }
    }
}
