//! One step of a request: who may take it, and what it needs.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::LONGEST;
use super::erase::Erased;
use super::kept::Told;
use super::request::Request;
use crate::error::{Error, Result};
use crate::policy::request::{Event, Refusal, State, Terms, TooLate};

/// Who takes a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Whoever asked.
    Requester,
    /// Somebody of the practice.
    Staff(String),
    /// The platform, by the name of its source.
    Platform(String),
    /// Whoever sits at the machine itself.
    Operator,
    /// Nobody: there was nothing to decide.
    Gateway,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requester => f.write_str("requester"),
            Self::Staff(id) => write!(f, "staff:{id}"),
            Self::Platform(source) => write!(f, "platform:{source}"),
            Self::Operator => f.write_str("operator"),
            Self::Gateway => f.write_str("gateway"),
        }
    }
}

/// A step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What happens.
    pub event: Event,
    /// Who does it.
    pub by: By,
    /// Why, for the person who asked.
    pub reason: Option<String>,
    /// Until when, of an extension.
    pub until: Option<Date>,
    /// How it was proven who asks.
    pub proof: Option<String>,
    /// On which ground, where a correction or an erasure is refused.
    pub ground: Option<Refusal>,
    /// The `session_note` record that is corrected, where it was not named before.
    pub entry: Option<String>,
    /// What a corrected entry is to be read with.
    pub text: Option<String>,
    /// The `staff` record of who signs that, where it is not who takes the step.
    pub author: Option<String>,
    /// Who shall be told of a correction.
    pub tell: Vec<Told>,
    /// What was erased here, of an erasure that is carried out.
    pub erased: Option<Erased>,
}

impl Step {
    /// A step that needs no more than to be taken.
    pub fn new(event: Event, by: By) -> Self {
        Self {
            event,
            by,
            reason: None,
            until: None,
            proof: None,
            ground: None,
            entry: None,
            text: None,
            author: None,
            tell: Vec::new(),
            erased: None,
        }
    }

    /// What was written, where it is more than blanks.
    pub(super) fn words(&self) -> &str {
        self.reason.as_deref().map(str::trim).unwrap_or_default()
    }

    /// The `staff` record of who signs what it writes into the record.
    pub(super) fn signer(&self) -> Option<String> {
        match &self.by {
            By::Staff(id) => Some(id.clone()),
            _ => self.author.clone(),
        }
    }

    /// The state after it, or why it cannot be taken.
    pub(super) fn check(
        &self,
        request: &Request,
        terms: &Terms,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<State> {
        let is_theirs = matches!(
            self.event,
            Event::Withdraw
                | Event::ReviewRequested
                | Event::Disagree
                | Event::Enclose
                | Event::Agree
        );
        if self.by == By::Requester && !is_theirs {
            return Err(Error::Denied);
        }
        let after = request.state.after(self.event).ok_or_else(|| Error::Conflict {
            hint: format!(
                "a request that is {} cannot be changed by {}",
                request.state.as_str(),
                self.event.as_str()
            ),
        })?;
        if self.event == Event::ReviewRequested && !request.may_be_reviewed() {
            let hint = "nothing was denied that another professional reviews";
            return Err(Error::Conflict { hint: hint.to_owned() });
        }
        let reason = self.words();
        if reason.chars().count() > LONGEST {
            let hint = format!("write at most {LONGEST} characters");
            return Err(Error::invalid("reason", hint));
        }
        // A denial and an extension are told in writing (45 CFR 164.524(b)(2)(iii), (d)(2)).
        let needs_reason = matches!(self.event, Event::Deny | Event::DenyInPart | Event::Extend);
        if needs_reason && reason.is_empty() {
            return Err(Error::invalid("reason", "say why: the person is told so in writing"));
        }
        match (self.event, self.until) {
            (Event::Extend, Some(until)) => {
                let allowed = request.clock(terms, zone, |clock| clock.may_extend(now, until));
                allowed.map_err(|why| too_late(&why))?;
            }
            (Event::Extend, None) => {
                let hint = "say by which day it will be answered: the person is told so in writing";
                return Err(Error::invalid("until", hint));
            }
            (_, Some(_)) => return Err(Error::invalid("until", "only an extension has a day")),
            (_, None) => {}
        }
        self.check_answer(request)?;
        Ok(after)
    }
}

/// Why an extension is none.
fn too_late(why: &TooLate) -> Error {
    let hint = match why {
        TooLate::None => "the law knows no extension of this request: answer it".to_owned(),
        TooLate::Once => "it has been extended once, and that is all: answer it".to_owned(),
        TooLate::Over(due) => {
            format!("the term ended on {due}, and an extension is told within it: answer it now")
        }
        TooLate::Until { after, latest } => {
            format!("give a day after {after} and not after {latest}")
        }
    };
    Error::Conflict { hint }
}
