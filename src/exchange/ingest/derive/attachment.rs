//! Derives the views of an `attachment` record: the Binary that stands for the file, and for a
//! signed form also its DocumentReference.
//!
//! Only files that are scanned, clean and hold nothing about third parties are shown, and only
//! while the record that they belong to is known: a file of an isolated note never is.

use serde_json::{Value, json};

use super::field::{flag, text};
use super::input::Input;
use super::{Derivation, View, Warning, file_name, input, reference};
use crate::domain::{Kind, Op, Record};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    is_clean(record) && is_owned(record, d, client) && reference::patient(d, client).is_some()
}

/// The file as part of a message of this client.
pub(super) fn file(d: &Derivation, id: &str, client: &str) -> Option<Value> {
    let url = reference::attachment(d, id, client)?;
    let record = d.neighbours.get(Kind::Attachment, id)?;
    let data = &record.data;
    let mut file = json!({
        "content_type": text(data, "media_type")?,
        "title": file_name::safe(text(data, "filename"), "file"),
        "url": url,
    });
    if let (Some(size), Some(file)) = (data.get("size_bytes"), file.as_object_mut()) {
        file.insert("size".to_owned(), size.clone());
    }
    Some(file)
}

/// The DocumentReference of a signed form about this client.
pub(super) fn signed_form(d: &Derivation, id: &str, client: &str) -> Option<String> {
    let record = d.neighbours.get(Kind::Attachment, id)?;
    (is_mapped(&record, d, client) && is_document(&record))
        .then(|| format!("DocumentReference/{}", d.ids.part(Kind::Attachment, id, "document")))
}

pub(super) fn views(record: &Record, d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    let Some(client) = record.client_ids.iter().find(|client| is_mapped(record, d, client)) else {
        return Vec::new();
    };
    let binary = d.ids.id(Kind::Attachment, &record.id);
    let document = d.ids.part(Kind::Attachment, &record.id, "document");
    let mut views = Vec::new();
    let mut bytes = Input::new(record, d, binary.clone()).for_client(client);
    if is_document(record) {
        bytes.fact("document", format!("DocumentReference/{document}"));
    }
    bytes.fact_if_any("subject", reference::patient(d, client));
    views.push(bytes.view("attachment-binary"));
    if is_document(record) {
        let mut form = Input::new(record, d, document).for_client(client);
        form.fact_if_any("subject", reference::patient(d, client));
        form.fact_if_any("custodian", reference::practice(d));
        form.fact("title", file_name::safe(text(&record.data, "filename"), "file"));
        form.fact("date", input::instant(record.updated_at));
        form.fact("form", form_kind(record, d));
        form.fact("url", format!("Binary/{binary}"));
        views.push(form.view("attachment-document-reference"));
    }
    views
}

fn is_clean(record: &Record) -> bool {
    let data = &record.data;
    let has_bytes = data.get("size_bytes").and_then(Value::as_u64).is_some_and(|size| size > 0);
    record.op != Op::Void
        && text(data, "av_scan") == Some("clean")
        && !flag(data, "contains_third_party")
        && has_bytes
}

/// Whether the record that the file belongs to is known, shown, and about this client alone.
fn is_owned(record: &Record, d: &Derivation, client: &str) -> bool {
    let Some(owner) = record.data.get("owner") else { return false };
    let (Some(kind), Some(id)) = (text(owner, "kind"), text(owner, "id")) else { return false };
    let Some(owner) = kind.parse().ok().and_then(|kind: Kind| d.neighbours.get(kind, id)) else {
        return false;
    };
    if owner.op == Op::Void || record.client_ids.as_slice() != [client] {
        return false;
    }
    match owner.kind {
        Kind::Message => super::message::concerns(&owner, client) && super::message::is_out(&owner),
        Kind::SessionNote => super::session_note::is_shown(&owner, d, client),
        Kind::Client => owner.id == client,
        Kind::Consent | Kind::TreatmentPlan | Kind::Assessment => {
            owner.client_ids.iter().any(|id| id == client)
        }
        _ => false,
    }
}

/// Whether the file is a document in its own right rather than part of a message.
fn is_document(record: &Record) -> bool {
    let owner = record.data.get("owner").and_then(|owner| text(owner, "kind"));
    owner.is_some_and(|kind| kind != "message")
}

/// What kind of form it is: a key of `codes/form-type.json`.
fn form_kind(record: &Record, d: &Derivation) -> &'static str {
    let owner = record.data.get("owner");
    let is_consent = owner.and_then(|owner| text(owner, "kind")) == Some("consent");
    let consent = owner.and_then(|owner| text(owner, "id")).filter(|_| is_consent);
    let Some(consent) = consent.and_then(|id| d.neighbours.get(Kind::Consent, id)) else {
        return "file";
    };
    let name = text(&consent.data, "type").unwrap_or_default();
    let release = d.tables.consents.types.iter().any(|t| t.name == name && t.release);
    if release { "release" } else { "consent" }
}
