//! Giving a consent, changing one, and taking one back: a form, what it would change, a signature.
//!
//! The form and the preview are pages of their own, so that nothing here needs a script. What is signed
//! is the FHIR Consent that the preview was made of, by the same way as an app's.

use actix_web::{HttpRequest, HttpResponse, web};
use jiff::civil::Date;
use jiff::{ToSpan as _, Zoned};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::preview::preview;
use super::{CONSENT, is_in_force, is_open, is_ours};
use crate::domain::FhirId;
use crate::error::{Error, Result as Outcome};
use crate::exchange::consents::CLIENT_ID;
use crate::exchange::signing::{Connected, Signed, Signing};
use crate::http::consent::connected;
use crate::http::html::{Choice, Form, Tone, Visit, csrf, fill, notice};
use crate::http::site::portal::guest::{Guest, RECORD};
use crate::http::site::portal::text::{list, text};
use crate::http::site::portal::{CONSENT_END, CONSENT_FORM, CONSENT_PLAN, CONSENT_SIGN, CONSENTS};
use crate::http::site::{Refused, Why, decide};
use crate::policy::{Act, Hand};

/// The kinds of entries that a consent can name, in the order in which they are shown.
pub(super) const KINDS: [&str; 10] = [
    "Patient",
    "Appointment",
    "Encounter",
    "EpisodeOfCare",
    "CarePlan",
    "Condition",
    "Observation",
    "DocumentReference",
    "Communication",
    "QuestionnaireResponse",
];
/// Those that are chosen where nothing else is said: who it is about, and what they come with.
const USUAL: [&str; 4] = ["Patient", "Encounter", "CarePlan", "Condition"];
/// The longest that a consent from here holds, in years.
const MOST_YEARS: i32 = 5;

/// What somebody is about to sign.
#[derive(Debug, Clone, Default)]
pub(super) struct Draft {
    /// The consent that is changed, where one is.
    pub(super) consent: Option<String>,
    pub(super) to: String,
    pub(super) kinds: Vec<String>,
    pub(super) until: String,
}

impl Draft {
    fn read(form: &Form) -> Self {
        let chosen: Vec<&str> = form.values("kind").collect();
        let kinds = KINDS.iter().filter(|kind| chosen.contains(kind));
        Self {
            consent: form.filled(CONSENT),
            to: form.filled("to").unwrap_or_default(),
            kinds: kinds.map(|kind| (*kind).to_owned()).collect(),
            until: form.filled("until").unwrap_or_default(),
        }
    }

    /// What a consent says that was given here.
    fn of(consent: &Value) -> Self {
        let provision = consent.get("provision").unwrap_or(&Value::Null);
        let client = list(provision, "actor").iter().find_map(|actor| {
            let identifier = actor.get("reference")?.get("identifier")?;
            text(identifier, "value").filter(|_| text(identifier, "system") == Some(CLIENT_ID))
        });
        let kinds = list(provision, "class").iter().filter_map(|one| text(one, "code"));
        let end = provision.get("period").and_then(|period| text(period, "end"));
        Self {
            consent: text(consent, "id").map(str::to_owned),
            to: client.unwrap_or_default().to_owned(),
            kinds: kinds.map(str::to_owned).collect(),
            until: end.unwrap_or_default().to_owned(),
        }
    }

