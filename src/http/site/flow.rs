//! An app's request on its way through the pages: who is signed in, whose record, which session,
//! and then the decision.
//!
//! Each page works the way out anew from what is stored, so that no page can be skipped, and none
//! trusts what the one before it let choose.

use actix_web::{HttpRequest, HttpResponse};

use super::{CONSENT, Refused, Why, ask, decide, go, login, session};
use crate::error::Error;
use crate::exchange::people::{Chart, Charts, Relation, Session as Visited};
use crate::exchange::sign_in::{Choice, Session};
use crate::http::authorize;
use crate::http::html::Visit;
use crate::policy::Plain;
use crate::smart::{Authority, Pending, SignedIn, Unasked};

/// The parameter that names the request.
pub(super) const REQUEST: &str = "request";
/// The parameter of somebody who has just signed in anew.
const ANEW: &str = "anew";
/// The parameter by which a long list is cut down.
pub(super) const NAME: &str = "name";
/// The most entries of a list.
pub(super) const MOST: usize = 20;

/// An app's request, and who is at it.
pub(super) struct Flow {
    pub(super) id: String,
    pub(super) browser: String,
    pub(super) pending: Pending,
    pub(super) session: Session,
}

/// What is next.
pub(super) enum Step {
    /// To choose a record.
    Chart(Charts),
    /// To choose a session of the record.
    Visit(Vec<Visited>),
    /// To decide.
    Decide(Box<Subject>),
}

/// What the decision is about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The record, if it is about one.
    pub(super) chart: Option<Chart>,
    /// The session and the record.
    pub(super) choice: Choice,
    /// The resource that the person is.
    pub(super) fhir_user: String,
}

/// Where somebody goes on with a request.
pub(super) fn address(id: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair(REQUEST, id);
    format!("{CONSENT}?{}", query.finish())
}

/// When somebody signed in.
fn signed_in(session: &Session) -> SignedIn {
    SignedIn { entered: session.entered, proven: session.proven }
}

impl Flow {
    /// The request of that name, for who is signed in; or where to sign in.
    pub(super) async fn open(
        visit: &Visit,
        request: &HttpRequest,
        id: &str,
    ) -> Result<Result<Self, HttpResponse>, Refused> {
        let browser = authorize::browser(request, id);
        let browser = browser.ok_or_else(|| visit.refused(Why::Expired))?;
        let (name, shown) = (id.to_owned(), browser.clone());
        let pending = decide(visit, move |authority| authority.pending(&name, &shown)).await?;
        let wants = |wanted: &str| {
            pending.prompt.as_deref().is_some_and(|p| p.split(' ').any(|word| word == wanted))
        };
        let session = session(visit).await?;
        if wants("none") {
            return Self::unasked(visit, id, browser, pending, session).await.map(Err);
        }
        let Some(session) = session else {
            let is_anew = pending.recency.is_anew();
            return Ok(Err(go(visit, &login::address(&address(id), is_anew))));
        };
        let sign_in = visit.sign_in()?;
        if *sign_in.people().tenant() != pending.client.tenant {
            return Err(visit.refused(Why::Forbidden));
        }
        if !pending.recency.is_met(signed_in(&session)) {
            if visit.parameter(ANEW).is_some() {
                return Err(visit.refused(Why::SignIn));
            }
            let place = format!("{}&{ANEW}=1", address(id));
            return Ok(Err(go(visit, &login::address(&place, true))));
        }
        Ok(Ok(Self { id: id.to_owned(), browser, pending, session }))
    }

    /// Sends somebody back who is not to be asked anything, with what they would have to be asked:
    /// nobody but the person decides, so there always is something.
    async fn unasked(
        visit: &Visit,
        id: &str,
        browser: String,
        pending: Pending,
        session: Option<Session>,
    ) -> Result<HttpResponse, Refused> {
        let id = id.to_owned();
        let recent = |session: &Session| pending.recency.is_met(signed_in(session));
        let missing = match session.filter(recent) {
            None => Unasked::Login,
            Some(session) => {
                let (id, browser) = (id.clone(), browser.clone());
                let flow = Self { id, browser, pending, session };
                let tenant = &flow.pending.client.tenant;
                let is_theirs = visit.sign_in()?.people().tenant() == tenant;
                match flow.step(visit).await {
                    Ok(Step::Decide(_)) if is_theirs => Unasked::Consent,
                    _ => Unasked::Choice,
                }
            }
        };
        let back = move |authority: &Authority| authority.leave_unasked(&id, &browser, missing);
        Ok(go(visit, &decide(visit, back).await?))
    }

