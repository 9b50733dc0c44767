//! Who has seen the record, in plain words: the accounting of disclosures, and the log behind it.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::guest::{Guest, RECORD};
use super::{SEEN, wording};
use crate::audit::disclosures::{self, Disclosure, Period};
use crate::audit::{self, Event, Question};
use crate::error::{Error, Result as Outcome};
use crate::http::html::{Visit, fill};
use crate::http::site::{Refused, Why};
use crate::policy::{Action, AuditPermit};

/// The parameter that says where a page starts.
const BEFORE: &str = "before";
/// The parameter of somebody who wants to see their own visits too.
const OWN: &str = "own";
/// How many events are summed up on a page.
const MANY: usize = 300;
/// How many years back an accounting goes (45 CFR 164.528(a)).
const YEARS: i64 = 6;

/// What somebody did on one day.
struct Visited {
    day: String,
    who: String,
    app: Option<String>,
    is_refused: bool,
    is_own: bool,
    deed: &'static str,
    what: BTreeMap<String, BTreeSet<String>>,
}

/// Shows it.
pub(in crate::http) async fn seen(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    // Whoever acts for a client learns nothing of whom the client let in.
    let permit = AuditPermit::decide(&guest.principal, Action::Search);
    let permit = permit.map_err(|_denied| guest.visit.refused(Why::Expired))?;
    let before = guest.visit.parameter(BEFORE).and_then(|number| number.parse().ok());
    let with_own = guest.visit.parameter(OWN).is_some();
    let (events, next, told) = log(&guest, permit, before).await?;
    let mut visits = Vec::new();
    for event in &events {
        sum(&guest, event, &mut visits).await?;
    }
    visits.retain(|one| with_own || !one.is_own);
    let mut accounting = Vec::new();
    for one in told.iter().filter(|one| one.is_accountable) {
        accounting.push((one, wording::recipient(&guest.visit, &one.recipient).await?));
    }
    let texts = &guest.visit.texts().seen;
    let next = next.map(|number| number.to_string());
    let body = html! {
        p.lede { (texts.lede) }
        @if before.is_none() { (accounts(&guest.visit, &accounting)) }
        section.stack aria-labelledby="log" {
            h2 #log { (texts.log) }
            p.soft { (texts.log_hint) }
            p {
                @if with_own { a href=(guest.address(SEEN, &[])) { (texts.without_own) } }
                @else { a href=(guest.address(SEEN, &[(OWN, "1")])) { (texts.with_own) } }
            }
            @if visits.is_empty() { div.card { p { (texts.nobody) } } }
            @else { ol.timeline { @for one in &visits { (visited(&guest.visit, one)) } } }
            @if let Some(next) = &next {
                @let own = with_own.then_some((OWN, "1"));
                @let all: Vec<_> = own.into_iter().chain([(BEFORE, next.as_str())]).collect();
                p { a.button.quiet href=(guest.address(SEEN, &all)) { (texts.earlier) } }
            }
        }
    };
    let title = guest.visit.texts().portal.seen.clone();
    Ok(guest.answer(SEEN, &title, &body))
}

type Log = (Vec<Event>, Option<u64>, Vec<Disclosure>);

async fn log(guest: &Guest, permit: AuditPermit, before: Option<u64>) -> Result<Log, Refused> {
    let ledger = std::sync::Arc::clone(guest.visit.state().audit.ledger());
    let (patient, now) = (guest.chart.patient.clone(), guest.now);
    let asking = move || -> Outcome<Log> {
        let question =
            Question { patient: Some(patient.clone()), before, count: MANY, ..Question::default() };
        let found = audit::search(&*ledger, &permit, &question)?;
        let years = jiff::Span::new().years(YEARS);
        let since = now.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(years);
        let since = since.map_err(Error::internal)?.timestamp();
        let period = Period { patient: patient.clone(), since: Some(since), until: None };
        let told = match before {
            Some(_) => Vec::new(),
            None => {
                disclosures::sum_up(&disclosures::events(&*ledger, &permit, &period)?, &patient)
            }
        };
        Ok((found.events, found.next, told))
    };
    let told = web::block(asking).await.unwrap_or_else(|cause| Err(Error::internal(cause)));
    told.map_err(|error| guest.visit.failed(&error))
}

