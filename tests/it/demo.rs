//! The demo as a newcomer runs it: the command, what it prints, and what is pasted from it.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::demo::{Demo, run};

fn pasted(command: &str) -> Value {
    let output = Command::new("sh").arg("-c").arg(command).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_three_commands_that_the_demo_prints_work_when_they_are_pasted() {
    let mut demo = Demo::start(&[]);
    let said = demo.until("Ctrl-C");
    let after = |start: &str| {
        let place = said.iter().position(|line| line.trim().starts_with(start)).unwrap();
        said[place + 1].trim().to_owned()
    };
    let read = pasted(&after("# read"));
    assert_eq!(read["resourceType"], "Encounter");
    let found = pasted(&after("# search"));
    assert!(found["total"].as_u64().unwrap() > 0, "{found}");
    let modes: Vec<&Value> =
        found["entry"].as_array().unwrap().iter().map(|entry| &entry["search"]["mode"]).collect();
    assert!(modes.iter().any(|mode| *mode == "include"), "{modes:?}");

    let edit = after("# change").replace("sleep 5", "sleep 0");
    pasted(&edit);
    let reloaded = demo.until("mappings");
    assert!(reloaded.last().unwrap().starts_with("mappings reloaded: "), "{reloaded:?}");
    let curl = edit.split("&& ").last().unwrap();
    assert_eq!(pasted(curl)["entry"][0]["resource"]["name"], "Team around the client");

    let map = demo.folder.path().join("mappings/outbound/client-care-team.fml");
    let text = fs::read_to_string(&map).unwrap();
    fs::write(&map, text.replace("team.name", "team.nome")).unwrap();
    let kept = demo.until("mappings");
    let kept = kept.last().unwrap();
    assert!(kept.starts_with("mappings not reloaded, still serving the old set: "), "{kept}");
    assert_eq!(pasted(curl)["entry"][0]["resource"]["name"], "Team around the client");
    demo.stop();
}

/// The profiles that the resources of a type claim.
fn claimed(curl: &str, base: &str, resource_type: &str) -> BTreeSet<String> {
    let bundle = pasted(&format!("{curl} '{base}/{resource_type}?_count=1000'"));
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let profiles = entries.iter().flat_map(|entry| strings(&entry["resource"]["meta"]["profile"]));
    profiles.collect()
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_capability_statement_names_the_profiles_that_resources_claim() {
    let mut demo = Demo::start(&[]);
    let said = demo.until("Ctrl-C");
    let base = said.iter().find_map(|line| line.trim().strip_prefix("FHIR base")).unwrap().trim();
    let curl = said.iter().find(|line| line.trim().starts_with("curl")).unwrap();
    let curl = curl.split(" '").next().unwrap();
    let statement = pasted(&format!("curl -sS {base}/metadata"));
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let resource_type = resource["type"].as_str().unwrap();
        if resource["searchParam"].is_array() {
            let named: BTreeSet<String> =
                strings(&resource["supportedProfile"]).into_iter().collect();
            assert_eq!(named, claimed(curl, base, resource_type), "{resource_type}");
        }
    }
    demo.stop();
}

#[test]
fn a_result_that_was_not_accepted_holds_a_reload_back_where_that_is_asked_for() {
    let mut demo = Demo::start(&["--hold-back"]);
    let said = demo.until("Ctrl-C");
    let edit = said.iter().find(|line| line.trim().starts_with("sed")).unwrap();
    let served = pasted(&edit.replace("sleep 5", "sleep 0"));
    assert_eq!(served["entry"][0]["resource"]["name"], "Care team");
    let kept = demo.until("mappings").pop().unwrap();
    assert!(kept.starts_with("mappings not reloaded, still serving the old set: "), "{kept}");
    demo.stop();
}

#[test]
fn a_demo_that_cannot_start_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fs::write(folder.path().join("file"), "").unwrap();
    let below_a_file = folder.path().join("file/data");
    let data = folder.path().join("data");
    let cases: [(&[&str], &Path, &str); 5] = [
        (&["demo", "--port", &port], &data, "is in use: give another one with --port"),
        (&["demo", "--port", "0", "--address", "0.0.0.0"], &data, "on loopback only"),
        (&["demo", "--port", "0"], &below_a_file, "give one you can write with --data"),
        (&["demo", "--port", "0", "--mappings", "/nowhere"], &data, "--mappings"),
        (&["demo", "--port", "0", "--fixtures", "/nowhere"], &data, "--fixtures"),
    ];
    for (arguments, data, expected) in cases {
        let output = run(arguments, data);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_data_folder_has_one_server_and_whatever_else_works_beside_it() {
    let mut demo = Demo::start(&[]);
    demo.until("Ctrl-C");
    let data = demo.folder.path().join("data");
    let second = run(&["demo", "--port", "0"], &data);
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert!(complaint.contains("serves from the data folder"), "{complaint}");
    assert!(complaint.contains("--data"), "{complaint}");
    assert_eq!(second.status.code(), Some(2));
    assert!(run(&["token"], &data).status.success());
    assert!(run(&["ingest", "fixtures/practice"], &data).status.success());
    demo.stop();
    let mut next = Demo::start_beside(&data, &[]);
    next.until("Ctrl-C");
    next.stop();
}

#[test]
fn the_token_command_prints_a_token_alone_on_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["token"], folder.path());
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert_eq!(text.trim_end().split('.').count(), 3);
    assert!(output.stderr.is_empty());
}
