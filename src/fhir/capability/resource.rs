//! What the CapabilityStatement says about one type: from the table of search parameters, the
//! profiles and the routes.

use fhir_codec::fhir_sdk::r4b::codes::{
    ConditionalReadStatus, ReferenceHandlingPolicy, ResourceVersionPolicy,
};
use fhir_codec::fhir_sdk::r4b::resources::{
    CapabilityStatementRestResource, CapabilityStatementRestResourceInteraction,
    CapabilityStatementRestResourceOperation, CapabilityStatementRestResourceSearchParam,
};
use fhir_codec::fhir_sdk::r4b::types::{Extension, ExtensionValue};

use super::Server;
use crate::error::{Error, Result};
use crate::fhir::search::ParamKind;
use crate::fhir::search::param::{Param, SearchType, TYPES, definition};
use crate::fhir::{audit_event, profile};

/// The type of the audit's events.
const AUDIT: &str = "AuditEvent";

/// The extension by which US Core names parameters that are given together.
const COMBINATION: &str =
    "http://hl7.org/fhir/StructureDefinition/capabilitystatement-search-parameter-combination";

/// The definitions of operations, by type and name.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("Patient", "everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"),
    ("Patient", "explain", "https://throughline.example/fhir/OperationDefinition/Patient-explain"),
    (
        "Patient",
        "break-glass",
        "https://throughline.example/fhir/OperationDefinition/Patient-break-glass",
    ),
    ("Patient", "summary", "http://hl7.org/fhir/uv/ips/OperationDefinition/summary"),
    ("DocumentReference", "docref", "http://hl7.org/fhir/us/core/OperationDefinition/docref"),
    ("Patient", "export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"),
    ("Group", "export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"),
    ("", "export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"),
];

/// What is said about a type; `kind` is there if it is searched.
pub(super) fn resource(
    server: &Server<'_>,
    name: &str,
    kind: Option<&'static SearchType>,
) -> Result<CapabilityStatementRestResource> {
    let searched = kind.map_or(&[][..], |_| server.searched);
    let written = server.written.iter().filter(|(of, _)| *of == name).map(|(_, code)| code);
    let is_changed = written.clone().any(|code| *code == "update");
    let codes = server.instance.iter().chain(searched).chain(written);
    let interactions = codes.map(|code| interaction(code));
    let profiles = profile::supported(name).iter().map(|url| Some((*url).to_owned()));
    let params = kind.map(declared).unwrap_or_default();
    let params = params.iter().map(|(code, kind)| search_param(name, code, kind.code()));
    let includes = kind.map(|kind| includes(kind, None)).unwrap_or_default();
    let reverse = TYPES.iter().filter(|_| kind.is_some());
    let revincludes = reverse.flat_map(|source| self::includes(source, Some(name))).collect();
    CapabilityStatementRestResource::builder()
        .r#type(name.parse().map_err(Error::internal)?)
        .extension(combinations(name)?)
        .supported_profile(profiles.collect::<Vec<_>>())
        .interaction(interactions.collect::<Result<Vec<_>>>()?)
        .versioning(if is_changed {
            ResourceVersionPolicy::VersionedUpdate
        } else {
            ResourceVersionPolicy::Versioned
        })
        .conditional_create(is_changed)
        .update_create(false)
        .read_history(true)
        .conditional_read(ConditionalReadStatus::FullSupport)
        .reference_policy(vec![Some(ReferenceHandlingPolicy::Literal)])
        .search_include(includes)
        .search_rev_include(revincludes)
        .search_param(params.collect::<Result<Vec<_>>>()?)
        .operation(operations(server, name)?)
        .build()
        .map_err(Error::internal)
}

/// The roster, which is made for each caller.
pub(super) fn roster(server: &Server<'_>) -> Result<CapabilityStatementRestResource> {
    CapabilityStatementRestResource::builder()
        .r#type("Group".parse().map_err(Error::internal)?)
        .interaction(vec![interaction("read")?])
        .versioning(ResourceVersionPolicy::NoVersion)
        .read_history(false)
        .conditional_read(ConditionalReadStatus::NotSupported)
        .operation(operations(server, "Group")?)
        .build()
        .map_err(Error::internal)
}

/// What another provider sends, which is kept aside.
pub(super) fn received() -> Result<CapabilityStatementRestResource> {
    CapabilityStatementRestResource::builder()
        .r#type("Bundle".parse().map_err(Error::internal)?)
        .documentation(
            "A document or transaction of a registered provider, kept as it came beside the \
             record; the scope is system/Bundle.c"
                .to_owned(),
        )
        .interaction(vec![interaction("create")?])
        .versioning(ResourceVersionPolicy::NoVersion)
        .read_history(false)
        .conditional_read(ConditionalReadStatus::NotSupported)
        .build()
        .map_err(Error::internal)
}

