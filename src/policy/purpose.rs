//! What a caller wants records for.

use super::words::words;

words! {
    /// A purpose of use, by its code of v3-ActReason
    /// (<https://terminology.hl7.org/CodeSystem-v3-ActReason.html>).
    Purpose {
        /// To treat the patient.
        Treatment = "TREAT",
        /// To treat the patient in an emergency.
        EmergencyTreatment = "ETREAT",
        /// To break the glass.
        BreakGlass = "BTG",
        /// To be paid.
        Payment = "HPAYMT",
        /// To run the practice.
        Operations = "HOPERAT",
        /// Because the patient asks.
        PatientRequest = "PATRQT",
        /// Because somebody with authority for the patient asks.
        FamilyRequest = "FAMRQT",
        /// To coordinate care.
        CareManagement = "CAREMGT",
        /// For research.
        Research = "HRESCH",
        /// For proceedings.
        Legal = "HLEGAL",
    }
}

impl Purpose {
    /// The purpose that a platform's word in a consent stands for.
    pub fn of_consent(word: &str) -> Option<Self> {
        Some(match word {
            "treat" => Self::Treatment,
            "pay" => Self::Payment,
            "operations" => Self::Operations,
            "patient_request" => Self::PatientRequest,
            "legal" => Self::Legal,
            "research" => Self::Research,
            "coordination" => Self::CareManagement,
            _ => return None,
        })
    }

    /// Whether it is an emergency.
    pub fn is_emergency(self) -> bool {
        matches!(self, Self::EmergencyTreatment | Self::BreakGlass)
    }

    /// Whether no more than necessary may be disclosed for it (45 CFR 164.502(b)).
    pub fn is_minimised(self) -> bool {
        matches!(self, Self::Payment | Self::Operations)
    }
}