    /// What is next.
    pub(super) async fn step(&self, visit: &Visit) -> Result<Step, Refused> {
        let (id, at) = (self.id.clone(), visit.id().to_owned());
        let chosen = ask(visit, move |sign_in| sign_in.chosen(&at, &id)).await?;
        let launch = self.pending.launch.clone();
        let user = launch.as_ref().and_then(|launch| launch.user.as_ref()).map(ToString::to_string);
        let launched = launch.as_ref().and_then(|launch| launch.patient.clone());
        let needs_chart = self.pending.scopes.need_patient() || launched.is_some();
        let person = self.session.person.clone();
        if !needs_chart {
            let known = ask(visit, move |sign_in| sign_in.people().fhir_user(&person));
            let fhir_user = known.await?.ok_or_else(|| visit.refused(Why::Forbidden))?;
            if user.is_some_and(|user| user != fhir_user) {
                return Err(visit.refused(Why::Forbidden));
            }
            let choice = Choice::default();
            return Ok(Step::Decide(Box::new(Subject { chart: None, choice, fhir_user })));
        }
        let Some(patient) = launched.clone().or(chosen.patient) else {
            return self.charts(visit).await;
        };
        let chart =
            ask(visit, move |sign_in| sign_in.people().chart(&person, &patient, user.as_deref()))
                .await?;
        let chart = chart.ok_or_else(|| visit.refused(Why::Forbidden))?;
        let launched = launch.and_then(|launch| launch.encounter);
        let encounter = launched.or(chosen.encounter);
        self.within(visit, chart, encounter).await
    }

    /// The records to choose from; where there is but one's own, it is chosen.
    async fn charts(&self, visit: &Visit) -> Result<Step, Refused> {
        let person = self.session.person.clone();
        let name = visit.parameter(NAME).unwrap_or_default().to_owned();
        let is_cut = !name.is_empty();
        let charts =
            ask(visit, move |sign_in| sign_in.people().charts(&person, &name, MOST)).await?;
        match charts.charts.as_slice() {
            [only] if only.relation == Relation::Own && !is_cut => {
                self.within(visit, only.clone(), None).await
            }
            _ => Ok(Step::Chart(charts)),
        }
    }

    /// What is next within a record.
    async fn within(
        &self,
        visit: &Visit,
        chart: Chart,
        encounter: Option<crate::domain::FhirId>,
    ) -> Result<Step, Refused> {
        if let Some(encounter) = encounter.clone() {
            let of = chart.clone();
            let is_there =
                ask(visit, move |sign_in| sign_in.people().is_session(&of, &encounter)).await?;
            if !is_there {
                return Err(visit.refused(Why::Forbidden));
            }
        } else if self.pending.scopes.has(Plain::LaunchEncounter) {
            let of = chart.clone();
            let sessions = ask(visit, move |sign_in| sign_in.people().sessions(&of, MOST)).await?;
            if !sessions.is_empty() {
                return Ok(Step::Visit(sessions));
            }
        }
        let fhir_user = chart.fhir_user.clone();
        let choice = Choice { patient: Some(chart.patient.clone()), encounter };
        Ok(Step::Decide(Box::new(Subject { chart: Some(chart), choice, fhir_user })))
    }

    /// What somebody chose from one of the lists.
    pub(super) async fn choose(
        &self,
        visit: &Visit,
        patient: Option<&str>,
        encounter: Option<&str>,
    ) -> Result<bool, Refused> {
        let step = self.step(visit).await?;
        let choice = match step {
            Step::Chart(_) => {
                let Some(patient) = patient.and_then(|id| id.parse().ok()) else {
                    return Ok(false);
                };
                let (person, wanted) = (self.session.person.clone(), patient);
                let chart = ask(visit, move |sign_in| {
                    let chart = sign_in.people().chart(&person, &wanted, None)?;
                    chart.ok_or(Error::Denied)
                });
                Choice { patient: Some(chart.await?.patient), encounter: None }
            }
            Step::Visit(sessions) => {
                let is_it = |session: &&Visited| encounter == Some(session.encounter.as_str());
                let Some(session) = sessions.iter().find(is_it) else { return Ok(false) };
                let (id, at) = (self.id.clone(), visit.id().to_owned());
                let chosen = ask(visit, move |sign_in| sign_in.chosen(&at, &id)).await?;
                Choice { encounter: Some(session.encounter.clone()), ..chosen }
            }
            Step::Decide(subject) => subject.choice,
        };
        let (id, at) = (self.id.clone(), visit.id().to_owned());
        ask(visit, move |sign_in| sign_in.choose(&at, &id, &choice)).await?;
        Ok(true)
    }
}
