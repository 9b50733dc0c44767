//! The parameters of the document: those of paths, those of every search, and those of each type.

use serde_json::{Map, Value, json};

use crate::fhir::capability;
use crate::fhir::search::ParamKind;
use crate::fhir::search::param::{self, SearchType, TYPES, definition};

/// What a search may be told beside its conditions, and what each means.
const RESULT: &[(&str, &str)] = &[
    ("_sort", "Up to four parameters, joined by commas; - before one is descending"),
    ("_count", "How many matches a page holds: 0 to 1000"),
    ("_total", "none, estimate or accurate"),
    ("_include", "Type:parameter[:Target], of what matches refer to; also _include:iterate"),
    ("_revinclude", "Type:parameter, of what refers to matches; also _revinclude:iterate"),
    ("_summary", "true, text, data, count or false"),
    ("_elements", "Names of elements, joined by commas"),
];

/// What says how an answer is written.
const FORM: &[(&str, &str)] = &[
    ("_format", "json or application/fhir+json; before the Accept header"),
    ("_pretty", "true: with line ends"),
];

/// What an operation or a history may be told.
const EVERYTHING: &[(&str, &str)] = &[
    ("_since", "Only what changed since this instant"),
    ("_type", "Only these types, joined by commas"),
    ("_count", "How many resources a page holds"),
];
const DOCREF: &[(&str, &str)] = &[
    ("patient", "The patient's id"),
    ("start", "Only documents of care on or after this day or instant"),
    ("end", "Only documents of care on or before this day or instant"),
    ("type", "Only documents of this kind, a code or system|code"),
    ("on-demand", "false: only documents that are stored"),
];
const EXPORT: &[(&str, &str)] = &[
    ("_since", "Only what was updated since this instant"),
    ("_until", "Only what was updated before this instant"),
    ("_type", "Only these types, joined by commas"),
    ("_typeFilter", "Type?parameter=value: of that type only what it finds; may be repeated"),
    ("_elements", "Names of elements, or Type.element, joined by commas"),
    ("_outputFormat", "application/fhir+ndjson"),
];
const HISTORY: &[(&str, &str)] = &[
    ("_since", "Only versions since this instant"),
    ("_at", "Only versions that were current at some time in this range"),
    ("_count", "How many versions a page holds"),
];

/// The parameters that paths refer to by name.
pub(super) fn components() -> Value {
    let mut all = Map::new();
    for (name, meaning) in [RESULT, FORM].concat() {
        all.insert(name.to_owned(), query(name, meaning));
    }
    for kind in TYPES {
        for (name, value) in capability::declared(kind) {
            all.insert(format!("{}.{name}", kind.name), search(kind, name, value));
        }
    }
    all.into()
}

fn query(name: &str, meaning: &str) -> Value {
    json!({ "name": name, "in": "query", "description": meaning, "schema": { "type": "string" } })
}

/// A condition; given more than once, all of them have to be met.
fn search(kind: &SearchType, name: &str, value: ParamKind) -> Value {
    let defined = definition::of(kind.name, name)
        .map_or_else(String::new, |known| format!("; defined by {}", known.url));
    json!({
        "name": name,
        "in": "query",
        "description": format!("{}{defined}. {}", value.code(), modifiers(value)),
        "style": "form",
        "explode": true,
        "schema": { "type": "array", "items": { "type": "string" } },
    })
}

/// What may stand behind the name of a parameter of a kind.
fn modifiers(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Token => {
            "Modifiers: :missing, :not, :text, :in and :not-in; for identifiers also :of-type"
        }
        ParamKind::Reference => "Modifiers: :missing, :identifier and the name of a type",
        ParamKind::Text => "Modifiers: :missing, :contains and :exact",
        ParamKind::Uri => "Modifiers: :missing, :below and :above",
        ParamKind::Date | ParamKind::Quantity => {
            "Modifier: :missing. Prefixes: eq, ne, gt, lt, ge, le, sa, eb and ap"
        }
        ParamKind::Composite => "Two values, joined by $",
    }
}

/// The parameters in a path's braces.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names
        .map(|name| {
            let schema = match name {
                "type" => json!({ "enum": param::served().collect::<Vec<_>>() }),
                "id" => json!({ "type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$" }),
                _ => json!({ "type": "string" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

/// The parameters of a query string.
pub(super) fn of_query(interaction: &str, kind: Option<&'static SearchType>) -> Vec<Value> {
    let named =
        |names: &[(&str, &str)]| names.iter().map(|(name, _)| reference(name)).collect::<Vec<_>>();
    let told = |own: &[(&str, &str)]| {
        own.iter().map(|(name, meaning)| query(name, meaning)).collect::<Vec<_>>()
    };
    let subset = || vec![reference("_summary"), reference("_elements")];
    match (kind, interaction) {
        (Some(kind), _) => {
            let own = capability::declared(kind).into_iter();
            let own = own.map(|(name, _)| reference(&format!("{}.{name}", kind.name)));
            own.chain(named(RESULT)).chain(named(FORM)).collect()
        }
        (None, "read" | "vread") => [subset(), named(FORM)].concat(),
        (None, "history-instance") => [told(HISTORY), subset(), named(FORM)].concat(),
        (None, "everything") => [told(EVERYTHING), named(FORM)].concat(),
        (None, "docref") => [told(DOCREF), named(FORM)].concat(),
        (None, "export") => told(EXPORT),
        (None, "summary" | "capabilities") => named(FORM),
        (None, _) => Vec::new(),
    }
}

/// The form of a search: the same parameters.
pub(super) fn form(kind: &SearchType) -> Value {
    let names = capability::declared(kind).into_iter().map(|(name, _)| name);
    let names = names.chain(RESULT.iter().chain(FORM).map(|(name, _)| *name));
    let properties: Map<String, Value> =
        names.map(|name| (name.to_owned(), json!({ "type": "string" }))).collect();
    json!({ "type": "object", "properties": properties })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}
