//! The records around a record, read within the transaction that maps it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::derive::Neighbours;
use crate::domain::{Kind, Record, TenantId};
use crate::error::{Error, Result};
use crate::store::Write;

/// Lists of referring records that are kept.
const KEPT: usize = 2_048;

/// What has been asked for within one transaction.
#[derive(Default)]
pub(crate) struct Memory {
    tenant: Option<TenantId>,
    referring: HashMap<(Kind, Kind, String), Vec<Arc<Record>>>,
    practice: OnceCell<Option<Arc<Record>>>,
    failure: Option<Error>,
}

/// The neighbours of one tenant's records.
pub(crate) struct Around<'a> {
    write: &'a dyn Write,
    tenant: &'a TenantId,
    memory: &'a RefCell<Memory>,
}

impl<'a> Around<'a> {
    /// The neighbours as the transaction sees them.
    pub(crate) fn new(
        write: &'a dyn Write,
        tenant: &'a TenantId,
        memory: &'a RefCell<Memory>,
    ) -> Self {
        let mut known = memory.borrow_mut();
        if known.tenant.as_ref() != Some(tenant) {
            *known = Memory { tenant: Some(tenant.clone()), ..Memory::default() };
        }
        drop(known);
        Self { write, tenant, memory }
    }

    /// What went wrong while somebody asked, if anything did.
    pub(crate) fn failure(&self) -> Result<()> {
        self.memory.borrow_mut().failure.take().map_or(Ok(()), Err)
    }

    /// The value, or a default one with the failure kept for [`Self::failure`].
    fn value<T: Default>(&self, result: Result<T>) -> T {
        result.unwrap_or_else(|failure| {
            self.memory.borrow_mut().failure = Some(failure);
            T::default()
        })
    }
}

impl Neighbours for Around<'_> {
    fn get(&self, kind: Kind, id: &str) -> Option<Arc<Record>> {
        self.value(self.write.record(self.tenant, kind, id))
    }

    fn referring(&self, kind: Kind, to: Kind, id: &str) -> Vec<Arc<Record>> {
        let key = (kind, to, id.to_owned());
        if let Some(found) = self.memory.borrow().referring.get(&key) {
            return found.clone();
        }
        let found = self.value(self.write.referring(self.tenant, kind, to, id));
        let referring = &mut self.memory.borrow_mut().referring;
        if referring.len() >= KEPT {
            referring.clear();
        }
        referring.insert(key, found.clone());
        found
    }

    fn organization(&self) -> Option<Arc<Record>> {
        if let Some(practice) = self.memory.borrow().practice.get() {
            return practice.clone();
        }
        let all = self.value(self.write.records(self.tenant, Kind::Organization));
        let practice = practice_of(all);
        self.memory.borrow().practice.get_or_init(|| practice).clone()
    }
}

/// The practice among the organizations of a tenant, which are ordered by id.
pub(crate) fn practice_of(organizations: Vec<Arc<Record>>) -> Option<Arc<Record>> {
    organizations.into_iter().find(|organization| is_active(organization))
}

fn is_active(organization: &Record) -> bool {
    organization.op != crate::domain::Op::Void
        && organization.data.get("active") != Some(&Value::Bool(false))
        && !organization.data.is_null()
}
