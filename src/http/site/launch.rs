//! `POST /auth/launch`: the platform's back end makes the context in which its front end launches an
//! app (SMART App Launch 2.2, EHR launch). It is signed as a push is (`docs/platform.md`), and names
//! the platform's own records.

use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::exchange::people::{People, User};
use crate::http::push::Verified;
use crate::http::{Refusal, State, body};
use crate::smart::{Launch, Told};

/// The longest body, in bytes.
const LONGEST: usize = 16 * 1024;
/// The most further resources in context.
const MOST_CONTEXT: usize = 20;
/// How long a launch can be redeemed, in seconds.
const EXPIRES_S: u32 = 300;

/// What a launch is about, by the platform's ids.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The app that may redeem it; any, where there is none.
    client_id: Option<String>,
    /// The client whose record is open.
    client: Option<String>,
    /// The session that is open.
    session: Option<String>,
    /// Who launches; nobody else may go on.
    user: User,
    intent: Option<String>,
    need_patient_banner: Option<bool>,
    smart_style_url: Option<String>,
    tenant: Option<String>,
    #[serde(default, rename = "fhirContext")]
    fhir_context: Vec<Value>,
}

/// What the app is launched with.
#[derive(Serialize)]
struct Answer<'a> {
    iss: &'a str,
    launch: String,
    expires_in: u32,
}

/// Makes the context of a launch.
pub(in crate::http) async fn launch(
    Verified(signed): Verified,
    payload: Payload,
    request: HttpRequest,
    state: web::Data<State>,
) -> std::result::Result<HttpResponse, Refusal> {
    let body = body::signed(&signed, &request, payload, LONGEST).await?;
    let asked: Asked = serde_json::from_slice(&body).map_err(|cause| {
        let hint = format!("line {}, column {}: this is no launch", cause.line(), cause.column());
        Error::invalid("body", hint)
    })?;
    let sign_in = state.sign_in.clone().ok_or(Error::Denied)?;
    let authority = state.authority.clone();
    let tenant = signed.tenant().clone();
    let made = web::block(move || {
        let launch = asked.launch(sign_in.people(), tenant)?;
        authority.make_launch(&launch)
    });
    let launch = made.await.map_err(Error::internal)??;
    let answer = Answer { iss: &state.base, launch, expires_in: EXPIRES_S };
    Ok(HttpResponse::Created().json(answer))
}

impl Asked {
    /// The launch in FHIR's ids, if every record is there.
    fn launch(self, people: &People, tenant: TenantId) -> Result<Launch> {
        if tenant != *people.tenant() {
            return Err(Error::Denied);
        }
        let unknown = |field: &str| {
            Error::invalid(
                field,
                "there is no such record: send it to POST /platform/records first",
            )
        };
        let known = self.client.as_deref().map(|id| people.patient_of(id)).transpose()?;
        let patient = known.map(|patient| patient.ok_or_else(|| unknown("client"))).transpose()?;
        let encounter = match (&self.session, &self.client) {
            (Some(session), Some(client)) => {
                let encounter = people.encounter_of(session, client)?;
                Some(encounter.ok_or_else(|| unknown("session"))?)
            }
            (Some(_), None) => {
                return Err(Error::invalid("session", "name the client of the session too"));
            }
            (None, _) => None,
        };
        let user = people.user(&self.user)?.ok_or_else(|| unknown("user"))?;
        let user = user.parse().map_err(|()| unknown("user"))?;
        self.check()?;
        let told = Told {
            intent: self.intent,
            need_patient_banner: self.need_patient_banner,
            smart_style_url: self.smart_style_url,
            tenant: self.tenant,
            fhir_context: self.fhir_context,
        };
        Ok(Launch { tenant, patient, encounter, user: Some(user), client: self.client_id, told })
    }

    fn check(&self) -> Result<()> {
        if self.fhir_context.len() > MOST_CONTEXT || !self.fhir_context.iter().all(is_context) {
            let hint = "an entry is an object with a `reference` such as `Encounter/1`, a \
                        `canonical` or an `identifier`; 20 of them at most";
            return Err(Error::invalid("fhirContext", hint));
        }
        let is_https = |url: &String| url.starts_with("https://");
        if !self.smart_style_url.as_ref().is_none_or(is_https) {
            return Err(Error::invalid("smart_style_url", "write an https URL"));
        }
        Ok(())
    }
}

/// Whether a further resource in context is named as SMART App Launch 2.2 says.
fn is_context(entry: &Value) -> bool {
    let Some(entry) = entry.as_object() else { return false };
    match entry.get("reference") {
        Some(reference) => reference.as_str().is_some_and(is_relative),
        None => {
            entry.get("canonical").is_some_and(Value::is_string)
                || entry.get("identifier").is_some_and(Value::is_object)
        }
    }
}

/// Whether a reference is `Type/id`.
fn is_relative(reference: &str) -> bool {
    reference.split_once('/').is_some_and(|(kind, id)| {
        kind.starts_with(|c: char| c.is_ascii_uppercase())
            && kind.bytes().all(|b| b.is_ascii_alphabetic())
            && id.parse::<FhirId>().is_ok()
    })
}
