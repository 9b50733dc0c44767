//! The consents: what was agreed, with whom it lets records be shared, and until when.

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::Value;

use super::guest::{Guest, RECORD};
use super::text::{concept, day, list, text};
use super::{ASK, CONSENTS};
use crate::http::html::{Visit, fill};
use crate::http::site::{APPS, Refused, date};

/// Shows them.
pub(in crate::http) async fn consents(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = match Guest::enter(visit, &request, chosen.as_deref()).await? {
        Ok(guest) => guest,
        Err(elsewhere) => return Ok(elsewhere),
    };
    let found = guest.search("Consent", &[("_sort", "-date"), ("_count", "100")]).await?;
    let today = guest.now.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    let (in_force, over): (Vec<_>, Vec<_>) =
        found.resources.iter().partition(|one| is_in_force(one, &today));
    let texts = &guest.visit.texts().consents;
    let body = html! {
        p.lede { (texts.lede) }
        section.stack aria-labelledby="in-force" {
            h2 #in-force { (texts.in_force) }
            @if in_force.is_empty() { div.card { p { (texts.none) } } }
            ul.plain.stack.tight { @for one in &in_force { (card(&guest.visit, one, true)) } }
        }
        @if !over.is_empty() {
            details {
                summary { (texts.over) }
                ul.plain.stack.tight { @for one in &over { (card(&guest.visit, one, false)) } }
            }
        }
        section.card.wash.stack.tight aria-labelledby="change" {
            h2 #change { (texts.change) }
            p { (texts.change_hint) }
            ul {
                li { a href=(guest.address(ASK, &[("type", "restriction")])) { (texts.limit) } }
                li { a href=(APPS) { (texts.apps) } }
            }
        }
    };
    let title = guest.consents().clone();
    Ok(guest.answer(CONSENTS, &title, &body))
}

fn is_in_force(consent: &Value, today: &str) -> bool {
    let period = consent.get("provision").and_then(|provision| provision.get("period"));
    let end = period.and_then(|period| text(period, "end")).map(day);
    // A day that is known less precisely lasts as long as it may.
    let is_over = end.is_some_and(|end| today.get(..end.len()).is_none_or(|today| end < today));
    text(consent, "status") == Some("active") && !is_over
}

fn card(visit: &Visit, consent: &Value, is_in_force: bool) -> Markup {
    let texts = &visit.texts().consents;
    let name = consent.get("policyRule").and_then(concept);
    let name = name.or_else(|| list(consent, "category").iter().find_map(concept));
    let provision = consent.get("provision").unwrap_or(&Value::Null);
    let is_no = text(provision, "type") == Some("deny");
    let to: Vec<&str> = list(provision, "actor")
        .iter()
        .filter_map(|actor| text(actor.get("reference")?, "display"))
        .collect();
    let kinds = list(provision, "class").iter().filter_map(|one| text(one, "code"));
    let kinds: Vec<_> =
        kinds.map(|code| visit.texts().kinds.get(code).map_or(code, String::as_str)).collect();
    let purposes = list(provision, "purpose").iter().filter_map(|one| text(one, "code"));
    let purposes: Vec<_> = purposes
        .map(|code| visit.texts().purposes.get(code).map_or(code, String::as_str))
        .collect();
    let written = |moment: &str| date::partial(visit, day(moment));
    let end = provision.get("period").and_then(|period| text(period, "end"));
    html! {
        li.card.stack.tight {
            h3 { bdi lang="en" { (name.unwrap_or(&texts.unnamed)) } }
            p {
                @if !is_in_force { span.badge { (texts.ended) } }
                @else if is_no { span.badge.caution { (texts.no) } }
                @else { span.badge { (texts.yes) } }
            }
            dl.facts {
                @if let Some(signed) = text(consent, "dateTime") {
                    dt { (texts.signed) } dd { (written(signed)) }
                }
                @if let Some(end) = end { dt { (texts.until) } dd { (written(end)) } }
                @if !to.is_empty() {
                    dt { (if is_no { &texts.not_to } else { &texts.to }) }
                    dd { bdi { (to.join(", ")) } }
                }
                @if !purposes.is_empty() { dt { (texts.purpose) } dd { (purposes.join(", ")) } }
                @if !kinds.is_empty() { dt { (texts.what) } dd { (kinds.join(", ")) } }
            }
            @if text(consent, "status") == Some("inactive") {
                p.soft.small { (fill(&texts.revoked, &[])) }
            }
        }
    }
}
