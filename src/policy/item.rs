//! What somebody wants to see, as far as the rules need to know.

use jiff::Timestamp;

use super::label::{Labels, Sensitivity};
use super::words::words;
use crate::domain::Kind;

words! {
    /// The class of a clinician's note.
    NoteClass {
        /// Of a session.
        Progress = "progress",
        /// Of the first session.
        Intake = "intake_evaluation",
        /// Separated from the record (45 CFR 164.501).
        Psychotherapy = "psychotherapy",
        /// Separated from the record (42 CFR 2.11).
        SudCounseling = "sud_counseling",
        /// Of a consultation.
        Consult = "consult",
        /// Of the whole treatment, at its end.
        Discharge = "discharge_summary",
        /// Of a contact outside of sessions.
        Contact = "contact",
        /// Of a supervision.
        Supervision = "supervision",
        /// Of the practice's business.
        Admin = "admin",
        /// One that is not known.
        Unknown = "other",
    }
}

words! {
    /// How far something has got.
    Status {
        /// Somebody answers for it.
        Final = "final",
        /// Nobody has signed it.
        Draft = "draft",
        /// It was taken back, merged or purged.
        Void = "void",
        /// Nobody can say.
        Unknown = "unknown",
    }
}

words! {
    /// Why something is withheld from the patient.
    Ground {
        /// It would endanger life or physical safety.
        Endangers = "endangers_life",
        /// It is about another person, whom it would harm.
        HarmsAnother = "harms_another",
        /// It would harm if it went to somebody who acts for the patient.
        HarmByRepresentative = "harm_by_representative",
        /// It was compiled for proceedings.
        Litigation = "litigation",
        /// It would reveal who gave it under a promise of confidentiality.
        ConfidentialSource = "confidential_source",
        /// None that is known.
        Unstated = "unstated",
    }
}

/// A decision to withhold something from the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Withheld {
    /// Why.
    pub ground: Ground,
    /// When the decision ends.
    pub until: Option<Timestamp>,
}

/// What says that somebody is treated by a program for substance use.
const BY_PROGRAM: [Sensitivity; 2] = [Sensitivity::SubstanceUse, Sensitivity::SubstanceUseDisorder];

/// Something to be seen.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The kind of record it is made from.
    pub kind: Kind,
    /// Its class, if it is a note.
    pub note: Option<NoteClass>,
    /// Its labels.
    pub labels: Labels,
    /// How far it has got.
    pub status: Status,
    /// Whether it is withheld from the patient.
    pub withheld: Option<Withheld>,
    /// Whether it is withheld from whoever acts for the patient.
    pub withheld_from_proxies: bool,
    /// Whether it is part of the designated record set (45 CFR 164.501).
    pub of_record: bool,
    /// Whether it holds stretches about another person, which are blotted out.
    pub redacted: bool,
    /// When what it says was done or observed.
    pub dated: Option<Timestamp>,
    /// The session, plan or record it belongs to, as `kind/id` of the platform.
    pub related: String,
    /// Whether it is among the few that an emergency needs: an active diagnosis, a late session.
    pub for_emergencies: bool,
}

/// What a transfer belongs to: the recipient to whom care goes over, by their `client_id`.
pub fn transfer_to(client_id: &str) -> String {
    format!("{}/{client_id}", Kind::Transfer)
}

/// Who asks something about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker<'a> {
    /// Whose record it is.
    Patient,
    /// Somebody who acts for them, by the platform's id.
    Party(&'a str),
    /// Somebody who is nobody here.
    Another,
}

/// What a request about a record belongs to: whoever asks.
pub fn requested_by(who: Asker<'_>) -> String {
    match who {
        Asker::Patient => format!("{}/patient", Kind::RecordRequest),
        Asker::Party(id) => format!("{}/party/{id}", Kind::RecordRequest),
        Asker::Another => format!("{}/another", Kind::RecordRequest),
    }
}

impl Item {
    /// Something without particulars.
    pub fn new(kind: Kind, labels: Labels) -> Self {
        Self {
            kind,
            note: None,
            labels,
            status: Status::Final,
            withheld: None,
            withheld_from_proxies: false,
            of_record: true,
            redacted: false,
            dated: None,
            related: String::new(),
            for_emergencies: false,
        }
    }

    /// Whether it says no more than who the patient is, or that with where they are treated for
    /// substance use.
    pub fn is_demographic(&self) -> bool {
        self.kind == Kind::Client
            && self.labels.sensitivities.iter().all(|one| BY_PROGRAM.contains(one))
    }

    /// Whether it tells of a program for substance use.
    pub fn tells_of_a_program(&self) -> bool {
        self.labels.part2 || BY_PROGRAM.iter().any(|one| self.labels.has(*one))
    }

    /// Whether it is a note of the plane that is kept apart for psychotherapy.
    pub fn is_psychotherapy(&self) -> bool {
        self.note == Some(NoteClass::Psychotherapy)
            || (self.labels.has(Sensitivity::PsychotherapyNote) && !self.is_sud_counseling())
    }

    /// Whether it is a note of the plane that is kept apart for substance use counselling.
    pub fn is_sud_counseling(&self) -> bool {
        self.note == Some(NoteClass::SudCounseling)
    }
}
