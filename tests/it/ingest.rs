//! Records from files: what is taken in, what waits in quarantine, and what is said about it.

use std::io::Write as _;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use throughline::store::Store;

use crate::support::desk::{
    Desk, about, appointment, client, diagnosis, note, practice, record, resources, rules, void,
};

fn reasons(desk: &Desk<'_>) -> Vec<(String, String)> {
    desk.quarantine().into_iter().map(|entry| (entry.reason, entry.pointer)).collect()
}

fn patient(desk: &Desk<'_>) -> Option<Value> {
    let all = resources(&desk.store, &["hv"]);
    let body = all.iter().find(|(key, _)| key.starts_with("hv Patient/"))?.1;
    Some(serde_json::from_str(body).unwrap())
}

#[test]
fn files_of_every_form_are_read_and_folders_in_order_of_names() {
    let (rules, folder) = (rules(), tempfile::tempdir().unwrap());
    let desk = Desk::new(&rules);
    let path = |name: &str| folder.path().join(name);
    let records = practice();
    std::fs::create_dir(path("a")).unwrap();
    std::fs::write(path("a/one.json"), records[0].to_string()).unwrap();
    std::fs::write(path("a/README.md"), "not records").unwrap();
    let array = serde_json::to_string_pretty(&records[1..]).unwrap();
    std::fs::write(path("two.json"), array).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    writeln!(packed, "{}", appointment(1, "booked")).unwrap();
    std::fs::write(path("z.ndjson.gz"), packed.finish().unwrap()).unwrap();
    let report = desk.ingest().files(&[folder.path().to_owned()], &mut |_| {}).unwrap();
    assert_eq!((report.files, report.needs_attention()), (3, false));
    assert_eq!(report.records.values().map(|counts| counts.stored).sum::<u64>(), 4);
    assert_eq!(report.resources.get("Appointment"), Some(&1));
}

#[test]
fn a_bad_line_waits_with_its_place_and_the_good_ones_beside_it_are_taken() {
    let rules = rules();
    let desk = Desk::new(&rules);
    let good = practice().iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let long = format!("{{\"x\":\"{}\"}}", "y".repeat(10 * 1024 * 1024));
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let text =
        format!("{good}\n{long}\n{deep}\n{{\"a\":1,\"a\":2}}\n{{\"a\":\"\\ud800\"}}\n{{\"a\":");
    let report = desk.take("mixed.ndjson", text);
    let expected = ["line_too_long", "too_deep", "duplicate_key", "lone_surrogate", "truncated"];
    let found: Vec<_> = reasons(&desk).into_iter().map(|(reason, _)| reason).collect();
    assert_eq!(found, expected);
    let lines: Vec<_> = desk.quarantine().iter().map(|entry| entry.origin.clone()).collect();
    assert!(lines[0].ends_with("mixed.ndjson:4") && lines[4].ends_with("mixed.ndjson:8"));
    assert_eq!(report.records["unreadable"].quarantined, 5);
    assert!(patient(&desk).is_some());
}

#[test]
fn a_gzip_file_that_was_cut_off_keeps_what_can_be_read() {
    let rules = rules();
    let desk = Desk::new(&rules);
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    let lines: Vec<String> = practice().iter().map(Value::to_string).collect();
    packed.write_all(lines.join("\n").as_bytes()).unwrap();
    let mut bytes = packed.finish().unwrap();
    bytes.truncate(bytes.len() - 60);
    let report = desk.take("cut.ndjson.gz", bytes);
    assert_eq!(report.quarantined.keys().collect::<Vec<_>>(), ["unreadable_file"]);
    assert_eq!(report.records["organization"].stored, 1);
}

#[test]
fn a_higher_version_replaces_and_a_lower_one_is_counted_as_older() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.records(&practice());
    desk.records(&[client(3, "Third")]);
    let report = desk.records(&[client(2, "Second"), client(3, "Third")]);
    let counts = report.records["client"];
    assert_eq!((counts.stored, counts.older, counts.unchanged), (0, 1, 1));
    let patient = patient(&desk).unwrap();
    assert_eq!(patient["name"][0]["family"], "Third");
    assert!(patient["meta"]["versionId"].as_str().unwrap().starts_with("3-"));
}

#[test]
fn two_contents_of_one_version_both_wait_and_the_version_before_is_served() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.records(&practice());
    desk.take("monday.ndjson", client(2, "Either").to_string());
    let report = desk.take("tuesday.ndjson", client(2, "Or").to_string());
    assert!(report.needs_attention());
    let entries = desk.quarantine();
    for (entry, file) in entries.iter().zip(["tuesday.ndjson:1", "monday.ndjson:1"]) {
        assert!(entry.origin.ends_with(file), "{} is where it came from", entry.origin);
    }
    assert!(entries.iter().all(|entry| entry.reason == "version_conflict"));
    assert_eq!(entries.len(), 2);
    assert_eq!(patient(&desk).unwrap()["name"][0]["family"], "Okafor");
    let replayed = desk.ingest().replay(None, &mut |_| {}).unwrap();
    assert!(replayed.needs_attention(), "a dispute does not go away by being offered again");
    desk.records(&[client(3, "Settled")]);
    assert!(!desk.ingest().replay(None, &mut |_| {}).unwrap().needs_attention());
    assert_eq!(
        (desk.quarantine().len(), patient(&desk).unwrap()["name"][0]["family"].clone()),
        (0, json!("Settled"))
    );
}

