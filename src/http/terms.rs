//! What goes along with what is shown: the labels of all of it together, and with Part 2 records the
//! notice and the consents (42 CFR 2.32, 2.33).
//!
//! A page has the notice in full and the consents as entries; an answer that has no room for them has
//! headers: the short notice, and where the consent is with what it covers.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::HeaderName;
use serde_json::Value;

use super::State;
use super::asking::Size;
use crate::error::Result;
use crate::fhir::outcome::{self, Issue, IssueType};
use crate::policy::{Action, HighWater, Permit, Principal, Scopes, notice};
use crate::store::{Store, StoredResource};

/// Says that Part 2 records are shown, and which wording of the notice goes with them.
pub(super) const NOTICE: HeaderName = HeaderName::from_static("x-part2-notice");
/// The notice that takes little room.
pub(super) const STATEMENT: HeaderName = HeaderName::from_static("x-part2-statement");
/// A consent by which they are shown: where it is, and what it covers.
const CONSENT: HeaderName = HeaderName::from_static("x-part2-consent");
/// The type of a consent.
const TYPE: &str = "Consent";

/// What goes along.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    /// The labels.
    pub(super) labels: HighWater,
    /// The consents by which Part 2 records are shown.
    pub(super) consents: Vec<StoredResource>,
    /// Those records, as `Type/id`.
    pub(super) part2: BTreeSet<String>,
}

impl Terms {
    /// Adds what goes along with another answer.
    pub(super) fn join(&mut self, other: &Self) {
        self.labels.join(other.labels.clone());
        self.part2.extend(other.part2.iter().cloned());
        for consent in &other.consents {
            if !self.consents.iter().any(|known| known.id == consent.id) {
                self.consents.push(consent.clone());
            }
        }
    }

    /// The notice and the explanation of each consent; nothing where no Part 2 record is shown.
    pub(super) fn outcome(&self, base: &str) -> Result<Option<Vec<u8>>> {
        if self.consents.is_empty() {
            return Ok(None);
        }
        let said = |text: String| Issue {
            code: IssueType::BusinessRule,
            text,
            expression: None,
            refused: false,
        };
        let mut issues = vec![said(notice::STATEMENT.to_owned())];
        for consent in &self.consents {
            let (url, scope) = (url(base, consent), explanation(&consent.body));
            issues.push(said(format!("Disclosed with the patient's consent {url}: {scope}.")));
        }
        outcome::encode(issues).map(Some)
    }

    /// The same in short.
    pub(super) fn tell(&self, base: &str, response: &mut HttpResponseBuilder) {
        if self.consents.is_empty() {
            return;
        }
        response.insert_header((NOTICE, notice::VERSION));
        response.insert_header((STATEMENT, notice::SHORT));
        for consent in &self.consents {
            let (url, scope) = (url(base, consent), explanation(&consent.body));
            response.append_header((CONSENT, format!("<{url}>; scope=\"{scope}\"")));
        }
    }
}

fn url(base: &str, consent: &StoredResource) -> String {
    format!("{base}/{TYPE}/{}", consent.id)
}

/// What a consent covers, in a sentence of codes and dates, which no header or reader stumbles over.
fn explanation(body: &[u8]) -> String {
    let consent: Value = serde_json::from_slice(body).unwrap_or_default();
    let provision = consent.get("provision").unwrap_or(&Value::Null);
    let codes = |value: &Value, name: &str| -> String {
        let all = value.get(name).and_then(Value::as_array).into_iter().flatten();
        let codes = all.filter_map(|coding| coding.get("code")?.as_str());
        codes.filter(|code| is_plain(code)).collect::<Vec<_>>().join(" ")
    };
    let dates = |value: &Value, name: &str| -> String {
        let period = value.get(name).unwrap_or(&Value::Null);
        let date = |name: &str| {
            let date = period.get(name).and_then(Value::as_str).filter(|date| is_plain(date));
            date.unwrap_or("..").to_owned()
        };
        if period.is_object() {
            format!("{} to {}", date("start"), date("end"))
        } else {
            String::new()
        }
    };
    let mut said = String::from("it permits");
    let mut say = |label: &str, what: String| {
        if !what.is_empty() {
            said.extend(["; ", label, " ", &what]);
        }
    };
    say("for", codes(provision, "purpose"));
    say("of", codes(provision, "class"));
    say("labelled", codes(provision, "securityLabel"));
    say("dated", dates(provision, "dataPeriod"));
    say("in force", dates(provision, "period"));
    for except in provision.get("provision").and_then(Value::as_array).into_iter().flatten() {
        let parts =
            [codes(except, "class"), codes(except, "securityLabel"), codes(except, "purpose")];
        say("except", parts.join(" ").split_whitespace().collect::<Vec<_>>().join(" "));
    }
    said
}

