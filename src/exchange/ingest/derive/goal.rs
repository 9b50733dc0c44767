//! One goal of a treatment plan.

use serde_json::{Map, Value, json};

use super::field::{list, text};
use super::{Derivation, reference};
use crate::domain::{Op, Record};

/// What the map of a Goal reads, for one goal of a plan.
pub(super) fn facts(plan: &Record, goal: &Value, d: &Derivation, client: &str) -> Value {
    let mut facts = Map::new();
    let mut fact = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            facts.insert(name.to_owned(), value);
        }
    };
    let stated = text(goal, "status").unwrap_or_default();
    let gone = plan.op == Op::Void;
    fact("status", Some(if gone { "void" } else { stated }.into()));
    fact("text", text(goal, "text").map(Value::from));
    if !gone {
        fact("achievement", achievement(stated).map(Value::from));
        fact("category", text(goal, "category").map(Value::from));
        fact("start", goal.get("start").cloned());
        fact("status_date", status_date(goal, stated).map(Value::from));
        fact("expressed_by", expressed_by(plan, goal, d, client).map(Value::from));
        let problems = super::field::texts(&plan.data, "problem_refs");
        let problems: Vec<String> =
            problems.filter_map(|id| reference::condition(d, id, client)).collect();
        fact("addresses", Some(problems.into()));
        target(goal, &mut fact);
        fact("notes", Some(objectives(goal).into()));
    }
    Value::Object(facts)
}

/// How far a goal has come, where its status alone tells: nothing is read into the others.
fn achievement(status: &str) -> Option<&str> {
    matches!(status, "achieved" | "not_met" | "active").then_some(status)
}

/// The day on which the goal got the status that it has.
fn status_date(goal: &Value, status: &str) -> Option<String> {
    let history = list(goal, "status_history");
    let last = history.iter().rev().find(|row| text(row, "status") == Some(status))?;
    text(last, "at")?.get(..10).map(str::to_owned)
}

fn expressed_by(plan: &Record, goal: &Value, d: &Derivation, client: &str) -> Option<String> {
    match text(goal, "expressed_by")? {
        "client" => reference::patient(d, client),
        "therapist" => super::treatment_plan::author(plan, d),
        _ => None,
    }
}

fn target(goal: &Value, fact: &mut impl FnMut(&str, Option<Value>)) {
    let Some(target) = goal.get("target") else { return };
    fact("due", target.get("due").cloned());
    let measure = target.get("measure").unwrap_or(&Value::Null);
    let number = measure.get("value").cloned();
    // R4, gol-1: a target's detail needs a measure.
    let loinc = text(measure, "loinc").filter(|_| number.is_some());
    if loinc.is_some() {
        fact("loinc", loinc.map(Value::from));
        fact("value", number);
        let comparator = text(measure, "comparator");
        let comparator = comparator.filter(|c| matches!(*c, "<" | "<=" | ">" | ">="));
        fact("comparator", comparator.map(Value::from));
        fact("unit", Some(text(measure, "unit").unwrap_or("{score}").into()));
    }
    fact("target_text", text(target, "text").map(Value::from));
}

/// The objectives as numbered sentences: R4 knows no goals of goals.
fn objectives(goal: &Value) -> Vec<String> {
    let line = |(i, objective): (usize, &Value)| {
        let words = text(objective, "text")?;
        let due = text(objective, "due").map(|due| format!(", due {due}")).unwrap_or_default();
        let status =
            text(objective, "status").map(|status| format!(" ({})", status.replace('_', " ")));
        Some(format!("{}. {words}{due}{}", i + 1, status.unwrap_or_default()))
    };
    list(goal, "objectives").iter().enumerate().filter_map(line).collect()
}

/// A goal as a line of the plan's narrative.
pub(super) fn line(goal: &Value) -> String {
    let words = text(goal, "text").unwrap_or_default();
    let status = text(goal, "status").unwrap_or_default().replace('_', " ");
    let due = goal.get("target").and_then(|target| text(target, "due"));
    let due = due.map(|due| format!(", due {due}")).unwrap_or_default();
    format!("{words} ({status}{due})")
}

/// The goals of a plan that can be told apart, with their ids.
pub(super) fn of(plan: &Record) -> impl Iterator<Item = (&str, &Value)> {
    list(&plan.data, "goals").iter().filter_map(|goal| Some((text(goal, "id")?, goal)))
}

/// The FHIR references of those goals of a plan that an intervention names.
pub(super) fn references(plan: &Record, named: &Value, d: &Derivation) -> Value {
    let known: Vec<&str> = of(plan).map(|(id, _)| id).collect();
    let named = super::field::texts(named, "goal_refs").filter(|id| known.contains(id));
    json!(named.map(|id| reference::goal(d, &plan.id, id)).collect::<Vec<_>>())
}
