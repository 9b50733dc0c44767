//! Reading a record for a page, under the permit of who looks at it.

use serde_json::Value;

use super::guest::Guest;
use super::text::{at, list, text};
use crate::domain::FhirId;
use crate::error::{Error, Result as Outcome};
use crate::fhir::search::Condition;
use crate::fhir::search::param;
use crate::fhir::search::parse::{self, Setting};
use crate::http::asking::Size;
use crate::http::site::Refused;
use crate::policy::{Action, Permit};
use crate::store::StoredResource;

/// Some resources.
pub(super) struct Found {
    /// Those, in order.
    pub(super) resources: Vec<Value>,
    /// Whether there are more.
    pub(super) more: bool,
}

impl Guest {
    /// The resources of a type in the record that match.
    pub(super) async fn search(
        &self,
        resource_type: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<Found, Refused> {
        self.found(resource_type, parameters).await.map_err(|error| self.visit.failed(&error))
    }

    /// One resource of the record, if it may be seen.
    pub(super) async fn read(
        &self,
        resource_type: &'static str,
        id: &str,
    ) -> Result<Option<Value>, Refused> {
        self.one(resource_type, id).await.map_err(|error| self.visit.failed(&error))
    }

    async fn found(
        &self,
        resource_type: &'static str,
        parameters: &[(&str, &str)],
    ) -> Outcome<Found> {
        let state = self.visit.state();
        let permit = Permit::decide(&self.principal, Action::Search, resource_type)?;
        let known = param::search_type(resource_type).ok_or(Error::NotFound)?;
        let pairs = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let mut search = {
            let rules = state.rules.load();
            let (base, value_sets) = (state.base.as_str(), &rules.value_sets);
            let setting = Setting { resource_type: known, base, value_sets, lenient: false };
            parse::parse(setting, pairs.collect())?
        };
        search.query.conditions.push(Condition::Patient(self.chart.patient.clone()));
        let query = search.query;
        let page = state.ask(Size::Many, move |store| store.search(&permit, &query)).await?;
        self.shown.borrow_mut().join(state.disclosure(&page.matches));
        let resources = page.matches.iter().map(parsed).collect::<Outcome<_>>()?;
        Ok(Found { resources, more: page.next.is_some() })
    }

    async fn one(&self, resource_type: &'static str, id: &str) -> Outcome<Option<Value>> {
        let Ok(id) = id.parse::<FhirId>() else { return Ok(None) };
        let state = self.visit.state();
        let permit = Permit::decide(&self.principal, Action::Read, resource_type)?;
        let stored = state.ask(Size::Point, move |store| store.read(&permit, &id)).await?;
        let Some(stored) = stored else { return Ok(None) };
        self.shown.borrow_mut().join(state.disclosure([&stored]));
        parsed(&stored).map(Some)
    }

    /// What somebody is called whom a resource refers to: the person at the page is "you".
    pub(super) async fn name(&self, reference: &str) -> Result<String, Refused> {
        let texts = &self.visit.texts().portal;
        if reference
            == self.principal.fhir_user.as_ref().map_or_else(String::new, ToString::to_string)
        {
            return Ok(texts.you.clone());
        }
        if reference == format!("Patient/{}", self.chart.patient) {
            return Ok(self.chart.name.clone());
        }
        let known = self.names.borrow().get(reference).cloned();
        let name = if let Some(known) = known {
            known
        } else {
            let found = match reference.split_once('/') {
                Some(("Practitioner", id)) => self.read("Practitioner", id).await?,
                Some(("RelatedPerson", id)) => self.read("RelatedPerson", id).await?,
                Some(("Organization", id)) => self.read("Organization", id).await?,
                _ => None,
            };
            let name = found.as_ref().and_then(called);
            self.names.borrow_mut().insert(reference.to_owned(), name.clone());
            name
        };
        Ok(name.unwrap_or_else(|| texts.somebody.clone()))
    }
}

fn parsed(stored: &StoredResource) -> Outcome<Value> {
    serde_json::from_slice(&stored.body).map_err(Error::internal)
}

/// The name of a person or an organization.
fn called(resource: &Value) -> Option<String> {
    if let Some(name) = text(resource, "name") {
        return Some(name.to_owned());
    }
    let name = list(resource, "name").first()?;
    if let Some(whole) = text(name, "text") {
        return Some(whole.to_owned());
    }
    let given = list(name, "given").iter().chain(at(name, "family"));
    let parts: Vec<_> = given.filter_map(Value::as_str).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}
