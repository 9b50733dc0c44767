//! What frames a course: consents and diagnosis at its start, the plan, and the discharge.

use std::io;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::calendar::after;
use super::client::Client;
use super::dice::Dice;
use super::notes::sections;
use super::session::Slot;
use super::sink::{Sink, Stamp};
use crate::domain::Kind;

/// The consents that every client signs: type, form, what it is about.
const FORMS: &[(&str, &str, &str)] = &[
    ("treatment", "TX-CO", "Psychotherapy with Meadowlark"),
    ("telehealth", "TELE-CO", "Sessions by video and phone"),
    ("npp_ack", "NPP", "Has received the notice of privacy practices"),
];

/// Writes what is there from the first day: consents with the scan, diagnosis, and the first plan.
pub(super) fn open(sink: &mut Sink<'_>, dice: &mut Dice, client: &Client) -> io::Result<()> {
    let calendar = sink.calendar();
    let signed = calendar.at(client.first, 7, 10);
    let clients = &[client.id.as_str()];
    let scan = client.only("att");
    let digest = dice.digest();
    for (at, (kind, form, about)) in (0..).zip(FORMS) {
        let data = json!({
            "type": kind, "decision": "permit", "status": "active",
            "signed_at": calendar.local(signed), "signer": {"kind": "client", "id": client.id},
            "method": "e_sign", "effective": {"from": client.first.to_string()},
            "evidence": {"attachment_id": scan, "sha256": digest, "form_id": form,
                "form_version": "1"},
            "scope": {"description": about},
        });
        let stamp = Stamp::happened(signed, after(signed, 10 + at));
        sink.put(Kind::Consent, &client.part("con", at), stamp, clients, &data)?;
    }
    let attachment = json!({
        "owner": {"kind": "consent", "id": client.part("con", 0)}, "filename": "consents.pdf",
        "media_type": "application/pdf", "size_bytes": dice.between(20_000, 90_000),
        "sha256": digest, "storage_ref": format!("blob://meadowlark/{scan}"),
        "av_scan": "clean", "contains_third_party": false,
    });
    sink.put(Kind::Attachment, &scan, Stamp::noted(after(signed, 5)), clients, &attachment)?;
    let (code, text, _, _) = client.problem;
    let recorded = calendar.at(client.first, 20, 0);
    let diagnosis = json!({
        "client_id": client.id, "code": {"system": "icd10cm", "code": code, "text": text},
        "status": "confirmed", "role": "primary", "recorded_on": client.first.to_string(),
        "recorded_by": client.therapist, "session_id": client.part("ses", 0),
        "show_to_client": true,
    });
    sink.put(Kind::Diagnosis, &client.only("dx"), Stamp::noted(recorded), clients, &diagnosis)?;
    put_plan(sink, client, after(recorded, 60), &Plan::first(client))
}

/// Writes the plan's second version, half-way.
pub(super) fn review(sink: &mut Sink<'_>, client: &Client, slot: &Slot) -> io::Result<()> {
    put_plan(sink, client, after(slot.end(), 1200), &Plan::second(client, slot.day))
}

/// Writes the discharge summary of the courses that ended.
pub(super) fn close(
    sink: &mut Sink<'_>,
    dice: &mut Dice,
    client: &Client,
    day: Date,
) -> io::Result<()> {
    if dice.chance(40) {
        return Ok(());
    }
    let signed = sink.calendar().at(day, 16, 0);
    let (_, _, _, method) = client.problem;
    let data = json!({
        "class": "discharge_summary", "format": "narrative", "service_date": day.to_string(),
        "sections": sections(&[("course", "Course", method), ("status", "Status", "Improved.")]),
        "author_id": client.therapist, "status": "locked",
        "signed": {"by": client.therapist, "at": signed.to_string()},
        "locked_at": after(signed, 30).to_string(),
        "visibility": {"client": "full", "proxies": "withheld"}, "origin": "human",
    });
    let stamp = Stamp::happened(signed, after(signed, 60));
    sink.put(Kind::SessionNote, &client.only("end"), stamp, &[&client.id], &data)
}

struct Plan {
    id: String,
    number: i64,
    from: Date,
    supersedes: Option<String>,
    goal_status: &'static str,
}

impl Plan {
    fn first(client: &Client) -> Self {
        let id = client.part("tp", 1);
        Self { id, number: 1, from: client.first, supersedes: None, goal_status: "active" }
    }

    fn second(client: &Client, from: Date) -> Self {
        let supersedes = Some(client.part("tp", 1));
        let id = client.part("tp", 2);
        Self { id, number: 2, from, supersedes, goal_status: "partially_met" }
    }
}

fn put_plan(sink: &mut Sink<'_>, client: &Client, at: Timestamp, plan: &Plan) -> io::Result<()> {
    let (_, _, presenting, method) = client.problem;
    let goal = client.only("goal");
    let from = plan.from.to_string();
    let mut data = json!({
        "client_id": client.id, "episode_id": client.only("ep"), "plan_version": plan.number,
        "status": "active", "effective": {"from": from}, "problem_refs": [client.only("dx")],
        "modality_summary": method,
        "frequency": {"count": 1, "period_days": 7, "session_minutes": 50},
        "goals": [
            {"id": goal, "text": format!("Less of: {presenting}"), "category": "symptom",
                "priority": 1, "status": plan.goal_status, "start": client.first.to_string(),
                "target": {"measure": {"loinc": "44261-6", "comparator": "<", "value": 10,
                    "unit": "{score}", "instrument": "phq9"}},
                "expressed_by": "client"},
            {"id": format!("{goal}-b"), "text": "Something pleasant every day",
                "category": "behavioral", "priority": 2, "status": "active", "start": from,
                "target": {"text": "By diary"}, "expressed_by": "therapist"}],
        "interventions": [{"id": "i1", "text": method, "frequency_text": "weekly in session",
            "timing": {"count": 1, "period_days": 7}, "goal_refs": [goal],
            "responsible": "staff", "status": "active"}],
        "signatures": [{"who": client.id, "at": at.to_string(), "role": "client"}],
    });
    if let (Some(before), Some(object)) = (&plan.supersedes, data.as_object_mut()) {
        object.insert("supersedes".to_owned(), Value::from(before.as_str()));
        let review = json!({"date": from, "by": client.therapist, "outcome": "continue",
            "text": "Partial response"});
        object.insert("reviews".to_owned(), json!([review]));
    }
    sink.put(Kind::TreatmentPlan, &plan.id, Stamp::noted(at), &[&client.id], &data)
}
