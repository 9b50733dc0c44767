//! Requests for programs: as JSON that says how one stands, and, to whom the record is the own, what
//! was written about it.

use serde_json::{Value, json};

use super::request::{Happened, Request};

impl Request {
    /// How it stands. What people wrote is left out: it belongs in no log.
    pub fn standing_value(&self) -> Value {
        let step = |step: &Happened| {
            json!({
                "event": step.event.as_str(), "at": step.at.to_string(), "by": step.by,
                "until": step.until.map(|day| day.to_string()),
            })
        };
        json!({
            "id": self.id, "client": self.client, "type": self.matter.as_str(),
            "regime": self.regime.to_string(), "received": self.received.to_string(),
            "channel": self.channel, "state": self.state.as_str(),
            "due": self.due.map(|day| day.to_string()), "overdue": self.is_overdue(),
            "reminders": self.reminders.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "history": self.history.iter().map(step).collect::<Vec<_>>(),
        })
    }

    /// The same, with what people wrote.
    pub fn whole_value(&self) -> Value {
        let mut value = self.standing_value();
        let more = json!({
            "requester": self.requester, "scope": self.scope, "statement": self.statement,
            "entry": self.entry, "correction": self.correction, "refused": self.refused,
            "disagreement": self.disagreement, "told": self.told, "letters": self.letters,
            "fulfilment": self.fulfilment,
            "reasons": self.history.iter().map(|step| &step.reason).collect::<Vec<_>>(),
        });
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    }
}
