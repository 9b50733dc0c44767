//! Whom a login belongs to, and whose records they may open, as the platform's records say now.
//!
//! A person may be several at once: a therapist's own chart, a parent who is a client too. So a
//! person is what they are, and which of it counts follows from whose record they open.

mod chart;
mod duties;
mod launched;
mod visits;

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::auth::{Identity, Keys};
use crate::clock::Clock;
use crate::config::{ClaimSettings, DemoAccount, Part};
use crate::domain::{FhirId, Kind, Op, Record, TenantId, TenantIds};
use crate::error::Result;
use crate::exchange::ingest::Rules;
use crate::store::Store;

pub(in crate::exchange) use self::chart::client_name;
pub use self::chart::{Chart, Charts, Relation};
pub use self::duties::{Duties, Known, Names};
pub use self::launched::User;
pub use self::visits::Session;

/// Somebody who has signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// An opaque name, the same at each sign-in.
    pub subject: String,
    /// What they are called.
    pub name: String,
    /// Their `staff` record.
    pub staff: Option<String>,
    /// Their own `client` record.
    pub client: Option<String>,
    /// The `related_party` records that are them.
    pub parties: Vec<String>,
    /// Their `client` records that were merged into others.
    #[serde(default)]
    pub merged: Vec<String>,
}

/// The people of a tenant.
pub struct People {
    store: Arc<dyn Store>,
    tenant: TenantId,
    ids: TenantIds,
    claims: ClaimSettings,
    rules: Arc<ArcSwap<Rules>>,
    clock: Arc<dyn Clock>,
    subjects: hmac::Key,
}

impl People {
    /// The people of the tenant whom these claims name.
    pub fn new(
        store: Arc<dyn Store>,
        tenant: TenantId,
        claims: ClaimSettings,
        rules: Arc<ArcSwap<Rules>>,
        keys: &Keys,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let ids = keys.id_key().tenant(&tenant);
        Self { store, tenant, ids, claims, rules, clock, subjects: keys.subjects() }
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Whom an identity belongs to, if it is anybody whose records are here.
    pub fn recognise(&self, identity: &Identity) -> Result<Option<Person>> {
        let mut known = Found::default();
        for login in identity.values(&self.claims.staff) {
            let found = self.store.sources_of_login(&self.tenant, Kind::Staff, login)?;
            let is_them = |record: &Arc<Record>| field(record, "login_sub") == Some(login);
            known
                .staff
                .extend(found.into_iter().filter(|record| is_staff(record) && is_them(record)));
        }
        for id in identity.values(&self.claims.client) {
            let found = self.store.source(&self.tenant, Kind::Client, id)?;
            if let Some(client) = found.filter(|record| record.op == Op::Upsert) {
                let of = if is_client(&client) { &mut known.clients } else { &mut known.merged };
                of.push(client);
            }
        }
        for login in identity.values(&self.claims.proxy) {
            let found = self.store.sources_of_login(&self.tenant, Kind::RelatedParty, login)?;
            let is_them = |record: &Arc<Record>| field(record, "portal_sub") == Some(login);
            known.parties.extend(found.into_iter().filter(|r| r.op == Op::Upsert && is_them(r)));
        }
        Ok(known.person(self.subject(&identity.issuer, &identity.subject)))
    }

    /// The person of an account of the demonstration.
    pub fn of_account(&self, account: &DemoAccount) -> Result<Option<Person>> {
        let kind = match account.part {
            Part::Client => Kind::Client,
            Part::Proxy => Kind::RelatedParty,
            Part::Staff => Kind::Staff,
        };
        let found = self.store.source(&self.tenant, kind, &account.record)?;
        let mut known = Found::default();
        match account.part {
            Part::Client => known.clients.extend(found.filter(|record| is_client(record))),
            Part::Proxy => known.parties.extend(found.filter(|record| record.op == Op::Upsert)),
            Part::Staff => known.staff.extend(found.filter(|record| is_staff(record))),
        }
        Ok(known.person(self.subject("demo", &account.record)))
    }

    /// The resource that the person is now, where they open no record: `Practitioner/ID`.
    pub fn fhir_user(&self, person: &Person) -> Result<Option<String>> {
        let staff = person.staff.iter().map(|id| User::Staff(id.clone()));
        let own = person.client.iter().map(|id| User::Client(id.clone()));
        let parties = person.parties.iter().map(|id| User::RelatedParty(id.clone()));
        for user in staff.chain(own).chain(parties) {
            if let Some(known) = self.user(&user)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }

    /// An opaque name of somebody at a provider.
    fn subject(&self, issuer: &str, subject: &str) -> String {
        let text = format!("subject\u{1f}{}\u{1f}{issuer}\u{1f}{subject}", self.tenant);
        let tag = hmac::sign(&self.subjects, text.as_bytes());
        hex::encode(tag.as_ref().get(..16).unwrap_or_default())
    }

    fn patient(&self, client: &str) -> FhirId {
        self.ids.id(Kind::Client, client)
    }

    fn practitioner(&self, staff: &str) -> String {
        format!("Practitioner/{}", self.ids.id(Kind::Staff, staff))
    }

    fn related(&self, party: &str) -> String {
        format!("RelatedPerson/{}", self.ids.id(Kind::RelatedParty, party))
    }
}

/// The records that are somebody.
#[derive(Default)]
struct Found {
    staff: Vec<Arc<Record>>,
    clients: Vec<Arc<Record>>,
    parties: Vec<Arc<Record>>,
    /// Clients that were merged into others: they open nothing, and are somebody all the same.
    merged: Vec<Arc<Record>>,
}

impl Found {
    /// Nobody, where one login names two members of staff or two clients: it cannot be told who
    /// it is.
    fn person(self, subject: String) -> Option<Person> {
        if self.staff.len() > 1 || self.clients.len() > 1 {
            return None;
        }
        let (staff, client) = (self.staff.first(), self.clients.first());
        let name = staff
            .map(|record| written(record.data.get("name")))
            .or_else(|| client.map(|record| chart::client_name(record)))
            .or_else(|| self.parties.first().map(|record| written(record.data.get("name"))))?;
        Some(Person {
            subject,
            name,
            staff: staff.map(|record| record.id.clone()),
            client: client.map(|record| record.id.clone()),
            parties: self.parties.iter().map(|record| record.id.clone()).collect(),
            merged: self.merged.iter().map(|record| record.id.clone()).collect(),
        })
    }
}

fn is_staff(record: &Record) -> bool {
    record.op == Op::Upsert && record.data.get("active").and_then(Value::as_bool) == Some(true)
}

/// Whether a record is a client's who is one still: of whom was merged into another, that one is.
pub(super) fn is_client(record: &Record) -> bool {
    record.op == Op::Upsert && field(record, "merged_into").is_none()
}

/// A field of a record that is text.
fn field<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.data.get(name).and_then(Value::as_str)
}

/// A name as it is written: given names, then the family's.
pub(in crate::exchange) fn written(name: Option<&Value>) -> String {
    let Some(name) = name else { return String::new() };
    let given = name.get("given").and_then(Value::as_array).into_iter().flatten();
    let parts = given.chain(name.get("family")).filter_map(Value::as_str);
    parts.collect::<Vec<_>>().join(" ")
}
