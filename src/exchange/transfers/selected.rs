//! What of a record goes to the receiver of a transfer: what consent gives now, and of that the parts
//! that were chosen; and how its copy is made.

use std::collections::BTreeSet;

use jiff::{Timestamp, Unit};
use serde_json::Value;

use super::Transfers;
use super::transfer::Transfer;
use crate::config::ReceiverSettings;
use crate::domain::{FhirId, Kind, TenantId};
use crate::error::{Error, Result};
use crate::exchange::gather::{Part, gather};
use crate::exchange::ingest::BASE;
use crate::package::{Language, Options, Piece, Purpose, Sheet};

impl Transfers {
    /// What goes; nothing where no consent lets the receiver know of the person.
    pub(super) fn selected(
        &self,
        tenant: &TenantId,
        transfer: &Transfer,
        receiver: &ReceiverSettings,
        at: Timestamp,
    ) -> Result<Option<Vec<Piece>>> {
        let patient = self.patient(tenant, &transfer.client);
        let principal = self.principal(tenant, receiver, at);
        let mut pieces = match gather(&*self.store, &principal, &patient, Part::Whole) {
            Err(Error::NotFound | Error::Denied) => return Ok(None),
            other => other?,
        };
        let ids = self.ids.tenant(tenant);
        let mut notes: BTreeSet<FhirId> =
            transfer.notes.iter().map(|note| ids.id(Kind::SessionNote, note)).collect();
        // What is appended to a note goes along with it: corrections, and disagreements (45 CFR
        // 164.526(d)(5)).
        let appended = pieces.iter().filter(|piece| piece.resource_type == "DocumentReference");
        let appended: Vec<FhirId> = appended
            .filter(|piece| is_appended_to(&piece.body, &notes))
            .map(|piece| piece.id.clone())
            .collect();
        notes.extend(appended);
        pieces.retain(|piece| {
            transfer.has(&piece.resource_type)
                || piece.resource_type == "DocumentReference" && notes.contains(&piece.id)
        });
        Ok(Some(pieces))
    }
}

impl Transfer {
    /// How the copy for the receiver is made at an instant.
    pub(super) fn options(&self, at: Timestamp) -> Result<Options> {
        Ok(Options {
            purpose: Purpose::Transfer,
            language: Language::English,
            sheet: Sheet::Letter,
            at: at.round(Unit::Second).map_err(Error::internal)?,
            base: BASE.to_owned(),
            reason: Some(self.reason.clone()),
        })
    }
}

/// Whether a document is appended to one of these.
fn is_appended_to(body: &[u8], notes: &BTreeSet<FhirId>) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(body) else { return false };
    let relations = document.get("relatesTo").and_then(Value::as_array);
    relations.into_iter().flatten().any(|relation| {
        let target = relation.pointer("/target/reference").and_then(Value::as_str);
        let target = target.and_then(|target| target.strip_prefix("DocumentReference/"));
        relation.get("code").and_then(Value::as_str) == Some("appends")
            && target.and_then(|id| id.parse().ok()).is_some_and(|id| notes.contains(&id))
    })
}
