//! The decision: what an app asks for, in plain words, and what of it the person shares.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse};
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::flow::{Flow, REQUEST, Step, Subject};
use super::kinds::{self, Chosen, Item, Stay};
use super::{CONSENT, Refused, Why, decide, go, pick};
use crate::exchange::people::Relation;
use crate::http::html::{Choice, Form, Page, Tone, Visit, csrf, fill, notice, target};
use crate::policy::{Plain, Scopes};
use crate::smart::Approval;

/// The parameter of somebody who chose nothing.
const NOTHING: &str = "nothing";
/// The field that says whether an app may come back, and its value for as long as one is signed in.
const STAY: &str = "stay";
const ONLINE: &str = "online";
/// How long an app may come back, in days, by the value of the field.
const STAYS: [(&str, i64); 2] = [("90", 90), ("365", 365)];
/// The beginning of the names of the fields of categories.
const PART: &str = "part:";

/// Shows what is next for a request: to choose, or to decide.
pub(in crate::http) async fn consent(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let id = visit.parameter(REQUEST).ok_or_else(|| visit.refused(Why::Expired))?;
    let flow = match Flow::open(&visit, &request, id).await? {
        Ok(flow) => flow,
        Err(elsewhere) => return Ok(elsewhere),
    };
    Ok(match flow.step(&visit).await? {
        Step::Chart(charts) => pick::charts(&visit, &flow, &charts),
        Step::Visit(sessions) => pick::visits(&visit, &flow, &sessions),
        Step::Decide(subject) => page(&visit, &flow, &subject),
    })
}

/// Takes in the decision, and sends the person back to the app.
pub(in crate::http) async fn decided(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let id = form.value(REQUEST).ok_or_else(|| visit.refused(Why::Expired))?;
    let flow = match Flow::open(&visit, &request, id).await? {
        Ok(flow) => flow,
        Err(elsewhere) => return Ok(elsewhere),
    };
    if form.value("decision") != Some("allow") {
        let (id, browser) = (flow.id.clone(), flow.browser.clone());
        let back = decide(&visit, move |authority| authority.deny(&id, &browser)).await?;
        return Ok(go(&visit, &back));
    }
    let Step::Decide(subject) = flow.step(&visit).await? else {
        return Ok(go(&visit, &super::flow::address(id)));
    };
    let now = visit.sign_in()?.now();
    let Some((scopes, expires)) = flow.shared(&form, now) else {
        return Ok(go(&visit, &format!("{}&{NOTHING}=1", super::flow::address(id))));
    };
    let fhir_user = subject.fhir_user.parse();
    let approval = Approval {
        subject: flow.session.person.subject.clone(),
        fhir_user: fhir_user.map_err(|()| visit.refused(Why::Unavailable))?,
        patient: subject.choice.patient.clone(),
        encounter: subject.choice.encounter.clone(),
        scopes,
        expires,
        proven: flow.session.proven,
    };
    let (id, browser) = (flow.id.clone(), flow.browser.clone());
    let back = decide(&visit, move |authority| authority.approve(&id, &browser, &approval)).await?;
    Ok(go(&visit, &back))
}

impl Flow {
    /// Where the forms of this request may end.
    pub(super) fn targets(&self) -> Vec<String> {
        target(&self.pending.redirect_uri).into_iter().collect()
    }

    /// What is shared by a form, and until when; nothing, if nothing was chosen.
    fn shared(&self, form: &Form, now: Timestamp) -> Option<(Scopes, Option<Timestamp>)> {
        let stays = STAYS.iter().find(|(value, _)| form.value(STAY) == Some(value));
        let stay = match (&stays, form.value(STAY)) {
            (Some(_), _) => Stay::Offline,
            (None, Some(ONLINE)) => Stay::Online,
            (None, _) => Stay::No,
        };
        let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, value) in form.pairs() {
            if let Some(kind) = name.strip_prefix(PART) {
                parts.entry(kind.to_owned()).or_default().insert(value.to_owned());
            }
        }
        let items = form.values("item").map(str::to_owned).collect();
        let asked = &self.pending.scopes;
        let scopes = kinds::granted(asked, &Chosen { items, parts, stay });
        let is_nothing = scopes.resources().next().is_none() && asked.resources().next().is_some();
        let expires =
            stays.and_then(|(_, days)| now.checked_add(SignedDuration::from_hours(24 * days)).ok());
        (!is_nothing).then_some((scopes, expires))
    }
}

fn page(visit: &Visit, flow: &Flow, subject: &Subject) -> HttpResponse {
    let texts = &visit.texts().consent;
    let app = flow.pending.client.name.as_str();
    let items = kinds::items(&flow.pending.scopes);
    let title = fill(&texts.title, &[("app", app)]);
    let body = html! {
        p.lede { (lede(visit, flow, subject)) }
        @if visit.parameter(NOTHING).is_some() {
            (notice(Tone::Danger, &visit.texts().refused.error, &texts.nothing))
        }
        form method="post" action=(CONSENT) class="stack loose" {
            (csrf(&visit.csrf(CONSENT)))
            input type="hidden" name=(REQUEST) value=(flow.id);
            @if !items.is_empty() {
                (offered(visit, &items))
                (sensitive(visit, &items))
            }
            (identity(visit, &flow.pending.scopes))
            (stay(visit, &flow.pending.scopes))
            (know(visit, flow))
            div.row.actions {
                button type="submit" name="decision" value="allow" { (texts.allow) }
                button.quiet type="submit" name="decision" value="deny" { (texts.deny) }
            }
        }
    };
    let mut page = Page::new(&title, body);
    page.signed_in = Some(&flow.session.person.name);
    page.targets = flow.targets();
    page.answer(visit)
}

