//! A FHIR Consent that somebody sends, as the `consent` records that it stands for.
//!
//! Two dialects are read: that of IHE PCF 1.1, where the root provision says permit or deny, and that
//! of R4's own text, where `policyRule` says OPTIN or OPTOUT and provisions are exceptions to it. A yes
//! that is limited by anything for which the rules have no words is refused, so that it holds nothing
//! open; a no of that kind is taken as wider than it is; an exception that would open more is left out.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The system of `client_id`s, by which recipients are known here.
pub const CLIENT_ID: &str = "https://throughline.example/ids/client";
/// The system of National Provider Identifiers.
const NPI: &str = "http://hl7.org/fhir/sid/us-npi";
/// Resource types as the kinds of record that they are made from.
const KINDS: &[(&str, &str)] = &[
    ("Appointment", "appointment"),
    ("CarePlan", "treatment_plan"),
    ("CareTeam", "assignment"),
    ("Communication", "message"),
    ("Condition", "diagnosis"),
    ("Consent", "consent"),
    ("DocumentReference", "session_note"),
    ("Encounter", "session_log"),
    ("EpisodeOfCare", "episode"),
    ("Goal", "treatment_plan"),
    ("Observation", "assessment"),
    ("Patient", "client"),
    ("QuestionnaireResponse", "assessment"),
];
/// Purposes as a platform's consents say them.
const PURPOSES: &[(&str, &str)] = &[
    ("TREAT", "treat"),
    ("HPAYMT", "pay"),
    ("HOPERAT", "operations"),
    ("PATRQT", "patient_request"),
    ("HRESCH", "research"),
    ("CAREMGT", "coordination"),
    ("COC", "coordination"),
    ("HLEGAL", "legal"),
];
/// States of a Consent as a platform says them.
const STATES: &[(&str, &str)] = &[
    ("active", "active"),
    ("draft", "draft"),
    ("proposed", "proposed"),
    ("rejected", "rejected"),
    ("inactive", "revoked"),
    ("entered-in-error", "void"),
];

/// Finds the platform's id of a session or plan, by the reference to its resource.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a Consent stands for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Read {
    /// The data of `consent` records: the first is its root, the others are exceptions to it.
    pub rules: Vec<Value>,
    /// What is kept in another way than it was said: the element, and how.
    pub notes: Vec<(&'static str, &'static str)>,
}

/// Reads a Consent. The data of a record as a platform sends it are taken as they are.
///
/// # Errors
///
/// `Invalid` for what is no Consent; `NotSupported` for a yes that no record can say, with the element.
pub fn read(consent: &Value, resolve: Resolve<'_>) -> Result<Read> {
    let Some(name) = text(consent, "resourceType") else {
        return Ok(Read { rules: vec![consent.clone()], notes: Vec::new() });
    };
    if name != "Consent" {
        return Err(Error::invalid("consent", "send a Consent resource"));
    }
    let (permits, root) = base(consent)?;
    let mut rule = Rule::read(root, permits, resolve);
    rule.strange.extend(around(consent));
    if permits && let Some(element) = rule.strange.first() {
        let hint = "this consent is limited by what the rules have no words for: leave it out, or \
                    ask the practice";
        return Err(Error::not_supported(*element, hint));
    }
    let nested = list(root, "provision");
    let (opens, closes): (Vec<_>, Vec<_>) =
        nested.iter().partition(|one| text(one, "type") == Some("permit"));
    let mut exceptions = Vec::new();
    let mut notes = Vec::new();
    if permits {
        for one in opens {
            if !rule.widen(one) {
                notes.push(("Consent.provision.provision", NOT_OPENED));
            }
        }
        exceptions.extend(closes.into_iter().map(|one| rule.except(one, resolve)));
    } else if !opens.is_empty() {
        notes.push(("Consent.provision.provision", NOT_OPENED));
    }
    if rule.has_other_purposes && permits {
        notes.push(("Consent.provision.purpose", NOT_A_PURPOSE));
    }
    let all = std::iter::once(&rule).chain(&exceptions);
    notes.extend(all.clone().filter(|one| !one.permits).filter_map(|one| {
        let element = one.strange.first()?;
        Some((*element, WIDER))
    }));
    Ok(Read { rules: all.map(|rule| rule.record(consent)).collect(), notes })
}

const NOT_OPENED: &str =
    "an exception that would open more is left out: say it in a consent of its own";
