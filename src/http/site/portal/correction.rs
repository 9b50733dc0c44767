//! A request for a correction, as whoever asked sees it: which entry, and what they can say about the
//! answer.

use maud::{Markup, html};

use super::REQUESTS;
use super::guest::Guest;
use crate::exchange::requests::{Correctable, LONGEST, Request};
use crate::http::html::{Visit, csrf, fill};
use crate::http::site::receivers::{self, Receiver};
use crate::http::site::{Refused, date};
use crate::policy::request::Event;

/// What an entry is called, with its day.
pub(in crate::http::site) fn named(visit: &Visit, entry: &Correctable) -> String {
    format!("{}, {}", entry.title, date::partial(visit, &entry.day))
}

impl Guest {
    /// The entry that a request is about.
    pub(super) async fn entry_of(&self, request: &Request) -> Result<Option<Correctable>, Refused> {
        let Some(id) = request.entry.clone() else { return Ok(None) };
        let client = request.client.clone();
        let found = self.requests(move |requests, tenant| requests.correctable(tenant, &client));
        let found = found.await.map_err(|error| self.visit.failed(&error))?;
        Ok(found.into_iter().find(|entry| entry.id == id))
    }

    /// Those who have received the entry; nobody is told to those who act for the client, since whom
    /// the client let in is the client's to know.
    pub(super) async fn receivers_of(
        &self,
        request: &Request,
    ) -> Result<Option<Vec<Receiver>>, Refused> {
        if !self.is_own() || !request.may_be_agreed() {
            return Ok(None);
        }
        let tenant = &self.principal.tenant;
        receivers::receivers(&self.visit, tenant, request).await.map(Some)
    }
}

/// What the page of a request says of a correction.
pub(super) fn section(
    guest: &Guest,
    request: &Request,
    entry: Option<&Correctable>,
    found: Option<&[Receiver]>,
) -> Markup {
    let (visit, texts) = (&guest.visit, &guest.visit.texts().correction);
    html! {
        @if let Some(entry) = entry {
            p { (fill(&texts.about, &[("entry", &named(visit, entry))])) }
        }
        @if guest.is_own() { (receivers::told(visit, request)) }
        @if let Some(found) = found { (agree(guest, request, found)) }
        @if request.is_ours() && request.may_disagree() { (disagree(guest, request)) }
    }
}

fn hidden(guest: &Guest, request: &Request) -> Markup {
    html! {
        (csrf(&guest.visit.csrf(REQUESTS)))
        (guest.field())
        input type="hidden" name="request" value=(request.id);
    }
}

fn agree(guest: &Guest, request: &Request, found: &[Receiver]) -> Markup {
    let (visit, texts) = (&guest.visit, &guest.visit.texts().correction);
    html! {
        form.card.stack method="post" action=(REQUESTS) aria-labelledby="agree" {
            h2 #agree { (texts.agree) }
            p { (texts.agree_lede) }
            (hidden(guest, request))
            (receivers::fields(visit, found))
            div.actions {
                button type="submit" name="step" value=(Event::Agree.as_str()) { (texts.agree_send) }
            }
        }
    }
}

fn disagree(guest: &Guest, request: &Request) -> Markup {
    let (visit, texts) = (&guest.visit, &guest.visit.texts().correction);
    let longest = fill(&visit.texts().asking.longest, &[("count", &LONGEST.to_string())]);
    html! {
        form.card.stack method="post" action=(REQUESTS) aria-labelledby="disagree" {
            h2 #disagree { (texts.disagree) }
            p { (texts.disagree_lede) }
            (hidden(guest, request))
            div.stack.tight {
                label for="words" { (texts.statement) }
                p.hint #words-hint { (longest) }
                textarea #words name="reason" rows="6" maxlength=(LONGEST)
                    aria-describedby="words-hint" required {}
            }
            div.actions {
                button type="submit" name="step" value=(Event::Disagree.as_str()) {
                    (texts.disagree_send)
                }
            }
        }
        @if request.disagreement.is_none() {
            form method="post" action=(REQUESTS) class="stack tight" {
                (hidden(guest, request))
                p.soft.small { (texts.enclose_hint) }
                div.actions {
                    button.quiet type="submit" name="step" value=(Event::Enclose.as_str()) {
                        (texts.enclose)
                    }
                }
            }
        }
    }
}
