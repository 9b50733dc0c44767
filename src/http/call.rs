//! A question about resources, as it came by itself or in a batch: who asks, with which
//! parameters, what they have already, and how the answer is to be written.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::conditions::Conditions;
use super::gate::Caller;
use super::negotiate::Form;
use super::parameters::{self, Pairs};
use super::{Refusal, State, prefer, shape};
use crate::error::Error;
use crate::fhir::subset::View;
use crate::policy::Principal;

/// A question, apart from its path.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// Who asks.
    pub(super) principal: Arc<Principal>,
    /// The parameters of the URL.
    pub(super) parameters: Pairs,
    /// Whether parameters that are not understood are to be ignored.
    pub(super) lenient: bool,
    /// What the caller has already.
    pub(super) conditions: Conditions,
    /// How the answer is written.
    pub(super) form: Form,
}

impl Call {
    /// The question of a request, and the form of the answer, which may be one that is not given.
    pub(super) fn of(request: &HttpRequest) -> Result<(Self, Result<Form, Refusal>), Refusal> {
        let Caller(principal) = Caller::of(request)?;
        let parameters = parameters::parse(request.query_string())?;
        let headers = request.headers();
        let form = Form::of(headers, &parameters);
        let call = Self {
            principal,
            lenient: prefer::is_lenient(headers),
            conditions: Conditions::of(headers),
            form: *form.as_ref().unwrap_or(&Form::FHIR),
            parameters,
        };
        Ok((call, form))
    }

    /// How much of a resource is asked for; any parameter but those of the form and `others` is
    /// refused, or ignored if the caller likes that better.
    pub(super) fn view(
        &self,
        state: &State,
        resource_type: &str,
        others: &[&str],
    ) -> Result<View, Refusal> {
        let mut view = None;
        for (name, value) in &self.parameters {
            let formal = matches!(name.as_str(), "_format" | "_pretty");
            if shape::take(&mut view, &state.elements, resource_type, (name, value))? || formal {
                continue;
            }
            if !self.lenient && !others.contains(&name.as_str()) {
                let hint = "this interaction has no such parameter: leave it out";
                return Err(Error::not_supported(name, hint).into());
            }
        }
        Ok(view.unwrap_or_default())
    }
}

impl FromRequest for Call {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).and_then(|(call, form)| form.map(|_| call)))
    }
}
