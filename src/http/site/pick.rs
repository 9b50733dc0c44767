//! Choosing whose record an app may see, and which session it works within.

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::flow::{self, Flow, MOST, NAME, REQUEST};
use super::{PICK, Refused, Why, date, go};
use crate::exchange::people::{Chart, Charts, Relation, Session};
use crate::http::html::{Choice, Form, Page, Tone, Visit, csrf, fill, notice};

/// The parameter of somebody who chose nothing.
const MISSING: &str = "missing";

/// Takes in what somebody chose, and goes on.
pub(in crate::http) async fn pick(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let id = form.value(REQUEST).ok_or_else(|| visit.refused(Why::Expired))?;
    let flow = match Flow::open(&visit, &request, id).await? {
        Ok(flow) => flow,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let chosen = flow.choose(&visit, form.value("patient"), form.value("encounter")).await?;
    let address = flow::address(id);
    Ok(go(&visit, &if chosen { address } else { format!("{address}&{MISSING}=1") }))
}

/// The page of records.
pub(super) fn charts(visit: &Visit, flow: &Flow, charts: &Charts) -> HttpResponse {
    let texts = &visit.texts().pick;
    let is_staff = flow.session.person.staff.is_some();
    let app = [("app", flow.pending.client.name.as_str())];
    let lede = if is_staff { &texts.lede_staff } else { &texts.lede_proxy };
    let name = visit.parameter(NAME).unwrap_or_default();
    let is_long = charts.more || !name.is_empty();
    let none = if is_staff || !name.is_empty() { &texts.none } else { &texts.none_proxy };
    let body = html! {
        p.lede { (fill(lede, &app)) }
        @if is_long { (search(visit, flow, name)) }
        @if charts.charts.is_empty() { p { (none) } } @else {
            (list(visit, flow, &texts.title, &html! {
                @for chart in &charts.charts { (entry(visit, chart)) }
            }))
        }
        @if charts.more {
            p.small.soft { (fill(&texts.more, &[("count", &MOST.to_string())])) }
        }
        (cancel(visit, flow))
    };
    page(visit, flow, &texts.title, body)
}

/// The page of sessions.
pub(super) fn visits(visit: &Visit, flow: &Flow, sessions: &[Session]) -> HttpResponse {
    let texts = &visit.texts().pick;
    let app = [("app", flow.pending.client.name.as_str())];
    let body = html! {
        p.lede { (fill(&texts.visit_lede, &app)) }
        (list(visit, flow, &texts.visit_title, &html! {
            @for session in sessions {
                (Choice {
                    kind: "radio",
                    name: "encounter",
                    value: session.encounter.as_str(),
                    is_chosen: false,
                    label: &date::day(visit, session.began),
                    hint: "",
                }.markup())
            }
        }))
        (cancel(visit, flow))
    };
    page(visit, flow, &texts.visit_title, body)
}

fn entry(visit: &Visit, chart: &Chart) -> Markup {
    let texts = &visit.texts().pick;
    let born = chart.born.as_deref().map(|born| date::partial(visit, born));
    let born = born.map(|born| fill(&texts.born, &[("date", &born)])).unwrap_or_default();
    let own = if chart.relation == Relation::Own { texts.you.as_str() } else { "" };
    let hints: Vec<&str> = [own, &born].into_iter().filter(|hint| !hint.is_empty()).collect();
    Choice {
        kind: "radio",
        name: "patient",
        value: chart.patient.as_str(),
        is_chosen: false,
        label: &chart.name,
        hint: &hints.join(" · "),
    }
    .markup()
}

/// The form around a list.
fn list(visit: &Visit, flow: &Flow, title: &str, entries: &Markup) -> Markup {
    let texts = &visit.texts().pick;
    html! {
        @if visit.parameter(MISSING).is_some() {
            (notice(Tone::Danger, &visit.texts().refused.error, &texts.missing))
        }
        form method="post" action=(PICK) class="stack" {
            (csrf(&visit.csrf(PICK)))
            input type="hidden" name=(REQUEST) value=(flow.id);
            fieldset {
                legend.hidden { (title) }
                div.choices { (entries) }
            }
            div.actions { button type="submit" { (texts.choose) } }
        }
    }
}

fn search(visit: &Visit, flow: &Flow, name: &str) -> Markup {
    let texts = &visit.texts().pick;
    html! {
        form method="get" action=(super::CONSENT) class="stack tight" role="search" {
            input type="hidden" name=(REQUEST) value=(flow.id);
            label for="name" { (texts.search) }
            div.row {
                input #name type="search" name=(NAME) value=(name) autocomplete="off";
                button.quiet type="submit" { (texts.find) }
            }
        }
    }
}

/// The way out: the app is told no.
fn cancel(visit: &Visit, flow: &Flow) -> Markup {
    html! {
        form method="post" action=(super::CONSENT) {
            (csrf(&visit.csrf(super::CONSENT)))
            input type="hidden" name=(REQUEST) value=(flow.id);
            button.text type="submit" name="decision" value="deny" {
                (visit.texts().pick.cancel)
            }
        }
    }
}

fn page(visit: &Visit, flow: &Flow, title: &str, body: Markup) -> HttpResponse {
    let mut page = Page::new(title, body);
    page.signed_in = Some(&flow.session.person.name);
    page.targets = flow.targets();
    page.answer(visit)
}
