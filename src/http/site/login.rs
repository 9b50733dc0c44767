//! Signing in: at the platform's provider, or as one of the invented people of the demonstration.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::{LOGIN, Refused, Why, ask, go, witness};
use crate::auth::{Identity, Return};
use crate::config::{DemoAccount, Part};
use crate::exchange::people::Person;
use crate::exchange::sign_in::Place;
use crate::http::html::{Form, Page, Tone, Visit, csrf, fill, notice};

/// The parameter that says where to go then.
const PLACE: &str = "return";
/// The parameter that makes somebody prove again who they are.
const ANEW: &str = "anew";
/// How many records the demonstration's page names for somebody who acts for others.
const NAMED: usize = 3;

/// Where to sign in, and then go to `place`.
pub(super) fn address(place: &str, anew: bool) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair(PLACE, place);
    if anew {
        query.append_pair(ANEW, "1");
    }
    format!("{LOGIN}?{}", query.finish())
}

/// Sends somebody to the provider, or lets them choose who they are.
pub(in crate::http) async fn login(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let place = place(visit.parameter(PLACE));
    let sign_in = Arc::clone(visit.sign_in()?);
    let Some(provider) = sign_in.provider() else { return demo(&visit, &place).await };
    let anew = visit.parameter(ANEW).is_some();
    let (state, caller) = (visit.state(), visit.state().door.caller(&request));
    if let Some(seconds) = state.authority.wait(caller).await {
        return Err(visit.refused(Why::Busy(seconds)));
    }
    let departure = provider.depart(visit.language().tag(), anew).await;
    let departure = departure.map_err(|error| visit.failed(&error))?;
    let (browser, attempt) = (visit.id().to_owned(), departure.attempt);
    ask(&visit, move |sign_in| sign_in.remember(&browser, &place, &attempt)).await?;
    Ok(go(&visit, &departure.url))
}

/// Takes in somebody who comes back from the provider.
pub(in crate::http) async fn arrive(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let arrived = welcome(&visit, &request).await;
    arrived.inspect_err(|refused| witness::sign_in_refused(&visit, &request, refused))
}

async fn welcome(visit: &Visit, request: &HttpRequest) -> Result<HttpResponse, Refused> {
    let sign_in = Arc::clone(visit.sign_in()?);
    let parameter = |name| visit.parameter(name).map(str::to_owned);
    let state = parameter("state").ok_or_else(|| visit.refused(Why::SignIn))?;
    let browser = visit.id().to_owned();
    let (attempt, place) = ask(visit, move |sign_in| sign_in.recall(&browser, &state)).await?;
    let code = parameter("code").ok_or_else(|| visit.refused(Why::SignIn))?;
    let issuer = parameter("iss");
    let back = Return { code: &code, issuer: issuer.as_deref() };
    let identity = sign_in.receive(back, &attempt).await;
    let identity = identity.map_err(|error| visit.failed(&error))?;
    if !attempt.is_met_by(&identity) {
        tracing::warn!("the provider did not say (auth_time) that somebody signed in anew");
        return Err(visit.refused(Why::Undated));
    }
    let known = identity.clone();
    let person = ask(visit, move |sign_in| sign_in.people().recognise(&known)).await?;
    let person = person.ok_or_else(|| visit.refused(Why::Unknown))?;
    enter(visit, request, (person, Some(identity)), &place).await
}

/// Takes in one of the people of the demonstration.
pub(in crate::http) async fn choose(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let chosen = chosen(&visit, &request, &form).await;
    chosen.inspect_err(|refused| witness::sign_in_refused(&visit, &request, refused))
}

async fn chosen(
    visit: &Visit,
    request: &HttpRequest,
    form: &Form,
) -> Result<HttpResponse, Refused> {
    let place = place(form.value(PLACE));
    let accounts = ask(visit, crate::exchange::sign_in::SignIn::accounts).await?;
    let chosen = form.value("account").unwrap_or_default();
    let person = accounts.into_iter().find(|(account, _)| account.record == chosen);
    let (_, person) = person.ok_or_else(|| visit.refused(Why::Unknown))?;
    enter(visit, request, (person, None), &place).await
}

/// Opens a session under a new cookie, once it is written down, and goes on.
async fn enter(
    visit: &Visit,
    request: &HttpRequest,
    (person, identity): (Person, Option<Identity>),
    place: &Place,
) -> Result<HttpResponse, Refused> {
    witness::signed_in(visit, request, &person).await?;
    let (old, visit) = (visit.id().to_owned(), visit.renewed()?);
    let browser = visit.id().to_owned();
    ask(&visit, move |sign_in| {
        sign_in.leave(&old)?;
        sign_in.enter(&browser, person, identity.as_ref())
    })
    .await?;
    Ok(go(&visit, place.as_str()))
}

/// Where to go: a page of ours, or the one about apps.
fn place(text: Option<&str>) -> Place {
    text.and_then(|text| text.parse().ok()).unwrap_or_else(Place::home)
}

/// One of the people of the demonstration, with whom they act for.
struct Shown {
    account: DemoAccount,
    name: String,
    acts_for: Vec<String>,
}

async fn demo(visit: &Visit, place: &Place) -> Result<HttpResponse, Refused> {
    let shown = ask(visit, |sign_in| {
        let mut shown = Vec::new();
        for (account, person) in sign_in.accounts()? {
            let charts = match account.part {
                Part::Proxy => sign_in.people().charts(&person, "", NAMED)?.charts,
                Part::Client | Part::Staff => Vec::new(),
            };
            let acts_for = charts.into_iter().map(|chart| chart.name).collect();
            shown.push(Shown { account, name: person.name, acts_for });
        }
        Ok(shown)
    })
    .await?;
    if shown.is_empty() {
        return Err(visit.refused(Why::Unavailable));
    }
    let texts = &visit.texts().sign_in;
    let of = |part| shown.iter().filter(move |one| one.account.part == part);
    let body = html! {
        (notice(Tone::Calm, &texts.demo_title, &texts.demo_lede))
        form method="post" action=(LOGIN) class="stack loose" {
            (csrf(&visit.csrf(LOGIN)))
            input type="hidden" name=(PLACE) value=(place.as_str());
            @for (part, title) in [
                (Part::Client, &texts.clients),
                (Part::Proxy, &texts.proxies),
                (Part::Staff, &texts.staff),
            ] {
                @if of(part).next().is_some() {
                    section class="stack tight" {
                        h2 { (title) }
                        @for one in of(part) { (account(visit, one)) }
                    }
                }
            }
        }
    };
    Ok(Page::new(&texts.title, body).answer(visit))
}

fn account(visit: &Visit, one: &Shown) -> Markup {
    let texts = &visit.texts().sign_in;
    html! {
        button.wide-choice type="submit" name="account" value=(one.account.record) {
            span {
                strong { (one.name) }
                @if !one.acts_for.is_empty() {
                    " " span.hint { (fill(&texts.proxy, &[("name", &one.acts_for.join(", "))])) }
                }
            }
        }
    }
}
