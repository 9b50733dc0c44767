//! A copy of a record as an archive, as somebody with the command line makes it.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use throughline::auth::{Keys, Notary, Tokens};
use throughline::clock::SystemClock;
use throughline::domain::Kind;
use throughline::policy::notice;

use crate::support::browser::drive;
use crate::support::demo::run;

/// Clients of the fixtures: twelve sessions; Spanish; Arabic; emoji; a Part 2 program.
const ELENA: &str = "cl_1";
const JOSE: &str = "cl_60";
const LAYLA: &str = "cl_61";
const SHIV: &str = "cl_62";

/// The demo's records in a data folder.
struct Practice {
    data: tempfile::TempDir,
    keys: Keys,
}

type Files = BTreeMap<String, Vec<u8>>;

impl Practice {
    fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let families = ["practice", "solo-cbt", "languages", "part2", "psychotherapy"];
        let families: Vec<String> =
            families.map(|name| fixtures.join(name).display().to_string()).to_vec();
        let arguments: Vec<&str> =
            std::iter::once("ingest").chain(families.iter().map(String::as_str)).collect();
        let output = run(&arguments, data.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let keys = Keys::open(data.path()).unwrap();
        Self { data, keys }
    }

    fn patient(&self, client: &str) -> String {
        let tenant = "hv".parse().unwrap();
        self.keys.id_key().tenant(&tenant).id(Kind::Client, client).to_string()
    }

    fn out(&self, name: &str) -> PathBuf {
        self.data.path().join(name)
    }