/// Adds an event to what the same person did on the same day.
async fn sum(guest: &Guest, event: &Event, visits: &mut Vec<Visited>) -> Result<(), Refused> {
    let own = guest.principal.fhir_user.as_ref().map(ToString::to_string);
    let is_own = event.who.user.is_some() && event.who.user == own;
    let who = match &event.who.user {
        Some(user) => guest.name(user).await?,
        None => {
            wording::recipient(
                &guest.visit,
                event.who.client.as_ref().unwrap_or(&event.who.subject),
            )
            .await?
        }
    };
    let app = match (&event.who.user, &event.who.client) {
        (Some(_), Some(client)) if client != "portal" => {
            Some(wording::recipient(&guest.visit, client).await?)
        }
        _ => None,
    };
    let day = wording::on(&guest.visit, event.at);
    let (is_refused, deed) = (event.status >= 400, event.action.name());
    let same = |one: &&mut Visited| {
        one.day == day
            && one.who == who
            && one.app == app
            && one.is_refused == is_refused
            && (one.deed == deed || !one.what.is_empty() && !event.shown.is_empty())
    };
    if visits.iter_mut().find(same).is_none() {
        let what = BTreeMap::new();
        visits.push(Visited {
            day: day.clone(),
            who: who.clone(),
            app: app.clone(),
            is_refused,
            is_own,
            deed,
            what,
        });
    }
    if let Some(known) = visits.iter_mut().find(same) {
        for shown in event.shown.iter().filter(|shown| shown.patient.is_some()) {
            known.what.entry(shown.resource_type.clone()).or_default().insert(shown.id.clone());
        }
    }
    Ok(())
}

fn visited(visit: &Visit, one: &Visited) -> Markup {
    let texts = visit.texts();
    html! {
        li {
            p.when { (one.day) }
            div.entry.stack.tight {
                h3 {
                    bdi { (one.who) }
                    @if let Some(app) = &one.app {
                        " " span.soft { (fill(&texts.seen.by_app, &[("app", app)])) }
                    }
                }
                @if one.is_refused {
                    p { span.badge.caution { (texts.seen.refused) } }
                } @else if one.what.is_empty() {
                    p { (texts.deeds.get(one.deed).unwrap_or(&texts.seen.other)) }
                } @else {
                    p.soft.small { (texts.seen.looked) }
                    ul.small { @for (name, ids) in &one.what { (kind(visit, name, ids.len())) } }
                }
            }
        }
    }
}

fn kind(visit: &Visit, name: &str, count: usize) -> Markup {
    let label = visit.texts().kinds.get(name).map_or(name, String::as_str);
    html! { li { (label) @if count > 1 { " (" (count) ")" } } }
}

/// The accounting of disclosures.
fn accounts(visit: &Visit, accounting: &[(&Disclosure, String)]) -> Markup {
    let texts = &visit.texts().seen;
    html! {
        section.stack aria-labelledby="accounting" {
            h2 #accounting { (texts.accounting) }
            p.soft { (texts.accounting_hint) }
            @if accounting.is_empty() { div.card { p { (texts.no_accounting) } } }
            @else {
                ul.plain.stack.tight {
                    @for (one, name) in accounting {
                        li.card.stack.tight {
                            h3 { bdi { (name) } }
                            dl.facts {
                                dt { (texts.when) }
                                dd { (span(visit, one)) }
                                dt { (texts.what_for) }
                                dd { (visit.texts().purposes.get(one.purpose.as_deref().unwrap_or("none")).unwrap_or(&texts.other_purpose)) }
                                dt { (texts.what) }
                                dd { ul.plain { @for (name, count) in &one.what { (kind(visit, name, *count)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// From when to when, and how often.
fn span(visit: &Visit, one: &Disclosure) -> String {
    let (first, last) = (wording::on(visit, one.first), wording::on(visit, one.last));
    if one.times == 1 {
        return first;
    }
    let times = one.times.to_string();
    fill(&visit.texts().seen.times, &[("first", &first), ("last", &last), ("times", &times)])
}
