//! One request: what was asked, what was done, and what is next.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::correction::{self, ANSWERS};
use super::erasure;
use super::member::Member;
use super::review::{self, outcome};
use super::worklist::badge;
use super::{COPIES, DESK, REQUESTS, STEPS};
use crate::error::Error;
use crate::exchange::requests::{By, Entry, LONGEST, Making, Request, Step};
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::portal::wording;
use crate::http::site::{Refused, Why};
use crate::policy::Role;
use crate::policy::request::{Event, State};

/// The parameter of a step that could not be taken.
pub(super) const WRONG: &str = "wrong";

/// Shows one request with the steps that can be taken.
pub(in crate::http) async fn case(
    visit: Visit,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let case = member.case(&id).await?;
    let waiting = member.entries(&case).await?;
    let around = member.around(&case).await?;
    let waiting_to_go = member.erasure(&case.request).await?;
    let state = member.visit.state().clone();
    let making_now = state.copies.making(&case.request).await;
    let making_now = making_now.map_err(|error| member.visit.failed(&error))?;
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
        (entries(visit, &member, request, &waiting))
        (making(visit, making_now.as_ref()))
        (history(visit, request))
        @if !request.is_ours() {
            p { (texts.platform) }
        } @else if member.is(Role::PrivacyOfficer) {
            (correction::section(visit, request, &around))
            (erasure::section(visit, request, &waiting_to_go))
            (steps(visit, request))
        }
        (letters(visit, request))
        p { a href=(DESK) { (texts.back) } }
    };
    let title = wording::case(visit, request.matter).to_owned();
    Ok(member.answer(DESK, &title, body))
}

/// The entries that somebody has to look at, and the end of the review.
fn entries(visit: &Visit, member: &Member, request: &Request, entries: &[Entry]) -> Markup {
    let texts = &visit.texts().review;
    let is_open = matches!(request.state, State::InReview | State::Extended) && request.is_ours();
    let is_decided = entries.iter().all(|entry| entry.decision.is_some());
    html! {
        @if request.is_for_a_copy() && !request.state.is_closed() {
            section.stack aria-labelledby="entries" {
                h2 #entries { (texts.entries) }
                @if entries.is_empty() { p { (texts.no_entries) } } @else { p { (texts.entries_hint) } }
                ul.plain.stack.tight {
                    @for entry in entries {
                        li.card.stack.tight {
                            h3 {
                                a href=(review::address(&request.id, &entry.id)) {
                                    (entry.title)
                                }
                            }
                            p.row {
                                span.badge {
                                    @match &entry.decision {
                                        Some(one) => { (outcome(visit, one.outcome)) }
                                        None => { (texts.waits) }
                                    }
                                }
                                span.soft {
                                    (visit.texts().triggers.get(entry.trigger.as_str())
                                        .map_or("", String::as_str))
                                }
                            }
                        }
                    }
                }
                @if is_open && is_decided && member.is(Role::PrivacyOfficer) {
                    form method="post" action=(COPIES) class="stack tight" {
                        (csrf(&visit.csrf(COPIES)))
                        input type="hidden" name="request" value=(request.id);
                        p.soft.small { (texts.finish_hint) }
                        div.actions { button type="submit" { (texts.finish) } }
                    }
                }
            }
        }
    }
}

/// How far the copy is.
fn making(visit: &Visit, making: Option<&Making>) -> Markup {
    let texts = &visit.texts().review;
    html! {
        @match making {
            Some(Making::Open) => {
                div role="status" { (notice(Tone::Calm, &texts.making_title, &texts.making)) }
            }
            Some(Making::Failed(why)) => {
                (notice(Tone::Danger, &texts.failed_title, &fill(&texts.failed, &[("why", why)])))
            }
            None => {}
        }
    }
}

/// What was written, to whom.
fn letters(visit: &Visit, request: &Request) -> Markup {
    let texts = &visit.texts().correction;
    html! {
        @if !request.letters.is_empty() {
            section.stack aria-labelledby="letters" {
                h2 #letters { (visit.texts().desk.letters) }
                @for letter in &request.letters {
                    div.card.stack.tight {
                        @if let Some(to) = &letter.to {
                            p.soft.small { (fill(&texts.letter_to, &[("name", to)])) }
                        }
                        p.words dir="auto" lang=(letter.language) { (letter.text) }
                    }
                }
            }
        }
    }
}

fn history(visit: &Visit, request: &Request) -> Markup {
    html! {
        @if !request.history.is_empty() {
            ol.timeline {
                @for step in &request.history {
                    li {
                        p.when { (wording::day(visit, step.on)) }
                        div.entry.stack.tight {
                            p { (wording::happened(visit, step.event)) }
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
    // A copy is granted, and given, by the end of its review.
    let by_review = |event: &Event| {
        let is_granting = matches!(event, Event::Approve | Event::DenyInPart | Event::Fulfil);
        is_granting && request.is_for_a_copy() && request.is_electronic()
    };
    // A correction and an erasure are answered by a form of their own.
    let by_answer = |event: &Event| ANSWERS.contains(event) && !request.grounds().is_empty();
    let can_now = |event: &Event| match event {
        Event::ReviewRequested => request.may_be_reviewed(),
        Event::Disagree => request.may_disagree(),
        Event::Enclose => request.may_disagree() && request.disagreement.is_none(),
        Event::Rebut => request.may_be_rebutted(),
        Event::Notify => request.has_to_tell(),
        Event::Agree => false,
        _ => true,
    };
    let possible = |event: &Event| {
        let can = request.state.after(*event).is_some() && can_now(event);
        can && !by_review(event) && !by_answer(event)
    };
    let can: Vec<Event> = Event::ALL.iter().copied().filter(possible).collect();
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
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let case = member.case(form.value("request").unwrap_or_default()).await?;
    let event = form.value("step").and_then(|step| step.parse::<Event>().ok());
    let event = event.ok_or_else(|| member.visit.refused(Why::Expired))?;
    let answers = ANSWERS.contains(&event);
    // The day counts for an extension alone, whatever else was in the form.
    let until = form.value("until").filter(|_| event == Event::Extend);
    let step = Step {
        reason: form.filled("reason"),
        until: until.and_then(|until| until.parse().ok()),
        ground: form.filled("ground").filter(|_| answers).and_then(|ground| ground.parse().ok()),
        entry: form.filled("entry").filter(|_| answers),
        text: form.filled("text").filter(|_| answers),
        tell: if event == Event::Agree { member.told(&case, &form).await? } else { Vec::new() },
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