const NOT_A_PURPOSE: &str = "a purpose that there is no word for here is left out";
const WIDER: &str = "there is no word for this limit here: the no is kept as one to everything";

/// Whether it permits, and the provision that says what.
fn base(consent: &Value) -> Result<(bool, &Value)> {
    let root = consent.get("provision").unwrap_or(&Value::Null);
    match text(root, "type") {
        Some("permit") => return Ok((true, root)),
        Some("deny") => return Ok((false, root)),
        _ => {}
    }
    let rules = list(consent.get("policyRule").unwrap_or(&Value::Null), "coding");
    let rule = rules.iter().find_map(|coding| text(coding, "code"));
    match (rule, list(root, "provision")) {
        // Somebody who has opted out, but for one thing, permits that one thing.
        (Some("OPTOUT"), [only]) if text(only, "type") == Some("permit") => Ok((true, only)),
        (Some("OPTOUT"), _) => Ok((false, root)),
        (Some("OPTIN"), _) => Ok((true, root)),
        _ => {
            let hint = "say permit or deny, or OPTIN or OPTOUT as the policyRule";
            Err(Error::not_supported("Consent.provision.type", hint))
        }
    }
}

/// What limits a Consent outside of its provisions, and has no words here.
fn around(consent: &Value) -> Option<&'static str> {
    let codes = |name: &str| {
        let scope = consent.get(name).unwrap_or(&Value::Null);
        list(scope, "coding").iter().filter_map(|coding| text(coding, "code")).collect::<Vec<_>>()
    };
    let unverified = |one: &Value| one.get("verified") == Some(&Value::Bool(false));
    if codes("scope") != ["patient-privacy"] {
        return Some("Consent.scope");
    }
    list(consent, "verification").iter().any(unverified).then_some("Consent.verification")
}

/// One rule: to whom, for what, of what, when.
#[derive(Debug, Clone, Default)]
struct Rule {
    permits: bool,
    period: Map<String, Value>,
    recipients: Vec<Value>,
    purposes: Vec<&'static str>,
    kinds: Vec<&'static str>,
    labels: Vec<String>,
    dates: Map<String, Value>,
    sessions: Vec<String>,
    plans: Vec<String>,
    /// Whether it names a purpose for which there is no word.
    has_other_purposes: bool,
    /// Elements for which there are no words.
    strange: Vec<&'static str>,
}

impl Rule {
    fn read(provision: &Value, permits: bool, resolve: Resolve<'_>) -> Self {
        let mut rule = Self { permits, ..Self::default() };
        for (name, element) in
            [("action", "Consent.provision.action"), ("code", "Consent.provision.code")]
        {
            if !list(provision, name).is_empty() {
                rule.strange.push(element);
            }
        }
        let deep = |one: &Value| !list(one, "provision").is_empty();
        if list(provision, "provision").iter().any(deep) {
            rule.strange.push("Consent.provision.provision.provision");
        }
        rule.period = rule.dates_of(provision, "period", "Consent.provision.period");
        rule.dates = rule.dates_of(provision, "dataPeriod", "Consent.provision.dataPeriod");
        for actor in list(provision, "actor") {
            rule.actor(actor);
        }
        rule.purposes(provision);
        for class in list(provision, "class") {
            match known(KINDS, text(class, "code")) {
                Some(kind) => rule.kinds.push(kind),
                None => rule.strange.push("Consent.provision.class"),
            }
        }
        for label in list(provision, "securityLabel") {
            match text(label, "code") {
                Some(code) => rule.labels.push(code.to_owned()),
                // Left out it would not limit.
                None => rule.strange.push("Consent.provision.securityLabel"),
            }
        }
        for data in list(provision, "data") {
            rule.data(data, resolve);
        }
        rule
    }

    /// The first and last day of a period.
    fn dates_of(
        &mut self,
        provision: &Value,
        name: &str,
        element: &'static str,
    ) -> Map<String, Value> {
        let mut dates = Map::new();
        let period = provision.get(name).unwrap_or(&Value::Null);
        for (end, day) in [("start", "from"), ("end", "to")] {
            match text(period, end).map(|text| text.get(..10)) {
                None => {}
                Some(Some(date)) => drop(dates.insert(day.to_owned(), json!(date))),
                // A month or a year would be read as less or more than was meant.
                Some(None) => self.strange.push(element),
            }
        }
        dates
    }

