//! Every secret of `fixtures/sentinel` carries a marker that starts with `ZZ`. None of them may
//! come out of the gateway, or lie anywhere but where this test says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Value as Column;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use throughline::config::{CacheSettings, LimitSettings};
use tracing_subscriber::fmt::MakeWriter;

use crate::cases::{text_of, urls};
use crate::gateway::{Gateway, Served};
use crate::support::redis::RedisServer;

/// The only columns that may hold a marker, and why.
const ALLOWED: &[(&str, &str)] = &[
    // The platform's record as it came: what maps are run over. No query of HTTP reads it.
    ("source", "body"),
    // The isolated plane.
    ("isolated_note", "body"),
    ("isolated_quarantine", "body"),
    // What could not be read, for the operator to look at and send again.
    ("quarantine", "body"),
    // Platform ids of records that a record names; never served.
    ("link", "to_id"),
];

/// Markers of the other client of the couple, which belong into that client's own resources, and
/// into no one else's.
const OWN: &[&str] = &["ZZPARTNERB", "ZZPARTNERBGIVEN", "ZZBONLY"];

/// Markers of the name that a client left behind: the practice's own people are shown it, in that
/// client's Patient alone.
const FORMER: &[&str] = &["ZZFORMERFAMILY", "ZZFORMERGIVEN"];

/// Where a former name may lie: in that Patient's bytes, and where the practice finds it.
const KEEPS_FORMER: &[&str] = &["table resource.body", "table history.body", "table text.exact"];

/// What shows that this test looks at the right things: each is served somewhere.
const VISIBLE: &[&str] = &["Visible progress.", "Visible message", "Ann", "12 Pine St"];

pub(crate) fn records() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sentinel/records.ndjson")
}

/// All markers of the fixture.
pub(crate) fn markers() -> BTreeSet<String> {
    let text = fs::read_to_string(records()).unwrap();
    let words = text.split(|c: char| !c.is_ascii_uppercase());
    words.filter(|word| word.len() > 3 && word.starts_with("ZZ")).map(str::to_owned).collect()
}

/// The log of this process, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that came out, by where it came from.
#[derive(Default)]
struct Out(BTreeMap<String, String>);

impl Out {
    fn add(&mut self, place: impl Into<String>, text: &str) {
        self.0.entry(place.into()).or_default().push_str(text);
    }

    /// The places with markers. The partner's own resources, and what they refer to, may hold the
    /// partner's; the tables hold everybody's. The Patient of whoever left a name behind may hold that.
    fn leaks(&self, markers: &BTreeSet<String>, partner: &str, renamed: &str) -> Vec<String> {
        let own_binaries: BTreeSet<String> = (self.0.values())
            .filter(|text| text.contains(partner))
            .filter_map(|text| text.lines().find_map(|line| serde_json::from_str(line).ok()))
            .flat_map(|resource: Value| urls(&resource))
            .collect();
        let leak = |(place, text): (&String, &String)| {
            let own = text.contains(partner)
                || place.starts_with("table ")
                || place.starts_with(partner)
                || own_binaries.contains(place);
            let found: Vec<_> = (markers.iter())
                .filter(|marker| !(own && OWN.contains(&marker.as_str())))
                .filter(|marker| {
                    let kept = place.starts_with(renamed) || KEEPS_FORMER.contains(&place.as_str());
                    !(kept && FORMER.contains(&marker.as_str()))
                })
                .filter(|marker| text.contains(marker.as_str()))
                .collect();
            (!found.is_empty()).then(|| format!("{place}: {found:?}"))
        };
        self.0.iter().filter_map(leak).collect()
    }
}

/// The partner's Patient and the other one, who left a name behind, and the check that no resource is
/// about both.
async fn partner(served: &Served) -> (String, String) {
    let patients = served.all("Patient").await;
    let (partners, others): (Vec<_>, Vec<_>) =
        patients.iter().partition(|patient| patient["name"][0]["family"] == "ZZPARTNERB");
    let reference = |patient: &Value| format!("Patient/{}", patient["id"].as_str().unwrap());
    let (partner, other) = (reference(partners[0]), reference(others[0]));
    for resource_type in served.types().await.iter().filter(|name| *name != "Binary") {
        for resource in served.all(resource_type).await {
            let text = resource.to_string();
            assert!(!(text.contains(&partner) && text.contains(&other)), "about both: {text}");
        }
    }
    assert!(served.get(&other).await.to_string().contains(FORMER[0]), "the practice keeps it");
    (partner, other)
}

