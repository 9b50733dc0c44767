//! Who has received an entry, by the names that people know, and the choice of who is told of its
//! correction.

use std::sync::Arc;

use actix_web::web;
use jiff::Timestamp;
use maud::{Markup, html};

use super::Refused;
use super::portal::wording;
use crate::domain::TenantId;
use crate::error::Error;
use crate::exchange::requests::{Request, Told};
use crate::http::html::{Choice, Form, Visit, fill};

/// The field of those that are chosen.
const TELL: &str = "tell";
/// The field of others, one a line.
const OTHERS: &str = "others";
/// The longest text of others that is taken, in characters.
const LONGEST: usize = 2_000;

/// Somebody who has received an entry.
pub(super) struct Receiver {
    id: String,
    name: String,
    last: Timestamp,
}

/// Those who have received the entry of a request.
pub(super) async fn receivers(
    visit: &Visit,
    tenant: &TenantId,
    request: &Request,
) -> Result<Vec<Receiver>, Refused> {
    let (state, tenant, request) = (visit.state().clone(), tenant.clone(), request.clone());
    let ledger = Arc::clone(state.audit.ledger());
    let found = web::block(move || state.requests.receivers(&*ledger, &tenant, &request));
    let found = found.await.map_err(Error::internal).and_then(|found| found);
    let mut named = Vec::new();
    for one in found.map_err(|error| visit.failed(&error))? {
        let name = wording::recipient(visit, &one.id).await?;
        named.push(Receiver { id: one.id, name, last: one.last });
    }
    Ok(named)
}

/// The fields of a form in which somebody says who is told.
pub(super) fn fields(visit: &Visit, found: &[Receiver]) -> Markup {
    let texts = &visit.texts().correction;
    let choice = |one: &Receiver| {
        let hint = fill(&texts.received, &[("date", &wording::on(visit, one.last))]);
        Choice {
            kind: "checkbox",
            name: TELL,
            value: &one.id,
            is_chosen: true,
            label: &one.name,
            hint: &hint,
        }
        .markup()
    };
    html! {
        @if found.is_empty() { p { (texts.nobody) } } @else {
            fieldset.stack.tight {
                legend { (texts.receivers) }
                div.choices { @for one in found { (choice(one)) } }
            }
        }
        div.stack.tight {
            label for="others" { (texts.others) }
            p.hint #others-hint { (texts.others_hint) }
            textarea #others name=(OTHERS) rows="3" maxlength=(LONGEST)
                aria-describedby="others-hint" {}
        }
    }
}

/// Who is told, as a form says: of those who have received it those that are chosen, and others.
pub(super) fn chosen(form: &Form, found: &[Receiver]) -> Vec<Told> {
    let ids: Vec<&str> = form.values(TELL).collect();
    let known = found.iter().filter(|one| ids.contains(&one.id.as_str()));
    let known = known.map(|one| Told {
        name: one.name.clone(),
        received_at: Some(one.last.to_string()),
        told_at: None,
    });
    let lines = form.value(OTHERS).unwrap_or_default().lines().map(str::trim);
    let others = lines.filter(|line| !line.is_empty()).map(|line| Told {
        name: line.to_owned(),
        received_at: None,
        told_at: None,
    });
    known.chain(others).collect()
}

/// Who is told, and when they were.
pub(super) fn told(visit: &Visit, request: &Request) -> Markup {
    let texts = &visit.texts().correction;
    html! {
        @if !request.told.is_empty() {
            section.stack.tight aria-labelledby="told" {
                h2 #told { (texts.told) }
                ul {
                    @for one in &request.told {
                        li {
                            bdi { (one.name) } ": "
                            @match one.told_at.as_ref().and_then(|at| at.parse::<Timestamp>().ok()) {
                                Some(at) => { (fill(&texts.told_on, &[("date", &wording::on(visit, at))])) }
                                None => { (texts.waits) }
                            }
                        }
                    }
                }
            }
        }
    }
}
