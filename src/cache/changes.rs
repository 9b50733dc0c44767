//! "Something about this patient changed: forget what you keep", told to every replica.
//!
//! What is kept of a patient is kept with an *epoch*, and counts only while the epoch is the same.
//! A change starts a new epoch in this process at once, and in the others as soon as the message
//! arrives. Messages can be lost, so that nobody may rely on them alone: see [`super::Fresh`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;

use super::{CacheSecret, RedisLink};
use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};

/// Epochs that are told apart. Two patients may share one: then a change of one forgets the other.
const SLOTS: u16 = 4_096;
/// The slot of everything; the others belong to tenants and patients.
const EVERYTHING: u16 = 0;

/// What a change is about, and what is kept is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    tenant: u16,
    patient: u16,
}

/// A time without changes in a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch([u64; 3]);

/// Tells and hears what changed.
#[derive(Clone)]
pub struct Changes {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    epochs: Vec<AtomicU64>,
    names: hmac::Key,
    pub(super) link: Option<RedisLink>,
    /// The name by which the replicas of this installation find each other.
    pub(super) channel: String,
}

impl Changes {
    /// In this process alone, or with the replicas that share a Redis and the secret.
    pub fn new(link: Option<RedisLink>, secret: &CacheSecret) -> Result<Self> {
        let names = secret.names(b"change").map_err(Error::internal)?;
        let channel = hmac::sign(&names, b"channel");
        let channel = format!("throughline:changes:{}", hex::encode(channel.as_ref()));
        let epochs = (0..SLOTS).map(|_| AtomicU64::new(0)).collect();
        Ok(Self { inner: Arc::new(Inner { epochs, names, link, channel }) })
    }

    /// The scope of a patient, or of all that a tenant has.
    pub fn scope(&self, tenant: &TenantId, patient: Option<&FhirId>) -> Scope {
        let tenant_slot = self.slot(&[b"tenant ", tenant.as_str().as_bytes()]);
        let patient = patient.map(|patient| {
            self.slot(&[b"patient ", tenant.as_str().as_bytes(), b" ", patient.as_str().as_bytes()])
        });
        Scope { tenant: tenant_slot, patient: patient.unwrap_or(tenant_slot) }
    }

    /// The epoch of a scope now. It ends with a change of the patient, the tenant, or everything.
    pub fn epoch(&self, scope: &Scope) -> Epoch {
        let at = |slot| self.at(slot).map_or(0, |epoch| epoch.load(Ordering::Acquire));
        Epoch([at(EVERYTHING), at(scope.tenant), at(scope.patient)])
    }

    /// Says that something in a scope changed, once the change is stored. The other replicas are
    /// told aside, inside a Tokio runtime.
    pub fn tell(&self, scope: &Scope) {
        self.begin(scope.patient);
        if self.inner.link.is_some() {
            let (told, slot) = (self.clone(), scope.patient);
            tokio::spawn(async move { told.publish(slot).await });
        }
    }

    /// Starts a new epoch here.
    pub(super) fn begin(&self, slot: u16) {
        if let Some(epoch) = self.at(slot) {
            epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Starts a new epoch of everything, since messages may have been missed.
    pub(super) fn begin_everything(&self) {
        self.begin(EVERYTHING);
    }

    fn at(&self, slot: u16) -> Option<&AtomicU64> {
        self.inner.epochs.get(usize::from(slot))
    }

    fn slot(&self, parts: &[&[u8]]) -> u16 {
        let mut context = hmac::Context::with_key(&self.inner.names);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        let number = tag.as_ref().first_chunk().copied().map_or(0, u16::from_be_bytes);
        1 + number % (SLOTS - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_ends_the_epoch_of_its_scope() {
        let changes = Changes::new(None, &CacheSecret::new([7; 32])).unwrap();
        let (hv, hw) = ("hv".parse().unwrap(), "hw".parse().unwrap());
        let (ann, bo) = ("ann".parse().unwrap(), "bo".parse().unwrap());
        let ann = changes.scope(&hv, Some(&ann));
        let (bo, other) = (changes.scope(&hv, Some(&bo)), changes.scope(&hw, None));
        let (all, before) =
            (changes.scope(&hv, None), [&ann, &bo, &other].map(|s| changes.epoch(s)));
        changes.tell(&ann);
        let now = [&ann, &bo, &other].map(|scope| changes.epoch(scope));
        assert_ne!(now[0], before[0]);
        assert_eq!(now[1..], before[1..]);
        changes.tell(&all);
        assert_ne!(changes.epoch(&bo), before[1], "the tenant's change is everybody's in it");
        assert_eq!(changes.epoch(&other), before[2]);
    }
}
