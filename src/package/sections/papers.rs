//! Notes, files and consents.

use super::{Section, joined, table};
use crate::package::record::{Record, Resource, concept, concept_at, list, text};
use crate::package::texts::{Texts, fill};

/// When a document is of: of which care, or else when it was written.
fn when(document: &Resource) -> &str {
    let of_care = document.text("/context/period/start");
    if of_care.is_empty() { document.text("/date") } else { of_care }
}

pub(super) fn documents(record: &Record, texts: &Texts) -> Section {
    let words = &texts.documents;
    let mut section = Section::new("documents", Some("51848-0"), &words.title);
    for document in record.latest("DocumentReference", when) {
        section.entries.push(document.name());
        section.heading(title(document));
        let by = record.whos(document.list("/author"));
        let by = if by.is_empty() { by } else { fill(&words.by, &[("who", &by)]) };
        let status = document.text("/status");
        let status = if status == "current" {
            String::new()
        } else {
            fill(&words.status, &[("status", texts.code(status))])
        };
        section.whispers(joined([&*texts.date(when(document)), &*by, &*status], " · "));
        for content in document.list("/content") {
            let Some(attachment) = content.get("attachment") else { continue };
            if let Some(binary) = record.find(text(attachment, "/url")) {
                section.entries.push(binary.name());
            }
            let media = text(attachment, "/contentType");
            let bytes = record.attached(attachment);
            let is_here = bytes.is_some();
            if let Some(bytes) = bytes.filter(|_| media.starts_with("text/plain")) {
                section.says(String::from_utf8_lossy(&bytes).trim_end());
                continue;
            }
            section.says(fill(&words.file, &[("file", text(attachment, "/title"))]));
            if !is_here {
                section.whispers(&words.not_here);
            }
        }
    }
    section
}

/// What a document is called.
pub(in crate::package) fn title(document: &Resource) -> &str {
    let names = [
        document.text("/description"),
        document.text("/content/0/attachment/title"),
        concept_at(&document.value, "/type"),
    ];
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
}

pub(super) fn consents(record: &Record, texts: &Texts) -> Section {
    let words = &texts.consents;
    let mut section = Section::new("consents", None, &words.title);
    let columns = [
        (&*words.what, 4),
        (&*words.recipient, 4),
        (&*words.status, 3),
        (&*words.when, 3),
        (&*words.until, 4),
    ];
    let mut rows = table("", &columns);
    for consent in record.latest("Consent", |consent| consent.text("/dateTime")) {
        section.entries.push(consent.name());
        let policy = concept_at(&consent.value, "/policyRule");
        let what = if policy.is_empty() {
            consent.list("/category").first().map(concept).unwrap_or_default()
        } else {
            policy
        };
        let actors = list(&consent.value, "/provision/actor");
        let actors: Vec<String> =
            actors.iter().filter_map(|actor| Some(record.who(actor.get("reference")?))).collect();
        let [start, end] =
            ["start", "end"].map(|end| consent.text(&format!("/provision/period/{end}")));
        let kind = texts.code(consent.text("/provision/type"));
        let status = texts.code(consent.text("/status"));
        rows.rows.push(vec![
            what.to_owned(),
            joined(actors.iter().map(String::as_str), ", "),
            joined([status, kind], ", "),
            texts.date(consent.text("/dateTime")),
            texts.period(start, end),
        ]);
    }
    section.table(rows);
    section
}
