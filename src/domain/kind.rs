//! The kinds of source record that a platform may send.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $mapped:literal;)*) => {
        /// What a source record is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind, in the order in which a platform would naturally send them.
            pub const ALL: &[Kind] = &[$(Kind::$variant,)*];

            /// The kind's name in the envelope.
            pub const fn as_str(self) -> &'static str {
                match self { $(Kind::$variant => $name,)* }
            }

            /// Whether records of this kind become FHIR resources; the others are stored only.
            pub const fn is_mapped(self) -> bool {
                match self { $(Kind::$variant => $mapped,)* }
            }
        }
    };
}

kinds! {
    /// A practice, the legal custodian of records.
    Organization = "organization", true;
    /// A therapist, supervisor, intern or administrator.
    Staff = "staff", true;
    /// A person in care.
    Client = "client", true;
    /// A guardian, proxy, partner or emergency contact.
    RelatedParty = "related_party", true;
    /// Who treats whom.
    Assignment = "assignment", true;
    /// An episode of care.
    Episode = "episode", true;
    /// A planned session.
    Appointment = "appointment", true;
    /// A session as it took place.
    SessionLog = "session_log", true;
    /// A conversation.
    Thread = "thread", true;
    /// One message of a thread.
    Message = "message", true;
    /// A file that belongs to another record.
    Attachment = "attachment", true;
    /// A clinician's note.
    SessionNote = "session_note", true;
    /// A treatment plan with goals and interventions.
    TreatmentPlan = "treatment_plan", true;
    /// A diagnosis.
    Diagnosis = "diagnosis", true;
    /// A filled-in questionnaire with its score.
    Assessment = "assessment", true;
    /// A signed consent or refusal.
    Consent = "consent", true;
    /// A request for access, amendment or an accounting.
    RecordRequest = "record_request", true;
    /// A transfer of care.
    Transfer = "transfer", true;
    /// One disclosure, for the accounting.
    Disclosure = "disclosure", false;
    /// Two client records that are one person.
    ClientMerge = "client_merge", false;
    /// One access, from the platform's audit log.
    AccessEvent = "access_event", false;
    /// How long records are kept.
    RetentionPolicy = "retention_policy", false;
    /// A hold that keeps records from being purged.
    LegalHold = "legal_hold", false;
    /// How the platform protects records.
    SecurityStatement = "security_statement", false;
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == name).ok_or(())
    }
}
