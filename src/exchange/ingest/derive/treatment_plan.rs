//! Derives the views of a `treatment_plan` record: its CarePlan and a Goal for each goal.

use serde_json::{Map, Value, json};

use super::field::{list, text, texts};
use super::input::Input;
use super::narrative::Narrative;
use super::{Derivation, View, Warning, goal, reference};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    record.data.is_object()
        && text(&record.data, "client_id") == Some(client)
        && reference::patient(d, client).is_some()
}

/// The therapist who signed the plan.
pub(super) fn author(record: &Record, d: &Derivation) -> Option<String> {
    let signatures = list(&record.data, "signatures").iter();
    let therapists = signatures.filter(|s| !matches!(text(s, "role"), Some("client" | "guardian")));
    therapists.filter_map(|s| text(s, "who")).find_map(|who| reference::practitioner(d, who))
}

pub(super) fn views(record: &Record, d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    let client = text(&record.data, "client_id").filter(|client| is_mapped(record, d, client));
    let Some(client) = client else { return Vec::new() };
    let mut views = vec![plan(record, d, client)];
    for (id, facts) in goal::of(record) {
        let part = format!("goal:{id}");
        let id = d.ids.part(Kind::TreatmentPlan, &record.id, &part);
        let mut input = Input::new(record, d, id.clone());
        input.fact("identifier_value", id.as_str());
        input.fact_if_any("subject", reference::patient(d, client));
        input.fact("goal", goal::facts(record, facts, d, client));
        views.push(input.view("treatment-plan-goal"));
    }
    views
}

fn plan(record: &Record, d: &Derivation, client: &str) -> View {
    let data = &record.data;
    let mut input = Input::new(record, d, d.ids.id(Kind::TreatmentPlan, &record.id));
    input.fact_if_any("subject", reference::patient(d, client));
    let title = match data.get("plan_version").and_then(Value::as_u64) {
        Some(version) => format!("Treatment plan v{version}"),
        None => "Treatment plan".to_owned(),
    };
    if record.op == Op::Void {
        input.fact("status", "void");
        let mut narrative = Narrative::new(&title);
        narrative.paragraph("Entered in error.");
        input.fact("div", narrative.div());
        return input.view("treatment-plan-care-plan");
    }
    input.fact("status", text(data, "status").unwrap_or_default());
    input.fact("div", narrative(data, &title));
    input.fact("title", title);
    input.fact_if_any("description", text(data, "modality_summary"));
    input.fact_if_any("author", author(record, d));
    input.fact_if_any("care_team", reference::care_team(d, client));
    let addresses =
        texts(data, "problem_refs").filter_map(|id| reference::condition(d, id, client));
    input.fact("addresses", addresses.collect::<Vec<_>>());
    let goals = goal::of(record).map(|(id, _)| reference::goal(d, &record.id, id));
    input.fact("goals", goals.collect::<Vec<_>>());
    let replaced = text(data, "supersedes").and_then(|id| reference::care_plan(d, id, client));
    input.fact("replaces", replaced.into_iter().collect::<Vec<_>>());
    let interventions = list(data, "interventions").iter();
    let activities = interventions.map(|i| activity(record, i, d, client));
    input.fact("activities", activities.collect::<Vec<_>>());
    let reviews = list(data, "reviews").iter();
    input.fact("notes", reviews.map(|review| note(review, d)).collect::<Vec<_>>());
    input.view("treatment-plan-care-plan")
}

fn activity(record: &Record, intervention: &Value, d: &Derivation, client: &str) -> Value {
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            facts.insert(name.to_owned(), value);
        }
    };
    fact("text", text(intervention, "text").map(Value::from));
    let method = intervention.get("method_code").unwrap_or(&Value::Null);
    fact("system", method.get("system").cloned());
    fact("code", method.get("code").cloned());
    fact("status", Some(text(intervention, "status").unwrap_or("unknown").into()));
    fact("goals", Some(goal::references(record, intervention, d)));
    let performer = match text(intervention, "responsible") {
        Some("client") => reference::patient(d, client),
        Some("staff") => author(record, d),
        _ => None,
    };
    fact("performer", performer.map(Value::from));
    let timing = intervention.get("timing").unwrap_or(&Value::Null);
    let count = timing.get("count").and_then(Value::as_u64);
    let days = timing.get("period_days").and_then(Value::as_u64);
    if let (Some(count), Some(days)) = (count, days) {
        let (period, unit) = if days.is_multiple_of(7) { (days / 7, "wk") } else { (days, "d") };
        fact("count", Some(count.into()));
        fact("period", Some(period.into()));
        fact("unit", Some(unit.into()));
    } else {
        fact("schedule", text(intervention, "frequency_text").map(Value::from));
    }
    Value::Object(facts)
}

fn note(review: &Value, d: &Derivation) -> Value {
    let outcome = text(review, "outcome").unwrap_or("review");
    let words = text(review, "text").map(|text| format!(": {text}")).unwrap_or_default();
    let next = text(review, "next_review").map(|next| format!(" Next review {next}."));
    let mut note = json!({
        "text": format!("Outcome: {outcome}{words}.{}", next.unwrap_or_default()).replace("..", "."),
    });
    if let Some(note) = note.as_object_mut() {
        if let Some(date) = review.get("date") {
            note.insert("at".to_owned(), date.clone());
        }
        if let Some(by) = text(review, "by").and_then(|by| reference::practitioner(d, by)) {
            note.insert("by".to_owned(), by.into());
        }
    }
    note
}

fn narrative(data: &Value, title: &str) -> String {
    let mut narrative = Narrative::new(title);
    narrative.paragraph(text(data, "modality_summary").unwrap_or_default());
    let goals: Vec<String> = list(data, "goals").iter().map(goal::line).collect();
    if !goals.is_empty() {
        narrative.heading("Goals");
        narrative.list(&goals);
    }
    let line = |intervention: &Value| {
        let words = text(intervention, "text").unwrap_or_default();
        let often = text(intervention, "frequency_text").map(|often| format!(" ({often})"));
        format!("{words}{}", often.unwrap_or_default())
    };
    let interventions: Vec<String> = list(data, "interventions").iter().map(line).collect();
    if !interventions.is_empty() {
        narrative.heading("Interventions");
        narrative.list(&interventions);
    }
    if let Some(criteria) = text(data, "discharge_criteria") {
        narrative.heading("Discharge criteria");
        narrative.paragraph(criteria);
    }
    narrative.div()
}
