//! What comes from outside, and nobody thought of: no input makes a parser panic, hang or break its
//! laws. The corpus is tried by every run, and some mutations of it; `FUZZ_SECONDS=900` tries each
//! target for a quarter of an hour.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::write::GzEncoder;
use reqwest::StatusCode;
use serde_json::{Value, json};
use throughline::Error;
use throughline::config::Sources;
use throughline::exchange::ingest::{Layout, Sent, Told, Verdict};
use throughline::fhir::search::ValueSets;
use throughline::fhir::search::parse::{self, Setting};
use throughline::fhir::search::{Query, param};
use throughline::mapping::{MapSet, Scratch};
use throughline::policy::{Action, Permit, Principal};
use throughline::store::Store;
use url::form_urlencoded;

use crate::support::desk::{Desk, rules};
use crate::support::mutate::fuzz;
use crate::support::platform::{Push, SECRET, secret};
use crate::support::server::{Server, TENANT, spawn, spawn_with};

/// Parts of searches.
const SEARCH: &[&str] = &[
    "Encounter?",
    "Patient?",
    "Observation?",
    "Practitioner?",
    "&",
    "=",
    ",",
    "|",
    ":",
    ".",
    "\\,",
    "%2C",
    "%00",
    "%F0%9F%98%80",
    "patient=",
    "subject:Patient.name=",
    "patient.",
    "_has:",
    "_has:Encounter:patient:",
    "_id=",
    "status=",
    ":not",
    ":missing=true",
    ":missing=false",
    ":exact",
    ":contains",
    ":text=",
    ":identifier=",
    "_sort=",
    "_sort=-date,status",
    "_count=",
    "_count=0",
    "_total=accurate",
    "_total=none",
    "_summary=count",
    "_lastUpdated=",
    "_tag=",
    "_security=",
    "_profile=",
    "_include=Encounter:subject",
    "_include:iterate=*",
    "_include=*",
    "_revinclude=Observation:patient",
    "_elements=id",
    "_page=",
    "name=",
    "birthdate=",
    "date=",
    "value-quantity=",
    "code=",
    "ge",
    "lt",
    "ne",
    "ap",
    "sa",
    "eb",
    "2026",
    "2026-03-01",
    "2026-03-01T10:00:00Z",
    "2026-03-01T10:00:00.123456789+14:00",
    "9999-12-31",
    "0001-01-01",
    "5.40e-3",
    "1e308",
    "-1e400",
    "http://loinc.org|44261-6",
    "Patient/a",
    "http://x.example/Patient/a",
    "finished",
    "_text=x",
    "_content=x",
    "_filter=x",
    "-",
    "+",
    "%",
    "*",
];
/// Parts of expressions.
const PATH: &[&str] = &[
    "started_at",
    "ended_at",
    "status",
    "modality",
    "billing",
    "billing.cpt",
    "face_to_face_s",
    "$this",
    "%data",
    ".exists()",
    ".empty()",
    ".not()",
    ".count()",
    ".first()",
    ".last()",
    ".where(",
    ".all(",
    ".hasValue()",
    ".startsWith(",
    ".endsWith(",
    ".contains(",
    ".length()",
    ".lower()",
    ".upper()",
    ".substring(",
    ".toString()",
    "iif(",
    "(",
    ")",
    "{}",
    "'x'",
    "''",
    "'\\u00e9'",
    "'\\''",
    "1",
    "-1",
    "0.5",
    "99999999999999999999",
    "true",
    "false",
    "@2026-11-01",
    "@2026-11-01T01:30:00-04:00",
    "@T10:00",
    " = ",
    " != ",
    " < ",
    " <= ",
    " > ",
    " >= ",
    " and ",
    " or ",
    " xor ",
    " implies ",
    " in ",
    " contains ",
    " | ",
    " & ",
    " + ",
    " ~ ",
    " div ",
    " is ",
    ".",
    ",",
    "`",
    "\"",
    "/*",
    "*/",
    "//",
    "->",
    ";",
    "é",
    "\u{1f600}",
];
/// Parts of records.
const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\udc00",
    "\\/",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1e5",
    "1E+400",
    "0.1",
    "1.",
    ".5",
    "01",
    "18446744073709551616",
    "\"kind\":\"client\"",
    "\"kind\":\"session_note\"",
    "\"version\":2",
    "\"op\":\"void\"",
    "\"op\":\"merge\"",
    "\"data\":{}",
    "\"data\":null",
    "\"tenant_id\":\"hv\"",
    "\"id\":\"\"",
    "\"client_ids\":[\"cl_7\"]",
    "\"labels\":[]",
    "\"tz\":\"America/Denver\"",
    "\"__proto__\":{}",
    "\"updated_at\":\"2026-10-01T17:03:11.004Z\"",
    "\u{feff}",
    "\u{200b}",
    "é",
    "\u{1f600}",
    "\t",
    " ",
    "\u{0}",
    "\u{7f}",
    "\"class\":\"psychotherapy\"",
    "\"part2\":true",
];

fn permit(name: &'static str) -> Permit {
    let principal = Principal::new(TENANT.parse().unwrap(), "fuzz", "system/*.rs");
    Permit::decide(&Arc::new(principal), Action::Search, name).unwrap()
}

