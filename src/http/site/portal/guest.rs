//! Who is at the portal, and whose record they look at.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use jiff::Timestamp;
use maud::{Markup, html};

use super::{ASK, CONSENTS, PLAN, PORTAL, REQUESTS, SEEN};
use crate::exchange::people::{Chart, Person, Relation};
use crate::http::disclosure::Disclosure;
use crate::http::html::{Page, Tone, Visit, fill, notice};
use crate::http::site::{APPS, Refused, Why, ask, entered, go};
use crate::policy::{FhirUser, Obligations, Principal, Under};

/// The parameter that names the record of another.
pub(super) const RECORD: &str = "record";
/// The most records that somebody may choose among.
const MOST: usize = 200;
/// What a person may read of their own record, and what somebody who acts for them.
const OWN_SCOPES: &str = "patient/*.rs patient/Consent.cu patient/AuditEvent.rs fhirUser";
const PROXY_SCOPES: &str = "patient/*.rs patient/Consent.cu fhirUser";
/// The client that the portal is, for the audit.
const CLIENT: &str = "portal";

/// Somebody who is signed in and looks at a record.
pub(super) struct Guest {
    pub(super) visit: Visit,
    pub(super) person: Person,
    /// The record.
    pub(super) chart: Chart,
    /// Those that they may look at.
    charts: Vec<Chart>,
    /// As whom they act for the client, where the record is another's.
    party: Option<String>,
    pub(super) principal: Arc<Principal>,
    pub(super) now: Timestamp,
    /// When they proved who they are, if that is known.
    pub(super) proven: Option<Timestamp>,
    /// What was shown so far.
    pub(super) shown: RefCell<Disclosure>,
    /// What people are called, by reference.
    pub(super) names: RefCell<BTreeMap<String, Option<String>>>,
}

impl Guest {
    /// Lets somebody in who is signed in and has a record to look at.
    pub(super) async fn enter(
        visit: Visit,
        request: &HttpRequest,
        chosen: Option<&str>,
    ) -> Result<Self, Refused> {
        let session = entered(&visit, request, PORTAL).await?;
        let (person, proven) = (session.person, session.proven);
        let of = person.clone();
        let mut charts =
            ask(&visit, move |sign_in| sign_in.people().charts(&of, "", MOST)).await?.charts;
        charts.retain(|chart| chart.relation != Relation::Staff);
        let wanted = |chart: &&Chart| chosen.is_none_or(|id| chart.patient.as_str() == id);
        let Some(chart) = charts.iter().find(wanted).cloned() else {
            // A record that is another's looks like one that is not there.
            return Err(match chosen {
                Some(_) => visit.refused(Why::Expired),
                None => Refused::without_record(&visit, &person),
            });
        };
        let party = visit.sign_in()?.people().party_of(&person, &chart);
        let now = visit.sign_in()?.now();
        let user: FhirUser =
            chart.fhir_user.parse().map_err(|()| visit.refused(Why::Unavailable))?;
        let scopes = if chart.relation == Relation::Own { OWN_SCOPES } else { PROXY_SCOPES };
        let principal = Arc::new(Principal {
            client: CLIENT.to_owned(),
            patient: Some(chart.patient.clone()),
            under: Under::of_person(&user),
            fhir_user: Some(user),
            ..Principal::new(visit.tenant()?, person.subject.clone(), scopes)
        })
        .asking_at(now, Obligations::OF_READING);
        // The gate writes down who this was and what they were shown.
        request.extensions_mut().insert(Arc::clone(&principal));
        let shown = RefCell::new(Disclosure {
            patients: vec![chart.patient.clone()],
            notes: vec![("basis", "patient_access".to_owned())],
            ..Disclosure::default()
        });
        let names = RefCell::default();
        Ok(Self { visit, person, chart, charts, party, principal, now, proven, shown, names })
    }

    /// Whether the record is their own.
    pub(super) fn is_own(&self) -> bool {
        self.chart.relation == Relation::Own
    }

    /// The platform's id of the record that they are, where they act for the client.
    pub(super) fn party(&self) -> Option<String> {
        self.party.clone()
    }

    /// The address of a page about the same record.
    pub(super) fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let is_first = self.charts.first().is_some_and(|first| first.patient == self.chart.patient);
        let record = (!is_first).then_some((RECORD, self.chart.patient.as_str()));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(record).extend_pairs(more);
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// The hidden field of a form about the same record.
    pub(super) fn field(&self) -> Markup {
        html! { input type="hidden" name=(RECORD) value=(self.chart.patient.as_str()); }
    }

    /// A page, with the way to the others around it.
    pub(super) fn answer(self, here: &str, title: &str, body: &Markup) -> HttpResponse {
        let body = html! { (self.whose(here)) (body) };
        let mut page = Page::new(title, body);
        page.signed_in = Some(&self.person.name);
        page.nav = Some(self.nav(here));
        let mut response = page.answer(&self.visit);
        response.extensions_mut().insert(self.shown.into_inner());
        response
    }

    /// An answer, with what it shows.
    pub(super) fn showing(self, mut response: HttpResponse) -> HttpResponse {
        response.extensions_mut().insert(self.shown.into_inner());
        response
    }

    /// Sends the browser on to a page about the same record.
    pub(super) fn go(self, address: &str) -> HttpResponse {
        let mut response = go(&self.visit, address);
        response.extensions_mut().insert(self.shown.into_inner());
        response
    }

    /// What the record is called: "my record", for whose it is.
    pub(super) fn record(&self) -> &String {
        let texts = &self.visit.texts().portal;
        if self.is_own() { &texts.record } else { &texts.record_other }
    }

    /// What the consents are called.
    pub(super) fn consents(&self) -> &String {
        let texts = &self.visit.texts().portal;
        if self.is_own() { &texts.consents } else { &texts.consents_other }
    }

    fn nav(&self, here: &str) -> Markup {
        let texts = &self.visit.texts().portal;
        let mut pages = vec![
            (PORTAL, self.record()),
            (PLAN, &texts.plan),
            (ASK, &texts.ask),
            (REQUESTS, &texts.requests),
        ];
        if self.is_own() {
            pages.push((SEEN, &texts.seen));
        }
        pages.push((CONSENTS, self.consents()));
        html! {
            nav.tabs aria-label=(texts.nav) {
                div.wide {
                    ul {
                        @for (path, name) in pages {
                            li {
                                @if path == here {
                                    a href=(self.address(path, &[])) aria-current="page" { (name) }
                                } @else {
                                    a href=(self.address(path, &[])) { (name) }
                                }
                            }
                        }
                        li { a href=(APPS) { (self.visit.texts().frame.apps) } }
                    }
                }
            }
        }
    }

    /// Whose record it is, where it is another's or there are several.
    fn whose(&self, here: &str) -> Markup {
        let texts = &self.visit.texts().portal;
        let others = self.charts.iter().filter(|chart| chart.patient != self.chart.patient);
        let others: Vec<_> = others.collect();
        html! {
            @if !self.is_own() {
                (notice(Tone::Calm, &fill(&texts.of, &[("name", &self.chart.name)]), &texts.proxy))
            }
            @if !others.is_empty() {
                p.small {
                    (texts.others) " "
                    @for chart in others {
                        a href={ (here) "?" (RECORD) "=" (chart.patient.as_str()) } { (chart.name) }
                        " "
                    }
                }
            }
        }
    }
}
