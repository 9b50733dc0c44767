//! Derives the views of an `assessment` record: its QuestionnaireResponse, and for an instrument
//! in the table also the Observations of its panel, total and items.
//!
//! An item without an answer has no value, and then there is no total either: nothing is counted
//! as zero silently.

use serde_json::{Map, Value, json};

use super::field::{list, text};
use super::input::Input;
use super::tables::{Answer, Instrument};
use super::{Derivation, View, Warning, local_time, reference};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    record.data.is_object()
        && text(&record.data, "client_id") == Some(client)
        && reference::patient(d, client).is_some()
}

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let client = text(&record.data, "client_id").filter(|client| is_mapped(record, d, client));
    let Some(client) = client else { return Vec::new() };
    let name = text(&record.data, "instrument").unwrap_or_default();
    let instrument = d.tables.instruments.instrument.iter().find(|known| known.name == name);
    let mut views = vec![response(record, d, client, instrument)];
    if let Some(instrument) = instrument {
        let scored = Scored::of(record, instrument);
        scored.warn(record, warnings);
        let made = Observations { record, d, client, instrument, scored: &scored };
        views.extend(made.views());
    }
    views
}

/// A questionnaire held against its instrument.
struct Scored<'a> {
    /// The LOINC of each question that was put, with its row.
    items: Vec<(&'a str, &'a Value)>,
    /// Whether every item has an answer that counts.
    complete: bool,
    /// The sum of the answers.
    sum: i64,
    /// The total, as the platform gives it or as it adds up; nothing where an answer is missing.
    total: Option<i64>,
    /// Whether the platform's total is another.
    mismatch: bool,
    /// Whether the item about self-harm was answered with more than "not at all".
    at_risk: bool,
}

impl<'a> Scored<'a> {
    fn of(record: &'a Record, instrument: &'a Instrument) -> Self {
        let rows = list(&record.data, "items");
        let row = |(i, loinc): (usize, &'a String)| {
            let key = (i + 1).to_string();
            let is_it = |row: &&Value| match text(row, "loinc") {
                Some(code) => code == loinc,
                None => text(row, "key") == Some(key.as_str()),
            };
            rows.iter().find(is_it).map(|row| (loinc.as_str(), row))
        };
        let items: Vec<(&str, &Value)> =
            instrument.items.iter().enumerate().filter_map(row).collect();
        let answers: Vec<i64> = items.iter().filter_map(|(_, row)| score(row)).collect();
        let complete = answers.len() == instrument.items.len();
        let sum = answers.iter().sum();
        let stated = record.data.get("total").and_then(Value::as_i64);
        let in_range = |total: &i64| (0..=instrument.maximum).contains(total);
        let total = complete.then_some(stated.unwrap_or(sum)).filter(in_range);
        let mismatch = stated.is_some_and(|stated| !complete || stated != sum);
        let risk = instrument.risk_item.as_deref();
        let at_risk = items
            .iter()
            .any(|(loinc, row)| Some(*loinc) == risk && score(row).is_some_and(|score| score > 0));
        Self { items, complete, sum, total, mismatch, at_risk }
    }

    fn warn(&self, record: &Record, warnings: &mut Vec<Warning>) {
        if record.op == Op::Void {
            return;
        }
        if self.mismatch {
            warnings.push(Warning { code: "total_mismatch", pointer: "/data/total".to_owned() });
        }
        if self.at_risk {
            let pointer = "/data/items".to_owned();
            warnings.push(Warning { code: "risk_review_required", pointer });
        }
    }
}

/// An answer that counts: 0 to 3.
fn score(row: &Value) -> Option<i64> {
    row.get("answer").and_then(Value::as_i64).filter(|score| (0..=3).contains(score))
}

fn answer<'a>(row: &Value, d: &Derivation<'a>) -> Option<&'a Answer> {
    let score = score(row)?;
    d.tables.instruments.answer.iter().find(|answer| answer.value == score)
}

/// What every view of the record has.
fn start<'a>(record: &'a Record, d: &Derivation, client: &str, part: Option<&str>) -> Input<'a> {
    let id = match part {
        Some(part) => d.ids.part(Kind::Assessment, &record.id, part),
        None => d.ids.id(Kind::Assessment, &record.id),
    };
    let mut input = Input::new(record, d, id.clone());
    if part.is_some() {
        input.fact("identifier_value", id.as_str());
    }
    input.fact_if_any("subject", reference::patient(d, client));
    let data = &record.data;
    let by = text(data, "administered_by").and_then(|by| reference::practitioner(d, by));
    let author =
        if text(data, "mode") == Some("self") { reference::patient(d, client) } else { by };
    input.fact_if_any("author", author);
    let session = text(data, "session_id");
    input.fact_if_any("encounter", session.and_then(|s| reference::encounter(d, s, client)));
    let at = text(data, "administered_at").and_then(|at| local_time::on_clock(record, at));
    input.fact_if_any("at", at);
    input
}

fn response(
    record: &Record,
    d: &Derivation,
    client: &str,
    instrument: Option<&Instrument>,
) -> View {
    let data = &record.data;
    let mut input = start(record, d, client, None);
    let name = text(data, "instrument").unwrap_or_default();
    let canonical = instrument.map_or_else(
        || format!("{}/Questionnaire/{}", d.base, name.to_lowercase().replace('_', "-")),
        |instrument| instrument.questionnaire.clone(),
    );
    input.fact("questionnaire", canonical);
    let completed = data.get("completed").and_then(Value::as_bool) == Some(true);
    let status = match record.op {
        Op::Void => "void",
        _ if completed => "completed",
        _ => "in_progress",
    };
    input.fact("status", status);
    if record.op != Op::Void {
        let rows = list(data, "items").iter().map(|row| item(row, instrument, d));
        let items: Vec<Value> = rows.chain(difficulty(data, instrument, d)).collect();
        input.fact("items", items);
    }
    input.view("assessment-questionnaire-response")
}

