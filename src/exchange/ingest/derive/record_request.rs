//! Derives the Task of a `record_request` record: what somebody asks about a record, where it is, and by
//! when it is owed, as whoever asked sees it.
//!
//! Who at the practice did what, what was decided on which entry and how somebody proved who they are
//! stays with the practice; what was written to whoever asked is there.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::field::{list, text, texts};
use super::input::Input;
use super::task::{self, Task};
use super::{Derivation, View, Warning, reference};
use crate::domain::{Kind, Op, Record, fill};
use crate::exchange::ingest::term::zone;
use crate::policy::request::{Clock, Event, Extension, Matter, Pause, Regime, State};

pub(super) fn views(record: &Record, d: &Derivation, warnings: &mut Vec<Warning>) -> Vec<View> {
    let data = &record.data;
    let client = text(data, "client_id").unwrap_or_default();
    let Some(patient) = reference::subject(d, client, "/data/client_id", warnings) else {
        return Vec::new();
    };
    let known = text(data, "type").and_then(|word| word.parse().ok()).zip(state(data));
    let Some((matter, state)) = known else { return Vec::new() };
    let due = due(record, d, matter).filter(|_| record.op != Op::Void && !state.is_closed());
    let due = due.map(|day| (day, day.to_string()));
    let refused = data.get("refused").unwrap_or(&Value::Null);
    let mut input = Input::new(record, d, d.ids.id(Kind::RecordRequest, &record.id));
    let received = text(data, "received_at");
    let task = Task {
        code: &matter.code(),
        requester: requester(data, d, client, &patient),
        patient,
        owner: task::practice(d),
        status: if record.op == Op::Void { "void" } else { state.as_str() },
        stage: Some(("record-request-state", state.as_str())),
        words: words(d, client, state, due.as_ref().map(|(day, _)| *day)),
        cause: text(refused, "ground").map(|ground| ("record-request-refusal", ground)),
        urgency: None,
        begun: received.and_then(|at| at.parse().ok()),
        due: due.as_ref().map(|(_, day)| day.as_str()),
        focus: entry(data, d, client),
        inputs: inputs(data),
        outputs: outputs(data),
    };
    task.put(record, &mut input);
    vec![input.view("record-request-task")]
}

fn state(data: &Value) -> Option<State> {
    text(data, "status")?.parse().ok()
}

/// Who asks: the client, somebody who acts for them, or somebody who is known by name only.
fn requester(data: &Value, d: &Derivation, client: &str, patient: &str) -> Option<Value> {
    let who = data.get("requester")?;
    if text(who, "kind") == Some("client") {
        return Some(json!({ "reference": patient }));
    }
    let reference = text(who, "id").and_then(|id| reference::related_person(d, id, client));
    let name = text(who, "name");
    (reference.is_some() || name.is_some())
        .then(|| json!({ "reference": reference, "display": name }))
}

/// The last day, where the law names one and the clock runs.
fn due(record: &Record, d: &Derivation, matter: Matter) -> Option<Date> {
    let data = &record.data;
    let practice = d.neighbours.organization();
    let regime: Regime = text(data, "regime")?.parse().ok()?;
    let received: Timestamp = text(data, "received_at")?.parse().ok()?;
    let happened = || {
        list(data, "history").iter().filter_map(|step| {
            let event: Event = text(step, "event")?.parse().ok()?;
            let at: Timestamp = text(step, "at")?.parse().ok()?;
            Some((event, at, text(step, "until").and_then(|day| day.parse().ok())))
        })
    };
    let extension = happened().find(|(event, ..)| *event == Event::Extend);
    let clock = Clock {
        deadlines: &d.tables.terms.of(matter, &regime),
        zone: &zone(practice.as_deref()),
        received,
        pauses: &Pause::among(happened().map(|(event, at, _)| (event, at))),
        extension: extension.and_then(|(_, told, until)| Some(Extension { told, until: until? })),
    };
    clock.due()
}

/// How it stands, as the client reads it.
fn words(d: &Derivation, client: &str, state: State, due: Option<Date>) -> Option<String> {
    let client = d.neighbours.get(Kind::Client, client)?;
    let tag = text(&client.data, "language").unwrap_or_default();
    let primary = tag.split('-').next().unwrap_or_default();
    let all = &d.tables.requests.language;
    let spoken = all.iter().find(|one| one.tag.eq_ignore_ascii_case(primary));
    let language = spoken.or_else(|| all.first())?;
    let state = language.states.get(state.as_str())?;
    let Some(due) = due else { return Some(format!("{state}.")) };
    let month = usize::try_from(due.month() - 1).ok().and_then(|at| language.months.get(at))?;
    let (day, year) = (due.day().to_string(), due.year().to_string());
    let day = fill(&language.day, &[("day", &day), ("month", month), ("year", &year)]);
    Some(fill(&language.due, &[("state", state), ("day", &day)]))
}

/// The entry that is to be corrected, where it is open to whoever sees the request: one that is withheld is
/// not told of by the request either.
fn entry(data: &Value, d: &Derivation, client: &str) -> Option<String> {
    let id = text(data, "entry")?;
    let note = d.neighbours.get(Kind::SessionNote, id)?;
    let visibility = note.data.get("visibility").unwrap_or(&Value::Null);
    let by = data.get("requester").and_then(|who| text(who, "kind")).unwrap_or_default();
    let is_open = text(visibility, "client").is_none_or(|word| word == "full")
        && (by == "client" || text(visibility, "proxies").is_none_or(|word| word == "inherit"));
    is_open.then(|| reference::note(d, id, client)).flatten()
}

/// What is asked, in the words and terms of whoever asks.
fn inputs(data: &Value) -> Vec<Value> {
    let scope = data.get("scope").unwrap_or(&Value::Null);
    let said = data.get("disagreement").and_then(|one| text(one, "statement"));
    let moments = [("period-from", text(scope, "from")), ("period-to", text(scope, "to"))];
    let moments = moments.into_iter().filter_map(|(code, at)| Some(task::moment(code, at?)));
    let kinds = texts(scope, "kinds").map(|kind| task::words("kind", kind));
    let ways = [("format", text(scope, "format")), ("media", text(scope, "media"))];
    let all = [("statement", text(data, "statement"))].into_iter();
    let words = |(code, words): (&str, Option<&str>)| Some(task::words(code, words?));
    all.filter_map(words)
        .chain(moments)
        .chain(kinds)
        .chain(ways.into_iter().filter_map(words))
        .chain([("disagreement", said)].into_iter().filter_map(words))
        .collect()
}

/// What was written to whoever asked, and what was given.
fn outputs(data: &Value) -> Vec<Value> {
    let own = list(data, "letters").iter().filter(|letter| text(letter, "to").is_none());
    let mut outputs: Vec<Value> = own
        .filter_map(|letter| {
            let kind = text(letter, "kind")?.replace('_', "-");
            Some(task::words(&format!("letter-{kind}"), text(letter, "text")?))
        })
        .collect();
    let given = data.get("fulfilment").unwrap_or(&Value::Null);
    outputs.extend(text(given, "delivered_at").map(|at| task::moment("copy-given", at)));
    outputs.extend(text(given, "until").map(|at| task::moment("copy-kept-until", at)));
    outputs.extend(text(given, "sha256").map(|hash| task::words("copy-sha256", hash)));
    outputs
}
