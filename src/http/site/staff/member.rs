//! A member of staff at the desk, and the frame of its pages.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::{DESK, TABS};
use crate::audit::Actor;
use crate::domain::{FhirId, TenantId};
use crate::error::Result as Outcome;
use crate::exchange::people::{Duties, Person};
use crate::exchange::requests::Request;
use crate::http::disclosure::Disclosure;
use crate::http::html::{Page, Visit};
use crate::http::site::{Refused, Why, ask, entered, go};
use crate::policy::{Principal, Role};

/// The client that the desk is, for the audit.
const CLIENT: &str = "desk";

/// Somebody of the practice who is signed in.
pub(in crate::http::site) struct Member {
    pub(in crate::http::site) visit: Visit,
    pub(in crate::http::site) person: Person,
    pub(in crate::http::site) duties: Duties,
    pub(in crate::http::site) tenant: TenantId,
    /// Clients whose records are not theirs to decide on.
    close: BTreeSet<String>,
    /// Clients whom they treat now.
    treats: BTreeSet<String>,
    /// What was shown so far.
    pub(in crate::http::site) shown: RefCell<Disclosure>,
}

impl Member {
    /// Lets in who has one of these roles now; or sends them where they have to go first.
    pub(in crate::http::site) async fn enter(
        visit: Visit,
        request: &HttpRequest,
        roles: &[Role],
    ) -> Result<Self, Refused> {
        let session = entered(&visit, request, DESK).await?;
        let person = session.person;
        let of = person.clone();
        let known = ask(&visit, move |sign_in| {
            let people = sign_in.people();
            let Some(duties) = people.duties(&of)? else { return Ok(None) };
            Ok(Some((duties, people.close_to(&of)?, people.clients_of(&of)?)))
        });
        let Some((duties, close, treats)) = known.await? else {
            return Err(visit.refused(Why::Forbidden));
        };
        if !roles.iter().any(|role| duties.roles.contains(role)) {
            return Err(visit.refused(Why::Forbidden));
        }
        let tenant = visit.tenant()?;
        // The gate writes down who this was and what they were shown.
        request.extensions_mut().insert(Arc::new(Principal {
            client: CLIENT.to_owned(),
            fhir_user: duties.user.parse().ok(),
            ..Principal::new(tenant.clone(), person.subject.clone(), "")
        }));
        let shown = RefCell::default();
        Ok(Self { visit, person, duties, tenant, close, treats, shown })
    }

    /// Whether they have this role.
    pub(in crate::http::site) fn is(&self, role: Role) -> bool {
        self.duties.roles.contains(&role)
    }

    /// Who they are to what is written down, in a role that they have.
    pub(super) fn actor(&self, role: Role) -> Actor {
        Actor {
            subject: self.person.subject.clone(),
            client: Some(CLIENT.to_owned()),
            user: Some(self.duties.user.clone()),
            role: Some(role.as_str().to_owned()),
            ..Actor::default()
        }
    }

    /// Whether a request is theirs to work on: it is neither about their own record nor about that of
    /// somebody they act for, and they answer for all requests, or treat the client, or may judge anew
    /// what others have denied.
    pub(in crate::http::site) fn may_work_on(&self, request: &Request) -> bool {
        let is_theirs = self.is(Role::PrivacyOfficer)
            || self.treats.contains(&request.client)
            || (self.duties.is_licensed && request.is_appealed());
        is_theirs && !self.is_close_to(&request.client)
    }

    /// Whether they treat a client now.
    pub(in crate::http::site) fn treats(&self, client: &str) -> bool {
        self.treats.contains(client)
    }

    /// The clients whom they treat now.
    pub(in crate::http::site) fn treated(&self) -> impl Iterator<Item = String> + '_ {
        self.treats.iter().cloned()
    }

    /// Whether a client's record is not theirs to decide on.
    pub(in crate::http::site) fn is_close_to(&self, client: &str) -> bool {
        self.close.contains(client)
    }

    /// What each client is called whom something is about; it is noted that this is shown.
    pub(super) async fn named<T: Send + 'static>(
        &self,
        about: Vec<T>,
        client: fn(&T) -> &str,
    ) -> Result<Vec<(T, String, Option<FhirId>)>, Refused> {
        let named = ask(&self.visit, move |sign_in| {
            let named = about.into_iter().map(|one| {
                let (name, patient) = sign_in.people().named(client(&one))?;
                Ok((one, name, patient))
            });
            named.collect::<Outcome<Vec<_>>>()
        });
        let named = named.await?;
        for (_, _, patient) in &named {
            self.show(patient.as_ref());
        }
        Ok(named)
    }

    /// Has something written down with what is done: a code or a number.
    pub(in crate::http::site) fn note(&self, name: &'static str, value: &str) {
        self.shown.borrow_mut().notes.push((name, value.to_owned()));
    }

    /// Notes that something of a patient's record is shown.
    pub(in crate::http::site) fn show(&self, patient: Option<&FhirId>) {
        let mut shown = self.shown.borrow_mut();
        if let Some(patient) = patient.filter(|patient| !shown.patients.contains(patient)) {
            shown.patients.push(patient.clone());
        }
    }

    /// A page, with the way to the others around it.
    pub(in crate::http::site) fn answer(
        self,
        here: &str,
        title: &str,
        body: Markup,
    ) -> HttpResponse {
        let mut page = Page::new(title, body);
        page.signed_in = Some(&self.person.name);
        page.nav = Some(self.nav(here));
        let mut response = page.answer(&self.visit);
        response.extensions_mut().insert(self.shown.into_inner());
        response
    }

    /// Sends the browser on.
    pub(in crate::http::site) fn go(self, address: &str) -> HttpResponse {
        let mut response = go(&self.visit, address);
        response.extensions_mut().insert(self.shown.into_inner());
        response
    }

    fn nav(&self, here: &str) -> Markup {
        let texts = self.visit.texts();
        let tabs = TABS.iter().filter(|tab| tab.roles.iter().any(|role| self.is(*role)));
        html! {
            nav.tabs aria-label=(texts.desk.nav) {
                div.wide {
                    ul {
                        @for tab in tabs {
                            li {
                                @if tab.path == here {
                                    a href=(tab.path) aria-current="page" { ((tab.name)(texts)) }
                                } @else {
                                    a href=(tab.path) { ((tab.name)(texts)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
