//! An answer with content, before it is a response of its own or an entry of a batch.

use actix_web::body::BoxBody;
use actix_web::http::header::{self, HttpDate};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Responder, web};

use super::State;
use super::content::Content;
use super::disclosure::Disclosure;
use super::negotiate::Form;
use super::terms::Terms;
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
    /// What it shows.
    pub(super) disclosure: Disclosure,
    /// What goes along with it.
    pub(super) terms: Terms,
}

impl Answer {
    /// An answer that is no version of a resource.
    pub(super) fn new(body: impl Into<Content>, form: Form) -> Self {
        Self {
            head: None,
            body: Some(body.into()),
            form,
            disclosure: Disclosure::default(),
            terms: Terms::default(),
        }
    }

    /// The answer, with what it shows.
    pub(super) fn showing(self, disclosure: Disclosure) -> Self {
        Self { disclosure, ..self }
    }

    /// The answer, with what goes along.
    pub(super) fn under(mut self, terms: Terms) -> Self {
        if !terms.consents.is_empty() {
            self.disclosure.notes.push(("part2", "true".to_owned()));
            self.disclosure.part2.extend(terms.part2.iter().cloned());
        }
        Self { terms, ..self }
    }

    /// The entity tag, if there is a version.
    pub(super) fn etag(&self) -> Option<String> {
        self.head.as_ref().map(etag)
    }

    /// The status, what says which version it is, and for the gate what is shown.
    pub(super) fn builder(&self, request: &HttpRequest) -> HttpResponseBuilder {
        let mut response = match self.body {
            Some(_) => HttpResponse::Ok(),
            None => HttpResponse::NotModified(),
        };
        response.extensions_mut().insert(self.disclosure.clone());
        if let Some(head) = &self.head {
            response.insert_header((header::ETAG, etag(head)));
            if let Some(at) = head.last_updated {
                let at = std::time::SystemTime::from(at);
                response.insert_header((header::LAST_MODIFIED, HttpDate::from(at)));
            }
        }
        if let Some(state) = request.app_data::<web::Data<State>>().filter(|_| self.body.is_some())
        {
            self.terms.tell(&state.base, &mut response);
        }
        response
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut response = self.builder(request);
        let Some(body) = self.body else { return response.finish() };
        let body = if self.form.pretty { pretty::indent(&body.whole()).into() } else { body };
        response.content_type(self.form.media).body(body.body())
    }
}

fn etag(head: &Head) -> String {
    format!("W/\"{}\"", head.version_id)
}
