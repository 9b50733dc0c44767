//! The sessions of a record, for an app that works within one.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Chart, People, field};
use crate::domain::{FhirId, Kind, Op};
use crate::error::Result;
use crate::policy::{Action, Permit, Principal};

/// A session that took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The Encounter.
    pub encounter: FhirId,
    /// When it began.
    pub began: Timestamp,
}

impl People {
    /// The sessions of a record, the latest first; `most` of them at most.
    pub fn sessions(&self, chart: &Chart, most: usize) -> Result<Vec<Session>> {
        let logs = self.store.sources_referring(
            &self.tenant,
            Kind::SessionLog,
            Kind::Client,
            &chart.client,
        )?;
        let mut sessions = Vec::new();
        for log in logs.iter().filter(|log| log.op == Op::Upsert) {
            let began = log.occurred_at.as_deref().or_else(|| field(log, "scheduled_start"));
            let began = began.and_then(|began| began.parse().ok());
            let encounter = self.ids.part(Kind::SessionLog, &log.id, &chart.client);
            sessions.extend(began.map(|began| Session { encounter, began }));
        }
        sessions.sort_by_key(|session| std::cmp::Reverse(session.began));
        let permit = self.permit(chart)?;
        let mut there = Vec::new();
        for session in sessions {
            if there.len() < most && self.store.head(&permit, &session.encounter)?.is_some() {
                there.push(session);
            }
        }
        Ok(there)
    }

    /// Whether this is a session of the record.
    pub fn is_session(&self, chart: &Chart, encounter: &FhirId) -> Result<bool> {
        Ok(self.store.head(&self.permit(chart)?, encounter)?.is_some())
    }

    /// What an app that saw this record would see of its sessions.
    fn permit(&self, chart: &Chart) -> Result<Permit> {
        let tenant = self.tenant.clone();
        let principal = Arc::new(Principal {
            patient: Some(chart.patient.clone()),
            fhir_user: chart.fhir_user.parse().ok(),
            ..Principal::new(tenant, String::new(), "patient/Encounter.rs")
        });
        Permit::decide(&principal, Action::Read, "Encounter")
    }
}
