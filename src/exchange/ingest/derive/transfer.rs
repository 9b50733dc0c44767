//! Derives the Task of a `transfer` record: care that goes over to somebody else, as both sides see it.
//!
//! Who at the practice did what, how often it was tried and what people wrote to each other stays with
//! the practice; the reason is there, because it was written for the receiver.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::field::{list, text};
use super::input::Input;
use super::task::{self, Task};
use super::{Derivation, View, Warning, npi, reference};
use crate::domain::{Kind, Op, Record};

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let data = &record.data;
    let client = text(data, "client_id").unwrap_or_default();
    let Some(patient) = reference::subject(d, client, "/data/client_id", warnings) else {
        return Vec::new();
    };
    let stated = text(data, "status").unwrap_or_default();
    let status = if record.op == Op::Void { "void" } else { stated };
    let last = list(data, "history").last().and_then(|moment| text(moment, "event"));
    let has_ended = matches!(status, "rejected" | "cancelled" | "failed" | "expired");
    let ack = data.get("ack").unwrap_or(&Value::Null);
    let kind = text(ack, "kind");
    let mut outputs = Vec::new();
    if let (Some(kind), Some(at)) = (kind, text(ack, "at")) {
        outputs.push(task::moment(&format!("acknowledged-{kind}"), at));
    }
    let hash = data.get("package").and_then(|package| text(package, "sha256"));
    outputs.extend(hash.map(|hash| task::words("package-sha256", hash)));
    let mut input = Input::new(record, d, d.ids.id(Kind::Transfer, &record.id));
    let matter = Task {
        code: "care-transfer",
        patient,
        requester: task::practice(d),
        owner: owner(data),
        status,
        stage: kind.map(|kind| ("transfer-acknowledgement", kind)),
        words: None,
        cause: has_ended.then(|| ("transfer-event", last.unwrap_or(status))),
        urgency: text(data, "urgency"),
        begun: begun(record),
        due: text(data, "expires_at"),
        focus: None,
        inputs: text(data, "reason").map(|why| task::words("reason", why)).into_iter().collect(),
        outputs,
    };
    matter.put(record, &mut input);
    vec![input.view("transfer-task")]
}

/// To whom care goes over. They are seldom an organization of the practice's own, so that they are
/// named, and known by their provider identifier.
fn owner(data: &Value) -> Option<Value> {
    let to = data.get("to")?;
    let names = [text(to, "person"), text(to, "org_name")];
    let name = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let number = text(to, "npi").filter(|number| npi::is_valid(number));
    Some(json!({ "display": name, "npi": number }))
}

/// When it was prepared; for one that does not say, when its first version was recorded.
fn begun(record: &Record) -> Option<Timestamp> {
    let data = &record.data;
    let first = list(data, "history").first().and_then(|moment| text(moment, "at"));
    let all = [text(data, "made_at"), first, record.recorded_at.as_deref()];
    all.into_iter().flatten().next()?.parse().ok()
}
