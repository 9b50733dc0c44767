//! The CapabilityStatement: what this server does, and nothing that it does not
//! (<https://hl7.org/fhir/R4/capabilitystatement.html>).

use fhir_codec::fhir_sdk::DateTime;
use fhir_codec::fhir_sdk::r4b::codes::{
    CapabilityStatementKind, ConditionalReadStatus, FHIRVersion, PublicationStatus,
    ReferenceHandlingPolicy, ResourceVersionPolicy, RestfulCapabilityMode,
};
use fhir_codec::fhir_sdk::r4b::resources::{
    CapabilityStatement, CapabilityStatementImplementation, CapabilityStatementRest,
    CapabilityStatementRestResource, CapabilityStatementRestResourceInteraction,
    CapabilityStatementRestResourceSearchParam, CapabilityStatementRestSecurity,
    CapabilityStatementSoftware, Resource,
};
use fhir_codec::fhir_sdk::r4b::types::{CodeableConcept, Coding, Extension, ExtensionValue};

use super::search::ParamKind;
use super::search::param::{self, SearchType};
use super::{audit_event, profile};
use crate::error::{Error, Result};

/// What the statement is about.
#[derive(Debug, Clone)]
pub struct Server<'a> {
    /// The base URL, without a trailing slash.
    pub base: &'a str,
    /// When the server began to be as it is, RFC 3339.
    pub since: &'a str,
    /// What may be done with one resource: the codes of the routes that there are.
    pub instance: &'a [&'static str],
    /// What may be done with a searched type.
    pub searched: &'a [&'static str],
    /// Whether web pages of other origins may call.
    pub cors: bool,
    /// Where the authorization server is: each endpoint by its name in the extension.
    pub oauth: &'a [(&'static str, String)],
}

/// The system of the kinds of security, and ours
/// (<https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>).
const SECURITY: (&str, &str) =
    ("http://terminology.hl7.org/CodeSystem/restful-security-service", "SMART-on-FHIR");
/// The extension by which clients of the first SMART App Launch find the authorization server.
const OAUTH_URIS: &str = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris";

/// The statement as JSON.
pub fn encode(server: &Server<'_>) -> Result<Vec<u8>> {
    let statement = CapabilityStatement::builder()
        .status(PublicationStatus::Active)
        .experimental(true)
        .date(server.since.parse::<DateTime>().map_err(Error::internal)?)
        .kind(CapabilityStatementKind::Instance)
        .instantiates(vec![Some(
            "http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server".to_owned(),
        )])
        .software(software()?)
        .implementation(
            CapabilityStatementImplementation::builder()
                .description("Records of a therapy platform, served as FHIR".to_owned())
                .url(server.base.to_owned())
                .build()
                .map_err(Error::internal)?,
        )
        .fhir_version(FHIRVersion::N401)
        .format(vec![Some("application/fhir+json".to_owned()), Some("json".to_owned())])
        .rest(vec![Some(rest(server)?)])
        .build()
        .map_err(Error::internal)?;
    fhir_codec::encode(&Resource::from(statement)).map_err(Error::internal)
}

fn software() -> Result<CapabilityStatementSoftware> {
    CapabilityStatementSoftware::builder()
        .name("throughline".to_owned())
        .version(env!("CARGO_PKG_VERSION").to_owned())
        .build()
        .map_err(Error::internal)
}

fn rest(server: &Server<'_>) -> Result<CapabilityStatementRest> {
    let searched = param::TYPES.iter().map(|kind| resource(server, kind.name, Some(kind)));
    let read_only = param::READ_ONLY.iter().map(|name| resource(server, name, None));
    CapabilityStatementRest::builder()
        .mode(RestfulCapabilityMode::Server)
        .documentation(
            "Read only. Unknown search parameters are refused unless the request says \
             Prefer: handling=lenient. Dates without an offset are read as UTC."
                .to_owned(),
        )
        .security(security(server)?)
        .resource(
            searched
                .chain(read_only)
                .chain([audit()])
                .map(|one| one.map(Some))
                .collect::<Result<Vec<_>>>()?,
        )
        .build()
        .map_err(Error::internal)
}

