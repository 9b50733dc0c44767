//! One transfer: its timeline, and the steps that can be taken.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, PreEscaped, html};

use super::{Handover, WRONG, wording};
use crate::error::Error;
use crate::exchange::links::qr;
use crate::exchange::transfers::{Handed, HandedLink, LONGEST, Step, Transfer};
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::staff::member::Member;
use crate::http::site::staff::{HANDOVERS, REQUESTS, TRANSFERS};
use crate::http::site::{Refused, Why, date};
use crate::policy::transfer::{Event, Side};

/// Shows one transfer.
pub(in crate::http) async fn transfer(
    visit: Visit,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let handover = member.handover(&id).await?;
    let (visit, texts) = (&member.visit, &member.visit.texts().transfers);
    let body = html! {
        @if visit.parameter(WRONG).is_some() {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong_step)) }
        }
        (standing(visit, &handover))
        (timeline(visit, &handover.transfer))
        @if handover.transfer.is_ours() {
            (steps(visit, &handover.transfer))
        } @else {
            p { (texts.platform) }
        }
        p { a href=(TRANSFERS) { (texts.back) } }
    };
    let title = fill(&texts.of, &[("name", &handover.name)]);
    Ok(member.answer(TRANSFERS, &title, body))
}

fn standing(visit: &Visit, handover: &Handover) -> Markup {
    let (texts, transfer) = (&visit.texts().transfers, &handover.transfer);
    let reminders = transfer.reminders();
    let next = reminders.iter().find(|at| **at > visit.state().clock.now());
    html! {
        section.card.stack.tight aria-labelledby="now" {
            h2 #now { bdi { (handover.name) } ": " bdi { (transfer.to) } }
            p.row {
                (wording::badge(visit, transfer))
                @if let Some(urgency) = &transfer.urgency {
                    span { (wording::urgency(visit, urgency)) }
                }
            }
            p.words dir="auto" { (transfer.reason) }
            @if let Some(expires) = transfer.expires.filter(|_| !transfer.state.is_out()) {
                p.soft.small { (fill(&texts.until, &[("date", &date::day(visit, expires))])) }
            }
            @if let Some(next) = next {
                p.soft.small { (fill(&texts.reminded, &[("date", &date::day(visit, *next))])) }
            }
        }
    }
}

/// What has happened, the first first.
fn timeline(visit: &Visit, transfer: &Transfer) -> Markup {
    let texts = &visit.texts().transfers;
    html! {
        section.stack aria-labelledby="timeline" {
            h2 #timeline { (texts.timeline) }
            @if transfer.history.is_empty() { p { (texts.nothing_yet) } }
            ol.timeline {
                @for step in &transfer.history {
                    li {
                        p.when { (wording::when(visit, step)) }
                        div.entry.stack.tight {
                            p { (wording::event(visit, step.event)) }
                            @if let Some(why) = &step.why {
                                @match wording::trouble(visit, why) {
                                    Some(words) => { p.soft { (words) } }
                                    None => { p.words dir="auto" { (why) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A form with a button for each step that a person can take now.
fn steps(visit: &Visit, transfer: &Transfer) -> Markup {
    let texts = &visit.texts().transfers;
    let possible = |event: &Event| {
        event.may_be_said_by(Side::Practice) && transfer.state.after(*event).is_some()
    };
    let can: Vec<Event> = Event::ALL.iter().copied().filter(possible).collect();
    html! {
        @if !can.is_empty() {
            form.card.stack method="post" action=(HANDOVERS) {
                (csrf(&visit.csrf(HANDOVERS)))
                input type="hidden" name="transfer" value=(transfer.id);
                h2 { (texts.steps) }
                div.stack.tight {
                    label for="text" { (texts.text) }
                    textarea #text name="text" rows="2" maxlength=(LONGEST) {}
                }
                @if can.contains(&Event::Resend) && !transfer.goes_by_link() {
                    div.stack.tight {
                        label for="patient" { (texts.patient) }
                        p.hint #patient-hint { (texts.patient_hint) }
                        input #patient type="text" name="patient" autocomplete="off"
                            aria-describedby="patient-hint";
                    }
                }
                div.actions.row {
                    @for event in can {
                        button.quiet type="submit" name="step" value=(event.as_str()) {
                            (wording::act(visit, event))
                        }
                    }
                }
            }
        }
    }
}

/// The link that has to be sent to the receiver: it is shown this once.
fn handed(visit: &Visit, link: &HandedLink, place: &str) -> crate::Result<Markup> {
    let texts = &visit.texts().transfers;
    Ok(html! {
        (notice(Tone::Calm, &texts.handed_title, &texts.handed))
        section.card.stack aria-labelledby="link" {
            h2 #link { (texts.link) }
            p.words { code dir="ltr" { (link.made.viewer) } }
            (PreEscaped(qr(&link.made.viewer)?))
        }
        section.card.stack aria-labelledby="passcode" {
            h2 #passcode { (texts.passcode) }
            p { code dir="ltr" { (link.passcode) } }
            p.soft.small { (texts.passcode_hint) }
        }
        p { (fill(&texts.until, &[("date", &date::day(visit, link.made.expires))])) }
        p { a href=(place) { (texts.handed_back) } }
    })
}

/// Takes a step.
pub(in crate::http) async fn hand_over(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let handover = member.handover(form.value("transfer").unwrap_or_default()).await?;
    let event = form.value("step").and_then(|step| step.parse::<Event>().ok());
    let event = event.ok_or_else(|| member.visit.refused(Why::Expired))?;
    let step = Step {
        why: form.filled("text"),
        // Who it is there is said when it is sent again, whatever else was in the form.
        patient_there: form.filled("patient").filter(|_| event == Event::Resend),
        ..Step::by(member.duties.staff.clone())
    };
    let Handover { transfer, name } = handover;
    member.note("transfer", &transfer.id);
    let place = format!("{TRANSFERS}/{}", transfer.id);
    let handing = member.visit.state().handing();
    match handing.step(&member.tenant, &transfer.id, event, step).await {
        Ok(Handed { link: Some(link), .. }) => {
            let body = handed(&member.visit, &link, &place)
                .map_err(|error| member.visit.failed(&error))?;
            let title = fill(&member.visit.texts().transfers.of, &[("name", &name)]);
            Ok(member.answer(TRANSFERS, &title, body))
        }
        Ok(Handed { link: None, .. }) => Ok(member.go(&place)),
        Err(Error::Conflict { .. } | Error::Invalid { .. } | Error::Denied) => {
            Ok(member.go(&format!("{place}?{WRONG}=1")))
        }
        Err(error) => Err(member.visit.failed(&error)),
    }
}
