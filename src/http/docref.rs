//! `$docref`: references to a patient's documents, those that are stored and the one that is made
//! when it is asked for (<https://hl7.org/fhir/us/core/OperationDefinition-docref.html>).

use actix_web::HttpRequest;
use actix_web::web::{self, Payload};
use serde_json::json;

use super::answer::Answer;
use super::asking::Size;
use super::call::Call;
use super::parameters::Pairs;
use super::path::Everywhere;
use super::terms::Terms;
use super::{Refusal, State, body, everything, parameters};
use crate::domain::FhirId;
use crate::error::Error;
use crate::fhir::bundle::{Kind, Mode, Resource, Writer};
use crate::fhir::search::param;
use crate::fhir::search::parse::{self, Setting};
use crate::package::SUMMARY_TYPE;
use crate::policy::{Action, Permit};
use crate::store::{Store, StoredResource};

const DOCUMENT: &str = "DocumentReference";
const PATIENT: &str = "Patient";
/// How many references are read together.
const PAGE: &str = "1000";

/// What is asked for.
#[derive(Debug, Default)]
struct Asked {
    patient: Option<FhirId>,
    /// The same as parameters of a search.
    search: Pairs,
    of_type: Option<String>,
    dated: bool,
    stored_only: bool,
}

/// Answers with the parameters in the URL.
pub(super) async fn docref(
    state: web::Data<State>,
    _path: Everywhere,
    call: Call,
) -> Result<Answer, Refusal> {
    let asked = Asked::of(&call)?;
    let hint = "name the patient: ?patient=ID";
    let patient = asked.patient.clone().ok_or_else(|| Error::invalid("patient", hint))?;
    let reads = Permit::decide(&call.principal, Action::Read, PATIENT)?;
    let searches = Permit::decide(&call.principal, Action::Search, DOCUMENT)?;
    let setting = {
        let rules = state.rules.load();
        let resource_type = param::search_type(DOCUMENT)
            .ok_or_else(|| Error::broken("DocumentReference is not searched"))?;
        let (base, value_sets) = (&state.base, &rules.value_sets);
        let setting = Setting { resource_type, base, value_sets, lenient: false };
        parse::parse(setting, asked.search.clone())?
    };
    let mut query = setting.query;
    let about = query.clone();
    let whose = patient.clone();
    let question = move |store: &dyn Store| -> Result<_, Error> {
        // Whoever may not know the patient learns nothing of documents either.
        let Some(_) = store.head(&reads, &whose)? else { return Ok(None) };
        let mut found: Vec<StoredResource> = Vec::new();
        loop {
            let page = store.search(&searches, &query)?;
            found.extend(page.matches);
            query.after = page.next;
            if query.after.is_none() {
                return Ok(Some(found));
            }
        }
    };
    let found = state.ask(Size::Many, question).await?;
    let summary = found.is_some() && asked.has_summary();
    let mut stored = found.unwrap_or_default();
    let terms = state.terms(&call.principal, &mut [&mut stored]).await?;
    let bundle = state.references(&stored, &terms, summary.then_some(&patient));
    let mut shown = state.disclosure(&stored).asked_by(&call.parameters).about(&about);
    shown.join(state.disclosure(&terms.consents));
    Ok(Answer::new(bundle, call.form).showing(shown).under(terms))
}

/// Answers the same with the parameters in a `Parameters` resource.
pub(super) async fn docref_by_parameters(
    state: web::Data<State>,
    path: Everywhere,
    mut call: Call,
    request: HttpRequest,
    payload: Payload,
) -> Result<Answer, Refusal> {
    let body = body::resource(&request, payload, everything::MAX_PARAMETERS).await?;
    call.parameters.extend(parameters::of_resource(&body)?);
    docref(state, path, call).await
}

impl Asked {
    fn of(call: &Call) -> Result<Self, Error> {
        parse::once(&call.parameters, &["patient", "start", "end", "on-demand"])?;
        let mut asked = Self::default();
        let mut add = |name: &str, value: String| asked.search.push((name.to_owned(), value));
        add("status", "current".to_owned());
        add("_count", PAGE.to_owned());
        for (name, text) in &call.parameters {
            match name.as_str() {
                "patient" => {
                    let id = text.strip_prefix("Patient/").unwrap_or(text);
                    let hint = "an id has 1 to 64 letters, digits, hyphens and dots";
                    let id: FhirId = id.parse().map_err(|()| Error::invalid("patient", hint))?;
                    add("patient", format!("Patient/{id}"));
                    asked.patient = Some(id);
                }
                "start" => add("period", format!("ge{text}")),
                "end" => add("period", format!("le{text}")),
                "type" => {
                    add("type", text.clone());
                    asked.of_type = Some(text.clone());
                }
                "on-demand" => asked.stored_only = text == "false",
                "_format" | "_pretty" => {}
                _ if call.lenient => {}
                _ => {
                    let hint = "$docref takes patient, start, end, type and on-demand";
                    return Err(Error::not_supported(name, hint));
                }
            }
        }
        asked.dated = asked.search.iter().any(|(name, _)| name == "period");
        Ok(asked)
    }

    /// Whether the summary, which is of today, is one of the documents asked for.
    fn has_summary(&self) -> bool {
        let is_it = |text: &String| text.rsplit('|').next() == Some(SUMMARY_TYPE);
        !self.stored_only && !self.dated && self.of_type.as_ref().is_none_or(is_it)
    }
}

impl State {
    /// References to documents, as a searchset.
    fn references(
        &self,
        stored: &[StoredResource],
        terms: &Terms,
        summary_of: Option<&FhirId>,
    ) -> Vec<u8> {
        let total = stored.len() + usize::from(summary_of.is_some());
        let total = u64::try_from(total).unwrap_or_default();
        let url = format!("{}/{DOCUMENT}/$docref", self.base);
        let bundle = Writer::new(Kind::Searchset, Some(total), &[("self", &url)], 0);
        let mut bundle = bundle.labelled(&terms.labels.json());
        if let Some(patient) = summary_of {
            bundle.made(
                &format!("{}/{PATIENT}/{patient}/$summary", self.base),
                &self.summary_of(patient),
            );
        }
        for StoredResource { resource_type, id, body, .. } in stored {
            let (base, id) = (&*self.base, id.as_str());
            bundle.found(Resource { base, resource_type, id, body }, Mode::Match);
        }
        bundle.finish()
    }

    /// A reference to the summary that is made when it is asked for.
    fn summary_of(&self, patient: &FhirId) -> Vec<u8> {
        let category = "http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category";
        let profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-documentreference";
        let at = self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({
            "resourceType": DOCUMENT,
            "meta": { "profile": [profile] },
            "status": "current",
            "type": {
                "coding": [{ "system": "http://loinc.org", "code": SUMMARY_TYPE }],
                "text": "Patient summary",
            },
            "category": [{ "coding": [{ "system": category, "code": "clinical-note" }] }],
            "subject": { "reference": format!("{PATIENT}/{patient}") },
            "date": at,
            "description": "Patient summary, made when it is asked for",
            "content": [{
                "attachment": {
                    "contentType": "application/fhir+json",
                    "url": format!("{}/{PATIENT}/{patient}/$summary", self.base),
                    "title": "Patient summary",
                },
                "format": {
                    "system": "http://ihe.net/fhir/ValueSet/IHE.FormatCode.codesystem",
                    "code": "urn:ihe:iti:xds:2017:mimeTypeSufficient",
                    "display": "mimeType Sufficient",
                },
            }],
        })
        .to_string()
        .into_bytes()
    }
}
