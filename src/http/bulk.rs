//! Bulk Data Access (<https://hl7.org/fhir/uv/bulkdata/STU2/export.html>): the kick-off of an export,
//! how it stands, its files, and its end.
//!
//! What is asked for is checked here; the work is a durable job (`exchange/bulk`). Nobody but the
//! client that asked finds it.

mod asked;
mod file;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{self, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use self::asked::Asked;
use super::parameters::Pairs;
use super::path::IdPath;
use super::{Refusal, State, body, parameters, prefer};
use crate::auth::Verified;
use crate::error::Error;
use crate::exchange::bulk::{self, Ask, File, FileKind, KIND, Level};
use crate::exchange::jobs::Order;
use crate::policy::{Action, Mandate, Permit, Principal, notice};
use crate::store::{Job, JobPart, JobState};

pub(super) use self::file::file;

/// The roster: those whom the caller may see.
pub(super) const ROSTER: &str = "roster";
/// The longest set of parameters that is read, in bytes.
const MAX_PARAMETERS: usize = 64 * 1024;
/// The member of a manifest's `extension` that has the notices.
const NOTICES: &str = "https://throughline.example/fhir/bulk-notices";
/// When to ask again how an export stands, in seconds.
const RETRY_AFTER: u32 = 2;

/// Who asks, with the token that it is by.
pub(super) struct Bearing {
    principal: std::sync::Arc<Principal>,
    verified: std::sync::Arc<Verified>,
}

impl Bearing {
    fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        use actix_web::HttpMessage;
        let extensions = request.extensions();
        let principal = extensions.get().cloned();
        let verified = extensions.get().cloned();
        let both = principal.zip(verified);
        let both = both.map(|(principal, verified)| Self { principal, verified });
        both.ok_or(Refusal::Known(Error::Unauthenticated))
    }

    fn mandate(&self) -> Mandate {
        Mandate::of(&self.principal, &self.verified.jti, self.verified.grant.as_deref())
    }
}

macro_rules! kick_off {
    ($by_url:ident, $by_parameters:ident, $level:expr, $what:literal) => {
        #[doc = concat!("Begins an export of ", $what, ", with the parameters in the URL.")]
        pub(super) async fn $by_url(
            state: web::Data<State>,
            request: HttpRequest,
        ) -> Result<HttpResponse, Refusal> {
            begin(&state, &request, $level, None).await
        }

        #[doc = concat!("Begins an export of ", $what, ", with the parameters in the body.")]
        pub(super) async fn $by_parameters(
            state: web::Data<State>,
            request: HttpRequest,
            payload: Payload,
        ) -> Result<HttpResponse, Refusal> {
            let body = body::resource(&request, payload, MAX_PARAMETERS).await?;
            begin(&state, &request, $level, Some(parameters::of_resource(&body)?)).await
        }
    };
}

kick_off!(of_system, of_system_by_parameters, Level::System, "everything");
kick_off!(of_patients, of_patients_by_parameters, Level::Patient, "all patients' records");
kick_off!(of_group, of_group_by_parameters, Level::Group, "the roster's records");

async fn begin(
    state: &State,
    request: &HttpRequest,
    level: Level,
    posted: Option<Pairs>,
) -> Result<HttpResponse, Refusal> {
    let bearing = Bearing::of(request)?;
    if level == Level::Group && request.match_info().get("id") != Some(ROSTER) {
        return Err(Error::NotFound.into());
    }
    let headers = request.headers();
    if !prefer::is_async(headers) {
        let hint = "an export takes longer than a request: send Prefer: respond-async";
        return Err(Error::invalid("Prefer", hint).into());
    }
    let is_posted = posted.is_some();
    let given = [parameters::parse(request.query_string())?, posted.unwrap_or_default()].concat();
    let setting = asked::Setting {
        level,
        is_posted,
        is_lenient: prefer::is_lenient(headers),
        principal: &bearing.principal,
        request: format!("{}{}", state.origin(), request.uri()),
    };
    let Asked { ask, names } = Asked::of(&setting, &given)?;
    ask.conditions(&state.rules.load().value_sets)?;
    ask.views(&state.elements)?;
    let (mandate, settings) = (bearing.mandate(), &state.bulk);
    let order = Order {
        kind: KIND,
        mandate: &mandate,
        tenant: &bearing.principal.tenant,
        task: ask.write()?,
        most: settings.per_client,
        within: settings.within(),
    };
    let id = state.workshop.order(order).await?;
    let id = id.ok_or(Refusal::ManyExports { limit: settings.per_client })?;
    let mut response = HttpResponse::Accepted();
    response.insert_header((header::CONTENT_LOCATION, state.export_url(&id)));
    response.extensions_mut().insert(names);
    Ok(response.finish())
}

