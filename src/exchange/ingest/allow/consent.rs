//! A consent as the rules read it. What cannot be read makes a yes worthless and a no wide.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use super::{date, instant, midnight};
use crate::domain::{Kind, Op, Record};
use crate::exchange::ingest::derive::Neighbours;
use crate::policy::{
    Confidentiality, Defect, Directive, Extent, Form, LabelSet, Law, Matter, NoteClass, Party,
    PartyKind, Purpose, Revocation, Sensitivity, Signer, State, Term,
};

fn text<'a>(data: &'a Value, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

fn list<'a>(data: &'a Value, name: &str) -> &'a [Value] {
    data.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn words<'a>(data: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    list(data, name).iter().filter_map(Value::as_str)
}

/// What is around a consent.
pub(super) struct Setting<'a> {
    pub(super) neighbours: &'a dyn Neighbours,
    pub(super) law: &'a Law,
    pub(super) zone: &'a TimeZone,
    /// The client whose record it is asked for.
    pub(super) client: &'a str,
}

/// Reads a consent; one that was taken back as an error says nothing.
pub(super) fn directive(record: &Record, around: &Setting<'_>) -> Option<Directive> {
    let data = &record.data;
    if record.op != Op::Upsert || !data.is_object() {
        return None;
    }
    let permits = text(data, "decision") == Some("permit");
    let form = form(data, permits);
    let signed = text(data, "signed_at").and_then(|at| instant(at, around.zone));
    let part = |name: &str| data.get(name).unwrap_or(&Value::Null);
    let mut defects = BTreeSet::new();
    let term = term(data, record, around, &mut defects);
    let signer = text(part("signer"), "kind").and_then(|kind| kind.parse().ok());
    let directive = Directive {
        id: record.id.clone(),
        evidence: text(part("evidence"), "attachment_id").map(str::to_owned),
        form,
        permits,
        state: state(data),
        signed,
        signer: signer.unwrap_or(Signer::Unknown),
        term,
        parties: list(data, "recipients").iter().map(party).collect(),
        purposes: words(data, "purposes").filter_map(Purpose::of_consent).collect(),
        other_purposes: words(data, "purposes").any(|word| Purpose::of_consent(word).is_none()),
        scope: matter(part("scope"), permits, around.zone),
        revocations: list(data, "revocations").iter().map(|one| revocation(one, around)).collect(),
        supersedes: text(data, "supersedes").map(str::to_owned),
        defects,
    };
    Some(check(directive, record, around))
}

fn form(data: &Value, permits: bool) -> Form {
    match text(data, "type").unwrap_or_default() {
        // It cannot be told what it is about: a no is about records.
        "other" if !permits => Form::Release,
        word => word.parse().unwrap_or(Form::Other),
    }
}

fn state(data: &Value) -> State {
    match text(data, "status").unwrap_or_default() {
        "active" => State::Active,
        "revoked" => State::Revoked,
        "expired" => State::Expired,
        "draft" | "proposed" | "rejected" | "superseded" | "void" => State::Inert,
        _ => State::Unknown,
    }
}

/// When it is to hold: through the last day, on the practice's wall.
fn term(
    data: &Value,
    record: &Record,
    around: &Setting<'_>,
    defects: &mut BTreeSet<Defect>,
) -> Term {
    let part = |name: &str| data.get(name).unwrap_or(&Value::Null);
    let (effective, expires) = (part("effective"), part("expires"));
    let mut from = None;
    if let Some(stated) = text(effective, "from") {
        from = date(stated).and_then(|day| midnight(day, around.zone));
        if from.is_none() {
            defects.insert(Defect::Meaning);
        }
    }
    let signed = text(data, "signed_at").and_then(|at| instant(at, around.zone));
    let mut until = None;
    for stated in [text(effective, "to"), text(expires, "date")].into_iter().flatten() {
        let day = date(stated).and_then(|day| day.checked_add(1.day()).ok());
        match day.and_then(|day| midnight(day, around.zone)) {
            Some(end) => until = Some(until.map_or(end, |known: Timestamp| known.min(end))),
            None => drop(defects.insert(Defect::Meaning)),
        }
    }
    match text(expires, "event").map(str::to_ascii_lowercase) {
        None => {}
        Some(event) if event == "none" => {}
        Some(event) if event.contains("end of treatment") || event.contains("discharge") => {
            if let Some(end) = end_of_treatment(record, signed, around) {
                until = Some(until.map_or(end, |known: Timestamp| known.min(end)));
            }
        }
        // Nobody here would notice the event.
        Some(_) => drop(defects.insert(Defect::Meaning)),
    }
    Term { from: from.max(signed), until }
}

