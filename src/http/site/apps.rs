//! The apps that may read somebody's record, or whom they let read another's, and how to stop them.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::consent::described;
use super::{APPS, Refused, Why, ask, date, decide, go, kinds, login, session};
use crate::exchange::people::{Chart, Person};
use crate::http::html::{Form, Page, Tone, Visit, csrf, fill, notice};
use crate::smart::Granted;

/// The parameter with the number of the app that was stopped.
const STOPPED: &str = "stopped";
/// The most records whose clients are named.
const NAMED: usize = 200;

/// Shows the apps.
pub(in crate::http) async fn apps(visit: Visit) -> Result<HttpResponse, Refused> {
    let Some(session) = session(&visit).await? else {
        return Ok(go(&visit, &login::address(APPS, false)));
    };
    let person = session.person;
    let granted = granted(&visit, &person).await?;
    let of = person.clone();
    let charts = ask(&visit, move |sign_in| sign_in.people().charts(&of, "", NAMED)).await?.charts;
    let texts = &visit.texts().apps;
    let body = html! {
        @if visit.parameter(STOPPED).is_some() {
            div role="status" { (notice(Tone::Calm, &texts.stopped_title, &texts.stopped)) }
        }
        p.lede { (texts.lede) }
        @if granted.is_empty() { div.card { p { (texts.none) } } }
        @for grant in &granted { (card(&visit, grant, &person, &charts)) }
    };
    let mut page = Page::new(&texts.title, body);
    page.signed_in = Some(&person.name);
    Ok(page.answer(&visit))
}

/// Stops an app, at once and everywhere.
pub(in crate::http) async fn stop(visit: Visit, form: Form) -> Result<HttpResponse, Refused> {
    let Some(session) = session(&visit).await? else {
        return Ok(go(&visit, &login::address(APPS, false)));
    };
    let id = form.value("grant").unwrap_or_default();
    // One that is another's looks like one that is not there.
    let granted = granted(&visit, &session.person).await?;
    let grant = granted.into_iter().find(|grant| grant.id == id);
    let grant = grant.ok_or_else(|| visit.refused(Why::Expired))?;
    let (tenant, by) = (visit.tenant()?, session.person.subject);
    decide(&visit, move |authority| authority.revoke_grant(&tenant, &grant.id, &by)).await?;
    Ok(go(&visit, &format!("{APPS}?{STOPPED}=1")))
}

/// What the person granted, and what others granted about their own record.
async fn granted(visit: &Visit, person: &Person) -> Result<Vec<Granted>, Refused> {
    let (tenant, of) = (visit.tenant()?, person.clone());
    let own = ask(visit, move |sign_in| Ok(sign_in.people().own_patient(&of))).await?;
    let subject = person.subject.clone();
    decide(visit, move |authority| authority.grants_of(&tenant, &subject, own.as_ref())).await
}

fn card(visit: &Visit, grant: &Granted, person: &Person, charts: &[Chart]) -> Markup {
    let texts = &visit.texts().apps;
    let chart = charts.iter().find(|chart| grant.patient.as_ref() == Some(&chart.patient));
    let by = if grant.subject == person.subject { &texts.you } else { &texts.somebody };
    let day = |at| date::day(visit, at);
    let items = kinds::items(&grant.scopes);
    html! {
        section class="card stack" {
            h2 { (grant.name) }
            dl.facts {
                @if let Some(chart) = chart { dt { (texts.whose) } dd { (chart.name) } }
                dt { (texts.made_by) } dd { (by) }
                dt { (texts.since) } dd { (day(grant.made)) }
                dt { (texts.used) }
                dd { @match grant.used { Some(at) => (day(at)), None => (texts.never) } }
                dt { (texts.until) } dd { (day(grant.expires)) }
            }
            @if !items.is_empty() {
                details {
                    summary { (texts.sees) span.hidden { ": " (grant.name) } }
                    ul { @for item in &items { li { (described(visit, item).0) } } }
                }
            }
            form method="post" action=(APPS) {
                (csrf(&visit.csrf(APPS)))
                input type="hidden" name="grant" value=(grant.id);
                div.actions {
                    button.danger type="submit" {
                        (fill(&texts.stop, &[("app", &grant.name)]))
                    }
                }
            }
        }
    }
}
