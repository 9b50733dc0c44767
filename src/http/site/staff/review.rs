//! One entry that somebody has to look at: as it was written, as it would be given, and the decision.

use actix_web::web::{self, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::member::Member;
use super::worklist::Case;
use super::{DECISIONS, DESK, REQUESTS, STEPS};
use crate::error::{Error, Result as Outcomes};
use crate::exchange::requests::{Entry, Stretch, Verdict};
use crate::http::disclosure::Seen;
use crate::http::html::{Choice, Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::{Refused, Why};
use crate::policy::request::{Outcome, Reason};

/// The parameter of a decision that could not be taken.
const WRONG: &str = "wrong";

impl Member {
    /// The entries of a request that somebody has to look at.
    pub(super) async fn entries(&self, case: &Case) -> Result<Vec<Entry>, Refused> {
        let request = case.request.clone();
        let found = self.requests(move |requests, tenant| requests.entries(tenant, &request)).await;
        found.map_err(|error| self.visit.failed(&error))
    }

    async fn entry(&self, case: &Case, id: &str) -> Result<Entry, Refused> {
        let found = self.entries(case).await?.into_iter().find(|entry| entry.id == id);
        found.ok_or_else(|| self.visit.refused(Why::Expired))
    }

    fn showed(&self, case: &Case, entry: &Entry) {
        let seen = entry.shown().map(|(resource_type, id, version)| Seen {
            resource_type: resource_type.to_owned(),
            id: id.clone(),
            version: version.to_owned(),
            patient: case.patient.clone(),
        });
        self.shown.borrow_mut().seen.extend(seen);
    }
}

/// Where an entry of a request is. The platform's ids may hold what ends a segment.
pub(super) fn address(request: &str, entry: &str) -> String {
    let entry: String = url::form_urlencoded::byte_serialize(entry.as_bytes()).collect();
    let entry = entry.replace('+', "%20");
    format!("{STEPS}/{request}/entries/{entry}")
}

/// Shows an entry.
pub(in crate::http) async fn entry(
    visit: Visit,
    request: HttpRequest,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let (id, entry) = path.into_inner();
    let case = member.case(&id).await?;
    let entry = member.entry(&case, &entry).await?;
    member.showed(&case, &entry);
    let (visit, texts) = (&member.visit, &member.visit.texts().review);
    let body = html! {
        @if let Some(wrong) = visit.parameter(WRONG) {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, said(visit, wrong))) }
        }
        p.lede {
            (fill(&texts.lede, &[("name", &case.name)])) " "
            strong { (visit.texts().triggers.get(entry.trigger.as_str()).map_or("", String::as_str)) }
        }
        @if let Some(decision) = &entry.decision {
            div role="status" {
                (notice(Tone::Calm, &texts.decided, outcome(visit, decision.outcome)))
            }
        }
        div.sides {
            section.card.stack aria-labelledby="source" {
                h2 #source { (texts.source) }
                p.soft.small { (texts.source_hint) }
                @for passage in &entry.source {
                    h3 { (passage.title) }
                    p.words dir="auto" {
                        @for run in &passage.runs {
                            @if run.is_other { mark { (run.text) } } @else { (run.text) }
                        }
                    }
                }
            }
            (decision(visit, &case, &entry))
        }
        p { a href={ (STEPS) "/" (case.request.id) } { (texts.back) } }
    };
    let title = entry.title.clone();
    Ok(member.answer(DESK, &title, body))
}

/// Why a decision was not taken, in words.
fn said<'a>(visit: &'a Visit, wrong: &str) -> &'a str {
    let texts = &visit.texts().review;
    match wrong {
        "ground" => &texts.wrong_ground,
        "spans" => &texts.wrong_spans,
        _ => &texts.wrong_other,
    }
}

/// What was decided, in words.
pub(super) fn outcome(visit: &Visit, outcome: Outcome) -> &str {
    let word = outcome.as_str();
    visit.texts().outcomes.get(word).map_or(word, String::as_str)
}

