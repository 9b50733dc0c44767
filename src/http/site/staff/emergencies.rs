//! Accesses in an emergency: who broke a glass, whose record, why, and whether that was justified. Each is
//! reviewed by somebody else within the days of the law's table.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::Timestamp;
use maud::{Markup, html};

use super::EMERGENCIES;
use super::member::Member;
use crate::audit::emergencies::{LONGEST, Review, Use, emergencies, review};
use crate::domain::FhirId;
use crate::error::Error;
use crate::exchange::people::Known;
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::portal::wording;
use crate::http::site::{Refused, ask};
use crate::policy::{AuditPermit, Role};

/// The most that are shown.
const MOST: usize = 200;
/// The parameter of a verdict that could not be taken.
const WRONG: &str = "wrong";
/// The field of the verdict, and its words.
const VERDICT: &str = "verdict";
const JUSTIFIED: &str = "justified";
const UNJUSTIFIED: &str = "unjustified";

/// A use with the names of who and whose.
struct Case {
    one: Use,
    who: String,
    whose: String,
    patient: Option<FhirId>,
    /// Whether it is theirs to judge: it is not their own.
    may_judge: bool,
}

impl Member {
    /// The uses that they may know of: none of whose record is theirs or of somebody close to them.
    async fn uses(&self) -> Result<(Vec<Case>, usize), Refused> {
        let (state, tenant) = (self.visit.state().clone(), self.tenant.clone());
        let days = state.rules.load().tables.law.emergency_review_days;
        let found = web::block(move || {
            let permit = AuditPermit::operator(tenant);
            emergencies(&**state.audit.ledger(), &permit, days)
        });
        let found = found.await.map_err(Error::internal).and_then(|found| found);
        let mut found = found.map_err(|error| self.visit.failed(&error))?;
        // What waits comes first, the next to be reviewed at the top.
        found.sort_by_key(|one| {
            (one.review.is_some(), one.review.as_ref().map(|_| -one.at.as_second()), one.due)
        });
        let all = found.len();
        found.truncate(MOST);
        let wanted: Vec<(String, String)> =
            found.iter().map(|one| (one.user.clone(), one.patient.clone())).collect();
        let known = ask(&self.visit, move |sign_in| sign_in.people().known(&wanted)).await?;
        let case = |one: Use| {
            let whose = known.patients.get(&one.patient);
            if whose.is_some_and(|known| self.is_close_to(&known.id)) {
                return None;
            }
            Some(Case {
                who: name(&known.staff, &one.user),
                whose: name(&known.patients, &one.patient),
                patient: one.patient.parse().ok(),
                may_judge: one.user != self.duties.user,
                one,
            })
        };
        Ok((found.into_iter().filter_map(case).collect(), all))
    }
}

fn name(known: &BTreeMap<String, Known>, reference: &str) -> String {
    known.get(reference).map_or_else(|| reference.to_owned(), |one| one.name.clone())
}