/// Who asks for whose record.
fn lede(visit: &Visit, flow: &Flow, subject: &Subject) -> String {
    let texts = &visit.texts().consent;
    let practice = visit.practice().unwrap_or(&texts.practice);
    let (text, name) = match &subject.chart {
        Some(chart) if chart.relation == Relation::Own => (&texts.lede_self, chart.name.as_str()),
        Some(chart) => (&texts.lede_other, chart.name.as_str()),
        None => (&texts.lede_staff, ""),
    };
    let app = flow.pending.client.name.as_str();
    fill(text, &[("app", app), ("practice", practice), ("name", name)])
}

fn offered(visit: &Visit, items: &[Item]) -> Markup {
    let texts = &visit.texts().consent;
    html! {
        fieldset.stack {
            legend { (texts.kinds) }
            p.soft { (texts.kinds_lede) }
            div.choices {
                @for item in items.iter().filter(|item| !item.is_sensitive()) {
                    (entry(visit, item, true))
                }
            }
        }
    }
}

fn sensitive(visit: &Visit, items: &[Item]) -> Markup {
    let texts = &visit.texts().consent;
    let sensitive = || items.iter().filter(|item| item.is_sensitive());
    html! {
        @if sensitive().next().is_some() {
            fieldset.stack {
                legend { (texts.sensitive_title) }
                div.notice.caution { p { (texts.sensitive_lede) } }
                div.choices {
                    @for item in sensitive() { (entry(visit, item, false)) }
                }
            }
        }
    }
}

/// One kind, with the parts to which it can be narrowed.
fn entry(visit: &Visit, item: &Item, is_chosen: bool) -> Markup {
    let texts = visit.texts();
    let (label, hint) = described(visit, item);
    let choice = Choice {
        kind: "checkbox",
        name: "item",
        value: &item.key,
        is_chosen,
        label: &label,
        hint: &hint,
    };
    html! {
        div {
            (choice.markup())
            @if !item.categories().is_empty() {
                details.within {
                    summary { (texts.consent.parts) span.hidden { ": " (label) } }
                    div.choices {
                        @for category in item.categories() {
                            (Choice {
                                kind: "checkbox",
                                name: &format!("{PART}{}", item.kind),
                                value: category.token,
                                is_chosen: false,
                                label: texts.categories.get(category.code).map_or("", |t| t.as_str()),
                                hint: "",
                            }.markup())
                        }
                    }
                }
            }
        }
    }
}

/// What a kind, or a part of it, is called, and what it holds.
pub(super) fn described(visit: &Visit, item: &Item) -> (String, String) {
    let texts = visit.texts();
    let name = texts.kinds.get(item.kind).map_or(item.kind, String::as_str);
    let hint = texts.hints.get(item.kind).cloned().unwrap_or_default();
    let Some(part) = &item.part else { return (name.to_owned(), hint) };
    let only = || fill(&texts.consent.only, &[("name", part)]);
    let part = texts.categories.get(part).cloned().unwrap_or_else(only);
    (format!("{name}: {part}"), hint)
}

/// What the app learns of the person.
fn identity(visit: &Visit, scopes: &Scopes) -> Markup {
    let texts = &visit.texts().consent;
    html! {
        @if scopes.has(Plain::OpenId) || scopes.has(Plain::FhirUser) {
            section class="stack tight" {
                h2 { (texts.identity) }
                p { (texts.identity_hint) }
            }
        }
    }
}

/// Whether the app may come back.
fn stay(visit: &Visit, scopes: &Scopes) -> Markup {
    let texts = &visit.texts().consent;
    let (online, offline) = (scopes.has(Plain::OnlineAccess), scopes.has(Plain::OfflineAccess));
    if !online && !offline {
        return Markup::default();
    }
    let option = |value: &str, label: &str, hint: &str, is_chosen| {
        Choice { kind: "radio", name: STAY, value, is_chosen, label, hint }.markup()
    };
    html! {
        fieldset.stack {
            legend { (if offline { &texts.refresh_title } else { &texts.refresh_title_online }) }
            @if offline { p.soft { (texts.refresh_hint) } }
            div.choices {
                (option("no", &texts.refresh_no, &texts.refresh_no_hint, true))
                @if online {
                    (option(ONLINE, &texts.refresh_online, &texts.refresh_online_hint, false))
                }
                @for (value, days) in STAYS.iter().filter(|_| offline) {
                    @let label = if *days < 365 {
                        fill(&texts.refresh_days, &[("days", &days.to_string())])
                    } else {
                        texts.refresh_year.clone()
                    };
                    (option(value, &label, "", false))
                }
            }
        }
    }
}

/// What is good to know before one decides.
fn know(visit: &Visit, flow: &Flow) -> Markup {
    let texts = &visit.texts().consent;
    let host = url::Url::parse(&flow.pending.redirect_uri).ok();
    let host = host.and_then(|url| url.host_str().map(str::to_owned));
    html! {
        section class="card wash stack tight" {
            h2 { (texts.after_title) }
            ul {
                li { (texts.not_shared) }
                li { (texts.after_revoke) }
                li { (texts.after_own) }
                li { (texts.dropped) }
                @if let Some(host) = host { li { (fill(&texts.goes_to, &[("host", &host)])) } }
            }
        }
    }
}