#[tokio::test]
async fn no_marker_of_a_secret_comes_out_anywhere() {
    let log = Log::default();
    // The client of this test logs what it asks for; everything else is the product's.
    let quiet = "trace,reqwest=off,hyper=off,hyper_util=off";
    let subscriber =
        tracing_subscriber::fmt().with_writer(log.clone()).with_env_filter(quiet).finish();
    // Another test may have set one up before; then this test sees the command's log alone.
    drop(tracing::subscriber::set_global_default(subscriber));
    let gateway = Gateway::new();
    let mut out = Out::default();
    let report = gateway.ingest(&[records()]);
    assert!(report.taken > 20, "{}", report.output);
    out.add("ingest", &report.output);
    for arguments in [&["quarantine", "list"][..], &["quarantine", "list", "--json"]] {
        let (stdout, stderr) = gateway.run(arguments);
        out.add("quarantine list", &(stdout + &stderr));
    }
    let redis = RedisServer::start().await;
    let url = Some(redis.url().into());
    let limits = LimitSettings { quota: 100_000, window_s: 100_000, ..LimitSettings::default() };
    let served = gateway.serve_with(CacheSettings::with_redis(url), limits);
    let (partner, renamed) = partner(&served).await;
    visit(&served, &mut out).await;
    refusals(&served, &mut out).await;
    let ids = ids(&served).await;
    out.add("audit over FHIR", &audit(&served).await);
    exported(&served, (&partner, &renamed), &mut out).await;
    out.add("metrics", &served.metrics());
    shared(&redis, &served, &mut out).await;
    let patients = served.all("Patient").await;
    drop(served);
    archives(&gateway, &patients, &mut out);
    audit_commands(&gateway, &patients, &mut out);
    for text in VISIBLE {
        assert!(out.0.values().any(|body| body.contains(text)), "{text} is not served");
    }
    let log = log.0.lock().unwrap_or_else(PoisonError::into_inner);
    out.add("log", &String::from_utf8_lossy(&log));
    tables(&gateway.data().join("store.sqlite"), "resource", &mut out);
    tables(&gateway.data().join("audit.sqlite"), "audit_event", &mut out);
    let markers = markers();
    assert!(markers.len() > 30, "{markers:?}");
    let leaks = out.leaks(&markers, &partner, &renamed);
    assert!(leaks.is_empty(), "\n{}", leaks.join("\n"));
    assert!(out.0["log"].contains("request answered"), "this is the log of the server");
    for place in ["log", "metrics", "redis"] {
        let text = out.0.get(place).map_or("", String::as_str);
        let shown: Vec<_> = ids.iter().filter(|id| text.contains(id.as_str())).collect();
        assert!(shown.is_empty(), "{place} names resources: {shown:?}");
    }
}

/// Every line of an export, each by whose it is.
async fn exported(served: &Served, (partner, renamed): (&str, &str), out: &mut Out) {
    let lines = served.export().await;
    assert!(lines.lines().count() > 20, "{lines}");
    for line in lines.lines() {
        let resource: Value = serde_json::from_str(line).unwrap();
        let is_own = line.contains(partner) || resource["id"] == partner["Patient/".len()..];
        let is_renamed = resource["id"] == renamed["Patient/".len()..];
        let whose = if is_own {
            partner
        } else if is_renamed {
            renamed
        } else {
            "exported"
        };
        out.add(whose, &format!("{line}\n{}\n", text_of(&resource)));
    }
}

/// Every file of a copy of each record, but of the partner's own.
fn archives(gateway: &Gateway, patients: &[Value], out: &mut Out) {
    let others = patients.iter().filter(|one| one["name"][0]["family"] != "ZZPARTNERB");
    for patient in others {
        let (id, file) = (patient["id"].as_str().unwrap(), gateway.data().join("copy.zip"));
        let arguments = ["package", "--patient", id, "--out", file.to_str().unwrap()];
        let (stdout, stderr) = gateway.run(&arguments);
        out.add("package", &(stdout + &stderr));
        let mut archive = zip::ZipArchive::new(fs::File::open(&file).unwrap()).unwrap();
        assert!(archive.len() > 5);
        for at in 0..archive.len() {
            let mut entry = archive.by_index(at).unwrap();
            let name = entry.name().unwrap().into_owned();
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let decoded = serde_json::from_str(&text).map(|json: Value| text_of(&json));
            out.add(format!("package {name}"), &(text + &decoded.unwrap_or_default()));
        }
        fs::remove_file(&file).unwrap();
    }
}

/// What the commands tell of the audit.
fn audit_commands(gateway: &Gateway, patients: &[Value], out: &mut Out) {
    for patient in patients {
        let id = patient["id"].as_str().unwrap();
        for format in ["text", "csv", "fhir"] {
            let report = ["audit", "disclosures", "--tenant", "hv", "--all", "--format", format];
            let (stdout, stderr) = gateway.run(&[&report[..], &["--patient", id]].concat());
            out.add(format!("disclosures {format}"), &(stdout + &stderr));
        }
    }
    for arguments in [
        &["audit", "verify"][..],
        &["audit", "search", "--tenant", "hv", "--limit", "100000", "--json"],
        &["audit", "export", "--tenant", "hv"],
        &["audit", "export", "--tenant", "hv", "--format", "fhir"],
    ] {
        let (stdout, stderr) = gateway.run(arguments);
        assert!(stdout.len() > 20, "{arguments:?}: {stdout}");
        out.add(arguments.join(" "), &(stdout + &stderr));
    }
}

