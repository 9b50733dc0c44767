//! What every Task of ours says, whatever it is about: the facts that `shared-task` reads.
//!
//! A Task is a matter that goes on between two sides. A kind of record that is one derives its facts
//! here, and names a map of its own, which imports `shared-task` and has the table of its status.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Derivation;
use super::input::{Input, instant};
use crate::domain::Record;

/// The systems of codes that are ours.
pub(in crate::exchange) const SYSTEMS: &str = "https://throughline.example/fhir/CodeSystem";

/// A matter.
pub(super) struct Task<'a> {
    /// What it is about: a code of `task-type`.
    pub(super) code: &'a str,
    /// Whose record, as `Patient/…`.
    pub(super) patient: String,
    /// Who wants it done: a Reference.
    pub(super) requester: Option<Value>,
    /// Who has to do it: a Reference.
    pub(super) owner: Option<Value>,
    /// How far it has come, in the platform's words.
    pub(super) status: &'a str,
    /// The same more closely: a code of a system of ours.
    pub(super) stage: Option<(&'static str, &'a str)>,
    /// The same in words.
    pub(super) words: Option<String>,
    /// Why it stands so: a code of a system of ours.
    pub(super) cause: Option<(&'static str, &'a str)>,
    /// How urgent it is, in the platform's words.
    pub(super) urgency: Option<&'a str>,
    /// When it began.
    pub(super) begun: Option<Timestamp>,
    /// Until when it has to be done.
    pub(super) due: Option<&'a str>,
    /// What of the record it is about, as a reference.
    pub(super) focus: Option<String>,
    /// What it is done with.
    pub(super) inputs: Vec<Value>,
    /// What came of it.
    pub(super) outputs: Vec<Value>,
}

impl Task<'_> {
    /// Puts the facts into the input of a map.
    pub(super) fn put(self, record: &Record, input: &mut Input<'_>) {
        let coded = |(system, code): (&str, &str)| json!({ "system": format!("{SYSTEMS}/{system}"), "code": code });
        input.fact("code", self.code);
        input.fact("patient", self.patient);
        input.fact_if_any("requester", self.requester);
        input.fact_if_any("owner", self.owner);
        input.fact("status", self.status);
        let mut stage = self.stage.map(coded);
        if let (Some(stage), Some(words)) = (&mut stage, self.words) {
            stage["text"] = words.into();
        }
        input.fact_if_any("stage", stage);
        input.fact_if_any("cause", self.cause.map(coded));
        input.fact_if_any("urgency", self.urgency);
        // A Task is changed after it began (R4, invariant `inv-1`).
        let begun = self.begun.filter(|begun| *begun <= record.updated_at);
        input.fact_if_any("begun", begun.map(instant));
        input.fact("changed", instant(record.updated_at));
        input.fact_if_any("due", self.due);
        input.fact_if_any("focus", self.focus);
        input.fact("inputs", self.inputs);
        input.fact("outputs", self.outputs);
    }
}

/// A detail that is words.
pub(super) fn words(code: &str, text: &str) -> Value {
    json!({ "code": code, "text": text })
}

/// A detail that is an instant.
pub(super) fn moment(code: &str, at: &str) -> Value {
    json!({ "code": code, "at": at })
}

/// The practice, as a Reference.
pub(super) fn practice(d: &Derivation) -> Option<Value> {
    let reference = super::reference::practice(d)?;
    let practice = d.neighbours.organization()?;
    let name = super::field::text(&practice.data, "name");
    Some(json!({ "reference": reference, "display": name }))
}
