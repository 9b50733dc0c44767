//! Security labels from structure: kind, origin unit, codes, who the client is. Never from text.
//!
//! A label set holds exactly one v3-Confidentiality code, and it comes first. Labels that the
//! platform asserts are united with what follows from structure, so they can only raise it.
//! Rules: HL7 Healthcare Privacy and Security Classification System (one confidentiality code),
//! HL7 v3-ActCode for sensitivity and policy, 42 CFR Part 2 for what a program originates.

use serde_json::Value;

use super::field::{flag, list, text, texts};
use super::{Derivation, session_note};
use crate::domain::{Coding, Kind, Record};

const CONFIDENTIALITY: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const OBSERVATION_VALUE: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";

/// v3-Confidentiality from least to most restricted.
const LEVELS: [&str; 6] = ["U", "L", "M", "N", "R", "V"];

/// What any therapy record is: behavioural health, and labels must travel with it.
const THERAPY: [&str; 3] = ["PSY", "BH", "PERSISTLABEL"];

/// What originates in a Part 2 program: no redisclosure without consent (42 CFR 2.32).
const PART_2: [&str; 4] = ["SUD", "ETH", "42CFRPart2", "NORDSCLCD"];

/// Sensitivity by ICD-10-CM category. F17 is nicotine, which 42 CFR Part 2 does not mean.
const BY_DIAGNOSIS: &[(&str, &[&str])] = &[
    ("F10", &["SUD", "ETH", "ETHUD"]),
    ("F11", &["SUD", "ETH", "OPIOIDUD"]),
    ("F12", &["SUD", "ETH"]),
    ("F13", &["SUD", "ETH"]),
    ("F14", &["SUD", "ETH"]),
    ("F15", &["SUD", "ETH"]),
    ("F16", &["SUD", "ETH"]),
    ("F18", &["SUD", "ETH"]),
    ("F19", &["SUD", "ETH"]),
    ("B20", &["HIV"]),
    ("Z21", &["HIV"]),
    ("T74", &["SDV", "VIO"]),
    ("T76", &["SDV", "VIO"]),
];

/// Labels of what is made from a whole record.
pub(super) fn of(record: &Record, d: &Derivation) -> Vec<Coding> {
    let mut labels = Labels::new();
    if is_therapy(record.kind) {
        labels.restrict("R", &THERAPY);
        for client in &record.client_ids {
            let client = d.neighbours.get(Kind::Client, client);
            if client.is_some_and(|client| consents_alone(&client.data)) {
                labels.restrict("R", &["ADOL"]);
            }
        }
    }
    if is_about_a_client(record.kind) && originates_in_part_2(record, d) {
        labels.restrict("R", &PART_2);
    }
    by_content(record, d, &mut labels);
    for label in &record.labels {
        labels.assert(label);
    }
    // What is appended to an entry on a person's request is no less sensitive than the entry.
    let entry = session_note::appended_to(record, d);
    if let Some(entry) = entry.filter(|entry| session_note::appended_to(entry, d).is_none()) {
        for label in of(&entry, d) {
            labels.assert(&label);
        }
    }
    labels.0
}

/// Labels of something clinical that is made from an administrative record: a care team.
pub(super) fn of_therapy(record: &Record, d: &Derivation) -> Vec<Coding> {
    let mut labels = Labels::new();
    labels.restrict("R", &THERAPY);
    if consents_alone(&record.data) {
        labels.restrict("R", &["ADOL"]);
    }
    for label in of(record, d) {
        labels.assert(&label);
    }
    labels.0
}

/// Labels of something that also names diagnoses.
pub(super) fn of_diagnosed<'a>(
    record: &Record,
    d: &Derivation,
    diagnoses: impl Iterator<Item = &'a Record>,
) -> Vec<Coding> {
    let mut labels = Labels(of(record, d));
    for diagnosis in diagnoses {
        by_diagnosis(&diagnosis.data, &mut labels);
    }
    labels.0
}

