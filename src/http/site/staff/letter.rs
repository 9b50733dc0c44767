//! A request that came by letter, by telephone or in person: typed in, with the day on which it came.

use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::member::Member;
use super::{DESK, LETTERS, STEPS};
use crate::error::Error;
use crate::exchange::requests::{Asked, LONGEST, Requester, Scope};
use crate::http::html::{Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::portal::wording;
use crate::http::site::{Refused, Why};
use crate::policy::Role;
use crate::policy::request::Matter;

/// The parameter of a form that could not be taken.
const WRONG: &str = "wrong";
/// Who may ask, by their names in records.
const REQUESTERS: [&str; 5] = ["client", "proxy", "representative", "attorney", "insurer"];
/// How a request may come.
const CHANNELS: [&str; 4] = ["letter", "telephone", "in_person", "email"];
/// How it may be known who asks.
const PROOFS: [&str; 4] = ["in_person", "id_proofing_ial2", "notarized", "knowledge"];
/// In which form a copy may be wanted, and how.
const FORMATS: [&str; 4] = ["html", "pdf", "fhir_json", "paper"];
const MEDIA: [&str; 2] = ["portal", "mail"];

/// Shows the form.
pub(in crate::http) async fn letter(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let (visit, texts) = (&member.visit, &member.visit.texts().letter);
    let matters = Matter::ALL.iter().map(|one| (one.as_str(), wording::case(visit, *one)));
    let words =
        |word: &'static str| (word, visit.texts().channels.get(word).map_or(word, String::as_str));
    let formats =
        |word: &'static str| (word, visit.texts().formats.get(word).map_or(word, String::as_str));
    let body = html! {
        @if visit.parameter(WRONG).is_some() {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        p.lede { (texts.lede) }
        form method="post" action=(LETTERS) class="stack loose" {
            (csrf(&visit.csrf(LETTERS)))
            (field("client", "text", &texts.client, &texts.client_hint, true))
            (select("type", &texts.matter, matters, None))
            (select("requester", &texts.requester, REQUESTERS.into_iter().map(words), None))
            (field("name", "text", &texts.name, &texts.name_hint, false))
            (field("party", "text", &texts.party, &texts.party_hint, false))
            (field("received", "date", &texts.received, &texts.received_hint, true))
            (select("channel", &texts.channel, CHANNELS.into_iter().map(words), None))
            (select("proof", &texts.proof, PROOFS.into_iter().map(words), Some(&texts.no_proof)))
            div.pair {
                (field("from", "date", &texts.from, "", false))
                (field("to", "date", &texts.to, "", false))
            }
            (select("format", &texts.format, FORMATS.into_iter().map(formats), Some(&texts.any)))
            (select("media", &texts.media, MEDIA.into_iter().map(words), Some(&texts.any)))
            (statement(visit))
            div.actions.row {
                button type="submit" { (texts.send) }
                a.button.quiet href=(DESK) { (visit.texts().desk.back) }
            }
        }
    };
    let title = texts.title.clone();
    Ok(member.answer(DESK, &title, body))
}

fn field(name: &str, kind: &str, label: &str, hint: &str, is_needed: bool) -> Markup {
    let described = (!hint.is_empty()).then(|| format!("{name}-hint"));
    html! {
        div.stack.tight {
            label for=(name) { (label) }
            @if let Some(id) = &described { p.hint id=(id) { (hint) } }
            input id=(name) type=(kind) name=(name) maxlength="200" autocomplete="off"
                aria-describedby=[described] required[is_needed];
        }
    }
}

fn select<'a>(
    name: &str,
    label: &str,
    options: impl Iterator<Item = (&'a str, &'a str)>,
    none: Option<&str>,
) -> Markup {
    html! {
        div.stack.tight {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @if let Some(none) = none { option value="" { (none) } }
                @for (value, said) in options { option value=(value) { (said) } }
            }
        }
    }
}

fn statement(visit: &Visit) -> Markup {
    let texts = &visit.texts().letter;
    let longest = fill(&visit.texts().asking.longest, &[("count", &LONGEST.to_string())]);
    html! {
        div.stack.tight {
            label for="statement" { (texts.statement) }
            p.hint #statement-hint { (texts.statement_hint) " " (longest) }
            textarea #statement name="statement" rows="5" maxlength=(LONGEST)
                aria-describedby="statement-hint" {}
        }
    }
}

/// Takes it in.
pub(in crate::http) async fn typed(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let member = Member::enter(visit, &request, &[Role::PrivacyOfficer]).await?;
    let wrong = format!("{LETTERS}?{WRONG}=1");
    let day = form.filled("received").and_then(|day| day.parse().ok());
    let Some((asked, day)) = read(&form).zip(day) else { return Ok(member.go(&wrong)) };
    // Nobody writes down what is about their own record, nor about that of somebody they act for.
    if member.is_close_to(&asked.client) {
        return Err(member.visit.refused(Why::Forbidden));
    }
    let opened = member.requests(move |requests, tenant| {
        let received = Some(requests.received_on(tenant, day)?);
        requests.open(tenant, Asked { received, ..asked })
    });
    let opened = match opened.await {
        Ok(opened) => opened,
        Err(Error::Invalid { .. } | Error::NotFound) => return Ok(member.go(&wrong)),
        Err(error) => return Err(member.visit.failed(&error)),
    };
    let copies = &member.visit.state().copies;
    // What cannot be made at once waits, as any other request.
    if let Err(error) = copies.order_if_free(&member.tenant, &opened.id).await {
        tracing::warn!(cause = %error, "a copy could not be ordered");
    }
    member.case(&opened.id).await?;
    Ok(member.go(&format!("{STEPS}/{}", opened.id)))
}

/// What a form says; nothing where it says what nobody can ask.
fn read(form: &Form) -> Option<Asked> {
    let one_of = |name, known: &[&str]| form.filled(name).filter(|one| known.contains(&&**one));
    let client = form.filled("client")?;
    let kind = one_of("requester", &REQUESTERS)?;
    let id = if kind == "client" { Some(client.clone()) } else { form.filled("party") };
    Some(Asked {
        client,
        matter: form.filled("type")?.parse().ok()?,
        regime: None,
        requester: Requester { kind, id, name: form.filled("name") },
        received: None,
        channel: one_of("channel", &CHANNELS)?,
        proof: one_of("proof", &PROOFS),
        scope: Scope {
            from: form.filled("from"),
            to: form.filled("to"),
            kinds: vec!["*".to_owned()],
            format: one_of("format", &FORMATS),
            media: one_of("media", &MEDIA),
        },
        statement: form.filled("statement"),
        entry: None,
    })
}
