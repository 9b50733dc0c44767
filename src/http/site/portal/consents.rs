//! The consents: what was agreed, with whom it lets records be shared, and until when.

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::Value;

mod give;
mod preview;

use super::guest::{Guest, RECORD};
use super::text::{concept, day, list, text};
use super::{ASK, CONSENTS};
use crate::http::html::{Tone, Visit, fill, notice};
use crate::http::site::{APPS, Refused, date};

pub(in crate::http) use self::give::{end, ending, form, plan, sign};

/// The parameter that names a consent.
const CONSENT: &str = "consent";
/// What the names of consents begin with that people sign here.
const OWN: &str = crate::exchange::signing::OWN;
/// The parameter of somebody who has signed.
const DONE: &str = "done";

/// Shows them.
pub(in crate::http) async fn consents(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let found = guest.search("Consent", &[("_sort", "-date"), ("_count", "100")]).await?;
    let today = guest.today().to_string();
    let (in_force, over): (Vec<_>, Vec<_>) =
        found.resources.iter().partition(|one| is_in_force(one, &today));
    let texts = &guest.visit.texts().consents;
    let done = guest.visit.parameter(DONE);
    let body = html! {
        (told(&guest.visit, done))
        p.lede { (texts.lede) }
        p { (give::to_give(&guest)) }
        section.stack aria-labelledby="in-force" {
            h2 #in-force { (texts.in_force) }
            @if in_force.is_empty() { div.card { p { (texts.none) } } }
            ul.plain.stack.tight { @for one in &in_force { (card(&guest, one, true, true)) } }
        }
        @if !over.is_empty() {
            details {
                summary { (texts.over) }
                ul.plain.stack.tight { @for one in &over { (card(&guest, one, false, false)) } }
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

/// What became of what was signed.
fn told(visit: &Visit, done: Option<&str>) -> Markup {
    let texts = &visit.texts().signing;
    html! {
        @match done {
            Some("given" | "changed") => {
                div role="status" { (notice(Tone::Calm, &texts.given_title, &texts.given)) }
            }
            Some("taken-back") => {
                div role="status" { (notice(Tone::Calm, &texts.over_title, &texts.over)) }
            }
            Some("not") => div role="alert" { (notice(Tone::Danger, &texts.not_title, &texts.not)) }
            _ => {}
        }
    }
}

/// Whether a consent was given here, or by an app, and is no exception to another.
fn is_ours(consent: &Value) -> bool {
    let values = list(consent, "identifier").iter().filter_map(|one| text(one, "value"));
    let mut ours = values.filter_map(|value| value.strip_prefix(OWN));
    ours.any(|rest| !rest.contains('-'))
}

/// Whether it was given here, or is a part of what was.
fn is_from_here(consent: &Value) -> bool {
    let mut values = list(consent, "identifier").iter().filter_map(|one| text(one, "value"));
    values.any(|value| value.starts_with(OWN))
}

/// Whether it is a yes that stands.
fn is_open(consent: &Value) -> bool {
    let kind = consent.get("provision").and_then(|provision| text(provision, "type"));
    text(consent, "status") == Some("active") && kind == Some("permit")
}

/// What can be done with a consent.
fn actions(guest: &Guest, consent: &Value) -> Markup {
    let texts = &guest.visit.texts().signing;
    let id = text(consent, "id").unwrap_or_default();
    let is_yes = is_open(consent);
    html! {
        @if is_yes || is_from_here(consent) {
            div.row {
                @if is_yes && is_ours(consent) {
                    a.button.quiet href=(give::to_change(guest, id)) { (texts.change) }
                }
                a.button.quiet href=(give::to_end(guest, id)) { (texts.end_link) }
            }
        }
    }
}

fn card(guest: &Guest, consent: &Value, is_in_force: bool, has_actions: bool) -> Markup {
    let visit = &guest.visit;
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
            @if has_actions { (actions(guest, consent)) }
        }
    }
}
