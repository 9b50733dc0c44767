//! What a resource is found by: its bytes in, its index rows out.

mod members;
mod path;
#[cfg(test)]
mod tests;
mod value;

use serde::de::DeserializeSeed;

use self::members::members;
use self::path::{first, visit, visit_names};
use self::value::{put, references, truth};
use super::IndexRow;
use super::node::Members;
use super::param::{self, Form};
use crate::domain::FhirId;
use crate::error::{Error, Result};

pub use self::members::MEMBER;

/// The number under which the reference of `Binary.securityContext` is in the index. It is no search
/// parameter.
pub const SECURITY_CONTEXT: u16 = 0xE000;

/// The patient whose record the resource belongs to, if any, and the rows of the search index.
///
/// # Errors
///
/// The bytes are not a JSON object.
pub fn rows(resource_type: &str, bytes: &[u8]) -> Result<(Option<FhirId>, Vec<IndexRow>)> {
    let Some(kind) = param::search_type(resource_type) else {
        return Ok((None, security_context(bytes)?));
    };
    let wanted = |name: &str| {
        name == "id"
            || kind.numbered().flat_map(|(_, param)| param.paths).any(|path| first(path) == name)
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let resource = Members(wanted).deserialize(&mut reader).map_err(Error::internal)?;
    let mut rows = Vec::new();
    let mut patient = None;
    for (number, param) in kind.numbered() {
        for path in param.paths {
            visit_names(&resource, path, false, &mut |value, is_former| {
                let number = if is_former { number | param::FORMER } else { number };
                put((number, param), kind, value, &mut rows);
            });
        }
        if param.form == Form::Truth {
            truth(number, &mut rows);
        }
        if param.name == "patient" {
            patient = rows.iter().find_map(|row| patient_of(number, row));
        }
    }
    if resource_type == "CareTeam" {
        members(&resource, &mut rows);
    }
    if resource_type == "Patient" {
        patient = resource.text_at("id").and_then(|id| id.parse().ok());
    }
    Ok((patient, rows))
}

/// The one row of a type that is not searched: whose access rules are those of another resource
/// (<https://hl7.org/fhir/R4/binary-definitions.html#Binary.securityContext>).
fn security_context(bytes: &[u8]) -> Result<Vec<IndexRow>> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let wanted = |name: &str| name == "securityContext";
    let resource = Members(wanted).deserialize(&mut reader).map_err(Error::internal)?;
    let mut rows = Vec::new();
    visit(&resource, "securityContext", &mut |value| {
        references(SECURITY_CONTEXT, &[], value, &mut rows);
    });
    Ok(rows)
}

/// The patient whose record the resource belongs to, if any; nothing where the bytes are no
/// resource.
pub fn patient(resource_type: &str, bytes: &[u8]) -> Option<FhirId> {
    let is_patient = resource_type == "Patient";
    let kind = param::search_type(resource_type);
    let param = kind.and_then(|kind| kind.param("patient"));
    let paths = param.map_or(&[][..], |(_, param)| param.paths);
    if !is_patient && paths.is_empty() {
        return None;
    }
    let wanted = |name: &str| {
        if is_patient { name == "id" } else { paths.iter().any(|path| first(path) == name) }
    };
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let resource = Members(wanted).deserialize(&mut reader).ok()?;
    if is_patient {
        return resource.text_at("id").and_then(|id| id.parse().ok());
    }
    let (kind, (number, param)) = (kind?, param?);
    let mut rows = Vec::new();
    for path in paths {
        visit(&resource, path, &mut |value| put((number, param), kind, value, &mut rows));
    }
    rows.iter().find_map(|row| patient_of(number, row))
}

fn patient_of(number: u16, row: &IndexRow) -> Option<FhirId> {
    match row {
        IndexRow::Reference { param, target } if *param == number => {
            target.strip_prefix("Patient/").and_then(|id| id.parse().ok())
        }
        _ => None,
    }
}