/// The operations of a type, or those of the server where it is nothing.
pub(super) fn operations(
    server: &Server<'_>,
    name: &str,
) -> Result<Vec<Option<CapabilityStatementRestResourceOperation>>> {
    let of_type = server.operations.iter().filter(|(owner, _)| *owner == name);
    of_type.map(|(owner, operation_name)| operation(owner, operation_name)).collect()
}

/// The audit, which is no part of any record.
pub(super) fn audit() -> Result<CapabilityStatementRestResource> {
    let interactions = ["read", "search-type"].iter().map(|code| interaction(code));
    let params = audit_event::PARAMS.iter().map(|(name, kind)| search_param(AUDIT, name, kind));
    CapabilityStatementRestResource::builder()
        .r#type(AUDIT.parse().map_err(Error::internal)?)
        .interaction(interactions.collect::<Result<Vec<_>>>()?)
        .versioning(ResourceVersionPolicy::NoVersion)
        .read_history(false)
        .conditional_read(ConditionalReadStatus::NotMatch)
        .search_param(params.collect::<Result<Vec<_>>>()?)
        .build()
        .map_err(Error::internal)
}

/// The parameters of a type with their kinds; `_profile` only where resources claim profiles.
pub fn declared(kind: &SearchType) -> Vec<(&'static str, ParamKind)> {
    let claims = !profile::supported(kind.name).is_empty();
    let own = kind.numbered().filter(|(_, param)| claims || param.name != "_profile");
    let own = own.flat_map(|(_, param)| {
        let names = std::iter::once(param.name).chain(param.alias);
        names.map(|name| (name, param.kind))
    });
    [("_id", ParamKind::Token), ("_lastUpdated", ParamKind::Date)].into_iter().chain(own).collect()
}

/// The references of a type, as includes name them: all, or those that may lead to one type; first
/// what stands for all of them.
fn includes(source: &SearchType, target: Option<&str>) -> Vec<Option<String>> {
    let wanted = |param: &&Param| {
        param.kind == ParamKind::Reference && target.is_none_or(|target| param.refers_to(target))
    };
    let params = source.params.iter().filter(wanted).map(|param| param.name);
    let params: Vec<&str> = params.collect();
    let all = (!params.is_empty()).then_some("*");
    let names = all.into_iter().chain(params);
    names.map(|name| Some(format!("{}:{name}", source.name))).collect()
}

fn interaction(code: &str) -> Result<Option<CapabilityStatementRestResourceInteraction>> {
    CapabilityStatementRestResourceInteraction::builder()
        .code(code.to_owned())
        .build()
        .map(Some)
        .map_err(Error::internal)
}

fn operation(owner: &str, name: &str) -> Result<Option<CapabilityStatementRestResourceOperation>> {
    let known = OPERATIONS.iter().find(|(kind, code, _)| *kind == owner && *code == name);
    let (_, _, url) = known.ok_or_else(|| Error::internal("an operation has no definition"))?;
    CapabilityStatementRestResourceOperation::builder()
        .name(name.to_owned())
        .definition((*url).to_owned())
        .build()
        .map(Some)
        .map_err(Error::internal)
}

fn search_param(
    resource_type: &str,
    name: &str,
    kind: &str,
) -> Result<Option<CapabilityStatementRestResourceSearchParam>> {
    let param = CapabilityStatementRestResourceSearchParam::builder()
        .name(name.to_owned())
        .r#type(kind.parse().map_err(Error::internal)?);
    let param = match definition::of(resource_type, name) {
        Some(known) => param.definition(known.url.to_owned()),
        None => param,
    };
    param.build().map(Some).map_err(Error::internal)
}

/// The combinations of parameters that US Core asks for.
fn combinations(resource_type: &str) -> Result<Vec<Extension>> {
    let all = profile::combinations(resource_type);
    all.map(|names| {
        let required = names.map(|name| extension("required", Some(name), Vec::new()));
        extension(COMBINATION, None, required.collect::<Result<Vec<_>>>()?)
    })
    .collect()
}

fn extension(url: &str, text: Option<&str>, parts: Vec<Extension>) -> Result<Extension> {
    let extension = Extension::builder().url(url.to_owned()).extension(parts);
    let extension = match text {
        Some(text) => extension.value(ExtensionValue::String(text.to_owned())),
        None => extension,
    };
    extension.build().map_err(Error::internal)
}
