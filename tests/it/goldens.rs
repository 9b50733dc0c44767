//! The goldens of the maps read as typed FHIR too, which is how an integrator's library reads them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn goldens() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/tests");
    let maps = fs::read_dir(folder).unwrap().map(|map| map.unwrap().path());
    let files = maps.flat_map(|map| fs::read_dir(map).unwrap()).map(|file| file.unwrap().path());
    let mut goldens: Vec<_> =
        files.filter(|file| file.to_string_lossy().ends_with(".out.json")).collect();
    goldens.sort();
    goldens
}

/// Whether some member has an extension in place of a value, which typed models refuse where the
/// element is required, though FHIR allows it.
fn has_absent_value(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| {
            let absent = name.strip_prefix('_').is_some_and(|name| !members.contains_key(name));
            absent || has_absent_value(value)
        }),
        Value::Array(items) => items.iter().any(has_absent_value),
        _ => false,
    }
}

#[test]
fn every_golden_is_a_typed_resource_of_its_own_type() {
    let goldens = goldens();
    assert!(goldens.len() > 50, "only {} goldens", goldens.len());
    for golden in goldens {
        let text = fs::read(&golden).unwrap();
        let json: Value = serde_json::from_slice(&text).unwrap();
        match fhir_codec::parse(&text) {
            Ok(resource) => {
                let written: Value =
                    serde_json::from_slice(&fhir_codec::encode(&resource).unwrap()).unwrap();
                assert_eq!(written["resourceType"], json["resourceType"], "{}", golden.display());
            }
            Err(error) => {
                assert!(has_absent_value(&json), "{}: {error}", golden.display());
            }
        }
    }
}
