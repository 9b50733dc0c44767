//! Whose change makes a record due for mapping again.
//!
//! ## Why
//! What is made from a record is a function of the record *and* of facts of its neighbours. When
//! a neighbour changes, everything that used it is made again, so that the order in which records
//! arrive never shows.

use crate::domain::Kind;

/// On which side of a reference the neighbour stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The record refers to the neighbour.
    Forward,
    /// The neighbour refers to the record.
    Reverse,
    /// Both are about the same client.
    SameClient,
}

/// How much of the neighbour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Only whether it makes a resource: it matters when it first appears, and when its `op` or
    /// the `status` in its data changes.
    Presence,
    /// Its content: every change matters.
    Facts,
}

/// Records of `kind` use records of `on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    /// What has to be mapped again.
    pub kind: Kind,
    /// Whose change brings that about.
    pub on: Kind,
    /// Who refers to whom.
    pub side: Side,
    /// How much is used.
    pub needs: Needs,
}

const fn forward(kind: Kind, on: Kind, needs: Needs) -> Dependency {
    Dependency { kind, on, side: Side::Forward, needs }
}

const fn reverse(kind: Kind, on: Kind) -> Dependency {
    Dependency { kind, on, side: Side::Reverse, needs: Needs::Facts }
}

const fn same_client(kind: Kind, on: Kind) -> Dependency {
    Dependency { kind, on, side: Side::SameClient, needs: Needs::Facts }
}

/// Every dependency between records. Beside these, all kinds use the tenant's practice: its id
/// and its `part2_program`.
pub const DEPENDENCIES: &[Dependency] = {
    use Kind::{
        Appointment, Assessment, Assignment, Attachment, Client, Consent, Diagnosis, Episode,
        Message, Organization, RecordRequest, RelatedParty, SessionLog, SessionNote, Staff, Thread,
        Transfer, TreatmentPlan,
    };
    use Needs::{Facts, Presence};
    &[
        forward(Staff, Organization, Facts),
        forward(Client, Client, Presence),
        reverse(Client, Client),
        reverse(Client, Assignment),
        reverse(Client, RelatedParty),
        reverse(Client, Consent),
        reverse(Client, Episode),
        forward(RelatedParty, Client, Presence),
        forward(Episode, Client, Facts),
        forward(Episode, Organization, Facts),
        same_client(Episode, Assignment),
        same_client(Episode, Diagnosis),
        reverse(Episode, TreatmentPlan),
        forward(Appointment, Client, Facts),
        forward(Appointment, Staff, Presence),
        forward(Appointment, Appointment, Presence),
        forward(Appointment, SessionLog, Facts),
        forward(SessionLog, Client, Facts),
        forward(SessionLog, Staff, Facts),
        forward(SessionLog, Consent, Facts),
        forward(SessionLog, RelatedParty, Facts),
        forward(SessionLog, Appointment, Facts),
        forward(SessionLog, Episode, Facts),
        reverse(SessionLog, Diagnosis),
        forward(Thread, Client, Facts),
        forward(Thread, Staff, Facts),
        reverse(Thread, Message),
        forward(Message, Client, Facts),
        forward(Message, Staff, Presence),
        forward(Message, RelatedParty, Facts),
        forward(Message, Thread, Facts),
        forward(Message, Message, Facts),
        forward(Message, SessionLog, Facts),
        forward(Message, Attachment, Facts),
        forward(Attachment, Client, Facts),
        forward(Attachment, Message, Facts),
        forward(Attachment, SessionNote, Facts),
        forward(Attachment, Consent, Facts),
        forward(Attachment, TreatmentPlan, Facts),
        forward(Attachment, Assessment, Facts),
        forward(SessionNote, Client, Facts),
        forward(SessionNote, Staff, Facts),
        forward(SessionNote, SessionLog, Facts),
        forward(SessionNote, SessionNote, Facts),
        reverse(SessionNote, SessionNote),
        forward(SessionNote, Diagnosis, Facts),
        forward(TreatmentPlan, Client, Facts),
        forward(TreatmentPlan, Staff, Presence),
        forward(TreatmentPlan, Episode, Facts),
        forward(TreatmentPlan, Diagnosis, Facts),
        forward(TreatmentPlan, TreatmentPlan, Presence),
        reverse(TreatmentPlan, TreatmentPlan),
        same_client(TreatmentPlan, Assignment),
        forward(Diagnosis, Client, Facts),
        forward(Diagnosis, Staff, Presence),
        forward(Diagnosis, SessionLog, Facts),
        forward(Assessment, Client, Facts),
        forward(Assessment, SessionLog, Facts),
        forward(Assessment, Staff, Presence),
        forward(Consent, Client, Facts),
        forward(Consent, Staff, Presence),
        forward(Consent, RelatedParty, Facts),
        forward(Consent, Attachment, Facts),
        forward(Consent, Organization, Presence),
        forward(Consent, SessionLog, Facts),
        forward(Consent, TreatmentPlan, Facts),
        forward(Consent, Consent, Presence),
        reverse(Consent, Consent),
        forward(RecordRequest, Client, Facts),
        same_client(RecordRequest, Episode),
        same_client(RecordRequest, RelatedParty),
        forward(RecordRequest, SessionNote, Facts),
        forward(Transfer, Client, Facts),
        same_client(Transfer, Episode),
    ]
};
