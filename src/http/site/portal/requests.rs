//! What somebody asked, where it is, and what they can do about it.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::guest::{Guest, RECORD};
use super::{ASK, REQUESTS, copy, correction, wording};
use crate::domain::TenantId;
use crate::error::{Error, Result as Outcome};
use crate::exchange::requests::{By, Request, Requests, Step};
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::receivers::chosen;
use crate::http::site::{Refused, Why};
use crate::policy::request::Event;

/// The parameter of somebody who has just asked.
const SENT: &str = "sent";
/// The parameter of somebody whose form could not be taken.
const WRONG: &str = "wrong";

impl Guest {
    /// Asks the requests, aside of those who do not wait for the store.
    pub(super) async fn requests<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Requests, &TenantId) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (state, tenant) = (self.visit.state().clone(), self.principal.tenant.clone());
        web::block(move || question(&state.requests, &tenant)).await.map_err(Error::internal)?
    }

    /// Whether they made a request themself. What another wrote, and what was written or given to them, may
    /// be what is withheld from this one.
    fn is_asker(&self, request: &Request) -> bool {
        match self.party() {
            None => self.is_own() && !request.is_by_another(),
            Some(party) => request.party() == Some(party.as_str()),
        }
    }

    /// The requests that they may see: those that they made themself.
    async fn own_requests(&self) -> Result<Vec<Request>, Refused> {
        let client = self.chart.client.clone();
        let found =
            self.requests(move |requests, tenant| requests.of_client(tenant, &client)).await;
        let mut found = found.map_err(|error| self.visit.failed(&error))?;
        found.retain(|request| self.is_asker(request));
        Ok(found)
    }

    pub(super) async fn own_request(&self, id: &str) -> Result<Request, Refused> {
        let mut found = self.own_requests().await?;
        found.retain(|request| request.id == id);
        // One that is another's looks like one that is not there.
        found.pop().ok_or_else(|| self.visit.refused(Why::Expired))
    }
}

/// Shows all of them.
pub(in crate::http) async fn requests(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let found = guest.own_requests().await?;
    let texts = &guest.visit.texts().requests;
    let body = html! {
        p.lede { (texts.lede) }
        @if found.is_empty() { div.card { p { (texts.none) } } }
        ul.plain.stack.tight { @for one in &found { (row(&guest, one)) } }
        p { a.button href=(guest.address(ASK, &[])) { (texts.ask) } }
    };
    let title = guest.visit.texts().portal.requests.clone();
    Ok(guest.answer(REQUESTS, &title, &body))
}

fn row(guest: &Guest, request: &Request) -> Markup {
    let visit = &guest.visit;
    html! {
        li.card.stack.tight {
            h2 {
                a href=(guest.address(&format!("{REQUESTS}/{}", request.id), &[])) {
                    (wording::matter(visit, request.matter))
                }
            }
            p.row {
                (badge(visit, request))
                span { (wording::standing(visit, request)) }
            }
            p.soft.small { (received(visit, request)) }
        }
    }
}

fn badge(visit: &Visit, request: &Request) -> Markup {
    let class = if request.is_overdue() { "badge caution" } else { "badge" };
    html! { span class=(class) { (wording::state(visit, request.state)) } }
}

fn received(visit: &Visit, request: &Request) -> String {
    let on = wording::day(visit, request.received_on);
    fill(&visit.texts().requests.received, &[("date", &on)])
}