/// The form.
fn decision(visit: &Visit, case: &Case, entry: &Entry) -> Markup {
    let texts = &visit.texts().review;
    let (current, is_by_another) = (entry.decision.as_ref(), case.request.is_by_another());
    let grounds = Reason::ALL.iter().filter(|one| is_by_another || !one.is_against_another());
    let chosen = current.map_or(entry.trigger.reason(), |one| one.reason);
    html! {
        form.card.stack method="post" action=(DECISIONS) aria-labelledby="given" {
            h2 #given { (texts.given) }
            (csrf(&visit.csrf(DECISIONS)))
            input type="hidden" name="request" value=(case.request.id);
            input type="hidden" name="kind" value=(entry.kind.as_str());
            input type="hidden" name="entry" value=(entry.id);
            input type="hidden" name="version" value=(entry.version);
            fieldset.stack.tight {
                legend { (texts.sentences) }
                p.soft.small { (texts.sentences_hint) }
                @for (at, said) in entry.sentences() {
                    @let is_out = current.is_some_and(|one| one.spans.contains(&at));
                    label.choice.slim {
                        input type="checkbox" name="span" value={ (at.start) "-" (at.end) }
                            checked[is_out];
                        span dir="auto" { (said) }
                    }
                }
            }
            fieldset.stack.tight {
                legend { (texts.what) }
                div.choices {
                    @for one in Outcome::ALL {
                        (Choice {
                            kind: "radio",
                            name: "outcome",
                            value: one.as_str(),
                            is_chosen: current.is_some_and(|known| known.outcome == *one),
                            label: outcome(visit, *one),
                            hint: hint(visit, entry, *one),
                        }.markup())
                    }
                }
            }
            fieldset.stack.tight {
                legend { (texts.ground) }
                p.soft.small { (texts.ground_hint) }
                div.choices {
                    @for one in grounds {
                        (Choice {
                            kind: "radio",
                            name: "ground",
                            value: one.as_str(),
                            is_chosen: chosen == Some(*one),
                            label: visit.texts().grounds.get(one.as_str()).map_or("", String::as_str),
                            hint: one.source(),
                        }.markup())
                    }
                }
            }
            div.actions { button type="submit" { (texts.decide) } }
        }
    }
}

fn hint<'a>(visit: &'a Visit, entry: &Entry, outcome: Outcome) -> &'a str {
    let texts = &visit.texts().review;
    match outcome {
        Outcome::Release if entry.has_others => &texts.release_all,
        Outcome::Redact if entry.has_others => &texts.redact_marked,
        Outcome::Release | Outcome::Redact | Outcome::Deny => "",
    }
}

/// Takes a decision.
pub(in crate::http) async fn decide(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let case = member.case(form.value("request").unwrap_or_default()).await?;
    let name = form.value("entry").unwrap_or_default().to_owned();
    let place = format!("{STEPS}/{}", case.request.id);
    let again = address(&case.request.id, &name);
    let Some(verdict) = read(&member, &form) else {
        return Ok(member.go(&format!("{again}?{WRONG}=form")));
    };
    let id = case.request.id.clone();
    let done =
        member.requests(move |requests, tenant| requests.decide(tenant, &id, &verdict)).await;
    match done {
        Ok(_) => Ok(member.go(&place)),
        Err(Error::Invalid { expression, .. }) => {
            let what = expression.as_deref().unwrap_or("other");
            Ok(member.go(&format!("{again}?{WRONG}={what}")))
        }
        Err(Error::Conflict { .. }) => Ok(member.go(&format!("{again}?{WRONG}=other"))),
        Err(error) => Err(member.visit.failed(&error)),
    }
}

/// What a form decides; nothing where it cannot be read.
fn read(member: &Member, form: &Form) -> Option<Verdict> {
    let span = |text: &str| {
        let (start, end) = text.split_once('-')?;
        Some(Stretch { start: start.parse().ok()?, end: end.parse().ok()? })
    };
    Some(Verdict {
        kind: form.value("kind")?.to_owned(),
        id: form.value("entry")?.to_owned(),
        version: form.value("version")?.parse().ok()?,
        outcome: form.value("outcome")?.parse().ok()?,
        reason: form.value("ground").and_then(|ground| ground.parse().ok()),
        spans: form.values("span").map(span).collect::<Option<Vec<_>>>()?,
        by: member.duties.staff.clone(),
        is_licensed: member.duties.is_licensed,
    })
}

/// Has the copy made, once everything is decided.
pub(in crate::http) async fn finish(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[crate::policy::Role::PrivacyOfficer]).await?;
    let case = member.case(form.value("request").unwrap_or_default()).await?;
    let by = Some(member.duties.staff.clone());
    let state: web::Data<_> = member.visit.state().clone();
    let ordered: Outcomes<()> = state.copies.order(&member.tenant, &case.request.id, by).await;
    let place = format!("{STEPS}/{}", case.request.id);
    match ordered {
        Ok(()) => Ok(member.go(&place)),
        Err(Error::Conflict { .. }) => Ok(member.go(&format!("{place}?{WRONG}=1"))),
        Err(error) => Err(member.visit.failed(&error)),
    }
}
