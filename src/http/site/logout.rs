//! Signing out: here, and at the provider.

use actix_web::HttpResponse;
use maud::html;

use super::{APPS, LOGOUT, Refused, ask, decide, go};
use crate::http::html::{Form, Page, Visit};

/// Ends the session, everywhere at once.
pub(in crate::http) async fn logout(visit: Visit, _form: Form) -> Result<HttpResponse, Refused> {
    let browser = visit.id().to_owned();
    let session = ask(&visit, move |sign_in| sign_in.leave(&browser)).await?;
    if let Some(session) = &session {
        let (tenant, subject) = (visit.tenant()?, session.person.subject.clone());
        decide(&visit, move |authority| authority.end_online(&tenant, &subject)).await?;
    }
    let visit = visit.renewed()?;
    let back = format!("{}{LOGOUT}", visit.state().origin());
    let away = match (&visit.state().sign_in, &session) {
        (Some(sign_in), Some(session)) => sign_in.logout(session, &back).await,
        _ => None,
    };
    Ok(go(&visit, away.as_deref().unwrap_or(LOGOUT)))
}

/// Says that somebody is signed out.
pub(in crate::http) async fn signed_out(visit: Visit) -> HttpResponse {
    let texts = &visit.texts().sign_in;
    let body = html! {
        p.lede { (texts.signed_out) }
        p { a.button.quiet href=(super::login::address(APPS, false)) { (texts.again) } }
    };
    Page::new(&texts.signed_out_title, body).answer(&visit)
}
