//! The table of routes: every row without a token, and every row in the CapabilityStatement.

use reqwest::Method;
use serde_json::Value;
use throughline::fhir::search::param;
use throughline::http::routes::{Access, Level, ROUTES};

use crate::support::server::spawn;

#[test]
fn only_what_is_about_the_server_is_public() {
    let public = ROUTES.iter().filter(|endpoint| endpoint.access == Access::Public);
    let about_records = public.filter(|endpoint| {
        let path = endpoint.pattern;
        // Links have a secret in their address.
        let is_apart = ["/auth/", "/links/"].iter().any(|start| path.starts_with(start));
        !is_apart && !path.contains("/.well-known/")
    });
    let about_records: Vec<_> = about_records.map(|endpoint| endpoint.pattern).collect();
    assert_eq!(about_records, ["/fhir/metadata", "/fhir/openapi.json"]);
}

fn codes(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item[name].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_capability_statement_says_what_is_served() {
    let server = spawn();
    let answer = server.send(server.request(Method::GET, "metadata")).await;
    let statement = answer.json();
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert_eq!(statement["kind"], "instance");
    assert_eq!(statement["implementation"]["url"], server.base);
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let types = codes(&statement["rest"][0]["resource"], "type");
    assert_eq!(types, param::served().chain(["AuditEvent", "Group", "Bundle"]).collect::<Vec<_>>());
    for resource in resources {
        let name = resource["type"].as_str().unwrap();
        let mut interactions = codes(&resource["interaction"], "code");
        if name == "Group" {
            assert_eq!(interactions, ["read"]);
            assert_eq!(codes(&resource["operation"], "name"), ["export"]);
            continue;
        }
        if name == "Bundle" {
            assert_eq!(interactions, ["create"]);
            continue;
        }
        if name == "AuditEvent" {
            assert_eq!(interactions, ["read", "search-type"]);
            continue;
        }
        let mut expected: Vec<String> = ROUTES
            .iter()
            .filter(|endpoint| match endpoint.level {
                Level::System | Level::Operation | Level::Platform => false,
                Level::Consent => name == "Consent",
                Level::Request => name == "Task",
                Level::Instance => true,
                Level::Type => param::search_type(name).is_some(),
            })
            .map(|endpoint| endpoint.interaction.to_owned())
            .collect();
        interactions.sort();
        expected.sort();
        expected.dedup();
        assert_eq!(interactions, expected, "{name}");
        for parameter in codes(&resource["searchParam"], "name") {
            let known = param::search_type(name).unwrap().param(&parameter).is_some();
            assert!(known || parameter == "_id" || parameter == "_lastUpdated", "{parameter}");
        }
    }
}
