//! Who wants to see records, as far as the rules need to know.

use jiff::Timestamp;

use super::words::words;

words! {
    /// What somebody on the practice's staff does.
    Role {
        /// Treats.
        Therapist = "therapist",
        /// Supervises those who treat.
        Supervisor = "supervisor",
        /// Makes appointments.
        Admin = "admin",
        /// Writes bills.
        Biller = "biller",
        /// Answers requests about records.
        PrivacyOfficer = "privacy_officer",
    }
}

words! {
    /// What an outside recipient is registered as.
    Standing {
        /// Treats patients.
        Treating = "treating",
        /// Treats patients, and may ask in an emergency.
        Emergency = "emergency",
        /// Pays for care.
        Payer = "payer",
        /// Acts in proceedings, or investigates for them.
        Legal = "legal",
        /// Anything else.
        Other = "other",
    }
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The practice itself, by the operator of its installation.
    Custodian,
    /// A member of the practice's staff.
    Staff(Staff),
    /// The patient.
    Patient {
        /// Whether they have shown who they are.
        verified: bool,
    },
    /// Somebody who acts for the patient.
    Proxy(Proxy),
    /// An outside organisation, person or app.
    Recipient(Recipient),
}

/// A member of the practice's staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// The platform's id.
    pub id: String,
    /// What they do.
    pub role: Role,
    /// Whether they treat this patient, or supervise somebody who does.
    pub assigned: bool,
    /// Whether the patient is themself.
    pub own_chart: bool,
}

/// An outside recipient as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The `client_id` it is registered with.
    pub client_id: String,
    /// The name it is registered under.
    pub name: String,
    /// Its National Provider Identifier.
    pub npi: Option<String>,
    /// What it is registered as.
    pub standing: Standing,
}

/// Somebody who acts for the patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The platform's id.
    pub id: String,
    /// What their right is.
    pub authorities: Vec<Authority>,
    /// What speaks against it.
    pub restrictions: Vec<Restriction>,
}

words! {
    /// By what somebody acts for another.
    AuthorityKind {
        /// As the guardian of a minor.
        LegalGuardian = "legal_guardian",
        /// By a power of attorney.
        PowerOfAttorney = "healthcare_poa",
        /// By order of a court, which may outlast majority or death.
        CourtOrder = "court_order",
        /// By nothing, or by something unknown.
        None = "none",
    }
}

words! {
    /// How far an authority reaches.
    Powers {
        /// Everything.
        All = "all",
        /// Care.
        Clinical = "clinical",
        /// Appointments and bills.
        Scheduling = "scheduling_billing",
        /// Nobody can say.
        Unknown = "other",
    }
}

/// One right to act for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// By what.
    pub kind: AuthorityKind,
    /// How far.
    pub powers: Powers,
    /// Whether there is evidence of it.
    pub evidenced: bool,
    /// When it holds.
    pub term: Term,
}

words! {
    /// What speaks against somebody's access.
    RestrictionKind {
        /// No contact at all.
        NoContact = "no_contact",
        /// No records.
        NoRecords = "no_records",
        /// An order about custody, whose terms are not known here.
        CustodyOrder = "custody_order",
        /// Something unknown.
        Unknown = "other",
    }
}

/// One restriction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// Of which kind.
    pub kind: RestrictionKind,
    /// When it holds.
    pub term: Term,
}

/// A stretch of time: from an instant on, until another; open where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Term {
    /// The first instant.
    pub from: Option<Timestamp>,
    /// The first instant after it.
    pub until: Option<Timestamp>,
}

impl Term {
    /// Whether it holds at an instant.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// The instants at which it begins and ends.
    pub fn ends(&self) -> impl Iterator<Item = Timestamp> + use<> {
        [self.from, self.until].into_iter().flatten()
    }
}
