//! What somebody asks by an app of theirs: a Task (<https://hl7.org/fhir/R4/task.html>), read as the form
//! of the portal that it stands for.
//!
//! What a request cannot say is refused by the name of the element, so that nobody believes to have asked
//! for what nobody has written down. `docs/requests.md` lists what is understood.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Asked, Request, Requester, Requests, Scope};
use crate::domain::{FhirId, Kind, Record, TenantId};
use crate::error::{Error, Result};
use crate::exchange::ingest::derive::SYSTEMS;
use crate::exchange::ingest::{acts_for, practice_of};
use crate::exchange::people::{client_name, is_client, written};
use crate::policy::Hand;
use crate::policy::request::Matter;

/// What can be asked for without a signature; a copy for somebody else needs one, and so a letter.
pub const MATTERS: [Matter; 6] = [
    Matter::Access,
    Matter::Portability,
    Matter::Amendment,
    Matter::Accounting,
    Matter::Restriction,
    Matter::Erasure,
];
/// The forms of a copy.
pub const FORMATS: [&str; 4] = ["html", "pdf", "fhir_json", "paper"];
/// The ways by which it is given.
pub const MEDIA: [&str; 2] = ["portal", "mail"];

/// The kinds of records that somebody may ask for by themselves.
const KINDS: [Kind; 11] = [
    Kind::SessionLog,
    Kind::Appointment,
    Kind::SessionNote,
    Kind::Attachment,
    Kind::TreatmentPlan,
    Kind::Diagnosis,
    Kind::Episode,
    Kind::Assessment,
    Kind::Thread,
    Kind::Message,
    Kind::Consent,
];
/// The elements of a Task that say what is asked.
const SAID: [&str; 8] =
    ["resourceType", "status", "intent", "code", "for", "requester", "authoredOn", "input"];
/// Those that say nothing more: the server gives an id and a version
/// (<https://hl7.org/fhir/R4/http.html#create>), and a text that was made from the elements says the same.
const NAMED: [&str; 3] = ["id", "meta", "text"];
/// The element of the entry that is to be corrected.
const FOCUS: &str = "focus";
/// What can be done about what cannot be said.
const LEAVE_OUT: &str =
    "a request cannot say this: leave it out, or say it in an input `statement`";
/// How long ago a Task may have been written that is sent now.
const FRESH: SignedDuration = SignedDuration::from_hours(24);
/// How far the clocks of apps may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// The entry that a Task is about, where it names one: the id of its DocumentReference.
///
/// # Errors
///
/// `Invalid` where it names something else.
pub fn focus(task: &Value) -> Result<Option<FhirId>> {
    let Some(focus) = task.get(FOCUS) else { return Ok(None) };
    let wrong = || Error::invalid("Task.focus", "name the DocumentReference of the entry");
    let id =
        reference(focus, "Task.focus")?.strip_prefix("DocumentReference/").ok_or_else(wrong)?;
    id.parse().map(Some).map_err(|_not_an_id| wrong())
}

impl Requests {
    /// Opens what a Task asks, and answers whether it is new: one that was sent before, byte for byte, is
    /// here already, as it is now. `seen` is the entry that it is about, where whoever asks may see it.
    ///
    /// # Errors
    ///
    /// `Denied` where it is not theirs to ask; `Invalid` and `NotSupported` with the element.
    pub fn ask(&self, hand: &Hand, task: &Value, seen: Option<&FhirId>) -> Result<(Request, bool)> {
        let said = Said::read(task, hand, self.clock.now())?;
        let tenant = hand.tenant();
        let client = self.client_of(hand)?;
        let requester = self.requester(hand, &client)?;
        let entry = match focus(task)? {
            None => None,
            Some(document) => {
                let found = self.correctable_as(tenant, &client.id, document.as_str())?;
                let found = found.filter(|_| seen == Some(&document));
                let hint = "this entry cannot be corrected here: say in words which one is meant";
                Some(found.ok_or_else(|| Error::invalid("Task.focus", hint))?.id)
            }
        };
        let asked = Asked {
            client: client.id.clone(),
            matter: said.matter,
            regime: None,
            requester,
            received: None,
            channel: "app".to_owned(),
            proof: Some("app_session".to_owned()),
            scope: said.scope,
            statement: said.statement,
            entry,
        };
        let delivery = format!("{}\n{}\n{}\n{task}", hand.client(), hand.patient, hand.person);
        self.open_once(tenant, delivery.as_bytes(), asked).map_err(element)
    }