/// A few resources that refer to each other.
fn practice() -> Server {
    let server = spawn();
    let meta =
        |day: u32| json!({"versionId": "1", "lastUpdated": format!("2026-11-{day:02}T10:00:00Z")});
    let patient = |id: &str, day| {
        json!({"resourceType": "Patient", "id": id, "meta": meta(day), "active": true,
               "name": [{"family": "Šimić", "given": ["Amara", "é"]}], "birthDate": "1985-04",
               "identifier": [{"system": "urn:mr", "value": id}]})
    };
    let encounter = |id: &str, day, patient: &str, status: &str| {
        json!({"resourceType": "Encounter", "id": id, "meta": meta(day), "status": status,
               "class": {"system": "urn:class", "code": "VR"},
               "type": [{"coding": [{"system": "urn:cpt", "code": "90837", "display": "Long"}]}],
               "subject": {"reference": format!("Patient/{patient}")},
               "participant": [{"individual": {"reference": "Practitioner/d"}}],
               "period": {"start": format!("2026-03-{day:02}T10:00:00Z")}})
    };
    let observation = |id: &str, day, value: f64| {
        json!({"resourceType": "Observation", "id": id, "meta": meta(day), "status": "final",
               "code": {"coding": [{"system": "http://loinc.org", "code": "44261-6"}]},
               "subject": {"reference": "Patient/a"}, "encounter": {"reference": "Encounter/e1"},
               "valueQuantity": {"value": value, "unit": "points", "code": "{score}"}})
    };
    server.store(
        TENANT,
        "1",
        &[
            patient("a", 1),
            patient("b", 2),
            encounter("e1", 1, "a", "finished"),
            encounter("e2", 1, "a", "planned"),
            encounter("e3", 3, "b", "finished"),
            encounter("e4", 4, "b", "cancelled"),
            observation("o1", 5, 11.0),
            observation("o2", 5, 0.004),
            json!({"resourceType": "Practitioner", "id": "d", "meta": meta(1),
                   "name": [{"family": "Reyes"}]}),
        ],
    );
    server
}

#[test]
fn a_search_is_understood_or_refused_and_its_pages_are_the_whole() {
    let server = practice();
    fuzz("search", SEARCH, |input| {
        let text = String::from_utf8_lossy(input);
        let (name, query) = text.split_once('?').unwrap_or(("Patient", &text));
        let Some(resource_type) = param::search_type(name) else { return "no type".into() };
        let parameters: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let setting = Setting {
            resource_type,
            base: &server.base,
            value_sets: &ValueSets::default(),
            lenient: query.len() % 2 == 0,
        };
        let search = match parse::parse(setting, parameters) {
            Ok(search) => search,
            Err(Error::Invalid { hint, .. } | Error::NotSupported { hint, .. }) => return hint,
            Err(other) => panic!("{other:?}"),
        };
        let again = parse::parse(setting, search.understood.clone()).unwrap();
        assert_eq!(format!("{:?}", again.query), format!("{:?}", search.query), "read alike");
        assert_eq!((again.understood, again.ignored.len()), (search.understood, 0));
        pages(server.app.store(), resource_type.name, &search.query)
    });
}

/// Follows a result page by page; what is on them is what one page has, once each.
fn pages(store: &dyn Store, name: &'static str, query: &Query) -> String {
    let whole = Query { count: 100, ..query.clone() };
    let found = store.search(&permit(name), &whole).unwrap();
    assert!(found.next.is_none(), "there are few");
    let ids = |page: &throughline::store::Page| -> Vec<String> {
        page.matches.iter().map(|found| found.id.as_str().to_owned()).collect()
    };
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let query = Query { count: 2, after, ..query.clone() };
        let page = store.search(&permit(name), &query).unwrap();
        assert!(page.matches.len() <= 2);
        all.extend(ids(&page));
        assert!(all.len() <= 100, "it ends");
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(all, ids(&found));
    if let Some(total) = found.total {
        assert_eq!(total, found.matches.len() as u64);
    }
    let conditions: Vec<String> = query
        .conditions
        .iter()
        .map(|condition| format!("{condition:?}").split([' ', '(']).next().unwrap().to_owned())
        .collect();
    format!("{name} {conditions:?} {} {:?} {}", query.sort.len(), found.total, found.included.len())
}

/// The folder of a map that can be made anew with another condition.
struct Maps {
    folder: tempfile::TempDir,
    text: String,
}

impl Maps {
    const MAP: &str = "outbound/session-log-encounter.fml";

