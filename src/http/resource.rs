//! A resource on its way out: where its bytes come from, and the header fields that go with them.

use actix_web::http::header::{self, HttpDate};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};

use super::State;
use crate::cache::CacheKey;
use crate::domain::FhirId;
use crate::error::{Error, Result};
use crate::policy::Permit;
use crate::store::{Head, StoredResource};

/// The media type of every answer.
pub(super) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

impl State {
    /// Answers the current version of a resource, its bytes from the cache if they are there.
    ///
    /// The store is asked first which version is current, so that the cache can be stale or gone
    /// and the answer is the same.
    pub(super) async fn current(
        &self,
        permit: &Permit,
        id: &FhirId,
        request: &HttpRequest,
    ) -> Result<HttpResponse> {
        let head = self.store.head(permit, id)?.ok_or(Error::NotFound)?;
        if is_known(request, &head.version_id) {
            return Ok(not_modified(&head));
        }
        let key = CacheKey::new(
            permit.tenant(),
            permit.resource_type(),
            id,
            &head.version_id,
            self.rules.load().maps.hash(),
        );
        // The very version that the key names, even if another has become the current one since.
        let load = || {
            let stored = self.store.version(permit, id, &head.version_id)?;
            Ok(stored.map(|stored| stored.body))
        };
        let body = self.cache.get_or_load(&key, load).await?.ok_or(Error::NotFound)?;
        Ok(respond(&head, Bytes::from_owner(body)))
    }
}

/// Answers one version of a resource.
pub(super) fn version(stored: StoredResource, request: &HttpRequest) -> HttpResponse {
    let head = Head { version_id: stored.version_id, last_updated: stored.last_updated };
    if is_known(request, &head.version_id) {
        not_modified(&head)
    } else {
        respond(&head, Bytes::from_owner(stored.body))
    }
}

fn respond(head: &Head, body: Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(etag(head))
        .insert_header(last_modified(head))
        .content_type(FHIR_JSON)
        .body(body)
}

/// The answer to a caller who has this version already.
fn not_modified(head: &Head) -> HttpResponse {
    HttpResponse::NotModified()
        .insert_header(etag(head))
        .insert_header(last_modified(head))
        .finish()
}

fn etag(head: &Head) -> (header::HeaderName, String) {
    (header::ETAG, format!("W/\"{}\"", head.version_id))
}

fn last_modified(head: &Head) -> (header::HeaderName, HttpDate) {
    let at = std::time::SystemTime::from(head.last_updated);
    (header::LAST_MODIFIED, HttpDate::from(at))
}

/// Whether `If-None-Match` names this version, or any (RFC 9110, 13.1.2).
fn is_known(request: &HttpRequest, version_id: &str) -> bool {
    request
        .headers()
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(str::trim)
        .any(|tag| {
            let opaque = tag.strip_prefix("W/").unwrap_or(tag);
            opaque == "*" || opaque.trim_matches('"') == version_id
        })
}