/// Shows them.
pub(in crate::http) async fn emergencies_page(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let (cases, all) = member.uses().await?;
    for case in &cases {
        member.show(case.patient.as_ref());
    }
    let now = member.visit.sign_in()?.now();
    let (visit, texts) = (&member.visit, &member.visit.texts().emergencies);
    let body = html! {
        @if visit.parameter(WRONG).is_some() {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        p.lede { (texts.lede) }
        @if cases.is_empty() { div.card { p { (texts.none) } } }
        @if all > MOST { p { (fill(&texts.more, &[("count", &all.to_string())])) } }
        ul.plain.stack.tight { @for case in &cases { (row(visit, case, now)) } }
    };
    let title = texts.title.clone();
    Ok(member.answer(EMERGENCIES, &title, body))
}

fn row(visit: &Visit, case: &Case, now: Timestamp) -> Markup {
    let (texts, one) = (&visit.texts().emergencies, &case.one);
    let purpose = visit.texts().purposes.get(&one.purpose).unwrap_or(&one.purpose);
    html! {
        li.card.stack.tight id=(one.id) {
            h2 { bdi { (case.whose) } }
            p.row { (badge(visit, one, now)) span { (wording::on(visit, one.at)) } }
            p {
                (fill(&texts.by, &[("name", &case.who)])) " · " (purpose) " · "
                (fill(&texts.shown, &[("count", &one.shown.to_string())]))
            }
            p.words dir="auto" { (one.reason) }
            @if let Some(said) = &one.review {
                (verdict(visit, said))
            } @else if case.may_judge {
                (form(visit, one))
            } @else {
                p.soft { (texts.own) }
            }
        }
    }
}

/// How it stands: whether somebody still has to look at it, and by when.
fn badge(visit: &Visit, one: &Use, now: Timestamp) -> Markup {
    let texts = &visit.texts().emergencies;
    let due = wording::on(visit, one.due);
    html! {
        @match &one.review {
            Some(said) if said.is_justified => { span.badge { (texts.justified) } }
            Some(_) => { span class="badge caution" { (texts.unjustified) } }
            None if one.due < now => {
                span class="badge caution" { (fill(&texts.overdue, &[("date", &due)])) }
            }
            None => { span.badge { (fill(&texts.waits, &[("date", &due)])) } }
        }
    }
}

fn verdict(visit: &Visit, said: &Review) -> Markup {
    let on = wording::on(visit, said.at);
    html! {
        p.soft.small { (fill(&visit.texts().emergencies.reviewed, &[("date", &on)])) }
        @if !said.words.is_empty() { p.words dir="auto" { (said.words) } }
    }
}

fn form(visit: &Visit, one: &Use) -> Markup {
    let texts = &visit.texts().emergencies;
    let words = format!("words-{}", one.id);
    html! {
        form.stack.tight method="post" action=(EMERGENCIES) {
            (csrf(&visit.csrf(EMERGENCIES)))
            input type="hidden" name="use" value=(one.id);
            label for=(words) { (texts.words) }
            textarea id=(words) name="words" rows="2" maxlength=(LONGEST) required {}
            div.actions.row {
                button.quiet type="submit" name=(VERDICT) value=(JUSTIFIED) { (texts.is_justified) }
                button.quiet type="submit" name=(VERDICT) value=(UNJUSTIFIED) {
                    (texts.is_unjustified)
                }
            }
        }
    }
}

/// Takes in a verdict.
pub(in crate::http) async fn judge(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let (cases, _) = member.uses().await?;
    let wanted = form.value("use").unwrap_or_default();
    let case = cases.into_iter().find(|case| case.one.id == wanted && case.may_judge);
    let is_justified = match form.value(VERDICT) {
        Some(JUSTIFIED) => Some(true),
        Some(UNJUSTIFIED) => Some(false),
        _ => None,
    };
    let given = case.filter(|case| case.one.review.is_none()).zip(is_justified);
    let given = given.zip(form.filled("words"));
    let Some(((case, is_justified), words)) = given else {
        return Ok(member.go(&format!("{EMERGENCIES}?{WRONG}=1")));
    };
    member.show(case.patient.as_ref());
    member.note("use", &case.one.id);
    let actor = member.actor(Role::PrivacyOfficer);
    let now = member.visit.sign_in()?.now();
    let (state, tenant) = (member.visit.state().clone(), member.tenant.clone());
    let done = web::block(move || {
        review(&state.audit, &tenant, &case.one.id, (is_justified, &words), (actor, now))
    });
    match done.await.map_err(Error::internal).and_then(|done| done) {
        Ok(()) => Ok(member.go(EMERGENCIES)),
        Err(Error::Invalid { .. } | Error::NotFound) => {
            Ok(member.go(&format!("{EMERGENCIES}?{WRONG}=1")))
        }
        Err(error) => Err(member.visit.failed(&error)),
    }
}