    /// The recipient, where all of it can be signed.
    fn complete<'a>(&self, all: &'a [Connected], today: Date) -> Option<&'a Connected> {
        let until: Date = self.until.parse().ok()?;
        let last = today.checked_add(MOST_YEARS.years()).ok()?;
        let fits = until >= today && until <= last && !self.kinds.is_empty();
        all.iter().find(|one| one.client_id == self.to).filter(|_| fits)
    }

    /// What is signed.
    pub(super) fn consent(&self, guest: &Guest, to: &Connected) -> Value {
        let coding = |system: &str, code: &str| json!({ "system": system, "code": code });
        let today = guest.now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let class = |kind: &String| coding("http://hl7.org/fhir/resource-types", kind);
        let mut consent = json!({
            "resourceType": "Consent", "status": "active",
            "scope": { "coding": [
                coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")
            ] },
            "category": [{ "coding": [coding("http://loinc.org", "59284-0")] }],
            "patient": { "reference": format!("Patient/{}", guest.chart.patient) },
            "dateTime": format!("{:.3}", guest.now),
            "performer": [{ "reference": guest.chart.fhir_user }],
            "policyRule": { "coding": [
                coding("http://terminology.hl7.org/CodeSystem/consentpolicycodes", "hipaa-auth")
            ] },
            "provision": {
                "type": "permit", "period": { "start": today.to_string(), "end": self.until },
                "purpose": [coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", &to.purpose)],
                "class": self.kinds.iter().map(class).collect::<Vec<_>>(),
                "actor": [{
                    "role": { "coding": [
                        coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
                    ] },
                    "reference": {
                        "identifier": { "system": CLIENT_ID, "value": to.client_id },
                        "display": to.name
                    }
                }]
            }
        });
        if let (Some(id), Some(members)) = (&self.consent, consent.as_object_mut()) {
            members.insert("id".to_owned(), json!(id));
        }
        consent
    }
}

/// Shows the form, empty or with what a consent says.
pub(in crate::http) async fn form(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let draft = match guest.visit.parameter(CONSENT).map(str::to_owned) {
        Some(id) => Draft::of(&changeable(&guest, &id).await?),
        None => Draft {
            kinds: USUAL.iter().map(|kind| (*kind).to_owned()).collect(),
            until: guest.in_a_year(),
            ..Draft::default()
        },
    };
    let all = guest.connected().await?;
    Ok(fill_in(guest, &draft, &all, false))
}

/// Shows what would change, or the form again where something is missing.
pub(in crate::http) async fn plan(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let guest = Guest::enter(visit, &request, form.value(RECORD)).await?;
    let (draft, all) = (Draft::read(&form), guest.connected().await?);
    let Some(to) = draft.complete(&all, guest.today()) else {
        return Ok(fill_in(guest, &draft, &all, true));
    };
    let version = match &draft.consent {
        Some(id) => version(&changeable(&guest, id).await?),
        None => String::new(),
    };
    let consent = draft.consent(&guest, to);
    let without = draft.consent.clone();
    let seen = preview(&guest, Some(consent), without, std::slice::from_ref(to)).await?;
    let texts = &guest.visit.texts().signing;
    let body = html! {
        p.lede { (fill(&texts.plan_lede, &[("name", &to.name)])) }
        (seen)
        (notice(Tone::Calm, &texts.closed_title, &texts.closed))
        form method="post" action=(CONSENT_SIGN) class="stack" {
            (csrf(&guest.visit.csrf(CONSENT_SIGN)))
            (guest.field())
            input type="hidden" name="to" value=(draft.to);
            input type="hidden" name="until" value=(draft.until);
            @for kind in &draft.kinds { input type="hidden" name="kind" value=(kind); }
            @if let Some(id) = &draft.consent {
                input type="hidden" name=(CONSENT) value=(id);
                input type="hidden" name="version" value=(version);
            }
            (buttons(&guest, &texts.sign))
            p.soft.small { (texts.sign_hint) }
        }
    };
    let title = texts.plan_title.clone();
    Ok(guest.answer(CONSENTS, &title, &body))
}

/// Signs it.
pub(in crate::http) async fn sign(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let guest = Guest::enter(visit, &request, form.value(RECORD)).await?;
    let (draft, all) = (Draft::read(&form), guest.connected().await?);
    let Some(to) = draft.complete(&all, guest.today()).cloned() else {
        return Ok(fill_in(guest, &draft, &all, true));
    };
    let consent = draft.consent(&guest, &to);
    let version = form.value("version").unwrap_or_default().to_owned();
    let (act, what) = match draft.consent {
        Some(_) => (Act::Change, "changed"),
        None => (Act::Give, "given"),
    };
    let id = draft.consent.as_deref().map(str::parse::<FhirId>).transpose();
    let id = id.map_err(|()| guest.visit.refused(Why::Expired))?;
    let done = guest.signing(act, move |signing, hand| match &id {
        Some(id) => signing.change(hand, id, &version, &consent, &all),
        None => signing.give(hand, &consent, &all),
    });
    let done = done.await;
    guest.signed(done, what)
}