    /// The files of a copy.
    fn copy(&self, client: &str, more: &[&str]) -> Files {
        let (patient, out) = (self.patient(client), self.out("copy.zip"));
        let arguments = ["package", "--patient", &patient, "--out", out.to_str().unwrap()];
        let output = run(&[&arguments, more].concat(), self.data.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        unpack(&std::fs::read(out).unwrap())
    }
}

fn unpack(zip: &[u8]) -> Files {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    (0..archive.len())
        .map(|number| {
            let mut file = archive.by_index(number).unwrap();
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn parsed(files: &Files, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// Every reference of a Bundle's entries, and every name that one may have.
fn references(bundle: &Value) -> (Vec<String>, Vec<String>) {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("reference") {
                    found.push(target.split("/_history/").next().unwrap().to_owned());
                }
                members.values().for_each(|value| walk(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(bundle, &mut found);
    let entries = bundle["entry"].as_array().unwrap();
    let names = entries.iter().map(|entry| {
        let resource = &entry["resource"];
        let name = format!(
            "{}/{}",
            resource["resourceType"].as_str().unwrap(),
            resource["id"].as_str().unwrap()
        );
        assert!(entry["fullUrl"].as_str().unwrap().ends_with(&name));
        name
    });
    (found, names.collect())
}

#[test]
fn the_list_names_every_file_with_its_hash_and_is_signed() {
    let practice = Practice::open();
    let files = practice.copy(ELENA, &[]);
    let manifest = parsed(&files, "manifest.json");
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, files.len());
    for file in listed {
        let bytes = &files[file["path"].as_str().unwrap()];
        assert_eq!(file["sha256"], hex::encode(digest(&SHA256, bytes)), "{file}");
        assert_eq!(file["bytes"], bytes.len());
    }
    for (resource_type, count) in manifest["resources"].as_object().unwrap() {
        let lines = &files[&format!("ndjson/{resource_type}.ndjson")];
        let lines = std::str::from_utf8(lines).unwrap().lines().count();
        assert_eq!(u64::try_from(lines).ok(), count.as_u64());
    }
    let signature = std::fs::read_to_string(practice.out("copy.zip.jws")).unwrap();
    let notary = Notary::new(&practice.keys).unwrap();
    let kind = "throughline-package+jws";
    assert!(notary.is_signed(kind, &files["manifest.json"], &signature));
    assert!(!notary.is_signed(kind, &files["README.txt"], &signature));
}

#[test]
fn documents_and_collections_hold_what_they_refer_to() {
    let practice = Practice::open();
    for client in [ELENA, LAYLA] {
        let files = practice.copy(client, &[]);
        for name in ["document.json", "bundle.json"] {
            let bundle = parsed(&files, name);
            let (found, names) = references(&bundle);
            for target in &found {
                assert!(names.contains(target), "{name}: {target}");
            }
            assert!(names.len() > 10);
        }
        let document = parsed(&files, "document.json");
        let composition = &document["entry"][0]["resource"];
        assert_eq!(document["type"], "document");
        assert_eq!(composition["resourceType"], "Composition");
        assert_eq!(composition["type"]["coding"][0]["code"], "18761-7");
        for section in composition["section"].as_array().unwrap() {
            let is_empty = section["entry"].is_null();
            assert_eq!(is_empty, !section["emptyReason"].is_null(), "{}", section["title"]);
            assert_ne!(section["emptyReason"]["coding"][0]["code"], "withheld");
        }
    }
}

#[test]
fn the_page_and_the_pdf_say_the_same_in_both_languages() {
    let practice = Practice::open();
    for (client, more, language, words) in [
        (ELENA, &[][..], "en", ["PHQ-9", "Behavioural activation", "Marisol Ruiz"]),
        (JOSE, &[], "es", ["Núñez", "Duelo en curso", "Cuestionarios"]),
        (LAYLA, &["--language", "en", "--sheet", "a4"], "en", ["Layla", "PHQ-9", "Sessions"]),
        (SHIV, &[], "en", ["Nguyễn", "no phone after 22:00", "Messages"]),
    ] {
        let files = practice.copy(client, more);
        let page = String::from_utf8(files["human/index.html"].clone()).unwrap();
        let saved = practice.out("index.html");
        std::fs::write(&saved, &page).unwrap();
        let url = format!("file://{}", saved.display());
        let saw = drive("record.mjs", &json!({ "page": url, "name": format!("record-{client}") }));
        assert_eq!(saw["language"], language);
        assert_eq!((&saw["scripts"], &saw["links"]), (&json!(0), &json!(0)));
        let pdf = look(&practice, &files["record.pdf"]);
        assert_eq!(pdf["language"], language);
        assert_eq!(pdf["title"], saw["title"]);
        for flag in ["marked", "showsTitle", "pdfua"] {
            assert_eq!(pdf[flag], true, "{flag}");
        }
        assert_eq!((&pdf["scripts"], &pdf["problems"]), (&json!(false), &json!([])));
        for tag in ["H1", "H2", "P", "Table", "TR", "TH", "TD", "L", "LI"] {
            assert!(pdf["tags"][tag].as_u64().unwrap() > 0, "{tag}");
        }
        assert_eq!(pdf["tags"]["H1"], 1);
        let said = pdf["text"].as_str().unwrap();
        for word in words {
            assert!(said.contains(word), "the PDF of {client} does not say {word}");
            assert!(page.contains(word), "the page of {client} does not say {word}");
        }
    }
}

/// What an independent reader finds in a PDF.
fn look(practice: &Practice, pdf: &[u8]) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = root.join(".tools/python/bin/python");
    assert!(python.exists(), "{} is missing: tests/run installs it", python.display());
    let file = practice.out("record.pdf");
    std::fs::write(&file, pdf).unwrap();
    let output = Command::new(python).arg(root.join("tests/pdf.py")).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_notice_of_part_2_goes_with_part_2_records_and_with_no_others() {
    let practice = Practice::open();
    let collapsed = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (client, has) in [("cl_40", true), (ELENA, false)] {
        let files = practice.copy(client, &["--language", "en"]);
        for name in ["document.json", "human/index.html", "README.txt", "manifest.json"] {
            let said = collapsed(&files[name]).contains(notice::STATEMENT);
            assert_eq!(said, has, "{client} {name}");
        }
        let pdf = look(&practice, &files["record.pdf"]);
        let said = collapsed(pdf["text"].as_str().unwrap().as_bytes());
        assert_eq!(said.contains(notice::STATEMENT), has, "{client} record.pdf");
    }
}

#[test]
fn a_transfer_holds_what_consent_gives_to_the_receiver_and_the_audit_tells_of_it() {
    let practice = Practice::open();
    let (patient, out) = (practice.patient(ELENA), practice.out("transfer.zip"));
    let arguments = ["package", "--patient", &patient, "--out", out.to_str().unwrap()];
    let to = |client: &'static str| {
        let more = ["--purpose", "transfer", "--to", client, "--reason", "Moves to Boulder"];
        run(&[&arguments[..], &more].concat(), practice.data.path())
    };
    let refused = to("nobody");
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stdout));
    assert!(!out.exists());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no such patient"));
    let alone = run(&[&arguments[..], &["--purpose", "transfer"]].concat(), practice.data.path());
    assert_eq!(alone.status.code(), Some(2), "without a receiver there is no consent to look at");
    let done = to("ehr-frfm");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let files = unpack(&std::fs::read(&out).unwrap());
    assert!(!files.contains_key("ndjson/Communication.ndjson"), "the consent names no messages");
    let document = parsed(&files, "document.json");
    let section = &document["entry"][0]["resource"]["section"][0];
    assert_eq!(section["code"]["coding"][0]["code"], "42349-1");
    assert!(section["text"]["div"].as_str().unwrap().contains("Moves to Boulder"));
    let arguments = ["audit", "disclosures", "--tenant", "hv", "--patient", &patient, "--all"];
    let told = run(&arguments, practice.data.path());
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("ehr-frfm"), "{told}");
}

#[test]
fn nobody_gets_a_copy_of_a_record_that_is_not_there() {
    let practice = Practice::open();
    let out = practice.out("none.zip");
    let none = ["package", "--patient", "none", "--out", out.to_str().unwrap()];
    let output = run(&none, practice.data.path());
    assert_eq!(output.status.code(), Some(2));
    assert!(!out.exists());
}

#[test]
fn an_archive_is_checked_by_the_published_keys_without_the_installation() {
    let practice = Practice::open();
    practice.copy(ELENA, &[]);
    let keys = practice.out("keys.json");
    let tokens = Tokens::new(&practice.keys, std::sync::Arc::new(SystemClock));
    let set = serde_json::to_string(&tokens.unwrap().key_set()).unwrap();
    assert!(!set.contains("\"d\""), "public halves alone");
    std::fs::write(&keys, &set).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let verify = |archive: &str, keys: &std::path::Path| {
        let (archive, keys) = (practice.out(archive), keys.to_str().unwrap().to_owned());
        let arguments = ["package", "verify", archive.to_str().unwrap(), "--jwks", &keys];
        let output = run(&arguments, elsewhere.path());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, said) = verify("copy.zip", &keys);
    assert!(code == Some(0) && said.contains("as it was made"), "{said}");
    // Another key; another archive under the same signature; a changed file; a cut one.
    let other = practice.out("other.json");
    let foreign = Keys::open(elsewhere.path()).unwrap();
    let tokens = Tokens::new(&foreign, std::sync::Arc::new(SystemClock));
    std::fs::write(&other, serde_json::to_string(&tokens.unwrap().key_set()).unwrap()).unwrap();
    let (code, said) = verify("copy.zip", &other);
    assert!(code == Some(1) && said.contains("NOT AS IT WAS MADE"), "{said}");
    let whole = std::fs::read(practice.out("copy.zip")).unwrap();
    let mut changed = whole.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0x55;
    std::fs::write(practice.out("changed.zip"), &changed).unwrap();
    std::fs::copy(practice.out("copy.zip.jws"), practice.out("changed.zip.jws")).unwrap();
    let (code, said) = verify("changed.zip", &keys);
    assert!(code == Some(1) && !said.contains("not_listed"), "{said}");
    std::fs::write(practice.out("cut.zip"), &whole[..whole.len() / 2]).unwrap();
    std::fs::copy(practice.out("copy.zip.jws"), practice.out("cut.zip.jws")).unwrap();
    assert_eq!(verify("cut.zip", &keys).0, Some(2), "it cannot be told");
    assert_eq!(verify("copy.zip", &practice.out("none.json")).0, Some(2));
}
