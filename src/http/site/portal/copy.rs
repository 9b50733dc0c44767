//! The copy that somebody asked for: how far it is, and taking it.
//!
//! Whoever takes it has proven who they are just now, and not only at the beginning of the session. A
//! password is theirs to choose; it is not kept.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use jiff::SignedDuration;
use maud::{Markup, html};

use super::guest::{Guest, RECORD};
use super::{COPY, REQUESTS, wording};
use crate::error::Error;
use crate::exchange::requests::{Made, Making, Request};
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::{Refused, Why, login};

/// How long a proof of who somebody is counts for this.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// The shortest password, in characters.
const SHORTEST: usize = 10;
/// The longest.
const LONGEST: usize = 128;
/// The parameter of somebody whose password is none.
pub(super) const PASSWORD: &str = "password";

/// How the copy of a request stands.
pub(super) enum Standing {
    /// There is none, and none is being made.
    None,
    /// It is being made.
    Making,
    /// It could not be made; the practice sees why.
    Failed,
    /// It can be taken.
    Ready(Made),
    /// It was there, and is not any more.
    Over,
}

impl Guest {
    /// How the copy of a request stands.
    pub(super) async fn copy(&self, request: &Request) -> Result<Standing, Refused> {
        let state = self.visit.state();
        let failed = |error: Error| self.visit.failed(&error);
        if request.fulfilment.is_some() {
            let made = state.copies.made(request).await.map_err(failed)?;
            return Ok(made.map_or(Standing::Over, Standing::Ready));
        }
        Ok(match state.copies.making(request).await.map_err(failed)? {
            Some(Making::Open) => Standing::Making,
            Some(Making::Failed(_)) => Standing::Failed,
            None => Standing::None,
        })
    }
}

/// What the page of a request says of its copy.
pub(super) fn section(guest: &Guest, request: &Request, standing: &Standing) -> Markup {
    let (visit, texts) = (&guest.visit, &guest.visit.texts().copy);
    let here = || guest.address(&format!("{REQUESTS}/{}", request.id), &[]);
    html! {
        @match standing {
            Standing::None => {}
            Standing::Making => {
                div role="status" { (notice(Tone::Calm, &texts.making_title, &texts.making)) }
                p { a.button.quiet href=(here()) { (texts.look_again) } }
            }
            Standing::Failed => { (notice(Tone::Calm, &texts.failed_title, &texts.failed)) }
            Standing::Over => { (notice(Tone::Calm, &texts.over_title, &texts.over)) }
            Standing::Ready(made) => { (ready(guest, request, made)) }
        }
        @if visit.parameter(PASSWORD).is_some() {
            div role="alert" {
                (notice(Tone::Danger, &texts.wrong_title, &fill(&texts.password_hint, &numbers())))
            }
        }
    }
}

fn numbers() -> [(&'static str, &'static str); 1] {
    [("count", "10")]
}

fn ready(guest: &Guest, request: &Request, made: &Made) -> Markup {
    let (visit, texts) = (&guest.visit, &guest.visit.texts().copy);
    let until = wording::on(visit, made.until);
    html! {
        section.card.stack aria-labelledby="copy" {
            h2 #copy { (texts.title) }
            p { (fill(&texts.ready, &[("date", &until)])) }
            form method="post" action=(COPY) class="stack" {
                (csrf(&visit.csrf(COPY)))
                (guest.field())
                input type="hidden" name="request" value=(request.id);
                div.stack.tight {
                    label for="password" { (texts.password) }
                    p.hint #password-hint { (fill(&texts.password_hint, &numbers())) }
                    input #password type="password" name="password" autocomplete="new-password"
                        maxlength=(LONGEST) aria-describedby="password-hint";
                }
                div.actions { button type="submit" { (texts.take) } }
                p.soft.small { (texts.fresh) }
            }
            details {
                summary { (texts.check) }
                p.small { code { (made.sha256) } }
            }
        }
    }
}

/// Gives the copy to somebody who has just proven who they are.
pub(in crate::http) async fn copy(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let guest = Guest::enter(visit, &request, form.value(RECORD)).await?;
    let found = guest.own_request(form.value("request").unwrap_or_default()).await?;
    let here = guest.address(&format!("{REQUESTS}/{}", found.id), &[]);
    let is_fresh = guest.proven.is_some_and(|at| guest.now.duration_since(at) <= FRESH);
    if !is_fresh {
        return Ok(guest.go(&login::address(&here, true)));
    }
    let chosen: Vec<&str> = form.values("password").filter(|one| !one.is_empty()).collect();
    let is_good = |password: &&str| (SHORTEST..=LONGEST).contains(&password.chars().count());
    // Of two that were sent nobody can tell which one is meant.
    let is_one = chosen.len() < 2 && chosen.iter().all(is_good);
    let password = chosen.first().copied();
    if !is_one {
        let again = guest.address(&format!("{REQUESTS}/{}", found.id), &[(PASSWORD, "1")]);
        return Ok(guest.go(&again));
    }
    let state = guest.visit.state().clone();
    let tenant = &guest.principal.tenant;
    let taken = state.copies.take(tenant, &found, password.map(str::to_owned)).await;
    let taken = taken.map_err(|error| guest.visit.failed(&error))?;
    let zip = taken.ok_or_else(|| guest.visit.refused(Why::Expired))?;
    Ok(guest.file(zip))
}

impl Guest {
    /// A file to be saved.
    fn file(self, zip: Vec<u8>) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response
            .insert_header((header::CONTENT_TYPE, "application/zip"))
            .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"record.zip\""))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
        for cookie in self.visit.cookies() {
            response.cookie(cookie);
        }
        self.showing(response.body(zip))
    }
}