fn security(server: &Server<'_>) -> Result<CapabilityStatementRestSecurity> {
    let (system, code) = SECURITY;
    let coding = Coding::builder()
        .system(system.to_owned())
        .code(code.to_owned())
        .build()
        .map_err(Error::internal)?;
    let service = CodeableConcept::builder().coding(vec![Some(coding)]).build();
    let endpoint = |(name, url): &(&'static str, String)| {
        let value = ExtensionValue::Uri(url.clone());
        Extension::builder().url((*name).to_owned()).value(value).build().map_err(Error::internal)
    };
    let endpoints = server.oauth.iter().map(endpoint).collect::<Result<Vec<_>>>()?;
    let oauth = Extension::builder().url(OAUTH_URIS.to_owned()).extension(endpoints).build();
    CapabilityStatementRestSecurity::builder()
        .extension(vec![oauth.map_err(Error::internal)?])
        .cors(server.cors)
        .service(vec![Some(service.map_err(Error::internal)?)])
        .description(
            "Every request but this one carries a bearer token, which the authorization server of \
             .well-known/smart-configuration gives out."
                .to_owned(),
        )
        .build()
        .map_err(Error::internal)
}

fn resource(
    server: &Server<'_>,
    name: &str,
    kind: Option<&'static SearchType>,
) -> Result<CapabilityStatementRestResource> {
    let searched = kind.map_or(&[][..], |_| server.searched);
    let interactions = server.instance.iter().chain(searched).map(|code| interaction(code));
    let params = kind.into_iter().flat_map(SearchType::numbered).flat_map(|(_, param)| {
        let names = std::iter::once(param.name).chain(param.alias);
        names.map(|name| search_param(name, type_code(param)))
    });
    let common = [("_id", "token"), ("_lastUpdated", "date")];
    let common = kind.into_iter().flat_map(|_| common).map(|(name, code)| search_param(name, code));
    let profiles = profile::supported(name).iter().map(|url| Some((*url).to_owned()));
    let includes = kind.map(|kind| references(kind, None)).unwrap_or_default();
    let reverse = param::TYPES.iter().filter(|_| kind.is_some());
    let revincludes = reverse.flat_map(|source| references(source, Some(name))).collect();
    CapabilityStatementRestResource::builder()
        .r#type(name.parse().map_err(Error::internal)?)
        .supported_profile(profiles.collect::<Vec<_>>())
        .interaction(interactions.collect::<Result<Vec<_>>>()?)
        .versioning(ResourceVersionPolicy::Versioned)
        .read_history(true)
        .conditional_read(ConditionalReadStatus::NotMatch)
        .reference_policy(vec![Some(ReferenceHandlingPolicy::Literal)])
        .search_include(includes)
        .search_rev_include(revincludes)
        .search_param(common.chain(params).collect::<Result<Vec<_>>>()?)
        .build()
        .map_err(Error::internal)
}

/// The audit, which is no part of any record.
fn audit() -> Result<CapabilityStatementRestResource> {
    let interactions = ["read", "search-type"].iter().map(|code| interaction(code));
    let params = audit_event::PARAMS.iter().map(|(name, code)| search_param(name, code));
    CapabilityStatementRestResource::builder()
        .r#type("AuditEvent".parse().map_err(Error::internal)?)
        .interaction(interactions.collect::<Result<Vec<_>>>()?)
        .versioning(ResourceVersionPolicy::NoVersion)
        .read_history(false)
        .conditional_read(ConditionalReadStatus::NotMatch)
        .search_param(params.collect::<Result<Vec<_>>>()?)
        .build()
        .map_err(Error::internal)
}

/// The references of a type, as includes name them: all, or those that may lead to one type.
fn references(source: &SearchType, target: Option<&str>) -> Vec<Option<String>> {
    let wanted = |param: &&param::Param| {
        param.kind == ParamKind::Reference && target.is_none_or(|target| param.refers_to(target))
    };
    let params = source.params.iter().filter(wanted);
    params.map(|param| Some(format!("{}:{}", source.name, param.name))).collect()
}

fn interaction(code: &str) -> Result<Option<CapabilityStatementRestResourceInteraction>> {
    CapabilityStatementRestResourceInteraction::builder()
        .code(code.to_owned())
        .build()
        .map(Some)
        .map_err(Error::internal)
}

fn search_param(
    name: &str,
    code: &str,
) -> Result<Option<CapabilityStatementRestResourceSearchParam>> {
    CapabilityStatementRestResourceSearchParam::builder()
        .name(name.to_owned())
        .r#type(code.parse().map_err(Error::internal)?)
        .build()
        .map(Some)
        .map_err(Error::internal)
}

fn type_code(param: &param::Param) -> &'static str {
    match param.kind {
        ParamKind::Token => "token",
        ParamKind::Reference => "reference",
        ParamKind::Date => "date",
        ParamKind::Text => "string",
        ParamKind::Quantity => "quantity",
        ParamKind::Uri => "uri",
    }
}
