//! Real FHIR clients against the demo, as an integrator would use them. `tests/run` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::demo::Demo;

/// A file below the project, which has to be there.
fn tool(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: tests/run installs it", path.display());
    path
}

/// What a program saw that is given the demo's base and token.
fn saw(program: &Path, script: &str) -> Value {
    let mut demo = Demo::start(&[]);
    let said = demo.until("Ctrl-C");
    let word_after = |name: &str| {
        let line = said.iter().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    let output = Command::new(program)
        .arg(tool(script))
        .args([word_after("FHIR base"), word_after("token")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    demo.stop();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn fhir_kit_client_reads_searches_and_pages() {
    tool(".tools/node_modules/fhir-kit-client");
    let saw = saw(Path::new("node"), "tests/clients/fhir-kit.mjs");
    assert_eq!(saw["fhirVersion"], "4.0.1");
    assert_eq!(saw["patient"], "Patient");
    assert_eq!(saw["same"], true, "a version read is the resource read");
    assert_eq!(saw["history"], 1);
    assert_eq!(saw["seen"], saw["total"], "paging shows every match once");
    assert_eq!(saw["pages"], (saw["total"].as_u64().unwrap().div_ceil(2)));
    assert_eq!(saw["refusal"], "OperationOutcome");
}

#[test]
fn fhirclient_reads_searches_pages_and_follows_references() {
    let python = tool(".tools/python/bin/python");
    let saw = saw(&python, "tests/clients/fhirclient_reads.py");
    assert!(saw["total"].as_u64().unwrap() > 2, "{saw}");
    assert_eq!(saw["seen"], saw["total"], "paging shows every match once");
    assert_eq!(saw["same"], true, "a resource read is the resource found");
    assert_eq!(saw["patient"], "Patient");
    assert_eq!(saw["therapist"], "Practitioner");
    assert_eq!(saw["own"], true, "a search by patient finds that patient's alone");
    assert!(saw["scores"].as_u64().unwrap() >= 5, "{saw}");
    assert_eq!(saw["refusal"], "FHIRNotFoundException");
}
