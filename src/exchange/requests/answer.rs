//! What somebody gets who asked for a copy: what they may have of the record, within what they asked
//! for, and as it was decided.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::entry::Entry;
use super::kept::Stretch;
use super::request::{Decision, Request};
use super::{Requests, letter};
use crate::domain::{FhirId, Kind, TenantId};
use crate::error::{Error, Result};
use crate::exchange::gather::{Part, gather, outside};
use crate::package::{File, Held, Language, Piece};
use crate::policy::request::{Matter, Outcome};
use crate::policy::{FhirUser, Obligations, Principal, Under, UserType};

/// What stands in a text where something was left out.
const REDACTED: &str = "[redacted]";
/// The client that the gateway is where it acts for the practice's desk.
pub(super) const DESK: &str = "desk";

/// Which kinds of records become which types of resources, where a request names kinds.
const TYPES: &[(&str, &[&str])] = &[
    ("session_log", &["Encounter"]),
    ("appointment", &["Appointment"]),
    ("session_note", &["DocumentReference", "Binary"]),
    ("attachment", &["DocumentReference", "Binary"]),
    ("treatment_plan", &["CarePlan", "Goal", "CareTeam"]),
    ("diagnosis", &["Condition"]),
    ("episode", &["EpisodeOfCare"]),
    ("assessment", &["Observation", "QuestionnaireResponse"]),
    ("thread", &["Communication"]),
    ("message", &["Communication", "Binary"]),
    ("consent", &["Consent"]),
];
/// What the person has given themself (GDPR Art. 20): not what others wrote about them.
const GIVEN: &[&str] = &["Communication", "QuestionnaireResponse", "Consent"];
/// Who and where: in every copy, as far as the rest leads there.
const AROUND: &[&str] = &[
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Questionnaire",
    "Provenance",
];
/// Where resources say when what they tell of was.
const DATES: &[&str] = &[
    "/period/start",
    "/start",
    "/context/period/start",
    "/effectiveDateTime",
    "/authored",
    "/sent",
    "/recordedDate",
    "/dateTime",
    "/date",
    "/created",
];

/// What somebody gets.
pub(super) struct Answer {
    pub(super) pieces: Vec<Piece>,
    /// What is not in it, as it was decided.
    pub(super) held: Vec<Held>,
}

/// The practice itself, which looks at its own records.
pub(super) fn practice_principal(tenant: &TenantId) -> Arc<Principal> {
    Arc::new(Principal::new(tenant.clone(), DESK, "system/*.rs"))
}

/// Whether a resource of this type is within what was asked for.
pub(super) fn covers(request: &Request, resource_type: &str, resource: &Value) -> bool {
    if AROUND.contains(&resource_type) {
        return true;
    }
    if request.matter == Matter::Portability && !GIVEN.contains(&resource_type) {
        return false;
    }
    let scope = &request.scope;
    let is_all = scope.kinds.is_empty() || scope.kinds.iter().any(|kind| kind == "*");
    let is_of = |kind: &String| {
        let known = TYPES.iter().find(|(name, _)| name == kind);
        known.is_some_and(|(_, types)| types.contains(&resource_type))
    };
    if !is_all && !scope.kinds.iter().any(is_of) {
        return false;
    }
    let Some(when) = DATES.iter().find_map(|at| resource.pointer(at)?.as_str()) else {
        return true;
    };
    let day = when.get(..10).and_then(|day| day.parse::<Date>().ok());
    let Some(day) = day else { return true };
    let end = |text: &Option<String>| text.as_deref().and_then(|day| day.parse::<Date>().ok());
    end(&scope.from).is_none_or(|from| day >= from) && end(&scope.to).is_none_or(|to| day <= to)
}

impl Requests {
    /// What somebody gets who asked for a copy, once everything is decided.
    ///
    /// # Errors
    ///
    /// `Conflict` where something is not decided yet; `NotFound` where they may not have the record.
    pub(super) fn answer(
        &self,
        tenant: &TenantId,
        request: &Request,
        language: Language,
    ) -> Result<Answer> {
        let patient = self.patient(tenant, request);
        let principal = self.asker(tenant, request, &patient)?;
        let principal = principal.asking_at(self.clock.now(), Obligations::OF_FHIR);
        let pieces = gather(&*self.store, &principal, &patient, Part::Whole)?;
        let mut answer = Answer { pieces: within(request, pieces)?, held: Vec::new() };
        for entry in self.entries(tenant, request)? {
            let decision = entry.decision.clone().ok_or_else(|| Error::Conflict {
                hint: "not everything is decided: look at the entries that wait".to_owned(),
            })?;
            answer.apply(&entry, &decision)?;
            if let Some(reason) = decision.reason.filter(|_| decision.outcome != Outcome::Release) {
                answer.hold(Held {
                    outcome: decision.outcome.as_str(),
                    ground: reason.as_str(),
                    rule: reason.source(),
                    reviewable: reason.is_reviewable(),
                    statement: letter::statement(language, decision.outcome, reason)?,
                });
            }
        }
        Ok(answer)
    }

    /// Whose record it is.
    pub fn patient(&self, tenant: &TenantId, request: &Request) -> FhirId {
        self.ids.tenant(tenant).id(Kind::Client, &request.client)
    }

    /// What others sent about the person, where the person asks for all of the record: nobody has looked
    /// at what is in it, so it is in no copy for somebody else, and within no choice.
    pub(super) fn outside(&self, tenant: &TenantId, request: &Request) -> Result<Vec<File>> {
        let scope = &request.scope;
        let is_all = scope.kinds.is_empty() || scope.kinds.iter().any(|kind| kind == "*");
        let is_whole = is_all && scope.from.is_none() && scope.to.is_none();
        if request.matter != Matter::Access || request.is_by_another() || !is_whole {
            return Ok(Vec::new());
        }
        outside(&*self.store, tenant, &self.patient(tenant, request))
    }