/// Shows one.
pub(in crate::http) async fn request(
    visit: Visit,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let found = guest.own_request(&id).await?;
    let copy = guest.copy(&found).await?;
    let entry = guest.entry_of(&found).await?;
    let receivers = guest.receivers_of(&found).await?;
    let (visit, texts) = (&guest.visit, &guest.visit.texts().requests);
    let body = html! {
        @if visit.parameter(SENT).is_some() {
            div role="status" { (notice(Tone::Calm, &texts.sent_title, &texts.sent)) }
        }
        @if visit.parameter(WRONG).is_some() {
            @let texts = &visit.texts().correction;
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        section.card.stack aria-labelledby="now" {
            h2 #now { (texts.now) }
            p.row { (badge(visit, &found)) }
            p { strong { (wording::standing(visit, &found)) } }
            @if found.is_overdue() { p { (texts.overdue_hint) } }
        }
        (copy::section(&guest, &found, &copy))
        (correction::section(&guest, &found, entry.as_ref(), receivers.as_deref()))
        (letters(visit, &found))
        (asked_for(visit, &found))
        (history(visit, &found))
        (steps(&guest, &found))
        p { a href=(guest.address(REQUESTS, &[])) { (texts.all) } }
    };
    let title = wording::matter(visit, found.matter).to_owned();
    Ok(guest.answer(REQUESTS, &title, &body))
}

fn asked_for(visit: &Visit, request: &Request) -> Markup {
    let texts = &visit.texts().requests;
    let scope = &request.scope;
    let day =
        |day: &Option<String>| day.as_ref().map(|day| crate::http::site::date::partial(visit, day));
    html! {
        section.stack aria-labelledby="asked" {
            h2 #asked { (texts.asked) }
            dl.facts {
                dt { (texts.on) } dd { (wording::day(visit, request.received_on)) }
                @if let Some(name) = request.requester.as_ref().and_then(|one| one.name.as_ref()) {
                    dt { (texts.by) } dd { bdi { (name) } }
                }
                @if let Some(from) = day(&scope.from) { dt { (texts.from) } dd { (from) } }
                @if let Some(to) = day(&scope.to) { dt { (texts.to) } dd { (to) } }
                @if let Some(format) = scope.format.as_ref() {
                    dt { (texts.format) } dd { (visit.texts().formats.get(format).unwrap_or(format)) }
                }
            }
            @if let Some(words) = &request.statement {
                h3 { (texts.statement) }
                div.card { p.words dir="auto" { (words) } }
            }
        }
    }
}

fn history(visit: &Visit, request: &Request) -> Markup {
    let texts = &visit.texts().requests;
    html! {
        section.stack aria-labelledby="history" {
            h2 #history { (texts.history) }
            ol.timeline {
                li {
                    p.when { (wording::day(visit, request.received_on)) }
                    div.entry { p { (texts.arrived) } }
                }
                @for step in &request.history {
                    li {
                        p.when { (wording::day(visit, step.on)) }
                        div.entry.stack.tight {
                            p {
                                (wording::event(visit, step.event))
                                @if let Some(until) = step.until {
                                    " " (fill(&texts.until, &[("date", &wording::day(visit, until))]))
                                }
                            }
                            @if let Some(reason) = &step.reason { p.words dir="auto" { (reason) } }
                        }
                    }
                }
            }
        }
    }
}

/// What was written to them about it.
fn letters(visit: &Visit, request: &Request) -> Markup {
    let own: Vec<_> = request.letters.iter().filter(|letter| letter.to.is_none()).collect();
    html! {
        @if !own.is_empty() {
            section.stack aria-labelledby="letters" {
                h2 #letters { (visit.texts().requests.letters) }
                @for letter in own {
                    div.card { p.words dir="auto" lang=(letter.language) { (letter.text) } }
                }
            }
        }
    }
}

/// What they can do about it.
fn steps(guest: &Guest, request: &Request) -> Markup {
    let (visit, texts) = (&guest.visit, &guest.visit.texts().requests);
    let can = |event| request.is_ours() && request.state.after(event).is_some();
    let form = |event: Event, label: &str, hint: &str, class: &str| {
        html! {
            form method="post" action=(REQUESTS) class="stack tight" {
                (csrf(&visit.csrf(REQUESTS)))
                (guest.field())
                input type="hidden" name="request" value=(request.id);
                input type="hidden" name="step" value=(event.as_str());
                p.soft.small { (hint) }
                div.actions { button class=(class) type="submit" { (label) } }
            }
        }
    };
    html! {
        @if request.is_ours() && request.may_be_reviewed() {
            (form(Event::ReviewRequested, &texts.review, &texts.review_hint, ""))
        }
        @if can(Event::Withdraw) {
            (form(Event::Withdraw, &texts.withdraw, &texts.withdraw_hint, "quiet"))
        }
    }
}

/// Takes a request back, asks for a denial to be reviewed, or says something about the answer.
pub(in crate::http) async fn change(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let guest = Guest::enter(visit, &request, form.value(RECORD)).await?;
    let found = guest.own_request(form.value("request").unwrap_or_default()).await?;
    let event = form.value("step").and_then(|step| step.parse::<Event>().ok());
    let event = event.ok_or_else(|| guest.visit.refused(Why::Expired))?;
    let receivers = guest.receivers_of(&found).await?;
    let words = form.value("reason").filter(|_| event == Event::Disagree);
    let step = Step {
        reason: words.map(str::to_owned),
        tell: receivers.map_or_else(Vec::new, |found| chosen(&form, &found)),
        ..Step::new(event, By::Requester)
    };
    let id = found.id.clone();
    let done = guest.requests(move |requests, tenant| requests.step(tenant, &id, step)).await;
    let place = format!("{REQUESTS}/{}", found.id);
    match done {
        // Somebody moved it on meanwhile: the page says where it is.
        Ok(_) | Err(Error::Conflict { .. }) => {}
        Err(Error::Invalid { .. }) => {
            let address = guest.address(&place, &[(WRONG, "1")]);
            return Ok(guest.go(&address));
        }
        Err(error) => return Err(guest.visit.failed(&error)),
    }
    let address = guest.address(&place, &[]);
    Ok(guest.go(&address))
}