/// The ids of all resources.
async fn ids(served: &Served) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for resource_type in served.types().await.iter().filter(|name| *name != "Binary") {
        let resources = served.all(resource_type).await;
        ids.extend(resources.iter().map(|resource| resource["id"].as_str().unwrap().to_owned()));
    }
    assert!(ids.len() > 20, "{ids:?}");
    ids
}

/// Everything in the Redis that replicas share, once all that is on its way is there.
async fn shared(redis: &RedisServer, served: &Served, out: &mut Out) {
    let loads = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("cache_loads_total "));
        line.map_or(0, |number| number.parse::<usize>().unwrap())
    };
    let (loaded, kind) = (loads(&served.metrics()), "throughline:limit:");
    redis.wait_until(|redis| redis.dump().len() > loaded).await;
    let entries = redis.dump();
    assert!(entries.iter().any(|(name, _)| name.starts_with(kind.as_bytes())), "limits are there");
    for (name, value) in entries {
        out.add("redis", &format!("{}\n", String::from_utf8_lossy(&name)));
        out.add("redis", &format!("{}\n", String::from_utf8_lossy(&value)));
    }
}

/// Every resource by search, by read and with its history, and every Binary that one refers to.
async fn visit(served: &Served, out: &mut Out) {
    for resource_type in served.types().await {
        if resource_type == "Binary" {
            continue;
        }
        for resource in served.all(&resource_type).await {
            let id = resource["id"].as_str().unwrap();
            let path = format!("{resource_type}/{id}");
            out.add(&path, &format!("{resource}\n{}\n", text_of(&resource)));
            let history = served.get(&format!("{path}/_history")).await;
            out.add(format!("{path}/_history"), &history.to_string());
            let (status, headers, body) = served.request(&format!("{}/{path}", served.base)).await;
            assert_eq!(status, 200);
            out.add(&path, &(headers + &body));
            for url in urls(&resource) {
                let binary: Value = served.get(&url).await;
                out.add(&url, &(binary.to_string() + &text_of(&binary)));
            }
        }
    }
}

/// Refusals, whose requests carry a marker as a value.
async fn refusals(served: &Served, out: &mut Out) {
    let paths = [
        "Patient/ZZPARTNERB",
        "Patient/ZZ%20PARTNERB",
        "Patient?identifier=ZZPARTNERB",
        "Patient?name=ZZPARTNERB",
        "Patient?_id=ZZPARTNERB",
        "Patient?_count=ZZPARTNERB",
        "Encounter?date=ZZPARTNERB",
        "Encounter?patient=ZZPARTNERB/ZZPARTNERB/x",
        "Encounter?status=a%0D%0AZZPARTNERB",
        "DocumentReference?type=%FFZZPARTNERB",
        "Encounter?_lastUpdated=ZZPARTNERB",
        "Encounter?no-such-parameter=ZZPARTNERB",
        "Encounter/x/_history/ZZPARTNERB",
        "Binary/ZZPARTNERB",
    ];
    for path in paths {
        let (status, headers, body) = served.request(&format!("{}/{path}", served.base)).await;
        let own_link = body.contains("\"searchset\"");
        assert!(status >= 400 || own_link, "{path}: {status} {body}");
        if !own_link {
            out.add(format!("refusal {path}"), &(headers + &body));
        }
    }
}

/// Every event of the audit, by following the pages.
async fn audit(served: &Served) -> String {
    let mut url = Some(format!("{}/AuditEvent?_count=500", served.base));
    let mut text = String::new();
    while let Some(page) = url {
        let (status, _, body) = served.request(&page).await;
        assert_eq!(status, 200, "{page}: {body}");
        let bundle: Value = serde_json::from_str(&body).unwrap();
        let links = bundle["link"].as_array().into_iter().flatten();
        let mut next = links.filter(|link| link["relation"] == "next");
        url = next.next().map(|link| link["url"].as_str().unwrap().to_owned());
        let entries = bundle["entry"].as_array().into_iter().flatten();
        text.extend(entries.map(|entry| entry.to_string() + &text_of(entry)));
    }
    assert!(text.contains("PatientRead"), "reads are written down");
    text
}

/// Every column of every table, but those that may hold secrets.
fn tables(store: &Path, known: &str, out: &mut Out) {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let connection = Connection::open_with_flags(store, flags).unwrap();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut names = connection.prepare(names).unwrap();
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(names.iter().any(|name| name == known), "{names:?}");
    for table in names {
        let mut rows = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns: Vec<String> = rows.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (at, column) in columns.iter().enumerate() {
                if ALLOWED.contains(&(&table, column)) {
                    continue;
                }
                let text = match row.get::<_, Column>(at).unwrap() {
                    Column::Text(text) => text,
                    Column::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                    Column::Null | Column::Integer(_) | Column::Real(_) => continue,
                };
                let decoded = serde_json::from_str(&text).map(|json: Value| text_of(&json));
                out.add(format!("table {table}.{column}"), &(text + &decoded.unwrap_or_default()));
            }
        }
    }
}
