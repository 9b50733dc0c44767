//! Care that goes over to others: what is on its way, and a form that prepares more of it.

mod one;
mod wording;

pub(in crate::http) use self::one::{hand_over, transfer};

use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::member::Member;
use super::{REQUESTS, TRANSFERS};
use crate::domain::TenantId;
use crate::error::{Error, Result as Outcome};
use crate::exchange::transfers::{LONGEST, Transfer, Transfers, URGENCIES, Wanted};
use crate::http::html::{Choice, Form, Tone, Visit, csrf, notice};
use crate::http::site::{Refused, Why};
use crate::policy::Role;

/// The parameter of what could not be done.
const WRONG: &str = "wrong";

/// The field of whether the receiver is given a link.
const BY_LINK: &str = "by_link";

/// A transfer with whose care it is about.
struct Handover {
    transfer: Transfer,
    /// What the client is called.
    name: String,
}

impl Member {
    /// Asks the transfers, aside of those who do not wait for the store.
    async fn of_transfers<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Transfers, &TenantId) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (transfers, tenant) = (self.visit.state().transfers.clone(), self.tenant.clone());
        web::block(move || question(&transfers, &tenant)).await.map_err(Error::internal)?
    }

    /// Whether a client's care is theirs to hand over: it is neither their own nor that of somebody
    /// they act for, and they answer for all records, or treat the client.
    fn may_hand_over(&self, client: &str) -> bool {
        (self.is(Role::PrivacyOfficer) || self.treats(client)) && !self.is_close_to(client)
    }

    /// The transfers that are theirs to work on.
    async fn handovers(&self) -> Result<Vec<Handover>, Refused> {
        let found = self.of_transfers(Transfers::all).await;
        self.handovers_of(found.map_err(|error| self.visit.failed(&error))?).await
    }

    /// One of them. One that is not theirs looks like one that is not there.
    async fn handover(&self, id: &str) -> Result<Handover, Refused> {
        let id = id.to_owned();
        let found = self.of_transfers(move |transfers, tenant| transfers.transfer(tenant, &id));
        let found = found.await.map_err(|error| self.visit.failed(&error))?;
        let mut handovers = self.handovers_of(found.into_iter().collect()).await?;
        handovers.pop().ok_or_else(|| self.visit.refused(Why::Expired))
    }

    async fn handovers_of(&self, mut found: Vec<Transfer>) -> Result<Vec<Handover>, Refused> {
        found.retain(|transfer| self.may_hand_over(&transfer.client));
        let named = self.named(found, |transfer| &transfer.client).await?;
        let handover = |(transfer, name, _)| Handover { transfer, name };
        Ok(named.into_iter().map(handover).collect())
    }

    /// The clients whom they treat and may hand over, by name.
    async fn clients(&self) -> Result<Vec<(String, String)>, Refused> {
        let own = self.treated().filter(|one| self.may_hand_over(one)).collect();
        let named = self.named(own, String::as_str).await?;
        let mut clients: Vec<_> =
            named.into_iter().map(|(client, name, _)| (client, name)).collect();
        clients.sort_by(|(_, a), (_, b)| a.cmp(b));
        Ok(clients)
    }
}