    fn new() -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/maps");
        let folder = tempfile::tempdir().unwrap();
        for part in ["codes", "models", "outbound", "outbound/shared"] {
            fs::create_dir(folder.path().join(part)).unwrap();
            for entry in fs::read_dir(from.join(part)).unwrap() {
                let file = entry.unwrap();
                let is_other = file.file_name().to_string_lossy().contains("note");
                if file.path().is_file() && !is_other {
                    fs::copy(file.path(), folder.path().join(part).join(file.file_name())).unwrap();
                }
            }
        }
        let text = fs::read_to_string(folder.path().join(Self::MAP)).unwrap();
        Self { folder, text }
    }

    /// The set with this expression as a condition.
    fn load(&self, expression: &str) -> Result<MapSet, String> {
        let condition = "where started_at.exists()";
        assert!(self.text.contains(condition));
        let text = self.text.replacen(condition, &format!("where ({expression})"), 1);
        fs::write(self.folder.path().join(Self::MAP), text).unwrap();
        MapSet::load(self.folder.path()).map_err(|found| {
            assert!(!found.is_empty(), "a refusal has a reason");
            found.iter().map(|found| found.code).collect::<Vec<_>>().join(" ")
        })
    }
}

#[test]
fn an_expression_is_compiled_or_diagnosed_and_gives_the_same_each_time() {
    let maps = Maps::new();
    let case = "tests/maps/tests/session-log-encounter/clock_change.in.json";
    let view = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(case)).unwrap();
    fuzz("path", PATH, |input| {
        let set = match maps.load(&String::from_utf8_lossy(input)) {
            Ok(set) => set,
            Err(codes) => return codes,
        };
        let run = || {
            let mut out = Vec::new();
            let done = set.run("session-log-encounter", &view, &mut Scratch::default(), &mut out);
            (done, out)
        };
        let (done, out) = run();
        assert_eq!((&done, &out), (&run().0, &run().1));
        match done {
            Ok(outcome) => {
                let resource: Value = serde_json::from_slice(&out).unwrap();
                format!("{} {}", resource["period"].is_object(), outcome.losses.len())
            }
            Err(refusal) => refusal.code.to_owned(),
        }
    });
}

/// Offers bytes to a store that is left as it was.
fn offer(desk: &Desk<'_>, input: &[u8], layout: Layout) -> Vec<Told> {
    let source = throughline::domain::SourceId {
        tenant: "hv".parse().unwrap(),
        name: "app".parse().unwrap(),
    };
    let mut sent = Sent::new(input, layout, source, "fuzz".into());
    let mut told = Vec::new();
    let mut write = desk.store.write().unwrap();
    loop {
        let batch = desk.ingest().read(&mut sent).unwrap();
        if batch.is_empty() {
            return told;
        }
        desk.ingest().put(&mut *write, batch, &mut told).unwrap();
    }
}

#[test]
fn a_record_is_taken_or_kept_aside_and_what_is_no_json_is_never_taken() {
    let rules = rules();
    let desk = Desk::new(&rules);
    fuzz("json", JSON, |input| {
        let mut line: Vec<u8> = input.to_vec();
        line.retain(|byte| *byte != b'\n');
        let told = offer(&desk, &line, Layout::Lines);
        let bare = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line);
        let is_blank = bare.iter().all(u8::is_ascii_whitespace);
        assert_eq!(told.len(), usize::from(!is_blank), "each line is answered once");
        assert_eq!(told, offer(&desk, &line, Layout::Lines), "the same twice");
        if let Some(told) = told.first()
            && serde_json::from_slice::<Value>(bare).is_err()
        {
            assert_eq!(told.outcome, Verdict::Quarantined, "it is no JSON");
        }
        offer(&desk, &line, Layout::Array);
        told.first().map_or_else(String::new, result)
    });
}

/// What became of a record, without positions in lists.
fn result(told: &Told) -> String {
    let pointer = told.pointer.as_deref().unwrap_or_default();
    assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer} is a JSON pointer");
    let shape: String = pointer.chars().filter(|c| !c.is_ascii_digit()).take(40).collect();
    format!("{:?} {:?} {shape}", told.outcome, told.reason)
}

#[test]
fn a_pushed_body_is_answered_line_by_line_or_refused_and_again_the_same() {
    let server =
        spawn_with(|data| Sources::of_one_sender("app", "hv", secret(data, "app-secret", SECRET)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    fuzz("push", JSON, |input| {
        let mut push = Push::text(input);
        // One in three comes packed, and one in three of these is broken.
        if input.len() % 3 == 0 {
            push.coding = "gzip";
            if input.len() % 9 != 0 {
                let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(input).unwrap();
                push.body = packed.finish().unwrap();
            }
        }
        let answer = runtime.block_on(push.send(&server));
        let again = runtime.block_on(push.send(&server));
        assert_eq!((answer.status, &answer.text), (again.status, &again.text));
        if !matches!(answer.status, StatusCode::OK | StatusCode::MULTI_STATUS) {
            assert!(answer.status.is_client_error(), "{}", answer.status);
            let (status, code, text) = answer.refusal();
            return format!("{status} {code} {text}");
        }
        let report = answer.json();
        let lines = report["lines"].as_array().unwrap();
        if push.coding == "identity" || input.len() % 9 != 0 {
            let text = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input);
            let filled = text.split(|byte| *byte == b'\n');
            let filled = filled.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
            assert_eq!(lines.len(), filled.count(), "each line is answered once");
        }
        assert_eq!(report["records"], lines.len());
        let told = |line: &Value| format!("{} {}", line["outcome"], line["reason"]);
        lines.iter().map(told).collect::<Vec<_>>().join(",")
    });
}