/// Shows what ends with a consent.
pub(in crate::http) async fn ending(
    visit: Visit,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let chosen = visit.parameter(RECORD).map(str::to_owned);
    let guest = Guest::enter(visit, &request, chosen.as_deref()).await?;
    let id = guest.visit.parameter(CONSENT).unwrap_or_default().to_owned();
    let found =
        guest.consent(&id).await?.filter(|one| is_in_force(one, &guest.today().to_string()));
    let found = found.ok_or_else(|| guest.visit.refused(Why::Expired))?;
    let all = guest.connected().await?;
    let seen = preview(&guest, None, Some(id.clone()), &all).await?;
    let texts = &guest.visit.texts().signing;
    let body = html! {
        p.lede { (texts.end_lede) }
        section.stack.tight aria-labelledby="which" {
            h2 #which { (guest.visit.texts().consents.unnamed) }
            ul.plain { (super::card(&guest, &found, true, false)) }
        }
        (seen)
        (notice(Tone::Calm, &texts.before_title, &texts.before))
        form method="post" action=(CONSENT_END) class="stack" {
            (csrf(&guest.visit.csrf(CONSENT_END)))
            (guest.field())
            input type="hidden" name=(CONSENT) value=(id);
            (buttons(&guest, &texts.end))
        }
    };
    let title = texts.end_title.clone();
    Ok(guest.answer(CONSENTS, &title, &body))
}

/// Takes it back.
pub(in crate::http) async fn end(
    visit: Visit,
    request: HttpRequest,
    form: Form,
) -> Result<HttpResponse, Refused> {
    let guest = Guest::enter(visit, &request, form.value(RECORD)).await?;
    let id = form.value(CONSENT).unwrap_or_default().parse::<FhirId>();
    let id = id.map_err(|()| guest.visit.refused(Why::Expired))?;
    let done = guest.signing(Act::Change, move |signing, hand| signing.take_back(hand, &id, None));
    let done = done.await;
    guest.signed(done, "taken-back")
}

/// A consent of theirs that may be given another form.
async fn changeable(guest: &Guest, id: &str) -> Result<Value, Refused> {
    let found = guest.consent(id).await?.filter(|one| is_ours(one) && is_open(one));
    found.ok_or_else(|| guest.visit.refused(Why::Expired))
}

/// To do it, or to leave it.
fn buttons(guest: &Guest, does: &str) -> Markup {
    let leave = &guest.visit.texts().signing.leave;
    html! {
        div.actions.row {
            button type="submit" { (does) }
            a.button.quiet href=(guest.address(CONSENTS, &[])) { (leave) }
        }
    }
}