/// How difficult the problems have made things, for an instrument that asks it.
fn difficulty(data: &Value, instrument: Option<&Instrument>, d: &Derivation) -> Option<Value> {
    let loinc = instrument?.difficulty.as_deref()?;
    let stated = data.get("difficulty").and_then(Value::as_i64)?;
    let answer = d.tables.instruments.difficulty.iter().find(|known| known.value == stated)?;
    Some(json!({
        "link_id": format!("/{loinc}"),
        "text": "How difficult these problems have made things",
        "answer_code": answer.code,
        "answer_display": answer.text,
    }))
}

fn item(row: &Value, instrument: Option<&Instrument>, d: &Derivation) -> Value {
    let key = text(row, "key").unwrap_or_default();
    let position = |instrument: &Instrument| {
        let by_code = |code: &str| instrument.items.iter().position(|item| item == code);
        text(row, "loinc").and_then(by_code).or_else(|| key.parse::<usize>().ok()?.checked_sub(1))
    };
    let known = instrument.and_then(|instrument| {
        let at = position(instrument)?;
        Some((instrument.items.get(at)?, instrument.questions.get(at)?))
    });
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Option<Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            facts.insert(name.to_owned(), value);
        }
    };
    let link = known.map_or_else(|| key.to_owned(), |(loinc, _)| format!("/{loinc}"));
    fact("link_id", Some(link.into()));
    let wording = known.map(|(_, question)| question.as_str()).or_else(|| text(row, "text"));
    fact("text", wording.map(Value::from));
    if let Some(answer) = answer(row, d).filter(|_| known.is_some()) {
        fact("answer_code", Some(answer.code.as_str().into()));
        fact("answer_display", Some(answer.text.as_str().into()));
    } else {
        let number = row.get("answer").filter(|answer| answer.is_i64()).cloned();
        let words = text(row, "answer_text").or_else(|| text(row, "answer_code"));
        match number {
            Some(number) => fact("answer_integer", Some(number)),
            None => fact("answer_text", words.map(Value::from)),
        }
    }
    Value::Object(facts)
}

/// The Observations of one questionnaire.
struct Observations<'a> {
    record: &'a Record,
    d: &'a Derivation<'a>,
    client: &'a str,
    instrument: &'a Instrument,
    scored: &'a Scored<'a>,
}

impl Observations<'_> {
    fn views(&self) -> Vec<View> {
        let mut views: Vec<View> =
            self.scored.items.iter().map(|(loinc, row)| self.item(loinc, row)).collect();
        let id = |part: &str| {
            let id = self.d.ids.part(Kind::Assessment, &self.record.id, part);
            format!("Observation/{id}")
        };
        let items = self.scored.items.iter().map(|(loinc, _)| id(&format!("item:{loinc}")));
        let mut members: Vec<String> = items.collect();
        if self.scored.total.is_some() {
            views.push(self.total());
            members.push(id("total"));
        }
        if !members.is_empty() {
            let title = &self.instrument.title;
            let panel =
                json!({ "loinc": self.instrument.panel, "text": title, "members": members });
            views.push(self.view("panel", panel));
        }
        views
    }

    fn total(&self) -> View {
        let total = self.scored.total.unwrap_or_default();
        let stated = text(&self.record.data, "severity_text");
        let severities = self.instrument.severities.iter().rev();
        let severity = severities.filter(|s| s.from <= total).map(|s| s.text.as_str()).next();
        let mut facts = json!({
            "loinc": self.instrument.total,
            "text": format!("{} total score", self.instrument.title),
            "score": total,
        });
        if let Some(facts) = facts.as_object_mut() {
            if let Some(severity) = stated.or(severity) {
                facts.insert("interpretation".to_owned(), severity.into());
            }
            if self.scored.mismatch && self.scored.complete {
                let note = format!(
                    "The total is as the platform gives it; the answers add up to {}.",
                    self.scored.sum
                );
                facts.insert("note".to_owned(), note.into());
            }
        }
        self.view("total", facts)
    }

    fn item(&self, loinc: &str, row: &Value) -> View {
        let place = self.instrument.items.iter().position(|item| item == loinc);
        let question = place.and_then(|at| self.instrument.questions.get(at));
        let mut facts = json!({ "loinc": loinc, "text": question });
        if let Some(facts) = facts.as_object_mut() {
            if let Some(answer) = answer(row, self.d) {
                facts.insert("answer_code".to_owned(), answer.code.as_str().into());
                facts.insert("answer_text".to_owned(), answer.text.as_str().into());
            } else {
                let absent = text(row, "skipped_reason").unwrap_or("unknown");
                facts.insert("absent".to_owned(), absent.into());
            }
        }
        self.view(&format!("item:{loinc}"), facts)
    }

    fn view(&self, part: &str, mut facts: Value) -> View {
        let mut input = start(self.record, self.d, self.client, Some(part));
        let void = self.record.op == Op::Void;
        if let Some(facts) = facts.as_object_mut() {
            facts.insert("status".to_owned(), if void { "void" } else { "final" }.into());
        }
        let response = reference::questionnaire_response(self.d, &self.record.id, self.client);
        input.fact_if_any("response", response);
        input.fact("observation", facts);
        input.view("assessment-observation")
    }
}