    fn actor(&mut self, actor: &Value) {
        let roles = list(actor.get("role").unwrap_or(&Value::Null), "coding");
        let role = roles.iter().find_map(|role| text(role, "code"));
        if self.permits && !matches!(role, None | Some("IRCP")) {
            self.strange.push("Consent.provision.actor.role");
        }
        let who = actor.get("reference").unwrap_or(&Value::Null);
        let identifier = who.get("identifier").unwrap_or(&Value::Null);
        let name = text(who, "display").or_else(|| text(who, "reference")).unwrap_or_default();
        self.recipients.push(match (text(identifier, "system"), text(identifier, "value")) {
            (Some(CLIENT_ID), Some(id)) => {
                json!({ "kind": "org", "name": name, "fhir_client_ids": [id] })
            }
            (Some(NPI), Some(npi)) => json!({ "kind": "org", "name": name, "npi": npi }),
            _ => json!({ "kind": "org", "name": name }),
        });
    }

    /// Of purposes any one is enough, so that one without words is left out of a yes.
    fn purposes(&mut self, provision: &Value) {
        for purpose in list(provision, "purpose") {
            match known(PURPOSES, text(purpose, "code")) {
                Some(word) => self.purposes.push(word),
                None if self.permits => self.has_other_purposes = true,
                None => self.purposes.push("other"),
            }
        }
        if self.permits && self.purposes.is_empty() {
            self.strange.push("Consent.provision.purpose");
        }
    }

    fn data(&mut self, data: &Value, resolve: Resolve<'_>) {
        let reference = data.get("reference").and_then(|one| text(one, "reference"));
        let related = text(data, "meaning") == Some("related");
        let found = reference.filter(|_| related).and_then(|one| Some((one, resolve(one)?)));
        match found {
            Some((reference, id)) if reference.starts_with("Encounter/") => self.sessions.push(id),
            Some((reference, id)) if reference.starts_with("CarePlan/") => self.plans.push(id),
            _ => self.strange.push("Consent.provision.data"),
        }
    }

    /// Adds what a nested yes opens beside, where that is labels and nothing else; says whether it is.
    fn widen(&mut self, nested: &Value) -> bool {
        let only = nested.as_object().is_some_and(|members| {
            members.keys().all(|name| matches!(name.as_str(), "type" | "securityLabel"))
        });
        if only && !self.labels.is_empty() {
            let labels = list(nested, "securityLabel").iter();
            self.labels.extend(labels.filter_map(|label| text(label, "code").map(str::to_owned)));
        }
        only
    }

    /// The rule of a nested no: to whom and what for as its parent's, unless it says so itself.
    fn except(&self, nested: &Value, resolve: Resolve<'_>) -> Self {
        let mut rule = Self::read(nested, false, resolve);
        if rule.recipients.is_empty() {
            rule.recipients.clone_from(&self.recipients);
        }
        if rule.purposes.is_empty() {
            rule.purposes.clone_from(&self.purposes);
        }
        rule
    }

    /// The data of its record.
    fn record(&self, consent: &Value) -> Value {
        let mut scope = self.dates.clone();
        let mut limit = |name: &str, value: Value| scope.insert(name.to_owned(), value);
        if !self.strange.is_empty() {
            // A kind that nobody knows makes a no as wide as it can be.
            limit("kinds", json!(["unsupported"]));
        } else if self.kinds.is_empty() {
            limit("kinds", json!(["*"]));
        } else {
            limit("kinds", json!(self.kinds));
        }
        for (name, values) in [
            ("include_labels", &self.labels),
            ("session_ids", &self.sessions),
            ("plan_ids", &self.plans),
        ] {
            if !values.is_empty() {
                limit(name, json!(values));
            }
        }
        let status = known(STATES, text(consent, "status")).unwrap_or("other");
        let mut data = json!({
            "type": "roi", "decision": if self.permits { "permit" } else { "deny" },
            "status": status, "recipients": self.recipients, "purposes": self.purposes,
            "scope": scope, "effective": self.period, "method": "e_sign"
        });
        let expires = self.period.get("to").map(|last| ("expires", json!({ "date": last })));
        let signed = text(consent, "dateTime").map(|signed| ("signed_at", json!(signed)));
        if let Value::Object(members) = &mut data {
            let more = expires.into_iter().chain(signed);
            members.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        data
    }
}

/// What a code stands for.
fn known(table: &[(&str, &'static str)], code: Option<&str>) -> Option<&'static str> {
    let code = code?;
    table.iter().find(|(name, _)| *name == code).map(|(_, word)| *word)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
