//! `GET /fhir/openapi.json`: the API as an OpenAPI 3.1 document
//! (<https://spec.openapis.org/oas/v3.1.0>), from the table of routes and that of search parameters.
//! It says no more than the CapabilityStatement does, so anybody may read it.

mod parameters;

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

use super::routes::{Access, Endpoint, ROUTES};
use super::{FHIR, State};
use crate::fhir::search::param::{SearchType, TYPES};

/// The media type of what FHIR's routes take and give.
const MEDIA: &str = "application/fhir+json";

/// Answers the document.
pub(super) async fn openapi(state: web::Data<State>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(state.openapi.clone())
}

/// The document of a server with that FHIR base.
pub(super) fn document(base: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ROUTES.iter().filter(|endpoint| endpoint.access != Access::Page) {
        for (path, kind) in paths_of(endpoint) {
            let operation = operation(endpoint, &path, kind);
            let method = endpoint.method.to_lowercase();
            if let Some(item) = paths.entry(path).or_insert_with(|| json!({})).as_object_mut() {
                item.insert(method, operation);
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "throughline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Records of a therapy platform, served as FHIR R4 (US Core). Read only, but \
                for the consents that people sign and the requests that they make. \
                Whatever is refused is an OperationOutcome.",
        },
        "servers": [{ "url": base.strip_suffix(FHIR).unwrap_or(base) }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                "signature": {
                    "type": "apiKey", "in": "header", "name": "Throughline-Signature",
                    "description": "HMAC-SHA256 over the request, by the secret of the source",
                },
            },
            "parameters": parameters::components(),
            "schemas": schemas(),
        },
    })
}

/// The paths that a row stands for: a search has one for each type, with the type's parameters.
fn paths_of(endpoint: &Endpoint) -> Vec<(String, Option<&'static SearchType>)> {
    if endpoint.interaction != "search-type" || !endpoint.pattern.contains("{type}") {
        return vec![(endpoint.pattern.to_owned(), None)];
    }
    let in_compartment = endpoint.pattern.contains("/Patient/");
    let kinds = TYPES.iter().filter(|kind| !in_compartment || kind.param("patient").is_some());
    kinds.map(|kind| (endpoint.pattern.replace("{type}", kind.name), Some(kind))).collect()
}

fn operation(endpoint: &Endpoint, path: &str, kind: Option<&'static SearchType>) -> Value {
    let name = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let id = name.fold(endpoint.method.to_lowercase(), |id, part| format!("{id}-{part}"));
    let mut operation = json!({
        "operationId": id,
        "summary": endpoint.interaction,
        "security": match endpoint.access {
            Access::Public | Access::Page => json!([]),
            Access::Bearer => json!([{ "bearer": [] }]),
            Access::Signed => json!([{ "signature": [] }]),
        },
        "responses": responses(endpoint),
    });
    let of_query = endpoint.method == "GET";
    let has_body = matches!(endpoint.method, "POST" | "PUT");
    let mut all = parameters::of_path(path);
    if of_query {
        all.extend(parameters::of_query(endpoint.interaction, kind));
    }
    if let Some(operation) = operation.as_object_mut() {
        if !all.is_empty() {
            operation.insert("parameters".to_owned(), all.into());
        }
        if has_body {
            operation.insert("requestBody".to_owned(), request(endpoint, kind));
        }
    }
    operation
}

fn request(endpoint: &Endpoint, kind: Option<&'static SearchType>) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let (media, schema) = match (kind, endpoint.interaction) {
        (Some(kind), _) => ("application/x-www-form-urlencoded", parameters::form(kind)),
        (None, "batch" | "receive") => (MEDIA, schema("Bundle")),
        (None, "create" | "update") => (MEDIA, schema("Resource")),
        (None, "everything" | "explain" | "break-glass" | "docref" | "export") => {
            (MEDIA, schema("Parameters"))
        }
        (None, "link-opened") => ("application/json", json!({ "type": "object" })),
        (None, "push") => ("application/x-ndjson", json!({ "type": "string" })),
        (None, _) => ("application/x-www-form-urlencoded", json!({ "type": "object" })),
    };
    json!({ "required": true, "content": { media: { "schema": schema } } })
}

fn responses(endpoint: &Endpoint) -> Value {
    let content = |media: &str, name: &str| json!({ media: { "schema": { "$ref": format!("#/components/schemas/{name}") } } });
    let (what, content) = match endpoint.interaction {
        "create" | "update" => ("What became of it", content(MEDIA, "OperationOutcome")),
        "read" | "vread" => ("The resource", content(MEDIA, "Resource")),
        "search-type" => ("A page of the matches", content(MEDIA, "Bundle")),
        "history-instance" => ("A page of the versions", content(MEDIA, "Bundle")),
        "everything" => ("A page of the record", content(MEDIA, "Bundle")),
        "explain" => ("Who would see what, and by which rule", content(MEDIA, "Parameters")),
        "break-glass" => ("What is seen in an emergency", content(MEDIA, "Bundle")),
        "summary" => ("A document of the patient", content(MEDIA, "Bundle")),
        "docref" => ("References to the patient's documents", content(MEDIA, "Bundle")),
        "batch" => ("An answer for each entry, in order", content(MEDIA, "Bundle")),
        "capabilities" => ("The CapabilityStatement", content(MEDIA, "Resource")),
        _ => ("What was asked for", json!({ "application/json": { "schema": {} } })),
    };
    let mut responses = json!({
        "200": { "description": what, "content": content },
        "default": {
            "description": "What is wrong, and what to do",
            "content": { MEDIA: { "schema": { "$ref": "#/components/schemas/OperationOutcome" } } },
        },
    });
    if matches!(endpoint.interaction, "read" | "vread")
        && let Some(responses) = responses.as_object_mut()
    {
        responses.insert("304".to_owned(), json!({ "description": "The caller has it" }));
    }
    responses
}

/// What FHIR's types are, as far as a client generator needs it; the rest is HL7's to say.
fn schemas() -> Value {
    let of = |name: &str| {
        json!({
            "type": "object",
            "required": ["resourceType"],
            "properties": { "resourceType": { "const": name } },
            "externalDocs": { "url": format!("https://hl7.org/fhir/R4/{}.html", name.to_lowercase()) },
        })
    };
    json!({
        "Resource": {
            "type": "object",
            "required": ["resourceType"],
            "properties": {
                "resourceType": { "type": "string" },
                "id": { "type": "string" },
                "meta": { "type": "object" },
            },
        },
        "Bundle": of("Bundle"),
        "OperationOutcome": of("OperationOutcome"),
        "Parameters": of("Parameters"),
    })
}
