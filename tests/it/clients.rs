//! Real FHIR clients against the demo, as an integrator would use them.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::demo::Demo;

#[test]
fn fhir_kit_client_reads_searches_and_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join(".tools/node_modules/fhir-kit-client").exists() {
        let _ = writeln!(std::io::stderr(), "SKIP: fhir-kit-client is not installed");
        return;
    }
    let mut demo = Demo::start(&[]);
    let said = demo.until("Ctrl-C");
    let word_after = |name: &str| {
        let line = said.iter().find_map(|line| line.trim().strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    let output = Command::new("node")
        .arg(root.join("tests/clients/fhir-kit.mjs"))
        .args([word_after("FHIR base"), word_after("token")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let saw: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(saw["fhirVersion"], "4.0.1");
    assert_eq!(saw["patient"], "Patient");
    assert_eq!(saw["same"], true, "a version read is the resource read");
    assert_eq!(saw["history"], 1);
    assert_eq!(saw["seen"], saw["total"], "paging shows every match once");
    assert_eq!(saw["pages"], (saw["total"].as_u64().unwrap().div_ceil(2)));
    assert_eq!(saw["refusal"], "OperationOutcome");
    demo.stop();
}
