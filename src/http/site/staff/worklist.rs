//! What people asked about their records, the next to be answered first.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::member::Member;
use super::{DESK, LETTERS, REQUESTS, STEPS};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result as Outcome};
use crate::exchange::requests::{Request, Requests};
use crate::http::html::Visit;
use crate::http::site::portal::wording;
use crate::http::site::{Refused, Why};
use crate::policy::Role;

/// A request with whose record it is about.
pub(super) struct Case {
    pub(super) request: Request,
    /// What the client is called.
    pub(super) name: String,
    pub(super) patient: Option<FhirId>,
}

impl Member {
    /// Asks the requests, aside of those who do not wait for the store.
    pub(super) async fn requests<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Requests, &TenantId) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (state, tenant) = (self.visit.state().clone(), self.tenant.clone());
        web::block(move || question(&state.requests, &tenant)).await.map_err(Error::internal)?
    }

    /// The requests that are theirs to work on.
    async fn cases(&self) -> Result<Vec<Case>, Refused> {
        let found = self.requests(Requests::all).await;
        self.cases_of(found.map_err(|error| self.visit.failed(&error))?).await
    }

    /// One of them. One that is not theirs looks like one that is not there.
    pub(super) async fn case(&self, id: &str) -> Result<Case, Refused> {
        let id = id.to_owned();
        let found = self.requests(move |requests, tenant| requests.request(tenant, &id)).await;
        let found = found.map_err(|error| self.visit.failed(&error))?;
        let mut cases = self.cases_of(found.into_iter().collect()).await?;
        cases.pop().ok_or_else(|| self.visit.refused(Why::Expired))
    }

    async fn cases_of(&self, mut requests: Vec<Request>) -> Result<Vec<Case>, Refused> {
        requests.retain(|request| self.may_work_on(request));
        let named = self.named(requests, |request| &request.client).await?;
        let case = |(request, name, patient)| Case { request, name, patient };
        Ok(named.into_iter().map(case).collect())
    }
}

/// Shows the worklist.
pub(in crate::http) async fn desk(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let cases = member.cases().await?;
    let (open, closed): (Vec<&Case>, Vec<&Case>) =
        cases.iter().partition(|case| !case.request.state.is_closed());
    let (visit, texts) = (&member.visit, &member.visit.texts().desk);
    let body = html! {
        p.lede { (texts.lede) }
        @if member.is(Role::PrivacyOfficer) {
            p { a.button.quiet href=(LETTERS) { (visit.texts().letter.title) } }
        }
        @if open.is_empty() { div.card { p { (texts.none) } } }
        ul.plain.stack.tight { @for case in &open { (row(visit, case)) } }
        @if !closed.is_empty() {
            details {
                summary { (texts.closed) }
                ul.plain.stack.tight { @for case in &closed { (row(visit, case)) } }
            }
        }
    };
    let title = texts.title.clone();
    Ok(member.answer(DESK, &title, body))
}

fn row(visit: &Visit, case: &Case) -> Markup {
    let request = &case.request;
    html! {
        li.card.stack.tight {
            h2 {
                a href={ (STEPS) "/" (request.id) } {
                    bdi { (case.name) } ": " (wording::case(visit, request.matter))
                }
            }
            p.row { (badge(visit, request)) span { (wording::standing(visit, request)) } }
        }
    }
}

/// Where a request is.
pub(super) fn badge(visit: &Visit, request: &Request) -> Markup {
    let class = if request.is_overdue() { "badge caution" } else { "badge" };
    html! { span class=(class) { (wording::stage(visit, request.state)) } }
}
