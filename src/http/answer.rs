//! An answer with content, before it is a response of its own or an entry of a batch.

use actix_web::body::BoxBody;
use actix_web::http::header::{self, HttpDate};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder};

use super::content::Content;
use super::negotiate::Form;
use crate::fhir::pretty;
use crate::store::Head;

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// The version, where one resource is answered.
    pub(super) head: Option<Head>,
    /// The JSON; `None` where the caller has it already.
    pub(super) body: Option<Content>,
    /// How it is written.
    pub(super) form: Form,
}

impl Answer {
    /// An answer that is no version of a resource.
    pub(super) fn new(body: impl Into<Content>, form: Form) -> Self {
        Self { head: None, body: Some(body.into()), form }
    }

    /// The entity tag, if there is a version.
    pub(super) fn etag(&self) -> Option<String> {
        self.head.as_ref().map(etag)
    }

    /// The status and what says which version it is.
    pub(super) fn builder(&self) -> HttpResponseBuilder {
        let mut response = match self.body {
            Some(_) => HttpResponse::Ok(),
            None => HttpResponse::NotModified(),
        };
        if let Some(head) = &self.head {
            let at = std::time::SystemTime::from(head.last_updated);
            response
                .insert_header((header::ETAG, etag(head)))
                .insert_header((header::LAST_MODIFIED, HttpDate::from(at)));
        }
        response
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _request: &HttpRequest) -> HttpResponse {
        let mut response = self.builder();
        let Some(body) = self.body else { return response.finish() };
        let body = if self.form.pretty { pretty::indent(&body.whole()).into() } else { body };
        response.content_type(self.form.media).body(body.body())
    }
}

fn etag(head: &Head) -> String {
    format!("W/\"{}\"", head.version_id)
}