/// The form, with a word about what is missing.
fn fill_in(guest: Guest, draft: &Draft, all: &[Connected], is_wrong: bool) -> HttpResponse {
    let visit = &guest.visit;
    let (texts, words) = (&visit.texts().signing, visit.texts());
    let kind = |name: &&str| {
        let label = words.kinds.get(*name).map_or(*name, String::as_str);
        let hint = words.hints.get(*name).map_or("", String::as_str);
        let is_chosen = draft.kinds.iter().any(|chosen| chosen == name);
        Choice { kind: "checkbox", name: "kind", value: name, is_chosen, label, hint }.markup()
    };
    let to = |one: &Connected| {
        let purpose = words.purposes.get(&one.purpose).map_or(one.purpose.as_str(), String::as_str);
        let is_chosen = draft.to == one.client_id || all.len() == 1;
        let (value, label) = (one.client_id.as_str(), one.name.as_str());
        Choice { kind: "radio", name: "to", value, is_chosen, label, hint: purpose }.markup()
    };
    let today = guest.today();
    let last = today.checked_add(MOST_YEARS.years()).unwrap_or(today);
    let body = html! {
        @if is_wrong {
            div role="alert" { (notice(Tone::Danger, &texts.wrong_title, &texts.wrong)) }
        }
        p.lede { (texts.lede) }
        @if all.is_empty() { (notice(Tone::Calm, &texts.nobody_title, &texts.nobody)) }
        @else {
            form method="post" action=(CONSENT_PLAN) class="stack loose" {
                (csrf(&visit.csrf(CONSENT_PLAN)))
                (guest.field())
                @if let Some(id) = &draft.consent { input type="hidden" name=(CONSENT) value=(id); }
                fieldset.stack.tight {
                    legend { (texts.to) }
                    div.choices { @for one in all { (to(one)) } }
                }
                fieldset.stack.tight {
                    legend { (texts.what) }
                    p.soft { (texts.what_hint) }
                    div.choices { @for one in &KINDS { (kind(one)) } }
                }
                div.stack.tight {
                    label for="until" { (texts.until) }
                    p.hint #until-hint {
                        (fill(&texts.until_hint, &[("years", &MOST_YEARS.to_string())]))
                    }
                    input #until type="date" name="until" value=(draft.until) min=(today.to_string())
                        max=(last.to_string()) aria-describedby="until-hint" required;
                }
                div.actions.row {
                    button type="submit" { (texts.look) }
                    a.button.quiet href=(guest.address(CONSENTS, &[])) { (texts.leave) }
                }
            }
        }
    };
    let title = if draft.consent.is_some() { &texts.change_title } else { &texts.title };
    let title = title.clone();
    guest.answer(CONSENTS, &title, &body)
}

fn version(consent: &Value) -> String {
    let meta = consent.get("meta").and_then(|meta| text(meta, "versionId"));
    meta.unwrap_or_default().to_owned()
}

impl Guest {
    /// A consent of the record.
    async fn consent(&self, id: &str) -> Result<Option<Value>, Refused> {
        self.read("Consent", id).await
    }

    /// The day that it is.
    pub(super) fn today(&self) -> Date {
        self.now.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    fn in_a_year(&self) -> String {
        let now: Zoned = self.now.to_zoned(jiff::tz::TimeZone::UTC);
        let later = now.checked_add(1.year()).unwrap_or(now);
        later.date().to_string()
    }

    /// To whom records may go.
    async fn connected(&self) -> Result<Vec<Connected>, Refused> {
        let tenant = self.principal.tenant.clone();
        decide(&self.visit, move |authority| connected(authority.clients(), &tenant)).await
    }

    /// Signs something, aside of those who do not wait for the store.
    async fn signing(
        &self,
        act: Act,
        work: impl FnOnce(&Signing, &Hand) -> Outcome<Signed> + Send + 'static,
    ) -> Outcome<Signed> {
        let hand = Hand::decide(&self.principal, act)?;
        let state = self.visit.state().clone();
        web::block(move || work(&state.signing, &hand)).await.map_err(Error::internal)?
    }

    /// Where somebody goes who has signed.
    fn signed(self, done: Outcome<Signed>, what: &'static str) -> Result<HttpResponse, Refused> {
        let signed = match done {
            Ok(_) => what,
            // Somebody changed it meanwhile, or it is not theirs: the list says how it is.
            Err(Error::Conflict { .. } | Error::NotFound | Error::Denied) => "not",
            Err(error) => return Err(self.visit.failed(&error)),
        };
        self.shown.borrow_mut().notes.push(("consent", signed.to_owned()));
        let address = self.address(CONSENTS, &[("done", signed)]);
        Ok(self.go(&address))
    }
}

/// The address of the form about a consent.
pub(super) fn to_change(guest: &Guest, id: &str) -> String {
    guest.address(CONSENT_FORM, &[(CONSENT, id)])
}

/// The address of the page on which a consent is taken back.
pub(super) fn to_end(guest: &Guest, id: &str) -> String {
    guest.address(CONSENT_END, &[(CONSENT, id)])
}

/// Where a consent is given.
pub(super) fn to_give(guest: &Guest) -> Markup {
    html! {
        a.button href=(guest.address(CONSENT_FORM, &[])) { (guest.visit.texts().signing.give) }
    }
}
