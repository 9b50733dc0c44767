//! A patient's record as somebody may have it: what `$everything` has, and the files of its
//! documents.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use crate::domain::{FhirId, TenantId};
use crate::error::{Error, Result};
use crate::fhir::prune;
use crate::package::{File, Piece};
use crate::policy::{Action, Permit, Principal};
use crate::store::{Everything, Store, StoredResource};

/// How many resources are read together: nearly every record is one page, and so of one moment.
const PAGE: usize = 20_000;

/// Which part of a record.
#[derive(Debug, Clone, Copy)]
pub enum Part<'a> {
    /// These types of resources.
    Types(&'a [&'static str]),
    /// All of it, with the files.
    Whole,
}

/// The resources that this principal may have of a patient's record, by type and id.
///
/// # Errors
///
/// `Denied` where it may have nothing of any; `NotFound` where the patient is none that it may know.
pub fn gather(
    store: &dyn Store,
    principal: &Arc<Principal>,
    patient: &FhirId,
    part: Part<'_>,
) -> Result<Vec<Piece>> {
    let reads = Permit::decide(principal, Action::Read, "Patient")?;
    let searches = Permit::decide(principal, Action::Search, "Patient")?;
    store.head(&reads, patient)?.ok_or(Error::NotFound)?;
    let types = match part {
        Part::Whole => Vec::new(),
        Part::Types(types) => {
            types.iter().copied().filter(|name| searches.on(name).is_some()).collect()
        }
    };
    let mut scope =
        Everything { patient: patient.clone(), types, since: None, count: PAGE, after: None };
    let mut pieces = Vec::new();
    loop {
        let page = store.everything(&searches, &scope)?;
        pieces.extend(page.matches.into_iter().map(piece));
        if page.next.is_none() {
            break;
        }
        scope.after = page.next;
    }
    if matches!(part, Part::Whole) {
        // What is done with the record is no part of a copy of it.
        pieces.retain(|piece: &Piece| piece.resource_type != "Task");
        files(store, principal, &mut pieces)?;
    }
    Ok(pieces)
}

/// What others sent about a person, as files of the person's own copy.
///
/// # Errors
///
/// Where it cannot be read.
pub fn outside(store: &dyn Store, tenant: &TenantId, patient: &FhirId) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for one in store.received_of(tenant, patient)? {
        if let Some((_, bytes)) = store.received_as(tenant, &one.name)? {
            files.push(File::outside(files.len() + 1, bytes));
        }
    }
    Ok(files)
}

/// Adds the files of the documents.
fn files(store: &dyn Store, principal: &Arc<Principal>, pieces: &mut Vec<Piece>) -> Result<()> {
    let Ok(permit) = Permit::decide(principal, Action::Read, "Binary") else { return Ok(()) };
    let mut ids: BTreeSet<FhirId> = BTreeSet::new();
    for piece in pieces.iter().filter(|piece| piece.resource_type == "DocumentReference") {
        let document: Value = serde_json::from_slice(&piece.body).map_err(Error::internal)?;
        let contents = document.get("content").and_then(Value::as_array);
        let urls = contents.into_iter().flatten().filter_map(|content| {
            content.pointer("/attachment/url")?.as_str()?.strip_prefix("Binary/")?.parse().ok()
        });
        ids.extend(urls);
    }
    for id in ids {
        pieces.extend(store.read(&permit, &id)?.map(piece));
    }
    Ok(())
}

/// A resource as it goes into a copy: without names that somebody goes by no longer, whoever makes it.
fn piece(stored: StoredResource) -> Piece {
    let (mut version, mut body) = (stored.version_id, stored.body);
    if prune::has_former_names(&body) {
        let used = prune::prune(&body, &version, &|_| true, None);
        (version, body) = (used.version_id, Arc::from(used.body));
    }
    Piece { resource_type: stored.resource_type, id: stored.id, version, body }
}
