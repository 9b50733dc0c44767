//! Asking for something: a copy, a correction, who has seen it, a limit, an end.

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::correction::named;
use super::guest::{Guest, RECORD};
use super::{ASK, REQUESTS, wording};
use crate::error::Error;
use crate::exchange::requests::{
    Asked, Correctable, FORMATS, LONGEST, MATTERS, MEDIA, Requester, Scope,
};
use crate::http::html::{Choice, Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::{Refused, Why};
use crate::policy::request::Matter;

/// The parameter that says what is asked for.
pub(super) const TYPE: &str = "type";
/// The parameter of an entry that is to be corrected: the id of its DocumentReference.
pub(super) const ENTRY: &str = "entry";
/// The parameter of somebody whose form could not be taken.
const WRONG: &str = "wrong";
/// The kinds of entries that can be chosen, by what they are called in texts.
const KINDS: [(&str, &[&str]); 6] = [
    ("Encounter", &["session_log", "appointment"]),
    ("DocumentReference", &["session_note", "attachment"]),
    ("CarePlan", &["treatment_plan", "diagnosis", "episode"]),
    ("Observation", &["assessment"]),
    ("Communication", &["thread", "message"]),
    ("Consent", &["consent"]),
];

/// Shows what can be asked, or the form of one of them.
pub(in crate::http) async fn ask(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let entry = guest.entry(guest.visit.parameter(ENTRY)).await?;
    let texts = &guest.visit.texts().asking;
    let matter = guest.visit.parameter(TYPE).and_then(known);
    let (title, body) = match matter {
        Some(matter) => {
            (wording::matter(&guest.visit, matter).to_owned(), form(&guest, matter, entry.as_ref()))
        }
        None => (guest.visit.texts().portal.ask.clone(), choice(&guest)),
    };
    let body = html! {
        @if guest.visit.parameter(WRONG).is_some() {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        (body)
    };
    Ok(guest.answer(ASK, &title, &body))
}

fn known(word: &str) -> Option<Matter> {
    word.parse().ok().filter(|matter| MATTERS.contains(matter))
}

/// What can be asked.
fn choice(guest: &Guest) -> Markup {
    let texts = guest.visit.texts();
    html! {
        p.lede { (texts.asking.lede) }
        ul.plain.stack.tight {
            @for matter in MATTERS {
                li.card.tight {
                    h2 {
                        a href=(guest.address(ASK, &[(TYPE, matter.as_str())])) {
                            (wording::matter(&guest.visit, matter))
                        }
                    }
                    p.soft { (texts.asks.get(matter.as_str()).map_or("", String::as_str)) }
                }
            }
        }
    }
}

/// The form of one request.
fn form(guest: &Guest, matter: Matter, entry: Option<&(String, Correctable)>) -> Markup {
    let (visit, texts) = (&guest.visit, guest.visit.texts());
    let is_copy = matches!(matter, Matter::Access | Matter::Portability);
    let entry = entry.filter(|_| matter == Matter::Amendment);
    html! {
        p.lede { (texts.asks.get(matter.as_str()).map_or("", String::as_str)) }
        form method="post" action=(ASK) class="stack loose" {
            (csrf(&visit.csrf(ASK)))
            (guest.field())
            input type="hidden" name=(TYPE) value=(matter.as_str());
            @if let Some((document, entry)) = entry {
                input type="hidden" name=(ENTRY) value=(document);
                p { (fill(&texts.correction.about, &[("entry", &named(visit, entry))])) }
            }
            @if is_copy { (what(visit)) }
            @if is_copy || matter == Matter::Accounting { (period(visit)) }
            @if is_copy { (how(visit)) }
            (words(visit, matter))
            div.actions.row {
                button type="submit" { (texts.asking.send) }
                a.button.quiet href=(guest.address(ASK, &[])) { (texts.asking.back) }
            }
            p.soft.small { (texts.asking.free) }
        }
    }
}

fn what(visit: &Visit) -> Markup {
    let texts = visit.texts();
    let kind = |(name, _): (&str, &[&str])| {
        let label = texts.kinds.get(name).map_or(name, String::as_str);
        let hint = texts.hints.get(name).map_or("", String::as_str);
        Choice { kind: "checkbox", name: "kind", value: name, is_chosen: true, label, hint }
            .markup()
    };
    html! {
        fieldset.stack.tight {
            legend { (texts.asking.what) }
            p.soft { (texts.asking.what_hint) }
            div.choices { @for one in KINDS { (kind(one)) } }
        }
    }
}

fn period(visit: &Visit) -> Markup {
    let texts = &visit.texts().asking;
    html! {
        fieldset.stack.tight {
            legend { (texts.period) }
            p.soft #period-hint { (texts.period_hint) }
            div.pair {
                div {
                    label for="from" { (texts.from) }
                    input #from type="date" name="from" aria-describedby="period-hint";
                }
                div {
                    label for="to" { (texts.to) }
                    input #to type="date" name="to" aria-describedby="period-hint";
                }
            }
        }
    }
}

fn how(visit: &Visit) -> Markup {
    let texts = &visit.texts().asking;
    let format = |value: &str, label: &str, hint: &str, is_chosen| {
        Choice { kind: "radio", name: "format", value, is_chosen, label, hint }.markup()
    };
    let media = |value: &str, label: &str, hint: &str, is_chosen| {
        Choice { kind: "radio", name: "media", value, is_chosen, label, hint }.markup()
    };
    html! {
        fieldset.stack.tight {
            legend { (texts.format) }
            div.choices {
                (format("html", &texts.format_both, &texts.format_both_hint, true))
                (format("pdf", &texts.format_pdf, "", false))
                (format("fhir_json", &texts.format_fhir, &texts.format_fhir_hint, false))
                (format("paper", &texts.format_paper, "", false))
            }
        }
        fieldset.stack.tight {
            legend { (texts.media) }
            div.choices {
                (media("portal", &texts.media_portal, &texts.media_portal_hint, true))
                (media("mail", &texts.media_mail, &texts.media_mail_hint, false))
            }
        }
    }
}

fn words(visit: &Visit, matter: Matter) -> Markup {
    let texts = &visit.texts().asking;
    let is_needed = matches!(matter, Matter::Amendment | Matter::Restriction);
    let (label, hint) = match matter {
        Matter::Amendment => (&texts.amend, &texts.amend_hint),
        Matter::Restriction => (&texts.restrict, &texts.restrict_hint),
        _ => (&texts.more, &texts.more_hint),
    };
    html! {
        div.stack.tight {
            label for="statement" { (label) }
            p.hint #statement-hint {
                (hint) " " (fill(&texts.longest, &[("count", &LONGEST.to_string())]))
            }
            textarea #statement name="statement" rows="5" maxlength=(LONGEST)
                aria-describedby="statement-hint" required[is_needed] {}
        }
    }
}

/// Takes in what somebody asks.
pub(in crate::http) async fn asked(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let guest = Guest::enter(visit, &request, form.value(RECORD)).await?;
    let matter = form.value(TYPE).and_then(known);
    let matter = matter.ok_or_else(|| guest.visit.refused(Why::Expired))?;
    let entry = guest.entry(form.value(ENTRY).filter(|_| matter == Matter::Amendment)).await?;
    let asked = Asked { entry: entry.map(|(_, entry)| entry.id), ..read(&guest, matter, &form) };
    let opened = guest.requests(move |requests, tenant| requests.open(tenant, asked)).await;
    if let Ok(opened) = &opened {
        let (copies, tenant) = (&guest.visit.state().copies, &guest.principal.tenant);
        // What cannot be made at once waits for the practice, as any other request.
        if let Err(error) = copies.order_if_free(tenant, &opened.id).await {
            tracing::warn!(cause = %error, "a copy could not be ordered");
        }
    }
    let address = match opened {
        Ok(opened) => guest.address(&format!("{REQUESTS}/{}", opened.id), &[("sent", "1")]),
        Err(Error::Invalid { .. }) => guest.address(ASK, &[(TYPE, matter.as_str()), (WRONG, "1")]),
        Err(error) => return Err(guest.visit.failed(&error)),
    };
    Ok(guest.go(&address))
}

impl Guest {
    /// The entry that a DocumentReference of the record is made from, where it may be seen and can be
    /// corrected here.
    pub(super) async fn entry(
        &self,
        document: Option<&str>,
    ) -> Result<Option<(String, Correctable)>, Refused> {
        let Some(id) = document else { return Ok(None) };
        if self.read("DocumentReference", id).await?.is_none() {
            return Err(self.visit.refused(Why::Expired));
        }
        let (client, name) = (self.chart.client.clone(), id.to_owned());
        let found = self
            .requests(move |requests, tenant| requests.correctable_as(tenant, &client, &name))
            .await
            .map_err(|error| self.visit.failed(&error))?;
        Ok(found.map(|entry| (id.to_owned(), entry)))
    }
}

/// What a form asks; what it says of formats and ways that are none is left out.
fn read(guest: &Guest, matter: Matter, form: &Form) -> Asked {
    let one_of = |name, known: &[&str]| {
        let value: Option<&str> = form.value(name);
        value.filter(|value| known.contains(value)).map(str::to_owned)
    };
    let chosen: Vec<&str> = form.values("kind").collect();
    let kinds: Vec<_> = KINDS.iter().filter(|(name, _)| chosen.contains(name)).collect();
    let kinds: Vec<String> = if kinds.is_empty() || kinds.len() == KINDS.len() {
        vec!["*".to_owned()]
    } else {
        kinds.iter().flat_map(|(_, kinds)| kinds.iter()).map(|kind| (*kind).to_owned()).collect()
    };
    let scope = Scope {
        from: form.filled("from"),
        to: form.filled("to"),
        kinds,
        format: one_of("format", &FORMATS),
        media: one_of("media", &MEDIA),
    };
    let (kind, id) = if guest.is_own() {
        ("client", Some(guest.chart.client.clone()))
    } else {
        ("proxy", guest.party())
    };
    Asked {
        client: guest.chart.client.clone(),
        matter,
        regime: None,
        requester: Requester { kind: kind.to_owned(), id, name: Some(guest.person.name.clone()) },
        received: None,
        channel: "portal".to_owned(),
        proof: Some("portal_session".to_owned()),
        scope,
        statement: form.filled("statement"),
        entry: None,
    }
}
