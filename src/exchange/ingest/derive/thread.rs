//! Derives the views of a `thread` record: for each client a header Communication, and a
//! transcript for each calendar month, which EHRs can read that know no Communication.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::field::text;
use super::input::Input;
use super::transcript::{self, Part};
use super::{Derivation, View, Warning, local_time, reference};
use crate::domain::{FhirId, Kind, Op, Record};

/// Whether the record becomes a resource for this client.
pub(super) fn is_mapped(record: &Record, d: &Derivation, client: &str) -> bool {
    record.data.is_object()
        && record.client_ids.iter().any(|id| id == client)
        && reference::patient(d, client).is_some()
}

pub(super) fn views(record: &Record, d: &Derivation, _warnings: &mut Vec<Warning>) -> Vec<View> {
    let mut views = Vec::new();
    for client in record.client_ids.iter().filter(|client| is_mapped(record, d, client)) {
        views.push(header(record, d, client));
        if record.op == Op::Void {
            continue;
        }
        for part in transcript::parts(record, d, client) {
            let id = |what: &str| {
                let part = format!("{client}:transcript:{}:{}{what}", part.month, part.number);
                d.ids.part(Kind::Thread, &record.id, &part)
            };
            let (document, binary) = (id(""), id(":text"));
            views.push(transcript_view(record, d, client, &part, &document, &binary));
            views.push(text_view(record, d, client, &part, &document, &binary));
        }
    }
    views
}

fn header(record: &Record, d: &Derivation, client: &String) -> View {
    let data = &record.data;
    let id = d.ids.part(Kind::Thread, &record.id, client);
    let mut input = Input::new(record, d, id).for_client(client);
    input.fact_if_any("subject", reference::patient(d, client));
    let stated = text(data, "status").unwrap_or_default();
    input.fact("status", if record.op == Op::Void { "void" } else { stated });
    // With several clients, the subject line may name another of them.
    if record.client_ids.len() == 1 && record.op != Op::Void {
        input.fact_if_any("topic", text(data, "subject"));
    }
    let opened = text(data, "opened_at").and_then(|at| local_time::on_clock(record, at));
    input.fact_if_any("sent", opened);
    if text(data, "kind") == Some("crisis") {
        input.fact("urgent", true);
    }
    input.view("thread-communication")
}

fn transcript_view(
    record: &Record,
    d: &Derivation,
    client: &String,
    part: &Part,
    document: &FhirId,
    binary: &FhirId,
) -> View {
    let mut input = part_input(record, d, client, part, document);
    let title = match part.number {
        1 => format!("Message transcript {}", part.month),
        n => format!("Message transcript {}, part {n}", part.month),
    };
    input.fact(
        "transcript",
        json!({
            "title": title,
            "date": part.end,
            "start": part.start,
            "end": part.end,
            "status": "current",
            "clinical": part.clinical,
            "authors": part.authors,
            "url": format!("Binary/{binary}"),
            "size": part.text.len(),
        }),
    );
    if part.clinical {
        input.fact("clinical", true);
    }
    input.view("thread-transcript")
}

fn text_view(
    record: &Record,
    d: &Derivation,
    client: &String,
    part: &Part,
    document: &FhirId,
    binary: &FhirId,
) -> View {
    let mut input = part_input(record, d, client, part, binary);
    input.fact("document", format!("DocumentReference/{document}"));
    input.fact("text_data", STANDARD.encode(&part.text));
    input.view("thread-transcript-text")
}

fn part_input<'a>(
    record: &'a Record,
    d: &Derivation,
    client: &'a String,
    part: &Part,
    id: &FhirId,
) -> Input<'a> {
    let mut input = Input::new(record, d, id.clone()).for_client(client);
    for message in &part.messages {
        input.uses(message);
    }
    input.fact("identifier_value", id.as_str());
    input.fact_if_any("subject", reference::patient(d, client));
    input.fact_if_any("service_provider", reference::practice(d));
    input
}
