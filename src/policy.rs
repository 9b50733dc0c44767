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
pub mod request;
pub mod rule;
mod scope;
mod signing;
mod staff;
#[cfg(test)]
mod tests;
pub mod transfer;
mod words;

pub use accounting::Basis;
pub use actor::{
    Actor, Authority, AuthorityKind, Powers, Proxy, Recipient, Restriction, RestrictionKind, Role,
    Staff, Standing, Term,
};
pub use audit::{AUDIT_EVENT, AuditPermit, Reach as AuditReach};
pub use clause::{Clause, OUTSIDE, Reach};
pub use decide::{Means, Question, Regime, decide};
pub use decision::{Decision, Obligations};
pub use directive::{
    Defect, Directive, Extent, Form, LabelSet, Matching, Matter, Party, PartyKind, Revocation,
    Signer, State,
};
pub use emergency::{Emergency, Glass};
pub use grantee::{Grantee, Under};
pub use high_water::HighWater;
pub use item::{Ground, Item, NoteClass, Status, Withheld, transfer_to};
pub use label::{Confidentiality, Labels, Sensitivity};
pub use law::{Jurisdiction, Law, Parents};
pub use mandate::Mandate;
pub use patient::{Born, Majority, Patient};
pub use permit::{Action, Permit};
pub use principal::{FhirUser, Principal, UserType};
pub use purpose::Purpose;
pub use rule::Rule;
pub use scope::{Form as ScopeForm, Level, Plain, ResourceScope, Rights, Scope, Scopes};
pub use signing::{Act, Hand, signs_alone, signs_for};
