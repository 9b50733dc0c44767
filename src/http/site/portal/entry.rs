//! One entry of the record: a session, a message, a document; in the timeline or by itself.

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};
use serde_json::Value;

use super::ask::{ENTRY, TYPE};
use super::guest::{Guest, RECORD};
use super::text::{beginning, clock, concept, day, list, reference, text};
use super::timeline::Entry;
use super::{ASK, MESSAGES, NOTES, PORTAL};
use crate::http::html::{Visit, fill};
use crate::http::site::{Refused, Why, date};
use crate::policy::request::Matter;

/// How many characters of a message the timeline shows.
const SHOWN: usize = 600;
/// How many characters of a text its own page shows.
const WHOLE: usize = 60_000;

/// The day and the clock of a moment, as they were where it was.
pub(super) fn moment(visit: &Visit, when: &str) -> String {
    let day = date::partial(visit, day(when));
    match clock(when) {
        Some(clock) => format!("{day}, {clock}"),
        None => day,
    }
}

/// An entry in the timeline.
pub(super) async fn markup(guest: &Guest, entry: &Entry) -> Result<Markup, Refused> {
    let inner = match entry.resource_type {
        "Encounter" => session(guest, &entry.resource).await?,
        "Communication" => said(guest, &entry.resource).await?,
        _ => document(guest, &entry.resource).await?,
    };
    Ok(html! {
        li {
            p.when { time datetime=(entry.when) { (moment(&guest.visit, &entry.when)) } }
            div.entry.stack.tight { (inner) }
        }
    })
}

async fn session(guest: &Guest, resource: &Value) -> Result<Markup, Refused> {
    let texts = &guest.visit.texts().portal;
    let kind = list(resource, "type").iter().rev().find_map(concept);
    let mut with = Vec::new();
    for participant in list(resource, "participant") {
        let Some(who) = reference(participant, "individual") else { continue };
        if who.starts_with("Practitioner/") {
            with.push(guest.name(who).await?);
        }
    }
    with.dedup();
    let length = resource.get("length").and_then(|length| length.get("value"));
    let length = length.and_then(Value::as_i64).map(|minutes| minutes.to_string());
    let status = text(resource, "status").filter(|status| *status != "finished");
    Ok(html! {
        h3 { (texts.session) }
        @if let Some(kind) = kind { p { bdi lang="en" { (kind) } } }
        p.soft.small {
            @if !with.is_empty() { (fill(&texts.with, &[("name", &with.join(", "))])) }
            @if let Some(minutes) = &length {
                @if !with.is_empty() { " · " }
                (fill(&texts.minutes, &[("minutes", minutes)]))
            }
        }
        @if status == Some("cancelled") { p { span.badge.caution { (texts.cancelled) } } }
        @if status == Some("in-progress") { p { span.badge { (texts.running) } } }
    })
}

async fn said(guest: &Guest, resource: &Value) -> Result<Markup, Refused> {
    let texts = &guest.visit.texts().portal;
    let sender = match reference(resource, "sender") {
        Some(sender) => guest.name(sender).await?,
        None => texts.somebody.clone(),
    };
    let (words, files) = payload(resource);
    let (shown, is_cut) = beginning(&words, SHOWN);
    let id = text(resource, "id").unwrap_or_default();
    Ok(html! {
        h3 { (fill(&texts.message, &[("name", &sender)])) }
        @if !shown.is_empty() { p.words dir="auto" { (shown) @if is_cut { " …" } } }
        @if files > 0 { p.soft.small { (fill(&texts.files, &[("count", &files.to_string())])) } }
        @if is_cut {
            p {
                a href=(guest.address(&format!("{MESSAGES}/{id}"), &[])) {
                    (texts.whole) span.hidden { ": " (fill(&texts.message, &[("name", &sender)])) }
                }
            }
        }
    })
}

/// The words of a message, and how many files came with it.
fn payload(resource: &Value) -> (String, usize) {
    let parts = list(resource, "payload");
    let words = parts.iter().filter_map(|part| text(part, "contentString"));
    let files = parts.iter().filter(|part| part.get("contentString").is_none()).count();
    (words.collect::<Vec<_>>().join("\n\n"), files)
}

