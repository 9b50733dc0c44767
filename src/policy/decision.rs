//! What was decided, why, and under which conditions.

use super::rule::Rule;

/// Conditions of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Obligations(u16);

macro_rules! obligations {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $word:literal;)*) => {
        impl Obligations {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            const NAMES: &[(Self, &str)] = &[$((Self::$name, $word),)*];
        }
    };
}

obligations! {
    /// Blot out what is about others, before anything else is done.
    REDACT = 0, "redact";
    /// Attach the notice of 42 CFR 2.32.
    PART2_NOTICE = 1, "part2-notice";
    /// Attach the consent, or what it covers.
    CONSENT_COPY = 2, "consent-copy";
    /// Show the least that serves the purpose.
    MINIMUM = 3, "minimum-necessary";
    /// Enter it into the accounting of disclosures.
    ACCOUNT = 4, "account";
    /// Tell the privacy officer at once.
    ALERT = 5, "alert";
    /// Put it on the list to be reviewed.
    REVIEW = 6, "review";
    /// Mark every page.
    WATERMARK = 7, "watermark";
    /// Record what 42 CFR 2.51(c) asks for.
    RECORD_EMERGENCY = 8, "record-emergency";
    /// Audit it on the stream of what is kept apart.
    AUDIT_APART = 9, "audit-apart";
    /// Ask the recipient not to use or disclose it further (45 CFR 164.522(a)(1)(iv)).
    NO_FURTHER_USE = 10, "no-further-use";
}

impl Obligations {
    /// None.
    pub const NONE: Self = Self(0);
    /// Those that are met by what is read, whichever way it goes.
    pub const OF_READING: Self = Self::REDACT.and(Self::MINIMUM);
    /// Those that the FHIR API meets, where what is shown is entered into the audit.
    pub const OF_FHIR: Self = Self::OF_READING.and(Self::PART2_NOTICE).and(Self::CONSENT_COPY);
    /// All that there are.
    pub const ALL: Self = Self(0x7ff);

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These, if.
    #[must_use]
    pub const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }

    /// These without those.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether all of those are among these.
    pub const fn include(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Their names, in order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(one, _)| self.include(*one)).map(|(_, name)| *name)
    }

    /// As a number, to be kept.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From the number that was kept.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be seen.
    pub permits: bool,
    /// The rule that decided.
    pub rule: &'static Rule,
    /// The consents that it rests on, by the platform's id, in order.
    pub basis: Vec<String>,
    /// Under which conditions.
    pub obligations: Obligations,
}

impl Decision {
    /// Yes, by a rule.
    pub(super) fn permit(rule: &'static Rule) -> Self {
        Self { permits: true, rule, basis: Vec::new(), obligations: Obligations::NONE }
    }

    /// No, by a rule.
    pub(super) fn deny(rule: &'static Rule) -> Self {
        Self { permits: false, ..Self::permit(rule) }
    }

    /// The same, resting on these consents.
    pub(super) fn resting_on<'a>(mut self, ids: impl IntoIterator<Item = &'a str>) -> Self {
        self.basis = ids.into_iter().map(str::to_owned).collect();
        self.basis.sort_unstable();
        self.basis.dedup();
        self
    }

    /// The same under more conditions.
    pub(super) fn under(mut self, obligations: Obligations) -> Self {
        self.obligations = self.obligations.and(obligations);
        self
    }
}
