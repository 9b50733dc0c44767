//! What somebody decides on an entry, and who may.

use std::collections::BTreeSet;

use super::entry::Entry;
use super::kept::{Decided, Kept, Review, Stretch};
use super::request::Request;
use super::{At, Requests};
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::policy::request::{Outcome, Reason, State};

/// What somebody decides on an entry.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The platform's kind of the entry's record.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// The version that they looked at.
    pub version: u64,
    /// What.
    pub outcome: Outcome,
    /// On which ground, where something is withheld.
    pub reason: Option<Reason>,
    /// Sentences that are left out, as [`Entry::sentences`] names them.
    pub spans: Vec<Stretch>,
    /// The `staff` record of who decides.
    pub by: String,
    /// Whether they may judge as a licensed professional.
    pub is_licensed: bool,
}

impl Requests {
    /// Decides on an entry of a request that is in review.
    ///
    /// # Errors
    ///
    /// `Conflict` where the entry or the request is not as it was, or somebody else has to decide;
    /// `Invalid` where something is missing.
    pub fn decide(&self, tenant: &TenantId, id: &str, verdict: &Verdict) -> Result<Request> {
        let request = self.request(tenant, id)?.ok_or(Error::NotFound)?;
        let entries = self.entries(tenant, &request)?;
        let entry = entries.iter().find(|entry| entry.is(&verdict.kind, &verdict.id));
        let entry = entry.filter(|entry| entry.version == verdict.version).ok_or_else(|| {
            conflict("this entry has changed, or is none to be decided on: look at it again")
        })?;
        verdict.check(entry)?;
        self.change(tenant, id, |at, kept| at.decide(verdict, entry, kept))
    }

    /// Whether everything is decided that has to be, so that a copy can be made.
    pub fn is_decided(&self, tenant: &TenantId, request: &Request) -> Result<bool> {
        Ok(self.entries(tenant, request)?.iter().all(|entry| entry.decision.is_some()))
    }
}

impl Verdict {
    /// Refuses what the law does not know.
    fn check(&self, entry: &Entry) -> Result<()> {
        let known: BTreeSet<Stretch> = entry.sentences().into_iter().map(|(at, _)| at).collect();
        if self.spans.iter().any(|span| !known.contains(span)) {
            return Err(conflict("the text has changed: look at it again"));
        }
        let withholds = self.outcome != Outcome::Release;
        if withholds && self.reason.is_none() {
            let hint = "say on which ground: nothing is withheld without one that the law names";
            return Err(Error::invalid("ground", hint));
        }
        if self.outcome == Outcome::Redact && self.spans.is_empty() && !entry.has_others {
            return Err(Error::invalid("spans", "choose the sentences that are left out"));
        }
        let needs_professional = entry.trigger.needs_professional()
            || (withholds && self.reason.is_some_and(Reason::needs_professional));
        if needs_professional && !self.is_licensed {
            let hint = "a licensed professional has to judge this: ask one who treats the client";
            return Err(conflict(hint));
        }
        Ok(())
    }
}

impl At<'_> {
    fn decide(&self, verdict: &Verdict, entry: &Entry, kept: &mut Kept) -> Result<()> {
        let request = &self.request;
        if !matches!(request.state, State::InReview | State::Extended) {
            return Err(conflict("nothing is decided on a request that is not in review"));
        }
        let reason = verdict.reason.filter(|_| verdict.outcome != Outcome::Release);
        if reason.is_some_and(Reason::is_against_another) && !request.is_by_another() {
            let hint = "this ground counts against those who act for the client, not against them";
            return Err(Error::invalid("ground", hint));
        }
        // A denial is reviewed by a professional who had no part in it (45 CFR 164.524(a)(4)).
        let round = request.round();
        let had_part = request.decisions.iter().any(|one| {
            entry.is(&one.kind, &one.id)
                && one.by.as_deref() == Some(&verdict.by)
                && one.round < round
        });
        if had_part {
            let hint =
                "the person asked for a review: somebody has to decide who had no part in it";
            return Err(conflict(hint));
        }
        let review = kept.review.get_or_insert_with(Review::default);
        review.decisions.push(Decided {
            item_kind: verdict.kind.clone(),
            item_id: verdict.id.clone(),
            version: Some(verdict.version),
            outcome: verdict.outcome.as_str().to_owned(),
            ground: reason.map(|reason| reason.as_str().to_owned()),
            reviewable: reason.map(Reason::is_reviewable),
            round: (round > 0).then_some(round),
            spans: if verdict.outcome == Outcome::Redact {
                verdict.spans.clone()
            } else {
                Vec::new()
            },
            by: Some(verdict.by.clone()),
            at: Some(self.practice.moment(self.now)),
        });
        Ok(())
    }
}

fn conflict(hint: &str) -> Error {
    Error::Conflict { hint: hint.to_owned() }
}