/// When the last of the treatments that the consent was signed for or before ended, if all have.
fn end_of_treatment(
    record: &Record,
    signed: Option<Timestamp>,
    around: &Setting<'_>,
) -> Option<Timestamp> {
    let client = record.client_ids.first()?;
    let episodes = around.neighbours.referring(Kind::Episode, Kind::Client, client);
    let mut last = None;
    for episode in episodes.iter().filter(|episode| episode.op == Op::Upsert) {
        let data = &episode.data;
        let ended = matches!(text(data, "status"), Some("finished" | "cancelled"));
        let discharge = data.get("discharge").and_then(|discharge| text(discharge, "date"));
        let end = discharge.or(text(data, "to")).and_then(|end| instant(end, around.zone));
        // One that ended without saying when ended when it was said.
        let end = ended.then(|| end.unwrap_or(episode.updated_at))?;
        if signed.is_none_or(|signed| end >= signed) {
            last = last.max(Some(end));
        }
    }
    last
}

fn party(recipient: &Value) -> Party {
    Party {
        kind: text(recipient, "kind")
            .and_then(|kind| kind.parse().ok())
            .unwrap_or(PartyKind::Unknown),
        id: text(recipient, "id").map(str::to_owned),
        name: text(recipient, "name").unwrap_or_default().to_owned(),
        npi: text(recipient, "npi").map(str::to_owned),
        clients: words(recipient, "fhir_client_ids").map(str::to_owned).collect(),
    }
}

/// What of. Words that are not known narrow a yes, or end it, and widen a no.
fn matter(scope: &Value, permits: bool, zone: &TimeZone) -> Matter {
    let mut unknown = false;
    let everything = words(scope, "kinds").any(|kind| kind == "*");
    let kinds = (!everything && !list(scope, "kinds").is_empty()).then(|| {
        let read = words(scope, "kinds").map(str::parse::<Kind>);
        read.filter_map(|kind| kind.map_err(|()| unknown |= !permits).ok()).collect()
    });
    let notes = (!list(scope, "note_classes").is_empty()).then(|| {
        let read = words(scope, "note_classes").map(str::parse::<NoteClass>);
        read.filter_map(|class| class.map_err(|()| unknown |= !permits).ok()).collect()
    });
    let mut dated = Term::default();
    if let Some(from) = text(scope, "from") {
        dated.from = date(from).and_then(|day| midnight(day, zone));
        unknown |= dated.from.is_none();
    }
    if let Some(to) = text(scope, "to") {
        let after = date(to).and_then(|day| day.checked_add(1.day()).ok());
        dated.until = after.and_then(|day| midnight(day, zone));
        unknown |= dated.until.is_none();
    }
    let (included, strange) = labels(scope, "include_labels");
    unknown |= strange && !permits;
    let (excluded, strange) = labels(scope, "exclude_labels");
    unknown |= strange && permits;
    let sessions = words(scope, "session_ids").map(|id| format!("{}/{id}", Kind::SessionLog));
    let plans = words(scope, "plan_ids").map(|id| format!("{}/{id}", Kind::TreatmentPlan));
    Matter {
        kinds,
        notes,
        dated,
        related: sessions.chain(plans).collect(),
        included: (!list(scope, "include_labels").is_empty()).then_some(included),
        excluded: if permits { excluded } else { LabelSet::default() },
        unknown,
    }
}

/// The labels that are named, and whether some are not known.
fn labels(scope: &Value, name: &str) -> (LabelSet, bool) {
    let (mut set, mut strange) = (LabelSet::default(), false);
    for word in words(scope, name) {
        if let Ok(level) = word.parse::<Confidentiality>() {
            let lower = name == "exclude_labels";
            let pick =
                |known: Confidentiality| if lower { known.min(level) } else { known.max(level) };
            set.level = Some(set.level.map_or(level, pick));
        } else if let Ok(sensitivity) = word.parse::<Sensitivity>() {
            set.sensitivities.insert(sensitivity);
        } else {
            strange = true;
        }
    }
    (set, strange)
}

