//! The mapping engine, driven as an integrator drives it: a folder of maps, and records.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use throughline::mapping::{Diagnostic, Exported, MapSet, Refusal, Scratch, Versions};

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/maps")
}

/// A copy of the example set that a test may change.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&example(), folder.path());
    folder
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn replace(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no `{from}`");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn errors(folder: &Path) -> Vec<Diagnostic> {
    MapSet::load(folder).err().unwrap_or_default()
}

fn view() -> Value {
    let path = example().join("tests/session-log-encounter/clock_change.in.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn run(set: &MapSet, view: &Value) -> Result<Value, Refusal> {
    let mut out = Vec::new();
    let input = view.to_string();
    set.run("session-log-encounter", input.as_bytes(), &mut Scratch::default(), &mut out)?;
    Ok(serde_json::from_slice(&out).unwrap())
}

const ENCOUNTER: &str = "outbound/session-log-encounter.fml";

#[test]
fn three_planted_faults_are_reported_in_one_run_with_line_column_and_caret() {
    let folder = copy();
    replace(folder.path(), ENCOUNTER, "d.minutes as v", "d.minuts as v");
    replace(folder.path(), ENCOUNTER, "period.start = v \"start\"", "period.begin = v \"start\"");
    replace(folder.path(), ENCOUNTER, "where started_at.exists()", "where startd_at.exists()");
    let texts: Vec<String> = errors(folder.path()).into_iter().map(|d| d.text).collect();
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn a_fault_is_told_once_and_two_in_a_rule_are_both_told() {
    let folder = copy();
    replace(folder.path(), ENCOUNTER, "e.length as length", "e.lenght as length");
    replace(
        folder.path(),
        ENCOUNTER,
        "e.status = translate(v, 'https",
        "e.state = translate(v, 'http",
    );
    let found = errors(folder.path());
    let told: Vec<(&str, &str)> = found.iter().map(|d| (d.code, d.message.as_str())).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for (code, of) in [("MAP102", "`lenght`"), ("MAP102", "`state`"), ("MAP201", "ConceptMap")] {
        let is_told = told.iter().any(|(known, text)| *known == code && text.contains(of));
        assert!(is_told, "{code} {of} in {told:?}");
    }
}

#[test]
fn a_code_of_the_model_without_an_entry_is_an_error_at_load() {
    let folder = copy();
    replace(folder.path(), "codes/session-status.json", "\"no_show\"", "\"noshow\"");
    let found = errors(folder.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, "MAP203");
    assert!(found[0].message.contains("`no_show`"));
}

#[test]
fn a_target_code_outside_the_required_value_set_is_an_error_at_load() {
    let folder = copy();
    replace(folder.path(), "codes/session-status.json", "\"finished\"", "\"done\"");
    assert_eq!(errors(folder.path())[0].code, "MAP112");
}

#[test]
fn a_required_element_that_no_rule_sets_is_an_error_at_load() {
    let folder = copy();
    replace(
        folder.path(),
        ENCOUNTER,
        "data.modality as v -> e.class",
        "data.modality as v -> e.serviceType as c, c.coding",
    );
    let found = errors(folder.path());
    assert_eq!((found.len(), found[0].code), (1, "MAP109"));
    assert!(found[0].message.contains("`class`"));
}

#[test]
fn what_the_engine_does_not_support_is_refused_by_name() {
    let folder = copy();
    replace(folder.path(), ENCOUNTER, "d.minutes as v ->", "d.minutes as v where (v ~ 2) ->");
    replace(folder.path(), ENCOUNTER, "= v \"id\"", "= uuid() \"id\"");
    replace(folder.path(), ENCOUNTER, "started_at.exists()", "started_at < now()");
    let texts: Vec<String> = errors(folder.path()).into_iter().map(|d| d.message).collect();
    for name in ["`~`", "`uuid`", "`now()`"] {
        assert!(texts.iter().any(|text| text.contains(name)), "{name} in {texts:?}");
    }
}

#[test]
fn the_goldens_of_the_example_and_of_the_product_pass() {
    for folder in [example(), Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")] {
        let set = MapSet::load(&folder).unwrap_or_else(|found| {
            let texts: Vec<String> = found.into_iter().map(|d| d.text).collect();
            panic!("{}", texts.join("\n\n"))
        });
        let failed: Vec<_> = set.test().cases.into_iter().filter(|c| c.problem.is_some()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}

#[test]
fn everything_the_goldens_give_keeps_to_the_r4_element_table() {
    for folder in [example(), Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")] {
        let Ok(set) = MapSet::load(&folder) else { panic!("see the test of the goldens") };
        let maps = fs::read_dir(folder.join("tests")).into_iter().flatten().flatten();
        let files = maps.flat_map(|map| fs::read_dir(map.path()).into_iter().flatten().flatten());
        for file in files.map(|file| file.path()) {
            if file.to_string_lossy().ends_with(".out.json") {
                let resource = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
                assert_eq!(set.elements().check(&resource), [], "{}", file.display());
            }
        }
    }
}

#[test]
fn a_changed_result_needs_a_new_version_of_the_map() {
    let folder = copy();
    replace(folder.path(), ENCOUNTER, "length.unit = 'min'", "length.unit = 'minutes'");
    let set = MapSet::load(folder.path()).ok().unwrap();
    assert!(set.test().failed() > 0);
    assert!(set.bless(Versions::Enforced).failed() > 0);
    replace(folder.path(), ENCOUNTER, "version = '1.0.0'", "version = '1.1.0'");
    let set = MapSet::load(folder.path()).ok().unwrap();
    assert_eq!(set.bless(Versions::Enforced).failed(), 0);
    assert_eq!(set.test().failed(), 0);
}

#[test]
fn the_hash_of_a_set_changes_with_any_of_its_files() {
    let folder = copy();
    let before = MapSet::load(folder.path()).ok().unwrap().hash().to_owned();
    assert_eq!(MapSet::load(folder.path()).ok().unwrap().hash(), before);
    replace(folder.path(), "codes/note-type.json", "Progress note", "Note of progress");
    assert_ne!(MapSet::load(folder.path()).ok().unwrap().hash(), before);
}

#[test]
fn a_record_that_gives_no_required_element_is_refused_with_its_rule_and_no_content() {
    let set = MapSet::load(&example()).ok().unwrap();
    let mut record = view();
    record["data"].as_object_mut().unwrap().remove("modality");
    let refusal = run(&set, &record).unwrap_err();
    assert_eq!(refusal.code, "MAP301");
    assert_eq!(
        refusal.map,
        "https://throughline.example/fhir/StructureMap/session-log-encounter|1.0.0"
    );
    assert!(refusal.rule.starts_with("outbound/session-log-encounter.fml:"), "{refusal:?}");
    record["data"]["modality"] = json!("video");
    record["derived"]["participants"][0]["start"] = json!("yesterday, says Amara");
    let refusal = run(&set, &record).unwrap_err();
    assert_eq!(refusal.code, "MAP303");
    assert_eq!(refusal.pointer.as_deref(), Some("/derived/participants/0/start"));
    assert!(!format!("{refusal:?}").contains("Amara"));
}

#[test]
fn strict_json_is_required_of_a_view() {
    let set = MapSet::load(&example()).ok().unwrap();
    let good = view().to_string();
    let deep = format!("{}{}", "[".repeat(80), "]".repeat(80));
    for bad in [
        good.replacen("\"version\":3", "\"version\":3,\"version\":3", 1),
        good.replacen("\"version\":3", "\"version\":03", 1),
        good.replacen("\"version\":3", "\"more\":\"\\ud800\"", 1),
        good.replacen("\"version\":3", &format!("\"more\":{deep}"), 1),
        format!("{good} {good}"),
        good.replacen('}', "", 1),
    ] {
        let mut out = b"before".to_vec();
        let result =
            set.run("session-log-encounter", bad.as_bytes(), &mut Scratch::default(), &mut out);
        assert_eq!(result.unwrap_err().code, "MAP302");
        assert_eq!(out, b"before");
    }
}

#[test]
fn an_exported_map_has_what_other_engines_need() {
    let set = MapSet::load(&example()).ok().unwrap();
    let exported = set.export();
    assert_eq!(exported.len(), 3 + 6 + 2);
    for file in &exported {
        assert!(file.resource["id"].is_string(), "{}", file.file_name);
    }
    let models = exported.iter().filter(|f| f.resource["resourceType"] == "StructureDefinition");
    for model in models {
        assert!(model.resource["snapshot"]["element"].as_array().unwrap().len() > 10);
    }
}

/// Writes the text of every map of a folder anew, as a file of the same name with another extension.
fn rewrite(folder: &Path, extension: &str, made: impl Fn(&str) -> String) {
    let mut folders = vec![folder.join("outbound")];
    while let Some(below) = folders.pop() {
        for path in fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == "fml") {
                let text = made(&fs::read_to_string(&path).unwrap());
                fs::remove_file(&path).unwrap();
                fs::write(path.with_extension(extension), text).unwrap();
            }
        }
    }
}

/// The StructureMap among what was exported that belongs to the map of this text.
fn exported(all: &[Exported], text: &str) -> String {
    let found = all.iter().find(|file| {
        let url = file.resource["url"].as_str().unwrap_or_default();
        file.resource["resourceType"] == "StructureMap" && text.contains(&format!("'{url}'"))
    });
    found.unwrap().resource.to_string()
}

#[test]
fn exported_structure_maps_are_read_again_and_give_the_same() {
    for folder in [example(), Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings")] {
        let work = tempfile::tempdir().unwrap();
        copy_folder(&folder, work.path());
        let before = MapSet::load(work.path()).ok().unwrap();
        let all = before.export();
        rewrite(work.path(), "json", |text| exported(&all, text));
        let after = MapSet::load(work.path()).unwrap_or_else(|found| panic!("{found:#?}"));
        assert_eq!(after.maps(), before.maps());
        let file = Path::new(after.about(before.maps()[0]).unwrap().file);
        assert_eq!(file.extension().unwrap(), "json");
        let failed: Vec<_> =
            after.test().cases.into_iter().filter(|case| case.problem.is_some()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
        // And as text that was made of them.
        let back = tempfile::tempdir().unwrap();
        copy_folder(&folder, back.path());
        rewrite(back.path(), "fml", |text| {
            throughline::mapping::text_of(exported(&all, text).as_bytes()).unwrap()
        });
        assert_eq!(MapSet::load(back.path()).ok().unwrap().test().failed(), 0);
    }
}

#[test]
fn a_foreign_structure_map_is_refused_by_name_where_it_goes_beyond_the_subset() {
    for (change, told) in [
        (r#"{"transform": "uuid"}"#, "`uuid`"),
        (
            r#"{"transform": "cc", "parameter": [{"valueString": "http://loinc.org"}, {"valueString": "1"}]}"#,
            "`cc`",
        ),
    ] {
        let folder = copy();
        let all = MapSet::load(folder.path()).ok().unwrap().export();
        rewrite(folder.path(), "json", |text| {
            let mut map: Value = serde_json::from_str(&exported(&all, text)).unwrap();
            let target = &mut map["group"][1]["rule"][0]["target"][0];
            if target.is_object() {
                let change: Value = serde_json::from_str(change).unwrap();
                target.as_object_mut().unwrap().remove("parameter");
                target.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            }
            map.to_string()
        });
        let found = errors(folder.path());
        assert!(found.iter().any(|d| d.message.contains(told)), "{found:#?}");
    }
}

#[test]
fn what_is_no_structure_map_is_an_error_that_names_the_file() {
    for text in [
        "[]",
        "{}",
        r#"{"resourceType": "Patient"}"#,
        r#"{"resourceType": "StructureMap", "group": [1]}"#,
    ] {
        let folder = copy();
        fs::write(folder.path().join("outbound/foreign.json"), text).unwrap();
        let found = errors(folder.path());
        assert!(
            found.iter().any(|d| d.text.contains("outbound/foreign.json")),
            "{text}: {found:#?}"
        );
        assert!(throughline::mapping::text_of(text.as_bytes()).is_err(), "{text}");
    }
}

/// The example map with a rule for `length`, and constants before its groups.
fn with_length(constants: &str, rule: &str) -> tempfile::TempDir {
    let folder = copy();
    let path = folder.path().join(ENCOUNTER);
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find("  d.minutes as v ->").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    let text = format!("{}{rule}{}", &text[..start], &text[end..]);
    fs::write(path, text.replacen("\ngroup ", &format!("\n{constants}\ngroup "), 1)).unwrap();
    folder
}

#[test]
fn constants_and_arithmetic_work_and_are_written_out_for_engines_without_them() {
    let constants = "let unit = 'h';\nlet system = 'http://unitsofmeasure.org';\nlet sixty = 60;";
    let rule = "  d.minutes as v where $this > %sixty - 59 -> e.length as length, length.value = (v / sixty), \
                length.unit = unit, length.system = system, length.code = append(unit) \"length\";";
    let folder = with_length(constants, rule);
    let set = MapSet::load(folder.path()).unwrap_or_else(|found| panic!("{found:#?}"));
    let mut record = view();
    record["derived"]["minutes"] = json!(50);
    let made = run(&set, &record).unwrap();
    let expected = json!({"value": 0.833_333_33, "unit": "h", "system": "http://unitsofmeasure.org", "code": "h"});
    assert_eq!(made["length"], expected);
    let text = fs::read_to_string(folder.path().join(ENCOUNTER)).unwrap();
    let all = set.export();
    let r4 = exported(&all, &text);
    assert!(!r4.contains("sixty") && r4.contains("/ 60"), "{r4}");
    rewrite(folder.path(), "json", |text| exported(&all, text));
    let again = MapSet::load(folder.path()).unwrap_or_else(|found| panic!("{found:#?}"));
    assert_eq!(run(&again, &record).unwrap(), made);
}

#[test]
fn a_constant_and_a_variable_of_one_name_are_refused() {
    let rule = "  d.minutes as sixty -> e.length as length, length.value = sixty;";
    let found = errors(with_length("let sixty = 60;", rule).path());
    assert!(found.iter().any(|d| d.message.contains("`sixty` is a constant")), "{found:#?}");
    let found = errors(with_length("let sixty = 6 * 10;", rule).path());
    assert!(found.iter().any(|d| d.message.contains("a computed constant")), "{found:#?}");
}

#[test]
fn a_group_that_extends_another_does_its_rules_first() {
    let call = "  d -> e.length as length then Hours(d, length) \"length\";";
    let groups = "group Unit(source d, target length : Duration) { d -> length.unit = 'min' \"unit\"; }\n\
                  group Minutes(source d, target length : Duration) extends Unit \
                  { d.minutes as v -> length.value = v \"value\"; }\n\
                  group Hours(source d, target length : Duration) extends Minutes \
                  { d.minutes as v where $this.toString().matches('^[0-9]+$') -> length.code = 'min' \"code\"; }\n";
    let folder = with_length("", call);
    let path = folder.path().join(ENCOUNTER);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{groups}")).unwrap();
    let set = MapSet::load(folder.path()).unwrap_or_else(|found| panic!("{found:#?}"));
    let mut record = view();
    record["derived"]["minutes"] = json!(50);
    assert_eq!(
        run(&set, &record).unwrap()["length"],
        json!({"value": 50, "unit": "min", "code": "min"})
    );
    let circular =
        groups.replace("length : Duration) { d -> ", "length : Duration) extends Hours { d -> ");
    fs::write(&path, format!("{text}\n{circular}")).unwrap();
    let found = errors(folder.path());
    assert!(found.iter().any(|d| d.message.contains("extends itself")), "{found:#?}");
}

/// Any JSON text for a display name, and any order of members.
fn text() -> impl Strategy<Value = String> {
    "[ -~\u{e9}\u{4e2d}\u{1f600}\n\t\"\\\\]{1,40}"
        .prop_filter("not blank", |t| !t.trim().is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_record_gives_the_same_bytes_whatever_the_order_of_members(
        reason in text(), minutes in 0_u16..600, reverse: bool
    ) {
        let set = MapSet::load(&example()).ok().unwrap();
        let mut record = view();
        record["derived"]["reasons"] = json!([reason]);
        record["derived"]["minutes"] = json!(minutes);
        let plain = record.to_string();
        let members: Vec<String> = record.as_object().unwrap().iter()
            .map(|(key, value)| format!("{}:{value}", json!(key))).collect();
        let ordered: Vec<&str> = if reverse {
            members.iter().rev().map(String::as_str).collect()
        } else {
            members.iter().map(String::as_str).collect()
        };
        let shuffled = format!("{{{}}}", ordered.join(" ,\n"));
        let mut scratch = Scratch::default();
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        set.run("session-log-encounter", plain.as_bytes(), &mut scratch, &mut a).unwrap();
        set.run("session-log-encounter", plain.as_bytes(), &mut scratch, &mut b).unwrap();
        set.run("session-log-encounter", shuffled.as_bytes(), &mut scratch, &mut c).unwrap();
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(&a, &c);
        let made: Value = serde_json::from_slice(&a).unwrap();
        prop_assert_eq!(&made["reasonCode"][0]["text"], &json!(reason));
        prop_assert_eq!(&made["length"]["value"], &json!(minutes));
    }
}
