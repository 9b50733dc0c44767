//! The answer to a request for a correction or an erasure: what it becomes, on which ground it is
//! refused, and who is told.

use maud::{Markup, html};

use super::STEPS;
use super::member::Member;
use super::worklist::Case;
use crate::exchange::requests::{Correctable, LONGEST, Request};
use crate::http::html::{Choice, Form, Visit, csrf};
use crate::http::site::Refused;
use crate::http::site::portal::correction::named;
use crate::http::site::receivers::{self, Receiver};
use crate::policy::Role;
use crate::policy::request::{Event, Matter, Refusal};

/// The steps that answer such a request.
pub(super) const ANSWERS: [Event; 3] = [Event::Approve, Event::DenyInPart, Event::Deny];

/// What the answer turns on.
#[derive(Default)]
pub(super) struct Around {
    /// The entries that can be corrected here.
    entries: Vec<Correctable>,
    /// Who has received the entry, where it can be said who is told.
    receivers: Option<Vec<Receiver>>,
}

impl Member {
    /// What the answer to a request turns on; nothing for those who do not answer it.
    pub(super) async fn around(&self, case: &Case) -> Result<Around, Refused> {
        let request = &case.request;
        let is_theirs = self.is(Role::PrivacyOfficer) && request.is_ours();
        if request.matter != Matter::Amendment || !is_theirs {
            return Ok(Around::default());
        }
        let client = request.client.clone();
        let entries = self.requests(move |requests, tenant| requests.correctable(tenant, &client));
        let entries = entries.await.map_err(|error| self.visit.failed(&error))?;
        Ok(Around { entries, receivers: self.receivers(request).await? })
    }

    /// Who has received the entry of a request, where it can be said who is told.
    async fn receivers(&self, request: &Request) -> Result<Option<Vec<Receiver>>, Refused> {
        if !request.may_be_agreed() {
            return Ok(None);
        }
        receivers::receivers(&self.visit, &self.tenant, request).await.map(Some)
    }

    /// Who is told, as a form says.
    pub(super) async fn told(
        &self,
        case: &Case,
        form: &Form,
    ) -> Result<Vec<crate::exchange::requests::Told>, Refused> {
        let found = self.receivers(&case.request).await?.unwrap_or_default();
        Ok(receivers::chosen(form, &found))
    }
}

/// The forms of an answer, as far as it is due.
pub(super) fn section(visit: &Visit, request: &Request, around: &Around) -> Markup {
    let texts = &visit.texts().correction;
    let can = ANSWERS.iter().any(|event| request.state.after(*event).is_some());
    html! {
        @if can && !request.grounds().is_empty() { (answer(visit, request, around)) }
        (receivers::told(visit, request))
        @if let Some(found) = &around.receivers {
            form.card.stack method="post" action=(STEPS) aria-labelledby="agree" {
                h2 #agree { (texts.agree_desk) }
                p { (texts.agree_desk_lede) }
                (csrf(&visit.csrf(STEPS)))
                input type="hidden" name="request" value=(request.id);
                (receivers::fields(visit, found))
                div.actions {
                    button.quiet type="submit" name="step" value=(Event::Agree.as_str()) {
                        (texts.agree_send)
                    }
                }
            }
        }
    }
}

fn answer(visit: &Visit, request: &Request, around: &Around) -> Markup {
    let texts = visit.texts();
    let is_amendment = request.matter == Matter::Amendment;
    html! {
        form.card.stack method="post" action=(STEPS) aria-labelledby="answer" {
            h2 #answer { (texts.correction.answer) }
            (csrf(&visit.csrf(STEPS)))
            input type="hidden" name="request" value=(request.id);
            @if is_amendment { (entry(visit, request, around)) }
            fieldset.stack.tight {
                legend { (texts.correction.ground) }
                div.choices { @for one in request.grounds() { (ground(visit, request, *one)) } }
            }
            div.stack.tight {
                label for="why" { (texts.correction.why) }
                p.hint #why-hint { (texts.desk.reason_hint) }
                textarea #why name="reason" rows="3" maxlength=(LONGEST)
                    aria-describedby="why-hint" {}
            }
            div.actions.row {
                @for event in ANSWERS {
                    @if request.state.after(event).is_some() {
                        button.quiet type="submit" name="step" value=(event.as_str()) {
                            (texts.acts.get(event.as_str()).map_or(event.as_str(), String::as_str))
                        }
                    }
                }
            }
        }
    }
}

/// Which entry, and what it is to be read with.
fn entry(visit: &Visit, request: &Request, around: &Around) -> Markup {
    let texts = &visit.texts().correction;
    html! {
        div.stack.tight {
            label for="entry" { (texts.entry) }
            p.hint #entry-hint { (texts.entry_hint) }
            select #entry name="entry" aria-describedby="entry-hint" {
                option value="" { (texts.entry_none) }
                @for one in &around.entries {
                    option value=(one.id) selected[request.entry.as_ref() == Some(&one.id)] {
                        (named(visit, one))
                    }
                }
            }
        }
        div.stack.tight {
            label for="text" { (texts.text) }
            p.hint #text-hint { (texts.text_hint) }
            textarea #text name="text" rows="5" maxlength=(LONGEST) aria-describedby="text-hint" {}
        }
    }
}

fn ground(visit: &Visit, request: &Request, ground: Refusal) -> Markup {
    Choice {
        kind: "radio",
        name: "ground",
        value: ground.as_str(),
        is_chosen: false,
        label: visit.texts().refusals.get(ground.as_str()).map_or("", String::as_str),
        hint: ground.source(&request.regime),
    }
    .markup()
}