async fn document(guest: &Guest, resource: &Value) -> Result<Markup, Refused> {
    let texts = &guest.visit.texts().portal;
    let title = title(resource).unwrap_or(&texts.document);
    let author = match list(resource, "author").iter().find_map(|who| text(who, "reference")) {
        Some(author) => Some(guest.name(author).await?),
        None => None,
    };
    let id = text(resource, "id").unwrap_or_default();
    let is_text = readable(resource).is_some();
    Ok(html! {
        h3 { bdi dir="auto" { (title) } }
        @if let Some(author) = author {
            p.soft.small { (fill(&texts.by, &[("name", &author)])) }
        }
        @if is_text {
            p {
                a href=(guest.address(&format!("{NOTES}/{id}"), &[])) {
                    (texts.read) span.hidden { ": " (title) }
                }
            }
        } @else { p.soft.small { (texts.file) } }
    })
}

fn title(resource: &Value) -> Option<&str> {
    let titled =
        || list(resource, "content").first()?.get("attachment").and_then(|a| text(a, "title"));
    text(resource, "description").or_else(titled).or_else(|| resource.get("type").and_then(concept))
}

/// The id of the Binary with the text of a document, if it is plain text.
fn readable(resource: &Value) -> Option<&str> {
    let attachment = list(resource, "content").first()?.get("attachment")?;
    let is_plain = text(attachment, "contentType").is_some_and(|one| one.starts_with("text/plain"));
    text(attachment, "url").filter(|_| is_plain)?.strip_prefix("Binary/")
}

/// A whole message.
pub(in crate::http) async fn message(
    visit: Visit,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let found = guest.read("Communication", &id).await?;
    let found = found.ok_or_else(|| guest.visit.refused(Why::Expired))?;
    let sender = match reference(&found, "sender") {
        Some(sender) => guest.name(sender).await?,
        None => guest.visit.texts().portal.somebody.clone(),
    };
    let title = fill(&guest.visit.texts().portal.message, &[("name", &sender)]);
    let when = text(&found, "sent").map(str::to_owned);
    Ok(page(guest, &title, when.as_deref(), &payload(&found).0, None))
}

/// A whole document.
pub(in crate::http) async fn note(
    visit: Visit,
    request: HttpRequest,
    id: Path<String>,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let missing = || guest.visit.refused(Why::Expired);
    let found = guest.read("DocumentReference", &id).await?.ok_or_else(missing)?;
    let binary = readable(&found).ok_or_else(missing)?;
    let binary = guest.read("Binary", binary).await?.ok_or_else(missing)?;
    let bytes = text(&binary, "data").and_then(|data| STANDARD.decode(data).ok());
    let words = bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(missing)?;
    let title = title(&found).unwrap_or(&guest.visit.texts().portal.document).to_owned();
    let when = text(&found, "date").map(str::to_owned);
    let entry = guest.entry(Some(&id)).await?;
    let ask = entry.map(|(document, _)| {
        guest.address(ASK, &[(TYPE, Matter::Amendment.as_str()), (ENTRY, &document)])
    });
    Ok(page(guest, &title, when.as_deref(), &words, ask.as_deref()))
}

/// A text by itself.
fn page(
    guest: Guest,
    title: &str,
    when: Option<&str>,
    words: &str,
    ask: Option<&str>,
) -> HttpResponse {
    let texts = &guest.visit.texts().portal;
    let (shown, is_cut) = beginning(words, WHOLE);
    let body = html! {
        @if let Some(when) = when { p.soft { (moment(&guest.visit, when)) } }
        div.card { div.words dir="auto" { (shown) } }
        @if is_cut { p { (texts.too_long) } }
        @if let Some(ask) = ask {
            p { a.button.quiet href=(ask) { (guest.visit.texts().correction.ask) } }
        }
        p { a href=(guest.address(PORTAL, &[])) { (texts.back) } }
    };
    guest.answer(PORTAL, title, &body)
}
