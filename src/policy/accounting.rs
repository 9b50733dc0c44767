//! Which disclosures an accounting lists (45 CFR 164.528; 42 CFR 2.25).

use super::words::words;

words! {
    /// On what a disclosure rests.
    Basis {
        /// The patient's own access.
        PatientAccess = "patient_access",
        /// A consent or authorization.
        Consent = "consent",
        /// Treatment, payment or operations.
        Tpo = "tpo",
        /// An emergency.
        Emergency = "emergency",
        /// What the law requires.
        Law = "law",
        /// An order of a court.
        CourtOrder = "court_order",
        /// Public health.
        PublicHealth = "public_health",
        /// A disclosure that came with a permitted one.
        Incident = "incident",
        /// A limited data set.
        LimitedDataSet = "limited_data_set",
        /// National security or intelligence.
        NationalSecurity = "national_security",
        /// Correctional institutions and custody.
        Custody = "custody",
        /// A directory of the facility, or people involved in the care.
        Directory = "directory",
        /// Anything else, such as a mistake.
        Other = "other",
    }
}

impl Basis {
    /// Whether the accounting to the patient lists it.
    ///
    /// HIPAA leaves out what 164.528(a)(1)(i)–(ix) names. Under Part 2 what was disclosed by
    /// consent is listed, and so is an emergency (2.25, 2.51(c)).
    pub fn is_accountable(self, part2: bool) -> bool {
        match self {
            Self::Law | Self::CourtOrder | Self::PublicHealth | Self::Other => true,
            Self::Consent | Self::Tpo | Self::Emergency => part2,
            Self::PatientAccess
            | Self::Incident
            | Self::LimitedDataSet
            | Self::NationalSecurity
            | Self::Custody
            | Self::Directory => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_accounted_for_and_treatment_is_not() {
        assert!(Basis::Other.is_accountable(false));
        assert!(!Basis::Tpo.is_accountable(false));
        assert!(!Basis::Consent.is_accountable(false) && Basis::Consent.is_accountable(true));
        assert!(!Basis::PatientAccess.is_accountable(true));
    }
}