    /// The Task of a request.
    pub fn task(&self, tenant: &TenantId, id: &str) -> FhirId {
        self.ids.tenant(tenant).id(Kind::RecordRequest, id)
    }

    /// The client for whom somebody asks.
    fn client_of(&self, hand: &Hand) -> Result<Arc<Record>> {
        let id = self.store.client_of(hand.tenant(), &hand.patient)?.ok_or(Error::Denied)?;
        let found = self.store.source(hand.tenant(), Kind::Client, &id)?;
        found.filter(|found| is_client(found)).ok_or(Error::Denied)
    }

    /// Who asks: the client, or somebody who acts for them now.
    fn requester(&self, hand: &Hand, client: &Record) -> Result<Requester> {
        let tenant = hand.tenant();
        if hand.is_patient() {
            let (id, name) = (Some(client.id.clone()), Some(client_name(client)));
            return Ok(Requester { kind: "client".to_owned(), id, name });
        }
        let ids = self.ids.tenant(tenant);
        let all =
            self.store.sources_referring(tenant, Kind::RelatedParty, Kind::Client, &client.id)?;
        let practice = practice_of(self.store.sources(tenant, Kind::Organization)?);
        let (rules, now) = (self.rules.load(), self.clock.now());
        let may_ask = |party: &&Arc<Record>| {
            ids.id(Kind::RelatedParty, &party.id) == hand.person.id
                && acts_for(party, client, practice.as_deref(), &rules.tables.law, now)
        };
        let party = all.iter().find(may_ask).ok_or(Error::Denied)?;
        let (id, name) = (Some(party.id.clone()), Some(written(party.data.get("name"))));
        Ok(Requester { kind: "proxy".to_owned(), id, name })
    }
}

/// An error about what is asked, by the element of the Task that it is about.
fn element(error: Error) -> Error {
    let of = |expression: &str| match expression {
        "statement" | "period" => "Task.input".to_owned(),
        other => other.to_owned(),
    };
    match error {
        Error::Invalid { expression, hint } => {
            Error::Invalid { expression: expression.as_deref().map(of), hint }
        }
        other => other,
    }
}

/// What a Task says.
struct Said {
    matter: Matter,
    scope: Scope,
    statement: Option<String>,
}

impl Said {
    fn read(task: &Value, hand: &Hand, now: Timestamp) -> Result<Self> {
        let person = hand.person.to_string();
        let own = format!("Patient/{}", hand.patient);
        let subject = task.get("for").unwrap_or(&Value::Null);
        if reference(subject, "Task.for")? != own {
            return Err(Error::Denied);
        }
        if let Some(requester) = task.get("requester")
            && reference(requester, "Task.requester")? != person
        {
            return Err(Error::Denied);
        }
        let known: Vec<&str> = SAID.into_iter().chain(NAMED).chain([FOCUS]).collect();
        only(task, &known, "Task")?;
        let meta = task.get("meta").unwrap_or(&Value::Null);
        only(meta, &["versionId", "lastUpdated", "profile"], "Task.meta")?;
        let narrative = task.get("text").and_then(|text| text.get("status"));
        if narrative.is_some_and(|status| status != "generated") {
            return Err(Error::not_supported("Task.text", LEAVE_OUT));
        }
        is_word(task, "status", "requested", "send what is asked with the status requested")?;
        is_word(task, "intent", "order", "send what is asked with the intent order")?;
        let code = coded(task.get("code").unwrap_or(&Value::Null), "Task.code", "task-type")?;
        let matter = Matter::of_code(code).filter(|matter| MATTERS.contains(matter));
        let hint = "name what is asked for with a code of docs/requests.md; a copy for somebody else is \
                    asked for by letter, with a signature";
        let matter = matter.ok_or_else(|| Error::invalid("Task.code", hint))?;
        if matter != Matter::Amendment && task.get(FOCUS).is_some() {
            return Err(Error::not_supported("Task.focus", LEAVE_OUT));
        }
        is_fresh(task, now)?;
        let mut said = Self { matter, scope: Scope::default(), statement: None };
        let inputs = task.get("input").and_then(Value::as_array);
        for (at, input) in inputs.into_iter().flatten().enumerate() {
            said.take(input, &format!("Task.input[{at}]"))?;
        }
        if said.is_for_a_copy() && said.scope.kinds.is_empty() {
            said.scope.kinds.push("*".to_owned());
        }
        Ok(said)
    }

    fn is_for_a_copy(&self) -> bool {
        matches!(self.matter, Matter::Access | Matter::Portability)
    }

