//! Security labels as far as the rules read them (HL7 DS4P 1.0.0; v3-Confidentiality, v3-ActCode).

use std::collections::BTreeSet;

use super::words::words;
use crate::domain::Coding;

pub(super) const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
pub(super) const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

words! {
    /// How confidential something is, from least to most (v3-Confidentiality).
    Confidentiality {
        /// Unrestricted.
        Unrestricted = "U",
        /// Low.
        Low = "L",
        /// Moderate.
        Moderate = "M",
        /// Normal.
        Normal = "N",
        /// Restricted.
        Restricted = "R",
        /// Very restricted.
        VeryRestricted = "V",
    }
}

words! {
    /// Why something is sensitive (v3-ActCode, `InformationSensitivityPolicy`).
    Sensitivity {
        /// A minor's.
        Adolescent = "ADOL",
        /// Behavioural health.
        BehaviouralHealth = "BH",
        /// Substance use.
        SubstanceUse = "ETH",
        /// Alcohol use.
        Alcohol = "ETHUD",
        /// HIV.
        Hiv = "HIV",
        /// Mental health.
        MentalHealth = "MH",
        /// Opioid use.
        Opioid = "OPIOIDUD",
        /// Psychiatry.
        Psychiatry = "PSY",
        /// A psychotherapy note.
        PsychotherapyNote = "PSYTHPN",
        /// Sexual assault, abuse or domestic violence.
        DomesticViolence = "SDV",
        /// Substance use disorder.
        SubstanceUseDisorder = "SUD",
        /// Violence.
        Violence = "VIO",
    }
}

impl Sensitivity {
    /// The members that mean the same as this one.
    pub fn synonyms(self) -> &'static [Self] {
        const MENTAL: &[Sensitivity] =
            &[Sensitivity::BehaviouralHealth, Sensitivity::MentalHealth, Sensitivity::Psychiatry];
        const SUBSTANCE: &[Sensitivity] =
            &[Sensitivity::SubstanceUse, Sensitivity::SubstanceUseDisorder];
        [MENTAL, SUBSTANCE].into_iter().find(|group| group.contains(&self)).unwrap_or(&[])
    }
}

/// Codes that ask for careful handling and decide nothing about who may see something.
pub(super) const HANDLING: &[&str] =
    &["PERSISTLABEL", "PRIVMARK", "CPLYCD", "NORDSCLCD", "HIPAAAuth", "HIPAAROA", "HIPAAPsyNotes"];
/// Codes of v3-ObservationValue that say where something comes from.
const PROVENANCE: &[&str] = &["PATAST", "PATRPT", "REDACTED"];

/// The labels of something.
#[expect(clippy::struct_excessive_bools, reason = "each is a label by itself")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Labels {
    /// How confidential.
    pub level: Confidentiality,
    /// Why.
    pub sensitivities: BTreeSet<Sensitivity>,
    /// Whether it originates in a Part 2 program (42 CFR 2.11).
    pub part2: bool,
    /// Whether it is withheld from the patient until it has been reviewed.
    pub under_review: bool,
    /// Whether a machine drafted it and nobody answers for it.
    pub machine_drafted: bool,
    /// Whether there is a label whose meaning is not known.
    pub unknown: bool,
}

impl Labels {
    /// No more than a level.
    pub fn of_level(level: Confidentiality) -> Self {
        Self {
            level,
            sensitivities: BTreeSet::new(),
            part2: false,
            under_review: false,
            machine_drafted: false,
            unknown: false,
        }
    }

    /// Reads labels. Without a level they are of the highest, since nobody can say what was meant.
    pub fn read(codings: &[Coding]) -> Self {
        let mut labels = Self::of_level(Confidentiality::Unrestricted);
        let mut level = None;
        for coding in codings {
            let code = coding.code.as_str();
            match coding.system.as_str() {
                CONFIDENTIALITY => {
                    let stated = code.parse().unwrap_or(Confidentiality::VeryRestricted);
                    level = Some(level.map_or(stated, |known: Confidentiality| known.max(stated)));
                }
                ACT => labels.add_act_code(code),
                OBSERVATION_VALUE if code == "AIAST" => labels.machine_drafted = true,
                OBSERVATION_VALUE if PROVENANCE.contains(&code) => {}
                _ => labels.unknown = true,
            }
        }
        labels.level = level.unwrap_or(Confidentiality::VeryRestricted);
        labels
    }

    fn add_act_code(&mut self, code: &str) {
        match code {
            "42CFRPart2" => self.part2 = true,
            "NOPAT" | "TBOO" => self.under_review = true,
            code if HANDLING.contains(&code) => {}
            code => match code.parse() {
                Ok(sensitivity) => {
                    self.sensitivities.insert(sensitivity);
                }
                Err(()) => self.unknown = true,
            },
        }
    }

    /// Whether it has this label.
    pub fn has(&self, sensitivity: Sensitivity) -> bool {
        self.sensitivities.contains(&sensitivity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(system: &str, code: &str) -> Coding {
        Coding { system: system.to_owned(), code: code.to_owned() }
    }

    #[test]
    fn what_is_not_labelled_is_very_restricted() {
        assert_eq!(Labels::read(&[]).level, Confidentiality::VeryRestricted);
        assert_eq!(
            Labels::read(&[label(CONFIDENTIALITY, "?")]).level,
            Confidentiality::VeryRestricted
        );
        assert_eq!(Labels::read(&[label(CONFIDENTIALITY, "N")]).level, Confidentiality::Normal);
    }

    #[test]
    fn a_label_that_is_not_known_is_told_apart_from_none() {
        let known = [label(CONFIDENTIALITY, "R"), label(ACT, "PSY"), label(ACT, "PERSISTLABEL")];
        assert!(!Labels::read(&known).unknown);
        assert!(Labels::read(&[label(ACT, "XYZ")]).unknown);
        assert!(Labels::read(&[label("https://practice.example/labels", "vip")]).unknown);
    }
}
