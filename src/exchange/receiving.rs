//! Records of others: Bundles that registered providers send, kept byte for byte.
//!
//! They are no records of the platform: nothing is mapped or merged, and the platform is told of them
//! when it is certain whose they are. That is so where an identifier in the Bundle is one of exactly
//! one patient here, and family name and date of birth are that patient's too. Anybody else waits for
//! a person to say who it is. Whoever sends is not told which, so that nobody learns by it who is a
//! patient here.

mod bundle;
mod matching;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use tokio::task::spawn_blocking;

use self::bundle::inspect;
use crate::auth;
use crate::clock::Clock;
use crate::domain::TenantId;
use crate::error::{Error, Result};
use crate::exchange::ingest::Reject;
use crate::fhir::search::ValueSets;
use crate::fhir::search::param::search_type;
use crate::fhir::search::parse::{self, Setting};
use crate::policy::Permit;
use crate::store::{NewReceived, Quarantined, Store, StoredResource};

pub use self::matching::{KIND as MATCHING, Matching};

/// The kind under which a Bundle that is refused is in quarantine.
const KIND: &str = "bundle";

/// Takes in what others send.
#[derive(Clone)]
pub struct Receiving {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Receiving {
    /// What is sent is kept there.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Keeps a Bundle of a registered client; answers the name under which it is kept. The same bytes
    /// again are the same.
    ///
    /// # Errors
    ///
    /// `Invalid` with what is wrong with it; it is in quarantine then.
    pub async fn take(&self, tenant: &TenantId, client: &str, body: Vec<u8>) -> Result<String> {
        let (this, tenant, client) = (self.clone(), tenant.clone(), client.to_owned());
        let taken = spawn_blocking(move || this.keep(&tenant, &client, body)).await;
        taken.map_err(Error::internal)?
    }

    fn keep(&self, tenant: &TenantId, client: &str, body: Vec<u8>) -> Result<String> {
        let now = self.clock.now();
        let sent = match inspect(&body) {
            Ok(sent) => sent,
            Err(reject) => return Err(self.refuse(tenant, client, body, reject)?),
        };
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &body).as_ref());
        let new = NewReceived {
            name: auth::name()?,
            tenant: tenant.clone(),
            client: client.to_owned(),
            digest: hash,
            form: sent.form.to_owned(),
            body,
            received: now,
        };
        let (name, _) = self.store.receive(&new)?;
        // Each time: whoever was not answered sends again, and may find it not looked at yet.
        self.store.put_job(&matching::order(tenant, &name, now)?, u32::MAX)?;
        Ok(name)
    }

    /// Puts a Bundle into quarantine; answers what its sender is told.
    fn refuse(
        &self,
        tenant: &TenantId,
        client: &str,
        body: Vec<u8>,
        reject: Reject,
    ) -> Result<Error> {
        let mut write = self.store.write()?;
        write.quarantine(&Quarantined {
            number: 0,
            tenant: Some(tenant.clone()),
            kind: Some(KIND.to_owned()),
            id: None,
            reason: reject.reason.to_owned(),
            detail: reject.detail.clone(),
            pointer: reject.pointer.clone(),
            origin: format!("client:{client}"),
            received: self.clock.now(),
            isolated: false,
            body,
        })?;
        write.commit()?;
        Ok(Error::invalid(format!("Bundle{}", reject.pointer), reject.detail))
    }
}

/// The patients here with an identifier.
fn patients(
    store: &dyn Store,
    permit: &Permit,
    system: &str,
    value: &str,
) -> Result<Vec<StoredResource>> {
    let Some(resource_type) = search_type("Patient") else { return Ok(Vec::new()) };
    let value_sets = ValueSets::default();
    let setting = Setting { resource_type, base: "", value_sets: &value_sets, lenient: false };
    let asked = format!("{}|{}", escaped(system), escaped(value));
    let search = parse::parse(setting, vec![("identifier".to_owned(), asked)])?;
    Ok(store.search(permit, &search.query)?.matches)
}

/// A value as a parameter has it (<https://hl7.org/fhir/R4/search.html#escaping>).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '|' | ',' | '$') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The whole day of birth.
fn born(patient: &Value) -> Option<&str> {
    patient["birthDate"].as_str().filter(|day| day.len() == "2026-11-28".len())
}

/// The family names, with those that the person goes by no longer or without them.
fn families(patient: &Value, with_former: bool) -> Vec<String> {
    let names = patient["name"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counted = names.iter().filter(|name| with_former || name["use"] != "old");
    let families = counted.filter_map(|name| name["family"].as_str());
    families.map(|family| family.trim().to_lowercase()).filter(|f| !f.is_empty()).collect()
}
