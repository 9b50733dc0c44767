//! Who may see what. Pure: no I/O, no clock of its own.
//!
//! [`decide`] answers one question: may this actor, for this purpose, see this item of this
//! patient, under these consents, at this instant? The answer cites the [`Rule`] that made it.

mod access;
pub mod accounting;
mod actor;
mod apart;
mod audit;
mod class;
mod clause;
mod conflict;
mod decide;
mod decision;
mod directive;
mod emergency;
mod grantee;
mod high_water;
mod item;
mod label;
mod law;
mod mandate;
pub mod minimum;
pub mod notice;
mod patient;
mod permit;
mod principal;
mod purpose;
mod question;
pub mod request;
pub mod retention;
pub mod rule;
mod scope;
mod signing;
mod staff;
#[cfg(test)]
mod tests;
pub mod transfer;
mod user;
mod words;

pub use accounting::Basis;
pub use actor::{
    Actor, Authority, AuthorityKind, Powers, Proxy, Recipient, Restriction, RestrictionKind, Role,
    Staff, Standing, Term,
};
pub use audit::{AuditPermit, Reach as AuditReach};
pub use clause::{Clause, OUTSIDE, Reach};
pub use decide::decide;
pub use decision::{Decision, Obligations};
pub use directive::{
    Defect, Directive, Extent, Form, LabelSet, Matching, Matter, Party, PartyKind, Revocation,
    Signer, State,
};
pub use emergency::Glass;
pub use grantee::{Grantee, Under};
pub use high_water::HighWater;
pub use item::{Asker, Ground, Item, NoteClass, Status, Withheld, requested_by, transfer_to};
pub use label::{Confidentiality, Labels, Sensitivity};
pub use law::{Jurisdiction, Law, Parents};
pub use mandate::Mandate;
pub use patient::{Born, Majority, Patient};
pub use permit::{Action, Permit};
pub use principal::Principal;
pub use purpose::Purpose;
pub use question::{Emergency, Means, Question, Regime};
pub use rule::Rule;
pub use scope::{
    AUDIT_EVENT, Form as ScopeForm, Level, Plain, ResourceScope, Rights, Scope, Scopes,
};
pub use signing::{Act, Hand, signs_alone, signs_for};
pub use user::{FhirUser, UserType};