/// Whether a text has only what codes and dates are made of.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-+:.".contains(c))
}

impl State {
    /// What goes along with these resources, of each list. Where a consent that has to go along cannot
    /// be had, what it goes along with is taken out.
    pub(super) async fn terms(
        &self,
        principal: &Arc<Principal>,
        lists: &mut [&mut Vec<StoredResource>],
    ) -> Result<Terms> {
        let all = || lists.iter().flat_map(|list| list.iter());
        let basis: BTreeSet<String> =
            all().flat_map(|one| one.shown.basis.iter().cloned()).collect();
        let consents =
            if basis.is_empty() { Vec::new() } else { self.consents(principal, basis).await? };
        let is_there = |name: &String| {
            consents.iter().any(|known| name.strip_prefix("Consent/") == Some(known.id.as_str()))
        };
        for list in lists.iter_mut() {
            list.retain(|one| one.shown.basis.iter().all(is_there));
        }
        let by_consent = lists.iter().flat_map(|list| list.iter());
        let by_consent = by_consent.filter(|one| !one.shown.basis.is_empty());
        let part2 = by_consent.map(|one| format!("{}/{}", one.resource_type, one.id)).collect();
        let mut terms = Terms { labels: HighWater::default(), consents, part2 };
        for one in lists.iter().flat_map(|list| list.iter()).chain(&terms.consents) {
            terms.labels.join(HighWater::of(&one.body));
        }
        Ok(terms)
    }

    /// The consents that whoever they name may see, whatever scopes their token has: the law says that
    /// they go along.
    async fn consents(
        &self,
        principal: &Arc<Principal>,
        basis: BTreeSet<String>,
    ) -> Result<Vec<StoredResource>> {
        let scopes = Scopes::parse("system/Consent.r");
        let reader = Arc::new(Principal { scopes, ..Principal::clone(principal) });
        let permit = Permit::decide(&reader, Action::Read, TYPE)?;
        let question = move |store: &dyn Store| {
            let ids = basis.iter().filter_map(|name| name.strip_prefix("Consent/")?.parse().ok());
            let read = ids.map(|id| store.read(&permit, &id));
            read.filter_map(Result::transpose).collect::<Result<Vec<_>>>()
        };
        self.ask(Size::Point, question).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_consent_covers_is_told_in_codes_and_nothing_else_of_it() {
        let body = br#"{"resourceType":"Consent","provision":{"type":"permit","period":{"start":"2026-02-01","end":"2099-01-01"},
            "actor":[{"reference":{"display":"A \"name\""}}],"purpose":[{"code":"TREAT"},{"code":"x\r\ny"}],
            "class":[{"code":"Condition"}],"dataPeriod":{"start":"2026-01-01"},
            "provision":[{"type":"deny","securityLabel":[{"code":"PSYTHPN"}]}]}}"#;
        assert_eq!(
            explanation(body),
            "it permits; for TREAT; of Condition; dated 2026-01-01 to ..; in force 2026-02-01 to 2099-01-01; except PSYTHPN"
        );
        assert_eq!(explanation(b"?"), "it permits");
    }
}
