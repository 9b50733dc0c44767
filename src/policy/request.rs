//! What a person may ask about their records, by when it has to be answered, and what becomes of it.
//!
//! By when is a table, `mappings/tables/deadlines.toml`; what becomes of it is [`State::after`].

mod clock;
mod refusal;
mod review;
mod state;
mod terms;
#[cfg(test)]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method itself is not general enough over the clock's lifetime"
)]
mod tests;

use std::fmt;
use std::str::FromStr;

use super::words::words;

pub use clock::{Clock, Extension, Pause, Standing, TooLate};
pub use refusal::Refusal;
pub use review::{Outcome, Reason, Trigger};
pub use state::{Event, State};
pub use terms::{Deadline, Identity, Span, Terms, Weekend};

words! {
    /// What is asked for.
    Matter {
        /// To see the record, or to have a copy of it.
        Access = "access",
        /// What the person gave, to be taken elsewhere.
        Portability = "portability",
        /// A copy that is sent to somebody else.
        ThirdPartyDirective = "third_party_directive",
        /// A change of what is wrong.
        Amendment = "amendment",
        /// To whom the record was shown.
        Accounting = "accounting",
        /// That something is not shown, or not used.
        Restriction = "restriction",
        /// That something is erased.
        Erasure = "erasure",
    }
}

impl Matter {
    /// What a Task about it is about: a code of `task-type`.
    pub fn code(self) -> String {
        format!("{CODE}{}", self.as_str().replace('_', "-"))
    }

    /// What a Task with this code of `task-type` asks for, if it asks for anything.
    pub fn of_code(code: &str) -> Option<Self> {
        code.strip_prefix(CODE)?.replace('-', "_").parse().ok()
    }
}

/// What the codes of `task-type` that are requests begin with.
const CODE: &str = "record-";

/// Under which law something is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Regime {
    /// HIPAA.
    Hipaa,
    /// HIPAA, and the rule on records of substance use.
    Part2,
    /// The General Data Protection Regulation.
    Gdpr,
    /// HIPAA, and a law of a state, by its code: `US-CA`.
    State(String),
}

impl FromStr for Regime {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "hipaa" => Ok(Self::Hipaa),
            "part2" => Ok(Self::Part2),
            "gdpr" => Ok(Self::Gdpr),
            other => match other.strip_prefix("state:") {
                Some(code) if !code.is_empty() => Ok(Self::State(code.to_owned())),
                _ => Err(()),
            },
        }
    }
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hipaa => f.write_str("hipaa"),
            Self::Part2 => f.write_str("part2"),
            Self::Gdpr => f.write_str("gdpr"),
            Self::State(code) => write!(f, "state:{code}"),
        }
    }
}