/// Says how an export stands, and once it is done which files it has.
pub(super) async fn status(
    state: web::Data<State>,
    path: IdPath,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let (job, parts) = state.export(&request, path.id.as_str()).await?;
    match job.state {
        JobState::Open => {
            let progress = match job.progress.as_str() {
                "" => "waiting",
                progress => progress,
            };
            let mut response = HttpResponse::Accepted();
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            response.insert_header(("X-Progress", progress));
            Ok(response.finish())
        }
        JobState::Done => {
            let expires = std::time::SystemTime::from(job.new.expires);
            let manifest = state.manifest(&job, &parts)?;
            let mut response = HttpResponse::Ok();
            response.insert_header(header::Expires(expires.into()));
            Ok(response.content_type("application/json").body(manifest.to_string()))
        }
        JobState::Failed => Err(match job.trouble.as_deref() {
            Some("not_authorized" | "denied") => Error::Denied.into(),
            _ => Refusal::Failed,
        }),
        JobState::Cancelled => Err(Error::NotFound.into()),
    }
}

/// Stops an export, or takes its files away.
pub(super) async fn cancel(
    state: web::Data<State>,
    path: IdPath,
    request: HttpRequest,
) -> Result<HttpResponse, Refusal> {
    let (job, _) = state.export(&request, path.id.as_str()).await?;
    if job.state == JobState::Cancelled || !state.workshop.cancel(&job.new.id).await? {
        return Err(Error::NotFound.into());
    }
    Ok(HttpResponse::Accepted().finish())
}

impl State {
    fn export_url(&self, id: &str) -> String {
        format!("{}/bulk/{id}", self.base)
    }

    /// The export of that name, if the caller asked for it.
    async fn export(
        &self,
        request: &HttpRequest,
        id: &str,
    ) -> Result<(Job, Vec<JobPart>), Refusal> {
        let bearing = Bearing::of(request)?;
        let found = self.workshop.find(KIND, id).await?.ok_or(Error::NotFound)?;
        let mandate = Mandate::read(&found.0.new.mandate)?;
        let asker = &bearing.principal;
        let is_own = found.0.new.tenant == asker.tenant
            && mandate.client == asker.client
            && mandate.subject == asker.subject
            && found.0.state != JobState::Cancelled;
        if is_own { Ok(found) } else { Err(Error::NotFound.into()) }
    }

    fn manifest(&self, job: &Job, parts: &[JobPart]) -> Result<Value, Error> {
        let ask = Ask::read(&job.new.task)?;
        let mut has_part2 = false;
        let kinds = [FileKind::Output, FileKind::Error, FileKind::Deleted];
        let mut lists = kinds.map(|kind| (kind, Vec::new()));
        for part in parts {
            let file = File::read(part)?;
            has_part2 |= file.part2;
            let url = format!("{}/{}", self.export_url(&job.new.id), part.number);
            for (_, list) in lists.iter_mut().filter(|(kind, _)| *kind == file.kind) {
                list.push(json!({ "type": file.of, "url": url, "count": file.count }));
            }
        }
        let [(_, output), (_, error), (_, deleted)] = lists;
        let mut manifest = json!({
            "transactionTime": bulk::transaction_time(job).to_string(),
            "request": ask.request,
            "requiresAccessToken": true,
            "output": output,
            "deleted": deleted,
            "error": error,
        });
        if let Some(manifest) = manifest.as_object_mut().filter(|_| has_part2) {
            let notice = json!({
                "rule": "42 CFR 2.32", "version": notice::VERSION, "text": notice::STATEMENT,
            });
            manifest.insert("extension".to_owned(), json!({ NOTICES: [notice] }));
        }
        Ok(manifest)
    }
}

/// The permits that a download needs, with what is answered where one does not reach: that of the
/// export, and the caller's own, which may be narrower. Consents are there whatever scopes either has, if
/// they had to go along.
fn permits(
    caller: &Arc<Principal>,
    exporter: &Arc<Principal>,
    of: &str,
) -> Result<Vec<(Permit, Refusal)>, Error> {
    let decide = |who, of: &str| Permit::decide(who, Action::Search, of.to_owned());
    if of == bulk::CONSENT && decide(exporter, of).is_err() {
        return Ok(vec![(decide(&bulk::consents_of(exporter), of)?, Refusal::Gone)]);
    }
    let own = (decide(caller, of)?, Error::Denied.into());
    Ok(vec![(decide(exporter, of)?, Refusal::Gone), own])
}