fn by_content(record: &Record, d: &Derivation, labels: &mut Labels) {
    let data = &record.data;
    match record.kind {
        Kind::Diagnosis => by_diagnosis(data, labels),
        Kind::Assessment => {
            if matches!(text(data, "instrument"), Some("audit_c" | "dast10")) {
                labels.restrict("R", &["SUD", "ETH"]);
            }
            if text(data, "mode") == Some("self") {
                labels.add(OBSERVATION_VALUE, "PATAST");
            }
        }
        _ => {
            let structured = data.get("structured").unwrap_or(&Value::Null);
            let named = texts(data, "dx_refs")
                .chain(texts(data, "problem_refs"))
                .chain(texts(structured, "dx_refs"));
            for diagnosis in named.filter_map(|id| d.neighbours.get(Kind::Diagnosis, id)) {
                by_diagnosis(&diagnosis.data, labels);
            }
        }
    }
}

fn by_diagnosis(data: &Value, labels: &mut Labels) {
    let code = data.get("code").and_then(|code| text(code, "code")).unwrap_or_default();
    let code = code.trim().to_ascii_uppercase();
    for (category, codes) in BY_DIAGNOSIS {
        if code.starts_with(category) {
            labels.restrict("R", codes);
        }
    }
}

fn originates_in_part_2(record: &Record, d: &Derivation) -> bool {
    if let Some(stated) = record.part2 {
        return stated;
    }
    let data = &record.data;
    let unit_is_program = |episode: &Value| {
        text(episode, "program_unit_id")
            .and_then(|unit| d.neighbours.get(Kind::Organization, unit))
            .is_some_and(|unit| flag(&unit.data, "part2_program"))
    };
    let is_program =
        |episode: &Record| episode.part2 == Some(true) || unit_is_program(&episode.data);
    let by_episode = match record.kind {
        Kind::Episode => unit_is_program(data),
        // It is about the whole of somebody's care, whichever part of it is meant.
        Kind::RecordRequest | Kind::Transfer => record.client_ids.iter().any(|client| {
            let episodes = d.neighbours.referring(Kind::Episode, Kind::Client, client);
            episodes.iter().any(|episode| is_program(episode))
        }),
        _ => text(data, "episode_id")
            .and_then(|episode| d.neighbours.get(Kind::Episode, episode))
            .is_some_and(|episode| is_program(&episode)),
    };
    let by_session = || {
        text(data, "session_id")
            .and_then(|session| d.neighbours.get(Kind::SessionLog, session))
            .is_some_and(|session| session.part2 == Some(true))
    };
    let by_practice = || {
        d.neighbours.organization().is_some_and(|practice| flag(&practice.data, "part2_program"))
    };
    by_episode || by_session() || by_practice()
}

fn consents_alone(client: &Value) -> bool {
    client.get("minor").is_some_and(|minor| !list(minor, "self_consented_services").is_empty())
}

fn is_about_a_client(kind: Kind) -> bool {
    !matches!(kind, Kind::Organization | Kind::Staff)
}

fn is_therapy(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Episode
            | Kind::Appointment
            | Kind::SessionLog
            | Kind::Thread
            | Kind::Message
            | Kind::Attachment
            | Kind::SessionNote
            | Kind::TreatmentPlan
            | Kind::Diagnosis
            | Kind::Assessment
            | Kind::Consent
            | Kind::RecordRequest
            | Kind::Transfer
    )
}

/// A label set that can only rise.
struct Labels(Vec<Coding>);

impl Labels {
    fn new() -> Self {
        Self(vec![Coding { system: CONFIDENTIALITY.to_owned(), code: "N".to_owned() }])
    }

    fn restrict(&mut self, level: &str, codes: &[&str]) {
        self.raise(level);
        for code in codes {
            self.add(ACT, code);
        }
    }

    fn raise(&mut self, level: &str) {
        let rank = |code: &str| LEVELS.iter().position(|known| *known == code);
        if let Some(first) = self.0.first_mut()
            && rank(level) > rank(&first.code)
        {
            level.clone_into(&mut first.code);
        }
    }

    fn add(&mut self, system: &str, code: &str) {
        if !self.0.iter().any(|known| known.system == system && known.code == code) {
            self.0.push(Coding { system: system.to_owned(), code: code.to_owned() });
        }
    }

    /// Takes a label over from the platform. A confidentiality code that is not one is taken as
    /// the highest, since nobody can say what was meant.
    fn assert(&mut self, label: &Coding) {
        if label.system == CONFIDENTIALITY {
            let known = LEVELS.contains(&label.code.as_str());
            self.raise(if known { &label.code } else { "V" });
        } else {
            self.add(&label.system, &label.code);
        }
    }
}
