//! One request: what was asked, what was done, and what is next.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::member::Member;
use super::worklist::badge;
use super::{DESK, REQUESTS, STEPS};
use crate::error::Error;
use crate::exchange::requests::{By, LONGEST, Request, Step};
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::portal::wording;
use crate::http::site::{Refused, Why};
use crate::policy::Role;
use crate::policy::request::Event;

/// The parameter of a step that could not be taken.
const WRONG: &str = "wrong";

/// Shows one request with the steps that can be taken.
pub(in crate::http) async fn case(
    visit: Visit,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refused> {
    let member = match Member::enter(visit, &request, REQUESTS).await? {
        Ok(member) => member,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let case = member.case(&id).await?;
    let (visit, request) = (&member.visit, &case.request);
    let texts = &visit.texts().desk;
    let asker = request.requester.as_ref().and_then(|one| one.name.as_deref());
    let body = html! {
        @if visit.parameter(WRONG).is_some() {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        section.card.stack.tight aria-labelledby="now" {
            h2 #now { bdi { (case.name) } }
            p.row { (badge(visit, request)) span { (wording::standing(visit, request)) } }
            p.soft.small {
                (fill(&visit.texts().requests.received, &[
                    ("date", &wording::day(visit, request.received_on)),
                ]))
                @if let Some(asker) = asker { " · " (fill(&texts.asker, &[("name", asker)])) }
            }
            @if let Some(words) = &request.statement { p.words dir="auto" { (words) } }
        }
        (history(visit, request))
        @if !request.is_ours() {
            p { (texts.platform) }
        } @else if member.is(Role::PrivacyOfficer) {
            (steps(visit, request))
        }
        p { a href=(DESK) { (texts.back) } }
    };
    let title = wording::matter(visit, request.matter).to_owned();
    Ok(member.answer(DESK, &title, body))
}

fn history(visit: &Visit, request: &Request) -> Markup {
    html! {
        @if !request.history.is_empty() {
            ol.timeline {
                @for step in &request.history {
                    li {
                        p.when { (wording::day(visit, step.on)) }
                        div.entry.stack.tight {
                            p { (wording::event(visit, step.event)) }
                            @if let Some(reason) = &step.reason { p.words dir="auto" { (reason) } }
                        }
                    }
                }
            }
        }
    }
}

/// A form with a button for each step that can be taken now.
fn steps(visit: &Visit, request: &Request) -> Markup {
    let texts = visit.texts();
    let can: Vec<Event> =
        Event::ALL.iter().copied().filter(|event| request.state.after(*event).is_some()).collect();
    html! {
        @if !can.is_empty() {
            form.card.stack method="post" action=(STEPS) {
                (csrf(&visit.csrf(STEPS)))
                input type="hidden" name="request" value=(request.id);
                h2 { (texts.desk.steps) }
                div.stack.tight {
                    label for="reason" { (texts.desk.reason) }
                    p.hint #reason-hint { (texts.desk.reason_hint) }
                    textarea #reason name="reason" rows="3" maxlength=(LONGEST)
                        aria-describedby="reason-hint" {}
                }
                @if can.contains(&Event::Extend) {
                    div.stack.tight {
                        label for="until" { (texts.desk.until) }
                        input #until type="date" name="until";
                    }
                }
                div.actions.row {
                    @for event in can {
                        button.quiet type="submit" name="step" value=(event.as_str()) {
                            (texts.acts.get(event.as_str()).map_or(event.as_str(), String::as_str))
                        }
                    }
                }
            }
        }
    }
}

/// Takes a step.
pub(in crate::http) async fn step(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = match Member::enter(visit, &request, &[Role::PrivacyOfficer]).await? {
        Ok(member) => member,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let case = member.case(form.value("request").unwrap_or_default()).await?;
    let event = form.value("step").and_then(|step| step.parse::<Event>().ok());
    let event = event.ok_or_else(|| member.visit.refused(Why::Expired))?;
    let reason = form.value("reason").map(str::trim).filter(|reason| !reason.is_empty());
    // The day counts for an extension alone, whatever else was in the form.
    let until = form.value("until").filter(|_| event == Event::Extend);
    let step = Step {
        reason: reason.map(str::to_owned),
        until: until.and_then(|until| until.parse().ok()),
        ..Step::new(event, By::Staff(member.duties.staff.clone()))
    };
    let id = case.request.id.clone();
    let place = format!("{STEPS}/{id}");
    let done = member.requests(move |requests, tenant| requests.step(tenant, &id, step)).await;
    match done {
        Ok(_) => Ok(member.go(&place)),
        Err(Error::Conflict { .. } | Error::Invalid { .. }) => {
            Ok(member.go(&format!("{place}?{WRONG}=1")))
        }
        Err(error) => Err(member.visit.failed(&error)),
    }
}