/// Shows the transfers.
pub(in crate::http) async fn transfers(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let handovers = member.handovers().await?;
    let clients = member.clients().await?;
    let (open, closed): (Vec<&Handover>, Vec<&Handover>) =
        handovers.iter().partition(|one| !one.transfer.state.is_closed());
    let (visit, texts) = (&member.visit, &member.visit.texts().transfers);
    let tenant = member.tenant.clone();
    let receivers: Vec<(&str, &str)> = visit.state().transfers.receivers(&tenant).collect();
    let body = html! {
        p.lede { (texts.lede) }
        @if visit.parameter(WRONG).is_some() {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        @if open.is_empty() { div.card { p { (texts.none) } } }
        ul.plain.stack.tight { @for one in &open { (row(visit, one)) } }
        @if !closed.is_empty() {
            details {
                summary { (texts.closed) }
                ul.plain.stack.tight { @for one in &closed { (row(visit, one)) } }
            }
        }
        @if !clients.is_empty() && !receivers.is_empty() {
            (preparing(visit, &clients, &receivers))
        }
    };
    let title = texts.title.clone();
    Ok(member.answer(TRANSFERS, &title, body))
}

fn row(visit: &Visit, one: &Handover) -> Markup {
    let texts = &visit.texts().transfers;
    let needs = one.transfer.needs_somebody(visit.state().clock.now());
    html! {
        li.card.stack.tight {
            h2 {
                a href={ (TRANSFERS) "/" (one.transfer.id) } {
                    bdi { (one.name) } ": " bdi { (one.transfer.to) }
                }
            }
            p.row {
                (wording::badge(visit, &one.transfer))
                @if needs { span.badge.caution { (texts.needs) } }
            }
        }
    }
}

/// The form that prepares a transfer.
fn preparing(visit: &Visit, clients: &[(String, String)], receivers: &[(&str, &str)]) -> Markup {
    let texts = &visit.texts().transfers;
    let by_link = Choice {
        kind: "checkbox",
        name: BY_LINK,
        value: "1",
        is_chosen: false,
        label: &texts.by_link,
        hint: &texts.by_link_hint,
    };
    html! {
        form.card.stack method="post" action=(TRANSFERS) {
            (csrf(&visit.csrf(TRANSFERS)))
            h2 { (texts.prepare) }
            div.stack.tight {
                label for="client" { (texts.client) }
                select #client name="client" {
                    @for (id, name) in clients { option value=(id) { (name) } }
                }
            }
            div.stack.tight {
                label for="receiver" { (texts.receiver) }
                select #receiver name="receiver" {
                    @for (name, title) in receivers { option value=(name) { (title) } }
                }
            }
            div.stack.tight {
                label for="reason" { (texts.reason) }
                p.hint #reason-hint { (texts.reason_hint) }
                textarea #reason name="reason" rows="3" maxlength=(LONGEST) required
                    aria-describedby="reason-hint" {}
            }
            div.stack.tight {
                label for="urgency" { (texts.urgency) }
                select #urgency name="urgency" {
                    @for urgency in URGENCIES {
                        option value=(urgency) { (wording::urgency(visit, urgency)) }
                    }
                }
            }
            (by_link.markup())
            p.soft.small { (texts.prepare_hint) }
            div.actions { button type="submit" { (texts.prepare) } }
        }
    }
}

/// Prepares a transfer.
pub(in crate::http) async fn prepare(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, REQUESTS).await?;
    let field = |name: &str| form.value(name).unwrap_or_default().to_owned();
    let client = field("client");
    if !member.may_hand_over(&client) {
        return Err(member.visit.refused(Why::Expired));
    }
    let wanted = Wanted {
        client,
        receiver: field("receiver"),
        reason: field("reason"),
        urgency: field("urgency"),
        sections: Vec::new(),
        notes: Vec::new(),
        by_link: form.value(BY_LINK).is_some(),
        by: member.duties.staff.clone(),
        key: None,
    };
    match member.of_transfers(move |transfers, tenant| transfers.create(tenant, wanted)).await {
        Ok((made, _)) => {
            let made = member.handovers_of(vec![made]).await?.pop();
            let made = made.ok_or_else(|| member.visit.refused(Why::Expired))?;
            member.note("transfer", &made.transfer.id);
            let place = format!("{TRANSFERS}/{}", made.transfer.id);
            Ok(member.go(&place))
        }
        Err(Error::Conflict { .. } | Error::Invalid { .. } | Error::NotFound) => {
            Ok(member.go(&format!("{TRANSFERS}?{WRONG}=1")))
        }
        Err(error) => Err(member.visit.failed(&error)),
    }
}