    /// Who asks, with what they may have: the client, or somebody who acts for them now.
    fn asker(
        &self,
        tenant: &TenantId,
        request: &Request,
        patient: &FhirId,
    ) -> Result<Arc<Principal>> {
        let user = match (request.is_by_another(), request.party()) {
            (false, _) => FhirUser { kind: UserType::Patient, id: patient.clone() },
            (true, Some(party)) => {
                let id = self.ids.tenant(tenant).id(Kind::RelatedParty, party);
                FhirUser { kind: UserType::RelatedPerson, id }
            }
            (true, None) => {
                let hint = "whoever asks is nobody in the client's record: copies for others are made \
                            by throughline package";
                return Err(Error::Conflict { hint: hint.to_owned() });
            }
        };
        Ok(Arc::new(Principal {
            under: Under::of_person(&user),
            patient: Some(patient.clone()),
            fhir_user: Some(user),
            ..Principal::new(tenant.clone(), DESK, "patient/*.rs")
        }))
    }
}

impl Answer {
    fn hold(&mut self, held: Held) {
        if !self.held.contains(&held) {
            self.held.push(held);
        }
    }

    /// Makes an entry what was decided on it.
    fn apply(&mut self, entry: &Entry, decision: &Decision) -> Result<()> {
        let own = |piece: &Piece, of: &Piece| {
            piece.resource_type == of.resource_type && piece.id == of.id
        };
        self.pieces.retain(|piece| !own(piece, &entry.document) && !own(piece, &entry.binary));
        let text = match decision.outcome {
            Outcome::Deny => return Ok(()),
            Outcome::Release => entry.full.clone(),
            Outcome::Redact => without(&entry.text, &decision.spans),
        };
        self.pieces.push(changed(&entry.document, |document| {
            let contents = document.get_mut("content").and_then(Value::as_array_mut);
            for content in contents.into_iter().flatten() {
                let Some(Value::Object(attachment)) = content.get_mut("attachment") else {
                    continue;
                };
                attachment.insert("size".to_owned(), json!(text.len()));
                attachment.remove("hash");
            }
        })?);
        self.pieces.push(changed(&entry.binary, |binary| {
            if let Some(members) = binary.as_object_mut() {
                members.insert("data".to_owned(), json!(STANDARD.encode(&text)));
            }
        })?);
        Ok(())
    }
}

/// A resource with something changed; the same bytes where nothing is.
fn changed(piece: &Piece, change: impl FnOnce(&mut Value)) -> Result<Piece> {
    let before: Value = serde_json::from_slice(&piece.body).map_err(Error::internal)?;
    let mut after = before.clone();
    change(&mut after);
    if after == before {
        return Ok(piece.clone());
    }
    let body = serde_json::to_vec(&after).map_err(Error::internal)?;
    Ok(Piece { body: body.into(), ..piece.clone() })
}

/// What is within what was asked for. A file goes along with what refers to it.
fn within(request: &Request, pieces: Vec<Piece>) -> Result<Vec<Piece>> {
    let mut kept = Vec::new();
    let mut files = Vec::new();
    let mut named = String::new();
    for piece in pieces {
        if piece.resource_type == "Binary" {
            files.push(piece);
            continue;
        }
        let value: Value = serde_json::from_slice(&piece.body).map_err(Error::internal)?;
        if covers(request, &piece.resource_type, &value) {
            named.push_str(&String::from_utf8_lossy(&piece.body));
            kept.push(piece);
        }
    }
    kept.extend(files.into_iter().filter(|file| named.contains(&format!("Binary/{}", file.id))));
    Ok(kept)
}

/// A text without these stretches, in Unicode scalars.
fn without(text: &str, spans: &[Stretch]) -> String {
    let mut out = String::with_capacity(text.len());
    let is_in = |i: usize| spans.iter().any(|span| (span.start..span.end).contains(&i));
    let mut hidden = false;
    for (i, c) in text.chars().enumerate() {
        if !is_in(i) {
            out.push(c);
        } else if !hidden {
            out.push_str(REDACTED);
        }
        // A line's end stays one, so that the passages around it stay apart.
        if is_in(i) && c == '\n' {
            out.push('\n');
        }
        hidden = is_in(i) && c != '\n';
    }
    out
}

/// The instant to which a copy is kept that is made now.
pub(super) fn kept_until(now: Timestamp, kept: std::time::Duration) -> Timestamp {
    now.saturating_add(kept).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_out_leaves_one_mark() {
        let text = "Sleeps well. Jonas drinks. Plans: none.";
        let spans = [Stretch { start: 12, end: 26 }];
        assert_eq!(without(text, &spans), "Sleeps well.[redacted] Plans: none.");
        assert_eq!(without("ab", &[Stretch { start: 0, end: 2 }]), "[redacted]");
        assert_eq!(without("a\nb", &[Stretch { start: 0, end: 3 }]), "[redacted]\n[redacted]");
    }

    proptest! {
        #[test]
        fn nothing_of_what_is_left_out_stays(text in "[a-y \n]{0,40}", start in 0..40usize, length in 1..20usize) {
            // A letter that is nowhere else and not in the mark.
            let mut chars: Vec<char> = text.chars().collect();
            let at = start.min(chars.len());
            chars.insert(at, 'Z');
            let text: String = chars.iter().collect();
            let span = Stretch { start: at, end: at + length };
            let out = without(&text, &[span]);
            prop_assert!(!out.contains('Z'));
            prop_assert!(out.replace(REDACTED, "").len() < text.len());
        }
    }
}
