//! What becomes of a request: its states, and what leads from one to another.

use super::super::words::words;

words! {
    /// Where a request is.
    State {
        /// It came.
        Received = "received",
        /// Somebody has to prove who they are.
        IdentityPending = "identity_pending",
        /// It is worked on.
        InReview = "in_review",
        /// It is worked on, and takes longer, as the person was told.
        Extended = "extended",
        /// All that was asked for will be given.
        Approved = "approved",
        /// A part will be given.
        PartiallyDenied = "partially_denied",
        /// Nothing will be given.
        Denied = "denied",
        /// It was done.
        Fulfilled = "fulfilled",
        /// The person took it back.
        Withdrawn = "withdrawn",
        /// Nobody proved who asks.
        Expired = "expired",
    }
}

words! {
    /// What can happen to a request.
    Event {
        /// A proof of who asks was asked for.
        IdentityAsked = "identity_asked",
        /// There is one.
        IdentityProven = "identity_proven",
        /// What was shown is none; another may be.
        IdentityFailed = "identity_failed",
        /// Somebody began to work on it.
        ReviewStarted = "review_started",
        /// The person was told that it takes longer.
        Extend = "extend",
        /// All of it is granted.
        Approve = "approve",
        /// A part of it is denied.
        DenyInPart = "deny_in_part",
        /// All of it is denied.
        Deny = "deny",
        /// The person asked for a denial to be reviewed (45 CFR 164.524(d)(4)).
        ReviewRequested = "review_requested",
        /// The person sent a statement of disagreement (45 CFR 164.526(d)(2)).
        Disagree = "disagree",
        /// The person wants the request and its denial to go along with the entry (164.526(d)(5)).
        Enclose = "enclose",
        /// The practice answered a statement of disagreement (164.526(d)(3)).
        Rebut = "rebut",
        /// The person said who shall be told of a correction (164.526(c)(2)).
        Agree = "agree",
        /// They were told (164.526(c)(3)).
        Notify = "notify",
        /// What was granted was given.
        Fulfil = "fulfil",
        /// The person took it back.
        Withdraw = "withdraw",
        /// Nobody proved who asks, and it ends.
        Expire = "expire",
    }
}

impl State {
    /// The state after an event; nothing where that cannot happen now.
    pub fn after(self, event: Event) -> Option<Self> {
        use State::{
            Approved, Denied, Expired, Extended, Fulfilled, IdentityPending, InReview,
            PartiallyDenied, Received, Withdrawn,
        };
        Some(match (self, event) {
            (Received | InReview | Extended, Event::IdentityAsked)
            | (IdentityPending, Event::IdentityFailed) => IdentityPending,
            (IdentityPending, Event::IdentityProven)
            | (Received, Event::ReviewStarted)
            // What was given may have been given in part.
            | (PartiallyDenied | Denied | Fulfilled, Event::ReviewRequested) => InReview,
            (Received | InReview, Event::Extend) => Extended,
            (InReview | Extended, Event::Approve) => Approved,
            (InReview | Extended, Event::DenyInPart) => PartiallyDenied,
            (InReview | Extended, Event::Deny) => Denied,
            (Approved | PartiallyDenied, Event::Fulfil) => Fulfilled,
            // What is said about an answer leaves it as it is.
            (
                PartiallyDenied | Denied | Fulfilled,
                Event::Disagree | Event::Enclose | Event::Rebut,
            )
            | (Approved | PartiallyDenied | Fulfilled, Event::Agree | Event::Notify) => self,
            (
                Received | IdentityPending | InReview | Extended | Approved | PartiallyDenied,
                Event::Withdraw,
            ) => Withdrawn,
            (IdentityPending, Event::Expire) => Expired,
            _ => return None,
        })
    }

    /// Whether nothing more is owed of what was asked.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Denied | Self::Fulfilled | Self::Withdrawn | Self::Expired)
    }
}
