//! The OpenAPI document: valid, and of the same routes and parameters as the server.

use std::path::Path;
use std::process::Command;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use throughline::fhir::search::param::TYPES;
use throughline::http::routes::{Access, ROUTES};

use crate::support::server::{Server, spawn};

async fn document(server: &Server) -> Value {
    let answer = server.send(server.request(Method::GET, "openapi.json")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}

#[tokio::test]
async fn an_independent_validator_finds_nothing_wrong() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/python/bin/python");
    assert!(python.exists(), "{} is missing: tests/run installs it", python.display());
    let document = document(&spawn()).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), document.to_string()).unwrap();
    let output = Command::new(python)
        .args(["-m", "openapi_spec_validator", "--schema", "3.1.0"])
        .arg(file.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.trim_end().ends_with("OK"), "{said}");
}

#[tokio::test]
async fn every_route_and_every_parameter_is_in_it() {
    let document = document(&spawn()).await;
    let paths = document["paths"].as_object().unwrap();
    // Pages are for people, who need no description of an interface.
    for endpoint in ROUTES.iter().filter(|endpoint| endpoint.access != Access::Page) {
        let method = endpoint.method.to_lowercase();
        let of_types = endpoint.interaction == "search-type";
        let path = if of_types {
            endpoint.pattern.replace("{type}", "Encounter")
        } else {
            endpoint.pattern.to_owned()
        };
        let operation = &paths[&path][&method];
        assert_eq!(operation["summary"], endpoint.interaction, "{method} {path}");
        let is_open = operation["security"].as_array().unwrap().is_empty();
        assert_eq!(is_open, endpoint.access == Access::Public, "{method} {path}");
    }
    for kind in TYPES {
        let search = &paths[&format!("/fhir/{}", kind.name)]["get"]["parameters"];
        let named: Vec<&str> = search
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| parameter["$ref"].as_str().unwrap())
            .collect();
        for param in kind.params {
            let name = format!("#/components/parameters/{}.{}", kind.name, param.name);
            assert!(named.contains(&name.as_str()), "{name}");
        }
    }
}

#[tokio::test]
async fn names_of_operations_are_unique() {
    let document = document(&spawn()).await;
    let items = document["paths"].as_object().unwrap().values();
    let operations = items.flat_map(|item| item.as_object().unwrap().values());
    let mut names: Vec<&str> =
        operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
