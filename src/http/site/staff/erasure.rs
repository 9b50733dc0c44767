//! An erasure that was granted: what would go, what stays, and the button that erases.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::case::WRONG;
use super::member::Member;
use super::{ERASURES, STEPS};
use crate::audit::Actor;
use crate::error::Error;
use crate::exchange::requests::{By, Request};
use crate::exchange::retention::Survivors;
use crate::http::html::{Choice, Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::portal::wording;
use crate::http::site::{Refused, Why};
use crate::policy::request::{Matter, State};
use crate::policy::{Purpose, Role};

/// The field by which somebody says that they mean it.
const SURE: &str = "sure";

/// What is known about an erasure that waits.
pub(super) enum Waiting {
    /// None does.
    None,
    /// It is to be done by a person: it was granted in part.
    ByHand,
    /// A legal hold keeps the record.
    Held,
    /// This is what would stay.
    Ready(Survivors),
}

impl Member {
    /// What is known about the erasure that a request waits for.
    pub(super) async fn erasure(&self, request: &Request) -> Result<Waiting, Refused> {
        let is_theirs = self.is(Role::PrivacyOfficer) && request.is_ours();
        if request.matter != Matter::Erasure || !is_theirs {
            return Ok(Waiting::None);
        }
        match request.state {
            State::Approved => {}
            State::PartiallyDenied => return Ok(Waiting::ByHand),
            _ => return Ok(Waiting::None),
        }
        let (state, tenant) = (self.visit.state().clone(), self.tenant.clone());
        let id = request.id.clone();
        let found = web::block(move || state.erasures.preview(&tenant, &id)).await;
        match found.map_err(Error::internal).and_then(|found| found) {
            Ok(survivors) => Ok(Waiting::Ready(survivors)),
            Err(Error::Conflict { .. }) => Ok(Waiting::Held),
            Err(error) => Err(self.visit.failed(&error)),
        }
    }
}

/// The section of a request's page.
pub(super) fn section(visit: &Visit, request: &Request, waiting: &Waiting) -> Markup {
    let texts = &visit.texts().erasing;
    html! {
        @match waiting {
            Waiting::None => {}
            Waiting::ByHand => { (notice(Tone::Calm, &texts.by_hand_title, &texts.by_hand)) }
            Waiting::Held => { (notice(Tone::Danger, &texts.held_title, &texts.held)) }
            Waiting::Ready(survivors) => { (form(visit, request, survivors)) }
        }
    }
}

fn form(visit: &Visit, request: &Request, survivors: &Survivors) -> Markup {
    let texts = &visit.texts().erasing;
    let count = survivors.records.to_string();
    let sure = Choice {
        kind: "checkbox",
        name: SURE,
        value: "1",
        is_chosen: false,
        label: &texts.sure,
        hint: &texts.sure_hint,
    };
    html! {
        form.card.stack method="post" action=(ERASURES) aria-labelledby="erase" {
            (csrf(&visit.csrf(ERASURES)))
            input type="hidden" name="request" value=(request.id);
            h2 #erase { (texts.title) }
            p { (fill(&texts.goes, &[("count", &count)])) }
            @if survivors.kept.is_empty() && survivors.shared == 0 {
                p { (texts.all) }
            } @else {
                p { (texts.stays) }
                ul {
                    @for kept in &survivors.kept {
                        @let until = kept.until.map(|day| wording::day(visit, day));
                        @let until = until.unwrap_or_else(|| texts.ever.clone());
                        li {
                            (fill(&texts.kept, &[
                                ("count", &kept.count.to_string()), ("kind", kept.kind.as_str()),
                                ("until", &until), ("source", &kept.source),
                            ]))
                        }
                    }
                    @if survivors.shared > 0 {
                        li { (fill(&texts.shared, &[("count", &survivors.shared.to_string())])) }
                    }
                }
            }
            div.choices { (sure.markup()) }
            div.actions { button type="submit" { (texts.erase) } }
        }
    }
}

/// Erases.
pub(in crate::http) async fn erase(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let case = member.case(form.value("request").unwrap_or_default()).await?;
    let id = case.request.id;
    let place = format!("{STEPS}/{id}");
    if form.value(SURE) != Some("1") {
        return Ok(member.go(&format!("{place}?{WRONG}=1")));
    }
    let purpose = Some(Purpose::PatientRequest.as_str().to_owned());
    let actor = Actor { purpose, ..member.actor(Role::PrivacyOfficer) };
    let by = By::Staff(member.duties.staff.clone());
    let erasures = member.visit.state().erasures.clone();
    match erasures.carry_out(&member.tenant, &id, by, actor).await {
        Ok(_) => Ok(member.go(&place)),
        Err(Error::Conflict { .. }) => Ok(member.go(&format!("{place}?{WRONG}=1"))),
        Err(Error::NotFound) => Err(member.visit.refused(Why::Expired)),
        Err(error) => Err(member.visit.failed(&error)),
    }
}