fn revocation(row: &Value, around: &Setting<'_>) -> Revocation {
    let at = text(row, "at").and_then(|at| instant(at, around.zone));
    let named = |text: &str| {
        let rest = text.trim_matches(|c: char| c == ':' || c == '[' || c == ']');
        rest.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    };
    let extent = match text(row, "scope") {
        None | Some("all") => Extent::All,
        Some(scope) => {
            if let Some(rest) = scope.strip_prefix("recipients") {
                Extent::Recipients(named(rest))
            } else if let Some(rest) = scope.strip_prefix("kinds") {
                let kinds = named(rest).iter().map(|kind| kind.parse()).collect::<Result<_, ()>>();
                kinds.map_or(Extent::Unknown, Extent::Kinds)
            } else {
                Extent::Unknown
            }
        }
    };
    // One whose instant cannot be read has been in force from the beginning.
    Revocation { at: at.unwrap_or(Timestamp::MIN), extent }
}

/// Notes what a yes lacks.
fn check(mut directive: Directive, record: &Record, around: &Setting<'_>) -> Directive {
    if !directive.permits {
        return directive;
    }
    let data = &record.data;
    let mut lacks = |lacking: bool, defect| {
        if lacking {
            directive.defects.insert(defect);
        }
    };
    let part = |name: &str| data.get(name).unwrap_or(&Value::Null);
    let written = matches!(text(data, "method"), Some("e_sign" | "ink_scan"));
    let is_part2 = matches!(
        directive.form,
        Form::Part2Tpo | Form::Part2Disclosure | Form::Part2Counseling | Form::Part2Proceedings
    );
    let releases = is_part2 || matches!(directive.form, Form::Release | Form::Psychotherapy);
    lacks(directive.signed.is_none() || part("signer").is_null(), Defect::Signature);
    lacks((is_part2 || directive.form == Form::Psychotherapy) && !written, Defect::Writing);
    lacks(!is_evidenced(part("evidence"), around), Defect::Evidence);
    lacks(directive.parties.is_empty(), Defect::Recipient);
    lacks(directive.purposes.is_empty(), Defect::Purpose);
    let scope = part("scope");
    let described = text(scope, "description").is_some_and(|words| !words.trim().is_empty());
    lacks(!described && list(scope, "kinds").is_empty(), Defect::Description);
    let ends = ["date", "event"].iter().any(|name| text(part("expires"), name).is_some())
        || text(part("effective"), "to").is_some();
    let needs_end = releases && directive.form != Form::Part2Tpo;
    lacks(needs_end && !ends, Defect::Expiry);
    lacks(is_part2 && !is_stated(data, directive.signed, around), Defect::Statement);
    lacks(!record.client_ids.iter().any(|client| client == around.client), Defect::Merged);
    directive
}

/// Whether there is evidence, and it is what was signed.
fn is_evidenced(evidence: &Value, around: &Setting<'_>) -> bool {
    let id = text(evidence, "attachment_id");
    let form = id.and_then(|id| around.neighbours.get(Kind::Attachment, id));
    let signed = text(evidence, "sha256");
    form.is_some_and(|form| {
        form.op == Op::Upsert && signed.is_some() && signed == text(&form.data, "sha256")
    })
}

/// Whether it has the statements of 42 CFR 2.31, or was signed before they were asked for.
fn is_stated(data: &Value, signed: Option<Timestamp>, around: &Setting<'_>) -> bool {
    let elements = data.get("part2_elements").unwrap_or(&Value::Null);
    let statements = ["revocation_right", "refusal_consequences", "redisclosure_statement"];
    let all = statements.iter().all(|name| elements.get(*name) == Some(&Value::Bool(true)));
    let compliance = midnight(around.law.part2_compliance, around.zone);
    let is_legacy = signed.zip(compliance).is_some_and(|(signed, day)| signed < day);
    is_legacy || (all && text(elements, "elements_version") == Some("2024"))
}
