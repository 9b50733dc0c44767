//! Questionnaires with their scores, and other observations.

use serde_json::Value;

use super::{Section, joined, table};
use crate::package::record::{Record, Resource, concept_at, list, text};
use crate::package::texts::{Texts, fill};

fn when(observation: &Resource) -> &str {
    let times = ["/effectiveDateTime", "/effectivePeriod/start", "/effectiveInstant", "/issued"];
    let known = times.map(|pointer| observation.text(pointer));
    known.into_iter().find(|time| !time.is_empty()).unwrap_or_default()
}

/// Whether it is a score, or stands by itself: neither one answer of a questionnaire nor what holds
/// the answers together, both of which are shown with the questionnaire.
pub(in crate::package) fn is_result(observation: &Resource) -> bool {
    observation.list("/hasMember").is_empty()
        && (is_number(observation) || !is_derived(observation))
}

fn is_derived(observation: &Resource) -> bool {
    !observation.list("/derivedFrom").is_empty()
}

fn is_number(observation: &Resource) -> bool {
    let number = observation.value.get("valueQuantity");
    number.or_else(|| observation.value.get("valueInteger")).is_some()
}

pub(super) fn measures(record: &Record, texts: &Texts) -> Section {
    let words = &texts.measures;
    let mut section = Section::new("questionnaires", Some("10190-7"), &words.title);
    let columns = [(&*words.when, 4), (&*words.what, 5), (&*words.score, 3), (&*words.meaning, 4)];
    let mut scores = table(&words.caption, &columns);
    let mut others = table(&words.other, &columns);
    for observation in record.latest("Observation", when) {
        section.entries.push(observation.name());
        if !is_result(observation) {
            continue;
        }
        let meaning = list(&observation.value, "/interpretation").first();
        let row = vec![
            texts.date(when(observation)),
            concept_at(&observation.value, "/code").to_owned(),
            known(result(&observation.value, texts), &texts.frame.unknown),
            meaning.map(|one| concept_at(one, "")).unwrap_or_default().to_owned(),
        ];
        if is_derived(observation) {
            scores.rows.push(row);
        } else {
            others.rows.push(row);
        }
    }
    section.table(scores);
    section.table(others);
    let responses = record.latest("QuestionnaireResponse", |response| response.text("/authored"));
    for response in responses {
        section.entries.push(response.name());
        answers(&mut section, record, response, texts);
    }
    section
}

/// The answers of one questionnaire.
fn answers(section: &mut Section, record: &Record, response: &Resource, texts: &Texts) {
    let words = &texts.measures;
    let name = response.name();
    let score = record.of("Observation").find(|observation| {
        let derived = observation.list("/derivedFrom");
        !observation.list("/hasMember").is_empty()
            && derived.iter().any(|from| text(from, "/reference") == name)
    });
    let title = score.map_or(&*words.what, |score| concept_at(&score.value, "/code"));
    let date = texts.date(response.text("/authored"));
    let caption = fill(&words.answers, &[("title", title), ("date", &date)]);
    let mut rows = table(&caption, &[(&*words.question, 5), (&*words.answer, 3)]);
    questions(response.list("/item"), texts, &mut rows.rows);
    section.table(rows);
}

fn questions(items: &[Value], texts: &Texts, rows: &mut Vec<Vec<String>>) {
    for item in items {
        let answers: Vec<String> =
            list(item, "/answer").iter().map(|answer| result(answer, texts)).collect();
        let inner = list(item, "/item");
        if !answers.is_empty() || inner.is_empty() {
            let answer = joined(answers.iter().map(String::as_str), "; ");
            let answer = known(answer, &texts.measures.not_answered);
            let question = text(item, "/text");
            let question = if question.is_empty() { text(item, "/linkId") } else { question };
            rows.push(vec![question.to_owned(), answer]);
        }
        questions(inner, texts, rows);
    }
}

/// What is known, or that it is not.
fn known(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

/// A `value[x]` in words.
fn result(owner: &Value, texts: &Texts) -> String {
    if let Some(value) = owner.pointer("/valueQuantity") {
        let number = value.get("value").map(ToString::to_string).unwrap_or_default();
        let unit = text(value, "/unit");
        // The unit of a score is a word in braces, and says no more than the questionnaire's name.
        let unit = if unit.starts_with('{') { "" } else { unit };
        return joined([&*number, unit], " ");
    }
    for name in ["/valueInteger", "/valueDecimal"] {
        if let Some(number) = owner.pointer(name) {
            return number.to_string();
        }
    }
    match owner.pointer("/valueBoolean").and_then(Value::as_bool) {
        Some(true) => return texts.frame.yes.clone(),
        Some(false) => return texts.frame.no.clone(),
        None => {}
    }
    for name in ["/valueDateTime", "/valueDate"] {
        if !text(owner, name).is_empty() {
            return texts.date(text(owner, name));
        }
    }
    let coded = ["/valueCodeableConcept", "/dataAbsentReason"];
    let coded = coded.into_iter().map(|name| concept_at(owner, name));
    let coding = ["/valueCoding/display", "/valueCoding/code", "/valueString", "/valueTime"];
    let other = coding.into_iter().map(|name| text(owner, name));
    coded.chain(other).find(|words| !words.is_empty()).unwrap_or_default().to_owned()
}
