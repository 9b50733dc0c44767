//! The record: who it is about, what comes next, and the timeline.

use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use maud::{Markup, html};

use super::guest::{Guest, RECORD};
use super::text::{list, text};
use super::timeline::timeline;
use super::{ASK, PLAN, PORTAL, entry};
use crate::http::html::{Visit, fill};
use crate::http::site::{Refused, date};

/// The parameter that says before when.
const BEFORE: &str = "before";
/// The parameter that says of which type only.
const ONLY: &str = "only";

/// Shows the record.
pub(in crate::http) async fn record(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let before = guest.visit.parameter(BEFORE).and_then(|at| at.parse::<Timestamp>().ok());
    let only = guest.visit.parameter(ONLY).and_then(known);
    let timeline = timeline(&guest, before, only).await?;
    let mut entries = Vec::new();
    for one in &timeline.entries {
        entries.push(entry::markup(&guest, one).await?);
    }
    let next = next_appointment(&guest).await?;
    let texts = &guest.visit.texts().portal;
    let later = timeline.next.map(|at| at.to_string());
    let body = html! {
        @if before.is_none() {
            p.lede { (texts.record_lede) }
            (facts(&guest))
            @if let Some(next) = next { (next) }
            p.row {
                a.button href=(guest.address(ASK, &[("type", "access")])) { (texts.ask_copy) }
                a.button.quiet href=(guest.address(PLAN, &[])) { (texts.see_plan) }
            }
        }
        section.stack aria-labelledby="timeline" {
            h2 #timeline { (texts.timeline) }
            (filters(&guest, only))
            @if entries.is_empty() { div.card { p { (texts.no_entries) } } }
            @else { ol.timeline { @for one in &entries { (one) } } }
            @if let Some(later) = &later {
                p {
                    a.button.quiet href=(guest.address(PORTAL, &around(only, later))) {
                        (texts.earlier)
                    }
                }
            }
        }
    };
    let title = guest.record().clone();
    Ok(guest.answer(PORTAL, &title, &body))
}

fn around<'a>(only: Option<&'a str>, before: &'a str) -> Vec<(&'a str, &'a str)> {
    only.map(|only| (ONLY, only)).into_iter().chain([(BEFORE, before)]).collect()
}

/// A type that the timeline can be cut down to.
fn known(only: &str) -> Option<&'static str> {
    ["Encounter", "Communication", "DocumentReference"].into_iter().find(|known| *known == only)
}

/// The ways to cut the timeline down.
fn filters(guest: &Guest, only: Option<&str>) -> Markup {
    let texts = &guest.visit.texts().portal;
    let choices = [
        (None, &texts.all),
        (Some("Encounter"), &texts.sessions),
        (Some("Communication"), &texts.messages),
        (Some("DocumentReference"), &texts.documents),
    ];
    html! {
        nav.chips aria-label=(texts.filter) {
            ul {
                @for (value, name) in choices {
                    @let parameters: Vec<_> = value.map(|value| (ONLY, value)).into_iter().collect();
                    li {
                        @if value == only {
                            a href=(guest.address(PORTAL, &parameters)) aria-current="true" { (name) }
                        } @else {
                            a href=(guest.address(PORTAL, &parameters)) { (name) }
                        }
                    }
                }
            }
        }
    }
}

/// Whose record it is.
fn facts(guest: &Guest) -> Markup {
    let texts = &guest.visit.texts().portal;
    html! {
        dl.facts {
            dt { (texts.name) } dd { bdi { (guest.chart.name) } }
            @if let Some(born) = &guest.chart.born {
                dt { (texts.born) } dd { (date::partial(&guest.visit, born)) }
            }
        }
    }
}

/// The next appointment, if there is one.
async fn next_appointment(guest: &Guest) -> Result<Option<Markup>, Refused> {
    let from = format!("ge{}", guest.now);
    let parameters =
        [("date", from.as_str()), ("status", "booked"), ("_sort", "date"), ("_count", "1")];
    let found = guest.search("Appointment", &parameters).await?;
    let Some(next) = found.resources.first() else { return Ok(None) };
    let Some(start) = text(next, "start") else { return Ok(None) };
    let people = list(next, "participant").iter().filter_map(|one| one.get("actor"));
    let therapist = people
        .filter_map(|actor| text(actor, "reference"))
        .find(|reference| reference.starts_with("Practitioner/"));
    let with = match therapist {
        Some(therapist) => Some(guest.name(therapist).await?),
        None => None,
    };
    let texts = &guest.visit.texts().portal;
    Ok(Some(html! {
        section.card.wash.stack.tight aria-labelledby="next" {
            h2 #next { (texts.next) }
            p {
                strong { (entry::moment(&guest.visit, start)) }
                @if let Some(with) = with { " · " (fill(&texts.with, &[("name", &with)])) }
            }
        }
    }))
}
