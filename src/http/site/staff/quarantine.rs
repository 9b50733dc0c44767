//! What could not be taken in, with what to do: never what is in it.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;

use super::QUARANTINE;
use super::member::Member;
use crate::error::Error;
use crate::http::html::{Visit, fill};
use crate::http::site::Refused;
use crate::http::site::portal::wording;
use crate::policy::Role;
use crate::store::Quarantined;

/// The most that are shown.
const MOST: usize = 200;

/// Shows the entries of the practice, oldest first.
pub(in crate::http) async fn quarantine(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let (state, tenant) = (member.visit.state().clone(), member.tenant.clone());
    let found = web::block(move || {
        let mut entries = state.store.quarantine()?;
        entries.retain(|entry| entry.tenant.as_ref() == Some(&tenant));
        Ok(entries)
    });
    let found = found.await.map_err(Error::internal).and_then(|found| found);
    let found: Vec<Quarantined> = found.map_err(|error| member.visit.failed(&error))?;
    let (visit, texts) = (&member.visit, &member.visit.texts().quarantine);
    let body = html! {
        p.lede { (texts.lede) }
        @if found.is_empty() { div.card { p { (texts.none) } } }
        @if found.len() > MOST {
            p { (fill(&texts.more, &[("count", &found.len().to_string())])) }
        }
        ul.plain.stack.tight {
            @for entry in found.iter().take(MOST) {
                li.card.stack.tight {
                    h2 {
                        (entry.kind.as_deref().unwrap_or(&texts.unknown)) " "
                        code { (entry.id.as_deref().unwrap_or_default()) }
                    }
                    p.row {
                        span.badge { (entry.reason) }
                        span.soft.small { (wording::on(visit, entry.received)) }
                    }
                    p lang="en" { (entry.detail) }
                    @if !entry.pointer.is_empty() { p.small { code { (entry.pointer) } } }
                }
            }
        }
    };
    let title = texts.title.clone();
    Ok(member.answer(QUARANTINE, &title, body))
}