#[test]
fn a_change_of_a_neighbour_reaches_what_was_made_with_it() {
    let rules = rules();
    let desk = Desk::new(&rules);
    let organization = practice().remove(0);
    desk.records(&[diagnosis(1, "Panic disorder"), client(1, "Okafor"), organization]);
    let condition = |desk: &Desk<'_>| {
        let all = resources(&desk.store, &["hv"]);
        all.into_iter().find(|(key, _)| key.contains("Condition/")).unwrap().1
    };
    assert!(!condition(&desk).contains("Practitioner/"), "nobody knows the therapist yet");
    desk.records(&[practice().remove(1)]);
    assert!(condition(&desk).contains("Practitioner/"));
}

#[test]
fn isolated_notes_are_kept_and_nothing_else_is_known_of_them() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.records(&practice());
    let before = resources(&desk.store, &["hv"]);
    let report = desk.records(&[note(1, "psychotherapy", "ZZPSYNOTE")]);
    assert_eq!((report.records["session_note"].isolated, report.mapped), (1, 0));
    assert!(report.losses.is_empty());
    let mut broken = note(2, "psychotherapy", "ZZPSYNOTE");
    broken["data"]["separated"] = json!(false);
    desk.records(&[broken]);
    desk.take("cut.ndjson", r#"{"kind":"session_note","data":{"sections":[{"text":"ZZPSYNOTE"#);
    for entry in desk.quarantine() {
        let entry = desk.store.quarantined(entry.number).unwrap().unwrap();
        assert!(entry.isolated && !String::from_utf8_lossy(&entry.body).contains("ZZPSY"));
    }
    assert_eq!(desk.quarantine().len(), 2);
    assert_eq!(resources(&desk.store, &["hv"]), before);
}

#[test]
fn a_note_that_becomes_a_psychotherapy_note_leaves_the_general_plane() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.records(&practice());
    let before = resources(&desk.store, &["hv"]);
    desk.records(&[note(1, "progress", "text")]);
    desk.records(&[note(2, "psychotherapy", "text")]);
    assert_eq!(resources(&desk.store, &["hv"]), before);
    desk.records(&[note(1, "progress", "text")]);
    assert_eq!(resources(&desk.store, &["hv"]), before, "an older version does not bring it back");
}

#[test]
fn a_void_takes_back_whatever_came_first() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.records(&practice());
    desk.records(&[void(&appointment(1, "booked"), 2)]);
    desk.records(&[appointment(1, "booked")]);
    let all = resources(&desk.store, &["hv"]);
    let found: Vec<_> = all.iter().filter(|(key, _)| key.contains("Appointment/")).collect();
    assert!(found.iter().all(|(_, body)| body.contains("\"entered-in-error\"")), "{found:?}");
}

#[test]
fn what_is_not_mapped_is_kept_and_said_to_be() {
    let rules = rules();
    let desk = Desk::new(&rules);
    let hold = about(
        "cl_7",
        record(
            "legal_hold",
            "lh_1",
            1,
            json!({"client_id": "cl_7", "reason": "x", "from": "2026-05-01"}),
        ),
    );
    let report = desk.records(&[hold]);
    assert_eq!((report.records["legal_hold"].not_mapped, report.mapped), (1, 0));
}

#[test]
fn an_entry_can_be_replayed_once_its_cause_is_gone() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.take("cut.ndjson", r#"{"kind":"client","data":{"na"#);
    let again = desk.ingest().replay(None, &mut |_| {}).unwrap();
    assert_eq!(again.quarantined["truncated"], 1);
    assert_eq!(desk.quarantine().len(), 1, "it stays once, however often it is offered");
    desk.ingest().replay(Some(&[99]), &mut |_| {}).unwrap_err();
}

#[test]
fn reprojection_makes_the_same_resources_again() {
    let rules = rules();
    let desk = Desk::new(&rules);
    desk.records(&practice());
    let before = resources(&desk.store, &["hv"]);
    let report = desk.ingest().reproject(None, &mut |_| {}).unwrap();
    assert_eq!(report.mapped, 3);
    assert_eq!(resources(&desk.store, &["hv"]), before);
}

fn command(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_command_says_by_its_exit_code_whether_somebody_has_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let (code, text, _) = command(&["ingest", "fixtures/practice", "--data", &data]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Practitioner") && text.contains("not mapped"), "{text}");
    let hostile = "fixtures/hostile/duplicate-keys.ndjson";
    let (code, text, _) = command(&["ingest", hostile, "--data", &data, "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &report["quarantined"]["duplicate_key"]), (Some(1), &json!(2)));
    let (code, text, _) = command(&["quarantine", "list", "--data", &data]);
    assert!(code == Some(0) && text.contains("duplicate-keys.ndjson:2"), "{text}");
    let (_, text, _) = command(&["quarantine", "show", "1", "--data", &data]);
    assert!(text.contains("reason    duplicate_key"), "{text}");
}

#[test]
fn a_set_up_that_cannot_work_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let file = file.display().to_string();
    let cases: [(&[&str], &str); 4] = [
        (&["ingest", "nowhere.ndjson", "--data", &data], "cannot read nowhere.ndjson"),
        (&["ingest", &file, "--data", &data], "name it .ndjson"),
        (
            &["ingest", "fixtures/practice", "--data", &data, "--mappings", "nowhere"],
            "no mappings folder",
        ),
        (&["ingest", "fixtures/practice", "--data", &file], "data folder"),
    ];
    for (arguments, expected) in cases {
        let (code, _, error) = command(arguments);
        assert!(code == Some(2) && error.contains(expected), "{arguments:?}: {error}");
        assert_eq!(error.trim().lines().count(), 1, "{error}");
    }
}
