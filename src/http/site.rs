//! The pages for people: the portal, signing in, choosing a record, saying yes to an app, and stopping it.
//!
//! A page changes nothing unless a form of ours asks for it. Who is signed in is looked up at each
//! request, so that ending a session ends it.

mod apps;
mod consent;
mod date;
mod flow;
mod kinds;
mod launch;
mod login;
mod logout;
mod pick;
pub(in crate::http) mod portal;
mod receivers;
mod refused;
pub(in crate::http) mod staff;
mod viewer;
mod witness;

use std::sync::Arc;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::html::Visit;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::exchange::sign_in::{Place, Session, SignIn};
use crate::smart::Authority;

pub(super) use self::apps::{apps, stop};
pub(super) use self::consent::{consent, decided};
pub(super) use self::launch::launch;
pub(super) use self::login::{arrive, choose, login};
pub(super) use self::logout::{logout, signed_out};
pub(super) use self::pick::pick;
pub(super) use self::refused::{Refused, Why};
pub(super) use self::viewer::{SCRIPT, script, viewer};

pub(super) use super::authorize::CONSENT;

/// Where people choose whose record an app may see.
pub(super) const PICK: &str = "/auth/pick";
/// Where the platform makes the context of a launch.
pub(super) const LAUNCH: &str = "/auth/launch";
/// Where people sign in.
pub(super) const LOGIN: &str = "/auth/login";
/// Where the provider sends them back to.
pub(super) const CALLBACK: &str = "/auth/login/callback";
/// Where they sign out, and where they are afterwards.
pub(super) const LOGOUT: &str = "/auth/logout";
/// Where they see the apps that may read their record.
pub(super) const APPS: &str = "/auth/apps";

/// Does what waits for the store, aside of those who do not.
async fn ask<T: Send + 'static>(
    visit: &Visit,
    question: impl FnOnce(&SignIn) -> Result<T> + Send + 'static,
) -> std::result::Result<T, Refused> {
    let sign_in = Arc::clone(visit.sign_in()?);
    let answer = web::block(move || question(&sign_in)).await;
    let answer = answer.unwrap_or_else(|cause| Err(Error::internal(cause)));
    answer.map_err(|error| visit.failed(&error))
}

/// Asks the authorization server, aside of those who do not wait for the store.
async fn decide<T: Send + 'static>(
    visit: &Visit,
    question: impl FnOnce(&Authority) -> Result<T> + Send + 'static,
) -> std::result::Result<T, Refused> {
    let authority = Arc::clone(&visit.state().authority);
    let answer = web::block(move || question(&authority)).await;
    let answer = answer.unwrap_or_else(|cause| Err(Error::internal(cause)));
    answer.map_err(|error| visit.failed(&error))
}

/// Who is signed in.
async fn session(visit: &Visit) -> std::result::Result<Option<Session>, Refused> {
    let browser = visit.id().to_owned();
    ask(visit, move |sign_in| sign_in.session(&browser)).await
}

/// Who is signed in. Others sign in first, and then come to what they asked for, or to `home` where that is no
/// page to come back to.
async fn entered(
    visit: &Visit,
    request: &HttpRequest,
    home: &str,
) -> std::result::Result<Session, Refused> {
    if let Some(session) = session(visit).await? {
        return Ok(session);
    }
    let asked = request.uri().path_and_query().map_or(home, |asked| asked.as_str());
    let place = asked.parse::<Place>().ok().filter(|_| request.method() == Method::GET);
    Err(Refused::until_signed_in(visit, place.as_ref().map_or(home, Place::as_str)))
}

/// Sends the browser on, with the cookies of the visit.
fn go(visit: &Visit, address: &str) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    response
        .insert_header((header::LOCATION, address))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    for cookie in visit.cookies() {
        response.cookie(cookie);
    }
    response.finish()
}

impl Visit {
    /// What signs people in.
    fn sign_in(&self) -> std::result::Result<&Arc<SignIn>, Refused> {
        self.state().sign_in.as_ref().ok_or_else(|| self.refused(Why::Unavailable))
    }

    /// Whose records they are.
    fn tenant(&self) -> std::result::Result<TenantId, Refused> {
        Ok(self.sign_in()?.people().tenant().clone())
    }

    /// The page that says that something did not work; the cause is for the log.
    fn failed(&self, error: &Error) -> Refused {
        self.refused(match error {
            Error::Unauthenticated => Why::SignIn,
            Error::Denied | Error::Invalid { .. } => Why::Forbidden,
            Error::NotFound => Why::Expired,
            other => {
                if let Error::Internal(cause) | Error::Unavailable(cause) = other {
                    tracing::error!(cause = %cause, "a page failed");
                }
                Why::Unavailable
            }
        })
    }
}
