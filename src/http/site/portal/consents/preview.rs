//! What a signature would change: of each kind of entry, what a recipient will see that they do not see
//! now, and what they will see no more.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use crate::domain::FhirId;
use crate::exchange::explain::{Answer, Asked, Audience, Explainer, Who};
use crate::exchange::signing::Connected;
use crate::http::asking::Size;
use crate::http::html::fill;
use crate::http::site::Refused;
use crate::http::site::portal::guest::Guest;
use crate::store::Store;

/// How many entries of a kind there are.
#[derive(Default)]
struct Count {
    opened: usize,
    closed: usize,
    stays: usize,
}

/// A table for each of these recipients for whom something changes or stays open.
pub(super) async fn preview(
    guest: &Guest,
    plan: Option<Value>,
    without: Option<String>,
    recipients: &[Connected],
) -> Result<Markup, Refused> {
    let mut tables = Vec::new();
    for one in recipients {
        let asked = Asked {
            tenant: guest.principal.tenant.clone(),
            patient: guest.chart.patient.clone(),
            actor: Some(Who::Recipient(one.client_id.clone())),
            purpose: one.purpose.parse().ok(),
            plan: plan.clone(),
            without: without.as_deref().and_then(|id| id.parse::<FhirId>().ok()),
            audience: Audience::Patient,
        };
        let state = guest.visit.state().clone();
        let (rules, ids, clock) = (state.rules.load_full(), state.ids.clone(), state.clock.clone());
        let question = move |store: &dyn Store| {
            Explainer { store, rules: &rules, ids: &ids, clock: &*clock }.explain(&asked)
        };
        let found = state.ask(Size::Many, question).await;
        let found = found.map_err(|error| guest.visit.failed(&error))?;
        let counts = counts(&found.answers);
        if plan.is_some() || counts.values().any(|one| one.opened + one.closed > 0) {
            tables.push(table(guest, one, &counts));
        }
    }
    let texts = &guest.visit.texts().signing;
    Ok(html! {
        @for table in &tables { (table) }
        @if tables.is_empty() { p.card { (texts.nothing) } }
    })
}

fn counts(answers: &[Answer]) -> BTreeMap<&str, Count> {
    let mut counts: BTreeMap<&str, Count> = BTreeMap::new();
    for line in answers.iter().flat_map(|answer| &answer.lines) {
        let count = counts.entry(line.resource_type.as_str()).or_default();
        match (line.is_released, line.was_released.unwrap_or(line.is_released)) {
            (true, false) => count.opened += line.count,
            (false, true) => count.closed += line.count,
            (true, true) => count.stays += line.count,
            (false, false) => {}
        }
    }
    counts.retain(|_, count| count.opened + count.closed + count.stays > 0);
    counts
}

fn table(guest: &Guest, to: &Connected, counts: &BTreeMap<&str, Count>) -> Markup {
    let (texts, words) = (&guest.visit.texts().signing, guest.visit.texts());
    let name = |kind: &str| words.kinds.get(kind).cloned().unwrap_or_else(|| kind.to_owned());
    let shown = |count: usize| if count == 0 { "–".to_owned() } else { count.to_string() };
    html! {
        section.card.stack.tight {
            h2 { (fill(&texts.sees, &[("name", &to.name)])) }
            @if counts.is_empty() { p { (texts.nothing) } }
            @else {
                table {
                    thead {
                        tr {
                            th scope="col" { (texts.kind) }
                            th scope="col" { (texts.opened) }
                            th scope="col" { (texts.stays) }
                            th scope="col" { (texts.ended) }
                        }
                    }
                    tbody {
                        @for (kind, count) in counts {
                            tr {
                                th scope="row" { (name(kind)) }
                                td { (shown(count.opened)) }
                                td { (shown(count.stays)) }
                                td { (shown(count.closed)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
