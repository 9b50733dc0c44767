//! Which records a record refers to, and whose change makes it due for mapping again.

use serde_json::Value;

use super::field::text;
use crate::domain::{Kind, Record};

/// The fields that hold the id of another record: kind, path (`*` is each item of a list), target.
const LINKS: &[(Kind, &[&str], Kind)] = &[
    (Kind::Staff, &["roles", "*", "org_id"], Kind::Organization),
    (Kind::Client, &["merged_into"], Kind::Client),
    (Kind::RelatedParty, &["client_id"], Kind::Client),
    (Kind::Assignment, &["client_id"], Kind::Client),
    (Kind::Assignment, &["staff_id"], Kind::Staff),
    (Kind::Episode, &["client_id"], Kind::Client),
    (Kind::Episode, &["program_unit_id"], Kind::Organization),
    (Kind::Appointment, &["client_ids", "*"], Kind::Client),
    (Kind::Appointment, &["staff_ids", "*"], Kind::Staff),
    (Kind::Appointment, &["session_id"], Kind::SessionLog),
    (Kind::Appointment, &["rescheduled_to"], Kind::Appointment),
    (Kind::SessionLog, &["appointment_id"], Kind::Appointment),
    (Kind::SessionLog, &["episode_id"], Kind::Episode),
    (Kind::SessionLog, &["attendance", "*", "client_id"], Kind::Client),
    (Kind::SessionLog, &["recording", "consent_id"], Kind::Consent),
    (Kind::Thread, &["client_ids", "*"], Kind::Client),
    (Kind::Thread, &["staff_ids", "*"], Kind::Staff),
    (Kind::Message, &["thread_id"], Kind::Thread),
    (Kind::Message, &["in_reply_to"], Kind::Message),
    (Kind::Message, &["session_id"], Kind::SessionLog),
    (Kind::Message, &["attachment_ids", "*"], Kind::Attachment),
    (Kind::Message, &["edited", "*", "by"], Kind::Staff),
    (Kind::SessionNote, &["session_id"], Kind::SessionLog),
    (Kind::SessionNote, &["author_id"], Kind::Staff),
    (Kind::SessionNote, &["cosigners", "*", "by"], Kind::Staff),
    (Kind::SessionNote, &["cosigned_by"], Kind::Staff),
    (Kind::SessionNote, &["signed", "by"], Kind::Staff),
    (Kind::SessionNote, &["amends"], Kind::SessionNote),
    (Kind::SessionNote, &["structured", "dx_refs", "*"], Kind::Diagnosis),
    (Kind::TreatmentPlan, &["client_id"], Kind::Client),
    (Kind::TreatmentPlan, &["episode_id"], Kind::Episode),
    (Kind::TreatmentPlan, &["problem_refs", "*"], Kind::Diagnosis),
    (Kind::TreatmentPlan, &["supersedes"], Kind::TreatmentPlan),
    (Kind::TreatmentPlan, &["reviews", "*", "by"], Kind::Staff),
    (Kind::TreatmentPlan, &["signatures", "*", "who"], Kind::Staff),
    (Kind::Diagnosis, &["client_id"], Kind::Client),
    (Kind::Diagnosis, &["recorded_by"], Kind::Staff),
    (Kind::Diagnosis, &["session_id"], Kind::SessionLog),
    (Kind::Assessment, &["client_id"], Kind::Client),
    (Kind::Assessment, &["session_id"], Kind::SessionLog),
    (Kind::Assessment, &["administered_by"], Kind::Staff),
    (Kind::Consent, &["evidence", "attachment_id"], Kind::Attachment),
    (Kind::Consent, &["supersedes"], Kind::Consent),
    (Kind::Consent, &["recipients", "*", "id"], Kind::Organization),
    (Kind::Consent, &["recipients", "*", "id"], Kind::Staff),
    (Kind::Consent, &["scope", "session_ids", "*"], Kind::SessionLog),
    (Kind::Consent, &["scope", "plan_ids", "*"], Kind::TreatmentPlan),
    (Kind::RecordRequest, &["client_id"], Kind::Client),
    (Kind::RecordRequest, &["entry"], Kind::SessionNote),
    (Kind::Transfer, &["client_id"], Kind::Client),
    (Kind::ClientMerge, &["survivor_id"], Kind::Client),
    (Kind::ClientMerge, &["duplicate_id"], Kind::Client),
    (Kind::LegalHold, &["client_id"], Kind::Client),
];

/// The fields that hold `{kind, id}` of someone or something.
const PARTIES: &[(Kind, &[&str])] = &[
    (Kind::SessionLog, &["presence", "*", "who"]),
    (Kind::Message, &["sender"]),
    (Kind::Message, &["recipients", "*"]),
    (Kind::Message, &["cc", "*"]),
    (Kind::Attachment, &["owner"]),
    (Kind::Attachment, &["author"]),
    (Kind::Consent, &["signer"]),
];

/// The records that a record refers to, each once, in order.
pub fn links(record: &Record) -> Vec<(Kind, String)> {
    let mut found: Vec<_> =
        record.client_ids.iter().map(|client| (Kind::Client, client.clone())).collect();
    for (_, path, target) in LINKS.iter().filter(|(kind, ..)| *kind == record.kind) {
        each(&record.data, path, &mut |value| {
            found.extend(value.as_str().map(|id| (*target, id.to_owned())));
        });
    }
    for (_, path) in PARTIES.iter().filter(|(kind, _)| *kind == record.kind) {
        each(&record.data, path, &mut |value| found.extend(party(value)));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn each(value: &Value, path: &[&str], found: &mut dyn FnMut(&Value)) {
    match path {
        [] => found(value),
        ["*", rest @ ..] => {
            for item in value.as_array().into_iter().flatten() {
                each(item, rest, found);
            }
        }
        [name, rest @ ..] => {
            if let Some(value) = value.get(name) {
                each(value, rest, found);
            }
        }
    }
}

fn party(who: &Value) -> Option<(Kind, String)> {
    let kind = match text(who, "kind")? {
        "related" | "guardian" | "poa" | "court" => Kind::RelatedParty,
        kind => kind.parse().ok()?,
    };
    Some((kind, text(who, "id")?.to_owned()))
}