    /// Takes in one detail.
    fn take(&mut self, input: &Value, path: &str) -> Result<()> {
        let code = coded(
            input.get("type").unwrap_or(&Value::Null),
            &format!("{path}.type"),
            "task-detail",
        )?;
        let has_period = self.is_for_a_copy() || self.matter == Matter::Accounting;
        let (place, known): (&mut Option<String>, &[&str]) = match code {
            "statement" => (&mut self.statement, &[]),
            "period-from" if has_period => (&mut self.scope.from, &[]),
            "period-to" if has_period => (&mut self.scope.to, &[]),
            "format" if self.is_for_a_copy() => (&mut self.scope.format, &FORMATS),
            "media" if self.is_for_a_copy() => (&mut self.scope.media, &MEDIA),
            "kind" if self.is_for_a_copy() => {
                let kind = value(input, path, &["valueString", "valueCode"])?;
                let is_known = kind == "*" || KINDS.iter().any(|known| known.as_str() == kind);
                if !is_known {
                    let hint = "name a kind of record that docs/requests.md lists";
                    return Err(Error::invalid(path, hint));
                }
                self.scope.kinds.push(kind.to_owned());
                return Ok(());
            }
            _ => {
                let hint = "this is no detail of what is asked for: docs/requests.md lists those";
                return Err(Error::not_supported(path, hint));
            }
        };
        let names: &[&str] = if code.starts_with("period-") {
            &["valueDate", "valueDateTime"]
        } else {
            &["valueString", "valueCode"]
        };
        let words = value(input, path, names)?;
        if !known.is_empty() && !known.contains(&words) {
            return Err(Error::invalid(path, format!("use one of {}", known.join(", "))));
        }
        if place.replace(words.to_owned()).is_some() {
            return Err(Error::not_supported(path, "say this once"));
        }
        Ok(())
    }
}

/// Refuses a Task that does not say when it was written, or was written long ago: what is the same was
/// sent again, and is no second request.
fn is_fresh(task: &Value, now: Timestamp) -> Result<()> {
    let stated = task.get("authoredOn").and_then(Value::as_str);
    let stated = stated.and_then(|at| at.parse::<Timestamp>().ok());
    let hint = "say when it was written, to the second and with an offset, not more than a day ago";
    let stated = stated.ok_or_else(|| Error::invalid("Task.authoredOn", hint))?;
    let age = now.duration_since(stated);
    if age > FRESH || age < -AHEAD {
        return Err(Error::invalid("Task.authoredOn", hint));
    }
    Ok(())
}

/// Refuses members that are not known.
fn only(value: &Value, known: &[&str], path: &str) -> Result<()> {
    let members = value.as_object().into_iter().flatten();
    match members.map(|(name, _)| name).find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Error::not_supported(format!("{path}.{name}"), LEAVE_OUT)),
        None => Ok(()),
    }
}

fn is_word(task: &Value, name: &str, word: &str, hint: &str) -> Result<()> {
    if task.get(name).and_then(Value::as_str) == Some(word) {
        return Ok(());
    }
    Err(Error::invalid(format!("Task.{name}"), hint))
}

/// The one code of a system of ours.
fn coded<'a>(concept: &'a Value, path: &str, system: &str) -> Result<&'a str> {
    only(concept, &["coding"], path)?;
    let codings = concept.get("coding").and_then(Value::as_array).map(Vec::as_slice);
    let hint = || Error::invalid(path, format!("give one code of {SYSTEMS}/{system}"));
    let [coding] = codings.unwrap_or_default() else { return Err(hint()) };
    only(coding, &["system", "code", "display"], &format!("{path}.coding[0]"))?;
    let text = |name: &str| coding.get(name).and_then(Value::as_str);
    let is_ours = text("system") == Some(format!("{SYSTEMS}/{system}").as_str());
    text("code").filter(|_| is_ours).ok_or_else(hint)
}

/// The target of a reference.
fn reference<'a>(value: &'a Value, path: &str) -> Result<&'a str> {
    only(value, &["reference", "type", "display"], path)?;
    let target = value.get("reference").and_then(Value::as_str);
    target.ok_or_else(|| Error::invalid(path, "give a reference to a resource of this server"))
}

/// The words of a detail, which has no more than these.
fn value<'a>(input: &'a Value, path: &str, names: &[&str]) -> Result<&'a str> {
    let known: Vec<&str> = names.iter().copied().chain(["type"]).collect();
    only(input, &known, path)?;
    let words = names.iter().find_map(|name| input.get(*name)?.as_str());
    words.ok_or_else(|| Error::invalid(path, format!("give it as {}", names.join(" or "))))
}
